/* SPDX-License-Identifier: Apache-2.0 */
/* Which operators edgetpu_compiler maps to the Edge TPU, and in its own words why not. Rules: one
 * table, one row per operator (coral.ai/docs/edgetpu/models-intro, "Supported operations"; rows
 * marked H in docs/method-model.md rest on compiled files only). */
#include "model_internal.h"

#include <string.h>

#define WHY_OPERATION "Operation not supported"
#define WHY_VERSION "Operation version not supported"
#define WHY_RANK "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
#define WHY_TYPE "Operation is working on an unsupported data type"
#define WHY_CONSTANT "Filter, bias, or other param is not constant at compile-time"
#define WHY_LIMIT                                                                                  \
    "Operation is otherwise supported, but not mapped due to some unspecified limitation"

#define NARROW_BYTES                                                                               \
    (UINT64_C(3) << 20) /* activation memory of the chip: 16 tiles, 192 KiB each                   \
                         */
#define SOFTMAX_ELEMENTS_MAX 16000u

/* One operator under test; a check answers NULL (fits) or the detail of what does not. */
struct view {
    const struct atoll_model *m;
    const struct atoll_op *op;
    uint32_t index;
};
typedef const char *(*check_fn)(const struct view *v);

static const struct atoll_tensor *input(const struct view *v, uint32_t i)
{
    return atoll__op_input(v->m, v->op, i);
}

static const struct atoll_tensor *output(const struct view *v)
{
    return v->op->n_outputs > 0 ? &v->m->tensors[v->op->outputs[0]] : NULL;
}

/* Value i of an int32 constant; false when it cannot be known. */
static bool constant_int(const struct atoll_tensor *t, uint32_t i, int32_t *value)
{
    if (t == NULL || !t->is_constant || t->type != ATOLL_TYPE_INT32 || t->data == NULL ||
        (uint64_t)(i + 1) * 4 > t->data_bytes) {
        return false;
    }
    memcpy(value, (const uint8_t *)t->data + 4 * (size_t)i, sizeof *value);
    return true;
}

static const char *check_no_activation(const struct view *v)
{
    return v->op->attr.activation == ATOLL_ACT_NONE ? NULL : "fused activation function";
}

static const char *check_concatenation(const struct view *v)
{
    for (uint32_t i = 0; i < v->op->n_inputs; i++) {
        const struct atoll_tensor *t = input(v, i);
        if (t != NULL && t->is_constant && (v->op->n_inputs != 2 || !atoll_tensor_all_zero(t))) {
            return "constant input that is not all zero, or more than 2 inputs";
        }
    }
    return check_no_activation(v);
}

static const char *check_dilation(const struct view *v)
{
    return v->op->attr.dilation_h == v->op->attr.dilation_w ? NULL : "dilation differs in x and y";
}

/* Output with one dimension above 1. */
static bool is_1d(const struct atoll_tensor *t)
{
    int above = 0;
    for (int32_t i = 0; t != NULL && i < t->rank; i++) {
        above += t->shape[i] > 1;
    }
    return above <= 1;
}

static const char *check_fully_connected(const struct view *v)
{
    return v->op->attr.weights_format != 0 ? "weights format is not the default"
           : !is_1d(output(v))             ? "output is not one-dimensional"
                                           : NULL;
}

static const char *check_softmax(const struct view *v)
{
    const struct atoll_tensor *x = input(v, 0);
    return !is_1d(x)                                                ? "input is not one-dimensional"
           : x != NULL && atoll__elements(x) > SOFTMAX_ELEMENTS_MAX ? "more than 16000 elements"
                                                                    : NULL;
}

/* Reducers and concatenation-like operators: the axes as constants, the batch not among them. */
static bool reduces(const struct view *v, int32_t wanted)
{
    const struct atoll_tensor *x = input(v, 0);
    const struct atoll_tensor *axes = input(v, 1);
    int32_t axis = 0;
    for (uint32_t i = 0; x != NULL && constant_int(axes, i, &axis); i++) {
        if ((axis < 0 ? axis + x->rank : axis) == wanted) {
            return true;
        }
    }
    return false;
}

