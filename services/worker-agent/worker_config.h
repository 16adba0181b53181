#ifndef VN_WORKER_CONFIG_H
#define VN_WORKER_CONFIG_H
/* The worker's keys and flags, and the checks that one table entry cannot express. */

#include <stdint.h>

#include "libshared/config.h"
#include "libshared/log.h"
#include "services/worker-agent/agent.h"

struct vn_worker_config {
    char *worker_id, *environment, *inputs_folder, *url;
    uint64_t compute_units, reconnect_s, heartbeat_timeout_s;
    char *log_level, *log_format, *log_path, *metrics_host;
    uint64_t verbose, metrics_port;
    char *proving_key, *elf, *engine, *backend, *asm_path, *debug;
    uint64_t threads, shard_log2, verify_constraints, hints, max_streams, max_witness_stored, minimal_memory;
    uint64_t emulator, asm_port, shared_tables, unlock_mapped_memory, rma, preallocate;
    int proving_key_read_only;
    int asm_unusable;          /* the folder asked for */
};

extern const struct vn_config_spec vn_worker_spec;

/* Fills gaps (worker id, cache folder, engine's path), turns paths into absolute ones and checks everything that can be checked before
 * connecting. Errors: VN_ERR_ARGUMENT, VN_ERR_NOT_FOUND, VN_ERR_PERMISSION, VN_ERR_FORMAT, VN_ERR_UNSUPPORTED, VN_ERR_IO, VN_ERR_MEMORY. */
enum vn_status vn_worker_config_check(struct vn_worker_config *c, struct vn_error *err) VN_MUST_CHECK;

/* Of the log: -v, else RUST_LOG, else logging.level; --debug raises it, or with a filter keeps it at info outside the filter's components. */
enum vn_log_level vn_worker_log_level(const struct vn_worker_config *c);
/* Levels of single components for vn_log_set_filter, from --debug and RUST_LOG. Shape: out[out_len], cut at the last whole component. */
void vn_worker_log_filter(const struct vn_worker_config *c, char *out, size_t out_len);

/* The i-th option given that does something else here than its name says; NULL after the last. */
const char *vn_worker_notice(const struct vn_worker_config *c, unsigned i, const char **text);

/* Points into c. */
struct vn_agent_config vn_worker_agent_config(const struct vn_worker_config *c);

#endif
