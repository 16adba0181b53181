/* Loading goes over the section headers twice. The first pass checks every loaded section, sorts them into code, data and zero-filled, and
 * refuses overlaps. The second copies code words and fills the image pages. The ABI generation decides the input window and is found between
 * the two, since finding it needs the code. Nothing in the file is trusted: every offset is checked against the length before it is used. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/rv64/program.h"

#define SYS_END 0xa0010000u
#define MARCHID_ADDR 0xa000f890u
#define MARCHID_VALUE 0x0fffeeeeu
#define MTVEC_ADDR 0xa0009828u
#define INPUT_BYTES_A (128u << 20)
#define INPUT_BYTES_BC (1u << 30)
#define PAGE_WORDS 8192u
#define MAX_TABLE_ROWS (1u << 20)
#define NAME_LEN 32

enum { SHT_PROGBITS = 1, SHT_SYMTAB = 2, SHT_STRTAB = 3, SHT_DYNAMIC = 6, SHT_NOBITS = 8 };
enum { SHF_WRITE = 1, SHF_ALLOC = 2, SHF_EXECINSTR = 4, SHF_TLS = 0x400 };
enum { EF_RVC = 1 };

struct section {
    char name[NAME_LEN];
    uint32_t type, link;
    uint64_t flags, addr, offset, size;
};

struct loader {
    const uint8_t *elf;
    size_t len;
    struct section *sections; /* all of the file */
    size_t n_sections;
    struct section *loaded;   /* those that take address space, ascending */
    size_t n_loaded;
    uint32_t elf_flags;
    uint64_t entry;
    struct vn_error *err;
};

static uint64_t get(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static int inside(const struct loader *l, uint64_t offset, uint64_t bytes)
{
    return offset <= l->len && bytes <= l->len - offset;
}

/* ---- First pass ---- */

static enum vn_status check_header(struct loader *l, uint64_t *shoff, uint32_t *shnum, uint32_t *shstrndx)
{
    const uint8_t *e = l->elf;
    if (l->len < 4 || memcmp(e, "\177ELF", 4) != 0)
        return vn_fail(l->err, VN_ERR_FORMAT, "not an ELF file");
    if (l->len < 64)
        return vn_fail(l->err, VN_ERR_FORMAT, "the ELF file is cut short: %zu bytes, the header alone has 64", l->len);
    if (e[4] != 2)
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "the ELF file is 32-bit; a 64-bit RISC-V executable is needed");
    if (e[5] != 1)
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "the ELF file is big-endian; a little-endian one is needed");
    uint64_t type = get(e + 16, 2), machine = get(e + 18, 2);
    if (machine != 243)
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "the ELF file is for machine %" PRIu64 ", not RISC-V (243)", machine);
    if (type == 3)
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "the ELF file is position-independent or a shared object; link it static, with -no-pie");
    if (type != 2)
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "the ELF file is not an executable (type %" PRIu64 ")", type);
    l->entry = get(e + 24, 8);
    l->elf_flags = (uint32_t)get(e + 48, 4);
    *shoff = get(e + 40, 8);
    *shnum = (uint32_t)get(e + 60, 2);
    *shstrndx = (uint32_t)get(e + 62, 2);
    if (*shnum == 0 || *shoff == 0)
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "the ELF file has no section headers; they say what is code and what is data (do not strip them)");
    if (get(e + 58, 2) != 64)
        return vn_fail(l->err, VN_ERR_FORMAT, "the ELF file's section headers have %" PRIu64 " bytes instead of 64", get(e + 58, 2));
    if (!inside(l, *shoff, (uint64_t)*shnum * 64))
        return vn_fail(l->err, VN_ERR_FORMAT, "the ELF file is cut short: its section headers lie past its end");
    return VN_OK;
}

static enum vn_status read_sections(struct loader *l)
{
    uint64_t shoff = 0;
    uint32_t shnum = 0, shstrndx = 0;
    enum vn_status s = check_header(l, &shoff, &shnum, &shstrndx);
    if (s)
        return s;
    l->sections = calloc(shnum, sizeof *l->sections);
    l->loaded = calloc(shnum, sizeof *l->loaded);
    if (!l->sections || !l->loaded)
        return vn_fail(l->err, VN_ERR_MEMORY, "no memory for %u section headers", shnum);

