/* Those who follow a job (WatchJob: events until the job ends) and those who wait for its end (WaitJobResult: one answer). A follower first hears how
 * the job stands. Progress only marks a follower; what it hears is made from the job's state when its turn comes, so a slow or busy one skips numbers
 * instead of piling them up. */
#include <stdlib.h>

#include "services/scheduler/scheduler.h"

enum { DEFAULT_WAIT_S = 5, MAX_WAIT_S = 3600 };

typedef Zisk__Coordinator__V1__JobEvent job_event;

/* Messages about one job that share their parts; built where it is used, nothing allocated. */
struct result {
    Google__Protobuf__Timestamp started, ended;
    Google__Protobuf__Duration limit;
    Zisk__Coordinator__V1__Proof proof;
    Zisk__Coordinator__V1__ExecutionStats stats;
    Zisk__Coordinator__V1__ProveResponse prove;
    Zisk__Coordinator__V1__ExecuteResponse execute;
    Zisk__Coordinator__V1__JobKindResponse kind;
    Zisk__Coordinator__V1__JobFailure failure;
    Zisk__Coordinator__V1__JobFailureTimeout timeout;
    Zisk__Coordinator__V1__JobFailureInput input;
    Zisk__Coordinator__V1__JobFailureExecution execution;
    uint8_t outputs[4 * VN_PUBLIC_WORDS], key[4 * VN_LEAF_WORDS];
};

void vn_timestamp(Google__Protobuf__Timestamp *t, uint64_t wall_ns)
{
    google__protobuf__timestamp__init(t);
    t->seconds = (int64_t)(wall_ns / 1000000000u);
    t->nanos = (int32_t)(wall_ns % 1000000000u);
}

static Zisk__Coordinator__V1__JobPhase phase_number(enum vn_phase p)
{
    switch (p) {
    case VN_PHASE_CONTRIBUTIONS:
        return ZISK__COORDINATOR__V1__JOB_PHASE__JOB_PHASE_CONTRIBUTIONS;
    case VN_PHASE_PROVE:
        return ZISK__COORDINATOR__V1__JOB_PHASE__JOB_PHASE_PROVE;
    default:
        return ZISK__COORDINATOR__V1__JOB_PHASE__JOB_PHASE_AGGREGATE;
    }
}

/* The key's bytes are its elements most significant byte first, the order in which people see them as hexadecimal digits. */
static void fill_proof(struct result *r, const struct vn_job *j)
{
    for (unsigned i = 0; i < sizeof r->key; i++)
        r->key[i] = (uint8_t)(j->values[3 + i / 4] >> 8 * (3 - i % 4));
    vn_timestamp(&r->started, j->started_wall_ns);
    vn_timestamp(&r->ended, j->ended_wall_ns);
    zisk__coordinator__v1__proof__init(&r->proof);
    r->proof.proof_id = (char *)(uintptr_t)j->id;
    r->proof.hash_id = (char *)(uintptr_t)j->hash_id;
    r->proof.proof_kind = ZISK__COORDINATOR__V1__PROOF_KIND__PROOF_KIND_STARK;
    r->proof.data = (ProtobufCBinaryData){.len = j->proof_len, .data = j->proof};
    r->proof.public_inputs = (ProtobufCBinaryData){.len = sizeof r->outputs, .data = r->outputs};
    r->proof.verification_key = (ProtobufCBinaryData){.len = sizeof r->key, .data = r->key};
    r->proof.started_at = &r->started;
    r->proof.completed_at = &r->ended;
}

/* 0: the proof was made, but is no longer kept. */
static int has_result(const struct vn_job *j) { return j->proof || j->simulated || j->kind == VN_JOB_EXECUTE; }

