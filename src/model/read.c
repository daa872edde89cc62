/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a .tflite file into a graph. Only metadata is looked at: a constant's bytes are bounded,
 * never touched. Field numbers: tensorflow/lite/schema/schema.fbs, version 3. */
#include "model_internal.h"
#include "schema_core.h"

#include <string.h>

struct reader {
    struct atoll__fb fb;
    struct atoll_model *m;
    struct atoll__model_raw *raw;
    struct atoll__fb_vec codes, buffers;
};

static void *arena_need(struct reader *r, size_t count, size_t bytes, const char *what)
{
    void *p = atoll_arena_array(r->m->arena, count, bytes);
    if (p == NULL) {
        atoll__fb_nomem(&r->fb, what, count * bytes);
    }
    return p;
}

/* Bytes that stand outside the FlatBuffer (files above 2 GiB): absolute offset and size. */
static const uint8_t *outside_bytes(struct reader *r, uint64_t offset, uint64_t size,
                                    const char *what)
{
    if (offset > r->fb.size || size > r->fb.size - offset) {
        atoll__fb_fail(&r->fb, ATOLL_EINPUT,
                       "%s: %llu bytes at offset %llu leave the file of %zu bytes", what,
                       (unsigned long long)size, (unsigned long long)offset, r->fb.size);
        return NULL;
    }
    return r->fb.data + offset;
}

static const uint8_t *buffer_bytes(struct reader *r, uint32_t index, uint64_t *n)
{
    *n = 0;
    if (index >= r->buffers.n) {
        /* Files without constants may have no buffers at all. */
        if (index != 0) {
            atoll__fb_fail(&r->fb, ATOLL_EINPUT, "buffer %u (expected 0 to %u)", index,
                           r->buffers.n == 0 ? 0 : r->buffers.n - 1);
        }
        return NULL;
    }
    const struct atoll__fb_table b = atoll__fb_table_at(&r->fb, &r->buffers, index, "Buffer");
    const struct atoll__fb_vec data = atoll__fb_vector(&r->fb, &b, BUFFER_DATA, 1);
    const uint64_t offset = atoll__fb_u64(&r->fb, &b, BUFFER_OFFSET, 0);
    if (data.n == 0 && offset > 1) { /* 0 and 1 mean: inside */
        *n = atoll__fb_u64(&r->fb, &b, BUFFER_SIZE, 0);
        const uint8_t *p = outside_bytes(r, offset, *n, "Buffer");
        *n = p == NULL ? 0 : *n;
        return *n > 0 ? p : NULL;
    }
    *n = data.n;
    return data.n > 0 ? data.data : NULL;
}

static void read_range(struct reader *r, const struct atoll__fb_table *q, struct atoll_quant *out)
{
    const struct atoll__fb_vec lo = atoll__fb_vector(&r->fb, q, QUANT_MIN, 4);
    const struct atoll__fb_vec hi = atoll__fb_vector(&r->fb, q, QUANT_MAX, 4);
    if (lo.n > 0 && lo.n == hi.n) {
        out->min = atoll__fb_copy(&r->fb, r->m->arena, &lo, 4);
        out->max = atoll__fb_copy(&r->fb, r->m->arena, &hi, 4);
        out->n_range = lo.n;
    } else if (lo.n != hi.n) {
        atoll__fb_fail(&r->fb, ATOLL_EINPUT,
                       "%u quantization minima and %u maxima (expected as many)", lo.n, hi.n);
    }
}

