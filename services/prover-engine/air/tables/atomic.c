/* The atomic extension. A row reads a memory word and puts it back changed, at one sub-step; the doubleword and word forms share a table.
 *   x: the old value as the register sees it: the word, or the half at the address, sign-extended
 *   v: the new value; of a word form only limbs 0 and 1 count
 *   n: the memory word with v in its place
 * The address is rs1, and has no row unless it is aligned. lr reads x0 as its second operand and puts the word back as it was. There is one hart and the
 * guest ABI has no reservations: sc always succeeds, so nothing has to be carried from an lr to it. */
#include "services/prover-engine/air/tables/tables.h"

#include <stdio.h>

struct atomic {
    struct insn in;
    struct address ad;
    ex prevm, m[4], is_word, half, x[4], n[4];
};

/* Columns, in this order in every table: those of the instruction, rs2 prev2 b0..b3, word0 top prevm m0..m3 is_word half sign x0..x3 n0..n3. */
static void atomic_begin(struct atomic *a, const char *name)
{
    insn_begin(&a->in, name, READ1 | WRITE);
    insn_second(&a->in, REGISTER);
    address_columns(&a->ad);
    a->prevm = col("prevm");
    cols(a->m, 4, "m");
    a->is_word = col_bool("is_word");
    a->half = col_bool("half");
    ex sign = col_bool("sign"), is_double = sub(a->in.sel, a->is_word);
    cols(a->x, 4, "x");
    cols(a->n, 4, "n");
    zero("half only of a word form", mul(a->half, is_double));
    sign_prove("sign", a->in.sel, sign, a->is_word, a->x[1]);
    for (int i = 0; i < 2; i++) {
        char text[32];
        snprintf(text, sizeof text, "old limb %d", i);
        equal(text, a->x[i], add(a->m[i], mul(a->half, sub(a->m[i + 2], a->m[i]))));
        snprintf(text, sizeof text, "old limb %d", i + 2);
        equal(text, a->x[i + 2], add(mul(is_double, a->m[i + 2]), times(65535, sign)));
    }
}

/* `writes`: 0 where the memory word stays as it is, so that it need not be RAM. */
static void atomic_end(struct atomic *a, ex op, ex writes, const ex v[4], const ex result[4])
{
    const struct insn *in = &a->in;
    ex is_double = sub(in->sel, a->is_word);
    for (int i = 0; i < 2; i++) {
        char text[32];
        snprintf(text, sizeof text, "new limb %d", i);
        equal(text, a->n[i], add(v[i], mul(a->half, sub(a->m[i], v[i]))));
        snprintf(text, sizeof text, "new limb %d", i + 2);
        equal(text, a->n[i + 2], add(add(mul(is_double, v[i + 2]), mul(a->is_word, a->m[i + 2])), mul(a->half, sub(v[i], a->m[i + 2]))));
    }
    address_prove(&a->ad, in, times(4, a->half));
    bits_of(in->sel, sub(k(16), times(3, writes)), sub(a->ad.top, times(VN_RAM_BASE >> 16, writes)));
    memory_access(in, in->sel, a->ad.word, a->prevm, a->m, a->n);
    insn_end(&a->in, add(op, a->is_word), in->next, result);
}

static void table_lrsc(void)
{
    static const char *const names[] = {"lr", "is_sc"};
    static const int numbers[] = {VN_OP_LR_D, VN_OP_SC_D};
    struct atomic a;
    ex flags[2], v[4], r[4];
    atomic_begin(&a, "lrsc");
    op_flags(&a.in, flags, 2, names);
    cols(r, 4, "r");
    for (int i = 0; i < 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "result limb %d", i);
        equal(text, r[i], mul(flags[0], a.x[i])); /* sc: 0, it succeeded */
        v[i] = add(a.x[i], mul(flags[1], sub(a.in.b[i], a.x[i])));
    }
    atomic_end(&a, op_number(flags, numbers, 2), flags[1], v, r);
}

