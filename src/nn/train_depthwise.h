/* SPDX-License-Identifier: Apache-2.0 */
/* Weight gradient of depthwise convolutions: oneDNN 2.6 has fast code for windows of 3 only, and
 * takes 25 times the forward pass for 5 and 7. Private to the training part of room `nn`. */
#ifndef ATOLL_TRAIN_DEPTHWISE_H
#define ATOLL_TRAIN_DEPTHWISE_H

#include <stdbool.h>
#include <stdint.h>

#define DEPTHWISE_LANES 8       /* channels side by side in memory, or a multiple of them */
#define DEPTHWISE_KERNEL_MAX 15 /* pixels a side */

/* A tensor in blocks of channels: where image n, block c, row y, column x begins, in floats. */
struct blocked {
    const float *data;
    int64_t n, c, y, x; /* strides */
};
struct depthwise {
    struct blocked src, diff;
    int32_t block;                 /* channels of a block: 8 or 16 */
    int32_t batch, channels;       /* channels without padding */
    int32_t height, width;         /* of the source */
    int32_t out_height, out_width; /* of the gradient of the output */
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    float *weights; /* out: [channels][kernel_h][kernel_w] */
    float *bias;    /* out: [channels]; NULL: none */
};
/* Computes both gradients with a team of threads; the sums do not depend on their number. */
void atoll__depthwise_run(const struct depthwise *d, unsigned threads);

#endif
