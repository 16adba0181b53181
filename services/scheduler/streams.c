/* Worker streams: WorkerMessage in, CoordinatorMessage out, both as in the public API. The first message of a stream must say who the worker is; a
 * stream that starts otherwise, or sends what does not parse, is closed. Arrays of a message become arrays of struct vn_entry that point into it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/log.h"
#include "services/scheduler/hints.h"
#include "services/scheduler/programs.h"

typedef Zisk__Distributed__Api__V1__CoordinatorMessage coordinator_message;
typedef Zisk__Distributed__Api__V1__WorkerMessage worker_message;
typedef Zisk__Distributed__Api__V1__ExecuteTaskRequest task_request;
typedef Zisk__Distributed__Api__V1__ExecuteTaskResponse task_response;
typedef Zisk__Distributed__Api__V1__Challenges challenges;
typedef Zisk__Distributed__Api__V1__Proof shard_proof;

/* ---- links ---- */

struct vn_link *vn_link_of_number(struct vn_scheduler *s, uint64_t number)
{
    for (struct vn_link *l = s->links; l; l = l->next)
        if (l->number == number && !l->closing)
            return l;
    return NULL;
}

void vn_link_free(struct vn_link *l)
{
    free(l->programs);
    free(l);
}

static struct vn_link *find(struct vn_scheduler *s, const struct vn_peer *p, uint64_t correlation)
{
    for (struct vn_link *l = s->links; l; l = l->next)
        if (l->peer == p && l->correlation == correlation && !l->closing)
            return l;
    return NULL;
}

static void close_stream(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation, const char *why)
{
    VN_LOG(s->stopping ? VN_LOG_DEBUG : VN_LOG_WARN, "stream.closed", "why=\"%s\"", why);
    vn_peer_send(s, p, VN_KIND_STREAM_CLOSED, correlation, NULL);
}

static void close_link(struct vn_scheduler *s, struct vn_link *l, const char *why)
{
    close_stream(s, l->peer, l->correlation, why);
    l->closing = 1;
}

void vn_stream_closed(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation)
{
    struct vn_link *l = find(s, p, correlation);
    if (l)
        l->closing = 1;
}

int vn_streams_settle(struct vn_scheduler *s)
{
    int any = 0;
    struct vn_link **at = &s->links;
    while (*at) {
        struct vn_link *l = *at;
        if (!l->closing) {
            at = &l->next;
            continue;
        }
        any = 1;
        *at = l->next;
        VN_LOG(VN_LOG_INFO, "worker.disconnected", "worker=\"%s\"", l->worker_id);
        struct vn_event e = {.kind = VN_EVENT_LINK_CLOSED, .link = l->number, .text = "the connection was closed"};
        vn_link_free(l);
        vn_scheduler_step(s, &e);
        at = &s->links; /* the step may have changed the list */
    }
    return any;
}

/* ---- in ---- */

/* Ids appear in logs, file names and other people's messages. */
static int id_is_plain(const char *id)
{
    for (; *id; id++)
        if ((unsigned char)*id <= 0x20 || (unsigned char)*id >= 0x7f)
            return 0;
    return 1;
}

static void on_register(struct vn_scheduler *s, struct vn_link *l, const char *id, const Zisk__Distributed__Api__V1__ComputeCapacity *capacity, const char *last_job,
                        char *const *programs, size_t n_programs)
{
    struct vn_event e = {.kind = VN_EVENT_REGISTER, .link = l->number, .worker_id = id_is_plain(id) ? id : "", .units = capacity ? capacity->compute_units : 0,
                         .job_id = last_job};
    snprintf(l->worker_id, sizeof l->worker_id, "%.*s", (int)VN_MAX_ID, e.worker_id);
    l->n_programs = 0;
    for (size_t i = 0; i < n_programs; i++)
        vn_program_has(s, l, programs[i]);
    vn_scheduler_step(s, &e);
}

