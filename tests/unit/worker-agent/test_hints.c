/* Hints: the word stream against a reference built here, every rule, and the order of streamed pieces. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#pragma GCC diagnostic ignored "-Wconversion" /* the assertion macros */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/worker-agent/hints.h"

TestSuite(hints, .timeout = 30);

static uint8_t stream[1 << 16];
static size_t n_stream;

static void word(uint64_t w)
{
    for (unsigned i = 0; i < 8; i++)
        stream[n_stream++] = (uint8_t)(w >> (8 * i));
}

static void hint(uint32_t code, const char *payload, size_t n)
{
    word((uint64_t)code << 32 | n);
    memset(stream + n_stream, 0, (n + 7) / 8 * 8);
    memcpy(stream + n_stream, payload, n);
    n_stream += (n + 7) / 8 * 8;
}

/* START, three INPUT pieces of odd lengths, a pass-through hint between them, END. */
static void make(void)
{
    n_stream = 0;
    hint(0, "", 0);
    hint(0xF0000, "abcdefghijk", 11);
    hint(0x80000700, "result", 6);
    hint(0xF0000, "", 0);
    hint(0xF0000, "lmnop", 5);
    hint(1, "", 0);
}

static void check_result(const struct vn_hints *h)
{
    cr_assert(h->has_input && h->input.len == 16 && memcmp(h->input.data, "abcdefghijklmnop", 16) == 0);
    cr_assert(h->kept.len == 16 && memcmp(h->kept.data, "\x06\0\0\0\0\x07\0\x80result\0\0", 16) == 0);
    cr_assert(h->n_hints == 4);
}

Test(hints, every_cut)
{
    make();
    for (size_t first = 0; first <= n_stream; first += 8)
        for (size_t second = first; second <= n_stream; second += 8) {
            struct vn_hints h = {0};
            struct vn_error err = {0};
            cr_assert(eq(int, (int)vn_hints_feed(&h, stream, first, &err), VN_OK), "%s", err.text);
            cr_assert(eq(int, (int)vn_hints_feed(&h, stream + first, second - first, &err), VN_OK), "%s", err.text);
            cr_assert(eq(int, (int)vn_hints_feed(&h, stream + second, n_stream - second, &err), VN_OK), "%s", err.text);
            cr_assert(eq(int, (int)vn_hints_finish(&h, &err), VN_OK), "%s", err.text);
            check_result(&h);
            vn_hints_fini(&h);
        }
}

Test(hints, file)
{
    make();
    char path[] = "/tmp/vn-hints-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && unlink(path) == 0 && write(fd, stream, n_stream) == (ssize_t)n_stream && lseek(fd, 0, SEEK_SET) == 0);
    struct vn_hints h = {0};
    struct vn_error err = {0};
    cr_assert(eq(int, (int)vn_hints_read(&h, fd, &err), VN_OK), "%s", err.text);
    check_result(&h);
    vn_hints_fini(&h);
    cr_assert(write(fd, "odd", 3) == 3 && lseek(fd, 0, SEEK_SET) == 0);
    cr_assert(eq(int, (int)vn_hints_read(&h, fd, &err), VN_ERR_FORMAT));
    cr_assert(strstr(err.text, "not a multiple of 8") != NULL, "%s", err.text);
    vn_hints_fini(&h);
    close(fd);
}

/* Feeds what `stream` holds. */
static void refused(enum vn_status expected, const char *text)
{
    struct vn_hints h = {0};
    struct vn_error err = {0};
    enum vn_status s = vn_hints_feed(&h, stream, n_stream, &err);
    if (s == VN_OK)
        s = vn_hints_finish(&h, &err);
    cr_expect(eq(int, (int)s, (int)expected), "%s: %s", text, err.text);
    cr_expect(strstr(err.text, text) != NULL, "%s: %s", text, err.text);
    vn_hints_fini(&h);
    n_stream = 0;
}

