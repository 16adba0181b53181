/* Field arithmetic against integer arithmetic and against independently computed vectors. */
#include <criterion/criterion.h>

#include "services/prover-engine/field/fp6.h"

static const uint32_t edges[] = {0, 1, 2, VN_P / 2, VN_P / 2 + 1, VN_P - 2, VN_P - 1};
enum { N_EDGES = sizeof edges / sizeof edges[0] };

Test(field, edges_against_integers)
{
    for (int i = 0; i < N_EDGES; i++) {
        for (int j = 0; j < N_EDGES; j++) {
            uint64_t a = edges[i], b = edges[j];
            vn_fp x = vn_fp_from(edges[i]), y = vn_fp_from(edges[j]);
            cr_assert_eq(vn_fp_to(vn_fp_add(x, y)), (a + b) % VN_P);
            cr_assert_eq(vn_fp_to(vn_fp_sub(x, y)), (a + VN_P - b) % VN_P);
            cr_assert_eq(vn_fp_to(vn_fp_mul(x, y)), a * b % VN_P);
        }
        vn_fp x = vn_fp_from(edges[i]);
        cr_assert_eq(vn_fp_to(vn_fp_neg(x)), (VN_P - (uint64_t)edges[i]) % VN_P);
        cr_assert_eq(vn_fp_mul(x, vn_fp_inv(x)), edges[i] ? VN_FP_ONE : 0);
    }
    cr_assert_eq(vn_fp_to(vn_fp_from(UINT32_MAX)), UINT32_MAX % VN_P);
    cr_assert_eq(vn_fp_to(vn_fp_from_i64(-1)), VN_P - 1);
}

Test(field, roots)
{
    for (unsigned k = 1; k <= VN_TWO_ADICITY; k++) {
        vn_fp r = vn_fp_pow(vn_fp_root(k), (uint64_t)1 << (k - 1));
        cr_assert_eq(vn_fp_to(r), VN_P - 1, "order of root %u", k);
    }
    cr_assert_eq(vn_fp_root(24), vn_fp_pow(vn_fp_from(VN_GENERATOR), 127));
}

static struct vn_fp6 fp6(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f)
{
    return (struct vn_fp6){{vn_fp_from(a), vn_fp_from(b), vn_fp_from(c), vn_fp_from(d), vn_fp_from(e), vn_fp_from(f)}};
}

static void same(struct vn_fp6 a, struct vn_fp6 b)
{
    cr_assert_arr_eq(a.c, b.c, sizeof a.c);
}

Test(field, sextic_vectors)
{
    struct vn_fp6 a = fp6(1, 2, 3, 4, 5, 6);
    same(vn_fp6_mul(a, fp6(7, 8, 9, 10, 11, 12)), fp6(2130706376, 2130706343, 2130706316, 2130706323, 2130706374, 19));
    same(vn_fp6_inv(a), fp6(1490914740, 959738846, 1171839797, 2099563405, 96610085, 1816967363));
    same(vn_fp6_frobenius(a), fp6(2130706430, 6, 2130706430, 2130706429, 3, 2130706428));
    struct vn_fp6 b = fp6(VN_P - 1, 0, 1, VN_P - 1, 5, 1000000007);
    same(vn_fp6_mul(b, b), fp6(1477174328, 61609984, 1999999987, 2130706424, 130706420, 2130706406));
    same(vn_fp6_frobenius(b), vn_fp6_pow(b, VN_P));
    same(vn_fp6_inv(vn_fp6_zero()), vn_fp6_zero());
    same(vn_fp6_mul(b, vn_fp6_inv(b)), vn_fp6_one());
}

/* Against polynomial arithmetic on integers, with many extreme coefficients. */
Test(field, sextic_against_integers)
{
    uint64_t seed = 1;
    for (int round = 0; round < 2000; round++) {
        uint32_t a[6], b[6];
        for (int i = 0; i < 6; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            a[i] = seed >> 62 ? edges[(seed >> 40) % N_EDGES] : (uint32_t)(seed >> 33) % VN_P;
            b[i] = seed >> 61 & 1 ? edges[(seed >> 50) % N_EDGES] : (uint32_t)(seed >> 20) % VN_P;
            if (round == 0)
                a[i] = b[i] = VN_P - 1;
        }
        uint64_t t[11] = {0};
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++)
                t[i + j] = (t[i + j] + (uint64_t)a[i] * b[j] % VN_P) % VN_P;
        for (int k = 10; k >= 6; k--) { /* x^k = -x^(k-3) - x^(k-6) */
            t[k - 3] = (t[k - 3] + VN_P - t[k]) % VN_P;
            t[k - 6] = (t[k - 6] + VN_P - t[k]) % VN_P;
        }
        struct vn_fp6 c = vn_fp6_mul(fp6(a[0], a[1], a[2], a[3], a[4], a[5]), fp6(b[0], b[1], b[2], b[3], b[4], b[5]));
        for (int i = 0; i < 6; i++)
            cr_assert_eq(vn_fp_to(c.c[i]), t[i], "round %d coefficient %d", round, i);
    }
}
