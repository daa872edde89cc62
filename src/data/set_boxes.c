/* SPDX-License-Identifier: Apache-2.0 */
/* Detection: images and boxes of a COCO annotation file (instances_*.json): "images" with id and
 * file_name, "annotations" with image_id, category_id, bbox [x, y, width, height], iscrowd,
 * "categories" with id and name. A label is a category's id. */
#include "data_internal.h"

#include <atoll/json.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CATEGORY_MAX = 10000, IMAGES_MAX = 5000000 };

struct reading {
    struct atoll_dataset *d;
    const char *path;
    struct image_id {
        json_int_t id;
        size_t number;
    } * ids; /* ascending by id */
    size_t n;
    struct atoll_err *err;
};

static int bad(const struct reading *r, const char *list, size_t i, const char *expected)
{
    return atoll_fail(r->err, ATOLL_EINPUT, "%s: %s[%zu]: %s expected", r->path, list, i, expected);
}

static int by_id(const void *a, const void *b)
{
    const json_int_t x = ((const struct image_id *)a)->id, y = ((const struct image_id *)b)->id;
    return x < y ? -1 : x > y;
}

static int read_categories(struct reading *r, const json_t *list)
{
    uint32_t n = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_int_t id = json_integer_value(json_object_get(json_array_get(list, i), "id"));
        if (!json_is_integer(json_object_get(json_array_get(list, i), "id")) || id < 0 ||
            id >= CATEGORY_MAX) {
            return bad(r, "categories", i, "an id from 0 to 9999");
        }
        n = (uint32_t)id + 1 > n ? (uint32_t)id + 1 : n;
    }
    if (n == 0) {
        return atoll_fail(r->err, ATOLL_EINPUT, "%s: no categories (a list with ids expected)", r->path);
    }
    int rc = atoll__data_labels(r->d, NULL, n, r->err);
    for (size_t i = 0; i < json_array_size(list) && rc == 0; i++) {
        const json_t *c = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(c, "name"));
        name = name != NULL ? name : "";
        const char **to = &r->d->labels[json_integer_value(json_object_get(c, "id"))];
        *to = atoll_arena_strndup(&r->d->arena, name, strlen(name));
        rc = *to != NULL ? 0 : atoll_fail_nomem(r->err, "a label", strlen(name));
    }
    return rc;
}

static int read_images(struct reading *r, const char *dir, const json_t *list,
                       struct atoll__data_source *s)
{
    r->n = json_array_size(list);
    if (r->n == 0 || r->n > IMAGES_MAX) {
        return atoll_fail(r->err, ATOLL_EINPUT, "%s: %zu images (1 to %d expected)", r->path, r->n,
                          IMAGES_MAX);
    }
    s->name = r->path;
    s->files = atoll_arena_array(&r->d->arena, r->n, sizeof *s->files);
    r->ids = atoll_arena_array(&r->d->arena, r->n, sizeof *r->ids);
    if (s->files == NULL || r->ids == NULL) {
        return atoll_fail_nomem(r->err, "a list of images", r->n);
    }
    s->n = r->n;
    for (size_t i = 0; i < r->n; i++) {
        const json_t *image = json_array_get(list, i);
        const json_t *id = json_object_get(image, "id");
        const char *file = json_string_value(json_object_get(image, "file_name"));
        if (!json_is_integer(id) || file == NULL) {
            return bad(r, "images", i, "an id and a file_name");
        }
        r->ids[i] = (struct image_id){json_integer_value(id), i};
        s->files[i].path = atoll__data_join(r->d, dir, file);
        if (s->files[i].path == NULL) {
            return atoll_fail_nomem(r->err, "a path", strlen(file));
        }
    }
    qsort(r->ids, r->n, sizeof *r->ids, by_id);
    return 0;
}

static int read_box(const struct reading *r, const json_t *a, size_t i, size_t *image,
                    struct atoll_box *box)
{
    const json_t *b = json_object_get(a, "bbox"), *category = json_object_get(a, "category_id");
    const json_t *id = json_object_get(a, "image_id");
    const json_int_t label = json_integer_value(category);
    double v[4] = {0};
    if (!json_is_integer(id) || !json_is_integer(category) || json_array_size(b) != 4) {
        return bad(r, "annotations", i, "an image_id, a category_id and a bbox of four numbers");
    }
    for (size_t k = 0; k < 4; k++) {
        v[k] = json_number_value(json_array_get(b, k));
        if (!json_is_number(json_array_get(b, k)) || !(fabs(v[k]) <= 1e6) || (k >= 2 && v[k] < 0)) {
            return bad(r, "annotations", i, "bbox in pixels, with a size that is not negative");
        }
    }
    if (label < 0 || label >= (json_int_t)r->d->info.n_classes) {
        return bad(r, "annotations", i, "a category_id that is among the categories");
    }
    const struct image_id key = {json_integer_value(id), 0};
    const struct image_id *found = bsearch(&key, r->ids, r->n, sizeof *r->ids, by_id);
    if (found == NULL) {
        return bad(r, "annotations", i, "an image_id that is among the images");
    }
    const json_t *crowd = json_object_get(a, "iscrowd");
    *image = found->number;
    *box = (struct atoll_box){.y0 = (float)v[1],
                              .x0 = (float)v[0],
                              .y1 = (float)(v[1] + v[3]),
                              .x1 = (float)(v[0] + v[2]),
                              .label = (uint32_t)label,
                              .crowd = json_integer_value(crowd) == 1 || json_is_true(crowd)};
    return 0;
}

/* Twice over the annotations: count, then fill. */
static int read_boxes(const struct reading *r, const json_t *list, struct atoll__data_source *s)
{
    struct atoll_box box;
    size_t image = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const int rc = read_box(r, json_array_get(list, i), i, &image, &box);
        if (rc != 0) {
            return rc;
        }
        s->files[image].n_boxes++;
    }
    for (size_t i = 0; i < s->n; i++) {
        struct atoll__data_file *f = &s->files[i];
        f->boxes = atoll_arena_array(&r->d->arena, f->n_boxes + 1, sizeof *f->boxes);
        if (f->boxes == NULL) {
            return atoll_fail_nomem(r->err, "boxes", f->n_boxes);
        }
        f->n_boxes = 0;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        (void)read_box(r, json_array_get(list, i), i, &image, &box);
        s->files[image].boxes[s->files[image].n_boxes++] = box;
    }
    return 0;
}

int atoll__data_open_boxes(struct atoll_dataset *d, const char *dir, const char *annotations,
                           struct atoll_err *err)
{
    json_t *root = NULL;
    struct reading r = {.d = d, .path = annotations, .err = err};
    int rc = atoll_json_open(annotations, &root, err);
    if (rc != 0) {
        return rc;
    }
    struct atoll__data_source *s = &d->sources[1];
    rc = read_categories(&r, json_object_get(root, "categories"));
    rc = rc ? rc : read_images(&r, dir, json_object_get(root, "images"), s);
    rc = rc ? rc : read_boxes(&r, json_object_get(root, "annotations"), s);
    json_decref(root);
    d->info.task = ATOLL_TASK_DETECT;
    atoll__data_whole(d, ATOLL_PART_TEST, s);
    return rc;
}
