/* The small commands: look at a coordinator, follow or cancel a job, verify a proof. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libshared/process.h"
#include "services/coordinator/coordinator.h"
#include "services/coordinator/rpc.h"
#include "zisk_coordinator_api.pb-c.h"
#include "zisk_distributed_api.pb-c.h"

#define AT(member) offsetof(struct command_config, member)

struct command_config {
    char *url, *output;
    uint64_t json, all, available;
    const char *name; /* positional, borrowed */
    struct vn_rpc *rpc;
};

#define URL {.flag = "coordinator-url", .type = VN_CONFIG_STRING, .offset = AT(url), .fallback = VN_DEFAULT_URL, .value_name = "URL", .help = "the coordinator"}
#define JSON {.flag = "json", .type = VN_CONFIG_BOOL, .offset = AT(json), .help = "print JSON"}

int vn_report(const char *name, enum vn_status s, const struct vn_error *err)
{
    if (s != VN_OK)
        fprintf(stderr, "zisk-coordinator %s: %s\n", name, err->text[0] ? err->text : vn_status_text(s));
    return vn_status_exit_code(s);
}

/* Options, connection, the work, the end: the same for every command. */
static int run(const char *name, const struct vn_config_spec *spec, const char *what, int argc, char **argv,
               enum vn_status (*work)(struct command_config *c, struct vn_error *err))
{
    struct command_config c = {0};
    struct vn_error err = {0};
    const char *positional[2];
    unsigned n = 0;
    int done = 0;
    enum vn_status s = vn_config_load(spec, &c, argc, argv, positional, &n, &done, &err);
    if (s == VN_OK && !done) {
        if (n < spec->max_positional)
            s = vn_fail(&err, VN_ERR_ARGUMENT, "%s is missing; see --help", what);
        else
            c.name = n ? positional[0] : NULL;
        if (s == VN_OK)
            s = vn_rpc_open(&c.rpc, c.url, &err);
        if (s == VN_OK)
            s = work(&c, &err);
        vn_rpc_close(c.rpc);
    }
    vn_config_fini(spec, &c);
    return vn_report(name, s, &err);
}

static void print_json(cJSON *o)
{
    char *text = cJSON_PrintUnformatted(o);
    puts(text ? text : "null");
    cJSON_free(text);
    cJSON_Delete(o);
}

static enum vn_status call(struct command_config *c, const char *path, const ProtobufCMessage *q, const ProtobufCMessageDescriptor *type, void *answer,
                           struct vn_error *err)
{
    return vn_rpc_call(c->rpc, path, q, type, VN_ANSWER_NS, answer, err);
}

/* ---- status ---- */

static enum vn_status status_work(struct command_config *c, struct vn_error *err)
{
    Zisk__Distributed__Api__V1__SystemStatusRequest q = ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS_REQUEST__INIT;
    Zisk__Distributed__Api__V1__StatusInfoRequest qi = ZISK__DISTRIBUTED__API__V1__STATUS_INFO_REQUEST__INIT;
    Zisk__Distributed__Api__V1__SystemStatusResponse *a = NULL;
    Zisk__Distributed__Api__V1__StatusInfoResponse *info = NULL;
    enum vn_status s = call(c, VN_RPC_DISTRIBUTED "SystemStatus", &q.base, &zisk__distributed__api__v1__system_status_response__descriptor, &a, err);
    if (s == VN_OK)
        s = call(c, VN_RPC_DISTRIBUTED "StatusInfo", &qi.base, &zisk__distributed__api__v1__status_info_response__descriptor, &info, err);
    if (s == VN_OK && a->result_case != ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS_RESPONSE__RESULT_STATUS)
        s = vn_fail(err, VN_ERR_PEER, "the coordinator gave no status");
    if (s == VN_OK && c->json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "service_name", info->service_name);
        cJSON_AddStringToObject(o, "version", info->version);
        cJSON_AddNumberToObject(o, "uptime_seconds", (double)info->uptime_seconds);
        cJSON_AddNumberToObject(o, "total_workers", a->status->total_workers);
        cJSON_AddNumberToObject(o, "compute_capacity", a->status->compute_capacity);
        cJSON_AddNumberToObject(o, "idle_workers", a->status->idle_workers);
        cJSON_AddNumberToObject(o, "busy_workers", a->status->busy_workers);
        cJSON_AddNumberToObject(o, "active_jobs", a->status->active_jobs);
        print_json(o);
    } else if (s == VN_OK) {
        printf("%s %s, up %" PRIu64 " s\n", info->service_name, info->version, info->uptime_seconds);
        printf("workers   %" PRIu32 " (%" PRIu32 " idle, %" PRIu32 " busy)\n", a->status->total_workers, a->status->idle_workers, a->status->busy_workers);
        printf("capacity  %" PRIu32 " units\n", a->status->compute_capacity);
        printf("jobs      %" PRIu32 " active\n", a->status->active_jobs);
    }
    if (a)
        zisk__distributed__api__v1__system_status_response__free_unpacked(a, NULL);
    if (info)
        zisk__distributed__api__v1__status_info_response__free_unpacked(info, NULL);
    return s;
}

