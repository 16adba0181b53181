/* From a request to a running job. A job takes the first idle workers in the order of their registration. One that may wait is listed like any other,
 * in state QUEUED, holds its own copy of the request's strings and input, and is started by vn_queue_dispatch at the end of the step that frees or
 * brings enough workers. Selecting among all workers that are not drained, as if they were idle, tells whether a job could be served at all: as long
 * as the first of the queue could be, nothing else is started, so the workers run dry until it can. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/scheduler/core_internal.h"

static void refuse(struct vn_core *c, const struct vn_launch *l, enum vn_status status, const char *format, ...) __attribute__((format(printf, 4, 5)));
static void refuse(struct vn_core *c, const struct vn_launch *l, enum vn_status status, const char *format, ...)
{
    struct vn_action *a = vn_core_act(c, VN_ACTION_REFUSED);
    a->token = l->token;
    a->status = status;
    va_list ap;
    va_start(ap, format);
    vsnprintf(a->text, sizeof a->text, format, ap);
    va_end(ap);
}

/* ---- selection ---- */

static int is_available(const struct vn_worker *w) { return w->link != 0 && !w->drained; }

static uint64_t idle_units(const struct vn_core *c)
{
    uint64_t n = 0;
    for (struct vn_worker *w = c->workers; w; w = w->next)
        if (vn_worker_is_idle(w))
            n += w->units;
    return n;
}

/* How many of the usable workers, in registration order, cover the wish; their capacity is added up in *units. */
static uint32_t select_workers(const struct vn_core *c, int (*usable)(const struct vn_worker *), uint32_t wanted, uint64_t *units)
{
    uint32_t n = 0;
    *units = 0;
    for (struct vn_worker *w = c->workers; w && *units < wanted && n < c->config.max_workers_per_job; w = w->next)
        if (usable(w)) {
            *units += w->units;
            n++;
        }
    return n;
}

static int serves(const struct vn_core *c, int (*usable)(const struct vn_worker *), const struct vn_job *j)
{
    uint64_t units;
    return select_workers(c, usable, j->wanted, &units) > 0 && units >= j->minimal;
}

/* The one that starts next; NULL if nothing waits or nothing that waits could be served. */
static struct vn_job *next_in_queue(const struct vn_core *c)
{
    struct vn_job *best = NULL;
    for (struct vn_job *j = c->jobs; j; j = j->next)
        if (j->state == VN_JOB_QUEUED && (!best || j->priority > best->priority) && (serves(c, is_available, j) || serves(c, vn_worker_is_idle, j)))
            best = j;
    return best;
}

/* ---- starting ---- */

static void reserve(struct vn_job *j, struct vn_worker *w, uint32_t rank)
{
    struct vn_member *m = &j->members[rank];
    m->worker = w;
    memcpy(m->worker_id, w->id, sizeof m->worker_id);
    w->job = j;
    w->rank = rank;
    w->task = VN_PHASE_CONTRIBUTIONS;
}

static int list_units(struct vn_core *c, struct vn_job *j)
{
    uint32_t *dealt = vn_core_alloc(c, j->n_members, sizeof *dealt);
    int ok = dealt != NULL;
    for (uint32_t u = 0; ok && u < j->job_units; u++)
        if (j->owner[u] != UINT32_MAX)
            dealt[j->owner[u]]++;
    for (uint32_t i = 0; ok && i < j->n_members; i++) {
        j->members[i].units = vn_core_alloc(c, dealt[i], sizeof *j->members[i].units);
        ok = j->members[i].units != NULL;
    }
    for (uint32_t u = 0; ok && u < j->job_units; u++)
        if (j->owner[u] != UINT32_MAX) {
            struct vn_member *m = &j->members[j->owner[u]];
            m->units[m->n_units++] = u;
        }
    free(dealt);
    return ok;
}

