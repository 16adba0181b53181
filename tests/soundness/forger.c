#include "tests/soundness/forger.h"

#include <stdlib.h>

#include "air_tables.h"
#include "services/prover-engine/air/lookups.h"
#include "services/prover-engine/air/walk.h"

static void must(const char *what, enum vn_status s, const struct vn_error *err)
{
    if (s != VN_OK)
        test_fail(what, err);
}

void forger_init(struct forger *f, const struct vn_setup *real, const struct vn_setup *pre, const struct vn_program *ran, const struct vn_backend *b,
                 struct vn_pool *pool)
{
    *f = (struct forger){.real = real, .ran = ran, .setup = *pre};
    f->setup.program = ran;
    f->setup.vk = real->vk;
    f->setup.vk_digest = real->vk_digest;
    f->prover = (struct vn_prover){.setup = &f->setup, .backend = b, .pool = pool};
}

/* ---- The trace ---- */

static void count(struct forger *f, unsigned table, size_t row, const struct vn_program *program, int sign)
{
    const struct vn_air_graph *g = &vn_air_graphs[table];
    struct vn_trace *t = &f->w->trace;
    struct vn_walk *walk = vn_walk_new();
    if (!walk)
        test_fail("no memory", NULL);
    vn_walk_table(walk, table, NULL, (const uint32_t *const *)t->p1[table], (const uint32_t *const *)t->main[table], f->w->header.pub.index);
    vn_walk_block(walk, row - row % VN_WALK_ROWS, g->n_lookup_nodes);
    for (unsigned i = 0; i < g->n_interactions; i++) {
        const struct vn_air_interaction *x = &g->interactions[i];
        uint32_t tuple[VN_AIR_MAX_TUPLE], at;
        if (x->kind != VN_AIR_LOOKUP)
            continue;
        uint32_t times = walk->value[x->multiplicity][row % VN_WALK_ROWS];
        for (unsigned k = 0; k < x->width; k++)
            tuple[k] = walk->value[x->tuple[k]][row % VN_WALK_ROWS];
        at = vn_lookup_row(program, x->bus, tuple);
        if (at == VN_NO_ROW)
            continue;
        uint32_t *m = &t->main[vn_lookup_provider(x->bus)][0][at];
        *m = sign > 0 ? vn_fp_add(*m, times) : vn_fp_sub(*m, times);
    }
    vn_walk_free(walk);
}

void forger_row_begin(struct forger *f, unsigned table, size_t row)
{
    count(f, table, row, f->ran, -1);
}

void forger_row_end(struct forger *f, unsigned table, size_t row)
{
    count(f, table, row, f->real->program, 1);
}

size_t forger_find(const struct forger *f, unsigned table, unsigned column, uint32_t value, size_t row)
{
    const struct vn_trace *t = &f->w->trace;
    const uint32_t *sel = vn_air_tables[table].n_p1 ? t->p1[table][0] : t->main[table][0];
    for (; row < (size_t)1 << t->log_height[table]; row++)
        if (sel[row] && t->main[table][column][row] == value)
            return row;
    return SIZE_MAX;
}

/* The cell that a late commitment changes: some value of a row that is used. */
static uint32_t *late_cell(struct forger *f, unsigned bend)
{
    return bend & FORGE_P1_LATE ? &f->w->trace.p1[VN_TABLE_BOUNDARY][VN_P1_BOUNDARY_FINAL0][3] : &f->w->trace.main[VN_TABLE_ADDI][VN_ADDI_R0][2];
}

static void rebuild(struct forger *f, struct vn_pcs_commit *c)
{
    vn_merkle_free(&c->tree);
    if (vn_pcs_commit_build(c, &f->w->domain) != VN_OK)
        test_fail("no memory", NULL);
}

