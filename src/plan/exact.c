/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategy `exact`. For one model: the search gives what a single pipeline can do on each number of TPUs, the
 * mix puts pipelines side by side. Running beside others costs every stage a little (copy_us), so
 * the whole is done for each number of streams. Every completed search is a proof: the lower
 * bound is then the answer itself.
 */
#include <math.h>
#include <string.h>

#include "mix.h"
#include "plan_internal.h"
#include "search.h"

/* Width of a level of the lattice: every down-set of the chains, residual and inception networks of
 * the zoo lies below it; detectors with many free heads do not. */
#define LATTICE_WIDTH 256
#define DEFAULT_LIMIT_S 10

struct exact {
    struct atoll__plan_draft *draft;
    uint32_t model;
    const struct atoll_board *board;
    enum atoll_objective objective;
    struct atoll__dag dag;
    struct atoll__lattice full, narrow;
    struct atoll__memo memo_full, memo_narrow;
    struct atoll__search template;
    double copy_us;
    bool proven; ///< every search so far looked at everything
    /* best so far */
    struct atoll__draft_stage *stages; ///< of all its pipelines, one after the other
    uint32_t *stage_ops;
    uint32_t pipeline_stages[ATOLL_TPUS_MAX];
    uint32_t n_pipelines;
    double value; ///< us, 1/Hz or mJ: small is good
};

static void exact_finish(struct exact *x)
{
    atoll__memo_finish(&x->memo_full);
    atoll__memo_finish(&x->memo_narrow);
    atoll__lattice_finish(&x->full);
    atoll__lattice_finish(&x->narrow);
    atoll__dag_finish(&x->dag);
    atoll_free(x->stages);
    atoll_free(x->stage_ops);
}

static unsigned judged_criteria(const struct exact *x)
{
    if (x->objective == ATOLL_OBJECTIVE_LATENCY) {
        return 1u << ATOLL__CRIT_LATENCY;
    }
    unsigned judged = 1u << ATOLL__CRIT_INTERVAL | 1u << ATOLL__CRIT_LOCK | 1u << ATOLL__CRIT_THREADS;
    judged |= x->board->shared_link_mib_per_s.value > 0 ? 1u << ATOLL__CRIT_LINK : 0;
    judged |= x->copy_us > 0 ? 1u << ATOLL__CRIT_WIDEST : 0;
    judged |= x->objective == ATOLL_OBJECTIVE_ENERGY ? 1u << ATOLL__CRIT_ACTIVE : 0;
    return judged;
}

static int exact_prepare(struct exact *x, struct atoll_err *err)
{
    struct atoll__planner *pl = x->draft->planner;
    const struct atoll_model *m = pl->views[x->model].model;
    int rc = atoll__planner_floors(pl, x->model, err);
    rc = rc == 0 ? atoll__dag_of_model(m, &x->dag, err) : rc;
    double *floors = rc == 0 ? atoll_calloc(m->n_ops, sizeof *floors) : NULL;
    if (rc == 0 && floors == NULL) {
        rc = atoll_fail_nomem(err, "operator floors", m->n_ops * sizeof *floors);
    }
    for (uint32_t v = 0; rc == 0 && v < m->n_ops && pl->oracle.floor_us != NULL; v++) {
        floors[v] = pl->oracle.floor_us(pl->oracle.user, x->model, v);
    }
    rc = rc == 0 ? atoll__lattice_build(&x->dag, floors, LATTICE_WIDTH, &x->full, err) : rc;
    rc = rc == 0 ? atoll__lattice_narrow(&x->full, &x->narrow, err) : rc;
    atoll_free(floors);
    x->proven = x->full.complete;
    x->template = (struct atoll__search){
        .oracle = &pl->oracle,
        .board = x->board,
        .use = pl->request->use,
        .model = x->model,
        .tpus = x->draft->tpus,
        .judged = judged_criteria(x),
        .stage_floor_us = pl->oracle.floor_us != NULL ? pl->oracle.floor_us(pl->oracle.user, x->model, UINT32_MAX) : 0,
        .deadline_ns = pl->deadline_ns != 0 ? pl->deadline_ns : atoll_now_ns() + DEFAULT_LIMIT_S * UINT64_C(1000000000),
    };
    return rc;
}

/* Two searches: over block boundaries alone, quickly, then over everything with what the first found as bound. */
struct pair {
    struct atoll__search narrow, full;
};

static int search_pair(struct exact *x, struct pair *p, uint32_t replicas_max, double extra_us, struct atoll_err *err)
{
    p->narrow = x->template;
    p->narrow.replicas_max = replicas_max;
    p->narrow.stage_extra_us = extra_us;
    p->full = p->narrow;
    p->narrow.lattice = &x->narrow;
    p->narrow.memo = &x->memo_narrow;
    p->full.lattice = &x->full;
    p->full.memo = &x->memo_full;
    int rc = atoll__search_run(&p->narrow, err);
    if (rc == 0) {
        p->full.known = &p->narrow;
        rc = atoll__search_run(&p->full, err);
    }
    x->proven = x->proven && !p->full.timed_out;
    return rc;
}

