/* Steps are bucketed by table (a list of step numbers each), then every (table, range of rows) is a task: first fill, then count. Counting walks
 * the lookups' part of the expression graph over the filled rows and adds the multiplicities to counters of the thread, which are summed
 * into the providers' multiplicity columns at the end. */
#include "services/prover-engine/air/trace.h"

#include <stdlib.h>
#include <string.h>

#include "air_tables.h"
#include "services/prover-engine/air/lookups.h"
#include "services/prover-engine/air/trace_rows.h"
#include "services/prover-engine/air/walk.h"

#define TASK_ROWS 4096u
#define MAX_BUS (VN_BUS_OUTPUT + 1)

/* ---- Heights ---- */

static void count_steps(const struct vn_program *p, const struct vn_replay *r, size_t rows[VN_AIR_MAX_TABLES], enum vn_op *unknown)
{
    memset(rows, 0, VN_AIR_MAX_TABLES * sizeof rows[0]);
    *unknown = VN_OP_INVALID;
    for (size_t i = 0; i < r->n_steps; i++) {
        const struct vn_insn *insn = &p->insns[r->steps[i].insn];
        const struct vn_row_rule *rule = vn_row_rule(insn, &r->steps[i]);
        if (rule->fill)
            rows[rule->table]++;
        else
            *unknown = (enum vn_op)insn->op;
    }
}

static enum vn_status table_rows(const struct vn_program *p, const struct vn_shard *s, const struct vn_replay *r, size_t rows[VN_AIR_MAX_TABLES],
                                 struct vn_error *err)
{
    enum vn_op unknown;
    memset(rows, 0, VN_AIR_MAX_TABLES * sizeof rows[0]);
    if (s->kind == VN_SHARD_MEMORY) {
        rows[VN_TABLE_MEMORY] = s->n_memory;
        return VN_OK;
    }
    if (!r)
        return vn_fail(err, VN_ERR_INTERNAL, "an execution shard without its replay");
    count_steps(p, r, rows, &unknown);
    if (unknown != VN_OP_INVALID)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "no table proves %s", vn_op_name(unknown));
    rows[VN_TABLE_BUMP] = r->n_bumps;
    rows[VN_TABLE_BOUNDARY] = s->n_boundary;
    return VN_OK;
}

enum vn_status vn_trace_heights(const struct vn_program *p, const struct vn_shard *s, const struct vn_replay *r, uint8_t log_height[VN_AIR_MAX_TABLES],
                                struct vn_error *err)
{
    size_t rows[VN_AIR_MAX_TABLES];
    enum vn_status status = vn_pre_heights(s->kind, p, log_height, err);
    if (!status)
        status = table_rows(p, s, r, rows, err);
    if (status)
        return status;
    const struct vn_air_kind *kd = &vn_air_kinds[s->kind];
    for (unsigned i = 0; i < kd->n_tables; i++) {
        unsigned t = kd->tables[i];
        if (vn_air_tables[t].n_pre)
            continue;
        if (rows[t] == 0 && kd->required[i])
            rows[t] = 1;
        log_height[t] = (uint8_t)vn_air_log_height(rows[t]);
        if (rows[t] && log_height[t] == VN_LOG_HEIGHT_ABSENT)
            return vn_fail(err, VN_ERR_LIMIT, "table %s needs %zu rows; at most %u fit", vn_air_tables[t].name, rows[t], VN_MAX_TABLE_ROWS);
    }
    if (!vn_air_multiplicities_fit(s->kind, log_height))
        return vn_fail(err, VN_ERR_LIMIT, "shard %u: a bus would carry more tuples than the field can count", s->index);
    return VN_OK;
}

/* ---- Phase 1 ---- */

static void set_limbs(uint32_t *const *c, unsigned first, size_t row, uint64_t v)
{
    for (unsigned i = 0; i < 4; i++)
        c[first + i][row] = (uint16_t)(v >> (16 * i));
}

static int has_rows(const struct vn_trace *t, unsigned table, size_t rows)
{
    return t->log_height[table] != VN_LOG_HEIGHT_ABSENT && rows <= (size_t)1 << t->log_height[table];
}

