/* SPDX-License-Identifier: Apache-2.0 */
#include "show_plan.h"

#include <math.h>
#include <string.h>

static void print_figure(const char *name, const char *unit, double v, double u95, const char *note)
{
    if (!isfinite(v)) {
        return;
    }
    out_text("  %-11s %10.3f %-4s", name, v, unit);
    if (isfinite(u95) && u95 > 0) {
        out_text(" +/- %.3g", u95);
    }
    out_text("%*s%s\n", 2, "", note);
}

/* A plan for rates: what it needs and gives while it serves them. */
static void print_rate_figures(const struct atoll_plan *p)
{
    char worst[96], full[96];
    snprintf(worst, sizeof worst, "mean of all inferences, empty system; slowest pipeline %.3f ms",
             p->latency_worst_us / 1000);
    snprintf(full, sizeof full, "more than the rates, until something is %.0f %% full",
             100 * p->utilisation_max_frac);
    print_figure("latency", "ms", p->latency_mean_us / 1000, NAN, worst);
    print_figure("headroom", "x", p->headroom, NAN, full);
    print_figure("power", "W", p->power_w, NAN, "whole board at these rates, all TPUs powered");
    print_figure("energy", "mJ", p->energy_mj, p->energy_u95_mj, "for each inference");
}

static void print_bound(const struct atoll_plan *p)
{
    if (isfinite(p->gap_frac)) {
        out_text("  proven      within %.2f %% of the best (bound %.6g)\n", 100 * p->gap_frac,
                 p->lower_bound);
    }
}

static int print_models(const struct atoll_plan *p, struct atoll_err *err)
{
    static const struct out_column columns[] = {
        {"model", OUT_LEFT},       {"rate /s", OUT_RIGHT}, {"at most /s", OUT_RIGHT},
        {"latency ms", OUT_RIGHT}, {"slowest", OUT_RIGHT}, {"TPUs", OUT_LEFT},
    };
    struct out_table t;
    out_text("\n");
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t m = 0; m < p->n_models; m++) {
        const struct atoll_plan_model *of = &p->models[m];
        const struct atoll_pipeline *last = NULL;
        uint32_t tpus = 0;
        for (uint32_t i = 0; i < p->n_pipelines; i++) {
            for (uint32_t s = 0; p->pipelines[i].model == m && s < p->pipelines[i].n_stages; s++) {
                tpus += p->pipelines[i].stages[s].n_tpus;
                last = &p->pipelines[i];
            }
        }
        out_cell(&t, "%s", of->path);
        out_cell_number(&t, "%.4g", of->rate_hz);
        out_cell_number(&t, "%.4g", of->capacity_hz);
        out_cell_us(&t, of->latency_us);
        out_cell_us(&t, of->latency_worst_us);
        if (last && last->sharing == ATOLL_SHARING_RELOAD) {
            out_cell(&t, "%u shared, reloads at up to %.0f %% (%.1f ms)", tpus,
                     100 * last->reload_frac, last->stages[0].cost.load_us / 1e3);
        } else {
            out_cell(&t, "%u %s", tpus,
                     last && last->sharing != ATOLL_SHARING_NONE ? "shared, compiled together"
                                                                 : "own");
        }
    }
    return out_table_print(&t, err);
}

static void print_figures(const struct atoll_plan *p, const struct atoll_board *b)
{
    char interval[96], powered[96], worst[96];
    snprintf(interval, sizeof interval, "saturated; an inference each %.3f ms",
             p->interval_us / 1000);
    const uint32_t n_powered = b->n_tpus > p->tpus_used ? b->n_tpus : p->tpus_used;
    snprintf(powered, sizeof powered, "for each inference, saturated, %u %s and the board powered",
             n_powered, n_powered == 1 ? "TPU" : "TPUs");
    snprintf(worst, sizeof worst,
             p->latency_worst_us > p->latency_us
                 ? "one input, empty system; slowest pipeline %.3f ms"
                 : "one input, empty system",
             p->latency_worst_us / 1000);
    print_figure("latency", "ms", p->latency_us / 1000, p->latency_u95_us / 1000, worst);
    print_figure("throughput", "/s", p->throughput_hz, p->throughput_u95_hz, interval);
    print_figure("energy", "mJ", p->energy_mj, p->energy_u95_mj, powered);
}

