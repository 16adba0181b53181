/* A bundle is a head (magic, verifying key, counts, R, output) and the shard proofs one after another. Only here is a job judged as a whole: the
 * chain of execution shards, the chain of memory shards, and the balance of the global buses. */
#include "services/prover-engine/verify/arena.h"
#include "services/prover-engine/verify/reject.h"
#include "services/prover-engine/verify/shard_proof.h"

static const uint8_t MAGIC[4] = {'V', 'N', 'P', 'F'};

enum vn_status vn_job_context_init(struct vn_job_context *c, const struct vn_vk *vk, uint32_t n_exec, uint32_t n_mem,
                                   const struct vn_digest *contribution_root, const uint8_t output[VN_STATEMENT_OUTPUT_BYTES],
                                   struct vn_rejection *why)
{
    if (n_exec == 0 || n_mem == 0 || n_exec > VN_MAX_JOB_SHARDS || n_mem > VN_MAX_JOB_SHARDS - n_exec)
        return vn_reject(why, VN_ERR_INVALID_PROOF, "a job cannot have so many execution and memory shards");
    *c = (struct vn_job_context){.vk = vk, .n_exec = n_exec, .n_mem = n_mem, .contribution_root = *contribution_root, .hash = &vn_batch_hash_scalar};
    c->vk_digest = vn_vk_digest(vk);
    vn_fp x[3 + 2 * VN_DIGEST_LEN + VN_STATEMENT_OUTPUT_BYTES / 2];
    size_t n = 0;
    memcpy(x, c->vk_digest.c, sizeof c->vk_digest.c);
    n += VN_DIGEST_LEN;
    x[n++] = vn_fp_from(vk->params_version);
    x[n++] = vn_fp_from(n_exec);
    x[n++] = vn_fp_from(n_mem);
    memcpy(x + n, contribution_root->c, sizeof contribution_root->c);
    n += VN_DIGEST_LEN;
    for (unsigned i = 0; i < VN_STATEMENT_OUTPUT_BYTES; i += 2)
        x[n++] = vn_fp_from(output[i] | (uint32_t)output[i + 1] << 8);
    c->job = vn_hash(VN_TAG_JOB, x, n);

    struct vn_transcript t;
    vn_transcript_init(&t, VN_TAG_GLOBAL);
    vn_transcript_absorb_digest(&t, &c->job);
    struct vn_fp6 alpha = vn_transcript_sample_fp6(&t), beta = vn_transcript_sample_fp6(&t);
    vn_air_challenges_set(&c->challenges, VN_SCOPE_GLOBAL, alpha, beta);
    return VN_OK;
}

static enum vn_status read_head(struct vn_reader *r, const struct vn_vk *expected, struct vn_statement *out, struct vn_rejection *why)
{
    if (r->end - r->at < (ptrdiff_t)sizeof MAGIC || memcmp(r->at, MAGIC, sizeof MAGIC) != 0)
        return vn_reject(why, VN_ERR_FORMAT, "this is no proof file");
    r->at += sizeof MAGIC;
    enum vn_status s = vn_vk_read(&out->vk, r, why);
    if (s != VN_OK)
        return s;
    if (expected) {
        struct vn_digest a = vn_vk_digest(expected), b = vn_vk_digest(&out->vk);
        if (memcmp(&a, &b, sizeof a) != 0)
            return vn_reject(why, VN_ERR_INVALID_PROOF, "the proof is about another program");
    }
    out->n_exec = vn_read_u32(r);
    out->n_mem = vn_read_u32(r);
    out->contribution_root = vn_read_digest(r);
    if (!r->why && r->end - r->at < (ptrdiff_t)sizeof out->output)
        r->why = "truncated";
    if (r->why)
        return vn_reject_part(why, VN_ERR_INVALID_PROOF, "head", VN_NOT_NUMBERED, r->why);
    memcpy(out->output, r->at, sizeof out->output);
    r->at += sizeof out->output;
    return VN_OK;
}

