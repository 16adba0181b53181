/* Every cell is computed from the instruction and the values read, never from what the executor says the result was, so a wrong executor
 * shows as an unbalanced bus. Tables that share a shape share their column numbers, which the assertions below hold. */
#include "services/prover-engine/air/trace_rows.h"

#include "air_tables.h"
#include "services/prover-engine/field/fp.h"
#include "services/prover-engine/vm/semantics.h"

#define SAME(A, B, LAST) _Static_assert((int)VN_##A##_##LAST == (int)VN_##B##_##LAST, #B)
#define SAME_SHAPE(A, B) \
    SAME(A, B, SEL);     \
    SAME(A, B, WR);      \
    SAME(A, B, A0);      \
    SAME(A, B, OLD3)
SAME_SHAPE(ADD, ADDI);
SAME_SHAPE(ADD, ADDW);
SAME_SHAPE(ADD, ADDIW);
SAME_SHAPE(ADD, BITWISE);
SAME_SHAPE(ADD, BITWISEI);
SAME_SHAPE(ADD, SLT);
SAME_SHAPE(ADD, SLTI);
SAME_SHAPE(ADD, SHIFT);
SAME_SHAPE(ADD, SHIFTI);
SAME_SHAPE(ADD, SHIFTW);
SAME_SHAPE(ADD, SHIFTIW);
SAME_SHAPE(ADD, MUL);
SAME_SHAPE(ADD, MULW);
SAME_SHAPE(ADD, MULH);
SAME_SHAPE(ADD, DIV);
SAME_SHAPE(ADD, DIVW);
SAME_SHAPE(ADD, JALR);
SAME_SHAPE(ADD, LD);
SAME_SHAPE(ADD, LW);
SAME_SHAPE(ADD, LH);
SAME(ADD, ADDI, R3);
SAME(ADDW, ADDIW, SIGN);
SAME(BITWISE, BITWISEI, AND_HI3);
SAME(SLT, SLTI, LESS);
SAME(SHIFT, SHIFTI, R3);
SAME(SHIFTW, SHIFTIW, SIGN);
SAME(LD, LW, M3);
SAME(LD, LH, M3);
SAME(LD, LOAD_MISALIGNED, PREVM);
SAME(SD, SW, M3);
SAME(SD, SH, M3);
SAME(SD, STORE_MISALIGNED, PREVM);
SAME_SHAPE(ADD, LRSC);
SAME(LRSC, AMO_ADD, N3);
SAME(LRSC, AMO_BITWISE, N3);
SAME(LRSC, AMO_MINMAX, N3);
SAME(BRANCH_EQUAL, SD, A3);
SAME(BRANCH_EQUAL, BRANCH_LESS, A3);

static uint32_t limb(uint64_t v, unsigned i)
{
    return (uint32_t)(v >> (16 * i)) & 0xffff;
}

static void set_limbs(uint32_t *const *c, unsigned first, size_t row, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        c[first + i][row] = limb(v, i);
}

static uint64_t imm64(const struct vn_insn *in)
{
    return in->imm[0] | (uint64_t)in->imm[1] << 16 | (uint64_t)in->imm[2] << 32 | (uint64_t)in->imm[3] << 48;
}

static uint32_t field(int64_t v)
{
    return (uint32_t)(v < 0 ? v + (int64_t)VN_P : v);
}

/* sel clk pc next rd wr rs1 prev1 a prevd old */
static void common(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    c[VN_ADD_SEL][row] = 1;
    c[VN_ADD_CLK][row] = clk;
    c[VN_ADD_PC][row] = in->pc / 2;
    c[VN_ADD_NEXT][row] = in->next;
    c[VN_ADD_RD][row] = in->rd;
    c[VN_ADD_WR][row] = in->wr;
    c[VN_ADD_RS1][row] = in->rs1;
    c[VN_ADD_PREV1][row] = st->prev1;
    set_limbs(c, VN_ADD_A0, row, st->a, 4);
    if (in->wr) {
        c[VN_ADD_PREVD][row] = st->prevd;
        set_limbs(c, VN_ADD_OLD0, row, st->d_old, 4);
    }
}

/* sel clk pc next rs1 prev1 a */
static void common_read(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    c[VN_SD_SEL][row] = 1;
    c[VN_SD_CLK][row] = clk;
    c[VN_SD_PC][row] = in->pc / 2;
    c[VN_SD_NEXT][row] = in->next;
    c[VN_SD_RS1][row] = in->rs1;
    c[VN_SD_PREV1][row] = st->prev1;
    set_limbs(c, VN_SD_A0, row, st->a, 4);
}

/* rs2 prev2 b0..b3 */
static void second(uint32_t *const *c, unsigned first, size_t row, const struct vn_insn *in, const struct vn_step *st)
{
    c[first][row] = in->rs2;
    c[first + 1][row] = st->prev2;
    set_limbs(c, first + 2, row, st->b, 4);
}

/* imm imm_sign */
static void immediate(uint32_t *const *c, unsigned first, size_t row, const struct vn_insn *in)
{
    c[first][row] = in->imm[0];
    c[first + 1][row] = in->imm[1];
}

/* ---- Arithmetic ---- */

static void fill_const(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    c[VN_CONST_SEL][row] = 1;
    c[VN_CONST_CLK][row] = clk;
    c[VN_CONST_PC][row] = in->pc / 2;
    c[VN_CONST_NEXT][row] = in->next;
    c[VN_CONST_RD][row] = in->rd;
    c[VN_CONST_WR][row] = in->wr;
    if (in->wr) {
        c[VN_CONST_PREVD][row] = st->prevd;
        set_limbs(c, VN_CONST_OLD0, row, st->d_old, 4);
    }
    set_limbs(c, VN_CONST_IMM0, row, imm64(in), 4);
}

