/* Hands each stage to the library (backend/cuda/api.h) in its own terms: which columns, which challenges, which rows. */
#define _GNU_SOURCE
#include "services/prover-engine/stark/cuda.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "air_tables.h"
#include "services/prover-engine/air/graph.h"
#include "services/prover-engine/backend/cuda/api.h"
#include "services/prover-engine/backend/twiddles.h"
#include "services/prover-engine/pcs/deep.h"
#include "services/prover-engine/pcs/query.h"
#include "services/prover-engine/stark/shard.h"

_Static_assert(VN_CUDA_FOLD == VN_FRI_FOLD && VN_CUDA_MAX_LOG_N >= VN_PCS_MAX_LOG_N && VN_CUDA_MAX_CLASSES >= VN_PCS_MAX_CLASSES, "limits");
_Static_assert((unsigned)VN_CUDA_PRE == VN_TREE_PRE && (unsigned)VN_CUDA_P1 == VN_TREE_P1 && (unsigned)VN_CUDA_MAIN == VN_TREE_MAIN &&
                   (unsigned)VN_CUDA_LOGUP == VN_TREE_LOGUP && VN_CUDA_MAX_TUPLE == VN_AIR_MAX_TUPLE && VN_SCOPE_COUNT == 2, "column groups");

/* What vn_pcs_commit.remote points to. */
struct remote {
    const struct gpu *gpu;
    struct vn_cuda_commit *commit;
    struct vn_digest root;
};

struct gpu {
    struct vn_device device; /* first: the device is the gpu */
    void *library;
    const struct vn_cuda_api *api;
    struct vn_cuda_session *session;
    unsigned log_n;
    struct {
        const struct vn_pcs_commit *host;
        struct vn_pcs_commit shared;
    } shared[VN_KIND_COUNT]; /* preprocessed commitments, by first use */
};

static const struct gpu *gpu_of(const struct vn_pcs_domain *d)
{
    return d->device->state;
}

static const char *why(const struct vn_device *device)
{
    const struct gpu *g = device->state;
    return g->api->error_text(g->session);
}

/* ---- Commitments ---- */

static size_t stack_elements(const struct vn_pcs_commit *c)
{
    return (size_t)c->shape.n_stacks << c->log_n;
}

static struct vn_cuda_shape shape_of(const struct vn_pcs_tree *t)
{
    struct vn_cuda_shape s = {.n_cols = t->n_cols, .n_stacks = t->n_stacks, .n_classes = t->n_classes};
    for (unsigned i = 0; i < t->n_classes; i++)
        s.classes[i] = (struct vn_cuda_class){t->classes[i].log_height, t->classes[i].first_col, t->classes[i].n_cols, t->classes[i].first_stack};
    return s;
}

static void commit_fini(struct vn_pcs_commit *c)
{
    struct remote *r = c->remote;
    if (r)
        r->gpu->api->commit_free(r->commit);
    free(r);
    vn_buffer_free(c->values);
    *c = (struct vn_pcs_commit){0};
}

static enum vn_status make_remote(struct vn_pcs_commit *c, const struct gpu *g, int with_values)
{
    struct vn_cuda_shape shape = shape_of(&c->shape);
    struct remote *r = calloc(1, sizeof *r);
    c->remote = r;
    if (!r)
        return VN_ERR_MEMORY;
    r->gpu = g;
    if (c->log_n != g->log_n)
        return VN_ERR_INTERNAL;
    return (enum vn_status)g->api->commit_new(&r->commit, g->session, &shape, with_values);
}

static enum vn_status commit_init(struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const struct vn_pcs_tree *shape, int keep_values)
{
    *c = (struct vn_pcs_commit){.shape = *shape, .log_n = d->log_n};
    enum vn_status s = make_remote(c, gpu_of(d), keep_values);
    if (s == VN_OK && keep_values) {
        c->values = vn_buffer_new(stack_elements(c) * sizeof(vn_fp));
        s = c->values ? VN_OK : VN_ERR_MEMORY;
    }
    if (s != VN_OK)
        commit_fini(c);
    else if (keep_values)
        memset(c->values, 0, stack_elements(c) * sizeof(vn_fp));
    return s;
}

