/* The verifier's parsers alone. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "services/prover-engine/pcs/query.h"
#include "services/prover-engine/verify/leaf.h"

static struct vn_vk some_key(void)
{
    struct vn_vk vk = {.params_version = VN_PARAMS_VERSION, .entry = 0x80000010};
    memset(vk.pre_log_height, VN_LOG_HEIGHT_ABSENT, sizeof vk.pre_log_height);
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        const struct vn_air_kind *k = &vn_air_kinds[kind];
        for (unsigned i = 0; i < k->n_tables; i++)
            if (vn_air_tables[k->tables[i]].n_pre)
                vk.pre_log_height[kind][k->tables[i]] = k->fixed_log_height[i] ? k->fixed_log_height[i] : 14;
        for (unsigned i = 0; i < VN_DIGEST_LEN; i++)
            vk.pre_root[kind].c[i] = vn_fp_from(100 * kind + i);
    }
    return vk;
}

Test(vk, round_trip_and_every_changed_byte)
{
    struct vn_vk vk = some_key(), back;
    uint8_t bytes[VN_VK_MAX_BYTES + 4] = {0};
    size_t len = vn_vk_encode(&vk, bytes);
    struct vn_rejection why;
    cr_assert(len <= VN_VK_MAX_BYTES);
    cr_assert(vn_vk_decode(&back, bytes, len, &why) == VN_OK);
    cr_expect(memcmp(&back, &vk, sizeof vk) == 0);
    struct vn_digest digest = vn_vk_digest(&vk);
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 0x10;
        if (vn_vk_decode(&back, bytes, len, &why) == VN_OK) {
            struct vn_digest other = vn_vk_digest(&back);
            cr_expect(memcmp(&other, &digest, sizeof digest) != 0, "byte %zu is not in the digest", i);
        }
        bytes[i] ^= 0x10;
    }
    for (size_t cut = 0; cut < len; cut++)
        cr_expect(vn_vk_decode(&back, bytes, cut, &why) != VN_OK);
    cr_expect(vn_vk_decode(&back, bytes, len + 4, &why) == VN_ERR_FORMAT);
    bytes[0]++;
    cr_expect(vn_vk_decode(&back, bytes, len, &why) == VN_ERR_UNSUPPORTED);
}

Test(bundle, noise_is_rejected)
{
    enum { SIZE = 6000 };
    uint8_t *noise = malloc(SIZE);
    uint32_t state = 1;
    struct vn_vk vk = some_key();
    for (unsigned round = 0; round < 200; round++) {
        for (size_t i = 0; i < SIZE; i++) {
            state = state * 1664525 + 1013904223;
            noise[i] = (uint8_t)(round % 2 && i % 4 == 3 ? 0 : state >> 24);
        }
        size_t at = 0;
        if (round % 4) {
            memcpy(noise, "VNPF", 4);
            at = 4 + vn_vk_encode(&vk, noise + 4);
            noise[at] = 1;
            noise[at + 1] = noise[at + 2] = noise[at + 3] = 0;
        }
        struct vn_statement st;
        struct vn_error err;
        enum vn_status s = vn_verify_bundle(noise, SIZE, NULL, &st, &err);
        cr_expect(s == VN_ERR_INVALID_PROOF || s == VN_ERR_FORMAT || s == VN_ERR_UNSUPPORTED);
    }
    struct vn_statement st;
    cr_expect(vn_verify_bundle(noise, 0, NULL, &st, NULL) == VN_ERR_FORMAT);
    free(noise);
}

Test(rejection, is_put_into_words)
{
    static const struct {
        struct vn_rejection why;
        const char *text;
    } cases[] = {
        {{.reason = "no"}, "no"},
        {{.shard = 3, .reason = "no"}, "shard 3: no"},
        {{.part = "head", .number = VN_NOT_NUMBERED, .reason = "no"}, "head: no"},
        {{.shard = 3, .part = "tree", .number = 0, .reason = "no"}, "shard 3: tree 0: no"},
    };
    struct vn_error err = {.status = VN_OK};
    cr_expect(vn_rejection_explain(VN_OK, &cases[0].why, &err) == VN_OK && err.text[0] == '\0');
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect(vn_rejection_explain(VN_ERR_FORMAT, &cases[i].why, &err) == VN_ERR_FORMAT && err.status == VN_ERR_FORMAT);
        cr_expect(strcmp(err.text, cases[i].text) == 0, "%s", err.text);
    }
}

static uint8_t heights_of(unsigned kind, uint8_t h[VN_AIR_MAX_TABLES], const struct vn_vk *vk)
{
    const struct vn_air_kind *k = &vn_air_kinds[kind];
    memset(h, VN_LOG_HEIGHT_ABSENT, VN_AIR_MAX_TABLES);
    uint8_t optional = 0;
    for (unsigned i = 0; i < k->n_tables; i++) {
        unsigned t = k->tables[i];
        if (vn_air_tables[t].n_pre)
            h[t] = vk->pre_log_height[kind][t];
        else if (k->required[i])
            h[t] = vn_air_height_classes[1];
        else
            optional = (uint8_t)t;
    }
    return optional;
}

Test(shape, only_allowed_heights_pass)
{
    struct vn_vk vk = some_key();
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        const struct vn_air_kind *k = &vn_air_kinds[kind];
        uint8_t h[VN_AIR_MAX_TABLES];
        heights_of(kind, h, &vk);
        cr_assert(vn_shape_check(kind, h, vk.pre_log_height[kind]) == NULL, "%s", vn_shape_check(kind, h, vk.pre_log_height[kind]));
        for (unsigned i = 0; i < k->n_tables; i++) {
            unsigned t = k->tables[i];
            uint8_t saved = h[t];
            if (k->required[i]) {
                h[t] = VN_LOG_HEIGHT_ABSENT;
                cr_expect(vn_shape_check(kind, h, vk.pre_log_height[kind]) != NULL, "%s may be absent", vn_air_tables[t].name);
            }
            if (vn_air_tables[t].n_pre || k->fixed_log_height[i]) {
                h[t] = (uint8_t)(saved == 18 ? 17 : 18);
                cr_expect(vn_shape_check(kind, h, vk.pre_log_height[kind]) != NULL, "%s may change its height", vn_air_tables[t].name);
            }
            static const uint8_t never[] = {0, 1, 5, 9, 21, 24, 30, 32, 255};
            for (size_t j = 0; j < sizeof never; j++) {
                h[t] = never[j];
                cr_expect(vn_shape_check(kind, h, vk.pre_log_height[kind]) != NULL, "%s may be 2^%u", vn_air_tables[t].name, never[j]);
            }
            h[t] = saved;
        }
        /* tables of the other kind only */
        for (unsigned t = 0; t < vn_air_table_count; t++) {
            int mine = 0;
            for (unsigned i = 0; i < k->n_tables; i++)
                mine |= k->tables[i] == t;
            if (mine)
                continue;
            h[t] = vn_air_height_classes[0];
            cr_expect(vn_shape_check(kind, h, vk.pre_log_height[kind]) != NULL, "%s in the wrong kind", vn_air_tables[t].name);
            h[t] = VN_LOG_HEIGHT_ABSENT;
        }
    }
}

