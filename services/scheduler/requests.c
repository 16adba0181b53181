/* One bus message of a known peer to where it belongs, and the answers that only read the core's state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/log.h"
#include "services/scheduler/programs.h"

typedef Zisk__Distributed__Api__V1__JobStatus job_status;
typedef Zisk__Distributed__Api__V1__WorkerInfo worker_info;

static void bad_request(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation)
{
    vn_peer_error(s, p, correlation, VN_ERR_FORMAT, "The request does not parse");
}

static void on_health(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Distributed__Api__V1__HealthCheckResponse a = ZISK__DISTRIBUTED__API__V1__HEALTH_CHECK_RESPONSE__INIT;
    vn_peer_send(s, p, VN_KIND_REPLY, m->correlation, &a.base);
}

static uint32_t count_connected(const struct vn_scheduler *s)
{
    uint32_t n = 0;
    for (const struct vn_worker *w = vn_core_workers(s->core); w; w = w->next)
        n += w->link != 0;
    return n;
}

static void on_system_status(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Distributed__Api__V1__SystemStatusResponse a = ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS_RESPONSE__INIT;
    Zisk__Distributed__Api__V1__SystemStatus status = ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS__INIT;
    for (const struct vn_worker *w = vn_core_workers(s->core); w; w = w->next)
        if (w->link != 0) {
            status.total_workers++;
            status.compute_capacity += w->units;
            status.idle_workers += vn_worker_is_idle(w) != 0;
            status.busy_workers += w->job != NULL;
        }
    for (const struct vn_job *j = vn_core_jobs(s->core); j; j = j->next)
        status.active_jobs += j->state == VN_JOB_RUNNING;
    a.result_case = ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS_RESPONSE__RESULT_STATUS;
    a.status = &status;
    vn_peer_send(s, p, VN_KIND_REPLY, m->correlation, &a.base);
}

static void on_status_info(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Distributed__Api__V1__StatusInfoResponse a = ZISK__DISTRIBUTED__API__V1__STATUS_INFO_RESPONSE__INIT;
    Zisk__Distributed__Api__V1__Metrics metrics = ZISK__DISTRIBUTED__API__V1__METRICS__INIT;
    Google__Protobuf__Timestamp started;
    vn_timestamp(&started, s->started_wall_ns);
    metrics.active_connections = count_connected(s);
    a.service_name = s->config.service_name;
    a.version = (char *)(uintptr_t)VN_VERSION;
    a.uptime_seconds = (vn_clock_monotonic_ns() - s->started_ns) / 1000000000u;
    a.start_time = &started;
    a.metrics = &metrics;
    vn_peer_send(s, p, VN_KIND_REPLY, m->correlation, &a.base);
}

/* ---- jobs ---- */

struct job_text {
    char state[40];
    char **workers;
};

static int describe_job(job_status *out, struct job_text *text, const struct vn_job *j)
{
    zisk__distributed__api__v1__job_status__init(out);
    static const char *const states[] = {[VN_JOB_WAITING] = "Waiting for input", [VN_JOB_QUEUED] = "Queued", [VN_JOB_COMPLETED] = "Completed", [VN_JOB_FAILED] = "Failed", [VN_JOB_CANCELLED] = "Cancelled"};
    if (j->state == VN_JOB_RUNNING)
        snprintf(text->state, sizeof text->state, "Running (%s)", vn_phase_name(j->phase));
    else
        snprintf(text->state, sizeof text->state, "%s", states[j->state]);
    text->workers = calloc(j->n_members + 1, sizeof *text->workers);
    if (!text->workers)
        return 0;
    for (uint32_t i = 0; i < j->n_members; i++)
        text->workers[i] = j->members[i].worker_id;
    out->job_id = (char *)(uintptr_t)j->id;
    out->data_id = j->data_id;
    out->phase = (char *)(uintptr_t)(j->state == VN_JOB_RUNNING ? vn_phase_name(j->phase) : "None");
    out->state = text->state;
    out->n_assigned_workers = j->n_members;
    out->assigned_workers = text->workers;
    out->start_time = j->started_wall_ns / 1000000000u;
    out->duration_ms = vn_job_is_live(j) ? 0 : (j->ended_ns - j->started_ns) / 1000000u;
    return 1;
}

static void on_job_status(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Distributed__Api__V1__JobStatusRequest *q = zisk__distributed__api__v1__job_status_request__unpack(NULL, m->body_len, m->body);
    const struct vn_job *j = q ? vn_core_job(s->core, q->job_id) : NULL;
    if (!q) {
        bad_request(s, p, m->correlation);
    } else if (!j) {
        vn_peer_error(s, p, m->correlation, VN_ERR_NOT_FOUND, "Job %.64s not found", q->job_id);
    } else {
        Zisk__Distributed__Api__V1__JobStatusResponse a = ZISK__DISTRIBUTED__API__V1__JOB_STATUS_RESPONSE__INIT;
        job_status status;
        struct job_text text;
        if (describe_job(&status, &text, j)) {
            a.result_case = ZISK__DISTRIBUTED__API__V1__JOB_STATUS_RESPONSE__RESULT_JOB;
            a.job = &status;
            vn_peer_send(s, p, VN_KIND_REPLY, m->correlation, &a.base);
            free(text.workers);
        } else {
            vn_peer_error(s, p, m->correlation, VN_ERR_MEMORY, "%s", vn_status_text(VN_ERR_MEMORY));
        }
    }
    zisk__distributed__api__v1__job_status_request__free_unpacked(q, NULL);
}

