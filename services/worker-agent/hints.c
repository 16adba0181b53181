/* The parser keeps only the header of the hint at hand and how much of its payload is missing, so that pieces may end anywhere between words.
 * Pieces that come early wait in a sorted array; nearly always it is empty, because both transports keep the order. */
#include "services/worker-agent/hints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASS_THROUGH UINT32_C(0x80000000)
#define CODE_START 0u
#define CODE_END 1u
#define CODE_CANCEL 2u
#define CODE_ERROR 3u
#define CODE_INPUT 0xF0000u
#define WORD 8u

static const struct {
    uint32_t code;
    const char *name;
} names[] = {
    {CODE_START, "START"}, {CODE_END, "END"}, {CODE_CANCEL, "CANCEL"}, {CODE_ERROR, "ERROR"}, {0x100, "SHA256"}, {0x200, "BN254_G1_ADD"},
    {0x201, "BN254_G1_MUL"}, {0x205, "BN254_PAIRING_CHECK"}, {0x300, "SECP256K1_ECRECOVER"}, {0x301, "SECP256K1_ECDSA_VERIFY"},
    {0x380, "SECP256R1_ECDSA_VERIFY"}, {0x400, "BLS12_381_G1_ADD"}, {0x401, "BLS12_381_G1_MSM"}, {0x405, "BLS12_381_G2_ADD"},
    {0x406, "BLS12_381_G2_MSM"}, {0x40A, "BLS12_381_PAIRING_CHECK"}, {0x410, "BLS12_381_FP_TO_G1"}, {0x411, "BLS12_381_FP2_TO_G2"},
    {0x500, "MODEXP"}, {0x600, "VERIFY_KZG_PROOF"}, {0x700, "KECCAK256"}, {0x800, "BLAKE2B_COMPRESS"}, {0x900, "RIPEMD160"}, {CODE_INPUT, "INPUT"},
};

const char *vn_hint_name(uint32_t code)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == code)
            return names[i].name;
    return NULL;
}

static enum vn_status append(struct vn_hint_bytes *b, const uint8_t *data, size_t n, size_t max, const char *what, struct vn_error *err)
{
    if (n > max - b->len)
        return vn_fail(err, VN_ERR_LIMIT, "%s in the hints have more than %zu bytes", what, max);
    if (n > b->capacity - b->len) {
        size_t capacity = b->capacity ? b->capacity : 4096;
        while (capacity < b->len + n)
            capacity *= 2;
        uint8_t *larger = realloc(b->data, capacity);
        if (!larger)
            return vn_fail(err, VN_ERR_MEMORY, "no memory for the hints");
        b->data = larger;
        b->capacity = capacity;
    }
    if (n > 0)
        memcpy(b->data + b->len, data, n);
    b->len += n;
    return VN_OK;
}

static enum vn_status take_control(struct vn_hints *h, uint32_t code, uint32_t len, struct vn_error *err)
{
    if (len != 0)
        return vn_fail(err, VN_ERR_FORMAT, "hint %s has a payload of %u bytes; it has none", vn_hint_name(code), len);
    switch (code) {
    case CODE_START:
        if (h->started)
            return vn_fail(err, VN_ERR_FORMAT, "hint START comes a second time, after %llu hints", (unsigned long long)h->n_hints);
        h->started = 1;
        return VN_OK;
    case CODE_END:
        h->ended = 1;
        return VN_OK;
    case CODE_CANCEL:
        return vn_fail(err, VN_ERR_CANCELLED, "The source of the hints cancelled them after %llu hints", (unsigned long long)h->n_hints);
    default:
        return vn_fail(err, VN_ERR_FORMAT, "The source of the hints reported an error after %llu hints", (unsigned long long)h->n_hints);
    }
}

static enum vn_status take_header(struct vn_hints *h, const uint8_t bytes[WORD], uint32_t code, uint32_t len, struct vn_error *err)
{
    if (h->ended)
        return vn_fail(err, VN_ERR_FORMAT, "hint code 0x%x comes after END", code);
    if (!h->started && code != CODE_START)
        return vn_fail(err, VN_ERR_FORMAT, "the hints begin with code 0x%x instead of START", code);
    if (code <= CODE_ERROR)
        return take_control(h, code, len, err);
    h->n_hints++;
    h->code = code;
    h->left = len;
    if (code & PASS_THROUGH)
        return append(&h->kept, bytes, WORD, VN_HINTS_MAX_KEPT_BYTES, "pass-through values", err);
    if (code == CODE_INPUT) {
        h->has_input = 1;
        return VN_OK;
    }
    const char *name = vn_hint_name(code);
    if (name)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "hint 0x%x %s needs the precompile tables, which this version does not have", code, name);
    return vn_fail(err, VN_ERR_UNSUPPORTED, "hint 0x%x is a custom one; this version has no handlers for custom hints", code);
}

