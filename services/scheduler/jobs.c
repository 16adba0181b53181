/* The life of a job. A member is a worker's part in it: its units, whether it has answered the current phase, its proofs while they wait for the
 * aggregator. The worker itself is held through member.worker from the selection until its part is done or the job ends, whichever is first; those
 * are the only places that set and clear vn_worker.job. How it is set: queue.c.
 * Proofs reach the aggregator one message at a time, in the order of arrival, its own first and empty: n_sent messages are out, n_acked answered.
 * Phase names change when every member has answered, while the aggregator may already be at work on the first proofs. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/scheduler/core_internal.h"

static const char *const phase_names[] = {"Contributions", "Prove", "Aggregate"};

const char *vn_phase_name(enum vn_phase p) { return phase_names[p]; }

uint32_t vn_job_shards_done(const struct vn_job *j)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < j->n_members; i++)
        n += j->members[i].shards_done;
    return n > VN_MAX_JOB_SHARDS ? VN_MAX_JOB_SHARDS : (uint32_t)n;
}

int vn_job_is_live(const struct vn_job *j) { return j->state == VN_JOB_WAITING || j->state == VN_JOB_QUEUED || j->state == VN_JOB_RUNNING; }

struct vn_job *vn_job_find(const struct vn_core *c, const char *id)
{
    for (struct vn_job *j = c->jobs; id && j; j = j->next)
        if (strcmp(j->id, id) == 0)
            return j;
    return NULL;
}

/* ---- memory ---- */

static void free_proofs(struct vn_member *m)
{
    for (size_t i = 0; i < m->n_proofs; i++)
        free((void *)(uintptr_t)m->proofs[i].values);
    free(m->proofs);
    m->proofs = NULL;
    m->n_proofs = 0;
}

void vn_job_trim(struct vn_job *j)
{
    j->trim = 0;
    free(j->leaves);
    j->leaves = NULL;
    free(j->input);
    j->input = NULL;
    if (j->state == VN_JOB_RUNNING)
        return;
    for (uint32_t i = 0; i < j->n_members; i++)
        free_proofs(&j->members[i]);
    free(j->leaf_rank);
    j->leaf_rank = NULL;
    free(j->proved);
    j->proved = NULL;
    if (j->state != VN_JOB_COMPLETED) {
        free(j->proof);
        j->proof = NULL;
        j->proof_len = 0;
    }
}

void vn_job_free(struct vn_job *j)
{
    for (uint32_t i = 0; i < j->n_members; i++) {
        free_proofs(&j->members[i]);
        free(j->members[i].units);
    }
    free(j->members);
    free(j->data_id);
    free(j->input_path);
    free(j->hints_path);
    free(j->input);
    free(j->owner);
    free(j->leaves);
    free(j->leaf_rank);
    free(j->proved);
    free(j->arrivals);
    free(j->proof);
    free(j);
}

/* ---- ends ---- */

void vn_job_changed(struct vn_core *c, struct vn_job *j, int progress)
{
    struct vn_action *a = vn_core_act(c, VN_ACTION_CHANGED);
    a->job = j;
    a->progress = progress;
}

/* Gives the worker back. reason: it is told to drop what it holds of the job; NULL: it knows. */
static void release(struct vn_core *c, struct vn_job *j, struct vn_member *m, const char *reason)
{
    struct vn_worker *w = m->worker;
    if (!w)
        return;
    assert(w->job == j);
    m->worker = NULL;
    w->job = NULL;
    if (reason && w->link != 0) {
        struct vn_action *a = vn_core_act(c, VN_ACTION_CANCEL_TASK);
        a->link = w->link;
        memcpy(a->job_id, j->id, sizeof a->job_id);
        snprintf(a->text, sizeof a->text, "%.255s", reason);
    }
}

static void end(struct vn_core *c, struct vn_job *j, enum vn_job_state state, const char *reason)
{
    if (j->state == VN_JOB_RUNNING)
        j->phase_ns[j->checking ? VN_JOB_PHASES - 1 : j->phase] = c->now_ns - j->phase_started_ns;
    j->state = state;
    j->ended_ns = c->now_ns;
    j->ended_wall_ns = c->wall_ns;
    j->trim = 1;
    for (uint32_t i = 0; i < j->n_members; i++)
        release(c, j, &j->members[i], reason);
    if (j->checking && state != VN_JOB_COMPLETED) {
        struct vn_action *a = vn_core_act(c, VN_ACTION_DISCARD);
        a->job = j;
    }
    j->checking = 0;
    vn_job_changed(c, j, 0);
}

