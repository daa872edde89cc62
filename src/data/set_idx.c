/* SPDX-License-Identifier: Apache-2.0 */
/* MNIST and Fashion-MNIST: four IDX files, plain or gzipped, under the two spellings in use. */
#include "data_internal.h"

#include <string.h>
#include <unistd.h>

enum { CLASSES = 10 };

static const char *const digits[CLASSES] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const clothes[CLASSES] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                             "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                             "Bag",         "Ankle boot"};

/* "train-images-idx3-ubyte", "train-images.idx3-ubyte", each with or without ".gz". */
static int find(struct atoll_dataset *d, const char *dir, const char *stem, const char *kind,
                const char **path, struct atoll_err *err)
{
    for (size_t i = 0; i < 4; i++) {
        struct atoll_buf b = {0};
        atoll_buf_printf(&b, "%s/%s%s%s-ubyte%s", dir, stem, i < 2 ? "-" : ".", kind,
                         i % 2 == 0 ? ".gz" : "");
        if (b.failed) {
            atoll_buf_finish(&b);
            return atoll_fail_nomem(err, "a path", strlen(dir));
        }
        const bool there = access(b.data, F_OK) == 0;
        *path = there ? atoll_arena_strndup(&d->arena, b.data, b.size) : NULL;
        atoll_buf_finish(&b);
        if (there) {
            return *path != NULL ? 0 : atoll_fail_nomem(err, "a path", strlen(dir));
        }
    }
    return atoll_fail(err, ATOLL_ENOTFOUND,
                      "%s: no file %s-%s-ubyte (nor with .gz, nor %s.%s-ubyte)", dir, stem, kind,
                      stem, kind);
}

static int open_idx(struct atoll_dataset *d, const char *path, struct atoll_idx *f,
                    struct atoll_err *err)
{
    struct atoll_map map = {0};
    int rc = atoll_map_open(path, &map, err);
    if (rc != 0) {
        return rc;
    }
    rc = atoll_idx_parse(path, map.data, map.size, d->opts.skip_bad, f, err);
    atoll_map_close(&map);
    if (rc == 0 && f->cut_short) {
        (void)atoll_fail(err, ATOLL_EINPUT, "%s: cut short: the first %u are whole", path, f->n);
        rc = atoll__data_bad(d, ATOLL_EINPUT, err);
    }
    return rc;
}

/* Images with labels out of range are bad ones; the rest moves up. */
static int keep_good(struct atoll_dataset *d, struct atoll__data_source *s, const char *label_path,
                     struct atoll_err *err)
{
    const size_t bytes = (size_t)d->info.width * d->info.height;
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->labels[i] >= CLASSES) {
            (void)atoll_fail(err, ATOLL_EINPUT, "%s: image %zu: label %u (below %d expected)",
                             label_path, i, s->labels[i], CLASSES);
            const int rc = atoll__data_bad(d, ATOLL_EINPUT, err);
            if (rc != 0) {
                return rc;
            }
            continue;
        }
        if (kept != i) {
            memmove(s->pixels + kept * bytes, s->pixels + i * bytes, bytes);
            s->labels[kept] = s->labels[i];
        }
        kept++;
    }
    s->n = kept;
    return 0;
}

static int open_pair(struct atoll_dataset *d, const char *dir, const char *stem,
                     struct atoll__data_source *s, struct atoll_err *err)
{
    const char *paths[2] = {NULL, NULL};
    struct atoll_idx images = {0}, labels = {0};
    struct atoll_buf b = {0};
    atoll_buf_printf(&b, "%s-images", stem);
    int rc = b.failed ? atoll_fail_nomem(err, "a path", 0)
                      : find(d, dir, b.data, "idx3", &paths[0], err);
    atoll_buf_finish(&b);
    atoll_buf_printf(&b, "%s-labels", stem);
    rc = rc         ? rc
         : b.failed ? atoll_fail_nomem(err, "a path", 0)
                    : find(d, dir, b.data, "idx1", &paths[1], err);
    atoll_buf_finish(&b);
    rc = rc ? rc : open_idx(d, paths[0], &images, err);
    rc = rc ? rc : open_idx(d, paths[1], &labels, err);
    s->name = paths[0];
    s->pixels = images.bytes;
    s->labels = labels.bytes;
    if (rc != 0) {
        return rc;
    }
    if (labels.rows * labels.columns != 1 ||
        (images.n != labels.n && !images.cut_short && !labels.cut_short)) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: %u labels for %u images", paths[1], labels.n,
                          images.n);
    }
    s->n = images.n < labels.n ? images.n : labels.n;
    if (d->info.width != 0 && (d->info.width != images.columns || d->info.height != images.rows)) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: images of %u x %u, those for training %u x %u",
                          paths[0], images.columns, images.rows, d->info.width, d->info.height);
    }
    d->info.width = images.columns;
    d->info.height = images.rows;
    return keep_good(d, s, paths[1], err);
}

int atoll__data_open_idx(struct atoll_dataset *d, const char *dir, bool fashion,
                         struct atoll_err *err)
{
    /* mean and deviation of the training pixels */
    const float mean = fashion ? 0.2860f * 255 : 0.1307f * 255;
    const float std = fashion ? 0.3530f * 255 : 0.3081f * 255;
    const bool train =
        atoll__data_wants(d, ATOLL_PART_TRAIN) || atoll__data_wants(d, ATOLL_PART_VALIDATION);
    int rc = atoll__data_labels(d, fashion ? clothes : digits, CLASSES, err);
    d->info.channels = 1;
    d->info.preprocess.normalize = true;
    for (size_t c = 0; c < 3; c++) {
        d->info.preprocess.mean[c] = mean;
        d->info.preprocess.std[c] = std;
    }
    if (rc == 0 && train) {
        rc = open_pair(d, dir, "train", &d->sources[0], err);
        rc = rc ? rc : atoll__data_split(d, &d->sources[0], err);
    }
    if (rc == 0 && atoll__data_wants(d, ATOLL_PART_TEST)) {
        rc = open_pair(d, dir, "t10k", &d->sources[1], err);
        atoll__data_whole(d, ATOLL_PART_TEST, &d->sources[1]);
    }
    if (rc == ATOLL_ENOTFOUND && fashion) {
        struct atoll_buf b = {0};
        atoll_buf_puts(&b, err->text);
        rc = atoll_fail(err, ATOLL_ENOTFOUND,
                        "%s; Fashion-MNIST comes with Debian's package dataset-fashion-mnist",
                        b.data != NULL ? b.data : dir);
        atoll_buf_finish(&b);
    }
    return rc;
}
