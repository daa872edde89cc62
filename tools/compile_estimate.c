/* SPDX-License-Identifier: Apache-2.0 */
/* atoll compile --estimate: what the compiler would report, and what each segment takes on a board.
 */
#include "cmd_compile.h"

/* One model in n segments, or n models in one segment each. */
struct estimate {
    struct models models;
    struct atoll_board *board;
    struct atoll_use use;
    struct atoll_program *programs;
    struct atoll_stage_cost *times;
    uint32_t *order, *starts; ///< of one model
    struct atoll_shared_cost shared;
    uint32_t n;
    bool together;
};

static void close_estimate(struct estimate *e)
{
    for (uint32_t i = 0; e->programs && i < e->n; i++) {
        atoll_program_finish(&e->programs[i]);
    }
    atoll_free(e->programs);
    atoll_free(e->times);
    atoll_free(e->order);
    atoll_free(e->starts);
    atoll_board_close(&e->board);
    models_close(&e->models);
}

/* One segment has no cut and keeps the order of the file. */
static int make_order(struct estimate *e, const struct atoll_model *m, struct atoll_err *err)
{
    for (uint32_t i = 0; i < m->n_ops; i++) {
        e->order[i] = i;
    }
    if (e->n == 1) {
        return 0;
    }
    const int code = atoll_model_vendor_order(m, e->order, err);
    return code ? code : atoll_model_vendor_cuts(m, e->n, e->starts, err);
}

static int cut(struct estimate *e, struct atoll_err *err)
{
    const struct atoll_cost *cost = e->models.cost[0];
    const struct atoll_model *m = e->models.model[0];
    if (e->n > m->n_ops) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s has %u operators, %u segments asked for", m->path,
                          m->n_ops, e->n);
    }
    e->order = atoll_calloc(m->n_ops, sizeof *e->order);
    e->starts = atoll_calloc(e->n, sizeof *e->starts);
    if (!e->order || !e->starts) {
        return atoll_fail_nomem(err, "the segments", m->n_ops * sizeof *e->order);
    }
    int code = make_order(e, m, err);
    for (uint32_t i = 0; i < e->n && code == 0; i++) {
        const uint32_t begin = i ? e->starts[i - 1] : 0;
        const uint32_t end = i + 1 < e->n ? e->starts[i] : m->n_ops;
        code = atoll_cost_program(cost, e->order + begin, end - begin, &e->programs[i], err);
    }
    return code;
}

/* Compiled together, each an equal share of the inferences; and what that is worth. */
static int join(struct estimate *e, struct atoll_err *err)
{
    const struct atoll_cost *costs[MODELS_MAX];
    struct atoll_stage_cost apart[MODELS_MAX], joined[MODELS_MAX];
    double share_frac[MODELS_MAX];
    for (uint32_t i = 0; i < e->n; i++) {
        costs[i] = e->models.cost[i];
        share_frac[i] = 1.0 / e->n;
    }
    int code = atoll_cost_programs_together(costs, e->n, e->programs, err);
    for (uint32_t i = 0; i < e->n && code == 0; i++) {
        struct atoll_program *alone = NULL;
        atoll_cost_stage_of(&e->programs[i], e->board, &e->use, &joined[i]);
        alone = atoll_calloc(1, sizeof *alone);
        code = alone ? atoll_cost_programs_together(&costs[i], 1, alone, err)
                     : atoll_fail_nomem(err, "a program", sizeof *alone);
        if (code == 0) {
            atoll_cost_stage_of(alone, e->board, &e->use, &apart[i]);
            atoll_program_finish(alone);
        }
        atoll_free(alone);
    }
    if (code == 0) {
        atoll_cost_shared(joined, apart, share_frac, e->n, &e->shared);
    }
    return code;
}

static int open_estimate(struct estimate *e, struct call *call)
{
    const struct compile_opts *o = call->opts;
    e->together = call->n_operands > 1;
    e->use = board_use(&o->board);
    e->n = e->together ? call->n_operands : (uint32_t)o->segments;
    int code = models_open(&e->models, call->operands, call->n_operands, o->compiler, &call->err);
    code = code ? code : atoll_board_open(o->board.name, o->board.share, &e->board, &call->err);
    if (code) {
        return code;
    }
    e->programs = atoll_calloc(e->n, sizeof *e->programs);
    e->times = atoll_calloc(e->n, sizeof *e->times);
    if (!e->programs || !e->times) {
        return atoll_fail_nomem(&call->err, "the segments", e->n * sizeof *e->times);
    }
    code = e->together ? join(e, &call->err) : cut(e, &call->err);
    for (uint32_t i = 0; i < e->n && code == 0; i++) {
        atoll_cost_stage_of(&e->programs[i], e->board, &e->use, &e->times[i]);
    }
    return code;
}

/* The assumption that matters most: what the laws warn of, else what is taken to stay on chip where
 * something streams, else how well times of this kind of network are known. */
static void put_assumption(const struct estimate *e, char out[512])
{
    const char *what = e->together ? "model" : "segment";
    uint32_t at = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        if (e->programs[i].warning) {
            (void)snprintf(out, 512, "%s %u: %s", what, i, e->programs[i].warning);
            return;
        }
        at = e->programs[i].off_chip_bytes > e->programs[at].off_chip_bytes ? i : at;
    }
    const struct atoll_program *p = &e->programs[at];
    if (p->off_chip_bytes > 0) {
        (void)snprintf(out, 512,
                       "%s %u: %.2f MiB of the cache are taken to hold parameters (%s); each "
                       "MiB less costs %.2f ms",
                       what, at, (double)p->budget_bytes / 1048576.0, p->budget_why,
                       e->board->stream_us_per_mib.value / 1e3);
        return;
    }
    (void)snprintf(out, 512,
                   "times of %s networks on this board are known to +- %.0f %% (95 %%), from "
                   "networks of other kinds",
                   atoll_family_name(p->family),
                   100 * e->times[at].latency_u95_us / e->times[at].latency_us);
}

