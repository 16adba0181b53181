/* A scheduler for the gateway's tests: answers the bus by simple rules that the test chooses through ids in its requests,
 * and reports what it saw as JSON in StatusInfo.service_name.
 *   LaunchProof   data_id "error-N"        ERROR with vn_status N and text "told to fail: <data_id>"
 *                 data_id "silent"         no answer
 *                 otherwise                job id "<data_id>/<inputs_uri>/<length of inputs_data>"
 *   JobStatus     job_id "missing"         NOT_FOUND, otherwise state "Completed"
 *   CancelJob     cancelled = (job_id != "missing")
 *   WaitJobResult job_id "never"           no answer; "big-N": a proof of N bytes; otherwise completed
 *   WatchJob      job_id "never"           one event, then silence
 *                 job_id "flood-N"         N queued events of 16 KiB each
 *                 job_id "progress-N"      N progress events, completed, END
 *                 job_id "execute/..."     completed with 256 bytes of outputs and no proof, END
 *                 otherwise                queued, progress 1/2, progress 2/2, completed, END
 *   RegisterGuestProgram                   hash_id "elf-<length>"
 *   JobRequest                             job id "prove/<hash_id>", "execute/<hash_id>"; other kinds: UNSUPPORTED
 *   PushJobInput, PushJobHintsInput        job_id "missing": NOT_FOUND; "stuck": the second piece is not answered; StatusInfo counts pieces, bytes, ends
 *   WorkerStream  register                 accepted; id "reject": not accepted, then closed
 *                 error                    the text comes back as JobCancelled.reason; text "close" closes the stream,
 *                                          "flood": 400 answers of 2 MiB
 * argv: endpoint, optionally "strangers" (refuse who did not say HELLO; always on). Stops on SIGTERM. */
#include <czmq.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus.pb-c.h"
#include "libshared/bus.h"
#include "zisk_coordinator_api.pb-c.h"
#include "zisk_distributed_api.pb-c.h"

#define MAX_PEERS 16u

static struct vn_bus_server *server;
static struct vn_bus_peer known[MAX_PEERS];
static unsigned n_known;
static unsigned n_abandon, n_closed, n_worker, n_launch, n_hello, n_pieces, n_ends, pushed_bytes, pushed_sum, last_queue, last_hints;

static void send_bytes(const struct vn_bus_peer *to, uint16_t kind, uint64_t correlation, const uint8_t *body, size_t n)
{
    struct vn_bus_message m = {.kind = kind, .correlation = correlation, .body = body, .body_len = n};
    enum vn_status s;
    while ((s = vn_bus_server_send(server, to, &m)) == VN_ERR_BUSY)
        usleep(1000); /* a test's scheduler may wait */
    if (s != VN_OK && s != VN_ERR_NOT_FOUND)
        abort();
}

static void send_message(const struct vn_bus_peer *to, uint16_t kind, uint64_t correlation, const ProtobufCMessage *p)
{
    size_t n = protobuf_c_message_get_packed_size(p);
    uint8_t *body = malloc(n + 1);
    if (!body)
        abort();
    protobuf_c_message_pack(p, body);
    send_bytes(to, kind, correlation, body, n);
    free(body);
}

static void send_error(const struct vn_bus_peer *to, uint64_t correlation, unsigned status, const char *text)
{
    Venus__Bus__V1__Error e = VENUS__BUS__V1__ERROR__INIT;
    e.status = status;
    e.text = (char *)(uintptr_t)text;
    send_message(to, VN_KIND_ERROR, correlation, &e.base);
}

