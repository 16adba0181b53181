/* Each precompile reads its operands into local arrays, computes, and writes back; pointers are checked as they are followed. A table says what a
 * CSR is called, since when it exists and which computation with which parameter it stands for. */
#include "services/prover-engine/vm/precompile/precompile.h"

#include <gmp.h>
#include <inttypes.h>
#include <string.h>

#include "services/prover-engine/vm/precompile/modular.h"
#include "services/prover-engine/vm/precompile/permutations.h"

#define LIMBS_MAX 6

/* ---- Operands ---- */

struct call {
    const struct vn_guest_port *port;
    const char *name;
    enum vn_abi abi;
    uint64_t arg, rd;
    struct vn_error *err;
};

static enum vn_status read_words(const struct call *c, uint64_t addr, uint64_t *words, size_t n)
{
    if (addr % 8)
        return vn_fail(c->err, VN_ERR_GUEST, "%s: operand at 0x%" PRIx64 " is not 8-byte aligned", c->name, addr);
    if (c->port->read(c->port->ctx, addr, words, 8 * n))
        return vn_fail(c->err, VN_ERR_GUEST, "%s: operand at 0x%" PRIx64 ", where there is no memory", c->name, addr);
    return VN_OK;
}

static enum vn_status write_words(const struct call *c, uint64_t addr, const uint64_t *words, size_t n)
{
    if (addr % 8)
        return vn_fail(c->err, VN_ERR_GUEST, "%s: result at 0x%" PRIx64 " is not 8-byte aligned", c->name, addr);
    if (c->port->write(c->port->ctx, addr, words, 8 * n))
        return vn_fail(c->err, VN_ERR_GUEST, "%s: result at 0x%" PRIx64 ", where there is no writable memory", c->name, addr);
    return VN_OK;
}

/* Operand i of a structure of pointers at c->arg. */
static enum vn_status read_operand(const struct call *c, const uint64_t *pointers, unsigned i, uint64_t *words, size_t n)
{
    return read_words(c, pointers[i], words, n);
}

/* ---- Hashes ---- */

static enum vn_status keccak(struct call *c, const void *with)
{
    (void)with;
    uint64_t state[25];
    enum vn_status s = read_words(c, c->arg, state, 25);
    if (s)
        return s;
    vn_keccak_f(state);
    return write_words(c, c->arg, state, 25);
}

static enum vn_status poseidon2(struct call *c, const void *with)
{
    (void)with;
    uint64_t state[16];
    enum vn_status s = read_words(c, c->arg, state, 16);
    if (s)
        return s;
    vn_poseidon2_goldilocks(state);
    return write_words(c, c->arg, state, 16);
}

/* Halves in generation A come as the most significant first; later the state is native 32-bit words and the block raw bytes. */
static enum vn_status sha256(struct call *c, const void *with)
{
    (void)with;
    uint64_t pointers[2], state[4], block[8];
    uint32_t h[8], w[16];
    enum vn_status s = read_words(c, c->arg, pointers, 2);
    if (!s)
        s = read_operand(c, pointers, 0, state, 4);
    if (!s)
        s = read_operand(c, pointers, 1, block, 8);
    if (s)
        return s;
    int big_first = c->abi == VN_ABI_A;
    for (unsigned i = 0; i < 8; i++)
        h[i] = (uint32_t)(state[i / 2] >> ((i % 2 == 0) == big_first ? 32 : 0));
    for (unsigned i = 0; i < 16; i++) {
        uint64_t v = big_first ? block[i / 2] : __builtin_bswap64(block[i / 2]);
        w[i] = (uint32_t)(v >> (i % 2 == 0 ? 32 : 0));
    }
    vn_sha256_compress(h, w);
    for (unsigned i = 0; i < 4; i++)
        state[i] = big_first ? (uint64_t)h[2 * i] << 32 | h[2 * i + 1] : (uint64_t)h[2 * i + 1] << 32 | h[2 * i];
    return write_words(c, pointers[0], state, 4);
}

