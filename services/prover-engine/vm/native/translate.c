/* The code is cut into blocks: a block starts wherever a jump is likely to arrive and runs on, past branches that are not taken, to an unconditional jump,
 * the next block, or an instruction left to the interpreter. On entry it makes sure that the budget covers all of it; where it is left, the instructions
 * that ran are subtracted, the registers they accessed are added to `used`, and a taken jump is counted. Guest registers keep the same place everywhere,
 * chosen by how often they stand in loops, so that any block can follow any other.
 *
 * The code stops in front of an instruction it does not do (site), and the interpreter does that one: a system instruction, an access the touch function
 * refuses, a jump to an address without a block, or anything when the budget is nearly spent. A jalr looks its target up in the table of entries, so
 * control never reaches anything but the start of a block. */
#include "services/prover-engine/vm/native/translate.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/vm/native/translator.h"
#include "services/prover-engine/vm/semantics.h"

#define PAGE 4096u
#define FIELD(name) vn_at(REG_MACHINE, (int32_t)offsetof(struct vn_native_machine, name) - 128)
#define COUNTERS ((int32_t)sizeof(struct vn_native_machine) - 128) /* arrivals, then edges, from x[16] */
#define LOOP_WEIGHT 8u
#define LOOP_MAX 4096u /* instructions of a loop that counts as one */
#define MAX_DEPTH 3

static const enum vn_reg pool[] = {RSI, RDI, R8, R9, R10, R11, R12, R13};
static const enum vn_reg saved[] = {RBX, RBP, R12, R13, R14, R15};
static const enum vn_reg clobbered[] = {RAX, RSI, RDI, R8, R9, R10, R11}; /* by a call, besides rcx and rdx */
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Growing lists ---- */

static void *grow(struct translator *t, void *list, size_t n, size_t *max, size_t bytes)
{
    if (n < *max || t->out_of_memory)
        return list;
    size_t more = *max ? 2 * *max : 1024;
    void *grown = realloc(list, more * bytes);
    if (!grown) {
        t->out_of_memory = 1;
        return list;
    }
    *max = more;
    return grown;
}

void vn_native_add_stub(struct translator *t, struct stub s)
{
    t->stubs = grow(t, t->stubs, t->n_stubs, &t->max_stubs, sizeof *t->stubs);
    if (!t->out_of_memory)
        t->stubs[t->n_stubs++] = s;
}

static void add_fixup(struct translator *t, size_t place, uint32_t insn)
{
    t->fixups = grow(t, t->fixups, t->n_fixups, &t->max_fixups, sizeof *t->fixups);
    if (!t->out_of_memory)
        t->fixups[t->n_fixups++] = (struct fixup){place, insn};
}

uint32_t vn_native_add_site(struct translator *t, uint32_t pc)
{
    t->sites = grow(t, t->sites, t->n_sites, &t->max_sites, sizeof *t->sites);
    if (!t->out_of_memory)
        t->sites[t->n_sites++] = (struct vn_native_site){pc, t->steps, t->registers};
    return (uint32_t)t->n_sites - 1;
}

static uint32_t add_edge(struct translator *t, uint32_t from, uint32_t to)
{
    t->edges = grow(t, t->edges, t->n_edges, &t->max_edges, sizeof *t->edges);
    if (!t->out_of_memory)
        t->edges[t->n_edges++] = (struct vn_native_edge){from, to};
    return (uint32_t)t->n_edges - 1;
}

/* ---- What the program looks like ---- */

static uint32_t find(const struct translator *t, uint64_t pc)
{
    unsigned step = vn_native_step(t->program);
    uint64_t at = (pc - VN_CODE_BASE) / step;
    return pc >= VN_CODE_BASE && pc % step == 0 && at < t->n_index && t->index[at] ? t->index[at] - 1 : UINT32_MAX;
}

static int is_jal(const struct vn_insn *i) { return i->op == VN_OP_CONST && (i->word & 0x7f) == 0x6f; }
static int is_branch(const struct vn_insn *i) { return vn_op_is_branch((enum vn_op)i->op); }

static int falls_through(const struct translator *t, uint32_t k)
{
    const struct vn_insn *i = &t->program->insns[k];
    return k + 1 < t->program->n_insns && t->program->insns[k + 1].pc == i->pc + i->bytes;
}

