/* SPDX-License-Identifier: Apache-2.0 */
/* Training: epochs of shuffled batches, a checkpoint after each, files at the end. Every random
 * choice comes from the seed and its place (epoch, step, image), so a run that goes on from a
 * checkpoint is the run that was never broken off. */
#include "train_internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

struct run {
    const struct atoll_train_request *q;
    struct atoll_trainer *t;
    struct atoll__feed feed;
    struct atoll__teacher *teacher;
    float *teacher_logits; /* [batch, classes] */
    uint32_t *labels, *order;
    uint64_t n_train, steps_an_epoch, steps; /* of all epochs */
    struct atoll_epoch *epochs;
    uint32_t n_epochs;
    unsigned threads;
    char key[65], model_sha256[65], int8_sha256[65];
    char path[1024 + 32];
};

/* ----------------------------------------------------------------------- files */

static const char *path_of(struct run *r, const char *name)
{
    (void)snprintf(r->path, sizeof r->path, "%s/%s", r->q->dir, name);
    return r->path;
}

/* ---------------------------------------------------------------------- epochs */

/* One image's augmentation, from its place alone. */
static struct atoll__augment augment_of(const struct atoll_recipe *p, struct atoll_rng *rng)
{
    struct atoll__augment a = {0};
    const uint64_t bits = atoll_rng_u64(rng);
    a.flip = p->flip && (bits & 1);
    if (p->shift > 0) {
        const uint64_t n = 2 * (uint64_t)p->shift + 1;
        a.dx = (int32_t)atoll_rng_below(rng, n) - (int32_t)p->shift;
        a.dy = (int32_t)atoll_rng_below(rng, n) - (int32_t)p->shift;
    }
    return a;
}

static int fill_batch(struct run *r, uint32_t epoch, uint64_t step, struct atoll_err *err)
{
    const uint32_t batch = r->q->recipe.batch, classes = atoll_net_classes(r->q->net);
    const size_t size = (size_t)r->feed.height * (size_t)r->feed.width * (size_t)r->feed.channels;
    struct atoll_rng rng;
    atoll_rng_seed(&rng, atoll_seed_mix(atoll_seed_mix(r->q->seed, 2 * (uint64_t)epoch + 1), step));
    int rc = 0;
    for (uint32_t i = 0; i < batch && rc == 0; i++) {
        const struct atoll__augment a = augment_of(&r->q->recipe, &rng);
        rc = atoll__feed_image(&r->feed, ATOLL_PART_TRAIN, r->order[step * batch + i], &a,
                               atoll_trainer_input(r->t) + i * size, &r->labels[i], err);
        if (rc == 0 && r->teacher != NULL) {
            rc = atoll__teacher_logits(r->teacher, &r->feed.scaled,
                                       r->teacher_logits + (size_t)i * classes, err);
        }
    }
    return rc;
}

static int train_step(struct run *r, uint32_t epoch, uint64_t step, struct atoll_epoch *e,
                      struct atoll_err *err)
{
    const struct atoll_recipe *p = &r->q->recipe;
    const struct atoll_loss_opts loss_opts = {.smoothing = p->label_smoothing,
                                              .teacher = r->teacher ? r->teacher_logits : NULL,
                                              .temperature = p->temperature,
                                              .weight = p->teacher_weight};
    uint32_t right = 0;
    int rc = fill_batch(r, epoch, step, err);
    rc = rc ? rc : atoll_trainer_forward(r->t, true, err);
    if (rc != 0) {
        return rc;
    }
    const double loss =
        atoll_loss(atoll_trainer_logits(r->t), r->labels, p->batch, atoll_net_classes(r->q->net),
                   &loss_opts, &right, atoll_trainer_logits_grad(r->t));
    if (!isfinite(loss)) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "training: the loss is not a number in epoch %u, step %llu (a smaller "
                          "rate than %g may help)",
                          epoch + 1, (unsigned long long)step + 1, p->rate);
    }
    rc = atoll_trainer_backward(r->t, err);
    if (rc != 0) {
        return rc;
    }
    const double rate = atoll_recipe_rate(p, (uint64_t)epoch * r->steps_an_epoch + step, r->steps);
    atoll_trainer_update(r->t, (float)rate, (float)p->momentum, (float)p->weight_decay);
    e->rate = rate;
    e->loss += loss;
    e->accuracy_frac += (double)right / p->batch;
    return 0;
}

