/* SPDX-License-Identifier: Apache-2.0 */
/* Folding of batch norm, and plain min-max quantization. */
#include "train_export.h"

#include <math.h>
#include <string.h>

#define BN_EPSILON 1e-5f

/* ------------------------------------------------------------------- folding */

void atoll__folded_finish(struct atoll__folded *f)
{
    atoll_free(f->weights);
    atoll_free(f->bias);
    *f = (struct atoll__folded){0};
}

/* Copies the parameter of a node with this role; NULL and *rc 0 when it has none. */
static float *read_role(struct atoll_trainer *t, int32_t node, enum atoll_param_role role, int *rc,
                        struct atoll_err *err)
{
    for (uint32_t k = 0; node >= 0 && *rc == 0 && k < atoll_trainer_params(t); k++) {
        const struct atoll_param p = atoll_trainer_param(t, k);
        if (p.node != (uint32_t)node || p.role != role) {
            continue;
        }
        float *v = atoll_alloc(p.n * sizeof *v);
        *rc = v ? atoll_trainer_read(t, k, ATOLL_PARAM_VALUE, v, err)
                : atoll_fail_nomem(err, "a parameter", p.n * sizeof *v);
        if (*rc != 0) {
            atoll_free(v);
            v = NULL;
        }
        return v;
    }
    return NULL;
}

/* w' = w * a, b' = shift + (b - mean) * a with a = scale / sqrt(variance + epsilon). */
static int fold_norm(struct atoll_trainer *t, int32_t norm, struct atoll__folded *f, float *plain,
                     struct atoll_err *err)
{
    int rc = 0;
    float *scale = read_role(t, norm, ATOLL_PARAM_SCALE, &rc, err);
    float *shift = read_role(t, norm, ATOLL_PARAM_SHIFT, &rc, err);
    float *mean = read_role(t, norm, ATOLL_PARAM_MEAN, &rc, err);
    float *variance = read_role(t, norm, ATOLL_PARAM_VARIANCE, &rc, err);
    if (scale != NULL && shift != NULL && mean != NULL && variance != NULL) {
        const size_t each = f->n / (size_t)f->out;
        for (int32_t o = 0; o < f->out; o++) {
            const float a = scale[o] / sqrtf(variance[o] + BN_EPSILON);
            f->bias[o] = shift[o] + (f->bias[o] - mean[o]) * a;
            for (size_t i = 0; i < each; i++) {
                plain[(size_t)o * each + i] *= a;
            }
        }
    }
    atoll_free(scale);
    atoll_free(shift);
    atoll_free(mean);
    atoll_free(variance);
    return rc;
}

/* From [out, in, kh, kw] to TFLite's order. */
static void order_weights(const struct atoll_net_node *n, const float *plain,
                          struct atoll__folded *f)
{
    const size_t out = (size_t)f->out, area = n ? (size_t)n->kernel_h * (size_t)n->kernel_w : 1;
    const size_t in = f->n / out / area;
    for (size_t o = 0; o < out; o++) {
        for (size_t i = 0; i < in; i++) {
            for (size_t k = 0; k < area; k++) {
                const float v = plain[(o * in + i) * area + k];
                f->weights[f->depthwise ? k * out + o : (o * area + k) * in + i] = v;
            }
        }
    }
}

int atoll__fold(struct atoll_trainer *t, int32_t node, int32_t norm, struct atoll__folded *f,
                struct atoll_err *err)
{
    const struct atoll_net *net = atoll__trainer_net(t);
    const struct atoll_net_node *n = node >= 0 ? &net->nodes[node] : NULL;
    int rc = 0;
    *f = (struct atoll__folded){.out = net->nodes[n ? node : norm].channels, .n = 1};
    const int32_t in = n ? net->nodes[n->in[0]].channels : 0;
    f->depthwise = n == NULL || (n->groups > 1 && n->groups == in);
    f->n = (size_t)f->out;
    if (n != NULL) {
        f->n *= (size_t)(in / n->groups) * (size_t)n->kernel_h * (size_t)n->kernel_w;
    }
    float *plain = read_role(t, node, ATOLL_PARAM_WEIGHT, &rc, err);
    if (n == NULL && (plain = atoll_alloc(f->n * sizeof *plain)) != NULL) {
        for (size_t i = 0; i < f->n; i++) {
            plain[i] = 1;
        }
    }
    f->bias = read_role(t, node, ATOLL_PARAM_BIAS, &rc, err);
    f->bias = f->bias ? f->bias : atoll_calloc((size_t)f->out, sizeof *f->bias);
    f->weights = atoll_alloc(f->n * sizeof *f->weights);
    if (rc == 0 && (plain == NULL || f->bias == NULL || f->weights == NULL)) {
        rc = atoll_fail_nomem(err, "weights", f->n * sizeof *f->weights);
    }
    if (rc == 0 && norm >= 0) {
        rc = fold_norm(t, norm, f, plain, err);
    }
    if (rc == 0) {
        order_weights(n, plain, f);
    }
    atoll_free(plain);
    if (rc != 0) {
        atoll__folded_finish(f);
    }
    return rc;
}

