/* A translation is one image: header, code, table of entries, sites, edges, each where the header says. It is read or made in ordinary memory, checked there,
 * copied into a sealed memory file and mapped from it: code readable and executable, the rest readable. No page is ever writable and executable, and what
 * runs is what was checked, whatever happens to the file in the cache afterwards. */
#define _GNU_SOURCE
#include "services/prover-engine/vm/native/native.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/file.h"
#include "services/prover-engine/vm/memory.h"
#include "services/prover-engine/vm/native/translate.h"
#include "services/prover-engine/vm/precompile/permutations.h"

#define MAGIC "VNNATIVE"
#define FORMAT_VERSION 1u
#define FEATURE_BMI2 1u
#define DIGEST_BYTES 32
#define IMAGE_BYTES_MAX (UINT64_C(1) << 31)
#define PAGE 4096u

struct header {
    char magic[8];
    uint32_t format_version, translator_version;
    uint32_t features, reserved;          /* of the processor */
    uint8_t program[DIGEST_BYTES];        /* what was translated */
    uint64_t code_bytes, n_entries, n_sites, n_edges;
    uint8_t content[DIGEST_BYTES];        /* SHA-256 of everything after the header */
};
_Static_assert(sizeof(struct header) == 120, "header layout");

struct vn_native {
    uint8_t *map; /* header page, code, tables */
    size_t map_bytes;
    int from_cache;
    const uint8_t *code;
    const uint32_t *entries;
    const struct vn_native_site *sites;
    const struct vn_native_edge *edges;
    size_t n_entries, n_edges, n_sites;
    unsigned step;
};

struct vn_native_run {
    struct vn_native *native;
    int (*touch)(void *owner, uint64_t addr, uint32_t pc);
    void *owner;
    struct vn_native_machine *machine; /* arrivals by entry and edges follow */
    size_t machine_bytes;
};

/* ---- SHA-256 ---- */

struct sha256 {
    uint32_t state[8];
    uint8_t tail[64];
    uint64_t bytes;
};

static void sha256_block(struct sha256 *h, const uint8_t *p)
{
    uint32_t block[16];
    for (int k = 0; k < 16; k++)
        block[k] = (uint32_t)p[4 * k] << 24 | (uint32_t)p[4 * k + 1] << 16 | (uint32_t)p[4 * k + 2] << 8 | p[4 * k + 3];
    vn_sha256_compress(h->state, block);
}

static void sha256_add(struct sha256 *h, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n) {
        size_t used = h->bytes % 64, take = 64 - used < n ? 64 - used : n;
        memcpy(h->tail + used, p, take);
        h->bytes += take;
        p += take;
        n -= take;
        if (h->bytes % 64 == 0)
            sha256_block(h, h->tail);
    }
}

