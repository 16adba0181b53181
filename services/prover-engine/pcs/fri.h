#ifndef VN_FRI_H
#define VN_FRI_H
/* The stages of the openings in host memory; contracts as in device.h. */

#include "services/prover-engine/pcs/device.h"

#define VN_FRI_LEAF_WIDTH (6u * VN_FRI_FOLD)

enum vn_status vn_fri_new(struct vn_fri **f, const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits,
                          const struct vn_pcs_domain *d, const struct vn_pcs_points *points, const struct vn_fp6 *gamma) VN_MUST_CHECK;
enum vn_status vn_fri_commit(struct vn_fri *f, unsigned layer, struct vn_digest *root) VN_MUST_CHECK;
enum vn_status vn_fri_fold(struct vn_fri *f, unsigned layer, const struct vn_fp6 *beta) VN_MUST_CHECK;
enum vn_status vn_fri_final(struct vn_fri *f, struct vn_fp6 *coefs) VN_MUST_CHECK;
enum vn_status vn_fri_open(struct vn_fri *f, unsigned layer, const uint32_t *leaves, size_t n, struct vn_opened *out) VN_MUST_CHECK;
void vn_fri_free(struct vn_fri *f);
enum vn_status vn_fri_grind(const struct vn_pcs_domain *d, const struct vn_transcript *t, unsigned bits, uint32_t *nonce) VN_MUST_CHECK;

#endif
