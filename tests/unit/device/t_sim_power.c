/* SPDX-License-Identifier: Apache-2.0 */
/* Power by state, rails, the engine's energy, heat and throttling. */
#include "sim_fixture.h"

#include <math.h>

struct integral {
    uint64_t since_ns;
    double mw[2], mj[2];
    uint32_t calls;
    bool open;
};

static void integrate(void *user, uint64_t t_ns, const double *rail_mw, uint32_t n_rails)
{
    struct integral *g = user;
    assert_int_equal(n_rails, 2);
    assert_true(!g->open || t_ns >= g->since_ns);
    for (uint32_t r = 0; r < 2; r++) {
        g->mj[r] += g->open ? g->mw[r] * (double)(t_ns - g->since_ns) / 1e9 : 0;
        g->mw[r] = rail_mw[r];
    }
    g->since_ns = t_ns;
    g->open = true;
    g->calls++;
}

static void energy_of_one_inference(void **state)
{
    (void)state;
    const struct atoll_board b = fix_board(1);
    struct atoll_layer layers[] = {fix_layer(300, 0), fix_layer(100, 80)};
    const struct atoll_program p = fix_program(layers, 2, 0);
    struct atoll_device *d = fix_open(&b, 1, true);
    const uint32_t slot = fix_load(d, 0, &p, 0);
    struct integral g = {0};
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    assert_int_equal(atoll_device_rail_sink(d, integrate, &g, NULL), 0);
    assert_int_equal(g.calls, 1); /* the present power comes at once */
    test_close(g.mw[0] + g.mw[1], 3500, 1e-9);
    const struct atoll_device_event ev = fix_run(d, slot);
    assert_int_equal(atoll_device_idle_until(d, ev.time_ns + 1000000, NULL), 0);
    double mj = 0;
    assert_int_equal(atoll_device_engine_mj(d, &mj, NULL), 0);
    integrate(&g, atoll_device_now_ns(d), g.mw, 2);
    /* above the floor of 3500 mW: compute 400 us * 1000 mW + 0.4 GMAC * 2 mJ, stream 100 us * 500
     * mW, transfers 200 us * 300 mW */
    const double above = 0.4 + 0.8 + 0.05 + 0.06;
    const double floor_mj = 3500 * (fix_us(&ev) + 1000) / 1e6;
    test_close(mj, floor_mj + above, 1e-3 * above);
    test_close(g.mj[0] + g.mj[1], mj, 1e-9 * mj);
    test_close(g.mj[0], 3 * g.mj[1], 1e-9 * mj);
    atoll_device_close(&d);
}

static void a_board_without_rails_has_one(void **state)
{
    (void)state;
    struct atoll_board b = fix_board(1);
    b.n_rails = 0;
    struct atoll_device *d = fix_open(&b, 1, true);
    double mj = 1;
    assert_int_equal(atoll_device_idle_until(d, 2000000000, NULL), 0);
    assert_int_equal(atoll_device_engine_mj(d, &mj, NULL), 0);
    test_close(mj, 2 * 3500, 1e-6);
    atoll_device_close(&d);
}

static void leakage_follows_temperature(void **state)
{
    (void)state;
    struct atoll_board b = fix_board(1);
    b.ambient_c = fix_q(45);
    b.leak_mw_per_c = fix_q(10);
    struct atoll_device *d = fix_open(&b, 1, true);
    struct atoll_tpu_state t;
    double mj = 0;
    /* T = 45 + 10 (0.5 + 0.01 (T - 25)) -> 0.9 T = 47.5 */
    assert_int_equal(atoll_device_tpu(d, 0, &t, NULL), 0);
    test_close(t.temperature_c, 47.5 / 0.9, 1e-9);
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    assert_int_equal(atoll_device_idle_until(d, 100000000000, NULL), 0);
    assert_int_equal(atoll_device_tpu(d, 0, &t, NULL), 0);
    test_close(t.temperature_c, 47.5 / 0.9, 1e-6);
    assert_int_equal(atoll_device_engine_mj(d, &mj, NULL), 0);
    test_close(mj, 100 * (3500 + 10 * (47.5 / 0.9 - 25)), 0.1);
    atoll_device_close(&d);
}

static void heats_with_one_time_constant(void **state)
{
    (void)state;
    struct atoll_board b = fix_board(1);
    b.throttles = false;
    b.mj_per_gmac = fix_q(0);
    struct atoll_layer layer = fix_layer(20e6, 0); /* 20 s at 1.5 W, one time constant */
    struct atoll_program p = fix_program(&layer, 1, 0);
    struct atoll_device *d = fix_open(&b, 1, true);
    const uint32_t slot = fix_load(d, 0, &p, 0);
    struct atoll_tpu_state t;
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    (void)fix_run(d, slot);
    assert_int_equal(atoll_device_tpu(d, 0, &t, NULL), 0);
    test_close(t.temperature_c, 30 + 10 * (1 - exp(-1)), 0.05);
    assert_false(t.throttled);
    atoll_device_close(&d);
}