static void fail(struct vn_core *c, struct vn_job *j, const struct vn_worker *w, enum vn_failure failure, const char *format, va_list ap)
{
    if (!vn_job_is_live(j))
        return;
    vsnprintf(j->reason, sizeof j->reason, format, ap);
    if (w)
        memcpy(j->failed_worker, w->id, sizeof j->failed_worker);
    j->failure = failure;
    j->failed_phase = j->phase;
    end(c, j, VN_JOB_FAILED, j->reason);
}

void vn_job_fail(struct vn_core *c, struct vn_job *j, enum vn_failure failure, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fail(c, j, NULL, failure, format, ap);
    va_end(ap);
}

void vn_job_fail_worker(struct vn_core *c, struct vn_job *j, const struct vn_worker *w, enum vn_failure failure, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fail(c, j, w, failure, format, ap);
    va_end(ap);
}

void vn_job_cancel(struct vn_core *c, struct vn_job *j)
{
    if (vn_job_is_live(j))
        end(c, j, VN_JOB_CANCELLED, "the job was cancelled");
}

void vn_job_tick(struct vn_core *c, struct vn_job *j)
{
    if (!vn_job_is_live(j))
        return;
    if (j->limit_wall_ns != 0 && c->wall_ns >= j->limit_wall_ns)
        vn_job_fail(c, j, VN_FAILURE_TIMEOUT, "The limit that the client set has passed");
    else if (j->state == VN_JOB_WAITING && c->now_ns >= j->deadline_ns)
        vn_job_fail(c, j, VN_FAILURE_TIMEOUT, "No input came for %llu seconds", (unsigned long long)(j->phase_limit_ns / 1000000000u));
    else if (j->state == VN_JOB_RUNNING && c->now_ns >= j->deadline_ns)
        vn_job_fail(c, j, VN_FAILURE_TIMEOUT, "Phase %s took longer than %llu seconds", phase_names[j->phase],
                    (unsigned long long)(j->phase_limit_ns / 1000000000u));
}

void vn_job_enter_phase(struct vn_core *c, struct vn_job *j, enum vn_phase phase)
{
    if (phase != VN_PHASE_CONTRIBUTIONS)
        j->phase_ns[j->phase] = c->now_ns - j->phase_started_ns;
    j->phase = phase;
    j->phase_started_ns = c->now_ns;
    j->phase_wall_ns = c->wall_ns;
    j->phase_limit_ns = phase == VN_PHASE_CONTRIBUTIONS ? c->config.phase1_timeout_ns : c->config.phase2_timeout_ns;
    j->deadline_ns = c->now_ns + j->phase_limit_ns;
    j->n_answers = 0;
    for (uint32_t i = 0; i < j->n_members; i++) {
        struct vn_member *m = &j->members[i];
        m->answered = 0;
        m->shards_done = 0;
        m->shards_total = m->n_shards;
    }
    vn_job_changed(c, j, 0);
}

/* ---- phase 1 ---- */

static int values_plausible(const struct vn_event *e)
{
    if (e->n_publics != VN_PUBLIC_WORDS || e->n_values != VN_VALUE_WORDS)
        return 0;
    for (unsigned i = 0; i < VN_PUBLIC_WORDS; i++)
        if (e->publics[i] > UINT32_MAX)
            return 0;
    for (unsigned i = 3; i < VN_VALUE_WORDS; i++)
        if (e->values[i] >= VN_FIELD_P)
            return 0;
    return e->values[0] >= 1 && e->values[0] <= VN_MAX_JOB_SHARDS && e->values[1] <= VN_MAX_JOB_SHARDS && e->values[0] + e->values[1] <= VN_MAX_JOB_SHARDS;
}

