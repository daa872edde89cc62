/* SPDX-License-Identifier: Apache-2.0 */
/* The runner on worker threads in real time: 10 000 inputs in order through a tiny network, every
 * way to send, failures. Runs under the thread sanitizer too. */
#include "cpu_fixture.h"

#include <math.h>

static const struct atoll_runtime *rt;
static const struct atoll_board board = {.name = "many", .n_tpus = 8};

struct tiny {
    struct atoll_model *m;
    struct atoll_cost *cost;
    struct cpu_expected e;
    struct cpu_plan p;
    struct atoll_device *d;
};

static void open_tiny(struct tiny *t, uint32_t n_stages, const uint32_t *replicas, uint64_t n)
{
    static const uint32_t cuts[3] = {1, 2, 3};
    struct atoll_err err = {0};
    t->m = fixture_model("zoo:dense_chain?layers=4&units=16&inputs=16");
    fixture_ok(atoll_cost_open(t->m, ATOLL_COMPILER_V16, &t->cost, &err), &err);
    cpu_expect(&t->e, rt, t->m, n);
    cpu_plan_make(&t->p, t->m, n_stages, cuts, replicas);
    t->d = cpu_open(&board);
}

static void close_tiny(struct tiny *t)
{
    atoll_device_close(&t->d);
    free(t->p.ops);
    free(t->e.bytes);
    atoll_cost_close(&t->cost);
    atoll_model_close(&t->m);
}

static void ten_thousand_in_order(void **state)
{
    struct tiny t;
    (void)state;
    open_tiny(&t, 4, NULL, 1000);
    struct atoll_run_result r =
        cpu_run(t.d, &t.p, t.cost, &t.e, (struct atoll_workload){ATOLL_WORK_SATURATED, 0, 10000});
    assert_true(t.e.seen >= 10000);
    assert_true(t.e.in_order);
    assert_int_equal(r.n_stages, 4);
    assert_true(r.throughput_hz > 0 && r.stages[3].runs >= 10000);
    atoll_run_result_finish(&r);
    close_tiny(&t);
}

static void replicas_lose_and_double_nothing(void **state)
{
    static const uint32_t replicas[3] = {2, 1, 3};
    struct tiny t;
    (void)state;
    open_tiny(&t, 3, replicas, 100);
    struct atoll_run_result r =
        cpu_run(t.d, &t.p, t.cost, &t.e, (struct atoll_workload){ATOLL_WORK_SATURATED, 0, 2000});
    assert_true(t.e.seen >= 2000);
    atoll_run_result_finish(&r);
    close_tiny(&t);
}

/* Open loop: latency counts from the intended time, and the rate is kept. */
static void rates(void **state)
{
    static const enum atoll_workload_mode modes[2] = {ATOLL_WORK_RATE, ATOLL_WORK_POISSON};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct tiny t;
        open_tiny(&t, 2, NULL, 10);
        struct atoll_run_result r =
            cpu_run(t.d, &t.p, t.cost, &t.e, (struct atoll_workload){modes[i], 500, 100});
        assert_int_equal(r.n, 100);
        assert_true(r.min_us > 0 && r.throughput_hz > 50 && r.throughput_hz < 5000);
        if (i == 0) {
            assert_true(r.window_s > 0.15); /* 100 at 500 Hz: 0.2 s */
        }
        atoll_run_result_finish(&r);
        close_tiny(&t);
    }
}

static void latency_and_cold(void **state)
{
    struct tiny t;
    (void)state;
    open_tiny(&t, 4, NULL, 10);
    struct atoll_run_result r =
        cpu_run(t.d, &t.p, t.cost, &t.e, (struct atoll_workload){ATOLL_WORK_LATENCY, 0, 200});
    assert_int_equal(r.n, 200);
    assert_true(r.p50_us.value > 0 && r.first_us > 0 && r.cold_us > r.first_us);
    assert_true(r.stages[2].busy_us_mean > 0 && r.stages[2].wait_us_mean >= 0);
    assert_true(isnan(r.energy_mj) && isnan(r.temperature_max_c));
    atoll_run_result_finish(&r);
    close_tiny(&t);

    open_tiny(&t, 4, NULL, 10);
    r = cpu_run(t.d, &t.p, t.cost, NULL, (struct atoll_workload){ATOLL_WORK_COLD, 0, 0});
    assert_true(r.cold_us > r.first_us);
    atoll_run_result_finish(&r);
    close_tiny(&t);
}

