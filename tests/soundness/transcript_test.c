/* Every challenge depends on every word that was sent before it, and on no later one. The verifier's own sources run over arbitrary words (recorded.h);
 * one word after the other is changed, and the challenges are compared with those of the unchanged proof. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "services/prover-engine/pcs/layout.h"
#include "services/prover-engine/verify/leaf.h"

/* In the order in which the verifier draws them; then VN_PCS_MAX_FOLDS betas and the positions. */
enum { GLOBAL_ALPHA, GLOBAL_BETA, Z, ALPHA, BETA, CONSTRAINTS, ZETA, GAMMA, FOLDS, POSITIONS = FOLDS + VN_PCS_MAX_FOLDS, CHALLENGES, NEVER = CHALLENGES };

struct challenge {
    size_t n;
    uint32_t x[VN_PCS_MAX_QUERIES];
};

static struct challenge drawn[CHALLENGES];
static unsigned n_drawn;

void record(const vn_fp *x, size_t n);
void record(const vn_fp *x, size_t n)
{
    cr_assert(n_drawn < CHALLENGES && n <= VN_PCS_MAX_QUERIES);
    drawn[n_drawn].n = n;
    memcpy(drawn[n_drawn++].x, x, n * sizeof *x);
}

/* ---- A job and the words of one of its shards ---- */

struct statement {
    struct vn_vk vk;
    uint32_t n_exec, n_mem;
    struct vn_digest root;
    uint8_t output[VN_STATEMENT_OUTPUT_BYTES];
};

static struct statement some_statement(void)
{
    struct statement s = {.vk = {.params_version = VN_PARAMS_VERSION, .entry = 0x80000010}, .n_exec = 2, .n_mem = 2, .output = {5, 6, 7}};
    memset(s.vk.pre_log_height, VN_LOG_HEIGHT_ABSENT, sizeof s.vk.pre_log_height);
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        const struct vn_air_kind *k = &vn_air_kinds[kind];
        for (unsigned i = 0; i < k->n_tables; i++)
            if (vn_air_tables[k->tables[i]].n_pre)
                s.vk.pre_log_height[kind][k->tables[i]] = k->fixed_log_height[i] ? k->fixed_log_height[i] : 14;
        for (unsigned i = 0; i < VN_DIGEST_LEN; i++)
            s.vk.pre_root[kind].c[i] = vn_fp_from(100 * kind + i);
    }
    s.root.c[3] = 17;
    return s;
}

struct part {
    const char *name;
    size_t words;
    unsigned first; /* challenge that depends on it; so do all after it */
};

struct proof {
    uint32_t index, log_height[VN_AIR_MAX_TABLES];
    struct part parts[16 + VN_PCS_MAX_FOLDS];
    unsigned n_parts;
    uint32_t *words;
    size_t n_words;
};

static void add_part(struct proof *p, const char *name, size_t words, unsigned first)
{
    p->parts[p->n_parts++] = (struct part){name, words, first};
    p->n_words += words;
}

/* Everything up to the openings, which no challenge follows. */
static struct proof some_proof(const struct statement *s, unsigned kind)
{
    struct proof p = {.index = kind == VN_KIND_EXECUTION ? 2 : 4};
    const struct vn_air_kind *k = &vn_air_kinds[kind];
    struct vn_shard_shape shape;
    uint8_t heights[VN_AIR_MAX_TABLES];
    uint32_t seed = 1, totals = 0, values = 0;
    memset(heights, VN_LOG_HEIGHT_ABSENT, sizeof heights);
    for (unsigned i = 0; i < k->n_tables; i++) {
        unsigned t = k->tables[i];
        heights[t] = vn_air_tables[t].n_pre ? s->vk.pre_log_height[kind][t] : vn_air_height_classes[i % 2];
        totals += (vn_air_tables[t].n_logup[VN_SCOPE_LOCAL] > 0) + (vn_air_tables[t].n_logup[VN_SCOPE_GLOBAL] > 0);
    }
    cr_assert(vn_shape_check(kind, heights, s->vk.pre_log_height[kind]) == NULL);
    vn_shape_init(&shape, kind, heights);
    for (unsigned o = 0; o < VN_OPEN_Z; o++)
        values += shape.pcs.trees[shape.pcs.openings[o].tree].n_cols;

