/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategy `exact`: where the model may be cut. Every down-set where there are few enough. Else
 * operators are glued to the one that they read, the lightest ones, until there are: the search
 * then sees the best of fewer cuts. What gluing can lose is bounded on a relaxed model, in which a
 * glued operator costs nothing of its own:
 *
 * Take the best plan of the whole model, and move each glued operator to the stage of the operator
 * that its group hangs on. Since all that it reads is in its group, this gives a segmentation that
 * cuts no group. Each stage lost or gained operators that cost nothing in the relaxed model, all
 * others are as before, and what they hand on still crosses where it did. So the relaxed plan costs
 * no more than the plan does, and the least over relaxed plans is a bound for all plans.
 */
#include <stdlib.h>
#include <string.h>

#include "exact.h"

/* Sets of the first, quick search. */
#define COARSE_BINS 48
/* Glued operators that are tried to be set free. */
#define TRIES 48

struct candidate {
    double weight_us;
    uint32_t op;
};

struct cuts {
    struct atoll__exact *x;
    struct atoll_floor *floors; ///< of each operator
    struct candidate *ranked;   ///< operators that may be glued, the heaviest first
    uint32_t n_ranked;
    bool *may;       ///< be glued
    uint32_t *group; ///< being tried: the operator that each hangs on
    bool *glued;     ///< being tried
    bool *parallel;  ///< some other operator is neither before nor after
};

/* ------------------------------------------------------------------ which to glue */

/* Only operators with others beside them multiply down-sets. */
static int find_parallel(const struct atoll__dag *g, bool *parallel, struct atoll_err *err)
{
    const size_t words = ((size_t)g->n + 63) / 64;
    uint64_t *before = atoll_calloc(g->n * words + 1, sizeof *before);
    uint32_t *related = atoll_calloc((size_t)g->n + 1, sizeof *related);
    const bool made = before && related;
    for (uint32_t v = 0; v < g->n && made; v++) {
        uint64_t *set = before + v * words;
        for (uint32_t e = g->pred_start[v]; e < g->pred_start[v + 1]; e++) {
            const uint32_t p = g->pred[e];
            for (size_t w = 0; w < words; w++) {
                set[w] |= before[p * words + w];
            }
            set[p / 64] |= UINT64_C(1) << (p % 64);
        }
        for (size_t w = 0; w < words; w++) {
            for (uint64_t rest = set[w]; rest != 0; rest &= rest - 1) {
                related[w * 64 + (size_t)__builtin_ctzll(rest)]++;
                related[v]++;
            }
        }
    }
    for (uint32_t v = 0; v < g->n && made; v++) {
        parallel[v] = related[v] + 1 < g->n;
    }
    atoll_free(before);
    atoll_free(related);
    return made ? 0 : atoll_fail_nomem(err, "down-sets", g->n * words * sizeof *before);
}

static int by_weight(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->weight_us < y->weight_us || x->weight_us > y->weight_us) {
        return x->weight_us > y->weight_us ? -1 : 1;
    }
    return (x->op > y->op) - (x->op < y->op);
}

/* Operators that the caller keeps together with others are left as they are. */
static void rank_candidates(struct cuts *c)
{
    const struct atoll__dag *g = &c->x->dag;
    for (uint32_t v = 0; v < g->n; v++) {
        const uint32_t a = g->atom_of[v];
        const struct atoll_floor *f = &c->floors[v];
        c->may[v] = c->parallel[v] && g->atom_start[a + 1] - g->atom_start[a] == 1;
        if (c->may[v]) {
            c->ranked[c->n_ranked++] = (struct candidate){
                .weight_us = f->work_us > f->stream_us ? f->work_us : f->stream_us, .op = v};
        }
    }
    qsort(c->ranked, c->n_ranked, sizeof *c->ranked, by_weight);
}

/* Glues each operator that may be to the one that all its predecessors hang on, if there is one.
 * `home`: the first operator of each one's atom before anything was glued. */
static void glue(struct cuts *c, const uint32_t *home)
{
    const struct atoll__dag *g = &c->x->dag;
    for (uint32_t v = 0; v < g->n; v++) {
        const uint32_t first = g->pred_start[v], end = g->pred_start[v + 1];
        c->group[v] = home[v];
        c->glued[v] = c->may[v] && first < end;
        for (uint32_t e = first; e < end && c->glued[v]; e++) {
            c->glued[v] = c->group[g->pred[e]] == c->group[g->pred[first]];
        }
        if (c->glued[v]) {
            c->group[v] = c->group[g->pred[first]];
        }
    }
}

