/* Columns of one height stand in the kind's table order, so a table's first column follows from counting the tables before it. */
#include "services/prover-engine/verify/shape.h"

#include <string.h>

uint32_t vn_shape_columns(unsigned table, enum vn_tree_id tree)
{
    const struct vn_air_table *t = &vn_air_tables[table];
    switch (tree) {
    case VN_TREE_PRE:
        return t->n_pre;
    case VN_TREE_P1:
        return t->n_p1;
    case VN_TREE_MAIN:
        return t->n_main;
    case VN_TREE_LOGUP:
        return 6u * ((uint32_t)t->n_logup[VN_SCOPE_LOCAL] + t->n_logup[VN_SCOPE_GLOBAL]);
    default:
        return 0;
    }
}

static int is_class(unsigned log_height)
{
    for (const uint8_t *c = vn_air_height_classes; *c; c++)
        if (*c == log_height)
            return 1;
    return 0;
}

static const char *check_table(const struct vn_air_kind *k, unsigned position, unsigned kind, unsigned height, unsigned pre)
{
    unsigned table = k->tables[position], fixed = k->fixed_log_height[position];
    if (height == VN_LOG_HEIGHT_ABSENT)
        return k->required[position] || vn_air_tables[table].n_pre ? "a required table is absent" : NULL;
    if (height > vn_kind_params[kind].log_n)
        return "a table is taller than the kind allows";
    if (fixed ? height != fixed : !is_class(height))
        return "a table has a height that the kind does not allow";
    if (vn_air_tables[table].n_pre && height != pre)
        return "a preprocessed table's height is not the verifying key's";
    return NULL;
}

const char *vn_shape_check(unsigned kind, const uint8_t log_height[VN_AIR_MAX_TABLES], const uint8_t pre[VN_AIR_MAX_TABLES])
{
    const struct vn_air_kind *k = &vn_air_kinds[kind];
    uint8_t in_kind[VN_AIR_MAX_TABLES] = {0};
    for (unsigned i = 0; i < k->n_tables; i++) {
        const char *why = check_table(k, i, kind, log_height[k->tables[i]], pre[k->tables[i]]);
        if (why)
            return why;
        in_kind[k->tables[i]] = 1;
    }
    for (unsigned t = 0; t < VN_AIR_MAX_TABLES; t++)
        if (!in_kind[t] && log_height[t] != VN_LOG_HEIGHT_ABSENT)
            return "a table does not belong to the kind";
    if (!vn_air_multiplicities_fit(kind, log_height))
        return "the heights let a multiplicity wrap";
    return NULL;
}

static void count_columns(uint32_t n_cols[VN_PCS_MAX_LOG_N + 1], unsigned kind, const uint8_t *log_height, enum vn_tree_id tree)
{
    const struct vn_air_kind *k = &vn_air_kinds[kind];
    for (unsigned i = 0; i < k->n_tables; i++) {
        unsigned h = log_height[k->tables[i]];
        if (h == VN_LOG_HEIGHT_ABSENT)
            continue;
        if (tree == VN_TREE_QUOT)
            n_cols[h] = VN_QUOT_COLUMNS;
        else
            n_cols[h] += vn_shape_columns(k->tables[i], tree);
    }
}

void vn_shape_pre_tree(struct vn_pcs_tree *t, unsigned kind, const uint8_t pre[VN_AIR_MAX_TABLES])
{
    uint32_t n_cols[VN_PCS_MAX_LOG_N + 1] = {0};
    count_columns(n_cols, kind, pre, VN_TREE_PRE);
    vn_pcs_tree_init(t, vn_kind_params[kind].log_n, n_cols);
}

static void place_columns(struct vn_shard_shape *s, enum vn_tree_id tree)
{
    const struct vn_air_kind *k = &vn_air_kinds[s->kind];
    uint32_t used[VN_PCS_MAX_LOG_N + 1] = {0};
    for (unsigned i = 0; i < k->n_tables; i++) {
        unsigned table = k->tables[i], h = s->log_height[table];
        if (h == VN_LOG_HEIGHT_ABSENT)
            continue;
        const struct vn_pcs_class *c = vn_pcs_tree_class(&s->pcs.trees[tree], h);
        s->first_col[tree][table] = (c ? c->first_col : 0) + used[h];
        used[h] += vn_shape_columns(table, tree);
    }
}

void vn_shape_init(struct vn_shard_shape *s, unsigned kind, const uint8_t log_height[VN_AIR_MAX_TABLES])
{
    static const struct vn_pcs_opening openings[VN_OPEN_COUNT] = {
        {VN_TREE_PRE, VN_POINT_ZETA},   {VN_TREE_P1, VN_POINT_ZETA},    {VN_TREE_MAIN, VN_POINT_ZETA}, {VN_TREE_LOGUP, VN_POINT_ZETA},
        {VN_TREE_QUOT, VN_POINT_ZETA},  {VN_TREE_LOGUP, VN_POINT_NEXT}, {VN_TREE_P1, VN_POINT_Z},
    };
    *s = (struct vn_shard_shape){.kind = kind};
    memcpy(s->log_height, log_height, sizeof s->log_height);
    s->pcs.params = &vn_kind_params[kind];
    s->pcs.n_trees = VN_TREE_COUNT;
    s->pcs.n_openings = VN_OPEN_COUNT;
    memcpy(s->pcs.openings, openings, sizeof openings);
    for (enum vn_tree_id tree = 0; tree < VN_TREE_COUNT; tree++) {
        uint32_t n_cols[VN_PCS_MAX_LOG_N + 1] = {0};
        count_columns(n_cols, kind, log_height, tree);
        vn_pcs_tree_init(&s->pcs.trees[tree], s->pcs.params->log_n, n_cols);
        if (tree <= VN_TREE_LOGUP)
            place_columns(s, tree);
    }
}
