/* SPDX-License-Identifier: Apache-2.0 */
/* Which oneDNN 2.6 primitives an operation becomes, forward and backward. Layouts are the
 * library's choice; where a kernel wants another one than the tensor has, a reorder stands before
 * it. No kernel runs on nhwc: its 1x1 stride-2 weight gradient writes past the buffer with fewer
 * than 8 channels. */
#include "train_dnnl.h"

#include <string.h>

#define BN_EPSILON 1e-5f

static const struct atoll_net_node *source_of(const struct atoll_trainer *t, uint32_t i, uint32_t k)
{
    return &t->net->nodes[t->net->nodes[i].in[k]];
}
static struct node_state *source_state(const struct atoll_trainer *t, uint32_t i, uint32_t k)
{
    return &t->nodes[t->net->nodes[i].in[k]];
}

static int init_md(dnnl_memory_desc_t *md, int n, const dnnl_dim_t *sizes, dnnl_format_tag_t tag,
                   struct atoll_err *err)
{
    dnnl_dims_t dims = {0};
    memcpy(dims, sizes, (size_t)n * sizeof dims[0]);
    DNNL_DO(dnnl_memory_desc_init_by_tag(md, n, dims, dnnl_f32, tag), "layout");
    return 0;
}

static int node_md(const struct atoll_trainer *t, const struct atoll_net_node *n,
                   dnnl_format_tag_t tag, dnnl_memory_desc_t *md, struct atoll_err *err)
{
    const dnnl_dim_t dims[4] = {t->batch, n->channels, n->height, n->width};
    return init_md(md, 4, dims, tag, err);
}

/* `s` in the layout `want`: itself, or a copy made by a reorder in the list. */
static int in_layout(struct atoll_trainer *t, struct step_list *list, const struct slab *s,
                     const dnnl_memory_desc_t *want, struct slab *out, struct atoll_err *err)
{
    if (dnnl_memory_desc_equal(&s->md, want)) {
        *out = *s;
        return 0;
    }
    TRY(atoll__dnnl_slab(t, want, out, err));
    return atoll__dnnl_reorder(t, list, s, out, err);
}

static const dnnl_memory_desc_t *asked(dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    return dnnl_primitive_desc_query_md(pd, what, 0);
}

/* Forward calls that are the same in training and evaluation. The reorder in front of a kernel is
 * made once and listed twice. */
static int append_both(struct atoll_trainer *t, size_t from, struct atoll_err *err)
{
    for (size_t i = from; i < t->train.n; i++) {
        if (atoll_grow((void **)&t->evaluate.steps, &t->evaluate.cap, t->evaluate.n + 1,
                       sizeof *t->evaluate.steps) != 0) {
            return atoll_fail_nomem(err, "a list of kernels", t->evaluate.n);
        }
        t->evaluate.steps[t->evaluate.n++] = t->train.steps[i];
    }
    return 0;
}

/* --------------------------------------------------------- gradient hand-over */

/* Where node i writes the gradient of its source: the source's own buffer for its first reader
 * (seen from the end), else a spare that add_target adds to it. */
struct target {
    struct node_state *source;
    struct slab out;
    bool spare;
};

static int open_target(struct atoll_trainer *t, struct node_state *source, struct target *g,
                       struct atoll_err *err)
{
    g->source = source;
    g->spare = source->has_diff;
    if (!source->has_diff) {
        source->has_diff = true;
        TRY(atoll__dnnl_slab(t, &source->dst.md, &source->diff, err));
        g->out = source->diff;
        return 0;
    }
    return atoll__dnnl_slab_in(t, &source->dst.md, t->spare, &g->out, err);
}

static int close_target(struct atoll_trainer *t, const struct target *g, struct atoll_err *err)
{
    if (!g->spare) {
        return 0;
    }
    const struct slab *d = &g->source->diff;
    dnnl_binary_desc_t op;
    dnnl_primitive_desc_t pd = NULL;
    DNNL_DO(dnnl_binary_desc_init(&op, dnnl_binary_add, &d->md, &d->md, &d->md), "add");
    TRY(atoll__dnnl_desc(t, &op, NULL, "add of gradients", &pd, err));
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC_0, d->mem}, {DNNL_ARG_SRC_1, g->out.mem}, {DNNL_ARG_DST, d->mem}};
    return atoll__dnnl_step(t, &t->backward, pd, args, 3, err);
}

/* ---------------------------------------------------------------- convolution */

