/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of the tables that the zoo has not: PoseNet and BodyPix heads on MobileNet v1 0.75, and
 * the one-operator models of the input and output sweeps. Only shapes matter here. */
#include "fit.h"

#include <atoll/zoo.h>

#include <stdio.h>
#include <string.h>

struct builder {
    struct atoll_builder *b;
    struct atoll_err *err;
    bool failed;
};

static int32_t tensor(struct builder *s, enum atoll_type type, int32_t rank, const int32_t *shape,
                      bool constant)
{
    static const float scale = 0.05F;
    static const int64_t zero = 0;
    struct atoll_tensor t = {.name = "t",
                             .type = type,
                             .rank = rank,
                             .quant = {.scale = &scale, .zero_point = &zero, .n = 1},
                             .producer = -1,
                             .is_constant = constant};
    if (constant) {
        t.fill.kind = type == ATOLL_TYPE_INT32 ? ATOLL_FILL_BIAS32 : ATOLL_FILL_INT8;
    }
    memcpy(t.shape, shape, (size_t)rank * sizeof *shape);
    const int32_t i = s->failed ? -1 : atoll_builder_tensor(s->b, &t, false, s->err);
    s->failed |= i < 0;
    return i;
}

static void op(struct builder *s, int32_t code, const struct atoll_op_attr *attr, const int32_t *in,
               uint32_t n, int32_t out)
{
    const struct atoll_op o = {
        .code = code, .inputs = in, .n_inputs = n, .outputs = &out, .n_outputs = 1, .attr = *attr};
    s->failed = s->failed || atoll_builder_op(s->b, &o, s->err) < 0;
}

/** A convolution, SAME; cout 0: depthwise. */
static int32_t conv(struct builder *s, int32_t x, int32_t kernel, int32_t stride, int32_t cout)
{
    if (s->failed) {
        return -1;
    }
    const struct atoll_tensor in = *atoll_builder_get(s->b, x);
    const int32_t c = cout > 0 ? cout : in.shape[3];
    const int32_t w_shape[] = {cout > 0 ? cout : 1, kernel, kernel, in.shape[3]};
    struct atoll_op_attr a = atoll_op_attr_default();
    a.stride_h = a.stride_w = stride;
    a.padding = ATOLL_PADDING_SAME;
    a.depth_multiplier = 1;
    const int32_t ins[] = {x, tensor(s, ATOLL_TYPE_INT8, 4, w_shape, true),
                           tensor(s, ATOLL_TYPE_INT32, 1, &c, true)};
    const int32_t shape[] = {
        1, atoll_window_out(in.shape[1], kernel, stride, 1, ATOLL_PADDING_SAME),
        atoll_window_out(in.shape[2], kernel, stride, 1, ATOLL_PADDING_SAME), c};
    const int32_t y = tensor(s, ATOLL_TYPE_INT8, 4, shape, false);
    op(s, cout > 0 ? ATOLL_OP_CONV_2D : ATOLL_OP_DEPTHWISE_CONV_2D, &a, ins, 3, y);
    return y;
}

static struct atoll_model *finish(struct builder *s, int32_t in, const int32_t *out, uint32_t n)
{
    struct atoll_model *m = NULL;
    if (s->failed) {
        atoll_builder_destroy(&s->b);
        return NULL;
    }
    return atoll_builder_finish(&s->b, &in, 1, out, n, &m, s->err) == 0 ? m : NULL;
}

/** MobileNet v1 0.75 up to its 12th block at stride 16, then one 1x1 convolution per output. */
static struct atoll_model *pose(int32_t h, int32_t w, const int32_t *heads, uint32_t n_heads,
                                struct atoll_err *err)
{
    static const int32_t channels[] = {48, 96, 96, 192, 192, 384, 384, 384, 384, 384, 384};
    static const int32_t strides[] = {1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1};
    struct builder s = {.err = err};
    int32_t outs[8];
    if (n_heads > 8 || atoll_builder_create("pose", "", &s.b, err) != 0) {
        return NULL;
    }
    const int32_t in = tensor(&s, ATOLL_TYPE_INT8, 4, (const int32_t[]){1, h, w, 3}, false);
    int32_t x = conv(&s, in, 3, 2, 24);
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        x = conv(&s, conv(&s, x, 3, strides[i], 0), 1, 1, channels[i]);
    }
    for (uint32_t i = 0; i < n_heads; i++) {
        outs[i] = conv(&s, x, 1, 1, heads[i]);
    }
    return finish(&s, in, outs, n_heads);
}

