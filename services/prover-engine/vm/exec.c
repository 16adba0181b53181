/* A threaded interpreter over pre-decoded slots. Slot i stands for the word at VN_CODE_BASE + 4 i, whether it is code or not, so that a jump is an
 * index computation; a slot that was never filled has operation 0 and ends the run.
 *
 * Tracking costs three cheap things per instruction: one OR of the registers the slot uses into a mask (a register's value before the shard is in the
 * snapshot taken at its start), one decrement of the instructions left, and for memory one compare of the word's shadow with the current shard. Only
 * the first touch of a word in a shard leaves the fast path, and only it needs to know whether the page exists.
 * How often each instruction ran comes from differences noted at taken jumps and summed at the end.
 *
 * In a compressed program the slots stand for the instructions one after the other, and two tables translate between address and slot.
 * What cannot be proved yet (vm/special.h) has one operation of its own and leaves the fast path, as misaligned accesses do. */
#include "services/prover-engine/vm/exec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/vm/memory.h"
#include "services/prover-engine/vm/native/native.h"
#include "services/prover-engine/vm/native/translate.h"
#include "services/prover-engine/vm/semantics.h"
#include "services/prover-engine/vm/special.h"

#define PROGRESS_STEPS (UINT64_C(1) << 22)
#define DEFAULT_MAX_STEPS (UINT64_C(1) << 36)
#define OP_JAL VN_OP_COUNT /* jal apart from the other constants: it jumps */
#define OP_SPECIAL (VN_OP_COUNT + 1)
#define OP_SLOTS (VN_OP_COUNT + 2)
#define NO_REGISTER 32     /* where results go that nobody keeps */
#define UART_BUFFER 256

struct slot {
    uint8_t op, rd, rs1, rs2;
    uint32_t registers; /* bit per register accessed */
    union {
        int64_t imm;
        const struct slot *target;
    } u;
};

struct run {
    const struct vn_program *program;
    const struct vn_exec_options *o;
    struct vn_exec_result *result;
    struct vn_error *err;
    struct vn_guest_memory *memory;
    struct slot *slots;
    int64_t *jumps; /* per slot: arrivals by jump minus departures by jump from the slot before */
    uint32_t n_code; /* slots [0, n_code) are the code window; then a gap, the two BIOS slots, a gap, and the slot of impossible targets */
    uint32_t jump_mask; /* address bits that must be 0 in a jump target */
    size_t n_slots;
    uint32_t *pcs;    /* compressed: address of each slot, n_slots of them */
    uint32_t *places; /* compressed: slot + 1 by (pc - VN_CODE_BASE) / 2, n_places of them; 0 where no instruction starts */
    size_t n_places;
    struct vn_boundary_row *boundary;
    size_t n_boundary, boundary_limit;
    uint32_t shard;
    const struct slot *from; /* of the last jump */
    uint32_t regs_last[32];
    uint64_t x[NO_REGISTER + 1];
    uint64_t snapshot[32];
    char uart[UART_BUFFER];
    size_t n_uart;
    struct vn_special special;
    struct vn_native_run *native; /* NULL: interpret all */
};

static size_t bios_slot(const struct run *r) { return r->pcs ? 0 : (size_t)r->n_code + 1; }
static size_t bad_slot(const struct run *r) { return r->n_slots - 1; }

static uint32_t slot_pc(const struct run *r, const struct slot *s)
{
    size_t i = (size_t)(s - r->slots);
    if (__builtin_expect(r->pcs != NULL, 0))
        return r->pcs[i];
    return i <= r->n_code ? VN_CODE_BASE + 4 * (uint32_t)i : VN_BIOS_EXIT + 4 * (uint32_t)(i - bios_slot(r));
}

static const struct slot *parcel_at(const struct run *r, uint64_t pc)
{
    uint64_t place = (pc - VN_CODE_BASE) / 2;
    if (pc >= VN_CODE_BASE && place < r->n_places && r->places[place])
        return r->slots + r->places[place] - 1;
    if (pc - VN_BIOS_EXIT < 8 && pc % 4 == 0)
        return r->slots + bios_slot(r) + (pc - VN_BIOS_EXIT) / 4;
    return r->slots + bad_slot(r);
}

/* Slot of an aligned address; the one of impossible targets where there can be no code. */
static const struct slot *slot_at(const struct run *r, uint64_t pc)
{
    if (__builtin_expect(r->pcs != NULL, 0))
        return parcel_at(r, pc);
    if (pc - VN_CODE_BASE < 4 * (uint64_t)r->n_code)
        return r->slots + (pc - VN_CODE_BASE) / 4;
    if (pc - VN_BIOS_EXIT < 8)
        return r->slots + bios_slot(r) + (pc - VN_BIOS_EXIT) / 4;
    return r->slots + bad_slot(r);
}

/* ---- Set-up ---- */

