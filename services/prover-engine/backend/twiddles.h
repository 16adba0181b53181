#ifndef VN_TWIDDLES_H
#define VN_TWIDDLES_H
/* Roots of unity for the transforms, shared by the backends. */

#include <stddef.h>

#include "services/prover-engine/field/fp.h"

/* Level k holds w^i (forward) or w^-i (inverse), i < 2^(k-1), w = vn_fp_root(k), and starts at element 2^(k-1) of the table.
 * 64-byte aligned from level 5 up. */
extern const vn_fp *const vn_twiddles_forward;
extern const vn_fp *const vn_twiddles_inverse;

static inline const vn_fp *vn_twiddles_level(const vn_fp *table, unsigned k)
{
    return table + ((size_t)1 << k >> 1);
}

/* Makes the levels up to log_n; thread-safe, cheap when they exist. */
void vn_twiddles_need(unsigned log_n);

#endif
