/* At a query point x the DEEP codeword is, summed over groups (point y, height n, s = N / n),
 *     [ sum_k gamma^k F_k(x) - W(x) ] / (x^s - y),   W(X) = sum over used slots of w_t X^bitrev(t),   w_t = sum_k gamma^k v_kt.
 * The used slots are a prefix of the bit-reversed order: with 2^b >= used, W is a polynomial of degree < 2^b in x^(s / 2^b), and Horner costs what
 * the columns cost, not what the slots cost. */
#include "services/prover-engine/verify/pcs.h"

#include "services/prover-engine/pcs/merkle.h"
#include "services/prover-engine/pcs/query.h"
#include "services/prover-engine/verify/arena.h"
#include "services/prover-engine/verify/reject.h"

enum { MAX_GROUPS = VN_POINT_COUNT * VN_PCS_MAX_CLASSES, LEAF_WIDTH = 6 * VN_FRI_FOLD };

struct group {
    unsigned log_slots, log_used; /* s, and the 2^b above */
    struct vn_fp6 y;
    struct vn_fp6 *w; /* coefficients of W in x^(s / 2^b), natural order */
};

struct verifier {
    struct vn_arena *arena;
    const struct vn_pcs_shape *shape;
    const struct vn_pcs_params *params;
    const struct vn_digest *roots;
    struct vn_reader *r;
    struct vn_rejection *why;
    const struct vn_batch_hash *hash;

    struct vn_fp6 *gamma_pow;
    unsigned n_groups;
    struct group groups[MAX_GROUPS];
    int8_t group_of[VN_POINT_COUNT][VN_PCS_MAX_CLASSES];

    size_t n; /* distinct positions in the current layer */
    uint32_t indices[VN_PCS_MAX_QUERIES];
    uint32_t scratch[VN_PCS_MAX_QUERIES];
    struct vn_fp6 *sums; /* [position][group]: sum_k gamma^k F_k(x) */
    struct vn_fp6 *values; /* the codeword at the positions */
};

/* Where in the proof something is wrong. */
struct part {
    const char *name;
    uint32_t number;
};

static const struct part FRI = {"FRI", VN_NOT_NUMBERED};

static enum vn_status reject(const struct verifier *v, struct part part, const char *reason)
{
    return vn_reject_part(v->why, VN_ERR_INVALID_PROOF, part.name, part.number, reason);
}

/* x_l of a layer. */
static vn_fp domain_point(unsigned layer, unsigned log_n, uint32_t l)
{
    vn_fp shift = vn_pcs_coset_shift(vn_fri_shift(layer), log_n, l >> log_n);
    return vn_fp_mul(shift, vn_fp_pow(vn_fp_root(log_n), l & ((1u << log_n) - 1)));
}

static enum vn_status make_groups(struct verifier *v, const struct vn_pcs_points *points, const struct vn_fp6 *const *values)
{
    const struct vn_pcs_shape *shape = v->shape;
    for (unsigned p = 0; p < VN_POINT_COUNT; p++) {
        for (unsigned h = 0; h <= v->params->log_n; h++) {
            uint32_t used = vn_pcs_used_slots(shape, (enum vn_pcs_point)p, h);
            v->group_of[p][h] = -1;
            if (used == 0)
                continue;
            struct group *g = &v->groups[v->n_groups];
            v->group_of[p][h] = (int8_t)v->n_groups++;
            *g = (struct group){.log_slots = v->params->log_n - h, .y = vn_pcs_point(points, (enum vn_pcs_point)p, h)};
            while (1u << g->log_used < used)
                g->log_used++;
            g->w = vn_arena_take(v->arena, (size_t)1 << g->log_used, sizeof *g->w);
            if (!g->w)
                return vn_reject_arena(v->why);
            memset(g->w, 0, sizeof *g->w << g->log_used);
        }
    }
    uint32_t first = 0;
    for (unsigned o = 0; o < shape->n_openings; o++) {
        const struct vn_pcs_tree *tree = &shape->trees[shape->openings[o].tree];
        for (unsigned i = 0; i < tree->n_classes; i++) {
            const struct vn_pcs_class *c = &tree->classes[i];
            const struct group *g = &v->groups[v->group_of[shape->openings[o].point][c->log_height]];
            for (uint32_t col = 0; col < c->n_cols; col++) {
                uint32_t stack = col >> g->log_slots, slot = col & ((1u << g->log_slots) - 1);
                struct vn_fp6 *w = &g->w[vn_bitrev(slot, g->log_used)];
                *w = vn_fp6_add(*w, vn_fp6_mul(v->gamma_pow[first + c->first_stack + stack], values[o][c->first_col + col]));
            }
        }
        first += tree->n_stacks;
    }
    return VN_OK;
}