static int report(struct run *r, uint32_t epoch, uint64_t step, const struct atoll_epoch *e,
                  struct atoll_err *err)
{
    const struct atoll_progress *p = &r->q->progress;
    char what[96];
    if (p->fn == NULL) {
        return 0;
    }
    (void)snprintf(what, sizeof what, "epoch %u/%u loss %.3f acc %.1f %%", epoch + 1,
                   r->q->recipe.epochs, e->loss / (double)(step + 1),
                   100 * e->accuracy_frac / (double)(step + 1));
    if (!p->fn(p->user, (uint64_t)epoch * r->steps_an_epoch + step + 1, r->steps, what)) {
        return atoll_fail(err, ATOLL_ENO, "training: stopped in epoch %u", epoch + 1);
    }
    return 0;
}

/* Weights that are numbers no more may show only when they are used. */
static int check_loss(const struct run *r, double loss, const char *where, struct atoll_err *err)
{
    return isfinite(loss) ? 0
                          : atoll_fail(err, ATOLL_EINPUT,
                                       "training: the loss is not a number %s (a smaller rate than "
                                       "%g may help)",
                                       where, r->q->recipe.rate);
}

static int validate(struct run *r, struct atoll_epoch *e, struct atoll_err *err)
{
    e->validation_loss = e->validation_accuracy_frac = NAN;
    const size_t n = r->feed.info.n[ATOLL_PART_VALIDATION];
    if (n == 0) {
        return 0;
    }
    uint64_t right = 0;
    const int rc = atoll__train_evaluate(r->t, &r->feed, ATOLL_PART_VALIDATION, &right,
                                         &e->validation_loss, err);
    e->validation_accuracy_frac = (double)right / (double)n;
    return rc ? rc : check_loss(r, e->validation_loss, "on the validation images", err);
}

static int train_epoch(struct run *r, uint32_t epoch, struct atoll_err *err)
{
    struct atoll_epoch e = {0};
    struct atoll_rng rng;
    const uint64_t start_ns = atoll_now_ns();
    for (uint32_t i = 0; i < r->n_train; i++) {
        r->order[i] = i;
    }
    atoll_rng_seed(&rng, atoll_seed_mix(r->q->seed, 2 * (uint64_t)epoch));
    atoll_rng_shuffle(&rng, r->order, r->n_train);
    int rc = 0;
    for (uint64_t step = 0; step < r->steps_an_epoch && rc == 0; step++) {
        rc = train_step(r, epoch, step, &e, err);
        rc = rc ? rc : report(r, epoch, step, &e, err);
    }
    if (rc != 0) {
        return rc;
    }
    e.loss /= (double)r->steps_an_epoch;
    e.accuracy_frac /= (double)r->steps_an_epoch;
    rc = validate(r, &e, err);
    e.seconds = (double)(atoll_now_ns() - start_ns) * 1e-9;
    r->epochs[epoch] = e;
    r->n_epochs = epoch + 1;
    return rc;
}

static int make_dir(const char *dir, struct atoll_err *err)
{
    if (mkdir(dir, 0777) == 0 || errno == EEXIST) {
        return 0;
    }
    return atoll_fail(err, ATOLL_EIO, "%s: cannot be made: %s", dir, strerror(errno));
}

static void put_number(struct atoll_buf *b, double v)
{
    char text[40];
    if (isfinite(v)) {
        atoll_format_double(text, v);
        atoll_buf_printf(b, ",%s", text);
    } else {
        atoll_buf_puts(b, ",");
    }
}

static int write_history(struct run *r, struct atoll_err *err)
{
    struct atoll_buf b = {0};
    atoll_buf_puts(
        &b, "epoch,rate,loss,accuracy_frac,validation_loss,validation_accuracy_frac,seconds\n");
    for (uint32_t i = 0; i < r->n_epochs; i++) {
        const struct atoll_epoch *e = &r->epochs[i];
        atoll_buf_printf(&b, "%u", i + 1);
        put_number(&b, e->rate);
        put_number(&b, e->loss);
        put_number(&b, e->accuracy_frac);
        put_number(&b, e->validation_loss);
        put_number(&b, e->validation_accuracy_frac);
        put_number(&b, e->seconds);
        atoll_buf_puts(&b, "\n");
    }
    const int rc = b.failed ? atoll_fail_nomem(err, "the history", b.size)
                            : atoll_write_file(path_of(r, "history.csv"), b.data, b.size, err);
    atoll_buf_finish(&b);
    return rc;
}

static int save_epoch(struct run *r, struct atoll_err *err)
{
    if (r->q->dir == NULL) {
        return 0;
    }
    const int rc = atoll__checkpoint_write(path_of(r, "checkpoint"), r->t, r->key, r->epochs,
                                           r->n_epochs, err);
    return rc ? rc : write_history(r, err);
}

