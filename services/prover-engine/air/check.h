#ifndef VN_AIR_CHECK_H
#define VN_AIR_CHECK_H
/* The pieces of vn_trace_check, for callers that balance the buses of a whole job. */

#include "services/prover-engine/air/trace.h"

/* Sums of multiplicities mod p by tuple. Tuples are told apart by a 128-bit fingerprint. */
struct vn_ledger;

struct vn_ledger_entry {
    uint64_t print[2];
    uint32_t sum;                    /* mod p */
    uint32_t bus, shard, table, row; /* where the tuple was first met; table VN_AIR_MAX_TABLES: a loose end */
};

struct vn_ledger *vn_ledger_new(void); /* NULL: no memory */
void vn_ledger_free(struct vn_ledger *l);
/* The entry's place; sign_times: multiplicity mod p. 0: no memory. */
int vn_ledger_add(struct vn_ledger *l, unsigned bus, const uint32_t *tuple, unsigned width, uint32_t sign_times, uint32_t shard, uint32_t table, uint32_t row);
/* An entry that does not sum to 0, NULL if there is none. */
const struct vn_ledger_entry *vn_ledger_open_entry(const struct vn_ledger *l);

/* Constraints, and the interactions of each scope into its ledger (NULL: left out). */
enum vn_status vn_check_shard(const struct vn_trace *t, const struct vn_program *p, const struct vn_shard *s, struct vn_ledger *const ledgers[VN_SCOPE_COUNT],
                              struct vn_error *err) VN_MUST_CHECK;

#endif