static void fill_slot(const struct run *r, struct slot *s, const struct vn_insn *i)
{
    enum vn_op op = (enum vn_op)i->op;
    int reads = vn_op_reads(op);
    s->op = i->op;
    s->rs1 = i->rs1;
    s->rs2 = i->rs2;
    s->rd = i->wr ? i->rd : NO_REGISTER;
    s->registers = (reads > 0 ? 1u << i->rs1 : 0) | (reads > 1 ? 1u << i->rs2 : 0) | (i->wr ? 1u << i->rd : 0);
    if (op == VN_OP_CONST && (i->word & 0x7f) == 0x6f) {
        s->op = OP_JAL;
        s->u.target = slot_at(r, vn_insn_target(i));
    } else if (vn_op_is_branch(op)) {
        s->u.target = slot_at(r, vn_insn_target(i));
    } else {
        s->u.imm = vn_insn_operand(i);
    }
}

/* Slots of what only execution knows. */
static void fill_special(const struct run *r, struct slot *s, const struct vn_insn *i)
{
    if (!r->o->execute_only || !vn_special_exists(i))
        return;
    s->op = OP_SPECIAL;
    s->u.imm = i->word;
}

static enum vn_status allocate_slots(struct run *r)
{
    r->slots = vn_reserve(r->n_slots * sizeof *r->slots);
    r->jumps = vn_reserve((r->n_slots + 1) * sizeof *r->jumps);
    return r->slots && r->jumps ? VN_OK : vn_fail(r->err, VN_ERR_MEMORY, "no memory for the interpreter");
}

/* One slot per instruction and one after each gap in the addresses, the last one for impossible targets. */
static enum vn_status lay_out_parcels(struct run *r)
{
    const struct vn_program *p = r->program;
    r->n_places = (p->insns[p->n_insns - 1].pc - VN_CODE_BASE) / 2 + 1;
    r->n_slots = 2 * p->n_insns + 2;
    r->jump_mask = 1;
    r->places = vn_reserve(r->n_places * sizeof *r->places);
    r->pcs = vn_reserve(r->n_slots * sizeof *r->pcs);
    if (!r->places || !r->pcs)
        return vn_fail(r->err, VN_ERR_MEMORY, "no memory for the interpreter");
    enum vn_status s = allocate_slots(r);
    uint32_t slot = 0, expected = VN_BIOS_EXIT;
    for (size_t i = 0; i < p->n_insns && !s; i++) {
        if (p->insns[i].pc != expected)
            r->pcs[slot++] = expected;
        r->pcs[slot++] = p->insns[i].pc;
        expected = p->insns[i].pc + p->insns[i].bytes;
        if (p->insns[i].pc >= VN_CODE_BASE)
            r->places[(p->insns[i].pc - VN_CODE_BASE) / 2] = slot;
    }
    r->pcs[slot] = expected;
    return s;
}

static enum vn_status lay_out_words(struct run *r)
{
    const struct vn_program *p = r->program;
    for (size_t i = 0; i < p->n_sections; i++) {
        const struct vn_code_section *c = &p->sections[i];
        if (c->pc >= VN_CODE_BASE && (c->pc - VN_CODE_BASE) / 4 + c->n > r->n_code)
            r->n_code = (c->pc - VN_CODE_BASE) / 4 + c->n;
    }
    r->n_slots = (size_t)r->n_code + 5;
    r->jump_mask = 3;
    return allocate_slots(r);
}

static void fill_slots(struct run *r)
{
    const struct vn_program *p = r->program;
    for (size_t i = 0; i < p->n_insns; i++) {
        struct slot *s = r->slots + (slot_at(r, p->insns[i].pc) - r->slots);
        if (p->insns[i].op == VN_OP_UNSUPPORTED)
            fill_special(r, s, &p->insns[i]);
        else
            fill_slot(r, s, &p->insns[i]);
    }
    for (size_t i = 0; i < p->n_sections && r->o->execute_only; i++) {
        const struct vn_code_section *c = &p->sections[i];
        for (uint32_t w = 0; w < c->n; w++) {
            struct slot *s = r->slots + (slot_at(r, c->pc + 4 * w) - r->slots);
            struct vn_insn insn = vn_decode(p->words[c->first + w], c->pc + 4 * w);
            if (insn.op == VN_OP_UNSUPPORTED)
                fill_special(r, s, &insn);
        }
    }
}

static int touch_for_native(void *owner, uint64_t addr, uint32_t pc);

