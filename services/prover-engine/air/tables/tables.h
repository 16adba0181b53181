#ifndef VN_AIR_TABLES_SOURCE_H
#define VN_AIR_TABLES_SOURCE_H
/* What the table declarations share: the shape of an instruction's row. */

#include "services/prover-engine/air/builder.h"
#include "services/prover-engine/rv64/program.h"

enum second { NO_SECOND, REGISTER, IMMEDIATE };

/* One instruction. pc and next (of the instruction that follows) are addresses / 2. Columns, in this order: sel clk pc next; with `write` rd wr; with `read1` rs1 prev1 a0..a3; with `write` prevd old0..old3. */
struct insn {
    ex sel, clk, pc, next, rd, wr, rs1, a[4];
    ex rs2, b[4]; /* second operand: a register's limbs, or those of a sign-extended immediate (b[1] = b[2] = b[3]) */
    ex imm[4];
    ex prev1, prev2, prevd, old[4];
    int read1, write;
    enum second second;
};

enum { READ1 = 1, WRITE = 2 };

void insn_begin(struct insn *in, const char *table, unsigned what);

/* Columns of the second operand; declared last so that register and immediate forms number the others alike.
 * REGISTER: rs2 prev2 b0..b3; IMMEDIATE: imm imm_sign. */
void insn_second(struct insn *in, enum second second);

/* All interactions every instruction has: state, program, reads, and (with WRITE) the new value `result` of rd. `target` is the program's `next`: where
 * it is in->next, the program alone says where to go on, and with it how long the instruction is. */
void insn_end(struct insn *in, ex op, ex target, const ex result[4]);

/* The instruction's operation number: sum of flag * number. `flags` are declared boolean and sum to sel; the first is an expression
 * (sel minus the others). Columns stem1.. for flags 1..n-1. */
void op_flags(struct insn *in, ex *flags, unsigned n, const char *const *names);
ex op_number(const ex *flags, const int *numbers, unsigned n);

/* x < 2^m. */
void bits(ex multiplicity, unsigned m, ex x);
void bits_of(ex multiplicity, ex m, ex x);

/* Sign of the 16-bit limb `top` where `flag` (boolean expression) is 1, else 0: a boolean column, proved by a lookup. Returns it. */
ex sign_column(const char *name, ex sel, ex flag, ex top);
void sign_prove(const char *name, ex sel, ex sign, ex flag, ex top);

/* Access of memory word `word` at clk + 2 where the boolean column `flag` is 1; clk of the access before and old value given. */
void memory_access(const struct insn *in, ex flag, ex word, ex prev, const ex before[4], const ex after[4]);

/* Address a + offset, below 2^32. Columns: word0 (13 bits, checked), top (16 bits, for the caller to check). The byte offset within the word is
 * an expression of 0..7. */
struct address {
    ex word0, top, word;
};
void address_columns(struct address *ad);
void address_prove(const struct address *ad, const struct insn *in, ex byte_offset);

/* a < b on 64 bits, signed where the boolean expression `is_signed` says so. `less` is boolean. */
struct compare {
    ex sign_a, sign_b, mark[4], gap, less;
};
void compare_columns(struct compare *c);
void compare_prove(struct compare *c, ex sel, ex is_signed, const ex a[4], const ex b[4]);

void tables_alu(void);
void tables_control(void);
void tables_shift(void);
void tables_muldiv(void);
void tables_memory(void);
void tables_misaligned(void);
void tables_atomic(void);
void tables_shard(void);
void tables_declare(void); /* the whole machine */

#endif
