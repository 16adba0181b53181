/* airc OUT_DIR: checks the declared machine against the static rules and writes, into OUT_DIR,
 *   air_tables.h   table ids and column numbers
 *   air_data.c     metadata and expression graphs (verifier, row checker, multiplicity counter)
 *   air_eval.inc   straight-line kernels over the types of air/kernel_ops.h
 *   air_cuda.inc   the same for a GPU
 *   tables.md      the tables for people
 * Nodes are renumbered so that what the lookups need comes first. */
#include "services/prover-engine/air/airc.h"
#include "services/prover-engine/air/tables/tables.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- A table as it will be written ---- */

static struct out_table *outs;

static void visit(struct out_table *o, uint32_t node)
{
    if (o->number[node] >= 0)
        return;
    const struct vn_b_node *n = &o->t->nodes[node];
    if (n->op >= VN_AIR_ADD) {
        visit(o, n->a);
        visit(o, n->b);
    }
    o->number[node] = (int32_t)o->n_nodes;
    o->order[o->n_nodes++] = node;
}

static void visit_interaction(struct out_table *o, const struct vn_b_interaction *x)
{
    visit(o, x->multiplicity);
    for (unsigned i = 0; i < x->width; i++)
        visit(o, x->tuple[i]);
}

static void prepare(struct out_table *o, const struct vn_b_table *t)
{
    o->t = t;
    memset(o->number, 0xff, sizeof o->number);
    for (uint32_t i = 0; i < t->n_interactions; i++)
        if (t->interactions[i].kind == VN_AIR_LOOKUP)
            visit_interaction(o, &t->interactions[i]);
    o->n_lookup_nodes = o->n_nodes;
    for (uint32_t i = 0; i < t->n_interactions; i++)
        visit_interaction(o, &t->interactions[i]);
    for (uint32_t i = 0; i < t->n_constraints; i++)
        visit(o, t->constraints[i].node);
    for (unsigned scope = 0; scope < VN_SCOPE_COUNT; scope++) {
        unsigned first = o->n_columns;
        int waiting = 0;
        for (uint32_t i = 0; i < t->n_interactions; i++) {
            if (t->interactions[i].scope != scope)
                continue;
            if (waiting)
                o->columns[o->n_columns - 1].second = (uint16_t)i;
            else
                o->columns[o->n_columns++] = (struct logup_column){(uint16_t)i, AIRC_ALONE, (uint8_t)scope, 0};
            waiting = !waiting;
        }
        o->n_logup[scope] = o->n_columns - first;
        if (o->n_columns > first)
            o->columns[o->n_columns - 1].is_sum = 1;
    }
}

static const char *upper(const char *s)
{
    static char buffer[4][64];
    static unsigned turn;
    char *b = buffer[turn++ % 4];
    size_t i = 0;
    for (; s[i] && i < 63; i++)
        b[i] = (char)toupper((unsigned char)s[i]);
    b[i] = 0;
    return b;
}

static FILE *open_out(const char *dir, const char *name)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path) {
        fprintf(stderr, "airc: path too long\n");
        exit(1);
    }
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

static void close_out(FILE *f)
{
    if (ferror(f) | fclose(f)) {
        fprintf(stderr, "airc: cannot write\n");
        exit(1);
    }
}

/* ---- air_tables.h ---- */

static uint64_t mix(uint64_t hash, uint64_t x)
{
    return (hash ^ x) * 0x100000001b3u; /* FNV-1a, a word at a time */
}

/* Of everything the generated kernels follow from: two builds with equal fingerprints have the same tables. */
static uint64_t fingerprint(const struct vn_b_machine *m)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < m->n_tables; i++) {
        const struct vn_b_table *t = m->tables[i];
        for (unsigned g = 0; g < 3; g++)
            h = mix(h, t->n_columns[g]);
        for (uint32_t n = 0; n < t->n_nodes; n++)
            h = mix(mix(mix(mix(h, t->nodes[n].op), t->nodes[n].a), t->nodes[n].b), t->nodes[n].value);
        for (uint32_t c = 0; c < t->n_constraints; c++)
            h = mix(h, t->constraints[c].node);
        for (uint32_t c = 0; c < t->n_interactions; c++) {
            const struct vn_b_interaction *x = &t->interactions[c];
            h = mix(mix(mix(mix(mix(h, x->bus), x->scope), x->width), (uint8_t)x->sign), x->multiplicity);
            for (unsigned w = 0; w < x->width; w++)
                h = mix(h, x->tuple[w]);
        }
    }
    return h;
}

