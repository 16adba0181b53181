/* venus-scheduler as a process: the test is its gateway and its workers. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process_support.h"

TestSuite(scheduler, .init = setup, .fini = teardown, .timeout = 60);

Test(scheduler, answers_pings_and_refuses_strangers)
{
    struct vn_bus_message m = ask(VN_KIND_PING, NULL);
    cr_assert_eq(m.kind, VN_KIND_PONG);
    vn_bus_message_fini(&m);
    struct vn_bus_client *c;
    cr_assert_eq(vn_bus_client_open(&c, endpoint, NULL), VN_OK);
    send_message(c, VN_KIND_HEALTH, 5, NULL);
    expect_error(hear(c), VN_ERR_PEER, "Say Hello first");
    vn_bus_client_close(c);
    expect_error(ask(VN_KIND_REPLY, NULL), VN_ERR_PEER, "kind 48");
}

Test(scheduler, two_workers_make_a_verified_proof)
{
    struct vn_bus_client *a = worker_open("w1", 1), *b = worker_open("w2", 1);
    launch(2);
    uint64_t following = watch();
    coordinator_message *t = hear_task(a, CONTRIBUTION);
    Zisk__Distributed__Api__V1__ContributionParams *p = t->execute_task->contribution_params;
    cr_assert(p && p->rank_id == 0 && p->total_workers == 2 && p->job_compute_units == 2 && p->n_worker_allocation == 1 && p->worker_allocation[0] == 0);
    cr_assert_str_eq(p->input_path, "input.bin");
    cr_assert_str_eq(p->data_id, "data");
    forget(t);
    forget(hear_task(b, CONTRIBUTION));
    contribute(a, "w1", 0, 1, (const uint32_t[]){2});
    contribute(b, "w2", 1, 2, (const uint32_t[]){1, 3});
    t = hear_task(a, PROVE);
    cr_assert_eq(t->execute_task->prove_params->n_challenges, 3);
    cr_assert_eq(t->execute_task->prove_params->challenges[2]->airgroup_id, 3);
    cr_assert_eq(t->execute_task->prove_params->challenges[2]->worker_index, 1);
    forget(t);
    forget(hear_task(b, PROVE));
    prove(b, "w2", 1, 2, (const uint32_t[]){1, 3});
    t = hear_task(b, AGGREGATE);
    cr_assert(t->execute_task->agg_params->agg_proofs && t->execute_task->agg_params->agg_proofs->n_proofs == 0 && !t->execute_task->agg_params->last_proof);
    forget(t);
    prove(a, "w1", 0, 1, (const uint32_t[]){2});
    forget(worker_hear(a, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED));
    aggregate(b, "w2", 0);
    t = hear_task(b, AGGREGATE);
    cr_assert(t->execute_task->agg_params->agg_proofs->n_proofs == 1 && t->execute_task->agg_params->last_proof && t->execute_task->agg_params->final_proof);
    cr_assert_eq(t->execute_task->agg_params->agg_proofs->proofs[0]->values[1], 0x0504030201);
    forget(t);
    aggregate(b, "w2", 1);

    job_event *e = follow(following);
    cr_assert_eq(e->event_case, ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_COMPLETED);
    Zisk__Coordinator__V1__Proof *proof = e->completed->result->prove->proof;
    cr_assert(proof->data.len == 6 && memcmp(proof->data.data, "\1\2\3\4\5\6", 6) == 0);
    cr_assert(proof->public_inputs.len == 256 && proof->verification_key.len == 36 && proof->verification_key.data[35] == 2);
    cr_assert_eq(e->completed->result->prove->stats->steps, 500);
    zisk__coordinator__v1__job_event__free_unpacked(e, NULL);

    char path[160], bytes[8] = {0};
    snprintf(path, sizeof path, "%s/%s.proof", proofs, job);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f, "%s", path);
    cr_assert_eq(fread(bytes, 1, sizeof bytes, f), 6);
    fclose(f);
    cr_assert_eq(files_in(proofs), 1);

    Zisk__Coordinator__V1__WaitJobResultResponse *r = wait_result(1);
    cr_assert(r->job_status->status_case == ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_COMPLETED && r->result->prove->proof->data.len == 6);
    zisk__coordinator__v1__wait_job_result_response__free_unpacked(r, NULL);
    vn_bus_client_close(a);
    vn_bus_client_close(b);
}

Test(scheduler, a_rejected_proof_fails_the_job)
{
    write_engine("echo '{\"valid\":false,\"class\":\"invalid-proof\",\"reason\":\"wrong opening\"}'; exit 23");
    struct vn_bus_client *w = worker_open("w1", 4);
    launch(4);
    run_alone(w);
    cr_assert_str_eq(failure_text(), "execution: The final proof was not accepted: wrong opening");
    cr_assert_eq(files_in(proofs), 0);
    say_valid("exit 3");
    launch(4);
    run_alone(w);
    cr_assert_not_null(strstr(failure_text(), "ended with code 3"));
    write_engine("echo nonsense");
    launch(4);
    run_alone(w);
    cr_assert_not_null(strstr(failure_text(), "report cannot be read"));
    unlink(engine);
    launch(4);
    run_alone(w);
    cr_assert_not_null(strstr(failure_text(), "cannot start"));
    cr_assert_eq(files_in(proofs), 0);
    vn_bus_client_close(w);
}

Test(scheduler, a_verifier_is_stopped_with_its_job)
{
    write_engine("exec sleep 100");
    struct vn_bus_client *w = worker_open("w1", 4);
    launch(4);
    run_alone(w);
    usleep(200000);
    cr_assert_eq(files_in(proofs), 1);
    Zisk__Coordinator__V1__CancelJobRequest q = ZISK__COORDINATOR__V1__CANCEL_JOB_REQUEST__INIT;
    q.job_id = job;
    struct vn_bus_message m = ask(VN_KIND_CANCEL_JOB, &q.base);
    Zisk__Coordinator__V1__CancelJobResponse *r = zisk__coordinator__v1__cancel_job_response__unpack(NULL, m.body_len, m.body);
    cr_assert(r && r->cancelled);
    zisk__coordinator__v1__cancel_job_response__free_unpacked(r, NULL);
    vn_bus_message_fini(&m);
    cr_assert_eq(files_in(proofs), 0);
    m = ask(VN_KIND_CANCEL_JOB, &q.base);
    cr_assert_eq(m.body_len, 38, "a job that has ended cannot be cancelled");
    vn_bus_message_fini(&m);
    vn_bus_client_close(w);
}

Test(scheduler, requests_that_cannot_be_met)
{
    Zisk__Distributed__Api__V1__JobStatusRequest q = ZISK__DISTRIBUTED__API__V1__JOB_STATUS_REQUEST__INIT;
    q.job_id = "nobody";
    expect_error(ask(VN_KIND_JOB_STATUS, &q.base), VN_ERR_NOT_FOUND, "Job nobody not found");
    expect_error(ask(VN_KIND_WATCH_JOB, &q.base), VN_ERR_NOT_FOUND, "nobody");
    expect_error(ask(VN_KIND_WAIT_JOB, &q.base), VN_ERR_NOT_FOUND, "nobody");
    expect_error(ask(VN_KIND_CANCEL_JOB, &q.base), VN_ERR_NOT_FOUND, "nobody");
    expect_error(launch_with(1, ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_PATH, NULL, NULL), VN_ERR_ARGUMENT,
                 "Invalid request: Input mode is Uri but inputs_uri is missing");
    expect_error(launch_with(1, ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_DATA, NULL, NULL), VN_ERR_ARGUMENT,
                 "Invalid request: Input mode is Data but inputs_uri is missing");
    expect_error(launch_with(1, ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_DATA, "/nonexistent/x", NULL), VN_ERR_NOT_FOUND, "Input file not found: /nonexistent/x");
    expect_error(launch_with(1, ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_DATA, "/tmp", NULL), VN_ERR_ARGUMENT, "not a regular file");
    expect_error(launch_with(0, ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_NONE, NULL, NULL), VN_ERR_ARGUMENT, "greater than zero");
    expect_error(launch_with(5, ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_NONE, NULL, NULL), VN_ERR_CAPACITY, "have 0 idle compute units, want 5");
    Zisk__Distributed__Api__V1__LaunchProofRequest l = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INIT;
    l.compute_capacity = 1;
    l.hints_mode = ZISK__DISTRIBUTED__API__V1__HINTS_MODE__HINTS_MODE_STREAM;
    expect_error(ask(VN_KIND_LAUNCH_PROOF, &l.base), VN_ERR_ARGUMENT, "Hints mode is Stream but hints_uri is missing");
    struct vn_bus_message bad = {.kind = VN_KIND_LAUNCH_PROOF, .correlation = ++last_correlation, .body = (const uint8_t *)"\xff\xff", .body_len = 2};
    cr_assert_eq(vn_bus_client_send(gateway, &bad), VN_OK);
    expect_error(hear(gateway), VN_ERR_FORMAT, "does not parse");
}

Test(scheduler, inline_input_comes_from_the_request_or_a_file)
{
    struct vn_bus_client *w = worker_open("w1", 1);
    for (int from_file = 0; from_file < 2; from_file++) {
        char path[64];
        snprintf(path, sizeof path, "%s/in", dir);
        FILE *f = fopen(path, "w");
        fputs("from file", f);
        fclose(f);
        struct vn_bus_message m = launch_with(1, ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_DATA, path, from_file ? NULL : "inline");
        cr_assert_eq(m.kind, VN_KIND_REPLY);
        vn_bus_message_fini(&m);
        coordinator_message *t = worker_hear(w, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_EXECUTE_TASK);
        ProtobufCBinaryData *data = &t->execute_task->contribution_params->input_data;
        const char *want = from_file ? "from file" : "inline";
        cr_assert(data->len == strlen(want) && memcmp(data->data, want, data->len) == 0);
        strcpy(job, t->execute_task->job_id);
        forget(t);
        Zisk__Distributed__Api__V1__ExecuteTaskResponse r = response("w1", CONTRIBUTION);
        r.success = 0;
        r.error_message = "Input has 9 bytes, not a multiple of 8";
        respond(w, &r);
        forget(worker_hear(w, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED));
        cr_assert_str_eq(failure_text(), "input: Input has 9 bytes, not a multiple of 8");
    }
    vn_bus_client_close(w);
}

Test(scheduler, a_worker_that_vanishes_fails_its_job)
{
    struct vn_bus_client *a = worker_open("w1", 1), *b = worker_open("w2", 1);
    launch(2);
    uint64_t following = watch();
    forget(hear_task(a, CONTRIBUTION));
    forget(hear_task(b, CONTRIBUTION));
    vn_bus_client_close(a);
    job_event *e = follow(following);
    cr_assert_eq(e->event_case, ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_FAILED);
    cr_assert_not_null(strstr(e->failed->failure->execution->reason, "Worker w1 was lost"));
    zisk__coordinator__v1__job_event__free_unpacked(e, NULL);
    forget(worker_hear(b, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED));
    send_message(b, VN_KIND_STREAM_CLOSED, 1, NULL);
    vn_bus_client_close(b);
}

Test(scheduler, streams_must_introduce_themselves)
{
    struct vn_bus_client *w = connect_as(VENUS__BUS__V1__HELLO__ROLE__ROLE_AGENT);
    worker_message m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__HeartbeatAck ack = ZISK__DISTRIBUTED__API__V1__HEARTBEAT_ACK__INIT;
    ack.worker_id = "w1";
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_HEARTBEAT_ACK;
    m.heartbeat_ack = &ack;
    worker_send(w, &m);
    struct vn_bus_message r = hear(w);
    cr_assert_eq(r.kind, VN_KIND_STREAM_CLOSED);
    vn_bus_message_fini(&r);

    worker_register(w, "two words", 1);
    coordinator_message *c = worker_hear(w, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_REGISTER_RESPONSE);
    cr_assert_not(c->register_response->accepted);
    forget(c);
    r = hear(w);
    cr_assert_eq(r.kind, VN_KIND_STREAM_CLOSED);
    vn_bus_message_fini(&r);
    vn_bus_client_close(w);
}

Test(scheduler, lists_show_what_is_there)
{
    struct vn_bus_client *w = worker_open("w1", 7);
    launch(3);
    Zisk__Distributed__Api__V1__WorkersListRequest q = ZISK__DISTRIBUTED__API__V1__WORKERS_LIST_REQUEST__INIT;
    struct vn_bus_message m = ask(VN_KIND_WORKERS_LIST, &q.base);
    Zisk__Distributed__Api__V1__WorkersListResponse *r = zisk__distributed__api__v1__workers_list_response__unpack(NULL, m.body_len, m.body);
    cr_assert(r && r->workers_list->n_workers == 1 && r->workers_list->workers[0]->compute_capacity->compute_units == 7);
    cr_assert_str_eq(r->workers_list->workers[0]->state, "Computing(Contributions)");
    zisk__distributed__api__v1__workers_list_response__free_unpacked(r, NULL);
    vn_bus_message_fini(&m);

    m = ask(VN_KIND_JOBS_LIST, NULL);
    Zisk__Distributed__Api__V1__JobsListResponse *jobs = zisk__distributed__api__v1__jobs_list_response__unpack(NULL, m.body_len, m.body);
    cr_assert(jobs && jobs->jobs_list->n_jobs == 1);
    cr_assert_str_eq(jobs->jobs_list->jobs[0]->state, "Running (Contributions)");
    cr_assert_str_eq(jobs->jobs_list->jobs[0]->assigned_workers[0], "w1");
    zisk__distributed__api__v1__jobs_list_response__free_unpacked(jobs, NULL);
    vn_bus_message_fini(&m);

    m = ask(VN_KIND_SYSTEM_STATUS, NULL);
    Zisk__Distributed__Api__V1__SystemStatusResponse *s = zisk__distributed__api__v1__system_status_response__unpack(NULL, m.body_len, m.body);
    cr_assert(s && s->status->total_workers == 1 && s->status->compute_capacity == 7 && s->status->busy_workers == 1 && s->status->active_jobs == 1);
    zisk__distributed__api__v1__system_status_response__free_unpacked(s, NULL);
    vn_bus_message_fini(&m);
    m = ask(VN_KIND_STATUS_INFO, NULL);
    Zisk__Distributed__Api__V1__StatusInfoResponse *i = zisk__distributed__api__v1__status_info_response__unpack(NULL, m.body_len, m.body);
    cr_assert(i && strcmp(i->service_name, "Venus Distributed Coordinator") == 0 && i->metrics->active_connections == 1);
    zisk__distributed__api__v1__status_info_response__free_unpacked(i, NULL);
    vn_bus_message_fini(&m);

    Zisk__Coordinator__V1__WaitJobResultResponse *wait = wait_result(1);
    cr_assert_eq(wait->job_status->status_case, ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_RUNNING);
    zisk__coordinator__v1__wait_job_result_response__free_unpacked(wait, NULL);
    vn_bus_client_close(w);
}

/* ---- hints ---- */

