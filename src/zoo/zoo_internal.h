/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file zoo_internal.h
 * Private to the room `zoo`: the small layer language in which the networks are written.
 *
 * A description is a function that adds layers to a `struct atoll__net`. Activations are tensor
 * indices. The first failure sticks: later calls do nothing and return -1, so that a description
 * reads like the paper's table, without a check on every line.
 *
 * Quantization: weights per output channel, zero point 0; int32 bias with scale s_in * s_w[c];
 * activations after ReLU or ReLU6 cover 0..6, linear ones -5..7. Every layer of one kind has the
 * same range, so the inputs of a concatenation share their scale, as the Edge TPU asks.
 */
#ifndef ATOLL_SRC_ZOO_ZOO_INTERNAL_H
#define ATOLL_SRC_ZOO_ZOO_INTERNAL_H

#include <atoll/zoo.h>

/* ------------------------------------------------------------ parameters */

/** Values of the keys; those a network has not keep 0. */
struct atoll__zoo_args {
    double alpha; ///< width multiplier
    int32_t size; ///< input pixels a side
    int32_t classes;
    int32_t layers, filters, kernel, units;
    int32_t inputs; ///< channels or vector length of the input
    bool zero_bias;
    uint64_t seed;
};

/** Fills `args` from the network's defaults and from `query` ("key=value&key=value", may be empty).
 */
int atoll__zoo_parse(const struct atoll_zoo_network *network, const char *query,
                     struct atoll__zoo_args *args, struct atoll_err *err);
/** The name nearest to `name[n]` by edit distance; never NULL. */
const char *atoll__zoo_nearest(const char *name, size_t n);
/** v rounded to a multiple of 8, not more than 10 % below v (MobileNet and EfficientNet papers). */
int32_t atoll__zoo_round8(double v);

/* ------------------------------------------------------------------- net */

/** How windows treat the border. */
enum atoll__pad {
    ATOLL__PAD_NET,  ///< as the net says
    ATOLL__PAD_SAME, ///< TensorFlow SAME
    ATOLL__PAD_VALID,
    ATOLL__PAD_TORCH, ///< kernel/2 on both sides: SAME at stride 1, an explicit PAD otherwise
    ATOLL__PAD_CEIL,  ///< pools: no border, but the last partial window counts (ceil_mode)
};

/** Value range of an activation tensor, hence its scale and zero point. */
enum atoll__range {
    ATOLL__RANGE_INPUT,  ///< -1..1
    ATOLL__RANGE_RELU,   ///< 0..6
    ATOLL__RANGE_LINEAR, ///< -5..7
    ATOLL__RANGE_UNIT,   ///< 1/256, -128: softmax and logistic
    ATOLL__RANGE_TANH,   ///< 1/128, 0
};

struct atoll__net {
    struct atoll_builder *builder;
    struct atoll_err *err;
    const struct atoll__zoo_args *args;
    int code;                   ///< first failure, or 0
    enum atoll__pad pad;        ///< SAME (TensorFlow nets) or TORCH
    enum atoll_activation act;  ///< of convolutions that do not say otherwise
    uint32_t n_layers, n_fills; ///< counters for names and seeds
    float *scales;              ///< scratch, one per channel
    int64_t *zeros;             ///< scratch, all zero
    size_t n_scales, n_zeros;
    int32_t inputs[1];
    int32_t outputs[8];
    uint32_t n_inputs, n_outputs;
};

/** Where the output of a layer without activation goes; decides how wide its weights are. */
enum atoll__role {
    ATOLL__ROLE_INNER,
    ATOLL__ROLE_BRANCH, ///< goes into a sum: small, so that deep sums do not saturate
    ATOLL__ROLE_WIDE,   ///< the classes, so that some stand out; in front of h-swish, which halves
};

/** One window layer: convolution, depthwise convolution or pool. */
struct atoll__window {
    int32_t out; ///< output channels (convolutions)
    int32_t kernel_h, kernel_w, stride;
    enum atoll__pad pad;
    enum atoll_activation act;
    enum atoll__role role;
    bool linear_range; ///< keep -5..7 behind a ReLU (the output meets linear tensors)
};

