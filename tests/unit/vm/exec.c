/* Executor and replay. The checks of shards keep their own books: a word's value and last shard over the run, and within a shard every access and
 * bump in order of clk, so that they test what the memory argument needs and not how it was computed. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/vm/exec.h"
#include "services/prover-engine/vm/semantics.h"
#include "tests/unit/vm/elf_builder.h"

static struct vn_program *program(const uint32_t *words, size_t n, enum vn_abi abi)
{
    struct elf e = elf_of_code(words, n);
    size_t len;
    uint8_t *file = elf_build(&e, &len);
    struct vn_program *p;
    struct vn_error err = {VN_OK, ""};
    cr_assert_eq(vn_program_load(&p, file, len, abi, &err), VN_OK, "%s", err.text);
    free(file);
    return p;
}

/* ---- The books ---- */

struct word_state {
    uint32_t key, last_shard;
    uint64_t value;
};

struct books {
    const struct vn_program *p;
    struct word_state *words; /* open addressing by key + 1 */
    uint32_t shards, n_exec, next_pc, last_key, halted, with_memory;
    uint64_t steps, bumps, rows, output_rows;
    uint64_t op_count[VN_OP_COUNT];
    size_t most_boundary;
    struct vn_error err;
};

#define TABLE (1u << 20)

static struct word_state *state_of(struct books *b, uint32_t key)
{
    uint32_t h = key * 2654435761u >> 12;
    while (b->words[h].key && b->words[h].key != key + 1)
        h = (h + 1) % TABLE;
    if (!b->words[h].key)
        b->words[h].key = key + 1;
    return &b->words[h];
}

struct access {
    uint32_t row, prev, clk;
    uint64_t old, new;
};

struct clock_state {
    uint32_t last;
    uint64_t value;
};

static uint32_t row_of(const struct vn_shard *s, uint32_t space, uint32_t word, const uint32_t *index, uint32_t mask)
{
    uint32_t h = (VN_KEY(space, word) * 2654435761u >> 3) & mask;
    while (index[h] != UINT32_MAX && (s->boundary[index[h]].space != space || s->boundary[index[h]].word != word))
        h = (h + 1) & mask;
    return index[h];
}

