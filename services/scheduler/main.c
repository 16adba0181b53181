/* venus-scheduler: one zloop with the bus, a signal descriptor, a timer and the children that verify proofs. Everything becomes an event of the core;
 * its actions are carried out at once, and what they bring about (peers found gone, checks that could not start) is fed back when things settle. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bus.pb-c.h"
#include "libshared/config.h"
#include "libshared/log.h"
#include "services/scheduler/hints.h"
#include "services/scheduler/programs.h"
#include "services/scheduler/report.h"
#include "services/scheduler/scheduler.h"

enum {
    BATCH = 256, /* messages handled before timers and children get their turn */
    HEARTBEAT_S = 10,
    SILENCE_S = 30,
    FORGET_S = 600,
    INPUT_S = 300, /* between two pieces of a job's input */
    KEEP_JOBS = 1000,
    KEEP_PROOFS = 16,
    FIRST_INHERITED_FD = 3,
};

#define SECOND UINT64_C(1000000000)
#define AT(field) offsetof(struct vn_scheduler_config, field)

static const struct vn_config_item items[] = {
    {.flag = "bus", .type = VN_CONFIG_LIST, .offset = AT(bus), .value_name = "ENDPOINT", .help = "bind the bus here: ipc://PATH or tcp://HOST:PORT"},
    {.flag = "proofs-dir", .type = VN_CONFIG_STRING, .offset = AT(proofs_dir), .fallback = "proofs", .conflicts = "no-save-proofs", .value_name = "DIR",
     .help = "directory for proofs"},
    {.flag = "no-save-proofs", .type = VN_CONFIG_BOOL, .offset = AT(no_save_proofs), .help = "keep no proof files"},
    {.flag = "programs-dir", .type = VN_CONFIG_STRING, .offset = AT(programs_dir), .fallback = "programs", .value_name = "DIR",
     .help = "directory for registered programs"},
    {.flag = "elf", .type = VN_CONFIG_STRING, .offset = AT(elf), .value_name = "FILE",
     .help = "the program the workers were started with: proofs are verified to be of it; without it, of the key that the workers agree on"},
    {.flag = "compressed-proofs", .short_flag = 'c', .type = VN_CONFIG_BOOL, .offset = AT(compressed), .help = "ask workers for compressed proofs"},
    {.flag = "max-workers-per-job", .type = VN_CONFIG_NUMBER, .offset = AT(max_workers_per_job), .fallback = "10", .min = 1, .max = 10000, .value_name = "N",
     .help = "workers of one job at most"},
    {.flag = "max-total-workers", .type = VN_CONFIG_NUMBER, .offset = AT(max_total_workers), .fallback = "1000", .min = 1, .max = 10000, .value_name = "N",
     .help = "connected workers at most"},
    {.flag = "max-queued-jobs", .type = VN_CONFIG_NUMBER, .offset = AT(max_queued), .fallback = "100", .min = 0, .max = 10000, .value_name = "N",
     .help = "jobs that wait for workers at most; 0: none waits"},
    {.flag = "phase1-timeout", .type = VN_CONFIG_NUMBER, .offset = AT(phase1_timeout), .fallback = "300", .min = 1, .max = 604800, .value_name = "SECONDS",
     .help = "limit of the phase Contributions"},
    {.flag = "phase2-timeout", .type = VN_CONFIG_NUMBER, .offset = AT(phase2_timeout), .fallback = "600", .min = 1, .max = 604800, .value_name = "SECONDS",
     .help = "limit of the phases Prove and Aggregate, each"},
    {.flag = "service-name", .type = VN_CONFIG_STRING, .offset = AT(service_name), .fallback = "Venus Distributed Coordinator", .value_name = "NAME",
     .help = "name in StatusInfo"},
    {.flag = "engine", .type = VN_CONFIG_STRING, .offset = AT(engine), .value_name = "PATH", .help = "venus-engine, which verifies proofs; default: the one beside this program"},
    {.flag = "ready-fd", .type = VN_CONFIG_NUMBER, .offset = AT(ready_fd), .fallback = "0", .max = 1023, .value_name = "N",
     .help = "descriptor to write \"ready\" to once the bus is bound"},
    {.flag = "parent", .type = VN_CONFIG_NUMBER, .offset = AT(parent), .fallback = "0", .max = 1u << 30, .value_name = "PID", .help = "die with this parent process"},
    {.flag = "webhook-url", .type = VN_CONFIG_STRING, .offset = AT(webhook_url), .value_name = "URL",
     .help = "POST here when a job has ended; {$job_id} is replaced"},
    {.flag = "webhook-timeout", .type = VN_CONFIG_NUMBER, .offset = AT(webhook_timeout), .fallback = "10", .min = 1, .max = 600, .value_name = "SECONDS",
     .help = "limit of one attempt"},
    {.flag = "webhook-retries", .type = VN_CONFIG_NUMBER, .offset = AT(webhook_retries), .fallback = "0", .min = 0, .max = VN_WEBHOOK_MAX_RETRIES, .value_name = "N",
     .help = "attempts after the first, with growing pauses"},
    {.flag = "webhook-backoff", .type = VN_CONFIG_NUMBER, .offset = AT(webhook_backoff), .fallback = "1", .min = 1, .max = VN_WEBHOOK_MAX_BACKOFF_MS / 1000,
     .value_name = "SECONDS", .help = "pause before the first retry; doubles with each"},
    {.flag = "webhook-secret-file", .type = VN_CONFIG_STRING, .offset = AT(webhook_secret_file), .value_name = "FILE",
     .help = "sign notifications with the secret in this file"},
    {.flag = "metrics-host", .type = VN_CONFIG_STRING, .offset = AT(metrics_host), .fallback = "127.0.0.1", .value_name = "HOST", .help = "address for metrics"},
    {.flag = "metrics-port", .type = VN_CONFIG_NUMBER, .offset = AT(metrics_port), .fallback = "0", .min = 0, .max = 65535, .value_name = "PORT",
     .help = "serve metrics over HTTP on this port; 0: not at all"},
    {.flag = "log-level", .env = "RUST_LOG", .type = VN_CONFIG_STRING, .offset = AT(log_level), .fallback = "info", .value_name = "LEVEL",
     .help = "error, warn, info, debug or trace; single components as in info,job=debug"},
    {.flag = "log-format", .type = VN_CONFIG_STRING, .offset = AT(log_format), .fallback = "pretty", .choices = "pretty|json|compact", .value_name = "FORMAT",
     .help = "form of a log line"},
    {.flag = "log-file", .type = VN_CONFIG_STRING, .offset = AT(log_file), .value_name = "FILE", .help = "log to this file too"},
    {0},
};
static const struct vn_config_spec spec = {
    .program = "venus-scheduler",
    .usage = "venus-scheduler --bus ENDPOINT [--bus ENDPOINT] [options]",
    .about = "Owns the jobs and workers of a Venus cluster. Started by zisk-coordinator; also runs alone.",
    .items = items,
};

