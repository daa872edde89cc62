/* SPDX-License-Identifier: Apache-2.0 */
/* From loaded rows to estimates with intervals, shapes of plans, and what stays on the chip. */
#include "report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const metric_names[] = {"latency", "throughput", "energy"};
static const char *const metric_units[] = {"ms", "per second", "mJ"};
static const double metric_scales[] = {1e-3, 1, 1};

const char *atoll__metric_name(enum atoll__metric m)
{
    return metric_names[m];
}
const char *atoll__metric_unit(enum atoll__metric m)
{
    return metric_units[m];
}
double atoll__metric_scale(enum atoll__metric m)
{
    return metric_scales[m];
}

const char *atoll__report_label(const struct atoll__data *d, uint32_t model)
{
    const struct atoll_model_row *r = &d->models[model].row;
    return r->label && *r->label ? r->label : r->spec;
}

int atoll__report_origin(const struct atoll__data *a, const struct atoll__data *b,
                         struct atoll_arena *arena, const char **origin, struct atoll_err *err)
{
    *origin = NULL;
    if (!a->origin || !b->origin || a->origin_mixed || b->origin_mixed ||
        strcmp(a->origin, b->origin) != 0) {
        return 0;
    }
    *origin = atoll_arena_strndup(arena, a->origin, strlen(a->origin));
    return *origin ? 0 : atoll_fail_nomem(err, "an origin", strlen(a->origin));
}

const char *atoll__report_arrangement(struct atoll_arena *a, const char *strategy, int64_t tpus)
{
    const char *s = NULL;
    const char *many = tpus == 1 ? "" : "s";
    if (strcmp(strategy, "single") == 0) {
        s = "one TPU";
    } else if (strcmp(strategy, "replicas") == 0) {
        s = atoll_arena_printf(a, "%lld replica%s", (long long)tpus, many);
    } else if (strcmp(strategy, "vendor") == 0) {
        s = atoll_arena_printf(a, "the vendor's cuts on %lld TPU%s", (long long)tpus, many);
    } else if (strcmp(strategy, "smallest_resident") == 0) {
        s = atoll_arena_printf(a, "the smallest resident pipelines on %lld TPU%s", (long long)tpus,
                               many);
    } else if (strncmp(strategy, "exact", 5) == 0) {
        const char *what = strategy[5] == ':' ? strategy + 6 : NULL;
        s = atoll_arena_printf(a, "the exact search%s%s on %lld TPU%s", what ? " for " : "",
                               what ? what : "", (long long)tpus, many);
    } else if (strncmp(strategy, "partition:", 10) == 0) {
        s = atoll_arena_printf(a, "partition %s", strategy + 10);
    } else {
        s = atoll_arena_printf(a, "%s on %lld TPU%s", strategy, (long long)tpus, many);
    }
    return s ? s : "?";
}

int atoll__report_plainness(const char *strategy)
{
    static const char *const order[] = {"single", "replicas", "vendor", "smallest_resident",
                                        "exact"};
    const int n = (int)(sizeof order / sizeof *order);
    const size_t name = strcspn(strategy, ":");
    int i = 0;
    while (i < n && (strlen(order[i]) != name || strncmp(strategy, order[i], name) != 0)) {
        i++;
    }
    return i;
}

/* ------------------------------------------------------------------------- plans and stages */

static int compare_stage(const void *x, const void *y)
{
    const struct atoll_stage_row *a = x, *b = y;
    int c = strcmp(a->model, b->model);
    c = c ? c : strcmp(a->strategy, b->strategy);
    c = c ? c : (a->tpus_key > b->tpus_key) - (a->tpus_key < b->tpus_key);
    c = c ? c : (a->pipeline > b->pipeline) - (a->pipeline < b->pipeline);
    return c ? c : (a->stage > b->stage) - (a->stage < b->stage);
}

static int compare_plan_stage(const struct atoll__plan *p, const struct atoll_stage_row *s)
{
    int c = strcmp(p->row.model, s->model);
    c = c ? c : strcmp(p->row.strategy, s->strategy);
    return c ? c : (p->row.tpus > s->tpus_key) - (p->row.tpus < s->tpus_key);
}

int64_t atoll__report_replicas(const struct atoll_stage_row *s)
{
    int64_t n = 1;
    for (const char *c = s->tpus ? s->tpus : ""; *c; c++) {
        n += *c == ',';
    }
    return n;
}

/* Number of one pipeline's stages, *i moved past them. Pipelines are summed up, so their order does
 * not matter; one stage on eight TPUs is eight pipelines of one stage. */
static uint64_t pipeline_shape(const struct atoll__data *d, size_t *i, size_t end)
{
    const struct atoll_stage_row *first = &d->stages[*i];
    const bool alone = *i + 1 == end || d->stages[*i + 1].pipeline != first->pipeline;
    const uint64_t copies = alone ? (uint64_t)atoll__report_replicas(first) : 1;
    uint64_t h = 1;
    for (; *i < end && d->stages[*i].pipeline == first->pipeline; ++*i) {
        const struct atoll_stage_row *s = &d->stages[*i];
        const int64_t key[] = {s->stage, s->n_ops, s->first_op, s->last_op,
                               alone ? 1 : atoll__report_replicas(s)};
        h = atoll_fnv1a(key, sizeof key, h);
    }
    return h * copies;
}

/* Finds a plan's stages and a number that is equal for equal arrangements, whatever the strategy
 * that made them: "one TPU" is the same as the vendor's cuts on one. */
