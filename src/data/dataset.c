/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of images: opening by name, parts that do not overlap, reading. */
#include "data_internal.h"

#include <string.h>

const char *atoll_part_name(enum atoll_part p)
{
    static const char *const names[] = {"train", "validation", "test"};
    return (unsigned)p < 3 ? names[p] : "?";
}

const char *atoll_task_name(enum atoll_task t)
{
    static const char *const names[] = {"classify", "segment", "detect"};
    return (unsigned)t < 3 ? names[t] : "?";
}

struct atoll_data_opts atoll_data_opts_default(void)
{
    return (struct atoll_data_opts){.validation_frac = -1, .seed = 1};
}

/* ------------------------------------------------------------- for openers */

bool atoll__data_wants(const struct atoll_dataset *d, enum atoll_part part)
{
    return d->opts.parts == 0 || (d->opts.parts & 1u << part) != 0;
}

void atoll__data_whole(struct atoll_dataset *d, enum atoll_part part,
                       const struct atoll__data_source *source)
{
    if (atoll__data_wants(d, part)) {
        d->parts[part] = (struct atoll__data_part){source, NULL, source->n};
    }
}

/* A seeded shuffle; its head is validation, and each part is then put back into file order. */
int atoll__data_split(struct atoll_dataset *d, const struct atoll__data_source *source,
                      struct atoll_err *err)
{
    const size_t n = source->n;
    uint8_t *is_validation = atoll_arena_array(&d->arena, n, 1);
    uint32_t *order = atoll_alloc(n * sizeof *order);
    uint32_t *index = atoll_arena_array(&d->arena, n, sizeof *index);
    if (is_validation == NULL || order == NULL || index == NULL) {
        atoll_free(order);
        return atoll_fail_nomem(err, "the parts of a set", n);
    }
    struct atoll_rng rng;
    atoll_rng_seed(&rng, atoll_seed_mix(d->opts.seed, 0x5b117));
    for (size_t i = 0; i < n; i++) {
        order[i] = (uint32_t)i;
    }
    atoll_rng_shuffle(&rng, order, n);
    const size_t n_validation = (size_t)((double)n * d->opts.validation_frac + 0.5);
    for (size_t i = 0; i < n_validation; i++) {
        is_validation[order[i]] = 1;
    }
    atoll_free(order);
    size_t at[2] = {n_validation, 0}; /* validation first in `index`, then train */
    for (size_t i = 0; i < n; i++) {
        index[at[is_validation[i]]++] = (uint32_t)i;
    }
    if (atoll__data_wants(d, ATOLL_PART_VALIDATION)) {
        d->parts[ATOLL_PART_VALIDATION] = (struct atoll__data_part){source, index, n_validation};
    }
    if (atoll__data_wants(d, ATOLL_PART_TRAIN)) {
        d->parts[ATOLL_PART_TRAIN] =
            (struct atoll__data_part){source, index + n_validation, n - n_validation};
    }
    return 0;
}

int atoll__data_bad(struct atoll_dataset *d, int code, struct atoll_err *err)
{
    if (!d->opts.skip_bad || (code != ATOLL_EINPUT && code != ATOLL_EUNSUPPORTED)) {
        return code;
    }
    if (d->info.n_bad++ == 0) {
        d->info.bad_first = atoll_arena_strndup(&d->arena, err->text, strlen(err->text));
        if (d->info.bad_first == NULL) {
            return atoll_fail_nomem(err, "a sentence", strlen(err->text));
        }
    }
    atoll_log(ATOLL_LOG_WARN, "left out: %s", err->text);
    return 0;
}

int atoll__data_labels(struct atoll_dataset *d, const char *const *names, uint32_t n,
                       struct atoll_err *err)
{
    d->labels = atoll_arena_array(&d->arena, n, sizeof *d->labels);
    if (d->labels == NULL) {
        return atoll_fail_nomem(err, "labels", n * sizeof *d->labels);
    }
    for (uint32_t i = 0; i < n; i++) {
        d->labels[i] = names != NULL ? names[i] : "";
    }
    d->info.n_classes = n;
    return 0;
}

const char *atoll__data_join(struct atoll_dataset *d, const char *dir, const char *relative)
{
    if (dir == NULL || dir[0] == '\0' || relative[0] == '/') {
        return atoll_arena_strndup(&d->arena, relative, strlen(relative));
    }
    return atoll_arena_printf(&d->arena, "%s/%s", dir, relative);
}

/* ----------------------------------------------------------------- by name */

static int unknown(const char *set, struct atoll_err *err)
{
    return atoll_fail(err, ATOLL_EUSAGE,
                      "%s: no such data set (known: generated, fashion_mnist, mnist:DIR, "
                      "cifar10:DIR, cifar100:DIR, folder:DIR, or a yaml file)",
                      set);
}

