/* Every single-cell change of every column must be noticed, in rows that are used and in rows that are padding.
 *
 * Noticed means more than "the check fails": a cheating prover adapts the providers' multiplicities, so a change that only moves lookups from one valid
 * tuple to another would be a free cell. A change counts as noticed if a constraint of the row breaks, a lookup asks for a tuple that no provider has,
 * or what the row puts on the permutation buses changes (the other rows stay as they are). For the providers' own multiplicity columns any
 * change of the balance will do. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "air_tables.h"
#include "services/prover-engine/air/lookups.h"
#include "services/prover-engine/air/walk.h"
#include "tests/unit/air/support.h"

#define ROWS 24
#define PADDING_ROWS 3

struct mutator {
    const struct vn_program *program;
    struct vn_walk *walk;
    unsigned table;
    size_t row;
    struct {
        uint32_t tuple[VN_AIR_MAX_TUPLE + 2]; /* bus, times, tuple */
    } before[64];
    uint64_t seed;
    size_t tried, unnoticed;
};

static int constraints_hold(const struct mutator *m)
{
    const struct vn_air_graph *g = &vn_air_graphs[m->table];
    for (unsigned i = 0; i < g->n_constraints; i++)
        if (m->walk->value[g->constraints[i]][m->row % VN_WALK_ROWS])
            return 0;
    return 1;
}

static void read_interaction(const struct mutator *m, unsigned i, uint32_t out[VN_AIR_MAX_TUPLE + 2])
{
    const struct vn_air_interaction *x = &vn_air_graphs[m->table].interactions[i];
    size_t j = m->row % VN_WALK_ROWS;
    uint32_t times = m->walk->value[x->multiplicity][j];
    memset(out, 0, (VN_AIR_MAX_TUPLE + 2) * sizeof *out);
    out[0] = x->bus;
    out[1] = x->sign > 0 || !times ? times : VN_P - times;
    for (unsigned k = 0; k < x->width; k++)
        out[2 + k] = m->walk->value[x->tuple[k]][j];
}

/* The row after a change, against the row before. */
static int noticed(struct mutator *m)
{
    const struct vn_air_graph *g = &vn_air_graphs[m->table];
    vn_walk_block(m->walk, m->row - m->row % VN_WALK_ROWS, g->n_nodes);
    if (!constraints_hold(m))
        return 1;
    struct vn_ledger *l = vn_ledger_new();
    int invalid = 0;
    for (unsigned i = 0; i < g->n_interactions; i++) {
        const struct vn_air_interaction *x = &g->interactions[i];
        uint32_t now[VN_AIR_MAX_TUPLE + 2];
        const uint32_t *was = m->before[i].tuple;
        read_interaction(m, i, now);
        if (x->kind == VN_AIR_LOOKUP) {
            invalid |= now[1] && vn_lookup_row(m->program, x->bus, now + 2) == VN_NO_ROW;
            continue;
        }
        cr_assert(vn_ledger_add(l, x->bus, now + 2, x->width, now[1], 0, 0, 0));
        cr_assert(vn_ledger_add(l, x->bus, was + 2, x->width, was[1] ? VN_P - was[1] : 0, 0, 0, 0));
    }
    int changed = vn_ledger_open_entry(l) != NULL;
    vn_ledger_free(l);
    return invalid || changed;
}

static void try_value(struct mutator *m, uint32_t *cell, const char *column, uint32_t value, const char *where)
{
    uint32_t was = *cell;
    if (value == was)
        return;
    *cell = value;
    m->tried++;
    if (!noticed(m)) {
        if (m->unnoticed++ < 40)
            cr_log_error("table %s, %s row %zu: column %s may be %u instead of %u", vn_air_tables[m->table].name, where, m->row, column, value, was);
    }
    *cell = was;
}

