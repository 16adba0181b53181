#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "services/scheduler/core.h"

#define SECOND UINT64_C(1000000000)

static struct vn_core *core;
static uint64_t now;
static const struct vn_action *actions;
static size_t n_actions;
static char job_id[37];
static unsigned n_launched;

static void setup(void)
{
    struct vn_core_config c = {.max_workers_per_job = 3, .max_total_workers = 5, .phase1_timeout_ns = 100 * SECOND, .phase2_timeout_ns = 200 * SECOND,
                               .heartbeat_ns = 10 * SECOND, .silence_ns = 30 * SECOND, .forget_ns = 600 * SECOND, .keep_jobs = 4, .keep_proofs = 2, .max_queued = 3,
                               .input_ns = 50 * SECOND};
    now = 1000 * SECOND;
    cr_assert_eq(vn_core_new(&core, &c), VN_OK);
}

static void teardown(void) { vn_core_free(core); }

TestSuite(core, .init = setup, .fini = teardown);

static void step(struct vn_event e) { cr_assert_eq(vn_core_step(core, &e, now, now, &actions, &n_actions), VN_OK); }

static const struct vn_action *nth(enum vn_action_kind kind, unsigned n)
{
    for (size_t i = 0; i < n_actions; i++)
        if (actions[i].kind == kind && n-- == 0)
            return &actions[i];
    return NULL;
}

static unsigned count(enum vn_action_kind kind)
{
    unsigned n = 0;
    while (nth(kind, n))
        n++;
    return n;
}

/* Worker number i registers as "wi" on link i. */
static void join(unsigned i, uint32_t units)
{
    char id[8];
    snprintf(id, sizeof id, "w%u", i);
    step((struct vn_event){.kind = VN_EVENT_REGISTER, .link = i, .worker_id = id, .units = units});
}

static const struct vn_job *launch(uint32_t wanted, uint32_t minimal)
{
    snprintf(job_id, sizeof job_id, "job-%u", ++n_launched);
    struct vn_launch l = {.token = 7, .job_id = job_id, .data_id = "d", .compute_capacity = wanted, .minimal_compute_capacity = minimal, .input_path = "in"};
    step((struct vn_event){.kind = VN_EVENT_LAUNCH, .launch = &l});
    return vn_core_job(core, job_id);
}

/* Launches with more than the usual; says whether it was taken. */
static const struct vn_job *launch_as(struct vn_launch l)
{
    snprintf(job_id, sizeof job_id, "job-%u", ++n_launched);
    l.token = 7;
    l.job_id = job_id;
    l.data_id = "d";
    step((struct vn_event){.kind = VN_EVENT_LAUNCH, .launch = &l});
    return vn_core_job(core, job_id);
}

static uint64_t publics[VN_PUBLIC_WORDS], values[VN_VALUE_WORDS];
static const uint64_t leaf[VN_LEAF_WORDS] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const uint64_t words[2] = {3, 0x030201};

/* The worker of that link answers phase 1 for the given shards of a run with four. */
static void contribute(uint64_t link, uint32_t rank, unsigned n, const uint64_t *shards)
{
    struct vn_entry e[8];
    for (unsigned i = 0; i < n; i++)
        e[i] = (struct vn_entry){rank, shards[i], leaf, VN_LEAF_WORDS};
    values[0] = 3;
    values[1] = 1;
    values[2] = 500;
    step((struct vn_event){.kind = VN_EVENT_CONTRIBUTIONS, .link = link, .job_id = job_id, .entries = e, .n_entries = n, .publics = publics,
                           .n_publics = VN_PUBLIC_WORDS, .values = values, .n_values = VN_VALUE_WORDS});
}

static void prove(uint64_t link, uint32_t rank, unsigned n, const uint64_t *shards)
{
    struct vn_entry e[8];
    for (unsigned i = 0; i < n; i++)
        e[i] = (struct vn_entry){rank, shards[i], words, 2};
    step((struct vn_event){.kind = VN_EVENT_PROOFS, .link = link, .job_id = job_id, .entries = e, .n_entries = n});
}

