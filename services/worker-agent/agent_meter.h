#ifndef VN_AGENT_METER_H
#define VN_AGENT_METER_H
/* Keeps the worker's metrics (agent_metrics.h). Without a metrics port the numbers go nowhere. */

#include "services/worker-agent/agent_state.h"

enum vn_meter_end { VN_METER_OK, VN_METER_FAILED, VN_METER_CANCELLED };

/* Serves them, if a port is configured; after the signals have been blocked. Errors: those of vn_metrics_new and vn_metrics_serve. */
enum vn_status vn_meter_open(struct vn_agent *a, struct vn_error *err) VN_MUST_CHECK;
void vn_meter_close(struct vn_agent *a);

void vn_meter_registration(struct vn_agent *a, int accepted);
void vn_meter_connected(struct vn_agent *a, int connected);
void vn_meter_received(struct vn_agent *a, size_t bytes);
void vn_meter_sent(struct vn_agent *a, size_t bytes);
void vn_meter_jobs(struct vn_agent *a); /* a job came or went */

/* A task of the job at hand has come. One still open counts as cancelled: nobody will answer it. */
void vn_meter_task_came(struct vn_agent *a, task_type type);
/* The open task; nothing happens if none is. */
void vn_meter_task_ended(struct vn_agent *a, enum vn_meter_end end);
/* A task beside the one that may be open was refused as it came. */
void vn_meter_task_refused(struct vn_agent *a, task_type type);

void vn_meter_engine_started(struct vn_agent *a, struct vn_slot *slot); /* n_running is up to date */
/* word: the engine's last, or NULL. wanted: its job has not been given up. n_running is up to date. */
void vn_meter_engine_ended(struct vn_agent *a, const struct vn_slot *slot, const engine_event *word, int wanted);
void vn_meter_engine_retried(struct vn_agent *a, const struct vn_piece *piece);
void vn_meter_piece_done(struct vn_agent *a, const struct vn_piece *piece, const engine_result *result); /* accepted by the job */

#endif
