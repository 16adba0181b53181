#ifndef VN_NATIVE_TRANSLATE_H
#define VN_NATIVE_TRANSLATE_H
/* From a program to x86-64 code. What the code does, and how it hands back, is in translate.c. */

#include "services/prover-engine/rv64/program.h"

#define VN_NATIVE_VERSION 1u    /* of the translation: part of the cache key, raised with every change of the code it generates */
#define VN_NATIVE_MAX_BLOCK 128 /* instructions */
#define VN_NATIVE_NO_PC UINT32_MAX

/* What generated code reads and writes. It addresses all of it from x[16]; arrivals and edges follow the struct in memory. */
struct vn_native_machine {
    uint64_t x[32];
    uint64_t used;      /* bit per register accessed; bits are only added */
    uint64_t budget;    /* instructions left */
    uint8_t *memory;    /* the guest's 2^32 bytes; a word's 32-bit shadow lies at memory - 2^31 + 4 * (address / 8) */
    /* Called with an address that the code must not use yet: makes the word usable and returns 1, or 0 to leave the instruction to the interpreter. */
    int (*touch)(void *owner, uint64_t addr, uint32_t site);
    void *owner;
    uint32_t shard;     /* that the shadow of usable words is equal to */
    uint32_t site;      /* where the code stopped */
};

/* A place where the code may stop, before the instruction at pc. */
struct vn_native_site {
    uint32_t pc;
    uint32_t steps;     /* of the block, not yet taken from the budget */
    uint32_t registers; /* of the block, not yet in `used` */
};

/* A jump that is counted. */
struct vn_native_edge {
    uint32_t from; /* pc of the jump */
    uint32_t to;   /* VN_NATIVE_NO_PC: known when it happens, and counted as an arrival there */
};

struct vn_native_code {
    uint8_t *code;     /* begins with the entry: void (*)(uint64_t *x16, const void *block); code_bytes is a multiple of a page, the table of entries follows */
    size_t code_bytes;
    uint32_t *entries; /* by (pc - VN_CODE_BASE) / step: distance from the block's code up to this table; 0 where no block starts */
    size_t n_entries;
    struct vn_native_site *sites;
    size_t n_sites;
    struct vn_native_edge *edges;
    size_t n_edges;
};

/* Bytes of an instruction's address that an entry stands for. */
static inline unsigned vn_native_step(const struct vn_program *p) { return p->compressed ? 2 : 4; }

/* Deterministic. Errors: VN_ERR_MEMORY, VN_ERR_LIMIT (2 GiB of code). */
enum vn_status vn_native_translate(struct vn_native_code *out, const struct vn_program *p, struct vn_error *err) VN_MUST_CHECK;
void vn_native_code_fini(struct vn_native_code *c);

#endif