enum vn_status vn_trace_fill_p1(struct vn_trace *t, const struct vn_shard *s, struct vn_error *err)
{
    unsigned table = s->kind == VN_SHARD_MEMORY ? VN_TABLE_MEMORY : VN_TABLE_BOUNDARY;
    size_t n = s->kind == VN_SHARD_MEMORY ? s->n_memory : s->n_boundary;
    uint32_t *const *c = t->p1[table];
    if (!has_rows(t, table, n))
        return vn_fail(err, VN_ERR_INTERNAL, "table %s has no room for %zu rows", vn_air_tables[table].name, n);
    for (size_t i = 0; i < n && table == VN_TABLE_BOUNDARY; i++) {
        const struct vn_boundary_row *b = &s->boundary[i];
        c[VN_P1_BOUNDARY_SEL][i] = 1;
        c[VN_P1_BOUNDARY_SPACE][i] = b->space;
        c[VN_P1_BOUNDARY_WORD][i] = b->word;
        c[VN_P1_BOUNDARY_PREV_SHARD][i] = b->prev_shard;
        set_limbs(c, VN_P1_BOUNDARY_INIT0, i, b->init);
        set_limbs(c, VN_P1_BOUNDARY_FINAL0, i, b->final);
    }
    for (size_t i = 0; i < n && table == VN_TABLE_MEMORY; i++) {
        const struct vn_memory_row *m = &s->memory[i];
        c[VN_P1_MEMORY_SEL][i] = 1;
        c[VN_P1_MEMORY_SPACE][i] = m->space;
        c[VN_P1_MEMORY_PAGE][i] = m->word >> 13;
        c[VN_P1_MEMORY_IDX][i] = m->word & 0x1fff;
        set_limbs(c, VN_P1_MEMORY_INIT0, i, m->init);
        set_limbs(c, VN_P1_MEMORY_FINAL0, i, m->final);
        c[VN_P1_MEMORY_LAST_SHARD][i] = m->last_shard;
        c[VN_P1_MEMORY_OUT][i] = m->space == VN_SPACE_MEMORY && m->word - VN_OUTPUT_ADDR / 8 < VN_OUTPUT_BYTES / 8;
    }
    return VN_OK;
}

/* ---- Main columns ---- */

struct task {
    uint32_t table, begin, end;
};

struct counter { /* of one thread */
    uint32_t *count[MAX_BUS]; /* per row of the provider */
    struct vn_walk *walk;
};

struct fill {
    struct vn_trace *t;
    const struct vn_program *p;
    const struct vn_shard *s;
    const struct vn_replay *r;
    uint32_t *order;                      /* step numbers, table by table */
    size_t first[VN_AIR_MAX_TABLES];      /* in order */
    size_t rows[VN_AIR_MAX_TABLES];
    struct task *tasks;
    size_t n_tasks;
    struct counter *counters;
    unsigned n_counters;
    uint32_t failed_table, failed_row, failed_bus; /* first failure seen; bus 0: none */
};

static void fill_bump(const struct fill *f, size_t row)
{
    uint32_t *const *c = f->t->main[VN_TABLE_BUMP];
    const struct vn_bump *b = &f->r->bumps[row];
    c[VN_BUMP_SEL][row] = 1;
    c[VN_BUMP_SPACE][row] = b->space;
    c[VN_BUMP_WORD][row] = b->word;
    c[VN_BUMP_PREV][row] = b->prev;
    c[VN_BUMP_EIGHTH][row] = b->clk / 8;
    set_limbs(c, VN_BUMP_V0, row, b->value);
}

static void fill_memory(const struct fill *f, size_t row)
{
    uint32_t *const *c = f->t->main[VN_TABLE_MEMORY];
    const struct vn_memory_row *m = &f->s->memory[row];
    uint32_t key = VN_KEY(m->space, m->word), prev = f->s->first_memory ? VN_P - 1 : f->s->prev_key;
    if (row)
        prev = VN_KEY(m[-1].space, m[-1].word);
    uint32_t page = m->word >> 13, kind = m->space == VN_SPACE_REGISTER ? (uint32_t)VN_PAGE_IMAGE : page < 1u << 16 ? f->p->page_kind[page] : 0;
    c[VN_MEMORY_PREV_KEY][row] = prev;
    c[VN_MEMORY_GAP_HI][row] = (prev == VN_P - 1 ? key : key - prev - 1) >> 16;
    c[VN_MEMORY_IS_IMAGE][row] = kind == VN_PAGE_IMAGE;
    c[VN_MEMORY_IS_ZERO][row] = kind == VN_PAGE_ZERO;
    c[VN_MEMORY_IS_INPUT][row] = kind == VN_PAGE_INPUT;
}

