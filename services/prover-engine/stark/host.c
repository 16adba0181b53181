/* The stages in host memory. */
#include "services/prover-engine/pcs/fri.h"
#include "services/prover-engine/pcs/open.h"
#include "services/prover-engine/pcs/rows.h"
#include "services/prover-engine/stark/shard.h"

static const char *why(const struct vn_device *device)
{
    (void)device;
    return "";
}

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
    vn_pcs_commit_drop_values(&w->p1);
    vn_pcs_commit_drop_values(&w->main);
    return VN_OK;
}

struct stacks {
    const struct vn_pcs_commit *c;
    const struct vn_pcs_domain *d;
};

/* From the codeword; where it was not kept, from the cosets that have a block, made again in the scratch. */
static void gather_stack(const void *ctx, size_t stack, const uint32_t *blocks, size_t n_blocks, unsigned log_block, vn_fp *out, vn_fp *scratch)
{
    const struct stacks *s = ctx;
    const struct vn_pcs_commit *c = s->c;
    size_t n = (size_t)1 << c->log_n, block = (size_t)1 << log_block, made = 2;
    for (size_t b = 0; b < n_blocks; b++, out += block) {
        size_t first = (size_t)blocks[b] << log_block, coset = first >> c->log_n;
        const vn_fp *code = c->lde ? vn_pcs_codeword(c, stack) + coset * n : scratch;
        if (!c->lde && made != coset) {
            s->d->backend->coset_ntt(scratch, c->coefs + stack * n, s->d->scale[coset], c->log_n);
            made = coset;
        }
        memcpy(out, code + first % n, block * sizeof *out);
    }
}

static enum vn_status commit_open(const struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const uint32_t *indices, size_t n, struct vn_opened *out)
{
    struct stacks stacks = {c, d};
    struct vn_pcs_rows rows = {
        .width = c->shape.n_stacks, .scratch = c->lde ? 0 : (size_t)1 << c->log_n, .gather = gather_stack, .ctx = &stacks};
    return vn_pcs_open_rows(&c->tree, d, &rows, indices, n, out);
}

const struct vn_device vn_device_host = {
    .name = "host",
    .why = why,
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
