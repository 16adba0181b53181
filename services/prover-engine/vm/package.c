/* One container for both kinds of file: a 64-byte header, a table of sections, the sections. Everything is written from one buffer list into a file
 * under a temporary name and renamed when complete. Reading maps the file and believes nothing: sizes first, then checksums, then meaning. */
#include "services/prover-engine/vm/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/file.h"

#define MAX_SECTIONS 4
#define NAME_LEN 64

enum { SECTION_HEAD = 1, SECTION_BOUNDARY = 2, SECTION_MEMORY = 3, SECTION_RESULT = 4 };

struct header {
    char magic[4];
    uint32_t version;
    uint64_t length;   /* of the file */
    uint32_t n_sections;
    uint32_t reserved0;
    uint64_t checksum; /* of header (this field 0) and table */
    uint8_t reserved[32];
};
_Static_assert(sizeof(struct header) == 64, "header layout");

struct entry {
    uint32_t id, element_bytes;
    uint64_t offset, count, checksum;
};
_Static_assert(sizeof(struct entry) == 32, "section table layout");

struct head { /* the scalars of struct vn_shard */
    uint32_t kind, index, start_pc, end_pc, steps, halted, first_memory, prev_key, last_key, reserved;
};

struct result { /* struct vn_exec_result with fixed sizes */
    uint64_t steps;
    uint32_t n_exec, n_mem;
    uint8_t output[VN_OUTPUT_BYTES];
    uint64_t op_count[VN_OP_COUNT];
};
_Static_assert(sizeof(struct result) == 16 + VN_OUTPUT_BYTES + 8 * VN_OP_COUNT, "run summary layout");
_Static_assert(sizeof(struct vn_boundary_row) == 32 && sizeof(struct vn_memory_row) == 32, "row layout");

struct part { /* a section to write */
    uint32_t id, element_bytes;
    uint64_t count;
    const void *data;
};

static uint64_t fnv(uint64_t h, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

#define FNV_START UINT64_C(0xcbf29ce484222325)

static uint64_t header_checksum(const struct header *h, const struct entry *table)
{
    struct header zero = *h;
    zero.checksum = 0;
    return fnv(fnv(FNV_START, &zero, sizeof zero), table, h->n_sections * sizeof *table);
}

static uint64_t align64(uint64_t v) { return (v + 63) & ~UINT64_C(63); }

/* ---- Writing ---- */

static enum vn_status write_file(int dirfd, const char *name, const char magic[4], const struct part *parts, uint32_t n, struct vn_error *err)
{
    struct header h = {.version = VN_PACKAGE_VERSION, .n_sections = n};
    struct entry table[MAX_SECTIONS] = {0};
    memcpy(h.magic, magic, 4);
    h.length = sizeof h + n * sizeof *table;
    for (uint32_t i = 0; i < n; i++) {
        size_t bytes = parts[i].element_bytes * parts[i].count;
        table[i] = (struct entry){parts[i].id, parts[i].element_bytes, align64(h.length), parts[i].count, fnv(FNV_START, parts[i].data, bytes)};
        h.length = table[i].offset + bytes;
    }
    h.checksum = header_checksum(&h, table);

    static const uint8_t zero[64];
    struct vn_part all[2 + 2 * MAX_SECTIONS] = {{&h, sizeof h}, {table, n * sizeof *table}};
    uint64_t at = sizeof h + n * sizeof *table;
    for (uint32_t i = 0; i < n; i++) {
        all[2 + 2 * i] = (struct vn_part){zero, table[i].offset - at};
        all[3 + 2 * i] = (struct vn_part){parts[i].data, table[i].element_bytes * table[i].count};
        at = table[i].offset + all[3 + 2 * i].n;
    }
    return vn_file_write_parts(dirfd, name, 0600, all, 2 + 2 * n, err);
}

/* ---- Reading ---- */

static enum vn_status map_file(int dirfd, const char *name, void **map, size_t *bytes, struct vn_error *err)
{
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return vn_fail(err, errno == ENOENT ? VN_ERR_NOT_FOUND : VN_ERR_IO, "cannot open %s: %s", name, strerror(errno));
    struct stat st;
    enum vn_status s = VN_OK;
    if (fstat(fd, &st))
        s = vn_fail(err, VN_ERR_IO, "cannot read %s: %s", name, strerror(errno));
    else if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct header))
        s = vn_fail(err, VN_ERR_FORMAT, "%s is too short for its header", name);
    if (!s) {
        *bytes = (size_t)st.st_size;
        *map = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (*map == MAP_FAILED)
            s = vn_fail(err, VN_ERR_IO, "cannot map %s: %s", name, strerror(errno));
    }
    close(fd);
    return s;
}

