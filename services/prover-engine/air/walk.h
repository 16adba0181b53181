#ifndef VN_AIR_WALK_H
#define VN_AIR_WALK_H
/* Evaluates a table's expression graph on canonical integers mod p, a block of rows at a time. */

#include <stddef.h>

#include "services/prover-engine/air/graph.h"

#define VN_WALK_ROWS 64u /* every height is a multiple */

struct vn_walk {
    const struct vn_air_graph *graph;
    const uint32_t *const *pre, *const *p1, *const *main;
    uint32_t shard_index;
    uint32_t *storage;                       /* owned */
    const uint32_t *value[VN_AIR_MAX_NODES]; /* per node, VN_WALK_ROWS values; valid until the next block */
};

/* NULL when there is no memory. */
struct vn_walk *vn_walk_new(void);
void vn_walk_free(struct vn_walk *w);
void vn_walk_table(struct vn_walk *w, unsigned table, const uint32_t *const *pre, const uint32_t *const *p1, const uint32_t *const *main,
                   uint32_t shard_index);
/* Rows [row, row + VN_WALK_ROWS), row a multiple of it; the first n_nodes nodes. */
void vn_walk_block(struct vn_walk *w, size_t row, unsigned n_nodes);

#endif
