#ifndef VN_BUS_H
#define VN_BUS_H
/* The message bus: CZMQ ROUTER in the scheduler, DEALER everywhere else. A message is
 *   [header 16 bytes] [protobuf frame, may be empty] [bulk frame, optional]
 * header, little-endian: u8 'V', u8 'B', u16 protocol version (VN_BUS_VERSION), u16 kind, u16 reserved 0, u64 correlation.
 * Kinds and their protobuf types are listed in proto/bus.proto and docs/bus.md. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"

#define VN_BUS_VERSION 1u
#define VN_BUS_HEADER_BYTES 16u
#define VN_BUS_MAX_MESSAGE (160u << 20) /* bytes of one frame: the public 128 MiB message and room for its envelope */

enum vn_bus_kind {
    VN_KIND_ERROR = 1,       /* answer: bus.Error; ends the exchange of that correlation */
    VN_KIND_HELLO = 2,       /* first message of a peer: bus.Hello */
    VN_KIND_WELCOME = 3,     /* scheduler's answer: bus.Welcome */
    VN_KIND_PING = 4, VN_KIND_PONG = 5,

    VN_KIND_LAUNCH_PROOF = 16,  /* zisk.distributed.api.v1 requests, protobuf as in the public API */
    VN_KIND_SYSTEM_STATUS = 17, VN_KIND_STATUS_INFO = 18, VN_KIND_JOBS_LIST = 19, VN_KIND_JOB_STATUS = 20, VN_KIND_WORKERS_LIST = 21,
    VN_KIND_HEALTH = 22,
    VN_KIND_WATCH_JOB = 32,     /* zisk.coordinator.v1: answered by any number of EVENTs, then END */
    VN_KIND_WAIT_JOB = 33, VN_KIND_CANCEL_JOB = 34,
    VN_KIND_REGISTER_PROGRAM = 35, VN_KIND_JOB_REQUEST = 36,
    VN_KIND_PUSH_INPUT = 37, VN_KIND_PUSH_HINTS = 38, /* one message of the client's stream each, answered by REPLY; without chunk: its end */
    VN_KIND_DRAIN_WORKER = 40, VN_KIND_LOG_LEVEL = 41, /* bus.DrainWorker, bus.LogLevel; from administrators only */
    VN_KIND_REPLY = 48,         /* the response message of the request with that correlation */
    VN_KIND_EVENT = 49,         /* one message of a stream answer */
    VN_KIND_END = 50,           /* stream answer complete */
    VN_KIND_ABANDON = 51,       /* from the asker: no longer interested in this correlation */

    VN_KIND_WORKER = 64,        /* WorkerMessage; correlation = stream number chosen by the sender (an agent on the bus uses 1) */
    VN_KIND_COORDINATOR = 65,   /* CoordinatorMessage to that stream */
    VN_KIND_STREAM_CLOSED = 66, /* sender's side of the stream is gone (both directions) */
};

struct vn_bus_message {
    uint16_t kind;
    uint64_t correlation;
    const uint8_t *body;  /* protobuf */
    size_t body_len;
    const uint8_t *bulk;
    size_t bulk_len;
    void *frames;         /* owner of body and bulk on received messages; vn_bus_message_fini */
};

void vn_bus_message_fini(struct vn_bus_message *m);

/* ---- client end (DEALER): gateway, agent ---- */
struct vn_bus_client;
/* endpoint: ipc://path or tcp://host:port (loopback only, as below). Connects in the background and reconnects; messages sent meanwhile are queued. The server sees a
 * peer that reconnected as a new one. */
enum vn_status vn_bus_client_open(struct vn_bus_client **c, const char *endpoint, struct vn_error *err) VN_MUST_CHECK;
void vn_bus_client_close(struct vn_bus_client *c);
/* For poll loops: a ZMQ socket's fd is edge-triggered, so drain with vn_bus_client_recv until VN_ERR_BUSY after every wake and after every send. */
int vn_bus_client_fd(struct vn_bus_client *c);
void *vn_bus_client_zsock(struct vn_bus_client *c); /* zsock_t *, for zloop users */
/* VN_ERR_BUSY: nothing there (recv) or queue full (send). What is malformed or of another version is dropped, except for ERROR, which every version
 * can read. VN_ERR_LIMIT (send): a frame above VN_BUS_MAX_MESSAGE. */
enum vn_status vn_bus_client_send(struct vn_bus_client *c, const struct vn_bus_message *m) VN_MUST_CHECK;
enum vn_status vn_bus_client_recv(struct vn_bus_client *c, struct vn_bus_message *out) VN_MUST_CHECK;

/* ---- server end (ROUTER): scheduler ---- */
struct vn_bus_peer { /* ROUTER identity */
    uint8_t id[32];
    uint8_t len;
};
struct vn_bus_server;
/* endpoints: NULL-terminated list. tcp:// is accepted on loopback addresses only (until CURVE is configured). */
enum vn_status vn_bus_server_open(struct vn_bus_server **s, const char *const *endpoints, struct vn_error *err) VN_MUST_CHECK;
void vn_bus_server_close(struct vn_bus_server *s);
void *vn_bus_server_zsock(struct vn_bus_server *s);
const char *vn_bus_server_endpoint(struct vn_bus_server *s); /* last one bound, with the port chosen for tcp://...:* */
/* A malformed message, one of another version or of unknown kind is answered with VN_KIND_ERROR by the library and skipped. VN_ERR_BUSY: nothing there. */
enum vn_status vn_bus_server_recv(struct vn_bus_server *s, struct vn_bus_peer *from, struct vn_bus_message *out) VN_MUST_CHECK;
/* VN_ERR_NOT_FOUND: peer is gone. VN_ERR_BUSY: its queue is full. */
enum vn_status vn_bus_server_send(struct vn_bus_server *s, const struct vn_bus_peer *to, const struct vn_bus_message *m) VN_MUST_CHECK;

#endif
