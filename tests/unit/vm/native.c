/* Native execution: the cache trusts nothing, no page is writable and executable, and a hostile guest meets the same end as in the interpreter. That
 * results are the same on many programs is tested by tests/conformance (run_guest -n). */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/prover-engine/vm/exec.h"
#include "services/prover-engine/vm/native/native.h"
#include "tests/unit/vm/elf_builder.h"

static struct vn_program *program(const uint32_t *words, size_t n)
{
    struct elf e = elf_of_code(words, n);
    size_t len;
    uint8_t *file = elf_build(&e, &len);
    struct vn_program *p;
    struct vn_error err = {VN_OK, ""};
    cr_assert_eq(vn_program_load(&p, file, len, VN_ABI_B, &err), VN_OK, "%s", err.text);
    free(file);
    return p;
}

static struct vn_native *open_native(const struct vn_program *p, const char *dir, int from_cache)
{
    struct vn_native *n = NULL;
    struct vn_error notice, err = {VN_OK, ""};
    enum vn_status s = vn_native_open(&n, p, &(struct vn_native_options){.dir = dir}, &notice, &err);
    if (s == VN_ERR_UNSUPPORTED)
        cr_skip_test("%s", err.text);
    cr_assert_eq(s, VN_OK, "%s", err.text);
    cr_assert_eq(notice.status, VN_OK, "%s", notice.text);
    cr_assert_eq(vn_native_from_cache(n), from_cache);
    return n;
}

/* x5 counts 1000 rounds of a loop that sums into RAM, then the exit call. */
static const uint32_t loop[] = {RV_LUI(6, 0xa0030), RV_SLLI(6, 6, 32), 0x02035313, RV_ADDI(5, 0, 1000), RV_LD(7, 6, 8), RV_ADD(7, 7, 5), RV_SD(7, 6, 8),
                                RV_SD(7, 6, 800), RV_ADDI(5, 5, -1), RV_BNE(5, 0, -20), RV_ADDI(17, 0, 93), RV_ECALL};
#define N(array) (sizeof(array) / sizeof *(array))

/* ---- The same end ---- */

struct run {
    enum vn_status status;
    struct vn_exec_result result;
    struct vn_error err;
};

static struct run execute(const struct vn_program *p, struct vn_native *n)
{
    struct run r;
    memset(&r, 0, sizeof r);
    struct vn_exec_options o = {.shard_log2 = 10, .max_steps = 100000, .track = 1, .native = n};
    r.status = vn_execute(p, &o, &r.result, &r.err);
    return r;
}

static void check_same(const uint32_t *words, size_t n, enum vn_status status, const char *text)
{
    struct vn_program *p = program(words, n);
    struct vn_native *native = open_native(p, NULL, 0);
    struct run a = execute(p, NULL), b = execute(p, native);
    cr_assert_eq(a.status, status, "%s", a.err.text);
    cr_assert_eq(b.status, status, "%s", b.err.text);
    if (status)
        cr_assert(strstr(b.err.text, text) && strcmp(a.err.text, b.err.text) == 0, "%s / %s", a.err.text, b.err.text);
    else
        cr_assert_arr_eq(&a.result, &b.result, sizeof a.result);
    vn_native_close(native);
    vn_program_free(p);
}

Test(native, same_result) { check_same(loop, N(loop), VN_OK, ""); }

/* Registers are made by constants and shifts; padding in front puts the instruction that fails into a block of its own and not. */
static void check_failure(const uint32_t *words, size_t n, const char *text) { check_same(words, n, VN_ERR_GUEST, text); }
#define FAILS(text, ...) \
    do { \
        const uint32_t code[] = {__VA_ARGS__, RV_ADDI(17, 0, 93), RV_ECALL}; \
        check_failure(code, N(code), text); \
    } while (0)

Test(native, wild_jumps)
{
    FAILS("where there is no code", RV_ADDI(5, 0, 0), RV_JALR(0, 5, 0));
    FAILS("where there is no code", RV_ADDI(5, 0, -4), RV_JALR(0, 5, 0));
    FAILS("where there is no code", RV_LUI(5, 0x7ffff), RV_JALR(0, 5, 2044));
    FAILS("where there is no code", RV_LUI(5, 0x80000), RV_JALR(0, 5, 0)); /* sign-extended: above 2^32 */
    FAILS("where there is no code", RV_ADDI(5, 0, 1), RV_SLLI(5, 5, 31), RV_JALR(0, 5, 2044));
    FAILS("not 4-byte aligned", RV_ADDI(5, 0, 1), RV_SLLI(5, 5, 31), RV_JALR(0, 5, 2));
    FAILS("where there is no code", RV_ADDI(5, 0, 3), RV_SLLI(5, 5, 31), RV_JALR(0, 5, 4)); /* a bit above the code's address */
}

