#ifndef VN_JOB_H
#define VN_JOB_H
/* One job as this worker sees it: its stage, what came out so far, its directory. Knows no connection, no engine process and no clock:
 * the agent asks it for the next engine request, gives it results, and asks it for the answer to the coordinator. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"
#include "services/worker-agent/api.h"
#include "services/worker-agent/hints.h"
#include "services/worker-agent/job_dir.h"

#define VN_JOB_MAX_SHARDS 65535u             /* shard numbers are 16 bit */
#define VN_JOB_MAX_UNITS (1u << 20)          /* compute units of a job: far above any cluster */
#define VN_JOB_MAX_INPUT_BYTES (128u << 20)  /* the guest's input region */
#define VN_JOB_MAX_PROOF_BYTES (64u << 20)   /* one shard's proof: half a message of the API */
#define VN_JOB_MAX_FINAL_BYTES VN_API_MAX_MESSAGE /* what does not fit a message is refused when it is packed */
#define VN_JOB_MAX_ID 128u
#define VN_JOB_NO_HINTS "Hints are not supported by a worker started without --hints"
#define VN_LEAF_ELEMENTS 9u
#define VN_PUBLIC_WORDS 64u

enum vn_job_stage {
    VN_JOB_HINTS,       /* waits for the end of streamed hints */
    VN_JOB_EXECUTE,     /* engine work */
    VN_JOB_CONTRIBUTE,  /* engine work, in batches when not all packages are kept */
    VN_JOB_CONTRIBUTED, /* waits for PROVE */
    VN_JOB_PROVE,       /* engine work, one shard a piece */
    VN_JOB_PROVED,      /* waits for AGGREGATE, or for nothing more */
    VN_JOB_AGGREGATE,   /* engine work */
    VN_JOB_DONE
};

/* One engine process's work. first, count: a range of owned_shards. EXECUTE also comes in later stages, to make packages again. */
enum vn_piece_kind { VN_PIECE_EXECUTE, VN_PIECE_CONTRIBUTE, VN_PIECE_PROVE, VN_PIECE_AGGREGATE };
struct vn_piece {
    enum vn_piece_kind kind;
    uint32_t first, count;
};

/* Borrowed, valid for the life of every job. */
struct vn_job_settings {
    const char *worker_id, *elf, *cache_dir, *backend, *inputs_folder;
    const char *shared_dir; /* folder of shared tables for the engines; NULL: none */
    uint32_t threads, shard_log2;
    uint32_t slots;    /* engines at the same time, at least 1 */
    uint32_t packages; /* witness packages kept at a time; 0: all of the job */
    uint32_t preallocate_percent; /* of the GPU's memory, by each engine */
    int keep_nothing;  /* no package outlives its phase */
    int verify_constraints;
    const char *native_dir; /* where engines keep translated programs, empty: nowhere; NULL: programs are interpreted */
    int lock_native;   /* translations stay in physical memory */
    int hints;         /* hints are processed; else jobs with hints are refused */
};

/* Of a shard this worker owns. */
enum { VN_SHARD_PACKAGE = 1, VN_SHARD_BUSY = 2, VN_SHARD_LEAF = 4, VN_SHARD_PROOF = 8 };

struct vn_job {
    char id[VN_JOB_MAX_ID + 1];
    enum vn_job_stage stage;
    struct vn_job_dir dir;
    const struct vn_job_settings *settings;
    uint32_t rank, units;
    uint32_t *owned_units;
    size_t n_owned_units;
    uint32_t *first_window;  /* with settings->packages: the numbers of the first shards owned, whether or not the job has so many */
    size_t n_first_window;
    double received_at;      /* wall clock, seconds */
    int has_input;           /* the task came with an input */
    int execute_only;        /* the job ends with the execution: no package, no leaf */
    char *elf;               /* a registered program; NULL: settings->elf */
    struct vn_hint_stream hint_stream;

    unsigned n_running;      /* pieces handed out and neither done nor given up */
    int executed;

    uint64_t steps;
    uint32_t n_exec, n_mem;
    double execute_seconds;
    uint32_t publics[VN_PUBLIC_WORDS];
    uint32_t vk_digest[VN_LEAF_ELEMENTS];
    uint32_t *owned_shards;  /* ascending */
    size_t n_owned_shards;
    uint8_t *shard_flags;    /* beside owned_shards: VN_SHARD_ */
    uint32_t (*own_leaves)[VN_LEAF_ELEMENTS]; /* beside owned_shards */
    size_t n_contributed, n_proved;

