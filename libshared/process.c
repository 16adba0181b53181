/* Children are spawned with posix_spawn (no copy of a large parent) and followed through a pidfd, so that a loop can wait for them like for any
 * other descriptor. Descriptors meant for the child are first duplicated above the range they will occupy there; the spawn actions then move
 * them down and close everything above. */
#define _GNU_SOURCE /* closefrom action of posix_spawn */
#include "libshared/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_FD = 3,
    MAX_FDS = 16, /* more descriptors than any of our children is given */
};

extern char **environ;

static int prepare_actions(posix_spawn_file_actions_t *actions, int output, const int *high, unsigned n)
{
    int rc = output >= 0 ? posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO) : 0;
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = posix_spawn_file_actions_adddup2(actions, high[i], FIRST_FD + (int)i);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, FIRST_FD + (int)n);
    return rc;
}

static int prepare_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_setsigmask(attr, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attr, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return rc;
}

static int spawn(pid_t *pid, const char *path, char *const argv[], int output, const int *high, unsigned n)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc == 0) {
        rc = prepare_actions(&actions, output, high, n);
        if (rc == 0)
            rc = prepare_attributes(&attr);
        if (rc == 0)
            rc = posix_spawn(pid, path, &actions, &attr, argv, environ);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

enum vn_status vn_child_spawn(struct vn_child *c, const char *path, char *const argv[], const int *fds, unsigned n_fds, struct vn_error *err)
{
    return vn_child_spawn_output(c, path, argv, -1, fds, n_fds, err);
}

enum vn_status vn_child_spawn_output(struct vn_child *c, const char *path, char *const argv[], int output, const int *fds, unsigned n_fds, struct vn_error *err)
{
    c->pid = -1;
    c->pidfd = -1;
    if (n_fds > MAX_FDS)
        return vn_fail(err, VN_ERR_INTERNAL, "%u descriptors for a child, at most %d", n_fds, MAX_FDS);

    int high[MAX_FDS];
    unsigned n_high = 0;
    int rc = 0;
    for (; n_high < n_fds && rc == 0; n_high++) {
        high[n_high] = fcntl(fds[n_high], F_DUPFD_CLOEXEC, FIRST_FD + MAX_FDS);
        if (high[n_high] < 0) {
            rc = errno;
            break;
        }
    }
    if (rc == 0)
        rc = spawn(&c->pid, path, argv, output, high, n_fds);
    while (n_high > 0)
        close(high[--n_high]);
    if (rc != 0) {
        c->pid = -1;
        return vn_fail(err, rc == ENOENT ? VN_ERR_NOT_FOUND : VN_ERR_IO, "cannot start %s: %s", path, strerror(rc));
    }

    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->pidfd < 0) {
        int saved = errno;
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        c->pid = -1;
        return vn_fail(err, VN_ERR_IO, "pidfd_open for %s: %s", path, strerror(saved));
    }
    return VN_OK;
}

enum vn_status vn_child_reap(struct vn_child *c, int *exit_code)
{
    siginfo_t info = {0};
    int rc;
    do
        rc = waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return VN_ERR_IO;
    *exit_code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    close(c->pidfd);
    c->pidfd = -1;
    c->pid = -1;
    return VN_OK;
}

enum vn_status vn_child_signal(const struct vn_child *c, int signal)
{
    if (c->pidfd < 0)
        return VN_ERR_NOT_FOUND;
    if (syscall(SYS_pidfd_send_signal, c->pidfd, signal, NULL, 0) == 0)
        return VN_OK;
    return errno == ESRCH ? VN_ERR_NOT_FOUND : VN_ERR_IO;
}

void vn_process_die_with_parent(pid_t expected_parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != expected_parent)
        _exit(1);
}

int vn_signalfd(const int *signals, unsigned n)
{
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < n; i++)
        sigaddset(&set, signals[i]);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

enum vn_status vn_process_sibling(const char *name, char *out, size_t out_len)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        return VN_ERR_IO;
    path[n] = 0;
    char *slash = strrchr(path, '/');
    if (!slash)
        return VN_ERR_IO;
    *slash = 0;
    int written = snprintf(out, out_len, "%s/%s", path, name);
    return written >= 0 && (size_t)written < out_len ? VN_OK : VN_ERR_LIMIT;
}

void vn_process_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@'))
        return;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    /* A manager that does not listen loses its notice; there is nobody else to tell. */
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, len);
    (void)sent;
    close(fd);
}

static uint64_t read_clock(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t vn_clock_monotonic_ns(void) { return read_clock(CLOCK_MONOTONIC); }
uint64_t vn_clock_wall_ns(void) { return read_clock(CLOCK_REALTIME); }

void vn_uuid(char out[37], int hyphens)
{
    uint8_t b[16];
    size_t have = 0;
    while (have < sizeof b) {
        ssize_t n = getrandom(b + have, sizeof b - have, 0);
        if (n > 0)
            have += (size_t)n;
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    static const char digit[] = "0123456789abcdef";
    char *p = out;
    for (unsigned i = 0; i < sizeof b; i++) {
        if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10))
            *p++ = '-';
        *p++ = digit[b[i] >> 4];
        *p++ = digit[b[i] & 15];
    }
    *p = 0;
}
