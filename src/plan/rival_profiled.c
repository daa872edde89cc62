/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcoral's partition_with_profiling: bisection over a target time; each stage takes as many
 * operators as possible and loses some until it meets the target, the last one takes the rest. It
 * is greedy, judges a target by the last stage alone, and does not compare its result with the
 * compiler's cuts that it starts from. (google-coral/libcoral, profiling_based_partitioner.cc.)
 *
 * Two things differ. The tool starts its middle stages at the wrong place and therefore aborts on
 * five stages and more unless its search step is the number of stages less three, which is what its
 * users give it: so do we. And where it would go on without end, we stop after a count of probes.
 */
#include "rivals.h"

#include <math.h>
#include <string.h>

#define THRESHOLD_US 1000.0 /* --diff_threshold_ns */
/* Times asked for one target; the tool itself has no limit. */
#define PROBES_MAX 100000u

struct profiler {
    struct atoll__planner *planner;
    const struct atoll__profiling *how;
    uint32_t model, n_ops, n_stages, step;
    uint32_t last_min; ///< operators of the last stage at least: all outputs come from it
    uint32_t probes;
    uint32_t counts[ATOLL_TPUS_MAX]; ///< operators of each stage
    struct atoll_err *err;
};

/* The time of a stage, as a run of the pipeline shows it. */
static int stage_us(struct profiler *f, uint32_t begin, uint32_t count, uint32_t stage, double *us)
{
    const struct atoll__plan_segment s = {
        .model = f->model, .order = ATOLL__ORDER_VENDOR, .begin = begin, .end = begin + count};
    struct atoll_stage_cost c;
    const int code = atoll__planner_cost(f->planner, &s, &c, f->err);
    *us = code ? NAN : c.service_us * pow(f->how->growth, stage);
    *us /= stage == 0 ? f->how->first_divisor : 1;
    *us /= stage + 1 == f->n_stages ? f->how->last_divisor : 1;
    return code;
}

/* Fills counts[stage...] so that each but the last meets the target. ATOLL_ENO: there is none. */
static int search(struct profiler *f, uint32_t stage, uint32_t begin, double target_us)
{
    const uint32_t left = f->n_ops - begin;
    if (stage + 1 == f->n_stages) {
        f->counts[stage] = left;
        return 0;
    }
    const uint32_t others = (f->n_stages - 2 - stage) * f->step + f->last_min;
    if (left <= others) {
        return ATOLL_ENO;
    }
    for (uint32_t count = left - others; count > 0; count -= count < f->step ? count : f->step) {
        double us = 0;
        if (f->probes++ >= PROBES_MAX) {
            return ATOLL_ENO;
        }
        int code = stage_us(f, begin, count, stage, &us);
        if (code == 0 && us <= target_us) {
            f->counts[stage] = count;
            code = search(f, stage + 1, begin + count, target_us);
            if (code == 0) {
                return 0;
            }
        }
        if (code && code != ATOLL_ENO) {
            return code;
        }
    }
    return ATOLL_ENO;
}

/* What the last stage takes under a target; infinity when some other stage cannot meet it. */
static int last_us(struct profiler *f, double target_us, double *us)
{
    f->probes = 0;
    const int code = search(f, 0, 0, target_us);
    *us = INFINITY;
    if (code) {
        return code == ATOLL_ENO ? 0 : code;
    }
    const uint32_t count = f->counts[f->n_stages - 1];
    return stage_us(f, f->n_ops - count, count, f->n_stages - 1, us);
}

/* Fastest and slowest stage of the compiler's own cuts. */
static int bounds(struct profiler *f, double *low_us, double *high_us)
{
    uint32_t starts[ATOLL_TPUS_MAX];
    int code = atoll__planner_vendor_cuts(f->planner, f->model, f->n_stages, starts, f->err);
    *low_us = INFINITY;
    *high_us = 0;
    for (uint32_t i = 0; i < f->n_stages && code == 0; i++) {
        const uint32_t begin = i == 0 ? 0 : starts[i - 1];
        const uint32_t end = i + 1 == f->n_stages ? f->n_ops : starts[i];
        double us = 0;
        code = stage_us(f, begin, end - begin, i, &us);
        *low_us = fmin(*low_us, us);
        *high_us = fmax(*high_us, us);
    }
    return code;
}

