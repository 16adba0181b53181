#ifndef VN_ENGINE_PROCESS_H
#define VN_ENGINE_PROCESS_H
/* One engine child: its control socket (length-framed, never blocking here) and its pidfd, both for the caller's poll loop. */

#include <stddef.h>
#include <stdint.h>

#include "engine.pb-c.h"
#include "libshared/process.h"
#include "libshared/status.h"

#define VN_ENGINE_MAX_FRAME (16u << 20) /* as proto/engine.proto says */

struct vn_engine {
    int running;           /* the child has not been reaped */
    struct vn_child child;
    int socket;            /* -1 once closed */
    uint8_t *out;          /* the framed request */
    size_t out_len, out_done;
    uint8_t *in;           /* frames not yet taken */
    size_t in_len, in_capacity;
};

/* Starts `path child` with the control socket as descriptor 3 and job_dir_fd as 4, and queues the request.
 * Owns: nothing of the arguments. Errors: VN_ERR_LIMIT (request over the frame limit), VN_ERR_IO, VN_ERR_MEMORY. */
enum vn_status vn_engine_start(struct vn_engine *e, const char *path, int job_dir_fd, const Venus__Engine__V1__Request *request,
                               struct vn_error *err) VN_MUST_CHECK;

/* 1 while part of the request has not been written: poll for writing. */
int vn_engine_wants_write(const struct vn_engine *e);
/* Writes what the socket takes. Errors: VN_ERR_PEER when the other side closed. */
enum vn_status vn_engine_write(struct vn_engine *e) VN_MUST_CHECK;

/* Next event. Owns: *event, to be freed with venus__engine__v1__event__free_unpacked.
 * Errors: VN_ERR_BUSY (none now), VN_ERR_NOT_FOUND (the engine closed its end), VN_ERR_PEER (not the protocol), VN_ERR_MEMORY. */
enum vn_status vn_engine_read(struct vn_engine *e, Venus__Engine__V1__Event **event) VN_MUST_CHECK;

void vn_engine_close_socket(struct vn_engine *e);
/* SIGTERM or SIGKILL; harmless when it has ended. */
void vn_engine_signal(const struct vn_engine *e, int signal);
/* Once the pidfd is readable; frees everything. Errors: VN_ERR_IO. */
enum vn_status vn_engine_reap(struct vn_engine *e, int *exit_code) VN_MUST_CHECK;

/* Says in words how an engine without a last word ended, and as what failure that counts. */
void vn_engine_exit_error(int exit_code, struct vn_error *err);

#endif