/* Checks container, sizes and checksums; parts[i] is what section i must be, its count and data are filled in. */
static enum vn_status check_container(const void *map, size_t bytes, const char *name, const char magic[4], struct part *parts, uint32_t n, struct vn_error *err)
{
    const uint8_t *file = map;
    const struct header *h = map;
    const struct entry *table = (const struct entry *)(file + sizeof *h);
    if (memcmp(h->magic, magic, 4) != 0 || h->version != VN_PACKAGE_VERSION)
        return vn_fail(err, VN_ERR_FORMAT, "%s is not a file of this kind and version", name);
    if (h->length != bytes || h->n_sections != n || bytes < sizeof *h + n * sizeof *table)
        return vn_fail(err, VN_ERR_FORMAT, "%s has another length or other sections than its header says", name);
    if (header_checksum(h, table) != h->checksum)
        return vn_fail(err, VN_ERR_FORMAT, "%s has a damaged header", name);
    uint64_t end = sizeof *h + n * sizeof *table;
    for (uint32_t i = 0; i < n; i++) {
        const struct entry *e = &table[i];
        if (e->id != parts[i].id || e->element_bytes != parts[i].element_bytes || e->offset != align64(end) || e->offset > bytes ||
            e->count > (bytes - e->offset) / e->element_bytes)
            return vn_fail(err, VN_ERR_FORMAT, "%s: section %u is not where or what it should be", name, i);
        for (uint64_t k = end; k < e->offset; k++)
            if (file[k])
                return vn_fail(err, VN_ERR_FORMAT, "%s: bytes between sections are not zero", name);
        parts[i].count = e->count;
        parts[i].data = file + e->offset;
        end = e->offset + e->element_bytes * e->count;
        if (fnv(FNV_START, parts[i].data, e->element_bytes * e->count) != e->checksum)
            return vn_fail(err, VN_ERR_FORMAT, "%s: section %u is damaged", name, i);
    }
    if (end != bytes)
        return vn_fail(err, VN_ERR_FORMAT, "%s has bytes after its last section", name);
    return VN_OK;
}

/* ---- Shards ---- */

static enum vn_status check_memory_rows(const struct vn_shard *s, const char *name, struct vn_error *err)
{
    uint64_t prev = s->first_memory ? 0 : (uint64_t)s->prev_key + 1; /* smallest key allowed next */
    for (size_t i = 0; i < s->n_memory; i++) {
        const struct vn_memory_row *r = &s->memory[i];
        uint32_t words = r->space == VN_SPACE_REGISTER ? 32 : 1u << 29;
        if (r->space > VN_SPACE_REGISTER || r->word >= words || r->last_shard > VN_MAX_SHARDS || r->page_kind > VN_PAGE_INPUT || VN_KEY(r->space, r->word) < prev)
            return vn_fail(err, VN_ERR_FORMAT, "%s: memory row %zu is impossible or out of order", name, i);
        prev = (uint64_t)VN_KEY(r->space, r->word) + 1;
    }
    if (prev != (uint64_t)s->last_key + 1)
        return vn_fail(err, VN_ERR_FORMAT, "%s does not end with its last key", name);
    return VN_OK;
}

static enum vn_status check_shard(const struct vn_shard *s, uint32_t index, const char *name, struct vn_error *err)
{
    if (s->index != index || index == 0 || index > VN_MAX_SHARDS)
        return vn_fail(err, VN_ERR_FORMAT, "%s holds shard %u", name, s->index);
    if (s->n_boundary > VN_MAX_TABLE_ROWS || s->n_memory > VN_MAX_TABLE_ROWS || s->halted > 1 || s->first_memory > 1)
        return vn_fail(err, VN_ERR_FORMAT, "%s holds impossible counts", name);
    if (s->kind == VN_SHARD_EXECUTION) {
        if (s->n_memory || s->first_memory || s->prev_key || s->last_key || s->steps == 0 || s->steps > 1u << VN_MAX_SHARD_LOG2 || (s->halted && s->end_pc))
            return vn_fail(err, VN_ERR_FORMAT, "%s is no execution shard", name);
        return VN_OK;
    }
    if (s->kind != VN_SHARD_MEMORY || s->n_boundary || s->n_memory == 0 || s->start_pc || s->end_pc || s->steps || s->halted || (s->first_memory && s->prev_key))
        return vn_fail(err, VN_ERR_FORMAT, "%s is no memory shard", name);
    return check_memory_rows(s, name, err);
}

