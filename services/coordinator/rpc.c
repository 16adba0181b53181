/* Every call is a stream of answers to one request; a unary one must bring exactly one. The queue is asked in slices of
 * a fifth of a second, so that progress can be redrawn and an interrupt is seen soon. */
#include "services/coordinator/rpc.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_MS 200

struct vn_rpc {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    char address[300];
};

static volatile sig_atomic_t interrupted;
static void on_interrupt(int sig) { interrupted = sig; }

void vn_rpc_catch_interrupts(void)
{
    struct sigaction sa = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}
int vn_rpc_interrupted(void) { return interrupted != 0; }
void vn_rpc_clear_interrupt(void) { interrupted = 0; }

static void silence(gpr_log_func_args *a) { (void)a; } /* what matters comes back as a status */

static grpc_arg number(const char *key, int value)
{
    grpc_arg a = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key};
    a.value.integer = value;
    return a;
}

enum vn_status vn_rpc_open(struct vn_rpc **out, const char *url, struct vn_error *err)
{
    static const char scheme[] = "http://";
    if (strncmp(url, "https://", 8) == 0)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "%s: https is not supported yet; use http://HOST:PORT", url);
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return vn_fail(err, VN_ERR_ARGUMENT, "'%s' is not a coordinator's URL; it looks like http://127.0.0.1:50051", url);
    const char *host = url + sizeof scheme - 1;
    size_t n = strcspn(host, "/");
    const char *colon = memchr(host, ':', n);
    const char *bracket = memchr(host, ']', n);
    if (bracket)
        colon = memchr(bracket, ':', n - (size_t)(bracket - host));
    if (n == 0 || n > 250 || !colon || colon == host || (host[n] == '/' && host[n + 1] != 0))
        return vn_fail(err, VN_ERR_ARGUMENT, "'%s' is not a coordinator's URL; it looks like http://127.0.0.1:50051", url);
    struct vn_rpc *r = calloc(1, sizeof *r);
    if (!r)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    memcpy(r->address, host, n);
    gpr_set_log_function(silence);
    grpc_init();
    grpc_arg args[] = {number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, VN_RPC_MAX_MESSAGE), number(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, VN_RPC_MAX_MESSAGE),
                       number(GRPC_ARG_KEEPALIVE_TIME_MS, 20000), number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000),
                       number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0), number(GRPC_ARG_ENABLE_HTTP_PROXY, 0)};
    grpc_channel_args channel_args = {sizeof args / sizeof args[0], args};
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    r->channel = grpc_channel_create(r->address, plain, &channel_args);
    grpc_channel_credentials_release(plain);
    r->queue = grpc_completion_queue_create_for_next(NULL);
    *out = r;
    return VN_OK;
}

