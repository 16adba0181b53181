/* Precompiles, DMA and fcalls against published vectors and against numbers computed by another implementation (gen_precompile_vectors.py). */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/vm/precompile/permutations.h"
#include "services/prover-engine/vm/precompile/precompile.h"

enum form { FORM_DIRECT, FORM_PAIR, FORM_ARITH, FORM_MOD, FORM_ADD };

struct precompile_vector {
    uint32_t csr;
    char abi;
    enum form form;
    unsigned words;
    size_t in, out;
    unsigned out_words;
};

struct fcall_vector {
    unsigned id;
    char abi;
    size_t in;
    unsigned in_words;
    size_t out;
    unsigned out_words;
};

#include "tests/unit/vm/precompile_vectors.h"

/* ---- A small guest memory: [BASE, BASE + SIZE) ---- */

#define BASE 0x1000u
#define SIZE 32768u

static uint8_t memory[SIZE];

static int inside(uint64_t addr, size_t bytes) { return addr >= BASE && addr - BASE <= SIZE && bytes <= SIZE - (addr - BASE); }

static int read_bytes(void *ctx, uint64_t addr, void *out, size_t bytes)
{
    (void)ctx;
    if (!inside(addr, bytes))
        return -1;
    memcpy(out, memory + (addr - BASE), bytes);
    return 0;
}

static int write_bytes(void *ctx, uint64_t addr, const void *in, size_t bytes)
{
    (void)ctx;
    if (!inside(addr, bytes))
        return -1;
    memcpy(memory + (addr - BASE), in, bytes);
    return 0;
}

static const struct vn_guest_port port = {NULL, read_bytes, write_bytes};

static void poke(uint64_t addr, const uint64_t *words, size_t n) { memcpy(memory + (addr - BASE), words, 8 * n); }
static void poke1(uint64_t addr, uint64_t word) { poke(addr, &word, 1); }

static void expect_words(uint64_t addr, const uint64_t *words, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t got;
        memcpy(&got, memory + (addr - BASE) + 8 * i, 8);
        cr_assert_eq(got, words[i], "%s: word %zu is %016" PRIx64 ", not %016" PRIx64, what, i, got, words[i]);
    }
}

static enum vn_status run(uint32_t csr, char abi, uint64_t arg, uint64_t *rd, struct vn_error *err)
{
    return vn_precompile_run((enum vn_precompile)csr, (enum vn_abi)abi, arg, &port, rd, err);
}

static uint64_t succeed(uint32_t csr, char abi, uint64_t arg)
{
    struct vn_error err = {VN_OK, ""};
    uint64_t rd = 7;
    cr_assert_eq(run(csr, abi, arg, &rd, &err), VN_OK, "0x%x: %s", csr, err.text);
    return rd;
}

#define STRUCTURE (BASE + 0x100)
#define OPERAND(i) (BASE + 0x1000 + 0x200 * (uint64_t)(i))

/* ---- Computed vectors ---- */

static void check_vector(const struct precompile_vector *v)
{
    unsigned n = v->words;
    const uint64_t *in = data + v->in, *out = data + v->out;
    const char *name = vn_csr_name(v->csr);
    memset(memory, 0xa5, sizeof memory);
    if (v->form == FORM_DIRECT) {
        poke(OPERAND(0), in, n);
        cr_assert_eq(succeed(v->csr, v->abi, OPERAND(0)), 0);
        expect_words(OPERAND(0), out, n, name);
        return;
    }
    unsigned operands = v->form == FORM_MOD ? 4 : v->form == FORM_ARITH ? 3 : 2;
    for (unsigned i = 0; i < 5; i++)
        poke1(STRUCTURE + 8 * i, OPERAND(i));
    for (unsigned i = 0; i < operands; i++)
        poke(OPERAND(i), in + n * i, n);
    if (v->form == FORM_ADD) {
        poke1(STRUCTURE + 16, in[8]);
        cr_assert_eq(succeed(v->csr, v->abi, STRUCTURE), out[4]);
        expect_words(OPERAND(3), out, 4, name);
        return;
    }
    succeed(v->csr, v->abi, STRUCTURE);
    if (v->form == FORM_ARITH) {
        expect_words(OPERAND(3), out, n, name);
        expect_words(OPERAND(4), out + n, n, name);
        return;
    }
    expect_words(v->form == FORM_MOD ? OPERAND(4) : OPERAND(0), out, n, name);
    for (unsigned i = v->form == FORM_PAIR; i < operands; i++)
        expect_words(OPERAND(i), in + n * i, n, "an operand");
}

