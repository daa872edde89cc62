/* SPDX-License-Identifier: Apache-2.0 */
/* Times of the simulated board without jitter, against formulas worked by hand. */
#include "sim_fixture.h"

/* call 100 + input 100 KiB * 1 + layers + output 50 KiB * 2 */
#define EMPTY_US (100.0 + 100.0 + 100.0)

static void single_stage(void **state)
{
    (void)state;
    struct atoll_board b = fix_board(1);
    b.stream_us = fix_q(30);
    struct atoll_layer layers[] = {fix_layer(300, 0), fix_layer(200, 40), fix_layer(100, 80),
                                   fix_layer(0, 10)};
    const struct atoll_program p = fix_program(layers, 4, 0);
    struct atoll_device *d = fix_open(&b, 1, true);
    const uint32_t slot = fix_load(d, 0, &p, 0);
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    const struct atoll_device_event ev = fix_run(d, slot);
    /* streaming costs 2.5 us/KiB: 100 us hidden behind 200, 200 us that show 100, 25 us alone */
    test_close(fix_us(&ev), EMPTY_US + 30 + 300 + 200 + 200 + 25, 0.01);
    test_close((double)ev.host_ns, 100e3, 2);
    test_close((double)ev.input_ns, 100e3, 2);
    test_close((double)ev.compute_ns, 600e3, 4);
    test_close((double)ev.stream_ns, 155e3, 4);
    test_close((double)ev.output_ns, 100e3, 2);
    assert_int_equal(ev.load_ns, 0);
    assert_false(ev.loaded);
    assert_int_equal(ev.start_ns, ev.submit_ns);
    atoll_device_close(&d);
}

static void first_inference_loads(void **state)
{
    (void)state;
    const struct atoll_board b = fix_board(1);
    struct atoll_layer layers[] = {fix_layer(300, 0)};
    const struct atoll_program p = fix_program(layers, 1, 400);
    struct atoll_device *d = fix_open(&b, 1, true);
    const uint32_t slot = fix_load(d, 0, &p, 0);
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    const struct atoll_device_event first = fix_run(d, slot);
    const struct atoll_device_event second = fix_run(d, slot);
    assert_true(first.loaded);
    assert_false(second.loaded);
    test_close((double)first.load_ns, 50e3 + 400 * 2.5e3, 4);
    test_close(fix_us(&first) - fix_us(&second), 1050, 0.01);
    atoll_device_close(&d);
}

static void switching_reloads_unless_compiled_together(void **state)
{
    (void)state;
    const struct atoll_board b = fix_board(1);
    struct atoll_layer layers[] = {fix_layer(300, 0)};
    const struct atoll_program p = fix_program(layers, 1, 400);
    struct atoll_device *d = fix_open(&b, 1, true);
    const uint32_t alone = fix_load(d, 0, &p, 1);
    const uint32_t pair[2] = {fix_load(d, 0, &p, 2), fix_load(d, 0, &p, 2)};
    struct atoll_tpu_state t;
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    assert_int_equal(atoll_device_tpu(d, 0, &t, NULL), 0);
    assert_int_equal(t.resident_slot, UINT32_MAX);
    assert_true(fix_run(d, alone).loaded);
    assert_false(fix_run(d, alone).loaded);
    assert_true(fix_run(d, pair[0]).loaded);
    assert_true(fix_run(d, pair[1]).loaded);
    for (int i = 0; i < 4; i++) {
        assert_false(fix_run(d, pair[i % 2]).loaded);
    }
    assert_int_equal(atoll_device_tpu(d, 0, &t, NULL), 0);
    assert_int_equal(t.resident_slot, pair[1]);
    assert_int_equal(t.inferences, 8);
    assert_true(fix_run(d, alone).loaded);
    assert_true(fix_run(d, pair[0]).loaded);
    assert_true(fix_run(d, pair[1]).loaded);
    atoll_device_close(&d);
}

static void chain_latency_is_the_sum(void **state)
{
    (void)state;
    const struct atoll_board b = fix_board(4);
    struct atoll_device *d = fix_open(&b, 1, true);
    uint32_t slots[4];
    double expected = 0;
    for (uint32_t i = 0; i < 4; i++) {
        struct atoll_layer layer = fix_layer(100.0 * (i + 1), 0);
        const struct atoll_program p = fix_program(&layer, 1, 0);
        slots[i] = fix_load(d, i, &p, i);
        expected += EMPTY_US + 100.0 * (i + 1);
    }
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    const uint64_t from = atoll_device_now_ns(d);
    for (uint32_t i = 0; i < 4; i++) {
        (void)fix_run(d, slots[i]);
    }
    test_close((double)(atoll_device_now_ns(d) - from) / 1e3, expected, 0.05);
    atoll_device_close(&d);
}

