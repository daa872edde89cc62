/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of one operator from its shapes: multiply-accumulates, bytes of weights, biases,
 * constants and activations. docs/method-model.md says what each counts. */
#include "model_internal.h"

#include <string.h>

/* Which inputs hold data, weights and bias; -1: none. Input orders: schema, "operator" comments. */
static const struct roles {
    int16_t code;
    int8_t data, weights, bias;
} roles[] = {
    {ATOLL_OP_CONV_2D, 0, 1, 2},         {ATOLL_OP_DEPTHWISE_CONV_2D, 0, 1, 2},
    {ATOLL_OP_FULLY_CONNECTED, 0, 1, 2}, {ATOLL_OP_TRANSPOSE_CONV, 2, 1, 3},
    {ATOLL_OP_SPLIT, 1, -1, -1},         {ATOLL_OP_BATCH_MATMUL, 0, 1, -1},
};
static const struct roles default_roles = {-1, 0, -1, -1};

static const struct roles *roles_of(const struct atoll_op *op)
{
    for (size_t i = 0; i < LEN(roles); i++) {
        if (roles[i].code == op->code) {
            return &roles[i];
        }
    }
    return &default_roles;
}

static int32_t input_at(const struct atoll_op *op, int8_t position)
{
    return position >= 0 && (uint32_t)position < op->n_inputs ? op->inputs[position] : -1;
}

int32_t atoll_op_data_input(const struct atoll_model *m, uint32_t op)
{
    return input_at(&m->ops[op], roles_of(&m->ops[op])->data);
}

int32_t atoll_op_weights(const struct atoll_model *m, uint32_t op)
{
    const int32_t t = input_at(&m->ops[op], roles_of(&m->ops[op])->weights);
    /* The second factor of a batch matmul is often an activation: then there are no weights. */
    return t >= 0 && m->ops[op].code == ATOLL_OP_BATCH_MATMUL && !m->tensors[t].is_constant ? -1
                                                                                            : t;
}

int32_t atoll_op_bias(const struct atoll_model *m, uint32_t op)
{
    return input_at(&m->ops[op], roles_of(&m->ops[op])->bias);
}

static uint64_t dim(const struct atoll_tensor *t, int32_t i)
{
    return t != NULL && i >= 0 && i < t->rank ? (uint64_t)(uint32_t)t->shape[i] : 0;
}

static uint64_t last_dim(const struct atoll_tensor *t)
{
    return t == NULL ? 0 : dim(t, t->rank - 1);
}

/* LSTM: at every step each gate multiplies the input and the state; a projection follows. */
static uint64_t lstm_macs(const struct atoll_model *m, const struct atoll_op *op)
{
    const struct atoll_tensor *x = atoll__op_input(m, op, 0);
    if (x == NULL || x->rank < 1) {
        return 0;
    }
    const uint64_t features = last_dim(x);
    const uint64_t steps = features == 0 ? 0 : atoll__elements(x) / features; /* batch * time */
    uint64_t per_step = 0;
    for (uint32_t i = 1; i <= 16; i++) {
        const struct atoll_tensor *w = atoll__op_input(m, op, i);
        const bool matrix = i <= 8 || i == 16; /* input and recurrent weights, projection */
        per_step = w != NULL && matrix ? atoll__sat_add(per_step, atoll__elements(w)) : per_step;
    }
    return atoll__sat_mul(steps, per_step);
}

static uint64_t lstm_weight_bytes(const struct atoll_model *m, const struct atoll_op *op)
{
    uint64_t bytes = 0;
    for (uint32_t i = 1; i <= 16; i++) {
        const struct atoll_tensor *w = atoll__op_input(m, op, i);
        if (w != NULL && w->is_constant && (i <= 11 || i == 16)) {
            bytes += w->data_bytes;
        }
    }
    return bytes;
}

static uint64_t macs_of(const struct atoll_model *m, const struct atoll_op *op)
{
    const struct atoll_tensor *y = op->n_outputs > 0 ? &m->tensors[op->outputs[0]] : NULL;
    const struct atoll_tensor *w = atoll__op_input(m, op, 1);
    if (y == NULL || w == NULL) {
        return 0;
    }
    const uint64_t out = atoll__elements(y);
    switch (op->code) {
    case ATOLL_OP_CONV_2D: /* every output value: kh * kw * cin */
        return atoll__sat_mul(out, atoll__sat_mul(dim(w, 1), atoll__sat_mul(dim(w, 2), dim(w, 3))));
    case ATOLL_OP_DEPTHWISE_CONV_2D: /* every output value: kh * kw */
        return atoll__sat_mul(out, atoll__sat_mul(dim(w, 1), dim(w, 2)));
    case ATOLL_OP_FULLY_CONNECTED: /* every output value: one row of the weights */
        return atoll__sat_mul(out, last_dim(w));
    case ATOLL_OP_TRANSPOSE_CONV: { /* every input value: kh * kw * cout */
        const struct atoll_tensor *x = atoll__op_input(m, op, 2);
        const uint64_t in = x == NULL ? 0 : atoll__elements(x);
        return atoll__sat_mul(in, atoll__sat_mul(dim(w, 0), atoll__sat_mul(dim(w, 1), dim(w, 2))));
    }
    case ATOLL_OP_BATCH_MATMUL: { /* every output value: the inner dimension (adj_x: the last but
                                     one) */
        const struct atoll_tensor *x = atoll__op_input(m, op, 0);
        const uint64_t rows = dim(y, y->rank - 2);
        const uint64_t batch_rows =
            x == NULL || last_dim(x) == 0 ? 0 : atoll__elements(x) / last_dim(x);
        const bool transposed =
            x != NULL && x->rank >= 2 && dim(x, x->rank - 2) != rows && last_dim(x) == rows;
        return batch_rows == 0
                   ? 0
                   : atoll__sat_mul(out, transposed ? dim(x, x->rank - 2) : last_dim(x));
    }
    default: return 0;
    }
}

static bool is_lstm(const struct atoll_op *op)
{
    return op->code == ATOLL_OP_LSTM || op->code == ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM;
}

void atoll_op_info(const struct atoll_model *m, uint32_t index, struct atoll_op_info *out)
{
    const struct atoll_op *op = &m->ops[index];
    *out = (struct atoll_op_info){.macs = macs_of(m, op)};
    if (is_lstm(op)) {
        out->gate_macs = lstm_macs(m, op);
        out->gate_weight_bytes = lstm_weight_bytes(m, op);
    }
    const int32_t weights = atoll_op_weights(m, index);
    const int32_t bias = atoll_op_bias(m, index);
    if (weights >= 0 && m->tensors[weights].is_constant) {
        out->weight_bytes = m->tensors[weights].data_bytes;
    }
    if (bias >= 0 && m->tensors[bias].is_constant) {
        out->bias_bytes = m->tensors[bias].data_bytes;
    }
    for (uint32_t i = 0; i < op->n_inputs; i++) {
        const struct atoll_tensor *t = atoll__op_input(m, op, i);
        if (t != NULL && t->is_constant) {
            out->const_bytes += t->data_bytes;
        } else if (t != NULL) {
            out->in_bytes += t->bytes;
        }
    }
    for (uint32_t i = 0; i < op->n_outputs; i++) {
        out->out_bytes += m->tensors[op->outputs[i]].bytes;
    }
}
