#ifndef VN_POSEIDON2_H
#define VN_POSEIDON2_H
/* The hash suite of the shard kinds: Poseidon2 over KoalaBear, width 24, x^3. Everything that depends on the
 * suite (round counts, constants, matrices, modes) is here and in poseidon2_constants.h, so that another suite
 * is another pair of files. Source: Grassi, Khovratovich, Schofnegger, "Poseidon2" (2023); matrices and round
 * counts as published by Plonky3 for KoalaBear; constants from the Grain LFSR (scripts/gen-poseidon2-constants). */

#include "services/prover-engine/field/fp.h"

#define VN_HASH_WIDTH 24
#define VN_HASH_RATE 14
#define VN_HASH_FULL_ROUNDS 8
#define VN_HASH_PARTIAL_ROUNDS 23
#define VN_DIGEST_LEN 9 /* elements: 279 bits */

struct vn_digest {
    vn_fp c[VN_DIGEST_LEN];
};

/* Domain tags, the first capacity element. */
enum vn_hash_tag {
    VN_TAG_ROW = 1,        /* one row of a commitment */
    VN_TAG_NODE = 2,       /* inner node of a commitment's tree */
    VN_TAG_TRANSCRIPT = 3, /* shard transcript */
    VN_TAG_LEAF = 4,       /* contribution leaf_i */
    VN_TAG_JOB = 5,        /* J */
    VN_TAG_VK = 6,         /* verifying key */
    VN_TAG_POINT = 7,      /* the point z_i of phase 1 */
    VN_TAG_CONTRIBUTION = 8, /* inner node of the contribution tree */
    VN_TAG_GLOBAL = 9,     /* the global challenge from J */
};

/* The permutation, in place. Domain: canonical Montgomery in and out. */
void vn_poseidon2(vn_fp state[VN_HASH_WIDTH]);

#endif
