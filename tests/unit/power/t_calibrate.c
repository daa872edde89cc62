/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration of the synth meter's sensors: what is found, what is refused, and that a measurement
 * after it is right to what the calibration says of itself. */
#include "meter_fixture.h"

#include <math.h>

static char dir[256];
static char file[300];

static int setup(void **state)
{
    (void)state;
    test_scratch(dir);
    (void)snprintf(file, sizeof file, "%s/cal.json", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(file);
    return rmdir(dir);
}

/* A record of `seconds` in which both rails take these powers, from the first to a second value. */
static struct atoll_meter *take(const char *spec, uint64_t seed, double mw, double mw_later,
                                double seconds)
{
    struct atoll_meter_opts o = fix_opts(seed, false);
    o.keep_scans = true;
    o.calibration = access(file, R_OK) == 0 ? file : NULL;
    struct atoll_meter *m = fix_meter(spec, &o);
    const uint64_t end_ns = FIX_S + (uint64_t)(seconds * 1e9);
    fix_feed(m, 0, mw, mw);
    assert_int_equal(atoll_meter_start(m, FIX_S / 2, NULL), 0);
    (void)fix_mark(m, FIX_S);
    const int steps = 50;
    for (int i = 1; i <= steps; i++) {
        const uint64_t t_ns = FIX_S + (uint64_t)(seconds * 1e9 / steps) * (uint64_t)i;
        const double now = mw + (mw_later - mw) * i / steps;
        fix_feed(m, t_ns, now, now);
    }
    (void)fix_mark(m, end_ns);
    assert_int_equal(atoll_meter_stop(m, end_ns, NULL), 0);
    return m;
}

static struct atoll_calibration calibrate(struct atoll_meter *m, struct atoll_calibration_opts o)
{
    struct atoll_calibration c;
    struct atoll_err err = {0};
    if (atoll_meter_calibrate(m, 0, 1, &o, &c, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return c;
}

static const char *refused(struct atoll_meter *m, struct atoll_calibration_opts o, int code)
{
    static struct atoll_err err;
    struct atoll_calibration c = {.zero_code = 77};
    err = (struct atoll_err){0};
    assert_int_equal(atoll_meter_calibrate(m, 0, 1, &o, &c, &err), code);
    test_close(c.zero_code, 77, 0); /* untouched */
    return err.text;
}

/* Zero and gain of both rails into the file: 12 V with 1 A, 3.3 V with 2 A; the load is known
 * exactly, so what is left of the error is what the calibration itself says. */
static void calibrate_both(const char *spec, uint64_t seed, double u_load)
{
    for (uint32_t rail = 0; rail < 2; rail++) {
        struct atoll_meter *m = take(spec, seed, 0, 0, 4);
        const struct atoll_calibration c = calibrate(
            m, (struct atoll_calibration_opts){
                   .kind = ATOLL_CALIBRATE_ZERO, .rail = rail, .day = 20000, .temperature_c = 23});
        assert_string_equal(c.name, fix_rails[rail].name);
        assert_true(c.scans >= 3900 && c.u_zero_code > 0);
        test_close(c.zero_code, c.was_zero_code, 12);
        assert_int_equal(atoll_calibration_write(file, &c, NULL), 0);
        atoll_meter_close(&m);
    }
    for (uint32_t rail = 0; rail < 2; rail++) {
        const double mw = 12000;
        struct atoll_meter *m = take(spec, seed, mw, mw, 4);
        const struct atoll_calibration c =
            calibrate(m, (struct atoll_calibration_opts){.kind = ATOLL_CALIBRATE_GAIN,
                                                         .rail = rail,
                                                         .load_ma = mw / fix_rails[rail].volt,
                                                         .u_frac = u_load,
                                                         .day = 20000});
        test_close(c.per_code, c.was_per_code, 0.03 * c.was_per_code);
        assert_true(c.u_gain_frac >= u_load);
        assert_int_equal(atoll_calibration_write(file, &c, NULL), 0);
        atoll_meter_close(&m);
    }
}

static void a_measurement_after_it_is_right(void **state)
{
    (void)state;
    double before = 0;
    double after = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        for (int calibrated = 0; calibrated < 2; calibrated++) {
            if (calibrated) {
                calibrate_both("synth:acs712", seed, 1e-4);
            }
            struct atoll_meter *m = take("synth:acs712", seed, 9000, 9000, 2);
            const struct atoll_energy e = fix_energy(m, NULL);
            const double error = fabs(e.energy_mj / 36000 - 1);
            *(calibrated ? &after : &before) += error / 20;
            if (calibrated) {
                assert_true(error < 0.004);
            }
            atoll_meter_close(&m);
        }
        assert_int_equal(unlink(file), 0);
    }
    print_message("mean error %.3f %% as opened, %.3f %% after the calibration\n", before * 100,
                  after * 100);
    assert_true(after < before / 2);
}

/* The load's own uncertainty is in the gain part of every energy, the zero's in the zero part. */
static void its_uncertainty_is_in_the_budget(void **state)
{
    (void)state;
    calibrate_both("synth:acs712", 7, 0.02);
    struct atoll_meter *m = take("synth:acs712", 7, 9000, 9000, 2);
    struct atoll_energy e = fix_energy(m, NULL);
    test_close(e.u_gain_mj / e.energy_mj, 0.02, 0.0005);
    const double u_zero_mj = e.u_zero_mj;
    atoll_meter_close(&m);
    /* a zero that is known ten times worse */
    struct atoll_calibration c = {.kind = ATOLL_CALIBRATE_ZERO, .conversions = 8};
    m = take("synth:acs712", 7, 0, 0, 4);
    c = calibrate(m, (struct atoll_calibration_opts){.kind = ATOLL_CALIBRATE_ZERO, .rail = 0});
    atoll_meter_close(&m);
    c.u_zero_code *= 10;
    assert_int_equal(atoll_calibration_write(file, &c, NULL), 0);
    m = take("synth:acs712", 7, 9000, 9000, 2);
    e = fix_energy(m, NULL);
    assert_true(e.u_zero_mj > 6 * u_zero_mj && e.u_zero_mj < 11 * u_zero_mj);
    atoll_meter_close(&m);
}

static void bad_records_are_refused(void **state)
{
    (void)state;
    const struct atoll_calibration_opts zero = {.kind = ATOLL_CALIBRATE_ZERO};
    struct atoll_calibration_opts gain = {
        .kind = ATOLL_CALIBRATE_GAIN, .load_ma = 1000, .u_frac = 0.01};
    struct atoll_meter *m = take("synth:acs712", 3, 6000, 6000, 4); /* 0.5 A when all is "off" */
    const char *why = refused(m, zero, ATOLL_EDEVICE);
    assert_non_null(strstr(why, "12v_slot: zero at"));
    assert_non_null(strstr(why, "load really off"));
    why = refused(m, gain, ATOLL_EDEVICE); /* said 1 A, flows 0.5 A */
    assert_non_null(strstr(why, "mA a code (expected"));
    gain.load_ma = 0;
    (void)refused(m, gain, ATOLL_EUSAGE);
    gain.rail = 2;
    (void)refused(m, gain, ATOLL_EUSAGE);
    atoll_meter_close(&m);
    m = take("synth:acs712", 3, 0, 300, 4); /* creeps by 25 mA */
    why = refused(m, zero, ATOLL_EDEVICE);
    assert_non_null(strstr(why, "it drifts: +"));
    atoll_meter_close(&m);
    m = take("synth:acs712", 3, 0, 0, 0.1);
    assert_non_null(strstr(refused(m, zero, ATOLL_EDEVICE), "measure for longer"));
    atoll_meter_close(&m);
    m = take("synth:acs712", 3, 120, 120, 4); /* 10 mA */
    gain = (struct atoll_calibration_opts){.kind = ATOLL_CALIBRATE_GAIN, .load_ma = 10};
    assert_non_null(strstr(refused(m, gain, ATOLL_EDEVICE), "take a larger load"));
    atoll_meter_close(&m);
    m = take("synth:acs712,loss=0.002", 3, 0, 0, 4);
    assert_non_null(strstr(refused(m, zero, ATOLL_EDEVICE), "are missing"));
    struct atoll_calibration c = {.name = "12v_slot"};
    assert_int_equal(atoll_meter_store(m, &c, NULL), ATOLL_EUNSUPPORTED);
    atoll_meter_close(&m);
    /* noise: a load that is switched on and off */
    const struct atoll_meter_opts o = {
        .rails = fix_rails, .n_rails = 2, .seed = 3, .keep_scans = true};
    m = fix_meter("synth:acs712", &o);
    (void)fix_square(m, 5, 3 * FIX_S, 10 * FIX_MS, 5 * FIX_MS, -2000, 2000, FIX_S / 2,
                     2 * FIX_S + FIX_S / 2);
    assert_non_null(strstr(refused(m, zero, ATOLL_EDEVICE), "too noisy"));
    atoll_meter_close(&m);
}

static void open_code(int code, const char *words)
{
    struct atoll_meter_opts o = fix_opts(1, false);
    struct atoll_meter *m = NULL;
    struct atoll_err err = {0};
    o.calibration = file;
    assert_int_equal(atoll_meter_open("synth", &o, &m, &err), code);
    assert_null(m);
    assert_non_null(strstr(err.text, words));
}

static void files_are_checked(void **state)
{
    (void)state;
    open_code(ATOLL_ENOTFOUND, "cal.json");
    assert_int_equal(atoll_write_file(file, "{}", 2, NULL), 0);
    open_code(ATOLL_EINPUT, "expected atoll.power-calibration/1");
    const char text[] = "{\"schema\": \"atoll.power-calibration/1\", \"calibrations\": "
                        "[{\"rail\": \"12v_slot\", \"kind\": \"gain\", \"per_code\": -1}]}";
    assert_int_equal(atoll_write_file(file, text, sizeof text - 1, NULL), 0);
    open_code(ATOLL_EINPUT, "'per_code' is missing or out of range");
    assert_int_equal(unlink(file), 0);
    struct atoll_calibration c = {.kind = ATOLL_CALIBRATE_GAIN, .per_code = 3, .name = "24v"};
    assert_int_equal(atoll_calibration_write(file, &c, NULL), 0);
    open_code(ATOLL_EINPUT, "rail '24v'");
    assert_int_equal(atoll_calibration_write("/nonexistent/x", &c, NULL), ATOLL_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_measurement_after_it_is_right, setup, teardown),
        cmocka_unit_test_setup_teardown(its_uncertainty_is_in_the_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_records_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_checked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
