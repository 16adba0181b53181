/* A line is put together in one buffer and leaves in one write for each destination, so that lines of several threads and processes do not mix.
 * The fields arrive as text `key=value key="quoted value"`. Pretty and compact print them as they are, with control characters made visible; JSON
 * takes them apart again. A quoted value ends at the quote that is followed by the end or by another `key=`, so quotes inside it do no harm. */
#include "libshared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_FIELDS = 3072, /* bytes of a line's fields; the rest is cut off */
    MAX_LINE = 16384,  /* JSON may need six bytes for one */
    MAX_COMPONENTS = 16,
    MAX_COMPONENT = 24,
};

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};
static const char *const level_labels[] = {"ERROR", " WARN", " INFO", "DEBUG", "TRACE"};
static const char *const format_names[] = {"pretty", "json", "compact"};

static struct {
    pthread_mutex_t lock;
    atomic_int level;     /* the most talkative one anybody has */
    atomic_int base;      /* of components without a level of their own */
    enum vn_log_format format;
    char process[32];
    int file;
    char path[4096];
    struct {
        char name[MAX_COMPONENT];
        int level;
    } components[MAX_COMPONENTS];
    unsigned n_components;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = VN_LOG_INFO, .base = VN_LOG_INFO, .process = "venus", .file = -1};

struct line {
    char text[MAX_LINE];
    size_t len;
};

static void put(struct line *l, const char *s, size_t n)
{
    if (n > sizeof l->text - 2 - l->len)
        n = sizeof l->text - 2 - l->len;
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

static void puts_line(struct line *l, const char *s) { put(l, s, strlen(s)); }

static void put_visible(struct line *l, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\n')
            put(l, "\\n", 2);
        else
            put(l, c < 0x20 || c == 0x7f ? " " : s, 1);
    }
}

static void put_json_string(struct line *l, const char *s, size_t n)
{
    put(l, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        char esc[8];
        if (c == '"' || c == '\\') {
            esc[0] = '\\';
            esc[1] = (char)c;
            put(l, esc, 2);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(esc, sizeof esc, "\\u%04x", c);
            put(l, esc, 6);
        } else {
            put(l, s + i, 1);
        }
    }
    put(l, "\"", 1);
}

static int is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/* Length of the key if `key=` starts here, else 0. */
static size_t key_at(const char *s)
{
    size_t n = 0;
    while (is_key_char(s[n]))
        n++;
    return s[n] == '=' ? n : 0;
}

static int is_json_integer(const char *s, size_t n)
{
    if (n == 0 || n > 19 || (s[0] == '0' && n > 1))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9')
            return 0;
    return 1;
}

static size_t quoted_end(const char *s)
{
    size_t i = 0;
    for (; s[i]; i++)
        if (s[i] == '"' && (s[i + 1] == 0 || (s[i + 1] == ' ' && key_at(s + i + 2))))
            return i;
    return i;
}

static void put_json_fields(struct line *l, const char *s)
{
    while (*s) {
        while (*s == ' ')
            s++;
        size_t key = key_at(s);
        if (key == 0) {
            if (*s) {
                puts_line(l, ",\"text\":");
                put_json_string(l, s, strlen(s));
            }
            return;
        }
        put(l, ",", 1);
        put_json_string(l, s, key);
        put(l, ":", 1);
        s += key + 1;
        if (*s == '"') {
            size_t n = quoted_end(s + 1);
            put_json_string(l, s + 1, n);
            s += 1 + n;
            if (*s == '"')
                s++;
        } else {
            size_t n = strcspn(s, " ");
            if (is_json_integer(s, n))
                put(l, s, n);
            else
                put_json_string(l, s, n);
            s += n;
        }
    }
}

static void format_line(struct line *l, enum vn_log_level level, const char *event, const char *fields)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm tm;
    gmtime_r(&now.tv_sec, &tm);
    char stamp[40];
    size_t n = strftime(stamp, sizeof stamp, state.format == VN_LOG_COMPACT ? "%H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(stamp + n, sizeof stamp - n, ".%03ld%s", now.tv_nsec / 1000000, state.format == VN_LOG_COMPACT ? "" : "Z");

    l->len = 0;
    if (state.format == VN_LOG_JSON) {
        puts_line(l, "{\"time\":");
        put_json_string(l, stamp, strlen(stamp));
        puts_line(l, ",\"level\":");
        put_json_string(l, level_names[level], strlen(level_names[level]));
        puts_line(l, ",\"process\":");
        put_json_string(l, state.process, strlen(state.process));
        puts_line(l, ",\"event\":");
        put_json_string(l, event, strlen(event));
        put_json_fields(l, fields);
        puts_line(l, "}");
    } else {
        puts_line(l, stamp);
        puts_line(l, " ");
        puts_line(l, level_labels[level]);
        puts_line(l, " ");
        if (state.format == VN_LOG_PRETTY) {
            puts_line(l, state.process);
            puts_line(l, ": ");
        }
        puts_line(l, event);
        if (*fields) {
            puts_line(l, " ");
            put_visible(l, fields);
        }
    }
    l->text[l->len++] = '\n';
}

/* A log that cannot be written has nowhere to say so. */
static void write_all(int fd, const char *s, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, s, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return;
        s += w;
        n -= (size_t)w;
    }
}

