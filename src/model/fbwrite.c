/* SPDX-License-Identifier: Apache-2.0 */
#include "fbwrite.h"

#include <string.h>

static bool reserve(struct atoll__fw *w, size_t bytes)
{
    if (w->failed || bytes > SIZE_MAX / 2 - w->size) {
        w->failed = true;
        return false;
    }
    void *data = w->data;
    if (atoll_grow(&data, &w->cap, w->size + bytes, 1) != 0) {
        w->failed = true;
        return false;
    }
    w->data = data;
    return true;
}

/* Appends bytes (NULL: zeros) and returns where they begin. */
static size_t append(struct atoll__fw *w, const void *bytes, size_t n)
{
    const size_t pos = w->size;
    if (!reserve(w, n)) {
        return 0;
    }
    if (bytes != NULL) {
        memcpy(w->data + pos, bytes, n);
    } else {
        memset(w->data + pos, 0, n);
    }
    w->size += n;
    return pos;
}

/* Zeros until (size + ahead) is a multiple of `align`. */
static void align_to(struct atoll__fw *w, unsigned align, size_t ahead)
{
    const size_t rest = (w->size + ahead) % align;
    if (rest != 0) {
        append(w, NULL, align - rest);
    }
}

static void store(uint8_t *at, uint64_t bits, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(bits >> (8 * i));
    }
}

void atoll__fw_init(struct atoll__fw *w, const char *ident, size_t reserve_bytes)
{
    *w = (struct atoll__fw){0};
    if (reserve(w, reserve_bytes)) {
        append(w, NULL, 4);
        append(w, ident, 4);
    }
}

void atoll__fw_finish(struct atoll__fw *w)
{
    atoll_free(w->data);
    atoll_free(w->vtables);
    *w = (struct atoll__fw){0};
}

static void add_slot(struct atoll__fw_table *t, unsigned id, unsigned bytes, uint64_t bits,
                     bool is_ref)
{
    if (t->n < ATOLL__FW_SLOTS_MAX) {
        t->slots[t->n].id = (uint16_t)id;
        t->slots[t->n].bytes = (uint8_t)bytes;
        t->slots[t->n].bits = bits;
        t->slots[t->n].is_ref = is_ref;
        t->n++;
    }
}

void atoll__fw_scalar(struct atoll__fw_table *t, unsigned id, unsigned bytes, uint64_t bits,
                      uint64_t def)
{
    const uint64_t mask = bytes == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * bytes)) - 1;
    if ((bits & mask) != (def & mask)) {
        add_slot(t, id, bytes, bits, false);
    }
}

void atoll__fw_ref(struct atoll__fw_table *t, unsigned id)
{
    add_slot(t, id, 4, 0, true);
}

/* A vtable with these bytes that stands already, or a new one. */
static size_t vtable_pos(struct atoll__fw *w, const uint8_t *vtable, size_t bytes)
{
    for (size_t i = 0; i < w->n_vtables; i++) {
        const size_t pos = w->vtables[i];
        if (atoll__load_u16(w->data + pos) == bytes && memcmp(w->data + pos, vtable, bytes) == 0) {
            return pos;
        }
    }
    void *list = w->vtables;
    if (atoll_grow(&list, &w->cap_vtables, w->n_vtables + 1, sizeof *w->vtables) != 0) {
        w->failed = true;
        return 0;
    }
    w->vtables = list;
    align_to(w, 2, 0);
    const size_t pos = append(w, vtable, bytes);
    w->vtables[w->n_vtables++] = pos;
    return pos;
}

size_t atoll__fw_table_write(struct atoll__fw *w, struct atoll__fw_table *t)
{
    uint8_t vtable[4 + 2 * 256] = {0};
    unsigned offset = 4; /* behind the reference to the vtable */
    unsigned n_ids = 0;
    /* Largest fields first: then every field is aligned once the table's byte 4 is. */
    for (unsigned bytes = 8; bytes >= 1; bytes /= 2) {
        for (uint32_t i = 0; i < t->n; i++) {
            if (t->slots[i].bytes == bytes) {
                store(vtable + 4 + 2 * (size_t)t->slots[i].id, offset, 2);
                t->slots[i].pos = offset;
                offset += bytes;
                n_ids = t->slots[i].id + 1u > n_ids ? t->slots[i].id + 1u : n_ids;
            }
        }
    }
    store(vtable, 4 + 2 * n_ids, 2);
    store(vtable + 2, offset, 2);
    const size_t shared = w->failed ? 0 : vtable_pos(w, vtable, 4 + 2 * (size_t)n_ids);
    align_to(w, 8, 4);
    const size_t pos = append(w, NULL, offset);
    if (w->failed) {
        return 0;
    }
    store(w->data + pos, (uint64_t)(pos - shared), 4);
    for (uint32_t i = 0; i < t->n; i++) {
        t->slots[i].pos += pos;
        store(w->data + t->slots[i].pos, t->slots[i].bits, t->slots[i].bytes);
    }
    return pos;
}

void atoll__fw_link_at(struct atoll__fw *w, size_t at, size_t target)
{
    if (!w->failed) {
        store(w->data + at, (uint64_t)(target - at), 4);
    }
}

void atoll__fw_link(struct atoll__fw *w, const struct atoll__fw_table *t, unsigned id,
                    size_t target)
{
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->slots[i].id == id && t->slots[i].is_ref) {
            atoll__fw_link_at(w, t->slots[i].pos, target);
            return;
        }
    }
}

size_t atoll__fw_vector(struct atoll__fw *w, const void *elements, uint32_t n, unsigned elem_bytes,
                        unsigned align)
{
    align_to(w, align > 4 ? align : 4, 4);
    uint8_t count[4];
    store(count, n, 4);
    const size_t pos = append(w, count, 4);
    append(w, elements, (size_t)n * elem_bytes);
    return pos;
}

size_t atoll__fw_string(struct atoll__fw *w, const char *s)
{
    const size_t pos = atoll__fw_vector(w, s, (uint32_t)strlen(s), 1, 4);
    append(w, NULL, 1);
    return pos;
}
