#ifndef VN_SCRATCH_H
#define VN_SCRATCH_H
/* A job directory in /dev/shm that does not outlive the process, also not when SIGINT, SIGTERM or SIGHUP ends it. */
#include <pthread.h>
#include <signal.h>

#include "libshared/status.h"

struct vn_scratch {
    int dirfd;
    char path[32];
    sigset_t signals, old_mask;
    pthread_t watcher;
};

/* Makes it and blocks these signals; a thread waits for them. One at a time, before other threads start, which have to inherit the mask.
 * Errors: VN_ERR_IO, VN_ERR_MEMORY; nothing is left then. */
enum vn_status vn_scratch_open(struct vn_scratch *s, struct vn_error *err) VN_MUST_CHECK;
/* Removes it with the files in it. */
void vn_scratch_close(struct vn_scratch *s);

#endif
