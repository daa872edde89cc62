/* SPDX-License-Identifier: Apache-2.0 */
/* A network to train: nodes in order, shapes computed and checked as they are added. */
#include "train_internal.h"

#include <string.h>

static const char *const op_names[] = {
    [ATOLL_NET_INPUT] = "input",
    [ATOLL_NET_CONV] = "conv",
    [ATOLL_NET_DENSE] = "dense",
    [ATOLL_NET_BATCH_NORM] = "batch_norm",
    [ATOLL_NET_RELU] = "relu",
    [ATOLL_NET_RELU6] = "relu6",
    [ATOLL_NET_MAX_POOL] = "max_pool",
    [ATOLL_NET_AVG_POOL] = "avg_pool",
    [ATOLL_NET_GLOBAL_POOL] = "global_pool",
    [ATOLL_NET_ADD] = "add",
    [ATOLL_NET_CONCAT] = "concat",
    [ATOLL_NET_PAD] = "pad",
};

const char *atoll_net_op_name(enum atoll_net_op op)
{
    return (unsigned)op < sizeof op_names / sizeof op_names[0] ? op_names[op] : "?";
}

/* ------------------------------------------------------------------- shapes */

static int fail_node(const struct atoll_net *net, const struct atoll_net_node *n,
                     struct atoll_err *err, const char *found, const char *expected)
{
    return atoll_fail(err, ATOLL_EINPUT, "%s: node %u (%s%s%s): found %s, expected %s", net->name,
                      net->n_nodes, atoll_net_op_name(n->op), n->name && n->name[0] ? " " : "",
                      n->name ? n->name : "", found, expected);
}

/* Height and width of a window's output; 0 when it does not fit. */
static int window_shape(const struct atoll_net *net, struct atoll_net_node *n,
                        const struct atoll_net_node *in, struct atoll_err *err)
{
    n->stride_h = n->stride_h ? n->stride_h : 1;
    n->stride_w = n->stride_w ? n->stride_w : 1;
    if (n->kernel_h < 1 || n->kernel_w < 1 || n->kernel_h > ATOLL_NET_SIDE_MAX ||
        n->kernel_w > ATOLL_NET_SIDE_MAX || n->stride_h < 1 || n->stride_w < 1 ||
        n->stride_h > ATOLL_NET_SIDE_MAX || n->stride_w > ATOLL_NET_SIDE_MAX) {
        return fail_node(net, n, err, "a kernel or stride out of range", "1 to 4096");
    }
    n->height = atoll_window_out(in->height, n->kernel_h, n->stride_h, 1, n->padding);
    n->width = atoll_window_out(in->width, n->kernel_w, n->stride_w, 1, n->padding);
    if (n->height < 1 || n->width < 1) {
        return fail_node(net, n, err, "a window larger than its source", "one that fits");
    }
    return 0;
}

static int conv_shape(const struct atoll_net *net, struct atoll_net_node *n,
                      const struct atoll_net_node *in, struct atoll_err *err)
{
    n->groups = n->groups ? n->groups : 1;
    if (n->channels < 1 || n->channels > ATOLL_NET_CHANNELS_MAX) {
        return fail_node(net, n, err, "a channel count out of range", "1 to 65536");
    }
    if (n->groups < 1 || in->channels % n->groups != 0 || n->channels % n->groups != 0) {
        return fail_node(net, n, err, "groups that do not divide the channels",
                         "a divisor of both");
    }
    return window_shape(net, n, in, err);
}

static int concat_shape(const struct atoll_net *net, struct atoll_net_node *n,
                        struct atoll_err *err)
{
    n->channels = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const struct atoll_net_node *in = &net->nodes[n->in[i]];
        if (in->height != n->height || in->width != n->width) {
            return fail_node(net, n, err, "sources of different height or width", "equal ones");
        }
        n->channels += in->channels;
        if (n->channels > ATOLL_NET_CHANNELS_MAX) {
            return fail_node(net, n, err, "too many channels", "at most 65536");
        }
    }
    return 0;
}

static int pad_shape(const struct atoll_net *net, struct atoll_net_node *n, struct atoll_err *err)
{
    for (int i = 0; i < 4; i++) {
        if (n->pad[i] < 0 || n->pad[i] > ATOLL_NET_SIDE_MAX) {
            return fail_node(net, n, err, "a pad out of range", "0 to 4096");
        }
    }
    n->height += n->pad[0] + n->pad[1];
    n->width += n->pad[2] + n->pad[3];
    if (n->height > ATOLL_NET_SIDE_MAX || n->width > ATOLL_NET_SIDE_MAX) {
        return fail_node(net, n, err, "a side above 4096", "at most 4096");
    }
    return 0;
}

