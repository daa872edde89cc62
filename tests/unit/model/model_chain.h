/* SPDX-License-Identifier: Apache-2.0 */
/* Small models for tests, made with the builder. */
#ifndef ATOLL_TESTS_MODEL_CHAIN_H
#define ATOLL_TESTS_MODEL_CHAIN_H

#include "atoll_test.h"

#include <atoll/model.h>

struct chain {
    struct atoll_builder *b;
    int32_t first, last;
};

static inline int32_t chain_tensor(struct chain *c, const char *name, enum atoll_type type,
                                   int32_t rank, const int32_t *shape, enum atoll_fill_kind fill)
{
    const float scale = 0.5f;
    const int64_t zero = 0;
    struct atoll_tensor t = {.name = name, .type = type, .rank = rank, .fill = {fill, 1}};
    t.quant = (struct atoll_quant){.scale = &scale, .zero_point = &zero, .n = 1};
    for (int32_t i = 0; i < rank; i++) {
        t.shape[i] = shape[i];
    }
    struct atoll_err err = {0};
    const int32_t index = atoll_builder_tensor(c->b, &t, false, &err);
    if (index < 0) {
        fail_msg("%s", err.text);
    }
    return index;
}

static inline int32_t chain_int8(struct chain *c, const char *name, int32_t y, int32_t x, int32_t z)
{
    return chain_tensor(c, name, ATOLL_TYPE_INT8, 4, (int32_t[]){1, y, x, z}, ATOLL_FILL_NONE);
}

static inline int32_t chain_op_attr(struct chain *c, int code, const int32_t *in, uint32_t n_in,
                                    int32_t out, const struct atoll_op_attr *attr)
{
    const struct atoll_op op = {.code = code,
                                .custom_name = code == ATOLL_OP_CUSTOM ? "Own" : NULL,
                                .inputs = in,
                                .n_inputs = n_in,
                                .outputs = &out,
                                .n_outputs = 1,
                                .attr = *attr};
    const int32_t index = atoll_builder_op(c->b, &op, NULL);
    assert_true(index >= 0);
    return index;
}

static inline int32_t chain_op(struct chain *c, int code, const int32_t *in, uint32_t n_in,
                               int32_t out)
{
    const struct atoll_op_attr attr = atoll_op_attr_default();
    return chain_op_attr(c, code, in, n_in, out, &attr);
}

static inline struct chain chain_start(const char *path)
{
    struct chain c = {0};
    assert_int_equal(atoll_builder_create(path, "test", &c.b, NULL), 0);
    return c;
}

static inline struct atoll_model *chain_finish(struct chain *c)
{
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (atoll_builder_finish(&c->b, &c->first, 1, &c->last, 1, &m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return m;
}

/* A QUANTIZE and `layers` convolutions 3x3 with f filters (0 bias bytes: none), as in the published
 * sweeps of synthetic networks. */
static inline struct atoll_model *conv_chain(int32_t layers, int32_t f)
{
    struct chain c = chain_start("conv_chain");
    c.first =
        chain_tensor(&c, "x", ATOLL_TYPE_UINT8, 4, (int32_t[]){1, 64, 64, 3}, ATOLL_FILL_NONE);
    c.last = chain_int8(&c, "q", 64, 64, 3);
    chain_op(&c, ATOLL_OP_QUANTIZE, &c.first, 1, c.last);
    for (int32_t i = 0, cin = 3; i < layers; i++, cin = f) {
        const int32_t w =
            chain_tensor(&c, "w", ATOLL_TYPE_INT8, 4, (int32_t[]){f, 3, 3, cin}, ATOLL_FILL_INT8);
        const int32_t b = chain_tensor(&c, "b", ATOLL_TYPE_INT32, 1, &f, ATOLL_FILL_BIAS32);
        const int32_t in[3] = {c.last, w, b};
        c.last = chain_int8(&c, "y", 64, 64, f);
        chain_op(&c, ATOLL_OP_CONV_2D, in, 3, c.last);
    }
    return chain_finish(&c);
}

/* 64 -> n -> n -> n -> n -> 10, behind a QUANTIZE. */
static inline struct atoll_model *fc_chain(int32_t n)
{
    struct chain c = chain_start("fc_chain");
    c.first = chain_tensor(&c, "x", ATOLL_TYPE_UINT8, 2, (int32_t[]){1, 64}, ATOLL_FILL_NONE);
    c.last = chain_tensor(&c, "q", ATOLL_TYPE_INT8, 2, (int32_t[]){1, 64}, ATOLL_FILL_NONE);
    chain_op(&c, ATOLL_OP_QUANTIZE, &c.first, 1, c.last);
    const int32_t widths[6] = {64, n, n, n, n, 10};
    for (int i = 0; i < 5; i++) {
        const int32_t w = chain_tensor(&c, "w", ATOLL_TYPE_INT8, 2,
                                       (int32_t[]){widths[i + 1], widths[i]}, ATOLL_FILL_INT8);
        const int32_t b =
            chain_tensor(&c, "b", ATOLL_TYPE_INT32, 1, &widths[i + 1], ATOLL_FILL_BIAS32);
        const int32_t in[3] = {c.last, w, b};
        c.last = chain_tensor(&c, "y", ATOLL_TYPE_INT8, 2, (int32_t[]){1, widths[i + 1]},
                              ATOLL_FILL_NONE);
        chain_op(&c, ATOLL_OP_FULLY_CONNECTED, in, 3, c.last);
    }
    return chain_finish(&c);
}

#endif
