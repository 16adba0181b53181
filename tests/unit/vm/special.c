/* What only execution knows: atomics, CSRs, calls to the host, fused pairs, misaligned accesses, compressed code. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/vm/exec.h"
#include "tests/unit/vm/elf_builder.h"

#define CSR(funct3, rd, csr, rs1) rv_i(csr, rs1, funct3, rd, 0x73)
#define CSRRW(rd, csr, rs1) CSR(1, rd, csr, rs1)
#define CSRRS(rd, csr, rs1) CSR(2, rd, csr, rs1)
#define CSRRC(rd, csr, rs1) CSR(3, rd, csr, rs1)
#define CSRRWI(rd, csr, imm) CSR(5, rd, csr, imm)
#define CSRRSI(rd, csr, imm) CSR(6, rd, csr, imm)
#define AMO(funct5, funct3, rd, rs1, rs2) rv_r((funct5) << 2, rs2, rs1, funct3, rd, 0x2f)
#define RV_LI(rd, imm) RV_ADDI(rd, 0, imm)
#define RV_LW(rd, rs1, imm) rv_i(imm, rs1, 2, rd, 0x03)
#define RV_LH(rd, rs1, imm) rv_i(imm, rs1, 1, rd, 0x03)
#define RV_SW(rs2, rs1, imm) rv_s(imm, rs2, rs1, 2)
#define RV_SH(rs2, rs1, imm) rv_s(imm, rs2, rs1, 1)

/* x11 is the output window at entry, x10 the input window. */
static struct vn_program *load(const void *code, size_t bytes, enum vn_abi abi, uint32_t flags)
{
    struct elf e = elf_of_code(code, bytes / 4);
    e.flags = flags;
    e.sections[0].size = bytes;
    size_t len;
    uint8_t *file = elf_build(&e, &len);
    struct vn_program *p;
    struct vn_error err = {VN_OK, ""};
    cr_assert_eq(vn_program_load(&p, file, len, abi, &err), VN_OK, "%s", err.text);
    free(file);
    return p;
}

static struct vn_exec_counts counts;

static struct vn_exec_result run_code(const void *code, size_t bytes, enum vn_abi abi, uint32_t flags)
{
    struct vn_program *p = load(code, bytes, abi, flags);
    static const uint8_t input[16] = {8, 0, 0, 0, 0, 0, 0, 0, 'i', 'n', 'p', 'u', 't', '!', '!', '!'};
    memset(&counts, 0, sizeof counts);
    struct vn_exec_options o = {.execute_only = 1, .input = input, .input_len = sizeof input, .max_steps = 10000, .counts = &counts};
    struct vn_exec_result r;
    struct vn_error err = {VN_OK, ""};
    cr_assert_eq(vn_execute(p, &o, &r, &err), VN_OK, "%s", err.text);
    vn_program_free(p);
    return r;
}

static void fail_code(const void *code, size_t bytes, enum vn_abi abi, enum vn_status status, const char *text)
{
    struct vn_program *p = load(code, bytes, abi, 0);
    struct vn_exec_options o = {.execute_only = 1, .max_steps = 10000};
    struct vn_exec_result r;
    struct vn_error err = {VN_OK, ""};
    cr_expect_eq(vn_execute(p, &o, &r, &err), status, "%s", err.text);
    cr_expect_not_null(strstr(err.text, text), "'%s' does not say '%s'", err.text, text);
    vn_program_free(p);
}

#define RUN(abi, ...) run_code((const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}), abi, 0)
#define FAIL(abi, status, text, ...) fail_code((const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}), abi, status, text)

static uint64_t output(const struct vn_exec_result *r, unsigned word)
{
    uint64_t v;
    memcpy(&v, r->output + 8 * word, 8);
    return v;
}

/* ---- Atomics ---- */