static void write_header(FILE *f, const struct vn_b_machine *m)
{
    static const char *const prefixes[3] = {"PRE_", "P1_", ""};
    fprintf(f, "#ifndef VN_AIR_TABLES_H\n#define VN_AIR_TABLES_H\n/* Written by airc. */\n\nenum vn_table_id {\n");
    for (uint32_t t = 0; t < m->n_tables; t++)
        fprintf(f, "    VN_TABLE_%s = %u,\n", upper(m->tables[t]->name), t);
    fprintf(f, "    VN_TABLE_COUNT = %u\n};\n", m->n_tables);
    fprintf(f, "\n/* Changes with the tables. */\n#define VN_AIR_FINGERPRINT 0x%016llxull\n", (unsigned long long)fingerprint(m));
    for (uint32_t t = 0; t < m->n_tables; t++)
        for (unsigned g = 0; g < 3; g++) {
            const struct vn_b_table *tb = m->tables[t];
            if (!tb->n_columns[g])
                continue;
            fprintf(f, "\nenum {\n");
            for (unsigned c = 0; c < tb->n_columns[g]; c++)
                fprintf(f, "    VN_%s%s_%s = %u,\n", prefixes[g], upper(tb->name), upper(tb->column_names[g][c]), c);
            fprintf(f, "    VN_%s%s_COLUMNS = %u\n};\n", prefixes[g], upper(tb->name), tb->n_columns[g]);
        }
    fprintf(f, "\n#endif\n");
}

/* ---- air_data.c ---- */

static const char *const group_names[3] = {"pre", "p1", "main"};

static const char *column_text(const struct out_table *o, const struct logup_column *c)
{
    static char text[96];
    const struct vn_b_interaction *x = &o->t->interactions[c->first];
    int n = snprintf(text, sizeof text, "%s %s: %s", c->scope == VN_SCOPE_LOCAL ? "local" : "global", c->is_sum ? "running sum" : "fractions",
                     vn_air_bus_name(x->bus));
    if (c->second != AIRC_ALONE)
        snprintf(text + n, sizeof text - (size_t)n, ", %s", vn_air_bus_name(o->t->interactions[c->second].bus));
    return text;
}

static void write_table_data(FILE *f, uint32_t index)
{
    const struct out_table *o = &outs[index];
    const struct vn_b_table *t = o->t;
    for (unsigned g = 0; g < 3; g++) {
        if (!t->n_columns[g])
            continue;
        fprintf(f, "static const char *const %s_%s[] = {", t->name, group_names[g]);
        for (unsigned c = 0; c < t->n_columns[g]; c++)
            fprintf(f, "\"%s\", ", t->column_names[g][c]);
        fprintf(f, "};\n");
    }
    fprintf(f, "static const char *const %s_constraint_names[] = {\n", t->name);
    for (uint32_t c = 0; c < t->n_constraints; c++)
        fprintf(f, "    \"%s\",\n", t->constraints[c].name);
    for (unsigned c = 0; c < o->n_columns; c++)
        fprintf(f, "    \"%s\",\n", column_text(o, &o->columns[c]));
    fprintf(f, "};\nstatic const struct vn_air_node %s_nodes[] = {\n", t->name);
    for (uint32_t i = 0; i < o->n_nodes; i++) {
        const struct vn_b_node *n = &t->nodes[o->order[i]];
        uint32_t a = n->op >= VN_AIR_ADD ? (uint32_t)o->number[n->a] : n->a, b = n->op >= VN_AIR_ADD ? (uint32_t)o->number[n->b] : 0;
        fprintf(f, "    {%uu, %u, %u, %u},\n", n->value, a, b, n->op);
    }
    fprintf(f, "};\n");
    if (t->n_constraints) {
        fprintf(f, "static const uint16_t %s_constraints[] = {", t->name);
        for (uint32_t c = 0; c < t->n_constraints; c++)
            fprintf(f, "%d, ", (int)o->number[t->constraints[c].node]);
        fprintf(f, "};\n");
    }
    fprintf(f, "static const struct vn_air_interaction %s_interactions[] = {\n", t->name);
    for (uint32_t i = 0; i < t->n_interactions; i++) {
        const struct vn_b_interaction *x = &t->interactions[i];
        fprintf(f, "    {%u, %u, %u, %u, %d, %d, %d, {", x->bus, x->scope, x->kind, x->width, x->sign, (int)o->number[x->multiplicity], (int)x->bound);
        for (unsigned w = 0; w < x->width; w++)
            fprintf(f, "%d, ", (int)o->number[x->tuple[w]]);
        fprintf(f, "}},\n");
    }
    fprintf(f, "};\n\n");
}