/* Instructions that the translation stops at. One that could run into nothing is among them, so that the interpreter says so. */
static int is_left(const struct translator *t, uint32_t k)
{
    const struct vn_insn *i = &t->program->insns[k];
    if (i->pc < VN_CODE_BASE)
        return 1;
    if (is_jal(i))
        return find(t, vn_insn_target(i)) == UINT32_MAX;
    if (i->op == VN_OP_JALR)
        return 0;
    if (is_branch(i))
        return find(t, vn_insn_target(i)) == UINT32_MAX || !falls_through(t, k);
    return !vn_native_is_operation((enum vn_op)i->op) || !falls_through(t, k);
}

static int ends_block(const struct translator *t, uint32_t k)
{
    const struct vn_insn *i = &t->program->insns[k];
    return is_jal(i) || i->op == VN_OP_JALR || is_left(t, k);
}

static void mark(struct translator *t, uint64_t pc)
{
    uint32_t k = find(t, pc);
    if (k != UINT32_MAX)
        t->head[k] = 1;
}

/* Blocks start at targets of jumps, behind whatever ends a block, and at addresses that the program's data or an auipc names. */
static void mark_heads(struct translator *t)
{
    const struct vn_program *p = t->program;
    mark(t, p->entry);
    for (size_t k = 0; k < p->n_image && p->image[k].key < VN_KEY(VN_SPACE_REGISTER, 0); k++)
        mark(t, p->image[k].value);
    for (uint32_t k = 0; k < p->n_insns; k++) {
        const struct vn_insn *i = &p->insns[k];
        if (is_jal(i) || is_branch(i))
            mark(t, vn_insn_target(i));
        if (k == 0 || ends_block(t, k - 1) || !falls_through(t, k - 1))
            t->head[k] = 1;
        if (i->op == VN_OP_CONST && (i->word & 0x7f) == 0x17 && falls_through(t, k) && p->insns[k + 1].op == VN_OP_ADDI && p->insns[k + 1].rs1 == i->rd)
            mark(t, vn_insn_imm64(i) + (uint64_t)vn_insn_operand(&p->insns[k + 1]));
    }
    for (uint32_t k = 0, length = 0; k < p->n_insns; k++) {
        length = t->head[k] ? 1 : length + 1;
        if (length > VN_NATIVE_MAX_BLOCK) {
            t->head[k] = 1;
            length = 1;
        }
    }
}

/* The registers that stand most often in the program, counted by the depth of the loops around them, get host registers. */
static enum vn_status allocate_registers(struct translator *t)
{
    const struct vn_program *p = t->program;
    int32_t *depth = calloc(p->n_insns + 1, sizeof *depth), level = 0; /* differences */
    uint64_t weight[32] = {0};
    if (!depth)
        return vn_fail(t->err, VN_ERR_MEMORY, "no memory for the translation");
    for (uint32_t k = 0; k < p->n_insns; k++) {
        const struct vn_insn *i = &p->insns[k];
        uint32_t to = is_branch(i) || (is_jal(i) && !i->wr) ? find(t, vn_insn_target(i)) : UINT32_MAX;
        if (to <= k && k - to < LOOP_MAX) {
            depth[to]++;
            depth[k + 1]--;
        }
    }
    for (uint32_t k = 0; k < p->n_insns; k++) {
        const struct vn_insn *i = &p->insns[k];
        uint64_t w = 1;
        level += depth[k];
        for (int32_t d = 0; d < level && d < MAX_DEPTH; d++)
            w *= LOOP_WEIGHT;
        int reads = vn_op_reads((enum vn_op)i->op);
        weight[i->rs1] += reads > 0 ? w : 0;
        weight[i->rs2] += reads > 1 ? w : 0;
        weight[i->rd] += i->wr ? w : 0;
    }
    free(depth);
    for (unsigned g = 0; g < 32; g++)
        t->host[g] = VN_NO_REG;
    for (size_t h = 0; h < COUNT(pool); h++) {
        unsigned best = 1;
        for (unsigned g = 2; g < 32; g++)
            best = weight[g] > weight[best] ? g : best;
        t->host[best] = pool[h];
        weight[best] = 0;
    }
    return VN_OK;
}

/* ---- Entering, leaving ---- */

static void emit_registers(struct translator *t, int store)
{
    for (unsigned g = 1; g < 32; g++) {
        struct vn_operand at = vn_at(REG_MACHINE, 8 * ((int32_t)g - 16));
        if (t->host[g] != VN_NO_REG && store)
            vn_emit_mov_to(&t->e, 64, at, t->host[g]);
        else if (t->host[g] != VN_NO_REG)
            vn_emit_mov(&t->e, 64, t->host[g], at);
    }
}

