/* SPDX-License-Identifier: Apache-2.0 */
/* EfficientNet-Lite and EfficientNet-EdgeTPU: Tan & Le 2019 (arXiv:1905.11946) table 1 and its
 * scaling rule, with the changes of the two releases (tensorflow/tpu, efficientnet/lite and
 * /edgetpu): no squeeze and excite, ReLU6 or ReLU, and for EdgeTPU fused 3x3 expansions in the
 * first stages. */
#include "zoo_internal.h"

#include <math.h>

struct scaling {
    double width, depth;
};
struct row {
    int32_t repeat, kernel, stride, expand, out;
    bool fused;          ///< the expansion is a 3x3 convolution, the stride in the 1x1 behind it
    int32_t expand_from; ///< channels that `expand` multiplies; 0: the input's
};

static const struct scaling lite[] = {{1.0, 1.0}, {1.0, 1.1}, {1.1, 1.2}, {1.2, 1.4}, {1.4, 1.8}};
static const struct row lite_rows[] = {
    {1, 3, 1, 1, 16, false, 0},  {2, 3, 2, 6, 24, false, 0},  {2, 5, 2, 6, 40, false, 0},
    {3, 3, 2, 6, 80, false, 0},  {3, 5, 1, 6, 112, false, 0}, {4, 5, 2, 6, 192, false, 0},
    {1, 3, 1, 6, 320, false, 0},
};

static const struct scaling edgetpu[] = {{1.0, 1.0}, {1.0, 1.1}, {1.2, 1.4}};
static const struct row edgetpu_rows[] = {
    {1, 3, 1, 4, 24, true, 24}, {2, 3, 2, 8, 32, true, 0},   {4, 3, 2, 8, 48, true, 0},
    {5, 5, 2, 8, 96, false, 0}, {4, 5, 1, 8, 144, false, 0}, {2, 5, 2, 8, 192, false, 0},
};

static int32_t fused_block(struct atoll__net *n, int32_t x, int32_t mid, int32_t out,
                           int32_t stride, bool skip) {
    const char *role = skip ? "+" : "-";
    const int32_t y = atoll__net_text(n, x, "%d:3x3 %d:1x1/%d%s", mid, out, stride, role);
    return skip ? atoll__net_add(n, x, y, ATOLL_ACT_NONE) : y;
}

static int32_t scaled_row(struct atoll__net *n, int32_t x, const struct row *r,
                          const struct scaling *s, int32_t repeat) {
    const int32_t out = atoll__zoo_round8(r->out * s->width);
    for (int32_t i = 0; i < repeat; i++) {
        const int32_t in = atoll__net_channels(n, x);
        const int32_t from = r->expand_from > 0 ? atoll__zoo_round8(r->expand_from * s->width) : in;
        const int32_t stride = i == 0 ? r->stride : 1;
        if (r->fused) {
            const bool skip = stride == 1 && in == out && r->expand_from == 0;
            x = fused_block(n, x, from * r->expand, out, stride, skip);
        } else {
            const struct atoll__inverted block = {in * r->expand, out, r->kernel, stride};
            x = atoll__net_inverted_residual(n, x, &block, NULL, 0);
        }
    }
    return x;
}

void atoll__zoo_efficientnet_lite(struct atoll__net *n, int variant) {
    const struct scaling *s = &lite[variant];
    const size_t rows = sizeof lite_rows / sizeof lite_rows[0];
    n->act = ATOLL_ACT_RELU6;
    /* Lite fixes the stem, the head and the repeats of the first and last stage. */
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3), "32:3x3/2");
    for (size_t i = 0; i < rows; i++) {
        const bool fixed = i == 0 || i + 1 == rows;
        const int32_t repeat =
            fixed ? lite_rows[i].repeat : (int32_t)ceil(lite_rows[i].repeat * s->depth);
        x = scaled_row(n, x, &lite_rows[i], s, repeat);
    }
    atoll__net_classifier(n, atoll__net_text(n, x, "1280:1x1"));
}

void atoll__zoo_efficientnet_edgetpu(struct atoll__net *n, int variant) {
    const struct scaling *s = &edgetpu[variant];
    int32_t x =
        atoll__net_text(n, atoll__net_image(n, 3), "%d:3x3/2", atoll__zoo_round8(32 * s->width));
    for (size_t i = 0; i < sizeof edgetpu_rows / sizeof edgetpu_rows[0]; i++) {
        x = scaled_row(n, x, &edgetpu_rows[i], s, (int32_t)ceil(edgetpu_rows[i].repeat * s->depth));
    }
    atoll__net_classifier(n, atoll__net_text(n, x, "%d:1x1", atoll__zoo_round8(1280 * s->width)));
}
