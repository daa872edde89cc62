/* SPDX-License-Identifier: Apache-2.0 */
/* Rails whose voltage is measured: power is current times voltage of the same moment, although the
 * channels of a scan are sampled one after the other. Edges that the device stamped. */
#include "recording_fixture.h"

enum { SCANS = 2000, FRAME_SCANS = 20 };
#define RATE_HZ 1000.0
#define VOLT_SKEW (-0.5) /* first of two channels, one conversion each */
#define AMP_SKEW 0.0

static double volt_at(double t_s)
{
    return 12 - 3 * cos(2 * 3.14159265358979 * 20 * t_s);
}

static double ma_at(double t_s)
{
    return 2000 + 1500 * sin(2 * 3.14159265358979 * 20 * t_s);
}

/* Current: 0.1 mA a code from 1000 on; voltage: 0.25 mV a code from 10 on. */
static double code(uint32_t channel, uint32_t scan)
{
    return channel == 0 ? 10 + volt_at((scan + 0.5 + VOLT_SKEW) / RATE_HZ) * 4000
                        : 1000 + ma_at((scan + 0.5 + AMP_SKEW) / RATE_HZ) * 10;
}

static double truth_mj(double from_s, double to_s)
{
    double mj = 0;
    const int steps = 200000;
    const double h = (to_s - from_s) / steps;
    for (int i = 0; i < steps; i++) {
        const double t = from_s + (i + 0.5) * h;
        mj += ma_at(t) * volt_at(t) * h;
    }
    return mj;
}

static void write_all(const char *path, const char *skews, const char *volt_skew)
{
    char channels[1000];
    (void)snprintf(channels, sizeof channels,
                   "{\"name\": \"12v\", \"volt\": 12, \"at\": 1, \"skew\": %s, " REC_CHANNEL
                   ", \"voltage\": {\"zero_code\": 10, \"mv_per_code\": 0.25, \"u_gain_frac\": "
                   "0.002, \"u_zero_code\": 4, \"noise_code\": 2, \"at\": 0, \"skew\": %s}}",
                   skews, volt_skew);
    struct recording r = rec_open(path, RATE_HZ, 2, channels);
    bool marked[2] = {false, false};
    for (uint32_t i = 0; i < SCANS; i += FRAME_SCANS) {
        if (!marked[0] && i >= 300) {
            marked[0] = true;
            rec_mark(&r, 300300000, "a");
        }
        if (!marked[1] && i >= 1700) {
            marked[1] = true;
            rec_mark(&r, 1709700000, "b");
        }
        rec_scans(&r, i, FRAME_SCANS, code);
        if (i == 800) {
            struct atoll_wire_frame f = {
                .type = ATOLL_WIRE_EVENT,
                .event = {.cause = ATOLL_WIRE_RISING, .id = 4, .scan = 815, .fraction = 16384}};
            rec_frame(&r, &f, 821000000);
        }
        if (i == 1400) {
            struct atoll_wire_frame f = {
                .type = ATOLL_WIRE_EVENT,
                .event = {.cause = ATOLL_WIRE_FALLING, .id = 5, .scan = 1400, .fraction = 49152}};
            rec_frame(&r, &f, 1421000000);
        }
    }
    assert_int_equal(fclose(r.f), 0);
}

