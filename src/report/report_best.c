/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which arrangement is best, and whether that is more than noise. The best figure of a model is
 * compared with every other arrangement of the same workload (moderated t-test on logarithms,
 * Holm over the comparisons). Those that differ by noise only tie with it, and of these the one
 * that takes fewest TPUs is recommended. Equal arrangements under two names count once.
 */
#include "report_internal.h"

#include <math.h>
#include <string.h>

/* A p-value below this is more than noise, after Holm. */
#define ALPHA 0.05

static uint64_t shape_of(const struct atoll__data *d, const struct atoll__config *c)
{
    if (c->plan >= 0) {
        return d->plans[c->plan].shape;
    }
    const char *s = d->strategies[c->strategy];
    return atoll_fnv1a(s, strlen(s), (uint64_t)c->tpus);
}

static int64_t used_tpus(const struct atoll__data *d, const struct atoll__config *c)
{
    const int64_t used = c->plan >= 0 ? d->plans[c->plan].row.tpus_used : 0;
    return used > 0 ? used : c->tpus;
}

static bool better(enum atoll__metric m, double a, double b)
{
    return m == ATOLL__THROUGHPUT ? a > b : a < b;
}

/* True when a is the plainer of two: fewer TPUs, then the plainer name. */
static bool plainer(const struct atoll__data *d, const struct atoll__config *a,
                    const struct atoll__config *b)
{
    const int64_t ta = used_tpus(d, a), tb = used_tpus(d, b);
    if (ta != tb) {
        return ta < tb;
    }
    if (a->tpus != b->tpus) {
        return a->tpus < b->tpus;
    }
    return atoll__report_plainness(d->strategies[a->strategy]) <
           atoll__report_plainness(d->strategies[b->strategy]);
}

/* The model's different arrangements under a workload that have the metric. */
static size_t candidates(const struct atoll__data *d, uint32_t model, uint32_t workload,
                         enum atoll__metric m, size_t *list)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_configs; i++) {
        const struct atoll__config *c = &d->configs[i];
        if (c->model != model || c->workload != workload || !isfinite(c->metric[m].value)) {
            continue;
        }
        size_t k = 0;
        while (k < n && shape_of(d, &d->configs[list[k]]) != shape_of(d, c)) {
            k++;
        }
        if (k == n) {
            list[n++] = i;
        } else if (plainer(d, c, &d->configs[list[k]])) {
            list[k] = i;
        }
    }
    return n;
}

static const struct atoll__spread *spread_of(const struct atoll__data *d,
                                             const struct atoll__config *c, enum atoll__metric m)
{
    return &d->spread[c->workload * ATOLL__METRICS + (uint32_t)m];
}

/* Ties of the best: Holm-adjusted p of each comparison with it. */
static int find_ties(const struct atoll__data *d, struct atoll__best *b, const size_t *list,
                     size_t n, size_t top, double *p, struct atoll_err *err)
{
    const enum atoll__metric m = b->metric;
    const struct atoll__config *first = &d->configs[list[top]];
    b->noise_known = true;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == top) {
            continue;
        }
        const struct atoll__config *c = &d->configs[list[i]];
        const struct atoll__difference r = atoll__sample_compare(
            spread_of(d, first, m), &first->metric[m].log, &c->metric[m].log, 0);
        b->noise_known = b->noise_known && isfinite(r.p);
        p[k++] = isfinite(r.p) ? r.p : 1;
    }
    if (k > 0 && atoll_holm(p, k)) {
        return atoll_fail_nomem(err, "the adjusted p-values", k * sizeof *p);
    }
    size_t chosen = list[top];
    k = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == top) {
            continue;
        }
        const bool tie = !(p[k++] < ALPHA);
        const struct atoll__config *c = &d->configs[list[i]];
        if (tie && b->noise_known) {
            b->ties++;
            if (plainer(d, c, &d->configs[chosen])) {
                chosen = list[i];
            }
        } else if (b->runner_up < 0 ||
                   better(m, c->metric[m].value, d->configs[b->runner_up].metric[m].value)) {
            b->runner_up = (int64_t)list[i];
        }
    }
    b->config = chosen;
    return 0;
}

