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
    {0x00000073, "ecall"}, {0x00100073, "ebreak"}, {0x1005a52f, "lr.w x10, (x11)"}, {0x1605b52f, "lr.d x10, (x11)"}, {0x18c5a52f, "sc.w x10, x12, (x11)"},
    {0x00c5b52f, "amoadd.d x10, x12, (x11)"}, {0x0ec5a52f, "amoswap.w x10, x12, (x11)"}, {0xe0c5a52f, "amomaxu.w x10, x12, (x11)"},
};

static const struct {
    uint32_t word;
    const char *text;
} unsupported[] = {
    {0xc0001073, "unimp"}, {0x8f05a073, "csrrs x0, 0x8f0, x11"}, {0x8c0b5073, "csrrwi x0, 0x8c0, 22"}, {0xf1202573, "csrrs x10, 0xf12, x0"},
    {0x1015a52f, "unknown instruction 0x1015a52f"}, {0x00c5c52f, "unknown instruction 0x00c5c52f"}, {0x28c5b52f, "unknown instruction 0x28c5b52f"}, {0x00000000, "all-zero word (no instruction)"},
    {0x00004501, "compressed instruction 0x4501, though the ELF header says that there is none"}, {0x02b57553, "floating-point instruction 0x02b57553 (build with -march=rv64im -mabi=lp64)"},
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
    cr_expect(i.op == VN_OP_CONST && i.rd == 2 && i.wr && i.next == 0x80001004 / 2 && i.imm[0] == 0xf000 && i.imm[1] == 0xffff && i.imm[3] == 0xffff);
    i = vn_decode(0x00001117, 0x80001000); /* auipc x2, 1 */
    cr_expect(i.imm[0] == 0x2000 && i.imm[1] == 0x8000 && i.imm[2] == 0 && i.imm[3] == 0);
    i = vn_decode(0x80000117, 0x80001000); /* auipc x2, 0x80000: wraps below zero */
    cr_expect(i.imm[0] == 0x1000 && i.imm[1] == 0 && i.imm[2] == 0 && i.imm[3] == 0);
    i = vn_decode(0xff9ff06f, 0x80001000); /* jal x0, -8 */
    cr_expect(i.op == VN_OP_CONST && i.wr == 0 && i.rd == 0 && i.next == 0x80000ff8 / 2);
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

/* Pairs from the GNU assembler: every compressed instruction of RV64DC, every bit of every jump offset. */
Test(decode, compressed_instructions)
{
    static const struct {
        uint16_t parcel;
        uint32_t word;
    } pairs[] = {
        {0x1fe0, 0x3fc10413}, {0x005c, 0x00410793}, {0x5d64, 0x07c52483}, {0x4144, 0x00452483}, {0x7d64, 0x0f853483}, {0x63a0, 0x0407b403},
        {0xc164, 0x04952223}, {0xe5f8, 0x0ce5b423}, {0x0001, 0x00000013}, {0x1281, 0xfe028293}, {0x02fd, 0x01f28293}, {0x3365, 0xff93031b},
        {0x53fd, 0xfff00393}, {0x7101, 0xe0010113}, {0x617d, 0x1f010113}, {0x6141, 0x01010113}, {0x7481, 0xfffe04b7}, {0x64fd, 0x0001f4b7},
        {0x907d, 0x03f45413}, {0x9481, 0x4204d493}, {0x8485, 0x4014d493}, {0x9901, 0xfe057513}, {0x8c05, 0x40940433}, {0x8c3d, 0x00f44433},
        {0x8dd1, 0x00c5e5b3}, {0x8ef9, 0x00e6f6b3}, {0x9c05, 0x4094043b}, {0x9d25, 0x0095053b}, {0x1ffe, 0x03ff9f93}, {0x51fe, 0x0fc12183},
        {0x4192, 0x00412183}, {0x7f7e, 0x1f813f03}, {0x6f22, 0x00813f03}, {0xdffe, 0x0ff12e23}, {0xfffe, 0x1ff13c23}, {0xe406, 0x00113423},
        {0x8082, 0x00008067}, {0x9282, 0x000280e7}, {0x829a, 0x006002b3}, {0x929a, 0x006282b3}, {0x9002, 0x00100073}, {0x3ce0, 0x0f84b407},
        {0xa41c, 0x00f43427}, {0x30fe, 0x1f813087}, {0xa27e, 0x11f13027}, {0xb001, 0x801ff06f}, {0xb101, 0xc01ff06f}, {0xb501, 0xe01ff06f},
        {0xb701, 0xf01ff06f}, {0xb741, 0xf81ff06f}, {0xb7c1, 0xfc1ff06f}, {0xb7c5, 0xfe1ff06f}, {0xbfc5, 0xff1ff06f}, {0xbfe5, 0xff9ff06f},
        {0xbff5, 0xffdff06f}, {0xbffd, 0xfffff06f}, {0xa009, 0x0020006f}, {0xa011, 0x0040006f}, {0xa021, 0x0080006f}, {0xa801, 0x0100006f},
        {0xa005, 0x0200006f}, {0xa081, 0x0400006f}, {0xa041, 0x0800006f}, {0xa201, 0x1000006f}, {0xa401, 0x2000006f}, {0xa101, 0x4000006f},
        {0xaffd, 0x7fe0006f}, {0xf301, 0xf00710e3}, {0xf341, 0xf80710e3}, {0xf361, 0xfc0710e3}, {0xf365, 0xfe0710e3}, {0xfb65, 0xfe0718e3},
        {0xff65, 0xfe071ce3}, {0xdcf5, 0xfe048ee3}, {0xdcfd, 0xfe048fe3}, {0xe309, 0x00071163}, {0xc091, 0x00048263}, {0xe701, 0x00071463},
        {0xeb01, 0x00071863}, {0xe305, 0x02071063}, {0xe321, 0x04071063}, {0xe341, 0x08071063}, {0xccfd, 0x0e048f63},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        cr_expect_eq(vn_expand_compressed(pairs[i].parcel), pairs[i].word, "0x%04x became 0x%08x, not 0x%08x", pairs[i].parcel,
                     vn_expand_compressed(pairs[i].parcel), pairs[i].word);
    static const uint16_t reserved[] = {0x0000, 0x0004, 0x8000, 0x2001, 0x6101, 0x6081, 0x9c41, 0x9c61, 0x4002, 0x6002, 0x8002};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        cr_expect_eq(vn_expand_compressed(reserved[i]), 0, "0x%04x", reserved[i]);
}

Test(decode, compressed_program_counters)
{
    struct vn_insn i = vn_decode_compressed(vn_expand_compressed(0xa001 | 1 << 3), 0x80000006, 2); /* c.j .+2 */
    cr_expect(i.op == VN_OP_CONST && i.bytes == 2 && vn_insn_target(&i) == 0x80000008, "target 0x%x", vn_insn_target(&i));
    cr_expect_eq(i.next, 0x80000008 / 2);
    i = vn_decode_compressed(vn_expand_compressed(0x0001), 0x80000006, 2); /* c.nop */
    cr_expect_eq(i.next, 0x80000008 / 2);
    i = vn_decode_compressed(vn_expand_compressed(0xc011), 0x80000006, 2); /* c.beqz x8, .+4 */
    cr_expect(i.next == 0x8000000a / 2 && i.imm[0] == 1);
    i = vn_decode_compressed(rv_b(6, 8, 0, 0), 0x80000006, 4);
    cr_expect(i.next == 0x8000000c / 2 && i.imm[0] == 2);
    i = vn_decode_compressed(vn_expand_compressed(0x9082), 0x80000006, 2); /* c.jalr x1 */
    cr_expect(i.op == VN_OP_JALR && i.rd == 1 && i.imm[2] == 8);
    i = vn_decode_compressed(0x0020006f, 0x80000002, 4); /* jal x0, .+2 */
    cr_expect(i.op == VN_OP_CONST && vn_insn_target(&i) == 0x80000004);
    cr_expect_eq(vn_decode(0x0020006f, 0x80000004).op, VN_OP_UNSUPPORTED);
}