#define HINT(code, bytes) ((uint64_t)(code) << 32 | (bytes))

static void launch_with_hints(const char *uri)
{
    Zisk__Distributed__Api__V1__LaunchProofRequest q = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INIT;
    q.compute_capacity = 1;
    q.hints_mode = ZISK__DISTRIBUTED__API__V1__HINTS_MODE__HINTS_MODE_STREAM;
    q.hints_uri_presence_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__HINTS_URI_PRESENCE_HINTS_URI;
    q.hints_uri = (char *)(uintptr_t)uri;
    struct vn_bus_message m = ask(VN_KIND_LAUNCH_PROOF, &q.base);
    cr_assert_eq(m.kind, VN_KIND_REPLY);
    Zisk__Distributed__Api__V1__LaunchProofResponse *r = zisk__distributed__api__v1__launch_proof_response__unpack(NULL, m.body_len, m.body);
    strcpy(job, r->job_id);
    zisk__distributed__api__v1__launch_proof_response__free_unpacked(r, NULL);
    vn_bus_message_fini(&m);
}

static void ack(struct vn_bus_client *c, const char *id)
{
    worker_message m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__HeartbeatAck a = ZISK__DISTRIBUTED__API__V1__HEARTBEAT_ACK__INIT;
    a.worker_id = (char *)(uintptr_t)id;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_HEARTBEAT_ACK;
    m.heartbeat_ack = &a;
    worker_send(c, &m);
}

