/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data of a report as one JSON object, columns instead of rows ("atoll.report/1"): what the
 * page draws from, and what the `json` writer writes. Indices m, s, w and p point into models,
 * strategies, workloads and plans.
 */
#include "report_internal.h"

#include <math.h>
#include <string.h>

/* Figures carry every digit that is stored; intervals and parts need no more than six. */
#define DIGITS       8
#define DIGITS_ROUGH 6

enum column_kind { NUMBER, ROUGH, INTEGER, INDEX, COUNT32, TEXT, COUNT, FLAG };
struct column {
    const char *name;
    enum column_kind kind;
    size_t offset;
};

static void write_value(struct atoll_buf *b, const struct column *c, const char *row)
{
    double number;
    int64_t integer;
    uint32_t index;
    size_t count;
    bool flag;
    const char *text;
    switch (c->kind) {
    case NUMBER:
    case ROUGH:
        memcpy(&number, row + c->offset, sizeof number);
        atoll__text_number(b, number, c->kind == NUMBER ? DIGITS : DIGITS_ROUGH);
        break;
    case INTEGER:
        memcpy(&integer, row + c->offset, sizeof integer);
        atoll_buf_printf(b, "%lld", (long long)integer);
        break;
    case INDEX: /* -1: null */
        memcpy(&integer, row + c->offset, sizeof integer);
        if (integer < 0) {
            atoll_buf_puts(b, "null");
        } else {
            atoll_buf_printf(b, "%lld", (long long)integer);
        }
        break;
    case COUNT32:
        memcpy(&index, row + c->offset, sizeof index);
        atoll_buf_printf(b, "%u", index);
        break;
    case COUNT:
        memcpy(&count, row + c->offset, sizeof count);
        atoll_buf_printf(b, "%zu", count);
        break;
    case FLAG:
        memcpy(&flag, row + c->offset, sizeof flag);
        atoll_buf_puts(b, flag ? "true" : "false");
        break;
    case TEXT:
        memcpy(&text, row + c->offset, sizeof text);
        atoll__text_json(b, text);
        break;
    }
}

static void write_columns(struct atoll_buf *b, const char *rows, size_t n, size_t stride,
                          const struct column *columns, size_t n_columns)
{
    for (size_t k = 0; k < n_columns; k++) {
        atoll_buf_printf(b, "%s\"%s\":[", k ? ",\n" : "", columns[k].name);
        for (size_t i = 0; i < n; i++) {
            if (i) {
                atoll_buf_puts(b, ",");
            }
            write_value(b, &columns[k], rows + i * stride);
        }
        atoll_buf_puts(b, "]");
    }
}
#define COLUMNS(b, rows, n, list)                                                                  \
    write_columns(b, (const char *)(rows), n, sizeof *(rows), list, sizeof(list) / sizeof *(list))

static void write_names(struct atoll_buf *b, const char *key, const char *const *names, size_t n)
{
    atoll_buf_printf(b, ",\n\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        atoll_buf_puts(b, i ? "," : "");
        atoll__text_json(b, names[i]);
    }
    atoll_buf_puts(b, "]");
}

static void write_experiment(struct atoll_buf *b, const struct atoll__data *d)
{
    const struct atoll_experiment_row *e = &d->experiment;
    const char *const texts[][2] = {{"key", e->key},
                                    {"name", e->name},
                                    {"board", e->board},
                                    {"board_title", e->board_title},
                                    {"device", e->device},
                                    {"meter", e->meter},
                                    {"clock", e->clock},
                                    {"runner", e->runner},
                                    {"compiler", e->compiler},
                                    {"atoll_version", e->atoll_version},
                                    {"device_version", e->device_version},
                                    {"started", d->started},
                                    {"ended", d->ended}};
    atoll_buf_puts(b, ",\n\"experiment\":{");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        atoll_buf_printf(b, "%s\"%s\":", i ? "," : "", texts[i][0]);
        atoll__text_json(b, texts[i][1]);
    }
    atoll_buf_printf(b,
                     ",\"seed\":\"%016llx\",\"repeats\":%lld,\"units\":%lld,\"tpus_max\":%lld,"
                     "\"runs\":%llu,\"failed\":%llu}",
                     (unsigned long long)e->seed, (long long)e->repeats, (long long)e->units,
                     (long long)e->tpus_max, (unsigned long long)d->n_runs,
                     (unsigned long long)d->n_failed);
}

