#include "tests/unit/stark/job.h"

#include <stdlib.h>

static void *copy(const void *from, size_t bytes)
{
    void *p = malloc(bytes + 1);
    if (!p)
        test_fail("no memory", NULL);
    memcpy(p, from, bytes);
    return p;
}

static int keep_shard(void *ctx, const struct vn_shard *shard)
{
    struct test_job *t = ctx;
    t->shards = realloc(t->shards, (t->n_shards + 1) * sizeof *t->shards);
    struct vn_shard *s = &t->shards[t->n_shards++];
    *s = *shard;
    s->boundary = s->n_boundary ? copy(shard->boundary, s->n_boundary * sizeof *s->boundary) : NULL;
    s->memory = s->n_memory ? copy(shard->memory, s->n_memory * sizeof *s->memory) : NULL;
    return 0;
}

static void must(const char *what, enum vn_status s, const struct vn_error *err)
{
    if (s != VN_OK)
        test_fail(what, err);
}

void test_job_execute(struct test_job *t, const uint8_t *elf, size_t elf_len, enum vn_abi abi, const struct vn_exec_options *options)
{
    struct vn_error err = {0};
    struct vn_exec_options o = *options;
    *t = (struct test_job){0};
    o.on_shard = keep_shard;
    o.ctx = t;
    o.track = 1;
    must("load", vn_program_load(&t->program, elf, elf_len, abi, &err), &err);
    must("execute", vn_execute(t->program, &o, &t->run, &err), &err);
}

void test_job_setup(struct test_job *t, const struct vn_backend *backend, unsigned threads)
{
    struct vn_error err = {0};
    must("pool", vn_pool_new(&t->pool, threads), &err);
    must("set-up", vn_setup_new(&t->setup, t->program, backend, t->pool, NULL, &err), &err);
    t->prover = (struct vn_prover){.setup = t->setup, .backend = backend, .pool = t->pool};
}

void test_job_contribute(struct test_job *t)
{
    struct vn_error err = {0};
    t->leaves = calloc(t->n_shards, sizeof *t->leaves);
    for (size_t i = 0; i < t->n_shards; i++)
        must("contribute", vn_contribute(&t->prover, &t->shards[i], &t->leaves[i], &err), &err);
    t->job = (struct vn_job){.n_exec = t->run.n_exec, .n_mem = t->run.n_mem, .leaves = t->leaves};
    memcpy(t->job.output, t->run.output, sizeof t->job.output);
}

void test_job_prove(struct test_job *t)
{
    struct vn_error err = {0};
    t->proofs = calloc(t->n_shards, sizeof *t->proofs);
    for (size_t i = 0; i < t->n_shards; i++) {
        uint8_t *proof = NULL;
        must("prove", vn_prove_shard(&t->prover, &t->shards[i], &t->job, &proof, &t->proofs[i].len, &err), &err);
        t->proofs[i].data = proof;
    }
}

void test_job_bundle(struct test_job *t)
{
    struct vn_error err = {0};
    must("bundle", vn_bundle_build(&t->setup->vk, &t->job, t->run.steps, t->proofs, &t->bundle, &t->bundle_len, &err), &err);
}

void test_job_fini(struct test_job *t)
{
    for (size_t i = 0; i < t->n_shards; i++) {
        free((void *)t->shards[i].boundary);
        free((void *)t->shards[i].memory);
        if (t->proofs)
            free((void *)t->proofs[i].data);
    }
    free(t->proofs);
    free(t->shards);
    free(t->leaves);
    free(t->bundle);
    vn_setup_free(t->setup);
    vn_program_free(t->program);
    vn_pool_free(t->pool);
    *t = (struct test_job){0};
}
