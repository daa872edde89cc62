/* SPDX-License-Identifier: Apache-2.0 */
/* U-Net on MobileNet v2: the segmentation network of the TensorFlow tutorial "Image segmentation"
 * (encoder up to the project layer of block 16; four transposed convolutions of pix2pix, each with
 * batch norm and ReLU; a last one to the classes). Idea: Ronneberger et al. 2015
 * (arXiv:1505.04597). */
#include "zoo_internal.h"

/* Keeps the maps at 1/2, 1/4, 1/8 and 1/16 of the input: the expansions of blocks 1, 3, 6 and 13.
 */
static void keep_skip(struct atoll__net *n, void *user, int32_t block, int32_t x) {
    int32_t *skips = user;
    (void)n;
    switch (block) {
    case 1: skips[3] = x; break;
    case 3: skips[2] = x; break;
    case 6: skips[1] = x; break;
    case 13: skips[0] = x; break;
    default: break;
    }
}

void atoll__zoo_unet(struct atoll__net *n, int variant) {
    (void)variant;
    static const int32_t widths[4] = {512, 256, 128, 64};
    int32_t skips[4] = {-1, -1, -1, -1};
    const struct atoll__tap tap = {keep_skip, skips};
    int32_t x = atoll__mobilenet_v2_trunk(n, 2, &tap);
    for (size_t i = 0; i < 4; i++) {
        x = atoll__net_text(n, atoll__net_upsample_conv(n, x, widths[i], 3), "relu");
        const int32_t joined[2] = {x, skips[i]};
        x = atoll__net_concat(n, joined, 2, 3);
    }
    atoll__net_output(n, atoll__net_upsample_conv(n, x, n->args->classes, 3));
}