static int compute_shape(const struct atoll_net *net, struct atoll_net_node *n,
                         struct atoll_err *err)
{
    const struct atoll_net_node *in = &net->nodes[n->in[0]];
    const int32_t channels = n->channels;
    n->height = in->height;
    n->width = in->width;
    n->channels = in->channels;
    switch (n->op) {
    case ATOLL_NET_CONV:
        n->channels = channels;
        return conv_shape(net, n, in, err);
    case ATOLL_NET_DENSE: /* a convolution whose window is the whole source */
        n->channels = channels;
        n->kernel_h = in->height;
        n->kernel_w = in->width;
        n->stride_h = n->stride_w = n->groups = 1;
        n->padding = ATOLL_PADDING_VALID;
        return conv_shape(net, n, in, err);
    case ATOLL_NET_MAX_POOL:
    case ATOLL_NET_AVG_POOL:
        return window_shape(net, n, in, err);
    case ATOLL_NET_GLOBAL_POOL:
        n->kernel_h = in->height;
        n->kernel_w = in->width;
        n->padding = ATOLL_PADDING_VALID;
        return window_shape(net, n, in, err);
    case ATOLL_NET_ADD:
        in = &net->nodes[n->in[1]];
        if (in->height != n->height || in->width != n->width || in->channels != n->channels) {
            return fail_node(net, n, err, "sources of different shapes", "equal ones");
        }
        return 0;
    case ATOLL_NET_CONCAT:
        return concat_shape(net, n, err);
    case ATOLL_NET_PAD:
        return pad_shape(net, n, err);
    default:
        return 0;
    }
}

static int check_sources(const struct atoll_net *net, const struct atoll_net_node *n,
                         struct atoll_err *err)
{
    const bool many = n->op == ATOLL_NET_CONCAT;
    if ((unsigned)n->op > ATOLL_NET_PAD || n->op == ATOLL_NET_INPUT) {
        return fail_node(net, n, err, "an operation that cannot be added", "one of the list");
    }
    if (n->in == NULL || n->n_in < 1 ||
        n->n_in > (many                     ? 64u
                   : n->op == ATOLL_NET_ADD ? 2u
                                            : 1u) ||
        (n->op == ATOLL_NET_ADD && n->n_in != 2)) {
        return fail_node(net, n, err, "a wrong number of sources",
                         "2 for add, 1 to 64 for concat, else 1");
    }
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] >= net->n_nodes) {
            return fail_node(net, n, err, "a source that does not exist yet", "an earlier node");
        }
        for (uint32_t k = 0; k < i; k++) {
            if (n->in[k] == n->in[i]) {
                return fail_node(net, n, err, "a source twice", "different sources");
            }
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ building */

int atoll_net_create(const char *name, int32_t height, int32_t width, int32_t channels,
                     struct atoll_net **net, struct atoll_err *err)
{
    if (height < 1 || height > ATOLL_NET_SIDE_MAX || width < 1 || width > ATOLL_NET_SIDE_MAX ||
        (channels != 1 && channels != 3)) {
        return atoll_fail(
            err, ATOLL_EINPUT,
            "%s: input of %d x %d x %d (sides of 1 to 4096 and 1 or 3 channels expected)", name,
            height, width, channels);
    }
    struct atoll_net *n = atoll_calloc(1, sizeof *n);
    if (n == NULL) {
        return atoll_fail_nomem(err, "a network", sizeof *n);
    }
    n->name = atoll_arena_printf(&n->arena, "%s", name);
    if (n->name == NULL || atoll_grow((void **)&n->nodes, &n->cap, 16, sizeof *n->nodes) != 0) {
        atoll_net_close(&n);
        return atoll_fail_nomem(err, "a network", sizeof *n);
    }
    n->nodes[0] = (struct atoll_net_node){.op = ATOLL_NET_INPUT,
                                          .name = "input",
                                          .height = height,
                                          .width = width,
                                          .channels = channels,
                                          .groups = 1};
    n->n_nodes = 1;
    *net = n;
    return 0;
}

int atoll_net_add(struct atoll_net *net, const struct atoll_net_node *node, uint32_t *index,
                  struct atoll_err *err)
{
    if (net->n_nodes >= ATOLL_NET_NODES_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: more than %u nodes", net->name,
                          ATOLL_NET_NODES_MAX);
    }
    struct atoll_net_node n = *node;
    int rc = check_sources(net, &n, err);
    rc = rc ? rc : compute_shape(net, &n, err);
    if (rc != 0) {
        return rc;
    }
    uint32_t *in = atoll_arena_array(&net->arena, n.n_in, sizeof *in);
    n.name = node->name && node->name[0]
                 ? atoll_arena_printf(&net->arena, "%s", node->name)
                 : atoll_arena_printf(&net->arena, "%s_%u", atoll_net_op_name(n.op), net->n_nodes);
    if (in == NULL || n.name == NULL ||
        atoll_grow((void **)&net->nodes, &net->cap, net->n_nodes + 1, sizeof *net->nodes) != 0) {
        return atoll_fail_nomem(err, "a node of the network", sizeof n);
    }
    for (uint32_t i = 0; i < net->n_nodes; i++) {
        if (strcmp(net->nodes[i].name, n.name) == 0) {
            return fail_node(net, &n, err, "a name that is taken", "a name of its own");
        }
    }
    memcpy(in, n.in, n.n_in * sizeof *in);
    n.in = in;
    net->nodes[net->n_nodes] = n;
    if (index != NULL) {
        *index = net->n_nodes;
    }
    net->n_nodes++;
    return 0;
}

