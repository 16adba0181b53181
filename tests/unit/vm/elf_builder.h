#ifndef VN_TEST_ELF_BUILDER_H
#define VN_TEST_ELF_BUILDER_H
/* Small ELF files for the tests, built in memory. */

#include <stddef.h>
#include <stdint.h>

#define ELF_MAX_SECTIONS 12

enum { ELF_PROGBITS = 1, ELF_DYNAMIC = 6, ELF_NOBITS = 8, ELF_W = 1, ELF_A = 2, ELF_X = 4 };

struct elf_section {
    const char *name;
    uint32_t type;
    uint64_t flags, addr, size;
    const void *data; /* NULL for NOBITS */
};

struct elf {
    uint64_t entry;
    uint32_t flags;
    struct elf_section sections[ELF_MAX_SECTIONS];
    size_t n_sections;
};

/* The file; the caller frees it. Sections: null, those given, names. Header at 0, contents, names, section headers at the end. */
uint8_t *elf_build(const struct elf *e, size_t *len);

/* One code section at 0x80000000 that is also the entry. */
struct elf elf_of_code(const uint32_t *words, size_t n);

/* Encodings for hand-written programs. */
#define U32(x) ((uint32_t)(x))
#define BITS(x, from, n) (U32(x) >> (from) & ((1u << (n)) - 1))
#define rv_r(f7, rs2, rs1, f3, rd, opcode) (U32(f7) << 25 | U32(rs2) << 20 | U32(rs1) << 15 | U32(f3) << 12 | U32(rd) << 7 | U32(opcode))
#define rv_i(imm, rs1, f3, rd, opcode) (U32(imm) << 20 | U32(rs1) << 15 | U32(f3) << 12 | U32(rd) << 7 | U32(opcode))
#define rv_s(imm, rs2, rs1, f3) rv_r(BITS(imm, 5, 7), rs2, rs1, f3, BITS(imm, 0, 5), 0x23)
#define rv_b(offset, rs2, rs1, f3) \
    rv_r(BITS(offset, 12, 1) << 6 | BITS(offset, 5, 6), rs2, rs1, f3, BITS(offset, 1, 4) << 1 | BITS(offset, 11, 1), 0x63)
#define rv_j(offset, rd) \
    (BITS(offset, 20, 1) << 31 | BITS(offset, 1, 10) << 21 | BITS(offset, 11, 1) << 20 | BITS(offset, 12, 8) << 12 | U32(rd) << 7 | 0x6f)
#define RV_ADDI(rd, rs1, imm) rv_i(imm, rs1, 0, rd, 0x13)
#define RV_ADD(rd, rs1, rs2) rv_r(0, rs2, rs1, 0, rd, 0x33)
#define RV_LUI(rd, imm20) (U32(imm20) << 12 | U32(rd) << 7 | 0x37)
#define RV_SLLI(rd, rs1, n) rv_i(n, rs1, 1, rd, 0x13)
#define RV_LD(rd, rs1, imm) rv_i(imm, rs1, 3, rd, 0x03)
#define RV_LBU(rd, rs1, imm) rv_i(imm, rs1, 4, rd, 0x03)
#define RV_SD(rs2, rs1, imm) rv_s(imm, rs2, rs1, 3)
#define RV_SB(rs2, rs1, imm) rv_s(imm, rs2, rs1, 0)
#define RV_BNE(rs1, rs2, offset) rv_b(offset, rs2, rs1, 1)
#define RV_JALR(rd, rs1, imm) rv_i(imm, rs1, 0, rd, 0x67)
#define RV_RET RV_JALR(0, 1, 0)
#define RV_ECALL 0x00000073u
#define RV_UNIMP 0xc0001073u

#endif
