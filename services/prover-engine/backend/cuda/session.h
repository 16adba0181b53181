#ifndef VN_CUDA_SESSION_H
#define VN_CUDA_SESSION_H
/* Inside the library: sessions, device memory, and the functions that launch kernels. They enqueue on the session's stream and return; errors of
 * launches surface in session_check at the end of each stage. */

#include "libshared/status.h"
#include "services/prover-engine/backend/cuda/api.h"
#include "services/prover-engine/backend/cuda/field.h"

/* The constants of the permutation, handed to kernels by value: they lie in the constant bank. */
struct permutation {
    vn_fp initial[96], internal[23], final[96], diagonal[24];
};

struct vn_cuda_session {
    cudaStream_t stream;
    uint32_t log_n;
    vn_fp shift;              /* of coset 0 */
    vn_fp *twiddles[2];       /* forward, inverse: level k starts at 2^(k-1) */
    vn_fp *scale[2];          /* of the two cosets of 2^log_n */
    struct permutation permutation;
    char error[256];
};

/* cudaSuccess: VN_OK. Else keeps the words and returns VN_ERR_MEMORY or VN_ERR_IO. */
int session_status(struct vn_cuda_session *s, cudaError_t e, const char *what);
/* Whether all launches since the last check were accepted. */
int session_check(struct vn_cuda_session *s, const char *what);
/* The same, after waiting for them. */
int session_wait(struct vn_cuda_session *s, const char *what);

/* Device memory, not cleared; *p = NULL on failure. */
int device_new(struct vn_cuda_session *s, vn_fp **p, size_t elements);
int device_new_zero(struct vn_cuda_session *s, vn_fp **p, size_t elements);
void device_free(struct vn_cuda_session *s, vn_fp *p); /* NULL ok */
int device_upload(struct vn_cuda_session *s, void *to, const void *host, size_t bytes);
int device_download(struct vn_cuda_session *s, void *host, const void *from, size_t bytes); /* waits */

/* g w_2n^coset, and g^n */
vn_fp coset_shift(vn_fp g, unsigned log_n, unsigned coset);
vn_fp power_of_two_power(vn_fp a, unsigned log_exponent);

/* ---- ntt.cu: `count` columns, `stride` apart ---- */
void ntt_scale_table(const struct vn_cuda_session *s, vn_fp *scale, vn_fp shift, unsigned log_n); /* scale[i] = shift^bitrev(i) */
void ntt_inverse(const struct vn_cuda_session *s, vn_fp *x, size_t stride, size_t count, unsigned log_n);
void ntt_coset(const struct vn_cuda_session *s, vn_fp *out, size_t out_stride, const vn_fp *coefs, size_t stride, size_t count, const vn_fp *scale,
               unsigned log_n);

/* ---- hash.cu ---- */
void hash_rows(const struct vn_cuda_session *s, vn_fp *nodes, const vn_fp *columns, size_t stride, size_t width, size_t n_rows);
void hash_layer_leaves(const struct vn_cuda_session *s, vn_fp *nodes, const vn_fp *code, unsigned log_n);
void hash_tree(const struct vn_cuda_session *s, vn_fp *nodes, unsigned log_rows); /* level 0 is there */
void hash_grind(const struct vn_cuda_session *s, const vn_fp start[VN_HASH_WIDTH], unsigned n_in, unsigned bits, uint32_t from, uint32_t count,
                uint32_t *found); /* device; UINT32_MAX before */

/* ---- poly.cu ---- */
void poly_to_mont(const struct vn_cuda_session *s, vn_fp *x, size_t n);
void poly_powers(const struct vn_cuda_session *s, vn_fp *w, ve y, unsigned log_n); /* six arrays: y^bitrev(i) */
/* out[6 col + k] = coordinate k of column col's dot product with w; partial: room for 6 * count * poly_dot_parts(n). */
size_t poly_dot_parts(size_t n);
void poly_dot(const struct vn_cuda_session *s, vn_fp *out, vn_fp *partial, const vn_fp *columns, const vn_fp *w, size_t n, size_t count);
/* Six columns of running sums, in place, and their totals: x[i] = sum over j < i of (x[j] - total / n). sums: room for 6 * poly_sum_parts(n). */
size_t poly_sum_parts(size_t n);
void poly_running_sums(const struct vn_cuda_session *s, vn_fp *x, vn_fp *totals, vn_fp *sums, unsigned log_n);
struct poly_term {
    const vn_fp *coefs;
    uint64_t used;
    ve weight;
};
void poly_combine(const struct vn_cuda_session *s, vn_fp *g, size_t g_stride, const struct poly_term *terms, size_t n_terms, size_t n);
/* total += per slot, the quotient of g by X - y. scratch: room for poly_divide_scratch. */
size_t poly_divide_scratch(unsigned log_n, size_t slots);
void poly_divide(const struct vn_cuda_session *s, vn_fp *total, size_t total_stride, const vn_fp *g, size_t g_stride, vn_fp *scratch, ve y,
                 unsigned log_n, size_t slots);
void poly_fold(const struct vn_cuda_session *s, vn_fp *to, const vn_fp *from, const struct vn_fp6 powers[VN_CUDA_FOLD], size_t n); /* n: of `to` */
/* acc: two cosets, six arrays each, coefficients of (X^n - 1) r_c before the shift is taken out; q: twelve columns, q0 then q1. */
void poly_split(const struct vn_cuda_session *s, vn_fp *q, const vn_fp *acc, const vn_fp *unscale, unsigned log_n);
/* out[row * width + c] = columns[c * stride + indices[row]] */
void poly_gather_rows(const struct vn_cuda_session *s, vn_fp *out, const vn_fp *columns, size_t stride, size_t width, const uint32_t *indices, size_t n);
void poly_gather_leaves(const struct vn_cuda_session *s, vn_fp *out, const vn_fp *code, unsigned log_n, const uint32_t *leaves, size_t n);
void poly_gather_nodes(const struct vn_cuda_session *s, vn_fp *out, const vn_fp *nodes, unsigned log_rows, const struct vn_cuda_node *which, size_t n);

/* ---- tables.cu ---- */
struct rows { /* one table's columns, as the generated kernels see them */
    size_t n;
    const vn_fp *columns[VN_CUDA_GROUPS]; /* the table's first */
    size_t stride[VN_CUDA_GROUPS];        /* between its columns */
};
uint64_t tables_fingerprint(void);

#endif
