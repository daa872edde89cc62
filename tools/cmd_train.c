/* SPDX-License-Identifier: Apache-2.0 */
/* atoll train: trains a network on a data set. */
#include "common.h"

#include <math.h>
#include <string.h>

#include <atoll/store.h>
#include <atoll/train.h>
#include <unistd.h>

struct train_opts {
    struct opt_common common;
    const char *data, *recipe, *out, *db, *share, *runtime;
    uint64_t epochs, threads, seed, calibrate, stop_after, limit;
    double validation;
    bool resume, discard, skip_bad;
};

static const struct opt opts[] = {
    {.short_name = 'd',
     .long_name = "data",
     .type = OPT_TEXT,
     .offset = offsetof(struct train_opts, data),
     .argument = "SET",
     .help = "Images with labels: generated, fashion_mnist, mnist:DIR, cifar10:DIR, cifar100:DIR, "
             "folder:DIR or a yaml file (required)"},
    {.short_name = 'o',
     .long_name = "output",
     .type = OPT_TEXT,
     .offset = offsetof(struct train_opts, out),
     .argument = "DIR",
     .help = "Directory for model.tflite (float), model_int8.tflite, checkpoint and history.csv "
             "(required)"},
    {.short_name = 'r',
     .long_name = "recipe",
     .type = OPT_TEXT,
     .offset = offsetof(struct train_opts, recipe),
     .argument = "FILE",
     .help = "How to train: a yaml file, or the name of one in share/recipes",
     .fallback = "SGD as in share/recipes/fashion_mnist.yaml"},
    {.short_name = 'e',
     .long_name = "epochs",
     .type = OPT_UINT,
     .offset = offsetof(struct train_opts, epochs),
     .argument = "E",
     .help = "Passes over the training images",
     .fallback = "the recipe's, else 12",
     .low = 1,
     .high = 10000},
    {.long_name = "resume",
     .type = OPT_FLAG,
     .offset = offsetof(struct train_opts, resume),
     .help = "Go on from the checkpoint in DIR, when there is one; the result is that of an "
             "unbroken run"},
    {.long_name = "discard",
     .type = OPT_FLAG,
     .offset = offsetof(struct train_opts, discard),
     .help = "With --resume: write over a checkpoint of another run (network, recipe, data, seed, "
             "threads or version) instead of refusing it"},
    {.long_name = "skip-bad",
     .type = OPT_FLAG,
     .offset = offsetof(struct train_opts, skip_bad),
     .help = "Leave out corrupt images, count and name them, instead of ending there"},
    {.long_name = "db",
     .type = OPT_TEXT,
     .offset = offsetof(struct train_opts, db),
     .argument = "FILE",
     .help = "Results database that gets the finished training and its epochs, for the report"},
    {.short_name = 'l',
     .long_name = "limit",
     .type = OPT_UINT,
     .offset = offsetof(struct train_opts, limit),
     .argument = "K",
     .help = "Only the first K training images, for a trial",
     .fallback = "all",
     .low = 1,
     .high = 1e9},
    {.long_name = "stop-after",
     .type = OPT_UINT,
     .offset = offsetof(struct train_opts, stop_after),
     .argument = "E",
     .help = "End this call after E epochs; --resume goes on later",
     .fallback = "all",
     .low = 1,
     .high = 10000},
    {.long_name = "calibrate",
     .type = OPT_UINT,
     .offset = offsetof(struct train_opts, calibrate),
     .argument = "K",
     .help = "Training images whose least and largest values scale the int8 model; 0: no int8 "
             "model",
     .fallback = "512",
     .high = 1e6},
    {.long_name = "validation",
     .type = OPT_REAL,
     .offset = offsetof(struct train_opts, validation),
     .argument = "FRAC",
     .help = "Share of the training images kept apart and shown after each epoch",
     .fallback = "the set's own, else 0.05",
     .low = 0,
     .high = 0.9},
    {.short_name = 't',
     .long_name = "threads",
     .type = OPT_UINT,
     .offset = offsetof(struct train_opts, threads),
     .argument = "N",
     .help = "Threads of the kernels. Another number gives other last digits: give one to repeat a "
             "run exactly",
     .fallback = "the faster of one and all cores, timed at the start",
     .low = 1,
     .high = 256},
    {.long_name = "seed",
     .type = OPT_UINT,
     .offset = offsetof(struct train_opts, seed),
     .argument = "SEED",
     .help = "Seed of first weights, order and augmentation",
     .fallback = "1",
     .high = 9e15},
    {.long_name = "share",
     .type = OPT_TEXT,
     .offset = offsetof(struct train_opts, share),
     .argument = "DIR",
     .help = "Directory of data files, before ATOLL_SHARE and the installed ones"},
    {.long_name = "runtime",
     .type = OPT_TEXT,
     .offset = offsetof(struct train_opts, runtime),
     .argument = "FILE",
     .help = "The TFLite runtime to load, for a teacher (libtensorflowlite_c.so)"},
    OPTS_END,
};
static const struct train_opts defaults = {.seed = 1, .calibrate = 512, .validation = -1};

