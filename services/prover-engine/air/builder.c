/* Nodes are hash-consed per table, so equal subexpressions are one node; constants fold. Every rule is checked where the thing is declared,
 * rules that need all tables at the end. */
#include "services/prover-engine/air/builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_SIZE 8192u

static struct vn_b_machine machine;
static struct vn_b_table *table; /* under construction */
static uint32_t hash_slots[HASH_SIZE]; /* node + 1 */
static char error_text[256];

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
    if (error_text[0])
        return;
    va_list args;
    va_start(args, format);
    int n = snprintf(error_text, sizeof error_text, "table %s: ", table ? table->name : "-");
    vsnprintf(error_text + n, sizeof error_text - (size_t)n, format, args);
    va_end(args);
}

const char *vn_b_error(void)
{
    return error_text[0] ? error_text : NULL;
}

const struct vn_b_machine *vn_b_machine(void)
{
    return &machine;
}

void vn_b_free(void)
{
    for (uint32_t i = 0; i < machine.n_tables; i++)
        free(machine.tables[i]);
    memset(&machine, 0, sizeof machine);
    table = NULL;
}

void vn_b_start(void)
{
    vn_b_free();
    error_text[0] = 0;
    snprintf(machine.kinds[0].name, sizeof machine.kinds[0].name, "execution");
    snprintf(machine.kinds[1].name, sizeof machine.kinds[1].name, "memory");
}

static void copy_name(char *out, size_t size, const char *name)
{
    if ((size_t)snprintf(out, size, "%s", name) >= size)
        fail("name %s is too long", name);
}

void vn_b_table(const char *name)
{
    if (machine.n_tables == VN_AIR_MAX_TABLES) {
        fail("too many tables");
        return;
    }
    table = calloc(1, sizeof *table);
    if (!table) {
        fprintf(stderr, "airc: out of memory\n");
        exit(1);
    }
    machine.tables[machine.n_tables++] = table;
    copy_name(table->name, sizeof table->name, name);
    table->selector = -1;
    memset(hash_slots, 0, sizeof hash_slots);
}

/* ---- Nodes ---- */

static ex node(struct vn_b_node n)
{
    uint32_t h = (n.op * 0x9e3779b1u) ^ (n.a * 0x85ebca6bu) ^ (n.b * 0xc2b2ae35u) ^ (n.value * 0x27d4eb2fu);
    for (h ^= h >> 15;; h++) {
        uint32_t slot = hash_slots[h % HASH_SIZE];
        if (!slot)
            break;
        const struct vn_b_node *m = &table->nodes[slot - 1];
        if (m->op == n.op && m->a == n.a && m->b == n.b && m->value == n.value)
            return (ex){slot - 1};
    }
    if (table->n_nodes == VN_B_MAX_NODES) {
        fail("too many nodes");
        return (ex){0};
    }
    table->nodes[table->n_nodes] = n;
    hash_slots[h % HASH_SIZE] = table->n_nodes + 1;
    return (ex){table->n_nodes++};
}

static int64_t signed_value(uint32_t v)
{
    return v > VN_P / 2 ? (int64_t)v - (int64_t)VN_P : (int64_t)v;
}

ex k(int64_t v)
{
    int64_t r = v % (int64_t)VN_P;
    uint32_t value = (uint32_t)(r < 0 ? r + (int64_t)VN_P : r);
    return node((struct vn_b_node){.op = VN_AIR_CONST, .value = value, .ranged = 1, .lo = signed_value(value), .hi = signed_value(value)});
}

static int is_const(ex e, uint32_t *value)
{
    const struct vn_b_node *n = &table->nodes[e.i];
    *value = n->value;
    return n->op == VN_AIR_CONST;
}

static struct vn_b_node binary(enum vn_air_op op, ex a, ex b)
{
    const struct vn_b_node *x = &table->nodes[a.i], *y = &table->nodes[b.i];
    struct vn_b_node n = {.op = (uint8_t)op, .a = a.i, .b = b.i};
    n.reads = x->reads | y->reads;
    n.ranged = x->ranged && y->ranged;
    unsigned degree = op == VN_AIR_MUL ? x->degree + y->degree : x->degree > y->degree ? x->degree : y->degree;
    n.degree = (uint8_t)(degree > 200 ? 200 : degree);
    if (n.ranged) {
        if (op == VN_AIR_ADD) {
            n.lo = x->lo + y->lo;
            n.hi = x->hi + y->hi;
        } else if (op == VN_AIR_SUB) {
            n.lo = x->lo - y->hi;
            n.hi = x->hi - y->lo;
        } else {
            int64_t c[4] = {x->lo * y->lo, x->lo * y->hi, x->hi * y->lo, x->hi * y->hi};
            n.lo = n.hi = c[0];
            for (int i = 1; i < 4; i++) {
                n.lo = c[i] < n.lo ? c[i] : n.lo;
                n.hi = c[i] > n.hi ? c[i] : n.hi;
            }
        }
        if (n.lo < -(1 << 15) || n.hi > (1 << 15))
            n.ranged = 0;
    }
    return n;
}