static void launch(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    n_launch++;
    Zisk__Distributed__Api__V1__LaunchProofRequest *q = zisk__distributed__api__v1__launch_proof_request__unpack(NULL, m->body_len, m->body);
    if (!q)
        abort();
    char text[600];
    unsigned status;
    last_queue = q->queue ? 1 + q->priority : 0;
    last_hints = (unsigned)q->hints_mode;
    if (sscanf(q->data_id, "error-%u", &status) == 1) {
        snprintf(text, sizeof text, "told to fail: %.200s", q->data_id);
        send_error(from, m->correlation, status, text);
    } else if (strcmp(q->data_id, "silent") != 0) {
        const char *uri = q->inputs_uri_presence_case == ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INPUTS_URI_PRESENCE_INPUTS_URI ? q->inputs_uri : "-";
        size_t inline_bytes =
            q->inputs_data_presence_case == ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INPUTS_DATA_PRESENCE_INPUTS_DATA ? q->inputs_data.len : 0;
        snprintf(text, sizeof text, "%.200s/%.200s/%zu", q->data_id, uri, inline_bytes);
        Zisk__Distributed__Api__V1__LaunchProofResponse a = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_RESPONSE__INIT;
        a.result_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_RESPONSE__RESULT_JOB_ID;
        a.job_id = text;
        send_message(from, VN_KIND_REPLY, m->correlation, &a.base);
    }
    zisk__distributed__api__v1__launch_proof_request__free_unpacked(q, NULL);
}

static void status_info(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    char text[400];
    snprintf(text, sizeof text,
             "{\"abandon\":%u,\"closed\":%u,\"worker\":%u,\"launch\":%u,\"hello\":%u,\"pieces\":%u,\"ends\":%u,\"bytes\":%u,\"sum\":%u,\"queue\":%u,\"hints\":%u}",
             n_abandon, n_closed, n_worker, n_launch, n_hello, n_pieces, n_ends, pushed_bytes, pushed_sum, last_queue, last_hints);
    Zisk__Distributed__Api__V1__StatusInfoResponse a = ZISK__DISTRIBUTED__API__V1__STATUS_INFO_RESPONSE__INIT;
    a.service_name = text;
    a.version = (char *)(uintptr_t)"test";
    send_message(from, VN_KIND_REPLY, m->correlation, &a.base);
}

static void job_status(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    Zisk__Distributed__Api__V1__JobStatusRequest *q = zisk__distributed__api__v1__job_status_request__unpack(NULL, m->body_len, m->body);
    if (!q)
        abort();
    if (strcmp(q->job_id, "missing") == 0) {
        send_error(from, m->correlation, VN_ERR_NOT_FOUND, "no job missing");
    } else {
        Zisk__Distributed__Api__V1__JobStatus job = ZISK__DISTRIBUTED__API__V1__JOB_STATUS__INIT;
        job.job_id = q->job_id;
        job.state = (char *)(uintptr_t)"Completed";
        Zisk__Distributed__Api__V1__JobStatusResponse a = ZISK__DISTRIBUTED__API__V1__JOB_STATUS_RESPONSE__INIT;
        a.result_case = ZISK__DISTRIBUTED__API__V1__JOB_STATUS_RESPONSE__RESULT_JOB;
        a.job = &job;
        send_message(from, VN_KIND_REPLY, m->correlation, &a.base);
    }
    zisk__distributed__api__v1__job_status_request__free_unpacked(q, NULL);
}

static void lists(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    if (m->kind == VN_KIND_JOBS_LIST) {
        Zisk__Distributed__Api__V1__JobsList list = ZISK__DISTRIBUTED__API__V1__JOBS_LIST__INIT;
        Zisk__Distributed__Api__V1__JobsListResponse a = ZISK__DISTRIBUTED__API__V1__JOBS_LIST_RESPONSE__INIT;
        a.result_case = ZISK__DISTRIBUTED__API__V1__JOBS_LIST_RESPONSE__RESULT_JOBS_LIST;
        a.jobs_list = &list;
        send_message(from, VN_KIND_REPLY, m->correlation, &a.base);
    } else if (m->kind == VN_KIND_WORKERS_LIST) {
        Zisk__Distributed__Api__V1__ComputeCapacity capacity = ZISK__DISTRIBUTED__API__V1__COMPUTE_CAPACITY__INIT;
        capacity.compute_units = 7;
        Zisk__Distributed__Api__V1__WorkerInfo worker = ZISK__DISTRIBUTED__API__V1__WORKER_INFO__INIT;
        worker.worker_id = (char *)(uintptr_t)"w1";
        worker.state = (char *)(uintptr_t)"Idle";
        worker.compute_capacity = &capacity;
        Zisk__Distributed__Api__V1__WorkerInfo *all[] = {&worker};
        Zisk__Distributed__Api__V1__WorkersList list = ZISK__DISTRIBUTED__API__V1__WORKERS_LIST__INIT;
        list.n_workers = 1;
        list.workers = all;
        Zisk__Distributed__Api__V1__WorkersListResponse a = ZISK__DISTRIBUTED__API__V1__WORKERS_LIST_RESPONSE__INIT;
        a.result_case = ZISK__DISTRIBUTED__API__V1__WORKERS_LIST_RESPONSE__RESULT_WORKERS_LIST;
        a.workers_list = &list;
        send_message(from, VN_KIND_REPLY, m->correlation, &a.base);
    } else {
        Zisk__Distributed__Api__V1__SystemStatus status = ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS__INIT;
        status.total_workers = 3;
        status.compute_capacity = 30;
        Zisk__Distributed__Api__V1__SystemStatusResponse a = ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS_RESPONSE__INIT;
        a.result_case = ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS_RESPONSE__RESULT_STATUS;
        a.status = &status;
        send_message(from, VN_KIND_REPLY, m->correlation, &a.base);
    }
}

