/* Choice of the instruction set, and the helpers that need none. */
#include "services/prover-engine/backend/backend.h"

#include <string.h>

#include "services/prover-engine/backend/kernels.h"
#include "services/prover-engine/backend/twiddles.h"

enum { EARLY_LEVELS = 14 };

/* __builtin_cpu_supports looks at CPUID and at XCR0. */
static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512ifma");
}

static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

static int has_scalar(void)
{
    return 1;
}

static const struct {
    const struct vn_backend *backend;
    int (*supported)(void);
} choices[] = {
    {&vn_backend_avx512, has_avx512},
    {&vn_backend_avx2, has_avx2},
    {&vn_backend_scalar, has_scalar},
};

const struct vn_backend *vn_backend_select(const char *isa)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        if ((!isa || !strcmp(isa, choices[i].backend->name)) && choices[i].supported())
            return choices[i].backend;
    return NULL;
}

void vn_backend_init(void)
{
    vn_twiddles_need(EARLY_LEVELS);
}

void vn_coset_scale(vn_fp *scale, vn_fp shift, unsigned log_n)
{
    scale[0] = VN_FP_ONE;
    /* Index bit b is exponent bit log_n - 1 - b. */
    for (unsigned b = 0; b < log_n; b++) {
        vn_fp power = vn_fp_pow(shift, (uint64_t)1 << (log_n - 1 - b));
        for (size_t i = 0; i < (size_t)1 << b; i++)
            scale[((size_t)1 << b) + i] = vn_fp_mul(scale[i], power);
    }
}
