/* Level by level; missing leaves are all-zero digests, so a level has as many nodes as the padded tree. */
#include <stdlib.h>

#include "services/prover-engine/stark/shard.h"

enum vn_status vn_contribution_tree(const struct vn_digest *leaves, uint32_t n, uint32_t position, struct vn_digest *path,
                                    struct vn_digest *root)
{
    unsigned depth = vn_contribution_depth(n);
    struct vn_digest *level = calloc((size_t)1 << depth, sizeof *level);
    if (!level)
        return VN_ERR_MEMORY;
    memcpy(level, leaves, n * sizeof *level);
    for (unsigned l = 1; l <= depth; l++, position >>= 1) {
        if (path)
            path[l - 1] = level[position ^ 1];
        for (size_t i = 0; i < (size_t)1 << (depth - l); i++)
            level[i] = vn_hash_node(VN_TAG_CONTRIBUTION, l, &level[2 * i], &level[2 * i + 1]);
    }
    *root = level[0];
    free(level);
    return VN_OK;
}

enum vn_status vn_job_root(const struct vn_job *job, struct vn_digest *root, struct vn_error *err)
{
    if (job->n_exec == 0 || job->n_mem == 0 || job->n_exec > VN_MAX_JOB_SHARDS || job->n_mem > VN_MAX_JOB_SHARDS - job->n_exec)
        return vn_fail(err, VN_ERR_LIMIT, "a job has at most %u shards, of each kind at least one", VN_MAX_JOB_SHARDS);
    if (vn_contribution_tree(job->leaves, job->n_exec + job->n_mem, 0, NULL, root) != VN_OK)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the contribution tree");
    return VN_OK;
}
