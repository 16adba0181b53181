#ifndef VN_AVX512_POSEIDON2_H
#define VN_AVX512_POSEIDON2_H
/* Poseidon2 on sixteen states, eight at a time in 64-bit lanes, with the 52-bit multiply-add (IFMA).
 *
 * An element is any number < 2^52 with the right residue: nothing is brought below p between the multiplications. A linear layer is plain additions,
 * which at most multiplies the largest element by 49 (external) or adds fifteen of them (internal); every product comes out below 3p.
 * The instruction reads the low 52 bits of its factors, so bits above them, which Barrett's subtraction modulo 2^52 leaves, do no harm.
 * Domain: inside, x stands for x / 2^52; outside, canonical Montgomery (x / 2^32).
 *
 * Partial rounds: the diagonal has nine pairs (v, -v). For such a pair of elements a, b let d = a + b and e = a - b. A round
 * makes d' = v e + 2 sum and e' = v d, so d'' = v^2 d + 2 sum': one multiplication by v^2 per pair and round, and the sum over
 * all elements needs the d only. Two generations of d are kept; a and b come back at the end.
 *
 * Bounds, in units of p: a full round's input is below 49 * 2^39 / p even when the state before was not reduced, so x^2 / 2^52 < 2^38 and
 * x^3 / 2^104 < 2^32; then cubes are < 3, states after the matrix < 150. In partial rounds d < 8, `one` and `two` grow by at most 3 a round
 * and the others stay < 4, so that the sum is < 2^40. */
#include <stddef.h>

#include "services/prover-engine/hash/poseidon2.h"
#include "services/prover-engine/hash/poseidon2_constants.h"

typedef __m512i vw; /* eight 64-bit lanes */

static inline vw vw_set1(uint64_t a) { return _mm512_set1_epi64((long long)a); }

/* A cleared register. Left to itself gcc keeps one zero and copies it, which measures 4 % slower. */
static inline vw vw_zero(void)
{
    vw a;
    __asm__ volatile("vpxorq %0, %0, %0" : "=v"(a));
    return a;
}

static inline vw vw_add(vw a, vw b) { return _mm512_add_epi64(a, b); }
static inline vw vw_sub(vw a, vw b) { return _mm512_sub_epi64(a, b); }

/* acc + low and high 52 bits of the product. */
static inline vw vw_madd_lo(vw acc, vw a, vw b) { return _mm512_madd52lo_epu64(acc, a, b); }
static inline vw vw_madd_hi(vw acc, vw a, vw b) { return _mm512_madd52hi_epu64(acc, a, b); }

#define WIDE_MASK (((uint64_t)1 << 52) - 1)
/* p^-1 mod 2^52. From p = 1 + 127 * 2^24: 1 - e + e^2, e = 127 * 2^24 (e^3 is a multiple of 2^72). */
#define WIDE_P_INV ((1 - ((uint64_t)127 << 24) + ((uint64_t)127 * 127 << 48)) & WIDE_MASK)
#define WIDE_MINUS_P (WIDE_MASK + 1 - VN_P)

_Static_assert(((WIDE_P_INV * VN_P) & WIDE_MASK) == 1, "an inverse modulo 2^52");

/* a b / 2^52 in (0, p + a b / 2^52]. */
static inline vw vw_mul(vw a, vw b)
{
    vw low = vw_madd_lo(vw_zero(), a, b), high = vw_madd_hi(vw_set1(VN_P), a, b);
    vw q = vw_madd_lo(vw_zero(), low, vw_set1(WIDE_P_INV));
    return vw_sub(high, vw_madd_hi(vw_zero(), q, vw_set1(VN_P)));
}

/* A known factor c < p and floor(c 2^52 / p). */
struct factor {
    uint64_t c, quotient;
};
#define FACTOR(c) {(c), (uint64_t)(((unsigned __int128)(c) << 52) / VN_P)}
#define HALVED(k) (VN_P - ((uint64_t)127 << (24 - (k)))) /* 2^-k, k <= 24: 127 * 2^24 = -1 */
#define MINUS_HALVED(k) ((uint64_t)127 << (24 - (k)))

/* acc + c x modulo p and 2^52; adds less than p (1 + x / 2^52) + 1. */
static inline vw vw_madd_factor(vw acc, vw x, const struct factor *f)
{
    vw q = vw_madd_hi(vw_zero(), x, vw_set1(f->quotient));
    return vw_madd_lo(vw_madd_lo(acc, x, vw_set1(f->c)), q, vw_set1(WIDE_MINUS_P));
}

/* x < 2^52 to less than p (1 + x / 2^52) + 1. */
static inline vw vw_reduce(vw x)
{
    vw q = vw_madd_hi(vw_zero(), x, vw_set1((WIDE_MASK + 1) / VN_P));
    return vw_madd_lo(x, q, vw_set1(WIDE_MINUS_P));
}