static enum vn_status build(struct vn_pcs_commit *c, const struct vn_pcs_domain *d, int from_values)
{
    struct remote *r = c->remote;
    enum vn_status s = (enum vn_status)r->gpu->api->commit_build(r->commit, from_values, &r->root);
    vn_stage(d->stages, "commitments");
    return s;
}

static enum vn_status commit_trace(struct vn_pcs_commit *c, const struct vn_pcs_domain *d)
{
    struct remote *r = c->remote;
    enum vn_status s = (enum vn_status)r->gpu->api->commit_upload_values(r->commit, c->values, 1);
    vn_stage(d->stages, "upload");
    vn_pcs_commit_drop_values(c);
    return s == VN_OK ? build(c, d, 1) : s;
}

static enum vn_status commit_values(struct vn_pcs_commit *c, const struct vn_pcs_domain *d)
{
    return build(c, d, 1);
}

static enum vn_status commit_coefs(struct vn_pcs_commit *c, const struct vn_pcs_domain *d)
{
    return build(c, d, 0);
}

static enum vn_status upload(struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const struct vn_pcs_commit *host)
{
    *c = (struct vn_pcs_commit){.shape = host->shape, .log_n = host->log_n};
    const struct gpu *g = gpu_of(d);
    enum vn_status s = make_remote(c, g, 1);
    struct remote *r = c->remote;
    if (s == VN_OK)
        s = (enum vn_status)g->api->commit_upload_values(r->commit, host->values, 0);
    if (s == VN_OK)
        s = (enum vn_status)g->api->commit_upload_coefs(r->commit, host->coefs);
    return s == VN_OK ? build(c, d, 0) : s;
}

static const struct vn_pcs_commit *commit_share(const struct vn_pcs_domain *d, const struct vn_pcs_commit *host)
{
    struct gpu *g = d->device->state;
    unsigned i = 0;
    while (i < VN_KIND_COUNT && g->shared[i].host && g->shared[i].host != host)
        i++;
    if (i == VN_KIND_COUNT)
        return NULL;
    if (!g->shared[i].host) {
        if (upload(&g->shared[i].shared, d, host) != VN_OK) {
            commit_fini(&g->shared[i].shared);
            return NULL;
        }
        g->shared[i].host = host;
    }
    return &g->shared[i].shared;
}

static struct vn_digest commit_root(const struct vn_pcs_commit *c)
{
    return ((const struct remote *)c->remote)->root;
}

static enum vn_status evaluate(const struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const struct vn_pcs_points *points, enum vn_pcs_point point,
                               struct vn_fp6 *values)
{
    const struct remote *r = c->remote;
    struct vn_fp6 y[VN_PCS_MAX_CLASSES];
    (void)d;
    for (unsigned i = 0; i < c->shape.n_classes; i++)
        y[i] = vn_pcs_point(points, point, c->shape.classes[i].log_height);
    return (enum vn_status)r->gpu->api->commit_evaluate(r->commit, y, values);
}

/* ---- LogUp and quotient ---- */

struct tables {
    struct vn_cuda_machine machine;
    struct vn_cuda_table tables[VN_AIR_MAX_TABLES];
    size_t n;
    struct vn_fp6 *constants; /* of all tables */
};

/* alpha + bus + sum beta^k t_k over the tuple's constant elements */
static struct vn_fp6 denominator_constant(const struct vn_air_graph *g, const struct vn_air_interaction *x, const struct vn_air_challenges *c)
{
    struct vn_fp6 d = vn_fp6_add(c->alpha[x->scope], vn_fp6_from_fp(vn_fp_from(x->bus)));
    for (unsigned k = 0; k < x->width; k++) {
        const struct vn_air_node *n = &g->nodes[x->tuple[k]];
        if (n->op == VN_AIR_CONST)
            d = vn_fp6_add(d, vn_fp6_mul_fp(c->beta_pow[x->scope][k + 1], vn_fp_from(n->value)));
    }
    return d;
}

