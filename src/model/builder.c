/* SPDX-License-Identifier: Apache-2.0 */
/* A model put together by a program. Everything is copied into the model's own arena; the graph is
 * checked at the end by the same code as a file's. */
#include "model_internal.h"

#include <string.h>

struct atoll_builder {
    struct atoll_model *m; ///< owns the arena; tensors and ops move in at finish
    struct atoll_tensor *tensors;
    size_t n_tensors, cap_tensors;
    struct atoll_op *ops;
    size_t n_ops, cap_ops;
};

int atoll_builder_create(const char *path, const char *description, struct atoll_builder **b,
                         struct atoll_err *err)
{
    struct atoll_builder *builder = atoll_calloc(1, sizeof *builder);
    if (builder == NULL) {
        return atoll_fail_nomem(err, "a model", sizeof *builder);
    }
    const int rc = atoll__model_alloc(path, &builder->m, err);
    if (rc != 0) {
        atoll_free(builder);
        return rc;
    }
    struct atoll_model *m = builder->m;
    const char *text = description != NULL ? description : "";
    m->description = atoll_arena_strndup(m->arena, text, strlen(text));
    m->version = 3;
    m->n_subgraphs = 1;
    m->subgraph_name = "";
    if (m->description == NULL) {
        atoll_builder_destroy(&builder);
        return atoll_fail_nomem(err, "a model", strlen(text));
    }
    *b = builder;
    return 0;
}

void atoll_builder_destroy(struct atoll_builder **b)
{
    if (b == NULL || *b == NULL) {
        return;
    }
    atoll_model_close(&(*b)->m);
    atoll_free((*b)->tensors);
    atoll_free((*b)->ops);
    atoll_free(*b);
    *b = NULL;
}

/* Copies an array into the arena and points *p at it; false without memory. */
static bool own(struct atoll_arena *a, const void **p, size_t count, size_t elem)
{
    if (*p == NULL || count == 0) {
        *p = NULL;
        return true;
    }
    void *copy = atoll_arena_array(a, count, elem);
    if (copy != NULL) {
        memcpy(copy, *p, count * elem);
    }
    *p = copy;
    return copy != NULL;
}

static bool own_text(struct atoll_arena *a, const char **s)
{
    *s = *s == NULL ? "" : atoll_arena_strndup(a, *s, strlen(*s));
    return *s != NULL;
}

static bool own_quant(struct atoll_arena *a, struct atoll_quant *q)
{
    const void *scale = q->scale;
    const void *zero = q->zero_point;
    const void *min = q->min;
    const void *max = q->max;
    const bool ok =
        own(a, &scale, q->n, sizeof *q->scale) && own(a, &zero, q->n, sizeof *q->zero_point) &&
        own(a, &min, q->n_range, sizeof *q->min) && own(a, &max, q->n_range, sizeof *q->max);
    q->scale = scale;
    q->zero_point = zero;
    q->min = min;
    q->max = max;
    return ok;
}

