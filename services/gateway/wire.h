#ifndef VN_GATEWAY_WIRE_H
#define VN_GATEWAY_WIRE_H
/* Checks protobuf bytes against a descriptor without building the message, because messages are passed on as they came. */

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/status.h"

#define VN_WIRE_MAX_DEPTH 32u /* the public messages nest five deep */

/* Errors: VN_ERR_FORMAT with a sentence naming the field: truncated, wrong wire type, nested too deep, text that is not
 * UTF-8 or holds a zero byte. Unknown fields are fine. */
enum vn_status vn_wire_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n, struct vn_error *err) VN_MUST_CHECK;

/* 1 if the bytes are well-formed UTF-8 without zero bytes. */
int vn_wire_text_ok(const uint8_t *s, size_t n);

#endif
