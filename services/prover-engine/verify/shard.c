/* Order of a shard proof: header (leaf), path to R, MAIN root, LOGUP root, totals, QUOT root, opened values, PCS part.
 * The transcript follows it; every challenge comes after all that it must not be chosen before. */
#include "services/prover-engine/pcs/merkle.h"
#include "services/prover-engine/verify/arena.h"
#include "services/prover-engine/verify/pcs.h"
#include "services/prover-engine/verify/reject.h"
#include "services/prover-engine/verify/shard_proof.h"

struct shard {
    struct vn_arena *arena;
    const struct vn_job_context *job;
    struct vn_rejection *why;
    struct vn_reader r;
    struct vn_shard_header header;
    struct vn_fp6 z_evals[VN_MAX_P1_COLUMNS];
    uint32_t n_evals;
    struct vn_shard_shape shape;
    struct vn_transcript t;
    struct vn_air_challenges challenges;
    struct vn_digest roots[VN_TREE_COUNT];
    struct vn_fp6 totals[VN_AIR_MAX_TABLES][VN_SCOPE_COUNT];
    struct vn_fp6 global_total;
    struct vn_fp6 *alpha_pow;
    struct vn_pcs_points points;
    struct vn_fp6 *values[VN_OPEN_COUNT];
};

static enum vn_status reject(const struct shard *s, const char *reason)
{
    return vn_reject(s->why, VN_ERR_INVALID_PROOF, reason);
}

static enum vn_status check_header(struct shard *s, uint32_t index)
{
    const struct vn_job_context *job = s->job;
    const char *reason = vn_header_read(&s->header, s->z_evals, &s->n_evals, job->vk, &s->r);
    if (reason)
        return reject(s, reason);
    if (s->header.pub.index != index)
        return reject(s, "the proof is for another shard number");
    if (s->header.pub.kind != (index <= job->n_exec ? VN_KIND_EXECUTION : VN_KIND_MEMORY))
        return reject(s, "the proof is of the wrong kind for its place");
    struct vn_digest leaf = vn_header_leaf(&s->header, &job->vk_digest, job->vk->params_version, s->z_evals, s->n_evals);
    struct vn_digest path[16];
    unsigned depth = vn_contribution_depth(job->n_exec + job->n_mem);
    for (unsigned i = 0; i < depth; i++)
        path[i] = vn_read_digest(&s->r);
    if (s->r.why)
        return reject(s, s->r.why);
    if (!vn_merkle_verify_path(&job->contribution_root, VN_TAG_CONTRIBUTION, depth, index - 1, &leaf, path))
        return reject(s, "the leaf is not under the contribution root");
    vn_shape_init(&s->shape, s->header.pub.kind, s->header.log_height);
    for (unsigned i = 0; i < VN_TREE_COUNT; i++)
        if (s->shape.pcs.trees[i].n_stacks == 0)
            return reject(s, "a commitment without columns");
    vn_shard_transcript(&s->t, &job->job, &leaf);
    s->points.z = vn_header_point(&s->header, &job->vk_digest);
    return VN_OK;
}

/* Roots, totals and the challenges between them. */
static enum vn_status read_commitments(struct shard *s)
{
    const struct vn_air_kind *k = &vn_air_kinds[s->shape.kind];
    s->roots[VN_TREE_PRE] = s->job->vk->pre_root[s->shape.kind];
    s->roots[VN_TREE_P1] = s->header.p1_root;
    s->roots[VN_TREE_MAIN] = vn_read_digest(&s->r);
    vn_transcript_absorb_digest(&s->t, &s->roots[VN_TREE_MAIN]);
    struct vn_fp6 alpha = vn_transcript_sample_fp6(&s->t), beta = vn_transcript_sample_fp6(&s->t);
    s->challenges = s->job->challenges;
    vn_air_challenges_set(&s->challenges, VN_SCOPE_LOCAL, alpha, beta);