static int bisect(struct profiler *f, double low_us, double high_us, uint32_t *best)
{
    bool found = false;
    while (fabs(high_us - low_us) > THRESHOLD_US) {
        const double target_us = (low_us + high_us) / 2;
        double us = 0;
        const int code = last_us(f, target_us, &us);
        if (code) {
            return code;
        }
        if (us < high_us) {
            found = true;
            memcpy(best, f->counts, f->n_stages * sizeof *best);
        }
        if (us < target_us) {
            high_us = target_us;
        } else {
            high_us = fmin(us, high_us);
            low_us = target_us;
        }
    }
    return found ? 0
                 : atoll_fail(f->err, ATOLL_ENO,
                              "none of its probes met the target, so it ends without a result");
}

static bool is_read(const struct atoll_model *m, uint32_t op)
{
    bool read = false;
    for (uint32_t i = 0; i < m->ops[op].n_outputs; i++) {
        read = read || m->tensors[m->ops[op].outputs[i]].n_consumers > 0;
    }
    return read;
}

/* Operators from the first one whose results nobody reads: the last stage must hold them. */
static int count_last(struct profiler *f)
{
    const uint32_t *order = atoll__planner_order(f->planner, f->model, ATOLL__ORDER_VENDOR, f->err);
    const struct atoll_model *m = f->planner->views[f->model].model;
    if (!order) {
        return f->err ? f->err->code : ATOLL_ENOMEM;
    }
    uint32_t first = 0;
    while (first < f->n_ops && is_read(m, order[first])) {
        first++;
    }
    const uint32_t sinks = f->n_ops - first;
    f->last_min = sinks > f->step ? sinks : f->step;
    return 0;
}

int atoll__profiled_cuts(struct atoll__planner *pl, uint32_t model, uint32_t n_stages,
                         const struct atoll__profiling *how, uint32_t *starts,
                         struct atoll_err *err)
{
    struct profiler f = {.planner = pl,
                         .how = how,
                         .model = model,
                         .n_ops = pl->views[model].model->n_ops,
                         .n_stages = n_stages,
                         .step = n_stages > 4 ? n_stages - 3 : 1,
                         .err = err};
    uint32_t counts[ATOLL_TPUS_MAX];
    double low_us = 0, high_us = 0;
    int code = bounds(&f, &low_us, &high_us);
    code = code ? code : count_last(&f);
    if (code) {
        return code;
    }
    if (high_us - low_us <= THRESHOLD_US) {
        return atoll_fail(
            err, ATOLL_ENO,
            "the stages of the compiler's cuts differ by %.2f ms, at most %.0f ms: it "
            "ends without a result",
            (high_us - low_us) / 1e3, THRESHOLD_US / 1e3);
    }
    code = bisect(&f, low_us, high_us, counts);
    for (uint32_t i = 0, at = 0; i + 1 < n_stages && code == 0; i++) {
        starts[i] = at += counts[i];
    }
    return code;
}

int atoll__fill_libcoral_profiled(struct atoll__plan_draft *d, const char *argument,
                                  struct atoll_err *err)
{
    (void)argument;
    const struct atoll__profiling plain = {.first_divisor = 1, .last_divisor = 1, .growth = 1};
    int code = atoll__draft_enough(d, err);
    for (uint32_t m = 0; code == 0 && m < d->planner->request->n_models; m++) {
        uint32_t starts[ATOLL_TPUS_MAX];
        const uint32_t n = atoll__draft_share(d, m);
        if (n < 2) {
            return atoll_fail(err, ATOLL_ENO, "one TPU needs no cut");
        }
        code = atoll__profiled_cuts(d->planner, m, n, &plain, starts, err);
        code = code ? code : atoll__draft_pipeline(d, m, ATOLL__ORDER_VENDOR, starts, n, 1, err);
    }
    return code;
}
