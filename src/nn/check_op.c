/* SPDX-License-Identifier: Apache-2.0 */
/* Operators as the runtime's kernels take for granted that they are: enough tensors, ranks, types,
 * constants where XNNPACK reads values while it prepares. */
#include "nn_internal.h"

#include <math.h>

/* Fewest and most inputs, outputs. Operators that are not listed need one of each. */
static const struct arity {
    int16_t code;
    uint8_t in_low, in_high, out_low, out_high;
    int8_t rank; /* of the first data tensor and the first output; -1: any */
} arities[] = {
    {ATOLL_OP_CONV_2D, 2, 3, 1, 1, 4},
    {ATOLL_OP_DEPTHWISE_CONV_2D, 2, 3, 1, 1, 4},
    {ATOLL_OP_TRANSPOSE_CONV, 3, 4, 1, 1, -1},
    {ATOLL_OP_FULLY_CONNECTED, 2, 3, 1, 2, -1},
    {ATOLL_OP_BATCH_MATMUL, 2, 2, 1, 1, -1},
    {ATOLL_OP_ADD, 2, 2, 1, 1, -1},
    {ATOLL_OP_SUB, 2, 2, 1, 1, -1},
    {ATOLL_OP_MUL, 2, 2, 1, 1, -1},
    {ATOLL_OP_DIV, 2, 2, 1, 1, -1},
    {ATOLL_OP_MAXIMUM, 2, 2, 1, 1, -1},
    {ATOLL_OP_MINIMUM, 2, 2, 1, 1, -1},
    {ATOLL_OP_SQUARED_DIFFERENCE, 2, 2, 1, 1, -1},
    {ATOLL_OP_PRELU, 2, 2, 1, 1, -1},
    {ATOLL_OP_AVERAGE_POOL_2D, 1, 1, 1, 1, 4},
    {ATOLL_OP_MAX_POOL_2D, 1, 1, 1, 1, 4},
    {ATOLL_OP_MEAN, 2, 2, 1, 1, -1},
    {ATOLL_OP_SUM, 2, 2, 1, 1, -1},
    {ATOLL_OP_REDUCE_MAX, 2, 2, 1, 1, -1},
    {ATOLL_OP_REDUCE_MIN, 2, 2, 1, 1, -1},
    {ATOLL_OP_PAD, 2, 2, 1, 1, -1},
    {ATOLL_OP_PADV2, 3, 3, 1, 1, -1},
    {ATOLL_OP_MIRROR_PAD, 2, 2, 1, 1, -1},
    {ATOLL_OP_RESIZE_BILINEAR, 2, 2, 1, 1, 4},
    {ATOLL_OP_RESIZE_NEAREST_NEIGHBOR, 2, 2, 1, 1, 4},
    {ATOLL_OP_STRIDED_SLICE, 4, 4, 1, 1, -1},
    {ATOLL_OP_SLICE, 3, 3, 1, 1, -1},
    {ATOLL_OP_SPLIT, 2, 2, 1, 255, -1},
    {ATOLL_OP_SPLIT_V, 3, 3, 1, 255, -1},
    {ATOLL_OP_TRANSPOSE, 2, 2, 1, 1, -1},
    {ATOLL_OP_GATHER, 2, 2, 1, 1, -1},
    {ATOLL_OP_TILE, 2, 2, 1, 1, -1},
    {ATOLL_OP_ARG_MAX, 2, 2, 1, 1, -1},
    {ATOLL_OP_EXPAND_DIMS, 2, 2, 1, 1, -1},
    {ATOLL_OP_RESHAPE, 1, 2, 1, 1, -1},
    {ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM, 20, 24, 1, 1, -1},
    {ATOLL_OP_LSTM, 5, 24, 1, 4, -1},
};
static const struct arity one_of_each = {-1, 1, 255, 1, 255, -1};

