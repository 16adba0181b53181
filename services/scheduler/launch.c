/* LaunchProof: what the request itself says is checked here, what depends on the workers in the core. The core answers within the same step, so the
 * request and its input are borrowed for that long and the asker is found through the launch in progress. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/log.h"
#include "services/scheduler/hints.h"
#include "services/scheduler/launch.h"
#include "services/scheduler/programs.h"
#include "services/scheduler/report.h"

typedef Zisk__Distributed__Api__V1__LaunchProofRequest launch_request;

/* The launch whose step is running; the core's answer comes before vn_scheduler_step returns. */
static struct {
    const struct vn_launch_asker *who;
    int dispatched;            /* its job has started */
} current;

static enum vn_status read_all(int fd, uint8_t **data, size_t *len, const char *path, size_t max, const char *what, struct vn_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return vn_fail(err, VN_ERR_ARGUMENT, "%s file %.300s is not a regular file", what, path);
    if ((uint64_t)st.st_size > max)
        return vn_fail(err, VN_ERR_LIMIT, "%s file %.300s has %lld bytes, at most %zu can be sent", what, path, (long long)st.st_size, max);
    size_t want = (size_t)st.st_size, have = 0;
    uint8_t *bytes = malloc(want + 1);
    if (!bytes)
        return vn_fail(err, VN_ERR_MEMORY, "No memory for the file");
    while (have < want) {
        ssize_t n = read(fd, bytes + have, want - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(bytes);
            return vn_fail(err, VN_ERR_IO, "%s file %.300s cannot be read", what, path);
        }
        have += (size_t)n;
    }
    *data = bytes;
    *len = want;
    return VN_OK;
}

enum vn_status vn_read_file(const char *path, size_t max, const char *what, uint8_t **data, size_t *len, struct vn_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return vn_fail(err, errno == ENOENT ? VN_ERR_NOT_FOUND : VN_ERR_IO, "%s file not found: %.300s: %s", what, path, strerror(errno));
    enum vn_status s = read_all(fd, data, len, path, max, what, err);
    close(fd);
    return s;
}

static enum vn_status check_modes(const launch_request *q, struct vn_error *err)
{
    int has_inputs = q->inputs_uri_presence_case == ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INPUTS_URI_PRESENCE_INPUTS_URI;
    int has_data = q->inputs_data_presence_case == ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INPUTS_DATA_PRESENCE_INPUTS_DATA;
    int has_hints = q->hints_uri_presence_case == ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__HINTS_URI_PRESENCE_HINTS_URI;
    if (q->inputs_mode == ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_PATH && !has_inputs)
        return vn_fail(err, VN_ERR_ARGUMENT, "Invalid request: Input mode is Uri but inputs_uri is missing");
    if (q->inputs_mode == ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_DATA && !has_inputs && !has_data)
        return vn_fail(err, VN_ERR_ARGUMENT, "Invalid request: Input mode is Data but inputs_uri is missing");
    if (q->hints_mode == ZISK__DISTRIBUTED__API__V1__HINTS_MODE__HINTS_MODE_PATH && !has_hints)
        return vn_fail(err, VN_ERR_ARGUMENT, "Invalid request: Hints mode is Uri but hints_uri is missing");
    if (q->hints_mode == ZISK__DISTRIBUTED__API__V1__HINTS_MODE__HINTS_MODE_STREAM && !has_hints)
        return vn_fail(err, VN_ERR_ARGUMENT, "Invalid request: Hints mode is Stream but hints_uri is missing");
    if (strlen(q->data_id) > VN_MAX_DATA_ID)
        return vn_fail(err, VN_ERR_ARGUMENT, "Invalid request: data_id is longer than %u bytes", VN_MAX_DATA_ID);
    if (has_inputs && strlen(q->inputs_uri) > VN_MAX_PATH)
        return vn_fail(err, VN_ERR_ARGUMENT, "Invalid request: inputs_uri is longer than %u bytes", VN_MAX_PATH);
    if (has_hints && strlen(q->hints_uri) > VN_MAX_PATH)
        return vn_fail(err, VN_ERR_ARGUMENT, "Invalid request: hints_uri is longer than %u bytes", VN_MAX_PATH);
    if (has_data && q->inputs_data.len > VN_MAX_JOB_INPUT)
        return vn_fail(err, VN_ERR_LIMIT, "The input has %zu bytes, at most %u can be sent inline", q->inputs_data.len, VN_MAX_JOB_INPUT);
    return q->hints_mode == ZISK__DISTRIBUTED__API__V1__HINTS_MODE__HINTS_MODE_STREAM ? vn_hints_check_uri(q->hints_uri, err) : VN_OK;
}

