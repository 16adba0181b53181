#ifndef VN_AGENT_METRICS_H
#define VN_AGENT_METRICS_H
/* The worker agent's metrics. Each comment says when the owner of the number updates it. */

#include "libshared/metrics_common.h"

enum vn_agent_metric {
    VN_AM_START_TIME,       /* once */
    VN_AM_CONNECTED,        /* set when registration is accepted, and when the connection is lost */
    VN_AM_CONNECTIONS,      /* each registration that is answered */
    VN_AM_COMPUTE_UNITS,    /* once */
    VN_AM_JOBS,             /* set when a job comes or goes */
    VN_AM_TASKS,            /* a task is answered, or dropped */
    VN_AM_TASK_SECONDS,     /* a task is answered: since it came */
    VN_AM_ENGINES,          /* set when an engine process starts or ends */
    VN_AM_ENGINE_OUTCOMES,  /* an engine process ended */
    VN_AM_ENGINE_SECONDS,   /* an engine process ended: since its start */
    VN_AM_ENGINE_RETRIES,   /* a piece is tried again after a crash */
    VN_AM_STEPS,            /* an execution ended well */
    VN_AM_SHARDS_PROVED,    /* a proof of a shard is there */
    VN_AM_LINK_BYTES,       /* each message to and from the coordinator */
    VN_AM_COUNT
};

enum vn_metric_task { VN_METRIC_TASK_CONTRIBUTION, VN_METRIC_TASK_PROVE, VN_METRIC_TASK_AGGREGATE, VN_METRIC_TASKS };
static const char *const vn_metric_tasks[VN_METRIC_TASKS] = {"partial_contribution", "prove", "aggregate"};

enum vn_metric_task_end { VN_METRIC_TASK_OK, VN_METRIC_TASK_FAILED, VN_METRIC_TASK_CANCELLED, VN_METRIC_TASK_ENDS };
static const char *const vn_metric_task_ends[VN_METRIC_TASK_ENDS] = {"ok", "failed", "cancelled"};

enum vn_metric_answer { VN_METRIC_ACCEPTED, VN_METRIC_REFUSED, VN_METRIC_ANSWERS };
static const char *const vn_metric_answers[VN_METRIC_ANSWERS] = {"accepted", "refused"};

static const struct vn_metric vn_agent_metrics[VN_AM_COUNT] = {
    [VN_AM_START_TIME] = {.name = "venus_start_time_seconds", .kind = VN_METRIC_GAUGE, .help = VN_START_TIME_HELP},
    [VN_AM_CONNECTED] = {.name = "venus_agent_connected", .kind = VN_METRIC_GAUGE, .help = "1 while the worker is registered with its coordinator, else 0."},
    [VN_AM_CONNECTIONS] = {.name = "venus_agent_registrations_total", .kind = VN_METRIC_COUNTER, .help = "Registrations the coordinator answered.",
                           .labels = {VN_METRIC_LABEL("answer", vn_metric_answers)}},
    [VN_AM_COMPUTE_UNITS] = {.name = "venus_agent_compute_units", .kind = VN_METRIC_GAUGE, .help = "Compute units the worker offers."},
    [VN_AM_JOBS] = {.name = "venus_agent_jobs", .kind = VN_METRIC_GAUGE, .help = "Jobs the worker holds."},
    [VN_AM_TASKS] = {.name = "venus_agent_tasks_total", .kind = VN_METRIC_COUNTER, .help = "Tasks of the coordinator that ended on this worker.",
                     .labels = {VN_METRIC_LABEL("task", vn_metric_tasks), VN_METRIC_LABEL("outcome", vn_metric_task_ends)}},
    [VN_AM_TASK_SECONDS] = {.name = "venus_agent_task_seconds", .kind = VN_METRIC_HISTOGRAM, .help = "Time from a task's arrival to its answer.",
                            .labels = {VN_METRIC_LABEL("task", vn_metric_tasks)}, VN_METRIC_BOUNDS(vn_work_bounds)},
    [VN_AM_ENGINES] = {.name = "venus_agent_engines", .kind = VN_METRIC_GAUGE, .help = "Engine processes that run now."},
    [VN_AM_ENGINE_OUTCOMES] = {.name = "venus_engine_outcomes_total", .kind = VN_METRIC_COUNTER, .help = VN_ENGINE_OUTCOMES_HELP,
                               .labels = {VN_METRIC_LABEL("piece", vn_piece_labels), VN_METRIC_LABEL("outcome", vn_engine_outcome_labels)}},
    [VN_AM_ENGINE_SECONDS] = {.name = "venus_engine_seconds", .kind = VN_METRIC_HISTOGRAM, .help = "Life time of engine processes.",
                              .labels = {VN_METRIC_LABEL("piece", vn_piece_labels)}, VN_METRIC_BOUNDS(vn_work_bounds)},
    [VN_AM_ENGINE_RETRIES] = {.name = "venus_engine_retries_total", .kind = VN_METRIC_COUNTER, .help = "Pieces of work tried again after an engine crashed.",
                              .labels = {VN_METRIC_LABEL("piece", vn_piece_labels)}},
    [VN_AM_STEPS] = {.name = "venus_agent_executed_steps_total", .kind = VN_METRIC_COUNTER, .help = "Guest instructions executed on this worker."},
    [VN_AM_SHARDS_PROVED] = {.name = "venus_agent_shards_proved_total", .kind = VN_METRIC_COUNTER, .help = "Shards proved on this worker."},
    [VN_AM_LINK_BYTES] = {.name = "venus_agent_link_bytes_total", .kind = VN_METRIC_COUNTER, .help = "Bytes of the messages from and to the coordinator.",
                          .labels = {VN_METRIC_LABEL("direction", vn_direction_labels)}},
};

#endif
