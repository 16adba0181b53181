/* Walks the worker's table: limits, types and conflicts of every item on the command line and in a file, and the examples of the public page. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#pragma GCC diagnostic ignored "-Wconversion" /* the assertion macros */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/worker-agent/worker_config.h"

static struct vn_worker_config c;
static struct vn_error err;

static enum vn_status load(char **argv)
{
    const char *positional[1];
    unsigned n = 0;
    int argc = 0, done = 0;
    while (argv[argc])
        argc++;
    memset(&c, 0, sizeof c);
    err.text[0] = '\0';
    return vn_config_load(&vn_worker_spec, &c, argc, argv, positional, &n, &done, &err);
}

static enum vn_status load_flag(const char *flag, const char *value)
{
    char text[200];
    snprintf(text, sizeof text, value ? "--%s=%s" : "--%s", flag, value);
    char *argv[] = {(char *)"zisk-worker", text, NULL};
    enum vn_status s = load(argv);
    return s;
}

static enum vn_status load_text(const char *text)
{
    char path[] = "/tmp/vn-table-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    char *argv[] = {(char *)"zisk-worker", (char *)"--config", path, NULL};
    enum vn_status s = load(argv);
    unlink(path);
    return s;
}

static enum vn_status load_key(const char *key, const char *value)
{
    char text[300];
    const char *dot = strchr(key, '.');
    snprintf(text, sizeof text, "# one key\n[%.*s]\n%s = %s\n", (int)(dot - key), key, dot + 1, value);
    return load_text(text);
}

static void setup(void)
{
    unsetenv("RUST_LOG");
    unsetenv("ZISK_WORKER_CONFIG_PATH");
}

static void teardown(void) { vn_config_fini(&vn_worker_spec, &c); }

TestSuite(table, .init = setup, .timeout = 20);

static void ok(enum vn_status s, const char *what, const char *value)
{
    cr_expect(eq(int, (int)s, VN_OK), "%s %s: %s", what, value, err.text);
    teardown();
}

static void refused(enum vn_status s, const char *what, const char *value)
{
    cr_expect(ne(int, (int)s, VN_OK), "%s %s is taken", what, value);
    cr_expect(strstr(err.text, what) != NULL, "%s %s: %s", what, value, err.text);
    teardown();
}

static uint64_t number_at(const struct vn_config_item *it) { return *(const uint64_t *)(const void *)((const char *)&c + it->offset); }

