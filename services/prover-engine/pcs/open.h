#ifndef VN_PCS_OPEN_H
#define VN_PCS_OPEN_H
/* Prover's side of the openings. */

#include "services/prover-engine/pcs/device.h"
#include "services/prover-engine/pcs/writer.h"

/* All columns of c at a point, in column order; in host memory. */
enum vn_status vn_pcs_evaluate(const struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const struct vn_pcs_points *points,
                               enum vn_pcs_point point, struct vn_fp6 *values) VN_MUST_CHECK;

/* Proves that the commitments (one per tree of the shape, all on d->device) have the evaluations that the transcript absorbed last.
 * Writes FRI roots, final coefficients, nonce and openings. */
enum vn_status vn_pcs_open(const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits, const struct vn_pcs_domain *d,
                           const struct vn_pcs_points *points, struct vn_transcript *t, struct vn_writer *w) VN_MUST_CHECK;

#endif