static enum vn_status set_up(struct run *r)
{
    const struct vn_program *p = r->program;
    enum vn_status s = p->compressed ? lay_out_parcels(r) : lay_out_words(r);
    if (s)
        return s;
    size_t words = (size_t)1 << r->o->shard_log2;
    r->boundary_limit = vn_shard_word_limit(r->o->shard_log2);
    if (2 * words > r->boundary_limit)
        words = r->boundary_limit / 2;
    /* An instruction may touch two words, so the last one of a shard can pass the limit by one; then come the registers. */
    r->boundary = r->o->track ? calloc(2 * words + 2 + 32, sizeof *r->boundary) : NULL;
    if (r->o->track && !r->boundary)
        return vn_fail(r->err, VN_ERR_MEMORY, "no memory for the interpreter");
    fill_slots(r);
    for (size_t k = 0; k < 32; k++)
        r->x[k] = p->image[p->n_image - 32 + k].value;
    s = vn_guest_memory_new(&r->memory, p, r->o->input, r->o->input_len, r->err);
    r->special.program = p;
    r->special.memory = r->memory;
    r->special.x = r->x;
    r->special.counts = r->o->counts;
    if (!s && r->o->native)
        s = vn_native_run_new(&r->native, r->o->native, r->memory->bytes, touch_for_native, r, r->err);
    return s;
}

static void tear_down(struct run *r)
{
    vn_native_run_free(r->native);
    vn_guest_memory_free(r->memory);
    vn_unreserve(r->slots, r->n_slots * sizeof *r->slots);
    vn_unreserve(r->jumps, (r->n_slots + 1) * sizeof *r->jumps);
    vn_unreserve(r->pcs, r->n_slots * sizeof *r->pcs);
    vn_unreserve(r->places, r->n_places * sizeof *r->places);
    free(r->boundary);
}

/* ---- Console ---- */

static void uart_flush(struct run *r)
{
    if (r->n_uart && r->o->uart)
        r->o->uart(r->o->ctx, r->uart, r->n_uart);
    r->n_uart = 0;
}

static void uart_put(struct run *r, char c)
{
    r->uart[r->n_uart++] = c;
    if (r->n_uart == UART_BUFFER || c == '\n')
        uart_flush(r);
}

/* ---- Failures ---- */

static enum vn_status fail_at(struct run *r, enum vn_status s, uint32_t pc, const char *reason)
{
    char text[96] = "not an instruction";
    uint32_t word, k = r->program->compressed ? vn_program_find(r->program, pc) : UINT32_MAX;
    if (k != UINT32_MAX) {
        vn_insn_format(&r->program->insns[k], text, sizeof text);
    } else if (vn_program_word(r->program, pc, &word)) {
        struct vn_insn i = vn_decode(word, pc);
        vn_insn_format(&i, text, sizeof text);
    }
    return vn_fail(r->err, s, "at pc 0x%08x: %s: %s", pc, text, reason);
}

/* A slot without an operation was reached, from `from` if by a jump. */
static enum vn_status fail_slot(struct run *r, const struct slot *s, const struct slot *from)
{
    char reason[160];
    if (s == r->slots + bad_slot(r)) {
        uint32_t pc = slot_pc(r, from), k = vn_program_find(r->program, pc);
        uint32_t target = k == UINT32_MAX ? 0 : vn_insn_target(&r->program->insns[k]);
        snprintf(reason, sizeof reason, "jump to 0x%" PRIx32 ", where there is no code", target);
        return fail_at(r, VN_ERR_GUEST, pc, reason);
    }
    uint32_t pc = slot_pc(r, s), word;
    if (!vn_program_word(r->program, pc, &word))
        return fail_at(r, VN_ERR_GUEST, pc, "the program ran into an address where there is no code");
    if (word == 0xc0001073u)
        return fail_at(r, VN_ERR_GUEST, pc, "guest panicked");
    if (word == 0)
        return fail_at(r, VN_ERR_GUEST, pc, "the program ran into padding");
    if (r->o->execute_only)
        return fail_at(r, VN_ERR_UNSUPPORTED, pc, "this instruction is not known");
    const char *precompile = vn_special_precompile(word);
    if (precompile) {
        snprintf(reason, sizeof reason, "%s cannot be proved by this version", precompile);
        return fail_at(r, VN_ERR_UNSUPPORTED, pc, reason);
    }
    return fail_at(r, VN_ERR_UNSUPPORTED, pc, "this instruction cannot be proved by this version");
}

static enum vn_status fail_jump(struct run *r, const struct slot *s, uint64_t target)
{
    char reason[96];
    snprintf(reason, sizeof reason, "jump to 0x%" PRIx64 ", %s", target,
             (target & r->jump_mask) && target <= UINT32_MAX ? "which is not 4-byte aligned" : "where there is no code");
    return fail_at(r, VN_ERR_GUEST, slot_pc(r, s), reason);
}

static enum vn_status fail_access(struct run *r, const struct slot *s, uint64_t addr)
{
    char reason[128];
    unsigned bytes = vn_op_bytes((enum vn_op)s->op);
    int store = vn_op_is_store((enum vn_op)s->op);
    if (addr > UINT32_MAX || r->program->page_kind[addr >> 16] == VN_PAGE_ABSENT) {
        snprintf(reason, sizeof reason, "%s 0x%" PRIx64 ", where there is no memory", store ? "store to" : "load from", addr);
        return fail_at(r, VN_ERR_GUEST, slot_pc(r, s), reason);
    }
    if (store && (addr < VN_RAM_BASE || addr >= VN_RAM_END)) {
        snprintf(reason, sizeof reason, "store to 0x%" PRIx64 ", which is read-only", addr);
        return fail_at(r, VN_ERR_GUEST, slot_pc(r, s), reason);
    }
    snprintf(reason, sizeof reason, "%u-byte access at 0x%" PRIx64 " reaches past the end of memory", bytes, addr);
    return fail_at(r, VN_ERR_GUEST, slot_pc(r, s), reason);
}