static void fill_add(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    int is_sub = in->op == VN_OP_SUB;
    common(c, row, in, st, clk);
    second(c, VN_ADD_RS2, row, in, st);
    c[VN_ADD_IS_SUB][row] = (uint32_t)is_sub;
    set_limbs(c, VN_ADD_R0, row, is_sub ? st->a - st->b : st->a + st->b, 4);
}

static void fill_addi(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    immediate(c, VN_ADDI_IMM, row, in);
    set_limbs(c, VN_ADDI_R0, row, st->a + imm64(in), 4);
}

static void word_result(uint32_t *const *c, size_t row, uint64_t r, unsigned r0, unsigned sign)
{
    set_limbs(c, r0, row, r, 2);
    c[sign][row] = (uint32_t)(r >> 31) & 1;
}

static void fill_addw(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    int is_sub = in->op == VN_OP_SUBW;
    common(c, row, in, st, clk);
    second(c, VN_ADDW_RS2, row, in, st);
    c[VN_ADDW_IS_SUB][row] = (uint32_t)is_sub;
    word_result(c, row, is_sub ? st->a - st->b : st->a + st->b, VN_ADDW_R0, VN_ADDW_SIGN);
}

static void fill_addiw(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    immediate(c, VN_ADDIW_IMM, row, in);
    word_result(c, row, st->a + imm64(in), VN_ADDIW_R0, VN_ADDIW_SIGN);
}

static void bitwise(uint32_t *const *c, size_t row, uint64_t a, uint64_t b, unsigned is_or, unsigned is_xor)
{
    c[VN_BITWISE_IS_OR][row] = is_or;
    c[VN_BITWISE_IS_XOR][row] = is_xor;
    set_limbs(c, VN_BITWISE_R0, row, is_or ? a | b : is_xor ? a ^ b : a & b, 4);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t both = limb(a & b, i);
        c[VN_BITWISE_A_HI0 + i][row] = limb(a, i) >> 8;
        c[VN_BITWISE_AND_LO0 + i][row] = both & 255;
        c[VN_BITWISE_AND_HI0 + i][row] = both >> 8;
    }
}

static void fill_bitwise(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    second(c, VN_BITWISE_RS2, row, in, st);
    bitwise(c, row, st->a, st->b, in->op == VN_OP_OR, in->op == VN_OP_XOR);
    for (unsigned i = 0; i < 4; i++)
        c[VN_BITWISE_B_HI0 + i][row] = limb(st->b, i) >> 8;
}

static void fill_bitwisei(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    immediate(c, VN_BITWISEI_IMM, row, in);
    bitwise(c, row, st->a, imm64(in), in->op == VN_OP_ORI, in->op == VN_OP_XORI);
    c[VN_BITWISEI_IMM_HI][row] = in->imm[0] >> 8;
    c[VN_BITWISEI_IMM_SIGN_HI][row] = in->imm[1] >> 8;
}

/* ---- Comparison ---- */

/* sign_a sign_b mark0..mark3 gap less; returns less */
static int compare(uint32_t *const *c, unsigned first, size_t row, uint64_t a, uint64_t b, int is_signed)
{
    uint64_t flip = is_signed ? UINT64_C(1) << 63 : 0, x = a ^ flip, y = b ^ flip;
    if (is_signed) {
        c[first][row] = (uint32_t)(a >> 63);
        c[first + 1][row] = (uint32_t)(b >> 63);
    }
    if (x == y)
        return 0;
    int i = 3, less = x < y;
    while (limb(x, (unsigned)i) == limb(y, (unsigned)i))
        i--;
    int difference = (int)limb(x, (unsigned)i) - (int)limb(y, (unsigned)i);
    c[first + 2 + i][row] = 1;
    c[first + 6][row] = (uint32_t)(less ? -difference : difference) - 1;
    c[first + 7][row] = (uint32_t)less;
    return less;
}

static void fill_slt(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    second(c, VN_SLT_RS2, row, in, st);
    c[VN_SLT_IS_UNSIGNED][row] = in->op == VN_OP_SLTU;
    compare(c, VN_SLT_SIGN_A, row, st->a, st->b, in->op == VN_OP_SLT);
}

static void fill_slti(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    immediate(c, VN_SLTI_IMM, row, in);
    c[VN_SLTI_IS_UNSIGNED][row] = in->op == VN_OP_SLTIU;
    compare(c, VN_SLTI_SIGN_A, row, st->a, imm64(in), in->op == VN_OP_SLTI);
}

static void fill_branch_less(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    int is_signed = in->op == VN_OP_BLT || in->op == VN_OP_BGE, on_less = in->op == VN_OP_BLT || in->op == VN_OP_BLTU;
    common_read(c, row, in, st, clk);
    second(c, VN_BRANCH_LESS_RS2, row, in, st);
    c[VN_BRANCH_LESS_IS_BGE][row] = in->op == VN_OP_BGE;
    c[VN_BRANCH_LESS_IS_BLTU][row] = in->op == VN_OP_BLTU;
    c[VN_BRANCH_LESS_IS_BGEU][row] = in->op == VN_OP_BGEU;
    int less = compare(c, VN_BRANCH_LESS_SIGN_A, row, st->a, st->b, is_signed);
    c[VN_BRANCH_LESS_TARGET][row] = in->next;
    c[VN_BRANCH_LESS_LENGTH][row] = in->imm[0];
    c[VN_BRANCH_LESS_NEXT][row] = less == on_less ? in->next : in->pc / 2 + in->imm[0];
}

