#ifndef VN_PCS_ROWS_H
#define VN_PCS_ROWS_H
/* Opening rows of a tree in host memory. */

#include "services/prover-engine/pcs/device.h"

/* Where a tree's columns come from when some of their rows are needed again. */
struct vn_pcs_rows {
    size_t width;
    size_t scratch; /* elements that gather needs */
    /* The rows of the blocks [blocks[i] << log_block, (blocks[i] + 1) << log_block) of one column, one after the other. Called by several threads. */
    void (*gather)(const void *ctx, size_t column, const uint32_t *blocks, size_t n_blocks, unsigned log_block, vn_fp *out, vn_fp *scratch);
    const void *ctx;
};

/* indices: sorted, distinct. out->rows: row after row. */
enum vn_status vn_pcs_open_rows(const struct vn_merkle_tree *t, const struct vn_pcs_domain *d, const struct vn_pcs_rows *rows, const uint32_t *indices,
                                size_t n, struct vn_opened *out) VN_MUST_CHECK;

#endif
