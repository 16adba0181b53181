/* One thread drives up to VN_WEBHOOK_PARALLEL transfers with curl's multi interface. The caller's thread puts deliveries into `inbox` and wakes it;
 * the thread takes them into `waiting`, which is its own, and moves each into a free slot when its time has come. An attempt ends as a result in
 * `results`, with the eventfd counted up. A delivery that failed and has retries left goes back to `waiting` with a later time; its body is built anew
 * then, so that deliveries that pause hold only their proofs. The body depends on nothing but the event, so every attempt sends the same bytes.
 *
 * The last result of a delivery lies in the delivery itself and cannot fail; those of attempts before it are left out when memory is short. */
#include "services/scheduler/webhook.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libshared/log.h"
#include "libshared/process.h"

#define NS_PER_MS 1000000u

struct result_node {
    struct result_node *next;
    size_t bytes;              /* of the proof; counts against the maximum until collected */
    struct vn_webhook_result r;
};

struct delivery {
    struct result_node last;   /* first: freed as a whole when collected */
    struct delivery *next;
    struct vn_webhook_event event; /* its pointers are to own copies */
    char *text[3];             /* job id, error code, error message */
    uint8_t *proof;
    unsigned attempts;
    uint64_t due_ns;
};

struct slot {
    struct delivery *d;        /* NULL: free */
    CURL *easy;
    struct curl_slist *headers;
    char *body, *url;
    size_t body_len, answer_bytes;
    uint64_t started_ns;
    char reason[CURL_ERROR_SIZE];
};

struct vn_webhook {
    struct vn_webhook_config config;
    char *url, *secret;
    CURLM *multi;
    pthread_t thread;
    int has_thread, event;

    pthread_mutex_t lock;      /* of everything below */
    struct delivery *inbox, **inbox_end;
    struct result_node *results, **results_end;
    unsigned n_events;
    size_t n_bytes;
    int stopping;
    uint64_t give_up_ns;

    struct delivery *waiting;  /* the thread's own, in the order they came */
    struct slot slots[VN_WEBHOOK_PARALLEL];
};

enum vn_status vn_webhook_check_url(const char *url, struct vn_error *err)
{
    if (strlen(url) > VN_WEBHOOK_MAX_URL)
        return vn_fail(err, VN_ERR_ARGUMENT, "the webhook URL is longer than %u bytes", VN_WEBHOOK_MAX_URL);
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p > '~')
            return vn_fail(err, VN_ERR_ARGUMENT, "the webhook URL has other than printable ASCII characters; write them as %%XX");
    if (strchr(url, '#'))
        return vn_fail(err, VN_ERR_ARGUMENT, "the webhook URL has a fragment (#), which HTTP does not send");
    const char *host_at = strstr(url, "://"); /* looked at in the template: an appended job id would pass for a host */
    if (host_at && strchr("/?", host_at[3]))
        return vn_fail(err, VN_ERR_ARGUMENT, "the webhook URL names no host");
    char *sample;
    if (vn_webhook_url(&sample, url, "00000000-0000-0000-0000-000000000000") != VN_OK)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the webhook URL");
    const char *brace = strpbrk(sample, "{}");
    CURLU *u = curl_url();
    CURLUcode code = u ? curl_url_set(u, CURLUPART_URL, sample, CURLU_NON_SUPPORT_SCHEME) : CURLUE_OUT_OF_MEMORY;
    char *scheme = NULL;
    if (code == CURLUE_OK)
        code = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    enum vn_status status = VN_OK;
    if (brace)
        status = vn_fail(err, VN_ERR_ARGUMENT, "the webhook URL has braces other than " VN_WEBHOOK_TOKEN "; a shell replaces $job_id unless it stands in single quotes");
    else if (scheme && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        status = vn_fail(err, VN_ERR_ARGUMENT, "the webhook URL must begin with http:// or https://");
    else if (code != CURLUE_OK)
        status = vn_fail(err, VN_ERR_ARGUMENT, "the webhook URL cannot be read: %s", curl_url_strerror(code));
    curl_free(scheme);
    curl_url_cleanup(u);
    free(sample);
    return status;
}

static void delivery_free(struct delivery *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < 3; i++)
        free(d->text[i]);
    free(d->proof);
    free(d);
}

static void push_result(struct vn_webhook *w, struct result_node *n)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&w->lock);
    n->next = NULL;
    *w->results_end = n;
    w->results_end = &n->next;
    pthread_mutex_unlock(&w->lock);
    /* The counter cannot overflow, so this cannot block. */
    ssize_t written = write(w->event, &one, sizeof one);
    assert(written == (ssize_t)sizeof one);
}

