/* One list of cases over every backend of this CPU: transforms against naive sums, everything else against the scalar reference,
 * byte for byte, with guard words round what is written. */
#include <criterion/criterion.h>

#include "tests/unit/math/backends.h"

enum { GUARD = 64 };
static const vn_fp guard_word = 0xa5a5a5a5u;

/* A column with guard words before and after; returns the first element. */
static vn_fp *guarded(size_t n, uint64_t seed)
{
    vn_fp *x = test_column(n + 2 * GUARD, seed);
    for (size_t i = 0; i < GUARD; i++)
        x[i] = x[GUARD + n + i] = guard_word;
    return x + GUARD;
}

static void check_and_free(vn_fp *x, size_t n)
{
    vn_fp *base = x - GUARD;
    for (size_t i = 0; i < GUARD; i++)
        cr_assert(base[i] == guard_word && x[n + i] == guard_word, "wrote outside");
    free(base);
}

static size_t bitrev(size_t i, unsigned bits)
{
    size_t r = 0;
    for (unsigned b = 0; b < bits; b++)
        r |= (i >> b & 1) << (bits - 1 - b);
    return r;
}

static vn_fp horner(const vn_fp *coefs, unsigned log_n, vn_fp at)
{
    vn_fp v = 0;
    for (size_t k = (size_t)1 << log_n; k-- > 0;)
        v = vn_fp_add(vn_fp_mul(v, at), coefs[bitrev(k, log_n)]);
    return v;
}

#define FOR_BACKENDS(b)                                   \
    for (int isa_ = 0; isa_ < N_ISAS; isa_++)             \
        for (const struct vn_backend *b = vn_backend_select(isa_names[isa_]); b; b = NULL)

Test(kernels, selection)
{
    cr_assert_eq(vn_backend_select("scalar"), &vn_backend_scalar);
    cr_assert_null(vn_backend_select("mmx"));
    cr_assert_not_null(vn_backend_select(NULL));
    FOR_BACKENDS(b)
        cr_assert_str_eq(b->name, isa_names[isa_]);
}

Test(kernels, coset_scale)
{
    vn_fp scale[1 << 6], shift = vn_fp_from(3);
    for (unsigned log_n = 0; log_n <= 6; log_n++) {
        vn_coset_scale(scale, shift, log_n);
        for (size_t i = 0; i < (size_t)1 << log_n; i++)
            cr_assert_eq(scale[i], vn_fp_pow(shift, bitrev(i, log_n)));
    }
}

/* Every point of small transforms, sampled points of larger ones, by Horner from bit-reversed coefficients. */
Test(kernels, ntt_is_evaluation)
{
    FOR_BACKENDS(b) {
        for (unsigned log_n = 0; log_n <= 14; log_n++) {
            size_t n = (size_t)1 << log_n, step = n > 256 ? n / 16 + 1 : 1;
            vn_fp *coefs = test_column(n, log_n), *x = guarded(n, 1), *scale = test_column(n, 1);
            vn_fp w = vn_fp_root(log_n), shift = vn_fp_from(VN_GENERATOR);
            memcpy(x, coefs, n * sizeof *x);
            b->ntt(x, log_n);
            for (size_t i = 0; i < n; i += step)
                cr_assert_eq(x[i], horner(coefs, log_n, vn_fp_pow(w, i)), "%s 2^%u at %zu", b->name, log_n, i);
            b->intt(x, log_n);
            cr_assert_arr_eq(x, coefs, n * sizeof *x, "%s 2^%u inverse", b->name, log_n);
            vn_coset_scale(scale, shift, log_n);
            b->coset_ntt(x, coefs, scale, log_n);
            for (size_t i = 0; i < n; i += step)
                cr_assert_eq(x[i], horner(coefs, log_n, vn_fp_mul(shift, vn_fp_pow(w, i))), "%s 2^%u", b->name, log_n);
            vn_fp *same = test_column(n, 2);
            memcpy(same, coefs, n * sizeof *same);
            b->coset_ntt(same, same, scale, log_n);
            cr_assert_arr_eq(same, x, n * sizeof *x, "in place");
            free(same);
            free(coefs);
            free(scale);
            check_and_free(x, n);
        }
    }
}

Test(kernels, large_transforms_equal_scalar)
{
    static const unsigned logs[] = {15, 16, 17, 18, 19};
    for (size_t l = 0; l < sizeof logs / sizeof *logs; l++) {
        unsigned log_n = logs[l];
        size_t n = (size_t)1 << log_n;
        vn_fp *in = test_column(n, log_n), *want = test_column(n, 1), *got = test_column(n, 1), *scale = test_column(n, 9);
        memcpy(want, in, n * sizeof *in);
        vn_backend_scalar.intt(want, log_n);
        FOR_BACKENDS(b) {
            memcpy(got, in, n * sizeof *in);
            b->intt(got, log_n);
            cr_assert_arr_eq(got, want, n * sizeof *in, "%s 2^%u", b->name, log_n);
            b->ntt(got, log_n);
            cr_assert_arr_eq(got, in, n * sizeof *in, "%s 2^%u", b->name, log_n);
        }
        vn_backend_scalar.coset_ntt(want, in, scale, log_n);
        FOR_BACKENDS(b) {
            b->coset_ntt(got, in, scale, log_n);
            cr_assert_arr_eq(got, want, n * sizeof *in, "%s 2^%u", b->name, log_n);
        }
        free(in);
        free(want);
        free(got);
        free(scale);
    }
}

