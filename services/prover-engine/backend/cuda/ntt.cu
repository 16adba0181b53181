/* Transforms of many columns (conventions: backend.h). A block works on a tile of 2^TILE_LOG elements in shared memory.
 *
 * Layer k joins elements 2^(k-1) apart. Layers 1 .. TILE_LOG stay inside a run of 2^TILE_LOG neighbours: one low pass. The layers above join elements that
 * are a multiple of 2^TILE_LOG apart: a high pass takes, of every run, the same few neighbours. Both kinds of tile are described by
 *     position(e) = (e >> inner) * 2^b + base + (e mod 2^inner),    b the layers of the low pass,
 * with inner = b in a low pass. Inside a tile up to three layers at a time are done in registers. */
#include "services/prover-engine/backend/cuda/session.h"

enum { TILE_LOG = 12, TILE = 1 << TILE_LOG, TILE_PADDED = TILE + TILE / 32 };

struct pass {
    unsigned tile_log, inner, b; /* see above */
    unsigned first, last;        /* layers, first <= last */
};

/* Where an element lies in shared memory: one word of padding every 32 keeps power-of-two distances off one bank. */
DEVICE unsigned padded(unsigned e)
{
    return e + (e >> 5);
}

DEVICE size_t position(struct pass p, unsigned e, size_t base)
{
    return ((size_t)(e >> p.inner) << p.b) + base + (e & ((1u << p.inner) - 1));
}

/* First element of the block's tile in its column. */
DEVICE size_t tile_base(struct pass p, unsigned block)
{
    return (size_t)block << p.inner;
}

/* log2 of the distance of layer k inside the tile */
DEVICE unsigned tile_distance(struct pass p, unsigned k)
{
    return k <= p.b ? k - 1 : k - 1 - p.b + p.inner;
}

DEVICE vf twiddle(const vn_fp *table, unsigned k, size_t at)
{
    size_t half = (size_t)1 << (k - 1);
    return table[half + (at & (half - 1))];
}

/* Layers k .. k + count - 1 upward (in time), for the u-th group of 2^count elements. */
DEVICE void time_layers(vn_fp *tile, struct pass p, size_t base, const vn_fp *table, unsigned k, const unsigned count, unsigned u)
{
    unsigned d = tile_distance(p, k), low = u & ((1u << d) - 1), e0 = ((u >> d) << (d + count)) | low;
    vf x[8];
    UNROLL
    for (unsigned m = 0; m < 1u << count; m++)
        x[m] = tile[padded(e0 + (m << d))];
    UNROLL
    for (unsigned j = 0; j < count; j++) {
        UNROLL
        for (unsigned m = 0; m < 1u << count; m++) {
            if (m >> j & 1)
                continue;
            vf a = x[m], b = vf_mul(x[m | 1u << j], twiddle(table, k + j, position(p, e0 + (m << d), base)));
            x[m] = vf_add(a, b);
            x[m | 1u << j] = vf_sub(a, b);
        }
    }
    UNROLL
    for (unsigned m = 0; m < 1u << count; m++)
        tile[padded(e0 + (m << d))] = x[m];
}

/* Layers k + count - 1 .. k downward (in frequency). */
DEVICE void frequency_layers(vn_fp *tile, struct pass p, size_t base, const vn_fp *table, unsigned k, const unsigned count, unsigned u)
{
    unsigned d = tile_distance(p, k), low = u & ((1u << d) - 1), e0 = ((u >> d) << (d + count)) | low;
    vf x[8];
    UNROLL
    for (unsigned m = 0; m < 1u << count; m++)
        x[m] = tile[padded(e0 + (m << d))];
    UNROLL
    for (unsigned j = count; j-- > 0;) {
        UNROLL
        for (unsigned m = 0; m < 1u << count; m++) {
            if (m >> j & 1)
                continue;
            vf a = x[m], b = x[m | 1u << j];
            x[m] = vf_add(a, b);
            x[m | 1u << j] = vf_mul(vf_sub(a, b), twiddle(table, k + j, position(p, e0 + (m << d), base)));
        }
    }
    UNROLL
    for (unsigned m = 0; m < 1u << count; m++)
        tile[padded(e0 + (m << d))] = x[m];
}

/* scale NULL: none. out may be in. */
KERNEL time_pass(vn_fp *out, size_t out_stride, const vn_fp *in, size_t in_stride, const vn_fp *scale, const vn_fp *table, struct pass p)
{
    SHARED vn_fp tile[TILE_PADDED];
    const size_t base = tile_base(p, BLOCK);
    in += BLOCK_Y * in_stride;
    out += BLOCK_Y * out_stride;
    EACH_THREAD {
        for (unsigned e = THREAD; e < 1u << p.tile_log; e += N_THREADS) {
            size_t at = position(p, e, base);
            tile[padded(e)] = scale ? vf_mul(in[at], scale[at]) : in[at];
        }
    }
    BARRIER();
    for (unsigned k = p.first; k <= p.last;) {
        const unsigned count = p.last - k + 1 < 3 ? p.last - k + 1 : 3;
        EACH_THREAD {
            for (unsigned u = THREAD; u < 1u << (p.tile_log - count); u += N_THREADS) {
                if (count == 3)
                    time_layers(tile, p, base, table, k, 3, u);
                else if (count == 2)
                    time_layers(tile, p, base, table, k, 2, u);
                else
                    time_layers(tile, p, base, table, k, 1, u);
            }
        }
        BARRIER();
        k += count;
    }
    EACH_THREAD {
        for (unsigned e = THREAD; e < 1u << p.tile_log; e += N_THREADS)
            out[position(p, e, base)] = tile[padded(e)];
    }
}

