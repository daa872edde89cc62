/* SPDX-License-Identifier: Apache-2.0 */
#include "show_run.h"

#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------------ JSON */

static json_t *latency_json(const struct atoll_run_result *r)
{
    json_t *j = json_object();
    atoll_json_set_number(j, "p50", r->p50_us.value);
    atoll_json_set_number(j, "p50_low95", r->p50_us.low95);
    atoll_json_set_number(j, "p50_high95", r->p50_us.high95);
    atoll_json_set_number(j, "p90", r->p90_us);
    atoll_json_set_number(j, "p99", r->p99_us);
    atoll_json_set_number(j, "min", r->min_us);
    atoll_json_set_number(j, "max", r->max_us);
    atoll_json_set_number(j, "mean", r->mean_us);
    atoll_json_set_number(j, "stdev", r->stdev_us);
    atoll_json_set_number(j, "first", r->first_us);
    atoll_json_set_number(j, "cold", r->cold_us);
    return j;
}

static json_t *stages_json(const struct run_view *v)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < v->result->n_stages; i++) {
        const struct atoll_stage_result *s = &v->result->stages[i];
        const struct atoll_stage *of = &v->plan->pipelines[s->pipeline].stages[s->stage];
        json_t *tpus = json_array();
        for (uint32_t k = 0; k < of->n_tpus; k++) {
            json_array_append_new(tpus, json_integer(of->tpus[k]));
        }
        json_t *j = json_pack("{s:i, s:i, s:o, s:I}", "pipeline", (int)s->pipeline, "stage",
                              (int)s->stage, "tpus", tpus, "runs", (json_int_t)s->runs);
        atoll_json_set_number(j, "busy_us", s->busy_us_mean);
        atoll_json_set_number(j, "wait_us", s->wait_us_mean);
        atoll_json_set_number(j, "busy_frac", s->busy_frac);
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *models_json(const struct run_view *v)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < v->result->n_models; i++) {
        const struct atoll_model_result *m = &v->result->models[i];
        json_t *latency = json_object();
        atoll_json_set_number(latency, "mean", m->mean_us);
        atoll_json_set_number(latency, "p50", m->p50_us);
        atoll_json_set_number(latency, "p90", m->p90_us);
        atoll_json_set_number(latency, "p99", m->p99_us);
        atoll_json_set_number(latency, "max", m->max_us);
        json_t *j = json_object();
        json_object_set_new(j, "path", out_string(v->plan->models[i].path));
        atoll_json_set_number(j, "rate_hz", v->plan->models[i].rate_hz);
        json_object_set_new(j, "count", json_integer((json_int_t)m->n));
        atoll_json_set_number(j, "throughput_hz", m->throughput_hz);
        json_object_set_new(j, "latency_us", latency);
        json_object_set_new(j, "reloads", json_integer((json_int_t)m->reloads));
        atoll_json_set_number(j, "predicted_latency_us", v->plan->models[i].latency_us);
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *predicted_json(const struct atoll_plan *p)
{
    json_t *j = json_object();
    json_object_set_new(j, "origin", json_string(atoll_origin_name(ATOLL_ORIGIN_COMPUTED)));
    atoll_json_set_number(j, "latency_us", p->latency_us);
    atoll_json_set_number(j, "interval_us", p->interval_us);
    atoll_json_set_number(j, "throughput_hz", p->throughput_hz);
    atoll_json_set_number(j, "energy_mj", p->energy_mj);
    atoll_json_set_number(j, "power_w", p->power_w);
    return j;
}

int show_run_json(struct call *call, const struct run_view *v)
{
    const struct atoll_run_result *r = v->result;
    char mode[48];
    json_t *j = atoll_json_answer("run");
    json_object_set_new(j, "origin", json_string(atoll_origin_name(r->origin)));
    json_object_set_new(j, "device", out_string(v->device));
    json_object_set_new(j, "board", out_string(v->board->name));
    json_object_set_new(j, "strategy", out_string(v->plan->strategy));
    json_object_set_new(j, "mode", json_string(atoll_workload_name(v->workload, mode)));
    json_object_set_new(j, "count", json_integer((json_int_t)r->n));
    json_object_set_new(j, "latency_us", latency_json(r));
    atoll_json_set_number(j, "throughput_hz", r->throughput_hz);
    show_energy_json(j, v);
    atoll_json_set_number(j, "temperature_max_c", r->temperature_max_c);
    json_object_set_new(j, "throttled", json_boolean(r->throttled));
    json_object_set_new(j, "outliers", json_integer((json_int_t)r->outliers));
    json_object_set_new(j, "stages", stages_json(v));
    json_object_set_new(j, "models", models_json(v));
    json_object_set_new(j, "predicted", predicted_json(v->plan));
    if (v->top) {
        json_object_set(j, "top", v->top);
    }
    return out_json(call, j);
}

/* ------------------------------------------------------------------ for people */

static void print_latency(const struct atoll_run_result *r)
{
    if (r->n == 0) {
        return;
    }
    out_text("  latency     median %.3f ms", r->p50_us.value / 1000);
    if (isfinite(r->p50_us.low95)) {
        out_text(" [%.3f, %.3f]", r->p50_us.low95 / 1000, r->p50_us.high95 / 1000);
    }
    out_text(", 90 %% %.3f, 99 %% %.3f, from %.3f to %.3f\n", r->p90_us / 1000, r->p99_us / 1000,
             r->min_us / 1000, r->max_us / 1000);
}

static void print_against(const char *name, double ran, double planned)
{
    if (isfinite(ran) && isfinite(planned) && planned > 0) {
        out_text("  %-11s planned %.3f, ran %.3f (%+.1f %%)\n", name, planned, ran,
                 100 * (ran / planned - 1));
    }
}

static void print_figures(const struct run_view *v)
{
    const struct atoll_run_result *r = v->result;
    print_latency(r);
    if (isfinite(r->first_us)) {
        out_text("  first       %.3f ms (parameters are loaded)", r->first_us / 1000);
        out_text(isfinite(r->cold_us) ? ", with creation %.3f ms\n" : "\n", r->cold_us / 1000);
    }
    if (isfinite(r->throughput_hz)) {
        out_text("  throughput  %.2f inferences/s over %.3f s\n", r->throughput_hz, r->window_s);
    }
    show_energy(v);
    if (isfinite(r->temperature_max_c)) {
        out_text("  heat        %.1f degC at most%s\n", r->temperature_max_c,
                 r->throttled ? "; the clock was throttled" : "");
    }
    if (r->outliers) {
        out_text("  outliers    %llu samples, kept\n", (unsigned long long)r->outliers);
    }
}

static int print_stages(const struct run_view *v, struct atoll_err *err)
{
    static const struct out_column columns[] = {
        {"pipeline", OUT_RIGHT}, {"stage", OUT_RIGHT},   {"TPU", OUT_RIGHT},  {"runs", OUT_RIGHT},
        {"busy ms", OUT_RIGHT},  {"wait ms", OUT_RIGHT}, {"busy", OUT_RIGHT},
    };
    struct out_table t;
    out_text("\n");
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < v->result->n_stages; i++) {
        const struct atoll_stage_result *s = &v->result->stages[i];
        const struct atoll_stage *of = &v->plan->pipelines[s->pipeline].stages[s->stage];
        out_cell(&t, "%u", s->pipeline + 1);
        out_cell(&t, "%u", s->stage + 1);
        if (of->n_tpus > 1) {
            out_cell(&t, "%u..%u", of->tpus[0], of->tpus[of->n_tpus - 1]);
        } else {
            out_cell(&t, "%u", of->tpus[0]);
        }
        out_cell(&t, "%llu", (unsigned long long)s->runs);
        out_cell_us(&t, s->busy_us_mean);
        out_cell_us(&t, s->wait_us_mean);
        out_cell_number(&t, "%.0f %%", 100 * s->busy_frac);
    }
    return out_table_print(&t, err);
}

