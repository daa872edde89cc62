/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the best plan still the best when the costs are off? Errors are drawn, the figures of every
 * plan of a comparison are made anew under each draw, and the shares won and the regrets counted.
 *
 * A plan that would be best under a draw may not be among those compared. So a few draws are also
 * solved: with the errors of whole parts put into the board's constants.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan_internal.h"

/* Parts of a stage's time whose errors are independent. */
enum part {
    PART_COMPUTE, /* one for each family */
    PART_STREAM = PART_COMPUTE + ATOLL_FAMILY_HOST + 1,
    PART_TRANSFER,
    PART_CALL,
    PARTS
};

struct draw {
    double error[PARTS]; ///< -1..1
    uint64_t seed;       ///< of the errors of segments
    double error_frac;
};

static struct draw draw_errors(const struct atoll_robust_opts *o, uint32_t number)
{
    struct draw d = {.seed = atoll_seed_mix(o->seed, number), .error_frac = o->error_frac};
    struct atoll_rng r;
    atoll_rng_seed(&r, d.seed);
    for (int i = 0; i < PARTS; i++) {
        d.error[i] = 2 * atoll_rng_unit(&r) - 1;
    }
    return d;
}

/* The same segment has the same error in every plan. */
static double segment_error(const struct draw *d, uint32_t model, const struct atoll_stage *s)
{
    struct atoll_rng r;
    const uint64_t hash = atoll_fnv1a(s->ops, s->n_ops * sizeof *s->ops, model);
    atoll_rng_seed(&r, atoll_seed_mix(d->seed, hash));
    return 2 * atoll_rng_unit(&r) - 1;
}

/* By how much a stage's time is off: its parts' errors, weighed by their times. */
static double stage_factor(const struct draw *d, uint32_t model, const struct atoll_stage *s)
{
    const struct atoll_stage_cost *c = &s->cost;
    const struct {
        double us, error;
    } parts[] = {
        {c->compute_us, d->error[PART_COMPUTE + (int)c->family]},
        {c->stream_us, d->error[PART_STREAM]},
        {c->input_us + c->output_us, d->error[PART_TRANSFER]},
        {c->call_us + c->cpu_us, d->error[PART_CALL]},
    };
    double sum_us = 0, error_us = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        sum_us += parts[i].us;
        error_us += parts[i].us * parts[i].error;
    }
    const double common = sum_us > 0 ? error_us / sum_us : 0;
    return 1 + d->error_frac * (common + segment_error(d, model, s)) / 2;
}

/* Puts a draw's errors into the costs of a plan's stages and makes its figures. */
static void disturb(struct atoll_plan *p, const struct draw *d, const struct atoll_board *b)
{
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        for (uint32_t s = 0; s < p->pipelines[i].n_stages; s++) {
            struct atoll_stage *st = &p->pipelines[i].stages[s];
            const double f = stage_factor(d, p->pipelines[i].model, st);
            st->cost.latency_us *= f;
            st->cost.service_us *= f;
            st->cost.serial_us *= f;
            st->cost.active_mj *= f;
        }
    }
    atoll_plan_figures(p, b);
}

/* Costs of all stages of a plan, kept while they are disturbed. */
static uint32_t count_stages(const struct atoll_plan *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        n += p->pipelines[i].n_stages;
    }
    return n;
}

static void copy_costs(struct atoll_plan *p, struct atoll_stage_cost *kept, bool back)
{
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        for (uint32_t s = 0; s < p->pipelines[i].n_stages; s++, kept++) {
            struct atoll_stage_cost *c = &p->pipelines[i].stages[s].cost;
            *(back ? c : kept) = *(back ? kept : c);
        }
    }
}

/* The figure of an objective of which less is better. */
static double burden(const struct atoll_plan *p, enum atoll_objective o)
{
    return o == ATOLL_OBJECTIVE_THROUGHPUT ? p->interval_us : atoll__plan_value(p, o);
}

/* values[draws] of one plan; its costs and figures are as before in the end. */
static int values_of(struct atoll_plan *p, const struct atoll_board *b, enum atoll_objective o,
                     const struct atoll_robust_opts *opts, double *values, struct atoll_err *err)
{
    struct atoll_stage_cost *kept = atoll_calloc((size_t)count_stages(p) + 1, sizeof *kept);
    if (!kept) {
        return atoll_fail_nomem(err, "costs of a plan", count_stages(p) * sizeof *kept);
    }
    copy_costs(p, kept, false);
    for (uint32_t i = 0; i < opts->draws; i++) {
        const struct draw d = draw_errors(opts, i);
        disturb(p, &d, b);
        values[i] = burden(p, o);
        copy_costs(p, kept, true);
    }
    atoll_plan_figures(p, b);
    atoll_free(kept);
    return 0;
}

