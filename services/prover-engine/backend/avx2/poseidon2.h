#ifndef VN_AVX2_POSEIDON2_H
#define VN_AVX2_POSEIDON2_H
/* Poseidon2 on eight states at once, in 32-bit lanes; included after packed.h.
 *
 * Full rounds: a round constant minus p is added to a canonical element, and the cube takes the signed result.
 *
 * Partial rounds: the diagonal has nine pairs (v, -v). For such a pair of elements a, b let d = a + b and e = a - b. A round
 * makes d' = v e + 2 sum and e' = v d, so d'' = v^2 d + 2 sum': one multiplication by v^2 per pair and round, and the sum over
 * all elements needs the d only. Two generations of d are kept; a and b come back at the end.
 *
 * Multiplying by 2^-k, k <= 24: x = h 2^k + m gives h - 127 m 2^(24-k), because 127 * 2^24 = -1. For k >= 7 the results plus a
 * canonical number stay in (-2^31, 2^31) round after round, so they are never reduced; for smaller k they are.
 *
 * The sum adds the elements modulo 2^32 and their upper 16 bits beside it, which tells how many times 2^31 went by. */
#include <stddef.h>

#include "services/prover-engine/hash/poseidon2.h"
#include "services/prover-engine/hash/poseidon2_constants.h"

/* High half of the product with c in each of the two unsigned 16-bit halves of a lane. */
static inline vf vf_raw_mulhi16(vf a, uint16_t c) { return _mm256_mulhi_epu16(a, _mm256_set1_epi16((short)c)); }

static inline void external_matrix(vf s[VN_HASH_WIDTH])
{
    vf column[4];
#pragma GCC unroll 6
    for (int b = 0; b < VN_HASH_WIDTH; b += 4) {
        vf *x = s + b, x0 = x[0];
        vf x01 = vf_add(x[0], x[1]), x23 = vf_add(x[2], x[3]);
        vf all = vf_add(x01, x23);
        vf all1 = vf_add(all, x[1]), all3 = vf_add(all, x[3]);
        x[0] = vf_add(all1, x01);
        x[1] = vf_add(all1, vf_add(x[2], x[2]));
        x[2] = vf_add(all3, x23);
        x[3] = vf_add(all3, vf_add(x0, x0));
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            column[i] = b ? vf_add(column[i], x[i]) : x[i];
    }
#pragma GCC unroll 24
    for (int i = 0; i < VN_HASH_WIDTH; i++)
        s[i] = vf_add(s[i], column[i & 3]);
}

static inline void full_rounds(vf s[VN_HASH_WIDTH], const vn_fp *lazy_constants)
{
    for (int r = 0; r < VN_HASH_FULL_ROUNDS / 2; r++) {
#pragma GCC unroll 24
        for (int i = 0; i < VN_HASH_WIDTH; i++)
            s[i] = vf_cube(vf_raw_add(s[i], vf_set1(lazy_constants[VN_HASH_WIDTH * r + i])));
        external_matrix(s);
    }
}

/* The elements with a factor and its negative in the diagonal, v^2 in this order: */
enum { P_QUARTER, P_NINE, P_SIXTEEN, P_6, P_8, P_10, P_12, P_16, P_48, PAIRS };
static const unsigned char pair_at[PAIRS][2] = {{3, 6},   {4, 7},   {5, 8},  {11, 17}, {12, 18},
                                                {13, 19}, {14, 20}, {9, 16}, {15, 23}};

struct partial {
    vf first;                    /* element 0 */
    vf one, two, quarter;        /* elements 1, 2, 10 */
    vf minus7, minus9;           /* elements 21, 22, unreduced */
    vf d[2][PAIRS];              /* the last four unreduced, and P_8 */
};

static const vn_fp half = 0x00ffffffu; /* VN_FP_ONE / 2 */

/* Sum of all elements but the first, canonical. At most seven of the terms are negative, none below -2^31. */
static inline vf rest_sum(const struct partial *s, const vf d[PAIRS])
{
    vf pairs[4] = {vf_raw_add(s->one, s->two), vf_raw_add(s->quarter, d[P_QUARTER]), vf_raw_add(d[P_NINE], d[P_SIXTEEN]), d[P_6]};
    vf lazy[7] = {s->minus7, s->minus9, d[P_8], d[P_10], d[P_12], d[P_16], d[P_48]};
    vf low = vf_set1(8 * VN_P), high = vf_set1((uint32_t)(8 * (uint64_t)VN_P >> 16));
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        low = vf_raw_add(low, pairs[i]);
        high = vf_raw_add(high, vf_raw_shr(pairs[i], 16));
    }
#pragma GCC unroll 7
    for (int i = 0; i < 7; i++) {
        low = vf_raw_add(low, lazy[i]);
        high = vf_raw_add(high, vf_raw_sar(lazy[i], 16));
    }
    /* The sum lies in [0, 24p); q = sum / 2^31 up to the dropped low bits, sum - q p < 2^31 + 12 * 2^16 + 24 * 2^24 < 2p. */
    vf q = vf_raw_shr(high, 15);
    vf folded = vf_raw_sub(vf_raw_add(low, vf_raw_shl(q, 24)), vf_raw_add(q, vf_raw_shl(q, 31)));
    return vf_reduce_2p(folded);
}

