#ifndef VN_CUDA_API_H
#define VN_CUDA_API_H
/* What libvenus-cuda.so offers: the stages of a proof on one GPU, as a C table found with dlsym("vn_cuda_api"). The engine refuses a table whose abi,
 * layout or tables differ from its own, so a library of another build is named, never called.
 *
 * A session is one stream and its memory; one thread at a time. What a handle stands for lies on the device; pointers named host_* and all structs lie
 * on the host. Field elements are vn_fp throughout. Functions return an enum vn_status as int: VN_ERR_MEMORY (device memory), VN_ERR_IO (the runtime or
 * the device failed), VN_ERR_NOT_FOUND (no device); error_text says more. After an error only the freeing functions may follow. */

#include <stddef.h>
#include <stdint.h>

#include "services/prover-engine/field/fp6.h"
#include "services/prover-engine/hash/sponge.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VN_CUDA_ABI 1u
#define VN_CUDA_LIBRARY "libvenus-cuda.so"
#define VN_CUDA_MAX_CLASSES 32u
#define VN_CUDA_MAX_LOG_N 20u
#define VN_CUDA_FOLD 8u
#define VN_CUDA_MAX_TUPLE 16u

struct vn_cuda_session;
struct vn_cuda_commit;
struct vn_cuda_fri;

struct vn_cuda_device_info {
    int count;     /* devices the driver shows */
    char name[256]; /* of the one asked for; empty if there is none */
    int major, minor, multiprocessors;
    uint64_t memory_bytes;
    char why[256]; /* the runtime's words when count is 0 */
};

/* Columns of one height: first_stack and on, slot after slot (pcs/layout.h). */
struct vn_cuda_class {
    uint32_t log_height, first_col, n_cols, first_stack;
};
struct vn_cuda_shape {
    uint32_t n_cols, n_stacks, n_classes;
    struct vn_cuda_class classes[VN_CUDA_MAX_CLASSES];
};

enum vn_cuda_group { VN_CUDA_PRE, VN_CUDA_P1, VN_CUDA_MAIN, VN_CUDA_LOGUP, VN_CUDA_GROUPS };

/* What all tables of a shard share. */
struct vn_cuda_machine {
    struct vn_cuda_commit *commits[VN_CUDA_GROUPS]; /* with values; but LOGUP without: logup writes it */
    struct vn_fp6 beta[2][VN_CUDA_MAX_TUPLE + 1];   /* powers, by scope */
    vn_fp shard_index;
};
struct vn_cuda_table {
    uint32_t id, log_height;
    uint32_t first_col[VN_CUDA_GROUPS];
    const struct vn_fp6 *constants; /* per interaction: the part of its denominator that is equal in all rows */
    const struct vn_fp6 *alpha;     /* quotient only: one power a constraint */
    struct vn_fp6 totals[2];        /* by scope: out of logup, into quotient */
};

/* DEEP: sum of weight * stack, over the used coefficients, divided by X^(2^(log_n - log_height)) - point. */
struct vn_cuda_term {
    const struct vn_cuda_commit *commit;
    uint32_t stack;
    uint64_t used;
    struct vn_fp6 weight;
};
struct vn_cuda_deep_group {
    uint32_t log_height, slots; /* used slots */
    struct vn_fp6 point;
    const struct vn_cuda_term *terms;
    size_t n_terms;
};

struct vn_cuda_node {
    uint32_t level, index;
};

/* Rows and nodes of one tree. */
struct vn_cuda_opening {
    const uint32_t *indices; /* rows */
    size_t n;
    const struct vn_cuda_node *nodes;
    size_t n_nodes;
    vn_fp *host_rows;           /* n * width */
    struct vn_digest *host_nodes;
};

struct vn_cuda_api {
    uint64_t abi;    /* VN_CUDA_ABI */
    uint64_t layout; /* VN_CUDA_LAYOUT: the sizes of all structs here */
    uint64_t tables; /* VN_AIR_FINGERPRINT of the generated kernels */

    void (*device_info)(struct vn_cuda_device_info *info, int device);

