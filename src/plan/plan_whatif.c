/* SPDX-License-Identifier: Apache-2.0 */
/* What would change the choice: the platform with one thing changed, planned anew. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan_internal.h"

#define BETTER_FRAC 1e-3 /* another plan must be better by this to count as another choice */

/* ------------------------------------------------------------------------- changes */

enum changed { CHANGED_LINK, CHANGED_HOST, CHANGED_CLOCK, CHANGED_MEMORY, CHANGED_TPUS };
static const struct change {
    const char *name, *text;
    enum changed what;
    double factor; ///< on times; clock, memory: on the speed, the size
} changes[] = {
    {"link_twice", "the links were twice as fast", CHANGED_LINK, 0.5},
    {"link_half", "the links were half as fast", CHANGED_LINK, 2},
    {"host_twice", "the host's calls took half the time", CHANGED_HOST, 0.5},
    {"host_half", "the host's calls took twice the time", CHANGED_HOST, 2},
    {"clock_half", "the TPUs ran at half the clock", CHANGED_CLOCK, 0.5},
    {"memory_twice", "a TPU kept twice as many parameters", CHANGED_MEMORY, 2},
    {"memory_half", "a TPU kept half as many parameters", CHANGED_MEMORY, 0.5},
    {"one_tpu_less", "there were one TPU less", CHANGED_TPUS, 1},
};

static void scale(struct atoll_quantity *q, double factor)
{
    q->value *= factor;
}

static void change_board(struct atoll_board *b, const struct change *c)
{
    for (int i = 0; i < 4; i++) {
        struct atoll_drive_cost *d = &b->drive[i / 2][i % 2];
        if (c->what == CHANGED_LINK) {
            scale(&d->input_us_per_mib, c->factor);
            scale(&d->output_us_per_mib, c->factor);
        } else if (c->what == CHANGED_HOST) {
            scale(&d->call_us, c->factor);
            scale(&d->serial_us, c->factor);
            scale(&d->output_us_per_kpx, c->factor);
        }
    }
    if (c->what == CHANGED_LINK) {
        scale(&b->stream_us_per_mib, c->factor);
        scale(&b->load_us_per_mib, c->factor);
        scale(&b->shared_link_mib_per_s, 1 / c->factor);
    } else if (c->what == CHANGED_CLOCK) {
        scale(&b->clock_max_hz, c->factor);
        scale(&b->clock_standard_hz, c->factor);
    }
}

/* --------------------------------------------------------------------------- shapes */

static void put_pipeline(struct atoll_buf *b, const struct atoll_pipeline *pipe)
{
    bool many = false;
    for (uint32_t s = 0; s < pipe->n_stages; s++) {
        many = many || pipe->stages[s].n_tpus > 1;
    }
    atoll_buf_printf(b, "%u stage%s on ", pipe->n_stages, pipe->n_stages > 1 ? "s" : "");
    for (uint32_t s = 0; s < pipe->n_stages && (many || s == 0); s++) {
        atoll_buf_printf(b, s ? "+%u" : "%u", many ? pipe->stages[s].n_tpus : pipe->n_stages);
    }
    atoll_buf_puts(b, pipe->n_stages == 1 && !many ? " TPU" : " TPUs");
}

const char *atoll_plan_shape(const struct atoll_plan *p, char buf[160])
{
    struct atoll_buf b = {0};
    if (p->n_pipelines > 1) {
        atoll_buf_printf(&b, "%u pipelines: ", p->n_pipelines);
    }
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        atoll_buf_puts(&b, i ? ", " : "");
        put_pipeline(&b, &p->pipelines[i]);
    }
    const char *text = b.failed || !b.data ? "?" : b.data;
    const size_t n = strlen(text);
    snprintf(buf, 160, n < 160 ? "%s" : "%.150s...", text);
    atoll_buf_finish(&b);
    return buf;
}

/* ----------------------------------------------------------------------- planning */

/* The plan as it is, on the platform of the planner's request. */
static int keep_plan(struct atoll__planner *pl, const struct atoll_plan *p, double *figure,
                     struct atoll_err *err)
{
    struct atoll_plan *copy = NULL;
    int code = atoll__plan_create(&copy, err);
    if (code) {
        return code;
    }
    copy->use = p->use;
    copy->tpus = p->tpus;
    struct atoll__plan_draft d = {.planner = pl, .plan = copy, .tpus = p->tpus};
    for (uint32_t i = 0; i < p->n_pipelines && code == 0; i++) {
        const struct atoll_pipeline *pipe = &p->pipelines[i];
        struct atoll__draft_stage stages[ATOLL_TPUS_MAX];
        for (uint32_t s = 0; s < pipe->n_stages; s++) {
            stages[s] = (struct atoll__draft_stage){.ops = pipe->stages[s].ops,
                                                    .n_ops = pipe->stages[s].n_ops,
                                                    .replicas = pipe->stages[s].n_tpus};
        }
        code = atoll__draft_stages(&d, pipe->model, stages, pipe->n_stages, err);
    }
    if (code == 0) {
        atoll_plan_figures(copy, pl->request->board);
        *figure = atoll__plan_value(copy, pl->request->objective);
    }
    atoll_plan_close(&copy);
    return code;
}

/* A model's costs with another size of the parameter cache: every budget of the compiler, and the
 * largest dense layer that it keeps. */
