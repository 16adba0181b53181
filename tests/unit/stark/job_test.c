/* Whole jobs: a program with two execution and two memory shards, proved, bundled, verified; then everything that must not pass.
 * One proof of N = 2^20 rows takes a second or two, so each test makes its job once and tries many changes on it. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "services/prover-engine/stark/shard.h"
#include "tests/unit/stark/job.h"
#include "tests/unit/vm/elf_builder.h"

void test_fail(const char *what, const struct vn_error *err)
{
    cr_assert(0, "%s: %s", what, err ? err->text : "");
    abort();
}

/* x5 = RAM base + 0x30000, then (in x6) many times: store x6, reload, advance. Leaves the last value in the first output word. */
static const uint32_t walk[] = {
    RV_LUI(5, 0xa0030), RV_SLLI(5, 5, 32), 0x0202d293 /* srli x5, x5, 32 */, RV_LD(6, 10, 16),
    /* loop */ RV_SD(6, 5, 0), RV_LD(7, 5, 0), RV_ADDI(5, 5, 8), RV_ADDI(6, 6, -1), RV_BNE(6, 0, -16),
    RV_SLLI(11, 11, 0), RV_SD(7, 11, 0), RV_RET,
};

static struct test_job run_walk(uint64_t count, unsigned shard_log2, unsigned memory_log2, const struct vn_backend *backend, unsigned threads)
{
    struct elf e = elf_of_code(walk, sizeof walk / sizeof *walk);
    size_t len;
    uint8_t *elf = elf_build(&e, &len);
    uint64_t input[2] = {8, count};
    struct vn_exec_options o = {
        .shard_log2 = shard_log2, .memory_shard_log2 = memory_log2, .input = (const uint8_t *)input, .input_len = sizeof input};
    struct test_job t;
    test_job_execute(&t, elf, len, VN_ABI_B, &o);
    free(elf);
    test_job_setup(&t, backend, threads);
    return t;
}

struct checker {
    struct vn_arena arena;
    struct vn_error err;
};

static struct checker checker(void)
{
    struct checker c = {.arena = {.base = malloc(VN_VERIFY_ARENA_BYTES), .size = VN_VERIFY_ARENA_BYTES}};
    cr_assert(c.arena.base != NULL);
    return c;
}

static enum vn_status check_bundle(struct checker *c, const uint8_t *bundle, size_t len, const struct vn_vk *vk, struct vn_statement *st)
{
    struct vn_rejection why;
    c->err = (struct vn_error){0};
    return vn_rejection_explain(vn_verify_bundle_in(&c->arena, &vn_batch_hash_scalar, bundle, len, vk, st, &why), &why, &c->err);
}

/* Expects rejection with a reason that contains `reason`. */
static void refuse(struct checker *c, enum vn_status s, const char *what, const char *reason)
{
    cr_expect(s == VN_ERR_INVALID_PROOF, "%s: status %d (%s)", what, (int)s, c->err.text);
    cr_expect(strstr(c->err.text, reason) != NULL, "%s: rejected for another reason: %s", what, c->err.text);
}

static struct vn_job_context context_of(const struct test_job *t, const struct vn_job *job)
{
    struct vn_digest root;
    struct vn_job_context c = {0};
    struct vn_error err = {0};
    struct vn_rejection why;
    if (vn_job_root(job, &root, &err) != VN_OK ||
        vn_job_context_init(&c, &t->setup->vk, job->n_exec, job->n_mem, &root, job->output, &why) != VN_OK)
        test_fail("job context", &err);
    return c;
}

static enum vn_status check_shard(struct checker *c, const struct vn_job_context *job, uint32_t index, const uint8_t *proof, size_t len)
{
    struct vn_shard_public pub;
    struct vn_fp6 total;
    size_t used = 0;
    struct vn_rejection why;
    c->err = (struct vn_error){0};
    enum vn_status s = vn_verify_shard(&c->arena, job, index, proof, len, &used, &pub, &total, &why);
    s = vn_rejection_explain(s, &why, &c->err);
    return s == VN_OK && used != len ? vn_fail(&c->err, VN_ERR_INVALID_PROOF, "trailing bytes") : s;
}