void atoll__net_finish(struct atoll__net *n); ///< frees the scratch arrays
/** Records a failure (the first one counts); returns -1. */
int32_t atoll__net_fail(struct atoll__net *n, int code, const char *fmt, ...) ATOLL_PRINTF(3, 4);
/** The tensor, or NULL after a failure. */
const struct atoll_tensor *atoll__net_tensor(struct atoll__net *n, int32_t x);
int32_t atoll__net_height(struct atoll__net *n, int32_t x);
int32_t atoll__net_channels(struct atoll__net *n, int32_t x); ///< innermost dimension

/* tensors (zoo_net.c) */
int32_t atoll__net_activation(struct atoll__net *n, const char *kind, int32_t rank,
                              const int32_t *shape, enum atoll__range range);
/** An activation with the type and quantization of `like`. */
int32_t atoll__net_activation_like(struct atoll__net *n, const char *kind, int32_t rank,
                                   const int32_t *shape, int32_t like);
int32_t atoll__net_float(struct atoll__net *n, const char *name, int32_t rank,
                         const int32_t *shape);
int32_t atoll__net_const_int32(struct atoll__net *n, const char *name, int32_t rank,
                               const int32_t *shape, const int32_t *values);
int32_t atoll__net_const_float(struct atoll__net *n, const char *name, int32_t rank,
                               const int32_t *shape, const float *values);
int32_t atoll__net_const_scalar(struct atoll__net *n, float value); ///< int8, value exact
/** Seeded int8 weights; channels = shape[dimension] scales, or one when dimension < 0. `gain`
 * scales the variance-preserving standard deviation 1/sqrt(fan_in). Sets n->scales to the scales.
 */
int32_t atoll__net_weights(struct atoll__net *n, int32_t rank, const int32_t *shape,
                           int32_t dimension, int32_t fan_in, double gain);
/** Bias of the weights made last: scale = scale of x * n->scales[c]. */
int32_t atoll__net_bias(struct atoll__net *n, int32_t channels, bool per_channel, int32_t x);
/** Adds the operator; returns its output (0 inputs with index < -1). */
int32_t atoll__net_op(struct atoll__net *n, const struct atoll_op *op);
/** Operator with one or two inputs (b < 0: one), one output and default attributes. */
int32_t atoll__net_simple(struct atoll__net *n, enum atoll_opcode code, int32_t a, int32_t b,
                          int32_t out);

/* ---------------------------------------------------------------- layers */

int32_t atoll__net_image(struct atoll__net *n,
                         int32_t channels); ///< input size x size x channels, int8
int32_t atoll__net_vector(struct atoll__net *n, int32_t length); ///< input 1 x length, int8
int32_t atoll__net_conv(struct atoll__net *n, int32_t x, const struct atoll__window *w);
int32_t atoll__net_depthwise(struct atoll__net *n, int32_t x, const struct atoll__window *w);
int32_t atoll__net_pool(struct atoll__net *n, int32_t x, enum atoll_opcode code,
                        const struct atoll__window *w);
int32_t atoll__net_upsample_conv(struct atoll__net *n, int32_t x, int32_t out,
                                 int32_t kernel); ///< TRANSPOSE_CONV, stride 2, linear
int32_t atoll__net_concat(struct atoll__net *n, const int32_t *x, uint32_t count, int32_t axis);
int32_t atoll__net_add(struct atoll__net *n, int32_t a, int32_t b, enum atoll_activation act);
int32_t atoll__net_mul(struct atoll__net *n, int32_t a, int32_t b);
/** Explicit batch norm with fused ReLU: MUL and ADD by int8 constants per channel. */
int32_t atoll__net_norm_relu(struct atoll__net *n, int32_t x);
int32_t atoll__net_unary(struct atoll__net *n, enum atoll_opcode code, int32_t x,
                         enum atoll__range range);
int32_t atoll__net_mean(struct atoll__net *n, int32_t x, bool keep_dims); ///< over height and width
int32_t atoll__net_dense(struct atoll__net *n, int32_t x, int32_t units, enum atoll_activation act);
/** RESHAPE whose target stands in its options alone (the writer takes it from the output). */
int32_t atoll__net_reshape(struct atoll__net *n, int32_t x, int32_t rank, const int32_t *shape);
/** RESHAPE to 1 x everything, with the target as a second input, as converters write it. */
int32_t atoll__net_flatten(struct atoll__net *n, int32_t x);
int32_t atoll__net_softmax(struct atoll__net *n, int32_t x);
void atoll__net_output(struct atoll__net *n, int32_t x);
/** FULLY_CONNECTED to `classes`, SOFTMAX, output. */
void atoll__net_classes(struct atoll__net *n, int32_t x);
/** The same behind a global mean. */
void atoll__net_classifier(struct atoll__net *n, int32_t x);

