/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounds of the search: the least that each stage can take, and, by the same recursion backwards on
 * these floors alone, the least that is left behind each down-set. The closer they are, the fewer
 * segments the search has to cost.
 */
#include <math.h>
#include <string.h>

#include "search.h"

/* Above this many steps the recursion would cost more than it saves. */
#define STEPS_MAX 150000000.0

double atoll__floor_us(const struct atoll_floor *from, const struct atoll_floor *to,
                       const struct atoll_floor *stage, uint32_t stages)
{
    double most_us = to->work_us - from->work_us;
    const double stream_us = to->stream_us - from->stream_us - stages * stage->stream_us;
    most_us = stream_us > most_us ? stream_us : most_us;
    for (int i = 0; i < ATOLL_FLOOR_PRICES; i++) {
        const double us =
            to->stream_at_us[i] - from->stream_at_us[i] - stages * stage->stream_at_us[i];
        most_us = us > most_us ? us : most_us;
    }
    const double bytes = to->parameter_bytes - from->parameter_bytes;
    const double overflow_us =
        bytes > stages * stage->parameter_bytes * (1 + 1e-12) ? stage->overflow_us : 0;
    const double call_us = to->calls > from->calls ? stage->call_us : 0;
    return most_us + stage->work_us + call_us + overflow_us;
}

void atoll__spans_finish(struct atoll__spans *p)
{
    atoll_free(p->start);
    atoll_free(p->to);
    atoll_free(p->floor_us);
    memset(p, 0, sizeof *p);
}

/* The operators of each set whose output leaves it. */
struct frontier {
    uint32_t *start; ///< [n sets + 1] into ops
    uint32_t *ops;
};

static int frontier_make(const struct atoll__lattice *l, const struct atoll__dag *g,
                         struct frontier *f, struct atoll_err *err)
{
    size_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        n += l->crossing[i];
    }
    f->start = atoll_calloc((size_t)l->n + 1, sizeof *f->start);
    f->ops = atoll_calloc(n + 1, sizeof *f->ops);
    if (!f->start || !f->ops) {
        return atoll_fail_nomem(err, "frontiers of down-sets", n * sizeof *f->ops);
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        f->start[i] = at;
        for (uint32_t v = 0; v < l->n_ops; v++) {
            bool leaves = false;
            for (uint32_t e = g->succ_start[v]; e < g->succ_start[v + 1] && !leaves; e++) {
                leaves = atoll__lattice_has(l, i, v) && !atoll__lattice_has(l, i, g->succ[e]);
            }
            if (leaves && at < n) {
                f->ops[at++] = v;
            }
        }
    }
    f->start[l->n] = at;
    return 0;
}

/* Least time of reading back what the stage between two sets hands to later ones. */
static double out_us(const struct atoll__lattice *l, const struct atoll__dag *g,
                     const struct frontier *f, uint32_t from, uint32_t to)
{
    double us = 0;
    for (uint32_t i = f->start[to]; i < f->start[to + 1]; i++) {
        us += atoll__lattice_has(l, from, f->ops[i]) ? 0 : g->out_us[f->ops[i]];
    }
    return us;
}

/* Operators of a set whose output leaves it to the same readers, as one. */
struct readers {
    uint32_t *ops; ///< who reads outside the set
    uint32_t n;
    double in_us; ///< of all these outputs
};

/* Groups the frontier of `from` by who reads it: in dense blocks that is one group of many.
 * `groups` and `ops` have room for all of the frontier and its edges. */
static uint32_t group_readers(const struct atoll__lattice *l, const struct atoll__dag *g,
                              const struct frontier *f, uint32_t from, struct readers *groups,
                              uint32_t *ops)
{
    uint32_t n = 0;
    for (uint32_t i = f->start[from]; i < f->start[from + 1]; i++) {
        const uint32_t v = f->ops[i];
        struct readers r = {.ops = ops, .in_us = g->in_us[v]};
        for (uint32_t e = g->succ_start[v]; e < g->succ_start[v + 1]; e++) {
            if (!atoll__lattice_has(l, from, g->succ[e])) {
                r.ops[r.n++] = g->succ[e];
            }
        }
        struct readers *last = n > 0 ? &groups[n - 1] : NULL;
        if (last && last->n == r.n && memcmp(last->ops, r.ops, r.n * sizeof *r.ops) == 0) {
            last->in_us += r.in_us;
        } else {
            groups[n++] = r;
            ops += r.n;
        }
    }
    return n;
}

