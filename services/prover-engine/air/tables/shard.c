/* Tables that are not instructions: bumps, the boundary of an execution shard, the memory table, and the providers of the lookup buses. */
#include "services/prover-engine/air/tables/tables.h"

/* Moves the last access of any word forward in time, so that no access has to reach back further than the time table. */
static void table_bump(void)
{
    vn_b_table("bump");
    ex v[4], sel = col_bool("sel");
    selector(sel);
    ex space = col("space"), word = col("word"), prev = col("prev"), eighth = col("eighth");
    cols(v, 4, "v");
    ex now = times(8, eighth);
    take(VN_BUS_MEMORY, VN_SCOPE_LOCAL, sel, TUPLE(space, word, prev, v[0], v[1], v[2], v[3]));
    put(VN_BUS_MEMORY, VN_SCOPE_LOCAL, sel, TUPLE(space, word, now, v[0], v[1], v[2], v[3]));
    lookup(VN_BUS_TIME, sel, TUPLE(eighth));
    lookup(VN_BUS_TIME, sel, TUPLE(sub(sub(now, k(1)), prev)));
    vn_b_table_end();
}

/* One row per word the shard touches: where its value comes from and what it leaves. */
static void table_boundary(void)
{
    vn_b_table("boundary");
    ex init[4], final[4], sel = col_p1_bool("sel");
    selector(sel);
    ex space = col_p1("space"), word = col_p1("word"), prev_shard = col_p1("prev_shard");
    cols_p1(init, 4, "init");
    cols_p1(final, 4, "final");
    ex last_clk = col("last_clk");
    put(VN_BUS_MEMORY, VN_SCOPE_LOCAL, sel, TUPLE(space, word, k(0), init[0], init[1], init[2], init[3]));
    take(VN_BUS_MEMORY, VN_SCOPE_LOCAL, sel, TUPLE(space, word, last_clk, final[0], final[1], final[2], final[3]));
    bits(sel, 16, sub(sub(shard_index(), k(1)), prev_shard));
    take(VN_BUS_GLOBAL_MEMORY, VN_SCOPE_GLOBAL, sel, TUPLE(space, word, prev_shard, init[0], init[1], init[2], init[3]));
    put(VN_BUS_GLOBAL_MEMORY, VN_SCOPE_GLOBAL, sel, TUPLE(space, word, shard_index(), final[0], final[1], final[2], final[3]));
    vn_b_table_end();
}

/* One row per word the job touches, ascending by key = space 2^29 + page 2^13 + idx. The page's kind, fixed by the program, says what the
 * word starts with. space is boolean, page and idx have 16 and 13 bits, so (space, word) follows from the key and strictly ascending keys mean
 * one row per word. Ascending holds on integers although 2^30 + 2^30 > p: no row exists for keys above the register page (their pages are absent),
 * so two keys differ by less than 2^29 + 2^13, and a negative difference is never a 30-bit number mod p. */
