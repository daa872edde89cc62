/* SPDX-License-Identifier: Apache-2.0 */
/* The structure of a classifier as a network to train: what a zoo model computes, with a batch norm
 * behind each convolution and fresh weights. */
#include "train_internal.h"

#include <string.h>

struct reading {
    const struct atoll_model *m;
    struct atoll_net *net;
    uint32_t *node_of; /* node + 1 by tensor; 0: none */
    struct atoll_err *err;
};

static int refuse(const struct reading *r, uint32_t op, const char *why)
{
    char name[64];
    return atoll_fail(r->err, ATOLL_EUNSUPPORTED, "%s: operator %u (%s) cannot be trained: %s",
                      r->m->path, op, atoll_op_name(&r->m->ops[op], name), why);
}

static int add_node(struct reading *r, const struct atoll_net_node *n, uint32_t *at)
{
    const int rc = atoll_net_add(r->net, n, at, r->err);
    return rc ? atoll_fail_at(r->err, "%s", r->m->path) : 0;
}

static int add_after(struct reading *r, enum atoll_net_op op, uint32_t *at)
{
    const uint32_t in = *at;
    const struct atoll_net_node n = {.op = op, .in = &in, .n_in = 1};
    return add_node(r, &n, at);
}

static int add_activation(struct reading *r, uint32_t op, uint32_t *at)
{
    switch (r->m->ops[op].attr.activation) {
    case ATOLL_ACT_NONE:
        return 0;
    case ATOLL_ACT_RELU:
        return add_after(r, ATOLL_NET_RELU, at);
    case ATOLL_ACT_RELU6:
        return add_after(r, ATOLL_NET_RELU6, at);
    default:
        return refuse(r, op, "its activation is neither RELU nor RELU6");
    }
}

static int read_conv(struct reading *r, uint32_t op, const uint32_t *in, uint32_t *at)
{
    const struct atoll_op *o = &r->m->ops[op];
    const struct atoll_tensor *w = &r->m->tensors[o->inputs[1]];
    if (w->rank != 4 || o->attr.dilation_h > 1 || o->attr.dilation_w > 1) {
        return refuse(r, op, "dilated");
    }
    const bool deep = o->code == ATOLL_OP_DEPTHWISE_CONV_2D;
    const int32_t source = r->net->nodes[in[0]].channels;
    if (!deep && (w->shape[3] < 1 || source % w->shape[3] != 0)) {
        return refuse(r, op, "weights do not fit the source");
    }
    const struct atoll_net_node n = {.op = ATOLL_NET_CONV,
                                     .in = in,
                                     .n_in = 1,
                                     .channels = deep ? w->shape[3] : w->shape[0],
                                     .kernel_h = w->shape[1],
                                     .kernel_w = w->shape[2],
                                     .stride_h = o->attr.stride_h,
                                     .stride_w = o->attr.stride_w,
                                     .groups = deep ? source : source / w->shape[3],
                                     .padding = o->attr.padding};
    int rc = add_node(r, &n, at);
    rc = rc ? rc : add_after(r, ATOLL_NET_BATCH_NORM, at);
    return rc ? rc : add_activation(r, op, at);
}

static int read_dense(struct reading *r, uint32_t op, const uint32_t *in, uint32_t *at)
{
    const struct atoll_tensor *w = &r->m->tensors[r->m->ops[op].inputs[1]];
    const struct atoll_net_node n = {
        .op = ATOLL_NET_DENSE, .in = in, .n_in = 1, .channels = w->shape[0], .bias = true};
    const int rc = add_node(r, &n, at);
    return rc ? rc : add_activation(r, op, at);
}

static int read_pool(struct reading *r, uint32_t op, const uint32_t *in, uint32_t *at)
{
    const struct atoll_op *o = &r->m->ops[op];
    const struct atoll_net_node n = {.op = o->code == ATOLL_OP_MAX_POOL_2D ? ATOLL_NET_MAX_POOL
                                                                           : ATOLL_NET_AVG_POOL,
                                     .in = in,
                                     .n_in = 1,
                                     .kernel_h = o->attr.filter_h,
                                     .kernel_w = o->attr.filter_w,
                                     .stride_h = o->attr.stride_h,
                                     .stride_w = o->attr.stride_w,
                                     .padding = o->attr.padding};
    const int rc = add_node(r, &n, at);
    return rc ? rc : add_activation(r, op, at);
}

/* MEAN over height and width of [1, H, W, C]. */
static int read_mean(struct reading *r, uint32_t op, uint32_t *at)
{
    const struct atoll_op *o = &r->m->ops[op];
    const struct atoll_tensor *axes = &r->m->tensors[o->inputs[1]];
    int32_t v[2] = {0};
    if (!axes->is_constant || axes->data_bytes != sizeof v) {
        return refuse(r, op, "not over height and width");
    }
    const int rc = atoll_tensor_bytes(axes, v, r->err);
    if (rc == 0 && !((v[0] == 1 && v[1] == 2) || (v[0] == 2 && v[1] == 1))) {
        return refuse(r, op, "not over height and width");
    }
    return rc ? rc : add_after(r, ATOLL_NET_GLOBAL_POOL, at);
}

