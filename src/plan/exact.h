/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file exact.h
 * What the files of strategy `exact` share: the state of one solve, with the best plan so far.
 */
#ifndef ATOLL_PLAN_EXACT_H
#define ATOLL_PLAN_EXACT_H

#include "mix.h"
#include "plan_internal.h"
#include "search.h"

/** A pipeline that may become part of the plan. */
struct atoll__exact_candidate {
    struct atoll__draft_stage *stages;
    uint32_t n_stages;
};

struct atoll__exact {
    struct atoll__plan_draft *draft;
    uint32_t model;
    const struct atoll_board *board;
    enum atoll_objective objective;
    struct atoll__plan_keep keep;
    enum atoll__floor_kind floor_kind; ///< the figure that the objective rests on; BOTH: any
    struct atoll__dag dag;
    struct atoll__lattice full, coarse;
    struct atoll__spans spans_full, spans_coarse;
    struct atoll__memo memo_full, memo_coarse;
    struct atoll__search template;
    double copy_us;
    double coarse_value[ATOLL_TPUS_MAX + 1]; ///< best of each number of streams at block boundaries
    double lower; ///< no plan has less than this: least bound of the rounds on the full lattice
    struct atoll_arena arena; ///< of the best plan's stages
    struct atoll__exact_candidate best[ATOLL_TPUS_MAX];
    uint32_t n_best;
    double value; ///< us per inference, us of latency, or mJ; INFINITY: none yet
};

/** Graph, lattices and the template of searches; the caller has set draft, model, board, objective,
 * keep and copy_us. Finish in every case. */
int atoll__exact_prepare(struct atoll__exact *x, struct atoll_err *err);
void atoll__exact_finish(struct atoll__exact *x);
/** Copies a stage into x->arena. */
int atoll__exact_keep_stage(struct atoll__exact *x, struct atoll__draft_stage *out,
                            const uint32_t *ops, uint32_t n_ops, uint32_t replicas,
                            struct atoll_err *err);
/** Adds a pipeline with room for its stages to the best plan; NULL: no memory. */
struct atoll__exact_candidate *atoll__exact_keep_candidate(struct atoll__exact *x,
                                                           uint32_t n_stages,
                                                           struct atoll_err *err);
/** A pipeline of these criteria (enum atoll__criterion) as an item of a mix. */
struct atoll__mix_item atoll__exact_item(const struct atoll__exact *x, const double *crit,
                                         uint32_t tpus, uint32_t source);
/** The best mix of these items; *better when it beats what is known, and then its value is kept and
 * the best plan emptied. */
int atoll__exact_best_mix(struct atoll__exact *x, const struct atoll__mix_item *items, uint32_t n,
                          uint32_t streams, struct atoll__mix *mix, bool *better,
                          struct atoll_err *err);
/** Pipelines of the compiler's cuts, of every length, in the best mix: every partition among them.
 * So the result is never worse than those rivals, and the later rounds have something to beat. */
int atoll__exact_vendor_round(struct atoll__exact *x, uint32_t streams, struct atoll_err *err);

#endif
