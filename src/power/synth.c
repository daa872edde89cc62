/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The synth meter: a microcontroller that scans modelled sensors fed with the power of a simulated
 * board, and talks in the same frames as the real one. Its clock is off by some per mille; a scan
 * is the mean power of its cell (the conversions of a cell are spread over it); a frame arrives
 * with the latency of a USB link.
 */
#include "synth_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_SCANS_MAX = ATOLL_WIRE_PAYLOAD_MAX / 2 };

static const double latency_ns = 150e3;       /* least, from end of scan to arrival */
static const double latency_more_ns = 100e3;  /* mean of the exponential on top */
static const double clock_spread_frac = 2e-3; /* ceramic resonator: within +-0.5 % */

struct synth {
    const struct synth_sensor *sensor;
    struct synth_channel channels[ATOLL_METER_RAILS_MAX];
    double volt[ATOLL_METER_RAILS_MAX];        ///< as it truly is
    double mv_per_code[ATOLL_METER_RAILS_MAX]; ///< of the voltage channels, truly
    uint32_t n, n_samples;                     ///< rails; with voltage channels twice as many
    double rail_frac; ///< how far rails are off their nominal voltage, standard deviation
    bool ideal, fed;
    double loss, flip; ///< chance per byte of the line
    double fast_frac;  ///< how much faster its clock runs
    double period_ns;  ///< true, in host time
    struct atoll_rng rng;
    /* the cell under way; times count from origin_ns */
    uint64_t origin_ns;
    double at_ns, edge_ns;
    double power_mw[ATOLL_METER_RAILS_MAX], charge[ATOLL_METER_RAILS_MAX]; ///< charge: mW x ns
    double drift; ///< share of the drift that has happened
    uint64_t scan;
    /* the frame under way */
    uint32_t frame_scans, in_frame, scans_per_second;
    uint64_t first_in_frame;
    uint16_t codes[FRAME_SCANS_MAX];
    uint8_t seq;
    double last_arrival_ns;
};

/* --------------------------------------------------------------------- line */

static size_t harm(struct synth *s, uint8_t *bytes, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (atoll_rng_unit(&s->rng) < s->loss) {
            continue;
        }
        const bool flip = atoll_rng_unit(&s->rng) < s->flip;
        bytes[kept++] = (uint8_t)(bytes[i] ^ (flip ? 1u << atoll_rng_below(&s->rng, 8) : 0u));
    }
    return kept;
}

static uint64_t arrival(struct synth *s)
{
    const double more =
        s->ideal ? latency_more_ns : latency_more_ns * atoll_rng_exponential(&s->rng);
    const double after_ns = s->at_ns + latency_ns + more;
    s->last_arrival_ns = after_ns > s->last_arrival_ns ? after_ns : s->last_arrival_ns;
    return s->origin_ns + (uint64_t)(int64_t)s->last_arrival_ns; /* modulo 2^64 */
}

static void send(struct synth *s, struct atoll_meter *m, struct atoll_wire_frame *f)
{
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    f->seq = s->seq++;
    size_t n = atoll_wire_encode(f, bytes);
    if (s->loss > 0 || s->flip > 0) {
        n = harm(s, bytes, n);
    }
    atoll_meter_push(m, bytes, n, arrival(s));
}

/* The calibration as the meter believes it; ranges of the frame's fields cut what does not fit. */
static void introduce_channel(struct synth *s, struct atoll_meter *m, uint32_t c)
{
    const struct atoll_meter_channel *k = &m->setup.channels[c];
    const double sums = s->sensor->conversions; /* the frame speaks of one conversion */
    struct atoll_wire_frame f = {
        .type = ATOLL_WIRE_CHANNEL,
        .channel = {.index = (uint8_t)c,
                    .kind = ATOLL_WIRE_CURRENT,
                    .rail = (uint8_t)c,
                    .nominal_mv = (uint16_t)fmin(k->volt * 1e3, UINT16_MAX),
                    .zero_256 = (int32_t)(k->zero_code / sums * 256),
                    .gain = (uint32_t)fmin(k->ma_per_code * sums * 1e6, UINT32_MAX),
                    .gain_u_ppm = (uint16_t)fmin(k->u_gain_frac * 1e6, UINT16_MAX),
                    .zero_u_256 = (uint16_t)fmin(k->u_zero_code / sums * 256, UINT16_MAX)}};
    const char *name = m->rails[c].name;
    for (size_t i = 0; i < sizeof f.channel.name && name[i] != '\0'; i++) {
        f.channel.name[i] = name[i];
    }
    send(s, m, &f);
}

