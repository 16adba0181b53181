/* FRI on coefficients, in host memory. Coefficient i + 8m of a layer lies at bitrev(i) * n/8 + bitrev(m), so the eight parts Q_i are eight contiguous blocks
 * and folding is a combination of blocks. Each layer is extended to its own domain, hashed with eight values a leaf, and kept for the openings. */
#include <stdlib.h>

#include "services/prover-engine/pcs/deep.h"
#include "services/prover-engine/pcs/ext.h"
#include "services/prover-engine/pcs/fri.h"
#include "services/prover-engine/pcs/query.h"
#include "services/prover-engine/pcs/rows.h"

enum { FOLD_BLOCK = 2048, GRIND_TASK = 2048, LEAF_WIDTH = VN_FRI_LEAF_WIDTH };

struct layer {
    unsigned log_n;
    vn_fp *coefs; /* 6 arrays of n */
    vn_fp *code;  /* 6 arrays of 2n */
    struct vn_merkle_tree tree;
};

struct vn_fri {
    const struct vn_pcs_domain *d;
    const struct vn_pcs_params *params;
    struct layer layers[VN_PCS_MAX_FOLDS + 1]; /* the last one holds the final coefficients only */
};

static size_t layer_elements(const struct layer *l)
{
    return (size_t)6 << l->log_n;
}

void vn_fri_free(struct vn_fri *f)
{
    for (unsigned i = 0; f && i <= VN_PCS_MAX_FOLDS; i++) {
        struct layer *l = &f->layers[i];
        vn_buffer_free(l->coefs);
        vn_buffer_free(l->code);
        vn_merkle_free(&l->tree);
    }
    free(f);
}

static enum vn_status layer_init(struct layer *l, unsigned log_n)
{
    l->log_n = log_n;
    l->coefs = vn_buffer_new(layer_elements(l) * sizeof(vn_fp));
    if (!l->coefs)
        return VN_ERR_MEMORY;
    memset(l->coefs, 0, layer_elements(l) * sizeof(vn_fp));
    return VN_OK;
}

struct extend {
    const struct layer *l;
    const struct vn_pcs_domain *d;
    vn_fp *const *scale;
};

static void extend_task(void *ctx, size_t task, unsigned thread)
{
    const struct extend *e = ctx;
    (void)thread;
    size_t n = (size_t)1 << e->l->log_n;
    e->d->backend->coset_ntt(e->l->code + task * n, e->l->coefs + task / 2 * n, e->scale[task & 1], e->l->log_n);
}

static enum vn_status layer_commit(struct layer *l, const struct vn_pcs_domain *d, unsigned number)
{
    size_t n = (size_t)1 << l->log_n, leaves = n / VN_FRI_FOLD;
    vn_fp *scale[2] = {d->scale[0], d->scale[1]}, *memory = NULL;
    l->code = vn_buffer_new(12 * n * sizeof(vn_fp));
    if (!l->code)
        return VN_ERR_MEMORY;
    if (number > 0) {
        memory = vn_buffer_new(2 * n * sizeof(vn_fp));
        if (!memory)
            return VN_ERR_MEMORY;
        for (unsigned c = 0; c < 2; c++) {
            scale[c] = memory + c * n;
            vn_coset_scale(scale[c], vn_pcs_coset_shift(vn_fri_shift(number), l->log_n, c), l->log_n);
        }
    }
    struct extend e = {l, d, scale};
    vn_pool_run(d->pool, 12, extend_task, &e);
    vn_buffer_free(memory);

    enum vn_status s = vn_merkle_new(&l->tree, 2 * leaves);
    for (size_t c = 0; c < 2 && s == VN_OK; c++) {
        const vn_fp *cols[LEAF_WIDTH];
        for (size_t j = 0; j < VN_FRI_FOLD; j++)
            for (size_t k = 0; k < 6; k++)
                cols[6 * j + k] = l->code + (2 * k + c) * n + j * leaves;
        s = vn_merkle_hash_rows(&l->tree, d->backend, d->pool, cols, LEAF_WIDTH, c * leaves, leaves);
    }
    if (s == VN_OK)
        vn_merkle_hash_nodes(&l->tree, d->backend, d->pool);
    return s;
}

struct fold {
    const struct layer *from, *to;
    const struct vn_pcs_domain *d;
    struct vn_ext_scalar beta[VN_FRI_FOLD]; /* by block: beta^bitrev(block) */
};

static void fold_task(void *ctx, size_t task, unsigned thread)
{
    const struct fold *f = ctx;
    (void)thread;
    size_t n = (size_t)1 << f->to->log_n, begin = task * FOLD_BLOCK;
    size_t count = n - begin < FOLD_BLOCK ? n - begin : FOLD_BLOCK;
    vn_fp *acc[6], *from[6];
    vn_ext_split(acc, f->to->coefs + begin, n);
    vn_ext_split(from, f->from->coefs, n * VN_FRI_FOLD);
    for (size_t b = 0; b < VN_FRI_FOLD; b++)
        vn_ext_axpy(f->d->backend, acc, from, b * n + begin, &f->beta[b], count);
}