/* Ends the delivery; d belongs to the results from here on. */
static void end_delivery(struct vn_webhook *w, struct delivery *d, const struct vn_webhook_result *r)
{
    d->last.r = *r;
    d->last.r.final = 1;
    for (unsigned i = 0; i < 3; i++) {
        free(d->text[i]);
        d->text[i] = NULL;
    }
    free(d->proof);
    d->proof = NULL;
    push_result(w, &d->last);
}

static void slot_clear(struct vn_webhook *w, struct slot *s)
{
    if (s->easy) {
        curl_multi_remove_handle(w->multi, s->easy);
        curl_easy_cleanup(s->easy);
    }
    curl_slist_free_all(s->headers);
    free(s->body);
    free(s->url);
    memset(s, 0, sizeof *s);
}

static void waiting_append(struct vn_webhook *w, struct delivery *d)
{
    struct delivery **end = &w->waiting;
    while (*end)
        end = &(*end)->next;
    d->next = NULL;
    *end = d;
}

/* A refusal that another attempt would only get again. */
static int is_permanent(long http_status)
{
    return http_status >= 300 && http_status < 500 && http_status != 408 && http_status != 425 && http_status != 429;
}

/* Ends the attempt in the slot: as the delivery's last, or with a time for the next. r: outcome, http_status and text. */
static void end_attempt(struct vn_webhook *w, struct slot *s, struct vn_webhook_result *r)
{
    struct delivery *d = s->d;
    uint64_t now = vn_clock_monotonic_ns();
    memcpy(r->job_id, d->event.job_id, strlen(d->event.job_id) + 1);
    r->attempt = d->attempts;
    r->took_ms = (now - s->started_ns) / NS_PER_MS;
    slot_clear(w, s);
    if (r->outcome == VN_WEBHOOK_DELIVERED || d->attempts > w->config.retries || is_permanent(r->http_status)) {
        end_delivery(w, d, r);
        return;
    }
    uint64_t pause = w->config.backoff_ms << (d->attempts - 1);
    r->retry_ms = pause < VN_WEBHOOK_MAX_BACKOFF_MS ? pause : VN_WEBHOOK_MAX_BACKOFF_MS;
    d->due_ns = now + r->retry_ms * NS_PER_MS;
    waiting_append(w, d);
    struct result_node *n = calloc(1, sizeof *n);
    if (n) {
        n->r = *r;
        push_result(w, n);
    }
}

/* The receiver's answer is of no interest, but an endless one ends here. */
static size_t swallow(char *bytes, size_t size, size_t n, void *self)
{
    enum { MAX_ANSWER = 1 << 20 };
    size_t *seen = self;
    (void)bytes;
    *seen += size * n;
    return *seen > MAX_ANSWER ? 0 : size * n;
}

static int add_header(struct slot *s, const char *text)
{
    struct curl_slist *longer = curl_slist_append(s->headers, text);
    if (longer)
        s->headers = longer;
    return longer != NULL;
}

static int add_headers(const struct vn_webhook *w, struct slot *s)
{
    char line[VN_WEBHOOK_MAX_JOB_ID + 64], signature[72];
    /* Without "Expect:" curl would ask first before it sends a big body, and wait a second for those who do not know the question. */
    if (!add_header(s, "Content-Type: application/json") || !add_header(s, "Expect:"))
        return 0;
    snprintf(line, sizeof line, VN_WEBHOOK_IDEMPOTENCY_HEADER ": \"%s\"", s->d->event.job_id);
    if (w->config.retries > 0 && !add_header(s, line))
        return 0;
    if (!w->secret)
        return 1;
    vn_webhook_sign(signature, w->secret, s->body, s->body_len);
    snprintf(line, sizeof line, VN_WEBHOOK_SIGNATURE_HEADER ": %s", signature);
    return add_header(s, line);
}

static int set_options(const struct vn_webhook *w, struct slot *s)
{
    CURL *c = s->easy;
    int bad = 0;
    bad |= curl_easy_setopt(c, CURLOPT_URL, s->url);
    bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad |= curl_easy_setopt(c, CURLOPT_POST, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->body_len);
    bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDS, s->body);
    bad |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, s->headers);
    bad |= curl_easy_setopt(c, CURLOPT_USERAGENT, "venus-scheduler/" VN_VERSION);
    bad |= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)w->config.timeout_ms);
    bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* a name that is still being looked up does not hold up the end */
    bad |= curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, swallow);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, &s->answer_bytes);
    bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->reason);
    bad |= curl_easy_setopt(c, CURLOPT_PRIVATE, s);
    return !bad;
}

