#ifndef VN_VERIFY_H
#define VN_VERIFY_H
/* The verifier. Freestanding C: no prover header, no allocation, no formatted text; all memory comes from the caller's arena. Of a C library it
 * needs memcpy, memset, memcmp and assert, which a guest program has too.
 * Every length is derived from the kind and the heights that the leaf hashes; bytes that are not the one encoding of a valid proof are
 * rejected. docs/proof-format.md is the byte format. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"
#include "services/prover-engine/air/air.h"
#include "services/prover-engine/hash/batch.h"
#include "services/prover-engine/verify/params.h"

/* What a program is, for a verifier: its entry and the commitments to its preprocessed tables. */
struct vn_vk {
    uint32_t params_version;
    uint32_t entry; /* byte address, multiple of 4 */
    uint8_t pre_log_height[VN_KIND_COUNT][VN_AIR_MAX_TABLES]; /* by table id; VN_LOG_HEIGHT_ABSENT where there is nothing preprocessed */
    struct vn_digest pre_root[VN_KIND_COUNT];
};

struct vn_digest vn_vk_digest(const struct vn_vk *vk);

/* Why the verifier refuses something, filled by whatever returns another status than VN_OK. Never NULL. */
struct vn_rejection {
    uint32_t shard;     /* 0: no shard in particular */
    const char *part;   /* static; what of it, e.g. "FRI layer"; NULL: nothing in particular */
    uint32_t number;    /* which of these parts, or VN_NOT_NUMBERED */
    const char *reason; /* static */
};
#define VN_NOT_NUMBERED UINT32_MAX

/* For programs that have a C library (verify/host.c): returns s and, unless that is VN_OK, writes the reason as a sentence to err. */
enum vn_status vn_rejection_explain(enum vn_status s, const struct vn_rejection *why, struct vn_error *err) VN_MUST_CHECK;

/* Canonical bytes of a key; the same length for every key of one params version. */
#define VN_VK_MAX_BYTES 512u
size_t vn_vk_encode(const struct vn_vk *vk, uint8_t out[VN_VK_MAX_BYTES]); /* returns the length */

/* Errors: VN_ERR_FORMAT (length, non-canonical element, impossible height), VN_ERR_UNSUPPORTED (other params version). */
enum vn_status vn_vk_decode(struct vn_vk *vk, const uint8_t *bytes, size_t len, struct vn_rejection *why) VN_MUST_CHECK;

/* What a bundle proves: the program of vk, started at its entry with some input, ended through the exit call after `steps` instructions
 * and left these output bytes. */
struct vn_statement {
    struct vn_vk vk;
    uint32_t n_exec, n_mem;
    struct vn_digest contribution_root;
    uint8_t output[VN_STATEMENT_OUTPUT_BYTES];
    uint64_t steps;
};

/* Memory of one verification: `size` bytes at `base`, any alignment. VN_VERIFY_ARENA_BYTES always suffices. */
struct vn_arena {
    uint8_t *base;
    size_t size, used;
};
#define VN_VERIFY_ARENA_BYTES ((size_t)24 << 20)

/* Checks a whole job. hash: what hashes the opened rows and paths, e.g. vn_batch_hash_scalar. expected: the key of the program that must have run; NULL accepts the one in the proof (look at out->vk then).
 * Errors: VN_ERR_FORMAT (not a bundle at all: magic, header), VN_ERR_UNSUPPORTED (other version), VN_ERR_INVALID_PROOF with the reason. */
enum vn_status vn_verify_bundle_in(struct vn_arena *arena, const struct vn_batch_hash *hash, const uint8_t *proof, size_t len,
                                   const struct vn_vk *expected, struct vn_statement *out, struct vn_rejection *why) VN_MUST_CHECK;

/* The same with an arena from malloc and this processor's best hashing (verify/host.c). */
enum vn_status vn_verify_bundle(const uint8_t *proof, size_t len, const struct vn_vk *expected, struct vn_statement *out,
                                struct vn_error *err) VN_MUST_CHECK;

/* What every shard of a job is checked against. */
struct vn_job_context {
    const struct vn_vk *vk;
    uint32_t n_exec, n_mem;
    struct vn_digest contribution_root;
    struct vn_digest vk_digest;
    struct vn_digest job; /* J */
    struct vn_air_challenges challenges; /* the global scope is set */
    const struct vn_batch_hash *hash;    /* scalar; the caller may put another here */
};
enum vn_status vn_job_context_init(struct vn_job_context *c, const struct vn_vk *vk, uint32_t n_exec, uint32_t n_mem,
                                   const struct vn_digest *contribution_root, const uint8_t output[VN_STATEMENT_OUTPUT_BYTES],
                                   struct vn_rejection *why) VN_MUST_CHECK;

/* The public values of one shard. */
struct vn_shard_public {
    uint32_t kind, index;              /* index from 1 */
    uint32_t start_pc, end_pc;         /* execution: bytes; end_pc = 0 when halted */
    uint32_t steps, halted;
    uint32_t first_memory;             /* memory: 1 for the first memory shard */
    uint32_t prev_key, last_key;       /* prev_key = 0 when first_memory */
};

/* Reads the public values of a shard proof and recomputes its leaf, without checking anything else of the proof. */
enum vn_status vn_shard_proof_leaf(const uint8_t *proof, size_t len, const struct vn_vk *vk, const struct vn_digest *vk_digest,
                                   struct vn_shard_public *pub, struct vn_digest *leaf, struct vn_rejection *why) VN_MUST_CHECK;

/* Checks the shard proof at the start of `proof`, for position index - 1 of the job. *used: its length (the caller decides whether more may
 * follow). *global_total: the shard's sum over the global buses; it means something only together with all other shards'. */
enum vn_status vn_verify_shard(struct vn_arena *arena, const struct vn_job_context *job, uint32_t index, const uint8_t *proof, size_t len,
                               size_t *used, struct vn_shard_public *pub, struct vn_fp6 *global_total, struct vn_rejection *why) VN_MUST_CHECK;

#endif
