/* Phase 1 replays the shard, commits the columns that meet the global buses and hashes the leaf. Phase 2 does the same again, save for what was kept, then follows the transcript
 * of docs/proof-format.md: MAIN, LOGUP, QUOT, openings. */
#include "services/prover-engine/stark/prove.h"

#include <stdlib.h>

#include "services/prover-engine/stark/shard.h"

_Static_assert((unsigned)VN_SHARD_EXECUTION == VN_KIND_EXECUTION && (unsigned)VN_SHARD_MEMORY == VN_KIND_MEMORY, "kinds");
_Static_assert(VN_MAX_SHARDS == VN_MAX_JOB_SHARDS && (1u << VN_MAX_SHARD_LOG2) == VN_MAX_STEPS, "limits");
_Static_assert(VN_CLK_START == VN_FIRST_CLK && VN_CLK_STEP == VN_CLK_PER_STEP && VN_OUTPUT_BYTES == VN_STATEMENT_OUTPUT_BYTES, "machine");

const struct vn_pcs_commit *vn_proving_commit(const struct vn_proving *w, enum vn_tree_id tree)
{
    const struct vn_pcs_commit *commits[VN_TREE_COUNT] = {w->pre, &w->p1, &w->main, &w->logup, &w->quot};
    return commits[tree];
}

void vn_proving_columns(const struct vn_proving *w, unsigned table, enum vn_tree_id tree, const vn_fp **out)
{
    const struct vn_pcs_commit *c = vn_proving_commit(w, tree);
    for (uint32_t i = 0; i < vn_shape_columns(table, tree); i++)
        out[i] = vn_pcs_column(c, w->shape.first_col[tree][table] + i);
}

static enum vn_status no_memory(struct vn_error *err)
{
    return vn_fail(err, VN_ERR_MEMORY, "no memory for the shard's proof");
}

/* A stage on the device failed. */
static enum vn_status stage_failed(const struct vn_proving *w, enum vn_status s, struct vn_error *err)
{
    const char *why = w->device->why(w->device);
    if (*why)
        return vn_fail(err, s, "the device failed while proving the shard: %s", why);
    return s == VN_ERR_MEMORY ? no_memory(err) : vn_fail(err, s, "the device failed while proving the shard");
}

void vn_proving_fini(struct vn_proving *w)
{
    vn_replay_fini(&w->replay);
    for (unsigned t = 0; t < VN_AIR_MAX_TABLES; t++) {
        free(w->trace.p1[t]);
        free(w->trace.main[t]);
    }
    struct vn_pcs_commit *commits[] = {&w->p1, &w->main, &w->logup, &w->quot, &w->columns};
    for (size_t i = 0; w->device && i < sizeof commits / sizeof commits[0]; i++)
        w->device->commit_fini(commits[i]);
    free(w->z_evals);
}

enum vn_status vn_proving_start(struct vn_proving *w, const struct vn_prover *p, const struct vn_shard *shard, struct vn_error *err)
{
    *w = (struct vn_proving){.p = p, .shard = shard};
    w->kernels = vn_air_kernels_select(p->backend->name);
    if (!w->kernels)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "the constraint kernels for %s are not built", p->backend->name);
    if (shard->kind >= VN_KIND_COUNT)
        return vn_fail(err, VN_ERR_ARGUMENT, "shard %u: unknown kind %u", shard->index, shard->kind);
    w->device = p->device ? p->device : &vn_device_host;
    w->domain = p->setup->domain[shard->kind];
    w->domain.device = w->device;
    w->domain.backend = p->backend;
    w->domain.pool = p->pool;
    w->domain.minimal_memory = p->minimal_memory;
    w->domain.stages = p->stages;
    w->header.pub = (struct vn_shard_public){
        .kind = shard->kind,
        .index = shard->index,
        .start_pc = shard->start_pc,
        .end_pc = shard->end_pc,
        .steps = shard->steps,
        .halted = shard->halted,
        .first_memory = shard->first_memory,
        .prev_key = shard->first_memory ? 0 : shard->prev_key,
        .last_key = shard->last_key,
    };
    const struct vn_program *program = p->setup->program;
    int exec = shard->kind == VN_SHARD_EXECUTION;
    enum vn_status s = exec ? vn_replay_shard(program, shard, &w->replay, err) : VN_OK;
    if (s == VN_OK)
        s = vn_trace_heights(program, shard, exec ? &w->replay : NULL, w->header.log_height, err);
    if (s != VN_OK)
        return s;
    const char *why = vn_header_check(&w->header, &p->setup->vk);
    if (why)
        return vn_fail(err, VN_ERR_FORMAT, "shard %u: %s", shard->index, why);
    vn_shape_init(&w->shape, shard->kind, w->header.log_height);
    w->pre = w->device->commit_share(&w->domain, &p->setup->pre[shard->kind]);
    if (!w->pre)
        return stage_failed(w, VN_ERR_MEMORY, err);
    uint32_t batch = vn_pcs_batch(&w->shape.pcs);
    if (batch > VN_MAX_BATCH)
        return vn_fail(err, VN_ERR_LIMIT, "shard %u: %u functions in one batch, at most %u are allowed", shard->index, batch, VN_MAX_BATCH);
    memcpy(w->trace.log_height, w->header.log_height, sizeof w->trace.log_height);
    return VN_OK;
}

