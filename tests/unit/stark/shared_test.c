/* Preprocessed tables in a shared folder: the same key and the same proofs from mapped tables, and nothing damaged is ever taken. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "services/prover-engine/stark/setup.h"
#include "tests/unit/stark/job.h"
#include "tests/unit/vm/elf_builder.h"

static char folder[] = "/dev/shm/venus-shared-test-XXXXXX";

static void make_folder(void)
{
    cr_assert(mkdtemp(folder) != NULL);
}

static void remove_folder(void)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d)))
        (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    (void)rmdir(folder);
}

TestSuite(shared, .init = make_folder, .fini = remove_folder, .timeout = 300);

void test_fail(const char *what, const struct vn_error *err)
{
    cr_assert(0, "%s: %s", what, err ? err->text : "");
    abort();
}

/* Counts x6 down from the input's first number, storing it. */
static const uint32_t countdown[] = {
    RV_LUI(5, 0xa0030), RV_SLLI(5, 5, 32), 0x0202d293 /* srli x5, x5, 32 */, RV_LD(6, 10, 16),
    /* loop */ RV_SD(6, 5, 0), RV_ADDI(6, 6, -1), RV_BNE(6, 0, -8), RV_RET,
};

static struct test_job run(void)
{
    struct elf e = elf_of_code(countdown, sizeof countdown / sizeof *countdown);
    size_t len;
    uint8_t *elf = elf_build(&e, &len);
    uint64_t input[2] = {8, 50};
    struct vn_exec_options o = {.shard_log2 = 10, .memory_shard_log2 = 10, .input = (const uint8_t *)input, .input_len = sizeof input};
    struct test_job t;
    test_job_execute(&t, elf, len, VN_ABI_B, &o);
    free(elf);
    test_job_setup(&t, vn_backend_select(NULL), 2);
    return t;
}