void vn_launch_run(struct vn_scheduler *s, const struct vn_launch_asker *asker, struct vn_launch *l, enum vn_status checked, const char *text)
{
    uint64_t started = vn_clock_monotonic_ns();
    char id[37];
    if (checked == VN_OK && s->stopping) {
        checked = VN_ERR_BUSY;
        text = "The coordinator is stopping";
    }
    if (checked != VN_OK) {
        vn_peer_error(s, asker->peer, asker->correlation, checked, "%s", text);
        vn_report_refused(s, checked);
        return;
    }
    vn_uuid(id, 1);
    l->job_id = id;
    current.who = asker;
    current.dispatched = 0;
    vn_scheduler_step(s, &(struct vn_event){.kind = VN_EVENT_LAUNCH, .launch = l});
    current.who = NULL;
    if (current.dispatched)
        vn_report_dispatch(s, vn_clock_monotonic_ns() - started);
}

static enum vn_status take_input(struct vn_launch *l, const launch_request *q, uint8_t **file, struct vn_error *err)
{
    static const uint8_t nothing;
    if (q->inputs_mode == ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_PATH)
        l->input_path = q->inputs_uri;
    if (q->inputs_mode != ZISK__DISTRIBUTED__API__V1__INPUT_MODE__INPUT_MODE_DATA)
        return VN_OK;
    if (q->inputs_data_presence_case == ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__INPUTS_DATA_PRESENCE_INPUTS_DATA) {
        l->input_data = q->inputs_data.len ? q->inputs_data.data : &nothing;
        l->input_len = q->inputs_data.len;
        return VN_OK;
    }
    enum vn_status st = vn_read_file(q->inputs_uri, VN_MAX_JOB_INPUT, "Input", file, &l->input_len, err);
    l->input_data = *file;
    return st;
}

static void launch(struct vn_scheduler *s, const launch_request *q, const struct vn_launch_asker *asker)
{
    struct vn_error err = {0};
    struct vn_launch l = {.data_id = q->data_id, .compute_capacity = q->compute_capacity, .minimal_compute_capacity = q->minimal_compute_capacity,
                          .queue = q->queue, .priority = q->priority, .hash_id = q->hash_id};
    l.simulated = q->simulated_node_presence_case == ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_REQUEST__SIMULATED_NODE_PRESENCE_SIMULATED_NODE;
    l.simulated_node = l.simulated ? q->simulated_node : 0;
    l.hints_stream = q->hints_mode == ZISK__DISTRIBUTED__API__V1__HINTS_MODE__HINTS_MODE_STREAM;
    if (l.hints_stream || q->hints_mode == ZISK__DISTRIBUTED__API__V1__HINTS_MODE__HINTS_MODE_PATH)
        l.hints_path = q->hints_uri;
    uint8_t *file = NULL;
    enum vn_status st = check_modes(q, &err);
    if (st == VN_OK)
        st = vn_program_check(s, q->hash_id, &err);
    if (st == VN_OK)
        st = take_input(&l, q, &file, &err);
    vn_launch_run(s, asker, &l, st, err.text);
    free(file);
}

void vn_launch_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    launch_request *q = zisk__distributed__api__v1__launch_proof_request__unpack(NULL, m->body_len, m->body);
    if (!q) {
        vn_peer_error(s, p, m->correlation, VN_ERR_FORMAT, "The request does not parse");
        return;
    }
    launch(s, q, &(struct vn_launch_asker){.peer = p, .correlation = m->correlation});
    zisk__distributed__api__v1__launch_proof_request__free_unpacked(q, NULL);
}

/* Before the actions that start the job, so that its hints are there. */
static void expect_hints(struct vn_scheduler *s, const struct vn_job *j)
{
    const struct vn_launch_asker *w = current.who;
    if (w->client_hints && vn_hints_expect(s, j, w->hints, w->n_hints) != VN_OK)
        s->fatal = VN_ERR_MEMORY;
}

void vn_launch_action(struct vn_scheduler *s, const struct vn_action *a)
{
    const struct vn_launch_asker *w = current.who;
    const struct vn_job *j = a->job;
    if (a->kind == VN_ACTION_REFUSED) {
        VN_LOG(VN_LOG_INFO, "launch.refused", "why=\"%s\"", a->text);
        vn_peer_error(s, w->peer, w->correlation, a->status, "%s", a->text);
        vn_report_refused(s, a->status);
        return;
    }
    current.dispatched = j->state == VN_JOB_RUNNING;
    if (current.dispatched)
        VN_LOG(VN_LOG_INFO, "job.launched", "job=%s data_id=\"%s\" workers=%u units=%u", j->id, j->data_id, j->n_members, j->job_units);
    else
        VN_LOG(VN_LOG_INFO, "job.queued", "job=%s data_id=\"%s\" units=%u priority=%u", j->id, j->data_id, j->wanted, j->priority);
    expect_hints(s, j);
    Zisk__Distributed__Api__V1__LaunchProofResponse older = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_RESPONSE__INIT;
    Zisk__Coordinator__V1__JobResponse newer = ZISK__COORDINATOR__V1__JOB_RESPONSE__INIT;
    older.result_case = ZISK__DISTRIBUTED__API__V1__LAUNCH_PROOF_RESPONSE__RESULT_JOB_ID;
    older.job_id = newer.job_id = (char *)(uintptr_t)j->id;
    vn_peer_send(s, w->peer, VN_KIND_REPLY, w->correlation, w->newer_api ? &newer.base : &older.base);
}
