/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategy `exact`, one model. The search gives what a single pipeline can do on each number of
 * TPUs; the mix puts pipelines side by side. Streams running beside cost every stage a little
 * (copy_interval_us), so throughput and energy are solved for each number of streams. First rounds
 * on what is quickly had (the compiler's cuts, then block boundaries) give a plan to beat; the last
 * round looks at every down-set that could still beat it. When that round ends in time, the plan
 * is proven best and the lower bound is its own value.
 */
#include <math.h>
#include <string.h>

#include "choice.h"

/* Down-sets at most. Every down-set of the chains, residual, inception and dense networks of the
 * zoo is among so many; detectors with many free heads have more. */
#define LATTICE_SETS 4000u
/* Work of all rounds together when the request sets no time limit: a count, not a time, so that the
 * same request gives the same plan on every machine. About a second. */
#define DEFAULT_STEPS 150000000u
/* A round that its first bound leaves open by more than this gets a closer one; where operators
 * were glued, any, for there the bound is all the proof. */
#define REFINE_FRAC 0.15
/* Of one choice of pipelines side by side, which time limits do not end. */
#define MIX_STEPS 10000000u

void atoll__exact_free_ground(struct atoll__exact *x)
{
    atoll__memo_finish(&x->memo_full);
    atoll__memo_finish(&x->memo_coarse);
    atoll__spans_finish(&x->spans_full);
    atoll__spans_finish(&x->spans_coarse);
    atoll__spans_finish(&x->spans_relaxed);
    atoll__lattice_finish(&x->relaxed);
    atoll__lattice_finish(&x->full);
    atoll__lattice_finish(&x->coarse);
    atoll__dag_finish(&x->dag);
}

void atoll__exact_finish(struct atoll__exact *x)
{
    atoll__exact_stash(x);
    atoll__exact_free_ground(x);
    atoll_arena_finish(&x->arena);
}

static unsigned judged_criteria(const struct atoll__exact *x)
{
    if (x->objective == ATOLL_OBJECTIVE_LATENCY) {
        return 1u << ATOLL__CRIT_LATENCY;
    }
    unsigned judged = x->keep.latency_max_us > 0 ? 1u << ATOLL__CRIT_LATENCY : 0;
    judged |= 1u << ATOLL__CRIT_INTERVAL | 1u << ATOLL__CRIT_LOCK | 1u << ATOLL__CRIT_THREADS;
    judged |= x->board->shared_link_mib_per_s.value > 0 ? 1u << ATOLL__CRIT_LINK : 0;
    judged |= x->copy_us > 0 ? 1u << ATOLL__CRIT_WIDEST : 0;
    judged |= x->objective == ATOLL_OBJECTIVE_ENERGY ? 1u << ATOLL__CRIT_ACTIVE : 0;
    return judged;
}

int atoll__exact_prepare(struct atoll__exact *x, struct atoll_err *err)
{
    struct atoll__planner *pl = x->draft->planner;
    int rc = atoll__planner_floors(pl, x->model, err);
    x->template = (struct atoll__search){
        .oracle = &pl->oracle,
        .board = x->board,
        .use = pl->request->use,
        .model = x->model,
        .tpus = x->draft->tpus,
        .judged = judged_criteria(x),
        .latency_max_us = x->keep.latency_max_us,
        .resident = x->keep.resident,
        .deadline_ns = pl->deadline_ns,
        .steps_max = pl->deadline_ns ? 0 : DEFAULT_STEPS,
    };
    if (rc == 0) {
        atoll__planner_floor_of(pl, x->floor_kind, x->model, UINT32_MAX, &x->template.stage_floor);
    }
    if (rc == 0 && atoll__exact_unstash(x)) {
        return 0;
    }
    rc = rc == 0 ? atoll__dag_of_model(pl->views[x->model].model, &x->dag, err) : rc;
    if (rc == 0 && x->keep.together) {
        rc = atoll__dag_merge(&x->dag, x->keep.together, err);
    }
    x->sets_max = pl->exact_sets_max ? pl->exact_sets_max : LATTICE_SETS;
    return rc == 0 ? atoll__exact_cuts(x, err) : rc;
}

/* ---------------------------------------------------------------- best so far */

int atoll__exact_keep_stage(struct atoll__exact *x, struct atoll__draft_stage *out,
                            const uint32_t *ops, uint32_t n_ops, uint32_t replicas,
                            struct atoll_err *err)
{
    uint32_t *copy = atoll_arena_array(&x->arena, n_ops, sizeof *copy);
    if (!copy) {
        return atoll_fail_nomem(err, "a stage", n_ops * sizeof *copy);
    }
    memcpy(copy, ops, n_ops * sizeof *copy);
    *out = (struct atoll__draft_stage){.ops = copy, .n_ops = n_ops, .replicas = replicas};
    return 0;
}

struct atoll__exact_candidate *atoll__exact_keep_candidate(struct atoll__exact *x,
                                                           uint32_t n_stages, struct atoll_err *err)
{
    struct atoll__exact_candidate *c = &x->best[x->n_best++];
    c->n_stages = n_stages;
    c->stages = atoll_arena_array(&x->arena, n_stages, sizeof *c->stages);
    if (!c->stages) {
        atoll_fail_nomem(err, "a pipeline", n_stages * sizeof *c->stages);
        return NULL;
    }
    return c;
}

static int keep_label(struct atoll__exact *x, const struct atoll__search *s, uint32_t label,
                      struct atoll_err *err)
{
    uint32_t sets[ATOLL_TPUS_MAX], replicas[ATOLL_TPUS_MAX];
    const uint32_t n = atoll__search_stages(s, label, sets, replicas);
    struct atoll__exact_candidate *c = atoll__exact_keep_candidate(x, n, err);
    uint32_t *ops = c ? atoll_arena_array(&x->arena, s->lattice->n_ops, sizeof *ops) : NULL;
    int rc = ops ? 0 : ATOLL_ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        const uint32_t count =
            atoll__lattice_difference(s->lattice, i == 0 ? 0 : sets[i - 1], sets[i], ops);
        rc = atoll__exact_keep_stage(x, &c->stages[i], ops, count, replicas[i], err);
    }
    return rc;
}