static void send_jobs(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation, int active_only, size_t n)
{
    job_status *items = calloc(n + 1, sizeof *items);
    job_status **pointers = calloc(n + 1, sizeof *pointers);
    struct job_text *texts = calloc(n + 1, sizeof *texts);
    size_t used = 0;
    int ok = items && pointers && texts;
    for (const struct vn_job *j = vn_core_jobs(s->core); ok && j; j = j->next)
        if (!active_only || vn_job_is_live(j)) {
            ok = describe_job(&items[used], &texts[used], j);
            if (j->state == VN_JOB_RUNNING)
                items[used].start_time = j->phase_wall_ns / 1000000000u;
            pointers[used] = &items[used];
            used += ok != 0;
        }
    if (ok) {
        Zisk__Distributed__Api__V1__JobsListResponse a = ZISK__DISTRIBUTED__API__V1__JOBS_LIST_RESPONSE__INIT;
        Zisk__Distributed__Api__V1__JobsList list = ZISK__DISTRIBUTED__API__V1__JOBS_LIST__INIT;
        list.n_jobs = used;
        list.jobs = pointers;
        a.result_case = ZISK__DISTRIBUTED__API__V1__JOBS_LIST_RESPONSE__RESULT_JOBS_LIST;
        a.jobs_list = &list;
        vn_peer_send(s, p, VN_KIND_REPLY, correlation, &a.base);
    } else {
        vn_peer_error(s, p, correlation, VN_ERR_MEMORY, "%s", vn_status_text(VN_ERR_MEMORY));
    }
    for (size_t i = 0; texts && i < used; i++)
        free(texts[i].workers);
    free(items);
    free(pointers);
    free(texts);
}

static void on_jobs_list(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Distributed__Api__V1__JobsListRequest *q = zisk__distributed__api__v1__jobs_list_request__unpack(NULL, m->body_len, m->body);
    if (!q) {
        bad_request(s, p, m->correlation);
        return;
    }
    size_t n = 0;
    for (const struct vn_job *j = vn_core_jobs(s->core); j; j = j->next)
        n++;
    send_jobs(s, p, m->correlation, q->active_only, n);
    zisk__distributed__api__v1__jobs_list_request__free_unpacked(q, NULL);
}

static void on_cancel(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__CancelJobRequest *q = zisk__coordinator__v1__cancel_job_request__unpack(NULL, m->body_len, m->body);
    const struct vn_job *j = q ? vn_core_job(s->core, q->job_id) : NULL;
    if (!q) {
        bad_request(s, p, m->correlation);
    } else if (!j) {
        vn_peer_error(s, p, m->correlation, VN_ERR_NOT_FOUND, "Job %.64s not found", q->job_id);
    } else {
        Zisk__Coordinator__V1__CancelJobResponse a = ZISK__COORDINATOR__V1__CANCEL_JOB_RESPONSE__INIT;
        a.job_id = q->job_id;
        a.cancelled = vn_job_is_live(j);
        if (a.cancelled) {
            VN_LOG(VN_LOG_INFO, "job.cancel", "job=%s", j->id);
            vn_scheduler_step(s, &(struct vn_event){.kind = VN_EVENT_CANCEL, .job_id = q->job_id});
        }
        vn_peer_send(s, p, VN_KIND_REPLY, m->correlation, &a.base);
    }
    zisk__coordinator__v1__cancel_job_request__free_unpacked(q, NULL);
}

/* ---- workers ---- */

struct worker_parts {
    worker_info info;
    Zisk__Distributed__Api__V1__ComputeCapacity capacity;
    Google__Protobuf__Timestamp connected, heard;
    char state[40];
};

