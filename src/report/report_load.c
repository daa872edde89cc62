/* SPDX-License-Identifier: Apache-2.0 */
/* One experiment from the store into memory; runs become configurations (repeats summed up). */
#include "report_internal.h"

#include <math.h>
#include <string.h>

#define REPEATS_CAP 16

/* Figures of a configuration that are medians over its repeats. */
enum { P90, P99, MIN, MAX, FIRST, COLD, IDLE, WATT, OTHERS };

/* Repeats of the configuration being read: rows come in natural-key order. */
struct group {
    double *metric[ATOLL__METRICS], *other[OTHERS], *u95, *inner;
    size_t n, cap;
};
struct load {
    struct atoll__data *d;
    struct atoll_err *err;
    const char *key;
    struct group g;
    struct atoll__config open;
    bool has_open, found;
    size_t last_model, last_strategy, last_workload;
};

static const char *keep(struct load *l, const char *s)
{
    return s ? atoll_arena_strndup(&l->d->arena, s, strlen(s)) : NULL;
}

static int push(struct load *l, void *array_p, size_t *n, size_t *cap, size_t elem,
                const void *value)
{
    void **array = array_p;
    const int e = atoll_grow(array, cap, *n + 1, elem);
    if (e) {
        return atoll_fail_nomem(l->err, "rows of the report", (*n + 1) * elem);
    }
    memcpy((char *)*array + *n * elem, value, elem);
    ++*n;
    return 0;
}

/* Index of a name in a growing list; the last hit is tried first, for rows come sorted. */
static int intern(struct load *l, const char ***list, size_t *n, size_t *cap, size_t *last,
                  const char *name, uint32_t *index)
{
    const char *s = name ? name : "";
    if (*last >= *n || strcmp((*list)[*last], s) != 0) {
        size_t i = 0;
        while (i < *n && strcmp((*list)[i], s) != 0) {
            i++;
        }
        if (i == *n) {
            const char *copy = keep(l, s);
            const int e = copy ? push(l, list, n, cap, sizeof copy, &copy)
                               : atoll_fail_nomem(l->err, "a name", strlen(s));
            if (e) {
                return e;
            }
        }
        *last = i;
    }
    *index = (uint32_t)*last;
    return 0;
}

static int find_model(struct load *l, const char *spec, uint32_t *index)
{
    struct atoll__data *d = l->d;
    if (l->last_model >= d->n_models ||
        strcmp(d->models[l->last_model].row.spec, spec ? spec : "") != 0) {
        size_t i = 0;
        while (i < d->n_models && strcmp(d->models[i].row.spec, spec ? spec : "") != 0) {
            i++;
        }
        if (i == d->n_models) {
            /* Its row comes last (on_model); a model without a row is called by its spec. */
            const struct atoll__model m = {.row = {.spec = keep(l, spec ? spec : ""),
                                                   .macs = NAN,
                                                   .weight_bytes = NAN,
                                                   .stored_bytes = NAN}};
            const int e = m.row.spec
                              ? push(l, &d->models, &d->n_models, &d->cap_models, sizeof m, &m)
                              : atoll_fail_nomem(l->err, "a model", 1);
            if (e) {
                return e;
            }
        }
        l->last_model = i;
    }
    *index = (uint32_t)l->last_model;
    return 0;
}

static int strategy_of(struct load *l, const char *name, uint32_t *index)
{
    return intern(l, &l->d->strategies, &l->d->n_strategies, &l->d->cap_strategies,
                  &l->last_strategy, name, index);
}

/* ----------------------------------------------------------------- experiment, models, plans */

static int on_experiment(void *u, const struct atoll_experiment_row *r)
{
    struct load *l = u;
    if (strcmp(r->key, l->key) != 0) {
        return 0;
    }
    struct atoll_experiment_row *e = &l->d->experiment;
    *e = *r;
    const char **strings[] = {
        &e->key,        &e->name,          &e->yaml,           &e->board,      &e->board_title,
        &e->board_yaml, &e->device,        &e->meter,          &e->clock,      &e->runner,
        &e->compiler,   &e->atoll_version, &e->device_version, &e->assumptions};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        *strings[i] = keep(l, *strings[i]);
    }
    l->found = true;
    return 0;
}

