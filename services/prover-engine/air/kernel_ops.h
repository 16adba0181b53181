#ifndef VN_AIR_KERNEL_OPS_H
#define VN_AIR_KERNEL_OPS_H
/* What the generated kernels are written in: vectors of F_p^6 elements, six packed base vectors each. Included after one packed.h.
 * Whatever is a sum of products is reduced once, at its end. */

#include <string.h>

#include "services/prover-engine/air/air.h"

typedef struct {
    vf c[6];
} ve;

struct constant_element {
    unsigned power;
    vn_fp value;
};

struct table_kernels {
    void (*logup)(const struct vn_air_rows *r, const struct vn_air_params *p, vn_fp *const *logup, size_t begin, size_t end);
    void (*quotient)(const struct vn_air_rows *r, const struct vn_air_params *p, vn_fp *const out[6], size_t begin, size_t end);
};

/* alpha + bus + sum beta^power value */
static struct vn_fp6 denominator_constant(const struct vn_air_challenges *c, unsigned scope, unsigned bus, const struct constant_element *e, unsigned n)
{
    struct vn_fp6 d = c->alpha[scope];
    d.c[0] = vn_fp_add(d.c[0], vn_fp_from(bus));
    for (unsigned i = 0; i < n; i++)
        d = vn_fp6_add(d, vn_fp6_mul_fp(c->beta_pow[scope][e[i].power], e[i].value));
    return d;
}

static inline ve ve_zero(void)
{
    ve r;
    for (int i = 0; i < 6; i++)
        r.c[i] = vf_set1(0);
    return r;
}

static inline ve ve_set1(const struct vn_fp6 *a)
{
    ve r;
    for (int i = 0; i < 6; i++)
        r.c[i] = vf_set1(a->c[i]);
    return r;
}

static inline ve ve_load(const vn_fp *const *x, size_t i)
{
    ve r;
    for (int j = 0; j < 6; j++)
        r.c[j] = vf_load(x[j] + i);
    return r;
}

static inline void ve_store(vn_fp *const *x, size_t i, const ve *a)
{
    for (int j = 0; j < 6; j++)
        vf_store(x[j] + i, a->c[j]);
}

static inline void ve_put(vf *v, const ve *a)
{
    for (int j = 0; j < 6; j++)
        v[j] = a->c[j];
}

/* a base element with a sign */
static inline ve ve_from(vf a, int sign)
{
    ve r = ve_zero();
    r.c[0] = sign < 0 ? vf_neg(a) : a;
    return r;
}

static inline void ve_accumulate(ve *acc, const ve *a)
{
    for (int i = 0; i < 6; i++)
        acc->c[i] = vf_add(acc->c[i], a->c[i]);
}

static inline void ve_deduct(ve *acc, const ve *a)
{
    for (int i = 0; i < 6; i++)
        acc->c[i] = vf_sub(acc->c[i], a->c[i]);
}

static inline ve ve_mul_base(const ve *a, vf b)
{
    ve r;
    for (int i = 0; i < 6; i++)
        r.c[i] = vf_mul(a->c[i], b);
    return r;
}

/* start + sum_i a[i] v[i], n products */
static __attribute__((noinline)) ve ve_dot(const ve *start, const struct vn_fp6 *a, const vf *v, unsigned n)
{
    vf_halves zero = vf_split1(0);
    vf_wide sum[6];
    for (int k = 0; k < 6; k++)
        sum[k] = vf_wide_dot2(zero, zero, zero, zero);
    for (unsigned i = 0; i + 1 < n; i += 2) {
        vf_halves x = vf_split(v[i]), y = vf_split(v[i + 1]);
#pragma GCC unroll 6
        for (int k = 0; k < 6; k++)
            sum[k] = vf_wide_add(sum[k], vf_wide_dot2(x, vf_split1(a[i].c[k]), y, vf_split1(a[i + 1].c[k])));
    }
    ve r;
#pragma GCC unroll 6
    for (int k = 0; k < 6; k++) {
        if (n % 2)
            sum[k] = vf_wide_add(sum[k], vf_wide_dot2(vf_split(v[n - 1]), vf_split1(a[n - 1].c[k]), zero, zero));
        r.c[k] = vf_add(start->c[k], vf_wide_reduce(sum[k]));
    }
    return r;
}