static enum vn_status fail_atomic(struct run *r, const struct slot *s, uint64_t addr)
{
    char reason[96];
    snprintf(reason, sizeof reason, "atomic access to 0x%" PRIx64 ", %s", addr,
             addr & (vn_atomic_bytes((enum vn_op)s->op) - 1) ? "which is not aligned" : "where there is no memory that allows it");
    return fail_at(r, VN_ERR_GUEST, slot_pc(r, s), reason);
}

/* ---- Shards ---- */

/* First touch of a word in this shard. Returns 0 if there is no such memory. */
static __attribute__((noinline)) int first_touch(struct run *r, uint32_t word)
{
    struct vn_guest_memory *m = r->memory;
    uint32_t page = word >> 13;
    if (r->program->page_kind[page] == VN_PAGE_ABSENT)
        return 0;
    m->touched[page] = 1;
    if (r->boundary)
        r->boundary[r->n_boundary++] = (struct vn_boundary_row){VN_SPACE_MEMORY, word, m->shadow[word], 0, vn_guest_memory_word(m, word), 0};
    m->shadow[word] = r->shard;
    return 1;
}

/* A load or store that the fast path refused. Returns 0 if it is not just misaligned but impossible. */
static __attribute__((noinline)) int access_misaligned(struct run *r, const struct slot *ip, uint64_t addr)
{
    enum vn_op op = (enum vn_op)ip->op;
    unsigned last = vn_op_bytes(op) - 1;
    if (!vn_access_is_misaligned(op, addr) || addr > UINT32_MAX - last)
        return 0;
    if (vn_op_is_store(op) && (addr < VN_RAM_BASE || addr >= VN_RAM_END - last))
        return 0;
    for (uint32_t word = (uint32_t)(addr >> 3); word <= (addr + last) >> 3; word++)
        if (r->memory->shadow[word] != r->shard && !first_touch(r, word))
            return 0;
    uint64_t value = r->x[ip->rs2];
    if (vn_op_is_store(op)) {
        memcpy(r->memory->bytes + addr, &value, last + 1);
        return 1;
    }
    value = 0;
    memcpy(&value, r->memory->bytes + addr, last + 1);
    r->x[ip->rd] = vn_load_value(op, value, 0);
    return 1;
}

/* Returns 0 if the address does not allow it. */
static __attribute__((noinline)) int access_atomic(struct run *r, const struct slot *ip, uint64_t addr)
{
    enum vn_op op = (enum vn_op)ip->op;
    uint32_t word = (uint32_t)(addr >> 3);
    if (!vn_atomic_address_fits(op, addr) || (r->memory->shadow[word] != r->shard && !first_touch(r, word)))
        return 0;
    uint64_t value = vn_atomic_run(op, vn_guest_memory_word(r->memory, word), (uint32_t)addr, r->x[ip->rs2], &r->x[ip->rd]);
    memcpy(r->memory->bytes + 8 * (uint64_t)word, &value, sizeof value);
    return 1;
}

static enum vn_status begin_shard(struct run *r)
{
    if (!r->o->track)
        return VN_OK;
    if (r->shard > VN_MAX_SHARDS)
        return vn_fail(r->err, VN_ERR_LIMIT, "the run needs more than %u shards of 2^%u instructions", VN_MAX_SHARDS, r->o->shard_log2);
    memcpy(r->snapshot, r->x, sizeof r->snapshot);
    r->n_boundary = 0;
    return VN_OK;
}

static enum vn_status end_shard(struct run *r, uint32_t start_pc, uint32_t end_pc, uint64_t steps, uint32_t registers, int halted)
{
    if (!r->o->track)
        return VN_OK;
    for (size_t i = 0; i < r->n_boundary; i++)
        r->boundary[i].final = vn_guest_memory_word(r->memory, r->boundary[i].word);
    for (uint32_t k = 0; k < 32; k++)
        if (registers >> k & 1) {
            r->boundary[r->n_boundary++] = (struct vn_boundary_row){VN_SPACE_REGISTER, k, r->regs_last[k], 0, r->snapshot[k], r->x[k]};
            r->regs_last[k] = r->shard;
        }
    struct vn_shard s = {.kind = VN_SHARD_EXECUTION, .index = r->shard, .start_pc = start_pc, .end_pc = end_pc, .steps = (uint32_t)steps,
                         .halted = (uint32_t)halted, .boundary = r->boundary, .n_boundary = r->n_boundary};
    if (r->o->on_shard && r->o->on_shard(r->o->ctx, &s))
        return vn_fail(r->err, VN_ERR_CANCELLED, "the execution was cancelled");
    r->shard++;
    return VN_OK;
}

