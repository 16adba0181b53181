#ifndef VN_SPECIAL_H
#define VN_SPECIAL_H
/* Instructions that the machine can execute but that have no table yet: CSR access, precompiles and their fused forms, calls to the host, atomics,
 * and accesses that are not aligned. */

#include "services/prover-engine/vm/memory.h"
#include "services/prover-engine/vm/precompile/precompile.h"

struct vn_special {
    const struct vn_program *program;
    struct vn_guest_memory *memory;
    uint64_t *x;                 /* the 32 registers; x[0] stays 0 */
    struct vn_exec_counts *counts; /* optional */
    struct vn_fcall fcall;
};

struct vn_special_effect {
    unsigned instructions; /* how many the unit has: 1, or 2 and 3 for the fused forms */
    int is_ecall;          /* nothing was done: treat it as an ecall */
};

/* Whether an instruction that has no operation is one of these. */
int vn_special_exists(const struct vn_insn *insn);

/* Runs such an instruction, given by address and 32-bit encoding. Errors: VN_ERR_GUEST and VN_ERR_UNSUPPORTED with the reason. */
enum vn_status vn_special_run(struct vn_special *s, uint32_t pc, uint32_t word, struct vn_special_effect *effect, struct vn_error *err) VN_MUST_CHECK;

/* Name of the precompile or fcall an instruction uses, NULL if none. */
const char *vn_special_precompile(uint32_t word);

#endif
