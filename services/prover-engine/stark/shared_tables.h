#ifndef VN_SHARED_TABLES_H
#define VN_SHARED_TABLES_H
/* Preprocessed commitments in a folder of shared memory: one process computes and publishes them, the others of the host map them.
 * The folder must belong to the caller's user and be closed to everybody else. What lies in it is checked against accidents (another program, another
 * version, a damaged file), not against that user. */

#include "services/prover-engine/pcs/commit.h"
#include "services/prover-engine/rv64/program.h"
#include "services/prover-engine/verify/verify.h"

struct vn_shared_tables {
    int dir;                  /* -1: not open */
    struct vn_digest program; /* of all that the tables follow from */
};

/* What the tables of a kind must look like. */
struct vn_shared_shape {
    unsigned kind;
    const uint8_t *log_height; /* VN_AIR_MAX_TABLES, as in the verifying key */
    const struct vn_pcs_tree *tree;
};

/* Errors: VN_ERR_IO (no such folder), VN_ERR_PERMISSION (others can reach it). *t can be closed in any case. */
enum vn_status vn_shared_tables_open(struct vn_shared_tables *t, const char *path, const struct vn_program *p, struct vn_error *err) VN_MUST_CHECK;
void vn_shared_tables_close(struct vn_shared_tables *t);

/* Owns: *c, a read-only commitment, to be given to vn_pcs_commit_fini; untouched on failure.
 * Errors: VN_ERR_NOT_FOUND (nobody published it), VN_ERR_FORMAT (a file that is damaged or of something else), VN_ERR_IO. */
enum vn_status vn_shared_tables_map(const struct vn_shared_tables *t, const struct vn_shared_shape *s, struct vn_pool *pool, struct vn_pcs_commit *c,
                                    struct vn_error *err) VN_MUST_CHECK;

/* Waits while another process makes the tables of this kind. Returns a descriptor whose closing ends the lock; -1 with errno. */
int vn_shared_tables_lock(const struct vn_shared_tables *t, unsigned kind);

/* Replaces what is there; only under the lock. Errors: VN_ERR_IO: nothing was published. */
enum vn_status vn_shared_tables_publish(const struct vn_shared_tables *t, const struct vn_shared_shape *s, struct vn_pool *pool,
                                        const struct vn_pcs_commit *c, struct vn_error *err) VN_MUST_CHECK;

#endif