static int change_cost(const struct atoll_cost *from, double factor, struct atoll_cost **to,
                       struct atoll_err *err)
{
    size_t n;
    const struct atoll_constant *names = atoll_constants(&n);
    double *values = atoll_calloc(n, sizeof *values);
    if (!values) {
        return atoll_fail_nomem(err, "constants of the chip", n * sizeof *values);
    }
    for (size_t i = 0; i < n; i++) {
        const bool size = strncmp(names[i].name, "budget_", 7) == 0 ||
                          strcmp(names[i].name, "dense_layer_max_mib") == 0;
        values[i] = atoll_cost_constant(from, names[i].name) * (size ? factor : 1);
    }
    const int code =
        atoll_cost_open_with(atoll_cost_model(from), atoll_cost_compiler(from), values, to, err);
    atoll_free(values);
    return code;
}

/* The plan as it is, and the best plan, for the changed request. */
static int compare_plans(const struct atoll_plan_request *q, const struct atoll_plan *p,
                         struct atoll_whatif *w, struct atoll_err *err)
{
    struct atoll__planner pl;
    struct atoll_plan *best = NULL;
    int code = atoll__planner_init(&pl, q, err);
    if (code) {
        return code;
    }
    if (p->tpus_used <= q->tpus) {
        code = keep_plan(&pl, p, &w->kept, err);
    }
    code = code ? code : atoll__plan_make(&pl, "exact", q->tpus, &best, err);
    if (code == 0 && !best->skipped) {
        const bool more = q->objective == ATOLL_OBJECTIVE_THROUGHPUT;
        w->best = atoll__plan_value(best, q->objective);
        w->gap_frac = best->gap_frac;
        w->another =
            isnan(w->kept) || (more ? w->best / w->kept : w->kept / w->best) > 1 + BETTER_FRAC;
        atoll_plan_shape(best, w->shape);
    }
    atoll_plan_close(&best);
    atoll__planner_finish(&pl);
    return code;
}

static int try_change(const struct atoll_plan_request *r, const struct atoll_plan *p,
                      const struct change *c, struct atoll_whatif *w, struct atoll_err *err)
{
    struct atoll_board board = *r->board;
    struct atoll_cost *costs[ATOLL_TPUS_MAX] = {NULL};
    struct atoll_plan_request q = *r;
    int code = 0;
    change_board(&board, c);
    q.board = &board;
    q.tpus = c->what == CHANGED_TPUS ? p->tpus_used - 1 : p->tpus;
    *w = (struct atoll_whatif){.change = c->name, .text = c->text, .kept = NAN, .best = NAN};
    for (uint32_t i = 0; c->what == CHANGED_MEMORY && i < r->n_models && code == 0; i++) {
        code = change_cost(r->models[i], c->factor, &costs[i], err);
        q.models = (const struct atoll_cost *const *)costs;
    }
    code = code ? code : compare_plans(&q, p, w, err);
    for (uint32_t i = 0; c->what == CHANGED_MEMORY && i < r->n_models; i++) {
        atoll_cost_close(&costs[i]);
    }
    return code;
}

int atoll_plan_whatif(const struct atoll_plan_request *r, const struct atoll_plan *p,
                      struct atoll_whatif out[ATOLL_WHATIFS_MAX], uint32_t *n,
                      struct atoll_err *err)
{
    int code = 0;
    *n = 0;
    if (r->oracle || r->rates_hz || p->skipped) {
        return 0;
    }
    for (size_t i = 0; i < sizeof changes / sizeof changes[0] && code == 0; i++) {
        if (changes[i].what == CHANGED_TPUS && p->tpus_used <= r->n_models) {
            continue;
        }
        code = try_change(r, p, &changes[i], &out[*n], err);
        *n += code == 0 && isfinite(out[*n].best);
    }
    return code;
}

/* ----------------------------------------------------------------------- slower inputs */

/* Energy above idle for each inference. Idle power is that of the board, whatever the plan. */
static double active_mj(const struct atoll_plan *p)
{
    double rate = 0, mw = 0;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        const struct atoll_pipeline *pipe = &p->pipelines[i];
        for (uint32_t s = 0; s < pipe->n_stages; s++) {
            mw += pipe->stages[s].cost.active_mj / pipe->interval_us;
        }
        rate += 1 / pipe->interval_us;
    }
    return mw / rate;
}

struct atoll_rate_limit atoll_plan_rate_limit(const struct atoll_comparison *c, uint32_t plan,
                                              enum atoll_objective o)
{
    const struct atoll_plan *p = c->plans[plan];
    struct atoll_rate_limit l = {.rate_hz = NAN, .other = -1, .kept = NAN, .better = NAN};
    if (p->skipped) {
        return l;
    }
    l.kept = o == ATOLL_OBJECTIVE_LATENCY      ? p->throughput_hz
             : o == ATOLL_OBJECTIVE_THROUGHPUT ? p->latency_us
                                               : active_mj(p);
    for (uint32_t i = 0; i < c->n_plans; i++) {
        const struct atoll_plan *q = c->plans[i];
        if (q->skipped || i == plan) {
            continue;
        }
        const double value = o == ATOLL_OBJECTIVE_LATENCY      ? q->throughput_hz
                             : o == ATOLL_OBJECTIVE_THROUGHPUT ? q->latency_us
                                                               : active_mj(q);
        const double than = l.other < 0 ? l.kept : l.better;
        if (o == ATOLL_OBJECTIVE_LATENCY ? value > than * (1 + BETTER_FRAC)
                                         : value < than * (1 - BETTER_FRAC)) {
            l.other = (int32_t)i;
            l.better = value;
            l.rate_hz = o == ATOLL_OBJECTIVE_LATENCY ? p->throughput_hz : q->throughput_hz;
        }
    }
    return l;
}
