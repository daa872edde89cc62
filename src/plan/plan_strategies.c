/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strategies. With several models, model i of Q has its own share of the TPUs (K / Q, the rest
 * one by one to the first models), and parts of a partition go to the models in turn.
 */
#include "plan_internal.h"
#include "rivals.h"

uint32_t atoll__draft_share(const struct atoll__plan_draft *d, uint32_t model)
{
    const uint32_t models = d->planner->request->n_models;
    return d->tpus / models + (model < d->tpus % models ? 1 : 0);
}

int atoll__draft_enough(const struct atoll__plan_draft *d, struct atoll_err *err)
{
    const uint32_t models = d->planner->request->n_models;
    if (models > d->tpus) {
        return atoll_fail(err, ATOLL_ENO, "%u models need at least %u TPUs, %u asked for", models,
                          models, d->tpus);
    }
    return 0;
}

/* -------------------------------------------------------------- single, replicas */

static int fill_copies(struct atoll__plan_draft *d, bool all, struct atoll_err *err)
{
    int code = atoll__draft_enough(d, err);
    for (uint32_t m = 0; code == 0 && m < d->planner->request->n_models; m++) {
        code = atoll__draft_pipeline(d, m, ATOLL__ORDER_FILE, NULL, 1,
                                     all ? atoll__draft_share(d, m) : 1, err);
    }
    return code;
}

static int fill_single(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err)
{
    (void)argument;
    return fill_copies(d, false, err);
}

static int fill_replicas(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err)
{
    (void)argument;
    return fill_copies(d, true, err);
}

/* ------------------------------------------------------------ vendor, partition */

static int fill_vendor(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err)
{
    (void)argument;
    int code = atoll__draft_enough(d, err);
    for (uint32_t m = 0; code == 0 && m < d->planner->request->n_models; m++) {
        code = atoll__draft_vendor(d, m, atoll__draft_share(d, m), err);
    }
    return code;
}

static int fill_partition(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err)
{
    uint32_t parts[ATOLL_TPUS_MAX], n = 0, total = 0;
    int code = atoll__plan_parse_parts(argument, parts, &n, err);
    if (code) {
        return code;
    }
    for (uint32_t i = 0; i < n; i++) {
        total += parts[i];
    }
    if (total > d->tpus) {
        return atoll_fail(err, ATOLL_EUSAGE, "partition:%s takes %u TPUs, %u asked for", argument,
                          total, d->tpus);
    }
    const uint32_t models = d->planner->request->n_models;
    if (d->tpus == 1) {
        return atoll_fail(err, ATOLL_ENO, "one TPU cannot be partitioned");
    }
    if (n < models) {
        return atoll_fail(err, ATOLL_ENO, "%u parts are too few for %u models", n, models);
    }
    for (uint32_t i = 0; code == 0 && i < n; i++) {
        code = atoll__draft_vendor(d, i % models, parts[i], err);
    }
    return code;
}

/* -------------------------------------------------------------- smallest resident */

/* Bytes that the compiler's n-stage pipeline sends again at every inference. */
static int streamed_bytes(struct atoll__planner *pl, uint32_t model, uint32_t n, uint64_t *bytes,
                          struct atoll_err *err)
{
    uint32_t starts[ATOLL_TPUS_MAX];
    int code = n > 1 ? atoll__planner_vendor_cuts(pl, model, n, starts, err) : 0;
    *bytes = 0;
    for (uint32_t i = 0; code == 0 && i < n; i++) {
        const struct atoll__plan_segment s = {
            .model = model,
            .order = n > 1 ? ATOLL__ORDER_VENDOR : ATOLL__ORDER_FILE,
            .begin = i == 0 ? 0 : starts[i - 1],
            .end = i + 1 == n ? pl->views[model].model->n_ops : starts[i],
        };
        struct atoll_stage_cost c;
        code = atoll__planner_cost(pl, &s, &c, err);
        *bytes += code ? 0 : c.off_chip_bytes;
    }
    return code;
}

