/* Dispatch by name; whether the CPU can run an instruction set is the backend's business (vn_backend_select). */
#include "services/prover-engine/air/kernels.h"

#include <string.h>

const struct vn_air_kernels *vn_air_kernels_select(const char *isa)
{
    if (strcmp(isa, "scalar") == 0)
        return vn_air_kernels_scalar();
#if defined(__x86_64__)
    if (strcmp(isa, "avx2") == 0)
        return vn_air_kernels_avx2();
    if (strcmp(isa, "avx512") == 0)
        return vn_air_kernels_avx512();
#endif
    return NULL;
}
