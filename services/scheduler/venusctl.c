/* venusctl: one command, one or two requests over the scheduler's bus, one answer printed. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bus.pb-c.h"
#include "libshared/bus.h"
#include "libshared/config.h"
#include "libshared/process.h"
#include "zisk_coordinator_api.pb-c.h"
#include "zisk_distributed_api.pb-c.h"

enum { ANSWER_MS = 10000 };

struct settings {
    char *bus;
    uint64_t port, json, all;
};

#define AT(field) offsetof(struct settings, field)
static const struct vn_config_item items[] = {
    {.flag = "bus", .env = "VENUS_BUS", .type = VN_CONFIG_STRING, .offset = AT(bus), .value_name = "ENDPOINT",
     .help = "the scheduler's bus, ipc://PATH (default: the one of the coordinator on --port)"},
    {.flag = "port", .short_flag = 'p', .type = VN_CONFIG_NUMBER, .offset = AT(port), .fallback = "50051", .min = 1, .max = 65535, .value_name = "PORT",
     .help = "port of the coordinator on this machine"},
    {.flag = "json", .type = VN_CONFIG_BOOL, .offset = AT(json), .help = "print JSON"},
    {.flag = "all", .short_flag = 'a', .type = VN_CONFIG_BOOL, .offset = AT(all), .help = "jobs: also those that have ended"},
    {0},
};
static const struct vn_config_spec spec = {
    .program = "venusctl",
    .usage = "venusctl [options] COMMAND",
    .about = "Looks at a Venus coordinator on this machine and steers it.",
    .items = items,
    .max_positional = 2,
    .epilog = "Commands:\n"
              "  status            the cluster in numbers\n"
              "  jobs              jobs that wait or run\n"
              "  job ID            one job\n"
              "  workers           all workers\n"
              "  drain WORKER      give a worker no new job; it finishes the one it has\n"
              "  resume WORKER     give it jobs again\n"
              "  cancel ID         cancel a job\n"
              "  log-level LEVEL   error, warn, info, debug or trace\n",
};

struct session {
    struct vn_bus_client *bus;
    uint64_t correlation;
    const struct settings *settings;
    const char *argument;
    cJSON *json; /* what is printed with --json */
};

/* ---- requests ---- */

/* Answers to nobody's question (pings) are passed over. */
static enum vn_status wait_answer(struct session *c, struct vn_bus_message *m, struct vn_error *err)
{
    uint64_t until = vn_clock_monotonic_ns() + ANSWER_MS * UINT64_C(1000000);
    for (uint64_t now; (now = vn_clock_monotonic_ns()) < until;) {
        while (vn_bus_client_recv(c->bus, m) == VN_OK) {
            if (m->correlation == c->correlation)
                return VN_OK;
            vn_bus_message_fini(m);
        }
        struct pollfd p = {.fd = vn_bus_client_fd(c->bus), .events = POLLIN};
        poll(&p, 1, (int)((until - now) / 1000000 > 100 ? 100 : (until - now) / 1000000));
    }
    return vn_fail(err, VN_ERR_TIMEOUT, "The scheduler does not answer; is a coordinator running on this machine? (see --port and --bus)");
}

static enum vn_status take_error(const struct vn_bus_message *m, struct vn_error *err)
{
    Venus__Bus__V1__Error *e = venus__bus__v1__error__unpack(NULL, m->body_len, m->body);
    enum vn_status st = e && e->status > VN_OK && e->status < VN_STATUS_COUNT ? (enum vn_status)e->status : VN_ERR_PEER;
    st = vn_fail(err, st, "%.400s", e ? e->text : "The scheduler's error does not parse");
    venus__bus__v1__error__free_unpacked(e, NULL);
    return st;
}

