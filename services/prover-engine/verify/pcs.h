#ifndef VN_VERIFY_PCS_H
#define VN_VERIFY_PCS_H
/* Verifier's side of the polynomial commitment. */

#include "services/prover-engine/pcs/layout.h"
#include "services/prover-engine/pcs/wire.h"
#include "services/prover-engine/verify/verify.h"

/* Checks that the polynomials under `roots` (one per tree of the shape) have the claimed evaluations: values[o] lists opening o's, in column order. The
 * transcript has absorbed them. Reads the proof's PCS part from r and leaves r behind it.
 * Errors: VN_ERR_INVALID_PROOF, VN_ERR_MEMORY (arena). */
enum vn_status vn_pcs_verify(struct vn_arena *arena, const struct vn_batch_hash *hash, const struct vn_pcs_shape *shape,
                             const struct vn_digest *roots, const struct vn_pcs_points *points, const struct vn_fp6 *const *values,
                             struct vn_transcript *t, struct vn_reader *r, struct vn_rejection *why) VN_MUST_CHECK;

#endif
