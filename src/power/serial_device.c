/* SPDX-License-Identifier: Apache-2.0 */
/* The device at the end of the line: who it is, which channels make a rail, its own test, and the
 * calibration that it keeps. */
#include "serial_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HELLO_MS = 4000, ANSWER_MS = 2000, STORE_MS = 4000 };
static const double resonator_frac = 0.003; /* +-0.5 % as a rectangle */
static const double drift_ma = 3, drift_tau_s = 300;

/* What the port's converter and its usual sensor are good for. */
struct device_kind {
    double conversions_hz; ///< more cost the converter's accuracy, or it cannot do them
    double noise_code;     ///< of one conversion, sensor and rounding
};
static struct device_kind kind_of(const struct serial *s)
{
    enum { STM32F4 = 3 }; /* docs/wire-format.md, HELLO */
    /* ACS725 at full bandwidth on 12 bits of 3.3 V, from the sheet's noise density: 4 mV */
    const struct device_kind stm32 = {.conversions_hz = 800000, .noise_code = 5};
    /* ACS712 on 10 bits of 5 V, docs/method-energy.md */
    const struct device_kind uno = {.conversions_hz = 15000, .noise_code = 0.7};
    return s->hello.device == STM32F4 ? stm32 : uno;
}

static int ask(struct serial *s, uint8_t what, struct atoll_err *err)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_ASK, .ask = what};
    return atoll__serial_send(&s->port, &f, err);
}

int atoll__serial_run(struct serial *s, bool on, struct atoll_err *err)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_RUN, .run = on};
    return atoll__serial_send(&s->port, &f, err);
}

/* ------------------------------------------------------------------ greetings */

static void greet(void *ctx, const uint8_t *bytes, size_t n, uint64_t arrival_ns)
{
    struct serial *s = ctx;
    (void)arrival_ns;
    while (n > 0) {
        struct atoll_wire_frame f;
        bool got = false;
        const size_t taken = atoll_wire_decode(&s->decoder, bytes, n, &f, &got);
        bytes += taken;
        n -= taken;
        if (!got) {
            continue;
        }
        if (f.type == ATOLL_WIRE_HELLO) {
            s->hello = f.hello;
            s->greeted = true;
        } else if (f.type == ATOLL_WIRE_CHANNEL) {
            s->channels[f.channel.index] = f.channel;
            s->known |= (uint16_t)(1u << f.channel.index);
        } else if (f.type == ATOLL_WIRE_CONFIG) {
            s->config = f.config;
            s->configured = true;
        } else if (f.type == ATOLL_WIRE_STAT) {
            s->stat = f.stat;
            s->reported = true;
        } else if (f.type == ATOLL_WIRE_ERROR) {
            s->error = f.error;
            s->refused = true;
        }
    }
}

static bool know_all(const struct serial *s)
{
    return s->known == (uint16_t)((1u << s->hello.channels) - 1);
}

static bool knows(const struct serial *s, uint8_t what)
{
    return what == ATOLL_WIRE_HELLO     ? s->greeted
           : what == ATOLL_WIRE_CHANNEL ? know_all(s)
           : what == ATOLL_WIRE_STAT    ? s->reported
           : what == ATOLL_WIRE_ERROR   ? s->refused
                                        : s->configured || s->refused;
}

/* Asks again and again until the answer is there; a line that was just opened loses some, and an
 * Arduino that was just reset sits in its boot loader for two seconds. */
static int learn(struct serial *s, uint8_t what, uint64_t patience_ms, struct atoll_err *err)
{
    const uint64_t end_ns = atoll_now_ns() + atoll__serial_ms(patience_ms);
    uint64_t again_ns = 0;
    int rc = 0;
    while (rc == 0 && !knows(s, what)) {
        const uint64_t now_ns = atoll_now_ns();
        if (now_ns > end_ns) {
            return atoll_fail(err, ATOLL_EDEVICE,
                              "meter %s: %s (is it a meter with atoll's firmware, at %u baud?)",
                              s->port.path,
                              s->decoder.good + s->decoder.damaged > 0 ? "does not answer in frames"
                                                                       : "does not answer",
                              s->port.baud);
        }
        if (now_ns > again_ns) {
            again_ns = now_ns + atoll__serial_ms(300);
            rc = what == ATOLL_WIRE_HELLO ? atoll__serial_run(s, false, err) : 0;
            rc = rc == 0 ? ask(s, what, err) : rc;
        }
        atoll__serial_pause();
        rc = rc == 0 ? atoll__serial_drain(&s->port, greet, s, err) : rc;
    }
    return rc;
}