static void list_table(struct tables *t, const struct vn_proving *w, unsigned position, const struct vn_fp6 *alpha_pow)
{
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    unsigned id = k->tables[position];
    struct vn_cuda_table *table = &t->tables[t->n++];
    *table = (struct vn_cuda_table){.id = id, .log_height = w->shape.log_height[id], .constants = t->constants};
    if (alpha_pow)
        table->alpha = alpha_pow + k->first_constraint[position];
    for (enum vn_tree_id tree = VN_TREE_PRE; tree <= VN_TREE_LOGUP; tree++)
        table->first_col[tree] = w->shape.first_col[tree][id];
    memcpy(table->totals, w->totals[id], sizeof table->totals);
    const struct vn_air_graph *g = &vn_air_graphs[id];
    for (unsigned i = 0; i < g->n_interactions; i++)
        *t->constants++ = denominator_constant(g, &g->interactions[i], &w->challenges);
}

/* All tables that are present. *memory: the caller frees it. */
static enum vn_status list_tables(struct tables *t, struct vn_fp6 **memory, const struct vn_proving *w, const struct vn_fp6 *alpha_pow)
{
    const struct vn_air_kind *k = &vn_air_kinds[w->shape.kind];
    size_t interactions = 0;
    for (unsigned i = 0; i < k->n_tables; i++)
        interactions += vn_air_graphs[k->tables[i]].n_interactions;
    *t = (struct tables){.machine = {.shard_index = vn_fp_from(w->header.pub.index)}};
    *memory = t->constants = calloc(interactions + 1, sizeof *t->constants);
    if (!t->constants)
        return VN_ERR_MEMORY;
    for (enum vn_tree_id tree = VN_TREE_PRE; tree <= VN_TREE_LOGUP; tree++)
        t->machine.commits[tree] = ((const struct remote *)vn_proving_commit(w, tree)->remote)->commit;
    memcpy(t->machine.beta, w->challenges.beta_pow, sizeof t->machine.beta);
    for (unsigned i = 0; i < k->n_tables; i++)
        if (vn_shape_present(&w->shape, k->tables[i]))
            list_table(t, w, i, alpha_pow);
    return VN_OK;
}

static enum vn_status logup(struct vn_proving *w)
{
    const struct gpu *g = w->device->state;
    struct tables *t = malloc(sizeof *t);
    struct vn_fp6 *memory = NULL;
    enum vn_status s = t ? list_tables(t, &memory, w, NULL) : VN_ERR_MEMORY;
    if (s == VN_OK)
        s = (enum vn_status)g->api->logup(g->session, &t->machine, t->tables, t->n);
    for (size_t i = 0; s == VN_OK && i < t->n; i++)
        memcpy(w->totals[t->tables[i].id], t->tables[i].totals, sizeof t->tables[i].totals);
    free(memory);
    free(t);
    return s;
}

static enum vn_status quotient(struct vn_proving *w, const struct vn_fp6 *alpha_pow)
{
    const struct gpu *g = w->device->state;
    struct tables *t = malloc(sizeof *t);
    struct vn_fp6 *memory = NULL;
    enum vn_status s = t ? list_tables(t, &memory, w, alpha_pow) : VN_ERR_MEMORY;
    if (s == VN_OK)
        s = (enum vn_status)g->api->quotient(g->session, &t->machine, t->tables, t->n, ((struct remote *)w->quot.remote)->commit);
    free(memory);
    free(t);
    return s;
}

/* ---- Openings ---- */

struct gpu_fri {
    const struct gpu *gpu;
    struct vn_cuda_fri *fri;
    unsigned log_n, n_folds;
};

