/* SPDX-License-Identifier: Apache-2.0 */
#include "cost_fixture.h"

#include "atoll_test.h"

static const float one_scale = 0.05F;
static const int64_t no_zero = 0;

static struct atoll_quant per_tensor(void)
{
    return (struct atoll_quant){.scale = &one_scale, .zero_point = &no_zero, .n = 1};
}

static int32_t add_tensor(struct net *n, const struct atoll_tensor *t)
{
    const int32_t i = atoll_builder_tensor(n->b, t, false, &n->err);
    if (i < 0) {
        fail_msg("%s", n->err.text);
    }
    return i;
}

static int32_t activation(struct net *n, int32_t rank, const int32_t *shape)
{
    struct atoll_tensor t = {
        .name = "x", .type = ATOLL_TYPE_INT8, .rank = rank, .quant = per_tensor(), .producer = -1};
    memcpy(t.shape, shape, (size_t)rank * sizeof *shape);
    return add_tensor(n, &t);
}

static int32_t constant(struct net *n, enum atoll_type type, int32_t rank, const int32_t *shape,
                        enum atoll_fill_kind fill, int32_t channel_dim, uint32_t channels)
{
    float *scale = atoll_calloc(channels, sizeof *scale);
    int64_t *zero = atoll_calloc(channels, sizeof *zero);
    for (uint32_t i = 0; i < channels; i++) {
        scale[i] = 0.01F;
    }
    struct atoll_tensor t = {
        .name = "w",
        .type = type,
        .rank = rank,
        .is_constant = true,
        .producer = -1,
        .fill = {.kind = fill, .seed = 7},
        .quant = {.scale = scale, .zero_point = zero, .n = channels, .dimension = channel_dim}};
    memcpy(t.shape, shape, (size_t)rank * sizeof *shape);
    const int32_t i = add_tensor(n, &t);
    atoll_free(scale);
    atoll_free(zero);
    return i;
}

static struct atoll_tensor shape_of(struct net *n, int32_t x)
{
    return *atoll_builder_get(n->b, x);
}

static void add_op(struct net *n, int32_t code, const struct atoll_op_attr *attr, const int32_t *in,
                   uint32_t n_in, int32_t out)
{
    struct atoll_op o = {.code = code,
                         .custom_name = code == ATOLL_OP_CUSTOM ? "Unmapped" : NULL,
                         .inputs = in,
                         .n_inputs = n_in,
                         .outputs = &out,
                         .n_outputs = 1,
                         .attr = attr != NULL ? *attr : atoll_op_attr_default()};
    if (atoll_builder_op(n->b, &o, &n->err) < 0) {
        fail_msg("%s", n->err.text);
    }
}

void net_begin(struct net *n)
{
    *n = (struct net){0};
    assert_int_equal(atoll_builder_create("test", "test network", &n->b, &n->err), 0);
}

int32_t net_input(struct net *n, int32_t h, int32_t w, int32_t c)
{
    return activation(n, 4, (const int32_t[]){1, h, w, c});
}

int32_t net_vector(struct net *n, int32_t c)
{
    return activation(n, 2, (const int32_t[]){1, c});
}

int32_t net_conv(struct net *n, int32_t x, int32_t kernel, int32_t stride, int32_t cout,
                 bool zero_bias)
{
    const struct atoll_tensor in = shape_of(n, x);
    const int32_t w =
        constant(n, ATOLL_TYPE_INT8, 4, (const int32_t[]){cout, kernel, kernel, in.shape[3]},
                 ATOLL_FILL_INT8, 0, (uint32_t)cout);
    const int32_t b = constant(n, ATOLL_TYPE_INT32, 1, &cout,
                               zero_bias ? ATOLL_FILL_ZERO : ATOLL_FILL_BIAS32, 0, (uint32_t)cout);
    struct atoll_op_attr a = atoll_op_attr_default();
    a.stride_h = a.stride_w = stride;
    a.padding = ATOLL_PADDING_SAME;
    const int32_t y =
        activation(n, 4,
                   (const int32_t[]){
                       1, atoll_window_out(in.shape[1], kernel, stride, 1, ATOLL_PADDING_SAME),
                       atoll_window_out(in.shape[2], kernel, stride, 1, ATOLL_PADDING_SAME), cout});
    add_op(n, ATOLL_OP_CONV_2D, &a, (const int32_t[]){x, w, b}, 3, y);
    return y;
}

