#ifndef VN_TEST_BACKENDS_H
#define VN_TEST_BACKENDS_H
/* What the kernel tests share: the backends of this CPU, and data that is random with edge values strewn in. */

#include <stdlib.h>

#include "services/prover-engine/backend/backend.h"

static const char *const isa_names[] = {"scalar", "avx2", "avx512"};
enum { N_ISAS = 3 };

static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline vn_fp test_element(uint64_t *state)
{
    static const vn_fp edges[] = {0, 1, VN_P - 1, VN_P / 2, VN_FP_ONE};
    uint64_t r = test_random(state);
    return r & 7 ? (vn_fp)((r >> 32) % VN_P) : edges[(r >> 8) % 5];
}

static inline void test_fill(vn_fp *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = test_element(&seed);
}

static inline vn_fp *test_column(size_t n, uint64_t seed)
{
    vn_fp *x = malloc((n ? n : 1) * sizeof *x);
    if (!x)
        abort();
    test_fill(x, n, seed);
    return x;
}

#endif