static void pair_finish(struct pair *p)
{
    atoll__search_finish(&p->narrow);
    atoll__search_finish(&p->full);
}

/* Copies the stages of a label behind those already in the best plan; one more pipeline. */
static int keep_pipeline(struct exact *x, const struct atoll__search *s, uint32_t label, struct atoll_err *err)
{
    const uint32_t n_ops = s->lattice->n_ops;
    const size_t pipelines = (size_t)x->n_pipelines + 1;
    uint32_t first = 0;
    for (uint32_t i = 0; i < x->n_pipelines; i++) {
        first += x->pipeline_stages[i];
    }
    uint32_t sets[ATOLL_TPUS_MAX], replicas[ATOLL_TPUS_MAX];
    const uint32_t n = atoll__search_stages(s, label, sets, replicas);
    void *stages = atoll_realloc(x->stages, (first + (size_t)n) * sizeof *x->stages);
    x->stages = stages != NULL ? stages : x->stages;
    void *ops = atoll_realloc(x->stage_ops, pipelines * n_ops * sizeof *x->stage_ops);
    x->stage_ops = ops != NULL ? ops : x->stage_ops;
    if (stages == NULL || ops == NULL) {
        return atoll_fail_nomem(err, "the best plan", pipelines * n_ops * sizeof *x->stage_ops);
    }
    size_t at = (pipelines - 1) * n_ops;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t count = atoll__lattice_difference(s->lattice, i == 0 ? 0 : sets[i - 1], sets[i], x->stage_ops + at);
        x->stages[first + i] = (struct atoll__draft_stage){.n_ops = count, .replicas = replicas[i]};
        at += count;
    }
    x->pipeline_stages[x->n_pipelines++] = n;
    return 0;
}

/* ------------------------------------------------------------------- latency */

static int solve_latency(struct exact *x, struct atoll_err *err)
{
    struct pair p;
    int rc = search_pair(x, &p, 1, 0, err);
    const struct atoll__search *from = NULL;
    uint32_t best = ATOLL__LABEL_NONE;
    for (int which = 0; rc == 0 && which < 2; which++) {
        const struct atoll__search *s = which == 0 ? &p.narrow : &p.full;
        for (uint32_t k = 1; k <= s->tpus; k++) {
            const uint32_t i = atoll__search_final(s, k);
            if (i != ATOLL__LABEL_NONE && s->labels[i].crit[ATOLL__CRIT_LATENCY] < x->value) {
                x->value = s->labels[i].crit[ATOLL__CRIT_LATENCY];
                from = s;
                best = i;
            }
        }
    }
    if (rc == 0 && from != NULL) {
        rc = keep_pipeline(x, from, best, err);
    }
    pair_finish(&p);
    return rc;
}

/* ---------------------------------------------------------- throughput, energy */

static struct atoll__mix_item item_of(const struct exact *x, const struct atoll__label *l, uint32_t source)
{
    const double rate_hz = 1e6 / l->crit[ATOLL__CRIT_INTERVAL];
    const double threads = x->board->host_threads ? x->board->host_threads : 1;
    return (struct atoll__mix_item){
        .tpus = l->tpus,
        .streams = (uint32_t)l->crit[ATOLL__CRIT_WIDEST],
        .rate_hz = rate_hz,
        .load_frac = {rate_hz * l->crit[ATOLL__CRIT_LOCK] * 1e-6,
                      rate_hz * l->crit[ATOLL__CRIT_THREADS] * 1e-6 / threads,
                      rate_hz * l->crit[ATOLL__CRIT_LINK] * 1e-6},
        .active_mw = rate_hz * l->crit[ATOLL__CRIT_ACTIVE],
        .source = source,
    };
}

static double waiting_mw(const struct exact *x)
{
    const double powered = fmax(x->board->n_tpus, x->draft->tpus);
    return atoll_board_idle_tpu_mw(x->board).value * powered + x->board->board_mw.value;
}

static uint32_t count_finals(const struct atoll__search *s)
{
    uint32_t n = 0;
    for (uint32_t k = 1; k <= s->tpus; k++) {
        for (uint32_t i = atoll__search_final(s, k); i != ATOLL__LABEL_NONE; i = s->labels[i].next) {
            n++;
        }
    }
    return n;
}

static uint32_t list_finals(const struct exact *x, const struct atoll__search *s, struct atoll__mix_item *items, uint32_t n)
{
    for (uint32_t k = 1; k <= s->tpus; k++) {
        for (uint32_t i = atoll__search_final(s, k); i != ATOLL__LABEL_NONE; i = s->labels[i].next) {
            items[n++] = item_of(x, &s->labels[i], i);
        }
    }
    return n;
}

