/* SPDX-License-Identifier: Apache-2.0 */
/* MobileNet v1, v2, v3. Howard et al. 2017 (arXiv:1704.04861) table 1; Sandler et al. 2018
 * (arXiv:1801.04381) table 2; Howard et al. 2019 (arXiv:1905.02244) table 1. */
#include "zoo_internal.h"

/* --------------------------------------------------------------------- v1 */

struct separable {
    int32_t stride, out;
};
static const struct separable v1_blocks[13] = {
    {1, 64},  {2, 128}, {1, 128}, {2, 256}, {1, 256},  {2, 512},  {1, 512},
    {1, 512}, {1, 512}, {1, 512}, {1, 512}, {2, 1024}, {1, 1024},
};

/* TF-slim scales by plain truncation with a minimum of 8. */
static int32_t v1_width(double alpha, int32_t c) {
    const int32_t scaled = (int32_t)(c * alpha);
    return scaled < 8 ? 8 : scaled;
}

int32_t atoll__mobilenet_v1_trunk(struct atoll__net *n, const struct atoll__tap *tap) {
    const double alpha = n->args->alpha;
    n->act = ATOLL_ACT_RELU6;
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3), "%d:3x3/2", v1_width(alpha, 32));
    for (int32_t i = 0; i < 13; i++) {
        x = atoll__net_text(n, x, "dw:3x3/%d %d:1x1", v1_blocks[i].stride,
                            v1_width(alpha, v1_blocks[i].out));
        if (tap != NULL) {
            tap->fn(n, tap->user, i, x);
        }
    }
    return x;
}

/* Head of the TF-slim files: average pool, 1x1 convolution to the classes, reshape, softmax. */
static void slim_head(struct atoll__net *n, int32_t x, int32_t pool_stride) {
    const int32_t h = atoll__net_height(n, x);
    const struct atoll__window pool = {
        .kernel_h = h, .kernel_w = h, .stride = pool_stride, .pad = ATOLL__PAD_VALID};
    x = atoll__net_pool(n, x, ATOLL_OP_AVERAGE_POOL_2D, &pool);
    x = atoll__net_text(n, x, "%d:1x1=", n->args->classes);
    x = atoll__net_softmax(n, atoll__net_flatten(n, x));
    atoll__net_output(n, x);
}

void atoll__zoo_mobilenet_v1(struct atoll__net *n, int variant) {
    (void)variant;
    slim_head(n, atoll__mobilenet_v1_trunk(n, NULL), 2);
}

/* --------------------------------------------------------------------- v2 */

int32_t atoll__net_inverted_residual(struct atoll__net *n, int32_t x,
                                     const struct atoll__inverted *b, const struct atoll__tap *tap,
                                     int32_t block) {
    const int32_t in = atoll__net_channels(n, x);
    const int32_t mid = b->mid == in ? x : atoll__net_text(n, x, "%d:1x1", b->mid);
    if (tap != NULL) {
        tap->fn(n, tap->user, block, mid);
    }
    const bool skip = b->stride == 1 && in == b->out;
    const int32_t y = atoll__net_text(n, mid, "dw:%dx%d/%d %d:1x1%s", b->kernel, b->kernel,
                                      b->stride, b->out, skip ? "+" : "-");
    return skip ? atoll__net_add(n, x, y, ATOLL_ACT_NONE) : y;
}

