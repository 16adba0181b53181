/* The CUDA backend against the scalar one, bit for bit.
 *
 *   test-stark-cuda LIBRARY|device CASE...      cases: openings, tables, shard; with LIBRARY also failures
 *
 * LIBRARY: the library emulated on the host; the first two cases run with the threads of a block going up, then down, so that a race shows. "device":
 * the library the engine would open; exits 77, saying why, if there is no device. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/pcs/open.h"
#include "services/prover-engine/stark/cuda.h"
#include "services/prover-engine/stark/shard.h"
#include "tests/unit/stark/job.h"
#include "tests/unit/vm/elf_builder.h"

void test_fail(const char *what, const struct vn_error *err)
{
    fprintf(stderr, "FAILED: %s%s%s\n", what, err && err->text[0] ? ": " : "", err ? err->text : "");
    exit(1);
}

static void check(int ok, const char *what)
{
    if (!ok)
        test_fail(what, NULL);
}

static void must(enum vn_status s, const struct vn_device *device, const char *what)
{
    struct vn_error err = {0};
    if (s != VN_OK)
        test_fail(what, vn_fail(&err, s, "%s (%s)", vn_status_text(s), device->why(device)) == s ? &err : NULL);
}

static const char *library; /* NULL: as the engine finds it */

static const struct vn_device *open_device(unsigned log_n)
{
    const struct vn_device *device = NULL;
    struct vn_error err = {0};
    struct vn_cuda_options o = {.library = library, .log_n = log_n};
    enum vn_status s = vn_cuda_device_open(&device, &o, &err);
    if (s == VN_ERR_UNSUPPORTED && !library) {
        printf("SKIPPED: %s\n", err.text);
        exit(77);
    }
    if (s != VN_OK)
        test_fail("open", &err);
    return device;
}

static uint64_t random_state;

static vn_fp random_fp(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (vn_fp)((random_state >> 32) % VN_P);
}

static struct vn_fp6 random_fp6(void)
{
    struct vn_fp6 a;
    for (int k = 0; k < 6; k++)
        a.c[k] = random_fp();
    return a;
}

static struct vn_pcs_domain domain_of(const struct vn_device *device, unsigned log_n)
{
    struct vn_pcs_domain d;
    must(vn_pcs_domain_init(&d, &vn_backend_scalar, NULL, log_n), device, "domain");
    d.device = device;
    return d;
}

/* ---- openings: commitments of mixed heights, evaluations, DEEP, FRI, grinding, queries ---- */

enum { N_TREES = 3, OPENINGS_LOG_N = 14 };

static void openings_on(const struct vn_device *device, struct vn_writer *proof)
{
    static const struct vn_pcs_params params = {.log_n = OPENINGS_LOG_N, .n_folds = 3, .pow_bits = 10, .n_queries = 30};
    static const uint32_t counts[N_TREES][VN_PCS_MAX_LOG_N + 1] = {
        {[14] = 2, [9] = 40, [8] = 3},
        {[14] = 15, [13] = 3, [12] = 1, [7] = 3, [4] = 130, [1] = 2, [0] = 5},
        {[3] = 1},
    };
    struct vn_pcs_shape shape = {.params = &params, .n_trees = N_TREES, .n_openings = 5,
                                 .openings = {{0, VN_POINT_ZETA}, {1, VN_POINT_ZETA}, {2, VN_POINT_ZETA}, {1, VN_POINT_NEXT}, {2, VN_POINT_Z}}};
    struct vn_pcs_domain d = domain_of(device, OPENINGS_LOG_N);
    struct vn_pcs_commit commits[N_TREES];
    const struct vn_pcs_commit *pointers[N_TREES];
    struct vn_transcript t;
    random_state = 5;
    vn_transcript_init(&t, VN_TAG_TRANSCRIPT);
    for (unsigned i = 0; i < N_TREES; i++) {
        struct vn_pcs_commit *c = &commits[i];
        pointers[i] = c;
        vn_pcs_tree_init(&shape.trees[i], OPENINGS_LOG_N, counts[i]);
        must(device->commit_init(c, &d, &shape.trees[i], 1), device, "commit_init");
        for (uint32_t col = 0; col < c->shape.n_cols; col++)
            for (size_t k = 0; k < (size_t)1 << vn_pcs_column_log_height(c, col); k++)
                vn_pcs_column(c, col)[k] = random_fp(); /* canonical integers */
        must(device->commit_trace(c, &d), device, "commit_trace");
        struct vn_digest root = device->commit_root(c);
        vn_write_digest(proof, &root, 1);
        vn_transcript_absorb_digest(&t, &root);
    }
    struct vn_pcs_points points = {.zeta = random_fp6(), .z = random_fp6()};
    for (unsigned o = 0; o < shape.n_openings; o++) {
        uint32_t n = shape.trees[shape.openings[o].tree].n_cols;
        struct vn_fp6 *values = calloc(n, sizeof *values);
        must(device->evaluate(pointers[shape.openings[o].tree], &d, &points, shape.openings[o].point, values), device, "evaluate");
        vn_write_fp6(proof, values, n);
        vn_transcript_absorb_fp6(&t, values, n);
        free(values);
    }
    must(vn_pcs_open(&shape, pointers, &d, &points, &t, proof), device, "open");
    for (unsigned i = 0; i < N_TREES; i++)
        device->commit_fini(&commits[i]);
    vn_pcs_domain_fini(&d);
}

