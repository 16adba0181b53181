/* What the verifier offers to programs that have a C library. */
#include <stdio.h>
#include <stdlib.h>

#include "services/prover-engine/backend/backend.h"
#include "services/prover-engine/verify/verify.h"

enum vn_status vn_rejection_explain(enum vn_status s, const struct vn_rejection *why, struct vn_error *err)
{
    char shard[24] = "", part[64] = "";
    if (s == VN_OK)
        return s;
    if (why->shard)
        (void)snprintf(shard, sizeof shard, "shard %u: ", why->shard);
    if (why->part && why->number != VN_NOT_NUMBERED)
        (void)snprintf(part, sizeof part, "%s %u: ", why->part, why->number);
    else if (why->part)
        (void)snprintf(part, sizeof part, "%s: ", why->part);
    return vn_fail(err, s, "%s%s%s", shard, part, why->reason);
}

enum vn_status vn_verify_bundle(const uint8_t *proof, size_t len, const struct vn_vk *expected, struct vn_statement *out, struct vn_error *err)
{
    struct vn_rejection why;
    struct vn_arena arena = {.base = malloc(VN_VERIFY_ARENA_BYTES), .size = VN_VERIFY_ARENA_BYTES};
    if (!arena.base)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the verifier");
    const struct vn_backend *best = vn_backend_select(NULL);
    const struct vn_batch_hash hash = {.rows = best->hash_rows, .nodes = best->hash_nodes};
    enum vn_status s = vn_verify_bundle_in(&arena, &hash, proof, len, expected, out, &why);
    free(arena.base);
    return vn_rejection_explain(s, &why, err);
}