/* Memory for one of the two trace trees, and the trace's pointers into it. */
static enum vn_status open_columns(struct vn_proving *w, enum vn_tree_id tree, struct vn_pcs_commit *c, uint32_t **columns[VN_AIR_MAX_TABLES])
{
    if (w->device->commit_init(c, &w->domain, &w->shape.pcs.trees[tree], 1) != VN_OK)
        return VN_ERR_MEMORY;
    for (unsigned t = 0; t < vn_air_table_count; t++) {
        uint32_t n = vn_shape_columns(t, tree);
        if (!vn_shape_present(&w->shape, t) || n == 0)
            continue;
        columns[t] = calloc(n, sizeof *columns[t]);
        if (!columns[t])
            return VN_ERR_MEMORY;
        for (uint32_t i = 0; i < n; i++)
            columns[t][i] = vn_pcs_column(c, w->shape.first_col[tree][t] + i);
    }
    return VN_OK;
}

enum vn_status vn_proving_fill_phase1(struct vn_proving *w, struct vn_error *err)
{
    if (open_columns(w, VN_TREE_P1, w->has_phase1 ? &w->columns : &w->p1, w->trace.p1) != VN_OK)
        return no_memory(err);
    return vn_trace_fill_p1(&w->trace, w->shard, err);
}

enum vn_status vn_proving_commit_phase1(struct vn_proving *w, struct vn_error *err)
{
    w->z_evals = calloc(w->p1.shape.n_cols + 1u, sizeof *w->z_evals);
    if (!w->z_evals)
        return no_memory(err);
    enum vn_status s = w->device->commit_trace(&w->p1, &w->domain);
    if (s != VN_OK)
        return stage_failed(w, s, err);
    w->header.p1_root = w->device->commit_root(&w->p1);
    struct vn_pcs_points points = {.z = vn_header_point(&w->header, &w->p->setup->vk_digest)};
    s = w->device->evaluate(&w->p1, &w->domain, &points, VN_POINT_Z, w->z_evals);
    if (s != VN_OK)
        return stage_failed(w, s, err);
    vn_stage(w->p->stages, "evaluations");
    w->leaf = vn_header_leaf(&w->header, &w->p->setup->vk_digest, w->p->setup->vk.params_version, w->z_evals, w->p1.shape.n_cols);
    return VN_OK;
}

enum vn_status vn_contribute(const struct vn_prover *p, const struct vn_shard *shard, struct vn_digest *leaf, struct vn_error *err)
{
    struct vn_proving *w = calloc(1, sizeof *w);
    if (!w)
        return no_memory(err);
    vn_stages_resume(p->stages);
    enum vn_status s = vn_proving_start(w, p, shard, err);
    vn_stage(p->stages, "replay");
    int keep = s == VN_OK && vn_phase1_has_room(w);
    w->domain.minimal_memory |= keep;
    if (s == VN_OK)
        s = vn_proving_fill_phase1(w, err);
    vn_stage(p->stages, "trace");
    if (s == VN_OK)
        s = vn_proving_commit_phase1(w, err);
    if (s == VN_OK)
        *leaf = w->leaf;
    if (s == VN_OK && keep)
        vn_phase1_keep(w);
    vn_proving_fini(w);
    free(w);
    return s;
}