/* The answer's bytes are in *m, to be given back by vn_bus_message_fini. */
static enum vn_status ask(struct session *c, uint16_t kind, const ProtobufCMessage *q, struct vn_bus_message *m, struct vn_error *err)
{
    size_t n = protobuf_c_message_get_packed_size(q);
    uint8_t *body = malloc(n + 1);
    if (!body)
        return vn_fail(err, VN_ERR_MEMORY, "no memory");
    protobuf_c_message_pack(q, body);
    struct vn_bus_message out = {.kind = kind, .correlation = ++c->correlation, .body = body, .body_len = n};
    enum vn_status st = vn_bus_client_send(c->bus, &out);
    free(body);
    if (st != VN_OK)
        return vn_fail(err, st, "The request cannot be sent");
    st = wait_answer(c, m, err);
    if (st == VN_OK && m->kind == VN_KIND_ERROR) {
        st = take_error(m, err);
        vn_bus_message_fini(m);
    }
    return st;
}

static enum vn_status garbled(struct vn_error *err) { return vn_fail(err, VN_ERR_FORMAT, "The scheduler's answer does not parse"); }

static enum vn_status hello(struct session *c, struct vn_error *err)
{
    Venus__Bus__V1__Hello q = VENUS__BUS__V1__HELLO__INIT;
    struct vn_bus_message m;
    q.role = VENUS__BUS__V1__HELLO__ROLE__ROLE_ADMIN;
    q.version = (char *)(uintptr_t)VN_VERSION;
    enum vn_status st = ask(c, VN_KIND_HELLO, &q.base, &m, err);
    if (st == VN_OK)
        vn_bus_message_fini(&m);
    return st;
}

/* ---- output ---- */

/* Foreign text on a terminal: what could steer it becomes '?'. */
static const char *plain(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; text[n] && n < size - 1; n++)
        out[n] = (unsigned char)text[n] < 0x20 || text[n] == 0x7f ? '?' : text[n];
    out[n] = 0;
    return out;
}

static void format_time(char out[32], int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    if (seconds <= 0 || !gmtime_r(&t, &tm) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        strcpy(out, "-");
}

static void add_job(struct session *c, cJSON *to, const Zisk__Distributed__Api__V1__JobStatus *j)
{
    char started[32], id[64], state[64], label[260];
    format_time(started, (int64_t)j->start_time);
    if (!c->settings->json) {
        printf("%-36s  %-24s  %-20s  %8.1f s  %2zu workers  %s\n", plain(j->job_id, id, sizeof id), plain(j->state, state, sizeof state), started,
               (double)j->duration_ms / 1000, j->n_assigned_workers, plain(j->data_id, label, sizeof label));
        return;
    }
    cJSON_AddStringToObject(to, "job_id", j->job_id);
    cJSON_AddStringToObject(to, "data_id", j->data_id);
    cJSON_AddStringToObject(to, "state", j->state);
    cJSON_AddStringToObject(to, "phase", j->phase);
    cJSON_AddNumberToObject(to, "start_time", (double)j->start_time);
    cJSON_AddNumberToObject(to, "duration_ms", (double)j->duration_ms);
    cJSON *workers = cJSON_AddArrayToObject(to, "assigned_workers");
    for (size_t i = 0; i < j->n_assigned_workers; i++)
        cJSON_AddItemToArray(workers, cJSON_CreateString(j->assigned_workers[i]));
}

static cJSON *append(cJSON *array)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddItemToArray(array, o);
    return o;
}

/* ---- commands ---- */

static enum vn_status show_system(struct session *c, struct vn_error *err)
{
    Zisk__Distributed__Api__V1__SystemStatusRequest q = ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS_REQUEST__INIT;
    struct vn_bus_message m;
    enum vn_status st = ask(c, VN_KIND_SYSTEM_STATUS, &q.base, &m, err);
    if (st != VN_OK)
        return st;
    Zisk__Distributed__Api__V1__SystemStatusResponse *r = zisk__distributed__api__v1__system_status_response__unpack(NULL, m.body_len, m.body);
    vn_bus_message_fini(&m);
    if (!r || r->result_case != ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS_RESPONSE__RESULT_STATUS) {
        st = garbled(err);
    } else if (c->settings->json) {
        cJSON_AddNumberToObject(c->json, "total_workers", r->status->total_workers);
        cJSON_AddNumberToObject(c->json, "idle_workers", r->status->idle_workers);
        cJSON_AddNumberToObject(c->json, "busy_workers", r->status->busy_workers);
        cJSON_AddNumberToObject(c->json, "compute_capacity", r->status->compute_capacity);
        cJSON_AddNumberToObject(c->json, "active_jobs", r->status->active_jobs);
    } else {
        printf("workers   %u (%u idle, %u busy)\ncapacity  %u compute units\nrunning   %u jobs\n", r->status->total_workers, r->status->idle_workers,
               r->status->busy_workers, r->status->compute_capacity, r->status->active_jobs);
    }
    zisk__distributed__api__v1__system_status_response__free_unpacked(r, NULL);
    return st;
}

