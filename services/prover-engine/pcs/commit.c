/* Columns lie slot after slot, so the inverse transform of each column in place makes the stacks' coefficients, and a stack is extended by one
 * transform per coset. */
#define _GNU_SOURCE
#include "services/prover-engine/pcs/commit.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "services/prover-engine/pcs/query.h"

void *vn_buffer_new(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (bytes >= (size_t)1 << 21)
        (void)madvise(p, bytes, MADV_HUGEPAGE); /* a wish */
    return p;
}

void vn_buffer_free(void *p, size_t bytes)
{
    if (p)
        (void)munmap(p, bytes);
}

enum vn_status vn_pcs_domain_init(struct vn_pcs_domain *d, const struct vn_backend *b, struct vn_pool *pool, unsigned log_n)
{
    size_t bytes = sizeof(vn_fp) << log_n;
    *d = (struct vn_pcs_domain){.backend = b, .pool = pool, .log_n = log_n};
    for (unsigned c = 0; c < 2; c++) {
        d->scale[c] = vn_buffer_new(bytes);
        if (!d->scale[c]) {
            vn_pcs_domain_fini(d);
            return VN_ERR_MEMORY;
        }
        vn_coset_scale(d->scale[c], vn_pcs_coset_shift(vn_fri_shift(0), log_n, c), log_n);
    }
    return VN_OK;
}

void vn_pcs_domain_fini(struct vn_pcs_domain *d)
{
    for (unsigned c = 0; c < 2; c++)
        vn_buffer_free(d->scale[c], sizeof(vn_fp) << d->log_n);
    *d = (struct vn_pcs_domain){0};
}

static size_t stack_bytes(const struct vn_pcs_commit *c)
{
    return (size_t)c->shape.n_stacks * (sizeof(vn_fp) << c->log_n);
}

enum vn_status vn_pcs_commit_init(struct vn_pcs_commit *c, unsigned log_n, const struct vn_pcs_tree *shape, int keep_values)
{
    *c = (struct vn_pcs_commit){.shape = *shape, .log_n = log_n};
    c->coefs = vn_buffer_new(stack_bytes(c));
    c->lde = vn_buffer_new(2 * stack_bytes(c));
    c->values = keep_values ? vn_buffer_new(stack_bytes(c)) : NULL;
    if (c->coefs && c->lde && (c->values || !keep_values))
        return VN_OK;
    vn_pcs_commit_fini(c);
    return VN_ERR_MEMORY;
}

void vn_pcs_commit_fini(struct vn_pcs_commit *c)
{
    vn_buffer_free(c->values, stack_bytes(c));
    vn_buffer_free(c->coefs, stack_bytes(c));
    vn_buffer_free(c->lde, 2 * stack_bytes(c));
    vn_merkle_free(&c->tree);
    *c = (struct vn_pcs_commit){0};
}

static const struct vn_pcs_class *class_of(const struct vn_pcs_commit *c, uint32_t col)
{
    const struct vn_pcs_class *k = c->shape.classes;
    while (col >= k->first_col + k->n_cols)
        k++;
    return k;
}

size_t vn_pcs_column_offset(const struct vn_pcs_commit *c, uint32_t col)
{
    const struct vn_pcs_class *k = class_of(c, col);
    return ((size_t)k->first_stack << c->log_n) + ((size_t)(col - k->first_col) << k->log_height);
}

vn_fp *vn_pcs_column(const struct vn_pcs_commit *c, uint32_t col)
{
    return (c->values ? c->values : c->coefs) + vn_pcs_column_offset(c, col);
}

unsigned vn_pcs_column_log_height(const struct vn_pcs_commit *c, uint32_t col)
{
    return class_of(c, col)->log_height;
}

struct build {
    struct vn_pcs_commit *c;
    const struct vn_pcs_domain *d;
};

static void intt_task(void *ctx, size_t task, unsigned thread)
{
    const struct build *b = ctx;
    (void)thread;
    size_t at = vn_pcs_column_offset(b->c, (uint32_t)task);
    unsigned log_n = vn_pcs_column_log_height(b->c, (uint32_t)task);
    if (b->c->values)
        memcpy(b->c->coefs + at, b->c->values + at, sizeof(vn_fp) << log_n);
    b->d->backend->intt(b->c->coefs + at, log_n);
}

static void lde_task(void *ctx, size_t task, unsigned thread)
{
    const struct build *b = ctx;
    (void)thread;
    size_t n = (size_t)1 << b->c->log_n;
    b->d->backend->coset_ntt(b->c->lde + task * n, b->c->coefs + task / 2 * n, b->d->scale[task & 1], b->c->log_n);
}

static void to_mont_task(void *ctx, size_t task, unsigned thread)
{
    const struct build *b = ctx;
    (void)thread;
    b->d->backend->to_mont(vn_pcs_column(b->c, (uint32_t)task), (size_t)1 << vn_pcs_column_log_height(b->c, (uint32_t)task));
}

void vn_pcs_commit_to_mont(struct vn_pcs_commit *c, const struct vn_pcs_domain *d)
{
    struct build b = {c, d};
    vn_pool_run(d->pool, c->shape.n_cols, to_mont_task, &b);
}

enum vn_status vn_pcs_commit_build(struct vn_pcs_commit *c, const struct vn_pcs_domain *d)
{
    struct build b = {c, d};
    vn_pool_run(d->pool, c->shape.n_cols, intt_task, &b);
    return vn_pcs_commit_extend(c, d);
}

enum vn_status vn_pcs_commit_extend(struct vn_pcs_commit *c, const struct vn_pcs_domain *d)
{
    struct build b = {c, d};
    size_t width = c->shape.n_stacks, n = (size_t)1 << c->log_n;
    vn_pool_run(d->pool, 2 * width, lde_task, &b);
    const vn_fp **cols = malloc(2 * width * sizeof *cols);
    if (!cols)
        return VN_ERR_MEMORY;
    for (size_t w = 0; w < width; w++) {
        cols[w] = c->lde + 2 * w * n;
        cols[width + w] = cols[w] + n;
    }
    enum vn_status s = vn_merkle_build(&c->tree, d->backend, d->pool, cols, width, 2, n);
    free(cols);
    return s;
}