/* --------------------------------------------------------- plans for other boards */

static void scale(struct atoll_quantity *q, double factor)
{
    q->value *= factor;
}

/* The board as it would be if a draw's errors of whole parts were true. Computing of all kinds of
 * networks goes by the clock, so it takes the error of the first plan's kind. */
static struct atoll_board disturbed_board(const struct atoll_board *b, const struct draw *d,
                                          enum atoll_family family)
{
    struct atoll_board x = *b;
    const double part[4] = {1 + d->error_frac * d->error[PART_COMPUTE + (int)family],
                            1 + d->error_frac * d->error[PART_STREAM],
                            1 + d->error_frac * d->error[PART_TRANSFER],
                            1 + d->error_frac * d->error[PART_CALL]};
    scale(&x.clock_max_hz, 1 / part[0]);
    scale(&x.clock_standard_hz, 1 / part[0]);
    scale(&x.stream_us, part[1]);
    scale(&x.stream_us_per_mib, part[1]);
    for (int runner = 0; runner < 2; runner++) {
        for (int drive = 0; drive < 2; drive++) {
            struct atoll_drive_cost *c = &x.drive[runner][drive];
            scale(&c->input_us_per_mib, part[2]);
            scale(&c->output_us_per_mib, part[2]);
            scale(&c->output_us_per_kpx, part[2]);
            scale(&c->call_us, part[3]);
            scale(&c->serial_us, part[3]);
        }
    }
    return x;
}

static bool same_stages(const struct atoll_pipeline *a, const struct atoll_pipeline *b)
{
    bool same = a->model == b->model && a->n_stages == b->n_stages;
    for (uint32_t s = 0; same && s < a->n_stages; s++) {
        const struct atoll_stage *x = &a->stages[s], *y = &b->stages[s];
        same = x->n_ops == y->n_ops && x->n_tpus == y->n_tpus &&
               memcmp(x->ops, y->ops, x->n_ops * sizeof *x->ops) == 0;
    }
    return same;
}

bool atoll__plan_same(const struct atoll_plan *a, const struct atoll_plan *b)
{
    bool same = a->n_pipelines == b->n_pipelines && !a->skipped == !b->skipped;
    for (uint32_t i = 0; same && i < a->n_pipelines; i++) {
        same = same_stages(&a->pipelines[i], &b->pipelines[i]);
    }
    return same;
}

/* The figures and sentences of a plan on the request's board, which was not the one it was made
 * for. */
static int bring_home(const struct atoll_plan_request *r, struct atoll_plan *p, uint32_t number,
                      struct atoll_err *err)
{
    struct atoll__plan_limits limits;
    int code = 0;
    for (uint32_t i = 0; i < p->n_pipelines && code == 0; i++) {
        for (uint32_t s = 0; s < p->pipelines[i].n_stages && code == 0; s++) {
            struct atoll_stage *st = &p->pipelines[i].stages[s];
            code = atoll_cost_stage(r->models[p->pipelines[i].model], r->board, &p->use, st->ops,
                                    st->n_ops, &st->cost, err);
        }
    }
    if (code) {
        return code;
    }
    p->strategy = atoll_arena_printf(p->arena, "exact:%s:draw=%u",
                                     atoll_objective_name(p->objective), number);
    p->lower_bound = p->gap_frac = NAN;
    atoll__plan_figures(p, r->board, &limits);
    return p->strategy ? atoll__plan_explain(p, r->board, &limits, err)
                       : atoll_fail_nomem(err, "a strategy", 0);
}

static bool has_plan(const struct atoll_comparison *c, const struct atoll_plan *p)
{
    for (uint32_t i = 0; i < c->n_plans; i++) {
        if (atoll__plan_same(c->plans[i], p)) {
            return true;
        }
    }
    return false;
}

/* Solves the request for a draw's board; a plan that is new joins the comparison, which has room.
 */
static int add_resolved(const struct atoll_plan_request *r, const struct draw *d, uint32_t number,
                        enum atoll_family family, struct atoll_comparison *c, struct atoll_err *err)
{
    const struct atoll_board board = disturbed_board(r->board, d, family);
    struct atoll_plan_request other = *r;
    struct atoll_plan *p = NULL;
    other.board = &board;
    other.strategy = "exact";
    other.want_next_tpu = false;
    int code = atoll_plan_solve(&other, &p, err);
    if (code == 0 && !p->skipped && !has_plan(c, p)) {
        code = bring_home(r, p, number, err);
        if (code == 0) {
            c->plans[c->n_plans++] = p;
            p = NULL;
        }
    }
    atoll_plan_close(&p);
    return code;
}