static int configure(struct serial *s, struct atoll_err *err)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_SET, .set = s->set};
    s->configured = s->refused = false;
    const uint64_t end_ns = atoll_now_ns() + atoll__serial_ms(ANSWER_MS);
    uint64_t again_ns = 0;
    int rc = 0;
    while (rc == 0 && !s->configured && !s->refused && atoll_now_ns() < end_ns) {
        if (atoll_now_ns() > again_ns) {
            again_ns = atoll_now_ns() + atoll__serial_ms(400);
            rc = atoll__serial_send(&s->port, &f, err);
        }
        atoll__serial_pause();
        rc = rc == 0 ? atoll__serial_drain(&s->port, greet, s, err) : rc;
    }
    if (rc == 0 && s->refused) {
        return atoll_fail(err, ATOLL_EDEVICE, "meter %s: %.*s (code %u, detail %u)", s->port.path,
                          (int)s->error.text_bytes, s->error.text, s->error.code, s->error.detail);
    }
    if (rc == 0 && !s->configured) {
        return atoll_fail(err, ATOLL_EDEVICE, "meter %s: does not answer SET", s->port.path);
    }
    return rc;
}

/* ---------------------------------------------------------------------- setup */

/* Sums of as many conversions as keep the converter slow enough to be exact. */
static void choose(struct serial *s, uint16_t mask, double rate_hz)
{
    const double n = atoll_wire_count(mask);
    const double fit = floor(kind_of(s).conversions_hz / (rate_hz * n));
    const double k = fit < 1 ? 1 : fit > 16 ? 16 : fit;
    const double full = k * ((double)(1u << s->config.adc_bits) - 1);
    s->set = (struct atoll_wire_set){.channels = mask,
                                     .bits = full < 1024   ? 10
                                             : full < 4096 ? 12
                                                           : 16,
                                     .conversions = (uint8_t)(full < 65536 ? k : 1),
                                     .period_ticks = (uint32_t)(s->config.tick_hz / rate_hz + 0.5)};
}

/* The device makes a scan of `conversions` rounds over all channels at equal distances; the mean of
 * the channel at place `at` lies this part of a scan after the middle. */
static double skew_of(const struct serial *s, uint32_t at)
{
    const double n = atoll_wire_count(s->config.channels);
    return (at / n - 0.5) / s->config.conversions;
}

static uint32_t place_of(uint16_t mask, uint8_t channel)
{
    return atoll_wire_count((uint16_t)(mask & ((1u << channel) - 1)));
}

static void describe_current(const struct serial *s, const struct atoll_wire_channel *c,
                             double volt, struct atoll_meter_channel *out)
{
    const double k = s->config.conversions;
    const double ma = c->gain / 1e6; /* of one conversion */
    const double gain = c->gain_u_ppm / 1e6;
    const bool calibrated = c->day > 0; /* then most of it is the reference, common to all */
    *out = (struct atoll_meter_channel){.volt = volt > 0 ? volt : c->nominal_mv / 1e3,
                                        .u_volt_frac = s->volt_frac,
                                        .zero_code = c->zero_256 / 256.0 * k,
                                        .ma_per_code = ma / k,
                                        .u_gain_frac = calibrated ? 0 : gain,
                                        .gain_dof = INFINITY,
                                        .u_reference_frac = calibrated ? gain : 0,
                                        .u_zero_code = c->zero_u_256 / 256.0 * k,
                                        .u_drift_code = ma > 0 ? drift_ma / ma * k : 0,
                                        .drift_tau_s = drift_tau_s,
                                        .noise_code = kind_of(s).noise_code * sqrt(k),
                                        .noise_dof = 255};
    out->at = place_of(s->config.channels, c->index);
    out->skew = skew_of(s, out->at);
}

static void describe_voltage(const struct serial *s, const struct atoll_wire_channel *c,
                             struct atoll_meter_voltage *out)
{
    const double k = s->config.conversions;
    *out = (struct atoll_meter_voltage){.measured = true,
                                        .zero_code = c->zero_256 / 256.0 * k,
                                        .mv_per_code = c->gain / 1e6 / k,
                                        .u_gain_frac = c->gain_u_ppm / 1e6,
                                        .u_zero_code = c->zero_u_256 / 256.0 * k,
                                        .noise_code = kind_of(s).noise_code * sqrt(k)};
    out->at = place_of(s->config.channels, c->index);
    out->skew = skew_of(s, out->at);
}

