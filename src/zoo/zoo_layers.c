/* SPDX-License-Identifier: Apache-2.0 */
/* The layers: each makes its constants and its output tensor, and adds the operator. */
#include "zoo_internal.h"

#include <math.h>
#include <string.h>

/* Shape of a feature map; all zero after a failure. */
struct map {
    int32_t h, w, c;
};

static struct map map_of(struct atoll__net *n, int32_t x) {
    const struct atoll_tensor *t = atoll__net_tensor(n, x);
    if (t == NULL || t->rank != 4) {
        atoll__net_fail(n, ATOLL_EINTERNAL, "layer %u: not a feature map", (unsigned)n->n_layers);
        return (struct map){0, 0, 0};
    }
    return (struct map){t->shape[1], t->shape[2], t->shape[3]};
}

static enum atoll__range range_of(enum atoll_activation act, bool linear_range) {
    return act == ATOLL_ACT_NONE || linear_range ? ATOLL__RANGE_LINEAR : ATOLL__RANGE_RELU;
}

/* Standard deviation of the weights in units of 1/sqrt(fan_in): sqrt(2) in front of a ReLU, which
 * halves the variance (He et al. 2015), else 1. */
static double gain_of(enum atoll_activation act, enum atoll__role role) {
    switch (role) {
    case ATOLL__ROLE_BRANCH: return 0.4;
    case ATOLL__ROLE_WIDE: return 2.0;
    case ATOLL__ROLE_INNER: break;
    }
    return act == ATOLL_ACT_NONE ? 1.0 : 1.4142135623730951;
}

int32_t atoll__net_image(struct atoll__net *n, int32_t channels) {
    const int32_t shape[4] = {1, n->args->size, n->args->size, channels};
    const int32_t x = atoll__net_activation(n, "input", 4, shape, ATOLL__RANGE_INPUT);
    n->inputs[0] = x;
    n->n_inputs = 1;
    return x;
}

int32_t atoll__net_vector(struct atoll__net *n, int32_t length) {
    const int32_t shape[2] = {1, length};
    const int32_t x = atoll__net_activation(n, "input", 2, shape, ATOLL__RANGE_INPUT);
    n->inputs[0] = x;
    n->n_inputs = 1;
    return x;
}

/* Zeros around the map: `before` rows and columns on top and left, `after` below and right. */
static int32_t pad_map(struct atoll__net *n, int32_t x, int32_t h, int32_t w) {
    const struct map m = map_of(n, x);
    const int32_t shape[2] = {4, 2};
    const int32_t values[8] = {0, 0, h, h, w, w, 0, 0};
    const int32_t paddings = atoll__net_const_int32(n, "paddings", 2, shape, values);
    const int32_t out_shape[4] = {1, m.h + 2 * h, m.w + 2 * w, m.c};
    const int32_t out = atoll__net_activation_like(n, "pad", 4, out_shape, x);
    return atoll__net_simple(n, ATOLL_OP_PAD, x, paddings, out);
}

/* Brings a window's padding down to SAME or VALID, adding a PAD to *x where neither says it. */
static enum atoll_padding resolve_padding(struct atoll__net *n, const struct atoll__window *w,
                                          int32_t *x) {
    const enum atoll__pad pad = w->pad == ATOLL__PAD_NET ? n->pad : w->pad;
    if (pad == ATOLL__PAD_CEIL) {
        const struct map m = map_of(n, *x);
        const bool fits =
            (m.h - w->kernel_h) % w->stride == 0 && (m.w - w->kernel_w) % w->stride == 0;
        return fits ? ATOLL_PADDING_VALID : ATOLL_PADDING_SAME;
    }
    if (pad != ATOLL__PAD_TORCH) {
        return pad == ATOLL__PAD_VALID ? ATOLL_PADDING_VALID : ATOLL_PADDING_SAME;
    }
    if (w->stride == 1) {
        return ATOLL_PADDING_SAME;
    }
    if (w->kernel_h > 1 || w->kernel_w > 1) {
        *x = pad_map(n, *x, w->kernel_h / 2, w->kernel_w / 2);
    }
    return ATOLL_PADDING_VALID;
}