static void start_attempt(struct vn_webhook *w, struct slot *s, struct delivery *d)
{
    s->d = d;
    s->started_ns = vn_clock_monotonic_ns();
    d->attempts++;
    int ok = vn_webhook_body(&s->body, &s->body_len, &d->event) == VN_OK && vn_webhook_url(&s->url, w->url, d->event.job_id) == VN_OK;
    ok = ok && add_headers(w, s) && (s->easy = curl_easy_init()) && set_options(w, s);
    if (ok && curl_multi_add_handle(w->multi, s->easy) == CURLM_OK)
        return;
    struct vn_webhook_result r = {.outcome = VN_WEBHOOK_UNREACHABLE, .text = "out of memory"};
    end_attempt(w, s, &r);
}

static void attempt_ended(struct vn_webhook *w, struct slot *s, CURLcode code)
{
    struct vn_webhook_result r = {.outcome = VN_WEBHOOK_UNREACHABLE};
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &r.http_status);
    /* A final status counts even if the rest of the answer was cut off: the receiver has decided. */
    if (r.http_status >= 200 && r.http_status < 300) {
        r.outcome = VN_WEBHOOK_DELIVERED;
    } else if (r.http_status >= 300) {
        r.outcome = VN_WEBHOOK_REJECTED;
        snprintf(r.text, sizeof r.text, "answered with status %ld%s", r.http_status, r.http_status < 400 ? " (redirects are not followed)" : "");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        r.outcome = VN_WEBHOOK_TIMED_OUT;
        snprintf(r.text, sizeof r.text, "no answer within %llu ms", (unsigned long long)w->config.timeout_ms);
    } else {
        snprintf(r.text, sizeof r.text, "%s", *s->reason ? s->reason : code == CURLE_OK ? "no HTTP answer" : curl_easy_strerror(code));
    }
    end_attempt(w, s, &r);
}

static void give_up(struct vn_webhook *w, struct delivery *d)
{
    struct vn_webhook_result r = {.outcome = VN_WEBHOOK_GIVEN_UP, .attempt = d->attempts, .text = "not delivered before the end of the process"};
    memcpy(r.job_id, d->event.job_id, strlen(d->event.job_id) + 1);
    end_delivery(w, d, &r);
}

static void start_due(struct vn_webhook *w, uint64_t now)
{
    struct delivery **at = &w->waiting;
    for (unsigned i = 0; i < VN_WEBHOOK_PARALLEL; i++) {
        if (w->slots[i].d)
            continue;
        while (*at && (*at)->due_ns > now)
            at = &(*at)->next;
        struct delivery *d = *at;
        if (!d)
            return;
        *at = d->next;
        start_attempt(w, &w->slots[i], d);
    }
}

static unsigned slots_in_use(const struct vn_webhook *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < VN_WEBHOOK_PARALLEL; i++)
        n += w->slots[i].d != NULL;
    return n;
}

/* Milliseconds until something must be done without being woken. */
static int next_wait_ms(const struct vn_webhook *w, int stopping, uint64_t give_up_ns, uint64_t now)
{
    enum { LONGEST_MS = 60000 };
    if (stopping && !w->waiting && slots_in_use(w) == 0)
        return 0;
    uint64_t until = now + (uint64_t)LONGEST_MS * NS_PER_MS;
    if (stopping && give_up_ns < until)
        until = give_up_ns;
    for (const struct delivery *d = w->waiting; d && slots_in_use(w) < VN_WEBHOOK_PARALLEL; d = d->next)
        if (d->due_ns < until)
            until = d->due_ns;
    return until <= now ? 0 : (int)((until - now) / NS_PER_MS) + 1;
}

