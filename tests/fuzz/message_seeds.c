/* Conversations as tests/fuzz/scheduler.c reads them: a job from launch to the last proof, every request, the newer API. Ids are those of the fuzzed
 * process, which count up. And requests as an agent sends them to its engine, for tests/fuzz/engine.c. */
#include "tests/fuzz/seeds.h"

#include "bus.pb-c.h"
#include "engine.pb-c.h"
#include "libshared/bus.h"
#include "tests/fuzz/fuzz.h"
#include "zisk_coordinator_api.pb-c.h"
#include "zisk_distributed_api.pb-c.h"

enum { CLIENT = 0, WORKER = 1, ADMIN = 2, OUTPUT_WORDS = 64, LEAF_WORDS = 9 };

static uint8_t talk[1 << 14];
static size_t talk_len;
static char job_id[] = "00000000-0000-4000-8000-000000000001", worker_id[] = "w1";

static void say(uint8_t peer, uint8_t kind, uint8_t correlation, const ProtobufCMessage *m)
{
    size_t len = m ? protobuf_c_message_get_packed_size(m) : 0;
    must(talk_len + 5 + len <= sizeof talk);
    const uint8_t head[5] = {peer, kind, correlation, (uint8_t)len, (uint8_t)(len >> 8)};
    memcpy(talk + talk_len, head, sizeof head);
    if (m)
        protobuf_c_message_pack(m, talk + talk_len + 5);
    talk_len += 5 + len;
}

static void end_talk(const char *name)
{
    seed_write("scheduler", name, talk, talk_len);
    talk_len = 0;
}

static void hello(uint8_t peer, Venus__Bus__V1__Hello__Role role)
{
    Venus__Bus__V1__Hello m = VENUS__BUS__V1__HELLO__INIT;
    m.role = role;
    m.version = worker_id;
    say(peer, VN_KIND_HELLO, 0, &m.base);
}

static void say_worker(Zisk__Distributed__Api__V1__WorkerMessage *m)
{
    say(WORKER, VN_KIND_WORKER, 1, &m->base);
}

static void begin_talk(void)
{
    hello(CLIENT, VENUS__BUS__V1__HELLO__ROLE__ROLE_GATEWAY);
    hello(WORKER, VENUS__BUS__V1__HELLO__ROLE__ROLE_AGENT);
    Zisk__Distributed__Api__V1__WorkerMessage m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__WorkerRegisterRequest q = ZISK__DISTRIBUTED__API__V1__WORKER_REGISTER_REQUEST__INIT;
    Zisk__Distributed__Api__V1__ComputeCapacity capacity = ZISK__DISTRIBUTED__API__V1__COMPUTE_CAPACITY__INIT;
    capacity.compute_units = 4;
    q.worker_id = worker_id;
    q.compute_capacity = &capacity;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_REGISTER;
    m.register_ = &q;
    say_worker(&m);
}

static void launch(void)
{
    Zisk__Distributed__Api__V1__LaunchProofRequest q = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INIT;
    q.data_id = worker_id;
    q.compute_capacity = q.minimal_compute_capacity = 4;
    say(CLIENT, VN_KIND_LAUNCH_PROOF, 2, &q.base);
}

static void answer(Zisk__Distributed__Api__V1__ExecuteTaskResponse *a, Zisk__Distributed__Api__V1__TaskType type)
{
    Zisk__Distributed__Api__V1__WorkerMessage m = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__INIT;
    a->job_id = job_id;
    a->worker_id = worker_id;
    a->task_type = type;
    a->success = 1;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_EXECUTE_TASK_RESPONSE;
    m.execute_task_response = a;
    say_worker(&m);
}