/* Output map of a window; fails with a sentence when nothing is left. */
static struct map window_map(struct atoll__net *n, int32_t x, const struct atoll__window *w,
                             enum atoll_padding padding, int32_t channels) {
    const struct map in = map_of(n, x);
    const struct map out = {
        atoll_window_out(in.h, w->kernel_h, w->stride, 1, padding),
        atoll_window_out(in.w, w->kernel_w, w->stride, 1, padding),
        channels,
    };
    if (n->code == 0 && (out.h < 1 || out.w < 1)) {
        atoll__net_fail(
            n, ATOLL_EINPUT,
            "size=%d is too small: layer %u vanishes (its %dx%d window does not fit into %dx%d)",
            (int)n->args->size, (unsigned)n->n_layers, (int)w->kernel_h, (int)w->kernel_w,
            (int)in.h, (int)in.w);
    }
    return out;
}

static struct atoll_op_attr window_attr(const struct atoll__window *w, enum atoll_padding padding) {
    struct atoll_op_attr attr = atoll_op_attr_default();
    attr.padding = padding;
    attr.stride_h = w->stride;
    attr.stride_w = w->stride;
    attr.activation = w->act;
    return attr;
}

int32_t atoll__net_conv(struct atoll__net *n, int32_t x, const struct atoll__window *w) {
    const enum atoll_padding padding = resolve_padding(n, w, &x);
    const struct map out = window_map(n, x, w, padding, w->out);
    if (n->code != 0) {
        return -1;
    }
    const int32_t cin = map_of(n, x).c;
    const int32_t wshape[4] = {w->out, w->kernel_h, w->kernel_w, cin};
    const int32_t fan_in = w->kernel_h * w->kernel_w * cin;
    const int32_t weights = atoll__net_weights(n, 4, wshape, 0, fan_in, gain_of(w->act, w->role));
    const int32_t bias = atoll__net_bias(n, w->out, true, x);
    const int32_t shape[4] = {1, out.h, out.w, out.c};
    const int32_t y = atoll__net_activation(n, "conv", 4, shape, range_of(w->act, w->linear_range));
    const int32_t in[3] = {x, weights, bias};
    return atoll__net_op(n, &(struct atoll_op){.code = ATOLL_OP_CONV_2D,
                                               .inputs = in,
                                               .n_inputs = 3,
                                               .outputs = &y,
                                               .n_outputs = 1,
                                               .attr = window_attr(w, padding)});
}

int32_t atoll__net_depthwise(struct atoll__net *n, int32_t x, const struct atoll__window *w) {
    const enum atoll_padding padding = resolve_padding(n, w, &x);
    const int32_t c = map_of(n, x).c;
    const struct map out = window_map(n, x, w, padding, c);
    if (n->code != 0) {
        return -1;
    }
    const int32_t wshape[4] = {1, w->kernel_h, w->kernel_w, c};
    const int32_t weights =
        atoll__net_weights(n, 4, wshape, 3, w->kernel_h * w->kernel_w, gain_of(w->act, w->role));
    const int32_t bias = atoll__net_bias(n, c, true, x);
    const int32_t shape[4] = {1, out.h, out.w, c};
    const int32_t y =
        atoll__net_activation(n, "depthwise", 4, shape, range_of(w->act, w->linear_range));
    const int32_t in[3] = {x, weights, bias};
    struct atoll_op_attr attr = window_attr(w, padding);
    attr.depth_multiplier = 1;
    return atoll__net_op(n, &(struct atoll_op){.code = ATOLL_OP_DEPTHWISE_CONV_2D,
                                               .inputs = in,
                                               .n_inputs = 3,
                                               .outputs = &y,
                                               .n_outputs = 1,
                                               .attr = attr});
}