static int wrong(const struct atoll_model *m, uint32_t op, const char *what, struct atoll_err *err)
{
    char name[64];
    return atoll_fail(err, ATOLL_EINPUT, "%s: operator %u (%s): %s", m->path, op,
                      atoll_op_name(&m->ops[op], name), what);
}

static const struct arity *arity_of(const struct atoll_op *op)
{
    for (size_t i = 0; i < sizeof arities / sizeof arities[0]; i++) {
        if (arities[i].code == op->code) {
            return &arities[i];
        }
    }
    return &one_of_each;
}

static const struct atoll_tensor *tensor(const struct atoll_model *m, int32_t index)
{
    return index >= 0 ? &m->tensors[index] : NULL;
}

static const struct atoll_tensor *input(const struct atoll_model *m, const struct atoll_op *op,
                                        uint32_t i)
{
    return i < op->n_inputs ? tensor(m, op->inputs[i]) : NULL;
}

static bool is_byte_type(const struct atoll_tensor *t)
{
    return t->type == ATOLL_TYPE_INT8 || t->type == ATOLL_TYPE_UINT8 ||
           t->type == ATOLL_TYPE_INT16 || t->type == ATOLL_TYPE_INT4;
}

/* Operators that compute with the scales of their 8- and 16-bit tensors. */
static bool needs_scales(int32_t code)
{
    switch (code) {
    case ATOLL_OP_CONV_2D:
    case ATOLL_OP_DEPTHWISE_CONV_2D:
    case ATOLL_OP_TRANSPOSE_CONV:
    case ATOLL_OP_FULLY_CONNECTED:
    case ATOLL_OP_ADD:
    case ATOLL_OP_SUB:
    case ATOLL_OP_MUL:
    case ATOLL_OP_AVERAGE_POOL_2D:
    case ATOLL_OP_MEAN:
    case ATOLL_OP_SUM:
    case ATOLL_OP_CONCATENATION:
    case ATOLL_OP_SOFTMAX:
    case ATOLL_OP_LOGISTIC:
    case ATOLL_OP_TANH:
    case ATOLL_OP_HARD_SWISH:
    case ATOLL_OP_LEAKY_RELU:
    case ATOLL_OP_PRELU:
    case ATOLL_OP_L2_NORMALIZATION:
    case ATOLL_OP_SQUARED_DIFFERENCE:
    case ATOLL_OP_QUANTIZE:
    case ATOLL_OP_DEQUANTIZE:
    case ATOLL_OP_BATCH_MATMUL:
    case ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM:
    case ATOLL_OP_LSTM:
        return true;
    default:
        return false;
    }
}

static int check_scales(const struct atoll_model *m, uint32_t index, struct atoll_err *err)
{
    const struct atoll_op *op = &m->ops[index];
    if (!needs_scales(op->code)) {
        return 0;
    }
    for (uint32_t i = 0; i < op->n_inputs + op->n_outputs; i++) {
        const int32_t at = i < op->n_inputs ? op->inputs[i] : op->outputs[i - op->n_inputs];
        const struct atoll_tensor *t = tensor(m, at);
        if (t != NULL && is_byte_type(t) && t->quant.n == 0) {
            return wrong(m, index, "a tensor of 8 or 16 bits without a scale", err);
        }
        if (t != NULL && is_byte_type(t) && !t->is_constant && t->quant.n > 1) {
            return wrong(m, index, "an activation with a scale for each channel", err);
        }
    }
    return 0;
}

static double scale_of(const struct atoll_tensor *t)
{
    return t != NULL && t->quant.n > 0 ? (double)t->quant.scale[0] : 1;
}

/* The kernels of these work in fixed point and abort where a factor leaves its range: sums rescale
 * by 2 max(inputs) / (2^20 output), squares by the square of that over 2^14 output, both below 1;
 * softmax scales its input up by beta * scale * 2^26, above 1. 16-bit sums have 2^15. */
