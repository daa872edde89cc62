/* SPDX-License-Identifier: Apache-2.0 */
/* Images of a data set as the network's input: the same numbers that atoll_interp_put_image gives
 * a float model, so that a trained model is evaluated on what it was trained on. */
#include "train_internal.h"

#include <string.h>

/* With skip_bad: reads every image of a folder once, and lists those that can be read. A set in
 * memory was looked through when it was opened. */
static int leave_out_bad(struct atoll__feed *f, struct atoll_err *err)
{
    for (int part = 0; part < 3 && f->info.skip_bad; part++) {
        const size_t n = f->info.n[part];
        uint32_t label = 0;
        if (n == 0 || atoll_dataset_pixels(f->data, (enum atoll_part)part, 0, &label) != NULL) {
            continue;
        }
        f->good[part] = atoll_alloc(n * sizeof *f->good[part]);
        if (f->good[part] == NULL) {
            return atoll_fail_nomem(err, "a list of images", n * sizeof *f->good[part]);
        }
        f->info.n[part] = 0;
        for (size_t i = 0; i < n; i++) {
            struct atoll_err why = {0};
            const int rc =
                atoll_dataset_read(f->data, (enum atoll_part)part, i, &f->image, &label, &why);
            if (rc == 0) {
                f->good[part][f->info.n[part]++] = i;
            } else if (rc == ATOLL_EINPUT || rc == ATOLL_EUNSUPPORTED) {
                f->n_bad++;
                atoll_log(ATOLL_LOG_WARN, "left out: %s", why.text);
            } else {
                return atoll_fail(err, rc, "%s", why.text);
            }
        }
    }
    return 0;
}

int atoll__feed_init(struct atoll__feed *f, const struct atoll_net *net,
                     const struct atoll_dataset *data, struct atoll_err *err)
{
    *f = (struct atoll__feed){.data = data,
                              .height = net->nodes[0].height,
                              .width = net->nodes[0].width,
                              .channels = net->nodes[0].channels};
    atoll_dataset_info(data, &f->info);
    const struct atoll_dataset_info *info = &f->info;
    const int64_t classes = (int64_t)info->n_classes + info->label_offset;
    if (info->task != ATOLL_TASK_CLASSIFY) {
        return atoll_fail(err, ATOLL_EINPUT, "data %s: task %s (classify expected)", info->name,
                          atoll_task_name(info->task));
    }
    if (info->label_offset < 0 || classes != (int64_t)atoll_net_classes(net)) {
        return atoll_fail(
            err, ATOLL_EINPUT,
            "network %s has %u classes, data %s has %u and a label offset of %d (%lld expected)",
            net->name, atoll_net_classes(net), info->name, info->n_classes, (int)info->label_offset,
            (long long)classes);
    }
    for (uint32_t c = 0; c < (uint32_t)f->channels; c++) {
        float mean = 0, std = 255;
        if (info->preprocess.normalize) {
            atoll_preprocess_norm(&info->preprocess, c, (uint32_t)f->channels, &mean, &std);
        }
        for (int i = 0; i < 256; i++) {
            f->table[c][i] = ((float)i - mean) / std;
        }
    }
    const int rc = leave_out_bad(f, err);
    if (rc != 0) {
        atoll__feed_finish(f);
    }
    return rc;
}

void atoll__feed_finish(struct atoll__feed *f)
{
    atoll_image_finish(&f->image);
    atoll_image_finish(&f->scaled);
    for (int part = 0; part < 3; part++) {
        atoll_free(f->good[part]);
        f->good[part] = NULL;
    }
}

