/* The newer public API: JobRequest and what clients push. A job of it always may wait. Its input comes with the request, from a file of this host, or is
 * pushed; without a number of units it takes every worker that is idle when it starts. Everything after the launch is as for any other job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/log.h"
#include "services/scheduler/hints.h"
#include "services/scheduler/launch.h"
#include "services/scheduler/programs.h"

typedef Zisk__Coordinator__V1__InputKind input_kind;

#define PUSHED "grpc://"

struct request {
    const char *hash_id;
    const input_kind *input, *hints;
    const Google__Protobuf__Timestamp *limit;
    uint8_t *file; /* owned: the input read here */
    struct vn_launch launch;
    struct vn_launch_asker asker;
};

static enum vn_status take_input(struct request *r, struct vn_error *err)
{
    static const uint8_t nothing;
    const input_kind *in = r->input;
    if (!in || in->kind_case == ZISK__COORDINATOR__V1__INPUT_KIND__KIND__NOT_SET)
        return vn_fail(err, VN_ERR_ARGUMENT, "input must be set");
    if (in->kind_case == ZISK__COORDINATOR__V1__INPUT_KIND__KIND_INLINE) {
        r->launch.input_data = in->inline_->data.len ? in->inline_->data.data : &nothing;
        r->launch.input_len = in->inline_->data.len;
        return r->launch.input_len <= VN_MAX_JOB_INPUT ? VN_OK : vn_fail(err, VN_ERR_LIMIT, "The input has more than %u bytes", VN_MAX_JOB_INPUT);
    }
    if (strncmp(in->stream_uri, PUSHED, strlen(PUSHED)) == 0) {
        r->launch.wait_for_input = 1;
        return VN_OK;
    }
    if (strncmp(in->stream_uri, "file://", 7) != 0)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "Input cannot come from %.200s; use file:// or " PUSHED, in->stream_uri);
    enum vn_status st = vn_read_file(in->stream_uri + 7, VN_MAX_JOB_INPUT, "Input", &r->file, &r->launch.input_len, err);
    r->launch.input_data = r->file;
    return st;
}

static enum vn_status take_hints(struct request *r, struct vn_error *err)
{
    const input_kind *h = r->hints;
    if (!h || h->kind_case == ZISK__COORDINATOR__V1__INPUT_KIND__KIND__NOT_SET)
        return VN_OK;
    r->launch.hints_stream = 1;
    if (h->kind_case == ZISK__COORDINATOR__V1__INPUT_KIND__KIND_INLINE) {
        static const uint8_t nothing;
        r->asker.client_hints = 1;
        r->asker.hints = h->inline_->data.len ? h->inline_->data.data : &nothing;
        r->asker.n_hints = h->inline_->data.len;
        return r->asker.n_hints % 8 == 0 ? VN_OK : vn_fail(err, VN_ERR_ARGUMENT, "Hints must have a multiple of 8 bytes, not %zu", r->asker.n_hints);
    }
    if (strncmp(h->stream_uri, PUSHED, strlen(PUSHED)) == 0) {
        r->asker.client_hints = 1;
        return VN_OK;
    }
    if (strlen(h->stream_uri) > VN_MAX_PATH)
        return vn_fail(err, VN_ERR_ARGUMENT, "The source of the hints is longer than %u bytes", VN_MAX_PATH);
    r->launch.hints_path = h->stream_uri;
    return vn_hints_check_uri(h->stream_uri, err);
}

static enum vn_status take_limit(struct request *r, struct vn_error *err)
{
    const Google__Protobuf__Timestamp *t = r->limit;
    if (!t)
        return VN_OK;
    if (t->seconds <= 0 || t->seconds > INT64_MAX / 1000000000 - 1 || t->nanos < 0 || t->nanos > 999999999)
        return vn_fail(err, VN_ERR_ARGUMENT, "The time limit is not a point in time");
    r->launch.limit_wall_ns = (uint64_t)t->seconds * 1000000000u + (uint64_t)t->nanos;
    return VN_OK;
}

static enum vn_status take_prove(struct request *r, const Zisk__Coordinator__V1__ProveRequest *q, struct vn_error *err)
{
    if (q->proof_dest == ZISK__COORDINATOR__V1__PROOF_KIND__PROOF_KIND_STARK_MINIMAL || q->proof_dest == ZISK__COORDINATOR__V1__PROOF_KIND__PROOF_KIND_PLONK)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "Only proofs of kind STARK can be made");
    r->hash_id = q->hash_id;
    r->input = q->input;
    r->hints = q->hints;
    r->limit = q->proof_timeout;
    r->launch.compute_capacity = q->compute_capacity ? q->compute_capacity : VN_MAX_JOB_UNITS;
    r->launch.minimal_compute_capacity = q->compute_capacity || q->minimal_compute_capacity ? q->minimal_compute_capacity : 1;
    r->launch.priority = q->priority;
    return VN_OK;
}

