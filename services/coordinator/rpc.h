#ifndef VN_COORDINATOR_RPC_H
#define VN_COORDINATOR_RPC_H
/* A small gRPC client: one channel, one call at a time, on the calling thread. */

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "libshared/status.h"

#define VN_RPC_DISTRIBUTED "/zisk.distributed.api.v1.ZiskDistributedApi/"
#define VN_RPC_COORDINATOR "/zisk.coordinator.v1.ZiskCoordinatorApi/"
#define VN_RPC_MAX_MESSAGE (128 << 20) /* bytes, both ways; the limit of the API */

struct vn_rpc;
/* url: http://HOST:PORT. Connects with the first call. */
enum vn_status vn_rpc_open(struct vn_rpc **r, const char *url, struct vn_error *err) VN_MUST_CHECK;
void vn_rpc_close(struct vn_rpc *r);

/* From now on SIGINT and SIGTERM end the call under way with VN_ERR_CANCELLED. */
void vn_rpc_catch_interrupts(void);
int vn_rpc_interrupted(void);
/* The interrupt has been dealt with; further calls go through. The next signal ends the process. */
void vn_rpc_clear_interrupt(void);

/* Blocks: until the answer, an error, the deadline (0: none) or an interrupt. Owns: *answer is the caller's, protobuf_c_message_free_unpacked.
 * Errors: what the server's status stands for, with its text. */
enum vn_status vn_rpc_call(struct vn_rpc *r, const char *path, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
                           uint64_t timeout_ns, ProtobufCMessage **answer, struct vn_error *err) VN_MUST_CHECK;

/* The same for a stream of answers. message: each answer, borrowed. idle: about five times a second, may be NULL. */
struct vn_rpc_reader {
    void (*message)(void *arg, const ProtobufCMessage *m);
    void (*idle)(void *arg);
    void *arg;
};
enum vn_status vn_rpc_stream(struct vn_rpc *r, const char *path, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
                             uint64_t timeout_ns, const struct vn_rpc_reader *reader, struct vn_error *err) VN_MUST_CHECK;

#endif
