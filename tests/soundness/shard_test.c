/* Forged shards: what one shard's verifier must refuse. Most of the lies are whole executions of another program ("ghost": one instruction differs), told
 * under the real program's key, with the rows of that instruction dressed up as the real one. Memory, time, program counters and look-ups then all agree,
 * and only the constraint that says what the instruction does can object. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "air_tables.h"
#include "tests/soundness/forger.h"
#include "tests/soundness/guest.h"

void test_fail(const char *what, const struct vn_error *err)
{
    cr_assert(0, "%s: %s", what, err ? err->text : "");
    abort();
}

struct dress { /* in every row of the table at the pc */
    unsigned table, pc_column;
    struct {
        unsigned column;
        uint32_t value;
    } set[3];
    unsigned n;
};

static const struct dress *costume; /* of the lie being told */
static uint32_t costume_pc;

static void dress_up(struct forger *f)
{
    size_t rows = 0;
    for (size_t i = 0; (i = forger_find(f, costume->table, costume->pc_column, costume_pc, i)) != SIZE_MAX; i++, rows++) {
        forger_row_begin(f, costume->table, i);
        for (unsigned k = 0; k < costume->n; k++)
            f->w->trace.main[costume->table][costume->set[k].column][i] = costume->set[k].value;
        forger_row_end(f, costume->table, i);
    }
    cr_assert(rows > 0, "the ghost left no rows");
}

static void halt_early(struct forger *f)
{
    f->w->header.pub.steps--;
    f->w->header.pub.halted = 1;
    f->w->header.pub.end_pc = 0;
}

/* The last word of the image that the shard touches starts from zero, or from something else. */
static size_t image_row(const struct forger *f)
{
    size_t last = SIZE_MAX;
    for (size_t i = 0; (i = forger_find(f, VN_TABLE_MEMORY, VN_MEMORY_IS_IMAGE, 1, i)) != SIZE_MAX; i++)
        if (f->w->trace.p1[VN_TABLE_MEMORY][VN_P1_MEMORY_INIT0][i])
            last = i;
    cr_assert(last != SIZE_MAX);
    return last;
}

static void image_from_zero(struct forger *f)
{
    size_t i = image_row(f);
    forger_row_begin(f, VN_TABLE_MEMORY, i);
    f->w->trace.main[VN_TABLE_MEMORY][VN_MEMORY_IS_IMAGE][i] = 0;
    f->w->trace.main[VN_TABLE_MEMORY][VN_MEMORY_IS_ZERO][i] = 1;
    for (unsigned k = 0; k < 4; k++)
        f->w->trace.p1[VN_TABLE_MEMORY][VN_P1_MEMORY_INIT0 + k][i] = 0;
    forger_row_end(f, VN_TABLE_MEMORY, i);
}

static void image_changed(struct forger *f)
{
    size_t i = image_row(f);
    forger_row_begin(f, VN_TABLE_MEMORY, i);
    f->w->trace.p1[VN_TABLE_MEMORY][VN_P1_MEMORY_INIT0][i] ^= 1;
    forger_row_end(f, VN_TABLE_MEMORY, i);
}

static const struct dress sub_as_add = {VN_TABLE_ADD, VN_ADD_PC, {{VN_ADD_IS_SUB, 0}}, 1};
static const struct dress rem_as_div = {VN_TABLE_DIV, VN_DIV_PC, {{VN_DIV_IS_REM, 0}}, 1};
static const struct dress srl_as_sra = {VN_TABLE_SHIFT, VN_SHIFT_PC, {{VN_SHIFT_IS_SRL, 0}, {VN_SHIFT_IS_SRA, 1}, {VN_SHIFT_FILL, 1}}, 3};
static const struct dress sltu_as_slt = {VN_TABLE_SLT, VN_SLT_PC, {{VN_SLT_IS_UNSIGNED, 0}, {VN_SLT_SIGN_A, 1}}, 2};
static const struct dress bge_as_blt = {VN_TABLE_BRANCH_LESS, VN_BRANCH_LESS_PC, {{VN_BRANCH_LESS_IS_BGE, 0}}, 1};
static const struct dress add_16_as_8 = {VN_TABLE_ADDI, VN_ADDI_PC, {{VN_ADDI_IMM, 8}}, 1};
static const struct dress lbu_as_lb = {VN_TABLE_LH, VN_LH_PC, {{VN_LH_IS_LBU, 0}, {VN_LH_IS_LB, 1}, {VN_LH_BYTE_SIGN, 1}}, 3};
static const struct dress undressed = {VN_TABLE_ADD, VN_ADD_PC, {{0, 0}}, 0};

#define CONSTRAINTS "constraints of log height"
#define BUSES "the local buses do not balance"