    uint64_t names = 0, names_bytes = 0;
    if (shstrndx < shnum) {
        const uint8_t *h = l->elf + shoff + 64 * (uint64_t)shstrndx;
        names = get(h + 24, 8);
        names_bytes = get(h + 32, 8);
        if (!inside(l, names, names_bytes))
            return vn_fail(l->err, VN_ERR_FORMAT, "the ELF file is cut short: its section names lie past its end");
    }
    for (uint32_t i = 0; i < shnum; i++) {
        const uint8_t *h = l->elf + shoff + 64 * (uint64_t)i;
        struct section *c = &l->sections[l->n_sections++];
        uint64_t name = get(h, 4);
        for (size_t k = 0; k + 1 < NAME_LEN && name + k < names_bytes && l->elf[names + name + k]; k++)
            c->name[k] = (char)l->elf[names + name + k];
        c->type = (uint32_t)get(h + 4, 4);
        c->flags = get(h + 8, 8);
        c->addr = get(h + 16, 8);
        c->offset = get(h + 24, 8);
        c->size = get(h + 32, 8);
        c->link = (uint32_t)get(h + 40, 4);
        if (c->type != SHT_NOBITS && c->type != 0 && !inside(l, c->offset, c->size))
            return vn_fail(l->err, VN_ERR_FORMAT, "the ELF file is cut short: section %s lies past its end", c->name);
    }
    return VN_OK;
}

static int is_compressed(const struct loader *l) { return (l->elf_flags & EF_RVC) != 0; }

static int by_addr(const void *a, const void *b)
{
    const struct section *x = a, *y = b;
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static enum vn_status check_section(struct loader *l, struct section *c)
{
    if (c->addr >= UINT64_C(1) << 32 || c->size > (UINT64_C(1) << 32) - c->addr)
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "section %s at 0x%" PRIx64 " lies outside the 32-bit address space", c->name, c->addr);
    if (c->flags & SHF_EXECINSTR) {
        if (c->type != SHT_PROGBITS)
            return vn_fail(l->err, VN_ERR_UNSUPPORTED, "code section %s has no content in the file", c->name);
        if (c->addr < VN_CODE_BASE || c->addr + c->size > VN_CODE_END)
            return vn_fail(l->err, VN_ERR_UNSUPPORTED, "code section %s at 0x%" PRIx64 " lies outside [0x%x, 0x%x)", c->name, c->addr, VN_CODE_BASE, VN_CODE_END);
        if (c->addr % (is_compressed(l) ? 2 : 4))
            return vn_fail(l->err, VN_ERR_UNSUPPORTED, "code section %s at 0x%" PRIx64 " is not aligned", c->name, c->addr);
        return VN_OK;
    }
    if ((c->flags & SHF_WRITE) && (c->addr < VN_RAM_BASE || c->addr + c->size > VN_RAM_END))
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "writable section %s at 0x%" PRIx64 " lies outside RAM [0x%x, 0x%x)", c->name, c->addr, VN_RAM_BASE, VN_RAM_END);
    if (c->addr < SYS_END && c->addr + c->size > VN_RAM_BASE)
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "section %s at 0x%" PRIx64 " lies in the system area [0x%x, 0x%x)", c->name, c->addr, VN_RAM_BASE, SYS_END);
    return VN_OK;
}

static enum vn_status choose_loaded(struct loader *l)
{
    for (size_t i = 0; i < l->n_sections; i++) {
        struct section *c = &l->sections[i];
        if (!(c->flags & SHF_ALLOC))
            continue;
        if (c->type == SHT_DYNAMIC)
            return vn_fail(l->err, VN_ERR_UNSUPPORTED, "the ELF file is dynamically linked; link it with -static -no-pie");
        if (c->addr == 0 || c->size == 0 || (c->type != SHT_PROGBITS && c->type != SHT_NOBITS))
            continue;
        if (c->type == SHT_NOBITS && (c->flags & SHF_TLS))
            continue; /* thread-local zero data: takes no address space */
        enum vn_status s = check_section(l, c);
        if (s)
            return s;
        l->loaded[l->n_loaded++] = *c;
    }
    qsort(l->loaded, l->n_loaded, sizeof *l->loaded, by_addr);
    for (size_t i = 1; i < l->n_loaded; i++) {
        const struct section *a = &l->loaded[i - 1], *b = &l->loaded[i];
        if (a->addr + a->size > b->addr)
            return vn_fail(l->err, VN_ERR_FORMAT, "sections %s and %s overlap at 0x%" PRIx64, a->name, b->name, b->addr);
    }
    return VN_OK;
}

