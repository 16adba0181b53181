/* The backend table of one instruction set. The including file has included a packed.h and defines BACKEND and BACKEND_NAME. */
#include "services/prover-engine/backend/kernels.h"

#include "services/prover-engine/backend/poseidon2.inc.h"
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

static void axpy_fp6(vn_fp *const acc[6], const vn_fp *f, const struct vn_fp6 *a, size_t n)
{
    vf factor[6];
    for (int k = 0; k < 6; k++)
        factor[k] = vf_set1(a->c[k]);
    size_t i = 0;
    for (; i + VF_LANES <= n; i += VF_LANES) {
        vf x = vf_load(f + i);
#pragma GCC unroll 6
        for (int k = 0; k < 6; k++)
            vf_store(acc[k] + i, vf_add(vf_load(acc[k] + i), vf_mul(x, factor[k])));
    }
    vn_fp *tail[6];
    for (int k = 0; k < 6; k++)
        tail[k] = acc[k] + i;
    vn_backend_scalar.axpy_fp6(tail, f + i, a, n - i);
}

static struct vn_fp6 dot_fp6(const vn_fp *f, const vn_fp *const w[6], size_t n)
{
    vf sum[6];
    for (int k = 0; k < 6; k++)
        sum[k] = vf_set1(0);
    size_t i = 0;
    for (; i + 2 * VF_LANES <= n; i += 2 * VF_LANES) {
        vf x = vf_load(f + i), y = vf_load(f + i + VF_LANES);
#pragma GCC unroll 6
        for (int k = 0; k < 6; k++)
            sum[k] = vf_add(sum[k], vf_dot2(x, vf_load(w[k] + i), y, vf_load(w[k] + i + VF_LANES)));
    }
    const vn_fp *tail[6];
    for (int k = 0; k < 6; k++)
        tail[k] = w[k] + i;
    struct vn_fp6 total = vn_backend_scalar.dot_fp6(f + i, tail, n - i);
    for (int k = 0; k < 6; k++) {
        vn_fp lanes[VF_LANES];
        vf_store(lanes, sum[k]);
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
    .axpy_fp6 = axpy_fp6,
    .dot_fp6 = dot_fp6,
    .grind = grind,
};