static struct sha256 sha256_begin(void)
{
    return (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

static void sha256_end(struct sha256 *h, uint8_t out[DIGEST_BYTES])
{
    uint64_t bits = 8 * h->bytes;
    sha256_add(h, "\x80", 1);
    while (h->bytes % 64 != 56)
        sha256_add(h, "", 1);
    uint8_t length[8];
    for (int k = 0; k < 8; k++)
        length[k] = (uint8_t)(bits >> (56 - 8 * k));
    sha256_add(h, length, 8);
    for (int k = 0; k < DIGEST_BYTES; k++)
        out[k] = (uint8_t)(h->state[k / 4] >> (24 - 8 * (k % 4)));
}

/* Everything the translation depends on: instructions, entry, and the data that names code. */
static void program_digest(const struct vn_program *p, uint8_t out[DIGEST_BYTES])
{
    struct sha256 h = sha256_begin();
    uint64_t head[3] = {p->entry, (uint64_t)p->compressed, p->n_insns};
    sha256_add(&h, head, sizeof head);
    for (size_t k = 0; k < p->n_insns; k++) {
        const struct vn_insn *i = &p->insns[k];
        uint32_t row[3] = {i->pc, i->word, (uint32_t)i->op | (uint32_t)i->bytes << 8};
        sha256_add(&h, row, sizeof row);
    }
    for (size_t k = 0; k < p->n_image && p->image[k].key < VN_KEY(VN_SPACE_REGISTER, 0); k++) {
        if (p->image[k].value)
            sha256_add(&h, &p->image[k].value, 8);
    }
    sha256_end(&h, out);
}

static void content_digest(const uint8_t *image, size_t bytes, uint8_t out[DIGEST_BYTES])
{
    struct sha256 h = sha256_begin();
    sha256_add(&h, image + sizeof(struct header), bytes - sizeof(struct header));
    sha256_end(&h, out);
}

/* ---- Images ---- */

static uint64_t image_bytes(const struct header *h)
{
    return PAGE + h->code_bytes + 4 * h->n_entries + sizeof(struct vn_native_site) * h->n_sites + sizeof(struct vn_native_edge) * h->n_edges;
}

static struct header header_of(const struct vn_program *p)
{
    struct header h = {.format_version = FORMAT_VERSION, .translator_version = VN_NATIVE_VERSION, .features = FEATURE_BMI2};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    program_digest(p, h.program);
    return h;
}

static enum vn_status build_image(const struct vn_program *p, const struct header *expected, uint8_t **image, size_t *bytes, struct vn_error *err)
{
    struct vn_native_code c;
    enum vn_status s = vn_native_translate(&c, p, err);
    if (s)
        return s;
    struct header h = *expected;
    h.code_bytes = c.code_bytes;
    h.n_entries = c.n_entries;
    h.n_sites = c.n_sites;
    h.n_edges = c.n_edges;
    *bytes = image_bytes(&h);
    uint8_t *out = calloc(1, *bytes), *at = out + PAGE;
    if (out) {
        memcpy(at, c.code, c.code_bytes);
        at += c.code_bytes;
        memcpy(at, c.entries, 4 * c.n_entries);
        at += 4 * c.n_entries;
        if (c.n_sites)
            memcpy(at, c.sites, c.n_sites * sizeof *c.sites);
        at += c.n_sites * sizeof *c.sites;
        if (c.n_edges)
            memcpy(at, c.edges, c.n_edges * sizeof *c.edges);
        content_digest(out, *bytes, h.content);
        memcpy(out, &h, sizeof h);
    } else {
        s = vn_fail(err, VN_ERR_MEMORY, "no memory for the translation");
    }
    vn_native_code_fini(&c);
    *image = out;
    return s;
}

static int is_sound(const uint8_t *image, size_t bytes, const struct header *expected)
{
    struct header h;
    uint8_t digest[DIGEST_BYTES];
    memcpy(&h, image, sizeof h);
    if (memcmp(&h, expected, offsetof(struct header, code_bytes)) != 0 || h.code_bytes % PAGE || h.code_bytes > IMAGE_BYTES_MAX || h.n_entries > IMAGE_BYTES_MAX ||
        h.n_sites > IMAGE_BYTES_MAX || h.n_edges > IMAGE_BYTES_MAX || image_bytes(&h) != bytes)
        return 0;
    content_digest(image, bytes, digest);
    return memcmp(digest, h.content, sizeof digest) == 0;
}

/* ---- Cache ---- */

static void file_name(char name[64], const struct header *h)
{
    for (int k = 0; k < 16; k++)
        (void)snprintf(name + 2 * k, 64 - 2 * (size_t)k, "%02x", h->program[k]);
    (void)snprintf(name + 32, 32, ".x86-64");
}

static int read_all(int fd, uint8_t *out, size_t n)
{
    while (n) {
        ssize_t got = read(fd, out, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        out += got;
        n -= (size_t)got;
    }
    return 0;
}

/* The file's bytes if they are sound, else NULL. */
static uint8_t *load(int dir, const char *name, const struct header *expected, size_t *bytes)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    uint8_t *image = NULL;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)) && st.st_size >= (off_t)PAGE &&
        (uint64_t)st.st_size <= IMAGE_BYTES_MAX) {
        *bytes = (size_t)st.st_size;
        image = malloc(*bytes);
        if (image && (read_all(fd, image, *bytes) || !is_sound(image, *bytes, expected))) {
            free(image);
            image = NULL;
        }
    }
    if (fd >= 0)
        close(fd);
    return image;
}

static void keep(int dir, const char *name, const uint8_t *image, size_t bytes, struct vn_error *notice)
{
    struct vn_error why;
    if (vn_file_write_parts(dir, name, 0600, &(struct vn_part){image, bytes}, 1, &why) != VN_OK)
        (void)vn_fail(notice, VN_ERR_IO, "the translation is not kept: %s", why.text);
}

static int make_dir(const char *path)
{
    char part[4096];
    size_t n = strlen(path);
    if (n >= sizeof part)
        return -1;
    memcpy(part, path, n + 1);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(part, 0700);
        *slash = '/';
    }
    (void)mkdir(part, 0700);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum vn_status obtain(const struct vn_program *p, const char *path, uint8_t **image, size_t *bytes, int *from_cache, struct vn_error *notice, struct vn_error *err)
{
    struct header expected = header_of(p);
    char name[64];
    file_name(name, &expected);
    int dir = path ? make_dir(path) : -1;
    if (path && dir < 0)
        (void)vn_fail(notice, VN_ERR_IO, "the translation is not kept: %s: %s", path, strerror(errno));
    *image = dir >= 0 ? load(dir, name, &expected, bytes) : NULL;
    *from_cache = *image != NULL;
    enum vn_status s = *image ? VN_OK : build_image(p, &expected, image, bytes, err);
    if (!s && dir >= 0 && !*from_cache)
        keep(dir, name, *image, *bytes, notice);
    if (dir >= 0)
        close(dir);
    return s;
}

/* ---- Mapping ---- */

