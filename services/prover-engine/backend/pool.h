#ifndef VN_POOL_H
#define VN_POOL_H
/* A pool of threads that run numbered tasks. One run at a time; the calling thread works too. */

#include <stddef.h>

#include "libshared/status.h"

struct vn_pool;

/* threads = 0: one per available CPU. */
enum vn_status vn_pool_new(struct vn_pool **pool, unsigned threads) VN_MUST_CHECK;
void vn_pool_free(struct vn_pool *pool);
unsigned vn_pool_threads(const struct vn_pool *pool);

/* Runs fn(ctx, task, thread) for every task in [0, n_tasks), thread in [0, threads); returns when all are done.
 * Tasks are handed out in ascending order. fn must not call vn_pool_run on the same pool. pool NULL: runs in the caller. */
void vn_pool_run(struct vn_pool *pool, size_t n_tasks, void (*fn)(void *ctx, size_t task, unsigned thread), void *ctx);

#endif
