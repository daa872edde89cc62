/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors, constants and quantization of a network under construction. */
#include "zoo_internal.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* Standard deviation of the int8 weight fill, in counts: the scale that gives weights of standard
 * deviation sigma is sigma / this. */
#define FILL_SIGMA_COUNTS 43.0

struct range {
    float scale;
    int64_t zero_point;
};
static const struct range ranges[] = {
    [ATOLL__RANGE_INPUT] = {2.0f / 255.0f, -1},    [ATOLL__RANGE_RELU] = {6.0f / 255.0f, -128},
    [ATOLL__RANGE_LINEAR] = {12.0f / 255.0f, -22}, [ATOLL__RANGE_UNIT] = {1.0f / 256.0f, -128},
    [ATOLL__RANGE_TANH] = {1.0f / 128.0f, 0},
};

void atoll__net_finish(struct atoll__net *n) {
    atoll_free(n->scales);
    atoll_free(n->zeros);
    n->scales = NULL;
    n->zeros = NULL;
    n->n_scales = 0;
    n->n_zeros = 0;
}

int32_t atoll__net_fail(struct atoll__net *n, int code, const char *fmt, ...) {
    if (n->code != 0) {
        return -1;
    }
    n->code = code;
    if (fmt != NULL) { /* NULL: the callee has filled the sentence */
        char text[256];
        va_list args;
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        atoll_fail(n->err, code, "%s", text);
    }
    return -1;
}

const struct atoll_tensor *atoll__net_tensor(struct atoll__net *n, int32_t x) {
    if (n->code != 0) {
        return NULL;
    }
    const struct atoll_tensor *t = atoll_builder_get(n->builder, x);
    if (t == NULL) {
        atoll__net_fail(n, ATOLL_EINTERNAL, "layer %u: no tensor %d", (unsigned)n->n_layers,
                        (int)x);
    }
    return t;
}

int32_t atoll__net_height(struct atoll__net *n, int32_t x) {
    const struct atoll_tensor *t = atoll__net_tensor(n, x);
    return t != NULL && t->rank == 4 ? t->shape[1] : 0;
}

int32_t atoll__net_channels(struct atoll__net *n, int32_t x) {
    const struct atoll_tensor *t = atoll__net_tensor(n, x);
    return t != NULL && t->rank > 0 ? t->shape[t->rank - 1] : 0;
}

/* Adds `t` under the given name; data bytes are copied. */
static int32_t add_tensor(struct atoll__net *n, struct atoll_tensor *t, const char *name,
                          int32_t rank, const int32_t *shape) {
    if (n->code != 0) {
        return -1;
    }
    t->name = name;
    t->rank = rank;
    memcpy(t->shape, shape, (size_t)rank * sizeof *shape);
    const int32_t index = atoll_builder_tensor(n->builder, t, true, n->err);
    return index < 0 ? atoll__net_fail(n, index, NULL) : index;
}

static int32_t add_activation(struct atoll__net *n, const char *kind, int32_t rank,
                              const int32_t *shape, enum atoll_type type, struct range r) {
    char name[64];
    snprintf(name, sizeof name, "%s_%u", kind, (unsigned)n->n_layers);
    struct atoll_tensor t = {.type = type,
                             .quant = {.scale = &r.scale, .zero_point = &r.zero_point, .n = 1}};
    return add_tensor(n, &t, name, rank, shape);
}

int32_t atoll__net_activation(struct atoll__net *n, const char *kind, int32_t rank,
                              const int32_t *shape, enum atoll__range range) {
    return add_activation(n, kind, rank, shape, ATOLL_TYPE_INT8, ranges[range]);
}

int32_t atoll__net_activation_like(struct atoll__net *n, const char *kind, int32_t rank,
                                   const int32_t *shape, int32_t like) {
    const struct atoll_tensor *t = atoll__net_tensor(n, like);
    if (t == NULL || t->quant.n != 1) {
        return atoll__net_fail(n, ATOLL_EINTERNAL, "layer %u: no scale to share",
                               (unsigned)n->n_layers);
    }
    return add_activation(n, kind, rank, shape, t->type,
                          (struct range){t->quant.scale[0], t->quant.zero_point[0]});
}

int32_t atoll__net_float(struct atoll__net *n, const char *name, int32_t rank,
                         const int32_t *shape) {
    struct atoll_tensor t = {.type = ATOLL_TYPE_FLOAT32};
    return add_tensor(n, &t, name, rank, shape);
}

/* A constant with its bytes, named after the operator that will read it. */
static int32_t add_const(struct atoll__net *n, struct atoll_tensor *t, const char *name,
                         int32_t rank, const int32_t *shape, const void *data, size_t bytes) {
    char full[64];
    snprintf(full, sizeof full, "%s_%u", name, (unsigned)n->n_layers);
    t->is_constant = true;
    t->data = data;
    t->data_bytes = bytes;
    return add_tensor(n, t, full, rank, shape);
}

static size_t elements(int32_t rank, const int32_t *shape) {
    size_t count = 1;
    for (int32_t i = 0; i < rank; i++) {
        count *= (size_t)shape[i];
    }
    return count;
}

int32_t atoll__net_const_int32(struct atoll__net *n, const char *name, int32_t rank,
                               const int32_t *shape, const int32_t *values) {
    struct atoll_tensor t = {.type = ATOLL_TYPE_INT32};
    return add_const(n, &t, name, rank, shape, values, elements(rank, shape) * sizeof *values);
}

