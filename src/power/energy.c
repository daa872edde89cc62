/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Energy between two markers, and its uncertainty (GUM, JCGM 100:2008, sections 5.1, 5.2, G.4).
 * docs/method-energy.md derives each term.
 */
#include "power_internal.h"

#include <atoll/stats.h>

#include <math.h>
#include <string.h>

#define PS_PER_S 1e-9

/* A marker's place among the scans it kept. */
struct place {
    const struct power_window *w;
    double node; ///< in scans; scan k stands at k
    double u_ns;
};

/* The same for a channel that is sampled `skew` after the scan's middle. */
struct spot {
    const struct power_window *w;
    uint32_t row; ///< of the sample below
    double frac;  ///< past that row
};

static struct spot spot_of(const struct place *p, double skew)
{
    const double node = p->node - skew;
    return (struct spot){.w = p->w,
                         .row = (uint32_t)(floor(node) - (double)p->w->first),
                         .frac = node - floor(node)};
}

static int find_place(struct atoll_meter *m, int32_t marker, struct place *p, struct atoll_err *err)
{
    if (marker < 0 || (size_t)marker >= m->n_markers) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: marker %d does not exist (there are %zu)",
                          (int)marker, m->n_markers);
    }
    const struct power_marker *k = &m->markers[marker];
    p->node = atoll__power_marker_node(m, k);
    const double row = k->kept ? floor(p->node) - (double)k->window.first : -1;
    const double margin = m->setup.n_samples > 0 ? 2 : 0; /* neighbours, where samples are skewed */
    if (!k->kept || k->window.n < 2 || row < margin || row + 1 + margin >= k->window.n) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter: no scans around marker %d '%s' (set markers between start and "
                          "stop, and ask after stop)",
                          (int)marker, k->label);
    }
    p->w = &k->window;
    p->u_ns = k->on_grid ? atoll__power_timemap_period_ns(&m->map) / 65536
                         : atoll__power_timemap_u_ns(&m->map, p->node + 0.5);
    return 0;
}

double atoll__power_at(const struct atoll_meter *m, const uint16_t *codes, size_t n, size_t row,
                       uint32_t rail)
{
    const struct atoll_meter_channel *c = &m->setup.channels[rail];
    const struct atoll_meter_voltage *v = &m->setup.voltages[rail];
    const double ma = (codes[row * m->n_samples + c->at] - c->zero_code) * c->ma_per_code;
    if (!v->measured) {
        return ma * c->volt;
    }
    const double later = c->skew - v->skew; /* how long after the voltage the current is sampled */
    const size_t beside = later >= 0 ? (row + 1 < n ? row + 1 : row) : (row > 0 ? row - 1 : row);
    const double here = codes[row * m->n_samples + v->at];
    const double there = codes[beside * m->n_samples + v->at];
    return ma * (here + fabs(later) * (there - here) - v->zero_code) * v->mv_per_code / 1e3;
}

static double power_at(const struct atoll_meter *m, const struct spot *s, uint32_t row,
                       uint32_t rail)
{
    return atoll__power_at(m, s->w->codes, s->w->n, row, rail);
}

/* Power at the marker itself. */
static double power_here(const struct atoll_meter *m, const struct spot *s, uint32_t rail)
{
    const double below = power_at(m, s, s->row, rail);
    return below + s->frac * (power_at(m, s, s->row + 1, rail) - below);
}

/* Trapezoid from the node below up to the marker, minus half of that node (see flow_between). */
static double partial(const struct atoll_meter *m, const struct spot *s, uint32_t rail)
{
    const double below = power_at(m, s, s->row, rail);
    const double rise = power_at(m, s, s->row + 1, rail) - below;
    return s->frac * below + s->frac * s->frac / 2 * rise - below / 2;
}

/* Difference of running sums between rows a + shift and b + shift: exact, modulo 2^64. */
static double sum_between(const struct atoll_meter *m, const struct spot *a, const struct spot *b,
                          uint32_t column, int shift)
{
    const size_t row_a = (size_t)((int64_t)a->row + shift);
    const size_t row_b = (size_t)((int64_t)b->row + shift);
    return (double)(b->w->sums[row_b * m->n_sums + column] -
                    a->w->sums[row_a * m->n_sums + column]);
}

/* What flowed between two markers. Energy is whole nodes from the running sums plus the fractional
 * ends by trapezoid, in mW x scans. */
struct flow {
    double mw_scans;
    double ma, volt; ///< means, for the budget
};

