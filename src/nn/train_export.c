/* SPDX-License-Identifier: Apache-2.0 */
/* A trained network as a .tflite model, float or int8: batch norm folded into the convolution
 * before it, relu fused where the operator has an activation, softmax at the end. */
#include "train_export.h"

#include <string.h>

struct exporter {
    struct atoll_trainer *t;
    const struct atoll_net *net;
    struct atoll_builder *b;
    struct atoll__out_quant *quant; /* by node; NULL: float */
    int32_t *tensor;                /* by node; -1: not written yet */
    uint32_t *reader;               /* by node: its last reader */
    uint32_t *n_readers;
    struct atoll_err *err;
};

/* -------------------------------------------------------------------- tensors */

static int add_tensor(struct exporter *x, const char *name, enum atoll_type type,
                      const int32_t *shape, int32_t rank, const struct atoll_quant *quant,
                      const void *data, int32_t *index)
{
    struct atoll_tensor t = {
        .name = name, .type = type, .rank = rank, .is_constant = data != NULL, .data = data};
    memcpy(t.shape, shape, (size_t)rank * sizeof *shape);
    if (quant != NULL) {
        t.quant = *quant;
    }
    const int32_t at = atoll_builder_tensor(x->b, &t, true, x->err);
    if (at < 0) {
        return at;
    }
    *index = at;
    return 0;
}

/* Only dense layers, and means that only they read, are rows [1, C]. */
static bool is_row(const struct exporter *x, uint32_t node)
{
    const struct atoll_net_node *n = &x->net->nodes[node];
    if (n->op == ATOLL_NET_DENSE) {
        return true;
    }
    if (n->op == ATOLL_NET_GLOBAL_POOL) {
        for (uint32_t i = node + 1; i < x->net->n_nodes; i++) {
            for (uint32_t k = 0; k < x->net->nodes[i].n_in; k++) {
                if (x->net->nodes[i].in[k] == node && x->net->nodes[i].op != ATOLL_NET_DENSE) {
                    return false;
                }
            }
        }
        return true;
    }
    return n->n_in > 0 && is_row(x, n->in[0]) && n->op != ATOLL_NET_CONV;
}

/* The tensor of a node's output. */
static int add_activation(struct exporter *x, uint32_t node, int32_t *index)
{
    const struct atoll_net_node *n = &x->net->nodes[node];
    const int32_t map[4] = {1, n->height, n->width, n->channels}, row[2] = {1, n->channels};
    const bool flat = is_row(x, node);
    struct atoll_quant q = {0};
    if (x->quant != NULL) {
        q = (struct atoll_quant){
            .scale = &x->quant[node].scale, .zero_point = &x->quant[node].zero_point, .n = 1};
    }
    const int rc = add_tensor(x, n->name, x->quant ? ATOLL_TYPE_INT8 : ATOLL_TYPE_FLOAT32,
                              flat ? row : map, flat ? 2 : 4, &q, NULL, index);
    if (rc == 0) {
        x->tensor[node] = *index;
    }
    return rc;
}

static int add_ints(struct exporter *x, const char *name, const int32_t *v, int32_t n, int32_t rows,
                    int32_t *index)
{
    const int32_t shape[2] = {rows ? rows : n, rows ? n / rows : 0};
    return add_tensor(x, name, ATOLL_TYPE_INT32, shape, rows ? 2 : 1, NULL, v, index);
}

static int add_op(struct exporter *x, int32_t code, const struct atoll_op_attr *attr,
                  const int32_t *in, uint32_t n_in, int32_t out)
{
    const struct atoll_op op = {.code = code,
                                .inputs = in,
                                .n_inputs = n_in,
                                .outputs = &out,
                                .n_outputs = 1,
                                .attr = *attr};
    const int32_t at = atoll_builder_op(x->b, &op, x->err);
    return at < 0 ? at : 0;
}

/* --------------------------------------------------------------------- fusion */

/* The only reader of a node when it is of this kind, else -1. */
static int32_t only_reader(const struct exporter *x, uint32_t node, enum atoll_net_op op)
{
    return x->n_readers[node] == 1 && x->net->nodes[x->reader[node]].op == op
               ? (int32_t)x->reader[node]
               : -1;
}

/* Takes a relu behind `node` into the operator; returns the node whose tensor the operator writes.
 */
static uint32_t fuse_relu(const struct exporter *x, uint32_t node, struct atoll_op_attr *attr)
{
    const int32_t relu = only_reader(x, node, ATOLL_NET_RELU);
    const int32_t relu6 = only_reader(x, node, ATOLL_NET_RELU6);
    attr->activation = relu >= 0 ? ATOLL_ACT_RELU : relu6 >= 0 ? ATOLL_ACT_RELU6 : ATOLL_ACT_NONE;
    return relu >= 0 ? (uint32_t)relu : relu6 >= 0 ? (uint32_t)relu6 : node;
}

