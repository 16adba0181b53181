/* Transforms on packed columns; included after a packed.h.
 *
 * Blocks larger than the first-level cache are split depth first: one radix-4 pass over the block, then its four quarters, so a
 * column crosses each cache level only as often as the sizes ask for. Inside, pairs of layers are fused (radix 4).
 * The layers whose distance is shorter than a vector work on two vectors: blocks of lanes are exchanged so that every butterfly
 * lies across the pair; after the last exchange the two vectors hold the even and the odd elements. */
#include "services/prover-engine/backend/backend.h"
#include "services/prover-engine/backend/twiddles.h"

enum { PAIR_LOG = VF_LOG_LANES + 1, CACHE_LOG = 12 };

/* Twiddles of the short layers: layer j has distance 2^j, pattern repeated over the lanes. */
struct short_layers {
    vn_fp w[VF_LOG_LANES][VF_LANES];
};

static void make_short_layers(struct short_layers *t, const vn_fp *table)
{
    for (unsigned j = 0; j < VF_LOG_LANES; j++) {
        const vn_fp *w = vn_twiddles_level(table, j + 1);
        for (unsigned i = 0; i < VF_LANES; i++)
            t->w[j][i] = w[i & ((1u << j) - 1)];
    }
}

/* (a, b) -> (a + b, (a - b) w) */
static inline void dif2(vf *a, vf *b, vf w)
{
    vf x = *a, y = *b;
    *a = vf_add(x, y);
    *b = vf_mul(vf_raw_sub(x, y), w);
}

/* (a, b) -> (a + b w, a - b w) */
static inline void dit2(vf *a, vf *b, vf w)
{
    vf x = *a, y = vf_mul(*b, w);
    *a = vf_add(x, y);
    *b = vf_sub(x, y);
}

/* Layers k and k - 1 of one block of 2^k. */
static void dif4_pass(vn_fp *x, unsigned k)
{
    const vn_fp *w1 = vn_twiddles_level(vn_twiddles_inverse, k), *w2 = vn_twiddles_level(vn_twiddles_inverse, k - 1);
    size_t q = (size_t)1 << (k - 2);
    for (size_t i = 0; i < q; i += VF_LANES) {
        vf a = vf_load(x + i), b = vf_load(x + q + i), c = vf_load(x + 2 * q + i), d = vf_load(x + 3 * q + i);
        vf w = vf_load(w2 + i);
        dif2(&a, &c, vf_load(w1 + i));
        dif2(&b, &d, vf_load(w1 + q + i));
        dif2(&a, &b, w);
        dif2(&c, &d, w);
        vf_store(x + i, a);
        vf_store(x + q + i, b);
        vf_store(x + 2 * q + i, c);
        vf_store(x + 3 * q + i, d);
    }
}

static void dif2_pass(vn_fp *x, unsigned k)
{
    const vn_fp *w = vn_twiddles_level(vn_twiddles_inverse, k);
    size_t h = (size_t)1 << (k - 1);
    for (size_t i = 0; i < h; i += VF_LANES) {
        vf a = vf_load(x + i), b = vf_load(x + h + i);
        dif2(&a, &b, vf_load(w + i));
        vf_store(x + i, a);
        vf_store(x + h + i, b);
    }
}

/* The last PAIR_LOG layers of n elements, and the factor. */
static void dif_short(vn_fp *x, size_t n, const struct short_layers *t, vn_fp factor)
{
    vf w = vf_load(vn_twiddles_level(vn_twiddles_inverse, PAIR_LOG)), scale = vf_set1(factor);
    for (size_t i = 0; i < n; i += 2 * VF_LANES) {
        vf a = vf_load(x + i), b = vf_load(x + i + VF_LANES);
        dif2(&a, &b, w);
#pragma GCC unroll 4
        for (int j = VF_LOG_LANES - 1; j >= 1; j--) {
            vf_exchange(&a, &b, 1u << j);
            dif2(&a, &b, vf_load(t->w[j]));
        }
        vf_exchange(&a, &b, 1);
        vf sum = vf_raw_sub(vf_raw_add(a, b), vf_set1(VN_P)), difference = vf_raw_sub(a, b);
        a = vf_mul(sum, scale);
        b = vf_mul(difference, scale);
        vf_zip(&a, &b);
        vf_store(x + i, a);
        vf_store(x + i + VF_LANES, b);
    }
}

static void dif(vn_fp *x, unsigned k, const struct short_layers *t, vn_fp factor)
{
    size_t n = (size_t)1 << k;
    if (k > CACHE_LOG) {
        dif4_pass(x, k);
        for (size_t i = 0; i < 4; i++)
            dif(x + i * (n / 4), k - 2, t, factor);
        return;
    }
    for (; k >= PAIR_LOG + 2; k -= 2)
        for (size_t i = 0; i < n; i += (size_t)1 << k)
            dif4_pass(x + i, k);
    if (k > PAIR_LOG)
        for (size_t i = 0; i < n; i += (size_t)1 << k)
            dif2_pass(x + i, k);
    dif_short(x, n, t, factor);
}

