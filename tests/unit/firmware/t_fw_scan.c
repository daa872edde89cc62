/* SPDX-License-Identifier: Apache-2.0 */
/* The sampling state machine of firmware/app against its plain meaning. */
#include "../atoll_test.h"

#include <atoll/base.h>
#include <firmware_scan.h>

static struct atoll_rng rng;

static uint32_t below(uint32_t n)
{
    return (uint32_t)atoll_rng_below(&rng, n);
}

static void set_up(struct fw_scan *s)
{
    *s = (struct fw_scan){.channels = (uint8_t)(1 + below(8)),
                          .conversions = (uint8_t)(1 + below(16))};
    s->block_scans = (uint8_t)(1 + below(FW_BLOCK_SAMPLES / (uint32_t)s->channels));
    fw_scan_start(s);
}

/* A main loop that takes each block after some scans, or later than it should. */
struct reader {
    uint8_t next;
    uint32_t wait, expected, sent, lost, slip;
};

static void read_blocks(struct fw_scan *s, struct reader *r, uint32_t patience,
                        uint32_t (*sum)(const struct fw_scan *s, uint32_t scan, uint32_t channel))
{
    struct fw_block *b = &s->blocks[r->next];
    if (!b->ready || r->wait++ < patience) {
        return;
    }
    r->wait = 0;
    r->next ^= 1u;
    assert_true(b->scans > 0 && b->first >= r->expected);
    /* each scan that is missing in front of this block is counted by one of the two */
    assert_int_equal((uint16_t)(b->lost - r->lost + b->slip - r->slip),
                     (uint16_t)(b->first - r->expected));
    for (uint32_t i = 0; i < b->scans; i++) {
        for (uint32_t c = 0; c < s->channels; c++) {
            assert_int_equal(b->samples[i * s->channels + c], sum(s, b->first + i, c));
        }
    }
    r->sent += b->scans;
    r->expected = b->first + b->scans;
    r->lost = b->lost;
    r->slip = b->slip;
    b->ready = false;
}

static uint16_t code(uint32_t scan, uint32_t round, uint32_t channel)
{
    return (uint16_t)((scan * 2654435761u + round * 40503u + channel * 9973u) >> 7 & 1023u);
}

static uint32_t sum_of_codes(const struct fw_scan *s, uint32_t scan, uint32_t channel)
{
    uint32_t sum = 0;
    for (uint32_t r = 0; r < s->conversions; r++) {
        sum += code(scan, r, channel);
    }
    return sum;
}

static void feed_one(struct fw_scan *s, uint32_t scan, bool whole, bool spoil)
{
    uint16_t codes[16 * FW_CHANNELS_MAX];
    const uint32_t victim = spoil ? below((uint32_t)s->channels * s->conversions) : UINT32_MAX;
    uint32_t n = 0;
    for (uint32_t r = 0; r < s->conversions; r++) {
        for (uint32_t c = 0; c < s->channels; c++, n++) {
            codes[n] = code(scan, r, c);
            if (whole) {
                continue;
            }
            assert_int_equal(s->channel, c);
            assert_int_equal(s->round, r);
            if (n == victim) {
                fw_scan_skip(s);
            } else {
                fw_scan_take(s, codes[n]);
            }
        }
    }
    if (whole && spoil) {
        fw_scan_miss(s, 1);
    } else if (whole) {
        fw_scan_whole(s, codes);
    }
}

