/* Walks every table block by block: a constraint node that is not zero is reported with its table and row; multiplicities go into one ledger per
 * scope, an open-addressing hash by the tuple's fingerprint, where everything has to cancel out. */
#include "services/prover-engine/air/check.h"

#include <stdlib.h>
#include <string.h>

#include "air_tables.h"
#include "services/prover-engine/air/walk.h"

/* ---- Ledger ---- */

struct vn_ledger {
    struct vn_ledger_entry *entries; /* bus 0: free */
    size_t mask, used;
};

struct vn_ledger *vn_ledger_new(void)
{
    struct vn_ledger *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->mask = (1u << 12) - 1;
    l->entries = calloc(l->mask + 1, sizeof *l->entries);
    if (!l->entries) {
        free(l);
        return NULL;
    }
    return l;
}

void vn_ledger_free(struct vn_ledger *l)
{
    if (!l)
        return;
    free(l->entries);
    free(l);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9fb21c651e98df25);
    return h ^ h >> 29;
}

static struct vn_ledger_entry *slot(struct vn_ledger_entry *entries, size_t mask, const uint64_t print[2])
{
    size_t i = print[0] & mask;
    while (entries[i].bus && (entries[i].print[0] != print[0] || entries[i].print[1] != print[1]))
        i = (i + 1) & mask;
    return &entries[i];
}

static int grow(struct vn_ledger *l)
{
    size_t mask = 2 * l->mask + 1;
    struct vn_ledger_entry *entries = calloc(mask + 1, sizeof *entries);
    if (!entries)
        return 0;
    l->used = 0;
    for (size_t i = 0; i <= l->mask; i++)
        if (l->entries[i].bus && l->entries[i].sum) { /* what has cancelled out can be forgotten */
            *slot(entries, mask, l->entries[i].print) = l->entries[i];
            l->used++;
        }
    free(l->entries);
    l->entries = entries;
    l->mask = mask;
    return 1;
}

int vn_ledger_add(struct vn_ledger *l, unsigned bus, const uint32_t *tuple, unsigned width, uint32_t times, uint32_t shard, uint32_t table, uint32_t row)
{
    uint64_t print[2] = {mix(UINT64_C(0x243f6a8885a308d3), bus), mix(UINT64_C(0x13198a2e03707344), bus)};
    if (!times)
        return 1;
    for (unsigned i = 0; i < width; i++) {
        print[0] = mix(print[0], tuple[i]);
        print[1] = mix(print[1] + UINT64_C(0xa4093822299f31d0), tuple[i]);
    }
    if (2 * l->used > l->mask && !grow(l))
        return 0;
    struct vn_ledger_entry *e = slot(l->entries, l->mask, print);
    if (!e->bus) {
        *e = (struct vn_ledger_entry){{print[0], print[1]}, 0, bus, shard, table, row};
        l->used++;
    }
    e->sum = vn_fp_add(e->sum, times);
    return 1;
}

const struct vn_ledger_entry *vn_ledger_open_entry(const struct vn_ledger *l)
{
    for (size_t i = 0; i <= l->mask; i++)
        if (l->entries[i].bus && l->entries[i].sum)
            return &l->entries[i];
    return NULL;
}

/* ---- Tables ---- */

struct check {
    const struct vn_trace *t;
    const struct vn_program *p;
    const struct vn_shard *s;
    struct vn_ledger *const *ledgers;
    struct vn_walk *walk;
    struct vn_error *err;
};

static enum vn_status no_memory(const struct check *c)
{
    return vn_fail(c->err, VN_ERR_MEMORY, "no memory to check shard %u", c->s->index);
}

static enum vn_status check_block(const struct check *c, unsigned table, size_t row)
{
    const struct vn_air_graph *g = &vn_air_graphs[table];
    vn_walk_block(c->walk, row, g->n_nodes);
    for (unsigned i = 0; i < g->n_constraints; i++) {
        const uint32_t *v = c->walk->value[g->constraints[i]];
        for (unsigned j = 0; j < VN_WALK_ROWS; j++)
            if (v[j])
                return vn_fail(c->err, VN_ERR_WITNESS, "shard %u: table %s, row %zu: constraint \"%s\" is violated", c->s->index,
                               vn_air_tables[table].name, row + j, vn_air_tables[table].constraint_names[i]);
    }
    for (unsigned i = 0; i < g->n_interactions; i++) {
        const struct vn_air_interaction *x = &g->interactions[i];
        struct vn_ledger *l = c->ledgers[x->scope];
        const uint32_t *times = c->walk->value[x->multiplicity];
        for (unsigned j = 0; j < VN_WALK_ROWS && l; j++) {
            uint32_t tuple[VN_AIR_MAX_TUPLE];
            if (!times[j])
                continue;
            for (unsigned k = 0; k < x->width; k++)
                tuple[k] = c->walk->value[x->tuple[k]][j];
            if (!vn_ledger_add(l, x->bus, tuple, x->width, x->sign > 0 ? times[j] : VN_P - times[j], c->s->index, table, (uint32_t)(row + j)))
                return no_memory(c);
        }
    }
    return VN_OK;
}

