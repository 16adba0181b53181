#include "services/coordinator/settings.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(struct vn_settings, member)

static const struct vn_config_item items[] = {
    {.key = "service.name", .type = VN_CONFIG_STRING, .offset = AT(service_name), .fallback = "Venus Distributed Coordinator", .help = "name in StatusInfo"},
    {.key = "service.environment", .type = VN_CONFIG_STRING, .offset = AT(environment), .fallback = "development",
     .choices = "development|staging|production", .help = "service environment; shows in the log only"},
    {.key = "server.host", .flag = "host", .type = VN_CONFIG_STRING, .offset = AT(host), .fallback = "0.0.0.0", .value_name = "HOST",
     .help = "address to listen on"},
    {.key = "server.port", .flag = "port", .short_flag = 'p', .type = VN_CONFIG_NUMBER, .offset = AT(port), .fallback = "50051", .min = 0, .max = 65535,
     .value_name = "PORT", .help = "port to listen on; 0 picks a free one"},
    {.key = "server.proofs_dir", .flag = "proofs-dir", .type = VN_CONFIG_STRING, .offset = AT(proofs_dir), .fallback = "proofs", .conflicts = "no-save-proofs",
     .value_name = "DIR", .help = "folder for proofs; made if it is not there"},
    {.flag = "no-save-proofs", .type = VN_CONFIG_BOOL, .offset = AT(no_save_proofs), .help = "do not keep proof files"},
    {.key = "server.programs_dir", .flag = "programs-dir", .type = VN_CONFIG_STRING, .offset = AT(programs_dir), .fallback = "programs", .value_name = "DIR",
     .help = "folder for registered programs; made with the first one"},
    {.key = "coordinator.elf", .flag = "elf", .type = VN_CONFIG_STRING, .offset = AT(elf), .value_name = "FILE",
     .help = "the program the workers were started with; proofs are then verified to be of it, else of the key that the workers agree on"},
    {.flag = "compressed-proofs", .short_flag = 'c', .type = VN_CONFIG_BOOL, .offset = AT(compressed),
     .help = "ask for compressed proofs; the proof bundle has no compressed form yet, so proofs stay as they are"},
    {.key = "server.shutdown_timeout_seconds", .type = VN_CONFIG_NUMBER, .offset = AT(shutdown_timeout), .fallback = "30", .min = 1, .max = 3600,
     .help = "seconds that running jobs get to end when stopping; then they are cancelled"},
    {.key = "logging.level", .env = "RUST_LOG", .type = VN_CONFIG_STRING, .offset = AT(log_level), .fallback = "debug",
     .help = "error, warn, info, debug or trace; single components as in info,job=debug"},
    {.key = "logging.format", .type = VN_CONFIG_STRING, .offset = AT(log_format), .fallback = "pretty", .choices = "pretty|json|compact",
     .help = "form of log lines"},
    {.key = "logging.file_path", .type = VN_CONFIG_STRING, .offset = AT(log_file), .help = "log to this file as well; SIGHUP opens it anew"},
    {.key = "coordinator.max_workers_per_job", .type = VN_CONFIG_NUMBER, .offset = AT(max_workers_per_job), .fallback = "10", .min = 1, .max = 10000,
     .help = "workers of one job at most"},
    {.key = "coordinator.max_total_workers", .type = VN_CONFIG_NUMBER, .offset = AT(max_total_workers), .fallback = "1000", .min = 1, .max = 10000,
     .help = "connected workers at most"},
    {.key = "coordinator.max_queued_jobs", .type = VN_CONFIG_NUMBER, .offset = AT(max_queued_jobs), .fallback = "100", .min = 0, .max = 10000,
     .help = "jobs that wait for workers (prove --queue) at most; 0: none waits"},
    {.key = "coordinator.phase1_timeout_seconds", .type = VN_CONFIG_NUMBER, .offset = AT(phase1_timeout), .fallback = "300", .min = 1, .max = 604800,
     .help = "limit of the phase Contributions"},
    {.key = "coordinator.phase2_timeout_seconds", .type = VN_CONFIG_NUMBER, .offset = AT(phase2_timeout), .fallback = "600", .min = 1, .max = 604800,
     .help = "limit of the phases Prove and Aggregate, each"},
    {.key = "coordinator.webhook_url", .flag = "webhook-url", .type = VN_CONFIG_STRING, .offset = AT(webhook_url), .value_name = "URL",
     .help = "POST here when a job has ended; {$job_id} is replaced, without it /JOB_ID is appended"},
    {.key = "coordinator.webhook_timeout_seconds", .type = VN_CONFIG_NUMBER, .offset = AT(webhook_timeout), .fallback = "10", .min = 1, .max = 600,
     .help = "limit of one attempt to notify"},
    {.key = "coordinator.webhook_retries", .type = VN_CONFIG_NUMBER, .offset = AT(webhook_retries), .fallback = "0", .min = 0, .max = 10,
     .help = "attempts after the first"},
    {.key = "coordinator.webhook_backoff_seconds", .type = VN_CONFIG_NUMBER, .offset = AT(webhook_backoff), .fallback = "1", .min = 1, .max = 60,
     .help = "pause before the first of them; doubles with each"},
    {.key = "coordinator.webhook_secret_file", .type = VN_CONFIG_STRING, .offset = AT(webhook_secret_file),
     .help = "sign notifications with the secret in this file"},
    {.key = "metrics.host", .flag = "metrics-host", .type = VN_CONFIG_STRING, .offset = AT(metrics_host), .fallback = "127.0.0.1", .value_name = "HOST",
     .help = "address to serve metrics on"},
    {.key = "metrics.port", .flag = "metrics-port", .type = VN_CONFIG_NUMBER, .offset = AT(metrics_port), .fallback = "0", .min = 0, .max = 65535,
     .value_name = "PORT", .help = "serve metrics over HTTP on this port; 0: not at all"},
    {.key = "bus.endpoint", .flag = "bus", .type = VN_CONFIG_STRING, .offset = AT(bus_endpoint), .value_name = "ENDPOINT",
     .help = "second way in for workers on this host, tcp://127.0.0.1:PORT"},
    {.key = "bus.directory", .type = VN_CONFIG_STRING, .offset = AT(bus_directory), .help = "folder of the bus socket (default: one below $XDG_RUNTIME_DIR or /tmp)"},
    {.flag = "check-config", .type = VN_CONFIG_BOOL, .offset = AT(check_config), .help = "print the configuration that would be used and end"},
    {0},
};
const struct vn_config_spec vn_settings_spec = {
    .program = "zisk-coordinator",
    .usage = "zisk-coordinator [options]\n       zisk-coordinator COMMAND [options]",
    .about = "Runs the coordinator of a Venus cluster: scheduler and gateway, supervised.",
    .items = items,
    .path_env = "ZISK_COORDINATOR_CONFIG_PATH",
    .epilog = "Commands, each with its own --help, talk to a running coordinator:\n"
              "  prove    ask for a proof, follow it and fetch it\n"
              "  watch    follow a job\n"
              "  cancel   cancel a job\n"
              "  status   workers, capacity and jobs in numbers\n"
              "  jobs     list jobs\n"
              "  workers  list workers\n"
              "  register keep a guest program\n"
              "  execute  run a registered program without proving it\n"
              "  verify   verify a proof file\n",
};

