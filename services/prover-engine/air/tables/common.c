/* The part of a row that every instruction shares. Sub-steps of an instruction at clk: rs1 at clk, rs2 at clk + 1, memory at clk + 2,
 * rd at clk + 3. x0 needs no flag as a source: it is a register word no row ever writes (wr = 0 where rd = 0, by the program table). */
#include "services/prover-engine/air/tables/tables.h"

#include <stdio.h>

void bits(ex multiplicity, unsigned m, ex x)
{
    bits_of(multiplicity, k(m), x);
}

void bits_of(ex multiplicity, ex m, ex x)
{
    lookup(VN_BUS_BITS, multiplicity, TUPLE(m, x));
}

void insn_begin(struct insn *in, const char *name, unsigned what)
{
    *in = (struct insn){0};
    vn_b_table(name);
    in->read1 = (what & READ1) != 0;
    in->write = (what & WRITE) != 0;
    in->sel = col_bool("sel");
    selector(in->sel);
    in->clk = col("clk");
    in->pc = col("pc");
    in->next = col("next");
    in->rd = in->wr = in->rs1 = in->rs2 = k(0);
    for (int i = 0; i < 4; i++)
        in->imm[i] = k(0);
    if (in->write) {
        in->rd = col("rd");
        in->wr = col_bool("wr");
    }
    if (in->read1) {
        in->rs1 = col("rs1");
        in->prev1 = col("prev1");
        cols(in->a, 4, "a");
    }
    if (in->write) {
        in->prevd = col("prevd");
        cols(in->old, 4, "old");
        ex not_written = sub(k(1), in->wr);
        zero("prevd is 0 when nothing is written", mul(not_written, in->prevd));
        pinned(in->prevd);
        for (int i = 0; i < 4; i++) {
            zero("old is 0 when nothing is written", mul(not_written, in->old[i]));
            pinned(in->old[i]);
        }
    }
}

void insn_second(struct insn *in, enum second second)
{
    in->second = second;
    if (second == REGISTER) {
        in->rs2 = col("rs2");
        in->prev2 = col("prev2");
        cols(in->b, 4, "b");
    } else if (second == IMMEDIATE) {
        in->imm[0] = col("imm");
        ex sign = col("imm_sign");
        in->imm[1] = in->imm[2] = in->imm[3] = sign;
        for (int i = 0; i < 4; i++)
            in->b[i] = in->imm[i];
    }
}

static void memory_pair(ex flag, ex space, ex word, ex prev, ex now, const ex before[4], const ex after[4])
{
    take(VN_BUS_MEMORY, VN_SCOPE_LOCAL, flag, TUPLE(space, word, prev, before[0], before[1], before[2], before[3]));
    put(VN_BUS_MEMORY, VN_SCOPE_LOCAL, flag, TUPLE(space, word, now, after[0], after[1], after[2], after[3]));
    lookup(VN_BUS_TIME, flag, TUPLE(sub(sub(now, k(1)), prev)));
}

void insn_end(struct insn *in, ex op, ex target, const ex result[4])
{
    take(VN_BUS_EXEC, VN_SCOPE_LOCAL, in->sel, TUPLE(in->clk, in->pc, k(0)));
    put(VN_BUS_EXEC, VN_SCOPE_LOCAL, in->sel, TUPLE(add(in->clk, k(4)), in->next, k(0)));
    lookup(VN_BUS_PROGRAM, in->sel,
           TUPLE(in->pc, op, in->rd, in->rs1, in->rs2, in->wr, in->imm[0], in->imm[1], in->imm[2], in->imm[3], target));
    if (in->read1)
        memory_pair(in->sel, k(VN_SPACE_REGISTER), in->rs1, in->prev1, in->clk, in->a, in->a);
    if (in->second == REGISTER)
        memory_pair(in->sel, k(VN_SPACE_REGISTER), in->rs2, in->prev2, add(in->clk, k(1)), in->b, in->b);
    if (in->write)
        memory_pair(in->wr, k(VN_SPACE_REGISTER), in->rd, in->prevd, add(in->clk, k(3)), in->old, result);
    vn_b_table_end();
}

void memory_access(const struct insn *in, ex flag, ex word, ex prev, const ex before[4], const ex after[4])
{
    memory_pair(flag, k(VN_SPACE_MEMORY), word, prev, add(in->clk, k(2)), before, after);
}

void op_flags(struct insn *in, ex *flags, unsigned n, const char *const *names)
{
    flags[0] = in->sel;
    for (unsigned i = 1; i < n; i++) {
        flags[i] = col_bool(names[i]);
        pinned(flags[i]); /* booleans whose sum is 0 */
        flags[0] = sub(flags[0], flags[i]);
    }
    char text[64];
    snprintf(text, sizeof text, "flag %s", names[0]);
    if (n > 1)
        boolean(text, flags[0]);
}

ex op_number(const ex *flags, const int *numbers, unsigned n)
{
    ex s = k(0);
    for (unsigned i = 0; i < n; i++)
        s = add(s, times(numbers[i], flags[i]));
    return s;
}

void sign_prove(const char *name, ex sel, ex sign, ex flag, ex top)
{
    char text[64];
    snprintf(text, sizeof text, "%s only where signed", name);
    zero(text, mul(sign, sub(k(1), flag)));
    pinned(sign);
    bits(sel, 16, sub(add(top, times(1 << 15, flag)), times(1 << 16, sign)));
}

ex sign_column(const char *name, ex sel, ex flag, ex top)
{
    ex sign = col_bool(name);
    sign_prove(name, sel, sign, flag, top);
    return sign;
}

void address_columns(struct address *ad)
{
    ad->word0 = col("word0");
    ad->top = col("top");
    ad->word = add(ad->word0, times(1 << 13, ad->top));
}

void address_prove(const struct address *ad, const struct insn *in, ex byte_offset)
{
    const ex limb[4] = {add(times(8, ad->word0), byte_offset), ad->top, k(0), k(0)};
    ex carry = k(0);
    for (int i = 0; i < 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "address carry %d", i);
        carry = over(sub(add(add(in->a[i], i == 0 ? in->imm[0] : in->imm[1]), carry), limb[i]), 1 << 16);
        boolean(text, carry);
    }
    bits(in->sel, 13, ad->word0);
}