void vn_rpc_close(struct vn_rpc *r)
{
    if (!r)
        return;
    grpc_channel_destroy(r->channel);
    grpc_completion_queue_shutdown(r->queue);
    while (grpc_completion_queue_next(r->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type != GRPC_QUEUE_SHUTDOWN)
        ;
    grpc_completion_queue_destroy(r->queue);
    grpc_shutdown_blocking();
    free(r);
}

static enum vn_status from_grpc(grpc_status_code code)
{
    switch (code) {
    case GRPC_STATUS_OK:
        return VN_OK;
    case GRPC_STATUS_CANCELLED:
        return VN_ERR_CANCELLED;
    case GRPC_STATUS_INVALID_ARGUMENT:
    case GRPC_STATUS_OUT_OF_RANGE:
        return VN_ERR_ARGUMENT;
    case GRPC_STATUS_DEADLINE_EXCEEDED:
        return VN_ERR_TIMEOUT;
    case GRPC_STATUS_NOT_FOUND:
        return VN_ERR_NOT_FOUND;
    case GRPC_STATUS_PERMISSION_DENIED:
    case GRPC_STATUS_UNAUTHENTICATED:
        return VN_ERR_PERMISSION;
    case GRPC_STATUS_RESOURCE_EXHAUSTED:
        return VN_ERR_CAPACITY;
    case GRPC_STATUS_FAILED_PRECONDITION:
        return VN_ERR_GUEST;
    case GRPC_STATUS_UNIMPLEMENTED:
        return VN_ERR_UNSUPPORTED;
    case GRPC_STATUS_UNAVAILABLE:
        return VN_ERR_BUSY;
    default:
        return VN_ERR_INTERNAL;
    }
}

static enum vn_status fail_with(const struct vn_rpc *r, grpc_status_code code, grpc_slice details, struct vn_error *err)
{
    int n = GRPC_SLICE_LENGTH(details) > 350 ? 350 : (int)GRPC_SLICE_LENGTH(details);
    const char *text = (const char *)GRPC_SLICE_START_PTR(details);
    enum vn_status s = from_grpc(code);
    /* Texts of the server's own name the coordinator or its scheduler; the others are the transport's. */
    if (code == GRPC_STATUS_UNAVAILABLE && !memmem(text, (size_t)n, "scheduler", 9) && !memmem(text, (size_t)n, "coordinator", 11))
        return vn_fail(err, s, "no coordinator answers at http://%s; start one with 'zisk-coordinator', or name it with --coordinator-url (%.*s)", r->address,
                       n > 120 ? 120 : n, text);
    if (code == GRPC_STATUS_UNIMPLEMENTED && n == 0)
        return vn_fail(err, s, "http://%s does not serve this call; is it a Venus coordinator?", r->address);
    return vn_fail(err, s, "%.*s", n, n ? text : vn_status_text(s));
}

/* One running call. Tags are addresses of members. */
struct running {
    grpc_call *call;
    grpc_metadata_array headers, trailers;
    grpc_byte_buffer *message;
    grpc_status_code code;
    grpc_slice details;
    int send_tag, receive_tag, status_tag, pending, ended;
};

static void start(struct running *c, const grpc_op *ops, size_t n, int *tag)
{
    if (grpc_call_start_batch(c->call, ops, n, tag, NULL) != GRPC_CALL_OK)
        abort(); /* only a batch we put together wrongly is refused */
    c->pending++;
}

static void receive(struct running *c)
{
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &c->message;
    start(c, &op, 1, &c->receive_tag);
}

static void begin(struct running *c, const ProtobufCMessage *request)
{
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(request));
    protobuf_c_message_pack(request, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *body = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    grpc_op ops[4];
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = body;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &c->headers;
    start(c, ops, 4, &c->send_tag);
    memset(ops, 0, sizeof ops[0]);
    ops[0].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[0].data.recv_status_on_client.trailing_metadata = &c->trailers;
    ops[0].data.recv_status_on_client.status = &c->code;
    ops[0].data.recv_status_on_client.status_details = &c->details;
    start(c, ops, 1, &c->status_tag);
    receive(c);
    grpc_byte_buffer_destroy(body);
}

/* Unpacks the message that has come; VN_OK without a message means that there are no more. */
static enum vn_status unpack(struct running *c, const ProtobufCMessageDescriptor *type, ProtobufCMessage **out)
{
    *out = NULL;
    grpc_byte_buffer *buffer = c->message;
    c->message = NULL;
    if (!buffer)
        return VN_OK;
    grpc_byte_buffer_reader reader;
    if (grpc_byte_buffer_reader_init(&reader, buffer)) {
        grpc_slice whole = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
        *out = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(whole), GRPC_SLICE_START_PTR(whole));
        grpc_slice_unref(whole);
    }
    grpc_byte_buffer_destroy(buffer);
    return *out ? VN_OK : VN_ERR_PEER;
}

