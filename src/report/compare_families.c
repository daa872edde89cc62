/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families of a comparison: how much repeats scatter, and whether all keys shift together. The
 * shift is tested with the repeats as blocks: runs of one repeat may share a cause (a warm room),
 * and then the mean over thousands of keys is no surer than the number of repeats allows.
 */
#include "compare_internal.h"

#include <math.h>
#include <string.h>

static struct atoll__family *family_of(struct atoll__comparing *c, const struct atoll__pair *p,
                                       int metric)
{
    return &c->families[p->workload * ATOLL__METRICS + (uint32_t)metric];
}

/* Variance of a key over both sides, with its degrees of freedom as n - 1. */
static struct atoll__sample joint(const struct atoll__sample *a, const struct atoll__sample *b)
{
    const double dof_a = a->n > 1 ? a->n - 1.0 : 0, dof_b = b->n > 1 ? b->n - 1.0 : 0;
    struct atoll__sample k = {.mean = NAN, .var = NAN, .n = (uint32_t)(dof_a + dof_b) + 1};
    if (dof_a + dof_b > 0) {
        k.var =
            ((dof_a > 0 ? dof_a * a->var : 0) + (dof_b > 0 ? dof_b * b->var : 0)) / (dof_a + dof_b);
    }
    return k;
}

static int fit_spreads(struct atoll__comparing *c, struct atoll_err *err)
{
    struct atoll__sample *keys = atoll_calloc(c->n_pairs + 1, sizeof *keys);
    if (!keys) {
        return atoll_fail_nomem(err, "the spread of repeats", c->n_pairs * sizeof *keys);
    }
    for (size_t f = 0; f < c->n_families; f++) {
        const int m = (int)(f % ATOLL__METRICS);
        size_t n = 0;
        for (size_t i = 0; i < c->n_pairs; i++) {
            const struct atoll__pair *p = &c->pairs[i];
            const struct atoll__sample *a = &p->side[0].c->metric[m].log,
                                       *b = &p->side[1].c->metric[m].log;
            if (p->workload == f / ATOLL__METRICS && a->n > 0 && b->n > 0) {
                keys[n++] = joint(a, b);
                c->families[f].sum += b->mean - a->mean;
                c->families[f].least += atoll__pair_least(p, m);
                c->families[f].keys++;
            }
        }
        atoll__spread_fit(keys, n, &c->families[f].spread);
    }
    atoll_free(keys);
    return 0;
}

/* ----------------------------------------------------------------------------------- blocks */

struct gather {
    struct atoll__comparing *c;
    int side;
    size_t hint;
};

static int compare_key(const struct atoll_run_row *r, const struct atoll__entry *e)
{
    int k = strcmp(r->model, e->d->models[e->c->model].row.spec);
    k = k ? k : strcmp(r->strategy, e->d->strategies[e->c->strategy]);
    k = k ? k : (r->tpus > e->c->tpus) - (r->tpus < e->c->tpus);
    return k ? k : strcmp(r->workload, e->d->workloads[e->c->workload]);
}

static const struct atoll__pair *find_pair(struct gather *g, const struct atoll_run_row *r)
{
    const struct atoll__comparing *c = g->c;
    if (g->hint < c->n_pairs && compare_key(r, &c->pairs[g->hint].side[g->side]) == 0) {
        return &c->pairs[g->hint];
    }
    size_t low = 0, high = c->n_pairs;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare_key(r, &c->pairs[middle].side[g->side]) > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    g->hint = low;
    return low < c->n_pairs && compare_key(r, &c->pairs[low].side[g->side]) == 0 ? &c->pairs[low]
                                                                                 : NULL;
}

static int blocks_add(struct atoll__blocks *b, int64_t repeat, double value)
{
    if (repeat < 0 || repeat > 100000) {
        return 0;
    }
    const size_t need = (size_t)repeat + 1;
    if (need > b->n) {
        if (atoll_grow((void **)&b->sum, &b->cap_sum, need, sizeof *b->sum) ||
            atoll_grow((void **)&b->count, &b->cap_count, need, sizeof *b->count)) {
            return ATOLL_ENOMEM;
        }
        for (; b->n < need; b->n++) {
            b->sum[b->n] = 0;
            b->count[b->n] = 0;
        }
    }
    b->sum[repeat] += value;
    b->count[repeat]++;
    return 0;
}

