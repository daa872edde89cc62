/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of two bytes: 1 sss hhhh, 0 m llllll (sensor, high and low bits of the level, marker). A
 * word of sensor 7 with the marker bit is a time stamp and begins a record; sensors 0 to 7 follow.
 */
#include "ps3_internal.h"

#include <math.h>
#include <string.h>

/* Per part of the field's boards (MLX91221, 1 %), divider resistors, and half a level of a 10-bit
 * converter that was zeroed once; all standard uncertainties. */
const struct ps3_assumed atoll__ps3_assumed = {
    .gain_frac = 0.01, .volt_frac = 0.005, .zero_ma = 20};

void atoll__ps3_stream_init(struct ps3_stream *s)
{
    *s = (struct ps3_stream){.next = PS3_SENSORS};
}

/* One whole word; true when it completes a record. */
static bool take_word(struct ps3_stream *s, uint8_t high, uint8_t low)
{
    const uint8_t sensor = high >> 4 & 7;
    const uint16_t level = (uint16_t)((high & 15) << 6 | (low & 63));
    const bool marker = (low & 64) != 0;
    if (sensor == PS3_SENSORS - 1 && marker) {
        s->words_dropped += s->next < PS3_SENSORS;
        s->record = (struct ps3_record){.stamp_us = level};
        s->next = 0;
        return false;
    }
    if (sensor != s->next) {
        s->words_dropped++;
        s->next = PS3_SENSORS;
        return false;
    }
    s->record.levels[sensor] = level;
    s->record.marker = s->record.marker || marker;
    s->next++;
    return s->next == PS3_SENSORS;
}

size_t atoll__ps3_stream_take(struct ps3_stream *s, const uint8_t *bytes, size_t n,
                              struct ps3_record *out, bool *got)
{
    *got = false;
    for (size_t i = 0; i < n; i++) {
        if ((bytes[i] & 0x80) != 0) { /* a high byte where a low one was due: one was lost */
            s->words_dropped += s->half;
            s->high = bytes[i];
            s->half = true;
        } else if (s->half) {
            s->half = false;
            if (take_word(s, s->high, bytes[i])) {
                *out = s->record;
                *got = true;
                return i + 1;
            }
        }
    }
    return n;
}

double atoll__ps3_period_us(const uint16_t *stamps_us, size_t n)
{
    uint32_t count[PS3_STAMP_US] = {0};
    uint32_t best = 0;
    double sum = 0;
    double weight = 0;
    for (size_t i = 1; i < n; i++) {
        count[(stamps_us[i] - stamps_us[i - 1]) & (PS3_STAMP_US - 1)]++;
    }
    for (uint32_t step = 2; step < PS3_STAMP_US; step++) {
        best = count[step] > count[best] || best < 2 ? step : best;
    }
    if (n < 20 || count[best] < n / 10) {
        return NAN;
    }
    for (uint32_t step = best - 1; step <= best + 1 && step < PS3_STAMP_US; step++) {
        sum += (double)step * count[step]; /* 48.3 us come as 48 and 49 */
        weight += count[step];
    }
    return sum / weight;
}

/* A loss of more than a turn of the stamp: all that follows stays late against the time map as it
 * was before. A look lasts half a second; what is compared with is at least one look older, since a
 * loss in the middle of a look is part of the map that it leaves. */
static uint32_t missing_turns(struct ps3_clock *c, struct atoll_meter *m, double index,
                              uint64_t host_ns)
{
    const double limit_ns = 3e6;
    const uint64_t look_ns = 500000000;
    if (c->looks >= 2) {
        const double period_ns = atoll__power_timemap_period_ns(&c->ripe);
        const double late = atoll__power_timemap_edge(&c->ripe, host_ns) - index;
        const double late_ns = late * period_ns - c->ripe.latency_ns;
        c->least_ns = fmin(c->least_ns, late_ns);
        c->late_ns += (late_ns - c->late_ns) / ++c->records; /* mean */
    }
    if (m->map.n < 100 || c->since_ns == 0) {
        c->since_ns = host_ns;
        c->least_ns = INFINITY;
    }
    if (host_ns - c->since_ns < look_ns) {
        return 0;
    }
    double turns = 0;
    if (c->looks >= 2 && c->least_ns > limit_ns) {
        turns = floor(c->late_ns / 1e3 / PS3_STAMP_US + 0.5);
        m->map = c->young = c->ripe; /* without what was taken for on time */
    } else {
        c->ripe = c->young;
        c->young = m->map;
        c->looks++;
    }
    c->since_ns = host_ns;
    c->least_ns = INFINITY;
    c->late_ns = c->records = 0;
    return (uint32_t)fmin(turns * PS3_STAMP_US / c->period_us + 0.5, 1e8);
}

uint32_t atoll__ps3_missing(struct ps3_clock *c, struct atoll_meter *m, uint32_t pending,
                            uint16_t stamp_us, uint64_t host_ns)
{
    const double step_us = (stamp_us - c->stamp_us) & (PS3_STAMP_US - 1);
    const bool first = !c->begun;
    c->begun = true;
    c->stamp_us = stamp_us;
    if (first) {
        return 0;
    }
    const double steps = floor(step_us / c->period_us + 0.5);
    const double short_loss = c->timed && steps > 1 ? steps - 1 : 0;
    const double index = (double)m->next + pending + short_loss + 1;
    return (uint32_t)short_loss + missing_turns(c, m, index, host_ns);
}

void atoll__ps3_channel(struct atoll_meter_setup *s, uint32_t pair, double zero_code,
                        double ma_per_code, double volt_zero_code, double mv_per_code,
                        double levels_per_code, const struct ps3_assumed *a)
{
    const double places = 2.0 * s->n_rails;
    struct atoll_meter_channel *c = &s->channels[pair];
    struct atoll_meter_voltage *v = &s->voltages[pair];
    *c = (struct atoll_meter_channel){.zero_code = zero_code,
                                      .ma_per_code = ma_per_code,
                                      .u_gain_frac = a->gain_frac,
                                      .gain_dof = INFINITY,
                                      .u_zero_code = a->zero_ma / fabs(ma_per_code),
                                      .noise_code = 1 / levels_per_code,
                                      .noise_dof = INFINITY};
    *v = (struct atoll_meter_voltage){.measured = true,
                                      .zero_code = volt_zero_code,
                                      .mv_per_code = mv_per_code,
                                      .u_gain_frac = a->volt_frac,
                                      .u_zero_code = 0.5 / levels_per_code,
                                      .noise_code = 1 / levels_per_code};
    c->at = 2 * pair;
    v->at = 2 * pair + 1;
    /* six rounds over the eight sensors, one after the other */
    c->skew = (c->at / places - 0.5) / 6;
    v->skew = (v->at / places - 0.5) / 6;
}