static void final(uint64_t link, size_t n_words, uint64_t steps)
{
    step((struct vn_event){.kind = VN_EVENT_FINAL, .link = link, .job_id = job_id, .values = words, .n_values = n_words, .steps = steps});
}

static void hear(uint64_t link) { step((struct vn_event){.kind = VN_EVENT_HEARD, .link = link}); }

#define SHARDS(...) (sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)), (const uint64_t[]){__VA_ARGS__}
#define fails_with(job, words_of_it) cr_assert((job)->state == VN_JOB_FAILED && strstr((job)->reason, (words_of_it)), "%d %s", (job)->state, (job)->reason)

static const struct vn_worker *worker(const char *id)
{
    for (const struct vn_worker *w = vn_core_workers(core); w; w = w->next)
        if (strcmp(w->id, id) == 0)
            return w;
    return NULL;
}

static void nobody_is_reserved_but(const struct vn_job *j)
{
    for (const struct vn_worker *w = vn_core_workers(core); w; w = w->next)
        cr_assert(!w->job || w->job == j, "%s", w->id);
}

static void nobody_is_reserved(void) { nobody_is_reserved_but(NULL); }

Test(core, units_are_dealt_round_robin_with_room)
{
    static const struct {
        uint32_t capacity[3], n, units;
        uint32_t owner[12];
    } cases[] = {
        {{2, 4}, 2, 6, {0, 1, 0, 1, 1, 1}},
        {{1, 3, 2}, 3, 6, {0, 1, 2, 1, 1, 2}},
        {{10, 10}, 2, 5, {0, 1, 0, 1, 0}},
        {{4, 4}, 2, 8, {0, 1, 0, 1, 0, 1, 0, 1}},
        {{3}, 1, 3, {0, 0, 0}},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t owner[12], dealt[3];
        vn_deal_units(owner, dealt, cases[i].units, cases[i].capacity, cases[i].n);
        cr_assert_arr_eq(owner, cases[i].owner, cases[i].units * sizeof *owner, "case %u", i);
    }
}

Test(core, launch_is_refused_with_the_reason)
{
    static const struct {
        uint32_t wanted, minimal;
        enum vn_status status;
        const char *text;
    } cases[] = {
        {0, 0, VN_ERR_ARGUMENT, "Compute capacity must be greater than zero"},
        {5, 6, VN_ERR_ARGUMENT, "Minimal compute capacity must not exceed compute capacity"},
        {9, 0, VN_ERR_CAPACITY, "Insufficient compute capacity: have 8 idle compute units, want 9"},
        {8, 8, VN_ERR_CAPACITY, "Insufficient compute capacity: a job gets at most 3 workers, which have 6 compute units, want 8"},
    };
    cr_assert_null(launch(1, 0));
    cr_assert_eq(nth(VN_ACTION_REFUSED, 0)->status, VN_ERR_CAPACITY);
    for (unsigned i = 1; i <= 4; i++)
        join(i, 2);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_null(launch(cases[i].wanted, cases[i].minimal));
        const struct vn_action *a = nth(VN_ACTION_REFUSED, 0);
        cr_assert(a && a->token == 7);
        cr_assert_eq(a->status, cases[i].status);
        cr_assert_str_eq(a->text, cases[i].text);
    }
    nobody_is_reserved();
}

Test(core, selection_follows_registration_trims_and_reserves)
{
    join(1, 2);
    join(2, 4);
    join(3, 1);
    const struct vn_job *j = launch(5, 0);
    cr_assert(j && j->n_members == 2 && j->job_units == 5);
    cr_assert_eq(count(VN_ACTION_CONTRIBUTE), 2);
    cr_assert_eq(nth(VN_ACTION_CONTRIBUTE, 1)->link, 2);
    cr_assert_str_eq(nth(VN_ACTION_CONTRIBUTE, 0)->job->input_path, "in");
    cr_assert_eq(j->members[0].n_units, 2);
    cr_assert_eq(j->members[1].n_units, 3);
    cr_assert_null(launch(2, 0));
    const struct vn_job *k = launch(2, 1); /* what is left is enough for the minimum */
    cr_assert(k && k->n_members == 1 && k->job_units == 1);
    cr_assert_str_eq(k->members[0].worker_id, "w3");
}