int32_t atoll__net_pool(struct atoll__net *n, int32_t x, enum atoll_opcode code,
                        const struct atoll__window *w) {
    const enum atoll_padding padding = resolve_padding(n, w, &x);
    const struct map out = window_map(n, x, w, padding, map_of(n, x).c);
    if (n->code != 0) {
        return -1;
    }
    const int32_t shape[4] = {1, out.h, out.w, out.c};
    const int32_t y = atoll__net_activation_like(
        n, code == ATOLL_OP_MAX_POOL_2D ? "max_pool" : "avg_pool", 4, shape, x);
    struct atoll_op_attr attr = window_attr(w, padding);
    attr.activation = ATOLL_ACT_NONE;
    attr.filter_h = w->kernel_h;
    attr.filter_w = w->kernel_w;
    return atoll__net_op(n, &(struct atoll_op){.code = (int32_t)code,
                                               .inputs = &x,
                                               .n_inputs = 1,
                                               .outputs = &y,
                                               .n_outputs = 1,
                                               .attr = attr});
}

int32_t atoll__net_upsample_conv(struct atoll__net *n, int32_t x, int32_t out, int32_t kernel) {
    const struct map m = map_of(n, x);
    if (n->code != 0) {
        return -1;
    }
    const int32_t shape[4] = {1, 2 * m.h, 2 * m.w, out};
    const int32_t four = 4;
    const int32_t size = atoll__net_const_int32(n, "output_shape", 1, &four, shape);
    const int32_t wshape[4] = {out, kernel, kernel, m.c};
    /* Each output meets about a quarter of the kernel's taps at stride 2. */
    const int32_t fan_in = (kernel * kernel + 3) / 4 * m.c;
    const int32_t weights =
        atoll__net_weights(n, 4, wshape, 0, fan_in, gain_of(ATOLL_ACT_RELU, ATOLL__ROLE_INNER));
    const int32_t bias = atoll__net_bias(n, out, true, x);
    const int32_t y = atoll__net_activation(n, "transpose_conv", 4, shape, ATOLL__RANGE_LINEAR);
    const int32_t in[4] = {size, weights, x, bias};
    struct atoll_op_attr attr = atoll_op_attr_default();
    attr.padding = ATOLL_PADDING_SAME;
    attr.stride_h = 2;
    attr.stride_w = 2;
    return atoll__net_op(n, &(struct atoll_op){.code = ATOLL_OP_TRANSPOSE_CONV,
                                               .inputs = in,
                                               .n_inputs = 4,
                                               .outputs = &y,
                                               .n_outputs = 1,
                                               .attr = attr});
}

/* True when the two tensors have the same scale and zero point. */
static bool same_scale(const struct atoll_tensor *a, const struct atoll_tensor *b) {
    return a->quant.scale[0] == b->quant.scale[0] &&
           a->quant.zero_point[0] == b->quant.zero_point[0];
}

int32_t atoll__net_concat(struct atoll__net *n, const int32_t *x, uint32_t count, int32_t axis) {
    int32_t shape[ATOLL_RANK_MAX] = {0};
    int32_t rank = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct atoll_tensor *first = atoll__net_tensor(n, x[0]);
        const struct atoll_tensor *t = atoll__net_tensor(n, x[i]);
        if (first == NULL || t == NULL) {
            return -1;
        }
        if (i == 0) {
            rank = t->rank;
            memcpy(shape, t->shape, sizeof shape);
            continue;
        }
        for (int32_t d = 0; d < rank; d++) {
            if (t->rank != rank || (d != axis && t->shape[d] != shape[d])) {
                return atoll__net_fail(
                    n, ATOLL_EINPUT,
                    "size=%d does not fit: layer %u would join maps of %d and %d rows",
                    (int)n->args->size, (unsigned)n->n_layers, (int)shape[1], (int)t->shape[1]);
            }
        }
        if (!same_scale(first, t)) {
            return atoll__net_fail(n, ATOLL_EINTERNAL, "layer %u: concatenation of unlike scales",
                                   (unsigned)n->n_layers);
        }
        shape[axis] += t->shape[axis];
    }
    const int32_t y = atoll__net_activation_like(n, "concat", rank, shape, x[0]);
    struct atoll_op_attr attr = atoll_op_attr_default();
    attr.axis = axis;
    return atoll__net_op(n, &(struct atoll_op){.code = ATOLL_OP_CONCATENATION,
                                               .inputs = x,
                                               .n_inputs = count,
                                               .outputs = &y,
                                               .n_outputs = 1,
                                               .attr = attr});
}