static unsigned constraint_count(const struct out_table *o)
{
    return o->t->n_constraints + o->n_columns;
}

static void write_kind(FILE *f, const struct vn_b_kind *kd, unsigned index)
{
    unsigned total = 0;
    fprintf(f, "static const uint8_t kind%u_tables[] = {", index);
    for (uint32_t i = 0; i < kd->n_tables; i++)
        fprintf(f, "%u, ", kd->tables[i]);
    fprintf(f, "};\nstatic const uint8_t kind%u_required[] = {", index);
    for (uint32_t i = 0; i < kd->n_tables; i++)
        fprintf(f, "%u, ", kd->required[i]);
    fprintf(f, "};\nstatic const uint8_t kind%u_fixed[] = {", index);
    for (uint32_t i = 0; i < kd->n_tables; i++)
        fprintf(f, "%u, ", kd->fixed_log_height[i]);
    fprintf(f, "};\nstatic const uint16_t kind%u_first[] = {", index);
    for (uint32_t i = 0; i < kd->n_tables; i++) {
        fprintf(f, "%u, ", total);
        total += constraint_count(&outs[kd->tables[i]]);
    }
    fprintf(f, "};\n#define KIND%u_CONSTRAINTS %uu\n\n", index, total);
}

static void write_data(FILE *f, const struct vn_b_machine *m)
{
    fprintf(f, "/* Written by airc. */\n#include <stddef.h>\n\n#include \"services/prover-engine/air/graph.h\"\n\n");
    for (uint32_t t = 0; t < m->n_tables; t++)
        write_table_data(f, t);
    fprintf(f, "const struct vn_air_table vn_air_tables[] = {\n");
    for (uint32_t t = 0; t < m->n_tables; t++) {
        const struct vn_b_table *tb = m->tables[t];
        fprintf(f, "    {\"%s\", %u, %u, %u, {%u, %u}, %u", tb->name, tb->n_columns[0], tb->n_columns[1], tb->n_columns[2], outs[t].n_logup[0],
                outs[t].n_logup[1], constraint_count(&outs[t]));
        for (unsigned g = 0; g < 3; g++)
            if (tb->n_columns[g])
                fprintf(f, ", %s_%s", tb->name, group_names[g]);
            else
                fprintf(f, ", NULL");
        fprintf(f, ", %s_constraint_names},\n", tb->name);
    }
    fprintf(f, "};\nconst unsigned vn_air_table_count = %u;\n\nconst struct vn_air_graph vn_air_graphs[] = {\n", m->n_tables);
    for (uint32_t t = 0; t < m->n_tables; t++) {
        const struct vn_b_table *tb = m->tables[t];
        fprintf(f, "    {%s_nodes, ", tb->name);
        if (tb->n_constraints)
            fprintf(f, "%s_constraints", tb->name);
        else
            fprintf(f, "NULL");
        fprintf(f, ", %s_interactions, %u, %u, %u, %u},\n", tb->name, outs[t].n_nodes, tb->n_constraints, tb->n_interactions, outs[t].n_lookup_nodes);
    }
    fprintf(f, "};\n\n");
    for (unsigned kd = 0; kd < 2; kd++)
        write_kind(f, &m->kinds[kd], kd);
    fprintf(f, "const struct vn_air_kind vn_air_kinds[2] = {\n");
    for (unsigned kd = 0; kd < 2; kd++)
        fprintf(f, "    {\"%s\", %u, kind%u_tables, kind%u_required, kind%u_fixed, kind%u_first, KIND%u_CONSTRAINTS},\n", m->kinds[kd].name,
                m->kinds[kd].n_tables, kd, kd, kd, kd, kd);
    fprintf(f, "};\n");
}

