#ifndef VN_NATIVE_H
#define VN_NATIVE_H
/* A program as x86-64 code that runs beside the interpreter, and the cache that keeps it. The code does what is frequent; everything else it leaves to the
 * interpreter, which continues where it stopped. */

#include "services/prover-engine/rv64/program.h"

struct vn_native;
struct vn_native_machine;

struct vn_native_options {
    const char *dir;      /* where translations are kept, made if it is not there; NULL: nowhere */
    int lock_memory;      /* keep the code in physical memory, if the process may */
};

/* Takes the translation from the cache or makes it. The cache is never trusted: a file that is not this user's, that others can write, or that differs in
 * version, program, length or digest is made anew. *notice (status VN_OK: none): why the translation is not kept; it works all the same.
 * Errors: VN_ERR_UNSUPPORTED (this processor or system cannot run it: interpret instead), VN_ERR_MEMORY, VN_ERR_LIMIT. */
enum vn_status vn_native_open(struct vn_native **out, const struct vn_program *p, const struct vn_native_options *o, struct vn_error *notice,
                              struct vn_error *err) VN_MUST_CHECK;
void vn_native_close(struct vn_native *n);
int vn_native_from_cache(const struct vn_native *n); /* for tests */

/* One run's registers and counters. memory and touch are as in struct vn_native_machine (translate.h), but touch gets the pc of its instruction. */
struct vn_native_run;
enum vn_status vn_native_run_new(struct vn_native_run **out, struct vn_native *n, uint8_t *memory, int (*touch)(void *owner, uint64_t addr, uint32_t pc), void *owner,
                                 struct vn_error *err) VN_MUST_CHECK;
void vn_native_run_free(struct vn_native_run *r);

/* Runs from *pc for at most *left instructions, both updated; registers accessed are added to *used. Does nothing where no block starts. */
void vn_native_run(struct vn_native_run *r, uint32_t shard, uint64_t x[32], uint32_t *pc, uint64_t *left, uint32_t *used);

/* Jumps taken so far. VN_NATIVE_NO_PC (translate.h) where one end is counted apart. */
void vn_native_run_jumps(const struct vn_native_run *r, void (*jump)(void *ctx, uint32_t from, uint32_t to, uint64_t times), void *ctx);

#endif