/* Calls `use` with a finished prove result whose proof has `bytes` bytes. */
static void with_result(size_t bytes, void (*use)(Zisk__Coordinator__V1__JobKindResponse *result, void *arg), void *arg)
{
    uint8_t outputs[256] = {0xab, 0xcd};
    uint8_t *data = malloc(bytes + 1);
    if (!data)
        abort();
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(i * 31 + i / 251);
    Zisk__Coordinator__V1__Proof proof = ZISK__COORDINATOR__V1__PROOF__INIT;
    proof.data = (ProtobufCBinaryData){bytes, data};
    proof.public_inputs = (ProtobufCBinaryData){sizeof outputs, outputs};
    proof.verification_key = (ProtobufCBinaryData){4, outputs};
    proof.proof_kind = ZISK__COORDINATOR__V1__PROOF_KIND__PROOF_KIND_STARK;
    Zisk__Coordinator__V1__ExecutionStats stats = ZISK__COORDINATOR__V1__EXECUTION_STATS__INIT;
    stats.steps = 12345;
    Zisk__Coordinator__V1__ProveResponse prove = ZISK__COORDINATOR__V1__PROVE_RESPONSE__INIT;
    prove.proof = &proof;
    prove.stats = &stats;
    Zisk__Coordinator__V1__JobKindResponse result = ZISK__COORDINATOR__V1__JOB_KIND_RESPONSE__INIT;
    result.kind_case = ZISK__COORDINATOR__V1__JOB_KIND_RESPONSE__KIND_PROVE;
    result.prove = &prove;
    use(&result, arg);
    free(data);
}

struct answer {
    const struct vn_bus_peer *to;
    uint64_t correlation;
    char *job_id;
};

static void send_wait_result(Zisk__Coordinator__V1__JobKindResponse *result, void *arg)
{
    struct answer *to = arg;
    Zisk__Coordinator__V1__JobStatusCompleted completed = ZISK__COORDINATOR__V1__JOB_STATUS_COMPLETED__INIT;
    Zisk__Coordinator__V1__JobStatus status = ZISK__COORDINATOR__V1__JOB_STATUS__INIT;
    status.status_case = ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_COMPLETED;
    status.completed = &completed;
    Zisk__Coordinator__V1__WaitJobResultResponse a = ZISK__COORDINATOR__V1__WAIT_JOB_RESULT_RESPONSE__INIT;
    a.job_id = to->job_id;
    a.job_status = &status;
    a.result = result;
    send_message(to->to, VN_KIND_REPLY, to->correlation, &a.base);
}

static void wait_job(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__WaitJobResultRequest *q = zisk__coordinator__v1__wait_job_result_request__unpack(NULL, m->body_len, m->body);
    if (!q)
        abort();
    size_t bytes = 100;
    (void)!sscanf(q->job_id, "big-%zu", &bytes);
    struct answer to = {from, m->correlation, q->job_id};
    if (strcmp(q->job_id, "never") != 0)
        with_result(bytes, send_wait_result, &to);
    zisk__coordinator__v1__wait_job_result_request__free_unpacked(q, NULL);
}

