/* The subcommands used by hand. Options come from one table each (libshared/config.h); work is done by work.c. */
#include "services/prover-engine/engine/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/config.h"
#include "libshared/file.h"
#include "libshared/process.h"
#include "services/prover-engine/air/trace_rows.h"
#include "services/prover-engine/engine/execute.h"
#include "services/prover-engine/engine/scratch.h"
#include "services/prover-engine/engine/work.h"

#define INPUT_BYTES_MAX (1ull << 30)
#define PROOF_BYTES_MAX (4ull << 30)

struct options {
    char *elf, *input, *abi, *output, *dir, *shards, *backend, *proving_key, *signature, *asm_dir;
    uint64_t shard_log2, threads, max_steps, json, verify_constraints, minimal_memory, preallocate, soundcalc, quiet, emulator, unlock_memory;
};

#define OPT(name_, type_, field_, value_, help_, ...) \
    {.flag = name_, .type = type_, .offset = offsetof(struct options, field_), .value_name = value_, .help = help_, ##__VA_ARGS__}
#define OPT_ELF OPT("elf", VN_CONFIG_STRING, elf, "FILE", "guest program (ELF64, RV64IMAC)")
#define OPT_ABI OPT("abi", VN_CONFIG_STRING, abi, "A|B|C", "generation of the guest ABI; default: recognised from the ELF", .choices = "A|B|C")
#define OPT_KEY OPT("proving-key", VN_CONFIG_STRING, proving_key, "DIR", "folder that keeps set-up results")
#define OPT_THREADS OPT("threads", VN_CONFIG_NUMBER, threads, "N", "threads; default: one per CPU", .max = 1024)
#define OPT_BACKEND OPT("backend", VN_CONFIG_STRING, backend, "NAME", "instruction set, or cuda: a GPU; default: auto, the best this CPU has", .choices = "auto|scalar|avx2|avx512|cuda")
#define OPT_DIR OPT("dir", VN_CONFIG_STRING, dir, "DIR", "job directory (best in /dev/shm)")
#define OPT_SHARDS OPT("shards", VN_CONFIG_STRING, shards, "LIST", "shard numbers, e.g. 1,2,5; default: all")
#define OPT_SHARD_LOG2 OPT("shard-log2", VN_CONFIG_NUMBER, shard_log2, "K", "at most 2^K instructions a shard; default 20", .min = VN_MIN_SHARD_LOG2, .max = VN_MAX_SHARD_LOG2)
#define OPT_MAX_STEPS OPT("max-steps", VN_CONFIG_NUMBER, max_steps, "N", "give up after this many instructions; default 2^36", .max = 1ull << 40)
#define OPT_JSON OPT("json", VN_CONFIG_BOOL, json, NULL, "print one JSON object")
#define OPT_PREALLOCATE OPT("preallocate", VN_CONFIG_BOOL, preallocate, NULL, "with --backend cuda: take 90 % of the GPU's memory at the start", .short_flag = 'z')
#define OPT_MINIMAL OPT("minimal-memory", VN_CONFIG_BOOL, minimal_memory, NULL, "make codewords again instead of keeping them; the same proof", .short_flag = 'm')
#define OPT_ASM \
    OPT("asm", VN_CONFIG_STRING, asm_dir, "DIR", "execute natively, and keep the translated program in DIR", .short_flag = 's', .conflicts = "emulator"), \
        OPT("emulator", VN_CONFIG_BOOL, emulator, NULL, "interpret the program; the default here", .short_flag = 'l'), \
        OPT("unlock-mapped-memory", VN_CONFIG_BOOL, unlock_memory, NULL, "do not lock the translated program in memory", .conflicts = "emulator")
#define OPT_CHECK OPT("verify-constraints", VN_CONFIG_BOOL, verify_constraints, NULL, "check every row and bus before committing")

static int failed(const char *command, enum vn_status status, const struct vn_error *err)
{
    fprintf(stderr, "venus-engine %s: %s\n", command, err->text[0] ? err->text : vn_status_text(status));
    return vn_status_exit_code(status);
}

/* Parses; returns -1 to go on, else the exit code. */
static int parse(const char *usage, const char *about, const struct vn_config_item *items, struct options *o, int argc, char **argv,
                 const char **positional, unsigned max_positional, unsigned *n_positional)
{
    char program[64];
    snprintf(program, sizeof program, "venus-engine %s", argv[0]);
    struct vn_config_spec spec = {.program = program, .usage = usage, .about = about, .items = items, .max_positional = max_positional};
    struct vn_error err = {0};
    int done = 0;
    unsigned n = 0;
    const char *none[1];
    enum vn_status status = vn_config_load(&spec, o, argc, argv, positional ? positional : none, &n, &done, &err);
    if (n_positional)
        *n_positional = n;
    if (status != VN_OK)
        return failed(argv[0], status, &err);
    return done ? 0 : -1;
}

static void release(const struct vn_config_item *items, struct options *o)
{
    struct vn_config_spec spec = {.program = "venus-engine", .items = items};
    vn_config_fini(&spec, o);
}

static enum vn_status need(const char *value, const char *flag, struct vn_error *err)
{
    return value ? VN_OK : vn_fail(err, VN_ERR_ARGUMENT, "%s is missing; see --help", flag);
}

static struct vn_work_options work_options(const struct options *o)
{
    return (struct vn_work_options){
        .elf_path = o->elf,
        .cache_dir = o->proving_key,
        .abi = o->abi ? (enum vn_abi)o->abi[0] : VN_ABI_AUTO,
        .threads = (unsigned)o->threads,
        .backend = o->backend,
        .preallocate_percent = o->preallocate ? 90 : 0,
        .verify_constraints = (int)o->verify_constraints,
        .minimal_memory = (int)o->minimal_memory,
        .native = o->asm_dir != NULL,
        .native_dir = o->asm_dir,
        .lock_native = !o->unlock_memory,
    };
}

static void print_hex(FILE *f, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%02x", bytes[i]);
}

/* A digest as 72 hex digits: its nine canonical elements, each as eight digits. */
static void print_digest(FILE *f, const struct vn_digest *d)
{
    for (int i = 0; i < VN_DIGEST_LEN; i++)
        fprintf(f, "%08x", vn_fp_to(d->c[i]));
}

static void print_json_text(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(f, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(f, "\\u%04x", *text);
        else
            fputc(*text, f);
    }
    fputc('"', f);
}

/* ---- setup ---- */

int vn_command_setup(int argc, char **argv)
{
    static const struct vn_config_item items[] = {OPT_ELF, OPT_ABI, OPT_KEY, OPT_ASM, OPT_THREADS, OPT_BACKEND, OPT_JSON, {0}};
    struct options o = {0};
    int code = parse("--elf FILE [options]", "Commits to a program and prints the digest of its verifying key.", items, &o, argc, argv, NULL, 0, NULL);
    if (code >= 0)
        return code;
    struct vn_error err = {0};
    struct vn_work w = {0};
    uint64_t start = vn_clock_monotonic_ns();
    struct vn_work_options wo = work_options(&o);
    enum vn_status status = need(o.elf, "--elf", &err);
    if (status == VN_OK)
        status = vn_work_open(&w, &wo, &err);
    if (status == VN_OK)
        status = vn_work_setup(&w, &err);
    if (status == VN_OK)
        (void)vn_work_native(&w); /* kept for the runs to come */
    if (status == VN_OK) {
        double seconds = (double)(vn_clock_monotonic_ns() - start) / 1e9;
        printf(o.json ? "{\"vk\":\"" : "verifying key  ");
        print_digest(stdout, &w.setup->vk_digest);
        if (o.json)
            printf("\",\"instructions\":%zu,\"image_words\":%zu,\"seconds\":%.3f}\n", w.program->n_insns, w.program->n_image, seconds);
        else
            printf("\ninstructions   %zu\nimage words    %zu\ntime           %.2f s\n", w.program->n_insns, w.program->n_image, seconds);
    }
    vn_work_close(&w);
    code = status == VN_OK ? 0 : failed("setup", status, &err);
    release(items, &o);
    return code;
}

/* ---- execute ---- */

static void print_uart(void *ctx, const char *bytes, size_t n)
{
    (void)ctx;
    fwrite(bytes, 1, n, stderr);
}

/* Instructions per table, for people who want to know what their program costs. */
static void print_costs(FILE *f, const struct vn_exec_result *r, int json)
{
    uint64_t rows[VN_AIR_MAX_TABLES] = {0};
    for (unsigned op = 0; op < VN_OP_COUNT; op++) {
        if (vn_row_rules[op].fill)
            rows[vn_row_rules[op].table] += r->op_count[op];
    }
    const char *separator = "";
    for (unsigned t = 0; t < vn_air_table_count; t++) {
        if (!rows[t])
            continue;
        const struct vn_air_table *a = &vn_air_tables[t];
        unsigned cells = a->n_p1 + a->n_main + 6u * (a->n_logup[VN_SCOPE_LOCAL] + a->n_logup[VN_SCOPE_GLOBAL]);
        if (json)
            fprintf(f, "%s{\"table\":\"%s\",\"rows\":%llu,\"cells\":%llu}", separator, a->name, (unsigned long long)rows[t],
                    (unsigned long long)(rows[t] * cells));
        else
            fprintf(f, "  %-12s %14llu rows %16llu cells\n", a->name, (unsigned long long)rows[t], (unsigned long long)(rows[t] * cells));
        separator = ",";
    }
}

static enum vn_status open_dir(const char *path, int *dirfd, struct vn_error *err)
{
    *dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*dirfd < 0)
        return vn_fail(err, VN_ERR_IO, "cannot open the job directory %s: %s", path, strerror(errno));
    return VN_OK;
}

