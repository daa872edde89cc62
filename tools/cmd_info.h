/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cmd_info.h
 * The two halves of `atoll info`: source models and compiled models.
 */
#ifndef ATOLL_TOOLS_CMD_INFO_H
#define ATOLL_TOOLS_CMD_INFO_H

#include "common.h"

struct info_opts {
    struct opt_common common;
    struct board_opts board;
    unsigned compiler;
    uint64_t top;
    bool all;
};

int info_source(struct call *call, const struct atoll_model *m);
int info_compiled(struct call *call, const struct atoll_model *m);

#endif
