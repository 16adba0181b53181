/* The supervisor: keeps one scheduler and one gateway running. It reads the configuration, hands each child its part as
 * flags, learns through a pipe when the gateway serves (which it says once the scheduler has answered it), and starts
 * a child that ended again after a pause that doubles. A child that fails before the cluster was ever ready is a wrong
 * configuration, not a crash: then everything stops with that child's exit code.
 * Stopping: running jobs get server.shutdown_timeout_seconds while the gateway starts no new ones; then the scheduler goes first, so that its last words
 * still reach workers and clients through the gateway. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/log.h"
#include "libshared/process.h"
#include "services/coordinator/coordinator.h"
#include "services/coordinator/drain.h"
#include "services/coordinator/settings.h"

#define SECOND UINT64_C(1000000000)
#define FIRST_PAUSE_S 1u
#define LAST_PAUSE_S 30u
#define SETTLED_S 60u     /* a child that ran so long starts again with the first pause */
#define GATEWAY_GRACE_S 5u
#define MAX_ARGS 40
#define STOP_S 15u        /* for the children, once jobs have had their time; the scheduler tells workers and waits for a notification */
#define DRAIN_POLL_MS 50
#define MAX_SOCKET_PATH 107u

enum { SCHEDULER, GATEWAY, SERVICES };

struct service {
    const char *name;
    char path[PATH_MAX];
    char *args[MAX_ARGS];
    unsigned n_args;
    struct vn_child child;
    int running, stopping, ready_fd; /* read end, -1: none */
    uint64_t started_ns, start_at_ns;
    unsigned pause_s;
    char line[64];
    size_t n_line;
};

struct supervisor {
    struct vn_settings config;
    struct service services[SERVICES];
    char directory[PATH_MAX], bus[PATH_MAX + 16];
    int lock_fd, signal_fd, port, ready, stopping, exit_code;
    struct vn_drain *drain; /* while jobs have time to end */
    unsigned draining_jobs;
    uint64_t drain_until_ns, kill_at_ns;
};

/* ---- the folder of the bus socket ---- */

static enum vn_status make_directory(struct supervisor *s, struct vn_error *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    unsigned long id = s->config.port ? s->config.port : (unsigned long)getpid();
    const char *tag = s->config.port ? "" : "p";
    int n;
    if (s->config.bus_directory)
        n = snprintf(s->directory, sizeof s->directory, "%s", s->config.bus_directory);
    else if (runtime && *runtime == '/' && access(runtime, W_OK | X_OK) == 0)
        n = snprintf(s->directory, sizeof s->directory, "%s/venus-%s%lu", runtime, tag, id);
    else
        n = snprintf(s->directory, sizeof s->directory, "/tmp/venus-%u-%s%lu", (unsigned)geteuid(), tag, id);
    if (n < 0 || (size_t)n + strlen("/bus.sock") > MAX_SOCKET_PATH)
        return vn_fail(err, VN_ERR_ARGUMENT, "the folder of the bus socket has too long a path; set bus.directory to a shorter one");

    struct stat st;
    if (mkdir(s->directory, 0700) != 0 && errno != EEXIST)
        return vn_fail(err, VN_ERR_IO, "cannot create %s: %s", s->directory, strerror(errno));
    if (lstat(s->directory, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0077) != 0)
        return vn_fail(err, VN_ERR_PERMISSION, "%s must be a folder of this user with mode 0700", s->directory);

    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/lock", s->directory);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        return vn_fail(err, VN_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        close(s->lock_fd);
        s->lock_fd = -1;
        return vn_fail(err, VN_ERR_BUSY, "another coordinator runs on port %lu of this machine; stop it or choose another --port", id);
    }
    snprintf(s->bus, sizeof s->bus, "ipc://%s/bus.sock", s->directory);
    return VN_OK;
}

