/* SPDX-License-Identifier: Apache-2.0 */
/* atoll info on a source model, for people. */
#include "info_view.h"

#include <math.h>
#include <stdlib.h>
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
    double cycles, ideal_cycles;
};
#define KINDS_MAX 40u

static void add_to_kind(struct kind *k, const struct info_view *v, uint32_t i)
{
    const struct atoll_layer *l = &v->layers[i];
    k->count++;
    k->macs += v->info[i].macs;
    k->bytes += v->info[i].weight_bytes + v->info[i].bias_bytes;
    k->cycles += isfinite(l->cycles) ? l->cycles : 0;
    k->ideal_cycles += isfinite(l->ideal_cycles) ? l->ideal_cycles : 0;
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

static int print_kinds(struct call *call, const struct info_view *v, double all_cycles)
{
    static const struct out_column columns[] = {
        {"kind", OUT_LEFT},       {"count", OUT_RIGHT},  {"MACs", OUT_RIGHT},
        {"params", OUT_RIGHT},    {"cycles", OUT_RIGHT}, {"share", OUT_RIGHT},
        {"array use", OUT_RIGHT},
    };
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
        out_cell_big(&t, k->cycles);
        out_cell_number(&t, "%.1f %%", all_cycles > 0 ? 100 * k->cycles / all_cycles : NAN);
        out_cell_number(&t, "%.0f %%",
                        k->cycles > 0 && k->macs ? 100 * k->ideal_cycles / k->cycles : NAN);
    }
    out_text("\nWhere the cycles go (computed):\n\n");
    return out_table_print(&t, &call->err);
}

/* Order by cycles, the costliest first; unknown ones last, else as in the file. */
static const struct info_view *sort_view;
static int by_cycles(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const double cx = sort_view->layers[x].cycles, cy = sort_view->layers[y].cycles;
    const double kx = isfinite(cx) ? cx : -1, ky = isfinite(cy) ? cy : -1;
    return kx != ky ? (kx < ky ? 1 : -1) : (x > y) - (x < y);
}

static void add_operator_row(struct out_table *t, const struct info_view *v, uint32_t i,
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

static int print_operators(struct call *call, const struct info_view *v)
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
    int code = o->all ? 0 : print_kinds(call, v, cycles);
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
    const int printed = out_table_print(&t, &call->err);
    code = code ? code : printed;
    if (v->costed && code == 0) {
        out_text("\nAll together: %.2f million cycles, %.3f ms at 500 MHz, links and host not "
                 "counted.\n",
                 cycles / 1e6, cycles / 500e3);
    }
    return code;
}

int info_print_people(struct call *call, const struct info_view *v)
{
    print_head(v);
    print_memory(v);
    const int code = print_unmapped(v, &call->err);
    return code ? code : print_operators(call, v);
}
