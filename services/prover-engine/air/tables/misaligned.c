/* Loads and stores of 2, 4 and 8 bytes at any offset but 0 in a word; the aligned ones have cheaper tables (an aligned access at such an offset may
 * stand here as well: the value is the same). Everything happens on bytes. With the offset o (one marker of seven) and the bytes B0..B15 of the two words,
 *   load:  byte j of the value is B[o + j]
 *   store: N[k] = byte k - o of the register where 0 <= k - o < size, else B[k]
 * The access crosses into the second word exactly if o + size > 8. Otherwise the second word is not touched and its columns are 0. The second word
 * is word + 1, with the carry into the top limb as a witness: both limbs of both words are range-checked, so each address is the true one. */
#include "services/prover-engine/air/tables/tables.h"

#include <stdio.h>

struct crossing {
    struct insn in;
    struct address ad;
    ex at[8];         /* offset markers; at[0] is never used */
    ex size[9];       /* flags by size in bytes: 2, 4, 8 */
    ex cross, prev[2];
    ex low[4], high[4]; /* limbs of the two words */
    ex bytes[16];
};

static void split_bytes(ex sel, const ex limb[4], const char *stem, ex bytes[8])
{
    ex hi[4];
    cols(hi, 4, stem);
    for (int i = 0; i < 4; i++) {
        bytes[2 * i] = sub(limb[i], times(256, hi[i]));
        bytes[2 * i + 1] = hi[i];
        bits(sel, 8, bytes[2 * i]);
        bits(sel, 8, bytes[2 * i + 1]);
    }
}

static void crossing_begin(struct crossing *x, const char *name, unsigned what)
{
    insn_begin(&x->in, name, what);
    x->in.imm[0] = col("imm");
    x->in.imm[1] = col("imm_sign");
    address_columns(&x->ad);
    x->prev[0] = col("prevm");
    cols(x->low, 4, "low");
    for (int o = 1; o < 8; o++) {
        char at[16];
        snprintf(at, sizeof at, "at%d", o);
        x->at[o] = col_bool(at);
    }
    equal("one offset", sum_of(x->at + 1, 7), x->in.sel);
    x->cross = col_bool("cross");
    x->prev[1] = col("prevm2");
    cols(x->high, 4, "high");
    split_bytes(x->in.sel, x->low, "low_hi", x->bytes);
    split_bytes(x->in.sel, x->high, "high_hi", x->bytes + 8);
}

/* What the flags of the sizes and the offset say about the second word; address; both accesses. */
static void crossing_prove(struct crossing *x, const ex after_low[4], const ex after_high[4])
{
    const struct insn *in = &x->in;
    ex offset = k(0), from5 = add(x->at[5], add(x->at[6], x->at[7])), carry = col_bool("carry");
    for (int o = 1; o < 8; o++)
        offset = add(offset, times(o, x->at[o]));
    equal("crosses", x->cross, add(x->size[8], add(mul(x->size[4], from5), mul(x->size[2], x->at[7]))));
    ex alone = sub(k(1), x->cross);
    zero("carry only when it crosses", mul(carry, alone));
    pinned(carry);
    zero("prevm2 is 0 when it does not cross", mul(x->prev[1], alone));
    pinned(x->prev[1]);
    for (int i = 0; i < 4; i++) {
        zero("the second word is 0 when it does not cross", mul(x->high[i], alone));
        pinned(x->high[i]);
    }
    address_prove(&x->ad, in, offset);
    ex word0 = sub(add(x->ad.word0, x->cross), times(1 << 13, carry)), top = add(x->ad.top, carry);
    bits(in->sel, 13, word0);
    /* Stores only reach RAM, a range of 2^13 top limbs. */
    ex base = in->write ? k(0) : k(VN_RAM_BASE >> 16);
    bits(in->sel, in->write ? 16 : 13, sub(x->ad.top, base));
    bits(in->sel, in->write ? 16 : 13, sub(top, base));
    memory_access(in, in->sel, x->ad.word, x->prev[0], x->low, after_low);
    memory_access(in, x->cross, add(word0, times(1 << 13, top)), x->prev[1], x->high, after_high);
}

