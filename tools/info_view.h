/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file info_view.h
 * A source model with all that `atoll info` says of it, and the two ways to say it.
 */
#ifndef ATOLL_TOOLS_INFO_VIEW_H
#define ATOLL_TOOLS_INFO_VIEW_H

#include "cmd_info.h"

struct info_view {
    const struct atoll_model *m;
    bool *maps;
    struct atoll_op_info *info;
    struct atoll_layer *layers; ///< by operator; cycles NAN where no cost is known
    struct atoll_program program;
    bool costed;
    struct atoll_op_info total;
    uint32_t unmapped, first_unmapped;
};

int info_view_open(struct info_view *v, const struct atoll_model *m, unsigned compiler,
                   struct atoll_err *err);
void info_view_close(struct info_view *v);
/** NULL when the operator maps; one that would map alone says which one stands before it. */
const char *info_why_not(const struct info_view *v, uint32_t op, char buf[256]);

int info_print_json(struct call *call, const struct info_view *v);
int info_print_people(struct call *call, const struct info_view *v);

#endif