static void flow_between(const struct atoll_meter *m, const struct spot *a, const struct spot *b,
                         uint32_t rail, struct flow *f)
{
    const struct atoll_meter_channel *c = &m->setup.channels[rail];
    const struct atoll_meter_voltage *v = &m->setup.voltages[rail];
    const double n = (double)(b->w->first + b->row) - (double)(a->w->first + a->row);
    const double current = sum_between(m, a, b, c->at, 0);
    const double first_ma =
        (a->w->codes[(size_t)a->row * m->n_samples + c->at] - c->zero_code) * c->ma_per_code;
    double whole = (current - c->zero_code * n) * c->ma_per_code * c->volt;
    *f = (struct flow){.ma = n > 0 ? (current / n - c->zero_code) * c->ma_per_code : first_ma,
                       .volt = c->volt};
    if (v->measured) {
        /* sum of (current - zero) (voltage - zero), the voltage between two of its samples */
        const double later = c->skew - v->skew;
        const double part = fabs(later);
        const int beside = later >= 0 ? 1 : -1;
        const uint32_t product = m->product_at[rail];
        const double volts = (1 - part) * sum_between(m, a, b, v->at, 0) +
                             part * sum_between(m, a, b, v->at, beside);
        const double both = (1 - part) * sum_between(m, a, b, product, 0) +
                            part * sum_between(m, a, b, product + 1, later >= 0 ? 1 : 0);
        const double first_code = a->w->codes[(size_t)a->row * m->n_samples + v->at];
        whole = (both - c->zero_code * volts - v->zero_code * current +
                 n * c->zero_code * v->zero_code) *
                c->ma_per_code * v->mv_per_code / 1e3;
        f->volt = ((n > 0 ? volts / n : first_code) - v->zero_code) * v->mv_per_code / 1e3;
    }
    f->mw_scans = whole + partial(m, b, rail) - partial(m, a, rail);
}

/* White noise of one scan's power. */
static double noise_mw(const struct atoll_meter *m, uint32_t rail, const struct flow *f)
{
    const struct atoll_meter_channel *c = &m->setup.channels[rail];
    const struct atoll_meter_voltage *v = &m->setup.voltages[rail];
    return hypot(c->noise_code * c->ma_per_code * f->volt,
                 v->measured ? v->noise_code * v->mv_per_code / 1e3 * f->ma : 0);
}

/* How far the power moves close to the marker, noise apart: what a shift in time can cost. */
static double step_mw(const struct atoll_meter *m, const struct place *p, const struct spot *s,
                      uint32_t rail, const struct flow *f)
{
    const double period_ns = atoll__power_timemap_period_ns(&m->map);
    const uint32_t reach = 2 + (uint32_t)fmin(p->u_ns / period_ns, 1e6);
    const uint32_t from = s->row > reach ? s->row - reach : 0;
    const uint32_t to = s->row + 1 + reach < s->w->n ? s->row + 1 + reach : s->w->n - 1;
    double low = INFINITY;
    double high = -INFINITY;
    for (uint32_t i = from; i <= to; i++) {
        const double mw = power_at(m, s, i, rail);
        low = fmin(low, mw);
        high = fmax(high, mw);
    }
    const double moved = high - low - 4 * noise_mw(m, rail, f);
    return moved > 0 ? moved : 0;
}

/* Mean over the window of 1 - exp(-t / tau), times its length: how far the zero has drifted. */
static double drift_s(double tau_s, double from_s, double to_s)
{
    if (!(tau_s > 0)) {
        return to_s - from_s;
    }
    return (to_s - from_s) - tau_s * (exp(-from_s / tau_s) - exp(-to_s / tau_s));
}

/* Variances of one sum, with what Welch and Satterthwaite need of the estimated ones. */
struct budget {
    double gain, reference_mj, zero, drift, noise, time_mj, volt;
    double own;      ///< of the gain, what was estimated
    double drift_mw; ///< what the zero may drift to
    double fourth;   ///< sum of u^4 / dof
};

