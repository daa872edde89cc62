/* SPDX-License-Identifier: Apache-2.0 */
/* The interface: drivers, use in the wrong order, timers, idling, and jitter by seed. */
#include "../alloc_fail.h"
#include "sim_fixture.h"

#include <atoll/stats.h>

#define GOLDEN_HASH UINT64_C(0xf28e24bdde1a9313)

static void lists_its_drivers(void **state)
{
    (void)state;
    struct atoll_device_listing l;
    const struct atoll_driver *const *drivers = atoll_drivers();
    assert_non_null(drivers[0]);
    assert_string_equal(atoll_driver_name(drivers[0]), "sim");
    assert_int_equal(atoll_device_list(drivers[0], &l, NULL), 0);
    assert_true(l.available);
    assert_string_equal(l.name, "sim");
}

static void refuses_wrong_use(void **state)
{
    (void)state;
    const struct atoll_board b = fix_board(1);
    const struct atoll_device_opts o = {.board = &b};
    const struct atoll_device_opts none = {0};
    struct atoll_device *d = NULL;
    struct atoll_err err = {0};
    struct atoll_tpu_state t;
    uint32_t slot;
    struct atoll_program p = fix_program(NULL, 0, 0);
    assert_int_equal(atoll_device_open("tpu9000", &o, &d, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "sim"));
    assert_int_equal(atoll_device_open("sim", &none, &d, &err), ATOLL_EUSAGE);
    assert_null(d);
    d = fix_open(&b, 1, true);
    assert_int_equal(atoll__device_sim_load_program(d, 1, &p, 0, &slot, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_device_submit(d, 0, 0, NULL, &err), ATOLL_EUSAGE);
    slot = fix_load(d, 0, &p, 0);
    assert_int_equal(atoll_device_submit(d, slot, 0, NULL, &err), ATOLL_EUSAGE); /* before begin */
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, &err), 0);
    assert_int_equal(atoll_device_submit(d, slot + 1, 0, NULL, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_device_submit(d, slot, 0, NULL, &err), 0);
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_device_idle_until(d, 1000, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_device_tpu(d, 1, &t, &err), ATOLL_EUSAGE);
    assert_int_equal(fix_next(d).kind, ATOLL_EVENT_DONE);
    assert_int_equal(fix_next(d).kind, ATOLL_EVENT_IDLE);
    atoll_device_close(&d);
    assert_null(d);
    atoll_device_close(&d);
}

static void names_board_and_tpus(void **state)
{
    (void)state;
    const struct atoll_board b = fix_board(2);
    struct atoll_device *d = fix_open(&b, 1, true);
    struct atoll_device_info i;
    struct atoll_tpu_state t;
    atoll_device_info(d, &i);
    assert_string_equal(i.driver, "sim");
    assert_int_equal(i.origin, ATOLL_ORIGIN_SIMULATED);
    assert_int_equal(i.n_tpus, 2);
    assert_true(i.virtual_time);
    assert_int_equal(atoll_device_tpu(d, 1, &t, NULL), 0);
    assert_string_equal(t.id, "sim:fixture:1");
    atoll_device_close(&d);
}

static void timers_come_in_order(void **state)
{
    (void)state;
    const struct atoll_board b = fix_board(1);
    struct atoll_device *d = fix_open(&b, 1, true);
    struct atoll_rng r;
    uint64_t last_ns = 0;
    uint64_t last_tag = 0;
    atoll_rng_seed(&r, 5);
    assert_int_equal(atoll_device_idle_until(d, 50, NULL), 0);
    for (uint64_t i = 0; i < 300; i++) {
        assert_int_equal(atoll_device_timer(d, atoll_rng_below(&r, 200), i, NULL), 0);
    }
    for (int i = 0; i < 300; i++) {
        const struct atoll_device_event ev = fix_next(d);
        assert_int_equal(ev.kind, ATOLL_EVENT_TIMER);
        assert_true(ev.time_ns >= 50);
        assert_true(ev.time_ns > last_ns ||
                    (ev.time_ns == last_ns && (i == 0 || ev.time_ns == 50 || ev.tag > last_tag)));
        last_ns = ev.time_ns;
        last_tag = ev.tag;
    }
    assert_int_equal(fix_next(d).kind, ATOLL_EVENT_IDLE);
    atoll_device_close(&d);
}