static const struct {
    enum guest_insn insn;
    uint32_t ghost;
    const struct dress *dress;
    int ghost_pre; /* the preprocessed tables are the ghost's too */
    struct lie lie;
} lies[] = {
    {INSN_ADD, rv_r(32, 9, 7, 0, 7, 0x33), &sub_as_add, 0, {.name = "a subtraction called addition", .reason = CONSTRAINTS, .trace = dress_up}},
    {INSN_DIV, rv_r(1, 6, 8, 6, 12, 0x33), &rem_as_div, 0, {.name = "a remainder called quotient", .reason = CONSTRAINTS, .trace = dress_up}},
    {INSN_SHIFT, rv_r(0, 6, 8, 5, 13, 0x33), &srl_as_sra, 0, {.name = "a logical shift called arithmetic", .reason = CONSTRAINTS, .trace = dress_up}},
    {INSN_LESS, rv_r(0, 6, 8, 3, 16, 0x33), &sltu_as_slt, 0, {.name = "an unsigned comparison called signed", .reason = CONSTRAINTS, .trace = dress_up}},
    {INSN_BRANCH, rv_b(-40, 6, 0, 5), &bge_as_blt, 0, {.name = "a branch the other way", .reason = CONSTRAINTS, .trace = dress_up}},
    {INSN_NEXT, RV_ADDI(5, 5, 16), &add_16_as_8, 0, {.name = "another immediate", .reason = CONSTRAINTS, .trace = dress_up}},
    {INSN_LOAD_BYTE, rv_i(0, 5, 4, 14, 0x03), &lbu_as_lb, 0, {.name = "a byte without its sign", .reason = BUSES, .trace = dress_up}},
    {INSN_ADD, rv_r(32, 9, 7, 0, 7, 0x33), &undressed, 0, {.name = "another instruction", .reason = BUSES}},
    {INSN_RESULT, 0x0000000f, NULL, 0, {.name = "an instruction left out", .reason = BUSES}},
    {INSN_RESULT, 0x0000000f, NULL, 0, {.name = "left out, with a total that balances", .reason = CONSTRAINTS, .bend = FORGE_TOTALS}},
    {INSN_RESULT, 0x0000000f, NULL, 0, {.name = "left out, with values that fit", .reason = "claimed evaluations", .bend = FORGE_TOTALS | FORGE_VALUES}},
    {INSN_RESULT, 0x0000000f, NULL, 1, {.name = "another program's tables under this key", .reason = "not under the root"}},
    {0, 0, NULL, 0, {.name = "a halt one step early", .reason = BUSES, .trace = halt_early}},
    {0, 0, NULL, 0, {.name = "lookup challenges of the prover's choice", .reason = BUSES, .bend = FORGE_CHALLENGES}},
    {0, 0, NULL, 0, {.name = "the same with a total that balances", .reason = CONSTRAINTS, .bend = FORGE_CHALLENGES | FORGE_TOTALS}},
    {0, 0, NULL, 0, {.name = "a global total of the prover's choice", .reason = CONSTRAINTS, .bend = FORGE_GLOBAL_TOTAL}},
    {0, 0, NULL, 0, {.name = "phase-1 columns chosen after the job", .reason = "not under the root", .bend = FORGE_P1_LATE}},
    {0, 0, NULL, 0, {.name = "main columns chosen after the challenges", .reason = "not under the root", .bend = FORGE_MAIN_LATE}},
};

static const struct lie memory_lies[] = {
    {.name = "an image word from zero", .reason = BUSES, .trace = image_from_zero},
    {.name = "another image word", .reason = BUSES, .trace = image_changed},
    {.name = "another image word, with a total that balances", .reason = CONSTRAINTS, .trace = image_changed, .bend = FORGE_TOTALS},
};

/* Heights that the columns do not have, in the leaf and everywhere after it. */
static void boundary_taller(struct forger *f)
{
    cr_assert(f->w->header.log_height[VN_TABLE_BOUNDARY] != 14);
    f->w->header.log_height[VN_TABLE_BOUNDARY] = 14;
}

static void table_taller(struct forger *f)
{
    cr_assert(f->w->header.log_height[VN_TABLE_ADDI] != 14);
    f->w->header.log_height[VN_TABLE_ADDI] = 14;
}

static void table_dropped(struct forger *f)
{
    f->w->header.log_height[VN_TABLE_SHIFT] = VN_LOG_HEIGHT_ABSENT;
}

static void program_shorter(struct forger *f)
{
    f->w->header.log_height[VN_TABLE_PROGRAM] = f->w->header.log_height[VN_TABLE_PROGRAM] == 8 ? 12 : 8;
}

