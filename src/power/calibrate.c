/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calibration of a channel from a record of it: zero, gain, divider. A record that is no good is
 * refused, with what was found and what was expected; docs/power-testbed.md says how to mend it.
 */
#include "power_internal.h"

#include <atoll/stats.h>

#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { BLOCKS = 20, SCANS_MIN = 200 };
static const double noise_limit = 6;         /* times what the sensor should have */
static const double ripple_limit = 0.05;     /* of the signal, with a load */
static const double creep_limit = 0.005;     /* of the signal, over the record */
static const double offset_limit = 0.012;    /* of the converter's range: 1.5 x what a sensor may */
static const double gain_limit = 0.15;       /* off what the data sheet says */
static const double zero_share_limit = 0.02; /* of the signal, the zero's uncertainty */

/* One channel over the window, in codes. */
struct record {
    double mean, stdev;
    double u_mean; ///< from block means, so that hum counts as it should, without the drift
    double drift;  ///< second half less first half
    uint64_t scans;
};

static int fail_record(const struct atoll_meter *m, uint32_t rail, struct atoll_err *err,
                       const char *fmt, ...) ATOLL_PRINTF(4, 5);

static int fail_record(const struct atoll_meter *m, uint32_t rail, struct atoll_err *err,
                       const char *fmt, ...)
{
    char why[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return atoll_fail(err, ATOLL_EDEVICE, "calibration of %s: %s", m->rails[rail].name, why);
}

/* Rows of the kept scans between two markers. */
static int find_rows(struct atoll_meter *m, int32_t from, int32_t to, uint32_t rail, size_t *first,
                     size_t *n, struct atoll_err *err)
{
    struct atoll_energy e;
    if (!m->keep) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: was opened without keep_scans");
    }
    const int rc = atoll_meter_energy(m, from, to, NULL, &e, err);
    if (rc == ATOLL_ENO) {
        return fail_record(m, rail, err, "%llu of %llu scans are missing or over range",
                           (unsigned long long)e.lost_scans, (unsigned long long)e.scans);
    }
    if (rc != 0) {
        return rc;
    }
    const double a = ceil(atoll__power_marker_node(m, &m->markers[from]));
    const double b = floor(atoll__power_marker_node(m, &m->markers[to]));
    if (b - a < SCANS_MIN) {
        return fail_record(m, rail, err, "%.0f scans (expected at least %d: measure for longer)",
                           b - a, SCANS_MIN);
    }
    *first = (size_t)(a - (double)m->first);
    *n = (size_t)(b - a);
    return 0;
}

static void look(const struct atoll_meter *m, size_t first, size_t n, uint32_t column,
                 struct record *r)
{
    double blocks[BLOCKS];
    double sum = 0;
    double square = 0;
    const size_t size = n / BLOCKS;
    const double shift = m->kept_codes[first * m->n_samples + column];
    for (int k = 0; k < BLOCKS; k++) {
        double part = 0;
        for (size_t i = 0; i < size; i++) {
            const size_t row = first + (size_t)k * size + i;
            const double code = m->kept_codes[row * m->n_samples + column] - shift;
            part += code;
            square += code * code;
        }
        blocks[k] = part / (double)size;
        sum += part;
    }
    double steps = 0; /* from block to block: a drift hardly shows in them */
    for (int k = 1; k < BLOCKS; k++) {
        steps += (blocks[k] - blocks[k - 1]) * (blocks[k] - blocks[k - 1]);
    }
    const double count = (double)(size * BLOCKS);
    const double mean = sum / count;
    *r = (struct record){.mean = mean + shift,
                         .stdev = sqrt(fmax(square / count - mean * mean, 0)),
                         .u_mean = sqrt(steps / (2 * (BLOCKS - 1)) / BLOCKS),
                         .drift = atoll_mean(blocks + BLOCKS / 2, BLOCKS / 2) -
                                  atoll_mean(blocks, BLOCKS / 2),
                         .scans = size * BLOCKS};
}

/* Quiet and steady enough? `signal`: the mean above zero, 0 without load. */
static int check_record(const struct atoll_meter *m, uint32_t rail, const struct record *r,
                        double signal, struct atoll_err *err)
{
    const struct atoll_meter_channel *c = &m->setup.channels[rail];
    const double noise = fmax(c->noise_code, 0.3);
    const double noise_max = fmax(noise_limit * noise, ripple_limit * signal);
    const double by_chance = 4 * 2 * r->u_mean; /* a difference of halves: twice u_mean */
    const double drift_max = fmax(fmax(by_chance, c->u_drift_code), creep_limit * signal);
    if (r->stdev > noise_max) {
        return fail_record(m, rail, err,
                           "too noisy: standard deviation %.3g codes (expected at most %.3g). %s",
                           r->stdev, noise_max,
                           signal > 0 ? "Is the load steady?"
                                      : "Is all load off, the capacitor at FILTER in place?");
    }
    if (fabs(r->drift) > drift_max) {
        return fail_record(m, rail, err,
                           "it drifts: %+.3g codes from the first half to the second (expected at "
                           "most %.3g). Let sensor%s warm up for some minutes",
                           r->drift, drift_max, signal > 0 ? " and load" : "");
    }
    return 0;
}

