#ifndef VN_SCHEDULER_CORE_H
#define VN_SCHEDULER_CORE_H
/* The scheduler's decisions: (state, event, now) -> (state, actions). No I/O, no clock. The adapter turns bus messages, timers and ended children into
 * events and carries the actions out in their order.
 *
 * Events                                     Actions
 *   REGISTER    a worker says who it is        ACCEPT / REJECT   answer to it
 *   HEARD       any sign of life               HEARTBEAT         ask for one
 *   LINK_CLOSED its stream is gone             CLOSE_LINK        its stream is of no use any more
 *   LAUNCH      a client wants a proof         LAUNCHED / REFUSED answer to it
 *   CONTRIBUTIONS, PROOFS, FINAL               CONTRIBUTE, PROVE, AGGREGATE   one task for one worker
 *   TASK_FAILED a worker's answers             CANCEL_TASK       the worker must drop what it has of a job
 *   PROGRESS    shards done inside a task      CHANGED           something a watcher of the job wants to hear
 *   CANCEL      a client gives a job up        VERIFY            check this final proof -> VERIFIED
 *   VERIFIED, SAVED  the proof's fate          SAVE              put the checked proof in its place -> SAVED
 *   FAIL        the adapter cannot go on       DISCARD           forget the unchecked proof (and its check)
 *   INPUT       a piece of a job's input
 *   DRAIN       give a worker no more jobs
 *   TICK        time has passed                STARTED           the job's first tasks have all been handed out
 *
 * A job that may wait (vn_launch.queue) is kept when the idle workers are not enough for it and starts by priority, then by age, after any step
 * that lets it. The first of the queue that the connected workers could serve at all keeps the others and new jobs from taking what it waits for;
 * one they could not serve is passed over until more workers come.
 * A simulated job does on its only worker what one of several would have to do, and ends after Prove without a proof.
 *
 * A link is one worker stream; the adapter numbers links from 1 and never uses a number twice. A job's units are 0..job_units-1; a shard belongs to
 * the unit (shard mod job_units). Ranks are positions in the job's list of workers. Invariants, held by the simulator: every unit of a job belongs to
 * exactly one of its workers (of a simulated job: to its one worker or to nobody); a worker works for at most one job, which is running; every job ends. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"

#define VN_LEAF_WORDS 9u          /* field elements of a contribution leaf, and of a verifying key's digest */
#define VN_PUBLIC_WORDS 64u       /* 32-bit output words */
#define VN_VALUE_WORDS 12u        /* n_exec, n_mem, steps, digest of the verifying key */
#define VN_FIELD_P 0x7f000001u    /* leaves and digests are canonical below it */
#define VN_MAX_JOB_SHARDS 65535u  /* the engine's limit */
#define VN_MAX_JOB_UNITS 65536u   /* more units than shards would be of no use */
#define VN_MAX_PROOF_BYTES (96u << 20) /* as a list of varints (up to ten bytes a word) it still fits a public message */
#define VN_MAX_ID 128u            /* bytes of a worker id */
#define VN_MAX_DATA_ID 256u
#define VN_MAX_PATH 4096u
#define VN_MAX_JOB_INPUT (120u << 20)  /* leaves room for the rest of the task message */
#define VN_MAX_QUEUED_INPUT ((size_t)2 << 30) /* inputs of all jobs that wait */
#define VN_HASH_ID 65u            /* SHA-256 in hexadecimal digits and a zero byte */

enum vn_job_state { VN_JOB_WAITING /* for its input */, VN_JOB_QUEUED, VN_JOB_RUNNING, VN_JOB_COMPLETED, VN_JOB_FAILED, VN_JOB_CANCELLED };
enum vn_job_kind { VN_JOB_PROVE, VN_JOB_EXECUTE /* ends after Contributions */ };
enum vn_phase { VN_PHASE_CONTRIBUTIONS, VN_PHASE_PROVE, VN_PHASE_AGGREGATE };
#define VN_JOB_PHASES 4u          /* those of enum vn_phase, and verifying */
enum vn_failure { VN_FAILURE_NONE, VN_FAILURE_TIMEOUT, VN_FAILURE_INPUT, VN_FAILURE_EXECUTION, VN_FAILURE_INTERNAL };

/* One leaf or one proof, as it travels. Leaf: nine elements. Proof: byte length, then the bytes as little-endian words. */
struct vn_entry {
    uint32_t rank;
    uint64_t shard;
    const uint64_t *values;
    size_t n_values;
};

struct vn_job;

struct vn_worker {
    struct vn_worker *next;   /* registration order */
    char id[VN_MAX_ID + 1];
    uint64_t link;            /* 0: disconnected */
    uint32_t units;
    int drained;              /* gets no new job */
    struct vn_job *job;       /* the one it is reserved for */
    uint32_t rank;            /* in that job */
    enum vn_phase task;       /* what it was last told to do for it */
    uint64_t heard_ns, asked_ns, lost_ns; /* monotonic: last sign of life, last heartbeat sent, disconnection */
    uint64_t connected_wall_ns, heard_wall_ns;
};

