/* Payloads are skipped without being looked at; only headers matter. */
#include "services/scheduler/hints_scan.h"

#include <assert.h>

enum { WORD = 8, CODE_START = 0, CODE_END = 1, CODE_CANCEL = 2, CODE_ERROR = 3 };

static enum vn_status take_header(struct vn_hints_scan *s, uint64_t word, struct vn_error *err)
{
    uint32_t code = (uint32_t)(word >> 32);
    s->skip_words = ((uint32_t)word + (uint64_t)WORD - 1) / WORD;
    if (!s->started && code != CODE_START)
        return vn_fail(err, VN_ERR_FORMAT, "Hints begin with code 0x%x instead of START", code);
    if (s->started && code == CODE_START)
        return vn_fail(err, VN_ERR_FORMAT, "Hints have a second START");
    if (code == CODE_CANCEL || code == CODE_ERROR)
        return vn_fail(err, VN_ERR_CANCELLED, "Hints were %s by their source", code == CODE_CANCEL ? "cancelled" : "ended with an error");
    s->started = 1;
    s->ended = code == CODE_END;
    return VN_OK;
}

enum vn_status vn_hints_scan(struct vn_hints_scan *s, const uint8_t *bytes, size_t n, struct vn_error *err)
{
    assert(n % WORD == 0);
    uint64_t left = n / WORD;
    while (left > 0) {
        if (s->skip_words > 0) {
            uint64_t step = s->skip_words < left ? s->skip_words : left;
            s->skip_words -= step;
            left -= step;
            bytes += step * WORD;
            continue;
        }
        if (s->ended)
            return vn_fail(err, VN_ERR_FORMAT, "Hints go on after END");
        uint64_t word = 0;
        for (unsigned i = 0; i < WORD; i++)
            word |= (uint64_t)bytes[i] << 8 * i;
        enum vn_status st = take_header(s, word, err);
        if (st != VN_OK)
            return st;
        bytes += WORD;
        left--;
    }
    return VN_OK;
}
