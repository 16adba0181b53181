/* The polynomial commitment alone, with random columns of mixed heights and no table. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "services/prover-engine/pcs/open.h"
#include "services/prover-engine/verify/pcs.h"

static const struct vn_pcs_params PARAMS = {.log_n = 11, .n_folds = 2, .pow_bits = 6, .n_queries = 20};

enum { N_TREES = 3 };

struct fixture {
    struct vn_pool *pool;
    struct vn_pcs_domain domain;
    struct vn_pcs_shape shape;
    struct vn_pcs_commit commits[N_TREES];
    struct vn_digest roots[N_TREES];
    struct vn_pcs_points points;
    struct vn_fp6 *values[VN_PCS_MAX_OPENINGS];
    struct vn_writer proof;
};

static const char *const isas[] = {"scalar", "avx2", "avx512"};

static uint64_t random_state;

static uint32_t random_u32(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

static void absorb(struct vn_transcript *t, const struct fixture *f)
{
    vn_transcript_init(t, VN_TAG_TRANSCRIPT);
    for (unsigned i = 0; i < N_TREES; i++)
        vn_transcript_absorb_digest(t, &f->roots[i]);
    for (unsigned o = 0; o < f->shape.n_openings; o++)
        vn_transcript_absorb_fp6(t, f->values[o], f->shape.trees[f->shape.openings[o].tree].n_cols);
}

static struct vn_fp6 random_fp6(void)
{
    struct vn_fp6 a;
    for (int k = 0; k < 6; k++)
        a.c[k] = vn_fp_from(random_u32());
    return a;
}

static void fixture_init_with(struct fixture *f, const struct vn_backend *b, unsigned threads, int minimal_memory)
{
    *f = (struct fixture){.shape = {.params = &PARAMS, .n_trees = N_TREES, .n_openings = 5,
                                    .openings = {{0, VN_POINT_ZETA}, {1, VN_POINT_ZETA}, {2, VN_POINT_ZETA}, {1, VN_POINT_NEXT}, {2, VN_POINT_Z}}}};
    /* columns per log2 height: full stacks, part-filled stacks, several stacks, one column alone */
    uint32_t counts[N_TREES][VN_PCS_MAX_LOG_N + 1] = {
        {[11] = 2, [9] = 4, [8] = 3},
        {[11] = 1, [10] = 3, [9] = 1, [4] = 130, [0] = 5},
        {[3] = 1},
    };
    random_state = 7;
    cr_assert(eq(int, vn_pool_new(&f->pool, threads), VN_OK));
    cr_assert(eq(int, vn_pcs_domain_init(&f->domain, b, f->pool, PARAMS.log_n), VN_OK));
    f->domain.device = &vn_device_host;
    f->domain.minimal_memory = minimal_memory;
    f->points.zeta = random_fp6();
    f->points.z = random_fp6();
    const struct vn_pcs_commit *commits[N_TREES];
    for (unsigned i = 0; i < N_TREES; i++) {
        struct vn_pcs_commit *c = &f->commits[i];
        vn_pcs_tree_init(&f->shape.trees[i], PARAMS.log_n, counts[i]);
        cr_assert(eq(int, vn_pcs_commit_init(c, &f->domain, &f->shape.trees[i], i == 1), VN_OK));
        for (uint32_t col = 0; col < c->shape.n_cols; col++)
            for (size_t k = 0; k < (size_t)1 << vn_pcs_column_log_height(c, col); k++)
                vn_pcs_column(c, col)[k] = vn_fp_from(random_u32());
        cr_assert(eq(int, vn_pcs_commit_build(c, &f->domain), VN_OK));
        f->roots[i] = vn_merkle_root(&c->tree);
        commits[i] = c;
    }
    for (unsigned o = 0; o < f->shape.n_openings; o++) {
        const struct vn_pcs_opening *op = &f->shape.openings[o];
        f->values[o] = calloc(f->shape.trees[op->tree].n_cols, sizeof **f->values);
        cr_assert(eq(int, vn_pcs_evaluate(commits[op->tree], &f->domain, &f->points, op->point, f->values[o]), VN_OK));
    }
    struct vn_transcript t;
    absorb(&t, f);
    cr_assert(eq(int, vn_pcs_open(&f->shape, commits, &f->domain, &f->points, &t, &f->proof), VN_OK));
}

static void fixture_init(struct fixture *f, const struct vn_backend *b, unsigned threads)
{
    fixture_init_with(f, b, threads, 0);
}

static void fixture_fini(struct fixture *f)
{
    vn_writer_fini(&f->proof);
    for (unsigned o = 0; o < f->shape.n_openings; o++)
        free(f->values[o]);
    for (unsigned i = 0; i < N_TREES; i++)
        vn_pcs_commit_fini(&f->commits[i]);
    vn_pcs_domain_fini(&f->domain);
    vn_pool_free(f->pool);
}