static int adopt_run(struct vn_core *c, struct vn_job *j, const struct vn_event *e)
{
    memcpy(j->publics, e->publics, sizeof j->publics);
    memcpy(j->values, e->values, sizeof j->values);
    j->n_shards = (uint32_t)(e->values[0] + e->values[1]);
    j->leaves = vn_core_alloc(c, j->n_shards, sizeof *j->leaves);
    j->leaf_rank = vn_core_alloc(c, j->n_shards, sizeof *j->leaf_rank);
    j->proved = vn_core_alloc(c, j->n_shards, 1);
    if (!j->leaves || !j->leaf_rank || !j->proved)
        return 0;
    for (uint32_t i = 0; i < j->n_shards; i++)
        j->leaf_rank[i] = UINT32_MAX;
    return 1;
}

/* The shard an entry speaks of belongs to the worker and to the rank it names. */
static int entry_is_owned(const struct vn_job *j, const struct vn_worker *w, const struct vn_entry *e)
{
    return e->rank == w->rank && e->shard >= 1 && e->shard <= j->n_shards && j->owner[e->shard % j->job_units] == w->rank;
}

static int take_leaf(struct vn_job *j, const struct vn_worker *w, const struct vn_entry *e)
{
    if (!entry_is_owned(j, w, e) || j->leaf_rank[e->shard - 1] != UINT32_MAX || e->n_values != VN_LEAF_WORDS)
        return 0;
    for (unsigned i = 0; i < VN_LEAF_WORDS; i++)
        if (e->values[i] >= VN_FIELD_P)
            return 0;
    memcpy(j->leaves[e->shard - 1], e->values, sizeof *j->leaves);
    j->leaf_rank[e->shard - 1] = w->rank;
    return 1;
}

static void start_prove(struct vn_core *c, struct vn_job *j)
{
    for (uint32_t i = 0; i < j->n_shards; i++)
        if (j->owner[(i + 1) % j->job_units] == UINT32_MAX) {
            j->leaf_rank[i] = 0; /* of a node that is not simulated: the leaf stays zero */
        } else if (j->leaf_rank[i] == UINT32_MAX) {
            vn_job_fail(c, j, VN_FAILURE_INTERNAL, "Shard %u of %u was contributed by no worker; it belongs to worker %s", i + 1, j->n_shards,
                        j->members[j->owner[(i + 1) % j->job_units]].worker_id);
            return;
        }
    vn_job_enter_phase(c, j, VN_PHASE_PROVE);
    for (uint32_t rank = 0; rank < j->n_members; rank++) {
        struct vn_worker *w = j->members[rank].worker;
        w->task = VN_PHASE_PROVE;
        struct vn_action *a = vn_core_act(c, VN_ACTION_PROVE);
        a->link = w->link;
        a->job = j;
        a->rank = rank;
    }
    j->trim = 1;
}

void vn_job_contributions(struct vn_core *c, struct vn_worker *w, const struct vn_event *e)
{
    struct vn_job *j = w->job;
    struct vn_member *m = &j->members[w->rank];
    if (j->phase != VN_PHASE_CONTRIBUTIONS || m->answered)
        return;
    if (!values_plausible(e)) {
        vn_job_fail_worker(c, j, w, VN_FAILURE_INTERNAL, "Worker %s described its run in a way that cannot be understood", w->id);
        return;
    }
    if (j->n_answers == 0) {
        if (!adopt_run(c, j, e))
            return;
    } else if (memcmp(j->publics, e->publics, sizeof j->publics) != 0) {
        vn_job_fail_worker(c, j, w, VN_FAILURE_INTERNAL, "Worker %s found other public outputs than the workers before it", w->id);
        return;
    } else if (memcmp(j->values, e->values, sizeof j->values) != 0) {
        vn_job_fail_worker(c, j, w, VN_FAILURE_INTERNAL, "Worker %s ran another program or another input than the workers before it", w->id);
        return;
    }
    for (size_t i = 0; i < e->n_entries; i++)
        if (!take_leaf(j, w, &e->entries[i])) {
            vn_job_fail_worker(c, j, w, VN_FAILURE_INTERNAL, "Worker %s contributed shard %llu, which is not its own, given twice or malformed", w->id,
                        (unsigned long long)e->entries[i].shard);
            return;
        }
    m->answered = 1;
    m->n_shards = (uint32_t)e->n_entries;
    m->shards_done = m->shards_total = m->n_shards;
    j->n_answers++;
    vn_job_changed(c, j, 1);
    if (j->n_answers == j->n_members && j->kind == VN_JOB_EXECUTE)
        end(c, j, VN_JOB_COMPLETED, "the program has been executed");
    else if (j->n_answers == j->n_members)
        start_prove(c, j);
}

