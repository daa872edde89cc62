/* SPDX-License-Identifier: Apache-2.0 */
/* Is this the same graph? Tensors are matched by where operators use them, so their numbers may
 * differ. Answers NULL, or what differs first. */
#ifndef ATOLL_TESTS_MODEL_COMPARE_H
#define ATOLL_TESTS_MODEL_COMPARE_H

#include "model_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct compare {
    const struct atoll_model *a, *b;
    int32_t *b_of_a, *a_of_b;
    char text[300];
};

static inline const char *cmp_fail(struct compare *c, const char *what, const char *name)
{
    (void)snprintf(c->text, sizeof c->text, "%s of '%.200s' differs", what, name);
    return c->text;
}

static inline bool cmp_node(const struct atoll__node *a, const struct atoll__node *b);

/* Scalars count by value: absent is the default. */
static inline bool cmp_value(const struct atoll__field *f, const struct atoll__value *a,
                             const struct atoll__value *b)
{
    const uint64_t def = (uint64_t)(int64_t)f->def;
    const uint64_t mask = f->kind == ATOLL__BOOL || f->kind == ATOLL__I8 || f->kind == ATOLL__U8
                              ? 255
                          : f->kind == ATOLL__I64 || f->kind == ATOLL__U64 ? UINT64_MAX
                                                                           : UINT32_MAX;
    switch (f->kind) {
    case ATOLL__STRING: return a->present == b->present && (!a->present || strcmp(a->p, b->p) == 0);
    case ATOLL__VEC_U8:
    case ATOLL__VEC_U16:
    case ATOLL__VEC_I32: {
        const size_t elem = f->kind == ATOLL__VEC_U8 ? 1 : f->kind == ATOLL__VEC_U16 ? 2 : 4;
        return a->present == b->present && a->n == b->n &&
               (a->n == 0 || memcmp(a->p, b->p, a->n * elem) == 0);
    }
    case ATOLL__TABLE:
    case ATOLL__UNION:
        return a->present == b->present && a->bits == b->bits &&
               (!a->present || cmp_node(a->p, b->p));
    case ATOLL__VEC_TABLE: {
        struct atoll__node *const *na = a->p;
        struct atoll__node *const *nb = b->p;
        bool same = a->present == b->present && a->n == b->n;
        for (uint32_t i = 0; same && i < a->n; i++) {
            same = cmp_node(na[i], nb[i]);
        }
        return same;
    }
    default: return ((a->present ? a->bits : def) & mask) == ((b->present ? b->bits : def) & mask);
    }
}

static inline bool cmp_node(const struct atoll__node *a, const struct atoll__node *b)
{
    if (a == NULL || b == NULL || a->schema != b->schema) {
        return a == b;
    }
    for (uint32_t i = 0; i < a->schema->n_fields; i++) {
        if (!cmp_value(&a->schema->fields[i], &a->values[i], &b->values[i])) {
            return false;
        }
    }
    return true;
}

static inline bool cmp_bytes(const struct atoll_tensor *a, const struct atoll_tensor *b)
{
    if (a->data_bytes != b->data_bytes) {
        return false;
    }
    uint8_t *x = malloc((size_t)a->data_bytes + 1);
    uint8_t *y = malloc((size_t)b->data_bytes + 1);
    const bool same = x != NULL && y != NULL && atoll_tensor_bytes(a, x, NULL) == 0 &&
                      atoll_tensor_bytes(b, y, NULL) == 0 &&
                      memcmp(x, y, (size_t)a->data_bytes) == 0;
    free(x);
    free(y);
    return same;
}

static inline bool cmp_quant(const struct atoll_quant *a, const struct atoll_quant *b)
{
    return a->n == b->n && a->dimension == b->dimension && a->n_range == b->n_range &&
           (a->n == 0 || memcmp(a->scale, b->scale, a->n * 4) == 0) &&
           (a->n == 0 || memcmp(a->zero_point, b->zero_point, a->n * 8) == 0) &&
           (a->n_range == 0 || memcmp(a->min, b->min, a->n_range * 4) == 0) &&
           (a->n_range == 0 || memcmp(a->max, b->max, a->n_range * 4) == 0);
}