static void shard_name(char name[NAME_LEN], uint32_t index)
{
    snprintf(name, NAME_LEN, "shard-%u.pkg", index);
}

enum vn_status vn_package_write(int dirfd, const struct vn_shard *s, struct vn_error *err)
{
    struct head head = {s->kind, s->index, s->start_pc, s->end_pc, s->steps, s->halted, s->first_memory, s->prev_key, s->last_key, 0};
    struct part parts[3] = {
        {SECTION_HEAD, sizeof head, 1, &head},
        {SECTION_BOUNDARY, sizeof *s->boundary, s->n_boundary, s->boundary},
        {SECTION_MEMORY, sizeof *s->memory, s->n_memory, s->memory},
    };
    char name[NAME_LEN];
    shard_name(name, s->index);
    return write_file(dirfd, name, "VNPK", parts, 3, err);
}

enum vn_status vn_package_open(struct vn_package *out, int dirfd, uint32_t index, struct vn_error *err)
{
    struct part parts[3] = {
        {SECTION_HEAD, sizeof(struct head), 0, NULL},
        {SECTION_BOUNDARY, sizeof(struct vn_boundary_row), 0, NULL},
        {SECTION_MEMORY, sizeof(struct vn_memory_row), 0, NULL},
    };
    struct vn_package p = {0};
    char name[NAME_LEN];
    shard_name(name, index);
    enum vn_status s = map_file(dirfd, name, &p.map, &p.map_bytes, err);
    if (s)
        return s;
    s = check_container(p.map, p.map_bytes, name, "VNPK", parts, 3, err);
    if (!s && parts[0].count != 1)
        s = vn_fail(err, VN_ERR_FORMAT, "%s has no head", name);
    if (!s) {
        const struct head *h = parts[0].data;
        p.shard = (struct vn_shard){h->kind, h->index, h->start_pc, h->end_pc, h->steps, h->halted, h->first_memory, h->prev_key, h->last_key,
                                    parts[1].data, parts[1].count, parts[2].data, parts[2].count};
        s = h->reserved ? vn_fail(err, VN_ERR_FORMAT, "%s has a damaged head", name) : check_shard(&p.shard, index, name, err);
    }
    if (s) {
        vn_package_close(&p);
        return s;
    }
    *out = p;
    return VN_OK;
}

void vn_package_close(struct vn_package *p)
{
    if (p->map)
        munmap(p->map, p->map_bytes);
    memset(p, 0, sizeof *p);
}

/* ---- Run summary ---- */

enum vn_status vn_run_write(int dirfd, const struct vn_exec_result *r, struct vn_error *err)
{
    struct result result = {.steps = r->steps, .n_exec = r->n_exec, .n_mem = r->n_mem};
    memcpy(result.output, r->output, sizeof result.output);
    memcpy(result.op_count, r->op_count, sizeof result.op_count);
    struct part part = {SECTION_RESULT, sizeof result, 1, &result};
    return write_file(dirfd, "run.sum", "VNRS", &part, 1, err);
}

enum vn_status vn_run_read(int dirfd, struct vn_exec_result *r, struct vn_error *err)
{
    struct part part = {SECTION_RESULT, sizeof(struct result), 0, NULL};
    void *map = NULL;
    size_t bytes = 0;
    enum vn_status s = map_file(dirfd, "run.sum", &map, &bytes, err);
    if (s)
        return s;
    s = check_container(map, bytes, "run.sum", "VNRS", &part, 1, err);
    const struct result *in = part.data;
    if (!s && (part.count != 1 || in->steps == 0 || (uint64_t)in->n_exec + in->n_mem > VN_MAX_SHARDS))
        s = vn_fail(err, VN_ERR_FORMAT, "run.sum holds an impossible result");
    if (!s) {
        memset(r, 0, sizeof *r);
        r->steps = in->steps;
        r->n_exec = in->n_exec;
        r->n_mem = in->n_mem;
        memcpy(r->output, in->output, sizeof r->output);
        memcpy(r->op_count, in->op_count, sizeof r->op_count);
    }
    munmap(map, bytes);
    return s;
}
