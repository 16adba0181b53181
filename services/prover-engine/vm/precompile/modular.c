/* Elements are plain limb arrays, so nothing is allocated except inside GMP's inversion and exponentiation.
 * Points stay affine, as the guest has them; only a long multiplication goes through Jacobian coordinates to save its inversions. */
#include "services/prover-engine/vm/precompile/modular.h"

#include <assert.h>
#include <string.h>

_Static_assert(GMP_NUMB_BITS == 64, "limbs are guest words");

const struct vn_field vn_field_secp256k1_p = {4, {0xfffffffefffffc2f, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff}};
const struct vn_field vn_field_secp256k1_n = {4, {0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff}};
const struct vn_field vn_field_secp256r1_p = {4, {0xffffffffffffffff, 0x00000000ffffffff, 0x0000000000000000, 0xffffffff00000001}};
const struct vn_field vn_field_secp256r1_n = {4, {0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000}};
const struct vn_field vn_field_bn254_p = {4, {0x3c208c16d87cfd47, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029}};
const struct vn_field vn_field_bls12_381_p = {
    6, {0xb9feffffffffaaab, 0x1eabfffeb153ffff, 0x6730d2a0f6b0f624, 0x64774b84f38512bf, 0x4b1ba7b6434bacd7, 0x1a0111ea397fe69a}};

/* Parameters: SEC 2, section 2.4.1 and 2.7.1 (version 2); EIP-196; the IETF pairing-friendly curves draft. */
const struct vn_curve vn_curve_secp256k1 = {
    &vn_field_secp256k1_p, &vn_field_secp256k1_n, 0,
    {0x59f2815b16f81798, 0x029bfcdb2dce28d9, 0x55a06295ce870b07, 0x79be667ef9dcbbac, 0x9c47d08ffb10d4b8, 0xfd17b448a6855419, 0x5da4fbfc0e1108a8, 0x483ada7726a3c465}};
const struct vn_curve vn_curve_secp256r1 = {
    &vn_field_secp256r1_p, &vn_field_secp256r1_n, -3,
    {0xf4a13945d898c296, 0x77037d812deb33a0, 0xf8bce6e563a440f2, 0x6b17d1f2e12c4247, 0xcbb6406837bf51f5, 0x2bce33576b315ece, 0x8ee7eb4a7c0f9e16, 0x4fe342e2fe1a7f9b}};
const struct vn_curve vn_curve_bn254 = {&vn_field_bn254_p, NULL, 0, {0}};
const struct vn_curve vn_curve_bls12_381 = {&vn_field_bls12_381_p, NULL, 0, {0}};

/* ---- Fields ---- */

void vn_fq_load(const struct vn_field *f, struct vn_fq *r, const uint64_t *words)
{
    mp_limb_t quotient[1];
    memcpy(r->v, words, f->limbs * sizeof *words);
    if (mpn_cmp(r->v, f->p, f->limbs) >= 0)
        mpn_tdiv_qr(quotient, r->v, 0, r->v, f->limbs, f->p, f->limbs);
}

void vn_fq_store(const struct vn_field *f, uint64_t *words, const struct vn_fq *a)
{
    memcpy(words, a->v, f->limbs * sizeof *words);
}

void vn_fq_set(const struct vn_field *f, struct vn_fq *r, unsigned small)
{
    memset(r->v, 0, f->limbs * sizeof *r->v);
    r->v[0] = small;
}

int vn_fq_is_zero(const struct vn_field *f, const struct vn_fq *a)
{
    return mpn_zero_p(a->v, f->limbs);
}

int vn_fq_equal(const struct vn_field *f, const struct vn_fq *a, const struct vn_fq *b)
{
    return mpn_cmp(a->v, b->v, f->limbs) == 0;
}

void vn_fq_add(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a, const struct vn_fq *b)
{
    mp_limb_t carry = mpn_add_n(r->v, a->v, b->v, f->limbs);
    if (carry || mpn_cmp(r->v, f->p, f->limbs) >= 0)
        mpn_sub_n(r->v, r->v, f->p, f->limbs);
}

void vn_fq_sub(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a, const struct vn_fq *b)
{
    if (mpn_sub_n(r->v, a->v, b->v, f->limbs))
        mpn_add_n(r->v, r->v, f->p, f->limbs);
}