/* Coordinate k of the product is sum_i x_i m_ik, where m_i is x^i y; x^6 = -x^3 - 1. */
static __attribute__((noinline)) ve ve_mul(const ve *x, const ve *y)
{
    vf_halves a[6], p[6];
    for (int i = 0; i < 6; i++) {
        a[i] = vf_split(x->c[i]);
        p[i] = vf_split(y->c[i]);
    }
    vf y03 = vf_sub(y->c[0], y->c[3]), y14 = vf_sub(y->c[1], y->c[4]), y25 = vf_sub(y->c[2], y->c[5]);
    vf_halves n1 = vf_split(vf_neg(y->c[1])), n2 = vf_split(vf_neg(y->c[2])), n3 = vf_split(vf_neg(y->c[3]));
    vf_halves n4 = vf_split(vf_neg(y->c[4])), n5 = vf_split(vf_neg(y->c[5]));
    vf_halves d0 = vf_split(y03), d1 = vf_split(y14), d2 = vf_split(y25), e1 = vf_split(vf_neg(y14)), e2 = vf_split(vf_neg(y25));
    const vf_halves m[6][6] = {
        {p[0], n5, n4, n3, e2, e1}, {p[1], p[0], n5, n4, n3, e2}, {p[2], p[1], p[0], n5, n4, n3},
        {p[3], d2, d1, d0, n2, n1}, {p[4], p[3], d2, d1, d0, n2}, {p[5], p[4], p[3], d2, d1, d0},
    };
    ve r;
#pragma GCC unroll 6
    for (int k = 0; k < 6; k++) {
        vf_wide sum = vf_wide_dot2(a[0], m[k][0], a[1], m[k][1]);
        sum = vf_wide_add(sum, vf_wide_dot2(a[2], m[k][2], a[3], m[k][3]));
        sum = vf_wide_add(sum, vf_wide_dot2(a[4], m[k][4], a[5], m[k][5]));
        r.c[k] = vf_wide_reduce(sum);
    }
    return r;
}

/* a -> a^p */
static inline ve ve_frobenius(const ve *a)
{
    return (ve){{vf_sub(a->c[0], a->c[3]), a->c[5], vf_sub(a->c[1], a->c[4]), vf_neg(a->c[3]), a->c[2], vf_neg(a->c[4])}};
}

static inline vf vf_square_times(vf a, int n)
{
    for (int i = 0; i < n; i++)
        a = vf_mul(a, a);
    return a;
}

/* a^(p-2); p - 2 in binary is 6 ones, a zero, 24 ones. The two runs are made side by side. */
static vf vf_inverse(vf a)
{
    vf ones2 = vf_mul(vf_mul(a, a), a), ones3 = vf_mul(vf_mul(ones2, ones2), a), ones6 = vf_mul(vf_square_times(ones3, 3), ones3);
    vf ones12 = vf_mul(vf_square_times(ones6, 6), ones6), ones24 = vf_mul(vf_square_times(ones12, 12), ones12);
    return vf_mul(vf_square_times(ones6, 25), ones24);
}

/* Through the norm: the product of the five conjugates, divided by x times that product, which lies in F_p. */
static __attribute__((noinline)) ve ve_inverse(const ve *x)
{
    ve f1 = ve_frobenius(x), f2 = ve_frobenius(&f1), f3 = ve_frobenius(&f2), f4 = ve_frobenius(&f3), f5 = ve_frobenius(&f4);
    ve f12 = ve_mul(&f1, &f2), f34 = ve_mul(&f3, &f4), f1234 = ve_mul(&f12, &f34), rest = ve_mul(&f1234, &f5), norm = ve_mul(&rest, x);
    return ve_mul_base(&rest, vf_inverse(norm.c[0]));
}

