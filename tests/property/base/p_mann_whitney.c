/* SPDX-License-Identifier: Apache-2.0 */
/* The exact Mann-Whitney p-value against a count of all arrangements, and the normal
 * approximation against the exact one where both apply. */
#include "atoll_test.h"

#include <atoll/stats.h>

#include <math.h>

enum { MAX_EACH = 6 };

/* Pairs (a, b) with a > b, when the values are 0..n-1 and bit i of `set` says value i is in a. */
static unsigned pairs_won(unsigned set, unsigned n)
{
    unsigned won = 0, seen_b = 0;
    for (unsigned i = 0; i < n; i++) {
        if ((set >> i & 1) != 0) {
            won += seen_b;
        } else {
            seen_b++;
        }
    }
    return won;
}

static double by_counting(unsigned observed, unsigned na, unsigned n)
{
    unsigned below = 0, above = 0, all = 0;
    for (unsigned set = 0; set < 1u << n; set++) {
        if ((unsigned)__builtin_popcount(set) != na) {
            continue;
        }
        const unsigned won = pairs_won(set, n);
        all++;
        below += won <= observed;
        above += won >= observed;
    }
    const double tail = (double)(below < above ? below : above) / (double)all;
    return 2.0 * tail < 1.0 ? 2.0 * tail : 1.0;
}

static void same_as_all_arrangements(void **state)
{
    (void)state;
    for (unsigned na = 1; na <= MAX_EACH; na++) {
        for (unsigned nb = 1; nb <= MAX_EACH; nb++) {
            const unsigned n = na + nb;
            for (unsigned set = 0; set < 1u << n; set += 1 + set % 7) {
                double a[2 * MAX_EACH], b[2 * MAX_EACH];
                size_t ia = 0, ib = 0;
                for (unsigned i = 0; i < n; i++) {
                    if ((set >> i & 1) != 0) {
                        a[ia++] = 3.0 * i - 7.0;
                    } else {
                        b[ib++] = 3.0 * i - 7.0;
                    }
                }
                if (ia != na) {
                    continue;
                }
                const double expected = by_counting(pairs_won(set, n), na, n);
                test_close(atoll_mann_whitney_pvalue(a, na, b, nb), expected, 1e-14);
            }
        }
    }
}

/* One tie among 40 values takes the approximation; moved apart by a hair, the exact way. */
static void approximation_is_near_the_exact(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    const size_t cases = test_cases(500);
    for (size_t k = 0; k < cases; k++) {
        double a[20], b[20];
        const double shift = atoll_rng_unit(&r);
        for (size_t i = 0; i < 20; i++) {
            a[i] = atoll_rng_unit(&r);
            b[i] = atoll_rng_unit(&r) + shift;
        }
        a[0] = a[1] + 1e-12;
        const double exact = atoll_mann_whitney_pvalue(a, 20, b, 20);
        a[0] = a[1];
        test_close(atoll_mann_whitney_pvalue(a, 20, b, 20), exact, 0.02);
    }
}

/* Under equality a p-value below 5 % comes in about 5 % of the cases, never much more. */
static void false_alarms_keep_to_five_percent(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed() + 1);
    const size_t cases = test_cases(4000);
    size_t alarms = 0;
    for (size_t k = 0; k < cases; k++) {
        double a[30], b[25];
        for (size_t i = 0; i < 30; i++) {
            a[i] = floor(20.0 * atoll_rng_exponential(&r)); /* many ties */
        }
        for (size_t i = 0; i < 25; i++) {
            b[i] = floor(20.0 * atoll_rng_exponential(&r));
        }
        alarms += atoll_mann_whitney_pvalue(a, 30, b, 25) < 0.05;
    }
    const double share = (double)alarms / (double)cases;
    test_close(share, 0.05, 5.0 * sqrt(0.05 * 0.95 / (double)cases) + 0.004);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_all_arrangements),
        cmocka_unit_test(approximation_is_near_the_exact),
        cmocka_unit_test(false_alarms_keep_to_five_percent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