static enum vn_status read_input(const char *path, uint8_t **input, size_t *len, struct vn_error *err)
{
    if (path)
        return vn_file_read(AT_FDCWD, path, INPUT_BYTES_MAX, input, len, err);
    *input = calloc(1, 1);
    *len = 0;
    return *input ? VN_OK : vn_fail(err, VN_ERR_MEMORY, "out of memory");
}

static enum vn_status execute_plain(struct vn_work *w, const struct options *o, struct vn_exec_result *r, struct vn_exec_counts *counts, struct vn_error *err)
{
    uint8_t *input = NULL;
    size_t len = 0;
    enum vn_status status = read_input(o->input, &input, &len, err);
    if (status != VN_OK)
        return status;
    struct vn_exec_options x = {.max_steps = o->max_steps, .input = input, .input_len = len, .uart = print_uart, .execute_only = 1, .counts = counts, .native = vn_work_native(w)};
    status = o->signature ? vn_execute_signature(w->program, &x, o->signature, r, err) : vn_execute(w->program, &x, r, err);
    free(input);
    return status;
}

static enum vn_status execute_into(struct vn_work *w, int dirfd, const struct options *o, struct vn_exec_result *r, struct vn_error *err)
{
    uint8_t *input = NULL;
    size_t len = 0;
    enum vn_status status = read_input(o->input, &input, &len, err);
    if (status == VN_OK)
        status = vn_file_write(dirfd, "input.bin", input, len, err);
    free(input);
    struct vn_work_execute e = {.shard_log2 = (unsigned)o->shard_log2, .max_steps = o->max_steps, .job_units = 1, .uart = print_uart};
    return status == VN_OK ? vn_work_execute(w, dirfd, &e, r, err) : status;
}

