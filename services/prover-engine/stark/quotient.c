/* Per height n: the tables' constraints are combined on the cosets g H_n and g w_2n H_n, where X^n - 1 is a constant, and divided by it. With
 * r_0 = q mod (X^n - g^n) and r_1 = q mod (X^n + g^n) interpolated from the two, q = q0 + X^n q1 has q0 = (r_0 + r_1) / 2 and
 * q1 = (r_0 - r_1) / (2 g^n).
 *
 * Columns of the common height N have these values in their codeword if it was kept; the others are extended into a buffer, one table and coset at a time.
 * The running sums are always copied there: the kernels read 15 entries past the end, wrapped. */
#include <stdlib.h>

#include "services/prover-engine/pcs/query.h"
#include "services/prover-engine/stark/shard.h"

enum { ROW_BLOCK = 4096, WRAP = 16 };

struct quotient {
    struct vn_proving *w;
    const struct vn_fp6 *alpha_pow;
    unsigned log_n, coset, table;
    vn_fp *scale[2];   /* of the cosets, n entries each */
    vn_fp *unscale[2]; /* of the inverse shifts */
    vn_fp *acc[2][6];  /* per coset: the combined constraints, then the coefficients of r */
    vn_fp *buffer;     /* extended columns, n + WRAP entries each */
    struct vn_air_rows rows;
    struct vn_air_params params;
    size_t n_cols;
    struct column {
        const vn_fp **view; /* the pointer the kernel sees */
        const struct vn_pcs_commit *c;
        uint32_t col;
        int wrapped;
    } cols[VN_MAX_TABLE_COLUMNS];
    const vn_fp *views[VN_MAX_TABLE_COLUMNS];
};

static void extend_task(void *ctx, size_t task, unsigned thread)
{
    struct quotient *q = ctx;
    (void)thread;
    const struct column *col = &q->cols[task];
    size_t n = (size_t)1 << q->log_n, at = vn_pcs_column_offset(col->c, col->col);
    vn_fp *out = q->buffer + task * (n + WRAP);
    if (q->log_n == q->w->domain.log_n && col->c->lde) {
        const vn_fp *code = vn_pcs_codeword(col->c, at >> q->log_n) + q->coset * n;
        *col->view = code;
        if (!col->wrapped)
            return;
        memcpy(out, code, n * sizeof *out);
    } else {
        q->w->domain.backend->coset_ntt(out, col->c->coefs + at, q->scale[q->coset], q->log_n);
    }
    memcpy(out + n, out, WRAP * sizeof *out);
    *col->view = out;
}

static void rows_task(void *ctx, size_t task, unsigned thread)
{
    struct quotient *q = ctx;
    (void)thread;
    size_t n = (size_t)1 << q->log_n, begin = task * ROW_BLOCK, end = n - begin < ROW_BLOCK ? n : begin + ROW_BLOCK;
    q->w->kernels->quotient(q->table, &q->rows, &q->params, q->acc[q->coset], begin, end);
}

/* Lists the table's columns of all trees. */
static void list_columns(struct quotient *q)
{
    struct vn_proving *w = q->w;
    const struct vn_air_table *t = &vn_air_tables[q->table];
    const vn_fp *const **group[] = {&q->rows.pre, &q->rows.p1, &q->rows.main, &q->rows.logup};
    q->n_cols = 0;
    for (enum vn_tree_id tree = VN_TREE_PRE; tree <= VN_TREE_LOGUP; tree++) {
        *group[tree] = q->views + q->n_cols;
        uint32_t n = vn_shape_columns(q->table, tree);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t ext = i / 6, local = t->n_logup[VN_SCOPE_LOCAL], all = local + t->n_logup[VN_SCOPE_GLOBAL];
            int sum = tree == VN_TREE_LOGUP && (ext + 1 == local || ext + 1 == all);
            q->cols[q->n_cols] = (struct column){q->views + q->n_cols, vn_proving_commit(w, tree), w->shape.first_col[tree][q->table] + i, sum};
            q->n_cols++;
        }
    }
}

static void add_table(struct quotient *q, unsigned position)
{
    struct vn_proving *w = q->w;
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    q->table = k->tables[position];
    list_columns(q);
    q->params = (struct vn_air_params){.challenges = &w->challenges,
                                       .alpha_pow = q->alpha_pow + k->first_constraint[position],
                                       .shard_index = vn_fp_from(w->header.pub.index)};
    size_t n = (size_t)1 << q->log_n;
    for (unsigned scope = 0; scope < VN_SCOPE_COUNT; scope++)
        q->params.sum_per_row[scope] = vn_fp6_mul_fp(w->totals[q->table][scope], vn_fp_inv(vn_fp_from((uint32_t)n)));
    for (q->coset = 0; q->coset < 2; q->coset++) {
        vn_pool_run(w->domain.pool, q->n_cols, extend_task, q);
        vn_pool_run(w->domain.pool, (n + ROW_BLOCK - 1) / ROW_BLOCK, rows_task, q);
    }
}

