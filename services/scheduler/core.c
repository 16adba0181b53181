/* One step: what the step before has left to be freed goes, the event is handled by workers.c or jobs.c, and the list of actions is handed out. An
 * answer of a worker counts only if the worker is reserved for the job it names; everything else about old jobs is ignored here. */
#include "services/scheduler/core.h"

#include <stdlib.h>
#include <string.h>

#include "services/scheduler/core_internal.h"

enum vn_status vn_core_new(struct vn_core **c, const struct vn_core_config *config)
{
    struct vn_core *new = calloc(1, sizeof *new);
    if (!new)
        return VN_ERR_MEMORY;
    new->config = *config;
    new->last_worker = &new->workers;
    new->last_job = &new->jobs;
    *c = new;
    return VN_OK;
}

void vn_core_free(struct vn_core *c)
{
    if (!c)
        return;
    while (c->workers) {
        struct vn_worker *w = c->workers;
        c->workers = w->next;
        free(w);
    }
    while (c->jobs) {
        struct vn_job *j = c->jobs;
        c->jobs = j->next;
        vn_job_free(j);
    }
    free(c->actions);
    free(c);
}

void *vn_core_alloc(struct vn_core *c, size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        c->out_of_memory = 1;
    return p;
}

struct vn_action *vn_core_act(struct vn_core *c, enum vn_action_kind kind)
{
    if (c->n_actions == c->actions_size) {
        size_t size = c->actions_size ? 2 * c->actions_size : 32;
        struct vn_action *grown = realloc(c->actions, size * sizeof *grown);
        if (!grown) {
            c->out_of_memory = 1;
            return &c->spare;
        }
        c->actions = grown;
        c->actions_size = size;
    }
    struct vn_action *a = &c->actions[c->n_actions++];
    *a = (struct vn_action){.kind = kind};
    return a;
}

/* Frees what finished phases left, drops the oldest ended jobs and the proofs of all but the last completed ones. */
static void clean_up(struct vn_core *c)
{
    uint32_t proofs = 0;
    for (struct vn_job *j = c->jobs; j; j = j->next) {
        if (j->trim)
            vn_job_trim(j);
        proofs += j->state == VN_JOB_COMPLETED && j->proof;
    }
    for (struct vn_job *j = c->jobs; j && proofs > c->config.keep_proofs; j = j->next)
        if (j->state == VN_JOB_COMPLETED && j->proof) {
            free(j->proof);
            j->proof = NULL;
            j->proof_len = 0;
            proofs--;
        }
    struct vn_job **p = &c->jobs;
    while (*p && c->n_jobs > c->config.keep_jobs) {
        struct vn_job *j = *p;
        if (vn_job_is_live(j)) {
            p = &j->next;
            continue;
        }
        *p = j->next;
        if (!*p)
            c->last_job = p;
        vn_job_free(j);
        c->n_jobs--;
    }
}

static void tick(struct vn_core *c)
{
    vn_worker_tick(c);
    for (struct vn_job *j = c->jobs; j; j = j->next)
        vn_job_tick(c, j);
}

static int is_about_input(const char *text) { return strncmp(text, "Input", 5) == 0 || strncmp(text, "Hints", 5) == 0; }

static void handle_answer(struct vn_core *c, struct vn_worker *w, const struct vn_event *e)
{
    if (!w->job || !e->job_id || strcmp(w->job->id, e->job_id) != 0)
        return;
    switch (e->kind) {
    case VN_EVENT_CONTRIBUTIONS:
        vn_job_contributions(c, w, e);
        break;
    case VN_EVENT_PROOFS:
        vn_job_proofs(c, w, e);
        break;
    case VN_EVENT_FINAL:
        vn_job_final(c, w, e);
        break;
    case VN_EVENT_PROGRESS:
        vn_job_progress(c, w, e);
        break;
    case VN_EVENT_TASK_FAILED:
        vn_job_fail_worker(c, w->job, w, is_about_input(e->text) ? VN_FAILURE_INPUT : VN_FAILURE_EXECUTION, "%s",
                           *e->text ? e->text : "Task execution failed");
        break;
    default:
        break;
    }
}

static void handle_worker(struct vn_core *c, const struct vn_event *e)
{
    struct vn_worker *w = vn_worker_of_link(c, e->link);
    if (!w)
        return;
    if (e->kind == VN_EVENT_LINK_CLOSED) {
        vn_worker_lost(c, w, e->text ? e->text : "the connection was closed");
        return;
    }
    vn_worker_heard(c, w);
    handle_answer(c, w, e);
}

static void handle_job(struct vn_core *c, const struct vn_event *e)
{
    struct vn_job *j = vn_job_find(c, e->job_id);
    if (!j)
        return;
    if (e->kind == VN_EVENT_CANCEL)
        vn_job_cancel(c, j);
    else if (e->kind == VN_EVENT_FAIL)
        vn_job_fail(c, j, e->failure, "%s", e->text);
    else if (e->kind == VN_EVENT_INPUT)
        vn_job_input(c, j, e);
    else if (e->kind == VN_EVENT_VERIFIED)
        vn_job_verified(c, j, e);
    else
        vn_job_saved(c, j, e);
}

enum vn_status vn_core_step(struct vn_core *c, const struct vn_event *e, uint64_t now_ns, uint64_t wall_ns, const struct vn_action **actions, size_t *n_actions)
{
    c->now_ns = now_ns;
    c->wall_ns = wall_ns;
    c->n_actions = 0;
    clean_up(c);
    switch (e->kind) {
    case VN_EVENT_REGISTER:
        vn_worker_register(c, e);
        break;
    case VN_EVENT_LAUNCH:
        vn_job_launch(c, e->launch);
        break;
    case VN_EVENT_HEARD:
    case VN_EVENT_LINK_CLOSED:
    case VN_EVENT_CONTRIBUTIONS:
    case VN_EVENT_PROOFS:
    case VN_EVENT_FINAL:
    case VN_EVENT_TASK_FAILED:
    case VN_EVENT_PROGRESS:
        handle_worker(c, e);
        break;
    case VN_EVENT_DRAIN:
        vn_worker_drain(c, e);
        break;
    case VN_EVENT_CANCEL:
    case VN_EVENT_FAIL:
    case VN_EVENT_INPUT:
    case VN_EVENT_VERIFIED:
    case VN_EVENT_SAVED:
        handle_job(c, e);
        break;
    case VN_EVENT_TICK:
        tick(c);
        break;
    }
    vn_queue_dispatch(c);
    *actions = c->actions;
    *n_actions = c->n_actions;
    return c->out_of_memory ? VN_ERR_MEMORY : VN_OK;
}

const struct vn_job *vn_core_jobs(const struct vn_core *c) { return c->jobs; }
const struct vn_job *vn_core_job(const struct vn_core *c, const char *id) { return vn_job_find(c, id); }
const struct vn_worker *vn_core_workers(const struct vn_core *c) { return c->workers; }
