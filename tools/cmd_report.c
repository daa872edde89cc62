/* SPDX-License-Identifier: Apache-2.0 */
/* atoll report: what people and programs read of a results database. */
#include "common.h"

#include <atoll/report.h>

#include <stdlib.h>
#include <unistd.h>

struct report_opts {
    struct opt_common common;
    const char *out, *csv;
    uint64_t trace; ///< 0: none; runs count from 1
    bool markdown;
};

static const struct opt opts[] = {
    {.short_name = 'o',
     .long_name = "output",
     .type = OPT_TEXT,
     .offset = offsetof(struct report_opts, out),
     .argument = "FILE",
     .help = "File to write: one self-contained HTML page, or what --trace and --markdown make",
     .example = "atoll report results.db -o report.html"},
    {.long_name = "csv",
     .type = OPT_TEXT,
     .offset = offsetof(struct report_opts, csv),
     .argument = "DIR",
     .help = "Write runs.csv, segments.csv, samples.csv, states.csv and others into a directory",
     .example = "atoll report results.db --csv tables"},
    {.long_name = "trace",
     .type = OPT_UINT,
     .offset = offsetof(struct report_opts, trace),
     .argument = "RUN",
     .help = "Write the timeline of a run (its number in runs.csv) for Perfetto",
     .example = "atoll report results.db --trace 1 -o trace.json",
     .low = 1,
     .high = 9e15},
    {.long_name = "markdown",
     .type = OPT_FLAG,
     .offset = offsetof(struct report_opts, markdown),
     .help = "Print the verdict and the tables as Markdown"},
    OPTS_END,
};

/* The writers write files; without -o their text goes to stdout by way of one. */
static int write_to_stdout(const struct atoll_report_writer *w, struct atoll_store *s,
                           struct atoll_err *err)
{
    char dir[] = "/tmp/atoll-report-XXXXXX", path[64];
    struct atoll_map map = {.size = 0};
    if (!mkdtemp(dir)) {
        return atoll_fail(err, ATOLL_EIO, "%s: cannot make a directory", dir);
    }
    snprintf(path, sizeof path, "%s/text", dir);
    int code = w->write(s, path, err);
    code = code ? code : atoll_map_open(path, &map, err);
    if (code == 0) {
        out_bytes((const char *)map.data, map.size);
    }
    atoll_map_close(&map);
    unlink(path);
    rmdir(dir);
    return code;
}

static int write_with(struct call *call, struct atoll_store *s, const char *name, const char *path)
{
    const struct atoll_report_writer *w = atoll_report_writer_find(name);
    if (!w) {
        return atoll_fail(&call->err, ATOLL_EINTERNAL, "no report writer \"%s\"", name);
    }
    const int code = path ? w->write(s, path, &call->err) : write_to_stdout(w, s, &call->err);
    if (code == 0 && path) {
        out_note(call, "wrote %s: %s\n", path, w->what);
    }
    return code;
}

static json_t *finding_json(const struct atoll_finding *f)
{
    return json_pack("{s:o, s:s, s:o, s:b}", "model", f->model ? out_string(f->model) : json_null(),
                     "topic", f->topic, "sentence", out_string(f->sentence), "beyond_noise",
                     f->beyond_noise);
}

static int print_verdict(struct call *call, struct atoll_store *s)
{
    struct atoll_verdict v = {.n = 0};
    const int code = atoll_verdict_make(s, NULL, &v, &call->err);
    if (code) {
        return code;
    }
    json_t *j = atoll_json_answer("report");
    json_t *findings = json_array(), *headline = json_array();
    for (size_t i = 0; i < v.n; i++) {
        json_array_append_new(findings, finding_json(&v.findings[i]));
        if (!call->json) {
            out_text("%s%s%s\n", v.findings[i].model ? v.findings[i].model : "",
                     v.findings[i].model ? ": " : "", v.findings[i].sentence);
        }
    }
    for (int i = 0; i < 3; i++) {
        json_array_append_new(headline, v.headline[i] ? out_string(v.headline[i]) : json_null());
    }
    json_object_set_new(j, "origin", v.origin ? out_string(v.origin) : json_null());
    json_object_set_new(j, "headline", headline);
    json_object_set_new(j, "findings", findings);
    atoll_verdict_finish(&v);
    if (call->json) {
        return out_json(call, j);
    }
    json_decref(j);
    return 0;
}

static int write_trace(struct call *call, struct atoll_store *s)
{
    const struct report_opts *o = call->opts;
    if (!o->out) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "--trace needs -o FILE");
    }
    const int code = atoll_report_trace(s, (int64_t)o->trace, o->out, &call->err);
    if (code == 0) {
        out_note(call, "wrote %s: open it in ui.perfetto.dev or chrome://tracing\n", o->out);
    }
    return code;
}

static int write_all(struct call *call, struct atoll_store *s)
{
    const struct report_opts *o = call->opts;
    int code = o->csv ? write_with(call, s, "csv", o->csv) : 0;
    if (code == 0 && o->trace) {
        code = write_trace(call, s);
    } else if (code == 0 && o->markdown) {
        code = write_with(call, s, "markdown", o->out);
    } else if (code == 0 && o->out) {
        code = write_with(call, s, "html", o->out);
    }
    if (code == 0 && (call->json || (!o->out && !o->csv && !o->markdown && !o->trace))) {
        code = print_verdict(call, s);
    }
    return code;
}

static int run(struct call *call)
{
    const struct report_opts *o = call->opts;
    struct atoll_store *s = NULL;
    if (o->markdown && o->trace) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "expected at most one of --markdown and --trace");
    }
    if (o->markdown && !o->out && call->json) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "--markdown and --json both print: give -o FILE");
    }
    int code = atoll_store_open(call->operands[0], ATOLL_STORE_READ, &s, &call->err);
    code = code ? code : write_all(call, s);
    atoll_store_close(&s);
    return code;
}

const struct command cmd_report = {
    .name = "report",
    .operands = "DB",
    .summary = "Write the report of a results database: HTML, CSV, Markdown, a trace",
    .text = "Without an option it prints the verdict: sentences computed from the newest "
            "experiment in the "
            "database.",
    .example = "atoll report results.db -o report.html",
    .opts = opts,
    .opts_bytes = sizeof(struct report_opts),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