/* Fills the rows of models that this experiment has; a file may hold others. */
static int on_model(void *u, const struct atoll_model_row *r)
{
    struct load *l = u;
    for (size_t i = 0; i < l->d->n_models; i++) {
        struct atoll_model_row *m = &l->d->models[i].row;
        if (strcmp(m->spec, r->spec) == 0) {
            const char *spec = m->spec;
            *m = *r;
            m->spec = spec;
            m->label = keep(l, r->label);
            m->sha256 = keep(l, r->sha256);
            m->source = keep(l, r->source);
        }
    }
    return 0;
}

static int on_plan(void *u, const struct atoll_plan_row *r)
{
    struct load *l = u;
    struct atoll__plan p = {.row = *r};
    int e = find_model(l, r->model, &p.model);
    e = e ? e : strategy_of(l, r->strategy, &p.strategy);
    if (e) {
        return e;
    }
    p.row.experiment = NULL;
    p.row.json = NULL;
    p.row.model = l->d->models[p.model].row.spec;
    p.row.strategy = l->d->strategies[p.strategy];
    p.row.skipped = keep(l, r->skipped);
    p.row.bottleneck = keep(l, r->bottleneck);
    p.row.streams = keep(l, r->streams);
    p.row.next_tpu = keep(l, r->next_tpu);
    p.row.assumption = keep(l, r->assumption);
    return push(l, &l->d->plans, &l->d->n_plans, &l->d->cap_plans, sizeof p, &p);
}

static int on_stage(void *u, const struct atoll_stage_row *r)
{
    struct load *l = u;
    uint32_t model, strategy;
    int e = find_model(l, r->model, &model);
    e = e ? e : strategy_of(l, r->strategy, &strategy);
    if (e) {
        return e;
    }
    struct atoll_stage_row s = *r;
    s.experiment = NULL;
    s.model = l->d->models[model].row.spec;
    s.strategy = l->d->strategies[strategy];
    s.tpus = keep(l, r->tpus);
    s.first_name = keep(l, r->first_name);
    s.last_name = keep(l, r->last_name);
    return push(l, &l->d->stages, &l->d->n_stages, &l->d->cap_stages, sizeof s, &s);
}

/* Layers are summed over (model, operator kind, bound): the page shows kinds, not layers. */
static int on_layer(void *u, const struct atoll_layer_row *r)
{
    struct load *l = u;
    struct atoll__data *d = l->d;
    uint32_t model;
    const int e = find_model(l, r->model, &model);
    if (e) {
        return e;
    }
    const char *spec = d->models[model].row.spec;
    for (size_t i = d->n_layers; i > 0 && d->layers[i - 1].model == spec; i--) {
        struct atoll_layer_row *k = &d->layers[i - 1];
        if (strcmp(k->op ? k->op : "", r->op ? r->op : "") == 0 &&
            strcmp(k->bound ? k->bound : "", r->bound ? r->bound : "") == 0) {
            k->us += r->us;
            k->macs += r->macs;
            k->stream_bytes += r->stream_bytes;
            k->index++;
            return 0;
        }
    }
    struct atoll_layer_row k = *r;
    k.experiment = NULL;
    k.model = spec;
    k.op = keep(l, r->op);
    k.bound = keep(l, r->bound);
    k.index = 1;
    return push(l, &d->layers, &d->n_layers, &d->cap_layers, sizeof k, &k);
}

/* ------------------------------------------------------------------------------------- runs */

static double median(double *v, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(v[i])) {
            v[k++] = v[i];
        }
    }
    atoll_sort(v, k);
    return k ? atoll_quantile(v, k, 0.5) : NAN;
}

static double largest(const double *v, size_t n)
{
    double most = NAN;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(v[i]) && !(v[i] <= most)) {
            most = v[i];
        }
    }
    return most;
}

static int close_config(struct load *l)
{
    if (!l->has_open) {
        return 0;
    }
    struct atoll__config *c = &l->open;
    struct group *g = &l->g;
    for (int m = 0; m < ATOLL__METRICS; m++) {
        c->metric[m] = (struct atoll__estimate){.log = atoll__sample_of(g->metric[m], g->n),
                                                .value = NAN,
                                                .low95 = NAN,
                                                .high95 = NAN,
                                                .within_u95 = NAN};
        if (c->metric[m].log.n > 0) {
            c->metric[m].value = exp(c->metric[m].log.mean);
        }
    }
    c->metric[ATOLL__ENERGY].within_u95 = largest(g->u95, g->n);
    if (g->n == 1) {
        c->metric[ATOLL__LATENCY].within_u95 = g->inner[0];
    }
    double *const to[OTHERS] = {
        [P90] = &c->p90_us,     [P99] = &c->p99_us,   [MIN] = &c->min_us,     [MAX] = &c->max_us,
        [FIRST] = &c->first_us, [COLD] = &c->cold_us, [IDLE] = &c->idle_frac, [WATT] = &c->mean_w};
    for (int i = 0; i < OTHERS; i++) {
        *to[i] = median(g->other[i], g->n);
    }
    l->has_open = false;
    g->n = 0;
    return push(l, &l->d->configs, &l->d->n_configs, &l->d->cap_configs, sizeof *c, c);
}

