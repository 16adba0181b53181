/* A file is there whole or as it was before, and no temporary one stays. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/file.h"

static char folder[64];
static int dir;

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/venus-file-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    dir = open(folder, O_RDONLY | O_DIRECTORY);
    cr_assert_geq(dir, 0);
    umask(022);
}

static void teardown(void)
{
    unlinkat(dir, "file", 0);
    close(dir);
    cr_expect_eq(rmdir(folder), 0, "something was left behind");
}

TestSuite(file, .init = setup, .fini = teardown);

static void expect_content(const char *want, mode_t mode)
{
    char got[64] = "";
    struct stat st;
    int fd = openat(dir, "file", O_RDONLY);
    cr_assert_geq(fd, 0);
    ssize_t n = read(fd, got, sizeof got);
    cr_expect_eq(n, (ssize_t)strlen(want));
    cr_expect_arr_eq(got, want, strlen(want));
    cr_expect_eq(fstat(fd, &st), 0);
    cr_expect_eq(st.st_mode & 0777, mode);
    close(fd);
}

Test(file, replaces_whole_files)
{
    cr_assert_eq(vn_file_write(dir, "file", "first one", 9, NULL), VN_OK);
    expect_content("first one", 0644);
    const struct vn_part parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};
    cr_assert_eq(vn_file_write_parts(dir, "file", 0600, parts, 3, NULL), VN_OK);
    expect_content("abc", 0600);
    char path[128];
    snprintf(path, sizeof path, "%s/file", folder);
    cr_assert_eq(vn_file_write(AT_FDCWD, path, NULL, 0, NULL), VN_OK);
    expect_content("", 0644);
}

/* Stands in for a full disk. */
Test(file, failure_leaves_the_old_content)
{
    static char big[1 << 16];
    struct vn_error err = {0};
    cr_assert_eq(vn_file_write(dir, "file", "old", 3, NULL), VN_OK);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, small = {1024, 1024};
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    cr_expect_eq(vn_file_write(dir, "file", big, sizeof big, &err), VN_ERR_IO);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    cr_expect_not_null(strstr(err.text, "cannot write 'file': File too large"), "%s", err.text);
    expect_content("old", 0644);
}

Test(file, errors_name_the_file)
{
    struct vn_error err = {0};
    cr_expect_eq(vn_file_write(dir, "missing/file", "", 0, &err), VN_ERR_IO);
    cr_expect_not_null(strstr(err.text, "cannot create 'missing/file'"), "%s", err.text);
    cr_assert_eq(mkdirat(dir, "taken", 0700), 0);
    cr_expect_eq(vn_file_write(dir, "taken", "", 0, &err), VN_ERR_IO);
    cr_expect_not_null(strstr(err.text, "cannot write 'taken'"), "%s", err.text);
    cr_assert_eq(unlinkat(dir, "taken", AT_REMOVEDIR), 0);
    char path[5000];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    cr_expect_eq(vn_file_write(dir, path, "", 0, &err), VN_ERR_ARGUMENT);
}