int atoll__data_open_named(struct atoll_dataset *d, const char *set, const char *base,
                           struct atoll_err *err)
{
    if (strcmp(set, "generated") == 0) {
        return atoll__data_open_generated(d, err);
    }
    if (strcmp(set, "fashion_mnist") == 0) {
        return atoll__data_open_idx(d, "/usr/share/datasets/fashion-mnist", true, err);
    }
    const char *colon = strchr(set, ':');
    if (colon == NULL || colon[1] == '\0') {
        return unknown(set, err);
    }
    const size_t n = (size_t)(colon - set);
    const char *dir = atoll__data_join(d, base, colon + 1);
    if (dir == NULL) {
        return atoll_fail_nomem(err, "a path", strlen(set));
    }
    if (n == 5 && strncmp(set, "mnist", n) == 0) {
        return atoll__data_open_idx(d, dir, false, err);
    }
    if (n == 13 && strncmp(set, "fashion_mnist", n) == 0) {
        return atoll__data_open_idx(d, dir, true, err);
    }
    if (n == 7 && strncmp(set, "cifar10", n) == 0) {
        return atoll__data_open_cifar(d, dir, false, err);
    }
    if (n == 8 && strncmp(set, "cifar100", n) == 0) {
        return atoll__data_open_cifar(d, dir, true, err);
    }
    if (n == 6 && strncmp(set, "folder", n) == 0) {
        return atoll__data_open_folder(d, dir, err);
    }
    return unknown(set, err);
}

