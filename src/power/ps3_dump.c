/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ps3dump meter: a dump file of PowerSensor3. Its first line names the columns ("marker time
 * dt_micro device_timestamp current0 voltage0 power0 ... power_total"; older versions have no time
 * stamp of the device), then a line for each record. A letter other than S in the first column, or
 * a line "M x" in front, is a marker.
 */
#include "power_text.h"
#include "ps3_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Codes of 1 mA around the middle, and of 1 mV; the file has six digits of what a level of 30 to 50
 * mA gave. */
enum { MIDDLE = 32768, LEVEL_CODES = 40, NO_COLUMN = UINT32_MAX };

struct dump {
    struct power_text text;
    char path[4096];
    struct ps3_clock clock;
    struct power_frames frames;
    struct ps3_assumed assumed;
    uint32_t n;
    uint32_t time_column, stamp_column, current_column[PS3_PAIRS], voltage_column[PS3_PAIRS];
    size_t body;
    uint64_t body_line;
    double first_s;
    uint64_t start_ns, last_ns;
    char marker[40]; ///< waits for the next record
    bool said_begin;
};

struct row {
    double t_s, ma[PS3_PAIRS], mv[PS3_PAIRS];
    uint16_t stamp_us;
};

/* "M x" is a marker for the record that follows; "M from to tag name" is a note of the program. */
static bool take_marker(struct dump *d)
{
    const struct power_text *t = &d->text;
    if (t->n_cells > d->time_column + 2 || strcmp(t->cells[0], "M") != 0) {
        return false;
    }
    (void)snprintf(d->marker, sizeof d->marker, "%.30s", t->n_cells > 1 ? t->cells[1] : "M");
    return true;
}

static bool is_note(const struct power_text *t)
{
    return t->n_cells >= 5 && strcmp(t->cells[0], "M") == 0 && t->cells[4][0] == '"';
}

/* The next record; 1: taken, 0: the end. */
static int next_row(struct dump *d, struct row *r, struct atoll_err *err)
{
    struct power_text *t = &d->text;
    int rc = 0;
    do {
        rc = atoll__power_text_next(t, " \t", true, err);
    } while (rc == 1 && (t->n_cells == 0 || is_note(t) || take_marker(d)));
    if (rc != 1) {
        return rc;
    }
    double stamp = 0;
    int code = atoll__power_text_number(t, d->time_column, "time", -1e9, 1e9, &r->t_s, err);
    if (code == 0 && d->stamp_column != NO_COLUMN) {
        code = atoll__power_text_number(t, d->stamp_column, "time stamp", 0, PS3_STAMP_US - 1,
                                        &stamp, err);
    }
    for (uint32_t i = 0; code == 0 && i < d->n; i++) {
        code =
            atoll__power_text_number(t, d->current_column[i], "current", -1e4, 1e4, &r->ma[i], err);
        code = code == 0 ? atoll__power_text_number(t, d->voltage_column[i], "voltage", -1e4, 1e4,
                                                    &r->mv[i], err)
                         : code;
        r->ma[i] *= 1e3;
        r->mv[i] *= 1e3;
    }
    if (code == 0 && strcmp(t->cells[0], "S") != 0) {
        (void)snprintf(d->marker, sizeof d->marker, "%.30s", t->cells[0]);
    }
    r->stamp_us = (uint16_t)stamp;
    return code != 0 ? code : 1;
}

/* ------------------------------------------------------------------------ header */

static void take_column(struct dump *d, const char *name, uint32_t column)
{
    const bool current = strncmp(name, "current", 7) == 0;
    const bool voltage = strncmp(name, "voltage", 7) == 0;
    if (strcmp(name, "time") == 0) {
        d->time_column = column;
    } else if (strcmp(name, "device_timestamp") == 0) {
        d->stamp_column = column;
    } else if (current && d->n < PS3_PAIRS) {
        d->current_column[d->n] = column;
    } else if (voltage && d->n < PS3_PAIRS && d->current_column[d->n] != NO_COLUMN) {
        d->voltage_column[d->n++] = column;
    }
}

