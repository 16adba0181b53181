/* Who is on the bus. A peer is known from its HELLO until something cannot be delivered to it (a ping every two seconds makes sure of that) or it has
 * let its queue run over. What the bus cannot take at once waits in the peer's outbox, in order, and is tried again with every tick. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus.pb-c.h"
#include "libshared/log.h"
#include "services/scheduler/hints.h"
#include "services/scheduler/report.h"
#include "services/scheduler/scheduler.h"

struct vn_peer *vn_peer_find(struct vn_scheduler *s, const struct vn_bus_peer *address)
{
    for (struct vn_peer *p = s->peers; p; p = p->next)
        if (!p->gone && p->address.len == address->len && memcmp(p->address.id, address->id, address->len) == 0)
            return p;
    return NULL;
}

struct vn_peer *vn_peer_add(struct vn_scheduler *s, const struct vn_bus_peer *address, int role)
{
    struct vn_peer *p = s->n_peers < VN_MAX_PEERS ? calloc(1, sizeof *p) : NULL;
    if (!p)
        return NULL;
    p->address = *address;
    p->role = role;
    p->outbox_tail = &p->outbox;
    p->next = s->peers;
    s->peers = p;
    s->n_peers++;
    return p;
}

static void leave(struct vn_peer *p, const char *why)
{
    if (!p->gone)
        VN_LOG(VN_LOG_INFO, "peer.gone", "role=%d why=\"%s\"", p->role, why);
    p->gone = 1;
}

static enum vn_status try_send(struct vn_scheduler *s, struct vn_peer *p, uint16_t kind, uint64_t correlation, const uint8_t *body, size_t len)
{
    struct vn_bus_message m = {.kind = kind, .correlation = correlation, .body = body, .body_len = len};
    enum vn_status st = vn_bus_server_send(s->bus, &p->address, &m);
    if (st == VN_OK)
        vn_report_bus(s, 1, VN_BUS_HEADER_BYTES + len);
    return st;
}

static void enqueue(struct vn_peer *p, uint16_t kind, uint64_t correlation, const uint8_t *body, size_t len)
{
    struct vn_outgoing *o = NULL;
    if (p->outbox_count < VN_OUTBOX_MESSAGES && p->outbox_bytes + len <= VN_OUTBOX_BYTES)
        o = malloc(sizeof *o + len);
    if (!o) {
        leave(p, "it does not read its messages");
        return;
    }
    *o = (struct vn_outgoing){.kind = kind, .correlation = correlation, .len = len};
    if (len)
        memcpy(o->body, body, len);
    *p->outbox_tail = o;
    p->outbox_tail = &o->next;
    p->outbox_count++;
    p->outbox_bytes += len;
}

static void deliver(struct vn_scheduler *s, struct vn_peer *p, uint16_t kind, uint64_t correlation, const uint8_t *body, size_t len)
{
    enum vn_status st = p->outbox ? VN_ERR_BUSY : try_send(s, p, kind, correlation, body, len);
    if (st == VN_ERR_BUSY)
        enqueue(p, kind, correlation, body, len);
    else if (st != VN_OK)
        leave(p, st == VN_ERR_NOT_FOUND ? "disconnected" : vn_status_text(st));
}

void vn_peer_send(struct vn_scheduler *s, struct vn_peer *p, uint16_t kind, uint64_t correlation, const ProtobufCMessage *m)
{
    if (p->gone)
        return;
    size_t len = m ? protobuf_c_message_get_packed_size(m) : 0;
    if (len > VN_BUS_MAX_MESSAGE) {
        leave(p, "a message for it passes the limit");
        return;
    }
    uint8_t *body = malloc(len + 1);
    if (!body) {
        s->fatal = VN_ERR_MEMORY;
        return;
    }
    if (m)
        protobuf_c_message_pack(m, body);
    deliver(s, p, kind, correlation, body, len);
    free(body);
}

void vn_peer_error(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation, enum vn_status status, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    Venus__Bus__V1__Error e = VENUS__BUS__V1__ERROR__INIT;
    e.status = (uint32_t)status;
    e.text = text;
    vn_peer_send(s, p, VN_KIND_ERROR, correlation, &e.base);
}

void vn_stranger_error(struct vn_scheduler *s, const struct vn_bus_peer *to, uint64_t correlation, const char *text)
{
    struct vn_peer p = {.address = *to, .outbox_tail = &p.outbox};
    Venus__Bus__V1__Error e = VENUS__BUS__V1__ERROR__INIT;
    e.status = VN_ERR_PEER;
    e.text = (char *)(uintptr_t)text;
    uint8_t body[600];
    if (venus__bus__v1__error__get_packed_size(&e) > sizeof body)
        return;
    size_t len = venus__bus__v1__error__pack(&e, body);
    enum vn_status ignored = try_send(s, &p, VN_KIND_ERROR, correlation, body, len); /* it is not ours to keep */
    (void)ignored;
}

static void drop_first(struct vn_peer *p)
{
    struct vn_outgoing *o = p->outbox;
    p->outbox = o->next;
    if (!p->outbox)
        p->outbox_tail = &p->outbox;
    p->outbox_count--;
    p->outbox_bytes -= o->len;
    free(o);
}

static void flush(struct vn_scheduler *s, struct vn_peer *p)
{
    while (p->outbox && !p->gone) {
        struct vn_outgoing *o = p->outbox;
        enum vn_status st = try_send(s, p, o->kind, o->correlation, o->body, o->len);
        if (st == VN_ERR_BUSY)
            return;
        if (st != VN_OK)
            leave(p, st == VN_ERR_NOT_FOUND ? "disconnected" : vn_status_text(st));
        drop_first(p);
    }
}

void vn_peers_tick(struct vn_scheduler *s)
{
    uint64_t now = vn_clock_monotonic_ns();
    int ping = now - s->pinged_ns >= VN_PING_NS;
    if (ping)
        s->pinged_ns = now;
    for (struct vn_peer *p = s->peers; p; p = p->next) {
        flush(s, p);
        if (ping && !p->outbox)
            vn_peer_send(s, p, VN_KIND_PING, 0, NULL);
    }
}

static void peer_free(struct vn_peer *p)
{
    while (p->outbox)
        drop_first(p);
    free(p);
}

int vn_peers_settle(struct vn_scheduler *s)
{
    int any = 0;
    struct vn_peer **at = &s->peers;
    while (*at) {
        struct vn_peer *p = *at;
        if (!p->gone) {
            at = &p->next;
            continue;
        }
        any = 1;
        *at = p->next;
        s->n_peers--;
        vn_watch_drop(s, p);
        vn_hints_forget(s, p);
        for (struct vn_link *l = s->links; l; l = l->next)
            if (l->peer == p) {
                l->peer = NULL;
                l->closing = 1;
            }
        peer_free(p);
    }
    return any;
}

void vn_peers_free(struct vn_scheduler *s)
{
    while (s->peers) {
        struct vn_peer *p = s->peers;
        s->peers = p->next;
        peer_free(p);
    }
}
