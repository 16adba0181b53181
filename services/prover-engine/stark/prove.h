#ifndef VN_PROVE_H
#define VN_PROVE_H
/* The two phases of a shard, and the bundle of a job. The bytes do not depend on backend or thread count. */

#include <stdio.h>

#include "services/prover-engine/stark/setup.h"

/* Commitments of phase 1 on their way to phase 2. A store serves the shards of one job and one set-up, and belongs to one thread. */
struct vn_phase1_store;

/* max: shards kept, each with 9 MiB of tree and 8 MiB per stack, mostly one or two; a shard beyond them is committed again. */
enum vn_status vn_phase1_store_new(struct vn_phase1_store **store, unsigned max) VN_MUST_CHECK;
void vn_phase1_store_free(struct vn_phase1_store *store); /* NULL ok */

struct vn_prover {
    const struct vn_setup *setup;
    const struct vn_backend *backend;
    struct vn_pool *pool;   /* NULL: one thread */
    const struct vn_device *device; /* NULL: vn_device_host */
    int verify_constraints; /* check every row and every bus before committing: VN_ERR_WITNESS names what is wrong */
    int minimal_memory;     /* make codewords again instead of keeping them */
    struct vn_phase1_store *phase1; /* where vn_contribute leaves what vn_prove_shard takes; NULL: nothing is kept */
    struct vn_stages *stages; /* NULL: nobody asks where the time goes */
};

/* Phase 1: executes the shard again, commits the columns that meet the global buses and forms its leaf. */
enum vn_status vn_contribute(const struct vn_prover *p, const struct vn_shard *shard, struct vn_digest *leaf, struct vn_error *err) VN_MUST_CHECK;

/* What all shards of a job share. */
struct vn_job {
    uint32_t n_exec, n_mem;
    uint8_t output[VN_OUTPUT_BYTES];
    const struct vn_digest *leaves; /* n_exec + n_mem, by position (index - 1) */
};

/* Root of the contribution tree. Errors: VN_ERR_LIMIT, VN_ERR_MEMORY. */
enum vn_status vn_job_root(const struct vn_job *job, struct vn_digest *root, struct vn_error *err) VN_MUST_CHECK;

/* Phase 2. *proof: malloc'ed, the caller's. The shard's own leaf must be job->leaves[shard->index - 1] (VN_ERR_ARGUMENT).
 * Peak memory for a full shard: see docs/proving-system.md. */
enum vn_status vn_prove_shard(const struct vn_prover *p, const struct vn_shard *shard, const struct vn_job *job, uint8_t **proof, size_t *len,
                              struct vn_error *err) VN_MUST_CHECK;

struct vn_bytes {
    const uint8_t *data;
    size_t len;
};

/* Puts the proofs of all shards (by position) into one file. Each proof's leaf is checked against the job, and the steps add up
 * (VN_ERR_INVALID_PROOF otherwise); the proofs themselves are not verified here. *out: malloc'ed, the caller's. */
enum vn_status vn_bundle_build(const struct vn_vk *vk, const struct vn_job *job, uint64_t steps, const struct vn_bytes *shard_proofs,
                               uint8_t **out, size_t *len, struct vn_error *err) VN_MUST_CHECK;

/* Parameters as text, and as the public soundness calculator's TOML (stark/params_print.c). */
void vn_params_print(FILE *f);
void vn_params_print_soundcalc(FILE *f);

#endif