static inline const char *cmp_tensor(struct compare *c, int32_t i, int32_t j)
{
    if (i < 0 || j < 0) {
        return i == j ? NULL : cmp_fail(c, "presence", "an optional input");
    }
    const struct atoll_tensor *a = &c->a->tensors[i];
    const struct atoll_tensor *b = &c->b->tensors[j];
    if (c->b_of_a[i] != 0 || c->a_of_b[j] != 0) {
        return c->b_of_a[i] == j + 1 && c->a_of_b[j] == i + 1 ? NULL : cmp_fail(c, "use", a->name);
    }
    c->b_of_a[i] = j + 1;
    c->a_of_b[j] = i + 1;
    const struct atoll__tensor_raw *ra = a->raw;
    const struct atoll__tensor_raw *rb = b->raw;
    if (strcmp(a->name, b->name) != 0) {
        return cmp_fail(c, "name", a->name);
    }
    if (a->type != b->type || a->rank != b->rank || a->bytes != b->bytes ||
        memcmp(a->shape, b->shape, (size_t)a->rank * 4) != 0) {
        return cmp_fail(c, "type or shape", a->name);
    }
    if (a->n_signature != b->n_signature ||
        (a->n_signature > 0 &&
         memcmp(a->shape_signature, b->shape_signature, a->n_signature * 4) != 0)) {
        return cmp_fail(c, "signature", a->name);
    }
    if (!cmp_quant(&a->quant, &b->quant)) {
        return cmp_fail(c, "quantization", a->name);
    }
    if (a->is_variable != b->is_variable || a->is_constant != b->is_constant ||
        (a->is_constant && !cmp_bytes(a, b))) {
        return cmp_fail(c, "constant", a->name);
    }
    if ((ra != NULL) != (rb != NULL) ||
        (ra != NULL &&
         (!cmp_node(ra->sparsity, rb->sparsity) || ra->has_rank != rb->has_rank ||
          ra->n_custom_quant != rb->n_custom_quant || ra->n_variants != rb->n_variants))) {
        return cmp_fail(c, "rare field", a->name);
    }
    return NULL;
}

static inline const char *cmp_list(struct compare *c, const int32_t *a, uint32_t na,
                                   const int32_t *b, uint32_t nb, const char *what)
{
    const char *why = na == nb ? NULL : cmp_fail(c, "count", what);
    for (uint32_t i = 0; why == NULL && i < na; i++) {
        why = cmp_tensor(c, a[i], b[i]);
    }
    return why;
}

static inline const char *cmp_op(struct compare *c, const struct atoll_op *a,
                                 const struct atoll_op *b)
{
    const struct atoll__op_raw *ra = a->raw;
    const struct atoll__op_raw *rb = b->raw;
    char buf[64];
    const char *name = atoll_op_name(a, buf);
    if (a->code != b->code || a->version != b->version ||
        (a->custom_name != NULL) != (b->custom_name != NULL) ||
        (a->custom_name != NULL && strcmp(a->custom_name, b->custom_name) != 0)) {
        return cmp_fail(c, "code or version", name);
    }
    if (!atoll__attr_equal(&a->attr, &b->attr)) {
        return cmp_fail(c, "attributes", name);
    }
    if (ra != NULL && rb != NULL && !cmp_node(ra->options, rb->options)) {
        return cmp_fail(c, "options", name);
    }
    if (a->custom_options_bytes != b->custom_options_bytes ||
        (a->custom_options_bytes > 0 &&
         memcmp(a->custom_options, b->custom_options, a->custom_options_bytes) != 0)) {
        return cmp_fail(c, "custom options", name);
    }
    const char *why = cmp_list(c, a->inputs, a->n_inputs, b->inputs, b->n_inputs, name);
    why = why == NULL ? cmp_list(c, a->outputs, a->n_outputs, b->outputs, b->n_outputs, name) : why;
    return why == NULL ? cmp_list(c, a->intermediates, a->n_intermediates, b->intermediates,
                                  b->n_intermediates, name)
                       : why;
}

/* `order` gives the operators of a in the order they have in b; NULL: the same order. */
static inline const char *model_difference(const struct atoll_model *a, const struct atoll_model *b,
                                           const uint32_t *order)
{
    static char text[300];
    struct compare c = {.a = a, .b = b};
    c.b_of_a = calloc(a->n_tensors + 1, sizeof *c.b_of_a);
    c.a_of_b = calloc(b->n_tensors + 1, sizeof *c.a_of_b);
    const char *why = a->n_ops == b->n_ops ? NULL : "number of operators differs";
    for (uint32_t o = 0; why == NULL && o < a->n_ops; o++) {
        why = cmp_op(&c, &a->ops[order != NULL ? order[o] : o], &b->ops[o]);
    }
    why = why == NULL ? cmp_list(&c, a->inputs, a->n_inputs, b->inputs, b->n_inputs, "graph inputs")
                      : why;
    why = why == NULL
              ? cmp_list(&c, a->outputs, a->n_outputs, b->outputs, b->n_outputs, "graph outputs")
              : why;
    if (why == NULL && strcmp(a->description, b->description) != 0) {
        why = "description differs";
    }
    if (why == NULL && a->n_metadata != b->n_metadata) {
        why = "metadata differs";
    }
    for (uint32_t i = 0; why == NULL && i < a->n_metadata; i++) {
        if (strcmp(a->metadata[i].name, b->metadata[i].name) != 0 ||
            a->metadata[i].bytes != b->metadata[i].bytes ||
            (a->metadata[i].bytes > 0 &&
             memcmp(a->metadata[i].data, b->metadata[i].data, (size_t)a->metadata[i].bytes) != 0)) {
            why = "metadata differs";
        }
    }
    if (why != NULL) {
        (void)snprintf(text, sizeof text, "%s", why);
    }
    free(c.b_of_a);
    free(c.a_of_b);
    return why != NULL ? text : NULL;
}

#endif
