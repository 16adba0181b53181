/* Coordinated forgeries: several cells changed so that most constraints still hold, and all multiplicities counted again, as a cheating prover
 * would. Each must fail where its attack is met. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "air_tables.h"
#include "services/prover-engine/air/lookups.h"
#include "services/prover-engine/air/walk.h"
#include "tests/unit/air/support.h"

/* Counts every lookup of the trace again. 0: one has no provider row. */
static int recount(const struct air_job *job, struct air_shard *s)
{
    const struct vn_air_kind *kd = &vn_air_kinds[s->shard.kind];
    struct vn_walk *w = vn_walk_new();
    int good = 1;
    for (unsigned i = 0; i < kd->n_tables; i++)
        if (vn_air_tables[kd->tables[i]].n_pre)
            memset(s->trace.main[kd->tables[i]][0], 0, sizeof(uint32_t) << s->trace.log_height[kd->tables[i]]);
    for (unsigned i = 0; i < kd->n_tables && good; i++) {
        unsigned table = kd->tables[i];
        const struct vn_air_graph *g = &vn_air_graphs[table];
        if (vn_air_tables[table].n_pre || s->trace.log_height[table] == VN_LOG_HEIGHT_ABSENT)
            continue;
        vn_walk_table(w, table, NULL, (const uint32_t *const *)s->trace.p1[table], (const uint32_t *const *)s->trace.main[table], s->shard.index);
        for (size_t row = 0; row < (size_t)1 << s->trace.log_height[table]; row++) {
            if (row % VN_WALK_ROWS == 0)
                vn_walk_block(w, row, g->n_lookup_nodes);
            for (unsigned k = 0; k < g->n_interactions; k++) {
                const struct vn_air_interaction *x = &g->interactions[k];
                uint32_t tuple[VN_AIR_MAX_TUPLE], at;
                if (x->kind != VN_AIR_LOOKUP || !w->value[x->multiplicity][row % VN_WALK_ROWS])
                    continue;
                for (unsigned j = 0; j < x->width; j++)
                    tuple[j] = w->value[x->tuple[j]][row % VN_WALK_ROWS];
                at = vn_lookup_row(job->program, x->bus, tuple);
                if (at == VN_NO_ROW)
                    good = 0;
                else
                    s->trace.main[vn_lookup_provider(x->bus)][0][at] += w->value[x->multiplicity][row % VN_WALK_ROWS];
            }
        }
    }
    vn_walk_free(w);
    return good;
}

static int accepted(struct air_job *job, struct air_shard *s)
{
    struct vn_error err = {VN_OK, ""};
    return recount(job, s) && vn_trace_check(&s->trace, job->program, &s->shard, &err) == VN_OK;
}

static struct air_job job;

static struct air_shard *shard_of(unsigned kind)
{
    air_job_run(&job, air_program_all(), 20);
    for (size_t i = 0; i < job.n_shards; i++)
        if (job.shards[i].shard.kind == kind) {
            air_shard_fill(&job, &job.shards[i], NULL);
            cr_assert(accepted(&job, &job.shards[i]));
            return &job.shards[i];
        }
    cr_assert_fail("no such shard");
    return NULL;
}

#define MAIN(T) (s->trace.main[VN_TABLE_##T])
#define P1(T) (s->trace.p1[VN_TABLE_##T])
#define ROWS(T) ((size_t)1 << s->trace.log_height[VN_TABLE_##T])

