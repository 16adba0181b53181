#ifndef VN_CUDA_HOST_EMULATION_H
#define VN_CUDA_HOST_EMULATION_H
/* The language of lang.h in plain C, for tests without a GPU: device memory is the host's, a launch runs block after block, and EACH_THREAD runs the
 * threads of a block one after another, up or down (vn_emulation_descending: a kernel whose threads race gives two results). EACH_THREAD twice without a
 * BARRIER() between is an assertion. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct vn_emulated_block {
    unsigned block, block_y, n_blocks, n_threads;
    unsigned thread, left;
    int in_phase; /* threads ran since the last barrier */
};
extern _Thread_local struct vn_emulated_block vn_emulated; /* session.cu */
extern int vn_emulation_descending;
extern int vn_emulation_fail_at; /* the allocation that fails, counted from 1; 0: none */

static inline void vn_emulated_phase(void)
{
    assert(!vn_emulated.in_phase);
    vn_emulated.in_phase = 1;
    vn_emulated.left = vn_emulated.n_threads + 1;
    vn_emulated.thread = vn_emulation_descending ? vn_emulated.n_threads : UINT32_MAX;
}

static inline int vn_emulated_next(void)
{
    vn_emulated.thread += vn_emulation_descending ? UINT32_MAX : 1;
    return --vn_emulated.left > 0;
}

#define KERNEL static void
#define DEVICE static inline
#define DEVICE_CALL static __attribute__((unused, noinline))
#define SHARED static _Thread_local
#define EACH_THREAD for (vn_emulated_phase(); vn_emulated_next();)
#define BARRIER() ((void)(vn_emulated.in_phase = 0))
#define THREAD vn_emulated.thread
#define N_THREADS vn_emulated.n_threads
#define BLOCK vn_emulated.block
#define BLOCK_Y vn_emulated.block_y
#define N_BLOCKS vn_emulated.n_blocks
#define UNROLL
#define EXPORT __attribute__((visibility("default")))
#define LAUNCH(stream, kernel, blocks, blocks_y, threads, ...)                                                                          \
    do {                                                                                                                                \
        (void)(stream);                                                                                                                 \
        unsigned launch_x = (unsigned)(blocks), launch_y = (unsigned)(blocks_y);                                                        \
        for (unsigned at = 0; at < launch_x * launch_y; at++) {                                                                         \
            vn_emulated = (struct vn_emulated_block){at % launch_x, at / launch_x, launch_x, (unsigned)(threads), 0, 0, 0};             \
            kernel(__VA_ARGS__);                                                                                                        \
        }                                                                                                                               \
    } while (0)

static inline unsigned atomicMin(unsigned *at, unsigned x)
{
    unsigned old = *at;
    *at = x < old ? x : old;
    return old;
}

static inline uint32_t __umulhi(uint32_t a, uint32_t b)
{
    return (uint32_t)((uint64_t)a * b >> 32);
}

/* ---- The runtime, as far as it is used. Allocations are filled with a pattern: what a kernel reads must have been written. ---- */

typedef int cudaError_t;
typedef void *cudaStream_t;
enum { cudaSuccess = 0, cudaErrorMemoryAllocation = 2, cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };

static inline cudaError_t cudaMallocAsync(void **p, size_t bytes, cudaStream_t stream)
{
    (void)stream;
    *p = vn_emulation_fail_at > 0 && --vn_emulation_fail_at == 0 ? NULL : malloc(bytes);
    if (!*p)
        return cudaErrorMemoryAllocation;
    memset(*p, 0xa5, bytes);
    return cudaSuccess;
}

static inline cudaError_t cudaFreeAsync(void *p, cudaStream_t stream)
{
    (void)stream;
    free(p);
    return cudaSuccess;
}

static inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, cudaStream_t stream)
{
    (void)kind, (void)stream;
    if (bytes)
        memcpy(to, from, bytes);
    return cudaSuccess;
}

static inline cudaError_t cudaMemsetAsync(void *at, int value, size_t bytes, cudaStream_t stream)
{
    (void)stream;
    memset(at, value, bytes);
    return cudaSuccess;
}

static inline cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    (void)stream;
    return cudaSuccess;
}

static inline cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

static inline const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorMemoryAllocation ? "out of memory" : "no error";
}

#endif
