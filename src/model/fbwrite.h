/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fbwrite.h
 * Private to room `model`: writes a FlatBuffer front to back. A table is laid out first; what it
 * refers to is written after it and linked into its slot (references only point forwards). Metadata
 * so comes before the weights, which lets a reader touch a few pages of a large file only.
 * The first failure is kept in `failed`; all later calls do nothing.
 */
#ifndef ATOLL_FBWRITE_H
#define ATOLL_FBWRITE_H

#include "model_internal.h"

#define ATOLL__FW_SLOTS_MAX 16u

struct atoll__fw {
    uint8_t *data;
    size_t size, cap;
    bool failed;
    size_t *vtables; ///< positions of the vtables written, for sharing
    size_t n_vtables, cap_vtables;
};
/** A table being described: fields at their default are left out. */
struct atoll__fw_table {
    struct {
        uint16_t id;
        uint8_t bytes;
        bool is_ref;
        uint64_t bits;
        size_t pos; ///< where the field stands once the table is written
    } slots[ATOLL__FW_SLOTS_MAX];
    uint32_t n;
};

/** Starts with the root reference and the identifier; `reserve` bytes are set aside. */
void atoll__fw_init(struct atoll__fw *w, const char *ident, size_t reserve);
void atoll__fw_finish(struct atoll__fw *w);
void atoll__fw_scalar(struct atoll__fw_table *t, unsigned id, unsigned bytes, uint64_t bits,
                      uint64_t def);
void atoll__fw_ref(struct atoll__fw_table *t, unsigned id);
/** Writes vtable and table; the table's position. */
size_t atoll__fw_table_write(struct atoll__fw *w, struct atoll__fw_table *t);
/** Points the reference field `id` of the written table at `target`. */
void atoll__fw_link(struct atoll__fw *w, const struct atoll__fw_table *t, unsigned id,
                    size_t target);
/** Points the reference stored at `at` at `target`. */
void atoll__fw_link_at(struct atoll__fw *w, size_t at, size_t target);
/** Writes a vector whose first element is aligned to `align`; `elements` NULL: zeros. Its position.
 */
size_t atoll__fw_vector(struct atoll__fw *w, const void *elements, uint32_t n, unsigned elem_bytes,
                        unsigned align);
size_t atoll__fw_string(struct atoll__fw *w, const char *s);
/** The reference slot number i of a vector of references at `vector`. */
static inline size_t atoll__fw_element(size_t vector, uint32_t i)
{
    return vector + 4 + 4 * (size_t)i;
}

#endif
