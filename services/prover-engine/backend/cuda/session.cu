/* Devices, sessions and their memory. Memory comes from the device's stream-ordered pool, which keeps what is freed for the next shard. */
#include "services/prover-engine/backend/cuda/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/prover-engine/backend/cuda/stages.h"
#include "services/prover-engine/hash/poseidon2_constants.h"

#ifdef VN_CUDA_EMULATED
_Thread_local struct vn_emulated_block vn_emulated;
EXPORT int vn_emulation_descending;
EXPORT int vn_emulation_fail_at;
#endif

int session_status(struct vn_cuda_session *s, cudaError_t e, const char *what)
{
    if (e == cudaSuccess)
        return VN_OK;
    snprintf(s->error, sizeof s->error, "%s: %s", what, cudaGetErrorString(e));
    return e == cudaErrorMemoryAllocation ? VN_ERR_MEMORY : VN_ERR_IO;
}

int session_check(struct vn_cuda_session *s, const char *what)
{
    return session_status(s, cudaGetLastError(), what);
}

int session_wait(struct vn_cuda_session *s, const char *what)
{
    int status = session_check(s, what);
    return status == VN_OK ? session_status(s, cudaStreamSynchronize(s->stream), what) : status;
}

int device_new(struct vn_cuda_session *s, vn_fp **p, size_t elements)
{
    void *memory = NULL;
    *p = NULL;
    int status = session_status(s, cudaMallocAsync(&memory, (elements + !elements) * sizeof(vn_fp), s->stream), "device memory");
    if (status == VN_OK)
        *p = (vn_fp *)memory;
    return status;
}

int device_new_zero(struct vn_cuda_session *s, vn_fp **p, size_t elements)
{
    int status = device_new(s, p, elements);
    return status == VN_OK ? session_status(s, cudaMemsetAsync(*p, 0, elements * sizeof(vn_fp), s->stream), "clearing device memory") : status;
}

void device_free(struct vn_cuda_session *s, vn_fp *p)
{
    if (p)
        (void)cudaFreeAsync(p, s->stream);
}

int device_upload(struct vn_cuda_session *s, void *to, const void *host, size_t bytes)
{
    return session_status(s, cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, s->stream), "copy to the device");
}

int device_download(struct vn_cuda_session *s, void *host, const void *from, size_t bytes)
{
    int status = session_check(s, "launch");
    if (status == VN_OK)
        status = session_status(s, cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, s->stream), "copy from the device");
    return status == VN_OK ? session_wait(s, "stage") : status;
}

vn_fp power_of_two_power(vn_fp a, unsigned log_exponent)
{
    for (unsigned i = 0; i < log_exponent; i++)
        a = vn_fp_mul(a, a);
    return a;
}

vn_fp coset_shift(vn_fp g, unsigned log_n, unsigned coset)
{
    vn_fp root = power_of_two_power(vn_fp_from(VN_ROOT_2_24), VN_TWO_ADICITY - (log_n + 1));
    return coset ? vn_fp_mul(g, root) : g;
}

#ifdef VN_CUDA_EMULATED
static void device_info(struct vn_cuda_device_info *info, int device)
{
    memset(info, 0, sizeof *info);
    info->count = 1;
    (void)device;
    snprintf(info->name, sizeof info->name, "host emulation");
}

static int attach(struct vn_cuda_session *s, int device)
{
    (void)s, (void)device;
    return VN_OK;
}

static void detach(struct vn_cuda_session *s)
{
    (void)s;
}
#else
static void device_info(struct vn_cuda_device_info *info, int device)
{
    memset(info, 0, sizeof *info);
    cudaError_t e = cudaGetDeviceCount(&info->count);
    cudaDeviceProp p;
    if (e == cudaSuccess && device < info->count)
        e = cudaGetDeviceProperties(&p, device);
    if (e != cudaSuccess) {
        int driver = 0, runtime = 0;
        (void)cudaDriverGetVersion(&driver);
        (void)cudaRuntimeGetVersion(&runtime);
        info->count = 0;
        snprintf(info->why, sizeof info->why, "%s (driver's CUDA version %d, 0 = no driver; the library's %d)", cudaGetErrorString(e), driver, runtime);
        return;
    }
    if (device >= info->count) {
        snprintf(info->why, sizeof info->why, "device %d of %d", device, info->count);
        return;
    }
    snprintf(info->name, sizeof info->name, "%s", p.name);
    info->major = p.major;
    info->minor = p.minor;
    info->multiprocessors = p.multiProcessorCount;
    info->memory_bytes = p.totalGlobalMem;
}

