/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a meter by name, its life, markers, gaps, and the scans it kept. */
#include "power_internal.h"

#include <math.h>
#include <string.h>

static const struct atoll_meter_driver *const drivers[] = {
    &atoll__power_synth,   &atoll__power_replay, &atoll__power_serial,
    &atoll__power_hwmon,   &atoll__power_rapl,   &atoll__power_ps3,
    &atoll__power_ps3dump, &atoll__power_csv,    NULL};

const struct atoll_meter_driver *const *atoll_meter_drivers(void)
{
    return drivers;
}

void atoll_meter_list(const struct atoll_meter_driver *d, struct atoll_meter_listing *out)
{
    *out = (struct atoll_meter_listing){.name = d->name, .help = d->help, .available = true};
    if (d->present != NULL) {
        out->available = d->present(out->detail, sizeof out->detail);
    }
}

/* "kind" or "kind:rest"; *arg is the rest or NULL. */
static const struct atoll_meter_driver *find_driver(const char *spec, const char **arg)
{
    const char *colon = strchr(spec, ':');
    const size_t n = colon != NULL ? (size_t)(colon - spec) : strlen(spec);
    *arg = colon != NULL ? colon + 1 : NULL;
    for (size_t i = 0; drivers[i] != NULL; i++) {
        if (strlen(drivers[i]->name) == n && strncmp(drivers[i]->name, spec, n) == 0) {
            return drivers[i];
        }
    }
    return NULL;
}

static int fail_unknown(const char *spec, struct atoll_err *err)
{
    struct atoll_buf known = {0};
    for (size_t i = 0; drivers[i] != NULL; i++) {
        atoll_buf_printf(&known, ", %s", drivers[i]->name);
    }
    const int rc = atoll_fail(err, ATOLL_EUSAGE, "unknown meter '%s' (known: none%s)", spec,
                              known.data != NULL ? known.data : "");
    atoll_buf_finish(&known);
    return rc;
}

static int check_opts(const struct atoll_meter_opts *o, struct atoll_err *err)
{
    if (o->n_rails > ATOLL_METER_RAILS_MAX || (o->n_rails > 0 && o->rails == NULL)) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: %u rails (expected 0..%d)", o->n_rails,
                          ATOLL_METER_RAILS_MAX);
    }
    for (uint32_t i = 0; i < o->n_rails; i++) {
        if (!(o->rails[i].volt > 0) || !isfinite(o->rails[i].volt)) {
            return atoll_fail(err, ATOLL_EUSAGE, "meter: rail %u has %g V (expected more than 0)",
                              i, o->rails[i].volt);
        }
    }
    if (o->rate_hz < 0 || !(o->rate_hz <= 1e6)) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: rate %g Hz (expected 1 to 1e6, 0: default)",
                          o->rate_hz);
    }
    return 0;
}

/* Rails with names of our own. */
static int copy_rails(struct atoll_meter *m, const struct atoll_meter_opts *o,
                      struct atoll_err *err)
{
    enum { NAME_BYTES = 32 };
    m->n = o->n_rails > 0 ? o->n_rails : m->setup.n_rails;
    if (m->n == 0) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter: knows no rails of its own (give it those of a board)");
    }
    m->names = atoll_calloc(m->n, NAME_BYTES);
    if (m->names == NULL) {
        return atoll_fail_nomem(err, "rail names", (size_t)m->n * NAME_BYTES);
    }
    for (uint32_t i = 0; i < m->n; i++) {
        char *name = m->names + (size_t)i * NAME_BYTES;
        const char *given = o->n_rails == 0 ? m->setup.names[i] : o->rails[i].name;
        (void)snprintf(name, NAME_BYTES, "%s", given != NULL ? given : "");
        m->rails[i] = (struct atoll_meter_rail){
            .name = name, .volt = m->setup.watts ? NAN : m->setup.channels[i].volt};
    }
    return 0;
}