static void table_memory(void)
{
    vn_b_table("memory");
    ex init[4], final[4], sel = col_p1_bool("sel");
    selector(sel);
    ex space = col_p1_bool("space"), page = col_p1("page"), idx = col_p1("idx");
    cols_p1(init, 4, "init");
    cols_p1(final, 4, "final");
    ex last_shard = col_p1("last_shard"), out = col_p1_bool("out");
    ex prev_key = col("prev_key"), gap_hi = col("gap_hi");
    ex is_image = col_bool("is_image"), is_zero = col_bool("is_zero"), is_input = col_bool("is_input");
    ex word = add(times(1 << 13, page), idx), key = add(times(1 << 29, space), word);
    ex gap = sub(sub(key, prev_key), sel), out_index = sub(word, k(VN_OUTPUT_ADDR / 8));

    put(VN_BUS_GLOBAL_MEMORY, VN_SCOPE_GLOBAL, sel, TUPLE(space, word, k(0), init[0], init[1], init[2], init[3]));
    take(VN_BUS_GLOBAL_MEMORY, VN_SCOPE_GLOBAL, sel, TUPLE(space, word, last_shard, final[0], final[1], final[2], final[3]));
    put(VN_BUS_OUTPUT, VN_SCOPE_GLOBAL, out, TUPLE(out_index, final[0], final[1], final[2], final[3]));
    zero("registers are no output", mul(out, space));
    bits(out, 5, out_index);

    take(VN_BUS_CHAIN, VN_SCOPE_LOCAL, sel, TUPLE(prev_key));
    put(VN_BUS_CHAIN, VN_SCOPE_LOCAL, sel, TUPLE(key));
    bits(sel, 16, sub(gap, times(1 << 16, gap_hi)));
    bits(sel, 14, gap_hi);
    bits(sel, 16, page);
    bits(sel, 13, idx);

    equal("one page kind", sel, add(is_image, add(is_zero, is_input)));
    lookup(VN_BUS_PAGE, sel, TUPLE(add(times(1 << 16, space), page), add(is_image, add(times(2, is_zero), times(3, is_input)))));
    lookup(VN_BUS_IMAGE, is_image, TUPLE(key, init[0], init[1], init[2], init[3]));
    for (int i = 0; i < 4; i++) {
        zero("zero pages start at 0", mul(is_zero, init[i]));
        bits(is_input, 16, init[i]);
    }
    vn_b_table_end();
}

static void provider(const char *name, enum vn_bus bus, unsigned width, const char *const *columns)
{
    ex tuple[VN_AIR_MAX_TUPLE];
    vn_b_table(name);
    for (unsigned i = 0; i < width; i++)
        tuple[i] = col_pre(columns[i]);
    provide(bus, col("multiplicity"), width, tuple);
    vn_b_table_end();
}

void tables_shard(void)
{
    table_bump();
    table_boundary();
    provider("program", VN_BUS_PROGRAM, 11, (const char *const[]){"pc", "op", "rd", "rs1", "rs2", "wr", "imm0", "imm1", "imm2", "imm3", "next"});
    provider("bits", VN_BUS_BITS, 2, (const char *const[]){"m", "x"});
    provider("byte", VN_BUS_BYTE, 3, (const char *const[]){"x", "y", "and"});
    provider("time", VN_BUS_TIME, 1, (const char *const[]){"x"});
    provider("pow", VN_BUS_POW, 2, (const char *const[]){"m", "power"});
    table_memory();
    provider("page", VN_BUS_PAGE, 2, (const char *const[]){"page", "kind"});
    provider("image", VN_BUS_IMAGE, 5, (const char *const[]){"key", "v0", "v1", "v2", "v3"});
}

void tables_declare(void)
{
    tables_alu();
    tables_control();
    tables_shift();
    tables_muldiv();
    tables_memory();
    tables_misaligned();
    tables_atomic();
    tables_shard();
    static const char *const insns[] = {"const", "add", "addi", "addw", "addiw", "bitwise", "bitwisei", "slt", "slti", "branch_equal", "branch_less",
                                        "jalr", "halt", "shift", "shifti", "shiftw", "shiftiw", "mul", "mulw", "mulh", "div", "divw", "ld", "lw", "lh",
                                        "sd", "sw", "sh", "load_misaligned", "store_misaligned", "lrsc",
                                        "amo_add", "amo_bitwise", "amo_minmax", "bump"};
    for (size_t i = 0; i < sizeof insns / sizeof insns[0]; i++)
        vn_b_kind_table(0, insns[i], 0, 0);
    vn_b_kind_table(0, "boundary", 1, 0);
    vn_b_kind_table(0, "program", 1, 0);
    vn_b_kind_table(0, "bits", 1, 17);
    vn_b_kind_table(0, "byte", 1, 16);
    vn_b_kind_table(0, "time", 1, 20);
    vn_b_kind_table(0, "pow", 1, 8);
    vn_b_kind_table(1, "memory", 1, 0);
    vn_b_kind_table(1, "page", 1, 17);
    vn_b_kind_table(1, "image", 1, 0);
    vn_b_kind_table(1, "bits", 1, 17);
    vn_b_finish();
}
