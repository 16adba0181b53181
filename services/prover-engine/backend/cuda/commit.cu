/* Commitments: columns, their coefficients, the stacks' codewords and the tree, all on the device. */
#include <stdlib.h>

#include "services/prover-engine/backend/cuda/stages.h"

static size_t stack_elements(const struct vn_cuda_commit *c)
{
    return (size_t)c->shape.n_stacks << c->s->log_n;
}

int commit_new(struct vn_cuda_commit **out, struct vn_cuda_session *s, const struct vn_cuda_shape *shape, int with_values)
{
    struct vn_cuda_commit *c = (struct vn_cuda_commit *)calloc(1, sizeof *c);
    if (!c)
        return VN_ERR_MEMORY;
    c->s = s;
    c->shape = *shape;
    int status = device_new_zero(s, &c->coefs, stack_elements(c));
    if (status == VN_OK && with_values)
        status = device_new_zero(s, &c->values, stack_elements(c));
    if (status != VN_OK) {
        commit_free(c);
        return status;
    }
    *out = c;
    return VN_OK;
}

void commit_free(struct vn_cuda_commit *c)
{
    if (!c)
        return;
    device_free(c->s, c->values);
    device_free(c->s, c->coefs);
    device_free(c->s, c->codewords);
    device_free(c->s, c->nodes);
    free(c);
}

size_t commit_column(const struct vn_cuda_commit *c, uint32_t col)
{
    const struct vn_cuda_class *k = c->shape.classes;
    while (col >= k->first_col + k->n_cols)
        k++;
    return ((size_t)k->first_stack << c->s->log_n) + ((size_t)(col - k->first_col) << k->log_height);
}

int commit_upload_values(struct vn_cuda_commit *c, const vn_fp *host_values, int canonical)
{
    int status = device_upload(c->s, c->values, host_values, stack_elements(c) * sizeof(vn_fp));
    if (status == VN_OK && canonical)
        poly_to_mont(c->s, c->values, stack_elements(c));
    return status == VN_OK ? session_wait(c->s, "columns") : status;
}

int commit_upload_coefs(struct vn_cuda_commit *c, const vn_fp *host_coefs)
{
    int status = device_upload(c->s, c->coefs, host_coefs, stack_elements(c) * sizeof(vn_fp));
    return status == VN_OK ? session_wait(c->s, "coefficients") : status;
}

/* The classes' columns are neighbours, so each class is one batch. */
static int interpolate(struct vn_cuda_commit *c)
{
    int status = VN_OK;
    if (c->values)
        status = session_status(
            c->s, cudaMemcpyAsync(c->coefs, c->values, stack_elements(c) * sizeof(vn_fp), cudaMemcpyDeviceToDevice, c->s->stream), "copy of columns");
    for (uint32_t i = 0; i < c->shape.n_classes && status == VN_OK; i++) {
        const struct vn_cuda_class *k = &c->shape.classes[i];
        ntt_inverse(c->s, c->coefs + ((size_t)k->first_stack << c->s->log_n), (size_t)1 << k->log_height, k->n_cols, k->log_height);
    }
    return status;
}

int commit_build(struct vn_cuda_commit *c, int from_values, struct vn_digest *root)
{
    struct vn_cuda_session *s = c->s;
    size_t n = (size_t)1 << s->log_n;
    unsigned log_rows = s->log_n + 1;
    int status = from_values ? interpolate(c) : VN_OK;
    if (status == VN_OK)
        status = device_new(s, &c->codewords, 2 * stack_elements(c));
    if (status == VN_OK)
        status = device_new(s, &c->nodes, VN_DIGEST_LEN * (((size_t)2 << log_rows) - 1));
    if (status != VN_OK)
        return status;
    for (unsigned coset = 0; coset < 2; coset++)
        ntt_coset(s, c->codewords + coset * n, 2 * n, c->coefs, n, c->shape.n_stacks, s->scale[coset], s->log_n);
    hash_rows(s, c->nodes, c->codewords, 2 * n, c->shape.n_stacks, 2 * n);
    hash_tree(s, c->nodes, log_rows);
    return device_download(s, root, c->nodes + VN_DIGEST_LEN * (((size_t)2 << log_rows) - 2), sizeof *root);
}