/* The groups of pcs/deep.h in the library's terms. terms, groups: room for the batch, and for all points and heights. */
static size_t list_groups(struct vn_cuda_deep_group *groups, struct vn_cuda_term *terms, const struct vn_pcs_shape *shape,
                          const struct vn_pcs_commit *const *commits, const struct vn_pcs_points *points, struct vn_deep_term *scratch,
                          const struct vn_fp6 *gamma_pow)
{
    size_t n_groups = 0;
    for (enum vn_pcs_point point = 0; point < VN_POINT_COUNT; point++)
        for (unsigned h = 0; h <= shape->params->log_n; h++) {
            size_t n = vn_deep_terms(scratch, shape, commits, point, h, gamma_pow);
            if (n == 0)
                continue;
            for (size_t i = 0; i < n; i++)
                terms[i] = (struct vn_cuda_term){((const struct remote *)scratch[i].commit->remote)->commit, scratch[i].stack, scratch[i].used,
                                                 scratch[i].gamma};
            groups[n_groups++] = (struct vn_cuda_deep_group){h, vn_pcs_used_slots(shape, point, h), vn_pcs_point(points, point, h), terms, n};
            terms += n;
        }
    return n_groups;
}

static enum vn_status deep(struct vn_cuda_fri **fri, const struct gpu *g, const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits,
                           const struct vn_pcs_points *points, const struct vn_fp6 *gamma)
{
    size_t batch = vn_pcs_batch(shape);
    struct vn_cuda_deep_group groups[VN_POINT_COUNT * (VN_PCS_MAX_LOG_N + 1)];
    struct vn_cuda_term *terms = malloc((batch + 1) * sizeof *terms);
    struct vn_deep_term *scratch = malloc((batch + 1) * sizeof *scratch);
    struct vn_fp6 *gamma_pow = malloc((batch + 1) * sizeof *gamma_pow), power = vn_fp6_one();
    enum vn_status s = VN_ERR_MEMORY;
    if (terms && scratch && gamma_pow) {
        for (size_t i = 0; i < batch; i++, power = vn_fp6_mul(power, *gamma))
            gamma_pow[i] = power;
        size_t n = list_groups(groups, terms, shape, commits, points, scratch, gamma_pow);
        s = (enum vn_status)g->api->fri_new(fri, g->session, groups, n);
    }
    free(gamma_pow);
    free(scratch);
    free(terms);
    return s;
}

static enum vn_status fri_new(struct vn_fri **out, const struct vn_pcs_shape *shape, const struct vn_pcs_commit *const *commits,
                              const struct vn_pcs_domain *d, const struct vn_pcs_points *points, const struct vn_fp6 *gamma)
{
    struct gpu_fri *f = calloc(1, sizeof *f);
    if (!f)
        return VN_ERR_MEMORY;
    *f = (struct gpu_fri){.gpu = gpu_of(d), .log_n = d->log_n, .n_folds = shape->params->n_folds};
    enum vn_status s = deep(&f->fri, f->gpu, shape, commits, points, gamma);
    if (s != VN_OK) {
        free(f);
        return s;
    }
    *out = (struct vn_fri *)f;
    return VN_OK;
}

static void fri_free(struct vn_fri *fri)
{
    struct gpu_fri *f = (struct gpu_fri *)fri;
    if (f)
        f->gpu->api->fri_free(f->fri);
    free(f);
}

static enum vn_status fri_commit(struct vn_fri *fri, unsigned layer, struct vn_digest *root)
{
    struct gpu_fri *f = (struct gpu_fri *)fri;
    return (enum vn_status)f->gpu->api->fri_commit(f->fri, layer, root);
}

