/* A request to the engine as an agent sends it: the protocol of `venus-engine child` with the work itself left out. Whatever the request, the engine
 * answers with exactly one Result or Failure as its last word, and its exit code says the same.
 * First byte: how many bytes are missing at the end of the frame (0: none). The rest is the Request. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

/* child.c talks to descriptor 3 of a process of its own, and says on standard error what it answers. */
static ssize_t fake_recv(int fd, void *out, size_t n, int flags);
static ssize_t fake_send(int fd, const void *bytes, size_t n, int flags);
static int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
static int say_nothing(FILE *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define recv fake_recv
#define send fake_send
#define getsockopt fake_getsockopt
#define fprintf say_nothing
#include "services/prover-engine/engine/child.c"
#undef recv
#undef send
#undef getsockopt
#undef fprintf

#include "tests/fuzz/fuzz.h"

static struct {
    const uint8_t *at, *end; /* what the agent sent */
    uint8_t *answers;
    size_t n_answers;
} wire;

static ssize_t fake_recv(int fd, void *out, size_t n, int flags)
{
    (void)flags;
    must(fd == CONTROL_FD);
    size_t left = (size_t)(wire.end - wire.at);
    n = n < left ? n : left;
    if (n)
        memcpy(out, wire.at, n);
    wire.at += n;
    return (ssize_t)n;
}

static ssize_t fake_send(int fd, const void *bytes, size_t n, int flags)
{
    (void)flags;
    must(fd == CONTROL_FD);
    wire.answers = realloc(wire.answers, wire.n_answers + n + 1);
    must(wire.answers);
    memcpy(wire.answers + wire.n_answers, bytes, n);
    wire.n_answers += n;
    return (ssize_t)n;
}

static int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    (void)fd, (void)level, (void)name, (void)len;
    const int type = SOCK_STREAM;
    memcpy(value, &type, sizeof type);
    return 0;
}

static int say_nothing(FILE *f, const char *format, ...)
{
    (void)f, (void)format;
    return 0;
}

/* ---- the work, done at once ---- */

static struct vn_setup setup;

void __wrap_vn_process_die_with_parent(pid_t parent);
void __wrap_vn_process_die_with_parent(pid_t parent) { (void)parent; }

enum vn_status vn_work_open(struct vn_work *w, const struct vn_work_options *o, struct vn_error *err)
{
    (void)err;
    must(o->elf_path && o->elf_path[0] && o->threads <= 1024 && o->preallocate_percent <= 100);
    *w = (struct vn_work){.options = *o};
    return VN_OK;
}

void vn_work_close(struct vn_work *w) { (void)w; }

struct vn_native *vn_work_native(struct vn_work *w)
{
    (void)w;
    return NULL;
}

enum vn_status vn_work_setup(struct vn_work *w, struct vn_error *err)
{
    (void)err;
    w->setup = &setup;
    return VN_OK;
}

static void check_numbers(const uint32_t *shards, size_t n)
{
    must(n <= VN_MAX_SHARDS);
    for (size_t i = 0; i < n; i++)
        must(shards[i] >= 1 && shards[i] <= VN_MAX_SHARDS);
}

static void check_leaves(const struct vn_digest *leaves, size_t n)
{
    must(n >= 1 && n <= VN_MAX_SHARDS);
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < VN_DIGEST_LEN; k++)
            must(leaves[i].c[k] < VN_P);
}

enum vn_status vn_work_execute(struct vn_work *w, int dirfd, const struct vn_work_execute *e, struct vn_exec_result *result, struct vn_error *err)
{
    (void)w, (void)dirfd;
    must(e->job_units >= 1 && (!e->shard_log2 || (e->shard_log2 >= VN_MIN_SHARD_LOG2 && e->shard_log2 <= VN_MAX_SHARD_LOG2)));
    for (uint32_t i = 0; i < e->job_units; i++)
        must(e->units[i] <= 1);
    *result = (struct vn_exec_result){.steps = 9, .n_exec = 2, .n_mem = 1};
    return e->max_steps == 1 ? vn_fail(err, VN_ERR_GUEST, "passed the step limit") : VN_OK;
}

