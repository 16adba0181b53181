/* Whole files in and out. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/coordinator/coordinator.h"

enum vn_status vn_file_read(const char *path, size_t limit, uint8_t **bytes, size_t *n, struct vn_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int e = errno;
        if (fd >= 0)
            close(fd);
        return vn_fail(err, e == ENOENT ? VN_ERR_NOT_FOUND : VN_ERR_IO, "cannot read '%s': %s", path, strerror(e));
    }
    uint8_t *buffer = NULL;
    enum vn_status s = VN_OK;
    size_t got = 0;
    if (!S_ISREG(st.st_mode))
        s = vn_fail(err, VN_ERR_ARGUMENT, "'%s' is not a regular file", path);
    else if ((uint64_t)st.st_size > limit)
        s = vn_fail(err, VN_ERR_LIMIT, "'%s' has %lld bytes; at most %zu can be sent", path, (long long)st.st_size, limit);
    else if (!(buffer = malloc((size_t)st.st_size + 1)))
        s = vn_fail(err, VN_ERR_MEMORY, "out of memory");
    while (s == VN_OK && got < (size_t)st.st_size) {
        ssize_t k = read(fd, buffer + got, (size_t)st.st_size - got);
        if (k > 0)
            got += (size_t)k;
        else if (k == 0)
            s = vn_fail(err, VN_ERR_IO, "'%s' became shorter while it was read", path);
        else if (errno != EINTR)
            s = vn_fail(err, VN_ERR_IO, "cannot read '%s': %s", path, strerror(errno));
    }
    close(fd);
    if (s != VN_OK) {
        free(buffer);
        return s;
    }
    *bytes = buffer;
    *n = got;
    return VN_OK;
}

static enum vn_status directory_of(const char *path, char out[PATH_MAX], struct vn_error *err)
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
        return vn_fail(err, VN_ERR_ARGUMENT, "the path '%.100s...' is too long", path);
    snprintf(out, PATH_MAX, "%s", dirname(copy));
    return VN_OK;
}

enum vn_status vn_file_writable(const char *path, struct vn_error *err)
{
    char directory[PATH_MAX];
    enum vn_status s = directory_of(path, directory, err);
    if (s != VN_OK)
        return s;
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return vn_fail(err, VN_ERR_ARGUMENT, "cannot write the proof to '%s': it is a directory", path);
    if (access(directory, W_OK | X_OK) != 0)
        return vn_fail(err, errno == ENOENT ? VN_ERR_NOT_FOUND : VN_ERR_IO, "cannot write the proof to '%s': %s: %s", path, directory, strerror(errno));
    return VN_OK;
}
