/* The stages in host memory. */
#include "services/prover-engine/pcs/fri.h"
#include "services/prover-engine/pcs/open.h"
#include "services/prover-engine/stark/shard.h"

static const struct vn_pcs_commit *commit_share(const struct vn_pcs_domain *d, const struct vn_pcs_commit *host)
{
    (void)d;
    return host;
}

static enum vn_status commit_trace(struct vn_pcs_commit *c, const struct vn_pcs_domain *d)
{
    vn_pcs_commit_to_mont(c, d);
    return vn_pcs_commit_build(c, d);
}

static struct vn_digest commit_root(const struct vn_pcs_commit *c)
{
    return vn_merkle_root(&c->tree);
}

static enum vn_status logup(struct vn_proving *w)
{
    vn_logup_fill(w);
    return VN_OK;
}

static enum vn_status commit_open(const struct vn_pcs_commit *c, const uint32_t *indices, size_t n, struct vn_opened *out)
{
    vn_fp *row = out->rows;
    for (size_t q = 0; q < n; q++)
        for (size_t s = 0; s < c->shape.n_stacks; s++)
            *row++ = vn_pcs_codeword(c, s)[indices[q]];
    out->n_siblings = vn_merkle_open(&c->tree, indices, n, out->siblings);
    return VN_OK;
}

const struct vn_device vn_device_host = {
    .name = "host",
    .commit_init = vn_pcs_commit_init,
    .commit_fini = vn_pcs_commit_fini,
    .commit_share = commit_share,
    .commit_trace = commit_trace,
    .commit_values = vn_pcs_commit_build,
    .commit_coefs = vn_pcs_commit_extend,
    .commit_root = commit_root,
    .logup = logup,
    .quotient = vn_quotient_fill,
    .evaluate = vn_pcs_evaluate,
    .fri_new = vn_fri_new,
    .fri_commit = vn_fri_commit,
    .fri_fold = vn_fri_fold,
    .fri_final = vn_fri_final,
    .fri_free = vn_fri_free,
    .grind = vn_fri_grind,
    .commit_open = commit_open,
    .fri_open = vn_fri_open,
};
