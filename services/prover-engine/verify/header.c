/* The head of a shard proof: everything that leaf_i hashes. */
#include "services/prover-engine/verify/reject.h"
#include "services/prover-engine/verify/shard_proof.h"

static uint32_t phase1_columns(const struct vn_shard_header *h)
{
    const struct vn_air_kind *k = &vn_air_kinds[h->pub.kind];
    uint32_t n = 0;
    for (unsigned i = 0; i < k->n_tables; i++)
        if (h->log_height[k->tables[i]] != VN_LOG_HEIGHT_ABSENT)
            n += vn_air_tables[k->tables[i]].n_p1;
    return n;
}

const char *vn_header_read(struct vn_shard_header *h, struct vn_fp6 evals[VN_MAX_P1_COLUMNS], uint32_t *n_evals, const struct vn_vk *vk,
                           struct vn_reader *r)
{
    *h = (struct vn_shard_header){0};
    memset(h->log_height, VN_LOG_HEIGHT_ABSENT, sizeof h->log_height);
    h->pub.kind = vn_read_u32(r);
    h->pub.index = vn_read_u32(r);
    if (r->why)
        return r->why;
    if (h->pub.kind >= VN_KIND_COUNT)
        return "unknown kind";
    const struct vn_air_kind *k = &vn_air_kinds[h->pub.kind];
    for (unsigned i = 0; i < k->n_tables; i++) {
        uint32_t height = vn_read_u32(r);
        if (height > VN_LOG_HEIGHT_ABSENT)
            return "a table has a height that the kind does not allow";
        h->log_height[k->tables[i]] = (uint8_t)height;
    }
    uint32_t pub[VN_MAX_PUBLIC];
    for (unsigned i = 0; i < vn_header_public_count(h->pub.kind); i++)
        pub[i] = vn_read_canonical(r);
    if (r->why)
        return r->why;
    if (!vn_header_set_public(h, pub))
        return "program counter out of range";
    h->p1_root = vn_read_digest(r);
    const char *why = vn_header_check(h, vk);
    if (why)
        return why;
    *n_evals = phase1_columns(h);
    if (*n_evals > VN_MAX_P1_COLUMNS)
        return "too many phase-1 columns";
    for (uint32_t i = 0; i < *n_evals; i++)
        evals[i] = vn_read_fp6(r);
    return r->why;
}

enum vn_status vn_shard_proof_leaf(const uint8_t *proof, size_t len, const struct vn_vk *vk, const struct vn_digest *vk_digest,
                                   struct vn_shard_public *pub, struct vn_digest *leaf, struct vn_rejection *why)
{
    struct vn_reader r = {.at = proof, .end = proof + len};
    struct vn_shard_header h;
    struct vn_fp6 evals[VN_MAX_P1_COLUMNS];
    uint32_t n_evals;
    const char *reason = vn_header_read(&h, evals, &n_evals, vk, &r);
    if (reason)
        return vn_reject_part(why, VN_ERR_INVALID_PROOF, "shard proof", VN_NOT_NUMBERED, reason);
    *pub = h.pub;
    *leaf = vn_header_leaf(&h, vk_digest, vk->params_version, evals, n_evals);
    return VN_OK;
}