int vn_status_main(int argc, char **argv)
{
    static const struct vn_config_item items[] = {URL, JSON, {0}};
    static const struct vn_config_spec spec = {.program = "zisk-coordinator status", .usage = "zisk-coordinator status [options]",
                                               .about = "Shows a coordinator's workers, capacity and jobs.", .items = items};
    return run("status", &spec, "", argc, argv, status_work);
}

/* ---- jobs ---- */

static enum vn_status jobs_work(struct command_config *c, struct vn_error *err)
{
    Zisk__Distributed__Api__V1__JobsListRequest q = ZISK__DISTRIBUTED__API__V1__JOBS_LIST_REQUEST__INIT;
    q.active_only = !c->all;
    Zisk__Distributed__Api__V1__JobsListResponse *a = NULL;
    enum vn_status s = call(c, VN_RPC_DISTRIBUTED "JobsList", &q.base, &zisk__distributed__api__v1__jobs_list_response__descriptor, &a, err);
    if (s != VN_OK)
        return s;
    if (a->result_case != ZISK__DISTRIBUTED__API__V1__JOBS_LIST_RESPONSE__RESULT_JOBS_LIST) {
        s = vn_fail(err, VN_ERR_PEER, "the coordinator gave no list");
    } else if (c->json) {
        cJSON *list = cJSON_CreateArray();
        for (size_t i = 0; i < a->jobs_list->n_jobs; i++) {
            const Zisk__Distributed__Api__V1__JobStatus *j = a->jobs_list->jobs[i];
            cJSON *o = cJSON_CreateObject(), *workers = cJSON_CreateArray();
            cJSON_AddStringToObject(o, "job_id", j->job_id);
            cJSON_AddStringToObject(o, "data_id", j->data_id);
            cJSON_AddStringToObject(o, "phase", j->phase);
            cJSON_AddStringToObject(o, "state", j->state);
            for (size_t k = 0; k < j->n_assigned_workers; k++)
                cJSON_AddItemToArray(workers, cJSON_CreateString(j->assigned_workers[k]));
            cJSON_AddItemToObject(o, "assigned_workers", workers);
            cJSON_AddNumberToObject(o, "start_time", (double)j->start_time);
            cJSON_AddNumberToObject(o, "duration_ms", (double)j->duration_ms);
            cJSON_AddItemToArray(list, o);
        }
        print_json(list);
    } else {
        for (size_t i = 0; i < a->jobs_list->n_jobs; i++) {
            const Zisk__Distributed__Api__V1__JobStatus *j = a->jobs_list->jobs[i];
            printf("%-36s  %-24s  %2zu workers  %s\n", j->job_id, j->state, j->n_assigned_workers, j->data_id);
        }
        if (a->jobs_list->n_jobs == 0)
            puts(c->all ? "no jobs" : "no active jobs");
    }
    zisk__distributed__api__v1__jobs_list_response__free_unpacked(a, NULL);
    return s;
}

int vn_jobs_main(int argc, char **argv)
{
    static const struct vn_config_item items[] = {
        URL, JSON, {.flag = "all", .type = VN_CONFIG_BOOL, .offset = AT(all), .help = "ended jobs too, as far as they are remembered"}, {0}};
    static const struct vn_config_spec spec = {
        .program = "zisk-coordinator jobs", .usage = "zisk-coordinator jobs [options]", .about = "Lists jobs.", .items = items};
    return run("jobs", &spec, "", argc, argv, jobs_work);
}

/* ---- workers ---- */

static enum vn_status workers_work(struct command_config *c, struct vn_error *err)
{
    Zisk__Distributed__Api__V1__WorkersListRequest q = ZISK__DISTRIBUTED__API__V1__WORKERS_LIST_REQUEST__INIT;
    q.available_only = c->available != 0;
    Zisk__Distributed__Api__V1__WorkersListResponse *a = NULL;
    enum vn_status s = call(c, VN_RPC_DISTRIBUTED "WorkersList", &q.base, &zisk__distributed__api__v1__workers_list_response__descriptor, &a, err);
    if (s != VN_OK)
        return s;
    if (a->result_case != ZISK__DISTRIBUTED__API__V1__WORKERS_LIST_RESPONSE__RESULT_WORKERS_LIST) {
        s = vn_fail(err, VN_ERR_PEER, "the coordinator gave no list");
    } else {
        cJSON *list = c->json ? cJSON_CreateArray() : NULL;
        for (size_t i = 0; i < a->workers_list->n_workers; i++) {
            const Zisk__Distributed__Api__V1__WorkerInfo *w = a->workers_list->workers[i];
            uint32_t units = w->compute_capacity ? w->compute_capacity->compute_units : 0;
            long long silent = w->last_heartbeat ? (long long)time(NULL) - (long long)w->last_heartbeat->seconds : -1;
            if (c->json) {
                cJSON *o = cJSON_CreateObject();
                cJSON_AddStringToObject(o, "worker_id", w->worker_id);
                cJSON_AddStringToObject(o, "state", w->state);
                cJSON_AddNumberToObject(o, "compute_units", units);
                if (*w->job_id)
                    cJSON_AddStringToObject(o, "job_id", w->job_id);
                cJSON_AddBoolToObject(o, "drained", w->drained);
                if (w->connected_at)
                    cJSON_AddNumberToObject(o, "connected_at", (double)w->connected_at->seconds);
                if (w->last_heartbeat)
                    cJSON_AddNumberToObject(o, "last_heartbeat", (double)w->last_heartbeat->seconds);
                cJSON_AddItemToArray(list, o);
            } else {
                printf("%-36s  %-24s  %3" PRIu32 " units", w->worker_id, w->state, units);
                if (w->drained)
                    fputs("  drained", stdout);
                if (silent >= 0)
                    printf("  heard %lld s ago", silent);
                putchar('\n');
            }
        }
        if (c->json)
            print_json(list);
        else if (a->workers_list->n_workers == 0)
            puts(c->available ? "no connected workers" : "no workers");
    }
    zisk__distributed__api__v1__workers_list_response__free_unpacked(a, NULL);
    return s;
}