static int check_rescaling(const struct atoll_model *m, uint32_t index, struct atoll_err *err)
{
    const struct atoll_op *op = &m->ops[index];
    const struct atoll_tensor *x = input(m, op, 0), *y = tensor(m, op->outputs[0]);
    if (x == NULL || y == NULL || !is_byte_type(x) || !is_byte_type(y)) {
        return 0;
    }
    const double twice = 2 * fmax(scale_of(x), scale_of(input(m, op, 1))), out = scale_of(y);
    double below_1 = 0;
    switch (op->code) {
    case ATOLL_OP_ADD:
    case ATOLL_OP_SUB:
        below_1 = twice / (ldexp(out, x->type == ATOLL_TYPE_INT16 ? 15 : 20));
        break;
    case ATOLL_OP_SQUARED_DIFFERENCE:
        below_1 = twice * twice / ldexp(out, 14);
        break;
    case ATOLL_OP_SOFTMAX:
        below_1 = ldexp(1, -26) / scale_of(x);
        break;
    default:
        break;
    }
    return below_1 < 1 ? 0 : wrong(m, index, "scales of input and output too far apart", err);
}

static int check_arity(const struct atoll_model *m, uint32_t index, const struct arity *a,
                       struct atoll_err *err)
{
    const struct atoll_op *op = &m->ops[index];
    if (op->n_inputs < a->in_low || (op->n_inputs > a->in_high && a->in_high != 255) ||
        op->n_outputs < a->out_low || (op->n_outputs > a->out_high && a->out_high != 255)) {
        return wrong(m, index, "inputs or outputs are missing or too many", err);
    }
    if (op->inputs[0] < 0 && op->code != ATOLL_OP_CUSTOM) {
        return wrong(m, index, "its first input is missing", err);
    }
    for (uint32_t i = 1; i < a->in_low && i < 2; i++) {
        if (op->inputs[i] < 0 && a->in_high < 20) {
            return wrong(m, index, "an input is missing", err);
        }
    }
    for (uint32_t i = 0; i < op->n_outputs; i++) {
        if (op->outputs[i] < 0) {
            return wrong(m, index, "an output is missing", err);
        }
        if (m->tensors[op->outputs[i]].is_constant) {
            return wrong(m, index, "an output is a constant", err);
        }
    }
    return 0;
}

static int check_rank(const struct atoll_model *m, uint32_t index, const struct arity *a,
                      struct atoll_err *err)
{
    const struct atoll_op *op = &m->ops[index];
    const struct atoll_tensor *in = tensor(m, atoll_op_data_input(m, index));
    const struct atoll_tensor *out = tensor(m, op->outputs[0]);
    if (a->rank >= 0 && (in == NULL || in->rank != a->rank || out->rank != a->rank)) {
        return wrong(m, index, "images of 4 dimensions expected", err);
    }
    return 0;
}

/* Channels that one scale each, or none, of the weights go with; biases as many as outputs. */
static int check_weights(const struct atoll_model *m, uint32_t index, struct atoll_err *err)
{
    const struct atoll_op *op = &m->ops[index];
    const bool depthwise = op->code == ATOLL_OP_DEPTHWISE_CONV_2D;
    const bool conv = op->code == ATOLL_OP_CONV_2D || depthwise;
    if (!conv && op->code != ATOLL_OP_FULLY_CONNECTED && op->code != ATOLL_OP_TRANSPOSE_CONV) {
        return 0;
    }
    const struct atoll_tensor *w = tensor(m, atoll_op_weights(m, index));
    const struct atoll_tensor *x = tensor(m, atoll_op_data_input(m, index));
    const struct atoll_tensor *b = tensor(m, atoll_op_bias(m, index));
    const struct atoll_tensor *y = tensor(m, op->outputs[0]);
    if (w == NULL || x == NULL || x->rank < 1 || y->rank < 1) {
        return wrong(m, index, "weights or data are missing", err);
    }
    if (w->rank != (op->code == ATOLL_OP_FULLY_CONNECTED ? 2 : 4)) {
        return wrong(m, index, "weights of another rank", err);
    }
    const int32_t axis = depthwise ? 3 : 0;
    const int32_t channels = w->shape[axis];
    if (channels < 1) {
        return wrong(m, index, "weights without channels", err);
    }
    if (w->quant.n > 1 && w->quant.dimension != axis) {
        return wrong(m, index, "scales along another dimension than the output channels", err);
    }
    if (b != NULL && (uint64_t)channels * atoll_type_bits(b->type) != b->bytes * 8) {
        return wrong(m, index, "as many biases as output channels expected", err);
    }
    const bool bytes = is_byte_type(x);
    if (b != NULL && bytes && b->type != ATOLL_TYPE_INT32 && b->type != ATOLL_TYPE_INT64) {
        return wrong(m, index, "int32 biases expected", err);
    }
    if (conv && y->shape[3] != channels) {
        return wrong(m, index, "as many output channels as weights expected", err);
    }
    return 0;
}

