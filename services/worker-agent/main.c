/* zisk-worker: reads the configuration, checks it, and runs the agent. */
#include <stdio.h>

#include "libshared/config.h"
#include "libshared/log.h"
#include "services/worker-agent/agent.h"
#include "services/worker-agent/job_dir.h"
#include "services/worker-agent/tables.h"
#include "services/worker-agent/worker_config.h"

static int complain(const struct vn_error *err)
{
    fprintf(stderr, "zisk-worker: %s\n", err->text);
    return vn_status_exit_code(err->status);
}

static enum vn_status run(const struct vn_worker_config *config, struct vn_error *err)
{
    enum vn_log_format format = VN_LOG_PRETTY;
    (void)vn_log_format_parse(config->log_format, &format);
    enum vn_status s = vn_log_open("worker", vn_worker_log_level(config), format, config->log_path, err);
    if (s != VN_OK)
        return s;
    char filter[512];
    vn_worker_log_filter(config, filter, sizeof filter);
    vn_log_set_filter(filter);
    const char *option, *text;
    for (unsigned i = 0; (option = vn_worker_notice(config, i, &text)); i++)
        VN_LOG(VN_LOG_WARN, "option.notice", "option=%s reason=\"%s\"", option, text);
    VN_LOG(VN_LOG_INFO, "worker.started", "worker=%s units=%llu url=%s elf=\"%s\" inputs=\"%s\" cache=\"%s\" environment=%s", config->worker_id,
           (unsigned long long)config->compute_units, config->url, config->elf, config->inputs_folder, config->proving_key, config->environment);
    struct vn_agent_config agent = vn_worker_agent_config(config);
    struct vn_tables tables = {.fd = -1};
    if (config->shared_tables) {
        s = vn_tables_open(&tables, VN_JOB_DIR_BASE, err);
        agent.job.shared_dir = tables.path;
    }
    if (s == VN_OK)
        s = vn_agent_run(&agent, err);
    vn_tables_close(&tables);
    vn_log_close();
    return s;
}

int main(int argc, char **argv)
{
    struct vn_worker_config config = {0};
    struct vn_error err = {0};
    const char *positional[1];
    unsigned n_positional = 0;
    int done = 0;
    enum vn_status s = vn_config_load(&vn_worker_spec, &config, argc, argv, positional, &n_positional, &done, &err);
    if (s == VN_OK && !done)
        s = vn_worker_config_check(&config, &err);
    if (s == VN_OK && !done)
        s = run(&config, &err);
    vn_config_fini(&vn_worker_spec, &config);
    return s == VN_OK ? 0 : complain(&err);
}