static void remove_directory(struct supervisor *s)
{
    if (s->lock_fd < 0)
        return;
    static const char *const files[] = {"bus.sock", "lock"};
    for (unsigned i = 0; i < 2; i++) {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof path, "%s/%s", s->directory, files[i]);
        unlink(path);
    }
    rmdir(s->directory); /* stays when somebody keeps other things there */
    close(s->lock_fd);
}

/* ---- children ---- */

static void arg(struct service *v, const char *flag, const char *value)
{
    if (!value)
        return;
    char *text = NULL;
    if (v->n_args + 1 >= MAX_ARGS || asprintf(&text, "--%s=%s", flag, value) < 0)
        abort();
    v->args[v->n_args++] = text;
}

static void number(struct service *v, const char *flag, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    arg(v, flag, text);
}

static void flag(struct service *v, const char *name)
{
    char *text = NULL;
    if (v->n_args + 1 >= MAX_ARGS || asprintf(&text, "--%s", name) < 0)
        abort();
    v->args[v->n_args++] = text;
}

static enum vn_status describe(struct supervisor *s, struct vn_error *err)
{
    static const char *const names[SERVICES] = {[SCHEDULER] = "venus-scheduler", [GATEWAY] = "venus-gateway"};
    const struct vn_settings *c = &s->config;
    for (unsigned i = 0; i < SERVICES; i++) {
        struct service *v = &s->services[i];
        v->name = names[i];
        v->ready_fd = -1;
        v->pause_s = FIRST_PAUSE_S;
        if (vn_process_sibling(v->name, v->path, sizeof v->path) != VN_OK || access(v->path, X_OK) != 0)
            return vn_fail(err, VN_ERR_NOT_FOUND, "%s is not installed beside this program", v->name);
        v->args[v->n_args++] = strdup(v->name);
        arg(v, "bus", s->bus);
        number(v, "parent", (uint64_t)getpid());
        arg(v, "log-level", c->log_level);
        arg(v, "log-format", c->log_format);
        arg(v, "log-file", c->log_file);
        number(v, "ready-fd", 3);
    }
    struct service *v = &s->services[SCHEDULER];
    arg(v, "bus", c->bus_endpoint);
    if (c->no_save_proofs)
        flag(v, "no-save-proofs");
    else
        arg(v, "proofs-dir", c->proofs_dir);
    arg(v, "programs-dir", c->programs_dir);
    arg(v, "elf", c->elf);
    if (c->compressed)
        flag(v, "compressed-proofs");
    number(v, "max-workers-per-job", c->max_workers_per_job);
    number(v, "max-total-workers", c->max_total_workers);
    number(v, "max-queued-jobs", c->max_queued_jobs);
    number(v, "phase1-timeout", c->phase1_timeout);
    number(v, "phase2-timeout", c->phase2_timeout);
    arg(v, "service-name", c->service_name);
    if (c->webhook_url) {
        arg(v, "webhook-url", c->webhook_url);
        number(v, "webhook-timeout", c->webhook_timeout);
        number(v, "webhook-retries", c->webhook_retries);
        number(v, "webhook-backoff", c->webhook_backoff);
        arg(v, "webhook-secret-file", c->webhook_secret_file);
    }
    if (c->metrics_port) {
        arg(v, "metrics-host", c->metrics_host);
        number(v, "metrics-port", c->metrics_port);
    }
    v = &s->services[GATEWAY];
    arg(v, "listen", s->config.listen);
    number(v, "grace", c->shutdown_timeout < GATEWAY_GRACE_S ? c->shutdown_timeout : GATEWAY_GRACE_S);
    return VN_OK;
}

