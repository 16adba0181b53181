/* A key as words: params version, entry, then per kind the log heights of its preprocessed tables in table order and the root. */
#include "services/prover-engine/verify/reject.h"
#include "services/prover-engine/verify/shard_proof.h"

struct vn_digest vn_vk_digest(const struct vn_vk *vk)
{
    vn_fp x[2 + VN_KIND_COUNT * (VN_AIR_MAX_TABLES + VN_DIGEST_LEN)];
    size_t n = 0;
    x[n++] = vn_fp_from(vk->params_version);
    x[n++] = vn_fp_from(vk->entry / 2);
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        for (unsigned t = 0; t < vn_air_table_count; t++)
            x[n++] = vn_fp_from(vk->pre_log_height[kind][t]);
        memcpy(x + n, vk->pre_root[kind].c, sizeof vk->pre_root[kind].c);
        n += VN_DIGEST_LEN;
    }
    return vn_hash(VN_TAG_VK, x, n);
}

static size_t put_u32(uint8_t *out, size_t at, uint32_t x)
{
    for (unsigned i = 0; i < 4; i++)
        out[at + i] = (uint8_t)(x >> 8 * i);
    return at + 4;
}

size_t vn_vk_encode(const struct vn_vk *vk, uint8_t out[VN_VK_MAX_BYTES])
{
    size_t at = put_u32(out, put_u32(out, 0, vk->params_version), vk->entry);
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        const struct vn_air_kind *k = &vn_air_kinds[kind];
        for (unsigned i = 0; i < k->n_tables; i++)
            if (vn_air_tables[k->tables[i]].n_pre)
                at = put_u32(out, at, vk->pre_log_height[kind][k->tables[i]]);
        for (unsigned i = 0; i < VN_DIGEST_LEN; i++)
            at = put_u32(out, at, vn_fp_to(vk->pre_root[kind].c[i]));
    }
    return at;
}

static enum vn_status malformed(struct vn_rejection *why, const char *reason)
{
    return vn_reject_part(why, VN_ERR_FORMAT, "verifying key", VN_NOT_NUMBERED, reason);
}

enum vn_status vn_vk_read(struct vn_vk *vk, struct vn_reader *r, struct vn_rejection *why)
{
    *vk = (struct vn_vk){.params_version = vn_read_u32(r)};
    if (!r->why && vk->params_version != VN_PARAMS_VERSION)
        return vn_reject_part(why, VN_ERR_UNSUPPORTED, "verifying key of params version", vk->params_version, "this program has another version");
    vk->entry = vn_read_u32(r);
    if (vk->entry & 1 || vk->entry / 2 >= VN_P)
        return malformed(why, "the entry is no address of an instruction");
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        const struct vn_air_kind *k = &vn_air_kinds[kind];
        memset(vk->pre_log_height[kind], VN_LOG_HEIGHT_ABSENT, VN_AIR_MAX_TABLES);
        for (unsigned i = 0; i < k->n_tables; i++) {
            if (!vn_air_tables[k->tables[i]].n_pre)
                continue;
            uint32_t h = vn_read_u32(r);
            if (h > vn_kind_params[kind].log_n || (k->fixed_log_height[i] && h != k->fixed_log_height[i]))
                return malformed(why, "a preprocessed table has an impossible height");
            vk->pre_log_height[kind][k->tables[i]] = (uint8_t)h;
        }
        vk->pre_root[kind] = vn_read_digest(r);
    }
    return r->why ? malformed(why, r->why) : VN_OK;
}

enum vn_status vn_vk_decode(struct vn_vk *vk, const uint8_t *bytes, size_t len, struct vn_rejection *why)
{
    struct vn_reader r = {.at = bytes, .end = bytes + len};
    struct vn_vk got;
    enum vn_status s = vn_vk_read(&got, &r, why);
    if (s != VN_OK)
        return s;
    if (r.at != r.end)
        return malformed(why, "too long");
    *vk = got;
    return VN_OK;
}