/* Where the parts of a shard proof start, in bytes. */
struct regions {
    size_t heights, pub, p1_root, z_evals, path, main_root, logup_root, totals, quot_root, values, fri_roots, final, nonce, openings, end;
};

static struct regions regions_of(const struct test_job *t, uint32_t position)
{
    struct vn_proving *w = calloc(1, sizeof *w);
    struct vn_error err = {0};
    if (vn_proving_start(w, &t->prover, &t->shards[position], &err) != VN_OK)
        test_fail("start", &err);
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    size_t n_totals = 0, n_values = 0;
    for (unsigned i = 0; i < k->n_tables; i++)
        for (unsigned scope = 0; scope < VN_SCOPE_COUNT; scope++)
            n_totals += vn_shape_present(&w->shape, k->tables[i]) && vn_air_tables[k->tables[i]].n_logup[scope];
    for (unsigned o = 0; o < VN_OPEN_Z; o++)
        n_values += w->shape.pcs.trees[w->shape.pcs.openings[o].tree].n_cols;
    struct regions r = {.heights = 8};
    r.pub = r.heights + 4 * k->n_tables;
    r.p1_root = r.pub + 4 * vn_header_public_count(w->shape.kind);
    r.z_evals = r.p1_root + 4 * VN_DIGEST_LEN;
    r.path = r.z_evals + 24 * w->shape.pcs.trees[VN_TREE_P1].n_cols;
    r.main_root = r.path + 4 * VN_DIGEST_LEN * vn_contribution_depth(t->job.n_exec + t->job.n_mem);
    r.logup_root = r.main_root + 4 * VN_DIGEST_LEN;
    r.totals = r.logup_root + 4 * VN_DIGEST_LEN;
    r.quot_root = r.totals + 24 * n_totals;
    r.values = r.quot_root + 4 * VN_DIGEST_LEN;
    r.fri_roots = r.values + 24 * n_values;
    r.final = r.fri_roots + 4 * VN_DIGEST_LEN * w->shape.pcs.params->n_folds;
    r.nonce = r.final + 24 * ((size_t)1 << vn_pcs_log_final(w->shape.pcs.params));
    r.openings = r.nonce + 4;
    r.end = t->proofs[position].len;
    vn_proving_fini(w);
    free(w);
    return r;
}

static uint32_t get_word(const uint8_t *at)
{
    uint32_t x;
    memcpy(&x, at, 4);
    return x;
}

static void put_word(uint8_t *at, uint32_t x)
{
    memcpy(at, &x, 4);
}

