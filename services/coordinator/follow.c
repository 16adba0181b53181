/* Following a job: events in, progress and the result out. On a terminal one line is redrawn, otherwise a line is
 * printed whenever something has changed. */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libshared/file.h"
#include "libshared/process.h"
#include "services/coordinator/coordinator.h"
#include "services/coordinator/rpc.h"
#include "zisk_coordinator_api.pb-c.h"

typedef Zisk__Coordinator__V1__JobEvent job_event;
typedef Zisk__Coordinator__V1__JobProgress job_progress;
typedef Zisk__Coordinator__V1__JobFailure job_failure;

struct follower {
    const struct vn_follow *f;
    uint64_t started_ns;
    int terminal, drawn;
    Zisk__Coordinator__V1__JobPhase phase;
    uint32_t done, total, workers;
    uint64_t phase_ns;   /* when this phase was first seen, with so many shards done */
    uint32_t phase_done;
    int have_progress;
    const char *waiting; /* for what, NULL: runs */
    int ended;
    enum vn_status outcome;
    struct vn_error err;
};

static const char *phase_name(Zisk__Coordinator__V1__JobPhase p)
{
    switch (p) {
    case ZISK__COORDINATOR__V1__JOB_PHASE__JOB_PHASE_CONTRIBUTIONS:
        return "Contributions";
    case ZISK__COORDINATOR__V1__JOB_PHASE__JOB_PHASE_PROVE:
        return "Prove";
    case ZISK__COORDINATOR__V1__JOB_PHASE__JOB_PHASE_AGGREGATE:
        return "Aggregate";
    default:
        return "Queued";
    }
}

static double elapsed(const struct follower *w) { return (double)(vn_clock_monotonic_ns() - w->started_ns) / 1e9; }

static void erase(struct follower *w)
{
    if (w->drawn)
        fputs("\r\033[K", stderr);
    w->drawn = 0;
}

/* Of this phase, once a shard has come while we watched. */
static void draw_rate(const struct follower *w)
{
    double seconds = (double)(vn_clock_monotonic_ns() - w->phase_ns) / 1e9;
    if (w->done <= w->phase_done || seconds < 1)
        return;
    double rate = (w->done - w->phase_done) / seconds;
    fprintf(stderr, "  %.2f/s", rate);
    if (w->total > w->done)
        fprintf(stderr, "  about %.0f s left", (w->total - w->done) / rate);
}

static void draw(struct follower *w)
{
    if (w->f->json || !(w->have_progress || w->waiting))
        return;
    erase(w);
    fprintf(stderr, "%-13s", w->waiting ? w->waiting : phase_name(w->phase));
    if (w->total && !w->waiting)
        fprintf(stderr, "  %" PRIu32 "/%" PRIu32 " shards", w->done, w->total);
    if (w->workers && !w->waiting)
        fprintf(stderr, "  %" PRIu32 " worker%s", w->workers, w->workers == 1 ? "" : "s");
    if (!w->waiting)
        draw_rate(w);
    fprintf(stderr, "  %.0f s", elapsed(w));
    if (w->terminal)
        fflush(stderr);
    else
        fputc('\n', stderr);
    w->drawn = w->terminal;
}

static void on_idle(void *arg)
{
    struct follower *w = arg;
    if (w->terminal)
        draw(w);
}

static void on_progress(struct follower *w, const job_progress *p)
{
    int news = !w->have_progress || p->phase != w->phase || p->shards_done != w->done || p->shards_total != w->total || p->workers != w->workers;
    if (!w->have_progress || p->phase != w->phase || p->shards_done < w->done) {
        w->phase_ns = vn_clock_monotonic_ns();
        w->phase_done = p->shards_done;
    }
    w->waiting = NULL;
    w->phase = p->phase;
    w->done = p->shards_done;
    w->total = p->shards_total;
    w->workers = p->workers;
    w->have_progress = 1;
    if (news)
        draw(w);
}

static void on_waiting(struct follower *w, const char *what)
{
    if (w->waiting == what)
        return;
    w->waiting = what;
    draw(w);
}

static char *hex(ProtobufCBinaryData b)
{
    char *s = malloc(2 * b.len + 1);
    if (!s)
        return NULL;
    for (size_t i = 0; i < b.len; i++)
        snprintf(s + 2 * i, 3, "%02x", b.data[i]);
    s[2 * b.len] = 0;
    return s;
}

