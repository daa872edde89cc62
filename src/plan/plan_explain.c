/* SPDX-License-Identifier: Apache-2.0 */
/* Why a plan is as fast as it is, in sentences computed from its stages. */
#include "plan_internal.h"

#include <math.h>
#include <string.h>

static char *take(struct atoll_plan *p, struct atoll_buf *b)
{
    char *text = b->failed || !b->data ? NULL : atoll_arena_strndup(p->arena, b->data, b->size);
    atoll_buf_finish(b);
    return text;
}

static void put_time(struct atoll_buf *b, double us)
{
    atoll_buf_printf(b, us >= 1000 ? "%.2f ms" : "%.0f us", us >= 1000 ? us / 1000 : us);
}

static void put_bytes(struct atoll_buf *b, uint64_t bytes)
{
    char text[32];
    atoll_format_bytes(text, bytes);
    atoll_buf_puts(b, text);
}

/* "stage 2 of 4 of pipeline 1 (TPU 1)" with numbers from 0 where --json has them: TPUs. */
static void put_stage(struct atoll_buf *b, const struct atoll_plan *p, uint32_t pipeline,
                      uint32_t stage)
{
    const struct atoll_pipeline *pipe = &p->pipelines[pipeline];
    const struct atoll_stage *st = &pipe->stages[stage];
    if (pipe->n_stages == 1) {
        atoll_buf_puts(b, "The only stage");
    } else {
        atoll_buf_printf(b, "Stage %u of %u", stage + 1, pipe->n_stages);
    }
    if (p->n_pipelines > 1) {
        atoll_buf_printf(b, " of pipeline %u", pipeline + 1);
    }
    if (st->n_tpus == 1) {
        atoll_buf_printf(b, " (TPU %u)", st->tpus[0]);
    } else {
        atoll_buf_printf(b, " (%u TPUs)", st->n_tpus);
    }
}

/* The largest part of a stage's time and its name. */
static const char *largest_part(const struct atoll_stage_cost *c, double *us)
{
    const struct {
        const char *name;
        double us;
    } parts[] = {
        {"computing", c->compute_us},
        {"streaming weights", c->stream_us},
        {"reading the results back", c->output_us},
        {"sending the inputs", c->input_us},
        {"operators left on the CPU", c->cpu_us},
        {"the host's call", c->call_us},
    };
    size_t best = 0;
    for (size_t i = 1; i < sizeof parts / sizeof parts[0]; i++) {
        best = parts[i].us > parts[best].us ? i : best;
    }
    *us = parts[best].us;
    return parts[best].name;
}

/* Mean share of the interval during which the other stages of the slowest pipeline wait. */
static double mean_slack_frac(const struct atoll_pipeline *pipe, uint32_t slowest)
{
    double sum = 0;
    for (uint32_t s = 0; s < pipe->n_stages; s++) {
        if (s != slowest) {
            sum += 1 - pipe->stages[s].cost.service_us / pipe->stages[s].n_tpus / pipe->interval_us;
        }
    }
    return pipe->n_stages > 1 ? sum / (pipe->n_stages - 1) : 0;
}

/* At given rates: what is fullest, and how much more there is. */
static char *fullest(struct atoll_plan *p, const struct atoll__plan_limits *l)
{
    struct atoll_buf b = {0};
    const char *const names[] = {NULL, "The host's lock", "The host's threads",
                                 "The link that the TPUs share"};
    const double load[] = {l->stage_frac, l->lock_frac, l->threads_frac, l->link_frac};
    size_t most = 0;
    for (size_t i = 1; i < 4; i++) {
        most = load[i] > load[most] ? i : most;
    }
    if (most > 0) {
        atoll_buf_puts(&b, names[most]);
    } else {
        put_stage(&b, p, l->pipeline, l->stage);
    }
    atoll_buf_printf(&b, " is fullest at these rates: %.0f %% of the time, %.0f %% allowed; ",
                     100 * load[most], 100 * p->utilisation_max_frac);
    atoll_buf_printf(&b,
                     p->headroom < 1 ? "only %.3g of the rates can be served."
                                     : "all rates may grow %.3g times.",
                     p->headroom);
    return take(p, &b);
}