    engine_leaf *leaves;     /* of all shards, by shard number - 1 */
    engine_leaf **leaf_pointers;
    uint32_t *leaf_elements;
    uint8_t *have_proof;     /* by shard number - 1 */
};

/* From a PARTIAL_CONTRIBUTION: checks it, makes the directory, writes input.bin, reads hints that are a file. Errors: VN_ERR_ARGUMENT, VN_ERR_FORMAT,
 * VN_ERR_NOT_FOUND, VN_ERR_PERMISSION, VN_ERR_LIMIT, VN_ERR_UNSUPPORTED (hints), VN_ERR_CANCELLED (by the hints), VN_ERR_MEMORY, VN_ERR_IO. */
enum vn_status vn_job_open(struct vn_job **job, const struct vn_job_settings *settings, const task_request *task, double now_s, struct vn_error *err) VN_MUST_CHECK;
/* Deletes the directory too. The engine working on it must have ended. NULL is fine. */
void vn_job_free(struct vn_job **job);

/* PROVE: every challenge there is. Afterwards stage is PROVE, or PROVED for a worker without shards. */
enum vn_status vn_job_prove(struct vn_job *job, const prove_params *params, struct vn_error *err) VN_MUST_CHECK;
/* AGGREGATE: stores the proofs; with the last of them stage becomes AGGREGATE, else it stays PROVED and is to be answered at once. */
enum vn_status vn_job_aggregate(struct vn_job *job, const agg_params *params, struct vn_error *err) VN_MUST_CHECK;

/* A message of the job's hints stream. After the last one stage is EXECUTE. Errors: VN_ERR_PEER: no hints are awaited, or out of order; those
 * of the hints themselves; VN_ERR_IO. */
enum vn_status vn_job_take_hints(struct vn_job *job, const stream_data *data, struct vn_error *err) VN_MUST_CHECK;

/* 1 if the stage is engine work. */
int vn_job_needs_engine(const struct vn_job *job);
/* The next piece that can be worked on beside those handed out already; 0: none now. */
int vn_job_next_piece(struct vn_job *job, struct vn_piece *piece);
/* Fills the request of a piece and passes it to use() (borrowed for the call), whose status is returned. */
enum vn_status vn_job_with_request(const struct vn_job *job, const struct vn_piece *piece,
                                   enum vn_status (*use)(void *ctx, const engine_request *request, struct vn_error *err), void *ctx,
                                   struct vn_error *err) VN_MUST_CHECK;
/* Checks the result of a piece; the last one of a stage moves the job on. After a failure the piece is still handed out.
 * Errors: VN_ERR_PEER: not what was asked for. */
enum vn_status vn_job_piece_done(struct vn_job *job, const struct vn_piece *piece, const engine_result *result, struct vn_error *err) VN_MUST_CHECK;
/* Removes files that a broken attempt at the piece left, so that it can be tried again. */
void vn_job_clear_piece(const struct vn_job *job, const struct vn_piece *piece);

/* The packed WorkerMessage that answers `type`. Owns: *bytes, to be freed. Errors: VN_ERR_LIMIT, VN_ERR_MEMORY, VN_ERR_IO. */
enum vn_status vn_job_answer(const struct vn_job *job, task_type type, uint8_t **bytes, size_t *n_bytes, struct vn_error *err) VN_MUST_CHECK;
/* The same for a failure; every id may be unknown. Errors: VN_ERR_MEMORY. */
enum vn_status vn_job_answer_failure(const char *worker_id, const char *job_id, task_type type, const char *text, uint8_t **bytes, size_t *n_bytes) VN_MUST_CHECK;

/* Task type that the stage belongs to, and how far it is. */
task_type vn_job_task(const struct vn_job *job);
const char *vn_job_stage_name(const struct vn_job *job);
const char *vn_piece_name(const struct vn_piece *piece);
size_t vn_job_n_shards(const struct vn_job *job);
/* 1 if one of the worker's units owns the shard. */
int vn_job_owns(const struct vn_job *job, uint32_t shard);

#endif
