/* Division by X^s - y is, slot by slot, division of the slot's polynomial G of degree < n by X - y:
 *     Q[k] = G[k + 1] + y Q[k + 1].
 * A slot's coefficients are in bit-reversed order. Writing k = u L + v (L about sqrt n), coefficient (u, v) lies at bitrev(v) * U + bitrev(u),
 * U = n / L: for one v the U values of u are neighbours. So the recurrence runs over v, U lanes at a time:
 *   1. D[u] = sum_v y^v G[u, v]                        (lanes)
 *   2. C[u - 1] = D[u] + y^L C[u], C[U - 1] = 0        (one by one, U steps)
 *   3. Q[u, L-1] = C[u], Q[u, v] = G[u, v+1] + y Q[u, v+1]  (lanes) */
#include "services/prover-engine/pcs/deep.h"

#include <stdlib.h>

#include "services/prover-engine/pcs/ext.h"

enum { COMBINE_BLOCK = 1024, COMBINE_TERMS = 8, LANES = 256, UNIT_COEFS = 16384 };

struct group {
    const struct vn_pcs_domain *d;
    const struct vn_deep_term *terms;
    size_t n_terms;
    struct vn_fp6 y;
    unsigned log_l, log_u; /* n = L * U */
    size_t slots;          /* used ones */
    vn_fp *g[6];           /* the combination, then nothing */
    vn_fp *carry[6];       /* slots * U: D, then C */
    vn_fp *const *total;
    struct vn_ext_scalar y_scalar;
    struct vn_fp6 y_l;     /* y^L */
    size_t lanes, units, units_per_task;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void combine_task(void *ctx, size_t task, unsigned thread)
{
    const struct group *g = ctx;
    (void)thread;
    size_t all = g->slots << (g->log_l + g->log_u);
    size_t begin = task * COMBINE_BLOCK, end = smaller(begin + COMBINE_BLOCK, all);
    vn_fp *acc[6];
    for (int k = 0; k < 6; k++) {
        acc[k] = g->g[k] + begin;
        memset(acc[k], 0, (end - begin) * sizeof(vn_fp));
    }
    /* Stacks that end inside the block go alone, the others some at a time. */
    const vn_fp *f[COMBINE_TERMS];
    struct vn_fp6 gamma[COMBINE_TERMS];
    size_t n = 0;
    for (size_t i = 0; i < g->n_terms; i++) {
        const struct vn_deep_term *t = &g->terms[i];
        if (t->used <= begin)
            continue;
        f[n] = t->commit->coefs + ((size_t)t->stack << g->d->log_n) + begin;
        gamma[n] = t->gamma;
        if (t->used < end) {
            g->d->backend->combine_fp6(acc, &f[n], &gamma[n], 1, t->used - begin);
            continue;
        }
        if (++n == COMBINE_TERMS) {
            g->d->backend->combine_fp6(acc, f, gamma, n, end - begin);
            n = 0;
        }
    }
    g->d->backend->combine_fp6(acc, f, gamma, n, end - begin);
}

struct unit {
    size_t lane, base; /* first lane inside the slot; the slot's first coefficient */
    size_t carry;      /* the first lane's place in the carry arrays */
};

static struct unit unit_at(const struct group *g, size_t unit)
{
    size_t per_slot = ((size_t)1 << g->log_u) / g->lanes;
    size_t slot = unit / per_slot, lane = unit % per_slot * g->lanes;
    return (struct unit){lane, slot << (g->log_l + g->log_u), (slot << g->log_u) + lane};
}

/* dst = G at (lanes, v). */
static void load(const struct group *g, const struct unit *u, uint32_t v, vn_fp *const dst[6])
{
    size_t at = u->base + ((size_t)vn_bitrev(v, g->log_l) << g->log_u) + u->lane;
    for (int k = 0; k < 6; k++)
        memcpy(dst[k], g->g[k] + at, g->lanes * sizeof(vn_fp));
}

static void block_sums(const struct group *g, const struct unit *u)
{
    vn_fp memory[2][6 * LANES], *sum[6], *next[6];
    vn_ext_split(sum, memory[0], LANES);
    vn_ext_split(next, memory[1], LANES);
    uint32_t l = 1u << g->log_l;
    load(g, u, l - 1, sum);
    for (uint32_t v = l - 1; v-- > 0;) {
        load(g, u, v, next);
        vn_ext_axpy(g->d->backend, next, sum, 0, &g->y_scalar, g->lanes);
        for (int k = 0; k < 6; k++) {
            vn_fp *swap = sum[k];
            sum[k] = next[k];
            next[k] = swap;
        }
    }
    for (int k = 0; k < 6; k++)
        memcpy(g->carry[k] + u->carry, sum[k], g->lanes * sizeof(vn_fp));
}

static void add_to(vn_fp *total, const vn_fp *q, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t s = total[i] + q[i], t = s - VN_P;
        total[i] = s < t ? s : t;
    }
}

