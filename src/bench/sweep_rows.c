/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the database besides runs: the experiment, its models, layers, plans and
 * stages. */
#include "experiment_internal.h"

#include <atoll/yaml.h>
#include <math.h>
#include <string.h>

static int nomem(struct atoll_err *err)
{
    return atoll_fail_nomem(err, "rows of an experiment", 0);
}

/* --------------------------------------------------------------- experiment */

static const char *text_at(const struct atoll_yaml *map, const char *key)
{
    const struct atoll_yaml *n = atoll_yaml_get(map, key);
    return n && n->text ? n->text : "";
}

/* Every quantity under `node` that its profile marks as assumed, one a line: "power.idle_mw =
 * 500 mW (95 %: 200): why". Ways of driving that this experiment does not use are left out. */
static void list_assumed(const struct atoll_yaml *node, const char *path, const char *unused,
                         struct atoll_buf *out)
{
    for (const struct atoll_yaml *n = node->first; n; n = n->next) {
        if (n->kind != ATOLL_YAML_MAP || !n->key || strcmp(n->key, unused) == 0) {
            continue;
        }
        char at[200];
        (void)snprintf(at, sizeof at, "%s%s%s", path, path[0] ? "." : "", n->key);
        if (strcmp(text_at(n, "assumed"), "true") == 0) {
            atoll_buf_printf(out, "%s = %s %s (95 %%: %s): %s\n", at, text_at(n, "value"),
                             text_at(n, "unit"), text_at(n, "u95"), text_at(n, "source"));
        }
        list_assumed(n, at, unused, out);
    }
}

static int assumptions(const struct atoll_experiment *e, struct atoll_buf *out,
                       struct atoll_err *err)
{
    struct atoll_yaml_doc *doc = NULL;
    const int rc =
        atoll_yaml_parse(e->board->path, e->board->text, strlen(e->board->text), &doc, err);
    if (rc) {
        return rc;
    }
    list_assumed(atoll_yaml_root(doc), "",
                 strcmp(atoll__experiment_runner(e), "c") == 0 ? "python" : "c", out);
    atoll_yaml_close(&doc);
    return out->failed ? nomem(err) : 0;
}

static int put_experiment_row(const struct atoll_experiment *e, struct atoll_store *s,
                              const char *device_version, struct atoll_err *err)
{
    struct atoll_buf assumed = {0};
    int rc = assumptions(e, &assumed, err);
    struct atoll_experiment_row r = {.key = e->key,
                                     .name = e->name,
                                     .yaml = e->yaml,
                                     .board = e->board->name,
                                     .board_title = e->board->title,
                                     .board_yaml = e->board->text,
                                     .device = e->device,
                                     .meter = e->meter,
                                     .clock = atoll__experiment_clock(e),
                                     .runner = atoll__experiment_runner(e),
                                     .compiler = atoll__experiment_compiler(e),
                                     .atoll_version = ATOLL_VERSION,
                                     .device_version = device_version,
                                     .seed = e->seed,
                                     .repeats = e->repeats,
                                     .units = e->n_units,
                                     .assumptions = assumed.data};
    for (uint32_t i = 0; i < e->n_tpus; i++) {
        r.tpus_max = e->tpus[i] > r.tpus_max ? e->tpus[i] : r.tpus_max;
    }
    rc = rc ? rc : atoll_store_put_experiment(s, &r, err);
    atoll_buf_finish(&assumed);
    return rc;
}

/* ------------------------------------------------------------ models, layers */

/* Beside the operators: what the call itself and the boundary tensors take. */
static int put_rest(const struct atoll_experiment *e, struct atoll_store *s,
                    const struct atoll__subject *m, const struct atoll_program *p,
                    struct atoll_err *err)
{
    struct atoll_stage_cost c;
    atoll_cost_stage_of(p, e->board, &e->use, &c);
    const struct {
        const char *op;
        enum atoll_bound bound;
        double us;
    } rest[] = {{"(call)", ATOLL_BOUND_CALL, c.call_us},
                {"(input)", ATOLL_BOUND_LINK, c.input_us},
                {"(output)", ATOLL_BOUND_LINK, c.output_us},
                {"(start of a stream)", ATOLL_BOUND_LINK,
                 c.off_chip_bytes > 0 ? e->board->stream_us.value : 0}};
    int rc = 0;
    for (size_t i = 0; i < sizeof rest / sizeof rest[0] && !rc; i++) {
        const struct atoll_layer_row row = {.experiment = e->key,
                                            .model = m->spec,
                                            .index = (int64_t)(m->model->n_ops + i),
                                            .op = rest[i].op,
                                            .bound = atoll_bound_name(rest[i].bound),
                                            .us = rest[i].us};
        rc = rest[i].us > 0 ? atoll_store_put_layer(s, &row, err) : 0;
    }
    return rc;
}