int vn_command_execute(int argc, char **argv)
{
    static const struct vn_config_item items[] = {
        OPT_ELF, OPT("input", VN_CONFIG_STRING, input, "FILE", "input image (see pack-input); default: empty"), OPT_ABI, OPT_DIR, OPT_SHARD_LOG2,
        OPT("signature", VN_CONFIG_STRING, signature, "FILE", "write the architecture tests' signature region; not with --dir"), OPT_ASM, OPT_MAX_STEPS, OPT_JSON, {0}};
    struct options o = {0};
    int code = parse("--elf FILE [--input FILE] [options]", "Runs a program and prints steps, public output and rows per table.", items, &o, argc, argv, NULL, 0,
                     NULL);
    if (code >= 0)
        return code;
    struct vn_error err = {0};
    struct vn_work w = {0};
    struct vn_exec_result r = {0};
    struct vn_exec_counts counts = {0};
    int dirfd = -1;
    struct vn_work_options wo = work_options(&o);
    enum vn_status status = need(o.elf, "--elf", &err);
    if (status == VN_OK && o.dir && o.signature)
        status = vn_fail(&err, VN_ERR_ARGUMENT, "--signature goes without --dir");
    if (status == VN_OK)
        status = vn_work_open(&w, &wo, &err);
    if (status == VN_OK && o.dir)
        status = open_dir(o.dir, &dirfd, &err);
    uint64_t start = vn_clock_monotonic_ns();
    if (status == VN_OK)
        status = o.dir ? execute_into(&w, dirfd, &o, &r, &err) : execute_plain(&w, &o, &r, &counts, &err);
    double seconds = (double)(vn_clock_monotonic_ns() - start) / 1e9;
    if (status == VN_OK && o.json) {
        printf("{\"steps\":%llu,\"public_outputs\":\"", (unsigned long long)r.steps);
        print_hex(stdout, r.output, sizeof r.output);
        printf("\",\"abi\":\"%c\",\"seconds\":%.6f", w.program->abi, seconds);
        if (o.dir)
            printf(",\"execution_shards\":%u,\"memory_shards\":%u", r.n_exec, r.n_mem);
        printf(",\"cost\":[");
        print_costs(stdout, &r, 1);
        printf("]");
        vn_exec_counts_json(stdout, &counts);
        printf("}\n");
    } else if (status == VN_OK) {
        printf("steps           %llu\npublic outputs  ", (unsigned long long)r.steps);
        print_hex(stdout, r.output, sizeof r.output);
        printf("\ntime            %.3f s (%.1f million instructions/s)\n", seconds, (double)r.steps / 1e6 / (seconds > 0 ? seconds : 1));
        if (o.dir)
            printf("shards          %u execution, %u memory\n", r.n_exec, r.n_mem);
        printf("rows per table\n");
        print_costs(stdout, &r, 0);
        vn_exec_counts_print(stdout, &counts);
    }
    if (dirfd >= 0)
        close(dirfd);
    vn_work_close(&w);
    code = status == VN_OK ? 0 : failed("execute", status, &err);
    release(items, &o);
    return code;
}

