/* What the generated kernels of air_cuda.inc are written in; included by that file, once. */
#include "services/prover-engine/backend/cuda/session.h"

/* Handed over by value: it lies in the constant bank. */
struct params {
    vf shard_index;
    ve sum_per_row[2];                   /* by scope */
    ve beta[2][VN_CUDA_MAX_TUPLE + 1];
    ve constants[MOST_INTERACTIONS];     /* of the denominators */
    ve alpha[MOST_CONSTRAINTS];
};

/* out: LOGUP columns, or six accumulators; all `stride` apart. */
typedef void (*row_kernel)(struct rows r, struct params p, vn_fp *out, size_t stride);

struct table_kernels {
    const row_kernel *logup, *quotient; /* in the order of their launches */
    unsigned n_logup, n_quotient;
    unsigned n_columns[VN_CUDA_GROUPS];
    int sums[2]; /* extension column of each scope's running sum, -1: none */
    unsigned n_interactions, n_constraints;
};

#define CELL(group, column) (r.columns[group][(size_t)(column) * r.stride[group] + i])
#define NEXT ((i + 1) & (r.n - 1))
#define LOGUP_CELL(column, row) \
    ve_load(r.columns[VN_CUDA_LOGUP] + (size_t)(column) * 6 * r.stride[VN_CUDA_LOGUP], r.stride[VN_CUDA_LOGUP], row)

DEVICE ve ve_signed(vf a, int sign)
{
    ve r = ve_zero();
    r.c[0] = sign < 0 ? vf_neg(a) : a;
    return r;
}

/* m1 d2 + m2 d1 with signs */
DEVICE ve ve_numerator(vf m1, ve d1, int sign1, vf m2, ve d2, int sign2)
{
    return ve_add(ve_scale(d2, sign1 < 0 ? vf_neg(m1) : m1), ve_scale(d1, sign2 < 0 ? vf_neg(m2) : m2));
}

/* Inverts x[0..n), n <= 4: products from the front, one inversion, back again. No x may be 0. */
DEVICE void ve_invert_all(ve *x, unsigned n)
{
    ve product[4];
    product[0] = x[0];
    UNROLL
    for (unsigned j = 1; j < n; j++)
        product[j] = ve_mul(product[j - 1], x[j]);
    ve back = ve_inverse(product[n - 1]);
    UNROLL
    for (unsigned j = n - 1; j > 0; j--) {
        ve inverse = ve_mul(back, product[j - 1]);
        back = ve_mul(back, x[j]);
        x[j] = inverse;
    }
    x[0] = back;
}
