#include "tests/soundness/guest.h"

#include <stdlib.h>

static const uint32_t code[GUEST_WORDS] = {
    RV_LUI(5, 0xa0030),
    RV_SLLI(5, 5, 32),
    rv_i(32, 5, 5, 5, 0x13), /* srli: x5 = 0xa0030000 */
    RV_LD(6, 10, 16),
    RV_LD(8, 10, 24),
    [INSN_STORE] = RV_SD(8, 5, 0),
    [INSN_LOAD_BYTE] = rv_i(0, 5, 0, 14, 0x03),
    [INSN_STORE_COUNT] = RV_SD(6, 5, 0),
    [INSN_LOAD] = RV_LD(9, 5, 0),
    [INSN_ADD] = RV_ADD(7, 7, 9),
    [INSN_DIV] = rv_r(1, 6, 8, 4, 12, 0x33),
    [INSN_SHIFT] = rv_r(32, 6, 8, 5, 13, 0x33),
    [INSN_LESS] = rv_r(0, 6, 8, 2, 16, 0x33),
    [INSN_NEXT] = RV_ADDI(5, 5, 8),
    [INSN_COUNT] = RV_ADDI(6, 6, 0xfff),
    [INSN_BRANCH] = rv_b(-40, 6, 0, 4),
    [INSN_RESULT] = RV_SD(7, 11, 0),
    RV_SD(13, 11, 8),
    RV_RET,
};

void guest_run(struct test_job *t, unsigned insn, uint32_t word, uint64_t count, int64_t number, unsigned shard_log2, unsigned memory_log2)
{
    uint32_t words[GUEST_WORDS];
    memcpy(words, code, sizeof words);
    if (word)
        words[insn] = word;
    struct elf e = elf_of_code(words, GUEST_WORDS);
    size_t len;
    uint8_t *elf = elf_build(&e, &len);
    uint64_t input[3] = {16, count, (uint64_t)number};
    struct vn_exec_options o = {
        .shard_log2 = shard_log2, .memory_shard_log2 = memory_log2, .input = (const uint8_t *)input, .input_len = sizeof input};
    test_job_execute(t, elf, len, VN_ABI_B, &o);
    free(elf);
}
