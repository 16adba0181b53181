/* A relay takes a piece from its source only while every worker of the job keeps up: after each few pieces it sends a heartbeat behind them, and the
 * answer says that they have been read, whatever lies between. So no queue on the way holds more than a few megabytes of hints, a slow worker
 * slows the source down (the socket fills, the client's push stays unanswered), and the loop never waits.
 * A source that cannot be read or breaks the rules of the stream fails the job; that is told to the core when things settle. */
#define _GNU_SOURCE
#include "services/scheduler/hints.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libshared/log.h"
#include "services/scheduler/hints_scan.h"

enum source { SOURCE_FILE, SOURCE_SOCKET, SOURCE_CLIENT };
enum state { EXPECTED, RUNNING, DONE, FAILED, OVER };

struct vn_relay {
    struct vn_relay *next;
    struct vn_scheduler *scheduler;
    char job_id[37];
    enum source source;
    enum state state;
    int fd;                  /* -1: none */
    int polled;              /* the loop watches fd */
    struct vn_hints_scan scan;
    uint32_t sequence;
    uint32_t pieces;         /* since the last mark */
    uint64_t bytes;
    uint8_t *pushed;         /* of the client: what has not been relayed yet */
    size_t pushed_len, pushed_used;
    int closed;              /* the client has pushed everything */
    struct vn_peer *pusher;  /* waits for an answer */
    uint64_t pusher_correlation;
    char text[512];          /* FAILED: why */
};