Test(hints, rules)
{
    n_stream = 0;
    refused(VN_ERR_FORMAT, "are empty");
    hint(0, "", 0);
    refused(VN_ERR_FORMAT, "without END");
    hint(0xF0000, "x", 1);
    refused(VN_ERR_FORMAT, "code 0xf0000 instead of START");
    hint(1, "", 0);
    refused(VN_ERR_FORMAT, "instead of START");
    hint(0, "", 0), hint(0, "", 0);
    refused(VN_ERR_FORMAT, "START comes a second time");
    hint(0, "", 0), hint(1, "", 0), hint(0xF0000, "x", 1);
    refused(VN_ERR_FORMAT, "after END");
    hint(0, "", 0), hint(1, "", 0), hint(1, "", 0);
    refused(VN_ERR_FORMAT, "after END");
    hint(0, "12345678", 8);
    refused(VN_ERR_FORMAT, "hint START has a payload");
    hint(0, "", 0), hint(2, "", 0);
    refused(VN_ERR_CANCELLED, "cancelled them");
    hint(0, "", 0), hint(3, "", 0);
    refused(VN_ERR_FORMAT, "reported an error");
    hint(0, "", 0), word(UINT64_C(0xF0000) << 32 | 9), word(1);
    refused(VN_ERR_FORMAT, "end 1 bytes before");
    hint(0, "", 0), word(UINT64_C(0xF0000) << 32 | 1), word(0x0141);
    refused(VN_ERR_FORMAT, "padding of hint code 0xf0000");
    hint(0, "", 0), hint(0xA001, "x", 1);
    refused(VN_ERR_UNSUPPORTED, "hint 0xa001 is a custom one");
    hint(0, "", 0), hint(0x100, "message", 7);
    refused(VN_ERR_UNSUPPORTED, "hint 0x100 SHA256 needs the precompile tables, which this version does not have");
    hint(0, "", 0), hint(0x80000100, "message", 7), hint(0x8000A001, "", 0), hint(1, "", 0);
    struct vn_hints h = {0};
    cr_assert(vn_hints_feed(&h, stream, n_stream, NULL) == VN_OK && vn_hints_finish(&h, NULL) == VN_OK && !h.has_input);
    vn_hints_fini(&h);
    cr_assert(eq(int, (int)vn_hints_feed(&h, stream, 7, NULL), VN_ERR_FORMAT));
}

/* The names of the published list, by code. */
Test(hints, names)
{
    static const uint32_t codes[] = {0x100, 0x200, 0x201, 0x205, 0x300, 0x301, 0x380, 0x400, 0x401, 0x405, 0x406, 0x40A, 0x410, 0x411, 0x500, 0x600, 0x700, 0x800, 0x900};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const char *name = vn_hint_name(codes[i]);
        cr_assert(name != NULL);
        n_stream = 0;
        hint(0, "", 0), hint(codes[i], "", 0);
        refused(VN_ERR_UNSUPPORTED, name);
    }
    cr_assert(vn_hint_name(0x101) == NULL);
}

Test(hints, too_much_input)
{
    static uint8_t block[1 << 20];
    struct vn_hints h = {0};
    struct vn_error err = {0};
    n_stream = 0;
    hint(0, "", 0), word(UINT64_C(0xF0000) << 32 | 0xfffffff8u);
    cr_assert(eq(int, (int)vn_hints_feed(&h, stream, n_stream, &err), VN_OK));
    for (unsigned i = 0; i < 128; i++)
        cr_assert(eq(int, (int)vn_hints_feed(&h, block, sizeof block, &err), VN_OK));
    cr_assert(eq(int, (int)vn_hints_feed(&h, block, 8, &err), VN_ERR_LIMIT));
    cr_assert(strstr(err.text, "134217728") != NULL, "%s", err.text);
    vn_hints_fini(&h);
}

/* ---- the stream ---- */

/* All orders of the six hints as six pieces, END at every place. */
static void permute(uint32_t *order, unsigned n, unsigned at)
{
    if (at < n) {
        for (unsigned i = at; i < n; i++) {
            uint32_t t = order[at];
            order[at] = order[i];
            order[i] = t;
            permute(order, n, at + 1);
            order[i] = order[at];
            order[at] = t;
        }
        return;
    }
    static const size_t cut[] = {0, 8, 32, 48, 56, 72, 80};
    struct vn_hint_stream s = {0};
    struct vn_error err = {0};
    cr_assert(vn_hint_stream_start(&s, &err) == VN_OK);
    for (unsigned i = 0; i < n; i++) {
        cr_assert(s.complete == 0);
        uint32_t p = order[i];
        enum vn_status status = p == 7 ? vn_hint_stream_end(&s, 7, &err) : vn_hint_stream_data(&s, p, stream + cut[p - 1], cut[p] - cut[p - 1], &err);
        cr_assert(eq(int, (int)status, VN_OK), "%s", err.text);
    }
    cr_assert(s.complete && s.n_waiting == 0 && s.waiting_bytes == 0);
    check_result(&s.hints);
    vn_hint_stream_fini(&s);
}

Test(hints, every_order)
{
    make();
    cr_assert(n_stream == 80);
    uint32_t order[] = {1, 2, 3, 4, 5, 6, 7};
    permute(order, 7, 0);
}