static void compare(const struct vn_writer *want, const struct vn_writer *got, const char *what)
{
    check(!want->failed && !got->failed && want->len > 0, "memory");
    check(want->len == got->len && memcmp(want->data, got->data, want->len) == 0, what);
}

static void test_openings(void)
{
    struct vn_writer want = {0}, got = {0};
    openings_on(&vn_device_host, &want);
    const struct vn_device *device = open_device(OPENINGS_LOG_N);
    openings_on(device, &got);
    openings_on(device, &got); /* with memory that was used before */
    check(got.len == 2 * want.len && memcmp(want.data, got.data + want.len, want.len) == 0, "openings with used memory");
    got.len = want.len;
    compare(&want, &got, "openings");
    vn_cuda_device_close(device);
    vn_writer_fini(&want);
    vn_writer_fini(&got);
}

/* ---- failures: every allocation on the device fails in turn ---- */

enum { FAILURES_LOG_N = 8 };

static enum vn_status commit_and_open(const struct vn_device *device)
{
    static const struct vn_pcs_params params = {.log_n = FAILURES_LOG_N, .n_folds = 1, .pow_bits = 2, .n_queries = 4};
    static const uint32_t counts[VN_PCS_MAX_LOG_N + 1] = {[FAILURES_LOG_N] = 1, [7] = 3};
    struct vn_pcs_shape shape = {.params = &params, .n_trees = 1, .n_openings = 1, .openings = {{0, VN_POINT_ZETA}}};
    struct vn_pcs_domain d = domain_of(device, FAILURES_LOG_N);
    struct vn_pcs_commit c, host;
    const struct vn_pcs_commit *pointer = &c;
    struct vn_fp6 values[4];
    struct vn_writer proof = {0};
    struct vn_transcript t;
    vn_transcript_init(&t, VN_TAG_TRANSCRIPT);
    vn_pcs_tree_init(&shape.trees[0], FAILURES_LOG_N, counts);
    struct vn_pcs_points points = {.zeta = random_fp6()};
    must(vn_pcs_commit_init(&host, &d, &shape.trees[0], 1), device, "host commitment");
    must(vn_pcs_commit_build(&host, &d), device, "host commitment");
    enum vn_status s = device->commit_share(&d, &host) ? VN_OK : VN_ERR_MEMORY;
    c = (struct vn_pcs_commit){0};
    if (s == VN_OK)
        s = device->commit_init(&c, &d, &shape.trees[0], 1);
    if (s == VN_OK)
        s = device->commit_trace(&c, &d);
    if (s == VN_OK)
        s = device->evaluate(&c, &d, &points, VN_POINT_ZETA, values);
    if (s == VN_OK)
        s = vn_pcs_open(&shape, &pointer, &d, &points, &t, &proof);
    vn_writer_fini(&proof);
    device->commit_fini(&c);
    vn_pcs_commit_fini(&host);
    vn_pcs_domain_fini(&d);
    return s;
}

static int *fail_at; /* the emulated library's */

static void test_failures(void)
{
    check(fail_at != NULL, "only the emulated library fails on demand");
    int n = 0;
    for (enum vn_status s = VN_ERR_MEMORY; s != VN_OK; n++) {
        const struct vn_device *device = NULL;
        struct vn_error err = {0};
        struct vn_cuda_options o = {.library = library, .log_n = FAILURES_LOG_N, .preallocate_percent = 10};
        *fail_at = n + 1;
        s = vn_cuda_device_open(&device, &o, &err);
        if (s == VN_OK)
            s = commit_and_open(device);
        check(s == VN_OK || s == VN_ERR_MEMORY, "another error than that of memory");
        check((s == VN_OK) == (*fail_at > 0), "a failed allocation was overlooked");
        vn_cuda_device_close(device);
    }
    *fail_at = 0;
    printf("%d allocations failed in turn\n", n - 1);
}