static enum vn_status show_status(struct session *c, struct vn_error *err)
{
    Zisk__Distributed__Api__V1__StatusInfoRequest q = ZISK__DISTRIBUTED__API__V1__STATUS_INFO_REQUEST__INIT;
    struct vn_bus_message m;
    enum vn_status st = ask(c, VN_KIND_STATUS_INFO, &q.base, &m, err);
    if (st != VN_OK)
        return st;
    Zisk__Distributed__Api__V1__StatusInfoResponse *r = zisk__distributed__api__v1__status_info_response__unpack(NULL, m.body_len, m.body);
    vn_bus_message_fini(&m);
    char name[260], version[64];
    if (!r) {
        st = garbled(err);
    } else if (c->settings->json) {
        cJSON_AddStringToObject(c->json, "service_name", r->service_name);
        cJSON_AddStringToObject(c->json, "version", r->version);
        cJSON_AddNumberToObject(c->json, "uptime_seconds", (double)r->uptime_seconds);
    } else {
        printf("service   %s %s, up %" PRIu64 " s\n", plain(r->service_name, name, sizeof name), plain(r->version, version, sizeof version), r->uptime_seconds);
    }
    zisk__distributed__api__v1__status_info_response__free_unpacked(r, NULL);
    return st == VN_OK ? show_system(c, err) : st;
}

static enum vn_status show_jobs(struct session *c, struct vn_error *err)
{
    Zisk__Distributed__Api__V1__JobsListRequest q = ZISK__DISTRIBUTED__API__V1__JOBS_LIST_REQUEST__INIT;
    struct vn_bus_message m;
    q.active_only = !c->settings->all;
    enum vn_status st = ask(c, VN_KIND_JOBS_LIST, &q.base, &m, err);
    if (st != VN_OK)
        return st;
    Zisk__Distributed__Api__V1__JobsListResponse *r = zisk__distributed__api__v1__jobs_list_response__unpack(NULL, m.body_len, m.body);
    vn_bus_message_fini(&m);
    if (!r || r->result_case != ZISK__DISTRIBUTED__API__V1__JOBS_LIST_RESPONSE__RESULT_JOBS_LIST)
        st = garbled(err);
    cJSON *list = cJSON_AddArrayToObject(c->json, "jobs");
    for (size_t i = 0; st == VN_OK && i < r->jobs_list->n_jobs; i++)
        add_job(c, append(list), r->jobs_list->jobs[i]);
    zisk__distributed__api__v1__jobs_list_response__free_unpacked(r, NULL);
    return st;
}

static enum vn_status show_job(struct session *c, struct vn_error *err)
{
    Zisk__Distributed__Api__V1__JobStatusRequest q = ZISK__DISTRIBUTED__API__V1__JOB_STATUS_REQUEST__INIT;
    struct vn_bus_message m;
    q.job_id = (char *)(uintptr_t)c->argument;
    enum vn_status st = ask(c, VN_KIND_JOB_STATUS, &q.base, &m, err);
    if (st != VN_OK)
        return st;
    Zisk__Distributed__Api__V1__JobStatusResponse *r = zisk__distributed__api__v1__job_status_response__unpack(NULL, m.body_len, m.body);
    vn_bus_message_fini(&m);
    if (r && r->result_case == ZISK__DISTRIBUTED__API__V1__JOB_STATUS_RESPONSE__RESULT_JOB)
        add_job(c, c->json, r->job);
    else
        st = garbled(err);
    zisk__distributed__api__v1__job_status_response__free_unpacked(r, NULL);
    return st;
}

