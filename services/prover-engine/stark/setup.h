#ifndef VN_SETUP_H
#define VN_SETUP_H
/* What is fixed by the program: preprocessed tables, their commitments, the verifying key. */

#include "services/prover-engine/air/trace.h"
#include "services/prover-engine/pcs/commit.h"
#include "services/prover-engine/verify/verify.h"

struct vn_setup {
    const struct vn_program *program; /* borrowed: must outlive the set-up */
    struct vn_vk vk;
    struct vn_digest vk_digest;
    struct vn_pcs_domain domain[VN_KIND_COUNT]; /* tables of the common domain */
    struct vn_pcs_commit pre[VN_KIND_COUNT];    /* preprocessed columns: values, coefficients, codewords, tree */
    struct vn_error shared_trouble;             /* why sharing did not work as it should; status VN_OK: it did, or was not asked for */
};

/* Builds the set-up. cache_dir (NULL: none) gets "<digest>.vk", the encoded verifying key under its own digest in hexadecimal.
 * The key is always recomputed; a file that differs is replaced, never trusted.
 * Errors: VN_ERR_LIMIT (program too large for its tables), VN_ERR_MEMORY, VN_ERR_IO (cache_dir not writable). */
enum vn_status vn_setup_new(struct vn_setup **out, const struct vn_program *program, const struct vn_backend *backend, struct vn_pool *pool,
                            const char *cache_dir, struct vn_error *err) VN_MUST_CHECK;
/* The same, where shared_dir (NULL: none) is a folder of this user, mode 0700, in which processes of one host share the preprocessed commitments: they are
 * mapped from there if they are there and sound, else made and published. Trouble with the folder is no error, see shared_trouble.
 * For provers only: a key to verify with comes from vn_setup_new. */
enum vn_status vn_setup_new_shared(struct vn_setup **out, const struct vn_program *program, const struct vn_backend *backend, struct vn_pool *pool,
                                   const char *cache_dir, const char *shared_dir, struct vn_error *err) VN_MUST_CHECK;
void vn_setup_free(struct vn_setup *s);

#endif
