/* One guest instruction at a time. A result is computed in its own host register where that is safe, otherwise in rax.
 * A load or store first proves three things about its 64-bit address: it lies below 2^32 (a store: in RAM), it is aligned, and its word was touched in
 * this shard, which also says that the page exists. Rotating the address right by the alignment puts misaligned bits on top, so that one comparison
 * checks both range and alignment. Whatever fails a check goes to the touch function, which makes the word usable or leaves the instruction. */
#include "services/prover-engine/vm/native/translator.h"
#include "services/prover-engine/vm/semantics.h"

#define SHADOW_OFFSET INT32_MIN

struct vn_operand vn_native_operand(const struct translator *t, unsigned guest)
{
    return t->host[guest] != VN_NO_REG ? vn_in(t->host[guest]) : vn_at(REG_MACHINE, 8 * ((int32_t)guest - 16));
}

enum vn_reg vn_native_fetch(struct translator *t, unsigned guest, enum vn_reg scratch)
{
    if (t->host[guest] != VN_NO_REG)
        return t->host[guest];
    if (guest == 0)
        vn_emit_load_constant(&t->e, scratch, 0);
    else
        vn_emit_mov(&t->e, 64, scratch, vn_native_operand(t, guest));
    return scratch;
}

void vn_native_keep(struct translator *t, unsigned guest, enum vn_reg value)
{
    if (guest && t->host[guest] != value)
        vn_emit_mov_to(&t->e, 64, vn_native_operand(t, guest), value);
}

void vn_native_keep_constant(struct translator *t, unsigned guest, uint64_t value)
{
    if (!guest)
        return;
    if (t->host[guest] != VN_NO_REG) {
        vn_emit_load_constant(&t->e, t->host[guest], value);
    } else if (value == (uint64_t)(int64_t)(int32_t)value) {
        vn_emit_mov_imm(&t->e, 64, vn_native_operand(t, guest), (int32_t)value);
    } else {
        vn_emit_load_constant(&t->e, RCX, value);
        vn_native_keep(t, guest, RCX);
    }
}

/* to = guest register */
static void copy(struct translator *t, unsigned bits, enum vn_reg to, unsigned guest)
{
    if (guest == 0)
        vn_emit_load_constant(&t->e, to, 0);
    else if (t->host[guest] != to || bits == 32)
        vn_emit_mov(&t->e, bits, to, vn_native_operand(t, guest));
}

/* Where to compute rd: its host register, or rax if it has none or is `other`, which is still to be read. */
static enum vn_reg target(const struct translator *t, unsigned rd, unsigned other)
{
    return t->host[rd] == VN_NO_REG || rd == other ? RAX : t->host[rd];
}

/* The low half of rax, sign-extended into rd. */
static void keep_word(struct translator *t, unsigned rd)
{
    enum vn_reg to = target(t, rd, 0);
    vn_emit_extend(&t->e, 32, 1, to, vn_in(RAX));
    vn_native_keep(t, rd, to);
}

/* ---- Arithmetic ---- */

static void binary(struct translator *t, enum vn_alu_op op, const struct vn_insn *i)
{
    unsigned a = i->rs1, b = i->rs2;
    if (i->rd == b && op != X86_SUB) {
        b = a;
        a = i->rs2;
    }
    enum vn_reg to = target(t, i->rd, b == i->rd && a != b ? b : 0);
    if (op == X86_ADD && to != RAX && t->host[a] != VN_NO_REG && t->host[b] != VN_NO_REG && i->rd != a) {
        vn_emit_lea(&t->e, 64, to, vn_at_index(t->host[a], t->host[b], 1, 0));
        return;
    }
    copy(t, 64, to, a);
    vn_emit_alu(&t->e, op, 64, to, vn_native_operand(t, b));
    vn_native_keep(t, i->rd, to);
}

