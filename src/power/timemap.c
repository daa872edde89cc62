/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scan index <-> host time. A frame whose last scan ends at edge x (in scans) arrives at
 * y = offset + period x + latency + jitter. Least squares gives offset and period; the nominal
 * period enters as one more observation of the slope, weighted by what the microcontroller's clock
 * promises. The sums are updated around the running means (Welford), so a long run loses nothing.
 */
#include "power_internal.h"

#include <math.h>

enum { LATE_FROM = 8, LATE_SCATTERS = 5, LATE_MOST = 64 };
static const double late_least_ns = 2e6;

void atoll__power_timemap_init(struct power_timemap *t, const struct atoll_meter_setup *s)
{
    *t = (struct power_timemap){.period_ns = 1e9 / s->rate_hz,
                                .latency_ns = s->latency_ns,
                                .u_latency_ns = s->u_latency_ns,
                                .jitter_ns = s->jitter_ns > 0 ? s->jitter_ns : s->u_latency_ns};
    t->u_period_ns = t->period_ns * s->u_rate_frac;
}

/* Weight of the nominal period as one more observation of the slope: the spread of the arrivals (as
 * seen, at least as promised) over what the nominal period is known to. */
static double prior(const struct power_timemap *t)
{
    double spread2 = t->jitter_ns * t->jitter_ns;
    if (t->n > 2 && t->sxx > 0) {
        spread2 = fmax(spread2, (t->syy - t->sxy * t->sxy / t->sxx) / (double)(t->n - 2));
    }
    return t->u_period_ns > 0 ? spread2 / (t->u_period_ns * t->u_period_ns) : 0;
}

static double scatter_ns(const struct power_timemap *t)
{
    const double slope = atoll__power_timemap_period_ns(t);
    const double residual = t->syy - 2 * slope * t->sxy + slope * slope * t->sxx;
    return residual > 0 ? sqrt(residual / (double)(t->n - 2)) : 0;
}

/* A host that was busy finds many frames at once, all but the last of them late: they say nothing
 * of when the scans were. Not more than some in a row: then it is the line that has changed. */
static bool held_up(struct power_timemap *t, double edge, uint64_t arrival_ns)
{
    if (t->n < LATE_FROM) {
        return false;
    }
    const double period_ns = atoll__power_timemap_period_ns(t);
    const double due_ns = t->mean_y + (edge - t->mean_x) * period_ns;
    const double late_ns = atoll__power_since(arrival_ns, t->origin_ns) - due_ns;
    const bool late = late_ns > fmax(LATE_SCATTERS * scatter_ns(t), late_least_ns);
    t->held_up = late ? t->held_up + 1 : 0;
    return late && t->held_up <= LATE_MOST;
}

void atoll__power_timemap_add(struct power_timemap *t, double edge, uint64_t arrival_ns)
{
    if (held_up(t, edge, arrival_ns)) {
        return;
    }
    if (t->n == 0) {
        t->origin_ns = arrival_ns;
    }
    const double y = atoll__power_since(arrival_ns, t->origin_ns);
    t->n++;
    const double dx = edge - t->mean_x;
    const double dy = y - t->mean_y;
    t->mean_x += dx / (double)t->n;
    t->mean_y += dy / (double)t->n;
    t->sxx += dx * (edge - t->mean_x);
    t->sxy += dx * (y - t->mean_y);
    t->syy += dy * (y - t->mean_y);
}

double atoll__power_timemap_period_ns(const struct power_timemap *t)
{
    const double promised = prior(t);
    const double weight = t->sxx + promised;
    return weight > 0 ? (t->sxy + promised * t->period_ns) / weight : t->period_ns;
}

double atoll__power_timemap_edge(const struct power_timemap *t, uint64_t t_ns)
{
    const double y = atoll__power_since(t_ns, t->origin_ns);
    return t->mean_x + (y + t->latency_ns - t->mean_y) / atoll__power_timemap_period_ns(t);
}

double atoll__power_timemap_ns(const struct power_timemap *t, double edge, uint64_t reference_ns)
{
    const double y =
        t->mean_y - t->latency_ns + (edge - t->mean_x) * atoll__power_timemap_period_ns(t);
    return atoll__power_since(t->origin_ns, reference_ns) + y;
}

double atoll__power_timemap_u_ns(const struct power_timemap *t, double edge)
{
    const double spread_ns = t->n > 2 ? scatter_ns(t) : t->jitter_ns;
    const double dx = edge - t->mean_x;
    const double weight = t->sxx + prior(t);
    const double spread = (t->n > 0 ? 1.0 / (double)t->n : 1) + (weight > 0 ? dx * dx / weight : 0);
    return sqrt(t->u_latency_ns * t->u_latency_ns + spread_ns * spread_ns * spread);
}
