/* A file "<program>-<params version>-<kind>.pre" is a page with the header, then values, coefficients, codewords and tree nodes as they lie in memory.
 * It appears under its name when it is complete and is never written to afterwards. The header must be the one this process would write, save for
 * root and checksum; the checksum covers the sections, and the root is that of the mapped tree. */
#define _GNU_SOURCE
#include "services/prover-engine/stark/shared_tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/file.h"

#define MAGIC 0x3165725073756e56ull /* "VnusPre1" */
#define LAYOUT 2u
#define NAME_LEN 128
#define HEADER_BYTES ((size_t)4096)
#define CHUNK ((size_t)4 << 20)

struct header {
    uint64_t magic, file_bytes;
    uint32_t layout, params_version, kind, log_n, n_cols, n_stacks;
    struct vn_digest program;
    uint8_t log_height[VN_AIR_MAX_TABLES];
    struct vn_digest root;
    uint64_t checksum;
};
_Static_assert(sizeof(struct header) <= HEADER_BYTES, "one page");

/* ---- the program's digest ---- */

static void absorb_u64(struct vn_transcript *t, uint64_t x)
{
    vn_transcript_absorb_u32(t, (uint32_t)(x & 0x3fffff));
    vn_transcript_absorb_u32(t, (uint32_t)(x >> 22 & 0x3fffff));
    vn_transcript_absorb_u32(t, (uint32_t)(x >> 44));
}

/* Instructions follow from their words and addresses, image keys from the page kinds. */
static struct vn_digest program_digest(const struct vn_program *p)
{
    struct vn_transcript t;
    struct vn_digest d;
    vn_transcript_init(&t, VN_TAG_VK);
    absorb_u64(&t, MAGIC);
    absorb_u64(&t, (uint64_t)p->abi << 32 | p->entry);
    absorb_u64(&t, p->input_addr);
    absorb_u64(&t, p->input_bytes_max);
    absorb_u64(&t, p->n_insns);
    absorb_u64(&t, p->n_image);
    for (size_t i = 0; i < sizeof p->page_kind; i += 8) {
        uint32_t kinds = 0;
        for (size_t k = 0; k < 8; k++)
            kinds = kinds << 3 | p->page_kind[i + k];
        vn_transcript_absorb_u32(&t, kinds);
    }
    for (size_t i = 0; i < p->n_insns; i++)
        absorb_u64(&t, (uint64_t)p->insns[i].pc << 32 | p->insns[i].word);
    for (size_t i = 0; i < p->n_image; i++)
        absorb_u64(&t, p->image[i].value);
    for (unsigned i = 0; i < VN_DIGEST_LEN; i++)
        d.c[i] = vn_transcript_sample(&t);
    return d;
}

/* ---- names, sizes, checksum ---- */

static void name_of(const struct vn_shared_tables *t, unsigned kind, const char *suffix, char out[NAME_LEN])
{
    size_t n = 0;
    for (unsigned i = 0; i < VN_DIGEST_LEN; i++)
        n += (size_t)snprintf(out + n, NAME_LEN - n, "%08x", vn_fp_to(t->program.c[i]));
    (void)snprintf(out + n, NAME_LEN - n, "-%u-%u.%s", VN_PARAMS_VERSION, kind, suffix);
}

static size_t stacks_bytes(const struct header *h)
{
    return (size_t)h->n_stacks * (sizeof(vn_fp) << h->log_n);
}

static size_t nodes_bytes(const struct header *h)
{
    struct vn_merkle_tree t = vn_merkle_shape(h->log_n + VN_LOG_BLOWUP);
    return vn_merkle_elements(&t) * sizeof(vn_fp);
}

static struct header header_of(const struct vn_shared_tables *t, const struct vn_shared_shape *s)
{
    struct header h;
    memset(&h, 0, sizeof h); /* padding is compared too */
    h.magic = MAGIC;
    h.layout = LAYOUT;
    h.params_version = VN_PARAMS_VERSION;
    h.kind = s->kind;
    h.log_n = vn_kind_params[s->kind].log_n;
    h.n_cols = s->tree->n_cols;
    h.n_stacks = s->tree->n_stacks;
    h.program = t->program;
    memcpy(h.log_height, s->log_height, sizeof h.log_height);
    h.file_bytes = HEADER_BYTES + 4 * stacks_bytes(&h) + nodes_bytes(&h);
    return h;
}

