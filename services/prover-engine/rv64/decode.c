/* One switch over the major opcode fills struct vn_insn; everything it does not recognise stays VN_OP_UNSUPPORTED.
 * The formatter works from the decoded fields for supported instructions and names the others from their encoding. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "services/prover-engine/rv64/program.h"

static const char *const op_names[VN_OP_COUNT] = {
    [VN_OP_INVALID] = "invalid", [VN_OP_CONST] = "const",
    [VN_OP_ADD] = "add", [VN_OP_SUB] = "sub", [VN_OP_ADDI] = "addi", [VN_OP_ADDW] = "addw", [VN_OP_SUBW] = "subw", [VN_OP_ADDIW] = "addiw",
    [VN_OP_BEQ] = "beq", [VN_OP_BNE] = "bne", [VN_OP_BLT] = "blt", [VN_OP_BGE] = "bge", [VN_OP_BLTU] = "bltu", [VN_OP_BGEU] = "bgeu",
    [VN_OP_JALR] = "jalr",
    [VN_OP_AND] = "and", [VN_OP_OR] = "or", [VN_OP_XOR] = "xor", [VN_OP_ANDI] = "andi", [VN_OP_ORI] = "ori", [VN_OP_XORI] = "xori",
    [VN_OP_SLL] = "sll", [VN_OP_SRL] = "srl", [VN_OP_SRA] = "sra", [VN_OP_SLLI] = "slli", [VN_OP_SRLI] = "srli", [VN_OP_SRAI] = "srai",
    [VN_OP_SLLW] = "sllw", [VN_OP_SRLW] = "srlw", [VN_OP_SRAW] = "sraw", [VN_OP_SLLIW] = "slliw", [VN_OP_SRLIW] = "srliw", [VN_OP_SRAIW] = "sraiw",
    [VN_OP_SLT] = "slt", [VN_OP_SLTU] = "sltu", [VN_OP_SLTI] = "slti", [VN_OP_SLTIU] = "sltiu",
    [VN_OP_MUL] = "mul", [VN_OP_MULH] = "mulh", [VN_OP_MULHSU] = "mulhsu", [VN_OP_MULHU] = "mulhu", [VN_OP_MULW] = "mulw",
    [VN_OP_DIV] = "div", [VN_OP_DIVU] = "divu", [VN_OP_REM] = "rem", [VN_OP_REMU] = "remu",
    [VN_OP_DIVW] = "divw", [VN_OP_DIVUW] = "divuw", [VN_OP_REMW] = "remw", [VN_OP_REMUW] = "remuw",
    [VN_OP_LB] = "lb", [VN_OP_LH] = "lh", [VN_OP_LW] = "lw", [VN_OP_LD] = "ld", [VN_OP_LBU] = "lbu", [VN_OP_LHU] = "lhu", [VN_OP_LWU] = "lwu",
    [VN_OP_SB] = "sb", [VN_OP_SH] = "sh", [VN_OP_SW] = "sw", [VN_OP_SD] = "sd",
    [VN_OP_LR_D] = "lr.d", [VN_OP_LR_W] = "lr.w", [VN_OP_SC_D] = "sc.d", [VN_OP_SC_W] = "sc.w",
    [VN_OP_AMOSWAP_D] = "amoswap.d", [VN_OP_AMOSWAP_W] = "amoswap.w", [VN_OP_AMOADD_D] = "amoadd.d", [VN_OP_AMOADD_W] = "amoadd.w",
    [VN_OP_AMOXOR_D] = "amoxor.d", [VN_OP_AMOXOR_W] = "amoxor.w", [VN_OP_AMOOR_D] = "amoor.d", [VN_OP_AMOOR_W] = "amoor.w",
    [VN_OP_AMOAND_D] = "amoand.d", [VN_OP_AMOAND_W] = "amoand.w", [VN_OP_AMOMIN_D] = "amomin.d", [VN_OP_AMOMIN_W] = "amomin.w",
    [VN_OP_AMOMAX_D] = "amomax.d", [VN_OP_AMOMAX_W] = "amomax.w", [VN_OP_AMOMINU_D] = "amominu.d", [VN_OP_AMOMINU_W] = "amominu.w",
    [VN_OP_AMOMAXU_D] = "amomaxu.d", [VN_OP_AMOMAXU_W] = "amomaxu.w",
    [VN_OP_HALT] = "ecall", [VN_OP_UNSUPPORTED] = "unsupported",
};

const char *vn_op_name(enum vn_op op)
{
    return (unsigned)op < VN_OP_COUNT ? op_names[op] : "unknown";
}

/* ---- Immediates ---- */

