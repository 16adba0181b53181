/* The generated kernels against each other, against the evaluation at a point, and against what they are for: on an honest trace every constraint
 * vanishes, and the tables' sums and the verifier's loose ends cancel out. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "air_tables.h"
#include "services/prover-engine/backend/backend.h"
#include "tests/unit/air/support.h"

#define N 64u
#define MAX_COLUMNS 320

static const char *const isas[] = {"scalar", "avx2", "avx512"};

static const struct vn_air_kernels *kernels(const char *isa)
{
    return vn_backend_select(isa) ? vn_air_kernels_select(isa) : NULL;
}

static vn_fp random_fp(uint64_t *seed)
{
    return (vn_fp)(air_random(seed) % VN_P);
}

static struct vn_fp6 random_fp6(uint64_t *seed)
{
    struct vn_fp6 r;
    for (int i = 0; i < 6; i++)
        r.c[i] = random_fp(seed);
    return r;
}

static void random_challenges(struct vn_air_challenges *c, uint64_t *seed)
{
    for (unsigned scope = 0; scope < VN_SCOPE_COUNT; scope++) {
        struct vn_fp6 alpha = random_fp6(seed), beta = random_fp6(seed);
        vn_air_challenges_set(c, scope, alpha, beta);
    }
}

/* Random columns of one table: pre, p1, main, then six per LogUp column, each N + 16 long and wrapped. */
struct random_rows {
    vn_fp *columns[MAX_COLUMNS];
    unsigned n_base, n_logup;
    struct vn_air_rows rows;
    struct vn_fp6 alpha_pow[512];
    struct vn_air_challenges challenges;
    struct vn_air_params params;
};

static void random_rows(struct random_rows *x, unsigned table, uint64_t *seed)
{
    const struct vn_air_table *t = &vn_air_tables[table];
    x->n_base = (unsigned)t->n_pre + t->n_p1 + t->n_main;
    x->n_logup = (unsigned)t->n_logup[0] + t->n_logup[1];
    cr_assert(x->n_base + 6 * x->n_logup <= MAX_COLUMNS && t->n_constraints <= 512);
    for (unsigned c = 0; c < x->n_base + 6 * x->n_logup; c++) {
        x->columns[c] = malloc((N + 16) * sizeof(vn_fp));
        for (unsigned i = 0; i < N; i++)
            x->columns[c][i] = random_fp(seed);
        memcpy(x->columns[c] + N, x->columns[c], 16 * sizeof(vn_fp));
    }
    const vn_fp *const *c = (const vn_fp *const *)x->columns;
    x->rows = (struct vn_air_rows){c, c + t->n_pre, c + t->n_pre + t->n_p1, c + x->n_base};
    for (unsigned i = 0; i < t->n_constraints; i++)
        x->alpha_pow[i] = random_fp6(seed);
    random_challenges(&x->challenges, seed);
    x->params = (struct vn_air_params){&x->challenges, x->alpha_pow, {random_fp6(seed), random_fp6(seed)}, random_fp(seed)};
}

static void random_rows_free(struct random_rows *x)
{
    for (unsigned c = 0; c < x->n_base + 6 * x->n_logup; c++)
        free(x->columns[c]);
}

static void outputs_new(vn_fp **out, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = calloc(N, sizeof(vn_fp));
}

static void outputs_free(vn_fp **out, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free(out[i]);
}

static struct vn_fp6 point_value(const struct random_rows *x, unsigned table, unsigned row)
{
    const struct vn_air_table *t = &vn_air_tables[table];
    struct vn_fp6 base[MAX_COLUMNS], logup[VN_AIR_MAX_TUPLE * 4], next[VN_AIR_MAX_TUPLE * 4];
    for (unsigned c = 0; c < x->n_base; c++)
        base[c] = vn_fp6_from_fp(x->columns[c][row]);
    for (unsigned c = 0; c < x->n_logup; c++)
        for (unsigned k = 0; k < 6; k++) {
            logup[c].c[k] = x->columns[x->n_base + 6 * c + k][row];
            next[c].c[k] = x->columns[x->n_base + 6 * c + k][row + 1];
        }
    struct vn_air_point pt = {base, base + t->n_pre, base + t->n_pre + t->n_p1, logup, next};
    return vn_air_eval_point(table, &pt, &x->params);
}

