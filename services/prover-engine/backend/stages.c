/* Times of the process from getrusage: the pool's threads work for the stage that the driving thread is in. */
#include "services/prover-engine/backend/stages.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static struct vn_stage_time now(void)
{
    struct timespec t;
    struct rusage u;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    (void)getrusage(RUSAGE_SELF, &u);
    return (struct vn_stage_time){(double)t.tv_sec + 1e-9 * (double)t.tv_nsec, seconds(u.ru_utime), seconds(u.ru_stime)};
}

void vn_stages_resume(struct vn_stages *s)
{
    if (s)
        s->last = now();
}

void vn_stage(struct vn_stages *s, const char *name)
{
    if (!s)
        return;
    struct vn_stage_time t = now();
    unsigned i = 0;
    while (i < s->n && strcmp(s->at[i].name, name) != 0)
        i++;
    if (i == s->n && s->n < VN_MAX_STAGES)
        s->at[s->n++].name = name;
    if (i < s->n) {
        s->at[i].time.wall += t.wall - s->last.wall;
        s->at[i].time.user += t.user - s->last.user;
        s->at[i].time.kernel += t.kernel - s->last.kernel;
    }
    s->last = t;
}
