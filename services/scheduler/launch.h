#ifndef VN_SCHEDULER_LAUNCH_H
#define VN_SCHEDULER_LAUNCH_H
/* What the two public APIs share in starting a job. */

#include "services/scheduler/scheduler.h"

struct vn_launch_asker {
    struct vn_peer *peer;
    uint64_t correlation;
    int newer_api;             /* answered with JobResponse */
    int client_hints;          /* the hints come from the client: these, or NULL: pushed later */
    const uint8_t *hints;
    size_t n_hints;
};

/* Asks the core, unless the request was found wrong before, and answers. The job's id is made here; l and what it points to are borrowed. */
void vn_launch_run(struct vn_scheduler *s, const struct vn_launch_asker *asker, struct vn_launch *l, enum vn_status checked, const char *text);

#endif
