/* SPDX-License-Identifier: Apache-2.0 */
/* Strategy `exact`: the first round, pipelines of the compiler's cuts. */
#include <math.h>
#include <string.h>

#include "exact.h"

/* Criteria of the compiler's pipeline of n stages. ATOLL_ENO: there is none. */
static int vendor_criteria(struct atoll__exact *x, uint32_t n, uint32_t *starts, double *crit,
                           struct atoll_err *err)
{
    struct atoll__planner *pl = x->draft->planner;
    const uint32_t n_ops = pl->views[x->model].model->n_ops;
    int rc = n > 1 ? atoll__planner_vendor_cuts(pl, x->model, n, starts, err) : 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        const struct atoll__plan_segment seg = {
            .model = x->model,
            .order = n > 1 ? ATOLL__ORDER_VENDOR : ATOLL__ORDER_FILE,
            .begin = i == 0 ? 0 : starts[i - 1],
            .end = i + 1 == n ? n_ops : starts[i],
        };
        struct atoll_stage_cost c;
        rc = atoll__planner_cost(pl, &seg, &c, err);
        if (rc == 0 && x->keep.resident && c.off_chip_bytes > 0) {
            rc = atoll_fail(err, ATOLL_ENO, "the compiler's cuts into %u stages stream", n);
        }
        if (rc == 0) {
            const struct atoll__plan_loads loads =
                atoll__plan_loads_of(&c, x->board, &pl->request->use);
            crit[ATOLL__CRIT_INTERVAL] = fmax(crit[ATOLL__CRIT_INTERVAL], c.service_us);
            crit[ATOLL__CRIT_LOCK] += loads.lock_us;
            crit[ATOLL__CRIT_THREADS] += loads.thread_us;
            crit[ATOLL__CRIT_LINK] += loads.link_us;
            crit[ATOLL__CRIT_ACTIVE] += c.active_mj;
            crit[ATOLL__CRIT_LATENCY] += c.latency_us;
            crit[ATOLL__CRIT_WIDEST] = 1;
        }
    }
    return rc;
}

/* Whether the compiler's pipeline of n stages parts no operators that must stay together. */
static bool keeps_together(struct atoll__exact *x, uint32_t n, const uint32_t *starts,
                           struct atoll_err *err)
{
    if (!x->keep.together || n == 1) {
        return true;
    }
    const uint32_t *order =
        atoll__planner_order(x->draft->planner, x->model, ATOLL__ORDER_VENDOR, err);
    uint32_t *stage_of = atoll_calloc((size_t)x->dag.n + 1, sizeof *stage_of);
    bool keeps = false;
    if (order && stage_of) {
        for (uint32_t i = 0, stage = 0; i < x->dag.n; i++) {
            stage += stage + 1 < n && i == starts[stage];
            stage_of[order[i]] = stage;
        }
        keeps = atoll__dag_keeps_atoms(&x->dag, stage_of);
    }
    atoll_free(stage_of);
    return keeps;
}

static bool allowed(struct atoll__exact *x, uint32_t n, const uint32_t *starts, const double *crit,
                    struct atoll_err *err)
{
    const double most_us = x->keep.latency_max_us;
    return (most_us <= 0 || crit[ATOLL__CRIT_LATENCY] <= most_us) &&
           keeps_together(x, n, starts, err);
}

static int keep_vendor(struct atoll__exact *x, uint32_t n, struct atoll_err *err)
{
    struct atoll__planner *pl = x->draft->planner;
    const uint32_t n_ops = pl->views[x->model].model->n_ops;
    uint32_t starts[ATOLL_TPUS_MAX];
    int rc = n > 1 ? atoll__planner_vendor_cuts(pl, x->model, n, starts, err) : 0;
    const uint32_t *order =
        atoll__planner_order(pl, x->model, n > 1 ? ATOLL__ORDER_VENDOR : ATOLL__ORDER_FILE, err);
    struct atoll__exact_candidate *c =
        rc == 0 && order ? atoll__exact_keep_candidate(x, n, err) : NULL;
    rc = rc == 0 && !c ? ATOLL_ENOMEM : rc;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        const uint32_t begin = i == 0 ? 0 : starts[i - 1], end = i + 1 == n ? n_ops : starts[i];
        rc = atoll__exact_keep_stage(x, &c->stages[i], order + begin, end - begin, 1, err);
    }
    return rc;
}

/* Costs the compiler's pipelines of every length, once. */
static int list_vendor(struct atoll__exact *x, struct atoll_err *err)
{
    int rc = 0;
    for (uint32_t n = 1; rc == 0 && n <= x->draft->tpus; n++) {
        uint32_t starts[ATOLL_TPUS_MAX];
        double *crit = x->vendor[n];
        memset(crit, 0, sizeof x->vendor[n]);
        rc = vendor_criteria(x, n, starts, crit, err);
        const bool is = rc == 0 && allowed(x, n, starts, crit, err);
        crit[ATOLL__CRIT_WIDEST] = is ? 1 : 0; /* 0: none */
        rc = rc == ATOLL_ENO ? 0 : rc;
    }
    x->vendor_listed = rc == 0;
    return rc;
}

/* Pipelines of the compiler's cuts, of every length, in the best mix: every partition among them.
 * So the result is never worse than those rivals, and the later rounds have something to beat. */
int atoll__exact_vendor_round(struct atoll__exact *x, uint32_t streams, struct atoll_err *err)
{
    struct atoll__mix_item items[ATOLL_TPUS_MAX];
    uint32_t n_items = 0;
    int rc = x->vendor_listed ? 0 : list_vendor(x, err);
    for (uint32_t n = 1; rc == 0 && n <= x->draft->tpus; n++) {
        double crit[ATOLL__CRITERIA];
        memcpy(crit, x->vendor[n], sizeof crit);
        crit[ATOLL__CRIT_INTERVAL] += x->copy_us * (streams - 1);
        if (crit[ATOLL__CRIT_WIDEST] < 1) {
            continue;
        }
        if (x->objective != ATOLL_OBJECTIVE_LATENCY) {
            items[n_items++] = atoll__exact_item(x, crit, n, n);
        } else if (crit[ATOLL__CRIT_LATENCY] < x->value) {
            x->value = crit[ATOLL__CRIT_LATENCY];
            x->n_best = 0;
            rc = keep_vendor(x, n, err);
        }
    }
    struct atoll__mix mix = {.n = 0};
    bool better = false;
    if (rc == 0 && n_items > 0) {
        rc = atoll__exact_best_mix(x, items, n_items, streams, &mix, &better, err);
    }
    for (uint32_t i = 0; rc == 0 && better && i < mix.n; i++) {
        rc = keep_vendor(x, items[mix.items[i]].source, err);
    }
    return rc;
}
