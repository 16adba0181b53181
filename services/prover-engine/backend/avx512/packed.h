#ifndef VN_PACKED_H
#define VN_PACKED_H
/* Sixteen field elements in a 512-bit vector (AVX-512 F). A translation unit includes exactly one packed.h and is compiled
 * with the flags of its instruction set.
 * Domain: canonical Montgomery in and out, unless a function says "lazy": a signed 32-bit representative in (-p, p).
 * vf_mul also takes lazy arguments. Loads and stores need no alignment. */

#include <immintrin.h>

#include "services/prover-engine/field/fp.h"

typedef __m512i vf;
enum { VF_LANES = 16, VF_LOG_LANES = 4 };

static inline vf vf_load(const vn_fp *x) { return _mm512_loadu_si512(x); }
static inline void vf_store(vn_fp *x, vf a) { _mm512_storeu_si512(x, a); }
static inline vf vf_set1(vn_fp a) { return _mm512_set1_epi32((int)a); }

/* Plain 32-bit lane arithmetic, wrapping. */
static inline vf vf_raw_add(vf a, vf b) { return _mm512_add_epi32(a, b); }
static inline vf vf_raw_sub(vf a, vf b) { return _mm512_sub_epi32(a, b); }
static inline vf vf_raw_min(vf a, vf b) { return _mm512_min_epu32(a, b); }
static inline vf vf_raw_shl(vf a, unsigned k) { return (vf)((__v16su)a << k); }
static inline vf vf_raw_shr(vf a, unsigned k) { return (vf)((__v16su)a >> k); }
static inline vf vf_raw_sar(vf a, unsigned k) { return (vf)((__v16si)a >> k); }

/* Lazy (-p, p) to canonical. */
static inline vf vf_canon(vf a) { return vf_raw_min(a, vf_raw_add(a, vf_set1(VN_P))); }

/* [0, 2p) to canonical. */
static inline vf vf_reduce_2p(vf a) { return vf_raw_min(a, vf_raw_sub(a, vf_set1(VN_P))); }

static inline vf vf_add(vf a, vf b) { return vf_reduce_2p(vf_raw_add(a, b)); }
static inline vf vf_sub(vf a, vf b) { return vf_canon(vf_raw_sub(a, b)); }
static inline vf vf_neg(vf a) { return vf_raw_min(vf_raw_sub(vf_set1(VN_P), a), vf_raw_sub(_mm512_setzero_si512(), a)); }

/* Odd lanes into the even ones; the odd ones are left over. */
static inline vf vf_odd(vf a) { return _mm512_srli_epi64(a, 32); }

/* Products (signed 64-bit, |x| < p^2) to x / 2^32 mod p in (-p, p), in the high half; the low half becomes zero. */
static inline vf vf_reduce_wide(vf x)
{
    vf q = _mm512_mul_epi32(x, vf_set1(VN_P_INV));
    return _mm512_sub_epi64(x, _mm512_mul_epi32(q, vf_set1(VN_P)));
}

/* High halves of the even and of the odd products, as one vector. */
static inline vf vf_join_high(vf even, vf odd)
{
    return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
}

/* Lazy in and out. */
static inline vf vf_mul_lazy(vf a, vf b)
{
    vf even = vf_reduce_wide(_mm512_mul_epi32(a, b));
    vf odd = vf_reduce_wide(_mm512_mul_epi32(vf_odd(a), vf_odd(b)));
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

/* [0, 2 p * 2^32) to [0, p * 2^32) */
static inline vf vf_wide_fix(vf a)
{
    vf bound = _mm512_set1_epi64((long long)VN_P << 32);
    return _mm512_min_epu64(a, _mm512_sub_epi64(a, bound));
}

/* a b + c d; canonical arguments only */
static inline vf_wide vf_wide_dot2(vf_halves a, vf_halves b, vf_halves c, vf_halves d)
{
    return (vf_wide){_mm512_add_epi64(_mm512_mul_epu32(a.even, b.even), _mm512_mul_epu32(c.even, d.even)),
                     _mm512_add_epi64(_mm512_mul_epu32(a.odd, b.odd), _mm512_mul_epu32(c.odd, d.odd))};
}

/* Both are below p * 2^32, so the sum fits. */
static inline vf_wide vf_wide_add(vf_wide s, vf_wide t)
{
    return (vf_wide){vf_wide_fix(_mm512_add_epi64(s.even, t.even)), vf_wide_fix(_mm512_add_epi64(s.odd, t.odd))};
}

static inline vf vf_wide_reduce(vf_wide s)
{
    vf even = _mm512_sub_epi64(s.even, _mm512_mul_epu32(_mm512_mul_epu32(s.even, vf_set1(VN_P_INV)), vf_set1(VN_P)));
    vf odd = _mm512_sub_epi64(s.odd, _mm512_mul_epu32(_mm512_mul_epu32(s.odd, vf_set1(VN_P_INV)), vf_set1(VN_P)));
    return vf_canon(vf_join_high(even, odd));
}

/* a b + c d with one reduction; canonical arguments only. */
static inline vf vf_dot2(vf a, vf b, vf c, vf d)
{
    return vf_wide_reduce(vf_wide_dot2(vf_split(a), vf_split(b), vf_split(c), vf_split(d)));
}

/* Exchanges the odd blocks of a with the even blocks of b, blocks of `block` lanes (1, 2, 4 or 8):
 * a = (a0, b0, a2, b2, ...), b = (a1, b1, a3, b3, ...). Its own inverse. */
static inline void vf_exchange(vf *a, vf *b, unsigned block)
{
    vf x = *a, y = *b;
    switch (block) {
    case 8:
        *a = _mm512_shuffle_i64x2(x, y, 0x44);
        *b = _mm512_shuffle_i64x2(x, y, 0xee);
        break;
    case 4:
        *a = _mm512_permutex2var_epi64(x, _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), y);
        *b = _mm512_permutex2var_epi64(x, _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15), y);
        break;
    case 2:
        *a = _mm512_unpacklo_epi64(x, y);
        *b = _mm512_unpackhi_epi64(x, y);
        break;
    default:
        *a = _mm512_mask_shuffle_epi32(x, 0xaaaa, y, _MM_PERM_CCAA);
        *b = _mm512_mask_shuffle_epi32(y, 0x5555, x, _MM_PERM_DDBB);
    }
}

/* (a, b) = (a0, b0, a1, b1, ...) over both vectors, and its inverse. */
static inline void vf_zip(vf *a, vf *b)
{
    vf x = *a, y = *b;
    *a = _mm512_permutex2var_epi32(x, _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), y);
    *b = _mm512_permutex2var_epi32(x, _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), y);
}

static inline void vf_unzip(vf *a, vf *b)
{
    vf x = *a, y = *b;
    *a = _mm512_permutex2var_epi32(x, _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), y);
    *b = _mm512_permutex2var_epi32(x, _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), y);
}

#endif