/* The best mix out of both searches for one number of streams; kept when it beats what is known. */
static int solve_streams(struct exact *x, uint32_t streams, double extra_us, struct atoll_err *err)
{
    struct pair p;
    struct atoll__mix_item *items = NULL;
    int rc = search_pair(x, &p, streams, extra_us, err);
    if (rc != 0) {
        goto done;
    }
    const uint32_t from_narrow = count_finals(&p.narrow), n = from_narrow + count_finals(&p.full);
    items = atoll_calloc((size_t)n + 1, sizeof *items);
    if (items == NULL) {
        rc = atoll_fail_nomem(err, "kinds of pipelines", n * sizeof *items);
        goto done;
    }
    list_finals(x, &p.full, items, list_finals(x, &p.narrow, items, 0));
    const struct atoll__mix_goal goal = {
        .tpus = x->draft->tpus, .streams_max = streams, .objective = x->objective, .waiting_mw = waiting_mw(x)};
    struct atoll__mix mix;
    rc = atoll__mix_best(items, n, &goal, &mix, err);
    if (rc != 0 || mix.n == 0) {
        goto done;
    }
    const double value = x->objective == ATOLL_OBJECTIVE_ENERGY ? mix.energy_mj : 1 / mix.rate_hz;
    if (value < x->value) {
        x->value = value;
        x->n_pipelines = 0;
        for (uint32_t i = 0; rc == 0 && i < mix.n; i++) {
            const bool narrow = mix.items[i] < from_narrow;
            rc = keep_pipeline(x, narrow ? &p.narrow : &p.full, items[mix.items[i]].source, err);
        }
    }
done:
    atoll_free(items);
    pair_finish(&p);
    return rc;
}

/* Highest rate that any plan can have whose stages each pay extra_us: every inference occupies
 * the TPUs for at least its operators' floors and one stage's. */
static double rate_bound_hz(const struct exact *x, double extra_us)
{
    const double least_us = x->full.work[x->full.n - 1] + x->template.stage_floor_us + extra_us;
    return least_us > 0 ? x->draft->tpus * 1e6 / least_us : INFINITY;
}

static int solve_rate(struct exact *x, struct atoll_err *err)
{
    int rc = 0;
    for (uint32_t streams = x->draft->tpus; rc == 0 && streams >= 1; streams--) {
        const double extra_us = x->copy_us * (streams - 1);
        const bool hopeless = x->objective == ATOLL_OBJECTIVE_THROUGHPUT && 1 / rate_bound_hz(x, extra_us) >= x->value;
        if (!hopeless) {
            rc = solve_streams(x, streams, extra_us, err);
        }
        if (x->copy_us <= 0) {
            break; /* streams cost nothing: one round with all of them allowed */
        }
    }
    return rc;
}

/* ------------------------------------------------------------------- strategy */

static void bound_of(const struct exact *x, struct atoll_plan *p)
{
    const double floor_us = x->full.work[x->full.n - 1] + x->template.stage_floor_us;
    if (x->proven) {
        p->lower_bound = x->objective == ATOLL_OBJECTIVE_THROUGHPUT ? x->value * 1e6 : x->value;
    } else if (x->objective == ATOLL_OBJECTIVE_LATENCY) {
        p->lower_bound = floor_us;
    } else {
        const double interval_us = 1e6 / rate_bound_hz(x, 0);
        p->lower_bound = x->objective == ATOLL_OBJECTIVE_THROUGHPUT ? interval_us : waiting_mw(x) * interval_us * 1e-6;
    }
}

int atoll__fill_exact(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err)
{
    (void)argument;
    const struct atoll_plan_request *r = d->planner->request;
    if (r->n_models != 1) {
        return atoll_fail(err, ATOLL_ENO, "the exact search plans one model at a time, %u given", r->n_models);
    }
    struct exact x = {.draft = d, .board = r->board, .objective = r->objective, .value = INFINITY};
    x.copy_us = atoll_board_drive(r->board, &r->use, ATOLL_DRIVE_THREADED)->copy_interval_us.value;
    int rc = exact_prepare(&x, err);
    if (rc == 0) {
        rc = x.objective == ATOLL_OBJECTIVE_LATENCY ? solve_latency(&x, err) : solve_rate(&x, err);
    }
    uint32_t at = 0;
    for (uint32_t i = 0; rc == 0 && i < x.n_pipelines; i++) {
        uint32_t *ops = x.stage_ops + (size_t)i * x.full.n_ops;
        for (uint32_t s = 0; s < x.pipeline_stages[i]; s++) {
            x.stages[at + s].ops = ops;
            ops += x.stages[at + s].n_ops;
        }
        rc = atoll__draft_stages(d, 0, x.stages + at, x.pipeline_stages[i], err);
        at += x.pipeline_stages[i];
    }
    if (rc == 0 && x.n_pipelines > 0) {
        bound_of(&x, d->plan);
    } else if (rc == 0) {
        rc = atoll_fail(err, ATOLL_ENO, "no segmentation was found within the time limit");
    }
    exact_finish(&x);
    return rc;
}