static void send_completed(Zisk__Coordinator__V1__JobKindResponse *result, void *arg)
{
    struct answer *to = arg;
    Zisk__Coordinator__V1__JobCompleted completed = ZISK__COORDINATOR__V1__JOB_COMPLETED__INIT;
    completed.job_id = to->job_id;
    completed.result = result;
    Zisk__Coordinator__V1__JobEvent e = ZISK__COORDINATOR__V1__JOB_EVENT__INIT;
    e.event_case = ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_COMPLETED;
    e.completed = &completed;
    send_message(to->to, VN_KIND_EVENT, to->correlation, &e.base);
}

static void send_progress(const struct answer *to, unsigned done, unsigned total)
{
    Zisk__Coordinator__V1__JobProgress progress = ZISK__COORDINATOR__V1__JOB_PROGRESS__INIT;
    progress.job_id = to->job_id;
    progress.phase = ZISK__COORDINATOR__V1__JOB_PHASE__JOB_PHASE_PROVE;
    progress.shards_done = done;
    progress.shards_total = total;
    progress.workers = 2;
    Zisk__Coordinator__V1__JobEvent e = ZISK__COORDINATOR__V1__JOB_EVENT__INIT;
    e.event_case = ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_PROGRESS;
    e.progress = &progress;
    send_message(to->to, VN_KIND_EVENT, to->correlation, &e.base);
}

static void watch_job(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__WatchJobRequest *q = zisk__coordinator__v1__watch_job_request__unpack(NULL, m->body_len, m->body);
    if (!q)
        abort();
    struct answer to = {from, m->correlation, q->job_id};
    unsigned n = 0;
    Zisk__Coordinator__V1__JobQueued queued = ZISK__COORDINATOR__V1__JOB_QUEUED__INIT;
    queued.job_id = q->job_id;
    Zisk__Coordinator__V1__JobEvent e = ZISK__COORDINATOR__V1__JOB_EVENT__INIT;
    e.event_case = ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_QUEUED;
    e.queued = &queued;
    if (strcmp(q->job_id, "missing") == 0) {
        send_error(from, m->correlation, VN_ERR_NOT_FOUND, "no job missing");
    } else if (sscanf(q->job_id, "flood-%u", &n) == 1) {
        char *text = malloc(16385);
        if (!text)
            abort();
        memset(text, 'x', 16384);
        text[16384] = 0;
        queued.job_id = text;
        for (unsigned i = 0; i < n; i++)
            send_message(from, VN_KIND_EVENT, m->correlation, &e.base);
        free(text);
        send_bytes(from, VN_KIND_END, m->correlation, NULL, 0);
    } else if (strncmp(q->job_id, "execute/", 8) == 0) {
        uint8_t outputs[256] = {0xab, 0xcd};
        Zisk__Coordinator__V1__ExecutionStats stats = ZISK__COORDINATOR__V1__EXECUTION_STATS__INIT;
        stats.steps = 777;
        Zisk__Coordinator__V1__ExecuteResponse execute = ZISK__COORDINATOR__V1__EXECUTE_RESPONSE__INIT;
        execute.stats = &stats;
        execute.public_outputs = (ProtobufCBinaryData){sizeof outputs, outputs};
        Zisk__Coordinator__V1__JobKindResponse result = ZISK__COORDINATOR__V1__JOB_KIND_RESPONSE__INIT;
        result.kind_case = ZISK__COORDINATOR__V1__JOB_KIND_RESPONSE__KIND_EXECUTE;
        result.execute = &execute;
        send_completed(&result, &to);
        send_bytes(from, VN_KIND_END, m->correlation, NULL, 0);
    } else if (strcmp(q->job_id, "never") == 0) {
        send_message(from, VN_KIND_EVENT, m->correlation, &e.base);
    } else {
        if (sscanf(q->job_id, "progress-%u", &n) != 1) {
            send_message(from, VN_KIND_EVENT, m->correlation, &e.base);
            n = 2;
        }
        for (unsigned i = 1; i <= n; i++)
            send_progress(&to, i, n);
        with_result(1000, send_completed, &to);
        send_bytes(from, VN_KIND_END, m->correlation, NULL, 0);
    }
    zisk__coordinator__v1__watch_job_request__free_unpacked(q, NULL);
}

