/* Column nodes point into the columns; every other node has its block in the storage. Constants are filled in once a table. */
#include "services/prover-engine/air/walk.h"

#include <stdlib.h>

struct vn_walk *vn_walk_new(void)
{
    struct vn_walk *w = calloc(1, sizeof *w);
    if (w)
        w->storage = malloc(sizeof(uint32_t) * VN_WALK_ROWS * VN_AIR_MAX_NODES);
    if (w && !w->storage) {
        free(w);
        return NULL;
    }
    return w;
}

void vn_walk_free(struct vn_walk *w)
{
    if (!w)
        return;
    free(w->storage);
    free(w);
}

static void fill(uint32_t *out, uint32_t v)
{
    for (unsigned j = 0; j < VN_WALK_ROWS; j++)
        out[j] = v;
}

void vn_walk_table(struct vn_walk *w, unsigned table, const uint32_t *const *pre, const uint32_t *const *p1, const uint32_t *const *main,
                   uint32_t shard_index)
{
    w->graph = &vn_air_graphs[table];
    w->pre = pre;
    w->p1 = p1;
    w->main = main;
    w->shard_index = shard_index;
    for (unsigned i = 0; i < w->graph->n_nodes; i++) {
        uint32_t *out = w->storage + (size_t)i * VN_WALK_ROWS;
        w->value[i] = out;
        if (w->graph->nodes[i].op == VN_AIR_CONST)
            fill(out, w->graph->nodes[i].value);
        else if (w->graph->nodes[i].op == VN_AIR_INDEX)
            fill(out, shard_index);
    }
}

void vn_walk_block(struct vn_walk *w, size_t row, unsigned n_nodes)
{
    for (unsigned i = 0; i < n_nodes; i++) {
        const struct vn_air_node *n = &w->graph->nodes[i];
        uint32_t *restrict out = w->storage + (size_t)i * VN_WALK_ROWS;
        if (n->op >= VN_AIR_ADD) {
            const uint32_t *a = w->value[n->a], *b = w->value[n->b];
            if (n->op == VN_AIR_ADD)
                for (unsigned j = 0; j < VN_WALK_ROWS; j++)
                    out[j] = vn_fp_add(a[j], b[j]);
            else if (n->op == VN_AIR_SUB)
                for (unsigned j = 0; j < VN_WALK_ROWS; j++)
                    out[j] = vn_fp_sub(a[j], b[j]);
            else
                for (unsigned j = 0; j < VN_WALK_ROWS; j++)
                    out[j] = (uint32_t)((uint64_t)a[j] * b[j] % VN_P);
        } else if (n->op == VN_AIR_PRE) {
            w->value[i] = w->pre[n->a] + row;
        } else if (n->op == VN_AIR_P1) {
            w->value[i] = w->p1[n->a] + row;
        } else if (n->op == VN_AIR_MAIN) {
            w->value[i] = w->main[n->a] + row;
        }
    }
}
