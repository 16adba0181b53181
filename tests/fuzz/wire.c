/* The gateway's check of protobuf bytes that it passes on unparsed; neither it nor the library behind it may crash. First byte: which message. */
#include <protobuf-c/protobuf-c.h>

#include "services/gateway/wire.h"
#include "tests/fuzz/fuzz.h"
#include "zisk_coordinator_api.pb-c.h"
#include "zisk_distributed_api.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &zisk__distributed__api__v1__launch_proof_request__descriptor, &zisk__distributed__api__v1__worker_message__descriptor,
        &zisk__distributed__api__v1__jobs_list_request__descriptor,    &zisk__coordinator__v1__job_request_message__descriptor,
        &zisk__coordinator__v1__push_job_input_request__descriptor,    &zisk__coordinator__v1__wait_job_result_request__descriptor,
        &zisk__coordinator__v1__register_guest_program_request__descriptor,
    };
    struct vn_error err = {0};
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof types / sizeof *types)];
    /* exact length, so that reading past it is seen */
    size_t n = size - 1;
    uint8_t *bytes = malloc(n ? n : 1);
    must(bytes);
    memcpy(bytes, data + 1, n);
    enum vn_status s = vn_wire_check(type, bytes, n, &err);
    ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, n, bytes);
    must(s == VN_OK || (s == VN_ERR_FORMAT && err.text[0]));
    if (m)
        protobuf_c_message_free_unpacked(m, NULL);
    (void)vn_wire_text_ok(bytes, n);
    free(bytes);
    return 0;
}
