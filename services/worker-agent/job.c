/* The stages of a job. Everything a coordinator or an engine says is checked here against what the job knows: shard numbers in range
 * and once each, owned by the right unit, lengths as declared. */
#include "services/worker-agent/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/worker-agent/input_path.h"
#include "services/worker-agent/words.h"

static int printable(const char *text, size_t max_len)
{
    size_t n = 0;
    for (; text[n]; n++)
        if (text[n] <= ' ' || text[n] > '~' || n == max_len)
            return 0;
    return n > 0;
}

static int owns(const struct vn_job *job, uint32_t shard)
{
    for (size_t i = 0; i < job->n_owned_units; i++)
        if (shard % job->units == job->owned_units[i])
            return 1;
    return 0;
}

static size_t n_shards(const struct vn_job *job) { return (size_t)job->n_exec + job->n_mem; }

static void file_name(char name[32], const char *kind, uint32_t shard, const char *suffix) { snprintf(name, 32, "%s-%u.%s", kind, shard, suffix); }

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* ---- opening ---- */

static enum vn_status take_units(struct vn_job *job, const contribution_params *p, struct vn_error *err)
{
    if (p->job_compute_units == 0 || p->job_compute_units > VN_JOB_MAX_UNITS)
        return vn_fail(err, VN_ERR_FORMAT, "job_compute_units is %u; it must be 1 to %u", p->job_compute_units, VN_JOB_MAX_UNITS);
    if (p->n_worker_allocation > p->job_compute_units)
        return vn_fail(err, VN_ERR_FORMAT, "worker_allocation has %zu entries in a job of %u units", p->n_worker_allocation, p->job_compute_units);
    job->units = p->job_compute_units;
    job->n_owned_units = p->n_worker_allocation;
    job->owned_units = malloc((p->n_worker_allocation + 1) * sizeof *job->owned_units);
    if (!job->owned_units)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the allocation");
    if (p->n_worker_allocation > 0)
        memcpy(job->owned_units, p->worker_allocation, p->n_worker_allocation * sizeof *job->owned_units);
    qsort(job->owned_units, job->n_owned_units, sizeof *job->owned_units, compare_u32);
    for (size_t i = 0; i < job->n_owned_units; i++) {
        if (job->owned_units[i] >= job->units)
            return vn_fail(err, VN_ERR_FORMAT, "worker_allocation names unit %u in a job of %u units", job->owned_units[i], job->units);
        if (i > 0 && job->owned_units[i] == job->owned_units[i - 1])
            return vn_fail(err, VN_ERR_FORMAT, "worker_allocation names unit %u twice", job->owned_units[i]);
    }
    return VN_OK;
}

static enum vn_status write_input(const struct vn_job *job, const contribution_params *p, struct vn_error *err)
{
    switch (p->input_source_case) {
    case ZISK__DISTRIBUTED__API__V1__CONTRIBUTION_PARAMS__INPUT_SOURCE_INPUT_DATA:
        if (p->input_data.len > VN_JOB_MAX_INPUT_BYTES)
            return vn_fail(err, VN_ERR_LIMIT, "The input has %zu bytes; at most %u are accepted", p->input_data.len, VN_JOB_MAX_INPUT_BYTES);
        return vn_job_dir_write(&job->dir, "input.bin", p->input_data.data, p->input_data.len, err);
    case ZISK__DISTRIBUTED__API__V1__CONTRIBUTION_PARAMS__INPUT_SOURCE_INPUT_PATH: {
        int fd;
        enum vn_status s = vn_input_open(&fd, job->settings->inputs_folder, p->input_path, job->settings->worker_id, err);
        if (s == VN_OK) {
            s = vn_job_dir_copy(&job->dir, "input.bin", fd, VN_JOB_MAX_INPUT_BYTES, err);
            close(fd);
        }
        return s;
    }
    default: /* no input at all */
        return vn_job_dir_write(&job->dir, "input.bin", "", 0, err);
    }
}