static enum vn_status open_file(int *fd, const char *path, struct vn_error *err)
{
    *fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    return *fd >= 0 ? VN_OK : vn_fail(err, VN_ERR_IO, "cannot open the log file %s: %s", path, strerror(errno));
}

enum vn_status vn_log_open(const char *process, enum vn_log_level level, enum vn_log_format format, const char *path, struct vn_error *err)
{
    int fd = -1;
    if (path && *path) {
        if (strlen(path) >= sizeof state.path)
            return vn_fail(err, VN_ERR_ARGUMENT, "the log file's path is too long");
        enum vn_status s = open_file(&fd, path, err);
        if (s != VN_OK)
            return s;
    }
    pthread_mutex_lock(&state.lock);
    if (state.file >= 0)
        close(state.file);
    state.file = fd;
    snprintf(state.path, sizeof state.path, "%s", path ? path : "");
    state.format = format;
    snprintf(state.process, sizeof state.process, "%s", process);
    pthread_mutex_unlock(&state.lock);
    vn_log_set_level(level);
    return VN_OK;
}

/* The new file takes the old one's place in one step; lines are written under the same lock. */
enum vn_status vn_log_reopen(struct vn_error *err)
{
    enum vn_status s = VN_OK;
    pthread_mutex_lock(&state.lock);
    if (state.file >= 0) {
        int fd;
        s = open_file(&fd, state.path, err);
        if (s == VN_OK) {
            close(state.file);
            state.file = fd;
        }
    }
    pthread_mutex_unlock(&state.lock);
    return s;
}

void vn_log_close(void)
{
    pthread_mutex_lock(&state.lock);
    if (state.file >= 0)
        close(state.file);
    state.file = -1;
    pthread_mutex_unlock(&state.lock);
}

static void settle_level(void)
{
    int level = atomic_load(&state.base);
    for (unsigned i = 0; i < state.n_components; i++)
        if (state.components[i].level > level)
            level = state.components[i].level;
    atomic_store(&state.level, level);
}

void vn_log_set_level(enum vn_log_level level)
{
    pthread_mutex_lock(&state.lock);
    atomic_store(&state.base, (int)level);
    settle_level();
    pthread_mutex_unlock(&state.lock);
}

static int find_name(const char *text, size_t n, const char *const *names, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (strlen(names[i]) == n && strncasecmp(names[i], text, n) == 0)
            return (int)i;
    return -1;
}

static void add_component(const char *text, size_t n)
{
    size_t name = 0;
    while (name < n && text[name] != '=')
        name++;
    int level = name == n ? VN_LOG_DEBUG : find_name(text + name + 1, n - name - 1, level_names, 5);
    if (name == 0 || name >= MAX_COMPONENT || level < 0 || state.n_components == MAX_COMPONENTS || (name == n && find_name(text, n, level_names, 5) >= 0))
        return;
    memcpy(state.components[state.n_components].name, text, name);
    state.components[state.n_components].name[name] = 0;
    state.components[state.n_components++].level = level;
}

void vn_log_set_filter(const char *filter)
{
    pthread_mutex_lock(&state.lock);
    state.n_components = 0;
    for (const char *s = filter; s && *s;) {
        size_t n = strcspn(s, ",");
        add_component(s, n);
        s += n;
        if (*s == ',')
            s++;
    }
    settle_level();
    pthread_mutex_unlock(&state.lock);
}

/* Of the component that the event belongs to; the caller holds the lock. */
static int event_level(const char *event)
{
    size_t n = strcspn(event, ".");
    for (unsigned i = 0; i < state.n_components; i++)
        if (strlen(state.components[i].name) == n && memcmp(state.components[i].name, event, n) == 0)
            return state.components[i].level;
    return atomic_load(&state.base);
}

int vn_log_enabled(enum vn_log_level level) { return (int)level <= atomic_load(&state.level); }

void vn_log_write(enum vn_log_level level, const char *event, const char *fields, ...)
{
    char text[MAX_FIELDS];
    va_list ap;
    va_start(ap, fields);
    int n = vsnprintf(text, sizeof text, fields, ap);
    va_end(ap);
    if (n < 0)
        text[0] = 0;

    struct line l;
    pthread_mutex_lock(&state.lock);
    if (state.n_components > 0 && (int)level > event_level(event)) {
        pthread_mutex_unlock(&state.lock);
        return;
    }
    format_line(&l, level, event, text);
    write_all(STDERR_FILENO, l.text, l.len);
    if (state.file >= 0)
        write_all(state.file, l.text, l.len);
    pthread_mutex_unlock(&state.lock);
}

int vn_log_level_parse(const char *text, enum vn_log_level *out)
{
    for (const char *s = text;; s++) {
        size_t n = strcspn(s, ",");
        int i = find_name(s, n, level_names, 5);
        if (i >= 0) {
            *out = (enum vn_log_level)i;
            return 1;
        }
        s += n;
        if (*s == 0)
            return 0;
    }
}

int vn_log_format_parse(const char *text, enum vn_log_format *out)
{
    int i = find_name(text, strlen(text), format_names, 3);
    if (i < 0)
        return 0;
    *out = (enum vn_log_format)i;
    return 1;
}
