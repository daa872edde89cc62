/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparison of two databases. Each key (model, strategy, TPUs, workload, metric) that both have is
 * tested for a change of more than LEAST: t-test on the logarithms of its repeats, with a variance
 * moderated over all keys of the same workload and metric (report_spread.c). Beside the keys stands
 * one test a family for a common shift of all its keys (compare_families.c). Holm over all of them:
 * the chance of any false alarm in a whole comparison is at most ALPHA. See
 * docs/method-statistics.md.
 */
#include "compare_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Smallest change that counts; more than the 0.7 % by which two days differ (0.5 % each). */
#define LEAST 0.01
#define ALPHA 0.05

static const char *const metric_keys[ATOLL__METRICS] = {"p50_us", "throughput_hz", "energy_mj"};

/* The meter's uncertainty is common to all repeats of a database, but two databases may come from
 * two meters, so a difference of energies that both together explain does not count. */
double atoll__pair_least(const struct atoll__pair *p, int metric)
{
    double least = log1p(LEAST);
    if (metric == ATOLL__ENERGY) {
        double sum2 = 0;
        for (int side = 0; side < 2; side++) {
            const struct atoll__estimate *e = &p->side[side].c->metric[metric];
            const double u95 = e->within_u95 / e->value;
            sum2 += isfinite(u95) ? u95 * u95 : 0;
        }
        least += sqrt(sum2);
    }
    return least;
}

int atoll__entry_compare(const struct atoll__entry *x, const struct atoll__entry *y)
{
    int c = strcmp(x->d->models[x->c->model].row.spec, y->d->models[y->c->model].row.spec);
    c = c ? c : strcmp(x->d->strategies[x->c->strategy], y->d->strategies[y->c->strategy]);
    c = c ? c : (x->c->tpus > y->c->tpus) - (x->c->tpus < y->c->tpus);
    return c ? c : strcmp(x->d->workloads[x->c->workload], y->d->workloads[y->c->workload]);
}
static int compare_entries(const void *x, const void *y)
{
    return atoll__entry_compare(x, y);
}

static struct atoll__entry *sorted_entries(const struct atoll__data *d)
{
    struct atoll__entry *list = atoll_calloc(d->n_configs + 1, sizeof *list);
    for (size_t i = 0; list && i < d->n_configs; i++) {
        list[i] = (struct atoll__entry){&d->configs[i], d};
    }
    if (list && d->n_configs) {
        qsort(list, d->n_configs, sizeof *list, compare_entries);
    }
    return list;
}

/* Walks both sorted lists; keys of one side only are counted, not compared. */
static void join(struct atoll__comparing *c, const struct atoll__entry *a,
                 const struct atoll__entry *b, size_t *broken, struct atoll_comparison_report *out)
{
    size_t i = 0, j = 0;
    while (i < c->d[0].n_configs || j < c->d[1].n_configs) {
        const int k = i == c->d[0].n_configs   ? 1
                      : j == c->d[1].n_configs ? -1
                                               : atoll__entry_compare(&a[i], &b[j]);
        if (k < 0) {
            out->n_only_a++;
            i++;
        } else if (k > 0) {
            out->n_only_b++;
            j++;
        } else {
            *broken += a[i].c->n > 0 && b[j].c->n == 0;
            c->pairs[c->n_pairs++] =
                (struct atoll__pair){.side = {a[i], b[j]}, .workload = a[i].c->workload};
            i++;
            j++;
        }
    }
}

static int match(struct atoll__comparing *c, size_t *broken, struct atoll_comparison_report *out,
                 struct atoll_err *err)
{
    struct atoll__entry *a = sorted_entries(&c->d[0]), *b = sorted_entries(&c->d[1]);
    c->pairs = atoll_calloc(c->d[0].n_configs + 1, sizeof *c->pairs);
    const bool ok = a && b && c->pairs;
    if (ok) {
        join(c, a, b, broken, out);
    }
    atoll_free(a);
    atoll_free(b);
    return ok ? 0
              : atoll_fail_nomem(err, "the keys of a comparison",
                                 c->d[0].n_configs * sizeof *c->pairs);
}

/* ---------------------------------------------------------------------------- the changes */

struct changes {
    struct atoll_change *v;
    size_t n;
};

static void add_change(struct changes *l, struct atoll_change k, const struct atoll__difference *r)
{
    k.ratio = exp(r->d);
    k.ratio_low95 = exp(r->low95);
    k.ratio_high95 = exp(r->high95);
    k.p = r->p;
    k.p_adjusted = NAN;
    l->v[l->n++] = k;
}