struct vn_member {
    struct vn_worker *worker; /* NULL once released */
    char worker_id[VN_MAX_ID + 1];
    uint32_t *units;
    uint32_t n_units;
    int answered;             /* the current phase's task */
    uint32_t shards_done, shards_total;
    uint32_t n_shards;        /* owned, known after phase 1 */
    struct vn_entry *proofs;  /* own copies, kept until the aggregator has them */
    size_t n_proofs;
};

struct vn_job {
    struct vn_job *next;      /* launch order */
    char id[37];
    char *data_id;
    enum vn_job_kind kind;
    char hash_id[VN_HASH_ID]; /* "": the workers' own program */
    enum vn_job_state state;
    enum vn_phase phase;
    uint32_t priority;
    uint32_t wanted, minimal; /* compute units */
    int simulated;
    char *input_path, *hints_path; /* NULL: none */
    uint8_t *input;           /* own copy while it waits */
    size_t input_len;
    int has_input;            /* inline, maybe of no bytes */
    int hints_stream;
    struct vn_member *members;
    uint32_t n_members;
    uint32_t job_units;

    uint32_t *owner;          /* rank by unit */
    uint32_t n_answers;       /* of the current phase */
    uint64_t publics[VN_PUBLIC_WORDS], values[VN_VALUE_WORDS];
    uint32_t n_shards;
    uint64_t (*leaves)[VN_LEAF_WORDS]; /* by shard - 1 */
    uint32_t *leaf_rank;      /* by shard - 1; UINT32_MAX: not seen */

    uint8_t *proved;          /* by shard - 1: its proof has come */
    uint32_t *arrivals;       /* ranks in the order their proofs came; arrivals[0] is the aggregator */
    uint32_t n_arrivals, n_sent, n_acked;
    int checking;             /* 1: final proof is being verified, 2: being saved */

    uint8_t *proof;           /* final proof, while checking and for the last completed jobs */
    size_t proof_len;

    uint64_t deadline_ns;
    uint64_t phase_limit_ns;
    uint64_t limit_wall_ns;   /* the client's own limit; 0: none */
    uint64_t created_wall_ns;
    uint64_t created_ns, started_ns, ended_ns; /* monotonic; started_ns = created_ns while it waits */
    uint64_t phase_ns[VN_JOB_PHASES];          /* how long each finished phase took; the last: verifying and saving */
    uint64_t phase_started_ns;
    uint64_t started_wall_ns, phase_wall_ns, ended_wall_ns;
    uint64_t steps_done;
    enum vn_failure failure;
    enum vn_phase failed_phase;
    char reason[512];
    char failed_worker[VN_MAX_ID + 1]; /* whose fault it was; "": nobody's */
    int trim;                 /* buffers of finished phases are freed before the next event */
};

struct vn_core_config {
    uint32_t max_workers_per_job, max_total_workers;
    uint64_t phase1_timeout_ns, phase2_timeout_ns;
    uint64_t heartbeat_ns;    /* between heartbeats */
    uint64_t silence_ns;      /* a worker unheard for so long is gone */
    uint64_t forget_ns;       /* a disconnected worker is listed for so long */
    uint64_t input_ns;        /* without another piece of input for so long, a job that waits for it fails */
    uint32_t keep_jobs, keep_proofs, max_queued;
};

struct vn_launch {
    uint64_t token;           /* comes back in LAUNCHED or REFUSED */
    const char *job_id;       /* fresh UUID */
    const char *data_id;
    uint32_t compute_capacity, minimal_compute_capacity;
    const char *input_path;   /* NULL unless relayed to the workers */
    const uint8_t *input_data; /* NULL unless sent inline */
    size_t input_len;
    enum vn_job_kind kind;
    const char *hash_id;      /* NULL: the workers' own program */
    int queue;                /* may wait */
    uint32_t priority;        /* larger ones first */
    int wait_for_input;       /* its input comes with INPUT; needs queue */
    const char *hints_path;   /* NULL: no hints */
    int hints_stream;
    int simulated;
    uint32_t simulated_node;
    uint64_t limit_wall_ns;   /* 0: none */
};

enum vn_event_kind {
    VN_EVENT_REGISTER, VN_EVENT_HEARD, VN_EVENT_LINK_CLOSED, VN_EVENT_LAUNCH, VN_EVENT_CONTRIBUTIONS, VN_EVENT_PROOFS, VN_EVENT_FINAL,
    VN_EVENT_TASK_FAILED, VN_EVENT_PROGRESS, VN_EVENT_CANCEL, VN_EVENT_FAIL, VN_EVENT_INPUT, VN_EVENT_DRAIN, VN_EVENT_VERIFIED, VN_EVENT_SAVED,
    VN_EVENT_TICK,
};

