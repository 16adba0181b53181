/* Every kernel for this instruction set, from the shared text. */
#include "services/prover-engine/backend/avx512/packed.h"

/* High half of the product with c in each of the two unsigned 16-bit halves of a lane. */
static inline vf vf_raw_mulhi16(vf a, uint16_t c) { return _mm512_mulhi_epu16(a, _mm512_set1_epi16((short)c)); }

#define BACKEND vn_backend_avx512
#define BACKEND_NAME "avx512"
#include "services/prover-engine/backend/kernels.inc.h"
