/* SPDX-License-Identifier: Apache-2.0 */
/* One comparison of each kind; how often it is right is in tests/property/report. */
#include "report_scratch.h"

#include <atoll/report.h>

#include <math.h>
#include <string.h>

static struct atoll_comparison_report compare(const struct fixture *fa, const struct fixture *fb)
{
    struct atoll_err err = {0};
    struct atoll_comparison_report r = {0};
    struct atoll_store *a = scratch_store("a.db", fa), *b = scratch_store("b.db", fb);
    if (atoll_compare_stores(a, b, &r, &err)) {
        fail_msg("%s", err.text);
    }
    atoll_store_close(&a);
    atoll_store_close(&b);
    return r;
}

static struct fixture small(uint64_t seed)
{
    struct fixture f = scratch_fixture();
    f.models = 2;
    f.tpus = 3;
    f.seed = seed;
    return f;
}

static void slower(void **state)
{
    (void)state;
    struct fixture a = small(1), b = small(2);
    b.time_factor = 1.03;
    struct atoll_comparison_report r = compare(&a, &b);
    assert_true(r.regression && r.n_worse > 20);
    assert_true(r.n_only_a == 0 && r.n_only_b == 0);
    assert_non_null(strstr(r.sentence, "Regression: "));
    const struct atoll_change *k = &r.changes[0];
    assert_true(k->worse && !k->better && k->p_adjusted < 0.05 && k->p_adjusted >= k->p);
    assert_true(k->ratio_low95 < k->ratio && k->ratio < k->ratio_high95);
    for (size_t i = 0; i < r.n; i++) {
        if (isfinite(r.changes[i].a)) {
            assert_true(fabs(r.changes[i].b / r.changes[i].a / r.changes[i].ratio - 1) < 1e-9);
        }
    }
    atoll_comparison_report_finish(&r);
}

static void faster(void **state)
{
    (void)state;
    struct fixture a = small(1), b = small(2);
    b.time_factor = 1 / 1.05;
    struct atoll_comparison_report r = compare(&a, &b);
    assert_true(!r.regression && r.n_worse == 0 && r.n_better > 20);
    assert_non_null(strstr(r.sentence, "No regression: "));
    atoll_comparison_report_finish(&r);
}

static void same(void **state)
{
    (void)state;
    const struct fixture a = small(1);
    struct atoll_comparison_report r = compare(&a, &a);
    assert_true(!r.regression && r.n_worse == 0 && r.n_better == 0 && r.n > 0);
    for (size_t i = 0; i < r.n; i++) {
        assert_true(fabs(r.changes[i].ratio - 1) < 1e-9);
    }
    assert_non_null(strstr(r.sentence, "No difference beyond noise"));
    atoll_comparison_report_finish(&r);
}

static void slow_one(void *u, struct atoll_run_row *r)
{
    (void)u;
    if (strcmp(r->model, "zoo:mobilenet_v2") == 0 && strcmp(r->strategy, "vendor") == 0 &&
        r->tpus == 2 && strcmp(r->workload, "latency") == 0) {
        r->p50_us *= 1.04;
    }
}
/* One key alone is found and named. */
static void one_key(void **state)
{
    (void)state;
    struct fixture a = small(1), b = small(2);
    b.doctor_run = slow_one;
    struct atoll_comparison_report r = compare(&a, &b);
    assert_int_equal(r.n_worse, 1);
    assert_string_equal(r.changes[0].model, "zoo:mobilenet_v2");
    assert_string_equal(r.changes[0].metric, "p50_us");
    assert_int_equal(r.changes[0].tpus, 2);
    assert_non_null(strstr(r.sentence, "p50_us of zoo:mobilenet_v2, the vendor's cuts on 2 TPUs"));
    atoll_comparison_report_finish(&r);
}

static void more_energy(void *u, struct atoll_run_row *r)
{
    r->energy_mj *= *(const double *)u;
}
/* Energies of two databases may come from two meters: 1.2 % each in the fixture. */
static void energy(void **state)
{
    (void)state;
    double factor = 1.025;
    struct fixture a = small(1), b = small(2);
    b.doctor_run = more_energy;
    b.user = &factor;
    struct atoll_comparison_report r = compare(&a, &b);
    assert_true(!r.regression);
    atoll_comparison_report_finish(&r);
    factor = 1.05;
    r = compare(&a, &b);
    assert_true(r.regression);
    assert_string_equal(r.changes[0].metric, "energy_mj");
    atoll_comparison_report_finish(&r);
}

static void fails_now(void *u, struct atoll_run_row *r)
{
    (void)u;
    if (r->tpus == 3) {
        r->status = "failed";
        r->error = "the device is gone";
        r->p50_us = r->throughput_hz = r->energy_mj = NAN;
    }
}
static void unlike_databases(void **state)
{
    (void)state;
    struct fixture a = small(1), b = small(2);
    b.models = 1;
    struct atoll_comparison_report r = compare(&a, &b);
    assert_true(r.n_only_a > 0 && r.n_only_b == 0 && !r.regression);
    atoll_comparison_report_finish(&r);
    b = small(2);
    b.doctor_run = fails_now;
    r = compare(&a, &b);
    assert_true(r.regression && r.n_worse == 0);
    assert_non_null(strstr(r.sentence, "that ran in A fail in B"));
    atoll_comparison_report_finish(&r);
    b = small(2);
    a.repeats = b.repeats = 1;
    b.time_factor = 1.5;
    r = compare(&a, &b);
    assert_true(!r.regression);
    assert_non_null(strstr(r.sentence, "Not decided"));
    atoll_comparison_report_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slower),  cmocka_unit_test(faster), cmocka_unit_test(same),
        cmocka_unit_test(one_key), cmocka_unit_test(energy), cmocka_unit_test(unlike_databases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
