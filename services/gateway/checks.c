/* Requests of the newer API that parse but lack what they are about are turned away here, so that the scheduler sees complete ones only. */
#include "services/gateway/gateway.h"
#include "zisk_coordinator_api.pb-c.h"

typedef Zisk__Coordinator__V1__InputKind input_kind;

/* What vn_wire_check lets through and the protobuf library does not: an empty message twice where one belongs. */
static enum vn_status unreadable(struct vn_error *err)
{
    return vn_fail(err, VN_ERR_FORMAT, "malformed request: a field is there twice");
}

enum vn_status vn_check_program(grpc_slice message, struct vn_error *err)
{
    Zisk__Coordinator__V1__RegisterGuestProgramRequest *q = zisk__coordinator__v1__register_guest_program_request__unpack(
        NULL, GRPC_SLICE_LENGTH(message), GRPC_SLICE_START_PTR(message));
    enum vn_status s = VN_OK;
    if (!q)
        s = unreadable(err);
    else if (q->zisk_elf.len == 0)
        s = vn_fail(err, VN_ERR_ARGUMENT, "zisk_elf must not be empty");
    zisk__coordinator__v1__register_guest_program_request__free_unpacked(q, NULL);
    return s;
}

static int is_set(const input_kind *k) { return k && k->kind_case != ZISK__COORDINATOR__V1__INPUT_KIND__KIND__NOT_SET; }

static enum vn_status check_inputs(const input_kind *input, const input_kind *hints, struct vn_error *err)
{
    if (!is_set(input))
        return vn_fail(err, VN_ERR_ARGUMENT, "input must be set");
    if (hints && !is_set(hints))
        return vn_fail(err, VN_ERR_ARGUMENT, "hints must be set when they are given");
    return VN_OK;
}

enum vn_status vn_check_job(grpc_slice message, struct vn_error *err)
{
    Zisk__Coordinator__V1__JobRequestMessage *q =
        zisk__coordinator__v1__job_request_message__unpack(NULL, GRPC_SLICE_LENGTH(message), GRPC_SLICE_START_PTR(message));
    const Zisk__Coordinator__V1__JobKind *k = q ? q->job_kind : NULL;
    enum vn_status s = VN_OK;
    if (!q)
        s = unreadable(err);
    else if (!k)
        s = vn_fail(err, VN_ERR_ARGUMENT, "job_kind must be set");
    else if (k->kind_case == ZISK__COORDINATOR__V1__JOB_KIND__KIND__NOT_SET)
        s = vn_fail(err, VN_ERR_ARGUMENT, "job_kind.kind must be set");
    else if (k->kind_case == ZISK__COORDINATOR__V1__JOB_KIND__KIND_PROVE)
        s = check_inputs(k->prove->input, k->prove->hints, err);
    else if (k->kind_case == ZISK__COORDINATOR__V1__JOB_KIND__KIND_EXECUTE)
        s = check_inputs(k->execute->input, k->execute->hints, err);
    else if (k->kind_case == ZISK__COORDINATOR__V1__JOB_KIND__KIND_WRAP && !k->wrap->proof)
        s = vn_fail(err, VN_ERR_ARGUMENT, "proof must be set");
    zisk__coordinator__v1__job_request_message__free_unpacked(q, NULL);
    return s;
}