struct stage {
    int32_t expand, out, repeat, stride;
};
static const struct stage v2_stages[] = {
    {1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2},  {6, 64, 4, 2},
    {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
};

int32_t atoll__mobilenet_v2_trunk(struct atoll__net *n, int32_t stem_stride,
                                  const struct atoll__tap *tap) {
    int32_t index = 0;
    const double alpha = n->args->alpha;
    n->act = ATOLL_ACT_RELU6;
    int32_t x = atoll__net_text(n, atoll__net_image(n, 3), "%d:3x3/%d",
                                atoll__zoo_round8(32 * alpha), stem_stride);
    for (size_t s = 0; s < sizeof v2_stages / sizeof v2_stages[0]; s++) {
        const struct stage *t = &v2_stages[s];
        for (int32_t i = 0; i < t->repeat; i++) {
            const struct atoll__inverted block = {.mid = atoll__net_channels(n, x) * t->expand,
                                                  .out = atoll__zoo_round8(t->out * alpha),
                                                  .kernel = 3,
                                                  .stride = i == 0 ? t->stride : 1};
            x = atoll__net_inverted_residual(n, x, &block, tap, index++);
        }
    }
    return x;
}

void atoll__zoo_mobilenet_v2(struct atoll__net *n, int variant) {
    const bool cifar = variant == ATOLL__CIFAR;
    n->pad = cifar ? ATOLL__PAD_TORCH : ATOLL__PAD_SAME;
    int32_t x = atoll__mobilenet_v2_trunk(n, cifar ? 1 : 2, NULL);
    /* The last layer is widened by alpha > 1 only. */
    x = atoll__net_text(n, x, "%d:1x1",
                        n->args->alpha > 1.0 ? atoll__zoo_round8(1280 * n->args->alpha) : 1280);
    if (cifar) {
        atoll__net_classifier(n, x);
    } else {
        slim_head(n, x, 1);
    }
}

/* --------------------------------------------------------------------- v3 */

struct bneck {
    int32_t kernel, mid, out;
    bool squeeze, hard_swish;
    int32_t stride;
};
static const struct bneck v3_large[] = {
    {3, 16, 16, false, false, 1}, {3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1},
    {5, 72, 40, true, false, 2},  {5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1},
    {3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1}, {3, 184, 80, false, true, 1},
    {3, 184, 80, false, true, 1}, {3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
    {5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1},
};

static int32_t hard_swish(struct atoll__net *n, int32_t x) {
    return atoll__net_unary(n, ATOLL_OP_HARD_SWISH, x, ATOLL__RANGE_LINEAR);
}

/* A convolution followed by h-swish (an operator of its own) or a fused ReLU. */
static int32_t v3_conv(struct atoll__net *n, int32_t x, bool swish, const char *layer) {
    return swish ? hard_swish(n, atoll__net_text(n, x, "%s=", layer))
                 : atoll__net_text(n, x, "%s", layer);
}

/* Squeeze and excite with a hard sigmoid, relu6(x + 3) / 6, as the converter leaves it. */
static int32_t squeeze_excite(struct atoll__net *n, int32_t x) {
    const int32_t c = atoll__net_channels(n, x);
    int32_t s = atoll__net_mean(n, x, true);
    s = atoll__net_text(n, s, "%d:1x1 %d:1x1-", atoll__zoo_round8(c / 4.0), c);
    const int32_t shape[4] = {1, 1, 1, c};
    const int32_t three = atoll__net_const_scalar(n, 3.0f);
    const int32_t sum = atoll__net_activation(n, "add", 4, shape, ATOLL__RANGE_RELU);
    const int32_t in[2] = {s, three};
    struct atoll_op_attr attr = atoll_op_attr_default();
    attr.activation = ATOLL_ACT_RELU6;
    s = atoll__net_op(n, &(struct atoll_op){.code = ATOLL_OP_ADD,
                                            .inputs = in,
                                            .n_inputs = 2,
                                            .outputs = &sum,
                                            .n_outputs = 1,
                                            .attr = attr});
    const int32_t sixth = atoll__net_const_scalar(n, 1.0f / 6.0f);
    const int32_t gate = atoll__net_activation(n, "gate", 4, shape, ATOLL__RANGE_UNIT);
    s = atoll__net_simple(n, ATOLL_OP_MUL, s, sixth, gate);
    return atoll__net_mul(n, x, s);
}

static int32_t v3_block(struct atoll__net *n, int32_t x, const struct bneck *b) {
    const double alpha = n->args->alpha;
    const int32_t in = atoll__net_channels(n, x);
    const int32_t mid = atoll__zoo_round8(b->mid * alpha);
    const int32_t out = atoll__zoo_round8(b->out * alpha);
    char layer[32];
    int32_t y = x;
    if (mid != in) {
        snprintf(layer, sizeof layer, "%d:1x1", mid);
        y = v3_conv(n, y, b->hard_swish, layer);
    }
    snprintf(layer, sizeof layer, "dw:%dx%d/%d", b->kernel, b->kernel, b->stride);
    y = v3_conv(n, y, b->hard_swish, layer);
    if (b->squeeze) {
        y = squeeze_excite(n, y);
    }
    const bool skip = b->stride == 1 && in == out;
    y = atoll__net_text(n, y, "%d:1x1%s", out, skip ? "+" : "-");
    return skip ? atoll__net_add(n, x, y, ATOLL_ACT_NONE) : y;
}

void atoll__zoo_mobilenet_v3(struct atoll__net *n, int variant) {
    (void)variant;
    const double alpha = n->args->alpha;
    char layer[32];
    snprintf(layer, sizeof layer, "%d:3x3/2", atoll__zoo_round8(16 * alpha));
    int32_t x = v3_conv(n, atoll__net_image(n, 3), true, layer);
    for (size_t i = 0; i < sizeof v3_large / sizeof v3_large[0]; i++) {
        x = v3_block(n, x, &v3_large[i]);
    }
    snprintf(layer, sizeof layer, "%d:1x1", atoll__net_channels(n, x) * 6);
    x = atoll__net_mean(n, v3_conv(n, x, true, layer), false);
    x = hard_swish(n, atoll__net_dense(n, x, alpha > 1.0 ? atoll__zoo_round8(1280 * alpha) : 1280,
                                       ATOLL_ACT_NONE));
    atoll__net_classes(n, x);
}
