/* The life of one call. It is armed (waits in the core for an arrival), accepted, and freed when its last batch has
 * completed. One batch that reports the end of the call runs from arrival on and completes last, so a live call always
 * has a batch under way and a dead client is noticed even on an idle stream. Sending is one batch at a time, fed from a
 * bounded queue; headers and the final status ride along with messages where they can. */
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "libshared/log.h"
#include "services/gateway/gateway.h"
#include "services/gateway/wire.h"
#include "zisk_coordinator_api.pb-c.h"
#include "zisk_distributed_api.pb-c.h"

#define DISTRIBUTED "/zisk.distributed.api.v1.ZiskDistributedApi/"
#define COORDINATOR "/zisk.coordinator.v1.ZiskCoordinatorApi/"
#define FORWARDED .received = vn_unary_received, .answered = vn_unary_answered, .lost = vn_unary_lost
#define PUSHED .flags = VN_METHOD_LOOPBACK | VN_METHOD_STREAMS_IN | VN_METHOD_PATIENT, .opened = vn_push_opened, .received = vn_push_received, \
               .half_closed = vn_push_half_closed, .answered = vn_push_answered, .lost = vn_unary_lost
#define REFLECTED .request = &grpc__reflection__v1__server_reflection_request__descriptor, .flags = VN_METHOD_STREAMS_IN, \
                  .received = vn_reflection_received, .half_closed = vn_reflection_half_closed, .sent = vn_reflection_sent

/* Which kind of message carries a method, and who may call it: everything that starts, ends or shows work is for this
 * host only; workers, health probes and reflection come from anywhere. */
static const struct vn_method methods[] = {
    {DISTRIBUTED "WorkerStream", &zisk__distributed__api__v1__worker_message__descriptor, VN_METHOD_STREAMS_IN, VN_KIND_WORKER,
     .opened = vn_worker_opened, .received = vn_worker_received, .half_closed = vn_worker_half_closed, .answered = vn_worker_answered,
     .lost = vn_worker_lost},
    {DISTRIBUTED "HealthCheck", &zisk__distributed__api__v1__health_check_request__descriptor, 0, VN_KIND_HEALTH, FORWARDED},
    {DISTRIBUTED "SystemStatus", &zisk__distributed__api__v1__system_status_request__descriptor, VN_METHOD_LOOPBACK, VN_KIND_SYSTEM_STATUS, FORWARDED},
    {DISTRIBUTED "StatusInfo", &zisk__distributed__api__v1__status_info_request__descriptor, VN_METHOD_LOOPBACK, VN_KIND_STATUS_INFO, FORWARDED},
    {DISTRIBUTED "JobsList", &zisk__distributed__api__v1__jobs_list_request__descriptor, VN_METHOD_LOOPBACK, VN_KIND_JOBS_LIST, FORWARDED},
    {DISTRIBUTED "JobStatus", &zisk__distributed__api__v1__job_status_request__descriptor, VN_METHOD_LOOPBACK, VN_KIND_JOB_STATUS, FORWARDED},
    {DISTRIBUTED "WorkersList", &zisk__distributed__api__v1__workers_list_request__descriptor, VN_METHOD_LOOPBACK, VN_KIND_WORKERS_LIST, FORWARDED},
    {DISTRIBUTED "LaunchProof", &zisk__distributed__api__v1__launch_proof_request__descriptor, VN_METHOD_LOOPBACK | VN_METHOD_STARTS, VN_KIND_LAUNCH_PROOF,
     FORWARDED},
    {COORDINATOR "RegisterGuestProgram", &zisk__coordinator__v1__register_guest_program_request__descriptor, VN_METHOD_LOOPBACK, VN_KIND_REGISTER_PROGRAM,
     .check = vn_check_program, FORWARDED},
    {COORDINATOR "JobRequest", &zisk__coordinator__v1__job_request_message__descriptor, VN_METHOD_LOOPBACK | VN_METHOD_STARTS, VN_KIND_JOB_REQUEST,
     .check = vn_check_job, FORWARDED},
    {COORDINATOR "PushJobInput", &zisk__coordinator__v1__push_job_input_request__descriptor, .kind = VN_KIND_PUSH_INPUT, PUSHED},
    {COORDINATOR "PushJobHintsInput", &zisk__coordinator__v1__push_job_hints_input_request__descriptor, .kind = VN_KIND_PUSH_HINTS, PUSHED},
    {COORDINATOR "CancelJob", &zisk__coordinator__v1__cancel_job_request__descriptor, VN_METHOD_LOOPBACK, VN_KIND_CANCEL_JOB, FORWARDED},
    {COORDINATOR "WaitJobResult", &zisk__coordinator__v1__wait_job_result_request__descriptor, VN_METHOD_LOOPBACK | VN_METHOD_PATIENT, VN_KIND_WAIT_JOB,
     FORWARDED},
    {COORDINATOR "WatchJob", &zisk__coordinator__v1__watch_job_request__descriptor, VN_METHOD_LOOPBACK | VN_METHOD_PATIENT, VN_KIND_WATCH_JOB,
     .received = vn_unary_received, .answered = vn_watch_answered, .lost = vn_unary_lost},
    {"/grpc.health.v1.Health/Check", &grpc__health__v1__health_check_request__descriptor, 0, 0, .received = vn_health_check},
    {"/grpc.health.v1.Health/Watch", &grpc__health__v1__health_check_request__descriptor, 0, 0, .received = vn_health_watch},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", REFLECTED},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", REFLECTED},
};