/* Plays all accesses and bumps of a shard in order of clk against per-word clocks. */
static void check_replay(struct books *b, const struct vn_shard *s)
{
    struct vn_replay r;
    cr_assert_eq(vn_replay_shard(b->p, s, &r, &b->err), VN_OK, "%s", b->err.text);
    cr_assert_eq(r.n_steps, s->steps);
    b->bumps += r.n_bumps;
    uint32_t mask = 63;
    while (mask < 2 * s->n_boundary)
        mask = 2 * mask + 1;
    uint32_t *index = malloc(4 * ((size_t)mask + 1));
    memset(index, 0xff, 4 * ((size_t)mask + 1));
    struct clock_state *clocks = calloc(s->n_boundary, sizeof *clocks);
    for (uint32_t i = 0; i < s->n_boundary; i++) {
        uint32_t h = (VN_KEY(s->boundary[i].space, s->boundary[i].word) * 2654435761u >> 3) & mask;
        while (index[h] != UINT32_MAX)
            h = (h + 1) & mask;
        index[h] = i;
        clocks[i].value = s->boundary[i].init;
    }
    size_t bump = 0;
    uint32_t pc = s->start_pc, clk = VN_CLK_START;
    for (size_t i = 0; i < r.n_steps; i++, clk += VN_CLK_STEP) {
        const struct vn_step *st = &r.steps[i];
        const struct vn_insn *insn = &b->p->insns[st->insn];
        enum vn_op op = (enum vn_op)insn->op;
        struct access list[5];
        unsigned n = 0;
        cr_assert_eq(insn->pc, pc);
        pc = st->next_pc;
        b->op_count[op]++;
        if (vn_op_reads(op) > 0)
            list[n++] = (struct access){row_of(s, 1, insn->rs1, index, mask), st->prev1, clk, st->a, st->a};
        if (vn_op_reads(op) > 1)
            list[n++] = (struct access){row_of(s, 1, insn->rs2, index, mask), st->prev2, clk + 1, st->b, st->b};
        if (vn_op_bytes(op))
            list[n++] = (struct access){row_of(s, 0, st->addr / 8, index, mask), st->prevm, clk + 2, st->m_old, st->m_new};
        if (vn_op_is_atomic(op))
            list[n++] = (struct access){row_of(s, 0, st->addr / 8, index, mask), st->prevm, clk + 2, st->m_old, st->m_new};
        if (vn_op_bytes(op) && vn_access_crosses(op, st->addr)) {
            uint64_t words[2] = {st->m_old, st->m2_old};
            if (vn_op_is_store(op))
                vn_store_misaligned(op, words, st->addr, st->b);
            list[n++] = (struct access){row_of(s, 0, st->addr / 8 + 1, index, mask), st->prevm2, clk + 2, st->m2_old, words[1]};
        }
        if (insn->wr)
            list[n++] = (struct access){row_of(s, 1, insn->rd, index, mask), st->prevd, clk + 3, st->d_old, st->d_new};
        for (unsigned k = 0; k < n; k++) {
            cr_assert_neq(list[k].row, UINT32_MAX);
            struct clock_state *c = &clocks[list[k].row];
            const struct vn_boundary_row *row = &s->boundary[list[k].row];
            while (c->last != list[k].prev) {
                cr_assert_lt(bump, r.n_bumps);
                const struct vn_bump *u = &r.bumps[bump++];
                cr_assert(u->space == row->space && u->word == row->word && u->prev == c->last && u->value == c->value);
                cr_assert(u->clk % 8 == 0 && u->clk > u->prev && u->clk - u->prev <= VN_TIME_RANGE && u->clk < list[k].clk);
                c->last = u->clk;
            }
            cr_assert(list[k].clk > c->last && list[k].clk - c->last <= VN_TIME_RANGE);
            cr_assert_eq(list[k].old, c->value);
            c->last = list[k].clk;
            c->value = list[k].new;
        }
    }
    cr_assert_eq(bump, r.n_bumps);
    cr_assert_eq(pc, s->end_pc);
    for (size_t i = 0; i < s->n_boundary; i++)
        cr_assert(clocks[i].last && clocks[i].last == r.last_clk[i] && clocks[i].value == s->boundary[i].final);
    free(index);
    free(clocks);
    vn_replay_fini(&r);
}

static int keep_books(void *ctx, const struct vn_shard *s)
{
    struct books *b = ctx;
    cr_assert_eq(s->index, ++b->shards);
    if (s->kind == VN_SHARD_EXECUTION) {
        cr_assert(!b->with_memory && !b->halted);
        cr_assert_eq(s->start_pc, b->next_pc);
        b->next_pc = s->end_pc;
        b->halted = s->halted;
        b->steps += s->steps;
        b->n_exec++;
        if (s->n_boundary > b->most_boundary)
            b->most_boundary = s->n_boundary;
        for (size_t i = 0; i < s->n_boundary; i++) {
            const struct vn_boundary_row *r = &s->boundary[i];
            struct word_state *w = state_of(b, VN_KEY(r->space, r->word));
            cr_assert_eq(r->prev_shard, w->last_shard);
            cr_assert(w->last_shard == 0 || w->value == r->init);
            w->last_shard = s->index;
            w->value = r->final;
        }
        check_replay(b, s);
        return 0;
    }
    cr_assert(b->halted);
    cr_assert_eq(s->first_memory, !b->with_memory);
    if (b->with_memory)
        cr_assert_eq(s->prev_key, b->last_key);
    uint64_t prev = s->first_memory ? 0 : (uint64_t)s->prev_key + 1;
    for (size_t i = 0; i < s->n_memory; i++) {
        const struct vn_memory_row *r = &s->memory[i];
        uint32_t key = VN_KEY(r->space, r->word);
        struct word_state *w = state_of(b, key);
        cr_assert_geq(key, prev);
        prev = (uint64_t)key + 1;
        cr_assert_eq(r->last_shard, w->last_shard);
        int output = r->space == 0 && r->word >= VN_OUTPUT_ADDR / 8 && r->word < VN_OUTPUT_ADDR / 8 + 32;
        cr_assert(w->last_shard ? w->value == r->final : output && r->final == r->init);
        cr_assert_eq(r->page_kind, r->space ? VN_PAGE_IMAGE : b->p->page_kind[r->word >> 13]);
        cr_assert(r->page_kind != VN_PAGE_ZERO || r->init == 0);
        b->output_rows += output;
        b->rows++;
        w->last_shard = 0; /* accounted for */
    }
    b->last_key = s->last_key;
    cr_assert_eq(prev, (uint64_t)s->last_key + 1);
    b->with_memory = 1;
    return 0;
}

