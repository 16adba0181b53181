#ifndef VN_NATIVE_EMIT_H
#define VN_NATIVE_EMIT_H
/* An x86-64 assembler for the few instructions the translator needs. Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
 * Instructions are appended to a growing buffer; once memory runs out `failed` is set and nothing more is written. */

#include <stddef.h>
#include <stdint.h>

enum vn_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, VN_NO_REG };

/* A register, or memory at base + index * scale + disp. */
struct vn_operand {
    uint8_t is_memory, base, index, scale; /* not memory: the register is base; index VN_NO_REG: none; scale 1, 2, 4 or 8 */
    int32_t disp;
};

struct vn_emit {
    uint8_t *bytes;
    size_t n, capacity;
    int failed;
};

enum vn_alu_op { X86_ADD = 0, X86_OR = 1, X86_AND = 4, X86_SUB = 5, X86_XOR = 6, X86_CMP = 7 };
enum vn_shift_op { X86_SHL = 4, X86_SHR = 5, X86_SAR = 7 };
enum vn_unary_op { X86_NEG = 3, X86_MUL = 4, X86_IMUL = 5, X86_DIV = 6, X86_IDIV = 7 };
/* Conditions; the inverse of c is c ^ 1. */
enum vn_condition { X86_B = 2, X86_AE = 3, X86_E = 4, X86_NE = 5, X86_BE = 6, X86_A = 7, X86_L = 12, X86_GE = 13, X86_LE = 14, X86_G = 15 };

static inline struct vn_operand vn_in(enum vn_reg r) { return (struct vn_operand){0, (uint8_t)r, VN_NO_REG, 1, 0}; }
static inline struct vn_operand vn_at(enum vn_reg base, int32_t disp) { return (struct vn_operand){1, (uint8_t)base, VN_NO_REG, 1, disp}; }
static inline struct vn_operand vn_at_index(enum vn_reg base, enum vn_reg index, unsigned scale, int32_t disp)
{
    return (struct vn_operand){1, (uint8_t)base, (uint8_t)index, (uint8_t)scale, disp};
}

/* Units: `bits` is the operand size, 32 or 64; 8 and 16 too where said. A 32-bit result is zero-extended. */
void vn_emit_alu(struct vn_emit *e, enum vn_alu_op op, unsigned bits, enum vn_reg to, struct vn_operand from);
void vn_emit_alu_to(struct vn_emit *e, enum vn_alu_op op, unsigned bits, struct vn_operand to, enum vn_reg from);
void vn_emit_alu_imm(struct vn_emit *e, enum vn_alu_op op, unsigned bits, struct vn_operand to, int32_t imm);
void vn_emit_test(struct vn_emit *e, unsigned bits, enum vn_reg a, enum vn_reg b);
void vn_emit_test_mask(struct vn_emit *e, enum vn_reg a, uint8_t mask); /* the register's lowest byte */
void vn_emit_inc(struct vn_emit *e, struct vn_operand to);              /* 64 bits */
void vn_emit_mov(struct vn_emit *e, unsigned bits, enum vn_reg to, struct vn_operand from);
void vn_emit_mov_to(struct vn_emit *e, unsigned bits, struct vn_operand to, enum vn_reg from);    /* bits 8 and 16 too */
void vn_emit_mov_imm(struct vn_emit *e, unsigned bits, struct vn_operand to, int32_t imm);        /* to memory; 64: sign-extended; bits 8 and 16 too */
void vn_emit_load_constant(struct vn_emit *e, enum vn_reg to, uint64_t value);
void vn_emit_extend(struct vn_emit *e, unsigned from_bits, int is_signed, enum vn_reg to, struct vn_operand from); /* 8, 16 or 32 to 64 bits */
void vn_emit_lea(struct vn_emit *e, unsigned bits, enum vn_reg to, struct vn_operand from);
void vn_emit_shift_imm(struct vn_emit *e, enum vn_shift_op op, unsigned bits, enum vn_reg to, uint8_t amount);
void vn_emit_shift(struct vn_emit *e, enum vn_shift_op op, unsigned bits, enum vn_reg to, struct vn_operand from, enum vn_reg amount); /* BMI2 */
void vn_emit_rotate_right(struct vn_emit *e, enum vn_reg to, enum vn_reg from, uint8_t amount);                                       /* BMI2, 64 bits */
void vn_emit_imul(struct vn_emit *e, unsigned bits, enum vn_reg to, struct vn_operand from);
void vn_emit_unary(struct vn_emit *e, enum vn_unary_op op, unsigned bits, struct vn_operand on); /* mul, imul, div, idiv: with rdx:rax */
void vn_emit_sign_into_rdx(struct vn_emit *e, unsigned bits);                                    /* cqo, cdq */
void vn_emit_set(struct vn_emit *e, enum vn_condition c, enum vn_reg to);                        /* the lowest byte */
void vn_emit_push(struct vn_emit *e, enum vn_reg r);
void vn_emit_pop(struct vn_emit *e, enum vn_reg r);
void vn_emit_jump_to(struct vn_emit *e, enum vn_reg r);
void vn_emit_call_at(struct vn_emit *e, struct vn_operand pointer);
void vn_emit_ret(struct vn_emit *e);

/* Jumps and calls with a 32-bit distance. Each returns the place of the distance, for vn_emit_patch. */
size_t vn_emit_jump(struct vn_emit *e);
size_t vn_emit_jump_if(struct vn_emit *e, enum vn_condition c);
size_t vn_emit_call(struct vn_emit *e);
size_t vn_emit_lea_code(struct vn_emit *e, enum vn_reg to); /* address of a place in the code */
void vn_emit_patch(struct vn_emit *e, size_t place, size_t target);

#endif
