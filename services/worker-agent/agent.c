/* One thread, one epoll. Every round: take all events of the link, send what is queued, run timers, then wait for one descriptor.
 * Taking one descriptor a round means that no event can be about something an earlier event of the same round closed. */
#include "services/worker-agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "libshared/log.h"
#include "libshared/process.h"
#include "services/worker-agent/agent_meter.h"
#include "services/worker-agent/agent_state.h"
#include "services/worker-agent/programs.h"

#define ACK_INTERVAL_NS (10 * VN_SECOND_NS)
#define OPENING_TICK_NS (VN_SECOND_NS / 4)  /* the bus takes the first message only once it is connected */
#define SEND_RETRY_NS (VN_SECOND_NS / 20)
#define MAX_QUEUED_DROPPABLE 16u  /* beyond this, progress is not worth a place */
#define MAX_QUEUED 256u           /* a coordinator that reads nothing is as good as gone */
#define MAX_SHUTDOWN_WAIT_S 60u

const char *vn_agent_plain(char *out, size_t out_len, const char *text)
{
    size_t n = 0;
    for (; text[n] && n + 1 < out_len; n++)
        out[n] = (unsigned char)text[n] < ' ' || text[n] == 0x7f ? ' ' : text[n] == '"' ? '\'' : text[n];
    out[n] = '\0';
    return out;
}

/* ---- sending ---- */

static void link_down(struct vn_agent *a, const char *why, uint64_t at_least_ns);

void vn_agent_post(struct vn_agent *a, uint8_t *bytes, size_t n_bytes, int droppable)
{
    struct vn_outgoing *o = NULL;
    if (!droppable || (a->connection == VN_CONNECTION_READY && a->queue_len < MAX_QUEUED_DROPPABLE))
        o = malloc(sizeof *o);
    if (!o) {
        if (!droppable)
            VN_LOG(VN_LOG_ERROR, "message.lost", "bytes=%zu reason=\"out of memory\"", n_bytes);
        free(bytes);
        return;
    }
    *o = (struct vn_outgoing){NULL, bytes, n_bytes, droppable};
    *a->queue_end = o;
    a->queue_end = &o->next;
    a->queue_len++;
}

void vn_agent_send(struct vn_agent *a, const worker_message *message, int droppable)
{
    size_t len = zisk__distributed__api__v1__worker_message__get_packed_size(message);
    uint8_t *bytes = malloc(len + 1);
    if (bytes)
        vn_agent_post(a, bytes, zisk__distributed__api__v1__worker_message__pack(message, bytes), droppable);
}

void vn_agent_report(struct vn_agent *a, const char *job_id, const char *text)
{
    worker_message m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__WorkerError e = ZISK__DISTRIBUTED__API__V1__WORKER_ERROR__INIT;
    e.worker_id = (char *)a->config->job.worker_id;
    e.job_id = (char *)job_id;
    e.error_message = (char *)text;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_ERROR;
    m.error = &e;
    vn_agent_send(a, &m, 1);
}

static void send_ack(struct vn_agent *a, uint64_t now)
{
    worker_message m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__HeartbeatAck ack = ZISK__DISTRIBUTED__API__V1__HEARTBEAT_ACK__INIT;
    ack.worker_id = (char *)a->config->job.worker_id;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_HEARTBEAT_ACK;
    m.heartbeat_ack = &ack;
    vn_agent_send(a, &m, 1);
    a->next_ack_ns = now + ACK_INTERVAL_NS;
}