static enum vn_status fri_fold(struct vn_fri *fri, unsigned layer, const struct vn_fp6 *beta)
{
    struct gpu_fri *f = (struct gpu_fri *)fri;
    struct vn_fp6 powers[VN_FRI_FOLD], power = vn_fp6_one();
    for (uint32_t i = 0; i < VN_FRI_FOLD; i++, power = vn_fp6_mul(power, *beta))
        powers[vn_bitrev(i, VN_FRI_LOG_FOLD)] = power;
    return (enum vn_status)f->gpu->api->fri_fold(f->fri, layer, powers);
}

static enum vn_status fri_final(struct vn_fri *fri, struct vn_fp6 *coefs)
{
    struct gpu_fri *f = (struct gpu_fri *)fri;
    unsigned log_n = f->log_n - VN_FRI_LOG_FOLD * f->n_folds;
    vn_fp last[6 * VN_PCS_MAX_FINAL];
    enum vn_status s = (enum vn_status)f->gpu->api->fri_coefs(f->fri, f->n_folds, last);
    for (uint32_t i = 0; s == VN_OK && i < 1u << log_n; i++)
        for (uint32_t k = 0; k < 6; k++)
            coefs[i].c[k] = last[(k << log_n) + vn_bitrev(i, log_n)];
    return s;
}

static enum vn_status grind(const struct vn_pcs_domain *d, const struct vn_transcript *t, unsigned bits, uint32_t *nonce)
{
    const struct gpu *g = gpu_of(d);
    vn_fp start[VN_HASH_WIDTH]; /* the block with the nonce, up to the nonce */
    for (unsigned i = 0; i < VN_HASH_WIDTH; i++)
        start[i] = i < t->n_in ? t->in[i] : i < VN_HASH_RATE ? 0 : t->state[i];
    start[VN_HASH_RATE + 1] = vn_fp_add(start[VN_HASH_RATE + 1], vn_fp_from(t->n_in + 1));
    return (enum vn_status)g->api->grind(g->session, start, t->n_in, bits, nonce);
}

/* Fills o with the rows and the nodes of their siblings; *nodes: the caller frees it. */
static enum vn_status opening(struct vn_cuda_opening *o, struct vn_cuda_node **nodes, const uint32_t *indices, size_t n, unsigned log_rows,
                              struct vn_opened *out)
{
    struct vn_merkle_walk walk = {0};
    *nodes = malloc((n * log_rows + 1) * sizeof **nodes);
    if (!*nodes)
        return VN_ERR_MEMORY;
    out->n_siblings = 0;
    while (vn_merkle_next_sibling(&walk, log_rows, indices, n))
        (*nodes)[out->n_siblings++] = (struct vn_cuda_node){walk.level, walk.sibling};
    *o = (struct vn_cuda_opening){indices, n, *nodes, out->n_siblings, out->rows, out->siblings};
    return VN_OK;
}

static enum vn_status commit_open(const struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const uint32_t *indices, size_t n, struct vn_opened *out)
{
    const struct remote *r = c->remote;
    struct vn_cuda_opening o;
    struct vn_cuda_node *nodes;
    (void)d;
    enum vn_status s = opening(&o, &nodes, indices, n, c->log_n + VN_LOG_BLOWUP, out);
    if (s == VN_OK)
        s = (enum vn_status)r->gpu->api->commit_open(r->commit, &o);
    free(nodes);
    return s;
}

static enum vn_status fri_open(struct vn_fri *fri, unsigned layer, const uint32_t *leaves, size_t n, struct vn_opened *out)
{
    struct gpu_fri *f = (struct gpu_fri *)fri;
    struct vn_cuda_opening o;
    struct vn_cuda_node *nodes;
    enum vn_status s = opening(&o, &nodes, leaves, n, f->log_n - VN_FRI_LOG_FOLD * (layer + 1) + VN_LOG_BLOWUP, out);
    if (s == VN_OK)
        s = (enum vn_status)f->gpu->api->fri_open(f->fri, layer, &o);
    free(nodes);
    return s;
}

/* ---- Opening the device ---- */