int32_t atoll_builder_tensor(struct atoll_builder *b, const struct atoll_tensor *t, bool copy_data,
                             struct atoll_err *err)
{
    if (b->n_tensors >= ATOLL_TENSORS_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: more than %u tensors", b->m->path,
                          ATOLL_TENSORS_MAX);
    }
    struct atoll_tensor copy = *t;
    struct atoll_arena *a = b->m->arena;
    int rc = atoll__tensor_size(t, &copy.bytes, err);
    if (rc == 0 && (t->quant.n > 0 && (t->quant.scale == NULL || t->quant.zero_point == NULL))) {
        rc = atoll_fail(err, ATOLL_EUSAGE, "%u scales without values or zero points", t->quant.n);
    }
    if (rc == 0 && t->is_constant && t->data == NULL && t->fill.kind == ATOLL_FILL_NONE &&
        copy.bytes > 0) {
        rc = atoll_fail(err, ATOLL_EUSAGE, "a constant without bytes and without a fill");
    }
    if (rc != 0) {
        atoll_fail_at(err, "%s: tensor %zu '%.80s'", b->m->path, b->n_tensors,
                      t->name != NULL ? t->name : "");
        return rc;
    }
    copy.is_constant = t->is_constant || t->data != NULL || t->fill.kind != ATOLL_FILL_NONE;
    copy.data_bytes = !copy.is_constant ? 0 : t->data_bytes != 0 ? t->data_bytes : copy.bytes;
    if (copy.is_constant && copy.data_bytes == 0) { /* an empty constant is no constant in a file */
        copy.is_constant = false;
        copy.data = NULL;
    }
    copy.producer = -1;
    copy.consumers = NULL;
    copy.n_consumers = 0;
    const void *signature = t->shape_signature;
    bool ok = own_text(a, &copy.name) &&
              own(a, &signature, t->n_signature, sizeof *t->shape_signature) &&
              own_quant(a, &copy.quant);
    copy.shape_signature = signature;
    if (ok && copy_data && copy.data != NULL) {
        ok = own(a, &copy.data, (size_t)copy.data_bytes, 1);
    }
    if (ok && t->raw != NULL) {
        copy.raw = atoll__tensor_raw_copy(a, t->raw);
        ok = copy.raw != NULL;
    }
    void *array = b->tensors;
    if (!ok || atoll_grow(&array, &b->cap_tensors, b->n_tensors + 1, sizeof copy) != 0) {
        return atoll_fail_nomem(err, "a tensor", sizeof copy);
    }
    b->tensors = array;
    b->tensors[b->n_tensors] = copy;
    return (int32_t)b->n_tensors++;
}

struct atoll_tensor *atoll_builder_get(struct atoll_builder *b, int32_t tensor)
{
    return tensor < 0 || (size_t)tensor >= b->n_tensors ? NULL : &b->tensors[tensor];
}

static const struct atoll_tensor *tensor_of(const struct atoll_builder *b, const int32_t *list,
                                            uint32_t n, uint32_t i)
{
    return i < n && list[i] >= 0 && (size_t)list[i] < b->n_tensors ? &b->tensors[list[i]] : NULL;
}

/* The version that converters write for an operator with these tensors. */
static int32_t usual_version(const struct atoll_builder *b, const struct atoll_op *op)
{
    const struct atoll__opcode *o = atoll__opcode_get(op->code);
    const uint32_t data = op->code == ATOLL_OP_TRANSPOSE_CONV ? 2
                          : op->code == ATOLL_OP_SPLIT        ? 1
                                                              : 0;
    const struct atoll_tensor *x = tensor_of(b, op->inputs, op->n_inputs, data);
    const bool int8 = x != NULL && x->type == ATOLL_TYPE_INT8;
    const bool has_bias = tensor_of(b, op->inputs, op->n_inputs, 2) != NULL;
    if (op->code == ATOLL_OP_FULLY_CONNECTED && int8 && (!has_bias || op->attr.keep_dims)) {
        return !has_bias ? 6 : 5;
    }
    if (op->code == ATOLL_OP_TRANSPOSE_CONV && op->n_inputs == 4) {
        return 3;
    }
    if (op->attr.half_pixel_centers &&
        (op->code == ATOLL_OP_RESIZE_BILINEAR || op->code == ATOLL_OP_RESIZE_NEAREST_NEIGHBOR)) {
        return 3;
    }
    return o != NULL && int8 ? o->version_int8 : 1;
}

static void complete_op(const struct atoll_builder *b, struct atoll_op *op)
{
    if (op->version == 0) {
        op->version = usual_version(b, op);
    }
    if (op->code == ATOLL_OP_DEPTHWISE_CONV_2D && op->attr.depth_multiplier == 0 &&
        op->raw == NULL) {
        const struct atoll_tensor *x = tensor_of(b, op->inputs, op->n_inputs, 0);
        const struct atoll_tensor *w = tensor_of(b, op->inputs, op->n_inputs, 1);
        if (x != NULL && w != NULL && x->rank == 4 && w->rank == 4 && x->shape[3] > 0) {
            op->attr.depth_multiplier = w->shape[3] / x->shape[3];
        }
    }
}