static inline vw vw_cube(vw a)
{
    return vw_mul(vw_mul(a, a), a);
}

/* M4 = circ(2, 3, 1, 1) on each four, then every element gets the sum of its column over the six fours. */
static inline void external_matrix(vw s[VN_HASH_WIDTH])
{
    vw column[4];
#pragma GCC unroll 6
    for (int b = 0; b < VN_HASH_WIDTH; b += 4) {
        vw *x = s + b, x0 = x[0];
        vw x01 = vw_add(x[0], x[1]), x23 = vw_add(x[2], x[3]);
        vw all = vw_add(x01, x23);
        vw all1 = vw_add(all, x[1]), all3 = vw_add(all, x[3]);
        x[0] = vw_add(all1, x01);
        x[1] = vw_madd_lo(all1, x[2], vw_set1(2));
        x[2] = vw_add(all3, x23);
        x[3] = vw_madd_lo(all3, x0, vw_set1(2));
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            column[i] = b ? vw_add(column[i], x[i]) : x[i];
    }
#pragma GCC unroll 24
    for (int i = 0; i < VN_HASH_WIDTH; i++)
        s[i] = vw_add(s[i], column[i & 3]);
}

static inline void full_rounds(vw s[VN_HASH_WIDTH], const uint64_t *constants)
{
    for (int r = 0; r < VN_HASH_FULL_ROUNDS / 2; r++) {
#pragma GCC unroll 24
        for (int i = 0; i < VN_HASH_WIDTH; i++)
            s[i] = vw_cube(vw_add(s[i], vw_set1(constants[VN_HASH_WIDTH * r + i])));
        external_matrix(s);
    }
}

enum { PAIRS = 9 };
static const unsigned char pair_at[PAIRS][2] = {{3, 6},   {4, 7},   {5, 8},  {11, 17}, {12, 18},
                                                {13, 19}, {14, 20}, {9, 16}, {15, 23}};
static const struct factor pair_square[PAIRS] = {FACTOR(HALVED(2)),  FACTOR(9),          FACTOR(16),         FACTOR(HALVED(6)), FACTOR(HALVED(8)),
                                                 FACTOR(HALVED(10)), FACTOR(HALVED(12)), FACTOR(HALVED(16)), FACTOR(127 * 127)};
static const struct factor pair_factor[PAIRS] = {FACTOR(HALVED(1)), FACTOR(3),         FACTOR(4),         FACTOR(HALVED(3)), FACTOR(HALVED(4)),
                                                 FACTOR(HALVED(5)), FACTOR(HALVED(6)), FACTOR(HALVED(8)), FACTOR(HALVED(24))};
static const struct factor pair_half[PAIRS] = {FACTOR(HALVED(2)), FACTOR(HALVED(1) + 1), FACTOR(2),         FACTOR(HALVED(4)), FACTOR(HALVED(5)),
                                               FACTOR(HALVED(6)), FACTOR(HALVED(7)),     FACTOR(HALVED(9)), FACTOR((VN_P - 127) / 2)};
static const struct factor two = FACTOR(2), half = FACTOR(HALVED(1)), quarter = FACTOR(HALVED(2)), minus7 = FACTOR(MINUS_HALVED(7)),
                           minus9 = FACTOR(MINUS_HALVED(9));

struct partial {
    vw first; /* element 0, its round constant added */
    vw one, two, quarter, minus7, minus9; /* elements 1, 2, 10, 21, 22 */
};

/* One round on all but the pairs, whose sums are d; returns the sum of all elements, < 3p. next: what is added to element 0, above the largest cube. */
static inline vw partial_round(struct partial *s, const vw d[PAIRS], uint64_t next)
{
    vw rest = vw_add(vw_add(vw_add(s->one, s->two), vw_add(s->quarter, s->minus7)), s->minus9);
    vw pairs = vw_add(vw_add(vw_add(d[0], d[1]), vw_add(d[2], d[3])), vw_add(vw_add(d[4], d[5]), vw_add(d[6], d[7])));
    rest = vw_add(vw_add(rest, d[8]), pairs);
    vw cube = vw_cube(s->first);
    s->first = vw_sub(vw_add(rest, vw_set1(next)), cube); /* -2 cube + sum */
    vw sum = vw_reduce(vw_add(rest, cube));
    s->one = vw_add(s->one, sum);
    s->two = vw_madd_factor(sum, s->two, &two);
    s->quarter = vw_madd_factor(sum, s->quarter, &quarter);
    s->minus7 = vw_madd_factor(sum, s->minus7, &minus7);
    s->minus9 = vw_madd_factor(sum, s->minus9, &minus9);
    return sum;
}