static int64_t imm_i(uint32_t w) { return (int32_t)w >> 20; }
static int64_t imm_s(uint32_t w) { return ((int32_t)(w & 0xfe000000u) >> 20) | (int32_t)((w >> 7) & 31); }
static int64_t imm_u(uint32_t w) { return (int32_t)(w & 0xfffff000u); }

static int64_t imm_b(uint32_t w)
{
    uint32_t v = ((w >> 31) << 12) | (((w >> 7) & 1) << 11) | (((w >> 25) & 63) << 5) | (((w >> 8) & 15) << 1);
    return (int32_t)(v << 19) >> 19;
}

static int64_t imm_j(uint32_t w)
{
    uint32_t v = ((w >> 31) << 20) | (((w >> 12) & 255) << 12) | (((w >> 20) & 1) << 11) | (((w >> 21) & 1023) << 1);
    return (int32_t)(v << 11) >> 11;
}

static void set_imm64(struct vn_insn *insn, uint64_t v)
{
    for (int i = 0; i < 4; i++)
        insn->imm[i] = (uint16_t)(v >> (16 * i));
}

/* Low limb and sign limb of a 12-bit offset: the form of jalr, loads and stores. */
static void set_offset(struct vn_insn *insn, int64_t v)
{
    insn->imm[0] = (uint16_t)v;
    insn->imm[1] = v < 0 ? 0xffff : 0;
}

/* Static jump target, or no instruction of ours when it is not aligned or lies where no code can be. */
static int set_target(struct vn_insn *insn, int64_t offset, unsigned align)
{
    int64_t target = (int64_t)insn->pc + offset;
    if (target < 0 || target >= VN_JUMP_END || (target & (align - 1)))
        return 0;
    insn->next = (uint32_t)target / 2;
    return 1;
}

/* ---- Opcode groups: each returns the operation or VN_OP_UNSUPPORTED ---- */

static enum vn_op op_imm(uint32_t w, int64_t *imm)
{
    static const uint8_t by_funct3[8] = {VN_OP_ADDI, 0, VN_OP_SLTI, VN_OP_SLTIU, VN_OP_XORI, 0, VN_OP_ORI, VN_OP_ANDI};
    unsigned f3 = (w >> 12) & 7;
    *imm = imm_i(w);
    if (f3 != 1 && f3 != 5)
        return by_funct3[f3];
    *imm = (w >> 20) & 63;
    unsigned f6 = w >> 26;
    if (f3 == 1)
        return f6 == 0 ? VN_OP_SLLI : VN_OP_UNSUPPORTED;
    return f6 == 0 ? VN_OP_SRLI : f6 == 16 ? VN_OP_SRAI : VN_OP_UNSUPPORTED;
}

static enum vn_op op_imm32(uint32_t w, int64_t *imm)
{
    unsigned f3 = (w >> 12) & 7, f7 = w >> 25;
    *imm = imm_i(w);
    if (f3 == 0)
        return VN_OP_ADDIW;
    *imm = (w >> 20) & 31;
    if (f3 == 1 && f7 == 0)
        return VN_OP_SLLIW;
    if (f3 == 5)
        return f7 == 0 ? VN_OP_SRLIW : f7 == 32 ? VN_OP_SRAIW : VN_OP_UNSUPPORTED;
    return VN_OP_UNSUPPORTED;
}

