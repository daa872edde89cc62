/* SPDX-License-Identifier: Apache-2.0 */
/* A set described in a yaml file: which images, what they show, and how a model wants them.
 * docs/method-accuracy.md lists the keys. Paths are relative to the file. */
#include "data_internal.h"

#include <atoll/yaml.h>

#include <string.h>

struct description {
    const char *set, *images, *list, *masks, *annotations, *labels;
    const char *resize, *filter, *order;
    const struct atoll_yaml *mean, *std;
    int64_t label_offset, short_side;
    double crop_frac, validation_frac, test_frac;
    bool normalize;
};

#define AT(field) offsetof(struct description, field)
static const struct atoll_yaml_field fields[] = {
    {"set", ATOLL_YAML_STRING, AT(set), false, 0, 0},
    {"images", ATOLL_YAML_STRING, AT(images), false, 0, 0},
    {"list", ATOLL_YAML_STRING, AT(list), false, 0, 0},
    {"masks", ATOLL_YAML_STRING, AT(masks), false, 0, 0},
    {"annotations", ATOLL_YAML_STRING, AT(annotations), false, 0, 0},
    {"labels", ATOLL_YAML_STRING, AT(labels), false, 0, 0},
    {"label_offset", ATOLL_YAML_INT, AT(label_offset), false, -1000, 1000},
    {"resize", ATOLL_YAML_STRING, AT(resize), false, 0, 0},
    {"filter", ATOLL_YAML_STRING, AT(filter), false, 0, 0},
    {"short_side", ATOLL_YAML_INT, AT(short_side), false, 1, ATOLL_IMAGE_SIDE_MAX},
    {"crop_frac", ATOLL_YAML_DOUBLE, AT(crop_frac), false, 0.01, 1},
    {"order", ATOLL_YAML_STRING, AT(order), false, 0, 0},
    {"normalize", ATOLL_YAML_BOOL, AT(normalize), false, 0, 0},
    {"mean", ATOLL_YAML_NODE, AT(mean), false, 0, 0},
    {"std", ATOLL_YAML_NODE, AT(std), false, 0, 0},
    {"validation_frac", ATOLL_YAML_DOUBLE, AT(validation_frac), false, 0, 0.9},
    {"test_frac", ATOLL_YAML_DOUBLE, AT(test_frac), false, 0, 0.9},
};

