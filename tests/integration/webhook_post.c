/* Posts notifications as told by the command line and prints one line for each result:
 *   JOB OUTCOME final|retry ATTEMPT STATUS TOOK_MS REASON
 * Options: --url U --timeout MS --retries N --backoff MS --secret S --grace MS (stop at once, with this grace; else wait for all)
 * Events follow: --job ID --duration MS --ended WALL_NS, then --proof FILE ("-": none) or --error CODE MESSAGE, which posts. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/process.h"
#include "services/scheduler/webhook.h"

static const char *const names[VN_WEBHOOK_OUTCOMES] = {"delivered", "rejected", "unreachable", "timeout", "given_up", "dropped"};

static uint8_t *load(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        exit(2);
    *n = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*n + 1);
    if (!bytes || fread(bytes, 1, *n, f) != *n)
        exit(2);
    fclose(f);
    return bytes;
}

static int collect(struct vn_webhook *w)
{
    struct vn_webhook_result r;
    int ended = 0;
    while (vn_webhook_next(w, &r) == VN_OK) {
        printf("%s %s %s %u %ld %llu %s\n", r.job_id, names[r.outcome], r.final ? "final" : "retry", r.attempt, r.http_status,
               (unsigned long long)r.took_ms, r.text);
        fflush(stdout);
        vn_webhook_log(&r);
        ended += r.final;
    }
    return ended;
}

static struct vn_webhook *webhook;
static int posted;
static uint64_t longest_ns;

static void post(const struct vn_webhook_config *c, const struct vn_webhook_event *e)
{
    struct vn_error err;
    if (!webhook && vn_webhook_start(&webhook, c, &err) != VN_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    uint64_t before = vn_clock_monotonic_ns();
    if (vn_webhook_post(webhook, e, &err) != VN_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    uint64_t took = vn_clock_monotonic_ns() - before;
    longest_ns = took > longest_ns ? took : longest_ns;
    posted++;
}

int main(int argc, char **argv)
{
    struct vn_webhook_config c = {.timeout_ms = VN_WEBHOOK_TIMEOUT_MS, .backoff_ms = VN_WEBHOOK_BACKOFF_MS};
    struct vn_webhook_event e = {.job_id = "x"};
    long grace = -1;
    int ended = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *flag = argv[i], *value = argv[i + 1];
        if (strcmp(flag, "--url") == 0) {
            c.url = value;
        } else if (strcmp(flag, "--timeout") == 0) {
            c.timeout_ms = strtoull(value, NULL, 10);
        } else if (strcmp(flag, "--retries") == 0) {
            c.retries = strtoull(value, NULL, 10);
        } else if (strcmp(flag, "--backoff") == 0) {
            c.backoff_ms = strtoull(value, NULL, 10);
        } else if (strcmp(flag, "--secret") == 0) {
            c.secret = value;
        } else if (strcmp(flag, "--grace") == 0) {
            grace = strtol(value, NULL, 10);
        } else if (strcmp(flag, "--job") == 0) {
            e.job_id = value;
        } else if (strcmp(flag, "--duration") == 0) {
            e.duration_ms = strtoull(value, NULL, 10);
        } else if (strcmp(flag, "--ended") == 0) {
            e.ended_wall_ns = strtoull(value, NULL, 10);
        } else if (strcmp(flag, "--proof") == 0) {
            uint8_t *proof = strcmp(value, "-") == 0 ? NULL : load(value, &e.proof_len);
            e.proof = proof;
            e.success = 1;
            post(&c, &e);
            free(proof); /* the event was copied */
        } else if (strcmp(flag, "--error") == 0 && i + 2 < argc) {
            e.success = 0;
            e.error_code = value;
            e.error_message = argv[++i + 1];
            post(&c, &e);
        } else {
            fprintf(stderr, "what is %s?\n", flag);
            return 2;
        }
    }
    if (!webhook)
        return 2;
    if (grace >= 0)
        vn_webhook_stop(webhook, (uint64_t)grace);
    while ((ended += collect(webhook)) < posted && grace < 0) {
        struct pollfd p = {.fd = vn_webhook_fd(webhook), .events = POLLIN};
        poll(&p, 1, -1);
    }
    printf("posting took at most %llu ms\n", (unsigned long long)(longest_ns / 1000000u));
    vn_webhook_free(webhook);
    return ended == posted ? 0 : 3;
}