/* void enter(uint64_t *x16, const void *block) */
static void emit_enter(struct translator *t)
{
    struct vn_emit *e = &t->e;
    for (size_t k = 0; k < COUNT(saved); k++)
        vn_emit_push(e, saved[k]);
    vn_emit_push(e, RAX); /* aligns the stack for calls */
    vn_emit_mov(e, 64, REG_MACHINE, vn_in(RDI));
    vn_emit_mov(e, 64, RAX, vn_in(RSI));
    vn_emit_mov(e, 64, REG_MEMORY, FIELD(memory));
    vn_emit_mov(e, 64, REG_BUDGET, FIELD(budget));
    vn_emit_mov(e, 32, REG_SHARD, FIELD(shard));
    emit_registers(t, 0);
    vn_emit_jump_to(e, RAX);
}

/* Reached with the site in edx. */
static size_t emit_stop(struct translator *t)
{
    struct vn_emit *e = &t->e;
    size_t place = e->n;
    vn_emit_mov_to(e, 32, FIELD(site), RDX);
    emit_registers(t, 1);
    vn_emit_mov_to(e, 64, FIELD(budget), REG_BUDGET);
    vn_emit_pop(e, RCX);
    for (size_t k = COUNT(saved); k-- > 0;)
        vn_emit_pop(e, saved[k]);
    vn_emit_ret(e);
    return place;
}

/* Called with the address in rax and the site in edx; returns with rax as it was, or stops. */
static size_t emit_touch(struct translator *t, size_t stop)
{
    struct vn_emit *e = &t->e;
    size_t place = e->n;
    for (size_t k = 0; k < COUNT(clobbered); k++)
        vn_emit_push(e, clobbered[k]);
    vn_emit_mov_to(e, 32, FIELD(site), RDX);
    vn_emit_mov(e, 64, RDI, FIELD(owner));
    vn_emit_mov(e, 64, RSI, vn_in(RAX));
    vn_emit_call_at(e, FIELD(touch));
    vn_emit_mov(e, 32, RCX, vn_in(RAX));
    for (size_t k = COUNT(clobbered); k-- > 0;)
        vn_emit_pop(e, clobbered[k]);
    vn_emit_test(e, 32, RCX, RCX);
    size_t refused = vn_emit_jump_if(e, X86_E);
    vn_emit_ret(e);
    vn_emit_patch(e, refused, e->n);
    vn_emit_pop(e, RCX);
    vn_emit_mov(e, 32, RDX, FIELD(site));
    vn_emit_patch(e, vn_emit_jump(e), stop);
    return place;
}

/* ---- Blocks ---- */

static void account(struct translator *t, uint32_t steps, uint32_t registers)
{
    vn_emit_alu_imm(&t->e, X86_SUB, 64, vn_in(REG_BUDGET), (int32_t)steps);
    vn_emit_alu_imm(&t->e, X86_OR, 32, FIELD(used), (int32_t)registers);
}

static struct vn_operand edge_counter(const struct translator *t, uint32_t edge)
{
    return vn_at(REG_MACHINE, (int32_t)((int64_t)COUNTERS + 8 * ((int64_t)t->n_index + edge)));
}

static void leave_by_edge(struct translator *t, uint32_t steps, uint32_t registers, uint32_t edge, uint32_t target)
{
    account(t, steps, registers);
    vn_emit_inc(&t->e, edge_counter(t, edge));
    add_fixup(t, vn_emit_jump(&t->e), target);
}

static void stop_at(struct translator *t, size_t place, uint32_t site)
{
    vn_native_add_stub(t, (struct stub){.kind = STUB_STOP, .place = place, .site = site});
}

static void emit_branch(struct translator *t, const struct vn_insn *i)
{
    uint32_t target = find(t, vn_insn_target(i)), edge = add_edge(t, i->pc, vn_insn_target(i));
    enum vn_condition c = vn_native_compare(t, i);
    if (vn_insn_target(i) > i->pc) { /* seldom taken */
        size_t place = vn_emit_jump_if(&t->e, c);
        vn_native_add_stub(t, (struct stub){.kind = STUB_EDGE, .place = place, .steps = t->steps, .registers = t->registers, .edge = edge, .target = target});
        return;
    }
    size_t place = vn_emit_jump_if(&t->e, (enum vn_condition)(c ^ 1));
    leave_by_edge(t, t->steps, t->registers, edge, target);
    vn_emit_patch(&t->e, place, t->e.n);
}