Test(core, two_workers_to_a_saved_proof)
{
    join(1, 1);
    join(2, 1);
    const struct vn_job *j = launch(2, 0);
    contribute(1, 0, SHARDS(2, 4));
    cr_assert_eq(count(VN_ACTION_PROVE), 0);
    contribute(2, 1, SHARDS(3, 1));
    cr_assert_eq(count(VN_ACTION_PROVE), 2);
    cr_assert_eq(j->phase, VN_PHASE_PROVE);
    cr_assert(j->n_shards == 4 && j->leaf_rank[0] == 1 && j->leaf_rank[1] == 0);

    prove(2, 1, SHARDS(1, 3));
    const struct vn_action *a = nth(VN_ACTION_AGGREGATE, 0);
    cr_assert(a && a->link == 2 && a->n_entries == 0 && !a->last);
    cr_assert_eq(worker("w2")->task, VN_PHASE_AGGREGATE);
    prove(1, 0, SHARDS(2, 4));
    cr_assert_eq(count(VN_ACTION_AGGREGATE), 0, "one message under way at a time");
    cr_assert_eq(j->phase, VN_PHASE_AGGREGATE);
    cr_assert_null(worker("w1")->job);
    cr_assert_eq(nth(VN_ACTION_CANCEL_TASK, 0)->link, 1);
    final(2, 0, 0);
    a = nth(VN_ACTION_AGGREGATE, 0);
    cr_assert(a && a->link == 2 && a->n_entries == 2 && a->last && a->entries[1].shard == 4 && a->entries[1].values[1] == 0x030201);
    final(2, 2, 500);
    cr_assert_eq(count(VN_ACTION_VERIFY), 1);
    cr_assert(j->proof_len == 3 && memcmp(j->proof, "\1\2\3", 3) == 0);
    nobody_is_reserved();
    cr_assert_eq(j->state, VN_JOB_RUNNING);

    uint8_t outputs[256] = {0};
    uint32_t key[VN_LEAF_WORDS] = {0};
    step((struct vn_event){.kind = VN_EVENT_VERIFIED, .job_id = job_id, .ok = 1, .outputs = outputs, .key = key, .steps = 500});
    cr_assert_eq(count(VN_ACTION_SAVE), 1);
    cr_assert_eq(j->state, VN_JOB_RUNNING);
    step((struct vn_event){.kind = VN_EVENT_SAVED, .job_id = job_id, .ok = 1});
    cr_assert_eq(j->state, VN_JOB_COMPLETED);
    cr_assert_eq(count(VN_ACTION_DISCARD), 0);
    cr_assert_not_null(j->proof);
}

/* Up to the final proof with one worker. */
static const struct vn_job *to_final(void)
{
    join(1, 1);
    const struct vn_job *j = launch(1, 0);
    contribute(1, 0, SHARDS(1, 2, 3, 4));
    prove(1, 0, SHARDS(4, 3, 2, 1));
    cr_assert(nth(VN_ACTION_AGGREGATE, 0)->last);
    return j;
}

Test(core, a_proof_of_something_else_is_not_kept)
{
    for (unsigned i = 0; i < 5; i++) {
        const struct vn_job *j = to_final();
        final(1, 2, 500);
        uint8_t outputs[256] = {0};
        uint32_t key[VN_LEAF_WORDS] = {0};
        struct vn_event e = {.kind = VN_EVENT_VERIFIED, .job_id = job_id, .ok = i != 0, .text = "bad opening", .outputs = outputs, .key = key, .steps = 500};
        outputs[255] = i == 1;
        e.steps += i == 2;
        key[8] = i == 3;
        step(e);
        if (i == 4) {
            step((struct vn_event){.kind = VN_EVENT_SAVED, .job_id = job_id, .ok = 0, .text = "disk full"});
            fails_with(j, "could not be saved: disk full");
        } else {
            static const char *const said[] = {"not accepted: bad opening", "public outputs", "number of steps", "verifying key"};
            fails_with(j, said[i]);
        }
        cr_assert_eq(count(VN_ACTION_DISCARD), 1);
        nobody_is_reserved();
    }
}