static int write_models(struct run *r, struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    int rc = atoll_trainer_export(r->t, &m, err);
    rc = rc ? rc : atoll_model_sha256(m, r->model_sha256, err);
    rc = rc ? rc : atoll_model_write(m, path_of(r, "model.tflite"), err);
    atoll_model_close(&m);
    if (rc != 0 || r->q->calibration == 0) {
        return rc;
    }
    struct atoll_ranges ranges = {0};
    rc = atoll_trainer_calibrate(r->t, r->q->data, r->q->calibration, &ranges, err);
    rc = rc ? rc : atoll_trainer_export_int8(r->t, &ranges, &m, err);
    rc = rc ? rc : atoll_model_sha256(m, r->int8_sha256, err);
    rc = rc ? rc : atoll_model_write(m, path_of(r, "model_int8.tflite"), err);
    atoll_model_close(&m);
    atoll_ranges_finish(&ranges);
    return rc;
}

/* ----------------------------------------------------------------------- whole */

static int check_request(const struct atoll_train_request *q, struct atoll_err *err)
{
    const struct atoll_recipe *p = &q->recipe;
    if (p->epochs < 1 || p->epochs > 10000 || p->batch < 1 || p->batch > 4096 || !(p->rate > 0)) {
        return atoll_fail(
            err, ATOLL_EUSAGE,
            "recipe: %u epochs, batch of %u, rate %g (1 to 10000, 1 to 4096, above 0 expected)",
            p->epochs, p->batch, p->rate);
    }
    if (q->dir != NULL && strlen(q->dir) > 1024) {
        return atoll_fail(err, ATOLL_EUSAGE, "the directory's name is too long");
    }
    if (p->teacher[0] != '\0' && q->rt == NULL) {
        return atoll_fail(err, ATOLL_EUSAGE, "a teacher needs the TFLite runtime");
    }
    return 0;
}

/* The number asked for; else that of the checkpoint to go on from; else the faster one. Another
 * number gives other last digits, so it is part of the key. */
static int choose_threads(struct run *r, struct atoll_err *err)
{
    const struct atoll_train_request *q = r->q;
    unsigned can[2] = {q->threads, q->threads};
    unsigned n = 1;
    if (q->threads == 0) {
        n = atoll__train_thread_choices(can);
    }
    for (unsigned i = 0; i < n; i++) {
        const int rc = atoll__train_key(q, &r->feed, r->n_train, can[i], r->key, err);
        r->threads = can[i];
        if (rc != 0 || n == 1 ||
            (q->resume && q->dir && atoll__checkpoint_is(path_of(r, "checkpoint"), r->key))) {
            return rc;
        }
    }
    const int rc = atoll__train_faster(q->net, q->recipe.batch, q->seed, can, &r->threads, err);
    return rc ? rc : atoll__train_key(q, &r->feed, r->n_train, r->threads, r->key, err);
}

static int open_run(struct run *r, struct atoll_err *err)
{
    const struct atoll_train_request *q = r->q;
    const struct atoll_recipe *p = &q->recipe;
    int rc = check_request(q, err);
    rc = rc ? rc : atoll__feed_init(&r->feed, q->net, q->data, err);
    if (rc != 0) {
        return rc;
    }
    r->n_train = r->feed.info.n[ATOLL_PART_TRAIN];
    if (q->limit > 0 && q->limit < r->n_train) {
        r->n_train = q->limit;
    }
    r->steps_an_epoch = r->n_train / p->batch;
    r->steps = r->steps_an_epoch * p->epochs;
    if (r->steps_an_epoch == 0 || r->n_train > UINT32_MAX) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "data %s: %llu training images (at least a batch of %u expected)",
                          r->feed.info.name, (unsigned long long)r->n_train, p->batch);
    }
    const uint32_t classes = atoll_net_classes(q->net);
    r->labels = atoll_calloc(p->batch, sizeof *r->labels);
    r->order = atoll_calloc((size_t)r->n_train, sizeof *r->order);
    r->epochs = atoll_calloc(p->epochs, sizeof *r->epochs);
    r->teacher_logits = atoll_calloc((size_t)p->batch * classes, sizeof *r->teacher_logits);
    if (!r->labels || !r->order || !r->epochs || !r->teacher_logits) {
        return atoll_fail_nomem(err, "a training run", (size_t)r->n_train * sizeof *r->order);
    }
    if (p->teacher[0] != '\0') {
        rc = atoll__teacher_open(q->rt, p->teacher, &r->feed, classes, &r->teacher, err);
    }
    rc = rc ? rc : choose_threads(r, err);
    const struct atoll_trainer_opts o = {.batch = p->batch, .threads = r->threads, .seed = q->seed};
    rc = rc ? rc : atoll_trainer_open(q->net, &o, &r->t, err);
    return rc || q->dir == NULL ? rc : make_dir(q->dir, err);
}