/* Where each rail's samples and sums stand in a row. */
static int lay_out(struct atoll_meter *m, struct atoll_err *err)
{
    struct atoll_meter_setup *s = &m->setup;
    for (uint32_t i = 0; i < m->n && s->n_samples == 0; i++) {
        s->channels[i].at = i;
    }
    m->n_samples = s->n_samples > 0 ? s->n_samples : m->n;
    m->n_sums = m->n_samples;
    for (uint32_t i = 0; i < m->n; i++) {
        const struct atoll_meter_voltage *v = &s->voltages[i];
        if (m->n_samples > ATOLL_WIRE_CHANNELS_MAX || s->channels[i].at >= m->n_samples ||
            (v->measured && v->at >= m->n_samples)) {
            return atoll_fail(err, ATOLL_EINPUT, "meter: rail %u lies outside a scan of %u samples",
                              i, m->n_samples);
        }
        if (v->measured) {
            m->is_voltage[v->at] = true;
            m->product_at[i] = m->n_sums;
            m->n_sums += 2;
        }
    }
    return 0;
}

int atoll_meter_time_of(const char *spec, enum atoll_meter_time *out, struct atoll_err *err)
{
    const char *arg = NULL;
    const struct atoll_meter_driver *driver = find_driver(spec, &arg);
    if (driver == NULL && strcmp(spec, "none") != 0) {
        return fail_unknown(spec, err);
    }
    *out = driver == NULL || driver->feed != NULL ? ATOLL_METER_FED
           : driver->recorded                     ? ATOLL_METER_REPLAYED
                                                  : ATOLL_METER_LIVE;
    return 0;
}

int atoll_meter_open(const char *spec, const struct atoll_meter_opts *o, struct atoll_meter **out,
                     struct atoll_err *err)
{
    if (strcmp(spec, "none") == 0) {
        *out = NULL;
        return 0;
    }
    const char *arg = NULL;
    const struct atoll_meter_driver *driver = find_driver(spec, &arg);
    if (driver == NULL) {
        return fail_unknown(spec, err);
    }
    return atoll_meter_open_driver(driver, arg, o, out, err);
}

int atoll_meter_open_driver(const struct atoll_meter_driver *driver, const char *arg,
                            const struct atoll_meter_opts *o, struct atoll_meter **out,
                            struct atoll_err *err)
{
    int rc = check_opts(o, err);
    if (rc != 0) {
        return rc;
    }
    struct atoll_meter *m = atoll_calloc(1, sizeof *m);
    if (m == NULL) {
        return atoll_fail_nomem(err, "meter", sizeof *m);
    }
    m->first = UINT64_MAX;
    m->keep = o->keep_scans;
    rc = driver->open(arg, o, &m->setup, &m->state, err);
    m->driver = rc == 0 ? driver : NULL;
    rc = rc == 0 ? copy_rails(m, o, err) : rc;
    rc = rc == 0 && o->calibration != NULL
             ? atoll__power_calibration_use(o->calibration, m->rails, m->n, &m->setup, err)
             : rc;
    rc = rc == 0 ? lay_out(m, err) : rc;
    rc = rc == 0 ? atoll__power_ring_init(m, err) : rc;
    if (rc != 0) {
        atoll_meter_close(&m);
        return rc;
    }
    atoll__power_timemap_init(&m->map, &m->setup);
    *out = m;
    return 0;
}

void atoll_meter_close(struct atoll_meter **meter)
{
    struct atoll_meter *m = meter != NULL ? *meter : NULL;
    if (m == NULL) {
        return;
    }
    if (m->driver != NULL) {
        m->driver->close(m->state);
    }
    (void)atoll_meter_record_stop(m, NULL);
    for (size_t i = 0; i < m->n_markers; i++) {
        atoll_free(m->markers[i].window.codes);
        atoll_free(m->markers[i].window.sums);
    }
    atoll_free(m->markers);
    atoll_free(m->gaps);
    atoll_free(m->public_gaps);
    atoll_free(m->ring_codes);
    atoll_free(m->ring_sums);
    atoll_free(m->kept_codes);
    atoll_free(m->trace_ns);
    atoll_free(m->trace_mw);
    atoll_free(m->names);
    atoll_free(m);
    *meter = NULL;
}