void forger_begin(struct forger *f, const struct vn_shard *shard, const struct lie *lie)
{
    struct vn_error err = {0};
    f->w = calloc(1, sizeof *f->w);
    if (!f->w)
        test_fail("no memory", NULL);
    must("start", vn_proving_start(f->w, &f->prover, shard, &err), &err);
    must("fill", vn_proving_fill_trace(f->w, &err), &err);
    if (lie && lie->trace)
        lie->trace(f);
    unsigned late = lie ? lie->bend & (FORGE_P1_LATE | FORGE_MAIN_LATE) : 0;
    if (late)
        *late_cell(f, late) = vn_fp_add(*late_cell(f, late), 1);
    must("phase 1", vn_proving_commit_phase1(f->w, &err), &err);
    if (late & FORGE_P1_LATE) {
        *late_cell(f, late) = vn_fp_sub(*late_cell(f, late), VN_FP_ONE); /* Montgomery by now */
        rebuild(f, &f->w->p1);
    }
}

void forger_end(struct forger *f)
{
    vn_proving_fini(f->w);
    free(f->w);
    f->w = NULL;
}

/* ---- The protocol ---- */

static void write_header(const struct vn_proving *w, struct vn_writer *out)
{
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    uint32_t pub[VN_MAX_PUBLIC];
    unsigned n = vn_header_public(&w->header, pub);
    vn_write_u32(out, w->header.pub.kind);
    vn_write_u32(out, w->header.pub.index);
    for (unsigned i = 0; i < k->n_tables; i++)
        vn_write_u32(out, w->header.log_height[k->tables[i]]);
    for (unsigned i = 0; i < n; i++)
        vn_write_u32(out, pub[i]);
    vn_write_digest(out, &w->header.p1_root, 1);
    vn_write_fp6(out, w->z_evals, w->p1.shape.n_cols);
}

static void send_root(const struct vn_pcs_commit *c, struct vn_transcript *t, struct vn_writer *out)
{
    struct vn_digest root = vn_merkle_root(&c->tree);
    vn_write_digest(out, &root, 1);
    vn_transcript_absorb_digest(t, &root);
}

static void bind(struct forger *f, const struct vn_job *job, struct vn_transcript *t, struct vn_writer *out)
{
    struct vn_proving *w = f->w;
    uint32_t n = job->n_exec + job->n_mem;
    struct vn_digest root, path[16];
    struct vn_job_context context;
    struct vn_rejection why;
    struct vn_error err = {0};
    must("tree", vn_contribution_tree(job->leaves, n, w->header.pub.index - 1, path, &root), &err);
    enum vn_status s = vn_job_context_init(&context, &f->real->vk, job->n_exec, job->n_mem, &root, job->output, &why);
    must("job", vn_rejection_explain(s, &why, &err), &err);
    w->challenges = context.challenges;
    vn_shard_transcript(t, &context.job, &w->leaf);
    write_header(w, out);
    vn_write_digest(out, path, vn_contribution_depth(n));
}

/* What the verifier will find the local buses to sum to. */
static struct vn_fp6 local_sum(const struct vn_proving *w, const struct vn_air_challenges *c)
{
    struct vn_fp6 sum = vn_header_loose_ends(&w->header, c);
    for (unsigned t = 0; t < vn_air_table_count; t++)
        sum = vn_fp6_add(sum, w->totals[t][VN_SCOPE_LOCAL]);
    return sum;
}