/* 1.5 W at 40 degC/W over 27 degC tends to 87: past the first trip point, short of the second. */
static void throttles_at_trip_points(void **state)
{
    (void)state;
    struct atoll_board b = fix_board(2);
    b.ambient_c = fix_q(35);
    b.thermal_c_per_w = fix_q(40);
    b.mj_per_gmac = fix_q(0);
    struct atoll_layer layer = fix_layer(100000, 0);
    const struct atoll_program p = fix_program(&layer, 1, 0);
    struct atoll_device *d = fix_open(&b, 1, true);
    const uint32_t slot = fix_load(d, 0, &p, 0);
    struct atoll_tpu_state t;
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    double cold_us = 0;
    double hot_us = 0;
    bool halved = false;
    uint64_t first_ns = 0;
    for (int i = 0; i < 1500; i++) {
        const struct atoll_device_event ev = fix_run(d, slot);
        cold_us = i == 0 ? fix_us(&ev) : cold_us;
        hot_us = fix_us(&ev) > hot_us ? fix_us(&ev) : hot_us;
        assert_int_equal(atoll_device_tpu(d, 0, &t, NULL), 0);
        if (!halved && t.clock_divider == 1) {
            halved = true;
            first_ns = ev.time_ns;
            assert_true(t.temperature_c >= 80 && t.temperature_c < 90);
        }
    }
    assert_true(halved && t.throttled);
    /* seen at the driver's poll, each 5 s */
    test_close(fmod((double)first_ns / 1e9, 5), 0, 0.35);
    test_close(cold_us, 300 + 100000, 0.1);
    test_close(hot_us, 300 + 200000, 0.1);
    assert_int_equal(atoll_device_tpu(d, 1, &t, NULL), 0);
    assert_false(t.throttled); /* its neighbour idles */
    assert_int_equal(atoll_device_idle_until(d, atoll_device_now_ns(d) + 200000000000, NULL), 0);
    assert_int_equal(atoll_device_tpu(d, 0, &t, NULL), 0);
    assert_int_equal(t.clock_divider, 0); /* cooled down */
    atoll_device_close(&d);
}

static void refuses_thermal_runaway(void **state)
{
    (void)state;
    struct atoll_board b = fix_board(1);
    b.leak_mw_per_c = fix_q(100);
    const struct atoll_device_opts o = {.board = &b};
    struct atoll_device *d = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_device_open("sim", &o, &d, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "leak_mw_per_c"));
}

/* The states as they are told add up to the engine's own account, and that to its energy. */
struct states {
    uint64_t since_ns[4];
    enum atoll_power_state now[4];
    double tpu_s[ATOLL_STATES];
    uint64_t last_ns;
};
static void on_state(void *user, uint64_t t_ns, uint32_t tpu, enum atoll_power_state state)
{
    struct states *s = user;
    assert_true(t_ns >= s->last_ns && tpu < 4 && state != s->now[tpu]);
    s->last_ns = t_ns;
    s->tpu_s[s->now[tpu]] += (double)(t_ns - s->since_ns[tpu]) / 1e9;
    s->since_ns[tpu] = t_ns;
    s->now[tpu] = state;
}

static void states_are_told_and_counted(void **state)
{
    (void)state;
    struct atoll_board b = fix_board(2);
    struct atoll_device *d = fix_open(&b, 1, true);
    struct states seen = {.last_ns = 0};
    struct atoll_layer layers[2] = {fix_layer(1000, 0), fix_layer(500, 400)};
    const struct atoll_program p = fix_program(layers, 2, 200);
    const uint32_t slot = fix_load(d, 1, &p, 0);
    assert_int_equal(atoll_device_state_sink(d, on_state, &seen, NULL), 0);
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    (void)fix_run(d, slot);
    assert_int_equal(atoll_device_idle_until(d, 20000000, NULL), 0);
    struct atoll_engine_state own[ATOLL_STATES];
    double mj = 0, sum_mj = 0;
    assert_int_equal(atoll_device_engine_states(d, own, NULL), 0);
    assert_int_equal(atoll_device_engine_mj(d, &mj, NULL), 0);
    for (int k = 0; k < ATOLL_STATES; k++) {
        sum_mj += own[k].energy_mj;
        if (k != ATOLL_STATE_IDLE) {
            test_close(seen.tpu_s[k], own[k].tpu_s, 1e-12);
        }
    }
    test_close(sum_mj + 3000 * 0.02, mj, 1e-9);
    /* 50 us and 200 KiB of parameters at 2560 us/MiB; 100 KiB in at 1 us, 50 out at 2 us, 100 of
     * no pixels; 1500 us of compute; 400 KiB streamed in 1000 us, of which 500 stand out */
    test_close(own[ATOLL_STATE_LOAD].tpu_s, 550e-6, 1e-8);
    test_close(own[ATOLL_STATE_TRANSFER].tpu_s, 200e-6, 1e-8);
    test_close(own[ATOLL_STATE_COMPUTE].tpu_s, 1500e-6, 1e-8);
    test_close(own[ATOLL_STATE_STREAM].tpu_s, 500e-6, 1e-8);
    test_close(own[ATOLL_STATE_STREAM].energy_mj, 0.5, 0.01); /* 1 W, no leak at 25 degC */
    test_close(own[ATOLL_STATE_LOAD].energy_mj, 0.8 * 0.55, 0.01);
    assert_string_equal(atoll_power_state_name(ATOLL_STATE_LOAD), "load");
    atoll_device_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_told_and_counted),
        cmocka_unit_test(energy_of_one_inference),
        cmocka_unit_test(a_board_without_rails_has_one),
        cmocka_unit_test(leakage_follows_temperature),
        cmocka_unit_test(heats_with_one_time_constant),
        cmocka_unit_test(throttles_at_trip_points),
        cmocka_unit_test(refuses_thermal_runaway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
