/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cycles of one operator. The array has ty * tx * tz = 16 tiles; rows and columns of the output map
 * are split over ty and tx, output channels over tz; a tile works on 32 outputs at once and takes 4
 * input channels a cycle (64 cells a tile are documented, but chains of 32 outputs and of 64 and
 * more agree on one factor only with 32). Depthwise, pools and elementwise operators are bound by
 * bytes per tile.
 */
#include "cost_internal.h"

bool atoll__cost_alias(const struct atoll_op *op)
{
    switch (op->code) {
    case ATOLL_OP_PAD:
    case ATOLL_OP_PADV2:
    case ATOLL_OP_MIRROR_PAD:
    case ATOLL_OP_RESHAPE:
    case ATOLL_OP_SQUEEZE:
    case ATOLL_OP_EXPAND_DIMS:
        return true;
    default:
        return false;
    }
}

bool atoll__cost_folded(const struct atoll_model *m, uint32_t op)
{
    const struct atoll_op *o = &m->ops[op];
    if (o->code != ATOLL_OP_MUL && o->code != ATOLL_OP_ADD && o->code != ATOLL_OP_SUB) {
        return false;
    }
    int32_t data = -1;
    bool constant = false;
    for (uint32_t i = 0; i < o->n_inputs; i++) {
        if (o->inputs[i] >= 0 && m->tensors[o->inputs[i]].is_constant) {
            constant = true;
        } else if (o->inputs[i] >= 0) {
            data = o->inputs[i];
        }
    }
    if (!constant || data < 0 || m->tensors[data].producer < 0 ||
        m->tensors[data].n_consumers != 1) {
        return false;
    }
    const uint32_t before = (uint32_t)m->tensors[data].producer;
    const int32_t code = m->ops[before].code;
    return code == ATOLL_OP_CONV_2D || code == ATOLL_OP_DEPTHWISE_CONV_2D ||
           code == ATOLL_OP_FULLY_CONNECTED || atoll__cost_folded(m, before);
}

/** Least cycles over the ways to split a map of h x w pixels and `cout` outputs over the tiles. */
static uint64_t best_split(const struct atoll__constants *k, uint64_t h, uint64_t w, uint64_t cout)
{
    const uint64_t tiles = atoll__k_int(k, ATOLL__K_TILES);
    const uint64_t outputs = atoll__k_int(k, ATOLL__K_STEP_OUTPUTS);
    uint64_t best = UINT64_MAX;
    for (uint64_t ty = 1; ty <= tiles; ty *= 2) {
        for (uint64_t tx = 1; tx * ty <= tiles; tx *= 2) {
            const uint64_t tz = tiles / (tx * ty);
            const uint64_t steps = atoll_ceil_div_u64(h, ty) * atoll_ceil_div_u64(w, tx) *
                                   atoll_ceil_div_u64(cout, outputs * tz);
            best = steps < best ? steps : best;
        }
    }
    return best;
}

static const struct atoll_tensor *first_output(const struct atoll_model *m, uint32_t op)
{
    const struct atoll_op *o = &m->ops[op];
    return o->n_outputs > 0 && o->outputs[0] >= 0 ? &m->tensors[o->outputs[0]] : NULL;
}

static double array_cycles(const struct atoll__constants *k, const struct atoll_model *m,
                           uint32_t op, uint64_t macs)
{
    const struct atoll_tensor *y = first_output(m, op);
    const int32_t wi = atoll_op_weights(m, op);
    const double lanes = k->v[ATOLL__K_LANES];
    const double factor = k->v[ATOLL__K_CONV_FACTOR];
    if (y == NULL || wi < 0) {
        return factor * (double)macs / (lanes * k->v[ATOLL__K_STEP_OUTPUTS] * k->v[ATOLL__K_TILES]);
    }
    const struct atoll_tensor *w = &m->tensors[wi];
    struct atoll__hwc s = atoll__cost_hwc(y);
    uint64_t reduce = 0;
    if (m->ops[op].code == ATOLL_OP_TRANSPOSE_CONV) {
        const int32_t x = atoll_op_data_input(m, op);
        if (x >= 0) { /* every input pixel meets the whole kernel */
            const struct atoll__hwc in = atoll__cost_hwc(&m->tensors[x]);
            s.h = in.h;
            s.w = in.w;
        }
    }
    if (w->rank == 4) {
        reduce = (uint64_t)w->shape[1] * (uint64_t)w->shape[2] *
                 atoll_pad_u64((uint64_t)w->shape[3], atoll__k_int(k, ATOLL__K_LANES));
    } else if (w->rank == 2 && m->ops[op].code == ATOLL_OP_FULLY_CONNECTED) {
        reduce = atoll_pad_u64((uint64_t)w->shape[1], atoll__k_int(k, ATOLL__K_LANES));
    } else { /* sequence operators, matrix products: no padding known */
        return factor * (double)macs / (lanes * k->v[ATOLL__K_STEP_OUTPUTS] * k->v[ATOLL__K_TILES]);
    }
    return factor * (double)best_split(k, s.h, s.w, s.c) * (double)reduce / lanes;
}

static double depthwise_cycles(const struct atoll__constants *k, const struct atoll_model *m,
                               uint32_t op)
{
    const struct atoll_tensor *y = first_output(m, op);
    const int32_t wi = atoll_op_weights(m, op);
    if (y == NULL || wi < 0 || m->tensors[wi].rank != 4) {
        return 0.0;
    }
    return k->v[ATOLL__K_DEPTHWISE_FACTOR] * (double)m->tensors[wi].shape[1] *
           (double)atoll__cost_tile_bytes(k, y);
}

