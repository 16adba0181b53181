/* One function encodes prefix, opcode and ModRM for all of them; the others name opcodes. */
#include "services/prover-engine/vm/native/emit.h"

#include <stdlib.h>
#include <string.h>

#define TWO_BYTE 0x0f00u /* opcodes that follow the byte 0f */

static void put(struct vn_emit *e, const uint8_t *bytes, size_t n)
{
    if (e->n + n > e->capacity && !e->failed) {
        size_t capacity = e->capacity ? 2 * e->capacity : 1 << 16;
        uint8_t *more = realloc(e->bytes, capacity);
        if (more) {
            e->bytes = more;
            e->capacity = capacity;
        } else {
            e->failed = 1;
        }
    }
    if (e->failed)
        return;
    memcpy(e->bytes + e->n, bytes, n);
    e->n += n;
}

static void put_byte(struct vn_emit *e, unsigned byte) { put(e, &(uint8_t){(uint8_t)byte}, 1); }

static void put_imm(struct vn_emit *e, uint64_t value, unsigned bytes)
{
    uint8_t b[8];
    for (unsigned k = 0; k < bytes; k++)
        b[k] = (uint8_t)(value >> (8 * k));
    put(e, b, bytes);
}

static unsigned rex_bits(unsigned reg, struct vn_operand rm)
{
    return (reg & 8) >> 1 | (rm.index != VN_NO_REG ? (rm.index & 8u) >> 2 : 0) | (rm.base & 8u) >> 3;
}

/* ModRM, SIB and displacement. */
static void put_modrm(struct vn_emit *e, unsigned reg, struct vn_operand rm)
{
    unsigned middle = (reg & 7) << 3;
    if (!rm.is_memory) {
        put_byte(e, 0xc0 | middle | (rm.base & 7));
        return;
    }
    int sib = rm.index != VN_NO_REG || (rm.base & 7) == RSP;
    unsigned mod = rm.disp == 0 && (rm.base & 7) != RBP ? 0 : rm.disp >= -128 && rm.disp < 128 ? 1 : 2;
    put_byte(e, mod << 6 | middle | (sib ? 4u : rm.base & 7u));
    if (sib) {
        unsigned scale = rm.scale == 8 ? 3 : rm.scale == 4 ? 2 : rm.scale == 2;
        put_byte(e, scale << 6 | (rm.index != VN_NO_REG ? rm.index & 7u : 4u) << 3 | (rm.base & 7));
    }
    if (mod)
        put_imm(e, (uint32_t)rm.disp, mod == 1 ? 1 : 4);
}

/* A plain instruction with a ModRM byte. byte_registers: registers are used as bytes, so that sil and dil need a prefix. */
static void put_instruction(struct vn_emit *e, unsigned bits, unsigned opcode, unsigned reg, struct vn_operand rm, int byte_registers)
{
    unsigned rex = rex_bits(reg, rm) | (bits == 64 ? 8 : 0);
    if (bits == 16)
        put_byte(e, 0x66);
    if (rex || (byte_registers && (reg >= 4 || (!rm.is_memory && rm.base >= 4))))
        put_byte(e, 0x40 | rex);
    if (opcode >= TWO_BYTE)
        put_byte(e, 0x0f);
    put_byte(e, opcode);
    put_modrm(e, reg, rm);
}

/* VEX, three bytes. map 2: 0f38, 3: 0f3a; prefix 1: 66, 2: f3, 3: f2. */
static void put_vex(struct vn_emit *e, unsigned map, unsigned prefix, unsigned bits, unsigned opcode, unsigned reg, unsigned second, struct vn_operand rm)
{
    unsigned rex = rex_bits(reg, rm);
    put_byte(e, 0xc4);
    put_byte(e, (~rex & 7) << 5 | map);
    put_byte(e, (bits == 64 ? 0x80u : 0) | (~second & 15) << 3 | prefix);
    put_byte(e, opcode);
    put_modrm(e, reg, rm);
}

void vn_emit_alu(struct vn_emit *e, enum vn_alu_op op, unsigned bits, enum vn_reg to, struct vn_operand from)
{
    put_instruction(e, bits, 8u * op + 3, to, from, 0);
}

void vn_emit_alu_to(struct vn_emit *e, enum vn_alu_op op, unsigned bits, struct vn_operand to, enum vn_reg from)
{
    put_instruction(e, bits, 8u * op + 1, from, to, 0);
}

void vn_emit_alu_imm(struct vn_emit *e, enum vn_alu_op op, unsigned bits, struct vn_operand to, int32_t imm)
{
    int small = imm >= -128 && imm < 128;
    put_instruction(e, bits, small ? 0x83 : 0x81, op, to, 0);
    put_imm(e, (uint32_t)imm, small ? 1 : 4);
}

void vn_emit_test(struct vn_emit *e, unsigned bits, enum vn_reg a, enum vn_reg b) { put_instruction(e, bits, 0x85, b, vn_in(a), 0); }

void vn_emit_test_mask(struct vn_emit *e, enum vn_reg a, uint8_t mask)
{
    put_instruction(e, 32, 0xf6, 0, vn_in(a), a >= RSP);
    put_byte(e, mask);
}

void vn_emit_inc(struct vn_emit *e, struct vn_operand to) { put_instruction(e, 64, 0xff, 0, to, 0); }

void vn_emit_mov(struct vn_emit *e, unsigned bits, enum vn_reg to, struct vn_operand from) { put_instruction(e, bits, 0x8b, to, from, 0); }