/* ---- the pieces over a job directory ---- */

/* The shards a command works on: --shards, or all of the run. */
static enum vn_status shard_list(const struct options *o, int dirfd, uint32_t **list, size_t *n, struct vn_error *err)
{
    struct vn_exec_result run;
    enum vn_status status = vn_run_read(dirfd, &run, err);
    if (status != VN_OK)
        return status;
    uint32_t total = run.n_exec + run.n_mem;
    *list = calloc(total ? total : 1, sizeof **list);
    if (!*list)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    *n = 0;
    if (!o->shards) {
        for (uint32_t i = 1; i <= total; i++)
            (*list)[(*n)++] = i;
        return VN_OK;
    }
    const char *at = o->shards;
    while (*at) {
        char *end;
        unsigned long v = strtoul(at, &end, 10);
        if (end == at || v < 1 || v > total || *n == total || (*end && *end != ','))
            return vn_fail(err, VN_ERR_ARGUMENT, "--shards: '%s' is not a list of numbers between 1 and %u", o->shards, total);
        (*list)[(*n)++] = (uint32_t)v;
        at = *end ? end + 1 : end;
    }
    return VN_OK;
}

/* leaves.bin: nine canonical little-endian integers for each shard of the job, zeros where there is no contribution yet. */
static enum vn_status leaves_read(int dirfd, struct vn_digest **leaves, size_t *n, struct vn_error *err)
{
    struct vn_exec_result run;
    enum vn_status status = vn_run_read(dirfd, &run, err);
    if (status != VN_OK)
        return status;
    *n = (size_t)run.n_exec + run.n_mem;
    *leaves = calloc(*n ? *n : 1, sizeof **leaves);
    if (!*leaves)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct vn_error ignored;
    if (vn_file_read(dirfd, "leaves.bin", 1u << 24, &bytes, &len, &ignored) != VN_OK)
        return VN_OK;
    if (len != *n * VN_DIGEST_LEN * 4)
        status = vn_fail(err, VN_ERR_FORMAT, "leaves.bin has %zu bytes, not the %zu of this run; run contribute again", len, *n * VN_DIGEST_LEN * 4);
    for (size_t i = 0; status == VN_OK && i < *n * VN_DIGEST_LEN; i++) {
        uint32_t v = (uint32_t)bytes[4 * i] | (uint32_t)bytes[4 * i + 1] << 8 | (uint32_t)bytes[4 * i + 2] << 16 | (uint32_t)bytes[4 * i + 3] << 24;
        if (v >= VN_P)
            status = vn_fail(err, VN_ERR_FORMAT, "leaves.bin holds a number that is no field element; run contribute again");
        (*leaves)[i / VN_DIGEST_LEN].c[i % VN_DIGEST_LEN] = vn_fp_from(v);
    }
    free(bytes);
    return status;
}

static enum vn_status leaves_write(int dirfd, const struct vn_digest *leaves, size_t n, struct vn_error *err)
{
    uint8_t *bytes = malloc(n * VN_DIGEST_LEN * 4 + 1);
    if (!bytes)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n * VN_DIGEST_LEN; i++) {
        uint32_t v = vn_fp_to(leaves[i / VN_DIGEST_LEN].c[i % VN_DIGEST_LEN]);
        for (int k = 0; k < 4; k++)
            bytes[4 * i + (size_t)k] = (uint8_t)(v >> (8 * k));
    }
    enum vn_status status = vn_file_write(dirfd, "leaves.bin", bytes, n * VN_DIGEST_LEN * 4, err);
    free(bytes);
    return status;
}

