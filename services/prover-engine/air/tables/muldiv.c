/* Products and divisions, by bytes. For operands x, y given as bytes, limb n of x y is made of the byte products at positions 2n and 2n+1;
 * at most 16 of them a position, so a limb's sum stays below 2^29 and nothing wraps. Carries are columns below 2^14. */
#include "services/prover-engine/air/tables/tables.h"

#include <stdio.h>

struct bytes {
    ex limb[4], hi[4], fill; /* fill: 1 = continued with 0xff bytes */
    unsigned n;              /* limbs */
};

static ex byte_of(const struct bytes *x, unsigned i)
{
    return i % 2 ? x->hi[i / 2] : sub(x->limb[i / 2], times(256, x->hi[i / 2]));
}

/* Each pair of bytes is one lookup in the conjunction table, which is as good as any two range checks; `both` holds the conjunctions. */
static void bytes_prove(ex sel, const struct bytes *x, const struct bytes *y, const ex *both)
{
    for (unsigned i = 0; i < 2 * x->n; i++)
        lookup(VN_BUS_BYTE, sel, TUPLE(byte_of(x, i), byte_of(y, i), both[i]));
}

/* Limb `n` of the product, before carries: sum of byte products at positions 2n and (times 256) 2n + 1. */
static ex product_limb(const struct bytes *x, const struct bytes *y, unsigned limb)
{
    ex total = k(0);
    for (unsigned half = 0; half < 2; half++) {
        unsigned pos = 2 * limb + half;
        ex s = k(0), low_x = k(0), low_y = k(0);
        for (unsigned i = 0; i <= pos; i++)
            if (i < 2 * x->n && pos - i < 2 * y->n)
                s = add(s, mul(byte_of(x, i), byte_of(y, pos - i)));
        /* Fill bytes of one side against the true bytes of the other; fill against fill lies above the top. */
        for (unsigned i = 0; i < 2 * x->n && i + 2 * y->n <= pos; i++)
            low_x = add(low_x, byte_of(x, i));
        for (unsigned i = 0; i < 2 * y->n && i + 2 * x->n <= pos; i++)
            low_y = add(low_y, byte_of(y, i));
        s = add(s, times(255, add(mul(y->fill, low_x), mul(x->fill, low_y))));
        total = add(total, times(half ? 256 : 1, s));
    }
    return total;
}

static void bytes_init(struct bytes *x, unsigned n, const ex *limb, ex fill, const char *stem)
{
    x->n = n;
    x->fill = fill;
    for (unsigned i = 0; i < n; i++)
        x->limb[i] = limb[i];
    if (stem)
        cols(x->hi, n, stem);
}

/* x y + extra = out on `n` limbs, with carries. */
static void product_prove(ex sel, const struct bytes *x, const struct bytes *y, unsigned n, const ex *extra, const ex *out, const ex *carry)
{
    for (unsigned i = 0; i < n; i++) {
        char text[32];
        snprintf(text, sizeof text, "product limb %u", i);
        ex in = add(product_limb(x, y, i), i ? carry[i - 1] : k(0));
        equal(text, extra ? add(in, extra[i]) : in, add(out[i], times(1 << 16, carry[i])));
        bits(sel, 14, carry[i]);
    }
}

/* mul: n = 4 limbs, low half; mulw: n = 2. */
static void table_mul(const char *name, unsigned n, int op)
{
    struct insn in;
    struct bytes x, y;
    ex r[4], carry[4], both[8], sign = k(0);
    insn_begin(&in, name, READ1 | WRITE);
    insn_second(&in, REGISTER);
    cols(r, n, "r");
    cols(carry, n, "carry");
    cols(both, 2 * n, "and");
    bytes_init(&x, n, in.a, k(0), "a_hi");
    bytes_init(&y, n, in.b, k(0), "b_hi");
    if (n == 2)
        sign = col_bool("sign");
    bytes_prove(in.sel, &x, &y, both);
    product_prove(in.sel, &x, &y, n, NULL, r, carry);
    for (unsigned i = 0; i < n; i++)
        if (n == 2 && i == 1)
            bits(in.sel, 15, sub(r[1], times(1 << 15, sign)));
        else
            bits(in.sel, 16, r[i]);
    ex upper = times(65535, sign);
    insn_end(&in, times(op, in.sel), in.next, (ex[]){r[0], r[1], n == 4 ? r[2] : upper, n == 4 ? r[3] : upper});
}

static void table_mulh(void)
{
    static const char *const names[] = {"mulh", "is_mulhsu", "is_mulhu"};
    static const int numbers[] = {VN_OP_MULH, VN_OP_MULHSU, VN_OP_MULHU};
    struct insn in;
    struct bytes x, y;
    ex flags[3], r[8], carry[8], both[8];
    insn_begin(&in, "mulh", READ1 | WRITE);
    op_flags(&in, flags, 3, names);
    insn_second(&in, REGISTER);
    cols(r, 8, "r");
    cols(carry, 8, "carry");
    cols(both, 8, "and");
    ex sign_a = sign_column("sign_a", in.sel, add(flags[0], flags[1]), in.a[3]);
    ex sign_b = sign_column("sign_b", in.sel, flags[0], in.b[3]);
    bytes_init(&x, 4, in.a, sign_a, "a_hi");
    bytes_init(&y, 4, in.b, sign_b, "b_hi");
    bytes_prove(in.sel, &x, &y, both);
    product_prove(in.sel, &x, &y, 8, NULL, r, carry);
    for (unsigned i = 0; i < 8; i++)
        bits(in.sel, 16, r[i]);
    insn_end(&in, op_number(flags, numbers, 3), in.next, r + 4);
}

