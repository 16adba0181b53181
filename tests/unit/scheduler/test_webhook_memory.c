/* Fails each allocation of the webhook and of the metrics in turn (the linker sends theirs here; libcurl keeps its own). Whatever fails, calls say
 * so, every posted event gets its one final result, and nothing is lost. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "services/scheduler/scheduler_metrics.h"
#include "services/scheduler/webhook.h"

static atomic_int countdown = -1; /* allocations until the one that fails; below 0: none will */

static int fails_now(void) { return atomic_load(&countdown) >= 0 && atomic_fetch_sub(&countdown, 1) == 0; }

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
char *__wrap_strdup(const char *s);
void *__wrap_malloc(size_t n) { return fails_now() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails_now() ? NULL : __real_calloc(n, size); }
char *__wrap_strdup(const char *s) { return fails_now() ? NULL : __real_strdup(s); }

/* 1 if an allocation failed on the way. */
static int run_webhook(int fail_at)
{
    static const struct vn_webhook_config config = {.url = "http://127.0.0.1:1/x", .timeout_ms = 5000, .retries = 1, .backoff_ms = 1, .secret = "s"};
    static const uint8_t proof[100];
    const struct vn_webhook_event e = {.job_id = "7", .success = 1, .proof = proof, .proof_len = sizeof proof};
    struct vn_webhook *w = NULL;
    atomic_store(&countdown, fail_at);
    enum vn_status s = vn_webhook_start(&w, &config, NULL);
    if (s != VN_OK) {
        cr_assert_eq(s, VN_ERR_MEMORY);
        cr_assert_null(w);
        return 1;
    }
    unsigned posted = 0, ended = 0;
    for (int i = 0; i < 2; i++) {
        s = vn_webhook_post(w, &e, NULL);
        cr_assert(s == VN_OK || s == VN_ERR_MEMORY);
        posted += s == VN_OK;
    }
    struct vn_webhook_result r;
    while (ended < posted) {
        struct pollfd p = {.fd = vn_webhook_fd(w), .events = POLLIN};
        cr_assert_eq(poll(&p, 1, 10000), 1);
        while (vn_webhook_next(w, &r) == VN_OK) {
            cr_assert_eq(r.outcome, VN_WEBHOOK_UNREACHABLE);
            ended += r.final != 0;
        }
    }
    cr_assert_eq(ended, posted);
    vn_webhook_free(w);
    return atomic_load(&countdown) < 0;
}

Test(webhook_memory, every_allocation_may_fail, .timeout = 60)
{
    int n = 0;
    while (n < 200 && run_webhook(n))
        n++;
    atomic_store(&countdown, -1);
    cr_assert(n >= 15 && n < 200, "%d allocations", n);
}

Test(webhook_memory, metrics_too)
{
    for (int n = 0;; n++) {
        struct vn_metrics *m = NULL;
        char *text = NULL;
        size_t len;
        atomic_store(&countdown, n);
        enum vn_status s = vn_metrics_new(&m, vn_scheduler_metrics, VN_SM_COUNT, NULL);
        cr_assert_eq(s, n < 3 ? VN_ERR_MEMORY : VN_OK);
        if (s == VN_OK)
            cr_assert_eq(vn_metrics_render(m, &text, &len), VN_OK);
        free(text);
        vn_metrics_free(m);
        if (s == VN_OK)
            break;
    }
    atomic_store(&countdown, -1);
}
