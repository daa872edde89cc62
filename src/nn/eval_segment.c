/* SPDX-License-Identifier: Apache-2.0 */
/* Segmentation: the class of each pixel against a mask. The model gives class numbers [1, H, W] or
 * scores [1, H, W, classes]; masks of another size are read at the nearest pixel. */
#include "eval_internal.h"

#include <math.h>
#include <string.h>

enum { IGNORED = 255, RESAMPLES = 1000 };

/* Height, width and channels (1: class numbers) of the output. */
static int output_sizes(const struct atoll_interp_tensor *t, uint32_t *h, uint32_t *w, uint32_t *c)
{
    if ((t->rank != 3 && t->rank != 4) || t->shape[0] != 1 || t->shape[1] < 1 || t->shape[2] < 1 ||
        (t->rank == 4 && t->shape[3] < 1)) {
        return -1;
    }
    *h = (uint32_t)t->shape[1];
    *w = (uint32_t)t->shape[2];
    *c = t->rank == 4 ? (uint32_t)t->shape[3] : 1;
    return 0;
}

static int segment_prepare(struct atoll__eval_run *r, struct atoll_err *err)
{
    uint32_t n = 0, h = 0, w = 0, c = 0;
    const struct atoll_interp_tensor *out = atoll_interp_outputs(r->workers[0].it, &n);
    const uint32_t classes = r->info.n_classes;
    if (n != 1 || output_sizes(&out[0], &h, &w, &c) != 0) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "%s: one output [1, height, width] or [1, height, width, classes] "
                          "expected for masks",
                          r->q->model->path);
    }
    if (c > 1 && (int64_t)c != (int64_t)classes + r->info.label_offset) {
        return atoll_fail(err, ATOLL_EINPUT, "%s gives %u classes, %s has %u (label_offset %d)",
                          r->q->model->path, c, r->info.name, classes, r->info.label_offset);
    }
    if (r->info.preprocess.rule != ATOLL_RESIZE_STRETCH) {
        return atoll_fail(
            err, ATOLL_EUSAGE,
            "%s: masks go with resize: stretch (a crop would need a crop of the mask)",
            r->info.name);
    }
    const size_t cells = (size_t)classes * classes;
    r->shares = atoll_calloc(r->n, sizeof *r->shares);
    r->out->confusion = atoll_calloc(cells, sizeof *r->out->confusion);
    r->out->iou = atoll_calloc(classes, sizeof *r->out->iou);
    bool ok = r->shares != NULL && r->out->confusion != NULL && r->out->iou != NULL;
    for (unsigned i = 0; i < r->n_workers && ok; i++) {
        r->workers[i].confusion = atoll_calloc(cells, sizeof *r->out->confusion);
        ok = r->workers[i].confusion != NULL;
    }
    return ok ? 0 : atoll_fail_nomem(err, "a confusion matrix", cells * sizeof(uint64_t));
}

static uint32_t answer_at(const struct atoll_interp_tensor *t, size_t pixel, uint32_t channels)
{
    if (channels == 1) {
        const double v = atoll_interp_real(t, pixel);
        return v >= 0 && v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
    }
    uint32_t best = 0;
    double score = atoll_interp_real(t, pixel * channels);
    for (uint32_t c = 1; c < channels; c++) {
        const double v = atoll_interp_real(t, pixel * channels + c);
        if (v > score) {
            score = v;
            best = c;
        }
    }
    return best;
}

static int bad_class(const struct atoll__eval_run *r, size_t image, uint32_t truth,
                     struct atoll_err *err)
{
    char name[512];
    return atoll_fail(err, ATOLL_EINPUT, "%s: its mask has class %u (below %u, or 255, expected)",
                      atoll_dataset_image_name(r->q->data, r->q->part, image, name), truth,
                      r->info.n_classes);
}

/* An answer outside the set's classes counts as a wrong pixel of its truth: it goes to the next
 * class, which cannot be the right one. */
static int segment_keep(struct atoll__eval_run *r, struct atoll__eval_worker *w, size_t image,
                        uint32_t label, struct atoll_err *err)
{
    uint32_t n = 0, height = 0, width = 0, channels = 0;
    const struct atoll_interp_tensor *out = atoll_interp_outputs(w->it, &n);
    const uint32_t classes = r->info.n_classes;
    uint64_t equal = 0, counted = 0;
    (void)label;
    if (output_sizes(&out[0], &height, &width, &channels) != 0) {
        return atoll_fail(err, ATOLL_EDEVICE, "%s: its output changed shape", r->q->model->path);
    }
    for (uint32_t y = 0; y < height; y++) {
        const uint32_t my = (uint32_t)((uint64_t)y * w->mask.height / height);
        for (uint32_t x = 0; x < width; x++) {
            const uint32_t mx = (uint32_t)((uint64_t)x * w->mask.width / width);
            const uint32_t truth = w->mask.pixels[(size_t)my * w->mask.width + mx];
            if (truth == IGNORED && classes <= IGNORED) {
                continue;
            }
            if (truth >= classes) {
                return bad_class(r, image, truth, err);
            }
            const uint32_t raw = answer_at(&out[0], (size_t)y * width + x, channels);
            const int64_t shifted = (int64_t)raw - r->info.label_offset;
            const bool known = shifted >= 0 && shifted < classes;
            const uint32_t answer = known ? (uint32_t)shifted : (truth + 1) % classes;
            w->confusion[(size_t)truth * classes + answer]++;
            equal += answer == truth;
            counted++;
        }
    }
    r->shares[image] = counted > 0 ? (double)equal / (double)counted : NAN;
    return 0;
}

/* Percentile bootstrap over images: the pixels of one image are no independent samples. */
static struct atoll_interval bootstrap(const double *v, size_t n, double *means)
{
    struct atoll_interval i = {atoll_mean(v, n), NAN, NAN};
    struct atoll_rng rng;
    atoll_rng_seed(&rng, 1);
    if (n < 6) {
        return i;
    }
    for (int k = 0; k < RESAMPLES; k++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) {
            sum += v[atoll_rng_below(&rng, n)];
        }
        means[k] = sum / (double)n;
    }
    atoll_sort(means, RESAMPLES);
    i.low95 = atoll_quantile(means, RESAMPLES, 0.025);
    i.high95 = atoll_quantile(means, RESAMPLES, 0.975);
    return i;
}

static int segment_sum_up(struct atoll__eval_run *r, struct atoll_err *err)
{
    struct atoll_eval *o = r->out;
    const size_t cells = (size_t)o->n_classes * o->n_classes;
    double *means = atoll_alloc(RESAMPLES * sizeof *means);
    size_t n = 0;
    if (means == NULL) {
        return atoll_fail_nomem(err, "resamples", RESAMPLES * sizeof *means);
    }
    for (unsigned i = 0; i < r->n_workers; i++) {
        for (size_t k = 0; k < cells; k++) {
            o->confusion[k] += r->workers[i].confusion[k];
        }
    }
    for (size_t i = 0; i < r->n; i++) {
        if (!atoll__eval_is_bad(r, i) && !isnan(r->shares[i])) {
            r->shares[n++] = r->shares[i];
        }
    }
    o->pixels = bootstrap(r->shares, n, means);
    o->mean_iou = atoll_mean_iou(o->confusion, o->n_classes, o->iou);
    atoll_free(means);
    return 0;
}

const struct atoll__eval_task atoll__eval_segment = {segment_prepare, segment_keep, segment_sum_up};
