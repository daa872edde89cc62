/* SPDX-License-Identifier: Apache-2.0 */
/* VGG: Simonyan & Zisserman 2014 (arXiv:1409.1556) table 1, columns D and E. */
#include "zoo_internal.h"

void atoll__zoo_vgg(struct atoll__net *n, int variant) {
    static const int32_t widths[5] = {64, 128, 256, 512, 512};
    const bool cifar = variant >= ATOLL__CIFAR;
    const int depth = cifar ? variant - ATOLL__CIFAR : variant;
    int32_t x = atoll__net_image(n, 3);
    for (int stage = 0; stage < 5; stage++) {
        const int convolutions = stage < 2 ? 2 : depth == 16 ? 3 : 4;
        for (int i = 0; i < convolutions; i++) {
            x = atoll__net_text(n, x, "%d:3x3", widths[stage]);
        }
        if (!cifar || stage < 4) { /* the 32-pixel variant ends in a global mean */
            x = atoll__net_text(n, x, "max:2x2/2v");
        }
    }
    if (cifar) {
        atoll__net_classifier(n, x);
        return;
    }
    x = atoll__net_flatten(n, x);
    x = atoll__net_dense(n, x, 4096, ATOLL_ACT_RELU);
    x = atoll__net_dense(n, x, 4096, ATOLL_ACT_RELU);
    atoll__net_classes(n, x);
}
