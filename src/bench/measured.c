/* SPDX-License-Identifier: Apache-2.0 */
/* Measured times of segments, from a database, as an oracle for the planner. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <atoll/bench.h>

/* ------------------------------------------------------------------------ segments */

enum figure { FIGURE_LATENCY, FIGURE_SERVICE, FIGURES };

/* One segment and what was seen of it; numbers are sums over runs. */
struct segment {
    uint32_t model, n_ops;
    uint64_t hash; ///< of its operators, whatever their order
    double sum_us[FIGURES], squares[FIGURES];
    uint32_t n[FIGURES];
    double predicted_us[FIGURES];
};

struct atoll_measured {
    struct atoll_measured_request q;
    struct atoll_oracle oracle;
    struct segment *segments;
    size_t n_segments, cap_segments; ///< in order of their hashes once all are read
    bool sorted;
    uint32_t runs;
    enum atoll_origin origin;
};

/* Operators run in any order that their tensors allow, so the order does not count. */
static uint64_t hash_ops(const uint32_t *ops, uint32_t n)
{
    uint64_t sum = n;
    for (uint32_t i = 0; i < n; i++) {
        sum += atoll_seed_mix(ops[i], 1);
    }
    return sum;
}

static int by_hash(const void *x, const void *y)
{
    const struct segment *a = x, *b = y;
    const int c = (a->hash > b->hash) - (a->hash < b->hash);
    return c ? c : (a->model > b->model) - (a->model < b->model);
}

static struct segment *find_segment(const struct atoll_measured *m, uint32_t model,
                                    const uint32_t *ops, uint32_t n)
{
    const struct segment key = {.model = model, .n_ops = n, .hash = hash_ops(ops, n)};
    if (m->sorted) {
        return m->n_segments ? bsearch(&key, m->segments, m->n_segments, sizeof key, by_hash)
                             : NULL;
    }
    for (size_t i = 0; i < m->n_segments; i++) {
        if (by_hash(&key, &m->segments[i]) == 0) {
            return &m->segments[i];
        }
    }
    return NULL;
}

static int add_segment(struct atoll_measured *m, uint32_t model, const struct atoll_stage *st,
                       struct segment **out, struct atoll_err *err)
{
    struct atoll_stage_cost c;
    if (atoll_grow((void **)&m->segments, &m->cap_segments, m->n_segments + 1,
                   sizeof *m->segments)) {
        return atoll_fail_nomem(err, "measured segments", m->n_segments * sizeof *m->segments);
    }
    const int rc =
        atoll_cost_stage(m->q.models[model], m->q.board, &m->q.use, st->ops, st->n_ops, &c, err);
    if (rc == 0) {
        *out = &m->segments[m->n_segments++];
        **out = (struct segment){.model = model,
                                 .n_ops = st->n_ops,
                                 .hash = hash_ops(st->ops, st->n_ops),
                                 .predicted_us = {c.latency_us, c.service_us}};
    }
    return rc;
}

static int note(struct atoll_measured *m, uint32_t model, const struct atoll_stage *st,
                enum figure f, double us, struct atoll_err *err)
{
    struct segment *s = find_segment(m, model, st->ops, st->n_ops);
    const int rc = s ? 0 : add_segment(m, model, st, &s, err);
    if (rc == 0) {
        s->sum_us[f] += us;
        s->squares[f] += us * us;
        s->n[f]++;
    }
    return rc;
}

/* -------------------------------------------------------------------------- oracle */

static double mean_us(const struct segment *s, enum figure f)
{
    return s->n[f] ? s->sum_us[f] / s->n[f] : NAN;
}

/* Half-width over runs; of one run nothing is known, so the prediction's stays. */
static double u95_us(const struct segment *s, enum figure f, double predicted_u95_us)
{
    const double n = s->n[f];
    if (n < 2) {
        return predicted_u95_us;
    }
    const double variance = fmax(0, s->squares[f] / n - pow(s->sum_us[f] / n, 2)) * n / (n - 1);
    return atoll_t975(n - 1) * sqrt(variance / n);
}

static void override(const struct segment *s, struct atoll_stage_cost *c)
{
    double latency_us = mean_us(s, FIGURE_LATENCY), service_us = mean_us(s, FIGURE_SERVICE);
    latency_us = isnan(latency_us) ? c->latency_us * (service_us / c->service_us) : latency_us;
    service_us = isnan(service_us) ? c->service_us * (latency_us / c->latency_us) : service_us;
    const double ratio = service_us / c->service_us;
    c->latency_u95_us = u95_us(s, FIGURE_LATENCY, c->latency_u95_us);
    c->service_u95_us = u95_us(s, FIGURE_SERVICE, c->service_u95_us);
    c->latency_us = latency_us;
    c->service_us = service_us;
    c->busy_us *= ratio;
    c->active_mj *= ratio;
    c->active_u95_mj *= ratio;
}

