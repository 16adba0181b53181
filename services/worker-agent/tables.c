/* Workers share the lock; the exclusive one, which only the last worker gets, allows removal. A worker that waited for its lock meanwhile may
 * hold a removed folder and starts again. */
#include "services/worker-agent/tables.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_still_there(const struct vn_tables *t)
{
    struct stat opened, named;
    return fstat(t->fd, &opened) == 0 && lstat(t->path, &named) == 0 && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

static enum vn_status try_open(struct vn_tables *t, struct vn_error *err)
{
    struct stat st;
    if (mkdir(t->path, 0700) != 0 && errno != EEXIST)
        return vn_fail(err, VN_ERR_IO, "cannot make the folder of shared tables %s: %s", t->path, strerror(errno));
    t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (t->fd < 0 && errno == ENOENT)
        return VN_ERR_BUSY;
    if (t->fd < 0 || fstat(t->fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 07777) != 0700)
        return vn_fail(err, VN_ERR_PERMISSION, "%s is not a folder of this user with mode 0700, so tables cannot be shared there", t->path);
    while (flock(t->fd, LOCK_SH) != 0)
        if (errno != EINTR)
            return vn_fail(err, VN_ERR_IO, "cannot lock %s: %s", t->path, strerror(errno));
    return is_still_there(t) ? VN_OK : VN_ERR_BUSY;
}

static void forget(struct vn_tables *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

enum vn_status vn_tables_open(struct vn_tables *t, const char *base, struct vn_error *err)
{
    t->fd = -1;
    if (snprintf(t->path, sizeof t->path, "%s/venus-tables-%lu", base, (unsigned long)geteuid()) >= (int)sizeof t->path)
        return vn_fail(err, VN_ERR_ARGUMENT, "the folder name below %s is too long", base);
    enum vn_status s = VN_ERR_BUSY;
    for (unsigned i = 0; i < 100 && s == VN_ERR_BUSY; i++) {
        s = try_open(t, err);
        if (s != VN_OK)
            forget(t);
    }
    return s == VN_ERR_BUSY ? vn_fail(err, VN_ERR_IO, "%s was removed again and again while this worker started", t->path) : s;
}

void vn_tables_close(struct vn_tables *t)
{
    if (t->fd >= 0 && flock(t->fd, LOCK_EX | LOCK_NB) == 0 && is_still_there(t)) {
        int copy = openat(t->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *entry;
        while (dir && (entry = readdir(dir)))
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                (void)unlinkat(t->fd, entry->d_name, 0);
        if (dir)
            closedir(dir);
        else if (copy >= 0)
            close(copy);
        (void)rmdir(t->path);
    }
    forget(t);
}
