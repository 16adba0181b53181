/* The set of known digests moves up level by level in the caller's arrays: neighbours that are both known are hashed together,
 * a lone one takes the next sibling. After log_rows levels only the root is left. */
#include "services/prover-engine/pcs/merkle.h"

static int indices_valid(unsigned log_rows, const uint32_t *indices, size_t n_rows)
{
    if (n_rows == 0 || log_rows > 31 || indices[n_rows - 1] >> log_rows)
        return 0;
    for (size_t i = 1; i < n_rows; i++)
        if (indices[i - 1] >= indices[i])
            return 0;
    return 1;
}

/* Whether entries i and i + 1 are the two children of one node. */
static int paired(const uint32_t *indices, size_t n, size_t i)
{
    return i + 1 < n && (indices[i] ^ 1) == indices[i + 1];
}

int vn_merkle_verify(const struct vn_batch_hash *hash, const struct vn_digest *root, unsigned log_rows, const uint32_t *indices, vn_fp *leaves,
                     size_t n_rows, const struct vn_digest *siblings, size_t n_siblings, uint32_t *scratch, vn_fp *children)
{
    if (!indices_valid(log_rows, indices, n_rows))
        return 0;
    memcpy(scratch, indices, n_rows * sizeof *indices);
    size_t n = n_rows, used = 0;
    for (unsigned level = 1; level <= log_rows; level++) {
        size_t parents = 0;
        for (size_t i = 0; i < n; parents++) {
            int pair = paired(scratch, n, i);
            uint32_t side = scratch[i] & 1;
            if (!pair && used == n_siblings)
                return 0;
            scratch[parents] = scratch[i] >> 1;
            for (size_t k = 0; k < VN_DIGEST_LEN; k++) {
                vn_fp *at = children + k * 2 * n_rows + 2 * parents;
                at[side] = leaves[k * n_rows + i];
                at[side ^ 1] = pair ? leaves[k * n_rows + i + 1] : siblings[used].c[k];
            }
            used += !pair;
            i += pair ? 2 : 1;
        }
        hash->nodes(leaves, n_rows, children, 2 * n_rows, parents, level);
        n = parents;
    }
    for (size_t k = 0; k < VN_DIGEST_LEN; k++)
        if (leaves[k * n_rows] != root->c[k])
            return 0;
    return used == n_siblings;
}

size_t vn_merkle_sibling_count(unsigned log_rows, const uint32_t *indices, size_t n_rows, uint32_t *scratch)
{
    memcpy(scratch, indices, n_rows * sizeof *indices);
    size_t n = n_rows, count = 0;
    for (unsigned level = 1; level <= log_rows; level++) {
        size_t parents = 0;
        for (size_t i = 0; i < n; parents++) {
            uint32_t index = scratch[i];
            if (paired(scratch, n, i)) {
                i += 2;
            } else {
                count++;
                i++;
            }
            scratch[parents] = index >> 1;
        }
        n = parents;
    }
    return count;
}

int vn_merkle_verify_path(const struct vn_digest *root, enum vn_hash_tag tag, unsigned depth, uint32_t index,
                          const struct vn_digest *leaf, const struct vn_digest *siblings)
{
    if (depth > 31 || index >> depth)
        return 0;
    struct vn_digest at = *leaf;
    for (unsigned level = 1; level <= depth; level++, index >>= 1) {
        const struct vn_digest *sibling = &siblings[level - 1];
        at = index & 1 ? vn_hash_node(tag, level, sibling, &at) : vn_hash_node(tag, level, &at, sibling);
    }
    return memcmp(&at, root, sizeof at) == 0;
}