void vn_fq_mul(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a, const struct vn_fq *b)
{
    mp_limb_t product[2 * VN_FQ_LIMBS], quotient[VN_FQ_LIMBS + 1];
    mpn_mul_n(product, a->v, b->v, f->limbs);
    mpn_tdiv_qr(quotient, r->v, 0, product, 2 * f->limbs, f->p, f->limbs);
}

static void from_mpz(const struct vn_field *f, struct vn_fq *r, const mpz_t z)
{
    size_t n = mpz_size(z);
    assert(n <= f->limbs);
    memset(r->v, 0, f->limbs * sizeof *r->v);
    if (n)
        memcpy(r->v, mpz_limbs_read(z), n * sizeof *r->v);
}

int vn_fq_inv(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a)
{
    mpz_t p, x, inverse;
    mpz_init(inverse);
    int ok = mpz_invert(inverse, mpz_roinit_n(x, a->v, f->limbs), mpz_roinit_n(p, f->p, f->limbs));
    if (ok)
        from_mpz(f, r, inverse);
    mpz_clear(inverse);
    return ok;
}

/* The exponent (p + plus) >> shift. */
static void exponent(const struct vn_field *f, mpz_t e, struct vn_fq_power power)
{
    mpz_t p;
    mpz_init(e);
    mpz_roinit_n(p, f->p, f->limbs);
    if (power.plus >= 0)
        mpz_add_ui(e, p, (unsigned)power.plus);
    else
        mpz_sub_ui(e, p, (unsigned)-power.plus);
    mpz_tdiv_q_2exp(e, e, power.shift);
}

void vn_fq_pow(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a, struct vn_fq_power power)
{
    mpz_t p, x, e, result;
    exponent(f, e, power);
    mpz_init(result);
    mpz_powm(result, mpz_roinit_n(x, a->v, f->limbs), e, mpz_roinit_n(p, f->p, f->limbs));
    from_mpz(f, r, result);
    mpz_clear(result);
    mpz_clear(e);
}

int vn_fq_sqrt(const struct vn_field *f, struct vn_fq *r, const struct vn_fq *a)
{
    struct vn_fq value = *a, square;
    vn_fq_pow(f, r, a, (struct vn_fq_power){1, 2});
    vn_fq_mul(f, &square, r, r);
    return vn_fq_equal(f, &square, &value);
}

/* ---- Quadratic extensions ---- */

void vn_fq2_load(const struct vn_field *f, struct vn_fq2 *r, const uint64_t *words)
{
    vn_fq_load(f, &r->re, words);
    vn_fq_load(f, &r->im, words + f->limbs);
}

void vn_fq2_store(const struct vn_field *f, uint64_t *words, const struct vn_fq2 *a)
{
    vn_fq_store(f, words, &a->re);
    vn_fq_store(f, words + f->limbs, &a->im);
}

int vn_fq2_is_zero(const struct vn_field *f, const struct vn_fq2 *a)
{
    return vn_fq_is_zero(f, &a->re) && vn_fq_is_zero(f, &a->im);
}

void vn_fq2_add(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a, const struct vn_fq2 *b)
{
    vn_fq_add(f, &r->re, &a->re, &b->re);
    vn_fq_add(f, &r->im, &a->im, &b->im);
}

void vn_fq2_sub(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a, const struct vn_fq2 *b)
{
    vn_fq_sub(f, &r->re, &a->re, &b->re);
    vn_fq_sub(f, &r->im, &a->im, &b->im);
}

void vn_fq2_mul(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a, const struct vn_fq2 *b)
{
    struct vn_fq re, im, t;
    vn_fq_mul(f, &re, &a->re, &b->re);
    vn_fq_mul(f, &t, &a->im, &b->im);
    vn_fq_sub(f, &re, &re, &t);
    vn_fq_mul(f, &im, &a->re, &b->im);
    vn_fq_mul(f, &t, &a->im, &b->re);
    vn_fq_add(f, &r->im, &im, &t);
    r->re = re;
}

int vn_fq2_inv(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a)
{
    struct vn_fq norm, t, zero;
    vn_fq_set(f, &zero, 0);
    vn_fq_mul(f, &norm, &a->re, &a->re);
    vn_fq_mul(f, &t, &a->im, &a->im);
    vn_fq_add(f, &norm, &norm, &t);
    if (!vn_fq_inv(f, &norm, &norm))
        return 0;
    vn_fq_mul(f, &r->re, &a->re, &norm);
    vn_fq_sub(f, &t, &zero, &a->im);
    vn_fq_mul(f, &r->im, &t, &norm);
    return 1;
}