/* A custom oracle has no board that could be changed. */
static int add_all_resolved(const struct atoll_plan_request *r, const struct atoll_robust_opts *o,
                            struct atoll_comparison *c, struct atoll_err *err)
{
    const uint32_t n = r->oracle ? 0 : o->resolves < o->draws ? o->resolves : o->draws;
    const int32_t best = c->best[r->objective];
    if (n == 0 || best < 0) {
        return 0;
    }
    struct atoll_plan **plans =
        atoll_realloc(c->plans, ((size_t)c->n_plans + n) * sizeof(struct atoll_plan *));
    if (!plans) {
        return atoll_fail_nomem(err, "plans of other boards", n * sizeof(struct atoll_plan *));
    }
    c->plans = plans;
    const enum atoll_family family = plans[best]->pipelines[0].stages[0].cost.family;
    int code = 0;
    for (uint32_t i = 0; i < n && code == 0; i++) {
        const struct draw d = draw_errors(o, i);
        code = add_resolved(r, &d, i, family, c, err);
    }
    return code;
}

/* ------------------------------------------------------------------------- counting */

/* values[n_rows][draws], NAN for plans that do not apply. */
static void count(const double *values, uint32_t draws, struct atoll_robustness *b)
{
    for (uint32_t d = 0; d < draws; d++) {
        double best = INFINITY;
        for (uint32_t i = 0; i < b->n_rows; i++) {
            best = fmin(best, values[(size_t)i * draws + d]);
        }
        for (uint32_t i = 0; i < b->n_rows; i++) {
            const double regret = values[(size_t)i * draws + d] / best - 1;
            struct atoll_robust_row *row = &b->rows[i];
            row->won_frac += regret <= 1e-9; /* a count so far */
            row->regret_mean_frac += regret / draws;
            row->regret_worst_frac =
                regret > row->regret_worst_frac ? regret : row->regret_worst_frac;
        }
    }
    b->least_mean = b->least_worst = -1;
    for (uint32_t i = 0; i < b->n_rows; i++) {
        struct atoll_robust_row *row = &b->rows[i];
        if (isnan(row->regret_mean_frac)) {
            *row = (struct atoll_robust_row){NAN, NAN, NAN};
            continue;
        }
        row->won_frac /= draws;
        if (b->least_mean < 0 || row->regret_mean_frac < b->rows[b->least_mean].regret_mean_frac) {
            b->least_mean = (int32_t)i;
        }
        if (b->least_worst < 0 ||
            row->regret_worst_frac < b->rows[b->least_worst].regret_worst_frac) {
            b->least_worst = (int32_t)i;
        }
    }
}

int atoll_plan_robustness(const struct atoll_plan_request *r, const struct atoll_robust_opts *o,
                          struct atoll_comparison *c, struct atoll_robustness *out,
                          struct atoll_err *err)
{
    if (!(o->error_frac >= 0 && o->error_frac <= 0.9) || o->draws < 1 || o->draws > 100000) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "errors of %g in %u draws: expected 0 to 0.9 in 1 to 100000 draws",
                          o->error_frac, o->draws);
    }
    int code = add_all_resolved(r, o, c, err);
    struct atoll_robustness b = {.n_rows = c->n_plans};
    double *values = atoll_calloc((size_t)c->n_plans * o->draws + 1, sizeof *values);
    b.rows = atoll_calloc((size_t)c->n_plans + 1, sizeof *b.rows);
    if (code == 0 && (!values || !b.rows)) {
        code = atoll_fail_nomem(err, "values of all draws", c->n_plans * o->draws * sizeof *values);
    }
    for (uint32_t i = 0; i < c->n_plans && code == 0; i++) {
        double *row = values + (size_t)i * o->draws;
        for (uint32_t d = 0; d < o->draws && c->plans[i]->skipped; d++) {
            row[d] = NAN;
        }
        code =
            c->plans[i]->skipped ? 0 : values_of(c->plans[i], r->board, r->objective, o, row, err);
    }
    if (code == 0) {
        count(values, o->draws, &b);
        *out = b;
    } else {
        atoll_robustness_finish(&b);
    }
    atoll_free(values);
    return code;
}

void atoll_robustness_finish(struct atoll_robustness *b)
{
    atoll_free(b->rows);
    b->rows = NULL;
    b->n_rows = 0;
}
