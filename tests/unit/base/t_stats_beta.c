/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/stats.h>

#include "base_internal.h"

#include <math.h>

/* Closed forms: I_x(a, 1) = x^a, I_x(1, b) = 1 - (1-x)^b, I_x(a, b) = 1 - I_{1-x}(b, a). */
static void incomplete_beta(void **state)
{
    (void)state;
    for (int i = 0; i <= 20; i++) {
        const double x = i / 20.0;
        for (double a = 0.5; a < 2000.0; a *= 3.0) {
            test_close(atoll__base_beta_inc(a, 1.0, x), pow(x, a), 1e-12);
            test_close(atoll__base_beta_inc(1.0, a, x), 1.0 - pow(1.0 - x, a), 1e-12);
            test_close(atoll__base_beta_inc(a, 2.5, x),
                       1.0 - atoll__base_beta_inc(2.5, a, 1.0 - x), 1e-11);
        }
    }
    test_close(atoll__base_beta_inc(2.0, 3.0, 0.4), 0.5248, 1e-14); /* 1 - .6^4 - 4*.4*.6^3 */
    assert_true(isnan(atoll__base_beta_inc(1.0, 1.0, NAN)));
}

/* The table of every statistics book (NIST handbook 1.3.6.7.2), more digits from the closed forms
 * for 1 and 2 degrees: tan(0.475 pi) and 0.95 * sqrt(2 / (1 - 0.95^2)). */
static void t_quantiles(void **state)
{
    (void)state;
    static const struct {
        double dof, t, tolerance;
    } table[] = {
        {3, 3.182, 5e-4},  {4, 2.776, 5e-4},  {5, 2.571, 5e-4},   {9, 2.262, 5e-4},
        {10, 2.228, 5e-4}, {29, 2.045, 5e-4}, {30, 2.042, 5e-4},  {60, 2.000, 5e-4},
        {99, 1.984, 5e-4}, {100, 1.984, 5e-4}, {1e12, 1.959963984540054, 1e-9},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        test_close(atoll_t975(table[i].dof), table[i].t, table[i].tolerance);
    }
    test_close(atoll_t975(1.0), tan(0.475 * 3.14159265358979323846), 1e-10);
    test_close(atoll_t975(2.0), 0.95 * sqrt(2.0 / (1.0 - 0.95 * 0.95)), 1e-10);
    assert_true(atoll_t975(2.5) < atoll_t975(2.0) && atoll_t975(2.5) > atoll_t975(3.0));
    assert_true(atoll_t975(0.05) > 1e20);
    assert_true(isnan(atoll_t975(0.0)) && isnan(atoll_t975(-1.0)) && isnan(atoll_t975(NAN)));
}

/* With 1 degree (Cauchy): p = 1 - 2 atan(t) / pi; with 2: p = 1 - t / sqrt(2 + t^2). */
static void t_pvalues(void **state)
{
    (void)state;
    for (double t = 0.0; t < 50.0; t += 0.7) {
        test_close(atoll_t_pvalue(t, 1.0), 1.0 - 2.0 * atan(t) / 3.14159265358979323846, 1e-13);
        test_close(atoll_t_pvalue(-t, 2.0), 1.0 - t / sqrt(2.0 + t * t), 1e-13);
    }
    test_close(atoll_t_pvalue(1.96, 1e12), 0.049995790296440868, 1e-9);
    test_close(atoll_t_pvalue(INFINITY, 5.0), 0.0, 0.0);
    assert_true(isnan(atoll_t_pvalue(NAN, 5.0)));
}

static void normal(void **state)
{
    (void)state;
    test_close(atoll_normal_cdf(0.0), 0.5, 0.0);
    test_close(atoll_normal_cdf(1.959963984540054), 0.975, 1e-15);
    test_close(atoll_normal_cdf(-3.0), 0.0013498980316300946, 1e-17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(incomplete_beta),
        cmocka_unit_test(t_quantiles),
        cmocka_unit_test(t_pvalues),
        cmocka_unit_test(normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