    /* A session for polynomials of up to 2^log_n coefficients. shift: of coset 0. The twiddle tables (backend/twiddles.h) hold levels up to log_n.
     * preallocate_bytes is taken from the device now and kept. *s may be set on failure, for error_text and close. */
    int (*open)(struct vn_cuda_session **s, int device, uint32_t log_n, vn_fp shift, const vn_fp *host_forward, const vn_fp *host_inverse,
                uint64_t preallocate_bytes);
    void (*close)(struct vn_cuda_session *s); /* NULL ok; after everything made with it */
    const char *(*error_text)(const struct vn_cuda_session *s);

    /* Columns all zero. with_values: values are kept beside the coefficients; else they lie in the coefficients' place until the build. */
    int (*commit_new)(struct vn_cuda_commit **c, struct vn_cuda_session *s, const struct vn_cuda_shape *shape, int with_values);
    void (*commit_free)(struct vn_cuda_commit *c); /* NULL ok */
    /* n_stacks * 2^log_n elements as pcs/commit.h lays them out; values are canonical integers if `canonical`. */
    int (*commit_upload_values)(struct vn_cuda_commit *c, const vn_fp *host_values, int canonical);
    int (*commit_upload_coefs)(struct vn_cuda_commit *c, const vn_fp *host_coefs);
    /* Interpolates the values if from_values, extends and hashes. */
    int (*commit_build)(struct vn_cuda_commit *c, int from_values, struct vn_digest *root);
    /* points: by class. host_values: n_cols. */
    int (*commit_evaluate)(struct vn_cuda_commit *c, const struct vn_fp6 *points, struct vn_fp6 *host_values);
    int (*commit_open)(struct vn_cuda_commit *c, const struct vn_cuda_opening *o);

    int (*logup)(struct vn_cuda_session *s, const struct vn_cuda_machine *m, struct vn_cuda_table *tables, size_t n_tables);
    /* Tables in any order; quot has twelve columns for each of their heights. */
    int (*quotient)(struct vn_cuda_session *s, const struct vn_cuda_machine *m, const struct vn_cuda_table *tables, size_t n_tables,
                    struct vn_cuda_commit *quot);

    int (*fri_new)(struct vn_cuda_fri **f, struct vn_cuda_session *s, const struct vn_cuda_deep_group *groups, size_t n_groups);
    void (*fri_free)(struct vn_cuda_fri *f); /* NULL ok */
    int (*fri_commit)(struct vn_cuda_fri *f, uint32_t layer, struct vn_digest *root);
    /* powers: of the folding challenge, by block: block b holds power bitrev(b). Makes layer + 1. */
    int (*fri_fold)(struct vn_cuda_fri *f, uint32_t layer, const struct vn_fp6 powers[VN_CUDA_FOLD]);
    /* Six arrays of the layer's coefficients, bit-reversed. */
    int (*fri_coefs)(struct vn_cuda_fri *f, uint32_t layer, vn_fp *host_coefs);
    int (*fri_open)(struct vn_cuda_fri *f, uint32_t layer, const struct vn_cuda_opening *o);

    /* start: the state before the nonce's permutation, its place n_in holding nothing. Smallest nonce whose first output has `bits` low zero bits. */
    int (*grind)(struct vn_cuda_session *s, const vn_fp start[VN_HASH_WIDTH], uint32_t n_in, uint32_t bits, uint32_t *nonce);
};

#define VN_CUDA_MIX(hash, type) ((hash) * 1000003u + sizeof(struct type))
#define VN_CUDA_LAYOUT                                                                                                                            \
    VN_CUDA_MIX(VN_CUDA_MIX(VN_CUDA_MIX(VN_CUDA_MIX(VN_CUDA_MIX(VN_CUDA_MIX(VN_CUDA_MIX(VN_CUDA_MIX((uint64_t)1, vn_cuda_api),                    \
        vn_cuda_device_info), vn_cuda_shape), vn_cuda_machine), vn_cuda_table), vn_cuda_term), vn_cuda_deep_group), vn_cuda_opening)

#ifdef __cplusplus
}
#endif

#endif
