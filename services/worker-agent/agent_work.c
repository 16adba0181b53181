/* Tasks and the engines. Every free slot takes the next piece of the job, if there is one; a piece ends when its process has ended, so that
 * nothing of it can touch the job's directory any more, and only then is its last word (Result or Failure) acted on. A job that is given up
 * while engines work for it moves to `dying` until they are gone; a job that came meanwhile starts then. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "libshared/log.h"
#include "libshared/process.h"
#include "services/worker-agent/agent_meter.h"
#include "services/worker-agent/agent_state.h"

#define TERM_GRACE_NS (2 * VN_SECOND_NS)
#define LINGER_NS (5 * VN_SECOND_NS)          /* from an engine's last word to its end */
#define IDLE_JOB_NS (3600 * VN_SECOND_NS)     /* a job whose coordinator never came back */
#define PROGRESS_INTERVAL_NS (VN_SECOND_NS / 4)
#define MAX_ATTEMPTS 2u

static void go_on(struct vn_agent *a);
static void start_piece(struct vn_agent *a, struct vn_slot *slot);

/* ---- answers ---- */

static void refuse(struct vn_agent *a, const char *job_id, task_type type, const char *text)
{
    char job[160], why[600];
    VN_LOG(VN_LOG_WARN, "task.failed", "job=\"%s\" task=%d reason=\"%s\"", vn_agent_plain(job, sizeof job, job_id), (int)type,
           vn_agent_plain(why, sizeof why, text));
    uint8_t *bytes;
    size_t len;
    if (vn_job_answer_failure(a->config->job.worker_id, job_id, type, text, &bytes, &len) == VN_OK)
        vn_agent_post(a, bytes, len, 0);
}

void vn_agent_drop_job(struct vn_agent *a)
{
    if (!a->job)
        return;
    vn_meter_task_ended(a, VN_METER_CANCELLED);
    if (a->n_running > 0 && !a->dying) {
        a->dying = a->job;
        a->job = NULL;
        for (unsigned i = 0; i < a->config->job.slots; i++) {
            if (!a->slots[i].engine.running)
                continue;
            vn_engine_signal(&a->slots[i].engine, SIGTERM);
            a->slots[i].kill_at_ns = vn_clock_monotonic_ns() + TERM_GRACE_NS;
        }
        return;
    }
    vn_job_free(&a->job);
    vn_meter_jobs(a);
}

static void fail_job(struct vn_agent *a, task_type type, const char *text)
{
    vn_meter_task_ended(a, VN_METER_FAILED);
    refuse(a, a->job->id, type, text);
    vn_agent_drop_job(a);
}

static void answer(struct vn_agent *a)
{
    struct vn_error err = {0};
    task_type type = vn_job_task(a->job);
    uint8_t *bytes;
    size_t len;
    if (vn_job_answer(a->job, type, &bytes, &len, &err) != VN_OK) {
        fail_job(a, type, err.text);
        return;
    }
    VN_LOG(VN_LOG_INFO, "task.done", "job=%s task=%d stage=%s bytes=%zu", a->job->id, (int)type, vn_job_stage_name(a->job), len);
    vn_meter_task_ended(a, VN_METER_OK);
    vn_agent_post(a, bytes, len, 0);
    a->idle_since_ns = vn_clock_monotonic_ns();
    if (a->job->stage == VN_JOB_DONE)
        vn_agent_drop_job(a);
}

static void send_progress(struct vn_agent *a, uint32_t done, uint32_t total, uint64_t steps)
{
    worker_message m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__TaskProgress p = ZISK__DISTRIBUTED__API__V1__TASK_PROGRESS__INIT;
    p.worker_id = (char *)a->config->job.worker_id;
    p.job_id = a->job->id;
    p.task_type = vn_job_task(a->job);
    p.shards_done = done;
    p.shards_total = total;
    p.steps = steps;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_TASK_PROGRESS;
    m.task_progress = &p;
    vn_agent_send(a, &m, 1);
    a->last_progress_ns = vn_clock_monotonic_ns();
}