/* ---- ABI generation ---- */

static int symbol_value(const struct loader *l, const char *wanted, uint64_t *value)
{
    size_t wanted_len = strlen(wanted) + 1;
    for (size_t i = 0; i < l->n_sections; i++) {
        const struct section *t = &l->sections[i];
        if (t->type != SHT_SYMTAB || t->link >= l->n_sections || l->sections[t->link].type != SHT_STRTAB)
            continue;
        const struct section *names = &l->sections[t->link];
        for (uint64_t k = 0; k + 24 <= t->size; k += 24) {
            uint64_t name = get(l->elf + t->offset + k, 4);
            if (name < names->size && names->size - name >= wanted_len && memcmp(l->elf + names->offset + name, wanted, wanted_len) == 0) {
                *value = get(l->elf + t->offset + k + 8, 8);
                return 1;
            }
        }
    }
    return 0;
}

/* Looks for `csrwi 0x8c0, 22` fed by exactly one parameter push, `csrs 0x8f0, reg`, in the six words before: generation B's input_ready. */
static int has_b_input_ready(const struct loader *l, const struct section *c)
{
    const uint8_t *code = l->elf + c->offset;
    for (uint64_t i = 0; i < c->size / 4; i++) {
        if (get(code + 4 * i, 4) != (0x8c0u << 20 | 22u << 15 | 5u << 12 | 0x73u))
            continue;
        unsigned pushes = 0, one_word = 0;
        for (uint64_t k = i > 6 ? i - 6 : 0; k < i; k++) {
            uint32_t w = (uint32_t)get(code + 4 * k, 4);
            if ((w & 0x7fff) == (2u << 12 | 0x73u) && w >> 20 >= 0x8f0 && w >> 20 <= 0x8ff) {
                pushes++;
                one_word += w >> 20 == 0x8f0;
            }
        }
        if (pushes == 1 && one_word == 1)
            return 1;
    }
    return 0;
}

static enum vn_status refuse_generation_d(const struct loader *l)
{
    uint64_t stack_top;
    int is_d = symbol_value(l, "_init_stack_top", &stack_top) && stack_top == 0xa0400000u;
    for (size_t i = 0; i < l->n_sections; i++)
        is_d |= strcmp(l->sections[i].name, ".output_data") == 0 && l->sections[i].addr == 0xa0410000u;
    if (is_d)
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "the program is built for guest ABI generation D (ZisK 1.0 and later), which is not supported");
    return VN_OK;
}

static enum vn_status detect_abi(const struct loader *l, enum vn_abi *abi)
{
    for (size_t i = 0; i < l->n_sections; i++) {
        const struct section *c = &l->sections[i];
        if (strcmp(c->name, ".venus.abi") == 0 && c->type == SHT_PROGBITS && c->size >= 1) {
            *abi = (enum vn_abi)l->elf[c->offset];
            if (*abi == VN_ABI_A || *abi == VN_ABI_B || *abi == VN_ABI_C)
                return VN_OK;
            return vn_fail(l->err, VN_ERR_FORMAT, "section .venus.abi names no ABI generation");
        }
        if (strcmp(c->name, ".output_data") == 0 && c->addr == 0xa0020000u) {
            *abi = VN_ABI_C;
            return VN_OK;
        }
    }
    *abi = VN_ABI_A;
    for (size_t i = 0; i < l->n_loaded; i++)
        if ((l->loaded[i].flags & SHF_EXECINSTR) && has_b_input_ready(l, &l->loaded[i]))
            *abi = VN_ABI_B;
    return VN_OK;
}

/* ---- Second pass ---- */

static const uint32_t bios[2] = {0x05d00893, 0x00000073}; /* addi a7, x0, 93; ecall */