/* ---- the core ---- */

static void log_end(const struct vn_job *j)
{
    unsigned long long ms = (j->ended_ns - j->started_ns) / 1000000u;
    if (j->state == VN_JOB_COMPLETED)
        VN_LOG(VN_LOG_INFO, "job.completed", "job=%s ms=%llu steps=%llu shards=%u bytes=%zu", j->id, ms, (unsigned long long)j->values[2], j->n_shards, j->proof_len);
    else if (j->state == VN_JOB_FAILED)
        VN_LOG(VN_LOG_ERROR, "job.failed", "job=%s ms=%llu phase=%s reason=\"%s\"", j->id, ms, vn_phase_name(j->failed_phase), j->reason);
    else
        VN_LOG(VN_LOG_INFO, "job.cancelled", "job=%s ms=%llu", j->id, ms);
}

static void end_job(struct vn_scheduler *s, const struct vn_job *j)
{
    log_end(j);
    vn_report_end(s, j);
    vn_hints_end(s, j);
}

static void on_changed(struct vn_scheduler *s, const struct vn_action *a)
{
    if (!a->progress && !vn_job_is_live(a->job))
        end_job(s, a->job);
    else if (!a->progress && a->job->state == VN_JOB_RUNNING)
        VN_LOG(VN_LOG_INFO, "job.phase", "job=%s phase=%s shards=%u", a->job->id, vn_phase_name(a->job->phase), a->job->n_shards);
    vn_watch_changed(s, a->job, a->progress);
}