static void read_quant(struct reader *r, const struct atoll__fb_table *t, struct atoll_tensor *out,
                       struct atoll__tensor_raw *raw)
{
    const struct atoll__fb_table q =
        atoll__fb_sub(&r->fb, t, TENSOR_QUANT, "QuantizationParameters");
    if (q.pos == 0) {
        return;
    }
    read_range(r, &q, &out->quant);
    const struct atoll__fb_vec scale = atoll__fb_vector(&r->fb, &q, QUANT_SCALE, 4);
    const struct atoll__fb_vec zero = atoll__fb_vector(&r->fb, &q, QUANT_ZERO, 8);
    out->quant.dimension = atoll__fb_i32(&r->fb, &q, QUANT_DIMENSION, 0);
    if (scale.n > 0) {
        if (zero.n != 0 && zero.n != scale.n && zero.n != 1) {
            atoll__fb_fail(&r->fb, ATOLL_EINPUT, "%u scales and %u zero points (expected as many)",
                           scale.n, zero.n);
            return;
        }
        out->quant.n = scale.n;
        out->quant.scale = atoll__fb_copy(&r->fb, r->m->arena, &scale, 4);
        if (zero.n == scale.n) {
            out->quant.zero_point = atoll__fb_copy(&r->fb, r->m->arena, &zero, 8);
        } else { /* absent: 0 for all; one: the same for all */
            int64_t *all = arena_need(r, scale.n, sizeof *all, "zero points");
            for (uint32_t i = 0; all != NULL && zero.n == 1 && i < scale.n; i++) {
                memcpy(&all[i], zero.data, sizeof all[i]);
            }
            out->quant.zero_point = all;
        }
    }
    const uint8_t details = atoll__fb_u8(&r->fb, &q, QUANT_DETAILS_TYPE, 0);
    if (details > QUANT_DETAILS_CUSTOM) {
        raw->lossy_what = "quantization details of an unknown kind";
    } else if (details == QUANT_DETAILS_CUSTOM) {
        const struct atoll__fb_table custom =
            atoll__fb_sub(&r->fb, &q, QUANT_DETAILS, "CustomQuantization");
        const struct atoll__fb_vec bytes = atoll__fb_vector(&r->fb, &custom, 0, 1);
        raw->has_custom_quant = custom.pos != 0;
        raw->custom_quant = bytes.data;
        raw->n_custom_quant = bytes.n;
    }
}

static struct atoll__node **read_nodes(struct reader *r, const struct atoll__fb_vec *v,
                                       const struct atoll__schema *s)
{
    struct atoll__node **nodes = arena_need(r, v->n, sizeof *nodes, s->name);
    for (uint32_t i = 0; nodes != NULL && i < v->n && r->fb.code == 0; i++) {
        const struct atoll__fb_table t = atoll__fb_table_at(&r->fb, v, i, s->name);
        nodes[i] = atoll__node_read(&r->fb, r->m->arena, s, &t, 0);
    }
    return nodes;
}

/* Fields that hardly any file has; kept for the writer only. */
static void read_tensor_rare(struct reader *r, const struct atoll__fb_table *t,
                             struct atoll__tensor_raw *raw)
{
    const struct atoll__fb_table sparsity =
        atoll__fb_sub(&r->fb, t, TENSOR_SPARSITY, "SparsityParameters");
    if (sparsity.pos != 0) {
        raw->sparsity =
            atoll__node_read(&r->fb, r->m->arena, &atoll__sparsity_schema, &sparsity, 0);
    }
    const struct atoll__fb_vec variants = atoll__fb_vector(&r->fb, t, TENSOR_VARIANTS, 4);
    if (variants.n > ATOLL_OP_TENSORS_MAX) {
        atoll__fb_fail(&r->fb, ATOLL_ELIMIT, "%u variant subtypes (expected at most %u)",
                       variants.n, ATOLL_OP_TENSORS_MAX);
    } else if (variants.n > 0) {
        raw->variants = read_nodes(r, &variants, &atoll__variant_schema);
        raw->n_variants = variants.n;
    }
    raw->has_rank = atoll__fb_u8(&r->fb, t, TENSOR_HAS_RANK, 0) != 0;
    if (atoll__fb_unknown_fields(&r->fb, t, TENSOR_N_IDS) > 0) {
        raw->lossy_what = "a field of a newer schema";
    }
}

