/* air_cuda.inc: LogUp and quotient as kernels, one row a thread. A table's work is cut into several kernels so that what one of them keeps at a time fits
 * a thread's registers: each takes the next columns or constraints until it reads too many nodes, and adds to what those before it stored. Nodes are
 * written just before their first use. */
#include "services/prover-engine/air/airc.h"

#include <stdlib.h>
#include <string.h>

enum {
    QUOTIENT_BUDGET = 128, /* nodes of one quotient kernel; an extension operand counts six */
    LOGUP_COLUMNS = 2,    /* columns of one LogUp kernel, inverted together */
    PARTS = 4             /* the file is compiled in so many parts, side by side */
};

/* One kernel being written. */
struct kernel {
    FILE *f;
    const struct out_table *o;
    uint8_t node_done[VN_B_MAX_NODES];
    uint8_t denominator_done[VN_B_MAX_INTERACTIONS];
};

static unsigned count_new(const struct kernel *k, uint8_t *counted, uint32_t old)
{
    uint32_t i = (uint32_t)k->o->number[old];
    if (k->node_done[i] || counted[i])
        return 0;
    counted[i] = 1;
    const struct vn_b_node *n = &k->o->t->nodes[old];
    return n->op >= VN_AIR_ADD ? 1 + count_new(k, counted, n->a) + count_new(k, counted, n->b) : 1;
}

static int write_node(struct kernel *k, uint32_t old)
{
    static const char *const groups[] = {"VN_CUDA_PRE", "VN_CUDA_P1", "VN_CUDA_MAIN"};
    static const char *const ops[] = {"vf_add", "vf_sub", "vf_mul"};
    int i = k->o->number[old];
    if (k->node_done[i])
        return i;
    k->node_done[i] = 1;
    const struct vn_b_node *n = &k->o->t->nodes[old];
    if (n->op == VN_AIR_CONST) {
        fprintf(k->f, "        const vf n%d = 0x%08xu;\n", i, vn_fp_from(n->value));
    } else if (n->op == VN_AIR_INDEX) {
        fprintf(k->f, "        const vf n%d = p.shard_index;\n", i);
    } else if (n->op <= VN_AIR_MAIN) {
        fprintf(k->f, "        const vf n%d = CELL(%s, %u);\n", i, groups[n->op - VN_AIR_PRE], n->a);
    } else {
        int a = write_node(k, n->a), b = write_node(k, n->b);
        fprintf(k->f, "        const vf n%d = %s(n%d, n%d);\n", i, ops[n->op - VN_AIR_ADD], a, b);
    }
    return i;
}

static void write_denominator(struct kernel *k, uint32_t index)
{
    const struct vn_b_interaction *x = &k->o->t->interactions[index];
    if (k->denominator_done[index])
        return;
    k->denominator_done[index] = 1;
    fprintf(k->f, "        ve d%u = p.constants[%u];\n", index, index);
    for (unsigned w = 0; w < x->width; w++)
        if (!airc_is_constant(k->o, x->tuple[w])) {
            int n = write_node(k, x->tuple[w]);
            fprintf(k->f, "        d%u = ve_add(d%u, ve_scale(p.beta[%u][%u], n%d));\n", index, index, x->scope, w + 1, n);
        }
}

/* num and den of column c: m1 / d1 + m2 / d2. */
static void write_fraction(struct kernel *k, unsigned c)
{
    const struct logup_column *column = &k->o->columns[c];
    const struct vn_b_interaction *x = &k->o->t->interactions[column->first];
    write_denominator(k, column->first);
    int m1 = write_node(k, x->multiplicity);
    if (column->second == AIRC_ALONE) {
        fprintf(k->f, "        const ve num%u = ve_signed(n%d, %d), den%u = d%u;\n", c, m1, x->sign, c, column->first);
        return;
    }
    const struct vn_b_interaction *y = &k->o->t->interactions[column->second];
    write_denominator(k, column->second);
    int m2 = write_node(k, y->multiplicity);
    fprintf(k->f, "        const ve num%u = ve_numerator(n%d, d%u, %d, n%d, d%u, %d), den%u = ve_mul(d%u, d%u);\n", c, m1, column->first, x->sign, m2,
            column->second, y->sign, c, column->first, column->second);
}

static void begin_kernel(struct kernel *k, FILE *f, const struct out_table *o)
{
    memset(k, 0, sizeof *k);
    k->f = f;
    k->o = o;
}