static void binary_imm(struct translator *t, enum vn_alu_op op, const struct vn_insn *i)
{
    int32_t imm = (int32_t)vn_insn_operand(i);
    if (i->rs1 == 0 && op != X86_AND) {
        vn_native_keep_constant(t, i->rd, (uint64_t)(int64_t)imm);
        return;
    }
    struct vn_operand from = vn_native_operand(t, i->rs1);
    if (i->rd == i->rs1) {
        if (imm || op == X86_AND)
            vn_emit_alu_imm(&t->e, op, 64, from, imm);
        return;
    }
    enum vn_reg to = target(t, i->rd, 0);
    if (op == X86_ADD && imm && !from.is_memory) {
        vn_emit_lea(&t->e, 64, to, vn_at(t->host[i->rs1], imm));
    } else {
        copy(t, 64, to, i->rs1);
        if (imm || op == X86_AND)
            vn_emit_alu_imm(&t->e, op, 64, vn_in(to), imm);
    }
    vn_native_keep(t, i->rd, to);
}

static void binary_word(struct translator *t, enum vn_alu_op op, const struct vn_insn *i)
{
    copy(t, 32, RAX, i->rs1);
    vn_emit_alu(&t->e, op, 32, RAX, vn_native_operand(t, i->rs2));
    keep_word(t, i->rd);
}

static void add_imm_word(struct translator *t, const struct vn_insn *i)
{
    int32_t imm = (int32_t)vn_insn_operand(i);
    if (i->rs1 == 0) {
        vn_native_keep_constant(t, i->rd, (uint64_t)(int64_t)imm);
        return;
    }
    enum vn_reg to = target(t, i->rd, 0);
    if (imm == 0) {
        vn_emit_extend(&t->e, 32, 1, to, vn_native_operand(t, i->rs1));
        vn_native_keep(t, i->rd, to);
        return;
    }
    if (t->host[i->rs1] != VN_NO_REG) {
        vn_emit_lea(&t->e, 32, RAX, vn_at(t->host[i->rs1], imm));
    } else {
        copy(t, 32, RAX, i->rs1);
        vn_emit_alu_imm(&t->e, X86_ADD, 32, vn_in(RAX), imm);
    }
    keep_word(t, i->rd);
}

static void shift(struct translator *t, enum vn_shift_op op, unsigned bits, const struct vn_insn *i)
{
    enum vn_reg amount = vn_native_fetch(t, i->rs2, RCX), to = bits == 32 ? RAX : target(t, i->rd, 0);
    vn_emit_shift(&t->e, op, bits, to, vn_native_operand(t, i->rs1), amount);
    if (bits == 32)
        keep_word(t, i->rd);
    else
        vn_native_keep(t, i->rd, to);
}

static void shift_imm(struct translator *t, enum vn_shift_op op, unsigned bits, const struct vn_insn *i)
{
    enum vn_reg to = bits == 32 ? RAX : target(t, i->rd, 0);
    copy(t, bits, to, i->rs1);
    if (i->imm[0])
        vn_emit_shift_imm(&t->e, op, bits, to, (uint8_t)i->imm[0]);
    if (bits == 32)
        keep_word(t, i->rd);
    else
        vn_native_keep(t, i->rd, to);
}

/* rd = whether the condition holds for rs1 and rs2, or the immediate */
static void set_if(struct translator *t, enum vn_condition c, const struct vn_insn *i, int has_imm)
{
    enum vn_reg a = vn_native_fetch(t, i->rs1, RAX);
    vn_emit_load_constant(&t->e, RCX, 0);
    if (has_imm)
        vn_emit_alu_imm(&t->e, X86_CMP, 64, vn_in(a), (int32_t)vn_insn_operand(i));
    else
        vn_emit_alu(&t->e, X86_CMP, 64, a, vn_native_operand(t, i->rs2));
    vn_emit_set(&t->e, c, RCX);
    vn_native_keep(t, i->rd, RCX);
}

/* ---- Multiplication and division ---- */

static void multiply(struct translator *t, const struct vn_insn *i)
{
    unsigned a = i->rs1, b = i->rs2;
    if (i->rd == b) {
        b = a;
        a = i->rs2;
    }
    enum vn_reg to = target(t, i->rd, 0);
    copy(t, 64, to, a);
    vn_emit_imul(&t->e, 64, to, vn_native_operand(t, b));
    vn_native_keep(t, i->rd, to);
}