static void divide(const struct group *g, const struct unit *u)
{
    vn_fp memory[2][6 * LANES], *q[6], *next[6];
    vn_ext_split(q, memory[0], LANES);
    vn_ext_split(next, memory[1], LANES);
    for (int k = 0; k < 6; k++)
        memcpy(q[k], g->carry[k] + u->carry, g->lanes * sizeof(vn_fp));
    for (uint32_t v = 1u << g->log_l; v-- > 0;) {
        size_t at = u->base + ((size_t)vn_bitrev(v, g->log_l) << g->log_u) + u->lane;
        for (int k = 0; k < 6; k++)
            add_to(g->total[k] + at, q[k], g->lanes);
        if (v == 0)
            break;
        load(g, u, v, next);
        vn_ext_axpy(g->d->backend, next, q, 0, &g->y_scalar, g->lanes);
        for (int k = 0; k < 6; k++) {
            vn_fp *swap = q[k];
            q[k] = next[k];
            next[k] = swap;
        }
    }
}

static void block_sums_task(void *ctx, size_t task, unsigned thread)
{
    const struct group *g = ctx;
    (void)thread;
    for (size_t i = task * g->units_per_task; i < smaller((task + 1) * g->units_per_task, g->units); i++) {
        struct unit u = unit_at(g, i);
        block_sums(g, &u);
    }
}

static void carry_task(void *ctx, size_t slot, unsigned thread)
{
    const struct group *g = ctx;
    (void)thread;
    struct vn_fp6 c = vn_fp6_zero();
    for (uint32_t u = 1u << g->log_u; u-- > 0;) {
        size_t at = (slot << g->log_u) + vn_bitrev(u, g->log_u);
        struct vn_fp6 sum;
        for (int k = 0; k < 6; k++) {
            sum.c[k] = g->carry[k][at];
            g->carry[k][at] = c.c[k];
        }
        c = vn_fp6_add(sum, vn_fp6_mul(g->y_l, c));
    }
}

static void divide_task(void *ctx, size_t task, unsigned thread)
{
    const struct group *g = ctx;
    (void)thread;
    for (size_t i = task * g->units_per_task; i < smaller((task + 1) * g->units_per_task, g->units); i++) {
        struct unit u = unit_at(g, i);
        divide(g, &u);
    }
}

static void run_group(struct group *g)
{
    size_t all = g->slots << (g->log_l + g->log_u);
    vn_pool_run(g->d->pool, (all + COMBINE_BLOCK - 1) / COMBINE_BLOCK, combine_task, g);
    g->y_scalar = vn_ext_scalar(g->y);
    g->y_l = vn_fp6_pow(g->y, (uint64_t)1 << g->log_l);
    g->lanes = smaller((size_t)1 << g->log_u, LANES);
    g->units = (g->slots << g->log_u) / g->lanes;
    g->units_per_task = 1 + UNIT_COEFS / (g->lanes << g->log_l);
    size_t tasks = (g->units + g->units_per_task - 1) / g->units_per_task;
    vn_pool_run(g->d->pool, tasks, block_sums_task, g);
    vn_pool_run(g->d->pool, g->slots, carry_task, g);
    vn_pool_run(g->d->pool, tasks, divide_task, g);
}

size_t vn_deep_terms(struct vn_deep_term *terms, const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits, enum vn_pcs_point point,
                     unsigned log_height, const struct vn_fp6 *gamma_pow)
{
    size_t n = 0;
    uint32_t first = 0;
    unsigned log_n = shape->params->log_n;
    for (unsigned o = 0; o < shape->n_openings; o++) {
        const struct vn_pcs_commit *c = commits[shape->openings[o].tree];
        const struct vn_pcs_class *k = vn_pcs_tree_class(&c->shape, log_height);
        for (uint32_t s = 0; k && shape->openings[o].point == point && s < k->n_stacks; s++) {
            size_t left = ((size_t)k->n_cols << log_height) - ((size_t)s << log_n);
            terms[n++] = (struct vn_deep_term){c, k->first_stack + s, smaller(left, (size_t)1 << log_n), gamma_pow[first + k->first_stack + s]};
        }
        first += c->shape.n_stacks;
    }
    return n;
}

enum vn_status vn_deep_build(const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits, const struct vn_pcs_domain *d,
                             const struct vn_pcs_points *points, const struct vn_fp6 *gamma, vn_fp *const total[6])
{
    size_t n = (size_t)1 << d->log_n, batch = vn_pcs_batch(shape);
    struct group g = {.d = d, .total = total};
    struct vn_deep_term *terms = malloc(batch * sizeof *terms);
    struct vn_fp6 *gamma_pow = malloc(batch * sizeof *gamma_pow);
    vn_fp *memory = vn_buffer_new(12 * n * sizeof(vn_fp));
    enum vn_status status = terms && gamma_pow && memory ? VN_OK : VN_ERR_MEMORY;
    if (status == VN_OK) {
        vn_ext_split(g.g, memory, n);
        vn_ext_split(g.carry, memory + 6 * n, n);
        struct vn_fp6 power = vn_fp6_one();
        for (size_t i = 0; i < batch; i++, power = vn_fp6_mul(power, *gamma))
            gamma_pow[i] = power;
        for (enum vn_pcs_point point = 0; point < VN_POINT_COUNT; point++) {
            for (unsigned h = 0; h <= d->log_n; h++) {
                g.n_terms = vn_deep_terms(terms, shape, commits, point, h, gamma_pow);
                if (g.n_terms == 0)
                    continue;
                g.terms = terms;
                g.y = vn_pcs_point(points, point, h);
                g.log_l = h / 2;
                g.log_u = h - g.log_l;
                g.slots = vn_pcs_used_slots(shape, point, h);
                run_group(&g);
            }
        }
    }
    vn_buffer_free(memory);
    free(gamma_pow);
    free(terms);
    return status;
}