static int try_glued(struct cuts *c, const uint32_t *home, struct atoll__lattice *l,
                     struct atoll_err *err)
{
    glue(c, home);
    const int rc = atoll__dag_merge(&c->x->dag, c->group, err);
    const uint32_t most = c->x->sets_max / 2 + 1;
    return rc ? rc : atoll__lattice_build(&c->x->dag, c->floors, most, most, l, err);
}

/* All glued at first; then the heaviest are set free again, one by one, where that leaves few
 * enough down-sets. If there are too many anyway, full is not complete. */
static int glue_lightest(struct cuts *c, const uint32_t *home, struct atoll_err *err)
{
    struct atoll__lattice *full = &c->x->full;
    int rc = try_glued(c, home, full, err);
    for (uint32_t i = 0; i < c->n_ranked && i < TRIES && rc == 0 && full->complete; i++) {
        struct atoll__lattice l;
        c->may[c->ranked[i].op] = false;
        rc = try_glued(c, home, &l, err);
        if (rc == 0) {
            struct atoll__lattice *worse = l.complete ? full : &l;
            atoll__lattice_finish(worse);
            *full = l.complete ? l : *full;
            c->may[c->ranked[i].op] = !l.complete;
        }
    }
    glue(c, home);
    return rc ? rc : atoll__dag_merge(&c->x->dag, c->group, err);
}

static int build_glued(struct cuts *c, struct atoll_err *err)
{
    struct atoll__dag *g = &c->x->dag;
    uint32_t *home = atoll_calloc((size_t)g->n + 1, sizeof *home);
    int rc = home ? find_parallel(g, c->parallel, err)
                  : atoll_fail_nomem(err, "down-sets", g->n * sizeof *home);
    if (rc == 0) {
        for (uint32_t v = 0; v < g->n; v++) {
            home[v] = g->atom_ops[g->atom_start[g->atom_of[v]]];
        }
        rank_candidates(c);
        rc = glue_lightest(c, home, err);
        c->x->is_glued = rc == 0 && c->x->full.complete;
    }
    if (rc == 0 && !c->x->is_glued) { /* as it was */
        rc = atoll__dag_merge(g, home, err);
    }
    atoll_free(home);
    return rc;
}

/* ------------------------------------------------------------------------ bounds */

static bool read_outside(const struct cuts *c, uint32_t v)
{
    const struct atoll__dag *g = &c->x->dag;
    bool outside = false;
    for (uint32_t e = g->succ_start[v]; e < g->succ_start[v + 1]; e++) {
        outside = outside || c->group[g->succ[e]] != c->group[v];
    }
    return outside;
}

/* What crosses a cut behind a group. Where its members really are, some output on the way from the
 * operator that it hangs on to the one that is read crosses: at least the least of them. Two
 * members may stand for the same crossing, so one of each group counts: the first if it is read
 * outside, else the one that hands on most. */
static void relax_crossing(struct cuts *c, uint32_t *counted)
{
    struct atoll__dag *g = &c->x->dag;
    for (uint32_t v = 0; v < g->n; v++) {
        counted[v] = UINT32_MAX;
        for (uint32_t e = g->pred_start[v]; e < g->pred_start[v + 1] && c->glued[v]; e++) {
            const uint32_t p = g->pred[e];
            g->out_us[v] = g->out_us[p] < g->out_us[v] ? g->out_us[p] : g->out_us[v];
            g->in_us[v] = g->in_us[p] < g->in_us[v] ? g->in_us[p] : g->in_us[v];
        }
    }
    for (uint32_t v = 0; v < g->n; v++) {
        uint32_t *best = &counted[c->group[v]];
        if (read_outside(c, v) &&
            (*best == UINT32_MAX || (c->glued[*best] && g->out_us[v] > g->out_us[*best]))) {
            *best = v;
        }
    }
    for (uint32_t v = 0; v < g->n; v++) {
        if (c->glued[v] && counted[c->group[v]] != v) {
            g->out_us[v] = g->in_us[v] = 0;
        }
    }
}

