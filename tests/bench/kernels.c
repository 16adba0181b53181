/* venus-bench-kernels: what each backend does on one thread, beside the two roofs of this machine.
 *
 *   venus-bench-kernels [--json] [--isa NAME] [--seconds S]
 *
 * Roofs, measured in the same run: copy (memcpy of a buffer larger than the caches, bytes read plus bytes written) and the multiply
 * rate of the backend (its mul kernel on two columns in the first-level cache). Every figure is the best of several repetitions; the
 * roof ratios compare what the kernel needs at least with what the roof allows:
 *   multiply: n/2 log n per transform, those of the 215 cubes per permutation;
 *   copy: each input cell read and each output cell written once. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "services/prover-engine/backend/backend.h"

enum {
    CACHED = 2048,             /* elements of a column that stays in the first-level cache */
    LOG_COLUMN = 18,
    COLUMN = 1 << LOG_COLUMN,
    N_COLUMNS = 16,
    COPY_BYTES = 1 << 28,
    WIDE_COLUMNS = 256,
    WIDE_ROWS = N_COLUMNS * COLUMN / WIDE_COLUMNS,
    HASH_ROWS = 1 << 14,
    POWER_CUBE = 2,            /* multiplications in x^3 */
};

static const double muls_per_permutation = POWER_CUBE * (VN_HASH_WIDTH * VN_HASH_FULL_ROUNDS + VN_HASH_PARTIAL_ROUNDS);

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct data {
    vn_fp *columns; /* N_COLUMNS * COLUMN */
    vn_fp *low, *high;
    vn_fp *scale[2];
    const struct vn_backend *backend;
    char *copy_from, *copy_to;
};

static void run_copy(struct data *d) { memcpy(d->copy_to, d->copy_from, COPY_BYTES); }

static void run_mul(struct data *d)
{
    for (int i = 0; i < 64; i++)
        d->backend->mul(d->columns, d->columns + CACHED, CACHED);
}

static void run_permutations(struct data *d)
{
    const vn_fp *cols[VN_HASH_RATE];
    for (size_t c = 0; c < VN_HASH_RATE; c++)
        cols[c] = d->columns + c * COLUMN;
    d->backend->hash_rows(d->low, HASH_ROWS, cols, VN_HASH_RATE, HASH_ROWS);
}

static void run_ntt(struct data *d)
{
    for (size_t c = 0; c < N_COLUMNS; c++)
        d->backend->ntt(d->columns + c * COLUMN, LOG_COLUMN);
}

/* One inverse transform and two cosets: the values on both halves of the doubled domain. */
static void run_lde(struct data *d)
{
    for (size_t c = 0; c < N_COLUMNS; c++) {
        vn_fp *x = d->columns + c * COLUMN;
        d->backend->intt(x, LOG_COLUMN);
        d->backend->coset_ntt(d->low, x, d->scale[0], LOG_COLUMN);
        d->backend->coset_ntt(d->high, x, d->scale[1], LOG_COLUMN);
    }
}

/* A tree over the data cut into `width` columns. */
static void commit(struct data *d, size_t width, size_t rows)
{
    const vn_fp *cols[WIDE_COLUMNS];
    for (size_t c = 0; c < width; c++)
        cols[c] = d->columns + c * ((size_t)N_COLUMNS * COLUMN / width);
    struct vn_merkle_tree t = {0};
    if (vn_merkle_new(&t, rows) != VN_OK || vn_merkle_hash_rows(&t, d->backend, NULL, cols, width, 0, rows) != VN_OK) {
        fprintf(stderr, "venus-bench-kernels: out of memory\n");
        exit(1);
    }
    vn_merkle_hash_nodes(&t, d->backend, NULL);
    vn_merkle_free(&t);
}

static void run_commit(struct data *d) { commit(d, N_COLUMNS, COLUMN >> 2); }
static void run_commit_wide(struct data *d) { commit(d, WIDE_COLUMNS, WIDE_ROWS); }

/* Best rate, in units per second, of repetitions that fill `seconds`. */
static double rate(struct data *d, void (*run)(struct data *), double units, double seconds)
{
    double end = now() + seconds, best = 0;
    run(d);
    do {
        double start = now();
        run(d);
        double r = units / (now() - start);
        best = r > best ? r : best;
    } while (now() < end);
    return best;
}

struct measure {
    const char *name, *unit;
    void (*run)(struct data *);
    double units;          /* per run */
    double muls, bytes;    /* per unit, at least */
};