/* ------------------------------------------------------------------- bounds */

static double waiting_mw(const struct atoll__exact *x)
{
    const double powered = fmax(x->board->n_tpus, x->draft->tpus);
    return atoll_board_idle_tpu_mw(x->board).value * powered + x->board->board_mw.value;
}

static struct atoll__goal goal_of(const struct atoll__exact *x)
{
    return (struct atoll__goal){
        .set = isfinite(x->value),
        .objective = x->objective,
        .best = x->value,
        .waiting_mw = waiting_mw(x),
        .active_floor_mj = x->full.sum[x->full.n - 1].active_mj,
    };
}

/* What holds on any lattice: on j TPUs a pipeline takes at least the floors of all operators.
 * Spread over all TPUs that bounds the interval; several pipelines do no better than their best
 * share. */
static double plain_lower_us(const struct atoll__exact *x)
{
    const struct atoll_floor *all = &x->full.sum[x->full.n - 1];
    const uint32_t tpus = x->draft->tpus;
    const double us = atoll__floor_us(&x->full.sum[0], all, &x->template.stage_floor, tpus);
    return x->objective == ATOLL_OBJECTIVE_LATENCY ? us : us / tpus;
}

/* The bound of a single search with every width of stage allowed and nothing running beside, on
 * every cut or on the relaxed model: below that of any round. */
static int relaxed_lower_us(struct atoll__exact *x, double *lower_us, struct atoll_err *err)
{
    *lower_us = plain_lower_us(x);
    if (!x->full.complete && !x->is_glued) {
        return 0;
    }
    struct atoll__search s = x->template;
    s.replicas_max = s.tpus;
    s.lattice = x->is_glued ? &x->relaxed : &x->full;
    s.spans = x->is_glued ? &x->spans_relaxed : &x->spans_full;
    s.goal = goal_of(x);
    const int rc = atoll__search_bounds(&s, err);
    const bool latency = x->objective == ATOLL_OBJECTIVE_LATENCY;
    *lower_us = fmax(*lower_us, rc == 0 ? s.lower_us + (latency ? x->glued_work_us : 0) : 0);
    atoll__search_finish(&s);
    return rc;
}

