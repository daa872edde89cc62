/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors as the device lays them out: rows, columns, channels; padded for the wire and the tiles.
 */
#include "cost_internal.h"

#include <math.h>

static uint64_t dim(int32_t v)
{
    return v > 0 ? (uint64_t)v : 1u;
}

struct atoll__hwc atoll__cost_hwc(const struct atoll_tensor *t)
{
    struct atoll__hwc s = {.h = 1, .w = 1, .c = 1};
    const int32_t r = t->rank;
    if (r >= 1) {
        s.c = dim(t->shape[r - 1]);
    }
    if (r >= 3) {
        s.w = dim(t->shape[r - 2]);
    }
    for (int32_t i = 0; i < (r >= 3 ? r - 2 : r - 1); i++) {
        s.h *= dim(t->shape[i]);
    }
    return s;
}

static uint64_t element_bytes(const struct atoll_tensor *t)
{
    const unsigned bits = atoll_type_bits(t->type);
    return bits >= 8u ? bits / 8u : 1u;
}

uint64_t atoll__cost_wire_in_bytes(const struct atoll__constants *k, const struct atoll_tensor *t)
{
    const struct atoll__hwc s = atoll__cost_hwc(t);
    return atoll_pad_u64(s.h * s.w * s.c * element_bytes(t), atoll__k_int(k, ATOLL__K_WIRE_ALIGN));
}

uint64_t atoll__cost_wire_out_bytes(const struct atoll__constants *k, const struct atoll_tensor *t)
{
    const struct atoll__hwc s = atoll__cost_hwc(t);
    const uint64_t lanes = atoll__k_int(k, ATOLL__K_LANES);
    return atoll_pad_u64(s.h * s.w * atoll_pad_u64(s.c, lanes) * element_bytes(t),
                         atoll__k_int(k, ATOLL__K_WIRE_ALIGN));
}

uint64_t atoll__cost_tile_bytes(const struct atoll__constants *k, const struct atoll_tensor *t)
{
    const struct atoll__hwc s = atoll__cost_hwc(t);
    const uint64_t side = atoll__k_int(k, ATOLL__K_TILE_SIDE);
    return atoll_ceil_div_u64(s.h, side) * atoll_ceil_div_u64(s.w, side) *
           atoll_pad_u64(s.c, atoll__k_int(k, ATOLL__K_LANES)) * element_bytes(t);
}

/** Rows and columns of a window operator; false for operators that need no neighbours. */
static bool window_of(const struct atoll_model *m, uint32_t op, uint64_t *rows, uint64_t *cols)
{
    const struct atoll_op *o = &m->ops[op];
    if (o->code == ATOLL_OP_AVERAGE_POOL_2D || o->code == ATOLL_OP_MAX_POOL_2D) {
        *rows = dim(o->attr.filter_h);
        *cols = dim(o->attr.filter_w);
        return true;
    }
    const int32_t w = atoll_op_weights(m, op);
    if ((o->code != ATOLL_OP_CONV_2D && o->code != ATOLL_OP_DEPTHWISE_CONV_2D) || w < 0 ||
        m->tensors[w].rank != 4) {
        return false;
    }
    *rows = (dim(m->tensors[w].shape[1]) - 1u) * dim(o->attr.dilation_h) + 1u;
    *cols = (dim(m->tensors[w].shape[2]) - 1u) * dim(o->attr.dilation_w) + 1u;
    return true;
}

/** Widens a tile's rows and columns to what an operator reads for its own tile of output. */
static void widen(const struct atoll__constants *k, const struct atoll_model *m, uint32_t op,
                  uint64_t *rows, uint64_t *cols)
{
    const struct atoll_op *o = &m->ops[op];
    const uint64_t side = atoll__k_int(k, ATOLL__K_TILE_SIDE);
    uint64_t kh;
    uint64_t kw;
    if (o->n_outputs == 0 || o->outputs[0] < 0 || !window_of(m, op, &kh, &kw)) {
        return;
    }
    const struct atoll__hwc y = atoll__cost_hwc(&m->tensors[o->outputs[0]]);
    const uint64_t h = (atoll_ceil_div_u64(y.h, side) - 1u) * dim(o->attr.stride_h) + kh;
    const uint64_t w = (atoll_ceil_div_u64(y.w, side) - 1u) * dim(o->attr.stride_w) + kw;
    *rows = h > *rows ? h : *rows;
    *cols = w > *cols ? w : *cols;
}

uint64_t atoll__cost_buffer_bytes(const struct atoll__constants *k, const struct atoll_model *m,
                                  uint32_t tensor)
{
    const struct atoll_tensor *t = &m->tensors[tensor];
    const struct atoll__hwc s = atoll__cost_hwc(t);
    const uint64_t side = atoll__k_int(k, ATOLL__K_TILE_SIDE);
    uint64_t rows = atoll_ceil_div_u64(s.h, side);
    uint64_t cols = atoll_ceil_div_u64(s.w, side);
    for (uint32_t i = 0; t->rank == 4 && i < t->n_consumers; i++) {
        const struct atoll_op *o = &m->ops[t->consumers[i]];
        widen(k, m, t->consumers[i], &rows, &cols);
        if (o->code == ATOLL_OP_PAD && o->n_outputs > 0 && o->outputs[0] >= 0) {
            const struct atoll_tensor *padded = &m->tensors[o->outputs[0]];
            for (uint32_t j = 0; j < padded->n_consumers; j++) {
                widen(k, m, padded->consumers[j], &rows, &cols);
            }
        }
    }
    return rows * cols * atoll_pad_u64(s.c, atoll__k_int(k, ATOLL__K_LANES)) * element_bytes(t);
}

uint64_t atoll__cost_image_px(const struct atoll_tensor *t)
{
    if (t->rank != 4) {
        return 0;
    }
    const struct atoll__hwc s = atoll__cost_hwc(t);
    if (s.c > 4) {
        return 0;
    }
    return (uint64_t)(sqrt((double)s.h * (double)s.w) + 0.5);
}
