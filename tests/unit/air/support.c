#include "tests/unit/air/support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vm/elf_builder.h"

/* ---- Code ---- */

#define MAX_WORDS 16384
#define CONSTANTS_ADDR 0x80100000u

struct code {
    uint32_t words[MAX_WORDS];
    size_t n;
};

static void emit(struct code *c, uint32_t word)
{
    cr_assert(c->n < MAX_WORDS);
    c->words[c->n++] = word;
}

static const uint64_t corners[] = {
    0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x12345678, 0x7fffffff, 0x80000000,
    0xffffffff, UINT64_C(0x100000000), UINT64_C(0x123456789abcdef0), UINT64_C(0x7fffffffffffffff), UINT64_C(0x8000000000000000),
    UINT64_C(0x8000000000000001), UINT64_C(0xffffffff80000000), UINT64_C(0xffffffff7fffffff), UINT64_C(0xfffffffffffffffe), UINT64_C(0xffffffffffffffff),
    UINT64_C(0xdeadbeefcafebabe), UINT64_C(0xffff0000ffff0000)};
enum { N_CORNERS = sizeof corners / sizeof corners[0] };

uint64_t air_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

enum { X_CONSTANTS = 8, X_RAM = 9, X_A = 10, X_B = 11, X_D = 12 };

static void load_corner(struct code *c, unsigned rd, unsigned i)
{
    emit(c, RV_LD(rd, X_CONSTANTS, 8 * i));
}

/* Register forms: (funct7, funct3, opcode). */
static void emit_register_forms(struct code *c, uint64_t *seed)
{
    static const uint8_t forms[][3] = {
        {0, 0, 0x33}, {32, 0, 0x33}, {0, 1, 0x33}, {0, 2, 0x33}, {0, 3, 0x33}, {0, 4, 0x33}, {0, 5, 0x33}, {32, 5, 0x33}, {0, 6, 0x33}, {0, 7, 0x33},
        {0, 0, 0x3b}, {32, 0, 0x3b}, {0, 1, 0x3b}, {0, 5, 0x3b}, {32, 5, 0x3b},
        {1, 0, 0x33}, {1, 1, 0x33}, {1, 2, 0x33}, {1, 3, 0x33}, {1, 4, 0x33}, {1, 5, 0x33}, {1, 6, 0x33}, {1, 7, 0x33},
        {1, 0, 0x3b}, {1, 4, 0x3b}, {1, 5, 0x3b}, {1, 6, 0x3b}, {1, 7, 0x3b}};
    for (unsigned i = 0; i < 90; i++) {
        unsigned x = i < N_CORNERS ? i : (unsigned)(air_random(seed) % N_CORNERS), y = (unsigned)(air_random(seed) % N_CORNERS);
        if (i == 40) { /* the smallest number by -1 */
            x = 28;
            y = 33;
        }
        if (i == 41) {
            x = 23;
            y = 33;
        }
        if (i >= 42 && i < 48) /* by zero */
            y = 0;
        load_corner(c, X_A, x);
        load_corner(c, X_B, y);
        for (unsigned f = 0; f < sizeof forms / sizeof forms[0]; f++) {
            unsigned rd = (f + i) % 11 == 0 ? 0 : X_D, rs2 = (f + i) % 13 == 0 ? X_A : X_B;
            if (i % 3 == 0 || f % 3 == i % 3)
                emit(c, rv_r(forms[f][0], rs2, X_A, forms[f][1], rd, forms[f][2]));
        }
    }
}

static void emit_immediate_forms(struct code *c, uint64_t *seed)
{
    static const int immediates[] = {0, 1, -1, 2047, -2048, 255, 256, -256, 0x5a5, -0x5a5};
    for (unsigned i = 0; i < N_CORNERS; i++) {
        unsigned amount = (unsigned)(air_random(seed) % 64), rd = i % 9 == 4 ? 0 : X_D;
        int imm = immediates[i % 10];
        load_corner(c, X_A, i);
        for (unsigned f3 = 0; f3 < 8; f3++)
            if (f3 != 1 && f3 != 5)
                emit(c, rv_i(imm & 0xfff, X_A, f3, rd, 0x13));
        emit(c, rv_i(imm & 0xfff, X_A, 0, rd, 0x1b));
        if (i < 8)
            amount = i * 9 % 64;
        emit(c, rv_i(amount, X_A, 1, rd, 0x13));
        emit(c, rv_i(amount, X_A, 5, rd, 0x13));
        emit(c, rv_i(amount | 0x400, X_A, 5, rd, 0x13));
        emit(c, rv_i(amount & 31, X_A, 1, rd, 0x1b));
        emit(c, rv_i(amount & 31, X_A, 5, rd, 0x1b));
        emit(c, rv_i((amount & 31) | 0x400, X_A, 5, rd, 0x1b));
        emit(c, RV_LUI(rd, 0x80000u + i));
        emit(c, U32(i << 12) | U32(rd) << 7 | 0x17);
    }
    emit(c, 0x0000000fu);
}