static const char *check_reduce(const struct view *v)
{
    const struct atoll_tensor *x = input(v, 0);
    return x != NULL && x->rank == 4 && reduces(v, 0) ? "reduces over the batch" : NULL;
}

static const char *check_mean(const struct view *v)
{
    const struct atoll_tensor *x = input(v, 0);
    if (x != NULL && x->rank == 4 && reduces(v, 3) && x->shape[3] % 4 != 0) {
        return "reduces over z, whose size is not a multiple of 4";
    }
    return check_reduce(v);
}

static const char *check_pad(const struct view *v)
{
    const struct atoll_tensor *x = input(v, 0);
    int32_t before = 0;
    int32_t after = 0;
    const bool known =
        constant_int(input(v, 1), 0, &before) && constant_int(input(v, 1), 1, &after);
    return x != NULL && x->rank == 4 && known && (before != 0 || after != 0)
               ? "pads the batch dimension"
               : NULL;
}

static const char *check_prelu(const struct view *v)
{
    return is_1d(input(v, 1)) ? NULL : "alpha is not one-dimensional";
}

/* 513x513x19 (4.8 MiB) was left on the CPU, 33x33x19 was mapped. */
static const char *check_resize(const struct view *v)
{
    const struct atoll_tensor *y = output(v);
    return y != NULL && y->bytes > NARROW_BYTES
               ? "output is larger than the chip's activation memory"
               : NULL;
}

static const char *check_strided_slice(const struct view *v)
{
    const struct atoll_tensor *strides = input(v, 3);
    int32_t stride = 0;
    for (uint32_t i = 0; constant_int(strides, i, &stride); i++) {
        if (stride != 1) {
            return "strides are not all 1";
        }
    }
    return v->op->attr.ellipsis_mask != 0   ? "ellipsis mask"
           : v->op->attr.new_axis_mask != 0 ? "new axis mask"
                                            : NULL;
}

static const char *check_axis_not_batch(const struct view *v)
{
    const struct atoll_tensor *y = output(v);
    return y != NULL && y->rank == 4 && v->op->attr.axis == 0 ? "along the batch dimension" : NULL;
}

static const char *check_split(const struct view *v)
{
    const struct atoll_tensor *x = input(v, 1);
    int32_t axis = -1;
    return x != NULL && x->rank == 4 && constant_int(input(v, 0), 0, &axis) && axis == 0
               ? "along the batch dimension"
               : NULL;
}

/* Inputs that must be constants, as a bit mask of positions; ~0u: from the second on. */
#define FROM_SECOND 0xfffffffeu

