/* Loads and stores, naturally aligned: an address that is not has no row here. Address = a + offset, below 2^32; word = address / 8. */
#include "services/prover-engine/air/tables/tables.h"

#include <stdio.h>

struct access {
    struct insn in;
    struct address ad;
    ex prevm, m[4];
};

static void access_begin(struct access *x, const char *name, unsigned what)
{
    insn_begin(&x->in, name, what);
    x->in.imm[0] = col("imm");
    x->in.imm[1] = col("imm_sign");
    address_columns(&x->ad);
    x->prevm = col("prevm");
    cols(x->m, 4, "m");
}

static void access_end(struct access *x, ex op, ex byte_offset, const ex after[4], const ex result[4])
{
    address_prove(&x->ad, &x->in, byte_offset);
    /* Stores only reach RAM, a range of 2^13 top limbs; that also is the range check of the limb. */
    if (x->in.write)
        bits(x->in.sel, 16, x->ad.top);
    else
        bits(x->in.sel, 13, sub(x->ad.top, k(VN_RAM_BASE >> 16)));
    memory_access(&x->in, x->in.sel, x->ad.word, x->prevm, x->m, after);
    insn_end(&x->in, op, x->in.next, result);
}

static void table_load_double(void)
{
    struct access x;
    access_begin(&x, "ld", READ1 | WRITE);
    access_end(&x, times(VN_OP_LD, x.in.sel), k(0), x.m, x.m);
}

static void table_load_word(void)
{
    static const char *const names[] = {"lw", "is_unsigned"};
    static const int numbers[] = {VN_OP_LW, VN_OP_LWU};
    struct access x;
    ex flags[2], r[2];
    access_begin(&x, "lw", READ1 | WRITE);
    op_flags(&x.in, flags, 2, names);
    ex half = col_bool("half");
    cols(r, 2, "r");
    for (int i = 0; i < 2; i++) {
        char text[32];
        snprintf(text, sizeof text, "limb %d by half", i);
        equal(text, r[i], add(x.m[i], mul(half, sub(x.m[i + 2], x.m[i]))));
    }
    ex upper = times(65535, sign_column("sign", x.in.sel, flags[0], r[1]));
    access_end(&x, op_number(flags, numbers, 2), times(4, half), x.m, (ex[]){r[0], r[1], upper, upper});
}

/* One-hot choice of a limb; out[0] is an expression. */
static ex choose_limb(const struct access *x, ex *choice)
{
    ex chosen;
    choice[0] = x->in.sel;
    for (int i = 1; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "limb%d", i);
        choice[i] = col_bool(name);
        choice[0] = sub(choice[0], choice[i]);
    }
    boolean("one limb", choice[0]);
    chosen = col("chosen");
    ex value = k(0);
    for (int i = 0; i < 4; i++)
        value = add(value, mul(choice[i], x->m[i]));
    equal("chosen limb", chosen, value);
    return chosen;
}

static ex limb_offset(const ex *choice, ex odd)
{
    return add(add(times(2, choice[1]), times(4, choice[2])), add(times(6, choice[3]), odd));
}

static void table_load_small(void)
{
    static const char *const names[] = {"lh", "is_lhu", "is_lb", "is_lbu"};
    static const int numbers[] = {VN_OP_LH, VN_OP_LHU, VN_OP_LB, VN_OP_LBU};
    struct access x;
    ex flags[4], choice[4];
    access_begin(&x, "lh", READ1 | WRITE);
    op_flags(&x.in, flags, 4, names);
    ex odd = col_bool("odd"), chosen = choose_limb(&x, choice), hi = col("hi"), r = col("r");
    ex half_sign = col_bool("half_sign"), byte_sign = col_bool("byte_sign");
    ex half = add(flags[0], flags[1]), byte = add(flags[2], flags[3]), lo = sub(chosen, times(256, hi));
    bits(x.in.sel, 8, hi);
    bits(x.in.sel, 8, lo);
    zero("odd only for bytes", mul(odd, sub(k(1), byte)));
    equal("value", r, add(mul(half, chosen), mul(byte, add(lo, mul(odd, sub(hi, lo))))));
    zero("half_sign only for lh", mul(half_sign, sub(k(1), flags[0])));
    zero("byte_sign only for lb", mul(byte_sign, sub(k(1), flags[2])));
    ex flipped = add(r, sub(times(1 << 15, flags[0]), times(1 << 16, half_sign)));
    flipped = add(flipped, sub(times(1 << 7, flags[2]), times(1 << 8, byte_sign)));
    bits_of(x.in.sel, add(times(16, half), times(8, byte)), flipped);
    ex upper = times(65535, add(half_sign, byte_sign));
    access_end(&x, op_number(flags, numbers, 4), limb_offset(choice, odd), x.m, (ex[]){add(r, times(0xff00, byte_sign)), upper, upper, upper});
}

static void table_store_double(void)
{
    struct access x;
    access_begin(&x, "sd", READ1);
    insn_second(&x.in, REGISTER);
    access_end(&x, times(VN_OP_SD, x.in.sel), k(0), x.in.b, NULL);
}

static void table_store_word(void)
{
    struct access x;
    ex n[4];
    access_begin(&x, "sw", READ1);
    ex half = col_bool("half");
    cols(n, 4, "n");
    insn_second(&x.in, REGISTER);
    for (int i = 0; i < 2; i++) {
        char text[32];
        snprintf(text, sizeof text, "low limb %d", i);
        equal(text, n[i], add(x.in.b[i], mul(half, sub(x.m[i], x.in.b[i]))));
        snprintf(text, sizeof text, "high limb %d", i);
        equal(text, n[i + 2], add(x.m[i + 2], mul(half, sub(x.in.b[i], x.m[i + 2]))));
    }
    access_end(&x, times(VN_OP_SW, x.in.sel), times(4, half), n, NULL);
}

static void table_store_small(void)
{
    static const char *const names[] = {"sh", "is_sb"};
    static const int numbers[] = {VN_OP_SH, VN_OP_SB};
    struct access x;
    ex flags[2], choice[4], n[4];
    access_begin(&x, "sh", READ1);
    op_flags(&x.in, flags, 2, names);
    ex odd = col_bool("odd"), chosen = choose_limb(&x, choice), m_hi = col("m_hi"), b_hi = col("b_hi"), value = col("value");
    cols(n, 4, "n");
    insn_second(&x.in, REGISTER);
    ex m_lo = sub(chosen, times(256, m_hi)), b_lo = sub(x.in.b[0], times(256, b_hi));
    bits(x.in.sel, 8, m_hi);
    bits(x.in.sel, 8, m_lo);
    bits(x.in.sel, 8, b_hi);
    bits(x.in.sel, 8, b_lo);
    zero("odd only for bytes", mul(odd, sub(k(1), flags[1])));
    ex even_byte = add(times(256, m_hi), b_lo), odd_byte = add(times(256, b_lo), m_lo);
    equal("new limb", value, add(mul(flags[0], x.in.b[0]), mul(flags[1], add(even_byte, mul(odd, sub(odd_byte, even_byte))))));
    for (int i = 0; i < 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "limb %d of the word", i);
        equal(text, n[i], add(x.m[i], mul(choice[i], sub(value, chosen))));
    }
    access_end(&x, op_number(flags, numbers, 2), limb_offset(choice, odd), n, NULL);
}

void tables_memory(void)
{
    table_load_double();
    table_load_word();
    table_load_small();
    table_store_double();
    table_store_word();
    table_store_small();
}