/* Register, or Reconnect when a job is at hand. Must be the first message of a connection, so it bypasses the queue. */
static void send_registration(struct vn_agent *a)
{
    worker_message m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__ComputeCapacity capacity = ZISK__DISTRIBUTED__API__V1__COMPUTE_CAPACITY__INIT;
    Zisk__Distributed__Api__V1__WorkerRegisterRequest hello = ZISK__DISTRIBUTED__API__V1__WORKER_REGISTER_REQUEST__INIT;
    Zisk__Distributed__Api__V1__WorkerReconnectRequest again = ZISK__DISTRIBUTED__API__V1__WORKER_RECONNECT_REQUEST__INIT;
    char ids[VN_PROGRAMS_KEPT][VN_PROGRAM_ID], *programs[VN_PROGRAMS_KEPT];
    size_t n_programs = vn_program_list(a->config->job.cache_dir, ids);
    for (size_t i = 0; i < n_programs; i++)
        programs[i] = ids[i];
    capacity.compute_units = a->config->compute_units;
    if (a->job) {
        again.n_programs = n_programs;
        again.programs = programs;
        again.worker_id = (char *)a->config->job.worker_id;
        again.compute_capacity = &capacity;
        again.last_known_job_id = a->job->id;
        m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_RECONNECT;
        m.reconnect = &again;
    } else {
        hello.worker_id = (char *)a->config->job.worker_id;
        hello.compute_capacity = &capacity;
        hello.n_programs = n_programs;
        hello.programs = programs;
        m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_REGISTER;
        m.register_ = &hello;
    }
    uint8_t bytes[512 + VN_PROGRAMS_KEPT * (VN_PROGRAM_ID + 3)]; /* ids are checked to be short */
    if (zisk__distributed__api__v1__worker_message__get_packed_size(&m) > sizeof bytes)
        return;
    size_t n = zisk__distributed__api__v1__worker_message__pack(&m, bytes);
    a->registered_sent = vn_link_send(a->link, bytes, n) == VN_OK;
    if (a->registered_sent)
        vn_meter_sent(a, n);
}

/* 1 if something was sent. */
static int flush(struct vn_agent *a)
{
    if (a->connection == VN_CONNECTION_REGISTERING && !a->registered_sent) {
        send_registration(a);
        return a->registered_sent;
    }
    if (a->connection != VN_CONNECTION_READY || !a->queue)
        return 0;
    struct vn_outgoing *o = a->queue;
    enum vn_status s = vn_link_send(a->link, o->bytes, o->n_bytes);
    if (s == VN_ERR_BUSY) {
        if (a->queue_len > MAX_QUEUED)
            link_down(a, "the coordinator does not take messages", 0);
        return 0;
    }
    if (s != VN_OK)
        VN_LOG(VN_LOG_ERROR, "message.lost", "bytes=%zu reason=\"%s\"", o->n_bytes, vn_status_text(s));
    else
        vn_meter_sent(a, o->n_bytes);
    a->queue = o->next;
    if (!a->queue)
        a->queue_end = &a->queue;
    a->queue_len--;
    free(o->bytes);
    free(o);
    return 1;
}

static void drop_queued(struct vn_agent *a, int all)
{
    struct vn_outgoing **p = &a->queue;
    while (*p) {
        struct vn_outgoing *o = *p;
        if (!all && !o->droppable) {
            p = &o->next;
            continue;
        }
        *p = o->next;
        a->queue_len--;
        free(o->bytes);
        free(o);
    }
    a->queue_end = p;
}

/* ---- the connection ---- */

/* The configured interval, doubled with every failure in a row up to a minute, and up to a tenth more so that a cluster's workers
 * do not come back in step. */
