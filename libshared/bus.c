/* Both ends wrap one zsock each. Sending uses the raw libzmq calls with ZMQ_DONTWAIT: on a ROUTER the first frame (the identity) decides whether
 * the whole message is taken, on a DEALER the header does; later frames of a message that was begun are never refused for a full queue.
 * Receiving looks at the socket's events first, so the zmsg_recv that follows finds a whole message and does not wait.
 * Everything received is foreign: a frame count, header or kind that does not fit is answered with an ERROR (server) or dropped (client). The
 * header's layout and the kind ERROR are the same in every version, so that two versions can tell each other what is wrong. */
#include "libshared/bus.h"

#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus.pb-c.h"

enum {
    HEADER_BYTES = VN_BUS_HEADER_BYTES,
    QUEUE_MESSAGES = 1000,        /* per peer and direction; the senders' own queues and one-in-flight rules keep the bytes small */
    LINGER_MS = 1000,             /* a last Shutdown or ERROR still leaves */
    HEARTBEAT_MS = 5000,          /* ZMTP PING: finds peers whose host is gone */
    HEARTBEAT_TIMEOUT_MS = 20000,
    HEARTBEAT_TTL_MS = 30000,
    RECONNECT_MS = 100,
    RECONNECT_MAX_MS = 2000,
};

struct vn_bus_client {
    zsock_t *sock;
};

struct vn_bus_server {
    zsock_t *sock;
};

/* ---- frames ---- */

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static void header_write(uint8_t h[HEADER_BYTES], const struct vn_bus_message *m)
{
    h[0] = 'V';
    h[1] = 'B';
    put16(h + 2, VN_BUS_VERSION);
    put16(h + 4, m->kind);
    put16(h + 6, 0);
    for (unsigned i = 0; i < 8; i++)
        h[8 + i] = (uint8_t)(m->correlation >> 8 * i);
}

static int kind_known(uint16_t kind)
{
    return (kind >= VN_KIND_ERROR && kind <= VN_KIND_PONG) || (kind >= VN_KIND_LAUNCH_PROOF && kind <= VN_KIND_HEALTH) ||
           (kind >= VN_KIND_WATCH_JOB && kind <= VN_KIND_LOG_LEVEL && kind != 39) || (kind >= VN_KIND_REPLY && kind <= VN_KIND_ABANDON) ||
           (kind >= VN_KIND_WORKER && kind <= VN_KIND_STREAM_CLOSED);
}

/* Reads the frames after the identity into *out (which borrows them). On failure out->kind and out->correlation are set where they were readable. */
static enum vn_status message_read(zmsg_t *frames, struct vn_bus_message *out, struct vn_error *err)
{
    *out = (struct vn_bus_message){0};
    size_t n = zmsg_size(frames);
    zframe_t *header = zmsg_first(frames);
    if (n < 1 || n > 3 || !header)
        return vn_fail(err, VN_ERR_FORMAT, "a bus message has one to three frames, not %zu", n);
    const uint8_t *h = zframe_data(header);
    if (zframe_size(header) != HEADER_BYTES || h[0] != 'V' || h[1] != 'B')
        return vn_fail(err, VN_ERR_FORMAT, "not a bus message: the first frame is no %d-byte header", HEADER_BYTES);
    unsigned version = get16(h + 2);
    out->kind = get16(h + 4);
    for (unsigned i = 0; i < 8; i++)
        out->correlation |= (uint64_t)h[8 + i] << 8 * i;
    if (version != VN_BUS_VERSION && out->kind != VN_KIND_ERROR)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "the peer speaks bus version %u, this side speaks version %u", version, VN_BUS_VERSION);
    if (!kind_known(out->kind))
        return vn_fail(err, VN_ERR_UNSUPPORTED, "unknown message kind %u (peer's bus version %u, this side's %u)", out->kind, version, VN_BUS_VERSION);
    if (get16(h + 6) != 0)
        return vn_fail(err, VN_ERR_FORMAT, "the reserved header field is not 0");
    zframe_t *body = zmsg_next(frames);
    if (body) {
        out->body = zframe_data(body);
        out->body_len = zframe_size(body);
        zframe_t *bulk = zmsg_next(frames);
        if (bulk) {
            out->bulk = zframe_data(bulk);
            out->bulk_len = zframe_size(bulk);
        }
    }
    return VN_OK;
}

void vn_bus_message_fini(struct vn_bus_message *m)
{
    zmsg_t *frames = m->frames;
    zmsg_destroy(&frames);
    *m = (struct vn_bus_message){0};
}