/* Inverts x[0..n) in every lane: products from the front, one inversion, back again. No x may be 0. */
#define MAX_INVERSES 64
static __attribute__((noinline)) void ve_invert_all(ve *x, unsigned n)
{
    ve product[MAX_INVERSES];
    product[0] = x[0];
    for (unsigned i = 1; i < n; i++)
        product[i] = ve_mul(&product[i - 1], &x[i]);
    ve back = ve_inverse(&product[n - 1]);
    for (unsigned i = n - 1; i > 0; i--) {
        ve inverse = ve_mul(&back, &product[i - 1]);
        back = ve_mul(&back, &x[i]);
        x[i] = inverse;
    }
    x[0] = back;
}

/* m1 d2 + m2 d1 with signs */
static inline ve ve_numerator(vf m1, const ve *d1, int sign1, vf m2, const ve *d2, int sign2)
{
    ve a = ve_mul_base(d2, m1), b = ve_mul_base(d1, m2), r = ve_zero();
    if (sign1 > 0)
        ve_accumulate(&r, &a);
    else
        ve_deduct(&r, &a);
    if (sign2 > 0)
        ve_accumulate(&r, &b);
    else
        ve_deduct(&r, &b);
    return r;
}

static inline ve ve_numerator_same(vf m, const ve *d1, int sign1, const ve *d2, int sign2)
{
    ve s = ve_zero();
    if (sign1 > 0)
        ve_accumulate(&s, d2);
    else
        ve_deduct(&s, d2);
    if (sign2 > 0)
        ve_accumulate(&s, d1);
    else
        ve_deduct(&s, d1);
    return ve_mul_base(&s, m);
}

/* s(next) - s + S / n, where x holds the six columns of the running sum s */
static inline ve ve_running_step(const vn_fp *const *x, size_t i, const struct vn_fp6 *sum_per_row)
{
    ve now = ve_load(x, i), next = ve_load(x, i + 1), r = ve_set1(sum_per_row);
    ve_accumulate(&r, &next);
    ve_deduct(&r, &now);
    return r;
}

/* h d1 - m1, m1 with its sign: 0 where h is the fraction m1 / d1. */
static inline ve ve_fraction_error(const ve *h, vf m1, int sign1, const ve *d1)
{
    ve e = ve_mul(h, d1);
    e.c[0] = sign1 > 0 ? vf_sub(e.c[0], m1) : vf_add(e.c[0], m1);
    return e;
}

/* (h d1 - m1) d2 - m2 d1: 0 where h is m1 / d1 + m2 / d2. */
static inline ve ve_fractions_error(const ve *h, vf m1, int sign1, const ve *d1, vf m2, int sign2, const ve *d2)
{
    ve e = ve_fraction_error(h, m1, sign1, d1), last = ve_mul_base(d1, m2);
    e = ve_mul(&e, d2);
    if (sign2 > 0)
        ve_deduct(&e, &last);
    else
        ve_accumulate(&e, &last);
    return e;
}

/* What multiplies the values of a table's constraints: alpha^c for the base ones, then alpha^c x^k for coordinate k of the extension ones. */
static void constraint_weights(struct vn_fp6 *weight, const struct vn_fp6 *alpha, unsigned n_base, unsigned n_ext)
{
    const struct vn_fp6 x = {{0, VN_FP_ONE, 0, 0, 0, 0}};
    memcpy(weight, alpha, n_base * sizeof *weight);
    for (unsigned c = 0; c < n_ext; c++) {
        weight[n_base + 6 * c] = alpha[n_base + c];
        for (unsigned k = 1; k < 6; k++)
            weight[n_base + 6 * c + k] = vn_fp6_mul(weight[n_base + 6 * c + k - 1], x);
    }
}

#endif
