/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong between a meter and its host, with the real image of the Uno in simavr, a
 * pseudo-terminal and the serial driver: a clock that is off by 5000 ppm, bytes lost and bits
 * flipped on the line, a restart in mid-run. Either the energy is right within its interval, or the
 * gap is reported; most often both.
 */
#include "../unit/atoll_test.h"
#include "uno_pty.h"

#include <atoll/power.h>

#include <math.h>
#include <stdlib.h>
#include <time.h>

static const char *images;

/* An ACS712-05B on 12 V, 3 A, with a dither that makes simavr's converter linear. */
enum { CURRENT_MA = 3000 };
static const double watt = 12 * CURRENT_MA / 1e3;

static uint32_t wave(void *ctx, unsigned input, uint64_t cycle)
{
    (void)ctx;
    const uint64_t mixed = (cycle ^ input) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(2500 + 185 * CURRENT_MA / 1000 + (int)((mixed >> 33) % 49) - 24);
}

static void pause_ms(unsigned ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

/* As a program does that waits for its command to end. */
static void take_in_for(struct atoll_meter *m, unsigned ms)
{
    for (unsigned i = 0; i < ms; i += 20) {
        pause_ms(20);
        (void)atoll_meter_advance(m, atoll_now_ns(), NULL);
    }
}

static void start(struct uno_pty *p)
{
    char elf[512];
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    const struct atoll_wire_frame f = {.type = ATOLL_WIRE_STORE,
                                       .channel = {.kind = ATOLL_WIRE_CURRENT,
                                                   .nominal_mv = 12000,
                                                   .zero_256 = 130816,
                                                   .gain = (uint32_t)(5000.0 / 1023 / 0.185 * 1e6),
                                                   .gain_u_ppm = 1000,
                                                   .zero_u_256 = 26,
                                                   .day = 20000,
                                                   .name = "12v_slot"}};
    (void)snprintf(elf, sizeof elf, "%s/atoll-uno-500000.elf", images);
    assert_true(uno_pty_start(p, elf, 500000, wave, NULL));
    pause_ms(200);
    const size_t n = atoll_wire_encode(&f, bytes);
    assert_int_equal(write(p->held, bytes, n), (ssize_t)n);
    pause_ms(400);
}

struct result {
    int rc;
    struct atoll_energy e;
    struct atoll_err err;
    double ppm, lag_s;
    size_t gaps;
    const char *cause; ///< of the longest gap
};

/* A window of two seconds, in whose middle `fault` begins. */
static struct result measure(void (*before)(struct uno_pty *p), void (*middle)(struct uno_pty *p))
{
    struct result r = {0};
    struct uno_pty p;
    char spec[200];
    struct atoll_meter *m = NULL;
    const struct atoll_meter_opts o = {.rate_hz = 1000};
    start(&p);
    if (before != NULL) {
        before(&p);
    }
    (void)snprintf(spec, sizeof spec, "serial:%s,baud=500000,volts=0", p.path);
    (void)uno_pty_lag(&p);
    r.rc = atoll_meter_open(spec, &o, &m, &r.err);
    r.rc = r.rc == 0 ? atoll_meter_start(m, atoll_now_ns(), &r.err) : r.rc;
    if (r.rc == 0) {
        (void)atoll_meter_mark(m, atoll_now_ns(), "from", &r.err);
        take_in_for(m, 1000);
        if (middle != NULL) {
            middle(&p);
        }
        take_in_for(m, 1000);
        (void)atoll_meter_mark(m, atoll_now_ns(), "to", &r.err);
        r.rc = atoll_meter_stop(m, atoll_now_ns(), &r.err);
        r.lag_s = uno_pty_lag(&p);
        r.rc = r.rc == 0 ? atoll_meter_energy(m, 0, 1, NULL, &r.e, &r.err) : r.rc;
        double u_ns = 0;
        atoll_meter_clock(m, &r.ppm, &u_ns);
        const struct atoll_meter_gap *gaps = NULL;
        uint64_t longest = 0;
        (void)atoll_meter_gaps(m, &gaps, &r.gaps, NULL);
        for (size_t i = 0; i < r.gaps; i++) {
            if (gaps[i].scans > longest) {
                longest = gaps[i].scans;
                r.cause = gaps[i].cause;
            }
        }
    }
    atoll_meter_close(&m);
    uno_pty_stop(&p);
    if (r.rc != 0 && r.rc != ATOLL_ENO) {
        if (r.lag_s > 0.1 || strstr(r.err.text, "silent") != NULL) {
            print_message("skipped: this machine is too busy to simulate in real time (%s)\n",
                          r.err.text);
            skip();
        }
        fail_msg("%s", r.err.text);
    }
    print_message("%.3f W +-%.3f (truth %.3f), clock %+.0f ppm, %llu of %llu scans missing in %zu "
                  "gaps%s%s; %.0f ms behind\n",
                  r.e.mean_w, r.e.u95_mj / r.e.seconds / 1e3, watt, r.ppm,
                  (unsigned long long)r.e.lost_scans, (unsigned long long)r.e.scans, r.gaps,
                  r.cause != NULL ? ", the longest: " : "", r.cause != NULL ? r.cause : "",
                  r.lag_s * 1e3);
    return r;
}

/* Over a gap the power is a straight line between two scans, each of which is noisy (1 sigma is
 * 0.7 % here); the interval does not count that, but the gap is on record. */
static void right_within_the_interval(const struct result *r)
{
    const double truth_mj = watt * r->e.seconds * 1e3;
    const double gap_frac = (double)r->e.lost_scans / (double)r->e.scans;
    assert_true((r->rc == ATOLL_ENO) == (r->e.lost_scans > 0));
    test_close(r->e.energy_mj, truth_mj, r->e.u95_mj + 0.02 * gap_frac * truth_mj);
}

/* --------------------------------------------------------------------- the clock */

static void fast_clock(struct uno_pty *p)
{
    uno_pty_set_faults(p, &(struct uno_faults){.clock = 1.005});
}

static void slow_clock(struct uno_pty *p)
{
    uno_pty_set_faults(p, &(struct uno_faults){.clock = 0.995});
}

static void a_clock_that_is_off(void **state)
{
    (void)state;
    const struct result fast = measure(fast_clock, NULL);
    const struct result slow = measure(slow_clock, NULL);
    right_within_the_interval(&fast);
    right_within_the_interval(&slow);
    if (fast.lag_s < 0.02 && slow.lag_s < 0.02) { /* else the machine, not the clock, was slow */
        assert_int_equal(fast.rc, 0);
        assert_int_equal(slow.rc, 0);
        test_close(fast.ppm, 5000, 1000);
        test_close(slow.ppm, -5000, 1000);
    }
}

/* ---------------------------------------------------------------------- the line */

static void lose_bytes(struct uno_pty *p)
{
    uno_pty_set_faults(p, &(struct uno_faults){.clock = 1, .loss = 0.01});
}

static void flip_bits(struct uno_pty *p)
{
    uno_pty_set_faults(p, &(struct uno_faults){.clock = 1, .flip = 0.001});
}

static void one_byte_in_a_hundred_is_lost(void **state)
{
    (void)state;
    const struct result r = measure(NULL, lose_bytes);
    right_within_the_interval(&r);
    assert_int_equal(r.rc, ATOLL_ENO);
    assert_true(r.gaps > 0 && r.e.lost_scans > 0);
    assert_true(r.lag_s > 0.1 || strcmp(r.cause, "frames lost on the line") == 0);
}

static void one_bit_in_eight_thousand_flips(void **state)
{
    (void)state;
    const struct result r = measure(NULL, flip_bits);
    right_within_the_interval(&r);
    assert_int_equal(r.rc, ATOLL_ENO);
    assert_true(r.gaps > 0 && r.e.lost_scans > 0);
}

/* -------------------------------------------------------------------- the device */

static void restart(struct uno_pty *p)
{
    uno_pty_reset(p);
}

static void a_restart_in_the_middle(void **state)
{
    (void)state;
    const struct result r = measure(NULL, restart);
    right_within_the_interval(&r);
    assert_int_equal(r.rc, ATOLL_ENO);
    assert_true(r.lag_s > 0.1 || (r.cause != NULL && strcmp(r.cause, "device restarted") == 0));
    assert_true(r.e.lost_scans > 0 && r.e.lost_scans < r.e.scans / 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_is_off),
        cmocka_unit_test(one_byte_in_a_hundred_is_lost),
        cmocka_unit_test(one_bit_in_eight_thousand_flips),
        cmocka_unit_test(a_restart_in_the_middle),
    };
    images = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