static int make_pre(const struct check *c, unsigned table, uint32_t **pre)
{
    size_t n = (size_t)1 << c->t->log_height[table];
    memset(pre, 0, VN_AIR_MAX_TUPLE * sizeof *pre);
    for (unsigned k = 0; k < vn_air_tables[table].n_pre; k++) {
        pre[k] = calloc(n, sizeof **pre);
        if (!pre[k])
            return 0;
    }
    vn_pre_fill(c->s->kind, c->p, table, c->t->log_height[table], pre);
    return 1;
}

static enum vn_status check_table(const struct check *c, unsigned table)
{
    uint32_t *pre[VN_AIR_MAX_TUPLE];
    size_t n = (size_t)1 << c->t->log_height[table];
    enum vn_status status = make_pre(c, table, pre) ? VN_OK : no_memory(c);
    vn_walk_table(c->walk, table, (const uint32_t *const *)pre, (const uint32_t *const *)c->t->p1[table], (const uint32_t *const *)c->t->main[table],
                  c->s->index);
    for (size_t row = 0; row < n && !status; row += VN_WALK_ROWS)
        status = check_block(c, table, row);
    for (unsigned k = 0; k < vn_air_tables[table].n_pre; k++)
        free(pre[k]);
    return status;
}

static int add_loose_ends(struct vn_ledger *l, const struct vn_shard *s)
{
    const uint32_t plus = 1, minus = VN_P - 1, none = VN_AIR_MAX_TABLES;
    if (s->kind == VN_SHARD_MEMORY) {
        uint32_t first = s->first_memory ? VN_P - 1 : s->prev_key;
        return vn_ledger_add(l, VN_BUS_CHAIN, &first, 1, plus, s->index, none, 0) &&
               vn_ledger_add(l, VN_BUS_CHAIN, &s->last_key, 1, minus, s->index, none, 0);
    }
    const uint32_t start[3] = {VN_CLK_START, s->start_pc / 2, 0};
    const uint32_t end[3] = {VN_CLK_START + VN_CLK_STEP * s->steps, s->end_pc / 2, s->halted};
    return vn_ledger_add(l, VN_BUS_EXEC, start, 3, plus, s->index, none, 0) && vn_ledger_add(l, VN_BUS_EXEC, end, 3, minus, s->index, none, 0);
}

enum vn_status vn_check_shard(const struct vn_trace *t, const struct vn_program *p, const struct vn_shard *s, struct vn_ledger *const ledgers[VN_SCOPE_COUNT],
                              struct vn_error *err)
{
    struct check c = {t, p, s, ledgers, vn_walk_new(), err};
    enum vn_status status = c.walk ? VN_OK : no_memory(&c);
    const struct vn_air_kind *kd = &vn_air_kinds[s->kind];
    for (unsigned i = 0; i < kd->n_tables && !status; i++)
        if (t->log_height[kd->tables[i]] != VN_LOG_HEIGHT_ABSENT)
            status = check_table(&c, kd->tables[i]);
    vn_walk_free(c.walk);
    if (!status && ledgers[VN_SCOPE_LOCAL] && !add_loose_ends(ledgers[VN_SCOPE_LOCAL], s))
        status = no_memory(&c);
    return status;
}

/* ---- The whole check ---- */

static void describe(const struct vn_ledger_entry *e, const struct vn_shard *s, struct vn_error *err)
{
    const char *bus = vn_air_bus_name(e->bus);
    uint32_t sum = e->sum > VN_P / 2 ? VN_P - e->sum : e->sum;
    const char *sign = e->sum > VN_P / 2 ? "-" : "";
    if (e->table == VN_AIR_MAX_TABLES)
        vn_fail(err, VN_ERR_WITNESS, "shard %u: bus %s: the verifier's end of the chain is off by %s%u", s->index, bus, sign, sum);
    else
        vn_fail(err, VN_ERR_WITNESS, "shard %u: bus %s: a tuple of table %s, row %u is off by %s%u", s->index, bus, vn_air_tables[e->table].name, e->row, sign,
                sum);
}

enum vn_status vn_trace_check(const struct vn_trace *t, const struct vn_program *p, const struct vn_shard *s, struct vn_error *err)
{
    struct vn_ledger *local = vn_ledger_new();
    struct vn_ledger *const ledgers[VN_SCOPE_COUNT] = {local, NULL};
    enum vn_status status = local ? vn_check_shard(t, p, s, ledgers, err) : vn_fail(err, VN_ERR_MEMORY, "no memory to check shard %u", s->index);
    const struct vn_ledger_entry *e = status ? NULL : vn_ledger_open_entry(local);
    if (e) {
        describe(e, s, err);
        status = VN_ERR_WITNESS;
    }
    vn_ledger_free(local);
    return status;
}
