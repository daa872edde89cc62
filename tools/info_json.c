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

/* Null where no cost is known, or where the question has no sense for the operator. */
static void add_cost(json_t *j, const struct info_view *v, uint32_t i)
{
    const struct atoll_layer *l = &v->layers[i];
    const struct atoll_layer_cost *c = &v->costs[i];
    const bool known = v->costed && isfinite(l->cycles);
    const bool array = known && l->kind == ATOLL_BOUND_ARRAY;
    atoll_json_set_number(j, "cycles", l->cycles);
    atoll_json_set_number(j, "ideal_cycles", l->ideal_cycles);
    atoll_json_set_number(j, "us", known ? c->us : NAN);
    atoll_json_set_number(j, "compute_us", known ? c->compute_us : NAN);
    atoll_json_set_number(j, "stream_us", known ? c->stream_us : NAN);
    atoll_json_set_number(j, "share_frac", known ? c->share_frac : NAN);
    atoll_json_set_number(j, "padding_frac", array ? c->waste_frac : NAN);
    json_object_set_new(j, "bound", known ? json_string(atoll_bound_name(c->bound)) : json_null());
    json_object_set_new(j, "on_chip",
                        known && l->packed_bytes > 0 ? json_boolean(c->on_chip) : json_null());
    json_object_set_new(j, "packed_bytes",
                        known ? json_integer((json_int_t)l->packed_bytes) : json_null());
    json_object_set_new(j, "stream_bytes",
                        known ? json_integer((json_int_t)l->stream_bytes) : json_null());
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
    add_cost(j, v, i);
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

/* One inference on one TPU of the board: its parts, and the same time by what bounds it. */
static json_t *time_json(const struct info_view *v)
{
    const struct atoll_stage_cost *s = &v->stage;
    const double stream_start_us = s->off_chip_bytes > 0 ? v->board->stream_us.value : 0;
    if (!v->costed) {
        return json_null();
    }
    json_t *bounds = json_object();
    for (int b = 0; b < INFO_BOUNDS; b++) {
        if (b != ATOLL_BOUND_FREE) {
            json_object_set_new(bounds, atoll_bound_name((enum atoll_bound)b),
                                json_real(v->bound_us[b]));
        }
    }
    return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o}",
                     "origin", "computed", "board", v->board->name, "clock_hz",
                     atoll_board_clock_hz(v->board, &v->use), "latency_us", s->latency_us,
                     "latency_u95_us", s->latency_u95_us, "call_us", s->call_us, "input_us",
                     s->input_us, "compute_us", s->compute_us, "stream_us",
                     s->stream_us - stream_start_us, "stream_start_us", stream_start_us,
                     "output_us", s->output_us, "cpu_us", s->cpu_us, "load_us", s->load_us,
                     "first_latency_us", s->latency_us + s->load_us, "bound_us", bounds);
}

/* Indices of the costliest operators, the longest first. */
static int add_costliest(const struct info_view *v, uint64_t top, json_t *j, struct atoll_err *err)
{
    const uint32_t n = v->m->n_ops;
    const uint32_t shown = top > n ? n : (uint32_t)top;
    uint32_t *order = atoll_calloc(n, sizeof *order);
    json_t *list = v->costed ? json_array() : json_null();
    int code = order ? atoll_program_costliest(v->costs, n, order, shown, err)
                     : atoll_fail_nomem(err, "an order", n * sizeof *order);
    for (uint32_t i = 0; i < shown && code == 0 && v->costed; i++) {
        json_array_append_new(list, json_integer(order[i]));
    }
    atoll_free(order);
    json_object_set_new(j, "costliest", list);
    return code;
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
    json_object_set_new(j, "time", time_json(v));
    const struct info_opts *o = call->opts;
    const int code = add_costliest(v, o->top, j, &call->err);
    if (code) {
        json_decref(j);
        return code;
    }
    return out_json(call, j);
}
