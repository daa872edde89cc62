/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounds over the number of streams side by side, each a list of items and a placement. As in the
 * search for one model, a stream more makes every stage a little slower, so a round of N streams
 * counts N - 1 of them everywhere and takes at most N.
 */
#include "choice.h"

#include <math.h>
#include <string.h>

/* Work of one solve when the request sets no time limit; a count, so that the same request gives
 * the same plan on every machine. */
#define DEFAULT_STEPS 150000000u
/* Of the bound where that was not enough. */
#define FLOOR_STEPS 10000000u

void atoll__choice_init(struct atoll__choice *c, struct atoll__planner *pl, uint32_t tpus)
{
    const struct atoll_plan_request *r = pl->request;
    *c = (struct atoll__choice){.planner = pl, .tpus = tpus, .board = r->board};
    c->limits.full = c->limits.watt = INFINITY;
    for (unsigned o = 0; o < 3; o++) {
        c->limits.value[o] = INFINITY;
    }
    for (uint32_t i = 0; i < ATOLL__CHOICE_MODELS; i++) {
        c->limits.latency_us[i] = INFINITY;
        c->weight[i] = 1;
    }
    c->steps_max = pl->deadline_ns ? 0 : DEFAULT_STEPS;
    c->copy_us = atoll_board_drive(r->board, &r->use, ATOLL_DRIVE_THREADED)->copy_interval_us.value;
    const double powered = fmax(r->board->n_tpus, tpus);
    c->waiting_mw = atoll_board_idle_tpu_mw(r->board).value * powered + r->board->board_mw.value;
}

void atoll__choice_finish(struct atoll__choice *c)
{
    atoll__choice_clear(c);
    for (uint32_t i = 0; i < c->n; i++) {
        atoll__exact_finish(&c->exact[i]);
    }
    atoll_free(c->items);
    atoll_free(c->labels);
    atoll_free(c->teams);
    atoll_arena_finish(&c->arena);
    c->items = NULL;
    c->labels = NULL;
    c->teams = NULL;
    c->n_teams = c->cap_teams = 0;
    c->cap_items = c->cap_labels = 0;
}

/* --------------------------------------------------------------------- judging */

double atoll__choice_full(const double *load)
{
    return fmax(fmax(load[ATOLL__LOAD_STAGE], load[ATOLL__LOAD_LOCK]),
                fmax(load[ATOLL__LOAD_THREADS], load[ATOLL__LOAD_LINK]));
}

static double all_hz(const struct atoll__choice *c)
{
    double hz = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        hz += c->rate_hz[i];
    }
    return hz;
}

double atoll__choice_value(const struct atoll__choice *c, enum atoll_objective o,
                           const double *load)
{
    switch (o) {
    case ATOLL_OBJECTIVE_LATENCY:
        return load[c->by_worst ? ATOLL__LOAD_WORST : ATOLL__LOAD_MEAN];
    case ATOLL_OBJECTIVE_THROUGHPUT:
        return atoll__choice_full(load);
    case ATOLL_OBJECTIVE_ENERGY:
        break;
    }
    /* mW over Hz is mJ; not rated, an inference takes as long as what is fullest lets it */
    const double waiting_mw = c->rated ? c->waiting_mw : c->waiting_mw * atoll__choice_full(load);
    return (load[ATOLL__LOAD_ACTIVE] + waiting_mw) / all_hz(c);
}

double atoll__choice_watt(const struct atoll__choice *c, const double *load)
{
    const double full = c->rated ? 1 : atoll__choice_full(load);
    return (c->waiting_mw + load[ATOLL__LOAD_ACTIVE] / full) * 1e-3;
}

bool atoll__choice_within(const struct atoll__choice *c, const double *load)
{
    if (atoll__choice_full(load) > c->limits.full) {
        return false;
    }
    for (unsigned o = 0; o < 3; o++) {
        if (isfinite(c->limits.value[o]) &&
            atoll__choice_value(c, (enum atoll_objective)o, load) > c->limits.value[o]) {
            return false;
        }
    }
    /* Not rated, only one model is limited so, and its items are whole plans. */
    return isinf(c->limits.watt) || atoll__choice_watt(c, load) <= c->limits.watt;
}

/* Which loads can tell two partial plans apart. What is only limited need not be judged when every
 * item that keeps the limit keeps it for good: that is so for the fullest stage. */
static unsigned judged_loads(const struct atoll__choice *c)
{
    const struct atoll__choice_limits *l = &c->limits;
    const bool energy = c->objective == ATOLL_OBJECTIVE_ENERGY || isfinite(l->watt) ||
                        isfinite(l->value[ATOLL_OBJECTIVE_ENERGY]);
    const bool latency =
        c->objective == ATOLL_OBJECTIVE_LATENCY || isfinite(l->value[ATOLL_OBJECTIVE_LATENCY]);
    const bool stage =
        c->objective == ATOLL_OBJECTIVE_THROUGHPUT || (energy && !c->rated) || c->front;
    const bool shared =
        stage || isfinite(l->full) || isfinite(l->value[ATOLL_OBJECTIVE_THROUGHPUT]);
    unsigned judged = stage ? 1u << ATOLL__LOAD_STAGE : 0;
    judged |= shared ? 1u << ATOLL__LOAD_LOCK | 1u << ATOLL__LOAD_THREADS : 0;
    judged |= shared && c->board->shared_link_mib_per_s.value > 0 ? 1u << ATOLL__LOAD_LINK : 0;
    judged |= energy || c->front ? 1u << ATOLL__LOAD_ACTIVE : 0;
    judged |= latency || c->front ? 1u << (c->by_worst ? ATOLL__LOAD_WORST : ATOLL__LOAD_MEAN) : 0;
    return judged;
}