enum vn_status vn_hints_feed(struct vn_hints *h, const uint8_t *bytes, size_t n_bytes, struct vn_error *err)
{
    if (n_bytes % WORD != 0)
        return vn_fail(err, VN_ERR_FORMAT, "a piece of the hints has %zu bytes, which is not a multiple of 8", n_bytes);
    enum vn_status s = VN_OK;
    while (n_bytes > 0 && s == VN_OK) {
        if (h->left == 0) {
            uint64_t header = 0;
            for (unsigned i = 0; i < WORD; i++)
                header |= (uint64_t)bytes[i] << (8 * i);
            s = take_header(h, bytes, (uint32_t)(header >> 32), (uint32_t)header, err);
            bytes += WORD;
            n_bytes -= WORD;
            continue;
        }
        /* The payload ends in the middle of its last word: the rest of the word is padding. */
        uint64_t padded = (h->left + WORD - 1) / WORD * WORD;
        size_t here = n_bytes < padded ? n_bytes : (size_t)padded;
        size_t payload = here < h->left ? here : (size_t)h->left;
        for (size_t i = payload; i < here; i++)
            if (bytes[i] != 0)
                return vn_fail(err, VN_ERR_FORMAT, "the padding of hint code 0x%x is not zero", h->code);
        if (h->code & PASS_THROUGH)
            s = append(&h->kept, bytes, here, VN_HINTS_MAX_KEPT_BYTES, "pass-through values", err);
        else
            s = append(&h->input, bytes, payload, VN_HINTS_MAX_INPUT_BYTES, "input pieces", err);
        h->left -= payload;
        bytes += here;
        n_bytes -= here;
    }
    return s;
}

enum vn_status vn_hints_finish(const struct vn_hints *h, struct vn_error *err)
{
    if (h->left > 0)
        return vn_fail(err, VN_ERR_FORMAT, "the hints end %llu bytes before the payload of hint code 0x%x does", (unsigned long long)h->left, h->code);
    if (!h->started)
        return vn_fail(err, VN_ERR_FORMAT, "the hints are empty: they must begin with START and end with END");
    if (!h->ended)
        return vn_fail(err, VN_ERR_FORMAT, "the hints end without END");
    return VN_OK;
}

enum vn_status vn_hints_read(struct vn_hints *h, int fd, struct vn_error *err)
{
    enum { STEP = 1 << 20 };
    uint8_t *buffer = malloc(STEP);
    if (!buffer)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the hints");
    enum vn_status s = VN_OK;
    size_t held = 0;
    uint64_t total = 0;
    while (s == VN_OK) {
        ssize_t n = read(fd, buffer + held, STEP - held);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            s = vn_fail(err, VN_ERR_IO, "cannot read the hints: %s", strerror(errno));
        if (n <= 0)
            break;
        held += (size_t)n;
        total += (uint64_t)n;
        if (total > VN_HINTS_MAX_BYTES) {
            s = vn_fail(err, VN_ERR_LIMIT, "the hints file has more than %u bytes", VN_HINTS_MAX_BYTES);
            break;
        }
        size_t whole = held - held % WORD;
        s = vn_hints_feed(h, buffer, whole, err);
        memmove(buffer, buffer + whole, held - whole);
        held -= whole;
    }
    free(buffer);
    if (s == VN_OK && held > 0)
        return vn_fail(err, VN_ERR_FORMAT, "the hints file has %llu bytes, which is not a multiple of 8", (unsigned long long)total);
    return s == VN_OK ? vn_hints_finish(h, err) : s;
}

void vn_hints_fini(struct vn_hints *h)
{
    free(h->input.data);
    free(h->kept.data);
    *h = (struct vn_hints){0};
}

/* ---- the stream ---- */

enum vn_status vn_hint_stream_start(struct vn_hint_stream *s, struct vn_error *err)
{
    if (s->open || s->complete)
        return vn_fail(err, VN_ERR_PEER, "the hints stream was started twice");
    s->open = 1;
    s->next = 1;
    return VN_OK;
}

