/* Fills and commits the preprocessed tables of both kinds, or maps those of another process, then writes the key to the cache: complete or not at all. */
#define _GNU_SOURCE
#include "services/prover-engine/stark/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libshared/file.h"
#include "services/prover-engine/stark/shared_tables.h"
#include "services/prover-engine/verify/shape.h"

struct fill {
    struct vn_setup *s;
    unsigned kind;
};

static void fill_task(void *ctx, size_t position, unsigned thread)
{
    const struct fill *f = ctx;
    (void)thread;
    unsigned table = vn_air_kinds[f->kind].tables[position];
    struct vn_pcs_commit *c = &f->s->pre[f->kind];
    uint32_t n = vn_air_tables[table].n_pre, first = 0;
    if (n == 0)
        return;
    unsigned h = f->s->vk.pre_log_height[f->kind][table];
    first = vn_pcs_tree_class(&c->shape, h)->first_col;
    for (size_t i = 0; i < position; i++) {
        unsigned before = vn_air_kinds[f->kind].tables[i];
        if (f->s->vk.pre_log_height[f->kind][before] == h)
            first += vn_air_tables[before].n_pre;
    }
    uint32_t *cols[VN_AIR_MAX_TUPLE];
    for (uint32_t i = 0; i < n; i++)
        cols[i] = vn_pcs_column(c, first + i);
    vn_pre_fill(f->kind, f->s->program, table, h, cols);
}

static enum vn_status build_tables(struct vn_setup *s, unsigned kind, const struct vn_pcs_tree *tree, struct vn_pool *pool)
{
    enum vn_status status = vn_pcs_commit_init(&s->pre[kind], &s->domain[kind], tree, 1);
    if (status != VN_OK)
        return status;
    struct fill f = {s, kind};
    vn_pool_run(pool, vn_air_kinds[kind].n_tables, fill_task, &f);
    vn_pcs_commit_to_mont(&s->pre[kind], &s->domain[kind]);
    return vn_pcs_commit_build(&s->pre[kind], &s->domain[kind]);
}

/* 1 if the tables are now mapped. */
static int map_tables(struct vn_setup *s, const struct vn_shared_tables *shared, const struct vn_shared_shape *shape, struct vn_pool *pool)
{
    struct vn_error err = {0};
    enum vn_status status = vn_shared_tables_map(shared, shape, pool, &s->pre[shape->kind], &err);
    if (status != VN_OK && status != VN_ERR_NOT_FOUND)
        s->shared_trouble = err;
    return status == VN_OK;
}

/* Looks again once it has the lock: whoever had it before has published most likely. */
static enum vn_status share_tables(struct vn_setup *s, const struct vn_shared_tables *shared, unsigned kind, const struct vn_pcs_tree *tree,
                                   struct vn_pool *pool)
{
    struct vn_shared_shape shape = {kind, s->vk.pre_log_height[kind], tree};
    if (map_tables(s, shared, &shape, pool))
        return VN_OK;
    int lock = vn_shared_tables_lock(shared, kind);
    if (lock < 0) {
        (void)!vn_fail(&s->shared_trouble, VN_ERR_IO, "cannot lock the tables: %s", strerror(errno));
        return build_tables(s, kind, tree, pool);
    }
    enum vn_status status = VN_OK;
    if (!map_tables(s, shared, &shape, pool)) {
        status = build_tables(s, kind, tree, pool);
        if (status == VN_OK)
            (void)!vn_shared_tables_publish(shared, &shape, pool, &s->pre[kind], &s->shared_trouble);
    }
    (void)close(lock);
    return status;
}

