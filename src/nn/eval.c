/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation on all cores: each worker has an interpreter of one thread and takes the next image.
 * What an image gave is kept by its number and summed up at the end in that order, so the answer
 * does not depend on who computed what when. */
#include "eval_internal.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { THREADS_MAX = 256, PROGRESS_STEP = 16 };

static const struct atoll__eval_task *task_of(enum atoll_task t)
{
    static const struct atoll__eval_task *const tasks[] = {
        &atoll__eval_classify, &atoll__eval_segment, &atoll__eval_detect};
    return tasks[t];
}

/* ------------------------------------------------------------------ workers */

static bool report_progress(struct atoll__eval_run *r)
{
    (void)pthread_mutex_lock(&r->lock);
    const struct atoll_progress *p = &r->q->progress;
    r->done++;
    bool go_on = true;
    if (p->fn != NULL && (r->done % PROGRESS_STEP == 0 || r->done == r->n)) {
        go_on = p->fn(p->user, r->done, r->n, "images");
    }
    (void)pthread_mutex_unlock(&r->lock);
    return go_on;
}

static void note_failure(struct atoll__eval_run *r, size_t image, int rc,
                         const struct atoll_err *err)
{
    (void)pthread_mutex_lock(&r->lock);
    if (r->failed == 0 || image < r->failed_at) {
        r->failed = rc;
        r->failed_at = image;
        r->first = *err;
    }
    (void)pthread_mutex_unlock(&r->lock);
    atomic_store(&r->stop, true);
}

/* A corrupt image: left out and named when the set was opened so. */
static int note_bad(struct atoll__eval_run *r, size_t image, int rc, const struct atoll_err *err)
{
    if (!r->info.skip_bad || (rc != ATOLL_EINPUT && rc != ATOLL_EUNSUPPORTED)) {
        return rc;
    }
    (void)pthread_mutex_lock(&r->lock);
    r->out->n_bad++;
    if (image < r->bad_at) {
        r->bad_at = image;
        (void)snprintf(r->out->bad_first, sizeof r->out->bad_first, "%.500s", err->text);
    }
    (void)pthread_mutex_unlock(&r->lock);
    r->out->correct[image] = ATOLL__EVAL_BAD;
    return 0;
}

static int read_image(struct atoll__eval_run *r, struct atoll__eval_worker *w, size_t image,
                      uint32_t *label, struct atoll_err *err)
{
    const struct atoll_eval_request *q = r->q;
    int rc = atoll_dataset_read(q->data, q->part, image, &w->image, label, err);
    if (rc == 0 && r->info.task == ATOLL_TASK_SEGMENT) {
        rc = atoll_dataset_mask(q->data, q->part, image, &w->mask, err);
    }
    return rc;
}

static int one_image(struct atoll__eval_run *r, struct atoll__eval_worker *w, size_t image,
                     struct atoll_err *err)
{
    uint32_t label = 0, n = 0;
    int rc = read_image(r, w, image, &label, err);
    if (rc != 0) {
        return note_bad(r, image, rc, err);
    }
    const struct atoll_interp_tensor *in = atoll_interp_inputs(w->it, &n);
    rc = atoll_interp_put_image(&in[0], &r->info.preprocess, &w->image, &w->scaled, err);
    if (rc == 0 && r->has_state) {
        rc = atoll_interp_reset(w->it, err);
    }
    rc = rc ? rc : atoll_interp_invoke(w->it, err);
    return rc ? rc : task_of(r->info.task)->keep(r, w, image, label, err);
}

static int work(void *user, size_t index, struct atoll_err *err)
{
    struct atoll__eval_run *r = user;
    struct atoll__eval_worker *w = &r->workers[index];
    (void)err;
    while (!atomic_load(&r->stop)) {
        const size_t image = atomic_fetch_add(&r->next, 1);
        struct atoll_err why = {0};
        if (image >= r->n) {
            break;
        }
        const int rc = one_image(r, w, image, &why);
        if (rc != 0) {
            note_failure(r, image, rc, &why);
        } else if (!report_progress(r)) {
            (void)atoll_fail(&why, ATOLL_ENO, "stopped after %zu images", image);
            note_failure(r, image, ATOLL_ENO, &why);
        }
    }
    return 0;
}

/* -------------------------------------------------------------------- phases */

