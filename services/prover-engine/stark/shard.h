#ifndef VN_STARK_SHARD_H
#define VN_STARK_SHARD_H
/* One shard being proved; inside the prover only. The stages fill it in the order of the fields. */

#include "services/prover-engine/pcs/open.h"
#include "services/prover-engine/stark/prove.h"
#include "services/prover-engine/verify/leaf.h"

struct vn_proving {
    const struct vn_prover *p;
    const struct vn_shard *shard;
    const struct vn_device *device;
    const struct vn_air_kernels *kernels;
    struct vn_pcs_domain domain; /* the set-up's, with this prover's device, backend and pool */
    struct vn_replay replay;
    struct vn_shard_header header;
    struct vn_shard_shape shape;
    struct vn_trace trace;       /* its columns lie in p1 and main */
    const struct vn_pcs_commit *pre; /* the set-up's, on the device */
    struct vn_pcs_commit p1, main, logup, quot;
    int has_phase1;              /* p1, z_evals and leaf came from the store: the trace's phase-1 columns lie in `columns` */
    struct vn_pcs_commit columns;
    struct vn_fp6 *z_evals;
    struct vn_digest leaf;
    struct vn_air_challenges challenges;
    struct vn_fp6 totals[VN_AIR_MAX_TABLES][VN_SCOPE_COUNT];
};

/* ---- The stages, in order (prove.c). After an error only vn_proving_fini may follow. ---- */

/* Replay and shape. */
enum vn_status vn_proving_start(struct vn_proving *w, const struct vn_prover *p, const struct vn_shard *shard, struct vn_error *err) VN_MUST_CHECK;

/* All columns, or those of phase 1 alone; canonical integers until they are committed. */
enum vn_status vn_proving_fill_trace(struct vn_proving *w, struct vn_error *err) VN_MUST_CHECK;
enum vn_status vn_proving_fill_phase1(struct vn_proving *w, struct vn_error *err) VN_MUST_CHECK;

/* Commits phase 1 and forms the leaf. */
enum vn_status vn_proving_commit_phase1(struct vn_proving *w, struct vn_error *err) VN_MUST_CHECK;

/* Everything after the contribution is known to the job; appends the proof to out. */
enum vn_status vn_proving_finish(struct vn_proving *w, const struct vn_job *job, struct vn_writer *out, struct vn_error *err) VN_MUST_CHECK;

void vn_proving_fini(struct vn_proving *w);

/* ---- Parts of the stages ---- */

/* The commitment behind a tree of the shape. */
const struct vn_pcs_commit *vn_proving_commit(const struct vn_proving *w, enum vn_tree_id tree);

/* Six base columns an extension column; room for the widest table. */
#define VN_MAX_TABLE_COLUMNS 1024u

/* In host memory: values of a table's columns on its own domain: pointers for columns [0, vn_shape_columns) of the tree. */
void vn_proving_columns(const struct vn_proving *w, unsigned table, enum vn_tree_id tree, const vn_fp **out);

/* In host memory: fills the LOGUP columns with values and the totals (logup.c). w->logup is allocated, the challenges are set. */
void vn_logup_fill(struct vn_proving *w);

/* In host memory: fills the QUOT columns with coefficients (quotient.c). alpha_pow: one power per constraint of the kind. */
enum vn_status vn_quotient_fill(struct vn_proving *w, const struct vn_fp6 *alpha_pow) VN_MUST_CHECK;

/* The prover's store of phase 1 (phase1.c): whether it can keep this shard; moves p1, z_evals and leaf there; and back again, if they are there. */
int vn_phase1_has_room(const struct vn_proving *w);
void vn_phase1_keep(struct vn_proving *w);
int vn_phase1_take(struct vn_proving *w);

/* Siblings of the leaf at `position`, and the root, of the contribution tree over n leaves (contribution.c). path may be NULL. */
enum vn_status vn_contribution_tree(const struct vn_digest *leaves, uint32_t n, uint32_t position, struct vn_digest *path,
                                    struct vn_digest *root) VN_MUST_CHECK;

#endif