/* The calibrated channel that measures the voltage of this channel's rail. */
static const struct atoll_wire_channel *voltage_of(const struct serial *s,
                                                   const struct atoll_wire_channel *c)
{
    for (uint8_t i = 0; i < s->hello.channels; i++) {
        const struct atoll_wire_channel *v = &s->channels[i];
        if (c->kind == ATOLL_WIRE_CURRENT && v->kind == ATOLL_WIRE_VOLTAGE && v->rail == c->rail &&
            v->day > 0 && v->gain > 0) {
            return v;
        }
    }
    return NULL;
}

static void date_of(uint16_t day, char out[16])
{
    const time_t t = (time_t)day * 86400;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || strftime(out, 16, "%Y-%m-%d", &tm) == 0) {
        (void)snprintf(out, 16, "day %u", day);
    }
}

static int describe(struct serial *s, uint32_t n, const struct atoll_meter_opts *o,
                    struct atoll_meter_setup *setup, struct atoll_err *err)
{
    uint16_t day = UINT16_MAX;
    for (uint32_t i = 0; i < n; i++) {
        const struct atoll_wire_channel *c = &s->channels[s->wired[i]];
        const struct atoll_wire_channel *v = voltage_of(s, c);
        struct atoll_meter_channel *out = &setup->channels[i];
        describe_current(s, c, o->n_rails > 0 ? o->rails[i].volt : 0, out);
        if (v != NULL) {
            describe_voltage(s, v, &setup->voltages[i]);
        }
        if (s->only[0] != '\0') { /* to be calibrated: it need not be usable yet */
            out->volt = out->volt > 0 ? out->volt : 1;
        } else if (!(out->volt > 0) || c->gain == 0) {
            return atoll_fail(err, ATOLL_EDEVICE,
                              "meter %s: channel %u has no voltage or no gain; calibrate it",
                              s->port.path, c->index);
        }
        (void)snprintf(setup->names[i], sizeof setup->names[i], "%.12s", c->name);
        day = c->day < day ? c->day : day;
    }
    setup->n_rails = n;
    setup->conversions = s->config.conversions;
    setup->n_samples = atoll_wire_count(s->config.channels);
    setup->origin = ATOLL_ORIGIN_MEASURED;
    setup->rate_hz = (double)s->config.tick_hz / s->config.period_ticks;
    setup->u_rate_frac = resonator_frac;
    setup->latency_ns = 1e7; /* until SYNC says better */
    setup->u_latency_ns = 1e7;
    setup->jitter_ns = 1e6;
    char age[40] = "not calibrated";
    if (day > 0) {
        char date[16];
        date_of(day, date);
        (void)snprintf(age, sizeof age, "calibrated %s", date);
    }
    (void)snprintf(setup->description, sizeof setup->description,
                   "%.16s, firmware %u.%u.%u, sums of %u, %s", s->hello.name, s->hello.firmware[0],
                   s->hello.firmware[1], s->hello.firmware[2], s->config.conversions, age);
    return 0;
}

/* Option channel=: a number, or the name of a rail's current channel. -1: none is called that. */
static int find_only(const struct serial *s)
{
    if (strspn(s->only, "0123456789") == strlen(s->only)) {
        const int i = (int)strtol(s->only, NULL, 10);
        return i < s->hello.channels ? i : -1;
    }
    for (uint8_t i = 0; i < s->hello.channels; i++) {
        if (strncmp(s->channels[i].name, s->only, sizeof s->channels[i].name) == 0 &&
            s->channels[i].kind == ATOLL_WIRE_CURRENT) {
            return i;
        }
    }
    return -1;
}

/* The channels of the rails, in s->wired. Asked for no rails: those that somebody has calibrated,
 * else the first one. */
static uint32_t wire(struct serial *s, uint32_t n_rails)
{
    uint32_t n = 0;
    bool calibrated = false;
    if (s->only[0] != '\0') {
        const int i = find_only(s);
        s->wired[0] = (uint8_t)(i < 0 ? 0 : i);
        return i < 0 ? 0 : 1;
    }
    for (uint8_t i = 0; i < s->hello.channels; i++) {
        calibrated =
            calibrated || (s->channels[i].kind == ATOLL_WIRE_CURRENT && s->channels[i].day > 0);
    }
    const uint32_t want = n_rails > 0 ? n_rails : calibrated ? ATOLL_METER_RAILS_MAX : 1;
    for (uint8_t i = 0; i < s->hello.channels && n < want; i++) {
        if (s->channels[i].kind == ATOLL_WIRE_CURRENT &&
            (n_rails > 0 || !calibrated || s->channels[i].day > 0)) {
            s->wired[n++] = i;
        }
    }
    return n;
}