static void cancel_job(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__CancelJobRequest *q = zisk__coordinator__v1__cancel_job_request__unpack(NULL, m->body_len, m->body);
    if (!q)
        abort();
    Zisk__Coordinator__V1__CancelJobResponse a = ZISK__COORDINATOR__V1__CANCEL_JOB_RESPONSE__INIT;
    a.job_id = q->job_id;
    a.cancelled = strcmp(q->job_id, "missing") != 0;
    send_message(from, VN_KIND_REPLY, m->correlation, &a.base);
    zisk__coordinator__v1__cancel_job_request__free_unpacked(q, NULL);
}

static void register_program(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__RegisterGuestProgramRequest *q = zisk__coordinator__v1__register_guest_program_request__unpack(NULL, m->body_len, m->body);
    if (!q)
        abort();
    char text[40];
    snprintf(text, sizeof text, "elf-%zu", q->zisk_elf.len);
    Zisk__Coordinator__V1__RegisterGuestProgramResponse a = ZISK__COORDINATOR__V1__REGISTER_GUEST_PROGRAM_RESPONSE__INIT;
    a.hash_id = text;
    send_message(from, VN_KIND_REPLY, m->correlation, &a.base);
    zisk__coordinator__v1__register_guest_program_request__free_unpacked(q, NULL);
}

static void job_request(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__JobRequestMessage *q = zisk__coordinator__v1__job_request_message__unpack(NULL, m->body_len, m->body);
    if (!q)
        abort();
    const Zisk__Coordinator__V1__JobKind *k = q->job_kind;
    int prove = k->kind_case == ZISK__COORDINATOR__V1__JOB_KIND__KIND_PROVE, execute = k->kind_case == ZISK__COORDINATOR__V1__JOB_KIND__KIND_EXECUTE;
    char text[200];
    snprintf(text, sizeof text, "%s/%.100s", prove ? "prove" : "execute", prove ? k->prove->hash_id : execute ? k->execute->hash_id : "");
    Zisk__Coordinator__V1__JobResponse a = ZISK__COORDINATOR__V1__JOB_RESPONSE__INIT;
    a.job_id = text;
    if (prove || execute)
        send_message(from, VN_KIND_REPLY, m->correlation, &a.base);
    else
        send_error(from, m->correlation, VN_ERR_UNSUPPORTED, "this kind of job is not served");
    zisk__coordinator__v1__job_request_message__free_unpacked(q, NULL);
}

static void push(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__PushJobInputRequest *q = zisk__coordinator__v1__push_job_input_request__unpack(NULL, m->body_len, m->body);
    if (!q)
        abort();
    if (strcmp(q->job_id, "missing") == 0) {
        send_error(from, m->correlation, VN_ERR_NOT_FOUND, "no job missing");
    } else {
        if (q->chunk) {
            n_pieces++;
            pushed_bytes += (unsigned)q->chunk->data.len;
            for (size_t i = 0; i < q->chunk->data.len; i++)
                pushed_sum = pushed_sum * 31 + q->chunk->data.data[i];
        } else {
            n_ends++;
        }
        if (strcmp(q->job_id, "stuck") != 0 || n_pieces < 2)
            send_bytes(from, VN_KIND_REPLY, m->correlation, NULL, 0);
    }
    zisk__coordinator__v1__push_job_input_request__free_unpacked(q, NULL);
}

static void worker(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    n_worker++;
    Zisk__Distributed__Api__V1__WorkerMessage *w = zisk__distributed__api__v1__worker_message__unpack(NULL, m->body_len, m->body);
    if (!w)
        abort();
    Zisk__Distributed__Api__V1__CoordinatorMessage a = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__INIT;
    if (w->payload_case == ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_REGISTER) {
        Zisk__Distributed__Api__V1__WorkerRegisterResponse r = ZISK__DISTRIBUTED__API__V1__WORKER_REGISTER_RESPONSE__INIT;
        r.worker_id = w->register_->worker_id;
        r.accepted = strcmp(w->register_->worker_id, "reject") != 0;
        a.payload_case = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_REGISTER_RESPONSE;
        a.register_response = &r;
        send_message(from, VN_KIND_COORDINATOR, m->correlation, &a.base);
        if (!r.accepted)
            send_bytes(from, VN_KIND_STREAM_CLOSED, m->correlation, NULL, 0);
    } else if (w->payload_case == ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_ERROR) {
        Zisk__Distributed__Api__V1__JobCancelled r = ZISK__DISTRIBUTED__API__V1__JOB_CANCELLED__INIT;
        r.job_id = w->error->job_id;
        r.reason = w->error->error_message;
        a.payload_case = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED;
        a.job_cancelled = &r;
        if (strcmp(r.reason, "close") == 0) {
            send_bytes(from, VN_KIND_STREAM_CLOSED, m->correlation, NULL, 0);
        } else if (strcmp(r.reason, "flood") == 0) {
            char *text = malloc((2u << 20) + 1);
            if (!text)
                abort();
            memset(text, 'y', 2u << 20);
            text[2u << 20] = 0;
            r.reason = text;
            for (unsigned i = 0; i < 400; i++)
                send_message(from, VN_KIND_COORDINATOR, m->correlation, &a.base);
            free(text);
        } else {
            send_message(from, VN_KIND_COORDINATOR, m->correlation, &a.base);
        }
    }
    zisk__distributed__api__v1__worker_message__free_unpacked(w, NULL);
}

