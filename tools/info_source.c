/* SPDX-License-Identifier: Apache-2.0 */
/* atoll info on a source model. */
#include "cmd_info.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A model with everything that the answer says of each operator. */
struct view {
    const struct atoll_model *m;
    bool *maps;
    struct atoll_op_info *info;
    struct atoll_layer *layers; ///< by operator; cycles NAN where no cost is known
    struct atoll_program program;
    bool costed;
    struct atoll_op_info total;
    uint32_t unmapped, first_unmapped;
};

static void close_view(struct view *v)
{
    atoll_free(v->maps);
    atoll_free(v->info);
    atoll_free(v->layers);
    atoll_program_finish(&v->program);
}

/* Costs are an extra: a model that the cost laws cannot take (a dynamic shape, float weights) is
 * shown without them. */
static int add_costs(struct view *v, unsigned compiler, struct atoll_err *err)
{
    struct atoll_cost *cost = NULL;
    struct atoll_err why = {0};
    uint32_t *ops = atoll_calloc(v->m->n_ops, sizeof *ops);
    if (!ops) {
        return atoll_fail_nomem(err, "a list of operators", v->m->n_ops * sizeof *ops);
    }
    for (uint32_t i = 0; i < v->m->n_ops; i++) {
        ops[i] = i;
    }
    int code = atoll_cost_open(v->m, (enum atoll_compiler)compiler, &cost, &why);
    if (code == 0) {
        code = atoll_cost_program(cost, ops, v->m->n_ops, &v->program, &why);
    }
    v->costed = code == 0;
    for (uint32_t i = 0; v->costed && i < v->program.n_layers; i++) {
        v->layers[v->program.layers[i].op] = v->program.layers[i];
    }
    atoll_cost_close(&cost);
    atoll_free(ops);
    return code == ATOLL_ENOMEM ? atoll_fail(err, code, "%s", why.text) : 0;
}

static int open_view(struct view *v, const struct atoll_model *m, unsigned compiler,
                     struct atoll_err *err)
{
    *v = (struct view){.m = m, .first_unmapped = m->n_ops};
    v->maps = atoll_calloc(m->n_ops, sizeof *v->maps);
    v->info = atoll_calloc(m->n_ops, sizeof *v->info);
    v->layers = atoll_calloc(m->n_ops, sizeof *v->layers);
    if (!v->maps || !v->info || !v->layers) {
        return atoll_fail_nomem(err, "the operators", m->n_ops * sizeof *v->info);
    }
    atoll_model_mapping(m, v->maps);
    for (uint32_t i = m->n_ops; i-- > 0;) {
        atoll_op_info(m, i, &v->info[i]);
        v->total.macs += v->info[i].macs;
        v->total.weight_bytes += v->info[i].weight_bytes;
        v->total.bias_bytes += v->info[i].bias_bytes;
        v->layers[i].cycles = v->layers[i].ideal_cycles = NAN;
        v->unmapped += !v->maps[i];
        v->first_unmapped = v->maps[i] ? v->first_unmapped : i;
    }
    return add_costs(v, compiler, err);
}

/* NULL when it maps; an operator that would map alone says which one stands before it. */
static const char *why_not(const struct view *v, uint32_t op, char buf[256])
{
    if (v->maps[op]) {
        return NULL;
    }
    const char *why = atoll_op_unmapped_why(v->m, op, buf);
    if (!why) {
        char name[64];
        snprintf(
            buf, 256,
            "More than one subgraph is not supported: operator %u (%s) before it is not mapped",
            v->first_unmapped, atoll_op_name(&v->m->ops[v->first_unmapped], name));
        why = buf;
    }
    return why;
}

/* ------------------------------------------------------------------------ JSON */

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

static json_t *operator_json(const struct view *v, uint32_t i)
{
    char name[64], why[256];
    const struct atoll_op *op = &v->m->ops[i];
    json_t *shapes = json_array();
    for (uint32_t k = 0; k < op->n_outputs; k++) {
        json_array_append_new(shapes, shape_json(&v->m->tensors[op->outputs[k]]));
    }
    json_t *first = op->n_outputs ? json_incref(json_array_get(shapes, 0)) : json_null();
    const char *text = why_not(v, i, why);
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

static json_t *memory_json(const struct view *v)
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

static int print_json(struct call *call, const struct view *v)
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

/* ------------------------------------------------------------------ for people */

static void print_tensors(const struct atoll_model *m, const char *what, const int32_t *list,
                          uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char shape[128];
        const struct atoll_tensor *t = &m->tensors[list[i]];
        out_text("%-9s %s %s  %s\n", i ? "" : what, shape_text(t, shape), atoll_type_name(t->type),
                 t->name);
    }
}

static void print_head(const struct view *v)
{
    char size[32] = "built", weights[32];
    const struct atoll_model *m = v->m;
    if (m->file_bytes) {
        atoll_format_bytes(size, m->file_bytes);
    }
    atoll_format_bytes(weights, v->total.weight_bytes + v->total.bias_bytes);
    out_text("%s (%s)%s%s\n", m->path, size, *m->description ? ": " : "", m->description);
    print_tensors(m, "input", m->inputs, m->n_inputs);
    print_tensors(m, "output", m->outputs, m->n_outputs);
    out_text("holds     %u operators, %.1f million MACs, %s of weights and biases\n", m->n_ops,
             (double)v->total.macs / 1e6, weights);
    if (m->n_subgraphs > 1) {
        out_text("          %u subgraphs; only the first is shown\n", m->n_subgraphs);
    }
}

