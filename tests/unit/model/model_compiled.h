/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled models made by hand: a FlexBuffer map with packages of executables in it. */
#ifndef ATOLL_TESTS_MODEL_COMPILED_H
#define ATOLL_TESTS_MODEL_COMPILED_H

#include "fbwrite.h"

#include <string.h>

/* Finishes a buffer that has no identifier: 4 zero bytes. */
static inline void cm_start(struct atoll__fw *w, const char *ident)
{
    atoll__fw_init(w, ident != NULL ? ident : "\0\0\0\0", 4096);
}

static inline size_t cm_layer(struct atoll__fw *w, const char *name, int32_t y, int32_t x,
                              int32_t z, int16_t type)
{
    struct atoll__fw_table t = {0};
    atoll__fw_ref(&t, 0);
    atoll__fw_scalar(&t, 1, 4, (uint32_t)(y * x * z), 0);
    atoll__fw_scalar(&t, 2, 4, (uint32_t)y, 0);
    atoll__fw_scalar(&t, 3, 4, (uint32_t)x, 0);
    atoll__fw_scalar(&t, 4, 4, (uint32_t)z, 0);
    atoll__fw_scalar(&t, 6, 2, (uint16_t)type, 0);
    const size_t pos = atoll__fw_table_write(w, &t);
    atoll__fw_link(w, &t, 0, atoll__fw_string(w, name));
    return pos;
}

/* A hint: kind 1 DMA (bytes of `what` in `direction`), 2 instruction chunk, 3 interrupt, 4 fence.
 */
static inline size_t cm_hint(struct atoll__fw *w, uint8_t kind, int16_t what, int16_t direction,
                             int32_t value)
{
    struct atoll__fw_table t = {0}, v = {0}, meta = {0};
    atoll__fw_scalar(&t, 0, 1, kind, 0);
    atoll__fw_ref(&t, 1);
    atoll__fw_scalar(&t, 2, 2, (uint16_t)direction, 0);
    const size_t pos = atoll__fw_table_write(w, &t);
    if (kind == 1) {
        atoll__fw_ref(&v, 0);
        atoll__fw_scalar(&v, 2, 4, (uint32_t)value, 0);
        atoll__fw_link(w, &t, 1, atoll__fw_table_write(w, &v));
        atoll__fw_scalar(&meta, 0, 2, (uint16_t)what, 0);
        atoll__fw_link(w, &v, 0, atoll__fw_table_write(w, &meta));
    } else {
        atoll__fw_scalar(&v, 0, 4, (uint32_t)value, 0);
        atoll__fw_link(w, &t, 1, atoll__fw_table_write(w, &v));
    }
    return pos;
}

/* An execution-only executable with two chunks, five hints, one input and one output; or a caching
 * one with parameters. */
