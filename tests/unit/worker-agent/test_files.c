/* Input paths and job directories, in a scratch folder. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#pragma GCC diagnostic ignored "-Wconversion" /* the assertion macros */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/worker-agent/input_path.h"
#include "services/worker-agent/job_dir.h"

static char base[32];

static void make(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    cr_assert(fd >= 0 && write(fd, "12345678", 8) == 8);
    close(fd);
}

static void setup(void)
{
    strcpy(base, "/tmp/vn-files-XXXXXX");
    cr_assert(mkdtemp(base) && chdir(base) == 0);
    cr_assert(mkdir("in", 0700) == 0 && mkdir("in/sub", 0700) == 0 && mkdir("in-other", 0700) == 0);
    make("in/a.bin");
    make("in/sub/b.bin");
    make("secret.bin");
    make("in-other/c.bin");
    cr_assert(symlink("sub/b.bin", "in/inside") == 0 && symlink("../secret.bin", "in/up") == 0 && symlink("/etc/passwd", "in/absolute") == 0);
    cr_assert(symlink("..", "in/parent") == 0 && symlink("loop", "in/loop") == 0 && mkfifo("in/fifo", 0600) == 0);
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", base);
    cr_assert(chdir("/") == 0 && system(command) == 0);
}

TestSuite(input_path, .init = setup, .fini = teardown, .timeout = 10);
TestSuite(job_dir, .init = setup, .fini = teardown, .timeout = 10);

static const struct {
    const char *name;
    enum vn_status expected;
} names[] = {
    {"a.bin", VN_OK}, {"sub/b.bin", VN_OK}, {"inside", VN_OK}, {"sub/../a.bin", VN_OK}, {"./a.bin", VN_OK},
    {"none.bin", VN_ERR_NOT_FOUND}, {"sub/none.bin", VN_ERR_NOT_FOUND}, {"a.bin/x", VN_ERR_NOT_FOUND},
    {"../secret.bin", VN_ERR_PERMISSION}, {"sub/../../secret.bin", VN_ERR_PERMISSION}, {"up", VN_ERR_PERMISSION}, {"absolute", VN_ERR_PERMISSION},
    {"parent/secret.bin", VN_ERR_PERMISSION}, {"/etc/passwd", VN_ERR_PERMISSION}, {"../in-other/c.bin", VN_ERR_PERMISSION},
    {"fifo", VN_ERR_PERMISSION}, {"sub", VN_ERR_PERMISSION}, {"loop", VN_ERR_PERMISSION}, {"", VN_ERR_ARGUMENT},
};

Test(input_path, names)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int fd = -1;
        struct vn_error err = {0};
        enum vn_status s = vn_input_open(&fd, "Input", "in", names[i].name, "w", &err);
        cr_expect(eq(int, (int)s, (int)names[i].expected), "%s: %s", names[i].name, err.text);
        if (s == VN_OK)
            close(fd);
        else
            cr_expect(err.text[0] != '\0');
    }
}

Test(input_path, sentence)
{
    int fd;
    struct vn_error err = {0};
    cr_assert(eq(int, (int)vn_input_open(&fd, "Input", "in", "none.bin", "w1", &err), VN_ERR_NOT_FOUND));
    cr_assert(eq(str, err.text, "Input file not found: none.bin (looked below in on worker w1)"));
}

Test(input_path, absolute_inside)
{
    char path[128];
    int fd;
    snprintf(path, sizeof path, "%s/in/a.bin", base);
    cr_assert(eq(int, (int)vn_input_open(&fd, "Input", "in", path, "w", NULL), VN_OK));
    close(fd);
    snprintf(path, sizeof path, "%s/in-other/c.bin", base);
    cr_assert(eq(int, (int)vn_input_open(&fd, "Input", "in", path, "w", NULL), VN_ERR_PERMISSION));
    snprintf(path, sizeof path, "%s/in/../secret.bin", base);
    cr_assert(eq(int, (int)vn_input_open(&fd, "Input", "in", path, "w", NULL), VN_ERR_PERMISSION));
}

