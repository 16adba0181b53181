/* Reading: bytes are appended to `in`; a frame is handed out once it is complete and the rest moved down. The buffer grows with
 * what a frame announces, at most to the frame limit. */
#include "services/worker-agent/engine_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER 4u
#define READ_STEP (64u << 10)

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void release(struct vn_engine *e)
{
    vn_engine_close_socket(e);
    free(e->out);
    free(e->in);
    *e = (struct vn_engine){.socket = -1};
}

enum vn_status vn_engine_start(struct vn_engine *e, const char *path, int job_dir_fd, const Venus__Engine__V1__Request *request, struct vn_error *err)
{
    *e = (struct vn_engine){.socket = -1};
    size_t len = venus__engine__v1__request__get_packed_size(request);
    if (len > VN_ENGINE_MAX_FRAME)
        return vn_fail(err, VN_ERR_LIMIT, "the engine's request would have %zu bytes; at most %u are possible", len, VN_ENGINE_MAX_FRAME);
    e->out = malloc(HEADER + len);
    if (!e->out)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for an engine request");
    for (unsigned i = 0; i < HEADER; i++)
        e->out[i] = (uint8_t)(len >> (8 * i));
    venus__engine__v1__request__pack(request, e->out + HEADER);
    e->out_len = HEADER + len;

    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        int saved = errno;
        release(e);
        return vn_fail(err, VN_ERR_IO, "socketpair: %s", strerror(saved));
    }
    e->socket = pair[0];
    char *argv[] = {(char *)"venus-engine", (char *)"child", NULL};
    int fds[] = {pair[1], job_dir_fd};
    enum vn_status s;
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
        s = vn_fail(err, VN_ERR_IO, "fcntl: %s", strerror(errno));
    else
        s = vn_child_spawn(&e->child, path, argv, fds, 2, err);
    close(pair[1]);
    if (s != VN_OK) {
        release(e);
        return s;
    }
    e->running = 1;
    return VN_OK;
}

int vn_engine_wants_write(const struct vn_engine *e) { return e->socket >= 0 && e->out_done < e->out_len; }

enum vn_status vn_engine_write(struct vn_engine *e)
{
    while (vn_engine_wants_write(e)) {
        ssize_t n = send(e->socket, e->out + e->out_done, e->out_len - e->out_done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return VN_OK;
        if (n < 0)
            return VN_ERR_PEER;
        e->out_done += (size_t)n;
    }
    return VN_OK;
}

/* VN_OK: some bytes more. */
static enum vn_status fill(struct vn_engine *e, size_t wanted)
{
    if (e->in_capacity < wanted) {
        uint8_t *larger = realloc(e->in, wanted);
        if (!larger)
            return VN_ERR_MEMORY;
        e->in = larger;
        e->in_capacity = wanted;
    }
    for (;;) {
        ssize_t n = recv(e->socket, e->in + e->in_len, e->in_capacity - e->in_len, 0);
        if (n > 0) {
            e->in_len += (size_t)n;
            return VN_OK;
        }
        if (n == 0)
            return VN_ERR_NOT_FOUND;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return VN_ERR_BUSY;
        if (errno != EINTR)
            return VN_ERR_NOT_FOUND;
    }
}

enum vn_status vn_engine_read(struct vn_engine *e, Venus__Engine__V1__Event **event)
{
    if (e->socket < 0)
        return VN_ERR_NOT_FOUND;
    for (;;) {
        size_t wanted = READ_STEP;
        if (e->in_len >= HEADER) {
            uint32_t len = load_u32(e->in);
            if (len > VN_ENGINE_MAX_FRAME)
                return VN_ERR_PEER;
            if (e->in_len - HEADER >= len) {
                *event = venus__engine__v1__event__unpack(NULL, len, e->in + HEADER);
                e->in_len -= HEADER + len;
                memmove(e->in, e->in + HEADER + len, e->in_len);
                return *event ? VN_OK : VN_ERR_PEER;
            }
            if (wanted < HEADER + (size_t)len)
                wanted = HEADER + (size_t)len;
        }
        enum vn_status s = fill(e, wanted);
        if (s == VN_ERR_NOT_FOUND && e->in_len > 0)
            return VN_ERR_PEER;
        if (s != VN_OK)
            return s;
    }
}

void vn_engine_close_socket(struct vn_engine *e)
{
    if (e->socket >= 0)
        close(e->socket);
    e->socket = -1;
}

void vn_engine_signal(const struct vn_engine *e, int signal)
{
    if (e->running)
        (void)!vn_child_signal(&e->child, signal);
}

enum vn_status vn_engine_reap(struct vn_engine *e, int *exit_code)
{
    enum vn_status s = vn_child_reap(&e->child, exit_code);
    release(e);
    return s;
}

void vn_engine_exit_error(int exit_code, struct vn_error *err)
{
    enum vn_status s = vn_status_from_exit_code(exit_code);
    if (exit_code > 128)
        vn_fail(err, VN_ERR_INTERNAL, "The engine was ended by signal %d (%s)", exit_code - 128, strsignal(exit_code - 128));
    else if (exit_code == 0)
        vn_fail(err, VN_ERR_PEER, "The engine ended without a result");
    else
        vn_fail(err, s, "The engine ended with exit code %d: %s", exit_code, vn_status_text(s));
}
