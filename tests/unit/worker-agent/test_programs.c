#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/worker-agent/programs.h"

/* SHA-256 of "abc", from FIPS 180-2. */
static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static char dir[32];

static void setup(void)
{
    strcpy(dir, "/tmp/vn-programs-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(programs, .init = setup, .fini = teardown);

static const uint8_t *bytes(const char *text) { return (const uint8_t *)text; }

Test(programs, are_kept_under_their_hash)
{
    char path[4096], ids[VN_PROGRAMS_KEPT][VN_PROGRAM_ID];
    struct vn_error err;
    cr_assert_eq(vn_program_list(dir, ids), 0);
    cr_assert_eq(vn_program_find(dir, abc, path, sizeof path, &err), VN_ERR_NOT_FOUND);
    cr_assert_eq(vn_program_store(dir, abc, bytes("abc"), 3, &err), VN_OK, "%s", err.text);
    cr_assert_eq(vn_program_store(dir, abc, bytes("abc"), 3, &err), VN_OK, "again is no error: %s", err.text);
    cr_assert_eq(vn_program_find(dir, abc, path, sizeof path, &err), VN_OK);
    cr_assert_eq(access(path, R_OK), 0);
    cr_assert_eq(vn_program_list(dir, ids), 1);
    cr_assert_str_eq(ids[0], abc);
}

Test(programs, foreign_ones_are_refused)
{
    char path[4096];
    struct vn_error err;
    cr_assert_eq(vn_program_store(dir, abc, bytes("abd"), 3, &err), VN_ERR_FORMAT);
    cr_assert_eq(vn_program_store(dir, "../x", bytes("abc"), 3, &err), VN_ERR_FORMAT);
    cr_assert_eq(vn_program_store("", abc, bytes("abc"), 3, &err), VN_ERR_NOT_FOUND);
    cr_assert_eq(vn_program_store("/proc/nothing", abc, bytes("abc"), 3, &err), VN_ERR_IO);
    cr_assert_eq(vn_program_find(dir, "../../etc/passwd", path, sizeof path, &err), VN_ERR_FORMAT);
}

Test(programs, the_one_unused_for_longest_makes_room)
{
    char name[4096], path[4096], ids[VN_PROGRAMS_KEPT][VN_PROGRAM_ID];
    struct vn_error err;
    snprintf(name, sizeof name, "%s/programs", dir);
    cr_assert_eq(mkdir(name, 0700), 0);
    for (unsigned i = 0; i < VN_PROGRAMS_KEPT; i++) {
        snprintf(name, sizeof name, "%s/programs/%064x.elf", dir, i);
        FILE *f = fopen(name, "w");
        cr_assert_not_null(f);
        fclose(f);
        struct timespec times[2] = {{.tv_sec = 1000 + i % 40 * 10}, {.tv_sec = 1000 + i % 40 * 10 + (i >= 40)}};
        cr_assert_eq(utimensat(AT_FDCWD, name, times, 0), 0);
    }
    snprintf(name, sizeof name, "%064x", 0);
    cr_assert_eq(vn_program_find(dir, name, path, sizeof path, &err), VN_OK); /* used now */
    cr_assert_eq(vn_program_store(dir, abc, bytes("abc"), 3, &err), VN_OK);
    cr_assert_eq(vn_program_list(dir, ids), VN_PROGRAMS_KEPT);
    cr_assert_eq(vn_program_find(dir, name, path, sizeof path, &err), VN_OK);
    snprintf(name, sizeof name, "%064x", 40);
    cr_assert_eq(vn_program_find(dir, name, path, sizeof path, &err), VN_ERR_NOT_FOUND);
}