static enum vn_status hold(struct vn_hint_stream *s, uint32_t sequence, const uint8_t *bytes, size_t n_bytes, struct vn_error *err)
{
    size_t at = s->n_waiting;
    while (at > 0 && s->waiting[at - 1].sequence > sequence)
        at--;
    if (at > 0 && s->waiting[at - 1].sequence == sequence)
        return vn_fail(err, VN_ERR_PEER, "piece %u of the hints came twice", sequence);
    if (s->n_waiting == VN_HINTS_MAX_WAITING || n_bytes > VN_HINTS_MAX_WAITING_BYTES - s->waiting_bytes)
        return vn_fail(err, VN_ERR_LIMIT, "piece %u of the hints did not come while %zu pieces with %zu bytes after it did", s->next, s->n_waiting, s->waiting_bytes);
    if (!s->waiting) {
        s->waiting = malloc(VN_HINTS_MAX_WAITING * sizeof *s->waiting);
        if (!s->waiting)
            return vn_fail(err, VN_ERR_MEMORY, "no memory for the hints");
    }
    uint8_t *copy = malloc(n_bytes + 1);
    if (!copy)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the hints");
    if (n_bytes > 0)
        memcpy(copy, bytes, n_bytes);
    memmove(s->waiting + at + 1, s->waiting + at, (s->n_waiting - at) * sizeof *s->waiting);
    s->waiting[at] = (struct vn_hint_piece){sequence, copy, n_bytes};
    s->n_waiting++;
    s->waiting_bytes += n_bytes;
    return VN_OK;
}

static enum vn_status check_complete(struct vn_hint_stream *s, struct vn_error *err)
{
    if (!s->has_last || s->next != s->last)
        return VN_OK;
    s->open = 0;
    s->complete = 1;
    return vn_hints_finish(&s->hints, err);
}

enum vn_status vn_hint_stream_data(struct vn_hint_stream *s, uint32_t sequence, const uint8_t *bytes, size_t n_bytes, struct vn_error *err)
{
    if (!s->open)
        return vn_fail(err, VN_ERR_PEER, "a piece of hints came %s", s->complete ? "after the stream's end" : "before the stream's start");
    if (sequence == 0)
        return vn_fail(err, VN_ERR_PEER, "a piece of hints has number 0; the first has number 1");
    if (s->has_last && sequence >= s->last)
        return vn_fail(err, VN_ERR_PEER, "piece %u of the hints lies behind the end, which has number %u", sequence, s->last);
    if (sequence < s->next)
        return vn_fail(err, VN_ERR_PEER, "piece %u of the hints came twice", sequence);
    if (sequence > s->next)
        return hold(s, sequence, bytes, n_bytes, err);
    enum vn_status status = vn_hints_feed(&s->hints, bytes, n_bytes, err);
    s->next++;
    size_t used = 0;
    while (status == VN_OK && used < s->n_waiting && s->waiting[used].sequence == s->next) {
        status = vn_hints_feed(&s->hints, s->waiting[used].data, s->waiting[used].len, err);
        s->waiting_bytes -= s->waiting[used].len;
        free(s->waiting[used].data);
        used++;
        s->next++;
    }
    if (used > 0) {
        s->n_waiting -= used;
        memmove(s->waiting, s->waiting + used, s->n_waiting * sizeof *s->waiting);
    }
    return status == VN_OK ? check_complete(s, err) : status;
}

enum vn_status vn_hint_stream_end(struct vn_hint_stream *s, uint32_t sequence, struct vn_error *err)
{
    if (!s->open || s->has_last)
        return vn_fail(err, VN_ERR_PEER, "the end of the hints came %s", s->open || s->complete ? "twice" : "before the stream's start");
    uint32_t highest = s->n_waiting > 0 ? s->waiting[s->n_waiting - 1].sequence : s->next - 1;
    if (sequence <= highest)
        return vn_fail(err, VN_ERR_PEER, "the end of the hints has number %u, but piece %u came before it", sequence, highest);
    s->has_last = 1;
    s->last = sequence;
    return check_complete(s, err);
}

enum vn_status vn_hint_stream_end_unnumbered(struct vn_hint_stream *s, struct vn_error *err)
{
    if (s->open && s->n_waiting > 0)
        return vn_fail(err, VN_ERR_PEER, "piece %u of the hints is missing", s->next);
    return vn_hint_stream_end(s, s->next, err);
}

void vn_hint_stream_fini(struct vn_hint_stream *s)
{
    for (size_t i = 0; i < s->n_waiting; i++)
        free(s->waiting[i].data);
    free(s->waiting);
    vn_hints_fini(&s->hints);
    *s = (struct vn_hint_stream){0};
}
