/* Poseidon2, one permutation a thread: rows, tree levels, grinding (modes: hash/sponge.h). Digests are stored as nine arrays. */
#include "services/prover-engine/backend/cuda/session.h"

DEVICE vf cube(vf a)
{
    return vf_mul(vf_mul(a, a), a);
}

/* M4 = circ(2, 3, 1, 1) on each four, then every element gets the sum of its column over the six fours. */
DEVICE void external_matrix(vf *s)
{
    vf column[4] = {0, 0, 0, 0};
    UNROLL
    for (int b = 0; b < VN_HASH_WIDTH; b += 4) {
        vf *x = s + b, x0 = x[0], x01 = vf_add(x[0], x[1]), x23 = vf_add(x[2], x[3]), all = vf_add(x01, x23);
        vf all1 = vf_add(all, x[1]), all3 = vf_add(all, x[3]);
        x[0] = vf_add(all1, x01);
        x[1] = vf_add(all1, vf_add(x[2], x[2]));
        x[2] = vf_add(all3, x23);
        x[3] = vf_add(all3, vf_add(x0, x0));
        UNROLL
        for (int i = 0; i < 4; i++)
            column[i] = vf_add(column[i], x[i]);
    }
    UNROLL
    for (int i = 0; i < VN_HASH_WIDTH; i++)
        s[i] = vf_add(s[i], column[i & 3]);
}

DEVICE void full_rounds(vf *s, const vn_fp *constants)
{
    for (int r = 0; r < VN_HASH_FULL_ROUNDS / 2; r++) {
        UNROLL
        for (int i = 0; i < VN_HASH_WIDTH; i++)
            s[i] = cube(vf_add(s[i], constants[VN_HASH_WIDTH * r + i]));
        external_matrix(s);
    }
}

DEVICE void permute(vf *s, const struct permutation *p)
{
    external_matrix(s);
    full_rounds(s, p->initial);
    for (int r = 0; r < VN_HASH_PARTIAL_ROUNDS; r++) {
        s[0] = cube(vf_add(s[0], p->internal[r]));
        vf sum = 0;
        UNROLL
        for (int i = 0; i < VN_HASH_WIDTH; i++)
            sum = vf_add(sum, s[i]);
        UNROLL
        for (int i = 0; i < VN_HASH_WIDTH; i++)
            s[i] = vf_add(sum, vf_mul(s[i], p->diagonal[i]));
    }
    full_rounds(s, p->final);
}

/* A leaf's elements in order: element j is at(j). */
struct row_source {
    const vn_fp *base;
    size_t stride;           /* rows of a commitment: column j starts at j * stride */
    unsigned log_n, is_layer; /* leaves of an FRI layer of 2 * 2^log_n points */
};

/* Index of element j of leaf r. */
DEVICE size_t row_element(struct row_source x, size_t r, size_t j)
{
    if (!x.is_layer)
        return j * x.stride + r;
    size_t n = (size_t)1 << x.log_n, eighth = n / VN_CUDA_FOLD, coset = r / eighth, i = r % eighth;
    return (j % 6 * 2 + coset) * n + j / 6 * eighth + i;
}

KERNEL leaf_hashes(vn_fp *nodes, struct row_source x, size_t width, size_t n_rows, struct permutation p)
{
    EACH_INDEX(r, n_rows) {
        vf s[VN_HASH_WIDTH];
        UNROLL
        for (int i = 0; i < VN_HASH_WIDTH; i++)
            s[i] = 0;
        s[VN_HASH_RATE] = vf_mul(VN_TAG_ROW, VN_FP_R2);
        s[VN_HASH_RATE + 1] = vf_mul((vf)width, VN_FP_R2);
        size_t at = 0;
        do {
            UNROLL
            for (size_t i = 0; i < VN_HASH_RATE; i++)
                if (at < width)
                    s[i] = at + i < width ? x.base[row_element(x, r, at + i)] : 0;
            at += VN_HASH_RATE;
            permute(s, &p);
        } while (at < width);
        UNROLL
        for (size_t k = 0; k < VN_DIGEST_LEN; k++)
            nodes[k * n_rows + r] = s[k];
    }
}

