/* SPDX-License-Identifier: Apache-2.0 */
/* DenseNet: Huang et al. 2016 (arXiv:1608.06993) table 1, growth rate 32, compression 0.5. Batch
 * norm behind a convolution is folded; the one in front of each layer stays explicit. */
#include "zoo_internal.h"

#define GROWTH 32

struct dense_depth {
    int variant;
    int32_t blocks[4];
};
static const struct dense_depth depths[] = {
    {121, {6, 12, 24, 16}}, {169, {6, 12, 32, 32}}, {201, {6, 12, 48, 32}}};

/* Each layer reads the concatenation of the block's input and of all layers before it. */
static int32_t dense_block(struct atoll__net *n, int32_t x, int32_t layers) {
    int32_t features[64] = {x};
    for (int32_t i = 0; i < layers; i++) {
        features[i + 1] = atoll__net_text(n, x, "bn %d:1x1 %d:3x3-", 4 * GROWTH, GROWTH);
        x = atoll__net_concat(n, features, (uint32_t)i + 2, 3);
    }
    return x;
}

void atoll__zoo_densenet(struct atoll__net *n, int variant) {
    const struct dense_depth *d = depths;
    while (d->variant != variant && d < depths + 2) {
        d++;
    }
    n->pad = ATOLL__PAD_TORCH;
    /* The stem's map is concatenated with linear ones and takes their range. */
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3), "64:7x7/2~ max:3x3/2");
    for (size_t i = 0; i < 4; i++) {
        x = dense_block(n, x, d->blocks[i]);
        if (i < 3) {
            x = atoll__net_text(n, x, "bn %d:1x1- avg:2x2/2v", atoll__net_channels(n, x) / 2);
        }
    }
    atoll__net_classifier(n, atoll__net_text(n, x, "bn"));
}
