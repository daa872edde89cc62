/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy of the models and how networks were trained: read from the store, said in a sentence,
 * written into the page's data. */
#include "report_internal.h"

#include <math.h>
#include <string.h>

#define TRAININGS_MAX 12 /* in the page; those of the experiment's models first */

struct load {
    struct atoll__data *d;
    struct atoll_err *err;
    const char *training; /* whose epochs are being read */
};

static const char *keep(struct load *l, const char *s)
{
    return s ? atoll_arena_strndup(&l->d->arena, s, strlen(s)) : NULL;
}

/* ------------------------------------------------------------------------------------- load */

static int on_accuracy(void *u, const struct atoll_accuracy_row *r)
{
    struct load *l = u;
    struct atoll__data *d = l->d;
    struct atoll__accuracy a = {.row = *r};
    while (a.model < d->n_models && strcmp(d->models[a.model].row.spec, r->model) != 0) {
        a.model++;
    }
    if (a.model == d->n_models) {
        return 0; /* no plan and no run of it */
    }
    const char **const texts[] = {&a.row.experiment, &a.row.model,   &a.row.data,
                                  &a.row.part,       &a.row.task,    &a.row.bad_first,
                                  &a.row.origin,     &a.row.runtime, &a.row.kernels,
                                  &a.row.host,       &a.row.started};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = keep(l, *texts[i]);
    }
    if (atoll_grow((void **)&d->accuracies, &d->cap_accuracies, d->n_accuracies + 1,
                   sizeof *d->accuracies)) {
        return atoll_fail_nomem(l->err, "accuracies", d->n_accuracies * sizeof *d->accuracies);
    }
    d->accuracies[d->n_accuracies++] = a;
    return 0;
}

static int64_t model_of(const struct atoll__data *d, const struct atoll_training_row *r)
{
    for (size_t i = 0; i < d->n_models; i++) {
        const char *sha = d->models[i].row.sha256;
        if (sha && ((r->int8_sha256 && strcmp(sha, r->int8_sha256) == 0) ||
                    (r->model_sha256 && strcmp(sha, r->model_sha256) == 0))) {
            return (int64_t)i;
        }
    }
    return -1;
}

static int on_training(void *u, const struct atoll_training_row *r)
{
    struct load *l = u;
    struct atoll__data *d = l->d;
    struct atoll__training t = {.row = *r, .model = model_of(d, r)};
    const char **const texts[] = {&t.row.key,          &t.row.network,     &t.row.data,
                                  &t.row.recipe,       &t.row.kernels,     &t.row.weights_sha256,
                                  &t.row.model_sha256, &t.row.int8_sha256, &t.row.atoll_version,
                                  &t.row.host};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = keep(l, *texts[i]);
    }
    if (!t.row.key ||
        atoll_grow((void **)&d->trainings, &d->cap_trainings, d->n_trainings + 1, sizeof t)) {
        return atoll_fail_nomem(l->err, "trainings", d->n_trainings * sizeof t);
    }
    d->trainings[d->n_trainings++] = t;
    return 0;
}

/* Trainings of the experiment's models first, in the order of the models. */
static int by_model(const void *a, const void *b)
{
    const struct atoll__training *x = a, *y = b;
    if (x->model != y->model) {
        return x->model < 0 ? 1 : y->model < 0 ? -1 : x->model < y->model ? -1 : 1;
    }
    const int c = strcmp(x->row.key, y->row.key);
    return c ? c
             : (x->row.calibration > y->row.calibration) -
                   (x->row.calibration < y->row.calibration);
}

static int on_epoch(void *u, const struct atoll_epoch_row *r)
{
    struct load *l = u;
    struct atoll__data *d = l->d;
    struct atoll__training *t = &d->trainings[d->n_shown];
    if (atoll_grow((void **)&d->epochs, &d->cap_epochs, d->n_epochs + 1, sizeof *d->epochs)) {
        return atoll_fail_nomem(l->err, "epochs", d->n_epochs * sizeof *d->epochs);
    }
    d->epochs[d->n_epochs] = *r;
    d->epochs[d->n_epochs++].training = NULL;
    t->n_epochs++;
    return 0;
}

int atoll__report_load_accuracy(struct atoll_store *s, struct atoll__data *d, struct atoll_err *err)
{
    struct load l = {.d = d, .err = err};
    int e = d->experiment.key
                ? atoll_store_each_accuracy(s, d->experiment.key, on_accuracy, &l, err)
                : 0;
    e = e ? e : atoll_store_each_training(s, on_training, &l, err);
    if (!e && d->n_trainings > 1) {
        qsort(d->trainings, d->n_trainings, sizeof *d->trainings, by_model);
    }
    for (d->n_shown = 0; !e && d->n_shown < d->n_trainings && d->n_shown < TRAININGS_MAX;) {
        d->trainings[d->n_shown].epochs = d->n_epochs;
        e = atoll_store_each_epoch(s, d->trainings[d->n_shown].row.key, on_epoch, &l, err);
        d->n_shown += e == 0;
    }
    return e;
}

/* ------------------------------------------------------------------------------------ words */

static const char *percent(struct atoll_arena *a, double frac)
{
    const char *s = atoll_arena_printf(a, "%.2f", 100 * frac);
    return s ? s : "?";
}