static int read_header(struct dump *d, struct atoll_meter_setup *s, struct atoll_err *err)
{
    struct power_text *t = &d->text;
    const int rc = atoll__power_text_next(t, " \t", true, err);
    if (rc < 0) {
        return rc;
    }
    d->time_column = d->stamp_column = NO_COLUMN;
    memset(d->current_column, 0xff, sizeof d->current_column);
    for (uint32_t i = 0;
         rc == 1 && t->n_cells > 0 && strcmp(t->cells[0], "marker") == 0 && i < t->n_cells; i++) {
        const uint32_t before = d->n;
        take_column(d, t->cells[i], i);
        if (d->n > before) {
            (void)snprintf(s->names[before], sizeof s->names[0], "pair%.8s", t->cells[i] + 7);
        }
    }
    if (d->time_column == NO_COLUMN || d->n == 0) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: is no dump of PowerSensor3 (expected 'marker time ... current0 "
                          "voltage0 ...' in its first line)",
                          d->path);
    }
    d->body = t->at;
    d->body_line = t->line;
    return 0;
}

/* Records a second, from the time stamps of the first ones, else from their times. */
static int find_rate(struct dump *d, struct atoll_err *err)
{
    uint16_t *stamps = atoll_calloc(TEXT_LOOK, sizeof *stamps);
    double *steps = atoll_calloc(TEXT_LOOK, sizeof *steps);
    double last_s = 0;
    size_t n = 0;
    struct row r = {0};
    int rc = stamps != NULL && steps != NULL
                 ? 1
                 : atoll_fail_nomem(err, "time stamps", TEXT_LOOK * sizeof *steps);
    while (rc == 1 && n < TEXT_LOOK) {
        rc = next_row(d, &r, err);
        if (rc == 1) {
            d->first_s = n == 0 ? r.t_s : d->first_s;
            stamps[n] = r.stamp_us;
            last_s = r.t_s;
            n++;
        }
    }
    if (rc >= 0) {
        const double mean_us = n > 1 ? (last_s - d->first_s) / (double)(n - 1) * 1e6 : NAN;
        d->clock.timed = d->stamp_column != NO_COLUMN;
        d->clock.period_us = d->clock.timed ? atoll__ps3_period_us(stamps, n) : mean_us;
    }
    atoll_free(stamps);
    atoll_free(steps);
    if (rc < 0) {
        return rc;
    }
    if (!(d->clock.period_us >= 1 && d->clock.period_us <= 1e6)) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: %zu records from which no rate can be told (expected some dozens)",
                          d->path, n);
    }
    d->text.at = d->body;
    d->text.line = d->body_line;
    d->marker[0] = '\0';
    return 0;
}

static void dump_close(void *state)
{
    struct dump *d = state;
    atoll_map_close(&d->text.map);
    atoll_free(d);
}

static void describe(struct dump *d, struct atoll_meter_setup *s)
{
    s->origin = ATOLL_ORIGIN_MEASURED;
    s->watts = true;
    s->n_rails = d->n;
    s->n_samples = 2 * d->n;
    s->rate_hz = 1e6 / d->clock.period_us;
    s->u_rate_frac = 0.01;
    s->latency_ns = 5e5; /* as of the live meter */
    s->u_latency_ns = 3e5;
    for (uint32_t i = 0; i < d->n; i++) {
        atoll__ps3_channel(s, i, MIDDLE, 1, 0, 1, 1.0 / LEVEL_CODES, &d->assumed);
        s->channels[i].volt = 1;
    }
    (void)snprintf(s->description, sizeof s->description,
                   "PowerSensor3 dump %.80s, assumed standard uncertainty: gain %.3g %%, voltage "
                   "%.3g %%, zero %.3g mA",
                   d->path, d->assumed.gain_frac * 100, d->assumed.volt_frac * 100,
                   d->assumed.zero_ma);
}

