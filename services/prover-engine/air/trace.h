#ifndef VN_TRACE_H
#define VN_TRACE_H
/* From a program and a shard to table columns. Values are canonical integers < p, column-major, 2^log_height entries a column. */

#include "services/prover-engine/air/air.h"
#include "services/prover-engine/backend/pool.h"
#include "services/prover-engine/vm/exec.h"

struct vn_trace {
    uint8_t log_height[VN_AIR_MAX_TABLES];  /* by table id; VN_LOG_HEIGHT_ABSENT */
    uint32_t **p1[VN_AIR_MAX_TABLES];       /* [table][column] -> values; the caller's memory, zeroed */
    uint32_t **main[VN_AIR_MAX_TABLES];
};

/* Preprocessed tables of a kind, fixed by the program: heights (absent where the table has no preprocessed columns) and values. */
enum vn_status vn_pre_heights(unsigned kind, const struct vn_program *p, uint8_t log_height[VN_AIR_MAX_TABLES], struct vn_error *err) VN_MUST_CHECK;
void vn_pre_fill(unsigned kind, const struct vn_program *p, unsigned table, unsigned log_height, uint32_t *const *cols);

/* Heights of every table of the shard's kind (all ids are written). They are needed before phase 1 (leaf_i hashes them), so they follow from the
 * shard and, for execution shards, its replay. */
enum vn_status vn_trace_heights(const struct vn_program *p, const struct vn_shard *s, const struct vn_replay *r, uint8_t log_height[VN_AIR_MAX_TABLES],
                                struct vn_error *err) VN_MUST_CHECK;

/* Phase-1 columns (boundary or memory table). */
enum vn_status vn_trace_fill_p1(struct vn_trace *t, const struct vn_shard *s, struct vn_error *err) VN_MUST_CHECK;

/* All other columns, lookup multiplicities included (r NULL for memory shards). Parallel over the pool. */
enum vn_status vn_trace_fill_main(struct vn_trace *t, const struct vn_program *p, const struct vn_shard *s, const struct vn_replay *r, struct vn_pool *pool,
                                  struct vn_error *err) VN_MUST_CHECK;

/* Evaluates every constraint on every row and adds up every local bus exactly, loose ends included; the global buses are only checked for their
 * rules. VN_ERR_WITNESS names table, row and constraint, or bus and tuple. This is --verify-constraints. */
enum vn_status vn_trace_check(const struct vn_trace *t, const struct vn_program *p, const struct vn_shard *s, struct vn_error *err) VN_MUST_CHECK;

#endif
