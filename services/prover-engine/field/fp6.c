/* Schoolbook product; the products of one power are added up as 64-bit numbers kept below p * 2^32 and reduced once.
 * The inverse multiplies the five conjugates and divides by the norm. */
#include "services/prover-engine/field/fp6.h"

/* Brings a polynomial of degree <= 10 to degree <= 5, see the header for the identities. */
static struct vn_fp6 reduce(const vn_fp t[11])
{
    struct vn_fp6 r;
    r.c[0] = vn_fp_add(vn_fp_sub(t[0], t[6]), t[9]);
    r.c[1] = vn_fp_add(vn_fp_sub(t[1], t[7]), t[10]);
    r.c[2] = vn_fp_sub(t[2], t[8]);
    r.c[3] = vn_fp_sub(t[3], t[6]);
    r.c[4] = vn_fp_sub(t[4], t[7]);
    r.c[5] = vn_fp_sub(t[5], t[8]);
    return r;
}

/* x < 2^64 and below 2 p * 2^32; the same modulo p, below p * 2^32. */
static inline uint64_t fold(uint64_t x)
{
    const uint64_t limit = (uint64_t)VN_P << 32;
    return x >= limit ? x - limit : x;
}

struct vn_fp6 vn_fp6_mul(struct vn_fp6 a, struct vn_fp6 b)
{
    vn_fp t[11];
#pragma GCC unroll 11
    for (int k = 0; k <= 10; k++) {
        uint64_t sum = 0;
        int first = k > 5 ? k - 5 : 0, last = k < 5 ? k : 5;
#pragma GCC unroll 6
        for (int i = first; i <= last; i++) {
            sum += (uint64_t)a.c[i] * b.c[k - i];
            if ((i - first) % 2 || i == last) /* two products and what was there fit */
                sum = fold(sum);
        }
        t[k] = vn_fp_reduce(sum);
    }
    return reduce(t);
}

struct vn_fp6 vn_fp6_pow(struct vn_fp6 a, uint64_t e)
{
    struct vn_fp6 r = vn_fp6_one();
    for (; e; e >>= 1) {
        if (e & 1)
            r = vn_fp6_mul(r, a);
        a = vn_fp6_mul(a, a);
    }
    return r;
}

struct vn_fp6 vn_fp6_frobenius(struct vn_fp6 a)
{
    vn_fp t[11] = {0};
    for (int i = 0; i < 6; i++)
        t[2 * i % 9] = a.c[i];
    return reduce(t);
}

struct vn_fp6 vn_fp6_inv(struct vn_fp6 a)
{
    struct vn_fp6 f1 = vn_fp6_frobenius(a);                 /* a^p */
    struct vn_fp6 f12 = vn_fp6_mul(f1, vn_fp6_frobenius(f1)); /* a^(p + p^2) */
    struct vn_fp6 f34 = vn_fp6_frobenius(vn_fp6_frobenius(f12));
    struct vn_fp6 f5 = vn_fp6_frobenius(vn_fp6_frobenius(vn_fp6_frobenius(vn_fp6_frobenius(f1))));
    struct vn_fp6 rest = vn_fp6_mul(vn_fp6_mul(f12, f34), f5); /* a^(p + ... + p^5) */
    vn_fp norm = vn_fp6_mul(a, rest).c[0];                  /* lies in F_p */
    return vn_fp6_mul_fp(rest, vn_fp_inv(norm));
}
