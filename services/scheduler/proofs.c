/* A final proof is written to a temporary file and handed to `venus-engine verify` in a process of its own, which states on its standard output what
 * the proof proves. Only when the core has found that this is what the workers reported is the file synced and renamed to its name. With
 * --no-save-proofs the temporary file lies in the system's temporary directory and is removed instead. */
#define _GNU_SOURCE /* pipe2 */
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/file.h"
#include "libshared/log.h"
#include "services/scheduler/programs.h"
#include "services/scheduler/report.h"
#include "services/scheduler/scheduler.h"

#define TEMPORARY_PREFIX ".checking-"
enum { MAX_REPORT = 32768 }; /* what a pipe holds is enough for any report, and the child never waits for us */

/* ---- files ---- */

static enum vn_status make_directories(const char *path, struct vn_error *err)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return vn_fail(err, VN_ERR_LIMIT, "the proofs directory's name is too long");
    for (char *p = part + 1;; p++) {
        char c = *p;
        if (c != '/' && c != 0)
            continue;
        *p = 0;
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return vn_fail(err, VN_ERR_IO, "cannot create the proofs directory %.300s: %s", part, strerror(errno));
        if (c == 0)
            return VN_OK;
        *p = c;
    }
}

enum vn_status vn_proofs_prepare(struct vn_scheduler *s, struct vn_error *err)
{
    if (s->config.no_save_proofs)
        return VN_OK;
    enum vn_status st = make_directories(s->config.proofs_dir, err);
    if (st != VN_OK)
        return st;
    DIR *d = opendir(s->config.proofs_dir);
    if (!d)
        return vn_fail(err, VN_ERR_IO, "cannot open the proofs directory %.300s: %s", s->config.proofs_dir, strerror(errno));
    for (struct dirent *e; (e = readdir(d));) /* left by a scheduler that was killed */
        if (strncmp(e->d_name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) == 0)
            unlinkat(dirfd(d), e->d_name, 0);
    int usable = faccessat(dirfd(d), ".", W_OK | X_OK, 0);
    closedir(d);
    return usable == 0 ? VN_OK : vn_fail(err, VN_ERR_IO, "the proofs directory %.300s is not writable", s->config.proofs_dir);
}