enum vn_status vn_job_open(struct vn_job **out, const struct vn_job_settings *settings, const task_request *task, double now_s, struct vn_error *err)
{
    if (task->params_case != ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__PARAMS_CONTRIBUTION_PARAMS || !task->contribution_params)
        return vn_fail(err, VN_ERR_FORMAT, "PARTIAL_CONTRIBUTION without contribution_params");
    if (!printable(task->job_id, VN_JOB_MAX_ID))
        return vn_fail(err, VN_ERR_FORMAT, "the job id is empty, longer than %u characters or not plain text", VN_JOB_MAX_ID);
    const contribution_params *p = task->contribution_params;
    if (p->hints_stream || (p->hints_path_presence_case == ZISK__DISTRIBUTED__API__V1__CONTRIBUTION_PARAMS__HINTS_PATH_PRESENCE_HINTS_PATH && p->hints_path[0]))
        return vn_fail(err, VN_ERR_UNSUPPORTED, "Hints are not supported by this version of the worker");

    struct vn_job *job = calloc(1, sizeof *job);
    if (!job)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for a job");
    job->dir.fd = -1;
    job->settings = settings;
    job->rank = p->rank_id;
    job->received_at = now_s;
    snprintf(job->id, sizeof job->id, "%s", task->job_id);
    enum vn_status s = take_units(job, p, err);
    if (s == VN_OK)
        s = vn_job_dir_open(&job->dir, VN_JOB_DIR_BASE, job->id, err);
    if (s == VN_OK)
        s = write_input(job, p, err);
    if (s != VN_OK) {
        vn_job_free(&job);
        return s;
    }
    *out = job;
    return VN_OK;
}

void vn_job_free(struct vn_job **p)
{
    struct vn_job *job = *p;
    if (!job)
        return;
    (void)!vn_job_dir_remove(&job->dir); /* what stays is swept at the next start */
    free(job->owned_units);
    free(job->owned_shards);
    free(job->own_leaves);
    free(job->leaves);
    free(job->leaf_pointers);
    free(job->leaf_elements);
    free(job->have_proof);
    free(job);
    *p = NULL;
}

/* ---- messages of the later phases ---- */

/* Storage for the leaves of all shards; their shard field stays 0 until the leaf is there. */
static enum vn_status make_leaves(struct vn_job *job, struct vn_error *err)
{
    size_t n = n_shards(job);
    job->leaves = malloc(n * sizeof *job->leaves);
    job->leaf_pointers = malloc(n * sizeof *job->leaf_pointers);
    job->leaf_elements = malloc(n * VN_LEAF_ELEMENTS * sizeof *job->leaf_elements);
    job->have_proof = calloc(n, 1);
    if (!job->leaves || !job->leaf_pointers || !job->leaf_elements || !job->have_proof)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the challenges");
    for (size_t i = 0; i < n; i++) {
        venus__engine__v1__leaf__init(&job->leaves[i]);
        job->leaves[i].n_elements = VN_LEAF_ELEMENTS;
        job->leaves[i].elements = job->leaf_elements + i * VN_LEAF_ELEMENTS;
        job->leaf_pointers[i] = &job->leaves[i];
    }
    return VN_OK;
}

static enum vn_status take_leaf(struct vn_job *job, const challenges *c, struct vn_error *err)
{
    if (c->airgroup_id == 0 || c->airgroup_id > n_shards(job))
        return vn_fail(err, VN_ERR_FORMAT, "a challenge names shard %u of %zu", c->airgroup_id, n_shards(job));
    engine_leaf *leaf = &job->leaves[c->airgroup_id - 1];
    if (leaf->shard != 0)
        return vn_fail(err, VN_ERR_FORMAT, "shard %u has two challenges", c->airgroup_id);
    if (c->n_challenge != VN_LEAF_ELEMENTS)
        return vn_fail(err, VN_ERR_FORMAT, "the challenge of shard %u has %zu elements instead of %u", c->airgroup_id, c->n_challenge, VN_LEAF_ELEMENTS);
    for (unsigned i = 0; i < VN_LEAF_ELEMENTS; i++) {
        if (c->challenge[i] > UINT32_MAX)
            return vn_fail(err, VN_ERR_FORMAT, "the challenge of shard %u has an element above 32 bits", c->airgroup_id);
        leaf->elements[i] = (uint32_t)c->challenge[i];
    }
    leaf->shard = c->airgroup_id;
    return VN_OK;
}