    s->roots[VN_TREE_LOGUP] = vn_read_digest(&s->r);
    vn_transcript_absorb_digest(&s->t, &s->roots[VN_TREE_LOGUP]);
    struct vn_fp6 local = vn_header_loose_ends(&s->header, &s->challenges);
    s->global_total = vn_fp6_zero();
    for (unsigned i = 0; i < k->n_tables; i++) {
        unsigned table = k->tables[i];
        for (unsigned scope = 0; scope < VN_SCOPE_COUNT && vn_shape_present(&s->shape, table); scope++) {
            if (vn_air_tables[table].n_logup[scope] == 0)
                continue;
            struct vn_fp6 *total = &s->totals[table][scope];
            *total = vn_read_fp6(&s->r);
            vn_transcript_absorb_fp6(&s->t, total, 1);
            struct vn_fp6 *sum = scope == VN_SCOPE_LOCAL ? &local : &s->global_total;
            *sum = vn_fp6_add(*sum, *total);
        }
    }
    if (s->r.why)
        return reject(s, s->r.why);
    if (!vn_fp6_is_zero(&local))
        return reject(s, "the local buses do not balance");

    struct vn_fp6 c = vn_transcript_sample_fp6(&s->t), power = vn_fp6_one();
    s->alpha_pow = vn_arena_take(s->arena, k->n_constraints, sizeof *s->alpha_pow);
    if (!s->alpha_pow)
        return vn_reject_arena(s->why);
    for (unsigned i = 0; i < k->n_constraints; i++, power = vn_fp6_mul(power, c))
        s->alpha_pow[i] = power;
    s->roots[VN_TREE_QUOT] = vn_read_digest(&s->r);
    vn_transcript_absorb_digest(&s->t, &s->roots[VN_TREE_QUOT]);
    s->points.zeta = vn_transcript_sample_fp6(&s->t);
    if (!vn_pcs_point_is_safe(&s->points.zeta) || !vn_pcs_point_is_safe(&s->points.z))
        return reject(s, "an opening point lies in an evaluation domain");
    return VN_OK;
}

static enum vn_status read_values(struct shard *s)
{
    for (unsigned o = 0; o < VN_OPEN_Z; o++) {
        uint32_t n = s->shape.pcs.trees[s->shape.pcs.openings[o].tree].n_cols;
        if (!vn_reader_has(&s->r, (size_t)6 * n))
            return reject(s, s->r.why);
        s->values[o] = vn_arena_take(s->arena, n, sizeof **s->values);
        if (!s->values[o])
            return vn_reject_arena(s->why);
        for (uint32_t i = 0; i < n; i++)
            s->values[o][i] = vn_read_fp6(&s->r);
        vn_transcript_absorb_fp6(&s->t, s->values[o], n);
    }
    s->values[VN_OPEN_Z] = s->z_evals;
    return s->r.why ? reject(s, s->r.why) : VN_OK;
}

/* The value of an extension column from its six base columns: sum_k x^k v_k. */
static struct vn_fp6 combine(const struct vn_fp6 v[6])
{
    static const struct vn_fp6 x = {{0, VN_FP_ONE, 0, 0, 0, 0}};
    struct vn_fp6 sum = v[5];
    for (int k = 4; k >= 0; k--)
        sum = vn_fp6_add(vn_fp6_mul(sum, x), v[k]);
    return sum;
}

static enum vn_status table_at_zeta(const struct shard *s, unsigned position, struct vn_fp6 *value)
{
    const struct vn_air_kind *k = &vn_air_kinds[s->shape.kind];
    unsigned table = k->tables[position];
    const struct vn_air_table *t = &vn_air_tables[table];
    uint32_t n_logup = (uint32_t)t->n_logup[VN_SCOPE_LOCAL] + t->n_logup[VN_SCOPE_GLOBAL];
    size_t mark = s->arena->used;
    struct vn_fp6 *logup = vn_arena_take(s->arena, 2 * (size_t)n_logup, sizeof *logup);
    if (!logup)
        return vn_reject_arena(s->why);
    for (uint32_t i = 0; i < n_logup; i++) {
        uint32_t col = s->shape.first_col[VN_TREE_LOGUP][table] + 6 * i;
        logup[i] = combine(s->values[VN_TREE_LOGUP] + col);
        logup[n_logup + i] = combine(s->values[VN_OPEN_NEXT] + col);
    }
    struct vn_air_point point = {
        .pre = s->values[VN_TREE_PRE] + s->shape.first_col[VN_TREE_PRE][table],
        .p1 = s->values[VN_TREE_P1] + s->shape.first_col[VN_TREE_P1][table],
        .main = s->values[VN_TREE_MAIN] + s->shape.first_col[VN_TREE_MAIN][table],
        .logup = logup,
        .logup_next = logup + n_logup,
    };
    struct vn_air_params params = {
        .challenges = &s->challenges,
        .alpha_pow = s->alpha_pow + k->first_constraint[position],
        .shard_index = vn_fp_from(s->header.pub.index),
    };
    vn_fp per_row = vn_fp_inv(vn_fp_from(1u << s->shape.log_height[table]));
    for (unsigned scope = 0; scope < VN_SCOPE_COUNT; scope++)
        params.sum_per_row[scope] = vn_fp6_mul_fp(s->totals[table][scope], per_row);
    *value = vn_air_eval_point(table, &point, &params);
    s->arena->used = mark;
    return VN_OK;
}