static void carry_out(struct vn_scheduler *s, const struct vn_action *a)
{
    switch (a->kind) {
    case VN_ACTION_LAUNCHED:
    case VN_ACTION_REFUSED:
        vn_launch_action(s, a);
        break;
    case VN_ACTION_CHANGED:
        on_changed(s, a);
        break;
    case VN_ACTION_STARTED:
        VN_LOG(VN_LOG_INFO, "job.started", "job=%s workers=%u units=%u waited_ms=%llu", a->job->id, a->job->n_members, a->job->job_units,
               (unsigned long long)((a->job->started_ns - a->job->created_ns) / 1000000u));
        if (a->job->hints_stream)
            vn_hints_start(s, a->job);
        break;
    case VN_ACTION_VERIFY:
        vn_proofs_verify(s, a->job);
        break;
    case VN_ACTION_SAVE:
        vn_proofs_save(s, a->job);
        break;
    case VN_ACTION_DISCARD:
        vn_proofs_discard(s, a->job);
        break;
    default:
        vn_stream_action(s, a);
        break;
    }
}

void vn_scheduler_step(struct vn_scheduler *s, const struct vn_event *e)
{
    const struct vn_action *actions;
    size_t n;
    enum vn_status st = vn_core_step(s->core, e, vn_clock_monotonic_ns(), vn_clock_wall_ns(), &actions, &n);
    if (st != VN_OK) {
        s->fatal = st;
        return;
    }
    for (size_t i = 0; i < n; i++)
        carry_out(s, &actions[i]);
}

void vn_scheduler_settle(struct vn_scheduler *s)
{
    while (s->fatal == VN_OK && (vn_peers_settle(s) || vn_streams_settle(s) || vn_proofs_settle(s) || vn_hints_settle(s) ||
                                  vn_programs_settle(s)))
        continue;
}

/* ---- the bus ---- */

static void welcome(struct vn_scheduler *s, const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    Venus__Bus__V1__Hello *hello = venus__bus__v1__hello__unpack(NULL, m->body_len, m->body);
    struct vn_peer *known = vn_peer_find(s, from);
    if (known) { /* it starts over */
        known->gone = 1;
        vn_scheduler_settle(s);
    }
    struct vn_peer *p = hello ? vn_peer_add(s, from, hello->role) : NULL;
    if (p) {
        Venus__Bus__V1__Welcome w = VENUS__BUS__V1__WELCOME__INIT;
        w.version = (char *)(uintptr_t)VN_VERSION;
        VN_LOG(VN_LOG_DEBUG, "peer.hello", "role=%d version=\"%.40s\"", hello->role, hello->version);
        vn_peer_send(s, p, VN_KIND_WELCOME, m->correlation, &w.base);
    } else {
        vn_stranger_error(s, from, m->correlation, hello ? "Too many peers on the bus" : "The Hello does not parse");
    }
    if (hello)
        venus__bus__v1__hello__free_unpacked(hello, NULL);
}

static void receive(struct vn_scheduler *s, const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    if (m->kind == VN_KIND_HELLO) {
        welcome(s, from, m);
        return;
    }
    struct vn_peer *p = vn_peer_find(s, from);
    if (p)
        vn_request(s, p, m);
    else if (m->kind != VN_KIND_ERROR)
        vn_stranger_error(s, from, m->correlation, "Say Hello first; the scheduler may have been restarted");
}

static int on_bus(zloop_t *loop, zsock_t *sock, void *arg)
{
    (void)loop;
    (void)sock;
    struct vn_scheduler *s = arg;
    for (int i = 0; i < BATCH && s->fatal == VN_OK; i++) {
        struct vn_bus_peer from;
        struct vn_bus_message m;
        if (vn_bus_server_recv(s->bus, &from, &m) != VN_OK)
            break;
        receive(s, &from, &m);
        vn_report_bus(s, 0, VN_BUS_HEADER_BYTES + m.body_len + m.bulk_len);
        vn_bus_message_fini(&m);
        vn_scheduler_settle(s);
    }
    return s->fatal != VN_OK ? -1 : 0;
}