static int check_windows(const struct atoll_model *m, uint32_t index, struct atoll_err *err)
{
    const struct atoll_op *op = &m->ops[index];
    const struct atoll_op_attr *a = &op->attr;
    const bool pool = op->code == ATOLL_OP_AVERAGE_POOL_2D || op->code == ATOLL_OP_MAX_POOL_2D;
    const bool window = pool || op->code == ATOLL_OP_CONV_2D ||
                        op->code == ATOLL_OP_DEPTHWISE_CONV_2D ||
                        op->code == ATOLL_OP_TRANSPOSE_CONV;
    enum { LARGE = 1 << 20 };
    if (!window) {
        return 0;
    }
    if (a->stride_h < 1 || a->stride_w < 1 || a->stride_h > LARGE || a->stride_w > LARGE ||
        a->dilation_h < 1 || a->dilation_w < 1 || a->dilation_h > LARGE || a->dilation_w > LARGE ||
        (pool &&
         (a->filter_h < 1 || a->filter_w < 1 || a->filter_h > LARGE || a->filter_w > LARGE))) {
        return wrong(m, index, "a stride, dilation or window of no sensible size", err);
    }
    return 0;
}

/* The second input says where to: read while the runtime prepares, so constant and of its type. */
static int check_parameters(const struct atoll_model *m, uint32_t index, struct atoll_err *err)
{
    const struct atoll_op *op = &m->ops[index];
    switch (op->code) {
    case ATOLL_OP_PAD:
    case ATOLL_OP_PADV2:
    case ATOLL_OP_MIRROR_PAD: {
        const struct atoll_tensor *x = input(m, op, 0), *p = input(m, op, 1);
        if (p == NULL || p->rank != 2 || p->shape[0] != x->rank || p->shape[1] != 2) {
            return wrong(m, index, "paddings: two numbers for each dimension expected", err);
        }
        return 0;
    }
    case ATOLL_OP_RESIZE_BILINEAR:
    case ATOLL_OP_RESIZE_NEAREST_NEIGHBOR: {
        const struct atoll_tensor *s = input(m, op, 1);
        if (s == NULL || s->type != ATOLL_TYPE_INT32 || s->bytes != 8) {
            return wrong(m, index, "a size of two int32 numbers expected", err);
        }
        return 0;
    }
    default:
        return 0;
    }
}

int atoll__nn_check_op(const struct atoll_model *m, uint32_t op, struct atoll_err *err)
{
    const struct arity *a = arity_of(&m->ops[op]);
    int rc = check_arity(m, op, a, err);
    rc = rc ? rc : check_rank(m, op, a, err);
    rc = rc ? rc : check_scales(m, op, err);
    rc = rc ? rc : check_rescaling(m, op, err);
    rc = rc ? rc : check_weights(m, op, err);
    rc = rc ? rc : check_windows(m, op, err);
    return rc ? rc : check_parameters(m, op, err);
}
