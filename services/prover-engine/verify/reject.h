#ifndef VN_REJECT_H
#define VN_REJECT_H
/* Refusing; inside the verifier only. */

#include "services/prover-engine/verify/verify.h"

/* Fills why and returns s. The strings are static. A shard's own functions leave `shard` to vn_verify_shard. */
static inline enum vn_status vn_reject_part(struct vn_rejection *why, enum vn_status s, const char *part, uint32_t number, const char *reason)
{
    *why = (struct vn_rejection){.part = part, .number = number, .reason = reason};
    return s;
}

static inline enum vn_status vn_reject(struct vn_rejection *why, enum vn_status s, const char *reason)
{
    return vn_reject_part(why, s, NULL, VN_NOT_NUMBERED, reason);
}

static inline enum vn_status vn_reject_arena(struct vn_rejection *why)
{
    return vn_reject(why, VN_ERR_MEMORY, "the verifier's arena is too small");
}

#endif
