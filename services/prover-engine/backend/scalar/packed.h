#ifndef VN_PACKED_H
#define VN_PACKED_H
/* One field element as a "vector" of one lane: the API of avx2/packed.h and avx512/packed.h, for code that is
 * compiled once per instruction set. A translation unit includes exactly one of the three.
 * Domain: canonical Montgomery in and out. Loads and stores need no alignment. */

#include "services/prover-engine/field/fp.h"

typedef vn_fp vf;
enum { VF_LANES = 1 };

static inline vf vf_load(const vn_fp *x) { return *x; }
static inline void vf_store(vn_fp *x, vf a) { *x = a; }
static inline vf vf_set1(vn_fp a) { return a; }
static inline vf vf_add(vf a, vf b) { return vn_fp_add(a, b); }
static inline vf vf_sub(vf a, vf b) { return vn_fp_sub(a, b); }
static inline vf vf_mul(vf a, vf b) { return vn_fp_mul(a, b); }
typedef vf vf_halves;
typedef uint64_t vf_wide; /* below p * 2^32 */
static inline vf_halves vf_split(vf a) { return a; }
static inline vf_halves vf_split1(vn_fp a) { return a; }
static inline vf_wide vf_wide_dot2(vf_halves a, vf_halves b, vf_halves c, vf_halves d) { return (uint64_t)a * b + (uint64_t)c * d; }
static inline vf_wide vf_wide_add(vf_wide s, vf_wide t)
{
    uint64_t bound = (uint64_t)VN_P << 32, sum = s + t;
    return sum >= bound ? sum - bound : sum;
}
static inline vf vf_wide_reduce(vf_wide s) { return vn_fp_reduce(s); }
static inline vf vf_dot2(vf a, vf b, vf c, vf d) { return vn_fp_reduce((uint64_t)a * b + (uint64_t)c * d); }
static inline vf vf_neg(vf a) { return vn_fp_neg(a); }

#endif
