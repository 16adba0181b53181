/* Forged jobs: every shard is a valid proof of its own, and only the whole does not hold together. Two execution and two memory shards; each lie
 * proves all four again, since all of them answer to the job. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "air_tables.h"
#include "tests/soundness/forger.h"
#include "tests/soundness/guest.h"

enum { SHARDS = 4, COUNT = 110, NUMBER = -7 };

void test_fail(const char *what, const struct vn_error *err)
{
    cr_assert(0, "%s: %s", what, err ? err->text : "");
    abort();
}

struct job_lie {
    uint32_t position;
    uint32_t spliced; /* bit i: shard i is from the other run */
    struct lie lie;
};

/* ---- Lies ---- */

static uint32_t *const *boundary(struct forger *f)
{
    return f->w->trace.p1[VN_TABLE_BOUNDARY];
}

/* The register x0, which nobody writes, is taken from the initial memory a second time. */
static void initial_again(struct forger *f)
{
    uint32_t *const *c = boundary(f);
    size_t i = 0;
    while (!(c[VN_P1_BOUNDARY_SPACE][i] == VN_SPACE_REGISTER && c[VN_P1_BOUNDARY_WORD][i] == 0))
        cr_assert(++i < (size_t)1 << f->w->trace.log_height[VN_TABLE_BOUNDARY], "x0 is not touched");
    cr_assert(c[VN_P1_BOUNDARY_SEL][i] && c[VN_P1_BOUNDARY_PREV_SHARD][i] == 1);
    forger_row_begin(f, VN_TABLE_BOUNDARY, i);
    c[VN_P1_BOUNDARY_PREV_SHARD][i] = 0;
    forger_row_end(f, VN_TABLE_BOUNDARY, i);
}

/* A second row for a word: put at time 0 and taken again at once, so the shard does not see it. */
static void row_twice(struct forger *f)
{
    uint32_t *const *c = boundary(f);
    size_t end = 0;
    while (c[VN_P1_BOUNDARY_SEL][end])
        end++;
    cr_assert(end < (size_t)1 << f->w->trace.log_height[VN_TABLE_BOUNDARY]);
    forger_row_begin(f, VN_TABLE_BOUNDARY, end);
    for (unsigned k = 0; k < VN_P1_BOUNDARY_COLUMNS; k++)
        c[k][end] = c[k][end - 1];
    for (unsigned k = 0; k < 4; k++)
        c[VN_P1_BOUNDARY_FINAL0 + k][end] = c[VN_P1_BOUNDARY_INIT0 + k][end];
    forger_row_end(f, VN_TABLE_BOUNDARY, end);
}

/* An output word is not shown. */
static void output_hidden(struct forger *f)
{
    uint32_t *const *c = f->w->trace.p1[VN_TABLE_MEMORY];
    size_t i = 0;
    while (!c[VN_P1_MEMORY_OUT][i])
        cr_assert(++i < (size_t)1 << f->w->trace.log_height[VN_TABLE_MEMORY], "no output in this shard");
    forger_row_begin(f, VN_TABLE_MEMORY, i);
    c[VN_P1_MEMORY_OUT][i] = 0;
    forger_row_end(f, VN_TABLE_MEMORY, i);
}

/* The last memory row is dropped, and with it the word's initial value and its end. */
static void word_dropped(struct forger *f)
{
    uint32_t *const *p1 = f->w->trace.p1[VN_TABLE_MEMORY], *const *main = f->w->trace.main[VN_TABLE_MEMORY];
    size_t i = 0;
    while (p1[VN_P1_MEMORY_SEL][i + 1])
        i++;
    forger_row_begin(f, VN_TABLE_MEMORY, i);
    f->w->header.pub.last_key = main[VN_MEMORY_PREV_KEY][i];
    for (unsigned k = 0; k < VN_P1_MEMORY_COLUMNS; k++)
        p1[k][i] = 0;
    for (unsigned k = 0; k < VN_MEMORY_COLUMNS; k++)
        main[k][i] = 0;
    forger_row_end(f, VN_TABLE_MEMORY, i);
}

/* The second memory shard begins with the last word of the first. */
static struct vn_memory_row overlapping[1 << 8];

static void overlap(struct vn_shard *s, const struct vn_shard *first)
{
    cr_assert(s->n_memory < sizeof overlapping / sizeof *overlapping && first->n_memory >= 2);
    overlapping[0] = first->memory[first->n_memory - 1];
    memcpy(overlapping + 1, s->memory, s->n_memory * sizeof *s->memory);
    const struct vn_memory_row *before = &first->memory[first->n_memory - 2];
    s->prev_key = VN_KEY(before->space, before->word);
    s->memory = overlapping;
    s->n_memory++;
}

static const struct job_lie lies[] = {
    {0, 2, {.name = "two runs spliced", .reason = "global buses do not balance"}},
    {0, 12, {.name = "memory shards of another run", .reason = "global buses do not balance"}},
    {1, 0, {.name = "a word started twice", .reason = "global buses do not balance", .trace = initial_again}},
    {0, 0, {.name = "two rows for a word", .reason = "global buses do not balance", .trace = row_twice}},
    {2, 0, {.name = "an output word hidden", .reason = "global buses do not balance", .trace = output_hidden}},
    {3, 0, {.name = "a word left out of memory", .reason = "global buses do not balance", .trace = word_dropped}},
    {3, 0, {.name = "memory shards that overlap", .reason = "does not start at the last key", .shard = overlap}},
};

