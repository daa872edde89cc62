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
#define STEPS_MAX 40000000.0

double atoll__floor_us(const struct atoll_floor *from, const struct atoll_floor *to,
                       const struct atoll_floor *stage, uint32_t stages)
{
    const double work_us = to->work_us - from->work_us;
    const double stream_us = to->stream_us - from->stream_us - stages * stage->stream_us;
    return (work_us > stream_us ? work_us : stream_us) + stage->work_us;
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

/* Least bytes that the stage between two sets hands to later ones. */
static double bytes_out(const struct atoll__lattice *l, const struct atoll__dag *g,
                        const struct frontier *f, uint32_t from, uint32_t to)
{
    double bytes = 0;
    for (uint32_t i = f->start[to]; i < f->start[to + 1]; i++) {
        bytes += atoll__lattice_has(l, from, f->ops[i]) ? 0 : g->out_bytes[f->ops[i]];
    }
    return bytes;
}

/* Least bytes that earlier stages hand to it. */
static double bytes_in(const struct atoll__lattice *l, const struct atoll__dag *g,
                       const struct frontier *f, uint32_t from, uint32_t to)
{
    double bytes = 0;
    for (uint32_t i = f->start[from]; i < f->start[from + 1]; i++) {
        const uint32_t v = f->ops[i];
        bool read = false;
        for (uint32_t e = g->succ_start[v]; e < g->succ_start[v + 1] && !read; e++) {
            read =
                atoll__lattice_has(l, to, g->succ[e]) && !atoll__lattice_has(l, from, g->succ[e]);
        }
        bytes += read ? g->out_bytes[v] : 0;
    }
    return bytes;
}

static double span_floor_us(const struct atoll__lattice *l, const struct atoll__dag *g,
                            const struct frontier *f, const struct atoll_floor *stage,
                            uint32_t from, uint32_t to)
{
    double us = atoll__floor_us(&l->sum[from], &l->sum[to], stage, 1);
    if (stage->output_us_per_byte > 0) {
        us += stage->output_us_per_byte * bytes_out(l, g, f, from, to);
    }
    if (stage->input_us_per_byte > 0) {
        us += stage->input_us_per_byte * bytes_in(l, g, f, from, to);
    }
    return us;
}

/* Fills the arrays, or only counts when they are not there yet. */
static size_t list_spans(const struct atoll__lattice *l, const struct atoll__dag *g,
                         const struct frontier *f, const struct atoll_floor *stage,
                         struct atoll__spans *p)
{
    size_t n = 0;
    for (uint32_t from = 0; from < l->n; from++) {
        p->start[from] = (uint32_t)n;
        for (uint32_t to = l->n - 1; to > from && l->size[to] > l->size[from]; to--) {
            if (!atoll__lattice_inside(l, from, to)) {
                continue;
            }
            if (p->to) {
                p->to[n] = to;
                p->floor_us[n] = span_floor_us(l, g, f, stage, from, to);
            }
            n++;
        }
    }
    p->start[l->n] = (uint32_t)n;
    return n;
}

int atoll__spans_make(const struct atoll__lattice *l, const struct atoll__dag *g,
                      const struct atoll_floor *stage, struct atoll__spans *out,
                      struct atoll_err *err)
{
    struct frontier f = {0};
    memset(out, 0, sizeof *out);
    out->start = atoll_calloc((size_t)l->n + 1, sizeof *out->start);
    int rc = out->start ? frontier_make(l, g, &f, err)
                        : atoll_fail_nomem(err, "stages of the search", l->n * sizeof *out->start);
    const size_t n = rc == 0 ? list_spans(l, g, &f, stage, out) : 0;
    out->to = rc == 0 ? atoll_calloc(n + 1, sizeof *out->to) : NULL;
    out->floor_us = rc == 0 ? atoll_calloc(n + 1, sizeof *out->floor_us) : NULL;
    if (rc == 0 && (!out->to || !out->floor_us)) {
        rc = atoll_fail_nomem(err, "stages of the search", n * sizeof *out->floor_us);
    }
    if (rc == 0) {
        list_spans(l, g, &f, stage, out);
    } else {
        atoll__spans_finish(out);
    }
    atoll_free(f.start);
    atoll_free(f.ops);
    return rc;
}

/* Slowest stage left behind a set on m TPUs when its next stage has this floor: with more replicas
 * the stage gets quicker and the rest has fewer TPUs, so the loop ends where they meet. */
static double least_interval(const struct atoll__search *s, double floor_us, const double *rest,
                             uint32_t m, double best_us)
{
    for (uint32_t r = 1; r <= m && r <= s->replicas_max; r++) {
        const double own_us = floor_us / r;
        const double us = own_us > rest[m - r] ? own_us : rest[m - r];
        best_us = us < best_us ? us : best_us;
        if (rest[m - r] >= own_us) {
            break;
        }
    }
    return best_us;
}

static void recur(struct atoll__search *s, uint32_t set)
{
    const size_t row = (size_t)s->tpus + 1;
    double *left = s->left_us + set * row;
    for (uint32_t m = 0; m <= s->tpus; m++) {
        left[m] = INFINITY;
    }
    for (uint32_t i = s->spans->start[set]; i < s->spans->start[set + 1]; i++) {
        const double *rest = s->left_us + s->spans->to[i] * row;
        const double floor_us = s->spans->floor_us[i];
        for (uint32_t m = 1; m <= s->tpus; m++) {
            if (s->goal.objective != ATOLL_OBJECTIVE_LATENCY) {
                left[m] = least_interval(s, floor_us + s->stage_extra_us, rest, m, left[m]);
            } else if (floor_us + rest[m - 1] < left[m]) {
                left[m] = floor_us + rest[m - 1];
            }
        }
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

/* From single pipelines to mixes: the best rates of parts add up. */
static void bound_mixes(struct atoll__search *s)
{
    for (uint32_t j = 1; j <= s->tpus; j++) {
        s->rate_of[j] = s->left_us[j] > 0 ? 1 / s->left_us[j] : INFINITY;
        for (uint32_t part = 1; part < j; part++) {
            s->rate_of[j] = fmax(s->rate_of[j], s->rate_of[part] + s->rate_of[j - part]);
        }
    }
    const bool latency = s->goal.objective == ATOLL_OBJECTIVE_LATENCY;
    s->lower_us = latency ? s->left_us[s->tpus] : 1 / s->rate_of[s->tpus];
}

/* THROUGHPUT: a pipeline on k TPUs whose slowest stage takes so long leaves no mix better than the
 * best known. */
static void make_limits(struct atoll__search *s)
{
    for (uint32_t k = 1; k <= s->tpus; k++) {
        const double own = 1 / s->goal.best - s->rate_of[s->tpus - k];
        s->limit_us[k] = own > 0 ? 1 / own : INFINITY;
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
    for (uint32_t set = n - 1; set-- > 0;) {
        if (steps <= STEPS_MAX) {
            recur(s, set);
        } else {
            spread(s, set);
        }
    }
    bound_mixes(s);
    make_limits(s);
    make_thresholds(s);
    return 0;
}