enum vn_status vn_hints_check_uri(const char *uri, struct vn_error *err)
{
    const char *scheme = strstr(uri, "://");
    const char *path = scheme ? scheme + 3 : uri;
    size_t n = scheme ? (size_t)(scheme - uri) : 0;
    if (scheme && n == 4 && strncmp(uri, "quic", n) == 0)
        return vn_fail(err, VN_ERR_UNSUPPORTED, "Hints from quic:// are not supported; use file:// or unix://");
    if (scheme && !(n == 4 && (strncmp(uri, "file", n) == 0 || strncmp(uri, "unix", n) == 0)))
        return vn_fail(err, VN_ERR_ARGUMENT, "Hints cannot come from %.200s; use file:// or unix://", uri);
    if (!*path)
        return vn_fail(err, VN_ERR_ARGUMENT, "The source of the hints has no path");
    if (scheme && strncmp(uri, "unix", n) == 0 && strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return vn_fail(err, VN_ERR_LIMIT, "The path of the hints' socket is too long");
    return VN_OK;
}

/* ---- the list ---- */

static struct vn_relay *find(struct vn_scheduler *s, const char *job_id)
{
    for (struct vn_relay *r = s->relays; r; r = r->next)
        if (strcmp(r->job_id, job_id) == 0)
            return r;
    return NULL;
}

static struct vn_relay *add(struct vn_scheduler *s, const struct vn_job *j, enum source source)
{
    struct vn_relay *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->scheduler = s;
    r->source = source;
    r->fd = -1;
    memcpy(r->job_id, j->id, sizeof r->job_id);
    r->next = s->relays;
    s->relays = r;
    return r;
}

static void unpoll(struct vn_relay *r)
{
    zmq_pollitem_t item = {.fd = r->fd, .events = ZMQ_POLLIN};
    if (r->polled)
        zloop_poller_end(r->scheduler->loop, &item);
    r->polled = 0;
}

static void answer(struct vn_relay *r)
{
    if (r->pusher)
        vn_peer_send(r->scheduler, r->pusher, VN_KIND_REPLY, r->pusher_correlation, NULL);
    r->pusher = NULL;
}

static void close_source(struct vn_relay *r)
{
    unpoll(r);
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    free(r->pushed);
    r->pushed = NULL;
    r->pushed_len = r->pushed_used = 0;
}

static void fail(struct vn_relay *r, const char *text)
{
    snprintf(r->text, sizeof r->text, "%s", text);
    r->state = FAILED;
    close_source(r);
}

/* ---- out ---- */

static struct vn_link *link_of(struct vn_scheduler *s, const struct vn_job *j, uint32_t rank)
{
    const struct vn_worker *w = j->members[rank].worker;
    return w ? vn_link_of_number(s, w->link) : NULL;
}

static void broadcast(struct vn_relay *r, const struct vn_job *j, Zisk__Distributed__Api__V1__StreamType type, const uint8_t *bytes, size_t n)
{
    Zisk__Distributed__Api__V1__CoordinatorMessage m = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__INIT;
    Zisk__Distributed__Api__V1__StreamData data = ZISK__DISTRIBUTED__API__V1__STREAM_DATA__INIT;
    Zisk__Distributed__Api__V1__StreamPayload payload = ZISK__DISTRIBUTED__API__V1__STREAM_PAYLOAD__INIT;
    payload.sequence_number = r->sequence++;
    payload.payload = (ProtobufCBinaryData){.len = n, .data = (uint8_t *)(uintptr_t)bytes};
    data.job_id = r->job_id;
    data.stream_type = type;
    data.payload = &payload;
    m.payload_case = ZISK__DISTRIBUTED__API__V1__COORDINATOR_MESSAGE__PAYLOAD_STREAM_DATA;
    m.stream_data = &data;
    for (uint32_t i = 0; i < j->n_members; i++) {
        struct vn_link *l = link_of(r->scheduler, j, i);
        if (l)
            vn_link_send(r->scheduler, l, &m);
    }
}

static void mark(struct vn_relay *r, const struct vn_job *j)
{
    if (++r->pieces < VN_HINTS_MARK_PIECES)
        return;
    r->pieces = 0;
    for (uint32_t i = 0; i < j->n_members; i++) {
        struct vn_link *l = link_of(r->scheduler, j, i);
        if (l) {
            l->marks++;
            vn_link_heartbeat(r->scheduler, l);
        }
    }
}

/* Every worker keeps up. */
static int has_room(struct vn_relay *r, const struct vn_job *j)
{
    for (uint32_t i = 0; i < j->n_members; i++) {
        const struct vn_link *l = link_of(r->scheduler, j, i);
        if (l && (l->marks >= VN_HINTS_MARKS || (l->peer && l->peer->outbox)))
            return 0;
    }
    return 1;
}

static void relay_piece(struct vn_relay *r, const struct vn_job *j, const uint8_t *bytes, size_t n)
{
    struct vn_error err;
    if (vn_hints_scan(&r->scan, bytes, n, &err) != VN_OK) {
        fail(r, err.text);
        return;
    }
    r->bytes += n;
    broadcast(r, j, ZISK__DISTRIBUTED__API__V1__STREAM_TYPE__STREAM_TYPE_DATA, bytes, n);
    mark(r, j);
}

static void finish(struct vn_relay *r, const struct vn_job *j)
{
    if (!r->scan.ended || r->scan.skip_words > 0) {
        fail(r, r->bytes ? "Hints end without END" : "Hints are empty");
        return;
    }
    broadcast(r, j, ZISK__DISTRIBUTED__API__V1__STREAM_TYPE__STREAM_TYPE_END, NULL, 0);
    VN_LOG(VN_LOG_INFO, "hints.relayed", "job=%s bytes=%llu", r->job_id, (unsigned long long)r->bytes);
    r->state = DONE;
    answer(r);
    close_source(r);
}

/* ---- in ---- */

static int on_source(zloop_t *loop, zmq_pollitem_t *item, void *arg);

static void wait_for_source(struct vn_relay *r)
{
    zmq_pollitem_t item = {.fd = r->fd, .events = ZMQ_POLLIN};
    if (r->polled)
        return;
    if (zloop_poller(r->scheduler->loop, &item, on_source, r) == 0)
        r->polled = 1;
    else
        fail(r, "Hints cannot be waited for: no memory");
}

/* Reads one piece, padded to whole words. Returns its bytes; 0 at the end or when there is nothing now (*more 0 or 1). */
static size_t read_piece(struct vn_relay *r, uint8_t *piece, int *more)
{
    ssize_t n;
    do
        n = r->source == SOURCE_SOCKET ? recv(r->fd, piece, VN_HINTS_PIECE, MSG_TRUNC) : read(r->fd, piece, VN_HINTS_PIECE);
    while (n < 0 && errno == EINTR);
    *more = 1;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    *more = 0;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return 0;
    if (n < 0 || n > VN_HINTS_PIECE) {
        char text[128];
        snprintf(text, sizeof text, n < 0 ? "Hints cannot be read: %s" : "Hints came in a packet of more than 131072 bytes", strerror(errno));
        fail(r, text);
        return 0;
    }
    size_t padded = ((size_t)n + 7) / 8 * 8;
    memset(piece + n, 0, padded - (size_t)n);
    return padded;
}

static void pump_fd(struct vn_relay *r, const struct vn_job *j)
{
    static uint8_t piece[VN_HINTS_PIECE + 8];
    while (r->state == RUNNING && has_room(r, j)) {
        int more;
        size_t n = read_piece(r, piece, &more);
        if (r->state != RUNNING)
            return;
        if (n > 0)
            relay_piece(r, j, piece, n);
        if (r->state == RUNNING && ((n == 0 && !more) || (r->scan.ended && r->source == SOURCE_SOCKET))) {
            finish(r, j);
            return;
        }
        if (n == 0 && r->state == RUNNING) {
            wait_for_source(r);
            return;
        }
    }
    if (r->state == RUNNING)
        unpoll(r); /* the workers' answers go on with it */
}

static void pump_client(struct vn_relay *r, const struct vn_job *j)
{
    while (r->state == RUNNING && r->pushed_used < r->pushed_len && has_room(r, j)) {
        size_t n = r->pushed_len - r->pushed_used;
        if (n > VN_HINTS_PIECE)
            n = VN_HINTS_PIECE;
        r->pushed_used += n;
        relay_piece(r, j, r->pushed + r->pushed_used - n, n);
    }
    if (r->state != RUNNING || r->pushed_used < r->pushed_len)
        return;
    free(r->pushed);
    r->pushed = NULL;
    r->pushed_len = r->pushed_used = 0;
    if (r->closed)
        finish(r, j);
    else
        answer(r);
}

static void pump(struct vn_relay *r)
{
    const struct vn_job *j = vn_core_job(r->scheduler->core, r->job_id);
    if (!j || r->state != RUNNING)
        return;
    if (r->source == SOURCE_CLIENT)
        pump_client(r, j);
    else
        pump_fd(r, j);
}

static int on_source(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void)loop;
    (void)item;
    struct vn_relay *r = arg;
    struct vn_scheduler *s = r->scheduler;
    pump(r);
    vn_scheduler_settle(s); /* r may be gone after it */
    return s->fatal != VN_OK ? -1 : 0;
}