/* The generation after the next: d'' = v^2 d + 2 sum'. */
static inline void next_pairs(vw d[PAIRS], vw sum)
{
    vw sum2 = vw_add(sum, sum);
#pragma GCC unroll 9
    for (int i = 0; i < PAIRS; i++)
        d[i] = vw_madd_factor(sum2, d[i], &pair_square[i]);
}

struct pairs {
    vw d[2][PAIRS]; /* two generations */
};

static inline void partial_begin(struct partial *t, struct pairs *p, const vw s[VN_HASH_WIDTH])
{
    static const uint64_t above = (uint64_t)VN_P << 9; /* a multiple of p above every element */
    *t = (struct partial){.first = vw_add(s[0], vw_set1(vn_poseidon2_internal_wide[0])), .one = s[1], .two = s[2], .quarter = s[10],
                          .minus7 = s[21], .minus9 = s[22]};
#pragma GCC unroll 9
    for (int i = 0; i < PAIRS; i++) {
        vw a = s[pair_at[i][0]], b = s[pair_at[i][1]];
        p->d[0][i] = vw_add(a, b);
        p->d[1][i] = vw_sub(vw_add(a, vw_set1(above)), b);
    }
    vw sum = partial_round(t, p->d[0], vn_poseidon2_internal_wide[1]);
    vw sum2 = vw_add(sum, sum);
#pragma GCC unroll 9
    for (int i = 0; i < PAIRS; i++)
        p->d[1][i] = vw_madd_factor(sum2, p->d[1][i], &pair_factor[i]);
}

static inline void partial_end(vw s[VN_HASH_WIDTH], const struct partial *t, const struct pairs *p)
{
    s[0] = t->first;
    s[1] = t->one;
    s[2] = t->two;
    s[10] = t->quarter;
    s[21] = t->minus7;
    s[22] = t->minus9;
#pragma GCC unroll 9
    for (int i = 0; i < PAIRS; i++) {
        vw x = vw_madd_factor(vw_zero(), p->d[1][i], &half), y = vw_madd_factor(vw_zero(), p->d[0][i], &pair_half[i]);
        s[pair_at[i][0]] = vw_add(x, y);
        s[pair_at[i][1]] = vw_sub(vw_add(x, vw_set1(2 * (uint64_t)VN_P)), y);
    }
}

/* Both halves in step: each round's cube waits for the one before, but not for the other half's. */
static inline void partial_rounds(vw s[2][VN_HASH_WIDTH])
{
    struct partial t[2];
    struct pairs p[2];
    for (int h = 0; h < 2; h++)
        partial_begin(&t[h], &p[h], s[h]);
    for (int r = 1; r < VN_HASH_PARTIAL_ROUNDS; r += 2) {
#pragma GCC unroll 2
        for (int g = 0; g < 2; g++) {
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++)
                next_pairs(p[h].d[g], partial_round(&t[h], p[h].d[1 - g], vn_poseidon2_internal_wide[r + g + 1]));
        }
    }
    for (int h = 0; h < 2; h++)
        partial_end(s[h], &t[h], &p[h]);
}

_Static_assert(VN_HASH_PARTIAL_ROUNDS % 2 == 1, "one round, then rounds two by two");

/* Sixteen states: [0] those of the even lanes, [1] of the odd ones. */
struct states {
    vw s[2][VN_HASH_WIDTH];
};

static inline void states_set(struct states *t, size_t element, vn_fp a)
{
    t->s[0][element] = t->s[1][element] = vw_set1(((uint64_t)a << 20) % VN_P);
}

static inline void states_put(struct states *t, size_t element, vf a)
{
    static const struct factor inward = FACTOR(1 << 20);
    t->s[0][element] = vw_madd_factor(vw_zero(), _mm512_and_si512(a, vw_set1(UINT32_MAX)), &inward);
    t->s[1][element] = vw_madd_factor(vw_zero(), vf_odd(a), &inward);
}

static inline vf states_get(const struct states *t, size_t element)
{
    static const struct factor outward = FACTOR(HALVED(20));
    vw even = vw_madd_factor(vw_zero(), t->s[0][element], &outward), odd = vw_madd_factor(vw_zero(), t->s[1][element], &outward);
    return vf_reduce_2p(_mm512_mask_shuffle_epi32(even, 0xaaaa, odd, _MM_PERM_CCAA));
}

static void permute(struct states *t)
{
    for (int h = 0; h < 2; h++) {
        external_matrix(t->s[h]);
        full_rounds(t->s[h], vn_poseidon2_initial_wide);
    }
    partial_rounds(t->s);
    for (int h = 0; h < 2; h++)
        full_rounds(t->s[h], vn_poseidon2_final_wide);
}

#endif