/* The position of a word among `words`; the known ones are listed when it is none of them. */
static int choose(const struct atoll_yaml *root, const char *key, const char *text,
                  const char *const *words, int *out, struct atoll_err *err)
{
    struct atoll_buf known = {0};
    if (text == NULL) {
        return 0;
    }
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return 0;
        }
    }
    for (int i = 0; words[i] != NULL; i++) {
        atoll_buf_printf(&known, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    const int rc = atoll_yaml_fail(atoll_yaml_get(root, key), err, "\"%s\" (%s expected)", text,
                                   known.data != NULL ? known.data : "another word");
    atoll_buf_finish(&known);
    return rc;
}

/* One number, or one for each of red, green, blue. */
static int read_three(const struct atoll_yaml *n, double low, double high, float out[3],
                      struct atoll_err *err)
{
    double v = 0;
    if (n->kind != ATOLL_YAML_LIST) {
        const int rc = atoll_yaml_double(n, low, high, &v, err);
        out[0] = out[1] = out[2] = (float)v;
        return rc;
    }
    if (n->count != 3) {
        return atoll_yaml_fail(n, err, "%zu numbers (one, or three for red, green and blue)",
                               n->count);
    }
    size_t i = 0;
    for (const struct atoll_yaml *c = n->first; c != NULL; c = c->next) {
        const int rc = atoll_yaml_double(c, low, high, &v, err);
        if (rc != 0) {
            return rc;
        }
        out[i++] = (float)v;
    }
    return 0;
}

static int read_preprocess(struct atoll_dataset *d, const struct atoll_yaml *root,
                           const struct description *s, struct atoll_err *err)
{
    static const char *const rules[] = {"stretch", "short", "crop", NULL};
    static const char *const filters[] = {"bilinear", "centre", "area", "nearest", NULL};
    static const char *const orders[] = {"rgb", "bgr", NULL};
    struct atoll_preprocess *p = &d->info.preprocess;
    int rule = (int)p->rule, filter = (int)p->filter, order = p->bgr;
    int rc = choose(root, "resize", s->resize, rules, &rule, err);
    rc = rc ? rc : choose(root, "filter", s->filter, filters, &filter, err);
    rc = rc ? rc : choose(root, "order", s->order, orders, &order, err);
    if (rc != 0) {
        return rc;
    }
    p->rule = (enum atoll_resize_rule)rule;
    p->filter = (enum atoll_resize_filter)filter;
    p->bgr = order == 1;
    p->crop_frac = s->crop_frac;
    p->short_side = (uint32_t)s->short_side;
    if (p->rule == ATOLL_RESIZE_SHORT && s->short_side == 0) {
        return atoll_yaml_fail(atoll_yaml_get(root, "resize"), err,
                               "short: the key short_side is missing");
    }
    const bool given = s->mean != NULL || s->std != NULL;
    if (given && (s->mean == NULL || s->std == NULL)) {
        return atoll_yaml_fail(s->mean != NULL ? s->mean : s->std, err, "mean and std go together");
    }
    if (given) {
        rc = read_three(s->mean, 0, 255, p->mean, err);
        rc = rc ? rc : read_three(s->std, 1e-6, 1e6, p->std, err);
    }
    const bool said = atoll_yaml_get(root, "normalize") != NULL;
    p->normalize = said ? s->normalize : p->normalize || given;
    return rc;
}

static int read_labels(struct atoll_dataset *d, const struct atoll_yaml *root, const char *path,
                       struct atoll_err *err)
{
    const char **names = NULL;
    uint32_t n = 0;
    const int rc = atoll_labels_open(path, &d->arena, &names, &n, err);
    if (rc != 0) {
        return rc;
    }
    if (d->info.n_classes > n) {
        return atoll_yaml_fail(atoll_yaml_get(root, "labels"), err,
                               "%s has %u names, the set %u classes", path, n, d->info.n_classes);
    }
    d->labels = names;
    d->info.n_classes = n;
    return 0;
}

static const char *beside(struct atoll_dataset *d, const char *dir, const char *path, bool *ok)
{
    const char *joined = path != NULL ? atoll__data_join(d, dir, path) : NULL;
    *ok = *ok && (path == NULL || joined != NULL);
    return joined;
}

/* Which kind of set the keys describe. */
static int open_images(struct atoll_dataset *d, const struct atoll_yaml *root,
                       const struct description *s, const char *dir, struct atoll_err *err)
{
    const int kinds = (s->list != NULL) + (s->masks != NULL) + (s->annotations != NULL);
    bool ok = true;
    const char *images = beside(d, dir, s->images, &ok);
    const char *list = beside(d, dir, s->list, &ok);
    const char *masks = beside(d, dir, s->masks, &ok);
    const char *annotations = beside(d, dir, s->annotations, &ok);
    if (!ok) {
        return atoll_fail_nomem(err, "a path", 0);
    }
    if ((s->set != NULL) == (s->images != NULL) || (s->set != NULL && kinds > 0)) {
        return atoll_yaml_fail(root, err,
                               "either set, or images (a directory) with one of list, masks and "
                               "annotations, expected");
    }
    if (s->set != NULL) {
        return atoll__data_open_named(d, s->set, dir, err);
    }
    if (kinds > 1) {
        return atoll_yaml_fail(root, err, "only one of list, masks and annotations expected");
    }
    if (list != NULL) {
        return atoll__data_open_list(d, images, list, err);
    }
    if (masks != NULL) {
        return atoll__data_open_masks(d, images, masks, err);
    }
    if (annotations != NULL) {
        return atoll__data_open_boxes(d, images, annotations, err);
    }
    return atoll__data_open_folder(d, images, err);
}

static int read_description(struct atoll_dataset *d, const struct atoll_yaml *root, const char *dir,
                            struct atoll_err *err)
{
    struct description s = {.crop_frac = 1, .validation_frac = 0.05, .test_frac = -1};
    int rc = atoll_yaml_read(root, fields, sizeof fields / sizeof fields[0], &s, err);
    if (rc != 0) {
        return rc;
    }
    if (d->opts.validation_frac < 0) {
        d->opts.validation_frac = s.validation_frac;
    }
    d->test_frac = s.test_frac;
    if (s.annotations != NULL) {
        d->info.label_offset = -1; /* COCO counts from 1, models from 0 */
    }
    if (atoll_yaml_get(root, "label_offset") != NULL) {
        d->info.label_offset = (int32_t)s.label_offset;
    }
    rc = open_images(d, root, &s, dir, err);
    if (rc == 0 && s.labels != NULL) {
        bool ok = true;
        const char *path = beside(d, dir, s.labels, &ok);
        rc = ok ? read_labels(d, root, path, err) : atoll_fail_nomem(err, "a path", 0);
    }
    if (rc == 0 && d->info.n_classes == 0) {
        return atoll_yaml_fail(root, err, "the key labels is missing: it says how many classes");
    }
    return rc ? rc : read_preprocess(d, root, &s, err);
}

int atoll__data_open_node(struct atoll_dataset *d, const struct atoll_yaml *node, const char *dir,
                          struct atoll_err *err)
{
    const int rc = atoll_yaml_expect(node, ATOLL_YAML_MAP, err);
    return rc ? rc : read_description(d, node, dir, err);
}

int atoll__data_open_yaml(struct atoll_dataset *d, const char *path, struct atoll_err *err)
{
    struct atoll_yaml_doc *doc = NULL;
    int rc = atoll_yaml_open(path, &doc, err);
    if (rc != 0) {
        return rc;
    }
    const char *slash = strrchr(path, '/');
    const char *dir =
        slash == NULL
            ? atoll_arena_strndup(&d->arena, "", 0)
            : atoll_arena_strndup(&d->arena, path, slash == path ? 1 : (size_t)(slash - path));
    rc = dir == NULL ? atoll_fail_nomem(err, "a path", strlen(path))
                     : atoll__data_open_node(d, atoll_yaml_root(doc), dir, err);
    atoll_yaml_close(&doc);
    return rc;
}
