/* Rows follow from the tuple by arithmetic where the provider is a full range, by search in the program otherwise. */
#include "services/prover-engine/air/lookups.h"

#include "air_tables.h"

unsigned vn_lookup_provider(unsigned bus)
{
    switch (bus) {
    case VN_BUS_PROGRAM:
        return VN_TABLE_PROGRAM;
    case VN_BUS_BITS:
        return VN_TABLE_BITS;
    case VN_BUS_BYTE:
        return VN_TABLE_BYTE;
    case VN_BUS_TIME:
        return VN_TABLE_TIME;
    case VN_BUS_POW:
        return VN_TABLE_POW;
    case VN_BUS_PAGE:
        return VN_TABLE_PAGE;
    case VN_BUS_IMAGE:
        return VN_TABLE_IMAGE;
    default:
        return VN_AIR_MAX_TABLES;
    }
}

static uint32_t program_row(const struct vn_program *p, const uint32_t *t)
{
    if (t[0] >= 1u << 31)
        return VN_NO_ROW;
    uint32_t row = vn_program_find(p, t[0] * 2);
    if (row == UINT32_MAX)
        return VN_NO_ROW;
    const struct vn_insn *i = &p->insns[row];
    int same = t[1] == i->op && t[2] == i->rd && t[3] == i->rs1 && t[4] == i->rs2 && t[5] == i->wr && t[6] == i->imm[0] && t[7] == i->imm[1] &&
               t[8] == i->imm[2] && t[9] == i->imm[3] && t[10] == i->next;
    return same ? row : VN_NO_ROW;
}

static uint32_t image_row(const struct vn_program *p, const uint32_t *t)
{
    size_t low = 0, high = p->n_image;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (p->image[mid].key < t[0])
            low = mid + 1;
        else
            high = mid;
    }
    if (low == p->n_image || p->image[low].key != t[0])
        return VN_NO_ROW;
    for (unsigned i = 0; i < 4; i++)
        if (t[1 + i] != (uint16_t)(p->image[low].value >> (16 * i)))
            return VN_NO_ROW;
    return (uint32_t)low;
}

static uint32_t page_row(const struct vn_program *p, const uint32_t *t)
{
    uint32_t kind = VN_PAGE_ABSENT;
    if (t[0] < 1u << 16)
        kind = p->page_kind[t[0]];
    else if (t[0] == 1u << 16)
        kind = VN_PAGE_IMAGE;
    return t[0] < VN_PAGE_ROWS && t[1] == kind ? t[0] : VN_NO_ROW;
}

uint32_t vn_lookup_row(const struct vn_program *p, unsigned bus, const uint32_t *t)
{
    switch (bus) {
    case VN_BUS_PROGRAM:
        return program_row(p, t);
    case VN_BUS_BITS:
        return t[0] <= 16 && t[1] < 1u << t[0] ? (1u << t[0]) - 1 + t[1] : VN_NO_ROW;
    case VN_BUS_BYTE:
        return t[0] < 256 && t[1] < 256 && t[2] == (t[0] & t[1]) ? t[0] * 256 + t[1] : VN_NO_ROW;
    case VN_BUS_TIME:
        return t[0] < 1u << VN_TIME_LOG_ROWS ? t[0] : VN_NO_ROW;
    case VN_BUS_POW:
        return t[0] <= 16 && t[1] == 1u << t[0] ? t[0] : VN_NO_ROW;
    case VN_BUS_PAGE:
        return page_row(p, t);
    case VN_BUS_IMAGE:
        return image_row(p, t);
    default:
        return VN_NO_ROW;
    }
}