/* ------------------------------------------------------------------ text */

/** Layers written as text, read left to right:
 *    64:3x3      convolution, 64 outputs, stride 1, the net's padding and activation
 *    64:3x3/2    stride 2
 *    dw:3x3/2    depthwise convolution
 *    max:3x3/2   avg:3x3   pools
 *    bn          batch norm and ReLU, explicit
 *    relu        a ReLU of its own
 *    ( a | b )   both paths from here, concatenated in this order; an empty path is the tensor
 * itself Letters behind a window: v VALID, s SAME, c ceil mode; - no activation, + none and into a
 * sum, = none and wide; ~ linear range. */
int32_t atoll__net_text(struct atoll__net *n, int32_t x, const char *fmt, ...) ATOLL_PRINTF(3, 4);

/* ---------------------------------------------------------- shared blocks */

/** Called while a trunk grows, with the tensor x that detection and segmentation nets branch off in
 * `block` (from 0): what is added here stands in the file before the layers that go on from x. */
struct atoll__tap {
    void (*fn)(struct atoll__net *n, void *user, int32_t block, int32_t x);
    void *user;
};
/** Inverted residual of MobileNet v2: 1x1 to `mid` (none when mid equals the input), depthwise, 1x1
 * linear, and the sum with the input when the shapes agree. Taps (may be NULL) see the expanded
 * tensor. */
struct atoll__inverted {
    int32_t mid, out, kernel, stride;
};
int32_t atoll__net_inverted_residual(struct atoll__net *n, int32_t x,
                                     const struct atoll__inverted *b, const struct atoll__tap *tap,
                                     int32_t block);
/** MobileNet v1 and v2 from the image on, without heads. Taps see the blocks' outputs in v1. */
int32_t atoll__mobilenet_v1_trunk(struct atoll__net *n, const struct atoll__tap *tap);
int32_t atoll__mobilenet_v2_trunk(struct atoll__net *n, int32_t stem_stride,
                                  const struct atoll__tap *tap);

/* --------------------------------------------------------------- families */

typedef void (*atoll__zoo_make)(struct atoll__net *n, int variant);
void atoll__zoo_mobilenet_v1(struct atoll__net *n, int variant);
void atoll__zoo_mobilenet_v2(struct atoll__net *n, int variant);
void atoll__zoo_mobilenet_v3(struct atoll__net *n, int variant);
void atoll__zoo_resnet(struct atoll__net *n, int variant);
void atoll__zoo_resnet_v2(struct atoll__net *n, int variant);
void atoll__zoo_googlenet(struct atoll__net *n, int variant);
void atoll__zoo_bn_inception(struct atoll__net *n, int variant);
void atoll__zoo_inception_v3(struct atoll__net *n, int variant);
void atoll__zoo_inception_v4(struct atoll__net *n, int variant);
void atoll__zoo_inception_resnet_v2(struct atoll__net *n, int variant);
void atoll__zoo_densenet(struct atoll__net *n, int variant);
void atoll__zoo_xception(struct atoll__net *n, int variant);
void atoll__zoo_efficientnet_lite(struct atoll__net *n, int variant);
void atoll__zoo_efficientnet_edgetpu(struct atoll__net *n, int variant);
void atoll__zoo_vgg(struct atoll__net *n, int variant);
void atoll__zoo_squeezenet(struct atoll__net *n, int variant);
void atoll__zoo_ssd(struct atoll__net *n, int variant);
void atoll__zoo_unet(struct atoll__net *n, int variant);
void atoll__zoo_conv_chain(struct atoll__net *n, int variant);
void atoll__zoo_dense_chain(struct atoll__net *n, int variant);
void atoll__zoo_wide_resnet(struct atoll__net *n, int variant);

/** Variants of a family for 32-pixel inputs (stem without down-sampling, one linear layer as head).
 */
enum { ATOLL__CIFAR = 1000 };

#endif
