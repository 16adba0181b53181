#include "services/prover-engine/hash/batch.h"

static void put_digest(vn_fp *out, size_t stride, const struct vn_digest *d)
{
    for (size_t k = 0; k < VN_DIGEST_LEN; k++)
        out[k * stride] = d->c[k];
}

void vn_hash_rows(vn_fp *out, size_t out_stride, const vn_fp *const *cols, size_t width, size_t n_rows)
{
    for (size_t r = 0; r < n_rows; r++) {
        vn_fp s[VN_HASH_WIDTH] = {0};
        s[VN_HASH_RATE] = vn_fp_from(VN_TAG_ROW);
        s[VN_HASH_RATE + 1] = vn_fp_from((uint32_t)width);
        size_t at = 0;
        do {
            for (size_t i = 0; i < VN_HASH_RATE && width; i++, at++)
                s[i] = at < width ? cols[at][r] : 0;
            vn_poseidon2(s);
        } while (at < width);
        struct vn_digest d;
        memcpy(d.c, s, sizeof d.c);
        put_digest(out + r, out_stride, &d);
    }
}

void vn_hash_nodes(vn_fp *out, size_t out_stride, const vn_fp *in, size_t in_stride, size_t n, unsigned level)
{
    for (size_t i = 0; i < n; i++) {
        struct vn_digest child[2];
        for (size_t k = 0; k < VN_DIGEST_LEN; k++) {
            child[0].c[k] = in[k * in_stride + 2 * i];
            child[1].c[k] = in[k * in_stride + 2 * i + 1];
        }
        struct vn_digest d = vn_hash_node(VN_TAG_NODE, level, &child[0], &child[1]);
        put_digest(out + i, out_stride, &d);
    }
}

const struct vn_batch_hash vn_batch_hash_scalar = {.rows = vn_hash_rows, .nodes = vn_hash_nodes};