static int on_timer(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    struct vn_scheduler *s = arg;
    vn_scheduler_step(s, &(struct vn_event){.kind = VN_EVENT_TICK});
    vn_peers_tick(s);
    vn_watch_tick(s);
    vn_hints_tick(s);
    vn_report_gauges(s);
    vn_scheduler_settle(s);
    return s->fatal != VN_OK ? -1 : 0;
}

/* ---- stopping ---- */

static void cancel_jobs(struct vn_scheduler *s)
{
    const struct vn_job *j = vn_core_jobs(s->core);
    while (j) {
        if (vn_job_is_live(j)) {
            char id[37];
            memcpy(id, j->id, sizeof id);
            vn_scheduler_step(s, &(struct vn_event){.kind = VN_EVENT_CANCEL, .job_id = id});
            j = vn_core_jobs(s->core); /* the step may have dropped old ones */
        } else {
            j = j->next;
        }
    }
}

/* The name of the log file may stand for a new file now. */
static void reopen_log(void)
{
    struct vn_error err;
    if (vn_log_reopen(&err) == VN_OK)
        VN_LOG(VN_LOG_INFO, "log.reopened", "why=SIGHUP");
    else
        VN_LOG(VN_LOG_ERROR, "log.not-reopened", "why=\"%s\"", err.text);
}

