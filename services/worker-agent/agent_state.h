#ifndef VN_AGENT_STATE_H
#define VN_AGENT_STATE_H
/* What the parts of the agent share: agent.c owns the loop and the connection, agent_work.c tasks and the engine. */

#include "libshared/metrics.h"
#include "services/worker-agent/agent.h"
#include "services/worker-agent/engine_process.h"
#include "services/worker-agent/link.h"

#define VN_NEVER UINT64_MAX
#define VN_SECOND_NS UINT64_C(1000000000)

enum vn_connection {
    VN_CONNECTION_WAITING,     /* no link until retry_at */
    VN_CONNECTION_OPENING,     /* link not up yet */
    VN_CONNECTION_REGISTERING, /* our first message is sent, or about to be */
    VN_CONNECTION_READY
};

struct vn_outgoing {
    struct vn_outgoing *next;
    uint8_t *bytes;
    size_t n_bytes;
    int droppable; /* progress and acknowledgements: worth nothing on the next connection */
};

/* One engine at a time. */
struct vn_slot {
    struct vn_engine engine;
    struct vn_piece piece;
    engine_event *last_word; /* the engine's Result or Failure */
    int broke_protocol;
    int polls_write;
    unsigned attempt;        /* of the piece at hand, from 0 */
    uint32_t done;           /* shards of the piece that the engine reported */
    uint64_t started_ns, kill_at_ns, linger_until_ns;
};

struct vn_agent {
    const struct vn_agent_config *config;
    int epoll, signals;
    int stopping;
    struct vn_error fatal;  /* status VN_OK: none */

    struct vn_link *link;
    enum vn_connection connection;
    int registered_sent;
    unsigned failures;     /* in a row, for the back-off */
    uint64_t retry_at_ns, last_heard_ns, next_ack_ns;
    struct vn_outgoing *queue, **queue_end;
    size_t queue_len;

    struct vn_job *job;    /* current */
    struct vn_job *dying;  /* given up, its engines still have to end; those that run are all its own */
    struct vn_slot slots[VN_AGENT_MAX_SLOTS]; /* config->job.slots of them are used */
    unsigned n_running;    /* slots with an engine */
    uint64_t idle_since_ns; /* of a job that waits for its coordinator */
    uint64_t last_progress_ns;

    struct vn_metrics *metrics; /* NULL: off */
    struct vn_metrics_server *metrics_server;
    int task_open;         /* a task of the job is not answered yet: task, since task_since_ns */
    task_type task;
    uint64_t task_since_ns;
};

/* agent.c: queues a WorkerMessage. post takes bytes (from malloc). */
void vn_agent_post(struct vn_agent *a, uint8_t *bytes, size_t n_bytes, int droppable);
void vn_agent_send(struct vn_agent *a, const worker_message *message, int droppable);
void vn_agent_report(struct vn_agent *a, const char *job_id, const char *text); /* WorkerError */
/* index: of the slot, for the engine's descriptors. */
int vn_agent_watch(struct vn_agent *a, int fd, uint32_t events, uint32_t what, unsigned index);

/* agent_work.c */
void vn_agent_take_task(struct vn_agent *a, const task_request *task);
void vn_agent_take_hints(struct vn_agent *a, const stream_data *data);
void vn_agent_connection_lost(struct vn_agent *a); /* a hints stream ends with its connection */
void vn_agent_drop_job(struct vn_agent *a);        /* ends its engines */
void vn_agent_engine_socket(struct vn_agent *a, unsigned slot); /* readable or writable */
void vn_agent_engine_ended(struct vn_agent *a, unsigned slot);  /* pidfd readable */
void vn_agent_no_patience(struct vn_agent *a);     /* engines that are to end are killed at once */
uint64_t vn_agent_work_deadline(const struct vn_agent *a);
void vn_agent_work_timers(struct vn_agent *a, uint64_t now_ns);

/* What a descriptor in epoll stands for: one of these, and the slot << 8. */
enum { VN_WATCH_SIGNALS, VN_WATCH_LINK, VN_WATCH_ENGINE_SOCKET, VN_WATCH_ENGINE_END };

/* Foreign text for a log line: control characters and quotes replaced, cut to the buffer. */
const char *vn_agent_plain(char *out, size_t out_len, const char *text);

#endif
