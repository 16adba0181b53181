/* The blocks around the opened rows are gathered column by column: the tree needs all of a block to make its low levels again. */
#include "services/prover-engine/pcs/rows.h"

#include <stdlib.h>

struct gather {
    const struct vn_pcs_rows *rows;
    const uint32_t *blocks;
    size_t n_blocks, n_rows; /* of all blocks */
    unsigned log_block;
    vn_fp *out;              /* width columns of n_rows */
    vn_fp *scratch;          /* per thread */
};

static void gather_task(void *ctx, size_t column, unsigned thread)
{
    const struct gather *g = ctx;
    const struct vn_pcs_rows *r = g->rows;
    r->gather(r->ctx, column, g->blocks, g->n_blocks, g->log_block, g->out + column * g->n_rows, g->scratch + thread * r->scratch);
}

static void copy_rows(const struct gather *g, const uint32_t *indices, size_t n, vn_fp *out)
{
    size_t block = 0, mask = ((size_t)1 << g->log_block) - 1;
    for (size_t q = 0; q < n; q++) {
        while (g->blocks[block] != indices[q] >> g->log_block)
            block++;
        for (size_t c = 0; c < g->rows->width; c++)
            *out++ = g->out[c * g->n_rows + (block << g->log_block) + (indices[q] & mask)];
    }
}

enum vn_status vn_pcs_open_rows(const struct vn_merkle_tree *t, const struct vn_pcs_domain *d, const struct vn_pcs_rows *rows, const uint32_t *indices,
                                size_t n, struct vn_opened *out)
{
    uint32_t *blocks = malloc(n * sizeof *blocks + 1);
    struct gather g = {.rows = rows, .blocks = blocks, .log_block = t->low};
    g.n_blocks = blocks ? vn_merkle_blocks(t, indices, n, blocks) : 0;
    g.n_rows = g.n_blocks << t->low;
    g.out = vn_buffer_new(rows->width * g.n_rows * sizeof(vn_fp));
    g.scratch = vn_buffer_new(vn_pool_threads(d->pool) * rows->scratch * sizeof(vn_fp));
    const vn_fp **columns = malloc(rows->width * sizeof *columns + 1);
    enum vn_status s = blocks && g.out && g.scratch && columns ? VN_OK : VN_ERR_MEMORY;
    if (s == VN_OK) {
        vn_pool_run(d->pool, rows->width, gather_task, &g);
        copy_rows(&g, indices, n, out->rows);
        for (size_t c = 0; c < rows->width; c++)
            columns[c] = g.out + c * g.n_rows;
        s = vn_merkle_open(t, d->backend, columns, rows->width, indices, n, out->siblings, &out->n_siblings);
    }
    free(columns);
    vn_buffer_free(g.scratch);
    vn_buffer_free(g.out);
    free(blocks);
    return s;
}