void atoll_meter_info(const struct atoll_meter *m, struct atoll_meter_info *out)
{
    *out = (struct atoll_meter_info){.kind = m->driver->name,
                                     .description = m->setup.description,
                                     .origin = m->setup.origin,
                                     .rate_hz = m->setup.rate_hz,
                                     .fed = m->driver->feed != NULL,
                                     .keeps_scans = m->keep,
                                     .n_rails = m->n,
                                     .rails = m->rails};
}

int atoll_meter_start(struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    if (m->started) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: started already");
    }
    m->start_ns = t_ns;
    atoll__power_record_start(m, t_ns);
    const int rc = m->driver->start(m->state, m, t_ns, err);
    m->started = rc == 0;
    return rc;
}

int atoll_meter_stop(struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    if (!m->started) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: not started");
    }
    const int rc = m->driver->stop(m->state, m, t_ns, 2 * m->half_window, err);
    m->stopped = rc == 0;
    atoll__power_keep_windows(m);
    return rc;
}

void atoll_meter_feed(void *meter, uint64_t t_ns, const double *rail_mw, uint32_t n_rails)
{
    struct atoll_meter *m = meter;
    if (m->driver->feed != NULL) {
        m->driver->feed(m->state, m, t_ns, rail_mw, n_rails);
    }
}

int atoll_meter_advance(struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    if (!m->started) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: not started");
    }
    return m->driver->advance(m->state, m, t_ns, err);
}

int32_t atoll_meter_mark(struct atoll_meter *m, uint64_t t_ns, const char *label,
                         struct atoll_err *err)
{
    if (!m->started || t_ns < m->start_ns || t_ns < m->last_mark_ns) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: marker '%s' %s", label != NULL ? label : "",
                          m->started ? "lies before the last one or before start" : "before start");
    }
    const int rc = m->driver->advance(m->state, m, t_ns, err);
    if (rc != 0) {
        return rc;
    }
    const int32_t made = atoll__power_mark(m, t_ns, label, err);
    if (made >= 0) {
        m->last_mark_ns = t_ns;
        atoll__power_keep_windows(m);
        atoll__power_record_mark(m, t_ns, label != NULL ? label : "");
    }
    return made;
}

int32_t atoll_meter_markers(const struct atoll_meter *m)
{
    return (int32_t)m->n_markers;
}

int atoll_meter_marker(const struct atoll_meter *m, int32_t marker, uint64_t *t_ns,
                       const char **label, struct atoll_err *err)
{
    if (marker < 0 || (size_t)marker >= m->n_markers) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: marker %d does not exist", (int)marker);
    }
    *t_ns = atoll__power_marker_ns(m, &m->markers[marker]);
    *label = m->markers[marker].label;
    return 0;
}

/* Host time of a scan edge; what lies before the start counts as the start. */
static uint64_t edge_ns(const struct atoll_meter *m, double edge)
{
    const double ns = atoll__power_timemap_ns(&m->map, edge, m->start_ns);
    return m->start_ns + (ns > 0 ? (uint64_t)(ns + 0.5) : 0);
}

/* Power of a kept scan at its middle: between two samples where the rail's sample lies beside it.
 */
static double kept_mw(const struct atoll_meter *m, size_t all, size_t row, uint32_t rail)
{
    const double skew = m->setup.channels[rail].skew;
    const double here = atoll__power_at(m, m->kept_codes, all, row, rail);
    const size_t other = skew > 0 ? (row > 0 ? row - 1 : 0) : (row + 1 < all ? row + 1 : row);
    if (fabs(skew) <= 0 || other == row) {
        return here;
    }
    return here + fabs(skew) * (atoll__power_at(m, m->kept_codes, all, other, rail) - here);
}

