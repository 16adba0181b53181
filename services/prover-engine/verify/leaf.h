#ifndef VN_LEAF_H
#define VN_LEAF_H
/* What a shard is bound to: its header, the point z_i, leaf_i, J. Shared by prover and verifier. */

#include "services/prover-engine/verify/shape.h"
#include "services/prover-engine/verify/verify.h"

/* Phase-1 columns of a kind, all tables together. */
#define VN_MAX_P1_COLUMNS 64u

struct vn_shard_header {
    struct vn_shard_public pub;
    uint8_t log_height[VN_AIR_MAX_TABLES]; /* by table id */
    struct vn_digest p1_root;
};

/* NULL, or which public value is out of its range. n_exec, n_mem: the job's; both 0 if not known. */
const char *vn_header_check(const struct vn_shard_header *h, const struct vn_vk *vk);

/* z_i = first six elements of H(POINT, vk digest, kind, index, heights, P1 root, public values). */
struct vn_fp6 vn_header_point(const struct vn_shard_header *h, const struct vn_digest *vk_digest);

/* leaf_i; evals: the phase-1 columns at z_i, n_evals <= VN_MAX_P1_COLUMNS. */
struct vn_digest vn_header_leaf(const struct vn_shard_header *h, const struct vn_digest *vk_digest, uint32_t params_version,
                                const struct vn_fp6 *evals, uint32_t n_evals);

/* Levels of the contribution tree over n leaves: ceil(log2 n). */
static inline unsigned vn_contribution_depth(uint32_t n)
{
    unsigned depth = 0;
    while ((uint64_t)1 << depth < n)
        depth++;
    return depth;
}

/* Public values as field elements, in the order of the proof; returns how many. */
#define VN_MAX_PUBLIC 4u
unsigned vn_header_public(const struct vn_shard_header *h, uint32_t out[VN_MAX_PUBLIC]);

/* The inverse; 0 if an element stands for no value. */
int vn_header_set_public(struct vn_shard_header *h, const uint32_t in[VN_MAX_PUBLIC]);
unsigned vn_header_public_count(uint32_t kind);

/* The transcript of phase 2 up to the MAIN root: J and the leaf. */
void vn_shard_transcript(struct vn_transcript *t, const struct vn_digest *job, const struct vn_digest *leaf);

/* The verifier's own entries on the shard's local buses: the start and end of the execution, or the first and last key. */
struct vn_fp6 vn_header_loose_ends(const struct vn_shard_header *h, const struct vn_air_challenges *c);

#endif
