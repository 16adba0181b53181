/* The engine as an agent's child: one length-framed Request on descriptor 3, the job directory on descriptor 4; Progress events while it
 * works, then one Result or Failure, then the exit code of the failure's class. A parent that goes away ends the engine. */
#include "services/prover-engine/engine/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.pb-c.h"
#include "libshared/process.h"
#include "services/prover-engine/engine/work.h"

#define CONTROL_FD 3
#define DIR_FD 4
#define MESSAGE_BYTES_MAX (16u << 20)
#define LIST_MAX VN_MAX_SHARDS

static enum vn_status read_exactly(int fd, uint8_t *out, size_t n, struct vn_error *err)
{
    while (n) {
        ssize_t got = recv(fd, out, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return vn_fail(err, VN_ERR_PEER, "the control socket ended before the request was complete");
        out += got;
        n -= (size_t)got;
    }
    return VN_OK;
}

static int send_exactly(int fd, const uint8_t *bytes, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return -1;
        bytes += sent;
        n -= (size_t)sent;
    }
    return 0;
}

/* A parent that no longer listens has no use for the work: the process ends here, as it would by PDEATHSIG. */
static void send_event(const Venus__Engine__V1__Event *event)
{
    size_t len = venus__engine__v1__event__get_packed_size(event);
    uint8_t *frame = len <= MESSAGE_BYTES_MAX ? malloc(len + 4) : NULL;
    if (!frame) {
        fprintf(stderr, "venus-engine child: cannot build an event of %zu bytes\n", len);
        _exit(vn_status_exit_code(VN_ERR_MEMORY));
    }
    for (int k = 0; k < 4; k++)
        frame[k] = (uint8_t)(len >> (8 * k));
    venus__engine__v1__event__pack(event, frame + 4);
    int lost = send_exactly(CONTROL_FD, frame, len + 4) < 0;
    free(frame);
    if (lost)
        _exit(vn_status_exit_code(VN_ERR_PEER));
}

static void send_progress(void *ctx, const char *stage, uint32_t done, uint32_t total, uint64_t steps)
{
    (void)ctx;
    Venus__Engine__V1__Progress progress = VENUS__ENGINE__V1__PROGRESS__INIT;
    progress.stage = (char *)stage;
    progress.done = done;
    progress.total = total;
    progress.steps = steps;
    Venus__Engine__V1__Event event = VENUS__ENGINE__V1__EVENT__INIT;
    event.event_case = VENUS__ENGINE__V1__EVENT__EVENT_PROGRESS;
    event.progress = &progress;
    send_event(&event);
}

static void send_result(Venus__Engine__V1__Result *result)
{
    Venus__Engine__V1__Event event = VENUS__ENGINE__V1__EVENT__INIT;
    event.event_case = VENUS__ENGINE__V1__EVENT__EVENT_RESULT;
    event.result = result;
    send_event(&event);
}

static void send_failure(enum vn_status status, const struct vn_error *err)
{
    Venus__Engine__V1__Failure failure = VENUS__ENGINE__V1__FAILURE__INIT;
    failure.status = (uint32_t)status;
    failure.text = (char *)(err->text[0] ? err->text : vn_status_text(status));
    Venus__Engine__V1__Event event = VENUS__ENGINE__V1__EVENT__INIT;
    event.event_case = VENUS__ENGINE__V1__EVENT__EVENT_FAILURE;
    event.failure = &failure;
    send_event(&event);
}

