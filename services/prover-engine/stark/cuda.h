#ifndef VN_STARK_CUDA_H
#define VN_STARK_CUDA_H
/* The stages on a GPU, through libvenus-cuda.so opened at run time. */

#include "services/prover-engine/pcs/device.h"

struct vn_cuda_options {
    const char *library;          /* NULL: beside the executable, then where it is installed, then as the loader finds it */
    int device;                   /* number, as the driver counts */
    unsigned log_n;               /* common height of the commitments */
    unsigned preallocate_percent; /* of the device's memory, taken now; 0: as needed */
};

/* Owns: *out, to be given to vn_cuda_device_close after everything proved on it. One thread at a time.
 * Errors: VN_ERR_UNSUPPORTED (no library, one of another build, no driver or no device: err says what was tried), VN_ERR_MEMORY, VN_ERR_IO. */
enum vn_status vn_cuda_device_open(const struct vn_device **out, const struct vn_cuda_options *o, struct vn_error *err) VN_MUST_CHECK;
void vn_cuda_device_close(const struct vn_device *device); /* NULL ok */

#endif