/* Reads stream messages until END; returns the bytes of DATA. Acks marks only when told so, and counts the DATA messages. */
static size_t hear_hints(struct vn_bus_client *c, const char *id, uint8_t *bytes, size_t size, unsigned *pieces, int acks)
{
    size_t n = 0;
    *pieces = 0;
    for (uint32_t sequence = 0;;) {
        struct vn_bus_message m = hear_within(c, acks ? 10000 : 500);
        if (m.kind == 0)
            return n;
        coordinator_message *r = zisk__distributed__api__v1__coordinator_message__unpack(NULL, m.body_len, m.body);
        vn_bus_message_fini(&m);
        cr_assert_not_null(r);
        if (r->payload_case == ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_HEARTBEAT) {
            if (acks)
                ack(c, id);
            forget(r);
            continue;
        }
        cr_assert_eq(r->payload_case, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_STREAM_DATA, "%d", r->payload_case);
        Zisk__Distributed__Api__V1__StreamData *d = r->stream_data;
        cr_assert_str_eq(d->job_id, job);
        if (acks)
            cr_assert_eq(d->payload->sequence_number, sequence);
        sequence++;
        int end = d->stream_type == ZISK__DISTRIBUTED__API__V1__STREAM_TYPE__STREAM_TYPE_END;
        if (d->stream_type == ZISK__DISTRIBUTED__API__V1__STREAM_TYPE__STREAM_TYPE_DATA) {
            cr_assert_leq(n + d->payload->payload.len, size);
            memcpy(bytes + n, d->payload->payload.data, d->payload->payload.len);
            n += d->payload->payload.len;
            ++*pieces;
        }
        forget(r);
        if (end)
            return n;
    }
}

static void cancel(void)
{
    Zisk__Coordinator__V1__CancelJobRequest q = ZISK__COORDINATOR__V1__CANCEL_JOB_REQUEST__INIT;
    q.job_id = job;
    struct vn_bus_message m = ask(VN_KIND_CANCEL_JOB, &q.base);
    vn_bus_message_fini(&m);
}

Test(scheduler, hints_of_a_file_reach_every_worker_with_back_pressure)
{
    enum { WORDS = 1 << 20 };
    static uint64_t hints[WORDS];
    static uint8_t got[sizeof hints];
    hints[0] = HINT(0, 0);
    hints[1] = HINT(0xf0000, (WORDS - 3) * 8 - 3);
    for (unsigned i = 2; i < WORDS - 1; i++)
        hints[i] = i * UINT64_C(0x9e3779b97f4a7c15);
    hints[WORDS - 1] = HINT(1, 0);
    char path[64], uri[80];
    snprintf(path, sizeof path, "%s/hints", dir);
    snprintf(uri, sizeof uri, "file://%s", path);
    FILE *f = fopen(path, "w");
    cr_assert_eq(fwrite(hints, 8, WORDS, f), WORDS);
    fclose(f);
    struct vn_bus_client *w = worker_open("w1", 1);
    launch_with_hints(uri);
    coordinator_message *t = hear_task(w, CONTRIBUTION);
    cr_assert(t->execute_task->contribution_params->hints_stream);
    forget(t);
    unsigned pieces;
    size_t n = hear_hints(w, "w1", got, sizeof got, &pieces, 0);
    cr_assert(pieces >= 32 && pieces < 40, "%u pieces were sent to a worker that does not answer", pieces);
    cancel();
    forget(worker_hear(w, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED));

    launch_with_hints(path);
    forget(hear_task(w, CONTRIBUTION));
    n = hear_hints(w, "w1", got, sizeof got, &pieces, 1);
    cr_assert(n == sizeof hints && memcmp(got, hints, n) == 0);
    cancel();
    vn_bus_client_close(w);
}

