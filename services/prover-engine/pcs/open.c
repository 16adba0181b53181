/* The openings as the transcript sees them; the device does the work. */
#include "services/prover-engine/pcs/open.h"

#include <stdlib.h>

#include "services/prover-engine/pcs/fri.h"
#include "services/prover-engine/pcs/query.h"

static enum vn_status commit_layers(struct vn_fri *f, const struct vn_device *device, const struct vn_pcs_params *params, struct vn_transcript *t,
                                    struct vn_writer *w)
{
    for (unsigned i = 0; i < params->n_folds; i++) {
        struct vn_digest root;
        enum vn_status s = device->fri_commit(f, i, &root);
        if (s != VN_OK)
            return s;
        vn_write_digest(w, &root, 1);
        vn_transcript_absorb_digest(t, &root);
        struct vn_fp6 beta = vn_transcript_sample_fp6(t);
        s = device->fri_fold(f, i, &beta);
        if (s != VN_OK)
            return s;
    }
    struct vn_fp6 coefs[VN_PCS_MAX_FINAL];
    size_t n = (size_t)1 << vn_pcs_log_final(params);
    enum vn_status s = device->fri_final(f, coefs);
    if (s != VN_OK)
        return s;
    vn_write_fp6(w, coefs, n);
    vn_transcript_absorb_fp6(t, coefs, n);
    return VN_OK;
}

static enum vn_status opened_init(struct vn_opened *o, size_t n, size_t width, unsigned log_leaves)
{
    o->rows = malloc((n * width + 1) * sizeof *o->rows);
    o->siblings = malloc((n * log_leaves + 1) * sizeof *o->siblings);
    return o->rows && o->siblings ? VN_OK : VN_ERR_MEMORY;
}

static void write_opened(struct vn_writer *w, const struct vn_opened *o, size_t elements)
{
    for (size_t i = 0; i < elements; i++)
        vn_write_fp(w, o->rows[i]);
    vn_write_digest(w, o->siblings, o->n_siblings);
}

static void opened_fini(struct vn_opened *o)
{
    free(o->rows);
    free(o->siblings);
}

static enum vn_status open_commit(const struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const uint32_t *indices, size_t n, struct vn_writer *w)
{
    struct vn_opened o = {0};
    enum vn_status s = opened_init(&o, n, c->shape.n_stacks, c->log_n + VN_LOG_BLOWUP);
    if (s == VN_OK)
        s = d->device->commit_open(c, d, indices, n, &o);
    if (s == VN_OK)
        write_opened(w, &o, n * c->shape.n_stacks);
    opened_fini(&o);
    return s;
}

static enum vn_status open_layer(struct vn_fri *f, const struct vn_device *device, unsigned layer, unsigned log_n, const uint32_t *leaves, size_t n,
                                 struct vn_writer *w)
{
    struct vn_opened o = {0};
    enum vn_status s = opened_init(&o, n, VN_FRI_LEAF_WIDTH, log_n + VN_LOG_BLOWUP - VN_FRI_LOG_FOLD);
    if (s == VN_OK)
        s = device->fri_open(f, layer, leaves, n, &o);
    if (s == VN_OK)
        write_opened(w, &o, n * VN_FRI_LEAF_WIDTH);
    opened_fini(&o);
    return s;
}

static enum vn_status open_queries(const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits, struct vn_fri *f,
                                   const struct vn_pcs_domain *d, struct vn_transcript *t, struct vn_writer *w)
{
    uint32_t indices[VN_PCS_MAX_QUERIES];
    size_t n = vn_pcs_sample_indices(t, shape->params, indices);
    enum vn_status s = VN_OK;
    for (unsigned i = 0; i < shape->n_trees && s == VN_OK; i++)
        s = open_commit(commits[i], d, indices, n, w);
    for (unsigned i = 0; i < shape->params->n_folds && s == VN_OK; i++) {
        unsigned log_n = shape->params->log_n - VN_FRI_LOG_FOLD * i;
        for (size_t q = 0; q < n; q++)
            indices[q] = vn_fri_leaf(indices[q], log_n);
        n = vn_pcs_sort_indices(indices, n);
        s = open_layer(f, d->device, i, log_n, indices, n, w);
    }
    return s;
}

enum vn_status vn_pcs_open(const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits, const struct vn_pcs_domain *d,
                           const struct vn_pcs_points *points, struct vn_transcript *t, struct vn_writer *w)
{
    const struct vn_device *device = d->device;
    struct vn_fri *f = NULL;
    struct vn_fp6 gamma = vn_transcript_sample_fp6(t);
    uint32_t nonce = 0;
    enum vn_status s = device->fri_new(&f, shape, commits, d, points, &gamma);
    vn_stage(d->stages, "DEEP");
    if (s == VN_OK)
        s = commit_layers(f, device, shape->params, t, w);
    if (s == VN_OK)
        s = device->grind(d, t, shape->params->pow_bits, &nonce);
    vn_stage(d->stages, "FRI");
    if (s == VN_OK) {
        (void)vn_transcript_check_nonce(t, nonce, shape->params->pow_bits);
        vn_write_u32(w, nonce);
        s = open_queries(shape, commits, f, d, t, w);
    }
    device->fri_free(f);
    vn_stage(d->stages, "openings");
    if (s == VN_OK && w->failed)
        s = VN_ERR_MEMORY;
    return s;
}
