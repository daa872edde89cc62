/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scan index <-> host time. A frame whose last scan ends at edge x (in scans) arrives at
 * y = offset + period x + latency + jitter. Least squares gives offset and period; the nominal
 * period enters as one more observation of the slope, weighted by what the microcontroller's clock
 * promises. The sums are updated around the running means (Welford), so a long run loses nothing.
 */
#include "power_internal.h"

#include <math.h>

void atoll__power_timemap_init(struct power_timemap *t, const struct atoll_meter_setup *s)
{
    *t = (struct power_timemap){.period_ns = 1e9 / s->rate_hz,
                                .latency_ns = s->latency_ns,
                                .u_latency_ns = s->u_latency_ns,
                                .jitter_ns = s->u_latency_ns};
    const double u_period_ns = t->period_ns * s->u_rate_frac;
    t->prior = u_period_ns > 0 ? t->jitter_ns * t->jitter_ns / (u_period_ns * u_period_ns) : 0;
}

void atoll__power_timemap_add(struct power_timemap *t, double edge, uint64_t arrival_ns)
{
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
    const double weight = t->sxx + t->prior;
    return weight > 0 ? (t->sxy + t->prior * t->period_ns) / weight : t->period_ns;
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
    double scatter_ns = t->jitter_ns;
    if (t->n > 2) {
        const double slope = atoll__power_timemap_period_ns(t);
        const double residual = t->syy - 2 * slope * t->sxy + slope * slope * t->sxx;
        scatter_ns = residual > 0 ? sqrt(residual / (double)(t->n - 2)) : 0;
    }
    const double dx = edge - t->mean_x;
    const double weight = t->sxx + t->prior;
    const double spread = (t->n > 0 ? 1.0 / (double)t->n : 1) + (weight > 0 ? dx * dx / weight : 0);
    return sqrt(t->u_latency_ns * t->u_latency_ns + scatter_ns * scatter_ns * spread);
}
