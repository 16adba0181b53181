/* The configuration table and the URL forms. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#pragma GCC diagnostic ignored "-Wconversion" /* the assertion macros */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/worker-agent/link.h"
#include "services/worker-agent/worker_config.h"

static enum vn_status load(struct vn_worker_config *c, char **argv, struct vn_error *err)
{
    const char *positional[1];
    unsigned n = 0;
    int argc = 0, done = 0;
    while (argv[argc])
        argc++;
    memset(c, 0, sizeof *c);
    unsetenv("RUST_LOG");
    return vn_config_load(&vn_worker_spec, c, argc, argv, positional, &n, &done, err);
}

#define ARGS(...) (char *[]){(char *)"zisk-worker", __VA_ARGS__, NULL}

Test(config, defaults)
{
    struct vn_worker_config c;
    struct vn_error err = {0};
    cr_assert(eq(int, (int)load(&c, ARGS("-e", "/bin/true", "--engine", "/bin/true", "-k", "/tmp"), &err), VN_OK), "%s", err.text);
    cr_assert(eq(int, (int)vn_worker_config_check(&c, &err), VN_OK), "%s", err.text);
    cr_assert(eq(str, c.url, "http://127.0.0.1:50051"));
    cr_assert(eq(str, c.inputs_folder, "."));
    cr_assert(eq(str, c.environment, "development"));
    cr_assert(c.compute_units == 10 && c.reconnect_s == 5 && c.heartbeat_timeout_s == 30 && c.asm_port == 23115);
    cr_assert(strlen(c.worker_id) == 32 && !strchr(c.worker_id, '-'));
    cr_assert(eq(int, (int)vn_worker_log_level(&c), VN_LOG_DEBUG));
    const char *text;
    cr_assert(vn_worker_notice(&c, 0, &text) == NULL);
    struct vn_agent_config a = vn_worker_agent_config(&c);
    cr_assert(a.job.slots == 1 && a.job.threads == 0 && a.job.packages == 0 && !a.job.keep_nothing && !a.job.hints && !a.job.verify_constraints);
    vn_config_fini(&vn_worker_spec, &c);
}

Test(config, every_flag)
{
    struct vn_worker_config c;
    struct vn_error err = {0};
    char **argv = ARGS("--worker-id", "w7", "--compute-capacity", "3", "-i", "/tmp", "-c", "tcp://127.0.0.1:7", "-k", "/tmp", "-e", "/bin/true", "--asm",
                       "/tmp", "--asm-port", "24000", "--shared-tables", "-vv", "-d", "--verify-constraints", "--unlock-mapped-memory", "-m", "-r", "-z", "--hints",
                       "-t", "2", "-n", "5", "-x", "9", "--engine", "/bin/true", "--shard-log2", "18", "--backend", "cuda");
    cr_assert(eq(int, (int)load(&c, argv, &err), VN_OK), "%s", err.text);
    cr_assert(eq(int, (int)vn_worker_config_check(&c, &err), VN_OK), "%s", err.text);
    struct vn_agent_config a = vn_worker_agent_config(&c);
    cr_assert(a.compute_units == 3 && a.job.threads == 5 && a.job.shard_log2 == 18 && a.job.verify_constraints);
    cr_assert(eq(str, (char *)a.job.backend, "cuda"));
    cr_assert(eq(str, (char *)a.job.worker_id, "w7"));
    cr_assert(eq(str, (char *)a.job.cache_dir, "/tmp"));
    cr_assert(eq(str, (char *)a.job.native_dir, "/tmp"));
    cr_assert(not(a.job.lock_native));
    cr_assert(a.job.slots == 2 && a.job.packages == 2 && a.job.keep_nothing && a.job.hints && a.job.preallocate_percent == 45);
    cr_assert(eq(int, (int)vn_worker_log_level(&c), VN_LOG_DEBUG));
    static const char *const noticed[] = {"--asm-port", "--rma"};
    const char *text;
    for (unsigned i = 0; i < sizeof noticed / sizeof *noticed; i++) {
        const char *option = vn_worker_notice(&c, i, &text);
        cr_assert(option && strcmp(option, noticed[i]) == 0, "%u", i);
    }
    cr_assert(vn_worker_notice(&c, sizeof noticed / sizeof *noticed, &text) == NULL);
    vn_config_fini(&vn_worker_spec, &c);
}