static void logup(struct forger *f, unsigned bend, struct vn_transcript *t, struct vn_writer *out)
{
    struct vn_proving *w = f->w;
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    struct vn_fp6 alpha = vn_transcript_sample_fp6(t), beta = vn_transcript_sample_fp6(t);
    struct vn_air_challenges true_ones = w->challenges;
    vn_air_challenges_set(&true_ones, VN_SCOPE_LOCAL, alpha, beta);
    w->challenges = true_ones;
    if (bend & FORGE_CHALLENGES)
        vn_air_challenges_set(&w->challenges, VN_SCOPE_LOCAL, vn_fp6_from_fp(77), beta);
    if (vn_pcs_commit_init(&w->logup, &w->domain, &w->shape.pcs.trees[VN_TREE_LOGUP], 0) != VN_OK)
        test_fail("no memory", NULL);
    vn_logup_fill(w);
    rebuild(f, &w->logup);
    send_root(&w->logup, t, out);
    w->challenges = true_ones;
    if (bend & FORGE_TOTALS)
        w->totals[VN_TABLE_BITS][VN_SCOPE_LOCAL] = vn_fp6_sub(w->totals[VN_TABLE_BITS][VN_SCOPE_LOCAL], local_sum(w, &true_ones));
    if (bend & FORGE_GLOBAL_TOTAL)
        w->totals[VN_TABLE_BOUNDARY][VN_SCOPE_GLOBAL].c[0] ^= 1;
    for (unsigned i = 0; i < k->n_tables; i++) {
        unsigned table = k->tables[i];
        for (unsigned scope = 0; scope < VN_SCOPE_COUNT && vn_shape_present(&w->shape, table); scope++) {
            if (vn_air_tables[table].n_logup[scope] == 0)
                continue;
            vn_write_fp6(out, &w->totals[table][scope], 1);
            vn_transcript_absorb_fp6(t, &w->totals[table][scope], 1);
        }
    }
}

static struct vn_fp6 *quotient(struct forger *f, struct vn_transcript *t, struct vn_writer *out)
{
    struct vn_proving *w = f->w;
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    struct vn_fp6 c = vn_transcript_sample_fp6(t), power = vn_fp6_one();
    struct vn_fp6 *alpha_pow = calloc(k->n_constraints + 1u, sizeof *alpha_pow);
    if (!alpha_pow || vn_pcs_commit_init(&w->quot, &w->domain, &w->shape.pcs.trees[VN_TREE_QUOT], 0) != VN_OK)
        test_fail("no memory", NULL);
    for (unsigned i = 0; i < k->n_constraints; i++, power = vn_fp6_mul(power, c))
        alpha_pow[i] = power;
    if (vn_quotient_fill(w, alpha_pow) != VN_OK || vn_pcs_commit_extend(&w->quot, &w->domain) != VN_OK)
        test_fail("no memory", NULL);
    send_root(&w->quot, t, out);
    return alpha_pow;
}

static struct vn_fp6 combine(const struct vn_fp6 v[6])
{
    static const struct vn_fp6 x = {{0, VN_FP_ONE}};
    struct vn_fp6 sum = v[5];
    for (int i = 4; i >= 0; i--)
        sum = vn_fp6_add(vn_fp6_mul(sum, x), v[i]);
    return sum;
}

/* The table's constraints at zeta, from opened values. */
static struct vn_fp6 constraints_at(const struct vn_proving *w, unsigned position, struct vn_fp6 *const *values, const struct vn_fp6 *alpha_pow)
{
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    unsigned table = k->tables[position];
    struct vn_fp6 columns[2 * VN_AIR_MAX_LOGUP * VN_SCOPE_COUNT];
    unsigned n = (unsigned)vn_air_tables[table].n_logup[0] + vn_air_tables[table].n_logup[1];
    for (unsigned i = 0; i < n; i++) {
        uint32_t col = w->shape.first_col[VN_TREE_LOGUP][table] + 6 * i;
        columns[i] = combine(values[VN_TREE_LOGUP] + col);
        columns[n + i] = combine(values[VN_OPEN_NEXT] + col);
    }
    struct vn_air_point point = {
        .pre = values[VN_TREE_PRE] + w->shape.first_col[VN_TREE_PRE][table],
        .p1 = values[VN_TREE_P1] + w->shape.first_col[VN_TREE_P1][table],
        .main = values[VN_TREE_MAIN] + w->shape.first_col[VN_TREE_MAIN][table],
        .logup = columns,
        .logup_next = columns + n,
    };
    struct vn_air_params params = {
        .challenges = &w->challenges, .alpha_pow = alpha_pow + k->first_constraint[position], .shard_index = vn_fp_from(w->header.pub.index)};
    vn_fp per_row = vn_fp_inv(vn_fp_from(1u << w->shape.log_height[table]));
    for (unsigned scope = 0; scope < VN_SCOPE_COUNT; scope++)
        params.sum_per_row[scope] = vn_fp6_mul_fp(w->totals[table][scope], per_row);
    return vn_air_eval_point(table, &point, &params);
}

