#ifndef VN_WORK_H
#define VN_WORK_H
/* The pieces of a job as the engine does them: each reads and writes one job directory, so that the command line, a child of an agent
 * and prove-all walk the same path. Files of the directory are listed in proto/engine.proto. */

#include <stdint.h>

#include "libshared/status.h"
#include "services/prover-engine/stark/prove.h"
#include "services/prover-engine/vm/native/native.h"
#include "services/prover-engine/vm/package.h"

#define VN_DEFAULT_SHARD_LOG2 20

struct vn_work_options {
    const char *elf_path;
    const char *cache_dir; /* NULL: none */
    const char *shared_dir; /* NULL: none; else vn_setup_new_shared's, for provers only */
    enum vn_abi abi;
    unsigned threads;      /* 0: all */
    const char *backend;   /* "scalar", "avx2", "avx512"; "cuda": a GPU, and this processor's best for the rest; NULL or "auto": this processor's best */
    unsigned preallocate_percent; /* of the GPU's memory, taken when it is opened; 0: as needed */
    int verify_constraints;
    int minimal_memory;    /* make codewords again instead of keeping them: half the memory, a tenth more time */
    int native;            /* run the program's translation (vm/native/native.h); where that cannot be, a notice says so and it is interpreted */
    const char *native_dir; /* where translations are kept; NULL: nowhere */
    int lock_native;       /* keep the translation in physical memory */
    /* Optional: work done so far in the current piece. */
    void (*progress)(void *ctx, const char *stage, uint32_t done, uint32_t total, uint64_t steps);
    void *ctx;
};

struct vn_work {
    struct vn_work_options options;
    struct vn_program *program;
    struct vn_native *native; /* made on first use by vn_work_native */
    const struct vn_backend *backend;
    const struct vn_device *device; /* NULL: host memory, or not opened yet */
    struct vn_pool *pool;
    struct vn_setup *setup; /* made on first use by vn_work_setup */
    struct vn_phase1_store *phase1; /* NULL: memory is minimal */
    struct vn_stages stages; /* of everything done so far */
};

enum vn_status vn_work_open(struct vn_work *w, const struct vn_work_options *o, struct vn_error *err) VN_MUST_CHECK;
void vn_work_close(struct vn_work *w);

/* The program's translation; NULL: interpret. */
struct vn_native *vn_work_native(struct vn_work *w);

/* Preprocessed commitments and verifying key; the pieces below call it themselves. */
enum vn_status vn_work_setup(struct vn_work *w, struct vn_error *err) VN_MUST_CHECK;

/* The set-up and the GPU, if there is to be one: what contributions and proofs need. They call it themselves; calling it first fails early.
 * Errors: VN_ERR_UNSUPPORTED (no GPU; err says what was tried). */
enum vn_status vn_work_prepare(struct vn_work *w, struct vn_error *err) VN_MUST_CHECK;

/* Executes dirfd/input.bin and writes run.sum and the packages of the shards with units[number mod job_units] != 0 (units NULL: all). */
struct vn_work_execute {
    unsigned shard_log2;    /* 0: default */
    uint64_t max_steps;     /* 0: default */
    uint32_t job_units;
    const uint8_t *units;   /* job_units flags */
    void (*uart)(void *ctx, const char *bytes, size_t n);
    void *uart_ctx;
};
enum vn_status vn_work_execute(struct vn_work *w, int dirfd, const struct vn_work_execute *e, struct vn_exec_result *result, struct vn_error *err) VN_MUST_CHECK;

/* leaves[i] of shards[i]. */
enum vn_status vn_work_contribute(struct vn_work *w, int dirfd, const uint32_t *shards, size_t n, struct vn_digest *leaves, struct vn_error *err) VN_MUST_CHECK;

/* Writes dirfd/proof-<shard>.bin for each. leaves: of every shard of the job, by position (shard number - 1). */
enum vn_status vn_work_prove(struct vn_work *w, int dirfd, const uint32_t *shards, size_t n, const struct vn_digest *leaves, size_t n_leaves,
                             struct vn_error *err) VN_MUST_CHECK;

/* Joins proof-1.bin .. proof-n.bin into dirfd/final.bin; *bytes = its length. */
enum vn_status vn_work_aggregate(struct vn_work *w, int dirfd, const struct vn_digest *leaves, size_t n_leaves, uint64_t *bytes, struct vn_error *err) VN_MUST_CHECK;

/* A whole file, relative to dirfd (AT_FDCWD allowed). Refuses what is not a regular file or larger than max_bytes. */
enum vn_status vn_file_read(int dirfd, const char *path, uint64_t max_bytes, uint8_t **out, size_t *len, struct vn_error *err) VN_MUST_CHECK;

#endif