static void rail_energy(struct atoll_meter *m, const struct place *pa, const struct place *pb,
                        uint32_t rail, double from_s, struct atoll_energy *e, struct budget *v)
{
    const struct atoll_meter_channel *c = &m->setup.channels[rail];
    const struct atoll_meter_voltage *volts = &m->setup.voltages[rail];
    const struct spot a = spot_of(pa, c->skew);
    const struct spot b = spot_of(pb, c->skew);
    const double period_ns = atoll__power_timemap_period_ns(&m->map);
    const double period_s = period_ns * PS_PER_S;
    const double scans = pb->node - pa->node;
    const double seconds = scans * period_s;
    struct flow f;
    flow_between(m, &a, &b, rail, &f);
    e->energy_mj = f.mw_scans * period_s;
    const double size_mj = fabs(e->energy_mj);
    const double code_mw = c->ma_per_code * f.volt;
    const double gain = hypot(c->u_gain_frac, volts->measured ? volts->u_gain_frac : 0) * size_mj;
    const double reference = c->u_reference_frac * e->energy_mj;
    const double zero =
        hypot(c->u_zero_code * code_mw, volts->u_zero_code * volts->mv_per_code / 1e3 * f.ma) *
        seconds;
    const double drift_mw = c->u_drift_code * fabs(code_mw);
    const double drift = drift_mw * fabs(drift_s(c->drift_tau_s, from_s, from_s + seconds));
    const double noise = noise_mw(m, rail, &f) * period_s * sqrt(fabs(scans));
    const double volt = volts->measured ? 0 : c->u_volt_frac * size_mj;
    /* a shift of both ends, and what the grid cannot see of steps at the ends */
    const double moved = step_mw(m, pa, &a, rail, &f) + step_mw(m, pb, &b, rail, &f);
    const double u_scan = fmax(pa->u_ns, pb->u_ns) / period_ns;
    const double shift = fabs(power_here(m, &b, rail) - power_here(m, &a, rail)) + moved / 2;
    const double time = period_s * sqrt(u_scan * u_scan * shift * shift + 0.04 * moved * moved);
    const double own = c->u_gain_frac * size_mj;
    *v = (struct budget){.gain = gain * gain,
                         .reference_mj = reference,
                         .zero = zero * zero,
                         .drift = drift * drift,
                         .noise = noise * noise,
                         .time_mj = time,
                         .volt = volt * volt,
                         .own = own * own,
                         .drift_mw = drift_mw,
                         .fourth = pow(own, 4) / c->gain_dof + pow(noise, 4) / c->noise_dof};
}

static void expand(struct atoll_energy *e, const struct budget *v, double seconds)
{
    const double gain = v->gain + v->reference_mj * v->reference_mj;
    const double time = v->time_mj * v->time_mj;
    const double all = gain + v->zero + v->drift + v->noise + time + v->volt;
    e->seconds = seconds;
    e->mean_w = e->energy_mj / 1e3 / seconds;
    e->u_gain_mj = sqrt(gain);
    e->u_zero_mj = sqrt(v->zero);
    e->u_drift_mj = sqrt(v->drift);
    e->u_noise_mj = sqrt(v->noise);
    e->u_time_mj = v->time_mj;
    e->u_volt_mj = sqrt(v->volt);
    const double dof = v->fourth > 0 ? all * all / v->fourth : 1e9;
    e->coverage_k = atoll_t975(dof < 1 ? 1 : dof < 1e9 ? dof : 1e9);
    e->u95_mj = e->coverage_k * sqrt(all);
}

/* A window that goes on like the one that `e` and `v` speak of, `seconds` long, from from_s on. */
static void stretch(const struct atoll_meter_channel *c, double times, double from_s,
                    double seconds, struct atoll_energy *e, struct budget *v)
{
    const double drift = v->drift_mw * fabs(drift_s(c->drift_tau_s, from_s, from_s + seconds));
    e->energy_mj *= times;
    v->gain *= times * times;
    v->own *= times * times;
    v->volt *= times * times;
    v->reference_mj *= times;
    v->zero *= times * times;
    v->drift = drift * drift;
    v->noise *= times;
    v->fourth = v->own * v->own / c->gain_dof + v->noise * v->noise / c->noise_dof;
}

/* One reference and one clock for all channels: these errors go the same way and add up. */
static void add(struct budget *sum, const struct budget *v)
{
    sum->gain += v->gain;
    sum->reference_mj += v->reference_mj;
    sum->time_mj += v->time_mj;
    sum->zero += v->zero;
    sum->drift += v->drift;
    sum->noise += v->noise;
    sum->fourth += v->fourth;
}

/* Rails of one nominal voltage come from one supply: their errors go the same way. */
static double volt_variance(const struct atoll_meter *m, const struct budget *v)
{
    double all = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        double together = 0;
        bool first = true;
        for (uint32_t k = 0; k < m->n; k++) {
            const bool same = fabs(m->setup.channels[k].volt - m->setup.channels[i].volt) < 1e-9;
            together += same ? sqrt(v[k].volt) : 0;
            first = first && (!same || k >= i);
        }
        all += first ? together * together : 0;
    }
    return all;
}