/* What the host needs to read scans; said again each second, since a line can lose it. */
static void introduce(struct synth *s, struct atoll_meter *m)
{
    const struct synth_sensor *k = s->sensor;
    struct atoll_wire_frame hello = {
        .type = ATOLL_WIRE_HELLO,
        .hello = {.device = 1, .channels = (uint8_t)s->n, .name = "atoll synth"}};
    struct atoll_wire_frame config = {
        .type = ATOLL_WIRE_CONFIG,
        .config = {.id = 1,
                   .channels = (uint16_t)((1u << s->n_samples) - 1),
                   .bits = 16,
                   .conversions = k->conversions,
                   .adc_bits = k->adc_bits,
                   .tick_hz = 1000000000,
                   .period_ticks = (uint32_t)(1e9 / m->setup.rate_hz + 0.5),
                   .reference_uv = 5000000}};
    struct atoll_wire_frame stat = {.type = ATOLL_WIRE_STAT,
                                    .stat = {.scans = (uint32_t)s->scan, .supply_mv = 5000}};
    send(s, m, &hello);
    send(s, m, &config);
    for (uint32_t c = 0; c < s->n; c++) {
        introduce_channel(s, m, c);
    }
    send(s, m, &stat);
}

static void send_scans(struct synth *s, struct atoll_meter *m)
{
    uint8_t payload[ATOLL_WIRE_PAYLOAD_MAX];
    const size_t n = atoll_wire_pack(payload, s->codes, (size_t)s->in_frame * s->n_samples, 16);
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_DATA,
                                 .data = {.config = 1,
                                          .first_scan = (uint32_t)s->first_in_frame,
                                          .n_scans = (uint8_t)s->in_frame,
                                          .payload_bytes = (uint8_t)n,
                                          .payload = payload}};
    send(s, m, &f);
    s->in_frame = 0;
    s->first_in_frame = s->scan;
    if (s->scan % s->scans_per_second < s->frame_scans) {
        introduce(s, m);
    }
    const double drift_tau_ns = 1e9 * m->setup.channels[0].drift_tau_s;
    s->drift = drift_tau_ns > 0 && s->at_ns > 0 ? 1 - exp(-s->at_ns / drift_tau_ns) : 0;
}

/* -------------------------------------------------------------------- scans */

static uint16_t convert(struct synth *s, uint32_t channel, double mean_mw)
{
    struct synth_channel *c = &s->channels[channel];
    const double full = (double)((1u << s->sensor->adc_bits) - 1) * s->sensor->conversions;
    double code = c->zero_code + mean_mw / s->volt[channel] / c->ma_per_code;
    if (s->ideal) {
        code += c->residue;
    } else {
        code += c->drift_code * s->drift + c->noise_code * atoll__synth_noise(&s->rng);
    }
    double whole = (double)(int64_t)(code + 0.5);
    whole = whole > 0 ? whole < full ? whole : full : 0;
    c->residue = s->ideal ? code - whole : 0;
    return (uint16_t)whole;
}

static uint16_t convert_volt(struct synth *s, const struct atoll_meter_voltage *v, uint32_t rail)
{
    const double code = s->volt[rail] * 1e3 / s->mv_per_code[rail] +
                        (s->ideal ? 0 : v->noise_code * atoll__synth_noise(&s->rng));
    return (uint16_t)(code + 0.5);
}

static void end_cell(struct synth *s, struct atoll_meter *m)
{
    uint16_t *codes = s->codes + (size_t)s->in_frame * s->n_samples;
    for (uint32_t c = 0; c < s->n; c++) {
        codes[c] = convert(s, c, s->charge[c] / s->period_ns);
        s->charge[c] = 0;
    }
    for (uint32_t c = s->n; c < s->n_samples; c++) {
        codes[c] = convert_volt(s, &m->setup.voltages[c - s->n], c - s->n);
    }
    s->scan++;
    s->in_frame++;
    if (s->in_frame == s->frame_scans) {
        send_scans(s, m);
    }
}

