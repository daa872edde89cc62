/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameter bytes as the compiler stores them: every layer is pad64(outputs * (K + b)).
 * K: bytes of weights per output channel, input channels padded to the lanes; a depthwise tap takes
 * all lanes. outputs: padded to the group that the cells of a tile work on. b: bias and scale.
 */
#include "cost_internal.h"

static uint64_t pad_rows_2019(const struct atoll__constants *k, uint64_t rows)
{
    const uint64_t tiny = atoll__k_int(k, ATOLL__K_PACK_ROWS_TINY);
    const uint64_t group = atoll__k_int(k, ATOLL__K_PACK_ROWS);
    if (rows <= tiny) {
        return tiny;
    }
    return atoll_pad_u64(rows, rows <= group ? atoll__k_int(k, ATOLL__K_PACK_ROWS_SMALL) : group);
}

/** The rule of fully connected layers has no tiny group. */
static uint64_t pad_rows_dense(const struct atoll__constants *k, uint64_t rows)
{
    const uint64_t group = atoll__k_int(k, ATOLL__K_PACK_ROWS);
    return atoll_pad_u64(rows, rows <= group ? atoll__k_int(k, ATOLL__K_PACK_ROWS_SMALL) : group);
}

static const struct atoll_tensor *tensor_of(const struct atoll_model *m, int32_t index)
{
    return index >= 0 ? &m->tensors[index] : NULL;
}

/** Bias and scale bytes per output channel. The v16 compiler drops a bias that is all zero. */
static uint64_t channel_bytes(const struct atoll__constants *k, const struct atoll_model *m,
                              uint32_t op, const struct atoll_tensor *w,
                              enum atoll_compiler compiler)
{
    const struct atoll_tensor *bias = tensor_of(m, atoll_op_bias(m, op));
    const bool drop = compiler == ATOLL_COMPILER_V16 && bias != NULL && atoll_tensor_all_zero(bias);
    const uint64_t per_tensor = atoll__k_int(k, ATOLL__K_PACK_TENSOR_BYTES);
    if (m->ops[op].code == ATOLL_OP_FULLY_CONNECTED) {
        if (drop) {
            return 0;
        }
        return w->type == ATOLL_TYPE_UINT8 ? per_tensor
                                           : atoll__k_int(k, ATOLL__K_PACK_DENSE_BYTES);
    }
    if (w->quant.n > 1) {
        return atoll__k_int(k,
                            drop ? ATOLL__K_PACK_CHANNEL_ZERO_BYTES : ATOLL__K_PACK_CHANNEL_BYTES);
    }
    return drop ? 0 : per_tensor;
}

static void pack_rows(const struct atoll__constants *k, uint64_t rows, uint64_t stream_rows,
                      uint64_t row_bytes, struct atoll__packed *out)
{
    const uint64_t align = atoll__k_int(k, ATOLL__K_PACK_ALIGN);
    out->cached_bytes = atoll_pad_u64(rows * row_bytes, align);
    out->stream_bytes = atoll_pad_u64(stream_rows * row_bytes, align);
}

static void pack_conv(const struct atoll__constants *k, const struct atoll_model *m, uint32_t op,
                      const struct atoll_tensor *w, enum atoll_compiler compiler,
                      struct atoll__packed *out)
{
    if (w->rank != 4) {
        return;
    }
    const uint64_t cout = (uint64_t)w->shape[0];
    const uint64_t row = (uint64_t)w->shape[1] * (uint64_t)w->shape[2] *
                             atoll_pad_u64((uint64_t)w->shape[3], atoll__k_int(k, ATOLL__K_LANES)) +
                         channel_bytes(k, m, op, w, compiler);
    const uint64_t rows = compiler == ATOLL_COMPILER_V16
                              ? atoll_pad_u64(cout, atoll__k_int(k, ATOLL__K_PACK_ROWS))
                              : pad_rows_2019(k, cout);
    pack_rows(k, rows, rows, row, out);
}

static void pack_depthwise(const struct atoll__constants *k, const struct atoll_model *m,
                           uint32_t op, const struct atoll_tensor *w, enum atoll_compiler compiler,
                           struct atoll__packed *out)
{
    if (w->rank != 4) {
        return;
    }
    const uint64_t c = (uint64_t)w->shape[3];
    const uint64_t row =
        (uint64_t)w->shape[1] * (uint64_t)w->shape[2] * atoll__k_int(k, ATOLL__K_LANES) +
        channel_bytes(k, m, op, w, compiler);
    pack_rows(k, c, c, row, out);
}

/** Weight bytes per output of a fully connected layer; a flattened map pads each pixel's channels.
 */
static uint64_t dense_inputs(const struct atoll__constants *k, const struct atoll_model *m,
                             uint32_t op, const struct atoll_tensor *w)
{
    const uint64_t lanes = atoll__k_int(k, ATOLL__K_LANES);
    const uint64_t n_in = (uint64_t)w->shape[1];
    const int32_t in = atoll_op_data_input(m, op);
    if (in < 0) {
        return atoll_pad_u64(n_in, lanes);
    }
    const struct atoll_tensor *t = &m->tensors[in];
    if (t->producer >= 0 && t->rank <= 2 && atoll__cost_alias(&m->ops[t->producer])) {
        const int32_t before = atoll_op_data_input(m, (uint32_t)t->producer);
        if (before >= 0) {
            t = &m->tensors[before];
        }
    }
    const struct atoll__hwc s = atoll__cost_hwc(t);
    if (t->rank == 4 && s.h * s.w * s.c == n_in) {
        return s.h * s.w * atoll_pad_u64(s.c, lanes);
    }
    return atoll_pad_u64(n_in, lanes);
}