static int stage(void *user, uint32_t model, const uint32_t *ops, uint32_t n,
                 struct atoll_stage_cost *out, struct atoll_err *err)
{
    const struct atoll_measured *m = user;
    const int rc = atoll_cost_stage(m->q.models[model], m->q.board, &m->q.use, ops, n, out, err);
    const struct segment *s = rc ? NULL : find_segment(m, model, ops, n);
    if (s) {
        override(s, out);
    }
    return rc;
}

/* ------------------------------------------------------------------------- reading */

/* What is looked at, copied out of the database's rows. */
struct run {
    int64_t id;
    uint32_t model;
    const char *spec, *strategy; ///< of the plan
    int64_t tpus;
    enum figure figure;
};
struct plan {
    const char *spec, *strategy;
    int64_t tpus;
    struct atoll_plan *plan;
};
struct name { ///< of a model that is asked for, in this database
    const char *spec;
    uint32_t model;
};
struct reader {
    struct atoll_measured *m;
    struct atoll_store *s;
    struct atoll_arena arena;
    const char **experiments;
    size_t n_experiments, cap_experiments;
    struct name *names;
    size_t n_names, cap_names;
    struct run *runs;
    size_t n_runs, cap_runs;
    struct plan *plans;
    size_t n_plans, cap_plans;
    struct atoll_err *err;
};

static const char *keep(struct reader *r, const char *text)
{
    return atoll_arena_strndup(&r->arena, text ? text : "", text ? strlen(text) : 0);
}

static int on_experiment(void *user, const struct atoll_experiment_row *row)
{
    struct reader *r = user;
    const struct atoll_board *b = r->m->q.board;
    const enum atoll_clock clock =
        r->m->q.use.clock == ATOLL_CLOCK_DEFAULT ? b->clock : r->m->q.use.clock;
    const enum atoll_host_runner runner =
        r->m->q.use.runner == ATOLL_RUNNER_DEFAULT ? b->runner : r->m->q.use.runner;
    if (!row->board || strcmp(row->board, b->name) != 0 || !row->clock || !row->runner ||
        strcmp(row->clock, clock == ATOLL_CLOCK_MAX ? "max" : "standard") != 0 ||
        strcmp(row->runner, runner == ATOLL_RUNNER_C ? "c" : "python") != 0) {
        return 0;
    }
    if (atoll_grow((void **)&r->experiments, &r->cap_experiments, r->n_experiments + 1,
                   sizeof *r->experiments)) {
        return ATOLL_ENOMEM;
    }
    const char *key = keep(r, row->key);
    r->experiments[r->n_experiments++] = key;
    return key ? 0 : ATOLL_ENOMEM;
}

/* Names of the asked models in the database: those of the same bytes. */
static int on_model(void *user, const struct atoll_model_row *row)
{
    struct reader *r = user;
    for (uint32_t i = 0; i < r->m->q.n_models && row->sha256; i++) {
        char sha256[65];
        const int rc = atoll_model_sha256(atoll_cost_model(r->m->q.models[i]), sha256, r->err);
        if (rc || strcmp(sha256, row->sha256) != 0) {
            if (rc) {
                return rc;
            }
            continue;
        }
        if (atoll_grow((void **)&r->names, &r->cap_names, r->n_names + 1, sizeof *r->names)) {
            return ATOLL_ENOMEM;
        }
        r->names[r->n_names] = (struct name){keep(r, row->spec), i};
        return r->names[r->n_names++].spec ? 0 : ATOLL_ENOMEM;
    }
    return 0;
}

static bool model_of(const struct reader *r, const char *spec, uint32_t *model)
{
    for (size_t i = 0; i < r->n_names && spec; i++) {
        if (strcmp(r->names[i].spec, spec) == 0) {
            *model = r->names[i].model;
            return true;
        }
    }
    return false;
}

