/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a model as a .tflite file. The order is fixed (metadata first, constants last, everything
 * by index), so that the same model gives the same bytes. */
#include "fbwrite.h"
#include "schema_core.h"

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX                                                                             \
    (UINT64_C(1) << 31)      /* references are 32 bits, and runtimes take them as signed */
#define PLACEHOLDER_CODE 127 /* what old readers see for newer operators */

struct writer {
    struct atoll__fw w;
    const struct atoll_model *m;
    struct atoll_arena scratch;
    struct atoll_err *err;
    int code;
    uint32_t *buffer_of;   ///< per tensor; 0: no constant
    uint32_t *buffer_user; ///< per constant buffer: the tensor whose bytes it holds
    uint32_t n_buffers;    ///< constants, not counting the empty buffer 0
    uint32_t *code_of;     ///< per operator: index into the operator codes
    uint32_t *code_user;   ///< per operator code: the first operator with it
    uint32_t n_codes;
};

/* ----------------------------------------------- which constants share bytes */

struct const_key {
    uint64_t where, bytes, kind;
    uint32_t tensor;
};

static int compare_keys(const void *x, const void *y)
{
    const struct const_key *a = x;
    const struct const_key *b = y;
    const uint64_t va[4] = {a->where, a->bytes, a->kind, a->tensor};
    const uint64_t vb[4] = {b->where, b->bytes, b->kind, b->tensor};
    for (size_t i = 0; i < LEN(va); i++) {
        if (va[i] != vb[i]) {
            return va[i] < vb[i] ? -1 : 1;
        }
    }
    return 0;
}

/* Tensors with the same bytes in memory (or the same fill) get one buffer; buffers are numbered by
 * the first tensor that uses them. */
static int number_buffers(struct writer *s)
{
    const struct atoll_model *m = s->m;
    struct const_key *keys = atoll_calloc(m->n_tensors, sizeof *keys);
    s->buffer_of = atoll_calloc(m->n_tensors, sizeof *s->buffer_of);
    s->buffer_user = atoll_calloc((size_t)m->n_tensors + 1, sizeof *s->buffer_user);
    if (keys == NULL || s->buffer_of == NULL || s->buffer_user == NULL) {
        atoll_free(keys);
        return atoll_fail_nomem(s->err, "the list of buffers", m->n_tensors * sizeof *keys);
    }
    size_t n = 0;
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        const struct atoll_tensor *t = &m->tensors[i];
        if (t->is_constant && t->data_bytes > 0) {
            keys[n++] = (struct const_key){
                .where = t->data != NULL ? (uint64_t)(uintptr_t)t->data : t->fill.seed,
                .bytes = t->data_bytes,
                .kind = t->data != NULL ? UINT64_MAX : (uint64_t)t->fill.kind,
                .tensor = i};
        }
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    for (size_t i = 0; i < n; i++) { /* for now: the first tensor of the group, plus one */
        const bool same = i > 0 && keys[i].where == keys[i - 1].where &&
                          keys[i].bytes == keys[i - 1].bytes && keys[i].kind == keys[i - 1].kind;
        s->buffer_of[keys[i].tensor] = same ? s->buffer_of[keys[i - 1].tensor] : keys[i].tensor + 1;
    }
    atoll_free(keys);
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        const uint32_t first = s->buffer_of[i];
        if (first == i + 1) {
            s->buffer_user[++s->n_buffers] = i;
            s->buffer_of[i] = s->n_buffers;
        } else if (first != 0) { /* its first tensor has a lower index and is numbered already */
            s->buffer_of[i] = s->buffer_of[first - 1];
        }
    }
    return 0;
}

static bool same_code(const struct atoll_op *a, const struct atoll_op *b)
{
    return a->code == b->code && a->version == b->version &&
           strcmp(a->custom_name != NULL ? a->custom_name : "",
                  b->custom_name != NULL ? b->custom_name : "") == 0;
}

static int number_codes(struct writer *s)
{
    const struct atoll_model *m = s->m;
    s->code_of = atoll_calloc(m->n_ops, sizeof *s->code_of);
    s->code_user = atoll_calloc(m->n_ops, sizeof *s->code_user);
    if (s->code_of == NULL || s->code_user == NULL) {
        return atoll_fail_nomem(s->err, "the list of operator codes",
                                m->n_ops * sizeof *s->code_of);
    }
    for (uint32_t o = 0; o < m->n_ops; o++) {
        uint32_t c = 0;
        while (c < s->n_codes && !same_code(&m->ops[s->code_user[c]], &m->ops[o])) {
            c++;
        }
        if (c == s->n_codes) {
            s->code_user[s->n_codes++] = o;
        }
        s->code_of[o] = c;
    }
    return 0;
}

