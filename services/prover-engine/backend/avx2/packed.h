#ifndef VN_PACKED_H
#define VN_PACKED_H
/* Eight field elements in a 256-bit vector (AVX2). A translation unit includes exactly one packed.h and is compiled
 * with the flags of its instruction set.
 * Domain: canonical Montgomery in and out, unless a function says "lazy": a signed 32-bit representative in (-p, p).
 * vf_mul also takes lazy arguments. Loads and stores need no alignment. */

#include <immintrin.h>

#include "services/prover-engine/field/fp.h"

typedef __m256i vf;
enum { VF_LANES = 8, VF_LOG_LANES = 3 };

static inline vf vf_load(const vn_fp *x) { return _mm256_loadu_si256((const __m256i_u *)x); }
static inline void vf_store(vn_fp *x, vf a) { _mm256_storeu_si256((__m256i_u *)x, a); }
static inline vf vf_set1(vn_fp a) { return _mm256_set1_epi32((int)a); }

/* Plain 32-bit lane arithmetic, wrapping. */
static inline vf vf_raw_add(vf a, vf b) { return _mm256_add_epi32(a, b); }
static inline vf vf_raw_sub(vf a, vf b) { return _mm256_sub_epi32(a, b); }
static inline vf vf_raw_min(vf a, vf b) { return _mm256_min_epu32(a, b); }
static inline vf vf_raw_shl(vf a, unsigned k) { return (vf)((__v8su)a << k); }
static inline vf vf_raw_shr(vf a, unsigned k) { return (vf)((__v8su)a >> k); }
static inline vf vf_raw_sar(vf a, unsigned k) { return (vf)((__v8si)a >> k); }

/* Lazy (-p, p) to canonical. */
static inline vf vf_canon(vf a) { return vf_raw_min(a, vf_raw_add(a, vf_set1(VN_P))); }

/* [0, 2p) to canonical. */
static inline vf vf_reduce_2p(vf a) { return vf_raw_min(a, vf_raw_sub(a, vf_set1(VN_P))); }

static inline vf vf_add(vf a, vf b) { return vf_reduce_2p(vf_raw_add(a, b)); }
static inline vf vf_sub(vf a, vf b) { return vf_canon(vf_raw_sub(a, b)); }
static inline vf vf_neg(vf a) { return vf_raw_min(vf_raw_sub(vf_set1(VN_P), a), vf_raw_sub(_mm256_setzero_si256(), a)); }

/* Odd lanes into the even ones; the odd ones are left over. */
static inline vf vf_odd(vf a) { return _mm256_srli_epi64(a, 32); }

/* Products (signed 64-bit, |x| < p^2) to x / 2^32 mod p in (-p, p), in the high half; the low half becomes zero. */
static inline vf vf_reduce_wide(vf x)
{
    vf q = _mm256_mul_epi32(x, vf_set1(VN_P_INV));
    return _mm256_sub_epi64(x, _mm256_mul_epi32(q, vf_set1(VN_P)));
}

/* High halves of the even and of the odd products, as one vector. */
static inline vf vf_join_high(vf even, vf odd)
{
    return _mm256_blend_epi32(odd, vf_odd(even), 0x55);
}

/* Lazy in and out. */
static inline vf vf_mul_lazy(vf a, vf b)
{
    vf even = vf_reduce_wide(_mm256_mul_epi32(a, b));
    vf odd = vf_reduce_wide(_mm256_mul_epi32(vf_odd(a), vf_odd(b)));
    return vf_join_high(even, odd);
}

static inline vf vf_mul(vf a, vf b) { return vf_canon(vf_mul_lazy(a, b)); }

/* Sums of products with one reduction. An operand's odd lanes are moved out once for all its products. */
typedef struct {
    vf even, odd;
} vf_halves;
typedef struct {
    vf even, odd; /* unsigned 64-bit numbers below p * 2^32 */
} vf_wide;

static inline vf_halves vf_split(vf a) { return (vf_halves){a, vf_odd(a)}; }
static inline vf_halves vf_split1(vn_fp a) { return (vf_halves){vf_set1(a), vf_set1(a)}; }