static void shape_plan(struct atoll__data *d, struct atoll__plan *p)
{
    size_t low = 0, high = d->n_stages;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare_plan_stage(p, &d->stages[middle]) > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    p->stages = low;
    while (low < d->n_stages && compare_plan_stage(p, &d->stages[low]) == 0) {
        low++;
    }
    p->n_stages = low - p->stages;
    p->shape = p->n_stages ? 0 : atoll_fnv1a(p->row.strategy, strlen(p->row.strategy), 1);
    for (size_t i = p->stages; i < low;) {
        p->shape += pipeline_shape(d, &i, low);
    }
}

static int64_t tpus_of(const struct atoll__plan *p)
{
    return p->row.tpus_used > 0 ? p->row.tpus_used : p->row.tpus;
}

/* True when a is the better answer to "how many TPUs hold it all": nothing streamed with fewer
 * TPUs, else less streamed; of equal ones the plainer name. */
static bool holds_better(const struct atoll__plan *a, const struct atoll__plan *b)
{
    const double off_a = fmax(a->row.off_chip_bytes, 0), off_b = fmax(b->row.off_chip_bytes, 0);
    if (off_a < off_b || off_a > off_b) {
        return off_a < off_b;
    }
    if (tpus_of(a) != tpus_of(b)) {
        return tpus_of(a) < tpus_of(b);
    }
    return atoll__report_plainness(a->row.strategy) < atoll__report_plainness(b->row.strategy);
}

/* How many TPUs until nothing streams: of plans that are one pipeline. */
static void note_residency(struct atoll__data *d)
{
    for (size_t i = 0; i < d->n_models; i++) {
        d->models[i].off_one_bytes = NAN;
        d->models[i].resident_tpus = 0;
        d->models[i].resident_plan = -1;
    }
    for (size_t i = 0; i < d->n_plans; i++) {
        const struct atoll__plan *p = &d->plans[i];
        struct atoll__model *m = &d->models[p->model];
        if (p->row.skipped || p->row.n_pipelines != 1 || !isfinite(p->row.off_chip_bytes)) {
            continue;
        }
        if (tpus_of(p) == 1) {
            m->off_one_bytes = p->row.off_chip_bytes;
        }
        if (m->resident_plan < 0 || holds_better(p, &d->plans[m->resident_plan])) {
            m->resident_plan = (int64_t)i;
            m->resident_tpus = p->row.off_chip_bytes > 0 ? 0 : tpus_of(p);
        }
    }
}

static int64_t find_plan(const struct atoll__data *d, const struct atoll__config *c, size_t *hint)
{
    for (size_t n = 0; n < d->n_plans; n++) {
        const size_t i = (*hint + n) % d->n_plans;
        const struct atoll__plan *p = &d->plans[i];
        if (p->model == c->model && p->strategy == c->strategy && p->row.tpus == c->tpus) {
            *hint = i;
            return (int64_t)i;
        }
    }
    return -1;
}

/* ------------------------------------------------------------------------------- intervals */

static int fit_spreads(struct atoll__data *d, struct atoll_err *err)
{
    struct atoll__sample *keys = atoll_calloc(d->n_configs + 1, sizeof *keys);
    d->spread = atoll_calloc((d->n_workloads + 1) * ATOLL__METRICS, sizeof *d->spread);
    if (!keys || !d->spread) {
        atoll_free(keys);
        return atoll_fail_nomem(err, "the spread of repeats", d->n_configs * sizeof *keys);
    }
    for (uint32_t w = 0; w < d->n_workloads; w++) {
        for (int m = 0; m < ATOLL__METRICS; m++) {
            size_t n = 0;
            for (size_t i = 0; i < d->n_configs; i++) {
                if (d->configs[i].workload == w) {
                    keys[n++] = d->configs[i].metric[m].log;
                }
            }
            atoll__spread_fit(keys, n, &d->spread[w * ATOLL__METRICS + (uint32_t)m]);
        }
    }
    atoll_free(keys);
    return 0;
}

/* Interval of the mean over repeats; what repeats cannot show is added in quadrature. */
static void set_interval(const struct atoll__data *d, struct atoll__config *c, int m)
{
    struct atoll__estimate *e = &c->metric[m];
    const double half =
        atoll__sample_half95(&d->spread[c->workload * ATOLL__METRICS + (uint32_t)m], &e->log);
    const double within = isfinite(e->within_u95) && e->value > 0 ? e->within_u95 / e->value : NAN;
    double total = isfinite(half) && isfinite(within) ? hypot(half, within)
                   : isfinite(half)                   ? half
                                                      : within;
    if (isfinite(total)) {
        e->low95 = e->value * exp(-total);
        e->high95 = e->value * exp(total);
    }
}

int atoll__report_sum_up(struct atoll__data *d, struct atoll_err *err)
{
    if (d->n_stages) {
        qsort(d->stages, d->n_stages, sizeof *d->stages, compare_stage);
    }
    for (size_t i = 0; i < d->n_plans; i++) {
        shape_plan(d, &d->plans[i]);
    }
    note_residency(d);
    int e = fit_spreads(d, err);
    size_t hint = 0;
    for (size_t i = 0; !e && i < d->n_configs; i++) {
        d->configs[i].plan = d->n_plans ? find_plan(d, &d->configs[i], &hint) : -1;
        for (int m = 0; m < ATOLL__METRICS; m++) {
            set_interval(d, &d->configs[i], m);
        }
    }
    return e ? e : atoll__report_choose(d, err);
}
