/* SPDX-License-Identifier: Apache-2.0 */
/* atoll compile: the report of edgetpu_compiler, estimated or by the compiler itself. */
#include "common.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

struct compile_opts {
    struct opt_common common;
    bool estimate, show;
    uint64_t segments;
    unsigned compiler;
};

static const struct opt opts[] = {
    {.long_name = "estimate",
     .type = OPT_FLAG,
     .offset = offsetof(struct compile_opts, estimate),
     .help = "Compute the report; without it edgetpu_compiler is run",
     .example = "atoll compile --estimate zoo:resnet50 -n 2"},
    {.short_name = 'n',
     .long_name = "segments",
     .type = OPT_UINT,
     .offset = offsetof(struct compile_opts, segments),
     .argument = "N",
     .help = "Number of segments",
     .fallback = "1",
     .low = 1,
     .high = 1000},
    {.short_name = 's',
     .long_name = "show-operations",
     .type = OPT_FLAG,
     .offset = offsetof(struct compile_opts, show),
     .help = "List the operators and where each runs"},
    COMPILER_OPT(struct compile_opts),
    OPTS_END,
};
static const struct compile_opts defaults = {.segments = 1};

struct estimate {
    const struct atoll_cost *cost;
    struct atoll_program *programs;
    uint32_t *order, *starts;
    uint32_t n;
};

static void close_estimate(struct estimate *e)
{
    for (uint32_t i = 0; e->programs && i < e->n; i++) {
        atoll_program_finish(&e->programs[i]);
    }
    atoll_free(e->programs);
    atoll_free(e->order);
    atoll_free(e->starts);
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

static int open_estimate(struct estimate *e, const struct atoll_cost *cost, uint32_t n,
                         struct atoll_err *err)
{
    const struct atoll_model *m = atoll_cost_model(cost);
    *e = (struct estimate){.cost = cost, .n = n};
    if (n > m->n_ops) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s has %u operators, %u segments asked for", m->path,
                          m->n_ops, n);
    }
    e->programs = atoll_calloc(n, sizeof *e->programs);
    e->order = atoll_calloc(m->n_ops, sizeof *e->order);
    e->starts = atoll_calloc(n, sizeof *e->starts);
    if (!e->programs || !e->order || !e->starts) {
        return atoll_fail_nomem(err, "the segments", m->n_ops * sizeof *e->order);
    }
    int code = make_order(e, m, err);
    for (uint32_t i = 0; i < n && code == 0; i++) {
        const uint32_t begin = i ? e->starts[i - 1] : 0, end = i + 1 < n ? e->starts[i] : m->n_ops;
        code = atoll_cost_program(cost, e->order + begin, end - begin, &e->programs[i], err);
    }
    return code;
}

static json_t *segment_json(const struct estimate *e, uint32_t i, uint32_t n_ops)
{
    const struct atoll_program *p = &e->programs[i];
    const uint32_t begin = i ? e->starts[i - 1] : 0, end = i + 1 < e->n ? e->starts[i] : n_ops;
    json_t *operators = json_array();
    for (uint32_t k = begin; k < end; k++) {
        json_array_append_new(operators, json_integer(e->order[k]));
    }
    return json_pack(
        "{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:i, s:s, s:s?}", "operators",
        operators, "stored_bytes", (json_int_t)p->stored_bytes, "on_chip_bytes",
        (json_int_t)p->on_chip_bytes, "off_chip_bytes", (json_int_t)p->off_chip_bytes,
        "narrow_bytes_per_tile", (json_int_t)p->narrow_bytes_per_tile, "input_bytes",
        (json_int_t)p->input_bytes, "output_bytes", (json_int_t)p->output_bytes,
        "instruction_bytes", (json_int_t)p->instruction_bytes, "budget_bytes",
        (json_int_t)p->budget_bytes, "strips", p->strips, "cpu_operators", (int)p->cpu_ops,
        "budget_why", p->budget_why ? p->budget_why : "", "warning", p->warning);
}

static int print_json(struct call *call, const struct estimate *e, uint32_t n_ops)
{
    json_t *j = atoll_json_answer("compile");
    json_t *list = json_array();
    for (uint32_t i = 0; i < e->n; i++) {
        json_array_append_new(list, segment_json(e, i, n_ops));
    }
    json_object_set_new(j, "origin", json_string("computed"));
    json_object_set_new(j, "segments", list);
    return out_json(call, j);
}

static int print_log(struct call *call, const struct estimate *e)
{
    const struct compile_opts *o = call->opts;
    char *log = atoll_cost_compiler_log(e->cost, e->programs, e->n, call->operands[0], o->show);
    if (!log) {
        return atoll_fail_nomem(&call->err, "the report", 0);
    }
    out_text("%s", log);
    atoll_free(log);
    for (uint32_t i = 0; i < e->n; i++) {
        if (e->programs[i].warning) {
            out_note(call, "segment %u: %s\n", i, e->programs[i].warning);
        }
    }
    return 0;
}

static int estimate(struct call *call)
{
    const struct compile_opts *o = call->opts;
    struct models m = {.n = 0};
    struct estimate e = {.n = 0};
    int code = models_open(&m, call->operands, 1, o->compiler, &call->err);
    code = code ? code : open_estimate(&e, m.cost[0], (uint32_t)o->segments, &call->err);
    if (code == 0) {
        code = call->json ? print_json(call, &e, m.model[0]->n_ops) : print_log(call, &e);
    }
    close_estimate(&e);
    models_close(&m);
    return code;
}

/* Runs the real compiler with its own messages; it exits 0 without output when it fails silently,
 * so what counts is the text that it leaves, which the user sees. */
static int run_compiler(struct call *call)
{
    const struct compile_opts *o = call->opts;
    char segments[32];
    snprintf(segments, sizeof segments, "--num_segments=%u", (unsigned)o->segments);
    const char *const argv[] = {"edgetpu_compiler", "-s",
                                o->segments > 1 ? segments : call->operands[0],
                                o->segments > 1 ? call->operands[0] : NULL, NULL};
    if (call->json) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "--json needs --estimate");
    }
    pid_t pid = 0;
    const int failed =
        posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ);
    if (failed) {
        return atoll_fail(
            &call->err, ATOLL_EDEVICE,
            "edgetpu_compiler: %s (x86-64 Linux only; --estimate computes its report without it)",
            strerror(failed));
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        return atoll_fail(
            &call->err, ATOLL_EDEVICE,
            "edgetpu_compiler failed (status %d); some of its failures pass when it is run again",
            WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    return 0;
}

static int run(struct call *call)
{
    const struct compile_opts *o = call->opts;
    return o->estimate ? estimate(call) : run_compiler(call);
}

const struct command cmd_compile = {
    .name = "compile",
    .operands = "MODEL",
    .summary = "Estimate the report of edgetpu_compiler, or run it",
    .text = "With --estimate: parameters cached and streamed, activation memory and boundary bytes "
            "of each segment, "
            "computed, in the compiler's own format or as JSON. Without: runs edgetpu_compiler on "
            "the file.",
    .example = "atoll compile --estimate zoo:resnet50 -n 4 --json",
    .opts = opts,
    .defaults = &defaults,
    .opts_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
