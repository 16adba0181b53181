/* A call's number means different functions in different generations; three tables translate it. Each function takes its parameters from the queue
 * with get() and appends results with put(); a missing parameter is the guest's error, found once at the end. */
#include <gmp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/vm/precompile/modular.h"
#include "services/prover-engine/vm/precompile/precompile.h"

enum function {
    NONE, K1_FP_INV, K1_FN_INV, K1_FP_SQRT, K1_VERIFY, R1_VERIFY, MSB_256, MSB_384, BN_FP_INV, BN_FP2_INV, BN_ADD_LINE, BN_DBL_LINE,
    BLS_FP_INV, BLS_FP_SQRT, BLS_FP2_INV, BLS_FP2_SQRT, BLS_ADD_LINE, BLS_DBL_LINE, U256_DIV, U256_INV, U256_INV_MOD, BIG_DIV, BINARY, INPUT_READY, FUNCTIONS
};

#define IDS 24

static const uint8_t by_id[3][IDS] = {
    {NONE, K1_FP_INV, K1_FN_INV, K1_FP_SQRT, MSB_256, NONE, BN_FP_INV, BN_FP2_INV, BN_ADD_LINE, BN_DBL_LINE, BLS_FP_INV, BLS_FP_SQRT, BLS_FP2_INV,
     BLS_ADD_LINE, BLS_DBL_LINE, MSB_384, U256_DIV, BIG_DIV, BINARY},
    {NONE, K1_FP_INV, K1_FN_INV, K1_FP_SQRT, MSB_256, NONE, BN_FP_INV, BN_FP2_INV, BN_ADD_LINE, BN_DBL_LINE, BLS_FP_INV, BLS_FP_SQRT, BLS_FP2_INV,
     BLS_ADD_LINE, BLS_DBL_LINE, MSB_384, U256_DIV, BIG_DIV, BINARY, BLS_FP2_SQRT, K1_VERIFY, R1_VERIFY, INPUT_READY},
    {NONE, K1_FP_INV, K1_FN_INV, K1_FP_SQRT, K1_VERIFY, R1_VERIFY, BN_FP_INV, BN_FP2_INV, BN_ADD_LINE, BN_DBL_LINE, BLS_FP_INV, BLS_FP_SQRT, BLS_FP2_INV,
     BLS_FP2_SQRT, BLS_ADD_LINE, BLS_DBL_LINE, BINARY, MSB_256, MSB_384, U256_DIV, U256_INV, U256_INV_MOD, BIG_DIV, INPUT_READY},
};

struct call {
    struct vn_fcall *f;
    size_t at; /* next parameter */
    int short_of;
    enum vn_abi abi;
    uint64_t input_end;
    const char *name;
    struct vn_error *err;
};

static const uint64_t no_words[VN_FCALL_PARAMS_MAX];

/* The next n parameters; zeros, and a note, if there are not as many. */
static const uint64_t *get(struct call *c, size_t n)
{
    if (n > c->f->n_params - c->at) {
        c->short_of = 1;
        return no_words;
    }
    const uint64_t *words = c->f->params + c->at;
    c->at += n;
    return words;
}

/* A length parameter and that many words. */
static const uint64_t *get_counted(struct call *c, size_t *n)
{
    uint64_t count = *get(c, 1);
    *n = count <= VN_FCALL_PARAMS_MAX ? (size_t)count : 0;
    c->short_of |= *n != count;
    return get(c, *n);
}

static uint64_t *put(struct call *c, size_t n)
{
    uint64_t *words = c->f->results + c->f->n_results;
    memset(words, 0, n * sizeof *words);
    c->f->n_results += n;
    return words;
}

static enum vn_status impossible(const struct call *c, const char *why)
{
    return vn_fail(c->err, VN_ERR_GUEST, "fcall %s: %s", c->name, why);
}

/* ---- Fields ---- */

