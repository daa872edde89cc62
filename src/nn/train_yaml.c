/* SPDX-License-Identifier: Apache-2.0 */
/* Networks and recipes from yaml. */
#include "train_internal.h"

#include <math.h>
#include <string.h>

#include <atoll/yaml.h>

struct layer {
    const char *op, *name, *padding, *activation;
    const struct atoll_yaml *from, *pad;
    int64_t filters, units, kernel, stride, groups;
    bool bias, norm, depthwise;
};

static const struct atoll_yaml_field layer_fields[] = {
    {"op", ATOLL_YAML_STRING, offsetof(struct layer, op), true, 0, 0},
    {"name", ATOLL_YAML_STRING, offsetof(struct layer, name), false, 0, 0},
    {"from", ATOLL_YAML_NODE, offsetof(struct layer, from), false, 0, 0},
    {"filters", ATOLL_YAML_INT, offsetof(struct layer, filters), false, 1, ATOLL_NET_CHANNELS_MAX},
    {"units", ATOLL_YAML_INT, offsetof(struct layer, units), false, 1, ATOLL_NET_CHANNELS_MAX},
    {"kernel", ATOLL_YAML_INT, offsetof(struct layer, kernel), false, 1, ATOLL_NET_SIDE_MAX},
    {"stride", ATOLL_YAML_INT, offsetof(struct layer, stride), false, 1, ATOLL_NET_SIDE_MAX},
    {"groups", ATOLL_YAML_INT, offsetof(struct layer, groups), false, 1, ATOLL_NET_CHANNELS_MAX},
    {"depthwise", ATOLL_YAML_BOOL, offsetof(struct layer, depthwise), false, 0, 0},
    {"padding", ATOLL_YAML_STRING, offsetof(struct layer, padding), false, 0, 0},
    {"pad", ATOLL_YAML_NODE, offsetof(struct layer, pad), false, 0, 0},
    {"bias", ATOLL_YAML_BOOL, offsetof(struct layer, bias), false, 0, 0},
    {"norm", ATOLL_YAML_BOOL, offsetof(struct layer, norm), false, 0, 0},
    {"activation", ATOLL_YAML_STRING, offsetof(struct layer, activation), false, 0, 0},
};

static int find_node(const struct atoll_net *net, const struct atoll_yaml *y, uint32_t *index,
                     struct atoll_err *err)
{
    const char *name = NULL;
    const int rc = atoll_yaml_string(y, &name, err);
    if (rc != 0) {
        return rc;
    }
    for (uint32_t i = net->n_nodes; i-- > 0;) {
        if (strcmp(net->nodes[i].name, name) == 0) {
            *index = i;
            return 0;
        }
    }
    return atoll_yaml_fail(y, err, "no layer before this one has the name \"%s\"", name);
}

/* A name or a list of names; without: the layer before. */
static int read_sources(const struct atoll_net *net, const struct atoll_yaml *from, uint32_t in[64],
                        uint32_t *n, struct atoll_err *err)
{
    if (from == NULL) {
        in[0] = net->n_nodes - 1;
        *n = 1;
        return 0;
    }
    if (from->kind != ATOLL_YAML_LIST) {
        *n = 1;
        return find_node(net, from, &in[0], err);
    }
    if (from->count < 1 || from->count > 64) {
        return atoll_yaml_fail(from, err, "%zu names (1 to 64 expected)", from->count);
    }
    *n = 0;
    int rc = 0;
    for (const struct atoll_yaml *y = from->first; y != NULL && rc == 0; y = y->next) {
        rc = find_node(net, y, &in[(*n)++], err);
    }
    return rc;
}

static int read_pad(const struct atoll_yaml *y, int32_t pad[4], struct atoll_err *err)
{
    if (y == NULL) {
        return 0;
    }
    int64_t v[4] = {0};
    size_t n = 0;
    int rc = atoll_yaml_expect(y, ATOLL_YAML_LIST, err);
    if (rc == 0 && y->count != 4) {
        return atoll_yaml_fail(y, err, "%zu numbers (top, bottom, left, right expected)", y->count);
    }
    for (const struct atoll_yaml *p = rc ? NULL : y->first; p != NULL && rc == 0; p = p->next) {
        rc = atoll_yaml_int(p, 0, ATOLL_NET_SIDE_MAX, &v[n], err);
        pad[n] = (int32_t)v[n];
        n++;
    }
    return rc;
}

