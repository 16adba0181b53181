/* A client's stream of input or hints. Each piece is a request to the scheduler, and the next one is read when the scheduler has answered: it answers
 * when it has room, which slows the client down. A request without chunk says that the stream has ended; its answer is the client's. */
#include <stdlib.h>
#include <string.h>

#include "services/gateway/gateway.h"
#include "zisk_coordinator_api.pb-c.h"

/* Both streams have the same message: a job and a chunk, with the same numbers. */
typedef Zisk__Coordinator__V1__PushJobInputRequest piece;

static void forward(struct vn_call *c, grpc_slice message)
{
    struct vn_link *l = c->gateway->link;
    enum vn_status s = VN_OK;
    if (!c->correlation)
        s = vn_link_request(l, c, c->method->kind, message);
    else if (!vn_link_has_room(l, GRPC_SLICE_LENGTH(message)))
        s = VN_ERR_BUSY;
    else
        vn_link_send(l, c->method->kind, c->correlation, message, 0);
    if (s == VN_ERR_IO)
        vn_call_fail(c, s, "the scheduler cannot be reached; the coordinator is starting or restarting, try again in a moment");
    else if (s != VN_OK)
        vn_call_fail(c, s, "the scheduler is overloaded; try again later");
    else if (!c->finishing)
        c->bus_open = 1;
}

static enum vn_status check(struct vn_call *c, const piece *p, struct vn_error *err)
{
    if (!p)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    if (!p->chunk)
        return vn_fail(err, VN_ERR_ARGUMENT, "chunk must be set");
    if (!c->job_id && !*p->job_id)
        return vn_fail(err, VN_ERR_ARGUMENT, "job_id must be set");
    if (c->job_id && *p->job_id && strcmp(c->job_id, p->job_id) != 0)
        return vn_fail(err, VN_ERR_ARGUMENT, "one stream feeds one job; job_id must not change");
    if (!c->job_id) {
        c->job_id = strdup(p->job_id);
        if (!c->job_id)
            return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    }
    return VN_OK;
}

void vn_push_opened(struct vn_call *c) { c->deadline_ns = c->gateway->now_ns + VN_GATEWAY_REGISTER_NS; }

void vn_push_received(struct vn_call *c, grpc_slice message)
{
    piece *p = zisk__coordinator__v1__push_job_input_request__unpack(NULL, GRPC_SLICE_LENGTH(message), GRPC_SLICE_START_PTR(message));
    struct vn_error err;
    c->deadline_ns = 0;
    if (check(c, p, &err) != VN_OK) {
        vn_call_fail(c, err.status, err.text);
    } else if (p->chunk->data.len == 0) {
        vn_call_receive(c); /* nothing to pass on */
    } else if (*p->job_id) {
        forward(c, message);
    } else {
        char *none = p->job_id;
        p->job_id = c->job_id;
        grpc_slice whole = vn_slice_pack(&p->base);
        p->job_id = none;
        forward(c, whole);
        grpc_slice_unref(whole);
    }
    zisk__coordinator__v1__push_job_input_request__free_unpacked(p, NULL);
}

void vn_push_half_closed(struct vn_call *c)
{
    if (!c->job_id) {
        vn_call_finish(c, GRPC_STATUS_INVALID_ARGUMENT, "the stream is empty");
        return;
    }
    piece end = ZISK__COORDINATOR__V1__PUSH_JOB_INPUT_REQUEST__INIT;
    end.job_id = c->job_id;
    c->pushed_all = 1;
    grpc_slice message = vn_slice_pack(&end.base);
    forward(c, message);
    grpc_slice_unref(message);
}

void vn_push_answered(struct vn_call *c, struct vn_bus_message *m)
{
    c->bus_open = 0;
    if (m->kind != VN_KIND_REPLY)
        vn_call_fail(c, VN_ERR_INTERNAL, "the scheduler gave an unexpected answer");
    else if (c->pushed_all)
        vn_call_reply(c, grpc_empty_slice());
    else
        vn_call_receive(c);
}
