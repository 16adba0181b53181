#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/process.h"
#include "services/scheduler/webhook.h"

#define ID "0b5f4c1e-8a8f-4d5e-9c1d-2f3a4b5c6d7e"

Test(webhook, url_gets_the_job_id)
{
    static const struct {
        const char *url, *id, *want;
    } cases[] = {
        {"http://h/notify?job_id={$job_id}", ID, "http://h/notify?job_id=" ID},
        {"http://h/{$job_id}/x/{$job_id}?a={$job_id}", "7", "http://h/7/x/7?a=7"},
        {"https://{$job_id}.example.com:8443/x", "7", "https://7.example.com:8443/x"},
        {"http://h/notify", "7", "http://h/notify/7"},
        {"http://h/notify/", "7", "http://h/notify/7"},
        {"http://h/notify//", "7", "http://h/notify//7"},
        {"http://h", "7", "http://h/7"},
        {"http://h:81/", "7", "http://h:81/7"},
        {"http://h/notify?a=b", "7", "http://h/notify/7?a=b"},
        {"http://h/notify/?a=b/", "7", "http://h/notify/7?a=b/"},
        {"http://h?a=b", "7", "http://h/7?a=b"},
        {"http://h/x", "a/b?c&d e%\xc3\xa4", "http://h/x/a%2Fb%3Fc%26d%20e%25%C3%A4"},
        {"http://h/{$job_id}", "a-b.c_d~E9", "http://h/a-b.c_d~E9"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *url;
        cr_assert_eq(vn_webhook_check_url(cases[i].url, NULL), VN_OK, "case %u", i);
        cr_assert_eq(vn_webhook_url(&url, cases[i].url, cases[i].id), VN_OK);
        cr_assert_str_eq(url, cases[i].want);
        free(url);
    }
}

Test(webhook, faulty_urls_are_refused_with_a_reason)
{
    static const struct {
        const char *url, *reason;
    } cases[] = {
        {"ftp://h/x", "http:// or https://"},
        {"file:///etc/passwd", "no host"},
        {"gopher://h/x", "http:// or https://"},
        {"h/x", "cannot be read"},
        {"", "cannot be read"},
        {"http://", "no host"},
        {"http:///x", "no host"},
        {"https://?x", "no host"},
        {"http://h:99999/", "cannot be read"},
        {"http://h/a b", "printable"},
        {"http://h/a\r\nX: y", "printable"},
        {"http://h/\xc3\xa4", "printable"},
        {"http://h/{job_id}", "braces"},
        {"http://h/?job_id={}", "braces"},
        {"http://h/{$job_id}/{$job_i}", "braces"},
        {"http://h/x#{$job_id}", "fragment"},
    };
    struct vn_error err;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(vn_webhook_check_url(cases[i].url, &err), VN_ERR_ARGUMENT, "case %u", i);
        cr_assert_not_null(strstr(err.text, cases[i].reason), "case %u: %s", i, err.text);
    }
    char big[VN_WEBHOOK_MAX_URL + 2] = "http://h/";
    memset(big + 9, 'a', sizeof big - 10);
    big[sizeof big - 1] = 0;
    cr_assert_eq(vn_webhook_check_url(big, &err), VN_ERR_ARGUMENT);
    big[VN_WEBHOOK_MAX_URL] = 0;
    cr_assert_eq(vn_webhook_check_url(big, &err), VN_OK);
}

static void check_body(const struct vn_webhook_event *e, const char *want)
{
    char *body;
    size_t n;
    cr_assert_eq(vn_webhook_body(&body, &n, e), VN_OK);
    cr_assert_eq(n, strlen(want), "%.*s", (int)n, body);
    cr_assert_eq(memcmp(body, want, n), 0, "%.*s", (int)n, body);
    free(body);
}