/* No plan is below this value when none takes less than lower_us. */
static double lower_value(const struct atoll__exact *x, double lower_us)
{
    return x->objective == ATOLL_OBJECTIVE_ENERGY
               ? x->full.sum[x->full.n - 1].active_mj + waiting_mw(x) * lower_us * 1e-6
               : lower_us;
}

/* Notes what a round on the full lattice has shown: nothing below its bound, and, when it looked at
 * everything, nothing below `seen`. */
static void note_bound(struct atoll__exact *x, const struct atoll__search *s, bool cut_short,
                       double seen)
{
    double lower = lower_value(x, x->full.complete ? s->lower_us : plain_lower_us(x));
    lower = fmax(lower, x->round_lower);
    /* One TPU has one segmentation, on any lattice. */
    if ((x->full.complete || x->template.tpus == 1) && !cut_short) {
        lower = fmax(lower, seen);
    }
    x->lower = fmin(x->lower, fmin(lower, x->value));
}

/* What a round has used of the work allowed is gone; 1 left means none. */
static void use_steps(struct atoll__exact *x, uint64_t steps)
{
    uint64_t *left = &x->template.steps_max;
    *left = *left > steps ? *left - steps : *left > 0;
}

/* ------------------------------------------------------------------- latency */

static int search_on(struct atoll__exact *x, bool full, uint32_t replicas_max, double extra_us,
                     const double *others_rate, struct atoll__search *s, struct atoll_err *err)
{
    *s = x->template;
    s->replicas_max = replicas_max;
    s->stage_extra_us = extra_us;
    s->lattice = full ? &x->full : &x->coarse;
    s->spans = full ? &x->spans_full : &x->spans_coarse;
    s->memo = full ? &x->memo_full : &x->memo_coarse;
    s->goal = goal_of(x);
    s->others_rate = others_rate;
    const int rc = atoll__search_run(s, err);
    use_steps(x, s->steps);
    return rc;
}

static int latency_round(struct atoll__exact *x, bool full, struct atoll_err *err)
{
    struct atoll__search s;
    int rc = search_on(x, full, 1, 0, NULL, &s, err);
    uint32_t best = ATOLL__LABEL_NONE;
    for (uint32_t k = 1; rc == 0 && k <= s.tpus; k++) { /* few TPUs first: a tie leaves TPUs free */
        for (uint32_t i = atoll__search_final(&s, k); i != ATOLL__LABEL_NONE;
             i = s.labels[i].next) {
            if (s.labels[i].crit[ATOLL__CRIT_LATENCY] < x->value) {
                x->value = s.labels[i].crit[ATOLL__CRIT_LATENCY];
                best = i;
            }
        }
    }
    if (best != ATOLL__LABEL_NONE) {
        x->n_best = 0;
        rc = keep_label(x, &s, best, err);
    }
    if (full) {
        note_bound(x, &s, s.cut_short, x->value);
    }
    atoll__search_finish(&s);
    return rc;
}

/* ---------------------------------------------------------- throughput, energy */

struct atoll__mix_item atoll__exact_item(const struct atoll__exact *x, const double *crit,
                                         uint32_t tpus, uint32_t source)
{
    const double rate_hz = 1e6 / crit[ATOLL__CRIT_INTERVAL];
    const double threads = x->board->host_threads ? x->board->host_threads : 1;
    return (struct atoll__mix_item){
        .tpus = tpus,
        .streams = (uint32_t)crit[ATOLL__CRIT_WIDEST],
        .rate_hz = rate_hz,
        .load_frac = {rate_hz * crit[ATOLL__CRIT_LOCK] * 1e-6,
                      rate_hz * crit[ATOLL__CRIT_THREADS] * 1e-6 / threads,
                      rate_hz * crit[ATOLL__CRIT_LINK] * 1e-6},
        .active_mw = rate_hz * crit[ATOLL__CRIT_ACTIVE],
        .source = source,
    };
}