static void fq2_pow(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a, struct vn_fq_power power)
{
    struct vn_fq2 base = *a;
    mpz_t e;
    exponent(f, e, power);
    vn_fq_set(f, &r->re, 1);
    vn_fq_set(f, &r->im, 0);
    for (size_t i = mpz_sizeinbase(e, 2); i-- > 0;) {
        vn_fq2_mul(f, r, r, r);
        if (mpz_tstbit(e, i))
            vn_fq2_mul(f, r, r, &base);
    }
    mpz_clear(e);
}

int vn_fq2_sqrt(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a)
{
    struct vn_fq2 a1, alpha, conjugate, norm, x0, b, one = {0}, i = {0};
    struct vn_fq2 minus_one, zero = {0};
    vn_fq_set(f, &one.re, 1);
    vn_fq_set(f, &i.im, 1);
    vn_fq2_sub(f, &minus_one, &zero, &one);
    fq2_pow(f, &a1, a, (struct vn_fq_power){-3, 2});
    vn_fq2_mul(f, &x0, &a1, a);
    vn_fq2_mul(f, &alpha, &a1, &x0);
    conjugate.re = alpha.re;
    vn_fq_sub(f, &conjugate.im, &zero.im, &alpha.im);
    vn_fq2_mul(f, &norm, &conjugate, &alpha);
    vn_fq2_sub(f, &norm, &norm, &minus_one);
    if (vn_fq2_is_zero(f, &norm))
        return 0;
    vn_fq2_sub(f, &b, &alpha, &minus_one);
    if (vn_fq2_is_zero(f, &b))
        b = i;
    else
        fq2_pow(f, &b, &b, (struct vn_fq_power){-1, 1});
    vn_fq2_mul(f, r, &b, &x0);
    return 1;
}

/* ---- Curves ---- */

void vn_point_load(const struct vn_curve *c, struct vn_point *r, const uint64_t *words)
{
    vn_fq_load(c->p, &r->x, words);
    vn_fq_load(c->p, &r->y, words + c->p->limbs);
    r->infinity = 0;
}

void vn_point_store(const struct vn_curve *c, uint64_t *words, const struct vn_point *a)
{
    if (a->infinity) {
        memset(words, 0, 2 * c->p->limbs * sizeof *words);
        return;
    }
    vn_fq_store(c->p, words, &a->x);
    vn_fq_store(c->p, words + c->p->limbs, &a->y);
}

/* Slope of the tangent in a; 0 if it is vertical. */
static int tangent(const struct vn_curve *c, struct vn_fq *slope, const struct vn_point *a)
{
    const struct vn_field *f = c->p;
    struct vn_fq num, den, t;
    vn_fq_mul(f, &t, &a->x, &a->x);
    vn_fq_add(f, &num, &t, &t);
    vn_fq_add(f, &num, &num, &t);
    vn_fq_set(f, &t, (unsigned)-c->a);
    vn_fq_sub(f, &num, &num, &t);
    vn_fq_add(f, &den, &a->y, &a->y);
    if (!vn_fq_inv(f, &den, &den))
        return 0;
    vn_fq_mul(f, slope, &num, &den);
    return 1;
}

void vn_point_add(const struct vn_curve *c, struct vn_point *r, const struct vn_point *a, const struct vn_point *b)
{
    const struct vn_field *f = c->p;
    struct vn_fq slope, t, x;
    if (a->infinity || b->infinity) {
        *r = a->infinity ? *b : *a;
        return;
    }
    if (vn_fq_equal(f, &a->x, &b->x)) {
        if (!vn_fq_equal(f, &a->y, &b->y) || !tangent(c, &slope, a)) {
            r->infinity = 1;
            return;
        }
    } else {
        vn_fq_sub(f, &t, &b->x, &a->x);
        int inverted = vn_fq_inv(f, &t, &t);
        assert(inverted);
        vn_fq_sub(f, &slope, &b->y, &a->y);
        vn_fq_mul(f, &slope, &slope, &t);
    }
    vn_fq_mul(f, &x, &slope, &slope);
    vn_fq_sub(f, &x, &x, &a->x);
    vn_fq_sub(f, &x, &x, &b->x);
    vn_fq_sub(f, &t, &a->x, &x);
    vn_fq_mul(f, &t, &t, &slope);
    vn_fq_sub(f, &r->y, &t, &a->y);
    r->x = x;
    r->infinity = 0;
}

/* ---- Two scalars at once ---- */