/* Layers k - 1 and k of one block of 2^k. */
static void dit4_pass(vn_fp *x, unsigned k)
{
    const vn_fp *w1 = vn_twiddles_level(vn_twiddles_forward, k), *w2 = vn_twiddles_level(vn_twiddles_forward, k - 1);
    size_t q = (size_t)1 << (k - 2);
    for (size_t i = 0; i < q; i += VF_LANES) {
        vf a = vf_load(x + i), b = vf_load(x + q + i), c = vf_load(x + 2 * q + i), d = vf_load(x + 3 * q + i);
        vf w = vf_load(w2 + i);
        dit2(&a, &b, w);
        /* The second half is multiplied next, so it may stay lazy. */
        vf dw = vf_mul(d, w);
        d = vf_raw_sub(c, dw);
        c = vf_raw_add(vf_raw_sub(c, vf_set1(VN_P)), dw);
        dit2(&a, &c, vf_load(w1 + i));
        dit2(&b, &d, vf_load(w1 + q + i));
        vf_store(x + i, a);
        vf_store(x + q + i, b);
        vf_store(x + 2 * q + i, c);
        vf_store(x + 3 * q + i, d);
    }
}

static void dit2_pass(vn_fp *x, unsigned k)
{
    const vn_fp *w = vn_twiddles_level(vn_twiddles_forward, k);
    size_t h = (size_t)1 << (k - 1);
    for (size_t i = 0; i < h; i += VF_LANES) {
        vf a = vf_load(x + i), b = vf_load(x + h + i);
        dit2(&a, &b, vf_load(w + i));
        vf_store(x + i, a);
        vf_store(x + h + i, b);
    }
}

/* The first PAIR_LOG layers of n elements, from `in` times scale (if not NULL). */
static inline void dit_short(vn_fp *x, const vn_fp *in, const vn_fp *scale, size_t n, const struct short_layers *t)
{
    vf w = vf_load(vn_twiddles_level(vn_twiddles_forward, PAIR_LOG));
    for (size_t i = 0; i < n; i += 2 * VF_LANES) {
        vf a = vf_load(in + i), b = vf_load(in + i + VF_LANES);
        if (scale) {
            a = vf_mul(a, vf_load(scale + i));
            b = vf_mul(b, vf_load(scale + i + VF_LANES));
        }
        vf_unzip(&a, &b);
        vf sum = vf_add(a, b), difference = vf_sub(a, b);
        a = sum;
        b = difference;
        vf_exchange(&a, &b, 1);
#pragma GCC unroll 4
        for (int j = 1; j < VF_LOG_LANES; j++) {
            dit2(&a, &b, vf_load(t->w[j]));
            vf_exchange(&a, &b, 1u << j);
        }
        dit2(&a, &b, w);
        vf_store(x + i, a);
        vf_store(x + i + VF_LANES, b);
    }
}

static void dit(vn_fp *x, const vn_fp *in, const vn_fp *scale, unsigned log_n, const struct short_layers *t)
{
    size_t n = (size_t)1 << log_n;
    if (log_n > CACHE_LOG) {
        for (size_t i = 0; i < n; i += n / 4)
            dit(x + i, in + i, scale ? scale + i : NULL, log_n - 2, t);
        dit4_pass(x, log_n);
        return;
    }
    if (scale)
        dit_short(x, in, scale, n, t);
    else
        dit_short(x, in, NULL, n, t);
    unsigned k = PAIR_LOG;
    if ((log_n - k) % 2) {
        k++;
        for (size_t i = 0; i < n; i += (size_t)1 << k)
            dit2_pass(x + i, k);
    }
    for (k += 2; k <= log_n; k += 2)
        for (size_t i = 0; i < n; i += (size_t)1 << k)
            dit4_pass(x + i, k);
}

static void intt(vn_fp *x, unsigned log_n)
{
    if (log_n < PAIR_LOG) {
        vn_backend_scalar.intt(x, log_n);
        return;
    }
    vn_twiddles_need(log_n);
    struct short_layers t;
    make_short_layers(&t, vn_twiddles_inverse);
    dif(x, log_n, &t, vn_fp_inv(vn_fp_from((uint32_t)1 << log_n)));
}

static void coset_ntt(vn_fp *out, const vn_fp *coefs, const vn_fp *scale, unsigned log_n)
{
    if (log_n < PAIR_LOG) {
        vn_backend_scalar.coset_ntt(out, coefs, scale, log_n);
        return;
    }
    vn_twiddles_need(log_n);
    struct short_layers t;
    make_short_layers(&t, vn_twiddles_forward);
    dit(out, coefs, scale, log_n, &t);
}

static void ntt(vn_fp *x, unsigned log_n)
{
    if (log_n < PAIR_LOG)
        vn_backend_scalar.ntt(x, log_n);
    else
        coset_ntt(x, x, NULL, log_n);
}
