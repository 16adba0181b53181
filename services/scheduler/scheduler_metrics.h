#ifndef VN_SCHEDULER_METRICS_H
#define VN_SCHEDULER_METRICS_H
/* The scheduler's metrics. Each comment says when the owner of the number updates it. */

#include "libshared/metrics_common.h"
#include "services/scheduler/webhook.h"

enum vn_scheduler_metric {
    VN_SM_START_TIME,       /* once */
    VN_SM_JOBS,             /* with every tick, as the other gauges */
    VN_SM_JOBS_ENDED,       /* when a job ends */
    VN_SM_JOB_FAILURES,     /* when a job ends as failed */
    VN_SM_LAUNCHES_REFUSED, /* with the answer */
    VN_SM_QUEUE_DEPTH,      /* jobs that wait for capacity or input */
    VN_SM_JOB_SECONDS,      /* when a job ends: since its launch */
    VN_SM_JOB_PHASE_SECONDS,/* when a job ends: the phases it has been in */
    VN_SM_DISPATCH_SECONDS, /* launch request received -> first tasks handed to the bus */
    VN_SM_WORKERS,
    VN_SM_COMPUTE_UNITS,    /* connected workers only */
    VN_SM_ENGINE_OUTCOMES,  /* a `venus-engine verify` ended */
    VN_SM_PROOF_BYTES,      /* a final proof was accepted */
    VN_SM_PROVEN_STEPS,     /* a final proof was accepted */
    VN_SM_BUS_MESSAGES,     /* each message */
    VN_SM_BUS_BYTES,        /* each message: header, body and bulk */
    VN_SM_WEBHOOK,          /* each result of vn_webhook_next that is final, and each post that was refused */
    VN_SM_COUNT
};

enum vn_metric_job_state {
    VN_METRIC_JOB_QUEUED, VN_METRIC_JOB_RUNNING, VN_METRIC_JOB_COMPLETED, VN_METRIC_JOB_FAILED, VN_METRIC_JOB_CANCELLED, VN_METRIC_JOB_STATES
};
static const char *const vn_metric_job_states[VN_METRIC_JOB_STATES] = {"queued", "running", "completed", "failed", "cancelled"};

enum vn_metric_job_end { VN_METRIC_END_COMPLETED, VN_METRIC_END_FAILED, VN_METRIC_END_CANCELLED, VN_METRIC_ENDS };
static const char *const vn_metric_job_ends[VN_METRIC_ENDS] = {"completed", "failed", "cancelled"};

enum vn_metric_failure { VN_METRIC_FAILURE_TIMEOUT, VN_METRIC_FAILURE_INPUT, VN_METRIC_FAILURE_EXECUTION, VN_METRIC_FAILURE_INTERNAL, VN_METRIC_FAILURES };
static const char *const vn_metric_failures[VN_METRIC_FAILURES] = {"timeout", "input", "execution", "internal"};

enum vn_metric_refusal { VN_METRIC_REFUSED_REQUEST, VN_METRIC_REFUSED_CAPACITY, VN_METRIC_REFUSED_OTHER, VN_METRIC_REFUSALS };
static const char *const vn_metric_refusals[VN_METRIC_REFUSALS] = {"request", "capacity", "other"};

/* The first three are those of enum vn_phase. */
enum vn_metric_phase { VN_METRIC_PHASE_CONTRIBUTIONS, VN_METRIC_PHASE_PROVE, VN_METRIC_PHASE_AGGREGATE, VN_METRIC_PHASE_VERIFY, VN_METRIC_PHASES };
static const char *const vn_metric_phases[VN_METRIC_PHASES] = {"contributions", "prove", "aggregate", "verify"};

enum vn_metric_worker_state { VN_METRIC_WORKER_IDLE, VN_METRIC_WORKER_COMPUTING, VN_METRIC_WORKER_DRAINING, VN_METRIC_WORKER_DISCONNECTED, VN_METRIC_WORKER_STATES };
static const char *const vn_metric_worker_states[VN_METRIC_WORKER_STATES] = {"idle", "computing", "draining", "disconnected"};

enum vn_metric_units { VN_METRIC_UNITS_IDLE, VN_METRIC_UNITS_RESERVED, VN_METRIC_UNITS };
static const char *const vn_metric_units[VN_METRIC_UNITS] = {"idle", "reserved"};

static const char *const vn_metric_webhooks[VN_WEBHOOK_OUTCOMES] = {
    [VN_WEBHOOK_DELIVERED] = "delivered", [VN_WEBHOOK_REJECTED] = "rejected", [VN_WEBHOOK_UNREACHABLE] = "unreachable",
    [VN_WEBHOOK_TIMED_OUT] = "timeout", [VN_WEBHOOK_GIVEN_UP] = "given_up", [VN_WEBHOOK_DROPPED] = "dropped",
};

static const double vn_dispatch_bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5};
static const double vn_proof_bounds[] = {131072, 262144, 524288, 1048576, 2097152, 4194304, 8388608, 16777216, 33554432, 67108864};

