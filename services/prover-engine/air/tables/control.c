/* Comparison core, branches, jumps and the halt. */
#include "services/prover-engine/air/tables/tables.h"

#include <stdio.h>

void compare_columns(struct compare *c)
{
    c->sign_a = col_bool("sign_a");
    c->sign_b = col_bool("sign_b");
    cols_bool(c->mark, 4, "mark");
    c->gap = col("gap");
    c->less = col_bool("less");
}

/* The top limbs are flipped for signed numbers: (a + 2^15) mod 2^16, with the sign bit as the witness. One marker at most stands at the
 * highest limb that differs: limbs above it are equal (all of them if there is no marker), limbs below it are free, and at the marker
 * |difference| - 1 = gap is a 16-bit number, so the difference is not zero and has the sign that `less` says. */
void compare_prove(struct compare *c, ex sel, ex is_signed, const ex a[4], const ex b[4])
{
    ex diff[4], marked = k(0), any = sum_of(c->mark, 4);
    sign_prove("sign_a", sel, c->sign_a, is_signed, a[3]);
    sign_prove("sign_b", sel, c->sign_b, is_signed, b[3]);
    for (int i = 0; i < 3; i++)
        diff[i] = sub(a[i], b[i]);
    diff[3] = sub(sub(a[3], b[3]), times(1 << 16, sub(c->sign_a, c->sign_b)));
    ex signed_gap = k(0);
    for (int i = 3; i >= 0; i--) {
        char text[48];
        marked = add(marked, c->mark[i]);
        snprintf(text, sizeof text, "limb %d is equal above the marker", i);
        zero(text, mul(sub(sel, marked), diff[i]));
        signed_gap = add(signed_gap, mul(c->mark[i], diff[i]));
    }
    boolean("at most one marker", any);
    equal("gap at the marker", signed_gap, mul(sub(any, times(2, c->less)), add(c->gap, k(1))));
    zero("less needs a difference", mul(c->less, sub(k(1), any)));
    zero("gap needs a difference", mul(c->gap, sub(k(1), any)));
    bits(sel, 16, c->gap);
}

/* next = taken ? target : pc + length; targets and lengths are fixed by the program. */
static void branch_prove(struct insn *in, ex target, ex taken)
{
    in->imm[0] = col("length");
    ex behind = add(in->pc, in->imm[0]);
    equal("next pc", sub(in->next, behind), mul(taken, sub(target, behind)));
    pinned(in->next);
}

static void table_branch_equal(void)
{
    static const char *const names[] = {"beq", "is_bne"};
    static const int numbers[] = {VN_OP_BEQ, VN_OP_BNE};
    struct insn in;
    ex flags[2], mark[4];
    insn_begin(&in, "branch_equal", READ1);
    op_flags(&in, flags, 2, names);
    cols_bool(mark, 4, "mark");
    ex inverse = col("inverse"), target = col("target");
    insn_second(&in, REGISTER);
    /* One marker at a limb that differs, whose difference has an inverse; or none, and all limbs are equal. */
    ex differ = sum_of(mark, 4), same = sub(in.sel, differ), difference = k(0);
    boolean("at most one marker", differ);
    for (int i = 0; i < 4; i++) {
        ex d = sub(in.a[i], in.b[i]);
        char text[48];
        snprintf(text, sizeof text, "limb %d is equal without a marker", i);
        zero(text, mul(same, d));
        difference = add(difference, mul(mark[i], d));
    }
    equal("the marked limbs differ", mul(difference, inverse), differ);
    zero("no inverse without a marker", mul(same, inverse));
    branch_prove(&in, target, add(mul(flags[0], same), mul(flags[1], differ)));
    insn_end(&in, op_number(flags, numbers, 2), target, NULL);
}

static void table_branch_less(void)
{
    static const char *const names[] = {"blt", "is_bge", "is_bltu", "is_bgeu"};
    static const int numbers[] = {VN_OP_BLT, VN_OP_BGE, VN_OP_BLTU, VN_OP_BGEU};
    struct insn in;
    struct compare c;
    ex flags[4];
    insn_begin(&in, "branch_less", READ1);
    op_flags(&in, flags, 4, names);
    compare_columns(&c);
    ex target = col("target");
    insn_second(&in, REGISTER);
    compare_prove(&c, in.sel, add(flags[0], flags[1]), in.a, in.b);
    ex taken = add(mul(add(flags[0], flags[2]), c.less), mul(add(flags[1], flags[3]), sub(in.sel, c.less)));
    branch_prove(&in, target, taken);
    insn_end(&in, op_number(flags, numbers, 4), target, NULL);
}

/* Target = a + offset with bit 0 cleared: limb 0 is 2 q + bit, limb 1 is top, q = next - 2^15 top. top is 2^15 high and 14 bits more, so
 * the target lies below 0x40000000, or from 0x80000000 below 0xc0000000, and next = target / 2 is below p: no other target has the same. */
static void table_jalr(void)
{
    struct insn in;
    insn_begin(&in, "jalr", READ1 | WRITE);
    ex bit = col_bool("bit"), high = col_bool("high"), top = col("top"), q = sub(in.next, times(1 << 15, top));
    in.imm[0] = col("imm");
    in.imm[1] = col("imm_sign");
    in.imm[2] = col("link0");
    in.imm[3] = col("link1");
    const ex limb[4] = {add(times(2, q), bit), top, k(0), k(0)};
    ex carry = k(0);
    for (int i = 0; i < 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "target carry %d", i);
        carry = over(sub(add(add(in.a[i], i == 0 ? in.imm[0] : in.imm[1]), carry), limb[i]), 1 << 16);
        boolean(text, carry);
    }
    bits(in.sel, 15, q);
    bits(in.sel, 14, sub(top, times(1 << 15, high)));
    insn_end(&in, times(VN_OP_JALR, in.sel), k(0), (ex[]){in.imm[2], in.imm[3], k(0), k(0)});
}

/* The exit call: a7 is 93, the program ends. The only row that puts halted = 1. */
static void table_halt(void)
{
    vn_b_table("halt");
    ex sel = col_bool("sel");
    selector(sel);
    ex clk = col("clk"), pc = col("pc"), prev = col("prev1"), zero_limb = k(0), call = k(VN_EXIT_CALL), a7 = k(17);
    take(VN_BUS_EXEC, VN_SCOPE_LOCAL, sel, TUPLE(clk, pc, k(0)));
    put(VN_BUS_EXEC, VN_SCOPE_LOCAL, sel, TUPLE(add(clk, k(4)), k(0), k(1)));
    lookup(VN_BUS_PROGRAM, sel, TUPLE(pc, k(VN_OP_HALT), k(0), a7, k(0), k(0), k(0), k(0), k(0), k(0), k(0)));
    take(VN_BUS_MEMORY, VN_SCOPE_LOCAL, sel, TUPLE(k(VN_SPACE_REGISTER), a7, prev, call, zero_limb, zero_limb, zero_limb));
    put(VN_BUS_MEMORY, VN_SCOPE_LOCAL, sel, TUPLE(k(VN_SPACE_REGISTER), a7, clk, call, zero_limb, zero_limb, zero_limb));
    lookup(VN_BUS_TIME, sel, TUPLE(sub(sub(clk, k(1)), prev)));
    vn_b_table_end();
}

void tables_control(void)
{
    table_branch_equal();
    table_branch_less();
    table_jalr();
    table_halt();
}
