/* One address range is reserved on first use and made accessible as it is needed. Buffers are placed first fit, lowest address first, and free
 * neighbours merge: a job that allocates and frees in the same order as the one before gets the same, already touched memory. */
#define _GNU_SOURCE
#include "services/prover-engine/backend/buffer.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { UNIT = 1 << 21, MAX_BUFFERS = 1024 };
#define RESERVE_MAX ((size_t)1 << 40)
#define RESERVE_MIN ((size_t)1 << 32)

struct range {
    char *at;
    size_t bytes;
};

static struct {
    pthread_mutex_t lock;
    char *base, *usable, *end;          /* [base, usable) is accessible */
    struct range used[MAX_BUFFERS];     /* ascending */
    size_t n_used;
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int reserve(void)
{
    for (size_t bytes = RESERVE_MAX; bytes >= RESERVE_MIN; bytes /= 2) {
        char *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            continue;
        heap.base = heap.usable = p + (-(uintptr_t)p & (UNIT - 1));
        heap.end = p + bytes;
        return 1;
    }
    return 0;
}

static int make_usable(char *end)
{
    if (end <= heap.usable)
        return 1;
    size_t bytes = (size_t)(end - heap.usable);
    if (mprotect(heap.usable, bytes, PROT_READ | PROT_WRITE) != 0)
        return 0;
    (void)madvise(heap.usable, bytes, MADV_HUGEPAGE); /* a wish */
    heap.usable = end;
    return 1;
}

static char *place(size_t bytes)
{
    char *at = heap.base;
    size_t i = 0;
    for (; i < heap.n_used && (size_t)(heap.used[i].at - at) < bytes; i++)
        at = heap.used[i].at + heap.used[i].bytes;
    if ((size_t)(heap.end - at) < bytes || !make_usable(at + bytes))
        return NULL;
    memmove(&heap.used[i + 1], &heap.used[i], (heap.n_used - i) * sizeof heap.used[0]);
    heap.used[i] = (struct range){at, bytes};
    heap.n_used++;
    return at;
}

void *vn_buffer_new(size_t bytes)
{
    if (bytes > RESERVE_MAX)
        return NULL;
    bytes = bytes ? (bytes + UNIT - 1) / UNIT * UNIT : UNIT;
    pthread_mutex_lock(&heap.lock);
    char *p = heap.n_used < MAX_BUFFERS && (heap.base || reserve()) ? place(bytes) : NULL;
    pthread_mutex_unlock(&heap.lock);
    return p;
}

void vn_buffer_free(void *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&heap.lock);
    size_t i = 0;
    while (i < heap.n_used && heap.used[i].at != p)
        i++;
    assert(i < heap.n_used);
    heap.n_used--;
    memmove(&heap.used[i], &heap.used[i + 1], (heap.n_used - i) * sizeof heap.used[0]);
    pthread_mutex_unlock(&heap.lock);
}
