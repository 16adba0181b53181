#include "process_support.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char dir[32], endpoint[64], engine[64], proofs[64], programs[64];
struct vn_child scheduler;
struct vn_bus_client *gateway;
uint64_t last_correlation;

/* ---- start and stop ---- */

void write_engine(const char *body)
{
    FILE *f = fopen(engine, "w");
    fprintf(f, "#!/bin/sh\n[ \"$1\" = verify ] && [ -s \"$2\" ] && [ \"$3\" = --json ] || exit 7\n%s\n", body);
    fclose(f);
    chmod(engine, 0755);
}

void say_valid(const char *extra)
{
    char body[1200], zeros[513] = {0};
    memset(zeros, '0', 512);
    snprintf(body, sizeof body, "echo '{\"valid\":true,\"steps\":500,\"public_outputs\":\"%s\",\"vk\":\"%.56s0000000100000002\",\"more\":1}'\n%s", zeros, zeros, extra);
    write_engine(body);
}

void start_with(const char *const *flags)
{
    int ready[2];
    cr_assert_eq(pipe(ready), 0);
    char *argv[32] = {"venus-scheduler", "--bus", endpoint, "--engine", engine, "--ready-fd", "3", "--phase1-timeout", "20"};
    unsigned n = 0;
    while (argv[n])
        n++;
    while (*flags)
        argv[n++] = (char *)(uintptr_t)*flags++;
    struct vn_error err;
    cr_assert_eq(vn_child_spawn(&scheduler, VENUS_SCHEDULER, argv, &ready[1], 1, &err), VN_OK, "%s", err.text);
    close(ready[1]);
    char line[7] = {0};
    cr_assert_eq(read(ready[0], line, 6), 6, "the scheduler did not start");
    cr_assert_str_eq(line, "ready\n");
    close(ready[0]);
    gateway = connect_as(VENUS__BUS__V1__HELLO__ROLE__ROLE_GATEWAY);
}

void start(const char *flag, const char *value) { start_with((const char *const[]){"--log-level", "error", flag, value, NULL}); }

void setup_files(void)
{
    strcpy(dir, "/tmp/vn-sched-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/bus", dir);
    snprintf(engine, sizeof engine, "%s/engine", dir);
    snprintf(proofs, sizeof proofs, "%s/proofs", dir);
    snprintf(programs, sizeof programs, "%s/programs", dir);
    say_valid("");
}

void setup(void)
{
    setup_files();
    start_with((const char *const[]){"--log-level", "error", "--proofs-dir", proofs, "--programs-dir", programs, "--max-queued-jobs", "2", NULL});
}

int stop(void)
{
    int code = -1;
    cr_assert_eq(vn_child_signal(&scheduler, SIGTERM), VN_OK);
    struct pollfd p = {.fd = scheduler.pidfd, .events = POLLIN};
    cr_assert_eq(poll(&p, 1, 10000), 1, "the scheduler does not stop");
    cr_assert_eq(vn_child_reap(&scheduler, &code), VN_OK);
    return code;
}

