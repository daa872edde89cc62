/* SPDX-License-Identifier: Apache-2.0 */
/* A FlexBuffer is read from its end: the last byte is the width of the root's slot, the one before
 * its type, before that the slot. What does not fit a slot stands further to the front; the slot
 * then holds the distance back to it. */
#include "flexview.h"

#include <string.h>

/* Type codes of flexbuffers.h. */
enum {
    FLEX_INT = 1,
    FLEX_UINT = 2,
    FLEX_KEY = 4,
    FLEX_STRING = 5,
    FLEX_INDIRECT_INT = 6,
    FLEX_INDIRECT_UINT = 7,
    FLEX_MAP = 9,
    FLEX_VECTOR = 10,
    FLEX_VECTOR_INT = 11,
    FLEX_VECTOR_UINT = 12,
    FLEX_BLOB = 25,
    FLEX_BOOL = 26
};

static bool is_width(unsigned w)
{
    return w == 1 || w == 2 || w == 4 || w == 8;
}

/* `width` bytes at pos as a number, little-endian. */
static bool number_at(const struct atoll__flex *v, size_t pos, unsigned width, uint64_t *value)
{
    if (pos > v->size || width > v->size - pos) {
        return false;
    }
    uint64_t x = 0;
    for (unsigned i = 0; i < width; i++) {
        x |= (uint64_t)v->data[pos + i] << (8 * i);
    }
    *value = x;
    return true;
}

/* Follows the distance in the slot at `pos`. */
static bool back_from(const struct atoll__flex *v, size_t pos, unsigned width, size_t *target)
{
    uint64_t distance = 0;
    if (!number_at(v, pos, width, &distance) || distance == 0 || distance > pos) {
        return false;
    }
    *target = pos - (size_t)distance;
    return true;
}

static void unpack_type(struct atoll__flex *v, uint8_t packed)
{
    v->type = packed >> 2;
    v->inner = 1u << (packed & 3);
}

bool atoll__flex_root(const uint8_t *data, size_t size, struct atoll__flex *root)
{
    if (size < 3 || !is_width(data[size - 1]) || data[size - 1] > size - 2) {
        return false;
    }
    *root = (struct atoll__flex){.data = data, .size = size, .width = data[size - 1]};
    root->pos = size - 2 - root->width;
    unpack_type(root, data[size - 2]);
    return true;
}

enum atoll__flex_kind atoll__flex_kind(const struct atoll__flex *v)
{
    switch (v->type) {
    case FLEX_INT:
    case FLEX_UINT:
    case FLEX_INDIRECT_INT:
    case FLEX_INDIRECT_UINT:
    case FLEX_BOOL: return ATOLL__FLEX_INT;
    case FLEX_STRING:
    case FLEX_BLOB: return ATOLL__FLEX_BYTES;
    case FLEX_VECTOR:
    case FLEX_VECTOR_INT:
    case FLEX_VECTOR_UINT: return ATOLL__FLEX_VECTOR;
    case FLEX_MAP: return ATOLL__FLEX_MAP;
    default: return ATOLL__FLEX_OTHER;
    }
}

static int64_t sign_extend(uint64_t bits, unsigned width)
{
    switch (width) {
    case 1: return (int8_t)bits;
    case 2: return (int16_t)bits;
    case 4: return (int32_t)bits;
    default: return (int64_t)bits;
    }
}

bool atoll__flex_int(const struct atoll__flex *v, int64_t *value)
{
    const bool indirect = v->type == FLEX_INDIRECT_INT || v->type == FLEX_INDIRECT_UINT;
    const unsigned width = indirect ? v->inner : v->width;
    size_t pos = v->pos;
    uint64_t bits = 0;
    if (atoll__flex_kind(v) != ATOLL__FLEX_INT ||
        (indirect && !back_from(v, v->pos, v->width, &pos)) || !number_at(v, pos, width, &bits)) {
        return false;
    }
    const bool is_signed = v->type == FLEX_INT || v->type == FLEX_INDIRECT_INT;
    *value = is_signed ? sign_extend(bits, width) : (int64_t)bits;
    return true;
}

/* Start and count of a string, blob, vector or map; the count stands before the start. */
static bool sized(const struct atoll__flex *v, size_t *start, uint64_t *n)
{
    return back_from(v, v->pos, v->width, start) && *start >= v->inner &&
           number_at(v, *start - v->inner, v->inner, n);
}

bool atoll__flex_bytes(const struct atoll__flex *v, const uint8_t **bytes, size_t *n)
{
    size_t start = 0;
    uint64_t count = 0;
    if (atoll__flex_kind(v) != ATOLL__FLEX_BYTES || !sized(v, &start, &count) ||
        count > v->size - start) {
        return false;
    }
    *bytes = v->data + start;
    *n = (size_t)count;
    return true;
}

bool atoll__flex_count(const struct atoll__flex *v, size_t *n)
{
    size_t start = 0;
    uint64_t count = 0;
    const enum atoll__flex_kind kind = atoll__flex_kind(v);
    /* Elements of a vector or map have the width `inner`; untyped ones a type byte each behind. */
    const unsigned each = v->inner + (v->type == FLEX_VECTOR || v->type == FLEX_MAP);
    if ((kind != ATOLL__FLEX_VECTOR && kind != ATOLL__FLEX_MAP) || !sized(v, &start, &count) ||
        count > (v->size - start) / each) {
        return false;
    }
    *n = (size_t)count;
    return true;
}

bool atoll__flex_at(const struct atoll__flex *v, size_t i, struct atoll__flex *element)
{
    size_t n = 0;
    size_t start = 0;
    if (!atoll__flex_count(v, &n) || i >= n || !back_from(v, v->pos, v->width, &start)) {
        return false;
    }
    *element = *v;
    element->pos = start + i * v->inner;
    element->width = v->inner;
    if (v->type == FLEX_VECTOR_INT || v->type == FLEX_VECTOR_UINT) {
        element->type = v->type == FLEX_VECTOR_INT ? FLEX_INT : FLEX_UINT;
    } else {
        unpack_type(element, v->data[start + n * v->inner + i]);
    }
    return true;
}

bool atoll__flex_key(const struct atoll__flex *map, size_t i, const char **key)
{
    size_t n = 0;
    size_t start = 0;
    size_t keys = 0;
    uint64_t width = 0;
    uint64_t n_keys = 0;
    /* Before a map's count stand the width of its keys' slots and the distance to them. */
    if (map->type != FLEX_MAP || !atoll__flex_count(map, &n) || i >= n ||
        !back_from(map, map->pos, map->width, &start) || start < (size_t)3 * map->inner ||
        !number_at(map, start - (size_t)2 * map->inner, map->inner, &width) || width > 8 ||
        !is_width((unsigned)width) ||
        !back_from(map, start - (size_t)3 * map->inner, map->inner, &keys) || keys < width ||
        !number_at(map, keys - (size_t)width, (unsigned)width, &n_keys) || i >= n_keys) {
        return false;
    }
    size_t text = 0;
    if (!back_from(map, keys + i * (size_t)width, (unsigned)width, &text) ||
        memchr(map->data + text, 0, map->size - text) == NULL) {
        return false;
    }
    *key = (const char *)map->data + text;
    return true;
}
