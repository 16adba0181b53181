#ifndef VN_STATUS_H
#define VN_STATUS_H
/* Every failure that leaves a function is one of these. Values are stable: they cross processes.
 * status.c holds the one table with name, text, class and gRPC code. */

enum vn_status {
    VN_OK = 0,
    VN_ERR_ARGUMENT = 1,      /* caller's or user's argument is wrong */
    VN_ERR_NOT_FOUND = 2,     /* file, job, worker, shard does not exist */
    VN_ERR_FORMAT = 3,        /* bytes from outside do not parse */
    VN_ERR_UNSUPPORTED = 4,   /* well-formed, but this version cannot do it */
    VN_ERR_LIMIT = 5,         /* a documented maximum would be passed */
    VN_ERR_MEMORY = 6,        /* allocation failed */
    VN_ERR_IO = 7,            /* the operating system refused */
    VN_ERR_BUSY = 8,          /* try again later */
    VN_ERR_CAPACITY = 9,      /* not enough compute capacity */
    VN_ERR_TIMEOUT = 10,
    VN_ERR_CANCELLED = 11,
    VN_ERR_GUEST = 12,        /* the guest program trapped, panicked or ran past its limit */
    VN_ERR_INVALID_PROOF = 13,/* a proof was checked and rejected */
    VN_ERR_WITNESS = 14,      /* a witness does not satisfy the constraints */
    VN_ERR_PEER = 15,         /* the other side broke the protocol */
    VN_ERR_PERMISSION = 16,
    VN_ERR_INTERNAL = 17,     /* our own bug */
    VN_STATUS_COUNT
};

enum vn_class { VN_CLASS_OK, VN_CLASS_RETRY, VN_CLASS_BAD_INPUT, VN_CLASS_RESOURCE, VN_CLASS_BUG, VN_CLASS_FATAL };

#define VN_MUST_CHECK __attribute__((warn_unused_result))

/* A status with a sentence for the person who caused it. Functions that can say more than the code
 * take a `struct vn_error *err` (NULL allowed) and fill it on failure. */
struct vn_error {
    enum vn_status status;
    char text[512];
};

const char *vn_status_name(enum vn_status s);       /* "invalid-proof" */
const char *vn_status_text(enum vn_status s);       /* one sentence */
enum vn_class vn_status_class(enum vn_status s);
int vn_status_grpc(enum vn_status s);               /* grpc_status_code */
int vn_status_exit_code(enum vn_status s);          /* process exit code: 0, or 10 + status */
enum vn_status vn_status_from_exit_code(int code);  /* inverse; anything else is VN_ERR_INTERNAL */

/* Fills err (if not NULL) and returns s, so that `return vn_fail(err, VN_ERR_IO, "...", ...)` works. */
enum vn_status vn_fail(struct vn_error *err, enum vn_status s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
