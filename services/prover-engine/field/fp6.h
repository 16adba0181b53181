#ifndef VN_FP6_H
#define VN_FP6_H
/* The sextic extension F_p[x]/(x^6 + x^3 + 1). x has order 9, so x^i reduces by
 * x^6 = -x^3 - 1, x^7 = -x^4 - x, x^8 = -x^5 - x^2, x^9 = 1, and the Frobenius map is x -> x^2 (p = 2 mod 9).
 * Domain: coefficients are vn_fp (Montgomery, canonical), lowest power first. */

#include <string.h>

#include "services/prover-engine/field/fp.h"

struct vn_fp6 {
    vn_fp c[6];
};

static inline struct vn_fp6 vn_fp6_zero(void)
{
    return (struct vn_fp6){{0}};
}

static inline struct vn_fp6 vn_fp6_from_fp(vn_fp a)
{
    return (struct vn_fp6){{a, 0, 0, 0, 0, 0}};
}

static inline struct vn_fp6 vn_fp6_one(void)
{
    return vn_fp6_from_fp(VN_FP_ONE);
}

static inline struct vn_fp6 vn_fp6_add(struct vn_fp6 a, struct vn_fp6 b)
{
    for (int i = 0; i < 6; i++)
        a.c[i] = vn_fp_add(a.c[i], b.c[i]);
    return a;
}

static inline struct vn_fp6 vn_fp6_sub(struct vn_fp6 a, struct vn_fp6 b)
{
    for (int i = 0; i < 6; i++)
        a.c[i] = vn_fp_sub(a.c[i], b.c[i]);
    return a;
}

static inline struct vn_fp6 vn_fp6_neg(struct vn_fp6 a)
{
    return vn_fp6_sub(vn_fp6_zero(), a);
}

static inline struct vn_fp6 vn_fp6_mul_fp(struct vn_fp6 a, vn_fp b)
{
    for (int i = 0; i < 6; i++)
        a.c[i] = vn_fp_mul(a.c[i], b);
    return a;
}

static inline int vn_fp6_equal(const struct vn_fp6 *a, const struct vn_fp6 *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static inline int vn_fp6_is_zero(const struct vn_fp6 *a)
{
    return (a->c[0] | a->c[1] | a->c[2] | a->c[3] | a->c[4] | a->c[5]) == 0;
}

struct vn_fp6 vn_fp6_mul(struct vn_fp6 a, struct vn_fp6 b);
struct vn_fp6 vn_fp6_pow(struct vn_fp6 a, uint64_t e);

/* Frobenius a -> a^p: coefficient i moves to x^(2i mod 9). */
struct vn_fp6 vn_fp6_frobenius(struct vn_fp6 a);

/* Inverse through the norm a * a^p * ... * a^(p^5); 0 maps to 0. */
struct vn_fp6 vn_fp6_inv(struct vn_fp6 a);

#endif