/* a + b with the activation fused, written into tensor y. */
static int32_t add_into(struct atoll__net *n, int32_t a, int32_t b, int32_t y,
                        enum atoll_activation act)
{
    const int32_t in[2] = {a, b};
    struct atoll_op_attr attr = atoll_op_attr_default();
    attr.activation = act;
    return atoll__net_op(n, &(struct atoll_op){.code = ATOLL_OP_ADD,
                                               .inputs = in,
                                               .n_inputs = 2,
                                               .outputs = &y,
                                               .n_outputs = 1,
                                               .attr = attr});
}

int32_t atoll__net_add(struct atoll__net *n, int32_t a, int32_t b, enum atoll_activation act) {
    const struct map ma = map_of(n, a);
    const struct map mb = map_of(n, b);
    if (n->code == 0 && (ma.h != mb.h || ma.w != mb.w || ma.c != mb.c)) {
        return atoll__net_fail(n, ATOLL_EINPUT,
                               "size=%d does not fit: layer %u would add %dx%dx%d to %dx%dx%d",
                               (int)n->args->size, (unsigned)n->n_layers, (int)ma.h, (int)ma.w,
                               (int)ma.c, (int)mb.h, (int)mb.w, (int)mb.c);
    }
    const int32_t shape[4] = {1, ma.h, ma.w, ma.c};
    const int32_t y = atoll__net_activation(n, "add", 4, shape, range_of(act, false));
    return add_into(n, a, b, y, act);
}

int32_t atoll__net_mul(struct atoll__net *n, int32_t a, int32_t b) {
    const struct map m = map_of(n, a);
    const int32_t shape[4] = {1, m.h, m.w, m.c};
    return atoll__net_simple(n, ATOLL_OP_MUL, a, b,
                             atoll__net_activation_like(n, "mul", 4, shape, a));
}

int32_t atoll__net_norm_relu(struct atoll__net *n, int32_t x) {
    const struct map m = map_of(n, x);
    const int32_t shape[4] = {1, m.h, m.w, m.c};
    const int32_t gamma = atoll__net_weights(n, 1, &m.c, -1, 1, 1.0);
    const int32_t scaled = atoll__net_activation(n, "mul", 4, shape, ATOLL__RANGE_LINEAR);
    x = atoll__net_simple(n, ATOLL_OP_MUL, x, gamma, scaled);
    const int32_t beta = atoll__net_weights(n, 1, &m.c, -1, 1, 0.25);
    const int32_t y = atoll__net_activation(n, "add", 4, shape, ATOLL__RANGE_RELU);
    return add_into(n, x, beta, y, ATOLL_ACT_RELU);
}

int32_t atoll__net_unary(struct atoll__net *n, enum atoll_opcode code, int32_t x,
                         enum atoll__range range) {
    const struct atoll_tensor *t = atoll__net_tensor(n, x);
    if (t == NULL) {
        return -1;
    }
    int32_t shape[ATOLL_RANK_MAX];
    memcpy(shape, t->shape, sizeof shape);
    const int32_t rank = t->rank;
    return atoll__net_simple(n, code, x, -1, atoll__net_activation(n, "unary", rank, shape, range));
}