static void emit_control(struct code *c, uint64_t *seed)
{
    for (unsigned i = 0; i < 60; i++) {
        unsigned x = (unsigned)(air_random(seed) % N_CORNERS), y = i % 4 == 0 ? x : (unsigned)(air_random(seed) % N_CORNERS);
        load_corner(c, X_A, x);
        load_corner(c, X_B, y);
        for (unsigned f3 = 0; f3 < 8; f3++) {
            if (f3 == 2 || f3 == 3)
                continue;
            emit(c, rv_b(8, X_B, X_A, f3));
            emit(c, RV_ADDI(X_D, X_D, 1));
        }
    }
    emit(c, rv_j(8, X_D)); /* over an addi */
    emit(c, RV_ADDI(X_D, X_D, 1));
    for (unsigned i = 0; i < 12; i++) { /* jalr to pc + 12, through positive and negative offsets, with and without bit 0 */
        int offset = i % 2 ? 100 : -100;
        emit(c, U32(X_A) << 7 | 0x17);
        emit(c, RV_ADDI(X_A, X_A, 16 - offset));
        emit(c, RV_JALR(i % 3 ? X_D : 0, X_A, (U32(offset) & 0xfff) + (i % 4 == 1)));
        emit(c, RV_ADDI(X_D, X_D, 1));
    }
}

static void emit_memory(struct code *c, uint64_t *seed)
{
    for (unsigned i = 0; i < 24; i++) {
        int base = i % 2 ? -1024 : 512;
        load_corner(c, X_B, (unsigned)(air_random(seed) % N_CORNERS));
        for (unsigned size = 0; size < 4; size++)
            for (unsigned at = 0; at < 8; at += 1u << size)
                if ((i + at) % 3 == 0)
                    emit(c, rv_s((base + (int)(8 * (i % 5) + at)) & 0xfff, X_B, X_RAM, size));
        for (unsigned f3 = 0; f3 < 7; f3++)
            for (unsigned at = 0; at < 8; at += 1u << (f3 & 3))
                if ((i + at + f3) % 2 == 0)
                    emit(c, rv_i((base + (int)(8 * (i % 5) + at)) & 0xfff, X_RAM, f3, (i + at) % 7 ? X_D : 0, 0x03));
    }
}

/* Every size at every offset, and across the end of a page, where the limb of the address carries. */
static void emit_misaligned(struct code *c, uint64_t *seed)
{
    for (unsigned i = 0; i < 16; i++) {
        load_corner(c, X_B, (unsigned)(air_random(seed) % N_CORNERS));
        for (unsigned size = 1; size < 4; size++)
            for (int at = 0; at < 8; at++)
                if ((at & ((1 << size) - 1)) && ((unsigned)at + i + size) % 4 == 0)
                    emit(c, rv_s(64 + at, X_B, X_RAM, size));
        for (unsigned f3 = 1; f3 < 7; f3++)
            for (int at = 0; at < 8; at++)
                if (f3 != 4 && (at & ((1 << (f3 & 3)) - 1)) && ((unsigned)at + i + f3) % 4 == 0)
                    emit(c, rv_i(64 + at, X_RAM, f3, (i + f3) % 7 ? X_D : 0, 0x03));
    }
    emit(c, RV_LUI(X_A, 16)); /* + 64 KiB */
    emit(c, RV_ADD(X_A, X_A, X_RAM));
    emit(c, rv_s(-3 & 0xfff, X_B, X_A, 3));
    emit(c, rv_i(-3 & 0xfff, X_A, 3, X_D, 0x03));
    emit(c, rv_i(-1 & 0xfff, X_A, 1, X_D, 0x03));
}

static void emit_atomics(struct code *c, uint64_t *seed)
{
    static const uint8_t functions[] = {0, 1, 2, 3, 4, 8, 12, 16, 20, 24, 28};
    for (unsigned i = 0; i < 14; i++)
        for (unsigned f = 0; f < sizeof functions; f++)
            for (unsigned f3 = 2; f3 < 4; f3++) {
                int at = 128 + (f3 == 2 && (i & 1) ? 4 : 0);
                if ((i + f + f3) % 2 && i > 3)
                    continue;
                load_corner(c, X_A, (unsigned)(air_random(seed) % N_CORNERS));
                load_corner(c, X_B, i == 3 ? (unsigned)(air_random(seed) % 4) : (unsigned)(air_random(seed) % N_CORNERS));
                if (i == 2) /* equal operands */
                    emit(c, RV_ADD(X_B, X_A, 0));
                emit(c, RV_SD(X_A, X_RAM, 128));
                emit(c, RV_ADDI(X_A, X_RAM, at));
                emit(c, rv_r(functions[f] << 2, functions[f] == 2 ? 0 : X_B, X_A, f3, (i + f) % 5 ? X_D : 0, 0x2f));
            }
    emit(c, rv_r(2 << 2, 0, X_CONSTANTS, 3, X_D, 0x2f)); /* lr of what cannot be written */
}

