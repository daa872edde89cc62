/* SPDX-License-Identifier: Apache-2.0 */
/* Constant bytes that are made when they are needed. Each 8 bytes come from a counter put through
 * splitmix64 (Steele, Lea, Flood 2014), so that any part could be made alone and the same seed
 * gives the same bytes on every machine. */
#include "model_internal.h"

#include <string.h>

/* |value| of int8 fills: the normal quantiles (i + 0.5) / 256 for i = 128..255, scaled so that the
 * last is 127, at least 1. */
static const int8_t half_normal[128] = {
    1,  1,  1,  2,  2,  2,  3,  3,  4,  4,  5,  5,  5,  6,  6,  7,   7,   8,   8,  8,  9,  9,
    10, 10, 11, 11, 12, 12, 12, 13, 13, 14, 14, 15, 15, 16, 16, 17,  17,  17,  18, 18, 19, 19,
    20, 20, 21, 21, 22, 22, 23, 23, 24, 24, 25, 25, 26, 26, 27, 27,  28,  28,  29, 29, 30, 31,
    31, 32, 32, 33, 33, 34, 34, 35, 36, 36, 37, 37, 38, 39, 39, 40,  41,  41,  42, 43, 43, 44,
    45, 46, 46, 47, 48, 49, 49, 50, 51, 52, 53, 54, 55, 56, 57, 57,  59,  60,  61, 62, 63, 64,
    65, 67, 68, 70, 71, 73, 75, 77, 79, 81, 83, 86, 89, 93, 97, 103, 111, 127,
};

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The word number i of a fill. */
static uint64_t word_at(const struct atoll_fill *f, uint64_t i)
{
    return mix(mix(f->seed + (uint64_t)f->kind) + (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

static void fill_int8(const struct atoll_fill *f, uint64_t bytes, uint8_t *out)
{
    /* One lookup per byte: 7 bits choose the size, one the sign. */
    int8_t table[256];
    for (int i = 0; i < 128; i++) {
        table[i] = half_normal[i];
        table[i + 128] = (int8_t)-half_normal[i];
    }
    const uint64_t base = mix(f->seed + (uint64_t)f->kind);
    uint8_t last[8];
    for (uint64_t i = 0; i * 8 < bytes; i++) {
        uint64_t w = mix(base + (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
        uint8_t *at = bytes - i * 8 >= 8 ? out + i * 8 : last;
        for (unsigned k = 0; k < 8; k++) {
            at[k] = (uint8_t)table[w & 255];
            w >>= 8;
        }
        if (at == last) {
            memcpy(out + i * 8, last, (size_t)(bytes - i * 8));
        }
    }
}

static void fill_bias32(const struct atoll_fill *f, uint64_t bytes, uint8_t *out)
{
    for (uint64_t i = 0; i * 4 < bytes; i++) {
        const int32_t draw = (int32_t)(((word_at(f, i) >> 32) * 2000) >> 32); /* 0 to 1999 */
        const uint32_t v = (uint32_t)(draw < 1000 ? draw - 1000 : draw - 999);
        const uint8_t le[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
                               (uint8_t)(v >> 24)};
        memcpy(out + i * 4, le, bytes - i * 4 < 4 ? (size_t)(bytes - i * 4) : 4);
    }
}

void atoll__fill_write(const struct atoll_fill *f, uint64_t bytes, uint8_t *out)
{
    switch (f->kind) {
    case ATOLL_FILL_INT8: fill_int8(f, bytes, out); break;
    case ATOLL_FILL_BIAS32: fill_bias32(f, bytes, out); break;
    case ATOLL_FILL_NONE:
    case ATOLL_FILL_ZERO: memset(out, 0, (size_t)bytes); break;
    }
}

int atoll_tensor_bytes(const struct atoll_tensor *t, void *out, struct atoll_err *err)
{
    if (!t->is_constant) {
        return atoll_fail(err, ATOLL_EUSAGE, "tensor '%.80s' is not a constant and has no bytes",
                          t->name);
    }
    if (t->data != NULL) {
        memcpy(out, t->data, (size_t)t->data_bytes);
    } else {
        atoll__fill_write(&t->fill, t->data_bytes, out);
    }
    return 0;
}

bool atoll_tensor_all_zero(const struct atoll_tensor *t)
{
    if (!t->is_constant) {
        return false;
    }
    if (t->data == NULL) {
        return t->data_bytes == 0 || t->fill.kind == ATOLL_FILL_ZERO ||
               t->fill.kind == ATOLL_FILL_NONE;
    }
    const uint8_t *p = t->data;
    /* All bytes equal the one before, and the first is 0. */
    return t->data_bytes == 0 || (p[0] == 0 && memcmp(p, p + 1, (size_t)t->data_bytes - 1) == 0);
}
