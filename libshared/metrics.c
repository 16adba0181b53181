/* Every series is a slot of atomics in one array: a counter or gauge takes one slot, a histogram one for each bucket, one for +Inf and one for the
 * sum (the bits of a double). Buckets count only their own values and are summed up when they are shown, so that the count and the last bucket
 * of one answer always agree, whatever is observed meanwhile. */
#include "libshared/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct vn_metrics {
    const struct vn_metric *table;
    unsigned n;
    size_t *first;            /* by metric: its first slot */
    _Atomic uint64_t *slots;
};

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

static unsigned label_values(const struct vn_metric *d, unsigned label) { return d->labels[label].name ? d->labels[label].n_values : 1; }
static unsigned series_count(const struct vn_metric *d) { return label_values(d, 0) * label_values(d, 1); }
static size_t series_slots(const struct vn_metric *d) { return d->kind == VN_METRIC_HISTOGRAM ? d->n_buckets + 2u : 1; }

/* colon: allowed in the names of metrics, not of labels. */
static int name_ok(const char *s, int colon)
{
    if (!*s || (*s >= '0' && *s <= '9'))
        return 0;
    for (; *s; s++) {
        int ok = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_' || (colon && *s == ':');
        if (!ok)
            return 0;
    }
    return 1;
}

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* A histogram called x also takes the names x_bucket, x_sum and x_count. */
static int names_clash(const struct vn_metric *a, const struct vn_metric *b)
{
    if (strcmp(a->name, b->name) == 0)
        return 1;
    size_t n = strlen(a->name);
    const char *rest = strncmp(a->name, b->name, n) == 0 ? b->name + n : "";
    return a->kind == VN_METRIC_HISTOGRAM && (strcmp(rest, "_bucket") == 0 || strcmp(rest, "_sum") == 0 || strcmp(rest, "_count") == 0);
}

/* NULL, or what is wrong. */
static const char *label_fault(const struct vn_metric *d, unsigned label)
{
    const struct vn_metric_label *l = &d->labels[label];
    if (!l->name)
        return NULL;
    if (label > 0 && !d->labels[label - 1].name)
        return "a label stands after an unused one";
    if (!name_ok(l->name, 0) || strncmp(l->name, "__", 2) == 0 || (d->kind == VN_METRIC_HISTOGRAM && strcmp(l->name, "le") == 0))
        return "a label's name is not allowed";
    if (label > 0 && strcmp(l->name, d->labels[0].name) == 0)
        return "two labels have one name";
    if (l->n_values == 0 || l->n_values > VN_METRICS_SERIES)
        return "a label has no values, or too many";
    for (unsigned i = 0; i < l->n_values; i++) {
        if (!l->values[i])
            return "a label's value is missing";
        for (unsigned j = 0; j < i; j++)
            if (strcmp(l->values[i], l->values[j]) == 0)
                return "a label has the same value twice";
    }
    return NULL;
}

static const char *metric_fault(const struct vn_metric *table, unsigned i)
{
    const struct vn_metric *d = &table[i];
    if (!d->name || !name_ok(d->name, 1))
        return "its name is not allowed";
    if ((d->kind == VN_METRIC_COUNTER) != ends_with(d->name, "_total"))
        return "names of counters, and only those, end with _total";
    if (!d->help || !*d->help)
        return "it has no help";
    for (unsigned j = 0; j < i; j++)
        if (names_clash(&table[j], d) || names_clash(d, &table[j]))
            return "its name is taken";
    for (unsigned l = 0; l < VN_METRICS_LABELS; l++) {
        const char *fault = label_fault(d, l);
        if (fault)
            return fault;
    }
    if (series_count(d) > VN_METRICS_SERIES)
        return "it has too many series";
    if ((d->kind == VN_METRIC_HISTOGRAM) != (d->n_buckets > 0) || d->n_buckets > VN_METRICS_BUCKETS)
        return "histograms, and only those, have buckets, and not too many";
    for (unsigned b = 0; b < d->n_buckets; b++)
        if (!isfinite(d->buckets[b]) || (b > 0 && d->buckets[b] <= d->buckets[b - 1]))
            return "its buckets do not ascend";
    return NULL;
}

