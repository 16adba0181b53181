/* What the outside learns without asking: metrics and the webhook. Counters move with what they count; the gauges are taken from the core's lists with
 * every tick, so they lag behind by a tenth of a second at most. */
#include "services/scheduler/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libshared/log.h"
#include "services/scheduler/scheduler_metrics.h"

enum {
    STOP_GRACE_MS = 3000, /* for notifications still on their way when the scheduler stops */
    MAX_SECRET = 1024,
};

#define SECONDS(ns) ((double)(ns) / 1e9)

/* ---- metrics ---- */

void vn_report_bus(struct vn_scheduler *s, int out, size_t bytes)
{
    unsigned direction = out ? VN_DIRECTION_OUT : VN_DIRECTION_IN;
    vn_metrics_add(s->metrics, vn_metric1(VN_SM_BUS_MESSAGES, direction), 1);
    vn_metrics_add(s->metrics, vn_metric1(VN_SM_BUS_BYTES, direction), bytes);
}

void vn_report_refused(struct vn_scheduler *s, enum vn_status status)
{
    unsigned why = status == VN_ERR_CAPACITY ? VN_METRIC_REFUSED_CAPACITY
                   : vn_status_class(status) == VN_CLASS_BAD_INPUT ? VN_METRIC_REFUSED_REQUEST : VN_METRIC_REFUSED_OTHER;
    vn_metrics_add(s->metrics, vn_metric1(VN_SM_LAUNCHES_REFUSED, why), 1);
}

void vn_report_dispatch(struct vn_scheduler *s, uint64_t ns) { vn_metrics_observe(s->metrics, vn_metric(VN_SM_DISPATCH_SECONDS), SECONDS(ns)); }

void vn_report_verifier(struct vn_scheduler *s, enum vn_verifier_end end)
{
    static const unsigned outcomes[] = {[VN_VERIFIER_OK] = VN_OUTCOME_OK, [VN_VERIFIER_FAILED] = VN_OUTCOME_FAILED, [VN_VERIFIER_CRASHED] = VN_OUTCOME_CRASHED,
                                        [VN_VERIFIER_CANCELLED] = VN_OUTCOME_CANCELLED};
    vn_metrics_add(s->metrics, vn_metric2(VN_SM_ENGINE_OUTCOMES, VN_METRIC_PIECE_VERIFY, outcomes[end]), 1);
}

void vn_report_gauges(struct vn_scheduler *s)
{
    if (!s->metrics)
        return;
    static const unsigned columns[] = {[VN_JOB_WAITING] = VN_METRIC_JOB_QUEUED,      [VN_JOB_QUEUED] = VN_METRIC_JOB_QUEUED, [VN_JOB_RUNNING] = VN_METRIC_JOB_RUNNING,
                                       [VN_JOB_COMPLETED] = VN_METRIC_JOB_COMPLETED, [VN_JOB_FAILED] = VN_METRIC_JOB_FAILED, [VN_JOB_CANCELLED] = VN_METRIC_JOB_CANCELLED};
    int64_t jobs[VN_METRIC_JOB_STATES] = {0}, workers[VN_METRIC_WORKER_STATES] = {0}, units[VN_METRIC_UNITS] = {0};
    for (const struct vn_job *j = vn_core_jobs(s->core); j; j = j->next)
        jobs[columns[j->state]]++;
    for (const struct vn_worker *w = vn_core_workers(s->core); w; w = w->next) {
        workers[w->link == 0 ? VN_METRIC_WORKER_DISCONNECTED : w->drained ? VN_METRIC_WORKER_DRAINING : w->job ? VN_METRIC_WORKER_COMPUTING : VN_METRIC_WORKER_IDLE]++;
        if (w->link != 0)
            units[vn_worker_is_idle(w) ? VN_METRIC_UNITS_IDLE : VN_METRIC_UNITS_RESERVED] += w->units;
    }
    for (unsigned i = 0; i < VN_METRIC_JOB_STATES; i++)
        vn_metrics_set(s->metrics, vn_metric1(VN_SM_JOBS, i), jobs[i]);
    vn_metrics_set(s->metrics, vn_metric(VN_SM_QUEUE_DEPTH), jobs[VN_METRIC_JOB_QUEUED]);
    for (unsigned i = 0; i < VN_METRIC_WORKER_STATES; i++)
        vn_metrics_set(s->metrics, vn_metric1(VN_SM_WORKERS, i), workers[i]);
    for (unsigned i = 0; i < VN_METRIC_UNITS; i++)
        vn_metrics_set(s->metrics, vn_metric1(VN_SM_COMPUTE_UNITS, i), units[i]);
}