static struct atoll_meter *play(const char *path)
{
    char spec[320];
    struct atoll_err err = {0};
    struct atoll_meter *m = NULL;
    const struct atoll_meter_opts o = {.keep_scans = true};
    (void)snprintf(spec, sizeof spec, "replay:%s", path);
    if (atoll_meter_open(spec, &o, &m, &err) != 0 || atoll_meter_start(m, 0, &err) != 0 ||
        atoll_meter_stop(m, 2000000000, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return m;
}

static double measured_mj(const char *path, struct atoll_energy *e)
{
    struct atoll_meter *m = play(path);
    struct atoll_err err = {0};
    int32_t b = 0;
    for (int32_t i = 0; i < atoll_meter_markers(m); i++) {
        uint64_t t_ns = 0;
        const char *label = NULL;
        assert_int_equal(atoll_meter_marker(m, i, &t_ns, &label, NULL), 0);
        b = strcmp(label, "b") == 0 ? i : b;
    }
    if (atoll_meter_energy(m, 0, b, NULL, e, &err) != 0) {
        fail_msg("%s", err.text);
    }
    atoll_meter_close(&m);
    return e->energy_mj;
}

static char dir[256];
static char path[300];

static int setup(void **state)
{
    (void)state;
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/volts.power", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path) | rmdir(dir);
}

/* A swinging voltage and current against the closed form: with the skew known, right; taken as
 * simultaneous, wrong by what the phase of half a scan costs. */
static void product_at_one_moment(void **state)
{
    (void)state;
    struct atoll_energy e;
    const double mj = truth_mj(0.3003, 1.7097);
    write_all(path, "0", "-0.5");
    test_close(measured_mj(path, &e), mj, 1e-4 * mj);
    test_close(e.seconds, 1.4094, 1e-9);
    const double with = fabs(measured_mj(path, &e) - mj);
    write_all(path, "0", "0");
    const double without = fabs(measured_mj(path, &e) - mj);
    print_message("skew known: off by %.5f %%, not known: %.5f %%\n", with / mj * 100,
                  without / mj * 100);
    assert_true(without > 0.005 * mj && with < 1e-4 * mj);
}

/* Each part of the budget from the measured voltage. */
static void budget_of_a_measured_voltage(void **state)
{
    (void)state;
    struct atoll_energy e;
    write_all(path, "0", "-0.5");
    const double mj = measured_mj(path, &e);
    test_close(e.u_gain_mj, mj * sqrt(1e-6 + 4e-6), 1e-3 * mj * 0.0023);
    /* 0.5 codes of 0.1 mA at 12 V, 4 codes of 0.25 mV at 2 A, over 1.4 s */
    test_close(e.u_zero_mj, hypot(0.05 * 12, 1e-3 * 2000) * e.seconds, 0.02 * e.u_zero_mj);
    test_close(e.u_noise_mj, hypot(0.1 * 12, 0.5e-3 * 2000) * 1e-3 * sqrt(e.seconds * 1e3),
               0.02 * e.u_noise_mj);
    test_close(e.u_volt_mj, 0, 0);
}

/* The device's own edges are markers: to a fraction of a scan, free of the host's clock. */
static void edges_are_markers(void **state)
{
    (void)state;
    write_all(path, "0", "-0.5");
    struct atoll_meter *m = play(path);
    struct atoll_energy e;
    const char *label = NULL;
    uint64_t t_ns = 0;
    assert_int_equal(atoll_meter_markers(m), 4);
    assert_int_equal(atoll_meter_marker(m, 1, &t_ns, &label, NULL), 0);
    assert_string_equal(label, "rising edge 4");
    test_close((double)t_ns, 815.25e6, 2000);
    assert_int_equal(atoll_meter_marker(m, 2, &t_ns, &label, NULL), 0);
    assert_string_equal(label, "falling edge 5");
    assert_int_equal(atoll_meter_energy(m, 1, 2, NULL, &e, NULL), 0);
    const double mj = truth_mj(0.81525, 1.40075);
    test_close(e.energy_mj, mj, 1e-4 * mj);
    test_close(e.seconds, 1.40075 - 0.81525, 1e-6);
    const double by_edge = e.u_time_mj;
    assert_int_equal(atoll_meter_energy(m, 0, 3, NULL, &e, NULL), 0);
    assert_true(by_edge < e.u_time_mj);
    assert_int_equal(atoll_meter_energy(m, 2, 1, NULL, &e, NULL), ATOLL_EUSAGE);
    struct atoll_trace t;
    assert_int_equal(atoll_meter_trace(m, &t, NULL), 0);
    for (size_t i = 100; i < 120; i++) { /* each scan's power at its middle */
        const double s = (double)t.t_ns[i] / 1e9;
        test_close((double)t.rail_mw[i], ma_at(s) * volt_at(s), 30);
    }
    atoll_meter_close(&m);
}

/* The voltage is the second sample: then it lies between the one before and this. */
static double code_swapped(uint32_t channel, uint32_t scan)
{
    return channel == 0 ? 1000 + ma_at((scan + 0.5 - 0.5) / RATE_HZ) * 10
                        : 10 + volt_at((scan + 0.5) / RATE_HZ) * 4000;
}

static void voltage_after_current(void **state)
{
    (void)state;
    struct atoll_energy e;
    struct recording r =
        rec_open(path, RATE_HZ, 2,
                 "{\"name\": \"12v\", \"volt\": 12, \"at\": 0, \"skew\": -0.5, " REC_CHANNEL
                 ", \"voltage\": {\"zero_code\": 10, \"mv_per_code\": 0.25, \"u_gain_frac\": 0, "
                 "\"u_zero_code\": 0, \"noise_code\": 2, \"at\": 1, \"skew\": 0}}");
    for (uint32_t i = 0; i < SCANS; i += FRAME_SCANS) {
        if (i == 320 || i == 1600) {
            rec_mark(&r, (uint64_t)i * 1000000 + 123456, i == 320 ? "a" : "b");
        }
        rec_scans(&r, i, FRAME_SCANS, code_swapped);
    }
    assert_int_equal(fclose(r.f), 0);
    const double mj = truth_mj(0.320123456, 1.600123456);
    test_close(measured_mj(path, &e), mj, 1e-4 * mj);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(product_at_one_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(budget_of_a_measured_voltage, setup, teardown),
        cmocka_unit_test_setup_teardown(edges_are_markers, setup, teardown),
        cmocka_unit_test_setup_teardown(voltage_after_current, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