/* pushed: words of the parameter, which may be more than the field has limbs. */
static enum vn_status inverse(struct call *c, const struct vn_field *f, size_t pushed)
{
    struct vn_fq a;
    vn_fq_load(f, &a, get(c, pushed));
    if (!vn_fq_inv(f, &a, &a))
        return impossible(c, "0 has no inverse");
    vn_fq_store(f, put(c, f->limbs), &a);
    return VN_OK;
}

static enum vn_status inverse2(struct call *c, const struct vn_field *f)
{
    struct vn_fq2 a;
    vn_fq2_load(f, &a, get(c, 2 * f->limbs));
    if (!vn_fq2_inv(f, &a, &a))
        return impossible(c, "0 has no inverse");
    vn_fq2_store(f, put(c, 2 * f->limbs), &a);
    return VN_OK;
}

/* Root of a, or of a times a fixed non-residue. parity: wanted lowest bit of a root of a, or -1. */
static enum vn_status root(struct call *c, const struct vn_field *f, const uint64_t *words, unsigned non_residue, int parity)
{
    struct vn_fq a, r, factor;
    vn_fq_load(f, &a, words);
    int square = vn_fq_sqrt(f, &r, &a);
    if (!square) {
        vn_fq_set(f, &factor, non_residue);
        vn_fq_mul(f, &a, &a, &factor);
        square = !vn_fq_sqrt(f, &r, &a);
    } else if (parity >= 0 && (int)(r.v[0] & 1) != parity) {
        vn_fq_set(f, &factor, 0);
        vn_fq_sub(f, &r, &factor, &r);
    }
    *put(c, 1) = (uint64_t)square;
    vn_fq_store(f, put(c, f->limbs), &r);
    return VN_OK;
}

static enum vn_status k1_root(struct call *c)
{
    const uint64_t *a = get(c, 4);
    uint64_t parity = *get(c, 1);
    return root(c, &vn_field_secp256k1_p, a, 3, parity <= 1 ? (int)parity : 2);
}

static enum vn_status bls_root2(struct call *c)
{
    const struct vn_field *f = &vn_field_bls12_381_p;
    struct vn_fq2 a, r = {0}, factor;
    vn_fq2_load(f, &a, get(c, 16));
    int square = vn_fq2_sqrt(f, &r, &a);
    if (!square) {
        vn_fq_set(f, &factor.re, 1);
        vn_fq_set(f, &factor.im, 1);
        vn_fq2_mul(f, &a, &a, &factor);
        square = !vn_fq2_sqrt(f, &r, &a);
    }
    *put(c, 1) = (uint64_t)square;
    vn_fq2_store(f, put(c, 12), &r);
    return VN_OK;
}

/* ---- Lines of the pairings: slope, and where the line meets x = 0 ---- */

static enum vn_status line(struct call *c, const struct vn_field *f, int doubling)
{
    struct vn_fq2 x1, y1, x2, y2, num, den, t;
    const uint64_t *p = get(c, 4 * f->limbs), *q = doubling ? p : get(c, 4 * f->limbs);
    vn_fq2_load(f, &x1, p);
    vn_fq2_load(f, &y1, p + 2 * f->limbs);
    vn_fq2_load(f, &x2, q);
    vn_fq2_load(f, &y2, q + 2 * f->limbs);
    if (doubling) {
        vn_fq2_mul(f, &t, &x1, &x1);
        vn_fq2_add(f, &num, &t, &t);
        vn_fq2_add(f, &num, &num, &t);
        vn_fq2_add(f, &den, &y1, &y1);
    } else {
        vn_fq2_sub(f, &num, &y2, &y1);
        vn_fq2_sub(f, &den, &x2, &x1);
    }
    if (!vn_fq2_inv(f, &den, &den))
        return impossible(c, "the line is vertical");
    vn_fq2_mul(f, &num, &num, &den);
    vn_fq2_mul(f, &t, &num, &x1);
    vn_fq2_sub(f, &t, &y1, &t);
    vn_fq2_store(f, put(c, 2 * f->limbs), &num);
    vn_fq2_store(f, put(c, 2 * f->limbs), &t);
    return VN_OK;
}