/* Whole on one TPU: where its time goes, operator by operator. */
static int put_layers(const struct atoll_experiment *e, struct atoll_store *s,
                      const struct atoll__subject *m, const struct atoll_program *p,
                      struct atoll_err *err)
{
    struct atoll_layer_cost *costs = atoll_calloc(p->n_layers + 1u, sizeof *costs);
    if (!costs) {
        return nomem(err);
    }
    int rc = 0;
    atoll_program_breakdown(p, e->board, &e->use, costs);
    for (uint32_t i = 0; i < p->n_layers && !rc; i++) {
        const struct atoll_layer *l = &p->layers[i];
        char op[64];
        const struct atoll_layer_row row = {.experiment = e->key,
                                            .model = m->spec,
                                            .index = l->op,
                                            .op = atoll_op_name(&m->model->ops[l->op], op),
                                            .bound = atoll_bound_name(costs[i].bound),
                                            .us = costs[i].us,
                                            .cycles = l->cycles,
                                            .ideal_cycles = l->ideal_cycles,
                                            .macs = (double)l->macs,
                                            .stored_bytes = (double)l->packed_bytes,
                                            .stream_bytes = (double)l->stream_bytes};
        rc = atoll_store_put_layer(s, &row, err);
    }
    atoll_free(costs);
    return rc ? rc : put_rest(e, s, m, p, err);
}

static int put_model(const struct atoll_experiment *e, struct atoll_store *s,
                     const struct atoll__subject *m, struct atoll_err *err)
{
    const struct atoll_model *g = m->model;
    struct atoll_model_row row = {.spec = m->spec,
                                  .label = m->label,
                                  .sha256 = m->sha256,
                                  .source = g->description,
                                  .ops = g->n_ops};
    for (uint32_t i = 0; i < g->n_ops; i++) {
        struct atoll_op_info info;
        atoll_op_info(g, i, &info);
        row.macs += (double)info.macs;
        row.weight_bytes += (double)info.weight_bytes;
    }
    if (g->n_inputs > 0 && g->tensors[g->inputs[0]].rank == 4) {
        row.input_h = g->tensors[g->inputs[0]].shape[1];
        row.input_w = g->tensors[g->inputs[0]].shape[2];
    }
    uint32_t *all = atoll_alloc((size_t)g->n_ops * sizeof *all + 1);
    if (!all) {
        return nomem(err);
    }
    for (uint32_t i = 0; i < g->n_ops; i++) {
        all[i] = i;
    }
    struct atoll_program program = {0};
    int rc = atoll_cost_program(m->cost, all, g->n_ops, &program, err);
    atoll_free(all);
    if (rc) {
        return rc;
    }
    row.stored_bytes = (double)program.stored_bytes;
    rc = atoll_store_put_model(s, &row, err);
    rc = rc ? rc : put_layers(e, s, m, &program, err);
    atoll_program_finish(&program);
    return rc;
}

/* ------------------------------------------------------------- plans, stages */

/* plan.json on one line: line ends stand between values only, never in strings. */
static char *compact_json(const struct atoll_plan *p)
{
    json_t *j = atoll_plan_to_json(p);
    char *text = j ? atoll_json_text(j, NULL) : NULL;
    json_decref(j);
    char *to = text;
    for (const char *from = text; from && *from;) {
        if (*from == '\n') {
            from += 1 + strspn(from + 1, " ");
        } else {
            *to++ = *from++;
        }
    }
    if (to) {
        *to = '\0';
    }
    return text;
}

