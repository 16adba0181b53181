#ifndef VN_SPONGE_H
#define VN_SPONGE_H
/* Modes of the permutation. State element 14 is the domain tag, element 15 the length, 16..23 start at zero. */

#include <stddef.h>

#include "services/prover-engine/field/fp6.h"
#include "services/prover-engine/hash/poseidon2.h"

/* Variable-length hash: state[14] = tag, state[15] = n (as field elements, canonical integers); each block of
 * 14 inputs overwrites the rate (the last one zero-padded), then permutes; n = 0 permutes once.
 * Digest: state[0..8]. */
struct vn_digest vn_hash(enum vn_hash_tag tag, const vn_fp *in, size_t n);

/* Node: s = (a, b, tag, level, 0, 0, 0, 0); first nine of P(s) + s. Leaves are level 0, their parents level 1. */
struct vn_digest vn_hash_node(enum vn_hash_tag tag, unsigned level, const struct vn_digest *a, const struct vn_digest *b);

/* Transcript: a duplex sponge. Absorbed elements collect in a buffer; when 14 are there, or a sample is asked for
 * while some are (or no output is left), they overwrite the rate from element 0 (the rest of the rate becomes zero),
 * their number is added to state[15], and the state is permuted: state[0..13] is then the output, handed out from
 * element 0 up. Absorbing throws away output not yet taken. */
struct vn_transcript {
    vn_fp state[VN_HASH_WIDTH];
    vn_fp in[VN_HASH_RATE];
    unsigned n_in;
    unsigned n_out; /* elements of state[0..13] still to be handed out */
};

void vn_transcript_init(struct vn_transcript *t, enum vn_hash_tag tag);
void vn_transcript_absorb(struct vn_transcript *t, const vn_fp *in, size_t n);
void vn_transcript_absorb_u32(struct vn_transcript *t, uint32_t x); /* x < p */
void vn_transcript_absorb_digest(struct vn_transcript *t, const struct vn_digest *d);
void vn_transcript_absorb_fp6(struct vn_transcript *t, const struct vn_fp6 *in, size_t n);
vn_fp vn_transcript_sample(struct vn_transcript *t);
struct vn_fp6 vn_transcript_sample_fp6(struct vn_transcript *t); /* six samples, lowest power first */

/* Low `bits` (<= 24) bits of the canonical integer of one sample: p - 1 = 127 * 2^24 keeps them 2^-31-close to uniform. */
uint32_t vn_transcript_sample_bits(struct vn_transcript *t, unsigned bits);

/* Grinding. A nonce is one canonical integer < p. vn_transcript_check_nonce absorbs it and tells whether `bits` sampled
 * bits are zero. The prover's search (backend.h) returns the smallest nonce that passes. */
int vn_transcript_check_nonce(struct vn_transcript *t, uint32_t nonce, unsigned bits);

#endif