/* Least time of sending what earlier stages hand to the one that ends at `to`. */
static double in_us(const struct atoll__lattice *l, const struct readers *groups, uint32_t n,
                    uint32_t to)
{
    double us = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool read = false;
        for (uint32_t e = 0; e < groups[i].n && !read; e++) {
            read = atoll__lattice_has(l, to, groups[i].ops[e]);
        }
        us += read ? groups[i].in_us : 0;
    }
    return us;
}

struct span_list {
    uint32_t *to, n;
    double *floor_us;
    size_t cap_to, cap_floor;
};

struct span_scratch {
    struct frontier frontier;
    struct readers *groups;
    uint32_t *ops;
};

static int list_from(const struct atoll__lattice *l, const struct atoll__dag *g,
                     const struct span_scratch *x, const struct atoll_floor *stage, uint32_t from,
                     struct span_list *out, struct atoll_err *err)
{
    int rc = atoll_grow((void **)&out->to, &out->cap_to, (size_t)out->n + l->n, sizeof *out->to);
    rc = rc ? rc
            : atoll_grow((void **)&out->floor_us, &out->cap_floor, (size_t)out->n + l->n,
                         sizeof *out->floor_us);
    if (rc != 0) {
        return atoll_fail_nomem(err, "stages of the search", (size_t)out->n * sizeof *out->to);
    }
    const uint32_t n_groups = group_readers(l, g, &x->frontier, from, x->groups, x->ops);
    for (uint32_t to = from + 1; to < l->n; to++) {
        if (l->size[to] > l->size[from] && atoll__lattice_inside(l, from, to)) {
            out->to[out->n] = to;
            out->floor_us[out->n++] = atoll__floor_us(&l->sum[from], &l->sum[to], stage, 1) +
                                      out_us(l, g, &x->frontier, from, to) +
                                      in_us(l, x->groups, n_groups, to);
        }
    }
    return 0;
}

static int scratch_make(const struct atoll__lattice *l, const struct atoll__dag *g,
                        struct span_scratch *x, struct atoll_err *err)
{
    const size_t n_edges = g->n ? g->succ_start[g->n] : 0;
    x->groups = atoll_calloc((size_t)g->n + 1, sizeof *x->groups);
    x->ops = atoll_calloc(n_edges + 1, sizeof *x->ops);
    if (!x->groups || !x->ops) {
        return atoll_fail_nomem(err, "stages of the search", n_edges * sizeof *x->ops);
    }
    return frontier_make(l, g, &x->frontier, err);
}

int atoll__spans_make(const struct atoll__lattice *l, const struct atoll__dag *g,
                      const struct atoll_floor *stage, struct atoll__spans *out,
                      struct atoll_err *err)
{
    struct span_scratch x = {0};
    struct span_list list = {0};
    memset(out, 0, sizeof *out);
    out->start = atoll_calloc((size_t)l->n + 1, sizeof *out->start);
    int rc = out->start ? scratch_make(l, g, &x, err)
                        : atoll_fail_nomem(err, "stages of the search", l->n * sizeof *out->start);
    for (uint32_t from = 0; from < l->n && rc == 0; from++) {
        out->start[from] = list.n;
        rc = list_from(l, g, &x, stage, from, &list, err);
    }
    out->to = list.to;
    out->floor_us = list.floor_us;
    if (rc == 0) {
        out->start[l->n] = list.n;
    } else {
        atoll__spans_finish(out);
    }
    atoll_free(x.frontier.start);
    atoll_free(x.frontier.ops);
    atoll_free(x.groups);
    atoll_free(x.ops);
    return rc;
}

/* The TPUs that may be left behind a set, and what the slowest stage there must stay below to be of
 * use: some pipeline on k + m TPUs whose k can do what lies before the set. Falls with m. */
static uint32_t make_caps(const struct atoll__search *s, uint32_t set, double *cap)
{
    const struct atoll_floor *sum = s->lattice->sum;
    double before_us[ATOLL_TPUS_MAX + 1] = {0};
    for (uint32_t k = 1; k <= s->tpus && set > 0; k++) {
        before_us[k] =
            (atoll__floor_us(&sum[0], &sum[set], &s->stage_floor, k) + s->stage_extra_us) / k;
    }
    uint32_t most = 0;
    double above_us = 0;
    for (uint32_t m = s->tpus; m >= 1; m--) {
        for (uint32_t k = set > 0; k + m <= s->tpus && (set > 0 || k == 0); k++) {
            if (before_us[k] < s->first_limit_us[k + m] && s->first_limit_us[k + m] > above_us) {
                above_us = s->first_limit_us[k + m];
                most = most > m ? most : m;
            }
        }
        cap[m] = above_us;
    }
    return most;
}

