#ifndef VN_SCHEDULER_REPORT_H
#define VN_SCHEDULER_REPORT_H
/* Metrics and the webhook of the scheduler. Without --metrics-port and --webhook-url nothing here does anything. */

#include "services/scheduler/scheduler.h"

enum vn_verifier_end { VN_VERIFIER_OK, VN_VERIFIER_FAILED, VN_VERIFIER_CRASHED, VN_VERIFIER_CANCELLED };

/* Starts their threads: after the signals have been blocked and the core is there. */
enum vn_status vn_report_open(struct vn_scheduler *s, struct vn_error *err) VN_MUST_CHECK;
/* Lets the loop collect the webhook's results. */
enum vn_status vn_report_attach(struct vn_scheduler *s, struct vn_error *err) VN_MUST_CHECK;
/* Blocks: a few seconds at most, for notifications still on their way. */
void vn_report_close(struct vn_scheduler *s);

void vn_report_bus(struct vn_scheduler *s, int out, size_t bytes);
void vn_report_refused(struct vn_scheduler *s, enum vn_status status);
void vn_report_dispatch(struct vn_scheduler *s, uint64_t ns);
void vn_report_verifier(struct vn_scheduler *s, enum vn_verifier_end end);
void vn_report_end(struct vn_scheduler *s, const struct vn_job *j);
void vn_report_gauges(struct vn_scheduler *s);

#endif
