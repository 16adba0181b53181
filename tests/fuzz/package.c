/* Files of the job directory that another process wrote: witness packages and the run's summary. What opens must replay or be refused, and phase 1 of
 * it must fit its tables. First byte: which file. The mutator repairs lengths and checksums, since a buggy peer writes those correctly. */
#include <fcntl.h>
#include <unistd.h>

#include "air_tables.h"
#include "services/prover-engine/air/trace.h"
#include "services/prover-engine/vm/package.h"
#include "tests/fuzz/fuzz.h"

enum { EXECUTION = 0, MEMORY = 1, SUMMARY = 2, FILES = 3 };
static const char *const names[FILES] = {"shard-1.pkg", "shard-2.pkg", "run.sum"};

static int directory = -1;
static struct vn_program *program;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    size_t len;
    struct vn_error err = {0};
    uint8_t *elf = fuzz_data("guest.elf", &len);
    must(vn_program_load(&program, elf, len, VN_ABI_B, &err) == VN_OK);
    free(elf);
    fuzz_directory(&directory);
    return 0;
}

/* ---- the container, as vm/package.c writes it ---- */

enum { HEADER = 64, ENTRY = 32, LENGTH_AT = 8, COUNT_AT = 16, CHECKSUM_AT = 24, ENTRY_ELEMENT = 4, ENTRY_OFFSET = 8, ENTRY_COUNT = 16, ENTRY_CHECKSUM = 24 };

static uint64_t get(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

static uint64_t fnv(const uint8_t *p, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* Counts of the sections from the file's length where the last one grew or shrank, then every checksum. */
static void repair(uint8_t *file, size_t len)
{
    uint64_t n = len >= HEADER ? get(file + COUNT_AT, 4) : 0;
    if (n == 0 || n > 4 || len < HEADER + n * ENTRY)
        return;
    put64(file + LENGTH_AT, len);
    for (uint64_t i = 0; i < n; i++) {
        uint8_t *e = file + HEADER + i * ENTRY;
        uint64_t element = get(e + ENTRY_ELEMENT, 4), offset = get(e + ENTRY_OFFSET, 8), count = get(e + ENTRY_COUNT, 8);
        if (element == 0 || offset > len)
            return;
        if (count > (len - offset) / element) {
            count = (len - offset) / element;
            put64(e + ENTRY_COUNT, count);
        }
        put64(e + ENTRY_CHECKSUM, fnv(file + offset, (size_t)(element * count)));
    }
    put64(file + CHECKSUM_AT, 0);
    put64(file + CHECKSUM_AT, fnv(file, HEADER + (size_t)n * ENTRY));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t state = seed;
    size_t body = HEADER + 3 * ENTRY + 1;
    if (size > body && fuzz_random(&state) % 8) /* contents, of the same length */
        LLVMFuzzerMutate(data + body, size - body, size - body);
    else
        size = LLVMFuzzerMutate(data, size, max_size);
    if (size > 1 && fuzz_random(&state) % 8)
        repair(data + 1, size - 1);
    return size;
}

/* ---- what is done with a file that opens ---- */

static uint32_t **columns(unsigned n, unsigned log_height)
{
    uint32_t **c = calloc(n + 1, sizeof *c);
    must(c);
    for (unsigned i = 0; i < n; i++)
        must((c[i] = calloc((size_t)1 << log_height, sizeof **c)) != NULL);
    return c;
}

static void fill_phase1(const struct vn_shard *s, const struct vn_replay *replay)
{
    struct vn_trace t = {0};
    struct vn_error err = {0};
    unsigned table = s->kind == VN_SHARD_MEMORY ? VN_TABLE_MEMORY : VN_TABLE_BOUNDARY, n = vn_air_tables[table].n_p1;
    if (vn_trace_heights(program, s, replay, t.log_height, &err) != VN_OK)
        return;
    t.p1[table] = columns(n, t.log_height[table]);
    enum vn_status status = vn_trace_fill_p1(&t, s, &err);
    must(status == VN_OK || err.text[0]);
    for (unsigned i = 0; i < n; i++)
        free(t.p1[table][i]);
    free(t.p1[table]);
}

static void open_package(uint32_t index)
{
    struct vn_package p;
    struct vn_error err = {0};
    if (vn_package_open(&p, directory, index, &err) != VN_OK) {
        must(err.text[0]);
        return;
    }
    must(p.shard.index == index && p.shard.n_boundary <= VN_MAX_TABLE_ROWS && p.shard.n_memory <= VN_MAX_TABLE_ROWS);
    if (p.shard.kind == VN_SHARD_EXECUTION) {
        struct vn_replay replay;
        if (vn_replay_shard(program, &p.shard, &replay, &err) == VN_OK) {
            must(replay.n_steps == p.shard.steps);
            fill_phase1(&p.shard, &replay);
            vn_replay_fini(&replay);
        } else {
            must(err.text[0]);
        }
    } else {
        fill_phase1(&p.shard, NULL);
    }
    vn_package_close(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    unsigned which = data[0] % FILES;
    int fd = openat(directory, names[which], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1) && close(fd) == 0);
    if (which == SUMMARY) {
        struct vn_exec_result r;
        struct vn_error err = {0};
        if (vn_run_read(directory, &r, &err) == VN_OK)
            must(r.steps > 0 && r.n_exec <= VN_MAX_SHARDS && r.n_mem <= VN_MAX_SHARDS);
        else
            must(err.text[0]);
    } else {
        open_package(which + 1);
    }
    return 0;
}
