/* Columns and polynomials: sums, evaluations, DEEP, folding, and picking out what is opened. Extension vectors are six arrays. */
#include "services/prover-engine/backend/cuda/session.h"

enum { CHUNK = 4096, PER_THREAD = CHUNK / BLOCK_THREADS, SPLIT_LOG = 6 };

DEVICE unsigned bit_reverse(unsigned x, unsigned bits)
{
    unsigned r = 0;
    for (unsigned i = 0; i < bits; i++, x >>= 1)
        r = r << 1 | (x & 1);
    return r;
}

static size_t parts_of(size_t n, size_t part)
{
    return (n + part - 1) / part;
}

/* ---- Values ---- */

KERNEL to_mont(vn_fp *x, size_t n)
{
    EACH_INDEX(i, n)
        x[i] = vf_mul(x[i], VN_FP_R2);
}

void poly_to_mont(const struct vn_cuda_session *s, vn_fp *x, size_t n)
{
    LAUNCH_EACH(s->stream, to_mont, n, x, n);
}

/* ---- Evaluation: dot products of bit-reversed coefficients with the powers of the point ---- */

KERNEL first_power(vn_fp *w, size_t n)
{
    EACH_INDEX(k, (size_t)6)
        w[k * n] = k == 0 ? VN_FP_ONE : 0;
}

KERNEL further_powers(vn_fp *w, size_t n, size_t half, ve y)
{
    EACH_INDEX(i, half)
        ve_store(w, n, half + i, ve_mul(ve_load(w, n, i), y));
}

/* The table doubles: appending bit b of the index multiplies by y^(n / 2^(b+1)). */
void poly_powers(const struct vn_cuda_session *s, vn_fp *w, ve y, unsigned log_n)
{
    ve squares[VN_CUDA_MAX_LOG_N + 1]; /* y^(2^j) */
    squares[0] = y;
    for (unsigned j = 0; j < log_n; j++)
        squares[j + 1] = ve_mul(squares[j], squares[j]);
    size_t n = (size_t)1 << log_n;
    LAUNCH_EACH(s->stream, first_power, 6, w, n);
    for (unsigned bit = 0; bit < log_n; bit++)
        LAUNCH_EACH(s->stream, further_powers, (size_t)1 << bit, w, n, (size_t)1 << bit, squares[log_n - 1 - bit]);
}

/* partial[(column * parts + part) * 6 + k] */
KERNEL dot_parts(vn_fp *partial, const vn_fp *columns, const vn_fp *w, size_t n)
{
    SHARED ve sums[BLOCK_THREADS];
    const vn_fp *f = columns + BLOCK_Y * n;
    const size_t begin = (size_t)BLOCK * CHUNK, end = n - begin < CHUNK ? n : begin + CHUNK;
    EACH_THREAD {
        ve sum = ve_zero();
        for (size_t i = begin + THREAD; i < end; i += BLOCK_THREADS)
            sum = ve_add(sum, ve_scale(ve_load(w, n, i), f[i]));
        sums[THREAD] = sum;
    }
    BARRIER();
    for (unsigned half = BLOCK_THREADS / 2; half > 0; half /= 2) {
        EACH_THREAD {
            if (THREAD < half)
                sums[THREAD] = ve_add(sums[THREAD], sums[THREAD + half]);
        }
        BARRIER();
    }
    EACH_THREAD {
        if (THREAD < 6)
            partial[((size_t)BLOCK_Y * N_BLOCKS + BLOCK) * 6 + THREAD] = sums[0].c[THREAD];
    }
}

/* out[6 column + k] = sum over the parts */
KERNEL add_parts(vn_fp *out, const vn_fp *partial, size_t parts, size_t n_out)
{
    EACH_INDEX(i, n_out) {
        vf sum = 0;
        for (size_t part = 0; part < parts; part++)
            sum = vf_add(sum, partial[(i / 6 * parts + part) * 6 + i % 6]);
        out[i] = sum;
    }
}

size_t poly_dot_parts(size_t n)
{
    return parts_of(n, CHUNK);
}

void poly_dot(const struct vn_cuda_session *s, vn_fp *out, vn_fp *partial, const vn_fp *columns, const vn_fp *w, size_t n, size_t count)
{
    size_t parts = poly_dot_parts(n);
    LAUNCH(s->stream, dot_parts, parts, count, BLOCK_THREADS, partial, columns, w, n);
    LAUNCH_EACH(s->stream, add_parts, 6 * count, out, (const vn_fp *)partial, parts, 6 * count);
}

/* ---- Running sums, block by block of CHUNK elements ---- */

