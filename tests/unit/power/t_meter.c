/* SPDX-License-Identifier: Apache-2.0 */
/* Meters on known waveforms, gaps, wrong use, recordings. */
#include "../alloc_fail.h"
#include "meter_fixture.h"

#include <math.h>
#include <sys/stat.h>

/* Ideal sensors: constant, step, periodic, a window that ends between scans, a clock 5000 ppm off.
 */
static void known_waveforms(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        uint64_t period_ns, on_ns, from_ns, to_ns;
        double low, high, rate_hz;
    } cases[] = {
        {"synth", 10 * FIX_S, 10 * FIX_S, FIX_S / 3, 3 * FIX_S, 0, 4321.5, 0},
        {"synth", 10 * FIX_S, 1234567890, FIX_S / 3, 3 * FIX_S, 500, 20000, 0},
        {"synth", 10030000, 4 * FIX_MS, 2 * FIX_MS, 4 * FIX_S + 7 * FIX_MS, 300, 2000, 0},
        {"synth:ppm=5000", 10030000, 4 * FIX_MS, 2 * FIX_MS, 4 * FIX_S + 7 * FIX_MS, 300, 2000, 0},
        {"synth:ppm=-5000", 700 * FIX_MS, 400 * FIX_MS, 50 * FIX_MS, 4 * FIX_S + 7 * FIX_MS, 300,
         9000, 0},
        {"synth", 700000, 400000, 50 * FIX_MS, 4 * FIX_S, 300, 9000, 20000},
        {"synth", 33 * FIX_MS, 12 * FIX_MS, 500 * FIX_MS, 60 * FIX_S, 300, 9000, 100},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct atoll_meter_opts o = fix_opts(i, true);
        o.rate_hz = cases[i].rate_hz;
        struct atoll_meter *m = fix_meter(cases[i].spec, &o);
        struct atoll_energy rails[2];
        const double mj =
            fix_square(m, 1000, cases[i].to_ns + 100 * FIX_MS, cases[i].period_ns, cases[i].on_ns,
                       cases[i].low, cases[i].high, cases[i].from_ns, cases[i].to_ns);
        const struct atoll_energy e = fix_energy(m, rails);
        test_close(e.energy_mj, mj, 5e-4 * mj);
        test_close(rails[0].energy_mj, 0.8 * mj, 5e-4 * mj);
        test_close(rails[0].energy_mj + rails[1].energy_mj, e.energy_mj, 1e-9 * mj);
        test_close(e.seconds, (double)(cases[i].to_ns - cases[i].from_ns) / 1e9, 1e-12);
        test_close(e.mean_w, e.energy_mj / 1e3 / e.seconds, 1e-9);
        assert_int_equal(e.lost_scans, 0);
        assert_true(e.u_gain_mj <= 0 && e.u_noise_mj <= 0 && e.u_zero_mj <= 0);
        atoll_meter_close(&m);
    }
}

static void learns_the_clock(void **state)
{
    (void)state;
    const struct atoll_meter_opts o = fix_opts(3, false);
    struct atoll_meter *m = fix_meter("synth:ppm=4200", &o);
    (void)fix_square(m, 5, 20 * FIX_S, FIX_S, FIX_S / 2, 1000, 5000, FIX_S, 19 * FIX_S);
    double ppm = 0;
    double u_ns = 0;
    atoll_meter_clock(m, &ppm, &u_ns);
    test_close(ppm, 4200, 5);
    assert_true(u_ns > 90e3 && u_ns < 120e3);
    atoll_meter_close(&m);
}

