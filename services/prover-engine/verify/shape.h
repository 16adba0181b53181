#ifndef VN_SHAPE_H
#define VN_SHAPE_H
/* From a kind and its tables' heights to trees, columns and openings. Shared by prover and verifier; part of the proof format. */

#include "services/prover-engine/air/air.h"
#include "services/prover-engine/pcs/layout.h"

enum vn_tree_id { VN_TREE_PRE = 0, VN_TREE_P1 = 1, VN_TREE_MAIN = 2, VN_TREE_LOGUP = 3, VN_TREE_QUOT = 4, VN_TREE_COUNT = 5 };

/* The order of the shape's openings. The first six are in the proof's list of values, the last is in the leaf. */
enum { VN_OPEN_NEXT = 5, VN_OPEN_Z = 6, VN_OPEN_COUNT = 7 };

/* Extension columns are six base columns each; the quotient of a height is q0 and q1, twelve base columns. */
#define VN_QUOT_COLUMNS 12u

struct vn_shard_shape {
    unsigned kind;
    uint8_t log_height[VN_AIR_MAX_TABLES];                   /* by table id */
    struct vn_pcs_shape pcs;
    uint32_t first_col[VN_TREE_LOGUP + 1][VN_AIR_MAX_TABLES]; /* by table id: its first column in the tree */
};

/* Whether a shard of the kind may have these heights; NULL, or what is wrong. pre: the verifying key's heights. */
const char *vn_shape_check(unsigned kind, const uint8_t log_height[VN_AIR_MAX_TABLES], const uint8_t pre[VN_AIR_MAX_TABLES]);

/* Domain: heights that passed vn_shape_check. */
void vn_shape_init(struct vn_shard_shape *s, unsigned kind, const uint8_t log_height[VN_AIR_MAX_TABLES]);

/* The tree of preprocessed columns alone. */
void vn_shape_pre_tree(struct vn_pcs_tree *t, unsigned kind, const uint8_t pre[VN_AIR_MAX_TABLES]);

/* Base columns of a table in one of the first four trees. */
uint32_t vn_shape_columns(unsigned table, enum vn_tree_id tree);

static inline int vn_shape_present(const struct vn_shard_shape *s, unsigned table)
{
    return s->log_height[table] != VN_LOG_HEIGHT_ABSENT;
}

#endif