/* Bits flipped and p added, a few in each region. */
static void change_shard_proof(struct checker *c, const struct test_job *t, uint32_t position)
{
    struct vn_job_context job = context_of(t, &t->job);
    struct regions r = regions_of(t, position);
    size_t len = t->proofs[position].len;
    uint8_t *proof = malloc(len + 36);
    memcpy(proof, t->proofs[position].data, len);
    uint32_t index = position + 1;
    cr_assert(check_shard(c, &job, index, proof, len) == VN_OK, "%s", c->err.text);

    const struct {
        const char *name;
        size_t begin, end;
        unsigned samples;
    } parts[] = {
        {"kind and index", 0, r.heights, 2},          {"heights", r.heights, r.pub, 40},          {"public values", r.pub, r.p1_root, 4},
        {"P1 root", r.p1_root, r.z_evals, 3},         {"z evaluations", r.z_evals, r.path, 6},    {"path", r.path, r.main_root, 6},
        {"MAIN root", r.main_root, r.logup_root, 3},  {"LOGUP root", r.logup_root, r.totals, 3},  {"totals", r.totals, r.quot_root, 8},
        {"QUOT root", r.quot_root, r.values, 3},      {"values", r.values, r.fri_roots, 24},      {"FRI roots", r.fri_roots, r.final, 5},
        {"final polynomial", r.final, r.nonce, 6},    {"nonce", r.nonce, r.openings, 1},          {"openings", r.openings, r.end, 60},
    };
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        size_t words = (parts[p].end - parts[p].begin) / 4, step = words / parts[p].samples ? words / parts[p].samples : 1;
        unsigned n = 0;
        for (size_t i = 0; i < words; i += step, n++) {
            uint8_t *at = proof + parts[p].begin + 4 * i;
            uint32_t x = get_word(at);
            put_word(at, x ^ 1u << (5 * n + 3) % 31);
            cr_expect(check_shard(c, &job, index, proof, len) == VN_ERR_INVALID_PROOF, "%s: word %zu flipped", parts[p].name, i);
            put_word(at, x + VN_P);
            cr_expect(check_shard(c, &job, index, proof, len) == VN_ERR_INVALID_PROOF, "%s: word %zu + p", parts[p].name, i);
            put_word(at, x);
        }
    }
    const size_t ends[] = {0, 3, r.heights, r.pub + 1, r.path, r.values, r.final, r.openings, len - 4, len - 1};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        refuse(c, check_shard(c, &job, index, proof, ends[i]), "truncated", "truncated");
    put_word(proof + len, 0);
    refuse(c, check_shard(c, &job, index, proof, len + 4), "padded", "trailing bytes");

    /* the same proof for another place */
    for (uint32_t other = 1; other <= t->n_shards; other++)
        if (other != index)
            refuse(c, check_shard(c, &job, other, proof, len), "another index", "another shard number");
    /* a path one level longer, and in a job twice as large */
    memmove(proof + r.main_root + 36, proof + r.main_root, len - r.main_root);
    cr_expect(check_shard(c, &job, index, proof, len + 36) == VN_ERR_INVALID_PROOF);
    struct vn_job_context larger = job;
    larger.n_exec += (uint32_t)t->n_shards;
    if (t->shards[position].kind == VN_SHARD_EXECUTION)
        refuse(c, check_shard(c, &larger, index, proof, len + 36), "a longer path", "not under the contribution root");
    /* an execution shard where a memory shard belongs, and the reverse */
    struct vn_job_context moved = job;
    moved.n_exec = t->shards[position].kind == VN_SHARD_EXECUTION ? 1 : 3;
    moved.n_mem = 4 - moved.n_exec;
    if (index == 2 || index == 3)
        refuse(c, check_shard(c, &moved, index, t->proofs[position].data, len), "another kind", "wrong kind");
    free(proof);
}

static size_t bundle_head(const struct test_job *t)
{
    uint8_t key[VN_VK_MAX_BYTES];
    return 4 + vn_vk_encode(&t->setup->vk, key) + 8 + 36 + 256;
}

/* A bundle with the given shard proofs (by position), without any check. */
static uint8_t *put_together(const struct test_job *t, const uint32_t *positions, size_t n, uint32_t n_exec, uint32_t n_mem, size_t *len)
{
    size_t head = bundle_head(t);
    *len = head;
    for (size_t i = 0; i < n; i++)
        *len += t->proofs[positions[i]].len;
    uint8_t *b = malloc(*len);
    memcpy(b, t->bundle, head);
    put_word(b + head - 256 - 36 - 8, n_exec);
    put_word(b + head - 256 - 36 - 4, n_mem);
    size_t at = head;
    for (size_t i = 0; i < n; i++) {
        memcpy(b + at, t->proofs[positions[i]].data, t->proofs[positions[i]].len);
        at += t->proofs[positions[i]].len;
    }
    return b;
}