static void check_amo(unsigned funct5, int64_t old, int64_t operand, uint64_t doubleword, uint64_t word)
{
    struct vn_exec_result r = RUN(VN_ABI_B, RV_LI(5, (int)old), RV_SD(5, 11, 0), RV_SD(5, 11, 8), RV_LI(6, (int)operand), AMO(funct5, 3, 7, 11, 6), RV_ADDI(11, 11, 8),
                                  AMO(funct5, 2, 28, 11, 6), RV_SD(7, 11, 8), RV_SD(28, 11, 16), RV_RET);
    cr_expect_eq(output(&r, 0), doubleword, "amo %u.d of %d, %d: %lx", funct5, (int)old, (int)operand, output(&r, 0));
    cr_expect_eq(output(&r, 1), ((uint64_t)old & 0xffffffff00000000) | word, "amo %u.w of %d, %d: %lx", funct5, (int)old, (int)operand, output(&r, 1));
    cr_expect_eq(output(&r, 2), (uint64_t)old);
    cr_expect_eq(output(&r, 3), (uint64_t)(int64_t)(int32_t)old);
}

Test(special, atomics)
{
    check_amo(0, -1, 5, 4, 4);
    check_amo(1, 7, -9, (uint64_t)-9, (uint32_t)-9);
    check_amo(4, 12, 10, 6, 6);
    check_amo(8, 12, 3, 15, 15);
    check_amo(12, -4, 6, 4, 4);
    check_amo(16, -4, 6, (uint64_t)-4, (uint32_t)-4);
    check_amo(20, -4, 6, 6, 6);
    check_amo(24, -4, 6, 6, 6);
    check_amo(28, -4, 6, (uint64_t)-4, (uint32_t)-4);
}

Test(special, store_conditional_always_succeeds)
{
    struct vn_exec_result r = RUN(VN_ABI_B, RV_LI(5, -2), RV_SD(5, 11, 0), AMO(2, 2, 6, 11, 0), RV_SD(6, 11, 8), RV_LI(7, 9), RV_LI(28, 5), AMO(3, 3, 28, 11, 7), RV_SD(28, 11, 16), RV_RET);
    cr_expect_eq(output(&r, 0), 9);
    cr_expect_eq(output(&r, 1), (uint64_t)-2);
    cr_expect_eq(output(&r, 2), 0);
}

/* ---- CSRs ---- */

Test(special, csrs_are_words_of_memory)
{
    struct vn_exec_result r = RUN(VN_ABI_B, CSRRS(5, 0xf12, 0), RV_SD(5, 11, 0), RV_LI(6, 12), CSRRW(5, 0x300, 6), RV_SD(5, 11, 8), RV_LI(6, 3), CSRRS(5, 0x300, 6), RV_SD(5, 11, 16),
                                  RV_LI(6, 5), CSRRC(5, 0x300, 6), RV_SD(5, 11, 24), CSRRSI(5, 0x300, 16), RV_SD(5, 11, 32), CSRRWI(5, 0x300, 1), RV_SD(5, 11, 40),
                                  RV_LUI(7, 0x50005), RV_SLLI(7, 7, 1), RV_SLLI(7, 7, 32), rv_i(32, 7, 5, 7, 0x13), /* x7 = 0xa000a000 */
                                  RV_LD(5, 7, -(0xa000a000 - 0xa0009800)), RV_SD(5, 11, 48), CSRRS(5, 0xc00, 0), RV_SD(5, 11, 56), RV_RET);
    cr_expect_eq(output(&r, 0), 0x0fffeeee);
    cr_expect_eq(output(&r, 1), 0);
    cr_expect_eq(output(&r, 2), 12);
    cr_expect_eq(output(&r, 3), 15);
    cr_expect_eq(output(&r, 4), 10);
    cr_expect_eq(output(&r, 5), 26);
    cr_expect_eq(output(&r, 6), 1);
    cr_expect_eq(output(&r, 7), 0);
    cr_expect_eq(counts.csr[0x300], 5);
}

Test(special, csrrwi_without_result_stores_beside_the_slot)
{
    struct vn_exec_result r = RUN(VN_ABI_B, CSRRWI(0, 0x300, 9), CSRRS(5, 0x300, 0), RV_SD(5, 11, 0), CSRRS(5, 0x061, 0), RV_SD(5, 11, 8), RV_RET);
    cr_expect_eq(output(&r, 0), 0);
    cr_expect_eq(output(&r, 1), 9); /* 0xa0008000 + 0x300 + 8 is the slot of CSR 0x61 */
}