static struct vn_program *load_as(const uint32_t *words, size_t n, uint32_t flags)
{
    struct elf e = elf_of_code(words, n);
    e.flags = flags;
    e.sections[e.n_sections++] = (struct elf_section){".rodata", ELF_PROGBITS, ELF_A, CONSTANTS_ADDR, sizeof corners, corners};
    size_t len;
    uint8_t *file = elf_build(&e, &len);
    struct vn_program *p;
    struct vn_error err = {VN_OK, ""};
    cr_assert_eq(vn_program_load(&p, file, len, VN_ABI_B, &err), VN_OK, "%s", err.text);
    free(file);
    return p;
}

static struct vn_program *load(const uint32_t *words, size_t n) { return load_as(words, n, 0); }

struct vn_program *air_program_compressed(void)
{
#define PARCELS(word) (uint16_t)(word), (uint16_t)((word) >> 16)
    static const uint16_t code[] = {
        0x4285, 0xa019, 0x0000, 0x0001,         /* 00 c.li x5, 1; c.j 08; two that never run */
        PARCELS(RV_ADDI(5, 4, 16)),             /* 08 */
        PARCELS(0x00000317u), 0x0329,           /* 0c auipc x6, 0; c.addi x6, 10 */
        0x9302, 0x9002,                         /* 12 c.jalr x6, to 16; ra = 14 */
        PARCELS(RV_SD(5, 11, 0)),               /* 16 */
        PARCELS(RV_SD(1, 11, 8)),               /* 1a */
        0x440d, 0x147d, 0xfc7d,                 /* 1e c.li x8, 3; c.addi x8, -1; c.bnez x8, 20 */
        0xc011, 0x0001,                         /* 24 c.beqz x8, 28 */
        PARCELS(rv_b(6, 8, 0, 0)), 0x0001,      /* 28 beq x0, x8, 2e */
        PARCELS(rv_b(6, 0, 8, 4)),              /* 2e blt x8, x0: not taken */
        PARCELS(rv_j(6, 1)), 0x0001,            /* 32 jal x1, 38 */
        PARCELS(RV_ADDI(17, 0, 93)), PARCELS(RV_ECALL), 0x0001, 0x0001, 0x0001}; /* 38 */
#undef PARCELS
    uint32_t words[sizeof code / 4];
    memcpy(words, code, sizeof words);
    return load_as(words, sizeof words / 4, 1);
}

static void emit_exit(struct code *c)
{
    emit(c, RV_ADDI(17, 0, 93));
    emit(c, RV_ECALL);
}

struct vn_program *air_program_all(void)
{
    static struct code c;
    uint64_t seed = 1;
    c.n = 0;
    emit(&c, RV_LUI(X_CONSTANTS, 0x40080));              /* CONSTANTS_ADDR */
    emit(&c, RV_SLLI(X_CONSTANTS, X_CONSTANTS, 1));
    emit(&c, RV_LUI(X_RAM, 0x50010));                    /* 0xa0020000 = 2 * 0x50010000 */
    emit(&c, RV_SLLI(X_RAM, X_RAM, 1));
    emit_register_forms(&c, &seed);
    emit_immediate_forms(&c, &seed);
    emit_control(&c, &seed);
    emit_memory(&c, &seed);
    emit_misaligned(&c, &seed);
    emit_atomics(&c, &seed);
    emit(&c, RV_LUI(X_A, 0x40000));                      /* input */
    emit(&c, RV_LD(X_B, X_A, 0));
    emit(&c, RV_LD(X_B, X_A, 8));
    emit(&c, RV_LUI(X_A, 0x50008));                      /* output: 0xa0010000 */
    emit(&c, RV_SLLI(X_A, X_A, 1));
    emit(&c, RV_SD(X_B, X_A, 8));
    emit(&c, RV_SB(X_D, X_A, 0x7f));
    emit_exit(&c);
    return load(c.words, c.n);
}