static void stage_progress(struct vn_agent *a)
{
    const struct vn_job *job = a->job;
    size_t done = vn_job_task(job) == TASK_CONTRIBUTION ? job->n_contributed : job->n_proved;
    for (unsigned i = 0; i < a->config->job.slots; i++)
        if (a->slots[i].engine.running && a->slots[i].piece.kind == VN_PIECE_CONTRIBUTE && !a->dying)
            done += a->slots[i].done;
    send_progress(a, (uint32_t)done, (uint32_t)job->n_owned_shards, job->steps);
}

/* ---- tasks ---- */

static void take_contribution(struct vn_agent *a, const task_request *task)
{
    struct vn_error err = {0};
    if (a->job && strcmp(a->job->id, task->job_id) == 0) {
        vn_meter_task_came(a, TASK_CONTRIBUTION);
        fail_job(a, TASK_CONTRIBUTION, "PARTIAL_CONTRIBUTION came twice for the job");
        return;
    }
    if (a->job) {
        /* Waiting for nothing more is normal: only the aggregator hears of a job's end. */
        if (a->job->stage == VN_JOB_PROVED)
            VN_LOG(VN_LOG_DEBUG, "job.over", "job=%s", a->job->id);
        else
            fail_job(a, vn_job_task(a->job), "The coordinator gave this worker another job");
        vn_agent_drop_job(a);
    }
    vn_meter_task_came(a, TASK_CONTRIBUTION);
    double now = (double)vn_clock_wall_ns() / 1e9;
    if (vn_job_open(&a->job, &a->config->job, task, now, &err) != VN_OK) {
        vn_meter_task_ended(a, VN_METER_FAILED);
        refuse(a, task->job_id, TASK_CONTRIBUTION, err.text);
        return;
    }
    vn_meter_jobs(a);
    VN_LOG(VN_LOG_INFO, "job.started", "job=%s rank=%u units=%zu/%u directory=%s", a->job->id, a->job->rank, a->job->n_owned_units, a->job->units,
           a->job->dir.path);
    a->idle_since_ns = vn_clock_monotonic_ns();
    go_on(a);
}

static void take_prove(struct vn_agent *a, const task_request *task)
{
    struct vn_error err = {0};
    vn_meter_task_came(a, TASK_PROVE);
    if (task->params_case != ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__PARAMS_PROVE_PARAMS || !task->prove_params)
        fail_job(a, TASK_PROVE, "PROVE without prove_params");
    else if (vn_job_prove(a->job, task->prove_params, &err) != VN_OK)
        fail_job(a, TASK_PROVE, err.text);
    else {
        stage_progress(a);
        go_on(a);
    }
}

static void take_aggregate(struct vn_agent *a, const task_request *task)
{
    struct vn_error err = {0};
    vn_meter_task_came(a, TASK_AGGREGATE);
    if (task->params_case != ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__PARAMS_AGG_PARAMS || !task->agg_params) {
        fail_job(a, TASK_AGGREGATE, "AGGREGATE without agg_params");
        return;
    }
    if (task->agg_params->compressed)
        VN_LOG(VN_LOG_WARN, "option.notice", "job=%s option=compressed reason=\"has no effect in this version\"", a->job->id);
    if (vn_job_aggregate(a->job, task->agg_params, &err) != VN_OK) {
        fail_job(a, TASK_AGGREGATE, err.text);
        return;
    }
    if (a->job->stage == VN_JOB_AGGREGATE) {
        go_on(a);
        return;
    }
    uint8_t *bytes;
    size_t len;
    if (vn_job_answer(a->job, TASK_AGGREGATE, &bytes, &len, &err) != VN_OK)
        fail_job(a, TASK_AGGREGATE, err.text);
    else {
        vn_meter_task_ended(a, VN_METER_OK);
        vn_agent_post(a, bytes, len, 0);
    }
    a->idle_since_ns = vn_clock_monotonic_ns();
}