int atoll__serial_identify(struct serial *s, const struct atoll_meter_opts *o,
                           struct atoll_meter_setup *setup, struct atoll_err *err)
{
    int rc = learn(s, ATOLL_WIRE_HELLO, HELLO_MS, err);
    if (rc == 0 && (s->hello.channels == 0 || s->hello.channels > ATOLL_WIRE_CHANNELS_MAX - 1)) {
        rc = atoll_fail(err, ATOLL_EDEVICE, "meter %s: says it has %u channels", s->port.path,
                        s->hello.channels);
    }
    rc = rc == 0 ? learn(s, ATOLL_WIRE_CHANNEL, ANSWER_MS, err) : rc;
    s->configured = s->refused = false;
    rc = rc == 0 ? learn(s, ATOLL_WIRE_CONFIG, ANSWER_MS, err) : rc;
    if (rc != 0) {
        return rc;
    }
    const uint32_t n = wire(s, o->n_rails);
    if (n == 0 || n < o->n_rails) {
        return s->only[0] != '\0'
                   ? atoll_fail(err, ATOLL_EUSAGE, "meter %s: has no channel '%s'", s->port.path,
                                s->only)
                   : atoll_fail(err, ATOLL_EDEVICE,
                                "meter %s: has %u usable current channels (expected %u)",
                                s->port.path, n, o->n_rails > 0 ? o->n_rails : 1);
    }
    uint16_t mask = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct atoll_wire_channel *v = voltage_of(s, &s->channels[s->wired[i]]);
        mask |= (uint16_t)(1u << s->wired[i] | (v != NULL ? 1u << v->index : 0));
    }
    choose(s, mask, o->rate_hz > 0 ? o->rate_hz : 1000);
    rc = configure(s, err);
    if (rc == 0 && s->config.channels != mask) {
        rc = atoll_fail(err, ATOLL_EDEVICE, "meter %s: scans channels %#x (asked for %#x)",
                        s->port.path, s->config.channels, mask);
    }
    return rc == 0 ? describe(s, n, o, setup, err) : rc;
}

/* ----------------------------------------------------------------------- test */

static void ATOLL_PRINTF(5, 6) add_check(struct atoll_meter_check *checks, uint32_t *n,
                                         const char *name, bool ok, const char *fmt, ...)
{
    if (*n < ATOLL_METER_CHECKS_MAX) {
        struct atoll_meter_check *c = &checks[(*n)++];
        va_list args;
        (void)snprintf(c->name, sizeof c->name, "%s", name);
        c->ok = ok;
        va_start(args, fmt);
        (void)vsnprintf(c->detail, sizeof c->detail, fmt, args);
        va_end(args);
    }
}

static void check_channels(const struct serial *s, struct atoll_meter_check *checks, uint32_t *n)
{
    for (uint8_t i = 0; i < s->hello.channels; i++) {
        const struct atoll_wire_channel *c = &s->channels[i];
        char name[24];
        char date[16];
        (void)snprintf(name, sizeof name, "channel %u", i);
        if (c->kind == ATOLL_WIRE_UNUSED || c->day == 0) {
            continue;
        }
        date_of(c->day, date);
        add_check(checks, n, name, c->gain > 0, "%.12s, %s, calibrated %s, gain +-%.2f %%", c->name,
                  c->kind == ATOLL_WIRE_CURRENT ? "current" : "voltage", date, c->gain_u_ppm / 1e4);
    }
}