Test(header, public_values_have_ranges)
{
    struct vn_vk vk = some_key();
    struct vn_shard_header h = {.pub = {.kind = VN_KIND_EXECUTION, .index = 1, .start_pc = 0x80000000, .end_pc = 0x80000040, .steps = 10}};
    heights_of(VN_KIND_EXECUTION, h.log_height, &vk);
    cr_assert(vn_header_check(&h, &vk) == NULL);
    const struct vn_shard_public good = h.pub;
#define BAD(field, value)                                                                  \
    do {                                                                                   \
        h.pub.field = (value);                                                             \
        cr_expect(vn_header_check(&h, &vk) != NULL, "%s = %u", #field, (unsigned)(value)); \
        h.pub = good;                                                                      \
    } while (0)
    BAD(kind, 2);
    BAD(index, 0);
    BAD(index, 65536);
    BAD(steps, 0);
    BAD(steps, (1 << 20) + 1);
    BAD(halted, 2);
    BAD(halted, 1); /* with an end pc */
    BAD(start_pc, 0x80000001);
    BAD(start_pc, 0xfe000002); /* 2 p */
    BAD(end_pc, 0xfffffffe);
#undef BAD
    struct vn_shard_header m = {.pub = {.kind = VN_KIND_MEMORY, .index = 3, .prev_key = 10, .last_key = 11}};
    heights_of(VN_KIND_MEMORY, m.log_height, &vk);
    cr_assert(vn_header_check(&m, &vk) == NULL);
    m.pub.last_key = 10;
    cr_expect(vn_header_check(&m, &vk) != NULL);
    m.pub.last_key = VN_LARGEST_KEY;
    cr_expect(vn_header_check(&m, &vk) == NULL);
    m.pub.last_key = VN_LARGEST_KEY + 1;
    cr_expect(vn_header_check(&m, &vk) != NULL);
    m.pub.last_key = 11;
    m.pub.first_memory = 1;
    cr_expect(vn_header_check(&m, &vk) != NULL);
    m.pub.prev_key = 0;
    cr_expect(vn_header_check(&m, &vk) == NULL);
}

Test(header, program_counters_have_one_encoding)
{
    struct vn_shard_header h = {.pub = {.kind = VN_KIND_EXECUTION}};
    const uint32_t good[VN_MAX_PUBLIC] = {0x40000000, VN_P - 1, 5, 0}, bad[VN_MAX_PUBLIC] = {VN_P, 0, 5, 0};
    cr_expect(vn_header_set_public(&h, good) && h.pub.start_pc == 0x80000000 && h.pub.end_pc == 2 * VN_P - 2);
    cr_expect(!vn_header_set_public(&h, bad));
}

Test(query, indices_are_sorted_and_distinct)
{
    uint32_t x[] = {5, 3, 5, 9, 0, 3, 9, 9, 1};
    cr_assert(vn_pcs_sort_indices(x, 9) == 5);
    const uint32_t want[] = {0, 1, 3, 5, 9};
    cr_expect(memcmp(x, want, sizeof want) == 0);
}

/* A leaf's eight points share one eighth power, which is the leaf's point in the next layer. */
Test(query, leaves_lie_over_the_next_layer)
{
    for (unsigned layer = 0; layer < 2; layer++) {
        unsigned log_n = 9 - 3 * layer;
        for (uint32_t l = 0; l < 2u << log_n; l++) {
            uint32_t next = vn_fri_leaf(l, log_n);
            unsigned low = log_n - 3;
            vn_fp x = vn_fp_mul(vn_pcs_coset_shift(vn_fri_shift(layer), log_n, l >> log_n), vn_fp_pow(vn_fp_root(log_n), l % (1u << log_n)));
            vn_fp y = vn_fp_mul(vn_pcs_coset_shift(vn_fri_shift(layer + 1), low, next >> low), vn_fp_pow(vn_fp_root(low), next % (1u << low)));
            cr_expect(vn_fp_pow(x, 8) == y);
            cr_expect(((l >> log_n) << log_n | (next & ((1u << low) - 1)) | vn_fri_place(l, log_n) << low) == l);
        }
    }
}

/* zeta and z_i: every evaluation domain is a coset inside the base field. */
Test(points, of_the_base_field_are_unsafe)
{
    static const vn_fp values[] = {0, VN_FP_ONE, 3};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct vn_fp6 y = vn_fp6_from_fp(values[i]);
        cr_expect(!vn_pcs_point_is_safe(&y));
        for (unsigned k = 1; k < 6; k++) {
            struct vn_fp6 outside = y;
            outside.c[k] = VN_FP_ONE;
            cr_expect(vn_pcs_point_is_safe(&outside));
        }
    }
    for (unsigned log_n = 0; log_n <= 24; log_n++) { /* the shifted subgroups themselves */
        struct vn_fp6 y = vn_fp6_from_fp(vn_fp_mul(vn_fp_from(VN_GENERATOR), vn_fp_root(log_n)));
        cr_expect(!vn_pcs_point_is_safe(&y));
    }
}