static int op_of(const struct atoll_yaml *y, const char *text, enum atoll_net_op *op,
                 struct atoll_err *err)
{
    for (int i = ATOLL_NET_CONV; i <= ATOLL_NET_PAD; i++) {
        if (strcmp(text, atoll_net_op_name((enum atoll_net_op)i)) == 0) {
            *op = (enum atoll_net_op)i;
            return 0;
        }
    }
    return atoll_yaml_fail(
        atoll_yaml_get(y, "op"), err,
        "\"%s\" is no operation (conv, dense, batch_norm, relu, relu6, max_pool, "
        "avg_pool, global_pool, add, concat, pad expected)",
        text);
}

/* The operations that follow a layer in the same line: norm, then activation. The last one bears
 * the layer's name, so that others can read it. */
static int add_line(struct atoll_net *net, const struct atoll_yaml *y, const struct layer *l,
                    struct atoll_net_node *node, struct atoll_err *err)
{
    enum atoll_net_op act = ATOLL_NET_RELU;
    if (l->activation != NULL && strcmp(l->activation, "relu") != 0 &&
        strcmp(l->activation, "relu6") != 0) {
        return atoll_yaml_fail(atoll_yaml_get(y, "activation"), err,
                               "\"%s\" (relu or relu6 expected)", l->activation);
    }
    if (l->activation != NULL && strcmp(l->activation, "relu6") == 0) {
        act = ATOLL_NET_RELU6;
    }
    node->name = l->norm || l->activation ? NULL : l->name;
    uint32_t at = 0;
    int rc = atoll_net_add(net, node, &at, err);
    if (rc == 0 && l->norm) {
        const uint32_t in = at;
        const struct atoll_net_node n = {.op = ATOLL_NET_BATCH_NORM,
                                         .in = &in,
                                         .n_in = 1,
                                         .name = l->activation ? NULL : l->name};
        rc = atoll_net_add(net, &n, &at, err);
    }
    if (rc == 0 && l->activation != NULL) {
        const struct atoll_net_node n = {.op = act, .in = &at, .n_in = 1, .name = l->name};
        rc = atoll_net_add(net, &n, NULL, err);
    }
    if (rc != 0) {
        atoll_fail_at(err, "%s:%u", atoll_yaml_name(y->doc), y->line);
    }
    return rc;
}

static int add_layer(struct atoll_net *net, const struct atoll_yaml *y, struct atoll_err *err)
{
    struct layer l = {.kernel = 0, .stride = 1, .groups = 1};
    uint32_t in[64];
    struct atoll_net_node node = {.in = in};
    int rc = atoll_yaml_expect(y, ATOLL_YAML_MAP, err);
    rc = rc ? rc
            : atoll_yaml_read(y, layer_fields, sizeof layer_fields / sizeof layer_fields[0], &l,
                              err);
    rc = rc ? rc : op_of(y, l.op, &node.op, err);
    rc = rc ? rc : read_sources(net, l.from, in, &node.n_in, err);
    rc = rc ? rc : read_pad(l.pad, node.pad, err);
    if (rc != 0) {
        return rc;
    }
    node.padding = ATOLL_PADDING_SAME;
    if (l.padding != NULL && strcmp(l.padding, "valid") == 0) {
        node.padding = ATOLL_PADDING_VALID;
    } else if (l.padding != NULL && strcmp(l.padding, "same") != 0) {
        return atoll_yaml_fail(atoll_yaml_get(y, "padding"), err, "\"%s\" (same or valid expected)",
                               l.padding);
    }
    const int32_t source = net->nodes[in[0]].channels;
    node.channels = (int32_t)(node.op == ATOLL_NET_DENSE ? l.units : l.filters);
    if (node.op == ATOLL_NET_CONV && l.depthwise) {
        node.channels = l.filters ? (int32_t)l.filters : source;
        l.groups = source;
    }
    node.kernel_h = node.kernel_w = (int32_t)l.kernel;
    node.stride_h = node.stride_w = (int32_t)l.stride;
    node.groups = (int32_t)l.groups;
    node.bias = l.bias || node.op == ATOLL_NET_DENSE;
    return add_line(net, y, &l, &node, err);
}

struct network_file {
    const char *name;
    const struct atoll_yaml *input, *layers;
};
static const struct atoll_yaml_field network_fields[] = {
    {"name", ATOLL_YAML_STRING, offsetof(struct network_file, name), true, 0, 0},
    {"input", ATOLL_YAML_NODE, offsetof(struct network_file, input), true, 0, 0},
    {"layers", ATOLL_YAML_NODE, offsetof(struct network_file, layers), true, 0, 0},
};

