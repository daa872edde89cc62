/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file flexview.h
 * Private to room `model`: checked access to a FlexBuffer (google/flatbuffers, flexbuffers.h), as
 * far as compiled models use it: a map of integers, strings and vectors.
 */
#ifndef ATOLL_FLEXVIEW_H
#define ATOLL_FLEXVIEW_H

#include "model_internal.h"

/** One value: where it stands, how wide its slot is, and its packed type. */
struct atoll__flex {
    const uint8_t *data;
    size_t size;
    size_t pos;     ///< of the slot
    unsigned width; ///< bytes of the slot: 1, 2, 4 or 8
    unsigned type;  ///< FlexBuffer type code
    unsigned inner; ///< bytes of what the slot points to
};
enum atoll__flex_kind {
    ATOLL__FLEX_OTHER,
    ATOLL__FLEX_INT,
    ATOLL__FLEX_BYTES,
    ATOLL__FLEX_VECTOR,
    ATOLL__FLEX_MAP
};

/** The root value; false when the bytes are too few or say nonsense. */
bool atoll__flex_root(const uint8_t *data, size_t size, struct atoll__flex *root);
enum atoll__flex_kind atoll__flex_kind(const struct atoll__flex *v);
/** Value of an integer or bool. */
bool atoll__flex_int(const struct atoll__flex *v, int64_t *value);
/** Bytes of a string or blob. */
bool atoll__flex_bytes(const struct atoll__flex *v, const uint8_t **bytes, size_t *n);
/** Elements of a vector or map. */
bool atoll__flex_count(const struct atoll__flex *v, size_t *n);
bool atoll__flex_at(const struct atoll__flex *v, size_t i, struct atoll__flex *element);
/** Key of entry i of a map, NUL-terminated inside the bytes. */
bool atoll__flex_key(const struct atoll__flex *map, size_t i, const char **key);

#endif
