#ifndef VN_CUDA_STAGES_H
#define VN_CUDA_STAGES_H
/* The stages behind the table of api.h; contracts there. */

#include "services/prover-engine/backend/cuda/session.h"

int commit_new(struct vn_cuda_commit **c, struct vn_cuda_session *s, const struct vn_cuda_shape *shape, int with_values);
void commit_free(struct vn_cuda_commit *c);
int commit_upload_values(struct vn_cuda_commit *c, const vn_fp *host_values, int canonical);
int commit_upload_coefs(struct vn_cuda_commit *c, const vn_fp *host_coefs);
int commit_build(struct vn_cuda_commit *c, int from_values, struct vn_digest *root);
int commit_evaluate(struct vn_cuda_commit *c, const struct vn_fp6 *points, struct vn_fp6 *host_values);
int commit_open(struct vn_cuda_commit *c, const struct vn_cuda_opening *o);

int stage_logup(struct vn_cuda_session *s, const struct vn_cuda_machine *m, struct vn_cuda_table *tables, size_t n_tables);
int stage_quotient(struct vn_cuda_session *s, const struct vn_cuda_machine *m, const struct vn_cuda_table *tables, size_t n_tables,
                   struct vn_cuda_commit *quot);
int stage_grind(struct vn_cuda_session *s, const vn_fp start[VN_HASH_WIDTH], uint32_t n_in, uint32_t bits, uint32_t *nonce);

int fri_new(struct vn_cuda_fri **f, struct vn_cuda_session *s, const struct vn_cuda_deep_group *groups, size_t n_groups);
void fri_free(struct vn_cuda_fri *f);
int fri_commit(struct vn_cuda_fri *f, uint32_t layer, struct vn_digest *root);
int fri_fold(struct vn_cuda_fri *f, uint32_t layer, const struct vn_fp6 powers[VN_CUDA_FOLD]);
int fri_coefs(struct vn_cuda_fri *f, uint32_t layer, vn_fp *host_coefs);
int fri_open(struct vn_cuda_fri *f, uint32_t layer, const struct vn_cuda_opening *o);

/* ---- Shared by commit.cu, fri.cu and tables.cu ---- */

struct vn_cuda_commit {
    struct vn_cuda_session *s;
    struct vn_cuda_shape shape;
    vn_fp *values; /* NULL if it has none */
    vn_fp *coefs;
    vn_fp *codewords; /* 2N a stack; made by the build */
    vn_fp *nodes;     /* as in backend.h; made by the build */
};

/* Where a column starts in values and coefs. */
size_t commit_column(const struct vn_cuda_commit *c, uint32_t col);

struct opening_source {
    const vn_fp *columns, *nodes;
    size_t stride, width;
    unsigned log_rows;
    unsigned log_n; /* of a layer */
    int is_layer;
};
int open_rows(struct vn_cuda_session *s, const struct opening_source *from, const struct vn_cuda_opening *o);

#endif
