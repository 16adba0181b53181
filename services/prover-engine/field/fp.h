#ifndef VN_FP_H
#define VN_FP_H
/* The KoalaBear field, p = 2^31 - 2^24 + 1.
 * Domain: every vn_fp is in Montgomery form (value * 2^32 mod p) and canonical (< p), in and out.
 * Source: Montgomery 1985; constants from (p - 1) = 127 * 2^24, generator 3. */

#include <stdint.h>

typedef uint32_t vn_fp;

#define VN_P 0x7f000001u            /* 2130706433 */
#define VN_P_INV 0x81000001u        /* p^-1 mod 2^32 */
#define VN_FP_ONE 0x01fffffeu       /* 2^32 mod p */
#define VN_FP_R2 0x17f7efe4u        /* 2^64 mod p */
#define VN_TWO_ADICITY 24
#define VN_GENERATOR 3u             /* canonical */
#define VN_ROOT_2_24 0x6ac49f88u    /* canonical: 3^127, order 2^24 */

static inline vn_fp vn_fp_add(vn_fp a, vn_fp b)
{
    uint32_t s = a + b;
    return s >= VN_P ? s - VN_P : s;
}

static inline vn_fp vn_fp_sub(vn_fp a, vn_fp b)
{
    return a >= b ? a - b : a + VN_P - b;
}

static inline vn_fp vn_fp_neg(vn_fp a)
{
    return a ? VN_P - a : 0;
}

/* x < p * 2^32; returns x / 2^32 mod p. */
static inline vn_fp vn_fp_reduce(uint64_t x)
{
    uint32_t q = (uint32_t)x * VN_P_INV;
    uint32_t hi = (uint32_t)(x >> 32);
    uint32_t qp = (uint32_t)(((uint64_t)q * VN_P) >> 32);
    return hi >= qp ? hi - qp : hi + VN_P - qp;
}

static inline vn_fp vn_fp_mul(vn_fp a, vn_fp b)
{
    return vn_fp_reduce((uint64_t)a * b);
}

/* Canonical integer (any uint32_t) to field element and back. */
static inline vn_fp vn_fp_from(uint32_t x)
{
    return vn_fp_mul(x % VN_P, VN_FP_R2);
}

static inline uint32_t vn_fp_to(vn_fp a)
{
    return vn_fp_reduce(a);
}

static inline vn_fp vn_fp_from_i64(int64_t x)
{
    int64_t r = x % (int64_t)VN_P;
    return vn_fp_from((uint32_t)(r < 0 ? r + (int64_t)VN_P : r));
}

vn_fp vn_fp_pow(vn_fp a, uint64_t e);

/* Inverse; 0 maps to 0. */
vn_fp vn_fp_inv(vn_fp a);

/* Primitive 2^log_n-th root of unity, log_n <= VN_TWO_ADICITY: root(24)^(2^(24-log_n)). */
vn_fp vn_fp_root(unsigned log_n);

#endif