static enum vn_status status_of_errno(int e)
{
    switch (e) {
    case EAGAIN:
        return VN_ERR_BUSY;
    case EHOSTUNREACH:
        return VN_ERR_NOT_FOUND;
    case ENOMEM:
        return VN_ERR_MEMORY;
    default:
        return VN_ERR_IO;
    }
}

static enum vn_status send_frame(void *socket, const void *data, size_t len, int more)
{
    int rc;
    do
        rc = zmq_send(socket, data, len, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? status_of_errno(errno) : VN_OK;
}

static enum vn_status send_message(zsock_t *sock, const struct vn_bus_peer *to, const struct vn_bus_message *m)
{
    if (m->body_len > VN_BUS_MAX_MESSAGE || m->bulk_len > VN_BUS_MAX_MESSAGE)
        return VN_ERR_LIMIT;
    void *socket = zsock_resolve(sock);
    uint8_t header[HEADER_BYTES];
    header_write(header, m);
    enum vn_status s = to ? send_frame(socket, to->id, to->len, 1) : VN_OK;
    if (s == VN_OK)
        s = send_frame(socket, header, sizeof header, 1);
    if (s == VN_OK)
        s = send_frame(socket, m->body_len ? (const void *)m->body : "", m->body_len, m->bulk_len > 0);
    if (s == VN_OK && m->bulk_len > 0)
        s = send_frame(socket, m->bulk, m->bulk_len, 0);
    return s;
}

/* ---- sockets ---- */

static int host_is_loopback(const char *host, size_t n)
{
    if (n == 9 && memcmp(host, "localhost", 9) == 0)
        return 1;
    if (n == 5 && memcmp(host, "[::1]", 5) == 0)
        return 1;
    if (n < 9 || memcmp(host, "127.", 4) != 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (host[i] != '.' && (host[i] < '0' || host[i] > '9'))
            return 0;
    return 1;
}

static enum vn_status endpoint_check(const char *endpoint, struct vn_error *err)
{
    if (strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6])
        return VN_OK;
    if (strncmp(endpoint, "tcp://", 6) != 0)
        return vn_fail(err, VN_ERR_ARGUMENT, "bus endpoint \"%s\": expected ipc://PATH or tcp://HOST:PORT", endpoint);
    const char *host = endpoint + 6;
    const char *colon = strrchr(host, ':');
    if (!colon || colon == host || !colon[1])
        return vn_fail(err, VN_ERR_ARGUMENT, "bus endpoint \"%s\": expected tcp://HOST:PORT", endpoint);
    if (!host_is_loopback(host, (size_t)(colon - host)))
        return vn_fail(err, VN_ERR_PERMISSION, "bus endpoint \"%s\": unencrypted tcp is allowed on loopback addresses only", endpoint);
    return VN_OK;
}

static zsock_t *socket_new(int type)
{
    zsys_handler_set(NULL);
    zsock_t *s = zsock_new(type);
    if (!s)
        return NULL;
    zsock_set_linger(s, LINGER_MS);
    zsock_set_sndhwm(s, QUEUE_MESSAGES);
    zsock_set_rcvhwm(s, QUEUE_MESSAGES);
    zsock_set_sndtimeo(s, 0);
    zsock_set_maxmsgsize(s, (int)VN_BUS_MAX_MESSAGE);
    zsock_set_heartbeat_ivl(s, HEARTBEAT_MS);
    zsock_set_heartbeat_timeout(s, HEARTBEAT_TIMEOUT_MS);
    zsock_set_heartbeat_ttl(s, HEARTBEAT_TTL_MS);
    zsock_set_ipv6(s, 1);
    return s;
}

/* ---- client ---- */

enum vn_status vn_bus_client_open(struct vn_bus_client **c, const char *endpoint, struct vn_error *err)
{
    enum vn_status s = endpoint_check(endpoint, err);
    if (s != VN_OK)
        return s;
    struct vn_bus_client *new = calloc(1, sizeof *new);
    if (new)
        new->sock = socket_new(ZMQ_DEALER);
    if (!new || !new->sock) {
        free(new);
        return vn_fail(err, VN_ERR_MEMORY, "no memory for a bus socket");
    }
    zsock_set_reconnect_ivl(new->sock, RECONNECT_MS);
    zsock_set_reconnect_ivl_max(new->sock, RECONNECT_MAX_MS);
    if (zsock_connect(new->sock, "%s", endpoint) != 0) {
        s = vn_fail(err, VN_ERR_ARGUMENT, "cannot connect to the bus at %s: %s", endpoint, zmq_strerror(errno));
        vn_bus_client_close(new);
        return s;
    }
    *c = new;
    return VN_OK;
}

void vn_bus_client_close(struct vn_bus_client *c)
{
    if (!c)
        return;
    zsock_destroy(&c->sock);
    free(c);
}

int vn_bus_client_fd(struct vn_bus_client *c) { return (int)zsock_fd(c->sock); }
void *vn_bus_client_zsock(struct vn_bus_client *c) { return c->sock; }

enum vn_status vn_bus_client_send(struct vn_bus_client *c, const struct vn_bus_message *m) { return send_message(c->sock, NULL, m); }

enum vn_status vn_bus_client_recv(struct vn_bus_client *c, struct vn_bus_message *out)
{
    while (zsock_events(c->sock) & ZMQ_POLLIN) {
        zmsg_t *frames = zmsg_recv(c->sock);
        if (!frames)
            return VN_ERR_BUSY;
        if (message_read(frames, out, NULL) == VN_OK) {
            out->frames = frames;
            return VN_OK;
        }
        zmsg_destroy(&frames);
    }
    return VN_ERR_BUSY;
}

/* ---- server ---- */

enum vn_status vn_bus_server_open(struct vn_bus_server **s, const char *const *endpoints, struct vn_error *err)
{
    if (!endpoints || !endpoints[0])
        return vn_fail(err, VN_ERR_ARGUMENT, "the bus needs an endpoint");
    for (unsigned i = 0; endpoints[i]; i++) {
        enum vn_status st = endpoint_check(endpoints[i], err);
        if (st != VN_OK)
            return st;
    }
    struct vn_bus_server *new = calloc(1, sizeof *new);
    if (new)
        new->sock = socket_new(ZMQ_ROUTER);
    if (!new || !new->sock) {
        free(new);
        return vn_fail(err, VN_ERR_MEMORY, "no memory for a bus socket");
    }
    zsock_set_router_mandatory(new->sock, 1);
    zsock_set_router_handover(new->sock, 1);
    for (unsigned i = 0; endpoints[i]; i++)
        if (zsock_bind(new->sock, "%s", endpoints[i]) < 0) {
            enum vn_status st = vn_fail(err, VN_ERR_IO, "cannot bind the bus to %s: %s", endpoints[i], zmq_strerror(errno));
            vn_bus_server_close(new);
            return st;
        }
    *s = new;
    return VN_OK;
}

void vn_bus_server_close(struct vn_bus_server *s)
{
    if (!s)
        return;
    zsock_destroy(&s->sock);
    free(s);
}

void *vn_bus_server_zsock(struct vn_bus_server *s) { return s->sock; }
const char *vn_bus_server_endpoint(struct vn_bus_server *s) { return zsock_endpoint(s->sock); }

/* Best effort: a peer that breaks the protocol and does not read its answers only hurts itself. */
static void refuse(struct vn_bus_server *s, const struct vn_bus_peer *to, uint64_t correlation, const struct vn_error *why)
{
    Venus__Bus__V1__Error e = VENUS__BUS__V1__ERROR__INIT;
    e.status = (uint32_t)why->status;
    e.text = (char *)why->text;
    uint8_t body[sizeof why->text + 32];
    size_t n = venus__bus__v1__error__get_packed_size(&e);
    if (n > sizeof body)
        return;
    venus__bus__v1__error__pack(&e, body);
    struct vn_bus_message m = {.kind = VN_KIND_ERROR, .correlation = correlation, .body = body, .body_len = n};
    enum vn_status ignored = send_message(s->sock, to, &m);
    (void)ignored;
}

enum vn_status vn_bus_server_recv(struct vn_bus_server *s, struct vn_bus_peer *from, struct vn_bus_message *out)
{
    while (zsock_events(s->sock) & ZMQ_POLLIN) {
        zmsg_t *frames = zmsg_recv(s->sock);
        if (!frames)
            return VN_ERR_BUSY;
        zframe_t *id = zmsg_pop(frames);
        size_t id_len = id ? zframe_size(id) : 0;
        if (id_len == 0 || id_len > sizeof from->id) { /* an identity chosen by someone else's client, longer than we keep */
            zframe_destroy(&id);
            zmsg_destroy(&frames);
            continue;
        }
        *from = (struct vn_bus_peer){.len = (uint8_t)id_len};
        memcpy(from->id, zframe_data(id), id_len);
        zframe_destroy(&id);

        struct vn_error err;
        if (message_read(frames, out, &err) == VN_OK) {
            out->frames = frames;
            return VN_OK;
        }
        if (out->kind != VN_KIND_ERROR)
            refuse(s, from, out->correlation, &err);
        zmsg_destroy(&frames);
    }
    return VN_ERR_BUSY;
}

enum vn_status vn_bus_server_send(struct vn_bus_server *s, const struct vn_bus_peer *to, const struct vn_bus_message *m)
{
    return send_message(s->sock, to, m);
}