Test(scheduler, hints_of_a_socket_come_packet_by_packet)
{
    char path[64], uri[80];
    snprintf(path, sizeof path, "%s/hints.sock", dir);
    snprintf(uri, sizeof uri, "unix://%s", path);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int server = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    cr_assert(bind(server, (struct sockaddr *)&a, sizeof a) == 0 && listen(server, 1) == 0);
    struct vn_bus_client *one = worker_open("w1", 1);
    launch_with_hints(uri);
    forget(hear_task(one, CONTRIBUTION));
    int source = accept(server, NULL, NULL);
    cr_assert_geq(source, 0);
    uint64_t first[] = {HINT(0, 0), HINT(0xf0000, 13), 1};
    cr_assert_eq(write(source, first, 21), 21); /* padded to whole words */
    usleep(50000);
    uint64_t second[] = {7, HINT(1, 0)};
    cr_assert_eq(write(source, second, sizeof second), (ssize_t)sizeof second);
    uint64_t got[8];
    unsigned pieces;
    first[2] = 1;
    cr_assert_eq(hear_hints(one, "w1", (uint8_t *)got, sizeof got, &pieces, 1), 40);
    cr_assert(pieces == 2 && memcmp(got, first, 21) == 0 && got[3] == 7 && got[4] == HINT(1, 0));
    close(source);
    cancel();
    forget(worker_hear(one, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED));

    launch_with_hints(uri);
    source = accept(server, NULL, NULL);
    cr_assert_eq(write(source, first, 8), 8);
    close(source);
    cr_assert_str_eq(failure_text(), "input: Hints end without END");
    close(server);
    vn_bus_client_close(one);
}

Test(scheduler, bad_sources_of_hints_fail_clearly)
{
    struct vn_bus_client *w = worker_open("w1", 1);
    static const struct {
        const char *uri;
        enum vn_status status;
        const char *text;
    } refused[] = {
        {"quic://127.0.0.1:1", VN_ERR_UNSUPPORTED, "quic:// are not supported"},
        {"http://x/y", VN_ERR_ARGUMENT, "Hints cannot come from http://x/y"},
        {"file://", VN_ERR_ARGUMENT, "has no path"},
    };
    for (unsigned i = 0; i < 3; i++) {
        Zisk__Distributed__Api__V1__LaunchProofRequest q = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INIT;
        q.compute_capacity = 1;
        q.hints_mode = ZISK__DISTRIBUTED__API__V1__HINTS_MODE__HINTS_MODE_STREAM;
        q.hints_uri_presence_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__HINTS_URI_PRESENCE_HINTS_URI;
        q.hints_uri = (char *)(uintptr_t)refused[i].uri;
        expect_error(ask(VN_KIND_LAUNCH_PROOF, &q.base), refused[i].status, refused[i].text);
    }
    launch_with_hints("/nonexistent/hints");
    cr_assert_str_eq(failure_text(), "input: Hints file /nonexistent/hints cannot be opened: No such file or directory");
    launch_with_hints("unix:///nonexistent/sock");
    cr_assert_str_eq(failure_text(), "input: Hints socket /nonexistent/sock cannot be connected: No such file or directory");
    launch_with_hints(dir);
    cr_assert_not_null(strstr(failure_text(), "not a regular file"));
    launch_with_hints("/proc/self/cmdline");
    cr_assert_not_null(strstr(failure_text(), "Hints begin with code"));
    launch_with_hints("/dev/shm/../null");
    cr_assert_not_null(strstr(failure_text(), "not a regular file"));
    vn_bus_client_close(w);
}

/* ---- the queue ---- */

static void launch_queued(uint32_t units, uint32_t priority)
{
    Zisk__Distributed__Api__V1__LaunchProofRequest q = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INIT;
    q.compute_capacity = units;
    q.queue = 1;
    q.priority = priority;
    struct vn_bus_message m = ask(VN_KIND_LAUNCH_PROOF, &q.base);
    cr_assert_eq(m.kind, VN_KIND_REPLY);
    Zisk__Distributed__Api__V1__LaunchProofResponse *r = zisk__distributed__api__v1__launch_proof_response__unpack(NULL, m.body_len, m.body);
    strcpy(job, r->job_id);
    zisk__distributed__api__v1__launch_proof_response__free_unpacked(r, NULL);
    vn_bus_message_fini(&m);
}

static int next_event(uint64_t correlation)
{
    struct vn_bus_message m = hear(gateway);
    cr_assert_eq(m.correlation, correlation);
    cr_assert_eq(m.kind, VN_KIND_EVENT);
    job_event *e = zisk__coordinator__v1__job_event__unpack(NULL, m.body_len, m.body);
    int kind = (int)e->event_case;
    zisk__coordinator__v1__job_event__free_unpacked(e, NULL);
    vn_bus_message_fini(&m);
    return kind;
}

Test(scheduler, a_queued_job_is_shown_and_starts_when_a_worker_comes)
{
    char later[37];
    launch_queued(1, 0);
    strcpy(later, job);
    launch_queued(1, 7);
    Zisk__Distributed__Api__V1__LaunchProofRequest full = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INIT;
    full.compute_capacity = 1;
    full.queue = 1;
    expect_error(ask(VN_KIND_LAUNCH_PROOF, &full.base), VN_ERR_CAPACITY, "The queue is full: 2 jobs wait");

    Zisk__Distributed__Api__V1__JobStatusRequest q = ZISK__DISTRIBUTED__API__V1__JOB_STATUS_REQUEST__INIT;
    q.job_id = job;
    struct vn_bus_message m = ask(VN_KIND_JOB_STATUS, &q.base);
    Zisk__Distributed__Api__V1__JobStatusResponse *r = zisk__distributed__api__v1__job_status_response__unpack(NULL, m.body_len, m.body);
    cr_assert(r && r->job->n_assigned_workers == 0);
    cr_assert_str_eq(r->job->state, "Queued");
    zisk__distributed__api__v1__job_status_response__free_unpacked(r, NULL);
    vn_bus_message_fini(&m);
    Zisk__Coordinator__V1__WaitJobResultResponse *wait = wait_result(1);
    cr_assert_eq(wait->job_status->status_case, ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_QUEUED);
    zisk__coordinator__v1__wait_job_result_response__free_unpacked(wait, NULL);

    uint64_t following = watch();
    cr_assert_eq(next_event(following), ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_QUEUED);
    struct vn_bus_client *w = worker_open("w1", 1);
    cr_assert_eq(next_event(following), ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_STARTED);
    run_alone(w);
    int end;
    do
        end = next_event(following);
    while (end == ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_PROGRESS);
    cr_assert_eq(end, ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_COMPLETED);
    struct vn_bus_message done = hear(gateway);
    cr_assert_eq(done.kind, VN_KIND_END);
    vn_bus_message_fini(&done);
    strcpy(job, later);
    run_alone(w);
    wait = wait_result(10);
    cr_assert_eq(wait->job_status->status_case, ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_COMPLETED);
    zisk__coordinator__v1__wait_job_result_response__free_unpacked(wait, NULL);
    vn_bus_client_close(w);
}

