#ifndef VN_PCS_BUFFER_H
#define VN_PCS_BUFFER_H
/* The prover's large memory: aligned to huge pages, from malloc, not cleared. */

#include <stddef.h>

void *vn_buffer_new(size_t bytes); /* NULL on failure */
void vn_buffer_free(void *p);      /* NULL ok */

/* For a process that proves several shards: freed memory stays with it. Touching fresh memory costs as much as the arithmetic on it (about 1 s per
 * GiB where a hypervisor has to find the pages). Call once, before the first allocation of size. */
void vn_buffer_keep_memory(void);

#endif