static int print_models(const struct run_view *v, struct atoll_err *err)
{
    static const struct out_column columns[] = {
        {"model", OUT_LEFT},    {"rate /s", OUT_RIGHT}, {"served /s", OUT_RIGHT},
        {"plan ms", OUT_RIGHT}, {"mean ms", OUT_RIGHT}, {"median", OUT_RIGHT},
        {"99 %", OUT_RIGHT},    {"most", OUT_RIGHT},    {"reloads", OUT_RIGHT},
    };
    struct out_table t;
    if (v->result->n_models == 0) {
        return 0;
    }
    out_text("\n");
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < v->result->n_models; i++) {
        const struct atoll_model_result *m = &v->result->models[i];
        const struct atoll_plan_model *of = &v->plan->models[i];
        out_cell(&t, "%s", of->path);
        out_cell_number(&t, "%.4g", of->rate_hz);
        out_cell_number(&t, "%.4g", m->throughput_hz);
        out_cell_us(&t, of->latency_us);
        out_cell_us(&t, m->mean_us);
        out_cell_us(&t, m->p50_us);
        out_cell_us(&t, m->p99_us);
        out_cell_us(&t, m->max_us);
        out_cell(&t, "%llu of %llu", (unsigned long long)m->reloads, (unsigned long long)m->n);
    }
    return out_table_print(&t, err);
}

static void print_top(const json_t *top)
{
    size_t i = 0;
    json_t *c = NULL;
    json_array_foreach(top, i, c)
    {
        const char *label = json_string_value(json_object_get(c, "label"));
        out_text("  %-11s %.4f  class %lld%s%s\n", i == 0 ? "best" : "",
                 json_number_value(json_object_get(c, "score")),
                 (long long)json_integer_value(json_object_get(c, "class")), label ? "  " : "",
                 label ? label : "");
    }
}

int show_run(struct call *call, const struct run_view *v)
{
    const struct atoll_run_result *r = v->result;
    char mode[48];
    out_text("%s on %s (%s), %s, %zu inferences, %s\n", v->plan->strategy, v->device,
             v->board->name, atoll_workload_name(v->workload, mode), r->n,
             atoll_origin_name(r->origin));
    print_figures(v);
    print_top(v->top);
    int code = print_models(v, &call->err);
    code = code ? code : print_stages(v, &call->err);
    code = code ? code : show_energy_tables(v, &call->err);
    out_text("\n");
    if (strcmp(v->device, "cpu") == 0) {
        return code; /* the plan speaks of Edge TPUs */
    }
    if (v->workload->mode == ATOLL_WORK_LATENCY) {
        print_against("latency ms", r->p50_us.value / 1000, v->plan->latency_us / 1000);
    }
    if (v->result->n_models > 0) {
        print_against("power W", r->mean_w, v->plan->power_w);
        print_against("energy mJ", r->energy_mj, v->plan->energy_mj);
    }
    if (v->workload->mode == ATOLL_WORK_SATURATED && !isfinite(v->plan->headroom)) {
        print_against("rate /s", r->throughput_hz, v->plan->throughput_hz);
        print_against("energy mJ", r->energy_mj, v->plan->energy_mj);
    }
    return code;
}
