/* Makes what the fuzz targets start from: DIR/data/ holds the large files that targets load themselves (a proved job), DIR/<target>/ a seed corpus.
 * Everything comes from the engine and from the protocol code of this build; nothing is kept in the repository. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/prover-engine/vm/package.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/stark/job.h"
#include "tests/unit/vm/elf_builder.h"

static const char *root;

void test_fail(const char *what, const struct vn_error *err)
{
    fprintf(stderr, "fuzz-seeds: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

void seed_write(const char *target, const char *name, const void *bytes, size_t len)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, target);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        test_fail(path, NULL);
    snprintf(path, sizeof path, "%s/%s/%s", root, target, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
        test_fail(path, NULL);
}

void seed_write_tagged(const char *target, const char *name, uint8_t tag, const void *bytes, size_t len)
{
    uint8_t *all = malloc(len + 1);
    must(all);
    all[0] = tag;
    memcpy(all + 1, bytes, len);
    seed_write(target, name, all, len + 1);
    free(all);
}

static void copy_file(const char *target, const char *name, uint8_t tag, int dir, const char *file)
{
    struct stat st;
    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        test_fail(file, NULL);
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    must(bytes && read(fd, bytes, (size_t)st.st_size) == st.st_size);
    seed_write_tagged(target, name, tag, bytes, (size_t)st.st_size);
    free(bytes);
    close(fd);
}

/* ---- proofs, packages ---- */

/* Reads a number, counts it down through memory, leaves something in the output. */
static const uint32_t guest[] = {
    RV_LD(6, 10, 16), RV_LUI(5, 0x50010), RV_SLLI(5, 5, 1), RV_SD(6, 5, 0), RV_LD(7, 5, 0), RV_ADD(8, 8, 7), RV_ADDI(5, 5, 8), RV_ADDI(6, 6, 0xfff),
    RV_BNE(6, 0, -20), RV_SD(8, 11, 0), RV_RET,
};

static void proof_seeds(void)
{
    struct elf e = elf_of_code(guest, sizeof guest / sizeof *guest);
    size_t len;
    uint8_t *elf = elf_build(&e, &len);
    const uint64_t input[2] = {8, 5};
    struct vn_exec_options o = {.shard_log2 = 20, .input = (const uint8_t *)input, .input_len = sizeof input};
    struct test_job t;
    struct vn_error err = {0};
    int dir;
    seed_write("data", "guest.elf", elf, len);
    seed_write("elf", "guest", elf, len);
    test_job_execute(&t, elf, len, VN_ABI_B, &o);
    free(elf);

    fuzz_directory(&dir);
    for (size_t i = 0; i < t.n_shards; i++)
        if (vn_package_write(dir, &t.shards[i], &err) != VN_OK)
            test_fail("package", &err);
    if (t.n_shards != 2 || vn_run_write(dir, &t.run, &err) != VN_OK)
        test_fail("run summary", &err);
    copy_file("package", "execution", 0, dir, "shard-1.pkg");
    copy_file("package", "memory", 1, dir, "shard-2.pkg");
    copy_file("package", "summary", 2, dir, "run.sum");
    close(dir);

    test_job_setup(&t, vn_backend_select(NULL), 2);
    test_job_contribute(&t);
    test_job_prove(&t);
    test_job_bundle(&t);
    seed_write("data", "bundle.bin", t.bundle, t.bundle_len);

    /* For the target `proof`: each operation somewhere near the front and somewhere among the openings, on the bundle and on each shard. */
    for (uint8_t which = 0; which < 3; which++)
        for (uint8_t op = 0; op < 9; op++) {
            const uint8_t edits[] = {which, op, (uint8_t)(37 * op + 1), 2, 0, 0, 3, 0, 0, 0};
            const uint8_t late[] = {which, op, 0, 0xff, (uint8_t)(3 * op), 2, 3, 0, 0, 0};
            char name[32];
            snprintf(name, sizeof name, "front-%u-%u", which, op);
            seed_write("proof", name, edits, sizeof edits);
            snprintf(name, sizeof name, "openings-%u-%u", which, op);
            seed_write("proof", name, late, sizeof late);
        }
    /* For the target `verifier`: the heads of the bundle, without and with the first shard's header. */
    uint8_t head[2 + 2048] = {0};
    memcpy(head + 2, t.bundle, 2048);
    seed_write("verifier", "head", head, 2 + 700);
    seed_write("verifier", "header", head, sizeof head);
    test_job_fini(&t);
}

/* ---- programs ---- */