static json_t *time_json(const struct estimate *e, uint32_t i)
{
    const struct atoll_stage_cost *t = &e->times[i];
    return json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f}", "origin", "computed", "board",
                     e->board->name, "family", atoll_family_name(t->family), "latency_us",
                     t->latency_us, "latency_u95_us", t->latency_u95_us, "service_us",
                     t->service_us, "service_u95_us", t->service_u95_us, "load_us", t->load_us);
}

static json_t *operators_json(const struct estimate *e, uint32_t i)
{
    const uint32_t n_ops = e->models.model[e->together ? i : 0]->n_ops;
    const uint32_t begin = i && !e->together ? e->starts[i - 1] : 0;
    const uint32_t end = i + 1 < e->n && !e->together ? e->starts[i] : n_ops;
    json_t *operators = json_array();
    for (uint32_t k = begin; k < end; k++) {
        json_array_append_new(operators, json_integer(e->together ? k : e->order[k]));
    }
    return operators;
}

static json_t *segment_json(const struct estimate *e, uint32_t i)
{
    const struct atoll_program *p = &e->programs[i];
    return json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:i, s:s, s:s?, s:o}", "model",
        out_string(e->models.model[e->together ? i : 0]->path), "operators", operators_json(e, i),
        "stored_bytes", (json_int_t)p->stored_bytes, "on_chip_bytes", (json_int_t)p->on_chip_bytes,
        "off_chip_bytes", (json_int_t)p->off_chip_bytes, "narrow_bytes_per_tile",
        (json_int_t)p->narrow_bytes_per_tile, "input_bytes", (json_int_t)p->input_bytes,
        "output_bytes", (json_int_t)p->output_bytes, "instruction_bytes",
        (json_int_t)p->instruction_bytes, "budget_bytes", (json_int_t)p->budget_bytes, "strips",
        p->strips, "cpu_operators", (int)p->cpu_ops, "budget_why",
        p->budget_why ? p->budget_why : "", "warning", p->warning, "time", time_json(e, i));
}

static int print_json(struct call *call, const struct estimate *e, const char *assumption)
{
    json_t *j = atoll_json_answer("compile");
    json_t *list = json_array();
    for (uint32_t i = 0; i < e->n; i++) {
        json_array_append_new(list, segment_json(e, i));
    }
    json_object_set_new(j, "origin", json_string("computed"));
    json_object_set_new(j, "segments", list);
    json_object_set_new(j, "assumption", json_string(assumption));
    json_object_set_new(j, "together",
                        e->together
                            ? json_pack("{s:s, s:f, s:f, s:f, s:f}", "origin", "computed",
                                        "mean_us", e->shared.together_us, "apart_random_us",
                                        e->shared.apart_random_us, "apart_turns_us",
                                        e->shared.apart_turns_us, "reload_us", e->shared.reload_us)
                            : json_null());
    return out_json(call, j);
}

static void note_times(struct call *call, const struct estimate *e)
{
    for (uint32_t i = 0; i < e->n; i++) {
        const struct atoll_stage_cost *t = &e->times[i];
        out_note(call, "%s %u on %s: %.3f ms +- %.3f (computed), first inference %.3f ms more\n",
                 e->together ? "model" : "segment", i, e->board->name, t->latency_us / 1e3,
                 t->latency_u95_us / 1e3, t->load_us / 1e3);
    }
    if (e->together) {
        out_note(call,
                 "compiled together: %.3f ms a mean inference; compiled apart, in random order: "
                 "%.3f ms, by turns: %.3f ms\n",
                 e->shared.together_us / 1e3, e->shared.apart_random_us / 1e3,
                 e->shared.apart_turns_us / 1e3);
    }
}

static int print_log(struct call *call, const struct estimate *e, const char *assumption)
{
    const struct compile_opts *o = call->opts;
    const struct atoll_cost *const *costs = (const struct atoll_cost *const *)e->models.cost;
    char *log =
        e->together
            ? atoll_cost_compiler_log_together(costs, e->programs, call->operands, e->n, o->show)
            : atoll_cost_compiler_log(costs[0], e->programs, e->n, call->operands[0], o->show);
    if (!log) {
        return atoll_fail_nomem(&call->err, "the report", 0);
    }
    out_text("%s", log);
    atoll_free(log);
    note_times(call, e);
    for (uint32_t i = 0; i < e->n; i++) {
        if (e->programs[i].warning) {
            out_note(call, "%s %u: %s\n", e->together ? "model" : "segment", i,
                     e->programs[i].warning);
        }
    }
    out_note(call, "assumption that matters most: %s\n", assumption);
    return 0;
}

int compile_estimate(struct call *call)
{
    struct estimate e = {.n = 0};
    int code = open_estimate(&e, call);
    if (code == 0) {
        char assumption[512];
        put_assumption(&e, assumption);
        code = call->json ? print_json(call, &e, assumption) : print_log(call, &e, assumption);
    }
    close_estimate(&e);
    return code;
}