static void read_shape(struct reader *r, const struct atoll__fb_table *t, struct atoll_tensor *out)
{
    const struct atoll__fb_vec shape = atoll__fb_vector(&r->fb, t, TENSOR_SHAPE, 4);
    const struct atoll__fb_vec signature = atoll__fb_vector(&r->fb, t, TENSOR_SIGNATURE, 4);
    if (shape.n > ATOLL_RANK_MAX || signature.n > ATOLL_RANK_MAX) {
        atoll__fb_fail(&r->fb, ATOLL_ELIMIT, "%u dimensions (expected at most %d)",
                       shape.n > signature.n ? shape.n : signature.n, ATOLL_RANK_MAX);
        return;
    }
    out->rank = (int32_t)shape.n;
    for (uint32_t i = 0; i < shape.n; i++) {
        out->shape[i] = (int32_t)atoll__load_u32(shape.data + 4 * (size_t)i);
    }
    out->shape_signature = atoll__fb_copy(&r->fb, r->m->arena, &signature, 4);
    out->n_signature = signature.n;
}

static void read_tensor(struct reader *r, const struct atoll__fb_table *t, struct atoll_tensor *out)
{
    struct atoll__tensor_raw raw = {0};
    const char *name = atoll__fb_string(&r->fb, t, TENSOR_NAME);
    out->name = name != NULL ? name : "";
    out->type = (enum atoll_type)atoll__fb_u8(&r->fb, t, TENSOR_TYPE, 0);
    out->is_variable = atoll__fb_u8(&r->fb, t, TENSOR_VARIABLE, 0) != 0;
    read_shape(r, t, out);
    read_quant(r, t, out, &raw);
    read_tensor_rare(r, t, &raw);
    out->data = buffer_bytes(r, atoll__fb_u32(&r->fb, t, TENSOR_BUFFER, 0), &out->data_bytes);
    out->is_constant = out->data != NULL;
    if (raw.sparsity != NULL || raw.has_custom_quant || raw.n_variants > 0 || raw.has_rank ||
        raw.lossy_what != NULL) {
        struct atoll__tensor_raw *kept = arena_need(r, 1, sizeof *kept, "a tensor");
        if (kept != NULL) {
            *kept = raw;
        }
        out->raw = kept;
    }
}

static void read_opcode(struct reader *r, const struct atoll__fb_table *op, struct atoll_op *out)
{
    const uint32_t index = atoll__fb_u32(&r->fb, op, OP_CODE, 0);
    if (index >= r->codes.n) {
        atoll__fb_fail(&r->fb, ATOLL_EINPUT, "operator code %u (expected fewer than %u)", index,
                       r->codes.n);
        return;
    }
    const struct atoll__fb_table code =
        atoll__fb_table_at(&r->fb, &r->codes, index, "OperatorCode");
    const int32_t old = atoll__fb_i8(&r->fb, &code, CODE_DEPRECATED, 0);
    const int32_t builtin = atoll__fb_i32(&r->fb, &code, CODE_BUILTIN, 0);
    out->code = old > builtin ? old : builtin;
    out->version = atoll__fb_i32(&r->fb, &code, CODE_VERSION, 1);
    const char *custom = atoll__fb_string(&r->fb, &code, CODE_CUSTOM);
    out->custom_name = out->code != ATOLL_OP_CUSTOM ? NULL : custom != NULL ? custom : "";
}

