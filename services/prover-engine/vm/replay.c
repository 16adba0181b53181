/* The shard's words live in its boundary rows: registers are found by number, memory words through an open-addressing hash from word to row. Each
 * row has its current value and the clk of its last access. A shard may come from another process, so nothing is looked up before it is checked:
 * an access to a word without a row, an instruction that does not exist or an end state that differs is VN_ERR_FORMAT. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/vm/exec.h"
#include "services/prover-engine/vm/semantics.h"

#define NO_ROW UINT32_MAX

struct cell {
    uint64_t value;
    uint32_t last; /* clk of the last access */
};

struct replay {
    const struct vn_program *program;
    const struct vn_shard *shard;
    struct vn_replay *out;
    struct vn_error *err;
    struct cell *cells;      /* per boundary row */
    uint32_t registers[32];  /* row of a register, or NO_ROW */
    uint32_t *hash;          /* row or NO_ROW */
    uint32_t hash_mask;
    size_t max_bumps;
};

static enum vn_status bad(const struct replay *r, const char *what, uint64_t detail)
{
    return vn_fail(r->err, VN_ERR_FORMAT, "shard %u: %s (0x%" PRIx64 ")", r->shard->index, what, detail);
}

/* ---- Words ---- */

static uint32_t hash_slot(const struct replay *r, uint32_t word)
{
    return (uint32_t)((word * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & r->hash_mask;
}

static uint32_t find_word(const struct replay *r, uint32_t word)
{
    uint32_t h = hash_slot(r, word);
    while (r->hash[h] != NO_ROW && r->shard->boundary[r->hash[h]].word != word)
        h = (h + 1) & r->hash_mask;
    return r->hash[h];
}

static enum vn_status index_rows(struct replay *r)
{
    const struct vn_shard *s = r->shard;
    uint32_t size = 64;
    while (size < 2 * s->n_boundary)
        size *= 2;
    r->hash_mask = size - 1;
    r->hash = malloc(size * sizeof *r->hash);
    r->cells = calloc(s->n_boundary + 1, sizeof *r->cells);
    if (!r->hash || !r->cells)
        return vn_fail(r->err, VN_ERR_MEMORY, "no memory for %zu boundary rows", s->n_boundary);
    memset(r->hash, 0xff, size * sizeof *r->hash);
    memset(r->registers, 0xff, sizeof r->registers);
    for (size_t i = 0; i < s->n_boundary; i++) {
        const struct vn_boundary_row *b = &s->boundary[i];
        if (b->prev_shard >= s->index || b->reserved)
            return bad(r, "a boundary row has an impossible earlier shard", b->prev_shard);
        r->cells[i].value = b->init;
        if (b->space == VN_SPACE_REGISTER) {
            if (b->word >= 32 || r->registers[b->word] != NO_ROW || (b->word == 0 && b->init))
                return bad(r, "a boundary row names no register, one twice, or an x0 that is not zero", b->word);
            r->registers[b->word] = (uint32_t)i;
            continue;
        }
        if (b->space != VN_SPACE_MEMORY || b->word >= 1u << 29 || r->program->page_kind[b->word >> 13] == VN_PAGE_ABSENT)
            return bad(r, "a boundary row names no memory", b->word);
        if (find_word(r, b->word) != NO_ROW)
            return bad(r, "two boundary rows name the same word", b->word);
        uint32_t h = hash_slot(r, b->word);
        while (r->hash[h] != NO_ROW)
            h = (h + 1) & r->hash_mask;
        r->hash[h] = (uint32_t)i;
    }
    return VN_OK;
}

/* ---- Accesses ---- */

static enum vn_status add_bump(struct replay *r, uint32_t row, uint32_t clk)
{
    struct vn_replay *out = r->out;
    if (out->n_bumps == r->max_bumps) {
        size_t max = r->max_bumps ? 2 * r->max_bumps : 1024;
        struct vn_bump *more = realloc(out->bumps, max * sizeof *more);
        if (!more)
            return vn_fail(r->err, VN_ERR_MEMORY, "no memory for %zu bump rows", max);
        out->bumps = more;
        r->max_bumps = max;
    }
    const struct vn_boundary_row *b = &r->shard->boundary[row];
    out->bumps[out->n_bumps++] = (struct vn_bump){b->space, b->word, r->cells[row].last, clk, r->cells[row].value};
    r->cells[row].last = clk;
    return VN_OK;
}

/* Access of a row at clk: *prev is the access before, at most VN_TIME_RANGE away. Each bump goes as far as it can. */
static inline enum vn_status access_row(struct replay *r, uint32_t row, uint32_t clk, uint32_t *prev)
{
    struct cell *c = &r->cells[row];
    while (__builtin_expect(clk - c->last > VN_TIME_RANGE, 0)) {
        enum vn_status s = add_bump(r, row, (c->last + VN_TIME_RANGE) & ~7u);
        if (s)
            return s;
    }
    *prev = c->last;
    c->last = clk;
    return VN_OK;
}

static inline enum vn_status access_register(struct replay *r, uint32_t reg, uint32_t clk, uint32_t *prev, struct cell **cell)
{
    uint32_t row = r->registers[reg];
    if (row == NO_ROW)
        return bad(r, "a register is used that has no boundary row", reg);
    *cell = &r->cells[row];
    return access_row(r, row, clk, prev);
}

/* ---- Steps ---- */

static inline enum vn_status access_word(struct replay *r, uint64_t addr, uint32_t clk, uint32_t *prev, struct cell **cell)
{
    uint32_t row = find_word(r, (uint32_t)(addr >> 3));
    if (row == NO_ROW)
        return bad(r, "a word is used that has no boundary row", addr);
    *cell = &r->cells[row];
    return access_row(r, row, clk, prev);
}

/* Both words of an access that crosses at the same sub-step: they are different words. */
static __attribute__((noinline)) enum vn_status step_misaligned(struct replay *r, enum vn_op op, struct vn_step *st, uint32_t clk)
{
    struct cell *low = NULL, *high = NULL;
    enum vn_status s = access_word(r, st->addr, clk + 2, &st->prevm, &low);
    if (!s && vn_access_crosses(op, st->addr))
        s = access_word(r, (uint64_t)st->addr + 8, clk + 2, &st->prevm2, &high);
    if (s)
        return s;
    uint64_t words[2] = {low->value, high ? high->value : 0};
    st->m_old = words[0];
    st->m2_old = words[1];
    if (vn_op_is_store(op))
        vn_store_misaligned(op, words, st->addr, st->b);
    else
        st->d_new = vn_load_misaligned(op, words, st->addr);
    low->value = st->m_new = words[0];
    if (high)
        high->value = words[1];
    return VN_OK;
}

static enum vn_status step_memory(struct replay *r, const struct vn_insn *insn, struct vn_step *st, uint32_t clk)
{
    enum vn_op op = (enum vn_op)insn->op;
    uint64_t addr = st->a + (uint64_t)vn_insn_offset(insn);
    unsigned last = vn_op_bytes(op) - 1;
    int store = vn_op_is_store(op);
    if (addr > UINT32_MAX - last || (store && (addr < VN_RAM_BASE || addr >= VN_RAM_END - last)))
        return bad(r, "an access to an address that does not allow it", addr);
    st->addr = (uint32_t)addr;
    if (vn_access_is_misaligned(op, addr))
        return step_misaligned(r, op, st, clk);
    struct cell *c = NULL;
    enum vn_status s = access_word(r, addr, clk + 2, &st->prevm, &c);
    if (s)
        return s;
    st->m_old = c->value;
    if (store)
        c->value = vn_store_word(op, c->value, (uint32_t)addr, st->b);
    else
        st->d_new = vn_load_value(op, c->value, (uint32_t)addr);
    st->m_new = c->value;
    return VN_OK;
}

static __attribute__((noinline)) enum vn_status step_atomic(struct replay *r, enum vn_op op, struct vn_step *st, uint32_t clk)
{
    struct cell *c = NULL;
    if (!vn_atomic_address_fits(op, st->a))
        return bad(r, "an atomic access to an address that does not allow it", st->a);
    st->addr = (uint32_t)st->a;
    enum vn_status s = access_word(r, st->a, clk + 2, &st->prevm, &c);
    if (s)
        return s;
    st->m_old = c->value;
    c->value = st->m_new = vn_atomic_run(op, st->m_old, st->addr, st->b, &st->d_new);
    return VN_OK;
}

static enum vn_status run_step(struct replay *r, const struct vn_insn *insn, struct vn_step *st, uint32_t clk)
{
    enum vn_op op = (enum vn_op)insn->op;
    int reads = vn_op_reads(op);
    struct cell *c = NULL;
    enum vn_status s = VN_OK;
    uint64_t next = 2 * (uint64_t)insn->next;
    if (reads > 0) {
        s = access_register(r, insn->rs1, clk, &st->prev1, &c);
        if (s)
            return s;
        st->a = c->value;
    }
    if (reads > 1) {
        s = access_register(r, insn->rs2, clk + 1, &st->prev2, &c);
        if (s)
            return s;
        st->b = c->value;
    }
    if (op == VN_OP_CONST) {
        st->d_new = vn_insn_imm64(insn);
    } else if (vn_op_bytes(op)) {
        s = step_memory(r, insn, st, clk);
    } else if (vn_op_is_atomic(op)) {
        s = step_atomic(r, op, st, clk);
    } else if (op == VN_OP_JALR) {
        st->d_new = (uint64_t)insn->pc + insn->bytes;
        next = (st->a + (uint64_t)vn_insn_offset(insn)) & ~UINT64_C(1);
    } else if (vn_op_is_branch(op)) {
        next = vn_branch_taken(op, st->a, st->b) ? next : (uint64_t)insn->pc + insn->bytes;
    } else if (op == VN_OP_HALT) {
        if (st->a != VN_EXIT_CALL)
            return bad(r, "a system call other than exit", st->a);
        next = 0;
    } else {
        st->d_new = vn_alu(op, st->a, reads == 2 ? st->b : vn_insn_imm64(insn));
    }
    if (s)
        return s;
    if (insn->wr) {
        s = access_register(r, insn->rd, clk + 3, &st->prevd, &c);
        if (s)
            return s;
        st->d_old = c->value;
        c->value = st->d_new;
    } else {
        st->d_new = 0;
    }
    if (next >= VN_JUMP_END || (next & 1))
        return bad(r, "a jump to an impossible address", next);
    st->next_pc = (uint32_t)next;
    return VN_OK;
}

static enum vn_status run_steps(struct replay *r)
{
    const struct vn_shard *s = r->shard;
    const struct vn_program *p = r->program;
    uint32_t pc = s->start_pc, k = vn_program_find(p, pc), clk = VN_CLK_START;
    int halted = 0;
    for (uint32_t i = 0; i < s->steps; i++, clk += VN_CLK_STEP) {
        if (halted)
            return bad(r, "an instruction after the exit call", i);
        if (k == UINT32_MAX)
            return bad(r, "an instruction that does not exist", pc);
        const struct vn_insn *insn = &p->insns[k];
        struct vn_step *st = &r->out->steps[i];
        st->insn = k;
        enum vn_status status = run_step(r, insn, st, clk);
        if (status)
            return status;
        halted = insn->op == VN_OP_HALT;
        pc = st->next_pc;
        if (!halted)
            k = pc == insn->pc + insn->bytes && k + 1 < p->n_insns && p->insns[k + 1].pc == pc ? k + 1 : vn_program_find(p, pc);
    }
    if (halted != (int)s->halted || pc != s->end_pc || (!halted && k == UINT32_MAX))
        return bad(r, "it ends elsewhere than it says", pc);
    return VN_OK;
}

static enum vn_status check_end(struct replay *r)
{
    const struct vn_shard *s = r->shard;
    for (size_t i = 0; i < s->n_boundary; i++) {
        if (r->cells[i].value != s->boundary[i].final)
            return bad(r, "a word ends with another value than its boundary row says", s->boundary[i].word);
        if (r->cells[i].last == 0)
            return bad(r, "a boundary row for a word that is not used", s->boundary[i].word);
        r->out->last_clk[i] = r->cells[i].last;
    }
    if (r->out->n_bumps > VN_MAX_TABLE_ROWS)
        return vn_fail(r->err, VN_ERR_LIMIT, "shard %u needs %zu bump rows; at most %u fit", s->index, r->out->n_bumps, VN_MAX_TABLE_ROWS);
    return VN_OK;
}

enum vn_status vn_replay_shard(const struct vn_program *p, const struct vn_shard *shard, struct vn_replay *out, struct vn_error *err)
{
    struct replay r = {.program = p, .shard = shard, .out = out, .err = err};
    memset(out, 0, sizeof *out);
    if (shard->kind != VN_SHARD_EXECUTION || shard->index == 0 || shard->index > VN_MAX_SHARDS)
        return bad(&r, "not an execution shard", shard->kind);
    if (shard->steps == 0 || shard->steps > 1u << VN_MAX_SHARD_LOG2 || shard->n_boundary > VN_MAX_TABLE_ROWS || shard->halted > 1)
        return bad(&r, "an impossible number of steps or words", shard->steps);
    out->n_steps = shard->steps;
    out->steps = calloc(shard->steps, sizeof *out->steps);
    out->last_clk = calloc(shard->n_boundary + 1, sizeof *out->last_clk);
    enum vn_status s = VN_OK;
    if (!out->steps || !out->last_clk)
        s = vn_fail(err, VN_ERR_MEMORY, "no memory for %u steps", shard->steps);
    if (!s)
        s = index_rows(&r);
    if (!s)
        s = run_steps(&r);
    if (!s)
        s = check_end(&r);
    free(r.hash);
    free(r.cells);
    if (s)
        vn_replay_fini(out);
    return s;
}

void vn_replay_fini(struct vn_replay *r)
{
    free(r->steps);
    free(r->bumps);
    free(r->last_clk);
    memset(r, 0, sizeof *r);
}
