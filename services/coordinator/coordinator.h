#ifndef VN_COORDINATOR_H
#define VN_COORDINATOR_H
/* zisk-coordinator: the supervisor of a cluster's services, and the client. */

#include "libshared/config.h"
#include "libshared/status.h"

#define VN_DEFAULT_URL "http://127.0.0.1:50051"
#define VN_ANSWER_NS 70000000000u /* longer than the gateway gives the scheduler */

/* Each takes the arguments after its name (argv[0] is the name), prints its own errors, and returns the exit code. */
int vn_supervisor_main(int argc, char **argv);
int vn_prove_main(int argc, char **argv);
int vn_verify_main(int argc, char **argv);
int vn_status_main(int argc, char **argv);
int vn_jobs_main(int argc, char **argv);
int vn_workers_main(int argc, char **argv);
int vn_watch_main(int argc, char **argv);
int vn_cancel_main(int argc, char **argv);
int vn_register_main(int argc, char **argv);
int vn_execute_main(int argc, char **argv);

/* Prints "zisk-coordinator NAME: text" and returns the exit code. */
int vn_report(const char *name, enum vn_status s, const struct vn_error *err);

/* ---- follow.c ---- */
struct vn_rpc;
struct vn_follow {
    const char *job_id;
    const char *output;     /* file for the proof (for the public outputs of an execution), or NULL */
    int json;               /* the result as one JSON object on standard output, no progress */
    uint64_t timeout_ns;    /* 0: none */
    int cancel_on_interrupt;
    int simulated;          /* a job that ends without a proof */
};
/* Watches the job until it ends, shows progress on standard error and the result on standard output.
 * Errors: what became of the job, as a status. */
enum vn_status vn_follow(struct vn_rpc *rpc, const struct vn_follow *f, struct vn_error *err) VN_MUST_CHECK;

/* ---- files.c ---- */
#include <stddef.h>
#include <stdint.h>
/* Owns: *bytes is the caller's. Errors: NOT_FOUND, LIMIT above `limit` bytes, IO. */
enum vn_status vn_file_read(const char *path, size_t limit, uint8_t **bytes, size_t *n, struct vn_error *err) VN_MUST_CHECK;
/* Fails early when the file could not be written later. */
enum vn_status vn_file_writable(const char *path, struct vn_error *err) VN_MUST_CHECK;

#endif
