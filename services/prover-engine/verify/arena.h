#ifndef VN_ARENA_H
#define VN_ARENA_H
/* Bump allocation from struct vn_arena. Memory is handed back by resetting `used`. */

#include "services/prover-engine/verify/verify.h"

/* NULL when full. Contents are not cleared. Aligned to 16 bytes. */
static inline void *vn_arena_take(struct vn_arena *a, size_t n, size_t size)
{
    size_t at = a->used + (size_t)(-(uintptr_t)(a->base + a->used) & 15);
    if (at > a->size || (size && n > (a->size - at) / size))
        return NULL;
    a->used = at + n * size;
    return a->base + at;
}

#endif
