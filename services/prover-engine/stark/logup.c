/* The generated kernels write the helper columns and, in the running sums' place, each row's contribution. The total of those is S; the running sum
 * starts at 0 and grows by the contribution minus S / n, so that it closes cyclically. Each coordinate of the extension is summed alone. */
#include "services/prover-engine/stark/shard.h"

enum { ROW_BLOCK = 4096 };

struct rows_ctx {
    struct vn_proving *w;
    unsigned n_tables;
    unsigned tables[VN_AIR_MAX_TABLES];
    size_t first_task[VN_AIR_MAX_TABLES + 1];
};

static void rows_task(void *ctx, size_t task, unsigned thread)
{
    const struct rows_ctx *r = ctx;
    struct vn_proving *w = r->w;
    (void)thread;
    unsigned i = 0;
    while (task >= r->first_task[i + 1])
        i++;
    unsigned table = r->tables[i];
    size_t n = (size_t)1 << w->shape.log_height[table], begin = (task - r->first_task[i]) * ROW_BLOCK;
    size_t end = n - begin < ROW_BLOCK ? n : begin + ROW_BLOCK;

    const vn_fp *pre[VN_MAX_TABLE_COLUMNS], *p1[VN_MAX_TABLE_COLUMNS], *main[VN_MAX_TABLE_COLUMNS];
    vn_fp *logup[VN_MAX_TABLE_COLUMNS];
    vn_proving_columns(w, table, VN_TREE_PRE, pre);
    vn_proving_columns(w, table, VN_TREE_P1, p1);
    vn_proving_columns(w, table, VN_TREE_MAIN, main);
    for (uint32_t c = 0; c < vn_shape_columns(table, VN_TREE_LOGUP); c++)
        logup[c] = vn_pcs_column(&w->logup, w->shape.first_col[VN_TREE_LOGUP][table] + c);
    struct vn_air_rows rows = {.pre = pre, .p1 = p1, .main = main};
    struct vn_air_params params = {.challenges = &w->challenges, .shard_index = vn_fp_from(w->header.pub.index)};
    w->kernels->logup(table, &rows, &params, logup, begin, end);
}

struct sums_ctx {
    struct vn_proving *w;
    unsigned n;
    struct {
        unsigned table, scope;
    } sums[VN_SCOPE_COUNT * VN_AIR_MAX_TABLES];
};

static void sum_task(void *ctx, size_t task, unsigned thread)
{
    const struct sums_ctx *s = ctx;
    struct vn_proving *w = s->w;
    (void)thread;
    unsigned table = s->sums[task / 6].table, scope = s->sums[task / 6].scope, k = (unsigned)(task % 6);
    const struct vn_air_table *t = &vn_air_tables[table];
    uint32_t last = (scope == VN_SCOPE_LOCAL ? 0u : t->n_logup[VN_SCOPE_LOCAL]) + t->n_logup[scope] - 1u;
    vn_fp *x = vn_pcs_column(&w->logup, w->shape.first_col[VN_TREE_LOGUP][table] + 6 * last + k);
    size_t n = (size_t)1 << w->shape.log_height[table];
    uint64_t wide = 0;
    for (size_t i = 0; i < n; i++)
        wide += x[i];
    vn_fp total = (vn_fp)(wide % VN_P);
    w->totals[table][scope].c[k] = total;
    vn_fp per_row = vn_fp_mul(total, vn_fp_inv(vn_fp_from((uint32_t)n))), sum = 0;
    for (size_t i = 0; i < n; i++) {
        vn_fp step = vn_fp_sub(x[i], per_row);
        x[i] = sum;
        sum = vn_fp_add(sum, step);
    }
}

void vn_logup_fill(struct vn_proving *w)
{
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    struct rows_ctx rows = {.w = w};
    struct sums_ctx sums = {.w = w};
    for (unsigned i = 0; i < k->n_tables; i++) {
        unsigned table = k->tables[i];
        if (!vn_shape_present(&w->shape, table) || vn_shape_columns(table, VN_TREE_LOGUP) == 0)
            continue;
        size_t n = (size_t)1 << w->shape.log_height[table];
        rows.tables[rows.n_tables] = table;
        rows.first_task[rows.n_tables + 1] = rows.first_task[rows.n_tables] + (n + ROW_BLOCK - 1) / ROW_BLOCK;
        rows.n_tables++;
        for (unsigned scope = 0; scope < VN_SCOPE_COUNT; scope++) {
            if (vn_air_tables[table].n_logup[scope] == 0)
                continue;
            sums.sums[sums.n].table = table;
            sums.sums[sums.n++].scope = scope;
        }
    }
    vn_pool_run(w->domain.pool, rows.first_task[rows.n_tables], rows_task, &rows);
    vn_pool_run(w->domain.pool, 6 * (size_t)sums.n, sum_task, &sums);
}