enum vn_status vn_job_prove(struct vn_job *job, const prove_params *params, struct vn_error *err)
{
    if (job->stage != VN_JOB_CONTRIBUTED)
        return vn_fail(err, VN_ERR_PEER, "PROVE came in stage %s of the job", vn_job_stage_name(job));
    if (params->n_challenges != n_shards(job))
        return vn_fail(err, VN_ERR_FORMAT, "PROVE has %zu challenges; the job has %zu shards", params->n_challenges, n_shards(job));
    enum vn_status s = make_leaves(job, err);
    for (size_t i = 0; s == VN_OK && i < params->n_challenges; i++)
        s = take_leaf(job, params->challenges[i], err);
    if (s != VN_OK)
        return s;
    for (size_t i = 0; i < job->n_owned_shards; i++)
        if (memcmp(job->leaves[job->owned_shards[i] - 1].elements, job->own_leaves[i], sizeof job->own_leaves[i]) != 0)
            return vn_fail(err, VN_ERR_PEER, "the challenge of shard %u is not the one this worker contributed", job->owned_shards[i]);
    job->stage = job->n_owned_shards > 0 ? VN_JOB_PROVE : VN_JOB_PROVED;
    return VN_OK;
}

static enum vn_status take_proof(struct vn_job *job, const shard_proof *proof, struct vn_error *err)
{
    if (proof->airgroup_id == 0 || proof->airgroup_id > n_shards(job))
        return vn_fail(err, VN_ERR_FORMAT, "a proof names shard %llu of %zu", (unsigned long long)proof->airgroup_id, n_shards(job));
    uint32_t shard = (uint32_t)proof->airgroup_id;
    if (job->have_proof[shard - 1])
        return vn_fail(err, VN_ERR_FORMAT, "shard %u has two proofs", shard);
    size_t len;
    enum vn_status s = vn_words_check(proof->values, proof->n_values, VN_JOB_MAX_PROOF_BYTES, &len, err);
    if (s != VN_OK)
        return s;
    uint8_t *bytes = malloc(len + 1);
    if (!bytes)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for a proof of %zu bytes", len);
    vn_words_unpack(bytes, len, proof->values);
    char name[32];
    file_name(name, "proof", shard, "bin");
    s = vn_job_dir_write(&job->dir, name, bytes, len, err);
    free(bytes);
    if (s == VN_OK)
        job->have_proof[shard - 1] = 1;
    return s;
}

enum vn_status vn_job_aggregate(struct vn_job *job, const agg_params *params, struct vn_error *err)
{
    if (job->stage != VN_JOB_PROVED)
        return vn_fail(err, VN_ERR_PEER, "AGGREGATE came in stage %s of the job", vn_job_stage_name(job));
    const proof_list *list = params->agg_proofs;
    for (size_t i = 0; list && i < list->n_proofs; i++) {
        enum vn_status s = take_proof(job, list->proofs[i], err);
        if (s != VN_OK)
            return s;
    }
    if (!params->last_proof)
        return VN_OK;
    for (size_t i = 0; i < n_shards(job); i++)
        if (!job->have_proof[i])
            return vn_fail(err, VN_ERR_PEER, "aggregation was asked for, but the proof of shard %zu did not come", i + 1);
    job->stage = VN_JOB_AGGREGATE;
    return VN_OK;
}

/* ---- engine work ---- */

int vn_job_needs_engine(const struct vn_job *job)
{
    return job->stage == VN_JOB_EXECUTE || job->stage == VN_JOB_CONTRIBUTE || job->stage == VN_JOB_PROVE || job->stage == VN_JOB_AGGREGATE;
}