static const struct vn_metric vn_scheduler_metrics[VN_SM_COUNT] = {
    [VN_SM_START_TIME] = {.name = "venus_start_time_seconds", .kind = VN_METRIC_GAUGE, .help = VN_START_TIME_HELP},
    [VN_SM_JOBS] = {.name = "venus_jobs", .kind = VN_METRIC_GAUGE, .help = "Jobs the scheduler knows; those that ended are forgotten after a while.",
                    .labels = {VN_METRIC_LABEL("state", vn_metric_job_states)}},
    [VN_SM_JOBS_ENDED] = {.name = "venus_jobs_ended_total", .kind = VN_METRIC_COUNTER, .help = "Jobs that ended.",
                          .labels = {VN_METRIC_LABEL("outcome", vn_metric_job_ends)}},
    [VN_SM_JOB_FAILURES] = {.name = "venus_job_failures_total", .kind = VN_METRIC_COUNTER, .help = "Jobs that failed, by class of the failure.",
                            .labels = {VN_METRIC_LABEL("class", vn_metric_failures)}},
    [VN_SM_LAUNCHES_REFUSED] = {.name = "venus_launches_refused_total", .kind = VN_METRIC_COUNTER,
                                .help = "Launch requests that became no job: faulty requests, too little idle capacity, or another reason.",
                                .labels = {VN_METRIC_LABEL("reason", vn_metric_refusals)}},
    [VN_SM_QUEUE_DEPTH] = {.name = "venus_queue_depth", .kind = VN_METRIC_GAUGE, .help = "Jobs that wait for capacity."},
    [VN_SM_JOB_SECONDS] = {.name = "venus_job_seconds", .kind = VN_METRIC_HISTOGRAM, .help = "Time from launch to end of a job.",
                           .labels = {VN_METRIC_LABEL("outcome", vn_metric_job_ends)}, VN_METRIC_BOUNDS(vn_work_bounds)},
    [VN_SM_JOB_PHASE_SECONDS] = {.name = "venus_job_phase_seconds", .kind = VN_METRIC_HISTOGRAM, .help = "Time a job spent in a phase.",
                                 .labels = {VN_METRIC_LABEL("phase", vn_metric_phases)}, VN_METRIC_BOUNDS(vn_work_bounds)},
    [VN_SM_DISPATCH_SECONDS] = {.name = "venus_dispatch_seconds", .kind = VN_METRIC_HISTOGRAM,
                                .help = "Time from a launch request to the first tasks being on their way to the workers, without waiting for capacity.",
                                VN_METRIC_BOUNDS(vn_dispatch_bounds)},
    [VN_SM_WORKERS] = {.name = "venus_workers", .kind = VN_METRIC_GAUGE, .help = "Workers the scheduler knows; those that left are forgotten after a while.",
                       .labels = {VN_METRIC_LABEL("state", vn_metric_worker_states)}},
    [VN_SM_COMPUTE_UNITS] = {.name = "venus_compute_units", .kind = VN_METRIC_GAUGE, .help = "Compute units of the connected workers.",
                             .labels = {VN_METRIC_LABEL("state", vn_metric_units)}},
    [VN_SM_ENGINE_OUTCOMES] = {.name = "venus_engine_outcomes_total", .kind = VN_METRIC_COUNTER, .help = VN_ENGINE_OUTCOMES_HELP,
                               .labels = {VN_METRIC_LABEL("piece", vn_piece_labels), VN_METRIC_LABEL("outcome", vn_engine_outcome_labels)}},
    [VN_SM_PROOF_BYTES] = {.name = "venus_proof_bytes", .kind = VN_METRIC_HISTOGRAM, .help = "Size of accepted final proofs.",
                           VN_METRIC_BOUNDS(vn_proof_bounds)},
    [VN_SM_PROVEN_STEPS] = {.name = "venus_proven_steps_total", .kind = VN_METRIC_COUNTER, .help = "Guest instructions covered by accepted final proofs."},
    [VN_SM_BUS_MESSAGES] = {.name = "venus_bus_messages_total", .kind = VN_METRIC_COUNTER, .help = "Messages on the bus.",
                            .labels = {VN_METRIC_LABEL("direction", vn_direction_labels)}},
    [VN_SM_BUS_BYTES] = {.name = "venus_bus_bytes_total", .kind = VN_METRIC_COUNTER, .help = "Bytes of the messages on the bus.",
                         .labels = {VN_METRIC_LABEL("direction", vn_direction_labels)}},
    [VN_SM_WEBHOOK] = {.name = "venus_webhook_total", .kind = VN_METRIC_COUNTER,
                       .help = "Webhook notifications by what became of them: answered with 2xx, answered otherwise, no connection, no answer in time, given up "
                               "at shutdown, or dropped because too many were waiting.",
                       .labels = {VN_METRIC_LABEL("outcome", vn_metric_webhooks)}},
};

#endif
