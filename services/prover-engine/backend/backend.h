#ifndef VN_BACKEND_H
#define VN_BACKEND_H
/* The prover's kernels as batch-level functions. vn_backend_scalar is the oracle; every other backend gives the same bytes.
 *
 * NTT conventions. H_n = <w_n>, w_n = vn_fp_root(log n). "values" are f(shift * w_n^i) at index i (natural order);
 * "coefs" are coefficients with coefficient k at index bitrev_logn(k). The inverse transform is decimation in frequency
 * (natural -> bit-reversed), the forward one decimation in time (bit-reversed -> natural), so nothing is ever permuted, and a polynomial
 * F(X) = sum_j X^j f_j(X^s) has as its coefs the plain concatenation of the f_j's coefs, block t holding f_bitrev(t). */

#include <stddef.h>

#include "libshared/status.h"
#include "services/prover-engine/backend/pool.h"
#include "services/prover-engine/hash/sponge.h"

#define VN_MAX_LOG_NTT 24

struct vn_backend {
    const char *name; /* "scalar", "avx2", "avx512" */
    unsigned lanes;   /* vn_fp per vector */

    /* Canonical integers < p to Montgomery form, in place. */
    void (*to_mont)(vn_fp *x, size_t n);

    /* In-place transforms of one column, 0 <= log_n <= 24, any alignment. intt scales by 1/n. */
    void (*intt)(vn_fp *x, unsigned log_n);
    void (*ntt)(vn_fp *x, unsigned log_n);

    /* out = values on the coset: out[i] = f(shift * w_n^i), where scale[i] = shift^bitrev(i) (vn_coset_scale). out may be coefs. */
    void (*coset_ntt)(vn_fp *out, const vn_fp *coefs, const vn_fp *scale, unsigned log_n);

    /* x[i] *= y[i] */
    void (*mul)(vn_fp *x, const vn_fp *y, size_t n);

    /* Row hashes: for r in [0, n_rows): digest of (cols[0][r], ..., cols[width-1][r]) under VN_TAG_ROW.
     * Digests are stored as nine arrays: out[k * out_stride + r]. */
    void (*hash_rows)(vn_fp *out, size_t out_stride, const vn_fp *const *cols, size_t width, size_t n_rows);

    /* One tree level: parent i of children 2i, 2i+1, n parents; nine-array layout on both sides, tag VN_TAG_NODE. */
    void (*hash_nodes)(vn_fp *out, size_t out_stride, const vn_fp *in, size_t in_stride, size_t n, unsigned level);

    /* acc[k][i] += sum_t f[t][i] * a[t].c[k], k < 6: base columns times extension scalars into six base arrays, which no f overlaps. */
    void (*combine_fp6)(vn_fp *const acc[6], const vn_fp *const *f, const struct vn_fp6 *a, size_t n_terms, size_t n);

    /* sum_i f[i] * w[i], w given as six base arrays. */
    struct vn_fp6 (*dot_fp6)(const vn_fp *f, const vn_fp *const w[6], size_t n);

    /* Smallest nonce in [from, from + count) for which vn_transcript_check_nonce passes on a copy of t; UINT32_MAX if none.
     * from + count <= p. */
    uint32_t (*grind)(const struct vn_transcript *t, unsigned bits, uint32_t from, uint32_t count);
};

extern const struct vn_backend vn_backend_scalar;

/* Best backend this CPU runs (CPUID + XCR0), or the named one; NULL if `isa` is unknown or the CPU lacks it. isa NULL = best. */
const struct vn_backend *vn_backend_select(const char *isa);

/* Makes the smaller twiddle tables ahead of the first transform. Not required: every transform makes what it lacks, once, thread-safe. */
void vn_backend_init(void);

/* scale[i] = shift^bitrev_logn(i), 2^log_n entries. */
void vn_coset_scale(vn_fp *scale, vn_fp shift, unsigned log_n);

/* ---- Merkle trees (prover's side), built with a backend on a pool ---- */

/* Nodes of the levels below `low` are not kept: an opening makes them again from the rows of its block, 2^low neighbours. */
#define VN_MERKLE_LOW 4u

struct vn_merkle_tree {
    unsigned log_rows, low; /* low: VN_MERKLE_LOW, less in a tree that would not have two blocks */
    vn_fp *nodes;           /* levels low, low + 1, ..., each as nine arrays of 2^(log_rows - level). Owned. */
};

/* The shape of a tree over 2^log_rows rows, without memory; and the elements of its nodes. */
struct vn_merkle_tree vn_merkle_shape(unsigned log_rows);
size_t vn_merkle_elements(const struct vn_merkle_tree *t);

/* Memory for a tree over n_rows rows, a power of two (VN_ERR_ARGUMENT). Then every row is hashed, in any number of calls, then the nodes. */
enum vn_status vn_merkle_new(struct vn_merkle_tree *t, size_t n_rows) VN_MUST_CHECK;
void vn_merkle_free(struct vn_merkle_tree *t);

/* Rows [first, first + n): cols[c] points to n values of column c. first and n are multiples of 2^low. */
enum vn_status vn_merkle_hash_rows(struct vn_merkle_tree *t, const struct vn_backend *b, struct vn_pool *pool, const vn_fp *const *cols, size_t width,
                                   size_t first, size_t n) VN_MUST_CHECK;
void vn_merkle_hash_nodes(struct vn_merkle_tree *t, const struct vn_backend *b, struct vn_pool *pool);

/* level >= low */
struct vn_digest vn_merkle_node(const struct vn_merkle_tree *t, unsigned level, size_t index);
struct vn_digest vn_merkle_root(const struct vn_merkle_tree *t);

/* The distinct blocks of 2^low rows that hold the rows of these sorted indices, ascending; out has room for n_rows. Returns their number. */
size_t vn_merkle_blocks(const struct vn_merkle_tree *t, const uint32_t *indices, size_t n_rows, uint32_t *out);

/* The siblings an opening of n_rows sorted, distinct rows carries, in the order vn_merkle_verify consumes them: from a zeroed walk, each call gives the
 * next one's level and index; 0 after the last. */
struct vn_merkle_walk {
    unsigned level;
    uint32_t sibling;
    size_t at; /* the next row to look at */
};
int vn_merkle_next_sibling(struct vn_merkle_walk *walk, unsigned log_rows, const uint32_t *indices, size_t n_rows);

/* Siblings in the order vn_merkle_verify consumes them; out has room for n_rows * log_rows digests. *n_out: their number.
 * cols: the columns of the rows of those blocks, one block after the other. */
enum vn_status vn_merkle_open(const struct vn_merkle_tree *t, const struct vn_backend *b, const vn_fp *const *cols, size_t width, const uint32_t *indices,
                              size_t n_rows, struct vn_digest *out, size_t *n_out) VN_MUST_CHECK;

#endif