int32_t atoll__net_mean(struct atoll__net *n, int32_t x, bool keep_dims) {
    const struct map m = map_of(n, x);
    const int32_t two = 2;
    const int32_t axes[2] = {1, 2};
    const int32_t dims = atoll__net_const_int32(n, "axes", 1, &two, axes);
    const int32_t flat[2] = {1, m.c};
    const int32_t kept[4] = {1, 1, 1, m.c};
    const int32_t y =
        atoll__net_activation_like(n, "mean", keep_dims ? 4 : 2, keep_dims ? kept : flat, x);
    const int32_t in[2] = {x, dims};
    struct atoll_op_attr attr = atoll_op_attr_default();
    attr.keep_dims = keep_dims;
    return atoll__net_op(n, &(struct atoll_op){.code = ATOLL_OP_MEAN,
                                               .inputs = in,
                                               .n_inputs = 2,
                                               .outputs = &y,
                                               .n_outputs = 1,
                                               .attr = attr});
}

static int32_t dense(struct atoll__net *n, int32_t x, int32_t units, enum atoll_activation act,
                     enum atoll__role role) {
    const int32_t wshape[2] = {units, atoll__net_channels(n, x)};
    if (n->code != 0) {
        return -1;
    }
    const double gain = gain_of(act, role);
    const int32_t weights = atoll__net_weights(n, 2, wshape, -1, wshape[1], gain);
    const int32_t bias = atoll__net_bias(n, units, false, x);
    const int32_t shape[2] = {1, units};
    const int32_t y = atoll__net_activation(n, "dense", 2, shape, range_of(act, false));
    const int32_t in[3] = {x, weights, bias};
    struct atoll_op_attr attr = atoll_op_attr_default();
    attr.activation = act;
    return atoll__net_op(n, &(struct atoll_op){.code = ATOLL_OP_FULLY_CONNECTED,
                                               .inputs = in,
                                               .n_inputs = 3,
                                               .outputs = &y,
                                               .n_outputs = 1,
                                               .attr = attr});
}

int32_t atoll__net_dense(struct atoll__net *n, int32_t x, int32_t units,
                         enum atoll_activation act) {
    return dense(n, x, units, act, ATOLL__ROLE_INNER);
}

int32_t atoll__net_reshape(struct atoll__net *n, int32_t x, int32_t rank, const int32_t *shape) {
    return atoll__net_simple(n, ATOLL_OP_RESHAPE, x, -1,
                             atoll__net_activation_like(n, "reshape", rank, shape, x));
}

int32_t atoll__net_flatten(struct atoll__net *n, int32_t x) {
    const struct map m = map_of(n, x);
    const int32_t shape[2] = {1, m.h * m.w * m.c};
    const int32_t two = 2;
    const int32_t target = atoll__net_const_int32(n, "shape", 1, &two, shape);
    return atoll__net_simple(n, ATOLL_OP_RESHAPE, x, target,
                             atoll__net_activation_like(n, "reshape", 2, shape, x));
}

int32_t atoll__net_softmax(struct atoll__net *n, int32_t x) {
    const int32_t shape[2] = {1, atoll__net_channels(n, x)};
    const int32_t y = atoll__net_activation(n, "softmax", 2, shape, ATOLL__RANGE_UNIT);
    struct atoll_op_attr attr = atoll_op_attr_default();
    attr.beta = 1.0f;
    return atoll__net_op(n, &(struct atoll_op){.code = ATOLL_OP_SOFTMAX,
                                               .inputs = &x,
                                               .n_inputs = 1,
                                               .outputs = &y,
                                               .n_outputs = 1,
                                               .attr = attr});
}

void atoll__net_output(struct atoll__net *n, int32_t x) {
    if (n->code == 0 && n->n_outputs < sizeof n->outputs / sizeof n->outputs[0]) {
        n->outputs[n->n_outputs++] = x;
    }
}

void atoll__net_classes(struct atoll__net *n, int32_t x) {
    x = dense(n, x, n->args->classes, ATOLL_ACT_NONE, ATOLL__ROLE_WIDE);
    atoll__net_output(n, atoll__net_softmax(n, x));
}

void atoll__net_classifier(struct atoll__net *n, int32_t x) {
    atoll__net_classes(n, atoll__net_mean(n, x, false));
}
