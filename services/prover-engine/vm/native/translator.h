#ifndef VN_NATIVE_TRANSLATOR_H
#define VN_NATIVE_TRANSLATOR_H
/* Inside the translator: its state, and the operations (operations.c) that the block structure (translate.c) strings together. */

#include "services/prover-engine/vm/native/emit.h"
#include "services/prover-engine/vm/native/translate.h"

/* Host registers with a fixed meaning; rax, rcx and rdx are scratch, the others hold guest registers. */
#define REG_MACHINE RBP /* x[16] */
#define REG_MEMORY RBX
#define REG_SHARD R14
#define REG_BUDGET R15

struct stub { /* code that rarely runs, placed after all blocks */
    enum { STUB_STOP, STUB_TOUCH, STUB_EDGE } kind;
    size_t place;    /* distance to patch */
    uint32_t site;   /* STUB_STOP, STUB_TOUCH */
    size_t retry;    /* STUB_TOUCH: where to go on */
    uint32_t steps, registers, edge, target; /* STUB_EDGE; target: instruction */
};

struct fixup { /* a jump to a block */
    size_t place;
    uint32_t insn;
};

struct translator {
    const struct vn_program *program;
    struct vn_error *err;
    struct vn_emit e;
    enum vn_reg host[32];  /* of a guest register; VN_NO_REG: it stays in the machine */
    uint32_t *index;       /* by (pc - VN_CODE_BASE) / step: instruction + 1, 0 where none starts */
    size_t n_index;
    uint8_t *head;         /* by instruction: a block starts here */
    size_t *place;         /* by instruction: code of the block */
    struct stub *stubs;
    struct fixup *fixups;
    struct vn_native_site *sites;
    struct vn_native_edge *edges;
    size_t n_stubs, n_fixups, n_sites, n_edges, max_stubs, max_fixups, max_sites, max_edges;
    int out_of_memory;
    /* The block so far. */
    uint32_t steps, registers;
};

/* Where a guest register lives. x0 is a word of the machine that is always 0. */
struct vn_operand vn_native_operand(const struct translator *t, unsigned guest);
/* A host register with its value: its own, or `scratch`. */
enum vn_reg vn_native_fetch(struct translator *t, unsigned guest, enum vn_reg scratch);
/* Puts a host register or a constant into a guest register; nothing for x0. */
void vn_native_keep(struct translator *t, unsigned guest, enum vn_reg value);
void vn_native_keep_constant(struct translator *t, unsigned guest, uint64_t value);
/* base + offset into rax. */
void vn_native_address(struct translator *t, unsigned base, int64_t offset);

/* Whether vn_native_operation can do it: everything but jumps and what is left to the interpreter. */
int vn_native_is_operation(enum vn_op op);
void vn_native_operation(struct translator *t, const struct vn_insn *i);
/* Compares and returns the condition under which the branch is taken. */
enum vn_condition vn_native_compare(struct translator *t, const struct vn_insn *i);

/* A site for the instruction at pc, and a stub that is reached by the jump at `place`. */
uint32_t vn_native_add_site(struct translator *t, uint32_t pc);
void vn_native_add_stub(struct translator *t, struct stub s);

#endif
