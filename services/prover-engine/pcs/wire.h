#ifndef VN_PCS_WIRE_H
#define VN_PCS_WIRE_H
/* Reading a proof: a sequence of 32-bit little-endian words, most of them canonical field elements. The first error sticks: what is read after
 * it is zero, and `why` says what was wrong. */

#include <stddef.h>
#include <stdint.h>

#include "services/prover-engine/hash/sponge.h"

struct vn_reader {
    const uint8_t *at, *end;
    const char *why; /* NULL: no error so far */
};

static inline uint32_t vn_read_u32(struct vn_reader *r)
{
    if (r->end - r->at < 4) {
        r->at = r->end;
        if (!r->why)
            r->why = "truncated";
        return 0;
    }
    uint32_t x = (uint32_t)r->at[0] | (uint32_t)r->at[1] << 8 | (uint32_t)r->at[2] << 16 | (uint32_t)r->at[3] << 24;
    r->at += 4;
    return r->why ? 0 : x;
}

/* A canonical integer < p. */
static inline uint32_t vn_read_canonical(struct vn_reader *r)
{
    uint32_t x = vn_read_u32(r);
    if (x < VN_P)
        return x;
    r->why = "an element is not canonical";
    return 0;
}

static inline vn_fp vn_read_fp(struct vn_reader *r)
{
    return vn_fp_mul(vn_read_canonical(r), VN_FP_R2);
}

static inline struct vn_fp6 vn_read_fp6(struct vn_reader *r)
{
    struct vn_fp6 a;
    for (int i = 0; i < 6; i++)
        a.c[i] = vn_read_fp(r);
    return a;
}

static inline struct vn_digest vn_read_digest(struct vn_reader *r)
{
    struct vn_digest d;
    for (int i = 0; i < VN_DIGEST_LEN; i++)
        d.c[i] = vn_read_fp(r);
    return d;
}

/* Whether n more words are there: asked before memory is taken for them. */
static inline int vn_reader_has(struct vn_reader *r, size_t words)
{
    if (!r->why && (size_t)(r->end - r->at) / 4 < words)
        r->why = "truncated";
    return !r->why;
}

#endif
