/* SPDX-License-Identifier: Apache-2.0 */
/* The generator's values are spread as they should be: chi-square and moments, five sigma wide. */
#include "atoll_test.h"

#include <atoll/base.h>

#include <math.h>

enum { MAX_BINS = 64 };

/* Chi-square of `bins` counts with mean bins-1 and variance 2 (bins-1), taken as normal. */
static void check_counts(const size_t *counts, size_t bins, size_t draws)
{
    const double expected = (double)draws / (double)bins;
    double chi2 = 0.0;
    for (size_t i = 0; i < bins; i++) {
        const double off = (double)counts[i] - expected;
        chi2 += off * off / expected;
    }
    const double dof = (double)(bins - 1);
    if (chi2 > dof + 6.0 * sqrt(2.0 * dof) + 6.0) {
        fail_msg("chi-square %g with %g degrees of freedom", chi2, dof);
    }
}

static void below_is_uniform(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    const size_t draws = test_cases(50000);
    for (size_t bins = 2; bins <= MAX_BINS; bins += 1 + bins / 4) {
        size_t counts[MAX_BINS] = {0};
        for (size_t i = 0; i < draws; i++) {
            const uint64_t v = atoll_rng_below(&r, bins);
            assert_true(v < bins);
            counts[v]++;
        }
        check_counts(counts, bins, draws);
    }
}

/* n just above 2^63: a remainder without rejection would give the lower half twice as often. */
static void below_is_unbiased_for_large_n(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    const uint64_t n = UINT64_C(3) << 62;
    const size_t draws = test_cases(50000);
    size_t counts[3] = {0};
    for (size_t i = 0; i < draws; i++) {
        counts[atoll_rng_below(&r, n) >> 62]++;
    }
    check_counts(counts, 3, draws);
}

static void check_moments(struct atoll_rng *r, double (*draw)(struct atoll_rng *), double mean,
                          double variance, double fourth)
{
    const size_t draws = test_cases(200000);
    const double n = (double)draws;
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < draws; i++) {
        const double x = draw(r) - mean;
        sum += x;
        squares += x * x;
    }
    test_close(sum / n, 0.0, 5.0 * sqrt(variance / n));
    test_close(squares / n, variance, 5.0 * sqrt((fourth - variance * variance) / n));
}

static void moments(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    check_moments(&r, atoll_rng_unit, 0.5, 1.0 / 12.0, 1.0 / 80.0);
    check_moments(&r, atoll_rng_normal, 0.0, 1.0, 3.0);
    check_moments(&r, atoll_rng_exponential, 1.0, 1.0, 9.0);
}

static void unit_stays_below_one(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    for (size_t i = 0; i < 100000; i++) {
        const double u = atoll_rng_unit(&r);
        assert_true(u >= 0.0 && u < 1.0);
    }
}

static void every_order_is_equally_likely(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    size_t counts[24] = {0};
    const size_t draws = test_cases(48000);
    for (size_t i = 0; i < draws; i++) {
        uint32_t v[4] = {0, 1, 2, 3};
        atoll_rng_shuffle(&r, v, 4);
        uint32_t rank = 0; /* of the permutation in the factorial system */
        for (size_t k = 0; k < 4; k++) {
            uint32_t smaller_later = 0;
            for (size_t m = k + 1; m < 4; m++) {
                smaller_later += v[m] < v[k];
            }
            rank = rank * (uint32_t)(4 - k) + smaller_later;
        }
        counts[rank]++;
    }
    check_counts(counts, 24, draws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(below_is_unbiased_for_large_n),
        cmocka_unit_test(moments),
        cmocka_unit_test(unit_stays_below_one),
        cmocka_unit_test(every_order_is_equally_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
