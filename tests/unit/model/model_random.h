/* SPDX-License-Identifier: Apache-2.0 */
/* Random models for property tests and fuzz seeds: directed acyclic graphs of convolutions, fully
 * connected layers, additions, splits, recurrent state and custom operators. */
#ifndef ATOLL_TESTS_MODEL_RANDOM_H
#define ATOLL_TESTS_MODEL_RANDOM_H

#include <atoll/model.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct random_model {
    struct atoll_rng rng;
    struct atoll_builder *b;
    int32_t *live; ///< activations that may be read
    uint32_t n_live, cap;
    int32_t shared; ///< a constant that many operators use
    int serial;
};

static inline int32_t rm_tensor(struct random_model *r, const char *kind, enum atoll_type type,
                                int32_t rank, const int32_t *shape, enum atoll_fill_kind fill)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s_%d", kind, r->serial++);
    float scales[64];
    int64_t zeros[64] = {0};
    for (int i = 0; i < 64; i++) {
        scales[i] = (float)(atoll_rng_unit(&r->rng) + 0.01);
    }
    struct atoll_tensor t = {
        .name = name, .type = type, .rank = rank, .fill = {fill, atoll_rng_u64(&r->rng)}};
    for (int32_t i = 0; i < rank; i++) {
        t.shape[i] = shape[i];
    }
    const bool per_channel = fill == ATOLL_FILL_INT8 && rank == 4 && shape[0] > 1 &&
                             shape[0] <= 64 && atoll_rng_below(&r->rng, 2) == 0;
    t.quant = (struct atoll_quant){
        .scale = scales, .zero_point = zeros, .n = per_channel ? (uint32_t)shape[0] : 1};
    if (type == ATOLL_TYPE_INT8 && fill == ATOLL_FILL_NONE) {
        zeros[0] = (int64_t)atoll_rng_below(&r->rng, 256) - 128;
    }
    return atoll_builder_tensor(r->b, &t, false, NULL);
}

static inline int32_t rm_activation(struct random_model *r)
{
    const int32_t shape[4] = {1, 6, 6, 8};
    const int32_t t = rm_tensor(r, "act", ATOLL_TYPE_INT8, 4, shape, ATOLL_FILL_NONE);
    if (r->n_live < r->cap) {
        r->live[r->n_live++] = t;
    }
    return t;
}

/* Often the newest, sometimes any: long chains with skip connections. */
static inline int32_t rm_pick(struct random_model *r)
{
    const bool newest = atoll_rng_below(&r->rng, 3) != 0;
    return r->live[newest ? r->n_live - 1 : atoll_rng_below(&r->rng, r->n_live)];
}

static inline void rm_op(struct random_model *r, int code, const char *custom, const int32_t *in,
                         uint32_t n_in, const int32_t *out, uint32_t n_out,
                         const struct atoll_op_attr *attr)
{
    static const uint8_t options[5] = {1, 2, 3, 4, 5};
    const struct atoll_op op = {.code = code,
                                .custom_name = custom,
                                .inputs = in,
                                .n_inputs = n_in,
                                .outputs = out,
                                .n_outputs = n_out,
                                .attr = *attr,
                                .custom_options = custom != NULL ? options : NULL,
                                .custom_options_bytes = custom != NULL ? sizeof options : 0};
    (void)atoll_builder_op(r->b, &op, NULL);
}