Test(webhook, body_is_exactly_this)
{
    uint8_t proof[17];
    memset(proof, 0xff, 8);
    memcpy(proof + 8, "\1\0\0\0\0\0\x20\0\x2a", 9); /* 2^53 + 1, and one byte more */
    struct vn_webhook_event e = {.job_id = ID, .success = 1, .duration_ms = 45000, .proof = proof, .proof_len = sizeof proof,
                                 .ended_wall_ns = 1759501800999999999u};
    check_body(&e, "{\"job_id\":\"" ID "\",\"success\":true,\"duration_ms\":45000,\"proof\":[17,18446744073709551615,9007199254740993,42],"
                   "\"timestamp\":\"2025-10-03T14:30:00Z\",\"error\":null}");
    e.proof_len = 16;
    check_body(&e, "{\"job_id\":\"" ID "\",\"success\":true,\"duration_ms\":45000,\"proof\":[16,18446744073709551615,9007199254740993],"
                   "\"timestamp\":\"2025-10-03T14:30:00Z\",\"error\":null}");
    e.proof_len = 0;
    e.duration_ms = UINT64_MAX;
    check_body(&e, "{\"job_id\":\"" ID "\",\"success\":true,\"duration_ms\":18446744073709551615,\"proof\":[0],"
                   "\"timestamp\":\"2025-10-03T14:30:00Z\",\"error\":null}");
    e.proof = NULL;
    check_body(&e, "{\"job_id\":\"" ID "\",\"success\":true,\"duration_ms\":18446744073709551615,\"proof\":null,"
                   "\"timestamp\":\"2025-10-03T14:30:00Z\",\"error\":null}");
    const struct vn_webhook_event failed = {.job_id = "7", .proof = proof, .proof_len = 8, .error_code = "WORKER_FAILURE", .error_message = "a\"b\\c\n\x01\x7f/"};
    check_body(&failed, "{\"job_id\":\"7\",\"success\":false,\"duration_ms\":0,\"proof\":null,\"timestamp\":\"1970-01-01T00:00:00Z\","
                        "\"error\":{\"code\":\"WORKER_FAILURE\",\"message\":\"a\\\"b\\\\c\\n\\u0001\x7f/\"}}");
}

/* The message is a worker's text: any bytes. */
Test(webhook, message_is_always_utf8)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"},
        {"\xff", "\xef\xbf\xbd"},
        {"\xc3", "\xef\xbf\xbd"},                                                       /* cut off */
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe2\x82z", "\xef\xbf\xbd\xef\xbf\xbdz"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                                       /* longer than needed */
        {"\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                       /* surrogate */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},       /* above U+10FFFF */
        {"\xf0\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\b\f\r\t\x1f", "\\b\\f\\r\\t\\u001f"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct vn_webhook_event e = {.job_id = "7", .error_code = "X", .error_message = cases[i].in};
        char want[300];
        snprintf(want, sizeof want, "{\"job_id\":\"7\",\"success\":false,\"duration_ms\":0,\"proof\":null,\"timestamp\":\"1970-01-01T00:00:00Z\","
                                    "\"error\":{\"code\":\"X\",\"message\":\"%s\"}}", cases[i].out);
        check_body(&e, want);
    }
}