static enum vn_op op_reg(uint32_t w)
{
    static const uint8_t base[8] = {VN_OP_ADD, VN_OP_SLL, VN_OP_SLT, VN_OP_SLTU, VN_OP_XOR, VN_OP_SRL, VN_OP_OR, VN_OP_AND};
    static const uint8_t muldiv[8] = {VN_OP_MUL, VN_OP_MULH, VN_OP_MULHSU, VN_OP_MULHU, VN_OP_DIV, VN_OP_DIVU, VN_OP_REM, VN_OP_REMU};
    unsigned f3 = (w >> 12) & 7, f7 = w >> 25;
    if (f7 == 0)
        return base[f3];
    if (f7 == 1)
        return muldiv[f3];
    if (f7 == 32 && f3 == 0)
        return VN_OP_SUB;
    if (f7 == 32 && f3 == 5)
        return VN_OP_SRA;
    return VN_OP_UNSUPPORTED;
}

static enum vn_op op_reg32(uint32_t w)
{
    unsigned f3 = (w >> 12) & 7, f7 = w >> 25;
    switch (f7 << 3 | f3) {
    case 0 << 3 | 0: return VN_OP_ADDW;
    case 0 << 3 | 1: return VN_OP_SLLW;
    case 0 << 3 | 5: return VN_OP_SRLW;
    case 32 << 3 | 0: return VN_OP_SUBW;
    case 32 << 3 | 5: return VN_OP_SRAW;
    case 1 << 3 | 0: return VN_OP_MULW;
    case 1 << 3 | 4: return VN_OP_DIVW;
    case 1 << 3 | 5: return VN_OP_DIVUW;
    case 1 << 3 | 6: return VN_OP_REMW;
    case 1 << 3 | 7: return VN_OP_REMUW;
    default: return VN_OP_UNSUPPORTED;
    }
}

/* The ordering bits say nothing to a single hart. */
static enum vn_op op_atomic(uint32_t w)
{
    static const uint8_t by_funct5[32] = {[0] = VN_OP_AMOADD_D, [1] = VN_OP_AMOSWAP_D, [2] = VN_OP_LR_D, [3] = VN_OP_SC_D, [4] = VN_OP_AMOXOR_D, [8] = VN_OP_AMOOR_D,
                                          [12] = VN_OP_AMOAND_D, [16] = VN_OP_AMOMIN_D, [20] = VN_OP_AMOMAX_D, [24] = VN_OP_AMOMINU_D, [28] = VN_OP_AMOMAXU_D};
    unsigned f3 = (w >> 12) & 7, op = by_funct5[w >> 27];
    if (!op || (f3 != 2 && f3 != 3) || (op == VN_OP_LR_D && ((w >> 20) & 31)))
        return VN_OP_UNSUPPORTED;
    return (enum vn_op)(op + (f3 == 2));
}

static struct vn_insn decode(uint32_t word, uint32_t pc, unsigned bytes, unsigned align)
{
    static const uint8_t loads[8] = {VN_OP_LB, VN_OP_LH, VN_OP_LW, VN_OP_LD, VN_OP_LBU, VN_OP_LHU, VN_OP_LWU, VN_OP_UNSUPPORTED};
    static const uint8_t stores[8] = {VN_OP_SB, VN_OP_SH, VN_OP_SW, VN_OP_SD, VN_OP_UNSUPPORTED, VN_OP_UNSUPPORTED, VN_OP_UNSUPPORTED, VN_OP_UNSUPPORTED};
    static const uint8_t branches[8] = {VN_OP_BEQ, VN_OP_BNE, VN_OP_UNSUPPORTED, VN_OP_UNSUPPORTED, VN_OP_BLT, VN_OP_BGE, VN_OP_BLTU, VN_OP_BGEU};
    struct vn_insn none = {.pc = pc, .op = VN_OP_UNSUPPORTED, .bytes = (uint8_t)bytes, .word = word};
    struct vn_insn i = {.pc = pc, .next = pc / 2 + bytes / 2, .op = VN_OP_UNSUPPORTED, .bytes = (uint8_t)bytes, .word = word};
    uint8_t rd = (word >> 7) & 31, rs1 = (word >> 15) & 31, rs2 = (word >> 20) & 31;
    unsigned f3 = (word >> 12) & 7;
    int64_t imm = 0;

