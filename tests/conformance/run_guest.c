/* Runs guest programs for the comparison with qemu and prints their 256 output bytes as hex, one line a program.
 *   run_guest [-i INPUT] [-k SHARD_LOG2] [-m MAX_STEPS] [-r] [-s] [-x] ELF...
 * -r replays every shard and checks that shards and memory rows fit together; -s prints steps and times to stderr.
 * -x only executes (no -k, no -r): what cannot be proved yet is allowed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "services/prover-engine/vm/exec.h"

struct checks {
    const struct vn_program *program;
    int replay;
    double replay_seconds;
    uint64_t rows, bumps;
    struct vn_error err;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
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

static void print_text(void *ctx, const char *bytes, size_t n)
{
    (void)ctx;
    fwrite(bytes, 1, n, stderr);
}

static int check_shard(void *ctx, const struct vn_shard *s)
{
    struct checks *c = ctx;
    c->rows += s->n_boundary + s->n_memory;
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

static int run(const char *path, const uint8_t *input, size_t input_len, unsigned shard_log2, uint64_t max_steps, int replay, int stats, int execute_only)
{
    size_t len;
    uint8_t *elf = read_file(path, &len);
    struct vn_error err;
    struct vn_program *p;
    if ((execute_only ? vn_program_load_to_execute : vn_program_load)(&p, elf, len, VN_ABI_AUTO, &err)) {
        fprintf(stderr, "run_guest: %s: %s\n", path, err.text);
        return 1;
    }
    free(elf);
    struct checks c = {.program = p, .replay = replay};
    struct vn_exec_options o = {.shard_log2 = shard_log2, .max_steps = max_steps, .input = input, .input_len = input_len, .uart = print_text, .on_shard = check_shard, .ctx = &c,
                                .track = shard_log2 != 0, .execute_only = execute_only};
    struct vn_exec_result result;
    double start = now();
    enum vn_status s = vn_execute(p, &o, &result, &err);
    double seconds = now() - start - c.replay_seconds;
    vn_program_free(p);
    if (s) {
        fprintf(stderr, "run_guest: %s: %s\n", path, s == VN_ERR_CANCELLED ? c.err.text : err.text);
        return 1;
    }
    for (unsigned i = 0; i < VN_OUTPUT_BYTES; i++)
        printf("%02x", result.output[i]);
    printf("\n");
    if (stats) {
        fprintf(stderr, "%" PRIu64 " steps, %u + %u shards, %" PRIu64 " rows, %" PRIu64 " bumps, %.3f s: %.0f M/s", result.steps, result.n_exec, result.n_mem,
                c.rows, c.bumps, seconds, (double)result.steps / seconds * 1e-6);
        if (replay)
            fprintf(stderr, "; replay %.3f s: %.0f M/s", c.replay_seconds, (double)result.steps / c.replay_seconds * 1e-6);
        fprintf(stderr, "\n");
    }
    return 0;
}

int main(int argc, char **argv)
{
    unsigned shard_log2 = 0;
    uint64_t max_steps = 0;
    int replay = 0, stats = 0, execute_only = 0, c;
    uint8_t *input = NULL;
    size_t input_len = 0;
    while ((c = getopt(argc, argv, "i:k:m:rsx")) != -1) {
        if (c == 'i')
            input = read_file(optarg, &input_len);
        else if (c == 'k')
            shard_log2 = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'm')
            max_steps = strtoull(optarg, NULL, 10);
        else if (c == 'r')
            replay = 1;
        else if (c == 's')
            stats = 1;
        else if (c == 'x')
            execute_only = 1;
        else
            return 2;
    }
    int failed = 0;
    for (int i = optind; i < argc; i++)
        failed |= run(argv[i], input, input_len, shard_log2, max_steps, replay, stats, execute_only);
    free(input);
    return failed;
}