Test(native, wild_addresses)
{
    FAILS("there is no memory", RV_ADDI(5, 0, 0), RV_LD(6, 5, 0));
    FAILS("there is no memory", RV_ADDI(5, 0, -8), RV_LD(6, 5, 0));
    FAILS("there is no memory", RV_ADDI(5, 0, 1), RV_SLLI(5, 5, 32), RV_LD(6, 5, 0));
    FAILS("there is no memory", RV_ADDI(5, 0, 1), RV_SLLI(5, 5, 32), RV_LD(6, 5, -8));
    FAILS("there is no memory", RV_ADDI(5, 0, 1), RV_SLLI(5, 5, 63), RV_LBU(6, 5, 0));
    FAILS("there is no memory", RV_ADDI(5, 0, 5), RV_SLLI(5, 5, 61), RV_SB(6, 5, 0));
    FAILS("there is no memory", RV_ADDI(5, 0, 3), RV_SLLI(5, 5, 30), RV_SD(6, 5, 0)); /* the end of RAM */
    FAILS("read-only", RV_ADDI(5, 0, 1), RV_SLLI(5, 5, 30), RV_SD(6, 5, 8));
    FAILS("there is no memory", RV_ADDI(5, 0, 1), RV_SLLI(5, 5, 31), RV_SD(0, 5, 0)); /* its own code */
    FAILS("past the end", RV_ADDI(5, 0, 3), RV_SLLI(5, 5, 30), RV_ADDI(5, 5, -4), RV_SD(6, 5, 0));
}

/* ---- The cache ---- */

static void the_file(const char *dir, char path[512])
{
    DIR *d = opendir(dir);
    int found = 0;
    for (const struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            snprintf(path, 512, "%.200s/%.200s", dir, e->d_name);
            found++;
        }
    closedir(d);
    cr_assert_eq(found, 1);
}

static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte = 0;
    cr_assert(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 1;
    cr_assert(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

Test(native, cache)
{
    char dir[] = "/tmp/venus-native-XXXXXX", path[512];
    cr_assert(mkdtemp(dir) != NULL);
    struct vn_program *p = program(loop, N(loop));
    vn_native_close(open_native(p, dir, 0));
    vn_native_close(open_native(p, dir, 1));
    the_file(dir, path);
    struct stat st;
    cr_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    const off_t places[] = {0, 8, 12, 16, 24, 56, 64, 72, 80, 88, 119, 200, 4096, 5000, st.st_size - 1};
    for (size_t k = 0; k < N(places); k++) {
        flip(path, places[k]);
        vn_native_close(open_native(p, dir, 0)); /* made anew */
        vn_native_close(open_native(p, dir, 1));
    }
    cr_assert(truncate(path, st.st_size - 4) == 0);
    vn_native_close(open_native(p, dir, 0));
    cr_assert(truncate(path, 10) == 0);
    vn_native_close(open_native(p, dir, 0));
    cr_assert(truncate(path, st.st_size + 1) == 0);
    vn_native_close(open_native(p, dir, 0));
    cr_assert(chmod(path, 0620) == 0);
    vn_native_close(open_native(p, dir, 0));
    vn_native_close(open_native(p, dir, 1));

    uint32_t other[N(loop)];
    memcpy(other, loop, sizeof other);
    other[3] = RV_ADDI(5, 0, 999);
    struct vn_program *q = program(other, N(other));
    char theirs[512];
    unlink(path);
    vn_native_close(open_native(q, dir, 0));
    the_file(dir, theirs);
    cr_assert(rename(theirs, path) == 0); /* another program's translation under this one's name */
    vn_native_close(open_native(p, dir, 0));
    vn_program_free(q);
    vn_program_free(p);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert(system(command) == 0);
}

Test(native, unusable_folder)
{
    struct vn_program *p = program(loop, N(loop));
    struct vn_native *n;
    struct vn_error notice, err;
    if (vn_native_open(&n, p, &(struct vn_native_options){.dir = "/dev/null/x"}, &notice, &err) == VN_ERR_UNSUPPORTED)
        cr_skip_test("%s", err.text);
    cr_assert_eq(notice.status, VN_ERR_IO);
    cr_assert_eq(execute(p, n).status, VN_OK);
    vn_native_close(n);
    vn_program_free(p);
}

/* ---- Pages ---- */

static unsigned count_maps(const char *name, const char *mode)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned n = 0;
    while (f && fgets(line, sizeof line, f))
        n += strstr(line, name) && strstr(line, mode);
    fclose(f);
    return n;
}

Test(native, no_page_is_writable_and_executable)
{
    struct vn_program *p = program(loop, N(loop));
    struct vn_native *n = open_native(p, NULL, 0);
    cr_assert_eq(count_maps("venus-native", " r-xp "), 1);
    cr_assert_eq(count_maps("venus-native", " rw"), 0);
    cr_assert_eq(count_maps("", " rwx"), 0);
    cr_assert_eq(execute(p, n).status, VN_OK);
    cr_assert_eq(count_maps("", " rwx"), 0);
    vn_native_close(n);
    vn_program_free(p);
}