static void gain_over_one(const struct atoll__data *d, struct atoll__best *b, const size_t *list,
                          size_t n)
{
    const enum atoll__metric m = b->metric;
    for (size_t i = 0; i < n; i++) {
        if (used_tpus(d, &d->configs[list[i]]) == 1 && d->configs[list[i]].tpus == 1) {
            b->single = (int64_t)list[i];
        }
    }
    if (b->single < 0) {
        return;
    }
    const struct atoll__config *c = &d->configs[b->config], *one = &d->configs[b->single];
    const struct atoll__difference r =
        atoll__sample_compare(spread_of(d, c, m), &one->metric[m].log, &c->metric[m].log, 0);
    const double sign = m == ATOLL__THROUGHPUT ? 1 : -1;
    b->ratio = exp(sign * r.d);
    b->ratio_low95 = exp(sign > 0 ? r.low95 : -r.high95);
    b->ratio_high95 = exp(sign > 0 ? r.high95 : -r.low95);
    b->beyond_noise = (size_t)b->single != b->config && r.p < ALPHA;
}

static int choose_one(struct atoll__data *d, uint32_t model, enum atoll__metric m, size_t *list,
                      double *p, struct atoll_err *err)
{
    /* One input at a time for latency, all TPUs busy for throughput and energy; else what there is.
     */
    const char *const wanted = m == ATOLL__LATENCY ? "latency" : "saturated";
    size_t n = 0;
    for (int round = 0; round < 2 && n == 0; round++) {
        for (uint32_t w = 0; w < d->n_workloads && n == 0; w++) {
            const bool fits = round == 0
                                  ? strcmp(d->workloads[w], wanted) == 0
                                  : m == ATOLL__ENERGY && strcmp(d->workloads[w], "cold") != 0;
            n = fits ? candidates(d, model, w, m, list) : 0;
        }
    }
    if (n == 0) {
        return 0;
    }
    size_t top = 0;
    for (size_t i = 1; i < n; i++) {
        const double a = d->configs[list[i]].metric[m].value,
                     b = d->configs[list[top]].metric[m].value;
        if (better(m, a, b)) {
            top = i;
        }
    }
    struct atoll__best b = {.model = model,
                            .metric = m,
                            .config = list[top],
                            .single = -1,
                            .runner_up = -1,
                            .compared = n,
                            .ratio = NAN,
                            .ratio_low95 = NAN,
                            .ratio_high95 = NAN};
    int e = find_ties(d, &b, list, n, top, p, err);
    if (e) {
        return e;
    }
    gain_over_one(d, &b, list, n);
    d->models[model].best[m] = (int64_t)d->n_best;
    e = atoll_grow((void **)&d->best, &d->cap_best, d->n_best + 1, sizeof b);
    if (e) {
        return atoll_fail_nomem(err, "the best arrangements", sizeof b);
    }
    d->best[d->n_best++] = b;
    return 0;
}

int atoll__report_choose(struct atoll__data *d, struct atoll_err *err)
{
    size_t *list = atoll_calloc(d->n_configs + 1, sizeof *list);
    double *p = atoll_calloc(d->n_configs + 1, sizeof *p);
    int e = list && p ? 0 : atoll_fail_nomem(err, "the arrangements", d->n_configs * sizeof *p);
    for (uint32_t i = 0; !e && i < d->n_models; i++) {
        for (int m = 0; !e && m < ATOLL__METRICS; m++) {
            d->models[i].best[m] = -1;
            e = choose_one(d, i, (enum atoll__metric)m, list, p, err);
        }
    }
    atoll_free(list);
    atoll_free(p);
    return e;
}
