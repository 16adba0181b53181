#ifndef VN_PARAMS_H
#define VN_PARAMS_H
/* The constants of the two shard kinds. They belong to the kind and are never read from a proof. docs/soundness.md derives them;
 * `venus-engine params --soundcalc` prints them for the public soundness calculator.
 *
 *   rate 1/2             constraint degree 3, so a quotient has degree < 2n and two cosets hold everything
 *   N = 2^20             the common height: the 20-bit time table has it anyway, and one preprocessed tree serves every shard
 *   fold 8, five times   2^20 -> 2^17 -> 2^14 -> 2^11 -> 2^8 -> 2^5 final coefficients
 *   queries, grinding    Johnson bound with the batch bounded by VN_MAX_BATCH: every term >= 128 bits, hash assumed ideal */

#include <stdint.h>

#define VN_PARAMS_VERSION 4u

#define VN_KIND_EXECUTION 0u
#define VN_KIND_MEMORY 1u
#define VN_KIND_COUNT 2u

#define VN_LOG_BLOWUP 1u
#define VN_FRI_LOG_FOLD 3u
#define VN_FRI_FOLD (1u << VN_FRI_LOG_FOLD)

struct vn_pcs_params {
    uint8_t log_n;    /* common height N */
    uint8_t n_folds;  /* committed FRI layers */
    uint8_t pow_bits; /* grinding before the queries */
    uint16_t n_queries;
};

extern const struct vn_pcs_params vn_kind_params[VN_KIND_COUNT];

/* Upper limits of arrays that depend on parameters; kinds stay below them. */
#define VN_PCS_MAX_LOG_N 20u
#define VN_PCS_MAX_FOLDS 5u
#define VN_PCS_MAX_QUERIES 235u
#define VN_PCS_MAX_FINAL 32u

/* Functions in the DEEP batch: stacks times points. The verifier refuses shapes with more. */
#define VN_MAX_BATCH 1024u

/* Shard limits the verifier checks on integers. */
#define VN_MAX_JOB_SHARDS 65535u
#define VN_MAX_STEPS (1u << 20)
#define VN_FIRST_CLK 4u
#define VN_CLK_PER_STEP 4u
#define VN_STATEMENT_OUTPUT_BYTES 256u
#define VN_LARGEST_KEY ((1u << 29) + 31u) /* register 31; the memory table's order needs keys that differ by less than p - 2^30 */

/* Coefficients of the last FRI polynomial. */
static inline unsigned vn_pcs_log_final(const struct vn_pcs_params *p)
{
    return p->log_n - VN_FRI_LOG_FOLD * p->n_folds;
}

#endif
