/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file run_image.h
 * One image through a run on a device that computes: its bytes go into every inference, the outputs
 * of the first are kept.
 */
#ifndef ATOLL_TOOLS_RUN_IMAGE_H
#define ATOLL_TOOLS_RUN_IMAGE_H

#include <atoll/bench.h>
#include <atoll/nn.h>

#include "out.h"

struct run_image {
    const struct atoll_model *model;
    uint8_t *input, *output; ///< owned; all outputs one behind the other
    size_t input_bytes, output_bytes;
    bool have_output;
    struct atoll_run_tensors tensors; ///< for the run request
};
/** Reads the image (NULL: noise is sent, the outputs are kept all the same) and prepares it as
 *  `data` (a set, NULL: the plain way) says. */
int run_image_open(struct run_image *r, const struct atoll_model *m, const char *image,
                   const char *data, struct atoll_err *err);
void run_image_close(struct run_image *r);
int run_image_write(const struct run_image *r, const char *path, struct atoll_err *err);
/** The k best classes of a classifier as JSON, with names from a file (NULL: null); *top NULL when
 *  the model is none. */
int run_image_top(const struct run_image *r, uint32_t k, const char *labels, json_t **top,
                  struct atoll_err *err);

#endif
