/* SPDX-License-Identifier: Apache-2.0 */
/* Checked access to a FlatBuffer. Nothing is trusted: every offset, length and vtable entry is
 * compared with the end of the bytes before it is followed. Positions are size_t and the files are
 * smaller than 2^63 bytes, so pos + 8 * uint32 cannot wrap. */
#include "model_internal.h"

#include <string.h>

void atoll__fb_init(struct atoll__fb *fb, const void *bytes, size_t n, struct atoll_err *err)
{
    *fb = (struct atoll__fb){.data = bytes, .size = n, .err = err};
    /* A writer may share a vector between a few tables, never between thousands. */
    fb->budget_bytes = atoll__sat_add(atoll__sat_mul(n, 4), 1u << 20);
}

int atoll__fb_fail(struct atoll__fb *fb, int code, const char *fmt, ...)
{
    if (fb->code != 0) {
        return fb->code;
    }
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fb->code = atoll_fail(fb->err, code, "%s", text);
    return fb->code;
}

int atoll__fb_nomem(struct atoll__fb *fb, const char *what, size_t bytes)
{
    if (fb->code == 0) {
        fb->code = atoll_fail_nomem(fb->err, what, bytes);
    }
    return fb->code;
}

static bool in_bounds(const struct atoll__fb *fb, size_t pos, uint64_t bytes)
{
    return pos <= fb->size && bytes <= fb->size - pos;
}

/* Checks the table at `pos` and its vtable. */
static struct atoll__fb_table table_at(struct atoll__fb *fb, size_t pos, const char *what)
{
    struct atoll__fb_table t = {.what = what};
    if (pos < 4 || pos % 4 != 0 || !in_bounds(fb, pos, 4)) {
        atoll__fb_fail(fb, ATOLL_EINPUT,
                       "table %s at byte %zu: expected a multiple of 4 inside the %zu bytes", what,
                       pos, fb->size);
        return t;
    }
    const int32_t back = (int32_t)atoll__load_u32(fb->data + pos);
    const int64_t vtable = (int64_t)pos - back;
    if (vtable < 0 || vtable % 2 != 0 || !in_bounds(fb, (size_t)vtable, 4)) {
        atoll__fb_fail(fb, ATOLL_EINPUT,
                       "table %s at byte %zu: its vtable would be at byte %lld of %zu", what, pos,
                       (long long)vtable, fb->size);
        return t;
    }
    const uint32_t vtable_bytes = atoll__load_u16(fb->data + vtable);
    const uint32_t table_bytes = atoll__load_u16(fb->data + vtable + 2);
    if (vtable_bytes < 4 || vtable_bytes % 2 != 0 || !in_bounds(fb, (size_t)vtable, vtable_bytes) ||
        table_bytes < 4 || !in_bounds(fb, pos, table_bytes)) {
        atoll__fb_fail(
            fb, ATOLL_EINPUT,
            "table %s at byte %zu: vtable of %u and table of %u bytes do not fit into %zu bytes",
            what, pos, vtable_bytes, table_bytes, fb->size);
        return t;
    }
    t.pos = pos;
    t.vtable = (size_t)vtable;
    t.vtable_bytes = vtable_bytes;
    t.table_bytes = table_bytes;
    return t;
}

struct atoll__fb_table atoll__fb_root(struct atoll__fb *fb, const char *ident, const char *what)
{
    const struct atoll__fb_table none = {.what = what};
    if (fb->size < 8) {
        atoll__fb_fail(fb, ATOLL_EINPUT,
                       "%zu bytes are too few for a FlatBuffer (expected at least 8)", fb->size);
        return none;
    }
    if (ident != NULL && memcmp(fb->data + 4, ident, 4) != 0) {
        atoll__fb_fail(fb, ATOLL_EINPUT,
                       "bytes 4 to 7 are %02x %02x %02x %02x (expected the file identifier \"%s\")",
                       fb->data[4], fb->data[5], fb->data[6], fb->data[7], ident);
        return none;
    }
    return table_at(fb, atoll__load_u32(fb->data), what);
}