KERNEL chunk_sums(vn_fp *sums, const vn_fp *x, size_t n)
{
    SHARED vn_fp of_thread[BLOCK_THREADS];
    const size_t begin = (size_t)BLOCK * CHUNK, end = n - begin < CHUNK ? n : begin + CHUNK;
    x += BLOCK_Y * n;
    EACH_THREAD {
        vf sum = 0;
        for (size_t i = begin + THREAD; i < end; i += BLOCK_THREADS)
            sum = vf_add(sum, x[i]);
        of_thread[THREAD] = sum;
    }
    BARRIER();
    for (unsigned half = BLOCK_THREADS / 2; half > 0; half /= 2) {
        EACH_THREAD {
            if (THREAD < half)
                of_thread[THREAD] = vf_add(of_thread[THREAD], of_thread[THREAD + half]);
        }
        BARRIER();
    }
    EACH_THREAD {
        if (THREAD == 0)
            sums[(size_t)BLOCK_Y * N_BLOCKS + BLOCK] = of_thread[0];
    }
}

/* sums -> the sum of what lies before each chunk; totals of the six columns. A few hundred chunks at most: one thread a column. */
KERNEL chunk_starts(vn_fp *sums, vn_fp *totals, size_t parts)
{
    EACH_INDEX(k, (size_t)6) {
        vf sum = 0;
        for (size_t part = 0; part < parts; part++) {
            vf own = sums[k * parts + part];
            sums[k * parts + part] = sum;
            sum = vf_add(sum, own);
        }
        totals[k] = sum;
    }
}

DEVICE unsigned padded(unsigned e)
{
    return e + (e >> 5);
}

KERNEL running_sums(vn_fp *x, const vn_fp *sums, const vn_fp *totals, size_t n, vf by_n)
{
    SHARED vn_fp tile[CHUNK + CHUNK / 32], before[2][BLOCK_THREADS];
    const size_t begin = (size_t)BLOCK * CHUNK;
    const unsigned count = n - begin < CHUNK ? (unsigned)(n - begin) : CHUNK;
    const vf per_row = vf_mul(totals[BLOCK_Y], by_n), start = sums[(size_t)BLOCK_Y * N_BLOCKS + BLOCK];
    unsigned from = 0;
    x += BLOCK_Y * n + begin;
    EACH_THREAD {
        for (unsigned e = THREAD; e < CHUNK; e += BLOCK_THREADS)
            tile[padded(e)] = e < count ? x[e] : 0;
    }
    BARRIER();
    EACH_THREAD {
        vf sum = 0;
        for (unsigned j = 0; j < PER_THREAD; j++)
            sum = vf_add(sum, tile[padded(THREAD * PER_THREAD + j)]);
        before[0][THREAD] = sum;
    }
    BARRIER();
    for (unsigned distance = 1; distance < BLOCK_THREADS; distance *= 2) { /* inclusive sums over the threads */
        EACH_THREAD {
            before[from ^ 1][THREAD] = THREAD < distance ? before[from][THREAD] : vf_add(before[from][THREAD], before[from][THREAD - distance]);
        }
        BARRIER();
        from ^= 1;
    }
    EACH_THREAD {
        const unsigned first = THREAD * PER_THREAD;
        vf sum = vf_sub(start, vf_mul(per_row, vf_mul((vf)(begin + first), VN_FP_R2)));
        if (THREAD > 0)
            sum = vf_add(sum, before[from][THREAD - 1]);
        for (unsigned j = 0; j < PER_THREAD; j++) {
            vf own = tile[padded(first + j)];
            tile[padded(first + j)] = sum;
            sum = vf_add(sum, vf_sub(own, per_row));
        }
    }
    BARRIER();
    EACH_THREAD {
        for (unsigned e = THREAD; e < count; e += BLOCK_THREADS)
            x[e] = tile[padded(e)];
    }
}

size_t poly_sum_parts(size_t n)
{
    return parts_of(n, CHUNK);
}

void poly_running_sums(const struct vn_cuda_session *s, vn_fp *x, vn_fp *totals, vn_fp *sums, unsigned log_n)
{
    size_t n = (size_t)1 << log_n, parts = poly_sum_parts(n);
    vn_fp by_n = VN_FP_ONE, half = vn_fp_from((VN_P + 1) / 2);
    for (unsigned k = 0; k < log_n; k++)
        by_n = vn_fp_mul(by_n, half);
    LAUNCH(s->stream, chunk_sums, parts, 6, BLOCK_THREADS, sums, (const vn_fp *)x, n);
    LAUNCH_EACH(s->stream, chunk_starts, 6, sums, totals, parts);
    LAUNCH(s->stream, running_sums, parts, 6, BLOCK_THREADS, x, (const vn_fp *)sums, (const vn_fp *)totals, n, by_n);
}

/* ---- DEEP ---- */