Test(core, final_answers_are_checked)
{
    const struct vn_job *j = to_final();
    final(1, 0, 0);
    fails_with(j, "without a final proof");
    j = to_final();
    final(1, 2, 499);
    fails_with(j, "proved 499 steps, the run had 500");
    j = to_final();
    final(1, 1, 500);
    fails_with(j, "malformed final proof");
}

Test(core, contributions_are_checked)
{
    join(1, 1);
    join(2, 1);
    const struct vn_job *j = launch(2, 0);
    contribute(1, 0, SHARDS(2));
    contribute(2, 1, SHARDS(1, 3));
    fails_with(j, "Shard 4 of 4 was contributed by no worker; it belongs to worker w1");
    cr_assert_eq(count(VN_ACTION_CANCEL_TASK), 2);

    j = launch(2, 0);
    contribute(1, 0, SHARDS(2, 3));
    fails_with(j, "shard 3, which is not its own");
    j = launch(2, 0);
    contribute(1, 0, SHARDS(2, 2));
    fails_with(j, "shard 2");
    j = launch(2, 0);
    contribute(1, 0, SHARDS(0));
    fails_with(j, "shard 0");
    j = launch(2, 0);
    contribute(1, 1, SHARDS(2, 4));
    fails_with(j, "shard 2");
    j = launch(2, 0);
    contribute(1, 0, SHARDS(2, 4));
    publics[63] = 1;
    contribute(2, 1, SHARDS(1, 3));
    fails_with(j, "Worker w2 found other public outputs");
    publics[63] = 0;
    j = launch(2, 0);
    contribute(1, 0, SHARDS(2, 4));
    values[11] = 1;
    contribute(2, 1, SHARDS(1, 3));
    fails_with(j, "another program or another input");
    values[11] = VN_FIELD_P;
    j = launch(2, 0);
    contribute(1, 0, SHARDS(2, 4));
    fails_with(j, "cannot be understood");
    values[11] = 0;
    nobody_is_reserved();
}

Test(core, proofs_are_checked)
{
    static const uint64_t sets[][4] = {{1, 2, 3, 3}, {1, 2, 3, 5}, {1, 2, 3, 0}};
    for (unsigned i = 0; i < 4; i++) {
        join(1, 1);
        const struct vn_job *j = launch(1, 0);
        contribute(1, 0, SHARDS(1, 2, 3, 4));
        prove(1, 0, i == 3 ? 3 : 4, sets[i % 3]);
        fails_with(j, "exactly one well-formed proof for each of its 4 shards");
    }
}

Test(core, a_lost_worker_fails_its_job_and_frees_the_others)
{
    join(1, 1);
    join(2, 1);
    const struct vn_job *j = launch(2, 0);
    step((struct vn_event){.kind = VN_EVENT_LINK_CLOSED, .link = 1});
    fails_with(j, "Worker w1 was lost");
    cr_assert_eq(count(VN_ACTION_CANCEL_TASK), 1);
    cr_assert_eq(nth(VN_ACTION_CANCEL_TASK, 0)->link, 2);
    cr_assert_eq(count(VN_ACTION_CHANGED), 1);
    nobody_is_reserved();
    step((struct vn_event){.kind = VN_EVENT_LINK_CLOSED, .link = 1});
    step((struct vn_event){.kind = VN_EVENT_TASK_FAILED, .link = 2, .job_id = job_id, .text = "late"});
    cr_assert_eq(n_actions, 0, "failing again changes nothing");
    fails_with(j, "Worker w1 was lost");
}