static void elf_seed(const char *name, const struct elf *e)
{
    size_t len;
    uint8_t *elf = elf_build(e, &len);
    seed_write("elf", name, elf, len);
    free(elf);
}

static void program_seeds(void)
{
    static const uint64_t constants[] = {1, 2, 3};
    static const uint32_t compressed[] = {0x00010001, 0x00008082}; /* c.nop c.nop; c.jr ra */
    struct elf e = elf_of_code(guest, sizeof guest / sizeof *guest);
    e.sections[e.n_sections++] = (struct elf_section){".rodata", ELF_PROGBITS, ELF_A, 0x80100000, sizeof constants, constants};
    e.sections[e.n_sections++] = (struct elf_section){".data", ELF_PROGBITS, ELF_A | ELF_W, 0xa0020000, sizeof constants, constants};
    e.sections[e.n_sections++] = (struct elf_section){".bss", ELF_NOBITS, ELF_A | ELF_W, 0xa0030000, 0x1000, NULL};
    elf_seed("sections", &e);
    e = elf_of_code(compressed, 2);
    e.flags = 1;
    elf_seed("compressed", &e);

    static const uint32_t calls[] = {0x0ff0000f /* fence */, RV_UNIMP, 0x00000013, 0x8f05b073 /* csrrc */, 0x1005252f /* lr.w */, 0x18b525af /* sc.w */};
    uint8_t code[2 + sizeof guest] = {0, 2};
    memcpy(code + 2, guest, sizeof guest);
    seed_write("execute", "loop", code, sizeof code);
    memcpy(code + 2, calls, sizeof calls);
    seed_write("execute", "calls", code, 2 + sizeof calls);
    for (uint8_t i = 0; i < 6; i++) { /* arbitrary words, dressed as RV64IM */
        uint8_t random[2 + 200];
        uint64_t state = i;
        for (size_t k = 0; k < sizeof random; k++)
            random[k] = (uint8_t)fuzz_random(&state);
        random[0] = 1;
        char name[16];
        snprintf(name, sizeof name, "random-%u", i);
        seed_write("execute", name, random, sizeof random);
    }
}

/* ---- small texts and streams ---- */

static void hint_seeds(void)
{
    const uint64_t start = 0, end = UINT64_C(1) << 32, input = UINT64_C(0xf0000) << 32 | 5, kept = UINT64_C(0x80000001) << 32 | 9;
    const uint64_t words[] = {start, input, 0x0504030201, kept, 1, 2, end};
    seed_write_tagged("hints", "whole", 0, words, sizeof words);
    seed_write_tagged("hints", "backwards", 7, words, sizeof words);
    seed_write_tagged("hints", "empty", 0, (const uint64_t[]){start, end}, 16);
    seed_write_tagged("hints", "cancelled", 0, (const uint64_t[]){start, UINT64_C(2) << 32}, 16);
}

static void text_seeds(void)
{
    static const char url[] = "https://example.org/done/{$job_id}?a=b\0" "123e4567-e89b\0" "it failed: \"x\"\n\0" "\1\2\3\4\5\6\7\10\11";
    static const char plain[] = "http://example.org?x\0" "a/b\0" "A";
    seed_write("webhook", "token", url, sizeof url - 1);
    seed_write("webhook", "appended", plain, sizeof plain - 1);
}

/* Fields 1 to 3 as text, number and message. */
static void wire_seeds(void)
{
    static const uint8_t message[] = {0x0a, 3, 'a', 'b', 'c', 0x10, 0x85, 1, 0x1a, 2, 0x08, 1};
    for (uint8_t type = 0; type < 7; type++) {
        char name[16];
        snprintf(name, sizeof name, "message-%u", type);
        seed_write_tagged("wire", name, type, message, sizeof message);
    }
}

static void config_seeds(const char *source)
{
    static const char *const files[] = {"worker/dev.ini", "worker/prod.ini", "coordinator/dev.ini", "coordinator/prod.ini"};
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/etc", source);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        test_fail(folder, NULL);
    for (unsigned i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "file-%u", i);
        copy_file("config", name, i < 2, dir, files[i]);
    }
    close(dir);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "Usage: fuzz-seeds DIR SOURCE_DIR\n");
        return 2;
    }
    root = argv[1];
    if (mkdir(root, 0755) != 0 && errno != EEXIST)
        test_fail(root, NULL);
    proof_seeds();
    program_seeds();
    hint_seeds();
    text_seeds();
    wire_seeds();
    config_seeds(argv[2]);
    message_seeds();
    return 0;
}
