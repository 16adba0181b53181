#ifndef VN_SHARD_PROOF_H
#define VN_SHARD_PROOF_H
/* Reading the parts of a shard proof; inside the verifier only. */

#include "services/prover-engine/pcs/wire.h"
#include "services/prover-engine/verify/leaf.h"

/* Reads kind, index, heights, public values, P1 root and evaluations; checks their ranges against the key. n_evals evaluations go to evals.
 * Returns NULL, or what is wrong. */
const char *vn_header_read(struct vn_shard_header *h, struct vn_fp6 evals[VN_MAX_P1_COLUMNS], uint32_t *n_evals, const struct vn_vk *vk,
                           struct vn_reader *r);

/* Reads a verifying key (vk.c). */
enum vn_status vn_vk_read(struct vn_vk *vk, struct vn_reader *r, struct vn_rejection *why) VN_MUST_CHECK;

#endif