static void describe_worker(struct worker_parts *out, const struct vn_worker *w)
{
    zisk__distributed__api__v1__worker_info__init(&out->info);
    zisk__distributed__api__v1__compute_capacity__init(&out->capacity);
    vn_timestamp(&out->connected, w->connected_wall_ns);
    vn_timestamp(&out->heard, w->heard_wall_ns);
    if (w->link == 0)
        snprintf(out->state, sizeof out->state, "Disconnected");
    else if (w->job && w->drained)
        snprintf(out->state, sizeof out->state, "Draining(%s)", vn_phase_name(w->task));
    else if (w->drained)
        snprintf(out->state, sizeof out->state, "Drained");
    else if (w->job)
        snprintf(out->state, sizeof out->state, "Computing(%s)", vn_phase_name(w->task));
    else
        snprintf(out->state, sizeof out->state, "Idle");
    out->capacity.compute_units = w->units;
    out->info.worker_id = (char *)(uintptr_t)w->id;
    out->info.state = out->state;
    out->info.compute_capacity = &out->capacity;
    out->info.connected_at = &out->connected;
    out->info.last_heartbeat = &out->heard;
    out->info.job_id = w->job ? w->job->id : "";
    out->info.drained = w->drained != 0;
}

static void send_workers(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation, int connected_only, size_t n)
{
    struct worker_parts *parts = calloc(n + 1, sizeof *parts);
    worker_info **pointers = calloc(n + 1, sizeof *pointers);
    if (parts && pointers) {
        size_t used = 0;
        for (const struct vn_worker *w = vn_core_workers(s->core); w; w = w->next)
            if (!connected_only || w->link != 0) {
                describe_worker(&parts[used], w);
                pointers[used] = &parts[used].info;
                used++;
            }
        Zisk__Distributed__Api__V1__WorkersListResponse a = ZISK__DISTRIBUTED__API__V1__WORKERS_LIST_RESPONSE__INIT;
        Zisk__Distributed__Api__V1__WorkersList list = ZISK__DISTRIBUTED__API__V1__WORKERS_LIST__INIT;
        list.n_workers = used;
        list.workers = pointers;
        a.result_case = ZISK__DISTRIBUTED__API__V1__WORKERS_LIST_RESPONSE__RESULT_WORKERS_LIST;
        a.workers_list = &list;
        vn_peer_send(s, p, VN_KIND_REPLY, correlation, &a.base);
    } else {
        vn_peer_error(s, p, correlation, VN_ERR_MEMORY, "%s", vn_status_text(VN_ERR_MEMORY));
    }
    free(parts);
    free(pointers);
}

static void on_workers_list(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Distributed__Api__V1__WorkersListRequest *q = zisk__distributed__api__v1__workers_list_request__unpack(NULL, m->body_len, m->body);
    if (!q) {
        bad_request(s, p, m->correlation);
        return;
    }
    size_t n = 0;
    for (const struct vn_worker *w = vn_core_workers(s->core); w; w = w->next)
        n++;
    send_workers(s, p, m->correlation, q->available_only, n);
    zisk__distributed__api__v1__workers_list_request__free_unpacked(q, NULL);
}

/* ---- the switch ---- */

void vn_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    switch (m->kind) {
    case VN_KIND_PING:
        vn_peer_send(s, p, VN_KIND_PONG, m->correlation, NULL);
        break;
    case VN_KIND_PONG:
        break;
    case VN_KIND_ERROR:
        VN_LOG(VN_LOG_WARN, "peer.error", "role=%d", p->role);
        break;
    case VN_KIND_HEALTH:
        on_health(s, p, m);
        break;
    case VN_KIND_SYSTEM_STATUS:
        on_system_status(s, p, m);
        break;
    case VN_KIND_STATUS_INFO:
        on_status_info(s, p, m);
        break;
    case VN_KIND_JOBS_LIST:
        on_jobs_list(s, p, m);
        break;
    case VN_KIND_JOB_STATUS:
        on_job_status(s, p, m);
        break;
    case VN_KIND_WORKERS_LIST:
        on_workers_list(s, p, m);
        break;
    case VN_KIND_LAUNCH_PROOF:
        vn_launch_request(s, p, m);
        break;
    case VN_KIND_WATCH_JOB:
        vn_watch_request(s, p, m);
        break;
    case VN_KIND_WAIT_JOB:
        vn_wait_request(s, p, m);
        break;
    case VN_KIND_CANCEL_JOB:
        on_cancel(s, p, m);
        break;
    case VN_KIND_REGISTER_PROGRAM:
        vn_program_request(s, p, m);
        break;
    case VN_KIND_JOB_REQUEST:
        vn_job_request(s, p, m);
        break;
    case VN_KIND_PUSH_INPUT:
        vn_push_input(s, p, m);
        break;
    case VN_KIND_PUSH_HINTS:
        vn_push_hints(s, p, m);
        break;
    case VN_KIND_DRAIN_WORKER:
    case VN_KIND_LOG_LEVEL:
        vn_admin_request(s, p, m);
        break;
    case VN_KIND_ABANDON:
        vn_watch_abandon(s, p, m->correlation);
        break;
    case VN_KIND_WORKER:
        vn_stream_message(s, p, m);
        break;
    case VN_KIND_STREAM_CLOSED:
        vn_stream_closed(s, p, m->correlation);
        break;
    default:
        vn_peer_error(s, p, m->correlation, VN_ERR_PEER, "Message kind %u is sent by the scheduler only", m->kind);
    }
}