static char *bottleneck(struct atoll_plan *p, const struct atoll__plan_limits *l)
{
    struct atoll_buf b = {0};
    if (atoll__plan_is_rated(p)) {
        return fullest(p, l);
    }
    const struct {
        const char *sentence;
        double load_frac;
    } shared[] = {
        {"The host bounds the throughput: work that it does one call at a time", l->lock_frac},
        {"The host bounds the throughput: driving the stages", l->threads_frac},
        {"The link that the TPUs share bounds the throughput: it", l->link_frac},
    };
    size_t most = 0;
    for (size_t i = 1; i < 3; i++) {
        most = shared[i].load_frac > shared[most].load_frac ? i : most;
    }
    if (shared[most].load_frac > 1) {
        atoll_buf_printf(&b, "%s would need %.0f %% of the time there is.", shared[most].sentence,
                         100 * shared[most].load_frac);
        return take(p, &b);
    }
    const struct atoll_pipeline *pipe = &p->pipelines[l->pipeline];
    const struct atoll_stage_cost *c = &pipe->stages[l->stage].cost;
    double part_us = 0;
    const char *part = largest_part(c, &part_us);
    put_stage(&b, p, l->pipeline, l->stage);
    atoll_buf_puts(&b, pipe->n_stages > 1 || p->n_pipelines > 1 ? " is the slowest: " : " takes ");
    put_time(&b, c->service_us);
    atoll_buf_printf(&b, " for each inference; most of its time goes into %s (", part);
    put_time(&b, part_us);
    atoll_buf_puts(&b, ").");
    if (pipe->n_stages > 1) {
        atoll_buf_printf(&b, " The other stages wait %.0f %% of the time.",
                         100 * mean_slack_frac(pipe, l->stage));
    }
    return take(p, &b);
}

static char *streams(struct atoll_plan *p)
{
    struct atoll_buf b = {0};
    uint32_t stages = 0, streaming = 0, at_pipeline = 0, at_stage = 0;
    uint64_t stored = 0, most = 0;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        for (uint32_t s = 0; s < p->pipelines[i].n_stages; s++) {
            const struct atoll_stage_cost *c = &p->pipelines[i].stages[s].cost;
            stages++;
            stored += c->stored_bytes;
            streaming += c->off_chip_bytes > 0;
            if (c->off_chip_bytes > most) {
                most = c->off_chip_bytes;
                at_pipeline = i;
                at_stage = s;
            }
        }
    }
    if (streaming == 0) {
        atoll_buf_puts(&b, "Nothing streams: all ");
        put_bytes(&b, stored);
        atoll_buf_puts(&b, " of parameters stay on chip.");
    } else {
        put_stage(&b, p, at_pipeline, at_stage);
        atoll_buf_puts(&b, " streams ");
        put_bytes(&b, most);
        atoll_buf_puts(&b, " of its ");
        put_bytes(&b, p->pipelines[at_pipeline].stages[at_stage].cost.stored_bytes);
        atoll_buf_puts(&b, " of parameters at every inference");
        if (streaming > 1) {
            atoll_buf_printf(&b, "; %u of %u stages stream", streaming, stages);
        }
        atoll_buf_puts(&b, ".");
    }
    if (p->tpus > p->tpus_used) {
        atoll_buf_printf(&b, " %u of %u TPUs stay idle.", p->tpus - p->tpus_used, p->tpus);
    }
    return take(p, &b);
}

/* The first of: what the cost laws warn of, power that was never measured (energy plans), a host
 * cost that was never measured. NULL: nothing to say, or no memory. */
static const char *assumption(struct atoll_plan *p, const struct atoll_board *b)
{
    struct atoll_buf t = {0};
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        for (uint32_t s = 0; s < p->pipelines[i].n_stages; s++) {
            const char *warning = p->pipelines[i].stages[s].cost.warning;
            if (warning) {
                put_stage(&t, p, i, s);
                atoll_buf_printf(&t, ": %s", warning);
                return take(p, &t);
            }
        }
    }
    const struct atoll_quantity idle = atoll_board_idle_tpu_mw(b);
    if (idle.assumed && p->objective == ATOLL_OBJECTIVE_ENERGY) {
        atoll_buf_printf(
            &t, "The idle power of a TPU (%.0f mW) is assumed, not measured on this board.",
            idle.value);
        return take(p, &t);
    }
    const struct atoll_quantity call = atoll_board_drive(b, &p->use, ATOLL_DRIVE_THREADED)->call_us;
    if (call.assumed) {
        atoll_buf_printf(
            &t, "The host's cost of a call (%.0f us) is assumed, not measured on this board.",
            call.value);
        return take(p, &t);
    }
    return NULL;
}

int atoll__plan_explain(struct atoll_plan *p, const struct atoll_board *b,
                        const struct atoll__plan_limits *limits, struct atoll_err *err)
{
    p->bottleneck = bottleneck(p, limits);
    p->streams = streams(p);
    p->assumption = assumption(p, b);
    return p->bottleneck && p->streams ? 0 : atoll_fail_nomem(err, "a plan's sentences", 0);
}

/* -------------------------------------------------------------- one more TPU */