/* A simulated job has numbers, but no proof. */
static void fill_result(struct result *r, const struct vn_job *j)
{
    for (unsigned i = 0; i < sizeof r->outputs; i++)
        r->outputs[i] = (uint8_t)(j->publics[i / 4] >> 8 * (i % 4));
    zisk__coordinator__v1__execution_stats__init(&r->stats);
    r->stats.steps = j->values[2];
    r->stats.duration_nanos = j->ended_ns - j->started_ns;
    zisk__coordinator__v1__job_kind_response__init(&r->kind);
    if (j->kind == VN_JOB_EXECUTE) {
        zisk__coordinator__v1__execute_response__init(&r->execute);
        r->execute.stats = &r->stats;
        r->execute.public_outputs = (ProtobufCBinaryData){.len = sizeof r->outputs, .data = r->outputs};
        r->kind.kind_case = ZISK__COORDINATOR__V1__JOB_KIND_RESPONSE__KIND_EXECUTE;
        r->kind.execute = &r->execute;
        return;
    }
    fill_proof(r, j);
    zisk__coordinator__v1__prove_response__init(&r->prove);
    r->prove.proof = j->simulated ? NULL : &r->proof;
    r->prove.stats = &r->stats;
    r->kind.kind_case = ZISK__COORDINATOR__V1__JOB_KIND_RESPONSE__KIND_PROVE;
    r->kind.prove = &r->prove;
}

/* Faults of ours carry their sentence as well, as execution failures: the API's internal failure has no room for one. */
static void fill_failure(struct result *r, const struct vn_job *j)
{
    zisk__coordinator__v1__job_failure__init(&r->failure);
    char *reason = (char *)(uintptr_t)j->reason;
    switch (j->failure) {
    case VN_FAILURE_TIMEOUT:
        zisk__coordinator__v1__job_failure_timeout__init(&r->timeout);
        google__protobuf__duration__init(&r->limit);
        r->limit.seconds = (int64_t)(j->phase_limit_ns / 1000000000u);
        r->timeout.limit = &r->limit;
        r->timeout.phase_presence_case = ZISK__COORDINATOR__V1__JOB_FAILURE_TIMEOUT__PHASE_PRESENCE_PHASE;
        r->timeout.phase = phase_number(j->failed_phase);
        r->failure.failure_case = ZISK__COORDINATOR__V1__JOB_FAILURE__FAILURE_TIMEOUT;
        r->failure.timeout = &r->timeout;
        break;
    case VN_FAILURE_INPUT:
        zisk__coordinator__v1__job_failure_input__init(&r->input);
        r->input.reason = reason;
        r->failure.failure_case = ZISK__COORDINATOR__V1__JOB_FAILURE__FAILURE_INPUT;
        r->failure.input = &r->input;
        break;
    default:
        zisk__coordinator__v1__job_failure_execution__init(&r->execution);
        r->execution.reason = reason;
        r->failure.failure_case = ZISK__COORDINATOR__V1__JOB_FAILURE__FAILURE_EXECUTION;
        r->failure.execution = &r->execution;
        break;
    }
}

/* ---- events ---- */

static void send_started(struct vn_scheduler *s, const struct vn_watcher *w, const struct vn_job *j)
{
    job_event e = ZISK__COORDINATOR__V1__JOB_EVENT__INIT;
    Zisk__Coordinator__V1__JobStarted started = ZISK__COORDINATOR__V1__JOB_STARTED__INIT;
    Google__Protobuf__Timestamp at;
    vn_timestamp(&at, j->started_wall_ns);
    started.job_id = (char *)(uintptr_t)j->id;
    started.timestamp = &at;
    e.event_case = ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_STARTED;
    e.started = &started;
    vn_peer_send(s, w->peer, VN_KIND_EVENT, w->correlation, &e.base);
}