static struct books run_checked(const struct vn_program *p, struct vn_exec_options o, struct vn_exec_result *result)
{
    struct books b = {.p = p, .next_pc = p->entry};
    struct vn_error err = {VN_OK, ""};
    b.words = calloc(TABLE, sizeof *b.words);
    o.on_shard = keep_books;
    o.ctx = &b;
    o.track = 1;
    cr_assert_eq(vn_execute(p, &o, result, &err), VN_OK, "%s", err.text);
    cr_assert(b.halted);
    cr_assert_eq(b.steps, result->steps);
    cr_assert_eq(b.n_exec, result->n_exec);
    cr_assert_eq(b.shards, result->n_exec + result->n_mem);
    cr_assert_eq(b.output_rows, 32);
    for (uint32_t i = 0; i < TABLE; i++)
        cr_assert_eq(b.words[i].last_shard, 0); /* every word ended in a memory row */
    cr_assert_arr_eq(b.op_count, result->op_count, sizeof b.op_count);
    struct vn_exec_result plain;
    o.track = 0;
    o.on_shard = NULL;
    cr_assert_eq(vn_execute(p, &o, &plain, &err), VN_OK);
    cr_assert(plain.steps == result->steps && memcmp(plain.output, result->output, sizeof plain.output) == 0);
    cr_assert_arr_eq(plain.op_count, result->op_count, sizeof plain.op_count);
    free(b.words);
    return b;
}

/* x5 = RAM base + 0x30000, then `count` (in x6) times: store x6, reload, advance by 8. Ends by returning with x6 in the output. */
static const uint32_t walk[] = {
    RV_LUI(5, 0xa0030), RV_SLLI(5, 5, 32), 0x0202d293 /* srli x5, x5, 32 */, RV_LD(6, 10, 16),
    /* loop */ RV_SD(6, 5, 0), RV_LD(7, 5, 0), RV_ADDI(5, 5, 8), RV_ADDI(6, 6, -1), RV_BNE(6, 0, -16),
    RV_SLLI(11, 11, 0), RV_SD(7, 11, 0), RV_RET,
};

static struct books run_walk(uint64_t count, unsigned shard_log2, unsigned memory_log2, struct vn_exec_result *result)
{
    struct vn_program *p = program(walk, sizeof walk / sizeof *walk, VN_ABI_B);
    uint64_t input[2] = {8, count};
    struct vn_exec_options o = {.shard_log2 = shard_log2, .memory_shard_log2 = memory_log2, .input = (const uint8_t *)input, .input_len = sizeof input};
    struct books b = run_checked(p, o, result);
    cr_assert_eq(result->steps, 4 + 5 * count + 3 + 2);
    cr_assert_eq(result->output[0], 1);
    vn_program_free(p);
    return b;
}

/* ---- Runs ---- */

Test(exec, one_shard)
{
    struct vn_exec_result r;
    struct books b = run_walk(3, 10, 0, &r);
    cr_expect(r.n_exec == 1 && r.n_mem == 1 && b.bumps == 0);
    cr_expect_eq(b.rows, 32 + 1 + 3 + 8); /* outputs (one of them written), input, stores, x0 x1 x5 x6 x7 x10 x11 x17 */
    cr_expect_eq(r.op_count[VN_OP_HALT], 1);
    cr_expect_eq(r.op_count[VN_OP_BNE], 3);
}

