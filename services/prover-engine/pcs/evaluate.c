/* f(y) is the dot product of the bit-reversed coefficients with w[i] = y^bitrev(i), one table per height. The table doubles: appending bit b of the
 * index multiplies by y^(n / 2^(b+1)). */
#include "services/prover-engine/pcs/ext.h"
#include "services/prover-engine/pcs/open.h"

struct evaluation {
    const struct vn_pcs_commit *c;
    const struct vn_pcs_domain *d;
    const struct vn_pcs_class *k;
    vn_fp *w[6];
    struct vn_fp6 *values;
};

static void power_table(const struct vn_backend *b, vn_fp *const w[6], struct vn_fp6 y, unsigned log_n)
{
    for (int k = 0; k < 6; k++)
        w[k][0] = k == 0 ? VN_FP_ONE : 0;
    for (unsigned bit = 0; bit < log_n; bit++) {
        struct vn_ext_scalar s = vn_ext_scalar(vn_fp6_pow(y, (uint64_t)1 << (log_n - 1 - bit)));
        size_t half = (size_t)1 << bit;
        vn_fp *upper[6];
        for (int k = 0; k < 6; k++) {
            upper[k] = w[k] + half;
            memset(upper[k], 0, half * sizeof(vn_fp));
        }
        vn_ext_axpy(b, upper, w, 0, &s, half);
    }
}

static void dot_task(void *ctx, size_t task, unsigned thread)
{
    const struct evaluation *e = ctx;
    (void)thread;
    uint32_t col = e->k->first_col + (uint32_t)task;
    const vn_fp *const w[6] = {e->w[0], e->w[1], e->w[2], e->w[3], e->w[4], e->w[5]};
    e->values[col] = e->d->backend->dot_fp6(e->c->coefs + vn_pcs_column_offset(e->c, col), w, (size_t)1 << e->k->log_height);
}

enum vn_status vn_pcs_evaluate(const struct vn_pcs_commit *c, const struct vn_pcs_domain *d, const struct vn_pcs_points *points,
                               enum vn_pcs_point point, struct vn_fp6 *values)
{
    if (c->shape.n_classes == 0)
        return VN_OK;
    size_t n = (size_t)1 << c->shape.classes[0].log_height, bytes = 6 * n * sizeof(vn_fp);
    vn_fp *memory = vn_buffer_new(bytes);
    if (!memory)
        return VN_ERR_MEMORY;
    struct evaluation e = {.c = c, .d = d, .values = values};
    vn_ext_split(e.w, memory, n);
    for (unsigned i = 0; i < c->shape.n_classes; i++) {
        e.k = &c->shape.classes[i];
        power_table(d->backend, e.w, vn_pcs_point(points, point, e.k->log_height), e.k->log_height);
        vn_pool_run(d->pool, e.k->n_cols, dot_task, &e);
    }
    vn_buffer_free(memory);
    return VN_OK;
}
