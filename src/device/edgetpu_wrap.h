/* SPDX-License-Identifier: Apache-2.0 */
/* A delegate of ours around libedgetpu's, see edgetpu_wrap.c. The layouts are those of TFLite's C
 * headers on 64-bit machines (tensorflow/lite/core/c/common.h). */
#ifndef ATOLL_EDGETPU_WRAP_H
#define ATOLL_EDGETPU_WRAP_H

#include <stdint.h>

struct atoll__tfl_context;
struct atoll__tfl_delegate { /* TfLiteDelegate */
    void *data;
    int (*prepare)(struct atoll__tfl_context *, struct atoll__tfl_delegate *);
    int (*copy_from)(struct atoll__tfl_context *, struct atoll__tfl_delegate *, int, void *);
    int (*copy_to)(struct atoll__tfl_context *, struct atoll__tfl_delegate *, int, void *);
    void (*free_buffer)(struct atoll__tfl_context *, struct atoll__tfl_delegate *, int *);
    int64_t flags;
    void *builder;
};
/* Makes `ours` stand for `theirs`, which must outlive it. */
void atoll__edgetpu_wrap(struct atoll__tfl_delegate *ours, struct atoll__tfl_delegate *theirs);

#endif
