#ifndef VN_SCHEDULER_H
#define VN_SCHEDULER_H
/* The process around the core: one loop thread that owns everything here. Nothing blocks; a callback that finds a peer gone only marks it, and
 * vn_scheduler_settle, called at the end of every callback of the loop, does what follows from the marks. */

#include <czmq.h>
#include <stdint.h>

#include "libshared/bus.h"
#include "libshared/metrics.h"
#include "libshared/process.h"
#include "libshared/status.h"
#include "services/scheduler/core.h"
#include "services/scheduler/webhook.h"
#include "zisk_coordinator_api.pb-c.h"
#include "zisk_distributed_api.pb-c.h"

#define VN_MAX_PEERS 4096u
#define VN_MAX_WATCHERS 4096u            /* followers and waiters together */
#define VN_OUTBOX_MESSAGES 8192u         /* for one peer whose queue is full; more means it does not read */
#define VN_OUTBOX_BYTES ((size_t)2 << 30)
#define VN_API_MAX_MESSAGE (128u << 20)
#define VN_TICK_MS 100
#define VN_PING_NS 2000000000u           /* a peer that left is noticed when something cannot be sent to it */
#define VN_PROGRESS_NS 200000000u        /* at most one progress event in this time to one watcher */

struct vn_scheduler_config {
    char **bus;
    char *proofs_dir, *programs_dir, *elf;
    uint64_t no_save_proofs, compressed;
    uint64_t max_workers_per_job, max_total_workers, max_queued;
    uint64_t phase1_timeout, phase2_timeout; /* seconds */
    char *service_name;
    char *engine; /* NULL: the sibling venus-engine */
    uint64_t ready_fd, parent;
    char *webhook_url, *webhook_secret_file;
    uint64_t webhook_timeout, webhook_backoff, webhook_retries; /* timeout and back-off in seconds */
    char *metrics_host;
    uint64_t metrics_port;
    char *log_level, *log_format, *log_file;
};

struct vn_outgoing {
    struct vn_outgoing *next;
    uint16_t kind;
    uint64_t correlation;
    size_t len;
    uint8_t body[];
};

struct vn_peer {
    struct vn_peer *next;
    struct vn_bus_peer address;
    int role;                  /* of Hello */
    int gone;                  /* to be removed when things settle */
    struct vn_outgoing *outbox, **outbox_tail;
    uint32_t outbox_count;
    size_t outbox_bytes;
};

struct vn_link {               /* one worker stream */
    struct vn_link *next;
    uint64_t number;           /* the core's */
    struct vn_peer *peer;
    uint64_t correlation;
    char worker_id[VN_MAX_ID + 1];
    char (*programs)[VN_HASH_ID]; /* registered programs that the worker has */
    uint32_t n_programs;
    uint32_t marks;            /* heartbeats behind hints that it has not answered */
    int closing;               /* to be reported to the core and removed when things settle */
};

struct vn_watcher {
    struct vn_watcher *next;
    struct vn_peer *peer;
    uint64_t correlation;
    const struct vn_job *job;  /* running: the watcher goes when it ends */
    int started;               /* was told that the job has started */
    int waits;                 /* WaitJob: one answer, at the end or at deadline_ns */
    int dirty;
    uint64_t deadline_ns;      /* waits */
    uint64_t told_ns;          /* last progress */
};

struct vn_check {              /* one final proof between VERIFY and SAVED */
    struct vn_check *next;
    struct vn_scheduler *scheduler;
    char job_id[37];
    char path[4096];           /* temporary file */
    char elf[4096];            /* the program that must have run; "": not known here */
    struct vn_child child;     /* pidfd < 0 when it has ended */
    int output;                /* read end of its standard output */
    char text[512];            /* why it could not even start */
    int failed;                /* ... to be told to the core when things settle */
    int save;                  /* ... to be put in its place when things settle */
};

struct vn_scheduler {
    struct vn_scheduler_config config;
    char engine[4096];
    zloop_t *loop;
    struct vn_bus_server *bus;
    struct vn_core *core;
    struct vn_peer *peers;
    uint32_t n_peers;
    struct vn_link *links;
    uint64_t last_link;
    struct vn_watcher *watchers;
    uint32_t n_watchers;
    struct vn_check *checks;
    struct vn_relay *relays;   /* hints.c */
    char doomed_job[37], doomed_text[512]; /* programs.c: a job to be failed when things settle */
    struct vn_metrics *metrics; /* NULL: off */
    struct vn_metrics_server *metrics_server;
    struct vn_webhook *webhook; /* NULL: off */
    uint64_t started_wall_ns, started_ns, pinged_ns;
    enum vn_status fatal;      /* ends the loop */
    int stopping;
};