static int read_network(const struct atoll_yaml_doc *doc, struct atoll_net **net,
                        struct atoll_err *err)
{
    struct network_file f = {0};
    int64_t v[3] = {0};
    size_t n = 0;
    int rc = atoll_yaml_read(atoll_yaml_root(doc), network_fields, 3, &f, err);
    rc = rc ? rc : atoll_yaml_expect(f.input, ATOLL_YAML_LIST, err);
    rc = rc ? rc : atoll_yaml_expect(f.layers, ATOLL_YAML_LIST, err);
    if (rc == 0 && f.input->count != 3) {
        return atoll_yaml_fail(f.input, err, "%zu numbers (height, width, channels expected)",
                               f.input->count);
    }
    for (const struct atoll_yaml *y = rc ? NULL : f.input->first; y != NULL && rc == 0;
         y = y->next) {
        rc = atoll_yaml_int(y, 1, ATOLL_NET_SIDE_MAX, &v[n++], err);
    }
    struct atoll_net *made = NULL;
    rc =
        rc ? rc : atoll_net_create(f.name, (int32_t)v[0], (int32_t)v[1], (int32_t)v[2], &made, err);
    for (const struct atoll_yaml *y = rc ? NULL : f.layers->first; y != NULL && rc == 0;
         y = y->next) {
        rc = add_layer(made, y, err);
    }
    rc = rc ? rc : atoll__net_check(made, err);
    if (rc != 0) {
        atoll_net_close(&made);
        return rc;
    }
    *net = made;
    return 0;
}

int atoll_net_parse(const char *name, const void *bytes, size_t n, struct atoll_net **net,
                    struct atoll_err *err)
{
    struct atoll_yaml_doc *doc = NULL;
    int rc = atoll_yaml_parse(name, bytes, n, &doc, err);
    rc = rc ? rc : atoll_yaml_expect(atoll_yaml_root(doc), ATOLL_YAML_MAP, err);
    rc = rc ? rc : read_network(doc, net, err);
    atoll_yaml_close(&doc);
    return rc;
}

int atoll_net_open(const char *path, struct atoll_net **net, struct atoll_err *err)
{
    struct atoll_map map = {0};
    int rc = atoll_map_open(path, &map, err);
    rc = rc ? rc : atoll_net_parse(path, map.data, map.size, net, err);
    atoll_map_close(&map);
    return rc;
}

/* -------------------------------------------------------------------- recipe */

struct recipe_file {
    int64_t epochs, batch, shift;
    double rate, momentum, weight_decay, warm_up_frac, step_factor, label_smoothing, temperature,
        teacher_weight;
    const char *schedule, *teacher;
    const struct atoll_yaml *step_frac;
    bool flip;
};
#define REAL(name, low, high)                                                                      \
    {                                                                                              \
#name, ATOLL_YAML_DOUBLE, offsetof(struct recipe_file, name), false, low, high             \
    }
static const struct atoll_yaml_field recipe_fields[] = {
    {"epochs", ATOLL_YAML_INT, offsetof(struct recipe_file, epochs), false, 1, 10000},
    {"batch", ATOLL_YAML_INT, offsetof(struct recipe_file, batch), false, 1, 4096},
    {"schedule", ATOLL_YAML_STRING, offsetof(struct recipe_file, schedule), false, 0, 0},
    {"step_frac", ATOLL_YAML_NODE, offsetof(struct recipe_file, step_frac), false, 0, 0},
    {"flip", ATOLL_YAML_BOOL, offsetof(struct recipe_file, flip), false, 0, 0},
    {"shift", ATOLL_YAML_INT, offsetof(struct recipe_file, shift), false, 0, 64},
    {"teacher", ATOLL_YAML_STRING, offsetof(struct recipe_file, teacher), false, 0, 0},
    REAL(rate, 1e-9, 1000),
    REAL(momentum, 0, 0.9999),
    REAL(weight_decay, 0, 1),
    REAL(warm_up_frac, 0, 0.9),
    REAL(step_factor, 1e-6, 1),
    REAL(label_smoothing, 0, 0.9),
    REAL(temperature, 0.1, 100),
    REAL(teacher_weight, 0, 1),
};

static int read_steps(const struct atoll_yaml *y, struct atoll_recipe *r, struct atoll_err *err)
{
    if (y == NULL) {
        return 0;
    }
    int rc = atoll_yaml_expect(y, ATOLL_YAML_LIST, err);
    if (rc == 0 && y->count > 8) {
        return atoll_yaml_fail(y, err, "%zu numbers (at most 8 expected)", y->count);
    }
    r->n_steps = 0;
    for (const struct atoll_yaml *p = rc ? NULL : y->first; p != NULL && rc == 0; p = p->next) {
        rc = atoll_yaml_double(p, 0, 1, &r->step_frac[r->n_steps++], err);
    }
    return rc;
}

