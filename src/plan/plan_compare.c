/* SPDX-License-Identifier: Apache-2.0 */
/* All strategies and partitions side by side, over one planner. */
#include "plan_internal.h"

#include <math.h>
#include <stdio.h>

double atoll__plan_value(const struct atoll_plan *p, enum atoll_objective o)
{
    const double rated_us = p->by_worst ? p->latency_worst_us : p->latency_mean_us;
    const double latency_us = isnan(p->headroom) ? p->latency_us : rated_us;
    const double values[] = {latency_us, p->throughput_hz, p->energy_mj};
    const bool served = !(p->headroom < 1 - 1e-9); /* also true where no rates are asked for */
    return p->skipped || !served ? NAN : values[o];
}

bool atoll__plan_better(const struct atoll_plan *a, const struct atoll_plan *b,
                        enum atoll_objective o)
{
    const double va = atoll__plan_value(a, o), vb = atoll__plan_value(b, o);
    if (isnan(va) || isnan(vb)) {
        return !isnan(va);
    }
    if (va < vb || va > vb) {
        return o == ATOLL_OBJECTIVE_THROUGHPUT ? va > vb : va < vb;
    }
    if (a->throughput_hz < b->throughput_hz || a->throughput_hz > b->throughput_hz) {
        return a->throughput_hz > b->throughput_hz;
    }
    return a->tpus_used < b->tpus_used;
}

static int add_plan(struct atoll__planner *pl, struct atoll_comparison *c, const char *strategy,
                    struct atoll_err *err)
{
    struct atoll_plan *p = NULL;
    const int code = atoll__plan_make(pl, strategy, pl->request->tpus, &p, err);
    if (code == 0) {
        c->plans[c->n_plans++] = p;
    }
    return code;
}

static int add_partitions(struct atoll__planner *pl, struct atoll_comparison *c,
                          char *const *partitions, struct atoll_err *err)
{
    int code = 0;
    for (; *partitions && code == 0; partitions++) {
        char name[256];
        snprintf(name, sizeof name, "partition:%s", *partitions);
        code = add_plan(pl, c, name, err);
    }
    return code;
}

/* The best in what the request does not ask for, and what others published. */
static int add_rivals(struct atoll__planner *pl, struct atoll_comparison *c, struct atoll_err *err)
{
    int code = 0;
    for (int o = 0; o < 3 && code == 0; o++) {
        if (o != (int)pl->request->objective) {
            char name[32];
            snprintf(name, sizeof name, "exact:%s", atoll_objective_name((enum atoll_objective)o));
            code = add_plan(pl, c, name, err);
        }
    }
    for (const struct atoll__plan_strategy *s = atoll__plan_strategies; s->name && !code; s++) {
        code = s->rival ? add_plan(pl, c, s->name, err) : 0;
    }
    return code;
}

static int fill_comparison(struct atoll__planner *pl, struct atoll_comparison *c,
                           struct atoll_err *err)
{
    const uint32_t tpus = pl->request->tpus;
    uint32_t n_partitions = 0, n = 0;
    const char *const *names = atoll_plan_strategies();
    while (atoll__plan_strategies[n].name) {
        n++;
    }
    char **partitions = atoll_plan_partitions(tpus, &n_partitions);
    if (!partitions) {
        return tpus > 32
                   ? atoll_fail(err, ATOLL_EUSAGE,
                                "%u TPUs have too many partitions to compare (at most 32)", tpus)
                   : atoll_fail_nomem(err, "the partitions", tpus);
    }
    int code = 0;
    n += n_partitions + 5; /* `exact` for each objective, and the shares */
    c->plans = atoll_calloc(n, sizeof *c->plans);
    if (!c->plans) {
        code = atoll_fail_nomem(err, "the compared plans", n * sizeof *c->plans);
    }
    for (; *names && code == 0; names++) {
        code = add_plan(pl, c, *names, err);
    }
    if (code == 0 && pl->request->n_models > 1) {
        code = add_plan(pl, c, "apart:equal", err);
        code = code ? code : add_plan(pl, c, "apart:load", err);
    }
    if (code == 0 && pl->request->want_rivals) {
        code = add_rivals(pl, c, err);
    }
    if (code == 0) {
        code = add_partitions(pl, c, partitions, err);
    }
    atoll_share_dirs_free(partitions);
    return code;
}

static void choose_best(struct atoll_comparison *c)
{
    for (unsigned o = 0; o < 3; o++) {
        c->best[o] = -1;
        for (uint32_t i = 0; i < c->n_plans; i++) {
            if (c->plans[i]->skipped ||
                isnan(atoll__plan_value(c->plans[i], (enum atoll_objective)o))) {
                continue;
            }
            if (c->best[o] < 0 ||
                atoll__plan_better(c->plans[i], c->plans[c->best[o]], (enum atoll_objective)o)) {
                c->best[o] = (int32_t)i;
            }
        }
    }
}

int atoll_plan_compare(const struct atoll_plan_request *r, struct atoll_comparison *c,
                       struct atoll_err *err)
{
    int code = atoll__plan_request_check(r, err);
    struct atoll__planner pl;
    if (!code) {
        code = atoll__planner_init(&pl, r, err);
    }
    if (code) {
        return code;
    }
    struct atoll_comparison made = {0};
    code = fill_comparison(&pl, &made, err);
    choose_best(&made);
    for (int o = 0; o < 3 && r->want_next_tpu && code == 0; o++) {
        struct atoll_plan *p = made.best[o] < 0 ? NULL : made.plans[made.best[o]];
        code = p && !p->next_tpu ? atoll__plan_explain_next(&pl, p, err) : 0;
    }
    atoll__planner_finish(&pl);
    if (code) {
        atoll_comparison_finish(&made);
        return code;
    }
    *c = made;
    return 0;
}

void atoll_comparison_finish(struct atoll_comparison *c)
{
    for (uint32_t i = 0; i < c->n_plans; i++) {
        atoll_plan_close(&c->plans[i]);
    }
    atoll_free(c->plans);
    *c = (struct atoll_comparison){.best = {-1, -1, -1}};
}
