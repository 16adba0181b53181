/* Loader: what is code, image, zero and input; ABI detection; and a clear refusal for everything else, damaged files included. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/rv64/program.h"
#include "tests/unit/vm/elf_builder.h"

static const uint32_t code[] = {RV_LUI(5, 0x90000), 0xc0001073, 0x00000013, 0x00008067};
static const uint8_t data[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static struct elf usual(void)
{
    struct elf e = elf_of_code(code, 4);
    e.sections[e.n_sections++] = (struct elf_section){".rodata", ELF_PROGBITS, ELF_A, 0x80010004, 12, data};
    e.sections[e.n_sections++] = (struct elf_section){".data", ELF_PROGBITS, ELF_A | ELF_W, 0xa0020003, 16, data};
    e.sections[e.n_sections++] = (struct elf_section){".bss", ELF_NOBITS, ELF_A | ELF_W, 0xa0030000, 0x100000, NULL};
    return e;
}

static enum vn_status load(const struct elf *e, enum vn_abi abi, struct vn_program **p, struct vn_error *err)
{
    size_t len;
    uint8_t *file = elf_build(e, &len);
    enum vn_status s = vn_program_load(p, file, len, abi, err);
    free(file);
    return s;
}

static void expect_refusal(const struct elf *e, enum vn_status status, const char *text)
{
    struct vn_program *p = NULL;
    struct vn_error err = {VN_OK, ""};
    enum vn_status s = load(e, VN_ABI_AUTO, &p, &err);
    cr_expect_eq(s, status, "%s: status %d", text, (int)s);
    cr_expect(strstr(err.text, text) != NULL, "'%s' lacks '%s'", err.text, text);
    cr_expect_null(p);
}

static uint64_t image_value(const struct vn_program *p, uint32_t space, uint32_t word)
{
    for (size_t i = 0; i < p->n_image; i++)
        if (p->image[i].key == VN_KEY(space, word))
            return p->image[i].value;
    cr_assert_fail("word %u is not in the image", word);
    return 0;
}

Test(load, usual_program)
{
    struct elf e = usual();
    struct vn_program *p;
    cr_assert_eq(load(&e, VN_ABI_B, &p, NULL), VN_OK);
    cr_expect_eq(p->entry, 0x80000000);
    cr_expect_eq(p->n_insns, 2 + 3); /* unimp is not listed */
    cr_expect_eq(vn_program_find(p, VN_BIOS_EXIT), 0);
    cr_expect_eq(vn_program_find(p, VN_BIOS_EXIT + 4), 1);
    cr_expect_eq(vn_program_find(p, VN_BIOS_EXIT + 8), UINT32_MAX);
    cr_expect_eq(vn_program_find(p, 0x80000000), 2);
    cr_expect_eq(vn_program_find(p, 0x80000004), UINT32_MAX);
    cr_expect_eq(vn_program_find(p, 0x80000008), 3);
    cr_expect_eq(vn_program_find(p, 0x8000000a), UINT32_MAX);
    cr_expect_eq(vn_program_find(p, 0x80000010), UINT32_MAX);
    cr_expect_eq(vn_program_find(p, 0), UINT32_MAX);
    uint32_t word = 0;
    cr_expect(vn_program_word(p, 0x80000004, &word) && word == 0xc0001073);
    cr_expect(!vn_program_word(p, 0x80000010, &word));
    cr_expect_eq(p->insns[0].op, VN_OP_ADDI);
    cr_expect(p->insns[0].rd == 17 && p->insns[0].imm[0] == 93 && p->insns[1].op == VN_OP_HALT);

    cr_expect_eq(p->page_kind[0x8000], VN_PAGE_ABSENT);
    cr_expect_eq(p->page_kind[0x8001], VN_PAGE_IMAGE);
    cr_expect_eq(p->page_kind[0xa000], VN_PAGE_IMAGE);
    cr_expect_eq(p->page_kind[0xa001], VN_PAGE_ZERO);
    cr_expect_eq(p->page_kind[0xa002], VN_PAGE_IMAGE);
    cr_expect_eq(p->page_kind[0xa003], VN_PAGE_ZERO);
    cr_expect_eq(p->page_kind[0xbfff], VN_PAGE_ZERO);
    cr_expect_eq(p->page_kind[0xc000], VN_PAGE_ABSENT);
    cr_expect_eq(p->page_kind[0x4000], VN_PAGE_INPUT);
    cr_expect_eq(p->page_kind[0x7fff], VN_PAGE_INPUT);
    cr_expect_eq(p->page_kind[0x3fff], VN_PAGE_ABSENT);

    cr_expect_eq(p->n_image, 3 * 8192 + 32);
    for (size_t i = 1; i < p->n_image; i++)
        cr_assert_lt(p->image[i - 1].key, p->image[i].key);
    cr_expect_eq(image_value(p, 0, 0x80010000 / 8), 0x0403020100000000);
    cr_expect_eq(image_value(p, 0, 0x80010008 / 8), 0x0c0b0a0908070605);
    cr_expect_eq(image_value(p, 0, 0xa0020000 / 8), 0x0504030201000000);
    cr_expect_eq(image_value(p, 0, 0xa0020010 / 8), 0x100f0e);
    cr_expect_eq(image_value(p, 0, 0xa000f890 / 8), 0x0fffeeee);
    cr_expect_eq(image_value(p, 1, 1), VN_BIOS_EXIT);
    cr_expect_eq(image_value(p, 1, 10), VN_INPUT_ADDR_BC);
    cr_expect_eq(image_value(p, 1, 11), VN_OUTPUT_ADDR);
    cr_expect_eq(image_value(p, 1, 0), 0);
    vn_program_free(p);
}