static void on_challenges(struct vn_scheduler *s, const task_response *r, struct vn_event *e)
{
    const Zisk__Distributed__Api__V1__ChallengesList *list = r->challenges;
    struct vn_entry *entries = calloc(list->n_challenges + 1, sizeof *entries);
    if (!entries) {
        s->fatal = VN_ERR_MEMORY;
        return;
    }
    for (size_t i = 0; i < list->n_challenges; i++) {
        const challenges *c = list->challenges[i];
        entries[i] = (struct vn_entry){c->worker_index, c->airgroup_id, c->challenge, c->n_challenge};
    }
    e->kind = VN_EVENT_CONTRIBUTIONS;
    e->entries = entries;
    e->n_entries = list->n_challenges;
    if (list->witness_info) {
        e->publics = list->witness_info->publics;
        e->n_publics = list->witness_info->n_publics;
        e->values = list->witness_info->proof_values;
        e->n_values = list->witness_info->n_proof_values;
    }
    vn_scheduler_step(s, e);
    free(entries);
}

static void on_proofs(struct vn_scheduler *s, const task_response *r, struct vn_event *e)
{
    const Zisk__Distributed__Api__V1__ProofList *list = r->proofs;
    struct vn_entry *entries = calloc(list->n_proofs + 1, sizeof *entries);
    if (!entries) {
        s->fatal = VN_ERR_MEMORY;
        return;
    }
    for (size_t i = 0; i < list->n_proofs; i++) {
        const shard_proof *p = list->proofs[i];
        entries[i] = (struct vn_entry){p->worker_idx, p->airgroup_id, p->values, p->n_values};
    }
    e->kind = VN_EVENT_PROOFS;
    e->entries = entries;
    e->n_entries = list->n_proofs;
    vn_scheduler_step(s, e);
    free(entries);
}

static void on_response(struct vn_scheduler *s, struct vn_link *l, const task_response *r)
{
    struct vn_event e = {.link = l->number, .job_id = r->job_id, .kind = VN_EVENT_TASK_FAILED};
    if (!r->success) {
        VN_LOG(VN_LOG_WARN, "task.failed", "worker=\"%s\" job=\"%.40s\" reason=\"%.400s\"", l->worker_id, r->job_id, r->error_message);
        e.text = r->error_message;
        vn_scheduler_step(s, &e);
        return;
    }
    switch (r->result_data_case) {
    case ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_CHALLENGES:
        on_challenges(s, r, &e);
        break;
    case ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_PROOFS:
        on_proofs(s, r, &e);
        break;
    case ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_RESPONSE__RESULT_DATA_FINAL_PROOF:
        e.kind = VN_EVENT_FINAL;
        e.values = r->final_proof->values;
        e.n_values = r->final_proof->n_values;
        e.steps = r->final_proof->executed_steps;
        vn_scheduler_step(s, &e);
        break;
    default:
        e.text = "The worker answered without a result";
        vn_scheduler_step(s, &e);
    }
}

static void on_program_ack(struct vn_link *l, const Zisk__Distributed__Api__V1__ProgramAck *a)
{
    if (a->success)
        return;
    VN_LOG(VN_LOG_WARN, "program.refused", "worker=\"%s\" program=%.64s why=\"%.400s\"", l->worker_id, a->hash_id, a->error_message);
    vn_program_lacks(l, a->hash_id);
}