static uint64_t back_off_ns(const struct vn_agent *a)
{
    uint64_t seconds = a->config->reconnect_s;
    for (unsigned i = 1; i < a->failures && seconds < VN_AGENT_MAX_RECONNECT_S; i++)
        seconds *= 2;
    if (seconds > VN_AGENT_MAX_RECONNECT_S && a->config->reconnect_s <= VN_AGENT_MAX_RECONNECT_S)
        seconds = VN_AGENT_MAX_RECONNECT_S;
    uint64_t ns = seconds * VN_SECOND_NS;
    uint32_t random = 0;
    (void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
    return ns + ns / 10 * (random % 1024) / 1024;
}

static void link_down(struct vn_agent *a, const char *why, uint64_t at_least_ns)
{
    char text[256];
    uint64_t wait;
    vn_link_close(&a->link);
    vn_meter_connected(a, 0);
    a->failures++;
    wait = back_off_ns(a);
    if (wait < at_least_ns)
        wait = at_least_ns;
    VN_LOG(VN_LOG_WARN, "coordinator.lost", "url=%s reason=\"%s\" retry_ms=%llu", a->config->url, vn_agent_plain(text, sizeof text, why),
           (unsigned long long)(wait / 1000000));
    vn_process_notify("STATUS=Waiting for the coordinator");
    a->connection = VN_CONNECTION_WAITING;
    a->retry_at_ns = vn_clock_monotonic_ns() + wait;
    drop_queued(a, 0);
    vn_agent_connection_lost(a);
}

static void stop(struct vn_agent *a)
{
    vn_process_notify("STOPPING=1");
    a->stopping = 1;
    vn_agent_drop_job(a);
    vn_link_close(&a->link);
    vn_meter_connected(a, 0);
    a->connection = VN_CONNECTION_WAITING;
    a->retry_at_ns = VN_NEVER;
}

static void connect_now(struct vn_agent *a)
{
    struct vn_error err = {0};
    a->registered_sent = 0;
    a->connection = VN_CONNECTION_OPENING;
    a->last_heard_ns = vn_clock_monotonic_ns();
    enum vn_status s = vn_link_open(&a->link, a->config->url, &err);
    if (s != VN_OK && vn_status_class(s) == VN_CLASS_BAD_INPUT) { /* no later attempt will do better */
        a->fatal = err;
        stop(a);
    } else if (s != VN_OK)
        link_down(a, err.text, 0);
    else if (!vn_agent_watch(a, vn_link_fd(a->link), EPOLLIN, VN_WATCH_LINK, 0))
        link_down(a, "cannot watch the connection", 0);
}

static void take_register_response(struct vn_agent *a, const Zisk__Distributed__Api__V1__WorkerRegisterResponse *r)
{
    char text[300];
    if (!r->accepted) {
        vn_meter_registration(a, 0);
        snprintf(text, sizeof text, "registration refused: %.250s", r->message);
        link_down(a, text, 0);
        return;
    }
    if (a->connection != VN_CONNECTION_REGISTERING)
        return;
    a->connection = VN_CONNECTION_READY;
    vn_meter_registration(a, 1);
    vn_meter_connected(a, 1);
    a->failures = 0;
    VN_LOG(VN_LOG_INFO, "worker.registered", "url=%s worker=%s units=%u job=%s", a->config->url, a->config->job.worker_id, a->config->compute_units,
           a->job ? a->job->id : "-");
    vn_process_notify("STATUS=Registered");
    send_ack(a, vn_clock_monotonic_ns());
}

static void take_cancel(struct vn_agent *a, const Zisk__Distributed__Api__V1__JobCancelled *c)
{
    char text[256];
    if (!a->job || strcmp(a->job->id, c->job_id) != 0) {
        VN_LOG(VN_LOG_DEBUG, "cancel.unknown", "job=\"%s\"", vn_agent_plain(text, sizeof text, c->job_id));
        return;
    }
    VN_LOG(VN_LOG_INFO, "job.cancelled", "job=%s reason=\"%s\"", a->job->id, vn_agent_plain(text, sizeof text, c->reason));
    vn_agent_drop_job(a);
}

static void take_shutdown(struct vn_agent *a, const Zisk__Distributed__Api__V1__Shutdown *s)
{
    char text[300];
    uint64_t grace = s->grace_period_seconds < MAX_SHUTDOWN_WAIT_S ? s->grace_period_seconds : MAX_SHUTDOWN_WAIT_S;
    snprintf(text, sizeof text, "the coordinator shuts down: %.200s", s->reason);
    vn_agent_drop_job(a);
    link_down(a, text, grace * VN_SECOND_NS);
}

static void take_program(struct vn_agent *a, const Zisk__Distributed__Api__V1__Program *p)
{
    worker_message m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__ProgramAck ack = ZISK__DISTRIBUTED__API__V1__PROGRAM_ACK__INIT;
    struct vn_error err = {0};
    char id[80];
    ack.worker_id = (char *)a->config->job.worker_id;
    ack.hash_id = p->hash_id;
    ack.success = vn_program_store(a->config->job.cache_dir, p->hash_id, p->elf.data, p->elf.len, &err) == VN_OK;
    ack.error_message = err.text;
    if (ack.success)
        VN_LOG(VN_LOG_INFO, "program.stored", "program=%s bytes=%zu", p->hash_id, p->elf.len);
    else
        VN_LOG(VN_LOG_ERROR, "program.refused", "program=\"%s\" reason=\"%s\"", vn_agent_plain(id, sizeof id, p->hash_id), err.text);
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_PROGRAM_ACK;
    m.program_ack = &ack;
    vn_agent_send(a, &m, 1);
}

static void take_message(struct vn_agent *a, const coordinator_message *m)
{
    switch (m->payload_case) {
    case ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_HEARTBEAT:
        send_ack(a, vn_clock_monotonic_ns());
        break;
    case ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_REGISTER_RESPONSE:
        take_register_response(a, m->register_response);
        break;
    case ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_EXECUTE_TASK:
        vn_agent_take_task(a, m->execute_task);
        break;
    case ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED:
        take_cancel(a, m->job_cancelled);
        break;
    case ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_SHUTDOWN:
        take_shutdown(a, m->shutdown);
        break;
    case ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_STREAM_DATA:
        vn_agent_take_hints(a, m->stream_data);
        break;
    case ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_PROGRAM:
        take_program(a, m->program);
        break;
    default:
        VN_LOG(VN_LOG_WARN, "message.unknown", "payload=%d", (int)m->payload_case);
        break;
    }
}

/* 1 if there was an event. */
static int take_link_event(struct vn_agent *a)
{
    struct vn_link_event event;
    if (!a->link || vn_link_recv(a->link, &event) != VN_OK)
        return 0;
    switch (event.kind) {
    case VN_LINK_UP:
        if (a->connection == VN_CONNECTION_OPENING)
            a->connection = VN_CONNECTION_REGISTERING;
        a->last_heard_ns = vn_clock_monotonic_ns();
        break;
    case VN_LINK_MESSAGE:
        a->last_heard_ns = vn_clock_monotonic_ns();
        vn_meter_received(a, event.n_bytes);
        take_message(a, event.message);
        zisk__distributed__api__v1__coordinator_message__free_unpacked(event.message, NULL);
        break;
    case VN_LINK_MALFORMED:
        a->last_heard_ns = vn_clock_monotonic_ns();
        vn_meter_received(a, event.n_bytes);
        VN_LOG(VN_LOG_WARN, "message.malformed", "%s", "");
        vn_agent_report(a, "", "A message of the coordinator could not be parsed");
        break;
    case VN_LINK_DOWN:
        link_down(a, event.text, 0);
        break;
    }
    return 1;
}

/* ---- the loop ---- */

int vn_agent_watch(struct vn_agent *a, int fd, uint32_t events, uint32_t what, unsigned index)
{
    struct epoll_event e = {.events = events, .data.u32 = what | index << 8};
    return epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &e) == 0 || (errno == EEXIST && epoll_ctl(a->epoll, EPOLL_CTL_MOD, fd, &e) == 0);
}

