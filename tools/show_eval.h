/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file show_eval.h
 * The result of an evaluation, for people and as JSON.
 */
#ifndef ATOLL_TOOLS_SHOW_EVAL_H
#define ATOLL_TOOLS_SHOW_EVAL_H

#include <atoll/nn.h>

#include "out.h"

struct eval_view {
    const struct atoll_runtime *rt;
    const struct atoll_dataset *data;
    enum atoll_part part;
    const struct atoll_model *models[2];
    const struct atoll_eval *results[2]; ///< the second: NULL without a comparison
    const struct atoll_eval_pair *pair;
    bool confusion;
};
int show_eval(struct call *call, const struct eval_view *v);
int show_eval_json(struct call *call, const struct eval_view *v);

#endif