    switch (word & 0x7f) {
    case 0x37: /* lui */
        i.op = VN_OP_CONST;
        i.rd = rd;
        set_imm64(&i, (uint64_t)imm_u(word));
        break;
    case 0x17: /* auipc */
        i.op = VN_OP_CONST;
        i.rd = rd;
        set_imm64(&i, (uint64_t)pc + (uint64_t)imm_u(word));
        break;
    case 0x6f: /* jal */
        i.op = set_target(&i, imm_j(word), align) ? VN_OP_CONST : VN_OP_UNSUPPORTED;
        i.rd = rd;
        set_imm64(&i, (uint64_t)pc + bytes);
        break;
    case 0x67: /* jalr */
        i.op = f3 == 0 ? VN_OP_JALR : VN_OP_UNSUPPORTED;
        i.rd = rd;
        i.rs1 = rs1;
        i.next = 0;
        set_offset(&i, imm_i(word));
        i.imm[2] = (uint16_t)(pc + bytes);
        i.imm[3] = (uint16_t)((pc + bytes) >> 16);
        break;
    case 0x63:
        i.op = set_target(&i, imm_b(word), align) ? branches[f3] : VN_OP_UNSUPPORTED;
        i.imm[0] = (uint16_t)(bytes / 2);
        i.rs1 = rs1;
        i.rs2 = rs2;
        break;
    case 0x03:
        i.op = loads[f3];
        i.rd = rd;
        i.rs1 = rs1;
        set_offset(&i, imm_i(word));
        break;
    case 0x23:
        i.op = stores[f3];
        i.rs1 = rs1;
        i.rs2 = rs2;
        set_offset(&i, imm_s(word));
        break;
    case 0x13:
    case 0x1b:
        i.op = (uint8_t)((word & 0x7f) == 0x13 ? op_imm(word, &imm) : op_imm32(word, &imm));
        i.rd = rd;
        i.rs1 = rs1;
        set_imm64(&i, (uint64_t)imm);
        break;
    case 0x33:
    case 0x3b:
        i.op = (uint8_t)((word & 0x7f) == 0x33 ? op_reg(word) : op_reg32(word));
        i.rd = rd;
        i.rs1 = rs1;
        i.rs2 = rs2;
        break;
    case 0x2f:
        i.op = (uint8_t)op_atomic(word);
        i.rd = rd;
        i.rs1 = rs1;
        i.rs2 = rs2;
        break;
    case 0x0f: /* fence, fence.i: nothing to order here */
        i.op = f3 <= 1 ? VN_OP_CONST : VN_OP_UNSUPPORTED;
        break;
    case 0x73:
        if (word == 0x00000073) { /* ecall */
            i.op = VN_OP_HALT;
            i.rs1 = 17;
            i.next = 0;
        } else if (word == 0x00100073) { /* ebreak: a no-op in this ABI */
            i.op = VN_OP_CONST;
        }
        break;
    default:
        break;
    }
    if (i.op == VN_OP_UNSUPPORTED)
        return none;
    i.wr = i.rd != 0;
    return i;
}

struct vn_insn vn_decode(uint32_t word, uint32_t pc) { return decode(word, pc, 4, 4); }

struct vn_insn vn_decode_compressed(uint32_t word, uint32_t pc, unsigned bytes) { return decode(word, pc, bytes, 2); }

uint32_t vn_insn_target(const struct vn_insn *i)
{
    return i->pc + (uint32_t)((i->word & 0x7f) == 0x6f ? imm_j(i->word) : imm_b(i->word));
}

/* ---- Disassembly ---- */