static int greeted(const struct vn_bus_peer *p)
{
    for (unsigned i = 0; i < n_known; i++)
        if (known[i].len == p->len && memcmp(known[i].id, p->id, p->len) == 0)
            return 1;
    return 0;
}

static void handle(const struct vn_bus_peer *from, const struct vn_bus_message *m)
{
    if (m->kind == VN_KIND_HELLO) {
        n_hello++;
        if (!greeted(from) && n_known < MAX_PEERS)
            known[n_known++] = *from;
        Venus__Bus__V1__Welcome w = VENUS__BUS__V1__WELCOME__INIT;
        send_message(from, VN_KIND_WELCOME, m->correlation, &w.base);
        return;
    }
    if (!greeted(from)) {
        send_error(from, m->correlation, VN_ERR_PEER, "say HELLO first");
        return;
    }
    switch (m->kind) {
    case VN_KIND_PING:
        send_bytes(from, VN_KIND_PONG, m->correlation, NULL, 0);
        break;
    case VN_KIND_HEALTH:
        send_bytes(from, VN_KIND_REPLY, m->correlation, NULL, 0);
        break;
    case VN_KIND_LAUNCH_PROOF:
        launch(from, m);
        break;
    case VN_KIND_STATUS_INFO:
        status_info(from, m);
        break;
    case VN_KIND_JOB_STATUS:
        job_status(from, m);
        break;
    case VN_KIND_SYSTEM_STATUS:
    case VN_KIND_JOBS_LIST:
    case VN_KIND_WORKERS_LIST:
        lists(from, m);
        break;
    case VN_KIND_WAIT_JOB:
        wait_job(from, m);
        break;
    case VN_KIND_WATCH_JOB:
        watch_job(from, m);
        break;
    case VN_KIND_CANCEL_JOB:
        cancel_job(from, m);
        break;
    case VN_KIND_REGISTER_PROGRAM:
        register_program(from, m);
        break;
    case VN_KIND_JOB_REQUEST:
        job_request(from, m);
        break;
    case VN_KIND_PUSH_INPUT:
    case VN_KIND_PUSH_HINTS:
        push(from, m);
        break;
    case VN_KIND_WORKER:
        worker(from, m);
        break;
    case VN_KIND_STREAM_CLOSED:
        n_closed++;
        break;
    case VN_KIND_ABANDON:
        n_abandon++;
        break;
    default:
        fprintf(stderr, "scheduler: unexpected kind %u\n", m->kind);
        break;
    }
}

static volatile sig_atomic_t stop;
static void on_signal(int sig) { stop = sig; }

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s ENDPOINT\n", argv[0]);
        return 2;
    }
    struct vn_error err;
    const char *endpoints[] = {argv[1], NULL};
    if (vn_bus_server_open(&server, endpoints, &err) != VN_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGTERM, &sa, NULL);
    zpoller_t *poller = zpoller_new(vn_bus_server_zsock(server), NULL);
    zpoller_set_nonstop(poller, true);
    while (!stop) {
        zpoller_wait(poller, 50);
        struct vn_bus_peer from;
        struct vn_bus_message m;
        while (!stop && vn_bus_server_recv(server, &from, &m) == VN_OK) {
            handle(&from, &m);
            vn_bus_message_fini(&m);
        }
    }
    zpoller_destroy(&poller);
    vn_bus_server_close(server);
    return 0;
}
