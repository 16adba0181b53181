#include "libshared/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int vn_write_all(int fd, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return 0;
        p += w;
        n -= (size_t)w;
    }
    return 1;
}

/* Some file systems cannot sync a folder; the file itself is safe. */
static void sync_folder(int dirfd, const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = openat(dirfd, dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

enum vn_status vn_file_write_parts(int dirfd, const char *path, mode_t mode, const struct vn_part *parts, size_t n_parts, struct vn_error *err)
{
    char temporary[PATH_MAX];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int length = snprintf(temporary, sizeof temporary, "%.*s.%s.%ld", (int)(name - path), path, name, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof temporary)
        return vn_fail(err, VN_ERR_ARGUMENT, "the path '%.100s...' is too long", path);
    (void)unlinkat(dirfd, temporary, 0); /* of a process that was killed and had our number */
    int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return vn_fail(err, VN_ERR_IO, "cannot create '%s': %s", path, strerror(errno));
    int ok = 1;
    for (size_t i = 0; i < n_parts && ok; i++)
        ok = vn_write_all(fd, parts[i].bytes, parts[i].n);
    ok = ok && fsync(fd) == 0;
    int code = errno;
    if (close(fd) != 0 && ok) {
        ok = 0;
        code = errno;
    }
    if (ok && renameat(dirfd, temporary, dirfd, path) != 0) {
        ok = 0;
        code = errno;
    }
    if (!ok) {
        (void)unlinkat(dirfd, temporary, 0);
        return vn_fail(err, VN_ERR_IO, "cannot write '%s': %s", path, strerror(code));
    }
    sync_folder(dirfd, path);
    return VN_OK;
}

enum vn_status vn_file_write(int dirfd, const char *path, const void *bytes, size_t n, struct vn_error *err)
{
    return vn_file_write_parts(dirfd, path, 0666, &(struct vn_part){bytes, n}, 1, err);
}