static int open_workers(struct atoll__eval_run *r, struct atoll_err *err)
{
    const struct atoll_interp_opts o = {.kernels = r->q->kernels, .threads = 1};
    int rc = 0;
    r->workers = atoll_calloc(r->n_workers, sizeof *r->workers);
    if (r->workers == NULL) {
        return atoll_fail_nomem(err, "workers", r->n_workers * sizeof *r->workers);
    }
    for (unsigned i = 0; i < r->n_workers && rc == 0; i++) {
        rc = atoll_interp_open(r->q->rt, r->q->model, &o, &r->workers[i].it, err);
    }
    if (rc == 0) {
        r->out->kernels = atoll_interp_kernels(r->workers[0].it);
    }
    if (rc == 0 && r->q->model->n_inputs != 1) {
        rc = atoll_fail(err, ATOLL_EUNSUPPORTED, "%s: %u inputs (one image expected)",
                        r->q->model->path, r->q->model->n_inputs);
    }
    return rc;
}

static unsigned count_workers(const struct atoll__eval_run *r)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = r->q->threads > 0 ? r->q->threads : cores > 0 ? (size_t)cores : 1;
    n = n > THREADS_MAX ? THREADS_MAX : n;
    return (unsigned)(n > r->n ? r->n : n);
}

static bool has_state(const struct atoll_model *m)
{
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        if (m->tensors[i].is_variable) {
            return true;
        }
    }
    return false;
}

static int start(struct atoll__eval_run *r, struct atoll_err *err)
{
    const struct atoll_eval_request *q = r->q;
    atoll_dataset_info(q->data, &r->info);
    const size_t have = (unsigned)q->part < 3 ? r->info.n[q->part] : 0;
    r->n = q->limit > 0 && q->limit < have ? q->limit : have;
    r->bad_at = SIZE_MAX;
    r->has_state = has_state(q->model);
    if (r->n == 0) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: no images in part %s", r->info.name,
                          atoll_part_name(q->part));
    }
    r->n_workers = count_workers(r);
    r->out->task = r->info.task;
    r->out->threads = r->n_workers;
    r->out->n_classes = r->info.n_classes;
    r->out->n_correct = r->n;
    r->out->correct = atoll_calloc(r->n, 1);
    if (r->out->correct == NULL) {
        return atoll_fail_nomem(err, "answers", r->n);
    }
    const int rc = open_workers(r, err);
    return rc ? rc : task_of(r->info.task)->prepare(r, err);
}

static int go(struct atoll__eval_run *r, struct atoll_err *err)
{
    const uint64_t from = atoll_now_ns();
    const int rc = atoll_parallel(r->n_workers, r->n_workers, work, r, err);
    r->out->seconds = (double)(atoll_now_ns() - from) / 1e9;
    r->out->images_per_s = (double)r->n / r->out->seconds;
    r->out->images = r->n - r->out->n_bad;
    if (rc != 0) {
        return rc;
    }
    if (r->failed != 0) {
        if (err != NULL) {
            *err = r->first;
        }
        return r->failed;
    }
    if (r->out->images == 0) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: every image is bad; the first: %s", r->info.name,
                          r->out->bad_first);
    }
    return task_of(r->info.task)->sum_up(r, err);
}

static void finish(struct atoll__eval_run *r)
{
    for (unsigned i = 0; i < r->n_workers && r->workers != NULL; i++) {
        struct atoll__eval_worker *w = &r->workers[i];
        atoll_interp_close(&w->it);
        atoll_image_finish(&w->image);
        atoll_image_finish(&w->scaled);
        atoll_image_finish(&w->mask);
        atoll_free(w->confusion);
    }
    for (size_t i = 0; i < r->n && r->found != NULL; i++) {
        atoll_free(r->found[i].v);
    }
    atoll_free(r->workers);
    atoll_free(r->answers);
    atoll_free(r->shares);
    atoll_free(r->found);
}

int atoll_eval_run(const struct atoll_eval_request *q, struct atoll_eval *out,
                   struct atoll_err *err)
{
    const struct atoll_interval unknown = {NAN, NAN, NAN};
    struct atoll_eval e = {.top1 = unknown,
                           .top5 = unknown,
                           .pixels = unknown,
                           .mean_iou = NAN,
                           .ap = NAN,
                           .ap50 = NAN,
                           .ap75 = NAN};
    struct atoll__eval_run r = {.q = q, .out = &e};
    if (pthread_mutex_init(&r.lock, NULL) != 0) {
        return atoll_fail_nomem(err, "a lock", 0);
    }
    int rc = start(&r, err);
    rc = rc ? rc : go(&r, err);
    finish(&r);
    (void)pthread_mutex_destroy(&r.lock);
    if (rc != 0) {
        atoll_eval_finish(&e);
        return rc;
    }
    *out = e;
    return 0;
}

void atoll_eval_finish(struct atoll_eval *e)
{
    if (e != NULL) {
        atoll_free(e->correct);
        atoll_free(e->confusion);
        atoll_free(e->iou);
        atoll_free(e->class_ap);
        *e = (struct atoll_eval){.n_classes = 0};
    }
}
