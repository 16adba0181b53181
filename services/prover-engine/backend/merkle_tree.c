/* Leaves in chunks of rows, then level by level in chunks of nodes, each chunk a pool task. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/backend/backend.h"
#include "services/prover-engine/backend/buffer.h"

enum { CHUNK = 1024 };

static vn_fp *level_start(const struct vn_merkle_tree *t, unsigned level)
{
    return t->nodes + VN_DIGEST_LEN * (((size_t)2 << t->log_rows) - ((size_t)2 << (t->log_rows - level)));
}

struct build {
    const struct vn_merkle_tree *tree;
    const struct vn_backend *backend;
    const vn_fp *const *cols;
    size_t width, seg_rows, chunk;
    unsigned level;
    const vn_fp **shifted; /* per thread: width pointers */
};

static void leaf_task(void *ctx, size_t task, unsigned thread)
{
    const struct build *b = ctx;
    size_t first = task * b->chunk, segment = first / b->seg_rows, offset = first % b->seg_rows;
    const vn_fp **cols = b->shifted + thread * b->width;
    for (size_t c = 0; c < b->width; c++)
        cols[c] = b->cols[segment * b->width + c] + offset;
    b->backend->hash_rows(b->tree->nodes + first, (size_t)1 << b->tree->log_rows, cols, b->width, b->chunk);
}

static void node_task(void *ctx, size_t task, unsigned thread)
{
    const struct build *b = ctx;
    (void)thread;
    size_t first = task * b->chunk, n = (size_t)1 << (b->tree->log_rows - b->level);
    b->backend->hash_nodes(level_start(b->tree, b->level) + first, n, level_start(b->tree, b->level - 1) + 2 * first, 2 * n,
                           b->chunk, b->level);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum vn_status vn_merkle_build(struct vn_merkle_tree *t, const struct vn_backend *b, struct vn_pool *pool, const vn_fp *const *cols,
                               size_t width, size_t n_segments, size_t seg_rows)
{
    size_t rows;
    if (__builtin_mul_overflow(n_segments, seg_rows, &rows) || rows == 0 || rows & (rows - 1) || rows > (size_t)1 << 31)
        return VN_ERR_ARGUMENT;
    struct vn_merkle_tree tree = {.log_rows = (unsigned)__builtin_ctzll(rows)};
    tree.nodes = vn_buffer_new(VN_DIGEST_LEN * (2 * rows - 1) * sizeof(vn_fp));
    const vn_fp **shifted = calloc(vn_pool_threads(pool) * width + 1, sizeof *shifted);
    if (!tree.nodes || !shifted) {
        vn_buffer_free(tree.nodes);
        free(shifted);
        return VN_ERR_MEMORY;
    }
    struct build build = {.tree = &tree, .backend = b, .cols = cols, .width = width, .seg_rows = seg_rows, .shifted = shifted};
    build.chunk = smaller(CHUNK, seg_rows);
    vn_pool_run(pool, rows / build.chunk, leaf_task, &build);
    for (build.level = 1; build.level <= tree.log_rows; build.level++) {
        size_t n = rows >> build.level;
        build.chunk = smaller(CHUNK, n);
        vn_pool_run(pool, n / build.chunk, node_task, &build);
    }
    free(shifted);
    *t = tree;
    return VN_OK;
}

void vn_merkle_free(struct vn_merkle_tree *t)
{
    vn_buffer_free(t->nodes);
    *t = (struct vn_merkle_tree){0};
}

struct vn_digest vn_merkle_node(const struct vn_merkle_tree *t, unsigned level, size_t index)
{
    assert(level <= t->log_rows && index >> (t->log_rows - level) == 0);
    struct vn_digest d;
    for (size_t k = 0; k < VN_DIGEST_LEN; k++)
        d.c[k] = level_start(t, level)[(k << (t->log_rows - level)) + index];
    return d;
}

struct vn_digest vn_merkle_root(const struct vn_merkle_tree *t)
{
    return vn_merkle_node(t, t->log_rows, 0);
}

size_t vn_merkle_open(const struct vn_merkle_tree *t, const uint32_t *indices, size_t n_rows, struct vn_digest *out)
{
    size_t count = 0;
    for (unsigned level = 0; level < t->log_rows; level++) {
        for (size_t i = 0; i < n_rows;) {
            uint32_t index = indices[i] >> level, next = index;
            while (i < n_rows && (next = indices[i] >> level) == index)
                i++;
            if (i < n_rows && next == (index ^ 1)) {
                while (i < n_rows && indices[i] >> level == next)
                    i++;
                continue;
            }
            out[count++] = vn_merkle_node(t, level, index ^ 1);
        }
    }
    return count;
}
