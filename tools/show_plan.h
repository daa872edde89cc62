/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file show_plan.h
 * Plans as tables for people; used by plan and run.
 */
#ifndef ATOLL_TOOLS_SHOW_PLAN_H
#define ATOLL_TOOLS_SHOW_PLAN_H

#include <atoll/plan.h>

#include "out.h"

/** One plan: figures, a table of stages for each pipeline, the reasons. */
int show_plan(const struct atoll_plan *p, const struct atoll_board *b, struct atoll_err *err);
/** Plans side by side, the best of each objective marked. */
int show_comparison(const struct atoll_comparison *c, const struct atoll_board *b,
                    struct atoll_err *err);

/** The plans of a Pareto front. */
int show_front(const struct atoll_front *f, const struct atoll_board *b, struct atoll_err *err);

#endif