Test(core, late_answers_of_an_old_job_do_not_touch_the_new_one)
{
    join(1, 1);
    launch(1, 0);
    char old[37];
    memcpy(old, job_id, sizeof old);
    step((struct vn_event){.kind = VN_EVENT_CANCEL, .job_id = old});
    cr_assert_eq(vn_core_job(core, old)->state, VN_JOB_CANCELLED);
    const struct vn_job *j = launch(1, 0);
    char new[37];
    memcpy(new, job_id, sizeof new);
    memcpy(job_id, old, sizeof old);
    contribute(1, 0, SHARDS(1, 2, 3, 4));
    step((struct vn_event){.kind = VN_EVENT_TASK_FAILED, .link = 1, .job_id = old, .text = "late"});
    cr_assert(j->state == VN_JOB_RUNNING && j->n_answers == 0 && worker("w1")->job == j);
    step((struct vn_event){.kind = VN_EVENT_CANCEL, .job_id = old});
    cr_assert_eq(n_actions, 0);
}

Test(core, the_workers_own_words_reach_the_client)
{
    join(1, 1);
    const struct vn_job *j = launch(1, 0);
    step((struct vn_event){.kind = VN_EVENT_TASK_FAILED, .link = 1, .job_id = job_id, .text = "Input file not found: x.bin"});
    fails_with(j, "Input file not found: x.bin");
    cr_assert_eq(j->failure, VN_FAILURE_INPUT);
    j = launch(1, 0);
    step((struct vn_event){.kind = VN_EVENT_TASK_FAILED, .link = 1, .job_id = job_id, .text = "guest trapped"});
    cr_assert_eq(j->failure, VN_FAILURE_EXECUTION);
}



Test(core, phases_have_limits)
{
    join(1, 1);
    const struct vn_job *j = launch(1, 0);
    for (int i = 0; i < 99; i++) {
        now += SECOND;
        hear(1);
        step((struct vn_event){.kind = VN_EVENT_TICK});
    }
    cr_assert_eq(j->state, VN_JOB_RUNNING);
    contribute(1, 0, SHARDS(1, 2, 3, 4));
    for (int i = 0; i < 200; i++) {
        cr_assert_eq(j->state, VN_JOB_RUNNING, "%d", i);
        now += SECOND;
        hear(1);
        step((struct vn_event){.kind = VN_EVENT_TICK});
    }
    fails_with(j, "Phase Prove took longer than 200 seconds");
    cr_assert(j->failure == VN_FAILURE_TIMEOUT && j->failed_phase == VN_PHASE_PROVE);
}

Test(core, silence_is_asked_about_and_then_ends_the_link)
{
    join(1, 1);
    const struct vn_job *j = launch(1, 0);
    unsigned asked = 0;
    for (int i = 0; i < 30; i++) {
        now += SECOND;
        step((struct vn_event){.kind = VN_EVENT_TICK});
        asked += count(VN_ACTION_HEARTBEAT);
        cr_assert_eq(count(VN_ACTION_CLOSE_LINK), 0);
    }
    cr_assert_eq(asked, 3);
    now += SECOND;
    step((struct vn_event){.kind = VN_EVENT_TICK});
    cr_assert_eq(nth(VN_ACTION_CLOSE_LINK, 0)->link, 1);
    fails_with(j, "no sign of life");
    cr_assert_eq(worker("w1")->link, 0);
    now += 601 * SECOND;
    step((struct vn_event){.kind = VN_EVENT_TICK});
    cr_assert_null(worker("w1"));
    join(2, 1);
    cr_assert_not_null(worker("w2"));
}

Test(core, registration)
{
    join(1, 0);
    cr_assert_not_null(strstr(nth(VN_ACTION_REJECT, 0)->text, "1 to 65536"));
    step((struct vn_event){.kind = VN_EVENT_REGISTER, .link = 1, .worker_id = "", .units = 1});
    cr_assert_eq(count(VN_ACTION_REJECT), 1);
    for (unsigned i = 1; i <= 5; i++)
        join(i, 1);
    join(6, 1);
    cr_assert_str_eq(nth(VN_ACTION_REJECT, 0)->text, "Maximum number of workers reached");
    step((struct vn_event){.kind = VN_EVENT_REGISTER, .link = 1, .worker_id = "other", .units = 1});
    cr_assert_eq(count(VN_ACTION_REJECT), 1);

    const struct vn_job *j = launch(1, 0);
    step((struct vn_event){.kind = VN_EVENT_REGISTER, .link = 9, .worker_id = "w1", .units = 3, .job_id = job_id}); /* came back before its loss was noticed */
    fails_with(j, "registered again");
    cr_assert_eq(nth(VN_ACTION_CLOSE_LINK, 0)->link, 1);
    cr_assert(count(VN_ACTION_ACCEPT) == 1 && worker("w1")->link == 9 && worker("w1")->units == 3 && !worker("w1")->job);
    cr_assert_str_eq(nth(VN_ACTION_CANCEL_TASK, 0)->job_id, job_id);
    step((struct vn_event){.kind = VN_EVENT_LINK_CLOSED, .link = 1}); /* the old stream's end does not touch the new one */
    cr_assert_eq(worker("w1")->link, 9);
}