static void saturated_interval_is_the_slowest_stage(void **state)
{
    (void)state;
    const struct atoll_board b = fix_board(3);
    const double compute_us[3] = {200, 700, 400};
    struct atoll_device *d = fix_open(&b, 1, true);
    uint32_t slots[3];
    for (uint32_t i = 0; i < 3; i++) {
        struct atoll_layer layer = fix_layer(compute_us[i], 0);
        const struct atoll_program p = fix_program(&layer, 1, 0);
        slots[i] = fix_load(d, i, &p, i);
    }
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_THREADED, 1, NULL), 0);
    test_close(fix_saturate(d, slots, 3, 400, 8), EMPTY_US + 700, 0.5);
    atoll_device_close(&d);
}

/* Eight stages that do nothing but 100 us of host work, 60 of them under the lock. */
static double host_bound_interval(uint32_t threads, double serial_us)
{
    struct atoll_board b = fix_board(8);
    b.host_threads = threads;
    b.drive[0][ATOLL_DRIVE_THREADED].serial_us = fix_q(serial_us);
    struct atoll_device *d = fix_open(&b, 1, true);
    uint32_t slots[8];
    struct atoll_program p = fix_program(NULL, 0, 0);
    p.n_tpu_ops = 1;
    p.input_bytes = p.instruction_bytes = p.output_bytes = 0;
    for (uint32_t i = 0; i < 8; i++) {
        slots[i] = fix_load(d, i, &p, i);
    }
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_THREADED, 1, NULL), 0);
    const double interval_us = fix_saturate(d, slots, 8, 600, 32);
    atoll_device_close(&d);
    return interval_us;
}

static void host_bounds_the_interval(void **state)
{
    (void)state;
    test_close(host_bound_interval(64, 60), 8 * 60, 1);      /* the lock: serial parts add up */
    test_close(host_bound_interval(64, 0), 100, 1);          /* no lock: every stage for itself */
    test_close(host_bound_interval(2, 0), 8 * 100 / 2.0, 1); /* two threads for eight stages */
    test_close(host_bound_interval(1, 60), 8 * 100, 1);
}

static void copies_add_host_time(void **state)
{
    (void)state;
    const struct atoll_board b = fix_board(1);
    struct atoll_layer layer = fix_layer(100, 0);
    const struct atoll_program p = fix_program(&layer, 1, 0);
    struct atoll_device *d = fix_open(&b, 1, true);
    const uint32_t slot = fix_load(d, 0, &p, 0);
    double us[2][2];
    for (int drive = 0; drive < 2; drive++) {
        for (uint32_t n = 0; n < 2; n++) {
            assert_int_equal(atoll_device_begin(d, (enum atoll_drive)drive, 1 + 3 * n, NULL), 0);
            const struct atoll_device_event ev = fix_run(d, slot);
            us[drive][n] = fix_us(&ev);
        }
    }
    test_close(us[ATOLL_DRIVE_CALLED][1] - us[ATOLL_DRIVE_CALLED][0], 3 * 7, 0.01);
    test_close(us[ATOLL_DRIVE_THREADED][1] - us[ATOLL_DRIVE_THREADED][0], 3 * 9, 0.01);
    atoll_device_close(&d);
}

static void operators_on_the_host_and_the_clock(void **state)
{
    (void)state;
    struct atoll_board b = fix_board(1);
    b.drive[0][ATOLL_DRIVE_CALLED].compute_scale = fix_q(1.5);
    struct atoll_layer layers[] = {fix_layer(100, 0), fix_layer(100, 0)};
    layers[1].kind = ATOLL_BOUND_CPU;
    struct atoll_program p = fix_program(layers, 2, 0);
    p.cpu_us = 33;
    p.output_px = 2000;
    const struct atoll_device_opts o = {
        .board = &b, .use.clock = ATOLL_CLOCK_STANDARD, .no_jitter = true};
    struct atoll_device *d = NULL;
    assert_int_equal(atoll_device_open("sim", &o, &d, NULL), 0);
    const uint32_t slot = fix_load(d, 0, &p, 0);
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    const struct atoll_device_event ev = fix_run(d, slot);
    test_close(fix_us(&ev), EMPTY_US + 33 + 2 * 10 + 100 * 2 * 1.5, 0.01);
    atoll_device_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_stage),
        cmocka_unit_test(first_inference_loads),
        cmocka_unit_test(switching_reloads_unless_compiled_together),
        cmocka_unit_test(chain_latency_is_the_sum),
        cmocka_unit_test(saturated_interval_is_the_slowest_stage),
        cmocka_unit_test(host_bounds_the_interval),
        cmocka_unit_test(copies_add_host_time),
        cmocka_unit_test(operators_on_the_host_and_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
