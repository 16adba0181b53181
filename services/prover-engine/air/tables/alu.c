/* Addition, bitwise operations and set-less-than. */
#include "services/prover-engine/air/tables/tables.h"

#include <stdio.h>

/* rd <- immediate; lui, auipc, jal, fence. Both the value and where to go on come from the program. */
static void table_const(void)
{
    struct insn in;
    insn_begin(&in, "const", WRITE);
    cols(in.imm, 4, "imm");
    insn_end(&in, k(VN_OP_CONST), in.next, in.imm);
}

/* Carries of out = x + y on n limbs; the one out of the top is dropped. */
static void chain(unsigned n, const ex *x, const ex *y, const ex *out, ex *carries)
{
    ex carry = k(0);
    for (unsigned i = 0; i < n; i++) {
        carry = over(sub(add(add(x[i], y[i]), carry), out[i]), 1 << 16);
        carries[i] = carry;
    }
}

/* add: r = a + b. sub: a = r + b. The carries are expressions; limbs are below 2^16, so a boolean carry is the true one. */
static void sum_constraints(unsigned n, const ex *flags, unsigned n_flags, const ex *a, const ex *b, const ex *r)
{
    ex plus[4], minus[4];
    chain(n, a, b, r, plus);
    chain(n, r, b, a, minus);
    for (unsigned i = 0; i < n; i++) {
        char text[32];
        snprintf(text, sizeof text, "carry %u", i);
        ex e = mul(plus[i], sub(plus[i], k(1)));
        if (n_flags > 1)
            e = add(mul(flags[0], e), mul(flags[1], mul(minus[i], sub(minus[i], k(1)))));
        zero(text, e);
    }
}

static void table_add(const char *name, enum second second)
{
    static const char *const names[] = {"add", "is_sub"};
    static const int numbers[] = {VN_OP_ADD, VN_OP_SUB};
    struct insn in;
    ex flags[2], r[4];
    unsigned n_flags = second == REGISTER ? 2 : 1;
    insn_begin(&in, name, READ1 | WRITE);
    cols(r, 4, "r");
    insn_second(&in, second);
    op_flags(&in, flags, n_flags, names);
    sum_constraints(4, flags, n_flags, in.a, in.b, r);
    for (int i = 0; i < 4; i++)
        bits(in.sel, 16, r[i]);
    insn_end(&in, second == REGISTER ? op_number(flags, numbers, 2) : times(VN_OP_ADDI, in.sel), in.next, r);
}

/* 32-bit forms: two limbs, then the sign. */
static void table_addw(const char *name, enum second second)
{
    static const char *const names[] = {"addw", "is_sub"};
    static const int numbers[] = {VN_OP_ADDW, VN_OP_SUBW};
    struct insn in;
    ex flags[2], r[2];
    unsigned n_flags = second == REGISTER ? 2 : 1;
    insn_begin(&in, name, READ1 | WRITE);
    cols(r, 2, "r");
    ex sign = col_bool("sign");
    insn_second(&in, second);
    op_flags(&in, flags, n_flags, names);
    sum_constraints(2, flags, n_flags, in.a, in.b, r);
    bits(in.sel, 16, r[0]);
    bits(in.sel, 15, sub(r[1], times(1 << 15, sign)));
    ex upper = times(65535, sign);
    insn_end(&in, second == REGISTER ? op_number(flags, numbers, 2) : times(VN_OP_ADDIW, in.sel), in.next,
             (ex[]){r[0], r[1], upper, upper});
}

/* Bytes of both operands and of their conjunction; or = a + b - and, xor = a + b - 2 and. */
static void table_bitwise(const char *name, enum second second)
{
    static const char *const names[] = {"and", "is_or", "is_xor"};
    static const int numbers[2][3] = {{VN_OP_AND, VN_OP_OR, VN_OP_XOR}, {VN_OP_ANDI, VN_OP_ORI, VN_OP_XORI}};
    struct insn in;
    ex flags[3], r[4], a_hi[4], and_lo[4], and_hi[4], b_hi[4];
    insn_begin(&in, name, READ1 | WRITE);
    op_flags(&in, flags, 3, names);
    cols(r, 4, "r");
    cols(a_hi, 4, "a_hi");
    cols(and_lo, 4, "and_lo");
    cols(and_hi, 4, "and_hi");
    insn_second(&in, second);
    if (second == REGISTER) {
        cols(b_hi, 4, "b_hi");
    } else {
        b_hi[0] = col("imm_hi");
        b_hi[1] = b_hi[2] = b_hi[3] = col("imm_sign_hi");
    }
    for (int i = 0; i < 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "result limb %d", i);
        ex both = add(times(256, and_hi[i]), and_lo[i]), sum = add(in.a[i], in.b[i]);
        ex value = add(mul(flags[0], both), add(mul(flags[1], sub(sum, both)), mul(flags[2], sub(sum, times(2, both)))));
        equal(text, r[i], value);
        pinned(r[i]);
        lookup(VN_BUS_BYTE, in.sel, TUPLE(a_hi[i], b_hi[i], and_hi[i]));
        lookup(VN_BUS_BYTE, in.sel, TUPLE(sub(in.a[i], times(256, a_hi[i])), sub(in.b[i], times(256, b_hi[i])), and_lo[i]));
    }
    insn_end(&in, op_number(flags, numbers[second == IMMEDIATE], 3), in.next, r);
}

static void table_slt(const char *name, enum second second)
{
    static const char *const names[] = {"slt", "is_unsigned"};
    static const int numbers[2][2] = {{VN_OP_SLT, VN_OP_SLTU}, {VN_OP_SLTI, VN_OP_SLTIU}};
    struct insn in;
    struct compare c;
    ex flags[2];
    insn_begin(&in, name, READ1 | WRITE);
    op_flags(&in, flags, 2, names);
    compare_columns(&c);
    insn_second(&in, second);
    compare_prove(&c, in.sel, flags[0], in.a, in.b);
    insn_end(&in, op_number(flags, numbers[second == IMMEDIATE], 2), in.next, (ex[]){c.less, k(0), k(0), k(0)});
}

void tables_alu(void)
{
    table_const();
    table_add("add", REGISTER);
    table_add("addi", IMMEDIATE);
    table_addw("addw", REGISTER);
    table_addw("addiw", IMMEDIATE);
    table_bitwise("bitwise", REGISTER);
    table_bitwise("bitwisei", IMMEDIATE);
    table_slt("slt", REGISTER);
    table_slt("slti", IMMEDIATE);
}