/** Pixels under the window of a pool; a mean over the map is a pool as large as the map. */
static double window_px(const struct atoll_model *m, uint32_t op)
{
    const struct atoll_op *o = &m->ops[op];
    if (o->code == ATOLL_OP_AVERAGE_POOL_2D || o->code == ATOLL_OP_MAX_POOL_2D) {
        return (double)o->attr.filter_h * (double)o->attr.filter_w;
    }
    const int32_t x = atoll_op_data_input(m, op);
    const struct atoll_tensor *y = first_output(m, op);
    if (x < 0 || y == NULL || y->bytes == 0) {
        return 1.0;
    }
    return (double)m->tensors[x].bytes / (double)y->bytes;
}

static bool is_pool(int32_t code)
{
    return code == ATOLL_OP_AVERAGE_POOL_2D || code == ATOLL_OP_MAX_POOL_2D ||
           code == ATOLL_OP_MEAN || code == ATOLL_OP_SUM || code == ATOLL_OP_REDUCE_MAX ||
           code == ATOLL_OP_REDUCE_MIN;
}

static enum atoll_bound kind_of(const struct atoll_model *m, uint32_t op)
{
    switch (m->ops[op].code) {
    case ATOLL_OP_CONV_2D:
    case ATOLL_OP_TRANSPOSE_CONV:
    case ATOLL_OP_FULLY_CONNECTED:
    case ATOLL_OP_LSTM:
    case ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM:
    case ATOLL_OP_BATCH_MATMUL:
        return ATOLL_BOUND_ARRAY;
    case ATOLL_OP_DEPTHWISE_CONV_2D:
        return ATOLL_BOUND_DEPTHWISE;
    case ATOLL_OP_QUANTIZE:
        return ATOLL_BOUND_FREE;
    default:
        return atoll__cost_alias(&m->ops[op]) || atoll__cost_folded(m, op) ? ATOLL_BOUND_FREE
                                                                           : ATOLL_BOUND_VECTOR;
    }
}

static double vector_cycles(const struct atoll__constants *k, const struct atoll_model *m,
                            uint32_t op)
{
    const struct atoll_tensor *y = first_output(m, op);
    if (y == NULL) {
        return 0.0;
    }
    const double one_pass = k->v[ATOLL__K_VECTOR_FACTOR] * (double)atoll__cost_tile_bytes(k, y);
    if (is_pool(m->ops[op].code)) {
        return one_pass * window_px(m, op) / k->v[ATOLL__K_POOL_VALUES];
    }
    return m->ops[op].code == ATOLL_OP_CONCATENATION ? one_pass * k->v[ATOLL__K_CONCAT_PASSES]
                                                     : one_pass;
}

void atoll__cost_cycles(const struct atoll__constants *k, const struct atoll_model *m, uint32_t op,
                        uint64_t macs, struct atoll__cycles *out)
{
    const double peak = k->v[ATOLL__K_TILES] * k->v[ATOLL__K_STEP_OUTPUTS] * k->v[ATOLL__K_LANES];
    *out = (struct atoll__cycles){.kind = kind_of(m, op), .ideal_cycles = (double)macs / peak};
    switch (out->kind) {
    case ATOLL_BOUND_ARRAY:
        out->cycles = array_cycles(k, m, op, macs);
        break;
    case ATOLL_BOUND_DEPTHWISE:
        out->cycles = depthwise_cycles(k, m, op);
        break;
    case ATOLL_BOUND_VECTOR:
        out->cycles = vector_cycles(k, m, op);
        break;
    case ATOLL_BOUND_LINK:
    case ATOLL_BOUND_FREE:
    case ATOLL_BOUND_CPU:
    case ATOLL_BOUND_CALL:
        break;
    }
}

double atoll__cost_cpu_us(const struct atoll__constants *k, const struct atoll_model *m,
                          uint32_t op, uint64_t macs)
{
    struct atoll_op_info info;
    atoll_op_info(m, op, &info);
    return k->v[ATOLL__K_CPU_US_PER_MMAC] * (double)macs / 1e6 +
           k->v[ATOLL__K_CPU_US_PER_KB] * (double)(info.in_bytes + info.out_bytes) / 1e3;
}

uint64_t atoll__cost_vector_narrow(const struct atoll__constants *k, const struct atoll_model *m,
                                   uint32_t op)
{
    const int32_t wi = atoll_op_weights(m, op);
    const struct atoll_tensor *y = first_output(m, op);
    if (m->ops[op].code == ATOLL_OP_SOFTMAX && y != NULL) {
        const struct atoll__hwc s = atoll__cost_hwc(y);
        return (uint64_t)(k->v[ATOLL__K_NARROW_SOFTMAX] * (double)s.c);
    }
    if (m->ops[op].code != ATOLL_OP_FULLY_CONNECTED || wi < 0 || m->tensors[wi].rank != 2) {
        return 0;
    }
    const struct atoll_tensor *w = &m->tensors[wi];
    const uint64_t out =
        atoll_pad_u64(atoll_ceil_div_u64((uint64_t)w->shape[0], atoll__k_int(k, ATOLL__K_TILES)),
                      atoll__k_int(k, ATOLL__K_NARROW_DENSE_MIN));
    return (uint64_t)w->shape[1] + atoll__k_int(k, ATOLL__K_NARROW_DENSE) + out;
}