/* The carries of v = x + b are expressions, as in table add. */
static void table_amo_add(void)
{
    static const char *const names[] = {"swap", "is_add"};
    static const int numbers[] = {VN_OP_AMOSWAP_D, VN_OP_AMOADD_D};
    struct atomic a;
    ex flags[2], v[4], carry = k(0);
    atomic_begin(&a, "amo_add");
    op_flags(&a.in, flags, 2, names);
    cols(v, 4, "v");
    for (int i = 0; i < 4; i++) {
        char text[32];
        carry = over(sub(add(add(a.x[i], a.in.b[i]), carry), v[i]), 1 << 16);
        snprintf(text, sizeof text, "carry %d", i);
        zero(text, mul(flags[1], mul(carry, sub(carry, k(1)))));
        snprintf(text, sizeof text, "swapped limb %d", i);
        zero(text, mul(flags[0], sub(v[i], a.in.b[i])));
        bits(a.in.sel, 16, v[i]);
    }
    atomic_end(&a, op_number(flags, numbers, 2), k(1), v, a.x);
}

/* As table bitwise. */
static void table_amo_bitwise(void)
{
    static const char *const names[] = {"xor", "is_or", "is_and"};
    static const int numbers[] = {VN_OP_AMOXOR_D, VN_OP_AMOOR_D, VN_OP_AMOAND_D};
    struct atomic a;
    ex flags[3], v[4], x_hi[4], b_hi[4], and_lo[4], and_hi[4];
    atomic_begin(&a, "amo_bitwise");
    op_flags(&a.in, flags, 3, names);
    cols(v, 4, "v");
    cols(x_hi, 4, "x_hi");
    cols(b_hi, 4, "b_hi");
    cols(and_lo, 4, "and_lo");
    cols(and_hi, 4, "and_hi");
    for (int i = 0; i < 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "value limb %d", i);
        ex both = add(times(256, and_hi[i]), and_lo[i]), sum = add(a.x[i], a.in.b[i]);
        equal(text, v[i], add(mul(flags[0], sub(sum, times(2, both))), add(mul(flags[1], sub(sum, both)), mul(flags[2], both))));
        lookup(VN_BUS_BYTE, a.in.sel, TUPLE(x_hi[i], b_hi[i], and_hi[i]));
        lookup(VN_BUS_BYTE, a.in.sel, TUPLE(sub(a.x[i], times(256, x_hi[i])), sub(a.in.b[i], times(256, b_hi[i])), and_lo[i]));
    }
    atomic_end(&a, op_number(flags, numbers, 3), k(1), v, a.x);
}

/* Both operands of a word form are sign-extended, which keeps the signed and the unsigned order. */
static void table_amo_minmax(void)
{
    static const char *const names[] = {"min", "is_max", "is_minu", "is_maxu"};
    static const int numbers[] = {VN_OP_AMOMIN_D, VN_OP_AMOMAX_D, VN_OP_AMOMINU_D, VN_OP_AMOMAXU_D};
    struct atomic a;
    struct compare c;
    ex flags[4], v[4], y[4], upper[2];
    atomic_begin(&a, "amo_minmax");
    op_flags(&a.in, flags, 4, names);
    cols(v, 4, "v");
    cols(upper, 2, "operand_upper");
    ex operand_sign = sign_column("operand_sign", a.in.sel, a.is_word, a.in.b[1]);
    for (int i = 0; i < 2; i++) {
        char text[32];
        snprintf(text, sizeof text, "operand limb %d", i + 2);
        equal(text, upper[i], add(mul(sub(a.in.sel, a.is_word), a.in.b[i + 2]), times(65535, operand_sign)));
        y[i] = a.in.b[i];
        y[i + 2] = upper[i];
    }
    compare_columns(&c);
    compare_prove(&c, a.in.sel, add(flags[0], flags[1]), a.x, y);
    ex keep = add(mul(add(flags[0], flags[2]), c.less), mul(add(flags[1], flags[3]), sub(a.in.sel, c.less)));
    for (int i = 0; i < 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "value limb %d", i);
        equal(text, v[i], add(y[i], mul(keep, sub(a.x[i], y[i]))));
    }
    atomic_end(&a, op_number(flags, numbers, 4), k(1), v, a.x);
}

void tables_atomic(void)
{
    table_lrsc();
    table_amo_add();
    table_amo_bitwise();
    table_amo_minmax();
}