static void multiply_word(struct translator *t, const struct vn_insn *i)
{
    copy(t, 32, RAX, i->rs1);
    vn_emit_imul(&t->e, 32, RAX, vn_native_operand(t, i->rs2));
    keep_word(t, i->rd);
}

static void multiply_high(struct translator *t, const struct vn_insn *i)
{
    copy(t, 64, RAX, i->rs1);
    vn_emit_unary(&t->e, i->op == VN_OP_MULH ? X86_IMUL : X86_MUL, 64, vn_native_operand(t, i->rs2));
    if (i->op == VN_OP_MULHSU) { /* unsigned times unsigned is too large by 2^64 rs2 where rs1 is negative */
        copy(t, 64, RCX, i->rs1);
        vn_emit_shift_imm(&t->e, X86_SAR, 64, RCX, 63);
        vn_emit_alu(&t->e, X86_AND, 64, RCX, vn_native_operand(t, i->rs2));
        vn_emit_alu(&t->e, X86_SUB, 64, RDX, vn_in(RCX));
    }
    vn_native_keep(t, i->rd, RDX);
}

/* Division by zero gives all ones, with the dividend as remainder; division by -1 is done apart, since idiv traps on overflow. */
static void divide(struct translator *t, unsigned bits, int is_signed, int remainder, const struct vn_insn *i)
{
    struct vn_emit *e = &t->e;
    enum vn_reg result = remainder ? RDX : RAX;
    copy(t, bits, RCX, i->rs2);
    if (remainder)
        copy(t, bits, RDX, i->rs1);
    else
        vn_emit_load_constant(e, RAX, UINT64_MAX);
    vn_emit_test(e, bits, RCX, RCX);
    size_t zero = vn_emit_jump_if(e, X86_E), minus_one = 0, divided = 0;
    copy(t, bits, RAX, i->rs1);
    if (is_signed) {
        vn_emit_alu_imm(e, X86_CMP, bits, vn_in(RCX), -1);
        size_t other = vn_emit_jump_if(e, X86_NE);
        if (remainder)
            vn_emit_load_constant(e, RDX, 0);
        else
            vn_emit_unary(e, X86_NEG, bits, vn_in(RAX));
        minus_one = vn_emit_jump(e);
        vn_emit_patch(e, other, e->n);
        vn_emit_sign_into_rdx(e, bits);
        vn_emit_unary(e, X86_IDIV, bits, vn_in(RCX));
    } else {
        vn_emit_load_constant(e, RDX, 0);
        vn_emit_unary(e, X86_DIV, bits, vn_in(RCX));
    }
    divided = e->n;
    vn_emit_patch(e, zero, divided);
    if (is_signed)
        vn_emit_patch(e, minus_one, divided);
    if (bits == 32)
        vn_emit_extend(e, 32, 1, result, vn_in(result));
    vn_native_keep(t, i->rd, result);
}

/* ---- Memory ---- */

void vn_native_address(struct translator *t, unsigned base, int64_t offset)
{
    int32_t disp = (int32_t)offset;
    if (base && t->host[base] != VN_NO_REG && disp) {
        vn_emit_lea(&t->e, 64, RAX, vn_at(t->host[base], disp));
        return;
    }
    copy(t, 64, RAX, base);
    if (disp)
        vn_emit_alu_imm(&t->e, X86_ADD, 64, vn_in(RAX), disp);
}

struct refusals { /* jumps taken when the access must not be made yet */
    size_t places[4];
    unsigned n;
};

static void refuse_if(struct translator *t, struct refusals *r, enum vn_condition c) { r->places[r->n++] = vn_emit_jump_if(&t->e, c); }

