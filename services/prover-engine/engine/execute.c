/* The signature is dumped by the executor into a buffer and becomes text here. */
#include "services/prover-engine/engine/execute.h"

#include <fcntl.h>
#include <stdlib.h>

#include "libshared/file.h"
#include "services/prover-engine/engine/work.h"
#include "services/prover-engine/vm/precompile/precompile.h"

#define CSRS 4096

static enum vn_status write_words(const char *path, const uint8_t *bytes, size_t n_words, struct vn_error *err)
{
    char *text = calloc(n_words + 1, 9);
    if (!text)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n_words; i++)
        snprintf(text + 9 * i, 10, "%02x%02x%02x%02x\n", bytes[4 * i + 3], bytes[4 * i + 2], bytes[4 * i + 1], bytes[4 * i]);
    enum vn_status status = vn_file_write(AT_FDCWD, path, text, 9 * n_words, err);
    free(text);
    return status;
}

enum vn_status vn_execute_signature(const struct vn_program *p, const struct vn_exec_options *o, const char *path, struct vn_exec_result *r, struct vn_error *err)
{
    struct vn_exec_options x = *o;
    x.dump_addr = p->signature_begin;
    x.dump_bytes = p->signature_end - p->signature_begin;
    if (!x.dump_bytes)
        return vn_fail(err, VN_ERR_ARGUMENT, "--signature: the program has no symbols begin_signature and end_signature");
    x.dump = calloc(1, x.dump_bytes);
    if (!x.dump)
        return vn_fail(err, VN_ERR_MEMORY, "out of memory");
    enum vn_status status = vn_execute(p, &x, r, err);
    if (status == VN_OK)
        status = write_words(path, x.dump, x.dump_bytes / 4, err);
    free(x.dump);
    return status;
}

void vn_exec_counts_print(FILE *f, const struct vn_exec_counts *c)
{
    for (unsigned i = 0; i < CSRS; i++) {
        const char *name = vn_csr_name(i);
        if (c->csr[i])
            fprintf(f, "csr 0x%03x       %-22s %llu\n", i, name ? name : "", (unsigned long long)c->csr[i]);
    }
    for (unsigned i = 0; i < VN_EXEC_FCALLS; i++)
        if (c->fcall[i])
            fprintf(f, "fcall %-2u                               %llu\n", i, (unsigned long long)c->fcall[i]);
}

/* The members of one object. */
static void print_members(FILE *f, int hex, const uint64_t *counts, unsigned n)
{
    const char *separator = "";
    for (unsigned i = 0; i < n; i++) {
        if (!counts[i])
            continue;
        fprintf(f, hex ? "%s\"%03x\":%llu" : "%s\"%u\":%llu", separator, i, (unsigned long long)counts[i]);
        separator = ",";
    }
}

void vn_exec_counts_json(FILE *f, const struct vn_exec_counts *c)
{
    fprintf(f, ",\"csr\":{");
    print_members(f, 1, c->csr, CSRS);
    fprintf(f, "},\"fcall\":{");
    print_members(f, 0, c->fcall, VN_EXEC_FCALLS);
    fprintf(f, "}");
}
