#ifndef VN_BATCH_H
#define VN_BATCH_H
/* Many hashes at once, so that whoever has vectors can use them. All implementations give the same digests.
 * Several digests are stored as nine arrays: element k of digest i at out[k * stride + i]. */

#include "services/prover-engine/hash/sponge.h"

struct vn_batch_hash {
    /* For r in [0, n_rows): vn_hash(VN_TAG_ROW, (cols[0][r], ..., cols[width-1][r])). */
    void (*rows)(vn_fp *out, size_t out_stride, const vn_fp *const *cols, size_t width, size_t n_rows);

    /* One tree level: parent i of children 2i, 2i+1, n parents, vn_hash_node(VN_TAG_NODE, level, ...). */
    void (*nodes)(vn_fp *out, size_t out_stride, const vn_fp *in, size_t in_stride, size_t n, unsigned level);
};

/* One after another, in plain C. */
void vn_hash_rows(vn_fp *out, size_t out_stride, const vn_fp *const *cols, size_t width, size_t n_rows);
void vn_hash_nodes(vn_fp *out, size_t out_stride, const vn_fp *in, size_t in_stride, size_t n, unsigned level);
extern const struct vn_batch_hash vn_batch_hash_scalar;

#endif