static void print_progress(void *ctx, const char *stage, uint32_t done, uint32_t total, uint64_t steps)
{
    (void)ctx;
    if (total)
        fprintf(stderr, "%s %u/%u\n", stage, done, total);
    else
        fprintf(stderr, "%s %.1f million instructions\n", stage, (double)steps / 1e6);
}

enum piece { PIECE_CONTRIBUTE, PIECE_PROVE, PIECE_AGGREGATE };

static enum vn_status contribute_piece(struct vn_work *w, int dirfd, const uint32_t *list, size_t n, struct vn_digest *leaves, size_t n_leaves,
                                       struct vn_error *err)
{
    struct vn_digest *fresh = calloc(n ? n : 1, sizeof *fresh);
    if (!fresh)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    enum vn_status status = vn_work_contribute(w, dirfd, list, n, fresh, err);
    for (size_t i = 0; status == VN_OK && i < n; i++) {
        leaves[list[i] - 1] = fresh[i];
        printf("shard %u leaf ", list[i]);
        print_digest(stdout, &fresh[i]);
        putchar('\n');
    }
    free(fresh);
    return status == VN_OK ? leaves_write(dirfd, leaves, n_leaves, err) : status;
}

static enum vn_status aggregate_piece(struct vn_work *w, int dirfd, const struct options *o, const struct vn_digest *leaves, size_t n_leaves,
                                      struct vn_error *err)
{
    uint64_t bytes = 0;
    enum vn_status status = vn_work_aggregate(w, dirfd, leaves, n_leaves, &bytes, err);
    uint8_t *proof = NULL;
    size_t len = 0;
    if (status == VN_OK)
        status = vn_file_read(dirfd, "final.bin", PROOF_BYTES_MAX, &proof, &len, err);
    if (status == VN_OK)
        status = vn_file_write(AT_FDCWD, o->output, proof, len, err);
    free(proof);
    if (status == VN_OK)
        printf("proof %s, %zu bytes\n", o->output, len);
    return status;
}

static int run_piece(enum piece piece, const char *usage, const char *about, const struct vn_config_item *items, int argc, char **argv)
{
    struct options o = {0};
    int code = parse(usage, about, items, &o, argc, argv, NULL, 0, NULL);
    if (code >= 0)
        return code;
    struct vn_error err = {0};
    struct vn_work w = {0};
    int dirfd = -1;
    uint32_t *list = NULL;
    struct vn_digest *leaves = NULL;
    size_t n = 0, n_leaves = 0;
    struct vn_work_options wo = work_options(&o);
    wo.progress = print_progress;
    enum vn_status status = need(o.elf, "--elf", &err);
    if (status == VN_OK)
        status = need(o.dir, "--dir", &err);
    if (status == VN_OK && piece == PIECE_AGGREGATE)
        status = need(o.output, "--output", &err);
    if (status == VN_OK)
        status = open_dir(o.dir, &dirfd, &err);
    if (status == VN_OK)
        status = shard_list(&o, dirfd, &list, &n, &err);
    if (status == VN_OK)
        status = leaves_read(dirfd, &leaves, &n_leaves, &err);
    if (status == VN_OK)
        status = vn_work_open(&w, &wo, &err);
    if (status == VN_OK && piece == PIECE_CONTRIBUTE)
        status = contribute_piece(&w, dirfd, list, n, leaves, n_leaves, &err);
    else if (status == VN_OK && piece == PIECE_PROVE)
        status = vn_work_prove(&w, dirfd, list, n, leaves, n_leaves, &err);
    else if (status == VN_OK)
        status = aggregate_piece(&w, dirfd, &o, leaves, n_leaves, &err);
    vn_work_close(&w);
    free(list);
    free(leaves);
    if (dirfd >= 0)
        close(dirfd);
    code = status == VN_OK ? 0 : failed(argv[0], status, &err);
    release(items, &o);
    return code;
}

int vn_command_contribute(int argc, char **argv)
{
    static const struct vn_config_item items[] = {OPT_ELF, OPT_ABI, OPT_DIR, OPT_SHARDS, OPT_KEY, OPT_THREADS, OPT_BACKEND, OPT_PREALLOCATE, OPT_MINIMAL, OPT_CHECK, {0}};
    return run_piece(PIECE_CONTRIBUTE, "--elf FILE --dir DIR [options]", "Phase 1: commits what meets the global buses; adds the leaves to DIR/leaves.bin.", items,
                     argc, argv);
}