/* What rounding leaves in a mean: little where noise dithers it, else half a code. */
static double rounding(const struct atoll_meter *m, const struct record *r)
{
    const double k = m->config.conversions > 0 ? m->config.conversions : 1;
    const bool dithered = r->stdev / sqrt(k) > 0.4;
    return (dithered ? 0.1 : 0.5) * k / sqrt(3);
}

static int find_zero(const struct atoll_meter *m, const struct record *r,
                     const struct atoll_calibration_opts *o, struct atoll_calibration *out,
                     struct atoll_err *err)
{
    const struct atoll_meter_channel *c = &m->setup.channels[o->rail];
    const double expected =
        o->sensor_zero_frac > 0 ? o->sensor_zero_frac * m->full_code : c->zero_code;
    const double most = offset_limit * m->full_code;
    const int rc = check_record(m, o->rail, r, 0, err);
    if (rc != 0) {
        return rc;
    }
    if (fabs(r->mean - expected) > most) {
        return fail_record(m, o->rail, err,
                           "zero at %.1f codes (expected %.1f +-%.1f). Is the load really off? "
                           "Another sensor is named with --sensor",
                           r->mean, expected, most);
    }
    out->zero_code = r->mean;
    out->u_zero_code = hypot(hypot(r->u_mean, r->drift / sqrt(12)), rounding(m, r));
    return 0;
}

/* The current of the load, and what is not known of it. */
static double load_ma(const struct atoll_meter *m, size_t first, size_t n,
                      const struct atoll_calibration_opts *o, double *u_frac)
{
    const struct atoll_meter_voltage *v = &m->setup.voltages[o->rail];
    const struct atoll_meter_channel *c = &m->setup.channels[o->rail];
    double volt = o->volt > 0 ? o->volt : c->volt;
    *u_frac = o->u_frac;
    if (o->load_ma > 0 || m->setup.watts) {
        return o->load_ma > 0 ? o->load_ma : o->load_mw;
    }
    if (!(o->volt > 0) && v->measured) {
        struct record r;
        look(m, first, n, v->at, &r);
        volt = (r.mean - v->zero_code) * v->mv_per_code / 1e3;
        *u_frac = hypot(o->u_frac, v->u_gain_frac);
    } else if (!(o->volt > 0)) {
        *u_frac = hypot(o->u_frac, c->u_volt_frac);
    }
    return o->load_mw / volt;
}

static int find_gain(const struct atoll_meter *m, size_t first, size_t n, const struct record *r,
                     const struct atoll_calibration_opts *o, struct atoll_calibration *out,
                     struct atoll_err *err)
{
    const struct atoll_meter_channel *c = &m->setup.channels[o->rail];
    const double k = m->config.conversions > 0 ? m->config.conversions : 1;
    const double signal = r->mean - c->zero_code;
    const double own = hypot(r->u_mean, hypot(c->u_zero_code, rounding(m, r)));
    const double code_mv = m->config.reference_uv / 1e3 / (double)(1u << m->config.adc_bits);
    const double expected =
        o->sensor_mv_per_a > 0 ? code_mv / o->sensor_mv_per_a * 1e3 / k : c->ma_per_code;
    double u_reference = 0;
    const double ma = load_ma(m, first, n, o, &u_reference);
    const int rc = check_record(m, o->rail, r, fmax(signal, 0), err);
    if (rc != 0) {
        return rc;
    }
    if (!(signal > 0) || own > zero_share_limit * signal) {
        return fail_record(m, o->rail, err,
                           "the load shows as %.2f codes above the zero, which is known to +-%.2f "
                           "(expected at least %.0f codes). %s",
                           signal, own, own / zero_share_limit,
                           signal < 0 ? "Is the sensor the right way round?"
                                      : "Calibrate the zero first; take a larger load");
    }
    const double found = ma / signal;
    if (expected > 0 && fabs(found / expected - 1) > gain_limit) {
        return fail_record(m, o->rail, err,
                           "%.4g mA a code (expected %.4g +-%.0f %%). Does the load take what was "
                           "said? Another sensor is named with --sensor",
                           found, expected, gain_limit * 100);
    }
    out->per_code = found;
    out->u_reference_frac = u_reference;
    out->u_gain_frac = hypot(u_reference, own / signal);
    return 0;
}

