/* Every kernel for this instruction set, from the shared text. */
#include "services/prover-engine/backend/avx512/packed.h"
#include "services/prover-engine/backend/avx512/poseidon2.h"

#define BACKEND vn_backend_avx512
#define BACKEND_NAME "avx512"
#include "services/prover-engine/backend/kernels.inc.h"