static void uses_that_do_not_fit(void **state)
{
    struct tiny t;
    struct atoll_err err = {0};
    struct atoll_run_result r = {0};
    uint32_t slot = 0;
    (void)state;
    open_tiny(&t, 2, NULL, 1);
    const struct atoll_cost *cost = t.cost;
    struct atoll_run_request q = {
        .device = t.d, .plan = &t.p.plan, .models = &cost, .workload = {ATOLL_WORK_LATENCY, 0, 1}};
    t.p.stages[1].n_ops--; /* no stage runs the last operator */
    assert_int_equal(atoll_run(&q, &r, &err), ATOLL_EUSAGE);
    t.p.stages[1].n_ops++;
    t.p.tpus[1] = 8;
    assert_int_equal(atoll_run(&q, &r, &err), ATOLL_EUSAGE);
    t.p.tpus[1] = 1;
    const uint32_t twice[2] = {0, 0}, holes[2] = {0, 2}, beyond[1] = {99};
    struct atoll_device_segment s = {.cost = t.cost, .ops = twice, .n_ops = 2};
    assert_int_equal(atoll_device_load(t.d, 0, &s, 0, &slot, &err), ATOLL_EUSAGE);
    s = (struct atoll_device_segment){.cost = t.cost, .ops = holes, .n_ops = 2};
    assert_true(atoll_device_load(t.d, 0, &s, 0, &slot, &err) < 0);
    s = (struct atoll_device_segment){.cost = t.cost, .ops = beyond, .n_ops = 1};
    assert_int_equal(atoll_device_load(t.d, 0, &s, 0, &slot, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_device_submit(t.d, 4000, 0, NULL, &err), ATOLL_EUSAGE);
    double mj = 0;
    assert_int_equal(atoll_device_engine_mj(t.d, &mj, &err), ATOLL_EUNSUPPORTED);
    close_tiny(&t);
}

/* Events without the runner: timers in order, idle when there is nothing, a queue with an end. */
static void events(void **state)
{
    struct tiny t;
    struct atoll_err err = {0};
    struct atoll_device_event ev;
    uint32_t slot = 0;
    (void)state;
    open_tiny(&t, 1, NULL, 1);
    const struct atoll_device_segment s = {.cost = t.cost, .ops = t.p.ops, .n_ops = t.m->n_ops};
    fixture_ok(atoll_device_load(t.d, 3, &s, 0, &slot, &err), &err);
    fixture_ok(atoll_device_begin(t.d, ATOLL_DRIVE_CALLED, 1, &err), &err);
    fixture_ok(atoll_device_next(t.d, &ev, &err), &err);
    assert_int_equal(ev.kind, ATOLL_EVENT_IDLE);
    const uint64_t now = atoll_device_now_ns(t.d);
    fixture_ok(atoll_device_timer(t.d, now + 3000000, 3, &err), &err);
    fixture_ok(atoll_device_timer(t.d, now + 1000000, 1, &err), &err);
    fixture_ok(atoll_device_timer(t.d, now + 1000000, 2, &err), &err);
    for (uint64_t tag = 1; tag <= 3; tag++) {
        fixture_ok(atoll_device_next(t.d, &ev, &err), &err);
        assert_int_equal(ev.kind, ATOLL_EVENT_TIMER);
        assert_int_equal(ev.tag, tag);
        assert_true(ev.time_ns >= now + (tag == 3 ? 3000000 : 1000000));
    }
    int rc = 0;
    uint32_t sent = 0;
    while (rc == 0) {
        rc = atoll_device_submit(t.d, slot, sent, NULL, &err);
        sent += rc == 0;
    }
    assert_int_equal(rc, ATOLL_ELIMIT);
    for (uint32_t i = 0; i < sent; i++) {
        fixture_ok(atoll_device_next(t.d, &ev, &err), &err);
        assert_int_equal(ev.kind, ATOLL_EVENT_DONE);
        assert_int_equal(ev.tag, i);
        assert_int_equal(ev.tpu, 3);
        assert_int_equal(ev.status, 0);
        assert_true(ev.time_ns >= ev.start_ns && ev.start_ns >= ev.submit_ns);
    }
    struct atoll_tpu_state tpu;
    fixture_ok(atoll_device_tpu(t.d, 3, &tpu, &err), &err);
    assert_int_equal(tpu.inferences, sent);
    assert_string_equal(tpu.id, "cpu:3");
    const uint64_t until = atoll_device_now_ns(t.d) + 2000000;
    fixture_ok(atoll_device_idle_until(t.d, until, &err), &err);
    assert_true(atoll_device_now_ns(t.d) >= until);
    close_tiny(&t);
}

int main(void)
{
    rt = fixture_runtime();
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_thousand_in_order),
                                       cmocka_unit_test(replicas_lose_and_double_nothing),
                                       cmocka_unit_test(rates),
                                       cmocka_unit_test(latency_and_cold),
                                       cmocka_unit_test(uses_that_do_not_fit),
                                       cmocka_unit_test(events)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
