/* Workers sleep on `start` until the generation changes, then everybody, the caller too, takes task numbers from one atomic
 * counter; the last worker to run out of tasks wakes the caller. */
#define _GNU_SOURCE
#include "services/prover-engine/backend/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

struct worker {
    struct vn_pool *pool;
    pthread_t thread;
    unsigned index;
};

struct vn_pool {
    pthread_mutex_t lock;
    pthread_cond_t start, done;
    unsigned generation;
    unsigned busy; /* workers still in this generation */
    int stop;
    void (*fn)(void *ctx, size_t task, unsigned thread);
    void *ctx;
    size_t n_tasks;
    atomic_size_t next;
    unsigned threads;          /* the caller included */
    struct worker workers[];   /* threads - 1 */
};

static void work(struct vn_pool *pool, unsigned thread)
{
    size_t task;
    while ((task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed)) < pool->n_tasks)
        pool->fn(pool->ctx, task, thread);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct vn_pool *pool = w->pool;
    unsigned seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && pool->generation == seen)
            pthread_cond_wait(&pool->start, &pool->lock);
        if (pool->stop)
            break;
        seen = pool->generation;
        pthread_mutex_unlock(&pool->lock);
        work(pool, w->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static unsigned available_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

enum vn_status vn_pool_new(struct vn_pool **pool, unsigned threads)
{
    if (threads == 0)
        threads = available_cpus();
    struct vn_pool *p = calloc(1, sizeof *p + (threads - 1) * sizeof p->workers[0]);
    if (!p)
        return VN_ERR_MEMORY;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->start, NULL);
    pthread_cond_init(&p->done, NULL);
    p->threads = 1;
    for (unsigned i = 0; i + 1 < threads; i++) {
        p->workers[i] = (struct worker){.pool = p, .index = i + 1};
        if (pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i])) {
            vn_pool_free(p);
            return VN_ERR_BUSY;
        }
        p->threads++;
    }
    *pool = p;
    return VN_OK;
}

void vn_pool_free(struct vn_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = 1;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i + 1 < pool->threads; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->start);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

unsigned vn_pool_threads(const struct vn_pool *pool)
{
    return pool ? pool->threads : 1;
}

void vn_pool_run(struct vn_pool *pool, size_t n_tasks, void (*fn)(void *ctx, size_t task, unsigned thread), void *ctx)
{
    if (!pool || pool->threads == 1 || n_tasks <= 1) {
        for (size_t i = 0; i < n_tasks; i++)
            fn(ctx, i, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    assert(pool->busy == 0);
    pool->fn = fn;
    pool->ctx = ctx;
    pool->n_tasks = n_tasks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->busy = pool->threads - 1;
    pool->generation++;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    work(pool, 0);
    pthread_mutex_lock(&pool->lock);
    while (pool->busy)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}