void vn_agent_take_task(struct vn_agent *a, const task_request *task)
{
    char text[400];
    if (strcmp(task->worker_id, a->config->job.worker_id) != 0) {
        snprintf(text, sizeof text, "The task is for worker %.100s, this is worker %.100s", task->worker_id, a->config->job.worker_id);
        vn_meter_task_refused(a, task->task_type);
        refuse(a, task->job_id, task->task_type, text);
        return;
    }
    if (task->task_type == TASK_CONTRIBUTION) {
        take_contribution(a, task);
        return;
    }
    if (!a->job || strcmp(a->job->id, task->job_id) != 0) {
        snprintf(text, sizeof text, "Worker %.100s does not know job %.128s", a->config->job.worker_id, task->job_id);
        vn_meter_task_refused(a, task->task_type);
        refuse(a, task->job_id, task->task_type, text);
    } else if (task->task_type == TASK_PROVE)
        take_prove(a, task);
    else if (task->task_type == TASK_AGGREGATE)
        take_aggregate(a, task);
    else
        fail_job(a, task->task_type, "The task is of a kind this worker does not know");
}

/* ---- hints ---- */

void vn_agent_take_hints(struct vn_agent *a, const stream_data *data)
{
    struct vn_error err = {0};
    char text[300];
    int start = data->stream_type == ZISK__DISTRIBUTED__API__V1__STREAM_TYPE__STREAM_TYPE_START;
    if (!a->job || strcmp(a->job->id, data->job_id) != 0) {
        snprintf(text, sizeof text, "Worker %.100s does not know job %.128s", a->config->job.worker_id, data->job_id);
        if (start) /* what follows it is dropped quietly */
            vn_agent_report(a, data->job_id, a->config->job.hints ? text : VN_JOB_NO_HINTS);
        return;
    }
    a->idle_since_ns = vn_clock_monotonic_ns();
    if (vn_job_take_hints(a->job, data, &err) != VN_OK) {
        fail_job(a, vn_job_task(a->job), err.text);
        return;
    }
    if (a->job->stage == VN_JOB_HINTS)
        return;
    VN_LOG(VN_LOG_INFO, "hints.complete", "job=%s", a->job->id);
    go_on(a);
}

void vn_agent_connection_lost(struct vn_agent *a)
{
    if (a->job && a->job->stage == VN_JOB_HINTS)
        fail_job(a, TASK_CONTRIBUTION, "The connection was lost while hints were streamed");
}

/* ---- the engines ---- */

/* Gives pieces of the current job to the slots that are free, or answers. */
static void go_on(struct vn_agent *a)
{
    if (!a->job || a->job->stage == VN_JOB_HINTS)
        return;
    if (!vn_job_needs_engine(a->job)) {
        answer(a);
        return;
    }
    /* A piece that cannot be started ends the job. */
    for (unsigned i = 0; i < a->config->job.slots && a->job && !a->dying; i++) {
        struct vn_slot *slot = &a->slots[i];
        if (slot->engine.running || !vn_job_next_piece(a->job, &slot->piece))
            continue;
        slot->attempt = 0;
        start_piece(a, slot);
    }
}

static void piece_failed(struct vn_agent *a, struct vn_slot *slot, const struct vn_error *err)
{
    char text[600];
    slot->attempt++;
    if (vn_status_class(err->status) == VN_CLASS_BAD_INPUT || slot->attempt >= MAX_ATTEMPTS) {
        fail_job(a, vn_job_task(a->job), err->text);
        return;
    }
    VN_LOG(VN_LOG_WARN, "engine.retry", "job=%s piece=%s status=%s reason=\"%s\"", a->job->id, vn_piece_name(&slot->piece), vn_status_name(err->status),
           vn_agent_plain(text, sizeof text, err->text));
    vn_job_clear_piece(a->job, &slot->piece);
    vn_meter_engine_retried(a, &slot->piece);
    start_piece(a, slot);
}

struct start {
    const struct vn_agent *agent;
    struct vn_slot *slot;
};

static enum vn_status use_request(void *ctx, const engine_request *request, struct vn_error *err)
{
    const struct start *start = ctx;
    return vn_engine_start(&start->slot->engine, start->agent->config->engine, start->agent->job->dir.fd, request, err);
}

static unsigned index_of(const struct vn_agent *a, const struct vn_slot *slot) { return (unsigned)(slot - a->slots); }

static int watch_engine(struct vn_agent *a, struct vn_slot *slot)
{
    slot->polls_write = vn_engine_wants_write(&slot->engine);
    return vn_agent_watch(a, slot->engine.socket, slot->polls_write ? EPOLLIN | EPOLLOUT : EPOLLIN, VN_WATCH_ENGINE_SOCKET, index_of(a, slot));
}