/* The largest size, with a monomial: the values are powers of the root, and only one coefficient comes back. */
Test(kernels, largest_transform)
{
    enum { LOG_N = VN_MAX_LOG_NTT };
    const struct vn_backend *b = vn_backend_select(NULL);
    size_t n = (size_t)1 << LOG_N, k = 0x654321;
    vn_fp *x = calloc(n, sizeof *x), step = vn_fp_pow(vn_fp_root(LOG_N), k);
    cr_assert_not_null(x);
    x[bitrev(k, LOG_N)] = VN_FP_ONE;
    b->ntt(x, LOG_N);
    vn_fp want = VN_FP_ONE;
    for (size_t i = 0; i < n; i++, want = vn_fp_mul(want, step))
        if (x[i] != want)
            cr_assert_fail("value %zu", i);
    b->intt(x, LOG_N);
    for (size_t i = 0; i < n; i++)
        if (x[i] != (i == bitrev(k, LOG_N) ? VN_FP_ONE : 0))
            cr_assert_fail("coefficient %zu", i);
    free(x);
}

/* F(X) = sum_j X^j f_j(X^s): its coefs are those of f_bitrev(t), t = 0 .. s-1, one after another. */
Test(kernels, stacked_columns_are_concatenated)
{
    enum { LOG_S = 2, S = 4, LOG_N = 7, N = 128 };
    FOR_BACKENDS(b) {
        vn_fp f[S][N], stacked[S * N], at = vn_fp_from(123456789);
        for (unsigned j = 0; j < S; j++)
            test_fill(f[j], N, 50 + j);
        for (unsigned t = 0; t < S; t++)
            memcpy(stacked + t * N, f[bitrev(t, LOG_S)], sizeof f[0]);
        vn_fp want = 0;
        for (unsigned j = 0; j < S; j++)
            want = vn_fp_add(want, vn_fp_mul(vn_fp_pow(at, j), horner(f[j], LOG_N, vn_fp_pow(at, S))));
        cr_assert_eq(horner(stacked, LOG_N + LOG_S, at), want);
        vn_fp first = 0;
        for (size_t i = 0; i < S * N; i++)
            first = vn_fp_add(first, stacked[i]);
        b->ntt(stacked, LOG_N + LOG_S);
        cr_assert_eq(stacked[0], first);
    }
}

Test(kernels, elementwise_equal_scalar)
{
    for (size_t n = 0; n <= 70; n++) {
        vn_fp *f = test_column(n, n + 1), *y = test_column(n, n + 2);
        uint64_t seed = n;
        enum { TERMS = 19 };
        size_t n_terms = n % (TERMS + 1);
        struct vn_fp6 a[TERMS];
        const vn_fp *terms[TERMS];
        for (int t = 0; t < TERMS; t++) {
            terms[t] = t % 3 ? f : y;
            for (int k = 0; k < 6; k++)
                a[t].c[k] = test_element(&seed);
        }
        FOR_BACKENDS(b) {
            vn_fp *want = test_column(n, n + 3), *got = guarded(n, 0);
            memcpy(got, want, n * sizeof *got);
            vn_backend_scalar.to_mont(want, n);
            b->to_mont(got, n);
            cr_assert_arr_eq(got, want, n * sizeof *got);
            vn_backend_scalar.mul(want, y, n);
            b->mul(got, y, n);
            cr_assert_arr_eq(got, want, n * sizeof *got);
            check_and_free(got, n);
            free(want);

            vn_fp *acc[2][6];
            for (int k = 0; k < 6; k++) {
                acc[0][k] = test_column(n, 100 + (uint64_t)k);
                acc[1][k] = guarded(n, 0);
                memcpy(acc[1][k], acc[0][k], n * sizeof *f);
            }
            vn_backend_scalar.combine_fp6(acc[0], terms, a, n_terms, n);
            b->combine_fp6(acc[1], terms, a, n_terms, n);
            const vn_fp *w[6];
            for (int k = 0; k < 6; k++) {
                cr_assert_arr_eq(acc[1][k], acc[0][k], n * sizeof *f, "%s combine %zu of %zu", b->name, n_terms, n);
                w[k] = acc[0][k];
            }
            struct vn_fp6 dot[2] = {vn_backend_scalar.dot_fp6(f, w, n), b->dot_fp6(f, w, n)};
            cr_assert_arr_eq(dot[1].c, dot[0].c, sizeof dot[0].c, "%s dot %zu", b->name, n);
            for (int k = 0; k < 6; k++) {
                free(acc[0][k]);
                check_and_free(acc[1][k], n);
            }
        }
        free(f);
        free(y);
    }
}