static void jittery(struct atoll_board *b)
{
    b->jitter_run_frac = fix_q(0.005);
    b->jitter_inference_frac = fix_q(0.014);
    b->spike_frac = fix_q(0.01);
    b->spike_us = fix_q(500);
}

enum { SAMPLES = 1000 };

/* Latencies of one run; their hash. */
static uint64_t run(uint64_t seed, bool no_jitter, double *us)
{
    struct atoll_board b = fix_board(1);
    jittery(&b);
    struct atoll_layer layers[] = {fix_layer(300, 0), fix_layer(100, 80)};
    const struct atoll_program p = fix_program(layers, 2, 100);
    struct atoll_device *d = fix_open(&b, seed, no_jitter);
    const uint32_t slot = fix_load(d, 0, &p, 0);
    uint64_t hash = 0;
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    (void)fix_run(d, slot);
    for (int i = 0; i < SAMPLES; i++) {
        const struct atoll_device_event ev = fix_run(d, slot);
        us[i] = fix_us(&ev);
        hash = atoll_fnv1a(&ev.time_ns, sizeof ev.time_ns, hash);
    }
    atoll_device_close(&d);
    atoll_sort(us, SAMPLES);
    return hash;
}

static void a_seed_is_a_run(void **state)
{
    (void)state;
    static double a[SAMPLES];
    static double b[SAMPLES];
    const uint64_t one = run(1, false, a);
    assert_true(one == run(1, false, b));
    const uint64_t two = run(2, false, b);
    assert_true(one != two);
    /* the same on every machine: integer time, IEEE arithmetic, no libm */
    assert_int_equal(one, GOLDEN_HASH);
    assert_true(atoll_quantile(a, SAMPLES, 0.99) > 1.01 * atoll_quantile(a, SAMPLES, 0.5));
    assert_true(a[SAMPLES - 1] > a[0] + 300); /* a hiccup came by */
    const double exact = 300 + 300 + 200;
    test_close(atoll_quantile(a, SAMPLES, 0.5), exact, 0.025 * exact);
    assert_true(run(1, true, a) == run(2, true, b));
    test_close(a[SAMPLES - 1] - a[0], 0, 0.002);
}

/* The spread asked for arrives: between runs and between inferences. */
static void spread_is_as_the_profile_says(void **state)
{
    (void)state;
    static double us[SAMPLES];
    double medians[200];
    double within = 0;
    for (size_t i = 0; i < 200; i++) {
        (void)run(100 + i, false, us);
        medians[i] = atoll_quantile(us, SAMPLES, 0.5);
        within += (atoll_quantile(us, SAMPLES, 0.75) - atoll_quantile(us, SAMPLES, 0.25)) / 1.349 /
                  medians[i] / 200;
    }
    test_close(atoll_stdev(medians, 200) / 800, 0.005, 0.0012);
    test_close(within, 0.014, 0.002);
}

static int open_load_run(void *user)
{
    const struct atoll_board *b = user;
    struct atoll_layer layer = fix_layer(10, 0);
    const struct atoll_program p = fix_program(&layer, 1, 0);
    const struct atoll_device_opts o = {.board = b};
    struct atoll_device *d = NULL;
    struct atoll_device_event ev;
    uint32_t slot = 0;
    int rc = atoll_device_open("sim", &o, &d, NULL);
    rc = rc == 0 ? atoll__device_sim_load_program(d, 0, &p, 0, &slot, NULL) : rc;
    rc = rc == 0 ? atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL) : rc;
    for (int i = 0; i < 20 && rc == 0; i++) {
        rc = atoll_device_submit(d, slot, 0, NULL, NULL);
    }
    rc = rc == 0 ? atoll_device_timer(d, 5, 0, NULL) : rc;
    for (int i = 0; i < 22 && rc == 0; i++) {
        rc = atoll_device_next(d, &ev, NULL);
    }
    atoll_device_close(&d);
    return rc;
}

static void survives_no_memory(void **state)
{
    (void)state;
    struct atoll_board b = fix_board(2);
    alloc_fail_check(open_load_run, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_its_drivers),    cmocka_unit_test(refuses_wrong_use),
        cmocka_unit_test(names_board_and_tpus), cmocka_unit_test(timers_come_in_order),
        cmocka_unit_test(a_seed_is_a_run),      cmocka_unit_test(spread_is_as_the_profile_says),
        cmocka_unit_test(survives_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
