/* The packed field of one instruction set, lane by lane against the scalar functions. Compiled once per instruction set, which
 * is named by PACKED_HEADER and PACKED_ISA. */
#include <criterion/criterion.h>

#include PACKED_HEADER
#include "tests/unit/math/backends.h"

enum { ROUNDS = 20000 };

static void check(vf got, const vn_fp *want, const char *what)
{
    vn_fp lanes[VF_LANES];
    vf_store(lanes, got);
    cr_assert_arr_eq(lanes, want, sizeof lanes, "%s", what);
}

Test(packed, equals_scalar)
{
    if (!vn_backend_select(PACKED_ISA))
        cr_skip_test("this CPU has no %s", PACKED_ISA);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        vn_fp x[4][VF_LANES], add[VF_LANES], sub[VF_LANES], mul[VF_LANES], neg[VF_LANES], dot[VF_LANES], same[VF_LANES];
        test_fill(&x[0][0], 4 * VF_LANES, round);
        for (int i = 0; i < VF_LANES; i++) {
            add[i] = vn_fp_add(x[0][i], x[1][i]);
            sub[i] = vn_fp_sub(x[0][i], x[1][i]);
            mul[i] = vn_fp_mul(x[0][i], x[1][i]);
            neg[i] = vn_fp_neg(x[0][i]);
            dot[i] = vn_fp_add(mul[i], vn_fp_mul(x[2][i], x[3][i]));
            same[i] = x[2][0];
        }
        vf a = vf_load(x[0]), b = vf_load(x[1]), c = vf_load(x[2]), d = vf_load(x[3]);
        check(vf_add(a, b), add, "add");
        check(vf_sub(a, b), sub, "sub");
        check(vf_mul(a, b), mul, "mul");
        check(vf_neg(a), neg, "neg");
        check(vf_dot2(a, b, c, d), dot, "dot2");
        check(vf_set1(x[2][0]), same, "set1");
    }
}
