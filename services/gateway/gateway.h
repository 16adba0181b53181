#ifndef VN_GATEWAY_H
#define VN_GATEWAY_H
/* The gRPC edge. Every RPC becomes messages on the bus and back; nothing here outlives its connection.
 *
 * Threads: the completion queue has a pump thread (server.c) that only hands events over. Everything else, all state
 * of calls and the bus client included, belongs to the loop thread (loop.c). Functions below are called there unless
 * they say otherwise. None of them blocks. */

#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/bus.h"
#include "libshared/status.h"

#define VN_GATEWAY_MAX_MESSAGE (128 << 20)          /* bytes; the limit of the public API */
#define VN_GATEWAY_ARMED 64u                        /* calls the core may accept ahead of the loop */
#define VN_GATEWAY_MAX_CALLS 4096u                  /* calls in flight, streams included */
#define VN_GATEWAY_QUEUE_MESSAGES 4096u             /* waiting for one reader; small ones come in bursts ... */
#define VN_GATEWAY_QUEUE_BYTES (512u << 20)         /* ... two tasks of the largest size and what surrounds them */
#define VN_GATEWAY_OUTBOX_MESSAGES 4096u            /* waiting for a slow scheduler before new calls are refused */
#define VN_GATEWAY_OUTBOX_BYTES (1u << 30)
#define VN_GATEWAY_CALL_NS 60000000000u             /* a plain request unanswered by the scheduler */
#define VN_GATEWAY_REGISTER_NS 30000000000u         /* a worker stream that never says who it is */
#define VN_GATEWAY_PING_NS 2000000000u              /* between pings to the scheduler */
#define VN_GATEWAY_SILENCE_NS 15000000000u          /* scheduler silent for so long is taken for gone */

struct vn_call;
struct vn_reflection;

struct vn_gateway_config {
    char *listen;      /* HOST:PORT */
    char *bus;         /* endpoint */
    uint64_t ready_fd; /* 0: none */
    uint64_t parent;   /* pid to die with, 0: none */
    uint64_t grace_seconds;
    char *log_level, *log_format, *log_file;
};

/* ---- server.c: the C core ---- */

enum vn_op { VN_OP_NEW, VN_OP_RECV, VN_OP_SEND, VN_OP_CLOSE, VN_OP_COUNT };
struct vn_tag {
    struct vn_call *call; /* NULL: the server has shut down */
    enum vn_op op;
};
struct vn_event {
    struct vn_tag *tag;
    int ok;
};
struct vn_server;
/* Binds, starts and arms nothing yet. *port is the one bound. */
enum vn_status vn_server_open(struct vn_server **s, int *port, const char *listen, struct vn_error *err) VN_MUST_CHECK;
int vn_server_fd(struct vn_server *s); /* readable: events wait */
/* Owns: the array stays valid until the next call. */
size_t vn_server_take(struct vn_server *s, struct vn_event **events);
/* Asks the core for one more incoming call. */
void vn_server_arm(struct vn_server *s, struct vn_call *c);
/* Refuses new connections; an event with call == NULL follows once every call has ended. */
void vn_server_stop(struct vn_server *s);
void vn_server_cancel_all(struct vn_server *s);
/* Every call must be free. Blocks: until the pump has ended. */
void vn_server_close(struct vn_server *s);

/* ---- calls.c: the life of one call ---- */

enum {
    VN_METHOD_LOOPBACK = 1,
    VN_METHOD_STREAMS_IN = 2,
    VN_METHOD_PATIENT = 4, /* no time limit, ABANDON on loss */
    VN_METHOD_STARTS = 8,  /* starts work; refused while draining */
};
struct vn_method {
    const char *path;
    const ProtobufCMessageDescriptor *request;
    unsigned flags;
    uint16_t kind;                                                     /* bus kind, 0: answered here */
    enum vn_status (*check)(grpc_slice message, struct vn_error *err); /* beyond `request`; may be NULL */
    void (*opened)(struct vn_call *c);                                 /* may be NULL */
    void (*received)(struct vn_call *c, grpc_slice message);           /* checked against `request`; borrowed */
    void (*half_closed)(struct vn_call *c);                            /* VN_METHOD_STREAMS_IN only */
    void (*answered)(struct vn_call *c, struct vn_bus_message *m);     /* from the bus; may be emptied */
    void (*sent)(struct vn_call *c);                                   /* queue has run empty; may be NULL */
    void (*lost)(struct vn_call *c);                                   /* call is over and nobody told the bus; may be NULL */
};

struct vn_out {
    struct vn_out *next;
    grpc_slice slice;
    int progress; /* may be replaced by a newer one */
};

struct vn_gateway;
struct vn_call {
    struct vn_gateway *gateway;
    grpc_call *core;
    grpc_call_details details;
    grpc_metadata_array metadata;
    struct vn_tag tags[VN_OP_COUNT];
    const struct vn_method *method;
    unsigned refs; /* batches under way */
    grpc_byte_buffer *inbound;
    int cancelled_by_core;
    uint64_t correlation; /* 0: not known to the bus */
    uint64_t deadline_ns; /* 0: none */
    unsigned counted : 1, headers_sent : 1, sending : 1, receiving : 1, finishing : 1, finished : 1, closed : 1, bus_open : 1, watching : 1, pushed_all : 1;
    int code; /* grpc_status_code once finishing */
    char *text;
    struct vn_out *out, **out_tail;
    size_t out_count, out_bytes;
    uint32_t health; /* last status told to a health watcher */
    char *service;   /* of a health watcher */
    char *job_id;    /* that a client pushes to; NULL before its first message */
    struct vn_call *next, *prev;      /* all calls */
    struct vn_call *chain;            /* same bucket of the correlation table */
};