static const struct rule {
    int16_t code;
    int16_t version_max; ///< 0: any
    uint32_t constant_inputs;
    check_fn check; ///< NULL: no limit of its own
} rules[] = {
    {ATOLL_OP_ADD, 0, 0, NULL},
    {ATOLL_OP_AVERAGE_POOL_2D, 0, 0, check_no_activation},
    {ATOLL_OP_CONCATENATION, 0, 0, check_concatenation},
    {ATOLL_OP_CONV_2D, 0, FROM_SECOND, check_dilation},
    {ATOLL_OP_DEPTHWISE_CONV_2D, 0, FROM_SECOND, check_dilation},
    {ATOLL_OP_EXPAND_DIMS, 0, FROM_SECOND, NULL},
    {ATOLL_OP_FULLY_CONNECTED, 0, FROM_SECOND, check_fully_connected},
    {ATOLL_OP_L2_NORMALIZATION, 0, 0, NULL},
    {ATOLL_OP_LOGISTIC, 0, 0, NULL},
    {ATOLL_OP_LSTM, 0, 0x3fffeu, NULL},
    {ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM, 0, 0x3fffeu, NULL},
    {ATOLL_OP_MAXIMUM, 0, 0, NULL},
    {ATOLL_OP_MAX_POOL_2D, 0, 0, check_no_activation},
    {ATOLL_OP_MEAN, 0, FROM_SECOND, check_mean},
    {ATOLL_OP_MINIMUM, 0, 0, NULL},
    {ATOLL_OP_MUL, 0, 0, NULL},
    {ATOLL_OP_PACK, 0, 0, check_axis_not_batch},
    {ATOLL_OP_PAD, 0, FROM_SECOND, check_pad},
    {ATOLL_OP_PRELU, 0, FROM_SECOND, check_prelu},
    {ATOLL_OP_QUANTIZE, 2, 0, NULL},
    {ATOLL_OP_DEQUANTIZE, 0, 0, NULL}, /* known to the compiler, but its output is a float */
    {ATOLL_OP_REDUCE_MAX, 0, FROM_SECOND, check_reduce},
    {ATOLL_OP_REDUCE_MIN, 0, FROM_SECOND, check_reduce},
    {ATOLL_OP_RELU, 0, 0, NULL},
    {ATOLL_OP_RELU6, 0, 0, NULL},
    {ATOLL_OP_RELU_N1_TO_1, 0, 0, NULL},
    {ATOLL_OP_RESHAPE, 0, FROM_SECOND, NULL},
    {ATOLL_OP_RESIZE_BILINEAR, 0, FROM_SECOND, check_resize},
    {ATOLL_OP_RESIZE_NEAREST_NEIGHBOR, 0, FROM_SECOND, check_resize},
    {ATOLL_OP_RSQRT, 0, 0, NULL},
    {ATOLL_OP_SLICE, 0, FROM_SECOND, NULL},
    {ATOLL_OP_SOFTMAX, 0, 0, check_softmax},
    {ATOLL_OP_SPACE_TO_DEPTH, 0, 0, NULL},
    {ATOLL_OP_SPLIT, 0, 1u, check_split},
    {ATOLL_OP_SQUARED_DIFFERENCE, 0, 0, NULL},
    {ATOLL_OP_SQUEEZE, 0, 0, NULL},
    {ATOLL_OP_STRIDED_SLICE, 0, FROM_SECOND, check_strided_slice},
    {ATOLL_OP_SUB, 0, 0, NULL},
    {ATOLL_OP_SUM, 0, FROM_SECOND, check_reduce},
    {ATOLL_OP_TANH, 0, 0, NULL},
    {ATOLL_OP_TILE, 0, FROM_SECOND, NULL},
    {ATOLL_OP_TRANSPOSE, 0, FROM_SECOND, NULL},
    {ATOLL_OP_TRANSPOSE_CONV, 3, 0xbu, NULL},
};

static const struct rule *rule_of(int32_t code)
{
    for (size_t i = 0; i < LEN(rules); i++) {
        if (rules[i].code == code) {
            return &rules[i];
        }
    }
    return NULL;
}

static bool is_8bit(const struct atoll_tensor *t)
{
    return t->type == ATOLL_TYPE_INT8 || t->type == ATOLL_TYPE_UINT8;
}

/* State tensors of a recurrent operator are 16 bits wide, parameters may be 32. */
static bool type_fits(const struct atoll_tensor *t)
{
    return is_8bit(t) || (t->is_variable && t->type == ATOLL_TYPE_INT16) ||
           (t->is_constant && (t->type == ATOLL_TYPE_INT32 || t->type == ATOLL_TYPE_INT16));
}

/* All dimensions but the three innermost are 1. */
static bool rank_fits(const struct atoll_tensor *t)
{
    for (int32_t i = 0; i + 3 < t->rank; i++) {
        if (t->shape[i] > 1) {
            return false;
        }
    }
    return true;
}

static const char *say(char buf[256], const char *why, const char *fmt, ...) ATOLL_PRINTF(3, 4);
static const char *say(char buf[256], const char *why, const char *fmt, ...)
{
    const int used = snprintf(buf, 256, "%s: ", why);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(buf + used, 256 - (size_t)used, fmt, ap);
    va_end(ap);
    return buf;
}