/* Checks the address in rax. */
static void check_address(struct translator *t, struct refusals *r, int is_store, unsigned size_log2)
{
    struct vn_emit *e = &t->e;
    int rotated = is_store ? size_log2 > 0 : size_log2 > 1; /* a bound of 2^31 or more is no immediate operand */
    unsigned shift = rotated ? size_log2 : 3;
    if (rotated) {
        vn_emit_rotate_right(e, RCX, RAX, (uint8_t)shift);
    } else {
        vn_emit_mov(e, 64, RCX, vn_in(RAX));
        vn_emit_shift_imm(e, X86_SHR, 64, RCX, 3);
    }
    if (is_store) {
        vn_emit_lea(e, 64, RDX, vn_at(RCX, -(int32_t)(VN_RAM_BASE >> shift)));
        vn_emit_alu_imm(e, X86_CMP, 64, vn_in(RDX), (int32_t)((VN_RAM_END - VN_RAM_BASE) >> shift));
    } else {
        vn_emit_alu_imm(e, X86_CMP, 64, vn_in(RCX), (int32_t)(UINT64_C(0x100000000) >> shift));
    }
    refuse_if(t, r, X86_AE);
    if (!rotated && size_log2) {
        vn_emit_test_mask(e, RAX, (uint8_t)((1u << size_log2) - 1));
        refuse_if(t, r, X86_NE);
    }
    if (is_store && size_log2 == 0) {
        vn_emit_alu_imm(e, X86_CMP, 32, vn_in(RAX), (int32_t)VN_UART_ADDR);
        refuse_if(t, r, X86_E);
    }
    if (shift < 3)
        vn_emit_shift_imm(e, X86_SHR, 32, RCX, (uint8_t)(3 - shift));
    vn_emit_alu_to(e, X86_CMP, 32, vn_at_index(REG_MEMORY, RCX, 4, SHADOW_OFFSET), REG_SHARD);
    refuse_if(t, r, X86_NE);
}

static void access_memory(struct translator *t, const struct vn_insn *i)
{
    struct vn_emit *e = &t->e;
    enum vn_op op = (enum vn_op)i->op;
    unsigned bits = 8 * vn_op_bytes(op), size_log2 = (unsigned)__builtin_ctz(vn_op_bytes(op));
    int is_store = vn_op_is_store(op);
    struct refusals refusals = {.n = 0};
    struct vn_operand at = vn_at_index(REG_MEMORY, RAX, 1, 0);
    vn_native_address(t, i->rs1, vn_insn_offset(i));
    size_t retry = e->n;
    check_address(t, &refusals, is_store, size_log2);
    uint32_t site = vn_native_add_site(t, i->pc);
    for (unsigned k = 0; k < refusals.n; k++)
        vn_native_add_stub(t, (struct stub){.kind = STUB_TOUCH, .place = refusals.places[k], .site = site, .retry = retry});
    if (is_store && i->rs2 == 0) {
        vn_emit_mov_imm(e, bits, at, 0);
    } else if (is_store) {
        vn_emit_mov_to(e, bits, at, vn_native_fetch(t, i->rs2, RCX));
    } else if (i->rd) {
        enum vn_reg to = t->host[i->rd] != VN_NO_REG ? t->host[i->rd] : RCX;
        if (bits == 64)
            vn_emit_mov(e, 64, to, at);
        else
            vn_emit_extend(e, bits, op <= VN_OP_LW, to, at);
        vn_native_keep(t, i->rd, to);
    }
}

/* ---- All of them ---- */

enum vn_condition vn_native_compare(struct translator *t, const struct vn_insn *i)
{
    static const enum vn_condition conditions[] = {X86_E, X86_NE, X86_L, X86_GE, X86_B, X86_AE};
    static const enum vn_condition swapped[] = {X86_E, X86_NE, X86_G, X86_LE, X86_A, X86_BE};
    unsigned a = i->rs1, b = i->rs2, which = i->op - VN_OP_BEQ;
    enum vn_condition c = conditions[which];
    if (a == 0) {
        a = b;
        b = 0;
        c = swapped[which];
    }
    if (b == 0 && t->host[a] != VN_NO_REG)
        vn_emit_test(&t->e, 64, t->host[a], t->host[a]);
    else if (b == 0)
        vn_emit_alu_imm(&t->e, X86_CMP, 64, vn_native_operand(t, a), 0);
    else if (t->host[b] != VN_NO_REG)
        vn_emit_alu_to(&t->e, X86_CMP, 64, vn_native_operand(t, a), t->host[b]);
    else
        vn_emit_alu(&t->e, X86_CMP, 64, vn_native_fetch(t, a, RAX), vn_native_operand(t, b));
    return c;
}