enum vn_status vn_metrics_new(struct vn_metrics **m, const struct vn_metric *table, unsigned n, struct vn_error *err)
{
    size_t n_slots = 0;
    for (unsigned i = 0; i < n; i++) {
        const char *fault = metric_fault(table, i);
        if (fault)
            return vn_fail(err, VN_ERR_INTERNAL, "metric %u (%s): %s", i, table[i].name ? table[i].name : "no name", fault);
        n_slots += series_count(&table[i]) * series_slots(&table[i]);
    }
    struct vn_metrics *x = calloc(1, sizeof *x);
    if (x) {
        x->first = calloc(n + 1u, sizeof *x->first);
        x->slots = calloc(n_slots + 1, sizeof *x->slots);
    }
    if (!x || !x->first || !x->slots) {
        vn_metrics_free(x);
        return vn_fail(err, VN_ERR_MEMORY, "no memory for metrics");
    }
    x->table = table;
    x->n = n;
    size_t slot = 0;
    for (unsigned i = 0; i < n; i++) {
        x->first[i] = slot;
        slot += series_count(&table[i]) * series_slots(&table[i]);
    }
    *m = x;
    return VN_OK;
}

void vn_metrics_free(struct vn_metrics *m)
{
    if (!m)
        return;
    free(m->first);
    free((void *)m->slots);
    free(m);
}

static _Atomic uint64_t *series_at(struct vn_metrics *m, struct vn_metric_at at, enum vn_metric_kind kind)
{
    assert(at.metric < m->n);
    const struct vn_metric *d = &m->table[at.metric];
    assert(d->kind == kind);
    assert(at.label[0] < label_values(d, 0) && at.label[1] < label_values(d, 1));
    return m->slots + m->first[at.metric] + (at.label[0] * label_values(d, 1) + at.label[1]) * series_slots(d);
}

void vn_metrics_add(struct vn_metrics *m, struct vn_metric_at at, uint64_t amount)
{
    if (m)
        atomic_fetch_add_explicit(series_at(m, at, VN_METRIC_COUNTER), amount, memory_order_relaxed);
}

void vn_metrics_set(struct vn_metrics *m, struct vn_metric_at at, int64_t value)
{
    if (m)
        atomic_store_explicit(series_at(m, at, VN_METRIC_GAUGE), (uint64_t)value, memory_order_relaxed);
}

static double bits_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint64_t double_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

void vn_metrics_observe(struct vn_metrics *m, struct vn_metric_at at, double value)
{
    if (!m)
        return;
    _Atomic uint64_t *series = series_at(m, at, VN_METRIC_HISTOGRAM);
    if (isnan(value))
        return;
    const struct vn_metric *d = &m->table[at.metric];
    unsigned b = 0;
    while (b < d->n_buckets && value > d->buckets[b])
        b++;
    atomic_fetch_add_explicit(&series[b], 1, memory_order_relaxed);
    _Atomic uint64_t *sum = &series[d->n_buckets + 1];
    uint64_t old = atomic_load_explicit(sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(sum, &old, double_bits(bits_double(old) + value), memory_order_relaxed, memory_order_relaxed))
        ;
}

/* Text of help escapes \ and line ends; a label's value also the quote. */
static void put_escaped(FILE *out, const char *s, int quote)
{
    for (; *s; s++) {
        if (*s == '\\')
            fputs("\\\\", out);
        else if (*s == '\n')
            fputs("\\n", out);
        else if (*s == '"' && quote)
            fputs("\\\"", out);
        else
            fputc(*s, out);
    }
}

/* The shortest form that reads back as the same number. */
static void put_double(FILE *out, double d)
{
    if (isinf(d)) {
        fputs(d > 0 ? "+Inf" : "-Inf", out);
        return;
    }
    if (isnan(d)) { /* the sum of both infinities */
        fputs("NaN", out);
        return;
    }
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    fputs(text, out);
}

