/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors as the device lays them out: rows, columns, channels; padded for the wire and the tiles. */
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
    return atoll_pad_u64(s.h * s.w * s.c * element_bytes(t),
                         atoll__k_int(k, ATOLL__K_WIRE_ALIGN));
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