struct setup {
    struct atoll_net *net;
    struct atoll_dataset *data;
    const struct atoll_runtime *rt;
    struct atoll_recipe recipe;
    struct atoll_train_result result;
};

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

/* A path, or the name of a file in share/<kind>/. */
static int find_file(struct call *call, const char *kind, const char *name, char **path)
{
    const struct train_opts *o = call->opts;
    if (strchr(name, '/') || ends_with(name, ".yaml")) {
        *path = atoll_strdup(name);
        return *path ? 0 : atoll_fail_nomem(&call->err, "a path", strlen(name));
    }
    struct atoll_buf b = {0};
    atoll_buf_printf(&b, "%s/%s.yaml", kind, name);
    const int code = b.failed ? atoll_fail_nomem(&call->err, "a path", b.size)
                              : atoll_share_find(o->share, b.data, path, &call->err);
    atoll_buf_finish(&b);
    return code;
}

/* A yaml description, or the structure of a zoo network or .tflite classifier. */
static int open_net(struct call *call, struct setup *s)
{
    const char *name = call->operands[0];
    struct atoll_model *m = NULL;
    char *path = NULL;
    if (strncmp(name, "zoo:", 4) == 0 || ends_with(name, ".tflite")) {
        int code = atoll_zoo_open(name, NULL, &m, &call->err);
        code = code ? code : atoll_net_from_model(m, &s->net, &call->err);
        atoll_model_close(&m);
        return code;
    }
    int code = find_file(call, "networks", name, &path);
    code = code ? code : atoll_net_open(path, &s->net, &call->err);
    atoll_free(path);
    return code;
}

static int open_recipe(struct call *call, struct setup *s)
{
    const struct train_opts *o = call->opts;
    char *path = NULL;
    s->recipe = atoll_recipe_default();
    int code = o->recipe ? find_file(call, "recipes", o->recipe, &path) : 0;
    code = code || !path ? code : atoll_recipe_open(path, &s->recipe, &call->err);
    atoll_free(path);
    if (code == 0 && o->epochs > 0) {
        s->recipe.epochs = (uint32_t)o->epochs;
    }
    if (code == 0 && s->recipe.teacher[0] != '\0') {
        code = atoll_runtime_open(o->runtime, &s->rt, &call->err);
    }
    return code;
}

static int open_setup(struct call *call, struct setup *s)
{
    const struct train_opts *o = call->opts;
    if (!o->data || !o->out) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "option %s is missing",
                          o->data ? "-o DIR" : "--data SET");
    }
    struct atoll_data_opts d = atoll_data_opts_default();
    d.seed = o->seed;
    d.validation_frac = o->validation;
    d.skip_bad = o->skip_bad;
    if (o->limit > 0 && o->limit < 20000) { /* of the generated set, draw no more than needed */
        d.n_generated[ATOLL_PART_TRAIN] = (uint32_t)o->limit;
        d.n_generated[ATOLL_PART_VALIDATION] = d.n_generated[ATOLL_PART_TEST] =
            (uint32_t)(o->limit + 9) / 10;
    }
    int code = open_net(call, s);
    code = code ? code : open_recipe(call, s);
    return code ? code : atoll_dataset_open(o->data, &d, &s->data, &call->err);
}

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *history_json(const struct atoll_train_result *r)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < r->n_epochs; i++) {
        const struct atoll_epoch *e = &r->epochs[i];
        json_array_append_new(
            list, json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "epoch", (int)i + 1, "rate",
                            number(e->rate), "loss", number(e->loss), "accuracy_frac",
                            number(e->accuracy_frac), "validation_loss", number(e->validation_loss),
                            "validation_accuracy_frac", number(e->validation_accuracy_frac),
                            "seconds", number(e->seconds)));
    }
    return list;
}

static struct atoll_interval test_accuracy(const struct atoll_train_result *r)
{
    return atoll_wilson(r->correct_test, r->images_test);
}