static void take_signal(struct vn_agent *a)
{
    struct signalfd_siginfo info;
    if (read(a->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo == SIGHUP) {
        struct vn_error err = {0};
        if (vn_log_reopen(&err) == VN_OK)
            VN_LOG(VN_LOG_INFO, "worker.log_reopened", "%s", "");
        else
            VN_LOG(VN_LOG_ERROR, "worker.log_failed", "reason=\"%s\"", err.text);
        return;
    }
    if (a->stopping) {
        vn_agent_no_patience(a); /* asked twice */
        return;
    }
    VN_LOG(VN_LOG_INFO, "worker.stopping", "signal=%u", info.ssi_signo);
    stop(a);
}

static uint64_t silence_deadline(const struct vn_agent *a)
{
    return a->connection == VN_CONNECTION_WAITING ? VN_NEVER : a->last_heard_ns + a->config->heartbeat_timeout_s * VN_SECOND_NS;
}

static void run_timers(struct vn_agent *a)
{
    uint64_t now = vn_clock_monotonic_ns();
    if (now >= silence_deadline(a)) {
        char text[80];
        snprintf(text, sizeof text, "nothing heard for %u s", a->config->heartbeat_timeout_s);
        link_down(a, text, 0);
    }
    if (a->connection == VN_CONNECTION_WAITING && now >= a->retry_at_ns)
        connect_now(a);
    if (a->connection == VN_CONNECTION_READY && now >= a->next_ack_ns)
        send_ack(a, now);
    vn_agent_work_timers(a, now);
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

static int wait_ms(const struct vn_agent *a)
{
    uint64_t now = vn_clock_monotonic_ns();
    uint64_t at = earlier(vn_agent_work_deadline(a), silence_deadline(a));
    if (a->connection == VN_CONNECTION_WAITING)
        at = earlier(at, a->retry_at_ns);
    if (a->connection == VN_CONNECTION_OPENING)
        at = earlier(at, now + OPENING_TICK_NS);
    if (a->connection == VN_CONNECTION_READY)
        at = earlier(at, a->next_ack_ns);
    if ((a->connection == VN_CONNECTION_REGISTERING && !a->registered_sent) || (a->connection == VN_CONNECTION_READY && a->queue))
        at = earlier(at, now + SEND_RETRY_NS);
    if (at <= now)
        return 0;
    uint64_t ms = (at - now + 999999) / 1000000;
    return ms > 60000 ? 60000 : (int)ms;
}

static void run_loop(struct vn_agent *a)
{
    while (!a->stopping || a->n_running > 0) {
        run_timers(a);
        if (a->stopping && a->n_running == 0)
            break;
        while (take_link_event(a) || flush(a))
            ;
        struct epoll_event e;
        int n = epoll_wait(a->epoll, &e, 1, wait_ms(a));
        if (n < 1)
            continue;
        switch (e.data.u32 & 0xff) {
        case VN_WATCH_SIGNALS: take_signal(a); break;
        case VN_WATCH_ENGINE_SOCKET: vn_agent_engine_socket(a, e.data.u32 >> 8); break;
        case VN_WATCH_ENGINE_END: vn_agent_engine_ended(a, e.data.u32 >> 8); break;
        default: break; /* the link is looked at in every round */
        }
    }
}

enum vn_status vn_agent_run(const struct vn_agent_config *config, struct vn_error *err)
{
    struct vn_agent a = {.config = config, .epoll = -1};
    for (unsigned i = 0; i < VN_AGENT_MAX_SLOTS; i++) {
        a.slots[i].engine.socket = -1;
        a.slots[i].kill_at_ns = a.slots[i].linger_until_ns = VN_NEVER;
    }
    a.queue_end = &a.queue;
    const int caught[] = {SIGTERM, SIGINT, SIGHUP};
    a.signals = vn_signalfd(caught, 3);
    if (a.signals < 0)
        return vn_fail(err, VN_ERR_IO, "signalfd: %s", strerror(errno));
    a.epoll = epoll_create1(EPOLL_CLOEXEC);
    enum vn_status s = a.epoll < 0 || !vn_agent_watch(&a, a.signals, EPOLLIN, VN_WATCH_SIGNALS, 0)
                           ? vn_fail(err, VN_ERR_IO, "epoll: %s", strerror(errno))
                           : vn_meter_open(&a, err);
    if (s != VN_OK) {
        if (a.epoll >= 0)
            close(a.epoll);
        close(a.signals);
        return s;
    }
    unsigned stale = vn_job_dir_sweep(VN_JOB_DIR_BASE);
    if (stale > 0)
        VN_LOG(VN_LOG_INFO, "directories.removed", "count=%u", stale);
    vn_process_notify("READY=1");
    run_loop(&a);
    drop_queued(&a, 1);
    vn_meter_close(&a);
    close(a.epoll);
    close(a.signals);
    VN_LOG(VN_LOG_INFO, "worker.stopped", "%s", "");
    return a.fatal.status == VN_OK ? VN_OK : vn_fail(err, a.fatal.status, "%s", a.fatal.text);
}
