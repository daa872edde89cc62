/* SPDX-License-Identifier: Apache-2.0 */
/* The shared link: small cases worked by hand. Alone, input moves 1 MiB in 1024 us (976.5625
 * MiB/s). */
#include "sim_fixture.h"

/* Host and output cost nothing: what is left is input or streaming. */
static struct atoll_board link_board(uint32_t n, double shared_mib_per_s)
{
    struct atoll_board b = fix_board(n);
    for (int r = 0; r < 2; r++) {
        for (int d = 0; d < 2; d++) {
            b.drive[r][d].call_us = fix_q(0);
            b.drive[r][d].output_us_per_mib = fix_q(0);
        }
    }
    b.shared_link_mib_per_s = fix_q(shared_mib_per_s);
    return b;
}

static struct atoll_program input_only(uint64_t kib)
{
    struct atoll_program p = fix_program(NULL, 0, 0);
    p.n_tpu_ops = 1;
    p.input_bytes = kib * 1024;
    p.instruction_bytes = 0;
    return p;
}

/* Both start together; equal rates halve until the short one is through. */
static void two_inputs_halve_each_other(void **state)
{
    (void)state;
    const struct atoll_board b = link_board(2, 1000000.0 / 1024);
    struct atoll_device *d = fix_open(&b, 1, true);
    const struct atoll_program small = input_only(512);
    const struct atoll_program large = input_only(1024);
    const uint32_t slots[2] = {fix_load(d, 0, &small, 0), fix_load(d, 1, &large, 0)};
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    assert_int_equal(atoll_device_submit(d, slots[0], 0, NULL, NULL), 0);
    assert_int_equal(atoll_device_submit(d, slots[1], 1, NULL, NULL), 0);
    struct atoll_device_event ev = fix_next(d);
    assert_int_equal(ev.tag, 0);
    test_close(fix_us(&ev), 1024, 0.01); /* 512 KiB at half rate */
    ev = fix_next(d);
    test_close(fix_us(&ev), 1024 + 512, 0.01); /* the other 512 KiB alone */
    test_close((double)ev.input_ns / 1e3, 1536, 0.01);
    atoll_device_close(&d);
}

/* A flow slower than its fair part keeps its rate, the others share what it leaves: streaming needs
 * 400 MiB/s (2500 us/MiB) of 1000; two inputs of 900 MiB/s each get 300. */
static void max_min_fair(void **state)
{
    (void)state;
    struct atoll_board b = link_board(3, 1000);
    b.stream_us_per_mib = fix_q(1e6 / 250);
    b.drive[0][ATOLL_DRIVE_CALLED].input_us_per_mib = fix_q(1e6 / 900);
    struct atoll_device *d = fix_open(&b, 1, true);
    struct atoll_layer layer = fix_layer(0, 10240);
    struct atoll_program streams = fix_program(&layer, 1, 0);
    streams.input_bytes = streams.instruction_bytes = 0;
    const struct atoll_program sends = input_only(1024);
    const uint32_t slots[3] = {fix_load(d, 0, &streams, 0), fix_load(d, 1, &sends, 0),
                               fix_load(d, 2, &sends, 0)};
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(atoll_device_submit(d, slots[i], i, NULL, NULL), 0);
    }
    for (int i = 0; i < 2; i++) {
        const struct atoll_device_event ev = fix_next(d);
        test_close(fix_us(&ev), 1e6 / 375, 0.01); /* (1000 - 250) / 2 */
    }
    const struct atoll_device_event ev = fix_next(d);
    assert_int_equal(ev.tag, 0);
    test_close(fix_us(&ev), 10 * 1e6 / 250, 0.01);
    atoll_device_close(&d);
}

/* Streaming behind compute shows only where the shared link makes it longer than the compute. */
static void contention_uncovers_streaming(void **state)
{
    (void)state;
    struct atoll_board b =
        link_board(2, 400); /* 2500 us/MiB: one stream at full rate, two at half */
    b.stream_us_per_mib = fix_q(2500);
    struct atoll_device *d = fix_open(&b, 1, true);
    struct atoll_layer layer =
        fix_layer(3000, 1024); /* 3000 us of compute over 2500 us of streaming */
    struct atoll_program p = fix_program(&layer, 1, 0);
    p.input_bytes = p.instruction_bytes = 0;
    const uint32_t slots[2] = {fix_load(d, 0, &p, 0), fix_load(d, 1, &p, 0)};
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    struct atoll_device_event ev = fix_run(d, slots[0]);
    test_close(fix_us(&ev), 3000, 0.01);
    assert_int_equal(ev.stream_ns, 0);
    assert_int_equal(atoll_device_submit(d, slots[0], 0, NULL, NULL), 0);
    assert_int_equal(atoll_device_submit(d, slots[1], 1, NULL, NULL), 0);
    for (int i = 0; i < 2; i++) {
        ev = fix_next(d);
        test_close(fix_us(&ev), 5000, 0.01);
        test_close((double)ev.compute_ns / 1e3, 3000, 0.01);
        test_close((double)ev.stream_ns / 1e3, 2000, 0.01);
    }
    atoll_device_close(&d);
}

/* A limit that no traffic reaches changes nothing, to the nanosecond. */
static void wide_link_is_no_link(void **state)
{
    (void)state;
    uint64_t end_ns[2];
    for (int wide = 0; wide < 2; wide++) {
        struct atoll_board b = fix_board(2);
        b.shared_link_mib_per_s = fix_q(wide ? 1e7 : 0);
        struct atoll_device *d = fix_open(&b, 1, true);
        struct atoll_layer layers[] = {fix_layer(100, 30), fix_layer(10, 30)};
        const struct atoll_program p = fix_program(layers, 2, 100);
        const uint32_t slots[2] = {fix_load(d, 0, &p, 0), fix_load(d, 1, &p, 0)};
        assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_THREADED, 1, NULL), 0);
        (void)fix_saturate(d, slots, 2, 50, 4);
        end_ns[wide] = atoll_device_now_ns(d);
        atoll_device_close(&d);
    }
    assert_int_equal(end_ns[0], end_ns[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_inputs_halve_each_other),
        cmocka_unit_test(max_min_fair),
        cmocka_unit_test(contention_uncovers_streaming),
        cmocka_unit_test(wide_link_is_no_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
