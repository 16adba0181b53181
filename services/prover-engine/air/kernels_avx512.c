/* The generated kernels over the avx512 field. */
#include "services/prover-engine/backend/avx512/packed.h"

#include "services/prover-engine/air/kernels_body.h"
#include "services/prover-engine/air/kernels.h"

const struct vn_air_kernels *vn_air_kernels_avx512(void)
{
    return &kernels;
}
