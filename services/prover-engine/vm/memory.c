/* The mapping is filled from the image and the input once; the initial value of a word is found again from those two sources, so that nothing
 * has to be kept when a word changes. Memory shards come out of one ascending walk over the touched pages. */
#include "services/prover-engine/vm/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "guest memory is used in place, little endian");

#define SPACE_BYTES ((size_t)1 << 32)
#define SHADOW_BYTES ((size_t)4 << 29)
#define PAGE_WORDS 8192u
#define OUTPUT_WORD (VN_OUTPUT_ADDR / 8)
#define OUTPUT_WORDS (VN_OUTPUT_BYTES / 8)

void *vn_reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void vn_unreserve(void *p, size_t bytes)
{
    if (p)
        munmap(p, bytes);
}

enum vn_status vn_guest_memory_new(struct vn_guest_memory **out, const struct vn_program *p, const uint8_t *input, size_t input_len, struct vn_error *err)
{
    if (input_len > p->input_bytes_max)
        return vn_fail(err, VN_ERR_LIMIT, "the input has %zu bytes; at most %" PRIu64 " fit the input window", input_len, p->input_bytes_max);
    struct vn_guest_memory *m = calloc(1, sizeof *m);
    if (!m)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the guest");
    m->program = p;
    m->input = input;
    m->input_len = input_len;
    m->shadow = vn_reserve(SHADOW_BYTES + SPACE_BYTES);
    m->bytes = (uint8_t *)m->shadow + SHADOW_BYTES;
    if (!m->shadow) {
        vn_guest_memory_free(m);
        return vn_fail(err, VN_ERR_MEMORY, "cannot reserve 6 GiB of address space for the guest");
    }
    for (size_t i = 0; i < p->n_image; i++) {
        uint32_t key = p->image[i].key;
        if (key >= VN_KEY(VN_SPACE_REGISTER, 0))
            break;
        if (key % PAGE_WORDS == 0)
            m->image_first[key / PAGE_WORDS] = (uint32_t)i;
        memcpy(m->bytes + 8 * (uint64_t)key, &p->image[i].value, 8);
    }
    uint8_t *window = m->bytes + p->input_addr;
    if (p->abi == VN_ABI_A) {
        uint64_t len = input_len;
        memcpy(window + 8, &len, 8);
    }
    if (input_len)
        memcpy(window + (p->abi == VN_ABI_A ? 16 : 8), input, input_len);
    *out = m;
    return VN_OK;
}

void vn_guest_memory_free(struct vn_guest_memory *m)
{
    if (!m)
        return;
    vn_unreserve(m->shadow, SHADOW_BYTES + SPACE_BYTES);
    free(m);
}

/* Eight bytes of the input window from offset `at`. */
static uint64_t input_word(const struct vn_guest_memory *m, uint64_t at)
{
    uint64_t v = 0, data = 8;
    if (m->program->abi == VN_ABI_A) {
        if (at == 8)
            return m->input_len;
        data = 16;
    }
    if (at < data || at - data >= m->input_len)
        return 0;
    uint64_t left = m->input_len - (at - data);
    memcpy(&v, m->input + (at - data), left < 8 ? left : 8);
    return v;
}

uint64_t vn_guest_memory_initial(const struct vn_guest_memory *m, uint32_t word)
{
    uint32_t page = word / PAGE_WORDS;
    switch (m->program->page_kind[page]) {
    case VN_PAGE_IMAGE: return m->program->image[m->image_first[page] + word % PAGE_WORDS].value;
    case VN_PAGE_INPUT: return input_word(m, 8 * (uint64_t)word - m->program->input_addr);
    default: return 0;
    }
}

/* ---- Memory shards ---- */

struct emitter {
    const struct vn_exec_options *o;
    struct vn_memory_row *rows;
    size_t n, max;
    uint32_t first_index, index, prev_key;
    struct vn_error *err;
};

static enum vn_status flush(struct emitter *e)
{
    if (e->n == 0)
        return VN_OK;
    if (e->index > VN_MAX_SHARDS)
        return vn_fail(e->err, VN_ERR_LIMIT, "the run needs more than %u shards", VN_MAX_SHARDS);
    const struct vn_memory_row *last = &e->rows[e->n - 1];
    struct vn_shard s = {.kind = VN_SHARD_MEMORY, .index = e->index, .first_memory = e->index == e->first_index, .prev_key = e->prev_key,
                         .last_key = VN_KEY(last->space, last->word), .memory = e->rows, .n_memory = e->n};
    if (e->o->on_shard && e->o->on_shard(e->o->ctx, &s))
        return vn_fail(e->err, VN_ERR_CANCELLED, "the execution was cancelled");
    e->prev_key = s.last_key;
    e->index++;
    e->n = 0;
    return VN_OK;
}

static enum vn_status add_row(struct emitter *e, struct vn_memory_row row)
{
    e->rows[e->n++] = row;
    return e->n == e->max ? flush(e) : VN_OK;
}

static enum vn_status add_page(struct emitter *e, const struct vn_guest_memory *m, uint32_t page)
{
    for (uint32_t w = page * PAGE_WORDS; w < (page + 1) * PAGE_WORDS; w++) {
        int output = w >= OUTPUT_WORD && w < OUTPUT_WORD + OUTPUT_WORDS;
        if (!m->shadow[w] && !output)
            continue;
        struct vn_memory_row row = {VN_SPACE_MEMORY, w, m->shadow[w], m->program->page_kind[page], vn_guest_memory_initial(m, w), vn_guest_memory_word(m, w)};
        enum vn_status s = add_row(e, row);
        if (s)
            return s;
    }
    return VN_OK;
}

enum vn_status vn_guest_memory_emit(const struct vn_guest_memory *m, const uint32_t regs_last[32], const uint64_t regs_final[32], uint32_t first_index,
                                    const struct vn_exec_options *o, uint32_t *n_shards, struct vn_error *err)
{
    struct emitter e = {.o = o, .max = (size_t)1 << (o->memory_shard_log2 ? o->memory_shard_log2 : 20), .first_index = first_index, .index = first_index, .err = err};
    e.rows = calloc(e.max, sizeof *e.rows);
    if (!e.rows)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the memory shards");
    enum vn_status s = VN_OK;
    for (uint32_t page = 0; page < 1 << 16 && !s; page++)
        if (m->touched[page] || page == VN_OUTPUT_ADDR >> 16)
            s = add_page(&e, m, page);
    const struct vn_image_word *regs = m->program->image + m->program->n_image - 32;
    for (uint32_t r = 0; r < 32 && !s; r++)
        if (regs_last[r])
            s = add_row(&e, (struct vn_memory_row){VN_SPACE_REGISTER, r, regs_last[r], VN_PAGE_IMAGE, regs[r].value, regs_final[r]});
    if (!s)
        s = flush(&e);
    free(e.rows);
    *n_shards = e.index - first_index;
    return s;
}