/* Lets time pass up to `to_ns` (from the origin) at the present power. */
static void pass(struct synth *s, struct atoll_meter *m, double to_ns)
{
    while (s->edge_ns <= to_ns) {
        for (uint32_t c = 0; c < s->n; c++) {
            s->charge[c] += s->power_mw[c] * (s->edge_ns - s->at_ns);
        }
        s->at_ns = s->edge_ns;
        s->edge_ns += s->period_ns;
        end_cell(s, m);
    }
    if (to_ns > s->at_ns) {
        for (uint32_t c = 0; c < s->n; c++) {
            s->charge[c] += s->power_mw[c] * (to_ns - s->at_ns);
        }
        s->at_ns = to_ns;
    }
}

/* ------------------------------------------------------------------- driver */

static void synth_feed(void *state, struct atoll_meter *m, uint64_t t_ns, const double *rail_mw,
                       uint32_t n_rails)
{
    struct synth *s = state;
    if (m->started && s->fed) {
        pass(s, m, atoll__power_since(t_ns, s->origin_ns));
    }
    for (uint32_t c = 0; c < s->n; c++) {
        s->power_mw[c] = c < n_rails ? rail_mw[c] : 0;
    }
    s->fed = true;
    if (m->started) {
        pass(s, m, atoll__power_since(t_ns, s->origin_ns));
    }
}

static int synth_start(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct synth *s = state;
    (void)err;
    /* scanning begins a window and some part of a cell earlier, so that a marker at the start has
     * scans in front of it */
    const double before = 2.0 * m->half_window + atoll_rng_unit(&s->rng);
    s->origin_ns = t_ns;
    s->at_ns = -before * s->period_ns;
    s->edge_ns = s->at_ns + s->period_ns;
    s->last_arrival_ns = s->at_ns;
    introduce(s, m);
    return 0;
}

static int synth_advance(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    (void)err;
    struct synth *s = state;
    if (s->fed) { /* else the first feed says what the power was until now */
        pass(s, m, atoll__power_since(t_ns, s->origin_ns));
    }
    return 0;
}

static int synth_stop(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                      struct atoll_err *err)
{
    struct synth *s = state;
    (void)err;
    pass(s, m, atoll__power_since(t_ns, s->origin_ns) + (double)scans * s->period_ns);
    while (s->in_frame > 0) { /* whole frames only: each tells the time map where its end was */
        pass(s, m, s->edge_ns);
    }
    return 0;
}

/* --------------------------------------------------------------------- open */

static int set_number(double *to, const char *key, const char *text, double low, double high,
                      struct atoll_err *err)
{
    double v = 0;
    if (!atoll_parse_double(text, &v) || v < low || v > high) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter synth: %s=%s (expected a number from %g to %g)",
                          key, text, low, high);
    }
    *to = v;
    return 0;
}

static int set_option(struct synth *s, double *ppm, const char *item, struct atoll_err *err)
{
    const char *equals = strchr(item, '=');
    const size_t n = equals != NULL ? (size_t)(equals - item) : strlen(item);
    if (equals == NULL && strcmp(item, "volts") == 0) {
        s->n_samples = 2 * s->n;
        return 0;
    }
    if (equals == NULL) {
        s->sensor = atoll__synth_sensor_find(item, n);
        return s->sensor != NULL
                   ? 0
                   : atoll_fail(err, ATOLL_EUSAGE, "meter synth: unknown sensor '%s' (known: %s)",
                                item, atoll__synth_sensor_names);
    }
    if (n == 4 && strncmp(item, "rail", n) == 0) {
        return set_number(&s->rail_frac, "rail", equals + 1, 0, 0.1, err);
    }
    if (n == 3 && strncmp(item, "ppm", n) == 0) {
        return set_number(ppm, "ppm", equals + 1, -20000, 20000, err);
    }
    if (n == 4 && strncmp(item, "loss", n) == 0) {
        return set_number(&s->loss, "loss", equals + 1, 0, 1, err);
    }
    if (n == 4 && strncmp(item, "flip", n) == 0) {
        return set_number(&s->flip, "flip", equals + 1, 0, 1, err);
    }
    return atoll_fail(err, ATOLL_EUSAGE,
                      "meter synth: unknown option '%s' (known: a sensor, volts, rail=, ppm=, "
                      "loss=, flip=)",
                      item);
}

static int parse(struct synth *s, double *ppm, const char *arg, struct atoll_err *err)
{
    char item[64];
    int rc = 0;
    for (const char *at = arg; rc == 0 && at != NULL && *at != '\0';) {
        const size_t n = strcspn(at, ",");
        (void)snprintf(item, sizeof item, "%.*s", n < 60 ? (int)n : 60, at);
        rc = set_option(s, ppm, item, err);
        at += n + (at[n] == ',');
    }
    return rc;
}

