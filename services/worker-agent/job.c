/* The stages of a job. Everything a coordinator or an engine says is checked here against what the job knows: shard numbers in range
 * and once each, owned by the right unit, lengths as declared. */
#include "services/worker-agent/job.h"
#include "services/worker-agent/programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

size_t vn_job_n_shards(const struct vn_job *job) { return (size_t)job->n_exec + job->n_mem; }

int vn_job_owns(const struct vn_job *job, uint32_t shard)
{
    uint32_t unit = shard % job->units;
    return bsearch(&unit, job->owned_units, job->n_owned_units, sizeof unit, compare_u32) != NULL;
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

/* How many shards there will be is not known before the first execution, so it is asked for the shards that would come first. */
static enum vn_status plan_packages(struct vn_job *job, struct vn_error *err)
{
    size_t keep = job->settings->packages;
    if (keep == 0)
        return VN_OK;
    if (keep > VN_JOB_MAX_SHARDS)
        keep = VN_JOB_MAX_SHARDS;
    job->first_window = malloc(keep * sizeof *job->first_window);
    if (!job->first_window)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the plan of packages");
    for (uint32_t shard = 1; shard <= VN_JOB_MAX_SHARDS && job->n_first_window < keep; shard++)
        if (vn_job_owns(job, shard))
            job->first_window[job->n_first_window++] = shard;
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
        struct stat st;
        enum vn_status s = vn_input_open(&fd, "Input", job->settings->inputs_folder, p->input_path, job->settings->worker_id, err);
        if (s != VN_OK)
            return s;
        if (fstat(fd, &st) == 0 && st.st_size > (off_t)VN_JOB_MAX_INPUT_BYTES)
            s = vn_fail(err, VN_ERR_LIMIT, "Input file %.300s has %lld bytes; at most %u are accepted", p->input_path, (long long)st.st_size,
                        VN_JOB_MAX_INPUT_BYTES);
        else
            s = vn_job_dir_copy(&job->dir, "input.bin", fd, VN_JOB_MAX_INPUT_BYTES, err);
        close(fd);
        return s;
    }
    default: /* no input at all */
        return vn_job_dir_write(&job->dir, "input.bin", "", 0, err);
    }
}

/* ---- hints ---- */

/* INPUT hints are the input; an input that came beside them must be the same. */
static enum vn_status store_hints(struct vn_job *job, struct vn_hints *h, struct vn_error *err)
{
    enum vn_status s = VN_OK;
    if (h->kept.len > 0)
        s = vn_job_dir_write(&job->dir, "hints.bin", h->kept.data, h->kept.len, err);
    if (s != VN_OK || !h->has_input)
        return s;
    if (job->has_input) {
        uint8_t *given;
        size_t len;
        s = vn_job_dir_read(&job->dir, "input.bin", VN_JOB_MAX_INPUT_BYTES, &given, &len, err);
        if (s != VN_OK)
            return s;
        int same = len == h->input.len && memcmp(given, h->input.data, len) == 0;
        free(given);
        return same ? VN_OK : vn_fail(err, VN_ERR_ARGUMENT, "The job has an input file and INPUT hints with another content: give only one of them");
    }
    vn_job_dir_unlink(&job->dir, "input.bin");
    return vn_job_dir_write(&job->dir, "input.bin", h->input.len > 0 ? (const void *)h->input.data : "", h->input.len, err);
}

static const char *hints_path(const contribution_params *p)
{
    int given = p->hints_path_presence_case == ZISK__DISTRIBUTED__API__V1__CONTRIBUTION_PARAMS__HINTS_PATH_PRESENCE_HINTS_PATH;
    return given && p->hints_path[0] ? p->hints_path : NULL;
}

static enum vn_status read_hints(struct vn_job *job, const char *path, struct vn_error *err)
{
    int fd;
    if (strncmp(path, "file://", 7) == 0)
        path += 7;
    else if (strstr(path, "://"))
        return vn_fail(err, VN_ERR_UNSUPPORTED, "Hints by path come from a file below the inputs folder; %s is a stream: start the job with streamed hints", path);
    enum vn_status s = vn_input_open(&fd, "Hints", job->settings->inputs_folder, path, job->settings->worker_id, err);
    if (s != VN_OK)
        return s;
    struct vn_hints hints = {0};
    struct vn_error detail = {0};
    s = vn_hints_read(&hints, fd, &detail);
    close(fd);
    if (s != VN_OK)
        vn_fail(err, s, "Hints file %.150s: %.300s", path, detail.text);
    else
        s = store_hints(job, &hints, err);
    vn_hints_fini(&hints);
    return s;
}