/* Moves the image; what comes in from outside is 0. Uses f->image as the place to copy from. */
static int move_image(struct atoll__feed *f, const struct atoll__augment *a, struct atoll_err *err)
{
    const int32_t h = f->height, w = f->width, n = f->channels;
    const int rc = atoll_image_resize(&f->image, (uint32_t)w, (uint32_t)h, (uint32_t)n, err);
    if (rc != 0) {
        return rc;
    }
    memcpy(f->image.pixels, f->scaled.pixels, (size_t)h * (size_t)w * (size_t)n);
    for (int32_t y = 0; y < h; y++) {
        for (int32_t x = 0; x < w; x++) {
            const int32_t sy = y - a->dy, moved = x - a->dx;
            const int32_t sx = a->flip ? w - 1 - moved : moved;
            const bool inside = sy >= 0 && sy < h && sx >= 0 && sx < w;
            for (int32_t c = 0; c < n; c++) {
                f->scaled.pixels[(y * w + x) * n + c] =
                    inside ? f->image.pixels[(sy * w + sx) * n + c] : 0;
            }
        }
    }
    return 0;
}

static int read_scaled(struct atoll__feed *f, enum atoll_part part, size_t index, uint32_t *label,
                       struct atoll_err *err)
{
    const uint8_t *pixels = atoll_dataset_pixels(f->data, part, index, label);
    const struct atoll_dataset_info *info = &f->info;
    if (pixels == NULL) {
        const int rc = atoll_dataset_read(f->data, part, index, &f->image, label, err);
        return rc ? rc
                  : atoll_preprocess_pixels(&info->preprocess, &f->image, (uint32_t)f->width,
                                            (uint32_t)f->height, (uint32_t)f->channels, &f->scaled,
                                            err);
    }
    int rc = 0;
    if (info->width == (uint32_t)f->width && info->height == (uint32_t)f->height &&
        info->channels == (uint32_t)f->channels && !info->preprocess.bgr &&
        info->preprocess.rule == ATOLL_RESIZE_STRETCH) {
        rc = atoll_image_resize(&f->scaled, info->width, info->height, info->channels, err);
        if (rc == 0) {
            memcpy(f->scaled.pixels, pixels, (size_t)info->width * info->height * info->channels);
        }
        return rc;
    }
    rc = atoll_image_resize(&f->image, info->width, info->height, info->channels, err);
    if (rc != 0) {
        return rc;
    }
    memcpy(f->image.pixels, pixels, (size_t)info->width * info->height * info->channels);
    return atoll_preprocess_pixels(&info->preprocess, &f->image, (uint32_t)f->width,
                                   (uint32_t)f->height, (uint32_t)f->channels, &f->scaled, err);
}