/* --------------------------------------------------------------- small writers */

static size_t ints(struct writer *s, const int32_t *list, uint32_t n)
{
    return atoll__fw_vector(&s->w, list, n, 4, 4);
}

static size_t write_node(struct writer *s, const struct atoll__node *n);

static size_t write_nodes(struct writer *s, struct atoll__node *const *nodes, uint32_t n)
{
    const size_t vector = atoll__fw_vector(&s->w, NULL, n, 4, 4);
    for (uint32_t i = 0; i < n; i++) {
        atoll__fw_link_at(&s->w, atoll__fw_element(vector, i), write_node(s, nodes[i]));
    }
    return vector;
}

static void describe_field(struct atoll__fw_table *t, const struct atoll__field *f,
                           const struct atoll__value *v)
{
    const uint64_t def = (uint64_t)(int64_t)f->def;
    switch (f->kind) {
    case ATOLL__BOOL:
    case ATOLL__I8:
    case ATOLL__U8: atoll__fw_scalar(t, f->id, 1, v->bits, def); break;
    case ATOLL__I32:
    case ATOLL__U32:
    case ATOLL__F32: atoll__fw_scalar(t, f->id, 4, v->bits, def); break;
    case ATOLL__I64:
    case ATOLL__U64: atoll__fw_scalar(t, f->id, 8, v->bits, def); break;
    case ATOLL__UNION:
        atoll__fw_scalar(t, f->id, 1, v->bits, 0);
        atoll__fw_ref(t, f->id + 1u);
        break;
    default: atoll__fw_ref(t, f->id); break;
    }
}

static void write_child(struct writer *s, const struct atoll__fw_table *t,
                        const struct atoll__field *f, const struct atoll__value *v)
{
    size_t pos = 0;
    switch (f->kind) {
    case ATOLL__STRING: pos = atoll__fw_string(&s->w, v->p); break;
    case ATOLL__VEC_U8: pos = atoll__fw_vector(&s->w, v->p, v->n, 1, 1); break;
    case ATOLL__VEC_U16: pos = atoll__fw_vector(&s->w, v->p, v->n, 2, 2); break;
    case ATOLL__VEC_I32: pos = atoll__fw_vector(&s->w, v->p, v->n, 4, 4); break;
    case ATOLL__TABLE:
    case ATOLL__UNION: pos = write_node(s, v->p); break;
    case ATOLL__VEC_TABLE: pos = write_nodes(s, v->p, v->n); break;
    default: return;
    }
    atoll__fw_link(&s->w, t, f->kind == ATOLL__UNION ? f->id + 1u : f->id, pos);
}

/* The reader bounds how deep nodes nest. */
static size_t write_node(struct writer *s, const struct atoll__node *n)
{
    struct atoll__fw_table t = {0};
    for (uint32_t i = 0; i < n->schema->n_fields; i++) {
        if (n->values[i].present) {
            describe_field(&t, &n->schema->fields[i], &n->values[i]);
        }
    }
    const size_t pos = atoll__fw_table_write(&s->w, &t);
    for (uint32_t i = 0; i < n->schema->n_fields; i++) {
        if (n->values[i].present) {
            write_child(s, &t, &n->schema->fields[i], &n->values[i]);
        }
    }
    return pos;
}

/* -------------------------------------------------------------------- tensors */

