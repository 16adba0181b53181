#ifndef VN_SEMANTICS_H
#define VN_SEMANTICS_H
/* What each operation computes and what it touches: the one definition that executor and replay share.
 * With a constant `op` every function folds to the operation itself. */

#include "services/prover-engine/rv64/program.h"

#define VN_SEM static inline __attribute__((always_inline))

VN_SEM int vn_op_is_load(enum vn_op op) { return op >= VN_OP_LB && op <= VN_OP_LWU; }
VN_SEM int vn_op_is_store(enum vn_op op) { return op >= VN_OP_SB && op <= VN_OP_SD; }
VN_SEM int vn_op_is_branch(enum vn_op op) { return op >= VN_OP_BEQ && op <= VN_OP_BGEU; }

/* Register operands: 0 none, 1 rs1 only, 2 both. x0 counts when it is an operand. */
VN_SEM int vn_op_reads(enum vn_op op)
{
    switch (op) {
    case VN_OP_INVALID: case VN_OP_CONST: case VN_OP_UNSUPPORTED: case VN_OP_COUNT:
        return 0;
    case VN_OP_ADDI: case VN_OP_ADDIW: case VN_OP_JALR: case VN_OP_ANDI: case VN_OP_ORI: case VN_OP_XORI:
    case VN_OP_SLLI: case VN_OP_SRLI: case VN_OP_SRAI: case VN_OP_SLLIW: case VN_OP_SRLIW: case VN_OP_SRAIW:
    case VN_OP_SLTI: case VN_OP_SLTIU:
    case VN_OP_LB: case VN_OP_LH: case VN_OP_LW: case VN_OP_LD: case VN_OP_LBU: case VN_OP_LHU: case VN_OP_LWU:
    case VN_OP_HALT:
        return 1;
    default:
        return 2;
    }
}

/* Bytes a load or store moves; 0 for other operations. */
VN_SEM unsigned vn_op_bytes(enum vn_op op)
{
    switch (op) {
    case VN_OP_LB: case VN_OP_LBU: case VN_OP_SB: return 1;
    case VN_OP_LH: case VN_OP_LHU: case VN_OP_SH: return 2;
    case VN_OP_LW: case VN_OP_LWU: case VN_OP_SW: return 4;
    case VN_OP_LD: case VN_OP_SD: return 8;
    default: return 0;
    }
}

VN_SEM uint64_t vn_sext32(uint64_t v) { return (uint64_t)(int64_t)(int32_t)(uint32_t)v; }

VN_SEM int64_t vn_div(int64_t a, int64_t b) { return b == 0 ? -1 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b; }
VN_SEM int64_t vn_rem(int64_t a, int64_t b) { return b == 0 ? a : b == -1 ? 0 : a % b; }
VN_SEM int32_t vn_div32(int32_t a, int32_t b) { return b == 0 ? -1 : b == -1 ? (int32_t)(0 - (uint32_t)a) : a / b; }
VN_SEM int32_t vn_rem32(int32_t a, int32_t b) { return b == 0 ? a : b == -1 ? 0 : a % b; }

/* Result of an operation that only computes; b is rs2 or the immediate. */
VN_SEM uint64_t vn_alu(enum vn_op op, uint64_t a, uint64_t b)
{
    uint32_t a32 = (uint32_t)a, b32 = (uint32_t)b;
    switch (op) {
    case VN_OP_ADD: case VN_OP_ADDI: return a + b;
    case VN_OP_SUB: return a - b;
    case VN_OP_ADDW: case VN_OP_ADDIW: return vn_sext32(a32 + b32);
    case VN_OP_SUBW: return vn_sext32(a32 - b32);
    case VN_OP_AND: case VN_OP_ANDI: return a & b;
    case VN_OP_OR: case VN_OP_ORI: return a | b;
    case VN_OP_XOR: case VN_OP_XORI: return a ^ b;
    case VN_OP_SLL: case VN_OP_SLLI: return a << (b & 63);
    case VN_OP_SRL: case VN_OP_SRLI: return a >> (b & 63);
    case VN_OP_SRA: case VN_OP_SRAI: return (uint64_t)((int64_t)a >> (b & 63));
    case VN_OP_SLLW: case VN_OP_SLLIW: return vn_sext32(a32 << (b & 31));
    case VN_OP_SRLW: case VN_OP_SRLIW: return vn_sext32(a32 >> (b & 31));
    case VN_OP_SRAW: case VN_OP_SRAIW: return (uint64_t)(int64_t)((int32_t)a32 >> (b & 31));
    case VN_OP_SLT: case VN_OP_SLTI: return (int64_t)a < (int64_t)b;
    case VN_OP_SLTU: case VN_OP_SLTIU: return a < b;
    case VN_OP_MUL: return a * b;
    case VN_OP_MULH: return (uint64_t)(((__int128)(int64_t)a * (__int128)(int64_t)b) >> 64);
    case VN_OP_MULHSU: return (uint64_t)(((__int128)(int64_t)a * (__int128)(unsigned __int128)b) >> 64);
    case VN_OP_MULHU: return (uint64_t)(((unsigned __int128)a * (unsigned __int128)b) >> 64);
    case VN_OP_MULW: return vn_sext32(a32 * b32);
    case VN_OP_DIV: return (uint64_t)vn_div((int64_t)a, (int64_t)b);
    case VN_OP_DIVU: return b == 0 ? UINT64_MAX : a / b;
    case VN_OP_REM: return (uint64_t)vn_rem((int64_t)a, (int64_t)b);
    case VN_OP_REMU: return b == 0 ? a : a % b;
    case VN_OP_DIVW: return (uint64_t)(int64_t)vn_div32((int32_t)a32, (int32_t)b32);
    case VN_OP_DIVUW: return b32 == 0 ? UINT64_MAX : vn_sext32(a32 / b32);
    case VN_OP_REMW: return (uint64_t)(int64_t)vn_rem32((int32_t)a32, (int32_t)b32);
    case VN_OP_REMUW: return b32 == 0 ? vn_sext32(a32) : vn_sext32(a32 % b32);
    default: return 0;
    }
}