static int group_grow(struct load *l)
{
    struct group *g = &l->g;
    double **const all[] = {&g->metric[0], &g->metric[1], &g->metric[2], &g->other[0], &g->other[1],
                            &g->other[2],  &g->other[3],  &g->other[4],  &g->other[5], &g->other[6],
                            &g->other[7],  &g->u95,       &g->inner};
    const size_t cap = g->cap ? g->cap * 2 : REPEATS_CAP;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        double *p = atoll_realloc(*all[i], cap * sizeof *p);
        if (!p) {
            return atoll_fail_nomem(l->err, "the repeats of a run", cap * sizeof *p);
        }
        *all[i] = p;
    }
    g->cap = cap;
    return 0;
}

static void group_free(struct group *g)
{
    for (int i = 0; i < ATOLL__METRICS; i++) {
        atoll_free(g->metric[i]);
    }
    for (int i = 0; i < OTHERS; i++) {
        atoll_free(g->other[i]);
    }
    atoll_free(g->u95);
    atoll_free(g->inner);
}

static void add_repeat(struct load *l, const struct atoll_run_row *r)
{
    struct group *g = &l->g;
    const size_t i = g->n++;
    g->metric[ATOLL__LATENCY][i] = r->p50_us;
    g->metric[ATOLL__THROUGHPUT][i] = r->throughput_hz;
    g->metric[ATOLL__ENERGY][i] = r->energy_mj;
    g->u95[i] = r->energy_u95_mj;
    g->inner[i] = 0.5 * (r->p50_high95_us - r->p50_low95_us);
    const double others[OTHERS] = {[P90] = r->p90_us,
                                   [P99] = r->p99_us,
                                   [MIN] = r->min_us,
                                   [MAX] = r->max_us,
                                   [FIRST] = r->first_us,
                                   [COLD] = r->cold_us,
                                   [IDLE] = r->energy_idle_share_frac,
                                   [WATT] = r->mean_w};
    for (int k = 0; k < OTHERS; k++) {
        g->other[k][i] = others[k];
    }
    l->open.n++;
    l->open.throttled += r->throttled != 0;
    l->open.outliers += r->outliers;
    if (!(r->temperature_max_c <= l->open.temperature_c)) {
        l->open.temperature_c = r->temperature_max_c;
    }
}

static int note_provenance(struct load *l, const struct atoll_run_row *r)
{
    struct atoll__data *d = l->d;
    size_t last = 0;
    uint32_t ignored;
    if (r->started && (!d->started || strcmp(r->started, d->started) < 0)) {
        d->started = keep(l, r->started);
    }
    if (r->started && (!d->ended || strcmp(r->started, d->ended) > 0)) {
        d->ended = keep(l, r->started);
    }
    if (r->origin && !d->origin) {
        d->origin = keep(l, r->origin);
    } else if (r->origin && strcmp(d->origin, r->origin) != 0) {
        d->origin = "measured and simulated";
        d->origin_mixed = true;
    }
    return r->host ? intern(l, &d->hosts, &d->n_hosts, &d->cap_hosts, &last, r->host, &ignored) : 0;
}

static int on_run(void *u, const struct atoll_run_row *r)
{
    struct load *l = u;
    struct atoll__config k = {.tpus = r->tpus, .plan = -1, .temperature_c = NAN};
    int e = find_model(l, r->model, &k.model);
    e = e ? e : strategy_of(l, r->strategy, &k.strategy);
    e = e ? e
          : intern(l, &l->d->workloads, &l->d->n_workloads, &l->d->cap_workloads, &l->last_workload,
                   r->workload, &k.workload);
    e = e ? e : note_provenance(l, r);
    if (e) {
        return e;
    }
    const struct atoll__config *o = &l->open;
    if (!l->has_open || o->model != k.model || o->strategy != k.strategy ||
        o->workload != k.workload || o->tpus != k.tpus) {
        e = close_config(l);
        if (e) {
            return e;
        }
        l->open = k;
        l->has_open = true;
    }
    l->d->n_runs++;
    if (r->status && strcmp(r->status, "done") != 0) {
        l->open.failed++;
        l->d->n_failed++;
        return 0;
    }
    e = l->g.n == l->g.cap ? group_grow(l) : 0;
    if (!e) {
        add_repeat(l, r);
    }
    return e;
}

