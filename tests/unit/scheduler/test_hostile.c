/* The scheduler against peers that send anything: a gateway, an administrator, two workers and a stranger send messages of every kind at random, most of
 * them damaged, between pieces of real jobs in the wrong order. It has to answer after every batch, and a clean job has to work afterwards. */
#include <criterion/criterion.h>
#include <czmq.h>
#include <string.h>

#include "process_support.h"
#include "tests/unit/shared/hostile.h"

enum { BATCHES = 60, MESSAGES = 60, PEERS = 5, BODY_MAX = 8192 };

TestSuite(hostile, .init = setup, .fini = teardown, .timeout = 120);

static const struct {
    uint16_t kind;
    const ProtobufCMessageDescriptor *body; /* NULL: empty */
} sent[] = {
    {VN_KIND_ERROR, &venus__bus__v1__error__descriptor},
    {VN_KIND_HELLO, &venus__bus__v1__hello__descriptor},
    {VN_KIND_WELCOME, &venus__bus__v1__welcome__descriptor},
    {VN_KIND_PING, NULL},
    {VN_KIND_PONG, NULL},
    {VN_KIND_LAUNCH_PROOF, &zisk__distributed__api__v1__launch_proof_request__descriptor},
    {VN_KIND_SYSTEM_STATUS, NULL},
    {VN_KIND_STATUS_INFO, NULL},
    {VN_KIND_JOBS_LIST, &zisk__distributed__api__v1__jobs_list_request__descriptor},
    {VN_KIND_JOB_STATUS, &zisk__distributed__api__v1__job_status_request__descriptor},
    {VN_KIND_WORKERS_LIST, &zisk__distributed__api__v1__workers_list_request__descriptor},
    {VN_KIND_HEALTH, NULL},
    {VN_KIND_WATCH_JOB, &zisk__coordinator__v1__watch_job_request__descriptor},
    {VN_KIND_WAIT_JOB, &zisk__coordinator__v1__wait_job_result_request__descriptor},
    {VN_KIND_CANCEL_JOB, &zisk__coordinator__v1__cancel_job_request__descriptor},
    {VN_KIND_REGISTER_PROGRAM, &zisk__coordinator__v1__register_guest_program_request__descriptor},
    {VN_KIND_JOB_REQUEST, &zisk__coordinator__v1__job_request_message__descriptor},
    {VN_KIND_PUSH_INPUT, &zisk__coordinator__v1__push_job_input_request__descriptor},
    {VN_KIND_PUSH_HINTS, &zisk__coordinator__v1__push_job_hints_input_request__descriptor},
    {VN_KIND_DRAIN_WORKER, &venus__bus__v1__drain_worker__descriptor},
    {VN_KIND_LOG_LEVEL, &venus__bus__v1__log_level__descriptor},
    {VN_KIND_REPLY, &zisk__coordinator__v1__job_response__descriptor},
    {VN_KIND_EVENT, &zisk__coordinator__v1__job_event__descriptor},
    {VN_KIND_END, NULL},
    {VN_KIND_ABANDON, NULL},
    {VN_KIND_WORKER, &zisk__distributed__api__v1__worker_message__descriptor},
    {VN_KIND_COORDINATOR, &zisk__distributed__api__v1__coordinator_message__descriptor},
    {VN_KIND_STREAM_CLOSED, NULL},
};
enum { KINDS = sizeof sent / sizeof *sent };

static const char *texts[] = {
    job, job, "w1", "w2", "", "nobody", "input.bin", "12345678", "error", "grpc://", "file:///dev/zero", "file:///proc/version", "unix:///nonexistent/socket",
    "/etc/hostname", "a \"quoted\"\nline", "\xff\xfe\x80", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL /* a long one */,
};

/* Frames that are not a message of the bus. */
static void send_frames(struct hostile *h, struct vn_bus_client *c)
{
    zmsg_t *frames = zmsg_new();
    for (uint32_t n = 1 + hostile_below(h, 4); n; n--) {
        uint8_t bytes[40] = {'V', 'B', 1, 0, (uint8_t)hostile_below(h, 80)};
        size_t len = hostile_below(h, 2) ? VN_BUS_HEADER_BYTES : hostile_below(h, sizeof bytes);
        if (hostile_below(h, 2))
            len = hostile_edit(h, bytes, len, sizeof bytes);
        zmsg_addmem(frames, bytes, len);
    }
    zsock_t *socket = vn_bus_client_zsock(c);
    cr_assert_eq(zmsg_send(&frames, socket), 0);
}

