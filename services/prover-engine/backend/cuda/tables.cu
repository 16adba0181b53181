/* LogUp columns and quotients: the generated kernels, and the stages around them (see stark/logup.c and stark/quotient.c). */
#include <string.h>

#include "services/prover-engine/backend/cuda/stages.h"

#include "air_cuda.inc"

enum { N_TABLES = sizeof table_kernels / sizeof table_kernels[0] };

uint64_t tables_fingerprint(void)
{
    return TABLES_FINGERPRINT;
}

static void set_params(struct params *p, const struct vn_cuda_machine *m, const struct vn_cuda_table *t)
{
    const struct table_kernels *k = &table_kernels[t->id];
    memset(p, 0, sizeof *p);
    p->shard_index = m->shard_index;
    memcpy(p->beta, m->beta, sizeof p->beta);
    memcpy(p->constants, t->constants, k->n_interactions * sizeof *p->constants);
    if (t->alpha)
        memcpy(p->alpha, t->alpha, k->n_constraints * sizeof *p->alpha);
    vf by_n = vf_inverse(vn_fp_from((uint32_t)1 << t->log_height));
    for (unsigned scope = 0; scope < 2; scope++)
        p->sum_per_row[scope] = ve_scale(t->totals[scope], by_n);
}

static void run(const struct vn_cuda_session *s, const row_kernel *kernels, unsigned n, const struct rows *r, const struct params *p, vn_fp *out,
                size_t stride)
{
    for (unsigned i = 0; i < n; i++)
        LAUNCH_EACH(s->stream, kernels[i], r->n, *r, *p, out, stride);
}

/* The table's columns as values. */
static struct rows value_rows(const struct vn_cuda_machine *m, const struct vn_cuda_table *t)
{
    struct rows r;
    memset(&r, 0, sizeof r);
    r.n = (size_t)1 << t->log_height;
    for (unsigned g = 0; g < VN_CUDA_LOGUP; g++) {
        r.stride[g] = r.n;
        if (table_kernels[t->id].n_columns[g] > 0)
            r.columns[g] = m->commits[g]->values + commit_column(m->commits[g], t->first_col[g]);
    }
    return r;
}

static int table_is_known(struct vn_cuda_session *s, const struct vn_cuda_table *t)
{
    return t->id < N_TABLES && t->log_height <= s->log_n;
}

int stage_logup(struct vn_cuda_session *s, const struct vn_cuda_machine *m, struct vn_cuda_table *tables, size_t n_tables)
{
    vn_fp *totals = NULL, *sums = NULL;
    struct vn_cuda_commit *c = m->commits[VN_CUDA_LOGUP];
    int status = device_new_zero(s, &totals, 12 * n_tables);
    if (status == VN_OK)
        status = device_new(s, &sums, 6 * poly_sum_parts((size_t)1 << s->log_n));
    for (size_t i = 0; i < n_tables && status == VN_OK; i++) {
        const struct vn_cuda_table *t = &tables[i];
        if (!table_is_known(s, t)) {
            status = VN_ERR_INTERNAL;
            break;
        }
        const struct table_kernels *k = &table_kernels[t->id];
        struct rows r = value_rows(m, t);
        struct params p;
        set_params(&p, m, t);
        vn_fp *out = c->coefs + commit_column(c, t->first_col[VN_CUDA_LOGUP]);
        run(s, k->logup, k->n_logup, &r, &p, out, r.n);
        for (unsigned scope = 0; scope < 2; scope++)
            if (k->sums[scope] >= 0)
                poly_running_sums(s, out + 6 * (size_t)k->sums[scope] * r.n, totals + 12 * i + 6 * scope, sums, t->log_height);
        status = session_check(s, "LogUp");
    }
    for (size_t i = 0; i < n_tables && status == VN_OK; i++)
        status = device_download(s, tables[i].totals, totals + 12 * i, sizeof tables[i].totals);
    device_free(s, sums);
    device_free(s, totals);
    return status;
}

/* ---- Quotient ---- */

struct height {
    struct vn_cuda_session *s;
    unsigned log_n;
    vn_fp *acc;      /* per coset six arrays */
    vn_fp *scale;    /* of both cosets */
    vn_fp *unscale;
    vn_fp *extended; /* room for the widest table */
};

