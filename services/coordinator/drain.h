#ifndef VN_COORDINATOR_DRAIN_H
#define VN_COORDINATOR_DRAIN_H
/* Asks the scheduler, as an administrator on its bus, how many jobs still run, and cancels those that have not begun. */

#include <stdint.h>

#include "libshared/status.h"

struct vn_drain;
enum vn_status vn_drain_open(struct vn_drain **d, const char *bus, uint64_t now_ns, struct vn_error *err) VN_MUST_CHECK;
void vn_drain_close(struct vn_drain *d);
/* To be called often. 1: no job is left, or the scheduler does not answer. *running: how many there were when it last answered. */
int vn_drain_done(struct vn_drain *d, uint64_t now_ns, unsigned *running);

#endif
