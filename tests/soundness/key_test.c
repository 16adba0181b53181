/* What a verifying key commits to: whatever can change what a program does changes the key. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/soundness/guest.h"

enum { WORDS = 8 };

void test_fail(const char *what, const struct vn_error *err)
{
    cr_assert(0, "%s: %s", what, err ? err->text : "");
    abort();
}

struct source {
    uint32_t words[WORDS];
    uint64_t constants[4];
    struct elf elf;
    enum vn_abi abi;
};

static struct source source(void)
{
    struct source s = {
        .words = {RV_LUI(5, 0x80100), RV_LD(6, 5, 8), RV_ADDI(6, 6, 1), RV_ADD(7, 6, 6), RV_SD(7, 11, 0), RV_RET, RV_UNIMP, 0},
        .constants = {1, 2, 3, 4},
        .abi = VN_ABI_B,
    };
    return s;
}

static struct vn_digest key_of(struct source *s, struct vn_pool *pool)
{
    struct vn_program *p = NULL;
    struct vn_setup *setup = NULL;
    struct vn_error err = {0};
    size_t len;
    for (size_t i = 0; i < s->elf.n_sections; i++) {
        if (strcmp(s->elf.sections[i].name, ".text") == 0)
            s->elf.sections[i].data = s->words;
        if (strcmp(s->elf.sections[i].name, ".rodata") == 0)
            s->elf.sections[i].data = s->constants;
    }
    uint8_t *elf = elf_build(&s->elf, &len);
    if (vn_program_load(&p, elf, len, s->abi, &err) != VN_OK || vn_setup_new(&setup, p, vn_backend_select(NULL), pool, NULL, &err) != VN_OK)
        test_fail("set-up", &err);
    free(elf);
    struct vn_digest d = setup->vk_digest;
    vn_setup_free(setup);
    vn_program_free(p);
    return d;
}

static void add_sections(struct source *s)
{
    s->elf = elf_of_code(s->words, WORDS);
    s->elf.sections[s->elf.n_sections++] = (struct elf_section){".rodata", ELF_PROGBITS, ELF_A, 0x80100000, sizeof s->constants, s->constants};
    s->elf.sections[s->elf.n_sections++] = (struct elf_section){".bss", ELF_NOBITS, ELF_A | ELF_W, 0xa0020000, 64, NULL};
}

static void change_instruction(struct source *s) { s->words[2] = RV_ADDI(6, 6, 2); }
static void change_register(struct source *s) { s->words[3] = RV_ADD(7, 6, 5); }
static void write_nothing(struct source *s) { s->words[3] = RV_ADD(0, 6, 6); }
static void swap_instructions(struct source *s)
{
    s->words[2] = RV_ADD(7, 6, 6);
    s->words[3] = RV_ADDI(6, 6, 1);
}
static void add_instruction(struct source *s) { s->words[7] = RV_RET; }
static void move_code(struct source *s) { s->elf.entry = s->elf.sections[0].addr = 0x80000100; }
static void change_entry(struct source *s) { s->elf.entry += 4; }
static void change_constant(struct source *s) { s->constants[3] ^= UINT64_C(1) << 63; }
static void move_constants(struct source *s) { s->elf.sections[1].addr += 0x10000; }
static void move_input(struct source *s) { s->abi = VN_ABI_A; }
static void start_data_as_image(struct source *s) /* zeros, but no longer a zero page */
{
    static const uint8_t zeros[64];
    s->elf.sections[2].type = ELF_PROGBITS;
    s->elf.sections[2].data = zeros;
}

/* Words that are no instruction trap either way, and what is not loaded does not matter. */
static void change_trap(struct source *s) { s->words[6] = 0; }
static void rename_section(struct source *s) { s->elf.sections[2].name = ".zero"; }

static const struct {
    const char *name;
    void (*change)(struct source *);
    int same;
} changes[] = {
    {"an immediate", change_instruction, 0},   {"a source register", change_register, 0},  {"no destination", write_nothing, 0},
    {"order", swap_instructions, 0},           {"one instruction more", add_instruction, 0}, {"code elsewhere", move_code, 0},
    {"another entry", change_entry, 0},        {"a constant", change_constant, 0},         {"constants elsewhere", move_constants, 0},
    {"another ABI", move_input, 0},            {"an image page", start_data_as_image, 0},  {"another trap", change_trap, 1},
    {"a section's name", rename_section, 1},
};

Test(key, commits_to_the_program, .timeout = 600)
{
    struct vn_pool *pool;
    struct vn_error err = {0};
    if (vn_pool_new(&pool, 2) != VN_OK)
        test_fail("pool", &err);
    struct source s = source();
    add_sections(&s);
    struct vn_digest base = key_of(&s, pool);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        s = source();
        add_sections(&s);
        changes[i].change(&s);
        struct vn_digest d = key_of(&s, pool);
        cr_expect((memcmp(&d, &base, sizeof d) == 0) == changes[i].same, "%s", changes[i].name);
    }
    vn_pool_free(pool);
}
