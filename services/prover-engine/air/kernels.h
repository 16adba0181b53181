#ifndef VN_AIR_KERNELS_H
#define VN_AIR_KERNELS_H
/* One per instruction set; callers use vn_air_kernels_select. */
#include "services/prover-engine/air/air.h"

const struct vn_air_kernels *vn_air_kernels_scalar(void);
const struct vn_air_kernels *vn_air_kernels_avx2(void);
const struct vn_air_kernels *vn_air_kernels_avx512(void);

#endif