static enum vn_status map_image(struct vn_native *n, const uint8_t *image, size_t bytes, int lock_memory, struct vn_error *err)
{
    struct header h;
    memcpy(&h, image, sizeof h);
    int fd = memfd_create("venus-native", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || !vn_write_all(fd, image, bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        if (fd >= 0)
            close(fd);
        return vn_fail(err, VN_ERR_UNSUPPORTED, "cannot make a memory file for native code: %s", strerror(errno));
    }
    n->map_bytes = bytes;
    n->map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (n->map == MAP_FAILED)
        return vn_fail(err, VN_ERR_MEMORY, "cannot map native code: %s", strerror(errno));
    if (mprotect(n->map + PAGE, h.code_bytes, PROT_READ | PROT_EXEC))
        return vn_fail(err, VN_ERR_UNSUPPORTED, "this system does not let native code run: %s", strerror(errno));
    if (lock_memory)
        (void)mlock(n->map, bytes); /* what the limit does not allow stays pageable */
    n->code = n->map + PAGE;
    n->entries = (const uint32_t *)(n->code + h.code_bytes);
    n->sites = (const struct vn_native_site *)(n->entries + h.n_entries);
    n->edges = (const struct vn_native_edge *)(n->sites + h.n_sites);
    n->n_entries = h.n_entries;
    n->n_sites = h.n_sites;
    n->n_edges = h.n_edges;
    return VN_OK;
}

static int processor_can_run(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("bmi2");
#else
    return 0;
#endif
}

enum vn_status vn_native_open(struct vn_native **out, const struct vn_program *p, const struct vn_native_options *o, struct vn_error *notice, struct vn_error *err)
{
    notice->status = VN_OK;
    if (!processor_can_run())
        return vn_fail(err, VN_ERR_UNSUPPORTED, "native execution needs an x86-64 processor with BMI2");
    struct vn_native *n = calloc(1, sizeof *n);
    uint8_t *image = NULL;
    size_t bytes = 0;
    if (!n)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the translation");
    n->map = MAP_FAILED;
    n->step = vn_native_step(p);
    enum vn_status s = obtain(p, o->dir, &image, &bytes, &n->from_cache, notice, err);
    if (!s)
        s = map_image(n, image, bytes, o->lock_memory, err);
    free(image);
    if (s)
        vn_native_close(n);
    else
        *out = n;
    return s;
}

void vn_native_close(struct vn_native *n)
{
    if (!n)
        return;
    if (n->map != MAP_FAILED)
        munmap(n->map, n->map_bytes);
    free(n);
}

int vn_native_from_cache(const struct vn_native *n) { return n->from_cache; }

/* ---- Running ---- */

static int touch_at_site(void *owner, uint64_t addr, uint32_t site)
{
    const struct vn_native_run *r = owner;
    return r->touch(r->owner, addr, r->native->sites[site].pc);
}

enum vn_status vn_native_run_new(struct vn_native_run **out, struct vn_native *n, uint8_t *memory, int (*touch)(void *owner, uint64_t addr, uint32_t pc), void *owner,
                                 struct vn_error *err)
{
    struct vn_native_run *r = calloc(1, sizeof *r);
    if (!r)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for native execution");
    *r = (struct vn_native_run){.native = n, .touch = touch, .owner = owner, .machine_bytes = sizeof *r->machine + 8 * (n->n_entries + n->n_edges)};
    r->machine = vn_reserve(r->machine_bytes);
    if (!r->machine) {
        free(r);
        return vn_fail(err, VN_ERR_MEMORY, "no memory for native execution");
    }
    r->machine->memory = memory;
    r->machine->touch = touch_at_site;
    r->machine->owner = r;
    *out = r;
    return VN_OK;
}

void vn_native_run_free(struct vn_native_run *r)
{
    if (!r)
        return;
    vn_unreserve(r->machine, r->machine_bytes);
    free(r);
}

void vn_native_run(struct vn_native_run *r, uint32_t shard, uint64_t x[32], uint32_t *pc, uint64_t *left, uint32_t *used)
{
    const struct vn_native *n = r->native;
    struct vn_native_machine *m = r->machine;
    size_t at = (*pc - VN_CODE_BASE) / n->step;
    if (*pc < VN_CODE_BASE || at >= n->n_entries || !n->entries[at])
        return;
    memcpy(m->x, x, sizeof m->x);
    m->used = 0;
    m->budget = *left;
    m->shard = shard;
    void (*enter)(uint64_t *x16, const void *block);
    memcpy(&enter, &(const void *){n->code}, sizeof enter);
    enter(&m->x[16], (const uint8_t *)n->entries - n->entries[at]);
    const struct vn_native_site *site = &n->sites[m->site];
    memcpy(x, m->x, sizeof m->x);
    *pc = site->pc;
    *left = m->budget - site->steps;
    *used |= (uint32_t)m->used | site->registers;
}

void vn_native_run_jumps(const struct vn_native_run *r, void (*jump)(void *ctx, uint32_t from, uint32_t to, uint64_t times), void *ctx)
{
    const struct vn_native *n = r->native;
    const uint64_t *counts = (const uint64_t *)(r->machine + 1);
    for (size_t k = 0; k < n->n_entries; k++)
        if (counts[k])
            jump(ctx, VN_NATIVE_NO_PC, VN_CODE_BASE + (uint32_t)k * n->step, counts[k]);
    for (size_t k = 0; k < n->n_edges; k++)
        if (counts[n->n_entries + k])
            jump(ctx, n->edges[k].from, n->edges[k].to, counts[n->n_entries + k]);
}
