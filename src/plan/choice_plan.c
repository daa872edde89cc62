/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to a choice, and from its best plan to a draft. */
#include "choice.h"

#include <math.h>

bool atoll__choice_wanted(const struct atoll_plan_request *r)
{
    return r->n_models > 1 || r->rates_hz || r->max_w > 0 || r->min_rate_hz > 0 || r->n_then > 0;
}

/* --------------------------------------------------------------------- request */

/* What a model alone could do with all TPUs: the proportions of models without rates. */
static int alone_hz(struct atoll__planner *pl, uint32_t tpus, uint32_t model, double *hz,
                    struct atoll_err *err)
{
    struct atoll__choice *c = atoll_calloc(1, sizeof *c);
    if (!c) {
        return atoll_fail_nomem(err, "a model alone", sizeof *c);
    }
    atoll__choice_init(c, pl, tpus);
    c->n = 1;
    c->models[0] = model;
    c->rate_hz[0] = 1;
    c->limits.resident = pl->request->resident;
    c->objective = ATOLL_OBJECTIVE_THROUGHPUT;
    const int rc = atoll__choice_solve(c, err);
    *hz = rc == 0 && c->found ? 1 / c->value : 1;
    atoll__choice_finish(c);
    atoll_free(c);
    return rc;
}

static int set_rates(struct atoll__choice *c, struct atoll_err *err)
{
    const struct atoll_plan_request *r = c->planner->request;
    int rc = 0;
    c->rated = r->rates_hz != NULL;
    for (uint32_t i = 0; i < c->n && rc == 0; i++) {
        if (c->rated) {
            c->rate_hz[i] = r->rates_hz[i];
        } else if (c->n == 1) {
            c->rate_hz[i] = 1;
        } else {
            rc = alone_hz(c->planner, c->tpus, c->models[i], &c->rate_hz[i], err);
        }
    }
    return rc;
}

int atoll__choice_of_request(struct atoll__choice *c, struct atoll__planner *pl, uint32_t tpus,
                             struct atoll_err *err)
{
    const struct atoll_plan_request *r = pl->request;
    atoll__choice_init(c, pl, tpus);
    if (r->n_models > ATOLL__CHOICE_MODELS) {
        return atoll_fail(err, ATOLL_ENO, "the exact search places at most %u models, %u given",
                          ATOLL__CHOICE_MODELS, r->n_models);
    }
    c->n = r->n_models;
    c->objective = r->objective;
    c->by_worst = r->by_worst || c->n == 1;
    c->limits.resident = r->resident;
    double all_hz = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        c->models[i] = i;
        if (r->deadlines_us && r->deadlines_us[i] > 0) {
            c->limits.latency_us[i] = r->deadlines_us[i];
        }
    }
    const int rc = set_rates(c, err);
    for (uint32_t i = 0; i < c->n; i++) {
        all_hz += c->rate_hz[i];
    }
    const double most = c->rated ? r->utilisation_max_frac : INFINITY;
    const double rate =
        r->min_rate_hz > 0 ? (c->rated ? most : 1) * all_hz / r->min_rate_hz : INFINITY;
    c->limits.full = fmin(most, rate);
    c->limits.watt = r->max_w > 0 ? r->max_w : INFINITY;
    return rc;
}

/* --------------------------------------------------------------------- drafts */

/* The models' rates as the plan has to serve them; without rates, what every model gets at most in
 * proportion to what it could do alone. */
static void set_plan_rates(const struct atoll__choice *c, struct atoll_plan *p)
{
    if (c->n == 1 && !c->rated) {
        return;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        p->models[c->models[i]].rate_hz = c->rate_hz[i];
    }
    p->utilisation_max_frac = c->rated ? c->planner->request->utilisation_max_frac : 1;
    if (!c->rated) {
        struct atoll__plan_limits limits;
        atoll__plan_figures(p, c->board, &limits);
        for (uint32_t i = 0; i < c->n; i++) {
            p->models[c->models[i]].rate_hz *= p->headroom;
        }
    }
}

int atoll__choice_draft(const struct atoll__choice *c, const struct atoll__choice_pipe *pipes,
                        uint32_t n, struct atoll__plan_draft *d, struct atoll_err *err)
{
    int rc = 0;
    uint32_t group_tpu = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        const struct atoll__choice_pipe *p = &pipes[i];
        const bool joins = i > 0 && p->sharing != ATOLL_SHARING_NONE &&
                           pipes[i - 1].sharing == p->sharing && pipes[i - 1].group == p->group;
        if (joins) { /* on the TPUs that its group already has */
            d->next_tpu = group_tpu;
            d->plan->tpus_used -= p->stages[0].replicas;
        }
        group_tpu = d->next_tpu;
        rc = atoll__draft_stages(d, c->models[p->model], p->stages, p->n_stages, err);
        if (rc == 0) {
            struct atoll_pipeline *made = &d->plan->pipelines[d->plan->n_pipelines - 1];
            made->sharing = p->sharing;
            made->group = p->group;
            made->reload_frac = p->reload_frac;
            made->stages[0].cost = p->cost ? *p->cost : made->stages[0].cost;
        }
    }
    if (rc == 0) {
        set_plan_rates(c, d->plan);
    }
    return rc;
}

/* One objective after the other: each is then kept within the tolerance. The bound is that of the
 * first. */
static int solve_all(struct atoll__choice *c, enum atoll_objective first, double *value,
                     double *lower, struct atoll_err *err)
{
    const struct atoll_plan_request *r = c->planner->request;
    c->objective = first;
    int rc = atoll__choice_solve(c, err);
    *value = c->value;
    *lower = c->lower;
    for (uint32_t i = 0; i < r->n_then && rc == 0 && c->found; i++) {
        if (r->then[i] == first) {
            continue;
        }
        /* A hair more, for sums added in another order. */
        c->limits.value[c->objective] = c->value * (1 + r->tolerance_frac) * (1 + 1e-12);
        c->objective = r->then[i];
        rc = atoll__choice_solve(c, err);
    }
    return rc;
}

static void set_bound(const struct atoll__choice *c, double value, double lower,
                      struct atoll_plan *p)
{
    double all_hz = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        all_hz += c->rate_hz[i];
    }
    const bool rate = p->objective == ATOLL_OBJECTIVE_THROUGHPUT;
    p->lower_bound = rate ? lower * 1e6 / all_hz : lower;
    p->gap_frac = value > lower ? (value - lower) / value : 0;
}

int atoll__fill_choice(struct atoll__plan_draft *d, struct atoll_err *err)
{
    struct atoll__choice *c = atoll_calloc(1, sizeof *c);
    if (!c) {
        return atoll_fail_nomem(err, "a choice of plans", sizeof *c);
    }
    double value = 0, lower = 0;
    int rc = atoll__choice_of_request(c, d->planner, d->tpus, err);
    rc = rc ? rc : solve_all(c, d->plan->objective, &value, &lower, err);
    if (rc == 0 && c->n_pipes == 0) {
        rc = atoll__choice_blocked(d->planner, d->tpus, c->cut_short, err);
    } else if (rc == 0) {
        rc = atoll__choice_draft(c, c->pipes, c->n_pipes, d, err);
        set_bound(c, value, lower, d->plan);
    }
    atoll__choice_finish(c);
    atoll_free(c);
    return rc;
}