/* ---- What only execution knows ---- */

/* The slot to go on with, NULL on failure; *is_ecall: nothing was done, it is to be treated as one. */
static const struct slot *run_special(struct run *r, const struct slot *ip, int *is_ecall, enum vn_status *status)
{
    struct vn_special_effect effect;
    struct vn_error err;
    uint32_t pc = slot_pc(r, ip);
    *status = vn_special_run(&r->special, pc, (uint32_t)ip->u.imm, &effect, &err);
    if (*status) {
        *status = fail_at(r, *status, pc, err.text);
        return NULL;
    }
    *is_ecall = effect.is_ecall;
    return ip + effect.instructions;
}


/* ---- The interpreter ---- */

/* Runs from *ip for at most `left` instructions. *steps: how many ran. *registers: those accessed. *ip: the next one. */
static enum vn_status interpret(struct run *r, const struct slot **ip_io, uint64_t left, uint64_t *steps, uint32_t *registers, int *halted)
{
    static const void *const labels[OP_SLOTS] = {
        [VN_OP_INVALID] = &&invalid, [VN_OP_UNSUPPORTED] = &&invalid, [VN_OP_CONST] = &&const_, [OP_JAL] = &&jal, [OP_SPECIAL] = &&special, [VN_OP_JALR] = &&jalr, [VN_OP_HALT] = &&halt,
        [VN_OP_ADD] = &&add, [VN_OP_SUB] = &&sub, [VN_OP_ADDI] = &&addi, [VN_OP_ADDW] = &&addw, [VN_OP_SUBW] = &&subw, [VN_OP_ADDIW] = &&addiw,
        [VN_OP_BEQ] = &&beq, [VN_OP_BNE] = &&bne, [VN_OP_BLT] = &&blt, [VN_OP_BGE] = &&bge, [VN_OP_BLTU] = &&bltu, [VN_OP_BGEU] = &&bgeu,
        [VN_OP_AND] = &&and, [VN_OP_OR] = &&or, [VN_OP_XOR] = &&xor, [VN_OP_ANDI] = &&andi, [VN_OP_ORI] = &&ori, [VN_OP_XORI] = &&xori,
        [VN_OP_SLL] = &&sll, [VN_OP_SRL] = &&srl, [VN_OP_SRA] = &&sra, [VN_OP_SLLI] = &&slli, [VN_OP_SRLI] = &&srli, [VN_OP_SRAI] = &&srai,
        [VN_OP_SLLW] = &&sllw, [VN_OP_SRLW] = &&srlw, [VN_OP_SRAW] = &&sraw, [VN_OP_SLLIW] = &&slliw, [VN_OP_SRLIW] = &&srliw, [VN_OP_SRAIW] = &&sraiw,
        [VN_OP_SLT] = &&slt, [VN_OP_SLTU] = &&sltu, [VN_OP_SLTI] = &&slti, [VN_OP_SLTIU] = &&sltiu,
        [VN_OP_MUL] = &&mul, [VN_OP_MULH] = &&mulh, [VN_OP_MULHSU] = &&mulhsu, [VN_OP_MULHU] = &&mulhu, [VN_OP_MULW] = &&mulw,
        [VN_OP_DIV] = &&div, [VN_OP_DIVU] = &&divu, [VN_OP_REM] = &&rem, [VN_OP_REMU] = &&remu,
        [VN_OP_DIVW] = &&divw, [VN_OP_DIVUW] = &&divuw, [VN_OP_REMW] = &&remw, [VN_OP_REMUW] = &&remuw,
        [VN_OP_LB] = &&lb, [VN_OP_LH] = &&lh, [VN_OP_LW] = &&lw, [VN_OP_LD] = &&ld, [VN_OP_LBU] = &&lbu, [VN_OP_LHU] = &&lhu, [VN_OP_LWU] = &&lwu,
        [VN_OP_SB] = &&sb, [VN_OP_SH] = &&sh, [VN_OP_SW] = &&sw, [VN_OP_SD] = &&sd, [VN_OP_LR_D ... VN_OP_AMOMAXU_W] = &&atomic,
    };
    const struct slot *ip = *ip_io, *from = r->from;
    const struct slot *const slots = r->slots;
    int64_t *const jumps = r->jumps;
    uint64_t *const x = r->x;
    uint8_t *const bytes = r->memory->bytes;
    const uint32_t *const shadow = r->memory->shadow;
    const uint32_t shard = r->shard;
    uint64_t planned = left, addr = 0;
    uint32_t used = 0;
    enum vn_status status = VN_OK;

#define DISPATCH() \
    do { \
        if (__builtin_expect(left == 0, 0)) \
            goto done; \
        left--; \
        used |= ip->registers; \
        goto *labels[ip->op]; \
    } while (0)
#define NEXT() \
    do { \
        ip++; \
        DISPATCH(); \
    } while (0)
#define JUMP(to) \
    do { \
        from = ip; \
        jumps[ip - slots + 1]--; \
        ip = (to); \
        jumps[ip - slots]++; \
        DISPATCH(); \
    } while (0)
#define ALU(op) \
    x[ip->rd] = vn_alu(op, x[ip->rs1], x[ip->rs2]); \
    NEXT()
#define ALU_IMM(op) \
    x[ip->rd] = vn_alu(op, x[ip->rs1], (uint64_t)ip->u.imm); \
    NEXT()
#define BRANCH(op) \
    if (vn_branch_taken(op, x[ip->rs1], x[ip->rs2])) \
        JUMP(ip->u.target); \
    NEXT()
#define CUT_WHEN_FULL() \
    if (r->n_boundary >= r->boundary_limit) { \
        planned -= left; \
        left = 0; \
    }
#define TOUCH() \
    if (__builtin_expect(shadow[addr >> 3] != shard, 0)) { \
        if (!first_touch(r, (uint32_t)(addr >> 3))) \
            goto bad_access; \
        CUT_WHEN_FULL(); \
    }
#define LOAD(type, extended) \
    do { \
        type value; \
        addr = x[ip->rs1] + (uint64_t)ip->u.imm; \
        if (__builtin_expect((addr & (UINT64_C(0xffffffff00000000) | (sizeof value - 1))) != 0, 0)) \
            goto bad_access; \
        TOUCH(); \
        memcpy(&value, bytes + addr, sizeof value); \
        x[ip->rd] = (uint64_t)(extended)value; \
        NEXT(); \
    } while (0)
#define STORE(type) \
    do { \
        type value = (type)x[ip->rs2]; \
        addr = x[ip->rs1] + (uint64_t)ip->u.imm; \
        if (__builtin_expect(((addr - VN_RAM_BASE) & (~UINT64_C(0x1fffffff) | (sizeof value - 1))) != 0, 0)) \
            goto bad_access; \
        TOUCH(); \
        memcpy(bytes + addr, &value, sizeof value); \
        if (sizeof value == 1 && __builtin_expect(addr == VN_UART_ADDR, 0)) \
            uart_put(r, (char)value); \
        NEXT(); \
    } while (0)

