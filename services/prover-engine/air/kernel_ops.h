#ifndef VN_AIR_KERNEL_OPS_H
#define VN_AIR_KERNEL_OPS_H
/* What the generated kernels are written in: vectors of F_p^6 elements, six packed base vectors each. Included after one packed.h.
 * Products go through the tower w = x^3, w^2 = -w - 1: an element is A0 + A1 x + A2 x^2 with A_i = (c_i, c_{i+3}) over F_p(w). */

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

/* a base element with a sign */
static inline ve ve_from(vf a, int sign)
{
    ve r = ve_zero();
    r.c[0] = sign < 0 ? vf_neg(a) : a;
    return r;
}

static inline ve ve_scale(const struct vn_fp6 *a, vf b)
{
    ve r;
    for (int i = 0; i < 6; i++)
        r.c[i] = vf_mul(vf_set1(a->c[i]), b);
    return r;
}

static inline void ve_mac(ve *acc, const struct vn_fp6 *a, vf b)
{
    for (int i = 0; i < 6; i++)
        acc->c[i] = vf_add(acc->c[i], vf_mul(vf_set1(a->c[i]), b));
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

typedef struct {
    vf a, b; /* a + b w */
} vw;

static inline vw vw_add(vw x, vw y)
{
    return (vw){vf_add(x.a, y.a), vf_add(x.b, y.b)};
}

static inline vw vw_sub(vw x, vw y)
{
    return (vw){vf_sub(x.a, y.a), vf_sub(x.b, y.b)};
}

static inline vw vw_mul(vw x, vw y)
{
    vf ac = vf_mul(x.a, y.a), bd = vf_mul(x.b, y.b);
    vf cross = vf_mul(vf_add(x.a, x.b), vf_add(y.a, y.b));
    return (vw){vf_sub(ac, bd), vf_sub(vf_sub(cross, ac), vf_add(bd, bd))};
}

static inline vw vw_times_w(vw x)
{
    return (vw){vf_neg(x.b), vf_sub(x.a, x.b)};
}

static __attribute__((noinline)) ve ve_mul(const ve *x, const ve *y)
{
    vw x0 = {x->c[0], x->c[3]}, x1 = {x->c[1], x->c[4]}, x2 = {x->c[2], x->c[5]};
    vw y0 = {y->c[0], y->c[3]}, y1 = {y->c[1], y->c[4]}, y2 = {y->c[2], y->c[5]};
    vw v0 = vw_mul(x0, y0), v1 = vw_mul(x1, y1), v2 = vw_mul(x2, y2);
    vw m01 = vw_sub(vw_mul(vw_add(x0, x1), vw_add(y0, y1)), vw_add(v0, v1));
    vw m02 = vw_sub(vw_mul(vw_add(x0, x2), vw_add(y0, y2)), vw_add(v0, v2));
    vw m12 = vw_sub(vw_mul(vw_add(x1, x2), vw_add(y1, y2)), vw_add(v1, v2));
    vw r0 = vw_add(v0, vw_times_w(m12)), r1 = vw_add(m01, vw_times_w(v2)), r2 = vw_add(m02, v1);
    return (ve){{r0.a, r1.a, r2.a, r0.b, r1.b, r2.b}};
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

/* acc += alpha (h den - num) */
static __attribute__((noinline)) void ve_fraction_constraint(ve *acc, const struct vn_fp6 *alpha, const ve *h, const ve *num, const ve *den)
{
    ve e = ve_mul(h, den), a = ve_set1(alpha);
    ve_deduct(&e, num);
    e = ve_mul(&a, &e);
    ve_accumulate(acc, &e);
}

#endif
