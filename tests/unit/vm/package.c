/* Packages and the run summary: what is written comes back, and no damaged file is accepted. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/prover-engine/vm/package.h"

static char folder[64];
static int dirfd_;

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/venus-package-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    dirfd_ = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(dirfd_, 0);
}

static void remove_folder(void)
{
    unlinkat(dirfd_, "shard-3.pkg", 0);
    unlinkat(dirfd_, "shard-4.pkg", 0);
    unlinkat(dirfd_, "run.sum", 0);
    close(dirfd_);
    cr_expect_eq(rmdir(folder), 0); /* nothing else was left behind */
}

TestSuite(package, .init = make_folder, .fini = remove_folder);

static const struct vn_boundary_row boundary[] = {{0, 77, 1, 0, 5, 6}, {1, 2, 2, 0, 0, UINT64_MAX}};
static const struct vn_memory_row memory[] = {{0, 77, 2, VN_PAGE_ZERO, 0, 6}, {0, 78, 1, VN_PAGE_INPUT, 9, 9}, {1, 2, 2, VN_PAGE_IMAGE, 0, 1}};
static const struct vn_shard execution = {.kind = VN_SHARD_EXECUTION, .index = 3, .start_pc = 0x80000000, .end_pc = 0x80000010, .steps = 1024, .boundary = boundary, .n_boundary = 2};
static const struct vn_shard memory_shard = {.kind = VN_SHARD_MEMORY, .index = 4, .prev_key = 76, .last_key = VN_KEY(1, 2), .memory = memory, .n_memory = 3};

Test(package, round_trip)
{
    struct vn_package p;
    cr_assert_eq(vn_package_write(dirfd_, &execution, NULL), VN_OK);
    cr_assert_eq(vn_package_open(&p, dirfd_, 3, NULL), VN_OK);
    cr_expect(p.shard.kind == execution.kind && p.shard.index == 3 && p.shard.start_pc == 0x80000000 && p.shard.end_pc == 0x80000010 && p.shard.steps == 1024);
    cr_expect_eq(p.shard.n_boundary, 2);
    cr_expect_arr_eq(p.shard.boundary, boundary, sizeof boundary);
    cr_expect_eq(p.shard.n_memory, 0);
    cr_expect_eq((uintptr_t)p.shard.boundary % 64, 0);
    vn_package_close(&p);
    cr_assert_eq(vn_package_write(dirfd_, &memory_shard, NULL), VN_OK);
    cr_assert_eq(vn_package_open(&p, dirfd_, 4, NULL), VN_OK);
    cr_expect_eq(p.shard.n_memory, 3);
    cr_expect_arr_eq(p.shard.memory, memory, sizeof memory);
    cr_expect(p.shard.prev_key == 76 && p.shard.last_key == VN_KEY(1, 2));
    vn_package_close(&p);
    cr_expect_eq(vn_package_open(&p, dirfd_, 5, NULL), VN_ERR_NOT_FOUND);
}