    DISPATCH();
const_:
    x[ip->rd] = (uint64_t)ip->u.imm;
    NEXT();
jal:
    x[ip->rd] = slot_pc(r, ip + 1);
    JUMP(ip->u.target);
jalr:
    addr = (x[ip->rs1] + (uint64_t)ip->u.imm) & ~UINT64_C(1);
    {
        const struct slot *to = slot_at(r, addr);
        if (__builtin_expect((addr & r->jump_mask) != 0 || to == slots + bad_slot(r), 0))
            goto bad_jump;
        x[ip->rd] = slot_pc(r, ip + 1);
        JUMP(to);
    }
add: ALU(VN_OP_ADD);
sub: ALU(VN_OP_SUB);
addi: ALU_IMM(VN_OP_ADDI);
addw: ALU(VN_OP_ADDW);
subw: ALU(VN_OP_SUBW);
addiw: ALU_IMM(VN_OP_ADDIW);
and: ALU(VN_OP_AND);
or: ALU(VN_OP_OR);
xor: ALU(VN_OP_XOR);
andi: ALU_IMM(VN_OP_ANDI);
ori: ALU_IMM(VN_OP_ORI);
xori: ALU_IMM(VN_OP_XORI);
sll: ALU(VN_OP_SLL);
srl: ALU(VN_OP_SRL);
sra: ALU(VN_OP_SRA);
slli: ALU_IMM(VN_OP_SLLI);
srli: ALU_IMM(VN_OP_SRLI);
srai: ALU_IMM(VN_OP_SRAI);
sllw: ALU(VN_OP_SLLW);
srlw: ALU(VN_OP_SRLW);
sraw: ALU(VN_OP_SRAW);
slliw: ALU_IMM(VN_OP_SLLIW);
srliw: ALU_IMM(VN_OP_SRLIW);
sraiw: ALU_IMM(VN_OP_SRAIW);
slt: ALU(VN_OP_SLT);
sltu: ALU(VN_OP_SLTU);
slti: ALU_IMM(VN_OP_SLTI);
sltiu: ALU_IMM(VN_OP_SLTIU);
mul: ALU(VN_OP_MUL);
mulh: ALU(VN_OP_MULH);
mulhsu: ALU(VN_OP_MULHSU);
mulhu: ALU(VN_OP_MULHU);
mulw: ALU(VN_OP_MULW);
div: ALU(VN_OP_DIV);
divu: ALU(VN_OP_DIVU);
rem: ALU(VN_OP_REM);
remu: ALU(VN_OP_REMU);
divw: ALU(VN_OP_DIVW);
divuw: ALU(VN_OP_DIVUW);
remw: ALU(VN_OP_REMW);
remuw: ALU(VN_OP_REMUW);
beq: BRANCH(VN_OP_BEQ);
bne: BRANCH(VN_OP_BNE);
blt: BRANCH(VN_OP_BLT);
bge: BRANCH(VN_OP_BGE);
bltu: BRANCH(VN_OP_BLTU);
bgeu: BRANCH(VN_OP_BGEU);
lb: LOAD(int8_t, int64_t);
lh: LOAD(int16_t, int64_t);
lw: LOAD(int32_t, int64_t);
ld: LOAD(uint64_t, uint64_t);
lbu: LOAD(uint8_t, uint64_t);
lhu: LOAD(uint16_t, uint64_t);
lwu: LOAD(uint32_t, uint64_t);
sb: STORE(uint8_t);
sh: STORE(uint16_t);
sw: STORE(uint32_t);
sd: STORE(uint64_t);
atomic:
    addr = x[ip->rs1];
    if (!access_atomic(r, ip, addr)) {
        status = fail_atomic(r, ip, addr);
        goto done;
    }
    CUT_WHEN_FULL();
    NEXT();
special: {
    int is_ecall = 0;
    const struct slot *to = run_special(r, ip, &is_ecall, &status);
    if (!to)
        goto done;
    if (is_ecall)
        goto halt;
    if (to != ip + 1)
        JUMP(to);
    NEXT();
}
halt:
    if (x[17] != VN_EXIT_CALL && r->o->execute_only) {
        x[1] = slot_pc(r, ip + 1); /* the ABI's handler returns through ra */
        NEXT();
    }
    if (x[17] != VN_EXIT_CALL) {
        char reason[80];
        snprintf(reason, sizeof reason, "system call %" PRIu64 " (a7); only %u, exit, exists", x[17], VN_EXIT_CALL);
        status = fail_at(r, VN_ERR_UNSUPPORTED, slot_pc(r, ip), reason);
        goto done;
    }
    *halted = 1;
    jumps[ip - slots + 1]--;
    goto done;
invalid:
    status = fail_slot(r, ip, from);
    goto done;
bad_jump:
    status = fail_jump(r, ip, addr);
    goto done;
bad_access:
    if (access_misaligned(r, ip, addr)) {
        CUT_WHEN_FULL();
        NEXT();
    }
    status = fail_access(r, ip, addr);
    goto done;
done:
    *ip_io = ip;
    r->from = from;
    *steps = planned - left;
    *registers = used;
    return status;
#undef DISPATCH
#undef NEXT
#undef JUMP
#undef ALU
#undef ALU_IMM
#undef BRANCH
#undef CUT_WHEN_FULL
#undef TOUCH
#undef LOAD
#undef STORE
}