/* A relative path of the teacher stands beside the recipe. */
static int put_teacher(const char *recipe, const char *teacher, struct atoll_recipe *r,
                       struct atoll_err *err)
{
    if (teacher == NULL) {
        return 0;
    }
    const char *slash = teacher[0] == '/' ? NULL : strrchr(recipe, '/');
    const int dir = slash ? (int)(slash + 1 - recipe) : 0;
    const int n = snprintf(r->teacher, sizeof r->teacher, "%.*s%s", dir, recipe, teacher);
    return n < 0 || (size_t)n >= sizeof r->teacher
               ? atoll_fail(err, ATOLL_ELIMIT, "%s: the teacher's path is too long", recipe)
               : 0;
}

static int read_recipe(const char *path, const struct atoll_yaml *root, struct atoll_recipe *r,
                       struct atoll_err *err)
{
    struct recipe_file f = {.epochs = r->epochs,
                            .batch = r->batch,
                            .shift = r->shift,
                            .rate = r->rate,
                            .momentum = r->momentum,
                            .weight_decay = r->weight_decay,
                            .warm_up_frac = r->warm_up_frac,
                            .step_factor = r->step_factor,
                            .label_smoothing = r->label_smoothing,
                            .temperature = r->temperature,
                            .teacher_weight = r->teacher_weight,
                            .flip = r->flip};
    int rc = atoll_yaml_read(root, recipe_fields, sizeof recipe_fields / sizeof recipe_fields[0],
                             &f, err);
    rc = rc ? rc : read_steps(f.step_frac, r, err);
    rc = rc ? rc : put_teacher(path, f.teacher, r, err);
    if (rc != 0) {
        return rc;
    }
    if (f.schedule != NULL && strcmp(f.schedule, "cosine") != 0 &&
        strcmp(f.schedule, "step") != 0) {
        return atoll_yaml_fail(atoll_yaml_get(root, "schedule"), err,
                               "\"%s\" (cosine or step expected)", f.schedule);
    }
    if (f.schedule != NULL) {
        r->schedule = f.schedule[0] == 's' ? ATOLL_SCHEDULE_STEP : ATOLL_SCHEDULE_COSINE;
    }
    r->epochs = (uint32_t)f.epochs;
    r->batch = (uint32_t)f.batch;
    r->shift = (uint32_t)f.shift;
    r->rate = f.rate;
    r->momentum = f.momentum;
    r->weight_decay = f.weight_decay;
    r->warm_up_frac = f.warm_up_frac;
    r->step_factor = f.step_factor;
    r->label_smoothing = f.label_smoothing;
    r->temperature = f.temperature;
    r->teacher_weight = f.teacher_weight;
    r->flip = f.flip;
    return 0;
}

int atoll_recipe_open(const char *path, struct atoll_recipe *r, struct atoll_err *err)
{
    struct atoll_yaml_doc *doc = NULL;
    int rc = atoll_yaml_open(path, &doc, err);
    rc = rc ? rc : atoll_yaml_expect(atoll_yaml_root(doc), ATOLL_YAML_MAP, err);
    struct atoll_recipe read = *r;
    rc = rc ? rc : read_recipe(path, atoll_yaml_root(doc), &read, err);
    atoll_yaml_close(&doc);
    if (rc == 0) {
        *r = read;
    }
    return rc;
}

struct atoll_recipe atoll_recipe_default(void)
{
    return (struct atoll_recipe){.epochs = 12,
                                 .batch = 64,
                                 .rate = 0.1,
                                 .momentum = 0.9,
                                 .weight_decay = 5e-4,
                                 .schedule = ATOLL_SCHEDULE_COSINE,
                                 .warm_up_frac = 0.05,
                                 .step_frac = {0.5, 0.75},
                                 .n_steps = 2,
                                 .step_factor = 0.1,
                                 .flip = true,
                                 .temperature = 4,
                                 .teacher_weight = 0.9};
}

double atoll_recipe_rate(const struct atoll_recipe *r, uint64_t step, uint64_t steps)
{
    const double warm = floor(r->warm_up_frac * (double)steps);
    if ((double)step < warm) {
        return r->rate * ((double)step + 1) / warm;
    }
    if (r->schedule == ATOLL_SCHEDULE_COSINE) {
        const double left = (double)steps - warm;
        const double pi = 3.14159265358979323846;
        return left > 0 ? r->rate * 0.5 * (1 + cos(pi * ((double)step - warm) / left)) : r->rate;
    }
    double rate = r->rate;
    for (uint32_t i = 0; i < r->n_steps; i++) {
        rate *= (double)step >= r->step_frac[i] * (double)steps ? r->step_factor : 1;
    }
    return rate;
}