/* Slowest stage left on m TPUs when the next one has this floor and from `r` replicas on: with more
 * replicas it gets quicker and the rest has fewer TPUs, so the loop ends where they meet. */
static double least_interval(double floor_us, const double *rest, uint32_t m, uint32_t r,
                             uint32_t replicas_max, double best_us)
{
    for (; r <= replicas_max; r++) {
        const double rest_us = rest[m - r];
        if (rest_us >= best_us) {
            if (rest_us < INFINITY) {
                break;
            }
            continue; /* more TPUs than may be left there */
        }
        const double own_us = floor_us / r;
        if (own_us < best_us) {
            best_us = own_us > rest_us ? own_us : rest_us;
        }
        if (rest_us >= own_us) {
            break;
        }
    }
    return best_us;
}

static void recur_interval(struct atoll__search *s, uint32_t set, double *left)
{
    const struct atoll__lattice *l = s->lattice;
    const size_t row = (size_t)s->tpus + 1;
    double cap[ATOLL_TPUS_MAX + 1];
    const uint32_t most = make_caps(s, set, cap);
    uint32_t least = most + 1;
    double useful_us = 0; /* a stage above it is none at all */
    for (uint32_t m = most; m >= 1; m--) {
        const double us = atoll__floor_us(&l->sum[set], &l->sum[l->n - 1], &s->stage_floor, m);
        left[m] = cap[m];
        if ((us + s->stage_extra_us) / m < cap[m]) {
            least = m;
            useful_us = fmax(useful_us, m * cap[m]);
        }
    }
    double per_us[ATOLL_TPUS_MAX + 1]; /* 1 / left[m], rounded: fewer replicas are too slow */
    for (uint32_t m = least; m <= most; m++) {
        per_us[m] = 1 / left[m];
    }
    for (uint32_t i = s->spans->start[set]; i < s->spans->start[set + 1] && least <= most; i++) {
        const double floor_us = s->spans->floor_us[i] + s->stage_extra_us;
        const double *rest = s->left_us + s->spans->to[i] * row;
        for (uint32_t m = least; m <= most && floor_us < useful_us; m++) {
            const uint32_t replicas = m < s->replicas_max ? m : s->replicas_max;
            const double from = floor_us * per_us[m];
            if (from < replicas) {
                const uint32_t r = from < 1 ? 1 : (uint32_t)from;
                const double us = least_interval(floor_us, rest, m, r, replicas, left[m]);
                if (us < left[m]) {
                    left[m] = us;
                    per_us[m] = 1 / us;
                }
            }
        }
    }
}

static void recur_latency(struct atoll__search *s, uint32_t set, double *left)
{
    const size_t row = (size_t)s->tpus + 1;
    for (uint32_t i = s->spans->start[set]; i < s->spans->start[set + 1]; i++) {
        const double *rest = s->left_us + s->spans->to[i] * row;
        const double floor_us = s->spans->floor_us[i];
        if (floor_us >= left[1]) {
            continue; /* left[1] is the most of all */
        }
        for (uint32_t m = 1; m <= s->tpus; m++) {
            left[m] = fmin(left[m], floor_us + rest[m - 1]);
        }
    }
}

static void recur(struct atoll__search *s, uint32_t set)
{
    double *left = s->left_us + set * ((size_t)s->tpus + 1);
    for (uint32_t m = 0; m <= s->tpus; m++) {
        left[m] = INFINITY;
    }
    if (s->goal.objective == ATOLL_OBJECTIVE_LATENCY) {
        recur_latency(s, set, left);
    } else {
        recur_interval(s, set, left);
    }
}

static void spread(struct atoll__search *s, uint32_t set)
{
    const struct atoll__lattice *l = s->lattice;
    const size_t row = (size_t)s->tpus + 1;
    for (uint32_t m = 1; m <= s->tpus; m++) {
        const double us = atoll__floor_us(&l->sum[set], &l->sum[l->n - 1], &s->stage_floor, m);
        const bool rate = s->goal.objective != ATOLL_OBJECTIVE_LATENCY;
        s->left_us[set * row + m] = rate ? (us + s->stage_extra_us) / m : us;
    }
}

