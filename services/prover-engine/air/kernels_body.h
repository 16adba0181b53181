/* The body of kernels_ISA.c: the generated code over the packed field included before, and its dispatch. Defines `kernels`. */
#include "services/prover-engine/air/kernel_ops.h"

#include "air_eval.inc"

static void logup(unsigned table, const struct vn_air_rows *r, const struct vn_air_params *p, vn_fp *const *out, size_t begin, size_t end)
{
    table_kernels[table].logup(r, p, out, begin, end);
}

static void quotient(unsigned table, const struct vn_air_rows *r, const struct vn_air_params *p, vn_fp *const out[6], size_t begin, size_t end)
{
    table_kernels[table].quotient(r, p, out, begin, end);
}

static const struct vn_air_kernels kernels = {logup, quotient};