static void *run(void *self)
{
    struct vn_webhook *w = self;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        struct delivery *fresh = w->inbox;
        w->inbox = NULL;
        w->inbox_end = &w->inbox;
        int stopping = w->stopping;
        uint64_t give_up_ns = w->give_up_ns;
        pthread_mutex_unlock(&w->lock);
        while (fresh) {
            struct delivery *next = fresh->next;
            waiting_append(w, fresh);
            fresh = next;
        }

        uint64_t now = vn_clock_monotonic_ns();
        if (stopping && (now >= give_up_ns || (!w->waiting && slots_in_use(w) == 0)))
            break;
        start_due(w, now);

        int running, left;
        CURLMcode trouble = curl_multi_perform(w->multi, &running);
        for (CURLMsg *m; (m = curl_multi_info_read(w->multi, &left));) {
            struct slot *s = NULL;
            if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&s) == CURLE_OK)
                attempt_ended(w, s, m->data.result);
        }
        for (unsigned i = 0; i < VN_WEBHOOK_PARALLEL && trouble != CURLM_OK; i++) {
            struct vn_webhook_result r = {.outcome = VN_WEBHOOK_UNREACHABLE};
            snprintf(r.text, sizeof r.text, "%s", curl_multi_strerror(trouble));
            if (w->slots[i].d)
                end_attempt(w, &w->slots[i], &r);
        }
        curl_multi_poll(w->multi, NULL, 0, next_wait_ms(w, stopping, give_up_ns, vn_clock_monotonic_ns()), NULL);
    }
    for (unsigned i = 0; i < VN_WEBHOOK_PARALLEL; i++) {
        struct delivery *d = w->slots[i].d;
        slot_clear(w, &w->slots[i]);
        if (d)
            give_up(w, d);
    }
    while (w->waiting) {
        struct delivery *d = w->waiting;
        w->waiting = d->next;
        give_up(w, d);
    }
    return NULL;
}

enum vn_status vn_webhook_start(struct vn_webhook **out, const struct vn_webhook_config *config, struct vn_error *err)
{
    enum vn_status status = vn_webhook_check_url(config->url, err);
    if (status != VN_OK)
        return status;
    if (config->timeout_ms < 1 || config->timeout_ms > VN_WEBHOOK_MAX_TIMEOUT_MS || config->retries > VN_WEBHOOK_MAX_RETRIES ||
        (config->retries > 0 && (config->backoff_ms < 1 || config->backoff_ms > VN_WEBHOOK_MAX_BACKOFF_MS)))
        return vn_fail(err, VN_ERR_ARGUMENT, "webhook: time limit, retries or pause out of range");
    if (config->secret && !*config->secret)
        return vn_fail(err, VN_ERR_ARGUMENT, "webhook: the secret is empty");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return vn_fail(err, VN_ERR_MEMORY, "webhook: libcurl does not start");
    struct vn_webhook *w = calloc(1, sizeof *w);
    if (!w) {
        curl_global_cleanup();
        return vn_fail(err, VN_ERR_MEMORY, "no memory for the webhook");
    }
    w->config = *config;
    w->inbox_end = &w->inbox;
    w->results_end = &w->results;
    pthread_mutex_init(&w->lock, NULL);
    w->url = strdup(config->url);
    w->secret = config->secret ? strdup(config->secret) : NULL;
    w->multi = curl_multi_init();
    w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!w->url || (config->secret && !w->secret) || !w->multi || w->event < 0) {
        status = w->event < 0 ? VN_ERR_IO : VN_ERR_MEMORY;
        vn_webhook_free(w);
        return vn_fail(err, status, "the webhook does not start: %s", vn_status_text(status));
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->has_thread = code == 0;
    if (code != 0) {
        vn_webhook_free(w);
        return vn_fail(err, VN_ERR_IO, "the webhook's thread does not start: %s", strerror(code));
    }
    *out = w;
    return VN_OK;
}

static struct delivery *delivery_new(const struct vn_webhook_event *e)
{
    struct delivery *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    const char *from[3] = {e->job_id, e->error_code ? e->error_code : "", e->error_message ? e->error_message : ""};
    int ok = 1;
    for (unsigned i = 0; i < 3; i++)
        ok &= (d->text[i] = strdup(from[i])) != NULL;
    d->event = *e;
    d->event.job_id = d->text[0];
    d->event.error_code = d->text[1];
    d->event.error_message = d->text[2];
    if (e->success && e->proof) {
        d->proof = malloc(e->proof_len ? e->proof_len : 1);
        ok &= d->proof != NULL;
        if (d->proof)
            memcpy(d->proof, e->proof, e->proof_len);
    }
    d->event.proof = d->proof;
    d->event.proof_len = d->last.bytes = d->proof ? e->proof_len : 0;
    if (ok)
        return d;
    delivery_free(d);
    return NULL;
}

static int job_id_ok(const char *id)
{
    size_t n = strlen(id);
    for (size_t i = 0; i < n; i++)
        if (id[i] < '!' || id[i] > '~' || id[i] == '"' || id[i] == '\\')
            return 0;
    return n > 0 && n <= VN_WEBHOOK_MAX_JOB_ID;
}