int atoll_meter_gaps(struct atoll_meter *m, const struct atoll_meter_gap **gaps, size_t *n,
                     struct atoll_err *err)
{
    void *made = m->public_gaps;
    if (atoll_grow(&made, &m->public_gaps_capacity, m->n_gaps + 1, sizeof *m->public_gaps) != 0) {
        return atoll_fail_nomem(err, "gaps", m->n_gaps * sizeof *m->public_gaps);
    }
    m->public_gaps = made;
    for (size_t i = 0; i < m->n_gaps; i++) {
        const struct power_gap *g = &m->gaps[i];
        m->public_gaps[i] = (struct atoll_meter_gap){.from_ns = edge_ns(m, (double)g->from),
                                                     .to_ns = edge_ns(m, (double)g->to),
                                                     .scans = g->to - g->from,
                                                     .cause = g->cause};
    }
    *gaps = m->public_gaps;
    *n = m->n_gaps;
    return 0;
}

int atoll_meter_range(const struct atoll_meter *m, uint64_t *first_ns, uint64_t *last_ns,
                      struct atoll_err *err)
{
    enum { MARGIN = 3 }; /* scans that a marker needs beside it */
    if (m->first == UINT64_MAX || m->next - m->first <= 2 * MARGIN || m->map.n == 0) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: has no scans yet");
    }
    *first_ns = edge_ns(m, (double)(m->first + MARGIN));
    *last_ns = edge_ns(m, (double)(m->next - MARGIN));
    return 0;
}

void atoll_meter_clock(const struct atoll_meter *m, double *rate_ppm, double *u_offset_ns)
{
    *rate_ppm = (m->map.period_ns / atoll__power_timemap_period_ns(&m->map) - 1) * 1e6;
    *u_offset_ns = atoll__power_timemap_u_ns(&m->map, m->map.mean_x);
}

int atoll_meter_trace(struct atoll_meter *m, struct atoll_trace *out, struct atoll_err *err)
{
    if (!m->keep) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: was opened without keep_scans");
    }
    if (m->failed != 0) {
        return atoll_fail(err, m->failed, "meter: %s while scans arrived",
                          atoll_code_text(m->failed));
    }
    /* scans from the start on; what was scanned before is only there for the first marker */
    const size_t all = m->first == UINT64_MAX ? 0 : (size_t)(m->next - m->first);
    size_t skip = 0;
    while (skip < all &&
           atoll__power_timemap_ns(&m->map, (double)(m->first + skip) + 0.5, m->start_ns) < 0) {
        skip++;
    }
    const size_t n = all - skip;
    void *ns = m->trace_ns;
    void *mw = m->trace_mw;
    const int rc_ns = atoll_grow(&ns, &m->trace_ns_capacity, n + 1, sizeof *m->trace_ns);
    m->trace_ns = ns;
    const int rc_mw = atoll_grow(&mw, &m->trace_mw_capacity, (n + 1) * m->n, sizeof *m->trace_mw);
    m->trace_mw = mw;
    if (rc_ns != 0 || rc_mw != 0) {
        return atoll_fail_nomem(err, "trace", n * (8 + 4 * (size_t)m->n));
    }
    for (size_t i = 0; i < n; i++) {
        m->trace_ns[i] = edge_ns(m, (double)(m->first + skip + i) + 0.5);
        for (uint32_t c = 0; c < m->n; c++) {
            m->trace_mw[i * m->n + c] = (float)kept_mw(m, all, skip + i, c);
        }
    }
    *out =
        (struct atoll_trace){.t_ns = m->trace_ns, .rail_mw = m->trace_mw, .n = n, .n_rails = m->n};
    return 0;
}
