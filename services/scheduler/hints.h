#ifndef VN_SCHEDULER_HINTS_H
#define VN_SCHEDULER_HINTS_H
/* Relays streams of hints: from a file, a Unix socket (SOCK_SEQPACKET, one packet one piece) or the client to every worker of a job, in order, as StreamData
 * START, DATA..., END, numbered from 0. */

#include "services/scheduler/scheduler.h"

#define VN_HINTS_PIECE 131072u    /* bytes of one DATA message, and of the largest packet */
#define VN_HINTS_MARK_PIECES 8u   /* after so many a heartbeat asks each worker how far it is */
#define VN_HINTS_MARKS 4u         /* so many of them may be unanswered; then the relay waits */

/* file://PATH, unix://PATH or a plain path. Errors: UNSUPPORTED for quic://, ARGUMENT for what cannot be a source. */
enum vn_status vn_hints_check_uri(const char *uri, struct vn_error *err) VN_MUST_CHECK;

/* For a job whose hints come from the client. bytes: all of them; NULL: they will be pushed. */
enum vn_status vn_hints_expect(struct vn_scheduler *s, const struct vn_job *j, const uint8_t *bytes, size_t n) VN_MUST_CHECK;
/* One piece from the client, answered with REPLY when there is room for the next one. bytes NULL: it was the last one before. */
void vn_hints_push(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation, const struct vn_job *j, const uint8_t *bytes, size_t n);

/* The job has started, its tasks are on their way; it has ended; this worker has read what it was sent before. */
void vn_hints_start(struct vn_scheduler *s, const struct vn_job *j);
void vn_hints_end(struct vn_scheduler *s, const struct vn_job *j);
void vn_hints_acked(struct vn_scheduler *s, struct vn_link *l);

void vn_hints_forget(struct vn_scheduler *s, const struct vn_peer *p);
void vn_hints_tick(struct vn_scheduler *s);
int vn_hints_settle(struct vn_scheduler *s);
void vn_hints_free(struct vn_scheduler *s);

#endif