static void take_execute(struct request *r, const Zisk__Coordinator__V1__ExecuteRequest *q)
{
    r->hash_id = q->hash_id;
    r->input = q->input;
    r->hints = q->hints;
    r->limit = q->execute_timeout;
    r->launch.kind = VN_JOB_EXECUTE;
    r->launch.compute_capacity = 1;
    r->launch.priority = q->priority;
}

static enum vn_status take_kind(struct request *r, const Zisk__Coordinator__V1__JobKind *k, struct vn_error *err)
{
    if (!k)
        return vn_fail(err, VN_ERR_ARGUMENT, "job_kind must be set");
    switch (k->kind_case) {
    case ZISK__COORDINATOR__V1__JOB_KIND__KIND_PROVE:
        return take_prove(r, k->prove, err);
    case ZISK__COORDINATOR__V1__JOB_KIND__KIND_EXECUTE:
        take_execute(r, k->execute);
        return VN_OK;
    case ZISK__COORDINATOR__V1__JOB_KIND__KIND_SETUP:
        return vn_fail(err, VN_ERR_UNSUPPORTED, "Setup jobs are not needed: a registered program can be proved at once");
    case ZISK__COORDINATOR__V1__JOB_KIND__KIND_WRAP:
        return vn_fail(err, VN_ERR_UNSUPPORTED, "Wrap jobs are not supported: there is only one kind of proof");
    default:
        return vn_fail(err, VN_ERR_ARGUMENT, "the kind in job_kind must be set");
    }
}

static enum vn_status check(struct vn_scheduler *s, struct request *r, const Zisk__Coordinator__V1__JobKind *k, struct vn_error *err)
{
    enum vn_status st = take_kind(r, k, err);
    if (st == VN_OK)
        st = vn_program_check(s, r->hash_id, err);
    if (st == VN_OK)
        st = take_limit(r, err);
    if (st == VN_OK)
        st = take_hints(r, err);
    return st == VN_OK ? take_input(r, err) : st;
}

void vn_job_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__JobRequestMessage *q = zisk__coordinator__v1__job_request_message__unpack(NULL, m->body_len, m->body);
    if (!q) {
        vn_peer_error(s, p, m->correlation, VN_ERR_FORMAT, "The request does not parse");
        return;
    }
    struct request r = {.launch = {.data_id = "", .queue = 1}, .asker = {.peer = p, .correlation = m->correlation, .newer_api = 1}};
    struct vn_error err;
    enum vn_status st = check(s, &r, q->job_kind, &err);
    r.launch.hash_id = r.hash_id;
    vn_launch_run(s, &r.asker, &r.launch, st, err.text);
    free(r.file);
    zisk__coordinator__v1__job_request_message__free_unpacked(q, NULL);
}

/* ---- pushed by the client ---- */

void vn_push_input(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__PushJobInputRequest *q = zisk__coordinator__v1__push_job_input_request__unpack(NULL, m->body_len, m->body);
    const struct vn_job *j = q ? vn_core_job(s->core, q->job_id) : NULL;
    if (!q) {
        vn_peer_error(s, p, m->correlation, VN_ERR_FORMAT, "The request does not parse");
    } else if (!j) {
        vn_peer_error(s, p, m->correlation, VN_ERR_NOT_FOUND, "Job %.64s not found", q->job_id);
    } else if (j->state != VN_JOB_WAITING) {
        vn_peer_error(s, p, m->correlation, VN_ERR_ARGUMENT, "Job %s is not waiting for input", j->id);
    } else {
        struct vn_event e = {.kind = VN_EVENT_INPUT, .job_id = q->job_id, .ok = !q->chunk};
        if (q->chunk) {
            e.bytes = q->chunk->data.data;
            e.n_bytes = q->chunk->data.len;
        }
        vn_scheduler_step(s, &e);
        vn_peer_send(s, p, VN_KIND_REPLY, m->correlation, NULL);
    }
    zisk__coordinator__v1__push_job_input_request__free_unpacked(q, NULL);
}

void vn_push_hints(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    static const uint8_t nothing;
    Zisk__Coordinator__V1__PushJobHintsInputRequest *q = zisk__coordinator__v1__push_job_hints_input_request__unpack(NULL, m->body_len, m->body);
    const struct vn_job *j = q ? vn_core_job(s->core, q->job_id) : NULL;
    if (!q)
        vn_peer_error(s, p, m->correlation, VN_ERR_FORMAT, "The request does not parse");
    else if (!j)
        vn_peer_error(s, p, m->correlation, VN_ERR_NOT_FOUND, "Job %.64s not found", q->job_id);
    else if (q->chunk)
        vn_hints_push(s, p, m->correlation, j, q->chunk->data.len ? q->chunk->data.data : &nothing, q->chunk->data.len);
    else
        vn_hints_push(s, p, m->correlation, j, NULL, 0);
    zisk__coordinator__v1__push_job_hints_input_request__free_unpacked(q, NULL);
}