/* ---- main.c ---- */
/* One event through the core and its actions out. */
void vn_scheduler_step(struct vn_scheduler *s, const struct vn_event *e);
void vn_scheduler_settle(struct vn_scheduler *s);

/* ---- peers.c ---- */
struct vn_peer *vn_peer_find(struct vn_scheduler *s, const struct vn_bus_peer *address);
struct vn_peer *vn_peer_add(struct vn_scheduler *s, const struct vn_bus_peer *address, int role);
void vn_peer_send(struct vn_scheduler *s, struct vn_peer *p, uint16_t kind, uint64_t correlation, const ProtobufCMessage *m /* NULL: empty */);
void vn_peer_error(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation, enum vn_status status, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* To one that has not said who it is. */
void vn_stranger_error(struct vn_scheduler *s, const struct vn_bus_peer *to, uint64_t correlation, const char *text);
void vn_peers_tick(struct vn_scheduler *s);
/* Removes peers marked as gone, with their links (told to the core) and watchers. 1 if there were any. */
int vn_peers_settle(struct vn_scheduler *s);
void vn_peers_free(struct vn_scheduler *s);

/* ---- streams.c ---- */
struct vn_link *vn_link_of_number(struct vn_scheduler *s, uint64_t number);
/* A message of the relay of hints. */
void vn_link_send(struct vn_scheduler *s, struct vn_link *l, const Zisk__Distributed__Api__V1__CoordinatorMessage *m);
void vn_link_free(struct vn_link *l);
void vn_link_heartbeat(struct vn_scheduler *s, struct vn_link *l);
void vn_stream_message(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m);
void vn_stream_closed(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation);
void vn_stream_action(struct vn_scheduler *s, const struct vn_action *a);
void vn_streams_shutdown(struct vn_scheduler *s);
int vn_streams_settle(struct vn_scheduler *s);

/* ---- requests.c ---- */
void vn_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m);

/* ---- launch.c ---- */
void vn_launch_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m);
/* The whole of a regular file of at most max bytes. what: "Input", begins the sentence of an error. Owns: *data is the caller's. */
enum vn_status vn_read_file(const char *path, size_t max, const char *what, uint8_t **data, size_t *len, struct vn_error *err) VN_MUST_CHECK;
void vn_launch_action(struct vn_scheduler *s, const struct vn_action *a);

/* ---- admin.c ---- */
void vn_admin_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m);

/* ---- api.c ---- */
void vn_job_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m);
void vn_push_input(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m);
void vn_push_hints(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m);

/* ---- watch.c ---- */
void vn_watch_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m);
void vn_wait_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m);
void vn_watch_abandon(struct vn_scheduler *s, const struct vn_peer *p, uint64_t correlation);
void vn_watch_changed(struct vn_scheduler *s, const struct vn_job *j, int progress);
void vn_watch_tick(struct vn_scheduler *s);
/* All of a peer's, or every one when p is NULL. */
void vn_watch_drop(struct vn_scheduler *s, const struct vn_peer *p);
void vn_timestamp(Google__Protobuf__Timestamp *t, uint64_t wall_ns);

/* ---- proofs.c ---- */
enum vn_status vn_proofs_prepare(struct vn_scheduler *s, struct vn_error *err) VN_MUST_CHECK;
void vn_proofs_verify(struct vn_scheduler *s, const struct vn_job *j);
void vn_proofs_save(struct vn_scheduler *s, const struct vn_job *j);
void vn_proofs_discard(struct vn_scheduler *s, const struct vn_job *j);
int vn_proofs_settle(struct vn_scheduler *s);
void vn_proofs_free(struct vn_scheduler *s);
/* Reads the report of `venus-engine verify --json`. outputs[256], key[9]. Returns 1 if it states a valid proof and is complete; otherwise reason. */
int vn_proofs_read_report(const char *text, uint64_t *steps, uint8_t *outputs, uint32_t *key, char *reason, size_t reason_len);

#endif
