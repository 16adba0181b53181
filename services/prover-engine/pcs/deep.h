#ifndef VN_PCS_DEEP_H
#define VN_PCS_DEEP_H
/* The DEEP polynomial in coefficient form: sum over groups (point y, height n) of
 *     [ sum_k gamma^k F_k(X) - sum_j w_j X^j ] / (X^s - y),   s = N / n,
 * where k runs over the stacks opened at y; the subtracted part is the remainder of the division. */

#include "services/prover-engine/pcs/commit.h"

/* Adds up all groups into total: six base arrays of N coefficients in bit-reversed order, zero on entry. */
enum vn_status vn_deep_build(const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits, const struct vn_pcs_domain *d,
                             const struct vn_pcs_points *points, const struct vn_fp6 *gamma, vn_fp *const total[6]) VN_MUST_CHECK;

#endif