Test(exec, many_shards_and_memory_shards)
{
    struct vn_exec_result r;
    for (unsigned k = 10; k <= 13; k++) {
        run_walk(2000, k, 6, &r);
        cr_expect_eq(r.n_exec, (10009 + (1u << k) - 1) >> k);
        cr_expect_eq(r.n_mem, (32 + 1 + 2000 + 8 + 63) / 64);
    }
}

Test(exec, halt_on_the_last_instruction_of_a_shard)
{
    struct vn_exec_result r;
    run_walk(203, 10, 0, &r); /* 1024 instructions */
    cr_expect(r.steps == 1024 && r.n_exec == 1);
    run_walk(204, 10, 0, &r);
    cr_expect(r.steps == 1029 && r.n_exec == 2);
}

Test(exec, too_many_words_cut_a_shard, .timeout = 60)
{
    /* two stores of new words in every three instructions */
    static const uint32_t dense[] = {
        RV_LUI(5, 0xa0030), RV_SLLI(5, 5, 32), 0x0202d293, RV_LUI(6, 66),
        RV_SD(6, 5, 0), RV_SD(6, 5, 8), RV_SD(6, 5, 16), RV_ADDI(5, 5, 24), RV_ADDI(6, 6, -3), RV_BNE(6, 0, -20),
        RV_RET,
    };
    struct vn_program *p = program(dense, sizeof dense / sizeof *dense, VN_ABI_B);
    struct vn_exec_options o = {.shard_log2 = 20};
    struct vn_exec_result r;
    struct books b = run_checked(p, o, &r);
    cr_expect_eq(r.steps, 4 + 2 * 66 * 4096 + 1 + 2);
    cr_expect(r.n_exec == 2 && b.most_boundary <= 1u << 18 && b.most_boundary > (1u << 18) - 100);
    vn_program_free(p);
}

Test(exec, far_accesses_are_bridged_by_bumps, .timeout = 60)
{
    /* touches a word and x8, waits, touches them again */
    static const uint32_t waiting[] = {
        RV_LUI(5, 0xa0030), RV_SLLI(5, 5, 32), 0x0202d293, RV_ADDI(8, 0, 7), RV_SD(8, 5, 0), RV_LUI(6, 120),
        RV_ADDI(6, 6, -1), RV_BNE(6, 0, -4),
        RV_LD(7, 5, 0), RV_ADD(7, 7, 8), RV_SD(7, 11, 0), RV_RET,
    };
    struct vn_program *p = program(waiting, sizeof waiting / sizeof *waiting, VN_ABI_B);
    struct vn_exec_options o = {.shard_log2 = 20};
    struct vn_exec_result r;
    struct books b = run_checked(p, o, &r);
    cr_expect_eq(r.n_exec, 1);
    cr_expect_eq(r.output[0], 14);
    cr_expect_geq(b.bumps, 6);
    cr_expect_leq(b.bumps, 40);
    o.shard_log2 = 16;
    b = run_checked(p, o, &r);
    cr_expect_eq(b.bumps, 0);
    vn_program_free(p);
}

/* Stores and loads at every offset of a word, over many shards: both words of each are in the shard's boundary, and a shard may end between any two. */
Test(exec, misaligned_accesses)
{
    static const uint32_t code[] = {
        RV_LUI(5, 0xa0030), RV_SLLI(5, 5, 32), 0x0202d293, RV_LUI(6, 1), RV_LUI(7, 0x81828), RV_ADDI(7, 7, 0x384),
        /* loop */ rv_s(1, 7, 5, 3), rv_s(3, 6, 5, 2), rv_s(7, 7, 5, 1), rv_i(1, 5, 3, 28, 0x03), rv_i(3, 5, 2, 29, 0x03), rv_i(7, 5, 1, 30, 0x03), rv_i(15, 5, 5, 31, 0x03),
        RV_ADD(7, 7, 28), RV_ADD(7, 7, 29), RV_ADD(7, 7, 30), RV_ADDI(5, 5, 3), RV_ADDI(6, 6, -1), RV_BNE(6, 0, -48),
        rv_s(1, 7, 11, 3), RV_SD(31, 11, 16), RV_RET,
    };
    struct vn_program *p = program(code, sizeof code / sizeof *code, VN_ABI_B);
    struct vn_exec_options o = {.shard_log2 = 10};
    struct vn_exec_result r;
    struct books b = run_checked(p, o, &r);
    cr_expect_gt(b.n_exec, 40);
    uint8_t output[VN_OUTPUT_BYTES];
    memcpy(output, r.output, sizeof output);
    o.shard_log2 = 16;
    b = run_checked(p, o, &r);
    cr_expect_eq(b.n_exec, 1);
    cr_expect_arr_eq(output, r.output, sizeof output);
    vn_program_free(p);
}

