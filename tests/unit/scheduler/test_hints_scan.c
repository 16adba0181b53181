#include <criterion/criterion.h>
#include <string.h>

#include "services/scheduler/hints_scan.h"

#define HINT(code, bytes) ((uint64_t)(code) << 32 | (bytes))
#define START HINT(0, 0)
#define END HINT(1, 0)

/* Fed in pieces of every size, the verdict is the same. */
static void check(unsigned n, const uint64_t *words, enum vn_status status, int ended, const char *text)
{
    for (size_t piece = 1; piece <= n; piece++) {
        struct vn_hints_scan s = {0};
        struct vn_error err = {.text = ""};
        enum vn_status st = VN_OK;
        for (size_t at = 0; at < n && st == VN_OK; at += piece)
            st = vn_hints_scan(&s, (const uint8_t *)(words + at), 8 * (piece < n - at ? piece : n - at), &err);
        cr_assert_eq(st, status, "%s", err.text);
        if (st == VN_OK)
            cr_assert_eq(s.ended && s.skip_words == 0, ended);
        else
            cr_assert_str_eq(err.text, text);
    }
}

#define CHECK(status, ended, text, ...) check(sizeof((uint64_t[]){__VA_ARGS__}) / 8, (const uint64_t[]){__VA_ARGS__}, status, ended, text)

Test(hints_scan, verdicts)
{
    CHECK(VN_OK, 1, "", START, END);
    CHECK(VN_OK, 1, "", START, HINT(0xf0000, 9), END, END, END);
    CHECK(VN_OK, 1, "", START, HINT(0x80000000u, 8), 5, HINT(0x80000001u, 0), END);
    CHECK(VN_OK, 0, "", START, HINT(0xf0000, 17), 1, 2);
    CHECK(VN_OK, 0, "", START, HINT(0xf0000, 0xffffffffu), 1, END);
    CHECK(VN_ERR_FORMAT, 0, "Hints begin with code 0x1 instead of START", END);
    CHECK(VN_ERR_FORMAT, 0, "Hints have a second START", START, START);
    CHECK(VN_ERR_FORMAT, 0, "Hints go on after END", START, END, END);
    CHECK(VN_ERR_CANCELLED, 0, "Hints were cancelled by their source", START, HINT(2, 0));
    CHECK(VN_ERR_CANCELLED, 0, "Hints were ended with an error by their source", START, HINT(3, 0), END);
}