static int write_temporary(struct vn_scheduler *s, struct vn_check *c, const struct vn_job *j)
{
    const char *dir = s->config.proofs_dir;
    if (s->config.no_save_proofs)
        dir = getenv("TMPDIR") && *getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    if (snprintf(c->path, sizeof c->path, "%s/" TEMPORARY_PREFIX "%s", dir, j->id) >= (int)sizeof c->path) {
        c->path[0] = 0;
        snprintf(c->text, sizeof c->text, "the name of the temporary file is too long");
        return 0;
    }
    int fd = open(c->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int ok = fd >= 0 && vn_write_all(fd, j->proof, j->proof_len) && fsync(fd) == 0;
    if (!ok)
        snprintf(c->text, sizeof c->text, "cannot write %.300s: %s", c->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

/* ---- the report ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_hex(const cJSON *item, uint8_t *out, size_t n)
{
    if (!cJSON_IsString(item) || strlen(item->valuestring) != 2 * n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(item->valuestring[2 * i]), low = hex_digit(item->valuestring[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 1;
}

int vn_proofs_read_report(const char *text, uint64_t *steps, uint8_t *outputs, uint32_t *key, char *reason, size_t reason_len)
{
    snprintf(reason, reason_len, "the verifier's report cannot be read");
    cJSON *root = cJSON_Parse(text);
    const cJSON *valid = cJSON_GetObjectItemCaseSensitive(root, "valid");
    const cJSON *count = cJSON_GetObjectItemCaseSensitive(root, "steps");
    const cJSON *why = cJSON_GetObjectItemCaseSensitive(root, "reason");
    uint8_t digest[4 * VN_LEAF_WORDS];
    int ok = 0;
    if (cJSON_IsTrue(valid)) {
        ok = cJSON_IsNumber(count) && count->valuedouble >= 0 && count->valuedouble < 9007199254740992.0 &&
             read_hex(cJSON_GetObjectItemCaseSensitive(root, "public_outputs"), outputs, 4 * VN_PUBLIC_WORDS) &&
             read_hex(cJSON_GetObjectItemCaseSensitive(root, "vk"), digest, sizeof digest);
    } else if (cJSON_IsFalse(valid)) {
        snprintf(reason, reason_len, "%.400s", cJSON_IsString(why) ? why->valuestring : "the proof is not valid");
    }
    if (ok) {
        *steps = (uint64_t)count->valuedouble;
        for (unsigned i = 0; i < VN_LEAF_WORDS; i++)
            key[i] = (uint32_t)digest[4 * i] << 24 | (uint32_t)digest[4 * i + 1] << 16 | (uint32_t)digest[4 * i + 2] << 8 | digest[4 * i + 3];
    }
    cJSON_Delete(root);
    return ok;
}

/* ---- checks ---- */

static struct vn_check *find(struct vn_scheduler *s, const struct vn_job *j)
{
    for (struct vn_check *c = s->checks; c; c = c->next)
        if (strcmp(c->job_id, j->id) == 0)
            return c;
    return NULL;
}

static void remove_check(struct vn_scheduler *s, struct vn_check *c)
{
    struct vn_check **at = &s->checks;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    if (c->child.pidfd >= 0) {
        zmq_pollitem_t item = {.fd = c->child.pidfd, .events = ZMQ_POLLIN};
        zloop_poller_end(s->loop, &item);
        int code;
        vn_report_verifier(s, VN_VERIFIER_CANCELLED);
        if (vn_child_signal(&c->child, SIGKILL) == VN_OK && vn_child_reap(&c->child, &code) != VN_OK)
            VN_LOG(VN_LOG_WARN, "verifier.not-reaped", "job=%s", c->job_id);
    }
    if (c->output >= 0)
        close(c->output);
    if (c->path[0] && unlink(c->path) != 0 && errno != ENOENT)
        VN_LOG(VN_LOG_WARN, "proof.left-behind", "path=\"%s\" why=\"%s\"", c->path, strerror(errno));
    free(c);
}

static void report(struct vn_scheduler *s, struct vn_check *c, int code)
{
    static char text[MAX_REPORT];
    ssize_t n = read(c->output, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    uint8_t outputs[4 * VN_PUBLIC_WORDS];
    uint32_t key[VN_LEAF_WORDS];
    char reason[512], id[37]; /* the step may end the check */
    memcpy(id, c->job_id, sizeof id);
    struct vn_event e = {.kind = VN_EVENT_VERIFIED, .job_id = id, .text = reason, .outputs = outputs, .key = key};
    e.ok = vn_proofs_read_report(text, &e.steps, outputs, key, reason, sizeof reason);
    if (e.ok && code != 0) {
        e.ok = 0;
        snprintf(reason, sizeof reason, "the verifier ended with code %d", code);
    }
    VN_LOG(e.ok ? VN_LOG_INFO : VN_LOG_ERROR, e.ok ? "proof.verified" : "proof.rejected", "job=%s code=%d%s%.400s%s", c->job_id, code, e.ok ? "" : " why=\"",
           e.ok ? "" : reason, e.ok ? "" : "\"");
    vn_report_verifier(s, e.ok ? VN_VERIFIER_OK : code < 0 || code >= 128 ? VN_VERIFIER_CRASHED : VN_VERIFIER_FAILED);
    vn_scheduler_step(s, &e);
}

static int on_child(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct vn_check *c = arg;
    struct vn_scheduler *s = c->scheduler;
    zmq_pollitem_t gone = *item;
    zloop_poller_end(loop, &gone);
    int code = -1;
    if (vn_child_reap(&c->child, &code) != VN_OK) {
        close(c->child.pidfd);
        c->child.pidfd = -1;
    }
    report(s, c, code);
    vn_scheduler_settle(s);
    return s->fatal != VN_OK ? -1 : 0;
}

static int start(struct vn_scheduler *s, struct vn_check *c)
{
    int pipe_ends[2];
    struct vn_error err;
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) {
        snprintf(c->text, sizeof c->text, "no pipe for the verifier: %s", strerror(errno));
        return 0;
    }
    c->output = pipe_ends[0];
    fcntl(c->output, F_SETFL, O_NONBLOCK);
    char *argv[] = {s->engine, "verify", c->path, "--json", c->elf[0] ? "--elf" : NULL, c->elf, NULL};
    enum vn_status st = vn_child_spawn_output(&c->child, s->engine, argv, pipe_ends[1], NULL, 0, &err);
    close(pipe_ends[1]);
    if (st != VN_OK) {
        snprintf(c->text, sizeof c->text, "%s", err.text);
        return 0;
    }
    zmq_pollitem_t item = {.fd = c->child.pidfd, .events = ZMQ_POLLIN};
    if (zloop_poller(s->loop, &item, on_child, c) != 0) {
        snprintf(c->text, sizeof c->text, "the verifier cannot be followed");
        return 0;
    }
    return 1;
}

void vn_proofs_verify(struct vn_scheduler *s, const struct vn_job *j)
{
    struct vn_check *c = calloc(1, sizeof *c);
    if (!c) {
        s->fatal = VN_ERR_MEMORY;
        return;
    }
    c->scheduler = s;
    c->output = -1;
    c->child.pidfd = -1;
    memcpy(c->job_id, j->id, sizeof c->job_id);
    if (j->hash_id[0])
        vn_program_path(s, j->hash_id, c->elf, sizeof c->elf);
    else if (s->config.elf)
        snprintf(c->elf, sizeof c->elf, "%s", s->config.elf);
    c->next = s->checks;
    s->checks = c;
    VN_LOG(VN_LOG_DEBUG, "proof.received", "job=%s bytes=%zu", j->id, j->proof_len);
    c->failed = !write_temporary(s, c, j) || !start(s, c);
}

void vn_proofs_save(struct vn_scheduler *s, const struct vn_job *j)
{
    struct vn_check *c = find(s, j);
    if (c)
        c->save = 1;
}

void vn_proofs_discard(struct vn_scheduler *s, const struct vn_job *j)
{
    struct vn_check *c = find(s, j);
    if (c)
        remove_check(s, c);
}

static int put_in_place(struct vn_scheduler *s, struct vn_check *c)
{
    char path[4096 + 64];
    snprintf(path, sizeof path, "%s/%s.proof", s->config.proofs_dir, c->job_id);
    int dir = open(s->config.proofs_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int ok = dir >= 0 && rename(c->path, path) == 0 && fsync(dir) == 0;
    if (ok)
        VN_LOG(VN_LOG_INFO, "proof.saved", "job=%s path=\"%s\"", c->job_id, path);
    else
        snprintf(c->text, sizeof c->text, "%.300s: %s", path, strerror(errno));
    if (dir >= 0)
        close(dir);
    if (ok)
        c->path[0] = 0;
    return ok;
}

int vn_proofs_settle(struct vn_scheduler *s)
{
    char id[37], text[512]; /* the step may end the check */
    for (struct vn_check *c = s->checks; c; c = c->next) {
        if (c->failed) {
            c->failed = 0;
            memcpy(id, c->job_id, sizeof id);
            memcpy(text, c->text, sizeof text);
            vn_scheduler_step(s, &(struct vn_event){.kind = VN_EVENT_VERIFIED, .job_id = id, .text = text});
            return 1;
        }
        if (c->save) {
            c->save = 0;
            struct vn_event e = {.kind = VN_EVENT_SAVED, .job_id = id, .text = text, .ok = s->config.no_save_proofs || put_in_place(s, c)};
            memcpy(id, c->job_id, sizeof id);
            memcpy(text, c->text, sizeof text);
            remove_check(s, c);
            vn_scheduler_step(s, &e);
            return 1;
        }
    }
    return 0;
}

void vn_proofs_free(struct vn_scheduler *s)
{
    while (s->checks)
        remove_check(s, s->checks);
}