enum vn_status vn_proving_fill_trace(struct vn_proving *w, struct vn_error *err)
{
    const struct vn_program *program = w->p->setup->program;
    enum vn_status s = vn_proving_fill_phase1(w, err);
    if (s != VN_OK)
        return s;
    if (open_columns(w, VN_TREE_MAIN, &w->main, w->trace.main) != VN_OK)
        return no_memory(err);
    s = vn_trace_fill_main(&w->trace, program, w->shard, w->shape.kind == VN_KIND_EXECUTION ? &w->replay : NULL, w->p->pool, err);
    if (s == VN_OK && w->p->verify_constraints)
        s = vn_trace_check(&w->trace, program, w->shard, err);
    vn_replay_fini(&w->replay);
    w->replay = (struct vn_replay){0};
    return s;
}

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

static void send_root(const struct vn_proving *w, const struct vn_pcs_commit *c, struct vn_transcript *t, struct vn_writer *out)
{
    struct vn_digest root = w->device->commit_root(c);
    vn_write_digest(out, &root, 1);
    vn_transcript_absorb_digest(t, &root);
}

static enum vn_status commit_logup(struct vn_proving *w, struct vn_transcript *t, struct vn_writer *out, struct vn_error *err)
{
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    struct vn_fp6 alpha = vn_transcript_sample_fp6(t), beta = vn_transcript_sample_fp6(t);
    vn_air_challenges_set(&w->challenges, VN_SCOPE_LOCAL, alpha, beta);
    enum vn_status s = w->device->commit_init(&w->logup, &w->domain, &w->shape.pcs.trees[VN_TREE_LOGUP], 0);
    if (s == VN_OK)
        s = w->device->logup(w);
    vn_stage(w->p->stages, "LogUp");
    if (s == VN_OK)
        s = w->device->commit_values(&w->logup, &w->domain);
    if (s != VN_OK)
        return stage_failed(w, s, err);
    send_root(w, &w->logup, t, out);
    for (unsigned i = 0; i < k->n_tables; i++) {
        unsigned table = k->tables[i];
        for (unsigned scope = 0; scope < VN_SCOPE_COUNT && vn_shape_present(&w->shape, table); scope++) {
            if (vn_air_tables[table].n_logup[scope] == 0)
                continue;
            vn_write_fp6(out, &w->totals[table][scope], 1);
            vn_transcript_absorb_fp6(t, &w->totals[table][scope], 1);
        }
    }
    return VN_OK;
}

static enum vn_status commit_quotient(struct vn_proving *w, struct vn_transcript *t, struct vn_writer *out, struct vn_error *err)
{
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    struct vn_fp6 c = vn_transcript_sample_fp6(t), power = vn_fp6_one();
    struct vn_fp6 *alpha_pow = calloc(k->n_constraints + 1u, sizeof *alpha_pow);
    enum vn_status s = VN_ERR_MEMORY;
    if (alpha_pow) {
        for (unsigned i = 0; i < k->n_constraints; i++, power = vn_fp6_mul(power, c))
            alpha_pow[i] = power;
        s = w->device->commit_init(&w->quot, &w->domain, &w->shape.pcs.trees[VN_TREE_QUOT], 0);
    }
    if (s == VN_OK)
        s = w->device->quotient(w, alpha_pow);
    vn_stage(w->p->stages, "quotient");
    if (s == VN_OK)
        s = w->device->commit_coefs(&w->quot, &w->domain);
    free(alpha_pow);
    if (s != VN_OK)
        return stage_failed(w, s, err);
    send_root(w, &w->quot, t, out);
    return VN_OK;
}