static void send_waiting(struct vn_scheduler *s, struct vn_watcher *w, const struct vn_job *j)
{
    w->dirty = 0;
    job_event e = ZISK__COORDINATOR__V1__JOB_EVENT__INIT;
    Zisk__Coordinator__V1__JobQueued queued = ZISK__COORDINATOR__V1__JOB_QUEUED__INIT;
    Zisk__Coordinator__V1__JobWaitingForInput waiting = ZISK__COORDINATOR__V1__JOB_WAITING_FOR_INPUT__INIT;
    Google__Protobuf__Timestamp at;
    vn_timestamp(&at, j->created_wall_ns);
    if (j->state == VN_JOB_QUEUED) {
        queued.job_id = (char *)(uintptr_t)j->id;
        queued.timestamp = &at;
        e.event_case = ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_QUEUED;
        e.queued = &queued;
    } else {
        waiting.job_id = (char *)(uintptr_t)j->id;
        waiting.timestamp = &at;
        e.event_case = ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_WAITING_FOR_INPUT;
        e.waiting_for_input = &waiting;
    }
    vn_peer_send(s, w->peer, VN_KIND_EVENT, w->correlation, &e.base);
}

static uint32_t shards_total(const struct vn_job *j)
{
    if (j->n_shards)
        return j->n_shards;
    uint64_t n = 0;
    for (uint32_t i = 0; i < j->n_members; i++)
        n += j->members[i].shards_total;
    return n > VN_MAX_JOB_SHARDS ? VN_MAX_JOB_SHARDS : (uint32_t)n;
}

static void send_progress(struct vn_scheduler *s, struct vn_watcher *w, const struct vn_job *j, uint64_t now_ns)
{
    w->dirty = 0;
    w->told_ns = now_ns;
    job_event e = ZISK__COORDINATOR__V1__JOB_EVENT__INIT;
    Zisk__Coordinator__V1__JobProgress progress = ZISK__COORDINATOR__V1__JOB_PROGRESS__INIT;
    Google__Protobuf__Timestamp at;
    vn_timestamp(&at, vn_clock_wall_ns());
    progress.job_id = (char *)(uintptr_t)j->id;
    progress.phase = phase_number(j->phase);
    progress.timestamp = &at;
    progress.shards_done = vn_job_shards_done(j);
    progress.shards_total = shards_total(j);
    progress.workers = j->n_members;
    progress.steps = j->n_shards ? j->values[2] : j->steps_done;
    e.event_case = ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_PROGRESS;
    e.progress = &progress;
    vn_peer_send(s, w->peer, VN_KIND_EVENT, w->correlation, &e.base);
}

/* Where the job is now: what a new follower hears, and all of them when it has moved on. */
static void send_standing(struct vn_scheduler *s, struct vn_watcher *w, const struct vn_job *j, uint64_t now_ns)
{
    if (j->state != VN_JOB_RUNNING) {
        send_waiting(s, w, j);
        return;
    }
    if (!w->started)
        send_started(s, w, j);
    w->started = 1;
    send_progress(s, w, j, now_ns);
}

static void send_end(struct vn_scheduler *s, const struct vn_watcher *w, const struct vn_job *j)
{
    struct result r;
    job_event e = ZISK__COORDINATOR__V1__JOB_EVENT__INIT;
    Zisk__Coordinator__V1__JobCompleted completed = ZISK__COORDINATOR__V1__JOB_COMPLETED__INIT;
    Zisk__Coordinator__V1__JobFailed failed = ZISK__COORDINATOR__V1__JOB_FAILED__INIT;
    Zisk__Coordinator__V1__JobCancelledEvent cancelled = ZISK__COORDINATOR__V1__JOB_CANCELLED_EVENT__INIT;
    Google__Protobuf__Timestamp at;
    vn_timestamp(&at, j->ended_wall_ns);
    if (j->state == VN_JOB_COMPLETED) {
        fill_result(&r, j);
        completed.job_id = (char *)(uintptr_t)j->id;
        completed.timestamp = &at;
        completed.result = has_result(j) ? &r.kind : NULL;
        e.event_case = ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_COMPLETED;
        e.completed = &completed;
    } else if (j->state == VN_JOB_FAILED) {
        fill_failure(&r, j);
        failed.job_id = (char *)(uintptr_t)j->id;
        failed.timestamp = &at;
        failed.failure = &r.failure;
        e.event_case = ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_FAILED;
        e.failed = &failed;
    } else {
        cancelled.job_id = (char *)(uintptr_t)j->id;
        cancelled.timestamp = &at;
        e.event_case = ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_CANCELLED;
        e.cancelled = &cancelled;
    }
    vn_peer_send(s, w->peer, VN_KIND_EVENT, w->correlation, &e.base);
    vn_peer_send(s, w->peer, VN_KIND_END, w->correlation, NULL);
}