static void add_worker(struct session *c, cJSON *to, const Zisk__Distributed__Api__V1__WorkerInfo *w)
{
    char heard[32], id[132], state[64], job[64];
    uint32_t units = w->compute_capacity ? w->compute_capacity->compute_units : 0;
    format_time(heard, w->last_heartbeat ? w->last_heartbeat->seconds : 0);
    if (!c->settings->json) {
        printf("%-36s  %-24s  %5u units  %-20s  %s\n", plain(w->worker_id, id, sizeof id), plain(w->state, state, sizeof state), units, heard,
               plain(w->job_id, job, sizeof job));
        return;
    }
    cJSON_AddStringToObject(to, "worker_id", w->worker_id);
    cJSON_AddStringToObject(to, "state", w->state);
    cJSON_AddNumberToObject(to, "compute_units", units);
    cJSON_AddStringToObject(to, "last_heartbeat", heard);
    cJSON_AddStringToObject(to, "job_id", w->job_id);
    cJSON_AddBoolToObject(to, "drained", w->drained);
}

static enum vn_status show_workers(struct session *c, struct vn_error *err)
{
    Zisk__Distributed__Api__V1__WorkersListRequest q = ZISK__DISTRIBUTED__API__V1__WORKERS_LIST_REQUEST__INIT;
    struct vn_bus_message m;
    enum vn_status st = ask(c, VN_KIND_WORKERS_LIST, &q.base, &m, err);
    if (st != VN_OK)
        return st;
    Zisk__Distributed__Api__V1__WorkersListResponse *r = zisk__distributed__api__v1__workers_list_response__unpack(NULL, m.body_len, m.body);
    vn_bus_message_fini(&m);
    if (!r || r->result_case != ZISK__DISTRIBUTED__API__V1__WORKERS_LIST_RESPONSE__RESULT_WORKERS_LIST)
        st = garbled(err);
    cJSON *list = cJSON_AddArrayToObject(c->json, "workers");
    for (size_t i = 0; st == VN_OK && i < r->workers_list->n_workers; i++)
        add_worker(c, append(list), r->workers_list->workers[i]);
    zisk__distributed__api__v1__workers_list_response__free_unpacked(r, NULL);
    return st;
}

static enum vn_status drain(struct session *c, int on, struct vn_error *err)
{
    Venus__Bus__V1__DrainWorker q = VENUS__BUS__V1__DRAIN_WORKER__INIT;
    struct vn_bus_message m;
    q.worker_id = (char *)(uintptr_t)c->argument;
    q.drain = on;
    enum vn_status st = ask(c, VN_KIND_DRAIN_WORKER, &q.base, &m, err);
    if (st != VN_OK)
        return st;
    vn_bus_message_fini(&m);
    cJSON_AddStringToObject(c->json, "worker_id", c->argument);
    cJSON_AddBoolToObject(c->json, "drained", on);
    if (!c->settings->json)
        printf(on ? "%s gets no new job\n" : "%s gets jobs again\n", c->argument);
    return VN_OK;
}

static enum vn_status drain_worker(struct session *c, struct vn_error *err) { return drain(c, 1, err); }
static enum vn_status resume_worker(struct session *c, struct vn_error *err) { return drain(c, 0, err); }

static enum vn_status cancel_job(struct session *c, struct vn_error *err)
{
    Zisk__Coordinator__V1__CancelJobRequest q = ZISK__COORDINATOR__V1__CANCEL_JOB_REQUEST__INIT;
    struct vn_bus_message m;
    q.job_id = (char *)(uintptr_t)c->argument;
    enum vn_status st = ask(c, VN_KIND_CANCEL_JOB, &q.base, &m, err);
    if (st != VN_OK)
        return st;
    Zisk__Coordinator__V1__CancelJobResponse *r = zisk__coordinator__v1__cancel_job_response__unpack(NULL, m.body_len, m.body);
    vn_bus_message_fini(&m);
    if (!r) {
        st = garbled(err);
    } else {
        cJSON_AddStringToObject(c->json, "job_id", c->argument);
        cJSON_AddBoolToObject(c->json, "cancelled", r->cancelled);
        if (!c->settings->json)
            printf("%s\n", r->cancelled ? "cancelled" : "the job had ended before");
    }
    zisk__coordinator__v1__cancel_job_response__free_unpacked(r, NULL);
    return st;
}

