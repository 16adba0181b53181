/* The loop thread: waits for gRPC events, the bus, signals and the half-second tick; owns every call.
 * SIGHUP opens the log file anew; SIGUSR1 begins to drain: no job is started any more, all else goes on.
 * Stopping: refuse new calls, end the streams with UNAVAILABLE (workers come back to the next gateway), let unary calls
 * finish for the grace period, then cancel what is left; leave when the core says that it is down and no call remains. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "libshared/log.h"
#include "libshared/process.h"
#include "services/gateway/gateway.h"

#define TICK_NS 500000000u
#define BUS_FULL_MS 5 /* the bus has no event for "room again" that is worth relying on */

struct loop {
    struct vn_gateway gateway;
    int signal_fd;
    int port;
    int core_down;
    int cancelled;
    uint64_t tick_ns, cancel_ns;
};

/* One line to whoever started us, then later another: "LISTENING port", "READY". */
static void announce(const struct vn_gateway *g, const char *line)
{
    if (!g->config->ready_fd)
        return;
    size_t n = strlen(line);
    ssize_t w = write((int)g->config->ready_fd, line, n);
    if (w != (ssize_t)n)
        VN_LOG(VN_LOG_WARN, "ready.unheard", "fd=%d", (int)g->config->ready_fd);
}

void vn_gateway_link_changed(struct vn_gateway *g, int up)
{
    if (up && !g->announced) {
        g->announced = 1;
        announce(g, "READY\n");
        vn_process_notify("READY=1");
    }
    vn_health_changed(g);
}

static void begin_stop(struct loop *l)
{
    struct vn_gateway *g = &l->gateway;
    if (g->stopping) {
        l->cancel_ns = g->now_ns; /* the second signal means now */
        return;
    }
    VN_LOG(VN_LOG_INFO, "gateway.stopping", "calls=%zu", g->n_calls);
    vn_process_notify("STOPPING=1");
    g->stopping = 1;
    l->cancel_ns = g->now_ns + g->config->grace_seconds * 1000000000u;
    vn_health_changed(g);
    vn_server_stop(g->server);
    for (struct vn_call *c = g->calls, *next; c; c = next) {
        next = c->next;
        if (c->watching || (c->method && c->method->flags & (VN_METHOD_STREAMS_IN | VN_METHOD_PATIENT)))
            vn_call_finish(c, GRPC_STATUS_UNAVAILABLE, "the coordinator is shutting down");
    }
}

static void on_signal(struct loop *l)
{
    struct signalfd_siginfo info;
    struct vn_error err;
    if (read(l->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo == SIGHUP) {
        if (vn_log_reopen(&err) == VN_OK)
            VN_LOG(VN_LOG_INFO, "log.reopened", "why=SIGHUP");
        else
            VN_LOG(VN_LOG_ERROR, "log.not-reopened", "why=\"%s\"", err.text);
    } else if (info.ssi_signo == SIGUSR1) {
        l->gateway.draining = 1;
        VN_LOG(VN_LOG_INFO, "gateway.draining", "why=SIGUSR1");
    } else {
        begin_stop(l);
    }
}

static void tick(struct loop *l)
{
    struct vn_gateway *g = &l->gateway;
    vn_calls_arm(g);
    vn_link_tick(g->link, g->now_ns);
    for (struct vn_call *c = g->calls, *next; c; c = next) {
        next = c->next;
        if (c->deadline_ns && g->now_ns >= c->deadline_ns && !c->finishing)
            vn_call_fail(c, VN_ERR_TIMEOUT,
                         c->correlation ? "the scheduler did not answer in time" : "the request did not come in time");
    }
    if (g->stopping && !l->cancelled && g->now_ns >= l->cancel_ns) {
        l->cancelled = 1;
        vn_server_cancel_all(g->server);
    }
}

static void run(struct loop *l)
{
    struct vn_gateway *g = &l->gateway;
    int more = 1;
    while (!(g->stopping && l->core_down && g->n_alive == 0)) {
        int wait_ms = (int)(TICK_NS / 1000000);
        if (more)
            wait_ms = 0;
        else if (vn_link_waiting(g->link))
            wait_ms = BUS_FULL_MS;
        else if (g->stopping)
            wait_ms = 50;
        struct pollfd fds[] = {{.fd = vn_server_fd(g->server), .events = POLLIN},
                               {.fd = vn_link_fd(g->link), .events = POLLIN},
                               {.fd = l->signal_fd, .events = POLLIN}};
        if (poll(fds, 3, wait_ms) < 0 && errno != EINTR)
            abort();
        g->now_ns = vn_clock_monotonic_ns();

        if (fds[2].revents)
            on_signal(l);

        if (fds[0].revents) {
            struct vn_event *events;
            size_t n = vn_server_take(g->server, &events);
            for (size_t i = 0; i < n; i++) {
                if (events[i].tag->call)
                    vn_call_event(events[i].tag->call, events[i].tag->op, events[i].ok);
                else
                    l->core_down = 1;
            }
        }
        if (g->now_ns - l->tick_ns >= TICK_NS || g->stopping) {
            l->tick_ns = g->now_ns;
            tick(l);
        }
        /* Last, until nothing is left to take: the bus reports news once only, and a send may hide it. */
        more = vn_link_run(g->link, g->now_ns);
    }
}

enum vn_status vn_gateway_run(const struct vn_gateway_config *config, struct vn_error *err)
{
    struct loop l = {.gateway = {.config = config}};
    struct vn_gateway *g = &l.gateway;
    l.signal_fd = vn_signalfd((const int[]){SIGTERM, SIGINT, SIGHUP, SIGUSR1}, 4);
    if (l.signal_fd < 0)
        return vn_fail(err, VN_ERR_IO, "signalfd: %s", strerror(errno));
    grpc_init(); /* starts threads, which must inherit the blocked signals */
    g->now_ns = vn_clock_monotonic_ns();

    g->reflection = vn_reflection_new();
    enum vn_status s = g->reflection ? vn_link_open(&g->link, g, config->bus, g->now_ns, err) : vn_fail(err, VN_ERR_MEMORY, "out of memory");
    if (s == VN_OK)
        s = vn_server_open(&g->server, &l.port, config->listen, err);
    if (s == VN_OK) {
        vn_calls_arm(g);
        VN_LOG(VN_LOG_INFO, "gateway.listening", "address=\"%s\" port=%d", config->listen, l.port);
        char line[40];
        snprintf(line, sizeof line, "LISTENING %d\n", l.port);
        announce(g, line);
        run(&l);
        vn_server_close(g->server);
        VN_LOG(VN_LOG_INFO, "gateway.stopped", "%s", "");
    }
    vn_link_close(g->link);
    vn_reflection_free(g->reflection);
    grpc_shutdown_blocking();
    close(l.signal_fd);
    return s;
}
