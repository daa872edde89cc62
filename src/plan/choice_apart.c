/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a joint plan is compared with: every model alone on its share of the TPUs, and there the
 * best plan for it alone. Shares are equal, or in proportion to what each model would keep busy.
 */
#include "choice.h"

#include <math.h>
#include <string.h>

/* TPU time per second that a whole model takes on one TPU. */
static int busy_frac(struct atoll__planner *pl, uint32_t model, double *frac, struct atoll_err *err)
{
    const struct atoll_plan_request *r = pl->request;
    const struct atoll__plan_segment s = {
        .model = model, .order = ATOLL__ORDER_FILE, .end = pl->views[model].model->n_ops};
    struct atoll_stage_cost c;
    const int rc = atoll__planner_cost(pl, &s, &c, err);
    *frac = rc ? 0 : c.service_us * (r->rates_hz ? r->rates_hz[model] : 1);
    return rc;
}

/* One TPU each, the others one by one to who has the largest load on a TPU. */
static int share_by_load(struct atoll__plan_draft *d, uint32_t *tpus, struct atoll_err *err)
{
    const uint32_t n = d->planner->request->n_models;
    double load[ATOLL_TPUS_MAX];
    int rc = 0;
    for (uint32_t m = 0; m < n && rc == 0; m++) {
        tpus[m] = 1;
        rc = busy_frac(d->planner, m, &load[m], err);
    }
    for (uint32_t k = n; k < d->tpus && rc == 0; k++) {
        uint32_t most = 0;
        for (uint32_t m = 1; m < n; m++) {
            most = load[m] / tpus[m] > load[most] / tpus[most] ? m : most;
        }
        tpus[most]++;
    }
    return rc;
}

/* One model on its share. Where it cannot serve its rate there, the plan that comes nearest. */
static int fill_one(struct atoll__plan_draft *d, uint32_t model, uint32_t tpus,
                    struct atoll_err *err)
{
    struct atoll__choice *c = atoll_calloc(1, sizeof *c);
    if (!c) {
        return atoll_fail_nomem(err, "a model alone", sizeof *c);
    }
    const struct atoll_plan_request *r = d->planner->request;
    atoll__choice_init(c, d->planner, tpus);
    c->n = 1;
    c->models[0] = model;
    c->rate_hz[0] = r->rates_hz ? r->rates_hz[model] : 1;
    c->rated = r->rates_hz != NULL;
    c->objective = d->plan->objective;
    c->limits.full = c->rated ? r->utilisation_max_frac : INFINITY;
    int rc = atoll__choice_solve(c, err);
    if (rc == 0 && !c->found) {
        c->limits.full = INFINITY;
        c->objective = ATOLL_OBJECTIVE_THROUGHPUT;
        rc = atoll__choice_solve(c, err);
    }
    const uint32_t end = d->next_tpu + tpus;
    rc = rc ? rc : atoll__choice_draft(c, c->pipes, c->n_pipes, d, err);
    d->next_tpu = d->next_tpu < end ? end : d->next_tpu; /* what it leaves idle is still its own */
    atoll__choice_finish(c);
    atoll_free(c);
    return rc;
}

int atoll__fill_apart(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err)
{
    const uint32_t n = d->planner->request->n_models;
    uint32_t tpus[ATOLL_TPUS_MAX];
    int rc = atoll__draft_enough(d, err);
    if (rc == 0 && strcmp(argument, "load") == 0) {
        rc = share_by_load(d, tpus, err);
    } else if (rc == 0 && (*argument == '\0' || strcmp(argument, "equal") == 0)) {
        for (uint32_t m = 0; m < n; m++) {
            tpus[m] = atoll__draft_share(d, m);
        }
    } else if (rc == 0) {
        rc = atoll_fail(err, ATOLL_EUSAGE,
                        "strategy \"apart:%s\": expected apart:equal or apart:load", argument);
    }
    for (uint32_t m = 0; m < n && rc == 0; m++) {
        rc = fill_one(d, m, tpus[m], err);
    }
    return rc;
}
