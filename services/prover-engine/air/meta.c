/* Heights, bus bounds, challenges, and the constraints at one point: the graph is walked once over F_p^6, nodes in order. */
#include <string.h>

#include "services/prover-engine/air/graph.h"

const uint8_t vn_air_height_classes[] = {8, 12, 14, 16, 17, 18, 19, 20, 0};

unsigned vn_air_log_height(size_t rows)
{
    if (rows == 0)
        return VN_LOG_HEIGHT_ABSENT;
    for (unsigned i = 0; vn_air_height_classes[i]; i++)
        if (rows <= (size_t)1 << vn_air_height_classes[i])
            return vn_air_height_classes[i];
    return VN_LOG_HEIGHT_ABSENT;
}

int vn_air_multiplicities_fit(unsigned kind, const uint8_t *log_heights)
{
    uint64_t bound[256] = {0};
    const struct vn_air_kind *kd = &vn_air_kinds[kind];
    for (unsigned i = 0; i < kd->n_tables; i++) {
        unsigned t = kd->tables[i], log_height = log_heights[t];
        if (log_height == VN_LOG_HEIGHT_ABSENT)
            continue;
        if (log_height > 24)
            return 0;
        const struct vn_air_graph *g = &vn_air_graphs[t];
        for (unsigned j = 0; j < g->n_interactions; j++)
            bound[g->interactions[j].bus] += (uint64_t)g->interactions[j].bound << log_height;
    }
    for (unsigned bus = 0; bus < 256; bus++)
        if (bound[bus] + 2 >= VN_P) /* two loose ends */
            return 0;
    return 1;
}

void vn_air_challenges_set(struct vn_air_challenges *c, unsigned scope, struct vn_fp6 alpha, struct vn_fp6 beta)
{
    c->alpha[scope] = alpha;
    c->beta_pow[scope][0] = vn_fp6_one();
    for (unsigned i = 1; i <= VN_AIR_MAX_TUPLE; i++)
        c->beta_pow[scope][i] = vn_fp6_mul(c->beta_pow[scope][i - 1], beta);
}

static struct vn_fp6 denominator_start(const struct vn_air_challenges *c, unsigned scope, unsigned bus)
{
    return vn_fp6_add(c->alpha[scope], vn_fp6_from_fp(vn_fp_from(bus)));
}

struct vn_fp6 vn_air_fraction(const struct vn_air_challenges *c, unsigned scope, enum vn_bus bus, const vn_fp *tuple, unsigned width, int sign)
{
    struct vn_fp6 d = denominator_start(c, scope, bus);
    for (unsigned i = 0; i < width; i++)
        d = vn_fp6_add(d, vn_fp6_mul_fp(c->beta_pow[scope][i + 1], tuple[i]));
    d = vn_fp6_inv(d);
    return sign < 0 ? vn_fp6_neg(d) : d;
}

static struct vn_fp6 node_value(const struct vn_air_node *n, const struct vn_air_node *nodes, const struct vn_fp6 *v, const struct vn_air_point *pt,
                                const struct vn_air_params *params)
{
    switch (n->op) {
    case VN_AIR_CONST:
        return vn_fp6_from_fp(vn_fp_from(n->value));
    case VN_AIR_PRE:
        return pt->pre[n->a];
    case VN_AIR_P1:
        return pt->p1[n->a];
    case VN_AIR_MAIN:
        return pt->main[n->a];
    case VN_AIR_INDEX:
        return vn_fp6_from_fp(params->shard_index);
    case VN_AIR_ADD:
        return vn_fp6_add(v[n->a], v[n->b]);
    case VN_AIR_SUB:
        return vn_fp6_sub(v[n->a], v[n->b]);
    default:
        if (nodes[n->a].op == VN_AIR_CONST)
            return vn_fp6_mul_fp(v[n->b], v[n->a].c[0]);
        if (nodes[n->b].op == VN_AIR_CONST)
            return vn_fp6_mul_fp(v[n->a], v[n->b].c[0]);
        return vn_fp6_mul(v[n->a], v[n->b]);
    }
}

/* The fractions of one LogUp column as num / den. `second` NULL: alone. */
static void fraction(struct vn_fp6 *num, struct vn_fp6 *den, const struct vn_air_interaction *first, const struct vn_air_interaction *second,
                     const struct vn_fp6 *v, const struct vn_air_challenges *c)
{
    const struct vn_air_interaction *x[2] = {first, second};
    struct vn_fp6 d[2], m[2];
    for (int i = 0; i < 2 && x[i]; i++) {
        d[i] = denominator_start(c, x[i]->scope, x[i]->bus);
        for (unsigned k = 0; k < x[i]->width; k++)
            d[i] = vn_fp6_add(d[i], vn_fp6_mul(c->beta_pow[x[i]->scope][k + 1], v[x[i]->tuple[k]]));
        m[i] = x[i]->sign < 0 ? vn_fp6_neg(v[x[i]->multiplicity]) : v[x[i]->multiplicity];
    }
    if (!second) {
        *num = m[0];
        *den = d[0];
        return;
    }
    *num = vn_fp6_add(vn_fp6_mul(m[0], d[1]), vn_fp6_mul(m[1], d[0]));
    *den = vn_fp6_mul(d[0], d[1]);
}

struct vn_fp6 vn_air_eval_point(unsigned table, const struct vn_air_point *pt, const struct vn_air_params *params)
{
    const struct vn_air_graph *g = &vn_air_graphs[table];
    struct vn_fp6 v[VN_AIR_MAX_NODES], acc = vn_fp6_zero();
    for (unsigned i = 0; i < g->n_nodes; i++)
        v[i] = node_value(&g->nodes[i], g->nodes, v, pt, params);
    const struct vn_fp6 *alpha = params->alpha_pow;
    for (unsigned i = 0; i < g->n_constraints; i++)
        acc = vn_fp6_add(acc, vn_fp6_mul(*alpha++, v[g->constraints[i]]));

    unsigned column = 0;
    for (unsigned scope = 0; scope < VN_SCOPE_COUNT; scope++) {
        unsigned n = vn_air_tables[table].n_logup[scope], next = 0;
        struct vn_fp6 rest = params->sum_per_row[scope];
        for (unsigned j = 0; j < n; j++, column++) {
            const struct vn_air_interaction *pair[2] = {NULL, NULL};
            for (unsigned found = 0; found < 2 && next < g->n_interactions; next++)
                if (g->interactions[next].scope == scope)
                    pair[found++] = &g->interactions[next];
            struct vn_fp6 num, den, h = pt->logup[column];
            fraction(&num, &den, pair[0], pair[1], v, params->challenges);
            if (j + 1 == n)
                h = vn_fp6_add(rest, vn_fp6_sub(pt->logup_next[column], pt->logup[column]));
            else
                rest = vn_fp6_sub(rest, h);
            acc = vn_fp6_add(acc, vn_fp6_mul(*alpha++, vn_fp6_sub(vn_fp6_mul(h, den), num)));
        }
    }
    return acc;
}