Test(scheduler, a_simulated_node_ends_after_prove)
{
    struct vn_bus_client *w = worker_open("w1", 1);
    Zisk__Distributed__Api__V1__LaunchProofRequest q = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INIT;
    q.compute_capacity = 2;
    q.simulated_node_presence_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__SIMULATED_NODE_PRESENCE_SIMULATED_NODE;
    q.simulated_node = 2;
    expect_error(ask(VN_KIND_LAUNCH_PROOF, &q.base), VN_ERR_ARGUMENT, "Simulated node 2 does not exist");
    q.simulated_node = 0;
    struct vn_bus_message m = ask(VN_KIND_LAUNCH_PROOF, &q.base);
    Zisk__Distributed__Api__V1__LaunchProofResponse *r = zisk__distributed__api__v1__launch_proof_response__unpack(NULL, m.body_len, m.body);
    strcpy(job, r->job_id);
    zisk__distributed__api__v1__launch_proof_response__free_unpacked(r, NULL);
    vn_bus_message_fini(&m);
    coordinator_message *t = hear_task(w, CONTRIBUTION);
    Zisk__Distributed__Api__V1__ContributionParams *p = t->execute_task->contribution_params;
    cr_assert(p->rank_id == 0 && p->total_workers == 1 && p->job_compute_units == 2 && p->n_worker_allocation == 1 && p->worker_allocation[0] == 0);
    forget(t);
    contribute(w, "w1", 0, 1, (const uint32_t[]){2});
    t = hear_task(w, PROVE);
    cr_assert_eq(t->execute_task->prove_params->n_challenges, 3);
    forget(t);
    prove(w, "w1", 0, 1, (const uint32_t[]){2});
    job_event *e = follow(watch());
    cr_assert_eq(e->event_case, ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_COMPLETED);
    cr_assert(!e->completed->result->prove->proof && e->completed->result->prove->stats->steps == 500);
    zisk__coordinator__v1__job_event__free_unpacked(e, NULL);
    forget(worker_hear(w, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED));
    cr_assert_eq(files_in(proofs), 0);
    vn_bus_client_close(w);
}

/* ---- the newer API ---- */

static char program[65];

static void register_program(void)
{
    uint8_t elf[100] = {0x7f, 'E', 'L', 'F'};
    Zisk__Coordinator__V1__RegisterGuestProgramRequest q = ZISK__COORDINATOR__V1__REGISTER_GUEST_PROGRAM_REQUEST__INIT;
    q.zisk_elf = (ProtobufCBinaryData){.len = sizeof elf, .data = elf};
    struct vn_bus_message m = ask(VN_KIND_REGISTER_PROGRAM, &q.base);
    Zisk__Coordinator__V1__RegisterGuestProgramResponse *r = zisk__coordinator__v1__register_guest_program_response__unpack(NULL, m.body_len, m.body);
    cr_assert(m.kind == VN_KIND_REPLY && r && strlen(r->hash_id) == 64);
    strcpy(program, r->hash_id);
    zisk__coordinator__v1__register_guest_program_response__free_unpacked(r, NULL);
    vn_bus_message_fini(&m);
}

static Zisk__Coordinator__V1__InputKind inline_kind(Zisk__Coordinator__V1__InputChunk *chunk, const void *bytes, size_t n)
{
    Zisk__Coordinator__V1__InputKind k = ZISK__COORDINATOR__V1__INPUT_KIND__INIT;
    zisk__coordinator__v1__input_chunk__init(chunk);
    chunk->data = (ProtobufCBinaryData){.len = n, .data = (uint8_t *)(uintptr_t)bytes};
    k.kind_case = ZISK__COORDINATOR__V1__INPUT_KIND__KIND_INLINE;
    k.inline_ = chunk;
    return k;
}

static Zisk__Coordinator__V1__InputKind uri_kind(const char *uri)
{
    Zisk__Coordinator__V1__InputKind k = ZISK__COORDINATOR__V1__INPUT_KIND__INIT;
    k.kind_case = ZISK__COORDINATOR__V1__INPUT_KIND__KIND_STREAM_URI;
    k.stream_uri = (char *)(uintptr_t)uri;
    return k;
}

static struct vn_bus_message request_prove(const char *hash_id, Zisk__Coordinator__V1__InputKind *input, Zisk__Coordinator__V1__InputKind *hints)
{
    Zisk__Coordinator__V1__ProveRequest prove_request = ZISK__COORDINATOR__V1__PROVE_REQUEST__INIT;
    Zisk__Coordinator__V1__JobKind kind = ZISK__COORDINATOR__V1__JOB_KIND__INIT;
    Zisk__Coordinator__V1__JobRequestMessage q = ZISK__COORDINATOR__V1__JOB_REQUEST_MESSAGE__INIT;
    prove_request.hash_id = (char *)(uintptr_t)hash_id;
    prove_request.input = input;
    prove_request.hints = hints;
    kind.kind_case = ZISK__COORDINATOR__V1__JOB_KIND__KIND_PROVE;
    kind.prove = &prove_request;
    q.job_kind = &kind;
    return ask(VN_KIND_JOB_REQUEST, &q.base);
}

static void take_job(struct vn_bus_message m)
{
    cr_assert_eq(m.kind, VN_KIND_REPLY);
    Zisk__Coordinator__V1__JobResponse *r = zisk__coordinator__v1__job_response__unpack(NULL, m.body_len, m.body);
    cr_assert(r && strlen(r->job_id) == 36);
    strcpy(job, r->job_id);
    zisk__coordinator__v1__job_response__free_unpacked(r, NULL);
    vn_bus_message_fini(&m);
}

static uint64_t push(uint16_t kind, const void *bytes, size_t n)
{
    Zisk__Coordinator__V1__PushJobInputRequest q = ZISK__COORDINATOR__V1__PUSH_JOB_INPUT_REQUEST__INIT; /* the same fields as for hints */
    Zisk__Coordinator__V1__InputChunk chunk = ZISK__COORDINATOR__V1__INPUT_CHUNK__INIT;
    chunk.data = (ProtobufCBinaryData){.len = n, .data = (uint8_t *)(uintptr_t)bytes};
    q.job_id = job;
    q.chunk = bytes ? &chunk : NULL;
    send_message(gateway, kind, ++last_correlation, &q.base);
    return last_correlation;
}

