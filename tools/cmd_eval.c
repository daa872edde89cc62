/* SPDX-License-Identifier: Apache-2.0 */
/* atoll eval: accuracy of a model on a set of images, with its uncertainty. */
#include "common.h"
#include "show_eval.h"

#include <atoll/nn.h>

struct eval_opts {
    struct opt_common common;
    const char *data, *against, *runtime;
    uint64_t limit, threads, seed;
    unsigned part, kernels;
    bool skip_bad, confusion;
};

static const char *const part_choices[] = {"train", "validation", "test", NULL};
static const char *const kernel_choices[] = {"xnnpack", "builtin", NULL};

static const struct opt opts[] = {
    {.short_name = 'd',
     .long_name = "data",
     .type = OPT_TEXT,
     .offset = offsetof(struct eval_opts, data),
     .argument = "SET",
     .help = "Images with labels: generated, fashion_mnist, mnist:DIR, cifar10:DIR, cifar100:DIR, "
             "folder:DIR or a yaml file (required)"},
    {.long_name = "part",
     .type = OPT_CHOICE,
     .offset = offsetof(struct eval_opts, part),
     .argument = "PART",
     .help = "Part of the set",
     .fallback = "test",
     .choices = part_choices},
    {.short_name = 'l',
     .long_name = "limit",
     .type = OPT_UINT,
     .offset = offsetof(struct eval_opts, limit),
     .argument = "K",
     .help = "Only the first K images",
     .fallback = "all",
     .low = 1,
     .high = 1e9},
    {.short_name = 'a',
     .long_name = "against",
     .type = OPT_TEXT,
     .offset = offsetof(struct eval_opts, against),
     .argument = "MODEL",
     .help = "Second model, compared with the first on the same images (McNemar's test)"},
    {.short_name = 'k',
     .long_name = "kernels",
     .type = OPT_CHOICE,
     .offset = offsetof(struct eval_opts, kernels),
     .argument = "SET",
     .help = "Kernels of the runtime",
     .fallback = "xnnpack",
     .choices = kernel_choices},
    {.short_name = 't',
     .long_name = "threads",
     .type = OPT_UINT,
     .offset = offsetof(struct eval_opts, threads),
     .argument = "N",
     .help = "Images at once; the answer does not depend on it",
     .fallback = "all cores",
     .low = 1,
     .high = 256},
    {.long_name = "skip-bad",
     .type = OPT_FLAG,
     .offset = offsetof(struct eval_opts, skip_bad),
     .help = "Leave out corrupt images, count and name them, instead of ending there"},
    {.long_name = "confusion",
     .type = OPT_FLAG,
     .offset = offsetof(struct eval_opts, confusion),
     .help = "Also the table of labels by answers"},
    {.long_name = "seed",
     .type = OPT_UINT,
     .offset = offsetof(struct eval_opts, seed),
     .argument = "SEED",
     .help = "Seed of the generated set and of the choice of validation images",
     .fallback = "1",
     .high = 9e15},
    {.long_name = "runtime",
     .type = OPT_TEXT,
     .offset = offsetof(struct eval_opts, runtime),
     .argument = "FILE",
     .help = "The TFLite runtime to load (libtensorflowlite_c.so)"},
    OPTS_END,
};
static const struct eval_opts defaults = {.part = ATOLL_PART_TEST, .seed = 1};

struct setup {
    const struct atoll_runtime *rt;
    struct atoll_dataset *data;
    struct atoll_model *models[2];
    struct atoll_eval results[2];
    struct atoll_eval_pair pair;
};

static void close_setup(struct setup *s)
{
    for (int i = 0; i < 2; i++) {
        atoll_eval_finish(&s->results[i]);
        atoll_model_close(&s->models[i]);
    }
    atoll_dataset_close(&s->data);
}

/* A file may crash the runtime; a network that atoll builds does not. */
static int try_file(struct call *call, const struct setup *s, const struct atoll_model *m)
{
    const struct eval_opts *o = call->opts;
    const struct atoll_interp_opts how = {.kernels = (enum atoll_kernels)o->kernels};
    return m->file_bytes > 0 ? atoll_interp_try(s->rt, m, &how, &call->err) : 0;
}

static int open_setup(struct call *call, struct setup *s)
{
    const struct eval_opts *o = call->opts;
    struct atoll_data_opts d = atoll_data_opts_default();
    d.parts = 1u << o->part;
    d.seed = o->seed;
    d.skip_bad = o->skip_bad;
    if (!o->data) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "option --data SET is missing");
    }
    if (o->limit > 0 && o->limit < 4000000000u) {
        d.n_generated[o->part] = (uint32_t)(o->limit < 5000 ? o->limit : 0);
    }
    int code = atoll_zoo_open(call->operands[0], NULL, &s->models[0], &call->err);
    if (code == 0 && o->against) {
        code = atoll_zoo_open(o->against, NULL, &s->models[1], &call->err);
    }
    code = code ? code : atoll_runtime_open(o->runtime, &s->rt, &call->err);
    code = code ? code : try_file(call, s, s->models[0]);
    code = code || !o->against ? code : try_file(call, s, s->models[1]);
    return code ? code : atoll_dataset_open(o->data, &d, &s->data, &call->err);
}

static int evaluate(struct call *call, struct setup *s, int which)
{
    const struct eval_opts *o = call->opts;
    struct out_progress bar = {.visible = false};
    const struct atoll_eval_request q = {.rt = s->rt,
                                         .model = s->models[which],
                                         .data = s->data,
                                         .part = (enum atoll_part)o->part,
                                         .limit = (size_t)o->limit,
                                         .kernels = (enum atoll_kernels)o->kernels,
                                         .threads = (unsigned)o->threads,
                                         .progress = out_progress_start(&bar, call)};
    const int code = atoll_eval_run(&q, &s->results[which], &call->err);
    out_progress_finish(&bar);
    return code;
}

static int run(struct call *call)
{
    const struct eval_opts *o = call->opts;
    struct setup s = {.rt = NULL};
    int code = open_setup(call, &s);
    code = code ? code : evaluate(call, &s, 0);
    if (code == 0 && o->against) {
        code = evaluate(call, &s, 1);
        code = code ? code : atoll_eval_compare(&s.results[0], &s.results[1], &s.pair, &call->err);
    }
    if (code == 0) {
        const struct eval_view v = {.rt = s.rt,
                                    .data = s.data,
                                    .part = (enum atoll_part)o->part,
                                    .models = {s.models[0], s.models[1]},
                                    .results = {&s.results[0], o->against ? &s.results[1] : NULL},
                                    .pair = &s.pair,
                                    .confusion = o->confusion};
        code = call->json ? show_eval_json(call, &v) : show_eval(call, &v);
    }
    close_setup(&s);
    return code;
}

const struct command cmd_eval = {
    .name = "eval",
    .operands = "MODEL",
    .summary = "Accuracy of a model on a set of images, with its 95 % interval",
    .text = "Runs every image through the TFLite runtime on all cores. Classification gives top-1 "
            "and top-5 with Wilson intervals; a yaml file with masks gives mean intersection over "
            "union, one with annotations gives COCO's average precision of an SSD.",
    .example = "atoll eval zoo:cifar_squeezenet1_1?classes=24 --data generated --limit 100",
    .opts = opts,
    .defaults = &defaults,
    .opts_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