/* The column that holds a scope's running sum. */
static unsigned sum_column(const struct out_table *o, unsigned scope)
{
    return scope == VN_SCOPE_LOCAL ? o->n_logup[0] - 1u : o->n_columns - 1u;
}

/* Returns the number of kernels. */
static unsigned write_logup(FILE *f, const struct out_table *o)
{
    struct kernel *k = malloc(sizeof *k);
    if (!k)
        exit(1);
    unsigned part = 0;
    uint8_t started[VN_SCOPE_COUNT] = {0};
    for (unsigned first = 0; first < o->n_columns; first += LOGUP_COLUMNS, part++) {
        unsigned end = first + LOGUP_COLUMNS < o->n_columns ? first + LOGUP_COLUMNS : o->n_columns;
        begin_kernel(k, f, o);
        fprintf(f, "KERNEL logup_%s_%u(struct rows r, struct params p, vn_fp *out, size_t stride)\n{\n    EACH_INDEX(i, r.n) {\n", o->t->name, part);
        for (unsigned c = first; c < end; c++)
            write_fraction(k, c);
        fprintf(f, "        ve inverse[%u] = {", end - first);
        for (unsigned c = first; c < end; c++)
            fprintf(f, "%sden%u", c > first ? ", " : "", c);
        fprintf(f, "};\n        ve_invert_all(inverse, %u);\n", end - first);
        for (unsigned s = 0; s < VN_SCOPE_COUNT; s++) {
            int any = 0;
            for (unsigned c = first; c < end; c++)
                any |= o->columns[c].scope == s;
            if (!any)
                continue;
            unsigned sum = 6 * sum_column(o, s);
            if (started[s])
                fprintf(f, "        ve total%u = ve_load(out + %u * stride, stride, i);\n", s, sum);
            else
                fprintf(f, "        ve total%u = ve_zero();\n", s);
            started[s] = 1;
            for (unsigned c = first; c < end; c++) {
                if (o->columns[c].scope != s)
                    continue;
                fprintf(f, "        const ve h%u = ve_mul(num%u, inverse[%u]);\n        total%u = ve_add(total%u, h%u);\n", c, c, c - first, s, s, c);
                if (!o->columns[c].is_sum)
                    fprintf(f, "        ve_store(out + %u * stride, stride, i, h%u);\n", 6 * c, c);
            }
            fprintf(f, "        ve_store(out + %u * stride, stride, i, total%u);\n", sum, s);
        }
        fprintf(f, "    }\n}\n\n");
    }
    free(k);
    return part;
}

/* Item i of a table: a constraint, or the constraint of LogUp column i - n_constraints. */
static unsigned item_weight(const struct kernel *k, unsigned item)
{
    const struct vn_b_table *t = k->o->t;
    uint8_t counted[VN_B_MAX_NODES] = {0};
    if (item < t->n_constraints)
        return count_new(k, counted, t->constraints[item].node);
    const struct logup_column *c = &k->o->columns[item - t->n_constraints];
    unsigned weight = 12;
    for (unsigned j = 0; j < 2; j++) {
        uint16_t index = j ? c->second : c->first;
        if (index == AIRC_ALONE)
            continue;
        const struct vn_b_interaction *x = &t->interactions[index];
        weight += 6 + count_new(k, counted, x->multiplicity);
        for (unsigned w = 0; w < x->width; w++)
            if (!airc_is_constant(k->o, x->tuple[w]))
                weight += count_new(k, counted, x->tuple[w]);
    }
    return weight;
}

static void write_item(struct kernel *k, unsigned item)
{
    const struct vn_b_table *t = k->o->t;
    if (item < t->n_constraints) {
        int n = write_node(k, t->constraints[item].node);
        fprintf(k->f, "        acc = ve_add(acc, ve_scale(p.alpha[%u], n%d));\n", item, n);
        return;
    }
    unsigned c = item - t->n_constraints;
    const struct logup_column *column = &k->o->columns[c];
    write_fraction(k, c);
    if (!column->is_sum) {
        fprintf(k->f, "        const ve h%u = LOGUP_CELL(%u, i);\n", c, c);
    } else {
        fprintf(k->f, "        ve h%u = ve_add(p.sum_per_row[%u], ve_sub(LOGUP_CELL(%u, NEXT), LOGUP_CELL(%u, i)));\n", c, column->scope, c, c);
        for (unsigned other = 0; other < k->o->n_columns; other++)
            if (k->o->columns[other].scope == column->scope && !k->o->columns[other].is_sum)
                fprintf(k->f, "        h%u = ve_sub(h%u, LOGUP_CELL(%u, i));\n", c, c, other);
    }
    fprintf(k->f, "        acc = ve_add(acc, ve_mul(p.alpha[%u], ve_sub(ve_mul(h%u, den%u), num%u)));\n", item, c, c, c);
}