int atoll__serial_self_test(void *state, struct atoll_meter_check *checks, uint32_t *n,
                            struct atoll_err *err)
{
    enum { SUPPLY = 1, CONVERTER = 2, CALIBRATION = 4 }; /* docs/wire-format.md, ERROR code 5 */
    struct serial *s = state;
    *n = 0;
    s->reported = s->refused = false;
    int rc = learn(s, ATOLL_WIRE_STAT, ANSWER_MS, err);
    s->refused = false;
    rc = rc == 0 ? learn(s, ATOLL_WIRE_ERROR, ANSWER_MS, err) : rc;
    if (rc != 0) {
        return rc;
    }
    const struct atoll_wire_hello *h = &s->hello;
    const uint16_t faults = s->error.code == 0 ? 0 : s->error.detail;
    const bool ran = s->error.code == 0 || s->error.code == 5;
    add_check(checks, n, "identity", true, "%.16s, firmware %u.%u.%u, %u channels, unique %016llx",
              h->name, h->firmware[0], h->firmware[1], h->firmware[2], h->channels,
              (unsigned long long)h->unique);
    add_check(checks, n, "starts", true, "%u since its memory was erased", h->boots);
    add_check(checks, n, "self-test", ran, "%s%.*s",
              ran ? "" : "not run: ", (int)s->error.text_bytes, s->error.text);
    add_check(checks, n, "supply", ran && (faults & SUPPLY) == 0,
              s->stat.supply_mv > 0 ? "%u mV" : "not measured", s->stat.supply_mv);
    add_check(checks, n, "converter", ran && (faults & CONVERTER) == 0, "%s",
              faults & CONVERTER ? "constant or full-scale codes on its own reference"
                                 : "codes of its own reference are right");
    add_check(checks, n, "calibration store", ran && (faults & CALIBRATION) == 0, "%s",
              faults & CALIBRATION ? "a stored record is damaged; calibrate again"
                                   : "all records have the right CRC");
    add_check(checks, n, "line", s->decoder.damaged == 0 && s->stat.bad_frames == 0,
              "%u frames to the host, %u damaged; %u damaged and %u bytes lost at the device",
              s->decoder.good, s->decoder.damaged, s->stat.bad_frames, s->stat.overruns);
    if (s->stat.temperature_centi_c != INT16_MIN) {
        add_check(checks, n, "temperature", true, "%.1f degC", s->stat.temperature_centi_c / 100.0);
    }
    check_channels(s, checks, n);
    return 0;
}

/* ---------------------------------------------------------------- calibration */

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* The channel's record with what was found. */
static struct atoll_wire_channel record_of(const struct serial *s,
                                           const struct atoll_calibration *c)
{
    struct atoll_wire_channel r = s->channels[s->wired[c->rail]];
    const double k = s->config.conversions;
    const bool divider = c->kind == ATOLL_CALIBRATE_DIVIDER;
    r.kind = divider ? ATOLL_WIRE_VOLTAGE : ATOLL_WIRE_CURRENT;
    for (size_t i = 0; c->name[0] != '\0' && i < sizeof r.name; i++) {
        r.name[i] = i < strlen(c->name) ? c->name[i] : '\0';
    }
    for (uint8_t i = 0; divider && i < s->hello.channels; i++) { /* the rail of that name */
        const struct atoll_wire_channel *o = &s->channels[i];
        if (o->kind == ATOLL_WIRE_CURRENT && memcmp(o->name, r.name, sizeof r.name) == 0) {
            r.rail = o->rail;
        }
    }
    if (c->nominal_volt > 0) {
        r.nominal_mv = (uint16_t)clamp(c->nominal_volt * 1e3 + 0.5, 1, UINT16_MAX);
    }
    if (c->kind != ATOLL_CALIBRATE_GAIN) {
        r.zero_256 = (int32_t)lround(c->zero_code / k * 256);
        r.zero_u_256 = (uint16_t)clamp(ceil(c->u_zero_code / k * 256), 1, UINT16_MAX);
    }
    if (c->kind != ATOLL_CALIBRATE_ZERO) {
        r.gain = (uint32_t)clamp(c->per_code * k * 1e6 + 0.5, 1, UINT32_MAX);
        r.gain_u_ppm = (uint16_t)clamp(ceil(c->u_gain_frac * 1e6), 1, UINT16_MAX);
    }
    r.day = c->day;
    r.temperature_c = c->temperature_c;
    return r;
}

int atoll__serial_store(void *state, const struct atoll_calibration *c, struct atoll_err *err)
{
    struct serial *s = state;
    const struct atoll_wire_channel r = record_of(s, c);
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_STORE, .channel = r};
    const uint64_t end_ns = atoll_now_ns() + atoll__serial_ms(STORE_MS);
    int rc = atoll__serial_drain(&s->port, greet, s, err);
    s->known &= (uint16_t) ~(1u << r.index);
    s->refused = false;
    rc = rc == 0 ? atoll__serial_send(&s->port, &f, err) : rc;
    while (rc == 0 && !know_all(s) && !s->refused && atoll_now_ns() < end_ns) {
        atoll__serial_pause();
        rc = atoll__serial_drain(&s->port, greet, s, err);
    }
    if (rc != 0) {
        return rc;
    }
    const struct atoll_wire_channel *kept = &s->channels[r.index];
    if (!know_all(s) || kept->zero_256 != r.zero_256 || kept->gain != r.gain ||
        kept->day != r.day || kept->kind != r.kind) {
        return atoll_fail(err, ATOLL_EDEVICE, "meter %s: did not keep the calibration: %.*s",
                          s->port.path, s->refused ? (int)s->error.text_bytes : 9,
                          s->refused ? s->error.text : "no answer");
    }
    return 0;
}
