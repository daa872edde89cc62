/* SPDX-License-Identifier: Apache-2.0 */
/* Xception: Chollet 2016 (arXiv:1610.02357) figure 5. A separable convolution is a linear depthwise
 * one and a 1x1; a ReLU in front of one is fused into the layer before where that has no other
 * reader. */
#include "zoo_internal.h"

/* Two separable convolutions and a pool beside a strided 1x1. `relu`: a ReLU stands first. */
static int32_t down_block(struct atoll__net *n, int32_t x, int32_t mid, int32_t out, bool relu) {
    const int32_t shortcut = atoll__net_text(n, x, "%d:1x1/2-", out);
    const int32_t y = atoll__net_text(n, x, "%s dw:3x3- %d:1x1 dw:3x3- %d:1x1+ max:3x3/2",
                                      relu ? "relu" : "", mid, out);
    return atoll__net_add(n, y, shortcut, ATOLL_ACT_NONE);
}

void atoll__zoo_xception(struct atoll__net *n, int variant) {
    (void)variant;
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3), "32:3x3/2v 64:3x3v");
    x = down_block(n, x, 128, 128, false);
    x = down_block(n, x, 256, 256, true);
    x = down_block(n, x, 728, 728, true);
    for (int i = 0; i < 8; i++) {
        const int32_t y =
            atoll__net_text(n, x, "relu dw:3x3- 728:1x1 dw:3x3- 728:1x1 dw:3x3- 728:1x1+");
        x = atoll__net_add(n, y, x, ATOLL_ACT_NONE);
    }
    x = down_block(n, x, 728, 1024, true);
    atoll__net_classifier(n, atoll__net_text(n, x, "dw:3x3- 1536:1x1 dw:3x3- 2048:1x1"));
}
