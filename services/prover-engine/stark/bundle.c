/* The head and the shard proofs, one after another; no lengths, since the verifier derives them. */
#include "services/prover-engine/pcs/writer.h"
#include "services/prover-engine/stark/shard.h"

static enum vn_status check_proofs(const struct vn_vk *vk, const struct vn_job *job, uint64_t steps, const struct vn_bytes *proofs,
                                   struct vn_error *err)
{
    struct vn_digest vk_digest = vn_vk_digest(vk);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < job->n_exec + job->n_mem; i++) {
        struct vn_shard_public pub;
        struct vn_digest leaf;
        struct vn_rejection why;
        enum vn_status s = vn_shard_proof_leaf(proofs[i].data, proofs[i].len, vk, &vk_digest, &pub, &leaf, &why);
        if (s != VN_OK)
            return vn_rejection_explain(s, &why, err);
        if (pub.index != i + 1 || memcmp(&leaf, &job->leaves[i], sizeof leaf) != 0)
            return vn_fail(err, VN_ERR_INVALID_PROOF, "the proof at position %u is not of this job's shard %u", i, i + 1);
        sum += pub.steps;
    }
    if (sum != steps)
        return vn_fail(err, VN_ERR_INVALID_PROOF, "the shards have %llu steps together, the job has %llu", (unsigned long long)sum,
                       (unsigned long long)steps);
    return VN_OK;
}

enum vn_status vn_bundle_build(const struct vn_vk *vk, const struct vn_job *job, uint64_t steps, const struct vn_bytes *shard_proofs,
                               uint8_t **out, size_t *len, struct vn_error *err)
{
    struct vn_digest root;
    enum vn_status s = vn_job_root(job, &root, err);
    if (s == VN_OK)
        s = check_proofs(vk, job, steps, shard_proofs, err);
    if (s != VN_OK)
        return s;
    struct vn_writer w = {0};
    uint8_t key[VN_VK_MAX_BYTES];
    vn_write_bytes(&w, "VNPF", 4);
    vn_write_bytes(&w, key, vn_vk_encode(vk, key));
    vn_write_u32(&w, job->n_exec);
    vn_write_u32(&w, job->n_mem);
    vn_write_digest(&w, &root, 1);
    vn_write_bytes(&w, job->output, sizeof job->output);
    for (uint32_t i = 0; i < job->n_exec + job->n_mem; i++)
        vn_write_bytes(&w, shard_proofs[i].data, shard_proofs[i].len);
    if (w.failed) {
        vn_writer_fini(&w);
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the bundle");
    }
    *out = w.data;
    *len = w.len;
    return VN_OK;
}
