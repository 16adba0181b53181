#ifndef VN_TRACE_ROWS_H
#define VN_TRACE_ROWS_H
/* One row of an instruction table from one step. */

#include "services/prover-engine/vm/exec.h"

typedef void vn_row_fill(uint32_t *const *c, size_t row, const struct vn_insn *insn, const struct vn_step *step, uint32_t clk);

struct vn_row_rule {
    uint8_t table;     /* enum vn_table_id */
    vn_row_fill *fill; /* NULL: no table proves the operation */
};

extern const struct vn_row_rule vn_row_rules[VN_OP_COUNT]; /* of aligned accesses */

/* The rule of one step: misaligned accesses have tables of their own. */
const struct vn_row_rule *vn_row_rule(const struct vn_insn *insn, const struct vn_step *step);

#endif