enum vn_status vn_job_take_hints(struct vn_job *job, const stream_data *data, struct vn_error *err)
{
    struct vn_hint_stream *stream = &job->hint_stream;
    if (job->stage != VN_JOB_HINTS)
        return vn_fail(err, VN_ERR_PEER, "A hints stream message came for a job that awaits none (stage %s)", vn_job_stage_name(job));
    const Zisk__Distributed__Api__V1__StreamPayload *p = data->payload;
    enum vn_status s;
    switch (data->stream_type) {
    case ZISK__DISTRIBUTED__API__V1__STREAM_TYPE__STREAM_TYPE_START:
        return vn_hint_stream_start(stream, err);
    case ZISK__DISTRIBUTED__API__V1__STREAM_TYPE__STREAM_TYPE_DATA:
        if (!p)
            return vn_fail(err, VN_ERR_PEER, "a piece of hints has no payload");
        s = vn_hint_stream_data(stream, p->sequence_number, p->payload.data, p->payload.len, err);
        break;
    case ZISK__DISTRIBUTED__API__V1__STREAM_TYPE__STREAM_TYPE_END:
        s = p ? vn_hint_stream_end(stream, p->sequence_number, err) : vn_hint_stream_end_unnumbered(stream, err);
        break;
    default:
        return vn_fail(err, VN_ERR_PEER, "a hints stream message has the unknown type %d", (int)data->stream_type);
    }
    if (s != VN_OK || !stream->complete)
        return s;
    s = store_hints(job, &stream->hints, err);
    vn_hint_stream_fini(stream);
    if (s == VN_OK)
        job->stage = VN_JOB_EXECUTE;
    return s;
}

static enum vn_status take_program(struct vn_job *job, const char *hash_id, struct vn_error *err)
{
    char path[4096];
    if (!hash_id[0])
        return VN_OK;
    enum vn_status s = vn_program_find(job->settings->cache_dir, hash_id, path, sizeof path, err);
    if (s != VN_OK)
        return s;
    job->elf = strdup(path);
    return job->elf ? VN_OK : vn_fail(err, VN_ERR_MEMORY, "no memory for a job");
}

enum vn_status vn_job_open(struct vn_job **out, const struct vn_job_settings *settings, const task_request *task, double now_s, struct vn_error *err)
{
    if (task->params_case != ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__PARAMS_CONTRIBUTION_PARAMS || !task->contribution_params)
        return vn_fail(err, VN_ERR_FORMAT, "PARTIAL_CONTRIBUTION without contribution_params");
    if (!printable(task->job_id, VN_JOB_MAX_ID))
        return vn_fail(err, VN_ERR_FORMAT, "the job id is empty, longer than %u characters or not plain text", VN_JOB_MAX_ID);
    const contribution_params *p = task->contribution_params;
    const char *hints = p->hints_stream ? NULL : hints_path(p);
    if ((p->hints_stream || hints) && !settings->hints)
        return vn_fail(err, VN_ERR_UNSUPPORTED, VN_JOB_NO_HINTS);

    struct vn_job *job = calloc(1, sizeof *job);
    if (!job)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for a job");
    job->dir.fd = -1;
    job->settings = settings;
    job->stage = p->hints_stream ? VN_JOB_HINTS : VN_JOB_EXECUTE;
    job->has_input = p->input_source_case != ZISK__DISTRIBUTED__API__V1__CONTRIBUTION_PARAMS__INPUT_SOURCE__NOT_SET;
    job->execute_only = p->execute_only != 0;
    job->rank = p->rank_id;
    job->received_at = now_s;
    snprintf(job->id, sizeof job->id, "%s", task->job_id);
    enum vn_status s = take_program(job, p->hash_id, err);
    if (s == VN_OK)
        s = take_units(job, p, err);
    if (s == VN_OK)
        s = plan_packages(job, err);
    if (s == VN_OK)
        s = vn_job_dir_open(&job->dir, VN_JOB_DIR_BASE, job->id, err);
    if (s == VN_OK)
        s = write_input(job, p, err);
    if (s == VN_OK && hints)
        s = read_hints(job, hints, err);
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
    vn_hint_stream_fini(&job->hint_stream);
    free(job->elf);
    free(job->owned_units);
    free(job->first_window);
    free(job->owned_shards);
    free(job->shard_flags);
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
    size_t n = vn_job_n_shards(job);
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
    if (c->airgroup_id == 0 || c->airgroup_id > vn_job_n_shards(job))
        return vn_fail(err, VN_ERR_FORMAT, "a challenge names shard %u of %zu", c->airgroup_id, vn_job_n_shards(job));
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
    if (params->n_challenges != vn_job_n_shards(job))
        return vn_fail(err, VN_ERR_FORMAT, "PROVE has %zu challenges; the job has %zu shards", params->n_challenges, vn_job_n_shards(job));
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
    if (proof->airgroup_id == 0 || proof->airgroup_id > vn_job_n_shards(job))
        return vn_fail(err, VN_ERR_FORMAT, "a proof names shard %llu of %zu", (unsigned long long)proof->airgroup_id, vn_job_n_shards(job));
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
    snprintf(name, sizeof name, "proof-%u.bin", shard);
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
    for (size_t i = 0; i < vn_job_n_shards(job); i++)
        if (!job->have_proof[i])
            return vn_fail(err, VN_ERR_PEER, "aggregation was asked for, but the proof of shard %zu did not come", i + 1);
    job->stage = VN_JOB_AGGREGATE;
    return VN_OK;
}

/* ---- names ---- */

task_type vn_job_task(const struct vn_job *job)
{
    switch (job->stage) {
    case VN_JOB_HINTS:
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
    static const char *const names[] = {"hints", "execute", "contribute", "contributed", "prove", "proved", "aggregate", "done"};
    return names[job->stage];
}

const char *vn_piece_name(const struct vn_piece *piece)
{
    static const char *const names[] = {"execute", "contribute", "prove", "aggregate"};
    return names[piece->kind];
}