/* Where the sections lie in memory. */
struct sections {
    const uint8_t *at[4];
    size_t bytes[4];
};

static struct sections sections_of(const struct header *h, const struct vn_pcs_commit *c)
{
    size_t stacks = stacks_bytes(h);
    return (struct sections){
        {(const uint8_t *)c->values, (const uint8_t *)c->coefs, (const uint8_t *)c->lde, (const uint8_t *)c->tree.nodes},
        {stacks, stacks, 2 * stacks, nodes_bytes(h)},
    };
}

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 29;
}

struct summing {
    const uint8_t *at;
    size_t bytes;
    uint64_t *sums; /* one of each chunk */
};

static void sum_task(void *ctx, size_t task, unsigned thread)
{
    enum { LANES = 8 };
    const struct summing *s = ctx;
    (void)thread;
    const uint8_t *p = s->at + task * CHUNK;
    size_t n = s->bytes - task * CHUNK < CHUNK ? s->bytes - task * CHUNK : CHUNK;
    uint64_t lanes[LANES] = {1, 2, 3, 4, 5, 6, 7, 8}, words[LANES];
    for (; n > 0; p += sizeof words) {
        size_t part = n < sizeof words ? n : sizeof words;
        if (part < sizeof words)
            memset(words, 0, sizeof words);
        memcpy(words, p, part);
        for (unsigned l = 0; l < LANES; l++)
            lanes[l] = mix(lanes[l], words[l]);
        n -= part;
    }
    uint64_t sum = 0;
    for (unsigned l = 0; l < LANES; l++)
        sum = mix(sum, lanes[l]);
    s->sums[task] = sum;
}

/* 0 if there is no memory. */
static int checksum(const struct sections *s, struct vn_pool *pool, uint64_t *out)
{
    *out = 0;
    for (unsigned i = 0; i < 4; i++) {
        size_t n = (s->bytes[i] + CHUNK - 1) / CHUNK;
        struct summing summing = {s->at[i], s->bytes[i], calloc(n + 1, sizeof(uint64_t))};
        if (!summing.sums)
            return 0;
        vn_pool_run(pool, n, sum_task, &summing);
        for (size_t k = 0; k < n; k++)
            *out = mix(*out, summing.sums[k]);
        free(summing.sums);
    }
    return 1;
}

/* ---- the folder ---- */

enum vn_status vn_shared_tables_open(struct vn_shared_tables *t, const char *path, const struct vn_program *p, struct vn_error *err)
{
    struct stat st;
    t->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (t->dir < 0 || fstat(t->dir, &st) != 0)
        return vn_fail(err, VN_ERR_IO, "%s: %s", path, strerror(errno));
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return vn_fail(err, VN_ERR_PERMISSION, "%s: must be this user's own folder and closed to others (mode 0700)", path);
    t->program = program_digest(p);
    return VN_OK;
}

void vn_shared_tables_close(struct vn_shared_tables *t)
{
    if (t->dir >= 0)
        (void)close(t->dir);
    t->dir = -1;
}