static int on_run(void *u, const struct atoll_run_row *r)
{
    struct gather *g = u;
    if (r->status && strcmp(r->status, "done") != 0) {
        return 0;
    }
    const struct atoll__pair *p = find_pair(g, r);
    const double value[ATOLL__METRICS] = {r->p50_us, r->throughput_hz, r->energy_mj};
    for (int m = 0; p && m < ATOLL__METRICS; m++) {
        const struct atoll__sample *k = &p->side[g->side].c->metric[m].log;
        const struct atoll__sample *other = &p->side[1 - g->side].c->metric[m].log;
        if (isfinite(value[m]) && value[m] > 0 && other->n > 0) {
            const int e = blocks_add(&family_of(g->c, p, m)->side[g->side], r->repeat,
                                     log(value[m]) - k->mean);
            if (e) {
                return e;
            }
        }
    }
    return 0;
}

int atoll__compare_families(struct atoll__comparing *c, struct atoll_store *const store[2],
                            struct atoll_err *err)
{
    c->n_families = c->d[0].n_workloads * ATOLL__METRICS;
    c->families = atoll_calloc(c->n_families + 1, sizeof *c->families);
    if (!c->families) {
        return atoll_fail_nomem(err, "the families of a comparison",
                                c->n_families * sizeof *c->families);
    }
    int e = fit_spreads(c, err);
    for (int side = 0; !e && side < 2; side++) {
        struct gather g = {.c = c, .side = side};
        e = atoll_store_each_run(store[side], c->d[side].experiment.key, on_run, &g, err);
        if (e == ATOLL_ENOMEM) {
            atoll_fail_nomem(err, "the repeats of a comparison", 0);
        }
    }
    return e;
}

void atoll__compare_families_free(struct atoll__comparing *c)
{
    for (size_t f = 0; c->families && f < c->n_families; f++) {
        for (int side = 0; side < 2; side++) {
            atoll_free(c->families[f].side[side].sum);
            atoll_free(c->families[f].side[side].count);
        }
    }
    atoll_free(c->families);
    c->families = NULL;
}

/* Mean and variance of the blocks' means. */
static struct atoll__sample block_means(const struct atoll__blocks *b)
{
    struct atoll__sample k = {.mean = 0, .var = NAN};
    double sum2 = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (b->count[i]) {
            k.n++;
            k.mean += b->sum[i] / b->count[i];
        }
    }
    k.mean = k.n ? k.mean / k.n : NAN;
    for (size_t i = 0; i < b->n; i++) {
        if (b->count[i]) {
            const double d = b->sum[i] / b->count[i] - k.mean;
            sum2 += d * d;
        }
    }
    if (k.n > 1) {
        k.var = sum2 / (k.n - 1);
    }
    return k;
}

struct atoll__difference atoll__family_shift(const struct atoll__family *f)
{
    struct atoll__difference r = {.d = NAN, .low95 = NAN, .high95 = NAN, .p = NAN};
    const struct atoll__sample a = block_means(&f->side[0]), b = block_means(&f->side[1]);
    if (f->keys == 0) {
        return r;
    }
    r.d = f->sum / f->keys;
    if (a.n < 2 || b.n < 2) {
        return r;
    }
    const double va = a.var / a.n, vb = b.var / b.n;
    const double se = sqrt(va + vb) + 1e-9;
    const double low = va * va / (a.n - 1) + vb * vb / (b.n - 1);
    const double dof = low > 0 ? (va + vb) * (va + vb) / low : a.n + b.n - 2.0;
    const double half = atoll_t975(dof) * se, beyond = fabs(r.d) - f->least / f->keys;
    r.low95 = r.d - half;
    r.high95 = r.d + half;
    r.p = beyond > 0 ? atoll_t_pvalue(beyond / se, dof) : 1;
    return r;
}