static int resume(struct run *r, struct atoll_err *err)
{
    if (!r->q->resume || r->q->dir == NULL || access(path_of(r, "checkpoint"), F_OK) != 0) {
        return 0;
    }
    struct atoll_epoch *old = NULL;
    uint32_t n = 0;
    struct atoll_err why = {0};
    int rc = atoll__checkpoint_read(path_of(r, "checkpoint"), r->t, r->key, &old, &n, &why);
    if (rc == ATOLL_EINPUT && r->q->discard) {
        atoll_log(ATOLL_LOG_WARN, "%s; started anew", why.text);
        return 0;
    }
    if (rc != 0 && err != NULL) {
        *err = why;
    }
    if (rc == 0 && n > r->q->recipe.epochs) {
        rc = atoll_fail(err, ATOLL_EINPUT, "%s: %u epochs (at most %u expected)", r->path, n,
                        r->q->recipe.epochs);
    }
    if (rc == 0) {
        memcpy(r->epochs, old, n * sizeof *old);
        r->n_epochs = n;
    }
    atoll_free(old);
    return rc;
}

static int hash_weights(struct run *r, char hex[65], struct atoll_err *err)
{
    struct atoll_buf b = {0};
    int rc = 0;
    for (uint32_t k = 0; k < atoll_trainer_params(r->t) && rc == 0; k++) {
        const struct atoll_param p = atoll_trainer_param(r->t, k);
        float *v = atoll_alloc(p.n * sizeof *v);
        rc = v ? atoll_trainer_read(r->t, k, ATOLL_PARAM_VALUE, v, err)
               : atoll_fail_nomem(err, "a parameter", p.n * sizeof *v);
        if (rc == 0) {
            atoll_buf_append(&b, v, p.n * sizeof *v);
        }
        atoll_free(v);
    }
    if (rc == 0 && b.failed) {
        rc = atoll_fail_nomem(err, "the hash of the weights", b.size);
    }
    if (rc == 0) {
        atoll_sha256_hex(b.data, b.size, hex);
    }
    atoll_buf_finish(&b);
    return rc;
}

static int finish_run(struct run *r, struct atoll_train_result *out, struct atoll_err *err)
{
    double loss = 0;
    int rc = hash_weights(r, out->weights_sha256, err);
    rc =
        rc ? rc
           : atoll__train_evaluate(r->t, &r->feed, ATOLL_PART_TEST, &out->correct_test, &loss, err);
    rc = rc ? rc : check_loss(r, loss, "on the test images", err);
    rc = rc || !r->q->dir ? rc : write_models(r, err);
    out->images_test = r->feed.info.n[ATOLL_PART_TEST];
    out->parameters = atoll_net_parameters(r->q->net);
    out->n_bad = r->feed.n_bad + r->feed.info.n_bad;
    out->threads = r->threads;
    memcpy(out->key, r->key, sizeof out->key);
    memcpy(out->model_sha256, r->model_sha256, sizeof out->model_sha256);
    memcpy(out->int8_sha256, r->int8_sha256, sizeof out->int8_sha256);
    return rc;
}

static void close_run(struct run *r)
{
    atoll_trainer_close(&r->t);
    atoll__teacher_close(&r->teacher);
    atoll__feed_finish(&r->feed);
    atoll_free(r->labels);
    atoll_free(r->order);
    atoll_free(r->epochs);
    atoll_free(r->teacher_logits);
}

int atoll_train_run(const struct atoll_train_request *q, struct atoll_train_result *out,
                    struct atoll_err *err)
{
    struct run r = {.q = q};
    struct atoll_train_result made = {0};
    int rc = open_run(&r, err);
    rc = rc ? rc : resume(&r, err);
    made.resumed = r.n_epochs;
    uint32_t until = q->recipe.epochs;
    if (q->stop_after > 0 && q->stop_after < until - r.n_epochs) {
        until = r.n_epochs + q->stop_after;
    }
    for (uint32_t epoch = r.n_epochs; rc == 0 && epoch < until; epoch++) {
        rc = train_epoch(&r, epoch, err);
        rc = rc ? rc : save_epoch(&r, err);
        made.seconds += r.epochs[epoch].seconds;
    }
    rc = rc ? rc : finish_run(&r, &made, err);
    if (rc == 0) {
        made.epochs = r.epochs;
        made.n_epochs = r.n_epochs;
        r.epochs = NULL;
        *out = made;
    }
    close_run(&r);
    return rc;
}

void atoll_train_result_finish(struct atoll_train_result *r)
{
    atoll_free(r->epochs);
    *r = (struct atoll_train_result){0};
}