ex add(ex a, ex b)
{
    uint32_t x, y;
    int ca = is_const(a, &x), cb = is_const(b, &y);
    if (ca && cb)
        return k((int64_t)x + y);
    if (ca && x == 0)
        return b;
    if (cb && y == 0)
        return a;
    return a.i <= b.i ? node(binary(VN_AIR_ADD, a, b)) : node(binary(VN_AIR_ADD, b, a));
}

ex sub(ex a, ex b)
{
    uint32_t x, y;
    int ca = is_const(a, &x), cb = is_const(b, &y);
    if (ca && cb)
        return k((int64_t)x - y);
    if (cb && y == 0)
        return a;
    if (a.i == b.i)
        return k(0);
    return node(binary(VN_AIR_SUB, a, b));
}

ex mul(ex a, ex b)
{
    uint32_t x, y;
    int ca = is_const(a, &x), cb = is_const(b, &y);
    if (ca && cb)
        return k((int64_t)((uint64_t)x * y % VN_P));
    if ((ca && x == 0) || (cb && y == 0))
        return k(0);
    if (ca && x == 1)
        return b;
    if (cb && y == 1)
        return a;
    return a.i <= b.i ? node(binary(VN_AIR_MUL, a, b)) : node(binary(VN_AIR_MUL, b, a));
}

ex times(int64_t v, ex a)
{
    return mul(k(v), a);
}

ex over(ex a, uint32_t v)
{
    return mul(k((int64_t)vn_fp_to(vn_fp_inv(vn_fp_from(v)))), a);
}

ex sum_of(const ex *e, unsigned n)
{
    ex s = k(0);
    for (unsigned i = 0; i < n; i++)
        s = add(s, e[i]);
    return s;
}

ex shard_index(void)
{
    return node((struct vn_b_node){.op = VN_AIR_INDEX, .reads = VN_B_READS_INDEX});
}

/* ---- Columns ---- */

static ex column(enum vn_air_op group, const char *name)
{
    unsigned g = group - VN_AIR_PRE;
    if (table->n_columns[g] == VN_B_MAX_COLUMNS) {
        fail("too many columns");
        return k(0);
    }
    unsigned c = table->n_columns[g]++;
    for (unsigned h = 0; h < 3; h++)
        for (unsigned i = 0; i < table->n_columns[h]; i++)
            if (strcmp(table->column_names[h][i], name) == 0)
                fail("two columns %s", name);
    copy_name(table->column_names[g][c], sizeof table->column_names[g][c], name);
    return node((struct vn_b_node){.op = (uint8_t)group, .a = c, .degree = 1, .reads = (uint8_t)(1u << g)});
}

static ex make_boolean(ex e)
{
    struct vn_b_node *n = &table->nodes[e.i];
    boolean(table->column_names[n->op - VN_AIR_PRE][n->a], e);
    table->is_boolean[n->op - VN_AIR_PRE][n->a] = 1;
    n->ranged = 1;
    n->lo = 0;
    n->hi = 1;
    return e;
}

ex col_pre(const char *name)
{
    return column(VN_AIR_PRE, name);
}

ex col_p1(const char *name)
{
    return column(VN_AIR_P1, name);
}

ex col(const char *name)
{
    return column(VN_AIR_MAIN, name);
}

ex col_bool(const char *name)
{
    return make_boolean(col(name));
}

ex col_p1_bool(const char *name)
{
    return make_boolean(col_p1(name));
}

static int is_boolean_column(ex e)
{
    const struct vn_b_node *n = &table->nodes[e.i];
    return n->op >= VN_AIR_PRE && n->op <= VN_AIR_MAIN && table->is_boolean[n->op - VN_AIR_PRE][n->a];
}

void selector(ex e)
{
    if (!is_boolean_column(e))
        fail("the selector is not a boolean column");
    table->selector = (int)e.i;
    pinned(e);
}