Test(core, memory_of_old_jobs_is_bounded)
{
    uint8_t outputs[256] = {0};
    uint32_t key[VN_LEAF_WORDS] = {0};
    for (int i = 0; i < 10; i++) {
        to_final();
        final(1, 2, 0);
        step((struct vn_event){.kind = VN_EVENT_VERIFIED, .job_id = job_id, .ok = 1, .outputs = outputs, .key = key, .steps = 500});
        step((struct vn_event){.kind = VN_EVENT_SAVED, .job_id = job_id, .ok = 1});
    }
    step((struct vn_event){.kind = VN_EVENT_TICK});
    unsigned jobs = 0, proofs = 0;
    for (const struct vn_job *j = vn_core_jobs(core); j; j = j->next) {
        jobs++;
        proofs += j->proof != NULL;
    }
    cr_assert_eq(jobs, 4);
    cr_assert_eq(proofs, 2);
    cr_assert_not_null(vn_core_job(core, job_id)->proof);
}

Test(core, progress_is_summed)
{
    join(1, 1);
    join(2, 1);
    const struct vn_job *j = launch(2, 0);
    contribute(1, 0, SHARDS(2, 4));
    contribute(2, 1, SHARDS(1, 3));
    cr_assert_eq(vn_job_shards_done(j), 0);
    step((struct vn_event){.kind = VN_EVENT_PROGRESS, .link = 1, .job_id = job_id, .shards_done = 1, .shards_total = 2});
    step((struct vn_event){.kind = VN_EVENT_PROGRESS, .link = 2, .job_id = job_id, .shards_done = 3, .shards_total = 2});
    cr_assert_eq(vn_job_shards_done(j), 1);
    prove(2, 1, SHARDS(1, 3));
    cr_assert_eq(vn_job_shards_done(j), 3);
    cr_assert(nth(VN_ACTION_CHANGED, 0)->progress);
}

/* ---- the queue ---- */

static void end_by_cancelling(const struct vn_job *j) { step((struct vn_event){.kind = VN_EVENT_CANCEL, .job_id = j->id}); }

Test(core, queued_jobs_start_by_priority_and_age)
{
    join(1, 2);
    const struct vn_job *running = launch(2, 0);
    const uint8_t input[3] = {7, 8, 9};
    const struct vn_job *a = launch_as((struct vn_launch){.compute_capacity = 2, .queue = 1, .input_data = input, .input_len = 3});
    cr_assert(a && a->state == VN_JOB_QUEUED && count(VN_ACTION_LAUNCHED) == 1 && count(VN_ACTION_CONTRIBUTE) == 0);
    const struct vn_job *b = launch_as((struct vn_launch){.compute_capacity = 2, .queue = 1, .priority = 5});
    const struct vn_job *c = launch_as((struct vn_launch){.compute_capacity = 2, .queue = 1, .priority = 5});
    cr_assert_null(launch_as((struct vn_launch){.compute_capacity = 2, .queue = 1}));
    cr_assert_str_eq(nth(VN_ACTION_REFUSED, 0)->text, "The queue is full: 3 jobs wait");
    end_by_cancelling(running);
    cr_assert(b->state == VN_JOB_RUNNING && nth(VN_ACTION_CONTRIBUTE, 0)->job == b && c->state == VN_JOB_QUEUED);
    end_by_cancelling(b);
    cr_assert_eq(c->state, VN_JOB_RUNNING);
    now += 5 * SECOND;
    end_by_cancelling(c);
    const struct vn_action *t = nth(VN_ACTION_CONTRIBUTE, 0);
    cr_assert(t && t->job == a && t->input_len == 3 && memcmp(t->input_data, input, 3) == 0);
    cr_assert(a->started_ns == now && a->created_ns == now - 5 * SECOND);
}

