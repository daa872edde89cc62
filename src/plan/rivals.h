/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rivals.h
 * Published searches for segmentations, emulated over the same costs as everything else, so that a
 * comparison shows rules and not cost models. Each at the level at which it is stated; what is
 * left out stands in docs/method-plan.md.
 */
#ifndef ATOLL_RIVALS_H
#define ATOLL_RIVALS_H

#include "plan_internal.h"

/** How libcoral's profiling partitioner sees the stages' times, and how far it goes. CodeProject.AI
 * ran patched copies of it that divide the time of the first or last stage, so that this stage
 * becomes longer on purpose, to be replicated. */
struct atoll__profiling {
    double first_divisor, last_divisor; ///< 1: as measured
    double growth; ///< 1: even; below 1: each further stage looks faster by this factor
};
/** Start positions (n_stages - 1, in vendor order) that the bisection over the target time ends
 * with. ATOLL_ENO: it ends without a result, err says why. */
int atoll__profiled_cuts(struct atoll__planner *pl, uint32_t model, uint32_t n_stages,
                         const struct atoll__profiling *how, uint32_t *starts,
                         struct atoll_err *err);

/** order[n_ops]: operators by depth, the longest distance from the input, then by number. */
int atoll__depth_order(const struct atoll_model *m, uint32_t *order, struct atoll_err *err);

/** libcoral, `partition_with_profiling` with its defaults. */
int atoll__fill_libcoral_profiled(struct atoll__plan_draft *d, const char *argument,
                                  struct atoll_err *err);
/** Cuts between depths only, the largest stage by parameter bytes as small as possible, then
 * shifted while that takes parameters out of host memory (Villarrubia et al., arXiv 2503.01035). */
int atoll__fill_depth_balanced(struct atoll__plan_draft *d, const char *argument,
                               struct atoll_err *err);
/** Every number of stages and family of cuts, TPUs moved to the bottleneck (CodeProject.AI). */
int atoll__fill_replicated_bottleneck(struct atoll__plan_draft *d, const char *argument,
                                      struct atoll_err *err);

#endif