/* Keeps the better of two plans in *best. */
static void keep_better(struct atoll_plan **best, struct atoll_plan **other, enum atoll_objective o)
{
    if (!*best || atoll__plan_better(*other, *best, o)) {
        struct atoll_plan *t = *best;
        *best = *other;
        *other = t;
    }
    atoll_plan_close(other);
}

static int try_next(struct atoll__planner *pl, const char *strategy, uint32_t tpus,
                    struct atoll_plan **best, struct atoll_err *err)
{
    struct atoll_plan *other = NULL;
    const int code = atoll__plan_make(pl, strategy, tpus, &other, err);
    if (code == 0) {
        keep_better(best, &other, pl->request->objective);
    }
    return code;
}

/* A partition may grow each of its parts by one, or take one part more. */
static int try_next_partitions(struct atoll__planner *pl, const char *parts_text, uint32_t tpus,
                               struct atoll_plan **best, struct atoll_err *err)
{
    uint32_t parts[ATOLL_TPUS_MAX + 1], n = 0;
    int code = atoll__plan_parse_parts(parts_text, parts, &n, err);
    parts[n] = 0;
    for (uint32_t grown = 0; grown <= n && code == 0; grown++) {
        if (grown > 0 && grown < n && parts[grown] == parts[grown - 1]) {
            continue; /* the same partition again */
        }
        struct atoll_buf b = {0};
        atoll_buf_puts(&b, "partition:");
        for (uint32_t i = 0; i < n + (grown == n); i++) {
            atoll_buf_printf(&b, i ? "+%u" : "%u", parts[i] + (i == grown));
        }
        char *name = atoll_buf_take(&b, NULL);
        code = name ? try_next(pl, name, tpus, best, err) : atoll_fail_nomem(err, "a partition", 0);
        atoll_free(name);
    }
    return code;
}

static int find_next(struct atoll__planner *pl, const struct atoll_plan *p,
                     struct atoll_plan **best, struct atoll_err *err)
{
    const uint32_t tpus = p->tpus + 1;
    if (strncmp(p->strategy, "partition:", 10) == 0) {
        return p->tpus_used == p->tpus ? try_next_partitions(pl, p->strategy + 10, tpus, best, err)
                                       : 0;
    }
    if (strcmp(p->strategy, "single") == 0) {
        const int code = try_next(pl, "replicas", p->n_models + 1, best, err);
        return code ? code : try_next(pl, "vendor", p->n_models + 1, best, err);
    }
    return strcmp(p->strategy, "cuts") == 0 ? 0 : try_next(pl, p->strategy, tpus, best, err);
}

/* "throughput from 19.6 to 39.2 inferences/s (+100 %)" */
static void put_change(struct atoll_buf *b, const struct atoll_plan *from,
                       const struct atoll_plan *to, enum atoll_objective o)
{
    const double was = atoll__plan_value(from, o), is = atoll__plan_value(to, o);
    const double scale = o == ATOLL_OBJECTIVE_LATENCY ? 1e-3 : 1;
    static const char *const units[] = {"ms", "inferences/s", "mJ"};
    atoll_buf_printf(b, "%s from %.3g to %.3g %s (%+.1f %%)", atoll_objective_name(o), was * scale,
                     is * scale, units[o], 100 * (is / was - 1));
}

static char *next_sentence(struct atoll_plan *p, const struct atoll_plan *next,
                           const struct atoll_board *b)
{
    struct atoll_buf t = {0};
    if (next->tpus_used <= p->tpus_used) {
        atoll_buf_puts(&t, "One more TPU would stay idle.");
        return take(p, &t);
    }
    atoll_buf_printf(&t, "With %u TPUs", next->tpus);
    if (next->tpus > b->n_tpus) {
        atoll_buf_puts(&t, ", one more than the board has");
    }
    if (strcmp(next->strategy, p->strategy) != 0) {
        atoll_buf_printf(&t, " (%s)", next->strategy);
    }
    atoll_buf_puts(&t, ": ");
    put_change(&t, p, next, ATOLL_OBJECTIVE_THROUGHPUT);
    atoll_buf_puts(&t, ", ");
    put_change(&t, p, next, ATOLL_OBJECTIVE_LATENCY);
    atoll_buf_puts(&t, ".");
    return take(p, &t);
}

int atoll__plan_explain_next(struct atoll__planner *pl, struct atoll_plan *p, struct atoll_err *err)
{
    struct atoll_plan *next = NULL;
    if (p->skipped || p->tpus >= ATOLL_TPUS_MAX) {
        return 0;
    }
    int code = find_next(pl, p, &next, err);
    if (code == 0 && next && !next->skipped) {
        p->next_tpu = next_sentence(p, next, pl->request->board);
        code = p->next_tpu ? 0 : atoll_fail_nomem(err, "a sentence", 0);
    }
    atoll_plan_close(&next);
    return code;
}
