/* The reference: every kernel in its plainest form. */
#include <assert.h>
#include <string.h>

#include "services/prover-engine/backend/backend.h"
#include "services/prover-engine/backend/twiddles.h"
#include "services/prover-engine/hash/batch.h"

static void to_mont(vn_fp *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = vn_fp_mul(x[i], VN_FP_R2);
}

static void intt(vn_fp *x, unsigned log_n)
{
    vn_twiddles_need(log_n);
    size_t n = (size_t)1 << log_n;
    for (unsigned k = log_n; k; k--) {
        const vn_fp *w = vn_twiddles_level(vn_twiddles_inverse, k);
        size_t half = (size_t)1 << (k - 1);
        for (size_t block = 0; block < n; block += 2 * half) {
            for (size_t i = block; i < block + half; i++) {
                vn_fp a = x[i], b = x[i + half];
                x[i] = vn_fp_add(a, b);
                x[i + half] = vn_fp_mul(vn_fp_sub(a, b), w[i - block]);
            }
        }
    }
    vn_fp scale = vn_fp_inv(vn_fp_from((uint32_t)n));
    for (size_t i = 0; i < n; i++)
        x[i] = vn_fp_mul(x[i], scale);
}

static void ntt(vn_fp *x, unsigned log_n)
{
    vn_twiddles_need(log_n);
    size_t n = (size_t)1 << log_n;
    for (unsigned k = 1; k <= log_n; k++) {
        const vn_fp *w = vn_twiddles_level(vn_twiddles_forward, k);
        size_t half = (size_t)1 << (k - 1);
        for (size_t block = 0; block < n; block += 2 * half) {
            for (size_t i = block; i < block + half; i++) {
                vn_fp a = x[i], b = vn_fp_mul(x[i + half], w[i - block]);
                x[i] = vn_fp_add(a, b);
                x[i + half] = vn_fp_sub(a, b);
            }
        }
    }
}

static void coset_ntt(vn_fp *out, const vn_fp *coefs, const vn_fp *scale, unsigned log_n)
{
    for (size_t i = 0; i < (size_t)1 << log_n; i++)
        out[i] = vn_fp_mul(coefs[i], scale[i]);
    ntt(out, log_n);
}

static void mul(vn_fp *x, const vn_fp *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = vn_fp_mul(x[i], y[i]);
}

static void combine_fp6(vn_fp *const acc[6], const vn_fp *const *f, const struct vn_fp6 *a, size_t n_terms, size_t n)
{
    for (size_t t = 0; t < n_terms; t++)
        for (int k = 0; k < 6; k++)
            for (size_t i = 0; i < n; i++)
                acc[k][i] = vn_fp_add(acc[k][i], vn_fp_mul(f[t][i], a[t].c[k]));
}

static struct vn_fp6 dot_fp6(const vn_fp *f, const vn_fp *const w[6], size_t n)
{
    struct vn_fp6 sum = vn_fp6_zero();
    for (int k = 0; k < 6; k++)
        for (size_t i = 0; i < n; i++)
            sum.c[k] = vn_fp_add(sum.c[k], vn_fp_mul(f[i], w[k][i]));
    return sum;
}

static uint32_t grind(const struct vn_transcript *t, unsigned bits, uint32_t from, uint32_t count)
{
    assert((uint64_t)from + count <= VN_P);
    for (uint32_t i = 0; i < count; i++) {
        struct vn_transcript copy = *t;
        if (vn_transcript_check_nonce(&copy, from + i, bits))
            return from + i;
    }
    return UINT32_MAX;
}

const struct vn_backend vn_backend_scalar = {
    .name = "scalar",
    .lanes = 1,
    .to_mont = to_mont,
    .intt = intt,
    .ntt = ntt,
    .coset_ntt = coset_ntt,
    .mul = mul,
    .hash_rows = vn_hash_rows,
    .hash_nodes = vn_hash_nodes,
    .combine_fp6 = combine_fp6,
    .dot_fp6 = dot_fp6,
    .grind = grind,
};
