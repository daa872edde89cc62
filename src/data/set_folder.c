/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of images: one directory a class (in alphabetical order), perhaps below train/, val/ and
 * test/; or a list of files with labels; or images with masks of the same name. Images are decoded
 * when they are read. */
#include "data_internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 20000000u

struct names {
    char **v;
    size_t n, cap;
};

/* A growing list of files; the finished one moves into the arena. */
struct files {
    struct atoll__data_file *v;
    size_t n, cap;
};

static void names_finish(struct names *s)
{
    for (size_t i = 0; i < s->n; i++) {
        atoll_free(s->v[i]);
    }
    atoll_free(s->v);
    *s = (struct names){0};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Entries of a directory, directories or plain files, in alphabetical order; hidden ones not. */
static int list_directory(const char *dir, bool want_directories, struct names *out,
                          struct atoll_err *err)
{
    DIR *handle = opendir(dir);
    int rc = 0;
    if (handle == NULL) {
        return atoll_fail(err, ATOLL_ENOTFOUND, "%s: no directory that can be read", dir);
    }
    for (struct dirent *e = readdir(handle); e != NULL && rc == 0; e = readdir(handle)) {
        struct atoll_buf path = {0};
        struct stat s;
        if (e->d_name[0] == '.') {
            continue;
        }
        atoll_buf_printf(&path, "%s/%s", dir, e->d_name);
        const bool known = !path.failed && stat(path.data, &s) == 0;
        const bool wanted = known && (want_directories ? S_ISDIR(s.st_mode) : S_ISREG(s.st_mode));
        char *name = wanted ? atoll_strdup(e->d_name) : NULL;
        if (path.failed || (wanted && name == NULL) ||
            (wanted && atoll_grow((void **)&out->v, &out->cap, out->n + 1, sizeof *out->v) != 0)) {
            atoll_free(name);
            rc = atoll_fail_nomem(err, "the names in a directory", out->n);
        } else if (wanted) {
            out->v[out->n++] = name;
        }
        atoll_buf_finish(&path);
    }
    (void)closedir(handle);
    if (rc == 0 && out->n > 0) {
        qsort(out->v, out->n, sizeof *out->v, by_text);
    }
    return rc;
}

static bool is_image_name(const char *name)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".bmp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof ends / sizeof ends[0]; i++) {
        size_t k = 0;
        while (ends[i][k] != '\0' && (dot[k] | 0x20) == (ends[i][k] | 0x20)) {
            k++;
        }
        if (ends[i][k] == '\0' && dot[k] == '\0') {
            return true;
        }
    }
    return false;
}

static int add_file(struct atoll_dataset *d, struct files *f, const char *dir, const char *name,
                    uint32_t label, struct atoll_err *err)
{
    if (f->n >= FILES_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: more than %u images", dir, FILES_MAX);
    }
    const char *path = atoll__data_join(d, dir, name);
    if (path == NULL || atoll_grow((void **)&f->v, &f->cap, f->n + 1, sizeof *f->v) != 0) {
        return atoll_fail_nomem(err, "a list of images", f->n * sizeof *f->v);
    }
    f->v[f->n++] = (struct atoll__data_file){.path = path, .label = label};
    return 0;
}

/* Moves the list into a source; frees the list in any case. */
static int keep_files(struct atoll_dataset *d, struct files *f, const char *name,
                      struct atoll__data_source *s, int rc, struct atoll_err *err)
{
    if (rc == 0) {
        s->name = name;
        s->files = atoll_arena_array(&d->arena, f->n + 1, sizeof *s->files);
        rc = s->files != NULL ? 0 : atoll_fail_nomem(err, "a list of images", f->n);
    }
    if (rc == 0 && f->n > 0) {
        memcpy(s->files, f->v, f->n * sizeof *f->v);
        s->n = f->n;
    }
    atoll_free(f->v);
    *f = (struct files){0};
    return rc;
}

/* Files for training and testing from one list: all for testing, or a seeded share of them. */
static int share_out(struct atoll_dataset *d, struct files *f, const char *name,
                     struct atoll_err *err)
{
    struct files test = {0};
    int rc = 0;
    if (f->n == 0) {
        atoll_free(f->v);
        return atoll_fail(err, ATOLL_EINPUT, "%s: no images (.jpg, .jpeg, .png, .bmp)", name);
    }
    if (d->test_frac < 0) {
        rc = keep_files(d, f, name, &d->sources[1], 0, err);
        atoll__data_whole(d, ATOLL_PART_TEST, &d->sources[1]);
        return rc;
    }
    struct atoll_rng rng;
    atoll_rng_seed(&rng, atoll_seed_mix(d->opts.seed, 0x7e57));
    size_t kept = 0;
    for (size_t i = 0; i < f->n && rc == 0; i++) {
        if (atoll_rng_unit(&rng) >= d->test_frac) {
            f->v[kept++] = f->v[i];
        } else if (atoll_grow((void **)&test.v, &test.cap, test.n + 1, sizeof *test.v) == 0) {
            test.v[test.n++] = f->v[i];
        } else {
            rc = atoll_fail_nomem(err, "a list of images", test.n);
        }
    }
    f->n = kept;
    rc = keep_files(d, f, name, &d->sources[0], rc, err);
    rc = keep_files(d, &test, name, &d->sources[1], rc, err);
    rc = rc ? rc : atoll__data_split(d, &d->sources[0], err);
    atoll__data_whole(d, ATOLL_PART_TEST, &d->sources[1]);
    return rc;
}