/* ---- phases 2 and 3 ---- */

static void feed_aggregator(struct vn_core *c, struct vn_job *j)
{
    if (j->n_sent != j->n_acked || j->n_sent == j->n_arrivals)
        return;
    struct vn_member *from = &j->members[j->arrivals[j->n_sent++]];
    struct vn_action *a = vn_core_act(c, VN_ACTION_AGGREGATE);
    a->link = j->members[j->arrivals[0]].worker->link;
    a->job = j;
    a->entries = from->proofs;
    a->n_entries = from->n_proofs;
    a->last = j->n_sent == j->n_members;
}

/* A list of words: byte length, then the bytes, the last word padded with zeros. */
static int words_well_formed(const uint64_t *values, size_t n)
{
    if (n < 2 || values[0] == 0 || values[0] > VN_MAX_PROOF_BYTES || n != 1 + (values[0] + 7) / 8)
        return 0;
    unsigned tail = (unsigned)(values[0] % 8);
    return tail == 0 || values[n - 1] >> 8 * tail == 0;
}

static int check_proofs(struct vn_job *j, const struct vn_worker *w, const struct vn_event *e)
{
    for (size_t i = 0; i < e->n_entries; i++) {
        const struct vn_entry *p = &e->entries[i];
        if (!entry_is_owned(j, w, p) || j->proved[p->shard - 1] || !words_well_formed(p->values, p->n_values))
            return 0;
        j->proved[p->shard - 1] = 1;
    }
    return e->n_entries == j->members[w->rank].n_shards;
}

static int keep_proofs(struct vn_core *c, struct vn_member *m, const struct vn_event *e)
{
    m->proofs = vn_core_alloc(c, e->n_entries, sizeof *m->proofs);
    if (!m->proofs)
        return 0;
    for (size_t i = 0; i < e->n_entries; i++) {
        const struct vn_entry *p = &e->entries[i];
        uint64_t *values = malloc(p->n_values * sizeof *values);
        if (!values) {
            c->out_of_memory = 1;
            return 0;
        }
        memcpy(values, p->values, p->n_values * sizeof *values);
        m->proofs[i] = *p;
        m->proofs[i].values = values;
        m->n_proofs++;
    }
    return 1;
}

void vn_job_proofs(struct vn_core *c, struct vn_worker *w, const struct vn_event *e)
{
    struct vn_job *j = w->job;
    struct vn_member *m = &j->members[w->rank];
    if (j->phase != VN_PHASE_PROVE || m->answered)
        return;
    if (!check_proofs(j, w, e)) {
        vn_job_fail_worker(c, j, w, VN_FAILURE_INTERNAL, "Worker %s did not answer with exactly one well-formed proof for each of its %u shards", w->id, m->n_shards);
        return;
    }
    m->answered = 1;
    m->shards_done = m->n_shards;
    j->n_answers++;
    if (j->simulated) {
        end(c, j, VN_JOB_COMPLETED, "the simulated node has done its part");
        return;
    }
    if (j->n_arrivals == 0)
        w->task = VN_PHASE_AGGREGATE;
    else if (!keep_proofs(c, m, e))
        return;
    else
        release(c, j, m, "this worker's part of the job is done");
    j->arrivals[j->n_arrivals++] = (uint32_t)(m - j->members);
    vn_job_changed(c, j, 1);
    if (j->n_arrivals == j->n_members) {
        vn_job_enter_phase(c, j, VN_PHASE_AGGREGATE);
        for (uint32_t i = 0; i < j->n_acked; i++)
            j->members[j->arrivals[i]].shards_done = j->members[j->arrivals[i]].n_shards;
    }
    feed_aggregator(c, j);
}