Test(kernels, agree_on_random_rows)
{
    uint64_t seed = 3;
    for (unsigned table = 0; table < vn_air_table_count; table++) {
        static struct random_rows x;
        vn_fp *logup[3][MAX_COLUMNS], *out[3][6];
        random_rows(&x, table, &seed);
        for (unsigned i = 0; i < 3; i++) {
            const struct vn_air_kernels *k = kernels(isas[i]);
            if (!k)
                continue;
            outputs_new(logup[i], 6 * x.n_logup);
            outputs_new(out[i], 6);
            k->logup(table, &x.rows, &x.params, logup[i], 0, N);
            k->quotient(table, &x.rows, &x.params, out[i], 16, N);
            for (unsigned c = 0; c < 6 * x.n_logup; c++)
                cr_assert_eq(memcmp(logup[0][c], logup[i][c], N * sizeof(vn_fp)), 0, "logup of %s, %s, column %u", vn_air_tables[table].name, isas[i], c);
            for (unsigned row = 16; row < N; row++) {
                struct vn_fp6 v = point_value(&x, table, row);
                for (unsigned c = 0; c < 6; c++)
                    cr_assert_eq(out[i][c][row], v.c[c], "quotient of %s, %s, row %u", vn_air_tables[table].name, isas[i], row);
            }
            cr_assert_eq(out[i][0][15], 0);
            k->quotient(table, &x.rows, &x.params, out[i], 16, N); /* it adds */
            struct vn_fp6 v = point_value(&x, table, 20);
            cr_assert_eq(out[i][3][20], vn_fp_add(v.c[3], v.c[3]));
            if (i) {
                outputs_free(logup[i], 6 * x.n_logup);
                outputs_free(out[i], 6);
            }
        }
        outputs_free(logup[0], 6 * x.n_logup);
        outputs_free(out[0], 6);
        random_rows_free(&x);
    }
}

/* ---- An honest trace ---- */

static vn_fp **to_field(uint32_t *const *columns, unsigned n, size_t rows)
{
    vn_fp **c = calloc(n + 1, sizeof *c);
    for (unsigned i = 0; i < n; i++) {
        c[i] = malloc(rows * sizeof(vn_fp));
        for (size_t j = 0; j < rows; j++)
            c[i][j] = vn_fp_from(columns[i][j]);
    }
    return c;
}

/* Turns the row contributions in the running sum's place into the running sum, wrapped; returns S. */
static struct vn_fp6 run_sum(vn_fp *const *s, size_t n, struct vn_fp6 *per_row)
{
    struct vn_fp6 total = vn_fp6_zero(), sum = vn_fp6_zero();
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < 6; k++)
            total.c[k] = vn_fp_add(total.c[k], s[k][i]);
    *per_row = vn_fp6_mul_fp(total, vn_fp_inv(vn_fp_from((uint32_t)n)));
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < 6; k++) {
            vn_fp row = vn_fp_sub(s[k][i], per_row->c[k]);
            s[k][i] = sum.c[k];
            sum.c[k] = vn_fp_add(sum.c[k], row);
        }
    cr_assert(vn_fp6_is_zero(&sum));
    for (unsigned k = 0; k < 6; k++)
        memcpy(s[k] + n, s[k], 16 * sizeof(vn_fp));
    return total;
}

/* Adds the table's sums to `sums`; every row's constraints must vanish. */
static void prove_table(const struct vn_air_kernels *k, const struct air_job *job, const struct air_shard *s, unsigned table,
                        const struct vn_air_challenges *challenges, struct vn_fp6 sums[VN_SCOPE_COUNT], uint64_t *seed)
{
    const struct vn_air_table *t = &vn_air_tables[table];
    size_t n = (size_t)1 << s->trace.log_height[table];
    unsigned n_logup = 6u * ((unsigned)t->n_logup[0] + t->n_logup[1]), first = 0;
    uint32_t **pre_values = air_pre_columns(job->program, s->shard.kind, table, s->trace.log_height[table]);
    vn_fp **pre = to_field(pre_values, t->n_pre, n), **p1 = to_field(s->trace.p1[table], t->n_p1, n), **main = to_field(s->trace.main[table], t->n_main, n);
    vn_fp *logup[MAX_COLUMNS], *out[6];
    struct vn_fp6 alpha_pow[512];
    for (unsigned i = 0; i < n_logup; i++)
        logup[i] = calloc(n + 16, sizeof(vn_fp));
    for (unsigned i = 0; i < 6; i++)
        out[i] = calloc(n, sizeof(vn_fp));
    for (unsigned i = 0; i < t->n_constraints; i++)
        alpha_pow[i] = random_fp6(seed);
    struct vn_air_rows rows = {(const vn_fp *const *)pre, (const vn_fp *const *)p1, (const vn_fp *const *)main, (const vn_fp *const *)logup};
    struct vn_air_params params = {.challenges = challenges, .alpha_pow = alpha_pow, .shard_index = vn_fp_from(s->shard.index)};
    k->logup(table, &rows, &params, logup, 0, n);
    for (unsigned scope = 0; scope < VN_SCOPE_COUNT; scope++) {
        if (!t->n_logup[scope])
            continue;
        first += t->n_logup[scope];
        sums[scope] = vn_fp6_add(sums[scope], run_sum(logup + 6 * (first - 1), n, &params.sum_per_row[scope]));
    }
    k->quotient(table, &rows, &params, out, 0, n);
    for (unsigned i = 0; i < 6; i++)
        for (size_t j = 0; j < n; j++)
            cr_assert_eq(out[i][j], 0, "table %s, row %zu", t->name, j);
    air_columns_free(pre_values, t->n_pre);
    air_columns_free(pre, t->n_pre);
    air_columns_free(p1, t->n_p1);
    air_columns_free(main, t->n_main);
    for (unsigned i = 0; i < n_logup; i++)
        free(logup[i]);
    for (unsigned i = 0; i < 6; i++)
        free(out[i]);
}