static void dispatch(struct vn_scheduler *s, struct vn_link *l, const worker_message *m)
{
    const char *id = NULL;
    struct vn_event e = {.kind = VN_EVENT_HEARD, .link = l->number};
    switch (m->payload_case) {
    case ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_REGISTER:
        on_register(s, l, m->register_->worker_id, m->register_->compute_capacity, NULL, m->register_->programs, m->register_->n_programs);
        return;
    case ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_RECONNECT:
        on_register(s, l, m->reconnect->worker_id, m->reconnect->compute_capacity, m->reconnect->last_known_job_id, m->reconnect->programs,
                    m->reconnect->n_programs);
        return;
    case ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_HEARTBEAT_ACK:
        id = m->heartbeat_ack->worker_id;
        break;
    case ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_ERROR:
        id = m->error->worker_id;
        e.kind = VN_EVENT_TASK_FAILED;
        e.job_id = m->error->job_id;
        e.text = m->error->error_message;
        break;
    case ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_EXECUTE_TASK_RESPONSE:
        id = m->execute_task_response->worker_id;
        break;
    case ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_PROGRAM_ACK:
        id = m->program_ack->worker_id;
        break;
    case ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_TASK_PROGRESS:
        id = m->task_progress->worker_id;
        e.kind = VN_EVENT_PROGRESS;
        e.job_id = m->task_progress->job_id;
        e.shards_done = m->task_progress->shards_done;
        e.shards_total = m->task_progress->shards_total;
        e.steps = m->task_progress->steps;
        break;
    default:
        VN_LOG(VN_LOG_DEBUG, "stream.unknown-message", "worker=\"%s\"", l->worker_id);
        return;
    }
    if (strcmp(id, l->worker_id) != 0) {
        VN_LOG(VN_LOG_WARN, "stream.wrong-worker", "worker=\"%s\" claimed=\"%.128s\"", l->worker_id, id);
        return;
    }
    if (m->payload_case == ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_EXECUTE_TASK_RESPONSE)
        on_response(s, l, m->execute_task_response);
    else
        vn_scheduler_step(s, &e);
    if (m->payload_case == ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_HEARTBEAT_ACK)
        vn_hints_acked(s, l);
    if (m->payload_case == ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_PROGRAM_ACK)
        on_program_ack(l, m->program_ack);
}

static int introduces(const worker_message *m)
{
    return m->payload_case == ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_REGISTER ||
           m->payload_case == ZISK__DISTRIBUTED__API__V1__WORKER_MESSAGE__PAYLOAD_RECONNECT;
}

static struct vn_link *open_link(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation)
{
    struct vn_link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->number = ++s->last_link;
    l->peer = p;
    l->correlation = correlation;
    l->next = s->links;
    s->links = l;
    return l;
}

void vn_stream_message(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *bus)
{
    struct vn_link *l = find(s, p, bus->correlation);
    worker_message *m = zisk__distributed__api__v1__worker_message__unpack(NULL, bus->body_len, bus->body);
    if (!m && l)
        close_link(s, l, "a message does not parse");
    else if (!m)
        close_stream(s, p, bus->correlation, "the first message does not parse");
    else if (!l && (!introduces(m) || s->stopping))
        close_stream(s, p, bus->correlation, s->stopping ? "stopping" : "the first message is neither register nor reconnect");
    else if (!l && !(l = open_link(s, p, bus->correlation)))
        close_stream(s, p, bus->correlation, "no memory");
    else
        dispatch(s, l, m);
    zisk__distributed__api__v1__worker_message__free_unpacked(m, NULL);
}

/* ---- out ---- */

void vn_link_send(struct vn_scheduler *s, struct vn_link *l, const coordinator_message *m)
{
    if (l->closing)
        return;
    if (protobuf_c_message_get_packed_size(&m->base) > VN_API_MAX_MESSAGE) {
        close_link(s, l, "a task for this worker passes the message limit of the API");
        return;
    }
    vn_peer_send(s, l->peer, VN_KIND_COORDINATOR, l->correlation, &m->base);
}

static void send_register_response(struct vn_scheduler *s, struct vn_link *l, const struct vn_action *a)
{
    coordinator_message m = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__WorkerRegisterResponse r = ZISK__DISTRIBUTED__API__V1__WORKER_REGISTER_RESPONSE__INIT;
    Google__Protobuf__Timestamp now = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    r.worker_id = (char *)(uintptr_t)a->worker_id;
    r.accepted = a->kind == VN_ACTION_ACCEPT;
    r.message = r.accepted ? "Registration successful" : (char *)(uintptr_t)a->text;
    if (r.accepted) {
        vn_timestamp(&now, vn_clock_wall_ns());
        r.registered_at = &now;
    }
    m.payload_case = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_REGISTER_RESPONSE;
    m.register_response = &r;
    if (r.accepted)
        VN_LOG(VN_LOG_INFO, "worker.registered", "worker=\"%s\"", a->worker_id);
    else
        VN_LOG(VN_LOG_WARN, "worker.rejected", "worker=\"%s\" why=\"%s\"", a->worker_id, a->text);
    vn_link_send(s, l, &m);
    if (!r.accepted && !l->closing)
        close_link(s, l, "registration refused");
}