static void start_piece(struct vn_agent *a, struct vn_slot *slot)
{
    struct vn_error err = {0};
    struct start start = {a, slot};
    slot->broke_protocol = 0;
    slot->done = 0;
    slot->kill_at_ns = slot->linger_until_ns = VN_NEVER;
    if (vn_job_with_request(a->job, &slot->piece, use_request, &start, &err) != VN_OK) {
        piece_failed(a, slot, &err);
        return;
    }
    a->n_running++;
    vn_meter_engine_started(a, slot);
    VN_LOG(VN_LOG_DEBUG, "engine.started", "job=%s piece=%s slot=%u pid=%ld", a->job->id, vn_piece_name(&slot->piece), index_of(a, slot),
           (long)slot->engine.child.pid);
    if (!watch_engine(a, slot) || !vn_agent_watch(a, slot->engine.child.pidfd, EPOLLIN, VN_WATCH_ENGINE_END, index_of(a, slot))) {
        int exit_code;
        vn_engine_signal(&slot->engine, SIGKILL);
        (void)!vn_engine_reap(&slot->engine, &exit_code); /* short: it has just been killed */
        a->n_running--;
        vn_meter_engine_ended(a, slot, NULL, 1);
        vn_fail(&err, VN_ERR_IO, "The engine cannot be watched");
        piece_failed(a, slot, &err);
    }
}

static void take_progress(struct vn_agent *a, struct vn_slot *slot, const Venus__Engine__V1__Progress *p)
{
    if (!a->job || a->dying)
        return;
    slot->done = p->done < slot->piece.count ? p->done : slot->piece.count;
    if (vn_clock_monotonic_ns() < a->last_progress_ns + PROGRESS_INTERVAL_NS)
        return;
    if (a->job->stage == VN_JOB_EXECUTE)
        send_progress(a, 0, 0, p->steps);
    else if (a->job->stage == VN_JOB_AGGREGATE)
        send_progress(a, p->done < p->total ? p->done : p->total, p->total, a->job->steps);
    else
        stage_progress(a);
}

void vn_agent_engine_socket(struct vn_agent *a, unsigned index)
{
    struct vn_slot *slot = &a->slots[index];
    struct vn_engine *e = &slot->engine;
    if (!e->running || e->socket < 0)
        return;
    enum vn_status s = vn_engine_write(e);
    (void)s; /* a closed socket shows in reading, where a last word may still wait */
    engine_event *event;
    while ((s = vn_engine_read(e, &event)) == VN_OK) {
        if (event->event_case == VENUS__ENGINE__V1__EVENT__EVENT_PROGRESS && !slot->last_word) {
            take_progress(a, slot, event->progress);
            venus__engine__v1__event__free_unpacked(event, NULL);
        } else if ((event->event_case == VENUS__ENGINE__V1__EVENT__EVENT_RESULT || event->event_case == VENUS__ENGINE__V1__EVENT__EVENT_FAILURE) &&
                   !slot->last_word) {
            slot->last_word = event;
            slot->linger_until_ns = vn_clock_monotonic_ns() + LINGER_NS;
        } else {
            venus__engine__v1__event__free_unpacked(event, NULL);
            s = VN_ERR_PEER;
            break;
        }
    }
    if (s == VN_ERR_BUSY) {
        if (vn_engine_wants_write(e) != slot->polls_write)
            watch_engine(a, slot);
        return;
    }
    vn_engine_close_socket(e);
    if (s != VN_ERR_NOT_FOUND) {
        slot->broke_protocol = 1;
        slot->kill_at_ns = 0;
    } else if (!slot->last_word && slot->linger_until_ns == VN_NEVER)
        slot->linger_until_ns = vn_clock_monotonic_ns() + LINGER_NS;
}

/* word: Failure or NULL. */
static void describe_end(const struct vn_slot *slot, const engine_event *word, int exit_code, struct vn_error *err)
{
    if (word && word->event_case == VENUS__ENGINE__V1__EVENT__EVENT_FAILURE) {
        const Venus__Engine__V1__Failure *f = word->failure;
        enum vn_status s = f->status > VN_OK && f->status < VN_STATUS_COUNT ? (enum vn_status)f->status : VN_ERR_INTERNAL;
        vn_fail(err, s, "%s", f->text[0] ? f->text : vn_status_text(s));
    } else if (slot->broke_protocol && (exit_code == 0 || exit_code == 128 + SIGKILL))
        vn_fail(err, VN_ERR_PEER, "The engine sent something that is not its protocol");
    else
        vn_engine_exit_error(exit_code, err);
}

