/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR's binary batches: records of 1 label (CIFAR-10) or 2 (CIFAR-100: coarse, fine), then 1024
 * bytes each of red, green and blue (A. Krizhevsky, cs.toronto.edu/~kriz/cifar.html). */
#include "data_internal.h"

enum { PLANE = 1024, PIXELS = 3 * PLANE, RECORDS_MAX = 1000000 };

static int add_record(const char *name, const uint8_t *record, uint32_t label_bytes,
                      uint32_t n_classes, size_t number, struct atoll_cifar *out,
                      struct atoll_err *err)
{
    const uint8_t label = record[label_bytes - 1];
    if (label >= n_classes) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: image %zu: label %u (below %u expected)", name,
                          number, label, n_classes);
    }
    uint8_t *to = out->pixels + out->n * PIXELS;
    const uint8_t *from = record + label_bytes;
    for (size_t i = 0; i < PLANE; i++) {
        to[3 * i] = from[i];
        to[3 * i + 1] = from[PLANE + i];
        to[3 * i + 2] = from[2 * PLANE + i];
    }
    out->labels[out->n++] = label;
    return 0;
}

int atoll_cifar_parse(const char *name, const void *bytes, size_t n, uint32_t label_bytes,
                      uint32_t n_classes, bool allow_short, struct atoll_cifar *out,
                      struct atoll_err *err)
{
    const size_t record = (size_t)label_bytes + PIXELS;
    const size_t count = n / record;
    if (label_bytes < 1 || label_bytes > 2) {
        return atoll_fail(err, ATOLL_EUSAGE, "%u labels a record (1 or 2 expected)", label_bytes);
    }
    if (n == 0 || (n % record != 0 && !allow_short)) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: %zu bytes (a multiple of %zu, the size of a record, expected)", name,
                          n, record);
    }
    if (count > RECORDS_MAX - out->n) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: %zu images (at most %d expected)", name, count,
                          RECORDS_MAX);
    }
    if (atoll_grow((void **)&out->pixels, &out->cap_pixels, out->n + count, PIXELS) != 0 ||
        atoll_grow((void **)&out->labels, &out->cap_labels, out->n + count, 1) != 0) {
        return atoll_fail_nomem(err, "images", count * PIXELS);
    }
    int rc = 0;
    const size_t before = out->n;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = add_record(name, (const uint8_t *)bytes + i * record, label_bytes, n_classes, i, out,
                        err);
        if (rc != 0 && allow_short) { /* the caller counts what is missing */
            rc = 0;
        }
    }
    if (rc != 0) {
        out->n = before;
    }
    return rc;
}