int atoll__feed_image(struct atoll__feed *f, enum atoll_part part, size_t index,
                      const struct atoll__augment *a, float *out, uint32_t *label,
                      struct atoll_err *err)
{
    uint32_t found = 0;
    index = f->good[part] != NULL ? f->good[part][index] : index;
    int rc = read_scaled(f, part, index, &found, err);
    if (rc == 0 && a != NULL && (a->flip || a->dx != 0 || a->dy != 0)) {
        rc = move_image(f, a, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (found >= f->info.n_classes) {
        return atoll_fail(err, ATOLL_EINPUT, "data %s: image %zu has label %u (below %u expected)",
                          f->info.name, index, found, f->info.n_classes);
    }
    *label = found + (uint32_t)f->info.label_offset;
    const size_t plane = (size_t)f->height * (size_t)f->width, n = (size_t)f->channels;
    for (size_t c = 0; c < n; c++) {
        for (size_t i = 0; i < plane; i++) {
            out[c * plane + i] = f->table[c][f->scaled.pixels[i * n + c]];
        }
    }
    return 0;
}

/* Fills the trainer's batch with images first.. (the last one again where the part ends). */
static int fill_batch(struct atoll_trainer *t, struct atoll__feed *f, enum atoll_part part,
                      size_t first, size_t n, uint32_t *labels, struct atoll_err *err)
{
    const size_t size = (size_t)f->height * (size_t)f->width * (size_t)f->channels;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = atoll__feed_image(f, part, first + i, NULL, atoll_trainer_input(t) + i * size,
                               &labels[i], err);
    }
    return rc;
}

int atoll__train_evaluate(struct atoll_trainer *t, struct atoll__feed *f, enum atoll_part part,
                          uint64_t *correct, double *loss, struct atoll_err *err)
{
    const uint32_t batch = atoll__trainer_batch(t);
    const struct atoll_loss_opts plain = {.temperature = 1};
    uint32_t *labels = atoll_calloc(batch, sizeof *labels);
    uint64_t right = 0;
    double sum = 0;
    int rc = labels ? 0 : atoll_fail_nomem(err, "labels", batch * sizeof *labels);
    for (size_t at = 0; at < f->info.n[part] && rc == 0; at += batch) {
        const size_t left = f->info.n[part] - at, n = left < batch ? left : batch;
        uint32_t k = 0;
        rc = fill_batch(t, f, part, at, n, labels, err);
        rc = rc ? rc : atoll_trainer_forward(t, false, err);
        if (rc == 0) {
            sum +=
                (double)n * atoll_loss(atoll_trainer_logits(t), labels, (uint32_t)n,
                                       atoll_net_classes(atoll__trainer_net(t)), &plain, &k, NULL);
            right += k;
        }
    }
    atoll_free(labels);
    if (rc == 0) {
        *correct = right;
        *loss = f->info.n[part] ? sum / (double)f->info.n[part] : 0;
    }
    return rc;
}

void atoll_ranges_finish(struct atoll_ranges *r)
{
    atoll_free(r->low);
    atoll_free(r->high);
    *r = (struct atoll_ranges){0};
}

static int calibrate(struct atoll_trainer *t, struct atoll__feed *f, size_t count,
                     struct atoll_ranges *r, uint32_t *labels, struct atoll_err *err)
{
    const size_t batch = atoll__trainer_batch(t);
    int rc = 0;
    for (size_t at = 0; at < count && rc == 0; at += batch) {
        const size_t n = count - at < batch ? count - at : batch;
        rc = fill_batch(t, f, ATOLL_PART_TRAIN, at, n, labels, err);
        rc = rc ? rc : atoll_trainer_forward(t, false, err);
        for (uint32_t i = 0; i < r->n && rc == 0; i++) {
            float low = 0, high = 0;
            atoll_trainer_range(t, i, &low, &high);
            r->low[i] = low < r->low[i] ? low : r->low[i];
            r->high[i] = high > r->high[i] ? high : r->high[i];
        }
    }
    return rc;
}

int atoll_trainer_calibrate(struct atoll_trainer *t, const struct atoll_dataset *d, size_t count,
                            struct atoll_ranges *r, struct atoll_err *err)
{
    const struct atoll_net *net = atoll__trainer_net(t);
    struct atoll__feed f;
    int rc = atoll__feed_init(&f, net, d, err);
    if (rc != 0) {
        return rc;
    }
    count = count < f.info.n[ATOLL_PART_TRAIN] ? count : f.info.n[ATOLL_PART_TRAIN];
    struct atoll_ranges made = {.n = net->n_nodes};
    made.low = atoll_calloc(made.n, sizeof *made.low);
    made.high = atoll_calloc(made.n, sizeof *made.high);
    uint32_t *labels = atoll_calloc(atoll__trainer_batch(t), sizeof *labels);
    if (count == 0) {
        rc = atoll_fail(err, ATOLL_EINPUT, "data %s: no training images to calibrate with",
                        f.info.name);
    } else if (made.low == NULL || made.high == NULL || labels == NULL) {
        rc = atoll_fail_nomem(err, "ranges", made.n * sizeof *made.low);
    }
    rc = rc ? rc : calibrate(t, &f, count, &made, labels, err);
    /* The input's range is known: that of all pixel values, so that an int8 input is the pixel. */
    for (int32_t c = 0; c < f.channels && rc == 0; c++) {
        made.low[0] = f.table[c][0] < made.low[0] ? f.table[c][0] : made.low[0];
        made.high[0] = f.table[c][255] > made.high[0] ? f.table[c][255] : made.high[0];
    }
    atoll_free(labels);
    atoll__feed_finish(&f);
    if (rc != 0) {
        atoll_ranges_finish(&made);
        return rc;
    }
    *r = made;
    return 0;
}
