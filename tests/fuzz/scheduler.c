/* Messages on the scheduler's bus: any peer, any kind, any order. The process is the real one (its main.c is included) over a bus that only listens, a
 * clock that moves when the input says so, ids that count up, and no children.
 *
 * The input is a list of messages: peer, kind, correlation (a byte each), length of the body (2), body. Kind 0 lets time pass. The mutator keeps
 * messages whole: it repeats, drops, exchanges and redirects them, or changes one body. */
#include <stdarg.h>

#define main venus_scheduler_main
#include "services/scheduler/main.c"
#undef main

#include "bus.pb-c.h"
#include "tests/fuzz/fuzz.h"

enum { HEAD = 5, MAX_MESSAGES = 64, PEERS = 4 };

/* ---- what the process stands on ---- */

static uint64_t now_ns;
static unsigned ids;

uint64_t __wrap_vn_clock_monotonic_ns(void);
uint64_t __wrap_vn_clock_wall_ns(void);
void __wrap_vn_uuid(char out[37], int hyphens);
enum vn_status __wrap_vn_child_spawn_output(struct vn_child *c, const char *path, char *const argv[], int output, const int *fds, unsigned n_fds, struct vn_error *err);

void __wrap_vn_log_write(enum vn_log_level level, const char *event, const char *fields, ...) __attribute__((format(printf, 3, 4)));

uint64_t __wrap_vn_clock_monotonic_ns(void) { return now_ns; }
uint64_t __wrap_vn_clock_wall_ns(void) { return now_ns + UINT64_C(1700000000000000000); }

void __wrap_vn_uuid(char out[37], int hyphens)
{
    snprintf(out, 37, hyphens ? "00000000-0000-4000-8000-%012u" : "0000000000004000%016u", ++ids % 1000000);
}

/* The line is made and thrown away. */
void __wrap_vn_log_write(enum vn_log_level level, const char *event, const char *fields, ...)
{
    char line[4096];
    va_list args;
    (void)level;
    must(event[0]);
    va_start(args, fields);
    vsnprintf(line, sizeof line, fields, args);
    va_end(args);
}

enum vn_status __wrap_vn_child_spawn_output(struct vn_child *c, const char *path, char *const argv[], int output, const int *fds, unsigned n_fds, struct vn_error *err)
{
    (void)path, (void)argv, (void)output, (void)fds, (void)n_fds;
    c->pidfd = -1;
    return vn_fail(err, VN_ERR_IO, "no children here");
}

enum vn_status vn_bus_server_open(struct vn_bus_server **s, const char *const *endpoints, struct vn_error *err)
{
    (void)endpoints;
    *s = NULL;
    return vn_fail(err, VN_ERR_IO, "no bus here");
}

void vn_bus_server_close(struct vn_bus_server *s) { (void)s; }
void *vn_bus_server_zsock(struct vn_bus_server *s) { return s; }
const char *vn_bus_server_endpoint(struct vn_bus_server *s) { (void)s; return ""; }
void vn_bus_message_fini(struct vn_bus_message *m) { (void)m; }

enum vn_status vn_bus_server_recv(struct vn_bus_server *s, struct vn_bus_peer *from, struct vn_bus_message *out)
{
    (void)s, (void)from, (void)out;
    return VN_ERR_BUSY;
}

/* What goes out: errors are readable and have a status; a peer whose number is odd does not always read. */
enum vn_status vn_bus_server_send(struct vn_bus_server *s, const struct vn_bus_peer *to, const struct vn_bus_message *m)
{
    (void)s;
    if (m->kind == VN_KIND_ERROR) {
        Venus__Bus__V1__Error *e = venus__bus__v1__error__unpack(NULL, m->body_len, m->body);
        must(e && e->status > VN_OK && e->status < VN_STATUS_COUNT && e->text[0]);
        venus__bus__v1__error__free_unpacked(e, NULL);
    }
    if (to->id[0] == PEERS - 1)
        return now_ns / SECOND % 2 ? VN_ERR_BUSY : VN_ERR_NOT_FOUND;
    return VN_OK;
}

/* ---- the conversation ---- */

static char folder[128];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    snprintf(folder, sizeof folder, "%s", fuzz_directory(NULL));
    setenv("TMPDIR", folder, 1); /* temporary proofs */
    return 0;
}

static void open_scheduler(struct vn_scheduler *s)
{
    static char program[] = "fuzz", nowhere[] = "no-engine";
    char *argv[] = {program, NULL};
    struct vn_error err = {0};
    int done = 0;
    now_ns = SECOND;
    ids = 0;
    must(vn_config_load(&spec, &s->config, 1, argv, NULL, NULL, &done, &err) == VN_OK);
    s->config.no_save_proofs = 1;
    s->config.max_queued = 3;
    free(s->config.programs_dir);
    s->config.programs_dir = strdup(folder);
    snprintf(s->engine, sizeof s->engine, "%s", nowhere);
    must(open_core(s) == VN_OK && vn_report_open(s, &err) == VN_OK);
    s->loop = zloop_new();
    must(s->loop);
    s->started_ns = now_ns;
    vn_log_set_level(VN_LOG_TRACE);
    vn_log_set_filter(NULL);
}