/* ---- air_eval.inc ---- */

static void write_nodes(FILE *f, const struct out_table *o, const uint8_t *needed)
{
    static const char *const op_names[] = {"vf_add", "vf_sub", "vf_mul"};
    for (uint32_t i = 0; i < o->n_nodes; i++) {
        const struct vn_b_node *n = &o->t->nodes[o->order[i]];
        if (!needed[i])
            continue;
        fprintf(f, "        const vf n%u = ", i);
        if (n->op == VN_AIR_CONST)
            fprintf(f, "vf_set1(0x%08xu);\n", vn_fp_from(n->value));
        else if (n->op == VN_AIR_INDEX)
            fprintf(f, "vf_set1(p->shard_index);\n");
        else if (n->op <= VN_AIR_MAIN)
            fprintf(f, "vf_load(r->%s[%u] + i);\n", group_names[n->op - VN_AIR_PRE], n->a);
        else
            fprintf(f, "%s(n%d, n%d);\n", op_names[n->op - VN_AIR_ADD], (int)o->number[n->a], (int)o->number[n->b]);
    }
}

static void mark_needed(const struct out_table *o, uint8_t *needed, uint32_t old)
{
    uint32_t i = (uint32_t)o->number[old];
    if (needed[i])
        return;
    needed[i] = 1;
    const struct vn_b_node *n = &o->t->nodes[old];
    if (n->op >= VN_AIR_ADD) {
        mark_needed(o, needed, n->a);
        mark_needed(o, needed, n->b);
    }
}

/* The constant part of every denominator, before the loop. */
static void write_denominator_constants(FILE *f, const struct out_table *o)
{
    for (uint32_t i = 0; i < o->t->n_interactions; i++) {
        const struct vn_b_interaction *x = &o->t->interactions[i];
        unsigned n = 0;
        fprintf(f, "    const struct vn_fp6 k%u = denominator_constant(p->challenges, %u, %u, (const struct constant_element[]){", i, x->scope, x->bus);
        for (unsigned w = 0; w < x->width; w++)
            if (airc_is_constant(o, x->tuple[w])) {
                fprintf(f, "{%u, 0x%08xu}, ", w + 1, vn_fp_from(o->t->nodes[x->tuple[w]].value));
                n++;
            }
        fprintf(f, "{0, 0}}, %u);\n", n);
    }
}

/* The powers of beta that the tuples' other elements are multiplied by, before the loop. */
static void write_tuple_powers(FILE *f, const struct out_table *o)
{
    for (uint32_t i = 0; i < o->t->n_interactions; i++) {
        const struct vn_b_interaction *x = &o->t->interactions[i];
        const char *separator = "";
        fprintf(f, "    const struct vn_fp6 b%u[] = {", i);
        for (unsigned w = 0; w < x->width; w++)
            if (!airc_is_constant(o, x->tuple[w])) {
                fprintf(f, "%sbeta%u[%u]", separator, x->scope, w + 1);
                separator = ", ";
            }
        fprintf(f, "};\n");
    }
}

/* d_i = k_i + sum beta^k t_k */
static void write_denominators(FILE *f, const struct out_table *o)
{
    for (uint32_t i = 0; i < o->t->n_interactions; i++) {
        const struct vn_b_interaction *x = &o->t->interactions[i];
        unsigned n = 0;
        fprintf(f, "        const vf t%u[] = {", i);
        for (unsigned w = 0; w < x->width; w++)
            if (!airc_is_constant(o, x->tuple[w]))
                fprintf(f, "%sn%d", n++ ? ", " : "", (int)o->number[x->tuple[w]]);
        fprintf(f, "};\n        const ve c%u = ve_set1(&k%u), d%u = ve_dot(&c%u, b%u, t%u, %u);\n", i, i, i, i, i, i, n);
    }
}