static bool is_yaml(const char *set)
{
    const char *dot = strrchr(set, '.');
    return dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int open_set(struct atoll_dataset *d, const char *set, struct atoll_err *err)
{
    d->info.name = atoll_arena_strndup(&d->arena, set, strlen(set));
    if (d->info.name == NULL) {
        return atoll_fail_nomem(err, "a name", strlen(set));
    }
    if (is_yaml(set)) {
        const char *path = atoll__data_join(d, d->opts.base_dir, set);
        return path != NULL ? atoll__data_open_yaml(d, path, err)
                            : atoll_fail_nomem(err, "a path", strlen(set));
    }
    return atoll__data_open_named(d, set, d->opts.base_dir, err);
}

/* The map of another yaml file, called by its keys. */
static int open_map(struct atoll_dataset *d, const struct atoll_yaml *map, struct atoll_err *err)
{
    struct atoll_buf name = {0};
    atoll_yaml_flow(map, &name);
    d->info.name = name.failed ? NULL : atoll_arena_strndup(&d->arena, name.data, name.size);
    atoll_buf_finish(&name);
    return d->info.name != NULL ? atoll__data_open_node(d, map, d->opts.base_dir, err)
                                : atoll_fail_nomem(err, "a name", 0);
}

/* By name, or by the keys of a map. */
static int open_either(const char *set, const struct atoll_yaml *map,
                       const struct atoll_data_opts *o, struct atoll_dataset **out,
                       struct atoll_err *err)
{
    struct atoll_err spare = {0};
    struct atoll_dataset *d = atoll_calloc(1, sizeof *d);
    err = err != NULL ? err : &spare;
    if (d == NULL) {
        return atoll_fail_nomem(err, "a data set", sizeof *d);
    }
    atoll_arena_init(&d->arena);
    d->opts = o != NULL ? *o : atoll_data_opts_default();
    d->info.preprocess = atoll_preprocess_default();
    d->info.bad_first = "";
    d->info.skip_bad = d->opts.skip_bad;
    d->test_frac = -1;
    int rc = 0;
    if (d->opts.validation_frac > 0.9) {
        rc = atoll_fail(err, ATOLL_EUSAGE, "a share of %g for validation (0 to 0.9 expected)",
                        d->opts.validation_frac);
    } else if (!(d->opts.validation_frac >= 0)) {
        /* the yaml may say otherwise */
        d->opts.validation_frac = map != NULL || is_yaml(set) ? -1 : 0.05;
    }
    rc = rc ? rc : map != NULL ? open_map(d, map, err) : open_set(d, set, err);
    if (rc != 0) {
        atoll_dataset_close(&d);
        return rc;
    }
    for (size_t i = 0; i < 3; i++) {
        d->info.n[i] = d->parts[i].n;
    }
    d->info.labels = d->labels;
    *out = d;
    return 0;
}

int atoll_dataset_open(const char *set, const struct atoll_data_opts *o, struct atoll_dataset **out,
                       struct atoll_err *err)
{
    return open_either(set, NULL, o, out, err);
}

int atoll_dataset_open_node(const struct atoll_yaml *node, const struct atoll_data_opts *o,
                            struct atoll_dataset **out, struct atoll_err *err)
{
    const char *set = NULL;
    if (node->kind == ATOLL_YAML_MAP) {
        return open_either(NULL, node, o, out, err);
    }
    const int rc = atoll_yaml_string(node, &set, err);
    return rc ? rc : open_either(set, NULL, o, out, err);
}

void atoll_dataset_close(struct atoll_dataset **d)
{
    if (d == NULL || *d == NULL) {
        return;
    }
    for (size_t i = 0; i < ATOLL__DATA_SOURCES_MAX; i++) {
        atoll_free((*d)->sources[i].pixels);
        atoll_free((*d)->sources[i].labels);
    }
    atoll_arena_finish(&(*d)->arena);
    atoll_free(*d);
    *d = NULL;
}

void atoll_dataset_info(const struct atoll_dataset *d, struct atoll_dataset_info *out)
{
    *out = d->info;
}

/* ------------------------------------------------------------------ reading */

/* The source and number of an image; NULL: out of range. */
static const struct atoll__data_source *locate(const struct atoll_dataset *d, enum atoll_part part,
                                               size_t index, size_t *number)
{
    if ((unsigned)part >= 3 || index >= d->parts[part].n) {
        return NULL;
    }
    const struct atoll__data_part *p = &d->parts[part];
    *number = p->index != NULL ? p->index[index] : index;
    return p->source;
}

const uint8_t *atoll_dataset_pixels(const struct atoll_dataset *d, enum atoll_part part,
                                    size_t index, uint32_t *label)
{
    size_t number = 0;
    const struct atoll__data_source *s = locate(d, part, index, &number);
    if (s == NULL || s->pixels == NULL) {
        return NULL;
    }
    *label = s->labels[number];
    return s->pixels + number * d->info.width * d->info.height * d->info.channels;
}

const char *atoll_dataset_image_name(const struct atoll_dataset *d, enum atoll_part part,
                                     size_t index, char buf[512])
{
    size_t number = 0;
    const struct atoll__data_source *s = locate(d, part, index, &number);
    if (s == NULL) {
        (void)snprintf(buf, 512, "image %zu of part %s", index, atoll_part_name(part));
    } else if (s->files != NULL) {
        (void)snprintf(buf, 512, "%s", s->files[number].path);
    } else {
        (void)snprintf(buf, 512, "%.400s image %zu", s->name, number);
    }
    return buf;
}

static int out_of_range(const struct atoll_dataset *d, enum atoll_part part, size_t index,
                        struct atoll_err *err)
{
    return atoll_fail(err, ATOLL_EUSAGE, "%s: image %zu of part %s (below %zu expected)",
                      d->info.name, index, atoll_part_name(part),
                      (unsigned)part < 3 ? d->parts[part].n : 0);
}

int atoll_dataset_read(const struct atoll_dataset *d, enum atoll_part part, size_t index,
                       struct atoll_image *image, uint32_t *label, struct atoll_err *err)
{
    size_t number = 0;
    const struct atoll__data_source *s = locate(d, part, index, &number);
    if (s == NULL) {
        return out_of_range(d, part, index, err);
    }
    if (s->files != NULL) {
        *label = s->files[number].label;
        return atoll_image_open(s->files[number].path, image, err);
    }
    const int rc = atoll_image_resize(image, d->info.width, d->info.height, d->info.channels, err);
    if (rc == 0) {
        const size_t bytes = (size_t)d->info.width * d->info.height * d->info.channels;
        memcpy(image->pixels, atoll_dataset_pixels(d, part, index, label), bytes);
    }
    return rc;
}

int atoll_dataset_mask(const struct atoll_dataset *d, enum atoll_part part, size_t index,
                       struct atoll_image *mask, struct atoll_err *err)
{
    size_t number = 0;
    const struct atoll__data_source *s = locate(d, part, index, &number);
    if (s == NULL) {
        return out_of_range(d, part, index, err);
    }
    if (s->files == NULL || s->files[number].mask == NULL) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: the set has no masks", d->info.name);
    }
    return atoll_mask_open(s->files[number].mask, mask, err);
}

const struct atoll_box *atoll_dataset_boxes(const struct atoll_dataset *d, enum atoll_part part,
                                            size_t index, size_t *n)
{
    size_t number = 0;
    const struct atoll__data_source *s = locate(d, part, index, &number);
    *n = s != NULL && s->files != NULL ? s->files[number].n_boxes : 0;
    return *n > 0 ? s->files[number].boxes : NULL;
}