    add_part(&p, "kind, index, heights", 2 + k->n_tables, NEVER); /* fixed here; heights: see the test below */
    add_part(&p, "public values", vn_header_public_count(kind), Z);
    add_part(&p, "P1 root", VN_DIGEST_LEN, Z);
    add_part(&p, "z evaluations", 6 * shape.pcs.trees[VN_TREE_P1].n_cols, ALPHA);
    add_part(&p, "path", VN_DIGEST_LEN * vn_contribution_depth(s->n_exec + s->n_mem), NEVER); /* checked against the root in J */
    add_part(&p, "MAIN root", VN_DIGEST_LEN, ALPHA);
    add_part(&p, "LOGUP root", VN_DIGEST_LEN, CONSTRAINTS);
    add_part(&p, "totals", 6 * totals, CONSTRAINTS);
    add_part(&p, "QUOT root", VN_DIGEST_LEN, ZETA);
    add_part(&p, "values", 6 * values, GAMMA);
    for (unsigned i = 0; i < shape.pcs.params->n_folds; i++)
        add_part(&p, "FRI root", VN_DIGEST_LEN, FOLDS + i);
    add_part(&p, "final polynomial", (size_t)6 << vn_pcs_log_final(shape.pcs.params), POSITIONS);
    add_part(&p, "nonce", 1, POSITIONS);

    p.words = calloc(p.n_words, sizeof *p.words);
    cr_assert_not_null(p.words);
    for (size_t i = 0; i < p.n_words; i++)
        p.words[i] = (seed = seed * 1664525u + 1013904223u) >> 2;
    p.words[0] = kind;
    p.words[1] = p.index;
    for (unsigned i = 0; i < k->n_tables; i++)
        p.words[2 + i] = heights[k->tables[i]];
    uint32_t *public = p.words + p.parts[0].words;
    if (kind == VN_KIND_EXECUTION) {
        public[0] = 1000; /* start, end, steps, halted */
        public[1] = 2000;
        public[2] = 300;
        public[3] = 0;
    } else {
        public[0] = 0; /* not the first, keys */
        public[1] = 100;
        public[2] = 200;
    }
    return p;
}

static void draw(const struct statement *s, const struct proof *p, struct challenge out[CHALLENGES])
{
    static uint8_t memory[VN_VERIFY_ARENA_BYTES];
    struct vn_arena arena = {.base = memory, .size = sizeof memory};
    struct vn_job_context job;
    struct vn_rejection why = {0};
    struct vn_shard_public pub;
    struct vn_fp6 total;
    size_t used;
    n_drawn = 0;
    cr_assert(vn_job_context_init(&job, &s->vk, s->n_exec, s->n_mem, &s->root, s->output, &why) == VN_OK);
    enum vn_status status = vn_verify_shard(&arena, &job, p->index, (const uint8_t *)p->words, 4 * p->n_words, &used, &pub, &total, &why);
    cr_assert(status == VN_ERR_INVALID_PROOF && strcmp(why.reason, "truncated") == 0, "%s", why.reason); /* the openings are not there */
    cr_assert(n_drawn == CHALLENGES, "%u challenges", n_drawn);
    memcpy(out, drawn, sizeof drawn);
}

/* The first challenge that differs; all after it have to. */
static unsigned first_changed(const struct challenge *a, const struct challenge *b, const char *what)
{
    unsigned first = NEVER;
    for (unsigned i = 0; i < CHALLENGES; i++) {
        int same = a[i].n == b[i].n && memcmp(a[i].x, b[i].x, a[i].n * sizeof *a[i].x) == 0;
        if (!same && first == NEVER)
            first = i;
        cr_expect(first == NEVER || !same || i == Z, "%s: challenge %u does not depend on it", what, i); /* z_i comes from the shard alone */
    }
    return first;
}

