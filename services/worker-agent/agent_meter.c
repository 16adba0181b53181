/* Every number moves with the event it counts, on the loop's thread; the server reads them from its own. */
#include "services/worker-agent/agent_meter.h"

#include "libshared/process.h"
#include "services/worker-agent/agent_metrics.h"

#define SECONDS_SINCE(ns) ((double)(vn_clock_monotonic_ns() - (ns)) / 1e9)

static const enum vn_metric_task_end ends[] = {
    [VN_METER_OK] = VN_METRIC_TASK_OK,
    [VN_METER_FAILED] = VN_METRIC_TASK_FAILED,
    [VN_METER_CANCELLED] = VN_METRIC_TASK_CANCELLED,
};

static const enum vn_metric_piece pieces[] = {
    [VN_PIECE_EXECUTE] = VN_METRIC_PIECE_EXECUTE,
    [VN_PIECE_CONTRIBUTE] = VN_METRIC_PIECE_CONTRIBUTE,
    [VN_PIECE_PROVE] = VN_METRIC_PIECE_PROVE,
    [VN_PIECE_AGGREGATE] = VN_METRIC_PIECE_AGGREGATE,
};

enum vn_status vn_meter_open(struct vn_agent *a, struct vn_error *err)
{
    if (a->config->metrics_port == 0)
        return VN_OK;
    enum vn_status s = vn_metrics_new(&a->metrics, vn_agent_metrics, VN_AM_COUNT, err);
    if (s != VN_OK)
        return s;
    vn_metrics_set(a->metrics, vn_metric(VN_AM_START_TIME), (int64_t)(vn_clock_wall_ns() / VN_SECOND_NS));
    vn_metrics_set(a->metrics, vn_metric(VN_AM_COMPUTE_UNITS), a->config->compute_units);
    s = vn_metrics_serve(&a->metrics_server, a->metrics, a->config->metrics_host, a->config->metrics_port, err);
    if (s != VN_OK)
        vn_meter_close(a);
    return s;
}

void vn_meter_close(struct vn_agent *a)
{
    vn_metrics_stop(a->metrics_server);
    vn_metrics_free(a->metrics);
    a->metrics_server = NULL;
    a->metrics = NULL;
}

/* ---- the connection ---- */

void vn_meter_registration(struct vn_agent *a, int accepted)
{
    vn_metrics_add(a->metrics, vn_metric1(VN_AM_CONNECTIONS, accepted ? VN_METRIC_ACCEPTED : VN_METRIC_REFUSED), 1);
}

void vn_meter_connected(struct vn_agent *a, int connected) { vn_metrics_set(a->metrics, vn_metric(VN_AM_CONNECTED), connected); }
void vn_meter_received(struct vn_agent *a, size_t bytes) { vn_metrics_add(a->metrics, vn_metric1(VN_AM_LINK_BYTES, VN_DIRECTION_IN), bytes); }
void vn_meter_sent(struct vn_agent *a, size_t bytes) { vn_metrics_add(a->metrics, vn_metric1(VN_AM_LINK_BYTES, VN_DIRECTION_OUT), bytes); }

/* ---- jobs and tasks ---- */

void vn_meter_jobs(struct vn_agent *a) { vn_metrics_set(a->metrics, vn_metric(VN_AM_JOBS), (a->job != NULL) + (a->dying != NULL)); }

static void count_task(struct vn_agent *a, task_type type, enum vn_meter_end end, double seconds)
{
    unsigned task;
    if (type == TASK_CONTRIBUTION)
        task = VN_METRIC_TASK_CONTRIBUTION;
    else if (type == TASK_PROVE)
        task = VN_METRIC_TASK_PROVE;
    else if (type == TASK_AGGREGATE)
        task = VN_METRIC_TASK_AGGREGATE;
    else
        return; /* a kind this version does not know */
    vn_metrics_add(a->metrics, vn_metric2(VN_AM_TASKS, task, ends[end]), 1);
    if (end != VN_METER_CANCELLED)
        vn_metrics_observe(a->metrics, vn_metric1(VN_AM_TASK_SECONDS, task), seconds);
}

void vn_meter_task_came(struct vn_agent *a, task_type type)
{
    vn_meter_task_ended(a, VN_METER_CANCELLED);
    a->task_open = 1;
    a->task = type;
    a->task_since_ns = vn_clock_monotonic_ns();
}

void vn_meter_task_ended(struct vn_agent *a, enum vn_meter_end end)
{
    if (a->task_open)
        count_task(a, a->task, end, SECONDS_SINCE(a->task_since_ns));
    a->task_open = 0;
}

void vn_meter_task_refused(struct vn_agent *a, task_type type) { count_task(a, type, VN_METER_FAILED, 0); }

/* ---- engines ---- */

void vn_meter_engine_started(struct vn_agent *a, struct vn_slot *slot)
{
    slot->started_ns = vn_clock_monotonic_ns();
    vn_metrics_set(a->metrics, vn_metric(VN_AM_ENGINES), a->n_running);
}

void vn_meter_engine_ended(struct vn_agent *a, const struct vn_slot *slot, const engine_event *word, int wanted)
{
    enum vn_metric_engine_outcome outcome = VN_OUTCOME_CRASHED;
    if (!wanted)
        outcome = VN_OUTCOME_CANCELLED;
    else if (word && word->event_case == VENUS__ENGINE__V1__EVENT__EVENT_FAILURE)
        outcome = VN_OUTCOME_FAILED;
    else if (word && !slot->broke_protocol)
        outcome = VN_OUTCOME_OK;
    unsigned piece = pieces[slot->piece.kind];
    vn_metrics_add(a->metrics, vn_metric2(VN_AM_ENGINE_OUTCOMES, piece, outcome), 1);
    vn_metrics_observe(a->metrics, vn_metric1(VN_AM_ENGINE_SECONDS, piece), SECONDS_SINCE(slot->started_ns));
    vn_metrics_set(a->metrics, vn_metric(VN_AM_ENGINES), a->n_running);
}

void vn_meter_engine_retried(struct vn_agent *a, const struct vn_piece *piece)
{
    vn_metrics_add(a->metrics, vn_metric1(VN_AM_ENGINE_RETRIES, pieces[piece->kind]), 1);
}

void vn_meter_piece_done(struct vn_agent *a, const struct vn_piece *piece, const engine_result *result)
{
    if (piece->kind == VN_PIECE_EXECUTE)
        vn_metrics_add(a->metrics, vn_metric(VN_AM_STEPS), result->execute->steps);
    else if (piece->kind == VN_PIECE_PROVE)
        vn_metrics_add(a->metrics, vn_metric(VN_AM_SHARDS_PROVED), piece->count);
}
