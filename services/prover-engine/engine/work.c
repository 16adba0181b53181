/* A piece of work opens what it needs from the job directory, calls the prover, and writes what comes out. */
#include "services/prover-engine/engine/work.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/file.h"
#include "services/prover-engine/backend/backend.h"
#include "services/prover-engine/stark/cuda.h"
#include "services/prover-engine/stark/setup.h"

#define ELF_BYTES_MAX (256ull << 20)
#define INPUT_BYTES_MAX (1ull << 30)
#define SHARD_PROOF_BYTES_MAX (64ull << 20)
#define PHASE1_MAX 16 /* about 0.4 GiB */

static void report(struct vn_work *w, const char *stage, uint32_t done, uint32_t total, uint64_t steps)
{
    if (w->options.progress)
        w->options.progress(w->options.ctx, stage, done, total, steps);
}

static int wants_gpu(const struct vn_work_options *o)
{
    return o->backend && strcmp(o->backend, "cuda") == 0;
}

enum vn_status vn_work_open(struct vn_work *w, const struct vn_work_options *o, struct vn_error *err)
{
    memset(w, 0, sizeof *w);
    w->options = *o;
    const char *isa = o->backend && strcmp(o->backend, "auto") != 0 && !wants_gpu(o) ? o->backend : NULL;
    w->backend = vn_backend_select(isa);
    if (!w->backend)
        return vn_fail(err, VN_ERR_ARGUMENT, "this processor has no '%s' instructions; use another --backend, or leave it out", isa ? isa : "");
    uint8_t *elf = NULL;
    size_t elf_len = 0;
    enum vn_status status = vn_file_read(AT_FDCWD, o->elf_path, ELF_BYTES_MAX, &elf, &elf_len, err);
    if (status != VN_OK)
        return status;
    status = vn_program_load(&w->program, elf, elf_len, o->abi, err);
    free(elf);
    if (status == VN_OK && vn_pool_new(&w->pool, o->threads) != VN_OK)
        status = vn_fail(err, VN_ERR_MEMORY, "cannot start threads");
    if (status == VN_OK && !o->minimal_memory && vn_phase1_store_new(&w->phase1, PHASE1_MAX) != VN_OK)
        status = vn_fail(err, VN_ERR_MEMORY, "no memory for the contributions");
    if (status != VN_OK)
        vn_work_close(w);
    return status;
}

void vn_work_close(struct vn_work *w)
{
    vn_phase1_store_free(w->phase1);
    vn_cuda_device_close(w->device);
    vn_setup_free(w->setup);
    vn_pool_free(w->pool);
    vn_native_close(w->native);
    vn_program_free(w->program);
    memset(w, 0, sizeof *w);
}

struct vn_native *vn_work_native(struct vn_work *w)
{
    if (w->native || !w->options.native)
        return w->native;
    struct vn_native_options o = {.dir = w->options.native_dir, .lock_memory = w->options.lock_native};
    struct vn_error notice, err;
    if (vn_native_open(&w->native, w->program, &o, &notice, &err) != VN_OK)
        fprintf(stderr, "venus-engine: %s: the program is interpreted\n", err.text);
    else if (notice.status != VN_OK)
        fprintf(stderr, "venus-engine: %s\n", notice.text);
    return w->native;
}

enum vn_status vn_work_setup(struct vn_work *w, struct vn_error *err)
{
    if (w->setup)
        return VN_OK;
    vn_stages_resume(&w->stages);
    enum vn_status status = vn_setup_new_shared(&w->setup, w->program, w->backend, w->pool, w->options.cache_dir, w->options.shared_dir, err);
    vn_stage(&w->stages, "set-up");
    if (status == VN_OK && w->setup->shared_trouble.status != VN_OK)
        fprintf(stderr, "venus-engine: shared tables: %s: not used\n", w->setup->shared_trouble.text);
    return status;
}

enum vn_status vn_work_prepare(struct vn_work *w, struct vn_error *err)
{
    struct vn_cuda_options o = {.log_n = vn_kind_params[VN_KIND_EXECUTION].log_n, .preallocate_percent = w->options.preallocate_percent};
    enum vn_status status = VN_OK;
    if (wants_gpu(&w->options) && !w->device)
        status = vn_cuda_device_open(&w->device, &o, err);
    return status == VN_OK ? vn_work_setup(w, err) : status;
}

static struct vn_prover prover_of(struct vn_work *w)
{
    return (struct vn_prover){
        .setup = w->setup,
        .backend = w->backend,
        .pool = w->pool,
        .device = w->device,
        .verify_constraints = w->options.verify_constraints,
        .minimal_memory = w->options.minimal_memory,
        .phase1 = w->phase1,
        .stages = &w->stages,
    };
}

/* ---- execute ---- */

struct execution {
    struct vn_work *work;
    int dirfd;
    const struct vn_work_execute *options;
    struct vn_error *err;
    enum vn_status status; /* why on_shard stopped */
};

static int on_shard(void *ctx, const struct vn_shard *shard)
{
    struct execution *x = ctx;
    const struct vn_work_execute *e = x->options;
    if (e->units && !e->units[shard->index % e->job_units])
        return 0;
    x->status = vn_package_write(x->dirfd, shard, x->err);
    return x->status != VN_OK;
}

static void on_progress(void *ctx, uint64_t steps)
{
    struct execution *x = ctx;
    report(x->work, "execute", 0, 0, steps);
}

static void on_uart(void *ctx, const char *bytes, size_t n)
{
    const struct vn_work_execute *e = ((struct execution *)ctx)->options;
    if (e->uart)
        e->uart(e->uart_ctx, bytes, n);
}