/* -------------------------------------------------------------------- solving */

static int prepare(struct atoll__choice *c, struct atoll_err *err)
{
    int rc = 0;
    c->draft = (struct atoll__plan_draft){.planner = c->planner, .tpus = c->tpus};
    for (uint32_t i = 0; i < c->n && rc == 0; i++) {
        struct atoll__exact *x = &c->exact[i];
        if (x->full.n > 0) {
            continue;
        }
        *x = (struct atoll__exact){.draft = &c->draft,
                                   .model = c->models[i],
                                   .board = c->board,
                                   .objective = ATOLL_OBJECTIVE_THROUGHPUT,
                                   .copy_us = c->copy_us,
                                   .value = INFINITY,
                                   .lower = INFINITY};
        x->keep.together = c->planner->keep[c->models[i]].together;
        rc = atoll__exact_prepare(x, err);
    }
    return rc || c->n_teams > 0 ? rc : atoll__choice_list_teams(c, err);
}

static int round_of(struct atoll__choice *c, uint32_t streams, bool relaxed, double *least,
                    struct atoll_err *err)
{
    c->streams_max = streams;
    c->extra_us = relaxed ? 0 : c->copy_us * (streams - 1);
    const int rc = atoll__choice_list(c, err);
    return rc ? rc : atoll__choice_place(c, !relaxed, least, err);
}

static bool all_complete(const struct atoll__choice *c)
{
    bool complete = !c->cut_short;
    for (uint32_t i = 0; i < c->n; i++) {
        /* One TPU has one segmentation, on any lattice. */
        complete = complete && (c->exact[i].full.complete || c->tpus == 1);
    }
    return complete;
}

static double best_value(const struct atoll__choice *c)
{
    return c->found ? c->value : INFINITY;
}

/* A bound for searches that did not look at everything. Quickly made, so it takes no notice of the
 * time limit that may be over already; where its work is not enough either, nothing is known. */
static int floor_bound(struct atoll__choice *c, struct atoll_err *err)
{
    double least = INFINITY;
    const uint64_t deadline_ns = c->planner->deadline_ns, steps_max = c->steps_max;
    const bool cut_short = c->cut_short;
    c->planner->deadline_ns = 0;
    c->steps_max = FLOOR_STEPS;
    c->cut_short = false;
    c->steps = 0;
    c->extra_us = 0;
    c->streams_max = c->tpus;
    int rc = atoll__choice_list_floors(c, err);
    rc = rc ? rc : atoll__choice_place(c, false, &least, err);
    c->lower = c->cut_short ? 0 : fmin(least, best_value(c));
    c->lower = isinf(c->lower) ? 0 : c->lower;
    c->planner->deadline_ns = deadline_ns;
    c->steps_max = steps_max;
    c->cut_short = cut_short;
    return rc;
}

/* Block boundaries first: quickly done, and a plan to beat. */
static int coarse_rounds(struct atoll__choice *c, struct atoll_err *err)
{
    double least;
    int rc = 0;
    c->coarse = true;
    for (uint32_t n = c->tpus; n > 0 && rc == 0; n = c->copy_us > 0 ? n - 1 : 0) {
        rc = round_of(c, n, false, &least, err);
    }
    c->coarse = false;
    c->steps = 0;
    c->cut_short = false;
    return rc;
}

/* Every number of streams, the most first: its plans hold whatever the others do. One round in
 * which streams cost nothing bounds all of them. */
static int all_rounds(struct atoll__choice *c, struct atoll_err *err)
{
    double least;
    int rc = round_of(c, c->tpus, false, &least, err);
    if (c->copy_us <= 0) {
        c->lower = best_value(c);
        return rc;
    }
    bool bounded = false;
    if (rc == 0 && !c->cut_short && !c->front) {
        rc = round_of(c, c->tpus, true, &least, err);
        c->lower = fmin(least, best_value(c));
        bounded = all_complete(c);
    }
    for (uint32_t n = c->tpus; --n > 0 && rc == 0 && !c->cut_short;) {
        if (bounded && c->lower >= best_value(c)) {
            break;
        }
        rc = round_of(c, n, false, &least, err);
    }
    if (!c->cut_short) {
        c->lower = best_value(c);
    }
    return rc;
}

int atoll__choice_solve(struct atoll__choice *c, struct atoll_err *err)
{
    c->found = c->cut_short = false;
    c->steps = 0;
    c->judged = judged_loads(c);
    int rc = prepare(c, err);
    rc = rc ? rc : coarse_rounds(c, err);
    rc = rc ? rc : all_rounds(c, err);
    if (rc == 0 && !c->front && !all_complete(c)) {
        rc = floor_bound(c, err);
    }
    return rc;
}