static void send_any(struct hostile *h, struct vn_bus_client *c)
{
    static const uint8_t noise[64];
    static const uint64_t correlations[] = {0, 1, 1, 1, 2, 3, 1000, UINT64_MAX};
    unsigned i = hostile_below(h, 3) ? hostile_below(h, KINDS) : KINDS - 3; /* a third of them from worker to coordinator */
    uint8_t body[BODY_MAX];
    size_t len = sent[i].body ? hostile_message(h, body, sizeof body, sent[i].body) : hostile_below(h, 8);
    if (hostile_below(h, 2))
        len = hostile_edit(h, body, len, sizeof body);
    struct vn_bus_message m = {.kind = sent[hostile_below(h, 16) ? i : hostile_below(h, KINDS)].kind, .correlation = correlations[hostile_below(h, 8)],
                               .body = body, .body_len = len, .bulk = noise, .bulk_len = hostile_below(h, 8) ? 0 : sizeof noise};
    cr_assert_eq(vn_bus_client_send(c, &m), VN_OK);
}

/* Pieces of a real job, in any order, from either worker. */
static void send_piece(struct hostile *h, struct vn_bus_client *w, const char *id)
{
    unsigned n = hostile_below(h, 4);
    switch (hostile_below(h, 4)) {
    case 0:
        contribute(w, id, hostile_below(h, 2), n, all_shards);
        break;
    case 1:
        prove(w, id, hostile_below(h, 2), n, all_shards);
        break;
    case 2:
        aggregate(w, id, (int)hostile_below(h, 2));
        break;
    default:
        contribute(w, id, 0, 3, all_shards);
        prove(w, id, 0, 3, all_shards);
        aggregate(w, id, 1);
    }
}

/* Starts over, whatever role it claimed meanwhile; its streams end. */
static void say_hello(struct vn_bus_client *c, Venus__Bus__V1__Hello__Role role)
{
    Venus__Bus__V1__Hello hello = VENUS__BUS__V1__HELLO__INIT;
    hello.role = role;
    hello.version = "test";
    send_message(c, VN_KIND_HELLO, 3, &hello.base);
}

/* Hears everything up to the answer to a ping; takes the job's id from tasks. */
static void settle(struct vn_bus_client *c)
{
    const uint64_t mark = 77777;
    send_message(c, VN_KIND_PING, mark, NULL);
    for (int heard = 0; !heard;) {
        struct vn_bus_message m = hear(c);
        heard = m.kind == VN_KIND_PONG && m.correlation == mark;
        coordinator_message *t = m.kind == VN_KIND_COORDINATOR ? zisk__distributed__api__v1__coordinator_message__unpack(NULL, m.body_len, m.body) : NULL;
        cr_assert(m.kind != VN_KIND_COORDINATOR || t, "the scheduler sent what does not parse");
        if (t && t->payload_case == ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_EXECUTE_TASK)
            strcpy(job, t->execute_task->job_id);
        zisk__distributed__api__v1__coordinator_message__free_unpacked(t, NULL);
        vn_bus_message_fini(&m);
    }
}

static Zisk__Distributed__Api__V1__SystemStatus status(void)
{
    struct vn_bus_message m = ask(VN_KIND_SYSTEM_STATUS, NULL);
    cr_assert_eq(m.kind, VN_KIND_REPLY);
    Zisk__Distributed__Api__V1__SystemStatusResponse *r = zisk__distributed__api__v1__system_status_response__unpack(NULL, m.body_len, m.body);
    cr_assert(r && r->result_case == ZISK__DISTRIBUTED__API__V1__SYSTEM_STATUS_RESPONSE__RESULT_STATUS);
    Zisk__Distributed__Api__V1__SystemStatus s = *r->status;
    zisk__distributed__api__v1__system_status_response__free_unpacked(r, NULL);
    vn_bus_message_fini(&m);
    return s;
}

static void cancel_all(void)
{
    Zisk__Distributed__Api__V1__JobsListRequest active = ZISK__DISTRIBUTED__API__V1__JOBS_LIST_REQUEST__INIT;
    active.active_only = 1;
    struct vn_bus_message m = ask(VN_KIND_JOBS_LIST, &active.base);
    Zisk__Distributed__Api__V1__JobsListResponse *jobs = zisk__distributed__api__v1__jobs_list_response__unpack(NULL, m.body_len, m.body);
    cr_assert_not_null(jobs);
    for (size_t i = 0; i < jobs->jobs_list->n_jobs; i++) {
        Zisk__Coordinator__V1__CancelJobRequest q = ZISK__COORDINATOR__V1__CANCEL_JOB_REQUEST__INIT;
        q.job_id = jobs->jobs_list->jobs[i]->job_id;
        struct vn_bus_message answer = ask(VN_KIND_CANCEL_JOB, &q.base);
        vn_bus_message_fini(&answer);
    }
    zisk__distributed__api__v1__jobs_list_response__free_unpacked(jobs, NULL);
    vn_bus_message_fini(&m);
}