int32_t net_depthwise(struct net *n, int32_t x, int32_t kernel, int32_t stride)
{
    const struct atoll_tensor in = shape_of(n, x);
    const int32_t c = in.shape[3];
    const int32_t w = constant(n, ATOLL_TYPE_INT8, 4, (const int32_t[]){1, kernel, kernel, c},
                               ATOLL_FILL_INT8, 3, (uint32_t)c);
    const int32_t b = constant(n, ATOLL_TYPE_INT32, 1, &c, ATOLL_FILL_BIAS32, 0, (uint32_t)c);
    struct atoll_op_attr a = atoll_op_attr_default();
    a.stride_h = a.stride_w = stride;
    a.depth_multiplier = 1;
    a.padding = ATOLL_PADDING_SAME;
    const int32_t y = activation(
        n, 4,
        (const int32_t[]){1, atoll_window_out(in.shape[1], kernel, stride, 1, ATOLL_PADDING_SAME),
                          atoll_window_out(in.shape[2], kernel, stride, 1, ATOLL_PADDING_SAME), c});
    add_op(n, ATOLL_OP_DEPTHWISE_CONV_2D, &a, (const int32_t[]){x, w, b}, 3, y);
    return y;
}

int32_t net_dense(struct net *n, int32_t x, int32_t outputs, bool zero_bias)
{
    const struct atoll_tensor in = shape_of(n, x);
    int32_t features = 1;
    for (int32_t i = 1; i < in.rank; i++) {
        features *= in.shape[i];
    }
    const int32_t w = constant(n, ATOLL_TYPE_INT8, 2, (const int32_t[]){outputs, features},
                               ATOLL_FILL_INT8, 0, 1);
    const int32_t b = constant(n, ATOLL_TYPE_INT32, 1, &outputs,
                               zero_bias ? ATOLL_FILL_ZERO : ATOLL_FILL_BIAS32, 0, 1);
    const int32_t y = activation(n, 2, (const int32_t[]){1, outputs});
    add_op(n, ATOLL_OP_FULLY_CONNECTED, NULL, (const int32_t[]){x, w, b}, 3, y);
    return y;
}

int32_t net_add(struct net *n, int32_t x, int32_t y)
{
    const struct atoll_tensor in = shape_of(n, x);
    const int32_t out = activation(n, in.rank, in.shape);
    add_op(n, ATOLL_OP_ADD, NULL, (const int32_t[]){x, y}, 2, out);
    return out;
}

int32_t net_concat(struct net *n, const int32_t *x, uint32_t count)
{
    struct atoll_tensor out = shape_of(n, x[0]);
    out.shape[3] = 0;
    for (uint32_t i = 0; i < count; i++) {
        out.shape[3] += shape_of(n, x[i]).shape[3];
    }
    struct atoll_op_attr a = atoll_op_attr_default();
    a.axis = 3;
    const int32_t y = activation(n, 4, out.shape);
    add_op(n, ATOLL_OP_CONCATENATION, &a, x, count, y);
    return y;
}

int32_t net_pool(struct net *n, int32_t x, int32_t kernel, int32_t stride)
{
    const struct atoll_tensor in = shape_of(n, x);
    struct atoll_op_attr a = atoll_op_attr_default();
    a.filter_h = a.filter_w = kernel;
    a.stride_h = a.stride_w = stride;
    a.padding = ATOLL_PADDING_SAME;
    const int32_t y = activation(
        n, 4,
        (const int32_t[]){1, atoll_window_out(in.shape[1], kernel, stride, 1, ATOLL_PADDING_SAME),
                          atoll_window_out(in.shape[2], kernel, stride, 1, ATOLL_PADDING_SAME),
                          in.shape[3]});
    add_op(n, ATOLL_OP_MAX_POOL_2D, &a, &x, 1, y);
    return y;
}

int32_t net_mean(struct net *n, int32_t x)
{
    static const int32_t axes[] = {1, 2};
    const struct atoll_tensor in = shape_of(n, x);
    struct atoll_tensor t = {.name = "axes",
                             .type = ATOLL_TYPE_INT32,
                             .rank = 1,
                             .shape = {2},
                             .is_constant = true,
                             .data = axes,
                             .producer = -1};
    const int32_t axis = add_tensor(n, &t);
    const int32_t y = activation(n, 2, (const int32_t[]){1, in.shape[3]});
    add_op(n, ATOLL_OP_MEAN, NULL, (const int32_t[]){x, axis}, 2, y);
    return y;
}

int32_t net_pad(struct net *n, int32_t x, int32_t by)
{
    static const int32_t one[8] = {0, 0, 1, 1, 1, 1, 0, 0};
    const struct atoll_tensor in = shape_of(n, x);
    assert_int_equal(by, 1);
    struct atoll_tensor t = {.name = "pads",
                             .type = ATOLL_TYPE_INT32,
                             .rank = 2,
                             .shape = {4, 2},
                             .is_constant = true,
                             .data = one,
                             .producer = -1};
    const int32_t pads = add_tensor(n, &t);
    const int32_t y = activation(
        n, 4, (const int32_t[]){1, in.shape[1] + 2 * by, in.shape[2] + 2 * by, in.shape[3]});
    add_op(n, ATOLL_OP_PAD, NULL, (const int32_t[]){x, pads}, 2, y);
    return y;
}

