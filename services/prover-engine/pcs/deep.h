#ifndef VN_PCS_DEEP_H
#define VN_PCS_DEEP_H
/* The DEEP polynomial in coefficient form: sum over groups (point y, height n) of
 *     [ sum_k gamma^k F_k(X) - sum_j w_j X^j ] / (X^s - y),   s = N / n,
 * where k runs over the stacks opened at y; the subtracted part is the remainder of the division. */

#include "services/prover-engine/pcs/commit.h"

/* One stack opened at a point. */
struct vn_deep_term {
    const struct vn_pcs_commit *commit;
    uint32_t stack;
    size_t used;         /* coefficients of its used slots; the rest is zero */
    struct vn_fp6 gamma; /* its power of the batching challenge */
};

/* The stacks of one height opened at one point; terms: room for the batch. gamma_pow: powers in the order of the shape's openings. */
size_t vn_deep_terms(struct vn_deep_term *terms, const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits, enum vn_pcs_point point,
                     unsigned log_height, const struct vn_fp6 *gamma_pow);

/* Adds up all groups into total: six base arrays of N coefficients in bit-reversed order, zero on entry. */
enum vn_status vn_deep_build(const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits, const struct vn_pcs_domain *d,
                             const struct vn_pcs_points *points, const struct vn_fp6 *gamma, vn_fp *const total[6]) VN_MUST_CHECK;

#endif