/* Reads n rows of `width` elements as columns of n. */
static enum vn_status read_rows(struct verifier *v, vn_fp *columns, size_t width, size_t n, struct part part)
{
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < width; c++)
            columns[c * n + r] = vn_read_fp(v->r);
    return v->r->why ? reject(v, part, v->r->why) : VN_OK;
}

/* Hashes n rows, given as columns, and checks them against the root with the siblings that follow in the proof. */
static enum vn_status check_rows(struct verifier *v, const struct vn_digest *root, unsigned log_rows, const uint32_t *indices, size_t n,
                                 const vn_fp *columns, size_t width, struct part part)
{
    size_t mark = v->arena->used, count = vn_merkle_sibling_count(log_rows, indices, n, v->scratch);
    if (!vn_reader_has(v->r, count * VN_DIGEST_LEN))
        return reject(v, part, v->r->why);
    const vn_fp **cols = vn_arena_take(v->arena, width, sizeof *cols);
    vn_fp *leaves = vn_arena_take(v->arena, VN_DIGEST_LEN * n, sizeof *leaves);
    vn_fp *children = vn_arena_take(v->arena, VN_MERKLE_CHILDREN(n), sizeof *children);
    struct vn_digest *siblings = vn_arena_take(v->arena, count, sizeof *siblings);
    if (!cols || !leaves || !children || !siblings)
        return vn_reject_arena(v->why);
    for (size_t c = 0; c < width; c++)
        cols[c] = columns + c * n;
    for (size_t i = 0; i < count; i++)
        siblings[i] = vn_read_digest(v->r);
    if (v->r->why)
        return reject(v, part, v->r->why);
    v->hash->rows(leaves, n, cols, width, n);
    int ok = vn_merkle_verify(v->hash, root, log_rows, indices, leaves, n, siblings, count, v->scratch, children);
    v->arena->used = mark;
    return ok ? VN_OK : reject(v, part, "the opened rows are not under the root");
}

/* Adds the opened rows of one tree to the sums of all groups, and checks them against the root. */
static enum vn_status open_tree(struct verifier *v, unsigned number)
{
    const struct vn_pcs_tree *tree = &v->shape->trees[number];
    struct part part = {"tree", number};
    size_t mark = v->arena->used;
    vn_fp *columns = vn_arena_take(v->arena, tree->n_stacks * v->n, sizeof *columns);
    if (!columns)
        return vn_reject_arena(v->why);
    enum vn_status status = read_rows(v, columns, tree->n_stacks, v->n, part);
    if (status != VN_OK)
        return status;
    uint32_t first = 0;
    for (unsigned o = 0; o < v->shape->n_openings; o++) {
        const struct vn_pcs_opening *opening = &v->shape->openings[o];
        for (unsigned i = 0; opening->tree == number && i < tree->n_classes; i++) {
            const struct vn_pcs_class *c = &tree->classes[i];
            struct vn_fp6 *sums = v->sums + v->group_of[opening->point][c->log_height];
            for (uint32_t s = c->first_stack; s < c->first_stack + c->n_stacks; s++)
                for (size_t q = 0; q < v->n; q++) {
                    struct vn_fp6 *sum = &sums[q * v->n_groups];
                    *sum = vn_fp6_add(*sum, vn_fp6_mul_fp(v->gamma_pow[first + s], columns[s * v->n + q]));
                }
        }
        first += v->shape->trees[opening->tree].n_stacks;
    }
    status = check_rows(v, &v->roots[number], v->params->log_n + VN_LOG_BLOWUP, v->indices, v->n, columns, tree->n_stacks, part);
    v->arena->used = mark;
    return status;
}

