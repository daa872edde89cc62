/* SPDX-License-Identifier: Apache-2.0 */
/* atoll power calibrate: zero, gain and divider of a meter's channel. */
#include "power_meter.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Data sheets (docs/power-testbed.md): sensitivity, and where zero lies in the supply. */
static const struct sensor {
    const char *name;
    double mv_per_a, zero_frac;
} sensors[] = {
    {"acs712-05b", 185, 0.5}, {"acs712-20a", 100, 0.5},  {"acs712-30a", 66, 0.5},
    {"acs725-5ab", 264, 0.5}, {"acs725-10ab", 132, 0.5}, {"acs725-20ab", 66, 0.5},
    {"acs725-30ab", 44, 0.5}, {"mlx91221-10", 120, 0.5}, {"mlx91221-20", 62.5, 0.5},
};
static const char *const sensor_names[] = {
    "as-known",    "acs712-05b",  "acs712-20a",  "acs712-30a",  "acs725-5ab", "acs725-10ab",
    "acs725-20ab", "acs725-30ab", "mlx91221-10", "mlx91221-20", NULL};

struct calibrate_opts {
    struct opt_common common;
    const char *meter, *rail, *name, *date, *output, *calibration;
    bool zero;
    double load_ma, load_w, divider_v, volt, u_frac, nominal_v, seconds, rate_hz, temperature_c;
    unsigned sensor;
};

enum { NOT_KNOWN_C = -128 };
static const struct calibrate_opts defaults = {
    .meter = POWER_METER_DEFAULT, .u_frac = 0.01, .seconds = 5, .temperature_c = NOT_KNOWN_C};

/* ---------------------------------------------------------------- what is asked */

/* "2026-11-24"; none: today. */
static int find_day(struct call *call, const char *date, uint16_t *day)
{
    time_t t = time(NULL);
    if (date != NULL) {
        bool fits = strlen(date) == 10;
        for (size_t i = 0; fits && i < 10; i++) {
            fits = i == 4 || i == 7 ? date[i] == '-' : date[i] >= '0' && date[i] <= '9';
        }
        const int y = fits ? (int)strtol(date, NULL, 10) : 0;
        const int mo = fits ? (int)strtol(date + 5, NULL, 10) : 0;
        const int d = fits ? (int)strtol(date + 8, NULL, 10) : 0;
        if (y < 1970 || y > 2140 || mo < 1 || mo > 12 || d < 1 || d > 31) {
            return atoll_fail(&call->err, ATOLL_EUSAGE, "--date '%s' (expected YYYY-MM-DD)", date);
        }
        struct tm tm = {.tm_year = y - 1900, .tm_mon = mo - 1, .tm_mday = d, .tm_hour = 12};
        t = timegm(&tm);
    }
    *day = (uint16_t)(t / 86400);
    return 0;
}

static int find_ask(struct call *call, struct atoll_calibration_opts *ask)
{
    const struct calibrate_opts *o = call->opts;
    const int given = o->zero + (o->load_ma > 0) + (o->load_w > 0) + (o->divider_v > 0);
    if (given != 1) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "say one of --zero, --load-ma, --load-w, --divider");
    }
    *ask = (struct atoll_calibration_opts){.kind = o->zero            ? ATOLL_CALIBRATE_ZERO
                                                   : o->divider_v > 0 ? ATOLL_CALIBRATE_DIVIDER
                                                                      : ATOLL_CALIBRATE_GAIN,
                                           .load_ma = o->load_ma,
                                           .load_mw = o->load_w * 1e3,
                                           .volt = o->divider_v > 0 ? o->divider_v : o->volt,
                                           .u_frac = o->u_frac,
                                           .nominal_volt = o->nominal_v,
                                           .temperature_c = (int8_t)o->temperature_c};
    if (o->sensor > 0) {
        ask->sensor_mv_per_a = sensors[o->sensor - 1].mv_per_a;
        ask->sensor_zero_frac = sensors[o->sensor - 1].zero_frac;
    }
    return find_day(call, o->date, &ask->day);
}

