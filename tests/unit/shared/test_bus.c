#include <criterion/criterion.h>
#include <czmq.h>
#include <poll.h>
#include <string.h>

#include "bus.pb-c.h"
#include "libshared/bus.h"

static struct vn_bus_server *server;
static struct vn_bus_client *client;
static char dir[64], endpoint[100];

static void setup(void)
{
    strcpy(dir, "/tmp/vn-bus-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/s", dir);
    struct vn_error err;
    const char *list[] = {endpoint, "tcp://127.0.0.1:*", NULL};
    cr_assert_eq(vn_bus_server_open(&server, list, &err), VN_OK, "%s", err.text);
    cr_assert_eq(vn_bus_client_open(&client, endpoint, &err), VN_OK, "%s", err.text);
}

static void teardown(void)
{
    vn_bus_client_close(client);
    vn_bus_server_close(server);
    unlink(endpoint + 6);
    rmdir(dir);
}

static struct vn_bus_peer from;

static struct vn_bus_message serve(void)
{
    struct vn_bus_message m = {0};
    for (int i = 0; i < 500; i++) {
        if (vn_bus_server_recv(server, &from, &m) == VN_OK)
            return m;
        struct pollfd p = {.fd = (int)zsock_fd(vn_bus_server_zsock(server)), .events = POLLIN};
        poll(&p, 1, 10);
    }
    cr_assert_fail("the server received nothing");
    return m;
}

static struct vn_bus_message hear(struct vn_bus_client *c)
{
    struct vn_bus_message m = {0};
    for (int i = 0; i < 500; i++) {
        if (vn_bus_client_recv(c, &m) == VN_OK)
            return m;
        struct pollfd p = {.fd = vn_bus_client_fd(c), .events = POLLIN};
        poll(&p, 1, 10);
    }
    cr_assert_fail("the client received nothing");
    return m;
}

TestSuite(bus, .init = setup, .fini = teardown, .timeout = 30);

Test(bus, there_and_back_with_bulk)
{
    size_t big = 3u << 20;
    uint8_t *bulk = malloc(big);
    memset(bulk, 0xab, big);
    struct vn_bus_message out = {.kind = VN_KIND_WORKER, .correlation = UINT64_C(0x1122334455667788), .body = (const uint8_t *)"body", .body_len = 4,
                                 .bulk = bulk, .bulk_len = big};
    cr_assert_eq(vn_bus_client_send(client, &out), VN_OK);
    struct vn_bus_message in = serve();
    cr_assert_eq(in.kind, VN_KIND_WORKER);
    cr_assert_eq(in.correlation, out.correlation);
    cr_assert(in.body_len == 4 && memcmp(in.body, "body", 4) == 0);
    cr_assert(in.bulk_len == big && memcmp(in.bulk, bulk, big) == 0);
    vn_bus_message_fini(&in);
    cr_assert_null(in.frames);

    struct vn_bus_message empty = {.kind = VN_KIND_END, .correlation = 5};
    cr_assert_eq(vn_bus_server_send(server, &from, &empty), VN_OK);
    in = hear(client);
    cr_assert(in.kind == VN_KIND_END && in.correlation == 5 && in.body_len == 0 && in.bulk_len == 0);
    vn_bus_message_fini(&in);
    cr_assert_eq(vn_bus_client_recv(client, &in), VN_ERR_BUSY);
    free(bulk);
}

Test(bus, tcp_on_loopback)
{
    struct vn_bus_client *other;
    cr_assert(strncmp(vn_bus_server_endpoint(server), "tcp://127.0.0.1:", 16) == 0, "%s", vn_bus_server_endpoint(server));
    cr_assert_eq(vn_bus_client_open(&other, vn_bus_server_endpoint(server), NULL), VN_OK);
    struct vn_bus_message out = {.kind = VN_KIND_PING, .correlation = 1};
    cr_assert_eq(vn_bus_client_send(other, &out), VN_OK);
    struct vn_bus_message in = serve();
    cr_assert_eq(in.kind, VN_KIND_PING);
    vn_bus_message_fini(&in);
    vn_bus_client_close(other);
}

Test(bus, endpoints_are_checked)
{
    struct vn_error err;
    struct vn_bus_client *c;
    static const char *const bad[] = {"tcp://0.0.0.0:1", "tcp://*:1", "tcp://example.org:1", "tcp://127.evil.org:1", "tcp://eth0:1", "udp://127.0.0.1:1", "ipc://", "tcp://127.0.0.1",
                                      "tcp://127.0.0.1:", "%s%n"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *list[] = {bad[i], NULL};
        struct vn_bus_server *s;
        cr_assert_neq(vn_bus_server_open(&s, list, &err), VN_OK, "%s", bad[i]);
        cr_assert_not_null(strstr(err.text, bad[i]));
        cr_assert_neq(vn_bus_client_open(&c, bad[i], &err), VN_OK, "%s", bad[i]);
    }
    const char *taken[] = {vn_bus_server_endpoint(server), NULL};
    struct vn_bus_server *s;
    cr_assert_eq(vn_bus_server_open(&s, taken, &err), VN_ERR_IO);
    const char *none[] = {NULL};
    cr_assert_eq(vn_bus_server_open(&s, none, &err), VN_ERR_ARGUMENT);
}

