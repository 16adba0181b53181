/* The bus client and who waits for what on it. Messages leave through an outbox that keeps their order and holds what
 * the bus does not take at once. The link is up from the scheduler's WELCOME until it has been silent for too long or
 * answers that it does not know us (it was restarted); then every call that waits for it fails and the greeting starts
 * again. Correlations grow and are never used twice, so an answer that comes late finds nobody and is dropped. */
#include <stdlib.h>
#include <string.h>

#include "bus.pb-c.h"
#include "libshared/log.h"
#include "services/gateway/gateway.h"
#include "services/gateway/wire.h"

#define BUCKETS 4096u
#define BATCH 256u /* messages handled before gRPC has its turn */

struct outgoing {
    struct outgoing *next;
    uint16_t kind;
    int resume;
    uint64_t correlation;
    grpc_slice body;
};

struct vn_link {
    struct vn_gateway *gateway;
    struct vn_bus_client *bus;
    int up;
    uint64_t last_correlation;
    uint64_t heard_ns, pinged_ns;
    struct outgoing *outbox, **outbox_tail;
    size_t n_outbox, outbox_bytes;
    struct vn_call *buckets[BUCKETS];
};

enum vn_status vn_link_open(struct vn_link **out, struct vn_gateway *g, const char *endpoint, uint64_t now_ns, struct vn_error *err)
{
    struct vn_link *l = calloc(1, sizeof *l);
    if (!l)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    l->gateway = g;
    l->outbox_tail = &l->outbox;
    l->heard_ns = now_ns;
    enum vn_status s = vn_bus_client_open(&l->bus, endpoint, err);
    if (s != VN_OK) {
        free(l);
        return s;
    }
    *out = l;
    return VN_OK;
}

static void empty_outbox(struct vn_link *l)
{
    while (l->outbox) {
        struct outgoing *o = l->outbox;
        l->outbox = o->next;
        grpc_slice_unref(o->body);
        free(o);
    }
    l->outbox_tail = &l->outbox;
    l->n_outbox = l->outbox_bytes = 0;
}

void vn_link_close(struct vn_link *l)
{
    if (!l)
        return;
    empty_outbox(l);
    vn_bus_client_close(l->bus);
    free(l);
}

int vn_link_fd(struct vn_link *l) { return vn_bus_client_fd(l->bus); }
int vn_link_is_up(const struct vn_link *l) { return l->up; }
int vn_link_waiting(const struct vn_link *l) { return l->outbox != NULL; }

int vn_link_has_room(const struct vn_link *l, size_t bytes)
{
    return l->n_outbox < VN_GATEWAY_OUTBOX_MESSAGES && l->outbox_bytes + bytes <= VN_GATEWAY_OUTBOX_BYTES;
}

static struct vn_call *find(struct vn_link *l, uint64_t correlation)
{
    struct vn_call *c = l->buckets[correlation % BUCKETS];
    while (c && c->correlation != correlation)
        c = c->chain;
    return c;
}

void vn_link_forget(struct vn_link *l, struct vn_call *c)
{
    if (!c->correlation)
        return;
    struct vn_call **p = &l->buckets[c->correlation % BUCKETS];
    while (*p != c)
        p = &(*p)->chain;
    *p = c->chain;
    c->chain = NULL;
    c->correlation = 0;
}

static enum vn_status try_send(struct vn_link *l, uint16_t kind, uint64_t correlation, grpc_slice body)
{
    struct vn_bus_message m = {
        .kind = kind, .correlation = correlation, .body = GRPC_SLICE_START_PTR(body), .body_len = GRPC_SLICE_LENGTH(body)};
    return vn_bus_client_send(l->bus, &m);
}

static void sent(struct vn_link *l, uint64_t correlation, int resume)
{
    struct vn_call *c = resume ? find(l, correlation) : NULL;
    if (c)
        vn_call_receive(c);
}

void vn_link_send(struct vn_link *l, uint16_t kind, uint64_t correlation, grpc_slice body, int resume)
{
    if (!l->up && kind != VN_KIND_HELLO)
        return;
    if (!l->outbox) {
        enum vn_status s = try_send(l, kind, correlation, body);
        if (s == VN_OK)
            sent(l, correlation, resume);
        else if (s != VN_ERR_BUSY)
            VN_LOG(VN_LOG_ERROR, "bus.send-failed", "kind=%u status=%s", kind, vn_status_name(s));
        if (s != VN_ERR_BUSY)
            return;
    }
    struct outgoing *o = malloc(sizeof *o);
    if (!o) {
        VN_LOG(VN_LOG_ERROR, "memory.out", "where=outbox");
        struct vn_call *c = find(l, correlation);
        if (c && !c->finishing)
            vn_call_fail(c, VN_ERR_MEMORY, NULL);
        return;
    }
    *o = (struct outgoing){NULL, kind, resume, correlation, grpc_slice_ref(body)};
    *l->outbox_tail = o;
    l->outbox_tail = &o->next;
    l->n_outbox++;
    l->outbox_bytes += GRPC_SLICE_LENGTH(body);
}

