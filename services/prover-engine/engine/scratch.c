/* The signals are blocked everywhere and taken by one thread with sigwait, which is free to call anything. Other threads may go on writing files while it
 * removes them; that ends with the directory itself, in which nothing can be made once it is gone. */
#include "services/prover-engine/engine/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void remove_files(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        unlinkat(dirfd, entry->d_name, 0);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

static void remove_dir(const struct vn_scratch *s)
{
    do
        remove_files(s->dirfd);
    while (rmdir(s->path) < 0 && errno == ENOTEMPTY);
}

static void *watch(void *arg)
{
    const struct vn_scratch *s = arg;
    int number;
    if (sigwait(&s->signals, &number) != 0)
        abort();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL); /* vn_scratch_close shall wait for the end */
    remove_dir(s);
    signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &s->signals, NULL);
    raise(number);
    abort();
}

/* Those of the three that are not ignored, as under nohup. */
static void choose_signals(sigset_t *set)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction now;
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(set, numbers[i]);
    }
}

enum vn_status vn_scratch_open(struct vn_scratch *s, struct vn_error *err)
{
    *s = (struct vn_scratch){.dirfd = -1, .path = "/dev/shm/venus-prove-XXXXXX"};
    choose_signals(&s->signals);
    pthread_sigmask(SIG_BLOCK, &s->signals, &s->old_mask);
    enum vn_status status = VN_OK;
    if (!mkdtemp(s->path)) {
        status = vn_fail(err, VN_ERR_IO, "cannot create a directory in /dev/shm: %s", strerror(errno));
    } else if ((s->dirfd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        status = vn_fail(err, VN_ERR_IO, "cannot open %s: %s", s->path, strerror(errno));
        rmdir(s->path);
    } else if (pthread_create(&s->watcher, NULL, watch, s) != 0) {
        status = vn_fail(err, VN_ERR_MEMORY, "cannot start threads");
        remove_dir(s);
        close(s->dirfd);
    }
    if (status != VN_OK)
        pthread_sigmask(SIG_SETMASK, &s->old_mask, NULL);
    return status;
}

void vn_scratch_close(struct vn_scratch *s)
{
    pthread_cancel(s->watcher);
    pthread_join(s->watcher, NULL);
    remove_dir(s);
    close(s->dirfd);
    pthread_sigmask(SIG_SETMASK, &s->old_mask, NULL);
}
