/* SPDX-License-Identifier: Apache-2.0 */
/* Classification: is the label among the first, or the first five, scores? */
#include "eval_internal.h"

#include <math.h>

static int classify_prepare(struct atoll__eval_run *r, struct atoll_err *err)
{
    uint32_t n = 0;
    const struct atoll_interp_tensor *out = atoll_interp_outputs(r->workers[0].it, &n);
    const size_t scores = n == 1 ? atoll_interp_elements(&out[0]) : 0;
    if (n != 1) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "%s: %u outputs (a classifier gives one tensor of scores)",
                          r->q->model->path, n);
    }
    if ((int64_t)scores != (int64_t)r->info.n_classes + r->info.label_offset) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s gives %zu scores, %s has %u classes (label_offset %d): they do not "
                          "meet; a yaml file for the set may say label_offset: 1 where the model "
                          "has a class for the background",
                          r->q->model->path, scores, r->info.name, r->info.n_classes,
                          r->info.label_offset);
    }
    const size_t cells = (size_t)r->info.n_classes * (r->info.n_classes + 1);
    r->answers = atoll_calloc(r->n, sizeof *r->answers);
    r->out->confusion = atoll_calloc(cells, sizeof *r->out->confusion);
    return r->answers != NULL && r->out->confusion != NULL
               ? 0
               : atoll_fail_nomem(err, "answers", cells * sizeof(uint64_t));
}

static int classify_keep(struct atoll__eval_run *r, struct atoll__eval_worker *w, size_t image,
                         uint32_t label, struct atoll_err *err)
{
    struct atoll_top top[5];
    uint32_t n = 0;
    const struct atoll_interp_tensor *out = atoll_interp_outputs(w->it, &n);
    const int64_t expected = (int64_t)label + r->info.label_offset;
    n = atoll_interp_top(&out[0], 5, top);
    if (isnan(top[0].score)) {
        char name[512];
        return atoll_fail(err, ATOLL_EINPUT, "%s: the scores of %s are not numbers",
                          r->q->model->path,
                          atoll_dataset_image_name(r->q->data, r->q->part, image, name));
    }
    uint8_t flags = top[0].class_index == expected;
    for (uint32_t i = 0; i < n; i++) {
        flags |= (uint8_t)((top[i].class_index == expected) << 1);
    }
    r->out->correct[image] = flags;
    const int64_t answer = (int64_t)top[0].class_index - r->info.label_offset;
    const bool known = answer >= 0 && answer < r->info.n_classes;
    r->answers[image].label = label;
    r->answers[image].answer = known ? (uint32_t)answer : r->info.n_classes;
    return 0;
}

static int classify_sum_up(struct atoll__eval_run *r, struct atoll_err *err)
{
    struct atoll_eval *o = r->out;
    uint64_t first = 0, five = 0;
    (void)err;
    for (size_t i = 0; i < r->n; i++) {
        if (!atoll__eval_is_bad(r, i)) {
            const struct atoll__eval_answer *a = &r->answers[i];
            o->confusion[(size_t)a->label * (o->n_classes + 1) + a->answer]++;
            first += o->correct[i] & 1;
            five += o->correct[i] >> 1 & 1;
        }
    }
    o->top1 = atoll_wilson(first, o->images);
    if (r->info.n_classes > 5) {
        o->top5 = atoll_wilson(five, o->images);
    }
    return 0;
}

const struct atoll__eval_task atoll__eval_classify = {classify_prepare, classify_keep,
                                                      classify_sum_up};
