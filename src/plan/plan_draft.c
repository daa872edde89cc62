/* SPDX-License-Identifier: Apache-2.0 */
/* Plans under construction: pipelines of ranges of an order, TPUs given away in turn. */
#include "plan_internal.h"

#include <math.h>
#include <string.h>

int atoll__plan_create(struct atoll_plan **plan, struct atoll_err *err)
{
    struct atoll_plan *p = atoll_calloc(1, sizeof *p);
    struct atoll_arena *arena = atoll_calloc(1, sizeof *arena);
    if (!p || !arena) {
        atoll_free(p);
        atoll_free(arena);
        return atoll_fail_nomem(err, "a plan", sizeof *p + sizeof *arena);
    }
    atoll_arena_init(arena);
    p->arena = arena;
    p->latency_us = p->latency_u95_us = p->latency_worst_us = NAN;
    p->interval_us = p->throughput_hz = p->throughput_u95_hz = NAN;
    p->energy_mj = p->energy_u95_mj = p->lower_bound = p->gap_frac = NAN;
    p->headroom = p->power_w = p->utilisation_max_frac = p->latency_mean_us = NAN;
    *plan = p;
    return 0;
}

void atoll_plan_close(struct atoll_plan **p)
{
    if (!p || !*p) {
        return;
    }
    struct atoll_arena *arena = (*p)->arena;
    atoll_arena_finish(arena);
    atoll_free(arena);
    atoll_free(*p);
    *p = NULL;
}

/* The array of pipelines doubles inside the arena; a plan has at most ATOLL_TPUS_MAX of them. */
static struct atoll_pipeline *add_pipeline(struct atoll_plan *p)
{
    const uint32_t n = p->n_pipelines;
    if ((n & (n - 1)) == 0) {
        struct atoll_pipeline *grown =
            atoll_arena_array(p->arena, n ? 2 * (size_t)n : 1, sizeof *grown);
        if (!grown) {
            return NULL;
        }
        if (n) {
            memcpy(grown, p->pipelines, n * sizeof *grown);
        }
        p->pipelines = grown;
    }
    return &p->pipelines[p->n_pipelines++];
}

/* The next TPU that may be used. What one TPU more would bring is asked past the board's end. */
static uint32_t take_tpu(struct atoll__plan_draft *d)
{
    const uint64_t without = d->planner->request->without;
    while (d->next_tpu < 64 && (without >> d->next_tpu & 1)) {
        d->next_tpu++;
    }
    return d->next_tpu++;
}

static int place_stage(struct atoll__plan_draft *d, struct atoll_stage *st,
                       const struct atoll__draft_stage *s, struct atoll_err *err)
{
    st->n_ops = s->n_ops;
    st->n_tpus = s->replicas;
    st->ops = atoll_arena_array(d->plan->arena, st->n_ops, sizeof *st->ops);
    st->tpus = atoll_arena_array(d->plan->arena, st->n_tpus, sizeof *st->tpus);
    if (!st->ops || !st->tpus) {
        return atoll_fail_nomem(err, "a stage", (st->n_ops + (size_t)st->n_tpus) * sizeof *st->ops);
    }
    memcpy(st->ops, s->ops, st->n_ops * sizeof *st->ops);
    for (uint32_t i = 0; i < st->n_tpus; i++) {
        st->tpus[i] = take_tpu(d);
    }
    d->plan->tpus_used += st->n_tpus;
    return 0;
}

/* An empty pipeline with room for its stages. */
static struct atoll_pipeline *begin_pipeline(struct atoll__plan_draft *d, uint32_t model,
                                             uint32_t n_stages, struct atoll_err *err)
{
    struct atoll_pipeline *pipe = add_pipeline(d->plan);
    struct atoll_stage *stages = atoll_arena_array(d->plan->arena, n_stages, sizeof *stages);
    if (!pipe || !stages) {
        atoll_fail_nomem(err, "a pipeline", n_stages * sizeof *stages);
        return NULL;
    }
    *pipe = (struct atoll_pipeline){.model = model,
                                    .stages = stages,
                                    .n_stages = n_stages,
                                    .latency_us = NAN,
                                    .interval_us = NAN};
    return pipe;
}

int atoll__draft_stages(struct atoll__plan_draft *d, uint32_t model,
                        const struct atoll__draft_stage *stages, uint32_t n_stages,
                        struct atoll_err *err)
{
    const struct atoll_oracle *oracle = &d->planner->oracle;
    struct atoll_pipeline *pipe = begin_pipeline(d, model, n_stages, err);
    int code = pipe ? 0 : ATOLL_ENOMEM;
    for (uint32_t i = 0; code == 0 && i < n_stages; i++) {
        code = place_stage(d, &pipe->stages[i], &stages[i], err);
        if (code == 0) {
            code = oracle->stage(oracle->user, model, stages[i].ops, stages[i].n_ops,
                                 &pipe->stages[i].cost, err);
        }
    }
    return code;
}

int atoll__draft_pipeline(struct atoll__plan_draft *d, uint32_t model, enum atoll__plan_order order,
                          const uint32_t *starts, uint32_t n_stages, uint32_t replicas,
                          struct atoll_err *err)
{
    const uint32_t *ops = atoll__planner_order(d->planner, model, order, err);
    struct atoll_pipeline *pipe = ops ? begin_pipeline(d, model, n_stages, err) : NULL;
    int code = pipe ? 0 : err ? err->code : ATOLL_ENOMEM;
    for (uint32_t i = 0; code == 0 && i < n_stages; i++) {
        const struct atoll__plan_segment s = {
            .model = model,
            .order = order,
            .begin = i == 0 ? 0 : starts[i - 1],
            .end = i + 1 == n_stages ? d->planner->views[model].model->n_ops : starts[i],
        };
        const struct atoll__draft_stage st = {
            .ops = ops + s.begin, .n_ops = s.end - s.begin, .replicas = replicas};
        code = place_stage(d, &pipe->stages[i], &st, err);
        if (code == 0) {
            code = atoll__planner_cost(d->planner, &s, &pipe->stages[i].cost, err);
        }
    }
    return code;
}

int atoll__draft_vendor(struct atoll__plan_draft *d, uint32_t model, uint32_t n_stages,
                        struct atoll_err *err)
{
    /* One stage has no cut, so the order of the file serves as well and reads better. */
    if (n_stages == 1) {
        return atoll__draft_pipeline(d, model, ATOLL__ORDER_FILE, NULL, 1, 1, err);
    }
    uint32_t starts[ATOLL_TPUS_MAX];
    const int code = atoll__planner_vendor_cuts(d->planner, model, n_stages, starts, err);
    return code ? code
                : atoll__draft_pipeline(d, model, ATOLL__ORDER_VENDOR, starts, n_stages, 1, err);
}
