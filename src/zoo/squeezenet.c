/* SPDX-License-Identifier: Apache-2.0 */
/* SqueezeNet 1.1: Iandola et al. 2016 (arXiv:1602.07360) with the release's changes (3x3 stem,
 * earlier pools), as in torchvision. */
#include "zoo_internal.h"

/* Squeeze to `s`, expand to e 1x1 and e 3x3. */
static int32_t fire(struct atoll__net *n, int32_t x, int32_t s, int32_t e) {
    return atoll__net_text(n, x, "%d:1x1 (%d:1x1 | %d:3x3)", s, e, e);
}

void atoll__zoo_squeezenet(struct atoll__net *n, int variant) {
    const int32_t stem_stride = variant == ATOLL__CIFAR ? 1 : 2;
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3), "64:3x3/%dv max:3x3/2c", stem_stride);
    x = fire(n, fire(n, x, 16, 64), 16, 64);
    x = atoll__net_text(n, x, "max:3x3/2c");
    x = fire(n, fire(n, x, 32, 128), 32, 128);
    x = atoll__net_text(n, x, "max:3x3/2c");
    x = fire(n, fire(n, x, 48, 192), 48, 192);
    x = fire(n, fire(n, x, 64, 256), 64, 256);
    x = atoll__net_text(n, x, "%d:1x1", n->args->classes);
    atoll__net_output(n, atoll__net_softmax(n, atoll__net_mean(n, x, false)));
}