static void send_result(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation, const struct vn_job *j)
{
    struct result r;
    Zisk__Coordinator__V1__WaitJobResultResponse answer = ZISK__COORDINATOR__V1__WAIT_JOB_RESULT_RESPONSE__INIT;
    Zisk__Coordinator__V1__JobStatus status = ZISK__COORDINATOR__V1__JOB_STATUS__INIT;
    Zisk__Coordinator__V1__JobStatusWaitingForInput waiting = ZISK__COORDINATOR__V1__JOB_STATUS_WAITING_FOR_INPUT__INIT;
    Zisk__Coordinator__V1__JobStatusQueued queued = ZISK__COORDINATOR__V1__JOB_STATUS_QUEUED__INIT;
    Zisk__Coordinator__V1__JobStatusRunning running = ZISK__COORDINATOR__V1__JOB_STATUS_RUNNING__INIT;
    Zisk__Coordinator__V1__JobStatusCompleted completed = ZISK__COORDINATOR__V1__JOB_STATUS_COMPLETED__INIT;
    Zisk__Coordinator__V1__JobStatusFailed failed = ZISK__COORDINATOR__V1__JOB_STATUS_FAILED__INIT;
    Zisk__Coordinator__V1__JobStatusCancelled cancelled = ZISK__COORDINATOR__V1__JOB_STATUS_CANCELLED__INIT;
    answer.job_id = (char *)(uintptr_t)j->id;
    answer.job_status = &status;
    switch (j->state) {
    case VN_JOB_WAITING:
        status.status_case = ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_WAITING_FOR_INPUT;
        status.waiting_for_input = &waiting;
        break;
    case VN_JOB_QUEUED:
        status.status_case = ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_QUEUED;
        status.queued = &queued;
        break;
    case VN_JOB_RUNNING:
        running.phase_presence_case = ZISK__COORDINATOR__V1__JOB_STATUS_RUNNING__PHASE_PRESENCE_PHASE;
        running.phase = phase_number(j->phase);
        status.status_case = ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_RUNNING;
        status.running = &running;
        break;
    case VN_JOB_COMPLETED:
        fill_result(&r, j);
        status.status_case = ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_COMPLETED;
        status.completed = &completed;
        answer.result = has_result(j) ? &r.kind : NULL;
        break;
    case VN_JOB_FAILED:
        fill_failure(&r, j);
        failed.failure = &r.failure;
        status.status_case = ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_FAILED;
        status.failed = &failed;
        break;
    case VN_JOB_CANCELLED:
        status.status_case = ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_CANCELLED;
        status.cancelled = &cancelled;
        break;
    }
    vn_peer_send(s, p, VN_KIND_REPLY, correlation, &answer.base);
}

/* ---- the list ---- */

static struct vn_watcher *add(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation, const struct vn_job *j)
{
    struct vn_watcher *w = s->n_watchers < VN_MAX_WATCHERS ? calloc(1, sizeof *w) : NULL;
    if (!w) {
        vn_peer_error(s, p, correlation, VN_ERR_BUSY, "Too many clients follow jobs");
        return NULL;
    }
    w->peer = p;
    w->correlation = correlation;
    w->job = j;
    w->next = s->watchers;
    s->watchers = w;
    s->n_watchers++;
    return w;
}

static void drop(struct vn_scheduler *s, struct vn_watcher **at)
{
    struct vn_watcher *w = *at;
    *at = w->next;
    s->n_watchers--;
    free(w);
}

void vn_watch_drop(struct vn_scheduler *s, const struct vn_peer *p)
{
    struct vn_watcher **at = &s->watchers;
    while (*at)
        if (!p || (*at)->peer == p)
            drop(s, at);
        else
            at = &(*at)->next;
}