KERNEL parent_hashes(vn_fp *out, const vn_fp *in, size_t n, unsigned level, struct permutation p)
{
    EACH_INDEX(i, n) {
        vf s[VN_HASH_WIDTH], forward[VN_DIGEST_LEN];
        UNROLL
        for (size_t k = 0; k < VN_DIGEST_LEN; k++) {
            forward[k] = s[k] = in[k * 2 * n + 2 * i];
            s[VN_DIGEST_LEN + k] = in[k * 2 * n + 2 * i + 1];
        }
        s[2 * VN_DIGEST_LEN] = vf_mul(VN_TAG_NODE, VN_FP_R2);
        s[2 * VN_DIGEST_LEN + 1] = vf_mul(level, VN_FP_R2);
        UNROLL
        for (int k = 2 * VN_DIGEST_LEN + 2; k < VN_HASH_WIDTH; k++)
            s[k] = 0;
        permute(s, &p);
        UNROLL
        for (size_t k = 0; k < VN_DIGEST_LEN; k++)
            out[k * n + i] = vf_add(s[k], forward[k]);
    }
}

struct state {
    vn_fp s[VN_HASH_WIDTH];
};

KERNEL nonces(uint32_t *found, struct state start, unsigned n_in, unsigned bits, uint32_t from, uint32_t count, struct permutation p)
{
    EACH_INDEX(i, (size_t)count) {
        vf s[VN_HASH_WIDTH];
        uint32_t nonce = from + (uint32_t)i;
        UNROLL
        for (unsigned k = 0; k < VN_HASH_WIDTH; k++)
            s[k] = k == n_in ? vf_mul(nonce, VN_FP_R2) : start.s[k];
        permute(s, &p);
        if ((vf_mul(s[0], 1) & ((1u << bits) - 1)) == 0)
            atomicMin(found, nonce);
    }
}

void hash_rows(const struct vn_cuda_session *s, vn_fp *nodes, const vn_fp *columns, size_t stride, size_t width, size_t n_rows)
{
    struct row_source x = {columns, stride, 0, 0};
    LAUNCH_EACH(s->stream, leaf_hashes, n_rows, nodes, x, width, n_rows, s->permutation);
}

void hash_layer_leaves(const struct vn_cuda_session *s, vn_fp *nodes, const vn_fp *code, unsigned log_n)
{
    struct row_source x = {code, 0, log_n, 1};
    size_t leaves = ((size_t)2 << log_n) / VN_CUDA_FOLD;
    LAUNCH_EACH(s->stream, leaf_hashes, leaves, nodes, x, (size_t)6 * VN_CUDA_FOLD, leaves, s->permutation);
}

void hash_tree(const struct vn_cuda_session *s, vn_fp *nodes, unsigned log_rows)
{
    for (unsigned level = 1; level <= log_rows; level++) {
        size_t n = (size_t)1 << (log_rows - level);
        vn_fp *out = nodes + VN_DIGEST_LEN * 2 * n;
        LAUNCH_EACH(s->stream, parent_hashes, n, out, (const vn_fp *)nodes, n, level, s->permutation);
        nodes = out;
    }
}

void hash_grind(const struct vn_cuda_session *s, const vn_fp start[VN_HASH_WIDTH], unsigned n_in, unsigned bits, uint32_t from, uint32_t count,
                uint32_t *found)
{
    struct state state;
    for (unsigned k = 0; k < VN_HASH_WIDTH; k++)
        state.s[k] = start[k];
    LAUNCH_EACH(s->stream, nonces, (size_t)count, found, state, n_in, bits, from, count, s->permutation);
}
