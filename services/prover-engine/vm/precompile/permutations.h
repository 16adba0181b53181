#ifndef VN_PERMUTATIONS_H
#define VN_PERMUTATIONS_H
/* The inner functions of four hashes, in place on words. */

#include <stdint.h>

/* Keccak-f[1600]: lane (x, y) at x + 5 y. Source: FIPS 202. */
void vn_keccak_f(uint64_t state[25]);

/* One SHA-256 compression with feed-forward; the block as sixteen big-endian words' values. Source: FIPS 180-4. */
void vn_sha256_compress(uint32_t state[8], const uint32_t block[16]);

/* Round `index` of BLAKE2b's compression (permutation index mod 10). Source: RFC 7693. */
void vn_blake2b_round(uint64_t v[16], const uint64_t m[16], uint64_t index);

/* Poseidon2 over Goldilocks, width 16, S-box x^7, 4 + 22 + 4 rounds. Inputs are reduced first; outputs are canonical. */
void vn_poseidon2_goldilocks(uint64_t state[16]);

#endif
