/* SPDX-License-Identifier: Apache-2.0 */
/* Synthetic chains of published sweeps: Jorgitou98/EdgeTPU-QuantRL-Evaluation (2023; the defaults:
 * 5 convolutions 3x3 on 64x64x3, and 64 inputs with 4 hidden layers and 10 outputs), and
 * iwatake2222/EdgeTPU_Analysis (2019; conv_chain?kernel=7&size=128&layers=n&classes=1 and
 * dense_chain?inputs=12&units=100&layers=n&classes=1). */
#include "zoo_internal.h"

/* A requantization in front, as the converter leaves it for these files; it has no parameters. */
static int32_t quantize(struct atoll__net *n, int32_t x) {
    return atoll__net_unary(n, ATOLL_OP_QUANTIZE, x, ATOLL__RANGE_LINEAR);
}

void atoll__zoo_conv_chain(struct atoll__net *n, int variant) {
    (void)variant;
    const struct atoll__zoo_args *a = n->args;
    int32_t x = quantize(n, atoll__net_image(n, a->inputs));
    for (int32_t i = 0; i < a->layers; i++) {
        x = atoll__net_text(n, x, "%d:%dx%d", a->filters, a->kernel, a->kernel);
    }
    if (a->classes > 0) { /* 2019 sweep: a 1x1 convolution keeps the output small */
        x = atoll__net_text(n, x, "%d:1x1-", a->classes);
    }
    atoll__net_output(n, x);
}

void atoll__zoo_dense_chain(struct atoll__net *n, int variant) {
    (void)variant;
    const struct atoll__zoo_args *a = n->args;
    int32_t x = atoll__net_vector(n, a->inputs);
    for (int32_t i = 0; i < a->layers; i++) {
        x = atoll__net_dense(n, x, a->units, ATOLL_ACT_NONE);
        x = atoll__net_unary(n, ATOLL_OP_TANH, x, ATOLL__RANGE_TANH);
    }
    atoll__net_output(n, atoll__net_dense(n, x, a->classes, ATOLL_ACT_NONE));
}
