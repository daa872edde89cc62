/* SPDX-License-Identifier: Apache-2.0 */
/* The runner on a device whose times are known: closed formulas for every workload. */
#include "fake_device.h"

#include <math.h>

static struct fake device;
static struct fake_plan plan;
static const struct atoll_cost *const no_models[1] = {NULL};

static struct atoll_run_request request(const char *text, enum atoll_workload_mode mode, double hz,
                                        uint32_t count)
{
    fake_plan_make(&plan, text);
    const struct atoll_run_request q = {.device = &device.base,
                                        .plan = &plan.plan,
                                        .models = no_models,
                                        .workload = {mode, hz, count},
                                        .seed = 3};
    return q;
}
static struct atoll_run_result run(const struct atoll_run_request *q)
{
    struct atoll_run_result r = {0};
    struct atoll_err err = {0};
    if (atoll_run(q, &r, &err)) {
        fail_msg("%s", err.text);
    }
    return r;
}

static void latency_is_the_sum_of_the_stages(void **state)
{
    (void)state;
    fake_init(&device, 700);
    device.service_ns[1] = 2500000;
    device.service_ns[2] = 40000;
    struct atoll_run_request q = request("0|1|2 3|4", ATOLL_WORK_LATENCY, 0, 40);
    plan.pipelines[0].latency_us = 3540;
    plan.pipelines[1].latency_us = 9999; /* the prediction decides which pipeline counts */
    struct atoll_run_result r = run(&q);
    assert_int_equal(device.drive, ATOLL_DRIVE_CALLED);
    assert_int_equal(device.pipelines, 1);
    assert_int_equal(r.n, 40);
    for (size_t i = 0; i < r.n; i++) {
        test_close(r.latency_us[i], 3540.0, 1e-9);
    }
    test_close(r.p50_us.value, 3540.0, 1e-9);
    test_close(r.p50_us.low95, 3540.0, 1e-9);
    test_close(r.stdev_us, 0.0, 1e-9);
    test_close(r.first_us, 3540.0 + 3 * 700.0, 1e-9);
    test_close(r.cold_us, 3540.0 + 3 * 700.0 + 5.0, 1e-9); /* five segments created, 1 us each */
    test_close(r.window_s, 40 * 3540e-6, 1e-12);
    test_close(r.throughput_hz, 1e6 / 3540.0, 1e-9);
    assert_true(isnan(r.p99_us) && !isnan(r.p90_us));
    assert_true(isnan(r.energy_mj) && isnan(r.idle_w));
    test_close(r.temperature_max_c, 47.0, 1e-12);
    assert_int_equal(r.n_stages, 5);
    assert_int_equal(r.stages[1].runs, 40);
    test_close(r.stages[1].busy_us_mean, 2500.0, 1e-9);
    test_close(r.stages[1].busy_frac, 2500.0 / 3540.0, 1e-9);
    assert_int_equal(r.stages[3].runs, 0);
    assert_true(isnan(r.stages[3].busy_us_mean));
    atoll_run_result_finish(&r);
    atoll_run_result_finish(&r);

    fake_init(&device, 0);
    q = request("0|1 2", ATOLL_WORK_LATENCY, 0, 5);
    plan.pipelines[0].latency_us = 5;
    plan.pipelines[1].latency_us = 4;
    r = run(&q);
    test_close(r.latency_us[4], 1000.0, 1e-9);
    assert_true(isnan(r.p50_us.low95) && isnan(r.p90_us));
    atoll_run_result_finish(&r);
}

/* Saturated throughput of "what" must be `hz` whatever the count. */
static void saturates(const char *what, double hz, uint32_t streams)
{
    for (uint32_t count = 1; count < 200; count += 13) {
        const struct atoll_run_request q = request(what, ATOLL_WORK_SATURATED, 0, count);
        struct atoll_run_result r = run(&q);
        assert_int_equal(device.drive, ATOLL_DRIVE_THREADED);
        assert_int_equal(device.pipelines, streams);
        assert_true(r.n >= count);
        test_close(r.throughput_hz / hz, 1.0, 1e-9);
        assert_int_equal(device.under_way_max, 1); /* a stage works on one item at a time */
        atoll_run_result_finish(&r);
        const uint64_t keep[3] = {device.service_ns[0], device.service_ns[1], device.service_ns[2]};
        fake_init(&device, 300);
        memcpy(device.service_ns, keep, sizeof keep);
    }
}
static void throughput_is_the_sum_of_the_bottlenecks(void **state)
{
    (void)state;
    fake_init(&device, 300);
    saturates("0", 1000, 1);
    saturates("0|1|2|3", 1000, 1);
    saturates("0 1 2 3 4 5 6 7", 8000, 8);
    saturates("0,1,2,3,4", 5000, 5);
    device.service_ns[1] = 3000000;
    saturates("0|1|2", 1000.0 / 3, 1);
    saturates("0|1|2 3", 1000.0 / 3 + 1000, 2);
    saturates("1 3 4|5", 1000.0 / 3 + 2000, 3);
    device.service_ns[2] = 3000000;
    saturates("0|1,2|3", 2000.0 / 3, 2);
    device.service_ns[0] = 100000;
    saturates("0|1,2|3", 2000.0 / 3, 2);
    saturates("3|1,2|0", 2000.0 / 3, 2);
}

