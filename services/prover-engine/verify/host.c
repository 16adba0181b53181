/* The verifier for programs that have malloc. */
#include <stdlib.h>

#include "services/prover-engine/verify/verify.h"

enum vn_status vn_verify_bundle(const uint8_t *proof, size_t len, const struct vn_vk *expected, struct vn_statement *out, struct vn_error *err)
{
    struct vn_arena arena = {.base = malloc(VN_VERIFY_ARENA_BYTES), .size = VN_VERIFY_ARENA_BYTES};
    if (!arena.base)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the verifier");
    enum vn_status s = vn_verify_bundle_in(&arena, proof, len, expected, out, err);
    free(arena.base);
    return s;
}