struct window {
    dnnl_dims_t strides, dilates, kernel, left, right;
};
static void window_of(const struct atoll_net_node *n, const struct atoll_net_node *in,
                      struct window *w)
{
    *w = (struct window){0};
    const int32_t size[2] = {in->height, in->width}, out[2] = {n->height, n->width};
    const int32_t kernel[2] = {n->kernel_h, n->kernel_w}, stride[2] = {n->stride_h, n->stride_w};
    for (int i = 0; i < 2; i++) {
        const int32_t left =
            atoll__net_pad_before(size[i], out[i], kernel[i], stride[i], n->padding);
        w->strides[i] = stride[i];
        w->kernel[i] = kernel[i];
        w->left[i] = left;
        w->right[i] = (out[i] - 1) * stride[i] + kernel[i] - size[i] - left;
    }
}

/* The only reader of node i; 0 when there are more or none. */
static uint32_t only_reader(const struct atoll_trainer *t, uint32_t i)
{
    if (t->nodes[i].readers != 1) {
        return 0;
    }
    for (uint32_t j = i + 1; j < t->net->n_nodes; j++) {
        for (uint32_t k = 0; k < t->net->nodes[j].n_in; k++) {
            if (t->net->nodes[j].in[k] == i) {
                return j;
            }
        }
    }
    return 0;
}

/* Does the convolution behind pad i, its only reader, pad by itself? Then nothing is copied. */
static bool padded_by_conv(const struct atoll_trainer *t, uint32_t i)
{
    const struct atoll_net_node *pad = &t->net->nodes[i];
    const struct atoll_net_node *conv = &t->net->nodes[only_reader(t, i)];
    return pad->op == ATOLL_NET_PAD && conv->op == ATOLL_NET_CONV &&
           conv->padding == ATOLL_PADDING_VALID && pad->pad[0] < conv->kernel_h &&
           pad->pad[1] < conv->kernel_h && pad->pad[2] < conv->kernel_w &&
           pad->pad[3] < conv->kernel_w;
}

/* The node whose tensor a convolution (or dense layer) reads, and its window over that. */
static uint32_t conv_source(const struct atoll_trainer *t, uint32_t i, struct window *w)
{
    const uint32_t in = t->net->nodes[i].in[0];
    const struct atoll_net_node *pad = &t->net->nodes[in];
    const bool own = padded_by_conv(t, in);
    const uint32_t source = own ? pad->in[0] : in;
    window_of(&t->net->nodes[i], &t->net->nodes[source], w);
    for (int k = 0; k < 2 && own; k++) {
        w->left[k] += pad->pad[2 * k];
        w->right[k] -= pad->pad[2 * k];
    }
    return source;
}

static int weight_md(const struct atoll_net_node *n, const struct atoll_net_node *in, bool plain,
                     dnnl_memory_desc_t *md, struct atoll_err *err)
{
    const dnnl_dim_t g = n->groups, o = n->channels / n->groups, c = in->channels / n->groups;
    if (n->groups > 1) {
        const dnnl_dim_t dims[5] = {g, o, c, n->kernel_h, n->kernel_w};
        return init_md(md, 5, dims, plain ? dnnl_goihw : dnnl_format_tag_any, err);
    }
    const dnnl_dim_t dims[4] = {o, c, n->kernel_h, n->kernel_w};
    return init_md(md, 4, dims, plain ? dnnl_oihw : dnnl_format_tag_any, err);
}

static int vector_md(int32_t n, dnnl_memory_desc_t *md, struct atoll_err *err)
{
    const dnnl_dim_t dims[1] = {n};
    return init_md(md, 1, dims, dnnl_a, err);
}