/* lr and sc with the end of a shard between them, sc without lr, and what amo leaves: the same however the run is cut. */
Test(exec, atomics)
{
    static const uint32_t code[] = {
        RV_LUI(6, 1), RV_ADDI(28, 11, 8), RV_ADDI(29, 11, 20),
        /* loop */ rv_r(8, 0, 11, 3, 5, 0x2f), RV_ADD(5, 5, 6), rv_r(12, 5, 11, 3, 7, 0x2f), RV_ADD(30, 30, 7), rv_r(12, 6, 28, 3, 7, 0x2f), RV_ADD(30, 30, 7),
        rv_r(0, 6, 29, 2, 31, 0x2f), rv_r(0x10, 31, 28, 3, 31, 0x2f), RV_ADDI(6, 6, -1), RV_BNE(6, 0, -36), RV_SD(30, 11, 24), rv_r(8, 0, 10, 2, 5, 0x2f), RV_SD(5, 11, 32), RV_RET,
    };
    struct vn_program *p = program(code, sizeof code / sizeof *code, VN_ABI_B);
    static const uint8_t input[8] = {1};
    struct vn_exec_options o = {.shard_log2 = 10, .input = input, .input_len = sizeof input};
    struct vn_exec_result r;
    struct books b = run_checked(p, o, &r);
    cr_expect_gt(b.n_exec, 30);
    uint64_t words[5];
    memcpy(words, r.output, sizeof words);
    cr_expect_eq(words[0], 4096 * 4097 / 2);
    cr_expect_eq(words[2] >> 32, 4096 * 4097 / 2);
    cr_expect_eq(words[3], 0); /* sc never failed */
    o.shard_log2 = 16;
    run_checked(p, o, &r);
    cr_expect_arr_eq(r.output, words, sizeof words);
    vn_program_free(p);
}