static void layer_fold(const struct layer *from, const struct layer *to, const struct vn_pcs_domain *d, struct vn_fp6 beta)
{
    struct fold f = {.from = from, .to = to, .d = d};
    struct vn_fp6 power = vn_fp6_one();
    for (uint32_t i = 0; i < VN_FRI_FOLD; i++, power = vn_fp6_mul(power, beta))
        f.beta[vn_bitrev(i, VN_FRI_LOG_FOLD)] = vn_ext_scalar(power);
    size_t n = (size_t)1 << to->log_n;
    vn_pool_run(d->pool, (n + FOLD_BLOCK - 1) / FOLD_BLOCK, fold_task, &f);
}

struct search {
    const struct vn_pcs_domain *d;
    const struct vn_transcript *t;
    unsigned bits;
    uint32_t from;
    uint32_t found[64];
};

static void grind_task(void *ctx, size_t task, unsigned thread)
{
    struct search *s = ctx;
    (void)thread;
    s->found[task] = s->d->backend->grind(s->t, s->bits, s->from + (uint32_t)task * GRIND_TASK, GRIND_TASK);
}

/* Rounds of tasks in ascending order, the first hit of a round wins. */
enum vn_status vn_fri_grind(const struct vn_pcs_domain *d, const struct vn_transcript *t, unsigned bits, uint32_t *nonce)
{
    struct search s = {.d = d, .t = t, .bits = bits};
    unsigned tasks = 2 * vn_pool_threads(d->pool);
    tasks = tasks > 64 ? 64 : tasks;
    for (;; s.from += tasks * GRIND_TASK) {
        vn_pool_run(d->pool, tasks, grind_task, &s);
        for (unsigned i = 0; i < tasks; i++)
            if (s.found[i] != UINT32_MAX) {
                *nonce = s.found[i];
                return VN_OK;
            }
    }
}

enum vn_status vn_fri_new(struct vn_fri **out, const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits,
                          const struct vn_pcs_domain *d, const struct vn_pcs_points *points, const struct vn_fp6 *gamma)
{
    struct vn_fri *f = calloc(1, sizeof *f);
    if (!f)
        return VN_ERR_MEMORY;
    f->d = d;
    f->params = shape->params;
    enum vn_status s = layer_init(&f->layers[0], d->log_n);
    if (s == VN_OK) {
        vn_fp *total[6];
        vn_ext_split(total, f->layers[0].coefs, (size_t)1 << d->log_n);
        s = vn_deep_build(shape, commits, d, points, gamma, total);
    }
    if (s != VN_OK) {
        vn_fri_free(f);
        return s;
    }
    *out = f;
    return VN_OK;
}

enum vn_status vn_fri_commit(struct vn_fri *f, unsigned layer, struct vn_digest *root)
{
    enum vn_status s = layer_commit(&f->layers[layer], f->d, layer);
    if (s == VN_OK)
        *root = vn_merkle_root(&f->layers[layer].tree);
    return s;
}

enum vn_status vn_fri_fold(struct vn_fri *f, unsigned layer, const struct vn_fp6 *beta)
{
    struct layer *l = &f->layers[layer];
    enum vn_status s = layer_init(l + 1, l->log_n - VN_FRI_LOG_FOLD);
    if (s == VN_OK)
        layer_fold(l, l + 1, f->d, *beta);
    return s;
}

enum vn_status vn_fri_final(struct vn_fri *f, struct vn_fp6 *coefs)
{
    const struct layer *last = &f->layers[f->params->n_folds];
    uint32_t n = 1u << last->log_n;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < 6; k++)
            coefs[i].c[k] = last->coefs[k * n + vn_bitrev(i, last->log_n)];
    return VN_OK;
}

/* Column 6 j + k of the leaves: coordinate k of the values at i + j n/8. */
static void gather_layer(const void *ctx, size_t column, const uint32_t *blocks, size_t n_blocks, unsigned log_block, vn_fp *out, vn_fp *scratch)
{
    const struct layer *l = ctx;
    (void)scratch;
    size_t size = (size_t)1 << l->log_n, eighth = size / VN_FRI_FOLD, block = (size_t)1 << log_block;
    for (size_t b = 0; b < n_blocks; b++, out += block) {
        size_t first = (size_t)blocks[b] << log_block, c = first / eighth, i = first % eighth;
        memcpy(out, l->code + (2 * (column % 6) + c) * size + column / 6 * eighth + i, block * sizeof *out);
    }
}

enum vn_status vn_fri_open(struct vn_fri *f, unsigned layer, const uint32_t *leaves, size_t n, struct vn_opened *out)
{
    const struct layer *l = &f->layers[layer];
    struct vn_pcs_rows rows = {.width = LEAF_WIDTH, .gather = gather_layer, .ctx = l};
    return vn_pcs_open_rows(&l->tree, f->d, &rows, leaves, n, out);
}
