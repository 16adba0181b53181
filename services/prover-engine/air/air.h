#ifndef VN_AIR_H
#define VN_AIR_H
/* What the generated tables offer to prover and verifier. The tables are declared in air/tables/ through the builder (air/builder.h);
 * airc turns them into air_tables.h (ids, column numbers) and the straight-line code behind the functions here.
 *
 * A table's rows are checked one by one: no constraint reads a neighbouring row, except that the running sums of the lookup argument
 * read the next one (cyclically).
 *
 * Lookup argument (LogUp). An interaction is (bus, scope, multiplicity m, tuple t_1..t_w); its fraction is m / d with
 *     d = alpha + bus + sum_k beta^k t_k          (alpha, beta of its scope).
 * Interactions of one scope are paired in declaration order. Every pair but the last has an extension column h = m1/d1 + m2/d2; the last
 * pair (or single one) is folded into the running sum s:  s(next) = s + sum h + last fractions - S / n, S the table's total, n its height. */

#include <stddef.h>
#include <stdint.h>

#include "services/prover-engine/field/fp6.h"

enum { VN_SCOPE_LOCAL = 0, VN_SCOPE_GLOBAL = 1, VN_SCOPE_COUNT = 2 };

#define VN_AIR_MAX_TUPLE 16
#define VN_AIR_MAX_TABLES 48
#define VN_LOG_HEIGHT_ABSENT 31u

/* Bus ids; tuple orders. Lookup buses have one provider table. */
enum vn_bus {
    VN_BUS_EXEC = 1,    /* local: clk, pc/2, halted */
    VN_BUS_PROGRAM = 2, /* local lookup: pc/2, op, rd, rs1, rs2, wr, imm0..imm3, next */
    VN_BUS_MEMORY = 3,  /* local: space, word, clk, v0..v3 */
    VN_BUS_BITS = 4,    /* local lookup: m, x  with x < 2^m, m <= 16 */
    VN_BUS_BYTE = 5,    /* local lookup: x, y, x and y (bytes) */
    VN_BUS_TIME = 6,    /* local lookup: x < 2^20 */
    VN_BUS_POW = 7,     /* local lookup: m, 2^m, m <= 16 */
    VN_BUS_PAGE = 8,    /* local lookup: space * 2^16 + page, kind */
    VN_BUS_IMAGE = 9,   /* local lookup: key, v0..v3 */
    VN_BUS_CHAIN = 10,  /* local: key; strictly ascending keys of a memory shard */
    VN_BUS_GLOBAL_MEMORY = 11, /* global: space, word, shard, v0..v3 */
    VN_BUS_OUTPUT = 12, /* global: index 0..31, v0..v3 */
};

struct vn_air_table {
    const char *name;
    uint16_t n_pre, n_p1, n_main;        /* base columns */
    uint16_t n_logup[VN_SCOPE_COUNT];    /* extension columns per scope, the last of each scope is its running sum; 0 = no interaction */
    uint16_t n_constraints;              /* with the LogUp ones */
    const char *const *pre_names, *const *p1_names, *const *main_names;
    const char *const *constraint_names; /* n_constraints */
};

/* Tables by id (enum vn_table_id in air_tables.h). */
extern const struct vn_air_table vn_air_tables[];
extern const unsigned vn_air_table_count;

/* Which tables a kind (enum vn_shard_kind) has, in order. `required`: may not be absent. fixed_log_height: 0 = free. */
struct vn_air_kind {
    const char *name;
    unsigned n_tables;
    const uint8_t *tables;
    const uint8_t *required;
    const uint8_t *fixed_log_height;
    const uint16_t *first_constraint; /* per position: number of constraints of the tables before it: the power of the constraint challenge it starts with */
    unsigned n_constraints;           /* of all tables of the kind */
};
extern const struct vn_air_kind vn_air_kinds[2];

/* Heights come from a few classes so that stacks of equal height waste little. */
extern const uint8_t vn_air_height_classes[]; /* log2, ascending, 0-terminated */
unsigned vn_air_log_height(size_t rows);       /* smallest class with room; VN_LOG_HEIGHT_ABSENT for 0 rows */

/* Upper bound, on integers, of interactions x height x |multiplicity| per bus; 0 if a bus of the kind would reach p. */
int vn_air_multiplicities_fit(unsigned kind, const uint8_t *log_heights);

struct vn_air_challenges {
    struct vn_fp6 alpha[VN_SCOPE_COUNT];
    struct vn_fp6 beta_pow[VN_SCOPE_COUNT][VN_AIR_MAX_TUPLE + 1]; /* beta^0 .. */
};
void vn_air_challenges_set(struct vn_air_challenges *c, unsigned scope, struct vn_fp6 alpha, struct vn_fp6 beta);

struct vn_air_params {
    const struct vn_air_challenges *challenges;
    const struct vn_fp6 *alpha_pow;                 /* constraint challenge powers, of this table: n_constraints */
    struct vn_fp6 sum_per_row[VN_SCOPE_COUNT];      /* S / n of this table */
    vn_fp shard_index;                              /* the public value constraints may read */
};

/* m / d of one tuple, for the loose ends a verifier puts itself. tuple: w field elements. */
struct vn_fp6 vn_air_fraction(const struct vn_air_challenges *c, unsigned scope, enum vn_bus bus, const vn_fp *tuple, unsigned width, int sign);

/* ---- Verifier: all constraints of one table at a point, combined with alpha_pow ---- */
struct vn_air_point {
    const struct vn_fp6 *pre, *p1, *main;
    const struct vn_fp6 *logup;      /* local columns, then global ones: value of the extension column (sum_k x^k v_k) */
    const struct vn_fp6 *logup_next; /* the same columns at the next row; only running sums are read */
};
struct vn_fp6 vn_air_eval_point(unsigned table, const struct vn_air_point *pt, const struct vn_air_params *params);

/* ---- Prover kernels ---- */
struct vn_air_rows { /* values at row i: column[c][i] */
    const vn_fp *const *pre, *const *p1, *const *main;
    const vn_fp *const *logup; /* six base columns per extension column; the running sums' arrays are readable to [n + 15], wrapped */
};
struct vn_air_kernels {
    /* logup[6 c + k][i] for i in [begin, end): h columns; in the running sum's place the row's whole contribution (sum of all fractions of
     * the scope), which the caller adds up. */
    void (*logup)(unsigned table, const struct vn_air_rows *r, const struct vn_air_params *p, vn_fp *const *logup, size_t begin, size_t end);
    /* out[k][i] += sum_c alpha_pow[c] * C_c(row i), for any domain the columns are given on. */
    void (*quotient)(unsigned table, const struct vn_air_rows *r, const struct vn_air_params *p, vn_fp *const out[6], size_t begin, size_t end);
};
/* begin and end are multiples of 16 (the smallest height is 2^8). */
const struct vn_air_kernels *vn_air_kernels_select(const char *isa); /* "scalar", "avx2", "avx512"; NULL if not built */

#endif
