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
    double node;  ///< in scans; scan k stands at k
    uint32_t row; ///< of the node below
    double frac;  ///< past that row
    double u_ns;
};

static int find_place(struct atoll_meter *m, int32_t marker, struct place *p, struct atoll_err *err)
{
    if (marker < 0 || (size_t)marker >= m->n_markers) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: marker %d does not exist (there are %zu)",
                          (int)marker, m->n_markers);
    }
    const struct power_marker *k = &m->markers[marker];
    p->node = atoll__power_node(m, k->t_ns);
    const double row = k->kept ? floor(p->node) - (double)k->window.first : -1;
    if (!k->kept || k->window.n < 2 || row < 0 || row + 1 >= k->window.n) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter: no scans around marker %d '%s' (set markers between start and "
                          "stop, and ask after stop)",
                          (int)marker, k->label);
    }
    p->w = &k->window;
    p->row = (uint32_t)row;
    p->frac = p->node - floor(p->node);
    p->u_ns = atoll__power_timemap_u_ns(&m->map, p->node + 0.5);
    return 0;
}

static double code_at(const struct atoll_meter *m, const struct place *p, uint32_t channel)
{
    const uint16_t *c = p->w->codes + (size_t)p->row * m->n + channel;
    return c[0] + p->frac * ((double)c[m->n] - c[0]);
}

/* Trapezoid from the node below up to the marker, minus half of that node (see sum_between). */
static double partial(const struct atoll_meter *m, const struct place *p, uint32_t channel)
{
    const uint16_t *c = p->w->codes + (size_t)p->row * m->n + channel;
    const double rise = (double)c[m->n] - c[0];
    return p->frac * c[0] + p->frac * p->frac / 2 * rise - c[0] / 2.0;
}

/* Integral of the code over the scan axis between two markers, in codes x scans: whole nodes from
 * the running sums (exact integers), fractional ends by trapezoid. */
static double sum_between(const struct atoll_meter *m, const struct place *a, const struct place *b,
                          uint32_t channel)
{
    const uint64_t sum_a = a->w->sums[(size_t)a->row * m->n + channel];
    const uint64_t sum_b = b->w->sums[(size_t)b->row * m->n + channel];
    const double whole = sum_b >= sum_a ? (double)(sum_b - sum_a) : -(double)(sum_a - sum_b);
    return whole + partial(m, b, channel) - partial(m, a, channel);
}

/* How far the power moves close to the marker, noise apart: what a shift in time can cost. */
static double step_code(const struct atoll_meter *m, const struct place *p, uint32_t channel,
                        double period_ns)
{
    const uint32_t reach = 2 + (uint32_t)fmin(p->u_ns / period_ns, 1e6);
    const uint32_t from = p->row > reach ? p->row - reach : 0;
    const uint32_t to = p->row + 1 + reach < p->w->n ? p->row + 1 + reach : p->w->n - 1;
    double low = INFINITY;
    double high = -INFINITY;
    for (uint32_t i = from; i <= to; i++) {
        const double code = p->w->codes[(size_t)i * m->n + channel];
        low = fmin(low, code);
        high = fmax(high, code);
    }
    const double moved = high - low - 4 * m->setup.channels[channel].noise_code;
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
    double gain, reference_mj, zero, drift, noise, time_mj;
    double fourth; ///< sum of u^4 / dof
};

static void channel_energy(struct atoll_meter *m, const struct place *a, const struct place *b,
                           uint32_t channel, double from_s, struct atoll_energy *e,
                           struct budget *v)
{
    const struct atoll_meter_channel *c = &m->setup.channels[channel];
    const double period_ns = atoll__power_timemap_period_ns(&m->map);
    const double scans = b->node - a->node;
    const double mj_per_scan = c->ma_per_code * c->volt * period_ns * PS_PER_S;
    const double seconds = scans * period_ns * PS_PER_S;
    e->energy_mj = (sum_between(m, a, b, channel) - c->zero_code * scans) * mj_per_scan;
    const double gain = c->u_gain_frac * fabs(e->energy_mj);
    const double reference = c->u_reference_frac * e->energy_mj;
    const double zero = c->u_zero_code * mj_per_scan * scans;
    const double drift = c->u_drift_code * c->ma_per_code * c->volt *
                         fabs(drift_s(c->drift_tau_s, from_s, from_s + seconds));
    const double noise = c->noise_code * mj_per_scan * sqrt(fabs(scans));
    /* a shift of both ends, and what the grid cannot see of steps at the ends */
    const double moved = step_code(m, a, channel, period_ns) + step_code(m, b, channel, period_ns);
    const double u_scan = fmax(a->u_ns, b->u_ns) / period_ns;
    const double shift = fabs(code_at(m, b, channel) - code_at(m, a, channel)) + moved / 2;
    const double time = mj_per_scan * sqrt(u_scan * u_scan * shift * shift + 0.04 * moved * moved);
    *v = (struct budget){.gain = gain * gain,
                         .reference_mj = reference,
                         .zero = zero * zero,
                         .drift = drift * drift,
                         .noise = noise * noise,
                         .time_mj = time,
                         .fourth = pow(gain, 4) / c->gain_dof + pow(noise, 4) / c->noise_dof};
}