/* Position of a field's inline bytes; 0 when absent or broken. */
static size_t slot(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                   unsigned bytes)
{
    if (fb->code != 0 || t->pos == 0 || 4 + 2 * id + 2 > t->vtable_bytes) {
        return 0;
    }
    const uint32_t offset = atoll__load_u16(fb->data + t->vtable + 4 + 2 * (size_t)id);
    if (offset == 0) {
        return 0;
    }
    if (offset < 4 || offset + bytes > t->table_bytes) {
        atoll__fb_fail(fb, ATOLL_EINPUT,
                       "table %s at byte %zu: field %u at offset %u with %u bytes leaves the table "
                       "of %u bytes",
                       t->what, t->pos, id, offset, bytes, t->table_bytes);
        return 0;
    }
    return t->pos + offset;
}

bool atoll__fb_has(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id)
{
    return slot(fb, t, id, 1) != 0;
}

unsigned atoll__fb_unknown_fields(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned n)
{
    unsigned count = 0;
    for (unsigned id = n; fb->code == 0 && 4 + 2 * id + 2 <= t->vtable_bytes; id++) {
        count += atoll__load_u16(fb->data + t->vtable + 4 + 2 * (size_t)id) != 0;
    }
    return count;
}

bool atoll__fb_bits(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                    unsigned bytes, uint64_t *bits)
{
    const size_t pos = slot(fb, t, id, bytes);
    if (pos == 0) {
        return false;
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++) {
        v |= (uint64_t)fb->data[pos + i] << (8 * i);
    }
    *bits = v;
    return true;
}

uint8_t atoll__fb_u8(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                     uint8_t def)
{
    uint64_t v = def;
    (void)atoll__fb_bits(fb, t, id, 1, &v);
    return (uint8_t)v;
}

int8_t atoll__fb_i8(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id, int8_t def)
{
    return (int8_t)atoll__fb_u8(fb, t, id, (uint8_t)def);
}

int16_t atoll__fb_i16(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                      int16_t def)
{
    uint64_t v = (uint16_t)def;
    (void)atoll__fb_bits(fb, t, id, 2, &v);
    return (int16_t)(uint16_t)v;
}

uint32_t atoll__fb_u32(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                       uint32_t def)
{
    uint64_t v = def;
    (void)atoll__fb_bits(fb, t, id, 4, &v);
    return (uint32_t)v;
}

int32_t atoll__fb_i32(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                      int32_t def)
{
    return (int32_t)atoll__fb_u32(fb, t, id, (uint32_t)def);
}

uint64_t atoll__fb_u64(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                       uint64_t def)
{
    uint64_t v = def;
    (void)atoll__fb_bits(fb, t, id, 8, &v);
    return v;
}

int64_t atoll__fb_i64(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                      int64_t def)
{
    return (int64_t)atoll__fb_u64(fb, t, id, (uint64_t)def);
}

/* Follows the reference stored at `pos`; 0 when it leaves the bytes. */
static size_t follow(struct atoll__fb *fb, size_t pos, const char *what, unsigned id)
{
    const uint32_t offset = atoll__load_u32(fb->data + pos);
    if (offset == 0 || offset > fb->size - pos || !in_bounds(fb, pos + offset, 4)) {
        atoll__fb_fail(fb, ATOLL_EINPUT,
                       "table %s: reference at byte %zu (field or element %u) points %u bytes on, "
                       "beyond %zu bytes",
                       what, pos, id, offset, fb->size);
        return 0;
    }
    return pos + offset;
}

