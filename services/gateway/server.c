/* The C core server. One completion queue serves arrivals and all calls; its pump thread appends {tag, ok} to an array
 * and rings an eventfd, the loop thread swaps the array for an empty one. At most four batches of a call are under way,
 * so the array is bounded by the number of calls. */
#include <errno.h>
#include <grpc/grpc_security.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "services/gateway/gateway.h"

struct vn_server {
    grpc_server *core;
    grpc_completion_queue *queue;
    struct vn_tag stopped; /* call == NULL */
    pthread_t pump;
    int fd;
    pthread_mutex_t lock;
    struct vn_event *filling, *draining; /* `filling` belongs to the lock, `draining` to the loop thread */
    size_t n_filling, room_filling, room_draining;
};

static void push(struct vn_server *s, struct vn_event event)
{
    pthread_mutex_lock(&s->lock);
    if (s->n_filling == s->room_filling) {
        size_t room = s->room_filling ? 2 * s->room_filling : 256;
        struct vn_event *bigger = realloc(s->filling, room * sizeof *bigger);
        if (!bigger)
            abort(); /* an event that is lost would leave its call behind for ever */
        s->filling = bigger;
        s->room_filling = room;
    }
    s->filling[s->n_filling++] = event;
    int ring = s->n_filling == 1;
    pthread_mutex_unlock(&s->lock);
    if (ring) {
        uint64_t one = 1;
        while (write(s->fd, &one, sizeof one) < 0 && errno == EINTR)
            ;
    }
}

static void *pump(void *arg)
{
    struct vn_server *s = arg;
    for (;;) {
        grpc_event ev = grpc_completion_queue_next(s->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (ev.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (ev.type == GRPC_OP_COMPLETE)
            push(s, (struct vn_event){ev.tag, ev.success});
    }
}

static grpc_arg number(const char *key, int value)
{
    grpc_arg a = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key};
    a.value.integer = value;
    return a;
}

enum vn_status vn_server_open(struct vn_server **out, int *port, const char *listen, struct vn_error *err)
{
    struct vn_server *s = calloc(1, sizeof *s);
    if (!s)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->fd < 0) {
        free(s);
        return vn_fail(err, VN_ERR_IO, "eventfd: %s", strerror(errno));
    }
    pthread_mutex_init(&s->lock, NULL);
    grpc_arg args[] = {
        number(GRPC_ARG_ALLOW_REUSEPORT, 0), /* or a second gateway would silently share the port */
        number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, VN_GATEWAY_MAX_MESSAGE),
        number(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, VN_GATEWAY_MAX_MESSAGE),
        number(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1024), /* of one connection; more wait in the client */
        number(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10),
        number(GRPC_ARG_KEEPALIVE_TIME_MS, 20000), /* a host that vanished is noticed after half a minute */
        number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000),
        number(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        number(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000),
    };
    grpc_channel_args channel_args = {sizeof args / sizeof args[0], args};
    s->core = grpc_server_create(&channel_args, NULL);
    s->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(s->core, s->queue, NULL);
    grpc_server_credentials *plain = grpc_insecure_server_credentials_create();
    *port = grpc_server_add_http2_port(s->core, listen, plain);
    grpc_server_credentials_release(plain);
    grpc_server_start(s->core);
    if (pthread_create(&s->pump, NULL, pump, s) != 0)
        abort(); /* nothing to fall back to, and the core cannot be taken down without its pump */
    *out = s;
    if (*port == 0) {
        vn_server_stop(s);
        vn_server_close(s);
        *out = NULL;
        return vn_fail(err, VN_ERR_IO, "cannot listen on %s: the address is in use or not available on this machine (choose another port with --port)", listen);
    }
    return VN_OK;
}

int vn_server_fd(struct vn_server *s) { return s->fd; }

size_t vn_server_take(struct vn_server *s, struct vn_event **events)
{
    uint64_t count;
    while (read(s->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&s->lock);
    struct vn_event *full = s->filling;
    size_t n = s->n_filling, room = s->room_filling;
    s->filling = s->draining;
    s->room_filling = s->room_draining;
    s->n_filling = 0;
    pthread_mutex_unlock(&s->lock);
    s->draining = full;
    s->room_draining = room;
    *events = full;
    return n;
}

void vn_server_arm(struct vn_server *s, struct vn_call *c)
{
    grpc_call_error e = grpc_server_request_call(s->core, &c->core, &c->details, &c->metadata, s->queue, s->queue, &c->tags[VN_OP_NEW]);
    if (e != GRPC_CALL_OK)
        abort();
}

void vn_server_stop(struct vn_server *s) { grpc_server_shutdown_and_notify(s->core, s->queue, &s->stopped); }
void vn_server_cancel_all(struct vn_server *s) { grpc_server_cancel_all_calls(s->core); }

void vn_server_close(struct vn_server *s)
{
    /* The core insists that its shutdown event has been taken off the queue: the pump does that. */
    grpc_completion_queue_shutdown(s->queue);
    pthread_join(s->pump, NULL);
    grpc_server_destroy(s->core);
    grpc_completion_queue_destroy(s->queue);
    close(s->fd);
    pthread_mutex_destroy(&s->lock);
    free(s->filling);
    free(s->draining);
    free(s);
}
