/* Honest traces: every shard passes the check, and the global buses of a whole job cancel out. */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "air_tables.h"
#include "tests/unit/air/support.h"

/* What the verifier of a job puts in itself: the 32 output words. */
static void add_outputs(struct vn_ledger *global, const uint8_t output[VN_OUTPUT_BYTES])
{
    for (uint32_t i = 0; i < VN_OUTPUT_BYTES / 8; i++) {
        uint32_t tuple[5] = {i};
        for (unsigned k = 0; k < 4; k++)
            tuple[1 + k] = output[8 * i + 2 * k] | (uint32_t)output[8 * i + 2 * k + 1] << 8;
        cr_assert(vn_ledger_add(global, VN_BUS_OUTPUT, tuple, 5, VN_P - 1, 0, VN_AIR_MAX_TABLES, i));
    }
}

static void check_job(struct air_job *job, struct vn_pool *pool, int *seen)
{
    struct vn_error err = {VN_OK, ""};
    struct vn_ledger *global = vn_ledger_new();
    struct vn_ledger *const ledgers[VN_SCOPE_COUNT] = {NULL, global};
    for (size_t i = 0; i < job->n_shards; i++) {
        struct air_shard *s = &job->shards[i];
        air_shard_fill(job, s, pool);
        cr_assert_eq(vn_trace_check(&s->trace, job->program, &s->shard, &err), VN_OK, "%s", err.text);
        cr_assert_eq(vn_check_shard(&s->trace, job->program, &s->shard, ledgers, &err), VN_OK, "%s", err.text);
        for (unsigned t = 0; t < vn_air_table_count && seen; t++)
            seen[t] |= s->trace.log_height[t] != VN_LOG_HEIGHT_ABSENT;
        air_shard_clear(s);
    }
    add_outputs(global, job->result.output);
    const struct vn_ledger_entry *e = vn_ledger_open_entry(global);
    cr_assert_null(e, "bus %u, shard %u, row %u is open", e->bus, e->shard, e->row);
    vn_ledger_free(global);
}

Test(trace, every_instruction_in_many_shards)
{
    struct air_job job;
    int seen[VN_AIR_MAX_TABLES] = {0};
    air_job_run(&job, air_program_all(), 10);
    cr_assert_gt(job.n_shards, 3);
    check_job(&job, NULL, seen);
    for (unsigned t = 0; t < vn_air_table_count; t++)
        cr_assert(seen[t] || t == VN_TABLE_BUMP, "table %s was never used", vn_air_tables[t].name);
    for (unsigned op = 1; op < VN_OP_UNSUPPORTED; op++)
        cr_assert_gt(job.result.op_count[op], 0, "%s never ran", vn_op_name(op));
    air_job_free(&job);
}

Test(trace, compressed_code)
{
    struct air_job job;
    air_job_run(&job, air_program_compressed(), 10);
    check_job(&job, NULL, NULL);
    cr_assert_eq(job.result.steps, 2 + 1 + 2 + 1 + 2 + 1 + 2 * 3 + 1 + 1 + 1 + 1 + 2);
    cr_assert_eq(job.result.output[8], 0x14);
    air_job_free(&job);
}

Test(trace, bumps_on_a_pool)
{
    struct air_job job;
    struct vn_pool *pool;
    air_job_run(&job, air_program_bump(), 20);
    cr_assert_eq(vn_pool_new(&pool, 2), VN_OK);
    cr_assert_gt(job.shards[0].replay.n_bumps, 0);
    check_job(&job, pool, NULL);
    vn_pool_free(pool);
    air_job_free(&job);
}

Test(trace, a_wrong_value_is_found)
{
    struct air_job job;
    struct vn_error err = {VN_OK, ""};
    air_job_run(&job, air_program_all(), 20);
    struct air_shard *s = &job.shards[0];
    air_shard_fill(&job, s, NULL);
    s->trace.main[VN_TABLE_ADD][VN_ADD_R0][3] ^= 1;
    cr_assert_eq(vn_trace_check(&s->trace, job.program, &s->shard, &err), VN_ERR_WITNESS);
    cr_assert_not_null(strstr(err.text, "table add, row 3"), "%s", err.text);
    s->trace.main[VN_TABLE_ADD][VN_ADD_R0][3] ^= 1;
    s->trace.main[VN_TABLE_TIME][0][3] += 1;
    cr_assert_eq(vn_trace_check(&s->trace, job.program, &s->shard, &err), VN_ERR_WITNESS);
    cr_assert_not_null(strstr(err.text, "bus TIME"), "%s", err.text);
    s->trace.main[VN_TABLE_TIME][0][3] -= 1;
    s->shard.end_pc += 4;
    cr_assert_eq(vn_trace_check(&s->trace, job.program, &s->shard, &err), VN_ERR_WITNESS);
    cr_assert_not_null(strstr(err.text, "bus EXEC"), "%s", err.text);
    air_job_free(&job);
}
