/* What engines do for a job, piece by piece.
 *
 * A shard's package is a function of program and input, so it can be dropped and made again by another execution. With a limit on packages the
 * owned shards are gone through in windows of that many: execute for the window, work on it, drop it, execute for the next. Contributing and
 * proving each go through all of them; proving begins with the packages that contributing left. An execution for a window asks the engine for
 * single shards by way of a number of units above any shard number. It runs alone, because it writes the summary of the run that others read. */
#include "services/worker-agent/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNITS_OF_SINGLE_SHARDS (VN_JOB_MAX_SHARDS + 1)

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int vn_job_needs_engine(const struct vn_job *job)
{
    return job->stage == VN_JOB_EXECUTE || job->stage == VN_JOB_CONTRIBUTE || job->stage == VN_JOB_PROVE || job->stage == VN_JOB_AGGREGATE;
}

/* ---- the choice ---- */

static void drop_packages(struct vn_job *job)
{
    vn_job_dir_unlink_prefix(&job->dir, "shard-");
    for (size_t i = 0; i < job->n_owned_shards; i++)
        job->shard_flags[i] &= (uint8_t)~VN_SHARD_PACKAGE;
}

/* From `first` on, shards in a row whose flags under `mask` are `wanted`, at most max. */
static uint32_t run_of(const struct vn_job *job, size_t first, unsigned mask, unsigned wanted, size_t max)
{
    size_t n = 0;
    while (n < max && first + n < job->n_owned_shards && (job->shard_flags[first + n] & mask) == wanted)
        n++;
    return (uint32_t)n;
}

static size_t find(const struct vn_job *job, unsigned mask, unsigned wanted)
{
    size_t i = 0;
    while (i < job->n_owned_shards && (job->shard_flags[i] & mask) != wanted)
        i++;
    return i;
}

/* done: the flag that the stage sets. batch: largest number of shards in one piece. */
static int next_of_shards(struct vn_job *job, struct vn_piece *piece, enum vn_piece_kind kind, unsigned done, size_t batch)
{
    const unsigned mask = VN_SHARD_BUSY | VN_SHARD_PACKAGE | done;
    size_t first = find(job, mask, VN_SHARD_PACKAGE);
    if (first < job->n_owned_shards) {
        *piece = (struct vn_piece){kind, (uint32_t)first, run_of(job, first, mask, VN_SHARD_PACKAGE, batch)};
        return 1;
    }
    first = find(job, done, 0);
    if (job->n_running > 0 || first == job->n_owned_shards)
        return 0;
    drop_packages(job);
    size_t window = job->settings->packages ? job->settings->packages : job->n_owned_shards;
    *piece = (struct vn_piece){VN_PIECE_EXECUTE, (uint32_t)first, run_of(job, first, done, 0, window)};
    return 1;
}

/* All engines get an equal part of what can be contributed now. */
static size_t contribute_batch(const struct vn_job *job)
{
    size_t ready = 0, slots = job->settings->slots;
    for (size_t i = 0; i < job->n_owned_shards; i++)
        ready += (job->shard_flags[i] & (VN_SHARD_PACKAGE | VN_SHARD_LEAF)) == VN_SHARD_PACKAGE;
    return ready > slots ? (ready + slots - 1) / slots : 1;
}

int vn_job_next_piece(struct vn_job *job, struct vn_piece *piece)
{
    int found = 0;
    if (job->stage == VN_JOB_CONTRIBUTE)
        found = next_of_shards(job, piece, VN_PIECE_CONTRIBUTE, VN_SHARD_LEAF, contribute_batch(job));
    else if (job->stage == VN_JOB_PROVE)
        found = next_of_shards(job, piece, VN_PIECE_PROVE, VN_SHARD_PROOF, 1);
    else if ((job->stage == VN_JOB_EXECUTE || job->stage == VN_JOB_AGGREGATE) && job->n_running == 0) {
        *piece = (struct vn_piece){job->stage == VN_JOB_EXECUTE ? VN_PIECE_EXECUTE : VN_PIECE_AGGREGATE, 0, 0};
        found = 1;
    }
    if (!found)
        return 0;
    for (uint32_t i = 0; i < piece->count; i++)
        job->shard_flags[piece->first + i] |= VN_SHARD_BUSY;
    job->n_running++;
    return 1;
}

/* ---- the request ---- */

