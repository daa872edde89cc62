/* SPDX-License-Identifier: Apache-2.0 */
/* The real image of the Uno in simavr: millivolts in, every sample checked on the way out. */
#include "../unit/atoll_test.h"
#include "uno_sim.h"

#include <math.h>
#include <stdlib.h>

static const char *images; /* directory */

static uint64_t ms(double t)
{
    return (uint64_t)(t * UNO_HZ / 1000);
}

/* A ramp, a square wave and fast ones, so that an exchanged channel or scan shows at once. */
static uint32_t wave(void *ctx, unsigned input, uint64_t cycle)
{
    (void)ctx;
    return (uint32_t)(300 + 280 * input + cycle / 97 % 1000 * (input + 1) / 4);
}

struct seen {
    uint32_t hello, config, channel, event, sync, stat, error, data;
    uint64_t scans, missing, by_device, next;
    struct atoll_wire_frame last[16]; /* by type */
    struct atoll_wire_config c;
    struct atoll_wire_decoder decoder;
    struct atoll_wire_track track;
    uint16_t lost, slip;
};

/* Each sample is the sum of the codes of its triggers. */
static void check_scans(const struct uno *u, struct seen *s, const struct atoll_wire_frame *f)
{
    uint16_t samples[ATOLL_WIRE_PAYLOAD_MAX];
    uint64_t first = 0;
    uint64_t missing = 0;
    uint64_t by_device = 0;
    const size_t n = atoll_wire_count(s->c.channels);
    assert_int_equal(f->data.config, s->c.id);
    assert_int_equal(f->data.payload_bytes,
                     atoll_wire_packed_bytes(n * f->data.n_scans, s->c.bits));
    const enum atoll_wire_order order =
        atoll_wire_follow(&s->track, f, &first, &missing, &by_device);
    if (order != ATOLL_WIRE_NEXT && order != ATOLL_WIRE_GAP) {
        fail_msg("frame of scan %u in order %d", f->data.first_scan, (int)order);
    }
    atoll_wire_unpack(samples, n * f->data.n_scans, f->data.payload, s->c.bits);
    for (size_t i = 0; i < f->data.n_scans; i++) {
        for (size_t c = 0; c < n; c++) {
            uint32_t sum = 0;
            for (size_t r = 0; r < s->c.conversions; r++) {
                const size_t at = ((size_t)first + i) * n * s->c.conversions + r * n + c;
                assert_true(at < u->n_triggers);
                assert_int_not_equal(u->codes[at], UINT16_MAX);
                sum += u->codes[at];
            }
            assert_int_equal(samples[i * n + c], sum);
        }
    }
    s->scans += f->data.n_scans;
    s->missing += missing;
    s->by_device += by_device;
    s->next = first + f->data.n_scans;
    s->lost = f->data.lost;
    s->slip = f->data.slip;
}

static void read_out(struct uno *u, struct seen *s)
{
    for (size_t at = 0; at < u->n_out;) {
        struct atoll_wire_frame f;
        bool got = false;
        at += atoll_wire_decode(&s->decoder, u->out + at, u->n_out - at, &f, &got);
        if (!got) {
            continue;
        }
        s->last[f.type] = f;
        s->hello += f.type == ATOLL_WIRE_HELLO;
        s->channel += f.type == ATOLL_WIRE_CHANNEL;
        s->event += f.type == ATOLL_WIRE_EVENT;
        s->sync += f.type == ATOLL_WIRE_SYNC;
        s->stat += f.type == ATOLL_WIRE_STAT;
        s->error += f.type == ATOLL_WIRE_ERROR;
        if (f.type == ATOLL_WIRE_CONFIG) {
            s->config++;
            s->c = f.config;
        } else if (f.type == ATOLL_WIRE_DATA) {
            s->data++;
            check_scans(u, s, &f);
        }
    }
    u->n_out = 0;
}

static void run_ms(struct uno *u, struct seen *s, double t)
{
    assert_true(uno_run(u, uno_now(u) + ms(t)));
    read_out(u, s);
}

static struct uno *boot(uint32_t baud, struct seen *s)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/atoll-uno-%u.elf", images, baud);
    struct uno *u = uno_open(path, baud, wave, NULL);
    if (u == NULL) {
        fail();
        exit(1);
    }
    *s = (struct seen){0};
    run_ms(u, s, 50); /* the count of starts goes to the EEPROM first */
    assert_int_equal(s->hello, 1);
    assert_int_equal(s->last[ATOLL_WIRE_HELLO].hello.device, 2);
    return u;
}

