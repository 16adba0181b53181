/* Writes docs/metrics.md from the processes' tables, or checks that the file is what would be written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/scheduler/scheduler_metrics.h"
#include "services/worker-agent/agent_metrics.h"

static void section(FILE *out, const char *title, const struct vn_metric *table, unsigned n)
{
    struct vn_metrics *m;
    struct vn_error err;
    if (vn_metrics_new(&m, table, n, &err) != VN_OK) {
        fprintf(stderr, "%s: %s\n", title, err.text);
        exit(1);
    }
    vn_metrics_free(m);
    fprintf(out, "\n## %s\n\n", title);
    vn_metrics_document(out, table, n);
}

static void document(FILE *out)
{
    fputs("# Metrics\n\n"
          "Written by `metrics_docs --update` from the tables in `services/*/*_metrics.h`; do not edit.\n\n"
          "A process with a metrics address answers `GET /metrics` in Prometheus' text format 0.0.4 and `GET /health` with `OK`. Every series is there\n"
          "from the start with 0, so that rates are right from the first event on. A histogram `x` is shown as `x_bucket`, `x_sum` and `x_count`.\n"
          "There is no access control and no TLS on this address: keep it on loopback or behind a firewall.\n",
          out);
    section(out, "Scheduler", vn_scheduler_metrics, VN_SM_COUNT);
    section(out, "Worker", vn_agent_metrics, VN_AM_COUNT);
}

int main(int argc, char **argv)
{
    if (argc != 3 || (strcmp(argv[1], "--check") != 0 && strcmp(argv[1], "--update") != 0)) {
        fprintf(stderr, "metrics_docs --check FILE | --update FILE\n");
        return 2;
    }
    char *want = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&want, &n);
    if (!out)
        return 1;
    document(out);
    if (fclose(out) != 0)
        return 1;

    int ok;
    if (strcmp(argv[1], "--update") == 0) {
        FILE *f = fopen(argv[2], "w");
        ok = f && fwrite(want, 1, n, f) == n;
        ok = f && fclose(f) == 0 && ok;
    } else {
        char *have = malloc(n + 1);
        FILE *f = fopen(argv[2], "r");
        ok = have && f && fread(have, 1, n + 1, f) == n && memcmp(have, want, n) == 0;
        if (f)
            fclose(f);
        free(have);
    }
    free(want);
    if (!ok)
        fprintf(stderr, "%s: %s\n", argv[2], argv[1][2] == 'u' ? "cannot be written" : "is not what the tables say; run metrics_docs --update");
    return !ok;
}