static void read_options(struct reader *r, const struct atoll__fb_table *op, struct atoll_op *out,
                         struct atoll__op_raw *raw)
{
    raw->options_type = atoll__fb_u8(&r->fb, op, OP_OPTIONS_TYPE, 0);
    const struct atoll__fb_table options = atoll__fb_sub(&r->fb, op, OP_OPTIONS, "builtin_options");
    const struct atoll__schema *schema = atoll__option_schema(raw->options_type);
    if (raw->options_type != 0 && schema == NULL) {
        raw->lossy_what = "an option table of a newer schema";
    } else if (schema != NULL && options.pos != 0) {
        struct atoll__fb_table named = options;
        named.what = schema->name;
        raw->options = atoll__node_read(&r->fb, r->m->arena, schema, &named, 0);
        if (raw->options != NULL) {
            atoll__attr_from_node(raw->options, &raw->attr);
            raw->lossy_what = raw->options->lossy ? raw->options->lossy_what : NULL;
        }
    }
    if (atoll__fb_u8(&r->fb, op, OP_OPTIONS2_TYPE, 0) != 0 ||
        atoll__fb_unknown_fields(&r->fb, op, OP_N_IDS) > 0) {
        raw->lossy_what = "options of a newer schema";
    }
    out->attr = raw->attr;
}

static void read_custom(struct reader *r, const struct atoll__fb_table *op, struct atoll_op *out,
                        struct atoll__op_raw *raw)
{
    const struct atoll__fb_vec bytes = atoll__fb_vector(&r->fb, op, OP_CUSTOM, 1);
    const uint64_t offset = atoll__fb_u64(&r->fb, op, OP_LARGE_OFFSET, 0);
    raw->custom_format = atoll__fb_i8(&r->fb, op, OP_CUSTOM_FORMAT, 0);
    out->custom_options = bytes.data;
    out->custom_options_bytes = bytes.n;
    if (bytes.n == 0 && offset > 1) {
        const uint64_t size = atoll__fb_u64(&r->fb, op, OP_LARGE_SIZE, 0);
        if (size > UINT32_MAX) {
            atoll__fb_fail(&r->fb, ATOLL_ELIMIT,
                           "custom options of %llu bytes (expected below 4 GiB)",
                           (unsigned long long)size);
            return;
        }
        out->custom_options = outside_bytes(r, offset, size, "custom options");
        out->custom_options_bytes = out->custom_options == NULL ? 0 : (uint32_t)size;
    }
}

/* Counts above the limit are refused before anything is copied. */
static const int32_t *read_list(struct reader *r, const struct atoll__fb_table *op, unsigned id,
                                uint32_t *n)
{
    const struct atoll__fb_vec v = atoll__fb_vector(&r->fb, op, id, 4);
    if (v.n > ATOLL_OP_TENSORS_MAX) {
        atoll__fb_fail(&r->fb, ATOLL_ELIMIT, "%u tensors in one list (expected at most %u)", v.n,
                       ATOLL_OP_TENSORS_MAX);
        return NULL;
    }
    *n = v.n;
    return atoll__fb_copy(&r->fb, r->m->arena, &v, 4);
}

static void read_operator(struct reader *r, const struct atoll__fb_table *t, struct atoll_op *out)
{
    struct atoll__op_raw *raw = arena_need(r, 1, sizeof *raw, "an operator");
    if (raw == NULL) {
        return;
    }
    raw->attr = atoll_op_attr_default();
    out->raw = raw;
    read_opcode(r, t, out);
    out->inputs = read_list(r, t, OP_INPUTS, &out->n_inputs);
    out->outputs = read_list(r, t, OP_OUTPUTS, &out->n_outputs);
    out->intermediates = read_list(r, t, OP_INTERMEDIATES, &out->n_intermediates);
    read_options(r, t, out, raw);
    read_custom(r, t, out, raw);
    const struct atoll__fb_vec mutating = atoll__fb_vector(&r->fb, t, OP_MUTATING, 1);
    raw->mutating = mutating.data;
    raw->n_mutating = mutating.n;
}