/* Frames lost on the line: reported, never silent, and the bridged figure is still near. */
static void gaps_are_reported(void **state)
{
    (void)state;
    const struct atoll_meter_opts o = fix_opts(4, false);
    struct atoll_meter *m = fix_meter("synth:ina228,loss=0.0005", &o);
    const double mj =
        fix_square(m, 5, 30 * FIX_S, 7 * FIX_S, 3 * FIX_S, 1000, 5000, FIX_S, 29 * FIX_S);
    struct atoll_energy e;
    struct atoll_err err = {0};
    assert_int_equal(atoll_meter_energy(m, 0, 1, NULL, &e, &err), ATOLL_ENO);
    assert_non_null(strstr(err.text, "missing"));
    assert_true(e.lost_scans >= 20 && e.lost_scans < e.scans / 10);
    test_close(e.energy_mj, mj, 0.02 * mj);
    const struct atoll_meter_gap *gaps = NULL;
    size_t n = 0;
    uint64_t scans = 0;
    assert_int_equal(atoll_meter_gaps(m, &gaps, &n, NULL), 0);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert_true(gaps[i].to_ns > gaps[i].from_ns);
        assert_true(i == 0 || gaps[i].from_ns >= gaps[i - 1].to_ns);
        assert_string_equal(gaps[i].cause, "frames lost on the line");
        test_close((double)(gaps[i].to_ns - gaps[i].from_ns) / 1e6, (double)gaps[i].scans,
                   0.02 * (double)gaps[i].scans);
        scans += gaps[i].scans;
    }
    assert_true(scans >= e.lost_scans);
    atoll_meter_close(&m);
}

static void over_range_is_a_gap(void **state)
{
    (void)state;
    const struct atoll_meter_opts o = fix_opts(4, false);
    struct atoll_meter *m = fix_meter("synth:ina228", &o);
    (void)fix_square(m, 5, 2 * FIX_S, FIX_S, FIX_S / 2, 1000, 500000, FIX_S / 4, FIX_S);
    struct atoll_energy e;
    struct atoll_err err = {0};
    assert_int_equal(atoll_meter_energy(m, 0, 1, NULL, &e, &err), ATOLL_ENO);
    assert_non_null(strstr(err.text, "over range"));
    atoll_meter_close(&m);
}