static void fill_task(void *ctx, size_t task, unsigned thread)
{
    const struct fill *f = ctx;
    const struct task *k = &f->tasks[task];
    uint32_t *const *c = f->t->main[k->table];
    (void)thread;
    for (size_t row = k->begin; row < k->end; row++) {
        if (k->table == VN_TABLE_BUMP) {
            fill_bump(f, row);
        } else if (k->table == VN_TABLE_BOUNDARY) {
            c[VN_BOUNDARY_LAST_CLK][row] = f->r->last_clk[row];
        } else if (k->table == VN_TABLE_MEMORY) {
            fill_memory(f, row);
        } else {
            uint32_t i = f->order[f->first[k->table] + row];
            const struct vn_step *st = &f->r->steps[i];
            const struct vn_insn *insn = &f->p->insns[st->insn];
            vn_row_rule(insn, st)->fill(c, row, insn, st, VN_CLK_START + VN_CLK_STEP * i);
        }
    }
}

static void count_block(struct fill *f, const struct counter *n, unsigned table, size_t begin, size_t rows)
{
    const struct vn_air_graph *g = &vn_air_graphs[table];
    vn_walk_block(n->walk, begin, g->n_lookup_nodes);
    for (unsigned i = 0; i < g->n_interactions; i++) {
        const struct vn_air_interaction *x = &g->interactions[i];
        if (x->kind != VN_AIR_LOOKUP)
            continue;
        const uint32_t *times = n->walk->value[x->multiplicity];
        for (size_t j = 0; j < rows; j++) {
            uint32_t tuple[VN_AIR_MAX_TUPLE];
            if (!times[j])
                continue;
            for (unsigned k = 0; k < x->width; k++)
                tuple[k] = n->walk->value[x->tuple[k]][j];
            uint32_t row = vn_lookup_row(f->p, x->bus, tuple);
            if (row == VN_NO_ROW) {
                uint32_t none = 0;
                if (__atomic_compare_exchange_n(&f->failed_bus, &none, (uint32_t)x->bus, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
                    f->failed_table = table;
                    f->failed_row = (uint32_t)(begin + j);
                }
                return;
            }
            n->count[x->bus][row] += times[j];
        }
    }
}

static void count_task(void *ctx, size_t task, unsigned thread)
{
    struct fill *f = ctx;
    const struct task *k = &f->tasks[task];
    const struct counter *n = &f->counters[thread];
    vn_walk_table(n->walk, k->table, NULL, (const uint32_t *const *)f->t->p1[k->table], (const uint32_t *const *)f->t->main[k->table], f->s->index);
    for (size_t row = k->begin; row < k->end; row += VN_WALK_ROWS)
        count_block(f, n, k->table, row, k->end - row < VN_WALK_ROWS ? k->end - row : VN_WALK_ROWS);
}

/* One task per provider. */
static void sum_task(void *ctx, size_t task, unsigned thread)
{
    const struct fill *f = ctx;
    unsigned bus = (unsigned)task, table = vn_lookup_provider(bus);
    (void)thread;
    if (table == VN_AIR_MAX_TABLES || f->t->log_height[table] == VN_LOG_HEIGHT_ABSENT)
        return;
    uint32_t *out = f->t->main[table][0]; /* providers have the one main column */
    size_t n = (size_t)1 << f->t->log_height[table];
    memset(out, 0, n * sizeof *out);
    for (unsigned i = 0; i < f->n_counters; i++)
        for (size_t row = 0; row < n; row++)
            out[row] += f->counters[i].count[bus][row];
}

static enum vn_status bucket(struct fill *f, struct vn_error *err)
{
    size_t n_tasks = 0, first = 0;
    for (unsigned t = 0; t < vn_air_table_count; t++) {
        if (f->rows[t] && !has_rows(f->t, t, f->rows[t]))
            return vn_fail(err, VN_ERR_INTERNAL, "table %s has no room for %zu rows", vn_air_tables[t].name, f->rows[t]);
        n_tasks += (f->rows[t] + TASK_ROWS - 1) / TASK_ROWS;
    }
    f->tasks = malloc((n_tasks + 1) * sizeof *f->tasks);
    f->order = malloc(((f->r ? f->r->n_steps : 0) + 1) * sizeof *f->order);
    if (!f->tasks || !f->order)
        return vn_fail(err, VN_ERR_MEMORY, "no memory to order the steps");
    for (unsigned t = 0; t < vn_air_table_count; t++) {
        for (size_t row = 0; row < f->rows[t]; row += TASK_ROWS) {
            size_t end = row + TASK_ROWS < f->rows[t] ? row + TASK_ROWS : f->rows[t];
            f->tasks[f->n_tasks++] = (struct task){t, (uint32_t)row, (uint32_t)end};
        }
        f->first[t] = first;
        if (t != VN_TABLE_BUMP && t != VN_TABLE_BOUNDARY && t != VN_TABLE_MEMORY)
            first += f->rows[t];
    }
    if (!f->r)
        return VN_OK;
    size_t next[VN_AIR_MAX_TABLES];
    memcpy(next, f->first, sizeof next);
    for (size_t i = 0; i < f->r->n_steps; i++) {
        const struct vn_step *st = &f->r->steps[i];
        f->order[next[vn_row_rule(&f->p->insns[st->insn], st)->table]++] = (uint32_t)i;
    }
    return VN_OK;
}

static enum vn_status make_counters(struct fill *f, unsigned threads, struct vn_error *err)
{
    f->n_counters = threads;
    f->counters = calloc(threads, sizeof *f->counters);
    int good = f->counters != NULL;
    for (unsigned i = 0; i < threads && good; i++) {
        f->counters[i].walk = vn_walk_new();
        good = f->counters[i].walk != NULL;
        for (unsigned bus = 0; bus < MAX_BUS && good; bus++) {
            unsigned table = vn_lookup_provider(bus);
            if (table == VN_AIR_MAX_TABLES || f->t->log_height[table] == VN_LOG_HEIGHT_ABSENT)
                continue;
            f->counters[i].count[bus] = calloc((size_t)1 << f->t->log_height[table], sizeof(uint32_t));
            good = f->counters[i].count[bus] != NULL;
        }
    }
    return good ? VN_OK : vn_fail(err, VN_ERR_MEMORY, "no memory for the multiplicity counters");
}

static void fill_free(struct fill *f)
{
    for (unsigned i = 0; i < f->n_counters && f->counters; i++) {
        vn_walk_free(f->counters[i].walk);
        for (unsigned bus = 0; bus < MAX_BUS; bus++)
            free(f->counters[i].count[bus]);
    }
    free(f->counters);
    free(f->tasks);
    free(f->order);
}

enum vn_status vn_trace_fill_main(struct vn_trace *t, const struct vn_program *p, const struct vn_shard *s, const struct vn_replay *r, struct vn_pool *pool,
                                  struct vn_error *err)
{
    struct fill f = {.t = t, .p = p, .s = s, .r = s->kind == VN_SHARD_EXECUTION ? r : NULL};
    enum vn_status status = table_rows(p, s, r, f.rows, err);
    if (!status)
        status = bucket(&f, err);
    if (!status)
        status = make_counters(&f, pool ? vn_pool_threads(pool) : 1, err);
    if (!status) {
        vn_pool_run(pool, f.n_tasks, fill_task, &f);
        vn_pool_run(pool, f.n_tasks, count_task, &f);
        if (f.failed_bus)
            status = vn_fail(err, VN_ERR_WITNESS, "shard %u: table %s, row %u looks up what bus %s does not hold", s->index,
                             vn_air_tables[f.failed_table].name, f.failed_row, vn_air_bus_name(f.failed_bus));
        else
            vn_pool_run(pool, MAX_BUS, sum_task, &f);
    }
    fill_free(&f);
    return status;
}