static size_t write_quant(struct writer *s, const struct atoll_quant *q,
                          const struct atoll__tensor_raw *raw)
{
    const bool custom = raw != NULL && raw->has_custom_quant;
    struct atoll__fw_table t = {0};
    if (q->n_range > 0) {
        atoll__fw_ref(&t, QUANT_MIN);
        atoll__fw_ref(&t, QUANT_MAX);
    }
    if (q->n > 0) {
        atoll__fw_ref(&t, QUANT_SCALE);
        atoll__fw_ref(&t, QUANT_ZERO);
    }
    if (custom) {
        atoll__fw_scalar(&t, QUANT_DETAILS_TYPE, 1, QUANT_DETAILS_CUSTOM, 0);
        atoll__fw_ref(&t, QUANT_DETAILS);
    }
    atoll__fw_scalar(&t, QUANT_DIMENSION, 4, (uint32_t)q->dimension, 0);
    const size_t pos = atoll__fw_table_write(&s->w, &t);
    if (q->n_range > 0) {
        atoll__fw_link(&s->w, &t, QUANT_MIN, atoll__fw_vector(&s->w, q->min, q->n_range, 4, 4));
        atoll__fw_link(&s->w, &t, QUANT_MAX, atoll__fw_vector(&s->w, q->max, q->n_range, 4, 4));
    }
    if (q->n > 0) {
        atoll__fw_link(&s->w, &t, QUANT_SCALE, atoll__fw_vector(&s->w, q->scale, q->n, 4, 4));
        atoll__fw_link(&s->w, &t, QUANT_ZERO, atoll__fw_vector(&s->w, q->zero_point, q->n, 8, 8));
    }
    if (custom) {
        struct atoll__fw_table c = {0};
        atoll__fw_ref(&c, 0);
        atoll__fw_link(&s->w, &t, QUANT_DETAILS, atoll__fw_table_write(&s->w, &c));
        atoll__fw_link(&s->w, &c, 0,
                       atoll__fw_vector(&s->w, raw->custom_quant, raw->n_custom_quant, 1, 16));
    }
    return pos;
}

static size_t write_tensor(struct writer *s, uint32_t index)
{
    const struct atoll_tensor *x = &s->m->tensors[index];
    const struct atoll__tensor_raw *raw = x->raw;
    if (raw != NULL && raw->lossy_what != NULL && s->code == 0) {
        s->code = atoll_fail(s->err, ATOLL_EUNSUPPORTED, "tensor %u '%.80s' holds %s", index,
                             x->name, raw->lossy_what);
    }
    const bool quant = x->quant.n > 0 || x->quant.n_range > 0 || x->quant.dimension != 0 ||
                       (raw != NULL && raw->has_custom_quant);
    const bool sparse = raw != NULL && raw->sparsity != NULL;
    const bool variants = raw != NULL && raw->n_variants > 0;
    struct atoll__fw_table t = {0};
    atoll__fw_ref(&t, TENSOR_SHAPE);
    atoll__fw_scalar(&t, TENSOR_TYPE, 1, (uint64_t)x->type, 0);
    atoll__fw_scalar(&t, TENSOR_BUFFER, 4, s->buffer_of[index], 0);
    atoll__fw_ref(&t, TENSOR_NAME);
    atoll__fw_scalar(&t, TENSOR_VARIABLE, 1, x->is_variable, 0);
    atoll__fw_scalar(&t, TENSOR_HAS_RANK, 1, raw != NULL && raw->has_rank, 0);
    if (quant) {
        atoll__fw_ref(&t, TENSOR_QUANT);
    }
    if (sparse) {
        atoll__fw_ref(&t, TENSOR_SPARSITY);
    }
    if (x->n_signature > 0) {
        atoll__fw_ref(&t, TENSOR_SIGNATURE);
    }
    if (variants) {
        atoll__fw_ref(&t, TENSOR_VARIANTS);
    }
    const size_t pos = atoll__fw_table_write(&s->w, &t);
    atoll__fw_link(&s->w, &t, TENSOR_SHAPE, ints(s, x->shape, (uint32_t)x->rank));
    atoll__fw_link(&s->w, &t, TENSOR_NAME, atoll__fw_string(&s->w, x->name));
    if (quant) {
        atoll__fw_link(&s->w, &t, TENSOR_QUANT, write_quant(s, &x->quant, raw));
    }
    if (sparse) {
        atoll__fw_link(&s->w, &t, TENSOR_SPARSITY, write_node(s, raw->sparsity));
    }
    if (x->n_signature > 0) {
        atoll__fw_link(&s->w, &t, TENSOR_SIGNATURE, ints(s, x->shape_signature, x->n_signature));
    }
    if (variants) {
        atoll__fw_link(&s->w, &t, TENSOR_VARIANTS, write_nodes(s, raw->variants, raw->n_variants));
    }
    return pos;
}

/* ------------------------------------------------------------------ operators */

