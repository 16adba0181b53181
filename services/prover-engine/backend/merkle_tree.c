/* A pool task hashes a chunk of rows and the levels above them up to `low` in memory of its thread that stays in the cache; only level `low` is written
 * to the tree. The levels above are hashed in chunks of nodes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/backend/backend.h"
#include "services/prover-engine/backend/buffer.h"

enum { CHUNK = 1024 };

static size_t level_size(const struct vn_merkle_tree *t, unsigned level)
{
    return (size_t)1 << (t->log_rows - level);
}

static vn_fp *level_start(const struct vn_merkle_tree *t, unsigned level)
{
    return t->nodes + VN_DIGEST_LEN * 2 * (level_size(t, t->low) - level_size(t, level));
}

struct vn_merkle_tree vn_merkle_shape(unsigned log_rows)
{
    unsigned low = log_rows > VN_MERKLE_LOW ? VN_MERKLE_LOW : log_rows ? log_rows - 1 : 0;
    return (struct vn_merkle_tree){.log_rows = log_rows, .low = low};
}

size_t vn_merkle_elements(const struct vn_merkle_tree *t)
{
    return VN_DIGEST_LEN * (2 * level_size(t, t->low) - 1);
}

enum vn_status vn_merkle_new(struct vn_merkle_tree *t, size_t n_rows)
{
    if (n_rows == 0 || n_rows & (n_rows - 1) || n_rows > (size_t)1 << 31)
        return VN_ERR_ARGUMENT;
    *t = vn_merkle_shape((unsigned)__builtin_ctzll(n_rows));
    t->nodes = vn_buffer_new(vn_merkle_elements(t) * sizeof(vn_fp));
    return t->nodes ? VN_OK : VN_ERR_MEMORY;
}

void vn_merkle_free(struct vn_merkle_tree *t)
{
    vn_buffer_free(t->nodes);
    *t = (struct vn_merkle_tree){0};
}

/* Levels 1 .. low over n leaves at the start of the scratch, one after the other there; the last one goes to `top`. n: a multiple of 2^low. */
static void hash_low_levels(const struct vn_merkle_tree *t, const struct vn_backend *b, vn_fp *scratch, size_t n, vn_fp *top, size_t top_stride)
{
    const vn_fp *below = scratch;
    vn_fp *above = scratch + VN_DIGEST_LEN * n;
    for (unsigned level = 1; level <= t->low; level++) {
        size_t stride = level == t->low ? top_stride : n / 2;
        vn_fp *out = level == t->low ? top : above;
        b->hash_nodes(out, stride, below, n, n / 2, level);
        above = out + VN_DIGEST_LEN * (n / 2);
        below = out;
        n /= 2;
    }
}

struct build {
    const struct vn_merkle_tree *tree;
    const struct vn_backend *backend;
    const vn_fp *const *cols;
    size_t width, first, chunk;
    unsigned level;
    const vn_fp **shifted; /* per thread: width pointers */
    vn_fp *scratch;        /* per thread: the chunk's leaves and the levels above */
};

static void rows_task(void *ctx, size_t task, unsigned thread)
{
    const struct build *b = ctx;
    const struct vn_merkle_tree *t = b->tree;
    const vn_fp **cols = b->shifted + thread * b->width;
    vn_fp *scratch = b->scratch + thread * 2 * VN_DIGEST_LEN * b->chunk, *top = level_start(t, t->low) + ((b->first + task * b->chunk) >> t->low);
    for (size_t c = 0; c < b->width; c++)
        cols[c] = b->cols[c] + task * b->chunk;
    if (t->low == 0) {
        b->backend->hash_rows(top, level_size(t, 0), cols, b->width, b->chunk);
        return;
    }
    b->backend->hash_rows(scratch, b->chunk, cols, b->width, b->chunk);
    hash_low_levels(t, b->backend, scratch, b->chunk, top, level_size(t, t->low));
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum vn_status vn_merkle_hash_rows(struct vn_merkle_tree *t, const struct vn_backend *b, struct vn_pool *pool, const vn_fp *const *cols, size_t width,
                                   size_t first, size_t n)
{
    size_t block = (size_t)1 << t->low, all = level_size(t, 0);
    if (first % block || n % block || first > all || n > all - first)
        return VN_ERR_ARGUMENT;
    struct build build = {.tree = t, .backend = b, .cols = cols, .width = width, .first = first, .chunk = smaller(CHUNK, n & -n)};
    build.shifted = calloc(vn_pool_threads(pool) * width + 1, sizeof *build.shifted);
    build.scratch = malloc(vn_pool_threads(pool) * 2 * VN_DIGEST_LEN * build.chunk * sizeof(vn_fp) + 1);
    if (build.shifted && build.scratch && n > 0)
        vn_pool_run(pool, n / build.chunk, rows_task, &build);
    enum vn_status s = build.shifted && build.scratch ? VN_OK : VN_ERR_MEMORY;
    free(build.shifted);
    free(build.scratch);
    return s;
}

static void nodes_task(void *ctx, size_t task, unsigned thread)
{
    const struct build *b = ctx;
    (void)thread;
    size_t first = task * b->chunk, n = level_size(b->tree, b->level);
    b->backend->hash_nodes(level_start(b->tree, b->level) + first, n, level_start(b->tree, b->level - 1) + 2 * first, 2 * n, b->chunk, b->level);
}

void vn_merkle_hash_nodes(struct vn_merkle_tree *t, const struct vn_backend *b, struct vn_pool *pool)
{
    struct build build = {.tree = t, .backend = b};
    for (build.level = t->low + 1; build.level <= t->log_rows; build.level++) {
        size_t n = level_size(t, build.level);
        build.chunk = smaller(CHUNK, n);
        vn_pool_run(pool, n / build.chunk, nodes_task, &build);
    }
}

struct vn_digest vn_merkle_node(const struct vn_merkle_tree *t, unsigned level, size_t index)
{
    assert(level >= t->low && level <= t->log_rows && index < level_size(t, level));
    struct vn_digest d;
    for (size_t k = 0; k < VN_DIGEST_LEN; k++)
        d.c[k] = level_start(t, level)[k * level_size(t, level) + index];
    return d;
}

struct vn_digest vn_merkle_root(const struct vn_merkle_tree *t)
{
    return vn_merkle_node(t, t->log_rows, 0);
}

/* ---- Openings ---- */

size_t vn_merkle_blocks(const struct vn_merkle_tree *t, const uint32_t *indices, size_t n_rows, uint32_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < n_rows; i++)
        if (n == 0 || out[n - 1] != indices[i] >> t->low)
            out[n++] = indices[i] >> t->low;
    return n;
}

