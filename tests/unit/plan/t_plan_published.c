/* SPDX-License-Identifier: Apache-2.0 */
/* Published searches on chains whose answers are known by hand. */
#include "plan_fixture.h"

static void check_stages(const struct atoll_plan *p, uint32_t n, const uint32_t *n_ops,
                         const uint32_t *n_tpus)
{
    assert_null(p->skipped);
    assert_int_equal(p->n_pipelines, 1);
    assert_int_equal(p->pipelines[0].n_stages, n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(p->pipelines[0].stages[i].n_ops, n_ops[i]);
        assert_int_equal(p->pipelines[0].stages[i].n_tpus, n_tpus[i]);
    }
}

static const double times_us[5] = {4000, 3000, 2000, 6000, 5000};

/* The compiler cuts 1 | 4 (4 and 16 ms). Target 10 ms: 4 + 3 + 2 fit the first stage, the last one
 * takes 11: not below the target, but below 16. Then the bounds are 1 ms apart. */
static void bisection_moves_the_cut(void **state)
{
    (void)state;
    static const uint32_t weights[5] = {5, 1, 1, 1, 1}, ops[2] = {3, 2}, one[2] = {1, 1};
    struct fixture f;
    fixture_open(&f, times_us, weights, 5, 2);
    struct atoll_plan *p = fixture_solve(&f, "vendor");
    assert_close(p->interval_us, 16000);
    atoll_plan_close(&p);
    p = fixture_solve(&f, "libcoral_profiled");
    check_stages(p, 2, ops, one);
    assert_close(p->interval_us, 11000);
    assert_string_equal(p->rule_of, "libcoral");
    atoll_plan_close(&p);
    fixture_close(&f);
}

/* The compiler cuts 3 | 2 (9 and 11 ms), which is best: the only target, 10 ms, gives the same, and
 * the tool ends without a result. With 9 | 9.5 it does not begin. */
static void bisection_without_a_result(void **state)
{
    (void)state;
    static const uint32_t weights[5] = {1, 1, 1, 1, 1};
    static const double even_us[5] = {4000, 3000, 2000, 5000, 4500};
    struct fixture f;
    fixture_open(&f, times_us, weights, 5, 2);
    struct atoll_plan *p = fixture_solve(&f, "libcoral_profiled");
    assert_non_null(strstr(p->skipped, "none of its probes"));
    atoll_plan_close(&p);
    fixture_close(&f);
    fixture_open(&f, even_us, weights, 5, 2);
    p = fixture_solve(&f, "libcoral_profiled");
    assert_non_null(strstr(p->skipped, "differ by 0.50 ms"));
    atoll_plan_close(&p);
    f.request.tpus = 1;
    p = fixture_solve(&f, "libcoral_profiled");
    assert_non_null(strstr(p->skipped, "one TPU"));
    atoll_plan_close(&p);
    fixture_close(&f);
}

/* Bytes 1 1 2 3 3 2 in three stages: 4 | 3 | 5, so times 13, 5, 9, where 9, 9, 9 is possible. */
static void depth_balances_bytes(void **state)
{
    (void)state;
    static const double four_us[6] = {4, 4, 4, 4, 4, 4};
    static const uint32_t weights[6] = {1, 1, 2, 3, 3, 2}, ops[3] = {3, 1, 2}, one[3] = {1, 1, 1};
    struct fixture f;
    fixture_open(&f, four_us, weights, 6, 3);
    f.table.cap = 6;
    f.table.spill_us = 5;
    f.table.host_us = 1;
    struct atoll_plan *p = fixture_solve(&f, "depth_balanced");
    check_stages(p, 3, ops, one);
    assert_close(p->interval_us, 13);
    atoll_plan_close(&p);
    fixture_close(&f);
}

/* Bytes 3 2 2 4, a cache of 4: the balanced 5 | 6 streams 2 + 4, shifted to 3 | 8 only 4. */
static void depth_repairs_streaming(void **state)
{
    (void)state;
    static const double unit_us[4] = {1, 1, 1, 1};
    static const uint32_t weights[4] = {3, 2, 2, 4}, ops[2] = {1, 3}, one[2] = {1, 1};
    struct fixture f;
    fixture_open(&f, unit_us, weights, 4, 2);
    f.table.cap = 4;
    f.table.spill_us = 5;
    struct atoll_plan *p = fixture_solve(&f, "depth_balanced");
    check_stages(p, 2, ops, one);
    assert_int_equal(p->pipelines[0].stages[1].cost.off_chip_bytes, 4);
    atoll_plan_close(&p);
    f.request.tpus = 1;
    p = fixture_solve(&f, "depth_balanced");
    assert_int_equal(p->pipelines[0].n_stages, 1);
    atoll_plan_close(&p);
    fixture_close(&f);
}

/* The first operator takes 12 of 18 ms and no TPU holds both halves without streaming: two stages,
 * two of three TPUs on the first. */
static void replicates_the_bottleneck(void **state)
{
    (void)state;
    static const double heavy_us[3] = {12000, 3000, 3000};
    static const uint32_t weights[3] = {4, 2, 2}, ops[2] = {1, 2}, tpus[2] = {2, 1};
    struct fixture f;
    fixture_open(&f, heavy_us, weights, 3, 3);
    f.table.cap = 4;
    f.table.spill_us = 5000;
    struct atoll_plan *p = fixture_solve(&f, "replicated_bottleneck");
    check_stages(p, 2, ops, tpus);
    assert_close(p->interval_us, 6000);
    atoll_plan_close(&p);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bisection_moves_the_cut),   cmocka_unit_test(bisection_without_a_result),
        cmocka_unit_test(depth_balances_bytes),      cmocka_unit_test(depth_repairs_streaming),
        cmocka_unit_test(replicates_the_bottleneck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