struct vn_event {
    enum vn_event_kind kind;
    uint64_t link;            /* worker events */
    const char *job_id;       /* worker answers, CANCEL, FAIL, INPUT, VERIFIED, SAVED; REGISTER: last known job or NULL */
    const char *text;         /* TASK_FAILED, FAIL, VERIFIED, SAVED: reason; LINK_CLOSED: why, or NULL */
    const char *worker_id;    /* REGISTER, DRAIN */
    uint32_t units;           /* REGISTER */
    const struct vn_launch *launch;
    const struct vn_entry *entries; /* CONTRIBUTIONS, PROOFS */
    size_t n_entries;
    const uint64_t *publics, *values; /* CONTRIBUTIONS; FINAL: values */
    size_t n_publics, n_values;
    uint64_t steps;           /* FINAL (0: not told), PROGRESS, VERIFIED */
    uint32_t shards_done, shards_total; /* PROGRESS */
    enum vn_failure failure;  /* FAIL */
    const uint8_t *bytes;     /* INPUT */
    size_t n_bytes;
    int ok;                   /* VERIFIED, SAVED; DRAIN: 1 no more jobs, 0 jobs again; INPUT: this was the last piece */
    const uint8_t *outputs;   /* VERIFIED: 256 bytes */
    const uint32_t *key;      /* VERIFIED: digest of the verifying key, canonical elements */
};

enum vn_action_kind {
    VN_ACTION_ACCEPT, VN_ACTION_REJECT, VN_ACTION_HEARTBEAT, VN_ACTION_CLOSE_LINK, VN_ACTION_LAUNCHED, VN_ACTION_REFUSED,
    VN_ACTION_CONTRIBUTE, VN_ACTION_PROVE, VN_ACTION_AGGREGATE, VN_ACTION_CANCEL_TASK, VN_ACTION_CHANGED, VN_ACTION_VERIFY, VN_ACTION_SAVE,
    VN_ACTION_DISCARD, VN_ACTION_STARTED,
};

/* What points into the core lives until the next vn_core_step; input_data may be that of the LAUNCH event. */
struct vn_action {
    enum vn_action_kind kind;
    uint64_t link;
    struct vn_job *job;
    char job_id[37];          /* CANCEL_TASK (of a job that may be unknown here), REGISTER's stale job */
    char worker_id[VN_MAX_ID + 1];
    uint32_t rank;            /* CONTRIBUTE: job->members[rank] */
    uint64_t token;           /* LAUNCHED, REFUSED */
    enum vn_status status;    /* REFUSED */
    char text[256];           /* REJECT, REFUSED, CANCEL_TASK, CLOSE_LINK */
    const uint8_t *input_data; /* CONTRIBUTE; NULL: none or job->input_path */
    size_t input_len;
    const struct vn_entry *entries; /* AGGREGATE: proofs of one worker, may be none */
    size_t n_entries;
    int last;                 /* AGGREGATE */
    int progress;             /* CHANGED: only numbers moved */
};

struct vn_core;
enum vn_status vn_core_new(struct vn_core **c, const struct vn_core_config *config) VN_MUST_CHECK;
void vn_core_free(struct vn_core *c);

/* Everything the event points to must live until its actions have been carried out. now_ns is monotonic, wall_ns the wall clock for what people are
 * shown. *actions is valid until the next step.
 * Errors: VN_ERR_MEMORY, after which the state is of no use. */
enum vn_status vn_core_step(struct vn_core *c, const struct vn_event *e, uint64_t now_ns, uint64_t wall_ns, const struct vn_action **actions,
                            size_t *n_actions) VN_MUST_CHECK;

/* For answers to people; never changed from outside. */
const struct vn_job *vn_core_jobs(const struct vn_core *c);
const struct vn_job *vn_core_job(const struct vn_core *c, const char *id);
const struct vn_worker *vn_core_workers(const struct vn_core *c);

int vn_job_is_live(const struct vn_job *job);           /* has not ended */
int vn_worker_is_idle(const struct vn_worker *w);       /* could start a job now */
const char *vn_phase_name(enum vn_phase p);             /* "Contributions" */
uint32_t vn_job_shards_done(const struct vn_job *job);  /* of the current phase */

/* ---- allocation.c ---- */
/* Deals units 0..n_units-1 round-robin: unit u goes to worker u mod n if it has room, else to the next one after it that has.
 * Shape: owner[n_units], dealt[n] (units each got), capacity[n]; the capacities sum up to at least n_units. */
void vn_deal_units(uint32_t *owner, uint32_t *dealt, uint32_t n_units, const uint32_t *capacity, uint32_t n);

#endif