static void change_bundle(struct checker *c, const struct test_job *t)
{
    struct vn_statement st;
    size_t head = bundle_head(t), len = t->bundle_len;
    uint8_t *b = malloc(len + 4);
    memcpy(b, t->bundle, len);
    for (size_t at = 0; at < head; at += at < 200 ? 3 : 17) { /* key, counts, R, output */
        b[at] ^= 4;
        enum vn_status s = check_bundle(c, b, len, NULL, &st);
        cr_expect(s == VN_ERR_INVALID_PROOF || s == VN_ERR_FORMAT || s == VN_ERR_UNSUPPORTED, "head byte %zu", at);
        b[at] ^= 4;
    }
    for (size_t cut = 0; cut < len; cut += 1 + len / 7)
        cr_expect(check_bundle(c, b, cut, NULL, &st) != VN_OK);
    cr_expect(check_bundle(c, b, len - 1, NULL, &st) == VN_ERR_INVALID_PROOF);
    put_word(b + len, 0);
    refuse(c, check_bundle(c, b, len + 4, NULL, &st), "padded", "after the last shard");

    struct vn_vk other = t->setup->vk;
    other.entry += 4;
    refuse(c, check_bundle(c, b, len, &other, &st), "another entry", "another program");
    other = t->setup->vk;
    other.pre_root[1].c[3] ^= 1;
    refuse(c, check_bundle(c, b, len, &other, &st), "another image", "another program");
    free(b);

    const struct {
        const char *name;
        uint32_t positions[5];
        size_t n;
        uint32_t n_exec, n_mem;
    } orders[] = {
        {"an execution shard left out", {0, 2, 3}, 3, 1, 2},        {"the last memory shard left out", {0, 1, 2}, 3, 2, 1},
        {"left out, counts kept", {0, 1, 2}, 3, 2, 2},              {"doubled", {0, 1, 2, 3, 3}, 5, 2, 3},
        {"doubled, counts kept", {0, 0, 2, 3}, 4, 2, 2},            {"execution shards swapped", {1, 0, 2, 3}, 4, 2, 2},
        {"memory shards swapped", {0, 1, 3, 2}, 4, 2, 2},           {"kinds swapped", {2, 1, 0, 3}, 4, 2, 2},
        {"no memory shard", {0, 1}, 2, 2, 0},                       {"no execution shard", {2, 3}, 2, 0, 2},
    };
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        b = put_together(t, orders[i].positions, orders[i].n, orders[i].n_exec, orders[i].n_mem, &len);
        cr_expect(check_bundle(c, b, len, NULL, &st) == VN_ERR_INVALID_PROOF, "%s", orders[i].name);
        free(b);
    }
    const uint32_t all[] = {0, 1, 2, 3};
    b = put_together(t, all, 4, 2, 2, &len);
    cr_expect(len == t->bundle_len && memcmp(b, t->bundle, len) == 0);
    free(b);
}

Test(job, an_honest_job_passes_and_no_changed_one, .timeout = 900)
{
    struct test_job t = run_walk(220, 10, 8, vn_backend_select(NULL), 2);
    cr_assert(t.run.n_exec == 2 && t.run.n_mem == 2);
    t.prover.verify_constraints = 1;
    test_job_contribute(&t);
    test_job_prove(&t);
    test_job_bundle(&t);
    struct checker c = checker();
    struct vn_statement st;
    cr_assert(check_bundle(&c, t.bundle, t.bundle_len, &t.setup->vk, &st) == VN_OK, "%s", c.err.text);
    cr_expect(st.steps == t.run.steps && st.n_exec == 2 && st.n_mem == 2);
    cr_expect(st.output[0] == 1 && memcmp(st.output, t.run.output, sizeof st.output) == 0);
    cr_expect(vn_verify_bundle(t.bundle, t.bundle_len, NULL, &st, NULL) == VN_OK);
    change_bundle(&c, &t);
    change_shard_proof(&c, &t, 1);
    change_shard_proof(&c, &t, 2);

    /* the builder refuses what is not of the job */
    struct vn_bytes swapped[4] = {t.proofs[1], t.proofs[0], t.proofs[2], t.proofs[3]};
    uint8_t *out = NULL;
    size_t len;
    cr_expect(vn_bundle_build(&t.setup->vk, &t.job, t.run.steps, swapped, &out, &len, &c.err) == VN_ERR_INVALID_PROOF);
    cr_expect(vn_bundle_build(&t.setup->vk, &t.job, t.run.steps + 1, t.proofs, &out, &len, &c.err) == VN_ERR_INVALID_PROOF);

    /* a small arena is an error, not a crash */
    for (size_t size = 0; size < (1 << 17); size += 5000) {
        struct vn_arena small = {.base = c.arena.base, .size = size};
        struct vn_rejection why;
        cr_expect(vn_verify_bundle_in(&small, &vn_batch_hash_scalar, t.bundle, t.bundle_len, NULL, &st, &why) == VN_ERR_MEMORY);
    }
    free(c.arena.base);
    test_job_fini(&t);
}

/* ---- Provers that lie, but follow the protocol from there ---- */

enum lie {
    LIE_NONE,
    LIE_MAIN_CELL,     /* a witness value */
    LIE_P1_CELL,       /* a boundary value */
    LIE_MULTIPLICITY,  /* of a lookup */
    LIE_END_PC,        /* where the shard ended */
    LIE_STEPS,
    LIE_Z_EVALUATION,  /* in the leaf */
    LIE_PREV_KEY,      /* memory shards overlap */
    LIE_COUNT
};