#define MODEL(name, kind, field)                                                                   \
    {                                                                                              \
        name, kind, offsetof(struct atoll__model, field)                                           \
    }
#define CONFIG(name, kind, field)                                                                  \
    {                                                                                              \
        name, kind, offsetof(struct atoll__config, field)                                          \
    }
#define PLAN(name, kind, field)                                                                    \
    {                                                                                              \
        name, kind, offsetof(struct atoll__plan, field)                                            \
    }
#define LAYER(name, kind, field)                                                                   \
    {                                                                                              \
        name, kind, offsetof(struct layer, field)                                                  \
    }

static void write_models(struct atoll_buf *b, const struct atoll__data *d)
{
    static const struct column columns[] = {MODEL("spec", TEXT, row.spec),
                                            MODEL("label", TEXT, row.label),
                                            MODEL("sha256", TEXT, row.sha256),
                                            MODEL("source", TEXT, row.source),
                                            MODEL("ops", INTEGER, row.ops),
                                            MODEL("macs", NUMBER, row.macs),
                                            MODEL("weight_bytes", NUMBER, row.weight_bytes),
                                            MODEL("stored_bytes", NUMBER, row.stored_bytes),
                                            MODEL("off_one", NUMBER, off_one_bytes)};
    atoll_buf_puts(b, ",\n\"models\":{");
    COLUMNS(b, d->models, d->n_models, columns);
    atoll_buf_puts(b, ",\n\"resident\":[");
    for (size_t i = 0; i < d->n_models; i++) {
        const int64_t t = d->models[i].resident_tpus;
        atoll_buf_printf(b, t ? "%s%lld" : "%snull", i ? "," : "", (long long)t);
    }
    atoll_buf_puts(b, "]}");
}

static void write_configs(struct atoll_buf *b, const struct atoll__data *d)
{
    static const struct column columns[] = {CONFIG("m", COUNT32, model),
                                            CONFIG("s", COUNT32, strategy),
                                            CONFIG("t", INTEGER, tpus),
                                            CONFIG("w", COUNT32, workload),
                                            CONFIG("n", COUNT32, n),
                                            CONFIG("failed", COUNT32, failed),
                                            CONFIG("p50", NUMBER, metric[ATOLL__LATENCY].value),
                                            CONFIG("p50l", ROUGH, metric[ATOLL__LATENCY].low95),
                                            CONFIG("p50h", ROUGH, metric[ATOLL__LATENCY].high95),
                                            CONFIG("hz", NUMBER, metric[ATOLL__THROUGHPUT].value),
                                            CONFIG("hzl", ROUGH, metric[ATOLL__THROUGHPUT].low95),
                                            CONFIG("hzh", ROUGH, metric[ATOLL__THROUGHPUT].high95),
                                            CONFIG("mj", NUMBER, metric[ATOLL__ENERGY].value),
                                            CONFIG("mjl", ROUGH, metric[ATOLL__ENERGY].low95),
                                            CONFIG("mjh", ROUGH, metric[ATOLL__ENERGY].high95),
                                            CONFIG("p90", ROUGH, p90_us),
                                            CONFIG("p99", NUMBER, p99_us),
                                            CONFIG("min", ROUGH, min_us),
                                            CONFIG("max", ROUGH, max_us),
                                            CONFIG("first", ROUGH, first_us),
                                            CONFIG("cold", ROUGH, cold_us),
                                            CONFIG("idle", ROUGH, idle_frac),
                                            CONFIG("watt", ROUGH, mean_w),
                                            CONFIG("temp", ROUGH, temperature_c),
                                            CONFIG("throttled", INTEGER, throttled),
                                            CONFIG("outliers", INTEGER, outliers)};
    atoll_buf_puts(b, ",\n\"configs\":{");
    COLUMNS(b, d->configs, d->n_configs, columns);
    atoll_buf_puts(b, "}");
}

