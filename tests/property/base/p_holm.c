/* SPDX-License-Identifier: Apache-2.0 */
/* Holm's adjustment against its definition, in quadratic time: the adjusted p of a test is the
 * largest (m - rank + 1) * p over the tests whose p is not larger. */
#include "atoll_test.h"

#include <atoll/stats.h>

enum { MAX_TESTS = 30 };

static double by_definition(const double *p, size_t n, size_t which)
{
    double adjusted = 0.0;
    for (size_t j = 0; j < n; j++) {
        if (p[j] > p[which]) {
            continue;
        }
        size_t smaller = 0;
        for (size_t k = 0; k < n; k++) {
            smaller += p[k] < p[j];
        }
        const double raised = (double)(n - smaller) * p[j];
        adjusted = raised > adjusted ? raised : adjusted;
    }
    return adjusted < 1.0 ? adjusted : 1.0;
}

static void same_as_the_definition(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    const size_t cases = test_cases(2000);
    for (size_t i = 0; i < cases; i++) {
        double p[MAX_TESTS], adjusted[MAX_TESTS];
        const size_t n = (size_t)atoll_rng_below(&r, MAX_TESTS) + 1;
        for (size_t k = 0; k < n; k++) {
            /* some equal, most small */
            p[k] = atoll_rng_below(&r, 3) == 0 ? 0.01 : atoll_rng_unit(&r) * atoll_rng_unit(&r);
            adjusted[k] = p[k];
        }
        assert_int_equal(atoll_holm(adjusted, n), 0);
        for (size_t k = 0; k < n; k++) {
            test_close(adjusted[k], by_definition(p, n, k), 1e-15);
            assert_true(adjusted[k] >= p[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_the_definition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