/* ---- tables: LogUp columns, totals and quotient of every table on random columns ---- */

enum { TABLES_LOG_N = 13 };

/* The kind's shape with every table present, heights by turns, on a small common height. */
static void small_shape(struct vn_shard_shape *s, unsigned kind)
{
    static const uint8_t heights[] = {8, TABLES_LOG_N, 8, 10, 8, 12};
    uint8_t log_height[VN_AIR_MAX_TABLES];
    memset(log_height, VN_LOG_HEIGHT_ABSENT, sizeof log_height);
    for (unsigned i = 0; i < vn_air_kinds[kind].n_tables; i++)
        log_height[vn_air_kinds[kind].tables[i]] = heights[i % (sizeof heights / sizeof heights[0])];
    vn_shape_init(s, kind, log_height);
    for (unsigned tree = 0; tree < VN_TREE_COUNT; tree++) {
        uint32_t n_cols[VN_PCS_MAX_LOG_N + 1] = {0};
        struct vn_pcs_tree *t = &s->pcs.trees[tree];
        for (unsigned i = 0; i < t->n_classes; i++)
            n_cols[t->classes[i].log_height] = t->classes[i].n_cols;
        vn_pcs_tree_init(t, TABLES_LOG_N, n_cols);
    }
}

static void random_commit(struct vn_proving *w, struct vn_pcs_commit *c, enum vn_tree_id tree)
{
    must(w->device->commit_init(c, &w->domain, &w->shape.pcs.trees[tree], 1), w->device, "commit_init");
    for (uint32_t col = 0; col < c->shape.n_cols; col++)
        for (size_t k = 0; k < (size_t)1 << vn_pcs_column_log_height(c, col); k++)
            vn_pcs_column(c, col)[k] = random_fp();
    must(w->device->commit_trace(c, &w->domain), w->device, "commit_trace");
}

static void tables_on(const struct vn_device *device, unsigned kind, struct vn_writer *out)
{
    struct vn_proving *w = calloc(1, sizeof *w);
    struct vn_pcs_commit pre;
    struct vn_fp6 *alpha_pow = calloc(vn_air_kinds[kind].n_constraints, sizeof *alpha_pow);
    check(w && alpha_pow, "memory");
    random_state = kind;
    w->device = device;
    w->kernels = vn_air_kernels_select("scalar");
    w->domain = domain_of(device, TABLES_LOG_N);
    w->header.pub.index = 3;
    small_shape(&w->shape, kind);
    random_commit(w, &pre, VN_TREE_PRE);
    random_commit(w, &w->p1, VN_TREE_P1);
    random_commit(w, &w->main, VN_TREE_MAIN);
    w->pre = &pre;
    for (unsigned scope = 0; scope < VN_SCOPE_COUNT; scope++) {
        struct vn_fp6 alpha = random_fp6(), beta = random_fp6();
        vn_air_challenges_set(&w->challenges, scope, alpha, beta);
    }
    for (unsigned i = 0; i < vn_air_kinds[kind].n_constraints; i++)
        alpha_pow[i] = random_fp6();
    must(device->commit_init(&w->logup, &w->domain, &w->shape.pcs.trees[VN_TREE_LOGUP], 0), device, "commit_init");
    must(device->logup(w), device, "logup");
    for (unsigned t = 0; t < VN_AIR_MAX_TABLES; t++)
        vn_write_fp6(out, w->totals[t], VN_SCOPE_COUNT);
    must(device->commit_values(&w->logup, &w->domain), device, "commit_values");
    must(device->commit_init(&w->quot, &w->domain, &w->shape.pcs.trees[VN_TREE_QUOT], 0), device, "commit_init");
    must(device->quotient(w, alpha_pow), device, "quotient");
    must(device->commit_coefs(&w->quot, &w->domain), device, "commit_coefs");
    struct vn_digest roots[2] = {device->commit_root(&w->logup), device->commit_root(&w->quot)};
    vn_write_digest(out, roots, 2);

    /* Evaluations too: they name the column that differs. */
    struct vn_pcs_points points = {.zeta = random_fp6()};
    const struct vn_pcs_commit *commits[2] = {&w->logup, &w->quot};
    for (unsigned i = 0; i < 2; i++) {
        struct vn_fp6 *values = calloc(commits[i]->shape.n_cols, sizeof *values);
        must(device->evaluate(commits[i], &w->domain, &points, VN_POINT_ZETA, values), device, "evaluate");
        vn_write_fp6(out, values, commits[i]->shape.n_cols);
        free(values);
    }
    device->commit_fini(&pre);
    device->commit_fini(&w->p1);
    device->commit_fini(&w->main);
    device->commit_fini(&w->logup);
    device->commit_fini(&w->quot);
    vn_pcs_domain_fini(&w->domain);
    free(alpha_pow);
    free(w);
}

