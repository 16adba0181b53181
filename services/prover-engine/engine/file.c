/* Whole files in. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/prover-engine/engine/work.h"

enum vn_status vn_file_read(int dirfd, const char *path, uint64_t max_bytes, uint8_t **out, size_t *len, struct vn_error *err)
{
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return vn_fail(err, errno == ENOENT ? VN_ERR_NOT_FOUND : VN_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    enum vn_status status = VN_OK;
    uint8_t *bytes = NULL;
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        status = vn_fail(err, VN_ERR_ARGUMENT, "%s is not a regular file", path);
    } else if ((uint64_t)st.st_size > max_bytes) {
        status = vn_fail(err, VN_ERR_LIMIT, "%s has %llu bytes, at most %llu are allowed", path, (unsigned long long)st.st_size,
                         (unsigned long long)max_bytes);
    } else if (!(bytes = malloc((size_t)st.st_size + 1))) {
        status = vn_fail(err, VN_ERR_MEMORY, "no memory for the %llu bytes of %s", (unsigned long long)st.st_size, path);
    } else {
        size_t want = (size_t)st.st_size, have = 0;
        while (have < want) {
            ssize_t n = read(fd, bytes + have, want - have);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0) {
                status = vn_fail(err, VN_ERR_IO, "cannot read %s: %s", path, n < 0 ? strerror(errno) : "it became shorter");
                break;
            }
            have += (size_t)n;
        }
        *len = have;
    }
    close(fd);
    if (status != VN_OK) {
        free(bytes);
        return status;
    }
    *out = bytes;
    return VN_OK;
}