static void set(struct uno *u, uint16_t channels, uint8_t bits, uint8_t conversions,
                uint32_t trigger_ticks)
{
    const uint32_t triggers = (uint32_t)atoll_wire_count(channels) * conversions;
    uno_send(u, &(struct atoll_wire_frame){.type = ATOLL_WIRE_SET,
                                           .set = {.channels = channels,
                                                   .bits = bits,
                                                   .conversions = conversions,
                                                   .period_ticks = trigger_ticks * triggers}});
}

static void run_command(struct uno *u, bool on)
{
    uno_send(u, &(struct atoll_wire_frame){.type = ATOLL_WIRE_RUN, .run = on});
}

static void ask(struct uno *u, uint8_t what)
{
    uno_send(u, &(struct atoll_wire_frame){.type = ATOLL_WIRE_ASK, .ask = what});
}

static void print_isrs(const struct uno *u, const char *what)
{
    static const int vectors[] = {UNO_ADC, UNO_UDRE, UNO_RX, UNO_CAPTURE};
    static const char *const names[] = {"adc", "udre", "rx", "capture"};
    for (int i = 0; i < 4; i++) {
        const struct uno_isr *s = &u->isr[vectors[i]];
        if (s->entries > 0) {
            print_message("%s: %s %.1f cycles (max %llu)\n", what, names[i],
                          (double)s->cycles / (double)s->entries,
                          (unsigned long long)s->max_cycles);
        }
    }
}

enum { PING_MS = 25 }; /* four times as often as the serial driver */

/* Nothing lost, nothing slipped, all samples right, and the interrupts within their budget. */
static void clean_run(uint32_t baud, uint16_t channels, uint8_t bits, uint8_t conversions,
                      uint32_t trigger_ticks, double t_ms)
{
    struct seen s;
    struct uno *u = boot(baud, &s);
    set(u, channels, bits, conversions, trigger_ticks);
    run_command(u, true);
    /* commands come as from a host, at every phase of the interrupts */
    uint16_t pings = 0;
    for (double t = 0; t < t_ms; t += PING_MS + pings * 1e-3) {
        uno_send(u, &(struct atoll_wire_frame){.type = ATOLL_WIRE_PING, .id = pings++});
        run_ms(u, &s, PING_MS + pings * 1e-3);
    }
    run_command(u, false);
    run_ms(u, &s, 30);
    assert_int_equal(s.sync, pings);
    const size_t n = (size_t)atoll_wire_count(channels) * conversions;
    assert_int_equal(s.error, 0);
    assert_int_equal(s.decoder.damaged, 0);
    assert_int_equal(u->missed + u->ignored, 0);
    assert_int_equal(s.missing, 0);
    assert_int_equal(s.stat, 1);
    assert_int_equal(s.last[ATOLL_WIRE_STAT].stat.lost, 0);
    assert_int_equal(s.last[ATOLL_WIRE_STAT].stat.slip, 0);
    assert_int_equal(s.last[ATOLL_WIRE_STAT].stat.overruns, 0);
    assert_true(s.scans + 1 >= u->n_triggers / n); /* the last scan may have been cut */
    assert_in_range(s.last[ATOLL_WIRE_STAT].stat.supply_mv, 4900, 5100);
    print_message("%zu channels x %.0f Hz at %u baud: %llu scans right\n", n / conversions,
                  (double)UNO_HZ / trigger_ticks / (double)n, baud, (unsigned long long)s.scans);
    print_isrs(u, "interrupts");
    print_message("trigger armed again %llu cycles after the interrupt at the latest\n",
                  (unsigned long long)u->clear_max_cycles);
    assert_in_range(u->clear_max_cycles, 1, 40);
    assert_in_range(u->isr[UNO_ADC].max_cycles, 1, 300);
    assert_in_range(u->isr[UNO_ADC].cycles / u->isr[UNO_ADC].entries, 1, 200);
    assert_in_range(u->isr[UNO_UDRE].max_cycles, 1, 60);
    uno_close(u);
}

static void four_channels_6_khz(void **state)
{
    (void)state;
    clean_run(500000, 0x0f, 10, 1, 666, 400);
}

static void four_channels_10_khz(void **state)
{
    (void)state;
    clean_run(1000000, 0x0f, 10, 1, 400, 3000);
}

static void sums_of_four(void **state)
{
    (void)state;
    clean_run(500000, 0x25, 12, 4, 700, 100);
}

static void slow_scans(void **state)
{
    (void)state;
    clean_run(500000, 0x80, 16, 8, 60000, 200);
}

