/* SPDX-License-Identifier: Apache-2.0 */
/* Average precision as COCO's own evaluation computes it (pycocotools, cocoeval.py): for each image
 * the best 100 detections of a class take, best first, the free box that they overlap most. */
#include "nn_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PER_IMAGE_MAX = 100, RECALLS = 101 };

static double area(const struct atoll_box *b)
{
    return fmax(0, (double)b->y1 - (double)b->y0) * fmax(0, (double)b->x1 - (double)b->x0);
}

static double overlap(const struct atoll_box *a, const struct atoll_box *b)
{
    const struct atoll_box both = {.y0 = fmaxf(a->y0, b->y0),
                                   .x0 = fmaxf(a->x0, b->x0),
                                   .y1 = fminf(a->y1, b->y1),
                                   .x1 = fminf(a->x1, b->x1)};
    return area(&both);
}

double atoll_box_iou(const struct atoll_box *a, const struct atoll_box *b)
{
    const double both = overlap(a, b);
    const double either = area(a) + area(b) - both;
    return either > 0 ? both / either : 0;
}

/* One detection of the class on its way through the matching. */
struct entry {
    struct atoll_box box;
    double score;
    size_t image, order;
    bool hit, ignored;
};

static int by_image_then_score(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->image != y->image) {
        return x->image < y->image ? -1 : 1;
    }
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_score(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    if (x->image != y->image) {
        return x->image < y->image ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

/* The box that a detection takes: the free one that it overlaps most, at least by `iou`; a crowd
 * only when there is none, measured by the detection's own area, and it stays free. */
static int64_t find_box(const struct entry *e, const struct atoll_box *boxes, size_t n,
                        const bool *taken, uint32_t label, double iou)
{
    double best = fmin(iou, 1 - 1e-10);
    int64_t found = -1;
    for (size_t i = 0; i < n; i++) {
        if (boxes[i].label != label || boxes[i].crowd || taken[i]) {
            continue;
        }
        const double v = atoll_box_iou(&e->box, &boxes[i]);
        if (v >= best) {
            best = v;
            found = (int64_t)i;
        }
    }
    for (size_t i = 0; i < n && found < 0; i++) {
        const double own = area(&e->box);
        if (boxes[i].label == label && boxes[i].crowd && own > 0 &&
            overlap(&e->box, &boxes[i]) / own >= best) {
            found = (int64_t)i;
        }
    }
    return found;
}

/* Entries of one image, best first. Those beyond the hundredth count as never made. */
static void match_image(struct entry *e, size_t n, const struct atoll_box *boxes, size_t n_boxes,
                        bool *taken, uint32_t label, double iou)
{
    memset(taken, 0, n_boxes);
    for (size_t i = 0; i < n; i++) {
        const int64_t box =
            i < PER_IMAGE_MAX ? find_box(&e[i], boxes, n_boxes, taken, label, iou) : -1;
        e[i].ignored = i >= PER_IMAGE_MAX || (box >= 0 && boxes[box].crowd);
        e[i].hit = box >= 0 && !e[i].ignored;
        if (e[i].hit) {
            taken[box] = true;
        }
    }
}

/* Mean over the recalls 0, 0.01, ... 1 of the best precision at that recall or beyond. */
static double area_under(const struct entry *e, size_t n, size_t n_truth, double *precision,
                         double *recall)
{
    size_t hits = 0, misses = 0, points = 0;
    for (size_t i = 0; i < n; i++) {
        if (e[i].ignored) {
            continue;
        }
        hits += e[i].hit;
        misses += !e[i].hit;
        recall[points] = (double)hits / (double)n_truth;
        precision[points++] = (double)hits / (double)(hits + misses);
    }
    for (size_t i = points; i > 1; i--) {
        precision[i - 2] = fmax(precision[i - 2], precision[i - 1]);
    }
    double sum = 0;
    size_t at = 0;
    for (int r = 0; r < RECALLS; r++) {
        while (at < points && recall[at] < r / 100.0) {
            at++;
        }
        sum += at < points ? precision[at] : 0;
    }
    return sum / RECALLS;
}

static size_t collect(const struct atoll_detection *d, size_t n_d, size_t n_images, uint32_t label,
                      struct entry *out)
{
    size_t n = 0;
    for (size_t i = 0; i < n_d; i++) {
        if (d[i].label == label && d[i].image < n_images && !isnan(d[i].score)) {
            out[n++] = (struct entry){.box = {d[i].y0, d[i].x0, d[i].y1, d[i].x1, label, false},
                                      .score = d[i].score,
                                      .image = d[i].image,
                                      .order = i};
        }
    }
    return n;
}

int atoll_detection_ap(const struct atoll_detection *d, size_t n_d,
                       const struct atoll_box *const *truth, const size_t *n_truth, size_t n_images,
                       uint32_t label, double iou, double *ap, struct atoll_err *err)
{
    size_t wanted = 0, boxes_most = 1;
    for (size_t i = 0; i < n_images; i++) {
        boxes_most = n_truth[i] > boxes_most ? n_truth[i] : boxes_most;
        for (size_t k = 0; k < n_truth[i]; k++) {
            wanted += truth[i][k].label == label && !truth[i][k].crowd;
        }
    }
    if (wanted == 0) {
        *ap = NAN;
        return 0;
    }
    struct entry *e = atoll_alloc((n_d + 1) * sizeof *e);
    double *curve = atoll_alloc((n_d + 1) * 2 * sizeof *curve);
    bool *taken = atoll_alloc(boxes_most * sizeof *taken);
    const bool ok = e != NULL && curve != NULL && taken != NULL;
    if (ok) {
        const size_t n = collect(d, n_d, n_images, label, e);
        qsort(e, n, sizeof *e, by_image_then_score);
        for (size_t from = 0, to = 0; from < n; from = to) {
            while (to < n && e[to].image == e[from].image) {
                to++;
            }
            const size_t image = e[from].image;
            match_image(e + from, to - from, truth[image], n_truth[image], taken, label, iou);
        }
        qsort(e, n, sizeof *e, by_score);
        *ap = area_under(e, n, wanted, curve, curve + n_d + 1);
    }
    atoll_free(e);
    atoll_free(curve);
    atoll_free(taken);
    return ok ? 0 : atoll_fail_nomem(err, "detections", n_d * sizeof *e);
}
