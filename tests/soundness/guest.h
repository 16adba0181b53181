#ifndef VN_TEST_SOUNDNESS_GUEST_H
#define VN_TEST_SOUNDNESS_GUEST_H
/* The guest that the forgers lie about: a loop over most kinds of instruction. Input: how often, and a number. */

#include "tests/unit/stark/job.h"
#include "tests/unit/vm/elf_builder.h"

enum guest_insn {
    INSN_STORE = 5, /* sd x8, 0(x5) */
    INSN_LOAD_BYTE, /* lb x14, 0(x5) */
    INSN_STORE_COUNT,
    INSN_LOAD,
    INSN_ADD,       /* add x7, x7, x9 */
    INSN_DIV,       /* div x12, x8, x6 */
    INSN_SHIFT,     /* sra x13, x8, x6 */
    INSN_LESS,      /* slt x16, x8, x6 */
    INSN_NEXT,      /* addi x5, x5, 8 */
    INSN_COUNT,
    INSN_BRANCH,    /* blt x0, x6 */
    INSN_RESULT,    /* sd x7, 0(x11) */
    GUEST_WORDS = 19
};

/* Executes the guest with instruction `insn` replaced by `word` (0: as it is). */
void guest_run(struct test_job *t, unsigned insn, uint32_t word, uint64_t count, int64_t number, unsigned shard_log2, unsigned memory_log2);

/* The pc / 2 of an instruction. */
static inline uint32_t guest_pc(enum guest_insn i)
{
    return 0x80000000u / 2 + 2 * (uint32_t)i;
}

#endif