static const char *copy(struct atoll_arena *a, const char *s)
{
    const char *k = atoll_arena_strndup(a, s, strlen(s));
    return k ? k : "?";
}

static void list_changes(const struct atoll__comparing *c, struct atoll_arena *a, struct changes *l)
{
    for (size_t f = 0; f < c->n_families; f++) {
        /* With one key the common shift is that key's own change. */
        if (c->families[f].keys > 1) {
            const struct atoll__difference r = atoll__family_shift(&c->families[f]);
            add_change(
                l,
                (struct atoll_change){.model = "all",
                                      .strategy = "all",
                                      .metric = metric_keys[f % ATOLL__METRICS],
                                      .workload = copy(a, c->d[0].workloads[f / ATOLL__METRICS]),
                                      .a = NAN,
                                      .b = NAN},
                &r);
        }
    }
    for (size_t i = 0; i < c->n_pairs; i++) {
        const struct atoll__pair *p = &c->pairs[i];
        const struct atoll__config *x = p->side[0].c, *y = p->side[1].c;
        const struct atoll__data *d = &c->d[0];
        const char *model = copy(a, d->models[x->model].row.spec),
                   *strategy = copy(a, d->strategies[x->strategy]);
        const char *workload = copy(a, d->workloads[x->workload]);
        for (int m = 0; m < ATOLL__METRICS; m++) {
            if (x->metric[m].log.n == 0 || y->metric[m].log.n == 0) {
                continue;
            }
            const struct atoll__difference r = atoll__sample_compare(
                &c->families[p->workload * ATOLL__METRICS + (uint32_t)m].spread, &x->metric[m].log,
                &y->metric[m].log, atoll__pair_least(p, m));
            add_change(l,
                       (struct atoll_change){.model = model,
                                             .strategy = strategy,
                                             .workload = workload,
                                             .tpus = x->tpus,
                                             .metric = metric_keys[m],
                                             .a = x->metric[m].value,
                                             .b = y->metric[m].value},
                       &r);
        }
    }
}

static bool is_throughput(const struct atoll_change *k)
{
    return strcmp(k->metric, metric_keys[ATOLL__THROUGHPUT]) == 0;
}

/* Holm over every test; a change counts when its adjusted p is below ALPHA. */
static int judge(struct changes *l, struct atoll_comparison_report *out, size_t *tested,
                 struct atoll_err *err)
{
    double *p = atoll_calloc(l->n + 1, sizeof *p);
    size_t n = 0;
    if (!p) {
        return atoll_fail_nomem(err, "the p-values", l->n * sizeof *p);
    }
    for (size_t i = 0; i < l->n; i++) {
        if (isfinite(l->v[i].p)) {
            p[n++] = l->v[i].p;
        }
    }
    *tested = n;
    const int e = n ? atoll_holm(p, n) : 0;
    n = 0;
    for (size_t i = 0; !e && i < l->n; i++) {
        struct atoll_change *k = &l->v[i];
        if (!isfinite(k->p)) {
            continue;
        }
        k->p_adjusted = p[n++];
        const bool longer = is_throughput(k) ? k->ratio < 1 : k->ratio > 1;
        k->worse = k->p_adjusted < ALPHA && longer;
        k->better = k->p_adjusted < ALPHA && !longer;
        out->n_worse += k->worse;
        out->n_better += k->better;
    }
    atoll_free(p);
    return e ? atoll_fail_nomem(err, "the adjusted p-values", l->n * sizeof *p) : 0;
}

static double badness(const struct atoll_change *k)
{
    return is_throughput(k) ? -log(k->ratio) : log(k->ratio);
}
/* Worst first: those beyond noise that are worse, then the rest, then the better ones. */
static int compare_changes(const void *x, const void *y)
{
    const struct atoll_change *a = x, *b = y;
    const int ga = a->worse ? 0 : a->better ? 2 : 1, gb = b->worse ? 0 : b->better ? 2 : 1;
    if (ga != gb) {
        return ga - gb;
    }
    const double ba = badness(a), bb = badness(b);
    return (ba < bb) - (ba > bb);
}

/* ----------------------------------------------------------------------------- the answer */

