/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The csv meter: a table of power over time, as atoll writes it (t_s and a column of watts for each
 * rail: NAME_w) or as any other program does. Times may be uneven; between two lines the power runs
 * straight. How good the numbers are the file does not say: gain and zero are assumptions.
 */
#include "power_text.h"

#include <math.h>
#include <string.h>

static const double gain_default = 0.02;

struct csv {
    struct power_text text;
    char path[4096];
    struct power_cells cells;
    uint32_t n;
    uint32_t columns[ATOLL_METER_RAILS_MAX]; ///< of the rails' watts
    size_t body;                             ///< where the first line of numbers begins
    uint64_t body_line;
    double first_s;
    uint64_t start_ns, ended_ns;
    bool begun, said_begin;
};

/* One line of numbers; 1: taken, 0: the end. */
static int next_row(struct csv *c, double *t_s, double *mw, struct atoll_err *err)
{
    int rc = 0;
    do {
        rc = atoll__power_text_next(&c->text, ",;\t", false, err);
    } while (rc == 1 && (c->text.n_cells == 0 || c->text.cells[0][0] == '#'));
    if (rc != 1) {
        return rc;
    }
    int code = atoll__power_text_number(&c->text, 0, "time", -1e9, 1e10, t_s, err);
    for (uint32_t i = 0; code == 0 && i < c->n; i++) {
        code = atoll__power_text_number(&c->text, c->columns[i], "power", -1e6, 1e6, &mw[i], err);
        mw[i] *= 1e3;
    }
    return code != 0 ? code : 1;
}

/* ------------------------------------------------------------------------ header */

static bool is_time(const char *name)
{
    return strcmp(name, "t_s") == 0 || strcmp(name, "time") == 0 || strcmp(name, "t") == 0;
}

static int read_header(struct csv *c, struct atoll_meter_setup *s, struct atoll_err *err)
{
    struct power_text *t = &c->text;
    int rc = 0;
    do {
        rc = atoll__power_text_next(t, ",;\t", false, err);
        if (rc == 1 && t->n_cells > 0 && strstr(t->cells[0], "; simulated; ") != NULL) {
            s->origin = ATOLL_ORIGIN_SIMULATED; /* said by atoll's own comment line */
        }
    } while (rc == 1 && (t->n_cells == 0 || t->cells[0][0] == '#'));
    if (rc < 0) {
        return rc;
    }
    if (rc == 0 || !is_time(t->cells[0])) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: line %llu: is no table of power (expected columns t_s,NAME_w,...)",
                          c->path, (unsigned long long)t->line);
    }
    for (uint32_t i = 1; i < t->n_cells && c->n < ATOLL_METER_RAILS_MAX; i++) {
        const size_t n = strlen(t->cells[i]);
        if (n > 2 && strcmp(t->cells[i] + n - 2, "_w") == 0) {
            (void)snprintf(s->names[c->n], sizeof s->names[0], "%.*s", n - 2 < 15 ? (int)n - 2 : 15,
                           t->cells[i]);
            c->columns[c->n++] = i;
        }
    }
    if (c->n == 0) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: line %llu: no column of watts (NAME_w)", c->path,
                          (unsigned long long)t->line);
    }
    c->body = t->at;
    c->body_line = t->line;
    return 0;
}

/* Rows a second, from the median distance of the first lines. */
static int find_rate(struct csv *c, double *rate_hz, struct atoll_err *err)
{
    double mw[ATOLL_METER_RAILS_MAX];
    double *steps = atoll_calloc(TEXT_LOOK, sizeof *steps);
    double before_s = 0;
    double t_s = 0;
    size_t rows = 0;
    size_t n = 0;
    int rc = steps != NULL ? 1 : atoll_fail_nomem(err, "times", TEXT_LOOK * sizeof *steps);
    while (rc == 1 && rows < TEXT_LOOK) {
        rc = next_row(c, &t_s, mw, err);
        if (rc == 1) {
            c->first_s = rows == 0 ? t_s : c->first_s;
            if (rows > 0 && t_s > before_s) {
                steps[n++] = t_s - before_s;
            }
            before_s = t_s;
            rows++;
        }
    }
    const double step_s = rc < 0 ? NAN : atoll__power_text_median(steps, n);
    atoll_free(steps);
    if (rc < 0) {
        return rc;
    }
    if (!(step_s > 0)) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: %zu lines of power (expected at least two, in order)", c->path,
                          rows);
    }
    *rate_hz = *rate_hz > 0 ? *rate_hz : fmin(fmax(1 / step_s, 0.1), 1e5);
    c->text.at = c->body;
    c->text.line = c->body_line;
    return 0;
}