static void queues_are_bounded(void **state)
{
    (void)state;
    /* Last stage slow: every queue fills. An item then waits for 1 + 2 + 2 in queues and 2 held
     * before it. */
    fake_init(&device, 0);
    device.service_ns[2] = 10000000;
    struct atoll_run_request q = request("0|1|2", ATOLL_WORK_SATURATED, 0, 50);
    struct atoll_run_result r = run(&q);
    for (size_t i = 0; i < r.n; i++) {
        test_close(r.latency_us[i], 8 * 10000.0, 2000.0);
    }
    test_close(r.stages[2].busy_frac, 1.0, 1e-9);
    test_close(r.stages[0].busy_frac, 0.1, 1e-9);
    atoll_run_result_finish(&r);
    q.queue_depth = 7;
    fake_init(&device, 0);
    device.service_ns[2] = 10000000;
    r = run(&q);
    test_close(r.latency_us[r.n - 1], 18 * 10000.0, 2000.0);
    atoll_run_result_finish(&r);
}

static void an_open_loop_counts_from_the_intended_time(void **state)
{
    (void)state;
    fake_init(&device, 0);
    struct atoll_run_request q = request("0|1", ATOLL_WORK_RATE, 500, 100);
    struct atoll_run_result r = run(&q);
    assert_int_equal(r.n, 100);
    test_close(r.p50_us.value, 2000.0, 1e-3);
    test_close(r.max_us, 2000.0, 1e-3);
    test_close(r.throughput_hz, 500.0, 10.0);
    atoll_run_result_finish(&r);

    /* Twice as fast as it can serve: item k waits k times half a service time longer. */
    fake_init(&device, 0);
    q = request("0", ATOLL_WORK_RATE, 2000, 100);
    r = run(&q);
    for (size_t i = 1; i < r.n; i++) {
        test_close(r.latency_us[i] - r.latency_us[i - 1], 500.0, 1e-3);
    }
    test_close(r.latency_us[0], 1000.0 + 9 * 500.0, 1e-3); /* 9 arrivals of warm-up before it */
    atoll_run_result_finish(&r);
}

static void poisson_arrivals_wait_as_queueing_theory_says(void **state)
{
    (void)state;
    /* M/D/1: mean wait = rho T / (2 (1 - rho)); rho = 0.7, T = 1 ms: 1166.7 us. */
    fake_init(&device, 0);
    struct atoll_run_request q = request("0", ATOLL_WORK_POISSON, 700, 200000);
    struct atoll_run_result r = run(&q);
    test_close(r.mean_us, 1000.0 + 1166.7, 60.0);
    test_close(r.throughput_hz, 700.0, 7.0);
    atoll_run_result_finish(&r);
    fake_init(&device, 0);
    struct atoll_run_result again = run(&q);
    q.seed++;
    fake_init(&device, 0);
    struct atoll_run_result other = run(&q);
    fake_init(&device, 0);
    q.seed--;
    r = run(&q);
    assert_memory_equal(r.latency_us, again.latency_us, r.n * sizeof *r.latency_us);
    assert_true(other.mean_us != r.mean_us);
    atoll_run_result_finish(&r);
    atoll_run_result_finish(&again);
    atoll_run_result_finish(&other);
}

static void arrivals_take_the_least_busy_pipeline(void **state)
{
    (void)state;
    /* Two pipelines, one arrival each 0.6 ms: a single one could not serve that. */
    fake_init(&device, 0);
    struct atoll_run_request q = request("0 1", ATOLL_WORK_RATE, 1000000.0 / 600, 100);
    struct atoll_run_result r = run(&q);
    test_close(r.max_us, 1000.0, 1e-3);
    test_close((double)r.stages[0].runs, 50.0, 2.0);
    atoll_run_result_finish(&r);
}

static void a_cold_start_is_creation_and_first(void **state)
{
    (void)state;
    fake_init(&device, 4000);
    const struct atoll_run_request q = request("0|1", ATOLL_WORK_COLD, 0, 0);
    struct atoll_run_result r = run(&q);
    test_close(r.first_us, 2 * 5000.0, 1e-9);
    test_close(r.cold_us, 2 * 5000.0 + 2.0, 1e-9);
    assert_int_equal(r.n, 0);
    assert_true(isnan(r.p50_us.value) && isnan(r.throughput_hz));
    atoll_run_result_finish(&r);
}