void vn_watch_abandon(struct vn_scheduler *s, const struct vn_peer *p, uint64_t correlation)
{
    struct vn_watcher **at = &s->watchers;
    while (*at)
        if ((*at)->peer == p && (*at)->correlation == correlation)
            drop(s, at);
        else
            at = &(*at)->next;
}

void vn_watch_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__WatchJobRequest *q = zisk__coordinator__v1__watch_job_request__unpack(NULL, m->body_len, m->body);
    const struct vn_job *j = q ? vn_core_job(s->core, q->job_id) : NULL;
    if (!q) {
        vn_peer_error(s, p, m->correlation, VN_ERR_FORMAT, "The request does not parse");
    } else if (!j) {
        vn_peer_error(s, p, m->correlation, VN_ERR_NOT_FOUND, "Job %.64s not found", q->job_id);
    } else if (!vn_job_is_live(j)) {
        struct vn_watcher once = {.peer = p, .correlation = m->correlation};
        send_end(s, &once, j);
    } else {
        struct vn_watcher *w = add(s, p, m->correlation, j);
        if (w) {
            send_standing(s, w, j, vn_clock_monotonic_ns());
        }
    }
    zisk__coordinator__v1__watch_job_request__free_unpacked(q, NULL);
}

void vn_wait_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__WaitJobResultRequest *q = zisk__coordinator__v1__wait_job_result_request__unpack(NULL, m->body_len, m->body);
    const struct vn_job *j = q ? vn_core_job(s->core, q->job_id) : NULL;
    if (!q) {
        vn_peer_error(s, p, m->correlation, VN_ERR_FORMAT, "The request does not parse");
    } else if (!j) {
        vn_peer_error(s, p, m->correlation, VN_ERR_NOT_FOUND, "Job %.64s not found", q->job_id);
    } else if (!vn_job_is_live(j)) {
        send_result(s, p, m->correlation, j);
    } else {
        uint64_t wait = q->timeout_presence_case == ZISK__COORDINATOR__V1__WAIT_JOB_RESULT_REQUEST__TIMEOUT_PRESENCE_TIMEOUT_SECONDS ? q->timeout_seconds : DEFAULT_WAIT_S;
        wait = wait < 1 ? 1 : wait > MAX_WAIT_S ? MAX_WAIT_S : wait;
        struct vn_watcher *w = add(s, p, m->correlation, j);
        if (w) {
            w->waits = 1;
            w->deadline_ns = vn_clock_monotonic_ns() + wait * 1000000000u;
        }
    }
    zisk__coordinator__v1__wait_job_result_request__free_unpacked(q, NULL);
}

void vn_watch_changed(struct vn_scheduler *s, const struct vn_job *j, int progress)
{
    uint64_t now = vn_clock_monotonic_ns();
    struct vn_watcher **at = &s->watchers;
    while (*at) {
        struct vn_watcher *w = *at;
        if (w->job != j) {
            at = &w->next;
        } else if (vn_job_is_live(j)) {
            w->dirty = 1;
            if (!progress && !w->waits)
                send_standing(s, w, j, now);
            at = &w->next;
        } else {
            if (w->waits)
                send_result(s, w->peer, w->correlation, j);
            else
                send_end(s, w, j);
            drop(s, at);
        }
    }
}

void vn_watch_tick(struct vn_scheduler *s)
{
    uint64_t now = vn_clock_monotonic_ns();
    struct vn_watcher **at = &s->watchers;
    while (*at) {
        struct vn_watcher *w = *at;
        int over = w->waits && now >= w->deadline_ns;
        if (over)
            send_result(s, w->peer, w->correlation, w->job);
        else if (!w->waits && w->dirty && w->job->state == VN_JOB_RUNNING && now - w->told_ns >= VN_PROGRESS_NS && !w->peer->outbox)
            send_progress(s, w, w->job, now);
        if (over)
            drop(s, at);
        else
            at = &w->next;
    }
}