static void read_graph(struct reader *r, const struct atoll__fb_table *g)
{
    struct atoll_model *m = r->m;
    const struct atoll__fb_vec tensors = atoll__fb_vector(&r->fb, g, GRAPH_TENSORS, 4);
    const struct atoll__fb_vec ops = atoll__fb_vector(&r->fb, g, GRAPH_OPERATORS, 4);
    if (tensors.n > ATOLL_TENSORS_MAX || ops.n > ATOLL_OPS_MAX) {
        atoll__fb_fail(&r->fb, ATOLL_ELIMIT,
                       "%u tensors and %u operators (expected at most %u and %u)", tensors.n, ops.n,
                       ATOLL_TENSORS_MAX, ATOLL_OPS_MAX);
        return;
    }
    m->inputs = read_list(r, g, GRAPH_INPUTS, &m->n_inputs);
    m->outputs = read_list(r, g, GRAPH_OUTPUTS, &m->n_outputs);
    const char *name = atoll__fb_string(&r->fb, g, GRAPH_NAME);
    m->subgraph_name = name != NULL ? name : "";
    m->tensors = arena_need(r, tensors.n, sizeof *m->tensors, "the tensors");
    m->ops = arena_need(r, ops.n, sizeof *m->ops, "the operators");
    for (; m->n_tensors < tensors.n && r->fb.code == 0; m->n_tensors++) {
        const struct atoll__fb_table t =
            atoll__fb_table_at(&r->fb, &tensors, m->n_tensors, "Tensor");
        read_tensor(r, &t, &m->tensors[m->n_tensors]);
        if (r->fb.code != 0) {
            atoll_fail_at(r->fb.err, "tensor %u", m->n_tensors);
        }
    }
    for (; m->n_ops < ops.n && r->fb.code == 0; m->n_ops++) {
        const struct atoll__fb_table t = atoll__fb_table_at(&r->fb, &ops, m->n_ops, "Operator");
        read_operator(r, &t, &m->ops[m->n_ops]);
        if (r->fb.code != 0) {
            atoll_fail_at(r->fb.err, "operator %u", m->n_ops);
        }
    }
}

static void read_metadata(struct reader *r, const struct atoll__fb_table *root)
{
    const struct atoll__fb_vec entries = atoll__fb_vector(&r->fb, root, MODEL_METADATA, 4);
    if (entries.n > ATOLL_OP_TENSORS_MAX) {
        atoll__fb_fail(&r->fb, ATOLL_ELIMIT, "%u metadata entries (expected at most %u)", entries.n,
                       ATOLL_OP_TENSORS_MAX);
        return;
    }
    struct atoll_metadata *all = arena_need(r, entries.n, sizeof *all, "the metadata");
    for (uint32_t i = 0; i < entries.n && r->fb.code == 0; i++) {
        const struct atoll__fb_table t = atoll__fb_table_at(&r->fb, &entries, i, "Metadata");
        const char *name = atoll__fb_string(&r->fb, &t, METADATA_NAME);
        all[i].name = name != NULL ? name : "";
        all[i].data = buffer_bytes(r, atoll__fb_u32(&r->fb, &t, METADATA_BUFFER, 0), &all[i].bytes);
        if (r->fb.code != 0) {
            atoll_fail_at(r->fb.err, "metadata entry %u", i);
        }
    }
    r->m->metadata = all;
    r->m->n_metadata = entries.n;
}

static void read_signatures(struct reader *r, const struct atoll__fb_table *root)
{
    const struct atoll__fb_vec v = atoll__fb_vector(&r->fb, root, MODEL_SIGNATURES, 4);
    if (v.n > ATOLL_OP_TENSORS_MAX) {
        atoll__fb_fail(&r->fb, ATOLL_ELIMIT, "%u signatures (expected at most %u)", v.n,
                       ATOLL_OP_TENSORS_MAX);
    } else if (v.n > 0) {
        r->raw->signatures = read_nodes(r, &v, &atoll__signature_schema);
        r->raw->n_signatures = v.n;
    }
    if (atoll__fb_unknown_fields(&r->fb, root, MODEL_N_IDS) > 0) {
        r->raw->lossy_what = "a field of a newer schema";
    }
}

