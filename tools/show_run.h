/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file show_run.h
 * The result of a run, for people and as JSON.
 */
#ifndef ATOLL_TOOLS_SHOW_RUN_H
#define ATOLL_TOOLS_SHOW_RUN_H

#include <atoll/bench.h>

#include "out.h"

struct run_view {
    const struct atoll_plan *plan;
    const struct atoll_board *board;
    const struct atoll_meter *meter; ///< NULL: none
    const struct atoll_workload *workload;
    const char *device;
    const struct atoll_run_result *result;
    json_t *top; ///< best classes of the image that was sent; NULL: none, or no classifier
};
int show_run(struct call *call, const struct run_view *v);
int show_run_json(struct call *call, const struct run_view *v);

/* show_energy.c: what the meter said. */
void show_energy_json(json_t *j, const struct run_view *v);
void show_energy(const struct run_view *v);
int show_energy_tables(const struct run_view *v, struct atoll_err *err); ///< phases and states

#endif