static size_t write_code(struct writer *s, uint32_t index)
{
    const struct atoll_op *op = &s->m->ops[s->code_user[index]];
    struct atoll__fw_table t = {0};
    const int32_t old = op->code < PLACEHOLDER_CODE ? op->code : PLACEHOLDER_CODE;
    atoll__fw_scalar(&t, CODE_DEPRECATED, 1, (uint8_t)old, 0);
    atoll__fw_scalar(&t, CODE_VERSION, 4, (uint32_t)op->version, 1);
    atoll__fw_scalar(&t, CODE_BUILTIN, 4, (uint32_t)op->code, 0);
    if (op->custom_name != NULL) {
        atoll__fw_ref(&t, CODE_CUSTOM);
    }
    const size_t pos = atoll__fw_table_write(&s->w, &t);
    if (op->custom_name != NULL) {
        atoll__fw_link(&s->w, &t, CODE_CUSTOM, atoll__fw_string(&s->w, op->custom_name));
    }
    return pos;
}

static size_t write_op(struct writer *s, uint32_t index)
{
    const struct atoll_op *op = &s->m->ops[index];
    const struct atoll__op_raw *raw = op->raw;
    const struct atoll__node *options = NULL;
    uint8_t type = 0;
    char buf[64];
    if (s->code == 0 && raw != NULL && raw->lossy_what != NULL) {
        s->code = atoll_fail(s->err, ATOLL_EUNSUPPORTED, "operator %u (%.60s) holds %s", index,
                             atoll_op_name(op, buf), raw->lossy_what);
    }
    if (s->code == 0 && atoll__op_node(&s->scratch, s->m, op, &options, &type) != 0) {
        s->code = atoll_fail_nomem(s->err, "the options of an operator", 0);
    }
    struct atoll__fw_table t = {0};
    atoll__fw_scalar(&t, OP_CODE, 4, s->code_of[index], 0);
    atoll__fw_ref(&t, OP_INPUTS);
    atoll__fw_ref(&t, OP_OUTPUTS);
    if (options != NULL) {
        atoll__fw_scalar(&t, OP_OPTIONS_TYPE, 1, type, 0);
        atoll__fw_ref(&t, OP_OPTIONS);
    }
    if (op->custom_options != NULL) {
        atoll__fw_ref(&t, OP_CUSTOM);
    }
    if (raw != NULL) {
        atoll__fw_scalar(&t, OP_CUSTOM_FORMAT, 1, (uint8_t)raw->custom_format, 0);
    }
    if (raw != NULL && raw->n_mutating > 0) {
        atoll__fw_ref(&t, OP_MUTATING);
    }
    if (op->n_intermediates > 0) {
        atoll__fw_ref(&t, OP_INTERMEDIATES);
    }
    const size_t pos = atoll__fw_table_write(&s->w, &t);
    atoll__fw_link(&s->w, &t, OP_INPUTS, ints(s, op->inputs, op->n_inputs));
    atoll__fw_link(&s->w, &t, OP_OUTPUTS, ints(s, op->outputs, op->n_outputs));
    if (options != NULL) {
        atoll__fw_link(&s->w, &t, OP_OPTIONS, write_node(s, options));
    }
    if (op->custom_options != NULL) {
        atoll__fw_link(
            &s->w, &t, OP_CUSTOM,
            atoll__fw_vector(&s->w, op->custom_options, op->custom_options_bytes, 1, 16));
    }
    if (raw != NULL && raw->n_mutating > 0) {
        atoll__fw_link(&s->w, &t, OP_MUTATING,
                       atoll__fw_vector(&s->w, raw->mutating, raw->n_mutating, 1, 1));
    }
    if (op->n_intermediates > 0) {
        atoll__fw_link(&s->w, &t, OP_INTERMEDIATES,
                       ints(s, op->intermediates, op->n_intermediates));
    }
    return pos;
}

/* ------------------------------------------------------------------- the whole */

typedef size_t (*write_fn)(struct writer *s, uint32_t index);

static size_t write_list(struct writer *s, uint32_t n, write_fn one)
{
    const size_t vector = atoll__fw_vector(&s->w, NULL, n, 4, 4);
    for (uint32_t i = 0; i < n && s->code == 0 && !s->w.failed; i++) {
        atoll__fw_link_at(&s->w, atoll__fw_element(vector, i), one(s, i));
    }
    return vector;
}