static void expect_abi(const struct elf *e, enum vn_abi abi, uint32_t input_addr)
{
    struct vn_program *p;
    cr_assert_eq(load(e, VN_ABI_AUTO, &p, NULL), VN_OK);
    cr_expect_eq((int)p->abi, (int)abi);
    cr_expect_eq(p->input_addr, input_addr);
    cr_expect_eq(p->page_kind[input_addr >> 16], VN_PAGE_INPUT);
    vn_program_free(p);
}

Test(load, abi_detection)
{
    struct elf e = usual();
    expect_abi(&e, VN_ABI_A, VN_INPUT_ADDR_A);

    uint32_t ready[] = {0x00000013, 0x8f05a073, 0x00000013, 0x8c0b5073, 0x00008067};
    struct elf b = elf_of_code(ready, 5);
    expect_abi(&b, VN_ABI_B, VN_INPUT_ADDR_BC);
    ready[2] = 0x8f05a073; /* two pushes: another call */
    expect_abi(&b, VN_ABI_A, VN_INPUT_ADDR_A);
    ready[1] = 0x8f25a073; /* two pushes, one of four words */
    expect_abi(&b, VN_ABI_A, VN_INPUT_ADDR_A);
    ready[2] = 0x00000013; /* one push of four words */
    expect_abi(&b, VN_ABI_A, VN_INPUT_ADDR_A);

    e.sections[e.n_sections++] = (struct elf_section){".venus.abi", ELF_PROGBITS, 0, 0, 1, "B"};
    expect_abi(&e, VN_ABI_B, VN_INPUT_ADDR_BC);
    e.sections[e.n_sections - 1] = (struct elf_section){".venus.abi", ELF_PROGBITS, 0, 0, 1, "Z"};
    expect_refusal(&e, VN_ERR_FORMAT, "names no ABI");
    e.sections[e.n_sections - 1] = (struct elf_section){".output_data", ELF_NOBITS, ELF_A, 0xa0020000, 0x10000, NULL};
    e.sections[2].addr = 0xa0040000;
    e.sections[3].addr = 0xa0050000;
    expect_abi(&e, VN_ABI_C, VN_INPUT_ADDR_BC);
    e.sections[e.n_sections - 1].addr = 0xa0410000;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "generation D");
}

Test(load, refusals)
{
    struct elf e = usual();
    e.entry = 0x80000010;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "entry point");
    e.entry = VN_BIOS_EXIT;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "entry point");
    e.entry = 0x180000000;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "entry point");
    e = usual();
    e.sections[2].addr = 0x80020000;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "outside RAM");
    e = usual();
    e.sections[3].size = 0x20000000;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "outside RAM");
    e = usual();
    e.sections[2].addr = 0xa0000200;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "system area");
    e = usual();
    e.sections[1].addr = 0x80000008;
    expect_refusal(&e, VN_ERR_FORMAT, "overlap");
    e = usual();
    e.sections[1].addr = 0xfffffffffffffff8;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "32-bit address space");
    e = usual();
    e.sections[1].addr = 0x90000000;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "input window");
    e = usual();
    e.sections[0].addr = 0x70000000;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "outside [0x80000000");
    e = usual();
    e.sections[0].addr = 0x80000002;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "aligned");
    e = usual();
    e.sections[0].type = ELF_NOBITS;
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "no content");
    e = usual();
    e.sections[e.n_sections++] = (struct elf_section){".dynamic", ELF_DYNAMIC, ELF_A, 0x80030000, 16, data};
    expect_refusal(&e, VN_ERR_UNSUPPORTED, "dynamically linked");
    e = usual();
    e.sections[1].size = 128 * 65536;
    e.sections[1].type = ELF_NOBITS;
    e.sections[1].data = NULL;
    expect_refusal(&e, VN_ERR_LIMIT, "image table");
    uint32_t *many = calloc((1 << 20) - 1, 4);
    e = elf_of_code(many, (1 << 20) - 1);
    expect_refusal(&e, VN_ERR_LIMIT, "program table");
    e.sections[0].size -= 4;
    struct vn_program *p;
    cr_expect_eq(load(&e, VN_ABI_B, &p, NULL), VN_OK);
    vn_program_free(p);
    uint32_t compressed[] = {0x00000013, 0x45014501, 0x00008067};
    e = elf_of_code(compressed, 3);
    e.flags = 1;
    cr_expect_eq(load(&e, VN_ABI_B, &p, NULL), VN_OK);
    cr_expect(p->compressed && p->n_insns == 2 + 4 && vn_program_find(p, 0x80000006) == 4 && vn_program_find(p, 0x8000000a) == UINT32_MAX);
    vn_program_free(p);
    e = elf_of_code(compressed, 3);
    cr_expect_eq(load(&e, (enum vn_abi)'D', &p, NULL), VN_ERR_ARGUMENT);
    free(many);
}