/* [0, 2 p * 2^32) to [0, p * 2^32): the difference has its sign bit set where the bound was larger. */
static inline vf vf_wide_fix(vf a)
{
    vf less = _mm256_sub_epi64(a, _mm256_set1_epi64x((long long)VN_P << 32));
    return _mm256_castpd_si256(_mm256_blendv_pd(_mm256_castsi256_pd(less), _mm256_castsi256_pd(a), _mm256_castsi256_pd(less)));
}

/* a b + c d; canonical arguments only */
static inline vf_wide vf_wide_dot2(vf_halves a, vf_halves b, vf_halves c, vf_halves d)
{
    return (vf_wide){_mm256_add_epi64(_mm256_mul_epu32(a.even, b.even), _mm256_mul_epu32(c.even, d.even)),
                     _mm256_add_epi64(_mm256_mul_epu32(a.odd, b.odd), _mm256_mul_epu32(c.odd, d.odd))};
}

/* Both are below p * 2^32, so the sum fits. */
static inline vf_wide vf_wide_add(vf_wide s, vf_wide t)
{
    return (vf_wide){vf_wide_fix(_mm256_add_epi64(s.even, t.even)), vf_wide_fix(_mm256_add_epi64(s.odd, t.odd))};
}

static inline vf vf_wide_reduce(vf_wide s)
{
    vf even = _mm256_sub_epi64(s.even, _mm256_mul_epu32(_mm256_mul_epu32(s.even, vf_set1(VN_P_INV)), vf_set1(VN_P)));
    vf odd = _mm256_sub_epi64(s.odd, _mm256_mul_epu32(_mm256_mul_epu32(s.odd, vf_set1(VN_P_INV)), vf_set1(VN_P)));
    return vf_canon(vf_join_high(even, odd));
}

/* a b + c d with one reduction; canonical arguments only. */
static inline vf vf_dot2(vf a, vf b, vf c, vf d)
{
    return vf_wide_reduce(vf_wide_dot2(vf_split(a), vf_split(b), vf_split(c), vf_split(d)));
}

/* a^3; lazy in, canonical out. */
static inline vf vf_cube(vf a)
{
    vf o = vf_odd(a);
    vf even = vf_odd(vf_reduce_wide(_mm256_mul_epi32(a, a)));
    vf odd = vf_odd(vf_reduce_wide(_mm256_mul_epi32(o, o)));
    even = vf_reduce_wide(_mm256_mul_epi32(even, a));
    odd = vf_reduce_wide(_mm256_mul_epi32(odd, o));
    return vf_canon(vf_join_high(even, odd));
}

/* Exchanges the odd blocks of a with the even blocks of b, blocks of `block` lanes (1, 2 or 4):
 * a = (a0, b0, a2, b2, ...), b = (a1, b1, a3, b3, ...). Its own inverse. */
static inline void vf_exchange(vf *a, vf *b, unsigned block)
{
    vf x = *a, y = *b;
    switch (block) {
    case 4:
        *a = _mm256_permute2x128_si256(x, y, 0x20);
        *b = _mm256_permute2x128_si256(x, y, 0x31);
        break;
    case 2:
        *a = _mm256_unpacklo_epi64(x, y);
        *b = _mm256_unpackhi_epi64(x, y);
        break;
    default:
        *a = _mm256_blend_epi32(x, _mm256_slli_epi64(y, 32), 0xaa);
        *b = _mm256_blend_epi32(y, _mm256_srli_epi64(x, 32), 0x55);
    }
}

/* (a, b) = (a0, b0, a1, b1, ...) over both vectors, and its inverse. */
static inline void vf_zip(vf *a, vf *b)
{
    vf low = _mm256_unpacklo_epi32(*a, *b), high = _mm256_unpackhi_epi32(*a, *b);
    *a = _mm256_permute2x128_si256(low, high, 0x20);
    *b = _mm256_permute2x128_si256(low, high, 0x31);
}

static inline void vf_unzip(vf *a, vf *b)
{
    vf x = _mm256_permutevar8x32_epi32(*a, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
    vf y = _mm256_permutevar8x32_epi32(*b, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
    *a = _mm256_permute2x128_si256(x, y, 0x20);
    *b = _mm256_permute2x128_si256(x, y, 0x31);
}

#endif