static int dump_open(const char *arg, const struct atoll_meter_opts *o,
                     struct atoll_meter_setup *setup, void **state, struct atoll_err *err)
{
    struct dump *d = atoll_calloc(1, sizeof *d);
    if (d == NULL) {
        return atoll_fail_nomem(err, "ps3dump meter", sizeof *d);
    }
    d->assumed = atoll__ps3_assumed;
    const struct power_option options[] = {{"gain", 0, 1, &d->assumed.gain_frac},
                                           {"volt", 0, 1, &d->assumed.volt_frac},
                                           {"zero", 0, 1e5, &d->assumed.zero_ma}};
    int rc = atoll__power_options("ps3dump", arg, d->path, sizeof d->path, options, 3, err);
    if (rc == 0 && d->path[0] == '\0') {
        rc = atoll_fail(err, ATOLL_EUSAGE, "meter ps3dump: names no file (expected ps3dump:FILE)");
    }
    d->text.path = d->path;
    rc = rc == 0 ? atoll_map_open(d->path, &d->text.map, err) : rc;
    rc = rc == 0 ? read_header(d, setup, err) : rc;
    rc = rc == 0 ? find_rate(d, err) : rc;
    if (rc == 0 && o->n_rails > 0 && o->n_rails != d->n) {
        rc = atoll_fail(err, ATOLL_EINPUT, "%s: has %u pairs (expected %u)", d->path, d->n,
                        o->n_rails);
    }
    if (rc != 0) {
        dump_close(d);
        return rc;
    }
    describe(d, setup);
    atoll__power_frames_init(&d->frames, 2 * d->n, 16, setup->rate_hz);
    *state = d;
    return 0;
}

/* ----------------------------------------------------------------------- running */

static uint16_t code_of(double value)
{
    return (uint16_t)(value < 0 ? 0 : value > UINT16_MAX ? UINT16_MAX : value + 0.5);
}

static void take_row(struct dump *d, struct atoll_meter *m, const struct row *r, uint64_t at_ns)
{
    uint16_t codes[PS3_SENSORS];
    const uint32_t missing =
        atoll__ps3_missing(&d->clock, m, d->frames.pending, r->stamp_us, at_ns);
    if (missing > 0) {
        atoll__power_frames_skip(&d->frames, m, missing, d->last_ns);
    }
    for (uint32_t i = 0; i < d->n; i++) {
        codes[2 * i] = code_of(MIDDLE + r->ma[i]);
        codes[2 * i + 1] = code_of(r->mv[i]);
    }
    if (d->marker[0] != '\0') {
        atoll__power_frames_flush(&d->frames, m, d->last_ns);
        if (m->first != UINT64_MAX) {
            atoll__power_mark_edge(m, (double)m->next, d->marker);
        }
        d->marker[0] = '\0';
    }
    atoll__power_frames_add(&d->frames, m, codes, at_ns);
    d->last_ns = at_ns;
    if (!d->said_begin && m->first != UINT64_MAX) {
        d->said_begin = true;
        atoll__power_mark_edge(m, (double)m->first + 3, "begin");
    }
}

static int play(struct dump *d, struct atoll_meter *m, uint64_t t_ns, bool all,
                struct atoll_err *err)
{
    struct row r = {0};
    for (;;) {
        const size_t at = d->text.at;
        const uint64_t line = d->text.line;
        const int rc = next_row(d, &r, err);
        if (rc != 1) {
            atoll__power_frames_flush(&d->frames, m, d->last_ns);
            return rc;
        }
        const uint64_t at_ns = d->start_ns + (uint64_t)(int64_t)((r.t_s - d->first_s) * 1e9);
        if (!all && atoll__power_since(at_ns, t_ns) > 0) {
            d->text.at = at;
            d->text.line = line;
            return 0;
        }
        take_row(d, m, &r, at_ns);
    }
}

static int dump_start(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct dump *d = state;
    d->start_ns = d->last_ns = t_ns;
    return play(d, m, t_ns, false, err);
}

static int dump_advance(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    return play(state, m, t_ns, false, err);
}

static int dump_stop(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                     struct atoll_err *err)
{
    struct dump *d = state;
    (void)scans;
    const int rc = play(d, m, t_ns, true, err);
    if (rc == 0 && d->said_begin && m->next - m->first > 8) {
        atoll__power_mark_edge(m, (double)m->next - 3, "end");
    }
    return rc;
}

const struct atoll_meter_driver atoll__power_ps3dump = {
    .name = "ps3dump",
    .recorded = true,
    .help = "FILE[,gain=FRAC][,volt=FRAC][,zero=MA]: a dump file of PowerSensor3",
    .open = dump_open,
    .close = dump_close,
    .start = dump_start,
    .advance = dump_advance,
    .stop = dump_stop,
};