static enum vn_status blake2b(struct call *c, const void *with)
{
    (void)with;
    uint64_t fields[3], state[16], message[16];
    enum vn_status s = read_words(c, c->arg, fields, 3);
    if (!s)
        s = read_operand(c, fields, 1, state, 16);
    if (!s)
        s = read_operand(c, fields, 2, message, 16);
    if (s)
        return s;
    vn_blake2b_round(state, message, fields[0]);
    return write_words(c, fields[1], state, 16);
}

/* ---- Integers ---- */

/* product = a b + c, 2 n limbs; it always fits. */
static void multiply_add(uint64_t *product, const uint64_t *a, const uint64_t *b, const uint64_t *c, unsigned n)
{
    mp_limb_t p[2 * LIMBS_MAX], x[LIMBS_MAX], y[LIMBS_MAX], z[LIMBS_MAX];
    memcpy(x, a, 8 * n);
    memcpy(y, b, 8 * n);
    memcpy(z, c, 8 * n);
    mpn_mul_n(p, x, y, n);
    mpn_add(p, p, 2 * n, z, n);
    memcpy(product, p, 16 * n);
}

static enum vn_status arith256(struct call *c, const void *with)
{
    (void)with;
    uint64_t pointers[5], in[3][4], out[8];
    enum vn_status s = read_words(c, c->arg, pointers, 5);
    for (unsigned i = 0; i < 3 && !s; i++)
        s = read_operand(c, pointers, i, in[i], 4);
    if (s)
        return s;
    multiply_add(out, in[0], in[1], in[2], 4);
    s = write_words(c, pointers[3], out, 4);
    return s ? s : write_words(c, pointers[4], out + 4, 4);
}

static enum vn_status arith_mod(struct call *c, const void *with)
{
    unsigned n = *(const unsigned *)with, top = n;
    uint64_t pointers[5], in[4][LIMBS_MAX], product[2 * LIMBS_MAX], out[LIMBS_MAX] = {0};
    enum vn_status s = read_words(c, c->arg, pointers, 5);
    for (unsigned i = 0; i < 4 && !s; i++)
        s = read_operand(c, pointers, i, in[i], n);
    if (s)
        return s;
    while (top && !in[3][top - 1])
        top--;
    if (!top)
        return vn_fail(c->err, VN_ERR_GUEST, "%s: the modulus is 0", c->name);
    multiply_add(product, in[0], in[1], in[2], n);
    mp_limb_t p[2 * LIMBS_MAX], m[LIMBS_MAX], q[2 * LIMBS_MAX + 1], r[LIMBS_MAX] = {0};
    memcpy(p, product, 16 * n);
    memcpy(m, in[3], 8 * n);
    mpn_tdiv_qr(q, r, 0, p, 2 * n, m, top);
    memcpy(out, r, 8 * n);
    return write_words(c, pointers[4], out, n);
}