const struct vn_method *vn_method_find(grpc_slice path)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (grpc_slice_str_cmp(path, methods[i].path) == 0)
            return &methods[i];
    return NULL;
}

int vn_peer_is_loopback(const char *peer)
{
    static const char *const local[] = {"ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D", "ipv6:[::ffff:127.", "ipv6:%5B::ffff:127.", "unix:"};
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        if (strncmp(peer, local[i], strlen(local[i])) == 0)
            return 1;
    return 0;
}

static int arm(struct vn_gateway *g)
{
    struct vn_call *c = calloc(1, sizeof *c);
    if (!c) {
        VN_LOG(VN_LOG_ERROR, "memory.out", "where=arm");
        return 0;
    }
    c->gateway = g;
    c->out_tail = &c->out;
    grpc_call_details_init(&c->details);
    grpc_metadata_array_init(&c->metadata);
    for (int op = 0; op < VN_OP_COUNT; op++)
        c->tags[op] = (struct vn_tag){c, (enum vn_op)op};
    c->refs = 1;
    g->n_alive++;
    g->n_armed++;
    vn_server_arm(g->server, c);
    return 1;
}

void vn_calls_arm(struct vn_gateway *g)
{
    while (!g->stopping && g->n_armed < VN_GATEWAY_ARMED && arm(g))
        ;
}

static void drop_queue(struct vn_call *c)
{
    while (c->out) {
        struct vn_out *o = c->out;
        c->out = o->next;
        grpc_slice_unref(o->slice);
        free(o);
    }
    c->out_tail = &c->out;
    c->out_count = c->out_bytes = 0;
}

static void release(struct vn_call *c)
{
    struct vn_gateway *g = c->gateway;
    if (c->counted) {
        g->n_calls--;
        if (c->prev)
            c->prev->next = c->next;
        else
            g->calls = c->next;
        if (c->next)
            c->next->prev = c->prev;
    }
    vn_link_forget(g->link, c);
    drop_queue(c);
    grpc_call_details_destroy(&c->details);
    grpc_metadata_array_destroy(&c->metadata);
    if (c->core)
        grpc_call_unref(c->core);
    free(c->text);
    free(c->service);
    free(c->job_id);
    free(c);
    g->n_alive--;
}

static void start(struct vn_call *c, const grpc_op *ops, size_t n, enum vn_op tag)
{
    if (grpc_call_start_batch(c->core, ops, n, &c->tags[tag], NULL) != GRPC_CALL_OK)
        abort(); /* only a batch we put together wrongly is refused */
    c->refs++;
}

/* Starts the next sending batch if there is something to send and none is under way. */
static void advance(struct vn_call *c)
{
    if (c->sending || c->finished || c->closed || (!c->out && !c->finishing))
        return;
    grpc_op ops[3];
    memset(ops, 0, sizeof ops);
    size_t n = 0;
    grpc_byte_buffer *message = NULL;
    grpc_slice text = grpc_empty_slice();
    if (!c->headers_sent)
        ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
    c->headers_sent = 1;
    if (c->out) {
        struct vn_out *o = c->out;
        c->out = o->next;
        if (!c->out)
            c->out_tail = &c->out;
        c->out_count--;
        c->out_bytes -= GRPC_SLICE_LENGTH(o->slice);
        message = grpc_raw_byte_buffer_create(&o->slice, 1);
        grpc_slice_unref(o->slice);
        free(o);
        ops[n].op = GRPC_OP_SEND_MESSAGE;
        ops[n++].data.send_message.send_message = message;
    }
    if (c->finishing && !c->out) {
        text = grpc_slice_from_copied_string(c->text ? c->text : "");
        ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
        ops[n].data.send_status_from_server.status = (grpc_status_code)c->code;
        ops[n++].data.send_status_from_server.status_details = &text;
        c->finished = 1;
    }
    c->sending = 1;
    start(c, ops, n, VN_OP_SEND);
    grpc_byte_buffer_destroy(message);
    grpc_slice_unref(text);
}

