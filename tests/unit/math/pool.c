/* Every task runs once, whatever the number of threads. */
#include <criterion/criterion.h>

#include <stdatomic.h>

#include "services/prover-engine/backend/pool.h"

enum { TASKS = 1000 };
static atomic_int runs[TASKS];
static atomic_int bad_thread;

static void count(void *ctx, size_t task, unsigned thread)
{
    if (thread >= *(unsigned *)ctx)
        atomic_store(&bad_thread, 1);
    atomic_fetch_add(&runs[task], 1);
}

Test(pool, every_task_once)
{
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct vn_pool *pool;
        cr_assert_eq(vn_pool_new(&pool, threads), VN_OK);
        cr_assert_eq(vn_pool_threads(pool), threads);
        for (int round = 0; round < 50; round++) {
            for (size_t i = 0; i < TASKS; i++)
                atomic_store(&runs[i], 0);
            size_t n = round % 3 ? TASKS : (size_t)round;
            vn_pool_run(pool, n, count, &threads);
            for (size_t i = 0; i < TASKS; i++)
                cr_assert_eq(atomic_load(&runs[i]), i < n);
        }
        vn_pool_free(pool);
    }
    cr_assert_eq(atomic_load(&bad_thread), 0);
}

Test(pool, without_a_pool)
{
    unsigned one = 1;
    vn_pool_run(NULL, 3, count, &one);
    cr_assert_eq(atomic_load(&runs[2]), 1);
    cr_assert_eq(vn_pool_threads(NULL), 1);
    vn_pool_free(NULL);
    struct vn_pool *pool;
    cr_assert_eq(vn_pool_new(&pool, 0), VN_OK);
    cr_assert(vn_pool_threads(pool) >= 1);
    vn_pool_free(pool);
}
