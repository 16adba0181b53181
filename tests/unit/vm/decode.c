/* Decoder: one known encoding per instruction (from the ISA manual's tables by way of binutils), field rules, and totality over random words. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "services/prover-engine/rv64/program.h"
#include "tests/unit/vm/elf_builder.h"

static const struct {
    uint32_t word;
    const char *text; /* at pc 0x80001000 */
} known[] = {
    {0x123450b7, "lui x1, 0x12345"}, {0xfffff117, "auipc x2, 0xfffff"}, {0x008000ef, "jal x1, 0x80001008"}, {0xff9ff06f, "jal x0, 0x80000ff8"},
    {0xffc58567, "jalr x10, -4(x11)"}, {0x00b50463, "beq x10, x11, 0x80001008"}, {0xfeb51ce3, "bne x10, x11, 0x80000ff8"}, {0x00b54463, "blt x10, x11, 0x80001008"},
    {0x00b55463, "bge x10, x11, 0x80001008"}, {0x00b56463, "bltu x10, x11, 0x80001008"}, {0x00b57463, "bgeu x10, x11, 0x80001008"},
    {0xfff58503, "lb x10, -1(x11)"}, {0x00259503, "lh x10, 2(x11)"}, {0x0045a503, "lw x10, 4(x11)"}, {0x0085b503, "ld x10, 8(x11)"}, {0x0005c503, "lbu x10, 0(x11)"},
    {0x0005d503, "lhu x10, 0(x11)"}, {0x0005e503, "lwu x10, 0(x11)"}, {0xfea58fa3, "sb x10, -1(x11)"}, {0x00a59123, "sh x10, 2(x11)"}, {0x00a5a223, "sw x10, 4(x11)"},
    {0x00a5b423, "sd x10, 8(x11)"}, {0xfff58513, "addi x10, x11, -1"}, {0x0055a513, "slti x10, x11, 5"}, {0x0055b513, "sltiu x10, x11, 5"}, {0x0055c513, "xori x10, x11, 5"},
    {0x0055e513, "ori x10, x11, 5"}, {0x0055f513, "andi x10, x11, 5"}, {0x03f59513, "slli x10, x11, 63"}, {0x0205d513, "srli x10, x11, 32"}, {0x43f5d513, "srai x10, x11, 63"},
    {0x00c58533, "add x10, x11, x12"}, {0x40c58533, "sub x10, x11, x12"}, {0x00c59533, "sll x10, x11, x12"}, {0x00c5a533, "slt x10, x11, x12"}, {0x00c5b533, "sltu x10, x11, x12"},
    {0x00c5c533, "xor x10, x11, x12"}, {0x00c5d533, "srl x10, x11, x12"}, {0x40c5d533, "sra x10, x11, x12"}, {0x00c5e533, "or x10, x11, x12"}, {0x00c5f533, "and x10, x11, x12"},
    {0xfff5851b, "addiw x10, x11, -1"}, {0x01f5951b, "slliw x10, x11, 31"}, {0x01f5d51b, "srliw x10, x11, 31"}, {0x41f5d51b, "sraiw x10, x11, 31"}, {0x00c5853b, "addw x10, x11, x12"},
    {0x40c5853b, "subw x10, x11, x12"}, {0x00c5953b, "sllw x10, x11, x12"}, {0x00c5d53b, "srlw x10, x11, x12"}, {0x40c5d53b, "sraw x10, x11, x12"},
    {0x02c58533, "mul x10, x11, x12"}, {0x02c59533, "mulh x10, x11, x12"}, {0x02c5a533, "mulhsu x10, x11, x12"}, {0x02c5b533, "mulhu x10, x11, x12"}, {0x02c5c533, "div x10, x11, x12"},
    {0x02c5d533, "divu x10, x11, x12"}, {0x02c5e533, "rem x10, x11, x12"}, {0x02c5f533, "remu x10, x11, x12"}, {0x02c5853b, "mulw x10, x11, x12"}, {0x02c5c53b, "divw x10, x11, x12"},
    {0x02c5d53b, "divuw x10, x11, x12"}, {0x02c5e53b, "remw x10, x11, x12"}, {0x02c5f53b, "remuw x10, x11, x12"}, {0x0ff0000f, "fence"}, {0x0000100f, "fence"},
    {0x00000073, "ecall"}, {0x00100073, "ebreak"},
};

static const struct {
    uint32_t word;
    const char *text;
} unsupported[] = {
    {0xc0001073, "unimp"}, {0x8f05a073, "csrrs x0, 0x8f0, x11"}, {0x8c0b5073, "csrrwi x0, 0x8c0, 22"}, {0xf1202573, "csrrs x10, 0xf12, x0"},
    {0x00c5b52f, "amoadd.d x10, x12, (x11) (atomic extension)"}, {0x1005a52f, "lr.w x10, x0, (x11) (atomic extension)"}, {0x00000000, "all-zero word (no instruction)"},
    {0x00004501, "compressed instruction 0x4501 (build with -march=rv64im)"}, {0x02b57553, "floating-point instruction 0x02b57553 (build with -march=rv64im -mabi=lp64)"},
    {0x30200073, "privileged instruction 0x30200073"}, {0x00a5f503, "unknown instruction 0x00a5f503"}, {0x0225951b, "unknown instruction 0x0225951b"},
    {0x0020006f, "jump 0x0020006f to a misaligned or impossible target"}, {0xffffffff, "unknown instruction 0xffffffff"},
};