enum vn_status vn_job_with_request(const struct vn_job *job, enum vn_status (*use)(void *ctx, const engine_request *request, struct vn_error *err),
                                   void *ctx, struct vn_error *err)
{
    const struct vn_job_settings *set = job->settings;
    Venus__Engine__V1__Common common = VENUS__ENGINE__V1__COMMON__INIT;
    common.elf_path = (char *)set->elf;
    common.cache_dir = (char *)set->cache_dir;
    common.threads = set->threads;
    common.isa = (char *)set->isa;
    common.verify_constraints = set->verify_constraints;
    engine_request request = VENUS__ENGINE__V1__REQUEST__INIT;
    request.common = &common;
    Venus__Engine__V1__Execute execute = VENUS__ENGINE__V1__EXECUTE__INIT;
    Venus__Engine__V1__Contribute contribute = VENUS__ENGINE__V1__CONTRIBUTE__INIT;
    Venus__Engine__V1__Prove prove = VENUS__ENGINE__V1__PROVE__INIT;
    Venus__Engine__V1__Aggregate aggregate = VENUS__ENGINE__V1__AGGREGATE__INIT;
    switch (job->stage) {
    case VN_JOB_EXECUTE:
        execute.shard_log2 = set->shard_log2;
        execute.job_units = job->units;
        execute.n_units = job->n_owned_units;
        execute.units = job->owned_units;
        request.execute = &execute;
        request.work_case = VENUS__ENGINE__V1__REQUEST__WORK_EXECUTE;
        break;
    case VN_JOB_CONTRIBUTE:
        contribute.n_shards = job->n_owned_shards;
        contribute.shards = job->owned_shards;
        request.contribute = &contribute;
        request.work_case = VENUS__ENGINE__V1__REQUEST__WORK_CONTRIBUTE;
        break;
    case VN_JOB_PROVE:
        prove.n_shards = 1;
        prove.shards = job->owned_shards + job->n_proved;
        prove.n_leaves = n_shards(job);
        prove.leaves = job->leaf_pointers;
        request.prove = &prove;
        request.work_case = VENUS__ENGINE__V1__REQUEST__WORK_PROVE;
        break;
    case VN_JOB_AGGREGATE:
        aggregate.n_leaves = n_shards(job);
        aggregate.leaves = job->leaf_pointers;
        request.aggregate = &aggregate;
        request.work_case = VENUS__ENGINE__V1__REQUEST__WORK_AGGREGATE;
        break;
    default:
        return vn_fail(err, VN_ERR_INTERNAL, "no engine work in stage %s", vn_job_stage_name(job));
    }
    return use(ctx, &request, err);
}

static enum vn_status execute_done(struct vn_job *job, const Venus__Engine__V1__ExecuteResult *r, struct vn_error *err)
{
    if (r->n_exec == 0 || r->n_exec > VN_JOB_MAX_SHARDS || r->n_mem > VN_JOB_MAX_SHARDS - r->n_exec)
        return vn_fail(err, VN_ERR_PEER, "the engine made %u + %u shards", r->n_exec, r->n_mem);
    if (r->output.len != VN_PUBLIC_WORDS * 4)
        return vn_fail(err, VN_ERR_PEER, "the engine gave %zu output bytes instead of %u", r->output.len, VN_PUBLIC_WORDS * 4);
    if (r->n_vk_digest != VN_LEAF_ELEMENTS)
        return vn_fail(err, VN_ERR_PEER, "the engine gave %zu elements of the verifying key's digest", r->n_vk_digest);
    job->n_exec = r->n_exec;
    job->n_mem = r->n_mem;
    job->steps = r->steps;
    job->execute_seconds = r->seconds;
    memcpy(job->vk_digest, r->vk_digest, sizeof job->vk_digest);
    for (unsigned i = 0; i < VN_PUBLIC_WORDS; i++) {
        const uint8_t *b = r->output.data + 4 * i;
        job->publics[i] = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    }

    free(job->owned_shards);
    free(job->own_leaves);
    job->owned_shards = malloc(n_shards(job) * sizeof *job->owned_shards);
    job->own_leaves = calloc(n_shards(job), sizeof *job->own_leaves);
    if (!job->owned_shards || !job->own_leaves)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for %zu shards", n_shards(job));
    job->n_owned_shards = 0;
    for (uint32_t shard = 1; shard <= n_shards(job); shard++)
        if (owns(job, shard))
            job->owned_shards[job->n_owned_shards++] = shard;
    if (r->n_owned_shards != job->n_owned_shards)
        return vn_fail(err, VN_ERR_PEER, "the engine made packages of %zu shards instead of %zu", r->n_owned_shards, job->n_owned_shards);
    if (r->n_owned_shards > 0)
        qsort(r->owned_shards, r->n_owned_shards, sizeof *r->owned_shards, compare_u32);
    for (size_t i = 0; i < job->n_owned_shards; i++)
        if (r->owned_shards[i] != job->owned_shards[i])
            return vn_fail(err, VN_ERR_PEER, "the engine made a package of shard %u instead of shard %u", r->owned_shards[i], job->owned_shards[i]);
    job->stage = job->n_owned_shards > 0 ? VN_JOB_CONTRIBUTE : VN_JOB_CONTRIBUTED;
    return VN_OK;
}

