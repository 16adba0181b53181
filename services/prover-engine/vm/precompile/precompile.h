#ifndef VN_PRECOMPILE_H
#define VN_PRECOMPILE_H
/* The accelerated operations a guest reaches through CSR instructions, and the calls by which it asks its host for advice.
 * Everything works on guest memory through a port and touches nothing else. Numbers in guest memory are 64-bit limbs, least significant first. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"
#include "services/prover-engine/rv64/program.h"

/* Guest memory. Both return 0, or -1 when a byte of the range does not exist (or, for write, is read-only); nothing is written then. */
struct vn_guest_port {
    void *ctx;
    int (*read)(void *ctx, uint64_t addr, void *out, size_t bytes);
    int (*write)(void *ctx, uint64_t addr, const void *in, size_t bytes);
};

/* ---- Precompiles: `csrrs rd, csr, rs1` ---- */

enum vn_precompile {
    VN_PRE_KECCAK_F = 0x800,
    VN_PRE_ARITH256 = 0x801,
    VN_PRE_ARITH256_MOD = 0x802,
    VN_PRE_SECP256K1_ADD = 0x803,
    VN_PRE_SECP256K1_DBL = 0x804,
    VN_PRE_SHA256_F = 0x805,
    VN_PRE_BN254_ADD = 0x806,
    VN_PRE_BN254_DBL = 0x807,
    VN_PRE_BN254_COMPLEX_ADD = 0x808,
    VN_PRE_BN254_COMPLEX_SUB = 0x809,
    VN_PRE_BN254_COMPLEX_MUL = 0x80a,
    VN_PRE_ARITH384_MOD = 0x80b,
    VN_PRE_BLS12_381_ADD = 0x80c,
    VN_PRE_BLS12_381_DBL = 0x80d,
    VN_PRE_BLS12_381_COMPLEX_ADD = 0x80e,
    VN_PRE_BLS12_381_COMPLEX_SUB = 0x80f,
    VN_PRE_BLS12_381_COMPLEX_MUL = 0x810,
    VN_PRE_ADD256 = 0x811,
    VN_PRE_POSEIDON2 = 0x812,
    VN_PRE_MEMCPY = 0x813,
    VN_PRE_MEMCMP = 0x814,
    VN_PRE_INPUTCPY = 0x815,
    VN_PRE_MEMSET = 0x816,
    VN_PRE_SECP256R1_ADD = 0x817,
    VN_PRE_SECP256R1_DBL = 0x818,
    VN_PRE_BLAKE2B_ROUND = 0x819,
    VN_PRE_PROFILE = 0x81a
};

#define VN_CSR_FCALL 0x8c0u       /* csrrwi x0, 0x8c0 + id / 32, id % 32 */
#define VN_CSR_FCALL_LAST 0x8dfu
#define VN_CSR_FCALL_PARAM 0x8f0u /* csrrs x0, 0x8f0 + k, rs1 */
#define VN_CSR_FCALL_PARAM_LAST 0x8ffu
#define VN_CSR_FCALL_RESULT 0xffeu

/* Name of the CSR's function ("keccak-f", "fcall parameter"), or NULL for an ordinary CSR. */
const char *vn_csr_name(uint32_t csr);

/* Whether the CSR is a precompile of this generation that one instruction runs (the DMA pairs are not). */
int vn_precompile_exists(uint32_t csr, enum vn_abi abi);

/* Runs one precompile. arg: the value of rs1. *rd: the result register's value (add256's carry; 0 otherwise).
 * Errors: VN_ERR_GUEST with the reason: a pointer that is misaligned or leads nowhere, modulus 0, points whose sum has no affine form. */
enum vn_status vn_precompile_run(enum vn_precompile which, enum vn_abi abi, uint64_t arg, const struct vn_guest_port *port, uint64_t *rd,
                                 struct vn_error *err) VN_MUST_CHECK;

/* ---- DMA pairs: any alignment, any overlap. Errors: VN_ERR_GUEST. ---- */

enum vn_status vn_dma_copy(const struct vn_guest_port *port, uint64_t dst, uint64_t src, uint64_t bytes, struct vn_error *err) VN_MUST_CHECK;
enum vn_status vn_dma_fill(const struct vn_guest_port *port, uint64_t dst, uint64_t bytes, uint8_t value, struct vn_error *err) VN_MUST_CHECK;
/* *order: difference of the first two bytes that differ, a - b; 0 if none do. */
enum vn_status vn_dma_compare(const struct vn_guest_port *port, uint64_t a, uint64_t b, uint64_t bytes, int64_t *order, struct vn_error *err) VN_MUST_CHECK;

/* ---- Calls to the host: the guest checks every answer itself ---- */

#define VN_FCALL_PARAMS_MAX 386
#define VN_FCALL_RESULTS_MAX 8193

struct vn_fcall { /* zero-initialise */
    uint64_t params[VN_FCALL_PARAMS_MAX];
    uint64_t results[VN_FCALL_RESULTS_MAX];
    size_t n_params, n_results, next;
};

/* CSR 0x8f0 + k: appends the value itself (k = 0) or as many words from address value as k stands for. */
enum vn_status vn_fcall_push(struct vn_fcall *f, unsigned k, uint64_t value, const struct vn_guest_port *port, struct vn_error *err) VN_MUST_CHECK;

/* Runs call id on the parameters and clears them; earlier results are lost. input_end: first address past the input.
 * Errors: VN_ERR_GUEST for an id this generation does not have, wrong parameters, or a question without an answer. */
enum vn_status vn_fcall_run(struct vn_fcall *f, unsigned id, enum vn_abi abi, uint64_t input_end, struct vn_error *err) VN_MUST_CHECK;

/* The result word the cursor stands on, 0 past the last: what the free-input word of memory shows. */
uint64_t vn_fcall_current(const struct vn_fcall *f);

/* CSR 0xffe: the current word, then one further. */
enum vn_status vn_fcall_take(struct vn_fcall *f, uint64_t *word, struct vn_error *err) VN_MUST_CHECK;

/* Pair 0x815: the next bytes / 8 result words to dst; bytes must be a multiple of 8. */
enum vn_status vn_fcall_copy(struct vn_fcall *f, uint64_t dst, uint64_t bytes, const struct vn_guest_port *port, struct vn_error *err) VN_MUST_CHECK;

#endif
