/* DEEP and FRI on coefficients: the layers stay on the device until they are opened (see pcs/deep.c and pcs/fri.c). */
#include <stdlib.h>

#include "services/prover-engine/backend/cuda/stages.h"

enum { MAX_LAYERS = VN_CUDA_MAX_LOG_N / 3 + 1, GRIND_BATCH = 1 << 18 };

struct layer {
    unsigned log_n;
    vn_fp *coefs; /* 6 arrays of n */
    vn_fp *code;  /* 6 arrays of 2n */
    vn_fp *nodes;
};

struct vn_cuda_fri {
    struct vn_cuda_session *s;
    struct layer layers[MAX_LAYERS + 1];
};

static size_t most_terms(const struct vn_cuda_deep_group *groups, size_t n_groups)
{
    size_t most = 0;
    for (size_t i = 0; i < n_groups; i++)
        most = groups[i].n_terms > most ? groups[i].n_terms : most;
    return most;
}

static size_t most_scratch(const struct vn_cuda_deep_group *groups, size_t n_groups)
{
    size_t most = 0;
    for (size_t i = 0; i < n_groups; i++) {
        size_t scratch = poly_divide_scratch(groups[i].log_height, groups[i].slots);
        most = scratch > most ? scratch : most;
    }
    return most;
}

/* Adds all groups to total, six arrays of N. */
static int deep(struct vn_cuda_session *s, vn_fp *total, const struct vn_cuda_deep_group *groups, size_t n_groups)
{
    size_t n = (size_t)1 << s->log_n, terms_bytes = most_terms(groups, n_groups) * sizeof(struct poly_term);
    struct poly_term *host = (struct poly_term *)malloc(terms_bytes + 1);
    vn_fp *combined = NULL, *scratch = NULL, *terms = NULL; /* terms: other words */
    int status = host ? VN_OK : VN_ERR_MEMORY;
    if (status == VN_OK)
        status = device_new(s, &combined, 6 * n);
    if (status == VN_OK)
        status = device_new(s, &scratch, most_scratch(groups, n_groups));
    if (status == VN_OK)
        status = device_new(s, &terms, terms_bytes / sizeof(vn_fp));
    for (size_t i = 0; i < n_groups && status == VN_OK; i++) {
        const struct vn_cuda_deep_group *g = &groups[i];
        for (size_t t = 0; t < g->n_terms; t++) {
            host[t].coefs = g->terms[t].commit->coefs + ((size_t)g->terms[t].stack << s->log_n);
            host[t].used = g->terms[t].used;
            host[t].weight = g->terms[t].weight;
        }
        status = device_upload(s, terms, host, g->n_terms * sizeof *host);
        if (status != VN_OK)
            break;
        poly_combine(s, combined, n, (const struct poly_term *)(const void *)terms, g->n_terms, (size_t)g->slots << g->log_height);
        poly_divide(s, total, n, combined, n, scratch, g->point, g->log_height, g->slots);
        status = session_wait(s, "DEEP"); /* host is written again */
    }
    device_free(s, terms);
    device_free(s, scratch);
    device_free(s, combined);
    free(host);
    return status;
}

int fri_new(struct vn_cuda_fri **out, struct vn_cuda_session *s, const struct vn_cuda_deep_group *groups, size_t n_groups)
{
    struct vn_cuda_fri *f = (struct vn_cuda_fri *)calloc(1, sizeof *f);
    if (!f)
        return VN_ERR_MEMORY;
    f->s = s;
    f->layers[0].log_n = s->log_n;
    int status = device_new_zero(s, &f->layers[0].coefs, (size_t)6 << s->log_n);
    if (status == VN_OK)
        status = deep(s, f->layers[0].coefs, groups, n_groups);
    if (status != VN_OK) {
        fri_free(f);
        return status;
    }
    *out = f;
    return VN_OK;
}

void fri_free(struct vn_cuda_fri *f)
{
    if (!f)
        return;
    for (unsigned i = 0; i <= MAX_LAYERS; i++) {
        device_free(f->s, f->layers[i].coefs);
        device_free(f->s, f->layers[i].code);
        device_free(f->s, f->layers[i].nodes);
    }
    free(f);
}

int fri_commit(struct vn_cuda_fri *f, uint32_t number, struct vn_digest *root)
{
    struct vn_cuda_session *s = f->s;
    struct layer *l = &f->layers[number];
    size_t n = (size_t)1 << l->log_n;
    unsigned log_leaves = l->log_n + 1 - 3;
    vn_fp *scale = NULL, shift = power_of_two_power(s->shift, 3 * number);
    int status = device_new(s, &l->code, 12 * n);
    if (status == VN_OK)
        status = device_new(s, &l->nodes, VN_DIGEST_LEN * (((size_t)2 << log_leaves) - 1));
    if (status == VN_OK)
        status = device_new(s, &scale, n);
    if (status != VN_OK)
        return status;
    for (unsigned coset = 0; coset < 2; coset++) {
        ntt_scale_table(s, scale, coset_shift(shift, l->log_n, coset), l->log_n);
        ntt_coset(s, l->code + coset * n, 2 * n, l->coefs, n, 6, scale, l->log_n);
    }
    device_free(s, scale);
    hash_layer_leaves(s, l->nodes, l->code, l->log_n);
    hash_tree(s, l->nodes, log_leaves);
    return device_download(s, root, l->nodes + VN_DIGEST_LEN * (((size_t)2 << log_leaves) - 2), sizeof *root);
}

int fri_fold(struct vn_cuda_fri *f, uint32_t number, const struct vn_fp6 powers[VN_CUDA_FOLD])
{
    struct layer *from = &f->layers[number], *to = from + 1;
    to->log_n = from->log_n - 3;
    int status = device_new(f->s, &to->coefs, (size_t)6 << to->log_n);
    if (status == VN_OK)
        poly_fold(f->s, to->coefs, from->coefs, powers, (size_t)1 << to->log_n);
    return status == VN_OK ? session_check(f->s, "fold") : status;
}

int fri_coefs(struct vn_cuda_fri *f, uint32_t number, vn_fp *host_coefs)
{
    const struct layer *l = &f->layers[number];
    return device_download(f->s, host_coefs, l->coefs, ((size_t)6 << l->log_n) * sizeof *host_coefs);
}

int fri_open(struct vn_cuda_fri *f, uint32_t number, const struct vn_cuda_opening *o)
{
    const struct layer *l = &f->layers[number];
    struct opening_source from = {l->code, l->nodes, 0, (size_t)6 * VN_CUDA_FOLD, l->log_n + 1 - 3, l->log_n, 1};
    return open_rows(f->s, &from, o);
}

/* Batches in ascending order; the smallest hit of the first batch that has one. */
int stage_grind(struct vn_cuda_session *s, const vn_fp start[VN_HASH_WIDTH], uint32_t n_in, uint32_t bits, uint32_t *nonce)
{
    vn_fp *found = NULL; /* another word */
    int status = device_new(s, &found, 1);
    uint32_t hit = UINT32_MAX, none = UINT32_MAX;
    for (uint32_t from = 0; hit == UINT32_MAX && status == VN_OK;) {
        uint32_t count = VN_P - from < GRIND_BATCH ? VN_P - from : (uint32_t)GRIND_BATCH;
        if (count == 0) {
            status = VN_ERR_INTERNAL;
            break;
        }
        status = device_upload(s, found, &none, sizeof none);
        if (status != VN_OK)
            break;
        hash_grind(s, start, n_in, bits, from, count, found);
        status = device_download(s, &hit, found, sizeof hit);
        from += count;
    }
    device_free(s, found);
    *nonce = hit;
    return status;
}