int vn_command_prove(int argc, char **argv)
{
    static const struct vn_config_item items[] = {OPT_ELF, OPT_ABI, OPT_DIR, OPT_SHARDS, OPT_KEY, OPT_THREADS, OPT_BACKEND, OPT_PREALLOCATE, OPT_MINIMAL, OPT_CHECK, {0}};
    return run_piece(PIECE_PROVE, "--elf FILE --dir DIR [options]", "Phase 2: writes DIR/proof-I.bin; every leaf must be in DIR/leaves.bin.", items, argc, argv);
}

int vn_command_aggregate(int argc, char **argv)
{
    static const struct vn_config_item items[] = {OPT_ELF, OPT_ABI, OPT_DIR, OPT("output", VN_CONFIG_STRING, output, "FILE", "where the final proof goes", .short_flag = 'o'),
                                                  OPT_KEY, OPT_THREADS, OPT_BACKEND, {0}};
    return run_piece(PIECE_AGGREGATE, "--elf FILE --dir DIR -o FILE", "Joins DIR/proof-1.bin ... into the final proof.", items, argc, argv);
}

/* ---- prove-all ---- */

struct stage_times {
    double setup, execute, contribute, prove, aggregate;
};

static double lap(uint64_t *since)
{
    uint64_t now = vn_clock_monotonic_ns();
    double seconds = (double)(now - *since) / 1e9;
    *since = now;
    return seconds;
}

static enum vn_status prove_all(struct vn_work *w, int dirfd, const struct options *o, struct vn_exec_result *r, uint64_t *proof_bytes,
                                struct stage_times *t, struct vn_error *err)
{
    uint64_t clock = vn_clock_monotonic_ns();
    uint32_t *list = NULL;
    struct vn_digest *leaves = NULL;
    size_t n = 0;
    enum vn_status status = vn_work_prepare(w, err);
    t->setup = lap(&clock);
    if (status == VN_OK)
        status = execute_into(w, dirfd, o, r, err);
    t->execute = lap(&clock);
    if (status == VN_OK)
        status = shard_list(&(struct options){0}, dirfd, &list, &n, err);
    if (status == VN_OK && !(leaves = calloc(n, sizeof *leaves)))
        status = vn_fail(err, VN_ERR_MEMORY, "out of memory");
    if (status == VN_OK)
        status = vn_work_contribute(w, dirfd, list, n, leaves, err);
    t->contribute = lap(&clock);
    if (status == VN_OK)
        status = vn_work_prove(w, dirfd, list, n, leaves, n, err);
    t->prove = lap(&clock);
    uint8_t *proof = NULL;
    size_t len = 0;
    if (status == VN_OK)
        status = vn_work_aggregate(w, dirfd, leaves, n, proof_bytes, err);
    if (status == VN_OK)
        status = vn_file_read(dirfd, "final.bin", PROOF_BYTES_MAX, &proof, &len, err);
    if (status == VN_OK)
        status = vn_file_write(AT_FDCWD, o->output, proof, len, err);
    t->aggregate = lap(&clock);
    free(proof);
    free(leaves);
    free(list);
    return status;
}