KERNEL combine(vn_fp *g, size_t g_stride, const struct poly_term *terms, size_t n_terms, size_t n)
{
    EACH_INDEX(i, n) {
        ve sum = ve_zero();
        for (size_t t = 0; t < n_terms; t++)
            if (i < terms[t].used)
                sum = ve_add(sum, ve_scale(terms[t].weight, terms[t].coefs[i]));
        ve_store(g, g_stride, i, sum);
    }
}

void poly_combine(const struct vn_cuda_session *s, vn_fp *g, size_t g_stride, const struct poly_term *terms, size_t n_terms, size_t n)
{
    LAUNCH_EACH(s->stream, combine, n, g, g_stride, terms, n_terms, n);
}

/* Division by X - y is Q[k] = G[k + 1] + y Q[k + 1]. With k = u L + v, coefficient (u, v) lies at bitrev(v) U + bitrev(u) (L, U powers of two, L U = n): a
 * thread has one u. First D[u] = sum over v of y^v G[u, v]; then what comes into lane u from above is C[u - 1] = D[u] + y^L C[u], which is the same
 * division of a polynomial with U coefficients, D in bit-reversed order, by X - y^L; then each lane runs down its v. */
struct lanes {
    unsigned log_l, log_u;
    size_t slots;
};

DEVICE size_t lane_element(struct lanes l, size_t lane, unsigned v)
{
    size_t slot = lane >> l.log_u, u = lane & (((size_t)1 << l.log_u) - 1);
    return (slot << (l.log_l + l.log_u)) + ((size_t)bit_reverse(v, l.log_l) << l.log_u) + u;
}

KERNEL lane_sums(vn_fp *d, size_t d_stride, const vn_fp *g, size_t g_stride, ve y, struct lanes l)
{
    EACH_INDEX(lane, l.slots << l.log_u) {
        ve sum = ve_zero();
        for (unsigned v = 1u << l.log_l; v-- > 0;)
            sum = ve_add(ve_load(g, g_stride, lane_element(l, lane, v)), ve_mul(sum, y));
        ve_store(d, d_stride, lane, sum);
    }
}

/* carry NULL: zero. add: out += quotient; else out may be g. */
KERNEL lane_quotients(vn_fp *out, size_t out_stride, int add, const vn_fp *g, size_t g_stride, const vn_fp *carry, size_t carry_stride, ve y,
                      struct lanes l)
{
    EACH_INDEX(lane, l.slots << l.log_u) {
        ve q = carry ? ve_load(carry, carry_stride, lane) : ve_zero();
        for (unsigned v = 1u << l.log_l; v-- > 0;) {
            size_t at = lane_element(l, lane, v);
            ve next = ve_add(ve_load(g, g_stride, at), ve_mul(q, y));
            ve_store(out, out_stride, at, add ? ve_add(ve_load(out, out_stride, at), q) : q);
            q = next;
        }
    }
}

size_t poly_divide_scratch(unsigned log_n, size_t slots)
{
    size_t elements = 0;
    for (; log_n > SPLIT_LOG; log_n -= SPLIT_LOG)
        elements += 6 * (slots << (log_n - SPLIT_LOG));
    return elements;
}

static void divide(const struct vn_cuda_session *s, vn_fp *out, size_t out_stride, int add, const vn_fp *g, size_t g_stride, vn_fp *scratch, ve y,
                   unsigned log_n, size_t slots)
{
    unsigned log_l = log_n < SPLIT_LOG ? log_n : (unsigned)SPLIT_LOG;
    struct lanes l = {log_l, log_n - log_l, slots};
    size_t n_lanes = slots << l.log_u;
    vn_fp *carry = NULL;
    if (l.log_u > 0) {
        ve y_l = y;
        for (unsigned i = 0; i < log_l; i++)
            y_l = ve_mul(y_l, y_l);
        carry = scratch;
        LAUNCH_EACH(s->stream, lane_sums, n_lanes, carry, n_lanes, g, g_stride, y, l);
        divide(s, carry, n_lanes, 0, carry, n_lanes, scratch + 6 * n_lanes, y_l, l.log_u, slots);
    }
    LAUNCH_EACH(s->stream, lane_quotients, n_lanes, out, out_stride, add, g, g_stride, (const vn_fp *)carry, n_lanes, y, l);
}

void poly_divide(const struct vn_cuda_session *s, vn_fp *total, size_t total_stride, const vn_fp *g, size_t g_stride, vn_fp *scratch, ve y,
                 unsigned log_n, size_t slots)
{
    divide(s, total, total_stride, 1, g, g_stride, scratch, y, log_n, slots);
}

/* ---- FRI ---- */

struct fold_powers {
    ve of_block[VN_CUDA_FOLD];
};