static void expect_reply(uint64_t correlation)
{
    struct vn_bus_message m = hear(gateway);
    cr_assert(m.kind == VN_KIND_REPLY && m.correlation == correlation, "%u", m.kind);
    vn_bus_message_fini(&m);
}

Test(scheduler, a_registered_program_travels_once_to_each_worker)
{
    register_program();
    register_program();
    cr_assert_eq(files_in(programs), 1);
    struct vn_bus_client *w = worker_open("w1", 3);
    Zisk__Coordinator__V1__InputChunk chunk;
    Zisk__Coordinator__V1__InputKind in = inline_kind(&chunk, "12345678", 8);
    for (int i = 0; i < 3; i++) {
        take_job(request_prove(program, &in, NULL));
        if (i != 1) {
            coordinator_message *m = worker_hear(w, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_PROGRAM);
            cr_assert(strcmp(m->program->hash_id, program) == 0 && m->program->elf.len == 100);
            forget(m);
        }
        coordinator_message *t = hear_task(w, CONTRIBUTION);
        Zisk__Distributed__Api__V1__ContributionParams *p = t->execute_task->contribution_params;
        cr_assert(strcmp(p->hash_id, program) == 0 && p->job_compute_units == 3 && p->input_data.len == 8 && !p->execute_only);
        forget(t);
        if (i == 1) { /* it has lost the program */
            worker_message m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
            Zisk__Distributed__Api__V1__ProgramAck a = ZISK__DISTRIBUTED__API__V1__PROGRAM_ACK__INIT;
            a.worker_id = "w1";
            a.hash_id = program;
            a.error_message = "disk full";
            m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_PROGRAM_ACK;
            m.program_ack = &a;
            worker_send(w, &m);
        }
        contribute(w, "w1", 0, 3, all_shards);
        forget(hear_task(w, PROVE));
        prove(w, "w1", 0, 3, all_shards);
        forget(hear_task(w, AGGREGATE));
        aggregate(w, "w1", 1);
        Zisk__Coordinator__V1__WaitJobResultResponse *r = wait_result(10);
        cr_assert_str_eq(r->result->prove->proof->hash_id, program);
        zisk__coordinator__v1__wait_job_result_response__free_unpacked(r, NULL);
    }
    char path[200];
    snprintf(path, sizeof path, "%s/%s.elf", programs, program);
    FILE *f = fopen(path, "a");
    fputs("more", f);
    fclose(f);
    struct vn_bus_client *other = worker_open("w2", 9);
    vn_bus_client_close(w);
    usleep(100000);
    take_job(request_prove(program, &in, NULL));
    char *text = failure_text();
    cr_assert(strstr(text, "has been changed") || strstr(text, "w1 was lost"), "%s", text);
    vn_bus_client_close(other);
}

Test(scheduler, requests_of_the_newer_api_are_checked)
{
    Zisk__Coordinator__V1__InputChunk chunk;
    Zisk__Coordinator__V1__InputKind in = inline_kind(&chunk, "12345678", 8), unset = ZISK__COORDINATOR__V1__INPUT_KIND__INIT, odd = uri_kind("ftp://x");
    char unknown[65];
    memset(unknown, 'a', 64);
    unknown[64] = 0;
    expect_error(request_prove("xyz", &in, NULL), VN_ERR_ARGUMENT, "not the id of a program");
    expect_error(request_prove(unknown, &in, NULL), VN_ERR_NOT_FOUND, "is not registered");
    expect_error(request_prove("", NULL, NULL), VN_ERR_ARGUMENT, "input must be set");
    expect_error(request_prove("", &unset, NULL), VN_ERR_ARGUMENT, "input must be set");
    expect_error(request_prove("", &odd, NULL), VN_ERR_UNSUPPORTED, "Input cannot come from ftp://x");
    expect_error(request_prove("", &in, &odd), VN_ERR_ARGUMENT, "Hints cannot come from ftp://x");
    expect_error(ask(VN_KIND_JOB_REQUEST, NULL), VN_ERR_ARGUMENT, "job_kind must be set");
    expect_error(ask(VN_KIND_REGISTER_PROGRAM, NULL), VN_ERR_ARGUMENT, "zisk_elf must not be empty");
    strcpy(job, "nobody");
    push(VN_KIND_PUSH_INPUT, "x", 1);
    expect_error(hear(gateway), VN_ERR_NOT_FOUND, "Job nobody not found");
    take_job(request_prove("", &in, NULL));
    push(VN_KIND_PUSH_INPUT, "x", 1);
    expect_error(hear(gateway), VN_ERR_ARGUMENT, "not waiting for input");
    push(VN_KIND_PUSH_HINTS, "12345678", 8);
    expect_error(hear(gateway), VN_ERR_ARGUMENT, "takes no hints");
}

Test(scheduler, an_execution_with_pushed_input_and_hints)
{
    Zisk__Coordinator__V1__InputKind pushed = uri_kind("grpc://"), hints = uri_kind("grpc://");
    Zisk__Coordinator__V1__ExecuteRequest execute = ZISK__COORDINATOR__V1__EXECUTE_REQUEST__INIT;
    Zisk__Coordinator__V1__JobKind kind = ZISK__COORDINATOR__V1__JOB_KIND__INIT;
    Zisk__Coordinator__V1__JobRequestMessage q = ZISK__COORDINATOR__V1__JOB_REQUEST_MESSAGE__INIT;
    execute.input = &pushed;
    execute.hints = &hints;
    kind.kind_case = ZISK__COORDINATOR__V1__JOB_KIND__KIND_EXECUTE;
    kind.execute = &execute;
    q.job_kind = &kind;
    struct vn_bus_client *w = worker_open("w1", 3);
    take_job(ask(VN_KIND_JOB_REQUEST, &q.base));
    Zisk__Coordinator__V1__WaitJobResultResponse *r = wait_result(1);
    cr_assert_eq(r->job_status->status_case, ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_WAITING_FOR_INPUT);
    zisk__coordinator__v1__wait_job_result_response__free_unpacked(r, NULL);

    const uint64_t first[] = {HINT(0, 0), HINT(0xf0000, 8), 5}, second[] = {HINT(1, 0)};
    uint64_t early = push(VN_KIND_PUSH_HINTS, first, sizeof first); /* stays unanswered until the workers take it */
    expect_reply(push(VN_KIND_PUSH_INPUT, "abcdefgh", 8));
    expect_reply(push(VN_KIND_PUSH_INPUT, "ijklmnop", 8));
    send_message(gateway, VN_KIND_PUSH_INPUT, ++last_correlation, &(Zisk__Coordinator__V1__PushJobInputRequest){
        PROTOBUF_C_MESSAGE_INIT(&zisk__coordinator__v1__push_job_input_request__descriptor), job, NULL}.base);
    unsigned answers = 0;
    for (struct vn_bus_message m; answers < 2; answers++) {
        m = hear(gateway);
        cr_assert(m.kind == VN_KIND_REPLY && (m.correlation == early || m.correlation == last_correlation));
        vn_bus_message_fini(&m);
    }
    coordinator_message *t = hear_task(w, CONTRIBUTION);
    Zisk__Distributed__Api__V1__ContributionParams *p = t->execute_task->contribution_params;
    cr_assert(p->execute_only && p->hints_stream && p->input_data.len == 16 && memcmp(p->input_data.data, "abcdefghijklmnop", 16) == 0);
    forget(t);
    expect_reply(push(VN_KIND_PUSH_HINTS, second, sizeof second));
    expect_reply(push(VN_KIND_PUSH_HINTS, NULL, 0));
    uint64_t got[8];
    unsigned pieces;
    cr_assert_eq(hear_hints(w, "w1", (uint8_t *)got, sizeof got, &pieces, 1), 32);
    contribute(w, "w1", 0, 0, NULL);
    r = wait_result(10);
    cr_assert(r->job_status->status_case == ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_COMPLETED && r->result->execute);
    cr_assert(r->result->execute->stats->steps == 500 && r->result->execute->public_outputs.len == 256);
    zisk__coordinator__v1__wait_job_result_response__free_unpacked(r, NULL);
    vn_bus_client_close(w);
}

