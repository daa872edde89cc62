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

uint64_t atoll__cost_instructions(const struct atoll__constants *k, uint32_t n_tpu_ops,
                                  uint64_t strips)
{
    if (n_tpu_ops == 0) {
        return 0;
    }
    return atoll__k_int(k, ATOLL__K_INSTR_BASE) +
           atoll__k_int(k, ATOLL__K_INSTR_OP) * n_tpu_ops * strips;
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
    return mix->depthwise_cycles > 0.1 * total ? ATOLL_FAMILY_DEPTHWISE
                                               : ATOLL_FAMILY_CONVOLUTIONAL;
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
    if (mix->strips && mix->streams) {
        return "activations exceed the chip's memory and weights stream: wide layers were seen to "
               "send "
               "their weights 3 to 7 times, so the figures are too low";
    }
    if ((double)mix->image_px > k->v[ATOLL__K_RANGE_IMAGE_PX]) {
        return "the image is larger than any that was ever measured: figures are extrapolated";
    }
    return NULL;
}
