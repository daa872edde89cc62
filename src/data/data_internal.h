/* SPDX-License-Identifier: Apache-2.0 */
/* Private to room `data` and its tests. */
#ifndef ATOLL_DATA_INTERNAL_H
#define ATOLL_DATA_INTERNAL_H

#include <atoll/data.h>

/* ------------------------------------------------------------------- images */

/* Decoders of one format each; `mask`: palette numbers instead of colours, one channel. */
int atoll__data_bmp(const char *name, const uint8_t *bytes, size_t n, bool mask,
                    struct atoll_image *image, struct atoll_err *err);
int atoll__data_jpeg(const char *name, const uint8_t *bytes, size_t n, struct atoll_image *image,
                     struct atoll_err *err);
int atoll__data_png(const char *name, const uint8_t *bytes, size_t n, bool mask,
                    struct atoll_image *image, struct atoll_err *err);
/* Three equal channels become one where the decoder says that the file is grey. */
void atoll__data_drop_channels(struct atoll_image *image);

/* ----------------------------------------------------------------- archives */

/* Inflates a gzip file of at most `limit` bytes unpacked; *out owned (atoll_free). `cut_short` is
 * set when the file ends early or is damaged and `allow_short` lets what came before count. */
int atoll__data_gunzip(const char *name, const uint8_t *bytes, size_t n, size_t limit,
                       bool allow_short, uint8_t **out, size_t *size, bool *cut_short,
                       struct atoll_err *err);

/* --------------------------------------------------------------------- sets */

/* An image in a file of its own, with its truth. */
struct atoll__data_file {
    const char *path;
    const char *mask; /* NULL: none */
    uint32_t label;
    struct atoll_box *boxes;
    size_t n_boxes;
};
/* Where images come from: an array in memory or files. */
struct atoll__data_source {
    const char *name;
    size_t n;
    uint8_t *pixels;                /* owned (atoll_free); NULL for files */
    uint8_t *labels;                /* owned (atoll_free) */
    struct atoll__data_file *files; /* in the arena */
};
/* A part: images of a source by number, or all of them in order. */
struct atoll__data_part {
    const struct atoll__data_source *source;
    uint32_t *index; /* NULL: 0, 1, 2, ... */
    size_t n;
};
#define ATOLL__DATA_SOURCES_MAX 3
struct atoll_dataset {
    struct atoll_arena arena;
    struct atoll_data_opts opts;
    struct atoll_dataset_info info;
    struct atoll__data_source sources[ATOLL__DATA_SOURCES_MAX];
    struct atoll__data_part parts[3];
    const char **labels;
    double test_frac; /* of a folder without parts; < 0: everything is for testing */
};

/* Every opener fills sources and parts through these. */
bool atoll__data_wants(const struct atoll_dataset *d, enum atoll_part part);
/* Training files `source` become train and validation by the seed. */
int atoll__data_split(struct atoll_dataset *d, const struct atoll__data_source *source,
                      struct atoll_err *err);
void atoll__data_whole(struct atoll_dataset *d, enum atoll_part part,
                       const struct atoll__data_source *source);
/* A bad image or archive: counted and named when bad ones may be left out (then 0), else `code`. */
int atoll__data_bad(struct atoll_dataset *d, int code, struct atoll_err *err);
int atoll__data_labels(struct atoll_dataset *d, const char *const *names, uint32_t n,
                       struct atoll_err *err);
/* "dir/relative", in the arena; an absolute `relative` stays as it is. */
const char *atoll__data_join(struct atoll_dataset *d, const char *dir, const char *relative);

int atoll__data_open_idx(struct atoll_dataset *d, const char *dir, bool fashion,
                         struct atoll_err *err);
int atoll__data_open_cifar(struct atoll_dataset *d, const char *dir, bool fine,
                           struct atoll_err *err);
int atoll__data_open_generated(struct atoll_dataset *d, struct atoll_err *err);
int atoll__data_open_folder(struct atoll_dataset *d, const char *dir, struct atoll_err *err);
int atoll__data_open_yaml(struct atoll_dataset *d, const char *path, struct atoll_err *err);
/* The same keys in a map of another file; paths relative to `dir`. */
int atoll__data_open_node(struct atoll_dataset *d, const struct atoll_yaml *node, const char *dir,
                          struct atoll_err *err);
/* Chooses by the name of the set ("mnist:DIR"); `base` in front of relative directories. */
int atoll__data_open_named(struct atoll_dataset *d, const char *set, const char *base,
                           struct atoll_err *err);

/* Files of a set by a list: lines "path label". */
int atoll__data_open_list(struct atoll_dataset *d, const char *dir, const char *list,
                          struct atoll_err *err);
/* All images of a directory, with masks of the same stem in another. */
int atoll__data_open_masks(struct atoll_dataset *d, const char *dir, const char *masks,
                           struct atoll_err *err);
/* Images and boxes of a COCO annotation file (instances_*.json). */
int atoll__data_open_boxes(struct atoll_dataset *d, const char *dir, const char *annotations,
                           struct atoll_err *err);

/* -------------------------------------------------------------- drawn images */

#define ATOLL__DRAWN_CLASSES 24u
#define ATOLL__DRAWN_SIDE 32u
extern const char *const atoll__data_drawn_names[ATOLL__DRAWN_CLASSES];
/* Image `index` of a part: 32 x 32 x 3 bytes; a pure function of its arguments. */
void atoll__data_draw(uint64_t seed, enum atoll_part part, uint64_t index,
                      uint8_t pixels[ATOLL__DRAWN_SIDE * ATOLL__DRAWN_SIDE * 3], uint8_t *label);

#endif