static enum vn_status open_all(struct vn_proving *w, struct vn_transcript *t, struct vn_writer *out, struct vn_error *err)
{
    struct vn_pcs_points points = {.zeta = vn_transcript_sample_fp6(t), .z = vn_header_point(&w->header, &w->p->setup->vk_digest)};
    if (!vn_pcs_point_is_safe(&points.zeta) || !vn_pcs_point_is_safe(&points.z))
        return vn_fail(err, VN_ERR_INTERNAL, "an opening point lies in an evaluation domain");
    const struct vn_pcs_commit *commits[VN_TREE_COUNT];
    for (enum vn_tree_id tree = 0; tree < VN_TREE_COUNT; tree++)
        commits[tree] = vn_proving_commit(w, tree);
    for (unsigned o = 0; o < VN_OPEN_Z; o++) {
        const struct vn_pcs_opening *opening = &w->shape.pcs.openings[o];
        uint32_t n = w->shape.pcs.trees[opening->tree].n_cols;
        struct vn_fp6 *values = calloc(n + 1u, sizeof *values);
        if (!values)
            return no_memory(err);
        enum vn_status s = w->device->evaluate(commits[opening->tree], &w->domain, &points, opening->point, values);
        vn_write_fp6(out, values, n);
        vn_transcript_absorb_fp6(t, values, n);
        free(values);
        if (s != VN_OK)
            return stage_failed(w, s, err);
    }
    vn_stage(w->p->stages, "evaluations");
    enum vn_status s = vn_pcs_open(&w->shape.pcs, commits, &w->domain, &points, t, out);
    if (s != VN_OK)
        return stage_failed(w, s, err);
    return VN_OK;
}

/* The leaf must be the one the job was formed with. Writes the header and the path, and sets the transcript and the global challenge. */
static enum vn_status bind_job(struct vn_proving *w, const struct vn_job *job, struct vn_transcript *t, struct vn_writer *out, struct vn_error *err)
{
    uint32_t n = job->n_exec + job->n_mem, index = w->shard->index;
    if (index == 0 || index > n || memcmp(&job->leaves[index - 1], &w->leaf, sizeof w->leaf) != 0)
        return vn_fail(err, VN_ERR_ARGUMENT, "shard %u is not the one whose contribution the job was formed with", index);
    struct vn_digest root, path[32];
    struct vn_job_context context;
    struct vn_rejection why;
    enum vn_status s = vn_job_root(job, &root, err);
    if (s == VN_OK && vn_contribution_tree(job->leaves, n, index - 1, path, &root) != VN_OK)
        s = no_memory(err);
    if (s == VN_OK)
        s = vn_rejection_explain(vn_job_context_init(&context, &w->p->setup->vk, job->n_exec, job->n_mem, &root, job->output, &why), &why, err);
    if (s != VN_OK)
        return s;
    w->challenges = context.challenges;
    vn_shard_transcript(t, &context.job, &w->leaf);
    write_header(w, out);
    vn_write_digest(out, path, vn_contribution_depth(n));
    return VN_OK;
}

enum vn_status vn_proving_finish(struct vn_proving *w, const struct vn_job *job, struct vn_writer *out, struct vn_error *err)
{
    struct vn_transcript t;
    enum vn_status s = bind_job(w, job, &t, out, err);
    if (s != VN_OK)
        return s;
    s = w->device->commit_trace(&w->main, &w->domain);
    if (s != VN_OK)
        return stage_failed(w, s, err);
    send_root(w, &w->main, &t, out);
    s = commit_logup(w, &t, out, err);
    if (s == VN_OK)
        s = commit_quotient(w, &t, out, err);
    if (s == VN_OK)
        s = open_all(w, &t, out, err);
    if (s == VN_OK && out->failed)
        s = no_memory(err);
    return s;
}

static enum vn_status prove(struct vn_proving *w, const struct vn_prover *p, const struct vn_shard *shard, const struct vn_job *job,
                            struct vn_writer *out, struct vn_error *err)
{
    vn_stages_resume(p->stages);
    enum vn_status s = vn_proving_start(w, p, shard, err);
    vn_stage(p->stages, "replay");
    w->has_phase1 = s == VN_OK && vn_phase1_take(w);
    if (s == VN_OK)
        s = vn_proving_fill_trace(w, err);
    vn_stage(p->stages, "trace");
    if (s == VN_OK && !w->has_phase1)
        s = vn_proving_commit_phase1(w, err);
    return s == VN_OK ? vn_proving_finish(w, job, out, err) : s;
}

enum vn_status vn_prove_shard(const struct vn_prover *p, const struct vn_shard *shard, const struct vn_job *job, uint8_t **proof, size_t *len,
                              struct vn_error *err)
{
    struct vn_writer out = {0};
    struct vn_proving *w = calloc(1, sizeof *w);
    if (!w)
        return no_memory(err);
    enum vn_status s = prove(w, p, shard, job, &out, err);
    vn_proving_fini(w);
    free(w);
    if (s != VN_OK) {
        vn_writer_fini(&out);
        return s;
    }
    *proof = out.data;
    *len = out.len;
    return VN_OK;
}
