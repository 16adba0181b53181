#ifndef VN_BUILDER_H
#define VN_BUILDER_H
/* Declaring tables: columns, constraints and interactions over an expression graph. Only airc and its tests use this.
 *
 * One machine at a time is under construction, and inside it one table, so the functions name neither: declarations then read like the
 * formulas they are. The first broken rule is remembered (vn_b_error) and makes everything after it void. */

#include <stddef.h>
#include <stdint.h>

#include "services/prover-engine/air/air.h"
#include "services/prover-engine/air/graph.h"

#define VN_B_MAX_NODES 4096
#define VN_B_MAX_COLUMNS 128
#define VN_B_MAX_CONSTRAINTS 256
#define VN_B_MAX_INTERACTIONS 64
#define VN_B_MAX_DEGREE 3

/* An expression of the table under construction. */
typedef struct {
    uint32_t i;
} ex;

struct vn_b_node {
    uint8_t op;       /* enum vn_air_op */
    uint8_t degree;
    uint8_t reads;    /* bit per column group read, VN_B_READS_* */
    uint8_t ranged;   /* lo..hi below hold: built from boolean columns and constants only */
    uint32_t a, b;
    uint32_t value;   /* canonical */
    int64_t lo, hi;
};
enum { VN_B_READS_PRE = 1, VN_B_READS_P1 = 2, VN_B_READS_MAIN = 4, VN_B_READS_INDEX = 8 };

struct vn_b_interaction {
    uint8_t bus, scope, kind, width; /* kind: enum vn_air_interaction_kind */
    int8_t sign;
    uint32_t multiplicity;           /* node, without the sign */
    uint32_t tuple[VN_AIR_MAX_TUPLE];
    int64_t bound;                   /* of |multiplicity|; 0 for providers, whose multiplicity is free */
};

struct vn_b_table {
    char name[24];
    struct vn_b_node nodes[VN_B_MAX_NODES];
    uint32_t n_nodes;
    char column_names[3][VN_B_MAX_COLUMNS][24]; /* by enum vn_air_op - VN_AIR_PRE */
    uint16_t n_columns[3];
    uint8_t is_boolean[3][VN_B_MAX_COLUMNS];
    uint8_t is_padded[3][VN_B_MAX_COLUMNS];     /* already zero where sel is 0 */
    int selector;                               /* node of the sel column, -1 if none */
    struct {
        char name[64];
        uint32_t node;
    } constraints[VN_B_MAX_CONSTRAINTS];
    uint32_t n_constraints;
    struct vn_b_interaction interactions[VN_B_MAX_INTERACTIONS];
    uint32_t n_interactions;
};

struct vn_b_kind {
    char name[16];
    uint32_t n_tables;
    uint8_t tables[VN_AIR_MAX_TABLES], required[VN_AIR_MAX_TABLES], fixed_log_height[VN_AIR_MAX_TABLES];
};

struct vn_b_machine {
    struct vn_b_table *tables[VN_AIR_MAX_TABLES];
    uint32_t n_tables;
    struct vn_b_kind kinds[2];
};

void vn_b_start(void);                 /* an empty machine */
void vn_b_finish(void);                /* rules that span tables */
const char *vn_b_error(void);          /* NULL: no rule broken */
const struct vn_b_machine *vn_b_machine(void);
void vn_b_free(void);

/* Tables. `fixed_log_height` 0: free. The end adds "zero on padding rows" for every column of a table with a selector. */
void vn_b_table(const char *name);
void vn_b_table_end(void);
void vn_b_kind_table(unsigned kind, const char *table, int required, unsigned fixed_log_height);

/* Columns. col_bool adds the constraint x (x - 1) = 0. The selector is a boolean column "sel" that all others vanish without. */
ex col_pre(const char *name);
ex col_p1(const char *name);
ex col(const char *name);
ex col_bool(const char *name);
ex col_p1_bool(const char *name);
void selector(ex column);
void cols(ex *out, unsigned n, const char *stem); /* stem0, stem1, ... */
void cols_p1(ex *out, unsigned n, const char *stem);
void cols_pre(ex *out, unsigned n, const char *stem);
void cols_bool(ex *out, unsigned n, const char *stem);
void pinned(ex column); /* the table's own constraints make the column zero on padding rows */

/* Expressions. */
ex k(int64_t v);
ex shard_index(void);
ex add(ex a, ex b);
ex sub(ex a, ex b);
ex mul(ex a, ex b);
ex times(int64_t v, ex a);
ex over(ex a, uint32_t v); /* a / v */
ex sum_of(const ex *e, unsigned n);

/* Constraints. */
void zero(const char *name, ex e);
void equal(const char *name, ex a, ex b);
void boolean(const char *name, ex e); /* e (e - 1) = 0 */

/* Interactions. Permutation buses: `flag` is a boolean column. Lookups: `times` is built from boolean columns, never negative. */
void put(enum vn_bus bus, unsigned scope, ex flag, unsigned width, const ex *tuple);
void take(enum vn_bus bus, unsigned scope, ex flag, unsigned width, const ex *tuple);
void lookup(enum vn_bus bus, ex multiplicity, unsigned width, const ex *tuple);
void provide(enum vn_bus bus, ex multiplicity, unsigned width, const ex *tuple);

#define TUPLE(...) (unsigned)(sizeof((ex[]){__VA_ARGS__}) / sizeof(ex)), (ex[]){__VA_ARGS__}

#endif
