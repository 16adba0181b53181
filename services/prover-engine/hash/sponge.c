/* Overwrite-mode sponge, node compression with feed-forward, and the duplex transcript. */
#include "services/prover-engine/hash/sponge.h"

enum { TAG_AT = VN_HASH_RATE, LENGTH_AT = VN_HASH_RATE + 1 };

static struct vn_digest digest_of(const vn_fp *state)
{
    struct vn_digest d;
    memcpy(d.c, state, sizeof d.c);
    return d;
}

/* Overwrites the rate with n <= 14 elements and zeros. */
static void overwrite(vn_fp *state, const vn_fp *in, size_t n)
{
    memcpy(state, in, n * sizeof *in);
    memset(state + n, 0, (VN_HASH_RATE - n) * sizeof *in);
}

struct vn_digest vn_hash(enum vn_hash_tag tag, const vn_fp *in, size_t n)
{
    vn_fp state[VN_HASH_WIDTH] = {0};
    state[TAG_AT] = vn_fp_from((uint32_t)tag);
    state[LENGTH_AT] = vn_fp_from((uint32_t)n);
    do {
        size_t take = n < VN_HASH_RATE ? n : VN_HASH_RATE;
        if (take)
            overwrite(state, in, take);
        vn_poseidon2(state);
        in += take;
        n -= take;
    } while (n);
    return digest_of(state);
}

struct vn_digest vn_hash_node(enum vn_hash_tag tag, unsigned level, const struct vn_digest *a, const struct vn_digest *b)
{
    vn_fp in[VN_HASH_WIDTH] = {0}, state[VN_HASH_WIDTH];
    memcpy(in, a->c, sizeof a->c);
    memcpy(in + VN_DIGEST_LEN, b->c, sizeof b->c);
    in[2 * VN_DIGEST_LEN] = vn_fp_from((uint32_t)tag);
    in[2 * VN_DIGEST_LEN + 1] = vn_fp_from(level);
    memcpy(state, in, sizeof in);
    vn_poseidon2(state);
    for (int i = 0; i < VN_DIGEST_LEN; i++)
        state[i] = vn_fp_add(state[i], in[i]);
    return digest_of(state);
}

void vn_transcript_init(struct vn_transcript *t, enum vn_hash_tag tag)
{
    *t = (struct vn_transcript){0};
    t->state[TAG_AT] = vn_fp_from((uint32_t)tag);
}

static void permute(struct vn_transcript *t)
{
    if (t->n_in) {
        overwrite(t->state, t->in, t->n_in);
        t->state[LENGTH_AT] = vn_fp_add(t->state[LENGTH_AT], vn_fp_from(t->n_in));
        t->n_in = 0;
    }
    vn_poseidon2(t->state);
    t->n_out = VN_HASH_RATE;
}

void vn_transcript_absorb(struct vn_transcript *t, const vn_fp *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        t->n_out = 0;
        t->in[t->n_in++] = in[i];
        if (t->n_in == VN_HASH_RATE)
            permute(t);
    }
}

void vn_transcript_absorb_u32(struct vn_transcript *t, uint32_t x)
{
    vn_fp a = vn_fp_from(x);
    vn_transcript_absorb(t, &a, 1);
}

void vn_transcript_absorb_digest(struct vn_transcript *t, const struct vn_digest *d)
{
    vn_transcript_absorb(t, d->c, VN_DIGEST_LEN);
}

void vn_transcript_absorb_fp6(struct vn_transcript *t, const struct vn_fp6 *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        vn_transcript_absorb(t, in[i].c, 6);
}

vn_fp vn_transcript_sample(struct vn_transcript *t)
{
    if (t->n_in || !t->n_out)
        permute(t);
    return t->state[VN_HASH_RATE - t->n_out--];
}

struct vn_fp6 vn_transcript_sample_fp6(struct vn_transcript *t)
{
    struct vn_fp6 a;
    for (int i = 0; i < 6; i++)
        a.c[i] = vn_transcript_sample(t);
    return a;
}

uint32_t vn_transcript_sample_bits(struct vn_transcript *t, unsigned bits)
{
    return vn_fp_to(vn_transcript_sample(t)) & (((uint32_t)1 << bits) - 1);
}

int vn_transcript_check_nonce(struct vn_transcript *t, uint32_t nonce, unsigned bits)
{
    vn_transcript_absorb_u32(t, nonce);
    return vn_transcript_sample_bits(t, bits) == 0;
}