enum vn_status vn_work_contribute(struct vn_work *w, int dirfd, const uint32_t *shards, size_t n, struct vn_digest *leaves, struct vn_error *err)
{
    (void)w, (void)dirfd, (void)err;
    check_numbers(shards, n);
    memset(leaves, 0, n * sizeof *leaves);
    return VN_OK;
}

enum vn_status vn_work_prove(struct vn_work *w, int dirfd, const uint32_t *shards, size_t n, const struct vn_digest *leaves, size_t n_leaves,
                             struct vn_error *err)
{
    (void)w, (void)dirfd, (void)err;
    check_numbers(shards, n);
    check_leaves(leaves, n_leaves);
    return VN_OK;
}

enum vn_status vn_work_aggregate(struct vn_work *w, int dirfd, const struct vn_digest *leaves, size_t n_leaves, uint64_t *bytes, struct vn_error *err)
{
    (void)w, (void)dirfd, (void)err;
    check_leaves(leaves, n_leaves);
    *bytes = 77;
    return VN_OK;
}

enum vn_status vn_file_read(int dirfd, const char *path, uint64_t max_bytes, uint8_t **out, size_t *len, struct vn_error *err)
{
    (void)dirfd, (void)max_bytes;
    if (strcmp(path, "final.bin") != 0)
        return vn_fail(err, VN_ERR_NOT_FOUND, "cannot open %s", path);
    *len = 1;
    must((*out = calloc(1, 1)) != NULL);
    return VN_OK;
}

enum vn_status vn_verify_bundle(const uint8_t *proof, size_t len, const struct vn_vk *expected, struct vn_statement *out, struct vn_error *err)
{
    (void)proof, (void)len, (void)err;
    *out = (struct vn_statement){.vk = *expected};
    return VN_OK;
}

/* ---- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    int dir;
    fuzz_directory(&dir);
    must(dir == DIR_FD || dup2(dir, DIR_FD) == DIR_FD);
    for (int i = 1; i <= 2; i++) { /* what Prove leaves behind */
        char name[16];
        snprintf(name, sizeof name, "proof-%d.bin", i);
        int fd = openat(DIR_FD, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        must(fd >= 0 && write(fd, name, 5) == 5 && close(fd) == 0);
    }
    return 0;
}

/* Frames of whole events, progress before the last one. */
static void check_answers(int code)
{
    size_t at = 0;
    int ended = 0;
    while (at < wire.n_answers) {
        must(!ended && wire.n_answers - at >= 4);
        uint32_t len;
        memcpy(&len, wire.answers + at, 4);
        at += 4;
        must(len <= wire.n_answers - at);
        Venus__Engine__V1__Event *e = venus__engine__v1__event__unpack(NULL, len, wire.answers + at);
        must(e && e->event_case != VENUS__ENGINE__V1__EVENT__EVENT__NOT_SET);
        if (e->event_case == VENUS__ENGINE__V1__EVENT__EVENT_RESULT)
            must(code == 0);
        if (e->event_case == VENUS__ENGINE__V1__EVENT__EVENT_FAILURE)
            must(e->failure->text[0] && code != 0 && code == vn_status_exit_code((enum vn_status)e->failure->status));
        ended = e->event_case != VENUS__ENGINE__V1__EVENT__EVENT_PROGRESS;
        venus__engine__v1__event__free_unpacked(e, NULL);
        at += len;
    }
    must(ended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t len = size - 1, missing = data[0] < len ? data[0] : len;
    uint8_t *frame = malloc(len + 4);
    char name[] = "child", *argv[] = {name, NULL};
    must(frame);
    for (unsigned i = 0; i < 4; i++)
        frame[i] = (uint8_t)(len >> 8 * i);
    memcpy(frame + 4, data + 1, len);
    wire.at = frame;
    wire.end = frame + 4 + len - missing;
    wire.n_answers = 0;
    check_answers(vn_command_child(1, argv));
    free(frame);
    free(wire.answers);
    wire.answers = NULL;
    return 0;
}
