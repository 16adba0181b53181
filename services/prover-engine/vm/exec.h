#ifndef VN_EXEC_H
#define VN_EXEC_H
/* Runs a program once, cuts it into shards and describes each so that it can be proved alone. */

#include "services/prover-engine/rv64/program.h"

#define VN_MIN_SHARD_LOG2 10
#define VN_MAX_SHARD_LOG2 20        /* every table fits 2^20 rows */
#define VN_MAX_SHARDS 65535         /* shard numbers are 16 bit */
#define VN_MAX_TABLE_ROWS (1u << 20)
#define VN_CLK_START 4u             /* clk of the first instruction of a shard */
#define VN_CLK_STEP 4u              /* sub-steps: rs1 at clk, rs2 at clk + 1, memory at clk + 2, rd at clk + 3 */
#define VN_TIME_RANGE (1u << 20)    /* an access reaches back at most this far; farther ones need bump rows */

/* One word a shard touches. prev_shard: number of the shard that touched it last, 0 = none. */
struct vn_boundary_row {
    uint32_t space, word;
    uint32_t prev_shard, reserved;
    uint64_t init, final;
};

/* One word the job touches (and each of the 32 output words even if untouched). */
struct vn_memory_row {
    uint32_t space, word;
    uint32_t last_shard; /* 0 = never touched */
    uint32_t page_kind;
    uint64_t init, final;
};

enum vn_shard_kind { VN_SHARD_EXECUTION = 0, VN_SHARD_MEMORY = 1 };

/* All that is needed to prove one shard. Shards are numbered from 1: execution shards 1..n_exec, then memory shards.
 * Execution: registers and memory at the start are the boundary rows' init values.
 * Memory: rows strictly ascending by key; prev_key = last key of the memory shard before. */
struct vn_shard {
    uint32_t kind, index;
    uint32_t start_pc, end_pc;  /* bytes; end_pc = 0 when halted */
    uint32_t steps, halted;
    uint32_t first_memory;      /* memory kind: 1 if the first memory shard, else 0 */
    uint32_t prev_key, last_key; /* memory kind; prev_key unused when first_memory */
    const struct vn_boundary_row *boundary;
    size_t n_boundary;
    const struct vn_memory_row *memory;
    size_t n_memory;
};

#define VN_EXEC_FCALLS 32

/* How often CSR instructions ran, by CSR and by fcall number; a fused pair counts once. */
struct vn_exec_counts {
    uint64_t csr[4096];
    uint64_t fcall[VN_EXEC_FCALLS];
};

struct vn_exec_options {
    unsigned shard_log2;  /* at most 2^shard_log2 instructions a shard */
    uint64_t max_steps;   /* VN_ERR_GUEST past this; 0 = 2^36 */
    const uint8_t *input; /* input image: what lies at input_addr + 8 (B, C), or the raw file (A) */
    size_t input_len;
    /* All optional. */
    void (*uart)(void *ctx, const char *bytes, size_t n);
    int (*on_shard)(void *ctx, const struct vn_shard *shard); /* borrowed for the call, called in index order; non-zero return stops with VN_ERR_CANCELLED */
    void (*on_progress)(void *ctx, uint64_t steps);           /* every few million steps */
    void *ctx;
    struct vn_native *native; /* NULL: interpret; else this program's translation, with the same results (vm/native/native.h) */
    int track;            /* 0: no first-touch tracking, no shards (plain execution) */
    unsigned memory_shard_log2; /* rows of a memory shard, for tests; 0 = 20 */
    int execute_only;     /* also run what has no table yet: CSRs, precompiles, fcalls; not with track */
    struct vn_exec_counts *counts;             /* execute_only: filled */
    uint32_t dump_addr, dump_bytes;            /* guest memory copied to dump at the end */
    uint8_t *dump;
};

struct vn_exec_result {
    uint64_t steps;
    uint32_t n_exec, n_mem;
    uint8_t output[VN_OUTPUT_BYTES];
    uint64_t op_count[VN_OP_COUNT];
};

/* Errors: VN_ERR_GUEST with pc, instruction and reason (trap, bad address, unimp, step limit),
 * VN_ERR_UNSUPPORTED for an instruction this machine cannot prove (named), VN_ERR_LIMIT, VN_ERR_MEMORY. */
enum vn_status vn_execute(const struct vn_program *p, const struct vn_exec_options *o, struct vn_exec_result *result, struct vn_error *err) VN_MUST_CHECK;

/* ---- Replay: one execution shard again, with everything its tables need ---- */

struct vn_step { /* instruction i of the shard runs at clk = VN_CLK_START + VN_CLK_STEP * i */
    uint32_t insn;                        /* index into program->insns */
    uint32_t next_pc;                     /* bytes; 0 after HALT */
    uint32_t prev1, prev2, prevm, prevd;  /* clk of the access before, after bumps; 0 = from the boundary */
    uint32_t addr;                        /* loads, stores: byte address */
    uint32_t prevm2;                      /* as prevm, for the second word of an access that crosses */
    uint64_t a, b;                        /* rs1 and rs2 (0 where not read) */
    uint64_t d_old, d_new;                /* rd, where wr */
    uint64_t m_old, m_new;                /* the memory word, where accessed */
    uint64_t m2_old;                      /* the word after it, where the access crosses; else 0 */
};

/* Moves a word's last access forward: takes (word, prev, value), puts (word, clk, value); clk = 8 k, 0 < clk - prev <= VN_TIME_RANGE. */
struct vn_bump {
    uint32_t space, word, prev, clk;
    uint64_t value;
};

struct vn_replay {
    struct vn_step *steps;
    size_t n_steps;
    struct vn_bump *bumps;
    size_t n_bumps;
    uint32_t *last_clk; /* per boundary row */
};

/* The shard may come from another process: everything is checked, and the end state must equal what the shard says
 * (VN_ERR_FORMAT otherwise). */
enum vn_status vn_replay_shard(const struct vn_program *p, const struct vn_shard *shard, struct vn_replay *out, struct vn_error *err) VN_MUST_CHECK;
void vn_replay_fini(struct vn_replay *r);

#endif
