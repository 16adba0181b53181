/* libmicrohttpd with one internal thread. We open the listening socket ourselves: that gives a plain reason when it cannot be had, and the number
 * of the port the kernel chose. The thread is started with all signals blocked, so that none of the process's is ever handled there. */
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libshared/metrics.h"

#define CONNECTION_BYTES 16384u /* request line and headers of one connection */

struct vn_metrics_server {
    struct vn_metrics *metrics;
    struct MHD_Daemon *daemon;
    uint16_t port;
};

static enum MHD_Result reply(struct MHD_Connection *c, unsigned code, const char *type, const char *allow, char *body, size_t n,
                             enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(n, body, mode);
    if (!r) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(body);
        return MHD_NO;
    }
    enum MHD_Result ok = MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (ok == MHD_YES && allow)
        ok = MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, allow);
    if (ok == MHD_YES)
        ok = MHD_queue_response(c, code, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result reply_text(struct MHD_Connection *c, unsigned code, const char *allow, const char *text)
{
    return reply(c, code, "text/plain; charset=utf-8", allow, (char *)(uintptr_t)text, strlen(text), MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result answer(void *self, struct MHD_Connection *c, const char *path, const char *method, const char *version, const char *upload,
                              size_t *upload_len, void **request)
{
    (void)version;
    (void)upload;
    (void)upload_len;
    (void)request;
    struct vn_metrics_server *s = self;
    int is_metrics = strcmp(path, "/metrics") == 0;
    if (!is_metrics && strcmp(path, "/health") != 0)
        return reply_text(c, MHD_HTTP_NOT_FOUND, NULL, "Not found: there are /metrics and /health\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return reply_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD", "Only GET and HEAD\n");
    if (!is_metrics)
        return reply_text(c, MHD_HTTP_OK, NULL, "OK");
    char *text;
    size_t n;
    if (vn_metrics_render(s->metrics, &text, &n) != VN_OK)
        return reply_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, NULL, "Out of memory\n");
    return reply(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", NULL, text, n, MHD_RESPMEM_MUST_FREE);
}

/* What goes wrong on a scraper's connection is the scraper's affair. */
static void discard_log(void *self, const char *format, va_list args)
{
    (void)self;
    (void)format;
    (void)args;
}

static enum vn_status listen_on(int *out, uint16_t *out_port, const char *host, uint16_t port, struct vn_error *err)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0)
        return vn_fail(err, VN_ERR_ARGUMENT, "metrics: unknown host \"%s\": %s", host, gai_strerror(code));
    int fd = -1, reason = EADDRNOTAVAIL;
    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
        const int one = 1;
        if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0 &&
            listen(fd, (int)VN_METRICS_CONNECTIONS) == 0)
            break;
        reason = errno;
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    if (fd >= 0 && getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        reason = errno;
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        return vn_fail(err, VN_ERR_IO, "metrics: cannot listen on %s port %u: %s", host, (unsigned)port, strerror(reason));
    *out_port = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port : ((struct sockaddr_in *)&at)->sin_port);
    *out = fd;
    return VN_OK;
}

enum vn_status vn_metrics_serve(struct vn_metrics_server **s, struct vn_metrics *m, const char *host, uint16_t port, struct vn_error *err)
{
    struct vn_metrics_server *x = calloc(1, sizeof *x);
    if (!x)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the metrics server");
    x->metrics = m;
    int fd = -1;
    enum vn_status status = listen_on(&fd, &x->port, host ? host : "127.0.0.1", port, err);
    if (status != VN_OK) {
        free(x);
        return status;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    x->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, answer, x,
                                 MHD_OPTION_EXTERNAL_LOGGER, discard_log, NULL,
                                 MHD_OPTION_LISTEN_SOCKET, fd,
                                 MHD_OPTION_CONNECTION_LIMIT, VN_METRICS_CONNECTIONS,
                                 MHD_OPTION_CONNECTION_TIMEOUT, VN_METRICS_IDLE_S,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                                 MHD_OPTION_END);
    int reason = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!x->daemon) { /* fd is left alone: whether the library has closed it depends on how far it came */
        free(x);
        return vn_fail(err, VN_ERR_IO, "metrics: the HTTP server does not start: %s", strerror(reason));
    }
    *s = x;
    return VN_OK;
}

uint16_t vn_metrics_port(const struct vn_metrics_server *s) { return s->port; }

void vn_metrics_stop(struct vn_metrics_server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    free(s);
}