static inline void cm_exe(struct atoll__fw *w, int16_t type, uint64_t token)
{
    static const uint8_t parameters[640] = {1};
    const bool caching = type == ATOLL_EXE_PARAMETER_CACHING;
    struct atoll__fw_table t = {0}, hints = {0};
    cm_start(w, NULL);
    atoll__fw_ref(&t, 1);
    atoll__fw_scalar(&t, 3, 4, 1, 0);
    atoll__fw_ref(&t, 5);
    if (caching) {
        atoll__fw_ref(&t, 6);
    } else {
        atoll__fw_ref(&t, 7);
        atoll__fw_ref(&t, 8);
        atoll__fw_ref(&t, 9);
        atoll__fw_scalar(&t, 12, 4, 1424, 0);
        atoll__fw_scalar(&t, 16, 8, 458040, 0);
    }
    atoll__fw_ref(&t, 10);
    atoll__fw_scalar(&t, 13, 2, (uint16_t)type, 0);
    atoll__fw_scalar(&t, 14, 8, token, 0);
    atoll__fw_link_at(w, 0, atoll__fw_table_write(w, &t));
    atoll__fw_link(w, &t, 1, atoll__fw_string(w, caching ? "Unknown" : "model"));
    atoll__fw_link(w, &t, 10, atoll__fw_string(w, "beagle"));
    const size_t chunks = atoll__fw_vector(w, NULL, 2, 4, 4);
    atoll__fw_link(w, &t, 5, chunks);
    for (uint32_t i = 0; i < 2; i++) {
        struct atoll__fw_table chunk = {0};
        atoll__fw_ref(&chunk, 0);
        atoll__fw_link_at(w, atoll__fw_element(chunks, i), atoll__fw_table_write(w, &chunk));
        atoll__fw_link(w, &chunk, 0, atoll__fw_vector(w, NULL, 32 * (i + 1), 1, 4));
    }
    if (caching) {
        atoll__fw_link(w, &t, 6, atoll__fw_vector(w, parameters, sizeof parameters, 1, 4));
        return;
    }
    atoll__fw_ref(&hints, 0);
    atoll__fw_scalar(&hints, 1, 1, 1, 0);
    atoll__fw_link(w, &t, 7, atoll__fw_table_write(w, &hints));
    static const struct {
        uint8_t kind;
        int16_t what, direction;
        int32_t value;
    } list[] = {{2, 0, 0, 0}, {1, 1, 0, 192}, {2, 0, 0, 1},
                {4, 0, 0, 0}, {1, 0, 1, 64},  {3, 0, 0, 0}};
    const size_t vector = atoll__fw_vector(w, NULL, LEN(list), 4, 4);
    atoll__fw_link(w, &hints, 0, vector);
    for (uint32_t i = 0; i < LEN(list); i++) {
        atoll__fw_link_at(w, atoll__fw_element(vector, i),
                          cm_hint(w, list[i].kind, list[i].what, list[i].direction, list[i].value));
    }
    const size_t in = atoll__fw_vector(w, NULL, 1, 4, 4);
    atoll__fw_link(w, &t, 8, in);
    atoll__fw_link_at(w, atoll__fw_element(in, 0), cm_layer(w, "x", 8, 8, 3, 0));
    const size_t out = atoll__fw_vector(w, NULL, 1, 4, 4);
    atoll__fw_link(w, &t, 9, out);
    atoll__fw_link_at(w, atoll__fw_element(out, 0), cm_layer(w, "y", 4, 4, 4, 8));
}

/* A package of an execution-only and a caching executable. */
static inline void cm_package(struct atoll__fw *w)
{
    struct atoll__fw exes[2], multi;
    struct atoll__fw_table t = {0}, m = {0};
    cm_exe(&exes[0], ATOLL_EXE_EXECUTION_ONLY, 0xfeed);
    cm_exe(&exes[1], ATOLL_EXE_PARAMETER_CACHING, 0xfeed);
    cm_start(&multi, NULL);
    atoll__fw_ref(&m, 0);
    atoll__fw_link_at(&multi, 0, atoll__fw_table_write(&multi, &m));
    const size_t list = atoll__fw_vector(&multi, NULL, 2, 4, 4);
    atoll__fw_link(&multi, &m, 0, list);
    for (uint32_t i = 0; i < 2; i++) {
        atoll__fw_link_at(&multi, atoll__fw_element(list, i),
                          atoll__fw_vector(&multi, exes[i].data, (uint32_t)exes[i].size, 1, 16));
        atoll__fw_finish(&exes[i]);
    }
    cm_start(w, "DWN1");
    atoll__fw_scalar(&t, 0, 4, 13, 0);
    atoll__fw_ref(&t, 1);
    atoll__fw_ref(&t, 4);
    atoll__fw_link_at(w, 0, atoll__fw_table_write(w, &t));
    atoll__fw_link(w, &t, 4, atoll__fw_string(w, "cl/test"));
    atoll__fw_link(w, &t, 1, atoll__fw_vector(w, multi.data, (uint32_t)multi.size, 1, 16));
    atoll__fw_finish(&multi);
}

/* ------------------------------------------------------------- the FlexBuffer */

struct cm_entry {
    const char *key;
    const void *bytes; ///< NULL: the integer
    size_t n;
    int32_t number;
};