static int allot(struct vn_core *c, struct vn_job *j, uint32_t n_members, uint64_t units)
{
    j->job_units = units < j->wanted ? (uint32_t)units : j->wanted;
    if (j->job_units > VN_MAX_JOB_UNITS)
        j->job_units = VN_MAX_JOB_UNITS;
    j->members = vn_core_alloc(c, n_members, sizeof *j->members);
    j->arrivals = vn_core_alloc(c, n_members, sizeof *j->arrivals);
    j->owner = vn_core_alloc(c, j->job_units, sizeof *j->owner);
    if (j->members && j->arrivals && j->owner)
        j->n_members = n_members;
    return j->n_members != 0;
}

/* The round-robin deal among the idle workers that are first in registration order. */
static int take_workers(struct vn_core *c, struct vn_job *j)
{
    uint64_t units;
    uint32_t n = select_workers(c, vn_worker_is_idle, j->wanted, &units), rank = 0;
    uint32_t *capacity = vn_core_alloc(c, n, sizeof *capacity), *dealt = vn_core_alloc(c, n, sizeof *dealt);
    int ok = capacity && dealt && allot(c, j, n, units);
    for (struct vn_worker *w = c->workers; ok && rank < n; w = w->next)
        if (vn_worker_is_idle(w)) {
            capacity[rank] = w->units;
            reserve(j, w, rank++);
        }
    if (ok)
        vn_deal_units(j->owner, dealt, j->job_units, capacity, n);
    free(capacity);
    free(dealt);
    return ok && list_units(c, j);
}

/* The deal among as many workers like this one as the job would need, of which it is the node-th. */
static int take_simulated(struct vn_core *c, struct vn_job *j, struct vn_worker *w, uint32_t nodes, uint32_t node)
{
    uint32_t *capacity = vn_core_alloc(c, nodes, sizeof *capacity), *dealt = vn_core_alloc(c, nodes, sizeof *dealt);
    int ok = capacity && dealt && allot(c, j, 1, j->wanted);
    if (ok) {
        for (uint32_t i = 0; i < nodes; i++)
            capacity[i] = w->units;
        vn_deal_units(j->owner, dealt, j->job_units, capacity, nodes);
        for (uint32_t u = 0; u < j->job_units; u++)
            j->owner[u] = j->owner[u] == node ? 0 : UINT32_MAX;
        reserve(j, w, 0);
    }
    free(capacity);
    free(dealt);
    return ok && list_units(c, j);
}

/* input: of the launch, or the job's own copy. */
static void begin(struct vn_core *c, struct vn_job *j, const uint8_t *input)
{
    j->state = VN_JOB_RUNNING;
    j->started_ns = c->now_ns;
    j->started_wall_ns = c->wall_ns;
    for (uint32_t rank = 0; rank < j->n_members; rank++) {
        struct vn_action *task = vn_core_act(c, VN_ACTION_CONTRIBUTE);
        task->link = j->members[rank].worker->link;
        task->job = j;
        task->rank = rank;
        task->input_data = j->has_input ? input : NULL;
        task->input_len = j->input_len;
    }
    struct vn_action *a = vn_core_act(c, VN_ACTION_STARTED);
    a->job = j;
    vn_job_enter_phase(c, j, VN_PHASE_CONTRIBUTIONS);
}

void vn_queue_dispatch(struct vn_core *c)
{
    struct vn_job *j;
    while (!c->out_of_memory && (j = next_in_queue(c)) != NULL && serves(c, vn_worker_is_idle, j) && take_workers(c, j)) {
        begin(c, j, j->input);
        j->trim = 1; /* its copy of the input goes with the next step */
    }
}

/* ---- launch ---- */

static int copy_strings(struct vn_job *j, const struct vn_launch *l)
{
    j->data_id = strdup(l->data_id);
    j->input_path = l->input_path ? strdup(l->input_path) : NULL;
    j->hints_path = l->hints_path ? strdup(l->hints_path) : NULL;
    return j->data_id && (!l->input_path || j->input_path) && (!l->hints_path || j->hints_path);
}