static void print_json(cJSON *o)
{
    char *text = cJSON_PrintUnformatted(o);
    puts(text ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(o);
}

/* proof: NULL after an execution. */
static void print_result(const struct follower *w, const Zisk__Coordinator__V1__Proof *proof, const Zisk__Coordinator__V1__ExecutionStats *stats,
                         const char *outputs)
{
    double seconds = stats && stats->duration_nanos ? (double)stats->duration_nanos / 1e9 : elapsed(w);
    uint64_t steps = stats ? stats->steps : 0;
    char *key = proof && w->f->json ? hex(proof->verification_key) : NULL;
    if (w->f->json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "job_id", w->f->job_id);
        cJSON_AddStringToObject(o, "state", "Completed");
        cJSON_AddStringToObject(o, "public_outputs", outputs);
        cJSON_AddNumberToObject(o, "steps", (double)steps);
        if (key)
            cJSON_AddStringToObject(o, "vk", key);
        if (w->f->simulated)
            cJSON_AddBoolToObject(o, "simulated", 1);
        if (proof)
            cJSON_AddNumberToObject(o, "proof_bytes", (double)proof->data.len);
        if (w->f->output)
            cJSON_AddStringToObject(o, proof ? "proof_file" : "outputs_file", w->f->output);
        cJSON_AddNumberToObject(o, "seconds", seconds);
        print_json(o);
        free(key);
        return;
    }
    printf("job             %s\n", w->f->job_id);
    printf("public outputs  %s\n", outputs);
    printf("steps           %" PRIu64 "\n", steps);
    if (proof && w->f->output)
        printf("proof           %s (%zu bytes)\n", w->f->output, proof->data.len);
    else if (proof)
        printf("proof           %zu bytes (-o FILE writes it to a file)\n", proof->data.len);
    else if (w->f->simulated)
        printf("proof           none: this was one node of a simulated cluster\n");
    printf("time            %.1f s\n", seconds);
}

static void on_completed(struct follower *w, const Zisk__Coordinator__V1__JobCompleted *completed)
{
    const Zisk__Coordinator__V1__JobKindResponse *result = completed->result;
    const Zisk__Coordinator__V1__ProveResponse *prove =
        result && result->kind_case == ZISK__COORDINATOR__V1__JOB_KIND_RESPONSE__KIND_PROVE ? result->prove : NULL;
    const Zisk__Coordinator__V1__ExecuteResponse *execute =
        result && result->kind_case == ZISK__COORDINATOR__V1__JOB_KIND_RESPONSE__KIND_EXECUTE ? result->execute : NULL;
    const Zisk__Coordinator__V1__Proof *proof = prove ? prove->proof : NULL;
    if (proof && proof->data.len == 0)
        proof = NULL;
    if (!execute && !proof && !w->f->simulated) {
        w->outcome = vn_fail(&w->err, VN_ERR_NOT_FOUND, "the job is complete, but the coordinator keeps its proof no longer; look in its proofs folder");
        return;
    }
    ProtobufCBinaryData publics = {0}, file = {0};
    if (execute)
        publics = file = execute->public_outputs;
    if (proof) {
        publics = proof->public_inputs;
        file = proof->data;
    }
    char *outputs = hex(publics);
    if (!outputs)
        w->outcome = vn_fail(&w->err, VN_ERR_MEMORY, "out of memory");
    else if (w->f->output)
        w->outcome = vn_file_write(AT_FDCWD, w->f->output, file.data, file.len, &w->err);
    if (w->outcome == VN_OK)
        print_result(w, proof, execute ? execute->stats : prove ? prove->stats : NULL, outputs);
    free(outputs);
}

static void on_failed(struct follower *w, const job_failure *f)
{
    switch (f ? f->failure_case : ZISK__COORDINATOR__V1__JOB_FAILURE__FAILURE__NOT_SET) {
    case ZISK__COORDINATOR__V1__JOB_FAILURE__FAILURE_TIMEOUT:
        w->outcome = vn_fail(&w->err, VN_ERR_TIMEOUT, "job %s passed the time limit of phase %s (%lld s); raise it in the coordinator's configuration",
                             w->f->job_id, phase_name(f->timeout->phase), f->timeout->limit ? (long long)f->timeout->limit->seconds : 0ll);
        break;
    case ZISK__COORDINATOR__V1__JOB_FAILURE__FAILURE_INPUT: {
        const char *reason = f->input->reason;
        int missing = strstr(reason, "not found") != NULL;
        w->outcome = vn_fail(&w->err, missing ? VN_ERR_NOT_FOUND : VN_ERR_ARGUMENT, "job %s failed: %.350s%s", w->f->job_id, reason,
                             missing ? " (workers look below their --inputs-folder; -x sends the file instead)" : "");
        break;
    }
    case ZISK__COORDINATOR__V1__JOB_FAILURE__FAILURE_EXECUTION:
        w->outcome = vn_fail(&w->err, VN_ERR_GUEST, "job %s failed: %.400s", w->f->job_id, f->execution->reason);
        break;
    case ZISK__COORDINATOR__V1__JOB_FAILURE__FAILURE_CANCELLED:
        w->outcome = vn_fail(&w->err, VN_ERR_CANCELLED, "job %s was cancelled", w->f->job_id);
        break;
    case ZISK__COORDINATOR__V1__JOB_FAILURE__FAILURE_INTERNAL:
        w->outcome = vn_fail(&w->err, VN_ERR_INTERNAL, "job %s failed inside the cluster; the coordinator's log has the details under '%.200s'", w->f->job_id,
                             f->internal->trace_id);
        break;
    default:
        w->outcome = vn_fail(&w->err, VN_ERR_INTERNAL, "job %s failed", w->f->job_id);
        break;
    }
}

