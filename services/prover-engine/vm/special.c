/* These instructions are rare beside the others, so they are decoded anew each time from their encoding. A DMA pair looks at the instructions that
 * follow it and takes them along. */
#include "services/prover-engine/vm/special.h"

#include <inttypes.h>
#include <string.h>

#include "services/prover-engine/vm/semantics.h"

#define CSR_FILE 0xa0008000u
#define UNIMP 0xc0001073u

enum { OPCODE_SYSTEM = 0x73, OPCODE_ADDI = 0x13, OPCODE_ADD = 0x33 };
enum { CSRRW = 1, CSRRS = 2, CSRRC = 3, CSRRWI = 5, CSRRSI = 6 };

struct fields {
    uint32_t opcode, rd, funct3, rs1, rs2, csr;
    int64_t imm;
};

static struct fields fields_of(uint32_t w)
{
    return (struct fields){w & 0x7f, w >> 7 & 31, w >> 12 & 7, w >> 15 & 31, w >> 20 & 31, w >> 20, (int32_t)w >> 20};
}

/* ---- Memory ---- */

static int present(const struct vn_special *s, uint64_t addr, size_t bytes)
{
    if (addr > UINT32_MAX || bytes > (UINT64_C(1) << 32) - addr)
        return 0;
    for (uint64_t page = addr >> 16; bytes && page <= (addr + bytes - 1) >> 16; page++)
        if (s->program->page_kind[page] == VN_PAGE_ABSENT)
            return 0;
    return 1;
}

static int writable(uint64_t addr, size_t bytes)
{
    return addr >= VN_RAM_BASE && addr <= VN_RAM_END && bytes <= VN_RAM_END - addr;
}

static int port_read(void *ctx, uint64_t addr, void *out, size_t bytes)
{
    struct vn_special *s = ctx;
    if (!present(s, addr, bytes))
        return -1;
    memcpy(out, s->memory->bytes + addr, bytes);
    return 0;
}

static int port_write(void *ctx, uint64_t addr, const void *in, size_t bytes)
{
    struct vn_special *s = ctx;
    if (!writable(addr, bytes))
        return -1;
    memcpy(s->memory->bytes + addr, in, bytes);
    return 0;
}

/* ---- Ordinary CSRs: words of memory ---- */

static void run_csr(struct vn_special *s, uint32_t w)
{
    struct fields f = fields_of(w);
    uint8_t *slot = s->memory->bytes + CSR_FILE + 8 * (uint64_t)f.csr;
    uint64_t old, operand = f.funct3 & 4 ? f.rs1 : s->x[f.rs1];
    memcpy(&old, slot, 8);
    uint64_t value = (f.funct3 & 3) == CSRRW ? operand : (f.funct3 & 3) == CSRRS ? old | operand : old & ~operand;
    if (f.funct3 == CSRRWI && f.rd == 0)
        slot = s->memory->bytes + CSR_FILE + 8 + f.csr; /* the ABI's quirk */
    if ((f.funct3 & 3) == CSRRW || f.rs1 != 0)
        memcpy(slot, &value, 8);
    if (f.rd)
        s->x[f.rd] = old;
}

/* ---- Fused pairs ---- */

/* The instruction `n` places further, if it is `add rd, rs1, rs2` or `addi rd, rs1, imm`. */
static int follower(const struct vn_special *s, uint32_t pc, unsigned n, struct fields *f)
{
    uint32_t w;
    if (!vn_program_word(s->program, pc + 4 * n, &w))
        return 0;
    *f = fields_of(w);
    return f->funct3 == 0 && (f->opcode == OPCODE_ADDI || (f->opcode == OPCODE_ADD && w >> 25 == 0));
}

static enum vn_status run_dma(struct vn_special *s, uint32_t pc, struct fields f, const struct vn_guest_port *port, struct vn_special_effect *effect,
                              struct vn_error *err)
{
    struct fields g, h;
    uint64_t *x = s->x;
    enum vn_status status = VN_OK;
    if (!follower(s, pc, 1, &g))
        return vn_fail(err, VN_ERR_UNSUPPORTED, "%s is not followed by an add", vn_csr_name(f.csr));
    int immediate = g.opcode == OPCODE_ADDI;
    uint64_t dst = x[g.rs1], count = immediate ? (uint64_t)g.imm : x[g.rs2], result = dst;
    effect->instructions = 2;
    if (immediate && s->program->abi == VN_ABI_B && (f.csr == VN_PRE_MEMCPY || f.csr == VN_PRE_MEMCMP))
        return vn_fail(err, VN_ERR_UNSUPPORTED, "%s with an immediate length, which generation B defines with its operands swapped", vn_csr_name(f.csr));
    switch (f.csr) {
    case VN_PRE_MEMCPY:
        status = vn_dma_copy(port, dst, x[f.rs1], count, err);
        break;
    case VN_PRE_MEMCMP: {
        int64_t order;
        status = vn_dma_compare(port, dst, x[f.rs1], count, &order, err);
        result = (uint64_t)order;
        break;
    }
    case VN_PRE_INPUTCPY:
        status = vn_fcall_copy(&s->fcall, dst, count, port, err);
        break;
    default: /* memset */
        if (f.funct3 == CSRRS) {
            if (!immediate)
                return vn_fail(err, VN_ERR_UNSUPPORTED, "memset is not followed by an addi");
            result = x[f.rs1];
            status = vn_dma_fill(port, result, x[g.rs1], (uint8_t)g.imm, err);
            break;
        }
        if (f.rs1 != 2 || !immediate || !follower(s, pc, 2, &h) || h.opcode != OPCODE_ADDI || h.rd != 0)
            return vn_fail(err, VN_ERR_UNSUPPORTED, "memset of an unknown form");
        effect->instructions = 3;
        status = vn_dma_fill(port, dst, count, (uint8_t)h.imm, err);
        break;
    }
    if (!status && g.rd)
        x[g.rd] = result;
    return status;
}

