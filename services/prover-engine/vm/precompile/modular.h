#ifndef VN_MODULAR_H
#define VN_MODULAR_H
/* Prime fields of four and six limbs, their quadratic extensions by i (i^2 = -1), and affine points over them; GMP does the arithmetic.
 * Domain: canonical numbers in and out. Alias: every output may be an input. */

#include <gmp.h>
#include <stddef.h>
#include <stdint.h>

#define VN_FQ_LIMBS 6

struct vn_field {
    unsigned limbs;          /* 4 or 6; the top limb of p is not 0 */
    mp_limb_t p[VN_FQ_LIMBS];
};

struct vn_fq {
    mp_limb_t v[VN_FQ_LIMBS]; /* only field->limbs of them count */
};

struct vn_fq2 {
    struct vn_fq re, im;
};

extern const struct vn_field vn_field_secp256k1_p, vn_field_secp256k1_n, vn_field_secp256r1_p, vn_field_secp256r1_n, vn_field_bn254_p, vn_field_bls12_381_p;

/* Words to element (reduced) and back. */
void vn_fq_load(const struct vn_field *f, struct vn_fq *r, const uint64_t *words);
void vn_fq_store(const struct vn_field *f, uint64_t *words, const struct vn_fq *a);
void vn_fq_set(const struct vn_field *f, struct vn_fq *r, unsigned small);
int vn_fq_is_zero(const struct vn_field *f, const struct vn_fq *a);
int vn_fq_equal(const struct vn_field *f, const struct vn_fq *a, const struct vn_fq *b);
void vn_fq_add(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a, const struct vn_fq *b);
void vn_fq_sub(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a, const struct vn_fq *b);
void vn_fq_mul(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a, const struct vn_fq *b);
int vn_fq_inv(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a); /* 0 if a = 0 */

/* a^((p + plus) >> shift); plus may be negative. */
struct vn_fq_power {
    int plus;
    unsigned shift;
};
void vn_fq_pow(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a, struct vn_fq_power e);

/* Root of a in a field with p = 3 mod 4: a^((p + 1) / 4). 0 if a is no square (r is then a root of -a). */
int vn_fq_sqrt(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a);

void vn_fq2_load(const struct vn_field *f, struct vn_fq2 *r, const uint64_t *words); /* real limbs, then imaginary limbs */
void vn_fq2_store(const struct vn_field *f, uint64_t *words, const struct vn_fq2 *a);
int vn_fq2_is_zero(const struct vn_field *f, const struct vn_fq2 *a);
void vn_fq2_add(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a, const struct vn_fq2 *b);
void vn_fq2_sub(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a, const struct vn_fq2 *b);
void vn_fq2_mul(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a, const struct vn_fq2 *b);
int vn_fq2_inv(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a);

/* Root of a for p = 3 mod 4; which of the two is fixed by the method. 0 if a is no square (r unchanged).
 * Source: Adj, Rodriguez-Henriquez, "Square root computation over even extension fields" (eprint 2012/685), algorithm 9. */
int vn_fq2_sqrt(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a);

/* Affine point of y^2 = x^3 + a x + b. */
struct vn_point {
    struct vn_fq x, y;
    int infinity;
};

struct vn_curve {
    const struct vn_field *p, *n; /* n: the group's order, NULL where nobody needs it */
    int a;                        /* small: 0 or -3 */
    uint64_t generator[8];        /* with n only */
};

extern const struct vn_curve vn_curve_secp256k1, vn_curve_secp256r1, vn_curve_bn254, vn_curve_bls12_381;

void vn_point_load(const struct vn_curve *c, struct vn_point *r, const uint64_t *words); /* x, y; never the point at infinity */
void vn_point_store(const struct vn_curve *c, uint64_t *words, const struct vn_point *a); /* infinity: zeros */
/* Full group law. */
void vn_point_add(const struct vn_curve *c, struct vn_point *r, const struct vn_point *a, const struct vn_point *b);
/* k1 p1 + k2 p2, scalars of four limbs. */
void vn_point_mul2(const struct vn_curve *c, struct vn_point *r, const uint64_t k1[4], const struct vn_point *p1, const uint64_t k2[4], const struct vn_point *p2);

#endif