Test(bus, a_peer_that_left_is_not_found)
{
    struct vn_bus_message m = {.kind = VN_KIND_PING};
    struct vn_bus_client *other;
    cr_assert_eq(vn_bus_client_open(&other, endpoint, NULL), VN_OK);
    cr_assert_eq(vn_bus_client_send(other, &m), VN_OK);
    struct vn_bus_message in = serve();
    vn_bus_message_fini(&in);
    cr_assert_eq(vn_bus_server_send(server, &from, &m), VN_OK);
    vn_bus_client_close(other);
    enum vn_status s = VN_OK;
    for (int i = 0; i < 300 && s != VN_ERR_NOT_FOUND; i++) {
        s = vn_bus_server_send(server, &from, &m);
        zclock_sleep(10);
    }
    cr_assert_eq(s, VN_ERR_NOT_FOUND);
}

static void expect_refusal(zsock_t *raw, uint64_t correlation, enum vn_status status, const char *text)
{
    zmsg_t *answer = NULL;
    for (int i = 0; i < 500 && !answer; i++) {
        struct vn_bus_message m;
        cr_assert_eq(vn_bus_server_recv(server, &from, &m), VN_ERR_BUSY);
        if (zsock_events(raw) & ZMQ_POLLIN)
            answer = zmsg_recv(raw);
        else
            zclock_sleep(5);
    }
    cr_assert_not_null(answer);
    zframe_t *h = zmsg_first(answer), *b = zmsg_next(answer);
    cr_assert(h && b && zframe_size(h) == 16 && zframe_data(h)[4] == VN_KIND_ERROR && zframe_data(h)[8] == correlation);
    Venus__Bus__V1__Error *e = venus__bus__v1__error__unpack(NULL, zframe_size(b), zframe_data(b));
    cr_assert_not_null(e);
    cr_assert_eq(e->status, (uint32_t)status);
    cr_assert_not_null(strstr(e->text, text), "%s", e->text);
    venus__bus__v1__error__free_unpacked(e, NULL);
    zmsg_destroy(&answer);
}

static zsock_t *raw_socket(void)
{
    zsock_t *raw = zsock_new(ZMQ_DEALER);
    cr_assert_eq(zsock_connect(raw, "%s", endpoint), 0);
    return raw;
}

static void raw_send(zsock_t *raw, const uint8_t *header, size_t n, int more)
{
    zmsg_t *m = zmsg_new();
    zmsg_addmem(m, header, n);
    for (int i = 0; i < more; i++)
        zmsg_addstr(m, "x");
    zmsg_send(&m, raw);
}

Test(bus, other_versions_and_malformed_messages_are_answered)
{
    zsock_t *raw = raw_socket();
    uint8_t h[16] = {'V', 'B', 7, 0, VN_KIND_PING, 0, 0, 0, 42};
    raw_send(raw, h, sizeof h, 0);
    expect_refusal(raw, 42, VN_ERR_UNSUPPORTED, "bus version 7, this side speaks version 1");
    h[2] = 1;
    h[4] = 99;
    raw_send(raw, h, sizeof h, 0);
    expect_refusal(raw, 42, VN_ERR_UNSUPPORTED, "unknown message kind 99 (peer's bus version 1, this side's 1)");
    h[4] = VN_KIND_PING;
    raw_send(raw, h, sizeof h, 3);
    expect_refusal(raw, 0, VN_ERR_FORMAT, "one to three frames, not 4");
    h[0] = 'X';
    raw_send(raw, h, sizeof h, 0);
    expect_refusal(raw, 0, VN_ERR_FORMAT, "not a bus message");
    raw_send(raw, h, 5, 0);
    expect_refusal(raw, 0, VN_ERR_FORMAT, "not a bus message");
    zsock_destroy(&raw);
}

Test(bus, a_full_queue_is_busy)
{
    struct vn_bus_client *nobody;
    char ep[120];
    snprintf(ep, sizeof ep, "ipc://%s/none", dir);
    cr_assert_eq(vn_bus_client_open(&nobody, ep, NULL), VN_OK);
    struct vn_bus_message m = {.kind = VN_KIND_PING};
    enum vn_status s = VN_OK;
    int n = 0;
    while (s == VN_OK && n++ < 5000)
        s = vn_bus_client_send(nobody, &m);
    cr_assert_eq(s, VN_ERR_BUSY);
    cr_assert_gt(n, 500);
    vn_bus_client_close(nobody);
}