enum vn_status vn_rpc_stream(struct vn_rpc *r, const char *path, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
                             uint64_t timeout_ns, const struct vn_rpc_reader *reader, struct vn_error *err)
{
    if (protobuf_c_message_get_packed_size(request) > VN_RPC_MAX_MESSAGE)
        return vn_fail(err, VN_ERR_LIMIT, "the request is larger than 128 MiB; give the workers the file by path instead");
    struct running c = {0};
    grpc_metadata_array_init(&c.headers);
    grpc_metadata_array_init(&c.trailers);
    gpr_timespec deadline = timeout_ns ? gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_nanos((int64_t)timeout_ns, GPR_TIMESPAN))
                                       : gpr_inf_future(GPR_CLOCK_REALTIME);
    grpc_slice method = grpc_slice_from_copied_string(path);
    c.call = grpc_channel_create_call(r->channel, NULL, GRPC_PROPAGATE_DEFAULTS, r->queue, method, NULL, deadline, NULL);
    grpc_slice_unref(method);
    begin(&c, request);
    enum vn_status own = VN_OK; /* why we ended the call */
    while (c.pending) {
        grpc_event ev = grpc_completion_queue_next(
            r->queue, gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_millis(SLICE_MS, GPR_TIMESPAN)), NULL);
        if (ev.type == GRPC_OP_COMPLETE)
            c.pending--;
        if (ev.type == GRPC_OP_COMPLETE && ev.tag == &c.receive_tag) {
            ProtobufCMessage *m;
            enum vn_status s = unpack(&c, type, &m);
            if (m && own == VN_OK) {
                reader->message(reader->arg, m);
                receive(&c);
            }
            if (m)
                protobuf_c_message_free_unpacked(m, NULL);
            if (s != VN_OK && own == VN_OK) {
                own = s;
                grpc_call_cancel(c.call, NULL);
            }
        }
        if (interrupted && own == VN_OK) {
            own = VN_ERR_CANCELLED;
            grpc_call_cancel(c.call, NULL);
        }
        if (reader->idle && own == VN_OK && ev.type == GRPC_QUEUE_TIMEOUT)
            reader->idle(reader->arg);
    }
    enum vn_status s = VN_OK;
    if (own == VN_ERR_CANCELLED)
        s = vn_fail(err, own, "interrupted");
    else if (own != VN_OK)
        s = vn_fail(err, own, "http://%s gave an answer that cannot be read; is it a Venus coordinator of this version?", r->address);
    else if (c.code != GRPC_STATUS_OK)
        s = fail_with(r, c.code, c.details, err);
    grpc_slice_unref(c.details);
    grpc_metadata_array_destroy(&c.headers);
    grpc_metadata_array_destroy(&c.trailers);
    grpc_call_unref(c.call);
    return s;
}

struct single {
    const ProtobufCMessageDescriptor *type;
    ProtobufCMessage *answer;
};

/* Keeps the answer by packing it again: small next to the round trip, and the stream's message stays borrowed. */
static void keep(void *arg, const ProtobufCMessage *m)
{
    struct single *one = arg;
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = malloc(n + 1);
    if (bytes && !one->answer) {
        protobuf_c_message_pack(m, bytes);
        one->answer = protobuf_c_message_unpack(one->type, NULL, n, bytes);
    }
    free(bytes);
}

enum vn_status vn_rpc_call(struct vn_rpc *r, const char *path, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
                           uint64_t timeout_ns, ProtobufCMessage **answer, struct vn_error *err)
{
    struct single one = {type, NULL};
    struct vn_rpc_reader reader = {keep, NULL, &one};
    enum vn_status s = vn_rpc_stream(r, path, request, type, timeout_ns, &reader, err);
    if (s == VN_OK && !one.answer)
        s = vn_fail(err, VN_ERR_PEER, "http://%s answered without a message", r->address);
    if (s != VN_OK && one.answer)
        protobuf_c_message_free_unpacked(one.answer, NULL);
    else
        *answer = one.answer;
    return s;
}
