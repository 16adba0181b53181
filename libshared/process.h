#ifndef VN_PROCESS_H
#define VN_PROCESS_H
/* Child processes by posix_spawn and pidfd; signals through signalfd. */

#include <stdint.h>
#include <sys/types.h>

#include "libshared/status.h"

struct vn_child {
    pid_t pid;
    int pidfd; /* readable when the child has ended */
};

/* fds: n_fds descriptors of the parent that become 3, 4, ... in the child; all else except 0-2 is closed (close-on-exec).
 * Children should call vn_process_die_with_parent first thing. */
enum vn_status vn_child_spawn(struct vn_child *c, const char *path, char *const argv[], const int *fds, unsigned n_fds, struct vn_error *err) VN_MUST_CHECK;
/* The same with the child's standard output going to `output`, a descriptor of the parent. */
enum vn_status vn_child_spawn_output(struct vn_child *c, const char *path, char *const argv[], int output, const int *fds, unsigned n_fds,
                                     struct vn_error *err) VN_MUST_CHECK;
/* After pidfd is readable. exit_code: 0..255, or 128 + signal. Closes pidfd. */
enum vn_status vn_child_reap(struct vn_child *c, int *exit_code) VN_MUST_CHECK;
enum vn_status vn_child_signal(const struct vn_child *c, int signal) VN_MUST_CHECK;

/* PR_SET_PDEATHSIG SIGKILL, and exit at once if the parent is already another one. */
void vn_process_die_with_parent(pid_t expected_parent);

/* Blocks these signals in the process and returns a signalfd for them. */
int vn_signalfd(const int *signals, unsigned n);

/* Directory of the running executable plus "/name", so that programs find each other where they are installed or built. */
enum vn_status vn_process_sibling(const char *name, char *out, size_t out_len) VN_MUST_CHECK;

/* systemd notification ("READY=1"), a no-op without NOTIFY_SOCKET. */
void vn_process_notify(const char *state);

/* Monotonic and wall clock, nanoseconds. */
uint64_t vn_clock_monotonic_ns(void);
uint64_t vn_clock_wall_ns(void);

/* Random UUID v4: 36 characters with hyphens, or 32 without. */
void vn_uuid(char out[37], int hyphens);

#endif