/* The code of a compressed program: each section is a row of parcels, one after the other. */
static enum vn_status load_parcels(const struct loader *l, struct vn_program *p)
{
    uint64_t parcels = 2;
    for (size_t i = 0; i < l->n_loaded; i++)
        if (l->loaded[i].flags & SHF_EXECINSTR)
            parcels += l->loaded[i].size / 2;
    if (parcels > 2 * MAX_TABLE_ROWS)
        return vn_fail(l->err, VN_ERR_LIMIT, "the program has %" PRIu64 " bytes of code; at most %u are executed", 2 * parcels, 4 * MAX_TABLE_ROWS);
    p->compressed = 1;
    p->insns = calloc(parcels, sizeof *p->insns);
    if (!p->insns)
        return vn_fail(l->err, VN_ERR_MEMORY, "no memory for %" PRIu64 " instructions", parcels);
    for (uint32_t k = 0; k < 2; k++)
        p->insns[p->n_insns++] = vn_decode_compressed(bios[k], VN_BIOS_EXIT + 4 * k, 4);
    for (size_t i = 0; i < l->n_loaded; i++) {
        const struct section *c = &l->loaded[i];
        if (!(c->flags & SHF_EXECINSTR))
            continue;
        const uint8_t *code = l->elf + c->offset;
        for (uint64_t at = 0; at + 2 <= c->size;) {
            uint32_t parcel = (uint32_t)get(code + at, 2), pc = (uint32_t)(c->addr + at);
            uint32_t word = at + 4 <= c->size ? (uint32_t)get(code + at, 4) : parcel;
            unsigned bytes = (parcel & 3) == 3 || word == 0 ? 4 : 2;
            if (at + bytes > c->size)
                break;
            p->insns[p->n_insns++] = bytes == 4 ? vn_decode_compressed(word, pc, 4) : vn_decode_compressed(vn_expand_compressed((uint16_t)parcel), pc, 2);
            at += bytes;
        }
    }
    if (l->entry > UINT32_MAX || l->entry < VN_CODE_BASE || vn_program_find(p, (uint32_t)l->entry) == UINT32_MAX)
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "the entry point 0x%" PRIx64 " is not an instruction of any code section", l->entry);
    p->entry = (uint32_t)l->entry;
    return VN_OK;
}

static enum vn_status load_code(const struct loader *l, struct vn_program *p)
{
    uint64_t words = 2;
    size_t sections = 1;
    for (size_t i = 0; i < l->n_loaded; i++)
        if (l->loaded[i].flags & SHF_EXECINSTR) {
            words += l->loaded[i].size / 4;
            sections++;
        }
    if (words > MAX_TABLE_ROWS)
        return vn_fail(l->err, VN_ERR_LIMIT, "the program has %" PRIu64 " instructions; at most %u fit the program table", words - 2, MAX_TABLE_ROWS - 2);
    p->sections = calloc(sections, sizeof *p->sections);
    p->words = calloc(words, sizeof *p->words);
    p->insns = calloc(words, sizeof *p->insns);
    p->ranges = calloc(words, sizeof *p->ranges);
    if (!p->sections || !p->words || !p->insns || !p->ranges)
        return vn_fail(l->err, VN_ERR_MEMORY, "no memory for %" PRIu64 " instructions", words);

    memcpy(p->words, bios, sizeof bios);
    p->sections[p->n_sections++] = (struct vn_code_section){VN_BIOS_EXIT, 2, 0};
    uint32_t n_words = 2;
    for (size_t i = 0; i < l->n_loaded; i++) {
        const struct section *c = &l->loaded[i];
        if (!(c->flags & SHF_EXECINSTR))
            continue;
        uint32_t n = (uint32_t)(c->size / 4);
        if (n == 0)
            continue;
        p->sections[p->n_sections++] = (struct vn_code_section){(uint32_t)c->addr, n, n_words};
        for (uint32_t k = 0; k < n; k++)
            p->words[n_words++] = (uint32_t)get(l->elf + c->offset + 4 * (uint64_t)k, 4);
    }
    for (size_t i = 0; i < p->n_sections; i++) {
        const struct vn_code_section *c = &p->sections[i];
        int open = 0;
        for (uint32_t k = 0; k < c->n; k++) {
            struct vn_insn insn = vn_decode(p->words[c->first + k], c->pc + 4 * k);
            if (insn.op == VN_OP_UNSUPPORTED) {
                open = 0;
                continue;
            }
            if (!open)
                p->ranges[p->n_ranges++] = (struct vn_code_range){insn.pc, 0, (uint32_t)p->n_insns};
            open = 1;
            p->ranges[p->n_ranges - 1].n++;
            p->insns[p->n_insns++] = insn;
        }
    }
    uint32_t word;
    if (l->entry > UINT32_MAX || l->entry % 4 || l->entry < VN_CODE_BASE || !vn_program_word(p, (uint32_t)l->entry, &word))
        return vn_fail(l->err, VN_ERR_UNSUPPORTED, "the entry point 0x%" PRIx64 " is not an instruction of any code section", l->entry);
    p->entry = (uint32_t)l->entry;
    return VN_OK;
}

