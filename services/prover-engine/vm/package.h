#ifndef VN_PACKAGE_H
#define VN_PACKAGE_H
/* Witness packages: a shard as bytes in a (shared-memory) file, and the summary of a run.
 * Layout: 64-byte header (magic "VNPK", version, total length, section count), a section table (id, offset, element bytes, count, checksum),
 * sections 64-byte aligned. Readers check every bound and the checksum (FNV-1a 64 over the section). */

#include "services/prover-engine/vm/exec.h"

#define VN_PACKAGE_VERSION 1u

/* Writes <dirfd>/shard-<index>.pkg (complete or not at all: temporary name, then rename). */
enum vn_status vn_package_write(int dirfd, const struct vn_shard *shard, struct vn_error *err) VN_MUST_CHECK;

/* Maps a package read-only. shard's pointers lead into the mapping. */
struct vn_package {
    struct vn_shard shard;
    void *map;
    size_t map_bytes;
};
enum vn_status vn_package_open(struct vn_package *out, int dirfd, uint32_t index, struct vn_error *err) VN_MUST_CHECK;
void vn_package_close(struct vn_package *p);

/* <dirfd>/run.sum: the result of the run, for every later step. */
enum vn_status vn_run_write(int dirfd, const struct vn_exec_result *r, struct vn_error *err) VN_MUST_CHECK;
enum vn_status vn_run_read(int dirfd, struct vn_exec_result *r, struct vn_error *err) VN_MUST_CHECK;

#endif