enum vn_status vn_link_request(struct vn_link *l, struct vn_call *c, uint16_t kind, grpc_slice body)
{
    if (!l->up)
        return VN_ERR_IO;
    if (!vn_link_has_room(l, GRPC_SLICE_LENGTH(body)))
        return VN_ERR_BUSY;
    c->correlation = ++l->last_correlation;
    struct vn_call **bucket = &l->buckets[c->correlation % BUCKETS];
    c->chain = *bucket;
    *bucket = c;
    vn_link_send(l, kind, c->correlation, body, 0);
    return VN_OK;
}

static void flush(struct vn_link *l)
{
    while (l->outbox) {
        struct outgoing *o = l->outbox;
        if (try_send(l, o->kind, o->correlation, o->body) == VN_ERR_BUSY)
            return;
        l->outbox = o->next;
        if (!l->outbox)
            l->outbox_tail = &l->outbox;
        l->n_outbox--;
        l->outbox_bytes -= GRPC_SLICE_LENGTH(o->body);
        sent(l, o->correlation, o->resume);
        grpc_slice_unref(o->body);
        free(o);
    }
}

static void greet(struct vn_link *l)
{
    Venus__Bus__V1__Hello hello = VENUS__BUS__V1__HELLO__INIT;
    hello.role = VENUS__BUS__V1__HELLO__ROLE__ROLE_GATEWAY;
    hello.version = (char *)(uintptr_t)VN_VERSION;
    grpc_slice body = vn_slice_pack(&hello.base);
    if (!l->outbox)
        vn_link_send(l, VN_KIND_HELLO, 0, body, 0);
    grpc_slice_unref(body);
}

static void go_down(struct vn_link *l, const char *reason)
{
    if (!l->up)
        return;
    l->up = 0;
    VN_LOG(VN_LOG_WARN, "scheduler.lost", "reason=\"%s\"", reason);
    empty_outbox(l);
    for (struct vn_call *c = l->gateway->calls, *next; c; c = next) {
        next = c->next;
        if (c->correlation) {
            c->bus_open = 0;
            vn_call_fail(c, VN_ERR_IO, "the scheduler was lost; the coordinator is restarting it, try again in a moment");
        }
    }
    vn_gateway_link_changed(l->gateway, 0);
}

/* c: who asked, NULL if nobody does any more. An error of class `peer` says that the scheduler does not know us. */
static void refused(struct vn_link *l, struct vn_call *c, const struct vn_bus_message *m, uint64_t now_ns)
{
    Venus__Bus__V1__Error *e = venus__bus__v1__error__unpack(NULL, m->body_len, m->body);
    if (m->correlation == 0 || (e && e->status == VN_ERR_PEER)) {
        go_down(l, e ? e->text : "refused");
        l->pinged_ns = now_ns;
        greet(l);
    } else if (c) {
        c->bus_open = 0;
        if (e)
            vn_call_fail(c, e->status < VN_STATUS_COUNT && e->status != VN_OK ? (enum vn_status)e->status : VN_ERR_INTERNAL,
                         vn_wire_text_ok((const uint8_t *)e->text, strlen(e->text)) ? e->text : NULL);
        else
            vn_call_fail(c, VN_ERR_INTERNAL, "the scheduler gave an answer that cannot be read");
    }
    venus__bus__v1__error__free_unpacked(e, NULL);
}

static void handle(struct vn_link *l, struct vn_bus_message *m, uint64_t now_ns)
{
    l->heard_ns = now_ns;
    if (m->kind == VN_KIND_WELCOME) {
        if (!l->up) {
            l->up = 1;
            VN_LOG(VN_LOG_INFO, "scheduler.connected", "%s", "");
            vn_gateway_link_changed(l->gateway, 1);
        }
        return;
    }
    if (m->kind == VN_KIND_PING) {
        vn_link_send(l, VN_KIND_PONG, m->correlation, grpc_empty_slice(), 0);
        return;
    }
    if (m->kind == VN_KIND_PONG)
        return;
    struct vn_call *c = m->correlation ? find(l, m->correlation) : NULL;
    if (c && c->finishing)
        c = NULL;
    if (m->kind == VN_KIND_ERROR)
        refused(l, c, m, now_ns);
    else if (c)
        c->method->answered(c, m);
}

int vn_link_run(struct vn_link *l, uint64_t now_ns)
{
    flush(l);
    for (unsigned i = 0; i < BATCH; i++) {
        struct vn_bus_message m;
        enum vn_status s = vn_bus_client_recv(l->bus, &m);
        if (s == VN_ERR_BUSY)
            return 0;
        if (s != VN_OK) {
            VN_LOG(VN_LOG_WARN, "bus.bad-message", "status=%s", vn_status_name(s));
            continue;
        }
        handle(l, &m, now_ns);
        vn_bus_message_fini(&m);
    }
    return 1;
}

void vn_link_tick(struct vn_link *l, uint64_t now_ns)
{
    if (l->up && now_ns - l->heard_ns > VN_GATEWAY_SILENCE_NS)
        go_down(l, "silent");
    uint64_t pause = l->up ? VN_GATEWAY_PING_NS : VN_GATEWAY_PING_NS / 4;
    if (l->pinged_ns && now_ns - l->pinged_ns < pause)
        return;
    l->pinged_ns = now_ns;
    if (l->up)
        vn_link_send(l, VN_KIND_PING, 0, grpc_empty_slice(), 0);
    else
        greet(l);
}