static size_t write_subgraph(struct writer *s, uint32_t index)
{
    const struct atoll_model *m = s->m;
    (void)index;
    struct atoll__fw_table t = {0};
    atoll__fw_ref(&t, GRAPH_TENSORS);
    atoll__fw_ref(&t, GRAPH_INPUTS);
    atoll__fw_ref(&t, GRAPH_OUTPUTS);
    atoll__fw_ref(&t, GRAPH_OPERATORS);
    if (m->subgraph_name[0] != 0) {
        atoll__fw_ref(&t, GRAPH_NAME);
    }
    const size_t pos = atoll__fw_table_write(&s->w, &t);
    atoll__fw_link(&s->w, &t, GRAPH_INPUTS, ints(s, m->inputs, m->n_inputs));
    atoll__fw_link(&s->w, &t, GRAPH_OUTPUTS, ints(s, m->outputs, m->n_outputs));
    if (m->subgraph_name[0] != 0) {
        atoll__fw_link(&s->w, &t, GRAPH_NAME, atoll__fw_string(&s->w, m->subgraph_name));
    }
    atoll__fw_link(&s->w, &t, GRAPH_TENSORS, write_list(s, m->n_tensors, write_tensor));
    atoll__fw_link(&s->w, &t, GRAPH_OPERATORS, write_list(s, m->n_ops, write_op));
    return pos;
}

static size_t write_metadata(struct writer *s, uint32_t index)
{
    struct atoll__fw_table t = {0};
    atoll__fw_ref(&t, METADATA_NAME);
    atoll__fw_scalar(&t, METADATA_BUFFER, 4, 1 + s->n_buffers + index, 0);
    const size_t pos = atoll__fw_table_write(&s->w, &t);
    atoll__fw_link(&s->w, &t, METADATA_NAME, atoll__fw_string(&s->w, s->m->metadata[index].name));
    return pos;
}

/* The tables of all buffers first, then their bytes. */
static size_t write_buffers(struct writer *s)
{
    const struct atoll_model *m = s->m;
    const uint32_t n = 1 + s->n_buffers + m->n_metadata;
    const size_t vector = atoll__fw_vector(&s->w, NULL, n, 4, 4);
    size_t *slots = atoll_arena_array(&s->scratch, n, sizeof *slots);
    if (slots == NULL) {
        s->code = atoll_fail_nomem(s->err, "the buffers", n * sizeof *slots);
        return vector;
    }
    for (uint32_t i = 0; i < n; i++) {
        const bool empty =
            i == 0 || (i > s->n_buffers && m->metadata[i - 1 - s->n_buffers].bytes == 0);
        struct atoll__fw_table t = {0};
        if (!empty) {
            atoll__fw_ref(&t, BUFFER_DATA);
        }
        atoll__fw_link_at(&s->w, atoll__fw_element(vector, i), atoll__fw_table_write(&s->w, &t));
        slots[i] = empty ? 0 : t.slots[0].pos;
    }
    for (uint32_t i = 1; i < n && !s->w.failed; i++) {
        if (slots[i] == 0) {
            continue;
        }
        if (i > s->n_buffers) {
            const struct atoll_metadata *e = &m->metadata[i - 1 - s->n_buffers];
            atoll__fw_link_at(&s->w, slots[i],
                              atoll__fw_vector(&s->w, e->data, (uint32_t)e->bytes, 1, 16));
            continue;
        }
        const struct atoll_tensor *x = &m->tensors[s->buffer_user[i]];
        const size_t pos = atoll__fw_vector(&s->w, x->data, (uint32_t)x->data_bytes, 1, 16);
        atoll__fw_link_at(&s->w, slots[i], pos);
        if (x->data == NULL && !s->w.failed) {
            atoll__fill_write(&x->fill, x->data_bytes, s->w.data + pos + 4);
        }
    }
    return vector;
}