Test(precompile, agrees_with_integers_computed_elsewhere)
{
    for (size_t i = 0; i < sizeof precompile_vectors / sizeof *precompile_vectors; i++)
        check_vector(&precompile_vectors[i]);
}

Test(precompile, every_number_has_a_vector_or_a_test_below)
{
    static const uint32_t below[] = {0x800, 0x805, 0x812, 0x819};
    for (uint32_t csr = 0x800; csr <= 0x819; csr++) {
        int seen = !vn_precompile_exists(csr, VN_ABI_C);
        for (size_t i = 0; i < sizeof precompile_vectors / sizeof *precompile_vectors; i++)
            seen |= precompile_vectors[i].csr == csr;
        for (size_t i = 0; i < sizeof below / sizeof *below; i++)
            seen |= below[i] == csr;
        cr_assert(seen, "0x%x", csr);
    }
}

/* ---- Published points ---- */

static void words_of_hex(const char *hex, uint64_t *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char part[17] = {0};
        memcpy(part, hex + 16 * (n - 1 - i), 16);
        words[i] = strtoull(part, NULL, 16);
    }
}

static void check_double(uint32_t csr, unsigned limbs, const char *const hex[4])
{
    uint64_t point[12], twice[12];
    for (unsigned i = 0; i < 2; i++) {
        words_of_hex(hex[i], point + limbs * i, limbs);
        words_of_hex(hex[2 + i], twice + limbs * i, limbs);
    }
    poke(OPERAND(0), point, 2 * limbs);
    succeed(csr, 'C', OPERAND(0));
    expect_words(OPERAND(0), twice, 2 * limbs, vn_csr_name(csr));
}

Test(precompile, doubles_the_published_generators)
{
    check_double(0x804, 4, (const char *const[]){"79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
                                                 "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5", "1ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a"});
    check_double(0x818, 4, (const char *const[]){"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296", "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
                                                 "7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978", "07775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1"});
    check_double(0x807, 4, (const char *const[]){"0000000000000000000000000000000000000000000000000000000000000001", "0000000000000000000000000000000000000000000000000000000000000002",
                                                 "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3", "15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4"});
    check_double(0x80d, 6,
                 (const char *const[]){"17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb",
                                       "08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1",
                                       "0572cbea904d67468808c8eb50a9450c9721db309128012543902d0ac358a62ae28f75bb8f1c7c42c39a8c5529bf0f4e",
                                       "166a9d8cabc673a322fda673779d8e3822ba3ecb8670e461f73bb9021d5fd76a4c56d9d4cd16bd1bba86881979749d28"});
}

/* ---- Hashes ---- */

static void expect_digest(const uint8_t *got, const char *hex)
{
    char text[129] = "";
    for (size_t i = 0; i < strlen(hex) / 2; i++)
        snprintf(text + 2 * i, 3, "%02x", got[i]);
    cr_assert_str_eq(text, hex);
}