static void expand(struct atoll_energy *e, const struct budget *v, double seconds)
{
    const double gain = v->gain + v->reference_mj * v->reference_mj;
    const double time = v->time_mj * v->time_mj;
    const double all = gain + v->zero + v->drift + v->noise + time;
    e->seconds = seconds;
    e->mean_w = e->energy_mj / 1e3 / seconds;
    e->u_gain_mj = sqrt(gain);
    e->u_zero_mj = sqrt(v->zero);
    e->u_drift_mj = sqrt(v->drift);
    e->u_noise_mj = sqrt(v->noise);
    e->u_time_mj = v->time_mj;
    const double dof = v->fourth > 0 ? all * all / v->fourth : 1e9;
    e->coverage_k = atoll_t975(dof < 1 ? 1 : dof < 1e9 ? dof : 1e9);
    e->u95_mj = e->coverage_k * sqrt(all);
}

/* A window that goes on like the one that `e` and `v` speak of, `seconds` long, from from_s on. */
static void stretch(const struct atoll_meter_channel *c, double times, double from_s,
                    double seconds, struct atoll_energy *e, struct budget *v)
{
    const double drift = c->u_drift_code * c->ma_per_code * c->volt *
                         fabs(drift_s(c->drift_tau_s, from_s, from_s + seconds));
    e->energy_mj *= times;
    v->gain *= times * times;
    v->reference_mj *= times;
    v->zero *= times * times;
    v->drift = drift * drift;
    v->noise *= times;
    v->fourth = v->gain * v->gain / c->gain_dof + v->noise * v->noise / c->noise_dof;
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
    if (rc == 0 && m->markers[to].t_ns <= m->markers[from].t_ns) {
        rc = atoll_fail(err, ATOLL_EUSAGE, "meter: marker %d does not lie after marker %d", (int)to,
                        (int)from);
    }
    return rc;
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
    const double had_s = (double)(m->markers[to].t_ns - m->markers[from].t_ns) / 1e9;
    const double from_s = atoll__power_since(m->markers[from].t_ns, m->start_ns) / 1e9;
    struct atoll_energy sum = {.scans = (uint64_t)(seconds * m->setup.rate_hz + 0.5)};
    struct budget all = {0};
    for (uint32_t c = 0; c < m->n; c++) {
        struct atoll_energy e = {0};
        struct budget v;
        channel_energy(m, &a, &b, c, from_s, &e, &v);
        stretch(&m->setup.channels[c], seconds / had_s, from_s + had_s, seconds, &e, &v);
        sum.energy_mj += e.energy_mj;
        add(&all, &v);
    }
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
    const double seconds = (double)(m->markers[to].t_ns - m->markers[from].t_ns) / 1e9;
    const double from_s = atoll__power_since(m->markers[from].t_ns, m->start_ns) / 1e9;
    const struct power_gap *worst = NULL;
    const uint64_t lost = lost_between(m, a.node, b.node, &worst);
    struct atoll_energy sum = {.scans = (uint64_t)(b.node - a.node + 0.5), .lost_scans = lost};
    struct budget all = {0};
    for (uint32_t c = 0; c < m->n; c++) {
        struct atoll_energy e = {.scans = sum.scans, .lost_scans = lost};
        struct budget v;
        channel_energy(m, &a, &b, c, from_s > 0 ? from_s : 0, &e, &v);
        expand(&e, &v, seconds);
        if (rails != NULL) {
            rails[c] = e;
        }
        sum.energy_mj += e.energy_mj;
        add(&all, &v);
    }
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