static int conv_forward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    struct window w;
    const uint32_t source = conv_source(t, i, &w);
    const struct atoll_net_node *n = &t->net->nodes[i], *in = &t->net->nodes[source];
    struct node_state *s = &t->nodes[i];
    dnnl_memory_desc_t src, dst, weights, plain, bias;
    TRY(node_md(t, in, dnnl_format_tag_any, &src, err));
    TRY(node_md(t, n, dnnl_format_tag_any, &dst, err));
    TRY(weight_md(n, in, false, &weights, err));
    TRY(weight_md(n, in, true, &plain, err));
    TRY(vector_md(n->channels, &bias, err));
    dnnl_convolution_desc_t op;
    DNNL_DO(dnnl_dilated_convolution_forward_desc_init(
                &op, dnnl_forward_training, dnnl_convolution_direct, &src, &weights,
                n->bias ? &bias : NULL, &dst, w.strides, w.dilates, w.left, w.right),
            "convolution");
    TRY(atoll__dnnl_desc(t, &op, NULL, "convolution", &s->forward, err));
    const size_t from = t->train.n;
    TRY(in_layout(t, &t->train, &t->nodes[source].dst, asked(s->forward, dnnl_query_src_md),
                  &s->source, err));
    TRY(atoll__dnnl_slab(t, asked(s->forward, dnnl_query_dst_md), &s->dst, err));
    TRY(atoll__dnnl_param(t, i, ATOLL_PARAM_WEIGHT, &plain,
                          asked(s->forward, dnnl_query_weights_md), &s->weight, err));
    if (n->bias) {
        TRY(atoll__dnnl_param(t, i, ATOLL_PARAM_BIAS, &bias, &bias, &s->bias, err));
    }
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, s->source.mem},
                                    {DNNL_ARG_WEIGHTS, t->params[s->weight].value.mem},
                                    {DNNL_ARG_DST, s->dst.mem},
                                    {DNNL_ARG_BIAS, n->bias ? t->params[s->bias].value.mem : NULL}};
    TRY(atoll__dnnl_step(t, &t->train, s->forward, args, n->bias ? 4 : 3, err));
    return append_both(t, from, err);
}

/* ---------------------------------------- weight gradient of large depthwise windows */

/* A tensor whose channels stand in blocks of 8 or 16, and nothing else is blocked. */
static bool in_blocks(const struct slab *s, struct blocked *b, int32_t *block)
{
    const dnnl_blocking_desc_t *f = &s->md.format_desc.blocking;
    if (s->md.format_kind != dnnl_blocked || f->inner_nblks != 1 || f->inner_idxs[0] != 1 ||
        f->inner_blks[0] % DEPTHWISE_LANES != 0 || s->md.offset0 != 0) {
        return false;
    }
    *b = (struct blocked){s->data, f->strides[0], f->strides[1], f->strides[2], f->strides[3]};
    *block = (int32_t)f->inner_blks[0];
    return true;
}

/* Has the library no code of its own for this, and do we? */
static bool wants_own(const struct atoll_trainer *t, uint32_t i, dnnl_primitive_desc_t pd,
                      struct depthwise *d)
{
    const struct atoll_net_node *n = &t->net->nodes[i], *in = source_of(t, i, 0);
    const struct node_state *s = &t->nodes[i];
    const char *info = "";
    int32_t block = 0;
    if (n->groups == 1 || n->groups != n->channels || n->groups != in->channels ||
        n->kernel_w > DEPTHWISE_KERNEL_MAX ||
        dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &info) != dnnl_success ||
        (strstr(info, "gemm") == NULL && strstr(info, "ref") == NULL)) {
        return false;
    }
    return in_blocks(&s->source, &d->src, &d->block) && in_blocks(&s->diff, &d->diff, &block) &&
           block == d->block;
}

static int own_backward_weights(struct atoll_trainer *t, uint32_t i, uint32_t source,
                                const struct window *w, const struct depthwise *tensors,
                                struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i], *in = &t->net->nodes[source];
    struct node_state *s = &t->nodes[i];
    struct param *p = &t->params[s->weight];
    struct depthwise *d = NULL;
    struct slab plain;
    TRY(atoll__dnnl_slab(t, &p->plain, &plain, err));
    TRY(atoll__dnnl_own_step(t, &t->backward, &d, err));
    *d = (struct depthwise){.src = tensors->src,
                            .diff = tensors->diff,
                            .block = tensors->block,
                            .batch = (int32_t)t->batch,
                            .channels = n->channels,
                            .height = in->height,
                            .width = in->width,
                            .out_height = n->height,
                            .out_width = n->width,
                            .kernel_h = n->kernel_h,
                            .kernel_w = n->kernel_w,
                            .stride_h = n->stride_h,
                            .stride_w = n->stride_w,
                            .pad_top = (int32_t)w->left[0],
                            .pad_left = (int32_t)w->left[1],
                            .weights = plain.data,
                            .bias = n->bias ? t->params[s->bias].grad.data : NULL};
    return atoll__dnnl_reorder(t, &t->backward, &plain, &p->grad, err);
}