/* (x / z^2, y / z^3); z = 0 is the point at infinity. */
struct jacobian {
    struct vn_fq x, y, z;
};

static void jacobian_double(const struct vn_curve *c, struct jacobian *r)
{
    const struct vn_field *f = c->p;
    struct vn_fq yy, s, m, t, small;
    vn_fq_mul(f, &yy, &r->y, &r->y);
    vn_fq_mul(f, &s, &r->x, &yy);
    vn_fq_add(f, &s, &s, &s);
    vn_fq_add(f, &s, &s, &s);
    vn_fq_mul(f, &t, &r->x, &r->x);
    vn_fq_add(f, &m, &t, &t);
    vn_fq_add(f, &m, &m, &t);
    if (c->a) {
        vn_fq_mul(f, &t, &r->z, &r->z);
        vn_fq_mul(f, &t, &t, &t);
        vn_fq_set(f, &small, (unsigned)-c->a);
        vn_fq_mul(f, &t, &t, &small);
        vn_fq_sub(f, &m, &m, &t);
    }
    vn_fq_mul(f, &t, &r->y, &r->z);
    vn_fq_add(f, &r->z, &t, &t);
    vn_fq_mul(f, &t, &m, &m);
    vn_fq_sub(f, &t, &t, &s);
    vn_fq_sub(f, &r->x, &t, &s);
    vn_fq_sub(f, &s, &s, &r->x);
    vn_fq_mul(f, &s, &s, &m);
    vn_fq_mul(f, &t, &yy, &yy);
    for (int i = 0; i < 3; i++)
        vn_fq_add(f, &t, &t, &t);
    vn_fq_sub(f, &r->y, &s, &t);
}

static void jacobian_add(const struct vn_curve *c, struct jacobian *r, const struct vn_point *b)
{
    const struct vn_field *f = c->p;
    struct vn_fq zz, h, d, hh, t;
    if (b->infinity)
        return;
    if (vn_fq_is_zero(f, &r->z)) {
        r->x = b->x;
        r->y = b->y;
        vn_fq_set(f, &r->z, 1);
        return;
    }
    vn_fq_mul(f, &zz, &r->z, &r->z);
    vn_fq_mul(f, &h, &b->x, &zz);
    vn_fq_sub(f, &h, &h, &r->x);
    vn_fq_mul(f, &d, &b->y, &zz);
    vn_fq_mul(f, &d, &d, &r->z);
    vn_fq_sub(f, &d, &d, &r->y);
    if (vn_fq_is_zero(f, &h) && vn_fq_is_zero(f, &d)) {
        jacobian_double(c, r);
        return;
    }
    vn_fq_mul(f, &r->z, &r->z, &h); /* 0 if the points are opposite */
    vn_fq_mul(f, &hh, &h, &h);
    vn_fq_mul(f, &h, &hh, &h);
    vn_fq_mul(f, &hh, &hh, &r->x);
    vn_fq_mul(f, &t, &d, &d);
    vn_fq_sub(f, &t, &t, &h);
    vn_fq_sub(f, &t, &t, &hh);
    vn_fq_sub(f, &r->x, &t, &hh);
    vn_fq_sub(f, &hh, &hh, &r->x);
    vn_fq_mul(f, &hh, &hh, &d);
    vn_fq_mul(f, &h, &h, &r->y);
    vn_fq_sub(f, &r->y, &hh, &h);
}

void vn_point_mul2(const struct vn_curve *c, struct vn_point *r, const uint64_t k1[4], const struct vn_point *p1, const uint64_t k2[4], const struct vn_point *p2)
{
    const struct vn_field *f = c->p;
    struct vn_point terms[3] = {*p1, *p2};
    struct jacobian sum = {0};
    struct vn_fq inverse, t;
    vn_point_add(c, &terms[2], p1, p2);
    for (unsigned i = 256; i-- > 0;) {
        unsigned which = (unsigned)(k1[i / 64] >> i % 64 & 1) | (unsigned)(k2[i / 64] >> i % 64 & 1) << 1;
        jacobian_double(c, &sum);
        if (which)
            jacobian_add(c, &sum, &terms[which - 1]);
    }
    r->infinity = !vn_fq_inv(f, &inverse, &sum.z);
    if (r->infinity)
        return;
    vn_fq_mul(f, &t, &inverse, &inverse);
    vn_fq_mul(f, &r->x, &sum.x, &t);
    vn_fq_mul(f, &t, &t, &inverse);
    vn_fq_mul(f, &r->y, &sum.y, &t);
}