Test(webhook, signature_is_that_of_rfc_4231)
{
    char s[72];
    const char *text = "what do ya want for nothing?";
    vn_webhook_sign(s, "Jefe", text, strlen(text));
    cr_assert_str_eq(s, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    /* test case 6: a key longer than a block */
    char key[132];
    memset(key, 0xaa, 131);
    key[131] = 0;
    text = "Test Using Larger Than Block-Size Key - Hash Key First";
    vn_webhook_sign(s, key, text, strlen(text));
    cr_assert_str_eq(s, "sha256=60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

Test(webhook, failures_have_codes)
{
    cr_assert_str_eq(vn_webhook_error_code(VN_FAILURE_TIMEOUT), "TIMEOUT");
    cr_assert_str_eq(vn_webhook_error_code(VN_FAILURE_INPUT), "INPUT_ERROR");
    cr_assert_str_eq(vn_webhook_error_code(VN_FAILURE_EXECUTION), "WORKER_FAILURE");
    cr_assert_str_eq(vn_webhook_error_code(VN_FAILURE_INTERNAL), "INTERNAL_ERROR");
}

static const struct vn_webhook_config plain = {.url = "http://127.0.0.1:1/x", .timeout_ms = 1000};

Test(webhook, configuration_is_checked)
{
    struct vn_webhook *w = NULL;
    struct vn_error err;
    struct vn_webhook_config c = plain;
    c.timeout_ms = 0;
    cr_assert_eq(vn_webhook_start(&w, &c, &err), VN_ERR_ARGUMENT);
    c = plain;
    c.retries = VN_WEBHOOK_MAX_RETRIES + 1;
    c.backoff_ms = 1;
    cr_assert_eq(vn_webhook_start(&w, &c, &err), VN_ERR_ARGUMENT);
    c = plain;
    c.retries = 1;
    cr_assert_eq(vn_webhook_start(&w, &c, &err), VN_ERR_ARGUMENT);
    c = plain;
    c.secret = "";
    cr_assert_eq(vn_webhook_start(&w, &c, &err), VN_ERR_ARGUMENT);
    c = plain;
    c.url = "x";
    cr_assert_eq(vn_webhook_start(&w, &c, &err), VN_ERR_ARGUMENT);
    cr_assert_null(w);
    cr_assert_eq(vn_webhook_start(&w, &plain, &err), VN_OK);
    vn_webhook_free(w);
    vn_webhook_free(NULL);
}

static int readable(const struct vn_webhook *w, int ms)
{
    struct pollfd p = {.fd = vn_webhook_fd(w), .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

Test(webhook, an_unreachable_receiver_is_reported, .timeout = 30)
{
    struct vn_webhook *w;
    struct vn_webhook_config c = plain;
    c.retries = 2;
    c.backoff_ms = 20;
    cr_assert_eq(vn_webhook_start(&w, &c, NULL), VN_OK);
    const struct vn_webhook_event e = {.job_id = ID, .success = 1};
    struct vn_webhook_result r;
    cr_assert_eq(vn_webhook_next(w, &r), VN_ERR_BUSY);
    cr_assert_not(readable(w, 0));
    cr_assert_eq(vn_webhook_post(w, &e, NULL), VN_OK);
    for (unsigned attempt = 1; attempt <= 3; attempt++) {
        while (vn_webhook_next(w, &r) == VN_ERR_BUSY)
            cr_assert(readable(w, 5000));
        cr_assert_eq(r.attempt, attempt);
        cr_assert_eq(r.outcome, VN_WEBHOOK_UNREACHABLE);
        cr_assert_eq(r.final, attempt == 3);
        cr_assert_eq(r.http_status, 0);
        cr_assert_eq(r.retry_ms, attempt < 3 ? 20u << (attempt - 1) : 0);
        cr_assert_str_eq(r.job_id, ID);
        cr_assert_not_null(strstr(r.text, "127.0.0.1"), "%s", r.text);
    }
    cr_assert_eq(vn_webhook_next(w, &r), VN_ERR_BUSY);
    cr_assert_not(readable(w, 0));
    vn_webhook_free(w);
}

/* The pause never ends here, so nothing is delivered: the maximum holds, and stop gives up what waits. */
Test(webhook, too_many_events_are_refused_and_the_rest_given_up, .timeout = 30)
{
    struct vn_webhook *w;
    struct vn_webhook_config c = plain;
    c.retries = 1;
    c.backoff_ms = VN_WEBHOOK_MAX_BACKOFF_MS;
    struct vn_error err;
    cr_assert_eq(vn_webhook_start(&w, &c, NULL), VN_OK);
    struct vn_webhook_event e = {.job_id = ID, .success = 1};
    for (unsigned i = 0; i < VN_WEBHOOK_MAX_EVENTS; i++)
        cr_assert_eq(vn_webhook_post(w, &e, NULL), VN_OK);
    cr_assert_eq(vn_webhook_post(w, &e, &err), VN_ERR_BUSY);
    static const char *const ids[] = {"", "a b", "a\r\nb", "a\"b", "\xc3\xa4"};
    for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        e.job_id = ids[i];
        cr_assert_eq(vn_webhook_post(w, &e, &err), VN_ERR_ARGUMENT);
    }
    e.job_id = ID;
    e.proof = (const uint8_t *)"";
    e.proof_len = VN_WEBHOOK_MAX_BYTES + 1;
    cr_assert_eq(vn_webhook_post(w, &e, &err), VN_ERR_LIMIT);

    struct vn_webhook_result r;
    for (unsigned i = 0; i < VN_WEBHOOK_MAX_EVENTS; i++) { /* each one's first attempt */
        while (vn_webhook_next(w, &r) == VN_ERR_BUSY)
            cr_assert(readable(w, 5000));
        cr_assert_not(r.final);
    }
    uint64_t before = vn_clock_monotonic_ns();
    vn_webhook_stop(w, 200);
    uint64_t took_ms = (vn_clock_monotonic_ns() - before) / 1000000u;
    cr_assert(took_ms >= 199 && took_ms < 5000, "%llu ms", (unsigned long long)took_ms);
    e.proof_len = 0;
    cr_assert_eq(vn_webhook_post(w, &e, &err), VN_ERR_CANCELLED);
    for (unsigned i = 0; i < VN_WEBHOOK_MAX_EVENTS; i++) {
        cr_assert_eq(vn_webhook_next(w, &r), VN_OK);
        cr_assert(r.final);
        cr_assert_eq(r.outcome, VN_WEBHOOK_GIVEN_UP);
        cr_assert_eq(r.attempt, 1);
    }
    cr_assert_eq(vn_webhook_next(w, &r), VN_ERR_BUSY);
    vn_webhook_stop(w, 1000);
    vn_webhook_free(w);
}

Test(webhook, nothing_to_do_stops_at_once, .timeout = 30)
{
    struct vn_webhook *w;
    cr_assert_eq(vn_webhook_start(&w, &plain, NULL), VN_OK);
    uint64_t before = vn_clock_monotonic_ns();
    vn_webhook_stop(w, 20000);
    cr_assert_lt(vn_clock_monotonic_ns() - before, 5000000000u);
    vn_webhook_free(w);
}
