/* Byte by byte shifts, so that the result is the same on every machine; compilers turn the full words into plain copies. */
#include "services/worker-agent/words.h"

size_t vn_words_count(size_t n_bytes) { return 1 + n_bytes / 8 + (n_bytes % 8 != 0); }

void vn_words_pack(uint64_t *words, const uint8_t *bytes, size_t n_bytes)
{
    words[0] = n_bytes;
    size_t count = vn_words_count(n_bytes);
    for (size_t w = 1; w < count; w++) {
        size_t start = (w - 1) * 8, n = n_bytes - start < 8 ? n_bytes - start : 8;
        uint64_t word = 0;
        for (size_t i = 0; i < n; i++)
            word |= (uint64_t)bytes[start + i] << (8 * i);
        words[w] = word;
    }
}

enum vn_status vn_words_check(const uint64_t *words, size_t n_words, size_t max_bytes, size_t *n_bytes, struct vn_error *err)
{
    if (n_words == 0)
        return vn_fail(err, VN_ERR_FORMAT, "a packed byte string has no length word");
    if (words[0] > max_bytes)
        return vn_fail(err, VN_ERR_LIMIT, "a packed byte string says %llu bytes; at most %zu are accepted", (unsigned long long)words[0], max_bytes);
    size_t len = (size_t)words[0];
    if (n_words != vn_words_count(len))
        return vn_fail(err, VN_ERR_FORMAT, "a packed byte string of %zu bytes has %zu words instead of %zu", len, n_words, vn_words_count(len));
    if (len % 8 != 0 && words[n_words - 1] >> (8 * (len % 8)) != 0)
        return vn_fail(err, VN_ERR_FORMAT, "the padding of a packed byte string is not zero");
    *n_bytes = len;
    return VN_OK;
}

void vn_words_unpack(uint8_t *bytes, size_t n_bytes, const uint64_t *words)
{
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(words[1 + i / 8] >> (8 * (i % 8)));
}