void remove_files(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

void teardown(void)
{
    vn_bus_client_close(gateway);
    if (scheduler.pidfd >= 0)
        cr_assert_eq(stop(), 0);
    remove_files();
}

/* ---- the bus ---- */

void send_message(struct vn_bus_client *c, uint16_t kind, uint64_t correlation, const ProtobufCMessage *m)
{
    size_t n = m ? protobuf_c_message_get_packed_size(m) : 0;
    uint8_t *body = malloc(n + 1);
    if (m)
        protobuf_c_message_pack(m, body);
    struct vn_bus_message out = {.kind = kind, .correlation = correlation, .body = body, .body_len = n};
    cr_assert_eq(vn_bus_client_send(c, &out), VN_OK);
    free(body);
}

/* The next message that is no ping; kind 0 when none comes in time. */
struct vn_bus_message hear_within(struct vn_bus_client *c, int ms)
{
    struct vn_bus_message m = {0};
    uint64_t until = vn_clock_monotonic_ns() + (uint64_t)ms * 1000000u;
    while (vn_clock_monotonic_ns() < until) {
        while (vn_bus_client_recv(c, &m) == VN_OK) {
            if (m.kind != VN_KIND_PING)
                return m;
            vn_bus_message_fini(&m);
        }
        struct pollfd p = {.fd = vn_bus_client_fd(c), .events = POLLIN};
        poll(&p, 1, 10);
    }
    return (struct vn_bus_message){0};
}

struct vn_bus_message hear(struct vn_bus_client *c)
{
    struct vn_bus_message m = hear_within(c, 10000);
    cr_assert_neq(m.kind, 0, "nothing was heard");
    return m;
}

struct vn_bus_client *connect_as(Venus__Bus__V1__Hello__Role role)
{
    struct vn_bus_client *c;
    cr_assert_eq(vn_bus_client_open(&c, endpoint, NULL), VN_OK);
    Venus__Bus__V1__Hello h = VENUS__BUS__V1__HELLO__INIT;
    h.role = role;
    h.version = "test";
    send_message(c, VN_KIND_HELLO, 3, &h.base);
    struct vn_bus_message m = hear(c);
    cr_assert_eq(m.kind, VN_KIND_WELCOME);
    cr_assert_eq(m.correlation, 3);
    vn_bus_message_fini(&m);
    return c;
}

struct vn_bus_message ask(uint16_t kind, const ProtobufCMessage *q)
{
    send_message(gateway, kind, ++last_correlation, q);
    struct vn_bus_message m = hear(gateway);
    cr_assert_eq(m.correlation, last_correlation);
    return m;
}

void expect_error(struct vn_bus_message m, enum vn_status status, const char *text)
{
    cr_assert_eq(m.kind, VN_KIND_ERROR, "kind %u", m.kind);
    Venus__Bus__V1__Error *e = venus__bus__v1__error__unpack(NULL, m.body_len, m.body);
    cr_assert_not_null(e);
    cr_assert_eq(e->status, (uint32_t)status, "%u %s", e->status, e->text);
    cr_assert_not_null(strstr(e->text, text), "%s", e->text);
    venus__bus__v1__error__free_unpacked(e, NULL);
    vn_bus_message_fini(&m);
}

/* ---- the gateway ---- */

struct vn_bus_message launch_with(uint32_t units, Zisk__Distributed__Api__V1__InputMode mode, const char *uri, const char *data)
{
    Zisk__Distributed__Api__V1__LaunchProofRequest q = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INIT;
    q.data_id = "data";
    q.compute_capacity = units;
    q.inputs_mode = mode;
    if (uri) {
        q.inputs_uri_presence_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INPUTS_URI_PRESENCE_INPUTS_URI;
        q.inputs_uri = (char *)(uintptr_t)uri;
    }
    if (data) {
        q.inputs_data_presence_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INPUTS_DATA_PRESENCE_INPUTS_DATA;
        q.inputs_data = (ProtobufCBinaryData){.len = strlen(data), .data = (uint8_t *)(uintptr_t)data};
    }
    return ask(VN_KIND_LAUNCH_PROOF, &q.base);
}

char job[37];

void launch(uint32_t units)
{
    struct vn_bus_message m = launch_with(units, ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_PATH, "input.bin", NULL);
    cr_assert_eq(m.kind, VN_KIND_REPLY);
    Zisk__Distributed__Api__V1__LaunchProofResponse *r = zisk__distributed__api__v1__launch_proof_response__unpack(NULL, m.body_len, m.body);
    cr_assert(r && strlen(r->job_id) == 36);
    strcpy(job, r->job_id);
    zisk__distributed__api__v1__launch_proof_response__free_unpacked(r, NULL);
    vn_bus_message_fini(&m);
}

uint64_t watch(void)
{
    Zisk__Coordinator__V1__WatchJobRequest q = ZISK__COORDINATOR__V1__WATCH_JOB_REQUEST__INIT;
    q.job_id = job;
    send_message(gateway, VN_KIND_WATCH_JOB, ++last_correlation, &q.base);
    return last_correlation;
}

/* Hears events of that watch until it ends; returns the last one. */
job_event *follow(uint64_t correlation)
{
    job_event *last = NULL;
    unsigned n = 0;
    for (;;) {
        struct vn_bus_message m = hear(gateway);
        cr_assert_eq(m.correlation, correlation);
        if (m.kind == VN_KIND_END) {
            cr_assert_not_null(last);
            vn_bus_message_fini(&m);
            return last;
        }
        cr_assert_eq(m.kind, VN_KIND_EVENT);
        zisk__coordinator__v1__job_event__free_unpacked(last, NULL);
        last = zisk__coordinator__v1__job_event__unpack(NULL, m.body_len, m.body);
        cr_assert_not_null(last);
        if (n++ == 0)
            cr_assert(last->event_case != ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_PROGRESS);
        vn_bus_message_fini(&m);
    }
}

char *failure_text(void)
{
    static char text[600];
    job_event *e = follow(watch());
    cr_assert_eq(e->event_case, ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_FAILED);
    Zisk__Coordinator__V1__JobFailure *f = e->failed->failure;
    if (f->failure_case == ZISK__COORDINATOR__V1__JOB_FAILURE__FAILURE_INPUT)
        snprintf(text, sizeof text, "input: %s", f->input->reason);
    else
        snprintf(text, sizeof text, "execution: %s", f->execution->reason);
    zisk__coordinator__v1__job_event__free_unpacked(e, NULL);
    return text;
}

Zisk__Coordinator__V1__WaitJobResultResponse *wait_result(uint32_t seconds)
{
    Zisk__Coordinator__V1__WaitJobResultRequest q = ZISK__COORDINATOR__V1__WAIT_JOB_RESULT_REQUEST__INIT;
    q.job_id = job;
    q.timeout_presence_case = ZISK__COORDINATOR__V1__WAIT_JOB_RESULT_REQUEST__TIMEOUT_PRESENCE_TIMEOUT_SECONDS;
    q.timeout_seconds = seconds;
    struct vn_bus_message m = ask(VN_KIND_WAIT_JOB, &q.base);
    cr_assert_eq(m.kind, VN_KIND_REPLY);
    Zisk__Coordinator__V1__WaitJobResultResponse *r = zisk__coordinator__v1__wait_job_result_response__unpack(NULL, m.body_len, m.body);
    vn_bus_message_fini(&m);
    return r;
}

/* ---- workers ---- */

void worker_send(struct vn_bus_client *c, worker_message *m) { send_message(c, VN_KIND_WORKER, 1, &m->base); }

coordinator_message *worker_hear(struct vn_bus_client *c, int payload)
{
    struct vn_bus_message m = hear(c);
    cr_assert_eq(m.kind, VN_KIND_COORDINATOR, "kind %u", m.kind);
    coordinator_message *r = zisk__distributed__api__v1__coordinator_message__unpack(NULL, m.body_len, m.body);
    cr_assert(r && (int)r->payload_case == payload, "payload %d", r ? (int)r->payload_case : -1);
    vn_bus_message_fini(&m);
    return r;
}

void forget(coordinator_message *m) { zisk__distributed__api__v1__coordinator_message__free_unpacked(m, NULL); }

void worker_register(struct vn_bus_client *c, const char *id, uint32_t units)
{
    worker_message m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__WorkerRegisterRequest q = ZISK__DISTRIBUTED__API__V1__WORKER_REGISTER_REQUEST__INIT;
    Zisk__Distributed__Api__V1__ComputeCapacity cap = ZISK__DISTRIBUTED__API__V1__COMPUTE_CAPACITY__INIT;
    cap.compute_units = units;
    q.worker_id = (char *)(uintptr_t)id;
    q.compute_capacity = &cap;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_REGISTER;
    m.register_ = &q;
    worker_send(c, &m);
}

struct vn_bus_client *worker_open(const char *id, uint32_t units)
{
    struct vn_bus_client *c = connect_as(VENUS__BUS__V1__HELLO__ROLE__ROLE_AGENT);
    worker_register(c, id, units);
    coordinator_message *r = worker_hear(c, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_REGISTER_RESPONSE);
    cr_assert(r->register_response->accepted && r->register_response->registered_at, "%s", r->register_response->message);
    forget(r);
    return c;
}

Zisk__Distributed__Api__V1__ExecuteTaskResponse response(const char *id, Zisk__Distributed__Api__V1__TaskType type)
{
    Zisk__Distributed__Api__V1__ExecuteTaskResponse r = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__INIT;
    r.job_id = job;
    r.worker_id = (char *)(uintptr_t)id;
    r.task_type = type;
    r.success = 1;
    return r;
}

void respond(struct vn_bus_client *c, Zisk__Distributed__Api__V1__ExecuteTaskResponse *r)
{
    worker_message m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_EXECUTE_TASK_RESPONSE;
    m.execute_task_response = r;
    worker_send(c, &m);
}

void contribute(struct vn_bus_client *c, const char *id, uint32_t rank, unsigned n, const uint32_t *shards)
{
    Zisk__Distributed__Api__V1__ExecuteTaskResponse r = response(id, ZISK__DISTRIBUTED__API__V1__TASK_TYPE__PARTIAL_CONTRIBUTION);
    Zisk__Distributed__Api__V1__ChallengesList list = ZISK__DISTRIBUTED__API__V1__CHALLENGES_LIST__INIT;
    Zisk__Distributed__Api__V1__WitnessExecInfo info = ZISK__DISTRIBUTED__API__V1__WITNESS_EXEC_INFO__INIT;
    Zisk__Distributed__Api__V1__Challenges items[4], *pointers[4];
    uint64_t leaf[9] = {0}, publics[64] = {0}, values[12] = {2, 1, 500, 0, 0, 0, 0, 0, 0, 0, 1, 2};
    for (unsigned i = 0; i < n; i++) {
        zisk__distributed__api__v1__challenges__init(&items[i]);
        items[i].worker_index = rank;
        items[i].airgroup_id = shards[i];
        items[i].n_challenge = 9;
        items[i].challenge = leaf;
        pointers[i] = &items[i];
    }
    list.n_challenges = n;
    list.challenges = pointers;
    list.witness_info = &info;
    info.n_publics = 64;
    info.publics = publics;
    info.n_proof_values = 12;
    info.proof_values = values;
    r.result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_CHALLENGES;
    r.challenges = &list;
    respond(c, &r);
}

void prove(struct vn_bus_client *c, const char *id, uint32_t rank, unsigned n, const uint32_t *shards)
{
    Zisk__Distributed__Api__V1__ExecuteTaskResponse r = response(id, ZISK__DISTRIBUTED__API__V1__TASK_TYPE__PROVE);
    Zisk__Distributed__Api__V1__ProofList list = ZISK__DISTRIBUTED__API__V1__PROOF_LIST__INIT;
    Zisk__Distributed__Api__V1__Proof items[4], *pointers[4];
    uint64_t words[2] = {5, 0x0504030201};
    for (unsigned i = 0; i < n; i++) {
        zisk__distributed__api__v1__proof__init(&items[i]);
        items[i].worker_idx = rank;
        items[i].airgroup_id = shards[i];
        items[i].n_values = 2;
        items[i].values = words;
        pointers[i] = &items[i];
    }
    list.n_proofs = n;
    list.proofs = pointers;
    r.result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_PROOFS;
    r.proofs = &list;
    respond(c, &r);
}

void aggregate(struct vn_bus_client *c, const char *id, int final)
{
    Zisk__Distributed__Api__V1__ExecuteTaskResponse r = response(id, ZISK__DISTRIBUTED__API__V1__TASK_TYPE__AGGREGATE);
    Zisk__Distributed__Api__V1__FinalProof proof = ZISK__DISTRIBUTED__API__V1__FINAL_PROOF__INIT;
    uint64_t words[2] = {6, 0x060504030201};
    proof.n_values = final ? 2 : 0;
    proof.values = words;
    proof.executed_steps = final ? 500 : 0;
    r.result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_FINAL_PROOF;
    r.final_proof = &proof;
    respond(c, &r);
}

coordinator_message *hear_task(struct vn_bus_client *c, Zisk__Distributed__Api__V1__TaskType type)
{
    coordinator_message *m = worker_hear(c, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_EXECUTE_TASK);
    cr_assert_eq(m->execute_task->task_type, type);
    cr_assert_str_eq(m->execute_task->job_id, job);
    return m;
}

const uint32_t all_shards[3] = {1, 2, 3};

/* One worker does a whole job. */
void run_alone(struct vn_bus_client *w)
{
    forget(hear_task(w, CONTRIBUTION));
    contribute(w, "w1", 0, 3, all_shards);
    forget(hear_task(w, PROVE));
    prove(w, "w1", 0, 3, all_shards);
    forget(hear_task(w, AGGREGATE));
    aggregate(w, "w1", 1);
}

unsigned files_in(const char *path)
{
    unsigned n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d)
        closedir(d);
    return n;
}
