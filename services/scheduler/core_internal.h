#ifndef VN_SCHEDULER_CORE_INTERNAL_H
#define VN_SCHEDULER_CORE_INTERNAL_H
/* What the core's own files share. */

#include "services/scheduler/core.h"

struct vn_core {
    struct vn_core_config config;
    struct vn_worker *workers, **last_worker;
    struct vn_job *jobs, **last_job;
    uint32_t n_jobs;
    struct vn_action *actions;
    size_t n_actions, actions_size;
    struct vn_action spare;   /* written to when the list cannot grow */
    uint64_t now_ns, wall_ns; /* of the current step */
    int out_of_memory;
};

/* A fresh zeroed action of that kind; when memory is out, a place that is ignored. */
struct vn_action *vn_core_act(struct vn_core *c, enum vn_action_kind kind);
void *vn_core_alloc(struct vn_core *c, size_t n, size_t size); /* zeroed; NULL marks the core as out of memory */

/* ---- workers.c ---- */
struct vn_worker *vn_worker_of_link(const struct vn_core *c, uint64_t link);
void vn_worker_register(struct vn_core *c, const struct vn_event *e);
void vn_worker_heard(struct vn_core *c, struct vn_worker *w);
/* The stream is gone: the worker is disconnected and the job it worked for fails. */
void vn_worker_lost(struct vn_core *c, struct vn_worker *w, const char *why);
void vn_worker_tick(struct vn_core *c);
void vn_worker_drain(struct vn_core *c, const struct vn_event *e);

/* ---- queue.c ---- */
void vn_job_launch(struct vn_core *c, const struct vn_launch *l);
void vn_job_input(struct vn_core *c, struct vn_job *j, const struct vn_event *e);
/* Starts what waits and can start now. */
void vn_queue_dispatch(struct vn_core *c);

/* ---- jobs.c ---- */
void vn_job_contributions(struct vn_core *c, struct vn_worker *w, const struct vn_event *e);
void vn_job_proofs(struct vn_core *c, struct vn_worker *w, const struct vn_event *e);
void vn_job_final(struct vn_core *c, struct vn_worker *w, const struct vn_event *e);
void vn_job_progress(struct vn_core *c, struct vn_worker *w, const struct vn_event *e);
void vn_job_cancel(struct vn_core *c, struct vn_job *j);
void vn_job_verified(struct vn_core *c, struct vn_job *j, const struct vn_event *e);
void vn_job_saved(struct vn_core *c, struct vn_job *j, const struct vn_event *e);
/* Ends a running job; does nothing to one that has ended. */
void vn_job_fail(struct vn_core *c, struct vn_job *j, enum vn_failure failure, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same with the worker whose fault it was. */
void vn_job_fail_worker(struct vn_core *c, struct vn_job *j, const struct vn_worker *w, enum vn_failure failure, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void vn_job_changed(struct vn_core *c, struct vn_job *j, int progress);
void vn_job_enter_phase(struct vn_core *c, struct vn_job *j, enum vn_phase phase);
void vn_job_tick(struct vn_core *c, struct vn_job *j);
void vn_job_trim(struct vn_job *j);
void vn_job_free(struct vn_job *j);
struct vn_job *vn_job_find(const struct vn_core *c, const char *id);

#endif
