#ifndef VN_LINK_H
#define VN_LINK_H
/* The way to a coordinator: one object is one connection and is thrown away when it is down. Two kinds behind one table:
 * the bus (tcp://, ipc://) and the public WorkerStream over gRPC (http://). All calls from the loop thread. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"
#include "services/worker-agent/api.h"

struct vn_link;

enum vn_link_event_kind {
    VN_LINK_UP,        /* the first message may be sent */
    VN_LINK_MESSAGE,
    VN_LINK_MALFORMED, /* a message did not parse; the connection stands */
    VN_LINK_DOWN       /* over, text says why; only close is left */
};

struct vn_link_event {
    enum vn_link_event_kind kind;
    coordinator_message *message; /* VN_LINK_MESSAGE: caller's, to be freed with ..._free_unpacked */
    size_t n_bytes;               /* VN_LINK_MESSAGE, VN_LINK_MALFORMED: its length on the wire */
    char text[256];
};

struct vn_link_ops {
    int (*fd)(struct vn_link *link);
    enum vn_status (*recv)(struct vn_link *link, struct vn_link_event *event);
    enum vn_status (*send)(struct vn_link *link, const uint8_t *bytes, size_t n_bytes);
    void (*close)(struct vn_link *link);
};

struct vn_link {
    const struct vn_link_ops *ops; /* first member of both kinds */
};

/* 1 if the URL has a form this worker can use, else err says what is wrong with it. */
int vn_link_url_ok(const char *url, struct vn_error *err);
/* Starts connecting. Errors: VN_ERR_ARGUMENT, VN_ERR_UNSUPPORTED (URL), VN_ERR_MEMORY, VN_ERR_IO. */
enum vn_status vn_link_open(struct vn_link **link, const char *url, struct vn_error *err) VN_MUST_CHECK;

/* Wakes the poll loop; edge-triggered: take events until VN_ERR_BUSY after every wake and after every send. */
static inline int vn_link_fd(struct vn_link *l) { return l->ops->fd(l); }
/* Errors: VN_ERR_BUSY: none now. */
static inline enum vn_status vn_link_recv(struct vn_link *l, struct vn_link_event *event) { return l->ops->recv(l, event); }
/* A packed WorkerMessage, copied. Errors: VN_ERR_BUSY: later. */
static inline enum vn_status vn_link_send(struct vn_link *l, const uint8_t *bytes, size_t n_bytes) { return l->ops->send(l, bytes, n_bytes); }
/* Blocks: for a gRPC connection until its cancellation is through (milliseconds). NULL is fine. */
static inline void vn_link_close(struct vn_link **l)
{
    if (*l)
        (*l)->ops->close(*l);
    *l = NULL;
}

/* The two kinds; endpoint is the URL for the bus, host:port for gRPC. */
enum vn_status vn_link_open_bus(struct vn_link **link, const char *endpoint, struct vn_error *err) VN_MUST_CHECK;
enum vn_status vn_link_open_grpc(struct vn_link **link, const char *target, struct vn_error *err) VN_MUST_CHECK;

#endif