int32_t atoll_builder_op(struct atoll_builder *b, const struct atoll_op *op, struct atoll_err *err)
{
    if (b->n_ops >= ATOLL_OPS_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: more than %u operators", b->m->path,
                          ATOLL_OPS_MAX);
    }
    struct atoll_op copy = *op;
    struct atoll_arena *a = b->m->arena;
    const void *inputs = op->inputs;
    const void *outputs = op->outputs;
    const void *intermediates = op->intermediates;
    const void *custom = op->custom_options;
    bool ok = own(a, &inputs, op->n_inputs, sizeof *op->inputs) &&
              own(a, &outputs, op->n_outputs, sizeof *op->outputs) &&
              own(a, &intermediates, op->n_intermediates, sizeof *op->intermediates) &&
              own(a, &custom, op->custom_options_bytes, 1);
    copy.inputs = inputs;
    copy.outputs = outputs;
    copy.intermediates = intermediates;
    copy.custom_options = custom;
    copy.custom_name = op->code == ATOLL_OP_CUSTOM ? op->custom_name : NULL;
    if (ok && op->code == ATOLL_OP_CUSTOM) {
        ok = own_text(a, &copy.custom_name);
    }
    if (ok && op->raw != NULL) {
        copy.raw = atoll__op_raw_copy(a, op->raw);
        ok = copy.raw != NULL;
    }
    complete_op(b, &copy);
    void *array = b->ops;
    if (!ok || atoll_grow(&array, &b->cap_ops, b->n_ops + 1, sizeof copy) != 0) {
        return atoll_fail_nomem(err, "an operator", sizeof copy);
    }
    b->ops = array;
    b->ops[b->n_ops] = copy;
    return (int32_t)b->n_ops++;
}

int atoll__builder_metadata(struct atoll_builder *b, const char *name, const void *bytes, size_t n,
                            struct atoll_err *err)
{
    struct atoll_model *m = b->m;
    struct atoll_metadata *all = atoll_arena_array(m->arena, m->n_metadata + 1, sizeof *all);
    struct atoll_metadata entry = {.name = name, .bytes = n};
    const void *data = bytes;
    if (all == NULL || !own_text(m->arena, &entry.name) || !own(m->arena, &data, n, 1)) {
        return atoll_fail_nomem(err, "metadata", n);
    }
    entry.data = data;
    if (m->n_metadata > 0) {
        memcpy(all, m->metadata, m->n_metadata * sizeof *all);
    }
    all[m->n_metadata++] = entry;
    m->metadata = all;
    return 0;
}

/* Shapes may have changed through atoll_builder_get since the constant was added. */
static void refresh_constants(struct atoll_model *m)
{
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        struct atoll_tensor *t = &m->tensors[i];
        uint64_t bytes = 0;
        if (t->is_constant && t->fill.kind != ATOLL_FILL_NONE &&
            atoll__tensor_size(t, &bytes, NULL) == 0) {
            t->data_bytes = bytes;
        }
    }
}

int atoll_builder_finish(struct atoll_builder **b, const int32_t *inputs, uint32_t n_inputs,
                         const int32_t *outputs, uint32_t n_outputs, struct atoll_model **model,
                         struct atoll_err *err)
{
    struct atoll_builder *w = *b;
    struct atoll_model *m = w->m;
    const void *in = inputs;
    const void *out = outputs;
    const void *tensors = w->tensors;
    const void *ops = w->ops;
    int rc = 0;
    if (!own(m->arena, &in, n_inputs, sizeof *inputs) ||
        !own(m->arena, &out, n_outputs, sizeof *outputs) ||
        !own(m->arena, &tensors, w->n_tensors, sizeof *w->tensors) ||
        !own(m->arena, &ops, w->n_ops, sizeof *w->ops)) {
        rc = atoll_fail_nomem(err, "a model", w->n_tensors * sizeof *w->tensors);
    } else {
        m->inputs = in;
        m->n_inputs = n_inputs;
        m->outputs = out;
        m->n_outputs = n_outputs;
        m->tensors =
            (struct atoll_tensor *)(uintptr_t)tensors; /* own memory, handed out as const */
        m->n_tensors = (uint32_t)w->n_tensors;
        m->ops = (struct atoll_op *)(uintptr_t)ops;
        m->n_ops = (uint32_t)w->n_ops;
        refresh_constants(m);
        rc = atoll__graph_link(m, err);
        if (rc != 0) {
            atoll_fail_at(err, "%s", m->path);
        }
    }
    if (rc == 0) {
        *model = m;
        w->m = NULL;
    }
    atoll_builder_destroy(b);
    return rc;
}