static void csv_close(void *state)
{
    struct csv *c = state;
    atoll_map_close(&c->text.map);
    atoll_free(c);
}

static int csv_open(const char *arg, const struct atoll_meter_opts *o,
                    struct atoll_meter_setup *setup, void **state, struct atoll_err *err)
{
    double gain_frac = gain_default;
    double zero_w = 0;
    double rate_hz = o->rate_hz;
    struct csv *c = atoll_calloc(1, sizeof *c);
    if (c == NULL) {
        return atoll_fail_nomem(err, "csv meter", sizeof *c);
    }
    const struct power_option options[] = {{"gain", 0, 1, &gain_frac}, {"zero", 0, 1e3, &zero_w}};
    int rc = atoll__power_options("csv", arg, c->path, sizeof c->path, options, 2, err);
    if (rc == 0 && c->path[0] == '\0') {
        rc = atoll_fail(err, ATOLL_EUSAGE, "meter csv: names no file (expected csv:FILE)");
    }
    c->text.path = c->path;
    setup->origin = ATOLL_ORIGIN_MEASURED;
    rc = rc == 0 ? atoll_map_open(c->path, &c->text.map, err) : rc;
    rc = rc == 0 ? read_header(c, setup, err) : rc;
    rc = rc == 0 ? find_rate(c, &rate_hz, err) : rc;
    if (rc == 0 && o->n_rails > 0 && o->n_rails != c->n) {
        rc = atoll_fail(err, ATOLL_EINPUT, "%s: has %u rails (expected %u)", c->path, c->n,
                        o->n_rails);
    }
    if (rc != 0) {
        csv_close(c);
        return rc;
    }
    const enum atoll_origin origin = setup->origin;
    atoll__power_cells_setup(setup, c->n, rate_hz, gain_frac, zero_w);
    setup->origin = origin;
    atoll__power_cells_init(&c->cells, c->n, false, rate_hz);
    c->cells.gap_ns = 2.5e9 / rate_hz;
    (void)snprintf(setup->description, sizeof setup->description,
                   "table %.100s, assumed standard uncertainty: gain %.3g %%, zero %.3g W", c->path,
                   gain_frac * 100, zero_w);
    *state = c;
    return 0;
}

/* ----------------------------------------------------------------------- running */

/* Lines up to t_ns, or all that are left. */
static int play(struct csv *c, struct atoll_meter *m, uint64_t t_ns, bool all,
                struct atoll_err *err)
{
    double mw[ATOLL_METER_RAILS_MAX];
    double t_s = 0;
    for (;;) {
        const size_t at = c->text.at;
        const uint64_t line = c->text.line;
        const int rc = next_row(c, &t_s, mw, err);
        if (rc != 1) {
            atoll__power_cells_flush(&c->cells, m);
            return rc;
        }
        const uint64_t at_ns = c->start_ns + (uint64_t)(int64_t)((t_s - c->first_s) * 1e9);
        if (!all && atoll__power_since(at_ns, t_ns) > 0) {
            c->text.at = at;
            c->text.line = line;
            atoll__power_cells_flush(&c->cells, m);
            return 0;
        }
        if (c->begun && at_ns < c->ended_ns) {
            return atoll_fail(err, ATOLL_EINPUT, "%s: line %llu: time %g goes back", c->path,
                              (unsigned long long)c->text.line, t_s);
        }
        c->begun = true;
        c->ended_ns = at_ns;
        atoll__power_cells_add(&c->cells, m, at_ns, mw);
        if (!c->said_begin && m->first != UINT64_MAX) {
            c->said_begin = true;
            atoll__power_mark_edge(m, (double)m->first + 1, "begin");
        }
    }
}

static int csv_start(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct csv *c = state;
    c->start_ns = t_ns;
    return play(c, m, t_ns, false, err);
}

static int csv_advance(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    return play(state, m, t_ns, false, err);
}

static int csv_stop(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                    struct atoll_err *err)
{
    struct csv *c = state;
    (void)scans;
    const int rc = play(c, m, t_ns, true, err);
    if (rc == 0 && m->first != UINT64_MAX && m->next - m->first > 3) {
        if (!c->said_begin) {
            atoll__power_mark_edge(m, (double)m->first + 1, "begin");
        }
        atoll__power_mark_edge(m, (double)m->next - 1, "end");
    }
    return rc;
}

const struct atoll_meter_driver atoll__power_csv = {
    .name = "csv",
    .recorded = true,
    .help = "FILE[,gain=FRAC][,zero=W]: a table of power (t_s, NAME_w, ...)",
    .open = csv_open,
    .close = csv_close,
    .start = csv_start,
    .advance = csv_advance,
    .stop = csv_stop,
};
