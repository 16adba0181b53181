/* Random code: the interpreter never crashes, tells the same story with and without tracking, and every shard it describes replays to its end.
 *
 * First byte: bits 0-1 the mode (0: as it is; 1-3: words that do not decode become instructions of RV64IM). Second byte: how many words are data for
 * the guest's input. Then the words of the code, which runs between a start that points registers at memory and the exit call. */
#include "services/prover-engine/vm/exec.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vm/elf_builder.h"

enum { MAX_WORDS = 256, MAX_STEPS = 3000, MAX_SHARDS = 8 };

/* x8 = RAM, x9 = constants, x10 = the output, x11 = the input, x12, x13 = awkward numbers; then the code; then exit. */
static size_t wrap(uint32_t *out, const uint32_t *code, size_t n)
{
    static const uint32_t before[] = {
        RV_LUI(8, 0x50010),  RV_SLLI(8, 8, 1),     RV_LUI(9, 0x40080),     RV_SLLI(9, 9, 1), RV_LUI(10, 0x50008), RV_SLLI(10, 10, 1),
        RV_LUI(11, 0x40000), RV_ADDI(12, 0, 0xfff) /* -1 */, RV_SLLI(13, 12, 63),
    };
    static const uint32_t after[] = {RV_ADDI(17, 0, 93), RV_ECALL};
    size_t k = sizeof before / sizeof *before;
    memcpy(out, before, sizeof before);
    memcpy(out + k, code, n * sizeof *code);
    memcpy(out + k + n, after, sizeof after);
    return k + n + sizeof after / sizeof *after;
}

/* Some instruction made of the bits of w: registers 0 and 7..14, offsets that stay close. */
static uint32_t instruction_of(uint32_t w)
{
    static const uint8_t regs[16] = {0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 8, 8, 10, 11, 0};
    static const uint8_t r_forms[][3] = {
        {0, 0, 0x33}, {32, 0, 0x33}, {0, 1, 0x33}, {0, 2, 0x33}, {0, 3, 0x33}, {0, 4, 0x33}, {0, 5, 0x33}, {32, 5, 0x33}, {0, 6, 0x33}, {0, 7, 0x33},
        {0, 0, 0x3b}, {32, 0, 0x3b}, {0, 1, 0x3b}, {0, 5, 0x3b}, {32, 5, 0x3b}, {1, 0, 0x33}, {1, 1, 0x33}, {1, 2, 0x33}, {1, 3, 0x33}, {1, 4, 0x33},
        {1, 5, 0x33}, {1, 6, 0x33}, {1, 7, 0x33}, {1, 0, 0x3b}, {1, 4, 0x3b}, {1, 5, 0x3b}, {1, 6, 0x3b}, {1, 7, 0x3b}};
    uint32_t rd = regs[w >> 8 & 15], rs1 = regs[w >> 12 & 15], rs2 = regs[w >> 16 & 15], imm = w >> 20;
    static const uint8_t branches[] = {0, 1, 4, 5, 6, 7};
    switch (w & 7) {
    case 0:
        return rv_s(imm & 0x7f8, rs2, 8, 3);
    case 1:
        return rv_i(imm & 0x7f8, rs1, 3, rd, 0x03);
    case 2:
        return rv_i(imm, 8, w >> 4 & 7, rd, 0x03);
    case 3:
        return rv_s(imm, rs2, 8, w >> 4 & 3);
    case 4:
        return rv_b((int)(imm % 16) * 4 - 24, rs2, rs1, branches[(w >> 4 & 15) % 6]);
    case 5:
        return rv_i(imm, rs1, (w >> 4 & 7) | 0, rd, w >> 7 & 1 ? 0x1b : 0x13);
    default: {
        const uint8_t *f = r_forms[imm % (sizeof r_forms / sizeof *r_forms)];
        return rv_r(f[0], rs2, rs1, f[1], rd, f[2]);
    }
    }
}

struct run {
    const struct vn_program *program;
    unsigned n_exec, n_mem;
    uint64_t steps;
    uint32_t last_pc; /* where the execution shard before ended */
};

