/* The permutation against its published vector, the modes against values computed elsewhere, the transcript's rules one by one. */
#include <criterion/criterion.h>

#include "services/prover-engine/hash/sponge.h"

static void from(vn_fp *out, const uint32_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = vn_fp_from(in[i]);
}

/* Plonky3 koala-bear/src/poseidon2.rs, test_default_koalabear_poseidon2_width_24. */
Test(hash, published_vector)
{
    static const uint32_t in[VN_HASH_WIDTH] = {
        886409618,  1327899896, 1902407911, 591953491,  648428576, 1844789031, 1198336108, 355597330,
        1799586834, 59617783,   790334801,  1968791836, 559272107, 31054313,   1042221543, 474748436,
        135686258,  263665994,  1962340735, 1741539604, 2026927696, 449439011, 1131357108, 50869465};
    static const uint32_t out[VN_HASH_WIDTH] = {
        382801106, 82839311,  1503190615, 1987418517, 854076995,  1862291425, 262755189, 1050814217,
        722724562, 741265943, 1026879332, 754316749,  1966025564, 1518878196, 502200188, 1368172258,
        845459257, 1711434837, 724453836, 171032289,  655223446,  1098636135, 407832555, 1707498914};
    vn_fp s[VN_HASH_WIDTH];
    from(s, in, VN_HASH_WIDTH);
    vn_poseidon2(s);
    for (int i = 0; i < VN_HASH_WIDTH; i++)
        cr_assert_eq(vn_fp_to(s[i]), out[i], "element %d", i);
}

Test(hash, counting_and_zero)
{
    static const uint32_t counting[4] = {723511737, 87131171, 587052829, 1323145575};
    static const uint32_t zero[4] = {1918697942, 2025897067, 904050874, 1093610768};
    vn_fp a[VN_HASH_WIDTH], b[VN_HASH_WIDTH] = {0};
    for (uint32_t i = 0; i < VN_HASH_WIDTH; i++)
        a[i] = vn_fp_from(i);
    vn_poseidon2(a);
    vn_poseidon2(b);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(vn_fp_to(a[i]), counting[i]);
        cr_assert_eq(vn_fp_to(b[i]), zero[i]);
    }
}

/* Tag 0 and level 0 are not used by any tree, but the vector has them. */
Test(hash, node_vector)
{
    static const uint32_t out[VN_DIGEST_LEN] = {388362658, 385677757,  2077143245, 1725973994, 721579139,
                                                974585478, 1347795977, 1883110639, 555842404};
    struct vn_digest a, b;
    for (uint32_t i = 0; i < VN_DIGEST_LEN; i++) {
        a.c[i] = vn_fp_from(i);
        b.c[i] = vn_fp_from(VN_DIGEST_LEN + i);
    }
    struct vn_digest d = vn_hash_node((enum vn_hash_tag)0, 0, &a, &b);
    for (int i = 0; i < VN_DIGEST_LEN; i++)
        cr_assert_eq(vn_fp_to(d.c[i]), out[i]);
}

Test(hash, sponge_blocks)
{
    vn_fp in[40];
    for (uint32_t i = 0; i < 40; i++)
        in[i] = vn_fp_from(1000 + i);
    for (size_t n = 0; n <= 40; n++) {
        vn_fp s[VN_HASH_WIDTH] = {0};
        s[14] = vn_fp_from(VN_TAG_LEAF);
        s[15] = vn_fp_from((uint32_t)n);
        size_t blocks = n ? (n + 13) / 14 : 1;
        for (size_t b = 0; b < blocks; b++) {
            for (size_t i = 0; i < 14; i++)
                s[i] = 14 * b + i < n ? in[14 * b + i] : 0;
            vn_poseidon2(s);
        }
        struct vn_digest d = vn_hash(VN_TAG_LEAF, in, n);
        cr_assert_arr_eq(d.c, s, sizeof d.c, "length %zu", n);
    }
}

Test(hash, transcript_rules)
{
    struct vn_transcript t;
    vn_transcript_init(&t, VN_TAG_TRANSCRIPT);
    vn_fp s[VN_HASH_WIDTH] = {0};
    s[14] = vn_fp_from(VN_TAG_TRANSCRIPT);

    /* Three elements, then samples: one permutation of the padded buffer, length 3. */
    for (uint32_t i = 0; i < 3; i++) {
        vn_transcript_absorb_u32(&t, 7 + i);
        s[i] = vn_fp_from(7 + i);
    }
    s[15] = vn_fp_from(3);
    vn_poseidon2(s);
    for (int i = 0; i < 14; i++)
        cr_assert_eq(vn_transcript_sample(&t), s[i]);
    /* Output used up: permute with nothing absorbed. */
    vn_poseidon2(s);
    struct vn_fp6 x = vn_transcript_sample_fp6(&t);
    cr_assert_arr_eq(x.c, s, sizeof x.c);

    /* Fourteen elements permute at once; the fifteenth throws that output away. */
    vn_fp in[15];
    for (uint32_t i = 0; i < 15; i++)
        in[i] = vn_fp_from(100 + i);
    vn_transcript_absorb(&t, in, 15);
    memcpy(s, in, 14 * sizeof *s);
    s[15] = vn_fp_add(s[15], vn_fp_from(14));
    vn_poseidon2(s);
    memset(s, 0, 14 * sizeof *s);
    s[0] = in[14];
    s[15] = vn_fp_add(s[15], VN_FP_ONE);
    vn_poseidon2(s);
    cr_assert_eq(vn_transcript_sample_bits(&t, 24), vn_fp_to(s[0]) & 0xffffff);
    cr_assert_eq(vn_transcript_sample_bits(&t, 0), 0);
    cr_assert_eq(vn_transcript_sample(&t), s[2]);
}