static void table_load_misaligned(void)
{
    static const char *const names[] = {"lh", "is_lhu", "is_lw", "is_lwu", "is_ld"};
    static const int numbers[] = {VN_OP_LH, VN_OP_LHU, VN_OP_LW, VN_OP_LWU, VN_OP_LD};
    struct crossing x;
    ex flags[5], b[8], r[4], upper[3];
    crossing_begin(&x, "load_misaligned", READ1 | WRITE);
    op_flags(&x.in, flags, 5, names);
    x.size[2] = add(flags[0], flags[1]);
    x.size[4] = add(flags[2], flags[3]);
    x.size[8] = flags[4];
    cols(b, 8, "byte");
    for (int j = 0; j < 8; j++) {
        char text[32];
        ex chosen = k(0);
        for (int o = 1; o < 8; o++)
            chosen = add(chosen, mul(x.at[o], x.bytes[o + j]));
        snprintf(text, sizeof text, "byte %d by offset", j);
        equal(text, b[j], chosen);
    }
    ex sign = col_bool("sign"), top = col("top_limb"), fill = times(65535, sign), second = add(b[2], times(256, b[3]));
    cols(upper, 3, "upper");
    r[0] = add(b[0], times(256, b[1]));
    for (int i = 1; i < 4; i++)
        r[i] = upper[i - 1];
    equal("top limb", top, add(mul(x.size[2], r[0]), mul(x.size[4], second)));
    sign_prove("sign", x.in.sel, sign, add(flags[0], flags[2]), top);
    equal("limb 1", r[1], add(mul(sub(x.in.sel, x.size[2]), second), mul(x.size[2], fill)));
    for (int i = 2; i < 4; i++) {
        char text[24];
        snprintf(text, sizeof text, "limb %d", i);
        equal(text, r[i], add(mul(x.size[8], add(b[2 * i], times(256, b[2 * i + 1]))), mul(sub(x.in.sel, x.size[8]), fill)));
    }
    crossing_prove(&x, x.low, x.high);
    insn_end(&x.in, op_number(flags, numbers, 5), x.in.next, r);
}

static void table_store_misaligned(void)
{
    static const char *const names[] = {"sh", "is_sw", "is_sd"};
    static const int numbers[] = {VN_OP_SH, VN_OP_SW, VN_OP_SD};
    struct crossing x;
    ex flags[3], b[8], n[8];
    crossing_begin(&x, "store_misaligned", READ1);
    op_flags(&x.in, flags, 3, names);
    x.size[2] = flags[0];
    x.size[4] = flags[1];
    x.size[8] = flags[2];
    cols(n, 8, "n");
    insn_second(&x.in, REGISTER);
    split_bytes(x.in.sel, x.in.b, "b_hi", b);
    ex after[16];
    for (int at = 0; at < 16; at++) {
        after[at] = x.bytes[at];
        for (int o = 1; o < 8; o++) {
            int j = at - o;
            if (j < 0 || j > 7)
                continue;
            ex moved = j < 2 ? x.in.sel : j < 4 ? add(x.size[4], x.size[8]) : x.size[8];
            after[at] = add(after[at], mul(mul(x.at[o], moved), sub(b[j], x.bytes[at])));
        }
    }
    for (int i = 0; i < 8; i++) {
        char text[32];
        snprintf(text, sizeof text, "new limb %d", i);
        equal(text, n[i], add(after[2 * i], times(256, after[2 * i + 1])));
    }
    crossing_prove(&x, n, n + 4);
    insn_end(&x.in, op_number(flags, numbers, 3), x.in.next, NULL);
}

void tables_misaligned(void)
{
    table_load_misaligned();
    table_store_misaligned();
}