/* -------------------------------------------------------------- quantization */

/* Output channel of a weight. */
static size_t channel_of(const struct atoll__folded *f, size_t i)
{
    return f->depthwise ? i % (size_t)f->out : i / (f->n / (size_t)f->out);
}

void atoll__quant_weights(const struct atoll__folded *f, bool per_channel, float in_scale,
                          float *scale, int8_t *q, int32_t *bias)
{
    float most = 0;
    for (int32_t o = 0; o < f->out; o++) {
        scale[o] = 0;
    }
    for (size_t i = 0; i < f->n; i++) {
        const float v = fabsf(f->weights[i]);
        const size_t o = channel_of(f, i);
        scale[o] = v > scale[o] ? v : scale[o];
        most = v > most ? v : most;
    }
    for (int32_t o = 0; o < f->out; o++) {
        const float m = per_channel ? scale[o] : most;
        /* A channel of zeros: any scale will do, but its bias must fit. */
        scale[o] = (m > 1e-6f ? m : 1e-6f) / 127;
        const double b = rint((double)f->bias[o] / ((double)in_scale * (double)scale[o]));
        bias[o] = b > INT32_MAX ? INT32_MAX : b < -INT32_MAX ? -INT32_MAX : (int32_t)b;
    }
    for (size_t i = 0; i < f->n; i++) {
        const float v = rintf(f->weights[i] / scale[channel_of(f, i)]);
        q[i] = (int8_t)(v > 127 ? 127 : v < -127 ? -127 : v);
    }
}

static uint32_t root_of(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static bool one_scale(enum atoll_net_op op)
{
    return op == ATOLL_NET_MAX_POOL || op == ATOLL_NET_AVG_POOL || op == ATOLL_NET_PAD ||
           op == ATOLL_NET_CONCAT;
}

/* Asymmetric over 256 steps; 0 is met exactly. */
static struct atoll__out_quant quant_of(float low, float high)
{
    const double span = (double)high - (double)low;
    const double scale = span > 1e-6 ? span / 255 : 1e-6;
    double zero = rint(-128 - (double)low / scale);
    zero = zero < -128 ? -128 : zero > 127 ? 127 : zero;
    return (struct atoll__out_quant){.scale = (float)scale, .zero_point = (int64_t)zero};
}

int atoll__quant_nodes(const struct atoll_net *net, const struct atoll_ranges *r,
                       struct atoll__out_quant *out, struct atoll_err *err)
{
    if (r->n != net->n_nodes) {
        return atoll_fail(err, ATOLL_EUSAGE, "%u ranges for the %u nodes of %s", r->n, net->n_nodes,
                          net->name);
    }
    uint32_t *parent = atoll_alloc(net->n_nodes * sizeof *parent);
    float *low = atoll_calloc(net->n_nodes, sizeof *low);
    float *high = atoll_calloc(net->n_nodes, sizeof *high);
    int rc = parent && low && high ? 0 : atoll_fail_nomem(err, "ranges", net->n_nodes);
    for (uint32_t i = 0; rc == 0 && i < net->n_nodes; i++) {
        parent[i] = i;
        for (uint32_t k = 0; one_scale(net->nodes[i].op) && k < net->nodes[i].n_in; k++) {
            parent[root_of(parent, net->nodes[i].in[k])] = root_of(parent, i);
        }
    }
    for (uint32_t i = 0; rc == 0 && i < net->n_nodes; i++) {
        const uint32_t root = root_of(parent, i);
        if (!isfinite(r->low[i]) || !isfinite(r->high[i])) {
            rc = atoll_fail(err, ATOLL_EINPUT, "%s: the range of node %s is not finite", net->name,
                            net->nodes[i].name);
        }
        low[root] = r->low[i] < low[root] ? r->low[i] : low[root];
        high[root] = r->high[i] > high[root] ? r->high[i] : high[root];
    }
    for (uint32_t i = 0; rc == 0 && i < net->n_nodes; i++) {
        const uint32_t root = root_of(parent, i);
        out[i] = quant_of(low[root], high[root]);
    }
    atoll_free(parent);
    atoll_free(low);
    atoll_free(high);
    return rc;
}
