/* Each permutation straight from its standard. Speed is the compiler's business: the loops have constant bounds and unroll. */
#include "services/prover-engine/vm/precompile/permutations.h"

#include <string.h>

#include "services/prover-engine/vm/precompile/poseidon2_goldilocks_constants.h"

static uint64_t rotl64(uint64_t v, unsigned n) { return n ? v << n | v >> (64 - n) : v; }
static uint64_t rotr64(uint64_t v, unsigned n) { return v >> n | v << (64 - n); }
static uint32_t rotr32(uint32_t v, unsigned n) { return v >> n | v << (32 - n); }

/* ---- Keccak ---- */

/* The round constants' bits come from an LFSR over x^8 + x^6 + x^5 + x^4 + 1 (FIPS 202, 3.2.5); this is its table. */
static const uint64_t keccak_rc[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001,
    0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
    0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* Rotation of lane (x, y) at x + 5 y. */
static const uint8_t keccak_rho[25] = {0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14};

void vn_keccak_f(uint64_t a[25])
{
    for (unsigned round = 0; round < 24; round++) {
        uint64_t c[5], b[25];
        for (unsigned x = 0; x < 5; x++)
            c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        for (unsigned x = 0; x < 5; x++) {
            uint64_t d = c[(x + 4) % 5] ^ rotl64(c[(x + 1) % 5], 1);
            for (unsigned y = 0; y < 5; y++)
                b[y + 5 * ((2 * x + 3 * y) % 5)] = rotl64(a[x + 5 * y] ^ d, keccak_rho[x + 5 * y]);
        }
        for (unsigned y = 0; y < 25; y += 5)
            for (unsigned x = 0; x < 5; x++)
                a[y + x] = b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]);
        a[0] ^= keccak_rc[round];
    }
}

/* ---- SHA-256 ---- */

/* First 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

void vn_sha256_compress(uint32_t state[8], const uint32_t block[16])
{
    uint32_t w[64], s[8];
    memcpy(w, block, 16 * sizeof *w);
    for (unsigned t = 16; t < 64; t++) {
        uint32_t s0 = rotr32(w[t - 15], 7) ^ rotr32(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotr32(w[t - 2], 17) ^ rotr32(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    memcpy(s, state, sizeof s);
    for (unsigned t = 0; t < 64; t++) {
        uint32_t e1 = rotr32(s[4], 6) ^ rotr32(s[4], 11) ^ rotr32(s[4], 25), choose = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t e0 = rotr32(s[0], 2) ^ rotr32(s[0], 13) ^ rotr32(s[0], 22), majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t t1 = s[7] + e1 + choose + sha256_k[t] + w[t];
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + e0 + majority;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

/* ---- BLAKE2b ---- */

static const uint8_t blake2b_sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static void blake2b_mix(uint64_t v[16], unsigned a, unsigned b, unsigned c, unsigned d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotr64(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotr64(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotr64(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotr64(v[b] ^ v[c], 63);
}

void vn_blake2b_round(uint64_t v[16], const uint64_t m[16], uint64_t index)
{
    const uint8_t *s = blake2b_sigma[index % 10];
    for (unsigned i = 0; i < 4; i++) /* columns */
        blake2b_mix(v, i, 4 + i, 8 + i, 12 + i, m[s[2 * i]], m[s[2 * i + 1]]);
    for (unsigned i = 0; i < 4; i++) /* diagonals */
        blake2b_mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
}

/* ---- Poseidon2 over Goldilocks ---- */

#define GL_P UINT64_C(0xffffffff00000001) /* 2^64 - 2^32 + 1 */

static uint64_t gl_add(uint64_t a, uint64_t b) { return (uint64_t)(((unsigned __int128)a + b) % GL_P); }
static uint64_t gl_mul(uint64_t a, uint64_t b) { return (uint64_t)((unsigned __int128)a * b % GL_P); }

static uint64_t gl_pow7(uint64_t x)
{
    uint64_t x2 = gl_mul(x, x);
    return gl_mul(gl_mul(x2, x2), gl_mul(x2, x));
}

/* Multiplies by circ(2 M, M, M, M), M = [[5,7,1,3],[4,6,1,1],[1,3,5,7],[1,1,4,6]] (Poseidon2 paper, section 5.1). */
static void gl_external(uint64_t s[16])
{
    static const uint8_t m[4][4] = {{5, 7, 1, 3}, {4, 6, 1, 1}, {1, 3, 5, 7}, {1, 1, 4, 6}};
    uint64_t t[16], sums[4] = {0};
    for (unsigned i = 0; i < 16; i++) {
        unsigned __int128 v = 0;
        for (unsigned k = 0; k < 4; k++)
            v += (unsigned __int128)m[i % 4][k] * s[i - i % 4 + k];
        t[i] = (uint64_t)(v % GL_P);
        sums[i % 4] = gl_add(sums[i % 4], t[i]);
    }
    for (unsigned i = 0; i < 16; i++)
        s[i] = gl_add(t[i], sums[i % 4]);
}

static void gl_full_round(uint64_t s[16], const uint64_t rc[16])
{
    for (unsigned i = 0; i < 16; i++)
        s[i] = gl_pow7(gl_add(s[i], rc[i]));
    gl_external(s);
}

void vn_poseidon2_goldilocks(uint64_t s[16])
{
    const uint64_t *rc = poseidon2_goldilocks_rc;
    for (unsigned i = 0; i < 16; i++)
        s[i] %= GL_P;
    gl_external(s);
    for (unsigned r = 0; r < 4; r++, rc += 16)
        gl_full_round(s, rc);
    for (unsigned r = 0; r < 22; r++, rc++) {
        uint64_t sum = 0;
        s[0] = gl_pow7(gl_add(s[0], *rc));
        for (unsigned i = 0; i < 16; i++)
            sum = gl_add(sum, s[i]);
        for (unsigned i = 0; i < 16; i++)
            s[i] = gl_add(gl_mul(s[i], poseidon2_goldilocks_diagonal[i]), sum);
    }
    for (unsigned r = 0; r < 4; r++, rc += 16)
        gl_full_round(s, rc);
}