/* Per height: the tables' combined constraints = (zeta^n - 1) (q0 + zeta^n q1). */
static enum vn_status check_quotient(const struct shard *s)
{
    const struct vn_air_kind *k = &vn_air_kinds[s->shape.kind];
    struct vn_fp6 sums[VN_PCS_MAX_LOG_N + 1] = {{{0}}};
    for (unsigned i = 0; i < k->n_tables; i++) {
        struct vn_fp6 value, *sum = &sums[s->shape.log_height[k->tables[i]] % (VN_PCS_MAX_LOG_N + 1)];
        if (!vn_shape_present(&s->shape, k->tables[i]))
            continue;
        enum vn_status status = table_at_zeta(s, i, &value);
        if (status != VN_OK)
            return status;
        *sum = vn_fp6_add(*sum, value);
    }
    const struct vn_pcs_tree *tree = &s->shape.pcs.trees[VN_TREE_QUOT];
    for (unsigned i = 0; i < tree->n_classes; i++) {
        const struct vn_pcs_class *c = &tree->classes[i];
        const struct vn_fp6 *q = s->values[VN_TREE_QUOT] + c->first_col;
        struct vn_fp6 power = vn_fp6_pow(s->points.zeta, (uint64_t)1 << c->log_height);
        struct vn_fp6 quotient = vn_fp6_add(combine(q), vn_fp6_mul(power, combine(q + 6)));
        struct vn_fp6 right = vn_fp6_mul(vn_fp6_sub(power, vn_fp6_one()), quotient);
        if (!vn_fp6_equal(&right, &sums[c->log_height]))
            return vn_reject_part(s->why, VN_ERR_INVALID_PROOF, "constraints of log height", c->log_height, "not satisfied");
    }
    return VN_OK;
}

enum vn_status vn_verify_shard(struct vn_arena *arena, const struct vn_job_context *job, uint32_t index, const uint8_t *proof, size_t len,
                               size_t *used, struct vn_shard_public *pub, struct vn_fp6 *global_total, struct vn_rejection *why)
{
    if (index == 0 || index > job->n_exec + job->n_mem)
        return vn_reject_part(why, VN_ERR_ARGUMENT, "shard", index, "the job has fewer");
    size_t mark = arena->used;
    struct shard *s = vn_arena_take(arena, 1, sizeof *s);
    if (!s)
        return vn_reject_arena(why);
    memset(s, 0, sizeof *s);
    s->arena = arena;
    s->job = job;
    s->why = why;
    s->r = (struct vn_reader){.at = proof, .end = proof + len};
    enum vn_status status = check_header(s, index);
    if (status == VN_OK)
        status = read_commitments(s);
    if (status == VN_OK)
        status = read_values(s);
    if (status == VN_OK)
        status = check_quotient(s);
    if (status == VN_OK)
        status = vn_pcs_verify(arena, job->hash, &s->shape.pcs, s->roots, &s->points, (const struct vn_fp6 *const *)s->values, &s->t, &s->r, why);
    if (status == VN_OK) {
        *used = (size_t)(s->r.at - proof);
        *pub = s->header.pub;
        *global_total = s->global_total;
    } else {
        why->shard = index;
    }
    arena->used = mark;
    return status;
}