int commit_evaluate(struct vn_cuda_commit *c, const struct vn_fp6 *points, struct vn_fp6 *host_values)
{
    if (c->shape.n_classes == 0)
        return VN_OK;
    struct vn_cuda_session *s = c->s;
    size_t tallest = (size_t)1 << c->shape.classes[0].log_height, parts = 0;
    for (uint32_t i = 0; i < c->shape.n_classes; i++) {
        const struct vn_cuda_class *k = &c->shape.classes[i];
        size_t room = k->n_cols * poly_dot_parts((size_t)1 << k->log_height);
        parts = room > parts ? room : parts;
    }
    vn_fp *w = NULL, *partial = NULL, *values = NULL;
    int status = device_new(s, &w, 6 * tallest);
    if (status == VN_OK)
        status = device_new(s, &partial, 6 * parts);
    if (status == VN_OK)
        status = device_new(s, &values, 6 * (size_t)c->shape.n_cols);
    for (uint32_t i = 0; i < c->shape.n_classes && status == VN_OK; i++) {
        const struct vn_cuda_class *k = &c->shape.classes[i];
        poly_powers(s, w, points[i], k->log_height);
        poly_dot(s, values + 6 * (size_t)k->first_col, partial, c->coefs + ((size_t)k->first_stack << s->log_n), w, (size_t)1 << k->log_height,
                 k->n_cols);
    }
    if (status == VN_OK)
        status = device_download(s, host_values, values, c->shape.n_cols * sizeof *host_values);
    device_free(s, values);
    device_free(s, partial);
    device_free(s, w);
    return status;
}

int open_rows(struct vn_cuda_session *s, const struct opening_source *from, const struct vn_cuda_opening *o)
{
    vn_fp *rows = NULL, *nodes = NULL, *indices = NULL, *which = NULL; /* the last two hold other words */
    size_t n_rows = o->n * from->width, n_nodes = o->n_nodes * VN_DIGEST_LEN;
    int status = device_new(s, &rows, n_rows);
    if (status == VN_OK)
        status = device_new(s, &nodes, n_nodes);
    if (status == VN_OK)
        status = device_new(s, &indices, o->n);
    if (status == VN_OK)
        status = device_new(s, &which, 2 * o->n_nodes);
    if (status == VN_OK)
        status = device_upload(s, indices, o->indices, o->n * sizeof *o->indices);
    if (status == VN_OK)
        status = device_upload(s, which, o->nodes, o->n_nodes * sizeof *o->nodes);
    if (status == VN_OK) {
        if (from->is_layer)
            poly_gather_leaves(s, rows, from->columns, from->log_n, indices, o->n);
        else
            poly_gather_rows(s, rows, from->columns, from->stride, from->width, indices, o->n);
        poly_gather_nodes(s, nodes, from->nodes, from->log_rows, (const struct vn_cuda_node *)(const void *)which, o->n_nodes);
        status = device_download(s, o->host_rows, rows, n_rows * sizeof(vn_fp));
    }
    if (status == VN_OK)
        status = device_download(s, o->host_nodes, nodes, n_nodes * sizeof(vn_fp));
    device_free(s, which);
    device_free(s, indices);
    device_free(s, nodes);
    device_free(s, rows);
    return status;
}

int commit_open(struct vn_cuda_commit *c, const struct vn_cuda_opening *o)
{
    struct opening_source from = {c->codewords, c->nodes, (size_t)2 << c->s->log_n, c->shape.n_stacks, c->s->log_n + 1, 0, 0};
    return open_rows(c->s, &from, o);
}
