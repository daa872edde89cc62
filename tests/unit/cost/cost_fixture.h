/* SPDX-License-Identifier: Apache-2.0 */
/* Small int8 networks for the tests of room `cost`, built in memory. */
#ifndef ATOLL_TEST_COST_FIXTURE_H
#define ATOLL_TEST_COST_FIXTURE_H

#include <atoll/cost.h>

/** A network being written down; tensors are named by the index that each call returns. */
struct net {
    struct atoll_builder *b;
    struct atoll_err err;
};
void net_begin(struct net *n);
int32_t net_input(struct net *n, int32_t h, int32_t w, int32_t c);
int32_t net_vector(struct net *n, int32_t c);
/** zero_bias: bias of zeros, as in the synthetic sweeps. */
int32_t net_conv(struct net *n, int32_t x, int32_t kernel, int32_t stride, int32_t cout,
                 bool zero_bias);
int32_t net_depthwise(struct net *n, int32_t x, int32_t kernel, int32_t stride);
int32_t net_dense(struct net *n, int32_t x, int32_t outputs, bool zero_bias);
int32_t net_add(struct net *n, int32_t x, int32_t y);
int32_t net_concat(struct net *n, const int32_t *x, uint32_t count);
int32_t net_pool(struct net *n, int32_t x, int32_t kernel, int32_t stride);
int32_t net_mean(struct net *n, int32_t x);
int32_t net_pad(struct net *n, int32_t x, int32_t by);
int32_t net_softmax(struct net *n, int32_t x);
int32_t net_custom(struct net *n, int32_t x); ///< an operator that the Edge TPU has not
/** Hands the model over; fails the test on an error. */
struct atoll_model *net_end(struct net *n, int32_t input, const int32_t *outputs,
                            uint32_t n_outputs);

/** A random network with branches, skips, pools and dense layers from a seed. */
struct atoll_model *net_random(struct atoll_rng *r);
/** `layers` convolutions of `filters` on a size x size x 3 image (conv_chain of the zoo). */
struct atoll_model *net_conv_chain(uint32_t layers, int32_t filters, int32_t size);
/** inputs -> layers x units -> outputs, dense. */
struct atoll_model *net_dense_chain(uint32_t layers, int32_t inputs, int32_t units,
                                    int32_t outputs);

/** 0, 1, 2, ... n-1; owned, atoll_free. */
uint32_t *all_ops(const struct atoll_model *m);
/** Opens a profile of the source tree. */
struct atoll_board *open_board(const char *name);

#endif
