/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values at uneven times into scans of one length. Between two values a power runs in a straight
 * line, an energy grows evenly; the mean over each cell of the grid is a scan. Rounding to codes is
 * carried to the next cell, so that no energy is lost.
 */
#include "frames.h"

#include <math.h>

void atoll__power_cells_init(struct power_cells *c, uint32_t n, bool counters, double rate_hz)
{
    *c = (struct power_cells){.n = n,
                              .counters = counters,
                              .period_ns = 1e9 / rate_hz,
                              .gap_ns = fmax(5e9 / rate_hz, 5e7)};
    atoll__power_frames_init(&c->frames, n, 16, rate_hz);
}

void atoll__power_cells_setup(struct atoll_meter_setup *s, uint32_t n, double rate_hz,
                              double gain_frac, double zero_w)
{
    s->origin = ATOLL_ORIGIN_MEASURED;
    s->watts = true;
    s->n_rails = n;
    s->rate_hz = rate_hz;
    s->u_rate_frac = 1e-6; /* cells are cut by the host's own clock */
    for (uint32_t i = 0; i < n; i++) {
        s->channels[i] = (struct atoll_meter_channel){.volt = 1,
                                                      .zero_code = POWER_ZERO_CODE,
                                                      .ma_per_code = POWER_CODE_MW,
                                                      .u_gain_frac = gain_frac,
                                                      .gain_dof = INFINITY,
                                                      .u_zero_code = zero_w * 1e3 / POWER_CODE_MW,
                                                      .noise_dof = INFINITY};
    }
}

static uint64_t host_ns(const struct power_cells *c, double at_ns)
{
    return c->origin_ns + (uint64_t)(int64_t)(at_ns + 0.5);
}

static void end_cell(struct power_cells *c, struct atoll_meter *m)
{
    uint16_t codes[ATOLL_METER_RAILS_MAX];
    for (uint32_t i = 0; i < c->n; i++) {
        const double mw = c->charge[i] / c->period_ns;
        const double code = POWER_ZERO_CODE + mw / POWER_CODE_MW + c->residue[i];
        const double whole = floor(code + 0.5);
        const bool fits = whole > 0 && whole < UINT16_MAX;
        codes[i] = (uint16_t)(fits ? whole : whole > 0 ? UINT16_MAX : 0); /* over range: a gap */
        c->residue[i] = fits ? code - whole : 0;
        c->charge[i] = 0;
    }
    atoll__power_frames_add(&c->frames, m, codes, host_ns(c, c->edge_ns));
    c->edge_ns += c->period_ns;
}

/* Missing: from the cell under way to the one in which `to_ns` lies. */
static void skip_to(struct power_cells *c, struct atoll_meter *m, double to_ns)
{
    const double cells = floor((to_ns - c->edge_ns) / c->period_ns) + 1;
    if (cells >= 1) {
        const uint32_t n = cells < 1e9 ? (uint32_t)cells : 1000000000;
        atoll__power_frames_skip(&c->frames, m, n, host_ns(c, c->edge_ns - c->period_ns));
        c->edge_ns += n * c->period_ns;
    }
    /* the rest of the cell that it falls into is taken to be as its end */
    const double begun = to_ns - (c->edge_ns - c->period_ns);
    for (uint32_t i = 0; i < c->n; i++) {
        c->charge[i] = (c->counters ? 0 : c->value[i]) * fmax(begun, 0);
        c->residue[i] = 0;
    }
    c->at_ns = to_ns;
}

void atoll__power_cells_add(struct power_cells *c, struct atoll_meter *m, uint64_t t_ns,
                            const double *values)
{
    if (!c->begun) {
        c->begun = true;
        c->origin_ns = t_ns;
        c->edge_ns = c->period_ns;
        for (uint32_t i = 0; i < c->n; i++) {
            c->value[i] = values[i];
        }
        return;
    }
    const double to_ns = atoll__power_since(t_ns, c->origin_ns);
    const double step_ns = to_ns - c->at_ns;
    if (!(step_ns > 0)) {
        return;
    }
    double before[ATOLL_METER_RAILS_MAX];
    double slope[ATOLL_METER_RAILS_MAX]; /* mW per ns */
    for (uint32_t i = 0; i < c->n; i++) {
        /* mJ in ns to mW: 1e9 */
        before[i] = c->counters ? (values[i] - c->value[i]) / step_ns * 1e9 : c->value[i];
        slope[i] = c->counters ? 0 : (values[i] - c->value[i]) / step_ns;
        c->value[i] = values[i];
    }
    if (!c->counters && step_ns > c->gap_ns) {
        skip_to(c, m, to_ns);
        return;
    }
    const double from_ns = c->at_ns;
    while (c->at_ns < to_ns) {
        const double next_ns = fmin(c->edge_ns, to_ns);
        const double middle_ns = (c->at_ns + next_ns) / 2 - from_ns;
        for (uint32_t i = 0; i < c->n; i++) {
            c->charge[i] += (before[i] + slope[i] * middle_ns) * (next_ns - c->at_ns);
        }
        c->at_ns = next_ns;
        if (next_ns >= c->edge_ns) {
            end_cell(c, m);
        }
    }
}

void atoll__power_cells_flush(struct power_cells *c, struct atoll_meter *m)
{
    atoll__power_frames_flush(&c->frames, m, host_ns(c, c->edge_ns - c->period_ns));
}