/* The shortest pipeline that streams least. Streamed bytes may rise and fall again with the number
 * of stages, so every length is looked at; the first without streaming ends the search. */
static int smallest_resident_length(struct atoll__planner *pl, uint32_t model, uint32_t most,
                                    uint32_t *length, struct atoll_err *err)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t n = 1; n <= most && least > 0; n++) {
        uint64_t bytes = 0;
        const int code = streamed_bytes(pl, model, n, &bytes, err);
        if (code == ATOLL_ENO) {
            continue; /* the compiler gives no such pipeline */
        }
        if (code) {
            return code;
        }
        if (bytes < least) {
            least = bytes;
            *length = n;
        }
    }
    return 0;
}

static int fill_smallest_resident(struct atoll__plan_draft *d, const char *argument,
                                  struct atoll_err *err)
{
    (void)argument;
    int code = atoll__draft_enough(d, err);
    for (uint32_t m = 0; code == 0 && m < d->planner->request->n_models; m++) {
        const uint32_t share = atoll__draft_share(d, m);
        uint32_t length = 1;
        code = smallest_resident_length(d->planner, m, share, &length, err);
        for (uint32_t i = 0; code == 0 && i < share / length; i++) {
            code = atoll__draft_vendor(d, m, length, err);
        }
    }
    return code;
}

/* ---------------------------------------------------------------------------- cuts */

static int fill_cuts(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err)
{
    (void)argument;
    const struct atoll_plan_request *r = d->planner->request;
    if (r->n_models != 1) {
        return atoll_fail(err, ATOLL_EUSAGE, "cuts belong to one model, %u given", r->n_models);
    }
    const uint32_t n_ops = d->planner->views[0].model->n_ops;
    for (uint32_t i = 0; i < r->n_cuts; i++) {
        if (r->cuts[i] >= n_ops || r->cuts[i] <= (i ? r->cuts[i - 1] : 0)) {
            return atoll_fail(err, ATOLL_EUSAGE,
                              "cut %u at operator %u: expected ascending positions from 1 to %u",
                              i + 1, r->cuts[i], n_ops - 1);
        }
    }
    if (r->n_cuts >= d->tpus) {
        return atoll_fail(err, ATOLL_EUSAGE, "%u cuts make %u stages, %u TPUs asked for", r->n_cuts,
                          r->n_cuts + 1, d->tpus);
    }
    return atoll__draft_pipeline(d, 0, ATOLL__ORDER_FILE, r->cuts, r->n_cuts + 1, 1, err);
}

/* --------------------------------------------------------------------------- table */

const struct atoll__plan_strategy atoll__plan_strategies[] = {
    {.name = "single", .fill = fill_single},
    {.name = "replicas", .fill = fill_replicas},
    {.name = "vendor", .fill = fill_vendor, .rule_of = "edgetpu_compiler"},
    {.name = "partition",
     .argument = ATOLL__ARGUMENT_PARTS,
     .fill = fill_partition,
     .rule_of = "edgetpu_compiler"},
    {.name = "smallest_resident", .fill = fill_smallest_resident, .rule_of = "LAAS"},
    {.name = "exact", .argument = ATOLL__ARGUMENT_OBJECTIVE, .fill = atoll__fill_exact},
    {.name = "apart", .argument = ATOLL__ARGUMENT_SHARES, .fill = atoll__fill_apart},
    {.name = "cuts", .fill = fill_cuts},
    {.name = "libcoral_profiled",
     .fill = atoll__fill_libcoral_profiled,
     .rule_of = "libcoral",
     .rival = true},
    {.name = "depth_balanced",
     .fill = atoll__fill_depth_balanced,
     .rule_of = "Villarrubia et al.",
     .rival = true},
    {.name = "replicated_bottleneck",
     .fill = atoll__fill_replicated_bottleneck,
     .rule_of = "CodeProject.AI",
     .rival = true},
    {.name = NULL},
};

const char *const *atoll_plan_strategies(void)
{
    static const char *const names[] = {"single", "replicas", "vendor", "smallest_resident",
                                        "exact",  NULL};
    return names;
}
