/* A real bundle and its shards, changed in a few places: whatever the verifier accepts must be the bundle itself, byte for byte. The input is a list
 * of edits, so that mutations change lengths, elements and paths instead of being lost in a megabyte of digests.
 *
 * First byte: which proof (0: the bundle, else that shard alone). Then edits of 9 bytes: operation, position (4), value (4). */
#include "services/prover-engine/verify/verify.h"
#include "tests/fuzz/fuzz.h"

enum { MAX_EDITS = 16, MAX_SHARDS = 8, MAX_GROWTH = 4096 };

static uint8_t *bundle, *scratch;
static size_t bundle_len, head_len;
static struct vn_vk vk;
static struct vn_job_context job;
static struct vn_arena arena;
static uint32_t n_shards;
static struct {
    size_t at, len;
} shards[MAX_SHARDS];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct vn_rejection why;
    struct vn_statement st;
    uint8_t key[VN_VK_MAX_BYTES];
    bundle = fuzz_data("bundle.bin", &bundle_len);
    scratch = malloc(bundle_len + MAX_GROWTH);
    arena = (struct vn_arena){.base = malloc(VN_VERIFY_ARENA_BYTES), .size = VN_VERIFY_ARENA_BYTES};
    must(scratch && arena.base);
    must(vn_verify_bundle_in(&arena, &vn_batch_hash_scalar, bundle, bundle_len, NULL, &st, &why) == VN_OK);
    vk = st.vk;
    must(vn_job_context_init(&job, &vk, st.n_exec, st.n_mem, &st.contribution_root, st.output, &why) == VN_OK);
    n_shards = st.n_exec + st.n_mem;
    must(n_shards <= MAX_SHARDS);
    head_len = 4 + vn_vk_encode(&vk, key) + 8 + 4 * VN_DIGEST_LEN + VN_STATEMENT_OUTPUT_BYTES;
    size_t at = head_len;
    for (uint32_t i = 0; i < n_shards; i++) {
        struct vn_shard_public pub;
        struct vn_fp6 total;
        shards[i].at = at;
        must(vn_verify_shard(&arena, &job, i + 1, bundle + at, bundle_len - at, &shards[i].len, &pub, &total, &why) == VN_OK);
        at += shards[i].len;
    }
    must(at == bundle_len);
    return 0;
}

static uint32_t get_word(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static void put_word(uint8_t *p, uint32_t x)
{
    memcpy(p, &x, sizeof x);
}

/* Half of all positions lie in the first two thousand words, where everything but openings is. */
static size_t word_at(uint32_t position, size_t len)
{
    size_t words = len / 4, at = position >> 1;
    if (words == 0)
        return 0;
    return position & 1 && words > 2048 ? at % 2048 : at % words;
}

static void edit(uint8_t *p, size_t *len, uint32_t op, uint32_t position, uint32_t value)
{
    static const uint32_t corners[] = {0, 1, VN_P - 1, VN_P, VN_P + 1, 31, 0x7fffffff, 0x80000000, 0xffffffff};
    size_t at = 4 * word_at(position, *len), from = 4 * word_at(value, *len), n;
    if (*len < 8)
        return;
    switch (op % 9) {
    case 0: /* one bit */
        p[at] ^= (uint8_t)(1 << value % 8);
        break;
    case 1:
        put_word(p + at, value);
        break;
    case 2: /* the same element, not canonical */
        put_word(p + at, get_word(p + at) + VN_P);
        break;
    case 3:
        put_word(p + at, corners[value % (sizeof corners / sizeof *corners)]);
        break;
    case 4: /* one more, one less */
        put_word(p + at, get_word(p + at) + (value & 1 ? 1u : UINT32_MAX));
        break;
    case 5: /* cut off */
        *len = value & 1 ? at : *len - value % 64;
        break;
    case 6: /* digests exchanged */
        n = 4 * VN_DIGEST_LEN;
        if (at + n <= *len && from + n <= *len) {
            uint8_t digest[4 * VN_DIGEST_LEN];
            memcpy(digest, p + at, n);
            memmove(p + at, p + from, n);
            memcpy(p + from, digest, n);
        }
        break;
    case 7: /* bytes inserted */
        n = 4 * (1 + value % 16);
        if (*len + n <= bundle_len + MAX_GROWTH) {
            memmove(p + at + n, p + at, *len - at);
            *len += n;
        }
        break;
    default: /* and taken out */
        n = 4 * (1 + value % 16);
        if (at + n <= *len) {
            memmove(p + at, p + at + n, *len - at - n);
            *len -= n;
        }
        break;
    }
}

static void check_bundle(size_t len)
{
    struct vn_rejection why;
    struct vn_statement st;
    arena.used = 0;
    enum vn_status s = vn_verify_bundle_in(&arena, &vn_batch_hash_scalar, scratch, len, NULL, &st, &why);
    if (s == VN_OK)
        must(len == bundle_len && memcmp(scratch, bundle, len) == 0);
    else
        must(s == VN_ERR_INVALID_PROOF || s == VN_ERR_FORMAT || s == VN_ERR_UNSUPPORTED);
}

static void check_shard(uint32_t i, size_t len)
{
    struct vn_rejection why;
    struct vn_shard_public pub;
    struct vn_digest leaf;
    struct vn_fp6 total;
    size_t used;
    arena.used = 0;
    enum vn_status s = vn_verify_shard(&arena, &job, i + 1, scratch, len, &used, &pub, &total, &why);
    must(s == VN_OK || s == VN_ERR_INVALID_PROOF);
    if (s == VN_OK)
        must(used <= len && used == shards[i].len && memcmp(scratch, bundle + shards[i].at, used) == 0);
    s = vn_shard_proof_leaf(scratch, len, &vk, &job.vk_digest, &pub, &leaf, &why);
    must(s == VN_OK || s == VN_ERR_INVALID_PROOF);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_reader r = {data, data + size};
    uint32_t which = fuzz_u8(&r) % (n_shards + 1);
    size_t len = which ? shards[which - 1].len : bundle_len;
    memcpy(scratch, which ? bundle + shards[which - 1].at : bundle, len);
    for (unsigned i = 0; i < MAX_EDITS && fuzz_left(&r) >= 9; i++) {
        uint32_t op = fuzz_u8(&r), position = fuzz_u32(&r);
        edit(scratch, &len, op, position, fuzz_u32(&r));
    }
    if (which)
        check_shard(which - 1, len);
    else
        check_bundle(len);
    return 0;
}
