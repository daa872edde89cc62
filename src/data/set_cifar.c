/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR-10 and CIFAR-100 in their binary form: data_batch_1..5.bin and test_batch.bin, or train.bin
 * and test.bin; names of classes in a text file beside them. */
#include "data_internal.h"

#include <string.h>
#include <unistd.h>

enum { SIDE = 32 };

static int open_file(struct atoll_dataset *d, const char *dir, const char *file, bool fine,
                     struct atoll_cifar *out, struct atoll_err *err)
{
    const char *path = atoll__data_join(d, dir, file);
    struct atoll_map map = {0};
    if (path == NULL) {
        return atoll_fail_nomem(err, "a path", strlen(dir));
    }
    int rc = atoll_map_open(path, &map, err);
    if (rc != 0) {
        return rc;
    }
    const uint32_t label_bytes = fine ? 2 : 1;
    const size_t record = (size_t)SIDE * SIDE * 3 + label_bytes;
    const size_t before = out->n;
    rc = atoll_cifar_parse(path, map.data, map.size, label_bytes, fine ? 100 : 10, d->opts.skip_bad,
                           out, err);
    const size_t records = map.size / record;
    const bool tail = map.size % record != 0;
    atoll_map_close(&map);
    if (rc == 0 && (tail || out->n - before != records)) {
        (void)atoll_fail(err, ATOLL_EINPUT, "%s: %zu of %zu images have a bad label%s", path,
                         records - (out->n - before), records,
                         tail ? "; the last one is cut short" : "");
        rc = atoll__data_bad(d, ATOLL_EINPUT, err);
    }
    return rc;
}

static int open_files(struct atoll_dataset *d, const char *dir, const char *const *files, size_t n,
                      bool fine, struct atoll__data_source *s, struct atoll_err *err)
{
    struct atoll_cifar all = {0};
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = open_file(d, dir, files[i], fine, &all, err);
    }
    s->name = atoll__data_join(d, dir, files[0]);
    s->pixels = all.pixels;
    s->labels = all.labels;
    s->n = all.n;
    return rc != 0 || s->name != NULL ? rc : atoll_fail_nomem(err, "a path", strlen(dir));
}

static int open_labels(struct atoll_dataset *d, const char *dir, bool fine, struct atoll_err *err)
{
    const uint32_t n = fine ? 100 : 10;
    const char *path = atoll__data_join(d, dir, fine ? "fine_label_names.txt" : "batches.meta.txt");
    const char **names = NULL;
    uint32_t found = 0;
    if (path == NULL) {
        return atoll_fail_nomem(err, "a path", strlen(dir));
    }
    if (access(path, F_OK) != 0) {
        return atoll__data_labels(d, NULL, n, err);
    }
    const int rc = atoll_labels_open(path, &d->arena, &names, &found, err);
    if (rc == 0 && found != n) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: %u names (%u expected)", path, found, n);
    }
    return rc ? rc : atoll__data_labels(d, names, n, err);
}

int atoll__data_open_cifar(struct atoll_dataset *d, const char *dir, bool fine,
                           struct atoll_err *err)
{
    static const char *const train10[] = {"data_batch_1.bin", "data_batch_2.bin",
                                          "data_batch_3.bin", "data_batch_4.bin",
                                          "data_batch_5.bin"};
    static const char *const train100[] = {"train.bin"};
    static const char *const test10[] = {"test_batch.bin"};
    static const char *const test100[] = {"test.bin"};
    /* mean and deviation of the training pixels, red, green, blue */
    static const float mean[2][3] = {{125.3f, 123.0f, 113.9f}, {129.3f, 124.1f, 112.4f}};
    static const float std[2][3] = {{63.0f, 62.1f, 66.7f}, {68.2f, 65.4f, 70.4f}};
    /* the archives unpack into a directory of their own */
    const char *inner =
        atoll__data_join(d, dir, fine ? "cifar-100-binary" : "cifar-10-batches-bin");
    if (inner == NULL) {
        return atoll_fail_nomem(err, "a path", strlen(dir));
    }
    dir = access(inner, F_OK) == 0 ? inner : dir;
    const bool train =
        atoll__data_wants(d, ATOLL_PART_TRAIN) || atoll__data_wants(d, ATOLL_PART_VALIDATION);
    int rc = open_labels(d, dir, fine, err);
    d->info.width = d->info.height = SIDE;
    d->info.channels = 3;
    d->info.preprocess.normalize = true;
    memcpy(d->info.preprocess.mean, mean[fine], sizeof mean[fine]);
    memcpy(d->info.preprocess.std, std[fine], sizeof std[fine]);
    if (rc == 0 && train) {
        rc = open_files(d, dir, fine ? train100 : train10, fine ? 1 : 5, fine, &d->sources[0], err);
        rc = rc ? rc : atoll__data_split(d, &d->sources[0], err);
    }
    if (rc == 0 && atoll__data_wants(d, ATOLL_PART_TEST)) {
        rc = open_files(d, dir, fine ? test100 : test10, 1, fine, &d->sources[1], err);
        atoll__data_whole(d, ATOLL_PART_TEST, &d->sources[1]);
    }
    return rc;
}
