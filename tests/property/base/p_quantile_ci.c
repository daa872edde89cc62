/* SPDX-License-Identifier: Apache-2.0 */
/* The interval of a quantile covers it with at least 95 %: computed from the binomial distribution
 * by a plain sum, and seen in simulated samples. */
#include "atoll_test.h"

#include <atoll/stats.h>

#include <math.h>

enum { MAX_N = 2000 };
static double ranks[MAX_N]; /* the value is its rank, so the interval's ends are ranks */

/* P(l <= B <= u - 1), B binomial(n, p), term by term. */
static double coverage(size_t n, double p, size_t l, size_t u)
{
    double sum = 0.0;
    for (size_t k = l; k < u; k++) {
        const double x = (double)k, m = (double)n;
        sum += exp(lgamma(m + 1.0) - lgamma(x + 1.0) - lgamma(m - x + 1.0) + x * log(p) +
                   (m - x) * log1p(-p));
    }
    return sum;
}

static void check_ranks(size_t n, double p)
{
    const struct atoll_interval ci = atoll_quantile_ci(ranks, n, p);
    if (isnan(ci.low95)) {
        assert_true(isnan(ci.high95));
        assert_true(coverage(n, p, 1, n) < 0.95 + 1e-9);
        return;
    }
    const size_t l = (size_t)ci.low95, u = (size_t)ci.high95;
    assert_true(l >= 1 && u <= n && l < u);
    assert_true(coverage(n, p, l, u) >= 0.95 - 1e-9);
    /* no wider than needed: the next rank inwards on either side would break that side's share */
    const double low_share = l > 1 && u == n ? 0.05 - pow(p, (double)n) : 0.025;
    const double high_share = u < n && l == 1 ? 0.05 - pow(1.0 - p, (double)n) : 0.025;
    assert_true(1.0 - coverage(n, p, l + 1, n + 1) > fmin(low_share, 0.025) - 1e-9);
    assert_true(1.0 - coverage(n, p, 0, u - 1) > fmin(high_share, 0.025) - 1e-9);
}

static void coverage_by_the_plain_sum(void **state)
{
    (void)state;
    for (size_t i = 0; i < MAX_N; i++) {
        ranks[i] = (double)(i + 1);
    }
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    static const double usual[] = {0.5, 0.9, 0.95, 0.99, 0.1, 0.01};
    for (size_t n = 1; n <= 400; n++) {
        for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
            check_ranks(n, usual[i]);
        }
    }
    const size_t cases = test_cases(500);
    for (size_t i = 0; i < cases; i++) {
        check_ranks(1 + (size_t)atoll_rng_below(&r, MAX_N), 0.001 + 0.998 * atoll_rng_unit(&r));
    }
}

static void coverage_in_samples(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    static const struct {
        size_t n;
        double frac;
    } table[] = {{20, 0.5}, {60, 0.9}, {400, 0.99}};
    const size_t cases = test_cases(2000);
    for (size_t t = 0; t < sizeof table / sizeof table[0]; t++) {
        const double truth = -log1p(-table[t].frac); /* of the exponential distribution */
        size_t covered = 0;
        for (size_t i = 0; i < cases; i++) {
            double v[400];
            for (size_t k = 0; k < table[t].n; k++) {
                v[k] = atoll_rng_exponential(&r);
            }
            atoll_sort(v, table[t].n);
            const struct atoll_interval ci = atoll_quantile_ci(v, table[t].n, table[t].frac);
            covered += ci.low95 <= truth && truth <= ci.high95;
        }
        const double share = (double)covered / (double)cases;
        assert_true(share >= 0.95 - 4.0 * sqrt(0.05 * 0.95 / (double)cases));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coverage_by_the_plain_sum),
        cmocka_unit_test(coverage_in_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