static enum vn_status mark_pages(const struct loader *l, struct vn_program *p, size_t *image_pages)
{
    uint64_t input_end = p->input_addr + (uint64_t)(p->abi == VN_ABI_A ? INPUT_BYTES_A : INPUT_BYTES_BC);
    for (uint64_t a = VN_RAM_BASE; a < VN_RAM_END; a += 65536)
        p->page_kind[a >> 16] = VN_PAGE_ZERO;
    for (uint64_t a = p->input_addr; a < input_end; a += 65536)
        p->page_kind[a >> 16] = VN_PAGE_INPUT;
    p->page_kind[VN_RAM_BASE >> 16] = VN_PAGE_IMAGE;
    for (size_t i = 0; i < l->n_loaded; i++) {
        const struct section *c = &l->loaded[i];
        if (c->flags & SHF_EXECINSTR)
            continue;
        uint64_t end = c->addr + c->size;
        if (c->addr < input_end && end > p->input_addr)
            return vn_fail(l->err, VN_ERR_UNSUPPORTED, "section %s at 0x%" PRIx64 " lies in the input window of ABI generation %c", c->name, c->addr, p->abi);
        if (c->type == SHT_NOBITS && c->addr >= VN_RAM_BASE && end <= VN_RAM_END)
            continue;
        for (uint64_t page = c->addr >> 16; page <= (end - 1) >> 16; page++)
            p->page_kind[page] = VN_PAGE_IMAGE;
    }
    *image_pages = 0;
    for (size_t page = 0; page < 1 << 16; page++)
        *image_pages += p->page_kind[page] == VN_PAGE_IMAGE;
    return VN_OK;
}

static enum vn_status load_image(const struct loader *l, struct vn_program *p)
{
    size_t pages = 0;
    enum vn_status s = mark_pages(l, p, &pages);
    if (s)
        return s;
    p->n_image = pages * PAGE_WORDS + 32;
    if (p->n_image > MAX_TABLE_ROWS)
        return vn_fail(l->err, VN_ERR_LIMIT, "the program's data takes %zu pages of 64 KiB; at most %u fit the image table", pages, (MAX_TABLE_ROWS - 32) / PAGE_WORDS);
    p->image = calloc(p->n_image, sizeof *p->image);
    struct vn_image_word **first = calloc(1 << 16, sizeof(struct vn_image_word *));
    if (!p->image || !first) {
        free(first);
        return vn_fail(l->err, VN_ERR_MEMORY, "no memory for an image of %zu words", p->n_image);
    }
    struct vn_image_word *w = p->image;
    for (uint32_t page = 0; page < 1 << 16; page++) {
        if (p->page_kind[page] != VN_PAGE_IMAGE)
            continue;
        first[page] = w;
        for (uint32_t k = 0; k < PAGE_WORDS; k++, w++)
            w->key = VN_KEY(VN_SPACE_MEMORY, page * PAGE_WORDS + k);
    }
    for (uint32_t r = 0; r < 32; r++)
        w[r].key = VN_KEY(VN_SPACE_REGISTER, r);
    w[1].value = VN_BIOS_EXIT;
    w[10].value = p->input_addr;
    w[11].value = VN_OUTPUT_ADDR;
    first[VN_RAM_BASE >> 16][(MARCHID_ADDR & 0xffff) / 8].value = MARCHID_VALUE;
    first[VN_RAM_BASE >> 16][(MTVEC_ADDR & 0xffff) / 8].value = VN_BIOS_EXIT;