/* num and den of column c: m1 / d1 + m2 / d2. */
static void write_fraction(FILE *f, const struct out_table *o, unsigned c)
{
    const struct vn_b_interaction *x = &o->t->interactions[o->columns[c].first];
    int m1 = (int)o->number[x->multiplicity];
    if (o->columns[c].second == AIRC_ALONE) {
        fprintf(f, "        const ve num%u = ve_from(n%d, %d), den%u = d%u;\n", c, m1, x->sign, c, o->columns[c].first);
        return;
    }
    const struct vn_b_interaction *y = &o->t->interactions[o->columns[c].second];
    int m2 = (int)o->number[y->multiplicity];
    unsigned a = o->columns[c].first, b = o->columns[c].second;
    if (m1 == m2)
        fprintf(f, "        const ve num%u = ve_numerator_same(n%d, &d%u, %d, &d%u, %d);\n", c, m1, a, x->sign, b, y->sign);
    else
        fprintf(f, "        const ve num%u = ve_numerator(n%d, &d%u, %d, n%d, &d%u, %d);\n", c, m1, a, x->sign, m2, b, y->sign);
    fprintf(f, "        const ve den%u = ve_mul(&d%u, &d%u);\n", c, a, b);
}

/* What vanishes where the value `name` is the fractions of column c. */
static void write_error(FILE *f, const struct out_table *o, unsigned c, const char *name, unsigned number)
{
    unsigned a = o->columns[c].first, b = o->columns[c].second;
    const struct vn_b_interaction *x = &o->t->interactions[a];
    int m1 = (int)o->number[x->multiplicity];
    if (b == AIRC_ALONE) {
        fprintf(f, "        const ve e%u = ve_fraction_error(&%s%u, n%d, %d, &d%u);\n", c, name, number, m1, x->sign, a);
        return;
    }
    const struct vn_b_interaction *y = &o->t->interactions[b];
    fprintf(f, "        const ve e%u = ve_fractions_error(&%s%u, n%d, %d, &d%u, n%d, %d, &d%u);\n", c, name, number, m1, x->sign, a,
            (int)o->number[y->multiplicity], y->sign, b);
}