static int conv_backward_weights(struct atoll_trainer *t, uint32_t i, uint32_t source,
                                 const struct window *w, struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i], *in = &t->net->nodes[source];
    struct node_state *s = &t->nodes[i];
    struct param *p = &t->params[s->weight];
    dnnl_memory_desc_t src, dst, weights, bias;
    TRY(node_md(t, in, dnnl_format_tag_any, &src, err));
    TRY(node_md(t, n, dnnl_format_tag_any, &dst, err));
    TRY(weight_md(n, in, false, &weights, err));
    TRY(vector_md(n->channels, &bias, err));
    dnnl_convolution_desc_t op;
    dnnl_primitive_desc_t pd = NULL;
    DNNL_DO(dnnl_dilated_convolution_backward_weights_desc_init(
                &op, dnnl_convolution_direct, &src, &weights, n->bias ? &bias : NULL, &dst,
                w->strides, w->dilates, w->left, w->right),
            "weight gradient");
    TRY(atoll__dnnl_desc(t, &op, s->forward, "weight gradient", &pd, err));
    struct depthwise own;
    if (wants_own(t, i, pd, &own)) {
        return own_backward_weights(t, i, source, w, &own, err);
    }
    struct slab from, diff, out = p->grad;
    TRY(in_layout(t, &t->backward, &s->source, asked(pd, dnnl_query_src_md), &from, err));
    TRY(in_layout(t, &t->backward, &s->diff, asked(pd, dnnl_query_diff_dst_md), &diff, err));
    const dnnl_memory_desc_t *made = asked(pd, dnnl_query_diff_weights_md);
    const bool same = dnnl_memory_desc_equal(made, &p->grad.md);
    if (!same) {
        TRY(atoll__dnnl_slab(t, made, &out, err));
    }
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, from.mem},
        {DNNL_ARG_DIFF_DST, diff.mem},
        {DNNL_ARG_DIFF_WEIGHTS, out.mem},
        {DNNL_ARG_DIFF_BIAS, n->bias ? t->params[s->bias].grad.mem : NULL}};
    TRY(atoll__dnnl_step(t, &t->backward, pd, args, n->bias ? 4 : 3, err));
    return same ? 0 : atoll__dnnl_reorder(t, &t->backward, &out, &p->grad, err);
}

static int conv_backward_data(struct atoll_trainer *t, uint32_t i, uint32_t source,
                              const struct window *w, struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i], *in = &t->net->nodes[source];
    struct node_state *s = &t->nodes[i];
    dnnl_memory_desc_t src, dst, weights;
    TRY(node_md(t, in, dnnl_format_tag_any, &src, err));
    TRY(node_md(t, n, dnnl_format_tag_any, &dst, err));
    TRY(weight_md(n, in, false, &weights, err));
    dnnl_convolution_desc_t op;
    dnnl_primitive_desc_t pd = NULL;
    DNNL_DO(dnnl_dilated_convolution_backward_data_desc_init(&op, dnnl_convolution_direct, &src,
                                                             &weights, &dst, w->strides, w->dilates,
                                                             w->left, w->right),
            "data gradient");
    TRY(atoll__dnnl_desc(t, &op, s->forward, "data gradient", &pd, err));
    struct slab weight, diff;
    TRY(in_layout(t, &t->backward, &t->params[s->weight].value, asked(pd, dnnl_query_weights_md),
                  &weight, err));
    TRY(in_layout(t, &t->backward, &s->diff, asked(pd, dnnl_query_diff_dst_md), &diff, err));
    struct target g;
    TRY(open_target(t, &t->nodes[source], &g, err));
    struct slab out = g.out;
    const dnnl_memory_desc_t *made = asked(pd, dnnl_query_diff_src_md);
    const bool same = dnnl_memory_desc_equal(made, &g.out.md);
    if (!same) {
        TRY(atoll__dnnl_slab(t, made, &out, err));
    }
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_DIFF_DST, diff.mem},
                                    {DNNL_ARG_WEIGHTS, weight.mem},
                                    {DNNL_ARG_DIFF_SRC, out.mem}};
    TRY(atoll__dnnl_step(t, &t->backward, pd, args, 3, err));
    if (!same) {
        TRY(atoll__dnnl_reorder(t, &t->backward, &out, &g.out, err));
    }
    return close_target(t, &g, err);
}

static int conv_backward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    struct window w;
    const uint32_t source = conv_source(t, i, &w);
    TRY(conv_backward_weights(t, i, source, &w, err));
    return source == 0 ? 0 : conv_backward_data(t, i, source, &w, err);
}

/* ----------------------------------------------------------------- batch norm */