static void open_file(struct vn_relay *r, const char *path)
{
    char text[512];
    struct stat st;
    r->source = SOURCE_FILE;
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0)
        snprintf(text, sizeof text, "Hints file %.300s cannot be opened: %s", path, strerror(errno));
    else if (fstat(r->fd, &st) == 0 && S_ISREG(st.st_mode))
        return;
    else
        snprintf(text, sizeof text, "Hints file %.300s is not a regular file", path);
    fail(r, text);
}

static void open_socket(struct vn_relay *r, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    r->source = SOURCE_SOCKET;
    r->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->fd >= 0 && connect(r->fd, (struct sockaddr *)&a, sizeof a) == 0)
        return;
    char text[512];
    snprintf(text, sizeof text, "Hints socket %.300s cannot be connected: %s", path, strerror(errno));
    fail(r, text);
}

/* ---- the job's life ---- */

void vn_hints_start(struct vn_scheduler *s, const struct vn_job *j)
{
    struct vn_relay *r = find(s, j->id);
    if (!r) {
        r = add(s, j, SOURCE_FILE);
        if (!r) {
            s->fatal = VN_ERR_MEMORY;
            return;
        }
        if (strncmp(j->hints_path, "unix://", 7) == 0)
            open_socket(r, j->hints_path + 7);
        else
            open_file(r, strncmp(j->hints_path, "file://", 7) == 0 ? j->hints_path + 7 : j->hints_path);
    }
    if (r->state == FAILED)
        return;
    r->state = RUNNING;
    for (uint32_t i = 0; i < j->n_members; i++) {
        struct vn_link *l = link_of(s, j, i);
        if (l)
            l->marks = 0;
    }
    broadcast(r, j, ZISK__DISTRIBUTED__API__V1__STREAM_TYPE__STREAM_TYPE_START, NULL, 0);
    pump(r);
}