/* 127 * 2^(24 - k) * (x mod 2^k), in [0, p). */
static inline vf fraction(vf x, unsigned k)
{
    vf t = vf_raw_shl(x, 32 - k);
    if (k <= 8)
        return vf_raw_mulhi16(t, 127 << 8);
    return vf_raw_sub(vf_raw_shr(t, 1), vf_raw_shr(t, 8));
}

/* 2^-k x, signed and unreduced: more than -p - 2^(31-k), at most 2^(31-k). */
static inline vf divide(vf x, unsigned k)
{
    return vf_raw_sub(vf_raw_sar(x, k), fraction(x, k));
}

/* 2^k x for canonical x and k <= 4, in [0, 2p). */
static inline vf multiply(vf x, unsigned k)
{
    vf h = vf_raw_shr(x, 31 - k);
    return vf_raw_add(vf_raw_shr(vf_raw_shl(x, k + 1), 1), vf_raw_sub(vf_raw_shl(h, 24), h));
}

static inline vf partial_round(struct partial *s, const vf d[PAIRS], vn_fp lazy_constant)
{
    vf cube = vf_cube(vf_raw_add(s->first, vf_set1(lazy_constant)));
    vf rest = rest_sum(s, d);
    vf sum = vf_add(rest, cube), minus = vf_raw_sub(sum, vf_set1(VN_P));
    s->first = vf_sub(rest, cube); /* -2 cube + sum */
    s->one = vf_add(s->one, sum);
    s->two = vf_add(vf_add(s->two, s->two), sum);
    s->quarter = vf_add(vf_canon(divide(s->quarter, 2)), sum);
    s->minus7 = vf_raw_sub(minus, divide(s->minus7, 7));
    s->minus9 = vf_raw_sub(minus, divide(s->minus9, 9));
    return vf_add(sum, sum);
}

/* The generation after the next: d'' = v^2 d + 2 sum'. */
static inline void next_pairs(vf d[PAIRS], vf sum2)
{
    d[P_QUARTER] = vf_add(vf_canon(divide(d[P_QUARTER], 2)), sum2);
    d[P_NINE] = vf_add(vf_add(vf_reduce_2p(multiply(d[P_NINE], 3)), d[P_NINE]), sum2);
    d[P_SIXTEEN] = vf_add(vf_reduce_2p(multiply(d[P_SIXTEEN], 4)), sum2);
    d[P_6] = vf_add(vf_canon(divide(d[P_6], 6)), sum2);
    d[P_8] = vf_raw_add(divide(d[P_8], 8), sum2);
    d[P_10] = vf_raw_add(divide(d[P_10], 10), sum2);
    d[P_12] = vf_raw_add(divide(d[P_12], 12), sum2);
    d[P_16] = vf_raw_add(divide(d[P_16], 16), sum2);
    d[P_48] = vf_raw_add(divide(divide(d[P_48], 24), 24), sum2);
}

static inline void partial_rounds(vf s[VN_HASH_WIDTH])
{
    struct partial t = {.first = s[0], .one = s[1], .two = s[2], .quarter = s[10], .minus7 = s[21], .minus9 = s[22]};
    vf ve[PAIRS];
#pragma GCC unroll 9
    for (int i = 0; i < PAIRS; i++) {
        vf a = s[pair_at[i][0]], b = s[pair_at[i][1]];
        t.d[0][i] = vf_add(a, b);
        ve[i] = vf_mul(vf_raw_sub(a, b), vf_set1(vn_poseidon2_diagonal[pair_at[i][0]]));
    }
    vf sum2 = partial_round(&t, t.d[0], vn_poseidon2_internal_lazy[0]);
#pragma GCC unroll 9
    for (int i = 0; i < PAIRS; i++)
        t.d[1][i] = vf_add(ve[i], sum2);
    for (int r = 1; r < VN_HASH_PARTIAL_ROUNDS; r += 2) {
        next_pairs(t.d[0], partial_round(&t, t.d[1], vn_poseidon2_internal_lazy[r]));
        next_pairs(t.d[1], partial_round(&t, t.d[0], vn_poseidon2_internal_lazy[r + 1]));
    }
    s[0] = t.first;
    s[1] = t.one;
    s[2] = t.two;
    s[10] = t.quarter;
    s[21] = vf_mul(t.minus7, vf_set1(VN_FP_ONE));
    s[22] = vf_mul(t.minus9, vf_set1(VN_FP_ONE));
#pragma GCC unroll 9
    for (int i = 0; i < PAIRS; i++) {
        vf d = vf_mul(t.d[1][i], vf_set1(half));
        vf e = vf_mul(t.d[0][i], vf_set1(vn_fp_mul(vn_poseidon2_diagonal[pair_at[i][0]], half)));
        s[pair_at[i][0]] = vf_add(d, e);
        s[pair_at[i][1]] = vf_sub(d, e);
    }
}

_Static_assert(VN_HASH_PARTIAL_ROUNDS % 2 == 1, "one round, then rounds two by two");

/* VF_LANES states. */
struct states {
    vf s[VN_HASH_WIDTH];
};

static inline void states_set(struct states *t, size_t element, vn_fp a)
{
    t->s[element] = vf_set1(a);
}

static inline void states_put(struct states *t, size_t element, vf a)
{
    t->s[element] = a;
}

static inline vf states_get(const struct states *t, size_t element)
{
    return t->s[element];
}

static void permute(struct states *t)
{
    external_matrix(t->s);
    full_rounds(t->s, vn_poseidon2_initial_lazy);
    partial_rounds(t->s);
    full_rounds(t->s, vn_poseidon2_final_lazy);
}

#endif
