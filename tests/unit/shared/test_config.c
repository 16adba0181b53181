#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libshared/config.h"

struct sample {
    char *host;
    uint64_t port;
    char *level;
    uint64_t quiet;
    uint64_t verbose;
    char *debug;
    char **bus;
    char *dir;
    uint64_t no_dir;
    uint64_t units;
};

static const struct vn_config_item items[] = {
    {.key = "server.host", .type = VN_CONFIG_STRING, .offset = offsetof(struct sample, host), .fallback = "0.0.0.0", .help = "Host"},
    {.key = "server.port", .flag = "port", .short_flag = 'p', .type = VN_CONFIG_NUMBER, .offset = offsetof(struct sample, port), .fallback = "50051", .min = 1,
     .max = 65535, .value_name = "PORT", .help = "Port"},
    {.key = "logging.level", .env = "SAMPLE_LEVEL", .type = VN_CONFIG_STRING, .offset = offsetof(struct sample, level), .fallback = "debug",
     .choices = "info|debug", .help = "Level"},
    {.flag = "quiet", .short_flag = 'q', .type = VN_CONFIG_BOOL, .offset = offsetof(struct sample, quiet), .help = "Quiet"},
    {.flag = "verbose", .short_flag = 'v', .type = VN_CONFIG_COUNT, .offset = offsetof(struct sample, verbose), .max = 4, .help = "Verbose"},
    {.flag = "debug", .short_flag = 'd', .type = VN_CONFIG_OPTVAL, .offset = offsetof(struct sample, debug), .help = "Debug"},
    {.key = "bus.endpoints", .flag = "bus", .type = VN_CONFIG_LIST, .offset = offsetof(struct sample, bus), .help = "Bus"},
    {.key = "server.dir", .flag = "dir", .type = VN_CONFIG_STRING, .offset = offsetof(struct sample, dir), .fallback = "proofs", .conflicts = "no-dir"},
    {.flag = "no-dir", .type = VN_CONFIG_BOOL, .offset = offsetof(struct sample, no_dir)},
    {.key = "worker.compute_capacity.compute_units", .flag = "units", .type = VN_CONFIG_NUMBER, .offset = offsetof(struct sample, units), .max = 1000},
    {0},
};
static const struct vn_config_spec spec = {
    .program = "sample", .usage = "sample [flags] [FILE]", .items = items, .path_env = "SAMPLE_CONFIG", .max_positional = 1, .about = "A sample."};

static struct sample c;
static struct vn_error err;
static const char *positional[1];
static unsigned n_positional;
static int done;

static enum vn_status load(const char *line)
{
    static char copy[1000];
    static char *argv[40];
    int argc = 0;
    strcpy(copy, line);
    argv[argc++] = "sample";
    for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
        argv[argc++] = p;
    memset(&c, 0, sizeof c);
    err.text[0] = 0;
    return vn_config_load(&spec, &c, argc, argv, positional, &n_positional, &done, &err);
}

static enum vn_status load_file(const char *text, const char *line)
{
    char path[] = "/tmp/vn-config-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    char args[500];
    snprintf(args, sizeof args, "--config %s %s", path, line);
    enum vn_status s = load(args);
    unlink(path);
    return s;
}

#define says(words) cr_assert_not_null(strstr(err.text, (words)), "said: %s", err.text)

Test(config, defaults)
{
    cr_assert_eq(load(""), VN_OK);
    cr_assert_str_eq(c.host, "0.0.0.0");
    cr_assert_eq(c.port, 50051u);
    cr_assert_null(c.debug);
    cr_assert_null(c.bus);
    vn_config_fini(&spec, &c);
    cr_assert_null(c.host);
}

Test(config, flags_in_every_form)
{
    cr_assert_eq(load("--port=7 -q -vv --verbose -d --bus a --bus=b --dir x input"), VN_OK);
    cr_assert_eq(c.port, 7u);
    cr_assert_eq(c.quiet, 1u);
    cr_assert_eq(c.verbose, 3u);
    cr_assert_str_eq(c.debug, "");
    cr_assert(strcmp(c.bus[0], "a") == 0 && strcmp(c.bus[1], "b") == 0 && !c.bus[2]);
    cr_assert_eq(n_positional, 1u);
    cr_assert_str_eq(positional[0], "input");
    vn_config_fini(&spec, &c);
    cr_assert_eq(load("-p9 --debug=core -- -x"), VN_OK);
    cr_assert_eq(c.port, 9u);
    cr_assert_str_eq(c.debug, "core");
    cr_assert_str_eq(positional[0], "-x");
    vn_config_fini(&spec, &c);
    cr_assert_eq(load("-p=10 -qp 11"), VN_ERR_ARGUMENT);
    says("-p: given twice");
}