/* More than the line can carry: scans are dropped whole, and each of them is counted. */
static void overload_is_counted(void **state)
{
    (void)state;
    struct seen s;
    struct uno *u = boot(500000, &s);
    set(u, 0x0f, 10, 1, 400);
    run_command(u, true);
    run_ms(u, &s, 200);
    run_command(u, false);
    run_ms(u, &s, 30);
    assert_true(s.missing > 100);
    assert_int_equal(s.by_device, s.missing);
    assert_int_equal(s.lost, s.missing);
    assert_int_equal(s.scans + s.missing, s.next);
    assert_int_equal(s.decoder.damaged, 0);
    print_message("overload: %llu scans sent, %llu counted as lost\n", (unsigned long long)s.scans,
                  (unsigned long long)s.missing);
    uno_close(u);
}

/* Triggers closer than the interrupts allow: a time slip that neither sequence nor CRC can see. */
static void slips_are_counted(void **state)
{
    (void)state;
    struct seen s;
    struct uno *u = boot(1000000, &s);
    set(u, 0x03, 10, 1, 318);
    run_command(u, true);
    run_ms(u, &s, 20);
    for (int i = 0; i < 100; i++) { /* commands that are none keep the receiver busy */
        static const uint8_t noise[4] = {0x55, 0xaa, 0x33, 0};
        uno_send_bytes(u, noise, sizeof noise);
        run_ms(u, &s, 1);
    }
    run_command(u, false);
    run_ms(u, &s, 30);
    assert_true(u->missed > 0);
    assert_true(s.slip > 0);
    assert_int_equal(s.by_device, s.missing);
    assert_int_equal((uint16_t)(s.lost + s.slip), s.missing);
    print_message("slips: %llu triggers missed in %llu scans; %u scans marked, %u lost\n",
                  (unsigned long long)u->missed, (unsigned long long)s.next, s.slip, s.lost);
    uno_close(u);
}

static double stamp_scans(const struct uno *u, const struct seen *s, uint64_t cycle)
{
    const double period = s->c.period_ticks;
    const double trigger = period / atoll_wire_count(s->c.channels) / s->c.conversions;
    /* the first trigger comes one trigger's time after the timer's start */
    return ((double)cycle - (double)u->start_cycle - trigger) / period;
}

static void markers_and_edges(void **state)
{
    (void)state;
    struct seen s;
    struct uno *u = boot(500000, &s);
    double worst = 0;
    double worst_mark = 0;
    uno_pin(u, true);
    uno_pin(u, false);
    set(u, 0x07, 10, 1, 800);
    run_command(u, true);
    run_ms(u, &s, 20);
    uint32_t events = 0;
    for (int i = 0; i < 60; i++) {
        assert_true(uno_run(u, uno_now(u) + 13337 + (uint64_t)(i * 211)));
        const double at = stamp_scans(u, &s, uno_now(u));
        uno_pin(u, i % 2 == 0);
        run_ms(u, &s, 9);
        assert_int_equal(s.event, ++events);
        const struct atoll_wire_event *e = &s.last[ATOLL_WIRE_EVENT].event;
        assert_int_equal(e->cause, i % 2 == 0 ? ATOLL_WIRE_RISING : ATOLL_WIRE_FALLING);
        assert_int_equal(e->id, i);
        worst = fmax(worst, fabs((double)e->scan + e->fraction / 65536.0 - at) * 150);
        uno_send(u, &(struct atoll_wire_frame){.type = ATOLL_WIRE_MARK, .id = (uint16_t)(7 * i)});
        run_ms(u, &s, 9);
        const double mark = stamp_scans(u, &s, u->rx_cycle);
        assert_int_equal(s.event, ++events);
        assert_int_equal(s.last[ATOLL_WIRE_EVENT].event.id, 7 * i);
        assert_int_equal(s.last[ATOLL_WIRE_EVENT].event.cause, ATOLL_WIRE_COMMAND);
        worst_mark = fmax(worst_mark, fabs((double)e->scan + e->fraction / 65536.0 - mark) * 150);
    }
    print_message("edges within %.2f us, markers within %.2f us of the truth\n", worst, worst_mark);
    assert_true(worst < 1.5);
    assert_true(worst_mark < 30);
    uno_send(u, &(struct atoll_wire_frame){.type = ATOLL_WIRE_PING, .id = 99});
    run_ms(u, &s, 9);
    assert_int_equal(s.sync, 1);
    assert_int_equal(s.last[ATOLL_WIRE_SYNC].sync.id, 99);
    const struct atoll_wire_sync *y = &s.last[ATOLL_WIRE_SYNC].sync;
    assert_true(
        fabs((double)y->scan + y->fraction / 65536.0 - stamp_scans(u, &s, u->rx_cycle)) * 150 < 30);
    uno_close(u);
}