/* ---- Native code ---- */

/* First touch by an aligned access. What ends a shard, fails, or has an effect beside memory is refused: the interpreter does it. */
static int touch_for_native(void *owner, uint64_t addr, uint32_t pc)
{
    struct run *r = owner;
    enum vn_op op = (enum vn_op)slot_at(r, pc)->op;
    if (addr > UINT32_MAX || vn_access_is_misaligned(op, addr) || addr == VN_UART_ADDR || r->n_boundary + 1 >= r->boundary_limit)
        return 0;
    if (vn_op_is_store(op) && (addr < VN_RAM_BASE || addr >= VN_RAM_END))
        return 0;
    return r->memory->shadow[addr >> 3] != r->shard && first_touch(r, (uint32_t)(addr >> 3));
}

static void add_jumps(void *ctx, uint32_t from, uint32_t to, uint64_t times)
{
    struct run *r = ctx;
    if (from != VN_NATIVE_NO_PC)
        r->jumps[slot_at(r, from) - r->slots + 1] -= (int64_t)times;
    if (to != VN_NATIVE_NO_PC)
        r->jumps[slot_at(r, to) - r->slots] += (int64_t)times;
}

/* As interpret: native code as far as it goes, the interpreter for the instruction it stopped at and for the last ones, which fill no block. */
static enum vn_status run_some(struct run *r, const struct slot **ip, uint64_t left, uint64_t *steps, uint32_t *registers, int *halted)
{
    uint64_t planned = left;
    if (!r->native)
        return interpret(r, ip, left, steps, registers, halted);
    *registers = 0;
    while (left && !*halted && r->n_boundary < r->boundary_limit) {
        uint32_t pc = slot_pc(r, *ip), start = pc, used = 0;
        uint64_t before = left, done;
        vn_native_run(r->native, r->shard, r->x, &pc, &left, &used);
        if (pc != start || left != before)
            *ip = slot_at(r, pc);
        *registers |= used;
        if (!left)
            break;
        enum vn_status s = interpret(r, ip, left < VN_NATIVE_MAX_BLOCK ? left : 1, &done, &used, halted);
        if (s)
            return s;
        left -= done;
        *registers |= used;
    }
    *steps = planned - left;
    return VN_OK;
}