KERNEL frequency_pass(vn_fp *x, size_t stride, const vn_fp *table, struct pass p, vn_fp factor)
{
    SHARED vn_fp tile[TILE_PADDED];
    const size_t base = tile_base(p, BLOCK);
    x += BLOCK_Y * stride;
    EACH_THREAD {
        for (unsigned e = THREAD; e < 1u << p.tile_log; e += N_THREADS)
            tile[padded(e)] = x[position(p, e, base)];
    }
    BARRIER();
    for (unsigned done = p.last + 1; done > p.first;) {
        const unsigned count = done - p.first < 3 ? done - p.first : 3, k = done - count;
        EACH_THREAD {
            for (unsigned u = THREAD; u < 1u << (p.tile_log - count); u += N_THREADS) {
                if (count == 3)
                    frequency_layers(tile, p, base, table, k, 3, u);
                else if (count == 2)
                    frequency_layers(tile, p, base, table, k, 2, u);
                else
                    frequency_layers(tile, p, base, table, k, 1, u);
            }
        }
        BARRIER();
        done = k;
    }
    EACH_THREAD {
        for (unsigned e = THREAD; e < 1u << p.tile_log; e += N_THREADS)
            x[position(p, e, base)] = vf_mul(tile[padded(e)], factor);
    }
}

struct powers {
    vn_fp of_bit[VN_CUDA_MAX_LOG_N]; /* what index bit b contributes */
};

KERNEL scale_table(vn_fp *scale, struct powers powers, unsigned log_n)
{
    EACH_INDEX(i, (size_t)1 << log_n) {
        vf x = VN_FP_ONE;
        for (unsigned b = 0; b < log_n; b++)
            if (i >> b & 1)
                x = vf_mul(x, powers.of_bit[b]);
        scale[i] = x;
    }
}

void ntt_scale_table(const struct vn_cuda_session *s, vn_fp *scale, vn_fp shift, unsigned log_n)
{
    struct powers powers;
    for (unsigned b = 0; b < log_n; b++)
        powers.of_bit[b] = power_of_two_power(shift, log_n - 1 - b);
    LAUNCH_EACH(s->stream, scale_table, (size_t)1 << log_n, scale, powers, log_n);
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static struct pass low_pass(unsigned log_n)
{
    unsigned b = smaller(log_n, TILE_LOG);
    struct pass p = {b, b, b, 1, b};
    return p;
}

static struct pass high_pass(unsigned log_n)
{
    struct pass p = {TILE_LOG, TILE_LOG - (log_n - TILE_LOG), TILE_LOG, TILE_LOG + 1, log_n};
    return p;
}

static size_t tiles(struct pass p, unsigned log_n)
{
    return (size_t)1 << (log_n - p.tile_log);
}

void ntt_inverse(const struct vn_cuda_session *s, vn_fp *x, size_t stride, size_t count, unsigned log_n)
{
    struct pass low = low_pass(log_n);
    vn_fp factor = VN_FP_ONE, half = vn_fp_from((VN_P + 1) / 2);
    for (unsigned k = 0; k < log_n; k++)
        factor = vn_fp_mul(factor, half);
    if (count == 0)
        return;
    if (log_n > TILE_LOG) {
        struct pass high = high_pass(log_n);
        LAUNCH(s->stream, frequency_pass, tiles(high, log_n), count, BLOCK_THREADS, x, stride, s->twiddles[1], high, VN_FP_ONE);
    }
    LAUNCH(s->stream, frequency_pass, tiles(low, log_n), count, BLOCK_THREADS, x, stride, s->twiddles[1], low, factor);
}

void ntt_coset(const struct vn_cuda_session *s, vn_fp *out, size_t out_stride, const vn_fp *coefs, size_t stride, size_t count, const vn_fp *scale,
               unsigned log_n)
{
    struct pass low = low_pass(log_n);
    if (count == 0)
        return;
    LAUNCH(s->stream, time_pass, tiles(low, log_n), count, BLOCK_THREADS, out, out_stride, coefs, stride, scale, s->twiddles[0], low);
    if (log_n > TILE_LOG) {
        struct pass high = high_pass(log_n);
        LAUNCH(s->stream, time_pass, tiles(high, log_n), count, BLOCK_THREADS, out, out_stride, (const vn_fp *)out, out_stride, (const vn_fp *)NULL,
               s->twiddles[0], high);
    }
}