KERNEL fold(vn_fp *to, const vn_fp *from, struct fold_powers powers, size_t n)
{
    EACH_INDEX(m, n) {
        ve sum = ve_zero();
        UNROLL
        for (size_t b = 0; b < VN_CUDA_FOLD; b++)
            sum = ve_add(sum, ve_mul(ve_load(from, n * VN_CUDA_FOLD, b * n + m), powers.of_block[b]));
        ve_store(to, n, m, sum);
    }
}

void poly_fold(const struct vn_cuda_session *s, vn_fp *to, const vn_fp *from, const struct vn_fp6 powers[VN_CUDA_FOLD], size_t n)
{
    struct fold_powers p;
    for (unsigned b = 0; b < VN_CUDA_FOLD; b++)
        p.of_block[b] = powers[b];
    LAUNCH_EACH(s->stream, fold, n, to, from, p, n);
}

/* ---- Quotient: q = q0 + X^n q1 from r_c = q mod (X^n - (shift of coset c)^n); see stark/quotient.c ---- */

struct split {
    vf a, b;    /* 1 / (2 (g^n - 1)), 1 / (2 (-g^n - 1)) */
    vf by_g_n;
};

KERNEL split_cosets(vn_fp *q, const vn_fp *acc, const vn_fp *unscale, struct split c, size_t n)
{
    const size_t k = BLOCK_Y;
    EACH_INDEX(i, n) {
        vf r0 = vf_mul(vf_mul(acc[k * n + i], unscale[i]), c.a), r1 = vf_mul(vf_mul(acc[(6 + k) * n + i], unscale[n + i]), c.b);
        q[k * n + i] = vf_add(r0, r1);
        q[(6 + k) * n + i] = vf_mul(vf_sub(r0, r1), c.by_g_n);
    }
}

void poly_split(const struct vn_cuda_session *s, vn_fp *q, const vn_fp *acc, const vn_fp *unscale, unsigned log_n)
{
    size_t n = (size_t)1 << log_n;
    vn_fp g_n = power_of_two_power(s->shift, log_n), half = vn_fp_from((VN_P + 1) / 2);
    struct split c;
    c.a = vn_fp_mul(half, vf_inverse(vn_fp_sub(g_n, VN_FP_ONE)));
    c.b = vn_fp_mul(half, vf_inverse(vn_fp_sub(vn_fp_neg(g_n), VN_FP_ONE)));
    c.by_g_n = vf_inverse(g_n);
    LAUNCH(s->stream, split_cosets, parts_of(n, BLOCK_THREADS), 6, BLOCK_THREADS, q, acc, unscale, c, n);
}

/* ---- Openings ---- */

KERNEL gather_rows(vn_fp *out, const vn_fp *columns, size_t stride, size_t width, const uint32_t *indices, size_t n)
{
    EACH_INDEX(i, n * width)
        out[i] = columns[i % width * stride + indices[i / width]];
}

void poly_gather_rows(const struct vn_cuda_session *s, vn_fp *out, const vn_fp *columns, size_t stride, size_t width, const uint32_t *indices, size_t n)
{
    if (n * width > 0)
        LAUNCH_EACH(s->stream, gather_rows, n * width, out, columns, stride, width, indices, n);
}

KERNEL gather_leaves(vn_fp *out, const vn_fp *code, unsigned log_n, const uint32_t *leaves, size_t n)
{
    const size_t size = (size_t)1 << log_n, eighth = size / VN_CUDA_FOLD, width = 6 * VN_CUDA_FOLD;
    EACH_INDEX(at, n * width) {
        size_t leaf = leaves[at / width], j = at % width / 6, k = at % 6, coset = leaf / eighth, i = leaf % eighth;
        out[at] = code[(2 * k + coset) * size + j * eighth + i];
    }
}

void poly_gather_leaves(const struct vn_cuda_session *s, vn_fp *out, const vn_fp *code, unsigned log_n, const uint32_t *leaves, size_t n)
{
    LAUNCH_EACH(s->stream, gather_leaves, n * 6 * VN_CUDA_FOLD, out, code, log_n, leaves, n);
}

KERNEL gather_nodes(vn_fp *out, const vn_fp *nodes, unsigned log_rows, const struct vn_cuda_node *which, size_t n)
{
    EACH_INDEX(i, n * VN_DIGEST_LEN) {
        struct vn_cuda_node at = which[i / VN_DIGEST_LEN];
        size_t size = (size_t)1 << (log_rows - at.level), start = VN_DIGEST_LEN * (((size_t)2 << log_rows) - 2 * size);
        out[i] = nodes[start + i % VN_DIGEST_LEN * size + at.index];
    }
}

void poly_gather_nodes(const struct vn_cuda_session *s, vn_fp *out, const vn_fp *nodes, unsigned log_rows, const struct vn_cuda_node *which, size_t n)
{
    if (n > 0)
        LAUNCH_EACH(s->stream, gather_nodes, n * VN_DIGEST_LEN, out, nodes, log_rows, which, n);
}