static inline void cm_u32(struct atoll_buf *b, size_t v)
{
    const uint8_t le[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    atoll_buf_append(b, le, 4);
}

/* A map of at most 8 entries with sorted keys, all slots 4 bytes wide. */
static inline void cm_flex(struct atoll_buf *b, const struct cm_entry *entries, size_t n)
{
    size_t keys[8], values[8] = {0};
    for (size_t i = 0; i < n; i++) {
        keys[i] = b->size;
        atoll_buf_append(b, entries[i].key, strlen(entries[i].key) + 1);
        if (entries[i].bytes != NULL) {
            cm_u32(b, entries[i].n);
            values[i] = b->size;
            atoll_buf_append(b, entries[i].bytes, entries[i].n);
            atoll_buf_append(b, "", 1);
        }
    }
    cm_u32(b, n);
    const size_t key_vector = b->size;
    for (size_t i = 0; i < n; i++) {
        cm_u32(b, b->size - keys[i]);
    }
    cm_u32(b, b->size - key_vector);
    cm_u32(b, 4);
    cm_u32(b, n);
    const size_t map = b->size;
    for (size_t i = 0; i < n; i++) {
        cm_u32(b, entries[i].bytes != NULL ? b->size - values[i]
                                           : (size_t)(uint32_t)entries[i].number);
    }
    for (size_t i = 0; i < n; i++) {
        const uint8_t type =
            entries[i].bytes != NULL ? 5 << 2 | 2 : 1 << 2 | 2; /* text or integer */
        atoll_buf_append(b, &type, 1);
    }
    cm_u32(b, b->size - map);
    atoll_buf_append(b, "\x26\x04", 2); /* a map (9), slots of 4 bytes */
}

/* Options of a compiled operator in today's layout. */
static inline void cm_options(struct atoll_buf *b)
{
    struct atoll__fw package;
    cm_package(&package);
    const struct cm_entry entries[] = {
        {"1", NULL, 0, 0}, {"4", package.data, package.size, 0}, {"5", NULL, 0, -1}};
    cm_flex(b, entries, LEN(entries));
    atoll__fw_finish(&package);
}

/* Options in the oldest layout: raw executables, no package. */
static inline void cm_options_legacy(struct atoll_buf *b)
{
    struct atoll__fw exe, caching;
    cm_exe(&exe, ATOLL_EXE_EXECUTION_ONLY, 7);
    cm_exe(&caching, ATOLL_EXE_PARAMETER_CACHING, 7);
    const struct cm_entry entries[] = {{"1", NULL, 0, 0},
                                       {"2", "beagle", 6, 0},
                                       {"3", caching.data, caching.size, 0},
                                       {"4", exe.data, exe.size, 0}};
    cm_flex(b, entries, LEN(entries));
    atoll__fw_finish(&exe);
    atoll__fw_finish(&caching);
}

/* A model of one compiled operator; NULL on failure. */
static inline struct atoll_model *cm_model(const void *options, size_t n)
{
    struct atoll_builder *b = NULL;
    struct atoll_model *m = NULL;
    if (atoll_builder_create("compiled.tflite", "", &b, NULL) != 0) {
        return NULL;
    }
    const struct atoll_tensor t = {.name = "t", .type = ATOLL_TYPE_UINT8, .rank = 1, .shape = {4}};
    const int32_t x = atoll_builder_tensor(b, &t, false, NULL);
    const int32_t y = atoll_builder_tensor(b, &t, false, NULL);
    const struct atoll_op op = {.code = ATOLL_OP_CUSTOM,
                                .custom_name = "edgetpu-custom-op",
                                .inputs = &x,
                                .n_inputs = 1,
                                .outputs = &y,
                                .n_outputs = 1,
                                .attr = atoll_op_attr_default(),
                                .custom_options = options,
                                .custom_options_bytes = (uint32_t)n};
    if (x < 0 || y < 0 || atoll_builder_op(b, &op, NULL) < 0) {
        atoll_builder_destroy(&b);
        return NULL;
    }
    (void)atoll_builder_finish(&b, &x, 1, &y, 1, &m, NULL);
    return m;
}

#endif