static struct atoll__mix_goal mix_goal(const struct atoll__exact *x, uint32_t streams)
{
    const uint64_t left = x->template.steps_max;
    return (struct atoll__mix_goal){.tpus = x->draft->tpus,
                                    .streams_max = streams,
                                    .objective = x->objective,
                                    .waiting_mw = waiting_mw(x),
                                    .steps_max =
                                        left > 0 && left < MIX_STEPS ? left + 100000 : MIX_STEPS,
                                    .best = x->value};
}

int atoll__exact_best_mix(struct atoll__exact *x, const struct atoll__mix_item *items, uint32_t n,
                          uint32_t streams, struct atoll__mix *mix, bool *better,
                          struct atoll_err *err)
{
    const struct atoll__mix_goal goal = mix_goal(x, streams);
    const int rc = atoll__mix_best(items, n, &goal, mix, err);
    use_steps(x, mix->steps);
    *better = false;
    if (rc == 0 && mix->n > 0) {
        const bool energy = x->objective == ATOLL_OBJECTIVE_ENERGY;
        const double value = energy ? mix->energy_mj : 1e6 / mix->rate_hz;
        x->coarse_value[streams] = fmin(x->coarse_value[streams], value);
        *better = value < x->value;
        x->value = *better ? value : x->value;
        x->n_best = *better ? 0 : x->n_best;
    }
    return rc;
}

static uint32_t list_finals(const struct atoll__exact *x, const struct atoll__search *s,
                            struct atoll__mix_item *items)
{
    uint32_t n = 0;
    for (uint32_t k = 1; k <= s->tpus; k++) {
        for (uint32_t i = atoll__search_final(s, k); i != ATOLL__LABEL_NONE;
             i = s->labels[i].next) {
            if (items) {
                items[n] = atoll__exact_item(x, s->labels[i].crit, k, i);
            }
            n++;
        }
    }
    return n;
}

/* What a round that looked at all pipelines proves. Where something shared can be overloaded, a
 * slower pipeline, which the search does not keep, may be the better partner of another. */
static double seen_value(struct atoll__exact *x, const struct atoll__mix_item *items, uint32_t n,
                         uint32_t streams, const struct atoll__mix *mix)
{
    if (!mix->binds) {
        return x->value;
    }
    const struct atoll__mix_goal goal = mix_goal(x, streams);
    uint64_t steps = 0;
    const double lower = atoll__mix_lower(items, n, &goal, &steps);
    use_steps(x, steps);
    return lower;
}

/* One number of streams; others_rate: what may run beside a pipeline, NULL: not known. *again: with
 * the new value to beat, few pipelines or none are left that could overload anything. */
static int search_rate(struct atoll__exact *x, bool full, uint32_t streams,
                       const double *others_rate, bool last, bool *again, struct atoll_err *err)
{
    struct atoll__search s;
    struct atoll__mix mix = {.n = 0};
    bool better = false;
    int rc = search_on(x, full, streams, x->copy_us * (streams - 1), others_rate, &s, err);
    const uint32_t n = rc == 0 ? list_finals(x, &s, NULL) : 0;
    struct atoll__mix_item *items = atoll_calloc((size_t)n + 1, sizeof *items);
    if (rc == 0 && !items) {
        rc = atoll_fail_nomem(err, "kinds of pipelines", n * sizeof *items);
    }
    if (rc == 0) {
        list_finals(x, &s, items);
        rc = atoll__exact_best_mix(x, items, n, streams, &mix, &better, err);
    }
    for (uint32_t i = 0; rc == 0 && better && i < mix.n; i++) {
        rc = keep_label(x, &s, items[mix.items[i]].source, err);
    }
    *again = rc == 0 && full && better && mix.binds && !last;
    if (rc == 0 && full && !*again) {
        note_bound(x, &s, s.cut_short || mix.cut_short, seen_value(x, items, n, streams, &mix));
    }
    atoll_free(items);
    atoll__search_finish(&s);
    return rc;
}

