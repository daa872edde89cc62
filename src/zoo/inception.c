/* SPDX-License-Identifier: Apache-2.0 */
/* The Inception family. GoogLeNet: Szegedy et al. 2014 (arXiv:1409.4842) table 1, with the batch
 * norm and the 3x3 in place of 5x5 of torchvision. BN-Inception: Ioffe & Szegedy 2015
 * (arXiv:1502.03167) figure 5, as in the Caffe and PyTorch ports. v3: Szegedy et al. 2015
 * (arXiv:1512.00567) table 1. v4 and Inception-ResNet-v2: Szegedy et al. 2016 (arXiv:1602.07261)
 * figures 3-21. No auxiliary heads. */
#include "zoo_internal.h"

/* -------------------------------------------------------------- GoogLeNet */

struct module_v1 {
    int32_t b1, b3r, b3, b5r, b5, pool;
};
static const struct module_v1 googlenet_3[] = {{64, 96, 128, 16, 32, 32},
                                               {128, 128, 192, 32, 96, 64}};
static const struct module_v1 googlenet_4[] = {
    {192, 96, 208, 16, 48, 64},  {160, 112, 224, 24, 64, 64},   {128, 128, 256, 24, 64, 64},
    {112, 144, 288, 32, 64, 64}, {256, 160, 320, 32, 128, 128},
};
static const struct module_v1 googlenet_5[] = {{256, 160, 320, 32, 128, 128},
                                               {384, 192, 384, 48, 128, 128}};

static int32_t modules_v1(struct atoll__net *n, int32_t x, const struct module_v1 *m,
                          size_t count) {
    for (size_t i = 0; i < count; i++, m++) {
        x = atoll__net_text(n, x, "(%d:1x1 | %d:1x1 %d:3x3 | %d:1x1 %d:3x3 | max:3x3 %d:1x1)",
                            m->b1, m->b3r, m->b3, m->b5r, m->b5, m->pool);
    }
    return x;
}

void atoll__zoo_googlenet(struct atoll__net *n, int variant) {
    n->pad = ATOLL__PAD_TORCH;
    int32_t x = atoll__net_image(n, 3);
    x = atoll__net_text(n, x, variant == ATOLL__CIFAR ? "64:7x7" : "64:7x7/2 max:3x3/2c");
    x = atoll__net_text(n, x, "64:1x1 192:3x3 max:3x3/2c");
    x = modules_v1(n, x, googlenet_3, 2);
    x = modules_v1(n, atoll__net_text(n, x, "max:3x3/2c"), googlenet_4, 5);
    x = modules_v1(n, atoll__net_text(n, x, "max:2x2/2c"), googlenet_5, 2);
    atoll__net_classifier(n, x);
}

/* ----------------------------------------------------------- BN-Inception */

struct module_bn {
    int32_t b1, b3r, b3, d3r, d3, pool; ///< b1 = 0: a reduction, strides 2 and no 1x1
    const char *kind;                   ///< pool of the last branch
};
static const struct module_bn bn_modules[] = {
    {64, 64, 64, 64, 96, 32, "avg"},       {64, 64, 96, 64, 96, 64, "avg"},
    {0, 128, 160, 64, 96, 0, "max"},       {224, 64, 96, 96, 128, 128, "avg"},
    {192, 96, 128, 96, 128, 128, "avg"},   {160, 128, 160, 128, 160, 128, "avg"},
    {96, 128, 192, 160, 192, 128, "avg"},  {0, 128, 192, 192, 256, 0, "max"},
    {352, 192, 320, 160, 224, 128, "avg"}, {352, 192, 320, 192, 224, 128, "max"},
};

void atoll__zoo_bn_inception(struct atoll__net *n, int variant) {
    (void)variant;
    n->pad = ATOLL__PAD_TORCH;
    int32_t x =
        atoll__net_text(n, atoll__net_image(n, 3), "64:7x7/2 max:3x3/2c 64:1x1 192:3x3 max:3x3/2c");
    for (size_t i = 0; i < sizeof bn_modules / sizeof bn_modules[0]; i++) {
        const struct module_bn *m = &bn_modules[i];
        if (m->b1 == 0) {
            x = atoll__net_text(n, x, "(%d:1x1 %d:3x3/2 | %d:1x1 %d:3x3 %d:3x3/2 | max:3x3/2c)",
                                m->b3r, m->b3, m->d3r, m->d3, m->d3);
        } else {
            x = atoll__net_text(n, x,
                                "(%d:1x1 | %d:1x1 %d:3x3 | %d:1x1 %d:3x3 %d:3x3 | %s:3x3 %d:1x1)",
                                m->b1, m->b3r, m->b3, m->d3r, m->d3, m->d3, m->kind, m->pool);
        }
    }
    atoll__net_classifier(n, x);
}

/* --------------------------------------------------------------------- v3 */