/* Keeps VN_GATEWAY_ARMED calls waiting in the core; without memory for all of them the next tick tries again. */
void vn_calls_arm(struct vn_gateway *g);
void vn_call_event(struct vn_call *c, enum vn_op op, int ok);
/* Starts the next RECV_MESSAGE, unless one is under way or the call is over. */
void vn_call_receive(struct vn_call *c);
void vn_call_send_headers(struct vn_call *c);
/* Takes the slice. Errors: VN_ERR_LIMIT when the reader is too slow; the call is then ended with RESOURCE_EXHAUSTED. */
enum vn_status vn_call_send(struct vn_call *c, grpc_slice message, int progress);
/* After what is queued when status is 0, at once otherwise. The first one counts. */
void vn_call_finish(struct vn_call *c, int grpc_code, const char *text);
void vn_call_fail(struct vn_call *c, enum vn_status s, const char *text);
/* The one answer of a unary call and its good end. Takes the slice. */
void vn_call_reply(struct vn_call *c, grpc_slice message);
grpc_slice vn_slice_pack(const ProtobufCMessage *m);
/* The forwarding methods. */
void vn_unary_received(struct vn_call *c, grpc_slice message);
void vn_unary_answered(struct vn_call *c, struct vn_bus_message *m);
void vn_unary_lost(struct vn_call *c);
const struct vn_method *vn_method_find(grpc_slice path);
int vn_peer_is_loopback(const char *peer);

/* ---- streams.c ---- */
void vn_watch_answered(struct vn_call *c, struct vn_bus_message *m);
void vn_worker_opened(struct vn_call *c);
void vn_worker_received(struct vn_call *c, grpc_slice message);
void vn_worker_half_closed(struct vn_call *c);
void vn_worker_answered(struct vn_call *c, struct vn_bus_message *m);
void vn_worker_lost(struct vn_call *c);
/* Body of a bus message as a slice that keeps the message's memory; m is emptied. */
grpc_slice vn_slice_steal(struct vn_bus_message *m);

/* ---- push.c: client streams of input and hints ---- */
void vn_push_opened(struct vn_call *c);
void vn_push_received(struct vn_call *c, grpc_slice message);
void vn_push_half_closed(struct vn_call *c);
void vn_push_answered(struct vn_call *c, struct vn_bus_message *m);

/* ---- checks.c: what a message must have besides being one ---- */
enum vn_status vn_check_program(grpc_slice message, struct vn_error *err) VN_MUST_CHECK;
enum vn_status vn_check_job(grpc_slice message, struct vn_error *err) VN_MUST_CHECK;

/* ---- reflection.c ---- */
struct vn_reflection *vn_reflection_new(void);
void vn_reflection_free(struct vn_reflection *r);
void vn_reflection_received(struct vn_call *c, grpc_slice message);
void vn_reflection_half_closed(struct vn_call *c);
void vn_reflection_sent(struct vn_call *c);

/* ---- health.c ---- */
void vn_health_check(struct vn_call *c, grpc_slice message);
void vn_health_watch(struct vn_call *c, grpc_slice message);
void vn_health_changed(struct vn_gateway *g);

/* ---- link.c: the way to the scheduler ---- */
struct vn_link;
enum vn_status vn_link_open(struct vn_link **l, struct vn_gateway *g, const char *endpoint, uint64_t now_ns, struct vn_error *err) VN_MUST_CHECK;
void vn_link_close(struct vn_link *l);
int vn_link_fd(struct vn_link *l);
int vn_link_is_up(const struct vn_link *l);
int vn_link_has_room(const struct vn_link *l, size_t bytes); /* 0: too much waits for the scheduler already */
/* Gives the call a correlation and sends its first message. Takes a reference of body, not the caller's.
 * Errors: VN_ERR_IO scheduler unreachable, VN_ERR_BUSY its queue is full. */
enum vn_status vn_link_request(struct vn_link *l, struct vn_call *c, uint16_t kind, grpc_slice body) VN_MUST_CHECK;
/* A further message of that correlation; with `resume` the call reads on once the bus has taken it. */
void vn_link_send(struct vn_link *l, uint16_t kind, uint64_t correlation, grpc_slice body, int resume);
void vn_link_forget(struct vn_link *l, struct vn_call *c);
/* Sends what waits and handles what has come. Returns 1 when there may be more to do at once. */
int vn_link_run(struct vn_link *l, uint64_t now_ns);
/* Greeting, pings, silence. */
void vn_link_tick(struct vn_link *l, uint64_t now_ns);
int vn_link_waiting(const struct vn_link *l); /* messages wait for room on the bus */

/* ---- loop.c ---- */
struct vn_gateway {
    const struct vn_gateway_config *config;
    struct vn_server *server;
    struct vn_link *link;
    struct vn_reflection *reflection;
    struct vn_call *calls; /* accepted and not yet freed */
    size_t n_calls;        /* of them, counted against the limit */
    size_t n_alive;        /* call objects, armed ones included */
    size_t n_armed;        /* waiting in the core for an arrival */
    int stopping;
    int draining; /* no new jobs, everything else goes on */
    int announced;
    uint64_t now_ns;
};
enum vn_status vn_gateway_run(const struct vn_gateway_config *config, struct vn_error *err) VN_MUST_CHECK;
void vn_gateway_link_changed(struct vn_gateway *g, int up);

#endif
