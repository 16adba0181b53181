/* A stream of hints, read by the scheduler's scanner and by the worker's parser: neither may care how it is cut into pieces, and what the worker
 * accepts the scanner must have followed to its end.
 * First byte: how it is cut. The rest: the words. */
#include "services/scheduler/hints_scan.h"
#include "services/worker-agent/hints.h"
#include "tests/fuzz/fuzz.h"

enum { WORD = 8 };

struct outcome {
    enum vn_status scan, feed;
    int ended;
    uint64_t n_hints;
    size_t input, kept;
};

/* In pieces of `piece` bytes. */
static struct outcome read_all(const uint8_t *bytes, size_t n, size_t piece)
{
    struct outcome o = {VN_OK, VN_OK, 0, 0, 0, 0};
    struct vn_hints_scan scan = {0};
    struct vn_hints hints = {0};
    struct vn_error err = {0};
    for (size_t at = 0; at < n && o.scan == VN_OK; at += piece)
        o.scan = vn_hints_scan(&scan, bytes + at, n - at < piece ? n - at : piece, &err);
    for (size_t at = 0; at < n && o.feed == VN_OK; at += piece)
        o.feed = vn_hints_feed(&hints, bytes + at, n - at < piece ? n - at : piece, &err);
    if (o.feed == VN_OK)
        o.feed = vn_hints_finish(&hints, &err);
    o.ended = scan.ended && scan.skip_words == 0;
    o.n_hints = hints.n_hints;
    o.input = hints.input.len;
    o.kept = hints.kept.len;
    vn_hints_fini(&hints);
    return o;
}

/* The same in numbered pieces that arrive in another order. */
static enum vn_status read_stream(const uint8_t *bytes, size_t n, size_t piece, unsigned order)
{
    struct vn_hint_stream s = {0};
    struct vn_error err = {0};
    uint32_t pieces = (uint32_t)((n + piece - 1) / piece);
    enum vn_status st = vn_hint_stream_start(&s, &err);
    if (st == VN_OK && order & 1)
        st = vn_hint_stream_end(&s, pieces + 1, &err);
    for (uint32_t i = 0; i < pieces && st == VN_OK; i++) {
        uint32_t k = order & 2 ? pieces - 1 - i : i;
        size_t at = k * piece;
        st = vn_hint_stream_data(&s, k + 1, bytes + at, n - at < piece ? n - at : piece, &err);
    }
    if (st == VN_OK && !(order & 1))
        st = vn_hint_stream_end(&s, pieces + 1, &err);
    if (st == VN_OK)
        must(s.complete);
    vn_hint_stream_fini(&s);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const uint8_t *bytes = data + 1;
    size_t n = (size - 1) / WORD * WORD, piece = WORD * (1 + (data[0] >> 2) % 16);
    struct outcome whole = read_all(bytes, n, n ? n : WORD), cut = read_all(bytes, n, piece);
    must(whole.scan == cut.scan && whole.feed == cut.feed && whole.ended == cut.ended);
    if (whole.feed == VN_OK) {
        must(whole.scan == VN_OK && whole.ended);
        must(whole.n_hints == cut.n_hints && whole.input == cut.input && whole.kept == cut.kept);
    }
    if (n / piece < VN_HINTS_MAX_WAITING)
        must((read_stream(bytes, n, piece, data[0] & 3) == VN_OK) == (whole.feed == VN_OK));
    return 0;
}