static void the_timeline_tells_where_time_went(void **state)
{
    (void)state;
    fake_init(&device, 4000);
    struct atoll_run_request q = request("0|1", ATOLL_WORK_COLD, 0, 0);
    q.keep_timeline = true;
    struct atoll_run_result r = run(&q);
    assert_int_equal(r.n_spans, 4);
    assert_int_equal(r.timeline[0].kind, 2);
    assert_int_equal(r.timeline[1].kind, 3);
    assert_int_equal(r.timeline[1].end_ns - r.timeline[0].start_ns, 5000000);
    assert_int_equal(r.timeline[3].stage, 1);
    assert_int_equal(r.timeline[3].tpu, 1);
    atoll_run_result_finish(&r);
}

static void outliers_are_flagged_and_kept(void **state)
{
    (void)state;
    fake_init(&device, 0);
    device.spike_every = 50;
    struct atoll_run_request q = request("0", ATOLL_WORK_LATENCY, 0, 500);
    struct atoll_run_result r = run(&q);
    assert_int_equal(r.outliers, 10);
    assert_int_equal(r.n, 500);
    test_close(r.max_us, 11000.0, 1e-9);
    test_close(r.p50_us.value, 1002.0, 1e-9);
    test_close(r.p99_us, 11000.0, 9000.0);
    atoll_run_result_finish(&r);
    fake_init(&device, 0); /* all alike: MAD is 0, nothing can be said */
    r = run(&q);
    assert_int_equal(r.outliers, 0);
    atoll_run_result_finish(&r);
}

static void failures_are_said(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_run_result r = {0};
    fake_init(&device, 0);
    device.fail_at = 30;
    struct atoll_run_request q = request("0|1", ATOLL_WORK_LATENCY, 0, 100);
    assert_int_equal(atoll_run(&q, &r, &err), ATOLL_EDEVICE);
    assert_non_null(strstr(err.text, "failed on TPU 1"));
    fake_init(&device, 0);
    device.lose = true;
    assert_int_equal(atoll_run(&q, &r, &err), ATOLL_EDEVICE);
    assert_non_null(strstr(err.text, "nothing under way"));
    fake_init(&device, 0);
    q = request("0", ATOLL_WORK_RATE, 0, 100);
    assert_int_equal(atoll_run(&q, &r, &err), ATOLL_EUSAGE);
    q = request("0", ATOLL_WORK_LATENCY, 0, 0);
    assert_int_equal(atoll_run(&q, &r, &err), ATOLL_EUSAGE);
    plan.plan.skipped = "too small";
    q.workload.count = 1;
    assert_int_equal(atoll_run(&q, &r, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "too small"));
    plan.plan.skipped = NULL;
    plan.tpus[0][0][0] = 8;
    assert_int_equal(atoll_run(&q, &r, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "TPU 8"));
}

static void workloads_as_text(void **state)
{
    (void)state;
    static const char *const good[] = {"latency", "saturated",  "rate=30",     "poisson=12.5",
                                       "cold",    "rate=0.001", "rate=1000000"};
    static const char *const bad[] = {"",          "rate",     "rate=",    "rate=0",
                                      "rate=-1",   "rate=nan", "rate=1e7", "rate=3x",
                                      "latency=3", "Latency",  "latenc"};
    struct atoll_err err = {0};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct atoll_workload w = {0};
        char buf[48];
        assert_int_equal(atoll_workload_parse(good[i], &w, &err), 0);
        assert_string_equal(atoll_workload_name(&w, buf), good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct atoll_workload w = {.mode = ATOLL_WORK_COLD, .hz = 7};
        assert_int_equal(atoll_workload_parse(bad[i], &w, &err), ATOLL_EUSAGE);
        assert_true(w.mode == ATOLL_WORK_COLD && w.hz == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latency_is_the_sum_of_the_stages),
        cmocka_unit_test(throughput_is_the_sum_of_the_bottlenecks),
        cmocka_unit_test(queues_are_bounded),
        cmocka_unit_test(an_open_loop_counts_from_the_intended_time),
        cmocka_unit_test(poisson_arrivals_wait_as_queueing_theory_says),
        cmocka_unit_test(arrivals_take_the_least_busy_pipeline),
        cmocka_unit_test(a_cold_start_is_creation_and_first),
        cmocka_unit_test(the_timeline_tells_where_time_went),
        cmocka_unit_test(outliers_are_flagged_and_kept),
        cmocka_unit_test(failures_are_said),
        cmocka_unit_test(workloads_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