static void add_stage_row(struct out_table *t, const struct atoll_pipeline *pipe, uint32_t number)
{
    const struct atoll_stage *s = &pipe->stages[number];
    const struct atoll_stage_cost *c = &s->cost;
    out_cell(t, "%u", number + 1);
    if (s->n_tpus > 1) {
        out_cell(t, "%u..%u", s->tpus[0], s->tpus[s->n_tpus - 1]);
    } else {
        out_cell(t, "%u", s->tpus[0]);
    }
    out_cell(t, "%u", s->n_ops);
    out_cell_us(t, c->service_us);
    out_cell_us(t, c->latency_us);
    out_cell_us(t, c->compute_us);
    out_cell_us(t, c->stream_us);
    out_cell_us(t, c->input_us + c->output_us);
    out_cell_us(t, c->call_us + c->cpu_us);
    out_cell_number(t, "%.0f%%", 100 * (1 - c->service_us / s->n_tpus / pipe->interval_us));
    out_cell_short_bytes(t, c->on_chip_bytes);
    out_cell_short_bytes(t, c->off_chip_bytes);
    out_cell_short_bytes(t, c->input_bytes);
    out_cell_short_bytes(t, c->output_bytes);
}

static int print_pipeline(const struct atoll_plan *p, uint32_t i, struct atoll_err *err)
{
    static const struct out_column columns[] = {
        {"#", OUT_RIGHT},       {"TPU", OUT_RIGHT},     {"ops", OUT_RIGHT},
        {"service", OUT_RIGHT}, {"latency", OUT_RIGHT}, {"compute", OUT_RIGHT},
        {"stream", OUT_RIGHT},  {"links", OUT_RIGHT},   {"host", OUT_RIGHT},
        {"slack", OUT_RIGHT},   {"kept", OUT_RIGHT},    {"sent", OUT_RIGHT},
        {"in", OUT_RIGHT},      {"out", OUT_RIGHT},
    };
    const struct atoll_pipeline *pipe = &p->pipelines[i];
    struct out_table t;
    out_text("\npipeline %u: %s, latency %.3f ms, interval %.3f ms\n", i + 1,
             p->models[pipe->model].path, pipe->latency_us / 1000, pipe->interval_us / 1000);
    out_text("(stages; times in ms; bytes of parameters kept on chip and sent each time, of inputs "
             "and outputs)\n");
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t s = 0; s < pipe->n_stages; s++) {
        add_stage_row(&t, pipe, s);
    }
    return out_table_print(&t, err);
}

/* Pipelines with the same model and cuts are shown once. */
static bool same_pipeline(const struct atoll_pipeline *a, const struct atoll_pipeline *b)
{
    bool same = a->model == b->model && a->n_stages == b->n_stages;
    for (uint32_t s = 0; same && s < a->n_stages; s++) {
        same = a->stages[s].n_ops == b->stages[s].n_ops &&
               a->stages[s].n_tpus == b->stages[s].n_tpus &&
               a->stages[s].ops[0] == b->stages[s].ops[0];
    }
    return same;
}

static int print_pipelines(const struct atoll_plan *p, struct atoll_err *err)
{
    int code = 0;
    for (uint32_t i = 0; i < p->n_pipelines && code == 0; i++) {
        uint32_t first = 0;
        while (!same_pipeline(&p->pipelines[first], &p->pipelines[i])) {
            first++;
        }
        if (first == i) {
            code = print_pipeline(p, i, err);
        } else {
            out_text("\npipeline %u: as pipeline %u, on TPU %u and on\n", i + 1, first + 1,
                     p->pipelines[i].stages[0].tpus[0]);
        }
    }
    return code;
}

static void print_sentence(const char *text)
{
    if (text) {
        out_wrapped(2, "- %s", text);
    }
}

int show_plan(const struct atoll_plan *p, const struct atoll_board *b, struct atoll_err *err)
{
    out_text("%s on %s, %u of %u TPUs used, all figures computed\n", p->strategy, b->title,
             p->tpus_used, p->tpus);
    if (p->skipped) {
        out_text("does not apply: %s\n", p->skipped);
        return 0;
    }
    const bool rated = isfinite(p->headroom);
    if (rated) {
        print_rate_figures(p);
    } else {
        print_figures(p, b);
    }
    print_bound(p);
    int code = rated ? print_models(p, err) : 0;
    code = code ? code : print_pipelines(p, err);
    out_text("\n");
    print_sentence(p->bottleneck);
    print_sentence(p->streams);
    print_sentence(p->next_tpu);
    print_sentence(p->assumption);
    return code;
}

/* ------------------------------------------------------------------ comparison */

/* Reasons why strategies do not apply, each shown once below the table. */
struct reasons {
    const char *text[64];
    uint32_t n;
};

static uint32_t reason_number(struct reasons *r, const char *why)
{
    uint32_t i = 0;
    while (i < r->n && strcmp(r->text[i], why) != 0) {
        i++;
    }
    if (i == r->n && r->n < sizeof r->text / sizeof r->text[0]) {
        r->text[r->n++] = why;
    }
    return i + 1;
}

/* "latency, energy" for a plan that is best in both. */
static const char *best_in(const struct atoll_comparison *c, uint32_t i, char buf[64])
{
    buf[0] = '\0';
    for (unsigned o = 0; o < 3; o++) {
        const size_t at = strlen(buf);
        if (c->best[o] == (int32_t)i) {
            snprintf(buf + at, 64 - at, "%s%c", at ? " " : "",
                     atoll_objective_name((enum atoll_objective)o)[0] - 'a' + 'A');
        }
    }
    return buf;
}

