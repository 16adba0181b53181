/* The backend table of one instruction set. The including file has included a packed.h and a poseidon2.h, and defines BACKEND and BACKEND_NAME. */
#include "services/prover-engine/backend/kernels.h"

#include "services/prover-engine/backend/hash.inc.h"
#include "services/prover-engine/backend/ntt.inc.h"

static void to_mont(vn_fp *x, size_t n)
{
    size_t i = 0;
    for (; i + VF_LANES <= n; i += VF_LANES)
        vf_store(x + i, vf_mul(vf_load(x + i), vf_set1(VN_FP_R2)));
    vn_backend_scalar.to_mont(x + i, n - i);
}

static void mul(vn_fp *x, const vn_fp *y, size_t n)
{
    size_t i = 0;
    for (; i + VF_LANES <= n; i += VF_LANES)
        vf_store(x + i, vf_mul(vf_load(x + i), vf_load(y + i)));
    vn_backend_scalar.mul(x + i, y + i, n - i);
}

/* As many terms as the sums pass over memory for; more streams at once would only get in each other's way. */
enum { COMBINE_TERMS = 8 };

static void combine_some(vn_fp *const acc[6], const vn_fp *const *f, const struct vn_fp6 *a, size_t n_terms, size_t n)
{
    vf_halves zero = vf_split1(0);
    for (size_t i = 0; i + VF_LANES <= n; i += VF_LANES) {
        vf_wide sum[6];
        for (int k = 0; k < 6; k++)
            sum[k] = vf_wide_dot2(zero, zero, zero, zero);
        size_t t = 0;
        for (; t + 1 < n_terms; t += 2) {
            vf_halves x = vf_split(vf_load(f[t] + i)), y = vf_split(vf_load(f[t + 1] + i));
#pragma GCC unroll 6
            for (int k = 0; k < 6; k++)
                sum[k] = vf_wide_add(sum[k], vf_wide_dot2(x, vf_split1(a[t].c[k]), y, vf_split1(a[t + 1].c[k])));
        }
        if (t < n_terms) {
            vf_halves x = vf_split(vf_load(f[t] + i));
#pragma GCC unroll 6
            for (int k = 0; k < 6; k++)
                sum[k] = vf_wide_add(sum[k], vf_wide_dot2(x, vf_split1(a[t].c[k]), zero, zero));
        }
#pragma GCC unroll 6
        for (int k = 0; k < 6; k++)
            vf_store(acc[k] + i, vf_add(vf_load(acc[k] + i), vf_wide_reduce(sum[k])));
    }
}

static void combine_fp6(vn_fp *const acc[6], const vn_fp *const *f, const struct vn_fp6 *a, size_t n_terms, size_t n)
{
    size_t whole = n - n % VF_LANES;
    vn_fp *tail[6];
    for (int k = 0; k < 6; k++)
        tail[k] = acc[k] + whole;
    for (size_t t = 0; t < n_terms; t += COMBINE_TERMS) {
        combine_some(acc, f + t, a + t, at_most(n_terms - t, COMBINE_TERMS), n);
        for (size_t u = t; u < n_terms && u < t + COMBINE_TERMS && whole < n; u++) {
            const vn_fp *last = f[u] + whole;
            vn_backend_scalar.combine_fp6(tail, &last, &a[u], 1, n - whole);
        }
    }
}

static struct vn_fp6 dot_fp6(const vn_fp *f, const vn_fp *const w[6], size_t n)
{
    vf_halves zero = vf_split1(0);
    vf_wide sum[6];
    for (int k = 0; k < 6; k++)
        sum[k] = vf_wide_dot2(zero, zero, zero, zero);
    size_t i = 0;
    for (; i + 2 * VF_LANES <= n; i += 2 * VF_LANES) {
        vf_halves x = vf_split(vf_load(f + i)), y = vf_split(vf_load(f + i + VF_LANES));
#pragma GCC unroll 6
        for (int k = 0; k < 6; k++)
            sum[k] = vf_wide_add(sum[k], vf_wide_dot2(x, vf_split(vf_load(w[k] + i)), y, vf_split(vf_load(w[k] + i + VF_LANES))));
    }
    const vn_fp *tail[6];
    for (int k = 0; k < 6; k++)
        tail[k] = w[k] + i;
    struct vn_fp6 total = vn_backend_scalar.dot_fp6(f + i, tail, n - i);
    for (int k = 0; k < 6; k++) {
        vn_fp lanes[VF_LANES];
        vf_store(lanes, vf_wide_reduce(sum[k]));
        for (int l = 0; l < VF_LANES; l++)
            total.c[k] = vn_fp_add(total.c[k], lanes[l]);
    }
    return total;
}

const struct vn_backend BACKEND = {
    .name = BACKEND_NAME,
    .lanes = VF_LANES,
    .to_mont = to_mont,
    .intt = intt,
    .ntt = ntt,
    .coset_ntt = coset_ntt,
    .mul = mul,
    .hash_rows = hash_rows,
    .hash_nodes = hash_nodes,
    .combine_fp6 = combine_fp6,
    .dot_fp6 = dot_fp6,
    .grind = grind,
};
