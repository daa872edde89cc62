/* SPDX-License-Identifier: Apache-2.0 */
/* The moderated variance against simulation: it finds the prior it was drawn from, its intervals
 * cover, and keys that are not alike are not pooled. */
#include "report_scratch.h"

#include "report_internal.h"

#include <math.h>

#define KEYS    2000
#define REPEATS 5

static struct atoll__sample keys[KEYS];
static double truth_sd[KEYS];

/* Keys with standard deviations 0.005 * exp(unlike * N(0,1)) around mean 1. */
static void draw(uint64_t seed, double unlike, size_t n)
{
    struct atoll_rng r;
    atoll_rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++) {
        double v[REPEATS];
        truth_sd[i] = 0.005 * exp(unlike * atoll_rng_normal(&r));
        for (int k = 0; k < REPEATS; k++) {
            v[k] = exp(truth_sd[i] * atoll_rng_normal(&r));
        }
        keys[i] = atoll__sample_of(v, REPEATS);
    }
}

static void alike(void **state)
{
    (void)state;
    struct atoll__spread s;
    draw(1, 0, KEYS);
    atoll__spread_fit(keys, KEYS, &s);
    assert_true(fabs(sqrt(s.var) / 0.005 - 1) < 0.03);
    assert_true(s.dof > 60); /* the keys are alike: the prior is worth many repeats */
    size_t covered = 0;
    for (size_t i = 0; i < KEYS; i++) {
        covered += fabs(keys[i].mean) <= atoll__sample_half95(&s, &keys[i]);
    }
    /* 95 % of 2000, five standard deviations of the binomial either way. */
    assert_in_range(covered, 1850, 1949);
}

static void unlike(void **state)
{
    (void)state;
    struct atoll__spread s;
    draw(2, 0.7, KEYS);
    atoll__spread_fit(keys, KEYS, &s);
    assert_true(s.dof > 1 && s.dof < 8); /* log sd 0.7: a weak prior */
    size_t covered = 0, loud = 0, loud_covered = 0;
    for (size_t i = 0; i < KEYS; i++) {
        const bool in = fabs(keys[i].mean) <= atoll__sample_half95(&s, &keys[i]);
        covered += in;
        loud += truth_sd[i] > 0.01;
        loud_covered += in && truth_sd[i] > 0.01;
    }
    assert_in_range(covered, 1850, 1949);
    /* Also the keys that scatter most keep most of their coverage. */
    assert_true((double)loud_covered > 0.85 * (double)loud);
}

static void few_and_none(void **state)
{
    (void)state;
    struct atoll__spread s;
    draw(3, 0, 3);
    atoll__spread_fit(keys, 3, &s);
    assert_true(s.dof == 0); /* too few keys: each stands alone */
    assert_true(isfinite(atoll__sample_half95(&s, &keys[0])));
    const double one = 17;
    struct atoll__sample k = atoll__sample_of(&one, 1);
    assert_true(isnan(k.var) && k.n == 1);
    assert_true(isnan(atoll__sample_half95(&s, &k)));
    assert_true(isnan(atoll__sample_compare(&s, &k, &k, 0).p));
    const double bad[3] = {NAN, -1, 0};
    assert_int_equal(atoll__sample_of(bad, 3).n, 0);
}

static void comparison(void **state)
{
    (void)state;
    struct atoll__spread s;
    draw(4, 0, KEYS);
    atoll__spread_fit(keys, KEYS, &s);
    struct atoll__sample a = {.mean = 0, .var = 0.005 * 0.005, .n = 5}, b = a;
    b.mean = log(1.03);
    const struct atoll__difference r = atoll__sample_compare(&s, &a, &b, log1p(0.01));
    assert_true(fabs(r.d - log(1.03)) < 1e-12 && r.low95 > log(1.02) && r.high95 < log(1.04));
    assert_true(r.p < 1e-5);
    b.mean = log(1.009); /* clear, but below the smallest change that counts */
    assert_true(atoll__sample_compare(&s, &a, &b, 0).p < 0.05);
    assert_true(atoll__sample_compare(&s, &a, &b, log1p(0.01)).p == 1);
    /* No prior: the plain t-test of two samples of equal variance. */
    const struct atoll__spread none = {0};
    const double t = log(1.009) / (0.005 * sqrt(2.0 / 5));
    assert_true(fabs(atoll__sample_compare(&none, &a, &b, 0).p - atoll_t_pvalue(t, 8)) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(alike), cmocka_unit_test(unlike),
                                       cmocka_unit_test(few_and_none),
                                       cmocka_unit_test(comparison)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