static void set_rate(struct synth *s, struct atoll_meter_setup *setup, double rate_hz, double ppm)
{
    const double spread = clock_spread_frac * atoll_rng_normal(&s->rng);
    double fast = s->ideal ? 0 : spread > 5e-3 ? 5e-3 : spread < -5e-3 ? -5e-3 : spread;
    fast = isnan(ppm) ? fast : ppm / 1e6;
    setup->rate_hz = rate_hz > 0 ? rate_hz : 1000;
    setup->u_rate_frac = fmax(clock_spread_frac, fabs(fast));
    setup->latency_ns = latency_ns + latency_more_ns;
    setup->u_latency_ns = s->ideal ? 0 : latency_more_ns;
    s->fast_frac = fast;
    s->period_ns = 1e9 / setup->rate_hz / (1 + fast);
    s->scans_per_second = setup->rate_hz < 1 ? 1 : (uint32_t)setup->rate_hz;
    const double twenty_ms = setup->rate_hz * 0.02;
    const uint32_t most = FRAME_SCANS_MAX / s->n_samples;
    s->frame_scans = twenty_ms < 1 ? 1 : twenty_ms < most ? (uint32_t)twenty_ms : most;
}

/* The rails' true voltages, and the channels that measure them. */
static void draw_volts(struct synth *s, struct atoll_meter_setup *setup,
                       const struct atoll_meter_opts *o)
{
    for (uint32_t c = 0; c < s->n && s->rail_frac > 0; c++) {
        s->volt[c] = o->rails[c].volt * (1 + s->rail_frac * atoll_rng_normal(&s->rng));
        setup->channels[c].u_volt_frac = s->rail_frac;
    }
    if (s->n_samples == s->n) {
        return;
    }
    setup->n_samples = s->n_samples;
    for (uint32_t c = 0; c < s->n; c++) {
        struct atoll_meter_voltage *v = &setup->voltages[c];
        setup->channels[c].at = c;
        s->mv_per_code[c] = atoll__synth_voltage_init(v, s->sensor, o->rails[c].volt, &s->rng);
        v->at = s->n + c;
    }
}

static int synth_open(const char *arg, const struct atoll_meter_opts *o,
                      struct atoll_meter_setup *setup, void **state, struct atoll_err *err)
{
    if (o->n_rails == 0) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter synth: needs the rails of a simulated board");
    }
    struct synth *s = atoll_calloc(1, sizeof *s);
    double ppm = NAN;
    if (s == NULL) {
        return atoll_fail_nomem(err, "synth meter", sizeof *s);
    }
    s->n = s->n_samples = o->n_rails;
    s->sensor = atoll__synth_sensor_find("acs712", 6);
    const int rc = parse(s, &ppm, arg, err);
    if (rc != 0) {
        atoll_free(s);
        return rc;
    }
    s->ideal = o->ideal;
    s->sensor = s->ideal ? &atoll__synth_sensor_ideal : s->sensor;
    atoll_rng_seed(&s->rng, atoll_seed_mix(o->seed, 0x6d65746572));
    set_rate(s, setup, o->rate_hz, ppm);
    const double reference_error = s->sensor->reference_frac * atoll_rng_normal(&s->rng);
    for (uint32_t c = 0; c < s->n; c++) {
        setup->channels[c].volt = s->volt[c] = o->rails[c].volt;
        atoll__synth_channel_init(&s->channels[c], &setup->channels[c], s->sensor, reference_error,
                                  &s->rng);
    }
    draw_volts(s, setup, o);
    setup->conversions = s->sensor->conversions;
    setup->origin = ATOLL_ORIGIN_SIMULATED;
    (void)snprintf(setup->description, sizeof setup->description, "%s%s", s->sensor->title,
                   s->ideal ? "" : ", zero and gain calibrated at open");
    *state = s;
    return 0;
}

static void synth_close(void *state)
{
    atoll_free(state);
}

const struct atoll_meter_driver atoll__power_synth = {
    .name = "synth",
    .help = "[acs712|ina228][,volts][,rail=FRAC][,ppm=N][,loss=P][,flip=P]: modelled sensors on "
            "the rails of a simulated board",
    .open = synth_open,
    .close = synth_close,
    .start = synth_start,
    .advance = synth_advance,
    .stop = synth_stop,
    .feed = synth_feed,
};
