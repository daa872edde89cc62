/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file edgetpu_compiler.h
 * The vendor's compiler as a program that fails at random, ends silently and says why in prose: run
 * it under a time limit, try again where that helps, believe only the files that it left, keep what
 * it made by content.
 */
#ifndef ATOLL_TOOLS_EDGETPU_COMPILER_H
#define ATOLL_TOOLS_EDGETPU_COMPILER_H

#include "common.h"

struct compiler_request {
    const struct atoll_model *model;
    uint32_t segments;
    uint32_t attempts;     ///< at most; only failures that may pass are tried again
    uint32_t timeout_s;    ///< of one attempt
    const char *cache_dir; ///< NULL: $XDG_CACHE_HOME/atoll/compiled or ~/.cache/atoll/compiled
};
struct compiler_result {
    char dir[1024];    ///< holds the outputs, see compiler_output; belongs to the cache
    char version[128]; ///< as the compiler says it
    char *log;         ///< owned, atoll_free
    uint32_t attempts; ///< made now; 0 when it was in the cache
};
/** ATOLL_EDEVICE: the compiler is missing, failed for reasons of its own, or ran out of time.
 *  ATOLL_EINPUT: it does not take this model. The sentence says why, what helps and where the log
 *  is. */
int compiler_run(const struct compiler_request *q, struct compiler_result *out,
                 struct atoll_err *err);
/** "STEM_edgetpu.tflite" or "STEM_segment_<i>_of_<n>_edgetpu.tflite". In compiler_result.dir the
 *  stem is COMPILER_STEM. */
void compiler_output(char name[512], const char *stem, uint32_t i, uint32_t n);
#define COMPILER_STEM "model"

/** What the compiler said of each segment, in its order: {"input_bytes", "output_bytes" (sizes of
 *  the files), "on_chip_bytes", "on_chip_remaining_bytes", "off_chip_bytes", "subgraphs",
 *  "operations", "operators": [{"op", "count", "status"}]}; null where it did not say. */
json_t *compiler_told(const char *log);

/** Why a run failed, in a word, with what helps. */
struct compiler_failure {
    const char *said; ///< in the log; NULL ends the table
    const char *what, *helps;
    int code;
    bool again; ///< the same call may succeed
};
/** NULL: the log has none of the known sentences. */
const struct compiler_failure *compiler_failure_of(const char *log);

#endif