/* Both ways in; slow and quick main loops; spoiled scans: every scan is sent right or counted. */
static void every_scan_is_sent_or_counted(void **state)
{
    (void)state;
    uint32_t lost = 0;
    uint32_t slipped = 0;
    for (size_t i = 0; i < test_cases(500); i++) {
        struct fw_scan s;
        struct reader r = {0};
        const uint32_t patience = below(4) == 0 ? 40 : 0;
        const uint32_t spoil_in = below(3) == 0 ? 30 : UINT32_MAX;
        set_up(&s);
        const uint32_t scans = 300 + below(300);
        uint32_t spoilt = 0;
        for (uint32_t scan = 0; scan < scans; scan++) {
            const bool spoil = spoil_in != UINT32_MAX && below(spoil_in) == 0;
            spoilt += spoil;
            feed_one(&s, scan, below(2) == 0, spoil);
            read_blocks(&s, &r, patience, sum_of_codes);
        }
        assert_int_equal(s.index, scans);
        assert_int_equal(s.slip, spoilt);
        for (int k = 0; k < 200; k++) {
            fw_scan_turn(&s); /* as at a stop */
            read_blocks(&s, &r, 0, sum_of_codes);
        }
        assert_int_equal(r.sent + s.lost + s.slip, scans);
        lost += s.lost;
        slipped += s.slip;
    }
    assert_true(lost > 0 && slipped > 0);
}

/* fw_scan_stamp and fw_scan_place against the axis in whole ticks. */
static void stamps_lie_where_they_must(void **state)
{
    (void)state;
    for (size_t i = 0; i < test_cases(20000); i++) {
        struct fw_scan s;
        set_up(&s);
        const int64_t in_scan = s.channels * s.conversions;
        const uint32_t ticks_max = sizeof(FW_TICK) == 2 ? 60000 : 100000;
        const uint32_t trigger_ticks = 116 + below(ticks_max);
        const struct fw_position base = {
            .triggers = below(2) == 0 ? UINT32_MAX - below(500) : below(500),
            .scan = below(2) == 0 ? UINT32_MAX - below(3) : 70000 + below(99)};
        const int64_t passed = 600 + below(3000);
        const uint32_t ticks = below(trigger_ticks);
        const uint32_t ago = below(60000);
        struct fw_stamp stamp;
        uint32_t scan = 0;
        uint16_t fraction = 0;
        fw_scan_stamp(&s, &base, base.triggers + (uint32_t)passed, ticks, ago, trigger_ticks,
                      &stamp);
        const int64_t at = (passed - 1) * trigger_ticks + ticks - ago; /* since base's trigger */
        const int64_t period = in_scan * trigger_ticks;
        int64_t scans = at / period;
        scans -= at < scans * period;
        const uint32_t later = base.scan + (uint32_t)(passed / in_scan) + below(5);
        fw_scan_place(&s, &stamp, later, trigger_ticks, &scan, &fraction);
        assert_int_equal(scan, (uint32_t)(base.scan + (uint32_t)scans));
        assert_int_equal(fraction, ((at - scans * period) << 16) / period);
    }
}

/* The Uno's way: registers as an interrupt finds them, the trigger's conversion under way or not.
 */
static void registers_are_placed(void **state)
{
    (void)state;
    for (size_t i = 0; i < test_cases(20000); i++) {
        struct fw_scan s;
        set_up(&s);
        const uint32_t in_scan = (uint32_t)s.channels * s.conversions;
        const uint32_t trigger_ticks = 316 + below(5000);
        const uint32_t trigger = in_scan + below(100000); /* the last one that passed */
        const uint32_t tick = below(trigger_ticks - FW_TOP_TICKS);
        const bool busy = below(2) == 0;
        const uint32_t awaited = trigger + (busy ? 0 : 1);
        const struct fw_stamp stamp = {.tick = (FW_TICK)tick,
                                       .now = (FW_TICK)tick,
                                       .index = (uint16_t)(awaited / in_scan),
                                       .channel = (uint8_t)(awaited % in_scan % s.channels),
                                       .round = (uint8_t)(awaited % in_scan / s.channels),
                                       .busy = busy};
        uint32_t scan = 0;
        uint16_t fraction = 0;
        fw_scan_place(&s, &stamp, awaited / in_scan + below(3), trigger_ticks, &scan, &fraction);
        assert_int_equal(scan, trigger / in_scan);
        assert_int_equal(fraction, (((uint64_t)(trigger % in_scan) * trigger_ticks + tick) << 16) /
                                       ((uint64_t)in_scan * trigger_ticks));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scan_is_sent_or_counted),
        cmocka_unit_test(stamps_lie_where_they_must),
        cmocka_unit_test(registers_are_placed),
    };
    atoll_rng_seed(&rng, test_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
