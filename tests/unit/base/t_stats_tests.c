/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/stats.h>

#include <math.h>

/* Student's sleep data: R's t.test(extra ~ group, data = sleep) prints t = -1.8608, df = 17.776,
 * p = 0.07939 */
static const double sleep_1[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
static const double sleep_2[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

static void welch(void **state)
{
    (void)state;
    test_close(atoll_welch_pvalue(sleep_1, 10, sleep_2, 10), 0.07939, 5e-6);
    static const double same[] = {1.0, 1.0, 1.0};
    assert_true(isnan(atoll_welch_pvalue(same, 3, same, 3)));
    assert_true(isnan(atoll_welch_pvalue(sleep_1, 1, sleep_2, 10)));
}

/* Small tables in closed form: all of a below all of b has p = 2 / C(na + nb, na). */
static void mann_whitney_exact(void **state)
{
    (void)state;
    static const double a[] = {1, 2, 3, 4, 5}, b[] = {6, 7, 8, 9, 10};
    test_close(atoll_mann_whitney_pvalue(a, 5, b, 5), 2.0 / 252.0, 1e-15);
    test_close(atoll_mann_whitney_pvalue(b, 5, a, 5), 2.0 / 252.0, 1e-15);
    test_close(atoll_mann_whitney_pvalue(a, 3, b, 3), 2.0 / 20.0, 1e-15);
    test_close(atoll_mann_whitney_pvalue(a, 1, b, 1), 1.0, 0.0);
    double many_a[20], many_b[20];
    for (int i = 0; i < 20; i++) {
        many_a[i] = i;
        many_b[i] = 100 + i;
    }
    test_close(atoll_mann_whitney_pvalue(many_a, 20, many_b, 20) * 137846528820.0, 2.0, 1e-9);
}

/* R's wilcox.test(extra ~ group, data = sleep, exact = FALSE): W = 25.5, p-value = 0.06933 */
static void mann_whitney_with_ties(void **state)
{
    (void)state;
    test_close(atoll_mann_whitney_pvalue(sleep_1, 10, sleep_2, 10), 0.06933, 5e-6);
    static const double same[] = {1.0, 1.0, 1.0};
    test_close(atoll_mann_whitney_pvalue(same, 3, same, 3), 1.0, 0.0);
}

static void mann_whitney_undefined(void **state)
{
    (void)state;
    static const double v[] = {1.0, NAN};
    assert_true(isnan(atoll_mann_whitney_pvalue(v, 0, v, 1)));
    assert_true(isnan(atoll_mann_whitney_pvalue(v, 2, v, 1)));
    atoll_alloc_fail_after(1);
    assert_true(isnan(atoll_mann_whitney_pvalue(v, 1, v, 1)));
}

/* R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm"): 0.03 0.06 0.06 0.02 */
static void holm(void **state)
{
    (void)state;
    double p[] = {0.01, 0.04, 0.03, 0.005};
    assert_int_equal(atoll_holm(p, 4), 0);
    test_close(p[0], 0.03, 1e-15);
    test_close(p[1], 0.06, 1e-15);
    test_close(p[2], 0.06, 1e-15);
    test_close(p[3], 0.02, 1e-15);
    double large[] = {0.9, 0.8};
    assert_int_equal(atoll_holm(large, 2), 0);
    test_close(large[0], 1.0, 0.0);
    double part[] = {NAN, 0.02};
    assert_int_equal(atoll_holm(part, 2), 0);
    assert_true(isnan(part[0]));
    test_close(part[1], 0.02, 0.0); /* the undefined one does not count */
    assert_int_equal(atoll_holm(NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(welch),
        cmocka_unit_test(mann_whitney_exact),
        cmocka_unit_test(mann_whitney_with_ties),
        cmocka_unit_test(mann_whitney_undefined),
        cmocka_unit_test(holm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