const char *atoll__report_accuracy_sentence(const struct atoll__accuracy *y, struct atoll_arena *a)
{
    const struct atoll_accuracy_row *r = &y->row;
    const char *bad =
        r->bad > 0 ? atoll_arena_printf(a, "; %lld corrupt images were left out", (long long)r->bad)
                   : "";
    const char *what;
    if (isfinite(r->top1)) {
        what = atoll_arena_printf(a, "Right on %s %% (95 %% %s to %s) of", percent(a, r->top1),
                                  percent(a, r->top1_low95), percent(a, r->top1_high95));
    } else if (isfinite(r->mean_iou)) {
        what = atoll_arena_printf(a, "Mean intersection over union %s %%, %s %% of the pixels, on",
                                  percent(a, r->mean_iou), percent(a, r->pixel_frac));
    } else {
        what = atoll_arena_printf(a, "Average precision %s %% (COCO), %s %% at IoU 0.50, on",
                                  percent(a, r->ap), percent(a, r->ap50));
    }
    return bad && what
               ? atoll_arena_printf(
                     a, "%s %lld images of %s, part %s (%s on the host, %s kernels)%s.", what,
                     (long long)r->images, r->data ? r->data : "?", r->part ? r->part : "?",
                     r->origin ? r->origin : "?", r->kernels ? r->kernels : "?", bad)
               : NULL;
}

/* ------------------------------------------------------------------------------- page's data */

static void put_number(struct atoll_buf *b, const char *name, double v)
{
    atoll_buf_printf(b, ",\"%s\":", name);
    atoll__text_number(b, v, 8);
}

static void put_text(struct atoll_buf *b, const char *name, const char *s)
{
    atoll_buf_printf(b, ",\"%s\":", name);
    atoll__text_json(b, s);
}

static void put_accuracy(struct atoll_buf *b, const struct atoll__accuracy *y)
{
    const struct atoll_accuracy_row *r = &y->row;
    atoll_buf_printf(b, "{\"m\":%u,\"images\":%lld,\"bad\":%lld", y->model, (long long)r->images,
                     (long long)r->bad);
    put_text(b, "data", r->data);
    put_text(b, "part", r->part);
    put_text(b, "task", r->task);
    put_text(b, "origin", r->origin);
    put_text(b, "runtime", r->runtime);
    put_text(b, "kernels", r->kernels);
    const struct {
        const char *name;
        double v;
    } numbers[] = {
        {"top1", r->top1},         {"top1_low", r->top1_low95}, {"top1_high", r->top1_high95},
        {"top5", r->top5},         {"top5_low", r->top5_low95}, {"top5_high", r->top5_high95},
        {"pixels", r->pixel_frac}, {"mean_iou", r->mean_iou},   {"ap", r->ap},
        {"ap50", r->ap50}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put_number(b, numbers[i].name, numbers[i].v);
    }
    atoll_buf_puts(b, "}");
}

static void put_epochs(struct atoll_buf *b, const char *name, const struct atoll_epoch_row *rows,
                       size_t n, size_t offset)
{
    atoll_buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        double v;
        memcpy(&v, (const char *)&rows[i] + offset, sizeof v);
        atoll_buf_puts(b, i ? "," : "");
        atoll__text_number(b, v, 6);
    }
    atoll_buf_puts(b, "]");
}

static void put_training(struct atoll_buf *b, const struct atoll__data *d,
                         const struct atoll__training *t)
{
    const struct atoll_training_row *r = &t->row;
    const struct atoll_epoch_row *rows = d->epochs + t->epochs;
    atoll_buf_puts(b, "{\"m\":");
    atoll_buf_printf(b, t->model < 0 ? "null" : "%lld", (long long)t->model);
    atoll_buf_printf(b, ",\"images\":%lld,\"threads\":%lld,\"parameters\":%lld",
                     (long long)r->images, (long long)r->threads, (long long)r->parameters);
    put_text(b, "network", r->network);
    put_text(b, "data", r->data);
    put_text(b, "recipe", r->recipe);
    put_text(b, "kernels", r->kernels);
    put_number(b, "top1", r->top1);
    put_number(b, "top1_low", r->top1_low95);
    put_number(b, "top1_high", r->top1_high95);
    put_epochs(b, "loss", rows, t->n_epochs, offsetof(struct atoll_epoch_row, loss));
    put_epochs(b, "accuracy", rows, t->n_epochs, offsetof(struct atoll_epoch_row, accuracy_frac));
    put_epochs(b, "validation_loss", rows, t->n_epochs,
               offsetof(struct atoll_epoch_row, validation_loss));
    put_epochs(b, "validation_accuracy", rows, t->n_epochs,
               offsetof(struct atoll_epoch_row, validation_accuracy_frac));
    atoll_buf_puts(b, "}");
}

void atoll__report_accuracy_block(const struct atoll__data *d, struct atoll_buf *b)
{
    atoll_buf_puts(b, ",\n\"accuracy\":[");
    for (size_t i = 0; i < d->n_accuracies; i++) {
        atoll_buf_puts(b, i ? ",\n" : "");
        put_accuracy(b, &d->accuracies[i]);
    }
    atoll_buf_puts(b, "],\n\"trainings\":[");
    for (size_t i = 0; i < d->n_shown; i++) {
        atoll_buf_puts(b, i ? ",\n" : "");
        put_training(b, d, &d->trainings[i]);
    }
    atoll_buf_puts(b, "]");
}
