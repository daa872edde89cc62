/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depth-balanced slicing (Villarrubia et al., J. Supercomputing 2025, arXiv 2503.01035; known from
 * its abstract): operators are grouped by depth, cuts stand between depths only, the largest stage
 * by parameter bytes is as small as possible; then cuts are shifted by the compiler's memory report
 * until nothing streams or nothing improves. As many stages as TPUs.
 */
#include "rivals.h"

/* depth[n_ops]: the longest distance from the input; operators stand in executable order. */
static uint32_t fill_depths(const struct atoll_model *m, uint32_t *depth)
{
    uint32_t deepest = 0;
    for (uint32_t v = 0; v < m->n_ops; v++) {
        depth[v] = 0;
        for (uint32_t i = 0; i < m->ops[v].n_inputs; i++) {
            const int32_t t = m->ops[v].inputs[i];
            const int32_t from = t < 0 ? -1 : m->tensors[t].producer;
            if (from >= 0 && depth[from] + 1 > depth[v]) {
                depth[v] = depth[from] + 1;
            }
        }
        deepest = depth[v] > deepest ? depth[v] : deepest;
    }
    return deepest;
}

int atoll__depth_order(const struct atoll_model *m, uint32_t *order, struct atoll_err *err)
{
    uint32_t *depth = atoll_calloc((size_t)m->n_ops + 1, sizeof *depth);
    if (!depth) {
        return atoll_fail_nomem(err, "depths of operators", m->n_ops * sizeof *depth);
    }
    const uint32_t deepest = fill_depths(m, depth);
    for (uint32_t level = 0, n = 0; level <= deepest; level++) {
        for (uint32_t v = 0; v < m->n_ops; v++) {
            if (depth[v] == level) {
                order[n++] = v;
            }
        }
    }
    atoll_free(depth);
    return 0;
}

/* The levels of a model as a chain. */
struct levels {
    struct atoll__planner *planner;
    uint32_t model, n;
    uint32_t *start; ///< n + 1 positions in ATOLL__ORDER_DEPTH
    uint64_t *bytes; ///< n + 1: parameters before each level
};

static void levels_finish(struct levels *l)
{
    atoll_free(l->start);
    atoll_free(l->bytes);
}

static uint64_t parameter_bytes(const struct atoll_model *m, uint32_t op)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < m->ops[op].n_inputs; i++) {
        const int32_t t = m->ops[op].inputs[i];
        bytes += t >= 0 && m->tensors[t].is_constant ? m->tensors[t].bytes : 0;
    }
    return bytes;
}

static int levels_make(struct levels *l, struct atoll_err *err)
{
    const struct atoll_model *m = l->planner->views[l->model].model;
    const uint32_t *order = atoll__planner_order(l->planner, l->model, ATOLL__ORDER_DEPTH, err);
    uint32_t *depth = atoll_calloc((size_t)m->n_ops + 1, sizeof *depth);
    l->start = atoll_calloc((size_t)m->n_ops + 1, sizeof *l->start);
    l->bytes = atoll_calloc((size_t)m->n_ops + 1, sizeof *l->bytes);
    if (!order || !depth || !l->start || !l->bytes) {
        atoll_free(depth);
        return order ? atoll_fail_nomem(err, "levels of a model", m->n_ops * sizeof *depth)
               : err ? err->code
                     : ATOLL_ENOMEM;
    }
    l->n = fill_depths(m, depth) + 1;
    for (uint32_t i = 0; i < m->n_ops; i++) {
        l->bytes[depth[order[i]] + 1] += parameter_bytes(m, order[i]);
        l->start[depth[order[i]] + 1] = i + 1;
    }
    for (uint32_t i = 1; i <= l->n; i++) {
        l->bytes[i] += l->bytes[i - 1];
    }
    atoll_free(depth);
    return 0;
}

/* ends[stages]: the level behind each stage, the largest stage by bytes as small as possible; ties
 * end early. F[s][j] = min over i of max(F[s-1][i], bytes(i..j)), kept for all s. */