void vn_call_send_headers(struct vn_call *c)
{
    if (c->headers_sent || c->sending || c->closed)
        return;
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_SEND_INITIAL_METADATA;
    c->headers_sent = c->sending = 1;
    start(c, &op, 1, VN_OP_SEND);
}

void vn_call_receive(struct vn_call *c)
{
    if (c->receiving || c->finished || c->finishing || c->closed)
        return;
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &c->inbound;
    c->receiving = 1;
    start(c, &op, 1, VN_OP_RECV);
}

static enum vn_status enqueue(struct vn_call *c, grpc_slice message, int progress)
{
    if (c->finishing || c->closed) {
        grpc_slice_unref(message);
        return VN_ERR_CANCELLED;
    }
    if (progress && c->out) {
        struct vn_out *last = c->out;
        while (last->next)
            last = last->next;
        if (last->progress) {
            c->out_bytes += GRPC_SLICE_LENGTH(message) - GRPC_SLICE_LENGTH(last->slice);
            grpc_slice_unref(last->slice);
            last->slice = message;
            return VN_OK;
        }
    }
    struct vn_out *o = NULL;
    if (c->out_count < VN_GATEWAY_QUEUE_MESSAGES && c->out_bytes + GRPC_SLICE_LENGTH(message) <= VN_GATEWAY_QUEUE_BYTES)
        o = malloc(sizeof *o);
    if (!o) {
        grpc_slice_unref(message);
        vn_call_finish(c, GRPC_STATUS_RESOURCE_EXHAUSTED, "the stream is not read fast enough; it was closed");
        return VN_ERR_LIMIT;
    }
    *o = (struct vn_out){NULL, message, progress};
    *c->out_tail = o;
    c->out_tail = &o->next;
    c->out_count++;
    c->out_bytes += GRPC_SLICE_LENGTH(message);
    return VN_OK;
}

enum vn_status vn_call_send(struct vn_call *c, grpc_slice message, int progress)
{
    enum vn_status s = enqueue(c, message, progress);
    if (s == VN_OK)
        advance(c);
    return s;
}

void vn_call_reply(struct vn_call *c, grpc_slice message)
{
    if (enqueue(c, message, 0) == VN_OK)
        vn_call_finish(c, GRPC_STATUS_OK, NULL);
}

grpc_slice vn_slice_pack(const ProtobufCMessage *m)
{
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(m));
    protobuf_c_message_pack(m, GRPC_SLICE_START_PTR(slice));
    return slice;
}

void vn_call_finish(struct vn_call *c, int code, const char *text)
{
    if (c->finishing || c->closed)
        return;
    c->finishing = 1;
    c->code = code;
    c->text = text ? strdup(text) : NULL;
    VN_LOG(code == GRPC_STATUS_OK ? VN_LOG_DEBUG : VN_LOG_INFO, "call.finished", "method=\"%s\" code=%d text=\"%s\"",
           c->method ? c->method->path : "?", code, text ? text : "");
    if (code != GRPC_STATUS_OK) {
        drop_queue(c);
        if (c->sending && c->headers_sent) {
            /* A message the reader does not take blocks the status too: cut the call instead. */
            c->finished = 1;
            grpc_call_cancel_with_status(c->core, (grpc_status_code)code, text ? text : "", NULL);
        }
    }
    advance(c);
    /* The scheduler hears now what it would otherwise learn only when the reader lets go. */
    if (c->method && c->method->lost)
        c->method->lost(c);
    vn_link_forget(c->gateway->link, c);
}

void vn_call_fail(struct vn_call *c, enum vn_status s, const char *text)
{
    vn_call_finish(c, vn_status_grpc(s), text && *text ? text : vn_status_text(s));
}