/* le: text of the bucket's bound, or NULL. */
static void put_name(FILE *out, const struct vn_metric *d, const char *suffix, unsigned series, const double *le)
{
    const unsigned value[VN_METRICS_LABELS] = {series / label_values(d, 1), series % label_values(d, 1)};
    const char *between = "{";
    fprintf(out, "%s%s", d->name, suffix);
    for (unsigned l = 0; l < VN_METRICS_LABELS && d->labels[l].name; l++) {
        fprintf(out, "%s%s=\"", between, d->labels[l].name);
        put_escaped(out, d->labels[l].values[value[l]], 1);
        fputc('"', out);
        between = ",";
    }
    if (le) {
        fprintf(out, "%sle=\"", between);
        put_double(out, *le);
        fputc('"', out);
        between = ",";
    }
    fputs(*between == ',' ? "} " : " ", out);
}

static void put_histogram(FILE *out, const struct vn_metric *d, unsigned series, _Atomic uint64_t *slots)
{
    uint64_t count = 0;
    for (unsigned b = 0; b <= d->n_buckets; b++) {
        const double le = b < d->n_buckets ? d->buckets[b] : INFINITY;
        count += atomic_load_explicit(&slots[b], memory_order_relaxed);
        put_name(out, d, "_bucket", series, &le);
        fprintf(out, "%llu\n", (unsigned long long)count);
    }
    put_name(out, d, "_sum", series, NULL);
    put_double(out, bits_double(atomic_load_explicit(&slots[d->n_buckets + 1], memory_order_relaxed)));
    fputc('\n', out);
    put_name(out, d, "_count", series, NULL);
    fprintf(out, "%llu\n", (unsigned long long)count);
}

enum vn_status vn_metrics_render(struct vn_metrics *m, char **text, size_t *n)
{
    char *bytes = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&bytes, &len);
    if (!out)
        return VN_ERR_MEMORY;
    for (unsigned i = 0; i < m->n; i++) {
        const struct vn_metric *d = &m->table[i];
        fprintf(out, "# HELP %s ", d->name);
        put_escaped(out, d->help, 0);
        fprintf(out, "\n# TYPE %s %s\n", d->name, kind_names[d->kind]);
        for (unsigned s = 0; s < series_count(d); s++) {
            _Atomic uint64_t *slots = m->slots + m->first[i] + s * series_slots(d);
            if (d->kind == VN_METRIC_HISTOGRAM) {
                put_histogram(out, d, s, slots);
                continue;
            }
            uint64_t value = atomic_load_explicit(slots, memory_order_relaxed);
            put_name(out, d, "", s, NULL);
            if (d->kind == VN_METRIC_GAUGE)
                fprintf(out, "%lld\n", (long long)(int64_t)value);
            else
                fprintf(out, "%llu\n", (unsigned long long)value);
        }
    }
    int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(bytes);
        return VN_ERR_MEMORY;
    }
    *text = bytes;
    *n = len;
    return VN_OK;
}

static void document_labels(FILE *out, const struct vn_metric *d)
{
    for (unsigned l = 0; l < VN_METRICS_LABELS && d->labels[l].name; l++) {
        fprintf(out, "%s`%s`: ", l ? "; " : "", d->labels[l].name);
        for (unsigned v = 0; v < d->labels[l].n_values; v++)
            fprintf(out, "%s%s", v ? ", " : "", d->labels[l].values[v]);
    }
}

void vn_metrics_document(FILE *out, const struct vn_metric *table, unsigned n)
{
    fputs("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n", out);
    for (unsigned i = 0; i < n; i++) {
        const struct vn_metric *d = &table[i];
        fprintf(out, "| `%s` | %s | ", d->name, kind_names[d->kind]);
        document_labels(out, d);
        fprintf(out, " | %s", d->help);
        for (unsigned b = 0; b < d->n_buckets; b++) {
            fputs(b ? ", " : " Buckets: ", out);
            put_double(out, d->buckets[b]);
        }
        fputs(d->n_buckets ? ". |\n" : " |\n", out);
    }
}