static void start(struct supervisor *s, struct service *v)
{
    struct vn_error err;
    int ends[2];
    v->start_at_ns = 0;
    v->started_ns = vn_clock_monotonic_ns();
    v->n_line = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        VN_LOG(VN_LOG_ERROR, "service.not-started", "name=%s text=\"%s\"", v->name, strerror(errno));
        v->start_at_ns = v->started_ns + v->pause_s * SECOND;
        return;
    }
    enum vn_status st = vn_child_spawn(&v->child, v->path, v->args, &ends[1], 1, &err);
    close(ends[1]);
    if (st != VN_OK) {
        close(ends[0]);
        VN_LOG(VN_LOG_ERROR, "service.not-started", "name=%s text=\"%s\"", v->name, err.text);
        v->start_at_ns = v->started_ns + v->pause_s * SECOND;
        if (!s->ready) {
            s->exit_code = vn_status_exit_code(st);
            s->stopping = 1;
        }
        return;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    v->ready_fd = ends[0];
    v->running = 1;
    v->stopping = 0;
    VN_LOG(VN_LOG_INFO, "service.started", "name=%s pid=%d", v->name, (int)v->child.pid);
}

static void stop_service(struct service *v, int sig)
{
    if (v->running && (!v->stopping || sig == SIGKILL) && vn_child_signal(&v->child, sig) != VN_OK)
        VN_LOG(VN_LOG_WARN, "service.no-signal", "name=%s", v->name);
    v->stopping = 1;
}

static void ended(struct supervisor *s, struct service *v)
{
    int code = 0;
    if (vn_child_reap(&v->child, &code) != VN_OK)
        code = vn_status_exit_code(VN_ERR_INTERNAL);
    v->running = 0;
    if (v->ready_fd >= 0)
        close(v->ready_fd);
    v->ready_fd = -1;
    if (s->stopping) {
        VN_LOG(VN_LOG_INFO, "service.stopped", "name=%s code=%d", v->name, code);
        return;
    }
    uint64_t now = vn_clock_monotonic_ns();
    if (!s->ready) {
        VN_LOG(VN_LOG_ERROR, "service.failed", "name=%s code=%d", v->name, code);
        s->exit_code = code ? code : vn_status_exit_code(VN_ERR_INTERNAL);
        s->stopping = 1;
        return;
    }
    if (now - v->started_ns >= SETTLED_S * SECOND)
        v->pause_s = FIRST_PAUSE_S;
    VN_LOG(VN_LOG_ERROR, "service.crashed", "name=%s code=%d restart_in_s=%u", v->name, code, v->pause_s);
    v->start_at_ns = now + v->pause_s * SECOND;
    v->pause_s = 2 * v->pause_s > LAST_PAUSE_S ? LAST_PAUSE_S : 2 * v->pause_s;
}

/* A port that was picked stays the same when the gateway starts again. */
static void keep_port(struct supervisor *s)
{
    struct service *v = &s->services[GATEWAY];
    char *text = NULL;
    if (s->config.port != 0 || asprintf(&text, "--listen=%.*s:%d", (int)(strrchr(s->config.listen, ':') - s->config.listen), s->config.listen, s->port) < 0)
        return;
    for (unsigned i = 0; i < v->n_args; i++) {
        if (strncmp(v->args[i], "--listen=", 9) == 0) {
            free(v->args[i]);
            v->args[i] = text;
            return;
        }
    }
    free(text);
}

static void heard_line(struct supervisor *s, struct service *v, const char *line)
{
    if (v != &s->services[GATEWAY])
        return;
    if (sscanf(line, "LISTENING %d", &s->port) == 1) {
        keep_port(s);
        return;
    }
    if (strcmp(line, "READY") == 0 && !s->ready) {
        s->ready = 1;
        VN_LOG(VN_LOG_INFO, "coordinator.ready", "host=%s port=%d bus=\"%s\" environment=%s", s->config.host, s->port, s->bus,
               s->config.environment);
        printf("listening on %.*s:%d\n", (int)(strrchr(s->config.listen, ':') - s->config.listen), s->config.listen, s->port);
        fflush(stdout);
        vn_process_notify("READY=1");
    }
}