static void add_plan_row(struct out_table *t, const struct atoll_comparison *c, uint32_t i,
                         struct reasons *reasons, bool rated)
{
    const struct atoll_plan *p = c->plans[i];
    uint64_t streamed = 0;
    char best[64];
    for (uint32_t k = 0; k < p->n_pipelines; k++) {
        for (uint32_t s = 0; s < p->pipelines[k].n_stages; s++) {
            streamed += p->pipelines[k].stages[s].cost.off_chip_bytes;
        }
    }
    out_cell(t, "%s", p->strategy);
    out_cell(t, "%u", p->tpus_used);
    out_cell_us(t, rated ? p->latency_mean_us : p->latency_us);
    out_cell_us(t, p->latency_worst_us);
    out_cell_number(t, rated ? "%.2f" : "%.1f", rated ? p->headroom : p->throughput_hz);
    out_cell_number(t, rated ? "%.3f" : "%.2f", rated ? p->power_w : p->energy_mj);
    if (p->skipped) {
        out_cell(t, "-");
        out_cell(t, "-");
        out_cell(t, "does not apply [%u]", reason_number(reasons, p->skipped));
        return;
    }
    out_cell_short_bytes(t, streamed);
    out_cell_number(t, "%.2g%%", 100 * p->gap_frac);
    out_cell(t, "%s", best_in(c, i, best));
}

static void print_reasons(const struct reasons *r)
{
    if (r->n) {
        out_text("\nDo not apply:\n");
    }
    for (uint32_t i = 0; i < r->n; i++) {
        out_wrapped(4, "[%u] %s", i + 1, r->text[i]);
    }
}

/* "vendor and partition: edgetpu_compiler; smallest_resident: LAAS" */
static void print_rules(const struct atoll_comparison *c)
{
    struct atoll_buf b = {0};
    const char *last = NULL;
    for (uint32_t i = 0; i < c->n_plans; i++) {
        const struct atoll_plan *p = c->plans[i];
        const bool partition = strncmp(p->strategy, "partition:", 10) == 0;
        if (p->rule_of && (!partition || !last || strncmp(last, "partition:", 10) != 0)) {
            atoll_buf_printf(&b, "%s%s of %s", last ? ", " : "",
                             partition ? "partition" : p->strategy, p->rule_of);
            last = p->strategy;
        }
    }
    if (b.data && !b.failed) {
        out_wrapped(2,
                    "Best in: L latency, T throughput, E energy. Gap: to the bound that is "
                    "proven. Rules of others: %s.",
                    b.data);
    }
    atoll_buf_finish(&b);
}

int show_comparison(const struct atoll_comparison *c, const struct atoll_board *b,
                    struct atoll_err *err)
{
    static const struct out_column columns[] = {
        {"strategy", OUT_LEFT}, {"TPUs", OUT_RIGHT},  {"latency ms", OUT_RIGHT},
        {"worst", OUT_RIGHT},   {"per s", OUT_RIGHT}, {"mJ", OUT_RIGHT},
        {"sent", OUT_RIGHT},    {"gap", OUT_RIGHT},   {"best in", OUT_LEFT},
    };
    static const struct out_column rated_columns[] = {
        {"strategy", OUT_LEFT}, {"TPUs", OUT_RIGHT},     {"latency ms", OUT_RIGHT},
        {"worst", OUT_RIGHT},   {"headroom", OUT_RIGHT}, {"W", OUT_RIGHT},
        {"sent", OUT_RIGHT},    {"gap", OUT_RIGHT},      {"best in", OUT_LEFT},
    };
    bool rated = false;
    for (uint32_t i = 0; i < c->n_plans; i++) {
        rated = rated || isfinite(c->plans[i]->headroom);
    }
    struct out_table t;
    struct reasons reasons = {.n = 0};
    if (c->n_plans) {
        out_text("%u TPUs of %s, all figures computed\n\n", c->plans[0]->tpus, b->title);
    }
    out_table_start(&t, rated ? rated_columns : columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < c->n_plans; i++) {
        add_plan_row(&t, c, i, &reasons, rated);
    }
    int code = out_table_print(&t, err);
    print_reasons(&reasons);
    out_text("\n");
    print_rules(c);
    for (unsigned o = 0; o < 3 && code == 0; o++) {
        const struct atoll_plan *p = c->best[o] < 0 ? NULL : c->plans[c->best[o]];
        if (p) {
            out_text("\nBest %s: %s.\n", atoll_objective_name((enum atoll_objective)o),
                     p->strategy);
            print_sentence(p->bottleneck);
            print_sentence(p->streams);
            print_sentence(p->next_tpu);
            print_sentence(p->assumption);
        }
    }
    return code;
}
