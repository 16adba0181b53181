/* Everything is appended to one buffer; sizes are small. */
#include "tests/unit/vm/elf_builder.h"

#include <stdlib.h>
#include <string.h>

struct buffer {
    uint8_t *bytes;
    size_t len;
};

static size_t append(struct buffer *b, const void *data, size_t n)
{
    size_t at = b->len;
    b->bytes = realloc(b->bytes, b->len + n + 1);
    if (!b->bytes)
        abort();
    if (n)
        memcpy(b->bytes + at, data, n);
    b->len += n;
    return at;
}

static void put(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

uint8_t *elf_build(const struct elf *e, size_t *len)
{
    uint8_t header[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    uint8_t headers[64 * (ELF_MAX_SECTIONS + 2)] = {0};
    struct buffer b = {NULL, 0}, names = {NULL, 0};
    append(&b, header, sizeof header);
    append(&names, "", 1);
    for (size_t i = 0; i < e->n_sections; i++) {
        const struct elf_section *s = &e->sections[i];
        uint8_t *h = headers + 64 * (i + 1);
        put(h, append(&names, s->name, strlen(s->name) + 1), 4);
        put(h + 4, s->type, 4);
        put(h + 8, s->flags, 8);
        put(h + 16, s->addr, 8);
        put(h + 24, append(&b, s->data, s->data ? s->size : 0), 8);
        put(h + 32, s->size, 8);
    }
    uint8_t *h = headers + 64 * (e->n_sections + 1);
    put(h + 4, 3, 4);
    put(h + 24, append(&b, names.bytes, names.len), 8);
    put(h + 32, names.len, 8);
    size_t n = e->n_sections + 2, shoff = append(&b, headers, 64 * n);
    free(names.bytes);

    put(b.bytes + 16, 2, 2);
    put(b.bytes + 18, 243, 2);
    put(b.bytes + 20, 1, 4);
    put(b.bytes + 24, e->entry, 8);
    put(b.bytes + 40, shoff, 8);
    put(b.bytes + 48, e->flags, 4);
    put(b.bytes + 52, 64, 2);
    put(b.bytes + 58, 64, 2);
    put(b.bytes + 60, n, 2);
    put(b.bytes + 62, n - 1, 2);
    *len = b.len;
    return b.bytes;
}

struct elf elf_of_code(const uint32_t *words, size_t n)
{
    return (struct elf){.entry = 0x80000000, .sections = {{".text", ELF_PROGBITS, ELF_A | ELF_X, 0x80000000, 4 * n, words}}, .n_sections = 1};
}
