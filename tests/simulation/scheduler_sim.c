/* Drives the scheduler's core through random histories with a simulated clock: workers that join, leave, fail, lie, fall silent, answer late, twice or
 * for jobs long gone; clients that launch and cancel; checks that fail or never end. After every step the invariants of core.h are checked, and at the
 * end of a history every launched job must have ended, exactly once.
 *   scheduler_sim [HISTORIES [FIRST_SEED]]     a failing history can be repeated alone: scheduler_sim 1 SEED */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/scheduler/core.h"

enum {
    WORKERS = 12,
    STEPS = 3000,      /* random moves of one history */
    MAX_PENDING = 4096,
    MAX_JOBS = 4096,
    MAX_SHARDS = 16,
    SECOND = 1000000000,
};

static uint64_t seed, rng_state;

static uint64_t rng(void) /* splitmix64 */
{
    uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint32_t below(uint32_t n) { return (uint32_t)(rng() % n); }
static int chance(uint32_t percent) { return below(100) < percent; }

#define CHECK(condition, ...)                                                           \
    do                                                                                  \
        if (!(condition)) {                                                             \
            fprintf(stderr, "seed %llu: %s: ", (unsigned long long)seed, #condition);   \
            fprintf(stderr, __VA_ARGS__);                                               \
            fprintf(stderr, "\n");                                                      \
            exit(1);                                                                    \
        }                                                                               \
    while (0)

enum message { MSG_CONTRIBUTIONS, MSG_PROOFS, MSG_ACK, MSG_FINAL, MSG_FAILED, MSG_PROGRESS, MSG_VERIFIED };

struct pending {
    uint64_t due_ns, link;
    enum message kind;
    char job_id[37];
    uint32_t rank;
    uint32_t n_exec, n_mem;
    uint32_t n_shards;
    uint32_t shards[MAX_SHARDS];
    int lie; /* what is said is wrong in some way */
};

struct launched {
    char id[37];
    uint32_t requested;
    int kind, ended;
};

static struct vn_core *core;
static uint64_t now_ns, next_link, next_job;
static struct {
    uint64_t link; /* 0: away */
    int mute;      /* connected, but answers nothing any more */
} workers[WORKERS];
static struct pending pending[MAX_PENDING];
static uint32_t n_pending;
static struct launched jobs[MAX_JOBS];
static uint32_t n_jobs, n_workers;
static int calm; /* the end of a history: everyone behaves, nothing new starts */
static struct {
    unsigned long long launched, refused, completed, failed, cancelled, timeouts, waited, simulated, executed, steps;
} total;

static void step(const struct vn_event *e);

static struct launched *find_launched(const char *id)
{
    for (uint32_t i = 0; i < n_jobs; i++)
        if (strcmp(jobs[i].id, id) == 0)
            return &jobs[i];
    return NULL;
}

static struct pending *later(enum message kind, const struct vn_action *a, uint64_t max_delay_s)
{
    CHECK(n_pending < MAX_PENDING, "too many messages under way");
    struct pending *p = &pending[n_pending++];
    *p = (struct pending){.kind = kind, .link = a->link, .rank = a->rank};
    p->due_ns = now_ns + rng() % (max_delay_s * SECOND + 1);
    memcpy(p->job_id, a->job->id, sizeof p->job_id);
    const struct vn_job *j = a->job;
    uint64_t h = 1469598103934665603u;
    for (const char *s = j->id; *s; s++)
        h = (h ^ (uint8_t)*s) * 1099511628211u;
    p->n_exec = 1 + (uint32_t)(h >> 8) % 10;
    p->n_mem = (uint32_t)(h >> 40) % 5;
    return p;
}

static void list_shards(struct pending *p, const struct vn_job *j)
{
    for (uint32_t s = 1; s <= p->n_exec + p->n_mem; s++)
        if (j->owner[s % j->job_units] == p->rank)
            p->shards[p->n_shards++] = s;
}

/* How a worker takes a task. */
static void on_task(const struct vn_action *a, enum message kind)
{
    int known = 0;
    for (unsigned i = 0; i < WORKERS; i++)
        if (workers[i].link == a->link) {
            known = 1;
            if (workers[i].mute)
                return;
        }
    CHECK(known, "a task for a link that is gone");
    CHECK(a->job->state == VN_JOB_RUNNING, "a task for a job that has ended");
    uint32_t mood = calm ? 0 : below(100);
    if (mood >= 97)
        return; /* never answers */
    if (mood >= 94) {
        later(MSG_FAILED, a, 20);
        return;
    }
    if (chance(30)) {
        struct pending *p = later(MSG_PROGRESS, a, 10);
        list_shards(p, a->job);
    }
    struct pending *p = later(kind, a, mood >= 90 ? 400 : 20);
    if ((kind == MSG_CONTRIBUTIONS && a->job->kind == VN_JOB_PROVE) || kind == MSG_PROOFS)
        list_shards(p, a->job);
    p->lie = mood >= 87 && mood < 90;
    if (mood >= 84 && mood < 87) { /* says it twice */
        CHECK(n_pending < MAX_PENDING, "too many messages under way");
        pending[n_pending] = *p;
        pending[n_pending++].due_ns += rng() % (30ull * SECOND);
    }
}

static void check_contribute(const struct vn_action *a)
{
    const struct vn_job *j = a->job;
    struct launched *l = find_launched(j->id);
    CHECK(l && j->job_units <= l->requested && j->job_units > 0, "%s has %u units", j->id, j->job_units);
    CHECK(!j->members[a->rank].worker->drained, "%s: a drained worker gets a job", j->id);
    CHECK(a->rank < j->n_members && j->members[a->rank].worker && j->members[a->rank].worker->link == a->link, "%s", j->id);
}

static void on_action(const struct vn_action *a)
{
    switch (a->kind) {
    case VN_ACTION_CONTRIBUTE:
        check_contribute(a);
        on_task(a, MSG_CONTRIBUTIONS);
        break;
    case VN_ACTION_PROVE:
        on_task(a, MSG_PROOFS);
        break;
    case VN_ACTION_AGGREGATE:
        CHECK(a->job->n_sent == a->job->n_acked + 1, "%s: more than one message under way", a->job->id);
        on_task(a, a->last ? MSG_FINAL : MSG_ACK);
        break;
    case VN_ACTION_VERIFY:
        CHECK(a->job->proof && a->job->proof_len == 5, "%s", a->job->id);
        if (calm || chance(95))
            later(MSG_VERIFIED, a, 10)->lie = !calm && chance(5);
        break;
    case VN_ACTION_CHANGED:
        if (!a->progress && !vn_job_is_live(a->job)) {
            struct launched *l = find_launched(a->job->id);
            CHECK(l && !l->ended, "%s ended twice", a->job->id);
            l->ended = 1;
            total.completed += a->job->state == VN_JOB_COMPLETED;
            total.waited += a->job->state == VN_JOB_COMPLETED && a->job->started_ns > a->job->created_ns;
            total.simulated += a->job->state == VN_JOB_COMPLETED && a->job->simulated;
            total.executed += a->job->state == VN_JOB_COMPLETED && a->job->kind == VN_JOB_EXECUTE;
            CHECK(a->job->state != VN_JOB_COMPLETED || !a->job->proof == (a->job->simulated || a->job->kind == VN_JOB_EXECUTE), "%s", a->job->id);
            total.cancelled += a->job->state == VN_JOB_CANCELLED;
            total.failed += a->job->state == VN_JOB_FAILED;
            total.timeouts += a->job->state == VN_JOB_FAILED && a->job->failure == VN_FAILURE_TIMEOUT;
            CHECK(a->job->state != VN_JOB_FAILED || a->job->reason[0], "%s failed without a reason", a->job->id);
        }
        break;
    case VN_ACTION_CLOSE_LINK:
        for (unsigned i = 0; i < WORKERS; i++)
            if (workers[i].link == a->link)
                workers[i].link = 0;
        break;
    case VN_ACTION_REFUSED:
        total.refused++;
        break;
    case VN_ACTION_LAUNCHED:
        total.launched++;
        break;
    case VN_ACTION_STARTED:
        CHECK(a->job->state == VN_JOB_RUNNING, "%s", a->job->id);
        break;
    case VN_ACTION_ACCEPT:
    case VN_ACTION_REJECT:
    case VN_ACTION_HEARTBEAT:
    case VN_ACTION_CANCEL_TASK:
    case VN_ACTION_SAVE:
    case VN_ACTION_DISCARD:
        break;
    }
}

static void check_job(const struct vn_job *j)
{
    uint32_t seen = 0;
    for (uint32_t rank = 0; rank < j->n_members; rank++) {
        const struct vn_member *m = &j->members[rank];
        CHECK(m->n_units > 0, "%s: worker %u has no unit", j->id, rank);
        for (uint32_t i = 0; i < m->n_units; i++) {
            CHECK(m->units[i] < j->job_units, "%s: unit beyond the request", j->id);
            CHECK(j->owner[m->units[i]] == rank, "%s: unit %u has two owners", j->id, m->units[i]);
            CHECK(i == 0 || m->units[i] > m->units[i - 1], "%s: unit %u twice", j->id, m->units[i]);
        }
        seen += m->n_units;
        if (m->worker) {
            CHECK(j->state == VN_JOB_RUNNING, "%s has ended and keeps worker %s", j->id, m->worker->id);
            CHECK(m->worker->job == j && m->worker->rank == rank, "%s: worker %s works for another", j->id, m->worker->id);
        }
    }
    CHECK(seen == j->job_units || (j->simulated && seen < j->job_units), "%s: %u units of %u have an owner", j->id, seen, j->job_units);
}

/* Whoever is first in the queue does not wait while the idle workers are enough for it. */
static void check_queue(void)
{
    const struct vn_job *first = NULL;
    uint32_t waiting = 0;
    for (const struct vn_job *j = vn_core_jobs(core); j; j = j->next) {
        waiting += j->state == VN_JOB_QUEUED || j->state == VN_JOB_WAITING;
        if (j->state == VN_JOB_QUEUED && (!first || j->priority > first->priority))
            first = j;
    }
    CHECK(waiting <= 5, "%u jobs wait", waiting);
    uint32_t units = 0, n = 0;
    for (const struct vn_worker *w = vn_core_workers(core); first && w && n < 4; w = w->next)
        if (vn_worker_is_idle(w)) {
            units += w->units;
            n++;
        }
    CHECK(!first || units < first->minimal, "%s waits for %u units, %u are idle", first->id, first->minimal, units);
}

static void check_invariants(void)
{
    check_queue();
    for (const struct vn_job *j = vn_core_jobs(core); j; j = j->next)
        check_job(j);
    for (const struct vn_worker *w = vn_core_workers(core); w; w = w->next) {
        CHECK(!w->job || (w->link != 0 && w->job->state == VN_JOB_RUNNING && w->job->members[w->rank].worker == w), "worker %s", w->id);
        for (const struct vn_worker *v = w->next; v; v = v->next)
            CHECK(strcmp(v->id, w->id) != 0 && (v->link == 0 || v->link != w->link), "worker %s twice", w->id);
    }
}

static void step(const struct vn_event *e)
{
    const struct vn_action *actions;
    size_t n;
    CHECK(vn_core_step(core, e, now_ns, now_ns, &actions, &n) == VN_OK, "out of memory");
    total.steps++;
    char to_save[8][37];
    unsigned n_save = 0;
    for (size_t i = 0; i < n; i++) {
        on_action(&actions[i]);
        if (actions[i].kind == VN_ACTION_SAVE && n_save < 8)
            memcpy(to_save[n_save++], actions[i].job->id, 37);
    }
    check_invariants();
    for (unsigned i = 0; i < n_save; i++)
        step(&(struct vn_event){.kind = VN_EVENT_SAVED, .job_id = to_save[i], .ok = calm || chance(95), .text = "disk full"});
}

static void deliver(const struct pending *p)
{
    static uint64_t publics[VN_PUBLIC_WORDS], values[VN_VALUE_WORDS], leaf[VN_LEAF_WORDS], words[2] = {5, 0x0504030201};
    static uint8_t outputs[256];
    static uint32_t key[VN_LEAF_WORDS];
    static struct vn_entry entries[MAX_SHARDS];
    for (unsigned i = 0; i < VN_LEAF_WORDS; i++)
        leaf[i] = i;
    values[0] = p->n_exec;
    values[1] = p->n_mem;
    values[2] = 1000;
    publics[7] = p->lie && p->kind == MSG_CONTRIBUTIONS && p->n_shards == 0;
    uint32_t n = p->n_shards;
    for (uint32_t i = 0; i < n; i++)
        entries[i] = (struct vn_entry){.rank = p->rank,
                                       .shard = p->shards[i],
                                       .values = p->kind == MSG_CONTRIBUTIONS ? leaf : words,
                                       .n_values = p->kind == MSG_CONTRIBUTIONS ? VN_LEAF_WORDS : 2};
    if (p->lie && n > 0)
        switch (p->due_ns % 4) {
        case 0: n--; break;
        case 1: entries[0].shard++; break;
        case 2: entries[0].rank ^= 1; break;
        case 3: entries[n - 1].n_values--; break;
        }
    struct vn_event e = {.link = p->link, .job_id = p->job_id, .entries = entries, .n_entries = n};
    switch (p->kind) {
    case MSG_CONTRIBUTIONS:
        e.kind = VN_EVENT_CONTRIBUTIONS;
        e.publics = publics;
        e.n_publics = VN_PUBLIC_WORDS;
        e.values = values;
        e.n_values = VN_VALUE_WORDS;
        break;
    case MSG_PROOFS:
        e.kind = VN_EVENT_PROOFS;
        break;
    case MSG_ACK:
    case MSG_FINAL:
        e.kind = VN_EVENT_FINAL;
        e.values = words;
        e.n_values = (p->kind == MSG_FINAL) != p->lie ? 2 : 0;
        e.steps = 1000;
        break;
    case MSG_FAILED:
        e.kind = VN_EVENT_TASK_FAILED;
        e.text = p->due_ns & 1 ? "Input file not found: x" : "trap";
        break;
    case MSG_PROGRESS:
        e.kind = VN_EVENT_PROGRESS;
        e.shards_done = n / 2;
        e.shards_total = n;
        break;
    case MSG_VERIFIED:
        e.kind = VN_EVENT_VERIFIED;
        e.ok = !p->lie;
        e.text = "no";
        e.outputs = outputs;
        e.key = key;
        e.steps = 1000;
        break;
    }
    step(&e);
}

static void advance(uint64_t ns)
{
    uint64_t until = now_ns + ns;
    for (;;) {
        uint32_t first = UINT32_MAX;
        for (uint32_t i = 0; i < n_pending; i++)
            if (pending[i].due_ns <= until && (first == UINT32_MAX || pending[i].due_ns < pending[first].due_ns))
                first = i;
        if (first == UINT32_MAX)
            break;
        struct pending p = pending[first];
        pending[first] = pending[--n_pending];
        if (p.due_ns > now_ns)
            now_ns = p.due_ns;
        deliver(&p);
    }
    now_ns = until;
    for (unsigned i = 0; i < WORKERS; i++)
        if (workers[i].link && !workers[i].mute)
            step(&(struct vn_event){.kind = VN_EVENT_HEARD, .link = workers[i].link});
    step(&(struct vn_event){.kind = VN_EVENT_TICK});
}

static void join(unsigned i)
{
    char id[16];
    snprintf(id, sizeof id, "w%u", i);
    workers[i].link = ++next_link;
    workers[i].mute = 0;
    const char *known = n_jobs && chance(30) ? jobs[below(n_jobs)].id : NULL;
    step(&(struct vn_event){.kind = VN_EVENT_REGISTER, .link = next_link, .worker_id = id, .units = calm ? 5 : 1 + below(5), .job_id = known});
}

static void leave(unsigned i)
{
    uint64_t link = workers[i].link;
    workers[i].link = 0;
    step(&(struct vn_event){.kind = VN_EVENT_LINK_CLOSED, .link = link});
}

static void launch(void)
{
    struct launched *l = &jobs[n_jobs];
    *l = (struct launched){.requested = 1 + below(12), .kind = chance(10) ? VN_JOB_EXECUTE : VN_JOB_PROVE};
    snprintf(l->id, sizeof l->id, "job-%llu", (unsigned long long)++next_job);
    n_jobs++;
    unsigned long long before = total.launched;
    struct vn_launch q = {.job_id = l->id, .data_id = "", .compute_capacity = l->requested, .minimal_compute_capacity = below(l->requested + 1), .input_path = "x",
                          .kind = (enum vn_job_kind)l->kind};
    q.queue = chance(30);
    q.priority = below(3);
    q.wait_for_input = q.queue && chance(20);
    q.input_data = q.queue && chance(30) ? (const uint8_t *)"input" : NULL;
    q.input_len = q.input_data ? 5 : 0;
    q.simulated = l->kind == VN_JOB_PROVE && chance(n_workers == 1 ? 30 : 5);
    q.simulated_node = below(4);
    q.limit_wall_ns = chance(5) ? now_ns + rng() % (100ull * SECOND) : 0;
    step(&(struct vn_event){.kind = VN_EVENT_LAUNCH, .launch = &q});
    if (total.launched == before)
        n_jobs--;
}

static void move(void)
{
    unsigned i = below(n_workers);
    char id[16];
    switch (below(22)) {
    case 20:
        snprintf(id, sizeof id, "w%u", i);
        if (chance(30))
            step(&(struct vn_event){.kind = VN_EVENT_DRAIN, .worker_id = id, .ok = chance(40)});
        break;
    case 21:
        if (n_jobs && chance(10))
            step(&(struct vn_event){.kind = VN_EVENT_FAIL, .job_id = jobs[n_jobs - 1].id, .failure = VN_FAILURE_INPUT, .text = "no hints"});
        for (const struct vn_job *j = vn_core_jobs(core); j; j = j->next)
            if (j->state == VN_JOB_WAITING) {
                step(&(struct vn_event){.kind = VN_EVENT_INPUT, .job_id = j->id, .bytes = (const uint8_t *)"abc", .n_bytes = below(4), .ok = chance(50)});
                break;
            }
        break;
    case 0:
        if (workers[i].link)
            leave(i);
        break;
    case 1:
    case 2:
    case 3:
        if (!workers[i].link || chance(3)) /* now and then it comes back before its old stream is known to be gone */
            join(i);
        break;
    case 4:
        if (chance(15))
            workers[i].mute = 1;
        break;
    case 5:
        if (n_jobs && chance(40))
            step(&(struct vn_event){.kind = VN_EVENT_CANCEL, .job_id = jobs[chance(20) ? below(n_jobs) : n_jobs - 1].id});
        break;
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
        if (n_jobs < MAX_JOBS)
            launch();
        break;
    default:
        advance(rng() % (8ull * SECOND));
        break;
    }
}

static void history(void)
{
    rng_state = seed;
    now_ns = 1000ull * SECOND;
    next_link = next_job = 0;
    n_pending = n_jobs = 0;
    calm = 0;
    n_workers = chance(15) ? 1 : WORKERS;
    memset(workers, 0, sizeof workers);
    struct vn_core_config config = {.max_workers_per_job = 4, .max_total_workers = 10, .phase1_timeout_ns = 100ull * SECOND, .phase2_timeout_ns = 200ull * SECOND,
                                    .heartbeat_ns = 10ull * SECOND, .silence_ns = 30ull * SECOND, .forget_ns = 120ull * SECOND, .keep_jobs = 20, .keep_proofs = 3, .max_queued = 5,
                                    .input_ns = 60ull * SECOND};
    CHECK(vn_core_new(&core, &config) == VN_OK, "out of memory");
    for (int i = 0; i < STEPS; i++)
        move();
    calm = 1;
    for (unsigned i = 0; i < WORKERS; i++) { /* enough of them for whatever waits */
        char id[16];
        snprintf(id, sizeof id, "w%u", i);
        if (workers[i].link)
            leave(i);
        step(&(struct vn_event){.kind = VN_EVENT_DRAIN, .worker_id = id, .ok = 0});
    }
    for (unsigned i = 0; i < 4; i++)
        join(i);
    for (int i = 0; i < 1000; i++)
        advance(5ull * SECOND);
    for (uint32_t i = 0; i < n_jobs; i++)
        CHECK(jobs[i].ended, "%s never ended", jobs[i].id);
    for (const struct vn_worker *w = vn_core_workers(core); w; w = w->next)
        CHECK(!w->job, "worker %s is still reserved", w->id);
    uint32_t kept = 0;
    for (const struct vn_job *j = vn_core_jobs(core); j; j = j->next)
        kept++;
    CHECK(kept <= 20, "%u jobs kept", kept);
    vn_core_free(core);
}

int main(int argc, char **argv)
{
    unsigned long histories = argc > 1 ? strtoul(argv[1], NULL, 10) : 40;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (unsigned long i = 0; i < histories; i++) {
        seed = first + i;
        history();
    }
    printf("%lu histories, %llu steps: %llu launched (%llu completed, of them %llu after waiting, %llu simulated, %llu executions; %llu failed, %llu of them by time; "
           "%llu cancelled), %llu refused\n", histories, total.steps, total.launched, total.completed, total.waited, total.simulated, total.executed, total.failed, total.timeouts,
           total.cancelled, total.refused);
    CHECK(total.launched == total.completed + total.failed + total.cancelled, "a job is missing");
    CHECK(histories < 10 || (total.completed > total.launched / 10 && total.failed && total.cancelled && total.timeouts && total.refused && total.waited && total.simulated && total.executed), "a kind of end never happened");
    return 0;
}