static enum vn_status verify_with(const struct vn_batch_hash *hash, const struct fixture *f, const uint8_t *proof, size_t len, struct vn_error *err)
{
    static uint8_t memory[1 << 20];
    struct vn_arena arena = {.base = memory, .size = sizeof memory};
    struct vn_reader r = {.at = proof, .end = proof + len};
    struct vn_transcript t;
    absorb(&t, f);
    const struct vn_fp6 *values[VN_PCS_MAX_OPENINGS];
    for (unsigned o = 0; o < f->shape.n_openings; o++)
        values[o] = f->values[o];
    struct vn_rejection why = {.shard = 0};
    enum vn_status s = vn_pcs_verify(&arena, hash, &f->shape, f->roots, &f->points, values, &t, &r, &why);
    s = vn_rejection_explain(s, &why, err);
    if (s == VN_OK && r.at != r.end)
        s = vn_fail(err, VN_ERR_INVALID_PROOF, "trailing bytes");
    return s;
}

static enum vn_status verify(const struct fixture *f, const uint8_t *proof, size_t len, struct vn_error *err)
{
    return verify_with(&vn_batch_hash_scalar, f, proof, len, err);
}

Test(pcs, round_trip)
{
    struct fixture f;
    fixture_init(&f, &vn_backend_scalar, 1);
    struct vn_error err = {0};
    enum vn_status s = verify(&f, f.proof.data, f.proof.len, &err);
    cr_expect(s == VN_OK, "%s", err.text);
    fixture_fini(&f);
}

/* A column's evaluation against plain Horner on coefficients found by the definition of the transform. */
Test(pcs, evaluations_are_those_of_the_interpolant)
{
    struct fixture f;
    fixture_init(&f, &vn_backend_scalar, 1);
    const struct vn_pcs_commit *c = &f.commits[1]; /* values are kept */
    for (uint32_t col = 0; col < c->shape.n_cols; col += 7) {
        unsigned h = vn_pcs_column_log_height(c, col);
        /* barycentric: f(y) = (y^n - 1) / n * sum_i f_i w^i / (y - w^i) */
        for (unsigned o = 1; o <= 3; o += 2) {
            struct vn_fp6 y = vn_pcs_point(&f.points, f.shape.openings[o].point, h), sum = vn_fp6_zero();
            vn_fp x = VN_FP_ONE;
            for (size_t i = 0; i < (size_t)1 << h; i++, x = vn_fp_mul(x, vn_fp_root(h))) {
                struct vn_fp6 inv = vn_fp6_inv(vn_fp6_sub(y, vn_fp6_from_fp(x)));
                sum = vn_fp6_add(sum, vn_fp6_mul_fp(inv, vn_fp_mul(x, vn_pcs_column(c, col)[i])));
            }
            struct vn_fp6 z = vn_fp6_sub(vn_fp6_pow(y, 1u << h), vn_fp6_one());
            sum = vn_fp6_mul_fp(vn_fp6_mul(sum, z), vn_fp_inv(vn_fp_from(1u << h)));
            cr_expect(vn_fp6_equal(&sum, &f.values[o][col]), "column %u", col);
        }
    }
    fixture_fini(&f);
}

Test(pcs, every_backend_thread_count_and_memory_plan_gives_the_same_bytes)
{
    struct fixture a;
    fixture_init(&a, &vn_backend_scalar, 1);
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
        const struct vn_backend *b = vn_backend_select(isas[i]);
        for (unsigned threads = 1; b && threads <= 3; threads++) {
            struct fixture f;
            int minimal = threads == 2;
            fixture_init_with(&f, b, threads, minimal);
            cr_expect(f.proof.len == a.proof.len && memcmp(f.proof.data, a.proof.data, a.proof.len) == 0, "%s, %u threads%s", isas[i], threads,
                      minimal ? ", minimal memory" : "");
            cr_expect(minimal == !f.commits[0].lde);
            fixture_fini(&f);
        }
    }
    fixture_fini(&a);
}

Test(pcs, the_verifier_says_the_same_with_every_hashing)
{
    struct fixture f;
    fixture_init(&f, &vn_backend_scalar, 1);
    for (size_t at = 0; at < f.proof.len; at += 4 * (1 + random_u32() % 300)) {
        if (at > 0) /* first the proof as it is */
            f.proof.data[at] ^= 1;
        struct vn_error want = {0};
        enum vn_status s = verify(&f, f.proof.data, f.proof.len, &want);
        for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
            const struct vn_backend *b = vn_backend_select(isas[i]);
            struct vn_error got = {0};
            if (!b)
                continue;
            const struct vn_batch_hash hash = {.rows = b->hash_rows, .nodes = b->hash_nodes};
            cr_expect(eq(int, verify_with(&hash, &f, f.proof.data, f.proof.len, &got), s));
            cr_expect(eq(str, got.text, want.text));
        }
        if (at > 0)
            f.proof.data[at] ^= 1;
    }
    fixture_fini(&f);
}