void atoll_net_close(struct atoll_net **net)
{
    if (net != NULL && *net != NULL) {
        atoll_free((*net)->nodes);
        atoll_arena_finish(&(*net)->arena);
        atoll_free(*net);
        *net = NULL;
    }
}

/* ------------------------------------------------------------------ questions */

uint32_t atoll_net_classes(const struct atoll_net *net)
{
    const struct atoll_net_node *last = &net->nodes[net->n_nodes - 1];
    return (uint32_t)last->channels * (uint32_t)last->height * (uint32_t)last->width;
}

uint64_t atoll_net_parameters(const struct atoll_net *net)
{
    uint64_t sum = 0;
    for (uint32_t i = 1; i < net->n_nodes; i++) {
        const struct atoll_net_node *n = &net->nodes[i];
        if (n->op == ATOLL_NET_CONV || n->op == ATOLL_NET_DENSE) {
            const int32_t in = net->nodes[n->in[0]].channels / n->groups;
            sum += (uint64_t)n->channels * (uint64_t)in * (uint64_t)n->kernel_h *
                   (uint64_t)n->kernel_w;
            sum += n->bias ? (uint64_t)n->channels : 0;
        } else if (n->op == ATOLL_NET_BATCH_NORM) {
            sum += 2 * (uint64_t)n->channels;
        }
    }
    return sum;
}

int atoll__net_check(const struct atoll_net *net, struct atoll_err *err)
{
    const struct atoll_net_node *last = &net->nodes[net->n_nodes - 1];
    if (last->op != ATOLL_NET_DENSE && (last->height != 1 || last->width != 1)) {
        return atoll_fail(
            err, ATOLL_EINPUT,
            "%s: the last node (%s) has %d x %d places (one, with a score a class, expected)",
            net->name, last->name, last->height, last->width);
    }
    uint8_t *read = atoll_calloc(net->n_nodes, 1);
    if (read == NULL) {
        return atoll_fail_nomem(err, "the network's readers", net->n_nodes);
    }
    int rc = 0;
    bool trained = false;
    for (uint32_t i = net->n_nodes; i-- > 0 && rc == 0;) {
        if (i + 1 < net->n_nodes && !read[i]) {
            rc = atoll_fail(err, ATOLL_EINPUT, "%s: nothing reads the node %s", net->name,
                            net->nodes[i].name);
        }
        for (uint32_t k = 0; k < net->nodes[i].n_in; k++) {
            read[net->nodes[i].in[k]] = 1;
        }
        trained =
            trained || net->nodes[i].op == ATOLL_NET_CONV || net->nodes[i].op == ATOLL_NET_DENSE;
    }
    atoll_free(read);
    if (rc == 0 && !trained) {
        rc = atoll_fail(err, ATOLL_EINPUT, "%s: no conv and no dense to train", net->name);
    }
    return rc;
}

int32_t atoll__net_pad_before(int32_t in, int32_t out, int32_t kernel, int32_t stride,
                              enum atoll_padding padding)
{
    const int32_t total = (out - 1) * stride + kernel - in;
    return padding == ATOLL_PADDING_SAME && total > 0 ? total / 2 : 0;
}