static void write_kernels(FILE *f, const struct out_table *o)
{
    const struct vn_b_table *t = o->t;
    static uint8_t needed[VN_B_MAX_NODES];
    unsigned last[VN_SCOPE_COUNT] = {o->n_logup[0] - 1u, o->n_columns - 1u};

    memset(needed, 0, sizeof needed);
    for (uint32_t i = 0; i < t->n_interactions; i++) {
        mark_needed(o, needed, t->interactions[i].multiplicity);
        for (unsigned w = 0; w < t->interactions[i].width; w++)
            if (!airc_is_constant(o, t->interactions[i].tuple[w]))
                mark_needed(o, needed, t->interactions[i].tuple[w]);
    }
    fprintf(f, "static void logup_%s(const struct vn_air_rows *r, const struct vn_air_params *p, vn_fp *const *logup, size_t begin, size_t end)\n{\n", t->name);
    for (unsigned s = 0; s < VN_SCOPE_COUNT; s++)
        if (o->n_logup[s])
            fprintf(f, "    const struct vn_fp6 *beta%u = p->challenges->beta_pow[%u];\n", s, s);
    write_denominator_constants(f, o);
    write_tuple_powers(f, o);
    fprintf(f, "    for (size_t i = begin; i < end; i += VF_LANES) {\n");
    write_nodes(f, o, needed);
    write_denominators(f, o);
    fprintf(f, "        ve inverse[%u];\n", o->n_columns);
    for (unsigned c = 0; c < o->n_columns; c++) {
        write_fraction(f, o, c);
        fprintf(f, "        inverse[%u] = den%u;\n", c, c);
    }
    fprintf(f, "        ve_invert_all(inverse, %u);\n", o->n_columns);
    for (unsigned s = 0; s < VN_SCOPE_COUNT; s++) {
        if (!o->n_logup[s])
            continue;
        fprintf(f, "        ve total%u = ve_zero();\n", s);
        for (unsigned c = 0; c < o->n_columns; c++) {
            if (o->columns[c].scope != s)
                continue;
            fprintf(f, "        const ve h%u = ve_mul(&num%u, &inverse[%u]);\n        ve_accumulate(&total%u, &h%u);\n", c, c, c, s, c);
            if (c != last[s])
                fprintf(f, "        ve_store(logup + %u, i, &h%u);\n", 6 * c, c);
        }
        fprintf(f, "        ve_store(logup + %u, i, &total%u);\n", 6 * last[s], s);
    }
    fprintf(f, "    }\n}\n\n");

    for (uint32_t c = 0; c < t->n_constraints; c++)
        mark_needed(o, needed, t->constraints[c].node);
    fprintf(f, "static void quotient_%s(const struct vn_air_rows *r, const struct vn_air_params *p, vn_fp *const out[6], size_t begin, size_t end)\n{\n", t->name);
    fprintf(f, "    struct vn_fp6 weight[%u];\n    constraint_weights(weight, p->alpha_pow, %u, %u);\n", t->n_constraints + 6 * o->n_columns, t->n_constraints,
            o->n_columns);
    for (unsigned s = 0; s < VN_SCOPE_COUNT; s++)
        if (o->n_logup[s])
            fprintf(f, "    const struct vn_fp6 *beta%u = p->challenges->beta_pow[%u];\n", s, s);
    write_denominator_constants(f, o);
    write_tuple_powers(f, o);
    fprintf(f, "    for (size_t i = begin; i < end; i += VF_LANES) {\n");
    write_nodes(f, o, needed);
    fprintf(f, "        vf v[%u];\n", t->n_constraints + 6 * o->n_columns);
    for (uint32_t c = 0; c < t->n_constraints; c++)
        fprintf(f, "        v[%u] = n%d;\n", c, (int)o->number[t->constraints[c].node]);
    write_denominators(f, o);
    for (unsigned s = 0; s < VN_SCOPE_COUNT; s++) {
        if (!o->n_logup[s])
            continue;
        fprintf(f, "        ve step%u = ve_running_step(r->logup + %u, i, &p->sum_per_row[%u]);\n", s, 6 * last[s], s);
        for (unsigned c = 0; c < o->n_columns; c++) {
            if (o->columns[c].scope != s)
                continue;
            if (c != last[s])
                fprintf(f, "        const ve h%u = ve_load(r->logup + %u, i);\n        ve_deduct(&step%u, &h%u);\n", c, 6 * c, s, c);
            write_error(f, o, c, c == last[s] ? "step" : "h", c == last[s] ? s : c);
            fprintf(f, "        ve_put(v + %u, &e%u);\n", t->n_constraints + 6 * c, c);
        }
    }
    fprintf(f, "        const ve before = ve_load((const vn_fp *const *)out, i), acc = ve_dot(&before, weight, v, %u);\n", t->n_constraints + 6 * o->n_columns);
    fprintf(f, "        ve_store(out, i, &acc);\n    }\n}\n\n");
}

static void write_eval(FILE *f, const struct vn_b_machine *m)
{
    fprintf(f, "/* Written by airc. */\n\n");
    for (uint32_t t = 0; t < m->n_tables; t++)
        write_kernels(f, &outs[t]);
    fprintf(f, "static const struct table_kernels table_kernels[] = {\n");
    for (uint32_t t = 0; t < m->n_tables; t++)
        fprintf(f, "    {logup_%s, quotient_%s},\n", m->tables[t]->name, m->tables[t]->name);
    fprintf(f, "};\n");
}

static void write_cuda(FILE *f, const struct vn_b_machine *m)
{
    airc_write_cuda(f, outs, m->n_tables, fingerprint(m));
}

