/* openat2 lets the kernel refuse every way out of the folder while it walks the name. Where it does not exist, the name is resolved
 * first and opened afterwards without following a last symbolic link; that leaves a race for somebody who can write to the folder,
 * which is why it is only the second choice. */
#include "services/worker-agent/input_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* O_NONBLOCK: a FIFO in the folder must not hang the worker. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

int vn_input_open_beneath(int folder_fd, const char *relative)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, folder_fd, relative, &how, sizeof how);
}

/* What follows `folder` in `path`, without slashes in front; NULL when path lies elsewhere. */
static const char *below(const char *folder, const char *path)
{
    size_t n = strlen(folder);
    while (n > 0 && folder[n - 1] == '/')
        n--;
    if (strncmp(path, folder, n) != 0 || path[n] != '/')
        return NULL;
    path += n;
    while (*path == '/')
        path++;
    return path;
}

int vn_input_open_checked(const char *folder_resolved, const char *relative)
{
    char joined[PATH_MAX], resolved[PATH_MAX];
    int n = snprintf(joined, sizeof joined, "%s/%s", folder_resolved, relative);
    if (n < 0 || (size_t)n >= sizeof joined) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (!realpath(joined, resolved))
        return -1;
    if (!below(folder_resolved, resolved)) {
        errno = EXDEV;
        return -1;
    }
    return open(resolved, OPEN_FLAGS | O_NOFOLLOW);
}

enum vn_status vn_input_open(int *fd, const char *what, const char *folder, const char *name, const char *worker_id, struct vn_error *err)
{
    char resolved[PATH_MAX];
    if (!realpath(folder, resolved))
        return vn_fail(err, VN_ERR_IO, "The inputs folder %s of worker %s cannot be opened: %s", folder, worker_id, strerror(errno));
    const char *relative = name;
    if (name[0] == '/') {
        relative = below(resolved, name);
        if (!relative && folder[0] == '/')
            relative = below(folder, name);
        if (!relative)
            return vn_fail(err, VN_ERR_PERMISSION, "%s path %s lies outside the inputs folder %s of worker %s", what, name, folder, worker_id);
    }
    if (!*relative)
        return vn_fail(err, VN_ERR_ARGUMENT, "%s file: the name is empty", what);

    int folder_fd = open(resolved, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0)
        return vn_fail(err, VN_ERR_IO, "The inputs folder %s of worker %s cannot be opened: %s", folder, worker_id, strerror(errno));
    int file = vn_input_open_beneath(folder_fd, relative);
    /* EPERM: sandboxes that do not know the call. */
    if (file < 0 && (errno == ENOSYS || errno == EPERM))
        file = vn_input_open_checked(resolved, relative);
    int saved = errno;
    close(folder_fd);
    if (file < 0) {
        switch (saved) {
        case ENOENT:
        case ENOTDIR:
            return vn_fail(err, VN_ERR_NOT_FOUND, "%s file not found: %s (looked below %s on worker %s)", what, name, folder, worker_id);
        case EXDEV:
        case ELOOP:
            return vn_fail(err, VN_ERR_PERMISSION, "%s path %s leads out of the inputs folder %s of worker %s", what, name, folder, worker_id);
        case EACCES:
        case ENXIO:
            return vn_fail(err, VN_ERR_PERMISSION, "%s file %s cannot be read on worker %s: %s", what, name, worker_id, strerror(saved));
        default:
            return vn_fail(err, VN_ERR_IO, "%s file %s cannot be opened on worker %s: %s", what, name, worker_id, strerror(saved));
        }
    }
    struct stat st;
    if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(file);
        return vn_fail(err, VN_ERR_PERMISSION, "%s path %s is not a regular file on worker %s", what, name, worker_id);
    }
    if (fcntl(file, F_SETFL, 0) != 0) {
        saved = errno;
        close(file);
        return vn_fail(err, VN_ERR_IO, "%s file %s: %s", what, name, strerror(saved));
    }
    *fd = file;
    return VN_OK;
}