static inline void rm_step(struct random_model *r)
{
    struct atoll_op_attr a = atoll_op_attr_default();
    const int32_t x = rm_pick(r);
    const int32_t w_shape[4] = {8, 3, 3, 8};
    const int32_t b_shape[1] = {8};
    const int32_t axis_shape[1] = {0};
    switch (atoll_rng_below(&r->rng, 8)) {
    case 0:
    case 1: {
        const int32_t w = rm_tensor(r, "w", ATOLL_TYPE_INT8, 4, w_shape, ATOLL_FILL_INT8);
        const int32_t b = rm_tensor(r, "b", ATOLL_TYPE_INT32, 1, b_shape, ATOLL_FILL_BIAS32);
        const int32_t in[3] = {x, w, atoll_rng_below(&r->rng, 4) == 0 ? -1 : b};
        a.activation = ATOLL_ACT_RELU6;
        const int32_t y = rm_activation(r);
        rm_op(r, ATOLL_OP_CONV_2D, NULL, in, 3, &y, 1, &a);
        break;
    }
    case 2:
    case 3: {
        const int32_t in[2] = {x, rm_pick(r)}; /* sometimes the same tensor twice */
        const int32_t y = rm_activation(r);
        rm_op(r, ATOLL_OP_ADD, NULL, in, 2, &y, 1, &a);
        break;
    }
    case 4: { /* the shared constant */
        const int32_t in[2] = {x, r->shared};
        const int32_t y = rm_activation(r);
        rm_op(r, ATOLL_OP_MUL, NULL, in, 2, &y, 1, &a);
        break;
    }
    case 5: { /* several outputs, some of them never read */
        const int32_t axis =
            rm_tensor(r, "axis", ATOLL_TYPE_INT32, 0, axis_shape, ATOLL_FILL_BIAS32);
        const int32_t in[2] = {axis, x};
        const int32_t out[3] = {rm_activation(r), rm_activation(r), rm_activation(r)};
        a.num = 3;
        rm_op(r, ATOLL_OP_SPLIT, NULL, in, 2, out, 3, &a);
        break;
    }
    case 6: { /* a state tensor, kept by its operator */
        const int32_t s_shape[2] = {1, 8};
        const int32_t state = rm_tensor(r, "state", ATOLL_TYPE_INT16, 2, s_shape, ATOLL_FILL_NONE);
        atoll_builder_get(r->b, state)->is_variable = true;
        const int32_t in[3] = {x, -1, state};
        const int32_t y = rm_activation(r);
        rm_op(r, ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM, NULL, in, 3, &y, 1, &a);
        break;
    }
    default: {
        const int32_t y = rm_activation(r);
        rm_op(r, ATOLL_OP_CUSTOM, atoll_rng_below(&r->rng, 2) == 0 ? "OpA" : "OpB", &x, 1, &y, 1,
              &a);
        break;
    }
    }
}

/* NULL only without memory or on a fault. */
static inline struct atoll_model *random_model(uint64_t seed, uint32_t n_ops)
{
    struct random_model r = {0};
    atoll_rng_seed(&r.rng, seed);
    r.cap = 3 * n_ops + 8;
    r.live = calloc(r.cap, sizeof *r.live);
    if (r.live == NULL || atoll_builder_create("random", "random model", &r.b, NULL) != 0) {
        free(r.live);
        return NULL;
    }
    const int32_t shared_shape[4] = {1, 1, 1, 8};
    r.shared = rm_tensor(&r, "shared", ATOLL_TYPE_INT8, 4, shared_shape, ATOLL_FILL_INT8);
    int32_t inputs[3];
    const uint32_t n_inputs = 1 + (uint32_t)atoll_rng_below(&r.rng, 3);
    for (uint32_t i = 0; i < n_inputs; i++) {
        inputs[i] = rm_activation(&r);
    }
    for (uint32_t i = 0; i < n_ops; i++) {
        rm_step(&r);
    }
    int32_t outputs[4];
    uint32_t n_outputs = 0;
    outputs[n_outputs++] = r.live[r.n_live - 1];
    for (int i = 0; i < 3; i++) { /* tensors inside the graph may be outputs too */
        const int32_t t = r.live[atoll_rng_below(&r.rng, r.n_live)];
        bool known = false;
        for (uint32_t k = 0; k < n_outputs; k++) {
            known = known || outputs[k] == t;
        }
        if (!known) {
            outputs[n_outputs++] = t;
        }
    }
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (atoll_builder_finish(&r.b, inputs, n_inputs, outputs, n_outputs, &m, &err) != 0) {
        (void)fprintf(stderr, "random model: %s\n", err.text);
    }
    free(r.live);
    return m;
}

/* A random legal segmentation: each operator at or behind the segments it depends on, none empty.
 */
static inline uint32_t random_segments(struct atoll_rng *rng, const struct atoll_model *m,
                                       uint32_t wanted, uint32_t *seg)
{
    uint32_t top = 0;
    for (uint32_t o = 0; o < m->n_ops; o++) {
        uint32_t at_least = 0;
        for (uint32_t i = 0; i < m->ops[o].n_inputs; i++) {
            const int32_t t = m->ops[o].inputs[i];
            const int32_t p = t < 0 ? -1 : m->tensors[t].producer;
            at_least = p >= 0 && seg[p] > at_least ? seg[p] : at_least;
        }
        /* Stay with the producers most of the time, else open or join a later segment. */
        const bool later = atoll_rng_below(rng, m->n_ops) < 2 * wanted;
        seg[o] = later && at_least + 1 < wanted ? at_least + 1 : at_least;
        top = seg[o] > top ? seg[o] : top;
    }
    /* Close gaps: segment numbers in use become 0, 1, 2, ... */
    uint32_t used = 0;
    for (uint32_t s = 0; s <= top; s++) {
        bool any = false;
        for (uint32_t o = 0; o < m->n_ops; o++) {
            if (seg[o] == s) {
                seg[o] = used;
                any = true;
            }
        }
        used += any;
    }
    return used;
}

#endif
