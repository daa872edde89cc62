/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/stats.h>

#include <math.h>

static void means(void **state)
{
    (void)state;
    static const double v[] = {1.0, 2.0, 4.0};
    test_close(atoll_mean(v, 3), 7.0 / 3.0, 1e-15);
    assert_true(isnan(atoll_mean(v, 0)));
    /* a plain sum would lose the small values */
    static const double wide[] = {1e16, 1.0, 1.0, -1e16};
    test_close(atoll_mean(wide, 4), 0.5, 0.0);
    static const double infinite[] = {INFINITY, 1.0};
    assert_true(isinf(atoll_mean(infinite, 2)));
}

static void spreads(void **state)
{
    (void)state;
    static const double v[] = {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0};
    test_close(atoll_stdev(v, 8), sqrt(32.0 / 7.0), 1e-15);
    assert_true(isnan(atoll_stdev(v, 1)));
    /* NIST StRD NumAcc4: mean 10000000.2, deviation 0.1 in a sea of digits */
    double numacc[1001];
    numacc[0] = 10000000.2;
    for (int i = 1; i < 1001; i++) {
        numacc[i] = i % 2 == 1 ? 10000000.1 : 10000000.3;
    }
    test_close(atoll_mean(numacc, 1001), 10000000.2, 1e-8);
    test_close(atoll_stdev(numacc, 1001), 0.1, 1e-8);
    static const double same[] = {0.1, 0.1, 0.1};
    test_close(atoll_stdev(same, 3), 0.0, 1e-17);
}

static void sorting_puts_nan_last(void **state)
{
    (void)state;
    double v[] = {3.0, NAN, -INFINITY, 1.0, NAN, INFINITY, 2.0};
    atoll_sort(v, 7);
    static const double sorted[] = {-INFINITY, 1.0, 2.0, 3.0, INFINITY};
    for (size_t i = 0; i < 5; i++) {
        assert_true(v[i] == sorted[i]);
    }
    assert_true(isnan(v[5]) && isnan(v[6]));
    atoll_sort(NULL, 0);
}

/* Hyndman & Fan type 7: R's quantile(c(1, 2, 4, 8), ...) */
static void quantiles(void **state)
{
    (void)state;
    static const double v[] = {1.0, 2.0, 4.0, 8.0};
    test_close(atoll_quantile(v, 4, 0.0), 1.0, 0.0);
    test_close(atoll_quantile(v, 4, 0.25), 1.75, 1e-15);
    test_close(atoll_quantile(v, 4, 0.5), 3.0, 0.0);
    test_close(atoll_quantile(v, 4, 0.9), 6.8, 1e-14);
    test_close(atoll_quantile(v, 4, 1.0), 8.0, 0.0);
    test_close(atoll_quantile(v, 1, 0.3), 1.0, 0.0);
    assert_true(isnan(atoll_quantile(v, 0, 0.5)));
    assert_true(isnan(atoll_quantile(v, 4, -0.1)));
    assert_true(isnan(atoll_quantile(v, 4, NAN)));
    static const double infinite[] = {1.0, INFINITY, INFINITY};
    assert_true(isinf(atoll_quantile(infinite, 3, 0.75)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means),
        cmocka_unit_test(spreads),
        cmocka_unit_test(sorting_puts_nan_last),
        cmocka_unit_test(quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
