/* The generated kernels over the scalar field. */
#include "services/prover-engine/backend/scalar/packed.h"

#include "services/prover-engine/air/kernels_body.h"
#include "services/prover-engine/air/kernels.h"

const struct vn_air_kernels *vn_air_kernels_scalar(void)
{
    return &kernels;
}
