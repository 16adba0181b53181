#ifndef VN_KERNELS_H
#define VN_KERNELS_H
/* The vector backends, one per instruction set, each compiled with its flags. Use vn_backend_select. */

#include "services/prover-engine/backend/backend.h"

extern const struct vn_backend vn_backend_avx2;
extern const struct vn_backend vn_backend_avx512; /* F, BW and IFMA */

#endif