static void change_every_word(unsigned kind)
{
    struct statement s = some_statement();
    struct proof p = some_proof(&s, kind);
    struct challenge before[CHALLENGES], after[CHALLENGES];
    draw(&s, &p, before);
    size_t at = p.parts[0].words;
    for (unsigned i = 1; i < p.n_parts; i++) {
        size_t step = p.parts[i].words > 600 ? 31 : 1;
        int flag = kind == VN_KIND_EXECUTION ? 3 : 0; /* the public value that is a flag: it may not change alone */
        for (size_t k = 0; k < p.parts[i].words; k += step) {
            if (i == 1 && k == (size_t)flag)
                continue;
            p.words[at + k] ^= 1;
            draw(&s, &p, after);
            unsigned first = first_changed(before, after, p.parts[i].name);
            cr_expect(first == p.parts[i].first, "%s, word %zu: challenge %u is the first to change, not %u", p.parts[i].name, k, first, p.parts[i].first);
            p.words[at + k] ^= 1;
        }
        at += p.parts[i].words;
    }
    free(p.words);
}

Test(transcript, an_execution_shard_binds_every_word)
{
    change_every_word(VN_KIND_EXECUTION);
}

Test(transcript, a_memory_shard_binds_every_word)
{
    change_every_word(VN_KIND_MEMORY);
}

/* Flags among the public values, the shard's number, and each table's height. The height of a table with few columns does not change how long the
 * proof is, but anything may change between the challenges: only the first has to differ. */
Test(transcript, the_header_is_bound)
{
    struct statement s = some_statement();
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        const struct vn_air_kind *k = &vn_air_kinds[kind];
        struct vn_shard_header h = {.pub = {.kind = kind, .index = 3, .start_pc = 8, .end_pc = 0, .steps = 5, .prev_key = 0, .last_key = 9}}, other;
        struct vn_digest vk = vn_vk_digest(&s.vk), leaf, changed;
        struct vn_fp6 z = vn_header_point(&h, &vk), y;
        leaf = vn_header_leaf(&h, &vk, VN_PARAMS_VERSION, NULL, 0);
#define BOUND(WHAT)                                                                                        \
    do {                                                                                                   \
        y = vn_header_point(&other, &vk);                                                                  \
        changed = vn_header_leaf(&other, &vk, VN_PARAMS_VERSION, NULL, 0);                                 \
        cr_expect(memcmp(&y, &z, sizeof z) != 0 && memcmp(&changed, &leaf, sizeof leaf) != 0, "%s", WHAT); \
        other = h;                                                                                         \
    } while (0)
        other = h;
        other.pub.kind ^= 1;
        BOUND("kind");
        other.pub.index++;
        BOUND("index");
        if (kind == VN_KIND_EXECUTION)
            other.pub.halted = 1;
        else
            other.pub.first_memory = 1;
        BOUND("flag");
        for (unsigned i = 0; i < k->n_tables; i++) {
            other.log_height[k->tables[i]] ^= 1;
            BOUND(vn_air_tables[k->tables[i]].name);
        }
        changed = vn_header_leaf(&h, &vk, VN_PARAMS_VERSION + 1, NULL, 0);
        cr_expect(memcmp(&changed, &leaf, sizeof leaf) != 0, "params version");
    }
}

/* J, and with it every challenge, depends on the whole statement. */
Test(transcript, the_statement_is_bound)
{
    struct statement s = some_statement(), other = s;
    struct proof p = some_proof(&s, VN_KIND_EXECUTION);
    struct challenge before[CHALLENGES], after[CHALLENGES];
    draw(&s, &p, before);
#define BINDS(CHANGE)                                                                     \
    do {                                                                                  \
        CHANGE;                                                                           \
        draw(&other, &p, after);                                                          \
        cr_expect(first_changed(before, after, #CHANGE) == GLOBAL_ALPHA, "%s", #CHANGE);  \
        other = s;                                                                        \
    } while (0)
    BINDS(other.n_exec = 3; other.n_mem = 1); /* the depth of the path stays */
    for (unsigned i = 0; i < VN_DIGEST_LEN; i++)
        BINDS(other.root.c[i] ^= 1);
    for (unsigned i = 0; i < VN_STATEMENT_OUTPUT_BYTES; i++)
        BINDS(other.output[i] ^= 0x80);
    BINDS(other.vk.entry += 4);
    BINDS(other.vk.params_version++);
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++)
        for (unsigned i = 0; i < VN_DIGEST_LEN; i++)
            BINDS(other.vk.pre_root[kind].c[i] ^= 1);
    BINDS(other.vk.pre_log_height[VN_KIND_MEMORY][vn_air_kinds[VN_KIND_MEMORY].tables[0]] ^= 1);
    free(p.words);
}
