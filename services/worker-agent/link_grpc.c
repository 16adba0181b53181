/* One call of WorkerStream on a channel of its own. A thread waits on the completion queue and only notes what completed; the loop
 * thread takes the notes, keeps all state and starts all batches. At most one operation of each kind is under way, so the ring of
 * notes cannot overflow. Up means that the request headers are sent: some servers answer with headers only after the first message. */
#include <errno.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "services/worker-agent/link.h"

#define METHOD "/zisk.distributed.api.v1.ZiskDistributedApi/WorkerStream"

enum op { OP_START, OP_HEADERS, OP_RECV, OP_SEND, OP_STATUS, OP_COUNT };

struct note {
    enum op op;
    int ok;
};

struct grpc_link {
    struct vn_link base;
    int event_fd;
    grpc_channel *channel;
    grpc_call *call;
    grpc_completion_queue *queue;
    pthread_t thread;
    int has_thread;

    pthread_mutex_t lock; /* guards notes, head, tail */
    pthread_cond_t noted;
    struct note notes[OP_COUNT];
    unsigned head, tail;

    int pending[OP_COUNT]; /* operation under way */
    int down;
    grpc_metadata_array headers, trailers;
    grpc_byte_buffer *received;
    grpc_status_code status;
    grpc_slice details;
};

static void *op_tag(enum op op) { return (void *)((uintptr_t)op + 1); }

static void *pump(void *arg)
{
    struct grpc_link *g = arg;
    for (;;) {
        grpc_event e = grpc_completion_queue_next(g->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (e.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        pthread_mutex_lock(&g->lock);
        g->notes[g->tail++ % OP_COUNT] = (struct note){(enum op)((uintptr_t)e.tag - 1), e.success};
        pthread_cond_signal(&g->noted);
        pthread_mutex_unlock(&g->lock);
        eventfd_write(g->event_fd, 1);
    }
}

/* Starts one operation under its own tag. */
static int start(struct grpc_link *g, enum op op, grpc_op what)
{
    if (grpc_call_start_batch(g->call, &what, 1, op_tag(op), NULL) != GRPC_CALL_OK)
        return 0;
    g->pending[op] = 1;
    return 1;
}

static int start_recv(struct grpc_link *g)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &g->received;
    return start(g, OP_RECV, op);
}

static int start_call(struct grpc_link *g)
{
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}, metadata = {.op = GRPC_OP_SEND_INITIAL_METADATA}, headers = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    status.data.recv_status_on_client.trailing_metadata = &g->trailers;
    status.data.recv_status_on_client.status = &g->status;
    status.data.recv_status_on_client.status_details = &g->details;
    headers.data.recv_initial_metadata.recv_initial_metadata = &g->headers;
    return start(g, OP_STATUS, status) && start(g, OP_START, metadata) && start(g, OP_HEADERS, headers) && start_recv(g);
}

static coordinator_message *parse(grpc_byte_buffer *buffer, size_t *n_bytes)
{
    *n_bytes = grpc_byte_buffer_length(buffer);
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return NULL;
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    coordinator_message *m = zisk__distributed__api__v1__coordinator_message__unpack(NULL, GRPC_SLICE_LENGTH(all), GRPC_SLICE_START_PTR(all));
    grpc_slice_unref(all);
    return m;
}

static void describe_status(struct grpc_link *g, char text[256])
{
    size_t n = GRPC_SLICE_LENGTH(g->details);
    if (n > 200)
        n = 200;
    if (g->status == GRPC_STATUS_OK)
        snprintf(text, 256, "the coordinator closed the stream");
    else
        snprintf(text, 256, "gRPC status %d: %.*s", (int)g->status, (int)n, (const char *)GRPC_SLICE_START_PTR(g->details));
}

/* VN_ERR_BUSY: nothing to tell the caller. */
static enum vn_status handle(struct grpc_link *g, struct note note, struct vn_link_event *event)
{
    g->pending[note.op] = 0;
    switch (note.op) {
    case OP_START:
        if (!note.ok)
            return VN_ERR_BUSY; /* the status follows */
        event->kind = VN_LINK_UP;
        return VN_OK;
    case OP_RECV: {
        if (!note.ok || !g->received)
            return VN_ERR_BUSY; /* end of the stream; the status follows */
        event->message = parse(g->received, &event->n_bytes);
        grpc_byte_buffer_destroy(g->received);
        g->received = NULL;
        event->kind = event->message ? VN_LINK_MESSAGE : VN_LINK_MALFORMED;
        if (!start_recv(g))
            grpc_call_cancel(g->call, NULL);
        return VN_OK;
    }
    case OP_STATUS:
        g->down = 1;
        event->kind = VN_LINK_DOWN;
        describe_status(g, event->text);
        return VN_OK;
    default:
        return VN_ERR_BUSY;
    }
}