static void count_parcels(struct run *r)
{
    const struct vn_program *p = r->program;
    int64_t runs = 0;
    for (size_t slot = 0, k = 0; slot < r->n_slots && k < p->n_insns; slot++) {
        runs += r->jumps[slot];
        if (r->pcs[slot] != p->insns[k].pc) {
            runs = 0;
            continue;
        }
        if (p->insns[k].op != VN_OP_UNSUPPORTED)
            r->result->op_count[p->insns[k].op] += (uint64_t)runs;
        k++;
    }
}

static void count_operations(struct run *r)
{
    const struct vn_program *p = r->program;
    if (p->compressed) {
        count_parcels(r);
        return;
    }
    uint32_t expected = 0, k = 0;
    int64_t runs = 0;
    for (size_t i = 0; i < p->n_sections; i++) {
        const struct vn_code_section *c = &p->sections[i];
        if (c->pc != expected)
            runs = 0;
        expected = c->pc + 4 * c->n;
        size_t first = (size_t)(slot_at(r, c->pc) - r->slots);
        for (uint32_t w = 0; w < c->n; w++) {
            runs += r->jumps[first + w];
            if (k < p->n_insns && p->insns[k].pc == c->pc + 4 * w)
                r->result->op_count[p->insns[k++].op] += (uint64_t)runs;
        }
    }
}

static enum vn_status run_all(struct run *r)
{
    uint64_t max_steps = r->o->max_steps ? r->o->max_steps : DEFAULT_MAX_STEPS, next_progress = PROGRESS_STEPS;
    uint64_t shard_steps = r->o->track ? UINT64_C(1) << r->o->shard_log2 : PROGRESS_STEPS;
    const struct slot *ip = slot_at(r, r->program->entry);
    int halted = 0;
    r->jumps[ip - r->slots]++;
    while (!halted) {
        uint64_t steps, left = max_steps - r->result->steps;
        uint32_t registers, start_pc = slot_pc(r, ip);
        if (left == 0) {
            char reason[96];
            snprintf(reason, sizeof reason, "the program did not end within the step limit of %" PRIu64, max_steps);
            return fail_at(r, VN_ERR_GUEST, start_pc, reason);
        }
        enum vn_status s = begin_shard(r);
        if (s)
            return s;
        s = run_some(r, &ip, left < shard_steps ? left : shard_steps, &steps, &registers, &halted);
        if (s)
            return s;
        r->result->steps += steps;
        uint32_t end_pc = halted ? 0 : slot_pc(r, ip);
        if (!halted && vn_program_find(r->program, end_pc) == UINT32_MAX)
            continue; /* the next instruction does not exist: let it fail where it stands */
        s = end_shard(r, start_pc, end_pc, steps, registers, halted);
        if (s)
            return s;
        if (r->o->on_progress && r->result->steps >= next_progress) {
            next_progress = r->result->steps + PROGRESS_STEPS;
            r->o->on_progress(r->o->ctx, r->result->steps);
        }
    }
    return VN_OK;
}

enum vn_status vn_execute(const struct vn_program *p, const struct vn_exec_options *o, struct vn_exec_result *result, struct vn_error *err)
{
    struct vn_exec_options plain = *o;
    if (!plain.track)
        plain.shard_log2 = VN_MAX_SHARD_LOG2;
    if (plain.shard_log2 < VN_MIN_SHARD_LOG2 || plain.shard_log2 > VN_MAX_SHARD_LOG2)
        return vn_fail(err, VN_ERR_ARGUMENT, "shards of 2^%u instructions: the size must lie between 2^%u and 2^%u", o->shard_log2, VN_MIN_SHARD_LOG2, VN_MAX_SHARD_LOG2);
    if (plain.memory_shard_log2 > 20)
        return vn_fail(err, VN_ERR_ARGUMENT, "memory shards of 2^%u rows: at most 2^20", o->memory_shard_log2);
    if (plain.track && plain.execute_only)
        return vn_fail(err, VN_ERR_ARGUMENT, "execute_only describes no shards");
    if (plain.dump && plain.dump_bytes > (UINT64_C(1) << 32) - plain.dump_addr)
        return vn_fail(err, VN_ERR_ARGUMENT, "the memory to copy reaches past the end");
    memset(result, 0, sizeof *result);
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the interpreter");
    r->program = p;
    r->o = &plain;
    r->result = result;
    r->err = err;
    r->shard = 1;
    enum vn_status s = set_up(r);
    if (!s)
        s = run_all(r);
    uart_flush(r);
    if (!s) {
        if (r->native)
            vn_native_run_jumps(r->native, add_jumps, r);
        count_operations(r);
        memcpy(result->output, r->memory->bytes + VN_OUTPUT_ADDR, VN_OUTPUT_BYTES);
        if (plain.dump)
            memcpy(plain.dump, r->memory->bytes + plain.dump_addr, plain.dump_bytes);
    }
    if (!s && plain.track) {
        result->n_exec = r->shard - 1;
        s = vn_guest_memory_emit(r->memory, r->regs_last, r->x, r->shard, &plain, &result->n_mem, err);
    }
    tear_down(r);
    free(r);
    return s;
}
