/* Each 16-bit instruction is rewritten as the 32-bit instruction it stands for. Immediates are gathered bit by bit as the manual's tables give them. */
#include "services/prover-engine/rv64/program.h"

/* Bits hi..lo of c, moved so that the lowest lands at `to`. */
static uint32_t bits(uint32_t c, unsigned hi, unsigned lo, unsigned to)
{
    return ((c >> lo) & ((1u << (hi - lo + 1)) - 1)) << to;
}

static uint32_t sign_extend(uint32_t v, unsigned width) { return (uint32_t)((int32_t)(v << (32 - width)) >> (32 - width)); }

static uint32_t enc_i(uint32_t imm, uint32_t rs1, uint32_t f3, uint32_t rd, uint32_t opcode)
{
    return imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | opcode;
}

static uint32_t enc_s(uint32_t imm, uint32_t rs2, uint32_t rs1, uint32_t f3, uint32_t opcode)
{
    return (imm >> 5 & 127) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (imm & 31) << 7 | opcode;
}

static uint32_t enc_r(uint32_t f7, uint32_t rs2, uint32_t rs1, uint32_t f3, uint32_t rd, uint32_t opcode)
{
    return f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | opcode;
}

static uint32_t enc_jal(uint32_t imm, uint32_t rd)
{
    return (imm >> 20 & 1) << 31 | (imm >> 1 & 1023) << 21 | (imm >> 11 & 1) << 20 | (imm >> 12 & 255) << 12 | rd << 7 | 0x6f;
}

static uint32_t enc_branch(uint32_t imm, uint32_t rs1, uint32_t f3)
{
    return (imm >> 12 & 1) << 31 | (imm >> 5 & 63) << 25 | rs1 << 15 | f3 << 12 | (imm >> 1 & 15) << 8 | (imm >> 11 & 1) << 7 | 0x63;
}

/* Quadrant 0: loads and stores of x8..x15, and c.addi4spn. */
static uint32_t quadrant0(uint32_t c)
{
    uint32_t rd = 8 + (c >> 2 & 7), rs1 = 8 + (c >> 7 & 7);
    uint32_t word = bits(c, 12, 10, 3) | bits(c, 6, 6, 2) | bits(c, 5, 5, 6), dword = bits(c, 12, 10, 3) | bits(c, 6, 5, 6);
    uint32_t spn = bits(c, 12, 11, 4) | bits(c, 10, 7, 6) | bits(c, 6, 6, 2) | bits(c, 5, 5, 3);
    switch (c >> 13) {
    case 0: return spn ? enc_i(spn, 2, 0, rd, 0x13) : 0;
    case 1: return enc_i(dword, rs1, 3, rd, 0x07); /* c.fld */
    case 2: return enc_i(word, rs1, 2, rd, 0x03);
    case 3: return enc_i(dword, rs1, 3, rd, 0x03);
    case 5: return enc_s(dword, rd, rs1, 3, 0x27); /* c.fsd */
    case 6: return enc_s(word, rd, rs1, 2, 0x23);
    case 7: return enc_s(dword, rd, rs1, 3, 0x23);
    default: return 0;
    }
}

static uint32_t arithmetic(uint32_t c, uint32_t imm)
{
    static const uint8_t funct3[4] = {0, 4, 6, 7}; /* sub, xor, or, and */
    uint32_t rd = 8 + (c >> 7 & 7), rs2 = 8 + (c >> 2 & 7), which = c >> 5 & 3;
    switch (c >> 10 & 3) {
    case 0: return enc_i(imm & 63, rd, 5, rd, 0x13);             /* c.srli */
    case 1: return enc_i((imm & 63) | 0x400, rd, 5, rd, 0x13);   /* c.srai */
    case 2: return enc_i(imm, rd, 7, rd, 0x13);                  /* c.andi */
    default: break;
    }
    if (c >> 12 & 1)
        return which > 1 ? 0 : enc_r(which == 0 ? 32 : 0, rs2, rd, 0, rd, 0x3b); /* c.subw, c.addw */
    return enc_r(which == 0 ? 32 : 0, rs2, rd, funct3[which], rd, 0x33);
}