static const struct lie shape_lies[] = {
    {.name = "a taller boundary", .reason = CONSTRAINTS, .trace = boundary_taller},
    {.name = "a taller table", .reason = CONSTRAINTS, .trace = table_taller},
    {.name = "a table dropped", .reason = BUSES, .trace = table_dropped},
    {.name = "a program of another height", .reason = "not the verifying key's", .trace = program_shorter},
};

struct scene {
    struct test_job real;
    struct vn_arena arena;
};

/* Proves one shard of a job of two; the other leaf is nothing at all, which its verifier cannot know. Returns the verifier's answer. */
static enum vn_status tell(struct scene *s, const struct vn_setup *pre, const struct test_job *ran, uint32_t position, const struct lie *lie,
                           struct vn_error *err)
{
    struct forger f;
    struct vn_digest leaves[2] = {{{1}}, {{2}}}, root;
    struct vn_job job = {.n_exec = 1, .n_mem = 1, .leaves = leaves};
    struct vn_job_context context;
    struct vn_writer proof = {0};
    struct vn_shard_public pub;
    struct vn_fp6 total;
    struct vn_rejection why;
    size_t used;
    memcpy(job.output, ran->run.output, sizeof job.output);
    forger_init(&f, s->real.setup, pre, ran->program, s->real.prover.backend, s->real.pool);
    forger_begin(&f, &ran->shards[position], lie);
    leaves[position] = f.w->leaf;
    forger_finish(&f, lie, &job, &proof);
    forger_end(&f);
    if (vn_job_root(&job, &root, err) != VN_OK || vn_job_context_init(&context, &s->real.setup->vk, 1, 1, &root, job.output, &why) != VN_OK)
        test_fail("job", err);
    enum vn_status status = vn_verify_shard(&s->arena, &context, position + 1, proof.data, proof.len, &used, &pub, &total, &why);
    vn_writer_fini(&proof);
    return vn_rejection_explain(status, &why, err);
}

static void expect_refusal(enum vn_status status, const struct lie *lie, const struct vn_error *err)
{
    cr_expect(status == VN_ERR_INVALID_PROOF, "%s: accepted", lie->name);
    cr_expect(strstr(err->text, lie->reason) != NULL, "%s: refused for another reason: %s", lie->name, err->text);
}

static struct scene open_scene(void)
{
    struct scene s = {.arena = {.base = malloc(VN_VERIFY_ARENA_BYTES), .size = VN_VERIFY_ARENA_BYTES}};
    cr_assert_not_null(s.arena.base);
    guest_run(&s.real, 0, 0, 6, -7, 20, 0);
    test_job_setup(&s.real, vn_backend_select(NULL), 2);
    cr_assert(s.real.n_shards == 2);
    return s;
}

static void close_scene(struct scene *s)
{
    free(s->arena.base);
    test_job_fini(&s->real);
}

Test(shard, the_truth_passes, .timeout = 600)
{
    struct scene s = open_scene();
    struct vn_error err = {0};
    for (uint32_t i = 0; i < 2; i++)
        cr_expect(tell(&s, s.real.setup, &s.real, i, NULL, &err) == VN_OK, "%s", err.text);
    close_scene(&s);
}

Test(shard, false_executions, .timeout = 1800)
{
    struct scene s = open_scene();
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct test_job ghost;
        struct vn_error err = {0};
        guest_run(&ghost, lies[i].insn, lies[i].ghost, 6, -7, 20, 0);
        if (lies[i].ghost_pre)
            test_job_setup(&ghost, s.real.prover.backend, 2);
        costume = lies[i].dress;
        costume_pc = guest_pc(lies[i].insn);
        expect_refusal(tell(&s, lies[i].ghost_pre ? ghost.setup : s.real.setup, &ghost, 0, &lies[i].lie, &err), &lies[i].lie, &err);
        test_job_fini(&ghost);
    }
    close_scene(&s);
}

Test(shard, false_images, .timeout = 600)
{
    struct scene s = open_scene();
    for (size_t i = 0; i < sizeof memory_lies / sizeof *memory_lies; i++) {
        struct vn_error err = {0};
        expect_refusal(tell(&s, s.real.setup, &s.real, 1, &memory_lies[i], &err), &memory_lies[i], &err);
    }
    close_scene(&s);
}

Test(shard, false_shapes, .timeout = 600)
{
    struct scene s = open_scene();
    for (size_t i = 0; i < sizeof shape_lies / sizeof *shape_lies; i++) {
        struct vn_error err = {0};
        expect_refusal(tell(&s, s.real.setup, &s.real, 0, &shape_lies[i], &err), &shape_lies[i], &err);
    }
    close_scene(&s);
}
