#ifndef VN_PCS_COMMIT_H
#define VN_PCS_COMMIT_H
/* Prover's side of one commitment: columns, their coefficients, the stacks' codewords and the Merkle tree over them. */

#include "services/prover-engine/backend/backend.h"
#include "services/prover-engine/backend/buffer.h"
#include "services/prover-engine/backend/stages.h"
#include "services/prover-engine/pcs/layout.h"

struct vn_device; /* pcs/device.h */

/* The device, the host's kernels, and the common domain's tables. */
struct vn_pcs_domain {
    const struct vn_device *device; /* whoever opens something sets it; the functions here work in host memory without it */
    const struct vn_backend *backend;
    struct vn_pool *pool; /* NULL: one thread */
    unsigned log_n;
    vn_fp *scale[2];      /* vn_coset_scale of both cosets, N entries each */
    int minimal_memory;   /* codewords are not kept but made again for the quotient and the openings */
    struct vn_stages *stages; /* NULL: nobody asks where the time goes */
};
enum vn_status vn_pcs_domain_init(struct vn_pcs_domain *d, const struct vn_backend *b, struct vn_pool *pool, unsigned log_n) VN_MUST_CHECK;
void vn_pcs_domain_fini(struct vn_pcs_domain *d);

struct vn_pcs_commit {
    struct vn_pcs_tree shape;
    unsigned log_n;
    vn_fp *values;  /* as coefs, but values on H_n; NULL if not kept */
    vn_fp *coefs;   /* n_stacks * N: stack after stack, slot after slot; NULL before the build if values are kept */
    vn_fp *lde;     /* codewords, see vn_pcs_codeword; NULL before the build, and after it where memory is minimal */
    struct vn_merkle_tree tree;
    void *mapping;  /* NULL: the memory above is owned; else it lies in this read-only mapping, which vn_pcs_commit_fini ends */
    size_t mapping_bytes;
    void *remote;   /* a device's own: the commitment lies there, and here at most the values the caller writes */
};

/* Memory for the columns, all zero. */
enum vn_status vn_pcs_commit_init(struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const struct vn_pcs_tree *shape, int keep_values) VN_MUST_CHECK;
void vn_pcs_commit_fini(struct vn_pcs_commit *c);

/* The values are needed no more. */
void vn_pcs_commit_drop_values(struct vn_pcs_commit *c);

/* The 2N values of a stack, coset 0 first; lde must be there. */
static inline vn_fp *vn_pcs_codeword(const struct vn_pcs_commit *c, size_t stack)
{
    return c->lde + (stack << (c->log_n + 1));
}

/* Where a column starts in values and coefs. */
size_t vn_pcs_column_offset(const struct vn_pcs_commit *c, uint32_t col);

/* Where the caller writes a column's values (Montgomery, natural order) before the build. */
vn_fp *vn_pcs_column(const struct vn_pcs_commit *c, uint32_t col);

unsigned vn_pcs_column_log_height(const struct vn_pcs_commit *c, uint32_t col);

/* Transforms, extends and hashes what the columns hold. */
enum vn_status vn_pcs_commit_build(struct vn_pcs_commit *c, const struct vn_pcs_domain *d) VN_MUST_CHECK;

/* The same where the columns hold bit-reversed coefficients already. */
enum vn_status vn_pcs_commit_extend(struct vn_pcs_commit *c, const struct vn_pcs_domain *d) VN_MUST_CHECK;

/* Canonical integers to Montgomery form, all columns. */
void vn_pcs_commit_to_mont(struct vn_pcs_commit *c, const struct vn_pcs_domain *d);

#endif
