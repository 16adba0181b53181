/* Row hashes, node hashes and grinding on packed states; included after a poseidon2.h. The last few rows of a run go
 * through the same code from a padded copy. */
#include <assert.h>
#include <string.h>

#include "services/prover-engine/backend/backend.h"

static inline vf load_some(const vn_fp *x, size_t n)
{
    if (n == VF_LANES)
        return vf_load(x);
    vn_fp padded[VF_LANES] = {0};
    memcpy(padded, x, n * sizeof *x);
    return vf_load(padded);
}

static inline void store_some(vn_fp *x, vf a, size_t n)
{
    if (n == VF_LANES) {
        vf_store(x, a);
        return;
    }
    vn_fp padded[VF_LANES];
    vf_store(padded, a);
    memcpy(x, padded, n * sizeof *x);
}

static inline size_t at_most(size_t n, size_t limit)
{
    return n < limit ? n : limit;
}

static void hash_rows(vn_fp *out, size_t out_stride, const vn_fp *const *cols, size_t width, size_t n_rows)
{
    for (size_t r = 0; r < n_rows; r += VF_LANES) {
        size_t n = at_most(n_rows - r, VF_LANES), at = 0;
        struct states s;
        for (size_t i = 0; i < VN_HASH_WIDTH; i++)
            states_set(&s, i, 0);
        states_set(&s, VN_HASH_RATE, vn_fp_from(VN_TAG_ROW));
        states_set(&s, VN_HASH_RATE + 1, vn_fp_from((uint32_t)width));
        do {
            size_t take = at_most(width - at, VN_HASH_RATE);
            for (size_t i = 0; i < take; i++)
                states_put(&s, i, load_some(cols[at + i] + r, n));
            for (size_t i = take; i < VN_HASH_RATE && take; i++)
                states_set(&s, i, 0);
            at += take;
            /* The next block's lines: columns are too many streams for the hardware, and often equal modulo the cache size. */
            size_t next = at < width ? at : 0, ahead = at < width ? r : r + VF_LANES;
            for (size_t i = 0; i < VN_HASH_RATE && next + i < width; i++)
                __builtin_prefetch(cols[next + i] + ahead);
            permute(&s);
        } while (at < width);
        for (size_t k = 0; k < VN_DIGEST_LEN; k++)
            store_some(out + k * out_stride + r, states_get(&s, k), n);
    }
}

static void hash_nodes(vn_fp *out, size_t out_stride, const vn_fp *in, size_t in_stride, size_t n_nodes, unsigned level)
{
    for (size_t r = 0; r < n_nodes; r += VF_LANES) {
        size_t n = at_most(n_nodes - r, VF_LANES), low = at_most(2 * n, VF_LANES);
        struct states s;
        vf forward[VN_DIGEST_LEN];
        for (size_t k = 0; k < VN_DIGEST_LEN; k++) {
            const vn_fp *children = in + k * in_stride + 2 * r;
            vf a = load_some(children, low), b = 2 * n > VF_LANES ? load_some(children + VF_LANES, 2 * n - VF_LANES) : a;
            vf_unzip(&a, &b);
            forward[k] = a;
            states_put(&s, k, a);
            states_put(&s, VN_DIGEST_LEN + k, b);
        }
        states_set(&s, (size_t)2 * VN_DIGEST_LEN, vn_fp_from(VN_TAG_NODE));
        states_set(&s, (size_t)2 * VN_DIGEST_LEN + 1, vn_fp_from(level));
        for (size_t i = (size_t)2 * VN_DIGEST_LEN + 2; i < VN_HASH_WIDTH; i++)
            states_set(&s, i, 0);
        permute(&s);
        for (size_t k = 0; k < VN_DIGEST_LEN; k++)
            store_some(out + k * out_stride + r, vf_add(states_get(&s, k), forward[k]), n);
    }
}

/* A nonce is the last element of one block whatever came before it, so each try is one permutation from a common state. */
static uint32_t grind(const struct vn_transcript *t, unsigned bits, uint32_t from, uint32_t count)
{
    assert((uint64_t)from + count <= VN_P);
    struct states start;
    for (unsigned i = 0; i < VN_HASH_WIDTH; i++)
        states_set(&start, i, i < t->n_in ? t->in[i] : i < VN_HASH_RATE ? 0 : t->state[i]);
    states_set(&start, VN_HASH_RATE + 1, vn_fp_add(t->state[VN_HASH_RATE + 1], vn_fp_from(t->n_in + 1)));
    uint32_t mask = ((uint32_t)1 << bits) - 1;
    for (uint32_t done = 0; done < count; done += VF_LANES) {
        uint32_t n = (uint32_t)at_most(count - done, VF_LANES);
        vn_fp lanes[VF_LANES] = {0};
        for (uint32_t i = 0; i < n; i++)
            lanes[i] = vn_fp_from(from + done + i);
        struct states s = start;
        states_put(&s, t->n_in, vf_load(lanes));
        permute(&s);
        vf_store(lanes, states_get(&s, 0));
        for (uint32_t i = 0; i < n; i++)
            if ((vn_fp_to(lanes[i]) & mask) == 0)
                return from + done + i;
        if (count - done <= VF_LANES)
            break;
    }
    return UINT32_MAX;
}