VN_SEM int vn_branch_taken(enum vn_op op, uint64_t a, uint64_t b)
{
    switch (op) {
    case VN_OP_BEQ: return a == b;
    case VN_OP_BNE: return a != b;
    case VN_OP_BLT: return (int64_t)a < (int64_t)b;
    case VN_OP_BGE: return (int64_t)a >= (int64_t)b;
    case VN_OP_BLTU: return a < b;
    case VN_OP_BGEU: return a >= b;
    default: return 0;
    }
}

/* Register value of a load from the 64-bit word that holds the (aligned) address. */
VN_SEM uint64_t vn_load_value(enum vn_op op, uint64_t word, uint32_t addr)
{
    uint64_t v = word >> (8 * (addr & 7));
    switch (op) {
    case VN_OP_LB: return (uint64_t)(int64_t)(int8_t)v;
    case VN_OP_LH: return (uint64_t)(int64_t)(int16_t)v;
    case VN_OP_LW: return (uint64_t)(int64_t)(int32_t)v;
    case VN_OP_LBU: return (uint8_t)v;
    case VN_OP_LHU: return (uint16_t)v;
    case VN_OP_LWU: return (uint32_t)v;
    default: return v;
    }
}

/* The 64-bit word after a store of `value` at the (aligned) address. */
VN_SEM uint64_t vn_store_word(enum vn_op op, uint64_t word, uint32_t addr, uint64_t value)
{
    unsigned bytes = vn_op_bytes(op), shift = 8 * (addr & 7);
    uint64_t mask = bytes == 8 ? UINT64_MAX : ((UINT64_C(1) << (8 * bytes)) - 1) << shift;
    return (word & ~mask) | ((value << shift) & mask);
}

/* Loads and stores need not be aligned; those that are not have tables of their own. One that crosses uses the next word too. */
VN_SEM int vn_access_is_misaligned(enum vn_op op, uint64_t addr) { return (addr & (vn_op_bytes(op) - 1)) != 0; }
VN_SEM int vn_access_crosses(enum vn_op op, uint64_t addr) { return (addr & 7) + vn_op_bytes(op) > 8; }

/* Register value of a load at any address, from the word that holds the address and the one after it (0 where it does not cross). */
VN_SEM uint64_t vn_load_misaligned(enum vn_op op, const uint64_t words[2], uint32_t addr)
{
    unsigned shift = 8 * (addr & 7);
    return vn_load_value(op, shift ? words[0] >> shift | words[1] << (64 - shift) : words[0], 0);
}

/* The same two words after a store at any address. */
VN_SEM void vn_store_misaligned(enum vn_op op, uint64_t words[2], uint32_t addr, uint64_t value)
{
    unsigned shift = 8 * (addr & 7);
    uint64_t mask = vn_op_bytes(op) == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * vn_op_bytes(op))) - 1;
    words[0] = (words[0] & ~(mask << shift)) | (value & mask) << shift;
    if (shift) {
        words[1] &= ~(mask >> (64 - shift));
        words[1] |= (value & mask) >> (64 - shift);
    }
}

/* ---- Atomics: aligned accesses at the address in rs1 ---- */

