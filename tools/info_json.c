/* SPDX-License-Identifier: Apache-2.0 */
/* atoll info --json on a source model. */
#include "info_view.h"

#include <math.h>

static json_t *shape_json(const struct atoll_tensor *t)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < t->rank; i++) {
        json_array_append_new(list, json_integer(t->shape[i]));
    }
    return list;
}

static json_t *tensor_json(const struct atoll_model *m, int32_t index)
{
    const struct atoll_tensor *t = &m->tensors[index];
    return json_pack("{s:i, s:o, s:s, s:o, s:I}", "index", index, "name", out_string(t->name),
                     "type", atoll_type_name(t->type), "shape", shape_json(t), "bytes",
                     (json_int_t)t->bytes);
}

static json_t *tensors_json(const struct atoll_model *m, const int32_t *list, uint32_t n)
{
    json_t *j = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_array_append_new(j, tensor_json(m, list[i]));
    }
    return j;
}

static json_t *indices_json(const int32_t *list, uint32_t n)
{
    json_t *j = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_array_append_new(j, json_integer(list[i]));
    }
    return j;
}

static json_t *operator_json(const struct info_view *v, uint32_t i)
{
    char name[64], why[256];
    const struct atoll_op *op = &v->m->ops[i];
    json_t *shapes = json_array();
    for (uint32_t k = 0; k < op->n_outputs; k++) {
        json_array_append_new(shapes, shape_json(&v->m->tensors[op->outputs[k]]));
    }
    json_t *first = op->n_outputs ? json_incref(json_array_get(shapes, 0)) : json_null();
    const char *text = info_why_not(v, i, why);
    json_t *j = json_pack(
        "{s:i, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:o}", "index", (int)i, "op",
        out_string(atoll_op_name(op, name)), "inputs", indices_json(op->inputs, op->n_inputs),
        "outputs", indices_json(op->outputs, op->n_outputs), "output_shape", first, "output_shapes",
        shapes, "macs", (json_int_t)v->info[i].macs, "weight_bytes",
        (json_int_t)v->info[i].weight_bytes, "bias_bytes", (json_int_t)v->info[i].bias_bytes,
        "maps", v->maps[i], "why", text ? out_string(text) : json_null());
    const struct atoll_layer *l = &v->layers[i];
    const bool known = v->costed && isfinite(l->cycles);
    atoll_json_set_number(j, "cycles", l->cycles);
    atoll_json_set_number(j, "ideal_cycles", l->ideal_cycles);
    json_object_set_new(j, "bound", known ? json_string(atoll_bound_name(l->kind)) : json_null());
    json_object_set_new(j, "packed_bytes",
                        known ? json_integer((json_int_t)l->packed_bytes) : json_null());
    json_object_set_new(j, "stream_bytes",
                        known ? json_integer((json_int_t)l->stream_bytes) : json_null());
    return j;
}

static json_t *memory_json(const struct info_view *v)
{
    const struct atoll_program *p = &v->program;
    if (!v->costed) {
        return json_null();
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:b, s:s?}", "origin", "computed",
                     "stored_bytes", (json_int_t)p->stored_bytes, "on_chip_bytes",
                     (json_int_t)p->on_chip_bytes, "off_chip_bytes", (json_int_t)p->off_chip_bytes,
                     "budget_bytes", (json_int_t)p->budget_bytes, "budget_why",
                     p->budget_why ? p->budget_why : "", "narrow_bytes_per_tile",
                     (json_int_t)p->narrow_bytes_per_tile, "strips", p->strips, "warning",
                     p->warning);
}

int info_print_json(struct call *call, const struct info_view *v)
{
    const struct atoll_model *m = v->m;
    json_t *j = atoll_json_answer("info");
    json_t *operators = json_array();
    for (uint32_t i = 0; i < m->n_ops; i++) {
        json_array_append_new(operators, operator_json(v, i));
    }
    json_object_set_new(j, "kind", json_string("tflite"));
    json_object_set_new(j, "origin", json_string("computed"));
    json_object_set_new(j, "path", out_string(m->path));
    json_object_set_new(j, "file_bytes",
                        m->file_bytes ? json_integer((json_int_t)m->file_bytes) : json_null());
    json_object_set_new(j, "description", out_string(m->description));
    json_object_set_new(j, "inputs", tensors_json(m, m->inputs, m->n_inputs));
    json_object_set_new(j, "outputs", tensors_json(m, m->outputs, m->n_outputs));
    json_object_set_new(j, "operators", operators);
    json_object_set_new(j, "totals",
                        json_pack("{s:I, s:I, s:I, s:i}", "macs", (json_int_t)v->total.macs,
                                  "weight_bytes", (json_int_t)v->total.weight_bytes, "bias_bytes",
                                  (json_int_t)v->total.bias_bytes, "unmapped", (int)v->unmapped));
    json_object_set_new(j, "memory", memory_json(v));
    return out_json(call, j);
}
