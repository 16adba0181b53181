/* Hash inputs are collected in a fixed array of field elements. Every public value is below p, so one element holds it; addresses of instructions are halved. */
#include "services/prover-engine/verify/leaf.h"

#include <assert.h>

enum { MAX_ELEMENTS = 256 + 6 * VN_MAX_P1_COLUMNS };

struct elements {
    size_t n;
    vn_fp x[MAX_ELEMENTS];
};

static void add_u32(struct elements *e, uint32_t x)
{
    assert(e->n < MAX_ELEMENTS && x < VN_P);
    e->x[e->n++] = vn_fp_from(x);
}

static void add_elements(struct elements *e, const vn_fp *x, size_t n)
{
    assert(n <= MAX_ELEMENTS - e->n);
    memcpy(e->x + e->n, x, n * sizeof *x);
    e->n += n;
}

/* Every table id of the machine, those of the other kind included (absent). */
static void add_heights(struct elements *e, const struct vn_shard_header *h)
{
    for (unsigned t = 0; t < vn_air_table_count; t++)
        add_u32(e, h->log_height[t]);
}

static void add_public(struct elements *e, const struct vn_shard_header *h)
{
    uint32_t pub[VN_MAX_PUBLIC];
    unsigned n = vn_header_public(h, pub);
    for (unsigned i = 0; i < n; i++)
        add_u32(e, pub[i]);
}

unsigned vn_header_public_count(uint32_t kind)
{
    return kind == VN_KIND_EXECUTION ? 4 : 3;
}

unsigned vn_header_public(const struct vn_shard_header *h, uint32_t out[VN_MAX_PUBLIC])
{
    const struct vn_shard_public *p = &h->pub;
    if (p->kind == VN_KIND_EXECUTION) {
        out[0] = p->start_pc / 2;
        out[1] = p->end_pc / 2;
        out[2] = p->steps;
        out[3] = p->halted;
    } else {
        out[0] = p->first_memory;
        out[1] = p->prev_key;
        out[2] = p->last_key;
    }
    return vn_header_public_count(p->kind);
}

int vn_header_set_public(struct vn_shard_header *h, const uint32_t in[VN_MAX_PUBLIC])
{
    struct vn_shard_public *p = &h->pub;
    if (p->kind == VN_KIND_EXECUTION) {
        if (in[0] >= VN_P || in[1] >= VN_P)
            return 0;
        p->start_pc = in[0] << 1;
        p->end_pc = in[1] << 1;
        p->steps = in[2];
        p->halted = in[3];
    } else {
        p->first_memory = in[0];
        p->prev_key = in[1];
        p->last_key = in[2];
    }
    return 1;
}

const char *vn_header_check(const struct vn_shard_header *h, const struct vn_vk *vk)
{
    const struct vn_shard_public *p = &h->pub;
    if (p->kind >= VN_KIND_COUNT)
        return "unknown kind";
    if (p->index == 0 || p->index > VN_MAX_JOB_SHARDS)
        return "index out of range";
    if (p->kind == VN_KIND_EXECUTION) {
        if (p->steps == 0 || p->steps > VN_MAX_STEPS)
            return "step count out of range";
        if (p->halted > 1 || (p->halted && p->end_pc != 0))
            return "halted flag out of range";
        if (p->start_pc & 1 || p->end_pc & 1)
            return "program counter not aligned";
        if (p->start_pc / 2 >= VN_P || p->end_pc / 2 >= VN_P)
            return "program counter out of range";
    } else {
        if (p->first_memory > 1 || (p->first_memory && p->prev_key != 0))
            return "first-memory flag out of range";
        if (p->prev_key > VN_LARGEST_KEY || p->last_key > VN_LARGEST_KEY)
            return "key out of range";
        if (!p->first_memory && p->last_key <= p->prev_key)
            return "the keys of a memory shard do not grow";
    }
    return vn_shape_check(p->kind, h->log_height, vk->pre_log_height[p->kind]);
}

struct vn_fp6 vn_header_point(const struct vn_shard_header *h, const struct vn_digest *vk_digest)
{
    struct elements e = {0};
    add_elements(&e, vk_digest->c, VN_DIGEST_LEN);
    add_u32(&e, h->pub.kind);
    add_u32(&e, h->pub.index);
    add_heights(&e, h);
    add_elements(&e, h->p1_root.c, VN_DIGEST_LEN);
    add_public(&e, h);
    struct vn_digest d = vn_hash(VN_TAG_POINT, e.x, e.n);
    struct vn_fp6 z;
    memcpy(z.c, d.c, sizeof z.c);
    return z;
}

struct vn_digest vn_header_leaf(const struct vn_shard_header *h, const struct vn_digest *vk_digest, uint32_t params_version,
                                const struct vn_fp6 *evals, uint32_t n_evals)
{
    struct elements e = {0};
    add_u32(&e, h->pub.index);
    add_u32(&e, h->pub.kind);
    add_u32(&e, params_version);
    add_elements(&e, vk_digest->c, VN_DIGEST_LEN);
    add_heights(&e, h);
    add_elements(&e, h->p1_root.c, VN_DIGEST_LEN);
    add_public(&e, h);
    for (uint32_t i = 0; i < n_evals; i++)
        add_elements(&e, evals[i].c, 6);
    return vn_hash(VN_TAG_LEAF, e.x, e.n);
}

void vn_shard_transcript(struct vn_transcript *t, const struct vn_digest *job, const struct vn_digest *leaf)
{
    vn_transcript_init(t, VN_TAG_TRANSCRIPT);
    vn_transcript_absorb_digest(t, job);
    vn_transcript_absorb_digest(t, leaf);
}

struct vn_fp6 vn_header_loose_ends(const struct vn_shard_header *h, const struct vn_air_challenges *c)
{
    const struct vn_shard_public *p = &h->pub;
    struct vn_fp6 put, take;
    if (p->kind == VN_KIND_EXECUTION) {
        vn_fp start[3] = {vn_fp_from(VN_FIRST_CLK), vn_fp_from(p->start_pc / 2), 0};
        vn_fp end[3] = {vn_fp_from(VN_FIRST_CLK + VN_CLK_PER_STEP * p->steps), vn_fp_from(p->end_pc / 2), vn_fp_from(p->halted)};
        put = vn_air_fraction(c, VN_SCOPE_LOCAL, VN_BUS_EXEC, start, 3, 1);
        take = vn_air_fraction(c, VN_SCOPE_LOCAL, VN_BUS_EXEC, end, 3, -1);
    } else {
        /* before the first key stands -1 */
        vn_fp first = p->first_memory ? vn_fp_neg(VN_FP_ONE) : vn_fp_from(p->prev_key), last = vn_fp_from(p->last_key);
        put = vn_air_fraction(c, VN_SCOPE_LOCAL, VN_BUS_CHAIN, &first, 1, 1);
        take = vn_air_fraction(c, VN_SCOPE_LOCAL, VN_BUS_CHAIN, &last, 1, -1);
    }
    return vn_fp6_add(put, take);
}