Test(precompile, keccak_f_makes_sha3)
{
    uint8_t block[200] = {'a', 'b', 'c', 6};
    block[135] = 0x80;
    memcpy(memory + (OPERAND(0) - BASE), block, sizeof block);
    succeed(0x800, 'A', OPERAND(0));
    expect_digest(memory + (OPERAND(0) - BASE), "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
}

/* "abc" in one block; generation A packs big-endian halves into words, B and C take the bytes as they are. */
static void check_sha256(char abi)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint8_t block[64] = {'a', 'b', 'c', 0x80}, digest[32];
    uint64_t words[8], state[4];
    block[63] = 24;
    memcpy(words, block, 64);
    memcpy(state, start, 32);
    if (abi == 'A') {
        for (int i = 0; i < 8; i++)
            words[i] = __builtin_bswap64(words[i]);
        for (int i = 0; i < 4; i++)
            state[i] = (uint64_t)start[2 * i] << 32 | start[2 * i + 1];
    }
    poke1(STRUCTURE, OPERAND(0));
    poke1(STRUCTURE + 8, OPERAND(1));
    poke(OPERAND(0), state, 4);
    poke(OPERAND(1), words, 8);
    succeed(0x805, abi, STRUCTURE);
    memcpy(state, memory + (OPERAND(0) - BASE), 32);
    for (int i = 0; i < 8; i++) {
        uint32_t h = (uint32_t)(state[i / 2] >> ((i % 2 == 0) == (abi == 'A') ? 32 : 0));
        for (int k = 0; k < 4; k++)
            digest[4 * i + k] = (uint8_t)(h >> (24 - 8 * k));
    }
    expect_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

Test(precompile, sha256_of_abc)
{
    check_sha256('A');
    check_sha256('B');
    check_sha256('C');
}

Test(precompile, blake2b_of_abc) /* RFC 7693, appendix A */
{
    static const uint64_t iv[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                                   0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
    uint64_t h[8], v[16], m[16] = {0x636261};
    memcpy(h, iv, sizeof h);
    h[0] ^= 0x01010040;
    memcpy(v, h, sizeof h);
    memcpy(v + 8, iv, sizeof iv);
    v[12] ^= 3;
    v[14] = ~v[14];
    poke1(STRUCTURE + 8, OPERAND(0));
    poke1(STRUCTURE + 16, OPERAND(1));
    poke(OPERAND(0), v, 16);
    poke(OPERAND(1), m, 16);
    for (uint64_t round = 0; round < 12; round++) {
        poke1(STRUCTURE, round);
        succeed(0x819, 'B', STRUCTURE);
    }
    memcpy(v, memory + (OPERAND(0) - BASE), sizeof v);
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
    expect_digest((const uint8_t *)h, "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

Test(precompile, poseidon2_of_zeros)
{
    static const uint64_t expected[16] = {
        0xf2b2442ea4d72b98, 0x08367625af002a12, 0x41d794a3d56b9451, 0x533967a2f0a214c8, 0x9b10cb9aecef64c2, 0x3af18efb76e71cc4, 0x20d42b106f3cd4d6, 0x537149275a93e1b9,
        0xe48c755b2541ac33, 0xd88485c5e6be8ad5, 0xf864699c52b2d651, 0x3bb13e057d4f33c6, 0x7530b7e50b638c15, 0x4664c38414614b49, 0x267451ae2a8b9c47, 0x6a683ad447354817};
    const uint64_t zero_twice[16] = {0, 0xffffffff00000001}; /* p stands for 0 */
    poke(OPERAND(0), zero_twice, 16);
    succeed(0x812, 'B', OPERAND(0));
    expect_words(OPERAND(0), expected, 16, "poseidon2");
}

/* ---- Aliases and refusals ---- */

Test(precompile, operands_may_be_the_same_memory)
{
    const uint64_t three[4] = {3}, m[4] = {100};
    poke(OPERAND(0), three, 4);
    poke(OPERAND(3), m, 4);
    const uint64_t pointers[5] = {OPERAND(0), OPERAND(0), OPERAND(0), OPERAND(3), OPERAND(0)};
    poke(STRUCTURE, pointers, 5);
    succeed(0x802, 'B', STRUCTURE);
    expect_words(OPERAND(0), (const uint64_t[4]){12}, 4, "3 * 3 + 3");
    const uint64_t over_modulus[5] = {OPERAND(0), OPERAND(0), OPERAND(0), OPERAND(3), OPERAND(3)};
    poke(STRUCTURE, over_modulus, 5);
    succeed(0x802, 'B', STRUCTURE);
    expect_words(OPERAND(3), (const uint64_t[4]){56}, 4, "12 * 12 + 12 mod 100");
}

static void refuse(uint32_t csr, char abi, uint64_t arg, const char *why)
{
    struct vn_error err = {VN_OK, ""};
    uint64_t rd;
    cr_assert_eq(run(csr, abi, arg, &rd, &err), VN_ERR_GUEST, "0x%x should fail: %s", csr, why);
    cr_assert_not_null(strstr(err.text, why), "0x%x: '%s' does not say '%s'", csr, err.text, why);
}

Test(precompile, refuses_what_has_no_answer)
{
    memset(memory, 0, sizeof memory);
    for (uint32_t csr = 0x800; csr <= 0x819; csr++) {
        if (!vn_precompile_exists(csr, VN_ABI_C))
            continue;
        refuse(csr, 'C', BASE + 4, "not 8-byte aligned");
        refuse(csr, 'C', 0, "no memory");
        refuse(csr, 'C', BASE + SIZE - 8, "no memory");
        refuse(csr, 'C', UINT64_MAX - 7, "no memory");
    }
    for (unsigned i = 0; i < 5; i++)
        poke1(STRUCTURE + 8 * i, OPERAND(i));
    refuse(0x802, 'B', STRUCTURE, "modulus is 0");
    refuse(0x80b, 'B', STRUCTURE, "modulus is 0");
    refuse(0x803, 'B', STRUCTURE, "same x");
    refuse(0x804, 'B', OPERAND(0), "y = 0");
    refuse(0x811, 'B', STRUCTURE, "carry in");
    poke1(STRUCTURE + 8, OPERAND(1) + 1);
    refuse(0x801, 'B', STRUCTURE, "not 8-byte aligned");
    refuse(0x812, 'A', OPERAND(0), "no precompile of ABI generation A");
    refuse(0x900, 'C', OPERAND(0), "no precompile");
}

/* ---- DMA ---- */

Test(dma, copies_like_memmove)
{
    static uint8_t expected[SIZE];
    uint32_t seed = 1;
    for (int round = 0; round < 300; round++) {
        seed = seed * 1664525 + 1013904223;
        for (size_t i = 0; i < SIZE; i++)
            memory[i] = (uint8_t)(i * 31 + (i >> 8) + seed);
        memcpy(expected, memory, SIZE);
        uint32_t n = seed >> 18, dst = (seed >> 3) % (SIZE - n), src = (seed >> 7) % (SIZE - n);
        memmove(expected + dst, expected + src, n);
        cr_assert_eq(vn_dma_copy(&port, BASE + dst, BASE + src, n, NULL), VN_OK);
        cr_assert(memcmp(expected, memory, SIZE) == 0, "%u bytes from %u to %u", n, src, dst);
    }
    cr_assert_eq(vn_dma_copy(&port, 0, 0, 0, NULL), VN_OK);
    cr_assert_eq(vn_dma_copy(&port, BASE, BASE + SIZE - 8, 9, NULL), VN_ERR_GUEST);
    cr_assert_eq(vn_dma_copy(&port, BASE + SIZE - 8, BASE, 9, NULL), VN_ERR_GUEST);
}

Test(dma, fills_and_compares)
{
    int64_t order = 5;
    memset(memory, 7, SIZE);
    cr_assert_eq(vn_dma_fill(&port, BASE + 3, 5000, 0x80, NULL), VN_OK);
    cr_assert(memory[2] == 7 && memory[3] == 0x80 && memory[5002] == 0x80 && memory[5003] == 7);
    cr_assert_eq(vn_dma_compare(&port, BASE + 3, BASE + 4, 4999, &order, NULL), VN_OK);
    cr_assert_eq(order, 0);
    cr_assert_eq(vn_dma_compare(&port, BASE + 3, BASE + 4, 5000, &order, NULL), VN_OK);
    cr_assert_eq(order, 0x79);
    cr_assert_eq(vn_dma_compare(&port, BASE + 4, BASE + 3, 5000, &order, NULL), VN_OK);
    cr_assert_eq(order, -0x79);
    cr_assert_eq(vn_dma_compare(&port, 0, 0, 0, &order, NULL), VN_OK);
    cr_assert_eq(order, 0);
    cr_assert_eq(vn_dma_fill(&port, BASE + SIZE, 1, 0, NULL), VN_ERR_GUEST);
    cr_assert_eq(vn_dma_compare(&port, BASE, 0, 1, &order, NULL), VN_ERR_GUEST);
}

/* ---- fcalls ---- */

static struct vn_fcall calls;

static enum vn_status call(const struct fcall_vector *v, struct vn_error *err)
{
    for (unsigned i = 0; i < v->in_words; i++)
        if (vn_fcall_push(&calls, 0, data[v->in + i], &port, err))
            return err->status;
    return vn_fcall_run(&calls, v->id, (enum vn_abi)v->abi, 0, err);
}

Test(fcall, agrees_with_integers_computed_elsewhere)
{
    for (size_t i = 0; i < sizeof fcall_vectors / sizeof *fcall_vectors; i++) {
        const struct fcall_vector *v = &fcall_vectors[i];
        struct vn_error err = {VN_OK, ""};
        cr_assert_eq(call(v, &err), VN_OK, "%u of %c: %s", v->id, v->abi, err.text);
        for (unsigned k = 0; k < v->out_words; k++) {
            uint64_t got, want = data[v->out + k];
            cr_assert_eq(vn_fcall_current(&calls), want);
            cr_assert_eq(vn_fcall_take(&calls, &got, &err), VN_OK);
            cr_assert_eq(got, want, "vector %zu, fcall %u of %c: word %u is %016" PRIx64 ", not %016" PRIx64, i, v->id, v->abi, k, got, want);
        }
        uint64_t word;
        cr_assert_eq(vn_fcall_current(&calls), 0);
        cr_assert_eq(vn_fcall_take(&calls, &word, &err), VN_ERR_GUEST, "fcall %u of %c has more results", v->id, v->abi);
    }
}

Test(fcall, every_number_has_a_vector)
{
    static const unsigned last[3] = {18, 22, 23};
    for (char abi = 'A'; abi <= 'C'; abi++)
        for (unsigned id = 0; id <= 40; id++) {
            struct vn_error err = {VN_OK, ""};
            int seen = 0, exists = id >= 1 && id <= last[abi - 'A'] && (id != 5 || abi == 'C');
            for (size_t i = 0; i < sizeof fcall_vectors / sizeof *fcall_vectors; i++)
                seen |= fcall_vectors[i].id == id && fcall_vectors[i].abi == abi;
            if (abi != 'A' && id == last[abi - 'A'])
                seen = 1; /* input-ready, below */
            cr_assert_eq(seen, exists, "%u of %c", id, abi);
            calls.n_params = 0;
            if (!exists) {
                cr_assert_eq(vn_fcall_run(&calls, id, (enum vn_abi)abi, 0, &err), VN_ERR_GUEST);
                cr_assert_not_null(strstr(err.text, "has no fcall"));
            }
        }
}

Test(fcall, waits_for_input_that_is_there)
{
    struct vn_error err = {VN_OK, ""};
    cr_assert_eq(vn_fcall_push(&calls, 0, 0x40000017, &port, &err), VN_OK);
    cr_assert_eq(vn_fcall_run(&calls, 22, VN_ABI_B, 0x40000018, &err), VN_OK);
    cr_assert_eq(vn_fcall_push(&calls, 0, 0x40000018, &port, &err), VN_OK);
    cr_assert_eq(vn_fcall_run(&calls, 23, VN_ABI_C, 0x40000018, &err), VN_ERR_GUEST);
    cr_assert_not_null(strstr(err.text, "waits for input"));
}

Test(fcall, takes_parameters_by_address_and_copies_results)
{
    struct vn_error err = {VN_OK, ""};
    static const uint16_t widths[16] = {1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64, 80, 96, 128, 256};
    for (unsigned i = 0; i < 256; i++)
        poke1(BASE + 8 * i, i + 1);
    for (unsigned k = 1; k < 16; k++) {
        calls.n_params = 0;
        cr_assert_eq(vn_fcall_push(&calls, k, BASE, &port, &err), VN_OK);
        cr_assert_eq(calls.n_params, widths[k]);
        cr_assert_eq(calls.params[widths[k] - 1], widths[k]);
    }
    cr_assert_eq(vn_fcall_push(&calls, 14, BASE, &port, &err), VN_OK);
    cr_assert_eq(vn_fcall_push(&calls, 1, BASE, &port, &err), VN_OK);
    cr_assert_eq(vn_fcall_push(&calls, 0, 0, &port, &err), VN_ERR_GUEST, "386 words are the most");
    calls.n_params = 0;
    cr_assert_eq(vn_fcall_push(&calls, 2, BASE + 4, &port, &err), VN_ERR_GUEST);
    cr_assert_eq(vn_fcall_push(&calls, 2, 0, &port, &err), VN_ERR_GUEST);

    const uint64_t hundred[8] = {100, 0, 0, 0, 7};
    poke(BASE, hundred, 8);
    cr_assert_eq(vn_fcall_push(&calls, 3, BASE, &port, &err), VN_OK);
    cr_assert_eq(vn_fcall_run(&calls, 16, VN_ABI_B, 0, &err), VN_OK);
    cr_assert_eq(vn_fcall_copy(&calls, BASE + 0x1001, 64, &port, &err), VN_OK);
    cr_assert(memory[0x1001] == 14 && memory[0x1001 + 32] == 2);
    cr_assert_eq(vn_fcall_copy(&calls, BASE, 8, &port, &err), VN_ERR_GUEST);
    cr_assert_eq(vn_fcall_copy(&calls, BASE, 3, &port, &err), VN_ERR_GUEST);
}

Test(fcall, refuses_questions_without_an_answer)
{
    struct vn_error err = {VN_OK, ""};
    static const struct {
        unsigned id, words;
        const char *why;
    } cases[] = {{1, 4, "no inverse"}, {7, 8, "no inverse"}, {8, 32, "vertical"}, {9, 16, "vertical"}, {10, 8, "no inverse"}, {15, 16, "all numbers are 0"},
                 {16, 8, "division by 0"}, {17, 2, "division by 0"}, {20, 20, "s is 0"}, {1, 3, "only 3 parameter words"}, {4, 0, "only 0 parameter words"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        calls.n_params = 0;
        for (unsigned k = 0; k < cases[i].words; k++)
            cr_assert_eq(vn_fcall_push(&calls, 0, 0, &port, &err), VN_OK);
        cr_assert_eq(vn_fcall_run(&calls, cases[i].id, VN_ABI_B, 0, &err), VN_ERR_GUEST);
        cr_assert_not_null(strstr(err.text, cases[i].why), "%u: %s", cases[i].id, err.text);
    }
    cr_assert_eq(vn_fcall_push(&calls, 0, UINT64_MAX, &port, &err), VN_OK);
    cr_assert_eq(vn_fcall_run(&calls, 4, VN_ABI_B, 0, &err), VN_ERR_GUEST);
    cr_assert_eq(vn_fcall_push(&calls, 0, UINT64_MAX, &port, &err), VN_OK);
    cr_assert_eq(vn_fcall_run(&calls, 18, VN_ABI_B, 0, &err), VN_ERR_GUEST);
}