static int find_divider(const struct atoll_meter *m, const struct record *r,
                        const struct atoll_calibration_opts *o, struct atoll_calibration *out,
                        struct atoll_err *err)
{
    const double k = m->config.conversions > 0 ? m->config.conversions : 1;
    const int rc = check_record(m, o->rail, r, r->mean, err);
    if (rc != 0) {
        return rc;
    }
    if (r->mean < m->full_code / 10.0) {
        return fail_record(m, o->rail, err,
                           "the voltage shows as %.1f codes of %u (expected at least a tenth of "
                           "them). Is it wired to this channel?",
                           r->mean, m->full_code);
    }
    const double own = hypot(r->u_mean, k) / r->mean; /* a converter's offset: one code */
    out->zero_code = 0;
    out->u_zero_code = 0;
    out->per_code = o->volt * 1e3 / r->mean;
    out->u_reference_frac = o->u_frac;
    out->u_gain_frac = hypot(o->u_frac, own);
    return 0;
}

static int check_opts(const struct atoll_meter *m, const struct atoll_calibration_opts *o,
                      struct atoll_err *err)
{
    const bool load = (o->load_ma > 0) != (o->load_mw > 0);
    if (o->rail >= m->n) {
        return atoll_fail(err, ATOLL_EUSAGE, "calibration: rail %u of %u", o->rail, m->n);
    }
    if ((o->kind == ATOLL_CALIBRATE_GAIN && !load) ||
        (o->kind == ATOLL_CALIBRATE_DIVIDER && !(o->volt > 0))) {
        return atoll_fail(err, ATOLL_EUSAGE, "calibration: needs one load (or voltage) above 0");
    }
    if (!(o->u_frac >= 0 && o->u_frac < 1)) {
        return atoll_fail(err, ATOLL_EUSAGE, "calibration: the reference is known to %g",
                          o->u_frac);
    }
    return 0;
}

int atoll_meter_calibrate(struct atoll_meter *m, int32_t from, int32_t to,
                          const struct atoll_calibration_opts *o, struct atoll_calibration *out,
                          struct atoll_err *err)
{
    size_t first = 0;
    size_t n = 0;
    struct record r;
    int rc = check_opts(m, o, err);
    rc = rc == 0 ? find_rows(m, from, to, o->rail, &first, &n, err) : rc;
    if (rc != 0) {
        return rc;
    }
    const struct atoll_meter_channel *c = &m->setup.channels[o->rail];
    look(m, first, n, c->at, &r);
    struct atoll_calibration found = {.kind = o->kind,
                                      .rail = o->rail,
                                      .nominal_volt = o->nominal_volt,
                                      .conversions = m->config.conversions,
                                      .zero_code = c->zero_code,
                                      .u_zero_code = c->u_zero_code,
                                      .per_code = c->ma_per_code,
                                      .u_gain_frac = c->u_gain_frac,
                                      .u_reference_frac = c->u_reference_frac,
                                      .noise_code = r.stdev,
                                      .drift_code = r.drift,
                                      .was_zero_code = c->zero_code,
                                      .was_per_code = c->ma_per_code,
                                      .scans = r.scans,
                                      .seconds = (double)r.scans / m->setup.rate_hz,
                                      .day = o->day,
                                      .temperature_c = o->temperature_c};
    (void)snprintf(found.name, sizeof found.name, "%s", m->rails[o->rail].name);
    rc = o->kind == ATOLL_CALIBRATE_ZERO   ? find_zero(m, &r, o, &found, err)
         : o->kind == ATOLL_CALIBRATE_GAIN ? find_gain(m, first, n, &r, o, &found, err)
                                           : find_divider(m, &r, o, &found, err);
    if (rc == 0) {
        *out = found;
    }
    return rc;
}

int atoll_meter_store(struct atoll_meter *m, const struct atoll_calibration *c,
                      struct atoll_err *err)
{
    if (m->driver->store == NULL) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "meter %s: cannot keep a calibration itself; write it to a file",
                          m->driver->name);
    }
    return m->driver->store(m->state, c, err);
}

int atoll_meter_self_test(struct atoll_meter *m,
                          struct atoll_meter_check checks[ATOLL_METER_CHECKS_MAX], uint32_t *n,
                          struct atoll_err *err)
{
    *n = 0;
    if (m->started) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: tests itself before start");
    }
    return m->driver->self_test != NULL ? m->driver->self_test(m->state, checks, n, err) : 0;
}