Test(kernels, row_hashes_equal_scalar)
{
    static const size_t widths[] = {0, 1, 9, 13, 14, 15, 28, 29, 200};
    enum { MAX_WIDTH = 200, MAX_ROWS = 50 };
    static vn_fp data[MAX_WIDTH][MAX_ROWS];
    test_fill(&data[0][0], MAX_WIDTH * MAX_ROWS, 77);
    const vn_fp *cols[MAX_WIDTH];
    for (size_t c = 0; c < MAX_WIDTH; c++)
        cols[c] = data[c];
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        for (size_t rows = 0; rows <= MAX_ROWS; rows += rows < 20 ? 1 : 10) {
            FOR_BACKENDS(b) {
                vn_fp *out = guarded(VN_DIGEST_LEN * MAX_ROWS, 5);
                b->hash_rows(out, MAX_ROWS, cols, widths[i], rows);
                for (size_t r = 0; r < rows; r++) {
                    vn_fp row[MAX_WIDTH];
                    for (size_t c = 0; c < widths[i]; c++)
                        row[c] = data[c][r];
                    struct vn_digest d = vn_hash(VN_TAG_ROW, row, widths[i]);
                    for (size_t k = 0; k < VN_DIGEST_LEN; k++)
                        cr_assert_eq(out[k * MAX_ROWS + r], d.c[k], "%s width %zu row %zu", b->name, widths[i], r);
                }
                check_and_free(out, VN_DIGEST_LEN * MAX_ROWS);
            }
        }
    }
}

Test(kernels, node_hashes_equal_scalar)
{
    enum { MAX = 50 };
    vn_fp in[VN_DIGEST_LEN * 2 * MAX], want[VN_DIGEST_LEN * MAX];
    test_fill(in, sizeof in / sizeof *in, 3);
    for (size_t n = 0; n <= MAX; n++) {
        test_fill(want, sizeof want / sizeof *want, 4);
        vn_backend_scalar.hash_nodes(want, MAX, in, 2 * MAX, n, 5);
        FOR_BACKENDS(b) {
            vn_fp *out = guarded(VN_DIGEST_LEN * MAX, 0);
            test_fill(out, VN_DIGEST_LEN * MAX, 4);
            b->hash_nodes(out, MAX, in, 2 * MAX, n, 5);
            cr_assert_arr_eq(out, want, sizeof want, "%s %zu nodes", b->name, n);
            check_and_free(out, VN_DIGEST_LEN * MAX);
        }
    }
}

/* Long runs of one permutation state: errors of lazy reductions would show up in one of many inputs. */
Test(kernels, many_permutations_equal_scalar)
{
    enum { ROWS = 4096, WIDTH = 14 };
    vn_fp *data = test_column(ROWS * WIDTH, 11), *want = test_column(VN_DIGEST_LEN * ROWS, 0), *got = test_column(VN_DIGEST_LEN * ROWS, 0);
    const vn_fp *cols[WIDTH];
    for (size_t c = 0; c < WIDTH; c++) {
        cols[c] = data + c * ROWS;
        /* The first rows hold edge values only. */
        for (size_t r = 0; r < 256; r++)
            data[c * ROWS + r] = (r * (c + 1) >> c % 5) % 3 == 0 ? 0 : (r * (c + 1) >> c % 5) % 3 == 1 ? VN_P - 1 : 1;
    }
    vn_backend_scalar.hash_rows(want, ROWS, cols, WIDTH, ROWS);
    FOR_BACKENDS(b) {
        b->hash_rows(got, ROWS, cols, WIDTH, ROWS);
        cr_assert_arr_eq(got, want, VN_DIGEST_LEN * ROWS * sizeof *got, "%s", b->name);
    }
    free(data);
    free(want);
    free(got);
}

Test(kernels, grind_finds_the_smallest)
{
    for (uint32_t absorbed = 0; absorbed < 16; absorbed++) {
        struct vn_transcript t;
        vn_transcript_init(&t, VN_TAG_TRANSCRIPT);
        for (uint32_t i = 0; i < absorbed; i++)
            vn_transcript_absorb_u32(&t, 1000 + i);
        uint32_t want = vn_backend_scalar.grind(&t, 8, 3, 4000);
        cr_assert_neq(want, UINT32_MAX);
        FOR_BACKENDS(b) {
            cr_assert_eq(b->grind(&t, 8, 3, 4000), want, "%s", b->name);
            cr_assert_eq(b->grind(&t, 8, want, 1), want, "%s", b->name);
            cr_assert_eq(b->grind(&t, 8, 3, want - 3), UINT32_MAX, "%s", b->name);
            cr_assert_eq(b->grind(&t, 0, 17, 5), 17, "%s", b->name);
            cr_assert_eq(b->grind(&t, 24, VN_P - 3, 3), vn_backend_scalar.grind(&t, 24, VN_P - 3, 3), "%s", b->name);
        }
    }
}
