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
#include <sys/wait.h>
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

/* Runs in a process of its own, since it occupies descriptors the test framework uses. Returns 0, or the number of the step that failed. */
static int cross_descriptors(void)
{
    int a[2], b[2];
    if (pipe(a) != 0 || pipe(b) != 0)
        return 1;
    int read_a = fcntl(a[0], F_DUPFD, 40), write_a = fcntl(a[1], F_DUPFD, 40), read_b = fcntl(b[0], F_DUPFD, 40), write_b = fcntl(b[1], F_DUPFD, 40);
    for (int fd = 3; fd < 10; fd++)
        dup2(2, fd); /* strays that are not close-on-exec */
    if (dup2(write_a, 3) != 3 || dup2(write_b, 4) != 4)
        return 2;
    struct vn_child c;
    char *argv[] = {"sh", "-c", "echo one >&3; echo two >&4; for f in 5 6 7 8 9 40 41 42 43; do [ -e /proc/self/fd/$f ] && exit 9; done; exit 0", NULL};
    int code = -1;
    if (vn_child_spawn(&c, "/bin/sh", argv, (int[]){4, 3}, 2, NULL) != VN_OK || vn_child_reap(&c, &code) != VN_OK || code != 0)
        return 3;
    char text[8] = {0};
    if (read(read_b, text, 4) != 4 || memcmp(text, "one\n", 4) != 0)
        return 4;
    return read(read_a, text, 4) == 4 && memcmp(text, "two\n", 4) == 0 ? 0 : 5;
}

/* The descriptors keep their order even when they stand where others have to go, and nothing else is handed down. */
Test(process, descriptors_become_3_and_4)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(cross_descriptors());
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "step %d", WEXITSTATUS(status));
}

Test(process, output_goes_where_told)
{
    int p[2];
    cr_assert_eq(pipe(p), 0);
    struct vn_child c;
    char *argv[] = {"echo", "hello", NULL};
    cr_assert_eq(vn_child_spawn_output(&c, "/bin/echo", argv, p[1], NULL, 0, NULL), VN_OK);
    int code = -1;
    cr_assert_eq(vn_child_reap(&c, &code), VN_OK);
    char text[16] = {0};
    cr_assert_eq(read(p[0], text, sizeof text), 6);
    cr_assert_str_eq(text, "hello\n");
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
