/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search of CodeProject.AI: for every number of stages and each of 11 families of cuts, TPUs
 * start in turn on the stages and are moved to the slowest while that helps by more than 1 ms; what
 * has the highest throughput stays. There it runs 2000 inferences on a machine for each; here the
 * planner's figures are asked. (codeproject/CodeProject.AI-ObjectDetectionCoral,
 * segment_and_test.py and tpu_runner.py.)
 */
#include "rivals.h"

#include <math.h>
#include <string.h>

#define WORTHWHILE_US 1000.0

/* Its families beside the compiler's own cuts. */
static const struct atoll__profiling families[] = {
    {.first_divisor = 1, .last_divisor = 1, .growth = 1},
    {.first_divisor = 1.33, .last_divisor = 1, .growth = 1},
    {.first_divisor = 1.5, .last_divisor = 1, .growth = 1},
    {.first_divisor = 1.66, .last_divisor = 1, .growth = 1},
    {.first_divisor = 2, .last_divisor = 1, .growth = 1},
    {.first_divisor = 3, .last_divisor = 1, .growth = 1},
    {.first_divisor = 4, .last_divisor = 1, .growth = 1},
    {.first_divisor = 1, .last_divisor = 1.5, .growth = 1},
    {.first_divisor = 1, .last_divisor = 2, .growth = 1},
    {.first_divisor = 1, .last_divisor = 1, .growth = 0.97},
};
#define FAMILIES (sizeof families / sizeof families[0])

struct choice {
    uint32_t n_stages;
    uint32_t starts[ATOLL_TPUS_MAX], replicas[ATOLL_TPUS_MAX];
    double throughput_hz;
};

/* Moves TPUs from the stage that misses one least to the slowest, at most twice their number. */
static void place(const double *stage_us, uint32_t n_stages, uint32_t tpus, uint32_t *replicas)
{
    for (uint32_t i = 0; i < n_stages; i++) {
        replicas[i] = tpus / n_stages + (i < tpus % n_stages ? 1 : 0);
    }
    for (uint32_t moves = 0; moves < 2 * tpus; moves++) {
        uint32_t slowest = 0, giver = n_stages;
        for (uint32_t i = 1; i < n_stages; i++) {
            slowest =
                stage_us[i] / replicas[i] > stage_us[slowest] / replicas[slowest] ? i : slowest;
        }
        for (uint32_t i = 0; i < n_stages; i++) {
            if (i != slowest && replicas[i] > 1 &&
                (giver == n_stages ||
                 stage_us[i] / (replicas[i] - 1) < stage_us[giver] / (replicas[giver] - 1))) {
                giver = i;
            }
        }
        const double now_us = stage_us[slowest] / replicas[slowest];
        if (giver == n_stages || now_us - fmax(stage_us[slowest] / (replicas[slowest] + 1),
                                               stage_us[giver] / (replicas[giver] - 1)) <=
                                     WORTHWHILE_US) {
            return;
        }
        replicas[slowest]++;
        replicas[giver]--;
    }
}

static int draft(struct atoll__plan_draft *d, uint32_t model, const struct choice *c,
                 struct atoll_err *err)
{
    struct atoll__draft_stage stages[ATOLL_TPUS_MAX];
    const enum atoll__plan_order o = c->n_stages > 1 ? ATOLL__ORDER_VENDOR : ATOLL__ORDER_FILE;
    const uint32_t *order = atoll__planner_order(d->planner, model, o, err);
    for (uint32_t i = 0; order && i < c->n_stages; i++) {
        const uint32_t begin = i == 0 ? 0 : c->starts[i - 1];
        const uint32_t end =
            i + 1 == c->n_stages ? d->planner->views[model].model->n_ops : c->starts[i];
        stages[i] = (struct atoll__draft_stage){
            .ops = order + begin, .n_ops = end - begin, .replicas = c->replicas[i]};
    }
    return order ? atoll__draft_stages(d, model, stages, c->n_stages, err)
           : err ? err->code
                 : ATOLL_ENOMEM;
}

/* The throughput of a choice alone on its TPUs, and with it its replicas. */
static int judge(struct atoll__plan_draft *d, uint32_t model, uint32_t tpus, struct choice *c,
                 struct atoll_err *err)
{
    double stage_us[ATOLL_TPUS_MAX] = {0};
    struct atoll_plan *p = NULL;
    int code = 0;
    for (uint32_t i = 0; i < c->n_stages && code == 0; i++) {
        const struct atoll__plan_segment s = {
            .model = model,
            .order = ATOLL__ORDER_VENDOR,
            .begin = i == 0 ? 0 : c->starts[i - 1],
            .end = i + 1 == c->n_stages ? d->planner->views[model].model->n_ops : c->starts[i]};
        struct atoll_stage_cost cost;
        code = atoll__planner_cost(d->planner, &s, &cost, err);
        stage_us[i] = code ? 0 : cost.service_us;
    }
    place(stage_us, c->n_stages, tpus, c->replicas);
    code = code ? code : atoll__plan_create(&p, err);
    if (code == 0) {
        p->use = d->plan->use;
        struct atoll__plan_draft alone = {.planner = d->planner, .plan = p, .tpus = tpus};
        code = draft(&alone, model, c, err);
    }
    if (code == 0) {
        atoll_plan_figures(p, d->planner->request->board);
        c->throughput_hz = p->throughput_hz;
    }
    atoll_plan_close(&p);
    return code;
}

/* Keeps the better of *best and the cuts of a family into n stages; a family without a result is
 * passed over. */
static int try_family(struct atoll__plan_draft *d, uint32_t model, uint32_t tpus, uint32_t n,
                      const struct atoll__profiling *family, struct choice *best,
                      struct atoll_err *err)
{
    struct choice c = {.n_stages = n};
    struct atoll_err why = {0};
    int code = 0;
    if (n > 1) {
        code = family ? atoll__profiled_cuts(d->planner, model, n, family, c.starts, &why)
                      : atoll__planner_vendor_cuts(d->planner, model, n, c.starts, &why);
    }
    if (code) {
        return code == ATOLL_ENO ? 0 : atoll_fail(err, code, "%s", why.text);
    }
    code = judge(d, model, tpus, &c, err);
    if (code == 0 && c.throughput_hz > best->throughput_hz) {
        *best = c;
    }
    return code;
}

int atoll__fill_replicated_bottleneck(struct atoll__plan_draft *d, const char *argument,
                                      struct atoll_err *err)
{
    (void)argument;
    int code = atoll__draft_enough(d, err);
    for (uint32_t m = 0; code == 0 && m < d->planner->request->n_models; m++) {
        const uint32_t tpus = atoll__draft_share(d, m);
        struct choice best = {.throughput_hz = 0};
        for (uint32_t n = 1; n <= tpus && code == 0; n++) {
            code = try_family(d, m, tpus, n, NULL, &best, err);
            for (size_t f = 0; f < FAMILIES && n > 1 && code == 0; f++) {
                code = try_family(d, m, tpus, n, &families[f], &best, err);
            }
        }
        code = code ? code : draft(d, m, &best, err);
    }
    return code;
}
