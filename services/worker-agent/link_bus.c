/* A DEALER of the bus that plays one worker stream, correlation 1. It says HELLO as soon as the socket takes it and is up with the
 * WELCOME. ZMQ reconnects underneath without a word; a coordinator that came back answers our messages with an error or a close,
 * or the agent hears nothing for too long: either way the agent opens a new connection and registers again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus.pb-c.h"
#include "libshared/bus.h"
#include "services/worker-agent/link.h"

#define STREAM 1u

struct bus_link {
    struct vn_link base;
    struct vn_bus_client *client;
    int said_hello, up;
};

static int bus_fd(struct vn_link *l) { return vn_bus_client_fd(((struct bus_link *)l)->client); }

static void say_hello(struct bus_link *b)
{
    Venus__Bus__V1__Hello hello = VENUS__BUS__V1__HELLO__INIT;
    hello.role = VENUS__BUS__V1__HELLO__ROLE__ROLE_AGENT;
    hello.version = (char *)VN_VERSION;
    uint8_t body[64];
    if (venus__bus__v1__hello__get_packed_size(&hello) > sizeof body)
        return;
    struct vn_bus_message m = {.kind = VN_KIND_HELLO, .correlation = STREAM, .body = body, .body_len = venus__bus__v1__hello__pack(&hello, body)};
    b->said_hello = vn_bus_client_send(b->client, &m) == VN_OK;
}

static void describe_error(const struct vn_bus_message *m, char text[256])
{
    Venus__Bus__V1__Error *e = venus__bus__v1__error__unpack(NULL, m->body_len, m->body);
    snprintf(text, 256, "%s", e && e->text[0] ? e->text : "the coordinator answered with an error");
    if (e)
        venus__bus__v1__error__free_unpacked(e, NULL);
}

/* VN_ERR_BUSY: the message was none of ours. */
static enum vn_status translate(struct bus_link *b, const struct vn_bus_message *m, struct vn_link_event *event)
{
    switch (m->kind) {
    case VN_KIND_WELCOME:
        if (b->up)
            return VN_ERR_BUSY;
        b->up = 1;
        event->kind = VN_LINK_UP;
        return VN_OK;
    case VN_KIND_COORDINATOR:
        if (m->correlation != STREAM)
            return VN_ERR_BUSY;
        event->message = zisk__distributed__api__v1__coordinator_message__unpack(NULL, m->body_len, m->body);
        event->kind = event->message ? VN_LINK_MESSAGE : VN_LINK_MALFORMED;
        event->n_bytes = m->body_len;
        return VN_OK;
    case VN_KIND_STREAM_CLOSED:
        event->kind = VN_LINK_DOWN;
        snprintf(event->text, sizeof event->text, "the coordinator closed the stream");
        return VN_OK;
    case VN_KIND_ERROR:
        event->kind = VN_LINK_DOWN;
        describe_error(m, event->text);
        return VN_OK;
    case VN_KIND_PING: {
        struct vn_bus_message pong = {.kind = VN_KIND_PONG, .correlation = m->correlation};
        (void)!vn_bus_client_send(b->client, &pong);
        return VN_ERR_BUSY;
    }
    default:
        return VN_ERR_BUSY;
    }
}

static enum vn_status bus_recv(struct vn_link *l, struct vn_link_event *event)
{
    struct bus_link *b = (struct bus_link *)l;
    if (!b->said_hello)
        say_hello(b);
    *event = (struct vn_link_event){0};
    for (;;) {
        struct vn_bus_message m;
        enum vn_status s = vn_bus_client_recv(b->client, &m);
        if (s == VN_ERR_BUSY)
            return s;
        if (s != VN_OK) {
            event->kind = VN_LINK_MALFORMED;
            snprintf(event->text, sizeof event->text, "%s", vn_status_text(s));
            return VN_OK;
        }
        s = translate(b, &m, event);
        vn_bus_message_fini(&m);
        if (s == VN_OK)
            return s;
    }
}

static enum vn_status bus_send(struct vn_link *l, const uint8_t *bytes, size_t n_bytes)
{
    struct vn_bus_message m = {.kind = VN_KIND_WORKER, .correlation = STREAM, .body = bytes, .body_len = n_bytes};
    return vn_bus_client_send(((struct bus_link *)l)->client, &m);
}

static void bus_close(struct vn_link *l)
{
    struct bus_link *b = (struct bus_link *)l;
    if (b->up) {
        struct vn_bus_message m = {.kind = VN_KIND_STREAM_CLOSED, .correlation = STREAM};
        (void)!vn_bus_client_send(b->client, &m); /* the coordinator's own timer covers a lost one */
    }
    vn_bus_client_close(b->client);
    free(b);
}

enum vn_status vn_link_open_bus(struct vn_link **link, const char *endpoint, struct vn_error *err)
{
    static const struct vn_link_ops ops = {bus_fd, bus_recv, bus_send, bus_close};
    struct bus_link *b = calloc(1, sizeof *b);
    if (!b)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for a connection");
    b->base.ops = &ops;
    enum vn_status s = vn_bus_client_open(&b->client, endpoint, err);
    if (s != VN_OK) {
        free(b);
        return s;
    }
    *link = &b->base;
    return VN_OK;
}
