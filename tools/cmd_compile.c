/* SPDX-License-Identifier: Apache-2.0 */
/* atoll compile: the report of edgetpu_compiler, estimated or by the compiler itself. */
#include "cmd_compile.h"
#include "edgetpu_compiler.h"

static const struct opt opts[] = {
    {.long_name = "estimate",
     .type = OPT_FLAG,
     .offset = offsetof(struct compile_opts, estimate),
     .help = "Compute the report; without it edgetpu_compiler is run",
     .example = "atoll compile --estimate zoo:resnet50 -n 2"},
    BOARD_OPTS(struct compile_opts),
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
     .help = "With --estimate: list the operators and where each runs"},
    {.short_name = 'o',
     .long_name = "output",
     .type = OPT_TEXT,
     .offset = offsetof(struct compile_opts, out),
     .argument = "DIR",
     .help = "Directory for the compiled files (it must exist)",
     .fallback = "."},
    {.long_name = "attempts",
     .type = OPT_UINT,
     .offset = offsetof(struct compile_opts, attempts),
     .argument = "K",
     .help = "Attempts at most; only failures that may pass are tried again",
     .fallback = "3",
     .low = 1,
     .high = 100},
    {.long_name = "timeout",
     .type = OPT_UINT,
     .offset = offsetof(struct compile_opts, timeout_s),
     .argument = "S",
     .help = "Time limit of one attempt, seconds",
     .fallback = "180",
     .low = 1,
     .high = 86400},
    {.long_name = "cache",
     .type = OPT_TEXT,
     .offset = offsetof(struct compile_opts, cache),
     .argument = "DIR",
     .help = "Where compiled models are kept, by the content of the model",
     .fallback = "~/.cache/atoll/compiled"},
    COMPILER_OPT(struct compile_opts),
    OPTS_END,
};
static const struct compile_opts defaults = {
    .board.name = BOARD_DEFAULT, .segments = 1, .attempts = 3, .timeout_s = 180};

/* ------------------------------------------------------------- the compiler itself */

/* Copies an output of the cache to its place: its path and size. */
static json_t *deliver(struct call *call, const struct compiler_result *r, uint32_t i, int *code)
{
    const struct compile_opts *o = call->opts;
    char stem[128], name[512], from[1600], to[1600];
    struct atoll_map map = {0};
    compiler_output(name, COMPILER_STEM, i, (uint32_t)o->segments);
    (void)snprintf(from, sizeof from, "%s/%s", r->dir, name);
    model_stem(call->operands[0], stem);
    compiler_output(name, stem, i, (uint32_t)o->segments);
    (void)snprintf(to, sizeof to, "%.1000s/%s", o->out ? o->out : ".", name);
    *code = atoll_map_open(from, &map, &call->err);
    *code = *code ? *code : atoll_write_file(to, map.data, map.size, &call->err);
    json_t *j =
        *code ? NULL
              : json_pack("{s:o, s:I}", "path", out_string(to), "file_bytes", (json_int_t)map.size);
    atoll_map_close(&map);
    return j;
}

static void print_told(const json_t *s)
{
    const json_t *on = json_object_get(s, "on_chip_bytes");
    const json_t *off = json_object_get(s, "off_chip_bytes");
    char cached[32], streamed[32];
    atoll_format_bytes(cached, (uint64_t)json_integer_value(on));
    atoll_format_bytes(streamed, (uint64_t)json_integer_value(off));
    out_text("%s: %s cached, %s streamed\n", json_string_value(json_object_get(s, "path")),
             json_is_null(on) ? "not told" : cached, json_is_null(off) ? "not told" : streamed);
    size_t i;
    json_t *op;
    json_array_foreach(json_object_get(s, "operators"), i, op)
    {
        out_text("  %-28s %4lld  %s\n", json_string_value(json_object_get(op, "op")),
                 (long long)json_integer_value(json_object_get(op, "count")),
                 json_string_value(json_object_get(op, "status")));
    }
}

/* The report of the compiler's log, segment by segment, each with the file that it made. */
static int tell(struct call *call, const struct compiler_result *r, json_t *told)
{
    const struct compile_opts *o = call->opts;
    int code = 0;
    while (json_array_size(told) > o->segments) {
        json_array_remove(told, json_array_size(told) - 1);
    }
    for (uint32_t i = 0; i < o->segments && code == 0; i++) {
        json_t *file = deliver(call, r, i, &code);
        if (i < json_array_size(told)) {
            json_object_update(json_array_get(told, i), file);
            json_decref(file);
        } else if (file) {
            json_array_append_new(told, file); /* compiled; the log says nothing of it */
        }
        if (code == 0 && !call->json) {
            print_told(json_array_get(told, i));
        }
    }
    if (code == 0 && call->json) {
        json_t *j = atoll_json_answer("compile");
        json_object_set_new(j, "origin", json_string("computed")); /* by the compiler */
        json_object_set_new(j, "compiler_version", out_string(r->version));
        json_object_set_new(j, "attempts", json_integer(r->attempts));
        json_object_set_new(j, "cached", json_boolean(r->attempts == 0));
        json_object_set(j, "segments", told);
        code = out_json(call, j);
    }
    return code;
}

static int run_compiler(struct call *call)
{
    const struct compile_opts *o = call->opts;
    struct atoll_model *m = NULL;
    struct compiler_result r = {.log = NULL};
    int code = source_model_open(call->operands[0], &m, &call->err);
    const struct compiler_request q = {.model = m,
                                       .segments = (uint32_t)o->segments,
                                       .attempts = (uint32_t)o->attempts,
                                       .timeout_s = (uint32_t)o->timeout_s,
                                       .cache_dir = o->cache};
    code = code ? code : compiler_run(&q, &r, &call->err);
    if (code == 0) {
        json_t *told = compiler_told(r.log);
        code = told ? tell(call, &r, told) : atoll_fail_nomem(&call->err, "the report", 0);
        json_decref(told);
        if (r.attempts > 1) {
            out_note(call, "edgetpu_compiler needed %u attempts\n", r.attempts);
        }
    }
    atoll_free(r.log);
    atoll_model_close(&m);
    return code;
}

static int run(struct call *call)
{
    const struct compile_opts *o = call->opts;
    if (call->n_operands > 1 && (!o->estimate || o->segments > 1)) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "several models are compiled together only with --estimate and in one "
                          "segment each");
    }
    return o->estimate ? compile_estimate(call) : run_compiler(call);
}

const struct command cmd_compile = {
    .name = "compile",
    .operands = "MODEL...",
    .summary = "Estimate the report of edgetpu_compiler, or run it",
    .text = "With --estimate: parameters cached and streamed, activation memory and boundary bytes "
            "of each segment, "
            "computed, in the compiler's own format or as JSON; with --json or on stderr also the "
            "time of each on the board, its 95 % half-width and the assumption that matters most. "
            "Several models are compiled together: they share the cache of one TPU, the first is "
            "served first; what that saves against reloading is shown. Without --estimate: runs "
            "edgetpu_compiler, again where its failure may pass, and keeps what it made for the "
            "next time.",
    .example = "atoll compile --estimate zoo:resnet50 -n 4 --json",
    .opts = opts,
    .defaults = &defaults,
    .opts_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = MODELS_MAX,
    .run = run,
};