int vn_workers_main(int argc, char **argv)
{
    static const struct vn_config_item items[] = {
        URL, JSON, {.flag = "available", .type = VN_CONFIG_BOOL, .offset = AT(available), .help = "connected ones only"}, {0}};
    static const struct vn_config_spec spec = {
        .program = "zisk-coordinator workers", .usage = "zisk-coordinator workers [options]", .about = "Lists workers.", .items = items};
    return run("workers", &spec, "", argc, argv, workers_work);
}

/* ---- watch, cancel ---- */

static enum vn_status watch_work(struct command_config *c, struct vn_error *err)
{
    enum vn_status s = c->output ? vn_file_writable(c->output, err) : VN_OK;
    if (s != VN_OK)
        return s;
    vn_rpc_catch_interrupts();
    struct vn_follow f = {.job_id = c->name, .output = c->output, .json = (int)c->json};
    return vn_follow(c->rpc, &f, err);
}

int vn_watch_main(int argc, char **argv)
{
    static const struct vn_config_item items[] = {
        URL, JSON,
        {.flag = "output", .short_flag = 'o', .type = VN_CONFIG_STRING, .offset = AT(output), .value_name = "FILE", .help = "write the proof to this file"}, {0}};
    static const struct vn_config_spec spec = {.program = "zisk-coordinator watch", .usage = "zisk-coordinator watch JOB [options]",
                                               .about = "Follows a job to its end.", .items = items, .max_positional = 1};
    return run("watch", &spec, "the job's id", argc, argv, watch_work);
}

static enum vn_status cancel_work(struct command_config *c, struct vn_error *err)
{
    Zisk__Coordinator__V1__CancelJobRequest q = ZISK__COORDINATOR__V1__CANCEL_JOB_REQUEST__INIT;
    q.job_id = (char *)(uintptr_t)c->name;
    Zisk__Coordinator__V1__CancelJobResponse *a = NULL;
    enum vn_status s = call(c, VN_RPC_COORDINATOR "CancelJob", &q.base, &zisk__coordinator__v1__cancel_job_response__descriptor, &a, err);
    if (s != VN_OK)
        return s;
    if (c->json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "job_id", c->name);
        cJSON_AddBoolToObject(o, "cancelled", a->cancelled);
        print_json(o);
    } else {
        printf("job %s %s\n", c->name, a->cancelled ? "was cancelled" : "had already ended");
    }
    zisk__coordinator__v1__cancel_job_response__free_unpacked(a, NULL);
    return VN_OK;
}

int vn_cancel_main(int argc, char **argv)
{
    static const struct vn_config_item items[] = {URL, JSON, {0}};
    static const struct vn_config_spec spec = {.program = "zisk-coordinator cancel", .usage = "zisk-coordinator cancel JOB [options]",
                                               .about = "Cancels a job.", .items = items, .max_positional = 1};
    return run("cancel", &spec, "the job's id", argc, argv, cancel_work);
}

/* ---- verify ---- */

int vn_verify_main(int argc, char **argv)
{
    char path[PATH_MAX];
    struct vn_error err = {0};
    enum vn_status s = vn_process_sibling("venus-engine", path, sizeof path);
    char **args = calloc((size_t)argc + 2, sizeof *args);
    if (s == VN_OK && args) {
        args[0] = path;
        args[1] = (char *)(uintptr_t)"verify";
        memcpy(args + 2, argv + 1, ((size_t)argc - 1) * sizeof *args);
        execv(path, args);
        s = vn_fail(&err, VN_ERR_IO, "cannot start %s: %s", path, strerror(errno));
    } else {
        s = vn_fail(&err, VN_ERR_IO, "venus-engine is not installed beside this program");
    }
    free(args);
    return vn_report("verify", s, &err);
}