/* A relu behind a batch norm, its only reader, is part of the norm's kernels. */
static bool norm_with_relu(const struct atoll_trainer *t, uint32_t i)
{
    return t->net->nodes[i].op == ATOLL_NET_BATCH_NORM &&
           t->net->nodes[only_reader(t, i)].op == ATOLL_NET_RELU;
}

static unsigned norm_flags(const struct atoll_trainer *t, uint32_t i)
{
    const unsigned relu = norm_with_relu(t, i) ? dnnl_fuse_norm_relu : 0u;
    return dnnl_use_scale | dnnl_use_shift | relu;
}

static int norm_forward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i];
    struct node_state *s = &t->nodes[i];
    const struct slab *src = &source_state(t, i, 0)->dst;
    const unsigned flags = norm_flags(t, i);
    dnnl_memory_desc_t vector;
    TRY(vector_md(n->channels, &vector, err));
    TRY(atoll__dnnl_slab(t, &src->md, &s->dst, err));
    TRY(atoll__dnnl_slab(t, &vector, &s->mean, err));
    TRY(atoll__dnnl_slab(t, &vector, &s->variance, err));
    TRY(atoll__dnnl_param(t, i, ATOLL_PARAM_SCALE, &vector, &vector, &s->scale, err));
    TRY(atoll__dnnl_param(t, i, ATOLL_PARAM_SHIFT, &vector, &vector, &s->shift, err));
    TRY(atoll__dnnl_param(t, i, ATOLL_PARAM_MEAN, &vector, &vector, &s->run_mean, err));
    TRY(atoll__dnnl_param(t, i, ATOLL_PARAM_VARIANCE, &vector, &vector, &s->run_variance, err));
    dnnl_batch_normalization_desc_t op;
    dnnl_primitive_desc_t pd = NULL;
    DNNL_DO(dnnl_batch_normalization_forward_desc_init(&op, dnnl_forward_training, &src->md,
                                                       BN_EPSILON, flags),
            "batch norm");
    TRY(atoll__dnnl_desc(t, &op, NULL, "batch norm", &s->forward, err));
    DNNL_DO(dnnl_batch_normalization_forward_desc_init(&op, dnnl_forward_inference, &src->md,
                                                       BN_EPSILON, flags | dnnl_use_global_stats),
            "batch norm");
    TRY(atoll__dnnl_desc(t, &op, NULL, "batch norm", &pd, err));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, src->mem},
                              {DNNL_ARG_SCALE, t->params[s->scale].value.mem},
                              {DNNL_ARG_SHIFT, t->params[s->shift].value.mem},
                              {DNNL_ARG_DST, s->dst.mem},
                              {DNNL_ARG_MEAN, s->mean.mem},
                              {DNNL_ARG_VARIANCE, s->variance.mem},
                              {DNNL_ARG_WORKSPACE, NULL}};
    const bool relu = norm_with_relu(t, i);
    if (relu) {
        TRY(atoll__dnnl_slab(t, asked(s->forward, dnnl_query_workspace_md), &s->workspace, err));
        args[6].memory = s->workspace.mem;
    }
    TRY(atoll__dnnl_step(t, &t->train, s->forward, args, relu ? 7 : 6, err));
    args[4].memory = t->params[s->run_mean].value.mem;
    args[5].memory = t->params[s->run_variance].value.mem;
    return atoll__dnnl_step(t, &t->evaluate, pd, args, 6, err);
}

static int norm_backward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    struct node_state *s = &t->nodes[i];
    struct node_state *from = source_state(t, i, 0);
    dnnl_batch_normalization_desc_t op;
    dnnl_primitive_desc_t pd = NULL;
    DNNL_DO(dnnl_batch_normalization_backward_desc_init(
                &op, dnnl_backward, &from->dst.md, &from->dst.md, BN_EPSILON, norm_flags(t, i)),
            "batch norm gradient");
    TRY(atoll__dnnl_desc(t, &op, s->forward, "batch norm gradient", &pd, err));
    struct target g;
    if (t->net->nodes[i].in[0] == 0) { /* nobody wants it, the kernel writes it all the same */
        TRY(atoll__dnnl_slab_in(t, &from->dst.md, t->spare, &g.out, err));
        g.spare = false;
    } else {
        TRY(open_target(t, from, &g, err));
    }
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, from->dst.mem},
                                    {DNNL_ARG_MEAN, s->mean.mem},
                                    {DNNL_ARG_VARIANCE, s->variance.mem},
                                    {DNNL_ARG_DIFF_DST, s->diff.mem},
                                    {DNNL_ARG_SCALE, t->params[s->scale].value.mem},
                                    {DNNL_ARG_SHIFT, t->params[s->shift].value.mem},
                                    {DNNL_ARG_DIFF_SRC, g.out.mem},
                                    {DNNL_ARG_DIFF_SCALE, t->params[s->scale].grad.mem},
                                    {DNNL_ARG_DIFF_SHIFT, t->params[s->shift].grad.mem},
                                    {DNNL_ARG_WORKSPACE, s->workspace.mem}};
    TRY(atoll__dnnl_step(t, &t->backward, pd, args, norm_with_relu(t, i) ? 10 : 9, err));
    return close_target(t, &g, err);
}