static void accept_call(struct vn_call *c)
{
    struct vn_gateway *g = c->gateway;
    c->counted = 1;
    c->next = g->calls;
    if (c->next)
        c->next->prev = c;
    g->calls = c;
    g->n_calls++;

    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op.data.recv_close_on_server.cancelled = &c->cancelled_by_core;
    start(c, &op, 1, VN_OP_CLOSE);

    const struct vn_method *method = vn_method_find(c->details.method);
    if (!method) {
        char *path = grpc_slice_to_c_string(c->details.method);
        char text[256];
        size_t len = strlen(path);
        snprintf(text, sizeof text, "this server has no method %.200s", vn_wire_text_ok((const uint8_t *)path, len) ? path : "");
        gpr_free(path);
        vn_call_finish(c, GRPC_STATUS_UNIMPLEMENTED, text);
        return;
    }
    c->method = method;
    if (g->stopping || (g->draining && method->flags & VN_METHOD_STARTS)) {
        vn_call_finish(c, GRPC_STATUS_UNAVAILABLE, "the coordinator is shutting down");
        return;
    }
    if (g->n_calls > VN_GATEWAY_MAX_CALLS) {
        vn_call_finish(c, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many calls in flight; try again later");
        return;
    }
    if (method->flags & VN_METHOD_LOOPBACK) {
        char *peer = grpc_call_get_peer(c->core);
        int local = vn_peer_is_loopback(peer);
        gpr_free(peer);
        if (!local) {
            vn_call_finish(c, GRPC_STATUS_PERMISSION_DENIED, "Admin endpoints are restricted to localhost access only");
            return;
        }
    }
    if (!(method->flags & VN_METHOD_STREAMS_IN))
        c->deadline_ns = g->now_ns + VN_GATEWAY_CALL_NS;
    if (method->opened)
        method->opened(c);
    vn_call_receive(c);
}

/* A whole message has come, or the client has closed its side. */
static void message_in(struct vn_call *c, int ok)
{
    grpc_byte_buffer *buffer = c->inbound;
    c->inbound = NULL;
    c->receiving = 0;
    if (c->finishing || c->closed || !ok || !buffer) {
        grpc_byte_buffer_destroy(buffer);
        if (c->finishing || c->closed || !ok)
            return;
        if (c->method->flags & VN_METHOD_STREAMS_IN)
            c->method->half_closed(c);
        else
            vn_call_finish(c, GRPC_STATUS_INVALID_ARGUMENT, "the request has no message");
        return;
    }
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer)) {
        grpc_byte_buffer_destroy(buffer);
        vn_call_finish(c, GRPC_STATUS_INVALID_ARGUMENT, "the message cannot be decompressed");
        return;
    }
    grpc_slice whole = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(buffer);
    struct vn_error err;
    if (GRPC_SLICE_LENGTH(whole) > VN_GATEWAY_MAX_MESSAGE) /* compressed it was smaller */
        vn_call_finish(c, GRPC_STATUS_RESOURCE_EXHAUSTED, "the message is larger than 128 MiB");
    else if (vn_wire_check(c->method->request, GRPC_SLICE_START_PTR(whole), GRPC_SLICE_LENGTH(whole), &err) != VN_OK)
        vn_call_fail(c, err.status, err.text);
    else if (c->method->check && c->method->check(whole, &err) != VN_OK)
        vn_call_fail(c, err.status, err.text);
    else
        c->method->received(c, whole);
    grpc_slice_unref(whole);
}

void vn_call_event(struct vn_call *c, enum vn_op op, int ok)
{
    struct vn_gateway *g = c->gateway;
    switch (op) {
    case VN_OP_NEW:
        g->n_armed--;
        if (ok) {
            vn_calls_arm(g);
            accept_call(c);
        } else {
            c->core = NULL;
        }
        break;
    case VN_OP_RECV:
        message_in(c, ok);
        break;
    case VN_OP_SEND:
        c->sending = 0;
        if (ok && !c->finished) {
            advance(c);
            if (!c->sending && !c->finishing && !c->closed && c->method->sent)
                c->method->sent(c);
        }
        break;
    case VN_OP_CLOSE:
        c->closed = 1;
        if (c->method && c->method->lost)
            c->method->lost(c);
        vn_link_forget(g->link, c);
        drop_queue(c);
        break;
    case VN_OP_COUNT:
        break;
    }
    if (--c->refs == 0)
        release(c);
}

void vn_unary_received(struct vn_call *c, grpc_slice message)
{
    c->deadline_ns = c->method->flags & VN_METHOD_PATIENT ? 0 : c->gateway->now_ns + VN_GATEWAY_CALL_NS;
    enum vn_status s = vn_link_request(c->gateway->link, c, c->method->kind, message);
    if (s == VN_ERR_IO)
        vn_call_fail(c, s, "the scheduler cannot be reached; the coordinator is starting or restarting, try again in a moment");
    else if (s != VN_OK)
        vn_call_fail(c, s, s == VN_ERR_BUSY ? "the scheduler is overloaded; try again later" : NULL);
    else
        c->bus_open = (c->method->flags & VN_METHOD_PATIENT) != 0;
}

void vn_unary_answered(struct vn_call *c, struct vn_bus_message *m)
{
    c->bus_open = 0;
    if (m->kind != VN_KIND_REPLY) {
        vn_call_fail(c, VN_ERR_INTERNAL, "the scheduler gave an unexpected answer");
        return;
    }
    vn_call_reply(c, vn_slice_steal(m));
}

void vn_unary_lost(struct vn_call *c)
{
    if (c->bus_open)
        vn_link_send(c->gateway->link, VN_KIND_ABANDON, c->correlation, grpc_empty_slice(), 0);
    c->bus_open = 0;
}