/* `site` is the jalr itself: without a block at its target nothing was done yet. */
static void emit_jalr(struct translator *t, const struct vn_insn *i, uint32_t site, size_t entries_places[], size_t *n_places)
{
    struct vn_emit *e = &t->e;
    vn_native_address(t, i->rs1, vn_insn_offset(i));
    vn_emit_alu_imm(e, X86_AND, 64, vn_in(RAX), -2);
    vn_emit_alu_imm(e, X86_ADD, 64, vn_in(RAX), INT32_MIN); /* - VN_CODE_BASE */
    vn_emit_rotate_right(e, RCX, RAX, vn_native_step(t->program) == 2 ? 1 : 2);
    vn_emit_alu_imm(e, X86_CMP, 64, vn_in(RCX), (int32_t)t->n_index);
    stop_at(t, vn_emit_jump_if(e, X86_AE), site);
    entries_places[(*n_places)++] = vn_emit_lea_code(e, RDX);
    vn_emit_mov(e, 32, RAX, vn_at_index(RDX, RCX, 4, 0));
    vn_emit_test(e, 32, RAX, RAX);
    stop_at(t, vn_emit_jump_if(e, X86_E), site);
    vn_emit_inc(e, vn_at_index(REG_MACHINE, RCX, 8, COUNTERS));
    account(t, t->steps, t->registers);
    vn_emit_inc(e, edge_counter(t, add_edge(t, i->pc, VN_NATIVE_NO_PC)));
    if (i->wr)
        vn_native_keep_constant(t, i->rd, (uint64_t)i->pc + i->bytes);
    vn_emit_alu(e, X86_SUB, 64, RDX, vn_in(RAX));
    vn_emit_jump_to(e, RDX);
}

static uint32_t registers_of(const struct vn_insn *i)
{
    int reads = vn_op_reads((enum vn_op)i->op);
    return (reads > 0 ? 1u << i->rs1 : 0) | (reads > 1 ? 1u << i->rs2 : 0) | (i->wr ? 1u << i->rd : 0);
}

static uint32_t block_length(const struct translator *t, uint32_t k)
{
    uint32_t n = 0;
    do
        n++;
    while (!ends_block(t, k + n - 1) && !t->head[k + n]);
    return n;
}

static void begin_block(struct translator *t, uint32_t k)
{
    t->steps = 0;
    t->registers = 0;
    t->place[k] = t->e.n;
    vn_emit_alu_imm(&t->e, X86_CMP, 64, vn_in(REG_BUDGET), (int32_t)block_length(t, k));
    stop_at(t, vn_emit_jump_if(&t->e, X86_B), vn_native_add_site(t, t->program->insns[k].pc));
}

static void emit_instruction(struct translator *t, uint32_t k, size_t entries_places[], size_t *n_places)
{
    const struct vn_insn *i = &t->program->insns[k];
    if (is_left(t, k)) {
        stop_at(t, vn_emit_jump(&t->e), vn_native_add_site(t, i->pc));
        return;
    }
    if (vn_op_bytes((enum vn_op)i->op))
        vn_native_operation(t, i); /* its site comes before it */
    uint32_t site = i->op == VN_OP_JALR ? vn_native_add_site(t, i->pc) : 0;
    t->steps++;
    t->registers |= registers_of(i);
    if (vn_op_bytes((enum vn_op)i->op))
        ;
    else if (is_branch(i))
        emit_branch(t, i);
    else if (i->op == VN_OP_JALR)
        emit_jalr(t, i, site, entries_places, n_places);
    else if (is_jal(i)) {
        if (i->wr)
            vn_native_keep_constant(t, i->rd, vn_insn_imm64(i));
        leave_by_edge(t, t->steps, t->registers, add_edge(t, i->pc, vn_insn_target(i)), find(t, vn_insn_target(i)));
    } else
        vn_native_operation(t, i);
    if (!ends_block(t, k) && t->head[k + 1])
        account(t, t->steps, t->registers);
}