static uint8_t *slurp(const char *name, size_t *len)
{
    int fd = openat(dirfd_, name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    cr_assert(fd >= 0 && fstat(fd, &st) == 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    *len = (size_t)st.st_size;
    cr_assert_eq(read(fd, bytes, *len), (ssize_t)*len);
    close(fd);
    return bytes;
}

static void spill(const char *name, const uint8_t *bytes, size_t len)
{
    int fd = openat(dirfd_, name, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static enum vn_status open_shard(uint32_t index)
{
    struct vn_package p;
    enum vn_status s = vn_package_open(&p, dirfd_, index, NULL);
    if (!s)
        vn_package_close(&p);
    return s;
}

Test(package, every_damaged_byte_and_length_is_refused)
{
    for (uint32_t index = 3; index <= 4; index++) {
        char name[32];
        size_t len;
        snprintf(name, sizeof name, "shard-%u.pkg", index);
        cr_assert_eq(vn_package_write(dirfd_, index == 3 ? &execution : &memory_shard, NULL), VN_OK);
        uint8_t *bytes = slurp(name, &len);
        for (size_t at = 0; at < len; at++) {
            bytes[at] ^= 0x10;
            spill(name, bytes, len);
            cr_assert_eq(open_shard(index), VN_ERR_FORMAT, "byte %zu", at);
            bytes[at] ^= 0x10;
        }
        for (size_t n = 0; n < len; n++) {
            spill(name, bytes, n);
            cr_assert_eq(open_shard(index), VN_ERR_FORMAT, "%zu bytes", n);
        }
        uint8_t *longer = calloc(1, len + 64);
        memcpy(longer, bytes, len);
        spill(name, longer, len + 64);
        cr_assert_eq(open_shard(index), VN_ERR_FORMAT);
        free(longer);
        free(bytes);
    }
}

static void expect_bad_shard(struct vn_shard s)
{
    cr_assert_eq(vn_package_write(dirfd_, &s, NULL), VN_OK);
    cr_expect_eq(open_shard(s.index), VN_ERR_FORMAT);
}

Test(package, well_written_nonsense_is_refused)
{
    struct vn_shard s = execution;
    s.steps = 0;
    expect_bad_shard(s);
    s.steps = (1 << VN_MAX_SHARD_LOG2) + 1;
    expect_bad_shard(s);
    s = execution;
    s.halted = 1; /* but goes on at end_pc */
    expect_bad_shard(s);
    s = execution;
    s.first_memory = 1;
    expect_bad_shard(s);
    s = execution;
    s.memory = memory;
    s.n_memory = 3;
    expect_bad_shard(s);
    s.kind = 2;
    expect_bad_shard(s);
    s = memory_shard;
    s.prev_key = 77; /* the first row again */
    expect_bad_shard(s);
    s = memory_shard;
    s.last_key++;
    expect_bad_shard(s);
    s = memory_shard;
    s.first_memory = 1; /* with a prev_key */
    expect_bad_shard(s);
    s = memory_shard;
    s.n_memory = 0;
    expect_bad_shard(s);
    struct vn_memory_row rows[3];
    memcpy(rows, memory, sizeof rows);
    rows[1].word = 77;
    s = memory_shard;
    s.memory = rows;
    expect_bad_shard(s);
    memcpy(rows, memory, sizeof rows);
    rows[2].word = 32;
    s.last_key = VN_KEY(1, 32);
    expect_bad_shard(s);
}

Test(package, another_shard_under_the_name_is_refused)
{
    cr_assert_eq(vn_package_write(dirfd_, &execution, NULL), VN_OK);
    cr_assert_eq(renameat(dirfd_, "shard-3.pkg", dirfd_, "shard-4.pkg"), 0);
    cr_expect_eq(open_shard(4), VN_ERR_FORMAT);
}

Test(package, run_summary)
{
    struct vn_exec_result r = {.steps = 12345, .n_exec = 3, .n_mem = 1, .output = {1, 2, 3}}, back;
    r.op_count[VN_OP_ADD] = 77;
    cr_expect_eq(vn_run_read(dirfd_, &back, NULL), VN_ERR_NOT_FOUND);
    cr_assert_eq(vn_run_write(dirfd_, &r, NULL), VN_OK);
    cr_assert_eq(vn_run_read(dirfd_, &back, NULL), VN_OK);
    cr_expect_arr_eq(&back, &r, sizeof r);
    size_t len;
    uint8_t *bytes = slurp("run.sum", &len);
    for (size_t at = 0; at < len; at++) {
        bytes[at] ^= 1;
        spill("run.sum", bytes, len);
        cr_assert_eq(vn_run_read(dirfd_, &back, NULL), VN_ERR_FORMAT, "byte %zu", at);
        bytes[at] ^= 1;
    }
    for (size_t n = 0; n < len; n++) {
        spill("run.sum", bytes, n);
        cr_assert_eq(vn_run_read(dirfd_, &back, NULL), VN_ERR_FORMAT);
    }
    free(bytes);
    r.n_exec = VN_MAX_SHARDS;
    cr_assert_eq(vn_run_write(dirfd_, &r, NULL), VN_OK);
    cr_expect_eq(vn_run_read(dirfd_, &back, NULL), VN_ERR_FORMAT);
}

Test(package, a_folder_that_cannot_be_written_is_an_error)
{
    struct vn_error err;
    cr_expect_eq(vn_package_write(-1, &execution, &err), VN_ERR_IO);
    cr_expect(strstr(err.text, "cannot create") != NULL);
}