/* ------------------------------------------------------------ weighted operators */

static int add_weights_float(struct exporter *x, const char *name, const struct atoll__folded *f,
                             const int32_t *shape, int32_t rank, int32_t in[3])
{
    struct atoll_buf b = {0};
    atoll_buf_printf(&b, "%s/bias", name);
    int rc = b.failed ? atoll_fail_nomem(x->err, "a name", b.size) : 0;
    rc = rc ? rc : add_tensor(x, b.data, ATOLL_TYPE_FLOAT32, &f->out, 1, NULL, f->bias, &in[2]);
    b.size = 0;
    atoll_buf_printf(&b, "%s/weights", name);
    rc = rc ? rc : add_tensor(x, b.data, ATOLL_TYPE_FLOAT32, shape, rank, NULL, f->weights, &in[1]);
    atoll_buf_finish(&b);
    return rc;
}

static int add_weights_int8(struct exporter *x, const char *name, const struct atoll__folded *f,
                            const int32_t *shape, int32_t rank, float in_scale, int32_t in[3])
{
    const size_t out = (size_t)f->out;
    const bool per_channel = rank == 4;
    float *scale = atoll_alloc(2 * out * sizeof *scale);
    int64_t *zero = atoll_calloc(out, sizeof *zero);
    int8_t *q = atoll_alloc(f->n);
    int32_t *bias = atoll_alloc(out * sizeof *bias);
    struct atoll_buf b = {0};
    int rc = 0;
    if (scale == NULL || zero == NULL || q == NULL || bias == NULL) {
        rc = atoll_fail_nomem(x->err, "weights", f->n);
    } else {
        atoll__quant_weights(f, per_channel, in_scale, scale, q, bias);
        for (size_t o = 0; o < out; o++) {
            scale[out + o] = scale[o] * in_scale;
        }
        const uint32_t n = per_channel ? (uint32_t)out : 1;
        const struct atoll_quant wq = {
            .scale = scale, .zero_point = zero, .n = n, .dimension = f->depthwise ? 3 : 0};
        const struct atoll_quant bq = {.scale = scale + out, .zero_point = zero, .n = n};
        atoll_buf_printf(&b, "%s/bias", name);
        rc = b.failed ? atoll_fail_nomem(x->err, "a name", b.size) : 0;
        rc = rc ? rc : add_tensor(x, b.data, ATOLL_TYPE_INT32, &f->out, 1, &bq, bias, &in[2]);
        b.size = 0;
        atoll_buf_printf(&b, "%s/weights", name);
        rc = rc ? rc : add_tensor(x, b.data, ATOLL_TYPE_INT8, shape, rank, &wq, q, &in[1]);
    }
    atoll_buf_finish(&b);
    atoll_free(scale);
    atoll_free(zero);
    atoll_free(q);
    atoll_free(bias);
    return rc;
}

/* Dense layers read rows; a map in front is flattened. */
static int flatten(struct exporter *x, uint32_t node, int32_t *tensor)
{
    const struct atoll_net_node *n = &x->net->nodes[node];
    *tensor = x->tensor[node];
    if (is_row(x, node)) {
        return 0;
    }
    const int32_t row[2] = {1, n->height * n->width * n->channels};
    struct atoll_quant q = {0};
    if (x->quant != NULL) {
        q = (struct atoll_quant){
            .scale = &x->quant[node].scale, .zero_point = &x->quant[node].zero_point, .n = 1};
    }
    const struct atoll_op_attr attr = atoll_op_attr_default();
    int32_t in[2] = {*tensor, 0}, out = 0;
    int rc = add_ints(x, "row_shape", row, 2, 0, &in[1]);
    rc = rc ? rc
            : add_tensor(x, "row", x->quant ? ATOLL_TYPE_INT8 : ATOLL_TYPE_FLOAT32, row, 2, &q,
                         NULL, &out);
    rc = rc ? rc : add_op(x, ATOLL_OP_RESHAPE, &attr, in, 2, out);
    *tensor = out;
    return rc;
}