Test(hints, stream_rules)
{
    struct vn_hint_stream s = {0};
    struct vn_error err = {0};
    make();
    cr_assert(vn_hint_stream_data(&s, 1, stream, 8, &err) == VN_ERR_PEER && strstr(err.text, "before the stream's start"));
    cr_assert(vn_hint_stream_end(&s, 1, &err) == VN_ERR_PEER && strstr(err.text, "before the stream's start"));
    cr_assert(vn_hint_stream_start(&s, &err) == VN_OK);
    cr_assert(vn_hint_stream_start(&s, &err) == VN_ERR_PEER && strstr(err.text, "started twice"));
    cr_assert(vn_hint_stream_data(&s, 0, stream, 8, &err) == VN_ERR_PEER && strstr(err.text, "number 0"));
    cr_assert(vn_hint_stream_data(&s, 1, stream, 8, &err) == VN_OK);
    cr_assert(vn_hint_stream_data(&s, 1, stream, 8, &err) == VN_ERR_PEER && strstr(err.text, "piece 1 of the hints came twice"));
    cr_assert(vn_hint_stream_data(&s, 3, stream, 8, &err) == VN_OK);
    cr_assert(vn_hint_stream_data(&s, 3, stream, 8, &err) == VN_ERR_PEER && strstr(err.text, "piece 3 of the hints came twice"));
    cr_assert(vn_hint_stream_end_unnumbered(&s, &err) == VN_ERR_PEER && strstr(err.text, "piece 2 of the hints is missing"));
    cr_assert(vn_hint_stream_end(&s, 3, &err) == VN_ERR_PEER && strstr(err.text, "piece 3 came before it"));
    cr_assert(vn_hint_stream_end(&s, 4, &err) == VN_OK && !s.complete);
    cr_assert(vn_hint_stream_end(&s, 4, &err) == VN_ERR_PEER && strstr(err.text, "twice"));
    cr_assert(vn_hint_stream_data(&s, 4, stream, 8, &err) == VN_ERR_PEER && strstr(err.text, "behind the end"));
    vn_hint_stream_fini(&s);

    cr_assert(vn_hint_stream_start(&s, &err) == VN_OK && vn_hint_stream_data(&s, 1, stream, n_stream, &err) == VN_OK);
    cr_assert(vn_hint_stream_end_unnumbered(&s, &err) == VN_OK && s.complete);
    check_result(&s.hints);
    cr_assert(vn_hint_stream_data(&s, 2, stream, 8, &err) == VN_ERR_PEER && strstr(err.text, "after the stream's end"));
    vn_hint_stream_fini(&s);
}

Test(hints, stream_bounds)
{
    static uint8_t block[1 << 20];
    struct vn_hint_stream s = {0};
    struct vn_error err = {0};
    cr_assert(vn_hint_stream_start(&s, &err) == VN_OK);
    for (uint32_t i = 0; i < 16; i++)
        cr_assert(vn_hint_stream_data(&s, 2 + i, block, sizeof block, &err) == VN_OK);
    cr_assert(vn_hint_stream_data(&s, 18, block, 8, &err) == VN_ERR_LIMIT && strstr(err.text, "piece 1 of the hints did not come"));
    vn_hint_stream_fini(&s);
    cr_assert(vn_hint_stream_start(&s, &err) == VN_OK);
    for (uint32_t i = 0; i < VN_HINTS_MAX_WAITING; i++)
        cr_assert(vn_hint_stream_data(&s, 2 + i, block, 0, &err) == VN_OK);
    cr_assert(vn_hint_stream_data(&s, 1, block, 3, &err) == VN_ERR_FORMAT);
    cr_assert(vn_hint_stream_data(&s, 5000, block, 0, &err) == VN_ERR_LIMIT);
    vn_hint_stream_fini(&s);
}

/* Noise is refused or taken, but harms nothing; with START in front more of it gets through. */
Test(hints, noise)
{
    uint64_t state = 7;
    for (int round = 0; round < 20000; round++) {
        n_stream = 0;
        hint(0, "", 0);
        while (n_stream < 80) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            static const uint32_t codes[] = {0xF0000, 0x80000100, 1, 0xF0000, 0x80000001, 0xF0000};
            word((uint64_t)codes[(state >> 40) % 6] << 32 | (state >> 60));
            if (state >> 63)
                word(0);
        }
        struct vn_hints h = {0};
        enum vn_status s = vn_hints_feed(&h, stream, n_stream, NULL);
        cr_assert(s == VN_OK || s == VN_ERR_FORMAT);
        vn_hints_fini(&h);
    }
}