void vn_emit_mov_to(struct vn_emit *e, unsigned bits, struct vn_operand to, enum vn_reg from)
{
    put_instruction(e, bits, bits == 8 ? 0x88 : 0x89, from, to, bits == 8);
}

void vn_emit_mov_imm(struct vn_emit *e, unsigned bits, struct vn_operand to, int32_t imm)
{
    put_instruction(e, bits, bits == 8 ? 0xc6 : 0xc7, 0, to, 0);
    put_imm(e, (uint32_t)imm, bits == 64 ? 4 : bits / 8);
}

void vn_emit_load_constant(struct vn_emit *e, enum vn_reg to, uint64_t value)
{
    if (value == 0) {
        vn_emit_alu(e, X86_XOR, 32, to, vn_in(to));
    } else if (value == (uint64_t)(int64_t)(int32_t)value && value > UINT32_MAX) {
        vn_emit_mov_imm(e, 64, vn_in(to), (int32_t)value);
    } else {
        int wide = value > UINT32_MAX;
        if (wide || to >= R8)
            put_byte(e, 0x40 | (wide ? 8 : 0) | (to >= R8));
        put_byte(e, 0xb8 | (to & 7));
        put_imm(e, value, wide ? 8 : 4);
    }
}

void vn_emit_extend(struct vn_emit *e, unsigned from_bits, int is_signed, enum vn_reg to, struct vn_operand from)
{
    if (from_bits == 32 && !is_signed)
        vn_emit_mov(e, 32, to, from);
    else if (from_bits == 32)
        put_instruction(e, 64, 0x63, to, from, 0);
    else
        put_instruction(e, is_signed ? 64 : 32, TWO_BYTE | (is_signed ? 0xbe : 0xb6) | (from_bits == 16), to, from, from_bits == 8 && !from.is_memory);
}

void vn_emit_lea(struct vn_emit *e, unsigned bits, enum vn_reg to, struct vn_operand from) { put_instruction(e, bits, 0x8d, to, from, 0); }

void vn_emit_shift_imm(struct vn_emit *e, enum vn_shift_op op, unsigned bits, enum vn_reg to, uint8_t amount)
{
    put_instruction(e, bits, 0xc1, op, vn_in(to), 0);
    put_byte(e, amount);
}

void vn_emit_shift(struct vn_emit *e, enum vn_shift_op op, unsigned bits, enum vn_reg to, struct vn_operand from, enum vn_reg amount)
{
    put_vex(e, 2, op == X86_SHL ? 1 : op == X86_SAR ? 2 : 3, bits, 0xf7, to, amount, from);
}

void vn_emit_rotate_right(struct vn_emit *e, enum vn_reg to, enum vn_reg from, uint8_t amount)
{
    put_vex(e, 3, 3, 64, 0xf0, to, 0, vn_in(from));
    put_byte(e, amount);
}

void vn_emit_imul(struct vn_emit *e, unsigned bits, enum vn_reg to, struct vn_operand from) { put_instruction(e, bits, TWO_BYTE | 0xaf, to, from, 0); }
void vn_emit_unary(struct vn_emit *e, enum vn_unary_op op, unsigned bits, struct vn_operand on) { put_instruction(e, bits, 0xf7, op, on, 0); }

void vn_emit_sign_into_rdx(struct vn_emit *e, unsigned bits)
{
    if (bits == 64)
        put_byte(e, 0x48);
    put_byte(e, 0x99);
}

void vn_emit_set(struct vn_emit *e, enum vn_condition c, enum vn_reg to) { put_instruction(e, 32, TWO_BYTE | 0x90u | c, 0, vn_in(to), to >= RSP); }

static void put_short(struct vn_emit *e, unsigned opcode, enum vn_reg r)
{
    if (r >= R8)
        put_byte(e, 0x41);
    put_byte(e, opcode | (r & 7));
}

void vn_emit_push(struct vn_emit *e, enum vn_reg r) { put_short(e, 0x50, r); }
void vn_emit_pop(struct vn_emit *e, enum vn_reg r) { put_short(e, 0x58, r); }
void vn_emit_jump_to(struct vn_emit *e, enum vn_reg r) { put_instruction(e, 32, 0xff, 4, vn_in(r), 0); }
void vn_emit_call_at(struct vn_emit *e, struct vn_operand pointer) { put_instruction(e, 32, 0xff, 2, pointer, 0); }
void vn_emit_ret(struct vn_emit *e) { put_byte(e, 0xc3); }

static size_t put_distance(struct vn_emit *e)
{
    put_imm(e, 0, 4);
    return e->n - 4;
}

size_t vn_emit_jump(struct vn_emit *e)
{
    put_byte(e, 0xe9);
    return put_distance(e);
}

size_t vn_emit_jump_if(struct vn_emit *e, enum vn_condition c)
{
    put_byte(e, 0x0f);
    put_byte(e, 0x80u | c);
    return put_distance(e);
}

size_t vn_emit_call(struct vn_emit *e)
{
    put_byte(e, 0xe8);
    return put_distance(e);
}

size_t vn_emit_lea_code(struct vn_emit *e, enum vn_reg to)
{
    put_byte(e, 0x48 | (to >= R8 ? 4 : 0));
    put_byte(e, 0x8d);
    put_byte(e, (to & 7) << 3 | 5);
    return put_distance(e);
}

void vn_emit_patch(struct vn_emit *e, size_t place, size_t target)
{
    if (e->failed)
        return;
    uint32_t distance = (uint32_t)(target - (place + 4));
    memcpy(e->bytes + place, &distance, 4);
}