static struct vn_setup *set_up(const struct test_job *t, const struct vn_program *program, const char *what)
{
    struct vn_setup *s = NULL;
    struct vn_error err = {0};
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    enum vn_status status = vn_setup_new_shared(&s, program, t->prover.backend, t->pool, NULL, folder, &err);
    clock_gettime(CLOCK_MONOTONIC, &b);
    cr_assert(status == VN_OK, "%s: %s", what, err.text);
    fprintf(stderr, "set-up, %s: %.3f s\n", what, (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    return s;
}

static int is_mapped(const struct vn_setup *s)
{
    return s->pre[0].mapping != NULL && s->pre[1].mapping != NULL;
}

/* Name of the published file of a kind, and how many such files there are. */
static unsigned find_file(unsigned kind, char out[512])
{
    char suffix[16];
    unsigned n = 0;
    (void)snprintf(suffix, sizeof suffix, "-%u.pre", kind);
    DIR *d = opendir(folder);
    cr_assert(d != NULL);
    for (struct dirent *e; (e = readdir(d));) {
        if (strstr(e->d_name, suffix)) {
            (void)snprintf(out, 512, "%s/%s", folder, e->d_name);
            n++;
        }
    }
    closedir(d);
    return n;
}

static void same_key(const struct test_job *t, const struct vn_setup *s)
{
    uint8_t a[VN_VK_MAX_BYTES], b[VN_VK_MAX_BYTES];
    size_t n = vn_vk_encode(&t->setup->vk, a);
    cr_expect(vn_vk_encode(&s->vk, b) == n && memcmp(a, b, n) == 0);
    cr_expect(memcmp(&t->setup->vk_digest, &s->vk_digest, sizeof s->vk_digest) == 0);
}

Test(shared, mapped_tables_prove_the_same)
{
    struct test_job t = run();
    test_job_contribute(&t);
    test_job_prove(&t);
    struct vn_setup *first = set_up(&t, t.program, "computed and published"), *second = set_up(&t, t.program, "mapped");
    cr_expect(!is_mapped(first) && first->shared_trouble.status == VN_OK);
    cr_assert(is_mapped(second) && second->shared_trouble.status == VN_OK, "%s", second->shared_trouble.text);
    same_key(&t, first);
    same_key(&t, second);
    vn_setup_free(first);
    struct vn_prover prover = t.prover;
    prover.setup = second;
    prover.verify_constraints = 1;
    for (size_t i = 0; i < t.n_shards; i++) {
        struct vn_digest leaf;
        struct vn_error err = {0};
        uint8_t *proof = NULL;
        size_t len = 0;
        cr_assert(vn_contribute(&prover, &t.shards[i], &leaf, &err) == VN_OK, "%s", err.text);
        cr_expect(memcmp(&leaf, &t.leaves[i], sizeof leaf) == 0);
        cr_assert(vn_prove_shard(&prover, &t.shards[i], &t.job, &proof, &len, &err) == VN_OK, "%s", err.text);
        cr_expect(len == t.proofs[i].len && memcmp(proof, t.proofs[i].data, len) == 0, "shard %zu", i);
        free(proof);
    }
    vn_setup_free(second);
    test_job_fini(&t);
}

static void damage(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;
    cr_assert(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 1;
    cr_assert(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

/* The next set-up sees it, makes its own and replaces the file; the one after maps again. */
static void expect_replaced(const struct test_job *t, const char *what)
{
    struct vn_setup *s = set_up(t, t->program, what);
    cr_expect(!is_mapped(s) && s->shared_trouble.status == VN_ERR_FORMAT, "%s: %s", what, s->shared_trouble.text);
    same_key(t, s);
    vn_setup_free(s);
    s = set_up(t, t->program, "mapped");
    cr_expect(is_mapped(s) && s->shared_trouble.status == VN_OK, "%s: %s", what, s->shared_trouble.text);
    same_key(t, s);
    vn_setup_free(s);
}

Test(shared, damaged_files_are_replaced)
{
    struct test_job t = run();
    char path[2][512], other[512];
    struct stat st;
    vn_setup_free(set_up(&t, t.program, "computed and published"));
    for (unsigned kind = 0; kind < 2; kind++)
        cr_assert(find_file(kind, path[kind]) == 1);
    cr_assert(stat(path[1], &st) == 0 && (st.st_mode & 07777) == 0600);
    damage(path[0], 40); /* header */
    expect_replaced(&t, "header damaged");
    damage(path[1], st.st_size - 1); /* the tree's root */
    expect_replaced(&t, "last node damaged");
    damage(path[1], 4096 + st.st_size / 2);
    expect_replaced(&t, "codeword damaged");
    cr_assert(truncate(path[0], 4096) == 0);
    expect_replaced(&t, "cut");
    (void)snprintf(other, sizeof other, "%s/x", folder);
    cr_assert(symlink("/dev/zero", other) == 0 && rename(other, path[0]) == 0);
    struct vn_setup *s = set_up(&t, t.program, "a link instead");
    cr_expect(!is_mapped(s) && s->shared_trouble.status == VN_ERR_IO);
    same_key(&t, s);
    vn_setup_free(s);

    /* sound tables of another program under this one's name */
    uint64_t value = t.program->image[0].value;
    struct vn_digest root = t.setup->vk.pre_root[VN_KIND_MEMORY];
    char copy[512];
    (void)snprintf(copy, sizeof copy, "%s/kept", folder);
    cr_assert(rename(path[1], copy) == 0);
    t.program->image[0].value = value + 1;
    s = set_up(&t, t.program, "another program");
    cr_expect(!is_mapped(s) && memcmp(&s->vk.pre_root[VN_KIND_MEMORY], &root, sizeof root) != 0);
    vn_setup_free(s);
    t.program->image[0].value = value;
    cr_assert(find_file(1, other) == 1 && strcmp(other, path[1]) != 0 && rename(other, path[1]) == 0);
    expect_replaced(&t, "another program's tables");
    test_job_fini(&t);
}

Test(shared, processes_at_once)
{
    struct test_job t = run();
    char path[512];
    pid_t children[2];
    for (unsigned i = 0; i < 2; i++) {
        children[i] = fork();
        cr_assert(children[i] >= 0);
        if (children[i] == 0) {
            struct vn_setup *s = NULL;
            struct vn_error err = {0};
            int ok = vn_setup_new_shared(&s, t.program, t.prover.backend, NULL, NULL, folder, &err) == VN_OK && s->shared_trouble.status == VN_OK;
            _exit(!ok);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        int status = 0;
        cr_assert(waitpid(children[i], &status, 0) == children[i] && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    cr_expect(find_file(0, path) == 1 && find_file(1, path) == 1);
    struct vn_setup *s = set_up(&t, t.program, "mapped");
    cr_expect(is_mapped(s));
    vn_setup_free(s);
    test_job_fini(&t);
}

Test(shared, an_open_folder_is_not_used)
{
    struct test_job t = run();
    char path[512];
    cr_assert(chmod(folder, 0755) == 0);
    struct vn_setup *s = set_up(&t, t.program, "folder open to others");
    cr_expect(!is_mapped(s) && s->shared_trouble.status == VN_ERR_PERMISSION && find_file(0, path) == 0);
    same_key(&t, s);
    vn_setup_free(s);
    cr_assert(rmdir(folder) == 0);
    s = set_up(&t, t.program, "no folder");
    cr_expect(!is_mapped(s) && s->shared_trouble.status == VN_ERR_IO);
    vn_setup_free(s);
    test_job_fini(&t);
}