void vn_hints_end(struct vn_scheduler *s, const struct vn_job *j)
{
    struct vn_relay *r = find(s, j->id);
    if (r)
        r->state = OVER;
}

void vn_hints_acked(struct vn_scheduler *s, struct vn_link *l)
{
    if (l->marks == 0)
        return;
    l->marks--;
    for (const struct vn_worker *w = vn_core_workers(s->core); w; w = w->next)
        if (w->link == l->number && w->job) {
            struct vn_relay *r = find(s, w->job->id);
            if (r)
                pump(r);
        }
}

/* Outboxes empty without telling anyone. */
void vn_hints_tick(struct vn_scheduler *s)
{
    for (struct vn_relay *r = s->relays; r; r = r->next)
        if (!r->polled)
            pump(r);
}

/* ---- the client's hints ---- */

static int keep(struct vn_relay *r, const uint8_t *bytes, size_t n)
{
    r->pushed = malloc(n + 1);
    if (!r->pushed)
        return 0;
    if (n > 0)
        memcpy(r->pushed, bytes, n);
    r->pushed_len = n;
    r->pushed_used = 0;
    return 1;
}

enum vn_status vn_hints_expect(struct vn_scheduler *s, const struct vn_job *j, const uint8_t *bytes, size_t n)
{
    struct vn_relay *r = add(s, j, SOURCE_CLIENT);
    if (!r)
        return VN_ERR_MEMORY;
    r->closed = bytes != NULL;
    return !bytes || keep(r, bytes, n) ? VN_OK : VN_ERR_MEMORY;
}

void vn_hints_push(struct vn_scheduler *s, struct vn_peer *p, uint64_t correlation, const struct vn_job *j, const uint8_t *bytes, size_t n)
{
    struct vn_relay *r = find(s, j->id);
    if (!r || r->source != SOURCE_CLIENT || r->state > RUNNING || r->closed)
        vn_peer_error(s, p, correlation, VN_ERR_ARGUMENT, "Job %s takes no hints now", j->id);
    else if (n % 8 != 0)
        vn_peer_error(s, p, correlation, VN_ERR_ARGUMENT, "A piece of hints must have a multiple of 8 bytes, not %zu", n);
    else if (r->pushed)
        vn_peer_error(s, p, correlation, VN_ERR_BUSY, "The piece of hints before this one is still on its way");
    else if (bytes && !keep(r, bytes, n))
        vn_peer_error(s, p, correlation, VN_ERR_MEMORY, "No memory for the hints");
    else {
        r->closed = bytes == NULL;
        r->pusher = p;
        r->pusher_correlation = correlation;
        if (r->closed && r->state == EXPECTED)
            answer(r); /* the job waits for workers; its end is not news */
        pump(r);
    }
}

void vn_hints_forget(struct vn_scheduler *s, const struct vn_peer *p)
{
    for (struct vn_relay *r = s->relays; r; r = r->next)
        if (r->pusher == p)
            r->pusher = NULL;
}

/* ---- settling ---- */

static void remove_relay(struct vn_scheduler *s, struct vn_relay **at)
{
    struct vn_relay *r = *at;
    *at = r->next;
    close_source(r);
    if (r->pusher)
        vn_peer_error(s, r->pusher, r->pusher_correlation, VN_ERR_CANCELLED, "Job %s has ended", r->job_id);
    free(r);
}

int vn_hints_settle(struct vn_scheduler *s)
{
    for (struct vn_relay **at = &s->relays; *at; at = &(*at)->next) {
        struct vn_relay *r = *at;
        if (r->state == OVER) {
            remove_relay(s, at);
            return 1;
        }
        if (r->state == FAILED && r->text[0]) {
            char text[512], id[37]; /* the step ends the relay */
            memcpy(text, r->text, sizeof text);
            memcpy(id, r->job_id, sizeof id);
            r->text[0] = 0;
            vn_scheduler_step(s, &(struct vn_event){.kind = VN_EVENT_FAIL, .job_id = id, .failure = VN_FAILURE_INPUT, .text = text});
            return 1;
        }
    }
    return 0;
}

void vn_hints_free(struct vn_scheduler *s)
{
    while (s->relays) {
        s->relays->pusher = NULL; /* its peer hears of the stop */
        remove_relay(s, &s->relays);
    }
}
