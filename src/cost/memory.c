/* SPDX-License-Identifier: Apache-2.0 */
/* Activation memory, instruction bytes, the family of a segment and what the compiler would refuse.
 */
#include "cost_internal.h"

uint64_t atoll__cost_strips(const struct atoll__constants *k, uint64_t live_tile_bytes)
{
    const uint64_t strips =
        atoll_ceil_div_u64(live_tile_bytes, atoll__k_int(k, ATOLL__K_NARROW_TILE));
    return strips > 0 ? strips : 1u;
}

uint64_t atoll__cost_narrow(const struct atoll__constants *k, uint64_t live_tile_bytes,
                            uint64_t vector_bytes)
{
    const uint64_t room = atoll__k_int(k, ATOLL__K_NARROW_TILE);
    const uint64_t need = live_tile_bytes > vector_bytes ? live_tile_bytes : vector_bytes;
    return need < room ? need : room;
}

/** In units of narrow memory: input and output of a convolution, channels in whole groups. */
static double maps_over_narrow(const struct atoll__constants *k, const struct atoll_model *m,
                               uint32_t op)
{
    const struct atoll_op *o = &m->ops[op];
    const int32_t x = atoll_op_data_input(m, op);
    if (o->code != ATOLL_OP_CONV_2D || x < 0 || o->n_outputs == 0 || o->outputs[0] < 0) {
        return 0.0;
    }
    const uint64_t side = atoll__k_int(k, ATOLL__K_TILE_SIDE);
    const uint64_t group = atoll__k_int(k, ATOLL__K_PACK_ROWS);
    double bytes = 0.0;
    const int32_t both[] = {x, o->outputs[0]};
    for (int i = 0; i < 2; i++) {
        const struct atoll__hwc s = atoll__cost_hwc(&m->tensors[both[i]]);
        bytes += (double)(atoll_ceil_div_u64(s.h, side) * atoll_ceil_div_u64(s.w, side) *
                          atoll_pad_u64(s.c, group));
    }
    return bytes / k->v[ATOLL__K_NARROW_TILE];
}

double atoll__cost_passes(const struct atoll__constants *k, const struct atoll_model *m,
                          uint32_t op)
{
    const double r = maps_over_narrow(k, m, op);
    const double x[] = {k->v[ATOLL__K_RESTREAM_LOW_UPTO], k->v[ATOLL__K_RESTREAM_MID_AT],
                        k->v[ATOLL__K_RESTREAM_HIGH_FROM]};
    const double y[] = {k->v[ATOLL__K_RESTREAM_LOW], k->v[ATOLL__K_RESTREAM_MID],
                        k->v[ATOLL__K_RESTREAM_HIGH]};
    if (r <= 1.0) {
        return 1.0;
    }
    if (r <= x[0] || r >= x[2]) {
        return r <= x[0] ? y[0] : y[2];
    }
    const int at = r <= x[1] ? 0 : 1;
    return y[at] + (y[at + 1] - y[at]) * (r - x[at]) / (x[at + 1] - x[at]);
}

bool atoll__cost_restreams(uint64_t off_bytes, uint64_t again_bytes)
{
    return again_bytes > off_bytes / 10u; /* less than a tenth does not show */
}

uint64_t atoll__cost_dense_groups(const struct atoll__constants *k, const struct atoll_model *m,
                                  uint32_t op)
{
    const int32_t w = atoll_op_weights(m, op);
    if (m->ops[op].code != ATOLL_OP_FULLY_CONNECTED || w < 0 || m->tensors[w].rank != 2) {
        return 0;
    }
    return atoll_ceil_div_u64((uint64_t)m->tensors[w].shape[0],
                              atoll__k_int(k, ATOLL__K_PACK_ROWS));
}

uint64_t atoll__cost_instructions(const struct atoll__constants *k, enum atoll_compiler compiler,
                                  const struct atoll__mix *mix, uint64_t strips)
{
    if (mix->n_tpu_ops == 0) {
        return 0;
    }
    const bool v16 = compiler == ATOLL_COMPILER_V16;
    const uint64_t plain = atoll__k_int(k, v16 ? ATOLL__K_INSTR_OP_V16 : ATOLL__K_INSTR_OP);
    const uint64_t depthwise =
        atoll__k_int(k, v16 ? ATOLL__K_INSTR_OP_V16 : ATOLL__K_INSTR_DEPTHWISE);
    return atoll__k_int(k, ATOLL__K_INSTR_BASE) +
           (plain * mix->n_plain + depthwise * mix->n_depthwise) * (v16 ? 1u : strips) +
           atoll__k_int(k, ATOLL__K_INSTR_DENSE) * mix->n_dense +
           atoll__k_int(k, ATOLL__K_INSTR_DENSE_GROUP) * mix->dense_groups;
}

enum atoll_family atoll__cost_family(const struct atoll__mix *mix)
{
    const double total = mix->array_cycles + mix->depthwise_cycles + mix->vector_cycles;
    if (mix->n_tpu_ops == 0) {
        return ATOLL_FAMILY_HOST;
    }
    if (mix->n_conv == 0 && mix->n_dense > 0) {
        return ATOLL_FAMILY_DENSE;
    }
    /* From a tenth of the time on, the weakly determined depthwise law shows in the whole. */
    if (mix->depthwise_cycles > 0.1 * total) {
        return ATOLL_FAMILY_DEPTHWISE;
    }
    return mix->branches ? ATOLL_FAMILY_CONVOLUTIONAL : ATOLL_FAMILY_CHAIN;
}

const char *atoll_family_name(enum atoll_family f)
{
    switch (f) {
    case ATOLL_FAMILY_CONVOLUTIONAL:
        return "convolutional";
    case ATOLL_FAMILY_DEPTHWISE:
        return "depthwise";
    case ATOLL_FAMILY_DENSE:
        return "dense";
    case ATOLL_FAMILY_HOST:
        return "host";
    case ATOLL_FAMILY_CHAIN:
        return "chain";
    }
    return "?";
}

const char *atoll__cost_warning(const struct atoll__constants *k, const struct atoll__mix *mix)
{
    if (mix->n_ops == 0) {
        return "the segment is empty: the real compiler stops here";
    }
    if (mix->n_tpu_ops == 0) {
        return "no operator of the segment maps to the Edge TPU: all of it runs on the host";
    }
    if ((double)mix->largest_tensor_bytes > k->v[ATOLL__K_RANGE_TENSOR_MIB] * ATOLL__MIB) {
        return "an activation tensor is so large that the real compiler is known to fail on its "
               "like";
    }
    if (atoll__cost_restreams(mix->off_bytes, mix->again_bytes)) {
        return "wide convolutions stream: their weights were seen to travel 4 to 9 times, by a "
               "rule that "
               "is not known, so the figures are rough";
    }
    if ((double)mix->image_px > k->v[ATOLL__K_RANGE_IMAGE_PX]) {
        return "the image is larger than any that was ever measured: figures are extrapolated";
    }
    return NULL;
}
