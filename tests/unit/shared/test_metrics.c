#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libshared/metrics.h"
#include "services/scheduler/scheduler_metrics.h"
#include "services/worker-agent/agent_metrics.h"

static const char *const sides[] = {"in", "out"};
static const char *const odd[] = {"a\"b", "c\\d", "e\nf"};
static const double bounds[] = {0.1, 1, 2.5e10};

enum { COUNTER, PLAIN, GAUGE, HISTOGRAM, N };
static const struct vn_metric table[N] = {
    [COUNTER] = {.name = "c_total", .kind = VN_METRIC_COUNTER, .help = "Counts \"this\" \\ and\nthat", .labels = {VN_METRIC_LABEL("side", sides), VN_METRIC_LABEL("odd", odd)}},
    [PLAIN] = {.name = "p_total", .kind = VN_METRIC_COUNTER, .help = "Plain."},
    [GAUGE] = {.name = "g", .kind = VN_METRIC_GAUGE, .help = "Gauge."},
    [HISTOGRAM] = {.name = "h", .kind = VN_METRIC_HISTOGRAM, .help = "Histogram.", .labels = {VN_METRIC_LABEL("side", sides)}, VN_METRIC_BOUNDS(bounds)},
};

static struct vn_metrics *fresh(void)
{
    struct vn_metrics *m;
    cr_assert_eq(vn_metrics_new(&m, table, N, NULL), VN_OK);
    return m;
}

Test(metrics, exposition_is_exactly_this)
{
    struct vn_metrics *m = fresh();
    vn_metrics_add(m, vn_metric2(COUNTER, 1, 0), 3);
    vn_metrics_add(m, vn_metric2(COUNTER, 1, 0), 4);
    vn_metrics_add(m, vn_metric2(COUNTER, 0, 2), UINT64_MAX);
    vn_metrics_add(m, vn_metric(PLAIN), 1);
    vn_metrics_set(m, vn_metric(GAUGE), -5);
    const double values[] = {0.05, 0.1, 0.11, 1, 2.5e10, 1e300, NAN};
    for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
        vn_metrics_observe(m, vn_metric1(HISTOGRAM, 1), values[i]);
    vn_metrics_observe(m, vn_metric1(HISTOGRAM, 0), INFINITY);
    char *text;
    size_t n;
    cr_assert_eq(vn_metrics_render(m, &text, &n), VN_OK);
    cr_assert_eq(strlen(text), n);
    cr_assert_str_eq(text,
        "# HELP c_total Counts \"this\" \\\\ and\\nthat\n"
        "# TYPE c_total counter\n"
        "c_total{side=\"in\",odd=\"a\\\"b\"} 0\n"
        "c_total{side=\"in\",odd=\"c\\\\d\"} 0\n"
        "c_total{side=\"in\",odd=\"e\\nf\"} 18446744073709551615\n"
        "c_total{side=\"out\",odd=\"a\\\"b\"} 7\n"
        "c_total{side=\"out\",odd=\"c\\\\d\"} 0\n"
        "c_total{side=\"out\",odd=\"e\\nf\"} 0\n"
        "# HELP p_total Plain.\n"
        "# TYPE p_total counter\n"
        "p_total 1\n"
        "# HELP g Gauge.\n"
        "# TYPE g gauge\n"
        "g -5\n"
        "# HELP h Histogram.\n"
        "# TYPE h histogram\n"
        "h_bucket{side=\"in\",le=\"0.1\"} 0\n"
        "h_bucket{side=\"in\",le=\"1\"} 0\n"
        "h_bucket{side=\"in\",le=\"2.5e+10\"} 0\n"
        "h_bucket{side=\"in\",le=\"+Inf\"} 1\n"
        "h_sum{side=\"in\"} +Inf\n"
        "h_count{side=\"in\"} 1\n"
        "h_bucket{side=\"out\",le=\"0.1\"} 2\n"
        "h_bucket{side=\"out\",le=\"1\"} 4\n"
        "h_bucket{side=\"out\",le=\"2.5e+10\"} 5\n"
        "h_bucket{side=\"out\",le=\"+Inf\"} 6\n"
        "h_sum{side=\"out\"} 1e+300\n"
        "h_count{side=\"out\"} 6\n");
    free(text);
    vn_metrics_free(m);
    vn_metrics_add(NULL, vn_metric(PLAIN), 1);
    vn_metrics_set(NULL, vn_metric(GAUGE), 1);
    vn_metrics_observe(NULL, vn_metric(HISTOGRAM), 1);
}