static struct vn_fp6 deep_value(const struct verifier *v, size_t q)
{
    vn_fp x_pow[VN_PCS_MAX_LOG_N + 1]; /* x^(2^i) */
    x_pow[0] = domain_point(0, v->params->log_n, v->indices[q]);
    for (unsigned i = 1; i <= v->params->log_n; i++)
        x_pow[i] = vn_fp_mul(x_pow[i - 1], x_pow[i - 1]);
    struct vn_fp6 total = vn_fp6_zero();
    for (unsigned i = 0; i < v->n_groups; i++) {
        const struct group *g = &v->groups[i];
        struct vn_fp6 w = vn_fp6_zero();
        for (size_t k = (size_t)1 << g->log_used; k-- > 0;)
            w = vn_fp6_add(vn_fp6_mul_fp(w, x_pow[g->log_slots - g->log_used]), g->w[k]);
        struct vn_fp6 top = vn_fp6_sub(v->sums[q * v->n_groups + i], w);
        struct vn_fp6 bottom = vn_fp6_sub(vn_fp6_from_fp(x_pow[g->log_slots]), g->y);
        total = vn_fp6_add(total, vn_fp6_mul(top, vn_fp6_inv(bottom)));
    }
    return total;
}

/* The folded value from the eight values at x0 w8^j: a_i = x0^i Q_i = 1/8 sum_j v_j w8^-ij, result sum_i (beta / x0)^i a_i. */
static struct vn_fp6 fold(const struct vn_fp6 value[VN_FRI_FOLD], vn_fp x0, struct vn_fp6 beta)
{
    vn_fp w_pow[VN_FRI_FOLD];
    vn_fp w_inv = vn_fp_inv(vn_fp_root(VN_FRI_LOG_FOLD));
    w_pow[0] = vn_fp_inv(vn_fp_from(VN_FRI_FOLD));
    for (unsigned i = 1; i < VN_FRI_FOLD; i++)
        w_pow[i] = vn_fp_mul(w_pow[i - 1], w_inv); /* w8^-i / 8 */
    struct vn_fp6 step = vn_fp6_mul_fp(beta, vn_fp_inv(x0)), result = vn_fp6_zero();
    for (unsigned i = VN_FRI_FOLD; i-- > 0;) {
        struct vn_fp6 a = vn_fp6_zero();
        for (unsigned j = 0; j < VN_FRI_FOLD; j++)
            a = vn_fp6_add(a, vn_fp6_mul_fp(value[j], w_pow[i * j % VN_FRI_FOLD]));
        result = vn_fp6_add(vn_fp6_mul(result, step), a);
    }
    return result;
}

/* Checks the values at v->indices against the layer's leaves and replaces both by the folded ones of the next layer. */
static enum vn_status open_layer(struct verifier *v, unsigned layer, const struct vn_digest *root, struct vn_fp6 beta)
{
    unsigned log_n = v->params->log_n - VN_FRI_LOG_FOLD * layer;
    struct part part = {"FRI layer", layer};
    size_t mark = v->arena->used;
    uint32_t leaf_of[VN_PCS_MAX_QUERIES], next[VN_PCS_MAX_QUERIES];
    for (size_t q = 0; q < v->n; q++)
        next[q] = leaf_of[q] = vn_fri_leaf(v->indices[q], log_n);
    size_t n = vn_pcs_sort_indices(next, v->n);
    vn_fp *columns = vn_arena_take(v->arena, LEAF_WIDTH * n, sizeof *columns);
    struct vn_fp6 *folded = vn_arena_take(v->arena, n, sizeof *folded);
    if (!columns || !folded)
        return vn_reject_arena(v->why);
    enum vn_status s = read_rows(v, columns, LEAF_WIDTH, n, part);
    if (s != VN_OK)
        return s;
    for (size_t i = 0; i < n; i++) {
        struct vn_fp6 value[VN_FRI_FOLD];
        for (unsigned k = 0; k < LEAF_WIDTH; k++)
            value[k / 6].c[k % 6] = columns[k * n + i];
        for (size_t q = 0; q < v->n; q++)
            if (leaf_of[q] == next[i] && !vn_fp6_equal(&value[vn_fri_place(v->indices[q], log_n)], &v->values[q]))
                return reject(v, part, layer ? "wrong fold" : "the opened rows do not have the claimed evaluations");
        unsigned low = log_n - VN_FRI_LOG_FOLD;
        uint32_t first = (next[i] >> low) << log_n | (next[i] & ((1u << low) - 1)); /* the leaf's value 0 */
        folded[i] = fold(value, domain_point(layer, log_n, first), beta);
    }
    s = check_rows(v, root, log_n + VN_LOG_BLOWUP - VN_FRI_LOG_FOLD, next, n, columns, LEAF_WIDTH, part);
    if (s != VN_OK)
        return s;
    memcpy(v->values, folded, n * sizeof *folded);
    memcpy(v->indices, next, n * sizeof *next);
    v->n = n;
    v->arena->used = mark;
    return VN_OK;
}

