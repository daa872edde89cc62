/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The STM32 firmware in QEMU. The codes come from a formula (QEMU has no converter), all else is
 * the program of the chip: frames, commands, blocks, times, store. QEMU runs in real time, so a
 * busy machine loses scans; each of them must be counted then.
 */
#include "../unit/atoll_test.h"
#include "qemu_sim.h"

#include <atoll/power.h>

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

static const char *images;

enum { PATIENCE_MS = 5000 };
#define LATE_S 0.05 /* of an interrupt in QEMU on a busy machine */

static void pause_ms(unsigned ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

/* Reads on until a frame of this type comes. */
static struct atoll_wire_frame await(struct qemu *q, uint8_t type)
{
    struct atoll_wire_frame f;
    const uint64_t end_ns = atoll_now_ns() + UINT64_C(20000000000);
    while (atoll_now_ns() < end_ns && qemu_frame(q, PATIENCE_MS, &f)) {
        if (f.type == type) {
            return f;
        }
    }
    fail_msg("no frame of type %u came", type);
    exit(1);
}

static void ask(struct qemu *q, uint8_t what)
{
    qemu_send(q, (struct atoll_wire_frame){.type = ATOLL_WIRE_ASK, .ask = what});
}

static struct qemu *boot(void)
{
    static struct qemu q;
    char elf[512];
    (void)snprintf(elf, sizeof elf, "%s/atoll-qemu.elf", images);
    if (!qemu_open(&q, elf)) {
        qemu_close(&q);
        fail_msg("no QEMU");
    }
    ask(&q, ATOLL_WIRE_HELLO); /* the first one may have gone before anybody listened */
    const struct atoll_wire_frame f = await(&q, ATOLL_WIRE_HELLO);
    assert_int_equal(f.hello.device, 3);
    assert_int_equal(f.hello.channels, 8);
    assert_string_equal(f.hello.name, "atoll qemu");
    assert_true(f.hello.unique != 0);
    return &q;
}

static void set(struct qemu *q, uint16_t channels, uint8_t bits, uint8_t conversions,
                uint32_t trigger_ticks)
{
    const uint32_t triggers = (uint32_t)atoll_wire_count(channels) * conversions;
    qemu_send(q, (struct atoll_wire_frame){.type = ATOLL_WIRE_SET,
                                           .set = {.channels = channels,
                                                   .bits = bits,
                                                   .conversions = conversions,
                                                   .period_ticks = trigger_ticks * triggers}});
}

static void run(struct qemu *q, bool on)
{
    qemu_send(q, (struct atoll_wire_frame){.type = ATOLL_WIRE_RUN, .run = on});
}

/* ----------------------------------------------------------------------- tests */

static void identify_and_self_test(void **state)
{
    (void)state;
    struct qemu *q = boot();
    ask(q, ATOLL_WIRE_CHANNEL);
    for (uint8_t i = 0; i < 8; i++) {
        const struct atoll_wire_channel c = await(q, ATOLL_WIRE_CHANNEL).channel;
        assert_int_equal(c.index, i);
        assert_int_equal(c.day, 0);
        assert_in_range(c.gain, 6080000, 6120000); /* nA a code: 3.3 V / 4096 / 132 mV/A */
        assert_int_equal(c.zero_256, 2048 * 256);
    }
    ask(q, ATOLL_WIRE_ERROR);
    assert_int_equal(await(q, ATOLL_WIRE_ERROR).error.code, 0);
    ask(q, ATOLL_WIRE_CONFIG);
    const struct atoll_wire_config c = await(q, ATOLL_WIRE_CONFIG).config;
    assert_int_equal(c.adc_bits, 12);
    assert_int_equal(c.tick_hz, 96000000);
    assert_int_equal(c.reference_uv, 3300000);
    ask(q, ATOLL_WIRE_STAT);
    const struct atoll_wire_stat s = await(q, ATOLL_WIRE_STAT).stat;
    assert_int_equal(s.supply_mv, 3300);
    assert_int_equal(s.temperature_centi_c, 2500);
    qemu_close(q);
}

/* Scans for some time; each sample must be the sum of its codes, each scan sent or counted. */
static void scan(struct qemu *q, uint16_t channels, uint8_t bits, uint8_t conversions,
                 uint32_t trigger_ticks, unsigned ms)
{
    uint8_t scanned[8];
    uint8_t n = 0;
    for (uint8_t i = 0; i < 8; i++) {
        if ((channels >> i & 1) != 0) {
            scanned[n++] = i;
        }
    }
    struct atoll_wire_track track = {0};
    uint64_t scans = 0, missing = 0, by_device = 0, next = 0;
    struct atoll_wire_frame f;
    set(q, channels, bits, conversions, trigger_ticks);
    assert_int_equal(await(q, ATOLL_WIRE_CONFIG).config.conversions, conversions);
    run(q, true);
    const uint64_t end_ns = atoll_now_ns() + ms * UINT64_C(1000000);
    bool stopped = false;
    for (;;) {
        if (!stopped && atoll_now_ns() > end_ns) {
            run(q, false);
            stopped = true;
        }
        if (!qemu_frame(q, stopped ? 1000 : 50, &f)) {
            if (stopped) {
                break;
            }
            continue;
        }
        if (f.type == ATOLL_WIRE_STAT) {
            assert_true(f.stat.scans >= next);
            continue;
        }
        if (f.type != ATOLL_WIRE_DATA) {
            assert_int_equal(f.type, ATOLL_WIRE_CONFIG);
            continue;
        }
        uint64_t first = 0, gap = 0, own = 0;
        uint16_t samples[ATOLL_WIRE_PAYLOAD_MAX];
        const enum atoll_wire_order order = atoll_wire_follow(&track, &f, &first, &gap, &own);
        assert_true(order == ATOLL_WIRE_NEXT || order == ATOLL_WIRE_GAP);
        assert_true(scans > 0 || first == 0 || f.data.lost > 0);
        atoll_wire_unpack(samples, (size_t)n * f.data.n_scans, f.data.payload, bits);
        for (uint32_t i = 0; i < f.data.n_scans; i++) {
            for (uint32_t c = 0; c < n; c++) {
                uint32_t sum = 0;
                for (uint32_t r = 0; r < conversions; r++) {
                    const uint64_t trigger = (first + i) * n * conversions + r * n + c;
                    sum += qemu_code(scanned[c], (uint32_t)trigger);
                }
                assert_int_equal(samples[i * n + c], sum);
            }
        }
        scans += f.data.n_scans;
        missing += gap;
        by_device += own;
        next = first + f.data.n_scans;
    }
    print_message("%u channels x %.0f Hz, sums of %u: %llu scans right, %llu counted as lost\n", n,
                  96e6 / trigger_ticks / n / conversions, conversions, (unsigned long long)scans,
                  (unsigned long long)missing);
    assert_int_equal(q->decoder.damaged, 0);
    assert_int_equal(missing, by_device);
    assert_true(scans > 0 && scans + missing >= next - 1);
}

static void every_sample_is_right(void **state)
{
    (void)state;
    struct qemu *q = boot();
    scan(q, 0x01, 12, 1, 96000, 300);         /* 1 kHz, packed in 12 bits */
    scan(q, 0x25, 16, 16, 2000, 300);         /* 3 x 1 kHz, the largest sum */
    scan(q, 0xff, 16, 5, 120 * 8, 500);       /* 8 x 2.5 kHz */
    scan(q, 0xff, 16, 5, 120, 500);           /* 8 x 20 kHz: more than QEMU can */
    scan(q, 0x80, 12, 1, 96000000 / 50, 300); /* 50 Hz: frames of one scan */
    qemu_close(q);
}

static void markers_and_edges(void **state)
{
    (void)state;
    struct qemu *q = boot();
    set(q, 0x03, 16, 4, 12000);
    run(q, true);
    (void)await(q, ATOLL_WIRE_DATA);
    double last = 0;
    uint64_t last_before_ns = 0;
    uint64_t last_after_ns = 0;
    for (uint16_t i = 0; i < 20; i++) {
        const bool up = i % 2 == 0;
        pause_ms(20);
        const uint64_t before_ns = atoll_now_ns();
        qemu_pin(q, up); /* waits for QEMU's answer: the edge lies between */
        const uint64_t after_ns = atoll_now_ns();
        const struct atoll_wire_event e = await(q, ATOLL_WIRE_EVENT).event;
        assert_int_equal(e.cause, up ? ATOLL_WIRE_RISING : ATOLL_WIRE_FALLING);
        assert_int_equal(e.id, i);
        const double at = e.scan + e.fraction / 65536.0;
        if (i > 0) { /* QEMU's clock is the host's */
            const double least_s = (double)(before_ns - last_after_ns) / 1e9;
            const double most_s = (double)(after_ns - last_before_ns) / 1e9;
            assert_true((at - last) / 1000 > least_s - LATE_S);
            assert_true((at - last) / 1000 < most_s + LATE_S);
        }
        last = at;
        last_before_ns = before_ns;
        last_after_ns = after_ns;
        qemu_send(q, (struct atoll_wire_frame){.type = ATOLL_WIRE_MARK, .id = (uint16_t)(100 + i)});
        const struct atoll_wire_event k = await(q, ATOLL_WIRE_EVENT).event;
        assert_int_equal(k.cause, ATOLL_WIRE_COMMAND);
        assert_int_equal(k.id, 100 + i);
        assert_true(k.scan + k.fraction / 65536.0 > at);
        qemu_send(q, (struct atoll_wire_frame){.type = ATOLL_WIRE_PING, .id = i});
        const struct atoll_wire_sync y = await(q, ATOLL_WIRE_SYNC).sync;
        assert_int_equal(y.id, i);
        assert_true(y.scan + y.fraction / 65536.0 > k.scan + k.fraction / 65536.0);
    }
    qemu_close(q);
}

static void calibration_survives_a_restart(void **state)
{
    (void)state;
    struct qemu *q = boot();
    const struct atoll_wire_channel c = {.index = 2,
                                         .kind = ATOLL_WIRE_CURRENT,
                                         .rail = 1,
                                         .nominal_mv = 3300,
                                         .zero_256 = 520000,
                                         .gain = 6103000,
                                         .gain_u_ppm = 4000,
                                         .zero_u_256 = 100,
                                         .day = 20781,
                                         .temperature_c = 24,
                                         .name = "3v3_slot"};
    for (uint16_t i = 0; i < 100; i++) { /* more than a page holds */
        struct atoll_wire_frame f = {.type = ATOLL_WIRE_STORE, .channel = c};
        f.channel.day = (uint16_t)(c.day - 99 + i);
        qemu_send(q, f);
        assert_int_equal(await(q, ATOLL_WIRE_CHANNEL).channel.day, f.channel.day);
    }
    ask(q, ATOLL_WIRE_HELLO);
    const uint16_t boots = await(q, ATOLL_WIRE_HELLO).hello.boots;
    set(q, 0x03, 16, 4, 12000);
    run(q, true);
    (void)await(q, ATOLL_WIRE_DATA);
    qemu_reset(q); /* in the middle of a run */
    assert_int_equal(await(q, ATOLL_WIRE_HELLO).hello.boots, boots + 1);
    ask(q, ATOLL_WIRE_CHANNEL);
    struct atoll_wire_channel back = {0};
    while (back.index != 2) {
        back = await(q, ATOLL_WIRE_CHANNEL).channel;
        assert_true(back.index <= 2);
    }
    assert_int_equal(back.gain, c.gain);
    assert_int_equal(back.day, c.day);
    assert_int_equal(back.zero_256, c.zero_256);
    assert_string_equal(back.name, c.name);
    ask(q, ATOLL_WIRE_ERROR);
    assert_int_equal(await(q, ATOLL_WIRE_ERROR).error.code, 0);
    qemu_close(q);
}

static void damaged_commands_and_refusals(void **state)
{
    (void)state;
    struct qemu *q = boot();
    struct atoll_rng r;
    atoll_rng_seed(&r, 411);
    for (int i = 0; i < 200; i++) {
        uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
        const struct atoll_wire_frame f = {.type = ATOLL_WIRE_SET,
                                           .set = {.channels = 3, .bits = 12, .conversions = 1}};
        const size_t n = atoll_wire_encode(&f, bytes);
        bytes[atoll_rng_below(&r, n - 1)] ^= (uint8_t)(1u << atoll_rng_below(&r, 8));
        qemu_write(q, bytes, n);
    }
    ask(q, ATOLL_WIRE_STAT);
    const struct atoll_wire_frame stat = await(q, ATOLL_WIRE_STAT); /* and no ERROR before it */
    assert_in_range(stat.stat.bad_frames, 150, 420);
    ask(q, ATOLL_WIRE_DATA);
    assert_int_equal(await(q, ATOLL_WIRE_ERROR).error.code, 1);
    const struct {
        uint16_t channels;
        uint8_t bits, conversions;
        uint32_t trigger_ticks;
        int detail;
    } bad[] = {{0x100, 12, 1, 96000, 1}, {0, 12, 1, 96000, 1}, {1, 12, 2, 96000, 2},
               {1, 16, 17, 9600, 2},     {1, 12, 0, 96000, 2}, {0xff, 16, 5, 115, 3},
               {1, 12, 1, 96000001, 4}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        qemu_send(q,
                  (struct atoll_wire_frame){
                      .type = ATOLL_WIRE_SET,
                      .set = {.channels = bad[i].channels,
                              .bits = bad[i].bits,
                              .conversions = bad[i].conversions,
                              .period_ticks = bad[i].trigger_ticks *
                                              (bad[i].conversions != 0 ? bad[i].conversions : 1) *
                                              (bad[i].channels == 0xff ? 8 : 1)}});
        const struct atoll_wire_error e = await(q, ATOLL_WIRE_ERROR).error;
        assert_int_equal(e.code, 2);
        assert_int_equal(e.detail, bad[i].detail);
    }
    run(q, true);
    set(q, 1, 12, 1, 96000);
    assert_int_equal(await(q, ATOLL_WIRE_ERROR).error.code, 3);
    qemu_close(q);
}

/* The host's driver on the same line: joules. */
static void energy_through_the_driver(void **state)
{
    (void)state;
    struct qemu *q = boot();
    qemu_send(q, (struct atoll_wire_frame){.type = ATOLL_WIRE_STORE,
                                           .channel = {.kind = ATOLL_WIRE_CURRENT,
                                                       .nominal_mv = 12000,
                                                       .zero_256 = 300 * 256,
                                                       .gain = 6103000,
                                                       .gain_u_ppm = 1000,
                                                       .zero_u_256 = 26,
                                                       .day = 20000,
                                                       .name = "12v_slot"}});
    (void)await(q, ATOLL_WIRE_CHANNEL);
    char spec[200];
    (void)snprintf(spec, sizeof spec, "serial:%s,baud=2000000", q->line);
    struct atoll_err err = {0};
    struct atoll_meter *m = NULL;
    const struct atoll_meter_opts o = {.rate_hz = 1000};
    int rc = atoll_meter_open(spec, &o, &m, &err);
    rc = rc == 0 ? atoll_meter_start(m, atoll_now_ns(), &err) : rc;
    struct atoll_energy total = {0};
    double ppm = 0;
    double u_ns = 0;
    if (rc == 0) {
        (void)atoll_meter_mark(m, atoll_now_ns(), "from", &err);
        pause_ms(1500);
        (void)atoll_meter_mark(m, atoll_now_ns(), "to", &err);
        rc = atoll_meter_stop(m, atoll_now_ns(), &err);
        rc = rc == 0 ? atoll_meter_energy(m, 0, 1, NULL, &total, &err) : rc;
        atoll_meter_clock(m, &ppm, &u_ns);
    }
    atoll_meter_close(&m);
    qemu_close(q);
    if (rc == ATOLL_ENO && total.lost_scans > total.scans / 20) {
        print_message("skipped: this machine is too busy for QEMU in real time (%s)\n", err.text);
        skip();
    }
    if (rc != 0 && rc != ATOLL_ENO) { /* a gap is reported, and the power is constant */
        fail_msg("%s", err.text);
    }
    const double watt = (500 + 48 - 300) * 6.103e-3 * 12;
    print_message("%.3f W, truth %.3f W; clock %+.0f ppm, markers +-%.0f us\n", total.mean_w, watt,
                  ppm, u_ns / 1e3);
    test_close(total.mean_w, watt, 0.002 * watt);
    test_close(total.energy_mj, watt * total.seconds * 1e3, total.u95_mj);
    assert_true(fabs(ppm) < 2000 || u_ns > 2e5); /* on a busy machine frames come late */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identify_and_self_test),
        cmocka_unit_test(every_sample_is_right),
        cmocka_unit_test(markers_and_edges),
        cmocka_unit_test(calibration_survives_a_restart),
        cmocka_unit_test(damaged_commands_and_refusals),
        cmocka_unit_test(energy_through_the_driver),
    };
    images = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