static int read_model(struct reader *r)
{
    const struct atoll__fb_table root = atoll__fb_root(&r->fb, "TFL3", "Model");
    struct atoll_model *m = r->m;
    m->version = atoll__fb_u32(&r->fb, &root, MODEL_VERSION, 0);
    if (r->fb.code == 0 && m->version != 3) {
        atoll__fb_fail(&r->fb, ATOLL_EUNSUPPORTED, "schema version %u (expected 3)", m->version);
    }
    const char *description = atoll__fb_string(&r->fb, &root, MODEL_DESCRIPTION);
    m->description = description != NULL ? description : "";
    r->codes = atoll__fb_vector(&r->fb, &root, MODEL_CODES, 4);
    r->buffers = atoll__fb_vector(&r->fb, &root, MODEL_BUFFERS, 4);
    const struct atoll__fb_vec graphs = atoll__fb_vector(&r->fb, &root, MODEL_SUBGRAPHS, 4);
    m->n_subgraphs = graphs.n;
    if (r->fb.code == 0 && graphs.n == 0) {
        atoll__fb_fail(&r->fb, ATOLL_EINPUT, "no subgraph (expected at least one)");
    }
    m->raw = r->raw = arena_need(r, 1, sizeof *r->raw, "the model");
    if (r->raw == NULL) {
        return r->fb.code;
    }
    read_signatures(r, &root);
    read_metadata(r, &root);
    const struct atoll__fb_table graph = atoll__fb_table_at(&r->fb, &graphs, 0, "SubGraph");
    if (r->fb.code == 0) {
        read_graph(r, &graph);
    }
    return r->fb.code != 0 ? r->fb.code : atoll__graph_link(m, r->fb.err);
}

int atoll__model_alloc(const char *path, struct atoll_model **model, struct atoll_err *err)
{
    struct atoll_model *m = atoll_calloc(1, sizeof *m);
    struct atoll_arena *arena = atoll_calloc(1, sizeof *arena);
    if (m != NULL && arena != NULL) {
        atoll_arena_init(arena);
        m->arena = arena;
        m->path = atoll_arena_strndup(arena, path, strlen(path));
        if (m->path != NULL) {
            *model = m;
            return 0;
        }
        atoll_arena_finish(arena);
    }
    atoll_free(arena);
    atoll_free(m);
    return atoll_fail_nomem(err, "a model", sizeof *m);
}

int atoll_model_parse(const char *name, const void *bytes, size_t n, struct atoll_model **model,
                      struct atoll_err *err)
{
    struct reader r = {0};
    int rc = atoll__model_alloc(name, &r.m, err);
    if (rc != 0) {
        return rc;
    }
    atoll__fb_init(&r.fb, bytes, n, err);
    r.m->file_bytes = n;
    r.m->bytes = bytes;
    rc = read_model(&r);
    if (rc != 0) {
        atoll_fail_at(err, "%s", name);
        atoll_model_close(&r.m);
        return rc;
    }
    *model = r.m;
    return 0;
}

int atoll_model_open(const char *path, struct atoll_model **model, struct atoll_err *err)
{
    struct atoll_map *map = atoll_calloc(1, sizeof *map);
    if (map == NULL) {
        return atoll_fail_nomem(err, "a mapped file", sizeof *map);
    }
    struct atoll_model *m = NULL;
    int rc = atoll_map_open(path, map, err);
    rc = rc == 0 ? atoll_model_parse(path, map->data, map->size, &m, err) : rc;
    if (rc != 0) {
        atoll_map_close(map);
        atoll_free(map);
        return rc;
    }
    m->map = map;
    *model = m;
    return 0;
}

void atoll_model_close(struct atoll_model **model)
{
    if (model == NULL || *model == NULL) {
        return;
    }
    struct atoll_model *m = *model;
    *model = NULL;
    if (m->map != NULL) {
        atoll_map_close(m->map);
        atoll_free(m->map);
    }
    if (m->arena != NULL) {
        atoll_arena_finish(m->arena);
        atoll_free(m->arena);
    }
    atoll_free(m);
}