static int answer_json(struct call *call, const struct setup *s)
{
    const struct train_opts *o = call->opts;
    const struct atoll_train_result *r = &s->result;
    const struct atoll_interval a = test_accuracy(r);
    json_t *j = atoll_json_answer("train");
    json_object_set_new(j, "origin", json_string(atoll_origin_name(ATOLL_ORIGIN_MEASURED)));
    json_object_set_new(j, "network", out_string(s->net->name));
    json_object_set_new(j, "parameters", json_integer((json_int_t)r->parameters));
    json_object_set_new(j, "data", out_string(o->data));
    json_object_set_new(j, "directory", out_string(o->out));
    json_object_set_new(j, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(j, "threads", json_integer((json_int_t)r->threads));
    json_object_set_new(j, "kernels", json_string(atoll_trainer_kernels()));
    json_object_set_new(j, "epochs", json_integer((json_int_t)r->n_epochs));
    json_object_set_new(j, "seconds", number(r->seconds));
    json_object_set_new(j, "resumed_epochs", json_integer((json_int_t)r->resumed));
    json_object_set_new(j, "bad", json_integer((json_int_t)r->n_bad));
    json_object_set_new(j, "key", json_string(r->key));
    json_object_set_new(j, "weights_sha256", json_string(r->weights_sha256));
    json_object_set_new(j, "images", json_integer((json_int_t)r->images_test));
    json_object_set_new(j, "top1",
                        r->images_test ? json_pack("{s:f, s:f, s:f}", "value", a.value, "low95",
                                                   a.low95, "high95", a.high95)
                                       : json_null());
    json_object_set_new(j, "history", history_json(r));
    return out_json(call, j);
}

static void cell_percent(struct out_table *t, double frac)
{
    out_cell_number(t, "%.2f", isfinite(frac) ? 100 * frac : frac);
}

static int answer_text(struct call *call, const struct setup *s)
{
    static const struct out_column columns[] = {
        {"epoch", OUT_RIGHT},        {"loss", OUT_RIGHT}, {"accuracy %", OUT_RIGHT},
        {"validation %", OUT_RIGHT}, {"s", OUT_RIGHT},
    };
    const struct train_opts *o = call->opts;
    const struct atoll_train_result *r = &s->result;
    struct out_table t;
    out_table_start(&t, columns, 5);
    for (uint32_t i = 0; i < r->n_epochs; i++) {
        const struct atoll_epoch *e = &r->epochs[i];
        out_cell(&t, "%u", i + 1);
        out_cell_number(&t, "%.4f", e->loss);
        cell_percent(&t, e->accuracy_frac);
        cell_percent(&t, e->validation_accuracy_frac);
        out_cell_number(&t, "%.1f", e->seconds);
    }
    const int code = out_table_print(&t, &call->err);
    const struct atoll_interval a = test_accuracy(r);
    out_text("%s: %llu parameters, %u of %u epochs, %.1f s in this call on %u thread%s (%s)\n",
             s->net->name, (unsigned long long)r->parameters, r->n_epochs, s->recipe.epochs,
             r->seconds, r->threads, r->threads == 1 ? "" : "s", atoll_trainer_kernels());
    if (r->images_test > 0) {
        out_text("test: %.2f %% of %llu images right (95 %%: %.2f to %.2f)\n", 100 * a.value,
                 (unsigned long long)r->images_test, 100 * a.low95, 100 * a.high95);
    }
    if (r->n_bad > 0) {
        out_text("%llu images were bad and left out\n", (unsigned long long)r->n_bad);
    }
    out_note(call, "wrote %s: model.tflite%s, checkpoint, history.csv\n", o->out,
             o->calibrate ? ", model_int8.tflite" : "");
    return code;
}

/* --------------------------------------------------------------------- database */

static char *recipe_text(const struct atoll_recipe *p, struct atoll_err *err)
{
    struct atoll_buf b = {0};
    atoll_buf_printf(&b, "%u epochs, batch %u, SGD rate %g, momentum %g, decay %g, %s", p->epochs,
                     p->batch, p->rate, p->momentum, p->weight_decay,
                     p->schedule == ATOLL_SCHEDULE_COSINE ? "cosine" : "steps");
    for (uint32_t i = 0; i < p->n_steps && p->schedule == ATOLL_SCHEDULE_STEP; i++) {
        atoll_buf_printf(&b, "%s%g", i ? ", " : " at ", p->step_frac[i]);
    }
    atoll_buf_printf(&b, ", warm-up %g, smoothing %g%s", p->warm_up_frac, p->label_smoothing,
                     p->flip ? ", flip" : "");
    if (p->shift > 0) {
        atoll_buf_printf(&b, ", shift %u", p->shift);
    }
    if (p->teacher[0] != '\0') {
        atoll_buf_printf(&b, ", teacher %s, temperature %g, weight %g", p->teacher, p->temperature,
                         p->teacher_weight);
    }
    if (b.failed) {
        atoll_buf_finish(&b);
        (void)atoll_fail_nomem(err, "a recipe", 0);
        return NULL;
    }
    return atoll_buf_take(&b, NULL);
}

static int put_training(struct call *call, const struct setup *s, const char *recipe,
                        struct atoll_store *db)
{
    const struct train_opts *o = call->opts;
    const struct atoll_train_result *r = &s->result;
    const struct atoll_interval a = test_accuracy(r);
    char host[128] = "";
    const struct atoll_training_row row = {.key = r->key,
                                           .calibration = (int64_t)o->calibrate,
                                           .network = s->net->name,
                                           .data = o->data,
                                           .recipe = recipe,
                                           .seed = o->seed,
                                           .threads = r->threads,
                                           .epochs = r->n_epochs,
                                           .parameters = (int64_t)r->parameters,
                                           .kernels = atoll_trainer_kernels(),
                                           .weights_sha256 = r->weights_sha256,
                                           .model_sha256 = r->model_sha256,
                                           .int8_sha256 = r->int8_sha256[0] ? r->int8_sha256 : NULL,
                                           .images = (int64_t)r->images_test,
                                           .top1 = r->images_test ? a.value : NAN,
                                           .top1_low95 = r->images_test ? a.low95 : NAN,
                                           .top1_high95 = r->images_test ? a.high95 : NAN,
                                           .atoll_version = ATOLL_VERSION,
                                           .host = gethostname(host, sizeof host - 1) == 0 ? host
                                                                                           : NULL};
    int code = atoll_store_put_training(db, &row, &call->err);
    for (uint32_t i = 0; i < r->n_epochs && code == 0; i++) {
        const struct atoll_epoch *e = &r->epochs[i];
        const struct atoll_epoch_row h = {.training = r->key,
                                          .epoch = (int64_t)i + 1,
                                          .rate = e->rate,
                                          .loss = e->loss,
                                          .accuracy_frac = e->accuracy_frac,
                                          .validation_loss = e->validation_loss,
                                          .validation_accuracy_frac = e->validation_accuracy_frac,
                                          .seconds = e->seconds};
        code = atoll_store_put_epoch(db, &h, &call->err);
    }
    return code;
}

/* A training that --stop-after ended early is written when it is complete. */
static int write_db(struct call *call, const struct setup *s)
{
    const struct train_opts *o = call->opts;
    struct atoll_store *db = NULL;
    if (!o->db || s->result.n_epochs < s->recipe.epochs) {
        return 0;
    }
    char *recipe = recipe_text(&s->recipe, &call->err);
    int code = recipe ? atoll_store_open(o->db, ATOLL_STORE_WRITE, &db, &call->err) : ATOLL_ENOMEM;
    code = code ? code : atoll_store_begin(db, &call->err);
    code = code ? code : put_training(call, s, recipe, db);
    code = code ? code : atoll_store_commit(db, &call->err);
    if (code && db) {
        atoll_store_rollback(db);
    }
    atoll_store_close(&db);
    atoll_free(recipe);
    return code;
}

static int run(struct call *call)
{
    const struct train_opts *o = call->opts;
    struct setup s = {0};
    struct out_progress progress;
    int code = open_setup(call, &s);
    if (code == 0) {
        const struct atoll_train_request q = {.net = s.net,
                                              .data = s.data,
                                              .recipe = s.recipe,
                                              .rt = s.rt,
                                              .seed = o->seed,
                                              .threads = (unsigned)o->threads,
                                              .limit = (size_t)o->limit,
                                              .stop_after = (uint32_t)o->stop_after,
                                              .dir = o->out,
                                              .resume = o->resume,
                                              .discard = o->discard,
                                              .calibration = (uint32_t)o->calibrate,
                                              .progress = out_progress_start(&progress, call)};
        code = atoll_train_run(&q, &s.result, &call->err);
        out_progress_finish(&progress);
    }
    code = code ? code : write_db(call, &s);
    if (code == 0) {
        code = call->json ? answer_json(call, &s) : answer_text(call, &s);
    }
    atoll_train_result_finish(&s.result);
    atoll_dataset_close(&s.data);
    atoll_net_close(&s.net);
    return code;
}

const struct command cmd_train = {
    .name = "train",
    .operands = "NETWORK",
    .summary = "Train a network and write it as float and int8 .tflite",
    .text = "NETWORK is a yaml description (a file, or a name of share/networks such as compact), "
            "zoo:NAME?key=value, or a .tflite classifier whose structure is trained from fresh "
            "weights.\n\n"
            "The same seed, number of threads and machine give the same weights. A checkpoint is "
            "written after each epoch, after which --resume skips what is done. Needs libdnnl-dev "
            "when atoll is built.",
    .example = "atoll train zoo:cifar_squeezenet1_1?classes=24 --data generated --limit 128 "
               "--epochs 1 -o trained",
    .opts = opts,
    .defaults = &defaults,
    .opts_bytes = sizeof(struct train_opts),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
