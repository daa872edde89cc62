/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole chain on a simulated board: pipelines of random stages whose rails drive the synth
 * meter through its frames. What the meter says of a window agrees with the engine's own account:
 * within 0.1 % with ideal sensors, inside the stated interval (95 %, here at least 90 of 100) with
 * real ones.
 */
#include "meter_fixture.h"
#include "sim_fixture.h"

#include <math.h>

enum { STAGES = 4 };

static struct atoll_board hot_board(void)
{
    struct atoll_board b = fix_board(STAGES);
    b.leak_mw_per_c = fix_q(6);
    b.jitter_inference_frac = fix_q(0.014);
    b.shared_link_mib_per_s = fix_q(700);
    return b;
}

/* Window of a saturated pipeline with idle time in front and behind; the engine's energy of it. */
static double run(struct atoll_meter *m, uint64_t seed)
{
    const struct atoll_board b = hot_board();
    struct atoll_device *d = fix_open(&b, seed, false);
    struct atoll_rng r;
    uint32_t slots[STAGES];
    struct atoll_layer layers[STAGES][3];
    double mj = 0;
    atoll_rng_seed(&r, seed);
    for (uint32_t i = 0; i < STAGES; i++) {
        for (int k = 0; k < 3; k++) {
            layers[i][k] = fix_layer(100 + 2000 * atoll_rng_unit(&r), atoll_rng_below(&r, 800));
        }
        const struct atoll_program p = fix_program(layers[i], 3, 1000);
        slots[i] = fix_load(d, i, &p, i);
    }
    assert_int_equal(atoll_device_rail_sink(d, atoll_meter_feed, m, NULL), 0);
    assert_int_equal(atoll_meter_start(m, atoll_device_now_ns(d), NULL), 0);
    assert_int_equal(atoll_device_idle_until(d, 100 * FIX_MS, NULL), 0);
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_THREADED, 1, NULL),
                     0); /* counts from here */
    (void)fix_mark(m, atoll_device_now_ns(d));
    (void)fix_saturate(d, slots, STAGES, 300, 8);
    assert_int_equal(atoll_device_idle_until(d, atoll_device_now_ns(d) + 50 * FIX_MS, NULL), 0);
    (void)fix_mark(m, atoll_device_now_ns(d));
    assert_int_equal(atoll_device_engine_mj(d, &mj, NULL), 0);
    assert_int_equal(atoll_meter_stop(m, atoll_device_now_ns(d), NULL), 0);
    atoll_device_close(&d);
    return mj;
}

static void ideal_sensors_agree(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    for (uint64_t i = 0; i < test_cases(10); i++) {
        const struct atoll_meter_opts o = fix_opts(seed + i, true);
        struct atoll_meter *m = fix_meter("synth:ppm=3000", &o);
        const double mj = run(m, seed + i);
        const struct atoll_energy e = fix_energy(m, NULL);
        test_close(e.energy_mj, mj, 1e-3 * mj);
        test_close(e.energy_mj, mj, e.u95_mj + 1e-5 * mj);
        assert_int_equal(e.lost_scans, 0);
        atoll_meter_close(&m);
    }
}

static void real_sensors_tell_the_truth(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    const size_t n = test_cases(100);
    size_t inside = 0;
    for (uint64_t i = 0; i < n; i++) {
        const struct atoll_meter_opts o = fix_opts(seed + i, false);
        struct atoll_meter *m = fix_meter("synth", &o);
        const double mj = run(m, seed + i);
        const struct atoll_energy e = fix_energy(m, NULL);
        assert_true(e.u95_mj < 0.03 * mj);
        inside += fabs(e.energy_mj - mj) <= e.u95_mj;
        atoll_meter_close(&m);
    }
    print_message("engine's energy inside the stated interval in %zu of %zu runs\n", inside, n);
    assert_true(10 * inside >= 9 * n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ideal_sensors_agree),
                                       cmocka_unit_test(real_sensors_tell_the_truth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