static void fill_branch_equal(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    int is_bne = in->op == VN_OP_BNE, differ = st->a != st->b;
    common_read(c, row, in, st, clk);
    second(c, VN_BRANCH_EQUAL_RS2, row, in, st);
    c[VN_BRANCH_EQUAL_IS_BNE][row] = (uint32_t)is_bne;
    if (differ) {
        unsigned i = 0;
        while (limb(st->a, i) == limb(st->b, i))
            i++;
        c[VN_BRANCH_EQUAL_MARK0 + i][row] = 1;
        c[VN_BRANCH_EQUAL_INVERSE][row] = vn_fp_to(vn_fp_inv(vn_fp_from_i64((int64_t)limb(st->a, i) - (int64_t)limb(st->b, i))));
    }
    c[VN_BRANCH_EQUAL_TARGET][row] = in->next;
    c[VN_BRANCH_EQUAL_LENGTH][row] = in->imm[0];
    c[VN_BRANCH_EQUAL_NEXT][row] = differ == is_bne ? in->next : in->pc / 2 + in->imm[0];
}

static void fill_jalr(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    uint64_t target = st->a + (uint64_t)(int64_t)(int16_t)in->imm[0];
    common(c, row, in, st, clk);
    c[VN_JALR_NEXT][row] = (uint32_t)target / 2;
    c[VN_JALR_BIT][row] = target & 1;
    c[VN_JALR_HIGH][row] = limb(target, 1) >> 15;
    c[VN_JALR_TOP][row] = limb(target, 1);
    c[VN_JALR_IMM][row] = in->imm[0];
    c[VN_JALR_IMM_SIGN][row] = in->imm[1];
    c[VN_JALR_LINK0][row] = in->imm[2];
    c[VN_JALR_LINK1][row] = in->imm[3];
}

static void fill_halt(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    c[VN_HALT_SEL][row] = 1;
    c[VN_HALT_CLK][row] = clk;
    c[VN_HALT_PC][row] = in->pc / 2;
    c[VN_HALT_PREV1][row] = st->prev1;
}

/* ---- Shifts ---- */

/* Columns after the flags: by1.. t m power copower fill hi lo u r; `by` is the first. */
static void shift(uint32_t *const *c, unsigned by, size_t row, uint64_t a, unsigned amount, unsigned n, int left, int arithmetic)
{
    unsigned limbs = amount / 16, t = amount % 16, m = left ? 16 - t : t;
    uint32_t fill = arithmetic ? limb(a, n - 1) >> 15 : 0;
    uint32_t hi[4], lo[4], u[4];
    uint32_t *const *v = c + by + (n - 1);
    if (limbs)
        c[by + limbs - 1][row] = 1;
    v[0][row] = t;
    v[1][row] = m;
    v[2][row] = 1u << m;
    v[3][row] = 1u << (16 - m);
    v[4][row] = fill;
    for (unsigned i = 0; i < n; i++) {
        hi[i] = limb(a, i) >> m;
        lo[i] = limb(a, i) & ((1u << m) - 1);
    }
    for (unsigned i = 0; i < n; i++) {
        if (left)
            u[i] = (lo[i] << (16 - m)) + (i ? hi[i - 1] : 0);
        else
            u[i] = hi[i] + (i + 1 < n ? lo[i + 1] << (16 - m) : fill * (65536 - (1u << (16 - m))));
        v[5 + i][row] = hi[i];
        v[5 + n + i][row] = lo[i];
        v[5 + 2 * n + i][row] = u[i];
    }
    for (unsigned j = 0; j < n; j++) {
        uint32_t r = left ? (j >= limbs ? u[j - limbs] : 0) : j + limbs < n ? u[j + limbs] : fill * 65535;
        v[5 + 3 * n + j][row] = r;
    }
}

static void fill_shift(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    second(c, VN_SHIFT_RS2, row, in, st);
    c[VN_SHIFT_IS_SRL][row] = in->op == VN_OP_SRL;
    c[VN_SHIFT_IS_SRA][row] = in->op == VN_OP_SRA;
    shift(c, VN_SHIFT_BY1, row, st->a, st->b & 63, 4, in->op == VN_OP_SLL, in->op == VN_OP_SRA);
}

static void fill_shifti(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    c[VN_SHIFTI_IMM][row] = in->imm[0];
    c[VN_SHIFTI_IS_SRL][row] = in->op == VN_OP_SRLI;
    c[VN_SHIFTI_IS_SRA][row] = in->op == VN_OP_SRAI;
    shift(c, VN_SHIFTI_BY1, row, st->a, in->imm[0] & 63, 4, in->op == VN_OP_SLLI, in->op == VN_OP_SRAI);
}

static void fill_shiftw(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    second(c, VN_SHIFTW_RS2, row, in, st);
    c[VN_SHIFTW_IS_SRL][row] = in->op == VN_OP_SRLW;
    c[VN_SHIFTW_IS_SRA][row] = in->op == VN_OP_SRAW;
    shift(c, VN_SHIFTW_BY1, row, st->a, st->b & 31, 2, in->op == VN_OP_SLLW, in->op == VN_OP_SRAW);
    c[VN_SHIFTW_SIGN][row] = c[VN_SHIFTW_R1][row] >> 15;
}

static void fill_shiftiw(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    c[VN_SHIFTIW_IMM][row] = in->imm[0];
    c[VN_SHIFTIW_IS_SRL][row] = in->op == VN_OP_SRLIW;
    c[VN_SHIFTIW_IS_SRA][row] = in->op == VN_OP_SRAIW;
    shift(c, VN_SHIFTIW_BY1, row, st->a, in->imm[0] & 31, 2, in->op == VN_OP_SLLIW, in->op == VN_OP_SRAIW);
    c[VN_SHIFTIW_SIGN][row] = c[VN_SHIFTIW_R1][row] >> 15;
}

