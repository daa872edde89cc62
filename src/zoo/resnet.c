/* SPDX-License-Identifier: Apache-2.0 */
/* Residual networks. v1: He et al. 2015 (arXiv:1512.03385) table 1, the stride in the 3x3 of a
 * bottleneck as in torchvision. v2: He et al. 2016 (arXiv:1603.05027) as in keras.applications.
 * Wide: Zagoruyko & Komodakis 2016 (arXiv:1605.07146) table 1. */
#include "zoo_internal.h"

struct depth {
    int variant;
    bool bottleneck;
    int32_t blocks[4];
};
static const struct depth depths[] = {
    {18, false, {2, 2, 2, 2}},  {34, false, {3, 4, 6, 3}},  {50, true, {3, 4, 6, 3}},
    {101, true, {3, 4, 23, 3}}, {152, true, {3, 8, 36, 3}},
};

static const struct depth *depth_of(int variant) {
    size_t i = 0;
    while (i + 1 < sizeof depths / sizeof depths[0] && depths[i].variant != variant) {
        i++;
    }
    return &depths[i];
}

/* --------------------------------------------------------------------- v1 */

/* The main path comes first in the file, then the shortcut's convolution, then the sum: the order
 * in which PyTorch traces the block. */
static int32_t block_v1(struct atoll__net *n, int32_t x, bool bottleneck, int32_t width,
                        int32_t stride) {
    const int32_t out = bottleneck ? 4 * width : width;
    const bool project = stride != 1 || atoll__net_channels(n, x) != out;
    const int32_t y =
        bottleneck ? atoll__net_text(n, x, "%d:1x1 %d:3x3/%d %d:1x1+", width, width, stride, out)
                   : atoll__net_text(n, x, "%d:3x3/%d %d:3x3+", width, stride, width);
    const int32_t shortcut = project ? atoll__net_text(n, x, "%d:1x1/%d-", out, stride) : x;
    return atoll__net_add(n, y, shortcut, ATOLL_ACT_RELU);
}

void atoll__zoo_resnet(struct atoll__net *n, int variant) {
    const bool cifar = variant >= ATOLL__CIFAR;
    const struct depth *d = depth_of(cifar ? variant - ATOLL__CIFAR : variant);
    n->pad = ATOLL__PAD_TORCH;
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3), cifar ? "64:3x3" : "64:7x7/2 max:3x3/2");
    for (int stage = 0; stage < 4; stage++) {
        for (int32_t i = 0; i < d->blocks[stage]; i++) {
            x = block_v1(n, x, d->bottleneck, 64 << stage, i == 0 && stage > 0 ? 2 : 1);
        }
    }
    atoll__net_classifier(n, x);
}

/* --------------------------------------------------------------------- v2 */

/* Keras: the stride sits in the last block of a stage; where it does, the shortcut is a 1x1 max
 * pool. */
static int32_t block_v2(struct atoll__net *n, int32_t x, int32_t width, int32_t stride,
                        bool project) {
    const int32_t pre = atoll__net_text(n, x, "bn");
    int32_t shortcut = x;
    if (project) {
        shortcut = atoll__net_text(n, pre, "%d:1x1-", 4 * width);
    } else if (stride > 1) {
        shortcut = atoll__net_text(n, x, "max:1x1/%d", stride);
    }
    const int32_t y =
        atoll__net_text(n, pre, "%d:1x1 %d:3x3/%d %d:1x1+", width, width, stride, 4 * width);
    return atoll__net_add(n, shortcut, y, ATOLL_ACT_NONE);
}

void atoll__zoo_resnet_v2(struct atoll__net *n, int variant) {
    const struct depth *d = depth_of(variant);
    n->pad = ATOLL__PAD_TORCH;
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3), "64:7x7/2- max:3x3/2");
    for (int stage = 0; stage < 4; stage++) {
        for (int32_t i = 0; i < d->blocks[stage]; i++) {
            const bool last = i + 1 == d->blocks[stage];
            x = block_v2(n, x, 64 << stage, last && stage < 3 ? 2 : 1, i == 0);
        }
    }
    atoll__net_classifier(n, atoll__net_text(n, x, "bn"));
}

/* ------------------------------------------------------------------- wide */

/* Where the width changes, the shortcut starts behind the shared batch norm. */
static int32_t block_wide(struct atoll__net *n, int32_t x, int32_t width, int32_t stride) {
    const int32_t pre = atoll__net_text(n, x, "bn");
    const bool project = atoll__net_channels(n, x) != width;
    const int32_t shortcut = project ? atoll__net_text(n, pre, "%d:1x1/%d-", width, stride) : x;
    const int32_t y = atoll__net_text(n, pre, "%d:3x3/%d %d:3x3+", width, stride, width);
    return atoll__net_add(n, y, shortcut, ATOLL_ACT_NONE);
}

/* Depth 28: four blocks a group; widening factor 10. */
void atoll__zoo_wide_resnet(struct atoll__net *n, int variant) {
    (void)variant;
    n->pad = ATOLL__PAD_TORCH;
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3), "16:3x3-");
    for (int group = 0; group < 3; group++) {
        for (int i = 0; i < 4; i++) {
            x = block_wide(n, x, 160 << group, i == 0 && group > 0 ? 2 : 1);
        }
    }
    atoll__net_classifier(n, atoll__net_text(n, x, "bn"));
}