/* The vector whose count stands at `pos`. */
static struct atoll__fb_vec vector_at(struct atoll__fb *fb, size_t pos, unsigned elem_bytes,
                                      const char *what, unsigned id)
{
    const uint32_t n = atoll__load_u32(fb->data + pos);
    if (!in_bounds(fb, pos + 4, (uint64_t)n * elem_bytes)) {
        atoll__fb_fail(fb, ATOLL_EINPUT,
                       "table %s: field or element %u: %u elements of %u bytes at byte %zu leave "
                       "the %zu bytes",
                       what, id, n, elem_bytes, pos, fb->size);
        return (struct atoll__fb_vec){0};
    }
    return (struct atoll__fb_vec){.data = fb->data + pos + 4, .n = n};
}

struct atoll__fb_vec atoll__fb_vector(struct atoll__fb *fb, const struct atoll__fb_table *t,
                                      unsigned id, unsigned elem_bytes)
{
    const size_t field = slot(fb, t, id, 4);
    const size_t pos = field == 0 ? 0 : follow(fb, field, t->what, id);
    return pos == 0 ? (struct atoll__fb_vec){0} : vector_at(fb, pos, elem_bytes, t->what, id);
}

const char *atoll__fb_string(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id)
{
    const struct atoll__fb_vec v = atoll__fb_vector(fb, t, id, 1);
    if (v.data == NULL) {
        return NULL;
    }
    const size_t end = (size_t)(v.data - fb->data) + v.n;
    if (end >= fb->size || fb->data[end] != 0) {
        atoll__fb_fail(fb, ATOLL_EINPUT,
                       "table %s: string of field %u (%u bytes) does not end in a NUL", t->what, id,
                       v.n);
        return NULL;
    }
    return (const char *)v.data;
}

struct atoll__fb_table atoll__fb_sub(struct atoll__fb *fb, const struct atoll__fb_table *t,
                                     unsigned id, const char *what)
{
    const size_t field = slot(fb, t, id, 4);
    const size_t pos = field == 0 ? 0 : follow(fb, field, t->what, id);
    return pos == 0 ? (struct atoll__fb_table){.what = what} : table_at(fb, pos, what);
}

struct atoll__fb_table atoll__fb_table_at(struct atoll__fb *fb, const struct atoll__fb_vec *v,
                                          uint32_t i, const char *what)
{
    if (fb->code != 0 || i >= v->n) {
        return (struct atoll__fb_table){.what = what};
    }
    const size_t pos = follow(fb, (size_t)(v->data - fb->data) + 4 * (size_t)i, what, i);
    return pos == 0 ? (struct atoll__fb_table){.what = what} : table_at(fb, pos, what);
}

const uint8_t *atoll__fb_bytes_at(struct atoll__fb *fb, const struct atoll__fb_vec *v, uint32_t i,
                                  uint32_t *n, const char *what)
{
    *n = 0;
    if (fb->code != 0 || i >= v->n) {
        return NULL;
    }
    const size_t pos = follow(fb, (size_t)(v->data - fb->data) + 4 * (size_t)i, what, i);
    const struct atoll__fb_vec bytes =
        pos == 0 ? (struct atoll__fb_vec){0} : vector_at(fb, pos, 1, what, i);
    *n = bytes.n;
    return bytes.data;
}

void *atoll__fb_copy(struct atoll__fb *fb, struct atoll_arena *a, const struct atoll__fb_vec *v,
                     unsigned elem_bytes)
{
    if (fb->code != 0 || v->n == 0) {
        return NULL;
    }
    const uint64_t bytes = (uint64_t)v->n * elem_bytes;
    if (bytes > fb->budget_bytes) {
        atoll__fb_fail(
            fb, ATOLL_ELIMIT,
            "the vectors of the file overlap: together they are more than 4 times its %zu bytes",
            fb->size);
        return NULL;
    }
    fb->budget_bytes -= bytes;
    void *copy = atoll_arena_alloc(a, (size_t)bytes);
    if (copy == NULL) {
        atoll__fb_nomem(fb, "a vector of the model", (size_t)bytes);
        return NULL;
    }
    memcpy(copy, v->data, (size_t)bytes);
    return copy;
}
