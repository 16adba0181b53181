/* Tasks and the engine. A job's engine pieces run one after the other; a piece ends when its process has ended, so that nothing of it
 * can touch the job's directory any more, and only then is its last word (Result or Failure) acted on. A job that is given up while its
 * engine works moves to `dying` until the process is gone; a job that came meanwhile starts then. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "libshared/log.h"
#include "libshared/process.h"
#include "services/worker-agent/agent_state.h"

#define TERM_GRACE_NS (2 * VN_SECOND_NS)
#define LINGER_NS (5 * VN_SECOND_NS)          /* from an engine's last word to its end */
#define IDLE_JOB_NS (3600 * VN_SECOND_NS)     /* a job whose coordinator never came back */
#define PROGRESS_INTERVAL_NS (VN_SECOND_NS / 4)
#define MAX_ATTEMPTS 2u

static void go_on(struct vn_agent *a);
static void start_piece(struct vn_agent *a);

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
    if (a->engine.running && !a->dying) {
        a->dying = a->job;
        a->job = NULL;
        vn_engine_signal(&a->engine, SIGTERM);
        a->kill_at_ns = vn_clock_monotonic_ns() + TERM_GRACE_NS;
        return;
    }
    vn_job_free(&a->job);
}

static void fail_job(struct vn_agent *a, task_type type, const char *text)
{
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
    if (job->stage == VN_JOB_CONTRIBUTED)
        send_progress(a, (uint32_t)job->n_owned_shards, (uint32_t)job->n_owned_shards, job->steps);
    else
        send_progress(a, (uint32_t)job->n_proved, (uint32_t)job->n_owned_shards, job->steps);
}

/* ---- tasks ---- */