static struct vn_fp6 fraction(const struct vn_air_challenges *c, unsigned scope, enum vn_bus bus, const uint32_t *tuple, unsigned width, int sign)
{
    vn_fp t[VN_AIR_MAX_TUPLE];
    for (unsigned i = 0; i < width; i++)
        t[i] = vn_fp_from(tuple[i]);
    return vn_air_fraction(c, scope, bus, t, width, sign);
}

Test(kernels, prove_an_honest_trace)
{
    struct air_job job;
    struct vn_air_challenges challenges;
    struct vn_fp6 global = vn_fp6_zero();
    uint64_t seed = 11;
    const struct vn_air_kernels *k = kernels("avx512") ? kernels("avx512") : kernels("avx2") ? kernels("avx2") : kernels("scalar");
    random_challenges(&challenges, &seed);
    air_job_run(&job, air_program_all(), 12);
    for (size_t i = 0; i < job.n_shards; i++) {
        struct air_shard *s = &job.shards[i];
        const struct vn_air_kind *kd = &vn_air_kinds[s->shard.kind];
        struct vn_fp6 sums[VN_SCOPE_COUNT] = {vn_fp6_zero(), vn_fp6_zero()};
        air_shard_fill(&job, s, NULL);
        for (unsigned j = 0; j < kd->n_tables; j++)
            if (s->trace.log_height[kd->tables[j]] != VN_LOG_HEIGHT_ABSENT)
                prove_table(k, &job, s, kd->tables[j], &challenges, sums, &seed);
        air_shard_clear(s);
        if (s->shard.kind == VN_SHARD_EXECUTION) {
            uint32_t start[3] = {VN_CLK_START, s->shard.start_pc / 2, 0};
            uint32_t end[3] = {VN_CLK_START + VN_CLK_STEP * s->shard.steps, s->shard.end_pc / 2, s->shard.halted};
            sums[0] = vn_fp6_add(sums[0], fraction(&challenges, VN_SCOPE_LOCAL, VN_BUS_EXEC, start, 3, 1));
            sums[0] = vn_fp6_add(sums[0], fraction(&challenges, VN_SCOPE_LOCAL, VN_BUS_EXEC, end, 3, -1));
        } else {
            uint32_t first = s->shard.first_memory ? VN_P - 1 : s->shard.prev_key;
            sums[0] = vn_fp6_add(sums[0], fraction(&challenges, VN_SCOPE_LOCAL, VN_BUS_CHAIN, &first, 1, 1));
            sums[0] = vn_fp6_add(sums[0], fraction(&challenges, VN_SCOPE_LOCAL, VN_BUS_CHAIN, &s->shard.last_key, 1, -1));
        }
        cr_assert(vn_fp6_is_zero(&sums[0]), "shard %zu: the local buses do not cancel out", i);
        global = vn_fp6_add(global, sums[1]);
    }
    for (uint32_t i = 0; i < VN_OUTPUT_BYTES / 8; i++) {
        uint32_t tuple[5] = {i};
        for (unsigned j = 0; j < 4; j++)
            tuple[1 + j] = job.result.output[8 * i + 2 * j] | (uint32_t)job.result.output[8 * i + 2 * j + 1] << 8;
        global = vn_fp6_add(global, fraction(&challenges, VN_SCOPE_GLOBAL, VN_BUS_OUTPUT, tuple, 5, -1));
    }
    cr_assert(vn_fp6_is_zero(&global), "the global buses do not cancel out");
    air_job_free(&job);
}
