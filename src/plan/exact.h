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

/** Widths of stages with a bound of their own, at most. */
#define ATOLL__EXACT_WIDTHS 16

/** Least intervals, from floors, of pipelines whose stages have up to w replicas, with `streams` in
 * all side by side. INFINITY: none is part of a plan better than the best known when they were
 * made. */
struct atoll__exact_widths {
    uint32_t n, streams;                                      ///< n = 0: not made
    uint32_t w[ATOLL__EXACT_WIDTHS];                          ///< ascending
    double least_us[ATOLL__EXACT_WIDTHS][ATOLL_TPUS_MAX + 1]; ///< by width and TPUs
};

struct atoll__exact {
    struct atoll__plan_draft *draft;
    uint32_t model;
    const struct atoll_board *board;
    enum atoll_objective objective;
    struct atoll__plan_keep keep;
    enum atoll__floor_kind floor_kind; ///< the figure that the objective rests on; BOTH: any
    struct atoll__dag dag;
    uint32_t sets_max; ///< down-sets at most: pairs of them are looked at
    struct atoll__lattice full, coarse;
    struct atoll__spans spans_full, spans_coarse;
    bool is_glued;                 ///< then `relaxed` bounds what other cuts could give
    struct atoll__lattice relaxed; ///< the cuts of `full`, glued operators at no cost
    struct atoll__spans spans_relaxed;
    double glued_work_us; ///< of the glued operators; a latency holds it wherever they are
    struct atoll__memo memo_full, memo_coarse;
    struct atoll__search template;
    double copy_us;
    double vendor[ATOLL_TPUS_MAX + 1][ATOLL__CRITERIA]; ///< the compiler's pipelines by length
    bool vendor_listed;
    struct atoll__exact_widths widths;       ///< of one stream
    double coarse_value[ATOLL_TPUS_MAX + 1]; ///< best of each number of streams at block boundaries
    double round_lower; ///< no plan of the round at hand has less, from bounds made before it
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
/** Cuts, stages and segment costs: freed, or handed to the planner for its next solve and taken
 * from there. unstash is false when there is nothing to take. */
void atoll__exact_free_ground(struct atoll__exact *x);
void atoll__exact_stash(struct atoll__exact *x);
bool atoll__exact_unstash(struct atoll__exact *x);
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
/** Every down-set of x->dag, or as many as sets_max allows: fills the lattices and their spans. */
int atoll__exact_cuts(struct atoll__exact *x, struct atoll_err *err);
/** Fills widths for a goal, where the full lattice is complete or there is a relaxed one. */
int atoll__exact_make_widths(struct atoll__exact *x, const struct atoll__goal *goal,
                             uint32_t streams, struct atoll__exact_widths *out,
                             struct atoll_err *err);
/** With `streams` in all, not fewer than those of the widths: the most inferences per us that
 * others can give beside a pipeline, by TPUs, and the least interval of all together. */
void atoll__exact_rates(const struct atoll__exact *x, const struct atoll__exact_widths *widths,
                        uint32_t streams, double *others_rate, double *lower_us);
/** No plan for throughput or energy is below this, because of the host's lock and threads; 0: not
 * known. waiting_mw: power of the board with all TPUs idle. */
int atoll__exact_load_lower(struct atoll__exact *x, double waiting_mw, double *lower,
                            struct atoll_err *err);
/** Pipelines of the compiler's cuts, of every length, in the best mix: every partition among them.
 * So the result is never worse than those rivals, and the later rounds have something to beat. */
int atoll__exact_vendor_round(struct atoll__exact *x, uint32_t streams, struct atoll_err *err);

#endif
