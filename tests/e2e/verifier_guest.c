/* The verifier as a guest program. Input: one record, a proof. Public output: words 0 to 8 the digest of the verifying key, 9 and 10 the counts
 * of shards, 11 and 12 the steps, then the proof's own output as far as it fits. A proof that is refused is a panic with the reason. */
#include <venus.h>

#include "services/prover-engine/verify/verify.h"

static uint8_t memory[VN_VERIFY_ARENA_BYTES];

_Static_assert(VN_DIGEST_LEN == 9, "the places of the output");

int main(void)
{
    size_t len;
    const uint8_t *proof = venus_read_input(&len);
    struct vn_arena arena = {.base = memory, .size = sizeof memory};
    struct vn_statement st;
    struct vn_rejection why;
    if (vn_verify_bundle_in(&arena, &vn_batch_hash_scalar, proof, len, NULL, &st, &why) != VN_OK)
        venus_panic(why.reason);
    struct vn_digest key = vn_vk_digest(&st.vk);
    for (unsigned i = 0; i < VN_DIGEST_LEN; i++)
        venus_set_output(i, vn_fp_to(key.c[i]));
    venus_set_output(9, st.n_exec);
    venus_set_output(10, st.n_mem);
    venus_set_output(11, (uint32_t)st.steps);
    venus_set_output(12, (uint32_t)(st.steps >> 32));
    for (unsigned i = 0; i < 64 - 13; i++) {
        const uint8_t *word = st.output + 4 * i;
        venus_set_output(13 + i, word[0] | (uint32_t)word[1] << 8 | (uint32_t)word[2] << 16 | (uint32_t)word[3] << 24);
    }
    return 0;
}
