/* Powers, inverses and roots of unity; plain square-and-multiply. */
#include "services/prover-engine/field/fp.h"

vn_fp vn_fp_pow(vn_fp a, uint64_t e)
{
    vn_fp r = VN_FP_ONE;
    for (; e; e >>= 1) {
        if (e & 1)
            r = vn_fp_mul(r, a);
        a = vn_fp_mul(a, a);
    }
    return r;
}

vn_fp vn_fp_inv(vn_fp a)
{
    return vn_fp_pow(a, VN_P - 2);
}

vn_fp vn_fp_root(unsigned log_n)
{
    vn_fp r = vn_fp_from(VN_ROOT_2_24);
    for (unsigned i = log_n; i < VN_TWO_ADICITY; i++)
        r = vn_fp_mul(r, r);
    return r;
}