/* ----------------------------------------------------------------------- relu */

/* In place when nobody else reads the source and its own gradient does not need its output. */
static bool in_place(const struct atoll_trainer *t, uint32_t i)
{
    const uint32_t source = t->net->nodes[i].in[0];
    const enum atoll_net_op op = t->net->nodes[source].op;
    return source != 0 && t->nodes[source].readers == 1 && op != ATOLL_NET_RELU &&
           op != ATOLL_NET_RELU6;
}

static dnnl_alg_kind_t relu_kind(enum atoll_net_op op)
{
    return op == ATOLL_NET_RELU6 ? dnnl_eltwise_clip_v2_use_dst_for_bwd
                                 : dnnl_eltwise_relu_use_dst_for_bwd;
}

static int relu_forward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i];
    struct node_state *s = &t->nodes[i];
    const struct slab *src = &source_state(t, i, 0)->dst;
    if (in_place(t, i)) {
        s->dst = *src;
        if (norm_with_relu(t, n->in[0])) {
            return 0;
        }
    } else {
        TRY(atoll__dnnl_slab(t, &src->md, &s->dst, err));
    }
    dnnl_eltwise_desc_t op;
    DNNL_DO(dnnl_eltwise_forward_desc_init(&op, dnnl_forward_training, relu_kind(n->op), &src->md,
                                           0, n->op == ATOLL_NET_RELU6 ? 6 : 0),
            "relu");
    TRY(atoll__dnnl_desc(t, &op, NULL, "relu", &s->forward, err));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, src->mem}, {DNNL_ARG_DST, s->dst.mem}};
    const size_t from = t->train.n;
    TRY(atoll__dnnl_step(t, &t->train, s->forward, args, 2, err));
    return append_both(t, from, err);
}

static int relu_backward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i];
    struct node_state *s = &t->nodes[i];
    struct node_state *from = source_state(t, i, 0);
    if (n->in[0] == 0) {
        return 0;
    }
    struct target g = {.source = from};
    if (in_place(t, i)) {
        from->diff = s->diff;
        from->has_diff = true;
        g.out = s->diff;
        if (norm_with_relu(t, n->in[0])) {
            return 0;
        }
    } else {
        TRY(open_target(t, from, &g, err));
    }
    dnnl_eltwise_desc_t op;
    dnnl_primitive_desc_t pd = NULL;
    DNNL_DO(dnnl_eltwise_backward_desc_init(&op, relu_kind(n->op), &s->dst.md, &s->dst.md, 0,
                                            n->op == ATOLL_NET_RELU6 ? 6 : 0),
            "relu gradient");
    TRY(atoll__dnnl_desc(t, &op, s->forward, "relu gradient", &pd, err));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_DST, s->dst.mem},
                                    {DNNL_ARG_DIFF_DST, s->diff.mem},
                                    {DNNL_ARG_DIFF_SRC, g.out.mem}};
    TRY(atoll__dnnl_step(t, &t->backward, pd, args, 3, err));
    return close_target(t, &g, err);
}

/* ---------------------------------------------------------------------- pools */

static dnnl_alg_kind_t pool_kind(enum atoll_net_op op)
{
    return op == ATOLL_NET_MAX_POOL ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
}