    for (size_t i = 0; i < l->n_loaded; i++) {
        const struct section *c = &l->loaded[i];
        if ((c->flags & SHF_EXECINSTR) || c->type != SHT_PROGBITS)
            continue;
        for (uint64_t k = 0; k < c->size; k++) {
            uint64_t a = c->addr + k;
            first[a >> 16][(a & 0xffff) / 8].value |= (uint64_t)l->elf[c->offset + k] << (8 * (a & 7));
        }
    }
    free(first);
    return VN_OK;
}

static void find_signature(const struct loader *l, struct vn_program *p)
{
    uint64_t begin, end;
    if (symbol_value(l, "begin_signature", &begin) && symbol_value(l, "end_signature", &end) && begin < end && end <= UINT32_MAX) {
        p->signature_begin = (uint32_t)begin;
        p->signature_end = (uint32_t)end;
    }
}

enum vn_status vn_program_load(struct vn_program **out, const uint8_t *elf, size_t elf_len, enum vn_abi abi, struct vn_error *err)
{
    struct loader l = {.elf = elf, .len = elf_len, .err = err};
    struct vn_program *p = NULL;
    enum vn_status s = VN_OK;
    if (abi != VN_ABI_AUTO && abi != VN_ABI_A && abi != VN_ABI_B && abi != VN_ABI_C)
        return vn_fail(err, VN_ERR_ARGUMENT, "unknown ABI generation");
    s = read_sections(&l);
    if (!s)
        s = refuse_generation_d(&l);
    if (!s)
        s = choose_loaded(&l);
    if (!s && abi == VN_ABI_AUTO)
        s = detect_abi(&l, &abi);
    if (!s && !(p = calloc(1, sizeof *p)))
        s = vn_fail(err, VN_ERR_MEMORY, "no memory for the program");
    if (!s) {
        p->abi = abi;
        p->input_addr = abi == VN_ABI_A ? VN_INPUT_ADDR_A : VN_INPUT_ADDR_BC;
        p->input_bytes_max = abi == VN_ABI_A ? INPUT_BYTES_A - 16 : INPUT_BYTES_BC - 8;
        s = is_compressed(&l) ? load_parcels(&l, p) : load_code(&l, p);
    }
    if (!s)
        s = load_image(&l, p);
    if (!s)
        find_signature(&l, p);
    free(l.sections);
    free(l.loaded);
    if (s) {
        vn_program_free(p);
        return s;
    }
    *out = p;
    return VN_OK;
}

void vn_program_free(struct vn_program *p)
{
    if (!p)
        return;
    free(p->insns);
    free(p->image);
    free(p->ranges);
    free(p->sections);
    free(p->words);
    free(p);
}

/* ---- Look-up ---- */

static uint32_t find_parcel(const struct vn_program *p, uint32_t pc)
{
    size_t lo = 0, hi = p->n_insns;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (p->insns[mid].pc < pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < p->n_insns && p->insns[lo].pc == pc ? (uint32_t)lo : UINT32_MAX;
}

uint32_t vn_program_find(const struct vn_program *p, uint32_t pc)
{
    if (p->compressed)
        return find_parcel(p, pc);
    size_t lo = 0, hi = p->n_ranges;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (p->ranges[mid].pc <= pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0 || pc % 4)
        return UINT32_MAX;
    const struct vn_code_range *r = &p->ranges[lo - 1];
    uint32_t k = (pc - r->pc) / 4;
    return k < r->n ? r->first + k : UINT32_MAX;
}

int vn_program_word(const struct vn_program *p, uint32_t pc, uint32_t *word)
{
    if (p->compressed) {
        uint32_t k = find_parcel(p, pc);
        if (k != UINT32_MAX)
            *word = p->insns[k].word;
        return k != UINT32_MAX;
    }
    for (size_t i = 0; i < p->n_sections; i++) {
        const struct vn_code_section *c = &p->sections[i];
        if (pc % 4 == 0 && pc >= c->pc && (pc - c->pc) / 4 < c->n) {
            *word = p->words[c->first + (pc - c->pc) / 4];
            return 1;
        }
    }
    return 0;
}
