#ifndef VN_METRICS_H
#define VN_METRICS_H
/* Metrics of a process for Prometheus. One table per process: every metric with its kind, help, labels and buckets is known at build time, so a
 * series can neither be misspelt nor multiply. All series exist from the start with 0. Updates are atomic and never wait; any thread may make them.
 *
 * GET /metrics answers with the text format 0.0.4, GET /health with "OK". */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "libshared/status.h"

#define VN_METRICS_LABELS 2u       /* of one metric */
#define VN_METRICS_SERIES 256u     /* of one metric: the product of its labels' numbers of values */
#define VN_METRICS_BUCKETS 32u     /* of one histogram, without +Inf */
#define VN_METRICS_CONNECTIONS 16u /* at a time; more wait in the kernel's queue */
#define VN_METRICS_IDLE_S 10u      /* a connection that is silent for so long is closed */

enum vn_metric_kind { VN_METRIC_COUNTER, VN_METRIC_GAUGE, VN_METRIC_HISTOGRAM };

/* The values stand in the order of the enum they are indexed with. */
struct vn_metric_label {
    const char *name;
    const char *const *values;
    unsigned n_values;
};

struct vn_metric {
    const char *name;            /* unit last; a counter's ends with _total */
    enum vn_metric_kind kind;
    const char *help;            /* one sentence, UTF-8 */
    struct vn_metric_label labels[VN_METRICS_LABELS]; /* unused: name NULL */
    const double *buckets;       /* histogram: upper bounds, ascending, finite */
    unsigned n_buckets;
};

/* For tables: {VN_METRIC_LABEL("state", names)}, and VN_METRIC_BOUNDS(bounds). */
#define VN_METRIC_LABEL(label, array) {label, array, sizeof(array) / sizeof((array)[0])}
#define VN_METRIC_BOUNDS(array) .buckets = array, .n_buckets = sizeof(array) / sizeof((array)[0])

/* Which series: the metric's index in the table, and the index of each label's value (0 where there is no such label). */
struct vn_metric_at {
    unsigned metric, label[VN_METRICS_LABELS];
};

static inline struct vn_metric_at vn_metric(unsigned metric) { return (struct vn_metric_at){.metric = metric}; }
static inline struct vn_metric_at vn_metric1(unsigned metric, unsigned value) { return (struct vn_metric_at){metric, {value, 0}}; }
static inline struct vn_metric_at vn_metric2(unsigned metric, unsigned first, unsigned second)
{
    return (struct vn_metric_at){metric, {first, second}};
}

struct vn_metrics;

/* The table is borrowed for the life of *m.
 * Errors: VN_ERR_INTERNAL with the reason if the table breaks the rules of the format or a maximum above; VN_ERR_MEMORY. */
enum vn_status vn_metrics_new(struct vn_metrics **m, const struct vn_metric *table, unsigned n, struct vn_error *err) VN_MUST_CHECK;
void vn_metrics_free(struct vn_metrics *m);

/* m NULL: nothing happens, so that a process without metrics needs no condition round each. A series outside the table is an assertion. */
void vn_metrics_add(struct vn_metrics *m, struct vn_metric_at at, uint64_t amount);   /* counter */
void vn_metrics_set(struct vn_metrics *m, struct vn_metric_at at, int64_t value);     /* gauge */
void vn_metrics_observe(struct vn_metrics *m, struct vn_metric_at at, double value);  /* histogram; NaN is left out */

/* The text format. Owns: *text is the caller's (free), with a terminating zero after its n bytes. */
enum vn_status vn_metrics_render(struct vn_metrics *m, char **text, size_t *n) VN_MUST_CHECK;

/* The table as rows of a Markdown table, for docs/metrics.md. */
void vn_metrics_document(FILE *out, const struct vn_metric *table, unsigned n);

struct vn_metrics_server;

/* Serves m from a thread of its own, in which no signal is handled. host: name or address; NULL: 127.0.0.1. port 0: any.
 * Errors: ARGUMENT (host unknown), IO (port taken, not allowed, ...), MEMORY; the caller decides whether it goes on without. */
enum vn_status vn_metrics_serve(struct vn_metrics_server **s, struct vn_metrics *m, const char *host, uint16_t port,
                                struct vn_error *err) VN_MUST_CHECK;
uint16_t vn_metrics_port(const struct vn_metrics_server *s);
/* Closes what is open. After it m may be freed. NULL ok. */
void vn_metrics_stop(struct vn_metrics_server *s);

#endif