/* The meter with this rail; one with firmware of atoll's scans nothing but its channel. */
static int open_meter(struct call *call, struct atoll_meter **m, uint32_t *rail)
{
    const struct calibrate_opts *o = call->opts;
    struct atoll_meter_info info;
    char spec[400];
    const bool serial = strncmp(o->meter, "serial:", 7) == 0;
    (void)snprintf(spec, sizeof spec, "%.300s%s%.60s", o->meter,
                   serial && o->rail != NULL ? ",channel=" : "",
                   serial && o->rail != NULL ? o->rail : "");
    const int code = power_open(call, spec, o->rate_hz, true, o->calibration, m);
    if (code) {
        return code;
    }
    atoll_meter_info(*m, &info);
    *rail = 0;
    if (serial || (o->rail == NULL && info.n_rails == 1)) {
        return 0;
    }
    for (uint32_t i = 0; i < info.n_rails; i++) {
        if (o->rail != NULL && strcmp(info.rails[i].name, o->rail) == 0) {
            *rail = i;
            return 0;
        }
    }
    return atoll_fail(&call->err, ATOLL_EUSAGE, "meter %s: has no rail '%s' (it has %u: %s, ...)",
                      o->meter, o->rail != NULL ? o->rail : "", info.n_rails, info.rails[0].name);
}

/* -------------------------------------------------------------------- the record */

static int measure(struct call *call, struct atoll_meter *m, int32_t *from, int32_t *to)
{
    const struct calibrate_opts *o = call->opts;
    const struct timespec look = {.tv_nsec = 5000000};
    int code = atoll_meter_start(m, atoll_now_ns(), &call->err);
    if (code) {
        return code;
    }
    const uint64_t end_ns = atoll_now_ns() + (uint64_t)(o->seconds * 1e9);
    *from = atoll_meter_mark(m, atoll_now_ns(), "begin", &call->err);
    code = *from < 0 ? *from : 0;
    while (code == 0 && atoll_now_ns() < end_ns) {
        (void)nanosleep(&look, NULL);
        code = atoll_meter_advance(m, atoll_now_ns(), &call->err);
    }
    *to = code ? code : atoll_meter_mark(m, atoll_now_ns(), "end", &call->err);
    code = *to < 0 ? *to : 0;
    return code ? code : atoll_meter_stop(m, atoll_now_ns(), &call->err);
}

static int keep(struct call *call, struct atoll_meter *m, const struct atoll_calibration *c)
{
    const struct calibrate_opts *o = call->opts;
    return o->output != NULL ? atoll_calibration_write(o->output, c, &call->err)
                             : atoll_meter_store(m, c, &call->err);
}

/* --------------------------------------------------------------------- the answer */

static json_t *found_json(struct call *call, const struct atoll_calibration *c)
{
    static const char *const kinds[] = {"zero", "gain", "divider"};
    const struct calibrate_opts *o = call->opts;
    json_t *j = atoll_json_answer("power");
    json_object_set_new(j, "origin", json_string("measured"));
    json_object_set_new(j, "kind", json_string(kinds[c->kind]));
    json_object_set_new(j, "rail", out_string(c->name));
    json_object_set_new(j, "kept_in",
                        o->output != NULL ? out_string(o->output) : json_string("device"));
    atoll_json_set_number(j, "zero_code", c->zero_code);
    atoll_json_set_number(j, "u_zero_code", c->u_zero_code);
    atoll_json_set_number(j, "per_code", c->per_code);
    atoll_json_set_number(j, "u_gain_frac", c->u_gain_frac);
    atoll_json_set_number(j, "u_reference_frac", c->u_reference_frac);
    atoll_json_set_number(j, "noise_code", c->noise_code);
    atoll_json_set_number(j, "drift_code", c->drift_code);
    atoll_json_set_number(j, "was_zero_code", c->was_zero_code);
    atoll_json_set_number(j, "was_per_code", c->was_per_code);
    json_object_set_new(j, "scans", json_integer((json_int_t)c->scans));
    atoll_json_set_number(j, "seconds", c->seconds);
    json_object_set_new(j, "day", json_integer(c->day));
    json_object_set_new(j, "temperature_c",
                        c->temperature_c == NOT_KNOWN_C ? json_null()
                                                        : json_integer(c->temperature_c));
    return j;
}

static void show(struct call *call, const struct atoll_calibration *c)
{
    const struct calibrate_opts *o = call->opts;
    const char *unit = c->kind == ATOLL_CALIBRATE_DIVIDER ? "mV" : "mA";
    out_text("%s, %llu scans in %.1f s, noise %.2f codes, drift %+.3f codes\n", c->name,
             (unsigned long long)c->scans, c->seconds, c->noise_code, c->drift_code);
    if (c->kind == ATOLL_CALIBRATE_ZERO) {
        out_text("zero %.3f codes (was %.3f), standard uncertainty %.3f codes = %.3g mA\n",
                 c->zero_code, c->was_zero_code, c->u_zero_code, c->u_zero_code * c->per_code);
    } else {
        out_text("%.6g %s a code (was %.6g), standard uncertainty %.2f %%, of it the reference "
                 "%.2f %%\n",
                 c->per_code, unit, c->was_per_code, c->u_gain_frac * 100,
                 c->u_reference_frac * 100);
    }
    out_text("kept in %s\n", o->output != NULL ? o->output : "the device");
}

