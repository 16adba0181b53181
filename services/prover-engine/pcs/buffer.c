/* malloc keeps what is freed if it may neither map blocks alone nor trim its heap. */
#define _GNU_SOURCE
#include "services/prover-engine/pcs/buffer.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 1 << 21, CACHE_LINE = 64 };

void *vn_buffer_new(size_t bytes)
{
    size_t unit = bytes >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
    bytes = (bytes + unit - 1) / unit * unit;
    void *p = aligned_alloc(unit, bytes);
    if (p && unit == HUGE_PAGE)
        (void)madvise(p, bytes, MADV_HUGEPAGE); /* a wish */
    return p;
}

void vn_buffer_free(void *p)
{
    free(p);
}

void vn_buffer_keep_memory(void)
{
    (void)mallopt(M_MMAP_MAX, 0);
    (void)mallopt(M_TRIM_THRESHOLD, -1); /* never */
}
