/* The framing of the control socket, against bytes no engine would send. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#pragma GCC diagnostic ignored "-Wconversion" /* the assertion macros */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/worker-agent/engine_process.h"
#include "tests/unit/shared/hostile.h"

static struct vn_engine engine;
static int far;

static void setup(void)
{
    int pair[2];
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
    engine = (struct vn_engine){.socket = pair[0]};
    far = pair[1];
}

static void teardown(void)
{
    vn_engine_close_socket(&engine);
    free(engine.in);
    if (far >= 0)
        close(far);
}

TestSuite(engine, .init = setup, .fini = teardown, .timeout = 20);

static void put(const void *bytes, size_t n) { cr_assert(write(far, bytes, n) == (ssize_t)n); }

static int next(void)
{
    Venus__Engine__V1__Event *event = NULL;
    enum vn_status s = vn_engine_read(&engine, &event);
    if (s == VN_OK)
        venus__engine__v1__event__free_unpacked(event, NULL);
    return (int)s;
}

static size_t frame(uint8_t *out, uint32_t done)
{
    Venus__Engine__V1__Event event = VENUS__ENGINE__V1__EVENT__INIT;
    Venus__Engine__V1__Progress progress = VENUS__ENGINE__V1__PROGRESS__INIT;
    progress.stage = (char *)"prove";
    progress.done = done;
    event.event_case = VENUS__ENGINE__V1__EVENT__EVENT_PROGRESS;
    event.progress = &progress;
    size_t n = venus__engine__v1__event__pack(&event, out + 4);
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(n >> (8 * i));
    return n + 4;
}

Test(engine, byte_by_byte)
{
    uint8_t bytes[64];
    size_t n = frame(bytes, 7);
    for (size_t i = 0; i + 1 < n; i++) {
        put(bytes + i, 1);
        cr_assert(eq(int, next(), VN_ERR_BUSY));
    }
    put(bytes + n - 1, 1);
    cr_assert(eq(int, next(), VN_OK));
    cr_assert(eq(int, next(), VN_ERR_BUSY));
}

Test(engine, several_at_once)
{
    uint8_t bytes[256];
    size_t n = frame(bytes, 1);
    n += frame(bytes + n, 300);
    put(bytes, n);
    put("\0\0\0\0", 4); /* an empty message parses: an event of no kind */
    cr_assert(eq(int, next(), VN_OK));
    cr_assert(eq(int, next(), VN_OK));
    cr_assert(eq(int, next(), VN_OK));
    cr_assert(eq(int, next(), VN_ERR_BUSY));
}

Test(engine, limits)
{
    put("\x01\x00\x00\x01", 4); /* one byte over */
    cr_assert(eq(int, next(), VN_ERR_PEER));
    teardown();
    setup();
    put("\x00\x00\x00\x01", 4);
    cr_assert(eq(int, next(), VN_ERR_BUSY));
}

Test(engine, endings)
{
    close(far);
    far = -1;
    cr_assert(eq(int, next(), VN_ERR_NOT_FOUND));
    teardown();
    setup();
    put("\x05\0\0\0a", 5);
    close(far);
    far = -1;
    cr_assert(eq(int, next(), VN_ERR_PEER));
    vn_engine_close_socket(&engine);
    cr_assert(eq(int, next(), VN_ERR_NOT_FOUND));
}

Test(engine, noise)
{
    uint64_t state = 42;
    for (int round = 0; round < 2000; round++) {
        uint8_t bytes[68];
        for (size_t i = 4; i < sizeof bytes; i++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            bytes[i] = (uint8_t)(state >> 56);
        }
        memcpy(bytes, "\x40\0\0\0", 4);
        put(bytes, sizeof bytes);
        int s = next();
        cr_assert(s == VN_OK || s == VN_ERR_PEER);
    }
    cr_assert(eq(int, next(), VN_ERR_BUSY));
}

/* Events of every kind, half of them damaged, in pieces: each is refused or taken, and what follows a damaged body is read right. */
Test(engine, damaged_events)
{
    static const char *const texts[] = {"prove", "", "\xff\xfe", "a longer stage than any that exists"};
    struct hostile h = {.state = 1, .texts = texts, .n_texts = 4};
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[4096], last[64];
        size_t n = hostile_message(&h, bytes + 4, sizeof bytes - 4, &venus__engine__v1__event__descriptor);
        int damaged = (int)hostile_below(&h, 2);
        if (damaged)
            n = hostile_edit(&h, bytes + 4, n, sizeof bytes - 4);
        for (unsigned i = 0; i < 4; i++)
            bytes[i] = (uint8_t)(n >> (8 * i));
        size_t cut = hostile_below(&h, (uint32_t)n + 4);
        put(bytes, cut);
        cr_assert(eq(int, next(), VN_ERR_BUSY));
        put(bytes + cut, n + 4 - cut);
        int s = next();
        cr_assert(s == VN_OK || (damaged && s == VN_ERR_PEER));
        put(last, frame(last, 7));
        cr_assert(eq(int, next(), VN_OK));
    }
    cr_assert(eq(int, next(), VN_ERR_BUSY));
}

Test(engine, exits)
{
    static const struct {
        int code;
        enum vn_status status;
        const char *text;
    } cases[] = {{0, VN_ERR_PEER, "without a result"}, {22, VN_ERR_GUEST, "exit code 22"}, {16, VN_ERR_MEMORY, "memory"}, {1, VN_ERR_INTERNAL, "exit code 1:"},
                 {137, VN_ERR_INTERNAL, "signal 9"}, {139, VN_ERR_INTERNAL, "signal 11"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vn_error err = {0};
        vn_engine_exit_error(cases[i].code, &err);
        cr_expect(eq(int, (int)err.status, (int)cases[i].status));
        cr_expect(strcasestr(err.text, cases[i].text) != NULL, "%s", err.text);
    }
}