void vn_link_heartbeat(struct vn_scheduler *s, struct vn_link *l)
{
    coordinator_message m = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__Heartbeat h = ZISK__DISTRIBUTED__API__V1__HEARTBEAT__INIT;
    Google__Protobuf__Timestamp now = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    vn_timestamp(&now, vn_clock_wall_ns());
    h.timestamp = &now;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_HEARTBEAT;
    m.heartbeat = &h;
    vn_link_send(s, l, &m);
}

static void send_cancel(struct vn_scheduler *s, struct vn_link *l, const struct vn_action *a)
{
    coordinator_message m = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__JobCancelled c = ZISK__DISTRIBUTED__API__V1__JOB_CANCELLED__INIT;
    c.job_id = (char *)(uintptr_t)a->job_id;
    c.reason = (char *)(uintptr_t)a->text;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_JOB_CANCELLED;
    m.job_cancelled = &c;
    vn_link_send(s, l, &m);
}

static void send_task(struct vn_scheduler *s, struct vn_link *l, const struct vn_job *j, task_request *t)
{
    coordinator_message m = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__INIT;
    t->worker_id = l->worker_id;
    t->job_id = (char *)(uintptr_t)j->id;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_EXECUTE_TASK;
    m.execute_task = t;
    VN_LOG(VN_LOG_DEBUG, "task.sent", "worker=\"%s\" job=%s task=%s", l->worker_id, j->id, vn_phase_name((enum vn_phase)t->task_type));
    vn_link_send(s, l, &m);
}

static void send_contribute(struct vn_scheduler *s, struct vn_link *l, const struct vn_action *a)
{
    const struct vn_member *member = &a->job->members[a->rank];
    vn_program_send(s, l, a->job);
    task_request t = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__INIT;
    Zisk__Distributed__Api__V1__ContributionParams p = ZISK__DISTRIBUTED__API__V1__CONTRIBUTION_PARAMS__INIT;
    p.data_id = a->job->data_id;
    if (a->input_data) {
        p.input_source_case = ZISK__DISTRIBUTED__API__V1__CONTRIBUTION_PARAMS__INPUT_SOURCE_INPUT_DATA;
        p.input_data = (ProtobufCBinaryData){.len = a->input_len, .data = (uint8_t *)(uintptr_t)a->input_data};
    } else if (a->job->input_path) {
        p.input_source_case = ZISK__DISTRIBUTED__API__V1__CONTRIBUTION_PARAMS__INPUT_SOURCE_INPUT_PATH;
        p.input_path = a->job->input_path;
    }
    if (a->job->hints_path && !a->job->hints_stream) {
        p.hints_path_presence_case = ZISK__DISTRIBUTED__API__V1__CONTRIBUTION_PARAMS__HINTS_PATH_PRESENCE_HINTS_PATH;
        p.hints_path = a->job->hints_path;
    }
    p.hints_stream = a->job->hints_stream != 0;
    p.hash_id = a->job->hash_id;
    p.execute_only = a->job->kind == VN_JOB_EXECUTE;
    p.rank_id = a->rank;
    p.total_workers = a->job->n_members;
    p.n_worker_allocation = member->n_units;
    p.worker_allocation = member->units;
    p.job_compute_units = a->job->job_units;
    t.task_type = ZISK__DISTRIBUTED__API__V1__TASK_TYPE__PARTIAL_CONTRIBUTION;
    t.params_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__PARAMS_CONTRIBUTION_PARAMS;
    t.contribution_params = &p;
    send_task(s, l, a->job, &t);
}