void pinned(ex e)
{
    const struct vn_b_node *n = &table->nodes[e.i];
    if (n->op >= VN_AIR_PRE && n->op <= VN_AIR_MAIN)
        table->is_padded[n->op - VN_AIR_PRE][n->a] = 1;
    else
        fail("pinned: not a column");
}

static void several(ex *out, unsigned n, const char *stem, ex (*make)(const char *))
{
    for (unsigned i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%u", stem, i);
        out[i] = make(name);
    }
}

void cols(ex *out, unsigned n, const char *stem)
{
    several(out, n, stem, col);
}

void cols_p1(ex *out, unsigned n, const char *stem)
{
    several(out, n, stem, col_p1);
}

void cols_pre(ex *out, unsigned n, const char *stem)
{
    several(out, n, stem, col_pre);
}

void cols_bool(ex *out, unsigned n, const char *stem)
{
    several(out, n, stem, col_bool);
}

/* ---- Constraints ---- */

void zero(const char *name, ex e)
{
    const struct vn_b_node *n = &table->nodes[e.i];
    if (n->degree > VN_B_MAX_DEGREE)
        fail("constraint %s has degree %u", name, n->degree);
    if (n->op == VN_AIR_CONST && n->value == 0)
        return;
    if (table->n_constraints == VN_B_MAX_CONSTRAINTS) {
        fail("too many constraints");
        return;
    }
    uint32_t c = table->n_constraints++;
    copy_name(table->constraints[c].name, sizeof table->constraints[c].name, name);
    table->constraints[c].node = e.i;
}

void equal(const char *name, ex a, ex b)
{
    zero(name, sub(a, b));
}

void boolean(const char *name, ex e)
{
    char text[64];
    snprintf(text, sizeof text, "%.40s is boolean", name);
    zero(text, mul(e, sub(e, k(1))));
}

void vn_b_table_end(void)
{
    if (table->n_columns[1] && table->selector < 0)
        fail("phase-1 columns without a selector");
    if (table->selector < 0)
        return;
    ex off = sub(k(1), (ex){(uint32_t)table->selector});
    for (unsigned g = 1; g < 3; g++) /* preprocessed columns are what they are */
        for (unsigned c = 0; c < table->n_columns[g]; c++)
            if (!table->is_padded[g][c]) {
                char name[64];
                snprintf(name, sizeof name, "%s is 0 on padding rows", table->column_names[g][c]);
                zero(name, mul(off, node((struct vn_b_node){.op = (uint8_t)(VN_AIR_PRE + g), .a = c, .degree = 1, .reads = (uint8_t)(1u << g)})));
            }
    if (table->selector >= 0 && table->nodes[table->selector].op == VN_AIR_MAIN && table->n_columns[1])
        fail("phase-1 columns need a phase-1 selector");
}

/* ---- Interactions ---- */

static void interact(enum vn_air_interaction_kind kind, enum vn_bus bus, unsigned scope, int sign, ex multiplicity, unsigned width, const ex *tuple)
{
    if (table->n_interactions == VN_B_MAX_INTERACTIONS) {
        fail("too many interactions");
        return;
    }
    if (width == 0 || width > VN_AIR_MAX_TUPLE || scope >= VN_SCOPE_COUNT) {
        fail("bus %d: width %u, scope %u", (int)bus, width, scope);
        return;
    }
    const struct vn_b_node *m = &table->nodes[multiplicity.i];
    struct vn_b_interaction *x = &table->interactions[table->n_interactions++];
    *x = (struct vn_b_interaction){.bus = (uint8_t)bus, .scope = (uint8_t)scope, .kind = (uint8_t)kind, .width = (uint8_t)width,
                                   .sign = (int8_t)sign, .multiplicity = multiplicity.i};
    unsigned reads = m->reads;
    for (unsigned i = 0; i < width; i++) {
        const struct vn_b_node *t = &table->nodes[tuple[i].i];
        if (t->degree > 1)
            fail("bus %d: tuple element %u has degree %u", (int)bus, i, t->degree);
        reads |= t->reads;
        x->tuple[i] = tuple[i].i;
    }
    if (scope == VN_SCOPE_GLOBAL && (reads & VN_B_READS_MAIN))
        fail("bus %d: a global interaction reads a main column", (int)bus);
    if ((kind == VN_AIR_PERMUTATION) != !vn_air_bus_is_lookup(bus))
        fail("bus %d: wrong kind of interaction", (int)bus);
    if (kind != VN_AIR_PERMUTATION && scope != VN_SCOPE_LOCAL)
        fail("bus %d: lookups are local", (int)bus);
    if ((scope == VN_SCOPE_GLOBAL) != (bus == VN_BUS_GLOBAL_MEMORY || bus == VN_BUS_OUTPUT))
        fail("bus %d: wrong scope", (int)bus);
    if (m->degree > VN_B_MAX_DEGREE - 1)
        fail("bus %d: multiplicity of degree %u", (int)bus, m->degree);
    if (kind == VN_AIR_PERMUTATION && !is_boolean_column(multiplicity))
        fail("bus %d: the multiplicity is not a boolean column", (int)bus);
    if (kind == VN_AIR_LOOKUP && (!m->ranged || m->lo < 0 || m->hi > 64))
        fail("bus %d: the multiplicity is not bounded", (int)bus);
    if (kind == VN_AIR_PROVIDE && (m->op != VN_AIR_MAIN))
        fail("bus %d: a provider's multiplicity is a main column", (int)bus);
    x->bound = kind == VN_AIR_PERMUTATION ? 1 : kind == VN_AIR_LOOKUP ? m->hi : 0;
}