Test(special, other_ecalls_return_and_clobber_ra)
{
    struct vn_exec_result r = RUN(VN_ABI_B, RV_ADDI(9, 1, 0), RV_LI(17, 64), RV_ECALL, RV_SD(1, 11, 0), 0x10500073 /* wfi */, RV_SD(1, 11, 8), RV_ADDI(1, 9, 0), RV_RET);
    cr_expect_eq(output(&r, 0), 0x8000000c);
    cr_expect_eq(output(&r, 1), 0x80000014);
    r = RUN(VN_ABI_B, RV_LI(17, 93), 0x30200073 /* mret */, RV_UNIMP);
    cr_expect_eq(r.steps, 2);
    FAIL(VN_ABI_B, VN_ERR_GUEST, "guest panicked", RV_UNIMP);
    FAIL(VN_ABI_B, VN_ERR_UNSUPPORTED, "floating-point", 0x02007053);
    r = RUN(VN_ABI_B, 0, 0, RV_RET);
    cr_expect_eq(r.steps, 5);
}

/* ---- Precompiles, pairs, fcalls ---- */

Test(special, precompile_by_csr)
{
    struct vn_exec_result r = RUN(VN_ABI_C, CSRRS(0, 0x800, 11), RV_RET);
    cr_expect_eq(output(&r, 0), 0xf1258f7940e1dde7); /* Keccak-f of zeros, first lane */
    cr_expect_eq(r.steps, 4);
    cr_expect_eq(counts.csr[0x800], 1);
    FAIL(VN_ABI_C, VN_ERR_GUEST, "not 8-byte aligned", RV_ADDI(11, 11, 4), CSRRS(0, 0x800, 11), RV_RET);
    FAIL(VN_ABI_C, VN_ERR_GUEST, "no writable memory", CSRRS(0, 0x800, 10), RV_RET);
}

/* add256 without a result register is the operation in B and an ordinary CSR in C. */
Test(special, add256_forms)
{
    for (int abi = VN_ABI_B; abi <= VN_ABI_C; abi++) {
        for (unsigned rd = 0; rd <= 5; rd += 5) {
            struct vn_exec_result r = RUN((enum vn_abi)abi, RV_ADDI(6, 11, 128), RV_SD(6, 11, 0), RV_SD(6, 11, 8), RV_ADDI(7, 11, 64), RV_SD(7, 11, 24), RV_LI(5, -1), RV_SD(5, 6, 24),
                                          CSRRS(rd, 0x811, 11), RV_SD(5, 11, 32), RV_RET);
            int runs = rd || abi == VN_ABI_B;
            cr_expect_eq(output(&r, 11), runs ? (uint64_t)-2 : 0);
            cr_expect_eq(output(&r, 4), rd ? 1 : (uint64_t)-1);
        }
    }
}

Test(special, fused_pairs)
{
    struct vn_exec_result r = RUN(VN_ABI_C, RV_ADDI(5, 10, 16), RV_LI(6, 5), CSRRS(0, 0x813, 5), RV_ADD(7, 11, 6),          /* memcpy(out, input, 5) */
                                  RV_SD(7, 11, 8), RV_ADDI(28, 11, 1), CSRRS(0, 0x814, 5), RV_ADD(7, 28, 6), RV_SD(7, 11, 16), /* memcmp(out + 1, input, 5) */
                                  RV_ADDI(28, 11, 25), CSRRS(0, 0x816, 28), RV_ADDI(7, 6, 0x41), RV_SD(7, 11, 32),             /* memset(out + 25, 0x41, 5) */
                                  RV_ADDI(28, 11, 40), CSRRSI(0, 0x816, 2), RV_ADDI(7, 28, 3), RV_ADDI(0, 28, 0x42),           /* xmemset(out + 40, 0x42, 3) */
                                  CSRRS(0, 0x813, 5), RV_ADDI(0, 28, 2), RV_RET);                                              /* memcpy(out + 40, input, 2) */
    cr_expect_arr_eq(r.output, "input\0\0\0", 8);
    cr_expect_eq(output(&r, 1), 0xa0010000);
    cr_expect_eq(output(&r, 2), (uint64_t)('n' - 'i'));
    cr_expect_arr_eq(r.output + 24, "\0AAAAA\0\0", 8);
    cr_expect_eq(output(&r, 4), 0xa0010019);
    cr_expect_arr_eq(r.output + 40, "inB\0", 4);
    cr_expect_eq(r.steps, 16); /* 13 units, ret, two of the exit */
    cr_expect_eq(counts.csr[0x816], 2);
    FAIL(VN_ABI_B, VN_ERR_UNSUPPORTED, "swapped", CSRRS(0, 0x813, 10), RV_ADDI(0, 11, 2), RV_RET);
    FAIL(VN_ABI_B, VN_ERR_UNSUPPORTED, "not followed by an add", CSRRS(0, 0x813, 10), RV_RET);
    FAIL(VN_ABI_B, VN_ERR_GUEST, "no writable memory", RV_LI(6, 8), CSRRS(0, 0x813, 11), RV_ADD(0, 10, 6), RV_RET);
}