/* conv, dense, or (node -1) a batch norm that stands alone. `source` is what it reads. */
static int export_weighted(struct exporter *x, int32_t node, int32_t norm, uint32_t source)
{
    const struct atoll_net_node *n = node >= 0 ? &x->net->nodes[node] : NULL;
    const uint32_t last = (uint32_t)(norm >= 0 ? norm : node);
    const bool dense = n != NULL && n->op == ATOLL_NET_DENSE;
    if (n == NULL && is_row(x, source)) {
        return atoll_fail(x->err, ATOLL_EUNSUPPORTED,
                          "%s: batch norm %s follows neither a conv nor a dense directly",
                          x->net->name, x->net->nodes[norm].name);
    }
    struct atoll_op_attr attr = atoll_op_attr_default();
    const uint32_t end = fuse_relu(x, last, &attr);
    struct atoll__folded f;
    int32_t in[3] = {x->tensor[source], -1, -1}, out = 0;
    int rc = dense ? flatten(x, source, &in[0]) : 0;
    rc = rc ? rc : atoll__fold(x->t, node, norm, &f, x->err);
    if (rc != 0) {
        return rc;
    }
    const int32_t kh = n ? n->kernel_h : 1, kw = n ? n->kernel_w : 1;
    const int32_t each = (int32_t)(f.n / (size_t)f.out);
    const int32_t conv[4] = {f.depthwise ? 1 : f.out, kh, kw, f.depthwise ? f.out : each / kh / kw};
    const int32_t row[2] = {f.out, each};
    const int32_t *shape = dense ? row : conv;
    const char *name = x->net->nodes[n ? node : norm].name;
    rc = x->quant ? add_weights_int8(x, name, &f, shape, dense ? 2 : 4, x->quant[source].scale, in)
                  : add_weights_float(x, name, &f, shape, dense ? 2 : 4, in);
    rc = rc ? rc : add_activation(x, end, &out);
    attr.stride_h = n ? n->stride_h : 1;
    attr.stride_w = n ? n->stride_w : 1;
    attr.padding = n ? n->padding : ATOLL_PADDING_SAME;
    const int32_t code = dense         ? ATOLL_OP_FULLY_CONNECTED
                         : f.depthwise ? ATOLL_OP_DEPTHWISE_CONV_2D
                                       : ATOLL_OP_CONV_2D;
    rc = rc ? rc : add_op(x, code, &attr, in, 3, out);
    atoll__folded_finish(&f);
    return rc;
}

/* -------------------------------------------------------------- other operators */

static int export_pool(struct exporter *x, uint32_t node)
{
    const struct atoll_net_node *n = &x->net->nodes[node];
    struct atoll_op_attr attr = atoll_op_attr_default();
    attr.filter_h = n->kernel_h;
    attr.filter_w = n->kernel_w;
    attr.stride_h = n->stride_h;
    attr.stride_w = n->stride_w;
    attr.padding = n->padding;
    int32_t out = 0;
    const int rc = add_activation(x, node, &out);
    return rc ? rc
              : add_op(x,
                       n->op == ATOLL_NET_MAX_POOL ? ATOLL_OP_MAX_POOL_2D
                                                   : ATOLL_OP_AVERAGE_POOL_2D,
                       &attr, &x->tensor[n->in[0]], 1, out);
}

static int export_mean(struct exporter *x, uint32_t node)
{
    const int32_t axes[2] = {1, 2};
    struct atoll_op_attr attr = atoll_op_attr_default();
    attr.keep_dims = !is_row(x, node);
    int32_t in[2] = {x->tensor[x->net->nodes[node].in[0]], 0}, out = 0;
    int rc = add_ints(x, "axes", axes, 2, 0, &in[1]);
    rc = rc ? rc : add_activation(x, node, &out);
    return rc ? rc : add_op(x, ATOLL_OP_MEAN, &attr, in, 2, out);
}

static int export_pad(struct exporter *x, uint32_t node)
{
    const struct atoll_net_node *n = &x->net->nodes[node];
    const int32_t pads[8] = {0, 0, n->pad[0], n->pad[1], n->pad[2], n->pad[3], 0, 0};
    const struct atoll_op_attr attr = atoll_op_attr_default();
    int32_t in[2] = {x->tensor[n->in[0]], 0}, out = 0;
    int rc = add_ints(x, "pads", pads, 8, 4, &in[1]);
    rc = rc ? rc : add_activation(x, node, &out);
    return rc ? rc : add_op(x, ATOLL_OP_PAD, &attr, in, 2, out);
}

static int export_join(struct exporter *x, uint32_t node)
{
    const struct atoll_net_node *n = &x->net->nodes[node];
    struct atoll_op_attr attr = atoll_op_attr_default();
    uint32_t end = node;
    int32_t in[64], out = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        in[k] = x->tensor[n->in[k]];
    }
    if (n->op == ATOLL_NET_ADD) {
        end = fuse_relu(x, node, &attr);
    } else {
        attr.axis = is_row(x, node) ? 1 : 3;
    }
    const int rc = add_activation(x, end, &out);
    return rc ? rc
              : add_op(x, n->op == ATOLL_NET_ADD ? ATOLL_OP_ADD : ATOLL_OP_CONCATENATION, &attr, in,
                       n->n_in, out);
}