/* What others may give beside a pipeline, and the round's bound: from the widths of one stream, or,
 * where those leave much open, from widths of the round's own. */
static int bound_round(struct atoll__exact *x, uint32_t streams, double *others_rate,
                       struct atoll_err *err)
{
    double lower_us;
    atoll__exact_rates(x, &x->widths, streams, others_rate, &lower_us);
    x->round_lower = lower_value(x, lower_us);
    if (streams == 1 || x->round_lower > x->value * (x->is_glued ? 1 : 1 - REFINE_FRAC)) {
        return 0;
    }
    struct atoll__exact_widths own;
    const struct atoll__goal goal = goal_of(x);
    const int rc = atoll__exact_make_widths(x, &goal, streams, &own, err);
    if (rc == 0) {
        atoll__exact_rates(x, &own, streams, others_rate, &lower_us);
        x->round_lower = fmax(x->round_lower, lower_value(x, lower_us));
    }
    return rc;
}

static int rate_round(struct atoll__exact *x, bool full, uint32_t streams, struct atoll_err *err)
{
    double others_rate[ATOLL_TPUS_MAX + 1];
    const bool known = full && x->widths.n > 0;
    int rc = known ? bound_round(x, streams, others_rate, err) : 0;
    if (rc == 0 && known && x->round_lower >= x->value) {
        x->lower = fmin(x->lower, x->value);
        return 0;
    }
    bool again = false;
    rc = rc ? rc : search_rate(x, full, streams, known ? others_rate : NULL, false, &again, err);
    if (rc == 0 && again) {
        rc = search_rate(x, full, streams, known ? others_rate : NULL, true, &again, err);
    }
    return rc;
}

/* No work is left to spend on the rounds not done: what their floors say. */
static int note_rest(struct atoll__exact *x, const bool *done, struct atoll_err *err)
{
    double others_rate[ATOLL_TPUS_MAX + 1], lower_us = 0;
    int rc = 0;
    if (x->widths.n == 0) {
        rc = relaxed_lower_us(x, &lower_us, err);
        x->lower = fmin(x->lower, lower_value(x, lower_us));
        return rc;
    }
    for (uint32_t n = 1; n <= x->draft->tpus; n++) {
        if (!done[n]) {
            atoll__exact_rates(x, &x->widths, n, others_rate, &lower_us);
            x->lower = fmin(x->lower, lower_value(x, lower_us));
        }
    }
    return rc;
}

/* The number of streams not yet done that looked best at block boundaries; 0: all are done. */
static uint32_t next_streams(const struct atoll__exact *x, const bool *done)
{
    uint32_t best = 0;
    for (uint32_t n = 1; n <= x->draft->tpus; n++) {
        if (!done[n] && (best == 0 || x->coarse_value[n] < x->coarse_value[best])) {
            best = n;
        }
    }
    return best;
}

/* Every number of streams, the likeliest first, since a good plan lets the others be cut short; or
 * one round with all of them allowed where streams cost nothing. */
static int rate_rounds(struct atoll__exact *x, bool full, struct atoll_err *err)
{
    bool done[ATOLL_TPUS_MAX + 1] = {false};
    int rc = 0;
    if (x->copy_us <= 0) {
        return rate_round(x, full, x->draft->tpus, err);
    }
    if (full && (x->full.complete || x->is_glued) && isfinite(x->value)) {
        const struct atoll__goal goal = goal_of(x);
        rc = atoll__exact_make_widths(x, &goal, 1, &x->widths, err);
    }
    uint32_t n = next_streams(x, done);
    while (rc == 0 && n > 0 && !(x->template.steps_max == 1 && x->n_best > 0)) {
        rc = rate_round(x, full, n, err);
        done[n] = true;
        n = next_streams(x, done);
    }
    return rc == 0 && n > 0 && full ? note_rest(x, done, err) : rc;
}

