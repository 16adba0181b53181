/* Serves the tables of scheduler and agent with known numbers in every series, until its input ends. Prints the ports. */
#include <stdio.h>

#include "services/scheduler/scheduler_metrics.h"
#include "services/worker-agent/agent_metrics.h"

static unsigned values(const struct vn_metric *d, unsigned label) { return d->labels[label].name ? d->labels[label].n_values : 1; }

/* Series (m, a, b) gets m + 10 a + 100 b; a histogram observes each of its bounds and twice the last one, that many times. */
static struct vn_metrics *filled(const struct vn_metric *table, unsigned n)
{
    struct vn_metrics *metrics;
    if (vn_metrics_new(&metrics, table, n, NULL) != VN_OK)
        return NULL;
    for (unsigned m = 0; m < n; m++) {
        const struct vn_metric *d = &table[m];
        for (unsigned a = 0; a < values(d, 0); a++) {
            for (unsigned b = 0; b < values(d, 1); b++) {
                const struct vn_metric_at at = vn_metric2(m, a, b);
                const unsigned number = m + 10 * a + 100 * b;
                if (d->kind == VN_METRIC_COUNTER)
                    vn_metrics_add(metrics, at, number);
                else if (d->kind == VN_METRIC_GAUGE)
                    vn_metrics_set(metrics, at, (int64_t)number);
                for (unsigned i = 0; i < number && d->kind == VN_METRIC_HISTOGRAM; i++) {
                    for (unsigned k = 0; k < d->n_buckets; k++)
                        vn_metrics_observe(metrics, at, d->buckets[k]);
                    vn_metrics_observe(metrics, at, 2 * d->buckets[d->n_buckets - 1]);
                }
            }
        }
    }
    return metrics;
}

int main(void)
{
    struct vn_metrics *scheduler = filled(vn_scheduler_metrics, VN_SM_COUNT), *agent = filled(vn_agent_metrics, VN_AM_COUNT);
    struct vn_metrics_server *first = NULL, *second = NULL;
    if (!scheduler || !agent || vn_metrics_serve(&first, scheduler, "localhost", 0, NULL) != VN_OK ||
        vn_metrics_serve(&second, agent, "127.0.0.1", 0, NULL) != VN_OK)
        return 1;
    printf("%u %u\n", (unsigned)vn_metrics_port(first), (unsigned)vn_metrics_port(second));
    fflush(stdout);
    while (getchar() != EOF)
        ;
    vn_metrics_stop(first);
    vn_metrics_stop(second);
    vn_metrics_free(scheduler);
    vn_metrics_free(agent);
    return 0;
}