/* ---- tables.md ---- */

static void write_doc(FILE *f, const struct vn_b_machine *m)
{
    fprintf(f, "# Tables\n\nWritten by `airc` from `services/prover-engine/air/tables/`; do not edit. "
               "Cells are base-field elements a row: preprocessed + phase 1 + main + 6 per LogUp column.\n\n"
               "| table | pre | p1 | main | interactions | LogUp local / global | constraints | highest degree | cells per row |\n"
               "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (uint32_t t = 0; t < m->n_tables; t++) {
        const struct vn_b_table *tb = m->tables[t];
        unsigned base = (unsigned)tb->n_columns[0] + tb->n_columns[1] + tb->n_columns[2];
        fprintf(f, "| %s | %u | %u | %u | %u | %u / %u | %u | 3 | %u |\n", tb->name, tb->n_columns[0], tb->n_columns[1], tb->n_columns[2],
                tb->n_interactions, outs[t].n_logup[0], outs[t].n_logup[1], constraint_count(&outs[t]), base + 6 * outs[t].n_columns);
    }
    for (unsigned kd = 0; kd < 2; kd++) {
        fprintf(f, "\nKind `%s`, in order (required ones in bold):", m->kinds[kd].name);
        for (uint32_t i = 0; i < m->kinds[kd].n_tables; i++)
            fprintf(f, "%s %s%s%s", i ? "," : "", m->kinds[kd].required[i] ? "**" : "", m->tables[m->kinds[kd].tables[i]]->name,
                    m->kinds[kd].required[i] ? "**" : "");
        fprintf(f, ".\n");
    }
    for (uint32_t t = 0; t < m->n_tables; t++) {
        const struct vn_b_table *tb = m->tables[t];
        fprintf(f, "\n## %s\n", tb->name);
        for (unsigned g = 0; g < 3; g++) {
            if (!tb->n_columns[g])
                continue;
            fprintf(f, "\n%s columns:", group_names[g]);
            for (unsigned c = 0; c < tb->n_columns[g]; c++)
                fprintf(f, " %s%s", tb->column_names[g][c], c + 1 < tb->n_columns[g] ? "," : ".");
            fprintf(f, "\n");
        }
        fprintf(f, "\nLogUp:");
        for (unsigned c = 0; c < outs[t].n_columns; c++)
            fprintf(f, "%s %s", c ? ";" : "", column_text(&outs[t], &outs[t].columns[c]));
        fprintf(f, ".\n");
        if (tb->n_constraints)
            fprintf(f, "\n| constraint | degree |\n| --- | --- |\n");
        for (uint32_t c = 0; c < tb->n_constraints; c++)
            fprintf(f, "| %s | %u |\n", tb->constraints[c].name, tb->nodes[tb->constraints[c].node].degree);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: airc OUT_DIR\n");
        return 2;
    }
    vn_b_start();
    tables_declare();
    if (vn_b_error()) {
        fprintf(stderr, "airc: %s\n", vn_b_error());
        return 1;
    }
    const struct vn_b_machine *m = vn_b_machine();
    outs = calloc(m->n_tables, sizeof *outs);
    if (!outs)
        return 1;
    for (uint32_t t = 0; t < m->n_tables; t++) {
        prepare(&outs[t], m->tables[t]);
        if (outs[t].n_nodes > VN_AIR_MAX_NODES || outs[t].n_columns > VN_AIR_MAX_LOGUP) {
            fprintf(stderr, "airc: table %s is too large: %u nodes, %u LogUp columns\n", m->tables[t]->name, outs[t].n_nodes, outs[t].n_columns);
            return 1;
        }
    }
    static const struct {
        const char *name;
        void (*write)(FILE *, const struct vn_b_machine *);
    } files[] = {{"air_tables.h", write_header}, {"air_data.c", write_data}, {"air_eval.inc", write_eval}, {"air_cuda.inc", write_cuda}, {"tables.md", write_doc}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        FILE *f = open_out(argv[1], files[i].name);
        files[i].write(f, m);
        close_out(f);
    }
    free(outs);
    vn_b_free();
    return 0;
}
