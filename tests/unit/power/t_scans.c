/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream of frames may do to a meter: doubled frames, a device that starts anew or loses
 * scans itself, a count that wraps, frames of another configuration, a count that is damaged. */
#include "meter_fixture.h"

#include "power_internal.h"

#include <math.h>

enum { SCANS = 20 };

/* A synth meter that is never fed stays silent after its introduction (config 1, 16 bits): the test
 * plays the device. */
struct player {
    struct atoll_meter *m;
    uint8_t seq;
    uint32_t scan;   /* next, as the device counts */
    uint64_t now_ns; /* end of the last scan sent */
    uint16_t lost, slip;
    uint8_t config;
};

static struct player open_player(uint32_t first_scan)
{
    const struct atoll_meter_opts o = fix_opts(1, true);
    struct player p = {
        .m = fix_meter("synth", &o), .scan = first_scan, .config = 1, .now_ns = FIX_S};
    assert_int_equal(atoll_meter_start(p.m, FIX_S, NULL), 0);
    return p;
}

/* One frame of 20 scans of 1 ms at `ma` on each channel (ideal: 1 mA a code, zero at 32768). */
static void play(struct player *p, uint16_t ma)
{
    uint16_t codes[2 * SCANS];
    uint8_t payload[4 * SCANS];
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    for (int i = 0; i < 2 * SCANS; i++) {
        codes[i] = (uint16_t)(32768 + ma);
    }
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_DATA,
                                 .seq = p->seq++,
                                 .data = {.config = p->config,
                                          .first_scan = p->scan,
                                          .lost = p->lost,
                                          .slip = p->slip,
                                          .n_scans = SCANS}};
    f.data.payload = payload;
    f.data.payload_bytes = (uint8_t)atoll_wire_pack(payload, codes, 2 * SCANS, 16);
    const size_t n = atoll_wire_encode(&f, bytes);
    p->scan += SCANS;
    p->now_ns += SCANS * FIX_MS;
    atoll_meter_push(p->m, bytes, n, p->now_ns + 250000);
}

static void play_many(struct player *p, uint32_t frames)
{
    for (uint32_t i = 0; i < frames; i++) {
        play(p, 1000);
    }
}

/* Energy from 1.5 s on over 2 s at 1 A on 12 V and 3.3 V. */
static const double expected_mj = 15300 * 2;

static void mark_window(struct player *p)
{
    (void)fix_mark(p->m, 1500 * FIX_MS);
    (void)fix_mark(p->m, 3500 * FIX_MS);
}

static size_t gaps_of(struct player *p, const struct atoll_meter_gap **g)
{
    size_t n = 0;
    assert_int_equal(atoll_meter_gaps(p->m, g, &n, NULL), 0);
    return n;
}

static void undisturbed_across_a_wrap(void **state)
{
    (void)state;
    struct player p = open_player(UINT32_MAX - 700);
    const struct atoll_meter_gap *g = NULL;
    mark_window(&p);
    play_many(&p, 200);
    test_close(fix_energy(p.m, NULL).energy_mj, expected_mj, 1e-3 * expected_mj);
    assert_int_equal(gaps_of(&p, &g), 0);
    atoll_meter_close(&p.m);
}

static void doubled_frames_count_once(void **state)
{
    (void)state;
    struct player p = open_player(0);
    const struct atoll_meter_gap *g = NULL;
    mark_window(&p);
    for (int i = 0; i < 200; i++) {
        play(&p, 1000);
        p.seq--; /* the same frame again, with other content if it were believed */
        p.scan -= SCANS;
        p.now_ns -= SCANS * FIX_MS;
        play(&p, 5000);
    }
    test_close(fix_energy(p.m, NULL).energy_mj, expected_mj, 1e-3 * expected_mj);
    assert_int_equal(gaps_of(&p, &g), 0);
    atoll_meter_close(&p.m);
}

static void what_the_device_lost_is_its_own(void **state)
{
    (void)state;
    struct player p = open_player(0);
    const struct atoll_meter_gap *g = NULL;
    struct atoll_energy e;
    mark_window(&p);
    play_many(&p, 100);
    p.scan += 7;
    p.now_ns += 7 * FIX_MS;
    p.lost = 5;
    p.slip = 2;
    play_many(&p, 100);
    assert_int_equal(atoll_meter_energy(p.m, 0, 1, NULL, &e, NULL), ATOLL_ENO);
    assert_int_equal(e.lost_scans, 7);
    test_close(e.energy_mj, expected_mj, 1e-3 * expected_mj);
    assert_int_equal(gaps_of(&p, &g), 1);
    assert_int_equal(g[0].scans, 7);
    assert_string_equal(g[0].cause, "scans lost by the device");
    atoll_meter_close(&p.m);
}

/* The device starts anew after 300 ms: its count begins at 0, the host's clock says how long it was
 * away. */
static void a_restart_is_a_gap_of_its_length(void **state)
{
    (void)state;
    struct player p = open_player(100000);
    const struct atoll_meter_gap *g = NULL;
    struct atoll_energy e;
    mark_window(&p);
    play_many(&p, 60);
    p.scan = 0;
    p.seq = 0;
    p.now_ns += 300 * FIX_MS;
    play_many(&p, 140);
    assert_int_equal(atoll_meter_energy(p.m, 0, 1, NULL, &e, NULL), ATOLL_ENO);
    assert_int_equal(gaps_of(&p, &g), 1);
    test_close((double)g[0].scans, 300, 2);
    assert_string_equal(g[0].cause, "device restarted");
    test_close(e.energy_mj, expected_mj, 2e-3 * expected_mj);
    atoll_meter_close(&p.m);
}

static void another_configuration_is_not_read(void **state)
{
    (void)state;
    struct player p = open_player(0);
    const struct atoll_meter_gap *g = NULL;
    play_many(&p, 50);
    p.config = 2;
    play_many(&p, 3);
    p.config = 1;
    play_many(&p, 50);
    assert_int_equal(gaps_of(&p, &g), 1);
    assert_int_equal(g[0].scans, 3 * SCANS);
    atoll_meter_close(&p.m);
}

/* A count that jumps by days is refused instead of bridged. */
static void a_damaged_count_ends_the_measurement(void **state)
{
    (void)state;
    struct player p = open_player(0);
    struct atoll_energy e;
    struct atoll_err err = {0};
    mark_window(&p);
    play_many(&p, 100);
    p.scan += 1u << 30;
    play_many(&p, 100);
    assert_int_equal(atoll_meter_energy(p.m, 0, 1, NULL, &e, &err), ATOLL_EDEVICE);
    atoll_meter_close(&p.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undisturbed_across_a_wrap),
        cmocka_unit_test(doubled_frames_count_once),
        cmocka_unit_test(what_the_device_lost_is_its_own),
        cmocka_unit_test(a_restart_is_a_gap_of_its_length),
        cmocka_unit_test(another_configuration_is_not_read),
        cmocka_unit_test(a_damaged_count_ends_the_measurement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