static int32_t add(struct builder *s, int32_t x, int32_t y)
{
    if (s->failed) {
        return -1;
    }
    const struct atoll_tensor t = *atoll_builder_get(s->b, x);
    const struct atoll_op_attr a = atoll_op_attr_default();
    const int32_t ins[] = {x, y};
    const int32_t out = tensor(s, ATOLL_TYPE_INT8, 4, t.shape, false);
    op(s, ATOLL_OP_ADD, &a, ins, 2, out);
    return out;
}

static int32_t whole_pool(struct builder *s, int32_t x)
{
    if (s->failed) {
        return -1;
    }
    const struct atoll_tensor t = *atoll_builder_get(s->b, x);
    struct atoll_op_attr a = atoll_op_attr_default();
    a.filter_h = t.shape[1];
    a.filter_w = t.shape[2];
    a.stride_h = a.stride_w = 1;
    a.padding = ATOLL_PADDING_VALID;
    const int32_t out =
        tensor(s, ATOLL_TYPE_INT8, 4, (const int32_t[]){1, 1, 1, t.shape[3]}, false);
    op(s, ATOLL_OP_AVERAGE_POOL_2D, &a, &x, 1, out);
    return out;
}

/** A stage of MobileNet-EdgeTPU: one block that widens by 8, then `more` residual ones by 4. */
struct stage {
    int32_t channels, kernel, stride, more;
    bool fused; ///< the first two convolutions of a block in one
};

static int32_t block(struct builder *s, int32_t x, const struct stage *t, int32_t wide,
                     int32_t stride)
{
    int32_t y = x;
    if (t->fused) {
        y = conv(s, y, t->kernel, stride, wide);
    } else {
        y = conv(s, conv(s, y, 1, 1, wide), t->kernel, stride, 0);
    }
    return conv(s, y, 1, 1, t->channels);
}

/** MobileNet-EdgeTPU 1.0 (Coral's "MobileNet V3"): widths of the shared 0.75 file over 0.75. */
static struct atoll_model *mobilenet_edgetpu(struct atoll_err *err)
{
    static const struct stage stages[] = {{32, 3, 2, 3, true},   {48, 3, 2, 3, true},
                                          {96, 3, 2, 3, false},  {96, 3, 1, 3, false},
                                          {160, 5, 2, 3, false}, {192, 3, 1, 0, false}};
    struct builder s = {.err = err};
    if (atoll_builder_create("mobilenet_edgetpu", "", &s.b, err) != 0) {
        return NULL;
    }
    const int32_t in = tensor(&s, ATOLL_TYPE_INT8, 4, (const int32_t[]){1, 224, 224, 3}, false);
    int32_t x = conv(&s, conv(&s, in, 3, 2, 32), 1, 1, 16);
    int32_t channels = 16;
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        const struct stage *t = &stages[i];
        x = block(&s, x, t, 8 * channels, t->stride);
        channels = t->channels;
        for (int32_t k = 0; k < t->more; k++) {
            x = add(&s, block(&s, x, t, 4 * channels, 1), x);
        }
    }
    x = conv(&s, whole_pool(&s, conv(&s, x, 1, 1, 1280)), 1, 1, 1001);
    return finish(&s, in, &x, 1);
}

/** stride: the image shrinks to one pixel by one 1x1 convolution; padding: 2x2 grows by a pad;
 *  both: 2x2 -> pad -> stride -> one pixel. */
static struct atoll_model *io(const char *sweep, int32_t h, int32_t w, struct atoll_err *err)
{
    struct builder s = {.err = err};
    const bool pads = strncmp(sweep, "padding", 7) == 0;
    const bool strides = strcmp(sweep, "padding") != 0;
    if (atoll_builder_create("io", "", &s.b, err) != 0) {
        return NULL;
    }
    const int32_t in_shape[] = {1, pads ? 2 : h, pads ? 2 : w, 3};
    const int32_t in = tensor(&s, ATOLL_TYPE_INT8, 4, in_shape, false);
    int32_t x = in;
    if (pads) {
        const int32_t by_shape[] = {4, 2};
        const int32_t ins[] = {x, tensor(&s, ATOLL_TYPE_INT32, 2, by_shape, true)};
        const struct atoll_op_attr a = atoll_op_attr_default();
        x = tensor(&s, ATOLL_TYPE_INT8, 4, (const int32_t[]){1, h, w, 3}, false);
        op(&s, ATOLL_OP_PAD, &a, ins, 2, x);
    }
    x = conv(&s, x, 1, strides ? (h > w ? h : w) : 1, 3);
    return finish(&s, in, &x, 1);
}

