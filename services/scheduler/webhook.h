#ifndef VN_WEBHOOK_H
#define VN_WEBHOOK_H
/* Tells a user's web service that a job has ended: one JSON POST for each job. docs/webhook.md is the contract with the receiver.
 *
 * A thread of its own does all network work. The caller, always one and the same thread, posts events, watches vn_webhook_fd and collects what
 * became of them; none of that waits for the network. What is posted is in memory only: it does not outlive the process. */

#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"
#include "services/scheduler/core.h"

#define VN_WEBHOOK_TOKEN "{$job_id}"
#define VN_WEBHOOK_SIGNATURE_HEADER "Venus-Signature"   /* sha256=HEX, HMAC-SHA256 of the body */
#define VN_WEBHOOK_IDEMPOTENCY_HEADER "Idempotency-Key" /* "JOB ID", the same in each attempt */

#define VN_WEBHOOK_TIMEOUT_MS 10000u      /* default: connecting, sending and the answer's head together */
#define VN_WEBHOOK_MAX_TIMEOUT_MS 600000u
#define VN_WEBHOOK_MAX_RETRIES 10u
#define VN_WEBHOOK_BACKOFF_MS 1000u       /* default pause before the first retry; doubles with each */
#define VN_WEBHOOK_MAX_BACKOFF_MS 60000u
#define VN_WEBHOOK_MAX_URL 2048u          /* bytes of the template */
#define VN_WEBHOOK_MAX_JOB_ID 128u
#define VN_WEBHOOK_PARALLEL 4u            /* attempts at a time; each holds a body of up to 2.7 times its proof */
#define VN_WEBHOOK_MAX_EVENTS 64u         /* posted and not yet collected: more means the receiver is far too slow */
#define VN_WEBHOOK_MAX_BYTES ((size_t)256 << 20) /* of their proofs together */

struct vn_webhook_config {
    const char *url;       /* template, http or https */
    uint64_t timeout_ms;   /* of one attempt, 1..VN_WEBHOOK_MAX_TIMEOUT_MS */
    uint64_t retries;      /* attempts after the first, 0..VN_WEBHOOK_MAX_RETRIES; not 0: with idempotency key */
    uint64_t backoff_ms;   /* used if retries > 0: 1..VN_WEBHOOK_MAX_BACKOFF_MS */
    const char *secret;    /* NULL: unsigned. Not empty. */
};

struct vn_webhook_event {
    const char *job_id;
    int success;
    uint64_t duration_ms;
    const uint8_t *proof;  /* success: the final proof's bytes, or NULL */
    size_t proof_len;
    uint64_t ended_wall_ns;
    const char *error_code, *error_message; /* not success; the message may be any bytes */
};

/* In the order of the metric venus_webhook_total. DROPPED is for the caller, when a post is refused. */
enum vn_webhook_outcome {
    VN_WEBHOOK_DELIVERED,   /* answered with 2xx */
    VN_WEBHOOK_REJECTED,    /* answered with anything else */
    VN_WEBHOOK_UNREACHABLE, /* no connection, TLS trouble, no HTTP */
    VN_WEBHOOK_TIMED_OUT,
    VN_WEBHOOK_GIVEN_UP,    /* still on its way when the grace time was over */
    VN_WEBHOOK_DROPPED,
    VN_WEBHOOK_OUTCOMES
};

struct vn_webhook_result {
    char job_id[VN_WEBHOOK_MAX_JOB_ID + 1];
    enum vn_webhook_outcome outcome; /* of this attempt */
    int final;              /* 0: another attempt follows in retry_ms */
    unsigned attempt;       /* from 1; 0: given up before the first */
    long http_status;       /* 0: none came */
    uint64_t took_ms, retry_ms;
    char text[256];         /* why it was not delivered */
};

struct vn_webhook;

/* ARGUMENT, with a reason for the person who wrote the template, if it cannot work. */
enum vn_status vn_webhook_check_url(const char *url, struct vn_error *err) VN_MUST_CHECK;

/* Owns: copies all of config. Errors: ARGUMENT, MEMORY, IO. */
enum vn_status vn_webhook_start(struct vn_webhook **w, const struct vn_webhook_config *config, struct vn_error *err) VN_MUST_CHECK;

/* Copies the event and returns. Errors: ARGUMENT (job id), BUSY (a maximum above is reached), LIMIT (the proof alone is above it), CANCELLED (after stop),
 * MEMORY. The caller logs it and counts it as VN_WEBHOOK_DROPPED. */
enum vn_status vn_webhook_post(struct vn_webhook *w, const struct vn_webhook_event *e, struct vn_error *err) VN_MUST_CHECK;

/* Readable while there are results. */
int vn_webhook_fd(const struct vn_webhook *w);
/* BUSY: none. Each event gets exactly one final result. */
enum vn_status vn_webhook_next(struct vn_webhook *w, struct vn_webhook_result *r) VN_MUST_CHECK;

/* Blocks: until everything has its final result, at most grace_ms; what is left then is given up. Collect the results afterwards. */
void vn_webhook_stop(struct vn_webhook *w, uint64_t grace_ms);
/* NULL ok. Stops without grace if that was not done. Results not collected are lost. */
void vn_webhook_free(struct vn_webhook *w);

/* What docs/webhook.md calls the failure; static text. */
const char *vn_webhook_error_code(enum vn_failure f);
/* The result as a line of the log. */
void vn_webhook_log(const struct vn_webhook_result *r);

/* ---- webhook_body.c: no I/O ---- */
/* Owns: *out is the caller's. The template has passed vn_webhook_check_url. */
enum vn_status vn_webhook_url(char **out, const char *url, const char *job_id) VN_MUST_CHECK;
enum vn_status vn_webhook_body(char **out, size_t *n, const struct vn_webhook_event *e) VN_MUST_CHECK;
/* "sha256=" and 64 hex digits. */
void vn_webhook_sign(char out[72], const char *secret, const char *body, size_t n);

#endif