Test(special, calls_to_the_host)
{
    struct vn_exec_result r = RUN(VN_ABI_B, RV_LI(5, 3), CSRRS(0, 0x8f0, 5), CSRRS(5, 0x8f0, 0), CSRRS(6, 0x8f0, 0), /* pushes one word, reads the ordinary slot twice */
                                  RV_RET);
    cr_expect_eq(counts.csr[0x8f0], 3);
    r = RUN(VN_ABI_B, RV_LI(5, 100), RV_SD(5, 11, 64), RV_LI(5, 7), RV_SD(5, 11, 96), RV_ADDI(6, 11, 64), CSRRS(0, 0x8f3, 6), CSRRWI(0, 0x8c0, 16), RV_LD(5, 10, 0), RV_SD(5, 11, 0),
            CSRRS(7, 0xffe, 0), RV_SD(7, 11, 8), RV_LD(5, 10, 0), RV_SD(5, 11, 16), RV_ADDI(6, 11, 24), RV_LI(7, 56), CSRRS(0, 0x815, 5), RV_ADD(0, 6, 7), RV_RET);
    cr_expect_eq(output(&r, 0), 14);
    cr_expect_eq(output(&r, 1), 14);
    cr_expect_eq(output(&r, 2), 0);
    cr_expect_eq(output(&r, 6), 2);
    cr_expect_eq(counts.fcall[16], 1);
    FAIL(VN_ABI_B, VN_ERR_GUEST, "has no fcall 23", CSRRWI(0, 0x8c0, 23), RV_RET);
    FAIL(VN_ABI_B, VN_ERR_GUEST, "has no fcall 33", CSRRWI(0, 0x8c1, 1), RV_RET);
    FAIL(VN_ABI_B, VN_ERR_GUEST, "waits for input", RV_ADDI(5, 10, 15), CSRRS(0, 0x8f0, 5), CSRRWI(0, 0x8c0, 22), RV_RET);
    FAIL(VN_ABI_B, VN_ERR_GUEST, "reads past", CSRRS(5, 0xffe, 0), RV_RET);
}

/* ---- Misaligned accesses ---- */

Test(special, misaligned_accesses)
{
    struct vn_exec_result r = RUN(VN_ABI_B, RV_LUI(5, 0x81828), RV_ADDI(5, 5, 0x384), RV_SD(5, 11, 5), RV_LD(6, 11, 5), RV_SD(6, 11, 16), RV_LW(6, 11, 5), RV_SD(6, 11, 24), RV_LH(6, 11, 7),
                                  RV_SD(6, 11, 32), RV_SW(5, 11, 43), RV_SH(5, 11, 55), RV_RET);
    cr_expect_arr_eq(r.output, "\0\0\0\0\0\x84\x83\x82\x81\xff\xff\xff\xff\0\0\0", 16);
    cr_expect_eq(output(&r, 2), 0xffffffff81828384);
    cr_expect_eq(output(&r, 3), 0xffffffff81828384);
    cr_expect_eq(output(&r, 4), 0xffffffffffff8182);
    cr_expect_arr_eq(r.output + 40, "\0\0\0\x84\x83\x82\x81\0\0\0\0\0\0\0\0\x84\x83\0", 18);
    FAIL(VN_ABI_B, VN_ERR_GUEST, "past the end of memory", RV_LUI(5, 0xc0000), RV_SLLI(5, 5, 32), rv_i(32, 5, 5, 5, 0x13), RV_SD(0, 5, -4), RV_RET);
    FAIL(VN_ABI_B, VN_ERR_GUEST, "read-only", RV_SD(0, 10, 1), RV_RET);
}

/* ---- Limits of the mode ---- */