static void write_plans(struct atoll_buf *b, const struct atoll__data *d)
{
    static const struct column columns[] = {PLAN("m", COUNT32, model),
                                            PLAN("s", COUNT32, strategy),
                                            PLAN("t", INTEGER, row.tpus),
                                            PLAN("used", INTEGER, row.tpus_used),
                                            PLAN("pipes", INTEGER, row.n_pipelines),
                                            PLAN("stages", INTEGER, row.n_stages),
                                            PLAN("lat", ROUGH, row.latency_us),
                                            PLAN("hz", NUMBER, row.throughput_hz),
                                            PLAN("mj", NUMBER, row.energy_mj),
                                            PLAN("on", NUMBER, row.on_chip_bytes),
                                            PLAN("off", NUMBER, row.off_chip_bytes),
                                            PLAN("skip", TEXT, row.skipped)};
    atoll_buf_puts(b, ",\n\"plans\":{");
    COLUMNS(b, d->plans, d->n_plans, columns);
    atoll_buf_puts(b, "}");
}

/* --------------------------------------------- stages of the plans that the page draws */

struct stage {
    struct atoll_stage_row row;
    uint32_t plan;
};
#define STAGE(name, kind, field)                                                                   \
    {                                                                                              \
        name, kind, offsetof(struct stage, row.field)                                              \
    }

static int write_stages(struct atoll_buf *b, const struct atoll__data *d, struct atoll_err *err)
{
    static const struct column columns[] = {{"p", COUNT32, offsetof(struct stage, plan)},
                                            STAGE("pipe", INTEGER, pipeline),
                                            STAGE("stage", INTEGER, stage),
                                            STAGE("tpus", TEXT, tpus),
                                            STAGE("nops", INTEGER, n_ops),
                                            STAGE("op0", INTEGER, first_op),
                                            STAGE("op1", INTEGER, last_op),
                                            STAGE("name0", TEXT, first_name),
                                            STAGE("name1", TEXT, last_name),
                                            STAGE("stored", NUMBER, stored_bytes),
                                            STAGE("on", NUMBER, on_chip_bytes),
                                            STAGE("off", NUMBER, off_chip_bytes),
                                            STAGE("narrow", NUMBER, narrow_bytes_per_tile),
                                            STAGE("inb", NUMBER, input_bytes),
                                            STAGE("outb", NUMBER, output_bytes),
                                            STAGE("compute", ROUGH, compute_us),
                                            STAGE("stream", ROUGH, stream_us),
                                            STAGE("input", ROUGH, input_us),
                                            STAGE("output", ROUGH, output_us),
                                            STAGE("call", ROUGH, call_us),
                                            STAGE("service", ROUGH, service_us),
                                            STAGE("load", ROUGH, load_us),
                                            STAGE("strips", INTEGER, strips)};
    struct stage *rows = atoll_calloc(d->n_stages + 1, sizeof *rows);
    bool *wanted = atoll_calloc(d->n_plans + 1, sizeof *wanted);
    if (!rows || !wanted) {
        atoll_free(rows);
        atoll_free(wanted);
        return atoll_fail_nomem(err, "the stages of the report", d->n_stages * sizeof *rows);
    }
    for (size_t i = 0; i < d->n_best; i++) {
        const int64_t plan = d->configs[d->best[i].config].plan;
        if (plan >= 0) {
            wanted[plan] = true;
        }
    }
    size_t n = 0;
    for (size_t i = 0; i < d->n_plans; i++) {
        const struct atoll__plan *p = &d->plans[i];
        if (!wanted[i] && strcmp(d->strategies[p->strategy], "vendor") != 0) {
            continue;
        }
        for (size_t k = 0; k < p->n_stages && n < d->n_stages; k++) {
            rows[n++] = (struct stage){.row = d->stages[p->stages + k], .plan = (uint32_t)i};
        }
    }
    atoll_buf_puts(b, ",\n\"stages\":{");
    COLUMNS(b, rows, n, columns);
    atoll_buf_puts(b, "}");
    atoll_free(rows);
    atoll_free(wanted);
    return 0;
}