/* Types and ranks of what flows in and out; constants are looked at for their type only. */
static const char *check_tensor(const struct atoll_tensor *t, const char *role, uint32_t i,
                                char buf[256])
{
    if (!type_fits(t)) {
        return say(buf, WHY_TYPE, "%s %u is %s", role, i, atoll_type_name(t->type));
    }
    if (!t->is_constant && !rank_fits(t)) {
        return say(buf, WHY_RANK, "%s %u has %d dimensions", role, i, (int)t->rank);
    }
    return NULL;
}

static const char *check_tensors(const struct view *v, const struct rule *r, char buf[256])
{
    const char *why = NULL;
    for (uint32_t i = 0; why == NULL && i < v->op->n_inputs; i++) {
        const struct atoll_tensor *t = input(v, i);
        if (t == NULL) {
            continue;
        }
        why = check_tensor(t, "input", i, buf);
        if (why == NULL && !t->is_constant && i < 32 && (r->constant_inputs >> i & 1) != 0 &&
            t->bytes > 0) {
            why = say(buf, WHY_CONSTANT, "input %u", i);
        }
    }
    for (uint32_t i = 0; why == NULL && i < v->op->n_outputs; i++) {
        why = check_tensor(&v->m->tensors[v->op->outputs[i]], "output", i, buf);
    }
    return why;
}

const char *atoll_op_unmapped_why(const struct atoll_model *m, uint32_t index, char buf[256])
{
    const struct view v = {m, &m->ops[index], index};
    char name[64];
    const char *op_name = atoll_op_name(v.op, name);
    const struct rule *r = rule_of(v.op->code);
    if (r == NULL) {
        return say(buf, WHY_OPERATION, v.op->code == ATOLL_OP_CUSTOM ? "CUSTOM %.150s" : "%.150s",
                   op_name);
    }
    if (r->version_max != 0 && v.op->version > r->version_max) {
        return say(buf, WHY_VERSION, "%s %d (up to %d)", op_name, (int)v.op->version,
                   (int)r->version_max);
    }
    const char *why = check_tensors(&v, r, buf);
    if (why != NULL) {
        return why;
    }
    const char *detail = r->check != NULL ? r->check(&v) : NULL;
    return detail != NULL ? say(buf, WHY_LIMIT, "%s", detail) : NULL;
}

/* The compiler makes one Edge TPU operator. What stands before it may run on the CPU; what needs
 * the result of a CPU operator that itself follows the Edge TPU cannot come back to it. */
enum { ON_CPU_BEFORE, ON_TPU, ON_CPU_BEHIND };

static uint8_t place(const struct view *v, const uint8_t *places)
{
    uint8_t before = ON_CPU_BEFORE;
    for (uint32_t i = 0; i < v->op->n_inputs; i++) {
        const struct atoll_tensor *t = input(v, i);
        const uint8_t from = t == NULL || t->producer < 0 ? ON_CPU_BEFORE : places[t->producer];
        before = from > before ? from : before;
    }
    char buf[256];
    if (before != ON_CPU_BEHIND && atoll_op_unmapped_why(v->m, v->index, buf) == NULL) {
        return ON_TPU;
    }
    return before == ON_CPU_BEFORE ? ON_CPU_BEFORE : ON_CPU_BEHIND;
}

void atoll_model_mapping(const struct atoll_model *m, bool *maps)
{
    _Static_assert(sizeof *maps == 1, "a place is kept in the byte of its answer");
    uint8_t *places = (uint8_t *)maps;
    /* File order is an order of execution: producers have their place already. */
    for (uint32_t o = 0; o < m->n_ops; o++) {
        const struct view v = {m, &m->ops[o], o};
        places[o] = place(&v, places);
    }
    for (uint32_t o = 0; o < m->n_ops; o++) {
        maps[o] = places[o] == ON_TPU;
    }
}