Test(pcs, every_changed_word_is_rejected)
{
    struct fixture f;
    fixture_init(&f, &vn_backend_scalar, 1);
    for (size_t at = 0; at < f.proof.len; at += 4) {
        uint8_t *word = f.proof.data + at, saved = word[at / 4 % 3];
        word[at / 4 % 3] ^= (uint8_t)(1u << at / 4 % 8);
        struct vn_error err;
        cr_expect(verify(&f, f.proof.data, f.proof.len, &err) == VN_ERR_INVALID_PROOF, "word %zu", at / 4);
        word[at / 4 % 3] = saved;
    }
    fixture_fini(&f);
}

Test(pcs, non_canonical_words_are_rejected)
{
    struct fixture f;
    fixture_init(&f, &vn_backend_scalar, 1);
    unsigned tried = 0;
    for (size_t at = 0; at < f.proof.len; at += 4 * 37) {
        uint32_t x, y;
        memcpy(&x, f.proof.data + at, 4);
        y = x + VN_P;
        memcpy(f.proof.data + at, &y, 4);
        struct vn_error err;
        cr_expect(verify(&f, f.proof.data, f.proof.len, &err) == VN_ERR_INVALID_PROOF);
        cr_expect(strstr(err.text, "not canonical") != NULL, "%s", err.text);
        memcpy(f.proof.data + at, &x, 4);
        tried++;
    }
    cr_expect(tried > 50);
    fixture_fini(&f);
}

Test(pcs, truncated_and_padded_proofs_are_rejected)
{
    struct fixture f;
    fixture_init(&f, &vn_backend_scalar, 1);
    struct vn_error err;
    for (size_t len = 0; len < f.proof.len; len += 1 + len / 9)
        cr_expect(verify(&f, f.proof.data, len, &err) == VN_ERR_INVALID_PROOF);
    cr_expect(verify(&f, f.proof.data, f.proof.len - 1, &err) == VN_ERR_INVALID_PROOF);
    vn_write_u32(&f.proof, 0);
    cr_expect(verify(&f, f.proof.data, f.proof.len, &err) == VN_ERR_INVALID_PROOF);
    fixture_fini(&f);
}

/* The prover runs honestly on values that its columns do not have. */
Test(pcs, a_wrong_evaluation_is_rejected)
{
    struct fixture f;
    fixture_init(&f, &vn_backend_scalar, 1);
    const struct vn_pcs_commit *commits[N_TREES] = {&f.commits[0], &f.commits[1], &f.commits[2]};
    for (unsigned o = 0; o < f.shape.n_openings; o++) {
        uint32_t n_cols = f.shape.trees[f.shape.openings[o].tree].n_cols;
        for (uint32_t col = 0; col < n_cols; col += 1 + n_cols / 3) {
            struct vn_fp6 saved = f.values[o][col];
            f.values[o][col].c[5] = vn_fp_add(saved.c[5], VN_FP_ONE);
            struct vn_transcript t;
            absorb(&t, &f);
            struct vn_writer w = {0};
            cr_assert(eq(int, vn_pcs_open(&f.shape, commits, &f.domain, &f.points, &t, &w), VN_OK));
            struct vn_error err;
            cr_expect(verify(&f, w.data, w.len, &err) == VN_ERR_INVALID_PROOF);
            cr_expect(strstr(err.text, "claimed evaluations") != NULL, "%s", err.text);
            vn_writer_fini(&w);
            f.values[o][col] = saved;
        }
    }
    fixture_fini(&f);
}

Test(pcs, a_codeword_of_too_high_degree_is_rejected)
{
    struct fixture f;
    fixture_init(&f, &vn_backend_scalar, 1);
    /* one stack's codeword is replaced by random values after the commitment of its coefficients, then hashed again */
    struct vn_pcs_commit *c = &f.commits[0];
    for (size_t i = 0; i < (size_t)2 << PARAMS.log_n; i++)
        c->lde[i] = vn_fp_from(random_u32());
    size_t width = c->shape.n_stacks, n = (size_t)1 << PARAMS.log_n;
    for (size_t coset = 0; coset < 2; coset++) {
        const vn_fp *cols[64];
        for (size_t w = 0; w < width; w++)
            cols[w] = vn_pcs_codeword(c, w) + coset * n;
        cr_assert(eq(int, vn_merkle_hash_rows(&c->tree, &vn_backend_scalar, NULL, cols, width, coset * n, n), VN_OK));
    }
    vn_merkle_hash_nodes(&c->tree, &vn_backend_scalar, NULL);
    f.roots[0] = vn_merkle_root(&c->tree);
    const struct vn_pcs_commit *commits[N_TREES] = {&f.commits[0], &f.commits[1], &f.commits[2]};
    struct vn_transcript t;
    absorb(&t, &f);
    struct vn_writer w = {0};
    cr_assert(eq(int, vn_pcs_open(&f.shape, commits, &f.domain, &f.points, &t, &w), VN_OK));
    struct vn_error err;
    cr_expect(verify(&f, w.data, w.len, &err) == VN_ERR_INVALID_PROOF);
    vn_writer_fini(&w);
    fixture_fini(&f);
}
