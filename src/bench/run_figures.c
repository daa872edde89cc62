/* SPDX-License-Identifier: Apache-2.0 */
/* What a run's samples, completions and markers say. docs/method-measurement.md gives the
 * formulas. */
#include "run_internal.h"

#include <math.h>
#include <string.h>

#define OUTLIER_MADS 14.826 /* 10 standard deviations of a normal distribution (hyperfine) */

static int count_outliers(const double *sorted, size_t n, double median, uint64_t *outliers)
{
    double *distance = atoll_alloc(n * sizeof *distance);
    if (!distance) {
        return ATOLL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        distance[i] = fabs(sorted[i] - median);
    }
    atoll_sort(distance, n);
    const double mad = atoll_quantile(distance, n, 0.5);
    *outliers = 0;
    for (size_t i = n; i-- > 0 && mad > 0 && distance[i] / mad > OUTLIER_MADS;) {
        ++*outliers;
    }
    atoll_free(distance);
    return 0;
}

int atoll__run_latency_figures(struct atoll__runner *r)
{
    struct atoll_run_result *o = r->out;
    const size_t n = o->n;
    if (n == 0) {
        return 0;
    }
    double *sorted = atoll_alloc(n * sizeof *sorted);
    if (!sorted) {
        return atoll_fail_nomem(r->err, "sorted samples", n * sizeof *sorted);
    }
    memcpy(sorted, o->latency_us, n * sizeof *sorted);
    atoll_sort(sorted, n);
    o->p50_us = atoll_quantile_ci(sorted, n, 0.5);
    o->p90_us = n >= 10 ? atoll_quantile(sorted, n, 0.9) : NAN;
    o->p99_us = n >= 100 ? atoll_quantile(sorted, n, 0.99) : NAN;
    o->min_us = sorted[0];
    o->max_us = sorted[n - 1];
    o->mean_us = atoll_mean(o->latency_us, n);
    o->stdev_us = atoll_stdev(o->latency_us, n);
    /* Saturated, a sample is the time in a full system, and samples of several models are of
     * several kinds: no outliers to speak of. */
    const int rc = r->q->workload.mode == ATOLL_WORK_SATURATED || r->models
                       ? 0
                       : count_outliers(sorted, n, o->p50_us.value, &o->outliers);
    atoll_free(sorted);
    return rc ? atoll_fail_nomem(r->err, "sorted samples", n * sizeof *sorted) : 0;
}

/* Each pipeline's rate over a whole number of bursts, summed: pipelines in step would otherwise
 * put the window's ends at a burst and bias a count over the window by up to pipelines / count. */
double atoll__run_throughput(const struct atoll__runner *r)
{
    double hz = 0;
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        const struct atoll__pipe *p = &r->pipes[i];
        const size_t intervals =
            p->n_done > 0 ? (p->n_done - 1) / p->replicas_max * p->replicas_max : 0;
        if (intervals == 0) {
            return NAN;
        }
        hz += (double)intervals * 1e9 / (double)(p->done_ns[intervals] - p->done_ns[0]);
    }
    return hz;
}

int atoll__run_stage_figures(struct atoll__runner *r)
{
    struct atoll_run_result *o = r->out;
    for (uint32_t p = 0; p < r->n_pipes; p++) {
        o->n_stages += r->pipes[p].n_stages;
    }
    o->stages = atoll_calloc(o->n_stages, sizeof *o->stages);
    if (!o->stages) {
        return atoll_fail_nomem(r->err, "figures of the stages", o->n_stages * sizeof *o->stages);
    }
    struct atoll_stage_result *to = o->stages;
    for (uint32_t p = 0; p < r->n_pipes; p++) {
        for (uint32_t s = 0; s < r->pipes[p].n_stages; s++, to++) {
            const struct atoll__stage *from = &r->pipes[p].stages[s];
            const double runs = (double)from->runs;
            to->pipeline = p;
            to->stage = s;
            to->runs = from->runs;
            to->busy_us_mean = from->runs ? (double)from->busy_ns / 1e3 / runs : NAN;
            to->wait_us_mean = from->runs ? (double)from->wait_ns / 1e3 / runs : NAN;
            to->busy_frac = o->window_s > 0
                                ? (double)from->busy_ns / 1e9 / o->window_s / from->n_replicas
                                : NAN;
        }
    }
    return 0;
}

int atoll__run_model_figures(struct atoll__runner *r)
{
    struct atoll_run_result *o = r->out;
    const uint32_t n = r->models ? r->q->plan->n_models : 0;
    o->models = atoll_calloc((size_t)n + 1, sizeof *o->models);
    if (!o->models) {
        return atoll_fail_nomem(r->err, "figures of the models", n * sizeof *o->models);
    }
    o->n_models = n;
    for (uint32_t m = 0; m < n; m++) {
        struct atoll__model_samples *s = &r->models[m];
        struct atoll_model_result *to = &o->models[m];
        *to = (struct atoll_model_result){.n = s->n,
                                          .mean_us = NAN,
                                          .p50_us = NAN,
                                          .p90_us = NAN,
                                          .p99_us = NAN,
                                          .max_us = NAN,
                                          .reloads = s->reloads};
        to->throughput_hz = o->window_s > 0 ? (double)s->n / o->window_s : NAN;
        if (s->n > 0) {
            to->mean_us = atoll_mean(s->latency_us, s->n);
            atoll_sort(s->latency_us, s->n);
            to->p50_us = atoll_quantile(s->latency_us, s->n, 0.5);
            to->p90_us = s->n >= 10 ? atoll_quantile(s->latency_us, s->n, 0.9) : NAN;
            to->p99_us = s->n >= 100 ? atoll_quantile(s->latency_us, s->n, 0.99) : NAN;
            to->max_us = s->latency_us[s->n - 1];
        }
    }
    return 0;
}
