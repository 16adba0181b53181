#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/log.h"

static char path[64];

static void begin(enum vn_log_format format)
{
    strcpy(path, "/tmp/vn-log-XXXXXX");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    struct vn_error err;
    cr_assert_eq(vn_log_open("tester", VN_LOG_INFO, format, path, &err), VN_OK);
}

static const char *written(void)
{
    static char text[65536];
    vn_log_close();
    FILE *f = fopen(path, "r");
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    fclose(f);
    unlink(path);
    return text;
}

Test(log, pretty_line)
{
    begin(VN_LOG_PRETTY);
    VN_LOG(VN_LOG_WARN, "job.failed", "job=%s reason=\"%s\"", "j1", "two\nlines");
    VN_LOG(VN_LOG_DEBUG, "not.shown", "%s", "");
    const char *t = written();
    cr_assert_not_null(strstr(t, "Z  WARN tester: job.failed job=j1 reason=\"two\\nlines\"\n"), "%s", t);
    cr_assert_null(strstr(t, "not.shown"));
}

Test(log, json_is_json)
{
    begin(VN_LOG_JSON);
    VN_LOG(VN_LOG_INFO, "a.b", "n=12 z=007 id=abc text=\"say \"hi\" \\ there\" last=\"x\ty\"");
    const char *t = written();
    cr_assert_not_null(strstr(t, "\"level\":\"info\",\"process\":\"tester\",\"event\":\"a.b\",\"n\":12,\"z\":\"007\",\"id\":\"abc\","
                                 "\"text\":\"say \\\"hi\\\" \\\\ there\",\"last\":\"x\\u0009y\"}\n"), "%s", t);
}

Test(log, json_of_free_text_and_no_fields)
{
    begin(VN_LOG_JSON);
    vn_log_write(VN_LOG_INFO, "a", "%s", "");
    vn_log_write(VN_LOG_INFO, "b", "free words");
    const char *t = written();
    cr_assert_not_null(strstr(t, "\"event\":\"a\"}\n"), "%s", t);
    cr_assert_not_null(strstr(t, "\"event\":\"b\",\"text\":\"free words\"}\n"), "%s", t);
}

Test(log, long_fields_are_cut_and_the_line_still_ends)
{
    begin(VN_LOG_JSON);
    static char big[20000];
    memset(big, '\x01', sizeof big - 1);
    vn_log_write(VN_LOG_INFO, "a", "k=\"%s\"", big);
    const char *t = written();
    size_t n = strlen(t);
    cr_assert_gt(n, 3000);
    cr_assert_eq(t[n - 1], '\n');
}

Test(log, levels_and_formats_parse)
{
    enum vn_log_level l;
    enum vn_log_format f;
    cr_assert(vn_log_level_parse("debug", &l) && l == VN_LOG_DEBUG);
    cr_assert(vn_log_level_parse("foo=trace,INFO,warn", &l) && l == VN_LOG_INFO);
    cr_assert_not(vn_log_level_parse("foo=trace", &l));
    cr_assert_not(vn_log_level_parse("", &l));
    cr_assert(vn_log_format_parse("compact", &f) && f == VN_LOG_COMPACT);
    cr_assert_not(vn_log_format_parse("xml", &f));
}

Test(log, a_file_that_cannot_be_opened_is_told)
{
    struct vn_error err;
    cr_assert_eq(vn_log_open("t", VN_LOG_INFO, VN_LOG_PRETTY, "/nonexistent/dir/log", &err), VN_ERR_IO);
    cr_assert_not_null(strstr(err.text, "/nonexistent/dir/log"));
}

/* After the file was moved away lines go to a new one of the same name; a name that cannot be opened leaves the old file in use. */
Test(log, reopen)
{
    struct vn_error err = {0};
    char moved[80], text[4096];
    begin(VN_LOG_COMPACT);
    snprintf(moved, sizeof moved, "%s.1", path);
    VN_LOG(VN_LOG_INFO, "first", "%s", "");
    cr_assert_eq(rename(path, moved), 0);
    VN_LOG(VN_LOG_INFO, "second", "%s", "");
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(vn_log_reopen(&err), VN_ERR_IO);
    VN_LOG(VN_LOG_INFO, "third", "%s", "");
    cr_assert_eq(rmdir(path), 0);
    cr_assert_eq(vn_log_reopen(&err), VN_OK);
    VN_LOG(VN_LOG_INFO, "fourth", "%s", "");
    FILE *f = fopen(moved, "r");
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    unlink(moved);
    cr_assert(strstr(text, "first") && strstr(text, "second") && strstr(text, "third") && !strstr(text, "fourth"), "%s", text);
    const char *t = written();
    cr_assert(strstr(t, "fourth") && !strstr(t, "third"), "%s", t);
}

Test(log, reopen_without_a_file)
{
    cr_assert_eq(vn_log_open("tester", VN_LOG_INFO, VN_LOG_PRETTY, NULL, NULL), VN_OK);
    cr_assert_eq(vn_log_reopen(NULL), VN_OK);
}

Test(log, levels_of_components)
{
    begin(VN_LOG_PRETTY);
    vn_log_set_filter("warn,engine,job=trace,link=error,noise=loud,=debug");
    for (int level = VN_LOG_ERROR; level <= VN_LOG_TRACE; level++) {
        VN_LOG((enum vn_log_level)level, "engine.x", "level=e%d", level);
        VN_LOG((enum vn_log_level)level, "job.x", "level=j%d", level);
        VN_LOG((enum vn_log_level)level, "link.x", "level=l%d", level);
        VN_LOG((enum vn_log_level)level, "engines.x", "level=o%d", level);
        VN_LOG((enum vn_log_level)level, "noise.x", "level=n%d", level);
    }
    vn_log_set_filter(NULL);
    VN_LOG(VN_LOG_DEBUG, "engine.x", "%s", "after");
    static const char *const there[] = {"e0", "e3", "j0", "j4", "l0", "o0", "o2", "n2"}, *const missing[] = {"e4", "l1", "o3", "n3", "after"};
    const char *t = written();
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        cr_expect_not_null(strstr(t, there[i]), "%s", there[i]);
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        cr_expect_null(strstr(t, missing[i]), "%s", missing[i]);
}