static void check_final(struct vn_core *c, struct vn_job *j, const struct vn_worker *w, const struct vn_event *e)
{
    if (!words_well_formed(e->values, e->n_values)) {
        vn_job_fail_worker(c, j, w, VN_FAILURE_INTERNAL, "Worker %s sent a malformed final proof", w->id);
        return;
    }
    if (e->steps != 0 && e->steps != j->values[2]) {
        vn_job_fail_worker(c, j, w, VN_FAILURE_INTERNAL, "Worker %s proved %llu steps, the run had %llu", w->id, (unsigned long long)e->steps,
                    (unsigned long long)j->values[2]);
        return;
    }
    j->proof_len = (size_t)e->values[0];
    j->proof = malloc(j->proof_len);
    if (!j->proof) {
        c->out_of_memory = 1;
        return;
    }
    for (size_t i = 0; i < j->proof_len; i++)
        j->proof[i] = (uint8_t)(e->values[1 + i / 8] >> 8 * (i % 8));
    release(c, j, &j->members[w->rank], NULL);
    j->checking = 1;
    j->phase_ns[j->phase] = c->now_ns - j->phase_started_ns;
    j->phase_started_ns = c->now_ns;
    j->deadline_ns = c->now_ns + j->phase_limit_ns;
    struct vn_action *a = vn_core_act(c, VN_ACTION_VERIFY);
    a->job = j;
}

void vn_job_final(struct vn_core *c, struct vn_worker *w, const struct vn_event *e)
{
    struct vn_job *j = w->job;
    if (j->n_arrivals == 0 || j->arrivals[0] != w->rank || j->n_sent == j->n_acked)
        return;
    int last = j->n_sent == j->n_members;
    if (last != (e->n_values > 0)) {
        vn_job_fail_worker(c, j, w, VN_FAILURE_INTERNAL, last ? "Worker %s ended the aggregation without a final proof" : "Worker %s sent a final proof before it had every part",
                    w->id);
        return;
    }
    struct vn_member *m = &j->members[j->arrivals[j->n_acked++]];
    free_proofs(m);
    if (j->phase == VN_PHASE_AGGREGATE)
        m->shards_done = m->n_shards;
    vn_job_changed(c, j, 1);
    if (last)
        check_final(c, j, w, e);
    else
        feed_aggregator(c, j);
}

void vn_job_progress(struct vn_core *c, struct vn_worker *w, const struct vn_event *e)
{
    struct vn_job *j = w->job;
    struct vn_member *m = &j->members[w->rank];
    if (m->answered || j->phase == VN_PHASE_AGGREGATE || e->shards_total > VN_MAX_JOB_SHARDS || e->shards_done > e->shards_total)
        return;
    m->shards_done = e->shards_done;
    m->shards_total = e->shards_total;
    if (e->steps > j->steps_done)
        j->steps_done = e->steps;
    vn_job_changed(c, j, 1);
}

/* ---- the proof's fate ---- */

static const char *difference(const struct vn_job *j, const struct vn_event *e)
{
    for (unsigned i = 0; i < 4 * VN_PUBLIC_WORDS; i++)
        if (e->outputs[i] != (uint8_t)(j->publics[i / 4] >> 8 * (i % 4)))
            return "public outputs";
    if (e->steps != j->values[2])
        return "a number of steps";
    for (unsigned i = 0; i < VN_LEAF_WORDS; i++)
        if (e->key[i] != j->values[3 + i])
            return "a verifying key";
    return NULL;
}

void vn_job_verified(struct vn_core *c, struct vn_job *j, const struct vn_event *e)
{
    if (j->state != VN_JOB_RUNNING || j->checking != 1)
        return;
    if (!e->ok) {
        vn_job_fail(c, j, VN_FAILURE_INTERNAL, "The final proof was not accepted: %s", e->text ? e->text : "no reason given");
        return;
    }
    const char *what = difference(j, e);
    if (what) {
        vn_job_fail(c, j, VN_FAILURE_INTERNAL, "The final proof states %s other than the workers reported", what);
        return;
    }
    j->checking = 2;
    struct vn_action *a = vn_core_act(c, VN_ACTION_SAVE);
    a->job = j;
}

void vn_job_saved(struct vn_core *c, struct vn_job *j, const struct vn_event *e)
{
    if (j->state != VN_JOB_RUNNING || j->checking != 2)
        return;
    if (e->ok)
        end(c, j, VN_JOB_COMPLETED, NULL);
    else
        vn_job_fail(c, j, VN_FAILURE_INTERNAL, "The proof could not be saved: %s", e->text ? e->text : "no reason given");
}