/* Applies `change` to rows that take part until one is changed; the result must be refused. */
#define REFUSED(TABLE, IF, CHANGE)                                             \
    do {                                                                       \
        size_t i = 0, changed = 0;                                             \
        uint32_t *const *c = MAIN(TABLE);                                      \
        for (; i < ROWS(TABLE) && !changed; i++)                               \
            if (c[0][i] && (IF)) {                                             \
                CHANGE;                                                        \
                changed = 1;                                                   \
            }                                                                  \
        cr_assert(changed, "no row to attack in " #TABLE);                     \
        cr_assert_not(accepted(&job, s), "accepted: " #TABLE ", " #CHANGE);    \
        air_shard_clear(s);                                                    \
        air_shard_fill(&job, s, NULL);                                         \
    } while (0)

static void add_to(uint32_t *cell, int64_t v)
{
    int64_t x = ((int64_t)*cell + v) % (int64_t)VN_P;
    *cell = (uint32_t)(x < 0 ? x + (int64_t)VN_P : x);
}

Test(forgery, arithmetic)
{
    struct air_shard *s = shard_of(VN_SHARD_EXECUTION);
    /* A limb beyond 16 bits, paid for by the next one. */
    REFUSED(ADD, c[VN_ADD_R1][i] > 0, (add_to(&c[VN_ADD_R0][i], 65536), add_to(&c[VN_ADD_R1][i], -1)));
    /* A result off by 2^64, which the dropped carry would not show. */
    REFUSED(ADD, 1, add_to(&c[VN_ADD_R3][i], 65536));
    /* A word result that claims the other sign. */
    REFUSED(ADDW, 1, (c[VN_ADDW_SIGN][i] ^= 1));
    REFUSED(MULW, 1, (c[VN_MULW_SIGN][i] ^= 1));
    /* The next quotient with a negative rest. */
    REFUSED(DIV, c[VN_DIV_IS_DIVU][i] && !c[VN_DIV_BY_ZERO][i] && c[VN_DIV_Q0][i] % 256 != 255,
            (add_to(&c[VN_DIV_Q0][i], 1), add_to(&c[VN_DIV_R0][i], -(int64_t)c[VN_DIV_B0][i]), c[VN_DIV_VALUE0][i] = c[VN_DIV_Q0][i]));
    /* Division by zero where the divisor is not zero. */
    REFUSED(DIV, !c[VN_DIV_BY_ZERO][i], c[VN_DIV_BY_ZERO][i] = 1);
    REFUSED(DIV, c[VN_DIV_BY_ZERO][i], c[VN_DIV_BY_ZERO][i] = 0);
    /* The other sign of everything: -q and the same rest. */
    REFUSED(DIV, c[VN_DIV_SIGN_Q][i], (c[VN_DIV_SIGN_Q][i] = 0));
    /* A shift by 16 more with t = 16 less one limb. */
    REFUSED(SHIFT, c[VN_SHIFT_BY1][i] && c[VN_SHIFT_T][i] == 0 && c[VN_SHIFT_IS_SRL][i],
            (c[VN_SHIFT_BY1][i] = 0, c[VN_SHIFT_T][i] = c[VN_SHIFT_M][i] = 16, c[VN_SHIFT_POWER][i] = 65536, c[VN_SHIFT_COPOWER][i] = 1));
    /* A product's carry moved from one limb to the next. */
    REFUSED(MULH, 1, (add_to(&c[VN_MULH_R4][i], 65536), add_to(&c[VN_MULH_CARRY4][i], -1), add_to(&c[VN_MULH_R5][i], -1)));
    air_job_free(&job);
}

Test(forgery, comparison_and_control)
{
    struct air_shard *s = shard_of(VN_SHARD_EXECUTION);
    /* The verdict turned round, with the gap negated. */
    REFUSED(SLT, c[VN_SLT_LESS][i], (c[VN_SLT_LESS][i] = 0, add_to(&c[VN_SLT_GAP][i], -2 - 2 * (int64_t)c[VN_SLT_GAP][i])));
    /* Unequal numbers called equal, and the other way round. */
    REFUSED(BRANCH_EQUAL, c[VN_BRANCH_EQUAL_INVERSE][i],
            (c[VN_BRANCH_EQUAL_MARK0][i] = c[VN_BRANCH_EQUAL_MARK1][i] = c[VN_BRANCH_EQUAL_MARK2][i] = c[VN_BRANCH_EQUAL_MARK3][i] = 0,
             c[VN_BRANCH_EQUAL_INVERSE][i] = 0, c[VN_BRANCH_EQUAL_NEXT][i] = c[VN_BRANCH_EQUAL_IS_BNE][i] ? c[VN_BRANCH_EQUAL_PC][i] + 2 : c[VN_BRANCH_EQUAL_TARGET][i]));
    REFUSED(BRANCH_EQUAL, !c[VN_BRANCH_EQUAL_INVERSE][i], c[VN_BRANCH_EQUAL_MARK0][i] = 1);
    REFUSED(JALR, 1, add_to(&c[VN_JALR_TOP][i], -1));
    REFUSED(JALR, 1, add_to(&c[VN_JALR_TOP][i], 1 << 16));
    REFUSED(JALR, 1, c[VN_JALR_BIT][i] = 2; add_to(&c[VN_JALR_NEXT][i], -1));
    REFUSED(JALR, c[VN_JALR_HIGH][i], c[VN_JALR_HIGH][i] = 0);
    /* An odd target: half an instruction further. */
    REFUSED(JALR, c[VN_JALR_BIT][i], c[VN_JALR_BIT][i] = 0; add_to(&c[VN_JALR_NEXT][i], (VN_P + 1) / 2));
    /* An instruction twice as long, a branch that falls through too far. */
    REFUSED(ADDI, 1, add_to(&c[VN_ADDI_NEXT][i], 2));
    REFUSED(BRANCH_LESS, c[VN_BRANCH_LESS_NEXT][i] != c[VN_BRANCH_LESS_TARGET][i], c[VN_BRANCH_LESS_LENGTH][i] = 4; add_to(&c[VN_BRANCH_LESS_NEXT][i], 2));
    /* A halt that goes on. */
    REFUSED(HALT, 1, (void)0; s->shard.halted = 0);
    s->shard.halted = 1;
    air_job_free(&job);
}

/* A row that jumps to `target`, by a register that holds it: every constraint of the row holds. Returns whether all its lookups are answered. */
static int jump_is_possible(struct air_shard *s, size_t row, uint64_t target)
{
    uint32_t *const *c = MAIN(JALR);
    uint64_t a = target - (uint64_t)(int64_t)(int16_t)c[VN_JALR_IMM][row];
    for (unsigned k = 0; k < 4; k++)
        c[VN_JALR_A0 + k][row] = (uint16_t)(a >> 16 * k);
    c[VN_JALR_NEXT][row] = (uint32_t)((target & 0xffffffff) / 2 % VN_P);
    c[VN_JALR_BIT][row] = target & 1;
    c[VN_JALR_TOP][row] = (uint16_t)(target >> 16);
    c[VN_JALR_HIGH][row] = target >> 31 & 1;
    struct vn_walk *w = vn_walk_new();
    const struct vn_air_graph *g = &vn_air_graphs[VN_TABLE_JALR];
    vn_walk_table(w, VN_TABLE_JALR, NULL, NULL, (const uint32_t *const *)c, s->shard.index);
    vn_walk_block(w, row - row % VN_WALK_ROWS, g->n_nodes);
    for (unsigned i = 0; i < g->n_constraints && target >> 32 == 0; i++)
        cr_assert_eq(w->value[g->constraints[i]][row % VN_WALK_ROWS], 0);
    vn_walk_free(w);
    return recount(&job, s);
}

/* pc / 2 of target and of target - 2 p are the same field element. */
Test(forgery, jump_alias)
{
    struct air_shard *s = shard_of(VN_SHARD_EXECUTION);
    uint64_t p = VN_P;
    cr_assert(MAIN(JALR)[VN_JALR_SEL][0]);
    cr_expect(jump_is_possible(s, 0, 0x80000000) && jump_is_possible(s, 0, 0x87fffffe) && jump_is_possible(s, 0, VN_BIOS_EXIT));
    cr_expect(jump_is_possible(s, 0, 0x80000001)); /* bit 0 is cleared */
    cr_expect_not(jump_is_possible(s, 0, VN_BIOS_EXIT + 2 * p));
    cr_expect_not(jump_is_possible(s, 0, VN_BIOS_EXIT + 4 + 2 * p + 1));
    cr_expect_not(jump_is_possible(s, 0, 0xc0000000));
    cr_expect_not(jump_is_possible(s, 0, 0xffffffff));
    for (uint32_t top = 0xfd00; top <= 0xffff; top++) /* all limbs near and above 2 p */
        cr_expect_not(jump_is_possible(s, 0, (uint64_t)top << 16 | 0x1000));
    air_job_free(&job);
}

Test(forgery, memory_access)
{
    struct air_shard *s = shard_of(VN_SHARD_EXECUTION);
    REFUSED(LD, 1, add_to(&c[VN_LD_WORD0][i], 1 << 13); add_to(&c[VN_LD_TOP][i], -1));
    REFUSED(LW, 1, c[VN_LW_HALF][i] ^= 1);
    REFUSED(LH, c[VN_LH_IS_LB][i], c[VN_LH_BYTE_SIGN][i] ^= 1);
    REFUSED(LH, c[VN_LH_IS_LBU][i], c[VN_LH_ODD][i] ^= 1);
    REFUSED(SH, c[VN_SH_IS_SB][i], c[VN_SH_ODD][i] ^= 1);
    /* An access that goes back in time. */
    REFUSED(LD, c[VN_LD_PREVM][i], c[VN_LD_PREVM][i] = c[VN_LD_CLK][i] + 2);
    /* A write on a padding row. */
    uint32_t *const *c = MAIN(ADDI);
    size_t last = ROWS(ADDI) - 1;
    cr_assert_eq(c[VN_ADDI_SEL][last], 0);
    c[VN_ADDI_WR][last] = 1;
    c[VN_ADDI_RD][last] = 5;
    c[VN_ADDI_PREVD][last] = 4;
    cr_assert_not(accepted(&job, s));
    air_job_free(&job);
}

Test(forgery, misaligned_access)
{
    struct air_shard *s = shard_of(VN_SHARD_EXECUTION);
    /* The second word is left alone: it keeps its old value, or is not accessed at all. */
    REFUSED(STORE_MISALIGNED, c[VN_STORE_MISALIGNED_N4][i] != c[VN_STORE_MISALIGNED_HIGH0][i], for (int k = 0; k < 4; k++) c[VN_STORE_MISALIGNED_N4 + k][i] = c[VN_STORE_MISALIGNED_HIGH0 + k][i]);
    REFUSED(STORE_MISALIGNED, c[VN_STORE_MISALIGNED_CROSS][i],
            c[VN_STORE_MISALIGNED_CROSS][i] = c[VN_STORE_MISALIGNED_PREVM2][i] = c[VN_STORE_MISALIGNED_CARRY][i] = 0;
            for (int k = 0; k < 4; k++) c[VN_STORE_MISALIGNED_N4 + k][i] = c[VN_STORE_MISALIGNED_HIGH0 + k][i] = c[VN_STORE_MISALIGNED_HIGH_HI0 + k][i] = 0);
    /* An access that fits one word reaches for a second. */
    REFUSED(LOAD_MISALIGNED, !c[VN_LOAD_MISALIGNED_CROSS][i], c[VN_LOAD_MISALIGNED_CROSS][i] = 1);
    /* Bytes in the wrong order, from another offset, of another size, with another sign. */
    REFUSED(LOAD_MISALIGNED, c[VN_LOAD_MISALIGNED_BYTE0][i] != c[VN_LOAD_MISALIGNED_BYTE1][i],
            uint32_t b = c[VN_LOAD_MISALIGNED_BYTE0][i]; c[VN_LOAD_MISALIGNED_BYTE0][i] = c[VN_LOAD_MISALIGNED_BYTE1][i]; c[VN_LOAD_MISALIGNED_BYTE1][i] = b);
    REFUSED(LOAD_MISALIGNED, c[VN_LOAD_MISALIGNED_AT3][i], c[VN_LOAD_MISALIGNED_AT3][i] = 0; c[VN_LOAD_MISALIGNED_AT5][i] = 1);
    REFUSED(LOAD_MISALIGNED, c[VN_LOAD_MISALIGNED_IS_LWU][i], c[VN_LOAD_MISALIGNED_IS_LWU][i] = 0; c[VN_LOAD_MISALIGNED_IS_LHU][i] = 1);
    REFUSED(LOAD_MISALIGNED, c[VN_LOAD_MISALIGNED_SIGN][i], c[VN_LOAD_MISALIGNED_SIGN][i] = 0;
            for (int k = 0; k < 3; k++) if (c[VN_LOAD_MISALIGNED_UPPER0 + k][i] == 65535) c[VN_LOAD_MISALIGNED_UPPER0 + k][i] = 0);
    /* A byte split otherwise, the limb unchanged. */
    REFUSED(STORE_MISALIGNED, c[VN_STORE_MISALIGNED_LOW_HI0][i] > 0, add_to(&c[VN_STORE_MISALIGNED_LOW_HI0][i], -1));
    /* The second word at another address: behind the page's end without the carry, or somewhere else with one. */
    REFUSED(STORE_MISALIGNED, c[VN_STORE_MISALIGNED_CARRY][i], c[VN_STORE_MISALIGNED_CARRY][i] = 0);
    REFUSED(STORE_MISALIGNED, c[VN_STORE_MISALIGNED_CROSS][i] && !c[VN_STORE_MISALIGNED_CARRY][i], c[VN_STORE_MISALIGNED_CARRY][i] = 1);
    /* Back in time on the second word alone. */
    REFUSED(LOAD_MISALIGNED, c[VN_LOAD_MISALIGNED_PREVM2][i], c[VN_LOAD_MISALIGNED_PREVM2][i] = c[VN_LOAD_MISALIGNED_CLK][i] + 2);
    air_job_free(&job);
}

static void set_value(uint32_t *const *c, unsigned first, size_t row, unsigned from)
{
    for (unsigned k = 0; k < 4; k++)
        c[first + k][row] = c[from + k][row];
}

Test(forgery, atomics)
{
    struct air_shard *s = shard_of(VN_SHARD_EXECUTION);
    /* An sc that says it failed, and one that says so and leaves memory alone; one that succeeds and stores nothing. */
    REFUSED(LRSC, c[VN_LRSC_IS_SC][i] && c[VN_LRSC_WR][i], c[VN_LRSC_R0][i] = 1);
    REFUSED(LRSC, c[VN_LRSC_IS_SC][i] && c[VN_LRSC_WR][i], c[VN_LRSC_R0][i] = 1; set_value(c, VN_LRSC_N0, i, VN_LRSC_M0));
    REFUSED(LRSC, c[VN_LRSC_IS_SC][i] && c[VN_LRSC_N0][i] != c[VN_LRSC_M0][i], set_value(c, VN_LRSC_N0, i, VN_LRSC_M0));
    /* An lr that stores its operand, or is taken for an sc. */
    REFUSED(LRSC, !c[VN_LRSC_IS_SC][i], c[VN_LRSC_N0][i] = c[VN_LRSC_M0][i] ^ 1);
    REFUSED(LRSC, !c[VN_LRSC_IS_SC][i], c[VN_LRSC_IS_SC][i] = 1; for (int k = 0; k < 4; k++) c[VN_LRSC_R0 + k][i] = 0);
    /* The doubleword form of a word instruction; the other half; the other sign. */
    REFUSED(AMO_ADD, c[VN_AMO_ADD_IS_WORD][i], c[VN_AMO_ADD_IS_WORD][i] = 0);
    REFUSED(AMO_ADD, c[VN_AMO_ADD_IS_WORD][i], c[VN_AMO_ADD_HALF][i] ^= 1);
    REFUSED(AMO_ADD, c[VN_AMO_ADD_SIGN][i], c[VN_AMO_ADD_SIGN][i] = c[VN_AMO_ADD_X2][i] = c[VN_AMO_ADD_X3][i] = 0);
    /* A sum beyond 16 bits; a swap that adds. */
    REFUSED(AMO_ADD, c[VN_AMO_ADD_IS_ADD][i] && !c[VN_AMO_ADD_IS_WORD][i], (add_to(&c[VN_AMO_ADD_V3][i], 65536), add_to(&c[VN_AMO_ADD_N3][i], 65536)));
    REFUSED(AMO_ADD, !c[VN_AMO_ADD_IS_ADD][i], c[VN_AMO_ADD_IS_ADD][i] = 1);
    REFUSED(AMO_BITWISE, c[VN_AMO_BITWISE_IS_OR][i], (c[VN_AMO_BITWISE_IS_OR][i] = 0, c[VN_AMO_BITWISE_IS_AND][i] = 1));
    /* Minimum for maximum, and the order of the other kind: the verdict turned round with everything that follows from it. */
    REFUSED(AMO_MINMAX, c[VN_AMO_MINMAX_LESS][i] && !c[VN_AMO_MINMAX_IS_WORD][i],
            (c[VN_AMO_MINMAX_LESS][i] = 0, add_to(&c[VN_AMO_MINMAX_GAP][i], -2 - 2 * (int64_t)c[VN_AMO_MINMAX_GAP][i]),
             set_value(c, VN_AMO_MINMAX_V0, i, VN_AMO_MINMAX_X0), set_value(c, VN_AMO_MINMAX_N0, i, VN_AMO_MINMAX_X0)));
    REFUSED(AMO_MINMAX, c[VN_AMO_MINMAX_SIGN_A][i] != c[VN_AMO_MINMAX_SIGN_B][i], (c[VN_AMO_MINMAX_SIGN_A][i] ^= 1, c[VN_AMO_MINMAX_SIGN_B][i] ^= 1));
    REFUSED(AMO_MINMAX, c[VN_AMO_MINMAX_IS_MINU][i], (c[VN_AMO_MINMAX_IS_MINU][i] = 0, c[VN_AMO_MINMAX_IS_MAXU][i] = 1));
    /* A word operand that is not extended. */
    REFUSED(AMO_MINMAX, c[VN_AMO_MINMAX_OPERAND_SIGN][i],
            c[VN_AMO_MINMAX_OPERAND_SIGN][i] = c[VN_AMO_MINMAX_OPERAND_UPPER0][i] = c[VN_AMO_MINMAX_OPERAND_UPPER1][i] = 0);
    air_job_free(&job);
}

Test(forgery, boundary)
{
    struct air_shard *s = shard_of(VN_SHARD_EXECUTION);
    uint32_t *const *c = P1(BOUNDARY);
    c[VN_P1_BOUNDARY_PREV_SHARD][0] = s->shard.index; /* not earlier */
    cr_assert_not(accepted(&job, s));
    c[VN_P1_BOUNDARY_PREV_SHARD][0] = 0;
    cr_assert(accepted(&job, s));
    c[VN_P1_BOUNDARY_FINAL0][0] ^= 1;
    cr_assert_not(accepted(&job, s));
    air_job_free(&job);
}

/* Rows and lookups that count other than once: twice, less than nothing, or as often as weighs nothing mod p. */
Test(forgery, multiplicities)
{
    struct air_shard *s = shard_of(VN_SHARD_EXECUTION);
    uint32_t *sel = P1(BOUNDARY)[VN_P1_BOUNDARY_SEL];
    const uint32_t wrong[] = {2, VN_P - 1, 0};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        sel[0] = wrong[k];
        cr_assert_not(accepted(&job, s), "a boundary row counts %u times", wrong[k]);
    }
    sel[0] = 1;
    cr_assert(accepted(&job, s));
    REFUSED(ADD, 1, c[VN_ADD_SEL][i] = VN_P - 1);
    REFUSED(ADD, c[VN_ADD_WR][i], c[VN_ADD_WR][i] = 2);
    REFUSED(LW, c[VN_LW_IS_UNSIGNED][i], c[VN_LW_IS_UNSIGNED][i] = VN_P - 1);
    /* A provider sells a tuple that nobody asked for, or takes one back. */
    struct vn_error err = {VN_OK, ""};
    uint32_t *sold = MAIN(TIME)[0];
    sold[77] = vn_fp_add(sold[77], VN_P - 1);
    cr_assert_eq(vn_trace_check(&s->trace, job.program, &s->shard, &err), VN_ERR_WITNESS);
    cr_assert_not_null(strstr(err.text, "bus TIME"), "%s", err.text);
    sold[77] = vn_fp_add(sold[77], 2);
    cr_assert_eq(vn_trace_check(&s->trace, job.program, &s->shard, &err), VN_ERR_WITNESS);
    air_job_free(&job);
}

static size_t memory_row(const struct air_shard *s, unsigned flag)
{
    for (size_t i = 0; i < ROWS(MEMORY); i++)
        if (P1(MEMORY)[VN_P1_MEMORY_SEL][i] && MAIN(MEMORY)[flag][i])
            return i;
    cr_assert_fail("no such memory row");
    return 0;
}

Test(forgery, initial_memory)
{
    struct air_shard *s = shard_of(VN_SHARD_MEMORY);
    uint32_t *const *c = MAIN(MEMORY), *const *p1 = P1(MEMORY);
    size_t i = memory_row(s, VN_MEMORY_IS_IMAGE);

    /* An image word started from zero, and one with another value. */
    while (p1[VN_P1_MEMORY_INIT0][i] == 0 || !c[VN_MEMORY_IS_IMAGE][i])
        i++;
    uint32_t was = p1[VN_P1_MEMORY_INIT0][i];
    c[VN_MEMORY_IS_IMAGE][i] = 0;
    c[VN_MEMORY_IS_ZERO][i] = 1;
    p1[VN_P1_MEMORY_INIT0][i] = 0;
    cr_assert_not(accepted(&job, s));
    c[VN_MEMORY_IS_IMAGE][i] = 1;
    c[VN_MEMORY_IS_ZERO][i] = 0;
    p1[VN_P1_MEMORY_INIT0][i] = was ^ 1;
    cr_assert_not(accepted(&job, s));
    p1[VN_P1_MEMORY_INIT0][i] = was;
    cr_assert(accepted(&job, s));

    /* Input limbs beyond 16 bits; a zero word that is not. */
    i = memory_row(s, VN_MEMORY_IS_INPUT);
    was = p1[VN_P1_MEMORY_INIT3][i];
    p1[VN_P1_MEMORY_INIT3][i] = 65536;
    cr_assert_not(accepted(&job, s));
    p1[VN_P1_MEMORY_INIT3][i] = was ^ 1; /* another input: fine here */
    cr_assert(accepted(&job, s));
    p1[VN_P1_MEMORY_INIT3][i] = was;
    i = memory_row(s, VN_MEMORY_IS_ZERO);
    p1[VN_P1_MEMORY_INIT2][i] = 1;
    cr_assert_not(accepted(&job, s));
    p1[VN_P1_MEMORY_INIT2][i] = 0;

    /* A word twice: the row repeated after itself, the chain mended. */
    size_t end = 0;
    while (p1[VN_P1_MEMORY_SEL][end])
        end++;
    for (unsigned k = 0; k < VN_P1_MEMORY_COLUMNS; k++)
        p1[k][end] = p1[k][end - 1];
    for (unsigned k = 0; k < VN_MEMORY_COLUMNS; k++)
        c[k][end] = c[k][end - 1];
    c[VN_MEMORY_PREV_KEY][end] = s->shard.last_key;
    cr_assert_not(accepted(&job, s));
    c[VN_MEMORY_GAP_HI][end] = (VN_P - 1) >> 16;
    cr_assert_not(accepted(&job, s));
    for (unsigned k = 0; k < VN_P1_MEMORY_COLUMNS; k++)
        p1[k][end] = 0;
    for (unsigned k = 0; k < VN_MEMORY_COLUMNS; k++)
        c[k][end] = 0;
    cr_assert(accepted(&job, s));

    /* An output row for a word that is none. */
    i = memory_row(s, VN_MEMORY_IS_INPUT);
    p1[VN_P1_MEMORY_OUT][i] = 1;
    cr_assert_not(accepted(&job, s));
    p1[VN_P1_MEMORY_OUT][i] = 0;
    i = end - 1; /* a register */
    cr_assert_eq(p1[VN_P1_MEMORY_SPACE][i], VN_SPACE_REGISTER);
    p1[VN_P1_MEMORY_OUT][i] = 1;
    cr_assert_not(accepted(&job, s));
    air_job_free(&job);
}
