/* SPDX-License-Identifier: Apache-2.0 */
/* atoll info on a source model, for people. */
#include "info_view.h"

#include <math.h>
#include <string.h>

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

static void print_head(const struct info_view *v)
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

static void print_memory(const struct info_view *v)
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

static int print_unmapped(const struct info_view *v, struct atoll_err *err)
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
            out_cell(&t, "%s", info_why_not(v, i, why));
            shown++;
        }
    }
    const int code = out_table_print(&t, err);
    if (v->unmapped > shown) {
        out_text("... and %u more (--json lists all)\n", v->unmapped - shown);
    }
    return code;
}

/* Sums over the operators of one kind. */
struct kind {
    uint32_t first, count; ///< first operator of the kind
    uint64_t macs, bytes;
    double us;
};
#define KINDS_MAX 40u

static void add_to_kind(struct kind *k, const struct info_view *v, uint32_t i)
{
    k->count++;
    k->macs += v->info[i].macs;
    k->bytes += v->info[i].weight_bytes + v->info[i].bias_bytes;
    k->us += v->costs[i].us;
}

/* Kinds in order of first appearance; what a strange file has beyond KINDS_MAX joins the last. */
static uint32_t find_kinds(const struct info_view *v, struct kind *kinds)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->m->n_ops; i++) {
        char name[64], other[64];
        uint32_t k = 0;
        const char *kind = atoll_op_name(&v->m->ops[i], name);
        while (k < n && strcmp(kind, atoll_op_name(&v->m->ops[kinds[k].first], other)) != 0) {
            k++;
        }
        k = k == KINDS_MAX ? KINDS_MAX - 1 : k;
        if (k == n) {
            kinds[n++] = (struct kind){.first = i};
        }
        add_to_kind(&kinds[k], v, i);
    }
    return n;
}

static int print_kinds(struct call *call, const struct info_view *v)
{
    static const struct out_column columns[] = {{"kind", OUT_LEFT},  {"count", OUT_RIGHT},
                                                {"MACs", OUT_RIGHT}, {"params", OUT_RIGHT},
                                                {"ms", OUT_RIGHT},   {"share", OUT_RIGHT}};
    struct kind kinds[KINDS_MAX];
    const uint32_t n = find_kinds(v, kinds);
    struct out_table t;
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (const struct kind *k = kinds; k < kinds + n; k++) {
        char name[64];
        out_cell(&t, "%s", atoll_op_name(&v->m->ops[k->first], name));
        out_cell(&t, "%u", k->count);
        out_cell_big(&t, (double)k->macs);
        out_cell_bytes(&t, k->bytes);
        out_cell_us(&t, v->costed ? k->us : NAN);
        out_cell_number(&t, "%.1f %%", v->costed ? 100 * k->us / v->stage.latency_us : NAN);
    }
    out_text("\nBy kind of operator:\n\n");
    return out_table_print(&t, &call->err);
}

static void print_part(const char *what, double us, const struct info_view *v)
{
    if (us > 0) {
        out_text("  %-34s %9.3f ms %5.1f %%\n", what, us / 1e3, 100 * us / v->stage.latency_us);
    }
}

/* One inference, steady, by what bounds it; and what a first one adds. */
static void print_times(const struct info_view *v)
{
    static const struct {
        enum atoll_bound bound;
        const char *what;
    } parts[] = {{ATOLL_BOUND_ARRAY, "array: convolutions, dense"},
                 {ATOLL_BOUND_DEPTHWISE, "depthwise convolutions"},
                 {ATOLL_BOUND_VECTOR, "vector unit: pools, sums, copies"},
                 {ATOLL_BOUND_LINK, "link: parameters, input, output"},
                 {ATOLL_BOUND_CALL, "call: the host, once an inference"},
                 {ATOLL_BOUND_CPU, "operators left on the host (coarse)"}};
    const struct atoll_stage_cost *s = &v->stage;
    if (!v->costed) {
        return;
    }
    out_text("\nOne inference on one TPU of %s, %.0f MHz: %.3f ms +- %.3f (computed)\n",
             v->board->name, atoll_board_clock_hz(v->board, &v->use) / 1e6, s->latency_us / 1e3,
             s->latency_u95_us / 1e3);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        print_part(parts[i].what, v->bound_us[parts[i].bound], v);
    }
    out_text("The first one, and each after another model used the TPU: %.3f ms more.\n",
             s->load_us / 1e3);
}