static int balance(const struct levels *l, uint32_t stages, uint32_t *ends, struct atoll_err *err)
{
    const size_t row = (size_t)l->n + 1;
    uint64_t *best = atoll_calloc(row * (stages + 1), sizeof *best);
    uint32_t *from = atoll_calloc(row * (stages + 1), sizeof *from);
    if (!best || !from) {
        atoll_free(best);
        atoll_free(from);
        return atoll_fail_nomem(err, "balanced cuts", row * (stages + 1) * sizeof *best);
    }
    for (uint32_t j = 1; j <= l->n; j++) {
        best[row + j] = l->bytes[j];
    }
    for (uint32_t s = 2; s <= stages; s++) {
        for (uint32_t j = s; j <= l->n; j++) {
            best[s * row + j] = UINT64_MAX;
            for (uint32_t i = s - 1; i < j; i++) {
                const uint64_t last = l->bytes[j] - l->bytes[i], before = best[(s - 1) * row + i];
                const uint64_t most = last > before ? last : before;
                if (most < best[s * row + j]) {
                    best[s * row + j] = most;
                    from[s * row + j] = i;
                }
            }
        }
    }
    for (uint32_t s = stages, at = l->n; s > 0; s--) {
        ends[s - 1] = at;
        at = from[s * row + at];
    }
    atoll_free(best);
    atoll_free(from);
    return 0;
}

static int streamed(const struct levels *l, const uint32_t *ends, uint32_t stages, uint64_t *bytes,
                    struct atoll_err *err)
{
    int code = 0;
    *bytes = 0;
    for (uint32_t s = 0; s < stages && code == 0; s++) {
        const struct atoll__plan_segment segment = {.model = l->model,
                                                    .order = ATOLL__ORDER_DEPTH,
                                                    .begin = s ? l->start[ends[s - 1]] : 0,
                                                    .end = l->start[ends[s]]};
        struct atoll_stage_cost c;
        code = atoll__planner_cost(l->planner, &segment, &c, err);
        *bytes += code ? 0 : c.off_chip_bytes;
    }
    return code;
}

/* Of all shifts of one cut by one level the one that streams least, while it streams less. */
static int repair(const struct levels *l, uint32_t *ends, uint32_t stages, struct atoll_err *err)
{
    uint64_t now = 0;
    int code = streamed(l, ends, stages, &now, err);
    for (bool better = true; code == 0 && now > 0 && better;) {
        uint32_t cut = 0, to = 0;
        better = false;
        for (uint32_t i = 0; i < 2 * (stages - 1) && code == 0; i++) {
            const uint32_t c = i / 2, was = ends[c], low = c ? ends[c - 1] : 0;
            const uint32_t shifted = i % 2 ? was + 1 : was - 1;
            uint64_t then = 0;
            if (shifted <= low || shifted >= ends[c + 1]) {
                continue;
            }
            ends[c] = shifted;
            code = streamed(l, ends, stages, &then, err);
            ends[c] = was;
            if (code == 0 && then < now) {
                now = then;
                cut = c;
                to = shifted;
                better = true;
            }
        }
        if (better && code == 0) {
            ends[cut] = to;
        }
    }
    return code;
}

static int fill_model(struct atoll__plan_draft *d, uint32_t model, struct atoll_err *err)
{
    const uint32_t stages = atoll__draft_share(d, model);
    uint32_t ends[ATOLL_TPUS_MAX];
    struct levels l = {.planner = d->planner, .model = model};
    int code = levels_make(&l, err);
    if (code == 0 && stages > l.n) {
        code = atoll_fail(err, ATOLL_ENO, "%u stages are more than the %u depths of %s", stages,
                          l.n, d->planner->views[model].model->path);
    }
    code = code ? code : balance(&l, stages, ends, err);
    code = code ? code : repair(&l, ends, stages, err);
    for (uint32_t s = 0; code == 0 && s < stages; s++) {
        ends[s] = l.start[ends[s]]; /* where the next stage begins */
    }
    code = code ? code : atoll__draft_pipeline(d, model, ATOLL__ORDER_DEPTH, ends, stages, 1, err);
    levels_finish(&l);
    return code;
}

int atoll__fill_depth_balanced(struct atoll__plan_draft *d, const char *argument,
                               struct atoll_err *err)
{
    (void)argument;
    int code = atoll__draft_enough(d, err);
    for (uint32_t m = 0; code == 0 && m < d->planner->request->n_models; m++) {
        code = fill_model(d, m, err);
    }
    return code;
}
