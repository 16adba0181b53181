#ifndef VN_AGENT_H
#define VN_AGENT_H
/* The worker's loop: keeps the connection to the coordinator, takes tasks, runs engines for them, one in each slot. */

#include <stdint.h>

#include "libshared/status.h"
#include "services/worker-agent/job.h"

#define VN_AGENT_MAX_RECONNECT_S 60u /* the back-off doubles up to this */
#define VN_AGENT_MAX_SLOTS 64u       /* engines of one worker: each wants cores and gigabytes of its own */

/* Borrowed for the whole run. */
struct vn_agent_config {
    const char *url;         /* checked with vn_link_url_ok */
    const char *engine;      /* path of the engine's executable */
    uint32_t compute_units;
    uint32_t reconnect_s;
    uint32_t heartbeat_timeout_s;
    const char *metrics_host;
    uint16_t metrics_port;   /* 0: no metrics */
    struct vn_job_settings job;
};

/* Runs until SIGTERM or SIGINT; then the engines are ended and job directories are gone; SIGHUP reopens the log file. Blocks those signals in the process.
 * Errors: VN_ERR_MEMORY, VN_ERR_IO: the loop itself or its metrics could not be set up; VN_ERR_ARGUMENT: the metrics' host is unknown; VN_ERR_ARGUMENT, VN_ERR_PERMISSION: the URL can never be connected to. */
enum vn_status vn_agent_run(const struct vn_agent_config *config, struct vn_error *err) VN_MUST_CHECK;

#endif