static void mutate_row(struct mutator *m, uint32_t *const *p1, uint32_t *const *main, const char *where)
{
    const struct vn_air_table *t = &vn_air_tables[m->table];
    const struct vn_air_graph *g = &vn_air_graphs[m->table];
    vn_walk_block(m->walk, m->row - m->row % VN_WALK_ROWS, g->n_nodes);
    cr_assert(constraints_hold(m));
    for (unsigned i = 0; i < g->n_interactions; i++)
        read_interaction(m, i, m->before[i].tuple);
    for (unsigned c = 0; c < (unsigned)t->n_p1 + t->n_main; c++) {
        uint32_t *cell = c < t->n_p1 ? &p1[c][m->row] : &main[c - t->n_p1][m->row];
        const char *name = c < t->n_p1 ? t->p1_names[c] : t->main_names[c - t->n_p1];
        const uint32_t values[] = {vn_fp_add(*cell, 1), vn_fp_sub(*cell, 1), 0, 1, vn_fp_add(*cell, 1 << 16), vn_fp_sub(0, *cell),
                                   (uint32_t)(air_random(&m->seed) % VN_P), (uint32_t)(air_random(&m->seed) % 65536)};
        for (unsigned v = 0; v < sizeof values / sizeof values[0]; v++)
            try_value(m, cell, name, values[v], where);
    }
}

static int is_padding(const struct vn_trace *t, unsigned table, size_t row)
{
    if (vn_air_tables[table].n_pre)
        return 0;
    return (vn_air_tables[table].n_p1 ? t->p1[table] : t->main[table])[0][row] == 0; /* sel is the first column */
}

static void mutate_table(struct mutator *m, struct air_shard *s, unsigned table)
{
    uint32_t *const *p1 = s->trace.p1[table], *const *main = s->trace.main[table];
    size_t n = (size_t)1 << s->trace.log_height[table], used = 0;
    uint32_t **pre = air_pre_columns(m->program, s->shard.kind, table, s->trace.log_height[table]);
    while (used < n && !is_padding(&s->trace, table, used))
        used++;
    m->table = table;
    vn_walk_table(m->walk, table, (const uint32_t *const *)pre, (const uint32_t *const *)p1, (const uint32_t *const *)main, s->shard.index);
    for (size_t i = 0; i < ROWS && used; i++) {
        m->row = used <= ROWS ? i : i < 4 ? i : i < 8 ? used + 3 - i : air_random(&m->seed) % used;
        if (m->row < used)
            mutate_row(m, p1, main, "used");
    }
    for (size_t i = 0; i < PADDING_ROWS && used < n; i++) {
        m->row = i == 0 ? used : i == 1 ? n - 1 : used + air_random(&m->seed) % (n - used);
        mutate_row(m, p1, main, "padding");
    }
    air_columns_free(pre, vn_air_tables[table].n_pre);
}

static void mutate_job(struct vn_program *p, unsigned shard_log2)
{
    struct air_job job;
    struct mutator m = {.program = p, .walk = vn_walk_new(), .seed = 7};
    air_job_run(&job, p, shard_log2);
    for (size_t i = 0; i < job.n_shards; i++) {
        struct air_shard *s = &job.shards[i];
        air_shard_fill(&job, s, NULL);
        for (unsigned t = 0; t < vn_air_table_count; t++)
            if (s->trace.log_height[t] != VN_LOG_HEIGHT_ABSENT)
                mutate_table(&m, s, t);
        air_shard_clear(s);
    }
    vn_walk_free(m.walk);
    air_job_free(&job);
    cr_assert_eq(m.unnoticed, 0, "%zu of %zu changes went unnoticed", m.unnoticed, m.tried);
    cr_assert_gt(m.tried, 1000);
}

Test(mutation, every_instruction)
{
    mutate_job(air_program_all(), 11);
}

Test(mutation, compressed_code)
{
    mutate_job(air_program_compressed(), 10);
}

Test(mutation, bumps)
{
    mutate_job(air_program_bump(), 20);
}