/* As if nothing had been. */
static void a_clean_job_works(void)
{
    struct vn_bus_client *w = worker_open("w1", 2), *admin = connect_as(VENUS__BUS__V1__HELLO__ROLE__ROLE_ADMIN);
    Venus__Bus__V1__DrainWorker resume = VENUS__BUS__V1__DRAIN_WORKER__INIT; /* somebody may have drained it */
    resume.worker_id = "w1";
    send_message(admin, VN_KIND_DRAIN_WORKER, 1, &resume.base);
    struct vn_bus_message m = hear(admin);
    cr_assert_eq(m.kind, VN_KIND_REPLY);
    vn_bus_message_fini(&m);
    Zisk__Distributed__Api__V1__SystemStatus s = status();
    cr_assert(s.idle_workers == 1 && s.busy_workers == 0 && s.active_jobs == 0 && s.compute_capacity == 2);
    launch(2);
    run_alone(w);
    Zisk__Coordinator__V1__WaitJobResultResponse *r = wait_result(10);
    cr_assert(r->job_status->status_case == ZISK__COORDINATOR__V1__JOB_STATUS__STATUS_COMPLETED && r->result->prove->proof->data.len == 6);
    zisk__coordinator__v1__wait_job_result_response__free_unpacked(r, NULL);
    vn_bus_client_close(admin);
    vn_bus_client_close(w);
}

static void attack(uint64_t seed)
{
    static char longest[1000];
    memset(longest, 'x', sizeof longest - 1);
    texts[sizeof texts / sizeof *texts - 1] = longest;
    struct hostile h = {.state = seed, .texts = texts, .n_texts = sizeof texts / sizeof *texts};
    static const Venus__Bus__V1__Hello__Role roles[PEERS - 1] = {VENUS__BUS__V1__HELLO__ROLE__ROLE_GATEWAY, VENUS__BUS__V1__HELLO__ROLE__ROLE_ADMIN,
                                                                 VENUS__BUS__V1__HELLO__ROLE__ROLE_AGENT, VENUS__BUS__V1__HELLO__ROLE__ROLE_AGENT};
    struct vn_bus_client *peers[PEERS];
    for (unsigned i = 0; i < PEERS - 1; i++)
        peers[i] = connect_as(roles[i]);
    cr_assert_eq(vn_bus_client_open(&peers[PEERS - 1], endpoint, NULL), VN_OK); /* says no Hello, unless by chance */
    Zisk__Distributed__Api__V1__LaunchProofRequest q = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INIT;
    q.data_id = "data";
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        for (unsigned i = 0; i < 2; i++) {
            worker_register(peers[2 + i], i ? "w2" : "w1", 1);
            settle(peers[2 + i]);
        }
        q.compute_capacity = 1 + batch % 2;
        send_message(peers[0], VN_KIND_LAUNCH_PROOF, 9, &q.base);
        settle(peers[0]);
        for (unsigned i = 0; i < 2; i++)
            settle(peers[2 + i]);
        for (unsigned n = 0; n < MESSAGES; n++) {
            unsigned i = hostile_below(&h, PEERS), what = hostile_below(&h, 16);
            if (what == 0)
                send_frames(&h, peers[i]);
            else if (what < 6 && (i == 2 || i == 3))
                send_piece(&h, peers[i], i == 3 ? "w2" : "w1");
            else
                send_any(&h, peers[i]);
        }
        for (unsigned i = 0; i < PEERS - 1; i++) {
            say_hello(peers[i], roles[i]);
            settle(peers[i]);
        }
        status();
    }
    for (unsigned i = 0; i < PEERS; i++)
        vn_bus_client_close(peers[i]);
    for (Zisk__Distributed__Api__V1__SystemStatus s = status(); s.idle_workers || s.busy_workers || s.active_jobs; s = status())
        cancel_all();
    a_clean_job_works();
}

Test(hostile, seed_1) { attack(1); }
Test(hostile, seed_2) { attack(2); }
