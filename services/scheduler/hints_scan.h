#ifndef VN_SCHEDULER_HINTS_SCAN_H
#define VN_SCHEDULER_HINTS_SCAN_H
/* Follows a stream of hints just far enough to know where it ends. The stream is 64-bit little-endian words: a header (code in the upper half, length of
 * what follows in bytes in the lower one), then the payload, zero-padded to whole words. START comes first and once, nothing follows END. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"

struct vn_hints_scan { /* zeroed: at the beginning */
    uint64_t skip_words;
    int started, ended;
};

/* bytes: the next n of the stream, a multiple of 8.
 * Errors: FORMAT for what breaks the rules above; CANCELLED if the source says CANCEL or ERROR. The sentence starts with "Hints". */
enum vn_status vn_hints_scan(struct vn_hints_scan *s, const uint8_t *bytes, size_t n, struct vn_error *err) VN_MUST_CHECK;

#endif
