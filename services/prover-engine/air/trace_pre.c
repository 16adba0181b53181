/* Preprocessed tables: fixed by the program (program, page, image) or by nothing at all (the ranges). Rows past the end repeat a real row or,
 * for the program, are the operation nobody has. */
#include "air_tables.h"
#include "services/prover-engine/air/lookups.h"
#include "services/prover-engine/air/trace.h"

enum vn_status vn_pre_heights(unsigned kind, const struct vn_program *p, uint8_t log_height[VN_AIR_MAX_TABLES], struct vn_error *err)
{
    const struct vn_air_kind *kd = &vn_air_kinds[kind];
    for (unsigned t = 0; t < VN_AIR_MAX_TABLES; t++)
        log_height[t] = VN_LOG_HEIGHT_ABSENT;
    for (unsigned i = 0; i < kd->n_tables; i++) {
        unsigned t = kd->tables[i];
        if (vn_air_tables[t].n_pre == 0)
            continue;
        size_t rows = t == VN_TABLE_PROGRAM ? p->n_insns : p->n_image;
        log_height[t] = kd->fixed_log_height[i] ? kd->fixed_log_height[i] : (uint8_t)vn_air_log_height(rows ? rows : 1);
        if (log_height[t] == VN_LOG_HEIGHT_ABSENT)
            return vn_fail(err, VN_ERR_LIMIT, "the program has %zu %s; at most %u fit", rows,
                           t == VN_TABLE_PROGRAM ? "instructions" : "initialised words", VN_MAX_TABLE_ROWS);
    }
    return VN_OK;
}

static void fill_program(const struct vn_program *p, size_t n, uint32_t *const *c)
{
    for (size_t i = 0; i < n; i++) {
        static const struct vn_insn none;
        const struct vn_insn *in = i < p->n_insns ? &p->insns[i] : &none;
        int usable = in->op != VN_OP_UNSUPPORTED && in->op != VN_OP_INVALID;
        if (!usable)
            in = &none;
        const uint32_t row[VN_PRE_PROGRAM_COLUMNS] = {in->pc / 2,  in->op,      in->rd,      in->rs1,     in->rs2, in->wr,
                                                      in->imm[0], in->imm[1], in->imm[2], in->imm[3], in->next};
        for (unsigned k = 0; k < VN_PRE_PROGRAM_COLUMNS; k++)
            c[k][i] = row[k];
    }
}

static void fill_bits(size_t n, uint32_t *const *c)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t m = 31u - (uint32_t)__builtin_clz((uint32_t)i + 1);
        if (m > 16)
            m = 16;
        uint32_t x = (uint32_t)i - ((1u << m) - 1);
        c[VN_PRE_BITS_M][i] = m;
        c[VN_PRE_BITS_X][i] = x < 1u << m ? x : (1u << m) - 1;
    }
}

static void fill_image(const struct vn_program *p, size_t n, uint32_t *const *c)
{
    for (size_t i = 0; i < n && p->n_image; i++) {
        const struct vn_image_word *w = &p->image[i < p->n_image ? i : p->n_image - 1];
        c[VN_PRE_IMAGE_KEY][i] = w->key;
        for (unsigned k = 0; k < 4; k++)
            c[VN_PRE_IMAGE_V0 + k][i] = (uint16_t)(w->value >> (16 * k));
    }
}

void vn_pre_fill(unsigned kind, const struct vn_program *p, unsigned table, unsigned log_height, uint32_t *const *c)
{
    (void)kind;
    size_t n = (size_t)1 << log_height;
    switch (table) {
    case VN_TABLE_PROGRAM:
        fill_program(p, n, c);
        break;
    case VN_TABLE_BITS:
        fill_bits(n, c);
        break;
    case VN_TABLE_BYTE:
        for (uint32_t i = 0; i < n; i++) {
            c[VN_PRE_BYTE_X][i] = i >> 8;
            c[VN_PRE_BYTE_Y][i] = i & 255;
            c[VN_PRE_BYTE_AND][i] = (i >> 8) & i & 255;
        }
        break;
    case VN_TABLE_TIME:
        for (uint32_t i = 0; i < n; i++)
            c[VN_PRE_TIME_X][i] = i;
        break;
    case VN_TABLE_POW:
        for (uint32_t i = 0; i < n; i++) {
            uint32_t m = i < 16 ? i : 16;
            c[VN_PRE_POW_M][i] = m;
            c[VN_PRE_POW_POWER][i] = 1u << m;
        }
        break;
    case VN_TABLE_PAGE:
        for (uint32_t i = 0; i < n; i++) {
            c[VN_PRE_PAGE_PAGE][i] = i;
            c[VN_PRE_PAGE_KIND][i] = i < 1u << 16 ? p->page_kind[i] : i == 1u << 16 ? (uint32_t)VN_PAGE_IMAGE : (uint32_t)VN_PAGE_ABSENT;
        }
        break;
    case VN_TABLE_IMAGE:
        fill_image(p, n, c);
        break;
    default:
        break;
    }
}