Test(decode, known_encodings)
{
    char text[96];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct vn_insn insn = vn_decode(known[i].word, 0x80001000);
        vn_insn_format(&insn, text, sizeof text);
        cr_expect_str_eq(text, known[i].text);
        cr_expect(insn.op != VN_OP_UNSUPPORTED && insn.word == known[i].word && insn.pc == 0x80001000);
    }
}

Test(decode, unsupported_is_named)
{
    char text[96];
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
        struct vn_insn insn = vn_decode(unsupported[i].word, 0x80001000);
        vn_insn_format(&insn, text, sizeof text);
        cr_expect_str_eq(text, unsupported[i].text);
        cr_expect_eq(insn.op, VN_OP_UNSUPPORTED);
        cr_expect(insn.next == 0 && insn.rd == 0 && insn.wr == 0);
    }
}

Test(decode, fields)
{
    struct vn_insn i = vn_decode(0xfffff137, 0x80001000); /* lui x2, 0xfffff */
    cr_expect(i.op == VN_OP_CONST && i.rd == 2 && i.wr && i.next == 0x80001004 / 4 && i.imm[0] == 0xf000 && i.imm[1] == 0xffff && i.imm[3] == 0xffff);
    i = vn_decode(0x00001117, 0x80001000); /* auipc x2, 1 */
    cr_expect(i.imm[0] == 0x2000 && i.imm[1] == 0x8000 && i.imm[2] == 0 && i.imm[3] == 0);
    i = vn_decode(0x80000117, 0x80001000); /* auipc x2, 0x80000: wraps below zero */
    cr_expect(i.imm[0] == 0x1000 && i.imm[1] == 0 && i.imm[2] == 0 && i.imm[3] == 0);
    i = vn_decode(0xff9ff06f, 0x80001000); /* jal x0, -8 */
    cr_expect(i.op == VN_OP_CONST && i.wr == 0 && i.rd == 0 && i.next == 0x80000ff8 / 4);
    i = vn_decode(0xffc58567, 0x80001000); /* jalr x10, -4(x11) */
    cr_expect(i.op == VN_OP_JALR && i.next == 0 && i.imm[0] == 0xfffc && i.imm[1] == 0xffff && i.imm[2] == 0x1004 && i.imm[3] == 0x8000);
    i = vn_decode(RV_SD(10, 11, -8), 0x80001000);
    cr_expect(i.op == VN_OP_SD && i.rd == 0 && i.wr == 0 && i.rs1 == 11 && i.rs2 == 10 && i.imm[0] == 0xfff8 && i.imm[1] == 0xffff && i.imm[2] == 0);
    i = vn_decode(0x43f5d513, 0x80001000); /* srai by 63 */
    cr_expect(i.imm[0] == 63 && i.imm[1] == 0 && i.imm[2] == 0 && i.imm[3] == 0 && i.rs2 == 0);
    i = vn_decode(RV_ADDI(0, 5, 1), 0x80001000);
    cr_expect(i.op == VN_OP_ADDI && i.wr == 0 && i.rs1 == 5);
    i = vn_decode(RV_ECALL, 0x80001000);
    cr_expect(i.op == VN_OP_HALT && i.rs1 == 17 && i.next == 0 && i.wr == 0);
    cr_expect_eq(vn_decode(0x00100073, 0x80001000).op, VN_OP_CONST); /* ebreak */
}

Test(decode, targets_outside_the_address_space)
{
    cr_expect_eq(vn_decode(rv_j(-8, 0), 4).op, VN_OP_UNSUPPORTED);
    cr_expect_eq(vn_decode(rv_j(8, 0), 0xfffffffc).op, VN_OP_UNSUPPORTED);
    cr_expect_eq(vn_decode(rv_b(-8, 1, 2, 0), 4).op, VN_OP_UNSUPPORTED);
}

Test(decode, every_word_decodes)
{
    uint64_t state = 1;
    char text[96];
    for (int k = 0; k < 2000000; k++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint32_t word = (uint32_t)(state >> 32);
        struct vn_insn i = vn_decode(word, 0x80000000);
        cr_assert(i.op > VN_OP_INVALID && i.op < VN_OP_COUNT && i.rd < 32 && i.rs1 < 32 && i.rs2 < 32 && i.wr == (i.rd != 0));
        if (k % 64 == 0) {
            memset(text, 1, sizeof text);
            vn_insn_format(&i, text, sizeof text);
            cr_assert(memchr(text, 0, sizeof text) && text[0]);
        }
    }
}

Test(decode, names)
{
    for (int op = 0; op < VN_OP_COUNT; op++)
        cr_expect(vn_op_name((enum vn_op)op) && *vn_op_name((enum vn_op)op));
    cr_expect_str_eq(vn_op_name(VN_OP_ADDIW), "addiw");
}
