/* SPDX-License-Identifier: Apache-2.0 */
/* The closed formulas against numbers worked out by hand (docs/method-plan.md). */
#include "plan_fixture.h"

/* Two pipelines: A of two stages (10 us; 20 us on two TPUs), B of one stage (40 us). */
struct two {
    struct atoll_stage a[2], b[1];
    struct atoll_pipeline pipelines[2];
    uint32_t tpus[4];
    struct atoll_plan plan;
    struct atoll_board board;
};

static void two_open(struct two *t)
{
    memset(t, 0, sizeof *t);
    t->board = free_board(4);
    for (uint32_t i = 0; i < 4; i++) {
        t->tpus[i] = i;
    }
    t->a[0] = (struct atoll_stage){.tpus = t->tpus, .n_tpus = 1};
    t->a[1] = (struct atoll_stage){.tpus = t->tpus + 1, .n_tpus = 2};
    t->b[0] = (struct atoll_stage){.tpus = t->tpus + 3, .n_tpus = 1};
    t->a[0].cost = (struct atoll_stage_cost){.latency_us = 12, .service_us = 10, .active_mj = 0.1};
    t->a[1].cost = (struct atoll_stage_cost){.latency_us = 24, .service_us = 20, .active_mj = 0.2};
    t->b[0].cost = (struct atoll_stage_cost){.latency_us = 44, .service_us = 40, .active_mj = 0.5};
    t->pipelines[0] = (struct atoll_pipeline){.stages = t->a, .n_stages = 2};
    t->pipelines[1] = (struct atoll_pipeline){.stages = t->b, .n_stages = 1};
    t->plan =
        (struct atoll_plan){.pipelines = t->pipelines, .n_pipelines = 2, .tpus = 4, .tpus_used = 4};
    t->plan.use = (struct atoll_use){.clock = ATOLL_CLOCK_MAX, .runner = ATOLL_RUNNER_C};
}

static void uncapped(void **state)
{
    (void)state;
    struct two t;
    two_open(&t);
    atoll_plan_figures(&t.plan, &t.board);
    assert_close(t.pipelines[0].interval_us, 10);
    assert_close(t.pipelines[1].interval_us, 40);
    assert_close(t.plan.throughput_hz, 125000);
    assert_close(t.plan.interval_us, 8);
    assert_close(t.plan.latency_us, 36);
    assert_close(t.plan.latency_worst_us, 44);
    /* 100 000 of 125 000 inferences/s take 0.3 mJ, the others 0.5; four idle TPUs and the board
     * take 1400 mW for 8 us of each. */
    assert_close(t.plan.energy_mj, 0.8 * 0.3 + 0.2 * 0.5 + 1400 * 8e-6);
}

/* 4 us under the lock in each stage: 100 000 x 8 + 25 000 x 4 = 0.9 s of every second; at 6
 * us 1.35. */
static void the_hosts_lock_bounds(void **state)
{
    (void)state;
    struct two t;
    two_open(&t);
    t.a[0].cost.serial_us = t.a[1].cost.serial_us = t.b[0].cost.serial_us = 4;
    atoll_plan_figures(&t.plan, &t.board);
    assert_close(t.plan.throughput_hz, 125000);
    t.a[0].cost.serial_us = t.a[1].cost.serial_us = t.b[0].cost.serial_us = 6;
    atoll_plan_figures(&t.plan, &t.board);
    assert_close(t.plan.throughput_hz, 125000 / 1.35);
    assert_close(t.pipelines[0].interval_us, 13.5);
    assert_close(1e6 / t.pipelines[0].interval_us + 1e6 / t.pipelines[1].interval_us,
                 t.plan.throughput_hz);
}

/* One MiB through B at 25 000 per second asks for 25 000 MiB/s. */
static void the_shared_link_bounds(void **state)
{
    (void)state;
    struct two t;
    two_open(&t);
    t.b[0].cost.off_chip_bytes = 1 << 19;
    t.b[0].cost.input_bytes = 1 << 18;
    t.b[0].cost.output_bytes = 1 << 17;
    t.b[0].cost.instruction_bytes = 1 << 17;
    t.board.shared_link_mib_per_s.value = 10000;
    atoll_plan_figures(&t.plan, &t.board);
    assert_close(t.plan.throughput_hz, 125000 / 2.5);
    t.board.shared_link_mib_per_s.value = 30000;
    atoll_plan_figures(&t.plan, &t.board);
    assert_close(t.plan.throughput_hz, 125000);
}

/* Three streams (two replicas in A, one in B) run beside each other: two further ones
 * for each. A single input in an empty system does not. */
static void copies_slow_each_other(void **state)
{
    (void)state;
    struct two t;
    two_open(&t);
    struct atoll_drive_cost *const c = t.board.drive[ATOLL_RUNNER_C - ATOLL_RUNNER_PYTHON];
    c[ATOLL_DRIVE_THREADED].copy_interval_us.value = 3;
    t.board.host_threads = 100;
    atoll_plan_figures(&t.plan, &t.board);
    assert_close(t.plan.latency_us, 36);
    assert_close(t.plan.latency_worst_us, 44);
    assert_close(t.pipelines[0].interval_us, 16);
    assert_close(t.pipelines[1].interval_us, 46);
}

/* Calls of 8 us in three stages: 100 000 x 16 + 25 000 x 8 us keep 1.8 threads busy. */
static void the_hosts_threads_bound(void **state)
{
    (void)state;
    struct two t;
    two_open(&t);
    t.board.drive[1][ATOLL_DRIVE_THREADED].call_us.value = 8;
    t.board.host_threads = 2;
    atoll_plan_figures(&t.plan, &t.board);
    assert_close(t.plan.throughput_hz, 125000);
    t.board.host_threads = 1;
    atoll_plan_figures(&t.plan, &t.board);
    assert_close(t.plan.throughput_hz, 125000 / 1.8);
}

static void unknown_stays_unknown(void **state)
{
    (void)state;
    struct two t;
    two_open(&t);
    t.a[0].cost.service_us = NAN;
    t.a[0].cost.latency_us = NAN;
    atoll_plan_figures(&t.plan, &t.board);
    assert_true(isnan(t.plan.throughput_hz));
    assert_true(isnan(t.plan.interval_us));
    assert_true(isnan(t.plan.latency_worst_us));
    assert_true(isnan(t.plan.energy_mj));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uncapped),
        cmocka_unit_test(the_hosts_lock_bounds),
        cmocka_unit_test(the_shared_link_bounds),
        cmocka_unit_test(copies_slow_each_other),
        cmocka_unit_test(the_hosts_threads_bound),
        cmocka_unit_test(unknown_stays_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
