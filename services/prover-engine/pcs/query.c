/* At most a few hundred indices: insertion sort. */
#include "services/prover-engine/pcs/query.h"

size_t vn_pcs_sort_indices(uint32_t *indices, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = indices[i];
        size_t at = kept;
        while (at > 0 && indices[at - 1] > x)
            at--;
        if (at > 0 && indices[at - 1] == x)
            continue;
        memmove(indices + at + 1, indices + at, (kept - at) * sizeof *indices);
        indices[at] = x;
        kept++;
    }
    return kept;
}

size_t vn_pcs_sample_indices(struct vn_transcript *t, const struct vn_pcs_params *p, uint32_t *indices)
{
    for (unsigned i = 0; i < p->n_queries; i++)
        indices[i] = vn_transcript_sample_bits(t, p->log_n + VN_LOG_BLOWUP);
    return vn_pcs_sort_indices(indices, p->n_queries);
}

vn_fp vn_pcs_coset_shift(vn_fp g, unsigned log_n, unsigned coset)
{
    return coset ? vn_fp_mul(g, vn_fp_root(log_n + 1)) : g;
}

vn_fp vn_fri_shift(unsigned layer)
{
    vn_fp g = vn_fp_from(VN_GENERATOR);
    for (unsigned i = 0; i < VN_FRI_LOG_FOLD * layer; i++)
        g = vn_fp_mul(g, g);
    return g;
}