/* Sets the quotient's values at zeta so that the verifier's equation holds. */
static void solve_quotient(const struct vn_proving *w, struct vn_fp6 *const *values, const struct vn_fp6 *alpha_pow, struct vn_fp6 zeta)
{
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    const struct vn_pcs_tree *tree = &w->shape.pcs.trees[VN_TREE_QUOT];
    for (unsigned i = 0; i < tree->n_classes; i++) {
        const struct vn_pcs_class *c = &tree->classes[i];
        struct vn_fp6 sum = vn_fp6_zero(), power = vn_fp6_pow(zeta, (uint64_t)1 << c->log_height);
        for (unsigned j = 0; j < k->n_tables; j++)
            if (w->shape.log_height[k->tables[j]] == c->log_height)
                sum = vn_fp6_add(sum, constraints_at(w, j, values, alpha_pow));
        struct vn_fp6 *q = values[VN_TREE_QUOT] + c->first_col;
        q[0] = vn_fp6_sub(vn_fp6_mul(sum, vn_fp6_inv(vn_fp6_sub(power, vn_fp6_one()))), vn_fp6_mul(power, combine(q + 6)));
        memset(q + 1, 0, 5 * sizeof *q);
    }
}

static void open_values(struct forger *f, unsigned bend, const struct vn_fp6 *alpha_pow, struct vn_transcript *t, struct vn_writer *out)
{
    struct vn_proving *w = f->w;
    struct vn_pcs_points points = {.zeta = vn_transcript_sample_fp6(t), .z = vn_header_point(&w->header, &f->setup.vk_digest)};
    const struct vn_pcs_commit *commits[VN_TREE_COUNT];
    struct vn_fp6 *values[VN_OPEN_Z];
    for (enum vn_tree_id tree = 0; tree < VN_TREE_COUNT; tree++)
        commits[tree] = vn_proving_commit(w, tree);
    for (unsigned o = 0; o < VN_OPEN_Z; o++) {
        const struct vn_pcs_opening *opening = &w->shape.pcs.openings[o];
        values[o] = calloc(w->shape.pcs.trees[opening->tree].n_cols + 1u, sizeof *values[o]);
        if (!values[o] || vn_pcs_evaluate(commits[opening->tree], &w->domain, &points, opening->point, values[o]) != VN_OK)
            test_fail("no memory", NULL);
    }
    if (bend & FORGE_VALUES)
        solve_quotient(w, values, alpha_pow, points.zeta);
    for (unsigned o = 0; o < VN_OPEN_Z; o++) {
        uint32_t n = w->shape.pcs.trees[w->shape.pcs.openings[o].tree].n_cols;
        vn_write_fp6(out, values[o], n);
        vn_transcript_absorb_fp6(t, values[o], n);
        free(values[o]);
    }
    if (vn_pcs_open(&w->shape.pcs, commits, &w->domain, &points, t, out) != VN_OK)
        test_fail("no memory", NULL);
}

void forger_finish(struct forger *f, const struct lie *lie, const struct vn_job *job, struct vn_writer *out)
{
    struct vn_proving *w = f->w;
    unsigned bend = lie ? lie->bend : 0;
    struct vn_transcript t;
    bind(f, job, &t, out);
    vn_pcs_commit_to_mont(&w->main, &w->domain);
    rebuild(f, &w->main);
    send_root(&w->main, &t, out);
    if (bend & FORGE_MAIN_LATE) {
        *late_cell(f, bend) = vn_fp_sub(*late_cell(f, bend), VN_FP_ONE);
        rebuild(f, &w->main);
    }
    logup(f, bend, &t, out);
    struct vn_fp6 *alpha_pow = quotient(f, &t, out);
    open_values(f, bend, alpha_pow, &t, out);
    free(alpha_pow);
}