static void expect_patched(size_t at, uint8_t value, enum vn_status status, const char *text)
{
    struct elf e = usual();
    size_t len;
    uint8_t *file = elf_build(&e, &len);
    struct vn_program *p;
    struct vn_error err = {VN_OK, ""};
    file[at] = value;
    cr_expect_eq(vn_program_load(&p, file, len, VN_ABI_AUTO, &err), status);
    cr_expect(strstr(err.text, text) != NULL, "'%s' lacks '%s'", err.text, text);
    free(file);
}

Test(load, header_refusals)
{
    expect_patched(0, 0, VN_ERR_FORMAT, "not an ELF");
    expect_patched(4, 1, VN_ERR_UNSUPPORTED, "32-bit");
    expect_patched(5, 2, VN_ERR_UNSUPPORTED, "big-endian");
    expect_patched(18, 62, VN_ERR_UNSUPPORTED, "not RISC-V");
    expect_patched(16, 3, VN_ERR_UNSUPPORTED, "position-independent");
    expect_patched(16, 1, VN_ERR_UNSUPPORTED, "not an executable");
    expect_patched(60, 0, VN_ERR_UNSUPPORTED, "no section headers");
    expect_patched(58, 63, VN_ERR_FORMAT, "63 bytes");
    expect_patched(44, 1, VN_ERR_FORMAT, "cut short");
}

Test(load, every_truncation_is_refused)
{
    struct elf e = usual();
    size_t len;
    uint8_t *file = elf_build(&e, &len);
    for (size_t n = 0; n < len; n++) {
        struct vn_program *p;
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, file, n);
        cr_assert_neq(vn_program_load(&p, cut, n, VN_ABI_AUTO, NULL), VN_OK, "%zu of %zu bytes", n, len);
        free(cut);
    }
    free(file);
}

static void load_damaged(uint32_t flags)
{
    struct elf e = usual();
    size_t len;
    e.flags = flags;
    uint8_t *file = elf_build(&e, &len);
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    for (size_t at = 0; at < len; at++)
        for (size_t k = 0; k < sizeof values; k++) {
            uint8_t *copy = malloc(len), old = file[at];
            struct vn_program *p = NULL;
            memcpy(copy, file, len);
            copy[at] = values[k];
            if (old != values[k] && vn_program_load(&p, copy, len, VN_ABI_AUTO, NULL) == VN_OK)
                vn_program_free(p);
            free(copy);
        }
    free(file);
}

/* Section 0 is not looked at, wherever it says it lies, so no symbols may be read by its names. */
Test(load, symbol_names_in_no_string_table)
{
    static const uint8_t symbols[48] = {[24] = 1};
    struct elf e = usual();
    e.sections[e.n_sections++] = (struct elf_section){".symtab", 2, 0, 0, sizeof symbols, symbols};
    size_t len;
    uint8_t *file = elf_build(&e, &len);
    uint64_t headers, wild = UINT64_C(1) << 40;
    memcpy(&headers, file + 40, sizeof headers);
    memcpy(file + headers + 24, &wild, sizeof wild);
    memcpy(file + headers + 32, &wild, sizeof wild);
    struct vn_program *p;
    cr_assert_eq(vn_program_load(&p, file, len, VN_ABI_AUTO, NULL), VN_OK);
    vn_program_free(p);
    free(file);
}

Test(load, damaged_files_never_break_the_loader)
{
    load_damaged(0);
    load_damaged(1); /* compressed */
}
