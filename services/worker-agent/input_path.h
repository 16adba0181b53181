#ifndef VN_INPUT_PATH_H
#define VN_INPUT_PATH_H
/* Input files that a coordinator names. A name never leads out of the inputs folder: not by "..", not by an absolute path, not by a symbolic link. */

#include <stddef.h>

#include "libshared/status.h"

/* Opens the regular file `name` below `folder` for reading. An absolute name is accepted if it begins with the folder's own path
 * (as given or resolved). what ("Input") and worker_id are for the sentence in err.
 * Owns: *fd, close-on-exec, non-blocking flag cleared. Errors: VN_ERR_NOT_FOUND, VN_ERR_PERMISSION (outside, unreadable, not a regular file), VN_ERR_IO. */
enum vn_status vn_input_open(int *fd, const char *what, const char *folder, const char *name, const char *worker_id, struct vn_error *err) VN_MUST_CHECK;

/* The two ways behind vn_input_open, for tests. relative: below `folder`. Both give -1 and errno; EXDEV = leads out of the folder. */
int vn_input_open_beneath(int folder_fd, const char *relative);                 /* openat2; ENOSYS on old kernels */
int vn_input_open_checked(const char *folder_resolved, const char *relative);   /* realpath and a comparison of prefixes */

#endif