int vn_shared_tables_lock(const struct vn_shared_tables *t, unsigned kind)
{
    char name[NAME_LEN];
    name_of(t, kind, "lock", name);
    int fd = openat(t->dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), r;
    if (fd < 0)
        return -1;
    do
        r = flock(fd, LOCK_EX);
    while (r != 0 && errno == EINTR);
    if (r == 0)
        return fd;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

/* ---- mapping ---- */

/* The commitment over a mapped file whose size is right. */
static void lay_over(uint8_t *map, const struct header *h, const struct vn_shared_shape *s, struct vn_pcs_commit *c)
{
    size_t stacks = stacks_bytes(h);
    uint8_t *at = map + HEADER_BYTES;
    *c = (struct vn_pcs_commit){
        .shape = *s->tree,
        .log_n = h->log_n,
        .values = (vn_fp *)(void *)at,
        .coefs = (vn_fp *)(void *)(at + stacks),
        .lde = (vn_fp *)(void *)(at + 2 * stacks),
        .tree = vn_merkle_shape(h->log_n + VN_LOG_BLOWUP),
        .mapping = map,
        .mapping_bytes = (size_t)h->file_bytes,
    };
    c->tree.nodes = (vn_fp *)(void *)(at + 4 * stacks);
}

static const char *fault_of(const uint8_t *map, const struct header *expected, const struct vn_pcs_commit *c, struct vn_pool *pool)
{
    struct header found, h = *expected;
    memcpy(&found, map, sizeof found);
    h.root = found.root;
    h.checksum = found.checksum;
    if (memcmp(&h, &found, sizeof h) != 0)
        return "the header is that of other tables";
    struct sections sections = sections_of(&h, c);
    uint64_t sum;
    if (!checksum(&sections, pool, &sum))
        return "no memory to check it";
    if (sum != found.checksum)
        return "the checksum is wrong";
    struct vn_digest root = vn_merkle_root(&c->tree);
    return memcmp(&root, &found.root, sizeof root) == 0 ? NULL : "the root is not that of its tree";
}

enum vn_status vn_shared_tables_map(const struct vn_shared_tables *t, const struct vn_shared_shape *s, struct vn_pool *pool, struct vn_pcs_commit *c,
                                    struct vn_error *err)
{
    char name[NAME_LEN];
    name_of(t, s->kind, "pre", name);
    int fd = openat(t->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return vn_fail(err, errno == ENOENT ? VN_ERR_NOT_FOUND : VN_ERR_IO, "%s: %s", name, strerror(errno));
    struct header expected = header_of(t, s);
    struct stat st;
    enum vn_status status = VN_OK;
    void *map = MAP_FAILED;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (uint64_t)st.st_size != expected.file_bytes)
        status = vn_fail(err, VN_ERR_FORMAT, "%s: not a file of this user with %llu bytes", name, (unsigned long long)expected.file_bytes);
    else if ((map = mmap(NULL, (size_t)expected.file_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0)) == MAP_FAILED)
        status = vn_fail(err, VN_ERR_IO, "%s: mmap: %s", name, strerror(errno));
    (void)close(fd);
    if (status != VN_OK)
        return status;
    struct vn_pcs_commit mapped;
    lay_over(map, &expected, s, &mapped);
    const char *fault = fault_of(map, &expected, &mapped, pool);
    if (fault) {
        vn_pcs_commit_fini(&mapped);
        return vn_fail(err, VN_ERR_FORMAT, "%s: %s", name, fault);
    }
    *c = mapped;
    return VN_OK;
}

/* ---- publishing ---- */

enum vn_status vn_shared_tables_publish(const struct vn_shared_tables *t, const struct vn_shared_shape *s, struct vn_pool *pool,
                                        const struct vn_pcs_commit *c, struct vn_error *err)
{
    char name[NAME_LEN], temporary[NAME_LEN];
    uint8_t page[HEADER_BYTES] = {0};
    struct header h = header_of(t, s);
    struct sections sections = sections_of(&h, c);
    name_of(t, s->kind, "pre", name);
    name_of(t, s->kind, "tmp", temporary);
    h.root = vn_merkle_root(&c->tree);
    if (!checksum(&sections, pool, &h.checksum))
        return vn_fail(err, VN_ERR_IO, "%s: no memory for its checksum", name);
    memcpy(page, &h, sizeof h);
    (void)unlinkat(t->dir, temporary, 0); /* of a process that was killed here */
    int fd = openat(t->dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return vn_fail(err, VN_ERR_IO, "%s: %s", temporary, strerror(errno));
    /* write, not a mapping: full shared memory is then an error instead of a signal. */
    int ok = vn_write_all(fd, page, sizeof page);
    for (unsigned i = 0; i < 4 && ok; i++)
        ok = vn_write_all(fd, sections.at[i], sections.bytes[i]);
    int saved = errno;
    ok = close(fd) == 0 && ok;
    if (ok && renameat(t->dir, temporary, t->dir, name) == 0)
        return VN_OK;
    enum vn_status status = vn_fail(err, VN_ERR_IO, "%s: %s", name, strerror(ok ? errno : saved));
    (void)unlinkat(t->dir, temporary, 0);
    return status;
}
