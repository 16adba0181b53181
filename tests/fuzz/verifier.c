/* Bytes that no prover made against a verifier whose cryptographic checks always pass (lenient.h): only lengths, shapes and ranges stand between
 * the bytes and its memory.
 *
 * First two bytes: how many words of the proof are missing at its end (0: none). Then the words of the proof; what the input lacks is random. */
#include "services/prover-engine/verify/verify.h"
#include "tests/fuzz/fuzz.h"

enum { PROOF_WORDS = 1 << 20 };

static uint8_t *proof;
static struct vn_arena arena;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    uint64_t seed = 1;
    proof = malloc(4 * PROOF_WORDS);
    arena = (struct vn_arena){.base = malloc(VN_VERIFY_ARENA_BYTES), .size = VN_VERIFY_ARENA_BYTES};
    must(proof && arena.base);
    for (size_t i = 0; i < PROOF_WORDS; i++) {
        uint32_t x = (uint32_t)(fuzz_random(&seed) % VN_P);
        memcpy(proof + 4 * i, &x, 4);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_reader r = {data, data + size};
    struct vn_rejection why;
    struct vn_statement st;
    uint8_t saved[4096];
    size_t cut = fuzz_u16(&r), given = fuzz_left(&r) < sizeof saved ? fuzz_left(&r) : sizeof saved;
    memcpy(saved, proof, given);
    memcpy(proof, r.at, given);
    arena.used = 0;
    /* A bundle of many shards would run as long as there are bytes: it ends after the first few. */
    uint8_t *end = malloc(4 * PROOF_WORDS); /* exact length, so that reading past it is seen */
    size_t len = 4 * (size_t)(PROOF_WORDS - cut * 16);
    must(end);
    memcpy(end, proof, len);
    end = realloc(end, len);
    enum vn_status s = vn_verify_bundle_in(&arena, &vn_batch_hash_scalar, end, len, NULL, &st, &why);
    must(s == VN_OK || why.reason);
    free(end);
    memcpy(proof, saved, given);
    return 0;
}