static enum vn_status contribute_done(struct vn_job *job, const Venus__Engine__V1__ContributeResult *r, struct vn_error *err)
{
    if (r->n_leaves != job->n_owned_shards)
        return vn_fail(err, VN_ERR_PEER, "the engine gave %zu contributions instead of %zu", r->n_leaves, job->n_owned_shards);
    for (size_t i = 0; i < r->n_leaves; i++) {
        const engine_leaf *leaf = r->leaves[i];
        if (leaf->shard != job->owned_shards[i] || leaf->n_elements != VN_LEAF_ELEMENTS)
            return vn_fail(err, VN_ERR_PEER, "the engine's contribution %zu is of shard %u with %zu elements", i, leaf->shard, leaf->n_elements);
        memcpy(job->own_leaves[i], leaf->elements, sizeof job->own_leaves[i]);
    }
    job->stage = VN_JOB_CONTRIBUTED;
    return VN_OK;
}

static enum vn_status prove_done(struct vn_job *job, const Venus__Engine__V1__ProveResult *r, struct vn_error *err)
{
    uint32_t shard = job->owned_shards[job->n_proved];
    if (r->n_shards != 1 || r->shards[0] != shard || r->n_bytes != 1)
        return vn_fail(err, VN_ERR_PEER, "the engine did not answer with the one proof of shard %u", shard);
    if (r->bytes[0] > VN_JOB_MAX_PROOF_BYTES)
        return vn_fail(err, VN_ERR_LIMIT, "the proof of shard %u has %llu bytes", shard, (unsigned long long)r->bytes[0]);
    char name[32];
    file_name(name, "shard", shard, "pkg");
    vn_job_dir_unlink(&job->dir, name); /* the largest files: give the memory back early */
    job->have_proof[shard - 1] = 1;
    job->n_proved++;
    if (job->n_proved == job->n_owned_shards)
        job->stage = VN_JOB_PROVED;
    return VN_OK;
}

enum vn_status vn_job_piece_done(struct vn_job *job, const engine_result *r, struct vn_error *err)
{
    if (job->stage == VN_JOB_EXECUTE && r->result_case == VENUS__ENGINE__V1__RESULT__RESULT_EXECUTE)
        return execute_done(job, r->execute, err);
    if (job->stage == VN_JOB_CONTRIBUTE && r->result_case == VENUS__ENGINE__V1__RESULT__RESULT_CONTRIBUTE)
        return contribute_done(job, r->contribute, err);
    if (job->stage == VN_JOB_PROVE && r->result_case == VENUS__ENGINE__V1__RESULT__RESULT_PROVE)
        return prove_done(job, r->prove, err);
    if (job->stage == VN_JOB_AGGREGATE && r->result_case == VENUS__ENGINE__V1__RESULT__RESULT_AGGREGATE) {
        job->stage = VN_JOB_DONE;
        return VN_OK;
    }
    return vn_fail(err, VN_ERR_PEER, "the engine's result is not the one of stage %s", vn_job_stage_name(job));
}

void vn_job_clear_piece(const struct vn_job *job)
{
    char name[32];
    switch (job->stage) {
    case VN_JOB_EXECUTE: /* no shard count is known yet: everything but the input goes */
        vn_job_dir_unlink_except(&job->dir, "input.bin");
        break;
    case VN_JOB_PROVE:
        file_name(name, "proof", job->owned_shards[job->n_proved], "bin");
        vn_job_dir_unlink(&job->dir, name);
        break;
    case VN_JOB_AGGREGATE:
        vn_job_dir_unlink(&job->dir, "final.bin");
        break;
    default:
        break;
    }
}

/* ---- names ---- */

task_type vn_job_task(const struct vn_job *job)
{
    switch (job->stage) {
    case VN_JOB_EXECUTE:
    case VN_JOB_CONTRIBUTE:
    case VN_JOB_CONTRIBUTED: return TASK_CONTRIBUTION;
    case VN_JOB_PROVE:
    case VN_JOB_PROVED: return TASK_PROVE;
    default: return TASK_AGGREGATE;
    }
}

const char *vn_job_stage_name(const struct vn_job *job)
{
    static const char *const names[] = {"execute", "contribute", "contributed", "prove", "proved", "aggregate", "done"};
    return names[job->stage];
}