static int on_plan(void *user, const struct atoll_plan_row *row)
{
    struct reader *r = user;
    uint32_t model;
    if (!row->json || row->skipped || !model_of(r, row->model, &model)) {
        return 0;
    }
    if (atoll_grow((void **)&r->plans, &r->cap_plans, r->n_plans + 1, sizeof *r->plans)) {
        return ATOLL_ENOMEM;
    }
    struct plan *p = &r->plans[r->n_plans];
    *p = (struct plan){keep(r, row->model), keep(r, row->strategy), row->tpus, NULL};
    if (!p->spec || !p->strategy) {
        return ATOLL_ENOMEM;
    }
    json_t *j = json_loads(row->json, 0, NULL);
    int rc = j ? atoll_plan_from_json(r->m->q.db, j, &p->plan, r->err)
               : atoll_fail(r->err, ATOLL_EINPUT, "%s: the plan of %s, %s is not JSON", r->m->q.db,
                            row->model, row->strategy);
    json_decref(j);
    rc = rc ? rc : atoll_plan_check(p->plan, 0, atoll_cost_model(r->m->q.models[model]), r->err);
    if (rc) {
        atoll_plan_close(&p->plan);
        return rc;
    }
    r->n_plans++;
    return 0;
}

static int on_run(void *user, const struct atoll_run_row *row)
{
    struct reader *r = user;
    const bool latency = row->workload && strcmp(row->workload, "latency") == 0;
    const bool saturated = row->workload && strcmp(row->workload, "saturated") == 0;
    const bool measured = row->origin && strcmp(row->origin, "measured") == 0;
    uint32_t model;
    if (!row->status || strcmp(row->status, "done") != 0 || !(latency || saturated) ||
        !(measured || r->m->q.any_origin) || !model_of(r, row->model, &model)) {
        return 0;
    }
    if (atoll_grow((void **)&r->runs, &r->cap_runs, r->n_runs + 1, sizeof *r->runs)) {
        return ATOLL_ENOMEM;
    }
    struct run *to = &r->runs[r->n_runs++];
    *to = (struct run){row->id,
                       model,
                       keep(r, row->model),
                       keep(r, row->strategy),
                       row->tpus,
                       latency ? FIGURE_LATENCY : FIGURE_SERVICE};
    if (!measured) {
        r->m->origin = ATOLL_ORIGIN_SIMULATED;
    }
    return to->spec && to->strategy ? 0 : ATOLL_ENOMEM;
}