static enum vn_status set_log_level(struct session *c, struct vn_error *err)
{
    Venus__Bus__V1__LogLevel q = VENUS__BUS__V1__LOG_LEVEL__INIT;
    struct vn_bus_message m;
    q.level = (char *)(uintptr_t)c->argument;
    enum vn_status st = ask(c, VN_KIND_LOG_LEVEL, &q.base, &m, err);
    if (st != VN_OK)
        return st;
    vn_bus_message_fini(&m);
    cJSON_AddStringToObject(c->json, "level", c->argument);
    return VN_OK;
}

/* ---- main ---- */

static const struct command {
    const char *name;
    int takes_argument;
    enum vn_status (*run)(struct session *c, struct vn_error *err);
} commands[] = {
    {"status", 0, show_status}, {"jobs", 0, show_jobs},          {"job", 1, show_job},       {"workers", 0, show_workers},
    {"drain", 1, drain_worker}, {"resume", 1, resume_worker},    {"cancel", 1, cancel_job},  {"log-level", 1, set_log_level},
};

static enum vn_status find_command(const struct command **out, const char *const *words, unsigned n, struct vn_error *err)
{
    if (n == 0)
        return vn_fail(err, VN_ERR_ARGUMENT, "a command is missing; see --help");
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, words[0]) == 0) {
            *out = &commands[i];
            if (n != 1u + (unsigned)commands[i].takes_argument)
                return vn_fail(err, VN_ERR_ARGUMENT, "%s takes %s; see --help", words[0], commands[i].takes_argument ? "one argument" : "no argument");
            return VN_OK;
        }
    return vn_fail(err, VN_ERR_ARGUMENT, "unknown command \"%.100s\"; see --help", words[0]);
}

/* Where a coordinator on that port keeps its socket. */
static void find_bus(const struct settings *c, char *out, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char path[4096];
    if (c->bus) {
        snprintf(out, size, "%s", c->bus);
        return;
    }
    if (runtime && *runtime == '/') {
        snprintf(path, sizeof path, "%s/venus-%" PRIu64 "/bus.sock", runtime, c->port);
        if (access(path, F_OK) == 0) {
            snprintf(out, size, "ipc://%s", path);
            return;
        }
    }
    snprintf(out, size, "ipc:///tmp/venus-%u-%" PRIu64 "/bus.sock", (unsigned)geteuid(), c->port);
}

static enum vn_status run(const struct settings *settings, const struct command *command, const char *argument, struct vn_error *err)
{
    char endpoint[4200];
    find_bus(settings, endpoint, sizeof endpoint);
    struct session c = {.settings = settings, .argument = argument, .json = cJSON_CreateObject()};
    enum vn_status st = c.json ? vn_bus_client_open(&c.bus, endpoint, err) : vn_fail(err, VN_ERR_MEMORY, "no memory");
    if (st == VN_OK)
        st = hello(&c, err);
    if (st == VN_OK)
        st = command->run(&c, err);
    if (st == VN_OK && settings->json) {
        char *text = cJSON_Print(c.json);
        puts(text ? text : "{}");
        free(text);
    }
    cJSON_Delete(c.json);
    vn_bus_client_close(c.bus);
    return st;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    struct vn_error err = {0};
    const char *words[2] = {0};
    const struct command *command = NULL;
    unsigned n = 0;
    int done = 0;
    enum vn_status st = vn_config_load(&spec, &settings, argc, argv, words, &n, &done, &err);
    if (st == VN_OK && !done) {
        st = find_command(&command, words, n, &err);
        if (st == VN_OK)
            st = run(&settings, command, words[1], &err);
        vn_config_fini(&spec, &settings);
    }
    if (st != VN_OK)
        fprintf(stderr, "venusctl: %s\n", err.text[0] ? err.text : vn_status_text(st));
    return vn_status_exit_code(st);
}