static void add_operator_row(struct out_table *t, const struct info_view *v, uint32_t i)
{
    char name[64], shape[128] = "-";
    const struct atoll_op *op = &v->m->ops[i];
    const struct atoll_layer *l = &v->layers[i];
    const struct atoll_layer_cost *c = &v->costs[i];
    const bool array = v->costed && l->kind == ATOLL_BOUND_ARRAY;
    out_cell(t, "%u", i);
    out_cell(t, "%s", atoll_op_name(op, name));
    out_cell(t, "%s", op->n_outputs ? shape_text(&v->m->tensors[op->outputs[0]], shape) : shape);
    out_cell_big(t, (double)v->info[i].macs);
    out_cell_bytes(t, v->info[i].weight_bytes + v->info[i].bias_bytes);
    out_cell_big(t, l->cycles);
    out_cell_us(t, v->costed ? c->us : NAN);
    out_cell_number(t, "%.1f %%", v->costed ? 100 * c->share_frac : NAN);
    out_cell(t, "%s", v->costed ? atoll_bound_name(c->bound) : "-");
    out_cell_number(t, "%.0f %%", array ? 100 * c->waste_frac : NAN);
    out_cell(t, "%s", l->packed_bytes == 0 ? "-" : c->on_chip ? "on chip" : "streamed");
}

/* All operators in file order, or the costliest first. */
static int choose(const struct info_view *v, bool all, uint32_t *order, uint32_t shown,
                  struct atoll_err *err)
{
    for (uint32_t i = 0; i < shown; i++) {
        order[i] = i;
    }
    return all ? 0 : atoll_program_costliest(v->costs, v->m->n_ops, order, shown, err);
}

static int print_operators(struct call *call, const struct info_view *v)
{
    static const struct out_column columns[] = {
        {"op", OUT_RIGHT},      {"kind", OUT_LEFT},       {"output", OUT_LEFT},
        {"MACs", OUT_RIGHT},    {"params", OUT_RIGHT},    {"cycles", OUT_RIGHT},
        {"ms", OUT_RIGHT},      {"share", OUT_RIGHT},     {"bound", OUT_LEFT},
        {"padding", OUT_RIGHT}, {"params are", OUT_LEFT},
    };
    const struct info_opts *o = call->opts;
    const uint32_t n = v->m->n_ops;
    const uint32_t shown = o->all || o->top > n ? n : (uint32_t)o->top;
    uint32_t *order = atoll_calloc(n, sizeof *order);
    if (!order) {
        return atoll_fail_nomem(&call->err, "an order", n * sizeof *order);
    }
    int code = choose(v, o->all, order, shown, &call->err);
    code = code || o->all ? code : print_kinds(call, v);
    if (o->all) {
        out_text("\nAll operators:\n\n");
    } else {
        out_text("\nThe %u costliest operators (--all lists every one):\n\n", shown);
    }
    struct out_table t;
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < shown && code == 0; i++) {
        add_operator_row(&t, v, order[i]);
    }
    atoll_free(order);
    const int printed = out_table_print(&t, &call->err);
    return code ? code : printed;
}

int info_print_people(struct call *call, const struct info_view *v)
{
    print_head(v);
    print_memory(v);
    const int code = print_unmapped(v, &call->err);
    print_times(v);
    return code ? code : print_operators(call, v);
}