static const struct vn_device stages = {
    .name = "cuda",
    .why = why,
    .commit_init = commit_init,
    .commit_fini = commit_fini,
    .commit_share = commit_share,
    .commit_trace = commit_trace,
    .commit_values = commit_values,
    .commit_coefs = commit_coefs,
    .commit_root = commit_root,
    .logup = logup,
    .quotient = quotient,
    .evaluate = evaluate,
    .fri_new = fri_new,
    .fri_commit = fri_commit,
    .fri_fold = fri_fold,
    .fri_final = fri_final,
    .fri_free = fri_free,
    .grind = grind,
    .commit_open = commit_open,
    .fri_open = fri_open,
};

/* Beside the executable, in its installation's library folder, or wherever the loader looks. */
static void *open_library(char *tried, size_t tried_bytes)
{
    char self[PATH_MAX], path[PATH_MAX + 128];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        slash[1] = 0;
    static const char *const folders[] = {"", VENUS_CUDA_FOLDER};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s%s", self, folders[i], VN_CUDA_LIBRARY);
        void *library = access(path, F_OK) == 0 ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
        if (library)
            return library;
        if (access(path, F_OK) == 0) { /* there, but it cannot be loaded: say why */
            (void)snprintf(tried, tried_bytes, "%s", dlerror());
            return NULL;
        }
    }
    void *library = dlopen(VN_CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        (void)snprintf(tried, tried_bytes, "no %s in %.200s, in %s beside it or where the loader looks", VN_CUDA_LIBRARY, self, VENUS_CUDA_FOLDER);
    return library;
}

static enum vn_status load(struct gpu *g, const char *path, struct vn_error *err)
{
    char tried[400] = "";
    g->library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : open_library(tried, sizeof tried);
    if (!g->library)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "no CUDA backend: %s", tried[0] ? tried : dlerror());
    const struct vn_cuda_api *(*get)(void);
    *(void **)&get = dlsym(g->library, "vn_cuda_api");
    const struct vn_cuda_api *api = get ? get() : NULL;
    if (!api || api->abi != VN_CUDA_ABI || api->layout != VN_CUDA_LAYOUT || api->tables != VN_AIR_FINGERPRINT)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "no CUDA backend: %s belongs to another build of Venus", path ? path : VN_CUDA_LIBRARY);
    g->api = api;
    return VN_OK;
}

static enum vn_status start(struct gpu *g, const struct vn_cuda_options *o, struct vn_error *err)
{
    struct vn_cuda_device_info info;
    enum vn_status s = load(g, o->library, err);
    if (s != VN_OK)
        return s;
    g->api->device_info(&info, o->device);
    if (info.name[0] == 0)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "no CUDA device: %s", info.why);
    g->log_n = o->log_n;
    vn_twiddles_need(o->log_n);
    s = (enum vn_status)g->api->open(&g->session, o->device, o->log_n, vn_fri_shift(0), vn_twiddles_forward, vn_twiddles_inverse,
                                     info.memory_bytes / 100 * o->preallocate_percent);
    return s == VN_OK ? VN_OK : vn_fail(err, s, "%s: %s", info.name, g->session ? g->api->error_text(g->session) : vn_status_text(s));
}

enum vn_status vn_cuda_device_open(const struct vn_device **out, const struct vn_cuda_options *o, struct vn_error *err)
{
    struct gpu *g = calloc(1, sizeof *g);
    if (!g)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the CUDA backend");
    g->device = stages;
    g->device.state = g;
    enum vn_status s = start(g, o, err);
    if (s != VN_OK) {
        vn_cuda_device_close(&g->device);
        return s;
    }
    *out = &g->device;
    return VN_OK;
}

void vn_cuda_device_close(const struct vn_device *device)
{
    if (!device)
        return;
    struct gpu *g = device->state;
    for (unsigned i = 0; i < VN_KIND_COUNT; i++)
        commit_fini(&g->shared[i].shared);
    if (g->api)
        g->api->close(g->session);
    if (g->library)
        (void)dlclose(g->library);
    free(g);
}
