/* SPDX-License-Identifier: Apache-2.0 */
/* atoll info on a source model: what is known of each operator. */
#include "info_view.h"

#include <math.h>

void info_view_close(struct info_view *v)
{
    atoll_free(v->maps);
    atoll_free(v->info);
    atoll_free(v->layers);
    atoll_free(v->costs);
    atoll_board_close(&v->board);
    atoll_program_finish(&v->program);
}

/* What the whole takes on a board, and what of it each operator. */
static void add_times(struct info_view *v)
{
    const struct atoll_program *p = &v->program;
    const struct atoll_stage_cost *s = &v->stage;
    atoll_cost_stage_of(p, v->board, &v->use, &v->stage);
    atoll_program_breakdown(p, v->board, &v->use, v->costs); /* file order: by operator */
    for (uint32_t i = 0; i < p->n_layers; i++) {
        v->bound_us[v->costs[i].bound] += v->costs[i].us;
    }
    v->bound_us[ATOLL_BOUND_CALL] += s->call_us;
    v->bound_us[ATOLL_BOUND_LINK] += s->input_us + s->output_us;
    v->bound_us[ATOLL_BOUND_LINK] += p->off_chip_bytes > 0 ? v->board->stream_us.value : 0;
}

/* Costs are an extra: a model that the cost laws cannot take (a dynamic shape, float weights) is
 * shown without them. */
static int add_costs(struct info_view *v, unsigned compiler, struct atoll_err *err)
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
    if (v->costed) {
        add_times(v);
    }
    for (uint32_t i = 0; v->costed && i < v->program.n_layers; i++) {
        v->layers[v->program.layers[i].op] = v->program.layers[i];
    }
    atoll_cost_close(&cost);
    atoll_free(ops);
    return code == ATOLL_ENOMEM ? atoll_fail(err, code, "%s", why.text) : 0;
}

int info_view_open(struct info_view *v, const struct atoll_model *m, const struct info_opts *o,
                   struct atoll_err *err)
{
    *v = (struct info_view){.m = m, .first_unmapped = m->n_ops};
    v->maps = atoll_calloc(m->n_ops, sizeof *v->maps);
    v->info = atoll_calloc(m->n_ops, sizeof *v->info);
    v->layers = atoll_calloc(m->n_ops, sizeof *v->layers);
    v->costs = atoll_calloc(m->n_ops, sizeof *v->costs);
    v->use = board_use(&o->board);
    if (!v->maps || !v->info || !v->layers || !v->costs) {
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
    const int code = atoll_board_open(o->board.name, o->board.share, &v->board, err);
    return code ? code : add_costs(v, o->compiler, err);
}

const char *info_why_not(const struct info_view *v, uint32_t op, char buf[256])
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

int info_source(struct call *call, const struct atoll_model *m)
{
    const struct info_opts *o = call->opts;
    struct info_view v;
    int code = info_view_open(&v, m, o, &call->err);
    if (code == 0 && call->json) {
        code = info_print_json(call, &v);
    } else if (code == 0) {
        code = info_print_people(call, &v);
    }
    info_view_close(&v);
    return code;
}
