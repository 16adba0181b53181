/* Workers by registration order. An entry outlives its connection for a while, so that people see who has gone and a worker that comes back keeps its
 * place. Registering with an id whose connection still stands replaces that connection: a worker that was restarted must not wait until the old
 * stream is found dead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/scheduler/core_internal.h"

enum { MAX_UNITS = 65536 }; /* of one worker */

int vn_worker_is_idle(const struct vn_worker *w) { return w->link != 0 && !w->job && !w->drained; }

struct vn_worker *vn_worker_of_link(const struct vn_core *c, uint64_t link)
{
    for (struct vn_worker *w = c->workers; link != 0 && w; w = w->next)
        if (w->link == link)
            return w;
    return NULL;
}

static struct vn_worker *find(const struct vn_core *c, const char *id)
{
    for (struct vn_worker *w = c->workers; w; w = w->next)
        if (strcmp(w->id, id) == 0)
            return w;
    return NULL;
}

static uint32_t count_connected(const struct vn_core *c)
{
    uint32_t n = 0;
    for (struct vn_worker *w = c->workers; w; w = w->next)
        n += w->link != 0;
    return n;
}

void vn_worker_heard(struct vn_core *c, struct vn_worker *w)
{
    w->heard_ns = c->now_ns;
    w->heard_wall_ns = c->wall_ns;
}

static void reject(struct vn_core *c, const struct vn_event *e, const char *text)
{
    struct vn_action *a = vn_core_act(c, VN_ACTION_REJECT);
    a->link = e->link;
    snprintf(a->worker_id, sizeof a->worker_id, "%.*s", (int)VN_MAX_ID, e->worker_id);
    snprintf(a->text, sizeof a->text, "%s", text);
}

static struct vn_worker *add(struct vn_core *c, const char *id)
{
    struct vn_worker *w = vn_core_alloc(c, 1, sizeof *w);
    if (!w)
        return NULL;
    snprintf(w->id, sizeof w->id, "%s", id);
    w->connected_wall_ns = c->wall_ns;
    *c->last_worker = w;
    c->last_worker = &w->next;
    return w;
}

static void replace_link(struct vn_core *c, struct vn_worker *w)
{
    uint64_t old = w->link;
    vn_worker_lost(c, w, "the worker registered again on another connection");
    struct vn_action *a = vn_core_act(c, VN_ACTION_CLOSE_LINK);
    a->link = old;
    snprintf(a->text, sizeof a->text, "worker %.100s registered again on another connection", w->id);
}

void vn_worker_register(struct vn_core *c, const struct vn_event *e)
{
    size_t n = strlen(e->worker_id);
    if (n == 0 || n > VN_MAX_ID) {
        reject(c, e, "The worker id must have 1 to 128 bytes");
        return;
    }
    if (e->units == 0 || e->units > MAX_UNITS) {
        reject(c, e, "The compute capacity must be 1 to 65536 units");
        return;
    }
    struct vn_worker *same_link = vn_worker_of_link(c, e->link);
    if (same_link && strcmp(same_link->id, e->worker_id) != 0) {
        reject(c, e, "This connection already belongs to another worker");
        return;
    }
    struct vn_worker *w = find(c, e->worker_id);
    if ((!w || w->link == 0) && count_connected(c) >= c->config.max_total_workers) {
        reject(c, e, "Maximum number of workers reached");
        return;
    }
    if (!w)
        w = add(c, e->worker_id);
    if (!w)
        return;
    if (w->link != 0 && w->link != e->link)
        replace_link(c, w);
    w->link = e->link;
    w->units = e->units;
    w->asked_ns = c->now_ns;
    vn_worker_heard(c, w);
    struct vn_action *a = vn_core_act(c, VN_ACTION_ACCEPT);
    a->link = w->link;
    snprintf(a->worker_id, sizeof a->worker_id, "%s", w->id);

    if (e->job_id && *e->job_id && (!w->job || strcmp(w->job->id, e->job_id) != 0)) {
        a = vn_core_act(c, VN_ACTION_CANCEL_TASK);
        a->link = w->link;
        snprintf(a->job_id, sizeof a->job_id, "%.36s", e->job_id);
        snprintf(a->text, sizeof a->text, "the job ended or went on without this worker");
    }
}

void vn_worker_lost(struct vn_core *c, struct vn_worker *w, const char *why)
{
    w->link = 0;
    w->lost_ns = c->now_ns;
    struct vn_job *j = w->job;
    if (j)
        vn_job_fail_worker(c, j, w, VN_FAILURE_EXECUTION, "Worker %s was lost: %s", w->id, why);
}

void vn_worker_drain(struct vn_core *c, const struct vn_event *e)
{
    struct vn_worker *w = find(c, e->worker_id);
    if (w)
        w->drained = e->ok;
}

static void ask(struct vn_core *c, struct vn_worker *w)
{
    w->asked_ns = c->now_ns;
    struct vn_action *a = vn_core_act(c, VN_ACTION_HEARTBEAT);
    a->link = w->link;
}

static void silent(struct vn_core *c, struct vn_worker *w)
{
    struct vn_action *a = vn_core_act(c, VN_ACTION_CLOSE_LINK);
    a->link = w->link;
    snprintf(a->text, sizeof a->text, "worker %.100s has been silent for too long", w->id);
    vn_worker_lost(c, w, "no sign of life");
}

void vn_worker_tick(struct vn_core *c)
{
    struct vn_worker **p = &c->workers;
    while (*p) {
        struct vn_worker *w = *p;
        if (w->link != 0 && c->now_ns - w->heard_ns > c->config.silence_ns)
            silent(c, w);
        else if (w->link != 0 && c->now_ns - w->asked_ns >= c->config.heartbeat_ns)
            ask(c, w);
        if (w->link == 0 && c->now_ns - w->lost_ns > c->config.forget_ns) {
            *p = w->next;
            if (!*p)
                c->last_worker = p;
            free(w);
        } else {
            p = &w->next;
        }
    }
}