static void emit_stubs(struct translator *t, size_t touch, size_t stop)
{
    struct vn_emit *e = &t->e;
    size_t n = t->n_stubs, shared = 0;
    for (size_t k = 0; k < n; k++) {
        const struct stub *s = &t->stubs[k];
        int same = k && s->kind != STUB_EDGE && t->stubs[k - 1].kind == s->kind && t->stubs[k - 1].site == s->site;
        shared = same ? shared : e->n;
        vn_emit_patch(e, s->place, shared);
        if (same)
            continue;
        if (s->kind == STUB_EDGE) {
            leave_by_edge(t, s->steps, s->registers, s->edge, s->target);
            continue;
        }
        vn_emit_load_constant(e, RDX, s->site);
        if (s->kind == STUB_TOUCH)
            vn_emit_patch(e, vn_emit_call(e), touch);
        vn_emit_patch(e, vn_emit_jump(e), s->kind == STUB_TOUCH ? s->retry : stop);
    }
}

static enum vn_status emit_all(struct translator *t, struct vn_native_code *out)
{
    const struct vn_program *p = t->program;
    struct vn_emit *e = &t->e;
    size_t *entries_places = calloc(p->n_insns + 1, sizeof *entries_places), n_places = 0;
    if (!entries_places)
        return vn_fail(t->err, VN_ERR_MEMORY, "no memory for the translation");
    emit_enter(t);
    size_t stop = emit_stop(t), touch = emit_touch(t, stop);
    for (uint32_t k = 0; k < p->n_insns; k++) {
        if (p->insns[k].pc < VN_CODE_BASE)
            continue;
        if (t->head[k])
            begin_block(t, k);
        emit_instruction(t, k, entries_places, &n_places);
    }
    emit_stubs(t, touch, stop);
    for (size_t k = 0; k < t->n_fixups; k++)
        vn_emit_patch(e, t->fixups[k].place, t->place[t->fixups[k].insn]);
    size_t end = (e->n + PAGE - 1) / PAGE * PAGE;
    while (e->n < end && !e->failed)
        vn_emit_ret(e);
    for (size_t k = 0; k < n_places; k++)
        vn_emit_patch(e, entries_places[k], end);
    free(entries_places);
    if (e->failed || t->out_of_memory)
        return vn_fail(t->err, VN_ERR_MEMORY, "no memory for the translation");
    if (end > INT32_MAX / 2 || t->n_edges > INT32_MAX / 16)
        return vn_fail(t->err, VN_ERR_LIMIT, "the program is too large to be translated");
    for (size_t at = 0; at < t->n_index; at++)
        if (t->index[at] && t->head[t->index[at] - 1])
            out->entries[at] = (uint32_t)(end - t->place[t->index[at] - 1]);
    out->code = e->bytes;
    out->code_bytes = end;
    e->bytes = NULL;
    return VN_OK;
}

enum vn_status vn_native_translate(struct vn_native_code *out, const struct vn_program *p, struct vn_error *err)
{
    struct translator t = {.program = p, .err = err};
    unsigned step = vn_native_step(p);
    memset(out, 0, sizeof *out);
    uint32_t last = p->n_insns ? p->insns[p->n_insns - 1].pc : 0;
    t.n_index = last < VN_CODE_BASE ? 1 : (last - VN_CODE_BASE) / step + 1;
    out->n_entries = t.n_index;
    out->entries = calloc(t.n_index, sizeof *out->entries);
    t.index = calloc(t.n_index, sizeof *t.index);
    t.head = calloc(p->n_insns + 1, 1);
    t.place = calloc(p->n_insns + 1, sizeof *t.place);
    enum vn_status s = VN_OK;
    if (!out->entries || !t.index || !t.head || !t.place)
        s = vn_fail(err, VN_ERR_MEMORY, "no memory for the translation");
    for (uint32_t k = 0; k < p->n_insns && !s; k++)
        if (p->insns[k].pc >= VN_CODE_BASE)
            t.index[(p->insns[k].pc - VN_CODE_BASE) / step] = k + 1;
    if (!s)
        s = allocate_registers(&t);
    if (!s) {
        mark_heads(&t);
        s = emit_all(&t, out);
    }
    if (!s) {
        out->sites = t.sites;
        out->n_sites = t.n_sites;
        out->edges = t.edges;
        out->n_edges = t.n_edges;
        t.sites = NULL;
        t.edges = NULL;
    }
    free(t.sites);
    free(t.edges);
    free(t.stubs);
    free(t.fixups);
    free(t.index);
    free(t.head);
    free(t.place);
    free(t.e.bytes);
    if (s)
        vn_native_code_fini(out);
    return s;
}

void vn_native_code_fini(struct vn_native_code *c)
{
    free(c->code);
    free(c->entries);
    free(c->sites);
    free(c->edges);
    memset(c, 0, sizeof *c);
}