static void send_prove(struct vn_scheduler *s, struct vn_link *l, const struct vn_job *j)
{
    challenges *items = calloc(j->n_shards, sizeof *items);
    challenges **pointers = calloc(j->n_shards, sizeof *pointers);
    if (items && pointers) {
        for (uint32_t i = 0; i < j->n_shards; i++) {
            zisk__distributed__api__v1__challenges__init(&items[i]);
            items[i].worker_index = j->leaf_rank[i];
            items[i].airgroup_id = i + 1;
            items[i].n_challenge = VN_LEAF_WORDS;
            items[i].challenge = j->leaves[i];
            pointers[i] = &items[i];
        }
        task_request t = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__INIT;
        Zisk__Distributed__Api__V1__ProveParams p = ZISK__DISTRIBUTED__API__V1__PROVE_PARAMS__INIT;
        p.n_challenges = j->n_shards;
        p.challenges = pointers;
        t.task_type = ZISK__DISTRIBUTED__API__V1__TASK_TYPE__PROVE;
        t.params_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__PARAMS_PROVE_PARAMS;
        t.prove_params = &p;
        send_task(s, l, j, &t);
    } else {
        s->fatal = VN_ERR_MEMORY;
    }
    free(items);
    free(pointers);
}

static void send_aggregate(struct vn_scheduler *s, struct vn_link *l, const struct vn_action *a)
{
    shard_proof *items = calloc(a->n_entries + 1, sizeof *items);
    shard_proof **pointers = calloc(a->n_entries + 1, sizeof *pointers);
    if (items && pointers) {
        for (size_t i = 0; i < a->n_entries; i++) {
            zisk__distributed__api__v1__proof__init(&items[i]);
            items[i].worker_idx = a->entries[i].rank;
            items[i].airgroup_id = a->entries[i].shard;
            items[i].n_values = a->entries[i].n_values;
            items[i].values = (uint64_t *)(uintptr_t)a->entries[i].values;
            pointers[i] = &items[i];
        }
        task_request t = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__INIT;
        Zisk__Distributed__Api__V1__AggParams p = ZISK__DISTRIBUTED__API__V1__AGG_PARAMS__INIT;
        Zisk__Distributed__Api__V1__ProofList list = ZISK__DISTRIBUTED__API__V1__PROOF_LIST__INIT;
        list.n_proofs = a->n_entries;
        list.proofs = pointers;
        p.agg_proofs = &list;
        p.last_proof = a->last;
        p.final_proof = a->last;
        p.compressed = s->config.compressed != 0;
        t.task_type = ZISK__DISTRIBUTED__API__V1__TASK_TYPE__AGGREGATE;
        t.params_case = ZISK__DISTRIBUTED__API__V1__EXECUTE_TASK_REQUEST__PARAMS_AGG_PARAMS;
        t.agg_params = &p;
        send_task(s, l, a->job, &t);
    } else {
        s->fatal = VN_ERR_MEMORY;
    }
    free(items);
    free(pointers);
}

void vn_stream_action(struct vn_scheduler *s, const struct vn_action *a)
{
    struct vn_link *l = vn_link_of_number(s, a->link);
    if (!l) /* closed meanwhile; the core hears of it when things settle */
        return;
    switch (a->kind) {
    case VN_ACTION_ACCEPT:
    case VN_ACTION_REJECT:
        send_register_response(s, l, a);
        break;
    case VN_ACTION_HEARTBEAT:
        vn_link_heartbeat(s, l);
        break;
    case VN_ACTION_CLOSE_LINK:
        close_link(s, l, a->text);
        break;
    case VN_ACTION_CONTRIBUTE:
        send_contribute(s, l, a);
        break;
    case VN_ACTION_PROVE:
        send_prove(s, l, a->job);
        break;
    case VN_ACTION_AGGREGATE:
        send_aggregate(s, l, a);
        break;
    default:
        send_cancel(s, l, a);
        break;
    }
}

void vn_streams_shutdown(struct vn_scheduler *s)
{
    coordinator_message m = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__Shutdown down = ZISK__DISTRIBUTED__API__V1__SHUTDOWN__INIT;
    down.reason = "the coordinator is stopping";
    m.payload_case = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_SHUTDOWN;
    m.shutdown = &down;
    for (struct vn_link *l = s->links; l; l = l->next)
        if (!l->closing) {
            vn_link_send(s, l, &m);
            close_link(s, l, "stopping");
        }
}
