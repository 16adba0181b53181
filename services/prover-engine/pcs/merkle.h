#ifndef VN_MERKLE_H
#define VN_MERKLE_H
/* Merkle trees over rows of columns, and openings of several rows at once with shared siblings left out.
 * A leaf is vn_hash(VN_TAG_ROW, row); an inner node vn_hash_node(VN_TAG_NODE, level, left, right). */

#include "libshared/status.h"
#include "services/prover-engine/hash/batch.h"

/* Verifier's side. Checks n_rows opened rows against a root of a tree with 2^log_rows leaves.
 * indices: sorted, distinct, < 2^log_rows (derived from the transcript, never from the proof).
 * leaves: the hashes of the rows in that order, as nine arrays of n_rows; overwritten. siblings: the digests that cannot be computed from
 * below, level by level from the leaves up, left to right inside a level; all n_siblings must be consumed.
 * scratch: n_rows indices, children: VN_MERKLE_CHILDREN(n_rows) elements, both the caller's.
 * Returns 1 if the root matches and every sibling was consumed. */
#define VN_MERKLE_CHILDREN(n_rows) (2 * VN_DIGEST_LEN * (size_t)(n_rows))
int vn_merkle_verify(const struct vn_batch_hash *hash, const struct vn_digest *root, unsigned log_rows, const uint32_t *indices, vn_fp *leaves,
                     size_t n_rows, const struct vn_digest *siblings, size_t n_siblings, uint32_t *scratch, vn_fp *children);

/* How many siblings an opening of these indices carries. */
size_t vn_merkle_sibling_count(unsigned log_rows, const uint32_t *indices, size_t n_rows, uint32_t *scratch);

/* One leaf, full path of exactly `depth` siblings, any node tag and any leaf count (the contribution tree). */
int vn_merkle_verify_path(const struct vn_digest *root, enum vn_hash_tag tag, unsigned depth, uint32_t index,
                          const struct vn_digest *leaf, const struct vn_digest *siblings);

#endif