/* x = y q + r on integers, n limbs each, checked on 2 n limbs with sign fills, which is exact: |y q| <= 2^(32 n - 1) for signed operands, and
 * unsigned ones stay below 2^(32 n). q and r stand for q - 2^(16 n) sign_q and r - 2^(16 n) sign_r.
 *   |r| < |y|: gap = |y| - |r| - 1 has n range-checked limbs; |v| is v, or 2^(16 n) - v for a negative one.
 *   r is 0 or has the sign of x.
 *   y = 0 (flag by_zero): q is all ones, and the product leaves r = x.
 * The smallest number divided by -1 gives q = 2^(16 n - 1) with sign_q = 0, whose limbs are what the instruction returns. */
static void table_div(const char *name, unsigned n)
{
    static const char *const names[] = {"div", "is_divu", "is_rem", "is_remu"};
    static const int numbers[2][4] = {{VN_OP_DIV, VN_OP_DIVU, VN_OP_REM, VN_OP_REMU}, {VN_OP_DIVW, VN_OP_DIVUW, VN_OP_REMW, VN_OP_REMUW}};
    struct insn in;
    struct bytes y, q;
    ex flags[4], ql[4], r[4], gap[4], value[4], carry[8], gap_carry[4], both[8], sign = k(0);
    char text[48];
    insn_begin(&in, name, READ1 | WRITE);
    op_flags(&in, flags, 4, names);
    insn_second(&in, REGISTER);
    cols(ql, n, "q");
    cols(r, n, "r");
    cols(gap, n, "gap");
    cols(value, n, "value");
    cols(carry, 2 * n, "carry");
    cols(gap_carry, n - 1, "gap_carry");
    cols(both, 2 * n, "and");
    ex is_signed = add(flags[0], flags[2]);
    ex sign_x = sign_column("sign_a", in.sel, is_signed, in.a[n - 1]);
    ex sign_y = sign_column("sign_b", in.sel, is_signed, in.b[n - 1]);
    ex sign_q = col_bool("sign_q"), sign_r = col_bool("sign_r"), by_zero = col_bool("by_zero");
    bytes_init(&y, n, in.b, sign_y, "b_hi");
    bytes_init(&q, n, ql, sign_q, "q_hi");
    if (n == 2)
        sign = col_bool("sign");

    bytes_prove(in.sel, &y, &q, both);
    ex rest[8], x[8];
    for (unsigned i = 0; i < 2 * n; i++) {
        rest[i] = i < n ? r[i] : times(65535, sign_r);
        x[i] = i < n ? in.a[i] : times(65535, sign_x);
    }
    product_prove(in.sel, &y, &q, 2 * n, rest, x, carry);

    zero("sign_q only where signed", mul(sign_q, sub(k(1), is_signed)));
    zero("a negative rest needs a negative dividend", mul(sign_r, sub(k(1), sign_x)));
    ex nonzero = sub(in.sel, by_zero), one_y = sub(k(1), times(2, sign_y)), one_r = sub(k(1), times(2, sign_r));
    for (unsigned i = 0; i < n; i++) {
        bits(in.sel, 16, r[i]);
        bits(in.sel, 16, gap[i]);
        snprintf(text, sizeof text, "rest %u is 0 or has the dividend's sign", i);
        zero(text, mul(sub(sign_x, sign_r), r[i]));
        snprintf(text, sizeof text, "divisor limb %u is 0 by zero", i);
        zero(text, mul(by_zero, in.b[i]));
        snprintf(text, sizeof text, "quotient limb %u is ones by zero", i);
        zero(text, mul(by_zero, sub(ql[i], k(65535))));
        snprintf(text, sizeof text, "gap limb %u is 0 by zero", i);
        zero(text, mul(by_zero, gap[i]));
        ex borrow_in = i ? gap_carry[i - 1] : k(-1);
        ex borrow_out = i + 1 < n ? gap_carry[i] : sub(sign_r, sign_y);
        if (i + 1 < n) {
            snprintf(text, sizeof text, "gap carry %u is 0 by zero", i);
            zero(text, mul(by_zero, gap_carry[i]));
            bits(in.sel, 3, add(gap_carry[i], times(4, in.sel)));
        }
        ex e = sub(sub(mul(one_y, in.b[i]), mul(one_r, r[i])), gap[i]);
        snprintf(text, sizeof text, "gap limb %u", i);
        zero(text, mul(nonzero, sub(add(e, borrow_in), times(1 << 16, borrow_out))));
    }
    zero("no quotient sign by zero", mul(by_zero, sign_q));

    ex is_quotient = add(flags[0], flags[1]), is_rest = add(flags[2], flags[3]);
    for (unsigned i = 0; i < n; i++) {
        snprintf(text, sizeof text, "result limb %u", i);
        equal(text, value[i], add(mul(is_quotient, ql[i]), mul(is_rest, r[i])));
    }
    ex upper = k(0);
    if (n == 2) {
        bits(in.sel, 15, sub(value[1], times(1 << 15, sign)));
        upper = times(65535, sign);
    }
    insn_end(&in, op_number(flags, numbers[n == 2], 4), in.next,
             (ex[]){value[0], value[1], n == 4 ? value[2] : upper, n == 4 ? value[3] : upper});
}

void tables_muldiv(void)
{
    table_mul("mul", 4, VN_OP_MUL);
    table_mul("mulw", 2, VN_OP_MULW);
    table_mulh();
    table_div("div", 4);
    table_div("divw", 2);
}