/* The table's columns on one coset: in the codewords if they have the common height, else extended here. */
static struct rows coset_rows(const struct height *h, const struct vn_cuda_machine *m, const struct vn_cuda_table *t, unsigned coset)
{
    struct rows r;
    memset(&r, 0, sizeof r);
    r.n = (size_t)1 << h->log_n;
    vn_fp *out = h->extended;
    for (unsigned g = 0; g < VN_CUDA_GROUPS; g++) {
        unsigned n = table_kernels[t->id].n_columns[g];
        if (n == 0)
            continue;
        const struct vn_cuda_commit *c = m->commits[g];
        size_t at = commit_column(c, t->first_col[g]);
        if (h->log_n == h->s->log_n) {
            r.columns[g] = c->codewords + 2 * at + coset * r.n;
            r.stride[g] = 2 * r.n;
            continue;
        }
        ntt_coset(h->s, out, r.n, c->coefs + at, r.n, n, h->scale + coset * r.n, h->log_n);
        r.columns[g] = out;
        r.stride[g] = r.n;
        out += n * r.n;
    }
    return r;
}

static size_t widest_table(const struct vn_cuda_table *tables, size_t n_tables, unsigned log_n)
{
    size_t widest = 0;
    for (size_t i = 0; i < n_tables; i++) {
        size_t n = 0;
        for (unsigned g = 0; g < VN_CUDA_GROUPS && tables[i].log_height == log_n; g++)
            n += table_kernels[tables[i].id].n_columns[g];
        widest = n > widest ? n : widest;
    }
    return widest;
}

/* All tables of one height into its twelve columns. */
static void combine_height(const struct height *h, const struct vn_cuda_machine *m, const struct vn_cuda_table *tables, size_t n_tables, vn_fp *q)
{
    size_t n = (size_t)1 << h->log_n;
    for (unsigned coset = 0; coset < 2; coset++) {
        vn_fp shift = coset_shift(h->s->shift, h->log_n, coset);
        ntt_scale_table(h->s, h->scale + coset * n, shift, h->log_n);
        ntt_scale_table(h->s, h->unscale + coset * n, vf_inverse(shift), h->log_n);
    }
    for (size_t i = 0; i < n_tables; i++) {
        const struct vn_cuda_table *t = &tables[i];
        if (t->log_height != h->log_n)
            continue;
        const struct table_kernels *k = &table_kernels[t->id];
        struct params p;
        set_params(&p, m, t);
        for (unsigned coset = 0; coset < 2; coset++) {
            struct rows r = coset_rows(h, m, t, coset);
            run(h->s, k->quotient, k->n_quotient, &r, &p, h->acc + coset * 6 * n, n);
        }
    }
    ntt_inverse(h->s, h->acc, n, 12, h->log_n);
    poly_split(h->s, q, h->acc, h->unscale, h->log_n);
}

static int quotient_height(struct vn_cuda_session *s, const struct vn_cuda_machine *m, const struct vn_cuda_table *tables, size_t n_tables,
                           const struct vn_cuda_class *class_, struct vn_cuda_commit *quot)
{
    struct height h = {s, class_->log_height, NULL, NULL, NULL, NULL};
    size_t n = (size_t)1 << h.log_n;
    int status = device_new_zero(s, &h.acc, 12 * n);
    if (status == VN_OK)
        status = device_new(s, &h.scale, 2 * n);
    if (status == VN_OK)
        status = device_new(s, &h.unscale, 2 * n);
    if (status == VN_OK && h.log_n < s->log_n)
        status = device_new(s, &h.extended, widest_table(tables, n_tables, h.log_n) * n);
    if (status == VN_OK) {
        combine_height(&h, m, tables, n_tables, quot->coefs + commit_column(quot, class_->first_col));
        status = session_check(s, "quotient");
    }
    device_free(s, h.extended);
    device_free(s, h.unscale);
    device_free(s, h.scale);
    device_free(s, h.acc);
    return status;
}

int stage_quotient(struct vn_cuda_session *s, const struct vn_cuda_machine *m, const struct vn_cuda_table *tables, size_t n_tables,
                   struct vn_cuda_commit *quot)
{
    int status = VN_OK;
    for (size_t i = 0; i < n_tables; i++)
        if (!table_is_known(s, &tables[i]))
            return VN_ERR_INTERNAL;
    for (uint32_t i = 0; i < quot->shape.n_classes && status == VN_OK; i++)
        status = quotient_height(s, m, tables, n_tables, &quot->shape.classes[i], quot);
    return status == VN_OK ? session_wait(s, "quotient") : status;
}
