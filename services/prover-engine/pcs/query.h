#ifndef VN_PCS_QUERY_H
#define VN_PCS_QUERY_H
/* Positions in the evaluation domains; shared by prover and verifier.
 *
 * Layer d has 2n points, n = N / 8^d. Index l = c n + i stands for x = g_d w_2n^c w_n^i, g_d = g^(8^d), g = 3: two cosets of H_n.
 * Layer 0 is the domain of the stacks. Leaf c n/8 + (i mod n/8) of a layer's tree holds the eight values at i mod n/8 + j n/8, whose points
 * have one eighth power: point number (leaf) of layer d + 1. */

#include "services/prover-engine/pcs/layout.h"
#include "services/prover-engine/hash/sponge.h"

/* Sorts, removes duplicates; returns how many are left. */
size_t vn_pcs_sort_indices(uint32_t *indices, size_t n);

/* Samples the query positions of layer 0 into indices (n_queries entries), sorted and distinct; returns how many. */
size_t vn_pcs_sample_indices(struct vn_transcript *t, const struct vn_pcs_params *p, uint32_t *indices);

/* Leaf of index l in a layer with 2 * 2^log_n points, and the place 0..7 inside it. */
static inline uint32_t vn_fri_leaf(uint32_t l, unsigned log_n)
{
    unsigned low = log_n - VN_FRI_LOG_FOLD;
    return (l >> log_n) << low | (l & ((1u << low) - 1));
}

static inline unsigned vn_fri_place(uint32_t l, unsigned log_n)
{
    return l >> (log_n - VN_FRI_LOG_FOLD) & (VN_FRI_FOLD - 1);
}

/* Shift of coset c of a domain with cosets of 2^log_n points whose first shift is g: g * w_2n^c. */
vn_fp vn_pcs_coset_shift(vn_fp g, unsigned log_n, unsigned coset);

/* g_d for layer d. */
vn_fp vn_fri_shift(unsigned layer);

#endif