static int check_shard(void *ctx, const struct vn_shard *s)
{
    struct run *run = ctx;
    struct vn_replay replay;
    struct vn_error err = {0};
    if (s->kind == VN_SHARD_MEMORY) {
        run->n_mem++;
        for (size_t i = 1; i < s->n_memory; i++)
            must(VN_KEY(s->memory[i].space, s->memory[i].word) > VN_KEY(s->memory[i - 1].space, s->memory[i - 1].word));
        return 0;
    }
    run->n_exec++;
    must(s->index == run->n_exec && run->n_mem == 0);
    must(s->start_pc == (s->index == 1 ? run->program->entry : run->last_pc));
    must(vn_replay_shard(run->program, s, &replay, &err) == VN_OK);
    must(replay.n_steps == s->steps);
    vn_replay_fini(&replay);
    run->steps += s->steps;
    run->last_pc = s->end_pc;
    return run->n_exec == MAX_SHARDS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_reader r = {data, data + size};
    uint32_t mode = fuzz_u8(&r) & 3, code[MAX_WORDS], all[MAX_WORDS + 16];
    size_t input_len = 8 * (fuzz_u8(&r) % 8), n = 0, elf_len;
    uint8_t input[64] = {0};
    for (size_t i = 0; i < input_len; i++)
        input[i] = (uint8_t)fuzz_u8(&r);
    while (fuzz_left(&r) >= 4 && n < MAX_WORDS) {
        uint32_t w = fuzz_u32(&r);
        unsigned op = vn_decode(w, 0x80000000).op;
        code[n++] = mode && (op == VN_OP_HALT || op == VN_OP_UNSUPPORTED) ? instruction_of(w) : w;
    }
    static const uint64_t constants[] = {0, 1, UINT64_C(0x8000000000000000), UINT64_C(0x7fffffffffffffff), 0xffffffff, 0x80000000};
    struct elf e = elf_of_code(all, wrap(all, code, n));
    e.sections[e.n_sections++] = (struct elf_section){".rodata", ELF_PROGBITS, ELF_A, 0x80100000, sizeof constants, constants};
    uint8_t *elf = elf_build(&e, &elf_len);
    struct vn_program *p = NULL;
    struct vn_error err = {0}, plain_err = {0};
    if (vn_program_load(&p, elf, elf_len, VN_ABI_B, &err) == VN_OK) {
        struct run run = {.program = p};
        struct vn_exec_result tracked = {0}, plain = {0};
        struct vn_exec_options o = {.shard_log2 = 10, .max_steps = MAX_STEPS, .input = input, .input_len = input_len, .on_shard = check_shard, .ctx = &run,
                                    .track = 1};
        enum vn_status s = vn_execute(p, &o, &tracked, &err);
        o = (struct vn_exec_options){.shard_log2 = 10, .max_steps = MAX_STEPS, .input = input, .input_len = input_len};
        enum vn_status t = vn_execute(p, &o, &plain, &plain_err);
        must(s == t);
        if (s == VN_OK) {
            must(tracked.steps == plain.steps && run.steps == plain.steps && run.n_exec == tracked.n_exec && run.n_mem == tracked.n_mem);
            must(memcmp(tracked.output, plain.output, sizeof plain.output) == 0);
        } else {
            must(strcmp(err.text, plain_err.text) == 0);
        }
        vn_program_free(p);
    }
    p = NULL;
    if (vn_program_load(&p, elf, elf_len, VN_ABI_B, &err) == VN_OK) {
        static struct vn_exec_counts counts;
        struct vn_exec_result result;
        struct vn_exec_options o = {.shard_log2 = 10, .max_steps = MAX_STEPS, .input = input, .input_len = input_len, .execute_only = 1, .counts = &counts};
        enum vn_status s = vn_execute(p, &o, &result, &err);
        must(s == VN_OK || err.text[0]);
        vn_program_free(p);
    }
    free(elf);
    return 0;
}
