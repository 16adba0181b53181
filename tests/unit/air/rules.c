/* Tables that break a static rule are refused, each by its own message; the bounds on heights and multiplicities hold. */
#include <criterion/criterion.h>
#include <string.h>

#include "air_tables.h"
#include "services/prover-engine/air/builder.h"
#include "services/prover-engine/vm/exec.h"

/* A machine of one table, the body declared by `body`. */
static void refused(void (*body)(ex sel), const char *why)
{
    vn_b_start();
    vn_b_table("bad");
    ex sel = col_bool("sel");
    selector(sel);
    body(sel);
    vn_b_table_end();
    vn_b_finish();
    if (!why)
        cr_assert_null(vn_b_error(), "%s", vn_b_error());
    else
        cr_assert(vn_b_error() && strstr(vn_b_error(), why), "\"%s\", not \"%s\"", vn_b_error() ? vn_b_error() : "accepted", why);
    vn_b_free();
}

static void good(ex sel)
{
    ex x = col("x");
    put(VN_BUS_CHAIN, VN_SCOPE_LOCAL, sel, TUPLE(x));
}

static void degree_four(ex sel)
{
    ex x = col("x");
    zero("too high", mul(mul(x, x), mul(x, sel)));
}

static void quadratic_tuple(ex sel)
{
    ex x = col("x");
    put(VN_BUS_CHAIN, VN_SCOPE_LOCAL, sel, TUPLE(mul(x, x)));
}

static void two_widths(ex sel)
{
    ex x = col("x");
    put(VN_BUS_CHAIN, VN_SCOPE_LOCAL, sel, TUPLE(x));
    take(VN_BUS_CHAIN, VN_SCOPE_LOCAL, sel, TUPLE(x, x));
}

static void flag_not_boolean(ex sel)
{
    (void)sel;
    ex x = col("x");
    put(VN_BUS_CHAIN, VN_SCOPE_LOCAL, x, TUPLE(x));
}

static void flag_is_a_product(ex sel)
{
    ex flag = col_bool("flag"), x = col("x");
    put(VN_BUS_CHAIN, VN_SCOPE_LOCAL, mul(sel, flag), TUPLE(x));
}

static void global_reads_main(ex sel)
{
    ex x = col("x"), zeros = k(0);
    put(VN_BUS_GLOBAL_MEMORY, VN_SCOPE_GLOBAL, sel, TUPLE(x, x, x, zeros, zeros, zeros, zeros));
}

static void global_multiplicity_reads_main(ex sel)
{
    ex z = k(0);
    put(VN_BUS_GLOBAL_MEMORY, VN_SCOPE_GLOBAL, sel, TUPLE(z, z, z, z, z, z, z));
}

static void global_bus_used_locally(ex sel)
{
    ex z = k(0);
    put(VN_BUS_OUTPUT, VN_SCOPE_LOCAL, sel, TUPLE(z, z, z, z, z));
}

static void lookup_without_provider(ex sel)
{
    ex x = col("x");
    lookup(VN_BUS_TIME, sel, TUPLE(x));
}

static void free_lookup_multiplicity(ex sel)
{
    (void)sel;
    ex x = col("x");
    lookup(VN_BUS_TIME, x, TUPLE(x));
}

static void negative_lookup_multiplicity(ex sel)
{
    ex flag = col_bool("flag"), x = col("x");
    lookup(VN_BUS_TIME, sub(sel, flag), TUPLE(x));
}

static void put_on_a_lookup_bus(ex sel)
{
    ex x = col("x");
    put(VN_BUS_TIME, VN_SCOPE_LOCAL, sel, TUPLE(x));
}

static void two_providers(ex sel)
{
    (void)sel;
    ex x = col("x"), m = col("m"), n = col("n");
    provide(VN_BUS_TIME, m, TUPLE(x));
    provide(VN_BUS_TIME, n, TUPLE(x));
}

static void phase_one_with_main_selector(ex sel)
{
    (void)sel;
    col_p1("x");
}

Test(rules, bad_tables_are_refused)
{
    refused(good, NULL);
    refused(degree_four, "has degree 4");
    refused(quadratic_tuple, "tuple element 0 has degree 2");
    refused(two_widths, "tuples of 1 and 2 elements");
    refused(flag_not_boolean, "not a boolean column");
    refused(flag_is_a_product, "not a boolean column");
    refused(global_reads_main, "reads a main column");
    refused(global_multiplicity_reads_main, "reads a main column");
    refused(global_bus_used_locally, "wrong scope");
    refused(lookup_without_provider, "has 0 providers");
    refused(free_lookup_multiplicity, "multiplicity is not bounded");
    refused(negative_lookup_multiplicity, "multiplicity is not bounded");
    refused(put_on_a_lookup_bus, "wrong kind of interaction");
    refused(two_providers, "has 2 providers");
    refused(phase_one_with_main_selector, "phase-1 selector");
}

Test(rules, phase_one_columns_need_a_selector)
{
    vn_b_start();
    vn_b_table("bad");
    col_p1("x");
    vn_b_table_end();
    cr_assert_not_null(strstr(vn_b_error(), "without a selector"));
    vn_b_free();
}

/* A kind that may lack the provider of something it looks up. */
Test(rules, optional_provider)
{
    vn_b_start();
    vn_b_table("user");
    ex sel = col_bool("sel"), x;
    selector(sel);
    x = col("x");
    lookup(VN_BUS_TIME, sel, TUPLE(x));
    vn_b_table_end();
    vn_b_table("time");
    x = col_pre("x");
    provide(VN_BUS_TIME, col("m"), TUPLE(x));
    vn_b_table_end();
    vn_b_kind_table(0, "user", 0, 0);
    vn_b_kind_table(0, "time", 0, 0);
    vn_b_finish();
    cr_assert_not_null(strstr(vn_b_error(), "may lack its provider"));
    vn_b_free();
}

Test(rules, height_classes)
{
    cr_assert_eq(vn_air_log_height(0), VN_LOG_HEIGHT_ABSENT);
    cr_assert_eq(vn_air_log_height(1), 8);
    cr_assert_eq(vn_air_log_height(256), 8);
    cr_assert_eq(vn_air_log_height(257), 12);
    cr_assert_eq(vn_air_log_height(1u << 19), 19);
    cr_assert_eq(vn_air_log_height((1u << 19) + 1), 20);
    cr_assert_eq(vn_air_log_height((1u << 20) + 1), VN_LOG_HEIGHT_ABSENT);
}

Test(rules, multiplicities_stay_below_p)
{
    uint8_t heights[VN_AIR_MAX_TABLES];
    memset(heights, VN_LOG_HEIGHT_ABSENT, sizeof heights);
    for (unsigned kind = 0; kind < 2; kind++)
        cr_assert(vn_air_multiplicities_fit(kind, heights));
    memset(heights, 20, sizeof heights);
    for (unsigned kind = 0; kind < 2; kind++)
        cr_assert(vn_air_multiplicities_fit(kind, heights));
    memset(heights, 24, sizeof heights);
    cr_assert_not(vn_air_multiplicities_fit(VN_SHARD_EXECUTION, heights));
    memset(heights, 25, sizeof heights);
    cr_assert_not(vn_air_multiplicities_fit(VN_SHARD_MEMORY, heights));
}
