#ifndef VN_WORDS_H
#define VN_WORDS_H
/* Byte strings as the API carries them: a list of 64-bit words, first the byte length, then the bytes as little-endian words,
 * the last one padded with zeros. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"

/* Words needed for n_bytes bytes, the length word included. */
size_t vn_words_count(size_t n_bytes);

/* Shape: words[vn_words_count(n_bytes)]. */
void vn_words_pack(uint64_t *words, const uint8_t *bytes, size_t n_bytes);

/* Checks a received list: length word present, at most max_bytes, word count to match, padding zero.
 * Errors: VN_ERR_FORMAT, VN_ERR_LIMIT. */
enum vn_status vn_words_check(const uint64_t *words, size_t n_words, size_t max_bytes, size_t *n_bytes, struct vn_error *err) VN_MUST_CHECK;

/* Shape: bytes[n_bytes], n_bytes as vn_words_check gave it. */
void vn_words_unpack(uint8_t *bytes, size_t n_bytes, const uint64_t *words);

#endif
