/* The permutation as the paper writes it: external matrix, four full rounds, 23 partial rounds, four full rounds. This is the
 * reference the vector backends are compared with. */
#include "services/prover-engine/hash/poseidon2.h"

#include "services/prover-engine/hash/poseidon2_constants.h"

static vn_fp cube(vn_fp a)
{
    return vn_fp_mul(vn_fp_mul(a, a), a);
}

/* M4 = circ(2, 3, 1, 1) on each four, then every element gets the sum of its column over the six fours. */
static void external_matrix(vn_fp s[VN_HASH_WIDTH])
{
    vn_fp column[4] = {0};
    for (int b = 0; b < VN_HASH_WIDTH; b += 4) {
        vn_fp *x = s + b;
        vn_fp x01 = vn_fp_add(x[0], x[1]), x23 = vn_fp_add(x[2], x[3]);
        vn_fp all = vn_fp_add(x01, x23);
        vn_fp all1 = vn_fp_add(all, x[1]), all3 = vn_fp_add(all, x[3]);
        vn_fp x0 = x[0];
        x[0] = vn_fp_add(all1, x01);
        x[1] = vn_fp_add(all1, vn_fp_add(x[2], x[2]));
        x[2] = vn_fp_add(all3, x23);
        x[3] = vn_fp_add(all3, vn_fp_add(x0, x0));
        for (int i = 0; i < 4; i++)
            column[i] = vn_fp_add(column[i], x[i]);
    }
    for (int i = 0; i < VN_HASH_WIDTH; i++)
        s[i] = vn_fp_add(s[i], column[i & 3]);
}

static void internal_matrix(vn_fp s[VN_HASH_WIDTH])
{
    vn_fp sum = 0;
    for (int i = 0; i < VN_HASH_WIDTH; i++)
        sum = vn_fp_add(sum, s[i]);
    for (int i = 0; i < VN_HASH_WIDTH; i++)
        s[i] = vn_fp_add(sum, vn_fp_mul(s[i], vn_poseidon2_diagonal[i]));
}

static void full_rounds(vn_fp s[VN_HASH_WIDTH], const vn_fp *constants)
{
    for (int r = 0; r < VN_HASH_FULL_ROUNDS / 2; r++) {
        for (int i = 0; i < VN_HASH_WIDTH; i++)
            s[i] = cube(vn_fp_add(s[i], constants[VN_HASH_WIDTH * r + i]));
        external_matrix(s);
    }
}

void vn_poseidon2(vn_fp state[VN_HASH_WIDTH])
{
    external_matrix(state);
    full_rounds(state, vn_poseidon2_initial);
    for (int r = 0; r < VN_HASH_PARTIAL_ROUNDS; r++) {
        state[0] = cube(vn_fp_add(state[0], vn_poseidon2_internal[r]));
        internal_matrix(state);
    }
    full_rounds(state, vn_poseidon2_final);
}
