#ifndef VN_TEST_FORGER_H
#define VN_TEST_FORGER_H
/* A prover that knows the whole code and does not care for the truth. It may run another program under the real key, change any cell and count
 * the lookups again, and from there follow the protocol or bend it. Every hash and every challenge is computed as the verifier will.
 * Errors of the tools, as opposed to rejections, end the test through test_fail (tests/unit/stark/job.h). */

#include "services/prover-engine/stark/shard.h"
#include "tests/unit/stark/job.h"

/* Ways to bend the protocol. */
enum {
    FORGE_TOTALS = 1,       /* a table's local total is what makes the buses balance */
    FORGE_GLOBAL_TOTAL = 2, /* the boundary's global total is off by one */
    FORGE_VALUES = 4,       /* the quotient's opened values are what makes the constraints hold */
    FORGE_CHALLENGES = 8,   /* the lookup challenges are the prover's own */
    FORGE_P1_LATE = 16,     /* the phase-1 columns are others than those in the leaf */
    FORGE_MAIN_LATE = 32,   /* the main columns are others than those the challenges came from */
};

struct forger {
    const struct vn_setup *real;  /* the key, and what it commits to */
    const struct vn_program *ran; /* what really ran */
    struct vn_setup setup;        /* the real key over what ran */
    struct vn_prover prover;
    struct vn_proving *w;         /* while a proof is made */
};

struct lie {
    const char *name;
    const char *reason;                     /* part of the verifier's message */
    void (*shard)(struct vn_shard *s, const struct vn_shard *before); /* before the replay; the shard before it */
    void (*trace)(struct forger *f);        /* after the columns are filled */
    unsigned bend;                          /* FORGE_ */
};

/* pre: the set-up whose preprocessed columns are used; normally the real one. */
void forger_init(struct forger *f, const struct vn_setup *real, const struct vn_setup *pre, const struct vn_program *ran, const struct vn_backend *b,
                 struct vn_pool *pool);

/* Up to the leaf. The caller ends with forger_end. */
void forger_begin(struct forger *f, const struct vn_shard *shard, const struct lie *lie);
void forger_end(struct forger *f);

/* The rest, appended to out. job->leaves has f->w->leaf at its place. */
void forger_finish(struct forger *f, const struct lie *lie, const struct vn_job *job, struct vn_writer *out);

/* Between the two calls a row of a table may be changed; its lookups are counted again where a provider has the tuple. */
void forger_row_begin(struct forger *f, unsigned table, size_t row);
void forger_row_end(struct forger *f, unsigned table, size_t row);

/* Row of the table that is used (column `sel`, group p1 or main) and has `value` in a main column; from `row` on. SIZE_MAX: none. */
size_t forger_find(const struct forger *f, unsigned table, unsigned column, uint32_t value, size_t row);

#endif
