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
    vn_fp **columns = keep_values ? &c->values : &c->coefs;
    *columns = vn_buffer_new(stack_bytes(c));
    if (!*columns)
        return VN_ERR_MEMORY;
    struct clear clear = {*columns, sizeof(vn_fp) << c->log_n};
    vn_pool_run(d->pool, shape->n_stacks, clear_task, &clear);
    return VN_OK;
}

void vn_pcs_commit_drop_values(struct vn_pcs_commit *c)
{
    vn_buffer_free(c->values);
    c->values = NULL;
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
    vn_fp *code; /* of the cosets first_coset and, if there is room, the next */
    unsigned first_coset, n_cosets;
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
    unsigned coset = b->first_coset + (unsigned)(task % b->n_cosets);
    b->d->backend->coset_ntt(b->code + task * n, b->c->coefs + task / b->n_cosets * n, b->d->scale[coset], b->c->log_n);
}

static void to_mont_task(void *ctx, size_t task, unsigned thread)
{
    const struct build *b = ctx;
    (void)thread;
    b->d->backend->to_mont(vn_pcs_column(b->c, (uint32_t)task), (size_t)1 << vn_pcs_column_log_height(b->c, (uint32_t)task));
}

void vn_pcs_commit_to_mont(struct vn_pcs_commit *c, const struct vn_pcs_domain *d)
{
    struct build b = {.c = c, .d = d};
    vn_pool_run(d->pool, c->shape.n_cols, to_mont_task, &b);
}

enum vn_status vn_pcs_commit_build(struct vn_pcs_commit *c, const struct vn_pcs_domain *d)
{
    struct build b = {.c = c, .d = d};
    if (!c->coefs) {
        c->coefs = vn_buffer_new(stack_bytes(c));
        if (!c->coefs)
            return VN_ERR_MEMORY;
        clear_unused_slots(c);
    }
    vn_pool_run(d->pool, c->shape.n_cols, intt_task, &b);
    return vn_pcs_commit_extend(c, d);
}

/* The cosets of b, extended and hashed. */
static enum vn_status add_cosets(const struct build *b, const vn_fp **cols)
{
    struct vn_pcs_commit *c = b->c;
    size_t width = c->shape.n_stacks, n = (size_t)1 << c->log_n;
    vn_pool_run(b->d->pool, width * b->n_cosets, lde_task, (void *)(uintptr_t)b);
    vn_stage(b->d->stages, "transforms");
    enum vn_status s = VN_OK;
    for (unsigned i = 0; i < b->n_cosets && s == VN_OK; i++) {
        for (size_t w = 0; w < width; w++)
            cols[w] = b->code + (w * b->n_cosets + i) * n;
        s = vn_merkle_hash_rows(&c->tree, b->d->backend, b->d->pool, cols, width, (b->first_coset + i) * n, n);
    }
    vn_stage(b->d->stages, "hashing");
    return s;
}

enum vn_status vn_pcs_commit_extend(struct vn_pcs_commit *c, const struct vn_pcs_domain *d)
{
    unsigned n_cosets = d->minimal_memory ? 1 : 2;
    struct build b = {.c = c, .d = d, .n_cosets = n_cosets};
    const vn_fp **cols = malloc(c->shape.n_stacks * sizeof *cols + 1);
    b.code = c->lde ? c->lde : vn_buffer_new(n_cosets * stack_bytes(c));
    enum vn_status s = cols && b.code ? VN_OK : VN_ERR_MEMORY;
    if (s == VN_OK && !c->tree.nodes)
        s = vn_merkle_new(&c->tree, (size_t)2 << c->log_n);
    for (; b.first_coset < 2 && s == VN_OK; b.first_coset += n_cosets)
        s = add_cosets(&b, cols);
    if (s == VN_OK)
        vn_merkle_hash_nodes(&c->tree, d->backend, d->pool);
    vn_stage(d->stages, "hashing");
    if (d->minimal_memory)
        vn_buffer_free(b.code);
    else
        c->lde = b.code;
    free(cols);
    return s;
}
