/* Included before the verifier's own sources in soundness-transcript, and nowhere else: the challenges are written down, and the checks between them let
 * everything pass, so that one run gets from the first challenge to the last whatever the proof says. */
#include "services/prover-engine/pcs/merkle.h"
#include "services/prover-engine/pcs/query.h"
#include "services/prover-engine/verify/leaf.h"

void record(const vn_fp *x, size_t n);

static inline struct vn_fp6 recorded_fp6(struct vn_fp6 x)
{
    record(x.c, 6);
    return x;
}

static inline size_t recorded_indices(const uint32_t *indices, size_t n)
{
    record(indices, n);
    return n;
}

static inline int ignored(int result)
{
    (void)result;
    return 1;
}

#define vn_transcript_sample_fp6(t) recorded_fp6(vn_transcript_sample_fp6(t))
#define vn_header_point(h, d) recorded_fp6(vn_header_point(h, d))
#define vn_pcs_sample_indices(t, p, indices) recorded_indices(indices, vn_pcs_sample_indices(t, p, indices))
#define vn_fp6_is_zero(a) ignored(vn_fp6_is_zero(a))
#define vn_fp6_equal(a, b) ignored(vn_fp6_equal(a, b))
#define vn_merkle_verify_path(...) ignored(vn_merkle_verify_path(__VA_ARGS__))
#define vn_transcript_check_nonce(...) ignored(vn_transcript_check_nonce(__VA_ARGS__))