static enum vn_status read_request(Venus__Engine__V1__Request **request, struct vn_error *err)
{
    uint8_t head[4];
    enum vn_status status = read_exactly(CONTROL_FD, head, sizeof head, err);
    if (status != VN_OK)
        return status;
    uint32_t len = (uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
    if (len > MESSAGE_BYTES_MAX)
        return vn_fail(err, VN_ERR_PEER, "the request claims %u bytes, at most %u are allowed", len, MESSAGE_BYTES_MAX);
    uint8_t *bytes = malloc(len ? len : 1);
    if (!bytes)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for a request of %u bytes", len);
    status = read_exactly(CONTROL_FD, bytes, len, err);
    if (status == VN_OK && !(*request = venus__engine__v1__request__unpack(NULL, len, bytes)))
        status = vn_fail(err, VN_ERR_PEER, "the request does not parse");
    free(bytes);
    return status;
}

/* ---- conversions; everything a peer sends is checked ---- */

static enum vn_status check_shards(const uint32_t *shards, size_t n, struct vn_error *err)
{
    if (n > LIST_MAX)
        return vn_fail(err, VN_ERR_PEER, "%zu shards asked for, at most %d exist", n, LIST_MAX);
    for (size_t i = 0; i < n; i++) {
        if (shards[i] < 1 || shards[i] > VN_MAX_SHARDS)
            return vn_fail(err, VN_ERR_PEER, "%u is not a shard number", shards[i]);
    }
    return VN_OK;
}

/* Leaves must be those of shards 1..n, each once. */
static enum vn_status leaves_from(Venus__Engine__V1__Leaf *const *in, size_t n, struct vn_digest **out, struct vn_error *err)
{
    if (n < 1 || n > LIST_MAX)
        return vn_fail(err, VN_ERR_PEER, "%zu contributions given, 1 to %d are possible", n, LIST_MAX);
    struct vn_digest *leaves = calloc(n, sizeof *leaves);
    uint8_t *seen = calloc(n, 1);
    enum vn_status status = leaves && seen ? VN_OK : vn_fail(err, VN_ERR_MEMORY, "no memory for %zu contributions", n);
    for (size_t i = 0; i < n && status == VN_OK; i++) {
        const Venus__Engine__V1__Leaf *leaf = in[i];
        if (leaf->shard < 1 || leaf->shard > n || seen[leaf->shard - 1] || leaf->n_elements != VN_DIGEST_LEN) {
            status = vn_fail(err, VN_ERR_PEER, "the contribution of shard %u is out of range, given twice or of the wrong length", leaf->shard);
            break;
        }
        seen[leaf->shard - 1] = 1;
        for (int k = 0; k < VN_DIGEST_LEN && status == VN_OK; k++) {
            if (leaf->elements[k] >= VN_P)
                status = vn_fail(err, VN_ERR_PEER, "the contribution of shard %u is not canonical", leaf->shard);
            leaves[leaf->shard - 1].c[k] = vn_fp_from(leaf->elements[k]);
        }
    }
    free(seen);
    if (status == VN_OK)
        *out = leaves;
    else
        free(leaves);
    return status;
}

static void digest_out(const struct vn_digest *d, uint32_t out[VN_DIGEST_LEN])
{
    for (int k = 0; k < VN_DIGEST_LEN; k++)
        out[k] = vn_fp_to(d->c[k]);
}

/* ---- the pieces ---- */

static enum vn_status do_setup(struct vn_work *w, struct vn_error *err)
{
    enum vn_status status = vn_work_setup(w, err);
    if (status != VN_OK)
        return status;
    (void)vn_work_native(w); /* kept for the runs to come */
    uint32_t digest[VN_DIGEST_LEN];
    digest_out(&w->setup->vk_digest, digest);
    Venus__Engine__V1__SetupResult setup = VENUS__ENGINE__V1__SETUP_RESULT__INIT;
    setup.vk_digest = digest;
    setup.n_vk_digest = VN_DIGEST_LEN;
    Venus__Engine__V1__Result result = VENUS__ENGINE__V1__RESULT__INIT;
    result.result_case = VENUS__ENGINE__V1__RESULT__RESULT_SETUP;
    result.setup = &setup;
    send_result(&result);
    return VN_OK;
}

static enum vn_status do_execute(struct vn_work *w, const Venus__Engine__V1__Execute *in, struct vn_error *err)
{
    if (in->job_units < 1 || in->job_units > (1u << 20))
        return vn_fail(err, VN_ERR_PEER, "a job has 1 to 2^20 compute units, not %u", in->job_units);
    if (in->shard_log2 && (in->shard_log2 < VN_MIN_SHARD_LOG2 || in->shard_log2 > VN_MAX_SHARD_LOG2))
        return vn_fail(err, VN_ERR_ARGUMENT, "shards have 2^%d to 2^%d instructions, not 2^%u", VN_MIN_SHARD_LOG2, VN_MAX_SHARD_LOG2, in->shard_log2);
    uint8_t *units = calloc(in->job_units, 1);
    if (!units)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    enum vn_status status = VN_OK;
    for (size_t i = 0; i < in->n_units && status == VN_OK; i++) {
        if (in->units[i] >= in->job_units)
            status = vn_fail(err, VN_ERR_PEER, "unit %u is not below the job's %u units", in->units[i], in->job_units);
        else
            units[in->units[i]] = 1;
    }
    struct vn_work_execute e = {.shard_log2 = in->shard_log2, .max_steps = in->max_steps, .job_units = in->job_units, .units = units};
    struct vn_exec_result r = {0};
    uint64_t start = vn_clock_monotonic_ns();
    if (status == VN_OK)
        status = vn_work_setup(w, err);
    if (status == VN_OK)
        status = vn_work_execute(w, DIR_FD, &e, &r, err);
    uint32_t n = r.n_exec + r.n_mem, n_owned = 0;
    uint32_t *owned = calloc(n ? n : 1, sizeof *owned);
    if (status == VN_OK && !owned)
        status = vn_fail(err, VN_ERR_MEMORY, "out of memory");
    if (status == VN_OK) {
        for (uint32_t i = 1; i <= n; i++) {
            if (units[i % in->job_units])
                owned[n_owned++] = i;
        }
        uint32_t digest[VN_DIGEST_LEN];
        digest_out(&w->setup->vk_digest, digest);
        Venus__Engine__V1__ExecuteResult execute = VENUS__ENGINE__V1__EXECUTE_RESULT__INIT;
        execute.steps = r.steps;
        execute.n_exec = r.n_exec;
        execute.n_mem = r.n_mem;
        execute.output.data = r.output;
        execute.output.len = sizeof r.output;
        execute.owned_shards = owned;
        execute.n_owned_shards = n_owned;
        execute.vk_digest = digest;
        execute.n_vk_digest = VN_DIGEST_LEN;
        execute.seconds = (double)(vn_clock_monotonic_ns() - start) / 1e9;
        Venus__Engine__V1__Result result = VENUS__ENGINE__V1__RESULT__INIT;
        result.result_case = VENUS__ENGINE__V1__RESULT__RESULT_EXECUTE;
        result.execute = &execute;
        send_result(&result);
    }
    free(owned);
    free(units);
    return status;
}

static enum vn_status do_contribute(struct vn_work *w, const Venus__Engine__V1__Contribute *in, struct vn_error *err)
{
    size_t n = in->n_shards;
    enum vn_status status = check_shards(in->shards, n, err);
    if (status != VN_OK)
        return status;
    struct vn_digest *leaves = calloc(n + 1, sizeof *leaves);
    uint32_t *elements = calloc(n + 1, VN_DIGEST_LEN * sizeof *elements);
    Venus__Engine__V1__Leaf *messages = calloc(n + 1, sizeof *messages);
    Venus__Engine__V1__Leaf **pointers = calloc(n + 1, sizeof *pointers);
    if (!leaves || !elements || !messages || !pointers)
        status = vn_fail(err, VN_ERR_MEMORY, "out of memory");
    if (status == VN_OK)
        status = vn_work_contribute(w, DIR_FD, in->shards, n, leaves, err);
    if (status == VN_OK) {
        for (size_t i = 0; i < n; i++) {
            venus__engine__v1__leaf__init(&messages[i]);
            messages[i].shard = in->shards[i];
            messages[i].elements = elements + i * VN_DIGEST_LEN;
            messages[i].n_elements = VN_DIGEST_LEN;
            digest_out(&leaves[i], messages[i].elements);
            pointers[i] = &messages[i];
        }
        Venus__Engine__V1__ContributeResult contribute = VENUS__ENGINE__V1__CONTRIBUTE_RESULT__INIT;
        contribute.leaves = pointers;
        contribute.n_leaves = n;
        Venus__Engine__V1__Result result = VENUS__ENGINE__V1__RESULT__INIT;
        result.result_case = VENUS__ENGINE__V1__RESULT__RESULT_CONTRIBUTE;
        result.contribute = &contribute;
        send_result(&result);
    }
    free(pointers);
    free(messages);
    free(elements);
    free(leaves);
    return status;
}

static enum vn_status do_prove(struct vn_work *w, const Venus__Engine__V1__Prove *in, struct vn_error *err)
{
    size_t n = in->n_shards;
    struct vn_digest *leaves = NULL;
    enum vn_status status = check_shards(in->shards, n, err);
    if (status == VN_OK)
        status = leaves_from(in->leaves, in->n_leaves, &leaves, err);
    uint64_t *bytes = calloc(n + 1, sizeof *bytes);
    if (status == VN_OK && !bytes)
        status = vn_fail(err, VN_ERR_MEMORY, "out of memory");
    if (status == VN_OK)
        status = vn_work_prove(w, DIR_FD, in->shards, n, leaves, in->n_leaves, err);
    for (size_t i = 0; i < n && status == VN_OK; i++) {
        char name[32];
        struct stat st;
        snprintf(name, sizeof name, "proof-%u.bin", in->shards[i]);
        if (fstatat(DIR_FD, name, &st, 0) < 0)
            status = vn_fail(err, VN_ERR_IO, "cannot look at %s: %s", name, strerror(errno));
        else
            bytes[i] = (uint64_t)st.st_size;
    }
    if (status == VN_OK) {
        Venus__Engine__V1__ProveResult prove = VENUS__ENGINE__V1__PROVE_RESULT__INIT;
        prove.shards = in->shards;
        prove.n_shards = n;
        prove.bytes = bytes;
        prove.n_bytes = n;
        Venus__Engine__V1__Result result = VENUS__ENGINE__V1__RESULT__INIT;
        result.result_case = VENUS__ENGINE__V1__RESULT__RESULT_PROVE;
        result.prove = &prove;
        send_result(&result);
    }
    free(bytes);
    free(leaves);
    return status;
}

static enum vn_status do_aggregate(struct vn_work *w, const Venus__Engine__V1__Aggregate *in, struct vn_error *err)
{
    struct vn_digest *leaves = NULL;
    Venus__Engine__V1__AggregateResult aggregate = VENUS__ENGINE__V1__AGGREGATE_RESULT__INIT;
    enum vn_status status = leaves_from(in->leaves, in->n_leaves, &leaves, err);
    if (status == VN_OK)
        status = vn_work_aggregate(w, DIR_FD, leaves, in->n_leaves, &aggregate.bytes, err);
    if (status == VN_OK) {
        Venus__Engine__V1__Result result = VENUS__ENGINE__V1__RESULT__INIT;
        result.result_case = VENUS__ENGINE__V1__RESULT__RESULT_AGGREGATE;
        result.aggregate = &aggregate;
        send_result(&result);
    }
    free(leaves);
    return status;
}

static enum vn_status do_verify(const Venus__Engine__V1__Verify *in, const struct vn_vk *expected, struct vn_error *err)
{
    uint8_t *proof = NULL;
    size_t len = 0;
    struct vn_statement s;
    enum vn_status status = vn_file_read(DIR_FD, in->path, 4ull << 30, &proof, &len, err);
    if (status == VN_OK)
        status = vn_verify_bundle(proof, len, expected, &s, err);
    free(proof);
    if (status != VN_OK)
        return status;
    struct vn_digest d = vn_vk_digest(&s.vk);
    uint32_t digest[VN_DIGEST_LEN];
    digest_out(&d, digest);
    Venus__Engine__V1__VerifyResult verify = VENUS__ENGINE__V1__VERIFY_RESULT__INIT;
    verify.valid = 1;
    verify.steps = s.steps;
    verify.output.data = s.output;
    verify.output.len = sizeof s.output;
    verify.vk_digest = digest;
    verify.n_vk_digest = VN_DIGEST_LEN;
    Venus__Engine__V1__Result result = VENUS__ENGINE__V1__RESULT__INIT;
    result.result_case = VENUS__ENGINE__V1__RESULT__RESULT_VERIFY;
    result.verify = &verify;
    send_result(&result);
    return VN_OK;
}

static enum vn_status serve(const Venus__Engine__V1__Request *request, struct vn_error *err)
{
    const Venus__Engine__V1__Common *common = request->common;
    if (!common || !common->elf_path[0])
        return vn_fail(err, VN_ERR_PEER, "the request names no ELF file");
    if (common->threads > 1024)
        return vn_fail(err, VN_ERR_PEER, "%u threads asked for, at most 1024 are allowed", common->threads);
    if (common->preallocate_percent > 100)
        return vn_fail(err, VN_ERR_PEER, "%u percent of the GPU's memory asked for", common->preallocate_percent);
    int proves = request->work_case != VENUS__ENGINE__V1__REQUEST__WORK_SETUP && request->work_case != VENUS__ENGINE__V1__REQUEST__WORK_VERIFY;
    struct vn_work w;
    struct vn_work_options o = {
        .elf_path = common->elf_path,
        .cache_dir = common->cache_dir[0] ? common->cache_dir : NULL,
        .shared_dir = proves && common->shared_dir[0] ? common->shared_dir : NULL,
        .threads = common->threads,
        .backend = common->backend[0] ? common->backend : NULL,
        .preallocate_percent = common->preallocate_percent,
        .verify_constraints = common->verify_constraints,
        .minimal_memory = common->minimal_memory,
        .native = common->native,
        .native_dir = common->native_dir[0] ? common->native_dir : NULL,
        .lock_native = common->lock_native,
        .progress = send_progress,
    };
    enum vn_status status = vn_work_open(&w, &o, err);
    if (status != VN_OK)
        return status;
    switch (request->work_case) {
    case VENUS__ENGINE__V1__REQUEST__WORK_SETUP:
        status = do_setup(&w, err);
        break;
    case VENUS__ENGINE__V1__REQUEST__WORK_EXECUTE:
        status = do_execute(&w, request->execute, err);
        break;
    case VENUS__ENGINE__V1__REQUEST__WORK_CONTRIBUTE:
        status = do_contribute(&w, request->contribute, err);
        break;
    case VENUS__ENGINE__V1__REQUEST__WORK_PROVE:
        status = do_prove(&w, request->prove, err);
        break;
    case VENUS__ENGINE__V1__REQUEST__WORK_AGGREGATE:
        status = do_aggregate(&w, request->aggregate, err);
        break;
    case VENUS__ENGINE__V1__REQUEST__WORK_VERIFY:
        status = vn_work_setup(&w, err);
        if (status == VN_OK)
            status = do_verify(request->verify, &w.setup->vk, err);
        break;
    default:
        status = vn_fail(err, VN_ERR_PEER, "the request asks for no known work");
    }
    vn_work_close(&w);
    return status;
}

int vn_command_child(int argc, char **argv)
{
    (void)argv;
    struct vn_error err = {0};
    int type = 0;
    socklen_t len = sizeof type;
    struct stat st;
    if (argc > 1 || getsockopt(CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM || fstat(DIR_FD, &st) < 0 || !S_ISDIR(st.st_mode)) {
        fprintf(stderr, "venus-engine child: takes no arguments and is started by zisk-worker, with a stream socket as descriptor 3 and the job "
                        "directory as descriptor 4\n");
        return vn_status_exit_code(VN_ERR_ARGUMENT);
    }
    vn_process_die_with_parent(getppid());
    fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
    fcntl(DIR_FD, F_SETFD, FD_CLOEXEC);
    Venus__Engine__V1__Request *request = NULL;
    enum vn_status status = read_request(&request, &err);
    if (status == VN_OK)
        status = serve(request, &err);
    if (request)
        venus__engine__v1__request__free_unpacked(request, NULL);
    if (status != VN_OK) {
        fprintf(stderr, "venus-engine child: %s\n", err.text);
        send_failure(status, &err);
    }
    return vn_status_exit_code(status);
}
