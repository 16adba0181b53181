#ifndef VN_PCS_LAYOUT_H
#define VN_PCS_LAYOUT_H
/* Which columns a commitment holds and how they are stacked; shared by prover and verifier.
 *
 * A tree's columns are sorted by descending height. Columns of height n = 2^h fill stacks of s = N / n slots; unused slots are zero
 * polynomials. Slot t of a stack holds the column f_j with j = bitrev(t) in F(X) = sum_j X^j f_j(X^s), so that the stack's bit-reversed coefficients
 * are the plain concatenation of its columns' bit-reversed coefficients. */

#include <stddef.h>
#include <stdint.h>

#include "services/prover-engine/field/fp6.h"
#include "services/prover-engine/verify/params.h"

#define VN_PCS_MAX_CLASSES (VN_PCS_MAX_LOG_N + 1u)
#define VN_PCS_MAX_TREES 5u
#define VN_PCS_MAX_OPENINGS 8u

struct vn_pcs_class {
    unsigned log_height;
    uint32_t first_col, n_cols;
    uint32_t first_stack, n_stacks;
};

struct vn_pcs_tree {
    unsigned n_classes;
    uint32_t n_cols, n_stacks;
    struct vn_pcs_class classes[VN_PCS_MAX_CLASSES]; /* descending height, only those with columns */
};

/* n_cols: columns per log2 height. */
void vn_pcs_tree_init(struct vn_pcs_tree *t, unsigned log_n, const uint32_t n_cols[VN_PCS_MAX_LOG_N + 1]);

/* NULL if the tree has no columns of that height. */
const struct vn_pcs_class *vn_pcs_tree_class(const struct vn_pcs_tree *t, unsigned log_height);

/* The points: zeta for every height, the next row's w_n * zeta per height, and the phase-1 point z. */
enum vn_pcs_point { VN_POINT_ZETA = 0, VN_POINT_NEXT = 1, VN_POINT_Z = 2, VN_POINT_COUNT = 3 };

struct vn_pcs_points {
    struct vn_fp6 zeta, z;
};
struct vn_fp6 vn_pcs_point(const struct vn_pcs_points *p, enum vn_pcs_point point, unsigned log_height);

/* A point outside the base field is in no evaluation domain (they are cosets of 2-power subgroups of F_p*), so neither y^n = 1
 * nor x^s = y for a domain point x. */
int vn_pcs_point_is_safe(const struct vn_fp6 *y);

struct vn_pcs_opening {
    uint8_t tree, point;
};

/* All that is opened together: trees, and the list of (tree, point). The powers of the batching challenge number the pairs
 * (opening, stack) in the order of this list. */
struct vn_pcs_shape {
    const struct vn_pcs_params *params;
    unsigned n_trees, n_openings;
    struct vn_pcs_tree trees[VN_PCS_MAX_TREES];
    struct vn_pcs_opening openings[VN_PCS_MAX_OPENINGS];
};

/* Number of batched functions. */
uint32_t vn_pcs_batch(const struct vn_pcs_shape *s);

/* Slots that hold a column in at least one stack of the class that is opened at the point: slots [0, result). */
uint32_t vn_pcs_used_slots(const struct vn_pcs_shape *s, enum vn_pcs_point point, unsigned log_height);

static inline uint32_t vn_bitrev(uint32_t x, unsigned bits)
{
    uint32_t r = 0;
    for (unsigned i = 0; i < bits; i++, x >>= 1)
        r = r << 1 | (x & 1);
    return r;
}

#endif
