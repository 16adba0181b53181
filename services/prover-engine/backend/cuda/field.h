#ifndef VN_CUDA_FIELD_H
#define VN_CUDA_FIELD_H
/* KoalaBear and its sextic extension, one element a thread. Names as in air/kernel_ops.h: vf is a base element, ve an extension element.
 * Domain: Montgomery, canonical, as everywhere. Products of extension elements go through the tower w = x^3, w^2 = -w - 1. */

#include "services/prover-engine/backend/cuda/lang.h"
#include "services/prover-engine/field/fp6.h"

typedef vn_fp vf;
typedef struct vn_fp6 ve;

/* The smaller of x and x + p modulo 2^32: x if it was not below zero. */
DEVICE vf vf_from_difference(uint32_t x)
{
    uint32_t y = x + VN_P;
    return x < y ? x : y;
}

DEVICE vf vf_add(vf a, vf b)
{
    uint32_t s = a + b, t = s - VN_P;
    return s < t ? s : t;
}

DEVICE vf vf_sub(vf a, vf b)
{
    return vf_from_difference(a - b);
}

DEVICE vf vf_neg(vf a)
{
    return vf_sub(0, a);
}

DEVICE vf vf_mul(vf a, vf b)
{
    uint64_t x = (uint64_t)a * b;
    uint32_t q = (uint32_t)x * VN_P_INV;
    return vf_from_difference((uint32_t)(x >> 32) - (uint32_t)((uint64_t)q * VN_P >> 32));
}

DEVICE vf vf_square_times(vf a, int n)
{
    for (int i = 0; i < n; i++)
        a = vf_mul(a, a);
    return a;
}

/* a^(p-2); p - 2 in binary is 6 ones, a zero, 24 ones. */
DEVICE vf vf_inverse(vf a)
{
    vf ones2 = vf_mul(vf_mul(a, a), a), ones3 = vf_mul(vf_mul(ones2, ones2), a), ones6 = vf_mul(vf_square_times(ones3, 3), ones3);
    vf ones12 = vf_mul(vf_square_times(ones6, 6), ones6), ones24 = vf_mul(vf_square_times(ones12, 12), ones12);
    return vf_mul(vf_square_times(ones6, 25), ones24);
}

DEVICE ve ve_zero(void)
{
    ve r = {{0, 0, 0, 0, 0, 0}};
    return r;
}

DEVICE ve ve_add(ve a, ve b)
{
    UNROLL
    for (int k = 0; k < 6; k++)
        a.c[k] = vf_add(a.c[k], b.c[k]);
    return a;
}

DEVICE ve ve_sub(ve a, ve b)
{
    UNROLL
    for (int k = 0; k < 6; k++)
        a.c[k] = vf_sub(a.c[k], b.c[k]);
    return a;
}

DEVICE ve ve_scale(ve a, vf b)
{
    UNROLL
    for (int k = 0; k < 6; k++)
        a.c[k] = vf_mul(a.c[k], b);
    return a;
}

typedef struct {
    vf a, b; /* a + b w */
} vw;

DEVICE vw vw_add(vw x, vw y)
{
    vw r = {vf_add(x.a, y.a), vf_add(x.b, y.b)};
    return r;
}

DEVICE vw vw_sub(vw x, vw y)
{
    vw r = {vf_sub(x.a, y.a), vf_sub(x.b, y.b)};
    return r;
}

DEVICE vw vw_mul(vw x, vw y)
{
    vf ac = vf_mul(x.a, y.a), bd = vf_mul(x.b, y.b);
    vf cross = vf_mul(vf_add(x.a, x.b), vf_add(y.a, y.b));
    vw r = {vf_sub(ac, bd), vf_sub(vf_sub(cross, ac), vf_add(bd, bd))};
    return r;
}

DEVICE vw vw_times_w(vw x)
{
    vw r = {vf_neg(x.b), vf_sub(x.a, x.b)};
    return r;
}

DEVICE ve ve_mul(ve x, ve y)
{
    vw x0 = {x.c[0], x.c[3]}, x1 = {x.c[1], x.c[4]}, x2 = {x.c[2], x.c[5]};
    vw y0 = {y.c[0], y.c[3]}, y1 = {y.c[1], y.c[4]}, y2 = {y.c[2], y.c[5]};
    vw v0 = vw_mul(x0, y0), v1 = vw_mul(x1, y1), v2 = vw_mul(x2, y2);
    vw m01 = vw_sub(vw_mul(vw_add(x0, x1), vw_add(y0, y1)), vw_add(v0, v1));
    vw m02 = vw_sub(vw_mul(vw_add(x0, x2), vw_add(y0, y2)), vw_add(v0, v2));
    vw m12 = vw_sub(vw_mul(vw_add(x1, x2), vw_add(y1, y2)), vw_add(v1, v2));
    vw r0 = vw_add(v0, vw_times_w(m12)), r1 = vw_add(m01, vw_times_w(v2)), r2 = vw_add(m02, v1);
    ve r = {{r0.a, r1.a, r2.a, r0.b, r1.b, r2.b}};
    return r;
}

/* a -> a^p */
DEVICE ve ve_frobenius(ve a)
{
    ve r = {{vf_sub(a.c[0], a.c[3]), a.c[5], vf_sub(a.c[1], a.c[4]), vf_neg(a.c[3]), a.c[2], vf_neg(a.c[4])}};
    return r;
}

/* Through the norm. */
DEVICE_CALL ve ve_inverse(ve x)
{
    ve conjugate = ve_frobenius(x), rest = conjugate;
    for (int i = 0; i < 4; i++) {
        conjugate = ve_frobenius(conjugate);
        rest = ve_mul(rest, conjugate);
    }
    return ve_scale(rest, vf_inverse(ve_mul(rest, x).c[0]));
}

/* Six columns of one extension column, `stride` apart. */
DEVICE ve ve_load(const vn_fp *x, size_t stride, size_t i)
{
    ve r;
    UNROLL
    for (int k = 0; k < 6; k++)
        r.c[k] = x[k * stride + i];
    return r;
}

DEVICE void ve_store(vn_fp *x, size_t stride, size_t i, ve a)
{
    UNROLL
    for (int k = 0; k < 6; k++)
        x[k * stride + i] = a.c[k];
}

#endif