enum vn_status vn_webhook_post(struct vn_webhook *w, const struct vn_webhook_event *e, struct vn_error *err)
{
    if (!job_id_ok(e->job_id))
        return vn_fail(err, VN_ERR_ARGUMENT, "webhook: not a job id");
    size_t bytes = e->success && e->proof ? e->proof_len : 0;
    if (bytes > VN_WEBHOOK_MAX_BYTES)
        return vn_fail(err, VN_ERR_LIMIT, "webhook: a proof of %zu bytes is above the maximum of %zu", bytes, VN_WEBHOOK_MAX_BYTES);
    pthread_mutex_lock(&w->lock);
    int stopping = w->stopping, full = w->n_events >= VN_WEBHOOK_MAX_EVENTS || w->n_bytes > VN_WEBHOOK_MAX_BYTES - bytes;
    pthread_mutex_unlock(&w->lock);
    if (stopping)
        return vn_fail(err, VN_ERR_CANCELLED, "webhook: it is being stopped");
    if (full)
        return vn_fail(err, VN_ERR_BUSY, "webhook: too many notifications are waiting");
    struct delivery *d = delivery_new(e);
    if (!d)
        return vn_fail(err, VN_ERR_MEMORY, "no memory for a webhook notification");
    pthread_mutex_lock(&w->lock);
    w->n_events++;
    w->n_bytes += bytes;
    *w->inbox_end = d;
    w->inbox_end = &d->next;
    pthread_mutex_unlock(&w->lock);
    curl_multi_wakeup(w->multi);
    return VN_OK;
}

int vn_webhook_fd(const struct vn_webhook *w) { return w->event; }

enum vn_status vn_webhook_next(struct vn_webhook *w, struct vn_webhook_result *r)
{
    uint64_t count;
    pthread_mutex_lock(&w->lock);
    struct result_node *n = w->results;
    if (n) {
        w->results = n->next;
        if (!w->results)
            w->results_end = &w->results;
        if (n->r.final) {
            w->n_events--;
            w->n_bytes -= n->bytes;
        }
    } else if (read(w->event, &count, sizeof count) < 0) {
        assert(errno == EAGAIN);
    }
    pthread_mutex_unlock(&w->lock);
    if (!n)
        return VN_ERR_BUSY;
    *r = n->r;
    free(n);
    return VN_OK;
}

void vn_webhook_stop(struct vn_webhook *w, uint64_t grace_ms)
{
    if (!w->has_thread)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = 1;
    w->give_up_ns = vn_clock_monotonic_ns() + grace_ms * NS_PER_MS;
    pthread_mutex_unlock(&w->lock);
    curl_multi_wakeup(w->multi);
    pthread_join(w->thread, NULL);
    w->has_thread = 0;
}

void vn_webhook_free(struct vn_webhook *w)
{
    if (!w)
        return;
    vn_webhook_stop(w, 0);
    struct vn_webhook_result r;
    while (w->event >= 0 && vn_webhook_next(w, &r) == VN_OK)
        ;
    if (w->multi)
        curl_multi_cleanup(w->multi);
    if (w->event >= 0)
        close(w->event);
    pthread_mutex_destroy(&w->lock);
    free(w->url);
    free(w->secret);
    free(w);
    curl_global_cleanup();
}

const char *vn_webhook_error_code(enum vn_failure f)
{
    switch (f) {
    case VN_FAILURE_TIMEOUT:
        return "TIMEOUT";
    case VN_FAILURE_INPUT:
        return "INPUT_ERROR";
    case VN_FAILURE_EXECUTION:
        return "WORKER_FAILURE";
    case VN_FAILURE_NONE:
    case VN_FAILURE_INTERNAL:
        break;
    }
    return "INTERNAL_ERROR";
}

void vn_webhook_log(const struct vn_webhook_result *r)
{
    unsigned long long took = r->took_ms, retry = r->retry_ms;
    if (r->outcome == VN_WEBHOOK_DELIVERED)
        VN_LOG(VN_LOG_INFO, "webhook.delivered", "job=%s status=%ld attempt=%u ms=%llu", r->job_id, r->http_status, r->attempt, took);
    else if (!r->final)
        VN_LOG(VN_LOG_WARN, "webhook.retry", "job=%s attempt=%u next_ms=%llu reason=\"%s\"", r->job_id, r->attempt, retry, r->text);
    else if (r->outcome == VN_WEBHOOK_GIVEN_UP)
        VN_LOG(VN_LOG_WARN, "webhook.given_up", "job=%s attempts=%u reason=\"%s\"", r->job_id, r->attempt, r->text);
    else
        VN_LOG(VN_LOG_WARN, "webhook.failed", "job=%s status=%ld attempt=%u ms=%llu reason=\"%s\"", r->job_id, r->http_status, r->attempt, took, r->text);
}