Test(config, file_forms)
{
    cr_assert_eq(load_file("# comment\n[server]\nhost = \"a # b ; c\" # tail\n  port = 80 # tail\n\n[logging]\nlevel = 'info'\n"
                           "[worker]\ncompute_capacity.compute_units = 3\n[bus]\nendpoints = [\"x\", 'y'] ; tail\n", ""), VN_OK, "%s", err.text);
    cr_assert_str_eq(c.host, "a # b ; c");
    cr_assert_eq(c.port, 80u);
    cr_assert_str_eq(c.level, "info");
    cr_assert_eq(c.units, 3u);
    cr_assert(strcmp(c.bus[0], "x") == 0 && strcmp(c.bus[1], "y") == 0 && !c.bus[2]);
    vn_config_fini(&spec, &c);
    cr_assert_eq(load_file("[worker.compute_capacity]\ncompute_units=4\n[server]\nhost = bare # tail\n", ""), VN_OK, "%s", err.text);
    cr_assert_eq(c.units, 4u);
    cr_assert_str_eq(c.host, "bare");
}

Test(config, stronger_sources_win)
{
    setenv("SAMPLE_LEVEL", "info", 1);
    cr_assert_eq(load_file("[logging]\nlevel = \"debug\"\n[server]\nport = 80\n[bus]\nendpoints = [\"x\", \"y\"]\n", "--port 81 --bus z"), VN_OK);
    cr_assert_str_eq(c.level, "info");
    cr_assert_eq(c.port, 81u);
    cr_assert(strcmp(c.bus[0], "z") == 0 && !c.bus[1]);
}

Test(config, path_from_the_environment)
{
    setenv("SAMPLE_CONFIG", "/nonexistent/sample.toml", 1);
    cr_assert_eq(load(""), VN_ERR_NOT_FOUND);
    says("/nonexistent/sample.toml");
}

Test(config, file_errors_name_file_line_and_key)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"[server]\nport = 1\nprot = 2\n", ":3: server.prot: unknown key"},
        {"[server]\nport = \"80\"\n", ":2: server.port: expected a whole number, got a string"},
        {"[server]\nport = x\n", ":2: server.port: expected a whole number"},
        {"[server]\nport = 70000\n", ":2: server.port: 70000 is out of range (1 to 65535)"},
        {"[server]\nport = 99999999999999999999\n", ":2: server.port: expected a whole number"},
        {"[server]\n\nport =\n", ":3: server.port: no value"},
        {"[server]\nport = 1\nport = 2\n", ":3: server.port: given twice"},
        {"[server]\nhost = \"x\n", ":2: server.host: the quoted string"},
        {"[server]\nhost = \"x\" y\n", ":2: server.host: the quoted string"},
        {"[server]\nhost = \"\\q\"\n", ":2: server.host: the quoted string"},
        {"[logging]\nlevel = \"loud\"\n", ":2: logging.level: \"loud\" is not one of info|debug"},
        {"[server]\nwords\n", ":2: expected [section] or key = value"},
        {"[bus]\nendpoints = [\"a\", b]\n", ":2: bus.endpoints: expected a list"},
        {"[bus]\nendpoints = [\"a\"\n", ":2: bus.endpoints: expected , or ]"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_neq(load_file(cases[i].text, ""), VN_OK, "%s", cases[i].text);
        cr_assert_not_null(strstr(err.text, cases[i].said), "case %u said: %s", i, err.text);
        cr_assert_null(c.host);
    }
}

Test(config, a_line_beyond_the_limit_is_refused)
{
    static char text[8000];
    strcpy(text, "[server]\nhost = \"");
    memset(text + strlen(text), 'a', 7000);
    cr_assert_eq(load_file(text, ""), VN_ERR_LIMIT);
    says(":2:");
}

Test(config, flag_errors_name_the_flag)
{
    static const struct {
        const char *line, *said;
    } cases[] = {
        {"--nope", "unknown flag --nope"},
        {"-k", "unknown flag -k"},
        {"--port", "--port needs a value"},
        {"--port x", "--port: expected a whole number"},
        {"--port 0", "--port: 0 is out of range"},
        {"--quiet=yes", "--quiet takes no value"},
        {"a b", "unexpected argument \"b\""},
        {"--dir x --no-dir", "--dir cannot be used together with --no-dir"},
        {"--config", "--config needs a value"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(load(cases[i].line), VN_ERR_ARGUMENT, "%s", cases[i].line);
        cr_assert_not_null(strstr(err.text, cases[i].said), "case %u said: %s", i, err.text);
    }
    cr_assert_eq(load_file("[server]\ndir = \"d\"\n", "--no-dir"), VN_OK);
}

Test(config, environment_errors_name_the_variable)
{
    setenv("SAMPLE_LEVEL", "loud", 1);
    cr_assert_eq(load(""), VN_ERR_ARGUMENT);
    says("SAMPLE_LEVEL");
}

Test(config, help_and_version_are_done)
{
    cr_assert_eq(load("--help"), VN_OK);
    cr_assert_eq(done, 1);
    cr_assert_eq(load("-V"), VN_OK);
    cr_assert_eq(done, 1);
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    vn_config_help(&spec, f);
    fclose(f);
    cr_assert_not_null(strstr(text, "-p, --port <PORT>"));
    cr_assert_not_null(strstr(text, "[default: 50051] [key: server.port]"));
    cr_assert_not_null(strstr(text, "In the configuration file only:\n  server.host"));
    cr_assert_not_null(strstr(text, "--config <FILE>"));
    free(text);
}