static void write_model(struct writer *s)
{
    const struct atoll_model *m = s->m;
    const struct atoll__model_raw *raw = m->raw;
    struct atoll__fw_table t = {0};
    atoll__fw_scalar(&t, MODEL_VERSION, 4, m->version, 0);
    atoll__fw_ref(&t, MODEL_CODES);
    atoll__fw_ref(&t, MODEL_SUBGRAPHS);
    atoll__fw_ref(&t, MODEL_BUFFERS);
    if (m->description[0] != 0) {
        atoll__fw_ref(&t, MODEL_DESCRIPTION);
    }
    if (m->n_metadata > 0) {
        atoll__fw_ref(&t, MODEL_METADATA);
    }
    if (raw != NULL && raw->n_signatures > 0) {
        atoll__fw_ref(&t, MODEL_SIGNATURES);
    }
    atoll__fw_link_at(&s->w, 0, atoll__fw_table_write(&s->w, &t));
    if (m->description[0] != 0) {
        atoll__fw_link(&s->w, &t, MODEL_DESCRIPTION, atoll__fw_string(&s->w, m->description));
    }
    atoll__fw_link(&s->w, &t, MODEL_CODES, write_list(s, s->n_codes, write_code));
    atoll__fw_link(&s->w, &t, MODEL_SUBGRAPHS, write_list(s, 1, write_subgraph));
    if (m->n_metadata > 0) {
        atoll__fw_link(&s->w, &t, MODEL_METADATA, write_list(s, m->n_metadata, write_metadata));
    }
    if (raw != NULL && raw->n_signatures > 0) {
        atoll__fw_link(&s->w, &t, MODEL_SIGNATURES,
                       write_nodes(s, raw->signatures, raw->n_signatures));
    }
    if (s->code == 0 && !s->w.failed) {
        atoll__fw_link(&s->w, &t, MODEL_BUFFERS, write_buffers(s));
    }
}

/* Bytes of all constants, so that the file is allocated once. */
static int constant_bytes(struct writer *s, uint64_t *bytes)
{
    *bytes = 0;
    for (uint32_t i = 1; i <= s->n_buffers; i++) {
        *bytes = atoll__sat_add(*bytes, s->m->tensors[s->buffer_user[i]].data_bytes + 64);
    }
    for (uint32_t i = 0; i < s->m->n_metadata; i++) {
        *bytes = atoll__sat_add(*bytes, atoll__sat_add(s->m->metadata[i].bytes, 64));
    }
    return *bytes < FILE_BYTES_MAX
               ? 0
               : atoll_fail(s->err, ATOLL_ELIMIT,
                            "%llu bytes of constants (a file holds less than 2 GiB)",
                            (unsigned long long)*bytes);
}

static int serialize(struct writer *s)
{
    const struct atoll_model *m = s->m;
    const struct atoll__model_raw *raw = m->raw;
    uint64_t constants = 0;
    int rc = raw != NULL && raw->lossy_what != NULL
                 ? atoll_fail(s->err, ATOLL_EUNSUPPORTED, "the model holds %s", raw->lossy_what)
                 : 0;
    rc = rc == 0 ? number_buffers(s) : rc;
    rc = rc == 0 ? number_codes(s) : rc;
    rc = rc == 0 ? constant_bytes(s, &constants) : rc;
    if (rc != 0) {
        return rc;
    }
    const size_t tables = 4096 + 512 * ((size_t)m->n_tensors + m->n_ops);
    atoll__fw_init(&s->w, "TFL3", (size_t)constants + tables);
    write_model(s);
    if (s->code == 0 && s->w.failed) {
        s->code = atoll_fail_nomem(s->err, "the bytes of a model", (size_t)constants + tables);
    }
    if (s->code == 0 && s->w.size >= FILE_BYTES_MAX) {
        s->code =
            atoll_fail(s->err, ATOLL_ELIMIT, "%zu bytes (a file holds less than 2 GiB)", s->w.size);
    }
    return s->code;
}

int atoll_model_serialize(const struct atoll_model *m, uint8_t **bytes, size_t *n,
                          struct atoll_err *err)
{
    int rc = atoll__need_one_subgraph(m, err);
    if (rc != 0) {
        return rc;
    }
    struct writer s = {.m = m, .err = err};
    atoll_arena_init(&s.scratch);
    rc = serialize(&s);
    if (rc == 0) {
        *bytes = s.w.data;
        *n = s.w.size;
        s.w.data = NULL;
    } else {
        atoll_fail_at(err, "%s", m->path);
    }
    atoll__fw_finish(&s.w);
    atoll_arena_finish(&s.scratch);
    atoll_free(s.buffer_of);
    atoll_free(s.buffer_user);
    atoll_free(s.code_of);
    atoll_free(s.code_user);
    return rc;
}

int atoll_model_write(const struct atoll_model *m, const char *path, struct atoll_err *err)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    int rc = atoll_model_serialize(m, &bytes, &n, err);
    rc = rc == 0 ? atoll_write_file(path, bytes, n, err) : rc;
    atoll_free(bytes);
    return rc;
}