/* ---- Products and divisions ---- */

/* Bytes of a number of n limbs, continued with fill bytes to 2 * 2n. */
static void to_bytes(uint8_t out[16], uint64_t v, unsigned n, int fill)
{
    for (unsigned i = 0; i < 16; i++)
        out[i] = (uint8_t)(i < 2 * n ? (uint8_t)(v >> (8 * i)) : fill ? 255 : 0);
}

static uint64_t product_limb(const uint8_t x[16], const uint8_t y[16], unsigned n)
{
    uint64_t sum[2] = {0, 0};
    for (unsigned half = 0; half < 2; half++)
        for (unsigned i = 0; i <= 2 * n + half; i++)
            sum[half] += (uint64_t)x[i] * y[2 * n + half - i];
    return sum[0] + 256 * sum[1];
}

static void byte_pairs(uint32_t *const *c, size_t row, const uint8_t x[16], const uint8_t y[16], unsigned n, unsigned x_hi, unsigned y_hi, unsigned both)
{
    for (unsigned i = 0; i < n; i++) {
        c[x_hi + i][row] = x[2 * i + 1];
        c[y_hi + i][row] = y[2 * i + 1];
    }
    for (unsigned i = 0; i < 2 * n; i++)
        c[both + i][row] = x[i] & y[i];
}

static void multiply(uint32_t *const *c, size_t row, const uint8_t x[16], const uint8_t y[16], unsigned n, unsigned r, unsigned carries)
{
    uint64_t carry = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t sum = product_limb(x, y, i) + carry;
        carry = sum >> 16;
        c[r + i][row] = sum & 0xffff;
        c[carries + i][row] = (uint32_t)carry;
    }
}

static void fill_mul(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    uint8_t x[16], y[16];
    common(c, row, in, st, clk);
    second(c, VN_MUL_RS2, row, in, st);
    to_bytes(x, st->a, 4, 0);
    to_bytes(y, st->b, 4, 0);
    byte_pairs(c, row, x, y, 4, VN_MUL_A_HI0, VN_MUL_B_HI0, VN_MUL_AND0);
    multiply(c, row, x, y, 4, VN_MUL_R0, VN_MUL_CARRY0);
}

static void fill_mulw(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    uint8_t x[16], y[16];
    common(c, row, in, st, clk);
    second(c, VN_MULW_RS2, row, in, st);
    to_bytes(x, st->a, 2, 0);
    to_bytes(y, st->b, 2, 0);
    byte_pairs(c, row, x, y, 2, VN_MULW_A_HI0, VN_MULW_B_HI0, VN_MULW_AND0);
    multiply(c, row, x, y, 2, VN_MULW_R0, VN_MULW_CARRY0);
    c[VN_MULW_SIGN][row] = c[VN_MULW_R1][row] >> 15;
}

static void fill_mulh(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    uint8_t x[16], y[16];
    int sign_a = in->op != VN_OP_MULHU && st->a >> 63, sign_b = in->op == VN_OP_MULH && st->b >> 63;
    common(c, row, in, st, clk);
    second(c, VN_MULH_RS2, row, in, st);
    c[VN_MULH_IS_MULHSU][row] = in->op == VN_OP_MULHSU;
    c[VN_MULH_IS_MULHU][row] = in->op == VN_OP_MULHU;
    c[VN_MULH_SIGN_A][row] = (uint32_t)sign_a;
    c[VN_MULH_SIGN_B][row] = (uint32_t)sign_b;
    to_bytes(x, st->a, 4, sign_a);
    to_bytes(y, st->b, 4, sign_b);
    byte_pairs(c, row, x, y, 4, VN_MULH_A_HI0, VN_MULH_B_HI0, VN_MULH_AND0);
    multiply(c, row, x, y, 8, VN_MULH_R0, VN_MULH_CARRY0);
}

struct division {
    uint64_t x, y, q, r, gap; /* n limbs each */
    int sign_x, sign_y, sign_q, sign_r, by_zero;
};

static struct division divide(uint64_t x, uint64_t y, unsigned bits, int is_signed)
{
    uint64_t mask = bits == 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
    struct division d = {.x = x & mask, .y = y & mask};
    d.sign_x = is_signed && (d.x >> (bits - 1));
    d.sign_y = is_signed && (d.y >> (bits - 1));
    if (d.y == 0) {
        d.q = mask;
        d.r = d.x;
        d.sign_r = d.sign_x;
        d.by_zero = 1;
        return d;
    }
    uint64_t ax = d.sign_x ? (0 - d.x) & mask : d.x, ay = d.sign_y ? (0 - d.y) & mask : d.y;
    uint64_t aq = ax / ay, ar = ax % ay;
    d.sign_q = d.sign_x != d.sign_y && aq != 0;
    d.sign_r = d.sign_x && ar != 0;
    d.q = (d.sign_q ? 0 - aq : aq) & mask;
    d.r = (d.sign_r ? 0 - ar : ar) & mask;
    d.gap = ay - ar - 1;
    return d;
}

struct division_columns {
    unsigned q, r, gap, value, carry, gap_carry, both, sign_a, sign_b, sign_q, sign_r, by_zero, b_hi, q_hi;
};