static void count_end(struct vn_scheduler *s, const struct vn_job *j)
{
    unsigned end = j->state == VN_JOB_COMPLETED ? VN_METRIC_END_COMPLETED : j->state == VN_JOB_FAILED ? VN_METRIC_END_FAILED : VN_METRIC_END_CANCELLED;
    vn_metrics_add(s->metrics, vn_metric1(VN_SM_JOBS_ENDED, end), 1);
    vn_metrics_observe(s->metrics, vn_metric1(VN_SM_JOB_SECONDS, end), SECONDS(j->ended_ns - j->created_ns));
    for (unsigned i = 0; i < VN_JOB_PHASES; i++)
        if (j->phase_ns[i] > 0)
            vn_metrics_observe(s->metrics, vn_metric1(VN_SM_JOB_PHASE_SECONDS, i), SECONDS(j->phase_ns[i]));
    if (j->state == VN_JOB_FAILED)
        vn_metrics_add(s->metrics, vn_metric1(VN_SM_JOB_FAILURES, (unsigned)j->failure - VN_FAILURE_TIMEOUT), 1);
    if (j->proof && j->state == VN_JOB_COMPLETED) {
        vn_metrics_observe(s->metrics, vn_metric(VN_SM_PROOF_BYTES), (double)j->proof_len);
        vn_metrics_add(s->metrics, vn_metric(VN_SM_PROVEN_STEPS), j->values[2]);
    }
}

static enum vn_status open_metrics(struct vn_scheduler *s, struct vn_error *err)
{
    if (s->config.metrics_port == 0)
        return VN_OK;
    enum vn_status st = vn_metrics_new(&s->metrics, vn_scheduler_metrics, VN_SM_COUNT, err);
    if (st != VN_OK)
        return st;
    vn_metrics_set(s->metrics, vn_metric(VN_SM_START_TIME), (int64_t)(s->started_wall_ns / 1000000000u));
    vn_report_gauges(s);
    return vn_metrics_serve(&s->metrics_server, s->metrics, s->config.metrics_host, (uint16_t)s->config.metrics_port, err);
}

/* ---- the webhook ---- */

static const char *code_of(const struct vn_job *j)
{
    switch (j->failure) {
    case VN_FAILURE_TIMEOUT:
        return "TIMEOUT";
    case VN_FAILURE_INPUT:
        return "INPUT_ERROR";
    case VN_FAILURE_EXECUTION:
        return "WORKER_FAILURE";
    default:
        return j->failed_worker[0] ? "WORKER_FAILURE" : "INTERNAL_ERROR";
    }
}