/* ---- ECDSA: (z / s) G + (r / s) PK ---- */

static enum vn_status verify(struct call *c, const struct vn_curve *curve)
{
    struct vn_point g, pk;
    struct vn_fq z, r, s;
    uint64_t k1[4], k2[4];
    vn_point_load(curve, &g, curve->generator);
    vn_point_load(curve, &pk, get(c, 8));
    vn_fq_load(curve->n, &z, get(c, 4));
    vn_fq_load(curve->n, &r, get(c, 4));
    vn_fq_load(curve->n, &s, get(c, 4));
    if (!vn_fq_inv(curve->n, &s, &s))
        return impossible(c, "s is 0");
    vn_fq_mul(curve->n, &z, &z, &s);
    vn_fq_mul(curve->n, &r, &r, &s);
    vn_fq_store(curve->n, k1, &z);
    vn_fq_store(curve->n, k2, &r);
    vn_point_mul2(curve, &g, k1, &g, k2, &pk);
    vn_point_store(curve, put(c, 8), &g);
    return VN_OK;
}

/* ---- Integers ---- */

/* Highest bit over n numbers of `limbs` limbs that lie `stride` words apart. */
static enum vn_status highest_bit(struct call *c, const uint64_t *words, size_t n, size_t stride, size_t limbs)
{
    for (size_t limb = limbs; limb-- > 0;) {
        uint64_t any = 0;
        for (size_t i = 0; i < n; i++)
            any |= words[i * stride + limb];
        if (any) {
            *put(c, 1) = limb;
            *put(c, 1) = 63u - (unsigned)__builtin_clzll(any);
            return VN_OK;
        }
    }
    return impossible(c, "all numbers are 0");
}

static enum vn_status highest_bit_256(struct call *c)
{
    uint64_t n = c->abi == VN_ABI_A ? 2 : *get(c, 1);
    if (n > VN_FCALL_PARAMS_MAX / 4)
        return impossible(c, "too many numbers");
    return highest_bit(c, get(c, 4 * (size_t)n), (size_t)n, 4, 4);
}

static void put_mpz(struct call *c, const mpz_t v, size_t words)
{
    uint64_t *out = put(c, words);
    memcpy(out, mpz_limbs_read(v), mpz_size(v) * sizeof *out);
}

static enum vn_status divide_256(struct call *c)
{
    mpz_t a, b, q, r;
    mpz_roinit_n(a, (const mp_limb_t *)get(c, 4), 4);
    mpz_roinit_n(b, (const mp_limb_t *)get(c, 4), 4);
    if (mpz_sgn(b) == 0)
        return impossible(c, "division by 0");
    mpz_inits(q, r, NULL);
    mpz_tdiv_qr(q, r, a, b);
    put_mpz(c, q, 4);
    put_mpz(c, r, 4);
    mpz_clears(q, r, NULL);
    return VN_OK;
}

/* Inverse modulo 2^256, or modulo a second parameter. */
static enum vn_status inverse_256(struct call *c, int with_modulus)
{
    mpz_t a, m, r;
    mpz_inits(m, r, NULL);
    mpz_roinit_n(a, (const mp_limb_t *)get(c, 4), 4);
    if (with_modulus) {
        mpz_t given;
        mpz_set(m, mpz_roinit_n(given, (const mp_limb_t *)get(c, 4), 4));
    } else {
        mpz_setbit(m, 256);
    }
    int exists = mpz_cmp_ui(m, 1) == 0 || (mpz_sgn(m) && mpz_invert(r, a, m));
    if (!exists || mpz_cmp_ui(m, 1) == 0)
        mpz_set_ui(r, 0);
    *put(c, 1) = (uint64_t)exists;
    put_mpz(c, r, 4);
    mpz_clears(m, r, NULL);
    return VN_OK;
}

