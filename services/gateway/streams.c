/* Streams between gRPC and the bus. A worker stream passes messages through untouched in both directions; it reads its
 * next message only when the bus has taken the last one, so a busy scheduler slows workers instead of filling memory. */
#include <stdlib.h>

#include "bus.pb-c.h"
#include "libshared/log.h"
#include "services/gateway/gateway.h"

#define COPY_BELOW 4096u /* bytes; a copy is cheaper than keeping a frame alive */

static void drop_frames(void *arg)
{
    struct vn_bus_message *m = arg;
    vn_bus_message_fini(m);
    free(m);
}

grpc_slice vn_slice_steal(struct vn_bus_message *m)
{
    struct vn_bus_message *kept = m->body_len < COPY_BELOW ? NULL : malloc(sizeof *kept);
    if (!kept)
        return grpc_slice_from_copied_buffer((const char *)m->body, m->body_len);
    *kept = *m;
    *m = (struct vn_bus_message){.kind = kept->kind, .correlation = kept->correlation};
    return grpc_slice_new_with_user_data((void *)(uintptr_t)kept->body, kept->body_len, drop_frames, kept);
}

/* JobEvent is a oneof; its member `progress` has number 3, and progress is the one event a slow watcher may miss. */
static int is_progress(const struct vn_bus_message *m) { return m->body_len && m->body[0] == (3 << 3 | 2); }

void vn_watch_answered(struct vn_call *c, struct vn_bus_message *m)
{
    if (m->kind == VN_KIND_EVENT) {
        int progress = is_progress(m);
        (void)!vn_call_send(c, vn_slice_steal(m), progress); /* a reader that is too slow has been told */
        return;
    }
    c->bus_open = 0;
    if (m->kind == VN_KIND_END)
        vn_call_finish(c, GRPC_STATUS_OK, NULL);
    else
        vn_call_fail(c, VN_ERR_INTERNAL, "the scheduler gave an unexpected answer");
}

void vn_worker_opened(struct vn_call *c)
{
    c->deadline_ns = c->gateway->now_ns + VN_GATEWAY_REGISTER_NS;
    if (!vn_link_is_up(c->gateway->link)) {
        vn_call_fail(c, VN_ERR_IO, "the scheduler cannot be reached; the coordinator is starting or restarting, try again in a moment");
        return;
    }
    vn_call_send_headers(c); /* workers say nothing before they have seen the headers */
}

void vn_worker_received(struct vn_call *c, grpc_slice message)
{
    if (c->correlation) {
        if (!vn_link_has_room(c->gateway->link, GRPC_SLICE_LENGTH(message))) {
            vn_call_fail(c, VN_ERR_BUSY, "the scheduler is overloaded; try again later");
            return;
        }
        vn_link_send(c->gateway->link, VN_KIND_WORKER, c->correlation, message, 1);
        return;
    }
    c->deadline_ns = 0;
    enum vn_status s = vn_link_request(c->gateway->link, c, VN_KIND_WORKER, message);
    if (s != VN_OK) {
        vn_call_fail(c, s, s == VN_ERR_BUSY ? "the scheduler is overloaded; try again later" : "the scheduler cannot be reached; try again in a moment");
        return;
    }
    c->bus_open = 1;
    VN_LOG(VN_LOG_INFO, "worker.opened", "stream=%llu", (unsigned long long)c->correlation);
    vn_call_receive(c);
}

void vn_worker_half_closed(struct vn_call *c) { vn_call_finish(c, GRPC_STATUS_OK, NULL); }

void vn_worker_answered(struct vn_call *c, struct vn_bus_message *m)
{
    if (m->kind == VN_KIND_COORDINATOR) {
        (void)!vn_call_send(c, vn_slice_steal(m), 0);
        return;
    }
    c->bus_open = 0;
    if (m->kind == VN_KIND_STREAM_CLOSED)
        vn_call_finish(c, GRPC_STATUS_OK, NULL);
    else
        vn_call_fail(c, VN_ERR_INTERNAL, "the scheduler gave an unexpected answer");
}

void vn_worker_lost(struct vn_call *c)
{
    if (!c->bus_open)
        return;
    c->bus_open = 0;
    VN_LOG(VN_LOG_INFO, "worker.closed", "stream=%llu", (unsigned long long)c->correlation);
    vn_link_send(c->gateway->link, VN_KIND_STREAM_CLOSED, c->correlation, grpc_empty_slice(), 0);
}
