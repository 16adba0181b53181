#ifndef VN_AIRC_H
#define VN_AIRC_H
/* Inside airc: a checked table, ordered for writing, and the writers that have a file of their own. */

#include <stdio.h>

#include "services/prover-engine/air/builder.h"

#define AIRC_ALONE UINT16_MAX

struct logup_column {
    uint16_t first, second; /* interactions; second = AIRC_ALONE: one only */
    uint8_t scope, is_sum;
};

struct out_table {
    const struct vn_b_table *t;
    uint32_t order[VN_B_MAX_NODES]; /* new number -> old node */
    int32_t number[VN_B_MAX_NODES]; /* old node -> new number, -1 unused */
    uint32_t n_nodes, n_lookup_nodes;
    struct logup_column columns[VN_B_MAX_INTERACTIONS];
    unsigned n_logup[VN_SCOPE_COUNT], n_columns;
};

static inline int airc_is_constant(const struct out_table *o, uint32_t old)
{
    return o->t->nodes[old].op == VN_AIR_CONST;
}

/* air_cuda.inc: the kernels of backend/cuda/tables.cu (airc_cuda.c). */
void airc_write_cuda(FILE *f, const struct out_table *tables, uint32_t n_tables, uint64_t fingerprint);

#endif