/* --------------------------------------------------- a directory for a class */

static int find_class(const char *const *classes, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(classes[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int collect(struct atoll_dataset *d, const char *dir, struct files *f, struct atoll_err *err)
{
    struct names classes = {0};
    int rc = list_directory(dir, true, &classes, err);
    for (size_t c = 0; c < classes.n && rc == 0; c++) {
        struct names images = {0};
        const char *path = atoll__data_join(d, dir, classes.v[c]);
        const int label = find_class(d->labels, d->info.n_classes, classes.v[c]);
        rc = path == NULL ? atoll_fail_nomem(err, "a path", strlen(dir))
                          : list_directory(path, false, &images, err);
        for (size_t i = 0; i < images.n && rc == 0 && label >= 0; i++) {
            if (is_image_name(images.v[i])) {
                rc = add_file(d, f, path, images.v[i], (uint32_t)label, err);
            }
        }
        names_finish(&images);
    }
    names_finish(&classes);
    return rc;
}

/* The classes of all directories that hold classes, in alphabetical order. */
static int gather_classes(struct atoll_dataset *d, const char *const *dirs, size_t n,
                          struct atoll_err *err)
{
    struct names all = {0};
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = list_directory(dirs[i], true, &all, err);
    }
    size_t kept = 0;
    for (size_t i = 0; i < all.n; i++) { /* each directory's names come in order: merge by hand */
        bool seen = false;
        for (size_t k = 0; k < kept && n > 1 && !seen; k++) {
            seen = strcmp(all.v[k], all.v[i]) == 0;
        }
        if (seen) {
            atoll_free(all.v[i]);
        } else {
            all.v[kept++] = all.v[i];
        }
    }
    all.n = kept;
    if (rc == 0 && kept == 0) {
        rc = atoll_fail(err, ATOLL_EINPUT, "%s: no directories of classes", dirs[0]);
    }
    if (rc == 0) {
        qsort(all.v, all.n, sizeof *all.v, by_text);
        rc = atoll__data_labels(d, (const char *const *)all.v, (uint32_t)kept, err);
    }
    for (size_t i = 0; i < kept && rc == 0; i++) {
        d->labels[i] = atoll_arena_strndup(&d->arena, all.v[i], strlen(all.v[i]));
        rc = d->labels[i] != NULL ? 0 : atoll_fail_nomem(err, "a label", strlen(all.v[i]));
    }
    names_finish(&all);
    return rc;
}

static bool is_directory(const char *path)
{
    struct stat s;
    return path != NULL && stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* train/, val/ (or validation/), test/. Without a test/, val/ is for testing. */
static int open_parts(struct atoll_dataset *d, const char *const dirs[3], struct atoll_err *err)
{
    const char *there[3];
    size_t n = 0;
    for (size_t i = 0; i < 3; i++) {
        if (dirs[i] != NULL) {
            there[n++] = dirs[i];
        }
    }
    int rc = gather_classes(d, there, n, err);
    for (size_t i = 0; i < 3 && rc == 0; i++) {
        struct files f = {0};
        if (dirs[i] == NULL) {
            continue;
        }
        rc = collect(d, dirs[i], &f, err);
        rc = keep_files(d, &f, dirs[i], &d->sources[i], rc, err);
        if (rc == 0 && i == ATOLL_PART_TRAIN && dirs[ATOLL_PART_VALIDATION] == NULL) {
            rc = atoll__data_split(d, &d->sources[i], err);
        } else if (rc == 0) {
            atoll__data_whole(d, (enum atoll_part)i, &d->sources[i]);
        }
    }
    return rc;
}

int atoll__data_open_folder(struct atoll_dataset *d, const char *dir, struct atoll_err *err)
{
    static const char *const spelled[4] = {"train", "validation", "test", "val"};
    const char *dirs[4];
    for (size_t i = 0; i < 4; i++) {
        dirs[i] = atoll__data_join(d, dir, spelled[i]);
        if (dirs[i] == NULL) {
            return atoll_fail_nomem(err, "a path", strlen(dir));
        }
        dirs[i] = is_directory(dirs[i]) ? dirs[i] : NULL;
    }
    if (dirs[ATOLL_PART_TEST] == NULL) {
        dirs[ATOLL_PART_TEST] = dirs[3];
    } else if (dirs[ATOLL_PART_VALIDATION] == NULL) {
        dirs[ATOLL_PART_VALIDATION] = dirs[3];
    }
    if (dirs[0] != NULL || dirs[2] != NULL) {
        return open_parts(d, dirs, err);
    }
    struct files f = {0};
    int rc = gather_classes(d, &dir, 1, err);
    rc = rc ? rc : collect(d, dir, &f, err);
    if (rc != 0) {
        atoll_free(f.v);
        return rc;
    }
    return share_out(d, &f, dir, err);
}

/* ------------------------------------------------------------ lists, masks */

static int list_line(struct atoll_dataset *d, const char *dir, const char *list, char *line,
                     unsigned number, struct files *f, struct atoll_err *err)
{
    char *end = line + strlen(line);
    while (end > line && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t')) {
        *--end = '\0';
    }
    if (line[0] == '\0') {
        return 0;
    }
    char *gap = end;
    while (gap > line && gap[-1] != ' ' && gap[-1] != '\t') {
        gap--;
    }
    char *stop = NULL;
    const unsigned long label = strtoul(gap, &stop, 10);
    if (gap == line || *gap < '0' || *gap > '9' || *stop != '\0' || label >= 100000) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: line %u: \"%.60s\" (a path and a class number expected)", list,
                          number, line);
    }
    while (gap > line && (gap[-1] == ' ' || gap[-1] == '\t')) {
        *--gap = '\0';
    }
    if (label + 1 > d->info.n_classes) {
        d->info.n_classes = (uint32_t)label + 1;
    }
    return add_file(d, f, dir, line, (uint32_t)label, err);
}

int atoll__data_open_list(struct atoll_dataset *d, const char *dir, const char *list,
                          struct atoll_err *err)
{
    struct atoll_map map = {0};
    struct files f = {0};
    struct atoll_buf text = {0};
    int rc = atoll_map_open(list, &map, err);
    if (rc != 0) {
        return rc;
    }
    atoll_buf_append(&text, map.data, map.size);
    atoll_map_close(&map);
    if (text.failed) {
        rc = atoll_fail_nomem(err, "a list", map.size);
    }
    unsigned number = 0;
    for (char *at = text.data; at != NULL && rc == 0;) {
        char *stop = strchr(at, '\n');
        if (stop != NULL) {
            *stop++ = '\0';
        }
        rc = list_line(d, dir, list, at, ++number, &f, err);
        at = stop;
    }
    atoll_buf_finish(&text);
    if (rc != 0) {
        atoll_free(f.v);
        return rc;
    }
    rc = atoll__data_labels(d, NULL, d->info.n_classes, err);
    if (rc != 0) {
        atoll_free(f.v);
        return rc;
    }
    return share_out(d, &f, list, err);
}

/* The mask of an image: its name with .png or .bmp, in the directory of masks. */
static int find_mask(struct atoll_dataset *d, const char *masks, const char *image,
                     const char **path, struct atoll_err *err)
{
    const char *dot = strrchr(image, '.');
    const int stem = dot != NULL ? (int)(dot - image) : (int)strlen(image);
    for (int i = 0; i < 2; i++) {
        *path = atoll_arena_printf(&d->arena, "%s/%.*s%s", masks, stem, image,
                                   i == 0 ? ".png" : ".bmp");
        if (*path == NULL) {
            return atoll_fail_nomem(err, "a path", strlen(masks));
        }
        if (access(*path, F_OK) == 0) {
            return 0;
        }
    }
    return atoll_fail(err, ATOLL_EINPUT, "%s: no mask %.*s.png or .bmp for an image", masks, stem,
                      image);
}

int atoll__data_open_masks(struct atoll_dataset *d, const char *dir, const char *masks,
                           struct atoll_err *err)
{
    struct names images = {0};
    struct files f = {0};
    int rc = list_directory(dir, false, &images, err);
    for (size_t i = 0; i < images.n && rc == 0; i++) {
        const char *mask = NULL;
        if (!is_image_name(images.v[i])) {
            continue;
        }
        rc = find_mask(d, masks, images.v[i], &mask, err);
        if (rc != 0) {
            rc = atoll__data_bad(d, rc, err);
            continue;
        }
        rc = add_file(d, &f, dir, images.v[i], 0, err);
        if (rc == 0) {
            f.v[f.n - 1].mask = mask;
        }
    }
    names_finish(&images);
    if (rc != 0) {
        atoll_free(f.v);
        return rc;
    }
    d->info.task = ATOLL_TASK_SEGMENT;
    return share_out(d, &f, dir, err);
}
