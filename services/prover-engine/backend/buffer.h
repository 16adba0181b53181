#ifndef VN_BUFFER_H
#define VN_BUFFER_H
/* The prover's large memory: aligned to huge pages, not cleared. Freed memory stays with the process for the next buffer, because touching fresh
 * memory costs as much as the arithmetic on it (about 1 s per GiB where a hypervisor has to find the pages). Thread-safe. */

#include <stddef.h>

void *vn_buffer_new(size_t bytes); /* NULL on failure */
void vn_buffer_free(void *p);      /* NULL ok */

#endif