static void notify(struct vn_scheduler *s, const struct vn_job *j)
{
    char message[sizeof j->reason + VN_MAX_ID + 64];
    if (j->failed_worker[0] && strncmp(j->reason, "Worker ", 7) != 0)
        snprintf(message, sizeof message, "Worker %s failed during proof generation: %s", j->failed_worker, j->reason);
    else
        snprintf(message, sizeof message, "%s", j->reason);
    struct vn_webhook_event e = {.job_id = j->id, .success = j->state == VN_JOB_COMPLETED, .duration_ms = (j->ended_ns - j->started_ns) / 1000000u,
                                 .ended_wall_ns = j->ended_wall_ns};
    if (e.success) {
        e.proof = j->proof;
        e.proof_len = j->proof_len;
    } else {
        e.error_code = code_of(j);
        e.error_message = message;
    }
    struct vn_error err;
    enum vn_status st = vn_webhook_post(s->webhook, &e, &err);
    if (st == VN_OK)
        return;
    VN_LOG(VN_LOG_ERROR, "webhook.dropped", "job=%s why=\"%s\"", j->id, err.text);
    vn_metrics_add(s->metrics, vn_metric1(VN_SM_WEBHOOK, VN_WEBHOOK_DROPPED), 1);
}

static void collect(struct vn_scheduler *s)
{
    struct vn_webhook_result r;
    while (vn_webhook_next(s->webhook, &r) == VN_OK) {
        vn_webhook_log(&r);
        if (r.final)
            vn_metrics_add(s->metrics, vn_metric1(VN_SM_WEBHOOK, (unsigned)r.outcome), 1);
    }
}

static int on_webhook(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void)loop;
    (void)item;
    collect(arg);
    return 0;
}

/* The file's bytes without the line end. */
static enum vn_status read_secret(const char *path, char *secret, struct vn_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, secret, MAX_SECRET + 1) : -1;
    int code = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return vn_fail(err, VN_ERR_IO, "--webhook-secret-file: cannot read %.300s: %s", path, strerror(code));
    while (n > 0 && (secret[n - 1] == '\n' || secret[n - 1] == '\r'))
        n--;
    if (n == 0 || n > MAX_SECRET || memchr(secret, 0, (size_t)n))
        return vn_fail(err, VN_ERR_ARGUMENT, "--webhook-secret-file: %.300s must hold 1 to %d bytes without zero bytes", path, MAX_SECRET);
    secret[n] = 0;
    return VN_OK;
}

static enum vn_status open_webhook(struct vn_scheduler *s, struct vn_error *err)
{
    char secret[MAX_SECRET + 2];
    if (!s->config.webhook_url)
        return VN_OK;
    struct vn_webhook_config c = {.url = s->config.webhook_url, .timeout_ms = s->config.webhook_timeout * 1000, .retries = s->config.webhook_retries,
                                  .backoff_ms = s->config.webhook_backoff * 1000};
    if (s->config.webhook_secret_file) {
        enum vn_status st = read_secret(s->config.webhook_secret_file, secret, err);
        if (st != VN_OK)
            return st;
        c.secret = secret;
    }
    enum vn_status st = vn_webhook_start(&s->webhook, &c, err);
    explicit_bzero(secret, sizeof secret);
    return st;
}

/* ---- both ---- */

void vn_report_end(struct vn_scheduler *s, const struct vn_job *j)
{
    count_end(s, j);
    if (s->webhook && j->state != VN_JOB_CANCELLED && !j->simulated)
        notify(s, j);
}

enum vn_status vn_report_open(struct vn_scheduler *s, struct vn_error *err)
{
    enum vn_status st = open_metrics(s, err);
    return st == VN_OK ? open_webhook(s, err) : st;
}

enum vn_status vn_report_attach(struct vn_scheduler *s, struct vn_error *err)
{
    if (!s->webhook)
        return VN_OK;
    zmq_pollitem_t item = {.fd = vn_webhook_fd(s->webhook), .events = ZMQ_POLLIN};
    return zloop_poller(s->loop, &item, on_webhook, s) == 0 ? VN_OK : vn_fail(err, VN_ERR_MEMORY, "no memory for the webhook");
}

void vn_report_close(struct vn_scheduler *s)
{
    if (s->webhook) {
        vn_webhook_stop(s->webhook, STOP_GRACE_MS);
        collect(s);
    }
    vn_webhook_free(s->webhook);
    vn_metrics_stop(s->metrics_server);
    vn_metrics_free(s->metrics);
}
