/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file info_view.h
 * A source model with all that `atoll info` says of it, and the two ways to say it.
 */
#ifndef ATOLL_TOOLS_INFO_VIEW_H
#define ATOLL_TOOLS_INFO_VIEW_H

#include "cmd_info.h"

#define INFO_BOUNDS (ATOLL_BOUND_CALL + 1)

struct info_view {
    const struct atoll_model *m;
    bool *maps;
    struct atoll_op_info *info;
    struct atoll_layer *layers; ///< by operator; cycles NAN where no cost is known
    struct atoll_program program;
    struct atoll_board *board;
    struct atoll_use use;
    struct atoll_stage_cost stage;  ///< the whole model on one TPU of the board, called
    struct atoll_layer_cost *costs; ///< by operator
    double bound_us[INFO_BOUNDS];   ///< time by what bounds it; call and boundary tensors included
    bool costed;
    struct atoll_op_info total;
    uint32_t unmapped, first_unmapped;
};

int info_view_open(struct info_view *v, const struct atoll_model *m, const struct info_opts *o,
                   struct atoll_err *err);
void info_view_close(struct info_view *v);
/** NULL when the operator maps; one that would map alone says which one stands before it. */
const char *info_why_not(const struct info_view *v, uint32_t op, char buf[256]);

int info_print_json(struct call *call, const struct info_view *v);
int info_print_people(struct call *call, const struct info_view *v);

#endif