struct layer {
    struct atoll_layer_row row;
    uint32_t model;
};
static int write_layers(struct atoll_buf *b, const struct atoll__data *d, struct atoll_err *err)
{
    static const struct column columns[] = {LAYER("m", COUNT32, model),
                                            LAYER("op", TEXT, row.op),
                                            LAYER("bound", TEXT, row.bound),
                                            LAYER("n", INTEGER, row.index),
                                            LAYER("us", NUMBER, row.us),
                                            LAYER("macs", NUMBER, row.macs),
                                            LAYER("stream", ROUGH, row.stream_bytes)};
    struct layer *rows = atoll_calloc(d->n_layers + 1, sizeof *rows);
    if (!rows) {
        return atoll_fail_nomem(err, "the layers of the report", d->n_layers * sizeof *rows);
    }
    for (size_t i = 0; i < d->n_layers; i++) {
        rows[i].row = d->layers[i];
        for (uint32_t m = 0; m < d->n_models; m++) {
            if (d->models[m].row.spec == d->layers[i].model) {
                rows[i].model = m;
            }
        }
    }
    atoll_buf_puts(b, ",\n\"layers\":{");
    COLUMNS(b, rows, d->n_layers, columns);
    atoll_buf_puts(b, "}");
    atoll_free(rows);
    return 0;
}

static void write_best(struct atoll_buf *b, const struct atoll__data *d)
{
    static const struct column columns[] = {
        {"m", COUNT32, offsetof(struct atoll__best, model)},
        {"config", COUNT, offsetof(struct atoll__best, config)},
        {"single", INDEX, offsetof(struct atoll__best, single)},
        {"compared", COUNT, offsetof(struct atoll__best, compared)},
        {"ties", COUNT, offsetof(struct atoll__best, ties)},
        {"ratio", NUMBER, offsetof(struct atoll__best, ratio)},
        {"ratio_low", NUMBER, offsetof(struct atoll__best, ratio_low95)},
        {"ratio_high", NUMBER, offsetof(struct atoll__best, ratio_high95)},
        {"beyond_noise", FLAG, offsetof(struct atoll__best, beyond_noise)}};
    atoll_buf_puts(b, ",\n\"best\":{");
    COLUMNS(b, d->best, d->n_best, columns);
    atoll_buf_puts(b, ",\n\"objective\":[");
    for (size_t i = 0; i < d->n_best; i++) {
        atoll_buf_printf(b, "%s\"%s\"", i ? "," : "", atoll__metric_name(d->best[i].metric));
    }
    atoll_buf_puts(b, "],\n\"plan\":[");
    for (size_t i = 0; i < d->n_best; i++) {
        const int64_t plan = d->configs[d->best[i].config].plan;
        atoll_buf_printf(b, plan < 0 ? "%snull" : "%s%lld", i ? "," : "", (long long)plan);
    }
    atoll_buf_puts(b, "]}");
}

static void write_findings(struct atoll_buf *b, const struct atoll_verdict *v)
{
    write_names(b, "headline", v->headline, 3);
    atoll_buf_puts(b, ",\n\"findings\":[");
    for (size_t i = 0; i < v->n; i++) {
        const struct atoll_finding *f = &v->findings[i];
        atoll_buf_puts(b, i ? ",\n{\"model\":" : "{\"model\":");
        atoll__text_json(b, f->model);
        atoll_buf_puts(b, ",\"topic\":");
        atoll__text_json(b, f->topic);
        atoll_buf_printf(b,
                         ",\"beyond_noise\":%s,\"sentence\":", f->beyond_noise ? "true" : "false");
        atoll__text_json(b, f->sentence);
        atoll_buf_puts(b, "}");
    }
    atoll_buf_puts(b, "]");
}

int atoll__report_block(struct atoll_store *s, const struct atoll__data *d,
                        const struct atoll_verdict *v, struct atoll_buf *b, struct atoll_err *err)
{
    atoll_buf_printf(
        b, "{\"schema\":\"atoll.report/1\",\"version\":\"%s\",\"origin\":", ATOLL_VERSION);
    atoll__text_json(b, d->origin ? d->origin : "not run");
    write_experiment(b, d);
    write_names(b, "strategies", d->strategies, d->n_strategies);
    write_names(b, "workloads", d->workloads, d->n_workloads);
    write_models(b, d);
    write_configs(b, d);
    write_plans(b, d);
    int e = write_stages(b, d, err);
    e = e ? e : write_layers(b, d, err);
    if (e) {
        return e;
    }
    write_best(b, d);
    write_findings(b, v);
    atoll__report_accuracy_block(d, b);
    e = atoll__report_power(s, d, b, err);
    e = e ? e : atoll__report_traces(s, d, b, err);
    atoll_buf_puts(b, "}\n");
    return e ? e : b->failed ? atoll_fail_nomem(err, "the data of the report", b->size) : 0;
}