static void division(uint32_t *const *c, const struct division_columns *k, size_t row, const struct division *d, unsigned n, int want_rest)
{
    uint8_t y[16], q[16];
    to_bytes(y, d->y, n, d->sign_y);
    to_bytes(q, d->q, n, d->sign_q);
    set_limbs(c, k->q, row, d->q, n);
    set_limbs(c, k->r, row, d->r, n);
    set_limbs(c, k->gap, row, d->gap, n);
    set_limbs(c, k->value, row, want_rest ? d->r : d->q, n);
    c[k->sign_a][row] = (uint32_t)d->sign_x;
    c[k->sign_b][row] = (uint32_t)d->sign_y;
    c[k->sign_q][row] = (uint32_t)d->sign_q;
    c[k->sign_r][row] = (uint32_t)d->sign_r;
    c[k->by_zero][row] = (uint32_t)d->by_zero;
    byte_pairs(c, row, y, q, n, k->b_hi, k->q_hi, k->both);
    uint64_t carry = 0;
    for (unsigned i = 0; i < 2 * n; i++) {
        uint32_t rest = i < n ? limb(d->r, i) : d->sign_r ? 65535 : 0, x = i < n ? limb(d->x, i) : d->sign_x ? 65535 : 0;
        carry = (product_limb(y, q, i) + rest + carry - x) >> 16;
        c[k->carry + i][row] = (uint32_t)carry;
    }
    int64_t borrow = -1;
    for (unsigned i = 0; i + 1 < n && !d->by_zero; i++) {
        int64_t yi = limb(d->y, i), ri = limb(d->r, i);
        int64_t e = (d->sign_y ? -yi : yi) - (d->sign_r ? -ri : ri) - (int64_t)limb(d->gap, i) + borrow;
        borrow = e / 65536; /* exact */
        c[k->gap_carry + i][row] = field(borrow);
    }
}

static void fill_div(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    static const struct division_columns columns = {VN_DIV_Q0, VN_DIV_R0, VN_DIV_GAP0, VN_DIV_VALUE0, VN_DIV_CARRY0, VN_DIV_GAP_CARRY0, VN_DIV_AND0,
                                                    VN_DIV_SIGN_A, VN_DIV_SIGN_B, VN_DIV_SIGN_Q, VN_DIV_SIGN_R, VN_DIV_BY_ZERO, VN_DIV_B_HI0, VN_DIV_Q_HI0};
    struct division d = divide(st->a, st->b, 64, in->op == VN_OP_DIV || in->op == VN_OP_REM);
    common(c, row, in, st, clk);
    second(c, VN_DIV_RS2, row, in, st);
    c[VN_DIV_IS_DIVU][row] = in->op == VN_OP_DIVU;
    c[VN_DIV_IS_REM][row] = in->op == VN_OP_REM;
    c[VN_DIV_IS_REMU][row] = in->op == VN_OP_REMU;
    division(c, &columns, row, &d, 4, in->op == VN_OP_REM || in->op == VN_OP_REMU);
}

static void fill_divw(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    static const struct division_columns columns = {VN_DIVW_Q0, VN_DIVW_R0, VN_DIVW_GAP0, VN_DIVW_VALUE0, VN_DIVW_CARRY0, VN_DIVW_GAP_CARRY0, VN_DIVW_AND0,
                                                    VN_DIVW_SIGN_A, VN_DIVW_SIGN_B, VN_DIVW_SIGN_Q, VN_DIVW_SIGN_R, VN_DIVW_BY_ZERO, VN_DIVW_B_HI0,
                                                    VN_DIVW_Q_HI0};
    struct division d = divide(st->a, st->b, 32, in->op == VN_OP_DIVW || in->op == VN_OP_REMW);
    common(c, row, in, st, clk);
    second(c, VN_DIVW_RS2, row, in, st);
    c[VN_DIVW_IS_DIVU][row] = in->op == VN_OP_DIVUW;
    c[VN_DIVW_IS_REM][row] = in->op == VN_OP_REMW;
    c[VN_DIVW_IS_REMU][row] = in->op == VN_OP_REMUW;
    division(c, &columns, row, &d, 2, in->op == VN_OP_REMW || in->op == VN_OP_REMUW);
    c[VN_DIVW_SIGN][row] = c[VN_DIVW_VALUE1][row] >> 15;
}

/* ---- Memory ---- */

/* imm imm_sign word0 top prevm m0..m3, from `first` */
static uint32_t access(uint32_t *const *c, unsigned first, size_t row, const struct vn_insn *in, const struct vn_step *st)
{
    uint64_t address = st->a + (uint64_t)(int64_t)(int16_t)in->imm[0];
    immediate(c, first, row, in);
    c[first + 2][row] = limb(address, 0) >> 3;
    c[first + 3][row] = limb(address, 1);
    c[first + 4][row] = st->prevm;
    set_limbs(c, first + 5, row, st->m_old, 4);
    return (uint32_t)address & 7;
}

static void fill_ld(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    access(c, VN_LD_IMM, row, in, st);
}

static void fill_lw(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    uint32_t half = access(c, VN_LW_IMM, row, in, st) >> 2, value = (uint32_t)(st->m_old >> (32 * half));
    c[VN_LW_IS_UNSIGNED][row] = in->op == VN_OP_LWU;
    c[VN_LW_HALF][row] = half;
    set_limbs(c, VN_LW_R0, row, value, 2);
    c[VN_LW_SIGN][row] = in->op == VN_OP_LW ? value >> 31 : 0;
}

static void fill_lh(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common(c, row, in, st, clk);
    uint32_t offset = access(c, VN_LH_IMM, row, in, st), i = offset >> 1, odd = offset & 1, chosen = limb(st->m_old, i);
    int byte = in->op == VN_OP_LB || in->op == VN_OP_LBU;
    uint32_t r = byte ? (odd ? chosen >> 8 : chosen & 255) : chosen;
    c[VN_LH_IS_LHU][row] = in->op == VN_OP_LHU;
    c[VN_LH_IS_LB][row] = in->op == VN_OP_LB;
    c[VN_LH_IS_LBU][row] = in->op == VN_OP_LBU;
    c[VN_LH_ODD][row] = odd;
    if (i)
        c[VN_LH_LIMB1 + i - 1][row] = 1;
    c[VN_LH_CHOSEN][row] = chosen;
    c[VN_LH_HI][row] = chosen >> 8;
    c[VN_LH_R][row] = r;
    c[VN_LH_HALF_SIGN][row] = in->op == VN_OP_LH ? r >> 15 : 0;
    c[VN_LH_BYTE_SIGN][row] = in->op == VN_OP_LB ? r >> 7 : 0;
}

