/* Included before the verifier's own sources in soundness-transcript, and nowhere else: the challenges are written down, and the checks between them let
 * everything pass, so that one run gets from the first challenge to the last whatever the proof says. */
#include "services/prover-engine/pcs/query.h"
#include "services/prover-engine/verify/leaf.h"
#include "tests/fuzz/lenient.h"

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

#define vn_transcript_sample_fp6(t) recorded_fp6(vn_transcript_sample_fp6(t))
#define vn_header_point(h, d) recorded_fp6(vn_header_point(h, d))
#define vn_pcs_sample_indices(t, p, indices) recorded_indices(indices, vn_pcs_sample_indices(t, p, indices))