static int32_t dense(struct builder *s, int32_t x, int32_t units)
{
    if (s->failed) {
        return -1;
    }
    const struct atoll_tensor in = *atoll_builder_get(s->b, x);
    const int32_t w_shape[] = {units, in.shape[1]};
    const struct atoll_op_attr a = atoll_op_attr_default();
    const int32_t ins[] = {x, tensor(s, ATOLL_TYPE_UINT8, 2, w_shape, true),
                           tensor(s, ATOLL_TYPE_INT32, 1, &units, true)};
    const int32_t y = tensor(s, ATOLL_TYPE_UINT8, 2, (const int32_t[]){1, units}, false);
    op(s, ATOLL_OP_FULLY_CONNECTED, &a, ins, 3, y);
    return y;
}

/** A stack of `layers` dense layers with fused activations, 16 (2x2x3 padded) -> units -> 1. */
static struct atoll_model *dense_stack(int32_t units, int32_t layers, struct atoll_err *err)
{
    struct builder s = {.err = err};
    if (atoll_builder_create("dense", "", &s.b, err) != 0) {
        return NULL;
    }
    const int32_t in = tensor(&s, ATOLL_TYPE_UINT8, 2, (const int32_t[]){1, 16}, false);
    int32_t x = in;
    for (int32_t i = 0; i < layers; i++) {
        x = dense(&s, x, units);
    }
    x = dense(&s, x, 1);
    return finish(&s, in, &x, 1);
}

/** `layers` convolutions 7x7, 32 channels, on 128 x 128, fed by a small input and cut to one pixel.
 */
static struct atoll_model *conv_stack(int32_t layers, struct atoll_err *err)
{
    struct builder s = {.err = err};
    if (atoll_builder_create("conv7x7", "", &s.b, err) != 0) {
        return NULL;
    }
    const int32_t in = tensor(&s, ATOLL_TYPE_INT8, 4, (const int32_t[]){1, 2, 2, 3}, false);
    const int32_t by_shape[] = {4, 2};
    const int32_t ins[] = {in, tensor(&s, ATOLL_TYPE_INT32, 2, by_shape, true)};
    const struct atoll_op_attr a = atoll_op_attr_default();
    int32_t x = tensor(&s, ATOLL_TYPE_INT8, 4, (const int32_t[]){1, 128, 128, 3}, false);
    op(&s, ATOLL_OP_PAD, &a, ins, 2, x);
    for (int32_t i = 0; i < layers; i++) {
        x = conv(&s, x, 7, 1, 32);
    }
    x = conv(&s, x, 1, 128, 1);
    return finish(&s, in, &x, 1);
}

struct atoll_model *fit_model(const char *spec, struct atoll_err *err)
{
    static const int32_t pose_heads[] = {17, 34, 64};
    /* heat maps, short, mid, segments, part heat maps, long offsets: the Coral models' outputs */
    static const int32_t body_heads[] = {17, 34, 64, 1, 24, 34};
    static const char *const sweeps[] = {"stride", "padding", "padding_stride"};
    int32_t h = 0;
    int32_t w = 0;
    if (strncmp(spec, "posenet:", 8) == 0 && tsv_size(spec + 8, &h, &w)) {
        return pose(h, w, pose_heads, 3, err);
    }
    if (strncmp(spec, "bodypix:", 8) == 0 && tsv_size(spec + 8, &h, &w)) {
        return pose(h, w, body_heads, 6, err);
    }
    if (strcmp(spec, "mobilenet_edgetpu") == 0) {
        return mobilenet_edgetpu(err);
    }
    if (strncmp(spec, "dense:", 6) == 0 && tsv_size(spec + 6, &h, &w)) {
        return dense_stack(h, w, err);
    }
    if (strncmp(spec, "conv7x7:", 8) == 0 && tsv_size(spec + 8, &h, &w)) {
        return conv_stack(h, err);
    }
    for (size_t i = 0; i < sizeof sweeps / sizeof sweeps[0]; i++) {
        const size_t n = strlen(sweeps[i]);
        if (strncmp(spec, "io:", 3) == 0 && strncmp(spec + 3, sweeps[i], n) == 0 &&
            spec[3 + n] == ':' && tsv_size(spec + 4 + n, &h, &w)) {
            return io(sweeps[i], h, w, err);
        }
    }
    struct atoll_model *m = NULL;
    return atoll_zoo_build(spec, &m, err) == 0 ? m : NULL;
}