int32_t net_softmax(struct net *n, int32_t x)
{
    const struct atoll_tensor in = shape_of(n, x);
    const int32_t y = activation(n, in.rank, in.shape);
    add_op(n, ATOLL_OP_SOFTMAX, NULL, &x, 1, y);
    return y;
}

int32_t net_custom(struct net *n, int32_t x)
{
    const struct atoll_tensor in = shape_of(n, x);
    const int32_t y = activation(n, in.rank, in.shape);
    add_op(n, ATOLL_OP_CUSTOM, NULL, &x, 1, y);
    return y;
}

struct atoll_model *net_end(struct net *n, int32_t input, const int32_t *outputs,
                            uint32_t n_outputs)
{
    struct atoll_model *m = NULL;
    if (atoll_builder_finish(&n->b, &input, 1, outputs, n_outputs, &m, &n->err) != 0) {
        fail_msg("%s", n->err.text);
    }
    return m;
}

/** One random block on x: a plain layer, a residual block, an inception block, a pool. */
static int32_t random_block(struct net *n, struct atoll_rng *r, int32_t x)
{
    const int32_t c = shape_of(n, x).shape[3];
    const int32_t wide = (int32_t)atoll_rng_below(r, 90) + 3;
    switch (atoll_rng_below(r, 7)) {
    case 0:
        return net_conv(n, x, 3, 1 + (int32_t)atoll_rng_below(r, 2), wide, false);
    case 1:
        return net_depthwise(n, x, 3, 1);
    case 2: {
        const int32_t y = net_conv(n, net_conv(n, x, 1, 1, wide, false), 3, 1, c, false);
        return net_add(n, y, x);
    }
    case 3: {
        const int32_t parts[] = {net_conv(n, x, 1, 1, wide, false), net_pool(n, x, 3, 1),
                                 net_conv(n, net_conv(n, x, 1, 1, 8, false), 3, 1, wide, false)};
        return net_concat(n, parts, 3);
    }
    case 4:
        return net_pool(n, x, 2, 2);
    case 5:
        return net_add(n, x, x);
    default:
        return net_conv(n, net_pad(n, x, 1), 3, 1, wide, true);
    }
}

struct atoll_model *net_random(struct atoll_rng *r)
{
    static const int32_t sides[] = {24, 32, 64, 96, 224};
    struct net n;
    net_begin(&n);
    const int32_t side = sides[atoll_rng_below(r, 5)];
    const int32_t input = net_input(&n, side, side, 3);
    int32_t x = net_conv(&n, input, 3, 2, (int32_t)atoll_rng_below(r, 60) + 4, false);
    const uint64_t blocks = atoll_rng_below(r, 12) + 1;
    for (uint64_t i = 0; i < blocks; i++) {
        x = random_block(&n, r, x);
    }
    const int32_t middle = x;
    x = net_dense(&n, net_mean(&n, x), 2000 + (int32_t)atoll_rng_below(r, 2000), false);
    x = net_dense(&n, x, 4000 + (int32_t)atoll_rng_below(r, 1500), atoll_rng_below(r, 2) == 0);
    x = net_softmax(&n, net_dense(&n, x, (int32_t)atoll_rng_below(r, 1000) + 2, false));
    if (atoll_rng_below(r, 3) == 0) {
        x = net_custom(&n, x);
    }
    const int32_t outputs[] = {x, middle};
    return net_end(&n, input, outputs, atoll_rng_below(r, 4) == 0 ? 2 : 1);
}

struct atoll_model *net_conv_chain(uint32_t layers, int32_t filters, int32_t size)
{
    struct net n;
    net_begin(&n);
    const int32_t input = net_input(&n, size, size, 3);
    int32_t x = input;
    for (uint32_t i = 0; i < layers; i++) {
        x = net_conv(&n, x, 3, 1, filters, true);
    }
    return net_end(&n, input, &x, 1);
}

struct atoll_model *net_dense_chain(uint32_t layers, int32_t inputs, int32_t units, int32_t outputs)
{
    struct net n;
    net_begin(&n);
    const int32_t input = net_vector(&n, inputs);
    int32_t x = input;
    for (uint32_t i = 0; i < layers; i++) {
        x = net_dense(&n, x, units, true);
    }
    x = net_dense(&n, x, outputs, true);
    return net_end(&n, input, &x, 1);
}

uint32_t *all_ops(const struct atoll_model *m)
{
    uint32_t *ops = atoll_calloc(m->n_ops, sizeof *ops);
    for (uint32_t i = 0; i < m->n_ops; i++) {
        ops[i] = i;
    }
    return ops;
}

struct atoll_board *open_board(const char *name)
{
    struct atoll_board *b = NULL;
    struct atoll_err err = {0};
    if (atoll_board_open(name, NULL, &b, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return b;
}