static void piece_ended(struct vn_agent *a, struct vn_slot *slot, const engine_event *word, int exit_code)
{
    struct vn_error err = {0};
    if (!word || word->event_case != VENUS__ENGINE__V1__EVENT__EVENT_RESULT || slot->broke_protocol) {
        describe_end(slot, word, exit_code, &err);
        piece_failed(a, slot, &err);
        return;
    }
    if (exit_code != 0)
        VN_LOG(VN_LOG_WARN, "engine.exit", "job=%s exit=%d reason=\"ended badly after its result\"", a->job->id, exit_code);
    if (vn_job_piece_done(a->job, &slot->piece, word->result, &err) != VN_OK) {
        piece_failed(a, slot, &err);
        return;
    }
    vn_meter_piece_done(a, &slot->piece, word->result);
    if (a->job->stage != VN_JOB_DONE)
        stage_progress(a);
    go_on(a);
}

void vn_agent_engine_ended(struct vn_agent *a, unsigned index)
{
    struct vn_slot *slot = &a->slots[index];
    if (!slot->engine.running)
        return;
    vn_agent_engine_socket(a, index); /* what it said last */
    engine_event *word = slot->last_word;
    slot->last_word = NULL;
    int exit_code = 0;
    long pid = (long)slot->engine.child.pid;
    if (vn_engine_reap(&slot->engine, &exit_code) != VN_OK)
        exit_code = vn_status_exit_code(VN_ERR_IO);
    a->n_running--;
    vn_meter_engine_ended(a, slot, word, !a->dying);
    slot->kill_at_ns = slot->linger_until_ns = VN_NEVER;
    VN_LOG(VN_LOG_DEBUG, "engine.ended", "pid=%ld exit=%d", pid, exit_code);
    if (a->dying) {
        if (a->n_running == 0) {
            vn_job_free(&a->dying);
            vn_meter_jobs(a);
            if (a->job && vn_job_needs_engine(a->job))
                go_on(a);
        }
    } else if (a->job)
        piece_ended(a, slot, word, exit_code);
    if (word)
        venus__engine__v1__event__free_unpacked(word, NULL);
}

void vn_agent_no_patience(struct vn_agent *a)
{
    for (unsigned i = 0; i < a->config->job.slots; i++)
        if (a->slots[i].engine.running)
            a->slots[i].kill_at_ns = 0;
}

/* ---- timers ---- */

static int waits_for_coordinator(const struct vn_agent *a) { return a->job && !vn_job_needs_engine(a->job); }

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t vn_agent_work_deadline(const struct vn_agent *a)
{
    uint64_t at = VN_NEVER;
    for (unsigned i = 0; i < a->config->job.slots; i++)
        at = earlier(at, earlier(a->slots[i].kill_at_ns, a->slots[i].linger_until_ns));
    return waits_for_coordinator(a) ? earlier(at, a->idle_since_ns + IDLE_JOB_NS) : at;
}

void vn_agent_work_timers(struct vn_agent *a, uint64_t now)
{
    for (unsigned i = 0; i < a->config->job.slots; i++) {
        struct vn_slot *slot = &a->slots[i];
        if (!slot->engine.running || (now < slot->kill_at_ns && now < slot->linger_until_ns))
            continue;
        VN_LOG(VN_LOG_WARN, "engine.killed", "pid=%ld", (long)slot->engine.child.pid);
        vn_engine_signal(&slot->engine, SIGKILL);
        slot->kill_at_ns = slot->linger_until_ns = VN_NEVER;
    }
    if (waits_for_coordinator(a) && now >= a->idle_since_ns + IDLE_JOB_NS) {
        VN_LOG(VN_LOG_WARN, "job.abandoned", "job=%s reason=\"the coordinator did not go on with it\"", a->job->id);
        vn_agent_drop_job(a);
    }
}