static int take_note(struct grpc_link *g, struct note *note, int wait)
{
    pthread_mutex_lock(&g->lock);
    while (wait && g->head == g->tail)
        pthread_cond_wait(&g->noted, &g->lock);
    int any = g->head != g->tail;
    if (any)
        *note = g->notes[g->head++ % OP_COUNT];
    pthread_mutex_unlock(&g->lock);
    return any;
}

static int grpc_fd(struct vn_link *l) { return ((struct grpc_link *)l)->event_fd; }

static enum vn_status grpc_recv(struct vn_link *l, struct vn_link_event *event)
{
    struct grpc_link *g = (struct grpc_link *)l;
    *event = (struct vn_link_event){0};
    eventfd_t count;
    (void)eventfd_read(g->event_fd, &count);
    struct note note;
    while (take_note(g, &note, 0))
        if (handle(g, note, event) == VN_OK) {
            eventfd_write(g->event_fd, 1); /* there may be more */
            return VN_OK;
        }
    return VN_ERR_BUSY;
}

static enum vn_status grpc_send(struct vn_link *l, const uint8_t *bytes, size_t n_bytes)
{
    struct grpc_link *g = (struct grpc_link *)l;
    if (g->pending[OP_SEND] || g->pending[OP_START] || g->down)
        return VN_ERR_BUSY;
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes, n_bytes);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = buffer;
    int started = start(g, OP_SEND, op);
    grpc_byte_buffer_destroy(buffer);
    return started ? VN_OK : VN_ERR_BUSY;
}

static int any_pending(const struct grpc_link *g)
{
    for (unsigned i = 0; i < OP_COUNT; i++)
        if (g->pending[i])
            return 1;
    return 0;
}

static void grpc_close(struct vn_link *l)
{
    struct grpc_link *g = (struct grpc_link *)l;
    if (g->call) {
        grpc_call_cancel(g->call, NULL);
        struct note note;
        while (any_pending(g) && take_note(g, &note, 1))
            g->pending[note.op] = 0;
        grpc_call_unref(g->call);
    }
    if (g->received)
        grpc_byte_buffer_destroy(g->received);
    grpc_metadata_array_destroy(&g->headers);
    grpc_metadata_array_destroy(&g->trailers);
    grpc_slice_unref(g->details);
    if (g->channel)
        grpc_channel_destroy(g->channel);
    grpc_completion_queue_shutdown(g->queue);
    if (g->has_thread)
        pthread_join(g->thread, NULL);
    grpc_completion_queue_destroy(g->queue);
    grpc_shutdown_blocking();
    pthread_cond_destroy(&g->noted);
    pthread_mutex_destroy(&g->lock);
    if (g->event_fd >= 0)
        close(g->event_fd);
    free(g);
}

/* A subchannel pool of its own: the shared one would add its own back-off to the agent's. No proxy from the environment: the
 * coordinator is a host of the cluster. */
static grpc_channel *make_channel(const char *target)
{
    grpc_arg args[] = {
        {GRPC_ARG_INTEGER, (char *)GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, {.integer = (int)VN_API_MAX_MESSAGE}},
        {GRPC_ARG_INTEGER, (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, {.integer = (int)VN_API_MAX_MESSAGE}},
        {GRPC_ARG_INTEGER, (char *)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, {.integer = 1}},
        {GRPC_ARG_INTEGER, (char *)GRPC_ARG_ENABLE_HTTP_PROXY, {.integer = 0}},
    };
    grpc_channel_args list = {sizeof args / sizeof *args, args};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &list);
    grpc_channel_credentials_release(credentials);
    return channel;
}

enum vn_status vn_link_open_grpc(struct vn_link **link, const char *target, struct vn_error *err)
{
    static const struct vn_link_ops ops = {grpc_fd, grpc_recv, grpc_send, grpc_close};
    struct grpc_link *g = calloc(1, sizeof *g);
    if (!g)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for a connection");
    g->base.ops = &ops;
    grpc_init();
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->noted, NULL);
    grpc_metadata_array_init(&g->headers);
    grpc_metadata_array_init(&g->trailers);
    g->details = grpc_empty_slice();
    g->queue = grpc_completion_queue_create_for_next(NULL);
    g->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum vn_status s = VN_OK;
    if (g->event_fd < 0)
        s = vn_fail(err, VN_ERR_IO, "eventfd: %s", strerror(errno));
    else if (pthread_create(&g->thread, NULL, pump, g) != 0)
        s = vn_fail(err, VN_ERR_IO, "cannot start a thread for the connection");
    else {
        g->has_thread = 1;
        g->channel = make_channel(target);
        grpc_slice method = grpc_slice_from_static_string(METHOD);
        g->call = grpc_channel_create_call(g->channel, NULL, GRPC_PROPAGATE_DEFAULTS, g->queue, method, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (!g->call || !start_call(g))
            s = vn_fail(err, VN_ERR_IO, "cannot start the WorkerStream call to %s", target);
    }
    if (s != VN_OK) {
        grpc_close(&g->base);
        return s;
    }
    *link = &g->base;
    return VN_OK;
}
