/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file zoo.h
 * Room `zoo`: real architectures built as int8 .tflite models from short descriptions, with seeded
 * weights and sane quantization. Nothing is downloaded. Each network cites its paper; counts of
 * parameters and MACs are those of the paper's layer table (tests say where and why they differ).
 */
#ifndef ATOLL_ZOO_H
#define ATOLL_ZOO_H

#include <atoll/model.h>

#ifdef __cplusplus
extern "C" {
#endif

struct atoll_zoo_param {
    const char *name; ///< alpha, size, classes, layers, filters, kernel, units, inputs, bias, seed
    const char *default_value; ///< as text
};
struct atoll_zoo_network {
    const char *name;   ///< "resnet50"
    const char *source; ///< paper and table
    const struct atoll_zoo_param *params;
    size_t n_params;
};
/** All networks, in a fixed order; static. */
ATOLL_API const struct atoll_zoo_network *atoll_zoo_list(size_t *n);

/** Builds "NAME" or "NAME?key=value&key=value" (without "zoo:"). Weight bytes are fills: cheap
 * until serialised. model->path becomes "zoo:<spec>". Errors: ATOLL_ENOTFOUND (the known names, the
 * nearest first), ATOLL_EINPUT (unknown key, value out of range, a size at which a layer vanishes).
 */
ATOLL_API int atoll_zoo_build(const char *spec, struct atoll_model **model, struct atoll_err *err);
/** A model argument of the command (contracts.md): a path, or "zoo:NAME?..."; relative paths are
 *  taken from `base_dir` when it is not NULL. */
ATOLL_API int atoll_zoo_open(const char *argument, const char *base_dir, struct atoll_model **model,
                             struct atoll_err *err);

#ifdef __cplusplus
}
#endif
#endif
