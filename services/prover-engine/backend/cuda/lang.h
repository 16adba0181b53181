#ifndef VN_CUDA_LANG_H
#define VN_CUDA_LANG_H
/* The language of this folder: the part of CUDA C++ that is C too, so that the same text is compiled by nvcc for a GPU and, under VN_CUDA_EMULATED, by a C
 * compiler for tests (host_emulation.h).
 *
 *   KERNEL name(...)       a kernel; DEVICE: a function for kernels and host code; DEVICE_CALL: one that is not worth a copy at
 *                        each use
 *   SHARED                 memory of a block
 *   EACH_THREAD { ... }    what each thread does until the next BARRIER(). Between two of them only SHARED memory keeps what a thread made.
 *   EACH_INDEX(i, n) {...} the same with i running over [0, n), all blocks together
 *   THREAD, N_THREADS, BLOCK, BLOCK_Y
 *   LAUNCH(stream, kernel, blocks, blocks_y, threads, arguments...) */

#include <stddef.h>
#include <stdint.h>

#ifdef VN_CUDA_EMULATED
#include "services/prover-engine/backend/cuda/host_emulation.h"
#else
#include <cuda_runtime.h>

#define KERNEL static __global__ void
#define DEVICE static __host__ __device__ __forceinline__
#define DEVICE_CALL static __host__ __device__ __noinline__
#define SHARED __shared__
#define EACH_THREAD
#define BARRIER() __syncthreads()
#define THREAD threadIdx.x
#define N_THREADS blockDim.x
#define BLOCK blockIdx.x
#define BLOCK_Y blockIdx.y
#define N_BLOCKS gridDim.x
#define UNROLL _Pragma("unroll")
#define EXPORT extern "C" __attribute__((visibility("default")))
#define LAUNCH(stream, kernel, blocks, blocks_y, threads, ...) \
    kernel<<<dim3((unsigned)(blocks), (unsigned)(blocks_y)), (unsigned)(threads), 0, stream>>>(__VA_ARGS__)
#endif

#define EACH_INDEX(i, n) EACH_THREAD for (size_t i = (size_t)BLOCK * N_THREADS + THREAD; i < (n); i += (size_t)N_BLOCKS * N_THREADS)

/* One index a thread. */
enum { BLOCK_THREADS = 256 };
#define LAUNCH_EACH(stream, kernel, n, ...) LAUNCH(stream, kernel, ((n) + BLOCK_THREADS - 1) / BLOCK_THREADS, 1, BLOCK_THREADS, __VA_ARGS__)

#endif