static void interpolate_task(void *ctx, size_t task, unsigned thread)
{
    struct quotient *q = ctx;
    (void)thread;
    vn_fp *x = q->acc[task / 6][task % 6];
    q->w->domain.backend->intt(x, q->log_n);
    q->w->domain.backend->mul(x, q->unscale[task / 6], (size_t)1 << q->log_n);
}

/* acc[c] holds (X^n - 1) r_c: divides by the constant, and splits. */
static void split_task(void *ctx, size_t k, unsigned thread)
{
    struct quotient *q = ctx;
    (void)thread;
    size_t n = (size_t)1 << q->log_n;
    vn_fp g_n = vn_fp_pow(vn_fri_shift(0), n), half = vn_fp_inv(vn_fp_from(2)), by_g_n = vn_fp_inv(g_n);
    vn_fp a = vn_fp_mul(half, vn_fp_inv(vn_fp_sub(g_n, VN_FP_ONE)));
    vn_fp b = vn_fp_mul(half, vn_fp_inv(vn_fp_sub(vn_fp_neg(g_n), VN_FP_ONE)));
    uint32_t first = vn_pcs_tree_class(&q->w->quot.shape, q->log_n)->first_col;
    vn_fp *q0 = vn_pcs_column(&q->w->quot, first + (uint32_t)k), *q1 = vn_pcs_column(&q->w->quot, first + 6 + (uint32_t)k);
    for (size_t i = 0; i < n; i++) {
        vn_fp r0 = vn_fp_mul(q->acc[0][k][i], a), r1 = vn_fp_mul(q->acc[1][k][i], b);
        q0[i] = vn_fp_add(r0, r1);
        q1[i] = vn_fp_mul(vn_fp_sub(r0, r1), by_g_n);
    }
}

static void scale_task(void *ctx, size_t task, unsigned thread)
{
    struct quotient *q = ctx;
    (void)thread;
    vn_fp shift = vn_pcs_coset_shift(vn_fri_shift(0), q->log_n, task & 1);
    if (task < 2)
        vn_coset_scale(q->scale[task], shift, q->log_n);
    else
        vn_coset_scale(q->unscale[task - 2], vn_fp_inv(shift), q->log_n);
}

static size_t widest_table(const struct vn_proving *w, unsigned log_n)
{
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    size_t widest = 0;
    for (unsigned i = 0; i < k->n_tables; i++) {
        size_t n = 0;
        for (enum vn_tree_id tree = VN_TREE_PRE; w->shape.log_height[k->tables[i]] == log_n && tree <= VN_TREE_LOGUP; tree++)
            n += vn_shape_columns(k->tables[i], tree);
        widest = n > widest ? n : widest;
    }
    return widest;
}

static enum vn_status fill_height(struct quotient *q)
{
    const struct vn_air_kind *k = &vn_air_kinds[q->w->shape.kind];
    size_t n = (size_t)1 << q->log_n, buffer_bytes = widest_table(q->w, q->log_n) * (n + WRAP) * sizeof(vn_fp), bytes = 16 * n * sizeof(vn_fp);
    vn_fp *memory = vn_buffer_new(bytes);
    q->buffer = vn_buffer_new(buffer_bytes);
    enum vn_status s = memory && q->buffer ? VN_OK : VN_ERR_MEMORY;
    if (s == VN_OK) {
        for (size_t i = 0; i < 12; i++)
            q->acc[i / 6][i % 6] = memory + i * n;
        for (size_t i = 0; i < 2; i++) {
            q->scale[i] = memory + (12 + i) * n;
            q->unscale[i] = memory + (14 + i) * n;
        }
        memset(memory, 0, 12 * n * sizeof(vn_fp));
        vn_pool_run(q->w->domain.pool, 4, scale_task, q);
        for (unsigned i = 0; i < k->n_tables; i++)
            if (q->w->shape.log_height[k->tables[i]] == q->log_n)
                add_table(q, i);
        vn_pool_run(q->w->domain.pool, 12, interpolate_task, q);
        vn_pool_run(q->w->domain.pool, 6, split_task, q);
    }
    vn_buffer_free(q->buffer);
    vn_buffer_free(memory);
    return s;
}

enum vn_status vn_quotient_fill(struct vn_proving *w, const struct vn_fp6 *alpha_pow)
{
    struct quotient *q = calloc(1, sizeof *q);
    if (!q)
        return VN_ERR_MEMORY;
    q->w = w;
    q->alpha_pow = alpha_pow;
    enum vn_status s = VN_OK;
    for (unsigned i = 0; i < w->quot.shape.n_classes && s == VN_OK; i++) {
        q->log_n = w->quot.shape.classes[i].log_height;
        s = fill_height(q);
    }
    free(q);
    return s;
}