static int calibrate(struct call *call)
{
    const struct calibrate_opts *o = call->opts;
    struct atoll_calibration_opts ask;
    struct atoll_calibration found;
    struct atoll_meter *m = NULL;
    int32_t from = 0;
    int32_t to = 0;
    int code = find_ask(call, &ask);
    code = code ? code : open_meter(call, &m, &ask.rail);
    code = code ? code : measure(call, m, &from, &to);
    code = code ? code : atoll_meter_calibrate(m, from, to, &ask, &found, &call->err);
    if (code == 0 && o->name != NULL) {
        (void)snprintf(found.name, sizeof found.name, "%.12s", o->name);
    }
    code = code ? code : keep(call, m, &found);
    atoll_meter_close(&m);
    if (code) {
        return code;
    }
    if (call->json) {
        return out_json(call, found_json(call, &found));
    }
    show(call, &found);
    return 0;
}

/* -------------------------------------------------------------------------- table */

#define REAL(long_option, field, arg, text, least, most, shown)                                    \
    {                                                                                              \
        .long_name = long_option, .type = OPT_REAL,                                                \
        .offset = offsetof(struct calibrate_opts, field), .argument = arg, .help = text,           \
        .fallback = shown, .low = least, .high = most                                              \
    }
#define TEXT(long_option, field, arg, text)                                                        \
    {                                                                                              \
        .long_name = long_option, .type = OPT_TEXT,                                                \
        .offset = offsetof(struct calibrate_opts, field), .argument = arg, .help = text            \
    }

static const struct opt table[] = {
    POWER_METER_OPT(struct calibrate_opts),
    TEXT("rail", rail, "NAME",
         "Rail, or number of the device's channel (needed if there are more)"),
    {.long_name = "zero",
     .type = OPT_FLAG,
     .offset = offsetof(struct calibrate_opts, zero),
     .help = "Nothing flows: find the zero"},
    REAL("load-ma", load_ma, "MA", "This current flows: find the gain", 1, 1e6, NULL),
    REAL("load-w", load_w, "W", "The load takes this power: find the gain", 1e-3, 1e4, NULL),
    REAL("volts", volt, "V", "With --load-w: the voltage at the load", 0.1, 1e3,
         "measured, nominal"),
    REAL("divider", divider_v, "V", "The channel measures this voltage: find its divider", 0.1, 1e3,
         NULL),
    REAL("load-u", u_frac, "FRAC", "Standard uncertainty of that load or voltage", 0, 0.5, "0.01"),
    {.long_name = "sensor",
     .type = OPT_CHOICE,
     .offset = offsetof(struct calibrate_opts, sensor),
     .argument = "PART",
     .help = "What the data sheet must confirm",
     .fallback = "as-known",
     .choices = sensor_names},
    TEXT("name", name, "NAME", "Gives the rail this name (at most 12 characters)"),
    REAL("nominal", nominal_v, "V", "Gives the rail this nominal voltage", 0.1, 65, NULL),
    {.short_name = 's',
     .long_name = "seconds",
     .type = OPT_REAL,
     .offset = offsetof(struct calibrate_opts, seconds),
     .argument = "S",
     .help = "How long to look",
     .fallback = "5",
     .low = 0.3,
     .high = 600},
    POWER_RATE_OPT(struct calibrate_opts),
    REAL("temperature", temperature_c, "C", "Of the sensor, to be kept", -40, 125, "not known"),
    TEXT("date", date, "DATE", "To be kept (YYYY-MM-DD); without it, today's"),
    TEXT("calibration", calibration, "FILE", "Use what this file knows already"),
    {.short_name = 'o',
     .long_name = "output",
     .type = OPT_TEXT,
     .offset = offsetof(struct calibrate_opts, output),
     .argument = "FILE",
     .help = "Add to this file instead of keeping it in the device"},
    {.long_name = NULL}};

const struct command cmd_power_calibrate = {
    .name = "power calibrate",
    .operands = "",
    .summary = "Zero, gain and voltage divider of a meter's channel, kept in the device",
    .text = "First the zero with all load off, then the gain with a load that is known. Refused "
            "(exit code 4)\nwhen the record is noisy, drifts, or is far from what the sensor can "
            "be; the message says why.",
    .example = "atoll power calibrate --meter serial:/dev/ttyACM0 --rail 0 --zero",
    .opts = table,
    .defaults = &defaults,
    .opts_bytes = sizeof(struct calibrate_opts),
    .run = calibrate,
};
