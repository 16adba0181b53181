/* Everything goes through the directory's descriptor, so that a path swapped by somebody else changes nothing. Engines inherit the same
 * open description, and with it the lock: a directory stays locked while any engine of the job lives. */
#include "services/worker-agent/job_dir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "venus-"

enum vn_status vn_job_dir_open(struct vn_job_dir *d, const char *base, const char *job_id, struct vn_error *err)
{
    char job8[9] = "";
    for (size_t i = 0; i < 8 && job_id[i]; i++)
        job8[i] = isalnum((unsigned char)job_id[i]) ? job_id[i] : '_';
    d->fd = -1;
    /* Two jobs may begin alike while the first one's engine is still ending. */
    for (unsigned n = 0; n < 100; n++) {
        char suffix[8] = "";
        if (n > 0)
            snprintf(suffix, sizeof suffix, "-%u", n + 1);
        int len = snprintf(d->path, sizeof d->path, "%s/" PREFIX "%ld-%s%s", base, (long)getpid(), job8, suffix);
        if (len < 0 || (size_t)len >= sizeof d->path)
            return vn_fail(err, VN_ERR_ARGUMENT, "the directory name below %s is too long", base);
        if (mkdir(d->path, 0700) == 0)
            break;
        if (errno != EEXIST || n == 99)
            return vn_fail(err, VN_ERR_IO, "cannot make the job directory %s: %s", d->path, strerror(errno));
    }
    d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (d->fd < 0 || flock(d->fd, LOCK_EX | LOCK_NB) != 0) {
        int saved = errno;
        if (d->fd >= 0)
            close(d->fd);
        d->fd = -1;
        rmdir(d->path);
        return vn_fail(err, VN_ERR_IO, "cannot use the job directory %s: %s", d->path, strerror(saved));
    }
    return VN_OK;
}

/* Files that cannot be removed are left: whoever removes the directory afterwards sees it. */
static void empty(int fd, const char *prefix)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        if (copy >= 0)
            close(copy);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            (void)unlinkat(fd, entry->d_name, 0);
    closedir(dir);
}

/* Takes fd. */
static int remove_opened(int fd, const char *path)
{
    empty(fd, "");
    close(fd);
    return rmdir(path) == 0;
}

enum vn_status vn_job_dir_remove(struct vn_job_dir *d)
{
    if (d->fd < 0)
        return VN_OK;
    int fd = d->fd;
    d->fd = -1;
    return remove_opened(fd, d->path) ? VN_OK : VN_ERR_IO;
}

unsigned vn_job_dir_sweep(const char *base)
{
    DIR *dir = opendir(base);
    if (!dir)
        return 0;
    unsigned removed = 0;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        long pid;
        char dash;
        if (sscanf(entry->d_name, PREFIX "%ld%c", &pid, &dash) != 2 || dash != '-' || pid <= 0)
            continue;
        /* Our own pid: a worker before us had it, we have made nothing yet. */
        if (pid != (long)getpid() && (kill((pid_t)pid, 0) == 0 || errno != ESRCH))
            continue;
        int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        struct stat st;
        char path[512];
        int len = snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
        if (fstat(fd, &st) != 0 || st.st_uid != geteuid() || len < 0 || (size_t)len >= sizeof path || flock(fd, LOCK_EX | LOCK_NB) != 0)
            close(fd);
        else
            removed += (unsigned)remove_opened(fd, path);
    }
    closedir(dir);
    return removed;
}

static int create(const struct vn_job_dir *d, const char *name)
{
    return openat(d->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

enum vn_status vn_job_dir_write(const struct vn_job_dir *d, const char *name, const void *bytes, size_t n_bytes, struct vn_error *err)
{
    int fd = create(d, name);
    if (fd < 0)
        return vn_fail(err, VN_ERR_IO, "cannot write %s/%s: %s", d->path, name, strerror(errno));
    const uint8_t *p = bytes;
    while (n_bytes > 0) {
        ssize_t n = write(fd, p, n_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int saved = errno;
            close(fd);
            vn_job_dir_unlink(d, name);
            return vn_fail(err, VN_ERR_IO, "cannot write %s/%s: %s", d->path, name, strerror(saved));
        }
        p += n;
        n_bytes -= (size_t)n;
    }
    close(fd);
    return VN_OK;
}

enum vn_status vn_job_dir_copy(const struct vn_job_dir *d, const char *name, int from, uint64_t max_bytes, struct vn_error *err)
{
    int fd = create(d, name);
    if (fd < 0)
        return vn_fail(err, VN_ERR_IO, "cannot write %s/%s: %s", d->path, name, strerror(errno));
    uint64_t total = 0;
    enum vn_status s = VN_OK;
    for (;;) {
        ssize_t n = sendfile(fd, from, NULL, 1u << 20);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        if (n < 0) {
            s = vn_fail(err, VN_ERR_IO, "cannot write %s/%s: %s", d->path, name, strerror(errno));
            break;
        }
        total += (uint64_t)n;
        if (total > max_bytes) {
            s = vn_fail(err, VN_ERR_LIMIT, "the input is larger than %llu bytes", (unsigned long long)max_bytes);
            break;
        }
    }
    close(fd);
    if (s != VN_OK)
        vn_job_dir_unlink(d, name);
    return s;
}

enum vn_status vn_job_dir_read(const struct vn_job_dir *d, const char *name, size_t max_bytes, uint8_t **bytes, size_t *n_bytes, struct vn_error *err)
{
    int fd = openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return vn_fail(err, errno == ENOENT ? VN_ERR_NOT_FOUND : VN_ERR_IO, "cannot read %s/%s: %s", d->path, name, strerror(errno));
    struct stat st;
    enum vn_status s = VN_OK;
    uint8_t *buffer = NULL;
    size_t len = 0, done = 0;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        s = vn_fail(err, VN_ERR_IO, "%s/%s is not a regular file", d->path, name);
    else if ((uint64_t)st.st_size > max_bytes)
        s = vn_fail(err, VN_ERR_LIMIT, "%s/%s has %lld bytes; at most %zu are accepted", d->path, name, (long long)st.st_size, max_bytes);
    else if (len = (size_t)st.st_size, !(buffer = malloc(len + 1)))
        s = vn_fail(err, VN_ERR_MEMORY, "no memory for %zu bytes of %s", len, name);
    while (s == VN_OK && done < len) {
        ssize_t n = read(fd, buffer + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            s = vn_fail(err, VN_ERR_IO, "cannot read %s/%s: %s", d->path, name, n < 0 ? strerror(errno) : "it became shorter");
        else
            done += (size_t)n;
    }
    close(fd);
    if (s != VN_OK) {
        free(buffer);
        return s;
    }
    *bytes = buffer;
    *n_bytes = len;
    return VN_OK;
}

void vn_job_dir_unlink(const struct vn_job_dir *d, const char *name) { (void)unlinkat(d->fd, name, 0); }

void vn_job_dir_unlink_prefix(const struct vn_job_dir *d, const char *prefix) { empty(d->fd, prefix); }