/* The levels below low of the opened blocks, block after block; level l has (n_blocks << (low - l)) nodes. */
struct low_nodes {
    const uint32_t *blocks;
    size_t n_blocks;
    unsigned low;
    const vn_fp *level[VN_MERKLE_LOW];
};

static struct vn_digest low_node(const struct low_nodes *l, unsigned level, uint32_t index)
{
    unsigned bits = l->low - level;
    size_t block = 0, stride = l->n_blocks << bits;
    while (l->blocks[block] != index >> bits)
        block++;
    struct vn_digest d;
    for (size_t k = 0; k < VN_DIGEST_LEN; k++)
        d.c[k] = l->level[level][k * stride + (block << bits) + (index & ((1u << bits) - 1))];
    return d;
}

int vn_merkle_next_sibling(struct vn_merkle_walk *walk, unsigned log_rows, const uint32_t *indices, size_t n_rows)
{
    for (; walk->level < log_rows; walk->level++, walk->at = 0) {
        while (walk->at < n_rows) {
            uint32_t index = indices[walk->at] >> walk->level, next = index;
            while (walk->at < n_rows && (next = indices[walk->at] >> walk->level) == index)
                walk->at++;
            if (walk->at == n_rows || next != (index ^ 1)) {
                walk->sibling = index ^ 1;
                return 1;
            }
            while (walk->at < n_rows && indices[walk->at] >> walk->level == next)
                walk->at++;
        }
    }
    return 0;
}

enum vn_status vn_merkle_open(const struct vn_merkle_tree *t, const struct vn_backend *b, const vn_fp *const *cols, size_t width, const uint32_t *indices,
                              size_t n_rows, struct vn_digest *out, size_t *n_out)
{
    uint32_t *blocks = malloc(n_rows * sizeof *blocks + 1);
    size_t n_blocks = blocks ? vn_merkle_blocks(t, indices, n_rows, blocks) : 0, leaves = n_blocks << t->low;
    vn_fp *nodes = malloc(2 * VN_DIGEST_LEN * leaves * sizeof *nodes + 1);
    if (!blocks || !nodes) {
        free(blocks);
        free(nodes);
        return VN_ERR_MEMORY;
    }
    struct low_nodes low = {.blocks = blocks, .n_blocks = n_blocks, .low = t->low};
    if (t->low > 0)
        b->hash_rows(nodes, leaves, cols, width, leaves);
    vn_fp *at = nodes;
    for (unsigned level = 0; level < t->low; level++) {
        size_t n = leaves >> level;
        low.level[level] = at;
        at += VN_DIGEST_LEN * n;
        if (level + 1 < t->low)
            b->hash_nodes(at, n / 2, low.level[level], n, n / 2, level + 1);
    }
    struct vn_merkle_walk walk = {0};
    for (*n_out = 0; vn_merkle_next_sibling(&walk, t->log_rows, indices, n_rows); ++*n_out)
        out[*n_out] = walk.level < t->low ? low_node(&low, walk.level, walk.sibling) : vn_merkle_node(t, walk.level, walk.sibling);
    free(blocks);
    free(nodes);
    return VN_OK;
}