static enum vn_status add256(struct call *c, const void *with)
{
    (void)with;
    uint64_t fields[4], a[4], b[4], carry; /* a*, b*, carry in, c* */
    enum vn_status s = read_words(c, c->arg, fields, 4);
    if (!s)
        s = read_operand(c, fields, 0, a, 4);
    if (!s)
        s = read_operand(c, fields, 1, b, 4);
    if (s)
        return s;
    carry = fields[2];
    if (carry > 1)
        return vn_fail(c->err, VN_ERR_GUEST, "%s: the carry in is %" PRIu64 ", not 0 or 1", c->name, carry);
    for (unsigned i = 0; i < 4; i++) {
        unsigned __int128 sum = (unsigned __int128)a[i] + b[i] + carry;
        a[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    c->rd = carry;
    return write_words(c, fields[3], a, 4);
}

/* ---- Curves and their fields' extensions ---- */

static enum vn_status point_add(struct call *c, const void *with)
{
    const struct vn_curve *curve = with;
    unsigned n = 2 * curve->p->limbs;
    uint64_t pointers[2], words[2][2 * LIMBS_MAX];
    struct vn_point p, q;
    enum vn_status s = read_words(c, c->arg, pointers, 2);
    for (unsigned i = 0; i < 2 && !s; i++)
        s = read_operand(c, pointers, i, words[i], n);
    if (s)
        return s;
    vn_point_load(curve, &p, words[0]);
    vn_point_load(curve, &q, words[1]);
    if (vn_fq_equal(curve->p, &p.x, &q.x))
        return vn_fail(c->err, VN_ERR_GUEST, "%s: the points have the same x", c->name);
    vn_point_add(curve, &p, &p, &q);
    vn_point_store(curve, words[0], &p);
    return write_words(c, pointers[0], words[0], n);
}

static enum vn_status point_double(struct call *c, const void *with)
{
    const struct vn_curve *curve = with;
    unsigned n = 2 * curve->p->limbs;
    uint64_t words[2 * LIMBS_MAX];
    struct vn_point p;
    enum vn_status s = read_words(c, c->arg, words, n);
    if (s)
        return s;
    vn_point_load(curve, &p, words);
    if (vn_fq_is_zero(curve->p, &p.y))
        return vn_fail(c->err, VN_ERR_GUEST, "%s: the point has y = 0", c->name);
    vn_point_add(curve, &p, &p, &p);
    vn_point_store(curve, words, &p);
    return write_words(c, c->arg, words, n);
}

struct complex_op {
    const struct vn_field *field;
    void (*run)(const struct vn_field *f, struct vn_fq2 *r, const struct vn_fq2 *a, const struct vn_fq2 *b);
};

static enum vn_status complex_operation(struct call *c, const void *with)
{
    const struct complex_op *op = with;
    unsigned n = 2 * op->field->limbs;
    uint64_t pointers[2], words[2][2 * LIMBS_MAX];
    struct vn_fq2 a, b;
    enum vn_status s = read_words(c, c->arg, pointers, 2);
    for (unsigned i = 0; i < 2 && !s; i++)
        s = read_operand(c, pointers, i, words[i], n);
    if (s)
        return s;
    vn_fq2_load(op->field, &a, words[0]);
    vn_fq2_load(op->field, &b, words[1]);
    op->run(op->field, &a, &a, &b);
    vn_fq2_store(op->field, words[0], &a);
    return write_words(c, pointers[0], words[0], n);
}

/* ---- The table ---- */

#define COMPLEX(field_, run_) (&(const struct complex_op){&(field_), (run_)})
#define LIMBS(n_) (&(const unsigned){n_})

static const struct {
    const char *name;
    enum vn_status (*run)(struct call *c, const void *with); /* NULL: a pair of instructions */
    const void *with;
    enum vn_abi since;
} table[] = {
    [VN_PRE_KECCAK_F - 0x800] = {"keccak-f", keccak, NULL, VN_ABI_A},
    [VN_PRE_ARITH256 - 0x800] = {"arith256", arith256, NULL, VN_ABI_A},
    [VN_PRE_ARITH256_MOD - 0x800] = {"arith256-mod", arith_mod, LIMBS(4), VN_ABI_A},
    [VN_PRE_SECP256K1_ADD - 0x800] = {"secp256k1-add", point_add, &vn_curve_secp256k1, VN_ABI_A},
    [VN_PRE_SECP256K1_DBL - 0x800] = {"secp256k1-dbl", point_double, &vn_curve_secp256k1, VN_ABI_A},
    [VN_PRE_SHA256_F - 0x800] = {"sha256-f", sha256, NULL, VN_ABI_A},
    [VN_PRE_BN254_ADD - 0x800] = {"bn254-add", point_add, &vn_curve_bn254, VN_ABI_A},
    [VN_PRE_BN254_DBL - 0x800] = {"bn254-dbl", point_double, &vn_curve_bn254, VN_ABI_A},
    [VN_PRE_BN254_COMPLEX_ADD - 0x800] = {"bn254-complex-add", complex_operation, COMPLEX(vn_field_bn254_p, vn_fq2_add), VN_ABI_A},
    [VN_PRE_BN254_COMPLEX_SUB - 0x800] = {"bn254-complex-sub", complex_operation, COMPLEX(vn_field_bn254_p, vn_fq2_sub), VN_ABI_A},
    [VN_PRE_BN254_COMPLEX_MUL - 0x800] = {"bn254-complex-mul", complex_operation, COMPLEX(vn_field_bn254_p, vn_fq2_mul), VN_ABI_A},
    [VN_PRE_ARITH384_MOD - 0x800] = {"arith384-mod", arith_mod, LIMBS(6), VN_ABI_A},
    [VN_PRE_BLS12_381_ADD - 0x800] = {"bls12-381-add", point_add, &vn_curve_bls12_381, VN_ABI_A},
    [VN_PRE_BLS12_381_DBL - 0x800] = {"bls12-381-dbl", point_double, &vn_curve_bls12_381, VN_ABI_A},
    [VN_PRE_BLS12_381_COMPLEX_ADD - 0x800] = {"bls12-381-complex-add", complex_operation, COMPLEX(vn_field_bls12_381_p, vn_fq2_add), VN_ABI_A},
    [VN_PRE_BLS12_381_COMPLEX_SUB - 0x800] = {"bls12-381-complex-sub", complex_operation, COMPLEX(vn_field_bls12_381_p, vn_fq2_sub), VN_ABI_A},
    [VN_PRE_BLS12_381_COMPLEX_MUL - 0x800] = {"bls12-381-complex-mul", complex_operation, COMPLEX(vn_field_bls12_381_p, vn_fq2_mul), VN_ABI_A},
    [VN_PRE_ADD256 - 0x800] = {"add256", add256, NULL, VN_ABI_A},
    [VN_PRE_POSEIDON2 - 0x800] = {"poseidon2", poseidon2, NULL, VN_ABI_B},
    [VN_PRE_MEMCPY - 0x800] = {"memcpy", NULL, NULL, VN_ABI_B},
    [VN_PRE_MEMCMP - 0x800] = {"memcmp", NULL, NULL, VN_ABI_B},
    [VN_PRE_INPUTCPY - 0x800] = {"inputcpy", NULL, NULL, VN_ABI_B},
    [VN_PRE_MEMSET - 0x800] = {"memset", NULL, NULL, VN_ABI_B},
    [VN_PRE_SECP256R1_ADD - 0x800] = {"secp256r1-add", point_add, &vn_curve_secp256r1, VN_ABI_B},
    [VN_PRE_SECP256R1_DBL - 0x800] = {"secp256r1-dbl", point_double, &vn_curve_secp256r1, VN_ABI_B},
    [VN_PRE_BLAKE2B_ROUND - 0x800] = {"blake2b-round", blake2b, NULL, VN_ABI_B},
    [VN_PRE_PROFILE - 0x800] = {"profile mark", NULL, NULL, VN_ABI_C},
};

#define TABLE_SIZE (sizeof table / sizeof *table)

const char *vn_csr_name(uint32_t csr)
{
    if (csr >= 0x800 && csr - 0x800 < TABLE_SIZE)
        return table[csr - 0x800].name;
    if (csr >= VN_CSR_FCALL && csr <= VN_CSR_FCALL_LAST)
        return "fcall";
    if (csr >= VN_CSR_FCALL_PARAM && csr <= VN_CSR_FCALL_PARAM_LAST)
        return "fcall parameter";
    return csr == VN_CSR_FCALL_RESULT ? "fcall result" : NULL;
}

int vn_precompile_exists(uint32_t csr, enum vn_abi abi)
{
    return csr >= 0x800 && csr - 0x800 < TABLE_SIZE && table[csr - 0x800].run && abi >= table[csr - 0x800].since;
}

enum vn_status vn_precompile_run(enum vn_precompile which, enum vn_abi abi, uint64_t arg, const struct vn_guest_port *port, uint64_t *rd, struct vn_error *err)
{
    *rd = 0;
    if (!vn_precompile_exists(which, abi))
        return vn_fail(err, VN_ERR_GUEST, "CSR 0x%x is no precompile of ABI generation %c", (unsigned)which, abi);
    struct call c = {.port = port, .name = table[which - 0x800].name, .abi = abi, .arg = arg, .err = err};
    enum vn_status s = table[which - 0x800].run(&c, table[which - 0x800].with);
    *rd = c.rd;
    return s;
}