static enum vn_status check_final(const struct verifier *v, const struct vn_fp6 *final)
{
    unsigned layer = v->params->n_folds, log_n = vn_pcs_log_final(v->params);
    for (size_t q = 0; q < v->n; q++) {
        vn_fp x = domain_point(layer, log_n, v->indices[q]);
        struct vn_fp6 y = vn_fp6_zero();
        for (size_t i = (size_t)1 << log_n; i-- > 0;)
            y = vn_fp6_add(vn_fp6_mul_fp(y, x), final[i]);
        if (!vn_fp6_equal(&y, &v->values[q]))
            return reject(v, FRI, "wrong final polynomial");
    }
    return VN_OK;
}

/* Memory, challenges and query positions. */
static enum vn_status prepare(struct verifier *v, const struct vn_pcs_points *points, const struct vn_fp6 *const *values,
                              struct vn_transcript *t, struct vn_digest *roots, struct vn_fp6 *betas, struct vn_fp6 *final)
{
    uint32_t batch = vn_pcs_batch(v->shape);
    if (batch > VN_MAX_BATCH)
        return reject(v, FRI, "more functions than one batch may hold");
    struct vn_fp6 gamma = vn_transcript_sample_fp6(t);
    v->gamma_pow = vn_arena_take(v->arena, batch, sizeof *v->gamma_pow);
    if (!v->gamma_pow)
        return vn_reject_arena(v->why);
    struct vn_fp6 power = vn_fp6_one();
    for (uint32_t i = 0; i < batch; i++, power = vn_fp6_mul(power, gamma))
        v->gamma_pow[i] = power;
    enum vn_status s = make_groups(v, points, values);
    if (s != VN_OK)
        return s;

    for (unsigned i = 0; i < v->params->n_folds; i++) {
        roots[i] = vn_read_digest(v->r);
        vn_transcript_absorb_digest(t, &roots[i]);
        betas[i] = vn_transcript_sample_fp6(t);
    }
    size_t n_final = (size_t)1 << vn_pcs_log_final(v->params);
    for (size_t i = 0; i < n_final; i++)
        final[i] = vn_read_fp6(v->r);
    vn_transcript_absorb_fp6(t, final, n_final);
    uint32_t nonce = vn_read_canonical(v->r);
    if (v->r->why)
        return reject(v, FRI, v->r->why);
    if (!vn_transcript_check_nonce(t, nonce, v->params->pow_bits))
        return reject(v, FRI, "wrong nonce");
    v->n = vn_pcs_sample_indices(t, v->params, v->indices);
    v->sums = vn_arena_take(v->arena, v->n * v->n_groups, sizeof *v->sums);
    v->values = vn_arena_take(v->arena, v->n, sizeof *v->values);
    if (!v->sums || !v->values)
        return vn_reject_arena(v->why);
    memset(v->sums, 0, v->n * v->n_groups * sizeof *v->sums);
    return VN_OK;
}

enum vn_status vn_pcs_verify(struct vn_arena *arena, const struct vn_batch_hash *hash, const struct vn_pcs_shape *shape,
                             const struct vn_digest *roots, const struct vn_pcs_points *points, const struct vn_fp6 *const *values,
                             struct vn_transcript *t, struct vn_reader *r, struct vn_rejection *why)
{
    size_t mark = arena->used;
    struct verifier *v = vn_arena_take(arena, 1, sizeof *v);
    if (!v)
        return vn_reject_arena(why);
    *v = (struct verifier){
        .arena = arena, .hash = hash, .shape = shape, .params = shape->params, .roots = roots, .r = r, .why = why};
    struct vn_digest layer_roots[VN_PCS_MAX_FOLDS];
    struct vn_fp6 betas[VN_PCS_MAX_FOLDS], final[VN_PCS_MAX_FINAL];
    enum vn_status s = prepare(v, points, values, t, layer_roots, betas, final);
    for (unsigned i = 0; i < shape->n_trees && s == VN_OK; i++)
        s = open_tree(v, i);
    for (size_t q = 0; q < v->n && s == VN_OK; q++)
        v->values[q] = deep_value(v, q);
    for (unsigned i = 0; i < shape->params->n_folds && s == VN_OK; i++)
        s = open_layer(v, i, &layer_roots[i], betas[i]);
    if (s == VN_OK)
        s = check_final(v, final);
    arena->used = mark;
    return s;
}