static int pool_forward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i];
    struct node_state *s = &t->nodes[i];
    const struct slab *src = &source_state(t, i, 0)->dst;
    struct window w;
    window_of(n, source_of(t, i, 0), &w);
    dnnl_memory_desc_t dst;
    TRY(node_md(t, n, dnnl_format_tag_any, &dst, err));
    dnnl_pooling_desc_t op;
    DNNL_DO(dnnl_pooling_forward_desc_init(&op, dnnl_forward_training, pool_kind(n->op), &src->md,
                                           &dst, w.strides, w.kernel, w.left, w.right),
            "pooling");
    TRY(atoll__dnnl_desc(t, &op, NULL, "pooling", &s->forward, err));
    TRY(atoll__dnnl_slab(t, asked(s->forward, dnnl_query_dst_md), &s->dst, err));
    const bool max = n->op == ATOLL_NET_MAX_POOL;
    if (max) {
        TRY(atoll__dnnl_slab(t, asked(s->forward, dnnl_query_workspace_md), &s->workspace, err));
    }
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, src->mem},
                                    {DNNL_ARG_DST, s->dst.mem},
                                    {DNNL_ARG_WORKSPACE, s->workspace.mem}};
    const size_t from = t->train.n;
    TRY(atoll__dnnl_step(t, &t->train, s->forward, args, max ? 3 : 2, err));
    return append_both(t, from, err);
}

static int pool_backward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i];
    struct node_state *s = &t->nodes[i];
    if (n->in[0] == 0) {
        return 0;
    }
    struct window w;
    window_of(n, source_of(t, i, 0), &w);
    struct target g;
    TRY(open_target(t, source_state(t, i, 0), &g, err));
    dnnl_pooling_desc_t op;
    dnnl_primitive_desc_t pd = NULL;
    DNNL_DO(dnnl_pooling_backward_desc_init(&op, pool_kind(n->op), &g.out.md, &s->diff.md,
                                            w.strides, w.kernel, w.left, w.right),
            "pooling gradient");
    TRY(atoll__dnnl_desc(t, &op, s->forward, "pooling gradient", &pd, err));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_DIFF_DST, s->diff.mem},
                                    {DNNL_ARG_DIFF_SRC, g.out.mem},
                                    {DNNL_ARG_WORKSPACE, s->workspace.mem}};
    TRY(atoll__dnnl_step(t, &t->backward, pd, args, n->op == ATOLL_NET_MAX_POOL ? 3 : 2, err));
    return close_target(t, &g, err);
}

/* ---------------------------------------------------------- add, concat, pad */

static int add_forward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    struct node_state *s = &t->nodes[i];
    const struct slab *a = &source_state(t, i, 0)->dst;
    struct slab b;
    const size_t from = t->train.n;
    TRY(in_layout(t, &t->train, &source_state(t, i, 1)->dst, &a->md, &b, err));
    TRY(atoll__dnnl_slab(t, &a->md, &s->dst, err));
    dnnl_binary_desc_t op;
    dnnl_primitive_desc_t pd = NULL;
    DNNL_DO(dnnl_binary_desc_init(&op, dnnl_binary_add, &a->md, &a->md, &a->md), "add");
    TRY(atoll__dnnl_desc(t, &op, NULL, "add", &pd, err));
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC_0, a->mem}, {DNNL_ARG_SRC_1, b.mem}, {DNNL_ARG_DST, s->dst.mem}};
    TRY(atoll__dnnl_step(t, &t->train, pd, args, 3, err));
    return append_both(t, from, err);
}

/* The gradient goes to both; the first source with no other reader takes over the buffer itself,
 * after the copy for the second one. */
static int add_backward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    struct node_state *s = &t->nodes[i];
    for (uint32_t k = 2; k-- > 0;) {
        struct node_state *from = source_state(t, i, k);
        if (t->net->nodes[i].in[k] == 0) {
            continue;
        }
        if (k == 0 && from->readers == 1 && dnnl_memory_desc_equal(&from->dst.md, &s->diff.md)) {
            from->diff = s->diff;
            from->has_diff = true;
            continue;
        }
        struct target g;
        TRY(open_target(t, from, &g, err));
        TRY(atoll__dnnl_reorder(t, &t->backward, &s->diff, &g.out, err));
        TRY(close_target(t, &g, err));
    }
    return 0;
}

/* Part of `whole` that holds source k of a concat or the inside of a pad. */
static int part_of(struct atoll_trainer *t, uint32_t i, uint32_t k, const struct slab *whole,
                   struct slab *part, struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i], *in = source_of(t, i, k);
    dnnl_dims_t dims = {t->batch, in->channels, in->height, in->width};
    dnnl_dims_t at = {0, 0, n->op == ATOLL_NET_PAD ? n->pad[0] : 0,
                      n->op == ATOLL_NET_PAD ? n->pad[2] : 0};
    for (uint32_t j = 0; j < k; j++) {
        at[1] += source_of(t, i, j)->channels;
    }
    dnnl_memory_desc_t md;
    DNNL_DO(dnnl_memory_desc_init_submemory(&md, &whole->md, dims, at), "part of a tensor");
    return atoll__dnnl_slab_in(t, &md, whole->data, part, err);
}