/* The way for kernels without openat2 must decide alike. */
Test(input_path, fallback)
{
    char folder[64];
    snprintf(folder, sizeof folder, "%s/in", base);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].name[0] == '/' || !names[i].name[0])
            continue;
        errno = 0;
        int fd = vn_input_open_checked(folder, names[i].name);
        struct stat st;
        int opened = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
        cr_expect(eq(int, opened, names[i].expected == VN_OK), "%s", names[i].name);
        if (fd >= 0)
            close(fd);
    }
}

Test(job_dir, files)
{
    struct vn_job_dir d;
    uint8_t *bytes;
    size_t n;
    cr_assert(eq(int, (int)vn_job_dir_open(&d, base, "ab/../cd-rest", NULL), VN_OK));
    cr_assert(strstr(d.path, "-ab____cd") != NULL);
    struct stat st;
    cr_assert(stat(d.path, &st) == 0 && (st.st_mode & 0777) == 0700);
    cr_assert(eq(int, (int)vn_job_dir_write(&d, "x", "hello", 5, NULL), VN_OK));
    cr_assert(eq(int, (int)vn_job_dir_write(&d, "x", "again", 5, NULL), VN_ERR_IO));
    cr_assert(eq(int, (int)vn_job_dir_read(&d, "x", 4, &bytes, &n, NULL), VN_ERR_LIMIT));
    cr_assert(eq(int, (int)vn_job_dir_read(&d, "y", 4, &bytes, &n, NULL), VN_ERR_NOT_FOUND));
    cr_assert(eq(int, (int)vn_job_dir_read(&d, "x", 5, &bytes, &n, NULL), VN_OK));
    cr_assert(n == 5 && memcmp(bytes, "hello", 5) == 0);
    free(bytes);
    int from = open("in/a.bin", O_RDONLY);
    cr_assert(eq(int, (int)vn_job_dir_copy(&d, "input.bin", from, 7, NULL), VN_ERR_LIMIT));
    cr_assert(lseek(from, 0, SEEK_SET) == 0);
    cr_assert(eq(int, (int)vn_job_dir_copy(&d, "input.bin", from, 8, NULL), VN_OK));
    close(from);
    vn_job_dir_unlink_prefix(&d, "x");
    cr_assert(faccessat(d.fd, "input.bin", F_OK, 0) == 0 && faccessat(d.fd, "x", F_OK, 0) != 0);
    cr_assert(eq(int, (int)vn_job_dir_remove(&d), VN_OK));
    cr_assert(access(d.path, F_OK) != 0);
    cr_assert(eq(int, (int)vn_job_dir_remove(&d), VN_OK));
}

Test(job_dir, same_beginning)
{
    struct vn_job_dir a, b;
    cr_assert(eq(int, (int)vn_job_dir_open(&a, base, "12345678-a", NULL), VN_OK));
    cr_assert(eq(int, (int)vn_job_dir_open(&b, base, "12345678-b", NULL), VN_OK));
    cr_assert(strcmp(a.path, b.path) != 0);
    cr_assert(eq(int, (int)vn_job_dir_remove(&a), VN_OK));
    cr_assert(eq(int, (int)vn_job_dir_remove(&b), VN_OK));
}

Test(job_dir, sweep)
{
    /* No process has a number above the kernel's limit of 2^22. */
    cr_assert(mkdir("venus-4194999-aaaaaaaa", 0700) == 0 && mkdir("venus-4194998-bbbbbbbb", 0700) == 0 && mkdir("venus-1-cccccccc", 0700) == 0);
    cr_assert(mkdir("venus-x", 0700) == 0 && mkdir("venus-4194997", 0700) == 0);
    make("venus-4194999-aaaaaaaa/left.bin");
    int held = open("venus-4194998-bbbbbbbb", O_RDONLY | O_DIRECTORY);
    cr_assert(flock(held, LOCK_EX) == 0);
    cr_assert(eq(uint, vn_job_dir_sweep(base), 1));
    cr_assert(access("venus-4194999-aaaaaaaa", F_OK) != 0);
    cr_assert(access("venus-4194998-bbbbbbbb", F_OK) == 0 && access("venus-1-cccccccc", F_OK) == 0 && access("venus-x", F_OK) == 0);
    close(held);
    cr_assert(eq(uint, vn_job_dir_sweep(base), 1));
}
