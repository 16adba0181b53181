/* Columns lie slot after slot, so the inverse transform of each column in place makes the stacks' coefficients, and a stack is extended by one
 * transform per coset. */
#include "services/prover-engine/pcs/commit.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "services/prover-engine/pcs/query.h"

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
        vn_buffer_free(d->scale[c]);
    *d = (struct vn_pcs_domain){0};
}

static size_t stack_bytes(const struct vn_pcs_commit *c)
{
    return (size_t)c->shape.n_stacks * (sizeof(vn_fp) << c->log_n);
}

struct clear {
    vn_fp *at;
    size_t stack; /* bytes */
};

static void clear_task(void *ctx, size_t task, unsigned thread)
{
    const struct clear *c = ctx;
    (void)thread;
    memset((char *)c->at + task * c->stack, 0, c->stack);
}

/* Slots without a column: the end of each class's last stack. */
static void clear_unused_slots(struct vn_pcs_commit *c)
{
    for (unsigned i = 0; i < c->shape.n_classes; i++) {
        const struct vn_pcs_class *k = &c->shape.classes[i];
        size_t used = (size_t)k->n_cols << k->log_height, all = (size_t)k->n_stacks << c->log_n;
        memset(c->coefs + ((size_t)k->first_stack << c->log_n) + used, 0, (all - used) * sizeof(vn_fp));
    }
}

enum vn_status vn_pcs_commit_init(struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const struct vn_pcs_tree *shape, int keep_values)
{
    *c = (struct vn_pcs_commit){.shape = *shape, .log_n = d->log_n};
    c->coefs = vn_buffer_new(stack_bytes(c));
    c->lde = vn_buffer_new(2 * stack_bytes(c));
    c->values = keep_values ? vn_buffer_new(stack_bytes(c)) : NULL;
    if (!c->coefs || !c->lde || (keep_values && !c->values)) {
        vn_pcs_commit_fini(c);
        return VN_ERR_MEMORY;
    }
    struct clear clear = {keep_values ? c->values : c->coefs, sizeof(vn_fp) << c->log_n};
    vn_pool_run(d->pool, shape->n_stacks, clear_task, &clear);
    if (keep_values)
        clear_unused_slots(c);
    return VN_OK;
}

void vn_pcs_commit_fini(struct vn_pcs_commit *c)
{
    if (c->mapping) {
        (void)munmap(c->mapping, c->mapping_bytes);
    } else {
        vn_buffer_free(c->values);
        vn_buffer_free(c->coefs);
        vn_buffer_free(c->lde);
        vn_merkle_free(&c->tree);
    }
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
    b->d->backend->coset_ntt(vn_pcs_codeword(b->c, task / 2) + (task & 1) * n, b->c->coefs + task / 2 * n, b->d->scale[task & 1], b->c->log_n);
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
        cols[w] = vn_pcs_codeword(c, w);
        cols[width + w] = cols[w] + n;
    }
    enum vn_status s = vn_merkle_build(&c->tree, d->backend, d->pool, cols, width, 2, n);
    free(cols);
    return s;
}