static void heard(struct supervisor *s, struct service *v)
{
    char bytes[64];
    ssize_t n = read(v->ready_fd, bytes, sizeof bytes);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        close(v->ready_fd);
        v->ready_fd = -1;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            v->line[v->n_line] = 0;
            heard_line(s, v, v->line);
            v->n_line = 0;
        } else if (v->n_line + 1 < sizeof v->line) {
            v->line[v->n_line++] = bytes[i];
        }
    }
}

/* ---- the loop ---- */

static void reopen_logs(struct supervisor *s)
{
    struct vn_error err;
    if (vn_log_reopen(&err) == VN_OK)
        VN_LOG(VN_LOG_INFO, "log.reopened", "why=SIGHUP");
    else
        VN_LOG(VN_LOG_ERROR, "log.not-reopened", "why=\"%s\"", err.text);
    for (unsigned i = 0; i < SERVICES; i++)
        if (s->services[i].running && vn_child_signal(&s->services[i].child, SIGHUP) != VN_OK)
            VN_LOG(VN_LOG_WARN, "service.no-signal", "name=%s", s->services[i].name);
}

static void on_signal(struct supervisor *s)
{
    struct signalfd_siginfo info;
    if (read(s->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo == SIGHUP) {
        reopen_logs(s);
        return;
    }
    if (s->drain)
        s->drain_until_ns = 1; /* asked again: cancel the jobs now */
    else if (s->stopping)
        s->kill_at_ns = 1; /* and again: at once */
    s->stopping = 1;
    VN_LOG(VN_LOG_INFO, "coordinator.stopping", "signal=%u", info.ssi_signo);
}

/* Jobs that run get time to end; the gateway starts no new ones meanwhile. */
static void begin_drain(struct supervisor *s, uint64_t now)
{
    struct service *scheduler = &s->services[SCHEDULER], *gateway = &s->services[GATEWAY];
    struct vn_error err;
    vn_process_notify("STOPPING=1");
    s->drain_until_ns = now + s->config.shutdown_timeout * SECOND;
    if (!s->ready || !scheduler->running || s->exit_code)
        return;
    if (gateway->running && vn_child_signal(&gateway->child, SIGUSR1) != VN_OK)
        VN_LOG(VN_LOG_WARN, "service.no-signal", "name=%s", gateway->name);
    if (vn_drain_open(&s->drain, s->bus, now, &err) != VN_OK)
        VN_LOG(VN_LOG_WARN, "drain.failed", "text=\"%s\"", err.text);
}

static int drained(struct supervisor *s, uint64_t now)
{
    unsigned running = 0;
    int done = !s->services[SCHEDULER].running || vn_drain_done(s->drain, now, &running);
    if (running && running != s->draining_jobs)
        VN_LOG(VN_LOG_INFO, "coordinator.draining", "jobs=%u", running);
    s->draining_jobs = running;
    if (!done && now < s->drain_until_ns)
        return 0;
    if (!done)
        VN_LOG(VN_LOG_WARN, "coordinator.cancels", "jobs=%u", running);
    vn_drain_close(s->drain);
    s->drain = NULL;
    return 1;
}

/* One step of stopping; returns 1 when nothing runs any more. */
static int stop(struct supervisor *s, uint64_t now)
{
    struct service *scheduler = &s->services[SCHEDULER], *gateway = &s->services[GATEWAY];
    if (!s->drain_until_ns)
        begin_drain(s, now);
    if (s->drain && !drained(s, now))
        return 0;
    if (!s->kill_at_ns)
        s->kill_at_ns = now + STOP_S * SECOND;
    if (now >= s->kill_at_ns) {
        for (unsigned i = 0; i < SERVICES; i++)
            if (s->services[i].running) {
                VN_LOG(VN_LOG_WARN, "service.killed", "name=%s", s->services[i].name);
                stop_service(&s->services[i], SIGKILL);
            }
        s->kill_at_ns = now + SECOND;
    } else if (scheduler->running) {
        stop_service(scheduler, SIGTERM);
    } else {
        stop_service(gateway, SIGTERM);
    }
    return !scheduler->running && !gateway->running;
}

static void run(struct supervisor *s)
{
    for (;;) {
        uint64_t now = vn_clock_monotonic_ns();
        if (s->stopping && stop(s, now))
            return;
        uint64_t wake = s->stopping ? s->kill_at_ns : 0;
        struct pollfd fds[1 + 2 * SERVICES] = {{.fd = s->signal_fd, .events = POLLIN}};
        for (unsigned i = 0; i < SERVICES; i++) {
            struct service *v = &s->services[i];
            if (!s->stopping && !v->running && now >= v->start_at_ns)
                start(s, v);
            if (!s->stopping && !v->running && (!wake || v->start_at_ns < wake))
                wake = v->start_at_ns;
            fds[1 + 2 * i] = (struct pollfd){.fd = v->running ? v->child.pidfd : -1, .events = POLLIN};
            fds[2 + 2 * i] = (struct pollfd){.fd = v->ready_fd, .events = POLLIN};
        }
        int wait_ms = -1;
        now = vn_clock_monotonic_ns();
        if (wake)
            wait_ms = wake > now ? (int)((wake - now) / 1000000u) + 1 : 0;
        if (s->stopping && wait_ms < 0)
            wait_ms = 0;
        if (s->drain)
            wait_ms = DRAIN_POLL_MS;
        if (poll(fds, 1 + 2 * SERVICES, wait_ms) < 0 && errno != EINTR)
            abort();
        for (unsigned i = 0; i < SERVICES; i++) {
            if (fds[2 + 2 * i].revents)
                heard(s, &s->services[i]);
            if (fds[1 + 2 * i].revents)
                ended(s, &s->services[i]);
        }
        if (fds[0].revents)
            on_signal(s);
    }
}

int vn_supervisor_main(int argc, char **argv)
{
    struct supervisor *s = calloc(1, sizeof *s);
    struct vn_error err = {0};
    if (!s)
        return vn_status_exit_code(VN_ERR_MEMORY);
    s->lock_fd = s->signal_fd = -1;
    unsigned n = 0;
    int done = 0;
    enum vn_status st = vn_config_load(&vn_settings_spec, &s->config, argc, argv, NULL, &n, &done, &err);
    if (st == VN_OK && !done)
        st = vn_settings_check(&s->config, &err);
    if (st == VN_OK && !done && s->config.check_config) {
        vn_settings_print(&s->config);
    } else if (st == VN_OK && !done) {
        st = vn_log_open("coordinator", s->config.level, s->config.format, s->config.log_file, &err);
        vn_log_set_filter(s->config.log_level);
        if (st == VN_OK && s->config.compressed)
            VN_LOG(VN_LOG_WARN, "option.notice", "option=compressed-proofs reason=\"the proof bundle has no compressed form yet; proofs stay as they are\"");
        if (st == VN_OK)
            st = make_directory(s, &err);
        if (st == VN_OK)
            st = describe(s, &err);
        if (st == VN_OK) {
            signal(SIGPIPE, SIG_IGN);
            s->signal_fd = vn_signalfd((const int[]){SIGTERM, SIGINT, SIGHUP}, 3);
            if (s->signal_fd < 0)
                st = vn_fail(&err, VN_ERR_IO, "signalfd: %s", strerror(errno));
        }
        if (st == VN_OK) {
            run(s);
            VN_LOG(VN_LOG_INFO, "coordinator.stopped", "code=%d", s->exit_code);
        }
        vn_drain_close(s->drain);
        remove_directory(s);
        vn_log_close();
    }
    if (st != VN_OK)
        fprintf(stderr, "zisk-coordinator: %s\n", err.text);
    for (unsigned i = 0; i < SERVICES; i++)
        for (unsigned k = 0; k < s->services[i].n_args; k++)
            free(s->services[i].args[k]);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    int code = st != VN_OK ? vn_status_exit_code(st) : s->exit_code;
    vn_config_fini(&vn_settings_spec, &s->config);
    free(s);
    return code;
}