/* Length and limbs of a result, in groups of four; 0 has none or one group. */
static void put_counted(struct call *c, const mpz_t v, size_t groups_of_zero)
{
    size_t groups = mpz_sgn(v) ? (mpz_size(v) + 3) / 4 : groups_of_zero;
    *put(c, 1) = 4 * groups;
    put_mpz(c, v, 4 * groups);
}

static enum vn_status divide_long(struct call *c)
{
    mpz_t a, b, q, r;
    size_t len_a, len_b;
    const uint64_t *words_a = get_counted(c, &len_a), *words_b = get_counted(c, &len_b);
    mpz_roinit_n(a, (const mp_limb_t *)words_a, (mp_size_t)len_a);
    mpz_roinit_n(b, (const mp_limb_t *)words_b, (mp_size_t)len_b);
    if (mpz_sgn(b) == 0)
        return impossible(c, "division by 0");
    mpz_inits(q, r, NULL);
    mpz_tdiv_qr(q, r, a, b);
    put_counted(c, q, c->abi == VN_ABI_C);
    put_counted(c, r, 1);
    mpz_clears(q, r, NULL);
    return VN_OK;
}

static enum vn_status binary(struct call *c)
{
    size_t limbs;
    const uint64_t *x = get_counted(c, &limbs);
    while (limbs && !x[limbs - 1])
        limbs--;
    size_t bits = limbs ? 64 * limbs - (unsigned)__builtin_clzll(x[limbs - 1]) : c->abi == VN_ABI_C;
    if (bits >= VN_FCALL_RESULTS_MAX)
        return impossible(c, "the number is too long");
    *put(c, 1) = bits;
    uint64_t *out = put(c, bits);
    for (size_t i = 0; limbs && i < bits; i++)
        out[i] = x[(bits - 1 - i) / 64] >> (bits - 1 - i) % 64 & 1;
    return VN_OK;
}

static enum vn_status input_ready(struct call *c)
{
    uint64_t addr = *get(c, 1);
    if (addr >= c->input_end)
        return vn_fail(c->err, VN_ERR_GUEST, "fcall %s: the guest waits for input up to 0x%" PRIx64 ", but it ends at 0x%" PRIx64, c->name, addr, c->input_end);
    return VN_OK;
}

/* ---- Dispatch ---- */

static enum vn_status run(struct call *c, enum function which)
{
    switch (which) {
    case K1_FP_INV: return inverse(c, &vn_field_secp256k1_p, 4);
    case K1_FN_INV: return inverse(c, &vn_field_secp256k1_n, 4);
    case K1_FP_SQRT: return k1_root(c);
    case K1_VERIFY: return verify(c, &vn_curve_secp256k1);
    case R1_VERIFY: return verify(c, &vn_curve_secp256r1);
    case MSB_256: return highest_bit_256(c);
    case MSB_384: return highest_bit(c, get(c, 16), 2, 8, 6);
    case BN_FP_INV: return inverse(c, &vn_field_bn254_p, 4);
    case BN_FP2_INV: return inverse2(c, &vn_field_bn254_p);
    case BN_ADD_LINE: return line(c, &vn_field_bn254_p, 0);
    case BN_DBL_LINE: return line(c, &vn_field_bn254_p, 1);
    case BLS_FP_INV: return inverse(c, &vn_field_bls12_381_p, 8);
    case BLS_FP_SQRT: return root(c, &vn_field_bls12_381_p, get(c, 8), 2, -1);
    case BLS_FP2_INV: return inverse2(c, &vn_field_bls12_381_p);
    case BLS_FP2_SQRT: return bls_root2(c);
    case BLS_ADD_LINE: return line(c, &vn_field_bls12_381_p, 0);
    case BLS_DBL_LINE: return line(c, &vn_field_bls12_381_p, 1);
    case U256_DIV: return divide_256(c);
    case U256_INV: return inverse_256(c, 0);
    case U256_INV_MOD: return inverse_256(c, 1);
    case BIG_DIV: return divide_long(c);
    case BINARY: return binary(c);
    case INPUT_READY: return input_ready(c);
    case NONE: case FUNCTIONS: break;
    }
    return vn_fail(c->err, VN_ERR_INTERNAL, "no such function");
}