static void refuses_wrong_use(void **state)
{
    (void)state;
    struct atoll_meter *m = (struct atoll_meter *)1;
    struct atoll_err err = {0};
    struct atoll_energy e;
    struct atoll_meter_opts o = fix_opts(1, false);
    assert_int_equal(atoll_meter_open("none", &o, &m, &err), 0);
    assert_null(m);
    atoll_meter_close(&m);
    assert_int_equal(atoll_meter_open("voltcraft", &o, &m, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "none, synth, replay"));
    assert_int_equal(atoll_meter_open("synth:hall9000", &o, &m, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "acs712"));
    assert_int_equal(atoll_meter_open("synth:ppm=fast", &o, &m, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_meter_open("synth:loss=2", &o, &m, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_meter_open("replay", &o, &m, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_meter_open("replay:/nonexistent/file", &o, &m, &err), ATOLL_ENOTFOUND);
    o.n_rails = 9;
    assert_int_equal(atoll_meter_open("synth", &o, &m, &err), ATOLL_EUSAGE);
    o = fix_opts(1, false);
    o.rate_hz = 1e9;
    assert_int_equal(atoll_meter_open("synth", &o, &m, &err), ATOLL_EUSAGE);
    o.rate_hz = 0;
    m = fix_meter("synth", &o);
    struct atoll_trace t;
    assert_true(atoll_meter_mark(m, 1, "early", &err) < 0);
    assert_int_equal(atoll_meter_stop(m, 1, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_meter_trace(m, &t, &err), ATOLL_EUSAGE);
    fix_feed(m, 0, 1000, 1000);
    assert_int_equal(atoll_meter_start(m, FIX_S, &err), 0);
    assert_int_equal(atoll_meter_start(m, FIX_S, &err), ATOLL_EUSAGE);
    assert_int_equal(fix_mark(m, 2 * FIX_S), 0);
    assert_int_equal(fix_mark(m, 3 * FIX_S), 1);
    assert_true(atoll_meter_mark(m, 2 * FIX_S, "back", &err) < 0);
    assert_int_equal(atoll_meter_energy(m, 0, 1, NULL, &e, &err),
                     ATOLL_EUSAGE); /* not stopped yet */
    assert_int_equal(atoll_meter_stop(m, 3 * FIX_S, &err), 0);
    assert_int_equal(atoll_meter_energy(m, 0, 2, NULL, &e, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_meter_energy(m, 1, 0, NULL, &e, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_meter_energy(m, 0, 1, NULL, &e, &err), 0);
    struct atoll_meter_info i;
    atoll_meter_info(m, &i);
    assert_string_equal(i.kind, "synth");
    assert_true(i.fed && i.n_rails == 2 && i.origin == ATOLL_ORIGIN_SIMULATED);
    test_close(i.rate_hz, 1000, 0);
    atoll_meter_close(&m);
}

/* Hours at one power: few scans in memory, energy exact, markers far apart. */
static void long_runs_keep_no_scans(void **state)
{
    (void)state;
    const struct atoll_meter_opts o = fix_opts(1, true);
    struct atoll_meter *m = fix_meter("synth", &o);
    fix_feed(m, 0, 12000, 3300);
    assert_int_equal(atoll_meter_start(m, 0, NULL), 0);
    const uint64_t before = atoll_alloc_count();
    (void)fix_mark(m, FIX_S);
    (void)fix_mark(m, 1801 * FIX_S);
    assert_int_equal(atoll_meter_stop(m, 1802 * FIX_S, NULL), 0);
    assert_true(atoll_alloc_count() - before < 10);
    const struct atoll_energy e = fix_energy(m, NULL);
    test_close(e.energy_mj, 15300 * 1800.0, 15);
    atoll_meter_close(&m);
}

/* The window that follows is as uncertain as was foreseen; what is a share of the energy stays one,
 * noise falls with the root of the time, the markers' part with the time. */
static void foresees_a_longer_window(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    const struct atoll_meter_opts o = fix_opts(8, false);
    struct atoll_meter *m = fix_meter("synth", &o);
    assert_int_equal(atoll_meter_start(m, 0, &err), 0);
    fix_feed(m, 0, 9000, 2000);
    const int32_t a = fix_mark(m, FIX_S), b = fix_mark(m, 2 * FIX_S), c = fix_mark(m, 102 * FIX_S);
    assert_int_equal(atoll_meter_stop(m, 103 * FIX_S, &err), 0);
    struct atoll_energy short_one, long_one, seen;
    assert_int_equal(atoll_meter_energy(m, a, b, NULL, &short_one, &err), 0);
    assert_int_equal(atoll_meter_energy(m, b, c, NULL, &long_one, &err), 0);
    assert_int_equal(atoll_meter_foresee(m, a, b, 100, &seen, &err), 0);
    test_close(seen.energy_mj / long_one.energy_mj, 1, 2e-3);
    test_close(seen.u95_mj / long_one.u95_mj, 1, 5e-3);
    test_close(seen.u_drift_mj / long_one.u_drift_mj, 1, 2e-3);
    test_close(seen.u_gain_mj / short_one.u_gain_mj, 100, 1e-6);
    test_close(seen.u_zero_mj / short_one.u_zero_mj, 100, 1e-6);
    test_close(seen.u_noise_mj / short_one.u_noise_mj, 10, 1e-6);
    test_close(seen.u_time_mj, short_one.u_time_mj, 1e-9);
    assert_int_equal(seen.scans, 100000);
    assert_int_equal(atoll_meter_foresee(m, b, a, 100, &seen, &err), ATOLL_EUSAGE);
    atoll_meter_close(&m);
}

static void in_whose_time_a_meter_lives(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    enum atoll_meter_time t = ATOLL_METER_LIVE;
    assert_int_equal(atoll_meter_time_of("synth:ina228,ppm=3", &t, &err), 0);
    assert_int_equal(t, ATOLL_METER_FED);
    assert_int_equal(atoll_meter_time_of("replay:x", &t, &err), 0);
    assert_int_equal(t, ATOLL_METER_REPLAYED);
    assert_int_equal(atoll_meter_time_of("serial:/dev/ttyACM0", &t, &err), 0);
    assert_int_equal(t, ATOLL_METER_LIVE);
    assert_int_equal(atoll_meter_time_of("none", &t, &err), 0);
    assert_int_equal(t, ATOLL_METER_FED);
    assert_int_equal(atoll_meter_time_of("tea", &t, &err), ATOLL_EUSAGE);
}

static void scans_kept_are_a_trace(void **state)
{
    (void)state;
    char dir[256];
    char path[300];
    struct atoll_meter_opts o = fix_opts(9, true);
    o.keep_scans = true;
    struct atoll_meter *m = fix_meter("synth", &o);
    (void)fix_square(m, FIX_S, 3 * FIX_S, 100 * FIX_MS, 50 * FIX_MS, 1000, 3000, 2 * FIX_S,
                     2500 * FIX_MS);
    struct atoll_trace t;
    assert_int_equal(atoll_meter_trace(m, &t, NULL), 0);
    assert_true(t.n > 2000 && t.n < 2200 && t.n_rails == 2);
    for (size_t i = 1; i < t.n; i++) {
        test_close((double)(t.t_ns[i] - t.t_ns[i - 1]), 1e6, 2);
    }
    double sum = 0;
    for (size_t i = 0; i < t.n; i++) {
        sum += t.t_ns[i] >= 2 * FIX_S && t.t_ns[i] < 2500 * FIX_MS ? (double)t.rail_mw[2 * i] : 0;
    }
    test_close(sum / 1e3, fix_energy(m, NULL).energy_mj * 0.8, 3);
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/trace.csv", dir);
    assert_int_equal(atoll_meter_write_csv(m, path, NULL), 0);
    struct atoll_map map;
    assert_int_equal(atoll_map_open(path, &map, NULL), 0);
    assert_non_null(strstr((const char *)map.data, "t_s,12v_slot_w,3v3_slot_w\n0.000"));
    atoll_map_close(&map);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    atoll_meter_close(&m);
}

/* A recording replayed: the same scans, markers and energy, wherever its start is laid. */
static void a_recording_is_a_meter(void **state)
{
    (void)state;
    char dir[256];
    char path[300];
    char spec[320];
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/run.power", dir);
    (void)snprintf(spec, sizeof spec, "replay:%s", path);
    const struct atoll_meter_opts o = fix_opts(11, false);
    struct atoll_meter *m = fix_meter("synth:loss=0.0002", &o);
    struct atoll_meter *r = NULL;
    struct atoll_energy a = {0}, b = {0};
    assert_int_equal(atoll_meter_record(m, path, NULL), 0);
    (void)fix_square(m, 7 * FIX_S, 12 * FIX_S, 700 * FIX_MS, 300 * FIX_MS, 1000, 3000, 8 * FIX_S,
                     11 * FIX_S);
    const int rc = atoll_meter_energy(m, 0, 1, NULL, &a, NULL);
    assert_int_equal(atoll_meter_record_stop(m, NULL), 0);
    for (int shift = 0; shift < 2; shift++) {
        const uint64_t start_ns = shift ? 7 * FIX_S : 100 * FIX_S;
        r = fix_meter(spec, &o);
        assert_int_equal(atoll_meter_start(r, start_ns, NULL), 0);
        assert_int_equal(atoll_meter_stop(r, start_ns + 5 * FIX_S, NULL), 0);
        assert_int_equal(atoll_meter_markers(r), 2);
        uint64_t t_ns = 0;
        const char *label = NULL;
        assert_int_equal(atoll_meter_marker(r, 1, &t_ns, &label, NULL), 0);
        assert_int_equal(t_ns, start_ns + 4 * FIX_S);
        assert_string_equal(label, "mark");
        assert_int_equal(atoll_meter_energy(r, 0, 1, NULL, &b, NULL), rc);
        test_close(b.energy_mj, a.energy_mj, 1e-9 * a.energy_mj);
        test_close(b.u95_mj, a.u95_mj, 1e-6 * a.u95_mj);
        assert_int_equal(b.lost_scans, a.lost_scans);
        atoll_meter_close(&r);
    }
    /* cut in the middle of a chunk: readable up to there */
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
    r = fix_meter(spec, &o);
    assert_int_equal(atoll_meter_start(r, 0, NULL), 0);
    assert_int_equal(atoll_meter_stop(r, 5 * FIX_S, NULL), 0);
    assert_int_equal(atoll_meter_energy(r, 0, 1, NULL, &b, NULL), ATOLL_EUSAGE);
    atoll_meter_close(&r);
    assert_int_equal(truncate(path, 5), 0);
    struct atoll_err err = {0};
    assert_int_equal(atoll_meter_open(spec, &o, &r, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "not a power recording"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(atoll_meter_record(m, "/nonexistent/x", &err), ATOLL_EUSAGE);
    atoll_meter_close(&m);
    m = fix_meter("synth", &o);
    assert_int_equal(atoll_meter_record(m, "/nonexistent/x", &err), ATOLL_EIO);
    atoll_meter_close(&m);
}

static void a_full_disk_is_said(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0) {
        skip();
    }
    const struct atoll_meter_opts o = fix_opts(11, false);
    struct atoll_err err = {0};
    struct atoll_meter *m = fix_meter("synth", &o);
    int rc = atoll_meter_record(m, "/dev/full", &err);
    if (rc == 0) {
        (void)fix_square(m, 7 * FIX_S, 12 * FIX_S, 700 * FIX_MS, 300 * FIX_MS, 1000, 3000,
                         8 * FIX_S, 11 * FIX_S);
        rc = atoll_meter_record_stop(m, &err);
    }
    assert_int_equal(rc, ATOLL_EIO);
    atoll_meter_close(&m);
}

static int whole_run(void *user)
{
    struct atoll_meter_opts o = fix_opts(1, false);
    struct atoll_meter *m = NULL;
    struct atoll_energy e;
    struct atoll_trace t;
    (void)user;
    o.keep_scans = true;
    int rc = atoll_meter_open("synth:acs712", &o, &m, NULL);
    if (rc == 0) {
        fix_feed(m, 0, 100, 100);
        rc = atoll_meter_start(m, 0, NULL);
        for (uint64_t i = 0; i < 3 && rc == 0; i++) {
            const int32_t k = atoll_meter_mark(m, i * 100 * FIX_MS, "m", NULL);
            rc = k < 0 ? k : 0;
        }
        rc = rc == 0 ? atoll_meter_stop(m, FIX_S / 2, NULL) : rc;
        rc = rc == 0 ? atoll_meter_energy(m, 0, 2, NULL, &e, NULL) : rc;
        rc = rc == 0 ? atoll_meter_trace(m, &t, NULL) : rc;
    }
    atoll_meter_close(&m);
    return rc;
}

static void survives_no_memory(void **state)
{
    (void)state;
    alloc_fail_check(whole_run, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_waveforms),          cmocka_unit_test(learns_the_clock),
        cmocka_unit_test(gaps_are_reported),        cmocka_unit_test(over_range_is_a_gap),
        cmocka_unit_test(refuses_wrong_use),        cmocka_unit_test(long_runs_keep_no_scans),
        cmocka_unit_test(foresees_a_longer_window), cmocka_unit_test(in_whose_time_a_meter_lives),
        cmocka_unit_test(scans_kept_are_a_trace),   cmocka_unit_test(a_full_disk_is_said),
        cmocka_unit_test(a_recording_is_a_meter),   cmocka_unit_test(survives_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
