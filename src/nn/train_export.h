/* SPDX-License-Identifier: Apache-2.0 */
/* Private to train_export.c (operators) and train_quant.c (numbers). */
#ifndef ATOLL_TRAIN_EXPORT_H
#define ATOLL_TRAIN_EXPORT_H

#include "train_internal.h"

/* How a node's tensor is written; scale 0: float. */
struct atoll__out_quant {
    float scale;
    int64_t zero_point;
};
/* Scale and zero point of every node from its range; nodes that TFLite's kernels want on one scale
 * (pools, pad, concat, with their sources) get the union of their ranges. out[n_nodes]. */
int atoll__quant_nodes(const struct atoll_net *net, const struct atoll_ranges *r,
                       struct atoll__out_quant *out, struct atoll_err *err);

/* Weights of one operator, batch norm folded, in TFLite's order. Owned; atoll__folded_finish. */
struct atoll__folded {
    float *weights; /* [out, kh, kw, in] or depthwise [kh, kw, out] */
    float *bias;    /* out */
    size_t n;       /* weights */
    int32_t out;
    bool depthwise;
};
/* `norm`: a batch norm node behind `node`, -1: none. `node` -1: the norm alone, as a depthwise 1x1
 * convolution. */
int atoll__fold(struct atoll_trainer *t, int32_t node, int32_t norm, struct atoll__folded *f,
                struct atoll_err *err);
void atoll__folded_finish(struct atoll__folded *f);
/* Symmetric int8 weights: scale[out] (all equal when !per_channel), q[n]; bias[out] in int32 at
 * in_scale * scale. */
void atoll__quant_weights(const struct atoll__folded *f, bool per_channel, float in_scale,
                          float *scale, int8_t *q, int32_t *bias);

#endif
