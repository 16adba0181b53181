/* What contribution made, so that proving need not commit it again. */
#include <stdlib.h>

#include "services/prover-engine/stark/shard.h"

struct kept {
    uint32_t shard;
    const struct vn_device *device;
    struct vn_shard_header header;
    struct vn_pcs_commit p1;
    struct vn_fp6 *z_evals;
    struct vn_digest leaf;
};

struct vn_phase1_store {
    unsigned n, max;
    struct kept at[];
};

enum vn_status vn_phase1_store_new(struct vn_phase1_store **store, unsigned max)
{
    struct vn_phase1_store *s = calloc(1, sizeof *s + max * sizeof s->at[0]);
    if (!s)
        return VN_ERR_MEMORY;
    s->max = max;
    *store = s;
    return VN_OK;
}

void vn_phase1_store_free(struct vn_phase1_store *s)
{
    for (unsigned i = 0; s && i < s->n; i++) {
        s->at[i].device->commit_fini(&s->at[i].p1);
        free(s->at[i].z_evals);
    }
    free(s);
}

static struct kept *find(struct vn_phase1_store *s, uint32_t shard)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->at[i].shard == shard)
            return &s->at[i];
    return NULL;
}

int vn_phase1_has_room(const struct vn_proving *w)
{
    struct vn_phase1_store *s = w->p->phase1;
    return s && s->n < s->max && !find(s, w->shard->index);
}

void vn_phase1_keep(struct vn_proving *w)
{
    struct vn_phase1_store *s = w->p->phase1;
    s->at[s->n++] = (struct kept){w->shard->index, w->device, w->header, w->p1, w->z_evals, w->leaf};
    w->p1 = (struct vn_pcs_commit){0};
    w->z_evals = NULL;
}

int vn_phase1_take(struct vn_proving *w)
{
    struct vn_phase1_store *s = w->p->phase1;
    struct kept *k = s ? find(s, w->shard->index) : NULL;
    if (!k || k->device != w->device || memcmp(&k->header.pub, &w->header.pub, sizeof k->header.pub) != 0 ||
        memcmp(k->header.log_height, w->header.log_height, sizeof k->header.log_height) != 0)
        return 0;
    w->header = k->header;
    w->p1 = k->p1;
    w->z_evals = k->z_evals;
    w->leaf = k->leaf;
    *k = s->at[--s->n];
    return 1;
}