static const struct atoll_plan *plan_of(const struct reader *r, const struct run *run)
{
    for (size_t i = 0; i < r->n_plans; i++) {
        const struct plan *p = &r->plans[i];
        if (p->tpus == run->tpus && strcmp(p->spec, run->spec) == 0 &&
            strcmp(p->strategy, run->strategy) == 0) {
            return p->plan;
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------------- timelines */

/* What streams beside it add to each stage of a saturated run. */
static double beside_us(const struct atoll_measured *m, const struct atoll_plan *p)
{
    uint32_t streams = 0;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        uint32_t widest = 1;
        for (uint32_t s = 0; s < p->pipelines[i].n_stages; s++) {
            const uint32_t n = p->pipelines[i].stages[s].n_tpus;
            widest = n > widest ? n : widest;
        }
        streams += widest;
    }
    return atoll_board_drive(m->q.board, &m->q.use, ATOLL_DRIVE_THREADED)->copy_interval_us.value *
           (streams - 1);
}

static bool same_turn(const struct atoll_span *a, const struct atoll_span *b)
{
    return a->tpu == b->tpu && a->pipeline == b->pipeline && a->stage == b->stage &&
           a->item == b->item;
}

/* The median time of a stage over its inferences. The spans of one turn stand together; one that
 * loaded parameters does not count, nor the last of the timeline, which may be cut. */
static int stage_median(const struct atoll_span *spans, size_t n, uint32_t pipeline, uint32_t stage,
                        double *us, struct atoll_err *err)
{
    double *turns = atoll_calloc(n + 1, sizeof *turns);
    size_t n_turns = 0;
    if (!turns) {
        return atoll_fail_nomem(err, "times of a stage", n * sizeof *turns);
    }
    for (size_t i = 0, end; i < n; i = end) {
        uint64_t ns = 0;
        bool loads = false;
        for (end = i; end < n && same_turn(&spans[i], &spans[end]); end++) {
            ns += spans[end].end_ns - spans[end].start_ns;
            loads = loads || spans[end].kind == 2;
        }
        if (!loads && end < n && spans[i].pipeline == pipeline && spans[i].stage == stage) {
            turns[n_turns++] = (double)ns / 1e3;
        }
    }
    atoll_sort(turns, n_turns);
    *us = n_turns ? atoll_quantile(turns, n_turns, 0.5) : NAN;
    atoll_free(turns);
    return 0;
}

static int read_run(struct reader *r, const struct run *run)
{
    struct atoll_span *spans = NULL;
    size_t n = 0;
    const struct atoll_plan *p = plan_of(r, run);
    int rc = p ? atoll_store_get_timeline(r->s, run->id, &spans, &n, r->err) : 0;
    const double beside = p && run->figure == FIGURE_SERVICE ? beside_us(r->m, p) : 0;
    for (uint32_t i = 0; p && n > 0 && i < p->n_pipelines && rc == 0; i++) {
        for (uint32_t s = 0; s < p->pipelines[i].n_stages && rc == 0; s++) {
            double us = NAN;
            rc = stage_median(spans, n, i, s, &us, r->err);
            if (rc == 0 && us > beside) {
                rc = note(r->m, run->model, &p->pipelines[i].stages[s], run->figure, us - beside,
                          r->err);
            }
        }
    }
    r->m->runs += rc == 0 && n > 0;
    atoll_free(spans);
    return rc;
}

static int read_experiment(struct reader *r, const char *key)
{
    int rc = atoll_store_each_plan(r->s, key, on_plan, r, r->err);
    rc = rc ? rc : atoll_store_each_run(r->s, key, on_run, r, r->err);
    for (size_t i = 0; i < r->n_runs && rc == 0; i++) {
        rc = read_run(r, &r->runs[i]);
    }
    for (size_t i = 0; i < r->n_plans; i++) {
        atoll_plan_close(&r->plans[i].plan);
    }
    r->n_plans = r->n_runs = 0;
    return rc;
}

static int read_all(struct reader *r)
{
    int rc = atoll_store_open(r->m->q.db, ATOLL_STORE_READ, &r->s, r->err);
    rc = rc ? rc : atoll_store_each_experiment(r->s, on_experiment, r, r->err);
    rc = rc ? rc : atoll_store_each_model(r->s, on_model, r, r->err);
    for (size_t i = 0; i < r->n_experiments && rc == 0; i++) {
        rc = read_experiment(r, r->experiments[i]);
    }
    if (rc == ATOLL_ENOMEM && r->err && r->err->code != rc) {
        atoll_fail_nomem(r->err, "rows of a database", 0);
    }
    return rc;
}

/* Sorts what was read, and finds the share of the predicted cost below which none falls. */
static void finish_segments(struct atoll_measured *m)
{
    if (m->n_segments) {
        qsort(m->segments, m->n_segments, sizeof *m->segments, by_hash);
    }
    m->sorted = true;
    m->oracle.floor_frac = 1;
    for (size_t i = 0; i < m->n_segments; i++) {
        for (int f = 0; f < FIGURES; f++) {
            const double ratio =
                mean_us(&m->segments[i], (enum figure)f) / m->segments[i].predicted_us[f];
            m->oracle.floor_frac = fmin(m->oracle.floor_frac, ratio); /* fmin leaves NAN aside */
        }
    }
}

int atoll_measured_open(const struct atoll_measured_request *q, struct atoll_measured **out,
                        struct atoll_err *err)
{
    struct atoll_measured *m = atoll_calloc(1, sizeof *m);
    if (!m) {
        return atoll_fail_nomem(err, "measured costs", sizeof *m);
    }
    m->q = *q;
    m->origin = ATOLL_ORIGIN_MEASURED;
    m->oracle = (struct atoll_oracle){.stage = stage, .user = m};
    struct reader r = {.m = m, .err = err};
    atoll_arena_init(&r.arena);
    int rc = read_all(&r);
    finish_segments(m);
    atoll_store_close(&r.s);
    atoll_free(r.experiments);
    atoll_free(r.names);
    atoll_free(r.runs);
    atoll_free(r.plans);
    atoll_arena_finish(&r.arena);
    if (rc) {
        atoll_measured_close(&m);
        return rc;
    }
    *out = m;
    return 0;
}

void atoll_measured_close(struct atoll_measured **m)
{
    if (m && *m) {
        atoll_free((*m)->segments);
        atoll_free(*m);
        *m = NULL;
    }
}

const struct atoll_oracle *atoll_measured_oracle(const struct atoll_measured *m)
{
    return &m->oracle;
}

struct atoll_measured_summary atoll_measured_sum(const struct atoll_measured *m)
{
    return (struct atoll_measured_summary){
        .segments = (uint32_t)m->n_segments, .runs = m->runs, .origin = m->origin};
}

uint32_t atoll_measured_stages(const struct atoll_measured *m, const struct atoll_plan *p,
                               uint32_t *n_stages)
{
    uint32_t n = 0;
    *n_stages = 0;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        for (uint32_t s = 0; s < p->pipelines[i].n_stages; s++) {
            const struct atoll_stage *st = &p->pipelines[i].stages[s];
            ++*n_stages;
            n += find_segment(m, p->pipelines[i].model, st->ops, st->n_ops) != NULL;
        }
    }
    return n;
}