/* shared NULL: none. */
static enum vn_status build_kind(struct vn_setup *s, unsigned kind, const struct vn_backend *b, struct vn_pool *pool, const struct vn_shared_tables *shared,
                                 struct vn_error *err)
{
    uint8_t *heights = s->vk.pre_log_height[kind];
    enum vn_status status = vn_pre_heights(kind, s->program, heights, err);
    if (status != VN_OK)
        return status;
    struct vn_pcs_tree tree;
    vn_shape_pre_tree(&tree, kind, heights);
    unsigned log_n = vn_kind_params[kind].log_n;
    status = vn_pcs_domain_init(&s->domain[kind], b, pool, log_n);
    if (status == VN_OK)
        status = shared ? share_tables(s, shared, kind, &tree, pool) : build_tables(s, kind, &tree, pool);
    if (status != VN_OK)
        return vn_fail(err, status, "no memory for the preprocessed tables");
    s->vk.pre_root[kind] = vn_merkle_root(&s->pre[kind].tree);
    return VN_OK;
}

/* 1 if the file holds exactly these bytes. */
static int file_equals(int dir, const char *name, const uint8_t *bytes, size_t len)
{
    uint8_t got[VN_VK_MAX_BYTES + 1];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    size_t n = 0;
    for (ssize_t r; n < sizeof got && (r = read(fd, got + n, sizeof got - n)) > 0;)
        n += (size_t)r;
    (void)close(fd);
    return n == len && memcmp(got, bytes, len) == 0;
}

static enum vn_status cache_key(const struct vn_setup *s, const char *cache_dir, struct vn_error *err)
{
    char name[8 * VN_DIGEST_LEN + 4];
    uint8_t bytes[VN_VK_MAX_BYTES];
    size_t len = vn_vk_encode(&s->vk, bytes);
    for (unsigned i = 0; i < VN_DIGEST_LEN; i++)
        (void)snprintf(name + 8 * i, sizeof name - 8 * i, "%08x", vn_fp_to(s->vk_digest.c[i]));
    (void)snprintf(name + 8 * VN_DIGEST_LEN, 4, ".vk");
    int dir = open(cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return vn_fail(err, VN_ERR_IO, "cache: %s: %s", cache_dir, strerror(errno));
    enum vn_status status = file_equals(dir, name, bytes, len) ? VN_OK : vn_file_write(dir, name, bytes, len, err);
    (void)close(dir);
    return status;
}

enum vn_status vn_setup_new(struct vn_setup **out, const struct vn_program *program, const struct vn_backend *backend, struct vn_pool *pool,
                            const char *cache_dir, struct vn_error *err)
{
    return vn_setup_new_shared(out, program, backend, pool, cache_dir, NULL, err);
}

enum vn_status vn_setup_new_shared(struct vn_setup **out, const struct vn_program *program, const struct vn_backend *backend, struct vn_pool *pool,
                                   const char *cache_dir, const char *shared_dir, struct vn_error *err)
{
    struct vn_setup *s = calloc(1, sizeof *s);
    if (!s)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the set-up");
    s->program = program;
    s->vk.params_version = VN_PARAMS_VERSION;
    s->vk.entry = program->entry;
    memset(s->vk.pre_log_height, VN_LOG_HEIGHT_ABSENT, sizeof s->vk.pre_log_height);
    struct vn_shared_tables shared = {.dir = -1};
    int sharing = shared_dir && vn_shared_tables_open(&shared, shared_dir, program, &s->shared_trouble) == VN_OK;
    enum vn_status status = VN_OK;
    for (unsigned kind = 0; kind < VN_KIND_COUNT && status == VN_OK; kind++)
        status = build_kind(s, kind, backend, pool, sharing ? &shared : NULL, err);
    vn_shared_tables_close(&shared);
    if (status == VN_OK) {
        s->vk_digest = vn_vk_digest(&s->vk);
        if (cache_dir)
            status = cache_key(s, cache_dir, err);
    }
    if (status != VN_OK) {
        vn_setup_free(s);
        return status;
    }
    *out = s;
    return VN_OK;
}

void vn_setup_free(struct vn_setup *s)
{
    if (!s)
        return;
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        vn_pcs_commit_fini(&s->pre[kind]);
        vn_pcs_domain_fini(&s->domain[kind]);
    }
    free(s);
}