static void fill_sd(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common_read(c, row, in, st, clk);
    second(c, VN_SD_RS2, row, in, st);
    access(c, VN_SD_IMM, row, in, st);
}

static void fill_sw(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common_read(c, row, in, st, clk);
    second(c, VN_SW_RS2, row, in, st);
    uint32_t half = access(c, VN_SW_IMM, row, in, st) >> 2;
    c[VN_SW_HALF][row] = half;
    for (unsigned i = 0; i < 4; i++)
        c[VN_SW_N0 + i][row] = i / 2 == half ? limb(st->b, i % 2) : limb(st->m_old, i);
}

static void fill_sh(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    common_read(c, row, in, st, clk);
    second(c, VN_SH_RS2, row, in, st);
    uint32_t offset = access(c, VN_SH_IMM, row, in, st), i = offset >> 1, odd = offset & 1, chosen = limb(st->m_old, i), b = limb(st->b, 0);
    uint32_t value = b;
    if (in->op == VN_OP_SB)
        value = odd ? (b & 255) << 8 | (chosen & 255) : (chosen & 0xff00) | (b & 255);
    c[VN_SH_IS_SB][row] = in->op == VN_OP_SB;
    c[VN_SH_ODD][row] = odd;
    if (i)
        c[VN_SH_LIMB1 + i - 1][row] = 1;
    c[VN_SH_CHOSEN][row] = chosen;
    c[VN_SH_M_HI][row] = chosen >> 8;
    c[VN_SH_B_HI][row] = b >> 8;
    c[VN_SH_VALUE][row] = value;
    for (unsigned j = 0; j < 4; j++)
        c[VN_SH_N0 + j][row] = j == i ? value : limb(st->m_old, j);
}

/* at1.. cross prevm2 high low_hi high_hi, from `first`; returns the offset. */
static unsigned crossing(uint32_t *const *c, unsigned first, size_t row, const struct vn_insn *in, const struct vn_step *st)
{
    unsigned offset = st->addr & 7;
    c[first + offset - 1][row] = 1;
    c[first + 7][row] = (uint32_t)vn_access_crosses((enum vn_op)in->op, st->addr);
    c[first + 8][row] = st->prevm2;
    set_limbs(c, first + 9, row, st->m2_old, 4);
    for (unsigned i = 0; i < 4; i++) {
        c[first + 13 + i][row] = limb(st->m_old, i) >> 8;
        c[first + 17 + i][row] = limb(st->m2_old, i) >> 8;
    }
    return offset;
}

/* Whether word 0 of the second address wraps. */
static uint32_t crossing_carry(const struct vn_insn *in, const struct vn_step *st)
{
    return vn_access_crosses((enum vn_op)in->op, st->addr) && (st->addr >> 3 & 0x1fff) == 0x1fff;
}

static void fill_load_misaligned(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    enum vn_op op = (enum vn_op)in->op;
    common(c, row, in, st, clk);
    access(c, VN_LOAD_MISALIGNED_IMM, row, in, st);
    unsigned offset = crossing(c, VN_LOAD_MISALIGNED_AT1, row, in, st), bytes = vn_op_bytes(op);
    uint64_t eight = st->m_old >> 8 * offset | st->m2_old << (64 - 8 * offset);
    c[VN_LOAD_MISALIGNED_IS_LHU][row] = op == VN_OP_LHU;
    c[VN_LOAD_MISALIGNED_IS_LW][row] = op == VN_OP_LW;
    c[VN_LOAD_MISALIGNED_IS_LWU][row] = op == VN_OP_LWU;
    c[VN_LOAD_MISALIGNED_IS_LD][row] = op == VN_OP_LD;
    for (unsigned j = 0; j < 8; j++)
        c[VN_LOAD_MISALIGNED_BYTE0 + j][row] = eight >> 8 * j & 255;
    uint32_t top = bytes == 8 ? 0 : limb(eight, bytes / 2 - 1);
    c[VN_LOAD_MISALIGNED_TOP_LIMB][row] = top;
    c[VN_LOAD_MISALIGNED_SIGN][row] = op == VN_OP_LH || op == VN_OP_LW ? top >> 15 : 0;
    for (unsigned i = 1; i < 4; i++)
        c[VN_LOAD_MISALIGNED_UPPER0 + i - 1][row] = i < bytes / 2 ? limb(eight, i) : 65535 * c[VN_LOAD_MISALIGNED_SIGN][row];
    c[VN_LOAD_MISALIGNED_CARRY][row] = crossing_carry(in, st);
}

static void fill_store_misaligned(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    uint64_t words[2] = {st->m_old, st->m2_old};
    common_read(c, row, in, st, clk);
    second(c, VN_STORE_MISALIGNED_RS2, row, in, st);
    access(c, VN_STORE_MISALIGNED_IMM, row, in, st);
    crossing(c, VN_STORE_MISALIGNED_AT1, row, in, st);
    c[VN_STORE_MISALIGNED_IS_SW][row] = in->op == VN_OP_SW;
    c[VN_STORE_MISALIGNED_IS_SD][row] = in->op == VN_OP_SD;
    vn_store_misaligned((enum vn_op)in->op, words, st->addr, st->b);
    set_limbs(c, VN_STORE_MISALIGNED_N0, row, words[0], 4);
    set_limbs(c, VN_STORE_MISALIGNED_N4, row, words[1], 4);
    for (unsigned i = 0; i < 4; i++)
        c[VN_STORE_MISALIGNED_B_HI0 + i][row] = limb(st->b, i) >> 8;
    c[VN_STORE_MISALIGNED_CARRY][row] = crossing_carry(in, st);
}

