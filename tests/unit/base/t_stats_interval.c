/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/stats.h>

#include <math.h>

enum { MAX_N = 3000 };
static double ranks[MAX_N]; /* the value is its rank */

static int fill(void **state)
{
    (void)state;
    for (int i = 0; i < MAX_N; i++) {
        ranks[i] = i + 1;
    }
    return 0;
}

/* Ranks of the median as printed in Le Boudec, Performance Evaluation, appendix A */
static void median_ranks(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double low, high;
    } table[] = {
        {6, 1, 6},   {10, 2, 9},    {20, 6, 15},   {30, 10, 21},
        {50, 18, 33}, {100, 40, 61}, {200, 86, 115}, {1000, 469, 532},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct atoll_interval ci = atoll_quantile_ci(ranks, table[i].n, 0.5);
        test_close(ci.low95, table[i].low, 0.0);
        test_close(ci.high95, table[i].high, 0.0);
        test_close(ci.value, ((double)table[i].n + 1.0) / 2.0, 1e-12);
    }
}

/* P(all n values lie on one side) <= 5 %: below this n no interval exists */
static void smallest_n(void **state)
{
    (void)state;
    static const struct {
        double frac;
        size_t n;
    } table[] = {{0.5, 6}, {0.9, 29}, {0.95, 59}, {0.99, 299}, {0.999, 2995},
                 {0.1, 29}, {0.01, 299}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct atoll_interval under = atoll_quantile_ci(ranks, table[i].n - 1, table[i].frac);
        const struct atoll_interval at = atoll_quantile_ci(ranks, table[i].n, table[i].frac);
        assert_true(isnan(under.low95) && isnan(under.high95) && !isnan(under.value));
        assert_true(at.low95 <= at.value && at.value <= at.high95);
    }
}

static void no_interval_where_none_is_possible(void **state)
{
    (void)state;
    assert_true(isnan(atoll_quantile_ci(ranks, 1000, 0.0).low95));
    assert_true(isnan(atoll_quantile_ci(ranks, 1000, 1.0).high95));
    assert_true(isnan(atoll_quantile_ci(ranks, 0, 0.5).value));
    assert_true(isnan(atoll_quantile_ci(ranks, 10, NAN).low95));
}

static void mean_interval(void **state)
{
    (void)state;
    static const double v[] = {1.0, 2.0, 3.0, 4.0, 5.0};
    const struct atoll_interval ci = atoll_mean_ci(v, 5);
    const double half = 2.7764451051977987 * sqrt(2.5 / 5.0); /* t(0.975, 4) */
    test_close(ci.value, 3.0, 0.0);
    test_close(ci.low95, 3.0 - half, 1e-12);
    test_close(ci.high95, 3.0 + half, 1e-12);
    assert_true(isnan(atoll_mean_ci(v, 1).low95));
}

/* Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (Wilson without continuity) */
static void wilson(void **state)
{
    (void)state;
    static const struct {
        uint64_t k, n;
        double low, high;
    } table[] = {
        {81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0.0, 0.1611},
        {1, 29, 0.0061, 0.1718},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct atoll_interval ci = atoll_wilson(table[i].k, table[i].n);
        test_close(ci.low95, table[i].low, 5e-5);
        test_close(ci.high95, table[i].high, 5e-5);
    }
    test_close(atoll_wilson(7, 7).high95, 1.0, 0.0);
    test_close(atoll_wilson(0, 7).low95, 0.0, 0.0);
    assert_true(isnan(atoll_wilson(0, 0).value));
    assert_true(isnan(atoll_wilson(3, 2).value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_ranks),
        cmocka_unit_test(smallest_n),
        cmocka_unit_test(no_interval_where_none_is_possible),
        cmocka_unit_test(mean_interval),
        cmocka_unit_test(wilson),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