static void format_unsupported(uint32_t w, char *out, size_t len)
{
    static const char *const csr_names[8] = {NULL, "csrrw", "csrrs", "csrrc", NULL, "csrrwi", "csrrsi", "csrrci"};
    unsigned opcode = w & 0x7f, rd = (w >> 7) & 31, f3 = (w >> 12) & 7, rs1 = (w >> 15) & 31, csr = w >> 20;
    if (w == 0xc0001073u)
        snprintf(out, len, "unimp");
    else if (w == 0)
        snprintf(out, len, "all-zero word (no instruction)");
    else if ((w & 3) != 3)
        snprintf(out, len, "compressed instruction 0x%04x, though the ELF header says that there is none", w & 0xffff);
    else if (opcode == 0x73 && csr_names[f3])
        snprintf(out, len, f3 < 4 ? "%s x%u, 0x%x, x%u" : "%s x%u, 0x%x, %u", csr_names[f3], rd, csr, rs1);
    else if (opcode == 0x73)
        snprintf(out, len, "privileged instruction 0x%08x", w);
    else if (opcode == 0x07 || opcode == 0x27 || opcode == 0x43 || opcode == 0x47 || opcode == 0x4b || opcode == 0x4f || opcode == 0x53)
        snprintf(out, len, "floating-point instruction 0x%08x (build with -march=rv64im -mabi=lp64)", w);
    else if (opcode == 0x63 || opcode == 0x6f)
        snprintf(out, len, "jump 0x%08x to a misaligned or impossible target", w);
    else
        snprintf(out, len, "unknown instruction 0x%08x", w);
}

void vn_insn_format(const struct vn_insn *i, char *out, size_t len)
{
    const char *name = vn_op_name((enum vn_op)i->op);
    uint64_t imm = 0;
    for (int k = 0; k < 4; k++)
        imm |= (uint64_t)i->imm[k] << (16 * k);
    int offset = (int16_t)i->imm[0];

    switch (i->op) {
    case VN_OP_UNSUPPORTED:
    case VN_OP_INVALID:
        format_unsupported(i->word, out, len);
        break;
    case VN_OP_CONST:
        switch (i->word & 0x7f) {
        case 0x37: snprintf(out, len, "lui x%u, 0x%x", i->rd, i->word >> 12); break;
        case 0x17: snprintf(out, len, "auipc x%u, 0x%x", i->rd, i->word >> 12); break;
        case 0x6f: snprintf(out, len, "jal x%u, 0x%" PRIx32, i->rd, vn_insn_target(i)); break;
        case 0x0f: snprintf(out, len, "fence"); break;
        default: snprintf(out, len, "ebreak"); break;
        }
        break;
    case VN_OP_HALT:
        snprintf(out, len, "ecall");
        break;
    case VN_OP_BEQ: case VN_OP_BNE: case VN_OP_BLT: case VN_OP_BGE: case VN_OP_BLTU: case VN_OP_BGEU:
        snprintf(out, len, "%s x%u, x%u, 0x%" PRIx32, name, i->rs1, i->rs2, vn_insn_target(i));
        break;
    case VN_OP_JALR:
    case VN_OP_LB: case VN_OP_LH: case VN_OP_LW: case VN_OP_LD: case VN_OP_LBU: case VN_OP_LHU: case VN_OP_LWU:
        snprintf(out, len, "%s x%u, %d(x%u)", name, i->rd, offset, i->rs1);
        break;
    case VN_OP_SB: case VN_OP_SH: case VN_OP_SW: case VN_OP_SD:
        snprintf(out, len, "%s x%u, %d(x%u)", name, i->rs2, offset, i->rs1);
        break;
    case VN_OP_ADDI: case VN_OP_ADDIW: case VN_OP_ANDI: case VN_OP_ORI: case VN_OP_XORI: case VN_OP_SLTI: case VN_OP_SLTIU:
    case VN_OP_SLLI: case VN_OP_SRLI: case VN_OP_SRAI: case VN_OP_SLLIW: case VN_OP_SRLIW: case VN_OP_SRAIW:
        snprintf(out, len, "%s x%u, x%u, %" PRId64, name, i->rd, i->rs1, (int64_t)imm);
        break;
    case VN_OP_LR_D: case VN_OP_LR_W:
        snprintf(out, len, "%s x%u, (x%u)", name, i->rd, i->rs1);
        break;
    default:
        if (i->op >= VN_OP_SC_D && i->op <= VN_OP_AMOMAXU_W)
            snprintf(out, len, "%s x%u, x%u, (x%u)", name, i->rd, i->rs2, i->rs1);
        else
            snprintf(out, len, "%s x%u, x%u, x%u", name, i->rd, i->rs1, i->rs2);
        break;
    }
}
