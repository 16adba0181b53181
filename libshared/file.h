#ifndef VN_FILE_H
#define VN_FILE_H
/* Writing whole files, all or nothing. */

#include <stddef.h>
#include <sys/types.h>

#include "libshared/status.h"

struct vn_part {
    const void *bytes;
    size_t n;
};

/* Returns 1 when everything is written, else 0 with errno. */
int vn_write_all(int fd, const void *bytes, size_t n);

/* Writes the parts, one after the other, to the file `path` (relative to the folder dirfd; AT_FDCWD allowed). They go to a new file beside it, which takes
 * the name once it is on disk: whoever opens `path` sees the old content or the new one, also after a crash. mode: as for open, less the umask.
 * Errors: VN_ERR_IO ("cannot create ...", "cannot write ..."), VN_ERR_ARGUMENT for a path that is too long; nothing is left behind then. */
enum vn_status vn_file_write_parts(int dirfd, const char *path, mode_t mode, const struct vn_part *parts, size_t n_parts, struct vn_error *err) VN_MUST_CHECK;

/* The same for one part and mode 0666. */
enum vn_status vn_file_write(int dirfd, const char *path, const void *bytes, size_t n, struct vn_error *err) VN_MUST_CHECK;

#endif