/* --------------------------------------------------------------------------------- the whole */

struct newest {
    char **keys, **last;
    size_t n, cap, cap_last, at;
    bool failed;
};
static int newest_experiment(void *u, const struct atoll_experiment_row *r)
{
    struct newest *w = u;
    char *key = atoll_strdup(r->key);
    if (!key || atoll_grow((void **)&w->keys, &w->cap, w->n + 1, sizeof *w->keys) ||
        atoll_grow((void **)&w->last, &w->cap_last, w->n + 1, sizeof *w->last)) {
        atoll_free(key);
        return ATOLL_ENOMEM;
    }
    w->keys[w->n] = key;
    w->last[w->n++] = NULL;
    return 0;
}
static int newest_run(void *u, const struct atoll_run_row *r)
{
    struct newest *w = u;
    if (r->started && (!w->last[w->at] || strcmp(r->started, w->last[w->at]) > 0)) {
        atoll_free(w->last[w->at]);
        w->last[w->at] = atoll_strdup(r->started);
        return w->last[w->at] ? 0 : ATOLL_ENOMEM;
    }
    return 0;
}

int atoll__report_newest(struct atoll_store *s, char **key, struct atoll_err *err)
{
    struct newest w = {0};
    size_t best = 0;
    int e = atoll_store_each_experiment(s, newest_experiment, &w, err);
    for (size_t i = 0; !e && w.n > 1 && i < w.n; i++) {
        w.at = i;
        e = atoll_store_each_run(s, w.keys[i], newest_run, &w, err);
        if (!e && w.last[i] && (!w.last[best] || strcmp(w.last[i], w.last[best]) > 0)) {
            best = i;
        }
    }
    if (!e && w.n == 0) {
        e = atoll_fail(
            err, ATOLL_ENOTFOUND,
            "the database holds no experiment, expected at least one (atoll bench writes it)");
    }
    if (e == ATOLL_ENOMEM) {
        atoll_fail_nomem(err, "the list of experiments", 0);
    }
    for (size_t i = 0; i < w.n; i++) {
        if (!e && i == best) {
            *key = w.keys[i];
        } else {
            atoll_free(w.keys[i]);
        }
        atoll_free(w.last[i]);
    }
    atoll_free(w.keys);
    atoll_free(w.last);
    return e;
}

int atoll__report_load(struct atoll_store *s, const char *experiment, struct atoll__data *d,
                       struct atoll_err *err)
{
    struct load l = {.d = d, .err = err, .key = experiment};
    char *newest = NULL;
    int e = experiment ? 0 : atoll__report_newest(s, &newest, err);
    *d = (struct atoll__data){0};
    atoll_arena_init(&d->arena);
    if (!e) {
        l.key = experiment ? experiment : newest;
        e = atoll_store_each_experiment(s, on_experiment, &l, err);
    }
    if (!e && !l.found) {
        e = atoll_fail(err, ATOLL_ENOTFOUND, "experiment '%.80s' is not in the database", l.key);
    }
    e = e ? e : atoll_store_each_plan(s, l.key, on_plan, &l, err);
    e = e ? e : atoll_store_each_stage(s, l.key, on_stage, &l, err);
    e = e ? e : atoll_store_each_layer(s, l.key, on_layer, &l, err);
    e = e ? e : atoll_store_each_run(s, l.key, on_run, &l, err);
    e = e ? e : close_config(&l);
    e = e ? e : atoll_store_each_model(s, on_model, &l, err);
    e = e ? e : atoll__report_load_accuracy(s, d, err);
    group_free(&l.g);
    atoll_free(newest);
    e = e ? e : atoll__report_sum_up(d, err);
    if (e) {
        atoll__report_unload(d);
    }
    return e;
}

void atoll__report_unload(struct atoll__data *d)
{
    void *const all[] = {d->models,     d->strategies, d->workloads, d->hosts, d->plans,
                         d->stages,     d->layers,     d->configs,   d->best,  d->spread,
                         d->accuracies, d->trainings,  d->epochs};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        atoll_free(all[i]);
    }
    atoll_arena_finish(&d->arena);
    *d = (struct atoll__data){0};
}