struct vn_program *air_program_bump(void)
{
    static struct code c;
    c.n = 0;
    emit(&c, RV_LUI(X_RAM, 0x50010));
    emit(&c, RV_SLLI(X_RAM, X_RAM, 1));
    emit(&c, RV_ADDI(X_B, 0, 77));
    emit(&c, RV_SD(X_B, X_RAM, 16));
    emit(&c, RV_LUI(X_A, 37));                           /* 151552 rounds of two */
    emit(&c, RV_ADDI(X_A, X_A, -1 & 0xfff));
    emit(&c, RV_BNE(X_A, 0, -4));
    emit(&c, RV_LD(X_D, X_RAM, 16));
    emit(&c, RV_ADD(X_D, X_D, X_B));
    emit_exit(&c);
    return load(c.words, c.n);
}

/* ---- Jobs ---- */

static void *copy(const void *from, size_t bytes)
{
    void *p = malloc(bytes + 1);
    cr_assert_not_null(p);
    if (bytes)
        memcpy(p, from, bytes);
    return p;
}

static int keep(void *ctx, const struct vn_shard *shard)
{
    struct air_job *job = ctx;
    job->shards = realloc(job->shards, (job->n_shards + 1) * sizeof *job->shards);
    cr_assert_not_null(job->shards);
    struct air_shard *s = &job->shards[job->n_shards++];
    *s = (struct air_shard){.shard = *shard};
    s->shard.boundary = copy(shard->boundary, shard->n_boundary * sizeof *shard->boundary);
    s->shard.memory = copy(shard->memory, shard->n_memory * sizeof *shard->memory);
    return 0;
}

void air_job_run(struct air_job *job, struct vn_program *p, unsigned shard_log2)
{
    static const uint8_t input[24] = {1, 2, 3, 4, 5, 6, 7, 255, 254, 253};
    struct vn_error err = {VN_OK, ""};
    *job = (struct air_job){.program = p};
    struct vn_exec_options o = {.shard_log2 = shard_log2, .input = input, .input_len = sizeof input, .on_shard = keep, .ctx = job, .track = 1};
    cr_assert_eq(vn_execute(p, &o, &job->result, &err), VN_OK, "%s", err.text);
    for (size_t i = 0; i < job->n_shards; i++)
        if (job->shards[i].shard.kind == VN_SHARD_EXECUTION)
            cr_assert_eq(vn_replay_shard(p, &job->shards[i].shard, &job->shards[i].replay, &err), VN_OK, "%s", err.text);
}

static uint32_t **columns(unsigned n, unsigned log_height)
{
    uint32_t **c = calloc(n + 1, sizeof *c);
    cr_assert_not_null(c);
    for (unsigned i = 0; i < n; i++) {
        c[i] = calloc((size_t)1 << log_height, sizeof **c);
        cr_assert_not_null(c[i]);
    }
    return c;
}

void air_columns_free(uint32_t **c, unsigned n)
{
    for (unsigned i = 0; c && i < n; i++)
        free(c[i]);
    free(c);
}

uint32_t **air_pre_columns(const struct vn_program *p, unsigned kind, unsigned table, unsigned log_height)
{
    uint32_t **c = columns(vn_air_tables[table].n_pre, log_height);
    vn_pre_fill(kind, p, table, log_height, c);
    return c;
}

void air_shard_fill(struct air_job *job, struct air_shard *s, struct vn_pool *pool)
{
    struct vn_error err = {VN_OK, ""};
    const struct vn_replay *r = s->shard.kind == VN_SHARD_EXECUTION ? &s->replay : NULL;
    cr_assert_eq(vn_trace_heights(job->program, &s->shard, r, s->trace.log_height, &err), VN_OK, "%s", err.text);
    for (unsigned t = 0; t < vn_air_table_count; t++) {
        if (s->trace.log_height[t] == VN_LOG_HEIGHT_ABSENT)
            continue;
        s->trace.p1[t] = columns(vn_air_tables[t].n_p1, s->trace.log_height[t]);
        s->trace.main[t] = columns(vn_air_tables[t].n_main, s->trace.log_height[t]);
    }
    cr_assert_eq(vn_trace_fill_p1(&s->trace, &s->shard, &err), VN_OK, "%s", err.text);
    cr_assert_eq(vn_trace_fill_main(&s->trace, job->program, &s->shard, r, pool, &err), VN_OK, "%s", err.text);
}

void air_shard_clear(struct air_shard *s)
{
    for (unsigned t = 0; t < vn_air_table_count; t++) {
        air_columns_free(s->trace.p1[t], vn_air_tables[t].n_p1);
        air_columns_free(s->trace.main[t], vn_air_tables[t].n_main);
        s->trace.p1[t] = s->trace.main[t] = NULL;
    }
}

void air_job_free(struct air_job *job)
{
    for (size_t i = 0; i < job->n_shards; i++) {
        air_shard_clear(&job->shards[i]);
        vn_replay_fini(&job->shards[i].replay);
        free((void *)job->shards[i].shard.boundary);
        free((void *)job->shards[i].shard.memory);
    }
    free(job->shards);
    vn_program_free(job->program);
}