/* The lattice of the relaxed model with the stages on it. */
static int relax(struct cuts *c, struct atoll_err *err)
{
    struct atoll__exact *x = c->x;
    uint32_t *counted = atoll_calloc((size_t)x->dag.n + 1, sizeof *counted);
    if (!counted) {
        return atoll_fail_nomem(err, "cuts of a model", x->dag.n * sizeof *counted);
    }
    relax_crossing(c, counted);
    atoll_free(counted);
    for (uint32_t v = 0; v < x->dag.n; v++) {
        if (c->glued[v]) {
            x->glued_work_us += c->floors[v].work_us;
            c->floors[v] = (struct atoll_floor){.active_mj = c->floors[v].active_mj};
        }
    }
    const int rc = atoll__lattice_build(&x->dag, c->floors, x->full.n + 1, 0, &x->relaxed, err);
    return rc ? rc
              : atoll__spans_make(&x->relaxed, &x->dag, &x->template.stage_floor, &x->spans_relaxed,
                                  err);
}

/* ------------------------------------------------------------------------- all cuts */

/* Neighbours in the file stay together, so that about so many groups of like weight are left. What
 * lies between two of a group in the file joins it, so the groups form a chain. */
static int merge_ranges(struct cuts *c, uint32_t groups, struct atoll_err *err)
{
    const struct atoll__dag *g = &c->x->dag;
    const double little_us = 1e-3; /* operators without weight count a little */
    double all_us = 0, so_far_us = 0;
    for (uint32_t v = 0; v < g->n; v++) {
        all_us += c->floors[v].stream_us + little_us;
    }
    for (uint32_t v = 0; v < g->n; v++) {
        c->group[v] = (uint32_t)(so_far_us / all_us * groups);
        so_far_us += c->floors[v].stream_us + little_us;
    }
    for (uint32_t v = g->n; v-- > 0;) { /* what the caller keeps together stays so */
        const uint32_t a = g->atom_of[v];
        c->group[v] = c->group[g->atom_ops[g->atom_start[a + 1] - 1]];
    }
    return atoll__dag_merge(&c->x->dag, c->group, err);
}

static int build_full(struct cuts *c, struct atoll_err *err)
{
    struct atoll__exact *x = c->x;
    const uint32_t most = x->sets_max;
    const bool huge = x->dag.n_atoms > most / 2;
    int rc = huge ? merge_ranges(c, most / 4 + 1, err) : 0;
    rc = rc ? rc : atoll__lattice_build(&x->dag, c->floors, most, most, &x->full, err);
    if (rc == 0 && !x->full.complete) {
        atoll__lattice_finish(&x->full);
        rc = build_glued(c, err);
    }
    if (rc == 0 && !x->full.complete) { /* the narrowest of each level */
        const uint32_t width = most / 2 / (x->dag.n_atoms + 1);
        atoll__lattice_finish(&x->full);
        rc = atoll__lattice_build(&x->dag, c->floors, width > 1 ? width : 1, 0, &x->full, err);
    }
    x->full.complete = x->full.complete && !huge && !x->is_glued;
    x->is_glued = x->is_glued && !huge;
    return rc;
}

int atoll__exact_cuts(struct atoll__exact *x, struct atoll_err *err)
{
    const struct atoll_floor *stage = &x->template.stage_floor;
    const size_t n = (size_t)x->dag.n + 1;
    struct cuts c = {.x = x,
                     .floors = atoll_calloc(n, sizeof *c.floors),
                     .ranked = atoll_calloc(n, sizeof *c.ranked),
                     .may = atoll_calloc(n, sizeof *c.may),
                     .group = atoll_calloc(n, sizeof *c.group),
                     .glued = atoll_calloc(n, sizeof *c.glued),
                     .parallel = atoll_calloc(n, sizeof *c.parallel)};
    int rc = c.floors && c.ranked && c.may && c.group && c.glued && c.parallel
                 ? 0
                 : atoll_fail_nomem(err, "cuts of a model", n * sizeof *c.floors);
    for (uint32_t v = 0; v < x->dag.n && rc == 0; v++) {
        atoll__planner_floor_of(x->draft->planner, x->floor_kind, x->model, v, &c.floors[v]);
    }
    if (rc == 0) {
        atoll__dag_set_crossing(&x->dag, c.floors, stage);
        rc = build_full(&c, err);
    }
    rc = rc == 0 ? atoll__lattice_coarse(&x->full, COARSE_BINS, &x->coarse, err) : rc;
    rc = rc == 0 ? atoll__spans_make(&x->full, &x->dag, stage, &x->spans_full, err) : rc;
    rc = rc == 0 ? atoll__spans_make(&x->coarse, &x->dag, stage, &x->spans_coarse, err) : rc;
    rc = rc == 0 && x->is_glued ? relax(&c, err) : rc;
    atoll_free(c.floors);
    atoll_free(c.ranked);
    atoll_free(c.may);
    atoll_free(c.group);
    atoll_free(c.glued);
    atoll_free(c.parallel);
    return rc;
}