enum vn_status vn_settings_check(struct vn_settings *c, struct vn_error *err)
{
    if (!vn_log_level_parse(c->log_level, &c->level))
        return vn_fail(err, VN_ERR_ARGUMENT, "logging.level (or RUST_LOG): '%.100s' is no level; use error, warn, info, debug or trace", c->log_level);
    if (!vn_log_format_parse(c->log_format, &c->format))
        return vn_fail(err, VN_ERR_ARGUMENT, "logging.format: '%.100s' is no format; use pretty, json or compact", c->log_format);
    if (c->webhook_url && strncmp(c->webhook_url, "http://", 7) != 0 && strncmp(c->webhook_url, "https://", 8) != 0)
        return vn_fail(err, VN_ERR_ARGUMENT, "coordinator.webhook_url: '%.200s' is no URL of http:// or https://", c->webhook_url);
    int v6 = strchr(c->host, ':') && c->host[0] != '[';
    if (snprintf(c->listen, sizeof c->listen, "%s%s%s:%u", v6 ? "[" : "", c->host, v6 ? "]" : "", (unsigned)c->port) >= (int)sizeof c->listen)
        return vn_fail(err, VN_ERR_ARGUMENT, "server.host is too long");
    return VN_OK;
}

void vn_settings_print(const struct vn_settings *c)
{
    for (const struct vn_config_item *it = items; it->key || it->flag; it++) {
        const char *name = it->key ? it->key : it->flag;
        const char *at = (const char *)c + it->offset;
        if (it->offset == AT(check_config))
            continue;
        if (it->type == VN_CONFIG_STRING) {
            const char *text = *(char *const *)at;
            if (text)
                printf("%s = \"%s\"\n", name, text);
        } else if (it->type == VN_CONFIG_BOOL) {
            printf("%s = %s\n", name, *(const uint64_t *)at ? "true" : "false");
        } else {
            printf("%s = %" PRIu64 "\n", name, *(const uint64_t *)at);
        }
    }
}
