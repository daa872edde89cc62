/* SPDX-License-Identifier: Apache-2.0 */
/* atoll run: executes one plan on a device, under a meter. */
#include "common.h"
#include "run_image.h"
#include "show_run.h"

#include <atoll/bench.h>
#include <atoll/nn.h>

#include <string.h>

struct run_opts {
    struct opt_common common;
    struct board_opts board;
    const char *device, *mode, *samples, *strategy, *meter;
    const char *input, *data, *labels, *output;
    const char *energy_u95;
    double meter_hz;
    uint64_t count, tpus, seed, top;
    unsigned compiler;
};

static const struct opt opts[] = {
    {.short_name = 'd',
     .long_name = "device",
     .type = OPT_TEXT,
     .offset = offsetof(struct run_opts, device),
     .argument = "DEVICE",
     .help = "Device to run on, see atoll devices",
     .fallback = "sim",
     .example = "atoll run zoo:resnet50 --device sim --count 100"},
    BOARD_OPTS(struct run_opts),
    {.short_name = 'n',
     .long_name = "tpus",
     .type = OPT_UINT,
     .offset = offsetof(struct run_opts, tpus),
     .argument = "N",
     .help = "TPUs to plan a model for (a plan says its own)",
     .fallback = "1",
     .example = "atoll run zoo:resnet50 --tpus 4 --strategy vendor --mode saturated",
     .low = 1,
     .high = ATOLL_TPUS_MAX},
    {.short_name = 's',
     .long_name = "strategy",
     .type = OPT_TEXT,
     .offset = offsetof(struct run_opts, strategy),
     .argument = "S",
     .help = "How to plan a model: single, replicas, vendor, partition:A+B+..., "
             "smallest_resident or exact",
     .fallback = "single, from 2 TPUs on vendor"},
    {.short_name = 'm',
     .long_name = "mode",
     .type = OPT_TEXT,
     .offset = offsetof(struct run_opts, mode),
     .argument = "MODE",
     .help = "latency (one input at a time), saturated, rate=HZ, poisson=HZ, cold; for a plan with "
             "rates also rates and rates_poisson, each model at its own",
     .fallback = "latency, for a plan with rates rates",
     .example = "atoll run zoo:resnet50 --mode poisson=15 --seed 7"},
    {.short_name = 'c',
     .long_name = "count",
     .type = OPT_UINT,
     .offset = offsetof(struct run_opts, count),
     .argument = "K",
     .help = "Inferences to measure, after the first one",
     .fallback = "100, with --input 10, at the plan's rates 1000",
     .low = 1,
     .high = 10000000},
    {.long_name = "meter",
     .type = OPT_TEXT,
     .offset = offsetof(struct run_opts, meter),
     .argument = "METER",
     .help = "none, synth (fed by the simulated board), serial:PORT or replay:FILE",
     .fallback = "synth on sim, else none"},
    {.long_name = "meter-hz",
     .type = OPT_REAL,
     .offset = offsetof(struct run_opts, meter_hz),
     .argument = "HZ",
     .help = "Scans per second of the meter",
     .fallback = "the meter's own",
     .low = 1,
     .high = 1e6},
    {.long_name = "energy-u95",
     .type = OPT_TEXT,
     .offset = offsetof(struct run_opts, energy_u95),
     .argument = "P%",
     .help = "Measure for so long that the energy is this certain (95 %); a short pass finds how "
             "long that is",
     .fallback = "as long as --count takes",
     .example = "atoll run zoo:resnet50 --tpus 4 --mode saturated --energy-u95 2%"},
    {.long_name = "samples",
     .type = OPT_TEXT,
     .offset = offsetof(struct run_opts, samples),
     .argument = "FILE.csv",
     .help = "Write every latency sample"},
    {.short_name = 'i',
     .long_name = "input",
     .type = OPT_TEXT,
     .offset = offsetof(struct run_opts, input),
     .argument = "IMAGE",
     .help = "Send this bmp, jpeg or png (devices that compute) and show the best classes"},
    {.long_name = "data",
     .type = OPT_TEXT,
     .offset = offsetof(struct run_opts, data),
     .argument = "SET",
     .help = "Prepare the image as for this set (see atoll eval)",
     .fallback = "stretched, pixels as they are"},
    {.long_name = "labels",
     .type = OPT_TEXT,
     .offset = offsetof(struct run_opts, labels),
     .argument = "FILE",
     .help = "Names of the classes, a line each"},
    {.long_name = "top",
     .type = OPT_UINT,
     .offset = offsetof(struct run_opts, top),
     .argument = "K",
     .help = "Best classes to show",
     .fallback = "5",
     .low = 1,
     .high = 100000},
    {.short_name = 'o',
     .long_name = "output",
     .type = OPT_TEXT,
     .offset = offsetof(struct run_opts, output),
     .argument = "FILE",
     .help = "Write the output tensors of the first inference raw, one behind the other"},
    {.long_name = "seed",
     .type = OPT_UINT,
     .offset = offsetof(struct run_opts, seed),
     .argument = "SEED",
     .help = "Seed of jitter and arrivals; the same seed gives the same run on sim",
     .fallback = "1",
     .high = 9e15},
    COMPILER_OPT(struct run_opts),
    OPTS_END,
};
static const struct run_opts defaults = {.device = "sim", .seed = 1, .top = 5};