/* Layout of a concat or pad: the blocks of channels that its first source has (8 or 16), when every
 * part begins and ends with a block, else plain. */
static dnnl_format_tag_t parts_tag(const struct atoll_trainer *t, uint32_t i)
{
    const struct atoll_net_node *n = &t->net->nodes[i];
    const dnnl_memory_desc_t *md = &source_state(t, i, 0)->dst.md;
    const dnnl_blocking_desc_t *f = &md->format_desc.blocking;
    const bool wide = md->format_kind == dnnl_blocked && f->inner_nblks == 1 &&
                      f->inner_idxs[0] == 1 && f->inner_blks[0] == 16;
    bool by_8 = true, by_16 = wide;
    for (uint32_t k = 0; k < n->n_in; k++) {
        by_8 = by_8 && source_of(t, i, k)->channels % 8 == 0;
        by_16 = by_16 && source_of(t, i, k)->channels % 16 == 0;
    }
    return by_16 ? dnnl_nChw16c : by_8 ? dnnl_nChw8c : dnnl_nchw;
}

/* Concat and pad copy their sources into parts of the output. */
static int parts_forward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i];
    struct node_state *s = &t->nodes[i];
    if (padded_by_conv(t, i)) {
        s->dst = source_state(t, i, 0)->dst; /* of the same range */
        return 0;
    }
    dnnl_memory_desc_t md;
    TRY(node_md(t, n, parts_tag(t, i), &md, err));
    TRY(atoll__dnnl_slab(t, &md, &s->dst, err));
    const size_t from = t->train.n;
    for (uint32_t k = 0; k < n->n_in; k++) {
        struct slab part;
        TRY(part_of(t, i, k, &s->dst, &part, err));
        TRY(atoll__dnnl_reorder(t, &t->train, &source_state(t, i, k)->dst, &part, err));
    }
    return append_both(t, from, err);
}

static int parts_backward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    const struct atoll_net_node *n = &t->net->nodes[i];
    if (padded_by_conv(t, i)) {
        return 0;
    }
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (n->in[k] == 0) {
            continue;
        }
        struct slab part;
        struct target g;
        TRY(part_of(t, i, k, &t->nodes[i].diff, &part, err));
        TRY(open_target(t, source_state(t, i, k), &g, err));
        TRY(atoll__dnnl_reorder(t, &t->backward, &part, &g.out, err));
        TRY(close_target(t, &g, err));
    }
    return 0;
}

/* -------------------------------------------------------------------- all ops */

static int input_forward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    dnnl_memory_desc_t md;
    TRY(node_md(t, &t->net->nodes[i], dnnl_nchw, &md, err));
    return atoll__dnnl_slab(t, &md, &t->nodes[i].dst, err);
}

static int input_backward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    (void)t;
    (void)i;
    (void)err;
    return 0;
}

typedef int (*node_fn)(struct atoll_trainer *t, uint32_t i, struct atoll_err *err);
static const struct {
    node_fn forward, backward;
} ops[] = {
    [ATOLL_NET_INPUT] = {input_forward, input_backward},
    [ATOLL_NET_CONV] = {conv_forward, conv_backward},
    [ATOLL_NET_DENSE] = {conv_forward, conv_backward},
    [ATOLL_NET_BATCH_NORM] = {norm_forward, norm_backward},
    [ATOLL_NET_RELU] = {relu_forward, relu_backward},
    [ATOLL_NET_RELU6] = {relu_forward, relu_backward},
    [ATOLL_NET_MAX_POOL] = {pool_forward, pool_backward},
    [ATOLL_NET_AVG_POOL] = {pool_forward, pool_backward},
    [ATOLL_NET_GLOBAL_POOL] = {pool_forward, pool_backward},
    [ATOLL_NET_ADD] = {add_forward, add_backward},
    [ATOLL_NET_CONCAT] = {parts_forward, parts_backward},
    [ATOLL_NET_PAD] = {parts_forward, parts_backward},
};

int atoll__dnnl_forward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    return ops[t->net->nodes[i].op].forward(t, i, err);
}

int atoll__dnnl_backward(struct atoll_trainer *t, uint32_t i, struct atoll_err *err)
{
    return ops[t->net->nodes[i].op].backward(t, i, err);
}
