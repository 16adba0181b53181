#include "services/prover-engine/verify/params.h"

const struct vn_pcs_params vn_kind_params[VN_KIND_COUNT] = {
    [VN_KIND_EXECUTION] = {.log_n = 20, .n_folds = 5, .pow_bits = 16, .n_queries = 235},
    [VN_KIND_MEMORY] = {.log_n = 20, .n_folds = 5, .pow_bits = 16, .n_queries = 235},
};
