/* The text and the TOML are printed from the constants the verifier uses; docs/soundness.md has the calculator's answer. */
#include "services/prover-engine/stark/prove.h"

static const char *const KIND_NAMES[VN_KIND_COUNT] = {"execution", "memory"};

void vn_params_print(FILE *f)
{
    (void)fprintf(f, "params version      %u\n", VN_PARAMS_VERSION);
    (void)fprintf(f, "field               KoalaBear, p = %u; extension degree 6, x^6 + x^3 + 1\n", VN_P);
    (void)fprintf(f, "hash                Poseidon2, width %u, x^3, %u full and %u partial rounds; digest %u elements\n", VN_HASH_WIDTH,
                  VN_HASH_FULL_ROUNDS, VN_HASH_PARTIAL_ROUNDS, VN_DIGEST_LEN);
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        const struct vn_pcs_params *p = &vn_kind_params[kind];
        (void)fprintf(f, "kind %-14s rate 1/%u, degree 3, N = 2^%u, fold %u x %u, %u final coefficients, %u queries, %u-bit grinding\n",
                      KIND_NAMES[kind], 1u << VN_LOG_BLOWUP, p->log_n, VN_FRI_FOLD, p->n_folds, 1u << vn_pcs_log_final(p), p->n_queries,
                      p->pow_bits);
    }
    (void)fprintf(f, "batch               at most %u functions\n", VN_MAX_BATCH);
    (void)fprintf(f, "security            >= 128 bits proven (Johnson bound, round by round), hash assumed ideal\n");
}

/* Columns, extension columns and constraints of all tables of a kind. */
static void count(unsigned kind, unsigned *pre, unsigned *witness)
{
    const struct vn_air_kind *k = &vn_air_kinds[kind];
    *pre = *witness = 0;
    for (unsigned i = 0; i < k->n_tables; i++) {
        const struct vn_air_table *t = &vn_air_tables[k->tables[i]];
        *pre += t->n_pre;
        *witness += (unsigned)t->n_p1 + t->n_main + 6u * ((unsigned)t->n_logup[VN_SCOPE_LOCAL] + t->n_logup[VN_SCOPE_GLOBAL]);
    }
}

void vn_params_print_soundcalc(FILE *f)
{
    (void)fprintf(f, "[zkevm]\nname = \"Venus engine\"\nprotocol_family = \"FRI_STARK\"\nversion = \"%u\"\nfield = \"KoalaBear^6\"\n"
                     "hash_size_bits = 279\n\n",
                  VN_PARAMS_VERSION);
    for (unsigned kind = 0; kind < VN_KIND_COUNT; kind++) {
        const struct vn_pcs_params *p = &vn_kind_params[kind];
        unsigned pre, witness;
        count(kind, &pre, &witness);
        (void)fprintf(f, "[[circuits]]\nname = \"%s\"\ntrace_length = %u\nrho = 0.5\nair_max_degree = 3\n", KIND_NAMES[kind], 1u << p->log_n);
        (void)fprintf(f, "num_columns_fixed = %u\nnum_columns_witness = %u\nnum_columns = %u\nnum_constraints = %u\n", pre, witness, pre + witness,
                      vn_air_kinds[kind].n_constraints);
        (void)fprintf(f, "opening_points = %u\nbatch_size = %u\npower_batching = true\nnum_queries = %u\n", 3u, VN_MAX_BATCH, p->n_queries);
        (void)fprintf(f, "fri_folding_factors = [");
        for (unsigned i = 0; i < p->n_folds; i++)
            (void)fprintf(f, "%s%u", i ? ", " : "", VN_FRI_FOLD);
        /* the calculator counts points where folding stops, and takes the Johnson gap as given */
        (void)fprintf(f, "]\nfri_early_stop_degree = %u\ngrinding_query_phase = %u\ngap_to_radius = 0.01\n",
                      1u << (vn_pcs_log_final(p) + VN_LOG_BLOWUP), p->pow_bits);
        /* all buses as one look-up; the verifier bounds the rows of each by p */
        (void)fprintf(f, "[[circuits.lookups]]\nname = \"buses\"\nlogup_type = \"univariate\"\nrows_L = %u\nrows_T = %u\nnum_columns_S = %u\n"
                         "num_lookups_M = %u\ngrinding_bits_lookup = 0\n\n",
                      VN_P, 1u << p->log_n, VN_AIR_MAX_TUPLE, VN_BUS_OUTPUT);
    }
}