static void test_tables(void)
{
    const struct vn_device *device = open_device(TABLES_LOG_N);
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        struct vn_writer want = {0}, got = {0};
        tables_on(&vn_device_host, kind, &want);
        tables_on(device, kind, &got);
        for (size_t i = 0; i < want.len / 4 && want.len == got.len; i++)
            if (memcmp(want.data + 4 * i, got.data + 4 * i, 4) != 0) {
                fprintf(stderr, "kind %u: the first difference is word %zu of %zu (totals, two roots, LogUp and quotient columns at a point)\n", kind, i,
                        want.len / 4);
                break;
            }
        compare(&want, &got, "tables");
        vn_writer_fini(&want);
        vn_writer_fini(&got);
    }
    vn_cuda_device_close(device);
}

/* ---- shard: whole proofs ---- */

/* Stores, loads, counts down; the last value becomes the first output word. */
static const uint32_t loop[] = {
    RV_LUI(5, 0xa0030), RV_SLLI(5, 5, 32), 0x0202d293 /* srli x5, x5, 32 */, RV_LD(6, 10, 16),
    RV_SD(6, 5, 0), RV_LD(7, 5, 0), RV_ADDI(5, 5, 8), RV_ADDI(6, 6, -1), RV_BNE(6, 0, -16),
    RV_SLLI(11, 11, 0), RV_SD(7, 11, 0), RV_RET,
};

static void test_shard(void)
{
    const struct vn_device *device = open_device(vn_kind_params[VN_KIND_EXECUTION].log_n);
    struct elf e = elf_of_code(loop, sizeof loop / sizeof *loop);
    size_t len;
    uint8_t *elf = elf_build(&e, &len);
    uint64_t input[2] = {8, 1000};
    struct vn_exec_options o = {.shard_log2 = 16, .memory_shard_log2 = 16, .input = (const uint8_t *)input, .input_len = sizeof input};
    struct test_job t;
    test_job_execute(&t, elf, len, VN_ABI_B, &o);
    free(elf);
    test_job_setup(&t, vn_backend_select(NULL), 0);
    test_job_contribute(&t);
    for (size_t i = 0; i < t.n_shards; i++) {
        struct vn_prover gpu = t.prover;
        gpu.device = device;
        struct vn_error err = {0};
        struct vn_digest leaf;
        struct vn_writer want = {0}, got = {0};
        if (vn_contribute(&gpu, &t.shards[i], &leaf, &err) != VN_OK)
            test_fail("contribute", &err);
        check(memcmp(&leaf, &t.leaves[i], sizeof leaf) == 0, "leaf");
        if (vn_prove_shard(&t.prover, &t.shards[i], &t.job, &want.data, &want.len, &err) != VN_OK ||
            vn_prove_shard(&gpu, &t.shards[i], &t.job, &got.data, &got.len, &err) != VN_OK)
            test_fail("prove", &err);
        compare(&want, &got, "proof");
        printf("shard %zu of %zu: %zu equal bytes\n", i + 1, t.n_shards, got.len);
        vn_writer_fini(&want);
        vn_writer_fini(&got);
    }
    test_job_fini(&t);
    vn_cuda_device_close(device);
}

static const struct test_case {
    const char *name;
    void (*run)(void);
    int orders; /* of the emulated threads */
} cases[] = {{"openings", test_openings, 2}, {"tables", test_tables, 2}, {"shard", test_shard, 1}, {"failures", test_failures, 1}};

static const struct test_case *find_case(const char *name)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    test_fail("no such case", NULL);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: test-stark-cuda LIBRARY|device CASE...\n");
        return 2;
    }
    int *descending = NULL;
    if (strcmp(argv[1], "device") != 0) {
        library = argv[1];
        void *emulated = dlopen(library, RTLD_NOW);
        descending = emulated ? dlsym(emulated, "vn_emulation_descending") : NULL;
        fail_at = emulated ? dlsym(emulated, "vn_emulation_fail_at") : NULL;
        check(descending && fail_at, "not the emulated library");
    }
    for (int i = 2; i < argc; i++) {
        const struct test_case *c = find_case(argv[i]);
        for (int order = 0; order < (descending ? c->orders : 1); order++) {
            if (descending)
                *descending = order;
            c->run();
        }
        printf("%s: passed\n", c->name);
    }
    return 0;
}
