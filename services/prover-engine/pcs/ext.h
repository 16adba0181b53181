#ifndef VN_PCS_EXT_H
#define VN_PCS_EXT_H
/* Extension vectors are six base arrays. A vector times an extension scalar y is a combination with the scalars y, xy, ..., x^5 y. */

#include "services/prover-engine/backend/backend.h"

struct vn_ext_scalar {
    struct vn_fp6 xy[6]; /* x^i y */
};

static inline struct vn_ext_scalar vn_ext_scalar(struct vn_fp6 y)
{
    struct vn_ext_scalar s;
    struct vn_fp6 x = {{0, VN_FP_ONE, 0, 0, 0, 0}};
    s.xy[0] = y;
    for (int i = 1; i < 6; i++)
        s.xy[i] = vn_fp6_mul(s.xy[i - 1], x);
    return s;
}

/* acc += f * y, n entries from f[k] + f_at. */
static inline void vn_ext_axpy(const struct vn_backend *b, vn_fp *const acc[6], vn_fp *const f[6], size_t f_at, const struct vn_ext_scalar *y,
                               size_t n)
{
    const vn_fp *const terms[6] = {f[0] + f_at, f[1] + f_at, f[2] + f_at, f[3] + f_at, f[4] + f_at, f[5] + f_at};
    b->combine_fp6(acc, terms, y->xy, 6, n);
}

/* Six arrays of n entries in one buffer. */
static inline void vn_ext_split(vn_fp *a[6], vn_fp *buffer, size_t n)
{
    for (size_t k = 0; k < 6; k++)
        a[k] = buffer + k * n;
}

#endif