static const char *const LIE_REASON[LIE_COUNT] = {
    [LIE_MAIN_CELL] = "",           [LIE_P1_CELL] = "",        [LIE_MULTIPLICITY] = "local buses",         [LIE_END_PC] = "local buses",
    [LIE_STEPS] = "local buses",    [LIE_PREV_KEY] = "",       [LIE_Z_EVALUATION] = "claimed evaluations",
};

static unsigned table_named(const char *name)
{
    for (unsigned i = 0; i < vn_air_table_count; i++)
        if (strcmp(vn_air_tables[i].name, name) == 0)
            return i;
    cr_assert(0, "no table %s", name);
    return 0;
}

static void tell_lie(struct vn_proving *w, enum lie lie, int committed)
{
    switch (lie) {
    case LIE_MAIN_CELL:
        w->trace.main[table_named("addi")][3][5] ^= 1;
        break;
    case LIE_P1_CELL:
        w->trace.p1[table_named("boundary")][5][2] ^= 1;
        break;
    case LIE_MULTIPLICITY:
        w->trace.main[table_named("bits")][0][77] ^= 1;
        break;
    case LIE_END_PC:
        w->header.pub.end_pc = w->header.pub.halted ? 0 : w->header.pub.end_pc + 4;
        break;
    case LIE_STEPS:
        w->header.pub.steps--;
        break;
    case LIE_Z_EVALUATION:
        if (!committed)
            return;
        w->z_evals[3].c[2] = vn_fp_add(w->z_evals[3].c[2], VN_FP_ONE);
        w->leaf = vn_header_leaf(&w->header, &w->p->setup->vk_digest, VN_PARAMS_VERSION, w->z_evals, w->p1.shape.n_cols);
        break;
    case LIE_PREV_KEY:
        if (w->shape.kind == VN_KIND_MEMORY && !w->header.pub.first_memory)
            w->header.pub.prev_key--;
        break;
    default:
        break;
    }
}

/* Stages up to the leaf. */
static struct vn_proving *begin(const struct test_job *t, const struct vn_shard *shard, enum lie lie)
{
    struct vn_error err = {0};
    struct vn_proving *w = calloc(1, sizeof *w);
    if (vn_proving_start(w, &t->prover, shard, &err) != VN_OK || vn_proving_fill_trace(w, &err) != VN_OK)
        test_fail("begin", &err);
    if (lie != LIE_Z_EVALUATION)
        tell_lie(w, lie, 0);
    if (vn_proving_commit_phase1(w, &err) != VN_OK)
        test_fail("begin", &err);
    if (lie == LIE_Z_EVALUATION)
        tell_lie(w, lie, 1);
    return w;
}

/* Proves position `at` with a lie in a job of otherwise honest leaves; returns the verifier's answer to that shard. */
static enum vn_status lie_in_shard(struct checker *c, const struct test_job *t, uint32_t at, enum lie lie)
{
    struct vn_digest leaves[8];
    struct vn_job job = t->job;
    struct vn_proving *w = begin(t, &t->shards[at], lie);
    memcpy(leaves, t->leaves, t->n_shards * sizeof *leaves);
    leaves[at] = w->leaf;
    job.leaves = leaves;
    struct vn_writer proof = {0};
    struct vn_error err = {0};
    if (vn_proving_finish(w, &job, &proof, &err) != VN_OK)
        test_fail("finish", &err);
    struct vn_job_context context = context_of(t, &job);
    enum vn_status s = check_shard(c, &context, at + 1, proof.data, proof.len);
    vn_writer_fini(&proof);
    vn_proving_fini(w);
    free(w);
    return s;
}

Test(job, a_lying_prover_fails, .timeout = 900)
{
    struct test_job t = run_walk(220, 10, 8, vn_backend_select(NULL), 2);
    test_job_contribute(&t);
    struct checker c = checker();
    cr_assert(lie_in_shard(&c, &t, 0, LIE_NONE) == VN_OK, "%s", c.err.text);
    for (enum lie lie = LIE_MAIN_CELL; lie <= LIE_Z_EVALUATION; lie++)
        refuse(&c, lie_in_shard(&c, &t, 0, lie), "a lie", LIE_REASON[lie]);
    refuse(&c, lie_in_shard(&c, &t, 3, LIE_PREV_KEY), "overlapping memory shards", LIE_REASON[LIE_PREV_KEY]);
    free(c.arena.base);
    test_job_fini(&t);
}