Test(core, a_queued_job_keeps_what_it_waits_for)
{
    join(1, 1);
    join(2, 2);
    const struct vn_job *running = launch(1, 0);
    const struct vn_job *big = launch_as((struct vn_launch){.compute_capacity = 3, .queue = 1});
    cr_assert_eq(big->state, VN_JOB_QUEUED);
    cr_assert_null(launch(1, 0));
    cr_assert_str_eq(nth(VN_ACTION_REFUSED, 0)->text, "Insufficient compute capacity: the idle workers are kept for jobs in the queue");
    const struct vn_job *later = launch_as((struct vn_launch){.compute_capacity = 1, .queue = 1});
    cr_assert_eq(later->state, VN_JOB_QUEUED);
    end_by_cancelling(running);
    cr_assert(big->state == VN_JOB_RUNNING && big->n_members == 2);
    end_by_cancelling(big);
    cr_assert_eq(later->state, VN_JOB_RUNNING);
}

Test(core, a_job_too_large_for_the_cluster_blocks_nobody)
{
    join(1, 1);
    const struct vn_job *huge = launch_as((struct vn_launch){.compute_capacity = 9, .queue = 1, .priority = 9});
    cr_assert_eq(huge->state, VN_JOB_QUEUED);
    const struct vn_job *j = launch(1, 0);
    cr_assert(j && j->state == VN_JOB_RUNNING);
    join(2, 8);
    cr_assert_eq(huge->state, VN_JOB_QUEUED);
    end_by_cancelling(j);
    cr_assert_eq(huge->state, VN_JOB_RUNNING);
    const struct vn_job *queued = launch_as((struct vn_launch){.compute_capacity = 1, .queue = 1});
    end_by_cancelling(queued);
    cr_assert_eq(queued->state, VN_JOB_CANCELLED);
    nobody_is_reserved_but(huge);
}

Test(core, input_may_come_in_pieces)
{
    join(1, 1);
    const struct vn_job *j = launch_as((struct vn_launch){.compute_capacity = 1, .queue = 1, .wait_for_input = 1});
    cr_assert_eq(j->state, VN_JOB_WAITING);
    const struct vn_job *other = launch(1, 0);
    end_by_cancelling(other);
    struct vn_event e = {.kind = VN_EVENT_INPUT, .job_id = j->id, .bytes = (const uint8_t *)"abcd", .n_bytes = 4};
    now += 40 * SECOND;
    step(e);
    now += 40 * SECOND;
    hear(1);
    step((struct vn_event){.kind = VN_EVENT_TICK});
    cr_assert_eq(j->state, VN_JOB_WAITING);
    step(e);
    e.n_bytes = 0;
    e.ok = 1;
    step(e);
    const struct vn_action *t = nth(VN_ACTION_CONTRIBUTE, 0);
    cr_assert(t && t->input_len == 8 && memcmp(t->input_data, "abcdabcd", 8) == 0);

    j = launch_as((struct vn_launch){.compute_capacity = 1, .queue = 1, .wait_for_input = 1});
    now += 50 * SECOND;
    step((struct vn_event){.kind = VN_EVENT_TICK});
    fails_with(j, "No input came for 50 seconds");
}

