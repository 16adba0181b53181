#ifndef VN_TEST_STARK_JOB_H
#define VN_TEST_STARK_JOB_H
/* A whole job in one process: execute, contribute, prove, bundle. Failures end the test through test_fail. */

#include "services/prover-engine/stark/prove.h"

struct test_job {
    struct vn_program *program;
    struct vn_pool *pool;
    struct vn_setup *setup;
    struct vn_prover prover;
    struct vn_exec_result run;
    struct vn_shard *shards; /* by position; rows are owned copies */
    size_t n_shards;
    struct vn_digest *leaves;
    struct vn_job job;
    struct vn_bytes *proofs;
    uint8_t *bundle;
    size_t bundle_len;
};

/* Called with what went wrong; does not return. */
void test_fail(const char *what, const struct vn_error *err);

void test_job_execute(struct test_job *t, const uint8_t *elf, size_t elf_len, enum vn_abi abi, const struct vn_exec_options *options);
void test_job_setup(struct test_job *t, const struct vn_backend *backend, unsigned threads);
void test_job_contribute(struct test_job *t);
void test_job_prove(struct test_job *t);
void test_job_bundle(struct test_job *t);
void test_job_fini(struct test_job *t);

#endif