/* ---- venusctl ---- */

/* Runs it with these words; its output, and its exit code. */
static const char *ctl(const char *words, int *code)
{
    static char out[4096];
    char command[512];
    snprintf(command, sizeof command, "%s --bus %s %s 2>&1", VENUSCTL, endpoint, words);
    FILE *f = popen(command, "r");
    cr_assert_not_null(f);
    size_t n = fread(out, 1, sizeof out - 1, f);
    out[n] = 0;
    int status = pclose(f);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return out;
}

static void ctl_says(const char *words, enum vn_status status, const char *text)
{
    int code;
    const char *out = ctl(words, &code);
    cr_assert_eq(code, vn_status_exit_code(status), "%s: %d %s", words, code, out);
    cr_assert_not_null(strstr(out, text), "%s: %s", words, out);
}

Test(scheduler, venusctl_shows_and_steers)
{
    struct vn_bus_client *w = worker_open("w1", 2);
    ctl_says("status", VN_OK, "workers   1 (1 idle, 0 busy)");
    ctl_says("--json status", VN_OK, "\"compute_capacity\":\t2");
    ctl_says("workers", VN_OK, "Idle");
    launch(1);
    forget(hear_task(w, CONTRIBUTION));
    ctl_says("jobs", VN_OK, "Running (Contributions)");
    ctl_says("drain w1", VN_OK, "w1 gets no new job");
    ctl_says("workers", VN_OK, "Draining(Contributions)");
    ctl_says("--json workers", VN_OK, "\"drained\":\ttrue");
    char words[64];
    snprintf(words, sizeof words, "cancel %s", job);
    ctl_says(words, VN_OK, "cancelled");
    ctl_says(words, VN_OK, "the job had ended before");
    snprintf(words, sizeof words, "--json job %s", job);
    ctl_says(words, VN_OK, "\"state\":\t\"Cancelled\"");
    forget(worker_hear(w, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED));
    expect_error(launch_with(1, ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_NONE, NULL, NULL), VN_ERR_CAPACITY, "have 0 idle");
    launch_queued(1, 0);
    ctl_says("jobs", VN_OK, "Queued");
    ctl_says("resume w1", VN_OK, "w1 gets jobs again");
    forget(hear_task(w, CONTRIBUTION));
    ctl_says("log-level error", VN_OK, "");
    ctl_says("log-level loud", VN_ERR_ARGUMENT, "Unknown log level \"loud\"");
    ctl_says("drain nobody", VN_ERR_NOT_FOUND, "Worker nobody not found");
    ctl_says("job nobody", VN_ERR_NOT_FOUND, "Job nobody not found");
    ctl_says("job", VN_ERR_ARGUMENT, "job takes one argument");
    ctl_says("dance", VN_ERR_ARGUMENT, "unknown command \"dance\"");
    Venus__Bus__V1__DrainWorker q = VENUS__BUS__V1__DRAIN_WORKER__INIT;
    q.worker_id = "w1";
    expect_error(ask(VN_KIND_DRAIN_WORKER, &q.base), VN_ERR_PERMISSION, "Only administrators");
    vn_bus_client_close(w);
}

Test(scheduler, stopping_tells_everyone)
{
    struct vn_bus_client *w = worker_open("w1", 1);
    launch(1);
    uint64_t following = watch();
    forget(hear_task(w, CONTRIBUTION));
    struct vn_bus_message first = hear(gateway); /* the watch is known before the signal comes */
    vn_bus_message_fini(&first);
    cr_assert_eq(stop(), 0);
    forget(worker_hear(w, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED));
    forget(worker_hear(w, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_SHUTDOWN));
    struct vn_bus_message m = hear(w);
    cr_assert_eq(m.kind, VN_KIND_STREAM_CLOSED);
    vn_bus_message_fini(&m);
    int cancelled = 0;
    for (;;) {
        m = hear(gateway);
        cr_assert_eq(m.correlation, following);
        if (m.kind == VN_KIND_END)
            break;
        job_event *e = zisk__coordinator__v1__job_event__unpack(NULL, m.body_len, m.body);
        cancelled = e->event_case == ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_CANCELLED;
        zisk__coordinator__v1__job_event__free_unpacked(e, NULL);
        vn_bus_message_fini(&m);
    }
    vn_bus_message_fini(&m);
    cr_assert(cancelled);
    vn_bus_client_close(w);
}

Test(flags, no_proof_is_saved_when_told_so, .init = setup_files, .timeout = 60)
{
    setenv("TMPDIR", dir, 1);
    start("--no-save-proofs", NULL);
    struct vn_bus_client *w = worker_open("w1", 1);
    launch(1);
    unsigned before = files_in(dir);
    run_alone(w);
    Zisk__Coordinator__V1__WaitJobResultResponse *r = wait_result(10);
    cr_assert(r->job_status->status_case == ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_COMPLETED && r->result->prove->proof->data.len == 6);
    zisk__coordinator__v1__wait_job_result_response__free_unpacked(r, NULL);
    cr_assert_eq(files_in(dir), before);
    vn_bus_client_close(w);
    teardown();
}

/* ---- what the outside hears ---- */