static int on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void)loop;
    struct vn_scheduler *s = arg;
    struct signalfd_siginfo info;
    if (read(item->fd, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    if (info.ssi_signo == SIGHUP) {
        reopen_log();
        return 0;
    }
    VN_LOG(VN_LOG_INFO, "scheduler.stopping", "signal=%u", info.ssi_signo);
    vn_process_notify("STOPPING=1");
    s->stopping = 1;
    cancel_jobs(s);
    vn_streams_shutdown(s);
    vn_scheduler_settle(s);
    return -1;
}

/* ---- start ---- */

static void tell_ready(struct vn_scheduler *s)
{
    if (s->config.ready_fd >= FIRST_INHERITED_FD) {
        int fd = (int)s->config.ready_fd;
        if (write(fd, "ready\n", 6) != 6)
            VN_LOG(VN_LOG_WARN, "ready.not-told", "fd=%d", fd);
        close(fd);
    }
    vn_process_notify("READY=1");
    VN_LOG(VN_LOG_INFO, "scheduler.ready", "bus=\"%s\"", vn_bus_server_endpoint(s->bus));
}

static enum vn_status find_engine(struct vn_scheduler *s, struct vn_error *err)
{
    if (s->config.engine) {
        if (snprintf(s->engine, sizeof s->engine, "%s", s->config.engine) >= (int)sizeof s->engine)
            return vn_fail(err, VN_ERR_LIMIT, "--engine: the path is too long");
    } else if (vn_process_sibling("venus-engine", s->engine, sizeof s->engine) != VN_OK) {
        return vn_fail(err, VN_ERR_IO, "cannot find the directory of this program");
    }
    if (access(s->engine, X_OK) != 0)
        return vn_fail(err, VN_ERR_NOT_FOUND, "%.300s, which verifies proofs, cannot be run: %s", s->engine, strerror(errno));
    if (s->config.elf && access(s->config.elf, R_OK) != 0)
        return vn_fail(err, VN_ERR_NOT_FOUND, "--elf: %.300s cannot be read: %s", s->config.elf, strerror(errno));
    return VN_OK;
}

static enum vn_status open_core(struct vn_scheduler *s)
{
    struct vn_core_config c = {
        .max_workers_per_job = (uint32_t)s->config.max_workers_per_job,
        .max_total_workers = (uint32_t)s->config.max_total_workers,
        .phase1_timeout_ns = s->config.phase1_timeout * SECOND,
        .phase2_timeout_ns = s->config.phase2_timeout * SECOND,
        .heartbeat_ns = HEARTBEAT_S * SECOND,
        .silence_ns = SILENCE_S * SECOND,
        .forget_ns = FORGET_S * SECOND,
        .input_ns = INPUT_S * SECOND,
        .max_queued = (uint32_t)s->config.max_queued,
        .keep_jobs = KEEP_JOBS,
        .keep_proofs = KEEP_PROOFS,
    };
    return vn_core_new(&s->core, &c);
}

static enum vn_status open_all(struct vn_scheduler *s, int signals, struct vn_error *err)
{
    if (!s->config.bus)
        return vn_fail(err, VN_ERR_ARGUMENT, "--bus is required");
    enum vn_status st = find_engine(s, err);
    if (st == VN_OK)
        st = vn_proofs_prepare(s, err);
    if (st == VN_OK && open_core(s) != VN_OK)
        st = vn_fail(err, VN_ERR_MEMORY, "no memory");
    if (st == VN_OK)
        st = vn_report_open(s, err);
    if (st == VN_OK)
        st = vn_bus_server_open(&s->bus, (const char *const *)s->config.bus, err);
    if (st != VN_OK)
        return st;
    s->loop = zloop_new();
    zmq_pollitem_t item = {.fd = signals, .events = ZMQ_POLLIN};
    if (!s->loop || zloop_reader(s->loop, vn_bus_server_zsock(s->bus), on_bus, s) != 0 || zloop_poller(s->loop, &item, on_signal, s) != 0 ||
        zloop_timer(s->loop, VN_TICK_MS, 0, on_timer, s) < 0)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the loop");
    return vn_report_attach(s, err);
}

static void close_all(struct vn_scheduler *s)
{
    vn_proofs_free(s);
    vn_hints_free(s);
    vn_watch_drop(s, NULL);
    while (s->links) {
        struct vn_link *l = s->links;
        s->links = l->next;
        vn_link_free(l);
    }
    vn_peers_free(s);
    zloop_destroy(&s->loop);
    vn_bus_server_close(s->bus); /* clients have heard everything before notifications are waited for */
    vn_report_close(s);
    vn_core_free(s->core);
}

static enum vn_status open_log(const struct vn_scheduler_config *c, struct vn_error *err)
{
    enum vn_log_level level;
    enum vn_log_format format;
    if (!vn_log_level_parse(c->log_level, &level))
        return vn_fail(err, VN_ERR_ARGUMENT, "--log-level: unknown level \"%.100s\"", c->log_level);
    if (!vn_log_format_parse(c->log_format, &format))
        return vn_fail(err, VN_ERR_ARGUMENT, "--log-format: unknown format \"%.100s\"", c->log_format);
    vn_log_set_filter(c->log_level);
    return vn_log_open("scheduler", level, format, c->log_file, err);
}

int main(int argc, char **argv)
{
    static struct vn_scheduler s;
    struct vn_error err = {0};
    int done = 0;
    enum vn_status st = vn_config_load(&spec, &s.config, argc, argv, NULL, NULL, &done, &err);
    if (st == VN_OK && done)
        return 0;
    if (st == VN_OK && s.config.parent)
        vn_process_die_with_parent((pid_t)s.config.parent);
    if (st == VN_OK)
        st = open_log(&s.config, &err);
    int signals = vn_signalfd((const int[]){SIGTERM, SIGINT, SIGHUP}, 3);
    signal(SIGPIPE, SIG_IGN);
    s.started_ns = vn_clock_monotonic_ns();
    s.started_wall_ns = vn_clock_wall_ns();
    if (st == VN_OK)
        st = open_all(&s, signals, &err);
    if (st == VN_OK) {
        tell_ready(&s);
        zloop_start(s.loop);
        if (s.fatal != VN_OK)
            st = vn_fail(&err, s.fatal, "%s", vn_status_text(s.fatal));
    }
    close_all(&s);
    if (st != VN_OK)
        fprintf(stderr, "venus-scheduler: %s\n", err.text);
    vn_config_fini(&spec, &s.config);
    vn_log_close();
    return vn_status_exit_code(st);
}
