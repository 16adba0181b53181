#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libshared/process.h"

static int run(const char *script, const int *fds, unsigned n)
{
    struct vn_child c;
    struct vn_error err;
    char *argv[] = {"sh", "-c", (char *)script, NULL};
    cr_assert_eq(vn_child_spawn(&c, "/bin/sh", argv, fds, n, &err), VN_OK, "%s", err.text);
    struct pollfd p = {.fd = c.pidfd, .events = POLLIN};
    cr_assert_eq(poll(&p, 1, 10000), 1);
    int code = -1;
    cr_assert_eq(vn_child_reap(&c, &code), VN_OK);
    cr_assert_eq(c.pidfd, -1);
    return code;
}

Test(process, exit_codes)
{
    cr_assert_eq(run("exit 0", NULL, 0), 0);
    cr_assert_eq(run("exit 23", NULL, 0), 23);
    cr_assert_eq(run("kill -9 $$", NULL, 0), 128 + 9);
}

Test(process, missing_program_is_told)
{
    struct vn_child c;
    struct vn_error err;
    char *argv[] = {"nothing", NULL};
    cr_assert_eq(vn_child_spawn(&c, "/nonexistent/nothing", argv, NULL, 0, &err), VN_ERR_NOT_FOUND);
    cr_assert_not_null(strstr(err.text, "/nonexistent/nothing"));
    cr_assert_eq(c.pid, -1);
}

/* The descriptors keep their order even when they stand where others have to go, and nothing else is handed down. */
Test(process, descriptors_become_3_and_4)
{
    int a[2], b[2];
    cr_assert_eq(pipe(a), 0);
    cr_assert_eq(pipe(b), 0);
    int stray = open("/dev/null", O_RDONLY); /* not close-on-exec */
    cr_assert_geq(stray, 0);
    int fds[2] = {b[1], a[1]};
    cr_assert_eq(dup2(b[1], 4) == 4 || b[1] == 4, 1);
    cr_assert_eq(run("echo one >&3; echo two >&4; for f in 5 6 7 8 9; do { : >&$f; } 2>/dev/null && exit 9; done; exit 0", fds, 2), 0);
    char text[8] = {0};
    cr_assert_eq(read(b[0], text, sizeof text - 1), 4);
    cr_assert_str_eq(text, "one\n");
    memset(text, 0, sizeof text);
    cr_assert_eq(read(a[0], text, sizeof text - 1), 4);
    cr_assert_str_eq(text, "two\n");
}

Test(process, signal_reaches_the_child)
{
    struct vn_child c;
    char *argv[] = {"sleep", "30", NULL};
    cr_assert_eq(vn_child_spawn(&c, "/bin/sleep", argv, NULL, 0, NULL), VN_OK);
    cr_assert_eq(vn_child_signal(&c, SIGTERM), VN_OK);
    int code = 0;
    cr_assert_eq(vn_child_reap(&c, &code), VN_OK);
    cr_assert_eq(code, 128 + SIGTERM);
    cr_assert_eq(vn_child_signal(&c, SIGTERM), VN_ERR_NOT_FOUND);
}

Test(process, child_starts_with_signals_unblocked)
{
    int signals[] = {SIGTERM, SIGUSR1};
    int fd = vn_signalfd(signals, 2);
    cr_assert_geq(fd, 0);
    struct vn_child c;
    char *argv[] = {"sleep", "30", NULL};
    cr_assert_eq(vn_child_spawn(&c, "/bin/sleep", argv, NULL, 0, NULL), VN_OK);
    cr_assert_eq(vn_child_signal(&c, SIGTERM), VN_OK);
    int code = 0;
    cr_assert_eq(vn_child_reap(&c, &code), VN_OK);
    cr_assert_eq(code, 128 + SIGTERM);

    kill(getpid(), SIGUSR1);
    struct signalfd_siginfo info;
    cr_assert_eq(read(fd, &info, sizeof info), (ssize_t)sizeof info);
    cr_assert_eq(info.ssi_signo, (uint32_t)SIGUSR1);
}

Test(process, sibling_stands_beside_the_executable)
{
    char path[4096];
    cr_assert_eq(vn_process_sibling("test_process", path, sizeof path), VN_OK);
    cr_assert_eq(access(path, X_OK), 0, "%s", path);
    cr_assert_eq(vn_process_sibling("x", path, 2), VN_ERR_LIMIT);
}

Test(process, notify_sends_a_datagram)
{
    char dir[] = "/tmp/vn-notify-XXXXXX";
    cr_assert_not_null(mkdtemp(dir));
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s/s", dir);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    setenv("NOTIFY_SOCKET", a.sun_path, 1);
    vn_process_notify("READY=1");
    char text[16] = {0};
    cr_assert_eq(recv(fd, text, sizeof text - 1, MSG_DONTWAIT), 7);
    cr_assert_str_eq(text, "READY=1");
    unlink(a.sun_path);
    rmdir(dir);
    unsetenv("NOTIFY_SOCKET");
    vn_process_notify("READY=1");
}

Test(process, uuid_has_the_version_4_form)
{
    char a[37], b[37];
    vn_uuid(a, 1);
    cr_assert_eq(strlen(a), 36);
    cr_assert(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-' && a[14] == '4');
    cr_assert_not_null(strchr("89ab", a[19]));
    vn_uuid(b, 0);
    cr_assert_eq(strlen(b), 32);
    cr_assert_null(strchr(b, '-'));
    cr_assert_str_neq(a, b);
}

Test(process, clocks_advance)
{
    uint64_t a = vn_clock_monotonic_ns(), b = vn_clock_monotonic_ns();
    cr_assert_leq(a, b);
    cr_assert_gt(vn_clock_wall_ns(), UINT64_C(1700000000) * 1000000000u);
}