int vn_native_is_operation(enum vn_op op)
{
    return op == VN_OP_CONST || (op >= VN_OP_ADD && op < VN_OP_BEQ) || (op > VN_OP_JALR && op < VN_OP_HALT);
}

void vn_native_operation(struct translator *t, const struct vn_insn *i)
{
    if (vn_op_bytes((enum vn_op)i->op)) {
        access_memory(t, i);
        return;
    }
    if (!i->rd)
        return;
    switch ((enum vn_op)i->op) {
    case VN_OP_CONST: vn_native_keep_constant(t, i->rd, vn_insn_imm64(i)); break;
    case VN_OP_ADD: binary(t, X86_ADD, i); break;
    case VN_OP_SUB: binary(t, X86_SUB, i); break;
    case VN_OP_AND: binary(t, X86_AND, i); break;
    case VN_OP_OR: binary(t, X86_OR, i); break;
    case VN_OP_XOR: binary(t, X86_XOR, i); break;
    case VN_OP_ADDI: binary_imm(t, X86_ADD, i); break;
    case VN_OP_ANDI: binary_imm(t, X86_AND, i); break;
    case VN_OP_ORI: binary_imm(t, X86_OR, i); break;
    case VN_OP_XORI: binary_imm(t, X86_XOR, i); break;
    case VN_OP_ADDW: binary_word(t, X86_ADD, i); break;
    case VN_OP_SUBW: binary_word(t, X86_SUB, i); break;
    case VN_OP_ADDIW: add_imm_word(t, i); break;
    case VN_OP_SLL: shift(t, X86_SHL, 64, i); break;
    case VN_OP_SRL: shift(t, X86_SHR, 64, i); break;
    case VN_OP_SRA: shift(t, X86_SAR, 64, i); break;
    case VN_OP_SLLW: shift(t, X86_SHL, 32, i); break;
    case VN_OP_SRLW: shift(t, X86_SHR, 32, i); break;
    case VN_OP_SRAW: shift(t, X86_SAR, 32, i); break;
    case VN_OP_SLLI: shift_imm(t, X86_SHL, 64, i); break;
    case VN_OP_SRLI: shift_imm(t, X86_SHR, 64, i); break;
    case VN_OP_SRAI: shift_imm(t, X86_SAR, 64, i); break;
    case VN_OP_SLLIW: shift_imm(t, X86_SHL, 32, i); break;
    case VN_OP_SRLIW: shift_imm(t, X86_SHR, 32, i); break;
    case VN_OP_SRAIW: shift_imm(t, X86_SAR, 32, i); break;
    case VN_OP_SLT: set_if(t, X86_L, i, 0); break;
    case VN_OP_SLTU: set_if(t, X86_B, i, 0); break;
    case VN_OP_SLTI: set_if(t, X86_L, i, 1); break;
    case VN_OP_SLTIU: set_if(t, X86_B, i, 1); break;
    case VN_OP_MUL: multiply(t, i); break;
    case VN_OP_MULW: multiply_word(t, i); break;
    case VN_OP_MULH: case VN_OP_MULHSU: case VN_OP_MULHU: multiply_high(t, i); break;
    case VN_OP_DIV: divide(t, 64, 1, 0, i); break;
    case VN_OP_DIVU: divide(t, 64, 0, 0, i); break;
    case VN_OP_REM: divide(t, 64, 1, 1, i); break;
    case VN_OP_REMU: divide(t, 64, 0, 1, i); break;
    case VN_OP_DIVW: divide(t, 32, 1, 0, i); break;
    case VN_OP_DIVUW: divide(t, 32, 0, 0, i); break;
    case VN_OP_REMW: divide(t, 32, 1, 1, i); break;
    case VN_OP_REMUW: divide(t, 32, 0, 1, i); break;
    default: break;
    }
}
