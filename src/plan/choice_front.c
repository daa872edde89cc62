/* SPDX-License-Identifier: Apache-2.0 */
/* The Pareto front: one placement that judges every load, and of its plans those not dominated. */
#include "choice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_MAX 4096u

struct point {
    double value[3]; ///< by enum atoll_objective, small is good
    struct atoll__choice_pipe *pipes;
    uint32_t n_pipes;
};

struct points {
    struct point *list;
    size_t n, cap;
    bool full; ///< no room for more
};

/* Is `a` nowhere worse? A hair counts as equal. */
static bool as_good(const double *a, const double *b)
{
    for (int o = 0; o < 3; o++) {
        if (a[o] > b[o] * (1 + 1e-9)) {
            return false;
        }
    }
    return true;
}

static int note_point(struct atoll__choice *c, const uint32_t *items, uint32_t n,
                      const double *load, void *user, struct atoll_err *err)
{
    struct points *p = user;
    struct point x = {.value = {0}};
    for (unsigned o = 0; o < 3; o++) {
        x.value[o] = atoll__choice_value(c, (enum atoll_objective)o, load);
    }
    for (size_t i = 0; i < p->n; i++) {
        if (as_good(p->list[i].value, x.value)) {
            return 0;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (!as_good(x.value, p->list[i].value)) {
            p->list[kept++] = p->list[i];
        }
    }
    p->n = kept;
    if (p->n >= POINTS_MAX) {
        p->full = true;
        return 0;
    }
    const int rc = atoll__choice_keep(c, items, n, err);
    x.n_pipes = c->n_pipes;
    x.pipes = rc ? NULL : atoll_arena_array(&c->arena, x.n_pipes, sizeof *x.pipes);
    if (rc || !x.pipes || atoll_grow((void **)&p->list, &p->cap, p->n + 1, sizeof *p->list)) {
        return rc ? rc : atoll_fail_nomem(err, "the front", p->n * sizeof *p->list);
    }
    memcpy(x.pipes, c->pipes, x.n_pipes * sizeof *x.pipes);
    p->list[p->n++] = x;
    return 0;
}

/* ------------------------------------------------------------------------ plans */

static int plan_of_point(struct atoll__choice *c, const struct point *x, struct atoll_front *f,
                         struct atoll_err *err)
{
    struct atoll_plan *p = NULL;
    int rc = atoll__plan_begin(c->planner, "exact", c->tpus, &p, err);
    if (rc == 0) {
        struct atoll__plan_draft d = {.planner = c->planner, .plan = p, .tpus = c->tpus};
        rc = atoll__choice_draft(c, x->pipes, x->n_pipes, &d, err);
        rc = rc ? rc : atoll__plan_end(c->planner, p, err);
    }
    if (rc) {
        atoll_plan_close(&p);
        return rc;
    }
    f->plans[f->n_plans++] = p;
    return 0;
}

/* For one model without rates the best in each objective is looked for among sets of pipelines
 * too. */
static int add_extremes(struct atoll__choice *c, struct atoll_front *f, struct atoll_err *err)
{
    static const char *const names[] = {"exact:latency", "exact:throughput", "exact:energy"};
    int rc = 0;
    for (int o = 0; o < 3 && rc == 0 && !atoll__choice_wanted(c->planner->request); o++) {
        struct atoll_plan *p = NULL;
        rc = atoll__plan_make(c->planner, names[o], c->tpus, &p, err);
        if (rc == 0) {
            f->plans[f->n_plans++] = p;
        }
    }
    return rc;
}

static void values_of(const struct atoll_plan *p, double *value)
{
    const bool rated = isfinite(p->headroom);
    value[0] = !rated        ? p->latency_worst_us
               : p->by_worst ? p->latency_worst_us
                             : p->latency_mean_us;
    value[1] = rated ? 1 / p->headroom : p->interval_us;
    value[2] = p->energy_mj;
}

static int by_latency(const void *a, const void *b)
{
    double x[3], y[3];
    values_of(*(struct atoll_plan *const *)a, x);
    values_of(*(struct atoll_plan *const *)b, y);
    return (x[0] > y[0]) - (x[0] < y[0]);
}

/* Closes what is skipped or dominated by another; of equals the first stays. */
static void prune(struct atoll_front *f)
{
    uint32_t kept = 0;
    bool gone[POINTS_MAX + 3] = {false};
    for (uint32_t i = 0; i < f->n_plans; i++) {
        double mine[3], other[3];
        gone[i] = f->plans[i]->skipped != NULL;
        values_of(f->plans[i], mine);
        for (uint32_t k = 0; k < f->n_plans && !gone[i]; k++) {
            if (k != i && !gone[k] && !f->plans[k]->skipped) {
                values_of(f->plans[k], other);
                gone[i] = as_good(other, mine) && (k < i || !as_good(mine, other));
            }
        }
    }
    for (uint32_t i = 0; i < f->n_plans; i++) {
        if (gone[i]) {
            atoll_plan_close(&f->plans[i]);
        } else {
            f->plans[kept++] = f->plans[i];
        }
    }
    f->n_plans = kept;
}

static int make_front(struct atoll__choice *c, struct points *points, struct atoll_front *f,
                      struct atoll_err *err)
{
    c->front = true;
    c->each = note_point;
    c->user = points;
    int rc = atoll__choice_solve(c, err);
    f->complete = rc == 0 && !c->cut_short && !points->full;
    for (uint32_t i = 0; i < c->n; i++) {
        f->complete = f->complete && (c->exact[i].full.complete || c->tpus == 1);
    }
    f->plans = rc ? NULL : atoll_calloc(points->n + 3, sizeof *f->plans);
    if (rc == 0 && !f->plans) {
        rc = atoll_fail_nomem(err, "the front", points->n * sizeof *f->plans);
    }
    rc = rc ? rc : add_extremes(c, f, err);
    for (size_t i = 0; i < points->n && rc == 0; i++) {
        rc = plan_of_point(c, &points->list[i], f, err);
    }
    if (rc == 0) {
        prune(f);
        qsort(f->plans, f->n_plans, sizeof(struct atoll_plan *), by_latency);
    }
    if (rc == 0 && f->n_plans == 0) {
        rc = atoll__choice_blocked(c->planner, c->tpus, c->cut_short, err);
    }
    return rc;
}

int atoll_plan_front(const struct atoll_plan_request *r, struct atoll_front *front,
                     struct atoll_err *err)
{
    struct atoll__planner pl;
    struct atoll_front f = {.n_plans = 0};
    struct points points = {.n = 0};
    int rc = atoll__plan_request_check(r, err);
    rc = rc ? rc : atoll__planner_init(&pl, r, err);
    if (rc) {
        return rc;
    }
    struct atoll__choice *c = atoll_calloc(1, sizeof *c);
    rc = c ? atoll__choice_of_request(c, &pl, r->tpus, err)
           : atoll_fail_nomem(err, "the front", sizeof *c);
    rc = rc ? rc : make_front(c, &points, &f, err);
    if (c) {
        atoll__choice_finish(c);
    }
    atoll_free(c);
    atoll_free(points.list);
    atoll__planner_finish(&pl);
    if (rc) {
        atoll_front_finish(&f);
        return rc;
    }
    *front = f;
    return 0;
}

void atoll_front_finish(struct atoll_front *front)
{
    for (uint32_t i = 0; i < front->n_plans; i++) {
        atoll_plan_close(&front->plans[i]);
    }
    atoll_free(front->plans);
    *front = (struct atoll_front){.n_plans = 0};
}