static struct vn_job *create(struct vn_core *c, const struct vn_launch *l)
{
    struct vn_job *j = vn_core_alloc(c, 1, sizeof *j);
    if (!j)
        return NULL;
    if (!copy_strings(j, l)) {
        c->out_of_memory = 1;
        vn_job_free(j);
        return NULL;
    }
    snprintf(j->id, sizeof j->id, "%s", l->job_id);
    snprintf(j->hash_id, sizeof j->hash_id, "%s", l->hash_id ? l->hash_id : "");
    j->kind = l->kind;
    j->priority = l->priority;
    j->wanted = l->compute_capacity;
    j->minimal = l->minimal_compute_capacity ? l->minimal_compute_capacity : l->compute_capacity;
    j->has_input = l->input_data != NULL;
    j->input_len = l->input_len;
    j->hints_stream = l->hints_stream;
    j->simulated = l->simulated;
    j->limit_wall_ns = l->limit_wall_ns;
    j->created_ns = j->started_ns = j->phase_started_ns = c->now_ns;
    j->created_wall_ns = j->started_wall_ns = j->phase_wall_ns = c->wall_ns;
    *c->last_job = j;
    c->last_job = &j->next;
    c->n_jobs++;
    return j;
}

static void launched(struct vn_core *c, const struct vn_launch *l, struct vn_job *j)
{
    struct vn_action *a = vn_core_act(c, VN_ACTION_LAUNCHED);
    a->token = l->token;
    a->job = j;
}

static void launch_simulated(struct vn_core *c, const struct vn_launch *l)
{
    struct vn_worker *only = NULL;
    uint32_t connected = 0;
    for (struct vn_worker *w = c->workers; w; w = w->next)
        if (w->link != 0) {
            connected++;
            only = w;
        }
    if (connected != 1) {
        refuse(c, l, VN_ERR_ARGUMENT, "Simulated mode can only be used when there is exactly one worker connected");
        return;
    }
    if (l->compute_capacity > VN_MAX_JOB_UNITS) {
        refuse(c, l, VN_ERR_ARGUMENT, "Simulated mode is limited to %u compute units", VN_MAX_JOB_UNITS);
        return;
    }
    uint32_t nodes = (l->compute_capacity + only->units - 1) / only->units;
    if (l->simulated_node >= nodes) {
        refuse(c, l, VN_ERR_ARGUMENT, "Simulated node %u does not exist: %u compute units take %u workers like the one connected, numbered from 0", l->simulated_node,
               l->compute_capacity, nodes);
        return;
    }
    if (!vn_worker_is_idle(only)) {
        refuse(c, l, VN_ERR_CAPACITY, "Insufficient compute capacity: the worker is busy");
        return;
    }
    struct vn_job *j = create(c, l);
    if (!j || !take_simulated(c, j, only, nodes, l->simulated_node))
        return;
    launched(c, l, j);
    begin(c, j, l->input_data);
}

static void count_waiting(const struct vn_core *c, uint32_t *jobs, size_t *bytes)
{
    *jobs = 0;
    *bytes = 0;
    for (const struct vn_job *j = c->jobs; j; j = j->next)
        if (j->state == VN_JOB_WAITING || j->state == VN_JOB_QUEUED) {
            ++*jobs;
            *bytes += j->input_len;
        }
}