VN_SEM int vn_op_is_atomic(enum vn_op op) { return op >= VN_OP_LR_D && op <= VN_OP_AMOMAXU_W; }
VN_SEM int vn_atomic_is_word(enum vn_op op) { return (op - VN_OP_LR_D) & 1; }
VN_SEM unsigned vn_atomic_bytes(enum vn_op op) { return vn_atomic_is_word(op) ? 4 : 8; }
VN_SEM int vn_atomic_is_lr(enum vn_op op) { return op == VN_OP_LR_D || op == VN_OP_LR_W; }
VN_SEM int vn_atomic_is_sc(enum vn_op op) { return op == VN_OP_SC_D || op == VN_OP_SC_W; }

/* Whether the address can be accessed, as far as it alone says. */
VN_SEM int vn_atomic_address_fits(enum vn_op op, uint64_t addr)
{
    return addr <= UINT32_MAX && (addr & (vn_atomic_bytes(op) - 1)) == 0 && (vn_atomic_is_lr(op) || (addr >= VN_RAM_BASE && addr < VN_RAM_END));
}

/* The old value as a register gets it, from the 64-bit word that holds the address. */
VN_SEM uint64_t vn_atomic_old(enum vn_op op, uint64_t word, uint32_t addr)
{
    return vn_load_value(vn_atomic_is_word(op) ? VN_OP_LW : VN_OP_LD, word, addr);
}

/* The value that an atomic stores (of a word form the low half counts), from the old one and rs2. */
VN_SEM uint64_t vn_atomic_new(enum vn_op op, uint64_t old, uint64_t operand)
{
    uint64_t b = vn_atomic_is_word(op) ? vn_sext32(operand) : operand; /* sign extension keeps both orders */
    switch (op) {
    case VN_OP_LR_D: case VN_OP_LR_W: return old;
    case VN_OP_AMOADD_D: case VN_OP_AMOADD_W: return old + operand;
    case VN_OP_AMOXOR_D: case VN_OP_AMOXOR_W: return old ^ operand;
    case VN_OP_AMOOR_D: case VN_OP_AMOOR_W: return old | operand;
    case VN_OP_AMOAND_D: case VN_OP_AMOAND_W: return old & operand;
    case VN_OP_AMOMIN_D: case VN_OP_AMOMIN_W: return (int64_t)old < (int64_t)b ? old : b;
    case VN_OP_AMOMAX_D: case VN_OP_AMOMAX_W: return (int64_t)old < (int64_t)b ? b : old;
    case VN_OP_AMOMINU_D: case VN_OP_AMOMINU_W: return old < b ? old : b;
    case VN_OP_AMOMAXU_D: case VN_OP_AMOMAXU_W: return old < b ? b : old;
    default: return operand;
    }
}

/* The 64-bit word that holds the address, after the atomic; *result is what rd gets. There are no reservations: sc always succeeds. */
VN_SEM uint64_t vn_atomic_run(enum vn_op op, uint64_t word, uint32_t addr, uint64_t operand, uint64_t *result)
{
    uint64_t old = vn_atomic_old(op, word, addr);
    *result = vn_atomic_is_sc(op) ? 0 : old;
    return vn_store_word(vn_atomic_is_word(op) ? VN_OP_SW : VN_OP_SD, word, addr, vn_atomic_new(op, old, operand));
}

/* The 64-bit constant or immediate of an instruction whose imm is one (CONST and the I forms). */
VN_SEM uint64_t vn_insn_imm64(const struct vn_insn *i)
{
    return (uint64_t)i->imm[0] | (uint64_t)i->imm[1] << 16 | (uint64_t)i->imm[2] << 32 | (uint64_t)i->imm[3] << 48;
}

/* The sign-extended 12-bit offset of jalr, loads and stores. */
VN_SEM int64_t vn_insn_offset(const struct vn_insn *i) { return (int16_t)i->imm[0]; }

/* Immediate operand of any operation, as the second operand of its address or arithmetic. */
VN_SEM int64_t vn_insn_operand(const struct vn_insn *i)
{
    enum vn_op op = (enum vn_op)i->op;
    if (op == VN_OP_JALR || vn_op_is_load(op) || vn_op_is_store(op))
        return vn_insn_offset(i);
    return (int64_t)vn_insn_imm64(i);
}

/* Most words one shard may touch, so that the boundary table and the bump table (about one row per word and VN_TIME_RANGE of clk) fit. */
VN_SEM uint32_t vn_shard_word_limit(unsigned shard_log2)
{
    uint32_t periods = shard_log2 > 18 ? 1u << (shard_log2 - 18) : 1;
    return (1u << 20) / periods - 64;
}

#endif