/* ------------------------------------------------------------------- strategy */

static int solve(struct atoll__exact *x, struct atoll_err *err)
{
    int rc = 0;
    if (x->objective == ATOLL_OBJECTIVE_LATENCY) {
        rc = atoll__exact_vendor_round(x, 1, err);
        rc = rc == 0 ? latency_round(x, false, err) : rc;
        if (rc == 0 && x->is_glued) {
            rc = relaxed_lower_us(x, &x->round_lower, err);
        }
        return rc == 0 ? latency_round(x, true, err) : rc;
    }
    for (uint32_t streams = 1; rc == 0 && streams <= x->draft->tpus; streams++) {
        rc = atoll__exact_vendor_round(x, streams, err);
    }
    rc = rc == 0 ? rate_rounds(x, false, err) : rc;
    rc = rc == 0 ? rate_rounds(x, true, err) : rc;
    if (rc == 0 && isfinite(x->value) && x->lower < x->value) {
        double lower;
        rc = atoll__exact_load_lower(x, waiting_mw(x), &lower, err);
        x->lower = fmax(x->lower, fmin(lower, x->value));
    }
    return rc;
}

/* A limit that is kept by the search itself has left nothing, or there was no time. */
static int no_plan(const struct atoll__exact *x, struct atoll_err *err)
{
    if (x->keep.latency_max_us > 0 || x->keep.resident) {
        return atoll__choice_blocked(x->draft->planner, x->draft->tpus, !isinf(x->lower), err);
    }
    return atoll_fail(err, ATOLL_ENO, "no segmentation was found within the time limit");
}

/* "exact:energy" is best in energy, whatever else the request compares. */
static int choose_objective(struct atoll_plan *p, const char *argument, struct atoll_err *err)
{
    for (int o = 0; o < 3 && *argument; o++) {
        if (strcmp(argument, atoll_objective_name((enum atoll_objective)o)) == 0) {
            p->objective = (enum atoll_objective)o;
            return 0;
        }
    }
    return *argument ? atoll_fail(err, ATOLL_EUSAGE,
                                  "strategy \"exact:%s\": expected exact:latency, "
                                  "exact:throughput or exact:energy",
                                  argument)
                     : 0;
}

int atoll__fill_exact(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err)
{
    const struct atoll_plan_request *r = d->planner->request;
    int rc = choose_objective(d->plan, argument, err);
    if (rc) {
        return rc;
    }
    if (atoll__choice_wanted(r)) {
        return atoll__fill_choice(d, err);
    }
    struct atoll__exact x = {.draft = d,
                             .board = r->board,
                             .objective = d->plan->objective,
                             .value = INFINITY,
                             .lower = INFINITY};
    for (uint32_t i = 0; i <= ATOLL_TPUS_MAX; i++) {
        x.coarse_value[i] = INFINITY;
    }
    x.keep = d->planner->keep[0];
    if (x.keep.latency_max_us <= 0) {
        x.floor_kind =
            x.objective == ATOLL_OBJECTIVE_LATENCY ? ATOLL__FLOOR_LATENCY : ATOLL__FLOOR_SERVICE;
    }
    x.copy_us = atoll_board_drive(r->board, &r->use, ATOLL_DRIVE_THREADED)->copy_interval_us.value;
    rc = atoll__exact_prepare(&x, err);
    rc = rc == 0 ? solve(&x, err) : rc;
    for (uint32_t i = 0; rc == 0 && i < x.n_best; i++) {
        rc = atoll__draft_stages(d, 0, x.best[i].stages, x.best[i].n_stages, err);
    }
    if (rc == 0 && x.n_best == 0) {
        rc = no_plan(&x, err);
    }
    if (rc == 0) {
        d->plan->lower_bound = fmin(x.lower, x.value);
        d->plan->gap_frac = (x.value - d->plan->lower_bound) / x.value;
    }
    atoll__exact_finish(&x);
    return rc;
}