/* ---- Atomics ---- */

/* The columns that all of these tables begin with; returns the old value. */
static uint64_t atomic(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    enum vn_op op = (enum vn_op)in->op;
    uint64_t result, old = vn_atomic_old(op, st->m_old, st->addr);
    common(c, row, in, st, clk);
    second(c, VN_LRSC_RS2, row, in, st);
    c[VN_LRSC_WORD0][row] = limb(st->a, 0) >> 3;
    c[VN_LRSC_TOP][row] = limb(st->a, 1);
    c[VN_LRSC_PREVM][row] = st->prevm;
    set_limbs(c, VN_LRSC_M0, row, st->m_old, 4);
    c[VN_LRSC_IS_WORD][row] = (uint32_t)vn_atomic_is_word(op);
    c[VN_LRSC_HALF][row] = st->addr >> 2 & 1;
    c[VN_LRSC_SIGN][row] = vn_atomic_is_word(op) ? (uint32_t)(old >> 63) : 0;
    set_limbs(c, VN_LRSC_X0, row, old, 4);
    set_limbs(c, VN_LRSC_N0, row, vn_atomic_run(op, st->m_old, st->addr, st->b, &result), 4);
    return old;
}

static void fill_lrsc(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    int is_sc = vn_atomic_is_sc((enum vn_op)in->op);
    uint64_t old = atomic(c, row, in, st, clk);
    c[VN_LRSC_IS_SC][row] = (uint32_t)is_sc;
    set_limbs(c, VN_LRSC_R0, row, is_sc ? 0 : old, 4);
}

static void fill_amo_add(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    uint64_t old = atomic(c, row, in, st, clk);
    c[VN_AMO_ADD_IS_ADD][row] = in->op == VN_OP_AMOADD_D || in->op == VN_OP_AMOADD_W;
    set_limbs(c, VN_AMO_ADD_V0, row, vn_atomic_new((enum vn_op)in->op, old, st->b), 4);
}

static void fill_amo_bitwise(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    uint64_t old = atomic(c, row, in, st, clk);
    c[VN_AMO_BITWISE_IS_OR][row] = in->op == VN_OP_AMOOR_D || in->op == VN_OP_AMOOR_W;
    c[VN_AMO_BITWISE_IS_AND][row] = in->op == VN_OP_AMOAND_D || in->op == VN_OP_AMOAND_W;
    set_limbs(c, VN_AMO_BITWISE_V0, row, vn_atomic_new((enum vn_op)in->op, old, st->b), 4);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t both = limb(old & st->b, i);
        c[VN_AMO_BITWISE_X_HI0 + i][row] = limb(old, i) >> 8;
        c[VN_AMO_BITWISE_B_HI0 + i][row] = limb(st->b, i) >> 8;
        c[VN_AMO_BITWISE_AND_LO0 + i][row] = both & 255;
        c[VN_AMO_BITWISE_AND_HI0 + i][row] = both >> 8;
    }
}

static void fill_amo_minmax(uint32_t *const *c, size_t row, const struct vn_insn *in, const struct vn_step *st, uint32_t clk)
{
    enum vn_op op = (enum vn_op)in->op;
    int is_word = vn_atomic_is_word(op), is_signed = op < VN_OP_AMOMINU_D;
    uint64_t old = atomic(c, row, in, st, clk), operand = is_word ? vn_sext32(st->b) : st->b;
    c[VN_AMO_MINMAX_IS_MAX][row] = op == VN_OP_AMOMAX_D || op == VN_OP_AMOMAX_W;
    c[VN_AMO_MINMAX_IS_MINU][row] = op == VN_OP_AMOMINU_D || op == VN_OP_AMOMINU_W;
    c[VN_AMO_MINMAX_IS_MAXU][row] = op == VN_OP_AMOMAXU_D || op == VN_OP_AMOMAXU_W;
    set_limbs(c, VN_AMO_MINMAX_V0, row, vn_atomic_new(op, old, st->b), 4);
    c[VN_AMO_MINMAX_OPERAND_UPPER0][row] = limb(operand, 2);
    c[VN_AMO_MINMAX_OPERAND_UPPER1][row] = limb(operand, 3);
    c[VN_AMO_MINMAX_OPERAND_SIGN][row] = is_word ? (uint32_t)(operand >> 63) : 0;
    compare(c, VN_AMO_MINMAX_SIGN_A, row, old, operand, is_signed);
}