static void print_memory(const struct view *v)
{
    const struct atoll_program *p = &v->program;
    char on[32], off[32], budget[32], narrow[32];
    if (!v->costed) {
        return;
    }
    atoll_format_bytes(on, p->on_chip_bytes);
    atoll_format_bytes(off, p->off_chip_bytes);
    atoll_format_bytes(budget, p->budget_bytes);
    atoll_format_bytes(narrow, p->narrow_bytes_per_tile);
    out_text("memory    on one TPU: %s cached of %s available", on, budget);
    if (p->off_chip_bytes) {
        out_text(", %s streamed at every inference\n", off);
    } else {
        out_text(", nothing streamed\n");
    }
    out_text("          activations need %s of 192.00KiB a tile%s\n", narrow,
             p->strips ? ": the compiler cuts the image into strips" : "");
    if (p->warning) {
        out_text("          %s\n", p->warning);
    }
}

static int print_unmapped(const struct view *v, struct atoll_err *err)
{
    static const struct out_column columns[] = {
        {"op", OUT_RIGHT}, {"kind", OUT_LEFT}, {"why it stays on the CPU", OUT_LEFT}};
    if (v->unmapped == 0) {
        out_text("maps      every operator to the Edge TPU\n");
        return 0;
    }
    out_text("maps      %u of %u operators to the Edge TPU; the others run on the CPU:\n\n",
             v->m->n_ops - v->unmapped, v->m->n_ops);
    struct out_table t;
    uint32_t shown = 0;
    out_table_start(&t, columns, 3);
    for (uint32_t i = 0; i < v->m->n_ops && shown < 12; i++) {
        char name[64], why[256];
        if (!v->maps[i]) {
            out_cell(&t, "%u", i);
            out_cell(&t, "%s", atoll_op_name(&v->m->ops[i], name));
            out_cell(&t, "%s", why_not(v, i, why));
            shown++;
        }
    }
    const int code = out_table_print(&t, err);
    if (v->unmapped > shown) {
        out_text("... and %u more (--json lists all)\n", v->unmapped - shown);
    }
    return code;
}

/* Order by cycles, the costliest first; unknown ones last, else as in the file. */
static const struct view *sort_view;
static int by_cycles(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const double cx = sort_view->layers[x].cycles, cy = sort_view->layers[y].cycles;
    const double kx = isfinite(cx) ? cx : -1, ky = isfinite(cy) ? cy : -1;
    return kx != ky ? (kx < ky ? 1 : -1) : (x > y) - (x < y);
}

static void add_operator_row(struct out_table *t, const struct view *v, uint32_t i,
                             double all_cycles)
{
    char name[64], shape[128] = "-";
    const struct atoll_op *op = &v->m->ops[i];
    const struct atoll_layer *l = &v->layers[i];
    out_cell(t, "%u", i);
    out_cell(t, "%s", atoll_op_name(op, name));
    out_cell(t, "%s", op->n_outputs ? shape_text(&v->m->tensors[op->outputs[0]], shape) : shape);
    out_cell_big(t, (double)v->info[i].macs);
    out_cell_bytes(t, v->info[i].weight_bytes + v->info[i].bias_bytes);
    out_cell_big(t, l->cycles);
    out_cell_number(t, "%.1f %%", all_cycles > 0 ? 100 * l->cycles / all_cycles : NAN);
    out_cell(t, "%s", isfinite(l->cycles) ? atoll_bound_name(l->kind) : "-");
    out_cell_number(t, "%.0f %%",
                    l->ideal_cycles > 0 && l->cycles > 0 ? 100 * l->ideal_cycles / l->cycles : NAN);
    out_cell(t, "%s", l->packed_bytes == 0 ? "-" : l->stream_bytes ? "streamed" : "cached");
}

static int print_operators(struct call *call, const struct view *v)
{
    static const struct out_column columns[] = {
        {"op", OUT_RIGHT},        {"kind", OUT_LEFT},    {"output", OUT_LEFT},
        {"MACs", OUT_RIGHT},      {"params", OUT_RIGHT}, {"cycles", OUT_RIGHT},
        {"share", OUT_RIGHT},     {"bound", OUT_LEFT},   {"array use", OUT_RIGHT},
        {"params are", OUT_LEFT},
    };
    const struct info_opts *o = call->opts;
    const uint32_t n = v->m->n_ops;
    const uint32_t shown = o->all || o->top > n ? n : (uint32_t)o->top;
    uint32_t *order = atoll_calloc(n, sizeof *order);
    double cycles = 0;
    if (!order) {
        return atoll_fail_nomem(&call->err, "an order", n * sizeof *order);
    }
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
        cycles += isfinite(v->layers[i].cycles) ? v->layers[i].cycles : 0;
    }
    if (!o->all) {
        sort_view = v;
        qsort(order, n, sizeof *order, by_cycles);
    }
    if (o->all) {
        out_text("\nAll operators (cycles computed):\n\n");
    } else {
        out_text("\nThe %u costliest operators (cycles computed; --all lists every one):\n\n",
                 shown);
    }
    struct out_table t;
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < shown; i++) {
        add_operator_row(&t, v, order[i], cycles);
    }
    atoll_free(order);
    const int code = out_table_print(&t, &call->err);
    if (v->costed && code == 0) {
        out_text("\nAll together: %.2f million cycles, %.3f ms at 500 MHz, links and host not "
                 "counted.\n",
                 cycles / 1e6, cycles / 500e3);
    }
    return code;
}

int info_source(struct call *call, const struct atoll_model *m)
{
    const struct info_opts *o = call->opts;
    struct view v;
    int code = open_view(&v, m, o->compiler, &call->err);
    if (code == 0 && call->json) {
        code = print_json(call, &v);
    } else if (code == 0) {
        print_head(&v);
        print_memory(&v);
        code = print_unmapped(&v, &call->err);
        code = code ? code : print_operators(call, &v);
    }
    close_view(&v);
    return code;
}
