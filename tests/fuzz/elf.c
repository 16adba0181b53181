/* Program files: loading, and what set-up does with the result before it hashes anything. */
#include "air_tables.h"
#include "services/prover-engine/air/trace.h"
#include "tests/fuzz/fuzz.h"

static void check_instructions(const struct vn_program *p)
{
    char text[80];
    for (size_t i = 0; i < p->n_insns; i++) {
        const struct vn_insn *in = &p->insns[i];
        must(i == 0 || in->pc > p->insns[i - 1].pc);
        must(in->op < VN_OP_COUNT && in->rd < 32 && in->rs1 < 32 && in->rs2 < 32 && in->wr <= 1);
        must(in->wr == 0 || in->rd != 0); /* nobody writes x0 */
        must(vn_program_find(p, in->pc) == i);
        vn_insn_format(in, text, sizeof text);
    }
    must(vn_program_find(p, 0) == UINT32_MAX || p->n_insns > 0);
}

static void check_image(const struct vn_program *p)
{
    for (size_t i = 0; i < sizeof p->page_kind; i++)
        must(p->page_kind[i] <= VN_PAGE_INPUT);
    for (size_t i = 0; i < p->n_image; i++) {
        uint32_t key = p->image[i].key, word = key & ((1u << 29) - 1);
        must(i == 0 || key > p->image[i - 1].key);
        must(key >> 29 == VN_SPACE_REGISTER ? word < 32 : p->page_kind[word >> 13] == VN_PAGE_IMAGE);
        must(key != VN_KEY(VN_SPACE_REGISTER, 0) || p->image[i].value == 0); /* x0 starts at 0 */
    }
}

/* The program's table as the key commits to it: a pc stands in one row at most. */
static void check_table(const struct vn_program *p)
{
    uint8_t heights[VN_AIR_MAX_TABLES];
    struct vn_error err = {0};
    uint32_t *columns[VN_PRE_PROGRAM_COLUMNS];
    for (unsigned kind = 0; kind < 2; kind++)
        if (vn_pre_heights(kind, p, heights, &err) != VN_OK)
            return;
    (void)vn_pre_heights(0, p, heights, &err);
    if (heights[VN_TABLE_PROGRAM] > 14)
        return;
    size_t n = (size_t)1 << heights[VN_TABLE_PROGRAM];
    for (unsigned k = 0; k < VN_PRE_PROGRAM_COLUMNS; k++)
        must((columns[k] = calloc(n, sizeof **columns)) != NULL);
    vn_pre_fill(0, p, VN_TABLE_PROGRAM, heights[VN_TABLE_PROGRAM], columns);
    uint32_t last = 0;
    for (size_t i = 0; i < n; i++) {
        if (columns[VN_PRE_PROGRAM_OP][i] == VN_OP_INVALID)
            continue;
        must(columns[VN_PRE_PROGRAM_PC][i] > last && columns[VN_PRE_PROGRAM_PC][i] < VN_P && columns[VN_PRE_PROGRAM_NEXT][i] < VN_P);
        last = columns[VN_PRE_PROGRAM_PC][i];
    }
    for (unsigned k = 0; k < VN_PRE_PROGRAM_COLUMNS; k++)
        free(columns[k]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum vn_abi abis[] = {VN_ABI_AUTO, VN_ABI_A, VN_ABI_B, VN_ABI_C};
    struct vn_program *p = NULL;
    struct vn_error err = {0};
    enum vn_abi abi = size ? abis[data[size - 1] % 4] : VN_ABI_AUTO;
    if (vn_program_load(&p, data, size, abi, &err) == VN_OK) {
        check_instructions(p);
        check_image(p);
        check_table(p);
        vn_program_free(p);
    } else {
        must(err.text[0]);
    }
    return 0;
}