int32_t atoll__net_const_float(struct atoll__net *n, const char *name, int32_t rank,
                               const int32_t *shape, const float *values) {
    struct atoll_tensor t = {.type = ATOLL_TYPE_FLOAT32};
    return add_const(n, &t, name, rank, shape, values, elements(rank, shape) * sizeof *values);
}

int32_t atoll__net_const_scalar(struct atoll__net *n, float value) {
    const int8_t count = 127;
    const float scale = value / 127.0f;
    const int64_t zero = 0;
    const int32_t shape[1] = {1};
    struct atoll_tensor t = {.type = ATOLL_TYPE_INT8,
                             .quant = {.scale = &scale, .zero_point = &zero, .n = 1}};
    return add_const(n, &t, "scalar", 1, shape, &count, 1);
}

/* Makes room for `channels` scales and as many zero points. */
static bool reserve_scales(struct atoll__net *n, size_t channels) {
    const size_t had = n->n_zeros;
    if (atoll_grow((void **)&n->scales, &n->n_scales, channels, sizeof *n->scales) != 0 ||
        atoll_grow((void **)&n->zeros, &n->n_zeros, channels, sizeof *n->zeros) != 0) {
        n->code = atoll_fail_nomem(n->err, "scales of a layer", channels * sizeof *n->zeros);
        return false;
    }
    if (n->n_zeros > had) {
        memset(n->zeros + had, 0, (n->n_zeros - had) * sizeof *n->zeros);
    }
    return true;
}

static uint64_t next_seed(struct atoll__net *n) {
    return atoll_seed_mix(n->args->seed, ++n->n_fills);
}

static int32_t add_fill(struct atoll__net *n, const char *suffix, enum atoll_type type,
                        int32_t rank, const int32_t *shape, int32_t channels, int32_t dimension,
                        struct atoll_fill fill) {
    char name[64];
    snprintf(name, sizeof name, "%s_%u", suffix, (unsigned)n->n_layers);
    struct atoll_tensor t = {
        .type = type,
        .is_constant = true,
        .fill = fill,
        .quant = {.scale = n->scales,
                  .zero_point = n->zeros,
                  .n = (uint32_t)channels,
                  .dimension = dimension},
    };
    return add_tensor(n, &t, name, rank, shape);
}

int32_t atoll__net_weights(struct atoll__net *n, int32_t rank, const int32_t *shape,
                           int32_t dimension, int32_t fan_in, double gain) {
    const int32_t channels = dimension >= 0 ? shape[dimension] : 1;
    if (n->code != 0 || !reserve_scales(n, (size_t)channels)) {
        return -1;
    }
    const uint64_t seed = next_seed(n);
    const double scale = gain / sqrt((double)fan_in) / FILL_SIGMA_COUNTS;
    for (int32_t c = 0; c < channels; c++) {
        /* Channels of a trained layer differ by such factors. */
        const double unit = (double)(atoll_seed_mix(seed, (uint64_t)c) >> 11) * 0x1p-53;
        n->scales[c] = (float)(scale * (0.75 + 0.5 * unit));
    }
    const struct atoll_fill fill = {.kind = ATOLL_FILL_INT8, .seed = seed};
    return add_fill(n, "weights", ATOLL_TYPE_INT8, rank, shape, channels,
                    dimension < 0 ? 0 : dimension, fill);
}

int32_t atoll__net_bias(struct atoll__net *n, int32_t channels, bool per_channel, int32_t x) {
    const struct atoll_tensor *t = atoll__net_tensor(n, x);
    if (t == NULL) {
        return -1;
    }
    const float in_scale = t->quant.scale[0];
    const int32_t n_scales = per_channel ? channels : 1;
    for (int32_t c = 0; c < n_scales; c++) {
        n->scales[c] *= in_scale;
    }
    const struct atoll_fill fill = {
        .kind = n->args->zero_bias ? ATOLL_FILL_ZERO : ATOLL_FILL_BIAS32,
        .seed = next_seed(n),
    };
    return add_fill(n, "bias", ATOLL_TYPE_INT32, 1, &channels, n_scales, 0, fill);
}

int32_t atoll__net_op(struct atoll__net *n, const struct atoll_op *op) {
    for (uint32_t i = 0; i < op->n_inputs && n->code == 0; i++) {
        if (op->inputs[i] < -1) {
            return atoll__net_fail(n, ATOLL_EINTERNAL, "layer %u: input missing",
                                   (unsigned)n->n_layers);
        }
    }
    if (n->code != 0) {
        return -1;
    }
    const int32_t index = atoll_builder_op(n->builder, op, n->err);
    if (index < 0) {
        return atoll__net_fail(n, index, NULL);
    }
    n->n_layers++;
    return op->outputs[0];
}

int32_t atoll__net_simple(struct atoll__net *n, enum atoll_opcode code, int32_t a, int32_t b,
                          int32_t out) {
    const int32_t in[2] = {a, b};
    const struct atoll_op op = {.code = (int32_t)code,
                                .inputs = in,
                                .n_inputs = b < 0 ? 1 : 2,
                                .outputs = &out,
                                .n_outputs = 1,
                                .attr = atoll_op_attr_default()};
    return atoll__net_op(n, &op);
}