static void fill_execute(const struct vn_job *job, const struct vn_piece *piece, Venus__Engine__V1__Execute *execute)
{
    static uint32_t no_shard = 0; /* shards are numbered from 1 */
    execute->shard_log2 = job->settings->shard_log2;
    if (job->execute_only) {
        execute->job_units = UNITS_OF_SINGLE_SHARDS;
        execute->n_units = 1;
        execute->units = &no_shard;
        return;
    }
    if (job->executed) {
        execute->job_units = UNITS_OF_SINGLE_SHARDS;
        execute->n_units = piece->count;
        execute->units = job->owned_shards + piece->first;
    } else if (job->settings->packages > 0) {
        execute->job_units = UNITS_OF_SINGLE_SHARDS;
        execute->n_units = job->n_first_window;
        execute->units = job->first_window;
    } else {
        execute->job_units = job->units;
        execute->n_units = job->n_owned_units;
        execute->units = job->owned_units;
    }
}

enum vn_status vn_job_with_request(const struct vn_job *job, const struct vn_piece *piece,
                                   enum vn_status (*use)(void *ctx, const engine_request *request, struct vn_error *err), void *ctx, struct vn_error *err)
{
    const struct vn_job_settings *set = job->settings;
    Venus__Engine__V1__Common common = VENUS__ENGINE__V1__COMMON__INIT;
    common.elf_path = job->elf ? job->elf : (char *)set->elf;
    common.cache_dir = (char *)set->cache_dir;
    if (set->shared_dir)
        common.shared_dir = (char *)set->shared_dir;
    common.threads = set->threads;
    common.backend = (char *)set->backend;
    common.preallocate_percent = set->preallocate_percent;
    common.verify_constraints = set->verify_constraints;
    common.minimal_memory = set->keep_nothing;
    common.native = set->native_dir != NULL;
    if (set->native_dir)
        common.native_dir = (char *)set->native_dir;
    common.lock_native = set->lock_native;
    engine_request request = VENUS__ENGINE__V1__REQUEST__INIT;
    request.common = &common;
    Venus__Engine__V1__Execute execute = VENUS__ENGINE__V1__EXECUTE__INIT;
    Venus__Engine__V1__Contribute contribute = VENUS__ENGINE__V1__CONTRIBUTE__INIT;
    Venus__Engine__V1__Prove prove = VENUS__ENGINE__V1__PROVE__INIT;
    Venus__Engine__V1__Aggregate aggregate = VENUS__ENGINE__V1__AGGREGATE__INIT;
    switch (piece->kind) {
    case VN_PIECE_EXECUTE:
        fill_execute(job, piece, &execute);
        request.execute = &execute;
        request.work_case = VENUS__ENGINE__V1__REQUEST__WORK_EXECUTE;
        break;
    case VN_PIECE_CONTRIBUTE:
        contribute.n_shards = piece->count;
        contribute.shards = job->owned_shards + piece->first;
        request.contribute = &contribute;
        request.work_case = VENUS__ENGINE__V1__REQUEST__WORK_CONTRIBUTE;
        break;
    case VN_PIECE_PROVE:
        prove.n_shards = piece->count;
        prove.shards = job->owned_shards + piece->first;
        prove.n_leaves = vn_job_n_shards(job);
        prove.leaves = job->leaf_pointers;
        request.prove = &prove;
        request.work_case = VENUS__ENGINE__V1__REQUEST__WORK_PROVE;
        break;
    case VN_PIECE_AGGREGATE:
        aggregate.n_leaves = vn_job_n_shards(job);
        aggregate.leaves = job->leaf_pointers;
        request.aggregate = &aggregate;
        request.work_case = VENUS__ENGINE__V1__REQUEST__WORK_AGGREGATE;
        break;
    }
    return use(ctx, &request, err);
}

/* ---- the result ---- */