/* ---- A job told by a forger ---- */

struct scene {
    struct test_job run, other;
    struct vn_arena arena;
};

static const struct test_job *run_of(const struct scene *s, const struct job_lie *lie, uint32_t position)
{
    return lie && lie->spliced >> position & 1 ? &s->other : &s->run;
}

static void begin(struct scene *s, struct forger *f, const struct job_lie *lie, uint32_t position, struct vn_shard *shard)
{
    const struct lie *l = lie && lie->position == position ? &lie->lie : NULL;
    *shard = run_of(s, lie, position)->shards[position];
    forger_init(f, s->run.setup, s->run.setup, s->run.program, s->run.prover.backend, s->run.pool);
    if (l && l->shard)
        l->shard(shard, &s->run.shards[position - 1]);
    forger_begin(f, shard, l);
}

static enum vn_status tell(struct scene *s, const struct job_lie *lie, struct vn_error *err)
{
    struct vn_digest leaves[SHARDS];
    struct vn_job job = {.n_exec = 2, .n_mem = 2, .leaves = leaves};
    struct vn_writer proofs[SHARDS] = {{0}};
    struct vn_bytes parts[SHARDS];
    struct vn_statement st;
    struct vn_shard shard;
    struct forger f;
    memcpy(job.output, run_of(s, lie, 3)->run.output, sizeof job.output);
    for (uint32_t i = 0; i < SHARDS; i++) {
        begin(s, &f, lie, i, &shard);
        leaves[i] = f.w->leaf;
        forger_end(&f);
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        begin(s, &f, lie, i, &shard);
        forger_finish(&f, lie && lie->position == i ? &lie->lie : NULL, &job, &proofs[i]);
        forger_end(&f);
        parts[i] = (struct vn_bytes){proofs[i].data, proofs[i].len};
    }

    /* Each proof alone is good. */
    struct vn_digest root;
    struct vn_job_context context;
    struct vn_rejection why;
    if (vn_job_root(&job, &root, err) != VN_OK || vn_job_context_init(&context, &s->run.setup->vk, 2, 2, &root, job.output, &why) != VN_OK)
        test_fail("job", err);
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct vn_shard_public pub;
        struct vn_fp6 total;
        size_t used;
        cr_expect(vn_verify_shard(&s->arena, &context, i + 1, parts[i].data, parts[i].len, &used, &pub, &total, &why) == VN_OK, "%s: %s",
                  lie ? lie->lie.name : "the truth", why.reason);
    }

    uint8_t *bundle = NULL;
    size_t len;
    if (vn_bundle_build(&s->run.setup->vk, &job, s->run.run.steps, parts, &bundle, &len, err) != VN_OK)
        test_fail("bundle", err);
    enum vn_status status = vn_verify_bundle_in(&s->arena, &vn_batch_hash_scalar, bundle, len, &s->run.setup->vk, &st, &why);
    free(bundle);
    for (uint32_t i = 0; i < SHARDS; i++)
        vn_writer_fini(&proofs[i]);
    return vn_rejection_explain(status, &why, err);
}

static struct scene open_scene(void)
{
    struct scene s = {.arena = {.base = malloc(VN_VERIFY_ARENA_BYTES), .size = VN_VERIFY_ARENA_BYTES}};
    cr_assert_not_null(s.arena.base);
    guest_run(&s.run, 0, 0, COUNT, NUMBER, 10, 7);
    guest_run(&s.other, 0, 0, COUNT, NUMBER - 2, 10, 7);
    test_job_setup(&s.run, vn_backend_select(NULL), 2);
    cr_assert(s.run.run.n_exec == 2 && s.run.run.n_mem == 2 && s.other.run.n_exec == 2 && s.other.run.n_mem == 2);
    cr_assert(s.run.run.steps == s.other.run.steps && memcmp(s.run.run.output, s.other.run.output, VN_OUTPUT_BYTES) != 0);
    return s;
}

static void close_scene(struct scene *s)
{
    free(s->arena.base);
    test_job_fini(&s->other);
    test_job_fini(&s->run);
}

Test(job, the_truth_passes, .timeout = 600)
{
    struct scene s = open_scene();
    struct vn_error err = {0};
    cr_expect(tell(&s, NULL, &err) == VN_OK, "%s", err.text);
    close_scene(&s);
}

Test(job, false_histories, .timeout = 1800)
{
    struct scene s = open_scene();
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct vn_error err = {0};
        enum vn_status status = tell(&s, &lies[i], &err);
        cr_expect(status == VN_ERR_INVALID_PROOF, "%s: accepted", lies[i].lie.name);
        cr_expect(strstr(err.text, lies[i].lie.reason) != NULL, "%s: refused for another reason: %s", lies[i].lie.name, err.text);
    }
    close_scene(&s);
}