/* Follows `pub` on `last` (the shard before; zero for the first). NULL, or what breaks the chain. */
static const char *follow(const struct vn_statement *st, const struct vn_shard_public *last, const struct vn_shard_public *pub)
{
    uint32_t i = pub->index;
    if (i <= st->n_exec) {
        if (pub->start_pc != (i == 1 ? st->vk.entry : last->end_pc))
            return i == 1 ? "the execution does not start at the entry" : "does not start where the shard before ended";
        if (pub->halted != (i == st->n_exec))
            return pub->halted ? "halts before the last execution shard" : "the execution does not end";
        return NULL;
    }
    if (pub->first_memory != (i == st->n_exec + 1))
        return pub->first_memory ? "a second first memory shard" : "the first memory shard is missing";
    if (i > st->n_exec + 1 && pub->prev_key != last->last_key)
        return "does not start at the last key of the shard before";
    return NULL;
}

/* The 32 output words, taken from the output bus. */
static struct vn_fp6 take_output(const struct vn_statement *st, const struct vn_air_challenges *c)
{
    struct vn_fp6 sum = vn_fp6_zero();
    for (uint32_t k = 0; k < VN_STATEMENT_OUTPUT_BYTES / 8; k++) {
        vn_fp tuple[5] = {vn_fp_from(k)};
        for (unsigned j = 0; j < 4; j++) {
            const uint8_t *limb = st->output + 8 * k + 2 * j;
            tuple[1 + j] = vn_fp_from(limb[0] | (uint32_t)limb[1] << 8);
        }
        sum = vn_fp6_add(sum, vn_air_fraction(c, VN_SCOPE_GLOBAL, VN_BUS_OUTPUT, tuple, 5, -1));
    }
    return sum;
}

static enum vn_status check_shards(struct vn_arena *arena, struct vn_reader *r, const struct vn_job_context *job, struct vn_statement *st,
                                   struct vn_rejection *why)
{
    struct vn_fp6 sum = take_output(st, &job->challenges);
    struct vn_shard_public last = {0};
    for (uint32_t i = 1; i <= st->n_exec + st->n_mem; i++) {
        struct vn_shard_public pub;
        struct vn_fp6 total;
        size_t used;
        enum vn_status s = vn_verify_shard(arena, job, i, r->at, (size_t)(r->end - r->at), &used, &pub, &total, why);
        if (s != VN_OK)
            return s;
        const char *flaw = follow(st, &last, &pub);
        if (flaw) {
            *why = (struct vn_rejection){.shard = i, .reason = flaw};
            return VN_ERR_INVALID_PROOF;
        }
        r->at += used;
        last = pub;
        sum = vn_fp6_add(sum, total);
        st->steps += pub.steps;
    }
    if (r->at != r->end)
        return vn_reject(why, VN_ERR_INVALID_PROOF, "bytes after the last shard");
    if (!vn_fp6_is_zero(&sum))
        return vn_reject(why, VN_ERR_INVALID_PROOF, "the global buses do not balance: memory or output is not what the shards say");
    return VN_OK;
}

enum vn_status vn_verify_bundle_in(struct vn_arena *arena, const struct vn_batch_hash *hash, const uint8_t *proof, size_t len,
                                   const struct vn_vk *expected, struct vn_statement *out, struct vn_rejection *why)
{
    struct vn_reader r = {.at = proof, .end = proof + len};
    size_t mark = arena->used;
    struct vn_statement *st = vn_arena_take(arena, 1, sizeof *st);
    struct vn_job_context *job = vn_arena_take(arena, 1, sizeof *job);
    if (!st || !job)
        return vn_reject_arena(why);
    memset(st, 0, sizeof *st);
    enum vn_status s = read_head(&r, expected, st, why);
    if (s == VN_OK)
        s = vn_job_context_init(job, &st->vk, st->n_exec, st->n_mem, &st->contribution_root, st->output, why);
    job->hash = hash;
    if (s == VN_OK)
        s = check_shards(arena, &r, job, st, why);
    if (s == VN_OK)
        *out = *st;
    arena->used = mark;
    return s;
}
