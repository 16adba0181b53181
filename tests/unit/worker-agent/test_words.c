#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#pragma GCC diagnostic ignored "-Wconversion" /* the assertion macros */
#include <string.h>

#include "services/worker-agent/words.h"

Test(words, known_value)
{
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0xff};
    uint64_t words[3];
    cr_assert(eq(sz, vn_words_count(sizeof bytes), 3));
    vn_words_pack(words, bytes, sizeof bytes);
    cr_assert(eq(u64, words[0], 10));
    cr_assert(eq(u64, words[1], UINT64_C(0x0807060504030201)));
    cr_assert(eq(u64, words[2], 0xff09));
}

Test(words, every_remainder)
{
    uint8_t bytes[40], back[40];
    uint64_t words[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(0xf0 + i);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        size_t count = vn_words_count(n), len = 99;
        words[count] = 0x5a5a;
        vn_words_pack(words, bytes, n);
        cr_assert(eq(u64, words[count], 0x5a5a));
        cr_assert(eq(int, (int)vn_words_check(words, count, 40, &len, NULL), VN_OK));
        cr_assert(eq(sz, len, n));
        memset(back, 0, sizeof back);
        vn_words_unpack(back, n, words);
        cr_assert(memcmp(back, bytes, n) == 0 && (n == sizeof back || back[n] == 0));
    }
}

Test(words, malformed)
{
    size_t len;
    const uint64_t good[] = {9, 1, 2}, padded[] = {9, 1, 0x102}, huge[] = {UINT64_MAX, 1}, empty[] = {0};
    cr_assert(eq(int, (int)vn_words_check(good, 0, 100, &len, NULL), VN_ERR_FORMAT));
    cr_assert(eq(int, (int)vn_words_check(good, 2, 100, &len, NULL), VN_ERR_FORMAT));
    cr_assert(eq(int, (int)vn_words_check(good, 3, 8, &len, NULL), VN_ERR_LIMIT));
    cr_assert(eq(int, (int)vn_words_check(padded, 3, 100, &len, NULL), VN_ERR_FORMAT));
    cr_assert(eq(int, (int)vn_words_check(huge, 2, SIZE_MAX - 1, &len, NULL), VN_ERR_LIMIT));
    cr_assert(eq(int, (int)vn_words_check(huge, 2, SIZE_MAX, &len, NULL), VN_ERR_FORMAT));
    cr_assert(eq(int, (int)vn_words_check(empty, 1, 100, &len, NULL), VN_OK));
}