/* All that a run stands on. */
struct setup {
    struct atoll_board *board;
    struct models models;
    struct atoll_plan *plan;
    struct atoll_device *device;
    struct atoll_meter *meter;
};

static void close_setup(struct setup *s)
{
    atoll_meter_close(&s->meter);
    atoll_device_close(&s->device);
    atoll_plan_close(&s->plan);
    models_close(&s->models);
    atoll_board_close(&s->board);
}

/* The models of a plan must be those that it was made for. */
static int check_models(const struct setup *s, struct atoll_err *err)
{
    int code = 0;
    for (uint32_t i = 0; i < s->plan->n_models && code == 0; i++) {
        char sha256[65];
        const char *expected = s->plan->models[i].sha256;
        code = atoll_plan_check(s->plan, i, s->models.model[i], err);
        if (code == 0 && expected[0]) {
            code = atoll_model_sha256(s->models.model[i], sha256, err);
        }
        if (code == 0 && expected[0] && strcmp(sha256, expected) != 0) {
            code = atoll_fail(err, ATOLL_EINPUT,
                              "%s: sha256 is %.16s..., the plan was made for %.16s...",
                              s->plan->models[i].path, sha256, expected);
        }
    }
    return code;
}

static int open_plan(struct call *call, struct setup *s)
{
    const struct run_opts *o = call->opts;
    const char *paths[ATOLL_TPUS_MAX];
    if (o->tpus || o->strategy) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "--tpus and --strategy plan a model; %s is a plan already",
                          call->operands[0]);
    }
    int code = atoll_plan_open(call->operands[0], &s->plan, &call->err);
    if (code == 0 && s->plan->skipped) {
        code = atoll_fail(&call->err, ATOLL_EINPUT, "%s: the plan does not apply: %s",
                          call->operands[0], s->plan->skipped);
    }
    if (code) {
        return code;
    }
    for (uint32_t i = 0; i < s->plan->n_models; i++) {
        paths[i] = s->plan->models[i].path;
    }
    code = models_open(&s->models, paths, s->plan->n_models, o->compiler, &call->err);
    code = code ? code : check_models(s, &call->err);
    return code ? code
                : atoll_board_open(o->board.name ? o->board.name : s->plan->board, o->board.share,
                                   &s->board, &call->err);
}

static int make_plan(struct call *call, struct setup *s)
{
    const struct run_opts *o = call->opts;
    int code = atoll_board_open(o->board.name ? o->board.name : BOARD_DEFAULT, o->board.share,
                                &s->board, &call->err);
    code = code ? code : models_open(&s->models, call->operands, 1, o->compiler, &call->err);
    if (code) {
        return code;
    }
    struct atoll_plan_request r = atoll_plan_request_default();
    r.models = (const struct atoll_cost *const *)s->models.cost;
    r.n_models = 1;
    r.board = s->board;
    r.use = board_use(&o->board);
    r.tpus = o->tpus ? (uint32_t)o->tpus : 1;
    r.strategy = o->strategy ? o->strategy : r.tpus > 1 ? "vendor" : "single";
    code = atoll_plan_solve(&r, &s->plan, &call->err);
    if (code == 0 && s->plan->skipped) {
        code = atoll_fail(&call->err, ATOLL_ENO, "%s does not apply: %s", r.strategy,
                          s->plan->skipped);
    }
    return code;
}

static int open_meter(struct call *call, struct setup *s)
{
    const struct run_opts *o = call->opts;
    struct atoll_device_info info;
    const struct atoll_meter_opts m = {.seed = o->seed, .rate_hz = o->meter_hz, .keep_scans = true};
    atoll_device_info(s->device, &info);
    const char *spec = o->meter ? o->meter : info.virtual_time ? "synth" : "none";
    return atoll_run_meter_open(s->device, s->board, spec, &m, &s->meter, &call->err);
}

/* A file may crash the runtime: first in a child process, while there are no threads. */
static int try_files(struct call *call, const struct setup *s)
{
    const struct atoll_runtime *rt = NULL;
    int code = atoll_runtime_open(NULL, &rt, &call->err);
    for (uint32_t i = 0; i < s->models.n && code == 0; i++) {
        const struct atoll_model *m = s->models.model[i];
        code = m->file_bytes > 0 ? atoll_interp_try(rt, m, NULL, &call->err) : 0;
    }
    return code;
}