static void enqueue(struct vn_core *c, const struct vn_launch *l)
{
    uint32_t waiting;
    size_t bytes;
    count_waiting(c, &waiting, &bytes);
    if (waiting >= c->config.max_queued) {
        refuse(c, l, VN_ERR_CAPACITY, "The queue is full: %u jobs wait", waiting);
        return;
    }
    if (l->input_len > VN_MAX_QUEUED_INPUT - bytes) {
        refuse(c, l, VN_ERR_CAPACITY, "The queue is full: the inputs of %u jobs have %zu bytes", waiting, bytes);
        return;
    }
    uint8_t *copy = vn_core_alloc(c, l->input_len, 1);
    struct vn_job *j = copy ? create(c, l) : NULL;
    if (!j) {
        free(copy);
        return;
    }
    if (l->input_len > 0)
        memcpy(copy, l->input_data, l->input_len);
    j->input = copy;
    j->state = l->wait_for_input ? VN_JOB_WAITING : VN_JOB_QUEUED;
    j->has_input |= l->wait_for_input;
    j->phase_limit_ns = c->config.input_ns;
    j->deadline_ns = c->now_ns + j->phase_limit_ns;
    launched(c, l, j);
}

static void refuse_for_capacity(struct vn_core *c, const struct vn_launch *l, uint32_t minimal)
{
    uint64_t idle = idle_units(c), units;
    uint32_t n = select_workers(c, vn_worker_is_idle, l->compute_capacity, &units);
    if (idle < minimal)
        refuse(c, l, VN_ERR_CAPACITY, "Insufficient compute capacity: have %llu idle compute units, want %u", (unsigned long long)idle, minimal);
    else if (units < minimal)
        refuse(c, l, VN_ERR_CAPACITY, "Insufficient compute capacity: a job gets at most %u workers, which have %llu compute units, want %u", n,
               (unsigned long long)units, minimal);
    else
        refuse(c, l, VN_ERR_CAPACITY, "Insufficient compute capacity: the idle workers are kept for jobs in the queue");
}

void vn_job_launch(struct vn_core *c, const struct vn_launch *l)
{
    uint32_t wanted = l->compute_capacity;
    uint32_t minimal = l->minimal_compute_capacity ? l->minimal_compute_capacity : wanted;
    uint64_t units;
    if (wanted == 0)
        refuse(c, l, VN_ERR_ARGUMENT, "Compute capacity must be greater than zero");
    else if (minimal > wanted)
        refuse(c, l, VN_ERR_ARGUMENT, "Minimal compute capacity must not exceed compute capacity");
    else if (l->simulated && l->queue)
        refuse(c, l, VN_ERR_ARGUMENT, "A simulated job cannot wait in the queue");
    else if (l->simulated)
        launch_simulated(c, l);
    else if (l->wait_for_input)
        enqueue(c, l);
    else if (next_in_queue(c) == NULL && select_workers(c, vn_worker_is_idle, wanted, &units) > 0 && units >= minimal) {
        struct vn_job *j = create(c, l);
        if (!j || !take_workers(c, j))
            return;
        launched(c, l, j);
        begin(c, j, l->input_data);
    } else if (l->queue)
        enqueue(c, l);
    else
        refuse_for_capacity(c, l, minimal);
}

void vn_job_input(struct vn_core *c, struct vn_job *j, const struct vn_event *e)
{
    if (j->state != VN_JOB_WAITING)
        return;
    uint32_t waiting;
    size_t bytes;
    count_waiting(c, &waiting, &bytes);
    if (e->n_bytes > VN_MAX_JOB_INPUT - j->input_len || e->n_bytes > VN_MAX_QUEUED_INPUT - bytes) {
        vn_job_fail(c, j, VN_FAILURE_INPUT, "Input is larger than %u bytes, or the inputs of all waiting jobs are too large together", VN_MAX_JOB_INPUT);
        return;
    }
    if (e->n_bytes > 0) {
        uint8_t *grown = realloc(j->input, j->input_len + e->n_bytes);
        if (!grown) {
            c->out_of_memory = 1;
            return;
        }
        memcpy(grown + j->input_len, e->bytes, e->n_bytes);
        j->input = grown;
        j->input_len += e->n_bytes;
    }
    j->deadline_ns = c->now_ns + j->phase_limit_ns;
    if (e->ok) {
        j->state = VN_JOB_QUEUED;
        vn_job_changed(c, j, 0);
    }
}