int vn_command_prove_all(int argc, char **argv)
{
    static const struct vn_config_item items[] = {
        OPT_ELF, OPT("input", VN_CONFIG_STRING, input, "FILE", "input image (see pack-input); default: empty"), OPT_ABI,
        OPT("output", VN_CONFIG_STRING, output, "FILE", "where the proof goes", .short_flag = 'o'), OPT_SHARD_LOG2, OPT_MAX_STEPS, OPT_KEY, OPT_ASM, OPT_THREADS, OPT_BACKEND,
        OPT_PREALLOCATE, OPT_MINIMAL, OPT_CHECK, OPT("quiet", VN_CONFIG_BOOL, quiet, NULL, "no progress lines", .short_flag = 'q'), OPT_JSON, {0}};
    struct options o = {0};
    int code = parse("--elf FILE --input FILE -o PROOF [options]", "Executes, contributes, proves and aggregates in one process.", items, &o, argc, argv, NULL, 0,
                     NULL);
    if (code >= 0)
        return code;
    struct vn_error err = {0};
    struct vn_work w = {0};
    struct vn_exec_result r = {0};
    struct stage_times t = {0};
    uint64_t proof_bytes = 0;
    struct vn_scratch scratch;
    int have_scratch = 0;
    struct vn_work_options wo = work_options(&o);
    wo.progress = o.quiet ? NULL : print_progress;
    enum vn_status status = need(o.elf, "--elf", &err);
    if (status == VN_OK)
        status = need(o.output, "-o", &err);
    if (status == VN_OK) {
        status = vn_scratch_open(&scratch, &err);
        have_scratch = status == VN_OK;
    }
    if (status == VN_OK)
        status = vn_work_open(&w, &wo, &err);
    if (status == VN_OK)
        status = prove_all(&w, scratch.dirfd, &o, &r, &proof_bytes, &t, &err);
    struct vn_stages stages = w.stages;
    vn_work_close(&w);
    if (have_scratch)
        vn_scratch_close(&scratch);
    double work = t.execute + t.contribute + t.prove + t.aggregate;
    if (status == VN_OK && o.json) {
        printf("{\"steps\":%llu,\"public_outputs\":\"", (unsigned long long)r.steps);
        print_hex(stdout, r.output, sizeof r.output);
        printf("\",\"execution_shards\":%u,\"memory_shards\":%u,\"proof_bytes\":%llu,\"seconds\":{\"setup\":%.3f,\"execute\":%.3f,\"contribute\":%.3f,\"prove\":%.3f,"
               "\"aggregate\":%.3f},\"instructions_per_second\":%.0f,\"stages\":[",
               r.n_exec, r.n_mem, (unsigned long long)proof_bytes, t.setup, t.execute, t.contribute, t.prove, t.aggregate, (double)r.steps / work);
        for (unsigned i = 0; i < stages.n; i++)
            printf("%s{\"name\":\"%s\",\"wall\":%.3f,\"user\":%.3f,\"kernel\":%.3f}", i ? "," : "", stages.at[i].name, stages.at[i].time.wall,
                   stages.at[i].time.user, stages.at[i].time.kernel);
        printf("]}\n");
    } else if (status == VN_OK) {
        printf("proof           %s, %llu bytes\nsteps           %llu\npublic outputs  ", o.output, (unsigned long long)proof_bytes, (unsigned long long)r.steps);
        print_hex(stdout, r.output, sizeof r.output);
        printf("\nshards          %u execution, %u memory\ntime            set-up %.2f s, execute %.2f s, contribute %.2f s, prove %.2f s, aggregate %.2f s\n"
               "rate            %.0f instructions/s after set-up\n",
               r.n_exec, r.n_mem, t.setup, t.execute, t.contribute, t.prove, t.aggregate, (double)r.steps / work);
    }
    code = status == VN_OK ? 0 : failed("prove-all", status, &err);
    release(items, &o);
    return code;
}

/* ---- verify ---- */

static enum vn_status verify_file(const struct options *o, const char *path, struct vn_statement *s, double *seconds, struct vn_error *err)
{
    struct vn_vk vk;
    uint8_t *proof = NULL;
    size_t len = 0;
    enum vn_status status = vn_file_read(AT_FDCWD, path, PROOF_BYTES_MAX, &proof, &len, err);
    if (status == VN_OK && o->elf) {
        struct vn_work w = {0};
        struct vn_work_options wo = work_options(o);
        status = vn_work_open(&w, &wo, err);
        if (status == VN_OK)
            status = vn_work_setup(&w, err);
        if (status == VN_OK)
            vk = w.setup->vk;
        vn_work_close(&w);
    }
    uint64_t start = vn_clock_monotonic_ns();
    if (status == VN_OK)
        status = vn_verify_bundle(proof, len, o->elf ? &vk : NULL, s, err);
    *seconds = lap(&start);
    free(proof);
    return status;
}