/* One execution and one memory shard. */
static void job_talk(void)
{
    uint64_t leaf[LEAF_WORDS] = {1, 2, 3}, publics[OUTPUT_WORDS] = {7}, values[3 + LEAF_WORDS] = {1, 1, 20, 5, 6}, bytes[2] = {5, 0x0504030201};
    Zisk__Distributed__Api__V1__Challenges c[2] = {ZISK__DISTRIBUTED__API__V1__CHALLENGES__INIT, ZISK__DISTRIBUTED__API__V1__CHALLENGES__INIT};
    Zisk__Distributed__Api__V1__Proof p[2] = {ZISK__DISTRIBUTED__API__V1__PROOF__INIT, ZISK__DISTRIBUTED__API__V1__PROOF__INIT};
    Zisk__Distributed__Api__V1__Challenges *cs[2] = {&c[0], &c[1]};
    Zisk__Distributed__Api__V1__Proof *ps[2] = {&p[0], &p[1]};
    for (uint32_t i = 0; i < 2; i++) {
        c[i].airgroup_id = i + 1;
        c[i].challenge = leaf;
        c[i].n_challenge = LEAF_WORDS;
        p[i].airgroup_id = i + 1;
        p[i].values = bytes;
        p[i].n_values = 2;
    }
    begin_talk();
    launch();
    Zisk__Coordinator__V1__WatchJobRequest watch = ZISK__COORDINATOR__V1__WATCH_JOB_REQUEST__INIT;
    watch.job_id = job_id;
    say(CLIENT, VN_KIND_WATCH_JOB, 3, &watch.base);

    Zisk__Distributed__Api__V1__WitnessExecInfo info = ZISK__DISTRIBUTED__API__V1__WITNESS_EXEC_INFO__INIT;
    info.publics = publics;
    info.n_publics = OUTPUT_WORDS;
    info.proof_values = values;
    info.n_proof_values = 3 + LEAF_WORDS;
    Zisk__Distributed__Api__V1__ChallengesList list = ZISK__DISTRIBUTED__API__V1__CHALLENGES_LIST__INIT;
    list.challenges = cs;
    list.n_challenges = 2;
    list.witness_info = &info;
    Zisk__Distributed__Api__V1__ExecuteTaskResponse a = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__INIT;
    a.result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_CHALLENGES;
    a.challenges = &list;
    answer(&a, ZISK__DISTRIBUTED__API__V1__TASK_TYPE__PARTIAL_CONTRIBUTION);

    Zisk__Distributed__Api__V1__ProofList proofs = ZISK__DISTRIBUTED__API__V1__PROOF_LIST__INIT;
    proofs.proofs = ps;
    proofs.n_proofs = 2;
    a.result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_PROOFS;
    a.proofs = &proofs;
    answer(&a, ZISK__DISTRIBUTED__API__V1__TASK_TYPE__PROVE);

    Zisk__Distributed__Api__V1__FinalProof final = ZISK__DISTRIBUTED__API__V1__FINAL_PROOF__INIT;
    final.values = bytes;
    final.n_values = 2;
    final.executed_steps = 20;
    a.result_data_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_FINAL_PROOF;
    a.final_proof = &final;
    answer(&a, ZISK__DISTRIBUTED__API__V1__TASK_TYPE__AGGREGATE);
    say(CLIENT, 0, 1, NULL);
    end_talk("job");
}

static void request_talk(void)
{
    Zisk__Distributed__Api__V1__JobStatusRequest status = ZISK__DISTRIBUTED__API__V1__JOB_STATUS_REQUEST__INIT;
    Zisk__Coordinator__V1__CancelJobRequest cancel = ZISK__COORDINATOR__V1__CANCEL_JOB_REQUEST__INIT;
    Zisk__Coordinator__V1__WaitJobResultRequest wait = ZISK__COORDINATOR__V1__WAIT_JOB_RESULT_REQUEST__INIT;
    Venus__Bus__V1__DrainWorker drain = VENUS__BUS__V1__DRAIN_WORKER__INIT;
    Venus__Bus__V1__LogLevel level = VENUS__BUS__V1__LOG_LEVEL__INIT;
    char filter[] = "error,job=error";
    status.job_id = cancel.job_id = wait.job_id = job_id;
    drain.worker_id = worker_id;
    drain.drain = 1;
    level.level = filter;
    begin_talk();
    hello(ADMIN, VENUS__BUS__V1__HELLO__ROLE__ROLE_ADMIN);
    launch();
    for (uint8_t kind = VN_KIND_SYSTEM_STATUS; kind <= VN_KIND_HEALTH; kind++)
        say(CLIENT, kind, 4, kind == VN_KIND_JOB_STATUS ? &status.base : NULL);
    say(CLIENT, VN_KIND_WAIT_JOB, 5, &wait.base);
    say(ADMIN, VN_KIND_DRAIN_WORKER, 1, &drain.base);
    say(ADMIN, VN_KIND_LOG_LEVEL, 2, &level.base);
    say(CLIENT, VN_KIND_CANCEL_JOB, 6, &cancel.base);
    say(CLIENT, VN_KIND_ABANDON, 5, NULL);
    say(WORKER, VN_KIND_STREAM_CLOSED, 1, NULL);
    say(CLIENT, 0, 60, NULL);
    end_talk("requests");
}