/* Returns the number of kernels. */
static unsigned write_quotient(FILE *f, const struct out_table *o)
{
    struct kernel *k = malloc(sizeof *k);
    if (!k)
        exit(1);
    unsigned part = 0, n_items = o->t->n_constraints + o->n_columns;
    for (unsigned item = 0; item < n_items; part++) {
        begin_kernel(k, f, o);
        fprintf(f, "KERNEL quotient_%s_%u(struct rows r, struct params p, vn_fp *out, size_t stride)\n{\n    EACH_INDEX(i, r.n) {\n"
                   "        ve acc = ve_load(out, stride, i);\n", o->t->name, part);
        for (unsigned spent = 0, weight; item < n_items; item++, spent += weight) {
            weight = item_weight(k, item);
            if (spent > 0 && spent + weight > QUOTIENT_BUDGET)
                break;
            write_item(k, item);
        }
        fprintf(f, "        ve_store(out, stride, i, acc);\n    }\n}\n\n");
    }
    free(k);
    return part;
}

static void write_list(FILE *f, const char *stage, const char *table, unsigned n)
{
    fprintf(f, "const row_kernel vn_cuda_%s_%s[] = {", stage, table);
    for (unsigned i = 0; i < n; i++)
        fprintf(f, "%s_%s_%u, ", stage, table, i);
    fprintf(f, "};\n");
}

void airc_write_cuda(FILE *f, const struct out_table *tables, uint32_t n_tables, uint64_t fingerprint)
{
    unsigned most_interactions = 0, most_constraints = 0, n_logup[VN_AIR_MAX_TABLES], n_quotient[VN_AIR_MAX_TABLES];
    for (uint32_t t = 0; t < n_tables; t++) {
        const struct out_table *o = &tables[t];
        unsigned constraints = o->t->n_constraints + o->n_columns;
        most_interactions = o->t->n_interactions > most_interactions ? o->t->n_interactions : most_interactions;
        most_constraints = constraints > most_constraints ? constraints : most_constraints;
    }
    fprintf(f, "/* Written by airc. Where TABLES_PART is defined, that part's kernels; else the list of all. */\n\n");
    fprintf(f, "enum { MOST_INTERACTIONS = %u, MOST_CONSTRAINTS = %u };\n\n#include \"services/prover-engine/backend/cuda/table_ops.h\"\n\n", most_interactions,
            most_constraints);
    for (uint32_t t = 0; t < n_tables; t++)
        fprintf(f, "extern const row_kernel vn_cuda_logup_%s[], vn_cuda_quotient_%s[];\n", tables[t].t->name, tables[t].t->name);
    fprintf(f, "\n#ifdef TABLES_PART\n");
    for (uint32_t t = 0; t < n_tables; t++) {
        fprintf(f, "\n#if TABLES_PART == %u\n\n", t % PARTS);
        n_logup[t] = write_logup(f, &tables[t]);
        n_quotient[t] = write_quotient(f, &tables[t]);
        write_list(f, "logup", tables[t].t->name, n_logup[t]);
        write_list(f, "quotient", tables[t].t->name, n_quotient[t]);
        fprintf(f, "#endif\n");
    }
    fprintf(f, "\n#else\n\n#define TABLES_FINGERPRINT 0x%016llxull\n\nstatic const struct table_kernels table_kernels[] = {\n", (unsigned long long)fingerprint);
    for (uint32_t t = 0; t < n_tables; t++) {
        const struct out_table *o = &tables[t];
        fprintf(f, "    {vn_cuda_logup_%s, vn_cuda_quotient_%s, %u, %u, {%u, %u, %u, %u}, {%d, %d}, %u, %u},\n", o->t->name, o->t->name, n_logup[t], n_quotient[t],
                o->t->n_columns[0], o->t->n_columns[1], o->t->n_columns[2], 6 * o->n_columns,
                o->n_logup[0] ? (int)sum_column(o, 0) : -1, o->n_logup[1] ? (int)sum_column(o, 1) : -1, o->t->n_interactions,
                o->t->n_constraints + o->n_columns);
    }
    fprintf(f, "};\n\n#endif\n");
}
