/* venus-gateway: options, log, and the loop. */
#include <grpc/support/log.h>
#include <stdio.h>
#include <stdlib.h>

#include "libshared/config.h"
#include "libshared/log.h"
#include "libshared/process.h"
#include "services/gateway/gateway.h"

#define AT(member) offsetof(struct vn_gateway_config, member)

static const struct vn_config_item items[] = {
    {.flag = "listen", .type = VN_CONFIG_STRING, .offset = AT(listen), .fallback = "127.0.0.1:50051", .value_name = "HOST:PORT",
     .help = "address of the API; port 0 picks a free one"},
    {.flag = "bus", .type = VN_CONFIG_STRING, .offset = AT(bus), .value_name = "ENDPOINT", .help = "the scheduler's bus, ipc://PATH or tcp://HOST:PORT"},
    {.flag = "grace", .type = VN_CONFIG_NUMBER, .offset = AT(grace_seconds), .fallback = "5", .min = 0, .max = 3600, .value_name = "SECONDS",
     .help = "time for calls to end when stopping"},
    {.flag = "ready-fd", .type = VN_CONFIG_NUMBER, .offset = AT(ready_fd), .fallback = "0", .min = 0, .max = 1023, .value_name = "N",
     .help = "descriptor that is told \"LISTENING port\", then \"READY\" when the scheduler answers"},
    {.flag = "parent", .type = VN_CONFIG_NUMBER, .offset = AT(parent), .fallback = "0", .min = 0, .max = 1u << 30, .value_name = "PID",
     .help = "end when this parent process ends"},
    {.flag = "log-level", .env = "RUST_LOG", .type = VN_CONFIG_STRING, .offset = AT(log_level), .fallback = "info", .value_name = "LEVEL",
     .help = "error, warn, info, debug or trace"},
    {.flag = "log-format", .type = VN_CONFIG_STRING, .offset = AT(log_format), .fallback = "pretty", .choices = "pretty|json|compact",
     .value_name = "FORMAT", .help = "how log lines look"},
    {.flag = "log-file", .type = VN_CONFIG_STRING, .offset = AT(log_file), .value_name = "FILE", .help = "log to this file too"},
    {0},
};

static const struct vn_config_spec spec = {
    .program = "venus-gateway",
    .usage = "venus-gateway --listen HOST:PORT --bus ENDPOINT [options]",
    .about = "The gRPC edge of a Venus cluster. Usually started by zisk-coordinator.",
    .items = items,
};

static void core_log(gpr_log_func_args *a)
{
    VN_LOG(a->severity == GPR_LOG_SEVERITY_ERROR ? VN_LOG_DEBUG : VN_LOG_TRACE, "grpc.core", "text=\"%s\"", a->message);
}

int main(int argc, char **argv)
{
    struct vn_gateway_config config = {0};
    struct vn_error err = {0};
    unsigned n_positional = 0;
    int done = 0;
    enum vn_status s = vn_config_load(&spec, &config, argc, argv, NULL, &n_positional, &done, &err);
    if (s != VN_OK) {
        fprintf(stderr, "venus-gateway: %s\n", err.text);
        return vn_status_exit_code(s);
    }
    if (done)
        goto out;
    if (config.parent)
        vn_process_die_with_parent((pid_t)config.parent);
    enum vn_log_level level;
    enum vn_log_format format;
    if (!config.bus)
        s = vn_fail(&err, VN_ERR_ARGUMENT, "--bus is required");
    else if (!vn_log_level_parse(config.log_level, &level))
        s = vn_fail(&err, VN_ERR_ARGUMENT, "--log-level: unknown level '%s'", config.log_level);
    else if (!vn_log_format_parse(config.log_format, &format))
        s = vn_fail(&err, VN_ERR_ARGUMENT, "--log-format: unknown format '%s'", config.log_format);
    else
        s = vn_log_open("gateway", level, format, config.log_file, &err);
    if (s != VN_OK) {
        fprintf(stderr, "venus-gateway: %s\n", err.text);
        goto out;
    }
    vn_log_set_filter(config.log_level);
    gpr_set_log_function(core_log);
    s = vn_gateway_run(&config, &err);
    if (s != VN_OK)
        VN_LOG(VN_LOG_ERROR, "gateway.failed", "status=%s text=\"%s\"", vn_status_name(s), err.text);
    vn_log_close();
out:
    vn_config_fini(&spec, &config);
    return vn_status_exit_code(s);
}
