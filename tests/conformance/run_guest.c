/* Runs guest programs for the comparison with qemu and prints their 256 output bytes as hex, one line a program.
 *   run_guest [-i INPUT] [-k SHARD_LOG2] [-m MAX_STEPS] [-r] [-s] [-n] ELF...
 * -r replays every shard and checks that shards and memory rows fit together; -s prints steps and times to stderr.
 * -n runs every program natively too, after the interpreter: shards, rows, result, console and failure must be the same. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "services/prover-engine/vm/exec.h"
#include "services/prover-engine/vm/native/native.h"

struct checks {
    const struct vn_program *program;
    int replay;
    double replay_seconds;
    uint64_t rows, bumps;
    uint64_t digest; /* of shards and console */
    struct vn_error err;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) {
        fprintf(stderr, "run_guest: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    long n = ftell(f);
    rewind(f);
    uint8_t *bytes = malloc((size_t)n + 1);
    if (!bytes || fread(bytes, 1, (size_t)n, f) != (size_t)n) {
        fprintf(stderr, "run_guest: cannot read %s\n", path);
        exit(2);
    }
    fclose(f);
    *len = (size_t)n;
    return bytes;
}

static void digest(struct checks *c, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (size_t k = 0, take; k < n; k += take) {
        uint64_t word = 0;
        take = n - k < 8 ? n - k : 8;
        memcpy(&word, p + k, take);
        c->digest = (c->digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        c->digest ^= c->digest >> 32;
    }
}

static void print_text(void *ctx, const char *bytes, size_t n)
{
    digest(ctx, bytes, n);
    fwrite(bytes, 1, n, stderr);
}

static int check_shard(void *ctx, const struct vn_shard *s)
{
    struct checks *c = ctx;
    c->rows += s->n_boundary + s->n_memory;
    digest(c, s, offsetof(struct vn_shard, boundary));
    digest(c, s->boundary, s->n_boundary * sizeof *s->boundary);
    digest(c, s->memory, s->n_memory * sizeof *s->memory);
    if (!c->replay || s->kind != VN_SHARD_EXECUTION)
        return 0;
    struct vn_replay r;
    double start = now();
    if (vn_replay_shard(c->program, s, &r, &c->err))
        return 1;
    c->replay_seconds += now() - start;
    c->bumps += r.n_bumps;
    vn_replay_fini(&r);
    return 0;
}

struct settings {
    const uint8_t *input;
    size_t input_len;
    unsigned shard_log2;
    uint64_t max_steps;
    int replay, stats, native;
};

struct outcome {
    enum vn_status status;
    struct vn_exec_result result;
    struct checks checks;
    struct vn_error err;
};

static void execute(const struct vn_program *p, const struct settings *t, struct vn_native *native, struct outcome *out)
{
    memset(out, 0, sizeof *out);
    struct checks *c = &out->checks;
    *c = (struct checks){.program = p, .replay = t->replay};
    struct vn_exec_options o = {.shard_log2 = t->shard_log2, .max_steps = t->max_steps, .input = t->input, .input_len = t->input_len, .uart = print_text,
                                .on_shard = check_shard, .ctx = c, .track = t->shard_log2 != 0, .native = native};
    double start = now();
    out->status = vn_execute(p, &o, &out->result, &out->err);
    double seconds = now() - start - c->replay_seconds;
    if (!t->stats || out->status)
        return;
    fprintf(stderr, "%s%" PRIu64 " steps, %u + %u shards, %" PRIu64 " rows, %" PRIu64 " bumps, %.3f s: %.0f M/s", native ? "native: " : "", out->result.steps,
            out->result.n_exec, out->result.n_mem, c->rows, c->bumps, seconds, (double)out->result.steps / seconds * 1e-6);
    if (t->replay)
        fprintf(stderr, "; replay %.3f s: %.0f M/s", c->replay_seconds, (double)out->result.steps / c->replay_seconds * 1e-6);
    fprintf(stderr, "\n");
}

/* Returns 0 if the native run came to the same. */
static int compare_native(const char *path, const struct vn_program *p, const struct settings *t, const struct outcome *expected)
{
    struct vn_native *native;
    struct vn_error notice, err;
    struct outcome o;
    if (vn_native_open(&native, p, &(struct vn_native_options){0}, &notice, &err)) {
        fprintf(stderr, "run_guest: %s: %s\n", path, err.text);
        return 1;
    }
    execute(p, t, native, &o);
    vn_native_close(native);
    if (o.status == expected->status && o.checks.digest == expected->checks.digest &&
        (o.status ? strcmp(o.err.text, expected->err.text) == 0 : memcmp(&o.result, &expected->result, sizeof o.result) == 0))
        return 0;
    fprintf(stderr, "run_guest: %s: DIFFERENT natively: %" PRIu64 " and %" PRIu64 " steps, digests %016" PRIx64 " and %016" PRIx64 ", \"%s\" and \"%s\"\n", path,
            expected->result.steps, o.result.steps, expected->checks.digest, o.checks.digest, expected->err.text, o.err.text);
    return 1;
}

static int run(const char *path, const struct settings *t)
{
    size_t len;
    uint8_t *elf = read_file(path, &len);
    struct vn_error err;
    struct vn_program *p;
    if (vn_program_load(&p, elf, len, VN_ABI_AUTO, &err)) {
        fprintf(stderr, "run_guest: %s: %s\n", path, err.text);
        return 1;
    }
    free(elf);
    struct outcome o;
    execute(p, t, NULL, &o);
    int different = t->native && compare_native(path, p, t, &o);
    vn_program_free(p);
    if (o.status) {
        fprintf(stderr, "run_guest: %s: %s\n", path, o.status == VN_ERR_CANCELLED ? o.checks.err.text : o.err.text);
        return 1;
    }
    for (unsigned i = 0; i < VN_OUTPUT_BYTES; i++)
        printf("%02x", o.result.output[i]);
    printf("\n");
    return different;
}

int main(int argc, char **argv)
{
    struct settings t = {0};
    int c;
    uint8_t *input = NULL;
    while ((c = getopt(argc, argv, "i:k:m:rsn")) != -1) {
        if (c == 'i')
            t.input = input = read_file(optarg, &t.input_len);
        else if (c == 'k')
            t.shard_log2 = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'm')
            t.max_steps = strtoull(optarg, NULL, 10);
        else if (c == 'r')
            t.replay = 1;
        else if (c == 's')
            t.stats = 1;
        else if (c == 'n')
            t.native = 1;
        else
            return 2;
    }
    int failed = 0;
    for (int i = optind; i < argc; i++)
        failed |= run(argv[i], &t);
    free(input);
    return failed;
}