Test(core, a_drained_worker_ends_its_job_and_gets_no_new_one)
{
    join(1, 1);
    join(2, 1);
    const struct vn_job *j = launch(1, 0);
    step((struct vn_event){.kind = VN_EVENT_DRAIN, .worker_id = "w1", .ok = 1});
    cr_assert(j->state == VN_JOB_RUNNING && worker("w1")->job == j);
    cr_assert_str_eq(launch(1, 0)->members[0].worker_id, "w2");
    end_by_cancelling(j);
    cr_assert_null(launch(1, 0));
    const struct vn_job *queued = launch_as((struct vn_launch){.compute_capacity = 1, .queue = 1});
    cr_assert_eq(queued->state, VN_JOB_QUEUED);
    step((struct vn_event){.kind = VN_EVENT_LINK_CLOSED, .link = 1});
    step((struct vn_event){.kind = VN_EVENT_REGISTER, .link = 8, .worker_id = "w1", .units = 1});
    cr_assert_eq(queued->state, VN_JOB_QUEUED, "a worker that comes back is still drained");
    step((struct vn_event){.kind = VN_EVENT_DRAIN, .worker_id = "w1", .ok = 0});
    cr_assert_eq(queued->state, VN_JOB_RUNNING);
}

/* ---- other kinds of jobs ---- */

Test(core, a_simulated_node_does_its_part_alone)
{
    join(1, 2);
    struct vn_launch l = {.compute_capacity = 5, .simulated = 1, .simulated_node = 1};
    const struct vn_job *j = launch_as(l);
    cr_assert(j && j->n_members == 1 && j->job_units == 5 && j->members[0].n_units == 2 && j->members[0].units[0] == 1 && j->members[0].units[1] == 4);
    contribute(1, 0, SHARDS(1, 4));
    cr_assert_eq(count(VN_ACTION_PROVE), 1);
    prove(1, 0, SHARDS(1, 4));
    cr_assert(j->state == VN_JOB_COMPLETED && !j->proof);
    cr_assert_eq(count(VN_ACTION_AGGREGATE) + count(VN_ACTION_VERIFY), 0);
    nobody_is_reserved();

    l.simulated_node = 3;
    cr_assert_null(launch_as(l));
    cr_assert_eq(nth(VN_ACTION_REFUSED, 0)->status, VN_ERR_ARGUMENT);
    cr_assert_not_null(strstr(nth(VN_ACTION_REFUSED, 0)->text, "Simulated node 3 does not exist"));
    l.simulated_node = 0;
    j = launch_as(l);
    cr_assert_null(launch_as(l));
    cr_assert_eq(nth(VN_ACTION_REFUSED, 0)->status, VN_ERR_CAPACITY);
    memcpy(job_id, j->id, sizeof job_id);
    contribute(1, 0, SHARDS(3, 1));
    fails_with(j, "shard 1, which is not its own");
    join(2, 2);
    cr_assert_null(launch_as(l));
    cr_assert_str_eq(nth(VN_ACTION_REFUSED, 0)->text, "Simulated mode can only be used when there is exactly one worker connected");
}

Test(core, an_execution_ends_after_the_first_phase)
{
    join(1, 1);
    join(2, 1);
    const struct vn_job *j = launch_as((struct vn_launch){.compute_capacity = 2, .kind = VN_JOB_EXECUTE});
    contribute(1, 0, 0, NULL);
    contribute(2, 1, 0, NULL);
    cr_assert(j->state == VN_JOB_COMPLETED && j->values[2] == 500);
    cr_assert_eq(count(VN_ACTION_PROVE), 0);
    nobody_is_reserved();
}

Test(core, limits_and_failures_from_outside)
{
    join(1, 1);
    const struct vn_job *j = launch_as((struct vn_launch){.compute_capacity = 1, .limit_wall_ns = now + 3 * SECOND});
    now += 3 * SECOND;
    step((struct vn_event){.kind = VN_EVENT_TICK});
    fails_with(j, "The limit that the client set");
    j = launch(1, 0);
    step((struct vn_event){.kind = VN_EVENT_FAIL, .job_id = job_id, .failure = VN_FAILURE_INPUT, .text = "Hints cannot be read"});
    fails_with(j, "Hints cannot be read");
    cr_assert_eq(j->failure, VN_FAILURE_INPUT);
    cr_assert_str_eq(j->failed_worker, "");
    j = launch(1, 0);
    step((struct vn_event){.kind = VN_EVENT_TASK_FAILED, .link = 1, .job_id = job_id, .text = "out of memory"});
    cr_assert_str_eq(j->failed_worker, "w1");
    nobody_is_reserved();
}
