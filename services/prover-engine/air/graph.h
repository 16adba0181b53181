#ifndef VN_AIR_GRAPH_H
#define VN_AIR_GRAPH_H
/* The tables as data: what the verifier's point evaluation, the row checker and the multiplicity counter walk through. Emitted by airc. */

#include <stdint.h>

#include "services/prover-engine/air/air.h"

enum vn_air_op { VN_AIR_CONST, VN_AIR_PRE, VN_AIR_P1, VN_AIR_MAIN, VN_AIR_INDEX, VN_AIR_ADD, VN_AIR_SUB, VN_AIR_MUL };

enum vn_air_interaction_kind { VN_AIR_PERMUTATION, VN_AIR_LOOKUP, VN_AIR_PROVIDE };

/* Operands precede their node. */
struct vn_air_node {
    uint32_t value; /* CONST: canonical */
    uint16_t a, b;  /* ADD, SUB, MUL: nodes; PRE, P1, MAIN: a is the column */
    uint16_t op;
};

struct vn_air_interaction {
    uint8_t bus, scope, kind, width;
    int8_t sign;           /* providers +1, lookups -1 */
    uint16_t multiplicity; /* node */
    uint16_t bound;        /* of |multiplicity|, 0 for providers */
    uint16_t tuple[VN_AIR_MAX_TUPLE];
};

struct vn_air_graph {
    const struct vn_air_node *nodes;
    const uint16_t *constraints; /* nodes that must vanish; the LogUp constraints follow from the interactions */
    const struct vn_air_interaction *interactions;
    uint16_t n_nodes, n_constraints, n_interactions;
    uint16_t n_lookup_nodes; /* the first nodes, enough for every lookup's multiplicity and tuple */
};

extern const struct vn_air_graph vn_air_graphs[];

/* Largest n_nodes of any table is at most this. */
#define VN_AIR_MAX_NODES 2048
#define VN_AIR_MAX_LOGUP 40 /* extension columns of one scope */

int vn_air_bus_is_lookup(unsigned bus);
const char *vn_air_bus_name(unsigned bus);
unsigned vn_air_bus_width(unsigned bus);

#endif