static void on_event(void *arg, const ProtobufCMessage *m)
{
    struct follower *w = arg;
    const job_event *e = (const job_event *)m;
    switch (e->event_case) {
    case ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_QUEUED:
        on_waiting(w, "Queued");
        return;
    case ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_WAITING_FOR_INPUT:
        on_waiting(w, "Waiting for input");
        return;
    case ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_STARTED:
        w->waiting = NULL;
        return;
    case ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_PROGRESS:
        on_progress(w, e->progress);
        return;
    case ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_COMPLETED:
        erase(w);
        on_completed(w, e->completed);
        break;
    case ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_FAILED:
        erase(w);
        on_failed(w, e->failed->failure);
        break;
    case ZISK__COORDINATOR__V1__JOB_EVENT__EVENT_CANCELLED:
        erase(w);
        w->outcome = vn_fail(&w->err, VN_ERR_CANCELLED, "job %s was cancelled", w->f->job_id);
        break;
    default:
        return;
    }
    w->ended = 1;
}

static void cancel(struct vn_rpc *rpc, const char *job_id, struct vn_error *err)
{
    Zisk__Coordinator__V1__CancelJobRequest q = ZISK__COORDINATOR__V1__CANCEL_JOB_REQUEST__INIT;
    q.job_id = (char *)(uintptr_t)job_id;
    ProtobufCMessage *answer;
    struct vn_error why;
    vn_rpc_clear_interrupt();
    if (vn_rpc_call(rpc, VN_RPC_COORDINATOR "CancelJob", &q.base, &zisk__coordinator__v1__cancel_job_response__descriptor, 5000000000u, &answer, &why) == VN_OK) {
        vn_fail(err, VN_ERR_CANCELLED, "interrupted; job %s %s", job_id,
                ((Zisk__Coordinator__V1__CancelJobResponse *)answer)->cancelled ? "was cancelled" : "had already ended");
        protobuf_c_message_free_unpacked(answer, NULL);
    } else {
        vn_fail(err, VN_ERR_CANCELLED, "interrupted; job %s could not be cancelled: %.300s", job_id, why.text);
    }
}

enum vn_status vn_follow(struct vn_rpc *rpc, const struct vn_follow *f, struct vn_error *err)
{
    struct follower w = {.f = f, .started_ns = vn_clock_monotonic_ns(), .terminal = isatty(STDERR_FILENO) && !f->json};
    Zisk__Coordinator__V1__WatchJobRequest q = ZISK__COORDINATOR__V1__WATCH_JOB_REQUEST__INIT;
    q.job_id = (char *)(uintptr_t)f->job_id;
    struct vn_rpc_reader reader = {on_event, on_idle, &w};
    enum vn_status s = vn_rpc_stream(rpc, VN_RPC_COORDINATOR "WatchJob", &q.base, &zisk__coordinator__v1__job_event__descriptor, f->timeout_ns, &reader, err);
    erase(&w);
    if (w.ended) {
        if (w.outcome != VN_OK && err)
            *err = w.err;
        return w.outcome;
    }
    if (s == VN_ERR_CANCELLED && vn_rpc_interrupted()) {
        if (f->cancel_on_interrupt)
            cancel(rpc, f->job_id, err);
        else
            vn_fail(err, s, "interrupted; job %s goes on", f->job_id);
        return s;
    }
    if (s == VN_ERR_TIMEOUT && f->timeout_ns)
        return vn_fail(err, s, "job %s is not finished after %.0f s; it goes on ('zisk-coordinator watch %s' follows it)", f->job_id,
                       (double)f->timeout_ns / 1e9, f->job_id);
    if (s == VN_OK)
        return vn_fail(err, VN_ERR_PEER, "the coordinator stopped reporting on job %s before it ended", f->job_id);
    return s;
}
