/* SPDX-License-Identifier: Apache-2.0 */
/* Meters that are not atoll's firmware: tables of power, a PowerSensor3's words and dump files.
 * Known energies, gaps, markers, what is refused. */
#include "meter_fixture.h"

#include "ps3_internal.h"

#include <math.h>

static char dir[256];
static char path[300];

static int setup(void **state)
{
    (void)state;
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/table", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static void put(const struct atoll_buf *b)
{
    assert_false(b->failed);
    assert_int_equal(atoll_write_file(path, b->data, b->size, NULL), 0);
}

static int open_it(const char *kind, struct atoll_meter **m, struct atoll_err *err)
{
    char spec[400];
    const struct atoll_meter_opts o = {.keep_scans = true};
    (void)snprintf(spec, sizeof spec, "%s:%s", kind, path);
    *m = NULL;
    *err = (struct atoll_err){0};
    return atoll_meter_open(spec, &o, m, err);
}

static struct atoll_meter *play(const char *kind)
{
    struct atoll_meter *m = NULL;
    struct atoll_err err;
    if (open_it(kind, &m, &err) != 0 || atoll_meter_start(m, FIX_S, &err) != 0 ||
        atoll_meter_stop(m, FIX_S, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return m;
}

static void refused(const char *kind, const char *text, const char *words)
{
    struct atoll_meter *m = NULL;
    struct atoll_err err;
    assert_int_equal(atoll_write_file(path, text, strlen(text), NULL), 0);
    int rc = open_it(kind, &m, &err);
    rc = rc == 0 ? atoll_meter_start(m, FIX_S, &err) : rc;
    rc = rc == 0 ? atoll_meter_stop(m, FIX_S, &err) : rc;
    assert_int_equal(rc, ATOLL_EINPUT);
    if (strstr(err.text, words) == NULL) {
        fail_msg("'%s' is not in: %s", words, err.text);
    }
    atoll_meter_close(&m);
}

/* ------------------------------------------------------------------------ tables */

/* Uneven times, a ramp and a step: the trapezoid of the table is the energy. */
static void a_table_keeps_its_energy(void **state)
{
    (void)state;
    struct atoll_buf b = {0};
    struct atoll_rng r;
    double before_s = 0, before_w = 0, mj = 0, t_s = 0, end_s = 0;
    atoll_rng_seed(&r, 5);
    atoll_buf_puts(&b, "# made by hand\r\ntime,board_w,ignored,fan_w\r\n");
    for (int i = 0; i < 4000; i++) {
        const double watt = i < 2000 ? 3 + i * 0.001 : 9;
        atoll_buf_printf(&b, "%.6f,%.6f,x,0.25\n", 100 + t_s, watt);
        mj += i > 0 ? (t_s - before_s) * (watt + before_w) / 2 * 1e3 : 0;
        before_s = end_s = t_s;
        before_w = watt;
        t_s += 0.0007 + 0.0006 * atoll_rng_unit(&r);
    }
    put(&b);
    atoll_buf_finish(&b);
    struct atoll_meter *m = play("csv");
    struct atoll_energy rails[2];
    struct atoll_energy e;
    struct atoll_meter_info info;
    atoll_meter_info(m, &info);
    assert_int_equal(info.n_rails, 2);
    assert_string_equal(info.rails[0].name, "board");
    assert_true(isnan(info.rails[0].volt) && info.origin == ATOLL_ORIGIN_MEASURED);
    assert_int_equal(atoll_meter_energy(m, 0, 1, rails, &e, NULL), 0);
    test_close(e.seconds, end_s, 0.005);
    test_close(rails[0].mean_w, mj / 1e3 / end_s, 0.003 * 9);
    test_close(rails[1].mean_w, 0.25, 1e-4);
    test_close(e.u_gain_mj, 0.02 * hypot(rails[0].energy_mj, rails[1].energy_mj), 1);
    atoll_meter_close(&m);
}

static void a_hole_in_a_table_is_a_gap(void **state)
{
    (void)state;
    struct atoll_buf b = {0};
    const struct atoll_meter_gap *g = NULL;
    size_t n = 0;
    atoll_buf_puts(&b, "t_s,board_w\n");
    for (int i = 0; i < 3000; i++) {
        if (i < 1000 || i >= 1250) {
            atoll_buf_printf(&b, "%.3f,6\n", i * 1e-3);
        }
    }
    put(&b);
    atoll_buf_finish(&b);
    struct atoll_meter *m = play("csv");
    struct atoll_energy e;
    assert_int_equal(atoll_meter_energy(m, 0, 1, NULL, &e, NULL), ATOLL_ENO);
    test_close((double)e.lost_scans, 250, 2);
    test_close(e.mean_w, 6, 0.01);
    assert_int_equal(atoll_meter_gaps(m, &g, &n, NULL), 0);
    assert_int_equal(n, 1);
    test_close((double)(g[0].from_ns - FIX_S) / 1e9, 1, 0.01);
    test_close((double)(g[0].to_ns - g[0].from_ns) / 1e9, 0.25, 0.003);
    atoll_meter_close(&m);
}

static void bad_tables(void **state)
{
    (void)state;
    refused("csv", "a,b\n1,2\n", "expected columns t_s,NAME_w");
    refused("csv", "t_s,volt\n1,2\n", "no column of watts");
    refused("csv", "t_s,x_w\n1,2\n", "expected at least two");
    refused("csv", "t_s,x_w\n1,2\n2,3\n3,much\n", "line 4, column 2: power 'much'");
    refused("csv", "t_s,x_w\n1,2\n2,3\n3\n", "line 4, column 2");
    refused("csv", "t_s,x_w\n1,2\n2,3\n3,4\n1,4\n4,4\n", "line 5: time 1 goes back");
    refused("csv", "", "is no table");
    refused("ps3dump", "time,power\n", "is no dump of PowerSensor3");
    refused("ps3dump",
            "marker time dt_micro device_timestamp current0 voltage0 power0\nS 0 50 0 1 1 1\n",
            "no rate can be told");
}

/* ------------------------------------------------------------- PowerSensor3's dump */

/* 60 W for 1.5 s, then 24 W, at 20 kHz; `lost`: records left out from 20000 on. */
static void write_dump(int lost, bool markers)
{
    struct atoll_buf b = {0};
    atoll_buf_puts(&b, "marker time dt_micro device_timestamp current0 voltage0 power0 current2 "
                       "voltage2 power2 power_total\n");
    for (int i = 0; i < 60000; i++) {
        const double amp = i < 30000 ? 5 : 2;
        if (i >= 20000 && i < 20000 + lost) {
            continue;
        }
        if (markers && i == 10000) {
            atoll_buf_puts(&b, "M a\n");
            atoll_buf_puts(&b, "M 0.1 0.2 7 \"note of a program\"\n");
        }
        const char *first = markers && i == 40000 ? "b" : "S";
        /* arrival: up to 3 ms late, in batches */
        const double arrival_s = ((i / 60 + 1) * 60) * 50e-6;
        atoll_buf_printf(&b, "%s %.6g 50 %d %.6g 12 %.6g 1 3.3 3.3 %.6g\n", first, arrival_s,
                         (i * 50 + 300) % 1024, amp, amp * 12, amp * 12 + 3.3);
    }
    put(&b);
    atoll_buf_finish(&b);
}

static void a_dump_is_a_meter(void **state)
{
    (void)state;
    write_dump(0, true);
    struct atoll_meter *m = play("ps3dump");
    struct atoll_energy rails[2];
    struct atoll_energy e;
    struct atoll_meter_info info;
    const char *labels[4];
    atoll_meter_info(m, &info);
    test_close(info.rate_hz, 20000, 1);
    assert_string_equal(info.rails[1].name, "pair2");
    assert_int_equal(atoll_meter_markers(m), 4);
    for (int32_t i = 0; i < 4; i++) {
        uint64_t t_ns = 0;
        assert_int_equal(atoll_meter_marker(m, i, &t_ns, &labels[i], NULL), 0);
    }
    assert_string_equal(labels[0], "begin");
    assert_string_equal(labels[1], "a");
    assert_string_equal(labels[2], "b");
    assert_string_equal(labels[3], "end");
    assert_int_equal(atoll_meter_energy(m, 1, 2, rails, &e, NULL), 0);
    test_close(e.seconds, 1.5, 1e-6);
    test_close(rails[0].energy_mj, 60000 + 12000, 10);
    test_close(rails[1].energy_mj, 4950, 1);
    test_close(e.u_gain_mj, hypot(0.01, 0.005) * hypot(72000, 4950), 10);
    test_close(e.u_zero_mj, 0.02 * hypot(12, 3.3) * 1.5 * 1e3, 20);
    atoll_meter_close(&m);
}

/* Short losses show in the time stamps, whole turns of the stamp as a lasting delay. */
static void records_lost(void **state)
{
    (void)state;
    static const int lost[] = {1, 7, 19, 512, 4000};
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        struct atoll_energy e;
        const struct atoll_meter_gap *g = NULL;
        size_t n = 0;
        write_dump(lost[i], false);
        struct atoll_meter *m = play("ps3dump");
        assert_int_equal(atoll_meter_energy(m, 0, 1, NULL, &e, NULL), ATOLL_ENO);
        test_close((double)e.lost_scans, lost[i], lost[i] < 20 ? 0 : 25);
        /* the place of a long loss is known to half a second, so the bridge may be wrong by what
         * the power changed in between */
        test_close(e.energy_mj, 135900, lost[i] < 20 ? 20 : 36000 * 50e-6 * lost[i] + 100);
        assert_int_equal(atoll_meter_gaps(m, &g, &n, NULL), 0);
        assert_true(n == 1 || n == 2); /* 512: 20 turns and a rest */
        assert_string_equal(g[0].cause, "scans lost by the device");
        atoll_meter_close(&m);
    }
}

/* ------------------------------------------------------------ PowerSensor3's stream */

static size_t put_record(uint8_t *to, uint16_t stamp, const uint16_t *levels, bool marker)
{
    size_t n = 0;
    to[n++] = (uint8_t)(0x80 | 7 << 4 | stamp >> 6);
    to[n++] = (uint8_t)(0x40 | (stamp & 63));
    for (uint16_t i = 0; i < PS3_SENSORS; i++) {
        to[n++] = (uint8_t)(0x80 | i << 4 | levels[i] >> 6);
        to[n++] = (uint8_t)((marker && i == 0 ? 0x40 : 0) | (levels[i] & 63));
    }
    return n;
}

static size_t take_all(const uint8_t *bytes, size_t n, struct ps3_record *out, size_t most,
                       size_t chunk)
{
    struct ps3_stream s;
    size_t records = 0;
    atoll__ps3_stream_init(&s);
    for (size_t at = 0; at < n; at += chunk) {
        const uint8_t *p = bytes + at;
        size_t left = n - at < chunk ? n - at : chunk;
        while (left > 0) {
            bool got = false;
            struct ps3_record r;
            const size_t taken = atoll__ps3_stream_take(&s, p, left, &r, &got);
            p += taken;
            left -= taken;
            if (got && records < most) {
                out[records++] = r;
            }
        }
    }
    return records;
}

/* Any byte lost: the record it was in is dropped, the others are whole. */
static void words_of_the_stream(void **state)
{
    (void)state;
    enum { RECORDS = 50, BYTES = 18 };
    uint8_t bytes[RECORDS * BYTES];
    uint8_t harmed[RECORDS * BYTES];
    struct ps3_record out[RECORDS];
    struct atoll_rng r;
    size_t n = 0;
    uint16_t levels[RECORDS][PS3_SENSORS];
    atoll_rng_seed(&r, 3);
    for (int i = 0; i < RECORDS; i++) {
        for (int k = 0; k < PS3_SENSORS; k++) {
            levels[i][k] = (uint16_t)atoll_rng_below(&r, 1024);
        }
        n += put_record(bytes + n, (uint16_t)(i * 50 % 1024), levels[i], i == 5);
    }
    for (size_t chunk = 1; chunk <= 64; chunk *= 4) {
        assert_int_equal(take_all(bytes, n, out, RECORDS, chunk), RECORDS);
        for (int i = 0; i < RECORDS; i++) {
            assert_int_equal(out[i].stamp_us, i * 50 % 1024);
            assert_memory_equal(out[i].levels, levels[i], sizeof levels[i]);
            assert_int_equal(out[i].marker, i == 5);
        }
    }
    for (size_t lost = 0; lost < n; lost++) {
        memcpy(harmed, bytes, lost);
        memcpy(harmed + lost, bytes + lost + 1, n - lost - 1);
        assert_int_equal(take_all(harmed, n - 1, out, RECORDS, 64), RECORDS - 1);
        for (size_t i = 0; i + 1 < RECORDS; i++) {
            const size_t k = i < lost / BYTES ? i : i + 1;
            assert_int_equal(out[i].stamp_us, k * 50 % 1024);
            assert_memory_equal(out[i].levels, levels[k], sizeof levels[k]);
        }
    }
}

static void the_rate_from_time_stamps(void **state)
{
    (void)state;
    uint16_t stamps[400];
    for (int i = 0; i < 400; i++) {
        stamps[i] = (uint16_t)((uint32_t)(i * 48.3) % 1024);
    }
    test_close(atoll__ps3_period_us(stamps, 400), 48.3, 0.05);
    assert_true(isnan(atoll__ps3_period_us(stamps, 5)));
    for (int i = 0; i < 400; i++) {
        stamps[i] = 7;
    }
    assert_true(isnan(atoll__ps3_period_us(stamps, 400)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_table_keeps_its_energy, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hole_in_a_table_is_a_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dump_is_a_meter, setup, teardown),
        cmocka_unit_test_setup_teardown(records_lost, setup, teardown),
        cmocka_unit_test(words_of_the_stream),
        cmocka_unit_test(the_rate_from_time_stamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