/* The device, a stream, and a pool that gives nothing back to the driver. */
static int attach(struct vn_cuda_session *s, int device)
{
    cudaMemPool_t pool;
    uint64_t keep = UINT64_MAX;
    int status = session_status(s, cudaSetDevice(device), "device");
    if (status == VN_OK)
        status = session_status(s, cudaStreamCreateWithFlags(&s->stream, cudaStreamNonBlocking), "stream");
    if (status == VN_OK)
        status = session_status(s, cudaDeviceGetDefaultMemPool(&pool, device), "memory pool");
    if (status == VN_OK)
        status = session_status(s, cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep), "memory pool");
    return status;
}

static void detach(struct vn_cuda_session *s)
{
    if (s->stream) {
        (void)cudaStreamSynchronize(s->stream);
        (void)cudaStreamDestroy(s->stream);
    }
}
#endif

static int preallocate(struct vn_cuda_session *s, uint64_t bytes)
{
    vn_fp *p;
    int status = device_new(s, &p, bytes / sizeof *p);
    device_free(s, p);
    return status == VN_OK ? session_wait(s, "allocating device memory ahead") : status;
}

static int make_tables(struct vn_cuda_session *s, const vn_fp *host_forward, const vn_fp *host_inverse)
{
    const vn_fp *host[2] = {host_forward, host_inverse};
    size_t n = (size_t)1 << s->log_n;
    for (unsigned i = 0; i < 2; i++) {
        int status = device_new(s, &s->twiddles[i], n);
        if (status == VN_OK)
            status = device_upload(s, s->twiddles[i], host[i], n * sizeof(vn_fp));
        if (status == VN_OK)
            status = device_new(s, &s->scale[i], n);
        if (status != VN_OK)
            return status;
        ntt_scale_table(s, s->scale[i], coset_shift(s->shift, s->log_n, i), s->log_n);
    }
    return session_wait(s, "tables");
}

static int session_open(struct vn_cuda_session **out, int device, uint32_t log_n, vn_fp shift, const vn_fp *host_forward, const vn_fp *host_inverse,
                        uint64_t preallocate_bytes)
{
    struct vn_cuda_session *s = (struct vn_cuda_session *)calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return VN_ERR_MEMORY;
    if (log_n > VN_CUDA_MAX_LOG_N) {
        snprintf(s->error, sizeof s->error, "columns of 2^%u", log_n);
        return VN_ERR_LIMIT;
    }
    s->log_n = log_n;
    s->shift = shift;
    memcpy(s->permutation.initial, vn_poseidon2_initial, sizeof s->permutation.initial);
    memcpy(s->permutation.internal, vn_poseidon2_internal, sizeof s->permutation.internal);
    memcpy(s->permutation.final, vn_poseidon2_final, sizeof s->permutation.final);
    memcpy(s->permutation.diagonal, vn_poseidon2_diagonal, sizeof s->permutation.diagonal);
    int status = attach(s, device);
    if (status == VN_OK && preallocate_bytes > 0)
        status = preallocate(s, preallocate_bytes);
    return status == VN_OK ? make_tables(s, host_forward, host_inverse) : status;
}

static void session_close(struct vn_cuda_session *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < 2; i++) {
        device_free(s, s->twiddles[i]);
        device_free(s, s->scale[i]);
    }
    detach(s);
    free(s);
}

static const char *session_error(const struct vn_cuda_session *s)
{
    return s->error;
}

EXPORT const struct vn_cuda_api *vn_cuda_api(void);

const struct vn_cuda_api *vn_cuda_api(void)
{
    static struct vn_cuda_api api;
    api.abi = VN_CUDA_ABI;
    api.layout = VN_CUDA_LAYOUT;
    api.tables = tables_fingerprint();
    api.device_info = device_info;
    api.open = session_open;
    api.close = session_close;
    api.error_text = session_error;
    api.commit_new = commit_new;
    api.commit_free = commit_free;
    api.commit_upload_values = commit_upload_values;
    api.commit_upload_coefs = commit_upload_coefs;
    api.commit_build = commit_build;
    api.commit_evaluate = commit_evaluate;
    api.commit_open = commit_open;
    api.logup = stage_logup;
    api.quotient = stage_quotient;
    api.fri_new = fri_new;
    api.fri_free = fri_free;
    api.fri_commit = fri_commit;
    api.fri_fold = fri_fold;
    api.fri_coefs = fri_coefs;
    api.fri_open = fri_open;
    api.grind = stage_grind;
    return &api;
}