static const char *name_change(struct atoll_arena *a, const struct atoll_change *k)
{
    const char *where = k->tpus
                            ? atoll_arena_printf(a, "%s, %s", k->model,
                                                 atoll__report_arrangement(a, k->strategy, k->tpus))
                            : "all models together";
    const char *s = atoll_arena_printf(a, "%s of %s, %s: %.4f times (%.4f to %.4f)", k->metric,
                                       where ? where : "?", k->workload, k->ratio, k->ratio_low95,
                                       k->ratio_high95);
    return s ? s : "?";
}

static const char *sentence(const struct atoll_comparison_report *r, size_t tested, size_t broken,
                            struct atoll_arena *a)
{
    const char *fails =
        broken ? atoll_arena_printf(a, " %zu configurations that ran in A fail in B.", broken) : "";
    if (r->n == 0) {
        return atoll_arena_printf(
            a, "Nothing to compare: the databases share no key (%zu only in A, %zu only in B).%s",
            r->n_only_a, r->n_only_b, fails ? fails : "");
    }
    if (tested == 0) {
        return atoll_arena_printf(
            a,
            "Not decided: %zu figures compared, but with one repeat a side the noise is not known; "
            "two repeats or more are needed, five advised.%s",
            r->n, fails ? fails : "");
    }
    if (r->n_worse) {
        return atoll_arena_printf(a,
                                  "Regression: %zu of %zu figures are worse beyond noise and "
                                  "beyond %.0f %%, %zu better. Worst: %s.%s",
                                  r->n_worse, tested, 100 * LEAST, r->n_better,
                                  name_change(a, &r->changes[0]), fails ? fails : "");
    }
    if (r->n_better) {
        return atoll_arena_printf(a,
                                  "No regression: %zu of %zu figures are better beyond noise and "
                                  "beyond %.0f %%, none is worse.%s",
                                  r->n_better, tested, 100 * LEAST, fails ? fails : "");
    }
    return atoll_arena_printf(a, "No difference beyond noise and beyond %.0f %% in %zu figures.%s",
                              100 * LEAST, tested, fails ? fails : "");
}

static int compare_loaded(struct atoll__comparing *c, struct atoll_store *const store[2],
                          struct atoll_comparison_report *out, struct atoll_err *err)
{
    size_t broken = 0, tested = 0;
    int e = match(c, &broken, out, err);
    e = e ? e : atoll__compare_families(c, store, err);
    if (e) {
        return e;
    }
    const size_t room = (c->n_pairs + 1) * ATOLL__METRICS + c->n_families;
    struct changes l = {.v = atoll_arena_array(out->arena, room, sizeof *l.v)};
    if (!l.v) {
        return atoll_fail_nomem(err, "the changes", room * sizeof *l.v);
    }
    list_changes(c, out->arena, &l);
    e = judge(&l, out, &tested, err);
    if (e) {
        return e;
    }
    if (l.n) {
        qsort(l.v, l.n, sizeof *l.v, compare_changes);
    }
    out->changes = l.v;
    out->n = l.n;
    out->regression = out->n_worse > 0 || broken > 0;
    out->sentence = sentence(out, tested, broken, out->arena);
    return out->sentence ? 0 : atoll_fail_nomem(err, "the sentence", 1);
}

int atoll_compare_stores(struct atoll_store *a, struct atoll_store *b,
                         struct atoll_comparison_report *out, struct atoll_err *err)
{
    struct atoll__comparing c = {0};
    struct atoll_comparison_report r = {0};
    struct atoll_store *const store[2] = {a, b};
    r.arena = atoll_calloc(1, sizeof *r.arena);
    if (!r.arena) {
        return atoll_fail_nomem(err, "the comparison", sizeof *r.arena);
    }
    atoll_arena_init(r.arena);
    int e = atoll__report_load(a, NULL, &c.d[0], err);
    if (!e) {
        e = atoll__report_load(b, NULL, &c.d[1], err);
        e = e ? e : compare_loaded(&c, store, &r, err);
        e = e ? e : atoll__report_origin(&c.d[0], &c.d[1], r.arena, &r.origin, err);
    }
    atoll__compare_families_free(&c);
    atoll_free(c.pairs);
    atoll__report_unload(&c.d[0]);
    atoll__report_unload(&c.d[1]);
    if (e) {
        atoll_comparison_report_finish(&r);
    } else {
        *out = r;
    }
    return e;
}

void atoll_comparison_report_finish(struct atoll_comparison_report *c)
{
    if (c && c->arena) {
        atoll_arena_finish(c->arena);
        atoll_free(c->arena);
    }
    if (c) {
        *c = (struct atoll_comparison_report){0};
    }
}
