/* SPDX-License-Identifier: Apache-2.0 */
/* The option table that the writer gives an operator: what its file held, with the flat attributes
 * laid over it when they were changed, or all of it made from attributes and tensors. */
#include "model_internal.h"

#include <string.h>

static void set_bits(struct atoll__value *v, uint64_t bits)
{
    v->present = true;
    v->bits = bits;
}

static void set_from_attr(const struct atoll__field *f, const struct atoll_op_attr *attr,
                          struct atoll__value *v)
{
    const char *at = (const char *)attr + f->attr_offset;
    if (f->kind == ATOLL__BOOL) {
        bool b = false;
        memcpy(&b, at, sizeof b);
        set_bits(v, b);
    } else { /* 4 bytes: an int, an enum or a float */
        uint32_t word = 0;
        memcpy(&word, at, sizeof word);
        set_bits(v, f->kind == ATOLL__I8 ? (uint8_t)word : word);
    }
}

static bool set_ints(struct atoll_arena *a, struct atoll__value *v, const int32_t *list, uint32_t n)
{
    int32_t *copy = atoll_arena_array(a, n, sizeof *copy);
    if (copy == NULL) {
        return false;
    }
    if (n > 0) {
        memcpy(copy, list, n * sizeof *copy);
    }
    *v = (struct atoll__value){.present = true, .p = copy, .n = n};
    return true;
}

/* The dimensions of x that y has not: matched from the left, what does not match is one of size 1.
 */
static uint32_t squeezed(const struct atoll_tensor *x, const struct atoll_tensor *y,
                         int32_t dims[ATOLL_RANK_MAX])
{
    uint32_t n = 0;
    int32_t j = 0;
    for (int32_t i = 0; i < x->rank; i++) {
        if (j < y->rank && x->shape[i] == y->shape[j]) {
            j++;
        } else {
            dims[n++] = i;
        }
    }
    return n;
}

static bool derive(struct atoll_arena *a, const struct atoll_model *m, const struct atoll_op *op,
                   unsigned how, struct atoll__value *v)
{
    const struct atoll_tensor *x = atoll__op_input(m, op, 0);
    const struct atoll_tensor *y = op->n_outputs > 0 ? &m->tensors[op->outputs[0]] : NULL;
    int32_t dims[ATOLL_RANK_MAX];
    switch (how) {
    case ATOLL__IN_TYPE:
        if (x != NULL) {
            set_bits(v, (uint64_t)x->type);
        }
        return true;
    case ATOLL__OUT_TYPE:
        if (y != NULL) {
            set_bits(v, (uint64_t)y->type);
        }
        return true;
    case ATOLL__OUT_SHAPE: return y == NULL || set_ints(a, v, y->shape, (uint32_t)y->rank);
    case ATOLL__SQUEEZE:
        return x == NULL || y == NULL || set_ints(a, v, dims, squeezed(x, y, dims));
    default: return true;
    }
}

int atoll__op_node(struct atoll_arena *a, const struct atoll_model *m, const struct atoll_op *op,
                   const struct atoll__node **node, uint8_t *options_type)
{
    const struct atoll__op_raw *raw = op->raw;
    const struct atoll__opcode *o = atoll__opcode_get(op->code);
    const bool from_file = raw != NULL && raw->options != NULL;
    *node = NULL;
    *options_type = from_file ? raw->options_type : o != NULL ? o->options : 0;
    if (raw != NULL && atoll__attr_equal(&raw->attr, &op->attr)) {
        *node = raw->options;
        *options_type = from_file ? raw->options_type : 0;
        return 0;
    }
    const struct atoll__schema *schema = atoll__option_schema(*options_type);
    if (schema == NULL || !schema->known) {
        *options_type = 0;
        return 0;
    }
    struct atoll__node *n =
        from_file ? atoll__node_copy(a, raw->options) : atoll__node_new(a, schema);
    bool ok = n != NULL;
    for (uint32_t i = 0; ok && i < schema->n_fields; i++) {
        const struct atoll__field *f = &schema->fields[i];
        if (f->in_attr) {
            set_from_attr(f, &op->attr, &n->values[i]);
        } else if (!from_file) {
            ok = derive(a, m, op, f->derive, &n->values[i]);
        }
    }
    *node = n;
    return ok ? 0 : ATOLL_ENOMEM;
}