static const char *const names[FUNCTIONS] = {
    "", "secp256k1-fp-inv", "secp256k1-fn-inv", "secp256k1-fp-sqrt", "secp256k1-ecdsa-verify", "secp256r1-ecdsa-verify", "msb-pos-256", "msb-pos-384",
    "bn254-fp-inv", "bn254-fp2-inv", "bn254-twist-add-line", "bn254-twist-dbl-line", "bls12-381-fp-inv", "bls12-381-fp-sqrt", "bls12-381-fp2-inv",
    "bls12-381-fp2-sqrt", "bls12-381-twist-add-line", "bls12-381-twist-dbl-line", "u256-div", "u256-inv", "u256-inv-mod", "bigint-div", "bin-decomp", "input-ready",
};

enum vn_status vn_fcall_run(struct vn_fcall *f, unsigned id, enum vn_abi abi, uint64_t input_end, struct vn_error *err)
{
    enum function which = id < IDS ? (enum function)by_id[abi - VN_ABI_A][id] : NONE;
    if (which == NONE)
        return vn_fail(err, VN_ERR_GUEST, "ABI generation %c has no fcall %u", abi, id);
    struct call c = {.f = f, .abi = abi, .input_end = input_end, .name = names[which], .err = err};
    f->n_results = f->next = 0;
    enum vn_status s = run(&c, which);
    if (c.short_of)
        s = vn_fail(err, VN_ERR_GUEST, "fcall %s: only %zu parameter words", c.name, f->n_params);
    f->n_params = 0;
    return s;
}

/* ---- Queues ---- */

enum vn_status vn_fcall_push(struct vn_fcall *f, unsigned k, uint64_t value, const struct vn_guest_port *port, struct vn_error *err)
{
    static const uint16_t widths[16] = {1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64, 80, 96, 128, 256};
    size_t n = widths[k & 15];
    if (n > VN_FCALL_PARAMS_MAX - f->n_params)
        return vn_fail(err, VN_ERR_GUEST, "more than %u fcall parameter words", VN_FCALL_PARAMS_MAX);
    if ((k & 15) == 0)
        f->params[f->n_params] = value;
    else if (value % 8)
        return vn_fail(err, VN_ERR_GUEST, "fcall parameters at 0x%" PRIx64 " are not 8-byte aligned", value);
    else if (port->read(port->ctx, value, f->params + f->n_params, 8 * n))
        return vn_fail(err, VN_ERR_GUEST, "fcall parameters at 0x%" PRIx64 ", where there is no memory", value);
    f->n_params += n;
    return VN_OK;
}

uint64_t vn_fcall_current(const struct vn_fcall *f)
{
    return f->next < f->n_results ? f->results[f->next] : 0;
}

enum vn_status vn_fcall_take(struct vn_fcall *f, uint64_t *word, struct vn_error *err)
{
    if (f->next >= f->n_results)
        return vn_fail(err, VN_ERR_GUEST, "reads past the %zu result words of the last fcall", f->n_results);
    *word = f->results[f->next++];
    return VN_OK;
}

enum vn_status vn_fcall_copy(struct vn_fcall *f, uint64_t dst, uint64_t bytes, const struct vn_guest_port *port, struct vn_error *err)
{
    if (bytes % 8 || bytes / 8 > f->n_results - f->next)
        return vn_fail(err, VN_ERR_GUEST, "copies %" PRIu64 " bytes of fcall results; %zu words are left", bytes, f->n_results - f->next);
    if (bytes && port->write(port->ctx, dst, f->results + f->next, bytes))
        return vn_fail(err, VN_ERR_GUEST, "copies fcall results to 0x%" PRIx64 ", where there is no writable memory", dst);
    f->next += bytes / 8;
    return VN_OK;
}