static int open_setup(struct call *call, struct setup *s)
{
    const struct run_opts *o = call->opts;
    const char *operand = call->operands[0];
    const size_t n = strlen(operand);
    const bool is_plan = n > 5 && strcmp(operand + n - 5, ".json") == 0;
    int code = is_plan ? open_plan(call, s) : make_plan(call, s);
    if (code) {
        return code;
    }
    struct atoll_device_opts d = {.board = s->board,
                                  .use = is_plan ? s->plan->use : board_use(&o->board),
                                  .compiler = (enum atoll_compiler)o->compiler,
                                  .seed = o->seed,
                                  .share = o->board.share};
    if (o->board.clock) {
        d.use.clock = (enum atoll_clock)o->board.clock;
    }
    if (o->board.runner) {
        d.use.runner = (enum atoll_host_runner)o->board.runner;
    }
    code = strcmp(o->device, "cpu") == 0 ? try_files(call, s) : 0;
    code = code ? code : atoll_device_open(o->device, &d, &s->device, &call->err);
    return code ? code : open_meter(call, s);
}

static int write_samples(struct call *call, const struct atoll_run_result *r)
{
    const struct run_opts *o = call->opts;
    struct atoll_buf b = {0};
    atoll_buf_puts(&b, "sample,latency_us\n");
    for (size_t i = 0; i < r->n; i++) {
        atoll_buf_printf(&b, "%zu,%.3f\n", i, r->latency_us[i]);
    }
    const int code = b.failed ? atoll_fail_nomem(&call->err, "the samples", r->n)
                              : atoll_write_file(o->samples, b.data, b.size, &call->err);
    atoll_buf_finish(&b);
    return code;
}

/* The image and the outputs belong to one model on a device that computes. */
static int open_image(struct call *call, const struct setup *s, struct run_image *image)
{
    const struct run_opts *o = call->opts;
    struct atoll_device_info info;
    atoll_device_info(s->device, &info);
    if (!o->input && (o->data || o->labels)) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "--data and --labels go with --input IMAGE");
    }
    if (!o->input && !o->output) {
        return 0;
    }
    if (!info.moves_data || s->models.n != 1) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "--input and --output go with one model and a device that computes "
                          "(--device cpu or edgetpu)");
    }
    return run_image_open(image, s->models.model[0], o->input, o->data, &call->err);
}

static int execute(struct call *call, struct setup *s)
{
    const struct run_opts *o = call->opts;
    struct run_image image = {.model = NULL};
    struct atoll_run_request q = {.device = s->device,
                                  .meter = s->meter,
                                  .plan = s->plan,
                                  .models = (const struct atoll_cost *const *)s->models.cost,
                                  .seed = o->seed};
    struct atoll_run_result r = {.n = 0};
    const bool rated = s->plan->n_models > 0 && s->plan->models[0].rate_hz > 0;
    const char *mode = o->mode ? o->mode : rated ? "rates" : "latency";
    int code = atoll_workload_parse(mode, &q.workload, &call->err);
    if (code == 0 && o->energy_u95) {
        code = atoll_run_share_parse(o->energy_u95, &q.energy_u95_frac, &call->err);
        code = code ? atoll_fail_at(&call->err, "option --energy-u95") : 0;
    }
    const bool at_rates =
        q.workload.mode == ATOLL_WORK_RATES || q.workload.mode == ATOLL_WORK_RATES_POISSON;
    q.workload.count = o->count ? (uint32_t)o->count : o->input ? 10 : at_rates ? 1000 : 100;
    code = code ? code : open_image(call, s, &image);
    if (image.model) {
        q.tensors = &image.tensors;
    }
    code = code ? code : atoll_run(&q, &r, &call->err);
    if (code == 0) {
        struct run_view v = {s->plan, s->board, s->meter, &q.workload, o->device, &r, NULL};
        code = o->samples ? write_samples(call, &r) : 0;
        if (code == 0 && o->output) {
            code = run_image_write(&image, o->output, &call->err);
        }
        if (code == 0 && o->input) {
            code = run_image_top(&image, (uint32_t)o->top, o->labels, &v.top, &call->err);
        }
        code = code ? code : call->json ? show_run_json(call, &v) : show_run(call, &v);
        json_decref(v.top);
    }
    run_image_close(&image);
    atoll_run_result_finish(&r);
    return code;
}

static int run(struct call *call)
{
    struct setup s = {.board = NULL};
    int code = open_setup(call, &s);
    code = code ? code : execute(call, &s);
    close_setup(&s);
    return code;
}

const struct command cmd_run = {
    .name = "run",
    .operands = "PLAN|MODEL",
    .summary = "Run a plan, or a model, on a device and measure time and energy",
    .text =
        "PLAN is a .json file of atoll plan -o; a model is planned first. On sim time is virtual "
        "and the figures are simulated.",
    .example = "atoll run zoo:resnet50 --tpus 4 --strategy vendor --mode saturated --count 1000",
    .opts = opts,
    .defaults = &defaults,
    .opts_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