static const struct measure measures[] = {
    {"multiply", "multiplies", run_mul, 64.0 * CACHED, 1, 0},
    {"poseidon2", "permutations", run_permutations, HASH_ROWS, 0, 4.0 * (VN_HASH_RATE + VN_DIGEST_LEN)},
    {"ntt", "cells", run_ntt, (double)N_COLUMNS * COLUMN, LOG_COLUMN / 2.0, 8},
    {"lde2", "cells", run_lde, (double)N_COLUMNS * COLUMN, 3 * LOG_COLUMN / 2.0 + 3, 12},
    {"commit256", "cells", run_commit_wide, (double)N_COLUMNS * COLUMN, 0, 4},
    {"commit16", "cells", run_commit, (double)N_COLUMNS * COLUMN / 4, 0, 4},
};
enum { N_MEASURES = sizeof measures / sizeof measures[0] };

/* Multiplications per unit; those made of permutations are derived here: a row of a commit needs one for each 14 columns and one for its node. */
static double muls_per_unit(size_t m)
{
    if (measures[m].run == run_permutations)
        return muls_per_permutation;
    if (measures[m].run == run_commit)
        return 3 * muls_per_permutation / N_COLUMNS;
    if (measures[m].run == run_commit_wide)
        return ((WIDE_COLUMNS + VN_HASH_RATE - 1) / VN_HASH_RATE + 1) * muls_per_permutation / WIDE_COLUMNS;
    return measures[m].muls;
}

static vn_fp *column(size_t n)
{
    vn_fp *x = aligned_alloc(1 << 21, (n * sizeof *x + (1 << 21) - 1) >> 21 << 21);
    if (!x) {
        fprintf(stderr, "venus-bench-kernels: out of memory\n");
        exit(1);
    }
    for (size_t i = 0; i < n; i++)
        x[i] = (vn_fp)(i * 2654435761u % VN_P);
    return x;
}

int main(int argc, char **argv)
{
    int json = 0;
    const char *isa = NULL;
    double seconds = 0.5;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) {
            json = 1;
        } else if (!strcmp(argv[i], "--isa") && i + 1 < argc) {
            isa = argv[++i];
        } else if (!strcmp(argv[i], "--seconds") && i + 1 < argc) {
            seconds = strtod(argv[++i], NULL);
        } else {
            fprintf(stderr, "usage: venus-bench-kernels [--json] [--isa NAME] [--seconds S]\n");
            return 2;
        }
    }
    if (isa && !vn_backend_select(isa)) {
        fprintf(stderr, "venus-bench-kernels: this CPU does not run '%s'\n", isa);
        return 1;
    }

    struct data d = {.columns = column((size_t)N_COLUMNS * COLUMN), .low = column(COLUMN), .high = column(COLUMN)};
    for (int i = 0; i < 2; i++) {
        d.scale[i] = column(COLUMN);
        vn_fp shift = vn_fp_from(VN_GENERATOR);
        vn_coset_scale(d.scale[i], i ? vn_fp_mul(shift, vn_fp_root(LOG_COLUMN + 1)) : shift, LOG_COLUMN);
    }
    d.copy_from = (char *)column(COPY_BYTES / sizeof(vn_fp));
    d.copy_to = (char *)column(COPY_BYTES / sizeof(vn_fp));
    double copy = rate(&d, run_copy, 2.0 * COPY_BYTES, seconds);
    if (json)
        printf("{\"copy_bytes_per_second\": %.4g, \"backends\": [", copy);
    else
        printf("copy: %.2f GB/s\n", copy / 1e9);

    static const char *const names[] = {"scalar", "avx2", "avx512"};
    const char *separator = "";
    for (size_t b = 0; b < sizeof names / sizeof names[0]; b++) {
        d.backend = vn_backend_select(names[b]);
        if (!d.backend || (isa && strcmp(isa, names[b])))
            continue;
        if (json)
            printf("%s\n {\"name\": \"%s\"", separator, names[b]);
        separator = ",";
        double multiply = 0;
        for (size_t m = 0; m < N_MEASURES; m++) {
            double r = rate(&d, measures[m].run, measures[m].units, seconds);
            if (m == 0)
                multiply = r;
            double of_multiply = r * muls_per_unit(m) / multiply, of_copy = r * measures[m].bytes / copy;
            if (json)
                printf(", \"%s\": {\"per_second\": %.4g, \"of_multiply\": %.3f, \"of_copy\": %.3f}", measures[m].name, r, of_multiply, of_copy);
            else
                printf("%-7s %-10s %10.2f M %s/s  %5.1f%% of multiply roof  %5.1f%% of copy roof\n", names[b], measures[m].name, r / 1e6,
                       measures[m].unit, 100 * of_multiply, 100 * of_copy);
        }
        if (json)
            printf("}");
    }
    if (json)
        printf("\n]}\n");
    free(d.columns);
    free(d.low);
    free(d.high);
    free(d.scale[0]);
    free(d.scale[1]);
    free(d.copy_from);
    free(d.copy_to);
    return 0;
}