Test(special, is_not_for_proving)
{
    static const uint32_t code[] = {CSRRS(0, 0x800, 11), RV_RET};
    struct vn_program *p = load(code, sizeof code, VN_ABI_C, 0);
    struct vn_exec_options o = {.shard_log2 = 10, .track = 1, .execute_only = 1};
    struct vn_exec_result r;
    struct vn_error err = {VN_OK, ""};
    cr_expect_eq(vn_execute(p, &o, &r, &err), VN_ERR_ARGUMENT);
    o.execute_only = 0;
    cr_expect_eq(vn_execute(p, &o, &r, &err), VN_ERR_UNSUPPORTED);
    cr_expect_not_null(strstr(err.text, "keccak-f cannot be proved"), "%s", err.text);
    vn_program_free(p);
}

/* ---- Compressed code ---- */

Test(special, compressed_code)
{
    static const uint16_t program[] = {
        0x4285,                 /* 00 c.li x5, 1 */
        0xa019,                 /* 02 c.j 08 */
        0x0000, 0x0001,         /* 04 never reached */
        0x0293, 0x0102,         /* 08 addi x5, x4, 16 */
        0x0317, 0x0000,         /* 0c auipc x6, 0 */
        0x0329,                 /* 10 c.addi x6, 10 -> 16 */
        0x9302,                 /* 12 c.jalr x6; ra = 14 */
        0x9002,                 /* 14 c.ebreak: skipped */
        0xb023, 0x0055,         /* 16 sd x5, 0(x11) */
        0xb423, 0x0015,         /* 1a sd x1, 8(x11) */
        0x0893, 0x05d0,         /* 1e addi x17, x0, 93 */
        0x0073, 0x0000,         /* 22 ecall */
        0x0001,
    };
    struct vn_exec_result r = run_code(program, sizeof program, VN_ABI_B, 1);
    cr_expect_eq(output(&r, 0), 16);
    cr_expect_eq(output(&r, 1), 0x80000014);
    cr_expect_eq(r.steps, 10);
    cr_expect_eq(r.op_count[VN_OP_SD], 2);
    cr_expect_eq(r.op_count[VN_OP_ADDI], 4);
    cr_expect_eq(r.op_count[VN_OP_HALT], 1);
}

/* ---- Whatever the code is, the run ends with an answer ---- */

static uint32_t random_word(uint32_t *seed)
{
    static const uint32_t csrs[] = {0x800, 0x801, 0x803, 0x805, 0x80b, 0x811, 0x813, 0x814, 0x815, 0x816, 0x819, 0x8c0, 0x8f0, 0x8f4, 0xffe, 0x300};
    uint32_t r = *seed = *seed * 1664525 + 1013904223, kind = r >> 29, rd = r >> 24 & 31, rs1 = 8 + (r >> 20 & 7), rs2 = 8 + (r >> 17 & 7);
    switch (kind) {
    case 0: return CSR(r >> 12 & 7, rd, csrs[r >> 8 & 15], rs1);
    case 1: return CSRRS(0, csrs[r >> 8 & 15], rs1);
    case 2: return CSRRWI(0, 0x8c0, rd);
    case 3: return rv_r(r >> 5 & 127, rs2, rs1, 2 + (r >> 4 & 1), rd, 0x2f);
    case 4: return RV_ADD(rd, rs1, rs2);
    case 5: return RV_ADDI(rd, rs1, r >> 5 & 2047);
    case 6: return (r >> 4 & 1) ? RV_SD(rs2, rs1, r >> 5 & 2047) : RV_LD(rd, rs1, r >> 5 & 2047);
    default: return r ^ r << 13;
    }
}

Test(special, random_code_ends)
{
    uint32_t seed = 1;
    for (int round = 0; round < 600; round++) {
        uint32_t code[64];
        for (size_t i = 0; i < 64; i++)
            code[i] = random_word(&seed);
        struct vn_program *p = load(code, sizeof code, (enum vn_abi)(VN_ABI_A + round % 3), round & 1);
        struct vn_exec_options o = {.execute_only = 1, .max_steps = 2000};
        struct vn_exec_result r;
        struct vn_error err = {VN_OK, ""};
        enum vn_status s = vn_execute(p, &o, &r, &err);
        cr_expect(s == VN_OK || s == VN_ERR_GUEST || s == VN_ERR_UNSUPPORTED, "%d: %s", s, err.text);
        vn_program_free(p);
    }
}
