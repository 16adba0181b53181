/* The folder is made with the first program. A program is written under a temporary name, synced and renamed, so a file under an id is whole; it is
 * hashed again when it is read, because somebody else may have touched it. Reading and writing block the loop for as long as the disk takes: programs are few
 * and a registration is rare. */
#include "services/scheduler/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/file.h"
#include "libshared/log.h"

/* ---- the folder ---- */

static void hash(char id[VN_HASH_ID], const uint8_t *bytes, size_t n)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(bytes, n, digest);
    for (unsigned i = 0; i < sizeof digest; i++)
        snprintf(id + 2 * i, 3, "%02x", digest[i]);
}

void vn_program_path(const struct vn_scheduler *s, const char *id, char *path, size_t size) { snprintf(path, size, "%s/%s.elf", s->config.programs_dir, id); }

static enum vn_status store(const struct vn_scheduler *s, const char *id, const uint8_t *bytes, size_t n, struct vn_error *err)
{
    char path[4096];
    const char *dir = s->config.programs_dir;
    vn_program_path(s, id, path, sizeof path);
    if (access(path, R_OK) == 0)
        return VN_OK;
    if (mkdir(dir, 0755) != 0 && errno != EEXIST)
        return vn_fail(err, VN_ERR_IO, "cannot create the programs folder %.300s: %s", dir, strerror(errno));
    return vn_file_write(AT_FDCWD, path, bytes, n, err);
}

static int is_id(const char *id)
{
    return strlen(id) == VN_HASH_ID - 1 && strspn(id, "0123456789abcdef") == VN_HASH_ID - 1;
}

enum vn_status vn_program_check(const struct vn_scheduler *s, const char *hash_id, struct vn_error *err)
{
    char path[4096];
    if (!*hash_id)
        return VN_OK;
    if (!is_id(hash_id))
        return vn_fail(err, VN_ERR_ARGUMENT, "%.80s is not the id of a program: 64 lower-case hexadecimal digits", hash_id);
    vn_program_path(s, hash_id, path, sizeof path);
    return access(path, R_OK) == 0 ? VN_OK : vn_fail(err, VN_ERR_NOT_FOUND, "Program %s is not registered", hash_id);
}

static enum vn_status load(const struct vn_scheduler *s, const char *id, uint8_t **bytes, size_t *n, struct vn_error *err)
{
    char path[4096], found[VN_HASH_ID];
    vn_program_path(s, id, path, sizeof path);
    enum vn_status st = vn_read_file(path, VN_MAX_PROGRAM, "Program", bytes, n, err);
    if (st != VN_OK)
        return st;
    hash(found, *bytes, *n);
    if (strcmp(found, id) == 0)
        return VN_OK;
    free(*bytes);
    return vn_fail(err, VN_ERR_IO, "Program file %.300s has been changed", path);
}

/* ---- registration ---- */

static enum vn_status check_elf(const uint8_t *bytes, size_t n, struct vn_error *err)
{
    if (n == 0)
        return vn_fail(err, VN_ERR_ARGUMENT, "zisk_elf must not be empty");
    if (n < 64 || memcmp(bytes, "\177ELF", 4) != 0)
        return vn_fail(err, VN_ERR_ARGUMENT, "zisk_elf is not an ELF file");
    if (n > VN_MAX_PROGRAM)
        return vn_fail(err, VN_ERR_LIMIT, "The program has %zu bytes, at most %u are taken", n, VN_MAX_PROGRAM);
    return VN_OK;
}

void vn_program_request(struct vn_scheduler *s, struct vn_peer *p, const struct vn_bus_message *m)
{
    Zisk__Coordinator__V1__RegisterGuestProgramRequest *q = zisk__coordinator__v1__register_guest_program_request__unpack(NULL, m->body_len, m->body);
    if (!q) {
        vn_peer_error(s, p, m->correlation, VN_ERR_FORMAT, "The request does not parse");
        return;
    }
    struct vn_error err;
    char id[VN_HASH_ID];
    enum vn_status st = check_elf(q->zisk_elf.data, q->zisk_elf.len, &err);
    if (st == VN_OK) {
        hash(id, q->zisk_elf.data, q->zisk_elf.len);
        st = store(s, id, q->zisk_elf.data, q->zisk_elf.len, &err);
    }
    if (st == VN_OK) {
        Zisk__Coordinator__V1__RegisterGuestProgramResponse r = ZISK__COORDINATOR__V1__REGISTER_GUEST_PROGRAM_RESPONSE__INIT;
        r.hash_id = id;
        VN_LOG(VN_LOG_INFO, "program.registered", "program=%s bytes=%zu", id, q->zisk_elf.len);
        vn_peer_send(s, p, VN_KIND_REPLY, m->correlation, &r.base);
    } else {
        vn_peer_error(s, p, m->correlation, st, "%s", err.text);
    }
    zisk__coordinator__v1__register_guest_program_request__free_unpacked(q, NULL);
}

/* ---- workers ---- */

static int has(const struct vn_link *l, const char *id)
{
    for (uint32_t i = 0; i < l->n_programs; i++)
        if (strcmp(l->programs[i], id) == 0)
            return 1;
    return 0;
}

void vn_program_has(struct vn_scheduler *s, struct vn_link *l, const char *hash_id)
{
    if (!is_id(hash_id) || has(l, hash_id) || l->n_programs == VN_MAX_LINK_PROGRAMS)
        return;
    char(*grown)[VN_HASH_ID] = realloc(l->programs, (l->n_programs + 1) * sizeof *grown);
    if (!grown) {
        s->fatal = VN_ERR_MEMORY;
        return;
    }
    l->programs = grown;
    memcpy(l->programs[l->n_programs++], hash_id, VN_HASH_ID);
}

void vn_program_lacks(struct vn_link *l, const char *hash_id)
{
    for (uint32_t i = 0; i < l->n_programs; i++)
        if (strcmp(l->programs[i], hash_id) == 0) {
            memmove(l->programs[i], l->programs[--l->n_programs], VN_HASH_ID);
            return;
        }
}

void vn_program_send(struct vn_scheduler *s, struct vn_link *l, const struct vn_job *j)
{
    if (!j->hash_id[0] || has(l, j->hash_id))
        return;
    struct vn_error err;
    Zisk__Distributed__Api__V1__CoordinatorMessage m = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__Program program = ZISK__DISTRIBUTED__API__V1__PROGRAM__INIT;
    if (load(s, j->hash_id, &program.elf.data, &program.elf.len, &err) != VN_OK) {
        memcpy(s->doomed_job, j->id, sizeof s->doomed_job);
        snprintf(s->doomed_text, sizeof s->doomed_text, "%s", err.text);
        return;
    }
    program.hash_id = (char *)(uintptr_t)j->hash_id;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_PROGRAM;
    m.program = &program;
    VN_LOG(VN_LOG_INFO, "program.sent", "worker=\"%s\" program=%s bytes=%zu", l->worker_id, j->hash_id, program.elf.len);
    vn_link_send(s, l, &m);
    free(program.elf.data);
    vn_program_has(s, l, j->hash_id);
}

int vn_programs_settle(struct vn_scheduler *s)
{
    if (!s->doomed_job[0])
        return 0;
    char id[37], text[512];
    memcpy(id, s->doomed_job, sizeof id);
    memcpy(text, s->doomed_text, sizeof text);
    s->doomed_job[0] = 0;
    vn_scheduler_step(s, &(struct vn_event){.kind = VN_EVENT_FAIL, .job_id = id, .failure = VN_FAILURE_INTERNAL, .text = text});
    return 1;
}
