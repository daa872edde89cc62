/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategy `exact`: a bound for many TPUs, where the host's lock and threads, which every stage of
 * every pipeline needs, set the pace. A pipeline of S stages asks them S times per inference. How
 * few TPUs such a pipeline needs for an interval of t is a shortest path over the cuts, for each S:
 *     T(S, set) = min over next cuts of ceil(floor of the stage / t) + T(S - 1, next cut).
 * On a grid of t that gives the least interval for each S and number of TPUs, and then the mix of
 * such pipelines is bounded as mix_lower.c bounds the found ones.
 */
#include <math.h>
#include <string.h>

#include "exact.h"

#define STAGES 8              /* more are counted as so many and one */
#define NO_TPUS 1000          /* no such pipeline */
#define GRID_MAX 160          /* intervals that are tried */
#define GRID_STEPS 30000000.0 /* stages looked at, all intervals together */

/* Fewest TPUs of pipelines of 1..STAGES stages whose intervals are at most t. */
static void fewest_tpus(const struct atoll__spans *p, uint32_t n_sets, double interval_us,
                        uint16_t (*needs)[STAGES + 1])
{
    const double per_us = (1 - 1e-9) / interval_us;
    for (uint32_t s = 0; s <= STAGES; s++) {
        needs[n_sets - 1][s] = s == 0 ? 0 : NO_TPUS;
    }
    for (uint32_t set = n_sets - 1; set-- > 0;) {
        uint16_t *own = needs[set];
        for (uint32_t s = 0; s <= STAGES; s++) {
            own[s] = NO_TPUS;
        }
        for (uint32_t i = p->start[set]; i < p->start[set + 1]; i++) {
            const uint16_t *rest = needs[p->to[i]];
            const double tpus = p->floor_us[i] * per_us;
            const uint16_t r = tpus < NO_TPUS ? (uint16_t)((uint16_t)tpus + 1) : NO_TPUS;
            for (uint32_t s = 1; s <= STAGES; s++) {
                const uint16_t sum = (uint16_t)(r + rest[s - 1]);
                own[s] = sum < own[s] ? sum : own[s];
            }
        }
    }
}

struct grid {
    double least_us[STAGES + 1][ATOLL_TPUS_MAX + 1]; ///< interval by stages and TPUs
};

/* Raises the least intervals with what an interval of t needs. */
static void note_needs(struct grid *g, uint32_t tpus, double interval_us, const uint16_t *needs)
{
    for (uint32_t s = 1; s <= STAGES; s++) {
        for (uint32_t k = 1; k <= tpus && k < needs[s]; k++) {
            g->least_us[s][k] = fmax(g->least_us[s][k], interval_us);
        }
    }
}

static int fill_grid(const struct atoll__exact *x, struct grid *g, struct atoll_err *err)
{
    const struct atoll__lattice *l = x->is_glued ? &x->relaxed : &x->full;
    const struct atoll__spans *p = x->is_glued ? &x->spans_relaxed : &x->spans_full;
    const uint32_t tpus = x->draft->tpus;
    const struct atoll_floor *stage = &x->template.stage_floor;
    uint16_t(*needs)[STAGES + 1] = atoll_calloc(l->n, sizeof *needs);
    if (!needs) {
        return atoll_fail_nomem(err, "bounds of the search", l->n * sizeof *needs);
    }
    for (uint32_t k = 1; k <= tpus; k++) {
        const double us = atoll__floor_us(&l->sum[0], &l->sum[l->n - 1], stage, k) / k;
        for (uint32_t s = 0; s <= STAGES; s++) {
            g->least_us[s][k] = us;
        }
    }
    const double low_us = g->least_us[0][tpus];
    const double high_us = atoll__floor_us(&l->sum[0], &l->sum[l->n - 1], stage, 1);
    const double points = fmin(GRID_MAX, GRID_STEPS / p->start[l->n] + 2);
    for (double i = 0; i < points && low_us > 0; i++) {
        const double us = low_us * pow(high_us / low_us, i / points);
        fewest_tpus(p, l->n, us, needs);
        note_needs(g, tpus, us, needs[0]);
    }
    atoll_free(needs);
    return 0;
}

int atoll__exact_load_lower(struct atoll__exact *x, double waiting_mw, double *lower,
                            struct atoll_err *err)
{
    const struct atoll_floor *stage = &x->template.stage_floor;
    const double lock_us = stage->lock_us, thread_us = stage->thread_us;
    const uint32_t tpus = x->draft->tpus;
    *lower = 0;
    if ((!x->full.complete && !x->is_glued) || (lock_us <= 0 && thread_us <= 0)) {
        return 0;
    }
    struct grid *g = atoll_calloc(1, sizeof *g);
    struct atoll__mix_item *items =
        atoll_calloc((size_t)ATOLL_TPUS_MAX * (STAGES + 1), sizeof *items);
    int rc = g && items ? fill_grid(x, g, err)
                        : atoll_fail_nomem(err, "bounds of the search", sizeof *g);
    uint32_t n = 0;
    for (uint32_t k = 1; k <= tpus && rc == 0; k++) {
        for (uint32_t s = 1; s <= STAGES + 1 && s <= k; s++) {
            const double crit[ATOLL__CRITERIA] = {
                [ATOLL__CRIT_INTERVAL] = fmax(g->least_us[s > STAGES ? 0 : s][k], 1e-9),
                [ATOLL__CRIT_LOCK] = s * lock_us,
                [ATOLL__CRIT_THREADS] = s * thread_us,
                [ATOLL__CRIT_WIDEST] = 1,
                [ATOLL__CRIT_ACTIVE] = x->full.sum[x->full.n - 1].active_mj};
            items[n++] = atoll__exact_item(x, crit, k, 0);
        }
    }
    const struct atoll__mix_goal goal = {.tpus = tpus,
                                         .streams_max = tpus,
                                         .objective = x->objective,
                                         .waiting_mw = waiting_mw,
                                         .best = x->value};
    uint64_t steps = 0;
    if (rc == 0) {
        *lower = atoll__mix_lower(items, n, &goal, &steps);
    }
    atoll_free(items);
    atoll_free(g);
    return rc;
}