static int read_pad(struct reading *r, uint32_t op, const uint32_t *in, uint32_t *at)
{
    const struct atoll_tensor *pads = &r->m->tensors[r->m->ops[op].inputs[1]];
    int32_t v[8] = {0};
    if (!pads->is_constant || pads->data_bytes != sizeof v) {
        return refuse(r, op, "pads are not constant");
    }
    const int rc = atoll_tensor_bytes(pads, v, r->err);
    if (rc == 0 && (v[0] || v[1] || v[6] || v[7])) {
        return refuse(r, op, "pads batch or channels");
    }
    const struct atoll_net_node n = {
        .op = ATOLL_NET_PAD, .in = in, .n_in = 1, .pad = {v[2], v[3], v[4], v[5]}};
    return rc ? rc : add_node(r, &n, at);
}

static int read_join(struct reading *r, uint32_t op, const uint32_t *in, uint32_t n_in,
                     uint32_t *at)
{
    const struct atoll_op *o = &r->m->ops[op];
    if (o->code == ATOLL_OP_CONCATENATION && o->attr.axis != 3 && o->attr.axis != -1) {
        return refuse(r, op, "not along the channels");
    }
    const struct atoll_net_node n = {
        .op = o->code == ATOLL_OP_ADD ? ATOLL_NET_ADD : ATOLL_NET_CONCAT, .in = in, .n_in = n_in};
    const int rc = add_node(r, &n, at);
    return rc ? rc : add_activation(r, op, at);
}

static int read_op(struct reading *r, uint32_t op, const uint32_t *in, uint32_t n_in, uint32_t *at)
{
    *at = in[0];
    switch (r->m->ops[op].code) {
    case ATOLL_OP_CONV_2D:
    case ATOLL_OP_DEPTHWISE_CONV_2D:
        return read_conv(r, op, in, at);
    case ATOLL_OP_FULLY_CONNECTED:
        return read_dense(r, op, in, at);
    case ATOLL_OP_MAX_POOL_2D:
    case ATOLL_OP_AVERAGE_POOL_2D:
        return read_pool(r, op, in, at);
    case ATOLL_OP_MEAN:
        return read_mean(r, op, at);
    case ATOLL_OP_PAD:
        return read_pad(r, op, in, at);
    case ATOLL_OP_ADD:
    case ATOLL_OP_CONCATENATION:
        return read_join(r, op, in, n_in, at);
    case ATOLL_OP_RELU:
        return add_after(r, ATOLL_NET_RELU, at);
    case ATOLL_OP_RELU6:
        return add_after(r, ATOLL_NET_RELU6, at);
    case ATOLL_OP_SOFTMAX: /* in the loss */
    case ATOLL_OP_RESHAPE: /* flattening: dense reads a whole map anyway */
    case ATOLL_OP_SQUEEZE:
        return 0;
    default:
        return refuse(r, op, "training knows no gradient of it");
    }
}

static int read_ops(struct reading *r)
{
    for (uint32_t op = 0; op < r->m->n_ops; op++) {
        const struct atoll_op *o = &r->m->ops[op];
        uint32_t in[64], n_in = 0, at = 0;
        for (uint32_t k = 0; k < o->n_inputs; k++) {
            const int32_t tensor = o->inputs[k];
            if (tensor < 0 || r->node_of[tensor] == 0) {
                continue;
            }
            if (n_in == 64) {
                return refuse(r, op, "more than 64 sources");
            }
            in[n_in++] = r->node_of[tensor] - 1;
        }
        if (n_in == 0) {
            return refuse(r, op, "it reads no activation");
        }
        const int rc = read_op(r, op, in, n_in, &at);
        if (rc != 0) {
            return rc;
        }
        r->node_of[o->outputs[0]] = at + 1;
    }
    return 0;
}

int atoll_net_from_model(const struct atoll_model *m, struct atoll_net **net, struct atoll_err *err)
{
    struct reading r = {.m = m, .err = err};
    if (m->n_inputs != 1 || m->n_outputs != 1 || m->tensors[m->inputs[0]].rank != 4) {
        return atoll_fail(
            err, ATOLL_EUNSUPPORTED,
            "%s: %u inputs and %u outputs (one image in, one row of scores out expected)", m->path,
            m->n_inputs, m->n_outputs);
    }
    const int32_t *s = m->tensors[m->inputs[0]].shape;
    int rc = atoll_net_create(m->path, s[1], s[2], s[3], &r.net, err);
    if (rc != 0) {
        return rc;
    }
    r.node_of = atoll_calloc(m->n_tensors, sizeof *r.node_of);
    rc = r.node_of ? 0 : atoll_fail_nomem(err, "nodes", m->n_tensors * sizeof *r.node_of);
    if (rc == 0) {
        r.node_of[m->inputs[0]] = 1;
        rc = read_ops(&r);
    }
    rc = rc ? rc : atoll__net_check(r.net, err);
    atoll_free(r.node_of);
    if (rc != 0) {
        atoll_net_close(&r.net);
        return rc;
    }
    *net = r.net;
    return 0;
}