static void take_contribution(struct vn_agent *a, const task_request *task)
{
    struct vn_error err = {0};
    if (a->job && strcmp(a->job->id, task->job_id) == 0) {
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
    double now = (double)vn_clock_wall_ns() / 1e9;
    if (vn_job_open(&a->job, &a->config->job, task, now, &err) != VN_OK) {
        refuse(a, task->job_id, TASK_CONTRIBUTION, err.text);
        return;
    }
    VN_LOG(VN_LOG_INFO, "job.started", "job=%s rank=%u units=%zu/%u directory=%s", a->job->id, a->job->rank, a->job->n_owned_units, a->job->units,
           a->job->dir.path);
    go_on(a);
}

static void take_prove(struct vn_agent *a, const task_request *task)
{
    struct vn_error err = {0};
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
    if (task->params_case != ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__PARAMS_AGG_PARAMS || !task->agg_params) {
        fail_job(a, TASK_AGGREGATE, "AGGREGATE without agg_params");
        return;
    }
    if (task->agg_params->compressed)
        VN_LOG(VN_LOG_WARN, "option.ignored", "job=%s option=compressed reason=\"has no effect in this version\"", a->job->id);
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
    else
        vn_agent_post(a, bytes, len, 0);
    a->idle_since_ns = vn_clock_monotonic_ns();
}

void vn_agent_take_task(struct vn_agent *a, const task_request *task)
{
    char text[400];
    if (strcmp(task->worker_id, a->config->job.worker_id) != 0) {
        snprintf(text, sizeof text, "The task is for worker %.100s, this is worker %.100s", task->worker_id, a->config->job.worker_id);
        refuse(a, task->job_id, task->task_type, text);
        return;
    }
    if (task->task_type == TASK_CONTRIBUTION) {
        take_contribution(a, task);
        return;
    }
    if (!a->job || strcmp(a->job->id, task->job_id) != 0) {
        snprintf(text, sizeof text, "Worker %.100s does not know job %.128s", a->config->job.worker_id, task->job_id);
        refuse(a, task->job_id, task->task_type, text);
    } else if (task->task_type == TASK_PROVE)
        take_prove(a, task);
    else if (task->task_type == TASK_AGGREGATE)
        take_aggregate(a, task);
    else
        fail_job(a, task->task_type, "The task is of a kind this worker does not know");
}

/* ---- the engine ---- */

/* The next piece of the current job, or its answer. */
static void go_on(struct vn_agent *a)
{
    if (!a->job)
        return;
    if (!vn_job_needs_engine(a->job)) {
        answer(a);
        return;
    }
    a->attempt = 0;
    if (!a->engine.running)
        start_piece(a);
}

static void piece_failed(struct vn_agent *a, const struct vn_error *err)
{
    char text[600];
    a->attempt++;
    if (vn_status_class(err->status) == VN_CLASS_BAD_INPUT || a->attempt >= MAX_ATTEMPTS) {
        fail_job(a, vn_job_task(a->job), err->text);
        return;
    }
    VN_LOG(VN_LOG_WARN, "engine.retry", "job=%s stage=%s status=%s reason=\"%s\"", a->job->id, vn_job_stage_name(a->job), vn_status_name(err->status),
           vn_agent_plain(text, sizeof text, err->text));
    vn_job_clear_piece(a->job);
    start_piece(a);
}

static enum vn_status use_request(void *ctx, const engine_request *request, struct vn_error *err)
{
    struct vn_agent *a = ctx;
    return vn_engine_start(&a->engine, a->config->engine, a->job->dir.fd, request, err);
}

static int watch_engine(struct vn_agent *a)
{
    a->engine_polls_write = vn_engine_wants_write(&a->engine);
    return vn_agent_watch(a, a->engine.socket, a->engine_polls_write ? EPOLLIN | EPOLLOUT : EPOLLIN, VN_WATCH_ENGINE_SOCKET);
}

static void start_piece(struct vn_agent *a)
{
    struct vn_error err = {0};
    a->engine_broke_protocol = 0;
    a->kill_at_ns = a->linger_until_ns = VN_NEVER;
    if (vn_job_with_request(a->job, use_request, a, &err) != VN_OK) {
        piece_failed(a, &err);
        return;
    }
    VN_LOG(VN_LOG_DEBUG, "engine.started", "job=%s stage=%s pid=%ld", a->job->id, vn_job_stage_name(a->job), (long)a->engine.child.pid);
    if (!watch_engine(a) || !vn_agent_watch(a, a->engine.child.pidfd, EPOLLIN, VN_WATCH_ENGINE_END)) {
        int exit_code;
        vn_engine_signal(&a->engine, SIGKILL);
        (void)!vn_engine_reap(&a->engine, &exit_code); /* short: it has just been killed */
        vn_fail(&err, VN_ERR_IO, "The engine cannot be watched");
        piece_failed(a, &err);
    }
}

static void take_progress(struct vn_agent *a, const Venus__Engine__V1__Progress *p)
{
    if (!a->job || a->dying || vn_clock_monotonic_ns() < a->last_progress_ns + PROGRESS_INTERVAL_NS)
        return;
    uint32_t owned = (uint32_t)a->job->n_owned_shards;
    switch (a->job->stage) {
    case VN_JOB_EXECUTE: send_progress(a, 0, 0, p->steps); break;
    case VN_JOB_CONTRIBUTE: send_progress(a, p->done < owned ? p->done : owned, owned, a->job->steps); break;
    case VN_JOB_PROVE: stage_progress(a); break;
    default: send_progress(a, p->done < p->total ? p->done : p->total, p->total, a->job->steps); break;
    }
}

void vn_agent_engine_socket(struct vn_agent *a)
{
    struct vn_engine *e = &a->engine;
    if (!e->running || e->socket < 0)
        return;
    enum vn_status s = vn_engine_write(e);
    (void)s; /* a closed socket shows in reading, where a last word may still wait */
    engine_event *event;
    while ((s = vn_engine_read(e, &event)) == VN_OK) {
        if (event->event_case == VENUS__ENGINE__V1__EVENT__EVENT_PROGRESS && !a->last_word) {
            take_progress(a, event->progress);
            venus__engine__v1__event__free_unpacked(event, NULL);
        } else if ((event->event_case == VENUS__ENGINE__V1__EVENT__EVENT_RESULT || event->event_case == VENUS__ENGINE__V1__EVENT__EVENT_FAILURE) &&
                   !a->last_word) {
            a->last_word = event;
            a->linger_until_ns = vn_clock_monotonic_ns() + LINGER_NS;
        } else {
            venus__engine__v1__event__free_unpacked(event, NULL);
            s = VN_ERR_PEER;
            break;
        }
    }
    if (s == VN_ERR_BUSY) {
        if (vn_engine_wants_write(e) != a->engine_polls_write)
            watch_engine(a);
        return;
    }
    vn_engine_close_socket(e);
    if (s != VN_ERR_NOT_FOUND) {
        a->engine_broke_protocol = 1;
        a->kill_at_ns = 0;
    } else if (!a->last_word && a->linger_until_ns == VN_NEVER)
        a->linger_until_ns = vn_clock_monotonic_ns() + LINGER_NS;
}

/* word: Failure or NULL. */
static void describe_end(const struct vn_agent *a, const engine_event *word, int exit_code, struct vn_error *err)
{
    if (word && word->event_case == VENUS__ENGINE__V1__EVENT__EVENT_FAILURE) {
        const Venus__Engine__V1__Failure *f = word->failure;
        enum vn_status s = f->status > VN_OK && f->status < VN_STATUS_COUNT ? (enum vn_status)f->status : VN_ERR_INTERNAL;
        vn_fail(err, s, "%s", f->text[0] ? f->text : vn_status_text(s));
    } else if (a->engine_broke_protocol && (exit_code == 0 || exit_code == 128 + SIGKILL))
        vn_fail(err, VN_ERR_PEER, "The engine sent something that is not its protocol");
    else
        vn_engine_exit_error(exit_code, err);
}

static void piece_ended(struct vn_agent *a, const engine_event *word, int exit_code)
{
    struct vn_error err = {0};
    if (!word || word->event_case != VENUS__ENGINE__V1__EVENT__EVENT_RESULT || a->engine_broke_protocol) {
        describe_end(a, word, exit_code, &err);
        piece_failed(a, &err);
        return;
    }
    if (exit_code != 0)
        VN_LOG(VN_LOG_WARN, "engine.exit", "job=%s exit=%d reason=\"ended badly after its result\"", a->job->id, exit_code);
    if (vn_job_piece_done(a->job, word->result, &err) != VN_OK) {
        piece_failed(a, &err);
        return;
    }
    if (a->job->stage != VN_JOB_DONE)
        stage_progress(a);
    go_on(a);
}

void vn_agent_engine_ended(struct vn_agent *a)
{
    if (!a->engine.running)
        return;
    vn_agent_engine_socket(a); /* what it said last */
    engine_event *word = a->last_word;
    a->last_word = NULL;
    int exit_code = 0;
    long pid = (long)a->engine.child.pid;
    if (vn_engine_reap(&a->engine, &exit_code) != VN_OK)
        exit_code = vn_status_exit_code(VN_ERR_IO);
    a->kill_at_ns = a->linger_until_ns = VN_NEVER;
    VN_LOG(VN_LOG_DEBUG, "engine.ended", "pid=%ld exit=%d", pid, exit_code);
    if (a->dying) {
        vn_job_free(&a->dying);
        if (a->job && vn_job_needs_engine(a->job))
            start_piece(a);
    } else if (a->job)
        piece_ended(a, word, exit_code);
    if (word)
        venus__engine__v1__event__free_unpacked(word, NULL);
}

/* ---- timers ---- */

static int waits_for_coordinator(const struct vn_agent *a) { return a->job && !vn_job_needs_engine(a->job); }

uint64_t vn_agent_work_deadline(const struct vn_agent *a)
{
    uint64_t at = a->kill_at_ns < a->linger_until_ns ? a->kill_at_ns : a->linger_until_ns;
    if (waits_for_coordinator(a) && a->idle_since_ns + IDLE_JOB_NS < at)
        at = a->idle_since_ns + IDLE_JOB_NS;
    return at;
}

void vn_agent_work_timers(struct vn_agent *a, uint64_t now)
{
    if (a->engine.running && (now >= a->kill_at_ns || now >= a->linger_until_ns)) {
        VN_LOG(VN_LOG_WARN, "engine.killed", "pid=%ld", (long)a->engine.child.pid);
        vn_engine_signal(&a->engine, SIGKILL);
        a->kill_at_ns = a->linger_until_ns = VN_NEVER;
    }
    if (waits_for_coordinator(a) && now >= a->idle_since_ns + IDLE_JOB_NS) {
        VN_LOG(VN_LOG_WARN, "job.abandoned", "job=%s reason=\"the coordinator did not go on with it\"", a->job->id);
        vn_agent_drop_job(a);
    }
}