/* From single pipelines to mixes: the best rates of parts add up. `limited`: a pipeline on j TPUs
 * that is not below its first limit is part of no better mix, so it does not count. */
static void bound_mixes(struct atoll__search *s, bool limited)
{
    for (uint32_t j = 1; j <= s->tpus; j++) {
        const bool useless = limited && s->left_us[j] >= s->first_limit_us[j];
        s->rate_of[j] = useless ? 0 : s->left_us[j] > 0 ? 1 / s->left_us[j] : INFINITY;
        for (uint32_t part = 1; part < j; part++) {
            s->rate_of[j] = fmax(s->rate_of[j], s->rate_of[part] + s->rate_of[j - part]);
        }
    }
    const bool latency = s->goal.objective == ATOLL_OBJECTIVE_LATENCY;
    s->lower_us = latency ? s->left_us[s->tpus] : 1 / s->rate_of[s->tpus];
    if (s->others_rate) {
        memcpy(s->rate_of, s->others_rate, (s->tpus + 1) * sizeof *s->rate_of);
    }
}

/* A pipeline on k TPUs whose slowest stage takes so long leaves no mix better than the best known.
 * An energy is best only with an interval for which the waiting does not cost more alone. */
static void make_limits(struct atoll__search *s, double *limit_us)
{
    const struct atoll__goal *g = &s->goal;
    const double best_us = g->objective == ATOLL_OBJECTIVE_ENERGY
                               ? (g->best - g->active_floor_mj) / (g->waiting_mw * 1e-6)
                               : g->best;
    for (uint32_t k = 1; k <= s->tpus; k++) {
        const double own = 1 / best_us - s->rate_of[s->tpus - k];
        limit_us[k] = own > 0 ? 1 / own : INFINITY;
    }
}

/* What a label of `set` with k TPUs must stay below: its slowest stage, or its latency. */
static double threshold_us(const struct atoll__search *s, uint32_t set, uint32_t k)
{
    const double *left_us = s->left_us + set * ((size_t)s->tpus + 1);
    const bool latency = s->goal.objective == ATOLL_OBJECTIVE_LATENCY;
    double most_us = -INFINITY;
    const bool whole = set == s->lattice->n - 1;
    for (uint32_t m = whole ? 0 : 1; m <= (whole ? 0 : s->tpus - k); m++) {
        const double rest_us = whole ? 0 : left_us[m];
        if (latency) {
            most_us = fmax(most_us, s->goal.best - rest_us);
        } else if (k + m > 0 && rest_us < s->limit_us[k + m]) {
            most_us = fmax(most_us, s->limit_us[k + m]);
        }
    }
    return most_us;
}

static void make_thresholds(struct atoll__search *s)
{
    const size_t row = (size_t)s->tpus + 1;
    for (uint32_t set = 0; set < s->lattice->n; set++) {
        for (uint32_t k = 0; k <= s->tpus; k++) {
            s->below_us[set * row + k] = threshold_us(s, set, k);
        }
    }
}

int atoll__search_bounds(struct atoll__search *s, struct atoll_err *err)
{
    const uint32_t n = s->lattice->n;
    const size_t row = (size_t)s->tpus + 1;
    s->left_us = atoll_calloc(n * row, sizeof *s->left_us);
    s->below_us = atoll_calloc(n * row, sizeof *s->below_us);
    if (!s->left_us || !s->below_us) {
        return atoll_fail_nomem(err, "bounds of the search", n * row * sizeof *s->left_us);
    }
    if (!s->goal.set) {
        return 0;
    }
    const double steps = (double)s->spans->start[n] * s->tpus * 3;
    if (s->goal.objective != ATOLL_OBJECTIVE_LATENCY) { /* first bounds, so that the rest is less */
        spread(s, 0);
        bound_mixes(s, false);
        make_limits(s, s->first_limit_us);
    }
    for (uint32_t set = n - 1; set-- > 0;) {
        if (steps <= STEPS_MAX) {
            recur(s, set);
        } else {
            spread(s, set);
        }
    }
    bound_mixes(s, s->goal.objective != ATOLL_OBJECTIVE_LATENCY && steps <= STEPS_MAX);
    make_limits(s, s->limit_us);
    make_thresholds(s);
    return 0;
}
