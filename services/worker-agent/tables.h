#ifndef VN_TABLES_H
#define VN_TABLES_H
/* The folder in which the engines of all workers of one user on this host share preprocessed tables. Every such worker holds a lock on it; the
 * last one to end removes it with all that lies in it. */

#include "libshared/status.h"

struct vn_tables {
    char path[128];
    int fd; /* -1: not open */
};

/* Makes base/venus-tables-UID, mode 0700, or joins in. Errors: VN_ERR_PERMISSION: the name is taken by what is not such a folder; VN_ERR_IO. */
enum vn_status vn_tables_open(struct vn_tables *t, const char *base, struct vn_error *err) VN_MUST_CHECK;
/* No engine of this worker may use it any more. */
void vn_tables_close(struct vn_tables *t);

#endif
