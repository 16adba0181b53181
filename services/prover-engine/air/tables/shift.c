/* Shifts. The amount is 16 k + t. With m = t (right) or 16 - t (left), M = 2^m and Q = 2^16 / M, every limb splits as a = hi M + lo, and
 *   right: u_i = hi_i + lo_{i+1} Q   (lo above the top: the sign's fill)       r_j = u_{j+k}, above the top 2^16 - 1 times the sign
 *   left:  u_i = lo_i Q + hi_{i-1}   (nothing below limb 0)                    r_j = u_{j-k}, below limb 0 nothing
 * m runs over 0..15 (right) or 1..16 (left), so all products stay below 2^16 and the new limbs need no check of their own. */
#include "services/prover-engine/air/tables/tables.h"

#include <stdio.h>

static void table_shift(const char *name, enum second second, unsigned n)
{
    static const char *const names[] = {"sll", "is_srl", "is_sra"};
    static const int numbers[4][3] = {{VN_OP_SLL, VN_OP_SRL, VN_OP_SRA}, {VN_OP_SLLI, VN_OP_SRLI, VN_OP_SRAI},
                                      {VN_OP_SLLW, VN_OP_SRLW, VN_OP_SRAW}, {VN_OP_SLLIW, VN_OP_SRLIW, VN_OP_SRAIW}};
    unsigned form = (second == IMMEDIATE) + 2u * (n == 2);
    struct insn in;
    ex flags[3], by[4], hi[4], lo[4], u[4], r[4];
    char text[48];
    insn_begin(&in, name, READ1 | WRITE);
    op_flags(&in, flags, 3, names);
    by[0] = in.sel;
    for (unsigned i = 1; i < n; i++) {
        snprintf(text, sizeof text, "by%u", i);
        by[i] = col_bool(text);
        by[0] = sub(by[0], by[i]);
    }
    ex t = col("t"), m = col("m"), M = col("power"), Q = col("copower"), fill = col_bool("fill");
    cols(hi, n, "hi");
    cols(lo, n, "lo");
    cols(u, n, "u");
    cols(r, n, "r");
    ex sign = fill;
    if (n == 2)
        sign = col_bool("sign");
    if (second == REGISTER) {
        insn_second(&in, REGISTER);
    } else {
        in.second = IMMEDIATE;
        in.imm[0] = col("imm");
    }

    ex left = flags[0], right = add(flags[1], flags[2]);
    boolean("one limb count", by[0]);
    sign_prove("fill", in.sel, fill, flags[2], in.a[n - 1]);
    equal("m by direction", m, add(mul(right, t), mul(left, sub(k(16), t))));
    equal("Q M = 2^16", mul(Q, M), times(1 << 16, in.sel));
    bits(in.sel, 4, t);
    lookup(VN_BUS_POW, in.sel, TUPLE(m, M));
    ex amount = t;
    for (unsigned i = 1; i < n; i++)
        amount = add(amount, times(16 * (int)i, by[i]));
    if (second == REGISTER)
        bits(in.sel, n == 4 ? 10 : 11, over(sub(in.b[0], amount), 16 * n));
    else
        equal("amount", in.imm[0], amount);

    for (unsigned i = 0; i < n; i++) {
        snprintf(text, sizeof text, "limb %u splits", i);
        equal(text, in.a[i], add(mul(hi[i], M), lo[i]));
        bits_of(in.sel, m, lo[i]);
        bits_of(in.sel, sub(k(16), m), hi[i]);
        ex from_above = i + 1 < n ? mul(lo[i + 1], Q) : mul(fill, sub(k(1 << 16), Q));
        ex from_below = i > 0 ? hi[i - 1] : k(0);
        snprintf(text, sizeof text, "limb %u shifted by t", i);
        equal(text, u[i], add(mul(left, add(mul(lo[i], Q), from_below)), mul(right, add(hi[i], from_above))));
    }
    for (unsigned j = 0; j < n; j++) {
        ex value = k(0);
        for (unsigned i = 0; i < n; i++) {
            ex moved = mul(right, j + i < n ? u[j + i] : times(65535, fill));
            if (j >= i)
                moved = add(moved, mul(left, u[j - i]));
            value = add(value, mul(by[i], moved));
        }
        snprintf(text, sizeof text, "limb %u moved by 16 k", j);
        equal(text, r[j], value);
    }
    ex upper = k(0);
    if (n == 2) {
        bits(in.sel, 15, sub(r[1], times(1 << 15, sign)));
        upper = times(65535, sign);
    }
    insn_end(&in, op_number(flags, numbers[form], 3), in.next, (ex[]){r[0], r[1], n == 4 ? r[2] : upper, n == 4 ? r[3] : upper});
}

void tables_shift(void)
{
    table_shift("shift", REGISTER, 4);
    table_shift("shifti", IMMEDIATE, 4);
    table_shift("shiftw", REGISTER, 2);
    table_shift("shiftiw", IMMEDIATE, 2);
}