void atoll__zoo_inception_v3(struct atoll__net *n, int variant) {
    (void)variant;
    static const int32_t pool_a[] = {32, 64, 64};
    static const int32_t width_c[] = {128, 160, 160, 192};
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3),
                                "32:3x3/2v 32:3x3v 64:3x3 max:3x3/2v 80:1x1 192:3x3v max:3x3/2v");
    for (size_t i = 0; i < 3; i++) { /* figure 5 */
        x = atoll__net_text(
            n, x, "(64:1x1 | 48:1x1 64:5x5 | 64:1x1 96:3x3 96:3x3 | avg:3x3 %d:1x1)", pool_a[i]);
    }
    x = atoll__net_text(n, x, "(384:3x3/2v | 64:1x1 96:3x3 96:3x3/2v | max:3x3/2v)");
    for (size_t i = 0; i < 4; i++) { /* figure 6 */
        const int32_t c = width_c[i];
        x = atoll__net_text(
            n, x,
            "(192:1x1 | %d:1x1 %d:1x7 192:7x1 | %d:1x1 %d:7x1 %d:1x7 %d:7x1 192:1x7 |"
            " avg:3x3 192:1x1)",
            c, c, c, c, c, c);
    }
    x = atoll__net_text(n, x,
                        "(192:1x1 320:3x3/2v | 192:1x1 192:1x7 192:7x1 192:3x3/2v | max:3x3/2v)");
    for (size_t i = 0; i < 2; i++) { /* figure 7 */
        x = atoll__net_text(
            n, x,
            "(320:1x1 | 384:1x1 (384:1x3 | 384:3x1) | 448:1x1 384:3x3 (384:1x3 | 384:3x1) |"
            " avg:3x3 192:1x1)");
    }
    atoll__net_classifier(n, x);
}

/* --------------------------------------------------------------------- v4 */

void atoll__zoo_inception_v4(struct atoll__net *n, int variant) {
    (void)variant;
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3),
                                "32:3x3/2v 32:3x3v 64:3x3 (max:3x3/2v | 96:3x3/2v)"
                                " (64:1x1 96:3x3v | 64:1x1 64:1x7 64:7x1 96:3x3v)"
                                " (192:3x3/2v | max:3x3/2v)");
    for (int i = 0; i < 4; i++) { /* A, figure 4 */
        x = atoll__net_text(n, x,
                            "(96:1x1 | 64:1x1 96:3x3 | 64:1x1 96:3x3 96:3x3 | avg:3x3 96:1x1)");
    }
    x = atoll__net_text(n, x, "(384:3x3/2v | 192:1x1 224:3x3 256:3x3/2v | max:3x3/2v)");
    for (int i = 0; i < 7; i++) { /* B, figure 5 */
        x = atoll__net_text(
            n, x,
            "(384:1x1 | 192:1x1 224:1x7 256:7x1 | 192:1x1 192:7x1 224:1x7 224:7x1 256:1x7 |"
            " avg:3x3 128:1x1)");
    }
    x = atoll__net_text(n, x,
                        "(192:1x1 192:3x3/2v | 256:1x1 256:1x7 320:7x1 320:3x3/2v | max:3x3/2v)");
    for (int i = 0; i < 3; i++) { /* C, figure 6 */
        x = atoll__net_text(n, x,
                            "(256:1x1 | 384:1x1 (256:1x3 | 256:3x1) |"
                            " 384:1x1 448:3x1 512:1x3 (256:1x3 | 256:3x1) | avg:3x3 256:1x1)");
    }
    atoll__net_classifier(n, x);
}

/* ------------------------------------------------------- Inception-ResNet */

/* Residual blocks end in a linear 1x1 whose constant factor (0.17, 0.1, 0.2) the converter folds
 * into its weights. */
static int32_t residual(struct atoll__net *n, int32_t x, const char *branches,
                        enum atoll_activation act) {
    const int32_t y = atoll__net_text(n, x, "%s %d:1x1+", branches, atoll__net_channels(n, x));
    return atoll__net_add(n, y, x, act);
}

void atoll__zoo_inception_resnet_v2(struct atoll__net *n, int variant) {
    (void)variant;
    int32_t x =
        atoll__net_text(n, atoll__net_image(n, 3),
                        "32:3x3/2v 32:3x3v 64:3x3 max:3x3/2v 80:1x1 192:3x3v max:3x3/2v"
                        " (96:1x1 | 48:1x1 64:5x5 | 64:1x1 96:3x3 96:3x3 | avg:3x3 64:1x1)");
    for (int i = 0; i < 10; i++) {
        x = residual(n, x, "(32:1x1 | 32:1x1 32:3x3 | 32:1x1 48:3x3 64:3x3)", ATOLL_ACT_RELU);
    }
    x = atoll__net_text(n, x, "(384:3x3/2v | 256:1x1 256:3x3 384:3x3/2v | max:3x3/2v)");
    for (int i = 0; i < 20; i++) {
        x = residual(n, x, "(192:1x1 | 128:1x1 160:1x7 192:7x1)", ATOLL_ACT_RELU);
    }
    x = atoll__net_text(
        n, x,
        "(256:1x1 384:3x3/2v | 256:1x1 288:3x3/2v | 256:1x1 288:3x3 320:3x3/2v | max:3x3/2v)");
    for (int i = 0; i < 10; i++) {
        x = residual(n, x, "(192:1x1 | 192:1x1 224:1x3 256:3x1)",
                     i < 9 ? ATOLL_ACT_RELU : ATOLL_ACT_NONE);
    }
    atoll__net_classifier(n, atoll__net_text(n, x, "1536:1x1"));
}