static int export_node(struct exporter *x, uint32_t node)
{
    const struct atoll_net_node *n = &x->net->nodes[node];
    const struct atoll_op_attr attr = atoll_op_attr_default();
    int32_t out = 0;
    switch (n->op) {
    case ATOLL_NET_CONV:
    case ATOLL_NET_DENSE:
        return export_weighted(x, (int32_t)node, only_reader(x, node, ATOLL_NET_BATCH_NORM),
                               n->in[0]);
    case ATOLL_NET_BATCH_NORM:
        return export_weighted(x, -1, (int32_t)node, n->in[0]);
    case ATOLL_NET_MAX_POOL:
    case ATOLL_NET_AVG_POOL:
        return export_pool(x, node);
    case ATOLL_NET_GLOBAL_POOL:
        return export_mean(x, node);
    case ATOLL_NET_PAD:
        return export_pad(x, node);
    case ATOLL_NET_ADD:
    case ATOLL_NET_CONCAT:
        return export_join(x, node);
    default: {
        const int rc = add_activation(x, node, &out);
        return rc ? rc
                  : add_op(x, n->op == ATOLL_NET_RELU ? ATOLL_OP_RELU : ATOLL_OP_RELU6, &attr,
                           &x->tensor[n->in[0]], 1, out);
    }
    }
}

/* --------------------------------------------------------------------- whole */

static int export_softmax(struct exporter *x, int32_t *out)
{
    const int32_t row[2] = {1, (int32_t)atoll_net_classes(x->net)};
    const float scale = 1.0f / 256; /* what TFLite's int8 softmax writes */
    const int64_t zero = -128;
    const struct atoll_quant q = {.scale = &scale, .zero_point = &zero, .n = 1};
    const struct atoll_op_attr attr = atoll_op_attr_default();
    int32_t in = 0;
    int rc = flatten(x, x->net->n_nodes - 1, &in);
    rc = rc ? rc
            : add_tensor(x, "scores", x->quant ? ATOLL_TYPE_INT8 : ATOLL_TYPE_FLOAT32, row, 2,
                         x->quant ? &q : NULL, NULL, out);
    return rc ? rc : add_op(x, ATOLL_OP_SOFTMAX, &attr, &in, 1, *out);
}

static int export_all(struct exporter *x, struct atoll_model **m)
{
    int32_t in = 0, out = 0;
    for (uint32_t i = 0; i < x->net->n_nodes; i++) {
        x->tensor[i] = -1;
        for (uint32_t k = 0; k < x->net->nodes[i].n_in; k++) {
            x->reader[x->net->nodes[i].in[k]] = i;
            x->n_readers[x->net->nodes[i].in[k]]++;
        }
    }
    int rc = atoll_builder_create(x->net->name, "trained by atoll", &x->b, x->err);
    rc = rc ? rc : add_activation(x, 0, &in);
    for (uint32_t i = 1; i < x->net->n_nodes && rc == 0; i++) {
        /* A node that was taken into the operator before it has its tensor, or none at all. */
        const uint32_t source = x->net->nodes[i].in[0];
        if (x->tensor[i] < 0 && x->tensor[source] >= 0) {
            rc = export_node(x, i);
        }
    }
    rc = rc ? rc : export_softmax(x, &out);
    rc = rc ? rc : atoll_builder_finish(&x->b, &in, 1, &out, 1, m, x->err);
    atoll_builder_destroy(&x->b);
    return rc;
}

static int export_model(struct atoll_trainer *t, const struct atoll_ranges *r,
                        struct atoll_model **m, struct atoll_err *err)
{
    struct exporter x = {.t = t, .net = atoll__trainer_net(t), .err = err};
    const size_t n = x.net->n_nodes;
    x.tensor = atoll_calloc(n, sizeof *x.tensor);
    x.reader = atoll_calloc(n, sizeof *x.reader);
    x.n_readers = atoll_calloc(n, sizeof *x.n_readers);
    x.quant = r ? atoll_calloc(n, sizeof *x.quant) : NULL;
    int rc = 0;
    if (x.tensor == NULL || x.reader == NULL || x.n_readers == NULL || (r && x.quant == NULL)) {
        rc = atoll_fail_nomem(err, "tensors", n * sizeof *x.tensor);
    }
    if (rc == 0 && r != NULL) {
        rc = atoll__quant_nodes(x.net, r, x.quant, err);
    }
    rc = rc ? rc : export_all(&x, m);
    atoll_free(x.tensor);
    atoll_free(x.reader);
    atoll_free(x.n_readers);
    atoll_free(x.quant);
    return rc;
}

int atoll_trainer_export(struct atoll_trainer *t, struct atoll_model **m, struct atoll_err *err)
{
    return export_model(t, NULL, m, err);
}

int atoll_trainer_export_int8(struct atoll_trainer *t, const struct atoll_ranges *r,
                              struct atoll_model **m, struct atoll_err *err)
{
    return export_model(t, r, m, err);
}