static enum vn_status take_summary(struct vn_job *job, const Venus__Engine__V1__ExecuteResult *r, struct vn_error *err)
{
    if (r->n_exec == 0 || r->n_exec > VN_JOB_MAX_SHARDS || r->n_mem > VN_JOB_MAX_SHARDS - r->n_exec)
        return vn_fail(err, VN_ERR_PEER, "the engine made %u + %u shards", r->n_exec, r->n_mem);
    if (r->output.len != VN_PUBLIC_WORDS * 4)
        return vn_fail(err, VN_ERR_PEER, "the engine gave %zu output bytes instead of %u", r->output.len, VN_PUBLIC_WORDS * 4);
    if (r->n_vk_digest != VN_LEAF_ELEMENTS)
        return vn_fail(err, VN_ERR_PEER, "the engine gave %zu elements of the verifying key's digest", r->n_vk_digest);
    uint32_t publics[VN_PUBLIC_WORDS];
    for (unsigned i = 0; i < VN_PUBLIC_WORDS; i++) {
        const uint8_t *b = r->output.data + 4 * i;
        publics[i] = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    }
    if (job->executed) {
        int same = r->n_exec == job->n_exec && r->n_mem == job->n_mem && r->steps == job->steps && memcmp(publics, job->publics, sizeof publics) == 0 &&
                   memcmp(r->vk_digest, job->vk_digest, sizeof job->vk_digest) == 0;
        return same ? VN_OK : vn_fail(err, VN_ERR_PEER, "the program ran differently when it was executed again");
    }
    job->n_exec = r->n_exec;
    job->n_mem = r->n_mem;
    job->steps = r->steps;
    job->execute_seconds = r->seconds;
    memcpy(job->vk_digest, r->vk_digest, sizeof job->vk_digest);
    memcpy(job->publics, publics, sizeof job->publics);
    return VN_OK;
}

static enum vn_status list_owned(struct vn_job *job, struct vn_error *err)
{
    size_t n = vn_job_n_shards(job);
    free(job->owned_shards);
    free(job->own_leaves);
    free(job->shard_flags);
    job->owned_shards = malloc(n * sizeof *job->owned_shards);
    job->own_leaves = calloc(n, sizeof *job->own_leaves);
    job->shard_flags = calloc(n, 1);
    job->n_owned_shards = 0;
    if (!job->owned_shards || !job->own_leaves || !job->shard_flags)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for %zu shards", n);
    for (uint32_t shard = 1; shard <= n; shard++)
        if (vn_job_owns(job, shard))
            job->owned_shards[job->n_owned_shards++] = shard;
    return VN_OK;
}

static enum vn_status execute_done(struct vn_job *job, const struct vn_piece *piece, const Venus__Engine__V1__ExecuteResult *r, struct vn_error *err)
{
    enum vn_status s = take_summary(job, r, err);
    if (s == VN_OK && !job->executed)
        s = list_owned(job, err);
    if (s != VN_OK)
        return s;
    if (job->execute_only)
        job->n_owned_shards = 0;
    size_t first = piece->first, expected = piece->count;
    if (!job->executed) {
        expected = job->n_owned_shards;
        if (job->settings->packages > 0 && job->n_first_window < expected)
            expected = job->n_first_window;
    }
    if (r->n_owned_shards != expected)
        return vn_fail(err, VN_ERR_PEER, "the engine made packages of %zu shards instead of %zu", r->n_owned_shards, expected);
    if (expected > 0)
        qsort(r->owned_shards, expected, sizeof *r->owned_shards, compare_u32);
    for (size_t i = 0; i < expected; i++)
        if (r->owned_shards[i] != job->owned_shards[first + i])
            return vn_fail(err, VN_ERR_PEER, "the engine made a package of shard %u instead of shard %u", r->owned_shards[i], job->owned_shards[first + i]);
    for (size_t i = 0; i < expected; i++)
        job->shard_flags[first + i] |= VN_SHARD_PACKAGE;
    if (!job->executed)
        job->stage = job->n_owned_shards > 0 ? VN_JOB_CONTRIBUTE : VN_JOB_CONTRIBUTED;
    job->executed = 1;
    return VN_OK;
}

static enum vn_status contribute_done(struct vn_job *job, const struct vn_piece *piece, const Venus__Engine__V1__ContributeResult *r, struct vn_error *err)
{
    if (r->n_leaves != piece->count)
        return vn_fail(err, VN_ERR_PEER, "the engine gave %zu contributions instead of %u", r->n_leaves, piece->count);
    for (size_t i = 0; i < r->n_leaves; i++) {
        const engine_leaf *leaf = r->leaves[i];
        if (leaf->shard != job->owned_shards[piece->first + i] || leaf->n_elements != VN_LEAF_ELEMENTS)
            return vn_fail(err, VN_ERR_PEER, "the engine's contribution %zu is of shard %u with %zu elements", i, leaf->shard, leaf->n_elements);
    }
    for (size_t i = 0; i < r->n_leaves; i++) {
        memcpy(job->own_leaves[piece->first + i], r->leaves[i]->elements, sizeof job->own_leaves[0]);
        job->shard_flags[piece->first + i] |= VN_SHARD_LEAF;
    }
    job->n_contributed += piece->count;
    if (job->n_contributed == job->n_owned_shards) {
        job->stage = VN_JOB_CONTRIBUTED;
        if (job->settings->keep_nothing)
            drop_packages(job);
    }
    return VN_OK;
}