static void pack_dense(const struct atoll__constants *k, const struct atoll_model *m, uint32_t op,
                       const struct atoll_tensor *w, enum atoll_compiler compiler,
                       struct atoll__packed *out)
{
    if (w->rank != 2) {
        return;
    }
    out->dense = true;
    const uint64_t row = dense_inputs(k, m, op, w) + channel_bytes(k, m, op, w, compiler);
    const uint64_t narrow_rows = pad_rows_dense(k, (uint64_t)w->shape[0]);
    /* v16 keeps small layers in whole groups of 64 outputs but streams them in groups of 16. */
    const uint64_t rows =
        compiler == ATOLL_COMPILER_V16
            ? atoll_pad_u64((uint64_t)w->shape[0], atoll__k_int(k, ATOLL__K_PACK_ROWS))
            : narrow_rows;
    pack_rows(k, rows, narrow_rows, row, out);
}

/** The table of a softmax: compilers from 2021 on. One size is known (1001 classes: 48256 B). */
static void pack_softmax(const struct atoll__constants *k, const struct atoll_model *m, uint32_t op,
                         enum atoll_compiler compiler, struct atoll__packed *out)
{
    const int32_t in = atoll_op_data_input(m, op);
    if (compiler != ATOLL_COMPILER_V16 || in < 0) {
        return;
    }
    const struct atoll__hwc s = atoll__cost_hwc(&m->tensors[in]);
    const uint64_t align = atoll__k_int(k, ATOLL__K_PACK_ALIGN);
    const uint64_t bytes = atoll_pad_u64(atoll__k_int(k, ATOLL__K_PACK_SOFTMAX_ROWS) *
                                             atoll_pad_u64(s.c, atoll__k_int(k, ATOLL__K_LANES)),
                                         align) +
                           align;
    out->cached_bytes = out->stream_bytes = bytes;
}

/** A multiply or add by a constant per channel that is not folded works like a 1x1 depthwise. */
static void pack_channelwise(const struct atoll__constants *k, const struct atoll_model *m,
                             uint32_t op, struct atoll__packed *out)
{
    for (uint32_t i = 0; i < m->ops[op].n_inputs; i++) {
        const struct atoll_tensor *t = tensor_of(m, m->ops[op].inputs[i]);
        if (t != NULL && t->is_constant && !atoll__cost_folded(m, op)) {
            const struct atoll__hwc s = atoll__cost_hwc(t);
            pack_rows(k, s.c, s.c,
                      atoll__k_int(k, ATOLL__K_LANES) +
                          atoll__k_int(k, ATOLL__K_PACK_CHANNEL_ZERO_BYTES),
                      out);
            return;
        }
    }
}

/** Gates of an LSTM as fully connected layers over input and state; its tables are not known. */
static void pack_lstm(const struct atoll__constants *k, const struct atoll_model *m, uint32_t op,
                      struct atoll__packed *out)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < m->ops[op].n_inputs; i++) {
        const struct atoll_tensor *t = tensor_of(m, m->ops[op].inputs[i]);
        if (t != NULL && t->is_constant && t->rank == 2) {
            struct atoll__packed one = {0};
            pack_rows(k, pad_rows_dense(k, (uint64_t)t->shape[0]), 0,
                      atoll_pad_u64((uint64_t)t->shape[1], atoll__k_int(k, ATOLL__K_LANES)) +
                          atoll__k_int(k, ATOLL__K_PACK_DENSE_BYTES),
                      &one);
            total += one.cached_bytes;
        }
    }
    out->cached_bytes = out->stream_bytes = total;
}

void atoll__cost_packing(const struct atoll__constants *k, const struct atoll_model *m, uint32_t op,
                         enum atoll_compiler compiler, struct atoll__packed *out)
{
    *out = (struct atoll__packed){0};
    const struct atoll_tensor *w = tensor_of(m, atoll_op_weights(m, op));
    switch (m->ops[op].code) {
    case ATOLL_OP_CONV_2D:
    case ATOLL_OP_TRANSPOSE_CONV:
        if (w != NULL && w->is_constant) {
            pack_conv(k, m, op, w, compiler, out);
        }
        break;
    case ATOLL_OP_DEPTHWISE_CONV_2D:
        if (w != NULL && w->is_constant) {
            pack_depthwise(k, m, op, w, compiler, out);
        }
        break;
    case ATOLL_OP_FULLY_CONNECTED:
        if (w != NULL && w->is_constant) {
            pack_dense(k, m, op, w, compiler, out);
        }
        break;
    case ATOLL_OP_LSTM:
    case ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM:
        pack_lstm(k, m, op, out);
        break;
    case ATOLL_OP_SOFTMAX:
        pack_softmax(k, m, op, compiler, out);
        break;
    case ATOLL_OP_ADD:
    case ATOLL_OP_MUL:
    case ATOLL_OP_SUB:
    case ATOLL_OP_PRELU:
        pack_channelwise(k, m, op, out);
        break;
    default:
        break;
    }
}