static uint32_t quadrant1(uint32_t c)
{
    uint32_t rd = c >> 7 & 31, imm = sign_extend(bits(c, 12, 12, 5) | bits(c, 6, 2, 0), 6);
    uint32_t jump = sign_extend(bits(c, 12, 12, 11) | bits(c, 11, 11, 4) | bits(c, 10, 9, 8) | bits(c, 8, 8, 10) | bits(c, 7, 7, 6) | bits(c, 6, 6, 7) |
                                    bits(c, 5, 3, 1) | bits(c, 2, 2, 5), 12);
    uint32_t branch = sign_extend(bits(c, 12, 12, 8) | bits(c, 11, 10, 3) | bits(c, 6, 5, 6) | bits(c, 4, 3, 1) | bits(c, 2, 2, 5), 9);
    uint32_t sp = sign_extend(bits(c, 12, 12, 9) | bits(c, 6, 6, 4) | bits(c, 5, 5, 6) | bits(c, 4, 3, 7) | bits(c, 2, 2, 5), 10);
    switch (c >> 13) {
    case 0: return enc_i(imm, rd, 0, rd, 0x13);
    case 1: return rd ? enc_i(imm, rd, 0, rd, 0x1b) : 0;
    case 2: return enc_i(imm, 0, 0, rd, 0x13);
    case 3:
        if (rd == 2)
            return sp ? enc_i(sp, 2, 0, 2, 0x13) : 0;
        return imm ? imm << 12 | rd << 7 | 0x37 : 0;
    case 4: return arithmetic(c, imm);
    case 5: return enc_jal(jump, 0);
    default: return enc_branch(branch, 8 + (c >> 7 & 7), c >> 13 & 1);
    }
}

static uint32_t jumps_and_moves(uint32_t c)
{
    uint32_t rd = c >> 7 & 31, rs2 = c >> 2 & 31;
    if (c >> 12 & 1) {
        if (rs2)
            return enc_r(0, rs2, rd, 0, rd, 0x33);                   /* c.add */
        return rd ? enc_i(0, rd, 0, 1, 0x67) : 0x00100073;           /* c.jalr, c.ebreak */
    }
    if (rs2)
        return enc_r(0, rs2, 0, 0, rd, 0x33);                        /* c.mv */
    return rd ? enc_i(0, rd, 0, 0, 0x67) : 0;                        /* c.jr */
}

/* Quadrant 2: loads and stores relative to sp, shifts, register jumps. */
static uint32_t quadrant2(uint32_t c)
{
    uint32_t rd = c >> 7 & 31, rs2 = c >> 2 & 31;
    uint32_t load_word = bits(c, 12, 12, 5) | bits(c, 6, 4, 2) | bits(c, 3, 2, 6), load_dword = bits(c, 12, 12, 5) | bits(c, 6, 5, 3) | bits(c, 4, 2, 6);
    uint32_t store_word = bits(c, 12, 9, 2) | bits(c, 8, 7, 6), store_dword = bits(c, 12, 10, 3) | bits(c, 9, 7, 6);
    switch (c >> 13) {
    case 0: return enc_i(bits(c, 12, 12, 5) | rs2, rd, 1, rd, 0x13); /* c.slli */
    case 1: return enc_i(load_dword, 2, 3, rd, 0x07);                /* c.fldsp */
    case 2: return rd ? enc_i(load_word, 2, 2, rd, 0x03) : 0;
    case 3: return rd ? enc_i(load_dword, 2, 3, rd, 0x03) : 0;
    case 4: return jumps_and_moves(c);
    case 5: return enc_s(store_dword, rs2, 2, 3, 0x27);              /* c.fsdsp */
    case 6: return enc_s(store_word, rs2, 2, 2, 0x23);
    default: return enc_s(store_dword, rs2, 2, 3, 0x23);
    }
}

uint32_t vn_expand_compressed(uint16_t c)
{
    switch (c & 3) {
    case 0: return quadrant0(c);
    case 1: return quadrant1(c);
    case 2: return quadrant2(c);
    default: return 0;
    }
}