Test(exec, input_layouts)
{
    static const uint32_t copy[] = {RV_LD(5, 10, 8), RV_SD(5, 11, 0), RV_LD(5, 10, 16), RV_SD(5, 11, 8), RV_LD(5, 10, 24), RV_SD(5, 11, 16), RV_LBU(5, 10, 0), RV_SD(5, 11, 24), RV_RET};
    static const uint8_t input[11] = "abcdefghijk";
    struct vn_exec_options o = {.shard_log2 = 10, .input = input, .input_len = sizeof input};
    struct vn_exec_result r;
    struct vn_program *p = program(copy, sizeof copy / sizeof *copy, VN_ABI_A);
    run_checked(p, o, &r);
    cr_expect_arr_eq(r.output, "\x0b\0\0\0\0\0\0\0abcdefghijk\0\0\0\0\0\0\0\0\0\0\0\0", 32);
    o.input_len = p->input_bytes_max + 1;
    struct vn_error err;
    cr_expect_eq(vn_execute(p, &o, &r, &err), VN_ERR_LIMIT);
    vn_program_free(p);
    p = program(copy, sizeof copy / sizeof *copy, VN_ABI_C);
    o.input_len = sizeof input;
    run_checked(p, o, &r);
    cr_expect_arr_eq(r.output, "abcdefghijk\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
    vn_program_free(p);
}

static void collect(void *ctx, const char *bytes, size_t n)
{
    strncat(ctx, bytes, n);
}

Test(exec, console)
{
    static const uint32_t print[] = {RV_LUI(5, 0xa0000), RV_SLLI(5, 5, 32), 0x0202d293, RV_ADDI(6, 0, 'h'), RV_SB(6, 5, 0x200), RV_ADDI(6, 0, 'i'), RV_SB(6, 5, 0x200), RV_UNIMP};
    struct vn_program *p = program(print, sizeof print / sizeof *print, VN_ABI_B);
    char text[16] = "";
    struct vn_exec_options o = {.uart = collect, .ctx = text};
    struct vn_exec_result r;
    struct vn_error err;
    cr_expect_eq(vn_execute(p, &o, &r, &err), VN_ERR_GUEST);
    cr_expect_str_eq(text, "hi");
    cr_expect(strstr(err.text, "0x8000001c") && strstr(err.text, "guest panicked"), "%s", err.text);
    vn_program_free(p);
}

/* ---- Failures ---- */

static void expect_failure(const uint32_t *words, size_t n, enum vn_status status, const char *text)
{
    struct vn_program *p = program(words, n, VN_ABI_B);
    struct vn_exec_options o = {.shard_log2 = 10, .max_steps = 5000};
    struct vn_exec_result r;
    struct vn_error err = {VN_OK, ""};
    for (o.track = 0; o.track < 2; o.track++) {
        cr_expect_eq(vn_execute(p, &o, &r, &err), status);
        cr_expect(strstr(err.text, text) != NULL, "'%s' lacks '%s'", err.text, text);
    }
    vn_program_free(p);
}
#define FAILS(status, text, ...) \
    do { \
        const uint32_t words[] = {__VA_ARGS__}; \
        expect_failure(words, sizeof words / sizeof *words, status, text); \
    } while (0)

Test(exec, failures)
{
    FAILS(VN_ERR_GUEST, "step limit", rv_j(0, 0));
    FAILS(VN_ERR_GUEST, "no code", RV_ADDI(5, 0, 1));
    FAILS(VN_ERR_GUEST, "jump to 0x80080000, where there is no code", rv_j(0x80000, 0));
    FAILS(VN_ERR_GUEST, "0x88000000", RV_LUI(5, 0x88000), RV_SLLI(5, 5, 32), 0x0202d293, RV_JALR(0, 5, 0));
    FAILS(VN_ERR_GUEST, "0xffffffff80000000", RV_LUI(5, 0x80000), RV_JALR(0, 5, 0));
    FAILS(VN_ERR_GUEST, "not 4-byte aligned", RV_JALR(0, 1, 2));
    FAILS(VN_ERR_GUEST, "load from 0x0, where there is no memory", RV_LD(5, 0, 0));
    FAILS(VN_ERR_GUEST, "store to 0x40000008, which is read-only", RV_LD(5, 10, 8), RV_SD(5, 10, 8));
    FAILS(VN_ERR_GUEST, "where there is no memory", RV_SD(5, 0, -8));
    FAILS(VN_ERR_GUEST, "store to 0x40000009, which is read-only", RV_SD(5, 10, 9));
    FAILS(VN_ERR_GUEST, "8-byte access at 0xbffffffc reaches past the end of memory", RV_LUI(5, 0xc0000), RV_SLLI(5, 5, 32), 0x0202d293, RV_SD(0, 5, -4));
    FAILS(VN_ERR_GUEST, "8-byte access at 0xbffffffc reaches past the end of memory", RV_LUI(5, 0xc0000), RV_SLLI(5, 5, 32), 0x0202d293, RV_LD(6, 5, -4));
    FAILS(VN_ERR_GUEST, "load from 0x3ffffffc, where there is no memory", RV_LD(5, 10, -4));
    FAILS(VN_ERR_GUEST, "load from 0xfffffffffffffffc, where there is no memory", RV_LD(5, 0, -4));
    FAILS(VN_ERR_UNSUPPORTED, "system call 0", RV_ECALL);
    FAILS(VN_ERR_UNSUPPORTED, "csrrs x0, 0x800, x11", 0x8005a073);
    FAILS(VN_ERR_GUEST, "atomic access to 0xa0010004, which is not aligned", RV_ADDI(5, 11, 4), rv_r(0, 5, 5, 3, 6, 0x2f));
    FAILS(VN_ERR_GUEST, "atomic access to 0xa0010002, which is not aligned", RV_ADDI(5, 11, 2), rv_r(8, 0, 5, 2, 6, 0x2f));
    FAILS(VN_ERR_GUEST, "atomic access to 0x40000000, where there is no memory that allows it", rv_r(12, 5, 10, 3, 6, 0x2f));
    FAILS(VN_ERR_GUEST, "atomic access to 0x0, where there is no memory that allows it", rv_r(8, 0, 0, 3, 6, 0x2f));
    FAILS(VN_ERR_GUEST, "padding", 0);
}

static int refuse(void *ctx, const struct vn_shard *s)
{
    (void)ctx;
    return s->index == 2;
}

Test(exec, arguments_and_cancelling)
{
    struct vn_program *p = program(walk, sizeof walk / sizeof *walk, VN_ABI_B);
    uint64_t input[2] = {8, 2000};
    struct vn_exec_options o = {.shard_log2 = 10, .input = (const uint8_t *)input, .input_len = sizeof input, .track = 1, .on_shard = refuse};
    struct vn_exec_result r;
    cr_expect_eq(vn_execute(p, &o, &r, NULL), VN_ERR_CANCELLED);
    o.shard_log2 = 9;
    cr_expect_eq(vn_execute(p, &o, &r, NULL), VN_ERR_ARGUMENT);
    o.shard_log2 = 21;
    cr_expect_eq(vn_execute(p, &o, &r, NULL), VN_ERR_ARGUMENT);
    o.shard_log2 = 10;
    o.memory_shard_log2 = 21;
    cr_expect_eq(vn_execute(p, &o, &r, NULL), VN_ERR_ARGUMENT);
    vn_program_free(p);
}

/* ---- Replay of shards that lie ---- */

struct kept {
    struct vn_shard shard;
    struct vn_boundary_row rows[64];
};

static int keep_second(void *ctx, const struct vn_shard *s)
{
    struct kept *k = ctx;
    if (s->index == 2) {
        k->shard = *s;
        cr_assert_leq(s->n_boundary, 60);
        memcpy(k->rows, s->boundary, s->n_boundary * sizeof *k->rows);
        k->shard.boundary = k->rows;
    }
    return 0;
}

static const struct vn_program *lying_program;

static void expect_lie(const struct kept *k)
{
    struct vn_replay r;
    cr_expect_eq(vn_replay_shard(lying_program, &k->shard, &r, NULL), VN_ERR_FORMAT);
    cr_expect_null(r.steps);
}

#define LIE(change) \
    do { \
        struct kept k = honest; \
        k.shard.boundary = k.rows; \
        change; \
        expect_lie(&k); \
    } while (0)

Test(replay, lies_are_refused)
{
    /* spins for three shards while storing to one word */
    static const uint32_t spin[] = {RV_LUI(6, 1), RV_SD(6, 11, 8), RV_ADDI(6, 6, -1), RV_BNE(6, 0, -8), RV_RET};
    struct vn_program *p = program(spin, sizeof spin / sizeof *spin, VN_ABI_B);
    struct kept honest = {0};
    struct vn_exec_options o = {.shard_log2 = 10, .track = 1, .on_shard = keep_second, .ctx = &honest};
    struct vn_exec_result result;
    cr_assert_eq(vn_execute(p, &o, &result, NULL), VN_OK);
    lying_program = p;
    struct vn_replay r;
    honest.shard.boundary = honest.rows;
    cr_assert_eq(vn_replay_shard(p, &honest.shard, &r, NULL), VN_OK);
    vn_replay_fini(&r);
    size_t n = honest.shard.n_boundary;
    cr_assert_eq(n, 4); /* the word, x0, x6, x11 */

    LIE(k.shard.kind = VN_SHARD_MEMORY);
    LIE(k.shard.index = 0);
    LIE(k.shard.index = 1);
    LIE(k.shard.index = 65536);
    LIE(k.shard.steps = 0);
    LIE(k.shard.steps--);
    LIE(k.shard.steps++);
    LIE(k.shard.steps = UINT32_MAX);
    LIE(k.shard.start_pc += 4);
    LIE(k.shard.start_pc = 0x90000000);
    LIE(k.shard.start_pc++);
    LIE(k.shard.end_pc += 4);
    LIE(k.shard.halted = 1);
    LIE(k.shard.halted = 2);
    LIE(k.shard.n_boundary = UINT32_MAX);
    LIE((k.rows[n] = k.rows[0], k.shard.n_boundary++));
    LIE((k.rows[n] = k.rows[1], k.shard.n_boundary++));
    LIE((k.rows[n] = (struct vn_boundary_row){0, 0xa0030000 / 8, 0, 0, 0, 0}, k.shard.n_boundary++));
    LIE((k.rows[n] = (struct vn_boundary_row){0, 5, 0, 0, 0, 0}, k.shard.n_boundary++));
    for (size_t i = 0; i < n; i++) {
        LIE(k.rows[i].final ^= 1);
        LIE(k.rows[i].prev_shard = 2);
        LIE(k.rows[i].reserved = 1);
        LIE(k.rows[i].word++);
        LIE(k.rows[i].space ^= 1);
        LIE(k.rows[i].space = 2);
        LIE(k.rows[i].word = UINT32_MAX);
        LIE((k.rows[i] = k.rows[n - 1], k.shard.n_boundary--));
    }
    LIE((k.rows[1].init = k.rows[1].final = 1)); /* x0 */
    LIE(k.rows[3].init = k.rows[3].final = 0x123);  /* x11: stores elsewhere */
    vn_program_free(p);
}

/* ---- Arithmetic at the corners the ISA manual names ---- */

Test(semantics, division)
{
    uint64_t min = UINT64_C(1) << 63, all = UINT64_MAX;
    cr_expect_eq(vn_alu(VN_OP_DIV, 7, 0), all);
    cr_expect_eq(vn_alu(VN_OP_DIV, min, all), min);
    cr_expect_eq(vn_alu(VN_OP_REM, min, all), 0);
    cr_expect_eq(vn_alu(VN_OP_REM, min, 0), min);
    cr_expect_eq(vn_alu(VN_OP_DIVU, 7, 0), all);
    cr_expect_eq(vn_alu(VN_OP_REMU, 7, 0), 7);
    cr_expect_eq(vn_alu(VN_OP_DIV, (uint64_t)-7, 2), (uint64_t)-3);
    cr_expect_eq(vn_alu(VN_OP_REM, (uint64_t)-7, 2), (uint64_t)-1);
    cr_expect_eq(vn_alu(VN_OP_DIVW, 0x180000000, all), 0xffffffff80000000);
    cr_expect_eq(vn_alu(VN_OP_REMW, 0x180000000, all), 0);
    cr_expect_eq(vn_alu(VN_OP_REMW, 0x180000000, 0x500000000), 0xffffffff80000000);
    cr_expect_eq(vn_alu(VN_OP_DIVUW, 0x80000000, 1), 0xffffffff80000000);
    cr_expect_eq(vn_alu(VN_OP_DIVUW, 1, 0x100000000), all);
    cr_expect_eq(vn_alu(VN_OP_REMUW, 0x80000000, 0), 0xffffffff80000000);
}

Test(semantics, products)
{
    uint64_t min = UINT64_C(1) << 63, all = UINT64_MAX;
    cr_expect_eq(vn_alu(VN_OP_MULH, min, min), UINT64_C(1) << 62);
    cr_expect_eq(vn_alu(VN_OP_MULHU, all, all), all - 1);
    cr_expect_eq(vn_alu(VN_OP_MULHSU, all, all), all);
    cr_expect_eq(vn_alu(VN_OP_MULHSU, min, all), min);
    cr_expect_eq(vn_alu(VN_OP_MULHSU, 2, all), 1);
    cr_expect_eq(vn_alu(VN_OP_MULW, 0x10000, 0x8000), 0xffffffff80000000);
}
