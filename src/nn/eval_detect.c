/* SPDX-License-Identifier: Apache-2.0 */
/* Detection with the four outputs of an SSD's last operator (TFLite_Detection_PostProcess): boxes
 * [1, N, 4] as shares of the sides (top, left, bottom, right), classes, scores, count. */
#include "eval_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { THRESHOLDS = 10 };

static int detect_prepare(struct atoll__eval_run *r, struct atoll_err *err)
{
    uint32_t n = 0;
    const struct atoll_interp_tensor *out = atoll_interp_outputs(r->workers[0].it, &n);
    const bool fits = n == 4 && out[0].rank == 3 && out[0].shape[2] == 4 &&
                      out[1].type == ATOLL_TYPE_FLOAT32 && out[2].type == ATOLL_TYPE_FLOAT32;
    if (!fits) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "%s: boxes [1, N, 4], classes, scores and count expected as outputs",
                          r->q->model->path);
    }
    if (r->info.preprocess.rule != ATOLL_RESIZE_STRETCH) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: boxes go with resize: stretch", r->info.name);
    }
    r->found = atoll_calloc(r->n, sizeof *r->found);
    r->out->class_ap = atoll_calloc(r->info.n_classes, sizeof *r->out->class_ap);
    return r->found != NULL && r->out->class_ap != NULL
               ? 0
               : atoll_fail_nomem(err, "detections", r->n * sizeof *r->found);
}

static int detect_keep(struct atoll__eval_run *r, struct atoll__eval_worker *w, size_t image,
                       uint32_t label, struct atoll_err *err)
{
    uint32_t n_out = 0;
    const struct atoll_interp_tensor *out = atoll_interp_outputs(w->it, &n_out);
    const double count = atoll_interp_real(&out[3], 0);
    size_t n = atoll_interp_elements(&out[0]) / 4;
    n = atoll_interp_elements(&out[1]) < n ? atoll_interp_elements(&out[1]) : n;
    n = atoll_interp_elements(&out[2]) < n ? atoll_interp_elements(&out[2]) : n;
    n = count >= 0 && count < (double)n ? (size_t)count : n;
    (void)label;
    struct atoll_detection *v = atoll_alloc((n + 1) * sizeof *v);
    if (v == NULL) {
        return atoll_fail_nomem(err, "detections", n * sizeof *v);
    }
    size_t kept = 0;
    const double sides[4] = {w->image.height, w->image.width, w->image.height, w->image.width};
    for (size_t i = 0; i < n; i++) {
        float box[4];
        for (size_t k = 0; k < 4; k++) {
            box[k] = (float)(atoll_interp_real(&out[0], 4 * i + k) * sides[k]);
        }
        const double c = atoll_interp_real(&out[1], i) - r->info.label_offset;
        const double score = atoll_interp_real(&out[2], i);
        if (c >= 0 && c < r->info.n_classes && isfinite(score)) {
            v[kept++] =
                (struct atoll_detection){box[0], box[1], box[2], box[3], (uint32_t)c, score, image};
        }
    }
    r->found[image].v = v;
    r->found[image].n = kept;
    return 0;
}

/* Detections of all images, one behind the other, by class. */
static struct atoll_detection *gather(const struct atoll__eval_run *r, uint32_t label, size_t *n)
{
    size_t total = 0;
    for (size_t i = 0; i < r->n; i++) {
        for (size_t k = 0; k < r->found[i].n; k++) {
            total += r->found[i].v[k].label == label;
        }
    }
    struct atoll_detection *all = atoll_alloc((total + 1) * sizeof *all);
    *n = 0;
    for (size_t i = 0; i < r->n && all != NULL; i++) {
        for (size_t k = 0; k < r->found[i].n; k++) {
            if (r->found[i].v[k].label == label) {
                all[(*n)++] = r->found[i].v[k];
            }
        }
    }
    return all;
}

struct truth {
    const struct atoll_box **boxes;
    size_t *n;
};

/* COCO's ten thresholds of one class; ap[THRESHOLDS]. */
static int class_ap(const struct atoll__eval_run *r, const struct truth *t, uint32_t label,
                    double *ap, struct atoll_err *err)
{
    size_t n = 0;
    struct atoll_detection *all = gather(r, label, &n);
    int rc = all != NULL ? 0 : atoll_fail_nomem(err, "detections", n);
    for (int i = 0; i < THRESHOLDS && rc == 0; i++) {
        rc = atoll_detection_ap(all, n, t->boxes, t->n, r->n, label, 0.5 + 0.05 * i, &ap[i], err);
    }
    atoll_free(all);
    return rc;
}

static int sum_classes(struct atoll__eval_run *r, const struct truth *t, struct atoll_err *err)
{
    struct atoll_eval *o = r->out;
    double sum = 0, sum50 = 0, sum75 = 0;
    uint32_t occur = 0;
    for (uint32_t c = 0; c < o->n_classes; c++) {
        double ap[THRESHOLDS];
        const int rc = class_ap(r, t, c, ap, err);
        if (rc != 0) {
            return rc;
        }
        o->class_ap[c] = isnan(ap[0]) ? NAN : atoll_mean(ap, THRESHOLDS);
        if (!isnan(ap[0])) {
            sum += o->class_ap[c];
            sum50 += ap[0];
            sum75 += ap[5];
            occur++;
        }
    }
    o->ap = occur > 0 ? sum / occur : NAN;
    o->ap50 = occur > 0 ? sum50 / occur : NAN;
    o->ap75 = occur > 0 ? sum75 / occur : NAN;
    return 0;
}

static int detect_sum_up(struct atoll__eval_run *r, struct atoll_err *err)
{
    struct truth t = {atoll_calloc(r->n, sizeof *t.boxes), atoll_calloc(r->n, sizeof *t.n)};
    int rc = t.boxes != NULL && t.n != NULL ? 0 : atoll_fail_nomem(err, "boxes", r->n);
    for (size_t i = 0; i < r->n && rc == 0; i++) {
        if (!atoll__eval_is_bad(r, i)) { /* what was left out is not missed */
            t.boxes[i] = atoll_dataset_boxes(r->q->data, r->q->part, i, &t.n[i]);
        }
    }
    rc = rc ? rc : sum_classes(r, &t, err);
    atoll_free(t.boxes);
    atoll_free(t.n);
    return rc;
}

const struct atoll__eval_task atoll__eval_detect = {detect_prepare, detect_keep, detect_sum_up};