static void calibration_survives_and_its_damage_shows(void **state)
{
    (void)state;
    struct seen s;
    struct uno *u = boot(500000, &s);
    const struct atoll_wire_channel c = {.index = 2,
                                         .kind = ATOLL_WIRE_CURRENT,
                                         .rail = 1,
                                         .nominal_mv = 3300,
                                         .zero_256 = 130000,
                                         .gain = 26390000,
                                         .gain_u_ppm = 4000,
                                         .zero_u_256 = 100,
                                         .day = 20781,
                                         .temperature_c = 24,
                                         .name = "3v3_slot"};
    assert_int_equal(s.last[ATOLL_WIRE_HELLO].hello.boots, 1);
    uno_send(u, &(struct atoll_wire_frame){.type = ATOLL_WIRE_STORE, .channel = c});
    run_ms(u, &s, 300);
    assert_int_equal(s.channel, 1);
    assert_int_equal(s.error, 0);
    uno_reset(u);
    run_ms(u, &s, 50);
    assert_int_equal(s.hello, 2);
    assert_int_equal(s.last[ATOLL_WIRE_HELLO].hello.boots, 2);
    ask(u, ATOLL_WIRE_CHANNEL);
    run_ms(u, &s, 30);
    assert_int_equal(s.channel, 9);
    ask(u, ATOLL_WIRE_ERROR);
    run_ms(u, &s, 30);
    assert_int_equal(s.last[ATOLL_WIRE_ERROR].error.code, 0);
    uno_send(u, &(struct atoll_wire_frame){.type = ATOLL_WIRE_STORE, .channel = c});
    run_ms(u, &s, 300);
    const struct atoll_wire_channel *back = &s.last[ATOLL_WIRE_CHANNEL].channel;
    assert_int_equal(back->zero_256, c.zero_256);
    assert_int_equal(back->gain, c.gain);
    assert_int_equal(back->day, c.day);
    assert_string_equal(back->name, c.name);
    uno_eeprom(u)[16 + 2 * 48 + 12] ^= 0x10;
    uno_reset(u);
    run_ms(u, &s, 50);
    ask(u, ATOLL_WIRE_ERROR);
    run_ms(u, &s, 30);
    assert_int_equal(s.last[ATOLL_WIRE_ERROR].error.code, 5);
    assert_int_equal(s.last[ATOLL_WIRE_ERROR].error.detail, 4);
    uno_close(u);
}

static void refusals(void **state)
{
    (void)state;
    struct seen s;
    struct uno *u = boot(500000, &s);
    set(u, 0x0f, 10, 1, 300); /* too fast */
    run_ms(u, &s, 10);
    assert_int_equal(s.last[ATOLL_WIRE_ERROR].error.code, 2);
    assert_int_equal(s.last[ATOLL_WIRE_ERROR].error.detail, 3);
    set(u, 0x01, 10, 1, 70000); /* too slow */
    run_ms(u, &s, 10);
    assert_int_equal(s.last[ATOLL_WIRE_ERROR].error.detail, 4);
    set(u, 0x0f, 10, 2, 1000); /* the sum has 11 bits */
    run_ms(u, &s, 10);
    assert_int_equal(s.last[ATOLL_WIRE_ERROR].error.detail, 2);
    set(u, 0x100, 10, 1, 1000);
    run_ms(u, &s, 10);
    assert_int_equal(s.last[ATOLL_WIRE_ERROR].error.detail, 1);
    run_command(u, true);
    set(u, 0x01, 10, 1, 1000);
    run_ms(u, &s, 10);
    assert_int_equal(s.last[ATOLL_WIRE_ERROR].error.code, 3);
    assert_int_equal(s.error, 5);
    uno_close(u);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_channels_6_khz),
        cmocka_unit_test(four_channels_10_khz),
        cmocka_unit_test(sums_of_four),
        cmocka_unit_test(slow_scans),
        cmocka_unit_test(overload_is_counted),
        cmocka_unit_test(slips_are_counted),
        cmocka_unit_test(markers_and_edges),
        cmocka_unit_test(calibration_survives_and_its_damage_shows),
        cmocka_unit_test(refusals),
    };
    images = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
