#ifndef VN_GUEST_MEMORY_H
#define VN_GUEST_MEMORY_H
/* Guest memory of the executor: the whole 4 GiB space and a 32-bit "last shard" per word, both reserved address space that costs
 * physical memory only where it is used. */

#include "services/prover-engine/vm/exec.h"

struct vn_guest_memory {
    const struct vn_program *program;
    const uint8_t *input; /* borrowed */
    size_t input_len;
    uint8_t *bytes;       /* 2^32, right after the shadow (native code relies on it) */
    uint32_t *shadow;     /* 2^29: shard that touched the word last, 0 = none */
    uint8_t touched[1 << 16];      /* by page: some word was touched */
    uint32_t image_first[1 << 16]; /* by page: index of an image page's first word in program->image */
};

/* Address space that reads as zero; NULL if it cannot be had. */
void *vn_reserve(size_t bytes);
void vn_unreserve(void *p, size_t bytes);

/* Memory as it stands at entry. Errors: VN_ERR_LIMIT for an input that does not fit its window, VN_ERR_MEMORY. */
enum vn_status vn_guest_memory_new(struct vn_guest_memory **out, const struct vn_program *p, const uint8_t *input, size_t input_len, struct vn_error *err) VN_MUST_CHECK;
void vn_guest_memory_free(struct vn_guest_memory *m);

static inline uint64_t vn_guest_memory_word(const struct vn_guest_memory *m, uint32_t word)
{
    uint64_t v;
    __builtin_memcpy(&v, m->bytes + 8 * (uint64_t)word, 8);
    return v;
}

/* What the word held at entry. */
uint64_t vn_guest_memory_initial(const struct vn_guest_memory *m, uint32_t word);

/* Emits the memory shards: every word with a non-zero shadow, the 32 output words, and the registers with regs_last[r] != 0.
 * Shards are numbered from first_index. Errors: VN_ERR_CANCELLED, VN_ERR_LIMIT, VN_ERR_MEMORY. */
enum vn_status vn_guest_memory_emit(const struct vn_guest_memory *m, const uint32_t regs_last[32], const uint64_t regs_final[32], uint32_t first_index,
                                    const struct vn_exec_options *o, uint32_t *n_shards, struct vn_error *err) VN_MUST_CHECK;

#endif
