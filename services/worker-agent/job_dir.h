#ifndef VN_JOB_DIR_H
#define VN_JOB_DIR_H
/* The directory in shared memory where one job's input, witness packages and proofs lie: <base>/venus-<pid>-<first 8 of job id>, mode 0700.
 * The holder keeps a lock on it, so that another worker's sweep knows it is in use even across pid namespaces. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"

#define VN_JOB_DIR_BASE "/dev/shm"

struct vn_job_dir {
    char path[96];
    int fd; /* -1 when closed */
};

/* Errors: VN_ERR_IO. */
enum vn_status vn_job_dir_open(struct vn_job_dir *d, const char *base, const char *job_id, struct vn_error *err) VN_MUST_CHECK;
/* Deletes the directory with what is in it. Harmless on a closed one. Errors: VN_ERR_IO when something could not be removed. */
enum vn_status vn_job_dir_remove(struct vn_job_dir *d) VN_MUST_CHECK;

/* Removes directories that dead workers of this user left below base. Returns how many. */
unsigned vn_job_dir_sweep(const char *base);

/* A new file `name` with these bytes. Errors: VN_ERR_IO (also when it exists). */
enum vn_status vn_job_dir_write(const struct vn_job_dir *d, const char *name, const void *bytes, size_t n_bytes, struct vn_error *err) VN_MUST_CHECK;
/* A new file `name` with what `from` holds. Errors: VN_ERR_LIMIT above max_bytes, VN_ERR_IO. */
enum vn_status vn_job_dir_copy(const struct vn_job_dir *d, const char *name, int from, uint64_t max_bytes, struct vn_error *err) VN_MUST_CHECK;
/* Whole file. Owns: *bytes, to be freed; not NULL even when empty. Errors: VN_ERR_NOT_FOUND, VN_ERR_LIMIT, VN_ERR_MEMORY, VN_ERR_IO. */
enum vn_status vn_job_dir_read(const struct vn_job_dir *d, const char *name, size_t max_bytes, uint8_t **bytes, size_t *n_bytes, struct vn_error *err) VN_MUST_CHECK;
/* Missing files are fine. */
void vn_job_dir_unlink(const struct vn_job_dir *d, const char *name);

/* Every file whose name begins so. */
void vn_job_dir_unlink_prefix(const struct vn_job_dir *d, const char *prefix);

#endif