/* The folder of --proving-key may be mounted read-only: then the default one is taken. */
Test(config, read_only_proving_key)
{
    char top[] = "/tmp/venus-test-XXXXXX", fixed[64], home[64], expected[96];
    cr_assert(mkdtemp(top) != NULL);
    if (geteuid() == 0) /* whom permissions do not bind */
        cr_assert(chown(top, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    snprintf(fixed, sizeof fixed, "%s/fixed", top);
    snprintf(home, sizeof home, "%s/home", top);
    snprintf(expected, sizeof expected, "%s/.zisk/provingKey", home);
    cr_assert(mkdir(fixed, 0555) == 0 && mkdir(home, 0755) == 0);
    setenv("HOME", home, 1);
    for (unsigned i = 0; i < 2; i++) {
        struct vn_worker_config c;
        struct vn_error err = {0};
        const char *text;
        cr_assert(eq(int, (int)load(&c, ARGS("-e", "/bin/true", "--engine", "/bin/true", "-k", fixed), &err), VN_OK), "%s", err.text);
        cr_assert(eq(int, (int)vn_worker_config_check(&c, &err), VN_OK), "%s", err.text);
        cr_assert(eq(str, c.proving_key, i ? (char *)"" : expected));
        cr_assert(eq(str, (char *)vn_worker_notice(&c, 0, &text), "--proving-key"));
        vn_config_fini(&vn_worker_spec, &c);
        cr_assert(chmod(expected, 0555) == 0);
    }
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", top);
    cr_assert(system(command) == 0);
}

/* argv, then what the log is set to. */
static void logs(enum vn_log_level level, const char *filter, const char *rust_log, char **argv)
{
    struct vn_worker_config c = {0};
    struct vn_error err = {0};
    const char *positional[1];
    unsigned n = 0;
    int argc = 0, done = 0;
    while (argv[argc])
        argc++;
    unsetenv("RUST_LOG");
    if (rust_log)
        setenv("RUST_LOG", rust_log, 1);
    cr_assert(eq(int, (int)vn_config_load(&vn_worker_spec, &c, argc, argv, positional, &n, &done, &err), VN_OK), "%s", err.text);
    char got[64];
    vn_worker_log_filter(&c, got, sizeof got);
    cr_expect(eq(int, (int)vn_worker_log_level(&c), (int)level), "%s %s", rust_log ? rust_log : "-", argc > 1 ? argv[1] : "");
    cr_expect(eq(str, got, (char *)filter));
    vn_config_fini(&vn_worker_spec, &c);
}

Test(config, verbosity)
{
    logs(VN_LOG_DEBUG, "", NULL, (char *[]){(char *)"w", NULL});
    logs(VN_LOG_WARN, "", NULL, (char *[]){(char *)"w", (char *)"-v", NULL});
    logs(VN_LOG_INFO, "", "trace", (char *[]){(char *)"w", (char *)"-vv", NULL});
    logs(VN_LOG_DEBUG, "", NULL, (char *[]){(char *)"w", (char *)"-vvv", NULL});
    logs(VN_LOG_TRACE, "", NULL, (char *[]){(char *)"w", (char *)"-vvvv", NULL});
    logs(VN_LOG_TRACE, "", NULL, (char *[]){(char *)"w", (char *)"-vvvvvv", NULL});
    logs(VN_LOG_ERROR, "", "error", (char *[]){(char *)"w", NULL});
    logs(VN_LOG_WARN, "warn,engine=trace", "warn,engine=trace", (char *[]){(char *)"w", NULL});
    logs(VN_LOG_WARN, "", "info,engine=trace", (char *[]){(char *)"w", (char *)"-v", NULL});
    logs(VN_LOG_DEBUG, "", "error", (char *[]){(char *)"w", (char *)"-d", NULL});
    logs(VN_LOG_TRACE, "", "trace", (char *[]){(char *)"w", (char *)"--debug=all", NULL});
    logs(VN_LOG_INFO, "engine,job", NULL, (char *[]){(char *)"w", (char *)"--debug=engine,job", NULL});
    logs(VN_LOG_ERROR, "engine", "error", (char *[]){(char *)"w", (char *)"-dengine", NULL});
}

Test(config, packages)
{
    static const struct {
        char *args[6];
        uint32_t slots, packages;
        int keep_nothing;
    } cases[] = {{{"-x", "9"}, 1, 9, 0}, {{"-x", "2", "-t", "4"}, 4, 2, 0}, {{"-m"}, 1, 1, 1}, {{"-m", "-t", "3"}, 3, 3, 1}, {{"-m", "-t", "3", "-x", "2"}, 3, 2, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vn_worker_config c;
        struct vn_error err = {0};
        char *argv[8] = {(char *)"zisk-worker"};
        memcpy(argv + 1, cases[i].args, sizeof cases[i].args);
        cr_assert(eq(int, (int)load(&c, argv, &err), VN_OK), "%s", err.text);
        struct vn_agent_config a = vn_worker_agent_config(&c);
        cr_expect(a.job.slots == cases[i].slots && a.job.packages == cases[i].packages && a.job.keep_nothing == cases[i].keep_nothing, "case %zu", i);
        cr_expect(cases[i].slots == 1 ? a.job.threads == 0 : a.job.threads >= 1);
        vn_config_fini(&vn_worker_spec, &c);
    }
}

static void refused(enum vn_status expected, const char *text, char **argv)
{
    struct vn_worker_config c;
    struct vn_error err = {0};
    enum vn_status s = load(&c, argv, &err);
    if (s == VN_OK)
        s = vn_worker_config_check(&c, &err);
    cr_expect(eq(int, (int)s, (int)expected), "%s", err.text);
    cr_expect(strstr(err.text, text) != NULL, "%s", err.text);
    vn_config_fini(&vn_worker_spec, &c);
}

Test(config, refusals)
{
    refused(VN_ERR_ARGUMENT, "--elf", ARGS("-k", "/tmp"));
    refused(VN_ERR_NOT_FOUND, "not found", ARGS("-e", "/nonexistent"));
    refused(VN_ERR_FORMAT, "not an ELF", ARGS("-e", "/etc/passwd"));
    refused(VN_ERR_FORMAT, "not an ELF", ARGS("-e", "/tmp"));
    refused(VN_ERR_ARGUMENT, "'link' is no component; there are", ARGS("-e", "/bin/true", "--debug=job,link"));
    refused(VN_ERR_ARGUMENT, "no component", ARGS("-e", "/bin/true", "--debug=engin"));
    refused(VN_ERR_ARGUMENT, "no component", ARGS("-e", "/bin/true", "--debug=engines"));
    refused(VN_ERR_ARGUMENT, "--asm cannot be used together with --emulator", ARGS("-e", "/bin/true", "--emulator", "--asm", "x"));
    refused(VN_ERR_ARGUMENT, "--asm-port cannot be used together with --emulator", ARGS("-e", "/bin/true", "--asm-port", "1", "-l"));
    refused(VN_ERR_ARGUMENT, "--unlock-mapped-memory cannot be used together with --emulator", ARGS("-e", "/bin/true", "-l", "--unlock-mapped-memory"));
    refused(VN_ERR_UNSUPPORTED, "TLS", ARGS("-e", "/bin/true", "-c", "https://a:1"));
    refused(VN_ERR_ARGUMENT, "inputs folder", ARGS("-e", "/bin/true", "-i", "/etc/passwd"));
    refused(VN_ERR_ARGUMENT, "proving key", ARGS("-e", "/bin/true", "-k", "/etc/passwd"));
    refused(VN_ERR_NOT_FOUND, "engine", ARGS("-e", "/bin/true", "-k", "/tmp", "--engine", "/nonexistent"));
    refused(VN_ERR_ARGUMENT, "worker id", ARGS("-e", "/bin/true", "--worker-id", "two words"));
    refused(VN_ERR_ARGUMENT, "shard-log2", ARGS("-e", "/bin/true", "--shard-log2", "9"));
}

Test(link, urls)
{
    static const struct {
        const char *url;
        int ok;
    } urls[] = {{"http://h:1", 1},     {"http://h", 1},        {"http://h:1/", 1},    {"http://[::1]:50051", 1}, {"tcp://127.0.0.1:1", 1}, {"ipc:///tmp/x", 1},
                {"http://", 0},        {"http://h:1/path", 0}, {"http://u@h:1", 0},   {"https://h:1", 0},        {"ftp://h", 0},           {"h:1", 0},
                {"", 0},               {"tcp://", 0},          {"ipc://", 0}};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct vn_error err = {0};
        cr_expect(eq(int, vn_link_url_ok(urls[i].url, &err), urls[i].ok), "%s", urls[i].url);
        cr_expect(urls[i].ok || err.text[0]);
    }
}
