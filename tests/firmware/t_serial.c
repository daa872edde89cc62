/* SPDX-License-Identifier: Apache-2.0 */
/* End to end: the real image in simavr behind a pseudo-terminal, the serial driver, joules. */
#include "../unit/atoll_test.h"
#include "uno_pty.h"

#include <atoll/power.h>

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

static const char *images;

/* An ACS712-05B: 2.5 V and 185 mV/A. simavr's converter gives floor(mV 1023 / 5000), so a dither of
 * ten codes (49 mV) makes the mean linear. */
enum { ZERO_MV = 2500, PERIOD_CYCLES = UNO_HZ / 50, ON_CYCLES = PERIOD_CYCLES * 2 / 5 };

static double amperes(unsigned input, uint64_t cycle)
{
    return input == 0 ? (cycle % PERIOD_CYCLES < ON_CYCLES ? 5.0 : 2.0) : 3.0;
}

static uint32_t wave(void *ctx, unsigned input, uint64_t cycle)
{
    (void)ctx;
    const uint64_t mixed = (cycle ^ input) * UINT64_C(0x9e3779b97f4a7c15);
    const int dither = (int)((mixed >> 33) % 49) - 24;
    return (uint32_t)(ZERO_MV + 185 * amperes(input, cycle) + dither);
}

static void pause_ms(unsigned ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

/* Mean of the square wave between two cycles. */
static double mean_amperes(uint64_t from, uint64_t to)
{
    double sum = 0;
    for (uint64_t at = from; at < to;) {
        const uint64_t phase = at % PERIOD_CYCLES;
        uint64_t next = at - phase + (phase < ON_CYCLES ? ON_CYCLES : PERIOD_CYCLES);
        next = next < to ? next : to;
        sum += amperes(0, at) * (double)(next - at);
        at = next;
    }
    return sum / (double)(to - from);
}

/* The calibration that belongs to this sensor and this converter, by command, as a user does. */
static void calibrate(struct uno_pty *p)
{
    for (uint8_t i = 0; i < 2; i++) {
        struct atoll_wire_frame f = {
            .type = ATOLL_WIRE_STORE,
            .channel = {.index = i,
                        .kind = ATOLL_WIRE_CURRENT,
                        .rail = i,
                        .nominal_mv = i == 0 ? 12000 : 3300,
                        .zero_256 = 130816, /* 511.5 less half a code for the floor */
                        .gain = (uint32_t)(5000.0 / 1023 / 0.185 * 1e6 + 0.5),
                        .gain_u_ppm = 1000,
                        .zero_u_256 = 26,
                        .day = 20000}};
        (void)snprintf(f.channel.name, sizeof f.channel.name, i == 0 ? "12v_slot" : "3v3_slot");
        uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
        const size_t n = atoll_wire_encode(&f, bytes);
        assert_int_equal(write(p->held, bytes, n), (ssize_t)n);
        pause_ms(400);
    }
}

static void start(struct uno_pty *p)
{
    char elf[512];
    (void)snprintf(elf, sizeof elf, "%s/atoll-uno-500000.elf", images);
    assert_true(uno_pty_start(p, elf, 500000, wave, NULL));
    pause_ms(200);
}

static void known_energy(void **state)
{
    (void)state;
    struct uno_pty p;
    start(&p);
    calibrate(&p);
    if (uno_pty_lag(&p) > 0.05) {
        uno_pty_stop(&p);
        print_message("skipped: this machine is too busy to simulate in real time\n");
        skip();
    }
    char spec[200];
    (void)snprintf(spec, sizeof spec, "serial:%s,baud=500000", p.path);
    struct atoll_err err = {0};
    struct atoll_meter *m = NULL;
    const struct atoll_meter_opts o = {.rate_hz = 1000};
    if (atoll_meter_open(spec, &o, &m, &err) != 0 ||
        atoll_meter_start(m, atoll_now_ns(), &err) != 0) {
        uno_pty_stop(&p);
        fail_msg("%s", err.text);
    }
    struct atoll_meter_info info;
    atoll_meter_info(m, &info);
    assert_int_equal(info.n_rails, 2);
    assert_string_equal(info.rails[0].name, "12v_slot");
    test_close(info.rails[1].volt, 3.3, 1e-9);
    const uint64_t from = uno_pty_cycle(&p);
    const int32_t a = atoll_meter_mark(m, atoll_now_ns(), "from", &err);
    pause_ms(2500);
    const uint64_t to = uno_pty_cycle(&p);
    const int32_t b = atoll_meter_mark(m, atoll_now_ns(), "to", &err);
    assert_true(a >= 0 && b > a);
    const int rc_stop = atoll_meter_stop(m, atoll_now_ns(), &err);
    const double lag_s = uno_pty_lag(&p);
    struct atoll_energy rails[2];
    struct atoll_energy total;
    const int rc = rc_stop == 0 ? atoll_meter_energy(m, a, b, rails, &total, &err) : rc_stop;
    double ppm = 0;
    double u_ns = 0;
    atoll_meter_clock(m, &ppm, &u_ns);
    atoll_meter_close(&m);
    uno_pty_stop(&p);
    if (lag_s > 0.02) {
        print_message("skipped: this machine is too busy to simulate in real time (%.0f ms)\n",
                      lag_s * 1e3);
        skip();
    }
    if (rc != 0) {
        fail_msg("%s", err.text);
    }
    const double truth_mj = (12 * mean_amperes(from, to) + 3.3 * 3) * total.seconds * 1e3;
    print_message("%.3f J +-%.3f J, truth %.3f J (%+.3f %%); clock %+.0f ppm, markers +-%.0f us\n",
                  total.energy_mj / 1e3, total.u95_mj / 1e3, truth_mj / 1e3,
                  (total.energy_mj / truth_mj - 1) * 100, ppm, u_ns / 1e3);
    assert_int_equal(total.lost_scans, 0);
    test_close(total.energy_mj / truth_mj, 1, 0.002);
    test_close(rails[1].mean_w, 9.9, 9.9 * 0.002);
    test_close(total.energy_mj, truth_mj, total.u95_mj);
}

static int open_code(const char *spec, struct atoll_err *err)
{
    struct atoll_meter *m = NULL;
    const struct atoll_meter_opts o = {.rate_hz = 1000};
    const int rc = atoll_meter_open(spec, &o, &m, err);
    atoll_meter_close(&m);
    return rc;
}

static void what_is_no_meter(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    assert_int_equal(open_code("serial:/dev/there-is-no-such-port", &err), ATOLL_EDEVICE);
    assert_non_null(strstr(err.text, "plugged in"));
    assert_int_equal(open_code("serial:/dev/null", &err), ATOLL_EDEVICE);
    assert_non_null(strstr(err.text, "no serial port"));
    assert_int_equal(open_code("serial:", &err), ATOLL_EUSAGE);
    assert_int_equal(open_code("serial:/dev/null,baud=7", &err), ATOLL_EUSAGE);
    /* a port on which somebody else talks */
    const int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
    char spec[200];
    (void)snprintf(spec, sizeof spec, "serial:%s", ptsname(fd));
    assert_true(write(fd, "hello\n", 6) == 6);
    assert_int_equal(open_code(spec, &err), ATOLL_EDEVICE);
    assert_non_null(strstr(err.text, "does not answer"));
    (void)close(fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_energy),
        cmocka_unit_test(what_is_no_meter),
    };
    images = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