const struct vn_row_rule vn_row_rules[VN_OP_COUNT] = {
    [VN_OP_CONST] = {VN_TABLE_CONST, fill_const},
    [VN_OP_ADD] = {VN_TABLE_ADD, fill_add}, [VN_OP_SUB] = {VN_TABLE_ADD, fill_add}, [VN_OP_ADDI] = {VN_TABLE_ADDI, fill_addi},
    [VN_OP_ADDW] = {VN_TABLE_ADDW, fill_addw}, [VN_OP_SUBW] = {VN_TABLE_ADDW, fill_addw}, [VN_OP_ADDIW] = {VN_TABLE_ADDIW, fill_addiw},
    [VN_OP_BEQ] = {VN_TABLE_BRANCH_EQUAL, fill_branch_equal}, [VN_OP_BNE] = {VN_TABLE_BRANCH_EQUAL, fill_branch_equal},
    [VN_OP_BLT] = {VN_TABLE_BRANCH_LESS, fill_branch_less}, [VN_OP_BGE] = {VN_TABLE_BRANCH_LESS, fill_branch_less},
    [VN_OP_BLTU] = {VN_TABLE_BRANCH_LESS, fill_branch_less}, [VN_OP_BGEU] = {VN_TABLE_BRANCH_LESS, fill_branch_less},
    [VN_OP_JALR] = {VN_TABLE_JALR, fill_jalr},
    [VN_OP_AND] = {VN_TABLE_BITWISE, fill_bitwise}, [VN_OP_OR] = {VN_TABLE_BITWISE, fill_bitwise}, [VN_OP_XOR] = {VN_TABLE_BITWISE, fill_bitwise},
    [VN_OP_ANDI] = {VN_TABLE_BITWISEI, fill_bitwisei}, [VN_OP_ORI] = {VN_TABLE_BITWISEI, fill_bitwisei}, [VN_OP_XORI] = {VN_TABLE_BITWISEI, fill_bitwisei},
    [VN_OP_SLL] = {VN_TABLE_SHIFT, fill_shift}, [VN_OP_SRL] = {VN_TABLE_SHIFT, fill_shift}, [VN_OP_SRA] = {VN_TABLE_SHIFT, fill_shift},
    [VN_OP_SLLI] = {VN_TABLE_SHIFTI, fill_shifti}, [VN_OP_SRLI] = {VN_TABLE_SHIFTI, fill_shifti}, [VN_OP_SRAI] = {VN_TABLE_SHIFTI, fill_shifti},
    [VN_OP_SLLW] = {VN_TABLE_SHIFTW, fill_shiftw}, [VN_OP_SRLW] = {VN_TABLE_SHIFTW, fill_shiftw}, [VN_OP_SRAW] = {VN_TABLE_SHIFTW, fill_shiftw},
    [VN_OP_SLLIW] = {VN_TABLE_SHIFTIW, fill_shiftiw}, [VN_OP_SRLIW] = {VN_TABLE_SHIFTIW, fill_shiftiw}, [VN_OP_SRAIW] = {VN_TABLE_SHIFTIW, fill_shiftiw},
    [VN_OP_SLT] = {VN_TABLE_SLT, fill_slt}, [VN_OP_SLTU] = {VN_TABLE_SLT, fill_slt},
    [VN_OP_SLTI] = {VN_TABLE_SLTI, fill_slti}, [VN_OP_SLTIU] = {VN_TABLE_SLTI, fill_slti},
    [VN_OP_MUL] = {VN_TABLE_MUL, fill_mul}, [VN_OP_MULW] = {VN_TABLE_MULW, fill_mulw},
    [VN_OP_MULH] = {VN_TABLE_MULH, fill_mulh}, [VN_OP_MULHSU] = {VN_TABLE_MULH, fill_mulh}, [VN_OP_MULHU] = {VN_TABLE_MULH, fill_mulh},
    [VN_OP_DIV] = {VN_TABLE_DIV, fill_div}, [VN_OP_DIVU] = {VN_TABLE_DIV, fill_div}, [VN_OP_REM] = {VN_TABLE_DIV, fill_div}, [VN_OP_REMU] = {VN_TABLE_DIV, fill_div},
    [VN_OP_DIVW] = {VN_TABLE_DIVW, fill_divw}, [VN_OP_DIVUW] = {VN_TABLE_DIVW, fill_divw},
    [VN_OP_REMW] = {VN_TABLE_DIVW, fill_divw}, [VN_OP_REMUW] = {VN_TABLE_DIVW, fill_divw},
    [VN_OP_LD] = {VN_TABLE_LD, fill_ld}, [VN_OP_LW] = {VN_TABLE_LW, fill_lw}, [VN_OP_LWU] = {VN_TABLE_LW, fill_lw},
    [VN_OP_LB] = {VN_TABLE_LH, fill_lh}, [VN_OP_LH] = {VN_TABLE_LH, fill_lh}, [VN_OP_LBU] = {VN_TABLE_LH, fill_lh}, [VN_OP_LHU] = {VN_TABLE_LH, fill_lh},
    [VN_OP_SB] = {VN_TABLE_SH, fill_sh}, [VN_OP_SH] = {VN_TABLE_SH, fill_sh}, [VN_OP_SW] = {VN_TABLE_SW, fill_sw}, [VN_OP_SD] = {VN_TABLE_SD, fill_sd},
    [VN_OP_LR_D ... VN_OP_SC_W] = {VN_TABLE_LRSC, fill_lrsc},
    [VN_OP_AMOSWAP_D ... VN_OP_AMOADD_W] = {VN_TABLE_AMO_ADD, fill_amo_add},
    [VN_OP_AMOXOR_D ... VN_OP_AMOAND_W] = {VN_TABLE_AMO_BITWISE, fill_amo_bitwise},
    [VN_OP_AMOMIN_D ... VN_OP_AMOMAXU_W] = {VN_TABLE_AMO_MINMAX, fill_amo_minmax},
    [VN_OP_HALT] = {VN_TABLE_HALT, fill_halt},
};

const struct vn_row_rule *vn_row_rule(const struct vn_insn *insn, const struct vn_step *step)
{
    static const struct vn_row_rule load = {VN_TABLE_LOAD_MISALIGNED, fill_load_misaligned}, store = {VN_TABLE_STORE_MISALIGNED, fill_store_misaligned};
    enum vn_op op = (enum vn_op)insn->op;
    if (vn_op_bytes(op) > 1 && __builtin_expect(vn_access_is_misaligned(op, step->addr), 0))
        return vn_op_is_store(op) ? &store : &load;
    return &vn_row_rules[op];
}
