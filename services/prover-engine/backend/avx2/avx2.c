/* Every kernel for this instruction set, from the shared text. */
#include "services/prover-engine/backend/avx2/packed.h"
#include "services/prover-engine/backend/avx2/poseidon2.h"

#define BACKEND vn_backend_avx2
#define BACKEND_NAME "avx2"
#include "services/prover-engine/backend/kernels.inc.h"
