#ifndef VN_ENGINE_EXECUTE_H
#define VN_ENGINE_EXECUTE_H
/* What `venus-engine execute` adds to running a program: the architecture tests' signature, and who was called how often. */

#include <stdio.h>

#include "services/prover-engine/vm/exec.h"

/* Runs with these options and writes memory from begin_signature to end_signature to a file: 32-bit words in hex, one a line.
 * Errors: vn_execute's, VN_ERR_ARGUMENT without these symbols, VN_ERR_IO. */
enum vn_status vn_execute_signature(const struct vn_program *p, const struct vn_exec_options *o, const char *path, struct vn_exec_result *r,
                                    struct vn_error *err) VN_MUST_CHECK;

/* CSR instructions that ran, by CSR, and host calls by number; those that never ran are left out. */
void vn_exec_counts_print(FILE *f, const struct vn_exec_counts *c);
void vn_exec_counts_json(FILE *f, const struct vn_exec_counts *c); /* ,"csr":{...},"fcall":{...} */

#endif
