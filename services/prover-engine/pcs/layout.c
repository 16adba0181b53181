/* Plain bookkeeping; the order of classes and stacks is part of the proof format. */
#include "services/prover-engine/pcs/layout.h"

void vn_pcs_tree_init(struct vn_pcs_tree *t, unsigned log_n, const uint32_t n_cols[VN_PCS_MAX_LOG_N + 1])
{
    *t = (struct vn_pcs_tree){0};
    for (unsigned h = log_n + 1; h-- > 0;) {
        if (n_cols[h] == 0)
            continue;
        uint32_t slots = 1u << (log_n - h);
        struct vn_pcs_class *c = &t->classes[t->n_classes++];
        c->log_height = h;
        c->first_col = t->n_cols;
        c->n_cols = n_cols[h];
        c->first_stack = t->n_stacks;
        c->n_stacks = (n_cols[h] + slots - 1) / slots;
        t->n_cols += c->n_cols;
        t->n_stacks += c->n_stacks;
    }
}

const struct vn_pcs_class *vn_pcs_tree_class(const struct vn_pcs_tree *t, unsigned log_height)
{
    for (unsigned i = 0; i < t->n_classes; i++)
        if (t->classes[i].log_height == log_height)
            return &t->classes[i];
    return NULL;
}

struct vn_fp6 vn_pcs_point(const struct vn_pcs_points *p, enum vn_pcs_point point, unsigned log_height)
{
    if (point == VN_POINT_Z)
        return p->z;
    return point == VN_POINT_NEXT ? vn_fp6_mul_fp(p->zeta, vn_fp_root(log_height)) : p->zeta;
}

int vn_pcs_point_is_safe(const struct vn_fp6 *y)
{
    return (y->c[1] | y->c[2] | y->c[3] | y->c[4] | y->c[5]) != 0;
}

uint32_t vn_pcs_batch(const struct vn_pcs_shape *s)
{
    uint32_t n = 0;
    for (unsigned o = 0; o < s->n_openings; o++)
        n += s->trees[s->openings[o].tree].n_stacks;
    return n;
}

uint32_t vn_pcs_used_slots(const struct vn_pcs_shape *s, enum vn_pcs_point point, unsigned log_height)
{
    uint32_t slots = 1u << (s->params->log_n - log_height);
    uint32_t used = 0;
    for (unsigned o = 0; o < s->n_openings; o++) {
        const struct vn_pcs_class *c = vn_pcs_tree_class(&s->trees[s->openings[o].tree], log_height);
        if (s->openings[o].point != point || !c)
            continue;
        uint32_t n = c->n_cols < slots ? c->n_cols : slots;
        used = n > used ? n : used;
    }
    return used;
}