static enum vn_status prove_done(struct vn_job *job, const struct vn_piece *piece, const Venus__Engine__V1__ProveResult *r, struct vn_error *err)
{
    uint32_t shard = job->owned_shards[piece->first];
    if (r->n_shards != 1 || r->shards[0] != shard || r->n_bytes != 1)
        return vn_fail(err, VN_ERR_PEER, "the engine did not answer with the one proof of shard %u", shard);
    if (r->bytes[0] > VN_JOB_MAX_PROOF_BYTES)
        return vn_fail(err, VN_ERR_LIMIT, "the proof of shard %u has %llu bytes", shard, (unsigned long long)r->bytes[0]);
    char name[32];
    snprintf(name, sizeof name, "shard-%u.pkg", shard);
    vn_job_dir_unlink(&job->dir, name); /* the largest files: give the memory back early */
    job->shard_flags[piece->first] &= (uint8_t)~VN_SHARD_PACKAGE;
    job->shard_flags[piece->first] |= VN_SHARD_PROOF;
    job->have_proof[shard - 1] = 1;
    job->n_proved++;
    if (job->n_proved == job->n_owned_shards)
        job->stage = VN_JOB_PROVED;
    return VN_OK;
}

static enum vn_status take_result(struct vn_job *job, const struct vn_piece *piece, const engine_result *r, struct vn_error *err)
{
    if (piece->kind == VN_PIECE_EXECUTE && r->result_case == VENUS__ENGINE__V1__RESULT__RESULT_EXECUTE)
        return execute_done(job, piece, r->execute, err);
    if (piece->kind == VN_PIECE_CONTRIBUTE && r->result_case == VENUS__ENGINE__V1__RESULT__RESULT_CONTRIBUTE)
        return contribute_done(job, piece, r->contribute, err);
    if (piece->kind == VN_PIECE_PROVE && r->result_case == VENUS__ENGINE__V1__RESULT__RESULT_PROVE)
        return prove_done(job, piece, r->prove, err);
    if (piece->kind == VN_PIECE_AGGREGATE && r->result_case == VENUS__ENGINE__V1__RESULT__RESULT_AGGREGATE) {
        job->stage = VN_JOB_DONE;
        return VN_OK;
    }
    return vn_fail(err, VN_ERR_PEER, "the engine's result is not the one of the piece '%s'", vn_piece_name(piece));
}

enum vn_status vn_job_piece_done(struct vn_job *job, const struct vn_piece *piece, const engine_result *r, struct vn_error *err)
{
    enum vn_status s = take_result(job, piece, r, err);
    if (s != VN_OK)
        return s;
    for (uint32_t i = 0; i < piece->count; i++)
        job->shard_flags[piece->first + i] &= (uint8_t)~VN_SHARD_BUSY;
    job->n_running--;
    return VN_OK;
}

void vn_job_clear_piece(const struct vn_job *job, const struct vn_piece *piece)
{
    char name[32];
    switch (piece->kind) {
    case VN_PIECE_EXECUTE:
        vn_job_dir_unlink_prefix(&job->dir, "shard-");
        vn_job_dir_unlink_prefix(&job->dir, ".shard-");
        vn_job_dir_unlink_prefix(&job->dir, "run.sum");
        vn_job_dir_unlink_prefix(&job->dir, ".run.sum");
        break;
    case VN_PIECE_PROVE:
        snprintf(name, sizeof name, "proof-%u.bin", job->owned_shards[piece->first]);
        vn_job_dir_unlink_prefix(&job->dir, name);
        break;
    case VN_PIECE_AGGREGATE:
        vn_job_dir_unlink_prefix(&job->dir, "final.bin");
        break;
    case VN_PIECE_CONTRIBUTE:
        break;
    }
}
