#ifndef VN_TEST_AIR_SUPPORT_H
#define VN_TEST_AIR_SUPPORT_H
/* Programs, shards and filled traces for the tests of the tables. Everything here asserts its way through. */

#include "services/prover-engine/air/check.h"
#include "services/prover-engine/vm/exec.h"

struct air_shard {
    struct vn_shard shard; /* rows owned */
    struct vn_replay replay;
    struct vn_trace trace;
};

struct air_job {
    struct vn_program *program;
    struct air_shard *shards;
    size_t n_shards;
    struct vn_exec_result result;
};

/* Straight-line code that runs every instruction on awkward operands, every page kind and the output; then the exit call. */
struct vn_program *air_program_all(void);

/* 16- and 32-bit instructions mixed, with jumps and branches of both lengths to both kinds of address; then the exit call. */
struct vn_program *air_program_compressed(void);

/* Touches a word and a register, loops for 300 thousand steps, touches them again. */
struct vn_program *air_program_bump(void);

/* Executes and describes the shards; traces are filled on request. */
void air_job_run(struct air_job *job, struct vn_program *p, unsigned shard_log2);
void air_job_free(struct air_job *job);
void air_shard_fill(struct air_job *job, struct air_shard *s, struct vn_pool *pool);
void air_shard_clear(struct air_shard *s); /* frees the trace */

/* Preprocessed columns of a table, allocated; free each and the array. */
uint32_t **air_pre_columns(const struct vn_program *p, unsigned kind, unsigned table, unsigned log_height);
void air_columns_free(uint32_t **columns, unsigned n);

uint64_t air_random(uint64_t *state);

#endif
