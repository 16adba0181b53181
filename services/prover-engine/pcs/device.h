#ifndef VN_DEVICE_H
#define VN_DEVICE_H
/* Where a shard's columns lie and who computes on them. A device is a table of whole stages, in the order the prover calls them. What a commitment holds
 * stays on its device: columns and challenges go in; roots, evaluations and opened rows come out. Every device gives the same bytes.
 *
 * vn_device_host (stark/host.c) computes in this process's memory with a vn_backend on a pool; vn_cuda_device_open (stark/cuda.h) opens a GPU.
 *
 * Errors of every stage: VN_ERR_MEMORY (of the device), VN_ERR_IO (the GPU failed). After one, only the freeing functions may follow. */

#include "services/prover-engine/pcs/commit.h"

struct vn_proving; /* stark/shard.h */
struct vn_fri;     /* the device's own */

/* Rows opened in one tree. */
struct vn_opened {
    vn_fp *rows;                /* room for n * width */
    struct vn_digest *siblings; /* in the order vn_merkle_verify consumes them; room for n * log2(leaves) */
    size_t n_siblings;
};

struct vn_device {
    const char *name;
    void *state; /* the implementation's */

    const char *(*why)(const struct vn_device *device); /* the last failure in words; empty if there is nothing to say */

    /* Memory for a tree's columns, all zero. keep_values: the caller writes the columns through vn_pcs_column (host memory, whatever the device). */
    enum vn_status (*commit_init)(struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const struct vn_pcs_tree *shape, int keep_values);
    void (*commit_fini)(struct vn_pcs_commit *c);

    /* A commitment that lies in host memory, seen from the device: borrowed, valid as long as both. NULL: no memory. */
    const struct vn_pcs_commit *(*commit_share)(const struct vn_pcs_domain *d, const struct vn_pcs_commit *host);

    /* Transforms, extends and hashes: columns the caller wrote as canonical integers; values the device made; coefficients the device made. */
    enum vn_status (*commit_trace)(struct vn_pcs_commit *c, const struct vn_pcs_domain *d);
    enum vn_status (*commit_values)(struct vn_pcs_commit *c, const struct vn_pcs_domain *d);
    enum vn_status (*commit_coefs)(struct vn_pcs_commit *c, const struct vn_pcs_domain *d);
    struct vn_digest (*commit_root)(const struct vn_pcs_commit *c);

    /* Fill the LOGUP columns with values, and the totals; the QUOT columns with coefficients. See stark/shard.h. */
    enum vn_status (*logup)(struct vn_proving *w);
    enum vn_status (*quotient)(struct vn_proving *w, const struct vn_fp6 *alpha_pow);

    /* All columns at a point, in column order. */
    enum vn_status (*evaluate)(const struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const struct vn_pcs_points *points,
                               enum vn_pcs_point point, struct vn_fp6 *values);

    /* The DEEP polynomial of everything opened, as layer 0; then per layer its root and the next layer; then the last layer's coefficients in
     * natural order. */
    enum vn_status (*fri_new)(struct vn_fri **f, const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits,
                              const struct vn_pcs_domain *d, const struct vn_pcs_points *points, const struct vn_fp6 *gamma);
    enum vn_status (*fri_commit)(struct vn_fri *f, unsigned layer, struct vn_digest *root);
    enum vn_status (*fri_fold)(struct vn_fri *f, unsigned layer, const struct vn_fp6 *beta);
    enum vn_status (*fri_final)(struct vn_fri *f, struct vn_fp6 *coefs);
    void (*fri_free)(struct vn_fri *f); /* NULL ok */

    /* The smallest nonce that passes. */
    enum vn_status (*grind)(const struct vn_pcs_domain *d, const struct vn_transcript *t, unsigned bits, uint32_t *nonce);

    /* indices: sorted, distinct. A commitment's row is one value a stack; a layer's the eight values of a leaf, coordinates together. */
    enum vn_status (*commit_open)(const struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const uint32_t *indices, size_t n, struct vn_opened *out);
    enum vn_status (*fri_open)(struct vn_fri *f, unsigned layer, const uint32_t *leaves, size_t n, struct vn_opened *out);
};

/* Columns in host memory (stark/host.c). */
extern const struct vn_device vn_device_host;

#endif