static void take_message(struct vn_scheduler *s, unsigned peer, unsigned kind, unsigned correlation, const uint8_t *body, size_t len)
{
    struct vn_bus_peer from = {.id = {(uint8_t)(peer % PEERS)}, .len = 1};
    uint8_t *exact = malloc(len ? len : 1); /* so that reading past it is seen */
    must(exact);
    memcpy(exact, body, len);
    struct vn_bus_message m = {.kind = (uint16_t)kind, .correlation = correlation, .body = exact, .body_len = len};
    receive(s, &from, &m);
    free(exact);
    vn_scheduler_settle(s);
}

static void pass_time(struct vn_scheduler *s, unsigned seconds)
{
    now_ns += seconds * SECOND + SECOND / 10;
    on_timer(s->loop, 0, s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vn_scheduler s;
    struct fuzz_reader r = {data, data + size};
    memset(&s, 0, sizeof s);
    open_scheduler(&s);
    for (unsigned i = 0; i < MAX_MESSAGES && fuzz_left(&r) >= HEAD; i++) {
        unsigned peer = fuzz_u8(&r), kind = fuzz_u8(&r), correlation = fuzz_u8(&r);
        size_t len = fuzz_u16(&r);
        len = len < fuzz_left(&r) ? len : fuzz_left(&r);
        if (kind == 0)
            pass_time(&s, correlation);
        else
            take_message(&s, peer, kind, correlation, r.at, len);
        must(s.fatal == VN_OK);
        r.at += len;
    }
    cancel_jobs(&s);
    vn_streams_shutdown(&s);
    vn_scheduler_settle(&s);
    must(s.fatal == VN_OK);
    close_all(&s);
    vn_config_fini(&spec, &s.config);
    return 0;
}

/* ---- mutations ---- */

struct span {
    size_t at, len;
};

static size_t split(const uint8_t *data, size_t size, struct span *out)
{
    size_t n = 0, at = 0;
    while (n < MAX_MESSAGES && size - at >= HEAD) {
        size_t len = HEAD + (data[at + 3] | (size_t)data[at + 4] << 8);
        len = len < size - at ? len : size - at;
        out[n++] = (struct span){at, len};
        at += len;
    }
    return n;
}

static size_t put_message(uint8_t *out, size_t at, size_t max, const uint8_t *message, size_t len)
{
    if (len > max - at)
        return at;
    memcpy(out + at, message, len);
    return at + len;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static const uint8_t kinds[] = {0, 2, 4, 5, 16, 17, 18, 19, 20, 21, 22, 32, 33, 34, 35, 36, 37, 38, 40, 41, 51, 64, 64, 64, 66};
    static uint8_t copy[1 << 16], body[1 << 16];
    struct span m[MAX_MESSAGES];
    uint64_t state = seed;
    if (size > sizeof copy)
        size = sizeof copy;
    size_t n = split(data, size, m), out = 0;
    if (n == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    memcpy(copy, data, size);
    size_t i = fuzz_random(&state) % n, j = fuzz_random(&state) % n;
    unsigned what = (unsigned)(fuzz_random(&state) % 8);
    for (size_t k = 0; k < n; k++) {
        struct span from = m[k];
        if (k == i && what == 0) /* dropped */
            continue;
        if (what == 1 && (k == i || k == j)) /* exchanged */
            from = m[k == i ? j : i];
        if (k == i && what == 2) /* another comes before it */
            out = put_message(data, out, max_size, copy + m[j].at, m[j].len);
        if (k == i && what >= 4) { /* its body changed */
            size_t len = from.len - HEAD;
            memcpy(body, copy + from.at, from.len);
            len = LLVMFuzzerMutate(body + HEAD, len, 4096 > len ? 4096 : len);
            body[3] = (uint8_t)len;
            body[4] = (uint8_t)(len >> 8);
            out = put_message(data, out, max_size, body, HEAD + len);
            continue;
        }
        size_t at = out;
        out = put_message(data, out, max_size, copy + from.at, from.len);
        if (k == i && what == 3 && out > at) { /* redirected */
            data[at] = (uint8_t)(fuzz_random(&state) % PEERS);
            if (fuzz_random(&state) % 2)
                data[at + 1] = kinds[fuzz_random(&state) % sizeof kinds];
            data[at + 2] = (uint8_t)(fuzz_random(&state) % 4);
        }
    }
    return out;
}