static void check_number(const struct vn_config_item *it, enum vn_status (*with)(const char *, const char *), const char *name)
{
    char value[32];
    cr_expect(it->max > 0, "%s has no maximum", name);
    const uint64_t good[] = {it->min, it->max};
    for (unsigned i = 0; i < 2; i++) {
        snprintf(value, sizeof value, "%llu", (unsigned long long)good[i]);
        cr_expect(eq(int, (int)with(name, value), VN_OK), "%s %s: %s", name, value, err.text);
        cr_expect(number_at(it) == good[i], "%s", name);
        teardown();
    }
    if (it->min > 0) {
        snprintf(value, sizeof value, "%llu", (unsigned long long)it->min - 1);
        refused(with(name, value), name, value);
    }
    snprintf(value, sizeof value, "%llu", (unsigned long long)it->max + 1);
    refused(with(name, value), name, value);
    static const char *const wrong[] = {"x", "-1", "1.5", "0x10", "18446744073709551616", "1 2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(with(name, wrong[i]), name, wrong[i]);
}

static void check_key(const struct vn_config_item *it)
{
    if (it->type == VN_CONFIG_NUMBER) {
        check_number(it, load_key, it->key);
        refused(load_key(it->key, "\"7\""), it->key, "as text");
    } else if (it->choices) {
        ok(load_key(it->key, "\"json\""), it->key, "json");
        refused(load_key(it->key, "\"none of them\""), it->key, "none of them");
    } else {
        ok(load_key(it->key, "\"text\""), it->key, "text");
        refused(load_key(it->key, "\"text"), it->key, "without a closing quote");
        refused(load_key(it->key, ""), it->key, "nothing");
    }
    char twice[300];
    const char *dot = strchr(it->key, '.');
    snprintf(twice, sizeof twice, "[%.*s]\n%s = 7\n%s = 7\n", (int)(dot - it->key), it->key, dot + 1, dot + 1);
    refused(load_text(twice), it->choices ? it->key : "given twice", "twice");
}

static void check_flag(const struct vn_config_item *it)
{
    char shown[80];
    snprintf(shown, sizeof shown, "--%s", it->flag);
    switch (it->type) {
    case VN_CONFIG_NUMBER:
        check_number(it, load_flag, it->flag);
        refused(load_flag(it->flag, NULL), shown, "without a value");
        break;
    case VN_CONFIG_BOOL:
    case VN_CONFIG_COUNT:
        cr_expect(eq(int, (int)load_flag(it->flag, NULL), VN_OK), "%s", err.text);
        cr_expect(number_at(it) == 1);
        teardown();
        refused(load_flag(it->flag, "true"), shown, "with a value");
        break;
    case VN_CONFIG_OPTVAL:
        ok(load_flag(it->flag, NULL), shown, "bare");
        ok(load_flag(it->flag, "x"), shown, "x");
        break;
    case VN_CONFIG_STRING:
    case VN_CONFIG_LIST:
        if (it->choices) {
            char first[64];
            snprintf(first, sizeof first, "%.*s", (int)strcspn(it->choices, "|"), it->choices);
            ok(load_flag(it->flag, first), shown, first);
            refused(load_flag(it->flag, "none of them"), shown, "none of them");
        } else {
            ok(load_flag(it->flag, "text"), shown, "text");
        }
        refused(load_flag(it->flag, NULL), shown, "without a value");
        break;
    }
    if (it->short_flag) {
        char letter[3] = {'-', it->short_flag, 0};
        char *argv[] = {(char *)"zisk-worker", letter, it->type == VN_CONFIG_BOOL || it->type == VN_CONFIG_COUNT || it->type == VN_CONFIG_OPTVAL ? NULL : (char *)"12", NULL};
        ok(load(argv), letter, "12");
    }
}

Test(table, every_item)
{
    unsigned n = 0;
    for (const struct vn_config_item *it = vn_worker_spec.items; it->key || it->flag; it++, n++) {
        cr_expect(it->help && it->help[0], "%s has no help", it->key ? it->key : it->flag);
        if (it->key)
            check_key(it);
        if (it->flag)
            check_flag(it);
    }
    cr_assert(n >= 30);
}

/* For every item that excludes another one: together refused, in both orders; alone accepted (above). */
Test(table, conflicts)
{
    unsigned n = 0;
    for (const struct vn_config_item *it = vn_worker_spec.items; it->key || it->flag; it++) {
        if (!it->conflicts)
            continue;
        char one[80], other[80];
        snprintf(one, sizeof one, it->type == VN_CONFIG_BOOL ? "--%s" : "--%s=1", it->flag);
        snprintf(other, sizeof other, "--%s", it->conflicts);
        char *argv[] = {(char *)"zisk-worker", one, other, NULL}, *reversed[] = {(char *)"zisk-worker", other, one, NULL};
        refused(load(argv), it->flag, other);
        refused(load(reversed), it->conflicts, one);
        n++;
    }
    cr_assert(eq(uint, n, 3)); /* --asm, --asm-port and --unlock-mapped-memory with --emulator */
}

Test(table, unknown)
{
    refused(load_flag("no-such-flag", NULL), "--no-such-flag", "");
    refused(load_text("[worker]\nno_such_key = 1\n"), ":2: worker.no_such_key", "");
    refused(load_text("[nowhere]\nurl = \"x\"\n"), "nowhere.url", "");
    refused(load_text("[coordinator]\n\n# text\nurl = 5x\nurl = \"y\"\n"), ":5: coordinator.url", "");
}

/* Default < file < environment < command line, on the one item that has all four. */
Test(table, precedence)
{
    cr_assert(load_text("") == VN_OK);
    cr_assert(eq(str, c.log_level, "debug"));
    teardown();
    setenv("RUST_LOG", "error", 1);
    cr_assert(load_text("[logging]\nlevel = \"warn\"\n") == VN_OK);
    cr_assert(eq(str, c.log_level, "error"));
    teardown();
    unsetenv("RUST_LOG");
    cr_assert(load_text("[logging]\nlevel = \"warn\"\n") == VN_OK);
    cr_assert(eq(str, c.log_level, "warn"));
    teardown();
}

/* The two files of the public page, unchanged. */
static const char development[] =
    "[worker]\n"
    "compute_capacity.compute_units = 10\n"
    "environment = \"development\"\n"
    "[logging]\n"
    "level = \"debug\"\n"
    "format = \"pretty\"\n";
static const char production[] =
    "[worker]\n"
    "worker_id = \"my-worker-001\"\n"
    "compute_capacity.compute_units = 10\n"
    "environment = \"production\"\n"
    "inputs_folder = \"/app/inputs\"\n"
    "[coordinator]\n"
    "url = \"http://127.0.0.1:50051\"\n"
    "[connection]\n"
    "reconnect_interval_seconds = 5\n"
    "heartbeat_timeout_seconds = 30\n"
    "[logging]\n"
    "level = \"info\"\n"
    "format = \"pretty\"\n"
    "file_path = \"/var/log/distributed/worker-001.log\"\n";

Test(table, page_development)
{
    cr_assert(eq(int, (int)load_text(development), VN_OK), "%s", err.text);
    cr_assert(c.compute_units == 10);
    cr_assert(eq(str, c.environment, "development"));
    cr_assert(eq(str, c.log_level, "debug"));
    cr_assert(eq(str, c.log_format, "pretty"));
    cr_assert(c.log_path == NULL && c.worker_id == NULL);
    teardown();
}

static void check_production(void)
{
    cr_assert(eq(str, c.worker_id, "my-worker-001"));
    cr_assert(eq(str, c.environment, "production"));
    cr_assert(eq(str, c.inputs_folder, "/app/inputs"));
    cr_assert(eq(str, c.url, "http://127.0.0.1:50051"));
    cr_assert(c.reconnect_s == 5 && c.heartbeat_timeout_s == 30 && c.compute_units == 10);
    cr_assert(eq(str, c.log_level, "info"));
    cr_assert(eq(str, c.log_path, "/var/log/distributed/worker-001.log"));
}

Test(table, page_production)
{
    cr_assert(eq(int, (int)load_text(production), VN_OK), "%s", err.text);
    check_production();
    teardown();
}

Test(table, file_from_the_environment)
{
    char path[] = "/tmp/vn-table-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, production, sizeof production - 1) == (ssize_t)sizeof production - 1);
    close(fd);
    setenv("ZISK_WORKER_CONFIG_PATH", path, 1);
    char *argv[] = {(char *)"zisk-worker", NULL};
    cr_assert(eq(int, (int)load(argv), VN_OK), "%s", err.text);
    check_production();
    teardown();
    /* --config is stronger than the variable. */
    cr_assert(load_text(development) == VN_OK);
    cr_assert(c.worker_id == NULL);
    teardown();
    unlink(path);
    refused(load(argv), path, "a missing file");
}

/* The files in etc/ load, and production says what the page says. */
Test(table, shipped_files)
{
    const char *root = getenv("VENUS_SOURCE");
    char path[400];
    snprintf(path, sizeof path, "%s/etc/worker/dev.ini", root ? root : ".");
    char *argv[] = {(char *)"zisk-worker", (char *)"--config", path, NULL};
    cr_assert(eq(int, (int)load(argv), VN_OK), "%s", err.text);
    cr_assert(eq(str, c.environment, "development"));
    teardown();
    snprintf(path, sizeof path, "%s/etc/worker/prod.ini", root ? root : ".");
    cr_assert(eq(int, (int)load(argv), VN_OK), "%s", err.text);
    check_production();
    teardown();
}