/* Scans of gaps inside the window; *worst: the longest of them. */
static uint64_t lost_between(const struct atoll_meter *m, double from, double to,
                             const struct power_gap **worst)
{
    uint64_t lost = 0;
    uint64_t longest = 0;
    *worst = NULL;
    for (size_t i = 0; i < m->n_gaps; i++) {
        const struct power_gap *g = &m->gaps[i];
        const double low = fmax(from, (double)g->from);
        const double high = fmin(to, (double)g->to);
        if (high <= low) {
            continue;
        }
        lost += (uint64_t)ceil(high - low);
        if (g->to - g->from > longest) {
            longest = g->to - g->from;
            *worst = g;
        }
    }
    return lost;
}

static int find_window(struct atoll_meter *m, int32_t from, int32_t to, struct place *a,
                       struct place *b, struct atoll_err *err)
{
    int rc = m->failed != 0 ? atoll_fail(err, m->failed, "meter: %s while scans arrived",
                                         atoll_code_text(m->failed))
                            : find_place(m, from, a, err);
    rc = rc == 0 ? find_place(m, to, b, err) : rc;
    if (rc == 0 && !(b->node > a->node)) {
        rc = atoll_fail(err, ATOLL_EUSAGE, "meter: marker %d does not lie after marker %d", (int)to,
                        (int)from);
    }
    return rc;
}

/* Between two of the host's markers its clock says how long it was, else the scan axis. */
static double seconds_between(const struct atoll_meter *m, int32_t from, int32_t to, double scans)
{
    const struct power_marker *a = &m->markers[from];
    const struct power_marker *b = &m->markers[to];
    return a->on_grid || b->on_grid ? scans * atoll__power_timemap_period_ns(&m->map) / 1e9
                                    : (double)(b->t_ns - a->t_ns) / 1e9;
}

int atoll_meter_foresee(struct atoll_meter *m, int32_t from, int32_t to, double seconds,
                        struct atoll_energy *out, struct atoll_err *err)
{
    struct place a;
    struct place b;
    const int rc = find_window(m, from, to, &a, &b, err);
    if (rc != 0) {
        return rc;
    }
    const double had_s = seconds_between(m, from, to, b.node - a.node);
    const double from_s =
        atoll__power_since(atoll__power_marker_ns(m, &m->markers[from]), m->start_ns) / 1e9;
    struct atoll_energy sum = {.scans = (uint64_t)(seconds * m->setup.rate_hz + 0.5)};
    struct budget all = {0};
    struct budget parts[ATOLL_METER_RAILS_MAX];
    for (uint32_t c = 0; c < m->n; c++) {
        struct atoll_energy e = {0};
        struct budget *v = &parts[c];
        rail_energy(m, &a, &b, c, from_s, &e, v);
        stretch(&m->setup.channels[c], seconds / had_s, from_s + had_s, seconds, &e, v);
        sum.energy_mj += e.energy_mj;
        add(&all, v);
    }
    all.volt = volt_variance(m, parts);
    expand(&sum, &all, seconds);
    *out = sum;
    return 0;
}

int atoll_meter_energy(struct atoll_meter *m, int32_t from, int32_t to, struct atoll_energy *rails,
                       struct atoll_energy *total, struct atoll_err *err)
{
    struct place a;
    struct place b;
    const int rc = find_window(m, from, to, &a, &b, err);
    if (rc != 0) {
        return rc;
    }
    const double seconds = seconds_between(m, from, to, b.node - a.node);
    const double from_s =
        atoll__power_since(atoll__power_marker_ns(m, &m->markers[from]), m->start_ns) / 1e9;
    const struct power_gap *worst = NULL;
    const uint64_t lost = lost_between(m, a.node, b.node, &worst);
    struct atoll_energy sum = {.scans = (uint64_t)(b.node - a.node + 0.5), .lost_scans = lost};
    struct budget all = {0};
    struct budget parts[ATOLL_METER_RAILS_MAX];
    for (uint32_t c = 0; c < m->n; c++) {
        struct atoll_energy e = {.scans = sum.scans, .lost_scans = lost};
        struct budget *v = &parts[c];
        rail_energy(m, &a, &b, c, from_s > 0 ? from_s : 0, &e, v);
        expand(&e, v, seconds);
        if (rails != NULL) {
            rails[c] = e;
        }
        sum.energy_mj += e.energy_mj;
        add(&all, v);
    }
    all.volt = volt_variance(m, parts);
    expand(&sum, &all, seconds);
    if (total != NULL) {
        *total = sum;
    }
    if (lost == 0) {
        return 0;
    }
    return atoll_fail(err, ATOLL_ENO,
                      "meter: %llu of %llu scans are missing in the window (%s, longest at %.6f s)",
                      (unsigned long long)lost, (unsigned long long)sum.scans, worst->cause,
                      atoll__power_timemap_ns(&m->map, (double)worst->from, m->start_ns) / 1e9);
}