static void newer_talk(void)
{
    char pushed[] = "grpc://x";
    uint8_t bytes[16] = {1};
    Zisk__Coordinator__V1__InputKind input = ZISK__COORDINATOR__V1__INPUT_KIND__INIT;
    input.kind_case = ZISK__COORDINATOR__V1__INPUT_KIND__KIND_STREAM_URI;
    input.stream_uri = pushed;
    Zisk__Coordinator__V1__ProveRequest prove = ZISK__COORDINATOR__V1__PROVE_REQUEST__INIT;
    prove.input = prove.hints = &input;
    Zisk__Coordinator__V1__JobKind kind = ZISK__COORDINATOR__V1__JOB_KIND__INIT;
    kind.kind_case = ZISK__COORDINATOR__V1__JOB_KIND__KIND_PROVE;
    kind.prove = &prove;
    Zisk__Coordinator__V1__JobRequestMessage job = ZISK__COORDINATOR__V1__JOB_REQUEST_MESSAGE__INIT;
    job.job_kind = &kind;
    Zisk__Coordinator__V1__InputChunk chunk = ZISK__COORDINATOR__V1__INPUT_CHUNK__INIT;
    chunk.data = (ProtobufCBinaryData){sizeof bytes, bytes};
    Zisk__Coordinator__V1__PushJobInputRequest push = ZISK__COORDINATOR__V1__PUSH_JOB_INPUT_REQUEST__INIT;
    Zisk__Coordinator__V1__PushJobHintsInputRequest hints = ZISK__COORDINATOR__V1__PUSH_JOB_HINTS_INPUT_REQUEST__INIT;
    Zisk__Coordinator__V1__RegisterGuestProgramRequest program = ZISK__COORDINATOR__V1__REGISTER_GUEST_PROGRAM_REQUEST__INIT;
    program.zisk_elf = (ProtobufCBinaryData){4, (uint8_t[]){0x7f, 'E', 'L', 'F'}};
    push.job_id = hints.job_id = job_id;
    begin_talk();
    say(CLIENT, VN_KIND_REGISTER_PROGRAM, 1, &program.base);
    say(CLIENT, VN_KIND_JOB_REQUEST, 2, &job.base);
    push.chunk = hints.chunk = &chunk;
    say(CLIENT, VN_KIND_PUSH_INPUT, 3, &push.base);
    push.chunk = NULL;
    say(CLIENT, VN_KIND_PUSH_INPUT, 3, &push.base);
    say(CLIENT, VN_KIND_PUSH_HINTS, 4, &hints.base);
    hints.chunk = NULL;
    say(CLIENT, VN_KIND_PUSH_HINTS, 4, &hints.base);
    say(CLIENT, 0, 200, NULL);
    end_talk("newer");
}

/* ---- requests to an engine ---- */

static void engine_seed(const char *name, Venus__Engine__V1__Request__WorkCase what, void *work)
{
    char elf[] = "guest.elf";
    uint8_t bytes[1024];
    Venus__Engine__V1__Common common = VENUS__ENGINE__V1__COMMON__INIT;
    Venus__Engine__V1__Request q = VENUS__ENGINE__V1__REQUEST__INIT;
    common.elf_path = elf;
    common.preallocate_percent = 90;
    q.common = &common;
    q.work_case = what;
    q.setup = work; /* the union's members are all pointers */
    must(venus__engine__v1__request__get_packed_size(&q) <= sizeof bytes);
    seed_write_tagged("engine", name, 0, bytes, venus__engine__v1__request__pack(&q, bytes));
}

static void engine_seeds(void)
{
    uint32_t numbers[2] = {1, 2}, elements[LEAF_WORDS] = {9, 8, 7};
    Venus__Engine__V1__Leaf leaf[2] = {VENUS__ENGINE__V1__LEAF__INIT, VENUS__ENGINE__V1__LEAF__INIT}, *leaves[2] = {&leaf[0], &leaf[1]};
    for (uint32_t i = 0; i < 2; i++) {
        leaf[i].shard = i + 1;
        leaf[i].elements = elements;
        leaf[i].n_elements = LEAF_WORDS;
    }
    Venus__Engine__V1__Setup setup = VENUS__ENGINE__V1__SETUP__INIT;
    Venus__Engine__V1__Execute execute = VENUS__ENGINE__V1__EXECUTE__INIT;
    execute.job_units = 3;
    execute.units = numbers;
    execute.n_units = 2;
    Venus__Engine__V1__Contribute contribute = VENUS__ENGINE__V1__CONTRIBUTE__INIT;
    contribute.shards = numbers;
    contribute.n_shards = 2;
    Venus__Engine__V1__Prove prove = VENUS__ENGINE__V1__PROVE__INIT;
    prove.shards = numbers;
    prove.n_shards = 2;
    prove.leaves = leaves;
    prove.n_leaves = 2;
    Venus__Engine__V1__Aggregate aggregate = VENUS__ENGINE__V1__AGGREGATE__INIT;
    aggregate.leaves = leaves;
    aggregate.n_leaves = 2;
    Venus__Engine__V1__Verify verify = VENUS__ENGINE__V1__VERIFY__INIT;
    char path[] = "final.bin";
    verify.path = path;
    engine_seed("setup", VENUS__ENGINE__V1__REQUEST__WORK_SETUP, &setup);
    engine_seed("execute", VENUS__ENGINE__V1__REQUEST__WORK_EXECUTE, &execute);
    engine_seed("contribute", VENUS__ENGINE__V1__REQUEST__WORK_CONTRIBUTE, &contribute);
    engine_seed("prove", VENUS__ENGINE__V1__REQUEST__WORK_PROVE, &prove);
    engine_seed("aggregate", VENUS__ENGINE__V1__REQUEST__WORK_AGGREGATE, &aggregate);
    engine_seed("verify", VENUS__ENGINE__V1__REQUEST__WORK_VERIFY, &verify);
}

void message_seeds(void)
{
    job_talk();
    request_talk();
    newer_talk();
    engine_seeds();
}