/* ---- Dispatch ---- */

static void show_free_input(struct vn_special *s)
{
    uint64_t word = vn_fcall_current(&s->fcall);
    memcpy(s->memory->bytes + s->program->input_addr, &word, 8);
}

static void count_call(const struct vn_special *s, uint32_t csr, unsigned fcall)
{
    if (!s->counts)
        return;
    s->counts->csr[csr]++;
    if (fcall < VN_EXEC_FCALLS)
        s->counts->fcall[fcall]++;
}

static enum vn_status run_system(struct vn_special *s, uint32_t pc, uint32_t word, struct vn_special_effect *effect, struct vn_error *err)
{
    struct vn_guest_port port = {s, port_read, port_write};
    struct fields f = fields_of(word);
    enum vn_abi abi = s->program->abi;
    uint64_t rd = 0, input_end = s->program->input_addr + (abi == VN_ABI_A ? 16 : 8) + (uint64_t)s->memory->input_len;
    int is_set = f.funct3 == CSRRS && f.rs1 != 0;
    int is_call = f.csr >= VN_CSR_FCALL && f.csr <= VN_CSR_FCALL_LAST && f.funct3 == CSRRWI && f.rd == 0;
    unsigned id = 32 * (f.csr - VN_CSR_FCALL) + f.rs1;
    count_call(s, f.csr, is_call ? id : VN_EXEC_FCALLS);
    enum vn_status status;
    if (is_set && vn_precompile_exists(f.csr, abi) && (f.csr != VN_PRE_ADD256 || f.rd || abi != VN_ABI_C)) {
        status = vn_precompile_run((enum vn_precompile)f.csr, abi, s->x[f.rs1], &port, &rd, err);
        if (!status && f.csr == VN_PRE_ADD256 && f.rd)
            s->x[f.rd] = rd;
        return status;
    }
    if (abi >= VN_ABI_B && f.csr >= VN_PRE_MEMCPY && f.csr <= VN_PRE_MEMSET && (is_set || (f.csr == VN_PRE_MEMSET && f.funct3 == CSRRSI))) {
        status = run_dma(s, pc, f, &port, effect, err);
        if (f.csr == VN_PRE_INPUTCPY)
            show_free_input(s);
        return status;
    }
    if (is_set && f.csr >= VN_CSR_FCALL_PARAM && f.csr <= VN_CSR_FCALL_PARAM_LAST)
        return vn_fcall_push(&s->fcall, f.csr - VN_CSR_FCALL_PARAM, s->x[f.rs1], &port, err);
    if (is_call) {
        status = vn_fcall_run(&s->fcall, id, abi, input_end, err);
        show_free_input(s);
        return status;
    }
    if (f.csr == VN_CSR_FCALL_RESULT && f.funct3 == CSRRS && f.rs1 == 0) {
        status = vn_fcall_take(&s->fcall, &rd, err);
        if (!status && f.rd)
            s->x[f.rd] = rd;
        show_free_input(s);
        return status;
    }
    run_csr(s, word);
    return VN_OK;
}

int vn_special_exists(const struct vn_insn *insn)
{
    uint32_t w = insn->word;
    if (w == 0)
        return insn->bytes == 4; /* padding counts as a no-op; a 16-bit zero is no instruction */
    return (w & 0x7f) == OPCODE_SYSTEM && w != UNIMP && (w >> 12 & 7) != 4;
}

enum vn_status vn_special_run(struct vn_special *s, uint32_t pc, uint32_t w, struct vn_special_effect *effect, struct vn_error *err)
{
    *effect = (struct vn_special_effect){.instructions = 1};
    if (w == 0)
        return VN_OK;
    effect->is_ecall = (w >> 12 & 7) == 0;
    return effect->is_ecall ? VN_OK : run_system(s, pc, w, effect, err);
}

const char *vn_special_precompile(uint32_t w)
{
    return (w & 0x7f) == OPCODE_SYSTEM && (w >> 12 & 7) ? vn_csr_name(w >> 20) : NULL;
}