static void *count_up(void *m)
{
    for (int i = 0; i < 20000; i++) {
        vn_metrics_add(m, vn_metric(PLAIN), 1);
        vn_metrics_observe(m, vn_metric1(HISTOGRAM, 0), 0.5);
    }
    return NULL;
}

Test(metrics, threads_lose_no_update)
{
    struct vn_metrics *m = fresh();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, count_up, m), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    char *text;
    size_t n;
    cr_assert_eq(vn_metrics_render(m, &text, &n), VN_OK);
    cr_assert_not_null(strstr(text, "\np_total 80000\n"));
    cr_assert_not_null(strstr(text, "h_sum{side=\"in\"} 40000\n"));
    cr_assert_not_null(strstr(text, "h_count{side=\"in\"} 80000\n"));
    free(text);
    vn_metrics_free(m);
}

static enum vn_status try_table(const struct vn_metric *t, unsigned n, const char *reason)
{
    struct vn_metrics *m = NULL;
    struct vn_error err = {0};
    enum vn_status s = vn_metrics_new(&m, t, n, &err);
    if (reason)
        cr_assert_not_null(strstr(err.text, reason), "%s", err.text);
    vn_metrics_free(m);
    return s;
}

Test(metrics, faulty_tables_are_refused)
{
    static const char *const twice[] = {"a", "a"};
    static const char *const hole[] = {"a", NULL};
    static const double down[] = {2, 1};
    static const double endless[] = {1, INFINITY};
    static const struct {
        struct vn_metric d;
        const char *reason;
    } cases[] = {
        {{.name = NULL}, "name is not allowed"},
        {{.name = "1x", .kind = VN_METRIC_GAUGE, .help = "h"}, "name is not allowed"},
        {{.name = "a-b", .kind = VN_METRIC_GAUGE, .help = "h"}, "name is not allowed"},
        {{.name = "", .kind = VN_METRIC_GAUGE, .help = "h"}, "name is not allowed"},
        {{.name = "x", .kind = VN_METRIC_COUNTER, .help = "h"}, "_total"},
        {{.name = "x_total", .kind = VN_METRIC_GAUGE, .help = "h"}, "_total"},
        {{.name = "x", .kind = VN_METRIC_GAUGE}, "no help"},
        {{.name = "x", .kind = VN_METRIC_GAUGE, .help = "h", .labels = {VN_METRIC_LABEL("l", twice)}}, "same value twice"},
        {{.name = "x", .kind = VN_METRIC_GAUGE, .help = "h", .labels = {VN_METRIC_LABEL("l", hole)}}, "missing"},
        {{.name = "x", .kind = VN_METRIC_GAUGE, .help = "h", .labels = {VN_METRIC_LABEL("a:b", sides)}}, "label's name"},
        {{.name = "x", .kind = VN_METRIC_GAUGE, .help = "h", .labels = {VN_METRIC_LABEL("__x", sides)}}, "label's name"},
        {{.name = "x", .kind = VN_METRIC_GAUGE, .help = "h", .labels = {VN_METRIC_LABEL("l", sides), VN_METRIC_LABEL("l", sides)}}, "one name"},
        {{.name = "x", .kind = VN_METRIC_GAUGE, .help = "h", .labels = {{0}, VN_METRIC_LABEL("l", sides)}}, "unused"},
        {{.name = "x", .kind = VN_METRIC_GAUGE, .help = "h", .labels = {{"l", sides, 0}}}, "no values"},
        {{.name = "x", .kind = VN_METRIC_GAUGE, .help = "h", .labels = {{"l", sides, VN_METRICS_SERIES + 1}}}, "too many"},
        {{.name = "x", .kind = VN_METRIC_HISTOGRAM, .help = "h", .labels = {VN_METRIC_LABEL("le", sides)}, VN_METRIC_BOUNDS(bounds)}, "label's name"},
        {{.name = "x", .kind = VN_METRIC_HISTOGRAM, .help = "h"}, "have buckets"},
        {{.name = "x", .kind = VN_METRIC_GAUGE, .help = "h", VN_METRIC_BOUNDS(bounds)}, "have buckets"},
        {{.name = "x", .kind = VN_METRIC_HISTOGRAM, .help = "h", VN_METRIC_BOUNDS(down)}, "ascend"},
        {{.name = "x", .kind = VN_METRIC_HISTOGRAM, .help = "h", VN_METRIC_BOUNDS(endless)}, "ascend"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(try_table(&cases[i].d, 1, cases[i].reason), VN_ERR_INTERNAL, "case %u", i);

    static const struct vn_metric same[] = {{.name = "x", .kind = VN_METRIC_GAUGE, .help = "h"}, {.name = "x", .kind = VN_METRIC_GAUGE, .help = "h"}};
    cr_assert_eq(try_table(same, 2, "taken"), VN_ERR_INTERNAL);
    static const struct vn_metric derived[] = {{.name = "x_sum", .kind = VN_METRIC_GAUGE, .help = "h"},
                                               {.name = "x", .kind = VN_METRIC_HISTOGRAM, .help = "h", VN_METRIC_BOUNDS(bounds)}};
    cr_assert_eq(try_table(derived, 2, "taken"), VN_ERR_INTERNAL);
}

Test(metrics, the_processes_tables_are_in_order)
{
    cr_assert_eq(try_table(vn_scheduler_metrics, VN_SM_COUNT, NULL), VN_OK);
    cr_assert_eq(try_table(vn_agent_metrics, VN_AM_COUNT, NULL), VN_OK);
}

static int dial(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert_eq(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* The whole answer; the server closes. */
static const char *ask(uint16_t port, const char *request)
{
    static char answer[65536];
    int fd = dial(port);
    cr_assert_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    size_t n = 0;
    ssize_t got;
    while (n < sizeof answer - 1 && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0)
        n += (size_t)got;
    answer[n] = 0;
    close(fd);
    return answer;
}

#define TAIL " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

Test(metrics, http_answers)
{
    struct vn_metrics *m = fresh();
    struct vn_metrics_server *s;
    struct vn_error err;
    cr_assert_eq(vn_metrics_serve(&s, m, NULL, 0, &err), VN_OK, "%s", err.text);
    uint16_t port = vn_metrics_port(s);
    cr_assert_neq(port, 0);

    const char *a = ask(port, "GET /metrics" TAIL);
    cr_assert_eq(strncmp(a, "HTTP/1.1 200 ", 13), 0);
    cr_assert_not_null(strstr(a, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    cr_assert_not_null(strstr(a, "\np_total 0\n"));
    vn_metrics_add(m, vn_metric(PLAIN), 9);
    cr_assert_not_null(strstr(ask(port, "GET /metrics?name=x" TAIL), "\np_total 9\n"));

    a = ask(port, "GET /health" TAIL);
    cr_assert_eq(strncmp(a, "HTTP/1.1 200 ", 13), 0);
    cr_assert_str_eq(strstr(a, "\r\n\r\n"), "\r\n\r\nOK");
    a = ask(port, "HEAD /metrics" TAIL);
    cr_assert_eq(strncmp(a, "HTTP/1.1 200 ", 13), 0);
    cr_assert_str_eq(strstr(a, "\r\n\r\n"), "\r\n\r\n");

    static const char *const missing[] = {"GET /" TAIL, "GET /metrics/" TAIL, "GET /metricsx" TAIL, "GET /metrics%2f" TAIL, "POST /x" TAIL};
    for (unsigned i = 0; i < sizeof missing / sizeof missing[0]; i++)
        cr_assert_eq(strncmp(ask(port, missing[i]), "HTTP/1.1 404 ", 13), 0, "case %u", i);
    a = ask(port, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
    cr_assert_eq(strncmp(a, "HTTP/1.1 405 ", 13), 0);
    cr_assert_not_null(strstr(a, "Allow: GET, HEAD\r\n"));
    ask(port, "nonsense\r\n\r\n");
    cr_assert_eq(strncmp(ask(port, "GET /health" TAIL), "HTTP/1.1 200 ", 13), 0);

    vn_metrics_stop(s);
    vn_metrics_free(m);
}

Test(metrics, a_taken_port_is_an_error_of_the_caller)
{
    struct vn_metrics *m = fresh();
    struct vn_metrics_server *first, *second = NULL;
    struct vn_error err;
    cr_assert_eq(vn_metrics_serve(&first, m, "127.0.0.1", 0, &err), VN_OK);
    cr_assert_eq(vn_metrics_serve(&second, m, "127.0.0.1", vn_metrics_port(first), &err), VN_ERR_IO);
    char want[100];
    snprintf(want, sizeof want, "metrics: cannot listen on 127.0.0.1 port %u: Address already in use", (unsigned)vn_metrics_port(first));
    cr_assert_str_eq(err.text, want);
    cr_assert_null(second);
    cr_assert_eq(vn_metrics_serve(&second, m, "no such host", 0, &err), VN_ERR_ARGUMENT);
    vn_metrics_stop(first);
    vn_metrics_stop(NULL);
    vn_metrics_free(m);
}

/* More silent connections than the server takes at a time: it neither dies nor grows, and serves again as soon as one leaves. */
Test(metrics, connections_are_bounded, .timeout = 30)
{
    struct vn_metrics *m = fresh();
    struct vn_metrics_server *s;
    cr_assert_eq(vn_metrics_serve(&s, m, NULL, 0, NULL), VN_OK);
    enum { MANY = VN_METRICS_CONNECTIONS + 8 };
    int silent[MANY];
    for (int i = 0; i < MANY; i++)
        silent[i] = dial(vn_metrics_port(s));
    for (int i = 0; i < MANY; i++)
        close(silent[i]);
    cr_assert_eq(strncmp(ask(vn_metrics_port(s), "GET /health" TAIL), "HTTP/1.1 200 ", 13), 0);
    vn_metrics_stop(s);
    vn_metrics_free(m);
}

/* Nothing the server opens may reach a child, and its thread handles no signal. */
Test(metrics, leaves_the_process_alone)
{
    sigset_t before, after;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    struct vn_metrics *m = fresh();
    struct vn_metrics_server *s;
    enum { FDS = 256 };
    int open_before[FDS];
    for (int fd = 0; fd < FDS; fd++)
        open_before[fd] = fcntl(fd, F_GETFD) >= 0;
    cr_assert_eq(vn_metrics_serve(&s, m, NULL, 0, NULL), VN_OK);
    int open_connection = dial(vn_metrics_port(s));
    ask(vn_metrics_port(s), "GET /health" TAIL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    cr_assert(sigismember(&after, SIGUSR1) && !sigismember(&after, SIGTERM));
    for (int fd = 0; fd < FDS; fd++) {
        int flags = fcntl(fd, F_GETFD);
        cr_assert(open_before[fd] || flags < 0 || (flags & FD_CLOEXEC), "descriptor %d", fd);
    }
    DIR *tasks = opendir("/proc/self/task");
    unsigned servers = 0;
    for (struct dirent *d = readdir(tasks); d; d = readdir(tasks)) {
        char path[300], line[200];
        int server = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", d->d_name);
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof line, f)) {
            server |= strncmp(line, "Name:\tMHD", 9) == 0;
            if (!server || strncmp(line, "SigBlk:", 7) != 0)
                continue;
            unsigned long long blocked = strtoull(line + 7, NULL, 16);
            cr_assert(blocked >> (SIGTERM - 1) & blocked >> (SIGINT - 1) & blocked >> (SIGCHLD - 1) & blocked >> (SIGPIPE - 1) & 1);
            servers++;
        }
        if (f)
            fclose(f);
    }
    closedir(tasks);
    cr_assert_eq(servers, 1);
    close(open_connection);
    vn_metrics_stop(s);
    vn_metrics_free(m);
}
