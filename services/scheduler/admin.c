/* Requests of administrators (venusctl): only from peers that said so in their Hello. Whoever can open the bus socket may be one: the socket's folder is
 * closed to other users. */
#include <stdlib.h>
#include <string.h>

#include "bus.pb-c.h"
#include "libshared/log.h"
#include "services/scheduler/scheduler.h"

static int is_worker(const struct vn_scheduler *s, const char *id)
{
    for (const struct vn_worker *w = vn_core_workers(s->core); w; w = w->next)
        if (strcmp(w->id, id) == 0)
            return 1;
    return 0;
}

static void on_drain(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Venus__Bus__V1__DrainWorker *q = venus__bus__v1__drain_worker__unpack(NULL, m->body_len, m->body);
    if (!q) {
        vn_peer_error(s, p, m->correlation, VN_ERR_FORMAT, "The request does not parse");
    } else if (!is_worker(s, q->worker_id)) {
        vn_peer_error(s, p, m->correlation, VN_ERR_NOT_FOUND, "Worker %.128s not found", q->worker_id);
    } else {
        VN_LOG(VN_LOG_INFO, q->drain ? "worker.drain" : "worker.resume", "worker=\"%s\"", q->worker_id);
        vn_scheduler_step(s, &(struct vn_event){.kind = VN_EVENT_DRAIN, .worker_id = q->worker_id, .ok = q->drain});
        vn_peer_send(s, p, VN_KIND_REPLY, m->correlation, NULL);
    }
    venus__bus__v1__drain_worker__free_unpacked(q, NULL);
}

static void on_log_level(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    enum vn_log_level level;
    Venus__Bus__V1__LogLevel *q = venus__bus__v1__log_level__unpack(NULL, m->body_len, m->body);
    if (!q) {
        vn_peer_error(s, p, m->correlation, VN_ERR_FORMAT, "The request does not parse");
    } else if (!vn_log_level_parse(q->level, &level)) {
        vn_peer_error(s, p, m->correlation, VN_ERR_ARGUMENT, "Unknown log level \"%.100s\"; error, warn, info, debug or trace", q->level);
    } else {
        vn_log_set_level(level);
        vn_log_set_filter(q->level);
        VN_LOG(VN_LOG_INFO, "log.level", "level=%.100s", q->level);
        vn_peer_send(s, p, VN_KIND_REPLY, m->correlation, NULL);
    }
    venus__bus__v1__log_level__free_unpacked(q, NULL);
}

void vn_admin_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    if (p->role != VENUS__BUS__V1__HELLO__ROLE__ROLE_ADMIN)
        vn_peer_error(s, p, m->correlation, VN_ERR_PERMISSION, "Only administrators may do this");
    else if (m->kind == VN_KIND_DRAIN_WORKER)
        on_drain(s, p, m);
    else
        on_log_level(s, p, m);
}