/* Every shard is proved for a job with another output, or with another count: each alone is fine, the job is not. */
Test(job, only_the_whole_job_convinces, .timeout = 900)
{
    struct test_job t = run_walk(20, 20, 0, vn_backend_select(NULL), 2);
    cr_assert(t.run.n_exec == 1 && t.run.n_mem == 1);
    struct checker c = checker();
    struct vn_statement st;
    test_job_contribute(&t);
    t.job.output[9] ^= 1;
    test_job_prove(&t);
    test_job_bundle(&t);
    refuse(&c, check_bundle(&c, t.bundle, t.bundle_len, NULL, &st), "another output word", "global buses do not balance");
    struct vn_job honest = t.job;
    honest.output[9] ^= 1;
    struct vn_job_context context = context_of(&t, &honest);
    cr_expect(check_shard(&c, &context, 1, t.proofs[0].data, t.proofs[0].len) == VN_ERR_INVALID_PROOF, "a shard of another job");

    /* after the halt follows another shard */
    struct vn_digest leaves[3] = {t.leaves[0], t.leaves[0], t.leaves[1]};
    struct vn_job longer = {.n_exec = 2, .n_mem = 1, .leaves = leaves};
    memcpy(longer.output, t.run.output, sizeof longer.output);
    uint8_t *proof = NULL;
    size_t len, head = bundle_head(&t);
    if (vn_prove_shard(&t.prover, &t.shards[0], &longer, &proof, &len, &c.err) != VN_OK)
        test_fail("prove", &c.err);
    context = context_of(&t, &longer);
    cr_expect(check_shard(&c, &context, 1, proof, len) == VN_OK, "%s", c.err.text);
    uint8_t *b = malloc(head + len);
    memcpy(b, t.bundle, head);
    put_word(b + head - 256 - 36 - 8, 2);
    for (unsigned i = 0; i < VN_DIGEST_LEN; i++)
        put_word(b + head - 256 - 36 + 4 * i, vn_fp_to(context.contribution_root.c[i]));
    memcpy(b + head - 256, longer.output, 256);
    memcpy(b + head, proof, len);
    refuse(&c, check_bundle(&c, b, head + len, NULL, &st), "a shard after the halt", "halts before the last");
    free(b);
    free(proof);
    free(c.arena.base);
    test_job_fini(&t);
}

Test(job, bytes_do_not_depend_on_backend_threads_or_memory, .timeout = 1800)
{
    struct test_job first = run_walk(20, 20, 0, vn_backend_select(NULL), 1);
    test_job_contribute(&first);
    test_job_prove(&first);
    static const char *const names[] = {"avx512", "avx2", "scalar"};
    for (size_t i = 0; i < 3; i++) {
        const struct vn_backend *b = vn_backend_select(names[i]);
        if (!b || (i == 2 && !getenv("VENUS_LONG_TESTS"))) /* the scalar one takes minutes */
            continue;
        struct test_job t = run_walk(20, 20, 0, b, 2 + (unsigned)i % 2);
        struct vn_phase1_store *kept = NULL; /* one shard's phase 1 */
        cr_assert(vn_phase1_store_new(&kept, 1) == VN_OK);
        t.prover.phase1 = kept;
        t.prover.minimal_memory = i % 2;
        test_job_contribute(&t);
        cr_expect(memcmp(t.leaves, first.leaves, t.n_shards * sizeof *t.leaves) == 0, "%s", names[i]);
        test_job_prove(&t);
        for (size_t s = 0; s < t.n_shards; s++)
            cr_expect(t.proofs[s].len == first.proofs[s].len && memcmp(t.proofs[s].data, first.proofs[s].data, t.proofs[s].len) == 0,
                      "%s, shard %zu", names[i], s + 1);
        vn_phase1_store_free(kept);
        test_job_fini(&t);
    }
    test_job_fini(&first);
}