static int listen_http(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 8) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* One request, answered with 200. */
static const char *hear_http(int server)
{
    static char text[8192];
    struct pollfd p = {.fd = server, .events = POLLIN};
    cr_assert_eq(poll(&p, 1, 10000), 1, "no request came");
    int fd = accept(server, NULL, NULL);
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, text + n, sizeof text - 1 - n);
        cr_assert_gt(got, 0);
        n += (size_t)got;
        text[n] = 0;
        if (n > 2 && text[n - 1] == '}')
            break;
    }
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    cr_assert_eq(write(fd, answer, sizeof answer - 1), (ssize_t)sizeof answer - 1);
    close(fd);
    return text;
}

Test(flags, the_webhook_hears_of_ends, .init = setup_files, .timeout = 60)
{
    uint16_t port;
    int server = listen_http(&port);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/hook?job={$job_id}", port);
    start_with((const char *const[]){"--log-level", "error", "--proofs-dir", proofs, "--webhook-url", url, NULL});
    struct vn_bus_client *w = worker_open("w1", 2);
    launch(2);
    run_alone(w);
    const char *request = hear_http(server);
    char line[100], path[160];
    snprintf(line, sizeof line, "POST /hook?job=%s HTTP/1.1", job);
    cr_assert_not_null(strstr(request, line), "%s", request);
    cr_assert_not_null(strstr(request, "\"success\":true"), "%s", request);
    cr_assert_not_null(strstr(request, "\"proof\":[6,6618611909121]"), "%s", request);
    snprintf(path, sizeof path, "%s/%s.proof", proofs, job);
    cr_assert_eq(access(path, R_OK), 0, "the file is there before the notification");

    launch(2);
    forget(hear_task(w, CONTRIBUTION));
    Zisk__Coordinator__V1__CancelJobRequest q = ZISK__COORDINATOR__V1__CANCEL_JOB_REQUEST__INIT;
    q.job_id = job;
    struct vn_bus_message m = ask(VN_KIND_CANCEL_JOB, &q.base); /* tells nobody */
    vn_bus_message_fini(&m);
    forget(worker_hear(w, ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED));

    launch(2);
    forget(hear_task(w, CONTRIBUTION));
    Zisk__Distributed__Api__V1__ExecuteTaskResponse r = response("w1", CONTRIBUTION);
    r.success = 0;
    r.error_message = "Out of memory";
    respond(w, &r);
    request = hear_http(server);
    cr_assert_not_null(strstr(request, job), "%s", request);
    cr_assert_not_null(strstr(request, "\"code\":\"WORKER_FAILURE\",\"message\":\"Worker w1 failed during proof generation: Out of memory\""), "%s", request);
    vn_bus_client_close(w);
    close(server);
    teardown();
}

Test(flags, metrics_are_served_and_logs_reopened, .init = setup_files, .timeout = 60)
{
    uint16_t port;
    close(listen_http(&port)); /* free for the moment */
    char digits[8], log[64], old[64];
    snprintf(digits, sizeof digits, "%u", port);
    snprintf(log, sizeof log, "%s/log", dir);
    snprintf(old, sizeof old, "%s/log.1", dir);
    start_with((const char *const[]){"--proofs-dir", proofs, "--metrics-port", digits, "--log-file", log, NULL});
    struct vn_bus_client *w = worker_open("w1", 2);
    launch(2);
    run_alone(w);
    zisk__coordinator__v1__wait_job_result_response__free_unpacked(wait_result(10), NULL);
    usleep(300000);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static const char get[] = "GET /metrics HTTP/1.0\r\n\r\n";
    static char text[65536];
    cr_assert(connect(fd, (struct sockaddr *)&a, sizeof a) == 0 && write(fd, get, sizeof get - 1) > 0);
    size_t n = 0;
    for (ssize_t got; (got = read(fd, text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got;
    close(fd);
    static const char *const lines[] = {"venus_jobs{state=\"completed\"} 1\n", "venus_jobs_ended_total{outcome=\"completed\"} 1\n",
                                        "venus_workers{state=\"idle\"} 1\n", "venus_compute_units{state=\"idle\"} 2\n", "venus_dispatch_seconds_count 1\n",
                                        "venus_job_phase_seconds_count{phase=\"verify\"} 1\n", "venus_proven_steps_total 500\n",
                                        "venus_engine_outcomes_total{piece=\"verify\",outcome=\"ok\"} 1\n", "venus_proof_bytes_sum 6\n"};
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_assert_not_null(strstr(text, lines[i]), "%s in %s", lines[i], text);

    cr_assert_eq(rename(log, old), 0);
    cr_assert_eq(vn_child_signal(&scheduler, SIGHUP), VN_OK);
    for (int i = 0; i < 100 && access(log, R_OK) != 0; i++)
        usleep(20000);
    cr_assert_eq(access(log, R_OK), 0, "the log was not opened again");
    vn_bus_client_close(w);
    teardown();
}

Test(flags, mistakes_are_told, .init = setup_files, .timeout = 60)
{
    static const struct {
        const char *flags;
        int status;
    } cases[] = {
        {"--proofs-dir x", VN_ERR_ARGUMENT},
        {"--bus tcp://0.0.0.0:1", VN_ERR_PERMISSION},
        {"--bus ipc:///nonexistent/dir/s", VN_ERR_IO},
        {"--bus ipc://$D/s --proofs-dir /proc/nothing", VN_ERR_IO},
        {"--bus ipc://$D/s --engine /nonexistent", VN_ERR_NOT_FOUND},
        {"--bus ipc://$D/s --max-workers-per-job 0", VN_ERR_ARGUMENT},
        {"--bus ipc://$D/s --log-level loud", VN_ERR_ARGUMENT},
        {"--bus ipc://$D/s --webhook-url ftp://x", VN_ERR_ARGUMENT},
        {"--bus ipc://$D/s --webhook-url http://x --webhook-secret-file /nonexistent", VN_ERR_IO},
        {"--bus ipc://$D/s --proofs-dir x --no-save-proofs", VN_ERR_ARGUMENT},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char script[600];
        snprintf(script, sizeof script, "cd %s; D=%s; case '%s' in *--engine*) E=;; *) E=\"--engine %s\";; esac; exec %s $E %s 2>/dev/null", dir, dir, cases[i].flags, engine,
                 VENUS_SCHEDULER, cases[i].flags);
        struct vn_child c;
        char *argv[] = {"sh", "-c", script, NULL};
        int code;
        cr_assert_eq(vn_child_spawn(&c, "/bin/sh", argv, NULL, 0, NULL), VN_OK);
        cr_assert_eq(vn_child_reap(&c, &code), VN_OK);
        cr_assert_eq(code, vn_status_exit_code((enum vn_status)cases[i].status), "%s: %d", cases[i].flags, code);
    }
    remove_files();
}
