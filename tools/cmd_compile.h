/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cmd_compile.h
 * Options of `atoll compile`, and its estimate.
 */
#ifndef ATOLL_TOOLS_CMD_COMPILE_H
#define ATOLL_TOOLS_CMD_COMPILE_H

#include "common.h"

struct compile_opts {
    struct opt_common common;
    struct board_opts board; ///< of the estimate
    bool estimate, show;
    const char *out, *cache;
    uint64_t segments, attempts, timeout_s;
    unsigned compiler;
};

/** One model in segments by the vendor's rule, or several models compiled together. */
int compile_estimate(struct call *call);

#endif
