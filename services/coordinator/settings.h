#ifndef VN_COORDINATOR_SETTINGS_H
#define VN_COORDINATOR_SETTINGS_H
/* What the supervisor can be told: the table of keys and flags of zisk-coordinator. */

#include "libshared/config.h"
#include "libshared/log.h"
#include "libshared/status.h"

struct vn_settings {
    char *service_name, *environment, *host, *proofs_dir, *programs_dir, *elf, *log_level, *log_format, *log_file, *webhook_url, *webhook_secret_file, *metrics_host, *bus_endpoint,
        *bus_directory;
    uint64_t port, no_save_proofs, compressed, shutdown_timeout, max_workers_per_job, max_total_workers, max_queued_jobs, phase1_timeout, phase2_timeout,
        webhook_timeout, webhook_retries, webhook_backoff, metrics_port, check_config;
    enum vn_log_level level;
    enum vn_log_format format;
    char listen[300]; /* HOST:PORT */
};

extern const struct vn_config_spec vn_settings_spec;

/* Fills what is derived from the table. Errors: VN_ERR_ARGUMENT naming the key. */
enum vn_status vn_settings_check(struct vn_settings *c, struct vn_error *err) VN_MUST_CHECK;
/* key = value, one line each, to standard output; what is not set is left out. */
void vn_settings_print(const struct vn_settings *c);

#endif