void put(enum vn_bus bus, unsigned scope, ex flag, unsigned width, const ex *tuple)
{
    interact(VN_AIR_PERMUTATION, bus, scope, 1, flag, width, tuple);
}

void take(enum vn_bus bus, unsigned scope, ex flag, unsigned width, const ex *tuple)
{
    interact(VN_AIR_PERMUTATION, bus, scope, -1, flag, width, tuple);
}

void lookup(enum vn_bus bus, ex multiplicity, unsigned width, const ex *tuple)
{
    interact(VN_AIR_LOOKUP, bus, VN_SCOPE_LOCAL, -1, multiplicity, width, tuple);
}

void provide(enum vn_bus bus, ex multiplicity, unsigned width, const ex *tuple)
{
    interact(VN_AIR_PROVIDE, bus, VN_SCOPE_LOCAL, 1, multiplicity, width, tuple);
}

/* ---- The machine ---- */

void vn_b_kind_table(unsigned kind, const char *name, int required, unsigned fixed_log_height)
{
    struct vn_b_kind *kd = &machine.kinds[kind];
    for (uint32_t t = 0; t < machine.n_tables; t++)
        if (strcmp(machine.tables[t]->name, name) == 0) {
            kd->tables[kd->n_tables] = (uint8_t)t;
            kd->required[kd->n_tables] = (uint8_t)required;
            kd->fixed_log_height[kd->n_tables++] = (uint8_t)fixed_log_height;
            return;
        }
    fail("no table %s", name);
}

void vn_b_finish(void)
{
    unsigned width[256] = {0}, providers[256] = {0};
    table = NULL;
    for (uint32_t t = 0; t < machine.n_tables; t++) {
        const struct vn_b_table *tb = machine.tables[t];
        for (uint32_t i = 0; i < tb->n_interactions; i++) {
            const struct vn_b_interaction *x = &tb->interactions[i];
            if (width[x->bus] && width[x->bus] != x->width)
                fail("%s: bus %u has tuples of %u and %u elements", tb->name, x->bus, width[x->bus], x->width);
            width[x->bus] = x->width;
            providers[x->bus] += x->kind == VN_AIR_PROVIDE;
        }
    }
    for (unsigned bus = 0; bus < 256; bus++)
        if (width[bus] && vn_air_bus_is_lookup(bus) && providers[bus] != 1)
            fail("lookup bus %u has %u providers", bus, providers[bus]);
    for (unsigned kd = 0; kd < 2; kd++) {
        /* A kind that looks something up must hold the provider, and never optionally. */
        unsigned used[256] = {0}, provided[256] = {0};
        for (uint32_t i = 0; i < machine.kinds[kd].n_tables; i++) {
            const struct vn_b_table *tb = machine.tables[machine.kinds[kd].tables[i]];
            for (uint32_t j = 0; j < tb->n_interactions; j++) {
                const struct vn_b_interaction *x = &tb->interactions[j];
                used[x->bus] |= x->kind == VN_AIR_LOOKUP;
                provided[x->bus] |= x->kind == VN_AIR_PROVIDE && machine.kinds[kd].required[i];
            }
        }
        for (unsigned bus = 0; bus < 256; bus++)
            if (used[bus] && !provided[bus])
                fail("kind %s looks up bus %u and may lack its provider", machine.kinds[kd].name, bus);
    }
}