int vn_command_verify(int argc, char **argv)
{
    static const struct vn_config_item items[] = {
        OPT("elf", VN_CONFIG_STRING, elf, "FILE", "the program that must have run; without it the proof is only checked against the key it carries"), OPT_ABI, OPT_KEY,
        OPT_THREADS, OPT_BACKEND, OPT_JSON, {0}};
    struct options o = {0};
    const char *positional[1] = {NULL};
    unsigned n = 0;
    int code = parse("PROOF --elf FILE [--json]", "Checks a final proof. Exit code 0 if and only if it is valid.", items, &o, argc, argv, positional, 1, &n);
    if (code >= 0)
        return code;
    struct vn_error err = {0};
    struct vn_statement s = {0};
    double seconds = 0;
    enum vn_status status = n == 1 ? verify_file(&o, positional[0], &s, &seconds, &err) : vn_fail(&err, VN_ERR_ARGUMENT, "name the proof file; see --help");
    struct vn_digest digest = {{0}};
    if (status == VN_OK)
        digest = vn_vk_digest(&s.vk);
    if (o.json) {
        printf("{\"valid\":%s", status == VN_OK ? "true" : "false");
        if (status == VN_OK) {
            printf(",\"steps\":%llu,\"public_outputs\":\"", (unsigned long long)s.steps);
            print_hex(stdout, s.output, sizeof s.output);
            printf("\",\"vk\":\"");
            print_digest(stdout, &digest);
            printf("\",\"program_checked\":%s,\"execution_shards\":%u,\"memory_shards\":%u,\"seconds\":%.3f}\n", o.elf ? "true" : "false", s.n_exec, s.n_mem,
                   seconds);
        } else {
            printf(",\"class\":\"%s\",\"reason\":", vn_status_name(status));
            print_json_text(stdout, err.text);
            printf("}\n");
        }
    } else if (status == VN_OK) {
        printf("valid           %s\nsteps           %llu\npublic outputs  ", o.elf ? "yes, for this program" : "only against the key it carries, which anybody can make: name the program with --elf",
               (unsigned long long)s.steps);
        print_hex(stdout, s.output, sizeof s.output);
        printf("\nverifying key   ");
        print_digest(stdout, &digest);
        printf("\nshards          %u execution, %u memory\ntime            %.3f s\n", s.n_exec, s.n_mem, seconds);
    }
    code = status == VN_OK ? 0 : o.json ? vn_status_exit_code(status) : failed("verify", status, &err);
    release(items, &o);
    return code;
}

/* ---- params, pack-input ---- */

int vn_command_params(int argc, char **argv)
{
    static const struct vn_config_item items[] = {OPT("soundcalc", VN_CONFIG_BOOL, soundcalc, NULL, "as TOML for the public soundness calculator"), {0}};
    struct options o = {0};
    int code = parse("[--soundcalc]", "Prints the parameters of every kind of proof.", items, &o, argc, argv, NULL, 0, NULL);
    if (code >= 0)
        return code;
    if (o.soundcalc)
        vn_params_print_soundcalc(stdout);
    else
        vn_params_print(stdout);
    release(items, &o);
    return 0;
}

/* One record: u64 length, bytes, zeros up to a multiple of eight. */
static enum vn_status append_record(uint8_t **image, size_t *len, const char *path, struct vn_error *err)
{
    uint8_t *file = NULL;
    size_t n = 0;
    enum vn_status status = vn_file_read(AT_FDCWD, path, INPUT_BYTES_MAX, &file, &n, err);
    if (status != VN_OK)
        return status;
    size_t padded = (n + 7) & ~(size_t)7;
    uint8_t *grown = *len + 8 + padded <= INPUT_BYTES_MAX ? realloc(*image, *len + 8 + padded) : NULL;
    if (!grown) {
        free(file);
        return vn_fail(err, VN_ERR_LIMIT, "the records would exceed 1 GiB at %s", path);
    }
    for (int k = 0; k < 8; k++)
        grown[*len + (size_t)k] = (uint8_t)((uint64_t)n >> (8 * k));
    memcpy(grown + *len + 8, file, n);
    memset(grown + *len + 8 + n, 0, padded - n);
    *image = grown;
    *len += 8 + padded;
    free(file);
    return VN_OK;
}

int vn_command_pack_input(int argc, char **argv)
{
    static const struct vn_config_item items[] = {OPT("output", VN_CONFIG_STRING, output, "FILE", "where the input image goes", .short_flag = 'o'), {0}};
    struct options o = {0};
    const char *files[256];
    unsigned n = 0;
    int code = parse("FILE... -o OUT", "Wraps files as input records: length, bytes, padding to eight.", items, &o, argc, argv, files, 256, &n);
    if (code >= 0)
        return code;
    struct vn_error err = {0};
    uint8_t *image = NULL;
    size_t len = 0;
    enum vn_status status = need(o.output, "-o", &err);
    if (status == VN_OK && !n)
        status = vn_fail(&err, VN_ERR_ARGUMENT, "name at least one file; see --help");
    for (unsigned i = 0; i < n && status == VN_OK; i++)
        status = append_record(&image, &len, files[i], &err);
    if (status == VN_OK)
        status = vn_file_write(AT_FDCWD, o.output, image, len, &err);
    free(image);
    code = status == VN_OK ? 0 : failed("pack-input", status, &err);
    release(items, &o);
    return code;
}