static int put_stage(const struct atoll_experiment *e, struct atoll_store *s,
                     const struct atoll__try *t, uint32_t pipeline, uint32_t stage,
                     struct atoll_err *err)
{
    const struct atoll_stage *g = &t->plan->pipelines[pipeline].stages[stage];
    const struct atoll_stage_cost *c = &g->cost;
    const struct atoll_model *m = e->subjects[t->subject].model;
    char tpus[ATOLL_TPUS_MAX * 4] = "", first[64], last[64];
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_tpus && n < sizeof tpus - 4; i++) {
        n += (size_t)snprintf(tpus + n, sizeof tpus - n, "%s%u", i ? "," : "", g->tpus[i]);
    }
    const uint32_t a = g->ops[0], b = g->ops[g->n_ops - 1];
    const struct atoll_stage_row row = {.experiment = e->key,
                                        .model = e->subjects[t->subject].spec,
                                        .strategy = t->strategy,
                                        .tpus_key = t->tpus,
                                        .pipeline = pipeline,
                                        .stage = stage,
                                        .tpus = tpus,
                                        .n_ops = g->n_ops,
                                        .first_op = a,
                                        .last_op = b,
                                        .first_name = atoll_op_name(&m->ops[a], first),
                                        .last_name = atoll_op_name(&m->ops[b], last),
                                        .stored_bytes = (double)c->stored_bytes,
                                        .on_chip_bytes = (double)c->on_chip_bytes,
                                        .off_chip_bytes = (double)c->off_chip_bytes,
                                        .narrow_bytes_per_tile = (double)c->narrow_bytes_per_tile,
                                        .input_bytes = (double)c->input_bytes,
                                        .output_bytes = (double)c->output_bytes,
                                        .compute_us = c->compute_us,
                                        .stream_us = c->stream_us,
                                        .input_us = c->input_us,
                                        .output_us = c->output_us,
                                        .call_us = c->call_us,
                                        .latency_us = c->latency_us,
                                        .service_us = c->service_us,
                                        .load_us = c->load_us,
                                        .strips = c->strips};
    return atoll_store_put_stage(s, &row, err);
}

static int put_plan(const struct atoll_experiment *e, struct atoll_store *s,
                    const struct atoll__try *t, struct atoll_err *err)
{
    const struct atoll_plan *p = t->plan;
    const bool runs = p->skipped == NULL;
    struct atoll_plan_row row = {.experiment = e->key,
                                 .model = e->subjects[t->subject].spec,
                                 .strategy = t->strategy,
                                 .tpus = t->tpus,
                                 .tpus_used = p->tpus_used,
                                 .n_pipelines = p->n_pipelines,
                                 .skipped = p->skipped,
                                 .bottleneck = p->bottleneck,
                                 .streams = p->streams,
                                 .next_tpu = p->next_tpu,
                                 .assumption = p->assumption};
    double *const figures[] = {&row.latency_us,    &row.latency_u95_us, &row.latency_worst_us,
                               &row.interval_us,   &row.throughput_hz,  &row.energy_mj,
                               &row.energy_u95_mj, &row.lower_bound,    &row.gap_frac};
    const double values[] = {p->latency_us,    p->latency_u95_us, p->latency_worst_us,
                             p->interval_us,   p->throughput_hz,  p->energy_mj,
                             p->energy_u95_mj, p->lower_bound,    p->gap_frac};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        *figures[i] = runs ? values[i] : NAN;
    }
    row.on_chip_bytes = row.off_chip_bytes = runs ? 0 : NAN;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        row.n_stages += p->pipelines[i].n_stages;
        for (uint32_t k = 0; k < p->pipelines[i].n_stages; k++) {
            row.on_chip_bytes += (double)p->pipelines[i].stages[k].cost.on_chip_bytes;
            row.off_chip_bytes += (double)p->pipelines[i].stages[k].cost.off_chip_bytes;
        }
    }
    char *json = runs ? compact_json(p) : NULL;
    if (runs && !json) {
        return nomem(err);
    }
    row.json = json;
    int rc = atoll_store_put_plan(s, &row, err);
    atoll_free(json);
    for (uint32_t i = 0; i < p->n_pipelines && !rc; i++) {
        for (uint32_t k = 0; k < p->pipelines[i].n_stages && !rc; k++) {
            rc = put_stage(e, s, t, i, k, err);
        }
    }
    return rc;
}

int atoll__sweep_put_experiment(const struct atoll_experiment *e, struct atoll_store *s,
                                const char *device_version, struct atoll_err *err)
{
    int rc = put_experiment_row(e, s, device_version, err);
    for (uint32_t i = 0; i < e->n_subjects && !rc; i++) {
        rc = put_model(e, s, &e->subjects[i], err);
    }
    for (uint32_t i = 0; i < e->n_tries && !rc; i++) {
        rc = put_plan(e, s, &e->tries[i], err);
    }
    return rc;
}
