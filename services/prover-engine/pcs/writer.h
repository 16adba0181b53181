#ifndef VN_PCS_WRITER_H
#define VN_PCS_WRITER_H
/* Writing a proof: a growing byte buffer of 32-bit little-endian words. A failed allocation sticks (`failed`). */

#include <stddef.h>
#include <stdint.h>

#include "services/prover-engine/hash/sponge.h"

struct vn_writer {
    uint8_t *data; /* malloc'ed */
    size_t len, cap;
    int failed;
};

void vn_writer_fini(struct vn_writer *w);
void vn_write_bytes(struct vn_writer *w, const void *bytes, size_t n);
void vn_write_u32(struct vn_writer *w, uint32_t x);
void vn_write_fp(struct vn_writer *w, vn_fp a); /* as canonical integer */
void vn_write_fp6(struct vn_writer *w, const struct vn_fp6 *a, size_t n);
void vn_write_digest(struct vn_writer *w, const struct vn_digest *d, size_t n);

#endif