enum vn_status vn_work_execute(struct vn_work *w, int dirfd, const struct vn_work_execute *e, struct vn_exec_result *result, struct vn_error *err)
{
    uint8_t *input = NULL;
    size_t input_len = 0;
    enum vn_status status = vn_file_read(dirfd, "input.bin", INPUT_BYTES_MAX, &input, &input_len, err);
    if (status != VN_OK)
        return status;
    if (w->program->abi != VN_ABI_A && input_len % 8) {
        free(input);
        return vn_fail(err, VN_ERR_FORMAT, "The input has %zu bytes; this program's input consists of records and is a multiple of 8 bytes long", input_len);
    }
    struct execution x = {.work = w, .dirfd = dirfd, .options = e, .err = err};
    struct vn_exec_options o = {
        .shard_log2 = e->shard_log2 ? e->shard_log2 : VN_DEFAULT_SHARD_LOG2,
        .max_steps = e->max_steps,
        .input = input,
        .input_len = input_len,
        .uart = on_uart,
        .on_shard = on_shard,
        .on_progress = on_progress,
        .ctx = &x,
        .native = vn_work_native(w),
        .track = 1,
    };
    status = vn_execute(w->program, &o, result, err);
    free(input);
    if (x.status != VN_OK)
        status = x.status;
    if (status == VN_OK)
        status = vn_run_write(dirfd, result, err);
    return status;
}

/* ---- contribute, prove, aggregate ---- */

enum vn_status vn_work_contribute(struct vn_work *w, int dirfd, const uint32_t *shards, size_t n, struct vn_digest *leaves, struct vn_error *err)
{
    enum vn_status status = vn_work_prepare(w, err);
    for (size_t i = 0; i < n && status == VN_OK; i++) {
        struct vn_package package;
        status = vn_package_open(&package, dirfd, shards[i], err);
        if (status != VN_OK)
            break;
        struct vn_prover prover = prover_of(w);
        status = vn_contribute(&prover, &package.shard, &leaves[i], err);
        vn_package_close(&package);
        report(w, "contribute", (uint32_t)(i + 1), (uint32_t)n, 0);
    }
    return status;
}

/* The job as prover and bundle need it; false leaf counts are refused. */
static enum vn_status job_of(int dirfd, const struct vn_digest *leaves, size_t n_leaves, struct vn_job *job, uint64_t *steps, struct vn_error *err)
{
    struct vn_exec_result run;
    enum vn_status status = vn_run_read(dirfd, &run, err);
    if (status != VN_OK)
        return status;
    if (n_leaves != (size_t)run.n_exec + run.n_mem)
        return vn_fail(err, VN_ERR_PEER, "%zu contributions given, but the run has %u execution and %u memory shards", n_leaves, run.n_exec, run.n_mem);
    job->n_exec = run.n_exec;
    job->n_mem = run.n_mem;
    memcpy(job->output, run.output, sizeof job->output);
    job->leaves = leaves;
    if (steps)
        *steps = run.steps;
    return VN_OK;
}

static void proof_name(char out[32], uint32_t shard)
{
    snprintf(out, 32, "proof-%u.bin", shard);
}

enum vn_status vn_work_prove(struct vn_work *w, int dirfd, const uint32_t *shards, size_t n, const struct vn_digest *leaves, size_t n_leaves,
                             struct vn_error *err)
{
    struct vn_job job;
    enum vn_status status = job_of(dirfd, leaves, n_leaves, &job, NULL, err);
    if (status == VN_OK)
        status = vn_work_prepare(w, err);
    for (size_t i = 0; i < n && status == VN_OK; i++) {
        struct vn_package package;
        status = vn_package_open(&package, dirfd, shards[i], err);
        if (status != VN_OK)
            break;
        struct vn_prover prover = prover_of(w);
        uint8_t *proof = NULL;
        size_t len = 0;
        status = vn_prove_shard(&prover, &package.shard, &job, &proof, &len, err);
        vn_package_close(&package);
        if (status == VN_OK) {
            char name[32];
            proof_name(name, shards[i]);
            status = vn_file_write(dirfd, name, proof, len, err);
        }
        free(proof);
        report(w, "prove", (uint32_t)(i + 1), (uint32_t)n, 0);
    }
    return status;
}

enum vn_status vn_work_aggregate(struct vn_work *w, int dirfd, const struct vn_digest *leaves, size_t n_leaves, uint64_t *bytes, struct vn_error *err)
{
    struct vn_job job;
    uint64_t steps = 0;
    enum vn_status status = job_of(dirfd, leaves, n_leaves, &job, &steps, err);
    if (status == VN_OK)
        status = vn_work_setup(w, err);
    if (status != VN_OK)
        return status;
    struct vn_bytes *proofs = calloc(n_leaves, sizeof *proofs);
    uint8_t *bundle = NULL;
    size_t bundle_len = 0;
    if (!proofs)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for %zu shard proofs", n_leaves);
    for (size_t i = 0; i < n_leaves && status == VN_OK; i++) {
        char name[32];
        uint8_t *data = NULL;
        proof_name(name, (uint32_t)(i + 1));
        status = vn_file_read(dirfd, name, SHARD_PROOF_BYTES_MAX, &data, &proofs[i].len, err);
        proofs[i].data = data;
    }
    if (status == VN_OK)
        status = vn_bundle_build(&w->setup->vk, &job, steps, proofs, &bundle, &bundle_len, err);
    if (status == VN_OK)
        status = vn_file_write(dirfd, "final.bin", bundle, bundle_len, err);
    *bytes = bundle_len;
    free(bundle);
    for (size_t i = 0; i < n_leaves; i++)
        free((void *)proofs[i].data);
    free(proofs);
    return status;
}
